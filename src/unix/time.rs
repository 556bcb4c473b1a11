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

/// How long a client waits. None, the default, is no limit.
///
/// After [`IoError::TimedOut`] a [`Client`](crate::Client) can't be used any more: an answer that
/// comes late would be taken for that of the next call.
///
/// ```
/// use core::time::Duration;
/// use nullink::unix::Timeouts;
///
/// let timeouts = Timeouts { reply: Some(Duration::from_secs(5)), ..Timeouts::default() };
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// For the service to take the connection into its queue.
    pub connect: Option<Duration>,
    /// For the service to take the next bytes.
    pub send: Option<Duration>,
    /// For the next reply: from the moment in which it is waited for until its end, however many
    /// bytes come in between. The kernel keeps the time, in a timerfd(2) of the stream's own.
    ///
    /// A stream that was upgraded to a protocol without NULs has to be told otherwise:
    /// [`Stream::set_timeouts`](super::Stream::set_timeouts).
    pub reply: Option<Duration>,
}

/// The clock of a program with `/proc` and a vdso, for
/// [`Server::set_clock`](crate::server::Server::set_clock): milliseconds of `CLOCK_MONOTONIC`,
/// clock_gettime(2).
///
/// On older kernels rustix looks for the vdso in `/proc/self/auxv`. A program that runs before
/// `/proc` is there brings its own clock.
pub fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let part = u64::try_from(now.tv_nsec / 1_000_000).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(part)
}

/// Waits until a descriptor is ready.
pub(super) fn wait(
    descriptor: &OwnedFd,
    flags: PollFlags,
    limit: Option<Duration>,
) -> Result<(), IoError> {
    // A limit that does not fit is none.
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    let mut fds = [PollFd::new(descriptor, flags)];
    if retry_on_intr(|| poll(&mut fds, limit.as_ref())).map_err(IoError::from_errno)? == 0 {
        return Err(IoError::TimedOut);
    }
    Ok(())
}

/// Sleeps.
pub(super) fn pause(milliseconds: u64) -> Result<(), IoError> {
    let time = timespec(milliseconds);
    retry_on_intr(|| poll(&mut [], Some(&time))).map_err(IoError::from_errno)?;
    Ok(())
}

/// A time in milliseconds as the kernel counts it.
pub(crate) fn timespec(milliseconds: u64) -> Timespec {
    let part = i64::try_from(milliseconds % 1000).unwrap_or(0);
    Timespec {
        tv_sec: i64::try_from(milliseconds / 1000).unwrap_or(i64::MAX),
        tv_nsec: part.saturating_mul(1_000_000),
    }
}

/// How long to wait until something may be there that the system does not tell about:
/// descriptors, a device. In milliseconds.
pub(crate) const BACK_OFF: u64 = 100;

/// Until when a reply has to be there.
#[derive(Debug)]
pub(super) struct Deadline {
    timer: OwnedFd,
    limit: Timespec,
    running: bool,
}

impl Deadline {
    /// None, if the limit is more than the kernel can count: that is no limit.
    pub fn new(limit: Duration) -> Result<Option<Self>, IoError> {
        // Zero would turn the timer off.
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

    /// Waits until there is something to be read, but not beyond the deadline.
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
        // Whatever else there is to be read, the time is over.
        let [_, timer] = fds;
        if !timer.revents().is_empty() {
            return Err(IoError::TimedOut);
        }
        Ok(())
    }

    /// A call was made since the last reply: its own reply has all of the time.
    pub fn called(&mut self) {
        self.running = false;
    }

    /// A reply ends with its NUL. The next one has the time anew.
    pub fn received(&mut self, bytes: &[u8]) {
        self.running &= find_nul(bytes).is_none();
    }
}
