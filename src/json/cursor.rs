//! The steps over JSON text: the strict pass, and what every other reader moves with.
//!
//! Everything that a peer sends goes through here before any other code looks at it. It is
//! iterative: how deeply a text is nested costs one bit a level, and no stack.

use core::str;

use super::text::{Text, count_inside};
use crate::bytes::count_plain;
use crate::error::{Syntax, SyntaxError};

/// How deeply arrays and objects may be nested.
///
/// The envelope of a message is one level, its `parameters` are another: a value that has all the
/// levels by itself fits into no message.
pub const MAX_DEPTH: usize = 128;

/// Checks that `text` is one JSON value (RFC 8259) with nothing but white space around it.
///
/// # Errors
///
/// What is wrong, and where.
///
/// ```
/// use nullink::json;
///
/// assert!(json::scan(b" [1, \"\\u0000\", {}] ").is_ok());
/// assert!(json::scan(b"[1,]").is_err());
/// assert!(json::scan("[".repeat(1_000_000).as_bytes()).is_err());
/// ```
pub fn scan(text: &[u8]) -> Result<(), SyntaxError> {
    let mut cursor = Cursor::strict(text)?;
    let scanned = cursor.value(0).and_then(|_| cursor.end());
    scanned.ok_or_else(|| cursor.error())
}

/// What a value is, as its first byte says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueKind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

impl ValueKind {
    /// The kind of a value that begins with a byte, if there is one.
    pub fn from_first_byte(first: u8) -> Option<Self> {
        match first {
            b'{' => Some(ValueKind::Object),
            b'[' => Some(ValueKind::Array),
            b'"' => Some(ValueKind::String),
            b'-' | b'0'..=b'9' => Some(ValueKind::Number),
            b't' => Some(ValueKind::True),
            b'f' => Some(ValueKind::False),
            b'n' => Some(ValueKind::Null),
            _ => None,
        }
    }
}

/// A position in a text, and the steps forward from it.
///
/// A step that fails is None, and leaves the position where the mistake is: so its result fits into
/// registers. [`error`](Self::error) says what is wrong.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    length: usize,
    wrong: Syntax,
}

impl<'a> Cursor<'a> {
    /// At the beginning of a text that has been scanned before.
    pub fn new(text: &'a [u8]) -> Self {
        Cursor::at(text, 0)
    }

    /// At an offset in a text that has been scanned before.
    pub fn at(text: &'a [u8], offset: usize) -> Self {
        Cursor {
            rest: text.get(offset..).unwrap_or_default(),
            length: text.len(),
            wrong: Syntax::Unexpected,
        }
    }

    /// At the beginning of a text that anybody may have written, which is UTF-8 at least.
    pub fn strict(text: &'a [u8]) -> Result<Self, SyntaxError> {
        match str::from_utf8(text) {
            Ok(_) => Ok(Cursor::new(text)),
            Err(error) => Err(SyntaxError {
                kind: Syntax::Utf8,
                offset: error.valid_up_to(),
            }),
        }
    }

    /// Bytes from the beginning of the text.
    pub fn offset(&self) -> usize {
        self.length.saturating_sub(self.rest.len())
    }

    /// Why the last step has failed, and where.
    pub fn error(&self) -> SyntaxError {
        SyntaxError {
            kind: self.wrong,
            offset: self.offset(),
        }
    }

    /// The next byte that is not white space. The position is before it.
    pub fn peek(&mut self) -> Option<u8> {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.first().copied()
    }

    /// Skips white space and then this byte, if it is the next one.
    pub fn eat(&mut self, byte: u8) -> bool {
        self.peek();
        self.skip(byte)
    }

    /// Whether a list or an object has another element or member, with the position at it. False
    /// at the end, which is the byte `close`.
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

    /// A key, which is at the position, and its colon.
    pub fn member(&mut self) -> Option<Text<'a>> {
        let key = self.string()?;
        self.peek();
        self.expect(b':')?;
        Some(key)
    }

    /// One whole value; returns its text. `depth` arrays and objects are around it.
    pub fn value(&mut self, depth: usize) -> Option<&'a [u8]> {
        let first = self.peek();
        let text = self.rest;
        match first {
            Some(b'{' | b'[') => self.nested(depth)?,
            _ => self.scalar(first)?,
        }
        Some(self.since(text))
    }

    /// A value that is neither an array nor an object, by its first byte.
    fn scalar(&mut self, first: Option<u8>) -> Option<()> {
        match first {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => self.unexpected(),
        }
    }

    /// An array or an object, and everything in it.
    fn nested(&mut self, depth: usize) -> Option<()> {
        // A stack of bits: 1 for an object.
        let (mut objects, mut open) = (0_u128, depth);
        loop {
            // An array or an object begins here.
            if open >= MAX_DEPTH {
                return self.fail(Syntax::Depth);
            }
            open = open.saturating_add(1);
            objects = objects << 1 | u128::from(self.skip(b'{'));
            let mut first = objects & 1 == 1 || self.skip(b'[');
            // On to the next one, out of those that end here.
            loop {
                let object = objects & 1 == 1;
                if !self.more(if object { b'}' } else { b']' }, first)? {
                    objects >>= 1;
                    open = open.saturating_sub(1);
                    if open <= depth {
                        return Some(());
                    }
                } else {
                    if object {
                        self.member()?;
                    }
                    match self.peek() {
                        Some(b'{' | b'[') => break,
                        first => self.scalar(first)?,
                    }
                }
                first = false;
            }
        }
    }

    /// Nothing but white space up to the end.
    pub fn end(&mut self) -> Option<()> {
        match self.peek() {
            None => Some(()),
            Some(_) => self.fail(Syntax::Trailing),
        }
    }

    /// A string; returns what is between its quotes.
    pub fn string(&mut self) -> Option<Text<'a>> {
        self.expect(b'"')?;
        let text = self.rest;
        let plain = count_plain(text);
        let (inside, rest) = text.split_at_checked(plain)?;
        if let [b'"', rest @ ..] = rest {
            self.rest = rest;
            return Some(Text {
                inside,
                has_escapes: false,
            });
        }
        let (length, wrong) = count_inside(text, plain);
        let (inside, rest) = text.split_at_checked(length)?;
        self.rest = rest;
        match wrong {
            None => self.expect(b'"')?,
            Some(kind) => self.fail(kind)?,
        }
        Some(Text {
            inside,
            has_escapes: true,
        })
    }

    /// A number; returns its text.
    pub fn number(&mut self) -> Option<&'a [u8]> {
        let text = self.rest;
        self.skip(b'-');
        match self.rest {
            [b'0', rest @ ..] => self.rest = rest,
            _ => self.digits()?,
        }
        if let [b'.' | b'e' | b'E', ..] = self.rest {
            self.fraction()?;
        }
        Some(self.since(text))
    }

    /// The fraction and the exponent of a number.
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

    /// `true`, `false` or `null`.
    pub fn literal(&mut self, literal: &[u8]) -> Option<()> {
        literal.iter().try_for_each(|byte| self.expect(*byte))
    }

    /// What has been passed since `text` was the rest.
    fn since(&self, text: &'a [u8]) -> &'a [u8] {
        let length = text.len().saturating_sub(self.rest.len());
        text.get(..length).unwrap_or_default()
    }

    /// Skips this byte, if it is the next one.
    fn skip(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        if self.skip(byte) {
            Some(())
        } else {
            self.unexpected()
        }
    }

    #[cold]
    fn unexpected(&mut self) -> Option<()> {
        self.fail(if self.rest.is_empty() {
            Syntax::Incomplete
        } else {
            Syntax::Unexpected
        })
    }

    /// A step fails.
    #[cold]
    fn fail(&mut self, kind: Syntax) -> Option<()> {
        self.wrong = kind;
        None
    }
}
