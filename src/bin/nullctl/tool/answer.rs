//! Calls on standard input that the tool answers itself, on standard output.

use nullink::json;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;
use rustix::io::{read, retry_on_intr};

use super::output::{Failure, Output, SystemError, fail};
use super::system::Standard;
use crate::standard;

/// The interface that every service has.
pub const SERVICE: &str = "org.varlink.service";

/// Its definition.
const DEFINITION: &str = include_str!("../../../org.varlink.service.varlink");

/// The reply to GetInfo, up to the second interface.
const INFO: &str = concat!(
    r#"{"parameters":{"vendor":"Nullink","product":"nullctl","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#"","url":"https://varlink.org","interfaces":["org.varlink.service""#
);

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
            Some(0) => return Err(fail(format_args!("standard input ends in a call"))),
            None => return Err(fail(format_args!("standard input: a call is too long"))),
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
    polled.map_err(|errno| fail(format_args!("poll: {}", SystemError(errno))))?;
    let [ready, gone] = fds.map(|fd| !fd.revents().is_empty());
    // At the end of a socket there may be calls that want no reply.
    if gone && !ready {
        return Err(Failure(0));
    }
    Ok(ready)
}

/// Answers calls.
pub struct Answer<'t> {
    pub out: &'t mut Output,
    /// Room for a string.
    pub scratch: &'t mut [u8],
}

impl Answer<'_> {
    /// Answers with an error, which has at most one parameter.
    pub fn error(&mut self, error: &str, parameter: Option<(&str, &str)>) -> Result<(), Failure> {
        self.out
            .print(format_args!(r#"{{"error":"{error}","parameters":{{"#))?;
        if let Some((name, value)) = parameter {
            self.string(name)?;
            self.out.text(":")?;
            self.string(value)?;
        }
        self.end("}}\0")
    }

    /// Answers with an error of org.varlink.service.
    pub fn refuse(&mut self, error: &str, parameter: Option<(&str, &str)>) -> Result<(), Failure> {
        let mut name = heapless::String::<64>::new();
        for part in [SERVICE, ".", error] {
            let _ = name.push_str(part);
        }
        self.error(&name, parameter)
    }

    /// Begins an answer to GetInfo. The interfaces follow.
    pub fn info(&mut self) -> Result<(), Failure> {
        self.out.text(INFO)
    }

    /// Adds an interface.
    pub fn interface(out: &mut Output, interface: &str) -> Result<(), Failure> {
        if interface == SERVICE {
            return Ok(());
        }
        out.print(format_args!(",\"{interface}\""))
    }

    /// Answers with a definition; None is that of org.varlink.service.
    pub fn description(&mut self, text: Option<&str>) -> Result<(), Failure> {
        self.out.text(r#"{"parameters":{"description":"#)?;
        self.string(text.unwrap_or(DEFINITION))?;
        self.end("}}\0")
    }

    /// Ends a message, and sends it.
    pub fn end(&mut self, text: &str) -> Result<(), Failure> {
        self.out.text(text)?;
        self.out.flush()
    }

    fn string(&mut self, text: &str) -> Result<(), Failure> {
        let text = json::encode(text, self.scratch);
        self.out
            .text(text.map_err(|error| fail(format_args!("{error}")))?)
    }
}
