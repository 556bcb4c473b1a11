//! The client's side of a connection.
//!
//! A [`Client`] makes typed calls over a blocking stream. A [`Session`] is the protocol without
//! I/O: bytes in, bytes out.

#[allow(clippy::module_inception)] // ARCHITECTURE.md names it so
mod client;
mod error;
mod session;

#[cfg(all(feature = "unix", target_os = "linux"))]
pub(crate) use client::ignore_closed;
pub use client::{CallResult, Client, Replies};
pub use error::{CallError, CallFailure};
pub(crate) use session::MAX_CALLS;
pub use session::Session;
