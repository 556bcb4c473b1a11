//! Calls on standard input that the tool answers itself, on standard output.

use nullink::{Call, Mode, json, name};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;
use rustix::io::{read, retry_on_intr};

use super::output::{Failure, Output, SystemError, fail_at};
use super::system::Standard;
use super::texts::parts;
use crate::standard;

/// The interface that every service has.
pub const SERVICE: &str = "org.varlink.service";

/// Its definition, which the library has as well.
const DEFINITION: &str = include_str!("../../../org.varlink.service.varlink");

/// The reply to GetInfo, up to the second interface.
const INFO: &str = concat!(
    r#"{"parameters":{"vendor":"Nullink","product":"nullctl","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#"","url":"https://varlink.org","interfaces":["org.varlink.service""#
);

/// The name of standard input in messages.
const INPUT: &str = "standard input";

/// Messages that are received into a buffer.
pub struct Messages<'b> {
    buffer: &'b mut [u8],
    /// The range of the bytes that were received.
    start: usize,
    end: usize,
    /// The number of these bytes that have no NUL.
    searched: usize,
}

impl<'b> Messages<'b> {
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Messages {
            buffer,
            start: 0,
            end: 0,
            searched: 0,
        }
    }

    /// Returns the bytes that were received, and the length of the message at their beginning, with
    /// its NUL, if it is complete.
    pub fn next(&mut self) -> (&[u8], Option<usize>) {
        let bytes = self.buffer.get(self.start..self.end).unwrap_or_default();
        let rest = bytes.get(self.searched..).unwrap_or_default();
        let found = rest.iter().position(|byte| *byte == 0);
        self.searched = self.searched.saturating_add(found.unwrap_or(rest.len()));
        (bytes, found.map(|_| self.searched.saturating_add(1)))
    }

    /// Discards bytes at the beginning.
    #[inline(never)]
    pub fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        self.searched = 0;
    }

    /// Receives at most `limit` bytes, and returns their number: 0 at the end of input, None if the
    /// buffer is full.
    pub fn receive(
        &mut self,
        limit: usize,
        read: &mut dyn FnMut(&mut [u8]) -> usize,
    ) -> Option<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            let count = self.end.saturating_sub(self.start);
            let cells = core::cell::Cell::from_mut(&mut *self.buffer).as_slice_of_cells();
            let from = cells.get(self.start..self.end).unwrap_or_default();
            cells
                .iter()
                .zip(from)
                .for_each(|(to, from)| to.set(from.get()));
            (self.start, self.end) = (0, count);
        }
        let spare = self.buffer.get_mut(self.end..)?;
        let limit = limit.min(spare.len());
        let spare = spare.get_mut(..limit).filter(|spare| !spare.is_empty())?;
        let count = read(spare);
        self.end = self.end.saturating_add(count.min(limit));
        Some(count)
    }
}

/// Copies a message without its NUL, for parsing it.
pub fn copy<'b>(bytes: &[u8], buffer: &'b mut [u8]) -> &'b mut [u8] {
    let room = buffer.get_mut(..bytes.len().saturating_sub(1));
    let room = room.unwrap_or_default();
    room.iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    room
}

/// A call, as far as the tool looks at it.
pub struct Question<'c> {
    pub method: &'c str,
    pub mode: Mode,
    /// The name of the first parameter.
    pub parameter: Option<&'c str>,
    /// The interface that GetInterfaceDescription is asked for, or else that of the method; empty if
    /// there is none.
    pub interface: &'c str,
}

impl<'c> Question<'c> {
    /// Parses a call in a buffer, into which it is copied without its NUL.
    ///
    /// # Errors
    ///
    /// Fails if the message is not a call.
    pub fn parse(bytes: &[u8], buffer: &'c mut [u8]) -> Result<Self, Failure> {
        let call = Call::parse(copy(bytes, buffer)).map_err(|error| fail_at(INPUT, &error))?;
        let (method, mode) = (call.method(), call.mode());
        let parameters = call.into_parameters();
        let mut parameter = None;
        let mut interface = name::split(method).map_or("", |(interface, _)| interface);
        if method == GET_DESCRIPTION {
            let wanted = parameters.member("interface");
            interface = wanted.and_then(|value| value.decode()).unwrap_or("");
        } else if let Ok(mut items) = parameters.items() {
            parameter = items.next().map(|item| item.key());
        }
        Ok(Question {
            method,
            mode,
            parameter,
            interface,
        })
    }

    /// Answers a call of a service that has one method or none, if it is not a call of that. Calls
    /// `interfaces` to print further interfaces.
    pub fn answer(
        &self,
        own: (&str, &str),
        out: &mut Output,
        interfaces: &mut dyn FnMut(&mut Output),
    ) -> Result<(), Failure> {
        let (own, member) = own;
        match self.method {
            GET_INFO => {
                out.text(INFO);
                interface(out, own);
                interfaces(out);
                return end(out, "]}}\0");
            }
            GET_DESCRIPTION if self.interface == SERVICE => {
                out.text(DESCRIPTION);
                for line in parts(DEFINITION, b'\n') {
                    out.text(line);
                    out.text("\\n");
                }
                return end(out, "\"}}\0");
            }
            GET_DESCRIPTION if self.interface.is_empty() => {}
            GET_DESCRIPTION if self.interface == own => {
                for part in [DESCRIPTION, "interface ", own, OWN, member] {
                    out.text(part);
                }
                return end(out, "() -> ()\\n\"}}\0");
            }
            _ => {}
        }
        let (error, name, value) = if self.method == GET_DESCRIPTION && self.interface.is_empty() {
            ("InvalidParameter", "parameter", "interface")
        } else if matches!(self.interface, "" | SERVICE) || self.interface == own {
            ("MethodNotFound", "method", self.method)
        } else {
            ("InterfaceNotFound", "interface", self.interface)
        };
        refuse(out, error, name, value)
    }
}

/// Waits for the next call on standard input, and returns its bytes with the NUL; None at the end of
/// input. Reads at most `limit` bytes at once.
///
/// # Errors
///
/// Fails if the input ends in a message, or if a message is too long; quietly if standard output has
/// lost its reader.
pub fn next_call(calls: &mut Messages<'_>, limit: usize) -> Result<Option<usize>, Failure> {
    let input = standard(Standard::Input);
    loop {
        if let (_, Some(length)) = calls.next() {
            return Ok(Some(length));
        }
        wait(input, PollFlags::IN, None)?;
        let mut read = |spare: &mut [u8]| retry_on_intr(|| read(input, &mut *spare)).unwrap_or(0);
        match calls.receive(limit, &mut read) {
            Some(1..) => {}
            Some(0) if calls.start == calls.end => return Ok(None),
            Some(0) => return Err(fail_at(INPUT, &"ends in a call")),
            None => return Err(fail_at(INPUT, &"a call is too long")),
        }
    }
}

/// Waits until a descriptor is ready, and returns true, or false after the limit.
///
/// # Errors
///
/// Fails quietly if standard output has lost its reader.
pub fn wait(
    descriptor: BorrowedFd<'_>,
    flags: PollFlags,
    limit: Option<&Timespec>,
) -> Result<bool, Failure> {
    let output = standard(Standard::Output);
    let mut fds = [
        PollFd::from_borrowed_fd(descriptor, flags),
        PollFd::from_borrowed_fd(output, PollFlags::empty()),
    ];
    let polled = retry_on_intr(|| poll(&mut fds, limit));
    polled.map_err(|errno| fail_at("poll", &SystemError(errno)))?;
    let [ready, gone] = fds.map(|fd| !fd.revents().is_empty());
    // At the end of a socket there may be calls that want no reply.
    if gone && !ready {
        return Err(Failure::Quiet);
    }
    Ok(ready)
}

const GET_INFO: &str = "org.varlink.service.GetInfo";
const GET_DESCRIPTION: &str = "org.varlink.service.GetInterfaceDescription";

/// The beginning of a definition in JSON.
const DESCRIPTION: &str = r#"{"parameters":{"description":""#;

/// What is between the names of the interface and of the method in the definition of `serve`.
const OWN: &str = r"\n\n# [Requires 'upgrade' flag]\nmethod ";

/// Adds an interface to the reply to GetInfo, if it is one. A failure is seen at its end.
pub fn interface(out: &mut Output, interface: &str) {
    if interface != SERVICE && name::is_interface(interface) {
        for part in [",\"", interface, "\""] {
            out.text(part);
        }
    }
}

/// Answers with an error of org.varlink.service. It has a parameter if its name is not empty.
pub fn refuse(out: &mut Output, error: &str, name: &str, value: &str) -> Result<(), Failure> {
    error_of("org.varlink.service.", out, error, name, value)
}

/// Answers with an error of an interface, whose name ends with a dot.
pub fn error_of(
    interface: &str,
    out: &mut Output,
    error: &str,
    name: &str,
    value: &str,
) -> Result<(), Failure> {
    for part in ["{\"error\":\"", interface, error, "\",\"parameters\":{"] {
        out.text(part);
    }
    if !name.is_empty() {
        for part in ["\"", name, "\":"] {
            out.text(part);
        }
        // A name that is much longer than that of any method is not repeated.
        let mut room = [0; 1024];
        out.text(json::encode(value, &mut room).unwrap_or("\"\""));
    }
    end(out, "}}\0")
}

fn end(out: &mut Output, text: &str) -> Result<(), Failure> {
    out.text(text);
    out.flush()
}
