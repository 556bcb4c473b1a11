//! Connections on Linux: Unix sockets (UAPI.20, "Transport: `AF_UNIX` Stream Sockets"), TCP, and
//! character devices.
//!
//! A [`Stream`] is an [`embedded_io`] stream, for [`Client`](crate::Client) and
//! [`serve`](crate::serve()). [`Timeouts`] limit how long a client waits. Over a `Stream`,
//! [`Client::call_with`](crate::Client::call_with) sends and receives file descriptors. A
//! [`Listener`] accepts connections, for [`Server`](crate::server::Server). [`relay`] joins two
//! connections.
//!
//! Every descriptor is close-on-exec. System calls do not raise `SIGPIPE`, and are repeated if a
//! signal interrupts them.

mod client;
mod device;
mod error;
mod listener;
mod path;
mod peer;
mod receive;
mod relay;
mod socket;
#[cfg(feature = "std")]
mod stdio;
mod stream;
mod time;

pub use error::IoError;
pub use listener::Listener;
pub use receive::Reading;
pub use relay::relay;
pub use stream::Stream;
pub(crate) use time::{BACK_OFF, timespec};
pub use time::{Timeouts, monotonic};

/// Types of file descriptors: those of `std::os::fd` with the feature `std`, and rustix's own types
/// of the same names without it.
#[doc(no_inline)]
pub use rustix::fd;

pub use crate::address::Address;

use crate::address::listening_mode;

/// The longest path of a socket or a device, in bytes: `sun_path` without its NUL, unix(7).
const PATH_MAX: usize = 107;

/// The maximum number of descriptors of one message: `SCM_MAX_FD`, unix(7).
const DESCRIPTORS_MAX: usize = 253;

/// Parses an address to listen at, and its mode; None if it has no mode.
fn listening_address(text: &str) -> Result<(Address<'_>, Option<u32>), IoError> {
    let address = Address::parse(text).map_err(IoError::Address)?;
    // A path can have any characters.
    let mode = match address {
        Address::Unix(path) if path == text => None,
        _ => listening_mode(text).map_err(IoError::Address)?,
    };
    Ok((address, mode))
}
