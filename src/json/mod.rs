//! JSON: checking, reading in place, and writing. The rest of the crate leaves JSON to this module.
//!
//! - [`scan`] checks a text, strictly and without recursion.
//! - [`decode`] reads a text as any type that serde can deserialize, as strictly, and decodes strings
//!   in place. [`Value`] is a value that is read piece by piece instead, [`Raw`] one that is kept as
//!   text.
//! - [`encode`] writes a value. [`List`] and [`Map`] write the items of an iterator.

mod cursor;
mod de;
mod number;
mod raw;
mod reader;
mod ser;
mod text;
mod value;
mod writer;

pub(crate) use cursor::MAX_DEPTH;
pub use cursor::scan;
pub use de::decode;
pub use raw::Raw;
pub use ser::{List, Map, encode};
pub use value::{Decode, Items, Value};

pub(crate) use cursor::Cursor;
pub(crate) use de::MemberDeserializer;
pub(crate) use number::{is_finite, is_in_range};
pub(crate) use reader::{Reader, Stop};
pub(crate) use text::{Text, unescape};
pub(crate) use value::raw;
pub(crate) use writer::{Content, Writer};
