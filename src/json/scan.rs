//! The strict pass: whether bytes are JSON, and where its parts are.
//!
//! Everything that a peer sends goes through here before any other code looks at it. It is
//! iterative: how deeply a text is nested costs one bit a level, and no stack.

use core::ops::Range;
use core::str;

use super::text;
use crate::bytes::count_plain;
use crate::error::{Syntax, SyntaxError};

/// How deeply arrays and objects may be nested.
///
/// The envelope of a message is one level, its `parameters` are another: a value that has all the
/// levels by itself fits into no message.
pub const DEPTH: usize = 128;

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
    let mut scanner = Scanner::strict(text)?;
    scanner.value(0)?;
    scanner.end()
}

/// What a value is, as its first byte says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// A position in a text, and the steps forward from it.
#[derive(Clone)]
pub(crate) struct Scanner<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Scanner<'a> {
    /// Over a text that has been scanned before.
    pub fn new(text: &'a [u8]) -> Self {
        Scanner {
            rest: text,
            length: text.len(),
        }
    }

    /// Over a text that anybody may have written: that it is UTF-8 is checked at once.
    pub fn strict(text: &'a [u8]) -> Result<Self, SyntaxError> {
        match str::from_utf8(text) {
            Ok(_) => Ok(Scanner::new(text)),
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

    /// The first byte of what is next, with the white space before it gone.
    pub fn peek(&mut self) -> Option<u8> {
        self.space();
        self.rest.first().copied()
    }

    /// `{`, and everything before it.
    pub fn open_object(&mut self) -> Result<(), SyntaxError> {
        self.space();
        self.expect(b'{')
    }

    /// The key of the object's next member, and everything up to its value; None for `}`.
    ///
    /// The range is that of the key's text, escapes and all, without the quotes.
    pub fn key(&mut self, first: bool) -> Result<Option<Range<usize>>, SyntaxError> {
        self.space();
        if self.eat(b'}') {
            return Ok(None);
        }
        if !first {
            self.expect(b',')?;
            self.space();
        }
        self.key_and_colon().map(Some)
    }

    /// `[`, and everything before it.
    pub fn open_array(&mut self) -> Result<(), SyntaxError> {
        self.space();
        self.expect(b'[')
    }

    /// Whether the array has another element, with the position before it; false for `]`.
    pub fn element(&mut self, first: bool) -> Result<bool, SyntaxError> {
        self.space();
        if self.eat(b']') {
            return Ok(false);
        }
        if !first {
            self.expect(b',')?;
        }
        Ok(true)
    }

    /// One whole value, and the white space before it. `depth` arrays and objects are around it.
    pub fn value(&mut self, depth: usize) -> Result<(Kind, Range<usize>), SyntaxError> {
        self.space();
        let start = self.offset();
        let mut nesting = Nesting::within(depth);
        let mut kind = None;
        loop {
            // A value begins here.
            self.space();
            let this = self.kind()?;
            kind.get_or_insert(this);
            match this {
                Kind::Object => {
                    self.push(&mut nesting, true)?;
                    self.skip_byte();
                    self.space();
                    if !self.eat(b'}') {
                        self.key_and_colon()?;
                        continue;
                    }
                    nesting.pop();
                }
                Kind::Array => {
                    self.push(&mut nesting, false)?;
                    self.skip_byte();
                    self.space();
                    if !self.eat(b']') {
                        continue;
                    }
                    nesting.pop();
                }
                Kind::String => {
                    self.string()?;
                }
                Kind::Number => self.number()?,
                Kind::True => self.literal(b"true")?,
                Kind::False => self.literal(b"false")?,
                Kind::Null => self.literal(b"null")?,
            }
            // A value ends here.
            loop {
                let Some(in_object) = nesting.top() else {
                    return Ok((kind.unwrap_or(this), start..self.offset()));
                };
                self.space();
                let close = if in_object { b'}' } else { b']' };
                if self.eat(close) {
                    nesting.pop();
                    continue;
                }
                self.expect(b',')?;
                if in_object {
                    self.space();
                    self.key_and_colon()?;
                }
                break;
            }
        }
    }

    /// Nothing but white space up to the end.
    pub fn end(&mut self) -> Result<(), SyntaxError> {
        self.space();
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.error(Syntax::Trailing))
        }
    }

    fn space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn kind(&self) -> Result<Kind, SyntaxError> {
        match self.rest.first() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => Err(self.error(Syntax::Unexpected)),
            None => Err(self.error(Syntax::Incomplete)),
        }
    }

    fn push(&self, nesting: &mut Nesting, object: bool) -> Result<(), SyntaxError> {
        if nesting.push(object) {
            Ok(())
        } else {
            Err(self.error(Syntax::Depth))
        }
    }

    fn key_and_colon(&mut self) -> Result<Range<usize>, SyntaxError> {
        let key = self.string()?;
        self.space();
        self.expect(b':')?;
        Ok(key)
    }

    /// A string with its quotes; the range is that of the text between them.
    fn string(&mut self) -> Result<Range<usize>, SyntaxError> {
        self.expect(b'"')?;
        let start = self.offset();
        loop {
            let (_, rest) = self
                .rest
                .split_at_checked(count_plain(self.rest))
                .unwrap_or_default();
            self.rest = rest;
            match rest {
                [b'"', ..] => break,
                [b'\\', rest @ ..] => match text::escape(rest) {
                    Ok((_, rest)) => self.rest = rest,
                    Err(kind) => return Err(self.error(kind)),
                },
                [_, ..] => return Err(self.error(Syntax::Control)),
                [] => return Err(self.error(Syntax::Incomplete)),
            }
        }
        let end = self.offset();
        self.skip_byte();
        Ok(start..end)
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if let [b'e' | b'E', rest @ ..] = self.rest {
            self.rest = rest;
            if let [b'+' | b'-', rest @ ..] = self.rest {
                self.rest = rest;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let [b'0'..=b'9', ..] = self.rest else {
            return Err(self.unexpected());
        };
        while let [b'0'..=b'9', rest @ ..] = self.rest {
            self.rest = rest;
        }
        Ok(())
    }

    fn literal(&mut self, literal: &[u8]) -> Result<(), SyntaxError> {
        literal.iter().try_for_each(|byte| self.expect(*byte))
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), SyntaxError> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn skip_byte(&mut self) {
        if let [_, rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn unexpected(&self) -> SyntaxError {
        self.error(if self.rest.is_empty() {
            Syntax::Incomplete
        } else {
            Syntax::Unexpected
        })
    }

    fn error(&self, kind: Syntax) -> SyntaxError {
        SyntaxError {
            kind,
            offset: self.offset(),
        }
    }
}

/// The arrays and objects around a position: a stack of bits, 1 for an object.
struct Nesting {
    objects: u128,
    depth: usize,
    limit: usize,
}

impl Nesting {
    fn within(depth: usize) -> Self {
        Nesting {
            objects: 0,
            depth: 0,
            limit: DEPTH.saturating_sub(depth),
        }
    }

    fn push(&mut self, object: bool) -> bool {
        if self.depth >= self.limit {
            return false;
        }
        self.objects = self.objects << 1 | u128::from(object);
        self.depth = self.depth.saturating_add(1);
        true
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth = self.depth.saturating_sub(1);
    }

    fn top(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.objects & 1 == 1)
    }
}
