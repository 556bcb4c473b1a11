//! The error of connections and listeners.

use core::fmt;

use embedded_io::ErrorKind;
use rustix::io::Errno;

use crate::address::AddressError;
use crate::error::Number;

/// The error of a connection or a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IoError {
    /// The text is neither a path that begins with `/` or `.`, nor a valid address.
    Address(AddressError),
    /// The address begins with `exec:`. The program must start the service itself, with one end of
    /// a [`Stream::pair`](super::Stream::pair), which needs `unsafe` code.
    Exec,
    /// The address begins with `vsock:`. The program must open the socket itself, which needs
    /// `unsafe` code: a [`Stream`](super::Stream) and a [`Listener`](super::Listener) can be made of
    /// its descriptor.
    Vsock,
    /// The address has a host name, and the program was built without the feature `std`.
    NoHostNames,
    /// The host name has no IP address, or cannot be looked up now.
    UnknownHost,
    /// The address begins with `device:`, and the program was built without the feature `device`.
    NoDevices,
    /// The path or the abstract name is longer than [`Stream::MAX_PATH`](super::Stream::MAX_PATH).
    PathTooLong,
    /// The path does not exist, or no service listens on the abstract name or the port. The service
    /// may not be running.
    NotFound,
    /// The directory for the socket does not exist. For the name of an interface, it is
    /// `/run/varlink/registry`.
    NoDirectory,
    /// The file at the path is not a socket. It is left unchanged.
    NotASocket,
    /// The socket at the path is not a stream socket.
    NotAStream,
    /// The file at the path is not a character device.
    NotADevice,
    /// No service listens on the socket at the path. The service may have ended.
    Stale,
    /// A service listens on the address already, or the device is used by another connection.
    InUse,
    /// A [`Server`](crate::server::Server) has no room for another connection, listener or timer.
    NoPlace,
    /// A timer or a time limit is set in a [`Server`](crate::server::Server) without a clock.
    NoClock,
    /// One of the [`Timeouts`](super::Timeouts) has expired, or the timeout of the system for
    /// connecting.
    TimedOut,
    /// The peer has closed the connection, or is gone.
    Closed,
    /// The peer has sent descriptors that were not requested, more than there is room for, or some
    /// that were not sent with the first byte of a message: UAPI.20, "Passing File Descriptors".
    /// They are closed, and the connection is over.
    Descriptors,
    /// A message has more than [`Stream::MAX_DESCRIPTORS`](super::Stream::MAX_DESCRIPTORS)
    /// descriptors. Nothing was sent.
    TooManyDescriptors,
    /// The stream is not a Unix socket, so it cannot carry descriptors. Nothing was sent.
    NotAUnixSocket,
    /// The peer runs outside this PID namespace, so its PID is unknown: pid_namespaces(7).
    UnknownPeer,
    /// Another error of the system, by its number: errno(3).
    System(i32),
}

impl IoError {
    /// Converts the error number of a system call: errno(3).
    ///
    /// ```
    /// use nullink::unix::IoError;
    ///
    /// const EPIPE: i32 = 32;
    /// assert_eq!(IoError::from_raw_os_error(EPIPE), IoError::Closed);
    /// ```
    pub fn from_raw_os_error(errno: i32) -> Self {
        IoError::from_errno(Errno::from_raw_os_error(errno))
    }

    /// True if the system has run out of descriptors or memory, which may be temporary.
    pub fn is_exhausted(&self) -> bool {
        match self {
            IoError::System(errno) => matches!(
                Errno::from_raw_os_error(*errno),
                Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM
            ),
            _ => false,
        }
    }
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IoError::Address(error) => return error.fmt(f),
            IoError::Exec => "exec: the program must start the service",
            IoError::Vsock => "vsock: the program must open the socket",
            IoError::NoHostNames => "a host name needs the feature `std`: use an IP address",
            IoError::UnknownHost => "unknown host name",
            IoError::NoDevices => "device: needs the feature `device`",
            IoError::PathTooLong => "the path is longer than 107 bytes: use a shorter one",
            IoError::NotFound => "no service found: is it running?",
            IoError::NoDirectory => "the directory for the socket does not exist",
            IoError::NotASocket => "the file at this path is not a socket",
            IoError::NotAStream => "the socket at this path is not a stream socket",
            IoError::NotADevice => "the file at this path is not a character device",
            IoError::Stale => "no service listens on the socket at this path",
            IoError::InUse => "the address or device is in use",
            IoError::NoPlace => "the server is full: use more slots, fewer listeners or timers",
            IoError::NoClock => "timers and timeouts need a clock: call set_clock",
            IoError::TimedOut => "timed out",
            IoError::Closed => "the peer has closed the connection",
            IoError::Descriptors => "the peer has sent unexpected file descriptors",
            IoError::TooManyDescriptors => "a message carries at most 253 descriptors: use several",
            IoError::NotAUnixSocket => "only Unix sockets carry descriptors",
            IoError::UnknownPeer => "the peer runs outside this PID namespace",
            IoError::System(errno) => match Errno::from_raw_os_error(*errno) {
                Errno::ACCESS | Errno::PERM => "permission denied",
                Errno::MFILE | Errno::NFILE => "too many open files",
                Errno::NOTDIR => "a part of the path is not a directory",
                Errno::ROFS => "the file system is read-only",
                Errno::HOSTUNREACH | Errno::NETUNREACH => "the host can't be reached",
                Errno::ADDRNOTAVAIL => "this machine does not have that IP address",
                _ => {
                    let number = Number(errno.unsigned_abs() as usize);
                    return write!(f, "system error {number}: see errno(3)");
                }
            },
        })
    }
}

impl core::error::Error for IoError {}

impl embedded_io::Error for IoError {
    fn kind(&self) -> ErrorKind {
        match self {
            IoError::Address(_)
            | IoError::PathTooLong
            | IoError::NotASocket
            | IoError::NotAStream
            | IoError::NotADevice
            | IoError::NoClock
            | IoError::TooManyDescriptors => ErrorKind::InvalidInput,
            IoError::Exec
            | IoError::Vsock
            | IoError::NoHostNames
            | IoError::NoDevices
            | IoError::NotAUnixSocket
            | IoError::UnknownPeer => ErrorKind::Unsupported,
            IoError::Descriptors => ErrorKind::InvalidData,
            IoError::NotFound | IoError::NoDirectory | IoError::UnknownHost => ErrorKind::NotFound,
            IoError::Stale => ErrorKind::ConnectionRefused,
            IoError::InUse => ErrorKind::AddrInUse,
            IoError::TimedOut => ErrorKind::TimedOut,
            IoError::NoPlace => ErrorKind::OutOfMemory,
            IoError::Closed => ErrorKind::BrokenPipe,
            IoError::System(errno) => match Errno::from_raw_os_error(*errno) {
                Errno::ACCESS | Errno::PERM => ErrorKind::PermissionDenied,
                Errno::NOMEM | Errno::NOBUFS => ErrorKind::OutOfMemory,
                Errno::INVAL => ErrorKind::InvalidInput,
                _ => ErrorKind::Other,
            },
        }
    }
}

impl IoError {
    /// The error of a listening socket that another process has shut down, as accept(2) reports it
    /// for TCP.
    pub(crate) const SHUT_DOWN: Self = IoError::System(Errno::INVAL.raw_os_error());

    /// Converts the error of a system call.
    pub(crate) fn from_errno(errno: Errno) -> Self {
        match errno {
            // TIMEDOUT: the peer has not answered keepalive probes.
            Errno::PIPE | Errno::CONNRESET | Errno::TIMEDOUT => IoError::Closed,
            Errno::NOENT => IoError::NotFound,
            errno => IoError::System(errno.raw_os_error()),
        }
    }
}

/// Converts the result of a system call. Returns None if the call would block.
pub(super) fn unless_again<T>(result: Result<T, Errno>) -> Result<Option<T>, IoError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::AGAIN) => Ok(None),
        Err(errno) => Err(IoError::from_errno(errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r5_a_peer_that_is_gone_is_one_error() {
        for errno in [Errno::PIPE, Errno::CONNRESET, Errno::TIMEDOUT] {
            assert_eq!(IoError::from_errno(errno), IoError::Closed);
        }
    }
}
