//! One epoll(7) descriptor, and the tokens that tell whose an event is.

use core::ops::Range;

use heapless::Vec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;

use super::Connection;
use crate::unix::{IoError, timespec};

/// How many events one epoll_wait(2) returns at most. More come with the next.
const BATCH: usize = 16;

/// Where an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A connection. One that has a later generation by now is meant no more.
    Connection(Connection),
    /// A listener, by its index.
    Listener(u32),
    /// A descriptor of the program's, by the number that it has given it.
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

/// The bits of an index that a token has room for.
const LOW: u32 = u32::MAX >> 2;

/// Waits for descriptors.
#[derive(Debug)]
pub(super) struct Poller {
    epoll: OwnedFd,
    /// How many descriptors of the program's are watched.
    watched: usize,
    /// Their numbers that were found ready, and the program has not been told of.
    ready: Vec<u32, BATCH>,
}

/// What epoll_wait(2) has found.
pub(super) struct Events {
    events: [Event; BATCH],
    range: Range<usize>,
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

    /// Removes a descriptor that was added. It has to be done before the descriptor is closed or
    /// given away: epoll(7) removes by open file, and another descriptor may refer to the same.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        let removed = epoll::delete(&self.epoll, fd);
        debug_assert!(removed.is_ok(), "it was added: {removed:?}");
    }

    /// Watches a descriptor of the program's.
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

    /// Stops watching a descriptor of the program's. What was found before may be about it, so all
    /// of that is forgotten: what is about another one is found again.
    pub fn unwatch(&mut self, fd: BorrowedFd<'_>) -> Result<(), IoError> {
        epoll::delete(&self.epoll, fd).map_err(IoError::from_errno)?;
        self.watched = self.watched.saturating_sub(1);
        self.ready.clear();
        Ok(())
    }

    pub fn has_watches(&self) -> bool {
        self.watched > 0
    }

    /// Keeps the number of a watched descriptor that was found ready.
    pub fn found_watch(&mut self, number: u32) {
        // If there is no room for it, it is found again.
        let _ = self.ready.push(number);
    }

    /// The number of a watched descriptor that was found ready.
    pub fn next_watch(&mut self) -> Option<u32> {
        self.ready.pop()
    }

    /// Waits until there are events, at most `limit` milliseconds.
    pub fn wait(&mut self, limit: Option<u64>) -> Result<Events, IoError> {
        let none = Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        };
        let mut events = [none; BATCH];
        let limit = limit.map(timespec);
        let count = match epoll::wait(&self.epoll, &mut events[..], limit.as_ref()) {
            Ok(count) => count,
            Err(Errno::INTR) => 0,
            Err(errno) => return Err(IoError::from_errno(errno)),
        };
        // What was found before is found again.
        self.ready.clear();
        Ok(Events {
            events,
            range: 0..count,
        })
    }
}

impl Iterator for Events {
    type Item = (Token, EventFlags);

    fn next(&mut self) -> Option<Self::Item> {
        let event = self.events.get(self.range.next()?)?;
        Some((Token::decode(event.data), event.flags))
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
    fn a_token_says_what_it_was_made_of() {
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
