//! Unix sockets, on Linux: UAPI.20, "Transport: `AF_UNIX` Stream Sockets".
//!
//! A [`Stream`] is an [`embedded_io`] stream, for [`Client`](crate::Client) and
//! [`serve`](crate::serve()). [`Listener`] takes connections, and [`serve`] serves one after another;
//! [`relay`] joins two.
//!
//! Every descriptor is close-on-exec. No call raises `SIGPIPE`, and one that a signal interrupts is
//! made again.

mod error;
mod listener;
mod relay;
mod stream;

pub use error::Error;
pub use listener::{Listener, Upgraded, serve};
pub use relay::relay;
pub use stream::{Stream, Timeouts};

/// The owned descriptors that this module takes and gives: those of std with the feature `std`,
/// rustix's otherwise.
pub use rustix::fd::OwnedFd;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::address::{Address, AddressError};

/// The longest path of a socket, in bytes: what fits into `sun_path`, unix(7).
pub const PATH_MAX: usize = 107;

/// The kernel's form of an address.
fn socket_address(address: Address<'_>) -> Result<SocketAddrUnix, Error> {
    match address {
        // (An empty path would be an abstract name; and rustix takes one byte more.)
        Address::Unix("") => Err(Error::NotFound),
        Address::Unix(path) if path.len() > PATH_MAX => Err(Error::PathTooLong),
        Address::Unix(path) => Ok(SocketAddrUnix::new(path)?),
        Address::Abstract(name) if name.len() > PATH_MAX => Err(Error::PathTooLong),
        Address::Abstract(name) => Ok(SocketAddrUnix::new_abstract_name(name.as_bytes())?),
    }
}

/// What a user means by a path: a path, or an address.
fn address(path: &str) -> Result<Address<'_>, Error> {
    if path.is_empty() || path.starts_with(['/', '.']) {
        return Ok(Address::Unix(path));
    }
    match Address::parse(path) {
        Err(AddressError::NoScheme) if !path.starts_with('@') => Ok(Address::Unix(path)),
        address => address.map_err(Error::Address),
    }
}

fn new_socket() -> Result<OwnedFd, Error> {
    Ok(rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// connect(2), with the reason why a path does not work.
fn connect(socket: &OwnedFd, address: Address<'_>) -> Result<(), Error> {
    let to = socket_address(address)?;
    match retry_on_intr(|| rustix::net::connect(socket, &to)) {
        Ok(()) => Ok(()),
        Err(Errno::AGAIN) => Err(Error::TimedOut),
        Err(Errno::NOENT) => Err(Error::NotFound),
        Err(Errno::PROTOTYPE) => Err(Error::NotAStream),
        Err(Errno::CONNREFUSED) => match address {
            Address::Unix(path) if !is_socket(path) => Err(Error::NotASocket),
            Address::Unix(_) => Err(Error::Stale),
            Address::Abstract(_) => Err(Error::NotFound),
        },
        Err(errno) => Err(errno.into()),
    }
}

/// Whether there is a socket at the path.
fn is_socket(path: &str) -> bool {
    rustix::fs::stat(path).is_ok_and(|stat| {
        rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Socket
    })
}
