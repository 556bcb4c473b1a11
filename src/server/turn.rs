//! The work between two waits: turns of connections, and events.

use core::mem;

use rustix::fd::AsFd;

use super::accept::{BACK_OFF_WAITS, device_of};
use super::poller::Token;
use super::slot::{Endpoint, Role, Turn};
use super::{Event, Limits, Server};
use crate::channel::Channel;
use crate::error::Error;
use crate::service::{Service, Session, State};
use crate::unix;

impl<C: Copy, const CONNECTIONS: usize, const DESCRIPTORS: usize>
    Server<'_, C, CONNECTIONS, DESCRIPTORS>
{
    /// Does the work that is left after the last wait, until there is an event. Returns None if the
    /// server must wait. `may_wait` is true if the program can wait for events of its own loop.
    pub(super) fn next_event<S: Service<C>>(
        &mut self,
        service: &mut S,
        may_wait: bool,
    ) -> Result<Option<Event<C>>, unix::IoError> {
        while let Some(index) = self.next_turn() {
            let connection = self.places.connection(index);
            let turn = self.take_turn(index, service);
            if S::SENSITIVE {
                self.buffers.erase_free();
            }
            if !matches!(turn, Turn::Called { is_over: false, .. } | Turn::Woken(_)) {
                self.current = None;
            }
            match turn {
                Turn::Called { woken, .. } => {
                    self.wake_all(woken, service);
                    return Ok(Some(Event::Called(connection)));
                }
                Turn::Woken(topic) => self.wake_all(Some(topic), service),
                Turn::Again => self.places.queue(index),
                Turn::Over => {}
                Turn::Upgraded(cursor) => return Ok(Some(Event::Upgraded(connection, cursor))),
                Turn::Ended(result) => {
                    self.drain_wakes(service);
                    return Ok(Some(Event::Disconnected(connection, result)));
                }
            }
        }
        self.next_other_event(may_wait)
    }

    /// Like `next_event`, if no connection is ready.
    #[inline(never)] // it is the same for all services
    fn next_other_event(&mut self, may_wait: bool) -> Result<Option<Event<C>>, unix::IoError> {
        if let Some(connection) = self.accept()? {
            return Ok(Some(Event::Connected(connection)));
        }
        if let Some(number) = self.poller.next_watch() {
            return Ok(Some(Event::Ready(number)));
        }
        let expired = self.timers.iter().find(|timer| timer.deadline <= self.now);
        if let Some(number) = expired.map(|timer| timer.number) {
            self.timers.retain(|timer| timer.number != number);
            return Ok(Some(Event::Timer(number)));
        }
        if self.must_report_idle(may_wait) || self.exit().is_some_and(|at| at <= self.now) {
            self.empty_since = self.now;
            return Ok(Some(Event::Idle));
        }
        Ok(None)
    }

    /// True if [`Event::Idle`] must be reported: when nothing is left to serve, the first time, and
    /// each time if there is no other event to wait for.
    fn must_report_idle(&mut self, may_wait: bool) -> bool {
        let is_idle = self.connections == 0 && self.listeners.is_empty();
        let was_reported = mem::replace(&mut self.reported_idle, is_idle);
        let can_wait = may_wait || !self.timers.is_empty() || self.poller.has_watches();
        is_idle && (!was_reported || !can_wait)
    }

    /// Returns the place of the connection that has its turn. A turn that has begun continues
    /// first.
    fn next_turn(&mut self) -> Option<u32> {
        if self.current.is_none() && self.round > 0 {
            self.round = self.round.saturating_sub(1);
            self.current = self.places.next_ready();
            self.budget = Limits::CALLS_PER_TURN;
        }
        self.current
    }

    /// Begins or continues the turn of a connection, and lends it buffers if it has none.
    #[inline(never)] // keeps its variables out of the stack frames of callers
    fn take_turn<S: Service<C>>(&mut self, index: u32, service: &mut S) -> Turn<C> {
        let Some((endpoint, state)) = self.places.get(index) else {
            // It was closed while it waited for its turn.
            return Turn::Over;
        };
        if endpoint.role == Role::Upgraded {
            // It was queued by a wake in the turn in which it was upgraded.
            return Turn::Over;
        }
        let pair = *endpoint.pair.get_or_insert_with(|| self.buffers.lend());
        let Some((receive, send, carried)) = self.buffers.get(pair) else {
            debug_assert!(false, "there are as many pairs as places");
            return Turn::Over;
        };
        if let Role::Lingering(_) = endpoint.role {
            if endpoint.linger(receive) || endpoint.has_timed_out(&self.limits, self.now) {
                drop(self.vacate(index));
            } else {
                self.end_turn(index);
            }
            return Turn::Over;
        }
        let channel = endpoint.channel.detached().attach(receive, send);
        let mut session = Session::from_parts(channel, *state);
        let device = device_of(endpoint, &mut self.listeners);
        let line_buffer = device.map(|device| &mut device.line_buffer);
        let turn = endpoint.serve(
            service,
            &mut session,
            carried,
            line_buffer,
            &mut self.budget,
        );
        let (channel, next) = session.into_parts();
        endpoint.channel = channel.detach();
        *state = next;
        match turn {
            Ok(turn @ Turn::Called { is_over, .. }) => {
                if is_over {
                    // The call has just restarted the timeout.
                    self.end_turn(index);
                }
                turn
            }
            Ok(turn @ Turn::Woken(_)) => turn,
            Ok(Turn::Ended(result)) => {
                if self.restart_device(index, service) {
                    return Turn::Again;
                }
                self.hang_up(index, result.is_err());
                Turn::Ended(result)
            }
            Ok(turn @ (Turn::Again | Turn::Over | Turn::Upgraded(_))) => {
                if let Turn::Upgraded(_) = turn {
                    // The event has the cursor now, so nothing is left to abandon.
                    *state = State::Open;
                    endpoint.role = Role::Upgraded;
                    self.poller.remove(endpoint.stream.as_fd());
                }
                let timed_out = self.end_turn(index);
                if !timed_out {
                    turn
                } else if self.restart_device(index, service) {
                    Turn::Again
                } else {
                    self.fail(index, service, unix::IoError::TimedOut)
                }
            }
            Err(unix::IoError::Closed) if self.has_break(index) => {
                self.restart_device(index, service);
                Turn::Again
            }
            Err(error) => self.fail(index, service, error),
        }
    }

    /// Ends a connection that has failed or timed out.
    fn fail<S: Service<C>>(
        &mut self,
        index: u32,
        service: &mut S,
        error: unix::IoError,
    ) -> Turn<C> {
        self.abandon(index, service);
        drop(self.vacate(index));
        Turn::Ended(match error {
            unix::IoError::Closed => Ok(()),
            error => Err(Error::Transport(error)),
        })
    }

    /// Ends the turn of a connection: updates its timeout and its interest, and takes its buffers
    /// back if they are empty. Returns true if the connection has timed out.
    fn end_turn(&mut self, index: u32) -> bool {
        let token = Token::Connection(self.places.connection(index));
        let Some((endpoint, state)) = self.places.get(index) else {
            return false;
        };
        endpoint.settle(*state, self.now);
        let deadline = endpoint.deadline(&self.limits);
        if let Some(deadline) = deadline {
            self.next_deadline = self.next_deadline.min(deadline);
        }
        if endpoint.role != Role::Upgraded && endpoint.must_change_interest() {
            endpoint.interest = endpoint.wanted;
            let modified = self
                .poller
                .modify(endpoint.stream.as_fd(), token, endpoint.wanted);
            debug_assert!(modified.is_ok(), "it was added: {modified:?}");
        }
        if endpoint.channel.is_empty()
            && let Some(pair) = endpoint.pair.take()
        {
            self.buffers.take_back(pair);
        }
        deadline.is_some_and(|at| at <= self.now)
    }

    /// Closes a connection whose session has ended. After an error it may have to linger first, so
    /// that the sent replies arrive.
    fn hang_up(&mut self, index: u32, has_failed: bool) {
        let now = self.now;
        let Some((endpoint, _)) = self.places.get(index) else {
            return;
        };
        if has_failed && endpoint.begin_to_linger(now) {
            endpoint.channel = Channel::default();
            self.count_departure();
            self.lingering = self.lingering.saturating_add(1);
            self.end_turn(index);
        } else if let Some(endpoint) = self.vacate(index)
            && has_failed
            && let Some((receive, _, _)) = endpoint.pair.and_then(|pair| self.buffers.get(pair))
        {
            // The pair was not lent since, so it can hold the discarded input.
            endpoint.stream.close_now(receive);
        }
    }

    /// True if the connection is a device that has received a break: another client has begun.
    fn has_break(&mut self, index: u32) -> bool {
        let endpoint = self.places.get(index);
        let device = endpoint.and_then(|(endpoint, _)| device_of(endpoint, &mut self.listeners));
        device.is_some_and(|device| device.line_buffer.is_break())
    }

    /// Ends the session of a device's client, because a device cannot be closed for its client. The
    /// input up to the next break is discarded. Returns false if the connection is not a device.
    fn restart_device<S: Service<C>>(&mut self, index: u32, service: &mut S) -> bool {
        let Some((endpoint, state)) = self.places.get(index) else {
            return false;
        };
        let Some(device) = device_of(endpoint, &mut self.listeners) else {
            return false;
        };
        if device.line_buffer.is_break() {
            device.line_buffer.next_client();
        } else {
            device.line_buffer.discard();
        }
        endpoint.restart();
        state.abandon(service);
        *state = State::Open;
        self.drain_wakes(service);
        self.end_turn(index);
        true
    }

    /// Passes the cursor of a connection's call, if there is one, to [`Service::abandoned`].
    pub(super) fn abandon<S: Service<C>>(&mut self, index: u32, service: &mut S) {
        if let Some((_, state)) = self.places.get(index) {
            state.abandon(service);
        }
    }

    /// Frees a place, and takes its buffers back. Their content stays until the next turn.
    pub(super) fn vacate(&mut self, index: u32) -> Option<Endpoint> {
        let endpoint = self.places.vacate(index)?;
        if endpoint.role != Role::Upgraded {
            self.poller.remove(endpoint.stream.as_fd());
        }
        if let Some(pair) = endpoint.pair {
            self.buffers.take_back(pair);
        }
        if let Some(device) = device_of(&endpoint, &mut self.listeners) {
            device.is_open = false;
            device.line_buffer.reset();
            // It may fail again as soon as it is opened.
            device.pause = BACK_OFF_WAITS;
        }
        if self.current == Some(index) {
            self.current = None;
        }
        if let Role::Lingering(_) = endpoint.role {
            self.lingering = self.lingering.saturating_sub(1);
        } else {
            self.count_departure();
        }
        Some(endpoint)
    }

    /// Records that a connection has left the server. Accepting continues, because a descriptor may
    /// be free now.
    fn count_departure(&mut self) {
        self.connections = self.connections.saturating_sub(1);
        self.backing_off = 0;
        self.empty_since = self.time();
    }

    /// Wakes a topic, and then all other topics that the service has woken.
    fn wake_all<S: Service<C>>(&mut self, woken: Option<u32>, service: &mut S) {
        if let Some(topic) = woken {
            self.places.wake(topic);
            self.drain_wakes(service);
        }
    }

    /// Wakes all topics that the service has woken.
    pub(super) fn drain_wakes<S: Service<C>>(&mut self, service: &mut S) {
        while let Some(topic) = service.woken() {
            self.places.wake(topic);
        }
    }
}
