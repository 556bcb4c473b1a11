//! Who is at the other end of a connection, and what can come from there besides bytes.
//!
//! The protocol needs none of this. A driver that knows it hands it to the service's handlers.

/// The process at the other end of a connection, as the system has vouched for it when it
/// connected: `SO_PEERCRED`, unix(7).
///
/// ```
/// use nullink::peer::Peer;
///
/// let peer = Peer { uid: 0, gid: 0, pid: 1 };
/// assert!(peer.is_root());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The process that has connected. By now it may be gone, and another have its number: do not
    /// decide anything by it.
    pub pid: u32,
}

impl Peer {
    /// True if it runs as root.
    pub const fn is_root(&self) -> bool {
        self.uid == 0
    }
}

/// A file descriptor that comes, or goes, with a message. Dropping it closes it.
///
/// Where there is no operating system there is no value of this type.
#[cfg(all(feature = "unix", target_os = "linux"))]
pub type Descriptor = rustix::fd::OwnedFd;

/// A file descriptor: there are none without an operating system.
#[cfg(not(all(feature = "unix", target_os = "linux")))]
#[derive(Debug)]
pub enum Descriptor {}
