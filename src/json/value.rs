//! Values that are read piece by piece: lists and maps of unknown length need no table.

use core::marker::PhantomData;
use core::mem;
use core::str;

use serde::{Deserialize, Deserializer};

use super::de::{Reader, Stop};
use super::raw::Raw;
use crate::error::DecodeError;

/// A value of a received message that has not been read yet.
///
/// It is read once, because strings are decoded in their own place: every step consumes it.
///
/// ```
/// use nullink::json::Value;
///
/// #[derive(serde::Deserialize, Debug, PartialEq)]
/// struct Account<'a> { name: &'a str, uid: u32 }
///
/// let mut text = *br#"{"accounts": [{"name": "root", "uid": 0}, {"name": "bin", "uid": 1}]}"#;
/// let value = Value::scan(&mut text)?;
/// let mut accounts = value.items::<Account>("accounts")?;
/// assert_eq!(accounts.next(), Some(Ok(Account { name: "root", uid: 0 })));
/// assert_eq!(accounts.next(), Some(Ok(Account { name: "bin", uid: 1 })));
/// assert_eq!(accounts.next(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Value<'de> {
    reader: Reader<'de>,
}

impl<'de> Value<'de> {
    /// Takes a text that holds one JSON value.
    ///
    /// # Errors
    ///
    /// It does not.
    pub fn scan(text: &'de mut [u8]) -> Result<Self, crate::SyntaxError> {
        super::scan(text)?;
        Ok(Value::scanned(text, 0))
    }

    /// Takes a text that was scanned, at `offset` of its message.
    pub(crate) fn scanned(text: &'de mut [u8], offset: usize) -> Self {
        Value {
            reader: Reader::new(text, offset, None),
        }
    }

    /// The text is a call's.
    pub(crate) fn of_call(self) -> Self {
        Value {
            reader: self.reader.of_call(),
        }
    }

    /// The text, and where it begins in its message.
    pub(crate) fn text(&self) -> (&[u8], usize) {
        (self.reader.text(), self.reader.offset())
    }

    pub(crate) fn reader(&mut self) -> &mut Reader<'de> {
        &mut self.reader
    }

    pub(crate) fn from_reader(reader: Reader<'de>) -> Self {
        Value { reader }
    }

    /// Reads the value as a `T`.
    ///
    /// # Errors
    ///
    /// If it is not a `T`.
    pub fn decode<T: Deserialize<'de>>(mut self) -> Result<T, DecodeError> {
        self.reader.read()
    }

    /// The value's text, without reading it.
    ///
    /// ```
    /// let mut text = *br#" {"a" : 1} "#;
    /// let value = nullink::json::Value::scan(&mut text)?;
    /// assert_eq!(value.raw().as_str(), r#"{"a" : 1}"#);
    /// # Ok::<(), nullink::SyntaxError>(())
    /// ```
    pub fn raw(&self) -> Raw<'_> {
        raw(self.reader.text())
    }

    /// The same, for as long as the message lives.
    pub fn into_raw(self) -> Raw<'de> {
        raw(self.reader.into_text())
    }

    /// The elements of a list, one after another.
    ///
    /// # Errors
    ///
    /// If the value is not a list.
    pub fn elements(mut self) -> Result<Elements<'de>, DecodeError> {
        match self.reader.open_array() {
            Ok(()) => Ok(Elements {
                reader: self.reader,
                first: true,
            }),
            Err(stop) => Err(self.reader.error(stop)),
        }
    }

    /// The members of an object, one after another: those of a map, or the fields of a structure.
    ///
    /// # Errors
    ///
    /// If the value is not an object.
    ///
    /// ```
    /// let mut text = *br#"{"one": 1, "two": 2}"#;
    /// let mut sum = 0;
    /// for (_, value) in nullink::json::Value::scan(&mut text)?.members()? {
    ///     sum += value.decode::<i64>()?;
    /// }
    /// assert_eq!(sum, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn members(mut self) -> Result<Members<'de>, DecodeError> {
        match self.reader.open_object() {
            Ok(()) => Ok(Members {
                reader: self.reader,
                first: true,
            }),
            Err(stop) => Err(self.reader.error(stop)),
        }
    }

    /// The elements of the list that is the object's member `name`, each read as a `T`.
    ///
    /// # Errors
    ///
    /// If the value is not an object, has no such member, or the member is not a list.
    pub fn items<T: Deserialize<'de>>(
        self,
        name: &'static str,
    ) -> Result<Items<'de, T>, DecodeError> {
        let mut members = self.members()?;
        match members.find(|(key, _)| *key == name) {
            Some((_, list)) => Ok(Items {
                elements: list.elements()?,
                of: PhantomData,
            }),
            None => Err(members.reader.error(Stop::Missing(name))),
        }
    }
}

impl core::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.raw().fmt(f)
    }
}

fn raw(text: &[u8]) -> Raw<'_> {
    match str::from_utf8(text.trim_ascii()) {
        Ok(text) if !text.is_empty() => Raw::scanned(text),
        // Parameters that are absent. (Text that is not UTF-8 has not passed the scan.)
        _ => Raw::EMPTY_OBJECT,
    }
}

/// The elements of a list: see [`Value::elements`].
#[derive(Debug)]
pub struct Elements<'de> {
    reader: Reader<'de>,
    first: bool,
}

impl<'de> Iterator for Elements<'de> {
    type Item = Value<'de>;

    fn next(&mut self) -> Option<Value<'de>> {
        // A scanned list has no errors; one that had would end here.
        if self.reader.element(mem::take(&mut self.first)) != Ok(true) {
            return None;
        }
        self.reader.split(None).map(Value::from_reader)
    }
}

/// The members of an object: see [`Value::members`].
#[derive(Debug)]
pub struct Members<'de> {
    reader: Reader<'de>,
    first: bool,
}

impl<'de> Iterator for Members<'de> {
    type Item = (&'de str, Value<'de>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.reader.key(mem::take(&mut self.first)).ok()??;
        let value = self.reader.split(Some(key))?;
        Some((key.name, Value::from_reader(value)))
    }
}

/// The elements of a list, each read as a `T`: see [`Value::items`].
#[derive(Debug)]
pub struct Items<'de, T> {
    elements: Elements<'de>,
    of: PhantomData<fn() -> T>,
}

impl<'de, T: Deserialize<'de>> Iterator for Items<'de, T> {
    type Item = Result<T, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.elements.next().map(Value::decode)
    }
}

/// What parameters can be read as: any type that serde can deserialize, or a [`Value`], to be
/// read piece by piece. There is nothing else to implement it for.
pub trait Decode<'de>: Sized {
    /// Reads the value, and leaves nothing of it.
    ///
    /// # Errors
    ///
    /// If it is not a value of this type.
    fn decode(value: &mut Value<'de>) -> Result<Self, DecodeError>;

    /// Reads a value from somewhere else, and forgets it: [`contract()`](crate::contract()) has
    /// types tell so what they are.
    #[doc(hidden)]
    fn try_with<D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error>;
}

impl<'de, T: Deserialize<'de>> Decode<'de> for T {
    fn decode(value: &mut Value<'de>) -> Result<Self, DecodeError> {
        value.reader.read()
    }

    fn try_with<D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        T::deserialize(deserializer).map(drop)
    }
}

impl<'de> Decode<'de> for Value<'de> {
    fn decode(value: &mut Value<'de>) -> Result<Self, DecodeError> {
        Ok(mem::replace(value, Value::scanned(&mut [], 0)))
    }

    // It can be anything.
    fn try_with<D: Deserializer<'de>>(_: D) -> Result<(), D::Error> {
        Ok(())
    }
}
