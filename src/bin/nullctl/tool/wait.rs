//! `wait`.

use core::ffi::CStr;
use core::time::Duration;

use nullink::json::Raw;
use nullink::service::GetInfo;
use nullink::unix::{IoError, Stream};
use nullink::{Client, Error, Method};
use rustix::event::{Timespec, poll};

use super::options::millis;
use super::output::{Failure, complain, fail, fail_at, is_terminal};
use super::route::{call, look_up, timeouts};
use super::system::{Standard, System};
use super::texts::AddressText;
use super::{Tool, text};

/// The pause between two tries. The kernel does not tell when a socket begins to listen.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// The longest time of one try, in milliseconds. A service that hangs may be replaced by another at
/// its address.
const TRY: u64 = 5000;

/// The time after which a person is told what the tool waits for, in milliseconds.
const PATIENCE: u64 = 1000;

pub fn wait(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let service = words.first().copied().map_or("", text);
    let limit = tool.options.wanted_limit();
    let limit = limit.map(millis);
    let mut told = tool.options.quiet || !is_terminal(Standard::Error);
    let start = tool.system.monotonic();
    let since = || tool.system.monotonic().saturating_sub(start);
    loop {
        let left = limit.map_or(TRY, |limit| limit.saturating_sub(since()));
        // Zero would be without a limit.
        let left = Duration::from_millis(left.clamp(1, TRY));
        let asked = ask(tool.system, service, left, tool.receive, tool.send);
        let Err(error) = asked else {
            return Ok(());
        };
        if is_permanent(&error) {
            return Err(fail_at(service, &error));
        }
        let since = since();
        if limit.is_some_and(|limit| limit <= since) {
            return Err(fail(format_args!(
                "{service}: no answer within the timeout: {error}"
            )));
        }
        if !told && since >= PATIENCE {
            told = true;
            complain(format_args!("waiting for {service}: {error}"));
        }
        // A signal makes the pause shorter.
        let _ = poll(&mut [], Some(&PAUSE));
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
    call(
        &mut Client::new(stream, receive, send),
        GetInfo::NAME,
        Raw::EMPTY_OBJECT,
    )
    .map(drop)
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
