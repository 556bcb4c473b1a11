//! `monitor`.

use core::ffi::CStr;
use core::fmt::{self, Write};

use nullink::{Call, Mode, Reply};
use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, OFlags, flock, open};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::clients::{is_listening, listen, serve_clients};
use super::connect::connect;
use super::join::{End, Side, join};
use super::output::{Failure, is_terminal, write_all};
use super::program::SELF;
use super::system::{Command, Passed, Standard};
use super::texts::Number;
use super::{Tool, text};
use crate::standard;

/// The longest part of a message that is printed on a terminal, in bytes.
const SHOWN: usize = 512;

pub fn monitor(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let [service, address, rest @ ..] = words else {
        return Err(Failure::Failed);
    };
    let socket = listen(tool.system, address)?;
    if !is_listening(&socket)? {
        let name = rest.first().copied().map_or("-", text);
        return monitor_one(tool, &socket, text(service), name);
    }
    let mut number = 0_usize;
    serve_clients(&socket, true, &mut |client| {
        number = number.wrapping_add(1);
        let mut name = Line {
            buffer: &mut [0; PREFIX + 32],
            length: 0,
        };
        let _ = write!(name, "{}\0", Number(number));
        let name = name.buffer.get(PREFIX..).map(CStr::from_bytes_until_nul);
        let name = name.and_then(Result::ok).unwrap_or_default();
        let arguments = [c"nullctl", c"monitor", c"--", *service, c"-", name];
        tool.system.start(&Command {
            path: SELF,
            arguments: &arguments,
            passed: Passed::Input(client),
        })
    })
}

/// Passes one connection on.
#[inline(never)]
fn monitor_one(
    tool: &mut Tool<'_>,
    client: &OwnedFd,
    address: &str,
    name: &str,
) -> Result<(), Failure> {
    // The connections end with the monitor that has accepted them.
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
    let half = tool.receive.len() / 2;
    let (calls, replies) = tool.receive.split_at_mut_checked(half).unwrap_or_default();
    let mut printer = Printer {
        line: Line {
            buffer: tool.input,
            length: 0,
        },
        name,
        color: tool.options.color == Some(true),
        shown: if is_terminal(Standard::Output) {
            SHOWN
        } else {
            usize::MAX
        },
        lock: output_lock(),
        gone: false,
        calls: Message::new(calls),
        replies: Message::new(replies),
        outstanding: 0,
        upgrading: false,
        upgraded: false,
    };
    let service = connect(tool.system, tool.options, address)?;
    printer.event("connected");
    let ends = (End::of(client), End::of(&service));
    let joined = join(ends.0, ends.1, false, &mut |side, bytes| {
        printer.observe(side, bytes);
    });
    printer.event("closed");
    joined
}

/// Opens standard output again, for a lock that the processes of all clients share: flock(2). None
/// if it cannot be opened, such as a socket.
fn output_lock() -> Option<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    open(c"/proc/self/fd/1", flags, rustix::fs::Mode::empty()).ok()
}

/// Prints what passes.
struct Printer<'t> {
    line: Line<'t>,
    /// The number of the client.
    name: &'t str,
    color: bool,
    /// The longest part of a message that is printed.
    shown: usize,
    lock: Option<OwnedFd>,
    /// True if the output has no reader.
    gone: bool,
    /// The next call, and the next reply, as far as they have passed.
    calls: Message<'t>,
    replies: Message<'t>,
    /// The number of calls whose final reply has not passed.
    outstanding: u32,
    /// True if the last of them has asked for an upgrade.
    upgrading: bool,
    upgraded: bool,
}

/// A part of a message.
struct Message<'t> {
    buffer: &'t mut [u8],
    /// The length, which may be larger than the buffer.
    length: usize,
}

impl<'t> Message<'t> {
    fn new(buffer: &'t mut [u8]) -> Self {
        Message { buffer, length: 0 }
    }

    fn add(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        if let Some(room) = self.buffer.get_mut(self.length..end) {
            room.iter_mut()
                .zip(bytes)
                .for_each(|(to, from)| *to = *from);
        }
        self.length = end;
    }
}

impl Printer<'_> {
    /// Prints the messages that are complete.
    fn observe(&mut self, side: Side, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            // What the client sends after a call with `upgrade` belongs to the other protocol.
            if self.upgraded || side == Side::Client && self.upgrading {
                self.line.length = 0;
                let _ = write!(self.line, "{} bytes", Number(rest.len()));
                return self.print(side, false);
            }
            let end = rest.iter().position(|byte| *byte == 0);
            let (part, tail) = match end.and_then(|end| rest.split_at_checked(end)) {
                Some((part, tail)) => (part, tail.get(1..).unwrap_or_default()),
                None => (rest, &[][..]),
            };
            let message = match side {
                Side::Client => &mut self.calls,
                Side::Service => &mut self.replies,
            };
            message.add(part);
            if end.is_some() {
                self.message(side);
            }
            rest = tail;
        }
    }

    /// Prints a message that is complete.
    #[inline(never)]
    fn message(&mut self, side: Side) {
        let message = match side {
            Side::Client => &mut self.calls,
            Side::Service => &mut self.replies,
        };
        let length = core::mem::take(&mut message.length);
        self.line.length = 0;
        let text = message.buffer.get_mut(..length);
        match text.as_deref().map(core::str::from_utf8) {
            Some(Ok(text)) => self.line.json(text, self.shown),
            _ => _ = write!(self.line, "{} bytes", Number(length)),
        }
        let text = text.unwrap_or_default();
        let bad = match side {
            Side::Client => match Call::parse(text) {
                Ok(call) if call.mode() == Mode::Oneway => false,
                Ok(call) => {
                    self.outstanding = self.outstanding.saturating_add(1);
                    self.upgrading = call.mode() == Mode::Upgrade;
                    false
                }
                Err(_) => true,
            },
            Side::Service => match Reply::parse(text) {
                Ok(reply) if reply.continues() => false,
                Ok(reply) => {
                    self.outstanding = self.outstanding.saturating_sub(1);
                    let failed = reply.error().is_some();
                    self.upgraded = self.upgrading && self.outstanding == 0 && !failed;
                    self.upgrading &= self.outstanding > 0;
                    failed
                }
                Err(_) => true,
            },
        };
        self.print(side, bad);
    }

    /// Prints an event of the connection.
    fn event(&mut self, event: &str) {
        self.line.length = 0;
        let _ = self.line.write_str(event);
        self.write("--", GRAY);
    }

    /// Prints the line. Errors and messages that are not valid are red.
    fn print(&mut self, side: Side, bad: bool) {
        let (direction, color) = match side {
            Side::Client => ("->", CYAN),
            Side::Service => ("<-", GREEN),
        };
        self.write(direction, if bad { RED } else { color });
    }

    /// Writes the line, with number and direction before it. The lines of several processes do not
    /// mix, however long they are.
    fn write(&mut self, direction: &str, color: &str) {
        let mut head = heapless::String::<PREFIX>::new();
        let (color, plain) = if self.color {
            (color, "\x1b[0m ")
        } else {
            ("", " ")
        };
        for part in [self.name, " ", color, direction, plain] {
            // A longer name is left out.
            let _ = head.push_str(part);
        }
        self.line.push(b'\n');
        let Some(line) = self.line.with_prefix(head.as_bytes()) else {
            return;
        };
        if !self.gone {
            let lock = self.lock.as_ref();
            let locked = lock.filter(|lock| flock(lock, FlockOperation::LockExclusive).is_ok());
            self.gone = write_all(standard(Standard::Output), line).is_err();
            let _ = locked.map(|lock| flock(lock, FlockOperation::Unlock));
        }
    }
}

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const CYAN: &str = "\x1b[36m";
const GRAY: &str = "\x1b[90m";

/// The length of the longest part of a line before the message.
const PREFIX: usize = 32;

/// A line of output, which is written at once.
struct Line<'t> {
    /// Room for a prefix, and the message.
    buffer: &'t mut [u8],
    /// The length of the message.
    length: usize,
}

impl Line<'_> {
    /// Adds a byte, if there is room.
    fn push(&mut self, byte: u8) {
        let end = self.length.saturating_add(PREFIX);
        if let Some(place) = self.buffer.get_mut(end) {
            *place = byte;
            self.length = self.length.saturating_add(1);
        }
    }

    /// Returns the whole line.
    fn with_prefix(&mut self, prefix: &[u8]) -> Option<&[u8]> {
        let begin = PREFIX.checked_sub(prefix.len())?;
        let room = self.buffer.get_mut(begin..PREFIX)?;
        room.iter_mut()
            .zip(prefix)
            .for_each(|(to, from)| *to = *from);
        self.buffer.get(begin..PREFIX.saturating_add(self.length))
    }

    /// Adds JSON text without white space. Characters that control a terminal are escaped. After
    /// `shown` bytes the rest is left out.
    #[inline(never)]
    fn json(&mut self, text: &str, shown: usize) {
        let mut in_string = false;
        let mut escaped = false;
        let mut before = 0;
        for byte in text.bytes() {
            let is_control = byte < b' ' || byte == 0x7f || before == 0xc2 && byte < 0xa0;
            if self.length >= shown && !(0x80..0xc0).contains(&byte) {
                let _ = write!(self, "... ({} bytes)", Number(text.len()));
                return;
            }
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' if !in_string => continue,
                b'"' if !escaped => in_string = !in_string,
                _ => {}
            }
            escaped = byte == b'\\' && !escaped;
            if is_control {
                // The first byte of two is replaced, too.
                self.length = self.length.saturating_sub(usize::from(byte >= 0x80));
                let _ = self.write_str("\\u00");
                for digit in [byte >> 4, byte & 15] {
                    self.push(
                        b"0123456789abcdef"
                            .get(usize::from(digit))
                            .map_or(b'0', |digit| *digit),
                    );
                }
            } else {
                self.push(byte);
            }
            before = byte;
        }
    }
}

impl Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.push(byte);
        }
        Ok(())
    }
}
