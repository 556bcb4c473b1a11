//! One connection of a server, and its turn.

use core::mem;

use rustix::event::epoll::EventFlags;
use rustix::fd::AsFd;

use super::buffers::Carried;
use super::device;
use super::limits::{Limits, Phase};
use crate::channel::Channel;
use crate::error::Error;
use crate::line::LineBuffer;
use crate::peer::{Descriptor, Peer};
use crate::service::{Context, Descriptors, Service, Session, State};
use crate::unix::{self, Reading, Stream};

/// A place for a connection. All of its bytes are 0 before it is used.
#[derive(Debug)]
pub(super) struct Slot {
    /// The number of earlier connections at this place.
    pub generation: u32,
    /// The next place in the list of free places, if this is in it.
    pub next_free: Option<u32>,
    /// The next place in the queue for a turn, if this is in it.
    pub next_ready: Option<u32>,
    pub is_queued: bool,
    pub occupant: Occupant,
}

/// The content of a place. With this representation, a table of empty places is all zero, so in a
/// `static` it takes no space in the program's file.
#[derive(Debug, Default)]
#[repr(u8)]
#[allow(clippy::large_enum_variant)] // without an allocator, it cannot be boxed
pub(super) enum Occupant {
    #[default]
    Empty,
    Endpoint(Endpoint),
}

impl Slot {
    pub const EMPTY: Self = Slot {
        generation: 0,
        next_free: None,
        next_ready: None,
        is_queued: false,
        occupant: Occupant::Empty,
    };

    /// True if this place was never used: generation 0 is that of no other place.
    pub fn is_unused(&self) -> bool {
        self.generation == 0 && matches!(self.occupant, Occupant::Empty)
    }

    pub fn endpoint(&mut self) -> Option<&mut Endpoint> {
        match &mut self.occupant {
            Occupant::Endpoint(endpoint) => Some(endpoint),
            Occupant::Empty => None,
        }
    }
}

/// A connection, without the state of its session: see [`Places`](super::places::Places).
#[derive(Debug)]
pub(super) struct Endpoint {
    pub stream: Stream,
    /// The positions in the buffers.
    pub channel: Channel<'static>,
    /// The index of the pair of buffers that the connection has, if any.
    pub pair: Option<u32>,
    pub role: Role,
    pub peer: Option<Peer>,
    /// A pidfd of the peer, if the program's hook returns one.
    pub pidfd: Option<Descriptor>,
    /// The index of the listener that has accepted the connection.
    pub listener: Option<u32>,
    /// The events that the poller reports.
    pub interest: EventFlags,
    /// The events that are needed now. `interest` is changed only if it lacks one of them, or after
    /// an event that is not needed.
    pub wanted: EventFlags,
    /// The events that the poller has reported since the last turn.
    pub ready: EventFlags,
    /// True if the poller has reported an unwanted event, which it would report again at once.
    has_unwanted_event: bool,
    /// True if there may be bytes to receive.
    readable: bool,
    /// True if the peer has closed its half of the connection.
    half_closed: bool,
    /// The current activity and the time of its beginning, for the timeouts.
    phase: Phase,
    since: u64,
    /// True if the connection has made progress since the last turn, which restarts the timeout.
    has_advanced: bool,
}

/// The use of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A client of the service.
    Client,
    /// Another protocol. The program must take the connection out of the server, or close it.
    Upgraded,
    /// Draining after an error. Input is discarded, up to this number of bytes, because closing a
    /// connection with unread input would destroy replies that the peer has not read yet.
    Lingering(usize),
}

/// The maximum number of bytes that a peer may send after an error.
const LINGER_BYTES: usize = 1 << 16;

/// The result of a turn, or of a part of it.
#[derive(Debug)]
pub(super) enum Turn<C> {
    /// A call was handled, and the service has woken this topic, if any. The turn may be over.
    Called { woken: Option<u32>, is_over: bool },
    /// An owed reply was written, and the service has woken this topic. The turn is not over.
    Woken(u32),
    /// The turn is over, but there is more to do.
    Again,
    /// The turn is over, and the connection waits for an event.
    Over,
    /// The connection was upgraded.
    Upgraded(C),
    /// The connection has ended.
    Ended(Result<(), Error<unix::IoError>>),
}

/// The events that report available bytes or the end of input.
const INPUT: EventFlags = EventFlags::IN.union(EventFlags::RDHUP);

impl Endpoint {
    /// The interest of a new connection.
    pub const INTEREST: EventFlags = INPUT;

    pub fn new(stream: Stream, peer: Option<Peer>, now: u64) -> Self {
        Endpoint {
            stream,
            channel: Channel::default(),
            pair: None,
            role: Role::Client,
            peer,
            pidfd: None,
            listener: None,
            interest: INPUT,
            wanted: INPUT,
            ready: EventFlags::empty(),
            has_unwanted_event: false,
            readable: false,
            half_closed: false,
            phase: Phase::Idle,
            since: now,
            has_advanced: false,
        }
    }

    /// Begins the session of another client on the same stream.
    pub fn restart(&mut self) {
        self.channel = Channel::default();
        self.wanted = INPUT;
        self.has_advanced = true;
    }

    /// Restarts the timeout.
    pub fn restart_clock(&mut self, now: u64) {
        self.since = now;
    }

    /// Returns the time at which the connection times out.
    pub fn deadline(&self, limits: &Limits) -> Option<u64> {
        self.phase.deadline(self.since, limits)
    }

    /// True if the connection has timed out.
    pub fn has_timed_out(&self, limits: &Limits, now: u64) -> bool {
        self.deadline(limits).is_some_and(|at| at <= now)
    }

    /// True if the interest must be changed: the poller does not report a wanted event, or it has
    /// reported an unwanted one.
    pub fn must_change_interest(&mut self) -> bool {
        let had_unwanted = mem::take(&mut self.has_unwanted_event);
        !self.interest.contains(self.wanted) || (had_unwanted && self.interest != self.wanted)
    }

    /// Records the events that the poller has reported.
    pub fn add_ready(&mut self, flags: EventFlags) {
        let is_gone = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        self.ready |= flags;
        self.readable |= is_gone || flags.intersects(INPUT);
        self.half_closed |= is_gone || flags.contains(EventFlags::RDHUP);
        self.has_unwanted_event |= !(flags & self.interest & !self.wanted).is_empty();
    }

    /// Serves the connection until a call was handled or the connection must wait, for at most
    /// `budget` steps of its session.
    pub fn serve<S: Service<C>, C: Copy, const FDS: usize>(
        &mut self,
        service: &mut S,
        session: &mut Session<'_, C>,
        carried: &mut Carried<FDS>,
        mut line_buffer: Option<&mut LineBuffer<'_>>,
        budget: &mut usize,
    ) -> Result<Turn<C>, unix::IoError> {
        let ready = mem::replace(&mut self.ready, EventFlags::empty());
        let is_gone = ready.intersects(EventFlags::HUP | EventFlags::ERR);
        let is_blocked = self.wanted.contains(EventFlags::OUT);
        if is_gone && (is_blocked || !matches!(session.state(), State::Open)) {
            // The client will not read the owed replies.
            return Err(unix::IoError::Closed);
        }
        if is_blocked {
            if !ready.contains(EventFlags::OUT)
                || !self.flush(session, carried, line_buffer.as_deref_mut())?
            {
                return Ok(Turn::Over);
            }
            // Otherwise the rest of the turn, after a call, would wait for `OUT` again.
            self.wanted = INPUT;
        }
        loop {
            if *budget == 0 {
                // The replies of a stream must not wait for its next turn.
                let flushed = !session.state().is_due()
                    || self.flush(session, carried, line_buffer.as_deref_mut())?;
                return Ok(if flushed { Turn::Again } else { Turn::Over });
            }
            let was_open = matches!(session.state(), State::Open);
            let context = Context {
                peer: self.peer,
                pidfd: self.pidfd.as_ref(),
                descriptors: (FDS > 0 && self.stream.carries_descriptors()).then_some(
                    Descriptors {
                        received: &mut carried.received,
                        attached: &mut carried.attached,
                    },
                ),
                can_park: true,
            };
            if !is_idle::<S, C>(session) && session.step_in(service, context) {
                *budget = budget.saturating_sub(1);
                // A woken call that is parked again without a reply has made no progress.
                self.has_advanced |= was_open || !session.channel().pending().is_empty();
                let woken = service.woken();
                if was_open && !matches!(session.state(), State::Ended(_)) {
                    let is_last =
                        !self.readable && line_buffer.is_none() && is_idle::<S, C>(session);
                    if is_last {
                        self.wanted = INPUT;
                    }
                    // A write that has failed is repeated by the rest of the turn.
                    let is_over = is_last && self.flush(session, carried, None) == Ok(true);
                    return Ok(Turn::Called { woken, is_over });
                }
                if let Some(topic) = woken {
                    return Ok(Turn::Woken(topic));
                }
                continue;
            }
            if !session.channel().pending().is_empty() {
                if self.flush(session, carried, line_buffer.as_deref_mut())? {
                    continue;
                }
                return Ok(Turn::Over);
            }
            match session.state() {
                State::Ended(result) => {
                    return Ok(Turn::Ended(result.map_err(Error::with_transport)));
                }
                State::Upgraded(cursor) => {
                    if let Some(line_buffer) = line_buffer {
                        let count = line_buffer.take_unread(session.channel().spare());
                        session.channel().received(count);
                    }
                    return Ok(Turn::Upgraded(cursor));
                }
                State::Parked(..) => {
                    if let Some(line_buffer) = line_buffer {
                        // Another client may have sent a break.
                        device::look_ahead(&mut self.stream, line_buffer, usize::MAX)?;
                        if line_buffer.is_break() {
                            return Err(unix::IoError::Closed);
                        }
                        self.wanted = EventFlags::IN;
                    } else if self.half_closed {
                        self.wanted = EventFlags::empty();
                    } else {
                        // The client must wait, but the server must notice when it goes away.
                        self.wanted = EventFlags::RDHUP;
                    }
                    return Ok(Turn::Over);
                }
                State::Open | State::Due(_) | State::Describing(_) => {
                    self.wanted = INPUT;
                    if let Some(line_buffer) = line_buffer.as_deref_mut() {
                        let channel = session.channel();
                        if device::receive(&mut self.stream, line_buffer, channel)?.is_none() {
                            return Ok(Turn::Over);
                        }
                        continue;
                    }
                    if !mem::take(&mut self.readable) {
                        return Ok(Turn::Over);
                    }
                    let reading = if FDS > 0 || S::UPGRADES {
                        Reading::Message
                    } else {
                        Reading::All
                    };
                    if self.receive(reading, session, carried)?.is_none() {
                        return Ok(Turn::Over);
                    }
                }
            }
        }
    }

    /// Receives without waiting. Returns None if there is no input, and 0 at its end.
    fn receive<C: Copy, const FDS: usize>(
        &mut self,
        reading: Reading,
        session: &mut Session<'_, C>,
        carried: &mut Carried<FDS>,
    ) -> Result<Option<usize>, unix::IoError> {
        let channel = session.channel();
        if !channel.receive.mid_message() {
            // The next message begins, with its own descriptors.
            carried.received.clear();
        }
        let spare = channel.spare();
        let received = self
            .stream
            .receive_now(reading, spare, &mut carried.received)?;
        if let Some(count) = received {
            channel.received(count);
        }
        Ok(received)
    }

    /// Sends as many of the pending bytes as possible without waiting. Returns true if all were
    /// sent.
    fn flush<C: Copy, const FDS: usize>(
        &mut self,
        session: &mut Session<'_, C>,
        carried: &mut Carried<FDS>,
        line_buffer: Option<&mut LineBuffer<'_>>,
    ) -> Result<bool, unix::IoError> {
        let channel = session.channel();
        if let Some(line_buffer) = line_buffer {
            self.has_advanced |= device::send(&mut self.stream, line_buffer, channel)? > 0;
            if channel.pending().is_empty() {
                return Ok(true);
            }
            self.wanted = EventFlags::OUT;
            return Ok(false);
        }
        loop {
            let bytes = channel.pending();
            if bytes.is_empty() {
                return Ok(true);
            }
            let length = bytes.len();
            let with_descriptors = FDS > 0 && channel.has_descriptors();
            let sent = if with_descriptors {
                send_with(&mut self.stream, bytes, carried)?
            } else {
                self.stream.send_now(bytes, &[])?
            };
            let sent = sent.unwrap_or(0);
            channel.sent(sent);
            self.has_advanced |= sent > 0;
            if with_descriptors && sent > 0 {
                carried.attached.clear();
            }
            if sent < length {
                self.wanted = EventFlags::OUT;
                return Ok(false);
            }
        }
    }

    /// Discards the input of a lingering connection. Returns true if it must be closed.
    pub fn linger(&mut self, scratch: &mut [u8]) -> bool {
        let Role::Lingering(left) = self.role else {
            return false;
        };
        self.ready = EventFlags::empty();
        let none = &mut heapless::Vec::<_, 0>::new();
        match self.stream.receive_now(Reading::All, scratch, none) {
            Ok(Some(count)) if count > 0 && count < left => {
                self.role = Role::Lingering(left.saturating_sub(count));
                false
            }
            Ok(None) => false,
            Ok(Some(_)) | Err(_) => true,
        }
    }

    /// Begins to linger after an error, if closing the connection now would destroy sent replies.
    /// Returns false if it can be closed at once.
    pub fn begin_to_linger(&mut self, now: u64) -> bool {
        if !self.stream.lingers() {
            return false;
        }
        self.stream.finish_sending();
        self.role = Role::Lingering(LINGER_BYTES);
        self.wanted = INPUT;
        self.phase = Phase::Writing;
        self.since = now;
        true
    }

    /// Records the phase of the connection after a turn, and restarts the timeout after progress.
    pub fn settle<C: Copy>(&mut self, state: State<C>, now: u64) {
        let is_blocked = self.wanted.contains(EventFlags::OUT);
        let phase = match (self.role, state) {
            (Role::Upgraded, _) => Phase::Waiting,
            (Role::Lingering(_), _) => Phase::Writing,
            (Role::Client, _) if is_blocked => Phase::Writing,
            // A client that has closed its half may be gone.
            (Role::Client, State::Parked(..)) if self.half_closed => Phase::Idle,
            (Role::Client, State::Open) if self.channel.receive.mid_message() => Phase::Message,
            (Role::Client, State::Open) => Phase::Idle,
            (Role::Client, _) => Phase::Waiting,
        };
        if mem::take(&mut self.has_advanced) || self.phase != phase {
            self.since = now;
        }
        self.phase = phase;
    }
}

/// True if a step has nothing to do: no reply is owed, nothing was received, and nothing is erased.
fn is_idle<S: Service<C>, C: Copy>(session: &mut Session<'_, C>) -> bool {
    let is_open = matches!(session.state(), State::Open);
    let channel = session.channel();
    !S::SENSITIVE && is_open && channel.receive.is_empty() && !channel.is_at_end()
}

/// Sends bytes without waiting, and descriptors with the first byte.
#[inline(never)] // other writes need no stack space for the descriptors
fn send_with<const FDS: usize>(
    stream: &mut Stream,
    bytes: &[u8],
    carried: &Carried<FDS>,
) -> Result<Option<usize>, unix::IoError> {
    let mut attached = heapless::Vec::<_, FDS>::new();
    for descriptor in &carried.attached {
        let pushed = attached.push(descriptor.as_fd());
        debug_assert!(
            pushed.is_ok(),
            "there is as much room as in `carried.attached`"
        );
    }
    stream.send_now(bytes, &attached)
}
