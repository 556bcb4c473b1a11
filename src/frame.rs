//! Bytes to messages and back, in the caller's buffers.
//!
//! Every message ends with one NUL, which can't occur inside of it: UAPI.20, "Wire Protocol".
//! Nothing here reads or writes; a driver moves the bytes between these buffers and its stream.

use core::cell::Cell;
use core::mem;

use crate::error::TooLong;

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
    /// It is empty only while a message is complete, or over an empty buffer.
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
            let Some(position) = new.iter().position(|byte| *byte == 0) else {
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
            self.drop_message(length);
        }
    }

    /// The message that [`search`](Self::search) has found, without its NUL.
    pub fn take(&mut self) -> Option<&mut [u8]> {
        let length = self.ready.take()?;
        let start = self.start;
        self.drop_message(length);
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

    /// What has been received and is no part of a message that was returned.
    pub fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// The same, for as long as the buffer lives.
    pub fn into_unread(self) -> &'b [u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether a message has begun that is not complete.
    pub fn inside_message(&self) -> bool {
        self.skipping || (self.ready.is_none() && self.start != self.end)
    }

    /// A message of `length` bytes, and its NUL, are dealt with.
    fn drop_message(&mut self, length: usize) {
        self.start = self
            .start
            .saturating_add(length)
            .saturating_add(1)
            .min(self.end);
        self.searched = 0;
        if self.start == self.end {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.searched = 0;
    }
}

/// What is to be sent: messages in, bytes out.
#[derive(Debug)]
pub struct Outbox<'b> {
    buffer: &'b mut [u8],
    /// The bytes that wait to be sent: `start..end`.
    start: usize,
    end: usize,
}

impl<'b> Outbox<'b> {
    /// Over a buffer that holds the longest message and its NUL.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Outbox {
            buffer,
            start: 0,
            end: 0,
        }
    }

    /// The bytes to be sent; then tell [`sent`](Self::sent).
    pub fn pending(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// The first `count` of the [`pending`](Self::pending) bytes have been sent.
    pub fn sent(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Everything behind the pending bytes, to write a message into; then tell
    /// [`commit`](Self::commit).
    pub fn spare(&mut self) -> &mut [u8] {
        if self.start > 0 {
            move_to_front(self.buffer, self.start, self.end);
            self.end = self.end.saturating_sub(self.start);
            self.start = 0;
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// The room that a reply has: half of the buffer, whatever is pending. None while that much
    /// is not free.
    ///
    /// So a reply fits, or does not, whether it is alone or one of many: the other half collects
    /// the replies of pipelined calls.
    pub fn room(&mut self) -> Option<&mut [u8]> {
        let half = self.buffer.len().div_ceil(2);
        self.spare().get_mut(..half)
    }

    /// Whether [`room`](Self::room) is there.
    pub fn has_room(&self) -> bool {
        self.pending().len() <= self.buffer.len() / 2
    }

    /// The first `count` bytes of [`spare`](Self::spare), or of [`room`](Self::room), are a
    /// message and its NUL. Without this, what was written there never was.
    pub fn commit(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.buffer.len());
    }
}

/// `copy_within(start..end, 0)`, but provably without a panic.
fn move_to_front(buffer: &mut [u8], start: usize, end: usize) {
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

    #[test]
    fn an_outbox_sends_what_was_committed_in_order() {
        let mut buffer = [0; 8];
        let mut outbox = Outbox::new(&mut buffer);
        outbox.spare()[..3].copy_from_slice(b"abc");
        outbox.commit(3);
        outbox.sent(2);
        assert_eq!(outbox.spare().len(), 7);
        outbox.spare()[..2].copy_from_slice(b"de");
        outbox.commit(2);
        assert_eq!(outbox.pending(), b"cde");
        outbox.sent(99);
        assert_eq!(outbox.pending(), b"");
        assert_eq!(outbox.spare().len(), 8);
    }

    #[test]
    fn a_reply_has_half_of_the_buffer_whatever_is_pending() {
        for size in 0..20 {
            let mut buffer = vec![0; size];
            let mut outbox = Outbox::new(&mut buffer);
            let alone = outbox.room().unwrap().len();
            for pending in 0..=size {
                let mut buffer = vec![0; size];
                let mut outbox = Outbox::new(&mut buffer);
                outbox.commit(pending);
                assert_eq!(outbox.has_room(), outbox.room().is_some());
                if let Some(room) = outbox.room() {
                    assert_eq!(room.len(), alone);
                }
            }
        }
    }
}
