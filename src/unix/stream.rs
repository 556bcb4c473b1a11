//! The stream of a connection.

use core::mem::MaybeUninit;
use core::time::Duration;

use embedded_io::{ErrorType, Read, ReadReady, Write};
use heapless::VecView;
use rustix::event::PollFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, IoSlice, read, retry_on_intr, write};
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown,
    SocketFlags, SocketType, recv, send, sendmsg,
};

use super::device::{self, Terminal};
use super::error::{IoError, unless_again};
use super::receive::{Reading, Receive, Take, Truncation};
use super::socket::{self, SocketKind};
use super::time::{Deadline, Timeouts, wait};
use super::{DESCRIPTORS_MAX, PATH_MAX};
use crate::address::Address;
use crate::peer::Descriptor;

/// A connection over a Unix socket, TCP or a character device.
///
/// ```
/// use embedded_io::{Read, Write};
/// use nullink::unix::Stream;
///
/// let (mut a, mut b) = Stream::pair()?;
/// a.write(b"hello")?;
/// let mut buffer = [0; 8];
/// assert_eq!(b.read(&mut buffer), Ok(5));
/// # Ok::<(), nullink::unix::IoError>(())
/// ```
///
/// A terminal, such as a serial line, is in raw mode while a stream uses it: it does not change
/// bytes. When the stream is dropped, it restores the settings of the terminal. It does not set the
/// speed.
#[derive(Debug)]
pub struct Stream {
    descriptor: OwnedFd,
    kind: SocketKind,
    terminal: Option<Terminal>,
    pub(super) reading: Reading,
    /// True if the last read ended inside a message.
    mid_message: bool,
    truncation: Truncation,
    /// The timeout for sending.
    send: Option<Duration>,
    /// The deadline for the next reply.
    reply: Option<Deadline>,
}

impl Stream {
    /// The longest path of a socket or a device: 107 bytes, `sun_path` without its NUL, unix(7).
    pub const MAX_PATH: usize = PATH_MAX;

    /// The maximum number of descriptors of one message: 253, `SCM_MAX_FD` of unix(7).
    pub const MAX_DESCRIPTORS: usize = DESCRIPTORS_MAX;

    /// Connects to the socket at a path, such as `/run/x` or `./x`, to an address, such as
    /// `unix:@name`, `tcp:[::1]:12345` or `device:/dev/ttyS1`, or to the service of an interface in
    /// the registry, such as `io.systemd.Hostname`, without timeouts. [`Address`] has all of them.
    ///
    /// # Errors
    ///
    /// Like [`connect_with`](Self::connect_with).
    pub fn connect(address: &str) -> Result<Self, IoError> {
        Stream::connect_with(address, Timeouts::default())
    }

    /// Like [`connect`](Self::connect), with timeouts: see [`Timeouts`] for an example.
    ///
    /// # Errors
    ///
    /// Like [`connect_to`](Self::connect_to). Returns [`IoError::Address`] if the text is not
    /// an address.
    pub fn connect_with(address: &str, timeouts: Timeouts) -> Result<Self, IoError> {
        let address = Address::parse(address).map_err(IoError::Address)?;
        Stream::connect_to(address, timeouts)
    }

    /// Like [`connect_with`](Self::connect_with), with a parsed address.
    ///
    /// All addresses of a host name are tried, each with the timeout for connecting. That timeout
    /// does not limit the look-up of the name.
    ///
    /// The service at the other end of a device does not notice a new client. So this function
    /// sends a break, two NULs: the first ends a half-sent message of an earlier client, and the
    /// second announces the new client. Bytes that were received for the earlier client are
    /// discarded. [`Client::synchronize`](crate::Client::synchronize) discards the bytes that are
    /// still under way.
    ///
    /// # Errors
    ///
    /// Returns the reason why the address does not lead to a service: see [`IoError`]. Returns
    /// [`IoError::Exec`] for an `exec:` address and [`IoError::Vsock`] for a `vsock:` address,
    /// because both need `unsafe` code, and this library has none. Returns
    /// [`IoError::NoHostNames`] for a host name without the feature `std`.
    pub fn connect_to(address: Address<'_>, timeouts: Timeouts) -> Result<Self, IoError> {
        let registered = socket::registered(address)?;
        let address = registered.as_deref().map_or(address, Address::Unix);
        let mut stream = match address {
            Address::Device(path) => Stream::open(path)?,
            address => socket::resolve(address, |address| {
                let (socket, kind) = socket::new(address)?;
                socket::connect_within(&socket, address, timeouts.connect)?;
                socket::tag(&socket, kind, "client");
                Ok(Stream::new(socket, kind))
            })?,
        };
        stream.set_timeouts(timeouts)?;
        if stream.is_device() {
            stream.write(&[0, 0])?;
        }
        Ok(stream)
    }

    /// Creates two connected streams: socketpair(2).
    ///
    /// # Errors
    ///
    /// Fails if the system has no descriptors or no memory left.
    pub fn pair() -> Result<(Self, Self), IoError> {
        let (a, b) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(IoError::from_errno)?;
        Ok((
            Stream::new(a, SocketKind::Unix),
            Stream::new(b, SocketKind::Unix),
        ))
    }

    /// Creates a stream of a descriptor that was opened here.
    pub(super) fn new(descriptor: OwnedFd, kind: SocketKind) -> Self {
        if kind == SocketKind::Tcp {
            socket::set_tcp(&descriptor);
        }
        Stream {
            descriptor,
            kind,
            terminal: None,
            reading: Reading::All,
            mid_message: false,
            truncation: Truncation::Descriptors,
            send: None,
            reply: None,
        }
    }

    /// Creates a stream of a descriptor that was handed over. Another process may have set its
    /// options.
    pub(super) fn adopted(descriptor: OwnedFd, kind: SocketKind) -> Self {
        if kind == SocketKind::Unix {
            let _ = set_socket_passcred(&descriptor, false);
        }
        Stream {
            truncation: Truncation::Unknown,
            ..Stream::new(descriptor, kind)
        }
    }

    /// Opens a device.
    pub(super) fn open(path: &str) -> Result<Self, IoError> {
        let (descriptor, device, terminal) = device::open(path)?;
        Ok(Stream {
            terminal,
            ..Stream::new(descriptor, SocketKind::Device(device))
        })
    }

    /// Sets the timeouts of all later reads and writes. `connect` has no effect.
    ///
    /// [`Client::stream`](crate::Client::stream) returns the stream of a client: see [`Timeouts`]
    /// for an example.
    ///
    /// # Errors
    ///
    /// Fails if the system has no descriptor left for the timer of the reply timeout.
    pub fn set_timeouts(&mut self, timeouts: Timeouts) -> Result<(), IoError> {
        self.send = timeouts.send;
        self.reply = timeouts.reply.map(Deadline::new).transpose()?.flatten();
        Ok(())
    }

    /// Sets how far a read goes.
    ///
    /// This matters on Unix sockets only. [`Server`](crate::server::Server) sets it itself for a
    /// service that [upgrades](crate::Service::UPGRADES) or takes descriptors.
    pub fn set_reading(&mut self, reading: Reading) {
        self.reading = reading;
    }

    /// Reads without waiting, as far as `reading` says. Returns None if no byte is available, and 0
    /// at the end of input.
    ///
    /// Descriptors that were sent with the first byte of a message are appended to `held`. They
    /// belong to the message that begins with this read.
    ///
    /// # Errors
    ///
    /// Returns [`IoError::Descriptors`] if descriptors are received that are not accepted. Fails if
    /// the system call fails. The connection must be closed after an error.
    pub(crate) fn receive_now(
        &mut self,
        reading: Reading,
        buffer: &mut [u8],
        held: &mut VecView<Option<Descriptor>>,
    ) -> Result<Option<usize>, IoError> {
        let before = held.len();
        let accepted = held.capacity() > 0;
        let mut take = |descriptor| held.push(Some(descriptor)).is_ok();
        let take = accepted.then_some(&mut take as Take<'_>);
        let received = self.receive(reading, buffer, take, RecvFlags::DONTWAIT);
        if received.is_err() {
            held.truncate(before);
        }
        received
    }

    /// Sends as many bytes as possible without waiting, and the descriptors with the first of them.
    /// Returns None if no byte can be sent now.
    ///
    /// # Errors
    ///
    /// Returns [`IoError::TooManyDescriptors`] or [`IoError::NotAUnixSocket`] before anything is
    /// sent. Fails if the system call fails.
    pub(crate) fn send_now(
        &mut self,
        bytes: &[u8],
        attached: &[BorrowedFd<'_>],
    ) -> Result<Option<usize>, IoError> {
        self.transmit(bytes, attached, SendFlags::DONTWAIT)
    }

    /// True if this is a device, whose peer does not notice that it is closed.
    pub(crate) fn is_device(&self) -> bool {
        matches!(self.kind, SocketKind::Device(_))
    }

    /// True if this is a Unix socket: it carries descriptors, and its peer is known.
    pub(crate) fn carries_descriptors(&self) -> bool {
        self.kind == SocketKind::Unix
    }

    /// Checks that a message can be sent with these descriptors.
    pub(super) fn check_attachable(&self, descriptors: &[BorrowedFd<'_>]) -> Result<(), IoError> {
        if !descriptors.is_empty() && !self.carries_descriptors() {
            Err(IoError::NotAUnixSocket)
        } else if descriptors.len() > DESCRIPTORS_MAX {
            Err(IoError::TooManyDescriptors)
        } else {
            Ok(())
        }
    }

    /// True if closing may take time, so that all sent bytes arrive.
    pub(crate) fn lingers(&self) -> bool {
        self.kind == SocketKind::Tcp
    }

    /// Ends the output: shutdown(2). Input can still be read.
    pub(crate) fn finish_sending(&self) {
        if !self.is_device() {
            // This fails if the peer has closed the connection already.
            let _ = rustix::net::shutdown(&self.descriptor, Shutdown::Write);
        }
    }

    /// Closes the connection so that the peer reads the end of input. Unread input would cause the
    /// error `ECONNRESET` there, so it is read into `scratch` and discarded.
    ///
    /// Over TCP, that error would also discard the bytes that are still under way to the peer. So
    /// this method waits until the peer closes its end, for at most two seconds and one megabyte of
    /// input.
    pub fn close(self, scratch: &mut [u8]) {
        // Nothing can be read into an empty buffer.
        let scratch = if scratch.is_empty() {
            &mut [0; 64]
        } else {
            scratch
        };
        if !self.lingers() {
            return self.close_now(scratch);
        }
        self.finish_sending();
        let Ok(Some(mut deadline)) = Deadline::new(LINGER) else {
            return;
        };
        let mut left = LINGER_BYTES;
        while left > 0 && deadline.wait(&self.descriptor).is_ok() {
            match self.discard(scratch) {
                0 => break,
                count => left = left.saturating_sub(count),
            }
        }
    }

    /// Closes a connection that does not [linger](Self::lingers), without waiting.
    pub(crate) fn close_now(self, scratch: &mut [u8]) {
        if self.kind == SocketKind::Unix
            && rustix::net::shutdown(&self.descriptor, Shutdown::Both).is_ok()
        {
            // No more input can arrive, so the loop ends.
            while self.discard(scratch) > 0 {}
        }
    }

    /// Reads available bytes of a socket; 0 if there are none, or at the end of input. The kernel
    /// closes received descriptors.
    fn discard(&self, scratch: &mut [u8]) -> usize {
        let received = retry_on_intr(|| recv(self, &mut *scratch, RecvFlags::DONTWAIT));
        received.map_or(0, |(count, _)| count)
    }

    /// Reads as far as `reading` says; None if no byte is available.
    fn receive(
        &mut self,
        reading: Reading,
        buffer: &mut [u8],
        take: Option<Take<'_>>,
        flags: RecvFlags,
    ) -> Result<Option<usize>, IoError> {
        if buffer.is_empty() {
            return Ok(None);
        }
        let received = match self.kind {
            SocketKind::Unix => {
                let mut receive = Receive {
                    socket: &self.descriptor,
                    mid_message: self.mid_message,
                    truncation: &mut self.truncation,
                    flags,
                };
                match reading {
                    Reading::All => receive.bytes(buffer)?,
                    Reading::Message => receive.message(buffer, take)?,
                }
            }
            SocketKind::Tcp => {
                let received = retry_on_intr(|| recv(&self.descriptor, &mut *buffer, flags));
                unless_again(received.map(|(count, _)| count))?
            }
            SocketKind::Device(_) => match retry_on_intr(|| read(&self.descriptor, &mut *buffer)) {
                // The terminal was hung up, which is the end of input.
                Err(Errno::IO) => Some(0),
                received => unless_again(received)?,
            },
        };
        if let Some(count @ 1..) = received {
            let received = buffer.get(..count).unwrap_or_default();
            self.mid_message = !received.ends_with(&[0]);
        }
        Ok(received)
    }

    /// Sends as many bytes as possible; None if no byte can be sent now.
    fn transmit(
        &self,
        bytes: &[u8],
        attached: &[BorrowedFd<'_>],
        flags: SendFlags,
    ) -> Result<Option<usize>, IoError> {
        if bytes.is_empty() {
            return Ok(Some(0));
        }
        self.check_attachable(attached)?;
        let flags = flags | SendFlags::NOSIGNAL;
        let descriptor = &self.descriptor;
        let sent = retry_on_intr(|| match self.kind {
            SocketKind::Device(_) => write(descriptor, bytes),
            _ if attached.is_empty() => send(descriptor, bytes, flags),
            _ => send_with(descriptor, bytes, attached, flags),
        });
        match sent {
            Err(Errno::IO) if self.is_device() => Err(IoError::Closed),
            sent => unless_again(sent),
        }
    }

    /// Like `read`, as far as `reading` says, and with descriptors if there is a `take`.
    pub(super) fn read_with(
        &mut self,
        reading: Reading,
        buffer: &mut [u8],
        mut take: Option<Take<'_>>,
    ) -> Result<usize, IoError> {
        if buffer.is_empty() {
            return Ok(0);
        }
        // If there is a deadline, only its own poll(2) may block.
        let flags = match self.reply {
            Some(_) => RecvFlags::DONTWAIT,
            None => RecvFlags::empty(),
        };
        loop {
            if let Some(deadline) = &mut self.reply {
                deadline.wait(&self.descriptor)?;
            }
            let take = take.as_mut().map(|take| &mut **take as Take<'_>);
            if let Some(count) = self.receive(reading, buffer, take, flags)? {
                if let Some(deadline) = &mut self.reply {
                    deadline.received(buffer.get(..count).unwrap_or_default());
                }
                return Ok(count);
            }
            if self.reply.is_none() {
                wait(&self.descriptor, PollFlags::IN, None)?;
            }
        }
    }

    /// Like `write`, with descriptors that are sent with the first byte.
    pub(super) fn write_with(
        &mut self,
        bytes: &[u8],
        attached: &[BorrowedFd<'_>],
    ) -> Result<usize, IoError> {
        let flags = match self.send {
            None => SendFlags::empty(),
            Some(_) => SendFlags::DONTWAIT,
        };
        if let Some(deadline) = &mut self.reply {
            deadline.called();
        }
        loop {
            let sent = self.transmit(bytes, attached, flags);
            if matches!(sent, Err(IoError::Closed)) {
                // A peer that is not gone must not wait for these bytes, because this side may wait
                // for its last replies.
                self.finish_sending();
            }
            match sent? {
                Some(count) => return Ok(count),
                None => _ = wait(&self.descriptor, PollFlags::OUT, self.send)?,
            }
        }
    }
}

/// The time for a TCP peer to read the sent bytes and to close its end.
const LINGER: Duration = Duration::from_secs(2);

/// The maximum number of bytes that the peer may send during that time.
const LINGER_BYTES: usize = 1 << 20;

/// Calls sendmsg(2) with descriptors.
#[inline(never)] // so that other writes do not have that room on their stack
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
    /// Takes a connected socket, blocking or not, or an open device. For a server, a device must be
    /// non-blocking. A pipe must not be used where `SIGPIPE` is not ignored.
    fn from(descriptor: OwnedFd) -> Self {
        let kind = SocketKind::detect(&descriptor);
        Stream::adopted(descriptor, kind)
    }
}

impl From<Stream> for OwnedFd {
    /// Gives the descriptor away. A terminal stays in raw mode, and a device stays non-blocking.
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
    type Error = IoError;
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, IoError> {
        self.read_with(self.reading, buffer, None)
    }
}

impl ReadReady for Stream {
    fn read_ready(&mut self) -> Result<bool, IoError> {
        match wait(&self.descriptor, PollFlags::IN, Some(Duration::ZERO)) {
            Err(IoError::TimedOut) => Ok(false),
            ready => ready.map(|_| true),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, IoError> {
        self.write_with(bytes, &[])
    }

    fn flush(&mut self) -> Result<(), IoError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::*;

    fn receive(stream: &mut Stream) -> Result<Option<usize>, IoError> {
        stream.receive_now(
            stream.reading,
            &mut [0; 4096],
            &mut heapless::Vec::<_, 9>::new(),
        )
    }

    #[test]
    fn send_now_does_not_wait() {
        let (mut a, mut b) = Stream::pair().unwrap();
        b.set_reading(Reading::Message);
        let (tracked, mut other) = Stream::pair().unwrap();
        let message = [&[b'x'; 4095][..], b"\0"].concat();
        while a.send_now(&message, &[]).unwrap().is_some() {}
        // No byte is sent, so the descriptors are not sent either.
        assert_eq!(a.send_now(&message, &[tracked.as_fd()]), Ok(None));
        drop(tracked);
        assert_eq!(receive(&mut other), Ok(Some(0)));
        while receive(&mut b).unwrap().is_some() {}
        assert!(matches!(a.send_now(&message, &[]), Ok(Some(1..))));
    }

    #[test]
    fn output_can_end_before_input() {
        let (mut a, mut b) = Stream::pair().unwrap();
        a.finish_sending();
        assert_eq!(receive(&mut b), Ok(Some(0)));
        assert_eq!(a.send_now(b"x", &[]), Err(IoError::Closed));
        assert_eq!(b.send_now(b"x", &[]), Ok(Some(1)));
        assert_eq!(receive(&mut a), Ok(Some(1)));
    }

    #[test]
    fn x3_unread_descriptors_are_closed_with_the_connection() {
        for scratch in [0, 1, 99] {
            let (mut a, b) = Stream::pair().unwrap();
            let (tracked, mut other) = Stream::pair().unwrap();
            for _ in 0..3 {
                a.send_now(b"{}\0", &[tracked.as_fd()]).unwrap();
            }
            drop(tracked);
            b.close(&mut vec![0; scratch]);
            assert_eq!(receive(&mut other), Ok(Some(0)));
            // The peer reads an end of input, not an error.
            assert_eq!(receive(&mut a), Ok(Some(0)));
        }
    }

    #[test]
    fn descriptors_are_not_sent_without_bytes() {
        let (mut a, mut b) = Stream::pair().unwrap();
        let attached: Vec<_> = [&a, &b].map(AsFd::as_fd).into();
        assert_eq!(a.transmit(b"", &attached, SendFlags::DONTWAIT), Ok(Some(0)));
        assert_eq!(receive(&mut b), Ok(None));
        let mut tcp = Stream::new(OwnedFd::from(a), SocketKind::Tcp);
        let refused = tcp.send_now(b"x", &[b.as_fd()]);
        assert_eq!(refused, Err(IoError::NotAUnixSocket));
        assert_eq!(receive(&mut b), Ok(None));
        a = tcp;
        assert_eq!(a.send_now(b"x", &[]), Ok(Some(1)));
    }
}
