//! How far a read goes, and whose the descriptors are that come with it.
//!
//! Descriptors belong to the message with whose first byte they come: UAPI.20, "Passing File
//! Descriptors". What the kernel tells about a read is less: that descriptors came with something
//! of what was read. It puts what was sent without descriptors and what was sent with some into one
//! read, in that order: `unix_stream_read_generic()`. So where they are welcome they are looked
//! for at the one place where they may be, the first byte of a message, and are a mistake everywhere
//! else.

use core::mem::{ManuallyDrop, MaybeUninit};

use rustix::fd::OwnedFd;
use rustix::io::{Errno, IoSliceMut, retry_on_intr};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};

use super::DESCRIPTORS_MAX;
use super::error::Error;
use crate::bytes::find_nul;
use crate::peer::Descriptor;

/// How far a read goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As far as there is something: one system call.
    Freely,
    /// On Unix sockets not beyond the end of a message that may upgrade the connection, so that
    /// whoever reads from the descriptor next finds the first byte of the other protocol: UAPI.20,
    /// "`upgrade`". One more system call, to look at what is there.
    ToUpgrades,
    /// On Unix sockets not beyond the end of the message, because descriptors are welcome that come
    /// with the first byte of the next. As many system calls; and one more if some do come.
    ToEachMessage,
}

impl Reading {
    /// How much of what is there may be read. `inside` is whether the last read has ended inside
    /// of a message.
    fn limit(self, inside: bool, seen: &[u8]) -> usize {
        match self {
            Reading::Freely => seen.len(),
            Reading::ToUpgrades => to_upgrade(inside, seen),
            Reading::ToEachMessage => {
                find_nul(seen).map_or(seen.len(), |nul| nul.saturating_add(1))
            }
        }
    }
}

/// Up to the end of the first message that may upgrade the connection.
///
/// That is one with the word in it, or with an escape, which may hide the word; or one whose
/// beginning is not here.
fn to_upgrade(inside: bool, seen: &[u8]) -> usize {
    let mut limit = 0_usize;
    for message in seen.split_inclusive(|byte| *byte == 0) {
        let begun = inside && limit == 0;
        limit = limit.saturating_add(message.len());
        let word = || message.windows(WORD.len()).any(|word| word == WORD);
        if begun || message.contains(&b'\\') || word() {
            break;
        }
    }
    limit
}

const WORD: &[u8] = b"upgrade";

/// Takes a descriptor, and says whether there was room for it.
pub(super) type Take<'a> = &'a mut dyn FnMut(Descriptor) -> bool;

/// Receives from a Unix socket what the setting allows; None if nothing is there now.
///
/// `inside` is whether the last read has ended inside of a message. Without `take` no descriptors
/// are welcome.
pub(super) fn receive(
    socket: &OwnedFd,
    buffer: &mut [u8],
    (reading, inside): (Reading, bool),
    take: Option<Take<'_>>,
    flags: RecvFlags,
) -> Result<Option<usize>, Error> {
    if reading == Reading::Freely {
        let limit = reading.limit(inside, buffer);
        return uninvited(socket, up_to(buffer, 0, limit), flags);
    }
    // Descriptors are welcome here and nowhere else.
    let take = take.filter(|_| reading == Reading::ToEachMessage && !inside);
    let (limit, attached) = match raw(socket, buffer, flags | RecvFlags::PEEK)? {
        Some((0, _)) => return Ok(Some(0)),
        Some((count, attached)) => {
            let seen = buffer.get(..count).unwrap_or_default();
            (reading.limit(inside, seen), attached)
        }
        // What is there may be out-of-band, which a look leaves there, for poll(2) to find it again
        // and again. A read removes it.
        None => (1, true),
    };
    let mut count = 0_usize;
    if let (true, Some(take)) = (attached, take) {
        match with_descriptors(socket, up_to(buffer, 0, 1), take, flags)? {
            Some(1) => count = 1,
            other => return Ok(other),
        }
    }
    if count < limit {
        match uninvited(socket, up_to(buffer, count, limit), flags)? {
            None if count == 0 => return Ok(None),
            more => count = count.saturating_add(more.unwrap_or_default()),
        }
    }
    Ok(Some(count))
}

/// recvmsg(2), and whether something that came with the bytes was thrown away: `MSG_CTRUNC`.
pub(super) fn raw(
    socket: &OwnedFd,
    buffer: &mut [u8],
    flags: RecvFlags,
) -> Result<Option<(usize, bool)>, Error> {
    // (There is no room in it for anything that would have to be dropped.)
    let mut control = ManuallyDrop::new(RecvAncillaryBuffer::default());
    message(socket, buffer, &mut control, flags)
}

/// The same, where no descriptors are welcome. The kernel has closed those that were there.
fn uninvited(
    socket: &OwnedFd,
    buffer: &mut [u8],
    flags: RecvFlags,
) -> Result<Option<usize>, Error> {
    match raw(socket, buffer, flags)? {
        Some((_, true)) => Err(Error::Descriptors),
        received => Ok(received.map(|(count, _)| count)),
    }
}

/// The same, where they are.
#[inline(never)] // not every read needs room for so many on its stack
fn with_descriptors(
    socket: &OwnedFd,
    buffer: &mut [u8],
    take: Take<'_>,
    flags: RecvFlags,
) -> Result<Option<usize>, Error> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = message(socket, buffer, &mut control, flags)?;
    let mut all = !matches!(received, Some((_, true)));
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            for descriptor in descriptors {
                all &= take(descriptor);
            }
        }
    }
    match all {
        true => Ok(received.map(|(count, _)| count)),
        false => Err(Error::Descriptors),
    }
}

fn message(
    socket: &OwnedFd,
    buffer: &mut [u8],
    control: &mut RecvAncillaryBuffer<'_>,
    flags: RecvFlags,
) -> Result<Option<(usize, bool)>, Error> {
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    match retry_on_intr(|| recvmsg(socket, &mut [IoSliceMut::new(buffer)], control, flags)) {
        Ok(message) => {
            let truncated = message.flags.contains(ReturnFlags::CTRUNC);
            Ok(Some((message.bytes, truncated)))
        }
        Err(Errno::AGAIN) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// A part of a buffer.
fn up_to(buffer: &mut [u8], start: usize, end: usize) -> &mut [u8] {
    let end = end.min(buffer.len());
    buffer.get_mut(start..end).unwrap_or_default()
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
    ) -> Result<Option<String>, Error> {
        let mut buffer = vec![b'?'; size];
        let count = stream.receive_now(&mut buffer, held)?;
        Ok(count.map(|count| String::from_utf8(buffer[..count].to_vec()).unwrap()))
    }

    /// Sends pieces, each with so many descriptors, and reads them into a buffer of some size, at
    /// once or piece by piece. Returns the messages and how many descriptors each has.
    fn exchange(
        reading: Reading,
        pieces: &[(&str, usize)],
        size: usize,
        at_once: bool,
    ) -> Result<Vec<(String, usize)>, Error> {
        let tracked = Tracked::new();
        let (mut sender, mut receiver) = Stream::pair().unwrap();
        receiver.set_reading(reading);
        let mut held = heapless::Vec::<_, 300>::new();
        let mut messages = vec![];
        let mut message = String::new();
        let mut receive = || -> Result<(), Error> {
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
    fn always(reading: Reading, pieces: &[(&str, usize)]) -> Result<Vec<(String, usize)>, Error> {
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
            assert_eq!(always(Reading::ToEachMessage, pieces), Ok(expected));
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
            let refused = Err(Error::Descriptors);
            assert_eq!(
                always(Reading::ToEachMessage, pieces),
                refused,
                "{pieces:?}"
            );
        }
    }

    #[test]
    fn x1_descriptors_that_nobody_has_asked_for_are_refused() {
        for reading in [Reading::Freely, Reading::ToUpgrades] {
            for pieces in [
                &[("a\0", 1)][..],
                &[("a\0", 0), ("b\0", 1)],
                &[("a", 0), ("b\0", 1)],
                &[("upgrade\0", DESCRIPTORS_MAX)],
            ] {
                assert_eq!(always(reading, pieces), Err(Error::Descriptors));
            }
        }
        // Those of the other protocol are left to it.
        let (mut sender, mut receiver) = Stream::pair().unwrap();
        let tracked = Tracked::new();
        receiver.set_reading(Reading::ToUpgrades);
        sender.send_now(b"upgrade\0", &[]).unwrap();
        sender.send_now(b"x", &[tracked.end.as_fd()]).unwrap();
        let none = &mut heapless::Vec::<_, 0>::new();
        let call = now(&mut receiver, 99, none);
        assert_eq!(call, Ok(Some(String::from("upgrade\0"))));
        receiver.set_reading(Reading::ToEachMessage);
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
            receiver.set_reading(Reading::ToEachMessage);
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
            assert_eq!(result, Err(Error::Descriptors), "{held} {sent}");
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
        assert_eq!(refused, Err(Error::TooManyDescriptors));
        let nothing = now(&mut receiver, 9, &mut heapless::Vec::<_, 0>::new());
        assert_eq!(nothing, Ok(None));
    }

    #[test]
    fn x3_descriptors_that_are_received_are_close_on_exec() {
        let (mut sender, mut receiver) = Stream::pair().unwrap();
        receiver.set_reading(Reading::ToEachMessage);
        let other = Tracked::new();
        sender.send_now(b"a\0", &[other.end.as_fd()]).unwrap();
        let mut held = heapless::Vec::<_, 1>::new();
        now(&mut receiver, 9, &mut held).unwrap();
        let flags = rustix::io::fcntl_getfd(held[0].as_ref().unwrap()).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }

    #[test]
    fn f5_nothing_and_the_end_are_two_things() {
        for reading in [Reading::Freely, Reading::ToUpgrades, Reading::ToEachMessage] {
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
        for reading in [Reading::Freely, Reading::ToUpgrades, Reading::ToEachMessage] {
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
