//! One connection.

use core::mem::MaybeUninit;
use core::time::Duration;

use embedded_io::{ErrorType, Read, Write};
use heapless::VecView;
use rustix::event::PollFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, IoSlice, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown,
    SocketFlags, SocketType, send, sendmsg,
};

use super::DESCRIPTORS_MAX;
use super::device::{self, Terminal};
use super::error::Error;
use super::receive::{self, Reading, Take};
use super::socket::{self, Kind, Role};
use super::time::{Deadline, Timeouts, wait};
use crate::address::Address;
use crate::frame::move_to_front;
use crate::peer::Descriptor;

/// A connection: over a Unix socket, over TCP, or over a character device.
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
///
/// A terminal, such as a serial line, carries bytes as they are (raw mode) while it is the device
/// below a stream, and is as it was before when the stream is dropped. Its speed is left alone.
#[derive(Debug)]
pub struct Stream {
    descriptor: OwnedFd,
    kind: Kind,
    terminal: Option<Terminal>,
    reading: Reading,
    /// The last read has ended inside of a message.
    inside: bool,
    /// Messages that are empty are none: on a device, while there are messages.
    skips_empty: bool,
    send: Option<Duration>,
    reply: Option<Deadline>,
}

impl Stream {
    /// Connects to the socket at a path, or to an address: `unix:@name`, `tcp:[::1]:12345`,
    /// `device:/dev/ttyS1`.
    ///
    /// # Errors
    ///
    /// As [`connect_to`](Self::connect_to).
    pub fn connect(path: &str) -> Result<Self, Error> {
        let address = super::address(path)?;
        Stream::connect_to(address, Timeouts::default())
    }

    /// Connects to an address.
    ///
    /// On a device, nobody notices when a client goes and another comes. So what an earlier client
    /// may have left half-sent is cut off with a NUL, another one says that there is a new client, and
    /// what has come for the one before is thrown away. Of what is still under way to it,
    /// [`Client::begin_anew`](crate::Client::begin_anew) gets rid.
    ///
    /// # Errors
    ///
    /// Why the address does not lead to a service: see [`Error`]. [`Error::Exec`] for `exec:`: a
    /// program that starts another needs `unsafe` code, and this library has none.
    pub fn connect_to(address: Address<'_>, timeouts: Timeouts) -> Result<Self, Error> {
        let mut stream = match address {
            Address::Exec(_) => return Err(Error::Exec),
            Address::Device(path) => Stream::open(path)?,
            address => {
                let (socket, kind) = socket::new(address)?;
                socket::set_tcp(&socket, kind);
                socket::connect_within(&socket, address, timeouts.connect)?;
                socket::tag(&socket, kind, Role::Client);
                Stream::new(socket, kind)
            }
        };
        stream.set_timeouts(timeouts)?;
        if stream.kind == Kind::Device {
            stream.write(&[0, 0])?;
        }
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
        Ok((Stream::new(a, Kind::Unix), Stream::new(b, Kind::Unix)))
    }

    pub(super) fn new(descriptor: OwnedFd, kind: Kind) -> Self {
        Stream {
            descriptor,
            kind,
            terminal: None,
            reading: Reading::Freely,
            inside: false,
            skips_empty: kind == Kind::Device,
            send: None,
            reply: None,
        }
    }

    /// Opens a device.
    pub(super) fn open(path: &str) -> Result<Self, Error> {
        let (device, terminal) = device::open(path)?;
        let mut stream = Stream::new(device, Kind::Device);
        stream.terminal = terminal;
        Ok(stream)
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
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
    /// It is so on Unix sockets only. On other streams what was read too far is handed over.
    ///
    /// [`Server`](crate::server::Server) sees to it, for a service that
    /// [upgrades](crate::Service::UPGRADES).
    pub fn stop_at_upgrades(&mut self, stop: bool) {
        self.reading = match stop {
            true => Reading::ToUpgrades,
            false => Reading::Freely,
        };
    }

    /// Sets how far a read goes, and returns what was set before.
    pub(crate) fn set_reading(&mut self, reading: Reading) -> Reading {
        core::mem::replace(&mut self.reading, reading)
    }

    /// Reads what is there, without waiting. None if nothing is; 0 is the end.
    ///
    /// The descriptors that come with the first byte of a message are put into `held`, behind
    /// those that are there. They are the message's that begins with this read.
    ///
    /// # Errors
    ///
    /// [`Error::Descriptors`], if descriptors come where none may, and what the system says. The
    /// connection has to be closed then.
    pub(crate) fn receive_now(
        &mut self,
        buffer: &mut [u8],
        held: &mut VecView<Option<Descriptor>>,
    ) -> Result<Option<usize>, Error> {
        self.receive_up_to(self.reading, buffer, held)
    }

    /// The same, as far as is said here. (Where that is always the same, the rest is left out of the
    /// program.)
    ///
    /// # Errors
    ///
    /// As [`receive_now`](Self::receive_now).
    pub(crate) fn receive_up_to(
        &mut self,
        reading: Reading,
        buffer: &mut [u8],
        held: &mut VecView<Option<Descriptor>>,
    ) -> Result<Option<usize>, Error> {
        let before = held.len();
        let welcome = held.capacity() > 0;
        let mut take = |descriptor| held.push(Some(descriptor)).is_ok();
        let take = welcome.then_some(&mut take as Take<'_>);
        let received = self.receive(reading, buffer, take, RecvFlags::DONTWAIT);
        if received.is_err() {
            held.truncate(before);
        }
        received
    }

    /// Sends what can be sent without waiting, and the descriptors with the first byte of it. None
    /// if nothing can be.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyDescriptors`] and [`Error::NotAUnixSocket`], when nothing was sent; and what
    /// the system says.
    pub(crate) fn send_now(
        &mut self,
        bytes: &[u8],
        attached: &[BorrowedFd<'_>],
    ) -> Result<Option<usize>, Error> {
        self.transmit(bytes, attached, SendFlags::DONTWAIT)
    }

    /// Whether this is a device, which nobody can close for its peer.
    pub(crate) fn is_device(&self) -> bool {
        self.kind == Kind::Device
    }

    /// What comes from now on are no messages.
    pub(crate) fn leave_messages(&mut self) {
        self.skips_empty = false;
    }

    /// Whether descriptors can be sent, and can come.
    pub(crate) fn carries_descriptors(&self) -> bool {
        self.kind == Kind::Unix
    }

    /// Whether closing takes time, so that what was sent arrives.
    pub(crate) fn lingers(&self) -> bool {
        self.kind == Kind::Tcp
    }

    /// Says that nothing more will be sent. What the peer sends can still be read.
    pub(crate) fn finish_sending(&self) {
        if self.kind != Kind::Device {
            // (It may be closed already.)
            let _ = rustix::net::shutdown(&self.descriptor, Shutdown::Write);
        }
    }

    /// Closes the connection so that its end is an end for the peer, and no error: what the peer
    /// has sent and nobody has read would make one of it (`ECONNRESET`), so it is read into
    /// `scratch`, and forgotten.
    ///
    /// Over TCP, what was sent is under way still, and the same error would take it away from the
    /// peer. So the peer has some time to read it and to close its end: two seconds, or a megabyte
    /// of what it goes on to send.
    pub fn close(self, scratch: &mut [u8]) {
        // (Into nothing nothing can be read.)
        let mut nowhere = [0; 64];
        let scratch = match scratch {
            [] => &mut nowhere,
            scratch => scratch,
        };
        match self.kind {
            Kind::Unix | Kind::Device => self.close_now(scratch),
            Kind::Tcp => {
                self.finish_sending();
                let mut left = LINGER_BYTES;
                let Ok(Some(mut deadline)) = Deadline::new(LINGER) else {
                    return;
                };
                while left > 0 && deadline.wait(&self.descriptor).is_ok() {
                    match self.discard(scratch) {
                        0 => break,
                        count => left = left.saturating_sub(count),
                    }
                }
            }
        }
    }

    /// The same, for what does not [linger](Self::lingers).
    pub(crate) fn close_now(self, scratch: &mut [u8]) {
        if self.kind == Kind::Unix
            && rustix::net::shutdown(&self.descriptor, Shutdown::Both).is_ok()
        {
            // Nothing more can arrive, so there is an end to it.
            while self.discard(scratch) > 0 {}
        }
    }

    /// Reads from a socket what is there, whatever it is; 0 if there is nothing or no more.
    fn discard(&self, scratch: &mut [u8]) -> usize {
        match receive::raw(&self.descriptor, scratch, RecvFlags::DONTWAIT) {
            Ok(Some((count, _))) => count,
            _ => 0,
        }
    }

    /// What the next read reads; None if there is nothing now.
    fn receive(
        &mut self,
        reading: Reading,
        buffer: &mut [u8],
        take: Option<Take<'_>>,
        flags: RecvFlags,
    ) -> Result<Option<usize>, Error> {
        if buffer.is_empty() {
            return Ok(None);
        }
        let how = match self.kind {
            Kind::Unix => reading,
            Kind::Tcp | Kind::Device => Reading::Freely,
        };
        let received = match self.kind {
            Kind::Device => self.receive_from_device(buffer)?,
            _ => receive::receive(&self.descriptor, buffer, (how, self.inside), take, flags)?,
        };
        if let Some(count @ 1..) = received {
            let read = buffer.get(..count).unwrap_or_default();
            self.inside = !read.ends_with(&[0]);
        }
        Ok(received)
    }

    fn receive_from_device(&self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        match retry_on_intr(|| rustix::io::read(&self.descriptor, &mut *buffer)) {
            Ok(count) => Ok(Some(count)),
            Err(Errno::AGAIN) => Ok(None),
            // Nobody is at the other end any more.
            Err(Errno::IO) => Ok(Some(0)),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Sends what can be sent; None if nothing can be now.
    fn transmit(
        &self,
        bytes: &[u8],
        attached: &[BorrowedFd<'_>],
        flags: SendFlags,
    ) -> Result<Option<usize>, Error> {
        if bytes.is_empty() {
            return Ok(Some(0));
        }
        if !attached.is_empty() && self.kind != Kind::Unix {
            return Err(Error::NotAUnixSocket);
        }
        if attached.len() > DESCRIPTORS_MAX {
            return Err(Error::TooManyDescriptors);
        }
        let flags = flags | SendFlags::NOSIGNAL;
        let descriptor = &self.descriptor;
        let sent = retry_on_intr(|| match self.kind {
            Kind::Device => rustix::io::write(descriptor, bytes),
            _ if attached.is_empty() => send(descriptor, bytes, flags),
            _ => send_with(descriptor, bytes, attached, flags),
        });
        match sent {
            Ok(count) => Ok(Some(count)),
            Err(Errno::AGAIN) => Ok(None),
            Err(Errno::IO) if self.kind == Kind::Device => Err(Error::Closed),
            Err(errno) => Err(errno.into()),
        }
    }

    /// [`Read::read`], with descriptors where they are welcome.
    pub(super) fn read_with(
        &mut self,
        buffer: &mut [u8],
        mut take: Option<Take<'_>>,
    ) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        // Nothing but the deadline may be waited for, if there is one.
        let flags = match self.reply {
            Some(_) => RecvFlags::DONTWAIT,
            None => RecvFlags::empty(),
        };
        loop {
            if let Some(deadline) = &mut self.reply {
                deadline.wait(&self.descriptor)?;
            }
            let take = take.as_mut().map(|take| &mut **take as Take<'_>);
            let inside = self.inside;
            let received = self.receive(self.reading, buffer, take, flags)?;
            let received = match received {
                // On a device, a client begins with a message that is empty; and a service ends so
                // what it could not send to the one before.
                Some(count @ 1..) if self.skips_empty && !inside => {
                    match skip_empty(buffer, count) {
                        0 => continue,
                        count => Some(count),
                    }
                }
                received => received,
            };
            match (received, &mut self.reply) {
                (Some(count), reply) => {
                    if let Some(deadline) = reply {
                        deadline.received(buffer.get(..count).unwrap_or_default());
                    }
                    return Ok(count);
                }
                (None, Some(_)) => {}
                (None, None) => wait(&self.descriptor, PollFlags::IN, None)?,
            }
        }
    }

    /// [`Write::write`], with descriptors that go with the first byte.
    pub(super) fn write_with(
        &mut self,
        bytes: &[u8],
        attached: &[BorrowedFd<'_>],
    ) -> Result<usize, Error> {
        let flags = match self.send {
            None => SendFlags::empty(),
            Some(_) => SendFlags::DONTWAIT,
        };
        if let Some(deadline) = &mut self.reply {
            deadline.called();
        }
        loop {
            match self.transmit(bytes, attached, flags)? {
                Some(count) => return Ok(count),
                None => wait(&self.descriptor, PollFlags::OUT, self.send)?,
            }
        }
    }
}

/// How long a peer has to read what was sent to it over TCP, and how much it may send meanwhile.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;

/// sendmsg(2), with descriptors.
#[inline(never)] // not every write needs room for so many on its stack
fn send_with(
    socket: &OwnedFd,
    bytes: &[u8],
    attached: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> Result<usize, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(attached)) {
        return Err(Errno::INVAL);
    }
    sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)
}

impl From<OwnedFd> for Stream {
    /// Takes a connected socket, or something else that can be read and written.
    ///
    /// It may be a non-blocking one: it is waited for. If it is no socket, it has to be for a
    /// server.
    fn from(descriptor: OwnedFd) -> Self {
        let kind = Kind::of(&descriptor);
        socket::set_tcp(&descriptor, kind);
        Stream::new(descriptor, kind)
    }
}

impl From<Stream> for OwnedFd {
    /// Gives the descriptor away. A terminal stays as it is, and a device does not block.
    fn from(stream: Stream) -> Self {
        if let Some(terminal) = stream.terminal {
            terminal.keep();
        }
        stream.descriptor
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl ErrorType for Stream {
    type Error = Error;
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.read_with(buffer, None)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.write_with(bytes, &[])
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Removes NULs from the beginning of what was received, and returns how much is left.
fn skip_empty(buffer: &mut [u8], count: usize) -> usize {
    let received = buffer.get(..count).unwrap_or_default();
    let empty = received.iter().take_while(|byte| **byte == 0).count();
    move_to_front(buffer, empty, count);
    count.saturating_sub(empty)
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::*;

    fn receive(stream: &mut Stream) -> Result<Option<usize>, Error> {
        stream.receive_now(&mut [0; 4096], &mut heapless::Vec::<_, 9>::new())
    }

    #[test]
    fn what_can_not_be_sent_now_is_not_waited_for() {
        let (mut a, mut b) = Stream::pair().unwrap();
        b.set_reading(Reading::ToEachMessage);
        let (tracked, mut other) = Stream::pair().unwrap();
        let message = [&[b'x'; 4095][..], b"\0"].concat();
        while a.send_now(&message, &[]).unwrap().is_some() {}
        // Nothing of it is sent, so the descriptors are not either.
        assert_eq!(a.send_now(&message, &[tracked.as_fd()]), Ok(None));
        drop(tracked);
        assert_eq!(receive(&mut other), Ok(Some(0)));
        while receive(&mut b).unwrap().is_some() {}
        assert!(matches!(a.send_now(&message, &[]), Ok(Some(1..))));
    }

    #[test]
    fn sending_can_end_before_receiving_does() {
        let (mut a, mut b) = Stream::pair().unwrap();
        a.finish_sending();
        assert_eq!(receive(&mut b), Ok(Some(0)));
        assert_eq!(a.send_now(b"x", &[]), Err(Error::Closed));
        assert_eq!(b.send_now(b"x", &[]), Ok(Some(1)));
        assert_eq!(receive(&mut a), Ok(Some(1)));
    }

    #[test]
    fn x3_descriptors_that_nobody_has_read_are_closed_with_the_connection() {
        for scratch in [0, 1, 99] {
            let (mut a, b) = Stream::pair().unwrap();
            let (tracked, mut other) = Stream::pair().unwrap();
            for _ in 0..3 {
                a.send_now(b"{}\0", &[tracked.as_fd()]).unwrap();
            }
            drop(tracked);
            b.close(&mut vec![0; scratch]);
            assert_eq!(receive(&mut other), Ok(Some(0)));
            // The end is an end, and no error.
            assert_eq!(receive(&mut a), Ok(Some(0)));
        }
    }

    #[test]
    fn descriptors_and_bytes_go_together() {
        let (mut a, mut b) = Stream::pair().unwrap();
        let attached: Vec<_> = [&a, &b].map(AsFd::as_fd).into();
        assert_eq!(a.transmit(b"", &attached, SendFlags::DONTWAIT), Ok(Some(0)));
        assert_eq!(receive(&mut b), Ok(None));
        let mut tcp = Stream::new(OwnedFd::from(a), Kind::Tcp);
        let refused = tcp.send_now(b"x", &[b.as_fd()]);
        assert_eq!(refused, Err(Error::NotAUnixSocket));
        assert_eq!(receive(&mut b), Ok(None));
        a = tcp;
        assert_eq!(a.send_now(b"x", &[]), Ok(Some(1)));
    }
}
