//! JSON values kept as text, for `object` and `any`.

use core::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::cursor::scan;
use crate::error::SyntaxError;

/// The text of one JSON value, kept and written back byte for byte. Only an object without members
/// is written without its white space.
///
/// It is the type of a field that is declared `object` or `any` (UAPI.20, "Types"). It is always
/// valid JSON. A field of this type accepts every value except `null`, which is not a value of
/// `any` either. `Option<Raw>` accepts `null` too.
///
/// Only this crate's reader and writer know it. For other serde formats it is a string.
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
    /// The name by which reader and writer recognize this type, because serde has no such type.
    pub(crate) const NAME: &'static str = "$nullink::json::Raw";

    /// An object without members.
    pub const EMPTY_OBJECT: Raw<'static> = Raw("{}");

    /// Creates a value from its text.
    ///
    /// # Errors
    ///
    /// Fails if `text` is not one JSON value.
    pub fn new(text: &'a str) -> Result<Self, SyntaxError> {
        scan(text.as_bytes())?;
        Ok(Raw(text))
    }

    /// Creates a value from a text that is valid JSON.
    pub(crate) fn scanned(text: &'a str) -> Self {
        Raw(text)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// True if the value is an object without members.
    pub fn is_empty(&self) -> bool {
        let members = self.0.trim_ascii().strip_prefix('{');
        members.is_some_and(|rest| rest.trim_ascii_start() == "}")
    }

    /// True if the value is an object, which a field that is declared `object` requires.
    pub fn is_object(&self) -> bool {
        self.0.trim_ascii_start().starts_with('{')
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
        // The writer recognizes empty parameters by this text.
        let text = if self.is_empty() {
            Raw::EMPTY_OBJECT.0
        } else {
            self.0
        };
        serializer.serialize_newtype_struct(Raw::NAME, text)
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

    // A reader of another crate may pass any string.
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Raw<'de>, E> {
        Raw::new(text).map_err(E::custom)
    }
}
