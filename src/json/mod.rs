//! JSON, the only place that knows it: checking, reading in place, writing.
//!
//! - [`scan`] checks a text, strictly and without recursion, before anything else looks at it.
//! - [`decode`] reads a text as any type that serde can deserialize, decoding strings in their own
//!   place; [`Value`] is a value that is read piece by piece instead, [`Raw`] one that is not read
//!   at all.
//! - [`encode`] writes a value; [`List`] and [`Map`] write what an iterator yields.

mod cursor;
mod de;
mod number;
mod raw;
mod ser;
mod text;
mod value;

pub use cursor::{MAX_DEPTH, scan};
pub use de::decode;
pub use raw::Raw;
pub use ser::{List, Map, encode};
pub use value::{Decode, Items, Value};

pub(crate) use cursor::{Cursor, ValueKind};
pub(crate) use de::{MemberDeserializer, Reader, Stop};
pub(crate) use number::{is_finite, is_integer};
pub(crate) use ser::Writer;
pub(crate) use text::{Text, unescape};
