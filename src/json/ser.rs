//! The writer: serializes with serde into a caller's buffer, without white space.
//!
//! A value is written whole or not at all: there is no output if it does not fit, or is not a
//! Varlink value.

use core::fmt::{self, Write as _};
use core::{mem, str};

use serde::ser::{
    Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct,
};
use serde::{Serialize, Serializer, ser};

use super::raw::Raw;
use super::text;
use crate::bytes::{Copying, copy, is_escaped};
use crate::error::EncodeError;
use crate::name;

/// Writes a value as JSON text at the beginning of `buffer`; returns the text.
///
/// Fields that are `None` are left out: UAPI.20, "Nullable Fields and Absent Fields".
///
/// # Errors
///
/// Fails if the value does not fit, or a part of it is not a Varlink value.
///
/// ```
/// #[derive(serde::Serialize)]
/// struct Found<'a> { name: &'a str, shell: Option<&'a str>, uids: [u32; 2] }
///
/// let found = Found { name: "a \"user\"", shell: None, uids: [0, 1000] };
/// let mut buffer = [0; 64];
/// assert_eq!(nullink::json::encode(&found, &mut buffer)?, r#"{"name":"a \"user\"","uids":[0,1000]}"#);
/// # Ok::<(), nullink::EncodeError>(())
/// ```
pub fn encode<'b, T>(value: &T, buffer: &'b mut [u8]) -> Result<&'b str, EncodeError>
where
    T: Serialize + ?Sized,
{
    let mut writer = Writer::new(buffer);
    writer.value(value);
    let length = writer.end()?;
    let text = buffer.get(..length).unwrap_or_default();
    str::from_utf8(text).map_err(|_| EncodeError::Custom)
}

impl<'a> Raw<'a> {
    /// Creates a value by encoding another one into `buffer`, like [`encode`]. So an enum of errors,
    /// which has no type parameters, can hold a list of any length.
    ///
    /// # Errors
    ///
    /// Like [`encode`].
    ///
    /// ```
    /// use nullink::json::{List, Raw};
    /// # use nullink::service::{Answer, Responder};
    ///
    /// #[derive(serde::Serialize)]
    /// enum Error<'a> { Busy { devices: Raw<'a> } }
    ///
    /// fn fail<'c>(devices: &[&str], reply: Responder<'c>) -> Answer<'c> {
    ///     let mut buffer = [0; 512];
    ///     let devices = Raw::encode(&List(devices), &mut buffer)?;
    ///     reply.error(&Error::Busy { devices })
    /// }
    /// ```
    pub fn encode<T>(value: &T, buffer: &'a mut [u8]) -> Result<Self, EncodeError>
    where
        T: Serialize + ?Sized,
    {
        encode(value, buffer).map(Raw::scanned)
    }
}

/// A list that is written from an iterator over its elements, without collecting them first.
///
/// ```
/// use nullink::json::{List, encode};
///
/// let squares = List((1..4).map(|n| n * n));
/// assert_eq!(encode(&squares, &mut [0; 16])?, "[1,4,9]");
/// # Ok::<(), nullink::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct List<I>(pub I);

impl<I> Serialize for List<I>
where
    I: IntoIterator + Clone,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// A map that is written from an iterator over its pairs, without collecting them first.
///
/// ```
/// use nullink::json::{Map, encode};
///
/// let lengths = Map(["to", "from"].iter().map(|word| (word, word.len())));
/// assert_eq!(encode(&lengths, &mut [0; 32])?, r#"{"to":2,"from":4}"#);
/// # Ok::<(), nullink::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Map<I>(pub I);

impl<I, K, V> Serialize for Map<I>
where
    I: IntoIterator<Item = (K, V)> + Clone,
    K: Serialize,
    V: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.clone())
    }
}

/// A buffer, and the number of bytes written to it.
///
/// The first failure is recorded and reported by `end`, so that no check is needed in between.
pub(crate) struct Writer<'b> {
    buffer: &'b mut [u8],
    length: usize,
    failed: Option<EncodeError>,
    last: Last,
    /// True if the next string is the text of a [`Raw`].
    raw: bool,
    /// The texts to add if the next value is a member of an interface.
    member: Option<MemberOf<'b>>,
}

/// The kind of the value written last. It is set even if there was no room for the value, because
/// an empty value is undone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// `None`.
    None,
    /// An empty object.
    Empty,
    /// Anything else.
    Other,
}

/// The texts to add to a member of an interface: `interface` and a dot before its name, and
/// `separator` between its name and its content.
#[derive(Clone, Copy)]
struct MemberOf<'b> {
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
            last: Last::Other,
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

    /// Writes a value. Returns false if its `Serialize` fails.
    pub fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> bool {
        let written = value.serialize(&mut *self).is_ok();
        if !written {
            self.fail(EncodeError::Custom);
        }
        written
    }

    /// Returns the current position.
    fn mark(&self) -> Mark {
        Mark {
            length: self.length,
            failed: self.failed.is_some(),
        }
    }

    /// Goes back to `mark`. If there was no room for the undone bytes, that is no longer a failure.
    fn undo(&mut self, mark: Mark) {
        self.length = mark.length;
        if !mark.failed && self.failed == Some(EncodeError::Full) {
            self.failed = None;
        }
    }

    /// Writes `name`, and the structure or map that `content` writes. If that is empty, leaves out
    /// both.
    pub fn object(&mut self, name: &[u8], content: &dyn Fn(&mut Writer<'_>)) {
        let mark = self.mark();
        self.bytes(name);
        let begin = self.length;
        content(self);
        self.check_object(mark, begin);
    }

    /// Checks that the value written since `begin` is a structure or a map. If it is empty, goes
    /// back to `mark`.
    fn check_object(&mut self, mark: Mark, begin: usize) {
        match (self.last, self.since(begin).trim_ascii()) {
            (Last::None | Last::Empty, _) | (_, b"null") => self.undo(mark),
            (Last::Other, [b'{', ..]) => {}
            _ => self.fail(EncodeError::NotAnObject),
        }
    }

    /// Writes a member of an interface, which is a variant of an enum: its full name, and if it has
    /// content, `separator` and the content.
    pub fn member(
        &mut self,
        interface: &'b str,
        separator: &'b [u8],
        variant: &dyn Fn(&mut Writer<'_>),
    ) {
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
    fn member_name(&mut self, name: &str) -> Mark {
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
    fn since(&self, begin: usize) -> &[u8] {
        self.buffer.get(begin..self.length).unwrap_or_default()
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.last = Last::Other;
        if self.failed.is_some() {
            return;
        }
        let room = self.buffer.get_mut(self.length..).unwrap_or_default();
        if room.len() < bytes.len() {
            return self.fail(EncodeError::Full);
        }
        copy(bytes, room);
        self.length = self.length.wrapping_add(bytes.len());
    }

    fn byte(&mut self, byte: u8) {
        self.piece([byte]);
    }

    /// Like `bytes`, for an array: its length is a constant, so the bytes are written at once.
    fn piece<const N: usize>(&mut self, piece: [u8; N]) {
        self.last = Last::Other;
        let room = self.buffer.get_mut(self.length..).unwrap_or_default();
        match room.first_chunk_mut() {
            Some(target) if self.failed.is_none() => {
                *target = piece;
                self.length = self.length.wrapping_add(N);
            }
            _ => self.fail(EncodeError::Full),
        }
    }

    /// Writes a string, with its quotes.
    pub fn string(&mut self, text: &str) {
        self.byte(b'"');
        self.escaped(text);
        self.byte(b'"');
    }

    /// Writes the inside of a string.
    fn escaped(&mut self, text: &str) {
        self.last = Last::Other;
        if !self.part(text.as_bytes()).is_empty() {
            self.fail(EncodeError::Full);
        }
    }

    /// Returns the number of bytes that there is room for.
    pub fn room(&self) -> usize {
        self.buffer.len().wrapping_sub(self.length)
    }

    /// Writes as much of the inside of a string as there is room for; returns the rest of it.
    pub fn part<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        let room = self.buffer.get_mut(self.length..).unwrap_or_default();
        let free = room.len();
        let mut copying = Copying {
            from: text,
            to: room,
        };
        copying.plain();
        let mut dense = false;
        while let [byte, rest @ ..] = copying.from {
            let written = match text::escape_letter(*byte) {
                Some(b'u') => {
                    let [a, b, c, d] = text::hex_digits(*byte);
                    copying.replace([b'\\', b'u', a, b, c, d])
                }
                Some(letter) => copying.replace([b'\\', letter]),
                None => false,
            };
            if !written {
                break;
            }
            match rest {
                // A shortcut for texts with many escapes.
                [plain, next, ..]
                    if dense
                        && !is_escaped(*plain)
                        && is_escaped(*next)
                        && copying.replace([*plain]) => {}
                _ => {
                    copying.plain();
                    dense = rest.len().wrapping_sub(copying.from.len()) == 1;
                }
            }
        }
        let written = free.wrapping_sub(copying.to.len());
        self.length = self.length.wrapping_add(written);
        copying.from
    }

    fn integer(&mut self, negative: bool, mut value: u64) {
        // `u64::MAX` has 20 digits.
        let mut digits = [0; 20];
        let mut length = 0_usize;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' | u8::try_from(value % 10).unwrap_or_default();
            length = length.wrapping_add(1);
            value /= 10;
            if value == 0 {
                break;
            }
        }
        if negative {
            self.byte(b'-');
        }
        let begin = digits.len().wrapping_sub(length);
        self.bytes(digits.get(begin..).unwrap_or_default());
    }

    fn float<T: Serialize>(&mut self, value: T, finite: bool) {
        if !finite {
            return self.fail(EncodeError::NotFinite);
        }
        self.last = Last::Other;
        let room = self.buffer.get_mut(self.length..).unwrap_or_default();
        match serde_json_core::to_slice(&value, room) {
            Ok(length) => self.length = self.length.wrapping_add(length),
            Err(_) => self.fail(EncodeError::Full),
        }
    }

    /// Records that Varlink has no type for a value; returns the error that stops serde.
    fn reject<T>(&mut self, why: EncodeError) -> Result<T, Failed> {
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

macro_rules! signed {
    ($($method:ident($type:ty))*) => {
        $(fn $method(self, value: $type) -> Result<(), Failed> {
            self.integer(value < 0, value.unsigned_abs().into());
            Ok(())
        })*
    };
}

macro_rules! unsigned {
    ($($method:ident($type:ty))*) => {
        $(fn $method(self, value: $type) -> Result<(), Failed> {
            self.integer(false, value.into());
            Ok(())
        })*
    };
}

impl<'a, 'b> Serializer for &'a mut Writer<'b> {
    type Ok = ();
    type Error = Failed;
    type SerializeSeq = Compound<'a, 'b>;
    type SerializeTuple = Compound<'a, 'b>;
    type SerializeTupleStruct = Compound<'a, 'b>;
    type SerializeTupleVariant = Impossible<(), Failed>;
    type SerializeMap = Compound<'a, 'b>;
    type SerializeStruct = Compound<'a, 'b>;
    type SerializeStructVariant = Compound<'a, 'b>;

    fn serialize_bool(self, value: bool) -> Result<(), Failed> {
        self.bytes(if value { b"true" } else { b"false" });
        Ok(())
    }

    signed! { serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) }

    unsigned! { serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) }

    fn serialize_i128(self, _: i128) -> Result<(), Failed> {
        self.reject(EncodeError::Integer128)
    }

    fn serialize_u128(self, _: u128) -> Result<(), Failed> {
        self.reject(EncodeError::Integer128)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Failed> {
        self.float(value, value.is_finite());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Failed> {
        self.float(value, value.is_finite());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Failed> {
        self.string(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Failed> {
        if self.raw {
            self.bytes(value.as_bytes());
            if value == Raw::EMPTY_OBJECT.as_str() {
                self.last = Last::Empty;
            }
        } else {
            self.string(value);
        }
        Ok(())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Failed> {
        self.reject(EncodeError::Bytes)
    }

    fn serialize_none(self) -> Result<(), Failed> {
        self.bytes(b"null");
        self.last = Last::None;
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failed> {
        value.serialize(self)
    }

    // `()` is the structure without fields, as in `[string]()`.
    fn serialize_unit(self) -> Result<(), Failed> {
        self.bytes(b"{}");
        self.last = Last::Empty;
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Failed> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Failed> {
        if self.member.is_none() {
            self.string(variant);
        } else {
            let mark = self.member_name(variant);
            self.undo(mark);
        }
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        self.raw = name == Raw::NAME;
        let result = value.serialize(&mut *self);
        self.raw = false;
        result
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        let mark = self.member_name(variant);
        let begin = self.length;
        self.value(value);
        self.check_object(mark, begin);
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Failed> {
        Ok(Compound::open(self, b'[', b']'))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Failed> {
        Ok(Compound::open(self, b'[', b']'))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Failed> {
        Ok(Compound::open(self, b'[', b']'))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Failed> {
        self.reject(EncodeError::VariantWithContent)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Failed> {
        Ok(Compound::open(self, b'{', b'}'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Failed> {
        Ok(Compound::open(self, b'{', b'}'))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Failed> {
        let mark = self.member_name(variant);
        Ok(Compound {
            mark,
            ..Compound::open(self, b'{', b'}')
        })
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Failed> {
        self.byte(b'"');
        let formatted = write!(Escaping(self), "{value}");
        self.byte(b'"');
        formatted.map_err(|_| Failed)
    }
}

/// A [`fmt::Write`] that escapes the text, for the inside of a string.
struct Escaping<'a, 'b>(&'a mut Writer<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.escaped(text);
        Ok(())
    }
}

/// An array or an object that is being written.
pub(crate) struct Compound<'a, 'b> {
    writer: &'a mut Writer<'b>,
    /// The position to go back to if the array or object is left out.
    mark: Mark,
    first: bool,
    close: u8,
}

impl<'a, 'b> Compound<'a, 'b> {
    /// Writes the opening bracket.
    fn open(writer: &'a mut Writer<'b>, open: u8, close: u8) -> Self {
        let mark = writer.mark();
        writer.byte(open);
        Compound {
            writer,
            mark,
            first: true,
            close,
        }
    }

    /// Writes a comma, except before the first element.
    fn comma(&mut self) {
        if !mem::take(&mut self.first) {
            self.writer.byte(b',');
        }
    }

    /// Writes an element of a list, or a value of a map. Fails if the writer has failed, so that an
    /// endless list ends when the buffer is full.
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.writer.value(value);
        match self.writer.failed {
            None => Ok(()),
            Some(_) => Err(Failed),
        }
    }

    /// Writes a field of a structure. If its value is `None`, undoes it, even if there was no room
    /// for it.
    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) {
        let (first, mark) = (self.first, self.writer.mark());
        self.key(key);
        if self.writer.value(value) && self.writer.last == Last::None {
            self.writer.undo(mark);
            self.first = first;
        }
    }

    /// Writes the comma, if one is needed, and the key and colon of a field.
    fn key(&mut self, key: &str) {
        if mem::take(&mut self.first) {
            self.writer.byte(b'"');
        } else {
            self.writer.piece(*b",\"");
        }
        self.writer.escaped(key);
        self.writer.piece(*b"\":");
    }

    /// Writes the closing bracket.
    fn close(self) {
        self.writer.byte(self.close);
        if self.first && self.close == b'}' {
            self.writer.last = Last::Empty;
        }
    }
}

macro_rules! lists {
    ($($trait:ident($method:ident))*) => {
        $(impl $trait for Compound<'_, '_> {
            type Ok = ();
            type Error = Failed;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
                self.comma();
                self.element(value)
            }

            fn end(self) -> Result<(), Failed> {
                self.close();
                Ok(())
            }
        })*
    };
}

lists! {
    SerializeSeq(serialize_element)
    SerializeTuple(serialize_element)
    SerializeTupleStruct(serialize_field)
}

impl SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failed> {
        self.comma();
        let begin = self.writer.length;
        self.writer.value(key);
        if !self.writer.since(begin).starts_with(b"\"") {
            return self.writer.reject(EncodeError::KeyNotAString);
        }
        self.writer.byte(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.element(value)
    }

    fn end(self) -> Result<(), Failed> {
        self.close();
        Ok(())
    }
}

impl SerializeStruct for Compound<'_, '_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        self.field(key, value);
        Ok(())
    }

    fn end(self) -> Result<(), Failed> {
        self.close();
        Ok(())
    }
}

impl SerializeStructVariant for Compound<'_, '_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        self.field(key, value);
        Ok(())
    }

    fn end(self) -> Result<(), Failed> {
        if self.first {
            // No field was written, so the content is left out.
            self.writer.undo(self.mark);
        } else {
            self.close();
        }
        Ok(())
    }
}
