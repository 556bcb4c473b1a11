//! The peer of a Unix socket: UAPI.20, "Peer Authentication".

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::error::IoError;
use super::stream::Stream;
use crate::peer::Peer;

impl Stream {
    /// Returns the process that has connected, or for a client the process that listens:
    /// `SO_PEERCRED`, unix(7). None if this is not a Unix socket.
    ///
    /// The sending process may be another one, because descriptors can be passed on.
    ///
    /// # Errors
    ///
    /// Returns [`IoError::UnknownPeer`] if the PID of the peer is unknown.
    ///
    /// ```
    /// use nullink::unix::Stream;
    ///
    /// let (a, _b) = Stream::pair()?;
    /// assert_eq!(a.peer()?.map(|peer| peer.pid), Some(std::process::id()));
    /// # Ok::<(), nullink::unix::IoError>(())
    /// ```
    pub fn peer(&self) -> Result<Option<Peer>, IoError> {
        if !self.carries_descriptors() {
            return Ok(None);
        }
        // rustix 1.1 fails if the peer has no PID.
        let peer = socket_peercred(self).map_err(|_| IoError::UnknownPeer)?;
        Ok(Some(Peer {
            uid: peer.uid.as_raw(),
            gid: peer.gid.as_raw(),
            pid: peer.pid.as_raw_nonzero().get().unsigned_abs(),
        }))
    }
}

impl Peer {
    /// Opens a pidfd of the process that now has the PID of this peer: pidfd_open(2). The peer may
    /// have ended, and its PID may belong to another process.
    ///
    /// `SO_PEERPIDFD`, unix(7), has no such race, but rustix does not support it. A program that
    /// acts on processes supplies a function for it in [`Hooks`](crate::server::Hooks), and gets
    /// the pidfd from [`Responder::pidfd`](crate::service::Responder::pidfd).
    ///
    /// # Errors
    ///
    /// Fails if no process has this PID, or if the system has no descriptors left.
    pub fn pidfd_racy(&self) -> Result<OwnedFd, IoError> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        pidfd_open(
            pid.ok_or(Errno::SRCH).map_err(IoError::from_errno)?,
            PidfdFlags::empty(),
        )
        .map_err(IoError::from_errno)
    }
}
