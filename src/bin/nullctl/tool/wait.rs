//! `wait`.

use core::ffi::CStr;
use core::time::Duration;

use nullink::json::Raw;
use nullink::service::GetInfo;
use nullink::unix::{IoError, Stream};
use nullink::{Client, Error, Method};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::retry_on_intr;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_gettime,
    timerfd_settime,
};

use super::output::{Failure, SystemError, complain, fail, fail_at, is_terminal};
use super::route::{call, look_up, timeouts};
use super::system::{Standard, System};
use super::texts::AddressText;
use super::{Tool, text};

/// The pause between two tries. The kernel does not tell when a socket begins to listen.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// The longest time of one try. A service that hangs may be replaced by another at its address.
const TRY: Duration = Duration::from_secs(5);

/// The limit if there is none: a hundred years.
pub const FOREVER: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// The time after which a person is told what the tool waits for, in milliseconds.
const PATIENCE: u128 = 1000;

pub fn wait(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let service = words.first().copied().map_or("", text);
    let limit = tool.options.wanted_limit();
    let limit = limit.unwrap_or(FOREVER);
    let mut told = tool.options.quiet || !is_terminal(Standard::Error);
    let timer = Timer::new(limit)?;
    loop {
        let left = timer.left().min(TRY);
        let asked = ask(tool.system, service, left, tool.receive, tool.send);
        let Err(error) = asked else {
            return Ok(());
        };
        if is_permanent(&error) {
            return Err(fail_at(service, &error));
        }
        if timer.wait() {
            return Err(fail(format_args!(
                "{service}: no answer within the timeout: {error}"
            )));
        }
        let since = limit.as_millis().saturating_sub(timer.left().as_millis());
        if !told && since >= PATIENCE {
            told = true;
            complain(format_args!("waiting for {service}: {error}"));
        }
    }
}

/// A timer that expires once: timerfd_create(2). Clocks of other kinds take more code.
pub struct Timer(pub OwnedFd);

impl Timer {
    pub fn new(time: Duration) -> Result<Self, Failure> {
        let once = Itimerspec {
            it_interval: Timespec::default(),
            // A time that is too long for the kernel is no limit.
            it_value: Timespec::try_from(time).unwrap_or_default(),
        };
        timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)
            .and_then(|timer| {
                timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once)?;
                Ok(Timer(timer))
            })
            .map_err(|errno| fail_at("timer", &SystemError(errno)))
    }

    /// Returns the time until it expires, which is zero after that.
    fn left(&self) -> Duration {
        let left = timerfd_gettime(&self.0).ok();
        let left = left.and_then(|times| Duration::try_from(times.it_value).ok());
        left.unwrap_or_default()
    }

    /// Waits until it expires, but not longer than the pause. Returns true if it has expired.
    fn wait(&self) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        matches!(retry_on_intr(|| poll(&mut fds, Some(&PAUSE))), Ok(1..))
    }
}

/// Asks the service for GetInfo. An error of the service is an answer, too.
#[inline(never)]
fn ask(
    system: &dyn System,
    service: &str,
    limit: Duration,
    receive: &mut [u8],
    send: &mut [u8],
) -> Result<(), Error<IoError>> {
    let mut found = AddressText::new();
    let address = look_up(system, service, &mut found);
    let address = address.ok_or(Error::Transport(IoError::NotFound))?;
    let stream = Stream::connect_with(address, timeouts(Some(limit)));
    let stream = stream.map_err(Error::Transport)?;
    let mut client = Client::new(stream, receive, send);
    call(&mut client, GetInfo::NAME, Raw::EMPTY_OBJECT).map(drop)
}

/// True if another try cannot succeed, because the address is not one to wait for.
fn is_permanent(error: &Error<IoError>) -> bool {
    matches!(
        error,
        Error::Transport(
            IoError::Address(_)
                | IoError::Exec
                | IoError::Vsock
                | IoError::NoHostNames
                | IoError::NoDevices
                | IoError::PathTooLong
        )
    )
}
