//! How the server waits: events, timers and timeouts.

use rustix::event::epoll::EventFlags;

use super::accept::Source;
use super::places::to_usize;
use super::poller::{Poller, Token};
use super::{Server, limits};
use crate::unix::{self, BACK_OFF};

/// The clock of a new server.
#[cfg(not(feature = "std"))]
pub(super) const CLOCK: Option<fn() -> u64> = None;

/// The clock of a new server. It counts from its first use.
#[cfg(feature = "std")]
pub(super) const CLOCK: Option<fn() -> u64> = Some(|| {
    // Unlike `unix::monotonic`, this never needs `/proc`: libc finds the vdso.
    static BEGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let elapsed = BEGIN.get_or_init(std::time::Instant::now).elapsed();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
});

/// A timer of the program. The deadline is in milliseconds, by the server's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    pub number: u32,
    pub deadline: u64,
}

impl<C: Copy, const CONNECTIONS: usize, const DESCRIPTORS: usize>
    Server<'_, C, CONNECTIONS, DESCRIPTORS>
{
    /// Returns the longest time, in milliseconds, that a program with its own event loop may wait
    /// before it calls [`try_step`](Server::try_step): 0 if work is left, None for no limit.
    pub fn timeout(&self) -> Option<u64> {
        if self.places.ready() > 0 || self.has_unpolled_listener() {
            return Some(0);
        }
        let is_backing_off = self.backing_off > 0 || self.listeners.iter().any(Source::is_pausing);
        let backing_off = is_backing_off.then_some(BACK_OFF);
        let Some(clock) = self.clock else {
            return backing_off;
        };
        let limits = (self.next_deadline < u64::MAX).then_some(self.next_deadline);
        let timers = self.timers.iter().map(|timer| timer.deadline).min();
        let deadline = sooner(sooner(limits, timers), self.exit());
        sooner(deadline.map(|at| at.saturating_sub(clock())), backing_off)
    }

    /// Returns the time at which the limit [`Limits::exit`](super::Limits::exit) is reached.
    pub(super) fn exit(&self) -> Option<u64> {
        let limit = self.limits.exit.filter(|_| self.connections == 0)?;
        Some(limits::after(self.empty_since, limit))
    }

    /// Waits for events, at most `limit` milliseconds, and records them.
    #[inline(never)] // keeps its variables out of the stack frames of callers
    pub(super) fn wait(&mut self, limit: Option<u64>) -> Result<(), unix::IoError> {
        if self.accepts() {
            self.poll_listeners(true)?;
        }
        let mut room = Poller::room();
        let events = self.poller.wait(&mut room, limit)?;
        let has_events = events.len() > 0;
        for (token, flags) in events {
            match token {
                Token::Connection(connection) => {
                    if self.places.find(connection).is_some()
                        && let Some((endpoint, _)) = self.places.get(connection.slot)
                    {
                        endpoint.add_ready(flags);
                        self.places.queue(connection.slot);
                    }
                }
                Token::Listener(index) => {
                    if let Some(source) = self.listeners.get_mut(to_usize(index)) {
                        source.is_ready = true;
                        source.is_shut_down = flags.intersects(EventFlags::HUP | EventFlags::RDHUP);
                    }
                }
                Token::Watch(number) => self.poller.set_watch_ready(number),
            }
        }
        let after_wait = |left: u8| {
            if has_events {
                left.saturating_sub(1)
            } else {
                0
            }
        };
        self.backing_off = after_wait(self.backing_off);
        for device in self.listeners.iter_mut().filter_map(Source::device) {
            device.pause = after_wait(device.pause);
        }
        self.now = self.time();
        if self.now >= self.next_deadline {
            self.queue_timed_out();
        }
        self.round = self.places.ready();
        Ok(())
    }

    /// Queues all connections that have timed out, and finds the next deadline.
    fn queue_timed_out(&mut self) {
        self.next_deadline = u64::MAX;
        for index in self.places.indices() {
            let deadline = match self.places.get(index) {
                Some((endpoint, _)) => endpoint.deadline(&self.limits),
                None => None,
            };
            match deadline {
                Some(at) if at <= self.now => self.places.queue(index),
                Some(at) => self.next_deadline = self.next_deadline.min(at),
                None => {}
            }
        }
    }

    /// Returns the time of the clock, in milliseconds; 0 without a clock.
    pub(super) fn time(&self) -> u64 {
        self.clock.map_or(0, |clock| clock())
    }
}

/// Returns the earlier of two times. None means never.
fn sooner(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
