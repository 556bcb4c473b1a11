//! The receive buffer and the send buffer of one connection.
//!
//! Every message ends with one NUL, which cannot occur inside it: UAPI.20, "Wire Protocol". This
//! module does no I/O. A driver moves bytes between a [`Channel`] and its stream. A session or a
//! relay takes messages from the channel and puts messages into it.
//!
//! [`Client`](crate::Client), [`serve`](crate::serve()) and [`Server`](crate::server::Server) are
//! drivers. A program that has its own I/O is a driver as well. This one moves the bytes of a call
//! from a client's session to a service's session, and the bytes of the reply back:
//!
//! ```
//! use nullink::{Answer, Call, Info, Interface, Method, Mode, NoError, Responder, Service};
//! use nullink::{client, interface, service};
//! use serde::{Deserialize, Serialize};
//!
//! const PING: Interface = interface!(text "
//! interface org.example.ping
//!
//! method Ping(ping: string) -> (pong: string)
//! ");
//!
//! #[derive(Deserialize)]
//! enum Methods<'a> {
//!     Ping { ping: &'a str },
//! }
//!
//! #[derive(Serialize)]
//! struct Ping<'a> {
//!     ping: &'a str,
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Pong<'a> {
//!     pong: &'a str,
//! }
//!
//! impl Method for Ping<'_> {
//!     const NAME: &'static str = "org.example.ping.Ping";
//!     type Output<'r> = Pong<'r>;
//!     type Error<'r> = NoError;
//! }
//!
//! struct Pinger;
//!
//! impl Service for Pinger {
//!     const INTERFACES: &'static [Interface] = &[PING];
//!
//!     fn info(&self) -> Info<'_> {
//!         Info::new("Example", "Pinger", "1", "https://example.org")
//!     }
//!
//!     fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
//!         match call.decode()? {
//!             Methods::Ping { ping } => reply.send(&Pong { pong: ping }),
//!         }
//!     }
//! }
//!
//! let (mut a, mut b, mut c, mut d) = ([0; 128], [0; 128], [0; 128], [0; 256]);
//! let mut client = client::Session::new(&mut a, &mut b);
//! let mut service = service::Session::new(&mut c, &mut d);
//!
//! client.queue(Ping::NAME, Mode::Simple, &Ping { ping: "hello" })?;
//! let bytes = client.channel().pending();
//! service.channel().spare()[..bytes.len()].copy_from_slice(bytes);
//! service.channel().received(bytes.len());
//!
//! assert!(service.step(&mut Pinger));
//! let bytes = service.channel().pending();
//! client.channel().spare()[..bytes.len()].copy_from_slice(bytes);
//! client.channel().received(bytes.len());
//!
//! assert_eq!(client.ready(), Ok(true));
//! let reply = client.receive()?.into_result::<Ping>().unwrap();
//! assert_eq!(reply.pong, "hello");
//! # Ok::<(), nullink::Error>(())
//! ```

use core::mem;

use crate::bytes::{compact, copy, erase, find_nul, part_mut};

/// The receive buffer and the send buffer of one connection.
///
/// ```
/// use nullink::client::Session;
/// use nullink::{Mode, json::Raw};
///
/// let (mut receive, mut send) = ([0; 64], [0; 64]);
/// let mut session = Session::new(&mut receive, &mut send);
/// session.queue("org.example.ftl.Jump", Mode::Simple, &Raw::EMPTY_OBJECT)?;
///
/// let channel = session.channel();
/// assert_eq!(channel.pending(), b"{\"method\":\"org.example.ftl.Jump\"}\0");
/// channel.sent(5); // the stream has taken 5 bytes
/// assert_eq!(channel.pending(), b"hod\":\"org.example.ftl.Jump\"}\0");
///
/// channel.spare()[..3].copy_from_slice(b"{}\0"); // the stream has given 3 bytes
/// channel.received(3);
/// assert_eq!(channel.unread(), b"{}\0");
/// # Ok::<(), nullink::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Channel<'b> {
    pub(crate) receive: ReceiveBuffer<'b>,
    pub(crate) send: SendBuffer<'b>,
    end_of_input: bool,
}

impl<'b> Channel<'b> {
    pub(crate) fn new(receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Channel {
            receive: ReceiveBuffer::new(receive),
            send: SendBuffer::new(send),
            end_of_input: false,
        }
    }

    /// Returns the free part of the receive buffer. Put received bytes at its beginning, then call
    /// [`received`](Self::received).
    ///
    /// It is empty while the receive buffer is full of unhandled messages.
    pub fn spare(&mut self) -> &mut [u8] {
        self.receive.spare()
    }

    /// Records that `count` bytes were received into [`spare`](Self::spare). If the spare part is
    /// not empty, 0 means end of input: the peer sends nothing more.
    pub fn received(&mut self, count: usize) {
        // A read into an empty slice also returns 0, and does not mean end of input.
        self.end_of_input |= count == 0 && !self.receive.spare().is_empty();
        self.receive.commit(count);
    }

    /// Returns the bytes to send next. After sending some, call [`sent`](Self::sent).
    pub fn pending(&self) -> &[u8] {
        self.send.pending()
    }

    /// Records that the first `count` [`pending`](Self::pending) bytes were sent.
    pub fn sent(&mut self, count: usize) {
        self.send.sent(count);
    }

    /// Returns the received bytes after the last handled message.
    pub fn unread(&self) -> &[u8] {
        self.receive.unread()
    }

    /// True if the peer sends nothing more.
    pub fn is_at_end(&self) -> bool {
        self.end_of_input
    }

    /// Records the end of input.
    pub(crate) fn end_input(&mut self) {
        self.end_of_input = true;
    }

    /// Like `unread`, with the lifetime of the receive buffer.
    pub(crate) fn into_unread(self) -> &'b [u8] {
        self.receive.into_unread()
    }

    /// True if descriptors must be sent with the first [`pending`](Self::pending) byte.
    pub fn has_descriptors(&self) -> bool {
        self.send.is_at_mark()
    }

    /// True if both buffers are empty, and no message is being skipped.
    pub fn is_empty(&self) -> bool {
        self.receive.is_empty() && self.send.is_empty()
    }

    /// Overwrites both buffers, except the unread and the pending bytes.
    pub(crate) fn erase(&mut self) {
        let (receive, send) = (&mut self.receive, &mut self.send);
        erase(part_mut(receive.buffer, 0, receive.start));
        erase(part_mut(receive.buffer, receive.end, usize::MAX));
        erase(part_mut(send.buffer, 0, send.start));
        erase(part_mut(send.buffer, send.end, usize::MAX));
    }

    /// Drops the unread and the pending bytes, and overwrites both buffers.
    pub(crate) fn erase_all(&mut self) {
        self.receive.clear();
        self.send.clear();
        self.erase();
    }

    /// Separates the channel from its buffers; returns the positions in them. A driver can keep the
    /// buffers elsewhere between two turns, or lend buffers only to channels that are not
    /// [empty](Self::is_empty).
    pub fn detach(self) -> Channel<'static> {
        self.detached()
    }

    /// Returns a copy of the positions, like [`detach`](Self::detach).
    pub(crate) fn detached(&self) -> Channel<'static> {
        Channel {
            receive: ReceiveBuffer {
                buffer: &mut [],
                ..self.receive
            },
            send: SendBuffer {
                buffer: &mut [],
                ..self.send
            },
            end_of_input: self.end_of_input,
        }
    }

    /// Joins the channel with the buffers that it was [detached](Self::detach) from, or with any
    /// two buffers if it is empty.
    pub fn attach<'a>(self, receive: &'a mut [u8], send: &'a mut [u8]) -> Channel<'a> {
        Channel {
            receive: ReceiveBuffer {
                buffer: receive,
                ..self.receive
            },
            send: SendBuffer {
                buffer: send,
                ..self.send
            },
            end_of_input: self.end_of_input,
        }
    }
}

/// The error for a message that is longer than the receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// A receive buffer, which splits received bytes into messages.
///
/// `start..end` are the unread bytes. Their first `searched` bytes contain no NUL. If `found` is
/// set, these are the next message, and its NUL follows.
#[derive(Debug, Default)]
pub(crate) struct ReceiveBuffer<'b> {
    buffer: &'b mut [u8],
    start: usize,
    end: usize,
    searched: usize,
    found: bool,
    /// True if the bytes up to the next NUL belong to a message that was too long.
    skipping: bool,
}

impl<'b> ReceiveBuffer<'b> {
    /// Creates an empty receive buffer. `buffer` must hold the longest message and its NUL.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        ReceiveBuffer {
            buffer,
            ..ReceiveBuffer::default()
        }
    }

    /// Returns the free part of the buffer. After receiving into it, call `commit`.
    pub fn spare(&mut self) -> &mut [u8] {
        compact(self.buffer, &mut self.start, &mut self.end);
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Records that the first `count` bytes of `spare` were received.
    pub fn commit(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.buffer.len());
    }

    /// True if the next message is complete, so that `take` returns it. No byte is searched twice.
    ///
    /// # Errors
    ///
    /// Returns [`TooLong`] once for each message that does not fit in the buffer. The rest of that
    /// message is skipped, up to its NUL.
    pub fn search(&mut self) -> Result<bool, TooLong> {
        while !self.found {
            let new = self.start.wrapping_add(self.searched);
            let new = self.buffer.get(new..self.end).unwrap_or_default();
            let Some(position) = find_nul(new) else {
                self.searched = self.end.wrapping_sub(self.start);
                if self.skipping {
                    self.clear();
                } else if self.start == 0 && self.end >= self.buffer.len() {
                    self.clear();
                    self.skipping = true;
                    return Err(TooLong);
                }
                return Ok(false);
            };
            self.searched = self.searched.wrapping_add(position);
            if mem::take(&mut self.skipping) {
                self.consume(self.searched.saturating_add(1));
            } else {
                self.found = true;
            }
        }
        Ok(true)
    }

    /// Takes the message that `search` has found, without its NUL.
    pub fn take(&mut self) -> Option<&mut [u8]> {
        let (length, start) = (self.found()?, self.start);
        self.consume(length.saturating_add(1));
        self.buffer.get_mut(start..)?.get_mut(..length)
    }

    /// Returns the length of the message that `search` has found, without its NUL. The message
    /// stays in the buffer.
    pub fn found(&self) -> Option<usize> {
        self.found.then_some(self.searched)
    }

    /// Returns the received bytes that were neither taken nor consumed.
    pub fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Like `unread`, but mutable.
    pub fn unread_mut(&mut self) -> &mut [u8] {
        self.buffer
            .get_mut(self.start..self.end)
            .unwrap_or_default()
    }

    /// Like `unread`, with the lifetime of the buffer.
    pub fn into_unread(self) -> &'b [u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Removes the first `count` bytes of `unread`.
    pub fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        self.searched = 0;
        self.found = false;
        if self.start == self.end {
            self.clear();
        }
    }

    /// True if a message has begun that is not complete. Call `search` first, because a complete
    /// message that it has not found counts as incomplete.
    pub fn mid_message(&self) -> bool {
        self.skipping || (!self.found && self.start != self.end)
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.end && !self.skipping
    }

    fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.searched = 0;
        self.found = false;
    }
}

/// A send buffer, which collects messages. `start..end` are the bytes that were not sent yet.
#[derive(Debug, Default)]
pub(crate) struct SendBuffer<'b> {
    buffer: &'b mut [u8],
    start: usize,
    end: usize,
    /// The offset from `start` of the message that descriptors are sent with.
    mark: Option<usize>,
}

impl<'b> SendBuffer<'b> {
    pub fn new(buffer: &'b mut [u8]) -> Self {
        SendBuffer {
            buffer,
            ..SendBuffer::default()
        }
    }

    /// Returns the bytes to send next. After sending some, call `sent`. The bytes before a marked
    /// message are returned first, without that message.
    pub fn pending(&self) -> &[u8] {
        let end = match self.mark {
            None | Some(0) => self.end,
            Some(before) => self.start.saturating_add(before),
        };
        debug_assert!(end <= self.end, "the marked message is in the buffer");
        self.buffer.get(self.start..end).unwrap_or_default()
    }

    /// Records that the first `count` bytes of `pending` were sent.
    pub fn sent(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        self.mark = match self.mark {
            Some(before) if before > 0 || count == 0 => Some(before.saturating_sub(count)),
            // The descriptors were sent with the first byte.
            _ => None,
        };
        if self.start == self.end {
            self.clear();
        }
    }

    /// Discards all pending bytes.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.mark = None;
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Returns the room for one reply of a service: always half of the buffer, so a reply that fits
    /// alone also fits after others. Returns None if less than half is free, and while descriptors
    /// wait to be sent with a message, because nothing may be written after that message.
    pub fn reply_room(&mut self) -> Option<&mut [u8]> {
        let half = self.reply_room_size();
        let after = self.buffer.len().wrapping_sub(self.end);
        if self.mark.is_some() || after.wrapping_add(self.start) < half {
            return None;
        }
        if after < half {
            compact(self.buffer, &mut self.start, &mut self.end);
        }
        let end = self.end.wrapping_add(half);
        self.buffer.get_mut(self.end..end)
    }

    /// Returns the length of [`reply_room`](Self::reply_room): half of the buffer.
    pub fn reply_room_size(&self) -> usize {
        self.buffer.len() / 2
    }

    /// Returns the whole free part of the buffer. After writing a message into it, call `commit`.
    pub fn room(&mut self) -> &mut [u8] {
        compact(self.buffer, &mut self.start, &mut self.end);
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Records that the first `count` bytes of `room` or `reply_room` hold a message to send.
    pub fn commit(&mut self, count: usize) {
        let free = self.buffer.len().saturating_sub(self.end);
        debug_assert!(count <= free, "the message was written into the room");
        self.end = self.end.saturating_add(count).min(self.buffer.len());
    }

    /// Like `commit`, for a message that descriptors are sent with.
    pub fn commit_marked(&mut self, count: usize) {
        debug_assert!(self.mark.is_none() && count > 0, "one message is marked");
        self.mark = Some(self.end.saturating_sub(self.start));
        self.commit(count);
    }

    /// True if descriptors must be sent with the first byte of `pending`.
    pub fn is_at_mark(&self) -> bool {
        self.mark == Some(0)
    }

    /// Appends as many bytes as fit; returns their number.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let count = copy(bytes, self.room());
        self.commit(count);
        count
    }
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::*;

    fn feed<'a>(
        receive: &'a mut ReceiveBuffer<'_>,
        bytes: &[u8],
    ) -> Result<Option<&'a mut [u8]>, TooLong> {
        let spare = receive.spare();
        spare[..bytes.len()].copy_from_slice(bytes);
        receive.commit(bytes.len());
        next(receive)
    }

    fn next<'a>(receive: &'a mut ReceiveBuffer<'_>) -> Result<Option<&'a mut [u8]>, TooLong> {
        Ok(if receive.search()? {
            receive.take()
        } else {
            None
        })
    }

    #[test]
    fn f1_messages_come_out_whole_however_they_arrive() {
        let input = b"{\"a\":1}\0{}\0\0[1,2,3,4]\0";
        let expected: Vec<&[u8]> = vec![b"{\"a\":1}", b"{}", b"", b"[1,2,3,4]"];
        for chunk in 1..=input.len() {
            for size in 10..=input.len() + 1 {
                let mut buffer = vec![0xaa; size];
                let mut receive = ReceiveBuffer::new(&mut buffer);
                let mut rest = &input[..];
                let mut seen = Vec::new();
                while !rest.is_empty() {
                    let spare = receive.spare();
                    let n = chunk.min(rest.len()).min(spare.len());
                    spare[..n].copy_from_slice(&rest[..n]);
                    receive.commit(n);
                    rest = &rest[n..];
                    while let Some(message) = next(&mut receive).unwrap() {
                        seen.push(message.to_vec());
                    }
                }
                assert_eq!(seen, expected, "chunks of {chunk}, buffer of {size}");
                assert!(!receive.mid_message());
                assert!(receive.is_empty());
            }
        }
    }

    #[test]
    fn f4_too_long_is_reported_once_and_skipped_to_its_nul() {
        let mut buffer = [0; 4];
        let mut receive = ReceiveBuffer::new(&mut buffer);
        assert_eq!(feed(&mut receive, b"1234"), Err(TooLong));
        assert!(receive.mid_message());
        for _ in 0..10 {
            assert_eq!(feed(&mut receive, b"5678"), Ok(None));
            assert!(!receive.is_empty(), "the message is being skipped");
        }
        assert_eq!(feed(&mut receive, b"9\0ab"), Ok(None));
        assert_eq!(feed(&mut receive, b"\0"), Ok(Some(&mut b"ab".to_vec()[..])));
        assert!(!receive.mid_message());
    }

    #[test]
    fn f4_two_long_messages_are_reported_twice() {
        let mut buffer = [0; 2];
        let mut receive = ReceiveBuffer::new(&mut buffer);
        assert_eq!(feed(&mut receive, b"12"), Err(TooLong));
        assert_eq!(feed(&mut receive, b"\0a"), Ok(None));
        assert_eq!(feed(&mut receive, b"b"), Err(TooLong));
        assert_eq!(feed(&mut receive, b"\0c"), Ok(None));
        assert_eq!(feed(&mut receive, b"\0"), Ok(Some(&mut b"c".to_vec()[..])));
    }

    #[test]
    fn f4_the_longest_message_fits_with_its_nul() {
        for length in 0..8 {
            let mut buffer = [0; 8];
            let mut receive = ReceiveBuffer::new(&mut buffer);
            // An earlier message does not reduce the room.
            assert!(feed(&mut receive, b"\0").unwrap().is_some());
            let message = [b'x'; 7];
            assert_eq!(feed(&mut receive, &message[..length]), Ok(None));
            let taken = feed(&mut receive, b"\0").unwrap().map(|taken| taken.len());
            assert_eq!(taken, Some(length));
        }
    }

    #[test]
    fn an_empty_buffer_reports_too_long_once() {
        let mut receive = ReceiveBuffer::new(&mut []);
        assert!(receive.spare().is_empty());
        assert_eq!(receive.search(), Err(TooLong));
        assert_eq!(receive.search(), Ok(false));
    }

    #[test]
    fn no_byte_is_searched_twice() {
        let mut buffer = [0; 64];
        let mut receive = ReceiveBuffer::new(&mut buffer);
        for _ in 0..63 {
            assert_eq!(feed(&mut receive, b"x"), Ok(None));
            assert_eq!(receive.searched, receive.end);
        }
        // The same holds if the bytes were moved.
        let mut buffer = [0; 16];
        let mut receive = ReceiveBuffer::new(&mut buffer);
        assert!(feed(&mut receive, b"{}\0half").unwrap().is_some());
        assert_eq!(receive.search(), Ok(false));
        assert_eq!(receive.spare().len(), 12);
        assert_eq!((receive.searched, receive.end), (4, 4));
    }

    #[test]
    fn a_found_message_stays_until_it_is_taken() {
        let mut buffer = [0; 16];
        let mut receive = ReceiveBuffer::new(&mut buffer);
        receive.spare()[..5].copy_from_slice(b"ab\0cd");
        receive.commit(5);
        for _ in 0..2 {
            assert_eq!(receive.search(), Ok(true));
            assert_eq!(receive.found(), Some(2));
            assert_eq!(receive.unread(), b"ab\0cd");
            assert!(!receive.mid_message());
            receive.spare();
        }
        assert_eq!(receive.take(), Some(&mut b"ab".to_vec()[..]));
        assert_eq!(receive.take(), None);
        assert_eq!(receive.found(), None);
        assert_eq!(receive.search(), Ok(false));
        assert!(receive.mid_message());
    }

    #[test]
    fn bytes_after_a_message_stay_unread() {
        let mut buffer = [0; 16];
        let mut receive = ReceiveBuffer::new(&mut buffer);
        assert!(feed(&mut receive, b"{}\0raw\0bytes").unwrap().is_some());
        assert_eq!(receive.unread(), b"raw\0bytes");
        assert_eq!(receive.into_unread(), b"raw\0bytes");
    }

    /// Puts a reply into the reply room. Returns false if it does not fit.
    fn put(send: &mut SendBuffer<'_>, bytes: &[u8]) -> bool {
        let Some(room) = send
            .reply_room()
            .and_then(|room| room.get_mut(..bytes.len()))
        else {
            return false;
        };
        room.copy_from_slice(bytes);
        send.commit(bytes.len());
        true
    }

    #[test]
    fn replies_are_sent_in_order() {
        let mut buffer = [0; 16];
        let mut send = SendBuffer::new(&mut buffer);
        assert!(put(&mut send, b"abc"));
        send.sent(2);
        assert!(put(&mut send, b"defghij"));
        assert_eq!(send.pending(), b"cdefghij");
        assert!(put(&mut send, b"klmnopqr"));
        assert!(!put(&mut send, b"s"));
        send.sent(99);
        assert_eq!(send.pending(), b"");
        assert!(send.is_empty());
        assert!(put(&mut send, b"12345678"));
    }

    #[test]
    fn a_reply_has_half_of_the_buffer_whatever_is_pending() {
        for size in 0..20 {
            let half = size / 2;
            for pending in 0..=size {
                for sent in 0..=pending {
                    let mut buffer = vec![0; size];
                    let mut send = SendBuffer::new(&mut buffer);
                    send.room()[..pending].fill(b'p');
                    send.commit(pending);
                    send.sent(sent);
                    let used = pending - sent;
                    let has_room = size - used >= half;
                    let room = send.reply_room().map(|room| room.len());
                    assert_eq!(room, has_room.then_some(half), "{size}: {sent}..{pending}");
                    // No byte is lost if the bytes were moved.
                    assert_eq!(send.pending(), &b"p".repeat(used));
                }
            }
        }
    }

    #[test]
    fn bytes_are_moved_only_if_the_end_of_the_buffer_is_less_than_half() {
        let mut buffer = [0; 16];
        let mut send = SendBuffer::new(&mut buffer);
        assert!(put(&mut send, b"12345678"));
        send.sent(1);
        assert!(send.reply_room().is_some());
        assert_eq!((send.start, send.end), (1, 8));
        assert!(put(&mut send, b"9"));
        assert!(send.reply_room().is_some());
        assert_eq!((send.start, send.end), (0, 8));
    }

    #[test]
    fn other_messages_have_the_whole_free_part() {
        let mut buffer = [0; 8];
        let mut send = SendBuffer::new(&mut buffer);
        assert_eq!(send.append(b"abcde"), 5);
        send.sent(1);
        assert_eq!(send.room().len(), 4);
        assert_eq!(send.append(b"fghijk"), 4);
        assert_eq!(send.pending(), b"bcdefghi");
        assert_eq!(send.append(b"l"), 0);
        send.clear();
        assert!(send.is_empty());
        assert_eq!(send.room().len(), 8);
    }

    #[test]
    fn x1_descriptors_go_with_the_first_byte_of_their_message() {
        let mut buffer = [0; 32];
        let mut send = SendBuffer::new(&mut buffer);
        assert!(put(&mut send, b"before"));
        send.sent(2);
        send.reply_room().unwrap()[..6].copy_from_slice(b"marked");
        send.commit_marked(6);
        // No reply is written until the descriptors are sent.
        assert_eq!(send.reply_room(), None);
        assert!(!send.is_at_mark());
        assert_eq!(send.pending(), b"fore");
        send.sent(3);
        assert_eq!((send.pending(), send.is_at_mark()), (&b"e"[..], false));
        send.sent(1);
        assert_eq!((send.pending(), send.is_at_mark()), (&b"marked"[..], true));
        // The mark remains until one byte is sent.
        send.sent(0);
        assert!(send.is_at_mark());
        send.sent(1);
        assert!(!send.is_at_mark());
        assert!(put(&mut send, b"after"));
        assert_eq!(send.pending(), b"arkedafter");
        // In an empty buffer, the message is marked at its first byte.
        send.clear();
        assert!(send.reply_room().is_some());
        send.commit_marked(6);
        assert!(send.is_at_mark());
        assert_eq!(send.pending().len(), 6);
    }

    #[test]
    fn a_channel_ends_with_an_empty_read_into_a_buffer_that_has_room() {
        let (mut receive, mut send) = ([0; 2], [0; 2]);
        let mut channel = Channel::new(&mut receive, &mut send);
        channel.spare().fill(b'x');
        channel.received(2);
        channel.received(0);
        assert!(!channel.is_at_end());
        channel.receive.consume(1);
        channel.received(0);
        assert!(channel.is_at_end());
        assert_eq!(channel.unread(), b"x");
    }

    #[test]
    fn a_channel_is_empty_without_data_and_only_then() {
        let (mut receive, mut send) = ([0; 2], [0; 2]);
        let mut channel = Channel::new(&mut receive, &mut send);
        assert!(channel.is_empty());
        channel.send.append(b"x");
        assert!(!channel.is_empty());
        channel.sent(1);
        assert!(channel.is_empty());
        channel.spare().fill(b'x');
        channel.received(1);
        assert!(!channel.is_empty());
        channel.received(1);
        assert_eq!(channel.receive.search(), Err(TooLong));
        assert!(!channel.is_empty(), "the message is being skipped");
        channel.spare()[0] = 0;
        channel.received(1);
        assert_eq!(channel.receive.search(), Ok(false));
        assert!(channel.is_empty());
    }
}
