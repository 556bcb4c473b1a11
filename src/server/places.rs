//! The places for connections: their content, the free ones, and the queue of the ready ones.

use heapless::Vec;

use super::Connection;
use super::slot::{Endpoint, Occupant, Slot};
use crate::service::State;

/// A table of places, by index. The free list and the queue are linked through the places, so their
/// operations take constant time.
#[derive(Debug)]
pub(super) struct Places<'b, C, const CONNECTIONS: usize> {
    slots: &'b mut [Slot; CONNECTIONS],
    /// The states of the places that were ever used. They have the lowest indices.
    states: Vec<State<C>, CONNECTIONS>,
    /// The first place in the list of free places that were used before.
    free: Option<u32>,
    /// The first and the last place in the queue for a turn, and the length of that queue.
    first: Option<u32>,
    last: Option<u32>,
    ready: usize,
}

impl<'b, C: Copy, const CONNECTIONS: usize> Places<'b, C, CONNECTIONS> {
    /// Creates an empty table of places that are [empty](empty).
    pub fn new(slots: &'b mut [Slot; CONNECTIONS]) -> Self {
        debug_assert!(
            slots.first().is_none_or(Slot::is_unused),
            "the places were emptied"
        );
        Places {
            slots,
            states: Vec::new(),
            free: None,
            first: None,
            last: None,
            ready: 0,
        }
    }

    /// Returns the connection at a place, and its state.
    pub fn get(&mut self, index: u32) -> Option<(&mut Endpoint, &mut State<C>)> {
        let index = to_usize(index);
        let endpoint = self.slots.get_mut(index)?.endpoint()?;
        Some((endpoint, self.states.get_mut(index)?))
    }

    /// Returns a connection; None if it has ended.
    pub fn find(&self, connection: Connection) -> Option<&Endpoint> {
        let slot = self.slots.get(to_usize(connection.slot))?;
        match &slot.occupant {
            Occupant::Endpoint(endpoint) if slot.generation == connection.generation => {
                Some(endpoint)
            }
            _ => None,
        }
    }

    /// Returns the identity of the current or next connection at a place.
    pub fn connection(&self, index: u32) -> Connection {
        let slot = self.slots.get(to_usize(index));
        Connection {
            slot: index,
            generation: slot.map_or(0, |slot| slot.generation),
        }
    }

    /// Returns the number of places that were ever used.
    fn used(&self) -> u32 {
        self.states.len() as u32
    }

    /// Returns the indices of all places that were ever used.
    pub fn indices(&self) -> core::ops::Range<u32> {
        0..self.used()
    }

    /// Returns all connections.
    pub fn endpoints(&mut self) -> impl Iterator<Item = &mut Endpoint> {
        self.slots
            .iter_mut()
            .take(self.states.len())
            .filter_map(Slot::endpoint)
    }

    /// Returns the index of a free place.
    pub fn free(&self) -> Option<u32> {
        self.free
            .or((!self.states.is_full()).then_some(self.used()))
    }

    /// Puts a connection into the [`free`](Self::free) place.
    pub fn occupy(&mut self, endpoint: Endpoint) {
        let index = self.free();
        let Some(slot) = index.and_then(|index| self.slots.get_mut(to_usize(index))) else {
            debug_assert!(false, "there is a free place");
            return;
        };
        match self.free {
            Some(_) => self.free = slot.next_free.take(),
            None => {
                let pushed = self.states.push(State::Open);
                debug_assert!(pushed.is_ok(), "a free place is in range");
            }
        }
        slot.occupant = Occupant::Endpoint(endpoint);
    }

    /// Frees a place, and returns its connection.
    pub fn vacate(&mut self, index: u32) -> Option<Endpoint> {
        *self.states.get_mut(to_usize(index))? = State::Open;
        let slot = self.slots.get_mut(to_usize(index))?;
        let Occupant::Endpoint(endpoint) = core::mem::take(&mut slot.occupant) else {
            return None;
        };
        slot.generation = slot.generation.wrapping_add(1).max(1);
        slot.next_free = self.free.replace(index);
        Some(endpoint)
    }

    /// Makes all calls that are parked under a topic due, and queues their places.
    pub fn wake(&mut self, topic: u32) {
        for index in self.indices() {
            if let Some(state) = self.states.get_mut(to_usize(index))
                && let State::Parked(parked, owed) = state.reachable()
                && parked == topic
            {
                *state = State::Due(owed);
                self.queue(index);
            }
        }
    }

    /// Returns the number of places in the queue for a turn.
    pub fn ready(&self) -> usize {
        self.ready
    }

    /// Puts a place at the end of the queue for a turn, unless it is already in it.
    pub fn queue(&mut self, index: u32) {
        let Some(slot) = self
            .slots
            .get_mut(to_usize(index))
            .filter(|slot| !slot.is_queued)
        else {
            return;
        };
        slot.is_queued = true;
        slot.next_ready = None;
        let last = self.last.replace(index).filter(|_| self.first.is_some());
        match last.and_then(|last| self.slots.get_mut(to_usize(last))) {
            Some(last) => last.next_ready = Some(index),
            None => self.first = Some(index),
        }
        self.ready = self.ready.saturating_add(1);
    }

    /// Takes the first place from the queue for a turn.
    pub fn next_ready(&mut self) -> Option<u32> {
        let index = self.first?;
        let slot = self.slots.get_mut(to_usize(index))?;
        slot.is_queued = false;
        self.first = slot.next_ready.take();
        self.ready = self.ready.saturating_sub(1);
        Some(index)
    }
}

impl<C, const CONNECTIONS: usize> Drop for Places<'_, C, CONNECTIONS> {
    /// Closes the connections, because their memory may exist as long as the program.
    fn drop(&mut self) {
        empty(self.slots);
    }
}

/// Closes the connections in all places, and returns the number of places that were used. Does not
/// touch the memory of the others: places are used in their order.
pub(super) fn empty(slots: &mut [Slot]) -> usize {
    let used = slots.iter_mut().take_while(|slot| !slot.is_unused());
    used.map(|slot| *slot = Slot::EMPTY).count()
}

/// Converts an index. Every target with epoll(7) has pointers of at least 32 bits.
pub(super) fn to_usize(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
