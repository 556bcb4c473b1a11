//! How far a read goes, and which descriptors come with it.
//!
//! Descriptors belong to the message with whose first byte they come: UAPI.20, "Passing File
//! Descriptors". The kernel says only that descriptors came with some byte of what was read: it puts
//! what was sent without descriptors and what was sent with some into one read, in that order. So
//! they are looked for at the first byte of a message, and are an error everywhere else.

use core::mem::{ManuallyDrop, MaybeUninit};

use rustix::fd::OwnedFd;
use rustix::io::{IoSliceMut, retry_on_intr};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};

use super::DESCRIPTORS_MAX;
use super::error::{IoError, unless_again};
use crate::bytes::{find_nul, part_mut};
use crate::peer::Descriptor;

/// How far a read from a Unix socket goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// All there is: one system call.
    #[default]
    All,
    /// Up to the end of a message and no further: two system calls for a message.
    ///
    /// After an upgrade the next byte in the socket is the first of the other protocol, so the bare
    /// descriptor can be handed on: UAPI.20, "`upgrade`". Descriptors can be received this way only.
    Message,
}

/// Takes a descriptor, and says whether there was room for it.
pub(super) type Take<'a> = &'a mut dyn FnMut(Descriptor) -> bool;

/// Why a read was truncated (`MSG_CTRUNC`) that had no room for ancillary data.
///
/// Descriptors are not the only reason: a socket that was handed over may be set to receive a security
/// label (`SO_PASSSEC`) or a pidfd (`SO_PASSPIDFD`) with every read. Room would tell them apart, but
/// room for a descriptor is room for a pidfd, which rustix does not know and nothing here could close:
/// `scm_recv_unix()` installs credentials, label, descriptors and pidfd, in that order, as long as there
/// is room. What does differ is that descriptors come with the first byte of what was sent, and all
/// else with every byte. So the first byte is read alone, and the next read tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truncation {
    /// Descriptors were sent: nothing else can be the reason on a socket that was made here.
    Descriptors,
    /// Nothing has been read yet from a socket that was handed over.
    Unknown,
    /// The first byte was truncated.
    Suspected,
    /// Something else comes with every read. Descriptors can't be told from it.
    Always,
}

/// A read from a Unix socket.
pub(super) struct Receive<'a> {
    pub socket: &'a OwnedFd,
    /// The last read ended inside a message.
    pub mid_message: bool,
    pub truncation: &'a mut Truncation,
    pub flags: RecvFlags,
}

impl Receive<'_> {
    /// Receives up to the end of a message; None if there is nothing now.
    ///
    /// No descriptors are accepted without `take`.
    pub fn message(
        &mut self,
        buffer: &mut [u8],
        take: Option<Take<'_>>,
    ) -> Result<Option<usize>, IoError> {
        let (limit, truncated) = match self.without_room(buffer, RecvFlags::PEEK)? {
            Some((0, _)) => return Ok(Some(0)),
            Some((count, truncated)) => {
                let seen = buffer.get(..count).unwrap_or_default();
                let limit = find_nul(seen).map_or(count, |nul| nul.saturating_add(1));
                (limit, Some(truncated))
            }
            // Out-of-band data is removed by a read only, and poll(2) finds it until then.
            None => (1, None),
        };
        let mut count = 0;
        if let Some(take) = take
            && truncated != Some(false)
            && !self.mid_message
            && *self.truncation != Truncation::Always
        {
            let mut came = false;
            let take: Take<'_> = &mut |descriptor| {
                came = true;
                take(descriptor)
            };
            count = match self.with_room(part_mut(buffer, 0, 1), take)? {
                Some(1) => 1,
                other => return Ok(other),
            };
            // Room that something else has filled is not made again.
            if !came && truncated == Some(true) && *self.truncation == Truncation::Unknown {
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

    /// Receives all there is, where descriptors are an error: the kernel closes them. None if there is
    /// nothing now.
    pub fn bytes(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, IoError> {
        if *self.truncation != Truncation::Unknown {
            return self.piece(buffer);
        }
        let first = self.piece(part_mut(buffer, 0, 1))?;
        if first != Some(1) || buffer.len() == 1 {
            return Ok(first);
        }
        self.flags |= RecvFlags::DONTWAIT;
        let rest = self.piece(part_mut(buffer, 1, usize::MAX))?;
        Ok(Some(rest.unwrap_or(0).saturating_add(1)))
    }

    fn piece(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, IoError> {
        let received = self.without_room(buffer, RecvFlags::empty())?;
        let Some((count @ 1.., truncated)) = received else {
            return Ok(received.map(|(count, _)| count));
        };
        *self.truncation = match (*self.truncation, truncated) {
            (Truncation::Descriptors, true) | (Truncation::Suspected, false) => {
                return Err(IoError::Descriptors);
            }
            (Truncation::Descriptors | Truncation::Unknown, false) => Truncation::Descriptors,
            (Truncation::Unknown, true) => Truncation::Suspected,
            (Truncation::Suspected, true) | (Truncation::Always, _) => Truncation::Always,
        };
        Ok(Some(count))
    }

    /// Receives without room for ancillary data, and says whether there was some.
    fn without_room(
        &self,
        buffer: &mut [u8],
        flags: RecvFlags,
    ) -> Result<Option<(usize, bool)>, IoError> {
        // There is nothing in it to be dropped.
        let mut control = ManuallyDrop::new(RecvAncillaryBuffer::default());
        self.receive(buffer, &mut control, flags)
    }

    #[inline(never)] // only reads that need it have that room on their stack
    fn with_room(&self, buffer: &mut [u8], take: Take<'_>) -> Result<Option<usize>, IoError> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = self.receive(buffer, &mut control, RecvFlags::empty())?;
        let mut all = !matches!(received, Some((_, true)));
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                for descriptor in descriptors {
                    all &= take(descriptor);
                }
            }
        }
        if !all {
            return Err(IoError::Descriptors);
        }
        Ok(received.map(|(count, _)| count))
    }

    /// recvmsg(2), and whether ancillary data was truncated.
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

    /// Descriptors to be sent that are all of one end of a connection, whose other end tells when
    /// the last of them is closed.
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

    /// Sends pieces, each with so many descriptors, and reads them into a buffer of some size, at
    /// once or piece by piece. Returns the messages and how many descriptors each has.
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

    /// What does not depend on the buffer, nor on when what arrives.
    fn always(reading: Reading, pieces: &[(&str, usize)]) -> Result<Vec<(String, usize)>, IoError> {
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
            // One that is empty.
            (&[("\0", 1), ("a\0", 2)], &[("", 1), ("a", 2)]),
            // As many as there can be.
            (
                &[("a\0", DESCRIPTORS_MAX), ("b\0", 1)],
                &[("a", DESCRIPTORS_MAX), ("b", 1)],
            ),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|(a, n)| (String::from(*a), *n))
                .collect();
            assert_eq!(always(Reading::Message, pieces), Ok(expected));
        }
    }

    #[test]
    fn x1_descriptors_inside_of_a_message_are_refused() {
        for pieces in [
            &[("a", 0), ("a\0", 1)][..],
            &[("a", 0), ("\0", 1)],
            &[("a", 1), ("a\0", 1)],
            &[("aa", 0), ("\0b\0", DESCRIPTORS_MAX)],
            &[("a\0b", 0), ("b\0", 1)],
            &[("a\0b", 2), ("b\0", 1)],
            &[("a\0", 1), ("b", 0), ("c", 1), ("\0", 0)],
            // With the last byte of one, so that another begins behind it.
            &[("a", 0), ("\0b\0", 1)],
        ] {
            let refused = Err(IoError::Descriptors);
            assert_eq!(always(Reading::Message, pieces), refused, "{pieces:?}");
        }
    }

    #[test]
    fn x1_descriptors_that_nobody_has_asked_for_are_refused() {
        for pieces in [
            &[("a\0", 1)][..],
            &[("a\0", 0), ("b\0", 1)],
            &[("a", 0), ("b\0", 1)],
            &[("a\0", DESCRIPTORS_MAX)],
        ] {
            assert_eq!(always(Reading::All, pieces), Err(IoError::Descriptors));
        }
        // Those of the other protocol are left to it.
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
            // Those that were there before stay.
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
    fn f5_nothing_and_the_end_are_two_things() {
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
    fn l1_out_of_band_data_does_not_keep_anybody_busy() {
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
            // And takes nothing from what follows.
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
