//! The reader: moves over a text, and decodes strings in place. `de` reads values with it.
//!
//! It holds the text as `&'de mut [u8]`, moves over it with a [`Cursor`], and splits off the
//! strings that it has read. So it can unescape every string in place, and lend it for `'de`.
//! It is as strict as a [scan](super::cursor::scan), so a text that is only read needs none.

use core::mem;
use core::str;

use serde::Deserialize;
use serde::de::{self, Visitor};

use super::cursor::{Cursor, MAX_DEPTH};
use super::number::{Integer, parse_short_float};
use super::text;
use crate::bytes::{after, count_plain, is_special};
use crate::error::{DecodeError, FieldName, Mismatch};

/// The reason why reading stops.
///
/// Almost every function here returns it, so it is small enough for two registers. The position is
/// in the reader instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The field of this name is missing.
    Missing(&'static str),
    /// Any other mismatch.
    Mismatch(Mismatch),
}

/// A position in a text.
#[derive(Debug)]
pub(crate) struct Reader<'de> {
    /// The text after the last string or value that was lent.
    text: &'de mut [u8],
    /// The offset of `text` in the message.
    start: usize,
    /// The position: an index in `text`.
    at: usize,
    /// The offset in the message of the last value that was looked at.
    value_start: usize,
    /// The top-level field that contains the position.
    pub(super) field: Option<MemberName<'de>>,
    /// The number of arrays and objects that contain the position.
    depth: usize,
    /// True if there are no parameters, which are read as an empty object.
    absent: bool,
    /// True if the text is that of a call, whose fields `org.varlink.service.InvalidParameter` can
    /// name.
    in_call: bool,
}

/// The key of a member, and its offset in the message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemberName<'de> {
    pub name: &'de str,
    offset: usize,
}

impl<'de> Reader<'de> {
    /// Creates a reader of a text that begins at `start` in its message, in the top-level field
    /// `field`.
    pub fn new(text: &'de mut [u8], start: usize, field: Option<MemberName<'de>>) -> Self {
        Reader {
            text,
            start,
            at: 0,
            value_start: start,
            field,
            depth: 0,
            absent: false,
            in_call: false,
        }
    }

    /// Creates a reader of the parameters of a message. An empty text is read as an empty object: a
    /// message may have no parameters.
    pub fn of_parameters(text: &'de mut [u8], start: usize) -> Self {
        Reader {
            absent: text.is_empty(),
            ..Reader::new(text, start, None)
        }
    }

    /// Marks the text as that of a call.
    pub fn in_call(self) -> Self {
        Reader {
            in_call: true,
            ..self
        }
    }

    /// Reads one value, which must be the whole text.
    pub fn read<T: Deserialize<'de>>(&mut self) -> Result<T, DecodeError> {
        let value = T::deserialize(&mut *self).and_then(|value| self.end().map(|()| value));
        value.map_err(|stop| self.text_error(stop))
    }

    /// Fails unless only white space is left: a type may stop in the middle of its value.
    pub fn end(&mut self) -> Result<(), Stop> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(SYNTAX),
        }
    }

    /// Returns the error for `stop`, with the current field and offset.
    pub fn error(&self, stop: Stop) -> DecodeError {
        let (mismatch, missing) = match stop {
            Stop::Missing(name) => (Mismatch::Missing, Some(FieldName::Named(name))),
            Stop::Mismatch(mismatch) => (mismatch, None),
        };
        let current = self.field.map(|key| FieldName::At {
            offset: key.offset,
            length: key.name.len(),
        });
        DecodeError {
            mismatch,
            // If a field is missing inside of a top-level field, the error names the latter.
            field: current.or(missing),
            offset: self.value_start,
            in_call: self.in_call,
        }
    }

    /// Like `error`, but the error is that of the text if the last value is not JSON.
    #[cold]
    fn text_error(&mut self, mut stop: Stop) -> DecodeError {
        // A string that was read is no longer in the text.
        let at = self.value_start.checked_sub(self.start);
        if let (TYPE | RANGE, Some(at)) = (stop, at) {
            let mut cursor = Cursor::new(self.text).at(at);
            let is_value = cursor.value(self.depth).is_some();
            if !is_value || !matches!(cursor.peek(), None | Some(b',' | b':' | b']' | b'}')) {
                (stop, self.at) = (SYNTAX, cursor.offset());
            }
        }
        if stop == SYNTAX {
            self.value_start = self.offset();
        }
        self.error(stop)
    }

    /// Returns the name of the field in `error`, which must be the last error of this reader.
    pub fn field(&self, error: &DecodeError) -> Option<&'de str> {
        match error.field? {
            FieldName::Named(name) => Some(name),
            FieldName::At { .. } => self.field.map(|key| key.name),
        }
    }

    /// Returns the unread text.
    pub fn rest(&self) -> &[u8] {
        after(self.text, self.at)
    }

    /// Like `rest`, with the lifetime of the text.
    pub fn into_rest(self) -> &'de mut [u8] {
        self.text.get_mut(self.at..).unwrap_or_default()
    }

    /// Returns the position: an offset in the message.
    pub fn offset(&self) -> usize {
        self.start.wrapping_add(self.at)
    }

    /// Moves forward by a step of a [`Cursor`]; returns the result of the step.
    pub(super) fn step<T>(&mut self, step: impl FnOnce(&mut Cursor<'_>) -> T) -> T {
        let mut cursor = Cursor::new(self.text).at(self.at);
        let result = step(&mut cursor);
        self.at = cursor.offset();
        result
    }

    /// Moves forward by `count` bytes.
    pub(super) fn skip(&mut self, count: usize) {
        self.at = self.at.wrapping_add(count);
    }

    /// Takes the unread text. The caller puts back what it does not lend.
    fn take_rest(&mut self) -> &'de mut [u8] {
        self.start = self.offset();
        let at = mem::take(&mut self.at);
        mem::take(&mut self.text).get_mut(at..).unwrap_or_default()
    }

    /// Puts back the text after `length` bytes that are lent.
    fn put_rest(&mut self, rest: &'de mut [u8], length: usize) {
        self.text = rest;
        self.start = self.start.wrapping_add(length);
    }

    /// Skips the next value; returns a reader for it. The value is in the current top-level field,
    /// or in `field` if there is none.
    pub fn split(&mut self, field: Option<MemberName<'de>>) -> Result<Reader<'de>, Stop> {
        let (text, start) = self.value()?;
        Ok(Reader {
            in_call: self.in_call,
            ..Reader::new(text, start, self.field.or(field))
        })
    }

    /// Skips white space; returns the next byte, without moving past it.
    pub fn peek(&mut self) -> Option<u8> {
        match self.text.get(self.at) {
            Some(first) if *first > b' ' => Some(*first),
            _ => self.step(|cursor| cursor.peek()),
        }
    }

    /// Records the start of a value that is read now; returns its first byte.
    pub(super) fn begin(&mut self) -> Option<u8> {
        let first = self.peek();
        self.value_start = self.offset();
        first
    }

    /// Skips the next value; returns its text, and its offset in the message.
    pub(super) fn value(&mut self) -> Result<(&'de mut [u8], usize), Stop> {
        self.begin();
        let rest = self.take_rest();
        let mut cursor = Cursor::new(rest);
        let is_value = cursor.value(self.depth).is_some();
        let length = cursor.offset();
        let (text, rest) = rest.split_at_mut_checked(length).ok_or(SYNTAX)?;
        self.put_rest(rest, length);
        if is_value {
            Ok((text, self.value_start))
        } else {
            Err(SYNTAX)
        }
    }

    /// Reads a string, and unescapes it in place.
    pub(super) fn string(&mut self) -> Result<&'de str, Stop> {
        if self.begin() != Some(b'"') {
            return Err(TYPE);
        }
        self.skip(1);
        let inside = self.take_rest();
        let plain = count_plain(inside);
        let (length, read) = match inside.get(plain) {
            Some(b'"') => (plain, plain),
            _ => text::unescape_to_quote(inside, plain),
        };
        if inside.get(read) != Some(&b'"') {
            self.put_rest(inside.get_mut(read..).unwrap_or_default(), read);
            return Err(SYNTAX);
        }
        let (text, rest) = inside.split_at_mut_checked(length).ok_or(SYNTAX)?;
        self.put_rest(rest, length);
        // Skip the closing quote, and the bytes before it that unescaping has left over.
        self.skip(read.wrapping_sub(length).wrapping_add(1));
        str::from_utf8(text).map_err(|_| SYNTAX)
    }

    /// Reads a number; returns the result of `parse` for its text.
    pub(super) fn number<T>(&mut self, parse: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, Stop> {
        if !matches!(self.begin(), Some(b'-' | b'0'..=b'9')) {
            return Err(TYPE);
        }
        let number = self.step(|cursor| cursor.number().map(parse));
        number.ok_or(SYNTAX)?.ok_or(RANGE)
    }

    /// Reads a float.
    pub(super) fn float(&mut self) -> Result<f64, Stop> {
        self.begin();
        if let Some((value, rest)) = parse_short_float(self.rest()) {
            self.at = self.text.len().wrapping_sub(rest.len());
            return Ok(value);
        }
        self.number(|text| {
            let value: f64 = str::from_utf8(text).ok()?.parse().ok()?;
            value.is_finite().then_some(value)
        })
    }

    /// Reads an integer into a visitor.
    pub(super) fn integer<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Stop> {
        match self.read_integer()? {
            Integer::Positive(value) => visitor.visit_u64(value),
            Integer::Negative(value) => visitor.visit_i64(value),
        }
    }

    #[inline] // smaller programs, too
    fn read_integer(&mut self) -> Result<Integer, Stop> {
        let (integer, rest) = match self.begin() {
            Some(b'-' | b'0'..=b'9') => Integer::parse(self.rest()),
            _ => return Err(TYPE),
        };
        let is_integer = !matches!(rest, [b'.' | b'e' | b'E', ..]);
        self.at = self.text.len().wrapping_sub(rest.len());
        integer.filter(|_| is_integer).ok_or(RANGE)
    }

    /// Skips the opening bracket of an array or an object.
    pub fn open(&mut self, bracket: u8) -> Result<(), Stop> {
        match self.begin() {
            Some(first) if first == bracket => {
                if self.depth >= MAX_DEPTH {
                    return Err(SYNTAX);
                }
                self.skip(1);
                self.depth = self.depth.wrapping_add(1);
                Ok(())
            }
            None if bracket == b'{' && self.absent => Ok(()),
            _ => Err(TYPE),
        }
    }

    /// Moves to the next element or member of an array or object. Returns false at its end, which
    /// is the byte `close`. `first` must be true for the first one.
    pub fn more(&mut self, close: u8, first: bool) -> Result<bool, Stop> {
        let more = match self.peek() {
            None if self.absent => return Ok(false),
            Some(byte) if byte == close => false,
            Some(_) if first => return Ok(true),
            Some(b',') => true,
            _ => return Err(SYNTAX),
        };
        self.skip(1);
        if !more {
            self.depth = self.depth.wrapping_sub(1);
        }
        Ok(more)
    }

    /// True if there are no parameters.
    pub(super) fn is_absent(&self) -> bool {
        self.absent
    }

    /// Skips `literal`, whose first byte is next.
    pub(super) fn literal(&mut self, literal: &[u8]) -> Result<(), Stop> {
        if self.rest().starts_with(literal) {
            self.skip(literal.len());
            Ok(())
        } else {
            // Moves to the mistake.
            self.step(|cursor| cursor.literal(literal)).ok_or(SYNTAX)
        }
    }

    /// Moves to the next member of an object, and reads its key and its colon, if the key is `name`
    /// and is written without escapes, and if no white space is before the colon. `first` must be true
    /// for the first member.
    pub fn key_if(&mut self, first: bool, name: &'static str) -> Option<MemberName<'de>> {
        let rest = self.text.get(self.at..)?;
        let rest = match rest {
            _ if first => rest,
            [b',', rest @ ..] => rest,
            _ => return None,
        };
        let [b'"', rest @ ..] = rest else {
            return None;
        };
        let (key, rest) = rest.split_at_checked(name.len())?;
        // A name with special bytes is written with escapes.
        let mut bytes = key.iter().zip(name.as_bytes());
        if !bytes.all(|(a, b)| a == b && !is_special(*a)) {
            return None;
        }
        let [b'"', b':', after @ ..] = rest else {
            return None;
        };
        self.at = self.text.len().wrapping_sub(after.len());
        let offset = self.offset().wrapping_sub(name.len()).wrapping_sub(2);
        self.value_start = offset.wrapping_sub(1);
        Some(MemberName { name, offset })
    }

    /// Reads a key and its colon.
    pub fn key(&mut self) -> Result<MemberName<'de>, Stop> {
        // The decoded key begins after the opening quote, like the escaped key.
        let offset = self.offset().wrapping_add(1);
        let name = self.string().map_err(|_| SYNTAX)?;
        if self.peek() != Some(b':') {
            return Err(SYNTAX);
        }
        self.skip(1);
        Ok(MemberName { name, offset })
    }
}

pub(super) const TYPE: Stop = Stop::Mismatch(Mismatch::Type);
pub(super) const RANGE: Stop = Stop::Mismatch(Mismatch::Range);
pub(super) const LENGTH: Stop = Stop::Mismatch(Mismatch::Length);
pub(super) const SYNTAX: Stop = Stop::Mismatch(Mismatch::Syntax);

impl core::fmt::Display for Stop {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Stop::Missing(name) => write!(f, "the field {name} is missing"),
            Stop::Mismatch(mismatch) => mismatch.fmt(f),
        }
    }
}

impl core::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: core::fmt::Display>(_: T) -> Self {
        Stop::Mismatch(Mismatch::Custom)
    }

    fn invalid_type(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        TYPE
    }

    fn invalid_value(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        RANGE
    }

    fn invalid_length(_: usize, _: &dyn de::Expected) -> Self {
        LENGTH
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Stop::Mismatch(Mismatch::Variant)
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Stop::Mismatch(Mismatch::Unknown)
    }

    fn missing_field(name: &'static str) -> Self {
        Stop::Missing(name)
    }

    // The name is not needed, because the reader is still in that field.
    fn duplicate_field(_: &'static str) -> Self {
        Stop::Mismatch(Mismatch::Duplicate)
    }
}
