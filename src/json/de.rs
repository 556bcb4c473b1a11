//! The reader: deserializes a scanned message with serde, and decodes strings in place.
//!
//! It holds the unread text as `&'de mut [u8]`, moves over it with a [`Cursor`], and splits off the
//! bytes that it has read. So it can unescape every string in place, and lend it for `'de`.
//! The text has been [scanned](super::cursor::scan). Malformed text is still an error here, but an
//! error without details.

use core::mem;
use core::str;

use serde::Deserialize;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::cursor::{Cursor, scan};
use super::number::Integer;
use super::raw::Raw;
use super::text;
use crate::bytes::count_plain;
use crate::error::{DecodeError, FieldName, Mismatch};

/// Reads a JSON text as a `T`.
///
/// The text is decoded in place, so that `T` can borrow from it. It cannot be read a second time.
///
/// # Errors
///
/// Fails if the text is not JSON, or not a `T`.
///
/// ```
/// let mut text = *br#"{"name":"G\u00f6del \"the\" logician","born":1906}"#;
///
/// #[derive(serde::Deserialize)]
/// struct Person<'a> { name: &'a str, born: u16 }
/// let person: Person = nullink::json::decode(&mut text)?;
/// assert_eq!((person.name, person.born), ("Gödel \"the\" logician", 1906));
/// # Ok::<(), nullink::DecodeError>(())
/// ```
pub fn decode<'de, T: Deserialize<'de>>(text: &'de mut [u8]) -> Result<T, DecodeError> {
    match scan(text) {
        Ok(()) => Reader::new(text, 0, None).read(),
        Err(error) => Err(DecodeError {
            mismatch: Mismatch::Syntax,
            field: None,
            offset: error.offset,
            in_call: false,
        }),
    }
}

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

/// A position in a scanned text.
#[derive(Debug)]
pub(crate) struct Reader<'de> {
    /// The unread text.
    rest: &'de mut [u8],
    /// The position: the offset of `rest` in the message.
    offset: usize,
    /// The offset in the message of the last value that was looked at.
    value_start: usize,
    /// The top-level field that contains the position.
    field: Option<MemberName<'de>>,
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
    /// `field`. An empty text is read as an empty object: a message may have no parameters.
    pub fn new(text: &'de mut [u8], start: usize, field: Option<MemberName<'de>>) -> Self {
        Reader {
            rest: text,
            offset: start,
            value_start: start,
            field,
            in_call: false,
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
        let value = T::deserialize(&mut *self).map_err(|stop| self.error(stop))?;
        self.end().map_err(|stop| self.error(stop))?;
        Ok(value)
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

    /// Returns the name of the field in `error`, which must be the last error of this reader.
    pub fn field(&self, error: &DecodeError) -> Option<&'de str> {
        match error.field? {
            FieldName::Named(name) => Some(name),
            FieldName::At { .. } => self.field.map(|key| key.name),
        }
    }

    /// Returns the unread text.
    pub fn rest(&self) -> &[u8] {
        self.rest
    }

    /// Like `rest`, but mutable.
    pub fn into_rest(self) -> &'de mut [u8] {
        self.rest
    }

    /// Returns the position: an offset in the message.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Moves forward by a step of a [`Cursor`]; returns the result of the step.
    fn step<T>(&mut self, step: impl FnOnce(&mut Cursor<'_>) -> T) -> T {
        let mut cursor = Cursor::new(self.rest);
        let result = step(&mut cursor);
        let count = cursor.offset();
        self.split_off(count);
        result
    }

    /// Splits off `count` bytes and returns them. The position is after them.
    fn split_off(&mut self, count: usize) -> &'de mut [u8] {
        let Some((bytes, rest)) = mem::take(&mut self.rest).split_at_mut_checked(count) else {
            return &mut [];
        };
        self.rest = rest;
        self.offset = self.offset.wrapping_add(count);
        bytes
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
        match self.rest.first() {
            Some(first) if *first > b' ' => Some(*first),
            _ => self.step(|cursor| cursor.peek()),
        }
    }

    /// Records the start of a value that is read now; returns its first byte.
    fn begin(&mut self) -> Option<u8> {
        let first = self.peek();
        self.value_start = self.offset();
        first
    }

    /// Skips the next value; returns its text, and its offset in the message.
    fn value(&mut self) -> Result<(&'de mut [u8], usize), Stop> {
        self.begin();
        let length = Cursor::new(self.rest).value(0).map(<[u8]>::len);
        Ok((self.split_off(length.ok_or(SYNTAX)?), self.value_start))
    }

    /// Reads a string, and unescapes it in place.
    fn string(&mut self) -> Result<&'de str, Stop> {
        if self.begin() != Some(b'"') {
            return Err(TYPE);
        }
        self.split_off(1);
        let plain = count_plain(self.rest);
        let (length, read) = match self.rest.get(plain) {
            Some(b'"') => (plain, plain),
            _ => text::unescape_to_quote(self.rest, plain).map_err(|_| SYNTAX)?,
        };
        let text = self.split_off(length);
        // Skip the closing quote, and the bytes before it that unescaping has left over.
        self.split_off(read.wrapping_sub(length).wrapping_add(1));
        str::from_utf8(text).map_err(|_| SYNTAX)
    }

    /// Reads a number; returns the result of `parse` for its text.
    fn number<T>(&mut self, parse: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, Stop> {
        if !matches!(self.begin(), Some(b'-' | b'0'..=b'9')) {
            return Err(TYPE);
        }
        let number = self.step(|cursor| cursor.number().map(parse));
        number.ok_or(SYNTAX)?.ok_or(RANGE)
    }

    /// Reads an integer into a visitor.
    fn integer<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Stop> {
        if !matches!(self.begin(), Some(b'-' | b'0'..=b'9')) {
            return Err(TYPE);
        }
        let (integer, length) = Integer::parse(self.rest);
        self.split_off(length);
        match integer {
            _ if Cursor::new(self.rest).at_fraction() => Err(RANGE),
            Some(Integer::Positive(value)) => visitor.visit_u64(value),
            Some(Integer::Negative(value)) => visitor.visit_i64(value),
            None => Err(RANGE),
        }
    }

    /// Skips the opening bracket of an array or an object. An empty text is an empty object.
    pub fn open(&mut self, bracket: u8) -> Result<(), Stop> {
        match self.begin() {
            Some(first) if first == bracket => {
                self.split_off(1);
                Ok(())
            }
            None if bracket == b'{' => Ok(()),
            _ => Err(TYPE),
        }
    }

    /// Moves to the next element or member of an array or object. Returns false at its end, which
    /// is the byte `close`. `first` must be true for the first one.
    pub fn more(&mut self, close: u8, first: bool) -> Result<bool, Stop> {
        let (byte, more) = match self.peek() {
            None => return Ok(false),
            Some(byte) if byte == close => (byte, false),
            Some(_) if first => return Ok(true),
            Some(byte) => (byte, true),
        };
        if more && byte != b',' {
            return Err(SYNTAX);
        }
        self.split_off(1);
        Ok(more)
    }

    /// Reads a key and its colon.
    pub fn key(&mut self) -> Result<MemberName<'de>, Stop> {
        // The decoded key begins after the opening quote, like the escaped key.
        let offset = self.offset().wrapping_add(1);
        let name = self.string()?;
        if self.peek() != Some(b':') {
            return Err(SYNTAX);
        }
        self.split_off(1);
        Ok(MemberName { name, offset })
    }
}

const TYPE: Stop = Stop::Mismatch(Mismatch::Type);
const RANGE: Stop = Stop::Mismatch(Mismatch::Range);
const LENGTH: Stop = Stop::Mismatch(Mismatch::Length);
const SYNTAX: Stop = Stop::Mismatch(Mismatch::Syntax);

/// Implements methods by forwarding to other methods.
macro_rules! forward {
    ($($method:ident($($argument:ty),*) to $other:ident,)*) => {
        $(fn $method<V: Visitor<'de>>(
            self,
            $(_: $argument,)*
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            self.$other(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.peek() {
            Some(b'{') | None => self.deserialize_map(visitor),
            Some(b'[') => self.deserialize_seq(visitor),
            Some(b'"') => self.deserialize_str(visitor),
            Some(b't' | b'f') => self.deserialize_bool(visitor),
            Some(b'n') => self.deserialize_option(visitor),
            Some(_) => {
                let number = Cursor::new(self.rest).number().ok_or(SYNTAX)?;
                if number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
                    self.deserialize_f64(visitor)
                } else {
                    self.integer(visitor)
                }
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let value = self.begin() == Some(b't');
        let literal: &[u8] = if value { b"true" } else { b"false" };
        match self.step(|cursor| cursor.literal(literal)) {
            Some(()) => visitor.visit_bool(value),
            None => Err(TYPE),
        }
    }

    forward! {
        deserialize_i8() to integer,
        deserialize_i16() to integer,
        deserialize_i32() to integer,
        deserialize_i64() to integer,
        deserialize_u8() to integer,
        deserialize_u16() to integer,
        deserialize_u32() to integer,
        deserialize_u64() to integer,
        deserialize_char() to deserialize_str,
        deserialize_string() to deserialize_str,
        deserialize_identifier() to deserialize_str,
        deserialize_byte_buf() to deserialize_bytes,
        deserialize_unit_struct(&'static str) to deserialize_unit,
        deserialize_tuple(usize) to deserialize_seq,
        deserialize_tuple_struct(&'static str, usize) to deserialize_seq,
        deserialize_struct(&'static str, &'static [&'static str]) to deserialize_map,
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let (value, _) = self.number(|text| {
            let value = serde_json_core::from_slice::<f32>(text).ok();
            value.filter(|(value, _)| value.is_finite())
        })?;
        visitor.visit_f32(value)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let (value, _) = self.number(|text| {
            let value = serde_json_core::from_slice::<f64>(text).ok();
            value.filter(|(value, _)| value.is_finite())
        })?;
        visitor.visit_f64(value)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_borrowed_str(self.string()?)
    }

    // Varlink has no type for bytes.
    fn deserialize_bytes<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(TYPE)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.begin() == Some(b'n') {
            self.step(|cursor| cursor.literal(b"null")).ok_or(SYNTAX)?;
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    // `()` is the structure without fields, as in `[string]()`.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.begin() {
            Some(b'{') => self.value().map(drop)?,
            None => {}
            Some(_) => return Err(TYPE),
        }
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        if name != Raw::NAME {
            return visitor.visit_newtype_struct(self);
        }
        match self.begin() {
            None => visitor.visit_borrowed_str(Raw::EMPTY_OBJECT.as_str()),
            Some(b'n') => Err(TYPE),
            Some(_) => {
                let (text, _) = self.value()?;
                visitor.visit_borrowed_str(str::from_utf8(text).map_err(|_| SYNTAX)?)
            }
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let mut items = ItemAccess::open(self, b'[', b']')?;
        let value = visitor.visit_seq(&mut items)?;
        items.close().map(|()| value)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let mut items = ItemAccess::open(self, b'{', b'}')?;
        let value = visitor.visit_map(&mut items)?;
        items.close().map(|()| value)
    }

    // An enumeration's value is a string. Varlink has no type for variants with content.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.string()?))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.peek().is_some() {
            self.value()?;
        }
        visitor.visit_unit()
    }
}

/// An array or an object that is being read.
struct ItemAccess<'a, 'de> {
    reader: &'a mut Reader<'de>,
    close: u8,
    /// True if no element or member has been read.
    first: bool,
    /// True if the closing bracket has been read.
    ended: bool,
    /// True if this is the outermost object, whose keys are the top-level fields.
    outermost: bool,
}

impl<'a, 'de> ItemAccess<'a, 'de> {
    fn open(reader: &'a mut Reader<'de>, open: u8, close: u8) -> Result<Self, Stop> {
        reader.open(open)?;
        Ok(ItemAccess {
            outermost: open == b'{' && reader.field.is_none(),
            reader,
            close,
            first: true,
            ended: false,
        })
    }

    /// Moves to the next element or member. Returns false at the end.
    fn more(&mut self) -> Result<bool, Stop> {
        if !self.ended {
            let first = mem::take(&mut self.first);
            self.ended = !self.reader.more(self.close, first)?;
        }
        Ok(!self.ended)
    }

    /// Reads the next key. Returns None at the end.
    #[inline(never)] // one copy for all types
    fn key(&mut self) -> Result<Option<&'de str>, Stop> {
        if !self.more()? {
            return Ok(None);
        }
        let key = self.reader.key()?;
        if self.outermost {
            self.reader.field = Some(key);
        }
        Ok(Some(key.name))
    }

    /// Fails if elements or members are left.
    fn close(mut self) -> Result<(), Stop> {
        match self.more() {
            Ok(false) => Ok(()),
            _ => Err(LENGTH),
        }
    }
}

impl<'de> SeqAccess<'de> for ItemAccess<'_, 'de> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Self::Error> {
        if !self.more()? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for ItemAccess<'_, 'de> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Self::Error> {
        match self.key()? {
            Some(key) => seed.deserialize(KeyReader(key)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Self::Error> {
        let value = seed.deserialize(&mut *self.reader)?;
        // After an error, the reader stays in the field, so that the error names it.
        if self.outermost {
            self.reader.field = None;
        }
        Ok(value)
    }
}

/// A deserializer for the key of a member, which is always a string.
struct KeyReader<'de>(&'de str);

impl<'de> Deserializer<'de> for KeyReader<'de> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        if name == Raw::NAME {
            Err(TYPE)
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.0))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// A deserializer that presents a method call or an error as serde's externally tagged enum.
///
/// The variant is the name of the member, and its content is the parameters. If the names of the
/// variants contain dots, the variant is the name of the interface instead, and its content is the
/// enum of the members.
///
/// If the enum has no such variant, the result is [`Mismatch::Member`], and the parameters are not
/// touched.
pub(crate) struct MemberDeserializer<'a, 'de> {
    pub interface: &'de str,
    pub name: &'de str,
    pub parameters: &'a mut Reader<'de>,
}

impl<'de> Deserializer<'de> for MemberDeserializer<'_, 'de> {
    type Error = Stop;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let by_interface = variants
            .iter()
            .any(|name| name.bytes().any(|byte| byte == b'.'));
        visitor.visit_enum(MemberAccess {
            member: self,
            by_interface,
        })
    }

    // Only an enum can tell the members of an interface apart.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(TYPE)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The variant that a [`MemberDeserializer`] selects, and its content.
pub(crate) struct MemberAccess<'a, 'de> {
    member: MemberDeserializer<'a, 'de>,
    by_interface: bool,
}

impl<'de> EnumAccess<'de> for MemberAccess<'_, 'de> {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), Self::Error> {
        let name = if self.by_interface {
            self.member.interface
        } else {
            self.member.name
        };
        match seed.deserialize(BorrowedStrDeserializer::<Stop>::new(name)) {
            Ok(variant) => Ok((variant, self)),
            Err(_) => Err(Stop::Mismatch(Mismatch::Member)),
        }
    }
}

impl<'de> VariantAccess<'de> for MemberAccess<'_, 'de> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Self::Error> {
        <()>::deserialize(self.member.parameters)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, Self::Error> {
        if self.by_interface {
            seed.deserialize(self.member)
        } else {
            seed.deserialize(self.member.parameters)
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Self::Error> {
        Err(TYPE)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.member.parameters.deserialize_map(visitor)
    }
}

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
