//! The errors of connections and listeners.

use core::fmt;

use embedded_io::ErrorKind;
use rustix::io::Errno;

use crate::address::AddressError;

/// Why a system call for a connection or a listener has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Neither a path nor an address.
    Address(AddressError),
    /// An address with `exec:`. The program has to start the service itself, with one end of a
    /// [`Stream::pair`](super::Stream::pair), which needs `unsafe` code.
    Exec,
    /// An address with `device:`, in a program that was built without the feature `device`.
    NoDevices,
    /// The path, or the abstract name, is longer than [`PATH_MAX`](super::PATH_MAX).
    PathTooLong,
    /// Nothing exists at the path, or no service listens at the abstract name or the port: is it
    /// running?
    NotFound,
    /// The directory for the socket does not exist.
    NoDirectory,
    /// The file at the path is not a socket. It is left alone.
    NotASocket,
    /// The socket at the path is not a stream socket.
    NotAStream,
    /// The file at the path is not a character device.
    NotADevice,
    /// No service listens on the socket at the path any more.
    Stale,
    /// Another process listens there, or uses the device.
    InUse,
    /// All places of a [`Server`](crate::server::Server), its listeners or its timers are taken.
    NoPlace,
    /// A time set with [`Timeouts`](super::Timeouts) has passed.
    TimedOut,
    /// The peer has closed the connection, or is gone.
    Closed,
    /// The peer has sent descriptors that were not asked for, more than there is room for, or not with
    /// the first byte of a message: UAPI.20, "Passing File Descriptors". They are closed, and the
    /// connection is over.
    Descriptors,
    /// More than [`DESCRIPTORS_MAX`](super::DESCRIPTORS_MAX) descriptors for one message. Nothing
    /// was sent.
    TooManyDescriptors,
    /// Descriptors over something else than a Unix socket. Nothing was sent.
    NotAUnixSocket,
    /// The peer runs outside of this PID namespace, so its number is unknown: pid_namespaces(7).
    UnknownPeer,
    /// Any other error of the system, by its number: errno(3).
    System(i32),
}

impl Error {
    /// True if the system has run out of descriptors or memory, which may pass.
    pub fn is_exhausted(&self) -> bool {
        match self {
            Error::System(errno) => matches!(
                Errno::from_raw_os_error(*errno),
                Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM
            ),
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Address(error) => return error.fmt(f),
            Error::Exec => "exec: has to be started by the program itself",
            Error::NoDevices => "device: needs the feature `device`",
            Error::PathTooLong => "the path is longer than 107 bytes: use a shorter one",
            Error::NotFound => "nobody is there: is the service running?",
            Error::NoDirectory => "the directory for the socket does not exist",
            Error::NotASocket => "the file at this path is not a socket",
            Error::NotAStream => "the socket at this path is not a stream socket",
            Error::NotADevice => "the file at this path is not a character device",
            Error::Stale => "no service listens on the socket at this path any more",
            Error::InUse => "another process listens there, or uses the device",
            Error::NoPlace => "all places of the server are taken: give it more, or share them",
            Error::TimedOut => "timed out",
            Error::Closed => "the peer has closed the connection",
            Error::Descriptors => "the peer has sent descriptors that were not asked for",
            Error::TooManyDescriptors => {
                "a message can't carry more than 253 descriptors: use several"
            }
            Error::NotAUnixSocket => "only Unix sockets carry descriptors",
            Error::UnknownPeer => "the peer runs outside of this PID namespace",
            Error::System(errno) => match Errno::from_raw_os_error(*errno) {
                Errno::ACCESS | Errno::PERM => "permission denied",
                Errno::MFILE | Errno::NFILE => "too many open files",
                Errno::NOTDIR => "a part of the path is not a directory",
                Errno::ROFS => "the file system is read-only",
                Errno::HOSTUNREACH | Errno::NETUNREACH => "the host can't be reached",
                Errno::ADDRNOTAVAIL => "this machine does not have that IP address",
                _ => return write!(f, "system error {errno}: see errno(3)"),
            },
        })
    }
}

impl core::error::Error for Error {}

impl embedded_io::Error for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::Address(_)
            | Error::PathTooLong
            | Error::NotASocket
            | Error::NotAStream
            | Error::NotADevice
            | Error::TooManyDescriptors => ErrorKind::InvalidInput,
            Error::Exec | Error::NoDevices | Error::NotAUnixSocket | Error::UnknownPeer => {
                ErrorKind::Unsupported
            }
            Error::Descriptors => ErrorKind::InvalidData,
            Error::NotFound | Error::NoDirectory => ErrorKind::NotFound,
            Error::Stale => ErrorKind::ConnectionRefused,
            Error::InUse => ErrorKind::AddrInUse,
            Error::TimedOut => ErrorKind::TimedOut,
            Error::NoPlace => ErrorKind::OutOfMemory,
            Error::Closed => ErrorKind::BrokenPipe,
            Error::System(errno) => match Errno::from_raw_os_error(*errno) {
                Errno::ACCESS | Errno::PERM => ErrorKind::PermissionDenied,
                Errno::NOMEM | Errno::NOBUFS => ErrorKind::OutOfMemory,
                Errno::INVAL => ErrorKind::InvalidInput,
                _ => ErrorKind::Other,
            },
        }
    }
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        match errno {
            // The last is what keepalive finds.
            Errno::PIPE | Errno::CONNRESET | Errno::TIMEDOUT => Error::Closed,
            Errno::NOENT => Error::NotFound,
            errno => Error::System(errno.raw_os_error()),
        }
    }
}

/// None if a system call would have to wait.
pub(super) fn unless_again<T>(result: Result<T, Errno>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::AGAIN) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r5_a_peer_that_is_gone_is_one_error() {
        for errno in [Errno::PIPE, Errno::CONNRESET, Errno::TIMEDOUT] {
            assert_eq!(Error::from(errno), Error::Closed);
        }
    }
}
