//! Limits and timeouts of a server.

use core::time::Duration;

/// Limits and timeouts. All are off by default.
///
/// Times need a clock: [`Server::set_clock`](super::Server::set_clock). They are as exact as that
/// clock, and are looked at when the server has waited.
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
    /// The number of connections of one user. A connection beyond it is closed as soon as it is
    /// accepted. It counts on Unix sockets only; peers whose user is unknown count as one user.
    pub per_user: Option<usize>,
    /// The time for which a client may call nothing. A client that waits for a parked call is not
    /// idle, unless it has closed its half of the connection.
    pub idle: Option<Duration>,
    /// The time from the first byte of a message to its last. Without it, `idle` is the limit.
    pub message: Option<Duration>,
    /// The time for which a client may read nothing of what it is sent. A server for clients that
    /// nobody vouches for should have this limit: a client that reads nothing keeps a place and a
    /// pair of buffers.
    pub write: Option<Duration>,
    /// The time without any connection after which there is an
    /// [`Event::Idle`](super::Event::Idle), at which a service that is activated by its socket
    /// exits.
    pub exit: Option<Duration>,
}

impl Limits {
    /// The most listeners that a [`Server`](super::Server) has.
    pub const MAX_LISTENERS: usize = 4;

    /// The most timers that a [`Server`](super::Server) has.
    pub const MAX_TIMERS: usize = 8;

    /// The most calls of one connection that are handled before the other connections have their
    /// turn.
    pub const CALLS_PER_TURN: usize = 64;
}

/// What a connection is doing, as far as limits depend on it.
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
    /// The time at which it has taken too long.
    pub fn deadline(self, since: u64, limits: &Limits) -> Option<u64> {
        let limit = match self {
            Phase::Idle => limits.idle,
            Phase::Message => limits.message.or(limits.idle),
            Phase::Writing => limits.write,
            Phase::Waiting => None,
        };
        limit.map(|limit| after(since, limit))
    }
}

/// A time that much later, in milliseconds; a part of a millisecond counts as one.
pub(super) fn after(since: u64, limit: Duration) -> u64 {
    let part = u64::from(limit.subsec_nanos().div_ceil(1_000_000));
    let limit = limit.as_secs().saturating_mul(1000).saturating_add(part);
    since.saturating_add(limit)
}
