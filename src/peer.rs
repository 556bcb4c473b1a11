//! The process at the other end of a connection, and the file descriptors of messages.
//!
//! The protocol does not need them. A driver that knows them passes them to the handlers of the
//! service: [`Call::peer`](crate::Call::peer) and
//! [`Responder::descriptor`](crate::Responder::descriptor).

/// The process at the other end of a connection, as the kernel has recorded it when the connection
/// was made: `SO_PEERCRED`, unix(7).
///
/// ```
/// use nullink::peer::Peer;
///
/// let peer = Peer { uid: 0, gid: 0, pid: 1 };
/// assert!(peer.is_root());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The user ID.
    pub uid: u32,
    /// The group ID.
    pub gid: u32,
    /// The PID. The process may have ended, and another process may have this PID now. Do not base
    /// decisions on it.
    pub pid: u32,
}

impl Peer {
    /// True if the process runs as root.
    pub const fn is_root(&self) -> bool {
        self.uid == 0
    }
}

/// A file descriptor that is received or sent with a message. Dropping it closes it.
///
/// Without an operating system, this type has no value.
#[cfg(all(feature = "unix", target_os = "linux"))]
pub type Descriptor = rustix::fd::OwnedFd;

/// A file descriptor. This type has no value, because there is no operating system.
#[cfg(not(all(feature = "unix", target_os = "linux")))]
#[derive(Debug)]
pub enum Descriptor {}
