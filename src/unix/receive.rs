//! Reads from a Unix socket: how far they go, and which descriptors they receive.
//!
//! Descriptors belong to the message with whose first byte they were sent: UAPI.20, "Passing File
//! Descriptors". The kernel only reports that descriptors belong to some byte of a read: one read
//! can return bytes that were sent without descriptors, followed by bytes that were sent with some.
//! So descriptors are accepted with the first byte of a message, and are an error everywhere else.

use core::mem::{ManuallyDrop, MaybeUninit};

use rustix::fd::OwnedFd;
use rustix::io::{IoSliceMut, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, Shutdown, recvmsg, shutdown,
};

use super::DESCRIPTORS_MAX;
use super::error::{IoError, unless_again};
use crate::bytes::{find_nul, part_mut};
use crate::peer::Descriptor;

/// The end of a read from a Unix socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// To the last available byte, with one system call.
    #[default]
    All,
    /// To the end of a message, with two system calls for each message.
    ///
    /// After an upgrade, the next byte in the socket is the first of the other protocol, so that
    /// the bare descriptor can be passed on: UAPI.20, "`upgrade`". Only such reads receive
    /// descriptors.
    Message,
}

/// Takes a descriptor. Returns false if there was no room for it.
pub(super) type Take<'a> = &'a mut dyn FnMut(Descriptor) -> bool;

/// The reason why a read without room for ancillary data is truncated: `MSG_CTRUNC`, recvmsg(2).
///
/// Descriptors are not the only reason: a socket that was handed over may be set to receive a
/// security label (`SO_PASSSEC`) or a pidfd (`SO_PASSPIDFD`) with every read. A read with room
/// could tell them apart, but room for a descriptor is also room for a pidfd, which rustix does not
/// know, so that it could not be closed: `scm_recv_unix()` installs credentials, label, descriptors
/// and pidfd, in that order, as long as there is room. But descriptors are received with the first
/// byte of a sent piece only, and the others with every byte. So the first byte is read alone. If
/// the next read is truncated as well, the reason was not a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truncation {
    /// Only descriptors can be the reason: the socket was made here, or its first byte was received
    /// without truncation.
    Descriptors,
    /// Nothing has been read yet from a socket that was handed over.
    Unknown,
    /// The read of the first byte was truncated.
    Suspected,
    /// Every read is truncated for another reason, so that descriptors cannot be detected.
    Always,
    /// Descriptors were refused: the next read fails.
    Refused,
}

/// A read from a Unix socket.
pub(super) struct Receive<'a> {
    pub socket: &'a OwnedFd,
    /// True if the last read ended inside a message.
    pub mid_message: bool,
    pub truncation: &'a mut Truncation,
    pub flags: RecvFlags,
}

impl Receive<'_> {
    /// Receives up to the end of a message; None if no byte is available.
    ///
    /// Without `take`, descriptors are an error.
    pub fn message(
        &mut self,
        buffer: &mut [u8],
        take: Option<Take<'_>>,
    ) -> Result<Option<usize>, IoError> {
        let (limit, truncated) = match self.without_control(buffer, RecvFlags::PEEK)? {
            Some((0, _)) => return Ok(Some(0)),
            Some((count, truncated)) => {
                let seen = buffer.get(..count).unwrap_or_default();
                let limit = find_nul(seen).map_or(count, |nul| nul.saturating_add(1));
                (limit, Some(truncated))
            }
            // There may be out-of-band data, which poll(2) reports until a read removes it.
            None => (1, None),
        };
        let mut count = 0;
        if let Some(take) = take
            && truncated != Some(false)
            && !self.mid_message
            && *self.truncation != Truncation::Always
        {
            let mut received_any = false;
            let take: Take<'_> = &mut |descriptor| {
                received_any = true;
                take(descriptor)
            };
            count = match self.with_control(part_mut(buffer, 0, 1), take)? {
                Some(1) => 1,
                other => return Ok(other),
            };
            // Something other than descriptors may have used the room: do not provide it again.
            if !received_any && truncated == Some(true) && *self.truncation == Truncation::Unknown {
                *self.truncation = Truncation::Always;
            }
        }
        if count == limit {
            return Ok(Some(count));
        }
        let rest = self.bytes(part_mut(buffer, count, limit))?;
        Ok(match (count, rest) {
            (0, rest) => rest,
            (count, rest) => Some(count.saturating_add(rest.unwrap_or(0))),
        })
    }

    /// Receives all available bytes; None if there are none. Descriptors are an error, and closed
    /// by the kernel.
    pub fn bytes(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, IoError> {
        if *self.truncation != Truncation::Unknown {
            return self.receive_checked(buffer);
        }
        let first = self.receive_checked(part_mut(buffer, 0, 1))?;
        if first != Some(1) || buffer.len() == 1 {
            return Ok(first);
        }
        self.flags |= RecvFlags::DONTWAIT;
        let rest = self.receive_checked(part_mut(buffer, 1, usize::MAX))?;
        Ok(Some(rest.unwrap_or(0).saturating_add(1)))
    }

    /// Receives without room for ancillary data. Fails if descriptors were sent, as far as
    /// `truncation` shows that. If messages came before the one with the descriptors, returns these
    /// messages, and the next read fails.
    fn receive_checked(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, IoError> {
        if *self.truncation == Truncation::Refused {
            return Err(IoError::Descriptors);
        }
        let received = self.without_control(buffer, RecvFlags::empty())?;
        let Some((count @ 1.., truncated)) = received else {
            return Ok(received.map(|(count, _)| count));
        };
        *self.truncation = match (*self.truncation, truncated) {
            (Truncation::Descriptors, true) => {
                // The kernel ends a read after the piece that was sent with descriptors, so they
                // belong to the last message.
                let last = count.saturating_sub(1);
                let rest = buffer.get(..last).unwrap_or_default();
                let Some(end) = rest.iter().rposition(|byte| *byte == 0) else {
                    return Err(IoError::Descriptors);
                };
                *self.truncation = Truncation::Refused;
                // So that a driver that waits for input reads again.
                let _ = shutdown(self.socket, Shutdown::Read);
                return Ok(Some(end.saturating_add(1)));
            }
            (Truncation::Suspected, false) | (Truncation::Refused, _) => {
                return Err(IoError::Descriptors);
            }
            (Truncation::Descriptors | Truncation::Unknown, false) => Truncation::Descriptors,
            (Truncation::Unknown, true) => Truncation::Suspected,
            (Truncation::Suspected, true) | (Truncation::Always, _) => Truncation::Always,
        };
        Ok(Some(count))
    }

    /// Receives without room for ancillary data. Returns the number of bytes, and true if ancillary
    /// data was truncated.
    fn without_control(
        &self,
        buffer: &mut [u8],
        flags: RecvFlags,
    ) -> Result<Option<(usize, bool)>, IoError> {
        // It stays empty, so the code that drops its content is not needed.
        let mut control = ManuallyDrop::new(RecvAncillaryBuffer::default());
        self.receive(buffer, &mut control, flags)
    }

    /// Receives with room for descriptors, and gives them to `take`.
    #[inline(never)] // so that other reads do not have that room on their stack
    fn with_control(&self, buffer: &mut [u8], take: Take<'_>) -> Result<Option<usize>, IoError> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = self.receive(buffer, &mut control, RecvFlags::empty())?;
        let mut complete = !matches!(received, Some((_, true)));
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                for descriptor in descriptors {
                    complete &= take(descriptor);
                }
            }
        }
        if !complete {
            return Err(IoError::Descriptors);
        }
        Ok(received.map(|(count, _)| count))
    }

    /// Calls recvmsg(2). Returns the number of bytes, and true if ancillary data was truncated.
    fn receive(
        &self,
        buffer: &mut [u8],
        control: &mut RecvAncillaryBuffer<'_>,
        flags: RecvFlags,
    ) -> Result<Option<(usize, bool)>, IoError> {
        let flags = self.flags | flags | RecvFlags::CMSG_CLOEXEC;
        let mut buffers = [IoSliceMut::new(buffer)];
        let received = retry_on_intr(|| recvmsg(self.socket, &mut buffers, control, flags));
        let received = unless_again(received)?;
        Ok(received.map(|received| {
            let truncated = received.flags.contains(ReturnFlags::CTRUNC);
            (received.bytes, truncated)
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::{string::String, vec, vec::Vec};

    use heapless::VecView;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fd::{AsFd, BorrowedFd};
    use rustix::net::{SendFlags, send};

    use super::super::stream::Stream;
    use super::*;

    /// Descriptors to send, which all refer to one end of a connection. The other end reads the
    /// end of input when the last of them is closed.
    struct Tracked {
        end: Stream,
        other: Stream,
    }

    impl Tracked {
        fn new() -> Self {
            let (end, other) = Stream::pair().unwrap();
            Tracked { end, other }
        }

        fn all_are_closed(self) -> bool {
            let Tracked { end, mut other } = self;
            drop(end);
            now(&mut other, 1, &mut heapless::Vec::<_, 0>::new()) == Ok(Some(String::new()))
        }
    }

    fn now(
        stream: &mut Stream,
        size: usize,
        held: &mut VecView<Option<Descriptor>>,
    ) -> Result<Option<String>, IoError> {
        let mut buffer = vec![b'?'; size];
        let count = stream.receive_now(stream.reading, &mut buffer, held)?;
        Ok(count.map(|count| String::from_utf8(buffer[..count].to_vec()).unwrap()))
    }

    /// Sends pieces with numbers of descriptors, and reads them into a buffer of `size` bytes, all
    /// at once or piece by piece. Returns the messages, and the number of descriptors of each.
    fn exchange(
        reading: Reading,
        pieces: &[(&str, usize)],
        size: usize,
        at_once: bool,
    ) -> Result<Vec<(String, usize)>, IoError> {
        let tracked = Tracked::new();
        let (mut sender, mut receiver) = Stream::pair().unwrap();
        receiver.set_reading(reading);
        let mut held = heapless::Vec::<_, 300>::new();
        let mut messages = vec![];
        let mut message = String::new();
        let mut receive = || -> Result<(), IoError> {
            while let Some(text) = now(&mut receiver, size, &mut held)? {
                for part in text.split_inclusive('\0') {
                    message.push_str(part);
                    if let Some(text) = message.strip_suffix('\0') {
                        messages.push((String::from(text), held.len()));
                        held.clear();
                        message.clear();
                    }
                }
            }
            Ok(())
        };
        let mut result = Ok(());
        for (bytes, count) in pieces {
            let descriptors = vec![tracked.end.as_fd(); *count];
            let sent = sender.send_now(bytes.as_bytes(), &descriptors);
            assert_eq!(sent, Ok(Some(bytes.len())));
            if !at_once {
                result = result.and_then(|()| receive());
            }
        }
        if at_once {
            result = receive();
        }
        drop((sender, receiver, held));
        assert!(tracked.all_are_closed(), "{pieces:?}");
        result.map(|()| messages)
    }

    /// Like `exchange`; the result must not depend on the size of the buffer, or on the time at
    /// which the pieces arrive.
    fn exchange_all(
        reading: Reading,
        pieces: &[(&str, usize)],
    ) -> Result<Vec<(String, usize)>, IoError> {
        let first = exchange(reading, pieces, 64, true);
        for size in 1..=12 {
            for at_once in [true, false] {
                let next = exchange(reading, pieces, size, at_once);
                assert_eq!(next, first, "{pieces:?} {size} {at_once}");
            }
        }
        first
    }

    #[test]
    fn x1_descriptors_belong_to_the_message_with_whose_first_byte_they_came() {
        for (pieces, expected) in [
            (&[("a\0", 1)][..], &[("a", 1)][..]),
            (&[("a\0", 0), ("bb\0", 2)], &[("a", 0), ("bb", 2)]),
            (&[("aa\0", 2), ("b\0", 0)], &[("aa", 2), ("b", 0)]),
            (&[("a\0", 1), ("b\0", 2)], &[("a", 1), ("b", 2)]),
            (&[("a\0bb\0", 2)], &[("a", 2), ("bb", 0)]),
            (
                &[("a\0b\0", 0), ("c\0d\0", 3)],
                &[("a", 0), ("b", 0), ("c", 3), ("d", 0)],
            ),
            // A message in pieces.
            (&[("a", 3), ("a", 0), ("\0b\0", 0)], &[("aa", 3), ("b", 0)]),
            (
                &[("aa", 0), ("a\0", 0), ("b", 1), ("\0", 0)],
                &[("aaa", 0), ("b", 1)],
            ),
            // An empty message.
            (&[("\0", 1), ("a\0", 2)], &[("", 1), ("a", 2)]),
            // The maximum number of descriptors.
            (
                &[("a\0", DESCRIPTORS_MAX), ("b\0", 1)],
                &[("a", DESCRIPTORS_MAX), ("b", 1)],
            ),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|(a, n)| (String::from(*a), *n))
                .collect();
            assert_eq!(exchange_all(Reading::Message, pieces), Ok(expected));
        }
    }

    #[test]
    fn x1_descriptors_inside_a_message_are_refused() {
        for pieces in [
            &[("a", 0), ("a\0", 1)][..],
            &[("a", 0), ("\0", 1)],
            &[("a", 1), ("a\0", 1)],
            &[("aa", 0), ("\0b\0", DESCRIPTORS_MAX)],
            &[("a\0b", 0), ("b\0", 1)],
            &[("a\0b", 2), ("b\0", 1)],
            &[("a\0", 1), ("b", 0), ("c", 1), ("\0", 0)],
            // With the last byte of one message, and followed by another.
            &[("a", 0), ("\0b\0", 1)],
        ] {
            let refused = Err(IoError::Descriptors);
            assert_eq!(
                exchange_all(Reading::Message, pieces),
                refused,
                "{pieces:?}"
            );
        }
    }

    #[test]
    fn x1_unrequested_descriptors_are_refused() {
        for pieces in [
            &[("a\0", 1)][..],
            &[("a\0", 0), ("b\0", 1)],
            &[("a", 0), ("b\0", 1)],
            &[("a\0", DESCRIPTORS_MAX)],
        ] {
            assert_eq!(
                exchange_all(Reading::All, pieces),
                Err(IoError::Descriptors)
            );
        }
        // The descriptors of the other protocol stay in the socket.
        let (mut sender, mut receiver) = Stream::pair().unwrap();
        let tracked = Tracked::new();
        receiver.set_reading(Reading::Message);
        sender.send_now(b"upgrade\0", &[]).unwrap();
        sender.send_now(b"x", &[tracked.end.as_fd()]).unwrap();
        let none = &mut heapless::Vec::<_, 0>::new();
        let call = now(&mut receiver, 99, none);
        assert_eq!(call, Ok(Some(String::from("upgrade\0"))));
        let mut held = heapless::Vec::<_, 1>::new();
        let other = now(&mut receiver, 99, &mut held);
        assert_eq!((other, held.len()), (Ok(Some(String::from("x"))), 1));
        drop(held);
        assert!(tracked.all_are_closed());
    }

    #[test]
    fn x1_more_descriptors_than_there_is_room_for_are_refused() {
        for (held, sent) in [(0, 1), (1, 3), (2, 3), (0, DESCRIPTORS_MAX), (3, 1)] {
            let tracked = Tracked::new();
            let own = Tracked::new();
            let (mut sender, mut receiver) = Stream::pair().unwrap();
            receiver.set_reading(Reading::Message);
            let descriptors = vec![tracked.end.as_fd(); sent];
            sender.send_now(b"a\0", &descriptors).unwrap();
            let mut room = heapless::Vec::<_, 3>::new();
            for _ in 0..held {
                let descriptor = rustix::io::fcntl_dupfd_cloexec(&own.end, 0).unwrap();
                room.push(Some(descriptor)).unwrap();
            }
            let result = match held {
                0 => now(&mut receiver, 9, &mut heapless::Vec::<_, 0>::new()),
                _ => now(&mut receiver, 9, &mut room),
            };
            assert_eq!(result, Err(IoError::Descriptors), "{held} {sent}");
            // Descriptors that were held before are kept.
            assert_eq!(room.len(), held);
            drop((room, receiver, sender));
            assert!(tracked.all_are_closed());
            assert!(own.all_are_closed());
        }
    }

    #[test]
    fn x1_more_descriptors_than_a_message_carries_are_not_sent() {
        let (mut sender, mut receiver) = Stream::pair().unwrap();
        let tracked = Tracked::new();
        let descriptors: Vec<BorrowedFd<'_>> = vec![tracked.end.as_fd(); DESCRIPTORS_MAX + 1];
        let refused = sender.send_now(b"a\0", &descriptors);
        assert_eq!(refused, Err(IoError::TooManyDescriptors));
        let nothing = now(&mut receiver, 9, &mut heapless::Vec::<_, 0>::new());
        assert_eq!(nothing, Ok(None));
    }

    #[test]
    fn x3_descriptors_that_are_received_are_close_on_exec() {
        let (mut sender, mut receiver) = Stream::pair().unwrap();
        receiver.set_reading(Reading::Message);
        let other = Tracked::new();
        sender.send_now(b"a\0", &[other.end.as_fd()]).unwrap();
        let mut held = heapless::Vec::<_, 1>::new();
        now(&mut receiver, 9, &mut held).unwrap();
        let flags = rustix::io::fcntl_getfd(held[0].as_ref().unwrap()).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }

    #[test]
    fn f5_no_input_and_end_of_input_differ() {
        for reading in [Reading::All, Reading::Message] {
            let (mut sender, mut receiver) = Stream::pair().unwrap();
            receiver.set_reading(reading);
            let held = &mut heapless::Vec::<_, 1>::new();
            assert_eq!(now(&mut receiver, 9, held), Ok(None));
            sender.send_now(b"a\0", &[]).unwrap();
            assert_eq!(now(&mut receiver, 0, held), Ok(None));
            assert_eq!(now(&mut receiver, 9, held), Ok(Some(String::from("a\0"))));
            drop(sender);
            assert_eq!(now(&mut receiver, 9, held), Ok(Some(String::new())));
        }
    }

    #[test]
    fn l1_out_of_band_data_is_removed() {
        for reading in [Reading::All, Reading::Message] {
            let (sender, mut receiver) = Stream::pair().unwrap();
            receiver.set_reading(reading);
            let held = &mut heapless::Vec::<_, 1>::new();
            if send(&sender, b"!", SendFlags::OOB).is_err() {
                return; // an older kernel
            }
            assert_eq!(now(&mut receiver, 9, held), Ok(None));
            let readable = |receiver: &Stream| {
                let mut fds = [PollFd::new(receiver, PollFlags::IN)];
                poll(&mut fds, Some(&Timespec::default())).unwrap() > 0
            };
            assert!(!readable(&receiver), "{reading:?}");
            // Out-of-band data does not remove other bytes.
            send(&sender, b"ab", SendFlags::empty()).unwrap();
            send(&sender, b"!", SendFlags::OOB).unwrap();
            send(&sender, b"c\0", SendFlags::empty()).unwrap();
            let mut all = String::new();
            while let Some(text) = now(&mut receiver, 9, held).unwrap() {
                all += &text;
            }
            assert_eq!(all, "abc\0");
            assert!(!readable(&receiver), "{reading:?}");
        }
    }
}
