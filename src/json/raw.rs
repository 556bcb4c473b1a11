//! A JSON value as it is written: what `object` and `any` are in Rust.

use core::{fmt, iter, mem};

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::de::decode;
use super::scan::{Scanner, scan};
use crate::error::{DecodeError, Mismatch, SyntaxError};

/// The text of one JSON value, kept and written back byte for byte: the type of a field that is
/// declared `object` or `any` (UAPI.20, "Types").
///
/// It is always valid JSON. In a field it stands for any value but `null`, which is not a value of
/// `any` either; `Option<Raw>` takes both.
///
/// It passes through this crate's reader and writer only; others would see a string.
///
/// ```
/// use nullink::json::{self, Raw};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Event<'a> { #[serde(borrow)] payload: Raw<'a> }
///
/// let mut text = *br#"{"payload": {"a":[1.50, "\u0041"]} }"#;
/// let event: Event = json::decode(&mut text)?;
/// assert_eq!(event.payload.as_str(), r#"{"a":[1.50, "\u0041"]}"#);
///
/// let mut buffer = [0; 64];
/// assert_eq!(json::encode(&event, &mut buffer)?, r#"{"payload":{"a":[1.50, "\u0041"]}}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// The name by which reader and writer know this type: serde has no notion of it.
    pub(crate) const NAME: &'static str = "$nullink::json::Raw";

    /// An object without members.
    pub const EMPTY_OBJECT: Raw<'static> = Raw("{}");

    /// Takes a text that holds one JSON value.
    ///
    /// # Errors
    ///
    /// It does not.
    pub fn new(text: &'a str) -> Result<Self, SyntaxError> {
        scan(text.as_bytes())?;
        Ok(Raw(text))
    }

    /// Takes a text that [`scan`] has been through.
    pub(crate) fn scanned(text: &'a str) -> Self {
        Raw(text)
    }

    /// The text.
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// Whether the value is an object, as a field that is declared `object` has to be.
    pub fn is_object(&self) -> bool {
        self.0.trim_ascii_start().starts_with('{')
    }

    /// The elements of a list, one after another; None if the value is not a list.
    ///
    /// ```
    /// let raw = nullink::json::Raw::new(r#"["sda", ["sdb", "sdc"]]"#)?;
    /// let elements = raw.elements().expect("a list");
    /// assert!(elements.map(|element| element.as_str()).eq([r#""sda""#, r#"["sdb", "sdc"]"#]));
    /// # Ok::<(), nullink::SyntaxError>(())
    /// ```
    pub fn elements(&self) -> Option<impl Iterator<Item = Raw<'a>> + Clone + use<'a>> {
        let text = self.0;
        let mut scanner = Scanner::new(text.as_bytes());
        scanner.open_array().ok()?;
        let mut first = true;
        Some(iter::from_fn(move || {
            // (A text that has been scanned has no errors.)
            if !scanner.element(mem::take(&mut first)).ok()? {
                return None;
            }
            let (_, range) = scanner.value(0).ok()?;
            text.get(range).map(Raw)
        }))
    }

    /// The members of an object, one after another: the name, which is a string in JSON as well,
    /// and the value. None if the value is not an object.
    ///
    /// ```
    /// let raw = nullink::json::Raw::new(r#"{"sda": 1, "sdb": null}"#)?;
    /// let members = raw.members().expect("an object");
    /// assert!(members.map(|(name, _)| name.as_str()).eq([r#""sda""#, r#""sdb""#]));
    /// # Ok::<(), nullink::SyntaxError>(())
    /// ```
    pub fn members(&self) -> Option<impl Iterator<Item = (Raw<'a>, Raw<'a>)> + Clone + use<'a>> {
        let text = self.0;
        let mut scanner = Scanner::new(text.as_bytes());
        scanner.open_object().ok()?;
        let mut first = true;
        Some(iter::from_fn(move || {
            let name = scanner.key(mem::take(&mut first)).ok()??;
            let quotes = name.start.saturating_sub(1)..name.end.saturating_add(1);
            let (_, range) = scanner.value(0).ok()?;
            Some((Raw(text.get(quotes)?), Raw(text.get(range)?)))
        }))
    }

    /// Reads the value as a `T`, in a copy: reading changes the text that it reads.
    ///
    /// # Errors
    ///
    /// If it is not a `T`, or if `scratch` is shorter than the text
    /// ([`Mismatch::Length`](crate::Mismatch::Length)).
    ///
    /// ```
    /// let raw = nullink::json::Raw::new(r#"["a\tb"]"#)?;
    /// let mut scratch = [0; 100];
    /// let [text] = raw.decode_in::<[&str; 1]>(&mut scratch)?;
    /// assert_eq!(text, "a\tb");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decode_in<'s, T: Deserialize<'s>>(
        &self,
        scratch: &'s mut [u8],
    ) -> Result<T, DecodeError> {
        let Some(copy) = scratch.get_mut(..self.0.len()) else {
            return Err(DecodeError {
                mismatch: Mismatch::Length,
                field: None,
                offset: 0,
                in_call: false,
            });
        };
        copy.copy_from_slice(self.0.as_bytes());
        decode(copy)
    }
}

impl fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(Raw::NAME, self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(Raw::NAME, RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    // (Another reader than this crate's may give it any string.)
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Raw<'de>, E> {
        Raw::new(text).map_err(E::custom)
    }
}
