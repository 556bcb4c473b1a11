//! The error that a service is told of when a session fails.

use core::fmt;

use super::check::Callee;
use crate::error::{EncodeError, Error};
use crate::peer::Peer;

/// The reason why a session has failed, for the log of a service: see
/// [`Service::failed`](super::Service::failed).
///
/// Its text names the client and the method, where they are known, and is made for a line of a log:
/// `user 1000, process 4711: org.example.list.List: the answer is longer than 2048 bytes, half of
/// the send buffer: enlarge it, or send less`.
///
/// ```
/// # use nullink::service::SessionError;
/// # struct List;
/// # impl List {
/// fn failed(&mut self, error: SessionError) {
///     eprintln!("{error}");
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SessionError {
    /// The reason.
    pub error: Error,
    /// The client, if it is [known](crate::Call::peer).
    pub peer: Option<Peer>,
    /// The room for an answer, in bytes: half of the send buffer.
    pub room: usize,
    pub(super) callee: Option<Callee>,
}

impl SessionError {
    /// Returns the names of the interface and of the method that was being answered, if there was
    /// one. The name of a method that its definition does not have is `?`.
    //
    // Only a service that asks for the names pays for the search in the definition.
    pub fn method(&self) -> Option<(&'static str, &'static str)> {
        self.callee.map(|callee| callee.names())
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Peer { uid, pid, .. }) = self.peer {
            write!(f, "user {uid}, process {pid}: ")?;
        }
        if let Some((interface, method)) = self.method() {
            write!(f, "{interface}.{method}: ")?;
        }
        match self.error {
            Error::Encode(EncodeError::Full) => write!(
                f,
                "the answer is longer than {} bytes, half of the send buffer: enlarge it, or send \
                 less",
                self.room
            ),
            error => error.fmt(f),
        }
    }
}

impl core::error::Error for SessionError {}
