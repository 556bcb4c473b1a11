//! Values that are read piece by piece, so that lists and maps of unknown length need no table.

use core::mem;
use core::str;

use serde::{Deserialize, Deserializer};

use super::raw::Raw;
use super::reader::{MemberName, Reader, Stop};
use crate::error::{DecodeError, Mismatch};

/// A value of a received message that has not been read yet.
///
/// It can be read only once, because strings are decoded in place: every step consumes the value.
///
/// ```
/// use nullink::json::Value;
///
/// #[derive(serde::Deserialize, Debug, PartialEq)]
/// struct Account<'a> { name: &'a str, uid: u32 }
///
/// let mut text = *br#"{"accounts": [{"name": "root", "uid": 0}, {"name": "bin", "uid": 1}]}"#;
/// let mut accounts = Value::scan(&mut text)?.member("accounts")?.items()?.map(Value::decode);
/// assert_eq!(accounts.next(), Some(Ok(Account { name: "root", uid: 0 })));
/// assert_eq!(accounts.next(), Some(Ok(Account { name: "bin", uid: 1 })));
/// assert_eq!(accounts.next(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Value<'de> {
    reader: Reader<'de>,
    key: Option<&'de str>,
}

impl<'de> Value<'de> {
    /// Creates a value from its text.
    ///
    /// # Errors
    ///
    /// Fails if `text` is not one JSON value.
    pub fn scan(text: &'de mut [u8]) -> Result<Self, crate::SyntaxError> {
        super::scan(text)?;
        Ok(Value::scanned(text, 0))
    }

    /// Creates a value from a scanned text, which begins at `offset` in its message.
    pub(crate) fn scanned(text: &'de mut [u8], offset: usize) -> Self {
        Value {
            reader: Reader::of_parameters(text, offset),
            key: None,
        }
    }

    /// Marks the text as that of a call.
    pub(crate) fn in_call(self) -> Self {
        Value {
            reader: self.reader.in_call(),
            ..self
        }
    }

    pub(crate) fn reader(&mut self) -> &mut Reader<'de> {
        &mut self.reader
    }

    /// Reads the value as a `T`.
    ///
    /// # Errors
    ///
    /// Fails if it is not a `T`.
    pub fn decode<T: Deserialize<'de>>(mut self) -> Result<T, DecodeError> {
        self.reader.read()
    }

    /// Returns the text of the value, without reading it.
    ///
    /// ```
    /// let mut text = *br#" {"a" : 1} "#;
    /// let value = nullink::json::Value::scan(&mut text)?;
    /// assert_eq!(value.raw().as_str(), r#"{"a" : 1}"#);
    /// # Ok::<(), nullink::SyntaxError>(())
    /// ```
    pub fn raw(&self) -> Raw<'_> {
        raw(self.reader.rest())
    }

    /// Like [`raw`](Self::raw), but borrowed from the message.
    pub fn into_raw(self) -> Raw<'de> {
        raw(self.reader.into_rest())
    }

    /// Returns the elements of a list, or the members of an object.
    ///
    /// An object is a map or a structure. The [`key`](Self::key) of a member is its name.
    ///
    /// # Errors
    ///
    /// Fails if the value is neither a list nor an object.
    ///
    /// ```
    /// let mut text = *br#"{"one": 1, "two": 2}"#;
    /// let mut sum = 0;
    /// for item in nullink::json::Value::scan(&mut text)?.items()? {
    ///     assert!(["one", "two"].contains(&item.key()));
    ///     sum += item.decode::<i64>()?;
    /// }
    /// assert_eq!(sum, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn items(mut self) -> Result<Items<'de>, DecodeError> {
        let (open, close) = match self.reader.peek() {
            Some(b'[') => (b'[', b']'),
            _ => (b'{', b'}'),
        };
        match self.reader.open(open) {
            Ok(()) => Ok(Items {
                reader: self.reader,
                close,
                first: true,
            }),
            Err(stop) => Err(self.reader.error(stop)),
        }
    }

    /// Returns the name of a member of an object; an empty string for every other value.
    pub fn key(&self) -> &'de str {
        self.key.unwrap_or_default()
    }

    /// Returns the member of an object with this name.
    ///
    /// # Errors
    ///
    /// Fails if the value is not an object, or has no such member.
    pub fn member(self, name: &'static str) -> Result<Value<'de>, DecodeError> {
        let mut items = self.items()?;
        match items.find(|item| item.key == Some(name)) {
            Some(member) => Ok(member),
            None if items.close == b']' => Err(items.reader.error(Stop::Mismatch(Mismatch::Type))),
            None => Err(items.reader.error(Stop::Missing(name))),
        }
    }
}

impl core::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.raw().fmt(f)
    }
}

/// Returns a scanned text as a value; an empty text as an empty object.
pub(crate) fn raw(text: &[u8]) -> Raw<'_> {
    match str::from_utf8(text.trim_ascii()) {
        Ok(text) if !text.is_empty() => Raw::scanned(text),
        // An empty text: absent parameters. The text is UTF-8, because it has been scanned.
        _ => Raw::EMPTY_OBJECT,
    }
}

/// An iterator over the elements of a list, or the members of an object. See [`Value::items`].
#[derive(Debug)]
pub struct Items<'de> {
    reader: Reader<'de>,
    close: u8,
    first: bool,
}

impl<'de> Items<'de> {
    /// Returns the next element or member. Does not fail on a scanned text.
    fn step(&mut self) -> Result<Option<Value<'de>>, Stop> {
        if !self.reader.more(self.close, mem::take(&mut self.first))? {
            return Ok(None);
        }
        let key: Option<MemberName<'de>> = match self.close {
            b'}' => Some(self.reader.key()?),
            _ => None,
        };
        Ok(Some(Value {
            reader: self.reader.split(key)?,
            key: key.map(|key| key.name),
        }))
    }
}

impl<'de> Iterator for Items<'de> {
    type Item = Value<'de>;

    fn next(&mut self) -> Option<Value<'de>> {
        self.step().ok().flatten()
    }
}

/// A type that parameters can be read as: any type that serde can deserialize, or [`Value`].
///
/// A [`Value`] is read piece by piece. There is no need to implement this trait for other types.
pub trait Decode<'de>: Sized {
    /// Reads the value, which cannot be read again.
    ///
    /// # Errors
    ///
    /// Fails if it is not a value of this type.
    fn decode(value: &mut Value<'de>) -> Result<Self, DecodeError>;

    /// Reads a value with another deserializer, and drops it. `tools::contract` uses this to
    /// examine types.
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

    // There is nothing to examine: any value is a `Value`.
    fn try_with<D: Deserializer<'de>>(_: D) -> Result<(), D::Error> {
        Ok(())
    }
}

impl Raw<'_> {
    /// Copies the text to `scratch`, and reads the copy as a `T`, because reading changes the text.
    /// If `T` is [`Value`], the copy is read piece by piece.
    ///
    /// # Errors
    ///
    /// Fails if it is not a `T`, or if `scratch` is shorter than the text
    /// ([`Mismatch::Length`](crate::Mismatch::Length)).
    ///
    /// ```
    /// use nullink::json::{Raw, Value};
    ///
    /// let raw = Raw::new(r#"["a\tb"]"#)?;
    /// let mut scratch = [0; 100];
    /// let [text] = raw.decode_in::<[&str; 1]>(&mut scratch)?;
    /// assert_eq!(text, "a\tb");
    ///
    /// let items = raw.decode_in::<Value>(&mut scratch)?.items()?;
    /// assert_eq!(items.count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decode_in<'s, T: Decode<'s>>(&self, scratch: &'s mut [u8]) -> Result<T, DecodeError> {
        let Some(copy) = scratch.get_mut(..self.as_str().len()) else {
            return Err(DecodeError {
                mismatch: Mismatch::Length,
                field: None,
                offset: 0,
                in_call: false,
            });
        };
        copy.copy_from_slice(self.as_str().as_bytes());
        let mut value = Value::scanned(copy, 0);
        T::decode(&mut value)
    }
}
