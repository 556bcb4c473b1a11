//! One connection's two buffers: bytes in and messages out, messages in and bytes out.
//!
//! Every message ends with one NUL, which cannot occur inside it: UAPI.20, "Wire Protocol". Nothing
//! here reads or writes. A driver moves bytes between a [`Channel`] and its stream; a session, or
//! a relay, takes messages from the channel and puts messages into it.

use core::mem;

use crate::bytes::{compact, copy, find_nul};

/// The two buffers of one connection, as a driver sees them.
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

    /// The free part of the receive buffer. Put received bytes at its beginning, then call
    /// [`received`](Self::received).
    ///
    /// It is empty while the buffer is full of messages that have not been handled.
    pub fn spare(&mut self) -> &mut [u8] {
        self.receive.spare()
    }

    /// Records that `count` bytes were received into [`spare`](Self::spare). 0 means end of input:
    /// the peer sends nothing more.
    pub fn received(&mut self, count: usize) {
        // A read into an empty slice returns 0 as well, and is not the end.
        self.end_of_input |= count == 0 && !self.receive.spare().is_empty();
        self.receive.commit(count);
    }

    /// The bytes to send next; then call [`sent`](Self::sent).
    pub fn pending(&self) -> &[u8] {
        self.send.pending()
    }

    /// Records that the first `count` [`pending`](Self::pending) bytes were sent.
    pub fn sent(&mut self, count: usize) {
        self.send.sent(count);
    }

    /// The received bytes that belong to no message that was handled.
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

    /// Like `unread`, for as long as the receive buffer lives.
    pub(crate) fn into_unread(self) -> &'b [u8] {
        self.receive.into_unread()
    }

    /// True if descriptors go with the first of the [`pending`](Self::pending) bytes.
    pub fn has_descriptors(&self) -> bool {
        self.send.is_at_mark()
    }

    /// True if nothing is in the buffers.
    pub fn is_empty(&self) -> bool {
        self.receive.is_empty() && self.send.is_empty()
    }

    /// The positions in the buffers without the buffers, for a driver that keeps them elsewhere
    /// between two turns, or lends buffers to those channels only that are not
    /// [empty](Self::is_empty).
    pub fn detach(self) -> Channel<'static> {
        self.attach(&mut [], &mut [])
    }

    /// The channel with its buffers: those that it was [detached](Self::detach) from, or any two
    /// if it is empty.
    pub fn attach<'a>(self, receive: &'a mut [u8], send: &'a mut [u8]) -> Channel<'a> {
        Channel {
            receive: ReceiveBuffer {
                buffer: receive,
                start: self.receive.start,
                end: self.receive.end,
                searched: self.receive.searched,
                found: self.receive.found,
                skipping: self.receive.skipping,
            },
            send: SendBuffer {
                buffer: send,
                start: self.send.start,
                end: self.send.end,
                mark: self.send.mark,
            },
            end_of_input: self.end_of_input,
        }
    }
}

/// A message is longer than the receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Received bytes: bytes in, messages out.
///
/// The buffer holds `start..end`: at most one found message, then bytes of which the first
/// `searched` hold no NUL.
#[derive(Debug, Default)]
pub(crate) struct ReceiveBuffer<'b> {
    buffer: &'b mut [u8],
    start: usize,
    end: usize,
    searched: usize,
    /// The length of the next message without its NUL, if it is complete.
    found: Option<usize>,
    /// Everything up to the next NUL belongs to a message that was too long.
    skipping: bool,
}

impl<'b> ReceiveBuffer<'b> {
    /// Over a buffer that holds the longest message and its NUL.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        ReceiveBuffer {
            buffer,
            ..ReceiveBuffer::default()
        }
    }

    /// The free part of the buffer, to receive into; then call `commit`.
    pub fn spare(&mut self) -> &mut [u8] {
        compact(self.buffer, &mut self.start, &mut self.end);
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Records that the first `count` bytes of `spare` were received.
    pub fn commit(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.buffer.len());
    }

    /// True if a message is complete, which `take` then returns. No byte is looked at twice.
    ///
    /// # Errors
    ///
    /// [`TooLong`], once, for a message that the buffer cannot hold. The rest of it is skipped,
    /// and the message after its NUL is the next.
    pub fn search(&mut self) -> Result<bool, TooLong> {
        if self.found.is_some() {
            return Ok(true);
        }
        loop {
            let unread = self.unread();
            let new = unread.get(self.searched..).unwrap_or_default();
            let Some(position) = find_nul(new) else {
                self.searched = unread.len();
                if self.skipping {
                    self.clear();
                } else if self.start == 0 && self.end >= self.buffer.len() {
                    self.clear();
                    self.skipping = true;
                    return Err(TooLong);
                }
                return Ok(false);
            };
            let length = self.searched.saturating_add(position);
            if !mem::take(&mut self.skipping) {
                self.found = Some(length);
                return Ok(true);
            }
            self.consume(length.saturating_add(1));
        }
    }

    /// The message that `search` has found, without its NUL.
    pub fn take(&mut self) -> Option<&mut [u8]> {
        let length = self.found.take()?;
        let start = self.start;
        self.consume(length.saturating_add(1));
        self.buffer.get_mut(start..)?.get_mut(..length)
    }

    /// The message that `search` has found stays in the buffer; its length without its NUL.
    pub fn found(&self) -> Option<usize> {
        self.found
    }

    /// The received bytes that are not part of a message that was taken.
    pub fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Like `unread`, to be changed in place.
    pub fn unread_mut(&mut self) -> &mut [u8] {
        self.buffer
            .get_mut(self.start..self.end)
            .unwrap_or_default()
    }

    /// Like `unread`, for as long as the buffer lives.
    pub fn into_unread(self) -> &'b [u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Removes the first `count` bytes of `unread`.
    pub fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        self.searched = 0;
        self.found = None;
        if self.start == self.end {
            self.clear();
        }
    }

    /// True if a message has begun that is not complete, after `search` has found none.
    pub fn mid_message(&self) -> bool {
        self.skipping || (self.found.is_none() && self.start != self.end)
    }

    fn is_empty(&self) -> bool {
        self.start == self.end && !self.skipping
    }

    fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.searched = 0;
        self.found = None;
    }
}

/// Bytes to send: messages in, bytes out. The buffer holds `start..end`.
#[derive(Debug, Default)]
pub(crate) struct SendBuffer<'b> {
    buffer: &'b mut [u8],
    start: usize,
    end: usize,
    /// Descriptors go with the message that begins this many bytes after `start`.
    mark: Option<usize>,
}

impl<'b> SendBuffer<'b> {
    pub fn new(buffer: &'b mut [u8]) -> Self {
        SendBuffer {
            buffer,
            ..SendBuffer::default()
        }
    }

    /// The bytes to send; then call `sent`. Bytes before a marked message are sent without it.
    pub fn pending(&self) -> &[u8] {
        let end = match self.mark {
            None | Some(0) => self.end,
            Some(before) => self.start.saturating_add(before),
        };
        self.buffer.get(self.start..end).unwrap_or_default()
    }

    /// Records that the first `count` bytes of `pending` were sent.
    pub fn sent(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        self.mark = match self.mark {
            Some(before) if before > 0 || count == 0 => Some(before.saturating_sub(count)),
            // The descriptors went with the first byte.
            _ => None,
        };
        if self.start == self.end {
            self.clear();
        }
    }

    /// Drops everything that was to be sent.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.mark = None;
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Room for one reply of a service: half of the buffer, always, so that a reply that fits alone
    /// fits after others. None until half is free, and while descriptors wait to be sent with a
    /// message: nothing may be sent past them.
    pub fn reply_room(&mut self) -> Option<&mut [u8]> {
        let half = self.buffer.len() / 2;
        if !self.has_reply_room() {
            return None;
        }
        if self.buffer.len().saturating_sub(self.end) < half {
            compact(self.buffer, &mut self.start, &mut self.end);
        }
        self.buffer.get_mut(self.end..)?.get_mut(..half)
    }

    /// True if [`reply_room`](Self::reply_room) returns some.
    pub fn has_reply_room(&self) -> bool {
        let used = self.end.saturating_sub(self.start);
        let free = self.buffer.len().saturating_sub(used);
        self.mark.is_none() && free >= self.buffer.len() / 2
    }

    /// All of the buffer that is free, for a message; when it is written, call `commit`.
    pub fn room(&mut self) -> &mut [u8] {
        compact(self.buffer, &mut self.start, &mut self.end);
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Records that the first `count` bytes of the room are to be sent.
    pub fn commit(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.buffer.len());
    }

    /// Like `commit`, for a message that descriptors go with.
    pub fn commit_marked(&mut self, count: usize) {
        debug_assert!(self.mark.is_none() && count > 0);
        self.mark = Some(self.end.saturating_sub(self.start));
        self.commit(count);
    }

    /// True if descriptors go with the first byte of `pending`.
    pub fn is_at_mark(&self) -> bool {
        self.mark == Some(0)
    }

    /// Appends as many of the bytes as have room; returns how many these are.
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
            assert!(!receive.is_empty(), "what is skipped is not forgotten");
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
            // Whatever message has been there before it.
            assert!(feed(&mut receive, b"\0").unwrap().is_some());
            let message = [b'x'; 7];
            assert_eq!(feed(&mut receive, &message[..length]), Ok(None));
            let taken = feed(&mut receive, b"\0").unwrap().map(|taken| taken.len());
            assert_eq!(taken, Some(length));
        }
    }

    #[test]
    fn an_empty_buffer_holds_nothing_and_hangs_nothing() {
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
        // Nor if the bytes were moved.
        let mut buffer = [0; 16];
        let mut receive = ReceiveBuffer::new(&mut buffer);
        assert!(feed(&mut receive, b"{}\0half").unwrap().is_some());
        assert_eq!(receive.search(), Ok(false));
        assert_eq!(receive.spare().len(), 12);
        assert_eq!((receive.searched, receive.end), (4, 4));
    }

    #[test]
    fn what_is_found_is_found_until_it_is_taken() {
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
    fn what_follows_a_message_stays_unread() {
        let mut buffer = [0; 16];
        let mut receive = ReceiveBuffer::new(&mut buffer);
        assert!(feed(&mut receive, b"{}\0raw\0bytes").unwrap().is_some());
        assert_eq!(receive.unread(), b"raw\0bytes");
        assert_eq!(receive.into_unread(), b"raw\0bytes");
    }

    /// Puts a reply into the half of the buffer that is for it.
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
                    assert_eq!(send.has_reply_room(), has_room);
                    let room = send.reply_room().map(|room| room.len());
                    assert_eq!(room, has_room.then_some(half), "{size}: {sent}..{pending}");
                    // Nothing is lost if it was moved.
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
    fn what_is_not_a_reply_has_all_that_is_free() {
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
        // Nothing is sent past them.
        assert_eq!(send.reply_room(), None);
        assert!(!send.has_reply_room());
        assert!(!send.is_at_mark());
        assert_eq!(send.pending(), b"fore");
        send.sent(3);
        assert_eq!((send.pending(), send.is_at_mark()), (&b"e"[..], false));
        send.sent(1);
        assert_eq!((send.pending(), send.is_at_mark()), (&b"marked"[..], true));
        // They are still there if nothing was sent, and gone with one byte.
        send.sent(0);
        assert!(send.is_at_mark());
        send.sent(1);
        assert!(!send.is_at_mark());
        assert!(put(&mut send, b"after"));
        assert_eq!(send.pending(), b"arkedafter");
        // Alone, the message begins with them.
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
}
