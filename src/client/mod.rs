//! The client's side: calls that are typed, and the state of one connection.
//!
//! [`Session`] knows which calls wait for their replies, bytes in and bytes out; the blocking
//! [`Client`] moves its bytes over a stream.

#[allow(clippy::module_inception)] // the map of the crate names it so
mod client;
mod error;
mod session;

#[cfg(all(feature = "unix", target_os = "linux"))]
pub(crate) use client::unless_closed;
pub use client::{CallResult, Client, Replies};
pub use error::CallError;
pub(crate) use session::MAX_CALLS;
pub use session::Session;
