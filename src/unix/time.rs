//! Clocks, timeouts and poll(2).

use core::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::retry_on_intr;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, clock_gettime,
    timerfd_create, timerfd_settime,
};

use super::error::IoError;
use crate::bytes::find_nul;

/// The timeouts of a client. None, the default, is no timeout: the client waits indefinitely.
///
/// [`Client::connect_with`](crate::Client::connect_with) sets them when it connects, and
/// [`Stream::set_timeouts`](super::Stream::set_timeouts) changes them later:
///
/// ```no_run
/// use core::time::Duration;
/// use nullink::unix::Timeouts;
/// use nullink::Client;
///
/// let (mut receive, mut send) = ([0; 4096], [0; 4096]);
/// let limit = Some(Duration::from_secs(5));
/// let timeouts = Timeouts { connect: limit, send: limit, reply: limit };
/// let service = "/run/org.example.ftl";
/// let mut client = Client::connect_with(service, timeouts, &mut receive, &mut send)?;
///
/// // From now on, wait indefinitely for replies.
/// client.stream().set_timeouts(Timeouts { reply: None, ..timeouts })?;
/// # Ok::<(), nullink::unix::IoError>(())
/// ```
///
/// After [`IoError::TimedOut`] a [`Client`](crate::Client) is unusable, because a late reply would
/// be taken for the reply to the next call. Make a new connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// The timeout for connecting: until the queue of the service takes the connection.
    pub connect: Option<Duration>,
    /// The timeout for sending: until the service takes the next bytes.
    pub send: Option<Duration>,
    /// The timeout for each reply: from when the client begins to wait for it until it is complete.
    /// A part of the reply does not extend the timeout. The kernel keeps the time, in a timerfd(2)
    /// that belongs to the stream.
    ///
    /// The wait ends with the NUL of the reply. So after an upgrade to a protocol without NULs,
    /// unset the timeout with [`Stream::set_timeouts`](super::Stream::set_timeouts).
    pub reply: Option<Duration>,
}

/// Returns the time of `CLOCK_MONOTONIC`, clock_gettime(2), in milliseconds: a clock for
/// [`Server::set_clock`](crate::server::Server::set_clock).
///
/// It needs a vdso. On older kernels rustix looks for that in `/proc/self/auxv`, so a program that
/// runs before `/proc` is mounted must supply its own clock.
pub fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let part = u64::try_from(now.tv_nsec / 1_000_000).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(part)
}

/// Waits until a descriptor is ready, and returns for what: poll(2).
pub(super) fn wait(
    descriptor: &OwnedFd,
    flags: PollFlags,
    limit: Option<Duration>,
) -> Result<PollFlags, IoError> {
    // A limit that is too long for the kernel is no limit.
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    let mut fds = [PollFd::new(descriptor, flags)];
    if retry_on_intr(|| poll(&mut fds, limit.as_ref())).map_err(IoError::from_errno)? == 0 {
        return Err(IoError::TimedOut);
    }
    let [found] = fds;
    Ok(found.revents())
}

/// Sleeps: poll(2).
pub(super) fn pause(milliseconds: u64) -> Result<(), IoError> {
    let time = timespec(milliseconds);
    retry_on_intr(|| poll(&mut [], Some(&time))).map_err(IoError::from_errno)?;
    Ok(())
}

/// Converts milliseconds to the kernel's timespec(3).
pub(crate) fn timespec(milliseconds: u64) -> Timespec {
    let part = i64::try_from(milliseconds % 1000).unwrap_or(0);
    Timespec {
        tv_sec: i64::try_from(milliseconds / 1000).unwrap_or(i64::MAX),
        tv_nsec: part.saturating_mul(1_000_000),
    }
}

/// The pause before the next attempt to get a resource, such as a descriptor or a device, whose
/// availability the system does not report, in milliseconds.
pub(crate) const BACK_OFF: u64 = 100;

/// The deadline for a reply.
#[derive(Debug)]
pub(super) struct Deadline {
    timer: OwnedFd,
    limit: Timespec,
    /// True if the timer was set for the current reply.
    running: bool,
}

impl Deadline {
    /// Creates a deadline with a stopped timer. Returns None if the limit is too long for the
    /// kernel, which is no limit.
    pub fn new(limit: Duration) -> Result<Option<Self>, IoError> {
        // Zero would disarm the timer.
        let Ok(limit) = Timespec::try_from(limit.max(Duration::from_nanos(1))) else {
            return Ok(None);
        };
        Ok(Some(Deadline {
            timer: timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)
                .map_err(IoError::from_errno)?,
            limit,
            running: false,
        }))
    }

    /// Waits until input is available, but not beyond the deadline. Starts the timer if it is not
    /// running.
    pub fn wait(&mut self, descriptor: &OwnedFd) -> Result<(), IoError> {
        if !self.running {
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: self.limit,
            };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)
                .map_err(IoError::from_errno)?;
            self.running = true;
        }
        let mut fds = [
            PollFd::new(descriptor, PollFlags::IN),
            PollFd::new(&self.timer, PollFlags::IN),
        ];
        retry_on_intr(|| poll(&mut fds, None)).map_err(IoError::from_errno)?;
        // The deadline has passed, even if input is available.
        let [_, timer] = fds;
        if !timer.revents().is_empty() {
            return Err(IoError::TimedOut);
        }
        Ok(())
    }

    /// Records that a call is sent. Its reply has the full time.
    pub fn called(&mut self) {
        self.running = false;
    }

    /// Records received bytes. A reply ends with its NUL, and the next reply has the full time.
    pub fn received(&mut self, bytes: &[u8]) {
        self.running &= find_nul(bytes).is_none();
    }
}
