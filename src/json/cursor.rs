//! Steps over JSON text: the strict pass, and the [`Cursor`] that all other readers use.
//!
//! Every byte that a peer sends is checked by these steps before any other code looks at it. The
//! code is iterative: each level of nesting costs one bit, and no stack.

use core::str;

use super::text::{Text, count_inside};
use crate::bytes::{after, count_plain};
use crate::error::{Syntax, SyntaxError};

/// The maximum nesting depth of arrays and objects.
///
/// The envelope of a message is one level, and its `parameters` are another, so a value of this
/// depth does not fit into a message.
pub const MAX_DEPTH: usize = 128;

/// Checks that `text` is one JSON value (RFC 8259), with only white space around it.
///
/// # Errors
///
/// Returns the first mistake and its offset if `text` is anything else.
///
/// ```
/// use nullink::json;
///
/// assert!(json::scan(b" [1, \"\\u0000\", {}] ").is_ok());
/// assert!(json::scan(b"[1,]").is_err());
/// assert!(json::scan("[".repeat(1_000_000).as_bytes()).is_err());
/// ```
pub fn scan(text: &[u8]) -> Result<(), SyntaxError> {
    let mut cursor = Cursor::untrusted(text)?;
    let scanned = cursor.value(0).and_then(|_| cursor.end());
    scanned.ok_or_else(|| cursor.error())
}

/// A position in a text, and the steps that move it forward.
///
/// A step that fails returns only None, so that its result fits into registers. The position is
/// then at the mistake, and [`error`](Self::error) says what is wrong.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    text: &'a [u8],
    rest: &'a [u8],
    failure: Syntax,
}

impl<'a> Cursor<'a> {
    /// Creates a cursor at the beginning of a text, which must be UTF-8.
    pub fn new(text: &'a [u8]) -> Self {
        Cursor {
            text,
            rest: text,
            failure: Syntax::Unexpected,
        }
    }

    /// Creates a cursor at the beginning of an untrusted text. Fails if the text is not UTF-8.
    pub fn untrusted(text: &'a [u8]) -> Result<Self, SyntaxError> {
        match str::from_utf8(text) {
            Ok(_) => Ok(Cursor::new(text)),
            Err(error) => Err(SyntaxError {
                kind: Syntax::Utf8,
                offset: error.valid_up_to(),
            }),
        }
    }

    /// Returns the whole text.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Returns a cursor at an offset in the same text.
    pub fn at(&self, offset: usize) -> Self {
        Cursor {
            rest: after(self.text, offset),
            ..*self
        }
    }

    /// Returns the position, in bytes from the beginning of the text.
    pub fn offset(&self) -> usize {
        self.text.len().wrapping_sub(self.rest.len())
    }

    /// Returns the reason and the offset of the last failure.
    pub fn error(&self) -> SyntaxError {
        SyntaxError {
            kind: self.failure,
            offset: self.offset(),
        }
    }

    /// Skips white space; returns the next byte, without moving past it.
    pub fn peek(&mut self) -> Option<u8> {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.first().copied()
    }

    /// Skips white space, and then `byte` if it is next. Returns true if it was.
    pub fn eat(&mut self, byte: u8) -> bool {
        self.peek();
        self.skip(byte)
    }

    /// Moves to the next element or member of an array or an object. Returns false at its end,
    /// which is the byte `close`. `first` must be true for the first one.
    pub fn more(&mut self, close: u8, first: bool) -> Option<bool> {
        if self.eat(close) {
            return Some(false);
        }
        if !first {
            self.expect(b',')?;
            self.peek();
        }
        Some(true)
    }

    /// Skips a key and its colon; returns the key. The position must be at the key.
    pub fn member(&mut self) -> Option<Text<'a>> {
        let key = self.string()?;
        self.colon()?;
        Some(key)
    }

    /// Skips the colon after a key.
    fn colon(&mut self) -> Option<()> {
        self.peek();
        self.expect(b':')
    }

    /// Skips the next key of an object and its colon, if the key is written as `name`, which has
    /// only plain bytes, and if white space is only after the comma. Returns true if it has skipped
    /// them. `first` must be true for the first key.
    #[inline(never)] // smaller and faster
    pub fn skip_member(&mut self, first: bool, name: &[u8]) -> bool {
        let mut ahead = *self;
        let is_next = (first || ahead.skip(b',') && ahead.peek().is_some())
            && ahead.skip(b'"')
            && ahead.skip_all(name)
            && ahead.skip_all(b"\":");
        if is_next {
            self.rest = ahead.rest;
        }
        is_next
    }

    /// Skips bytes if they are at the position. Returns true if they were.
    pub fn skip_all(&mut self, bytes: &[u8]) -> bool {
        match self.rest.split_at_checked(bytes.len()) {
            Some((start, rest)) if start == bytes => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Skips one whole value; returns its text. `depth` is the number of arrays and objects that
    /// contain it.
    pub fn value(&mut self, depth: usize) -> Option<&'a [u8]> {
        self.peek();
        let text = self.rest;
        // A stack with one bit for each of MAX_DEPTH levels: 1 for an object, 0 for an array.
        let (mut objects, mut level) = (0_u128, depth);
        loop {
            let byte = self.peek();
            let mut first = matches!(byte, Some(b'{' | b'['));
            if first {
                if level >= MAX_DEPTH {
                    return self.fail(Syntax::Depth).map(|()| text);
                }
                level = level.wrapping_add(1);
                objects = objects << 1 | u128::from(byte == Some(b'{'));
                self.skip_byte();
            } else {
                self.scalar(byte)?;
            }
            // Leave the arrays and objects that end here, up to the next value.
            loop {
                if level <= depth {
                    return Some(self.since(text));
                }
                let object = objects & 1 == 1;
                if self.more(if object { b'}' } else { b']' }, first)? {
                    if object {
                        self.skip_string()?;
                        self.colon()?;
                    }
                    break;
                }
                objects >>= 1;
                level = level.wrapping_sub(1);
                first = false;
            }
        }
    }

    /// Skips a value that is neither an array nor an object, and begins with the byte `first`.
    fn scalar(&mut self, first: Option<u8>) -> Option<()> {
        match first {
            Some(b'"') => self.skip_string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => self.unexpected(),
        }
    }

    /// Fails unless only white space is left.
    pub fn end(&mut self) -> Option<()> {
        match self.peek() {
            None => Some(()),
            Some(_) => self.fail(Syntax::Trailing),
        }
    }

    /// Skips a string; returns the text between its quotes.
    pub fn string(&mut self) -> Option<Text<'a>> {
        let text = self.rest;
        let has_escapes = self.skip_string()?;
        let inside = self.since(text).get(1..)?.split_last()?.1;
        Some(Text {
            inside,
            has_escapes,
        })
    }

    /// Skips a string. Returns true if it contains an escape.
    pub fn skip_string(&mut self) -> Option<bool> {
        self.expect(b'"')?;
        let text = self.rest;
        let plain = count_plain(text);
        if let [b'"', rest @ ..] = after(text, plain) {
            self.rest = rest;
            return Some(false);
        }
        let (length, mistake) = count_inside(text, plain);
        self.rest = after(text, length);
        match mistake {
            None => self.expect(b'"')?,
            Some(kind) => self.fail(kind)?,
        }
        Some(true)
    }

    /// Skips a number; returns its text.
    pub fn number(&mut self) -> Option<&'a [u8]> {
        let text = self.rest;
        self.integer()?;
        if self.at_fraction() {
            self.fraction()?;
        }
        Some(self.since(text))
    }

    /// Skips the integral part of a number; returns its text.
    pub fn integer(&mut self) -> Option<&'a [u8]> {
        let text = self.rest;
        self.skip(b'-');
        match self.rest {
            [b'0', rest @ ..] => self.rest = rest,
            _ => self.digits()?,
        }
        Some(self.since(text))
    }

    /// True if a fraction or an exponent is next.
    pub fn at_fraction(&self) -> bool {
        matches!(self.rest, [b'.' | b'e' | b'E', ..])
    }

    /// Skips the fraction and the exponent of a number.
    #[inline(never)] // most numbers are integers
    fn fraction(&mut self) -> Option<()> {
        if self.skip(b'.') {
            self.digits()?;
        }
        if self.skip(b'e') || self.skip(b'E') {
            let _ = self.skip(b'+') || self.skip(b'-');
            self.digits()?;
        }
        Some(())
    }

    /// Skips one or more digits.
    fn digits(&mut self) -> Option<()> {
        let [b'0'..=b'9', rest @ ..] = self.rest else {
            return self.unexpected();
        };
        let mut rest = rest;
        while let [b'0'..=b'9', tail @ ..] = rest {
            rest = tail;
        }
        self.rest = rest;
        Some(())
    }

    /// Skips `literal`, which is `true`, `false` or `null`.
    pub fn literal(&mut self, literal: &[u8]) -> Option<()> {
        literal.iter().try_for_each(|byte| self.expect(*byte))
    }

    /// Returns the bytes skipped since the rest was `text`.
    fn since(&self, text: &'a [u8]) -> &'a [u8] {
        let length = text.len().wrapping_sub(self.rest.len());
        text.get(..length).unwrap_or_default()
    }

    /// Skips one byte.
    fn skip_byte(&mut self) {
        self.rest = after(self.rest, 1);
    }

    /// Skips `byte` if it is at the position. Returns true if it was.
    fn skip(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Skips `byte`, or fails if it is not at the position.
    fn expect(&mut self, byte: u8) -> Option<()> {
        if self.skip(byte) {
            Some(())
        } else {
            self.unexpected()
        }
    }

    /// Fails because of the byte, or the end, at the position.
    #[cold]
    fn unexpected(&mut self) -> Option<()> {
        self.fail(if self.rest.is_empty() {
            Syntax::Incomplete
        } else {
            Syntax::Unexpected
        })
    }

    /// Records why a step fails; returns its result.
    #[cold]
    fn fail(&mut self, kind: Syntax) -> Option<()> {
        self.failure = kind;
        None
    }
}
