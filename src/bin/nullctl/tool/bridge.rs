//! `bridge`.

use core::ffi::CStr;
use core::time::Duration;

use nullink::embedded_io::ReadReady;
use nullink::unix::Stream;
use nullink::{Mode, Reply, name};
use rustix::event::{PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::{Errno, read, retry_on_intr};
use rustix::net::{Shutdown, shutdown};

use super::Tool;
use super::answer::{self, Messages, Question, SERVICE, copy, next_call, wait};
use super::connect::connect;
use super::join::{End, join, write_now};
use super::options::Options;
use super::output::{Failure, Output};
use super::route::Routes;
use super::system::System;
use super::texts::AddressText;

// Varlink has no errors for what is not the service's answer. These are the names that sd-varlink(3)
// gives its callers, without `io.systemd.`.
const DISCONNECTED: &str = "Disconnected";
const TIMED_OUT: &str = "TimedOut";
const PROTOCOL: &str = "Protocol";

pub fn bridge(tool: &mut Tool<'_>, _: &[&'static CStr]) -> Result<(), Failure> {
    let (options, out) = (tool.options, &mut *tool.out);
    let routes = Routes::new(tool.system, options);
    let mut calls = Messages::new(tool.receive);
    // The connection of the last call.
    let mut open: Option<(AddressText, Stream)> = None;
    while let Some(length) = next_call(&mut calls, usize::MAX)? {
        let (bytes, _) = calls.next();
        let bytes = bytes.get(..length).unwrap_or_default();
        let question = Question::parse(bytes, tool.input)?;
        let (mode, interface) = (question.mode, question.interface);
        let half = tool.send.len() / 2;
        let halves = tool.send.split_at_mut_checked(half);
        let (one, other) = halves.unwrap_or_default();
        let address = match options.connect {
            Some(address) => AddressText::try_from(address).ok(),
            None if interface == SERVICE || !name::is_interface(interface) => None,
            None => routes.find(interface, one, other),
        };
        let error = match address {
            Some(address) => {
                // A service says nothing before a call, so one that does has ended.
                let is_open = open.as_mut().is_some_and(|(other, stream)| {
                    *other == address && stream.read_ready() == Ok(false)
                });
                if !is_open {
                    open = open_service(tool.system, options, address);
                }
                let done = match &mut open {
                    Some((_, stream)) => {
                        let limit = options.wanted_limit();
                        let mut service = Service {
                            to: stream.as_fd(),
                            limit,
                            out,
                        };
                        service.forward(bytes, mode, tool.input, tool.send)?
                    }
                    None => Forwarded::Lost(DISCONNECTED),
                };
                match done {
                    Forwarded::Answered => None,
                    Forwarded::Lost(error) => Some(error),
                    Forwarded::Upgraded => {
                        calls.consume(length);
                        let (rest, _) = calls.next();
                        return match &open {
                            Some((_, stream)) => upgraded(stream, rest),
                            None => Ok(()),
                        };
                    }
                }
            }
            None if mode == Mode::Oneway => None,
            None => {
                question.answer(("", ""), out, &mut |out| {
                    routes.interfaces(one, other, &mut |name| answer::interface(out, name));
                })?;
                None
            }
        };
        if let Some(error) = error {
            open = None;
            if mode != Mode::Oneway {
                answer::error_of("io.systemd.", out, error, "", "")?;
            }
        }
        calls.consume(length);
    }
    Ok(())
}

fn open_service(
    system: &dyn System,
    options: &Options<'_>,
    address: AddressText,
) -> Option<(AddressText, Stream)> {
    // The message of a failure is on standard error.
    let stream = connect(system, options, &address).ok()?;
    Some((address, stream))
}

/// Joins client and service after an upgrade. `rest` is what the client has sent already.
fn upgraded(stream: &Stream, rest: &[u8]) -> Result<(), Failure> {
    send(stream.as_fd(), rest, None)?;
    join(End::standard(), End::of(stream), false, &mut |_, _| {})
}

/// What has become of a call.
enum Forwarded {
    /// It is answered, or wants no reply.
    Answered,
    /// It has been answered, and the connection belongs to another protocol.
    Upgraded,
    /// It has no reply, or no final one, because of this error. The connection is lost.
    Lost(&'static str),
}

/// The service of a call.
struct Service<'t> {
    to: BorrowedFd<'t>,
    /// The time to wait for the service each time.
    limit: Option<Duration>,
    out: &'t mut Output,
}

impl Service<'_> {
    /// Passes a call on, and its replies back.
    fn forward(
        &mut self,
        call: &[u8],
        mode: Mode,
        scratch: &mut [u8],
        receive: &mut [u8],
    ) -> Result<Forwarded, Failure> {
        let limit = self.limit.and_then(|limit| Timespec::try_from(limit).ok());
        if let Some(error) = send(self.to, call, limit.as_ref())? {
            return Ok(Forwarded::Lost(error));
        }
        if mode == Mode::Oneway {
            return Ok(Forwarded::Answered);
        }
        let mut replies = Messages::new(receive);
        loop {
            let (bytes, length) = replies.next();
            let Some(length) = length else {
                if !wait(self.to, PollFlags::IN, limit.as_ref())? {
                    return Ok(Forwarded::Lost(TIMED_OUT));
                }
                let mut read =
                    |spare: &mut [u8]| retry_on_intr(|| read(self.to, &mut *spare)).unwrap_or(0);
                match replies.receive(usize::MAX, &mut read) {
                    Some(1..) => continue,
                    Some(0) => return Ok(Forwarded::Lost(DISCONNECTED)),
                    None => return Ok(Forwarded::Lost(PROTOCOL)),
                }
            };
            let message = bytes.get(..length).unwrap_or_default();
            let Ok(reply) = Reply::parse(copy(message, scratch)) else {
                return Ok(Forwarded::Lost(PROTOCOL));
            };
            if reply.continues() && mode != Mode::More {
                return Ok(Forwarded::Lost(PROTOCOL));
            }
            self.out.bytes(message);
            self.out.flush()?;
            let upgraded = mode == Mode::Upgrade && reply.error().is_none();
            let last = !reply.continues();
            replies.consume(length);
            let (rest, _) = replies.next();
            if upgraded {
                self.out.bytes(rest);
                self.out.flush()?;
                return Ok(Forwarded::Upgraded);
            }
            if last {
                if !rest.is_empty() {
                    // Nobody has asked for it. The next call gets a new connection.
                    let _ = shutdown(self.to, Shutdown::Both);
                }
                return Ok(Forwarded::Answered);
            }
        }
    }
}

/// Sends bytes to a service. Returns the error if it does not take them.
fn send(
    to: BorrowedFd<'_>,
    bytes: &[u8],
    limit: Option<&Timespec>,
) -> Result<Option<&'static str>, Failure> {
    let mut rest = bytes;
    while !rest.is_empty() {
        if !wait(to, PollFlags::OUT, limit)? {
            return Ok(Some(TIMED_OUT));
        }
        match write_now(to, rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => return Ok(Some(DISCONNECTED)),
        }
    }
    Ok(None)
}
