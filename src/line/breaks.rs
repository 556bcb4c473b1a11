//! Finds the breaks between the clients of a serial line, without I/O.

use core::mem;

use crate::bytes::{compact, copy, erase, part_mut};

/// The beginning of a reply that is not the final one, as `message` writes it.
const CONTINUES: &[u8] = b"{\"continues\":true";

/// The look-ahead buffer of a serial line, which separates the input of one client from that of the
/// next.
///
/// A break is a NUL directly after another NUL. NULs at the beginning of a client's input belong to
/// the break before it. All received bytes pass through the look-ahead buffer, so that the bytes
/// after a break are kept for the next client.
///
/// The blocking driver is [`Line`](super::Line). A driver that does not block must follow the same
/// rules:
///
/// - To receive, it puts bytes into [`spare`](Self::spare), calls [`received`](Self::received), and
///   moves bytes to the session with [`read`](Self::read) until that returns None or 0. It receives
///   no more bytes than the session has room for, so that the look-ahead buffer is empty unless a
///   reply is owed.
/// - While a call is parked, and if [`looks_ahead`](Self::looks_ahead) is true, it receives without
///   calling `read`. A reply that waits for a slow line is no reason to do so.
/// - To send, it first sends a NUL if [`owes_nul`](Self::owes_nul) is true. Then it sends the bytes
///   that [`before_next_look`](Self::before_next_look) returns. It calls [`sent`](Self::sent) with
///   the number of bytes that were sent.
/// - When [`is_break`](Self::is_break) is true, it neither receives nor sends. When `read` returns
///   0, or when the session has bytes to send or a parked call, it abandons the session, calls
///   [`next_client`](Self::next_client), and starts a new session.
/// - Where it would close a connection, it abandons the session and calls
///   [`discard`](Self::discard). After that, `read` returns no bytes until the next break.
#[derive(Debug)]
pub struct LineBuffer<'b> {
    buffer: &'b mut [u8],
    /// The unread bytes are `start..end`. Those before `searched` belong to the current client.
    start: usize,
    searched: usize,
    end: usize,
    /// The input before the byte at `searched`.
    previous: Previous,
    /// True if the byte at `searched` is the last of a break.
    is_break: bool,
    /// True if input is discarded up to the next break.
    discarding: bool,
    output: Output,
}

/// The input directly before a received byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Previous {
    Break,
    Nul,
    Other,
}

/// The position in a message after the last sent byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    /// Between two messages.
    Between,
    /// Inside a message to the current client.
    Inside,
    /// Inside a message to an earlier client.
    Cut,
}

impl<'b> LineBuffer<'b> {
    /// Creates the state of a line on which nothing was received or sent.
    ///
    /// The look-ahead buffer must be as long as the receive buffer, and must not be empty.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        debug_assert!(!buffer.is_empty(), "the look-ahead buffer is empty");
        LineBuffer {
            buffer,
            start: 0,
            searched: 0,
            end: 0,
            previous: Previous::Break,
            is_break: false,
            discarding: false,
            output: Output::Between,
        }
    }

    /// Returns the free part of the look-ahead buffer, without the input that was there before, so
    /// that nothing of it is kept while the driver waits for more. After receiving into it, call
    /// [`received`](Self::received).
    ///
    /// If the buffer is [full](Self::is_full), the client has sent too much ahead: its input is
    /// discarded up to the next break. If a break is already in the buffer, the bytes after it are
    /// kept, and the free part may be empty.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.is_full() {
            self.discard();
        }
        let by = compact(self.buffer, &mut self.start, &mut self.end);
        self.searched = self.searched.saturating_sub(by);
        // Input may be a secret. The rest of the free part was erased before.
        let end = self.end.saturating_add(by);
        erase(part_mut(self.buffer, self.end, end));
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// True if the look-ahead buffer is full. A driver that does not block then calls
    /// [`spare`](Self::spare) only if there is input.
    pub fn is_full(&self) -> bool {
        self.end.saturating_sub(self.start) >= self.buffer.len()
    }

    /// Records that `count` bytes were received into [`spare`](Self::spare).
    pub fn received(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.buffer.len());
        self.search();
    }

    /// Moves bytes of the current client to the beginning of a buffer. Returns their number, 0 if
    /// the client's input ends at a break, or None if more must be received first.
    pub fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let input = self.buffer.get(self.start..self.searched);
        let input = input.unwrap_or_default();
        if input.is_empty() {
            return self.is_break.then_some(0);
        }
        let count = copy(input, buffer);
        self.start = self.start.saturating_add(count);
        Some(count)
    }

    /// True if a break was received: the current client is gone.
    pub fn is_break(&self) -> bool {
        self.is_break
    }

    /// Discards the input of the current client, received or not, up to the next break.
    pub fn discard(&mut self) {
        self.start = self.searched;
        self.discarding = !self.is_break;
    }

    /// Makes the client after the [break](Self::is_break) the current one.
    pub fn next_client(&mut self) {
        debug_assert!(self.is_break, "no client begins without a break");
        self.searched = self.searched.saturating_add(1).min(self.end);
        self.start = self.searched;
        self.previous = Previous::Break;
        self.is_break = false;
        if self.output == Output::Inside {
            self.output = Output::Cut;
        }
        self.search();
    }

    /// True if the driver must look for a break before it sends these bytes: they begin with a
    /// reply that is not the final one, and the stream of replies may have no end.
    pub fn looks_ahead(&self, bytes: &[u8]) -> bool {
        self.output != Output::Inside && bytes.starts_with(CONTINUES)
    }

    /// True if a NUL must be sent first, to end a message to an earlier client.
    pub fn owes_nul(&self) -> bool {
        self.output == Output::Cut
    }

    /// Returns the bytes before the next point where the driver must look for a break: at least one
    /// message.
    pub fn before_next_look<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let nuls = bytes.iter().enumerate().filter(|(_, byte)| **byte == 0);
        let mut ends = nuls.map(|(at, _)| bytes.split_at_checked(at.saturating_add(1)));
        let found = ends.find_map(|parts| parts.filter(|(_, rest)| rest.starts_with(CONTINUES)));
        found.map_or(bytes, |(before, _)| before)
    }

    /// Records that the first `count` of these bytes were sent.
    pub fn sent(&mut self, bytes: &[u8], count: usize) {
        let taken = bytes.get(..count).unwrap_or(bytes);
        if let Some(last) = taken.last() {
            self.output = if *last == 0 {
                Output::Between
            } else {
                Output::Inside
            };
        }
    }

    /// Moves all unread bytes, including breaks, to the beginning of a buffer, and returns their
    /// number. After an upgrade they belong to another protocol.
    pub fn take_unread(&mut self, buffer: &mut [u8]) -> usize {
        let unread = self.buffer.get(self.start..self.end);
        let count = copy(unread.unwrap_or_default(), buffer);
        self.reset();
        count
    }

    /// Forgets all input and output, and erases the look-ahead buffer. Call this when the line was
    /// closed.
    pub fn reset(&mut self) {
        erase(self.buffer);
        *self = LineBuffer::new(mem::take(&mut self.buffer));
    }

    /// Returns all unread bytes, for as long as the buffer lives.
    pub fn into_unread(self) -> &'b [u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Searches the received bytes for the next break.
    fn search(&mut self) {
        if self.is_break {
            return;
        }
        let new = self.buffer.get(self.searched..self.end);
        for byte in new.unwrap_or_default() {
            match (*byte, self.previous) {
                (0, Previous::Break) if !self.discarding => {
                    self.start = self.searched.saturating_add(1);
                }
                (0, Previous::Break | Previous::Nul) => {
                    self.is_break = true;
                    break;
                }
                (0, Previous::Other) => self.previous = Previous::Nul,
                (_, _) => self.previous = Previous::Other,
            }
            self.searched = self.searched.saturating_add(1);
        }
        if self.discarding {
            self.discard();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// Returns the input of each client, if `input` is received in pieces of `piece` bytes. The
    /// look-ahead buffer is read after each piece. The last client is still the current one.
    fn clients(input: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut look_ahead = [0xaa; 8];
        let mut breaks = LineBuffer::new(&mut look_ahead);
        let mut clients = vec![Vec::new()];
        for piece in input.chunks(piece) {
            breaks.spare()[..piece.len()].copy_from_slice(piece);
            breaks.received(piece.len());
            loop {
                let mut buffer = [0; 3];
                match breaks.read(&mut buffer) {
                    Some(count) if count > 0 => {
                        clients.last_mut().unwrap().extend(&buffer[..count]);
                    }
                    Some(_) => {
                        breaks.next_client();
                        clients.push(Vec::new());
                    }
                    None => break,
                }
            }
        }
        clients
    }

    #[test]
    fn l5_two_nuls_are_a_break_however_they_arrive() {
        for (input, expected) in [
            (&b"{}\0[]\0"[..], &[&b"{}\0[]\0"[..]][..]),
            (b"{}\0\0[]\0", &[b"{}\0", b"[]\0"]),
            (b"{}\0\0\0\0\0[]", &[b"{}\0", b"[]"]),
            (b"\0[]\0", &[b"[]\0"]),
            (b"\0\0\0[]\0", &[b"[]\0"]),
            (b"a\0\0b\0\0\0c\0d\0\0", &[b"a\0", b"b\0", b"c\0d\0", b""]),
        ] {
            for piece in 1..=8 {
                assert_eq!(clients(input, piece), expected, "{input:?} {piece}");
            }
        }
    }

    #[test]
    fn nothing_of_read_or_discarded_input_stays_in_memory() {
        let mut look_ahead = [0; 16];
        let mut breaks = LineBuffer::new(&mut look_ahead);
        breaks.spare()[..6].copy_from_slice(b"abcd\0e");
        breaks.received(6);
        assert_eq!(breaks.read(&mut [0; 5]), Some(5));
        assert_eq!(breaks.spare(), [0; 15]);
        breaks.discard();
        assert_eq!(breaks.spare(), [0; 16]);
        breaks.spare()[..4].copy_from_slice(b"fg\0\0");
        breaks.received(4);
        breaks.next_client();
        assert_eq!(breaks.spare(), [0; 16]);
        for take in [false, true] {
            breaks.spare()[..4].copy_from_slice(b"hi\0j");
            breaks.received(4);
            if take {
                assert_eq!(breaks.take_unread(&mut [0; 4]), 4);
            } else {
                breaks.reset();
            }
            assert_eq!(breaks.spare(), [0; 16]);
        }
    }

    #[test]
    fn c1_discarding_ends_at_a_break_wherever_it_begins() {
        let input = b"ab\0c\0\0d\0";
        // The number of bytes that were received before `discard`.
        for before in 0..input.len() {
            let mut look_ahead = [0; 16];
            let mut breaks = LineBuffer::new(&mut look_ahead);
            breaks.spare()[..before].copy_from_slice(&input[..before]);
            breaks.received(before);
            breaks.discard();
            let after = &input[before..];
            breaks.spare()[..after.len()].copy_from_slice(after);
            breaks.received(after.len());
            let mut buffer = [0; 16];
            assert!(breaks.is_break(), "{before}");
            assert_eq!(breaks.read(&mut buffer), Some(0), "{before}");
            breaks.next_client();
            assert_eq!(breaks.read(&mut buffer), Some(2), "{before}");
            assert_eq!(buffer[..2], *b"d\0", "{before}");
        }
    }

    #[test]
    fn l5_a_client_that_is_discarded_before_its_first_byte_is_followed_by_another() {
        for input in [&b"\0\0d\0"[..], b"\0d\0", b"\0\0\0d\0"] {
            let (mut look_ahead, mut buffer) = ([0; 8], [0; 8]);
            let mut breaks = LineBuffer::new(&mut look_ahead);
            breaks.discard();
            breaks.spare()[..input.len()].copy_from_slice(input);
            breaks.received(input.len());
            assert_eq!(breaks.read(&mut buffer), Some(0), "{input:?}");
            breaks.next_client();
            assert_eq!(breaks.read(&mut buffer), Some(2), "{input:?}");
        }
    }

    #[test]
    fn u1_all_unread_bytes_are_taken_after_an_upgrade() {
        let (mut look_ahead, mut buffer) = ([0; 8], [0; 8]);
        let mut breaks = LineBuffer::new(&mut look_ahead);
        breaks.spare()[..6].copy_from_slice(b"ab\0\0cd");
        breaks.received(6);
        assert_eq!(breaks.read(&mut buffer[..1]), Some(1));
        assert_eq!(breaks.take_unread(&mut buffer), 5);
        assert_eq!(buffer[..5], *b"b\0\0cd");
        assert_eq!(breaks.take_unread(&mut buffer), 0);
        assert!(!breaks.is_break());
    }

    #[test]
    fn l5_a_client_that_sends_too_much_ahead_is_discarded_and_the_next_is_not() {
        let mut look_ahead = [0; 4];
        let mut breaks = LineBuffer::new(&mut look_ahead);
        breaks.spare().copy_from_slice(b"a\0b\0");
        breaks.received(4);
        breaks.spare().copy_from_slice(b"c\0\0d");
        breaks.received(4);
        assert!(breaks.is_break());
        assert_eq!(breaks.read(&mut [0; 4]), Some(0));
        // A break and bytes after it are kept, even if they fill the buffer.
        let spare = breaks.spare();
        assert_eq!(spare.len(), 2);
        spare.copy_from_slice(b"ef");
        breaks.received(2);
        assert_eq!(breaks.spare().len(), 0);
        breaks.next_client();
        let mut buffer = [0; 4];
        assert_eq!(breaks.read(&mut buffer), Some(3));
        assert_eq!(buffer[..3], *b"def");
    }

    #[test]
    fn r3_a_message_is_cut_only_if_its_client_leaves_inside_it() {
        for (bytes, count, owes_nul) in [
            (&b"{}\0"[..], 0, false),
            (b"{}\0", 1, true),
            (b"{}\0", 2, true),
            (b"{}\0", 3, false),
            (b"{}\0{}\0", 4, true),
        ] {
            let mut look_ahead = [0; 4];
            let mut breaks = LineBuffer::new(&mut look_ahead);
            breaks.sent(bytes, count);
            assert!(!breaks.owes_nul(), "{count}");
            for _ in 0..2 {
                breaks.spare()[..3].copy_from_slice(b"x\0\0");
                breaks.received(3);
                breaks.next_client();
                assert_eq!(breaks.owes_nul(), owes_nul, "{count}");
                assert_eq!(breaks.read(&mut [0; 4]), None);
            }
            breaks.sent(b"\0", 1);
            assert!(!breaks.owes_nul(), "{count}");
        }
    }

    #[test]
    fn l5_a_driver_looks_ahead_before_each_reply_but_the_final_one() {
        let mut look_ahead = [0; 4];
        let mut breaks = LineBuffer::new(&mut look_ahead);
        let one = b"{\"continues\":true,\"parameters\":{}}\0";
        let last = b"{\"parameters\":{\"continues\":true}}\0";
        assert!(!breaks.looks_ahead(last));
        assert!(breaks.looks_ahead(one));
        let all = [&last[..], last, one, one, last].concat();
        let mut rest = &all[..];
        for expected in [
            [&last[..], last].concat(),
            one.to_vec(),
            [&one[..], last].concat(),
        ] {
            assert_eq!(breaks.looks_ahead(rest), expected.starts_with(one));
            let part = breaks.before_next_look(rest);
            assert_eq!(part, expected);
            breaks.sent(part, 1);
            assert!(!breaks.looks_ahead(one), "inside a message");
            breaks.sent(part, part.len());
            rest = &rest[part.len()..];
        }
        assert_eq!(rest, b"");
    }
}
