//! Connections on Linux: Unix sockets (UAPI.20, "Transport: `AF_UNIX` Stream Sockets"), TCP, and
//! character devices.
//!
//! A [`Stream`] is an [`embedded_io`] stream, for [`Client`](crate::Client) and
//! [`serve`](crate::serve()). A [`Listener`] takes connections, for [`Server`](crate::server::Server); [`relay`] joins
//! two.
//! With a stream below it, [`Client::call_with`](crate::Client::call_with) sends and takes file
//! descriptors.
//!
//! Every descriptor is close-on-exec. No call raises `SIGPIPE`, and one that a signal interrupts is
//! made again.

mod client;
mod device;
mod error;
mod listener;
mod path;
mod peer;
mod receive;
mod relay;
mod socket;
mod stream;
mod time;

pub use error::IoError;
pub use listener::Listener;
pub use receive::Reading;
pub use relay::relay;
pub use stream::Stream;
pub(crate) use time::{BACK_OFF, timespec};
pub use time::{Timeouts, monotonic};

/// File descriptors: the types of `std::os::fd` with the feature `std`, rustix's own types of the
/// same names otherwise.
#[doc(no_inline)]
pub use rustix::fd;

pub use crate::address::Address;

use crate::address::AddressError;

/// The longest path of a socket or a device, in bytes: what fits into `sun_path`, unix(7).
const PATH_MAX: usize = 107;

/// How many descriptors one message can carry: `SCM_MAX_FD`, unix(7).
const DESCRIPTORS_MAX: usize = 253;

/// What a user means by a path: a path, or an address.
fn address(path: &str) -> Result<Address<'_>, IoError> {
    if path.is_empty() || path.starts_with(['/', '.']) {
        return Ok(Address::Unix(path));
    }
    match Address::parse(path) {
        Err(AddressError::NoScheme) if !path.starts_with('@') => Ok(Address::Unix(path)),
        address => address.map_err(IoError::Address),
    }
}
