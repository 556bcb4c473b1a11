//! What a server waits for, and how long.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::fs::CWD;
use rustix::io::Errno;

use super::slot::Slot;
use super::{BACK_OFF, Server, Source, TURN, TURN_ALONE, limits};
use crate::unix;

impl<C: Copy, const CONNECTIONS: usize, const DESCRIPTORS: usize>
    Server<'_, C, CONNECTIONS, DESCRIPTORS>
{
    /// What a program has to wait for that waits itself, beside [`timeout`](Self::timeout): then it
    /// calls [`try_step`](Self::try_step) until there is no event. They are others after each step.
    pub fn poll_fds(&self) -> impl Iterator<Item = PollFd<'_>> {
        let slots = self.slots.iter().filter_map(|slot| {
            let socket = slot.polled()?;
            Some(PollFd::from_borrowed_fd(socket, slot.wants))
        });
        let takes = self.takes_connections();
        let listeners = self.listeners.iter().filter(move |_| takes);
        let listeners = listeners.filter_map(|source| {
            let socket = source.listener.pollable()?;
            Some(PollFd::from_borrowed_fd(socket, PollFlags::IN))
        });
        let watches = self.watches.iter().flatten();
        let watches =
            watches.map(|watch| PollFd::from_borrowed_fd(watch.descriptor.as_fd(), watch.flags));
        slots.chain(listeners).chain(watches)
    }

    /// How long a program may wait that waits itself, in milliseconds; None is for ever.
    pub fn timeout(&self) -> Option<u64> {
        let mut devices = self.listeners.iter().enumerate();
        let device = devices.any(|(index, source)| is_free_device(&self.slots, index, source));
        if self.slots.iter().any(|slot| slot.busy) || (device && self.takes_connections()) {
            return Some(0);
        }
        let backing_off = (self.backing_off > 0).then_some(BACK_OFF);
        let Some(clock) = self.clock else {
            return backing_off;
        };
        let slots = self.slots.iter();
        let deadlines = slots.filter_map(|slot| slot.deadline(&self.limits));
        let timers = self.timers.iter().map(|timer| timer.at);
        let at = sooner(deadlines.chain(timers).min(), self.exit());
        let wait = at.map(|at| at.saturating_sub(clock()));
        sooner(wait, backing_off)
    }

    /// When the server has been without a connection for too long.
    pub(super) fn exit(&self) -> Option<u64> {
        let limit = self.limits.exit.filter(|_| self.connections() == 0)?;
        Some(limits::after(self.empty_since, limit))
    }

    /// Whether connections can be taken now.
    fn takes_connections(&self) -> bool {
        self.backing_off == 0 && self.slots.iter().any(Slot::is_free)
    }

    /// Waits until something is ready, but not longer than `limit` milliseconds.
    #[inline(never)] // smaller: its variables make no frame of a caller larger
    pub(super) fn poll(&mut self, limit: Option<u64>) -> Result<(), unix::Error> {
        let wait = sooner(self.timeout(), limit);
        let takes = self.takes_connections();
        let found = match self.wait(wait) {
            Ok(found) => found,
            Err(Errno::INTR) => return Ok(()),
            Err(Errno::NOMEM | Errno::AGAIN | Errno::INVAL) => {
                // There is none for the table; or it has more entries than this process may have
                // descriptors, since somebody has changed that. It waits without one; what has more
                // to do than to wait goes on.
                let wait = wait.unwrap_or(BACK_OFF).clamp(1, BACK_OFF);
                let _ = poll(&mut [], Some(&timespec(wait)));
                [[PollFlags::empty(); 3]; CONNECTIONS]
            }
            Err(errno) => return Err(errno.into()),
        };
        let mut found = found.as_flattened().iter().copied();
        let mut any = false;
        for slot in &mut self.slots {
            if slot.polled().is_some() {
                slot.found = found.next().unwrap_or(PollFlags::empty());
                any |= !slot.found.is_empty();
            }
        }
        for (index, source) in self.listeners.iter_mut().enumerate().filter(|_| takes) {
            source.ready = match source.listener.pollable() {
                Some(_) => !found.next().unwrap_or(PollFlags::empty()).is_empty(),
                None => is_free_device(&self.slots, index, source),
            };
            any |= source.ready;
        }
        for watch in self.watches.iter_mut().flatten() {
            watch.ready = !found.next().unwrap_or(PollFlags::empty()).is_empty();
            any |= watch.ready;
        }
        self.backing_off = match any {
            true => self.backing_off.saturating_sub(1),
            false => 0,
        };
        self.now = self.time();
        self.steps = match self.connections() {
            0 | 1 => TURN_ALONE,
            _ => TURN,
        };
        self.turn = 0;
        self.budget = self.steps;
        Ok(())
    }

    /// poll(2): what was found, in the order of [`poll_fds`](Self::poll_fds).
    fn wait(&self, wait: Option<u64>) -> Result<[[PollFlags; 3]; CONNECTIONS], Errno> {
        let wait = wait.map(timespec);
        // Each has places for connections, listeners and watches.
        let mut found = [[PollFlags::empty(); 3]; CONNECTIONS];
        // (What is in a place that is not used does not matter.)
        let empty = || PollFd::from_borrowed_fd(CWD, PollFlags::empty());
        let mut table = [(); CONNECTIONS].map(|()| [(); 3].map(|()| empty()));
        let all = table.as_flattened_mut();
        let (mut places, mut count) = (all.iter_mut(), 0_usize);
        self.poll_fds().for_each(|fd| {
            if let Some(place) = places.next() {
                *place = fd;
                count = count.saturating_add(1);
            }
        });
        let polled = all.get_mut(..count).unwrap_or_default();
        poll(polled, wait.as_ref())?;
        let results = found.as_flattened_mut().iter_mut().zip(polled);
        results.for_each(|(found, fd)| *found = fd.revents());
        Ok(found)
    }
}

/// Whether a listener is a device, of which there is no connection: it has one at a time.
fn is_free_device<C: Copy, const DESCRIPTORS: usize>(
    slots: &[Slot<'_, C, DESCRIPTORS>],
    index: usize,
    source: &Source,
) -> bool {
    let used = slots.iter().any(|slot| slot.source == Some(index));
    source.listener.pollable().is_none() && !used
}

/// The one that is sooner. None is never.
fn sooner(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// So many milliseconds.
fn timespec(milliseconds: u64) -> Timespec {
    let part = i64::try_from(milliseconds % 1000).unwrap_or(0);
    Timespec {
        tv_sec: i64::try_from(milliseconds / 1000).unwrap_or(i64::MAX),
        tv_nsec: part.saturating_mul(1_000_000),
    }
}
