//! The places for connections: what is in them, which are free, and which are to have a turn.

use super::Connection;
use super::slot::{Endpoint, Occupant, Slot};
use crate::service::State;

/// A table of places, by index. Its lists are linked through the places, so that nothing here costs
/// more with more of them.
#[derive(Debug)]
pub(super) struct Places<'b, C, const CONNECTIONS: usize> {
    slots: &'b mut [Slot; CONNECTIONS],
    states: [State<C>; CONNECTIONS],
    /// The place that was vacated last, if it is free.
    free: Option<u32>,
    /// How many places have ever been used: those with the lower indices.
    touched: u32,
    /// The first and the last of the places that are to have a turn, and how many they are.
    first: Option<u32>,
    last: Option<u32>,
    ready: usize,
}

impl<'b, C: Copy, const CONNECTIONS: usize> Places<'b, C, CONNECTIONS> {
    /// Empty places. What an earlier server has left in them is closed.
    pub fn new(slots: &'b mut [Slot; CONNECTIONS]) -> Self {
        empty(slots);
        Places {
            slots,
            states: [State::Open; CONNECTIONS],
            free: None,
            touched: 0,
            first: None,
            last: None,
            ready: 0,
        }
    }

    /// The connection at a place, and its state.
    pub fn get(&mut self, index: u32) -> Option<(&mut Endpoint, &mut State<C>)> {
        let index = to_usize(index);
        let endpoint = self.slots.get_mut(index)?.endpoint()?;
        Some((endpoint, self.states.get_mut(index)?))
    }

    /// A connection, while it lasts.
    pub fn find(&self, connection: Connection) -> Option<&Endpoint> {
        let slot = self.slots.get(to_usize(connection.slot))?;
        match &slot.occupant {
            Occupant::Endpoint(endpoint) if slot.generation == connection.generation => {
                Some(endpoint)
            }
            _ => None,
        }
    }

    /// The connection that is, or will be, at a place.
    pub fn connection(&self, index: u32) -> Connection {
        let slot = self.slots.get(to_usize(index));
        Connection {
            slot: index,
            generation: slot.map_or(0, |slot| slot.generation),
        }
    }

    /// The indices of the places that have ever been used.
    pub fn indices(&self) -> core::ops::Range<u32> {
        0..self.touched
    }

    /// All connections.
    pub fn endpoints(&mut self) -> impl Iterator<Item = &mut Endpoint> {
        let touched = to_usize(self.touched);
        self.slots
            .iter_mut()
            .take(touched)
            .filter_map(Slot::endpoint)
    }

    /// A free place.
    pub fn free(&self) -> Option<u32> {
        self.free
            .or((to_usize(self.touched) < CONNECTIONS).then_some(self.touched))
    }

    /// Puts a connection to the [`free`](Self::free) place.
    pub fn occupy(&mut self, endpoint: Endpoint) {
        let index = self.free();
        let Some(slot) = index.and_then(|index| self.slots.get_mut(to_usize(index))) else {
            debug_assert!(false, "there is a free place");
            return;
        };
        match self.free {
            Some(_) => self.free = slot.next_free.take(),
            None => self.touched = self.touched.saturating_add(1),
        }
        slot.occupant = Occupant::Endpoint(endpoint);
    }

    /// Frees a place.
    pub fn vacate(&mut self, index: u32) -> Option<Endpoint> {
        *self.states.get_mut(to_usize(index))? = State::Open;
        let slot = self.slots.get_mut(to_usize(index))?;
        let Occupant::Endpoint(endpoint) = core::mem::take(&mut slot.occupant) else {
            return None;
        };
        slot.generation = slot.generation.wrapping_add(1);
        slot.next_free = self.free.replace(index);
        Some(endpoint)
    }

    /// Makes the calls due that are parked under a topic.
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

    /// How many places are to have a turn.
    pub fn ready(&self) -> usize {
        self.ready
    }

    /// Puts a place to the end of those that are to have a turn, unless it is there already.
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

    /// Takes the first of the places that are to have a turn.
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
    /// Closes the connections: the memory that they are in may last as long as the program.
    fn drop(&mut self) {
        empty(self.slots);
    }
}

/// Closes the connections that are in places. Memory that is zero stays untouched.
fn empty(slots: &mut [Slot]) {
    for slot in slots.iter_mut().filter(|slot| !slot.is_unused()) {
        *slot = Slot::EMPTY;
    }
}

/// An index into a table. Every target that has epoll(7) has 32 bits.
pub(super) fn to_usize(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
