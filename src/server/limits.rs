//! Limits and timeouts of a server.

use core::time::Duration;

/// Limits and timeouts. All are off by default.
///
/// Timeouts need a clock. Without the feature `std`, the program sets it:
/// [`Server::set_clock`](super::Server::set_clock). They have the resolution of that clock, and the
/// server checks them after each wait.
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
    /// The maximum number of connections of one user. Further connections are closed as soon as
    /// they are accepted. Only Unix sockets are counted. Peers whose user is unknown count as one
    /// user.
    pub per_user: Option<usize>,
    /// The maximum time for which a client makes no call. A client that waits for a parked call is
    /// not idle, unless it has closed its half of the connection.
    pub idle: Option<Duration>,
    /// The maximum time from the first byte of a message to its last. Without it, `idle` applies.
    pub message: Option<Duration>,
    /// The maximum time in which a client reads none of the bytes sent to it. A server whose
    /// clients are not trusted should set this limit, because a client that does not read occupies
    /// a place and a pair of buffers.
    pub write: Option<Duration>,
    /// The time without a connection after which [`Event::Idle`](super::Event::Idle) is returned. A
    /// socket-activated service then exits.
    pub exit: Option<Duration>,
}

impl Limits {
    /// The maximum number of listeners of a [`Server`](super::Server).
    pub const MAX_LISTENERS: usize = 4;

    /// The maximum number of timers of a [`Server`](super::Server).
    pub const MAX_TIMERS: usize = 8;

    /// The maximum number of calls of one connection that are handled before the other connections
    /// have their turn.
    pub const CALLS_PER_TURN: usize = 64;

    /// True if a limit is a time.
    pub(super) fn needs_clock(&self) -> bool {
        let times = self.idle.or(self.message).or(self.write).or(self.exit);
        times.is_some()
    }
}

/// The activity of a connection, which determines its timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The client makes no call.
    Idle,
    /// The client has sent a part of a message.
    Message,
    /// The client does not read its replies.
    Writing,
    /// The client waits for the service, or the connection was upgraded.
    Waiting,
}

impl Phase {
    /// Returns the time at which a connection times out if it stays in this phase, which has begun
    /// at `since`.
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

/// Returns `since` plus a limit, in milliseconds. A part of a millisecond is rounded up.
pub(super) fn after(since: u64, limit: Duration) -> u64 {
    let part = u64::from(limit.subsec_nanos().div_ceil(1_000_000));
    let limit = limit.as_secs().saturating_mul(1000).saturating_add(part);
    since.saturating_add(limit)
}
