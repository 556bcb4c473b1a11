//! Joins two connections, without looking at the bytes.

use heapless::Vec;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsRawFd, BorrowedFd, RawFd};
use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::net::{SendFlags, Shutdown, send, shutdown};

use super::output::{Failure, SystemError, fail_at};
use super::system::Standard;
use crate::standard;

/// One of the two ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Service,
}

/// The descriptors of an end. Both may be the same.
#[derive(Clone, Copy)]
pub struct End<'f> {
    pub input: BorrowedFd<'f>,
    pub output: BorrowedFd<'f>,
}

impl End<'static> {
    /// Standard input and output.
    pub fn standard() -> Self {
        End {
            input: standard(Standard::Input),
            output: standard(Standard::Output),
        }
    }
}

impl<'f> End<'f> {
    /// The end of a socket.
    pub fn of(socket: &'f impl rustix::fd::AsFd) -> Self {
        End {
            input: socket.as_fd(),
            output: socket.as_fd(),
        }
    }
}

/// The largest number of bytes that one write passes on. A descriptor that poll(2) reports takes as
/// many without blocking: PIPE_BUF, pipe(7).
const CHUNK: usize = 4096;

/// After the client has gone, the time for the service to take the client's last bytes.
const GRACE: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// Passes bytes on in both directions until both have ended, or until an end has gone and the last
/// bytes of the other are passed on. `observe` sees all bytes before the other end.
///
/// An end of input is passed on as one, if the other end is a socket. A slow end does not hold up
/// the other direction. File descriptors that are sent over sockets are closed. With
/// `until_service_ends`, the end of the service's input is the end of both directions.
///
/// # Errors
///
/// Fails if poll(2) fails. Fails at the end if bytes could not be read or passed on, unless the
/// reason is that an end has gone.
#[inline(never)]
pub fn join(
    client: End<'_>,
    service: End<'_>,
    until_service_ends: bool,
    observe: &mut dyn FnMut(Side, &[u8]),
) -> Result<(), Failure> {
    let (mut calls, mut replies) = ([0; CHUNK], [0; CHUNK]);
    let mut ways = [
        Way::new(Side::Client, client, service, &mut calls),
        Way::new(Side::Service, service, client, &mut replies),
    ];
    loop {
        for way in &mut ways {
            if way.ended && way.start == way.end && !way.done {
                // A pipe is closed at the end of the process.
                let _ = shutdown(way.to, Shutdown::Write);
                way.done = true;
            }
        }
        let [call, reply] = &ways;
        if reply.done && (call.done || until_service_ends) {
            break;
        }
        // The client has gone: its way back is done, before the service has ended it.
        let limit = reply.gone.then_some(&GRACE);
        let flags = [call.interest(), reply.interest()];
        let mut fds = Vec::<PollFd<'_>, 4>::new();
        for (way, [from, to]) in ways.iter().zip(&flags) {
            // There is room for all.
            let _ = from.map(|flags| fds.push(PollFd::from_borrowed_fd(way.from, flags)));
            let _ = to.map(|flags| fds.push(PollFd::from_borrowed_fd(way.to, flags)));
        }
        let count = retry_on_intr(|| poll(&mut fds, limit));
        if count.map_err(|errno| fail_at("poll", &SystemError(errno)))? == 0 {
            break;
        }
        let mut ready = fds.iter().map(PollFd::revents);
        for (way, [from, to]) in ways.iter_mut().zip(&flags) {
            let from = from
                .and_then(|_| ready.next())
                .unwrap_or(PollFlags::empty());
            let to = to.and_then(|_| ready.next()).unwrap_or(PollFlags::empty());
            if !to.is_empty() {
                way.write(to);
            }
            if !from.is_empty() {
                way.read(observe);
            }
        }
    }
    for way in ways {
        match way.failed {
            None | Some((_, Errno::PIPE | Errno::CONNRESET)) => {}
            Some((number, errno)) => {
                let name = match number {
                    0 => "standard input",
                    1 => "standard output",
                    _ => "connection",
                };
                return Err(fail_at(name, &SystemError(errno)));
            }
        }
    }
    Ok(())
}

/// One direction.
struct Way<'f> {
    side: Side,
    from: BorrowedFd<'f>,
    to: BorrowedFd<'f>,
    buffer: &'f mut [u8; CHUNK],
    /// The range of the bytes in the buffer that are not passed on yet.
    start: usize,
    end: usize,
    /// True if no more bytes can be read.
    ended: bool,
    /// True if no more bytes are passed on.
    done: bool,
    /// True if the end that the bytes are for has gone.
    gone: bool,
    /// The number of a descriptor that has failed, and why.
    failed: Option<(RawFd, Errno)>,
}

impl<'f> Way<'f> {
    fn new(side: Side, from: End<'f>, to: End<'f>, buffer: &'f mut [u8; CHUNK]) -> Self {
        Way {
            side,
            from: from.input,
            to: to.output,
            buffer,
            start: 0,
            end: 0,
            ended: false,
            done: false,
            gone: false,
            failed: None,
        }
    }

    /// The events to wait for on both descriptors. Even without flags poll(2) reports that an end
    /// has gone, each time.
    fn interest(&self) -> [Option<PollFlags>; 2] {
        let is_empty = self.start == self.end;
        let from = (is_empty && !self.ended).then_some(PollFlags::IN);
        let flags = if is_empty {
            PollFlags::empty()
        } else {
            PollFlags::OUT
        };
        [from, (!self.done).then_some(flags)]
    }

    fn read(&mut self, observe: &mut dyn FnMut(Side, &[u8])) {
        match read(self.from, &mut *self.buffer) {
            Ok(count @ 1..) => {
                observe(self.side, self.buffer.get(..count).unwrap_or_default());
                // If the other end has gone, nobody gets the bytes.
                (self.start, self.end) = (0, if self.done { 0 } else { count });
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Ok(0) => self.ended = true,
            Err(errno) => {
                self.ended = true;
                self.failed = Some((self.from.as_raw_fd(), errno));
            }
        }
    }

    fn write(&mut self, ready: PollFlags) {
        let bytes = self.buffer.get(self.start..self.end).unwrap_or_default();
        let written = if ready.contains(PollFlags::OUT) {
            write_now(self.to, bytes)
        } else {
            Err(Errno::PIPE)
        };
        match written {
            Ok(count) => self.start = self.start.saturating_add(count).min(self.end),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(errno) => {
                self.failed = Some((self.to.as_raw_fd(), errno));
                (self.start, self.end) = (0, 0);
                (self.ended, self.done, self.gone) = (true, true, true);
            }
        }
    }
}

/// Writes some bytes to a descriptor that poll(2) has reported, without waiting.
pub fn write_now(to: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
    let bytes = bytes.get(..CHUNK).unwrap_or(bytes);
    match send(to, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Err(Errno::NOTSOCK) => write(to, bytes),
        written => written,
    }
}
