//! The epoll(7) descriptor, and the tokens that identify the source of an event.

use heapless::Vec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;

use super::Connection;
use crate::unix::{IoError, timespec};

/// The maximum number of events from one epoll_wait(2). The next call returns the others.
const BATCH: usize = 16;

/// The source of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A connection. The event is ignored if the place has a later generation by now.
    Connection(Connection),
    /// A listener, by its index.
    Listener(u32),
    /// A descriptor that the program watches, by its number.
    Watch(u32),
}

impl Token {
    fn encode(self) -> EventData {
        let (kind, low, high) = match self {
            Token::Connection(Connection { slot, generation }) => (0, slot, generation),
            Token::Listener(index) => (1, index, 0),
            Token::Watch(number) => (2, 0, number),
        };
        EventData::new_u64(u64::from(high) << 32 | u64::from(low & LOW) << 2 | kind)
    }

    fn decode(data: EventData) -> Self {
        let data = data.u64();
        let low = u32::try_from((data & u64::from(u32::MAX)) >> 2).unwrap_or_default();
        let high = u32::try_from(data >> 32).unwrap_or_default();
        match data & 3 {
            0 => Token::Connection(Connection {
                slot: low,
                generation: high,
            }),
            1 => Token::Listener(low),
            _ => Token::Watch(high),
        }
    }
}

/// The bits of an index that fit into a token.
const LOW: u32 = u32::MAX >> 2;

/// An epoll(7) descriptor, and the watched descriptors that were found ready.
#[derive(Debug)]
pub(super) struct Poller {
    epoll: OwnedFd,
    /// The number of descriptors that the program watches.
    watched: usize,
    /// The numbers of ready watched descriptors that were not yet reported to the program.
    ready: Vec<u32, BATCH>,
}

impl Poller {
    pub fn new() -> Result<Self, IoError> {
        Ok(Poller {
            epoll: epoll::create(CreateFlags::CLOEXEC).map_err(IoError::from_errno)?,
            watched: 0,
            ready: Vec::new(),
        })
    }

    pub fn add(&self, fd: BorrowedFd<'_>, token: Token, flags: EventFlags) -> Result<(), IoError> {
        epoll::add(&self.epoll, fd, token.encode(), flags).map_err(IoError::from_errno)
    }

    pub fn modify(
        &self,
        fd: BorrowedFd<'_>,
        token: Token,
        flags: EventFlags,
    ) -> Result<(), IoError> {
        epoll::modify(&self.epoll, fd, token.encode(), flags).map_err(IoError::from_errno)
    }

    /// Removes a descriptor that was added. This must be done before the descriptor is closed or
    /// given away: epoll(7) keeps the open file, as long as another descriptor refers to it.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        let removed = epoll::delete(&self.epoll, fd);
        debug_assert!(removed.is_ok(), "it was added: {removed:?}");
    }

    /// Watches a descriptor of the program.
    pub fn watch(
        &mut self,
        fd: BorrowedFd<'_>,
        number: u32,
        flags: EventFlags,
    ) -> Result<(), IoError> {
        self.add(fd, Token::Watch(number), flags)?;
        self.watched = self.watched.saturating_add(1);
        Ok(())
    }

    /// Stops watching a descriptor of the program. Its number is not known here, so all unreported
    /// numbers are dropped. The next wait finds those of the other descriptors again.
    pub fn unwatch(&mut self, fd: BorrowedFd<'_>) -> Result<(), IoError> {
        epoll::delete(&self.epoll, fd).map_err(IoError::from_errno)?;
        self.watched = self.watched.saturating_sub(1);
        self.ready.clear();
        Ok(())
    }

    pub fn has_watches(&self) -> bool {
        self.watched > 0
    }

    /// Records that a watched descriptor is ready.
    pub fn set_watch_ready(&mut self, number: u32) {
        // If there is no room, the next wait finds it again.
        let _ = self.ready.push(number);
    }

    /// Takes the number of a watched descriptor that is ready.
    pub fn next_watch(&mut self) -> Option<u32> {
        self.ready.pop()
    }

    /// Returns the room for the events of a wait.
    pub fn room() -> [Event; BATCH] {
        // For uninitialized memory, rustix has an assertion about the number of events.
        let none = Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        };
        [none; BATCH]
    }

    /// Waits for events, at most `limit` milliseconds.
    pub fn wait<'r>(
        &mut self,
        room: &'r mut [Event; BATCH],
        limit: Option<u64>,
    ) -> Result<impl ExactSizeIterator<Item = (Token, EventFlags)> + use<'r>, IoError> {
        let limit = limit.map(timespec);
        let count = match epoll::wait(&self.epoll, &mut room[..], limit.as_ref()) {
            Ok(count) => count,
            Err(Errno::INTR) => 0,
            Err(errno) => return Err(IoError::from_errno(errno)),
        };
        // epoll(7) is level-triggered here, so it reports the dropped numbers again.
        self.ready.clear();
        let events = room.get(..count).unwrap_or_default();
        Ok(events
            .iter()
            .map(|event| (Token::decode(event.data), event.flags)))
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_decoded_as_it_was_encoded() {
        for token in [
            Token::Connection(Connection {
                slot: 0,
                generation: 0,
            }),
            Token::Connection(Connection {
                slot: LOW,
                generation: u32::MAX,
            }),
            Token::Listener(3),
            Token::Watch(0),
            Token::Watch(u32::MAX),
        ] {
            assert_eq!(Token::decode(token.encode()), token);
        }
    }
}
