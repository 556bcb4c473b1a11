//! What can go wrong with a connection.

use core::fmt;

use embedded_io::ErrorKind;
use rustix::io::Errno;

use crate::address::AddressError;

/// Why something could not be done with a connection, or a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// What is neither a path nor an address.
    Address(AddressError),
    /// An address with `exec:`. A program has to start the other one itself, and to give one end of
    /// a [`Stream::pair`](super::Stream::pair) to it: that needs `unsafe` code.
    Exec,
    /// The path, or the abstract name, is longer than [`PATH_MAX`](super::PATH_MAX).
    PathTooLong,
    /// There is nothing at the path, or nobody who listens at the abstract name or at the port: is
    /// the service running?
    NotFound,
    /// The directory in which the socket shall be does not exist.
    NoDirectory,
    /// There is something at the path, but it is not a socket. It is left alone.
    NotASocket,
    /// There is a socket at the path, but not a stream socket.
    NotAStream,
    /// What is at the path is not a character device.
    NotADevice,
    /// There is a socket at the path, but nobody listens: its service has ended.
    Stale,
    /// Somebody else listens there, or uses the device.
    InUse,
    /// The time set with [`Timeouts`](super::Timeouts) is over.
    TimedOut,
    /// The peer has closed the connection.
    Closed,
    /// The peer has sent descriptors that nobody wants, more than there is room for, or not with
    /// the first byte of a message: UAPI.20, "Passing File Descriptors". They are closed, and the
    /// connection is over.
    Descriptors,
    /// More than [`DESCRIPTORS_MAX`](super::DESCRIPTORS_MAX) descriptors for one message. Nothing
    /// was sent.
    TooManyDescriptors,
    /// Descriptors for a peer that is not at a Unix socket's other end. Nothing was sent.
    NotAUnixSocket,
    /// The process at the other end has no number that is known here: it runs outside of this one's
    /// PID namespace, pid_namespaces(7).
    UnknownPeer,
    /// Any other reason that the system has, by its number: errno(3).
    System(i32),
}

impl Error {
    /// Whether the system has no descriptors or no memory left: later it may.
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
        match self {
            Error::Address(error) => error.fmt(f),
            Error::PathTooLong => write!(
                f,
                "the path is longer than {} bytes: use a shorter one",
                super::PATH_MAX
            ),
            Error::System(errno) => match Errno::from_raw_os_error(*errno) {
                Errno::ACCESS | Errno::PERM => f.write_str("permission denied"),
                Errno::MFILE | Errno::NFILE => f.write_str("too many open files"),
                Errno::NOTDIR => f.write_str("a part of the path is not a directory"),
                Errno::ROFS => f.write_str("the file system is read-only"),
                Errno::HOSTUNREACH | Errno::NETUNREACH => f.write_str("the host can't be reached"),
                Errno::ADDRNOTAVAIL => f.write_str("this machine does not have that IP address"),
                _ => write!(f, "system error {errno}: see errno(3)"),
            },
            other => f.write_str(match other {
                Error::Exec => "exec: has to be started by the program itself",
                Error::NotFound => "nobody is there: is the service running?",
                Error::NoDirectory => "the directory for the socket does not exist",
                Error::NotASocket => "what is at this path is not a socket",
                Error::NotAStream => "the socket at this path is not a stream socket",
                Error::NotADevice => "what is at this path is not a character device",
                Error::Stale => "nobody listens on the socket at this path: its service has ended",
                Error::InUse => "somebody else listens there, or uses the device",
                Error::Closed => "the peer has closed the connection",
                Error::Descriptors => "the peer has sent descriptors where it may not",
                Error::TooManyDescriptors => {
                    "a message can't carry more than 253 descriptors: use several"
                }
                Error::UnknownPeer => "the peer runs outside of this PID namespace",
                Error::NotAUnixSocket => "only Unix sockets carry descriptors",
                _ => "timed out",
            }),
        }
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
            Error::Exec | Error::NotAUnixSocket | Error::UnknownPeer => ErrorKind::Unsupported,
            Error::Descriptors => ErrorKind::InvalidData,
            Error::NotFound | Error::NoDirectory => ErrorKind::NotFound,
            Error::Stale => ErrorKind::ConnectionRefused,
            Error::InUse => ErrorKind::AddrInUse,
            Error::TimedOut => ErrorKind::TimedOut,
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
            Errno::PIPE | Errno::CONNRESET => Error::Closed,
            errno => Error::System(errno.raw_os_error()),
        }
    }
}
