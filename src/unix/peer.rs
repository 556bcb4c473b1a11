//! The peer of a Unix socket: UAPI.20, "Peer Authentication".

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::error::IoError;
use super::stream::Stream;
use crate::peer::Peer;

impl Stream {
    /// The process that has connected, or, for a client, the one that listens: `SO_PEERCRED`,
    /// unix(7). None if this is not a Unix socket.
    ///
    /// A process that sends may be another one: descriptors can be handed on.
    ///
    /// # Errors
    ///
    /// [`IoError::UnknownPeer`].
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
        // rustix 1.1 takes a process without a number for an error.
        let peer = socket_peercred(self).map_err(|_| IoError::UnknownPeer)?;
        Ok(Some(Peer {
            uid: peer.uid.as_raw(),
            gid: peer.gid.as_raw(),
            pid: peer.pid.as_raw_nonzero().get().unsigned_abs(),
        }))
    }
}

impl Peer {
    /// A pidfd of the process that has this peer's number *now*: pidfd_open(2). The peer may have
    /// ended, and its number be that of another process.
    ///
    /// The one that can't be wrong is `SO_PEERPIDFD`, unix(7), for which rustix has no call: a program
    /// that has to act on processes supplies it ([`Hooks`](crate::server::Hooks)), and has it from
    /// [`Responder::pidfd`](crate::service::Responder::pidfd).
    ///
    /// # Errors
    ///
    /// If there is no such process any more, or the system has no descriptors left.
    pub fn pidfd_racy(&self) -> Result<OwnedFd, IoError> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        pidfd_open(
            pid.ok_or(Errno::SRCH).map_err(IoError::from_errno)?,
            PidfdFlags::empty(),
        )
        .map_err(IoError::from_errno)
    }
}
