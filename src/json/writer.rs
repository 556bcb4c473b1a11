//! The writer: JSON text in a caller's buffer, without white space. `ser` writes values with it.

use core::fmt;

use serde::{Serialize, ser};

use super::text;
use crate::bytes::{MAX_DIGITS, after, copy, copy_short, decimal};
use crate::error::EncodeError;
use crate::name;

/// A buffer, and the number of bytes written to it.
///
/// The first failure is recorded and reported by `end`, so that no check is needed in between.
pub(crate) struct Writer<'b> {
    buffer: &'b mut [u8],
    pub(super) length: usize,
    pub(super) failed: Option<EncodeError>,
    /// True if the next string is the text of a `Raw`.
    pub(super) raw: bool,
    /// The texts to add if the next value is a member of an interface.
    pub(super) member: Option<MemberOf<'b>>,
}

/// The kind of a written value, also of one that there was no room for: an empty value is undone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// `None`, which is left out as a field, and as the content of a message.
    None,
    /// A value that is left out as the content of a message: an empty object, or a `Raw` with the
    /// text `null`.
    Empty,
    /// Any other object.
    Object,
    /// Anything else, or a part of a value that failed.
    Other,
}

/// The texts to add to a member of an interface: `interface` and a dot before its name, and
/// `separator` between its name and its content.
#[derive(Clone, Copy)]
pub(super) struct MemberOf<'b> {
    interface: &'b str,
    separator: &'b [u8],
    /// The offset at which its name must begin.
    offset: usize,
}

/// A position that [`Writer::undo`] can go back to.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    length: usize,
    /// True if writing had failed before this position.
    failed: bool,
}

/// The function that writes the content of a message: its parameters, or an error. It is `dyn`, so
/// that the functions that call it are compiled only once.
pub(crate) type Content<'a> = &'a dyn Fn(&mut Writer<'_>) -> Written;

/// The error that stops serde. The writer holds the reason.
#[derive(Debug)]
pub(crate) struct Failed;

impl<'b> Writer<'b> {
    /// Creates a writer that begins at the start of `buffer`.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Writer {
            buffer,
            length: 0,
            failed: None,
            raw: false,
            member: None,
        }
    }

    /// Returns the number of bytes written, or the first failure.
    pub fn end(self) -> Result<usize, EncodeError> {
        match self.failed {
            None => Ok(self.length),
            Some(error) => Err(error),
        }
    }

    /// Writes a value.
    pub fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        match value.serialize(&mut *self) {
            Ok(written) => written,
            Err(Failed) => {
                self.fail(EncodeError::Custom);
                Written::Other
            }
        }
    }

    /// Returns the current position.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            length: self.length,
            failed: self.failed.is_some(),
        }
    }

    /// Goes back to `mark`. If there was no room for the undone bytes, that is no longer a failure.
    pub(super) fn undo(&mut self, mark: Mark) {
        self.length = mark.length;
        if !mark.failed && self.failed == Some(EncodeError::Full) {
            self.failed = None;
        }
    }

    /// Writes `name`, and the structure or map that `content` writes. If that is empty, leaves out
    /// both.
    pub fn object(&mut self, name: &[u8], content: Content<'_>) {
        let mark = self.mark();
        self.bytes(name);
        let written = content(self);
        self.check_object(mark, written);
    }

    /// Checks that a value is a structure or a map. If it is empty, goes back to `mark`.
    pub(super) fn check_object(&mut self, mark: Mark, written: Written) {
        match written {
            Written::None | Written::Empty => self.undo(mark),
            Written::Object => {}
            Written::Other => self.fail(EncodeError::NotAnObject),
        }
    }

    /// Writes a member of an interface, which is a variant of an enum: its full name, and if it has
    /// content, `separator` and the content.
    pub fn member(&mut self, interface: &'b str, separator: &'b [u8], variant: Content<'_>) {
        self.member = Some(MemberOf {
            interface,
            separator,
            offset: self.length,
        });
        variant(self);
        if self.member.is_some() {
            self.fail(EncodeError::NotAnEnum);
        }
    }

    /// Writes the full name of a member and the separator; returns the position between them.
    pub(super) fn member_name(&mut self, name: &str) -> Mark {
        match self.member.take() {
            None => self.fail(EncodeError::VariantWithContent),
            Some(member) if member.offset != self.length => self.fail(EncodeError::NotAnEnum),
            Some(_) if !name::is_member(name) => self.fail(EncodeError::Name),
            Some(member) => {
                self.byte(b'"');
                self.escaped(member.interface);
                self.byte(b'.');
                self.escaped(name);
                self.byte(b'"');
                let mark = self.mark();
                self.bytes(member.separator);
                return mark;
            }
        }
        self.mark()
    }

    /// Returns the bytes written since `begin`.
    pub(super) fn since(&self, begin: usize) -> &[u8] {
        self.buffer.get(begin..self.length).unwrap_or_default()
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let room = self.buffer.get_mut(self.length..).unwrap_or_default();
        if room.len() < bytes.len() {
            return self.fail(EncodeError::Full);
        }
        copy(bytes, room);
        self.length = self.length.wrapping_add(bytes.len());
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.piece([byte]);
    }

    /// Like `bytes`, for an array: its length is a constant, so the bytes are written at once.
    pub(super) fn piece<const N: usize>(&mut self, piece: [u8; N]) {
        let room = self.buffer.get_mut(self.length..).unwrap_or_default();
        match room.first_chunk_mut() {
            Some(target) => {
                *target = piece;
                self.length = self.length.wrapping_add(N);
            }
            None => self.fail(EncodeError::Full),
        }
    }

    /// Writes a string, with its quotes.
    pub fn string(&mut self, text: &str) {
        self.byte(b'"');
        self.escaped(text);
        self.byte(b'"');
    }

    /// Writes the inside of a string.
    pub(super) fn escaped(&mut self, text: &str) {
        if !self.part(text.as_bytes()).is_empty() {
            self.fail(EncodeError::Full);
        }
    }

    /// True if nothing was written.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Returns the number of bytes that there is room for.
    pub fn room(&self) -> usize {
        self.buffer.len().wrapping_sub(self.length)
    }

    /// Writes as much of the inside of a string as there is room for; returns the rest of it.
    pub fn part<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        if let Some(room) = self.buffer.get_mut(self.length..)
            && copy_short(text, room)
        {
            self.length = self.length.wrapping_add(text.len());
            &[]
        } else {
            self.long_part(text)
        }
    }

    #[inline(never)] // most strings are short, and have no escapes
    fn long_part<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        let room = self.buffer.get_mut(self.length..).unwrap_or_default();
        let (read, written) = text::escape_to(text, room);
        self.length = self.length.wrapping_add(written);
        after(text, read)
    }

    pub(super) fn integer(&mut self, negative: bool, value: u64) {
        if negative {
            self.byte(b'-');
        }
        self.bytes(decimal(value, &mut [0; MAX_DIGITS]));
    }

    pub(super) fn float<T: Serialize>(&mut self, value: T, finite: bool) {
        if !finite {
            return self.fail(EncodeError::NotFinite);
        }
        let room = self.buffer.get_mut(self.length..).unwrap_or_default();
        match serde_json_core::to_slice(&value, room) {
            Ok(length) => self.length = self.length.wrapping_add(length),
            Err(_) => self.fail(EncodeError::Full),
        }
    }

    /// Records that Varlink has no type for a value; returns the error that stops serde.
    pub(super) fn reject<T>(&mut self, why: EncodeError) -> Result<T, Failed> {
        self.fail(why);
        Err(Failed)
    }

    /// Records a failure. Only the first one is kept.
    #[cold]
    #[inline(never)]
    fn fail(&mut self, error: EncodeError) {
        self.failed.get_or_insert(error);
    }
}

impl ser::Error for Failed {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Failed
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value can't be written")
    }
}

impl core::error::Error for Failed {}

#[cfg(test)]
mod tests {
    use std::{format, vec};

    use super::*;

    #[test]
    fn every_byte_is_escaped_at_every_place_as_far_as_there_is_room() {
        let escape = |byte: &u8| match byte {
            b'"' => b"\\\"".to_vec(),
            b'\\' => b"\\\\".to_vec(),
            0x8 => b"\\b".to_vec(),
            0x9 => b"\\t".to_vec(),
            0xa => b"\\n".to_vec(),
            0xc => b"\\f".to_vec(),
            0xd => b"\\r".to_vec(),
            0..=0x1f | 0x7f => format!("\\u{byte:04x}").into_bytes(),
            _ => vec![*byte],
        };
        for length in [1, 7, 8, 17] {
            for at in 0..length {
                for byte in 0..=255 {
                    for around in [b'x', 0x7f, 0xff, b'!', b']', b'\n'] {
                        let mut text = vec![around; length];
                        text[at] = byte;
                        for room in [0, 8, 20, 90, 200] {
                            let mut buffer = vec![0; room];
                            let mut writer = Writer::new(&mut buffer);
                            let rest = writer.part(&text).len();
                            let written = writer.end().expect("no failure");
                            let (mut expected, mut count) = (vec![], 0);
                            for piece in text.iter().map(escape) {
                                if expected.len() + piece.len() > room {
                                    break;
                                }
                                expected.extend(piece);
                                count += 1;
                            }
                            assert_eq!(rest, length - count, "{text:?} {room}");
                            assert_eq!(buffer[..written], expected, "{text:?} {room}");
                        }
                    }
                }
            }
        }
    }
}
