//! The reader: serde over a scanned message, decoding strings in their own place.
//!
//! It takes its text as `&'de mut [u8]`, from front to back, and splits off what it has read; so
//! every string can be unescaped where it stands and be borrowed for `'de`. What it reads has been
//! [scanned](super::scan::scan): malformed text is an error here too, but not one that says more
//! than that.

use core::mem;
use core::str;

use serde::Deserialize;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::number::Integer;
use super::raw::Raw;
use super::scan::{Scanner, scan};
use super::text;
use crate::bytes::count_plain;
use crate::error::{DecodeError, Field, Mismatch};

/// Reads a JSON text as a `T`.
///
/// The text is decoded in place and can't be read a second time: what `T` borrows lies in it.
///
/// # Errors
///
/// If the text is not JSON, or not a `T`.
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

/// Why reading stops. Where it has stopped is for the reader to say, so that this fits into two
/// registers: it is returned from every other function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// This field is missing.
    Missing(&'static str),
    /// Anything else.
    Because(Mismatch),
}

/// A position in a scanned text, and the steps forward from it.
#[derive(Debug)]
pub(crate) struct Reader<'de> {
    rest: &'de mut [u8],
    /// Where `rest` begins in the message.
    offset: usize,
    /// Where the last value begins that was looked at.
    value: usize,
    /// The top-level field that the position is in.
    field: Option<Key<'de>>,
    /// The text is a call's: `org.varlink.service.InvalidParameter` can name its fields.
    in_call: bool,
}

/// The key of a member, and where it stands in the message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'de> {
    pub name: &'de str,
    offset: usize,
}

impl<'de> Reader<'de> {
    /// Over a text that begins at `offset` of its message, in `field`. An empty text stands for
    /// an empty object: the parameters of a message that has none.
    pub fn new(text: &'de mut [u8], offset: usize, field: Option<Key<'de>>) -> Self {
        Reader {
            rest: text,
            offset,
            value: offset,
            field,
            in_call: false,
        }
    }

    /// The text is a call's.
    pub fn of_call(self) -> Self {
        Reader {
            in_call: true,
            ..self
        }
    }

    /// One value, which is all of the text.
    pub fn read<T: Deserialize<'de>>(&mut self) -> Result<T, DecodeError> {
        let value = T::deserialize(&mut *self).map_err(|stop| self.error(stop))?;
        self.end().map_err(|stop| self.error(stop))?;
        Ok(value)
    }

    /// Nothing but white space is left. (A type that stops in the middle has not read its value.)
    pub fn end(&mut self) -> Result<(), Stop> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(SYNTAX),
        }
    }

    /// Why, and where, reading has stopped.
    pub fn error(&self, stop: Stop) -> DecodeError {
        let (mismatch, missing) = match stop {
            Stop::Missing(name) => (Mismatch::Missing, Some(Field::Named(name))),
            Stop::Because(mismatch) => (mismatch, None),
        };
        let place = self.field.map(|key| Field::At {
            offset: key.offset,
            length: key.name.len(),
        });
        DecodeError {
            mismatch,
            // A field that is missing within another counts as that one.
            field: place.or(missing),
            offset: self.value,
            in_call: self.in_call,
        }
    }

    /// The name of the field in which reading has stopped.
    pub fn field(&self, error: &DecodeError) -> Option<&'de str> {
        match error.field? {
            Field::Named(name) => Some(name),
            Field::At { .. } => self.field.map(|key| key.name),
        }
    }

    pub fn text(&self) -> &[u8] {
        self.rest
    }

    pub fn offset(&self) -> usize {
        self.offset
    }

    pub fn into_text(self) -> &'de [u8] {
        self.rest
    }

    /// The next value as a text of its own, for later, in `field` unless this is in one already.
    pub fn split(&mut self, field: Option<Key<'de>>) -> Option<Reader<'de>> {
        self.peek();
        let (offset, field) = (self.offset, self.field.or(field));
        let text = self.value().ok()?;
        let in_call = self.in_call;
        Some(Reader {
            in_call,
            ..Reader::new(text, offset, field)
        })
    }

    /// The first byte of the next value, and all white space before it gone.
    pub fn peek(&mut self) -> Option<u8> {
        while let [b' ' | b'\t' | b'\n' | b'\r', ..] = self.rest {
            self.take(1);
        }
        self.rest.first().copied()
    }

    pub fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.take(1);
        }
        found
    }

    /// The first byte of a value that is read now.
    fn begin(&mut self) -> Option<u8> {
        let first = self.peek();
        self.value = self.offset;
        first
    }

    /// The text of the next value.
    pub fn value(&mut self) -> Result<&'de mut [u8], Stop> {
        self.begin();
        match Scanner::new(self.rest).value(0) {
            Ok((_, range)) => Ok(self.take(range.end)),
            Err(_) => Err(SYNTAX),
        }
    }

    pub fn string(&mut self) -> Result<&'de str, Stop> {
        if self.begin() != Some(b'"') {
            return Err(TYPE);
        }
        self.take(1);
        let mut rest = &*self.rest;
        let mut escaped = false;
        loop {
            match rest.get(count_plain(rest)..) {
                Some([b'"', behind @ ..]) => {
                    rest = behind;
                    break;
                }
                Some([b'\\', _, behind @ ..]) => {
                    escaped = true;
                    rest = behind;
                }
                _ => return Err(SYNTAX),
            }
        }
        let quote = rest.len().saturating_add(1);
        let text = self.take(self.rest.len().saturating_sub(quote));
        self.take(1);
        let text = match escaped {
            true => text::unescape(text).map_err(|_| SYNTAX)?,
            false => text,
        };
        str::from_utf8(text).map_err(|_| SYNTAX)
    }

    /// The text of a number.
    fn number(&mut self) -> Result<&'de [u8], Stop> {
        if !matches!(self.begin(), Some(b'-' | b'0'..=b'9')) {
            return Err(TYPE);
        }
        let length = self
            .rest
            .iter()
            .take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
            .count();
        Ok(self.take(length))
    }

    fn literal(&mut self, literal: &[u8]) -> bool {
        self.begin();
        let found = self.rest.starts_with(literal);
        if found {
            self.take(literal.len());
        }
        found
    }

    fn integer<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Stop> {
        match Integer::parse(self.number()?) {
            Some(Integer::Positive(value)) => visitor.visit_u64(value),
            Some(Integer::Negative(value)) => visitor.visit_i64(value),
            None => Err(RANGE),
        }
    }

    /// `{`; or nothing at all, which stands for an empty object.
    pub fn open_object(&mut self) -> Result<(), Stop> {
        if self.begin().is_none() || self.eat(b'{') {
            Ok(())
        } else {
            Err(TYPE)
        }
    }

    pub fn open_array(&mut self) -> Result<(), Stop> {
        self.begin();
        if self.eat(b'[') { Ok(()) } else { Err(TYPE) }
    }

    /// The key of the next member, with the reader at its value; None at the end of the object.
    pub fn key(&mut self, first: bool) -> Result<Option<Key<'de>>, Stop> {
        if self.peek().is_none() || self.eat(b'}') {
            return Ok(None);
        }
        if !first && !self.eat(b',') {
            return Err(SYNTAX);
        }
        self.peek();
        // The text of the key, whatever was escaped in it, begins behind its quote.
        let offset = self.offset.saturating_add(1);
        let name = self.string()?;
        if !self.eat(b':') {
            return Err(SYNTAX);
        }
        Ok(Some(Key { name, offset }))
    }

    /// Whether the array has another element, with the reader at it.
    pub fn element(&mut self, first: bool) -> Result<bool, Stop> {
        if self.eat(b']') {
            Ok(false)
        } else if first || self.eat(b',') {
            Ok(true)
        } else {
            Err(SYNTAX)
        }
    }

    fn take(&mut self, count: usize) -> &'de mut [u8] {
        let rest = mem::take(&mut self.rest);
        let count = count.min(rest.len());
        self.offset = self.offset.saturating_add(count);
        match rest.split_at_mut_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                taken
            }
            None => &mut [],
        }
    }
}

const TYPE: Stop = Stop::Because(Mismatch::Type);
const RANGE: Stop = Stop::Because(Mismatch::Range);
const LENGTH: Stop = Stop::Because(Mismatch::Length);
const SYNTAX: Stop = Stop::Because(Mismatch::Syntax);

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
                let digits = self
                    .rest
                    .iter()
                    .take_while(|byte| !b",]} \t\n\r".contains(byte));
                if digits
                    .clone()
                    .any(|byte| matches!(byte, b'.' | b'e' | b'E'))
                {
                    self.deserialize_f64(visitor)
                } else {
                    self.integer(visitor)
                }
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.literal(b"true") {
            visitor.visit_bool(true)
        } else if self.literal(b"false") {
            visitor.visit_bool(false)
        } else {
            Err(TYPE)
        }
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.integer(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.integer(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.integer(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.integer(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.integer(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.integer(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.integer(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.integer(visitor)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let text = self.number()?;
        match serde_json_core::from_slice::<f32>(text) {
            Ok((value, _)) if value.is_finite() => visitor.visit_f32(value),
            _ => Err(RANGE),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let text = self.number()?;
        match serde_json_core::from_slice::<f64>(text) {
            Ok((value, _)) if value.is_finite() => visitor.visit_f64(value),
            _ => Err(RANGE),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_borrowed_str(self.string()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.deserialize_str(visitor)
    }

    // Varlink has no type for bytes.
    fn deserialize_bytes<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(TYPE)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(TYPE)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.literal(b"null") {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    // The structure without fields, as in `[string]()`.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.begin() {
            Some(b'{') => self.value().map(drop)?,
            None => {}
            Some(_) => return Err(TYPE),
        }
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.deserialize_unit(visitor)
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
                let text = self.value()?;
                visitor.visit_borrowed_str(str::from_utf8(text).map_err(|_| SYNTAX)?)
            }
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.open_array()?;
        let mut elements = Elements {
            reader: self,
            first: true,
            ended: false,
        };
        let value = visitor.visit_seq(&mut elements)?;
        if elements.ended || self.eat(b']') {
            Ok(value)
        } else {
            Err(LENGTH)
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.open_object()?;
        let mut members = Members {
            // The outermost object's keys are the top-level fields.
            outermost: self.field.is_none(),
            reader: self,
            first: true,
            ended: false,
        };
        let value = visitor.visit_map(&mut members)?;
        if members.ended || self.eat(b'}') {
            Ok(value)
        } else {
            Err(LENGTH)
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.deserialize_map(visitor)
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

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.peek().is_some() {
            self.value()?;
        }
        visitor.visit_unit()
    }
}

struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
    first: bool,
    ended: bool,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Self::Error> {
        if self.ended || !self.reader.element(mem::take(&mut self.first))? {
            self.ended = true;
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

struct Members<'a, 'de> {
    reader: &'a mut Reader<'de>,
    outermost: bool,
    first: bool,
    ended: bool,
}

impl<'de> Members<'_, 'de> {
    #[inline(never)] // the same for every type
    fn key(&mut self) -> Result<Option<&'de str>, Stop> {
        if self.ended {
            return Ok(None);
        }
        let Some(key) = self.reader.key(mem::take(&mut self.first))? else {
            self.ended = true;
            return Ok(None);
        };
        if self.outermost {
            self.reader.field = Some(key);
        }
        Ok(Some(key.name))
    }
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
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
        // (If it is none, the reader stays in the field, to say so.)
        if self.outermost {
            self.reader.field = None;
        }
        Ok(value)
    }
}

/// The key of a member: a string, and nothing else.
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
        match name == Raw::NAME {
            true => Err(TYPE),
            false => visitor.visit_newtype_struct(self),
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

/// A method's call, or an error, as serde's externally tagged enum: the member's name is the
/// variant, the parameters are its content. Or, if the names of the variants have dots, the
/// interface's name is the variant, and its content is such an enum.
///
/// The parameters are not touched if the enum has no such variant: [`Mismatch::Member`].
pub(crate) struct Member<'a, 'de> {
    pub interface: &'de str,
    pub name: &'de str,
    pub parameters: &'a mut Reader<'de>,
}

impl<'de> Deserializer<'de> for Member<'_, 'de> {
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

    // Only an enum says which of an interface's members it means.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(TYPE)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

pub(crate) struct MemberAccess<'a, 'de> {
    member: Member<'a, 'de>,
    by_interface: bool,
}

impl<'de> EnumAccess<'de> for MemberAccess<'_, 'de> {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), Self::Error> {
        let name = match self.by_interface {
            true => self.member.interface,
            false => self.member.name,
        };
        match seed.deserialize(BorrowedStrDeserializer::<Stop>::new(name)) {
            Ok(variant) => Ok((variant, self)),
            Err(_) => Err(Stop::Because(Mismatch::Member)),
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
        match self.by_interface {
            true => seed.deserialize(self.member),
            false => seed.deserialize(self.member.parameters),
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
            Stop::Because(mismatch) => mismatch.fmt(f),
        }
    }
}

impl core::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: core::fmt::Display>(_: T) -> Self {
        Stop::Because(Mismatch::Custom)
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
        Stop::Because(Mismatch::Variant)
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Stop::Because(Mismatch::Unknown)
    }

    fn missing_field(name: &'static str) -> Self {
        Stop::Missing(name)
    }

    // The reader is still in that field.
    fn duplicate_field(_: &'static str) -> Self {
        Stop::Because(Mismatch::Duplicate)
    }
}
