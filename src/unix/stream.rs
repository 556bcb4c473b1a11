//! One connection.

use core::time::Duration;

use embedded_io::{ErrorType, Read, Write};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, recv, send,
};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use super::error::Error;
use crate::address::Address;
use crate::bytes::find_nul;

/// How long a client waits. None, which is the default, is for ever.
///
/// After [`Error::TimedOut`] a [`Client`](crate::Client) can't be used any more: an answer that
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
    /// [`Stream::set_timeouts`].
    pub reply: Option<Duration>,
}

/// A connection over a Unix socket.
///
/// ```
/// use embedded_io::{Read, Write};
/// use nullink::unix::Stream;
///
/// let (mut a, mut b) = Stream::pair()?;
/// a.write(b"hello")?;
/// let mut buffer = [0; 8];
/// assert_eq!(b.read(&mut buffer), Ok(5));
/// # Ok::<(), nullink::unix::Error>(())
/// ```
#[derive(Debug)]
pub struct Stream {
    socket: OwnedFd,
    upgrades: Option<Inside>,
    send: Option<Duration>,
    reply: Option<Deadline>,
}

impl Stream {
    /// Connects to the socket at a path, or to an address (`unix:@name`).
    ///
    /// # Errors
    ///
    /// Why the path does not lead to a service: see [`Error`].
    pub fn connect(path: &str) -> Result<Self, Error> {
        let address = super::address(path)?;
        Stream::connect_to(address, Timeouts::default())
    }

    /// Connects to an address.
    ///
    /// # Errors
    ///
    /// Why the address does not lead to a service: see [`Error`].
    pub fn connect_to(address: Address<'_>, timeouts: Timeouts) -> Result<Self, Error> {
        let socket = super::new_socket()?;
        if let Some(limit) = timeouts.connect {
            // connect(2) goes by the timeout of send(2): socket(7). Zero would be none at all.
            let limit = limit.max(Duration::from_micros(1));
            set_socket_timeout(&socket, Timeout::Send, Some(limit))?;
            super::connect(&socket, address)?;
            set_socket_timeout(&socket, Timeout::Send, None)?;
        } else {
            super::connect(&socket, address)?;
        }
        let mut stream = Stream::from(socket);
        stream.set_timeouts(timeouts)?;
        Ok(stream)
    }

    /// Two ends of one connection: socketpair(2).
    ///
    /// # Errors
    ///
    /// If the system has no descriptors or no memory left.
    pub fn pair() -> Result<(Self, Self), Error> {
        let (a, b) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((a.into(), b.into()))
    }

    /// Sets how long to wait from now on. (`connect` is of no use any more.)
    ///
    /// # Errors
    ///
    /// If the system has no descriptor left for a timer.
    pub fn set_timeouts(&mut self, timeouts: Timeouts) -> Result<(), Error> {
        self.send = timeouts.send;
        self.reply = match timeouts.reply {
            Some(limit) => Deadline::new(limit)?,
            None => None,
        };
        Ok(())
    }

    /// Whether a read goes no further than to the end of a call that may upgrade the connection,
    /// so that whoever reads from the descriptor next finds the first byte of the other protocol:
    /// UAPI.20, "`upgrade`". It costs one more system call for each read.
    ///
    /// [`serve`](super::serve()) sees to it, for a service that
    /// [upgrades](crate::Service::UPGRADES).
    pub fn stop_at_upgrades(&mut self, stop: bool) {
        self.upgrades = stop.then_some(Inside(false));
    }

    /// Closes the connection so that its end is an end for the peer, and no error: what the peer
    /// has sent and nobody has read would make one of it (`ECONNRESET`), so it is read into
    /// `scratch`, and forgotten.
    pub fn close(self, scratch: &mut [u8]) {
        if rustix::net::shutdown(&self.socket, Shutdown::Both).is_ok() {
            // Nothing more can arrive, so there is an end to it.
            while matches!(self.receive(scratch, RecvFlags::DONTWAIT), Ok(1..)) {}
        }
    }

    fn receive(&self, buffer: &mut [u8], flags: RecvFlags) -> Result<usize, Errno> {
        retry_on_intr(|| recv(&self.socket, &mut *buffer, flags)).map(|(count, _)| count)
    }

    /// What the next read reads, if there is something to be read.
    fn read_now(&mut self, mut buffer: &mut [u8]) -> Result<usize, Errno> {
        let Some(inside) = self.upgrades else {
            return self.receive(buffer, RecvFlags::empty());
        };
        let count = self.receive(buffer, RecvFlags::PEEK)?;
        if count == 0 {
            return Ok(0);
        }
        let limit = inside.limit(buffer.get(..count).unwrap_or_default());
        buffer = buffer.get_mut(..limit).unwrap_or_default();
        let count = self.receive(buffer, RecvFlags::empty())?;
        let read = buffer.get(..count).unwrap_or_default();
        self.upgrades = Some(Inside(!read.ends_with(&[0])));
        Ok(count)
    }
}

/// Whether the last read has ended inside of a message.
#[derive(Clone, Copy, Debug)]
struct Inside(bool);

impl Inside {
    /// How much of what is there may be read: up to the end of the first message that may upgrade
    /// the connection.
    ///
    /// That is one with the word in it, or with an escape, which may hide the word; or one whose
    /// beginning is not here.
    fn limit(self, seen: &[u8]) -> usize {
        let mut limit = 0_usize;
        for message in seen.split_inclusive(|byte| *byte == 0) {
            let begun = self.0 && limit == 0;
            limit = limit.saturating_add(message.len());
            let word = || message.windows(WORD.len()).any(|word| word == WORD);
            if begun || message.contains(&b'\\') || word() {
                break;
            }
        }
        limit
    }
}

const WORD: &[u8] = b"upgrade";

impl From<OwnedFd> for Stream {
    /// Takes a connected socket. It may be a non-blocking one: it is waited for.
    fn from(socket: OwnedFd) -> Self {
        Stream {
            socket,
            upgrades: None,
            send: None,
            reply: None,
        }
    }
}

impl From<Stream> for OwnedFd {
    fn from(stream: Stream) -> Self {
        stream.socket
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl ErrorType for Stream {
    type Error = Error;
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            if let Some(deadline) = &mut self.reply {
                deadline.wait(&self.socket)?;
            }
            match self.read_now(buffer) {
                Ok(count) => {
                    if let Some(deadline) = &mut self.reply {
                        deadline.received(buffer.get(..count).unwrap_or_default());
                    }
                    return Ok(count);
                }
                Err(Errno::AGAIN) => wait(&self.socket, PollFlags::IN, None)?,
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let flags = match self.send {
            None => SendFlags::NOSIGNAL,
            Some(_) => SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        };
        if let Some(deadline) = &mut self.reply {
            // A call has been made since the last reply: its own reply has all of the time.
            deadline.running = false;
        }
        loop {
            match retry_on_intr(|| send(&self.socket, bytes, flags)) {
                Ok(count) => return Ok(count),
                Err(Errno::AGAIN) => wait(&self.socket, PollFlags::OUT, self.send)?,
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Waits until something can be done with a socket.
pub(super) fn wait(
    socket: &OwnedFd,
    flags: PollFlags,
    limit: Option<Duration>,
) -> Result<(), Error> {
    // (What does not fit is more than a lifetime.)
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    let mut fds = [PollFd::new(socket, flags)];
    match retry_on_intr(|| poll(&mut fds, limit.as_ref()))? {
        0 => Err(Error::TimedOut),
        _ => Ok(()),
    }
}

/// Until when a reply has to be there.
#[derive(Debug)]
struct Deadline {
    timer: OwnedFd,
    limit: Timespec,
    running: bool,
}

impl Deadline {
    /// None, if the limit is more than the kernel can count: that is no limit.
    fn new(limit: Duration) -> Result<Option<Self>, Error> {
        // Zero would turn the timer off.
        let Ok(limit) = Timespec::try_from(limit.max(Duration::from_nanos(1))) else {
            return Ok(None);
        };
        Ok(Some(Deadline {
            timer: timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?,
            limit,
            running: false,
        }))
    }

    /// Waits until there is something to be read, but not beyond the deadline.
    fn wait(&mut self, socket: &OwnedFd) -> Result<(), Error> {
        if !self.running {
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: self.limit,
            };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
            self.running = true;
        }
        let mut fds = [
            PollFd::new(socket, PollFlags::IN),
            PollFd::new(&self.timer, PollFlags::IN),
        ];
        retry_on_intr(|| poll(&mut fds, None))?;
        // Whatever else there is to be read, the time is over.
        let [_, timer] = fds;
        match timer.revents().is_empty() {
            true => Ok(()),
            false => Err(Error::TimedOut),
        }
    }

    /// A reply ends with its NUL. The next one has the time anew.
    fn received(&mut self, bytes: &[u8]) {
        self.running &= find_nul(bytes).is_none();
    }
}
