//! What the server waits for, and how long.

use core::iter;

use super::accept::Source;
use super::places::to_usize;
use super::poller::Token;
use super::{Server, limits};
use crate::unix::{self, BACK_OFF};

/// A time at which the program is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    pub number: u32,
    pub at: u64,
}

impl<C: Copy, const CONNECTIONS: usize, const DESCRIPTORS: usize>
    Server<'_, C, CONNECTIONS, DESCRIPTORS>
{
    /// How long a program may wait that waits itself, in milliseconds: 0 while there is work left,
    /// None for ever.
    pub fn timeout(&self) -> Option<u64> {
        if self.places.ready() > 0 || self.has_idle_listener() {
            return Some(0);
        }
        let is_backing_off = self.backing_off > 0 || self.listeners.iter().any(Source::is_pausing);
        let backing_off = is_backing_off.then_some(BACK_OFF);
        let Some(clock) = self.clock else {
            return backing_off;
        };
        let limits = (self.earliest < u64::MAX).then_some(self.earliest);
        let timers = self.timers.iter().map(|timer| timer.at).min();
        let at = sooner(sooner(limits, timers), self.exit());
        sooner(at.map(|at| at.saturating_sub(clock())), backing_off)
    }

    /// When the server has been without a connection for too long.
    pub(super) fn exit(&self) -> Option<u64> {
        let limit = self.limits.exit.filter(|_| self.connections == 0)?;
        Some(limits::after(self.empty_since, limit))
    }

    /// Waits until something is ready, at most `limit` milliseconds, and notes what is.
    #[inline(never)] // smaller: its variables make no frame of a caller larger
    pub(super) fn wait(&mut self, limit: Option<u64>) -> Result<(), unix::IoError> {
        if self.accepts() {
            self.look_for_clients(true)?;
        }
        let mut any = false;
        for (token, flags) in self.poller.wait(limit)? {
            any = true;
            match token {
                Token::Connection(connection) => {
                    if self.places.find(connection).is_some()
                        && let Some((endpoint, _)) = self.places.get(connection.slot)
                    {
                        endpoint.found(flags);
                        self.places.queue(connection.slot);
                    }
                }
                Token::Listener(index) => {
                    if let Some(source) = self.listeners.get_mut(to_usize(index)) {
                        source.is_ready = true;
                    }
                }
                Token::Watch(number) => self.poller.found_watch(number),
            }
        }
        let devices = self.listeners.iter_mut().filter_map(Source::device);
        let pauses = devices.map(|device| &mut device.pause);
        for left in iter::once(&mut self.backing_off).chain(pauses) {
            *left = if any { left.saturating_sub(1) } else { 0 };
        }
        self.now = self.time();
        if self.now >= self.earliest {
            self.queue_late();
        }
        self.round = self.places.ready();
        Ok(())
    }

    /// Gives a turn to the connections whose limit has passed, and finds when the next does.
    fn queue_late(&mut self) {
        self.earliest = u64::MAX;
        for index in self.places.indices() {
            let deadline = match self.places.get(index) {
                Some((endpoint, _)) => endpoint.deadline(&self.limits),
                None => None,
            };
            match deadline {
                Some(at) if at <= self.now => self.places.queue(index),
                Some(at) => self.earliest = self.earliest.min(at),
                None => {}
            }
        }
    }

    /// What the clock says, in milliseconds; 0 without a clock.
    pub(super) fn time(&self) -> u64 {
        self.clock.map_or(0, |clock| clock())
    }
}

/// The sooner of two times. None is never.
fn sooner(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
