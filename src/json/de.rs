//! Implements serde's `Deserializer` for the reader.

use core::mem;

use serde::Deserialize;
use serde::de::value::{BorrowedBytesDeserializer, BorrowedStrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::cursor::Cursor;
use super::raw::Raw;
use super::reader::{LENGTH, MemberName, Reader, SYNTAX, Stop, TYPE};
use crate::error::{DecodeError, Mismatch};

/// Reads a JSON text as a `T`.
///
/// The text is decoded in place, so that `T` can borrow from it. It cannot be read a second time.
///
/// # Errors
///
/// Fails at the first place where the text is not JSON, or not a `T`. A `T` that ignores such an
/// error of a part may accept a text that is not JSON; [`scan`](super::scan()) does not.
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
    match str::from_utf8(text) {
        Ok(_) => Reader::new(text, 0, None).read(),
        Err(error) => Err(DecodeError {
            mismatch: Mismatch::Syntax,
            field: None,
            offset: error.valid_up_to(),
            in_call: false,
        }),
    }
}

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
        match self.begin() {
            Some(b'{') | None => self.deserialize_map(visitor),
            Some(b'[') => self.deserialize_seq(visitor),
            Some(b'"') => self.deserialize_str(visitor),
            Some(b't' | b'f') => self.deserialize_bool(visitor),
            Some(b'n') => self.deserialize_option(visitor),
            Some(_) => {
                let number = Cursor::new(self.rest()).number().ok_or(TYPE)?;
                if number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
                    self.deserialize_f64(visitor)
                } else {
                    self.integer(visitor)
                }
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let value = match self.begin() {
            Some(b't') => true,
            Some(b'f') => false,
            _ => return Err(TYPE),
        };
        self.literal(if value { b"true" } else { b"false" })?;
        visitor.visit_bool(value)
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
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let value = self.number(|text| {
            let value: f32 = str::from_utf8(text).ok()?.parse().ok()?;
            value.is_finite().then_some(value)
        })?;
        visitor.visit_f32(value)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let value = self.float()?;
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
            self.literal(b"null")?;
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    // `()` is the structure without fields, as in `[string]()`.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.begin() {
            Some(b'{') => self.value().map(drop)?,
            None if self.is_absent() => {}
            _ => return Err(TYPE),
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
            None if self.is_absent() => visitor.visit_borrowed_str(Raw::EMPTY_OBJECT.as_str()),
            Some(b'n') => Err(TYPE),
            _ => {
                let (text, _) = self.value()?;
                visitor.visit_borrowed_str(str::from_utf8(text).map_err(|_| SYNTAX)?)
            }
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let mut items = ItemAccess::open(self, b'[', b']', &[])?;
        let value = visitor.visit_seq(&mut items)?;
        items.close().map(|()| value)
    }

    // The keys of a map stay strings: `serde(flatten)` passes them on to types that accept no bytes.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let mut items = ItemAccess::open(self, b'{', b'}', &[])?;
        let value = visitor.visit_map(&mut items)?;
        items.close().map(|()| value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let mut items = ItemAccess::open(self, b'{', b'}', fields)?;
        let value = visitor.visit_map(FieldAccess(&mut items))?;
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
        if !self.is_absent() {
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
    /// The fields of a structure after the last one that was found.
    fields: &'static [&'static str],
}

impl<'a, 'de> ItemAccess<'a, 'de> {
    fn open(
        reader: &'a mut Reader<'de>,
        open: u8,
        close: u8,
        fields: &'static [&'static str],
    ) -> Result<Self, Stop> {
        reader.open(open)?;
        Ok(ItemAccess {
            outermost: open == b'{' && reader.field.is_none(),
            reader,
            close,
            first: true,
            ended: false,
            fields,
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
        // Most fields are in the order of the structure, and most messages have no white space.
        if let [field, fields @ ..] = self.fields
            && !self.ended
            && let Some(key) = self.reader.key_if(self.first, field)
        {
            (self.first, self.fields) = (false, fields);
            return Ok(Some(self.enter(key)));
        }
        self.other_key()
    }

    /// Reads the next key, whichever it is.
    #[inline(never)] // most keys are in order
    fn other_key(&mut self) -> Result<Option<&'de str>, Stop> {
        if !self.more()? {
            return Ok(None);
        }
        let key = self.reader.key()?;
        // Fields before it may have been left out.
        let mut fields = self.fields.iter();
        if fields.any(|field| *field == key.name) {
            self.fields = fields.as_slice();
        }
        Ok(Some(self.enter(key)))
    }

    /// Records that the position is in a member; returns its name.
    fn enter(&mut self, key: MemberName<'de>) -> &'de str {
        if self.outermost {
            self.reader.field = Some(key);
        }
        key.name
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

/// The members of an object that is read as a structure.
struct FieldAccess<'f, 'a, 'de>(&'f mut ItemAccess<'a, 'de>);

impl<'de> MapAccess<'de> for FieldAccess<'_, '_, 'de> {
    type Error = Stop;

    // Code that serde derives selects a field by the bytes of its name one after the other, but
    // compares a string with the names of all fields. Other code may only accept strings.
    fn next_key<K: Deserialize<'de>>(&mut self) -> Result<Option<K>, Self::Error> {
        let Some(key) = self.0.key()? else {
            return Ok(None);
        };
        match K::deserialize(BorrowedBytesDeserializer::new(key.as_bytes())) {
            Err(TYPE) => K::deserialize(KeyReader(key)).map(Some),
            name => name.map(Some),
        }
    }

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Self::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.next_value_seed(seed)
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
    pub interface: &'de [u8],
    pub name: &'de [u8],
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
        let name = str::from_utf8(name).map_err(|_| SYNTAX)?;
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
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.member
            .parameters
            .deserialize_struct("", fields, visitor)
    }
}
