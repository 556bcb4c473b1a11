//! Implements serde's `Serializer` for the writer.
//!
//! A value is written whole or not at all: there is no output if it does not fit, or is not a
//! Varlink value.

use core::fmt::{self, Write as _};
use core::{mem, str};

use serde::ser::{
    Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct,
};
use serde::{Serialize, Serializer};

use super::raw::Raw;
use super::writer::{Failed, Mark, Writer, Written};
use crate::error::EncodeError;

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

macro_rules! signed {
    ($($method:ident($type:ty))*) => {
        $(fn $method(self, value: $type) -> Result<Written, Failed> {
            self.integer(value < 0, value.unsigned_abs().into());
            Ok(Written::Other)
        })*
    };
}

macro_rules! unsigned {
    ($($method:ident($type:ty))*) => {
        $(fn $method(self, value: $type) -> Result<Written, Failed> {
            self.integer(false, value.into());
            Ok(Written::Other)
        })*
    };
}

impl<'a, 'b> Serializer for &'a mut Writer<'b> {
    type Ok = Written;
    type Error = Failed;
    type SerializeSeq = Compound<'a, 'b>;
    type SerializeTuple = Compound<'a, 'b>;
    type SerializeTupleStruct = Compound<'a, 'b>;
    type SerializeTupleVariant = Impossible<Written, Failed>;
    type SerializeMap = Compound<'a, 'b>;
    type SerializeStruct = Compound<'a, 'b>;
    type SerializeStructVariant = Compound<'a, 'b>;

    fn serialize_bool(self, value: bool) -> Result<Written, Failed> {
        self.bytes(if value { b"true" } else { b"false" });
        Ok(Written::Other)
    }

    signed! { serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) }

    unsigned! { serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) }

    fn serialize_i128(self, _: i128) -> Result<Written, Failed> {
        self.reject(EncodeError::Integer128)
    }

    fn serialize_u128(self, _: u128) -> Result<Written, Failed> {
        self.reject(EncodeError::Integer128)
    }

    fn serialize_f32(self, value: f32) -> Result<Written, Failed> {
        self.float(value, value.is_finite());
        Ok(Written::Other)
    }

    fn serialize_f64(self, value: f64) -> Result<Written, Failed> {
        self.float(value, value.is_finite());
        Ok(Written::Other)
    }

    fn serialize_char(self, value: char) -> Result<Written, Failed> {
        self.string(value.encode_utf8(&mut [0; 4]));
        Ok(Written::Other)
    }

    fn serialize_str(self, value: &str) -> Result<Written, Failed> {
        if !self.raw {
            self.string(value);
            return Ok(Written::Other);
        }
        self.bytes(value.as_bytes());
        Ok(match value.trim_ascii().as_bytes() {
            b"{}" | b"null" => Written::Empty,
            [b'{', ..] => Written::Object,
            _ => Written::Other,
        })
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Written, Failed> {
        self.reject(EncodeError::Bytes)
    }

    fn serialize_none(self) -> Result<Written, Failed> {
        self.bytes(b"null");
        Ok(Written::None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Written, Failed> {
        value.serialize(self)
    }

    // `()` is the structure without fields, as in `[string]()`.
    fn serialize_unit(self) -> Result<Written, Failed> {
        self.bytes(b"{}");
        Ok(Written::Empty)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Written, Failed> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Written, Failed> {
        if self.member.is_none() {
            self.string(variant);
        } else {
            let mark = self.member_name(variant);
            self.undo(mark);
        }
        Ok(Written::Other)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Written, Failed> {
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
    ) -> Result<Written, Failed> {
        let mark = self.member_name(variant);
        let written = self.value(value);
        self.check_object(mark, written);
        Ok(Written::Other)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Failed> {
        Ok(Compound::open(self, b'['))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Failed> {
        Ok(Compound::open(self, b'['))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Failed> {
        Ok(Compound::open(self, b'['))
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
        Ok(Compound::open(self, b'{'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Failed> {
        Ok(Compound::open(self, b'{'))
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
            ..Compound::open(self, b'{')
        })
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<Written, Failed> {
        self.byte(b'"');
        let formatted = write!(Escaping(self), "{value}");
        self.byte(b'"');
        formatted.map(|()| Written::Other).map_err(|_| Failed)
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
    open: u8,
    first: bool,
}

impl<'a, 'b> Compound<'a, 'b> {
    /// Begins an array or an object. Its bracket is written before the first element.
    fn open(writer: &'a mut Writer<'b>, open: u8) -> Self {
        let mark = writer.mark();
        Compound {
            writer,
            mark,
            open,
            first: true,
        }
    }

    /// Returns the byte before the next element.
    fn separator(&mut self) -> u8 {
        if mem::take(&mut self.first) {
            self.open
        } else {
            b','
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
        let separator = self.separator();
        self.writer.piece([separator, b'"']);
        self.writer.escaped(key);
        self.writer.piece(*b"\":");
        if self.writer.value(value) == Written::None {
            self.writer.undo(mark);
            self.first = first;
        }
    }

    /// Writes the closing bracket, which is two after the opening bracket in ASCII.
    fn close(self) -> Written {
        let close = self.open.wrapping_add(2);
        if self.first {
            self.writer.piece([self.open, close]);
        } else {
            self.writer.byte(close);
        }
        match (self.open, self.first) {
            (b'{', true) => Written::Empty,
            (b'{', false) => Written::Object,
            _ => Written::Other,
        }
    }
}

macro_rules! lists {
    ($($trait:ident($method:ident))*) => {
        $(impl $trait for Compound<'_, '_> {
            type Ok = Written;
            type Error = Failed;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
                let separator = self.separator();
                self.writer.byte(separator);
                self.element(value)
            }

            fn end(self) -> Result<Written, Failed> {
                Ok(self.close())
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
    type Ok = Written;
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failed> {
        let separator = self.separator();
        self.writer.byte(separator);
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

    fn end(self) -> Result<Written, Failed> {
        Ok(self.close())
    }
}

impl SerializeStruct for Compound<'_, '_> {
    type Ok = Written;
    type Error = Failed;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        self.field(key, value);
        Ok(())
    }

    fn end(self) -> Result<Written, Failed> {
        Ok(self.close())
    }
}

impl SerializeStructVariant for Compound<'_, '_> {
    type Ok = Written;
    type Error = Failed;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        self.field(key, value);
        Ok(())
    }

    fn end(self) -> Result<Written, Failed> {
        if self.first {
            // No field was written, so the content is left out.
            self.writer.undo(self.mark);
            Ok(Written::Other)
        } else {
            Ok(self.close())
        }
    }
}
