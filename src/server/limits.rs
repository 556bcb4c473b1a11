//! How long, and how many.

use core::time::Duration;

/// What a server puts up with. The default is everything, for ever.
///
/// Times need a clock: [`Server::set_clock`](super::Server::set_clock). They are as exact as that.
///
/// ```
/// use core::time::Duration;
/// use nullink::server::Limits;
///
/// let limits = Limits {
///     per_user: Some(4),
///     message: Some(Duration::from_secs(5)),
///     write: Some(Duration::from_secs(5)),
///     ..Limits::default()
/// };
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How many connections one user may have. One too many is closed as soon as it has come. It
    /// counts on Unix sockets only, where users are known.
    pub per_user: Option<usize>,
    /// How long a client may be connected and call nothing.
    pub idle: Option<Duration>,
    /// How long a client may take for a message, from its first byte to its last: as long as it may
    /// be idle, if nothing is said.
    pub message: Option<Duration>,
    /// How long a client may leave unread what it was sent, without reading any of it. A server for
    /// clients that nobody vouches for should have such a limit: who reads nothing keeps a place, and
    /// can keep the buffer that all share, without which each reply of a batch is sent alone.
    pub write: Option<Duration>,
    /// How long the server goes on without any connection: then there is an
    /// [`Event::Idle`](super::Event::Idle), at which a service that is activated by its socket exits.
    pub exit: Option<Duration>,
}

/// What a connection is doing, as far as there are limits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It calls nothing.
    Idle,
    /// It has sent a part of a message.
    Message,
    /// It does not read what it was sent.
    Writing,
    /// It waits for the service; or it belongs to another protocol.
    Waiting,
}

impl Phase {
    /// When that has been going on for too long.
    pub fn deadline(self, since: u64, limits: &Limits) -> Option<u64> {
        let limit = match self {
            Phase::Idle => limits.idle,
            // (Half a message is no call.)
            Phase::Message => limits.message.or(limits.idle),
            Phase::Writing => limits.write,
            Phase::Waiting => None,
        };
        limit.map(|limit| after(since, limit))
    }
}

/// The time after so long, in milliseconds.
pub(super) fn after(since: u64, limit: Duration) -> u64 {
    // (A part of a millisecond counts as one.)
    let part = u64::from(limit.subsec_nanos().div_ceil(1_000_000));
    let limit = limit.as_secs().saturating_mul(1000).saturating_add(part);
    since.saturating_add(limit)
}
