//! Bytes to messages and back, in the caller's buffers.
//!
//! Every message ends with one NUL, which can't occur inside of it: UAPI.20, "Wire Protocol".
//! Nothing here reads or writes; a driver moves the bytes between these buffers and its stream.

use core::cell::Cell;
use core::mem;

use crate::bytes::find_nul;
use crate::error::{EncodeError, TooLong};

/// What has been received: bytes in, messages out.
///
/// ```
/// use nullink::frame::Frames;
///
/// let mut buffer = [0; 16];
/// let mut frames = Frames::new(&mut buffer);
///
/// frames.spare()[..7].copy_from_slice(b"{}\0{\"a\"");
/// frames.commit(7);
/// assert_eq!(frames.next().unwrap().unwrap(), b"{}");
/// assert_eq!(frames.next().unwrap(), None);
/// assert!(frames.inside_message());
/// ```
#[derive(Debug)]
pub struct Frames<'b> {
    buffer: &'b mut [u8],
    /// The received bytes that no message has been made of: `start..end`.
    start: usize,
    end: usize,
    /// How many of them are known to hold no NUL, so that no byte is looked at twice.
    searched: usize,
    /// The next message is complete, and this long without its NUL.
    ready: Option<usize>,
    /// Everything up to the next NUL belongs to a message that was too long.
    skipping: bool,
}

impl<'b> Frames<'b> {
    /// Over a buffer that holds the longest message and its NUL.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Frames {
            buffer,
            start: 0,
            end: 0,
            searched: 0,
            ready: None,
            skipping: false,
        }
    }

    /// The free part of the buffer, to receive bytes into; then tell [`commit`](Self::commit).
    ///
    /// It is empty while messages that fill the buffer have not been taken, before a
    /// [`search`](Self::search) has found that one is too long, and over an empty buffer.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.start > 0 {
            move_to_front(self.buffer, self.start, self.end);
            self.end = self.end.saturating_sub(self.start);
            self.start = 0;
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// The first `count` bytes of [`spare`](Self::spare) have been received.
    pub fn commit(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.buffer.len());
    }

    /// Whether a message is complete, which [`take`](Self::take) then returns.
    ///
    /// # Errors
    ///
    /// [`TooLong`], once, for a message that the buffer can't hold. The rest of it is skipped,
    /// and what follows its NUL is the next message.
    pub fn search(&mut self) -> Result<bool, TooLong> {
        if self.ready.is_some() {
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
                self.ready = Some(length);
                return Ok(true);
            }
            self.consume(length.saturating_add(1));
        }
    }

    /// The message that [`search`](Self::search) has found, without its NUL, which stays.
    pub(crate) fn found(&self) -> &[u8] {
        let length = self.ready.unwrap_or_default();
        self.unread().get(..length).unwrap_or_default()
    }

    /// The message that [`search`](Self::search) has found, without its NUL.
    pub fn take(&mut self) -> Option<&mut [u8]> {
        let length = self.ready.take()?;
        let start = self.start;
        self.consume(length.saturating_add(1));
        self.buffer.get_mut(start..)?.get_mut(..length)
    }

    /// The next message, without its NUL; None if it is not complete.
    ///
    /// # Errors
    ///
    /// As [`search`](Self::search).
    #[allow(clippy::should_implement_trait)] // it lends what it returns
    pub fn next(&mut self) -> Result<Option<&mut [u8]>, TooLong> {
        self.search()?;
        Ok(self.take())
    }

    /// What has been received and is not part of a message that was returned.
    pub fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// What has been received and is not part of a message that was returned, to be changed.
    pub(crate) fn unread_mut(&mut self) -> &mut [u8] {
        // What belongs to a message that was too long is not there.
        let range = if self.skipping {
            0..0
        } else {
            self.start..self.end
        };
        self.buffer.get_mut(range).unwrap_or_default()
    }

    /// Removes bytes that were received and are not part of a message that was found.
    pub(crate) fn remove(&mut self, at: usize, count: usize) {
        let at = self.start.saturating_add(at).min(self.end);
        let (from, end) = (at.saturating_add(count).min(self.end), self.end);
        let rest = self.buffer.get_mut(at..end).unwrap_or_default();
        move_to_front(rest, from.saturating_sub(at), end.saturating_sub(at));
        self.end = end.saturating_sub(from.saturating_sub(at));
        self.searched = self.searched.min(at.saturating_sub(self.start));
        self.ready = None;
    }

    /// The first `count` bytes of [`unread`](Self::unread) are dealt with.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        self.searched = 0;
        self.ready = None;
        if self.start == self.end {
            self.clear();
        }
    }

    /// Whether the next message is empty, or, if that matters, a later one: it and what is before
    /// it are dealt with then, and so are those that are empty behind the next.
    pub(crate) fn cut_before_empty(&mut self, later: bool) -> bool {
        if self.skipping {
            return false;
        }
        let unread = self.unread();
        let mut count = unread.iter().take_while(|byte| **byte == 0).count();
        if later && let Some(at) = unread.windows(2).rposition(|pair| pair == [0, 0]) {
            count = at.saturating_add(2);
        }
        if count > 0 {
            self.consume(count);
        }
        count > 0
    }

    /// What has been received is thrown away, and what is yet to come of its last message.
    pub(crate) fn skip(&mut self) {
        let last = self.unread().last();
        let inside = last.map_or(self.skipping, |last| *last != 0);
        self.reset();
        self.skipping = inside;
    }

    /// Whether a message that was to be [skipped](Self::skip) has come to its end.
    pub(crate) fn has_skipped(&mut self) -> bool {
        if !self.skipping {
            return false;
        }
        match find_nul(self.unread()) {
            Some(position) => {
                self.consume(position.saturating_add(1));
                self.skipping = false;
                true
            }
            None => {
                self.clear();
                false
            }
        }
    }

    /// Nothing has been received.
    pub(crate) fn reset(&mut self) {
        self.clear();
        self.ready = None;
        self.skipping = false;
    }

    /// [`unread`](Self::unread), for as long as the buffer lives.
    pub fn into_unread(self) -> &'b [u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether a message has begun that is not complete, when [`search`](Self::search) has found
    /// none.
    pub fn inside_message(&self) -> bool {
        self.skipping || (self.ready.is_none() && self.start != self.end)
    }

    fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.searched = 0;
    }
}

/// What is to be sent: messages in, bytes out.
#[derive(Debug)]
pub(crate) struct Outbox<'b> {
    buffer: &'b mut [u8],
    pending: Pending,
    /// How much of it comes before the message that descriptors go with: see [`Outbox::mark`].
    marked: Option<usize>,
}

/// Which bytes of a buffer wait to be sent.
#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    start: usize,
    end: usize,
}

impl Pending {
    fn of<'a>(&self, buffer: &'a [u8]) -> &'a [u8] {
        buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }
}

impl<'b> Outbox<'b> {
    /// Over a buffer that holds the longest message and its NUL.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Outbox {
            buffer,
            pending: Pending::default(),
            marked: None,
        }
    }

    /// The bytes to be sent; then tell [`sent`](Self::sent).
    ///
    /// What comes before a message that descriptors go with is sent without it.
    pub fn pending(&self) -> &[u8] {
        let pending = self.pending.of(self.buffer);
        match self.marked {
            None | Some(0) => pending,
            Some(before) => pending.get(..before).unwrap_or_default(),
        }
    }

    /// The first `count` of the [`pending`](Self::pending) bytes have been sent.
    pub fn sent(&mut self, count: usize) {
        let Pending { start, end } = self.pending;
        let start = start.saturating_add(count).min(end);
        self.pending = match start == end {
            true => Pending::default(),
            false => Pending { start, end },
        };
        self.marked = match self.marked {
            Some(before) if before > 0 => Some(before.saturating_sub(count)),
            // Descriptors go with the first byte.
            Some(_) if count == 0 => Some(0),
            _ => None,
        };
    }

    /// Nothing of what waits will be sent.
    pub fn clear(&mut self) {
        self.pending = Pending::default();
        self.marked = None;
    }

    /// Descriptors go with the message that was written last, which is `length` bytes long: with its
    /// first byte.
    pub fn mark(&mut self, length: usize) {
        self.marked = Some(self.pending.len().saturating_sub(length));
    }

    /// Whether there is a message that descriptors go with, and whether it is what is
    /// [`pending`](Self::pending).
    pub fn marked(&self) -> Option<bool> {
        self.marked.map(|before| before == 0)
    }

    /// Whether what waits takes more than half of the buffer.
    pub(crate) fn is_half_full(&self) -> bool {
        self.pending.len() > self.buffer.len() / 2
    }

    /// Whether a message of `count` bytes fits behind those that wait.
    pub(crate) fn has_room(&self, count: usize) -> bool {
        count <= self.buffer.len().saturating_sub(self.pending.len())
    }

    /// Room for a message behind those that wait; when it is written, tell
    /// [`commit`](Self::commit). Without that it never was.
    ///
    /// If there is not enough of it, `drain` is asked to send what waits: so the room is always
    /// the whole buffer, whether a message is alone or one of many.
    pub(crate) fn room<'c>(&'c mut self, drain: &'c mut Option<Drain<'_>>) -> Room<'c> {
        let Pending { start, end } = self.pending;
        if start > 0 {
            move_to_front(self.buffer, start, end);
            self.pending = Pending {
                start: 0,
                end: self.pending.len(),
            };
        }
        Room {
            buffer: self.buffer,
            pending: &mut self.pending,
            // (`Option::as_deref_mut` can't shorten the lifetime of what it holds.)
            drain: match drain {
                Some(drain) => Some(&mut **drain),
                None => None,
            },
        }
    }

    /// The next `count` bytes, which were written into the [`room`](Self::room), are a message.
    pub(crate) fn commit(&mut self, count: usize) {
        let end = self.pending.end.saturating_add(count);
        self.pending.end = end.min(self.buffer.len());
    }

    /// Puts bytes behind those that wait, as many as have room, and says how many these are.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> usize {
        let drain = &mut None;
        let Room {
            buffer, pending, ..
        } = self.room(drain);
        let spare = buffer.get_mut(pending.end..).unwrap_or_default();
        let moved = spare.iter_mut().zip(bytes).map(|(to, from)| *to = *from);
        let count = moved.count();
        self.commit(count);
        count
    }

    /// The buffer, for something else. Nothing of what waits will be sent.
    pub(crate) fn into_buffer(self) -> &'b mut [u8] {
        self.buffer
    }
}

/// Sends bytes, all of them, and says whether it has. If it has not, the connection is over:
/// part of them may have been sent.
pub type Drain<'a> = &'a mut dyn FnMut(&[u8]) -> bool;

/// Where a message is written to: see [`Outbox::room`].
pub(crate) struct Room<'c> {
    buffer: &'c mut [u8],
    pending: &'c mut Pending,
    drain: Option<Drain<'c>>,
}

impl Room<'_> {
    /// Has a message written, which is told how much room there is, and says how much it took.
    pub fn write(
        &mut self,
        message: &dyn Fn(&mut [u8]) -> Result<usize, EncodeError>,
    ) -> Result<usize, EncodeError> {
        let spare = self.buffer.get_mut(self.pending.end..).unwrap_or_default();
        let written = message(spare);
        if written != Err(EncodeError::Full) || self.pending.end == 0 {
            return written;
        }
        let waiting = self.pending.of(self.buffer);
        let Some(drain) = self.drain.as_mut() else {
            return written;
        };
        if !drain(waiting) {
            return Err(EncodeError::Disconnected);
        }
        *self.pending = Pending::default();
        message(self.buffer)
    }

    /// The message that was written last, with a length of `count`, without its NUL.
    pub fn written(&self, count: usize) -> &[u8] {
        let written = self.buffer.get(self.pending.end..).unwrap_or_default();
        written.get(..count.saturating_sub(1)).unwrap_or_default()
    }
}

impl core::fmt::Debug for Room<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Room")
            .field("buffer", &self.buffer.len())
            .field("pending", &self.pending)
            .finish()
    }
}

/// `copy_within(start..end, 0)`, but provably without a panic.
pub(crate) fn move_to_front(buffer: &mut [u8], start: usize, end: usize) {
    let cells = Cell::from_mut(buffer).as_slice_of_cells();
    let from = cells.get(start..end).unwrap_or_default();
    for (to, from) in cells.iter().zip(from) {
        to.set(from.get());
    }
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::*;

    fn feed<'a>(frames: &'a mut Frames<'_>, bytes: &[u8]) -> Result<Option<&'a mut [u8]>, TooLong> {
        let spare = frames.spare();
        spare[..bytes.len()].copy_from_slice(bytes);
        frames.commit(bytes.len());
        frames.next()
    }

    #[test]
    fn f1_messages_come_out_whole_however_they_arrive() {
        let input = b"{\"a\":1}\0{}\0\0[1,2,3,4]\0";
        let expected: Vec<&[u8]> = vec![b"{\"a\":1}", b"{}", b"", b"[1,2,3,4]"];
        for chunk in 1..=input.len() {
            for size in 10..=input.len() + 1 {
                let mut buffer = vec![0xaa; size];
                let mut frames = Frames::new(&mut buffer);
                let mut rest = &input[..];
                let mut seen = Vec::new();
                while !rest.is_empty() {
                    let spare = frames.spare();
                    let n = chunk.min(rest.len()).min(spare.len());
                    spare[..n].copy_from_slice(&rest[..n]);
                    frames.commit(n);
                    rest = &rest[n..];
                    while let Some(message) = frames.next().unwrap() {
                        seen.push(message.to_vec());
                    }
                }
                assert_eq!(seen, expected, "chunks of {chunk}, buffer of {size}");
                assert!(!frames.inside_message());
            }
        }
    }

    #[test]
    fn f4_too_long_is_reported_once_and_skipped_to_its_nul() {
        let mut buffer = [0; 4];
        let mut frames = Frames::new(&mut buffer);
        assert_eq!(feed(&mut frames, b"1234"), Err(TooLong));
        assert!(frames.inside_message());
        for _ in 0..10 {
            assert_eq!(feed(&mut frames, b"5678"), Ok(None));
        }
        assert_eq!(feed(&mut frames, b"9\0ab"), Ok(None));
        assert_eq!(feed(&mut frames, b"\0"), Ok(Some(&mut b"ab".to_vec()[..])));
        assert!(!frames.inside_message());
    }

    #[test]
    fn f4_two_long_messages_are_reported_twice() {
        let mut buffer = [0; 2];
        let mut frames = Frames::new(&mut buffer);
        assert_eq!(feed(&mut frames, b"12"), Err(TooLong));
        assert_eq!(feed(&mut frames, b"\0a"), Ok(None));
        assert_eq!(feed(&mut frames, b"b"), Err(TooLong));
        assert_eq!(feed(&mut frames, b"\0c"), Ok(None));
        assert_eq!(feed(&mut frames, b"\0"), Ok(Some(&mut b"c".to_vec()[..])));
    }

    #[test]
    fn f4_what_is_skipped_is_skipped_to_its_end() {
        for (input, is_inside) in [
            (&b"xxxxxxxx"[..], true),
            (b"x", true),
            (b"{}\0x", true),
            (b"{}\0", false),
            (b"", false),
        ] {
            let mut buffer = [0; 8];
            let mut frames = Frames::new(&mut buffer);
            frames.spare()[..input.len()].copy_from_slice(input);
            frames.commit(input.len());
            for _ in 0..2 {
                frames.skip();
                assert_eq!(frames.inside_message(), is_inside);
                assert!(!frames.has_skipped());
                assert_eq!(frames.spare().len(), 8);
            }
            frames.spare()[..8].copy_from_slice(b"a\0b\0cdef");
            frames.commit(8);
            assert_eq!(frames.has_skipped(), is_inside);
            let next = if is_inside { "b" } else { "a" };
            assert_eq!(frames.next().unwrap().unwrap(), next.as_bytes());
        }
    }

    #[test]
    fn an_empty_buffer_holds_nothing_and_hangs_nothing() {
        let mut frames = Frames::new(&mut []);
        assert!(frames.spare().is_empty());
        assert_eq!(frames.next(), Err(TooLong));
        assert_eq!(frames.next(), Ok(None));
    }

    #[test]
    fn no_byte_is_searched_twice() {
        let mut buffer = [0; 64];
        let mut frames = Frames::new(&mut buffer);
        for _ in 0..63 {
            assert_eq!(feed(&mut frames, b"x"), Ok(None));
            assert_eq!(frames.searched, frames.end);
        }
    }

    #[test]
    fn what_follows_a_message_stays_unread() {
        let mut buffer = [0; 16];
        let mut frames = Frames::new(&mut buffer);
        assert!(feed(&mut frames, b"{}\0raw\0bytes").unwrap().is_some());
        assert_eq!(frames.unread(), b"raw\0bytes");
        assert_eq!(frames.into_unread(), b"raw\0bytes");
    }

    fn put(outbox: &mut Outbox<'_>, bytes: &[u8], drain: Option<Drain<'_>>) -> bool {
        let mut drain = drain;
        let written = outbox.room(&mut drain).write(&|room| {
            let room = room.get_mut(..bytes.len()).ok_or(EncodeError::Full)?;
            room.copy_from_slice(bytes);
            Ok(bytes.len())
        });
        if let Ok(count) = written {
            outbox.commit(count);
        }
        written.is_ok()
    }

    #[test]
    fn an_outbox_sends_what_was_committed_in_order() {
        let mut buffer = [0; 8];
        let mut outbox = Outbox::new(&mut buffer);
        assert!(put(&mut outbox, b"abc", None));
        outbox.sent(2);
        assert!(put(&mut outbox, b"defghij", None));
        assert_eq!(outbox.pending(), b"cdefghij");
        assert!(!put(&mut outbox, b"k", None));
        outbox.sent(99);
        assert_eq!(outbox.pending(), b"");
        assert!(put(&mut outbox, b"12345678", None));
    }

    #[test]
    fn the_room_is_the_whole_buffer_whatever_waits() {
        for length in 0..10 {
            for waiting in 0..=8 {
                let mut buffer = [0; 8];
                let mut outbox = Outbox::new(&mut buffer);
                assert!(put(&mut outbox, &b"waiting!"[..waiting], None));
                let mut sent = Vec::new();
                let drain = &mut |bytes: &[u8]| {
                    sent.extend_from_slice(bytes);
                    true
                };
                assert_eq!(
                    put(&mut outbox, &b"0123456789"[..length], Some(drain)),
                    length <= 8
                );
                if length <= 8 {
                    sent.extend_from_slice(outbox.pending());
                    let whole = [&b"waiting!"[..waiting], &b"0123456789"[..length]].concat();
                    assert_eq!(sent, whole);
                }
            }
        }
    }

    #[test]
    fn what_can_not_be_drained_keeps_waiting() {
        let mut buffer = [0; 8];
        let mut outbox = Outbox::new(&mut buffer);
        assert!(put(&mut outbox, b"abcde", None));
        assert!(!put(&mut outbox, b"fghi", Some(&mut |_| false)));
        assert!(!put(&mut outbox, b"fghi", None));
        assert!(put(&mut outbox, b"fgh", None));
        assert_eq!(outbox.pending(), b"abcdefgh");
    }
}
