//! One connection of a server, and what it does when it is its turn.

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
    /// How many connections have been here before.
    pub generation: u32,
    /// The next in the list of the free places, if this is one.
    pub next_free: Option<u32>,
    /// The next in the list of the ready places, if this is one.
    pub next_ready: Option<u32>,
    pub is_queued: bool,
    pub occupant: Occupant,
}

/// Who is at a place. The representation keeps a table of empty places all zero: in a static, it
/// takes no room in the file.
#[derive(Debug, Default)]
#[repr(u8)]
#[allow(clippy::large_enum_variant)] // there is nowhere else to put it
pub(super) enum Occupant {
    #[default]
    Nobody,
    Endpoint(Endpoint),
}

impl Slot {
    pub const EMPTY: Self = Slot {
        generation: 0,
        next_free: None,
        next_ready: None,
        is_queued: false,
        occupant: Occupant::Nobody,
    };

    /// True if it was never used: it is [`EMPTY`](Self::EMPTY).
    pub fn is_unused(&self) -> bool {
        self.generation == 0 && matches!(self.occupant, Occupant::Nobody)
    }

    pub fn endpoint(&mut self) -> Option<&mut Endpoint> {
        match &mut self.occupant {
            Occupant::Endpoint(endpoint) => Some(endpoint),
            Occupant::Nobody => None,
        }
    }
}

/// A connection. Its state is in a table of the server's.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub stream: Stream,
    /// Where the connection is in the pair of buffers that it is lent.
    pub channel: Channel<'static>,
    pub pair: Option<u32>,
    pub role: Role,
    pub peer: Option<Peer>,
    /// A pidfd of the peer, if the program's hook knows how to ask for one.
    pub pidfd: Option<Descriptor>,
    /// Which listener it came from, by its index.
    pub listener: Option<u32>,
    /// What the poller is told to look for.
    pub interest: EventFlags,
    /// What is of use now. The poller is told of a difference only when it costs something.
    pub wanted: EventFlags,
    /// What the poller has found since the last turn.
    pub ready: EventFlags,
    /// An event came that was not wanted, and would come again at once.
    is_pestered: bool,
    /// There may be something to receive.
    readable: bool,
    /// The peer sends nothing more.
    half_closed: bool,
    /// What it is doing, and since when: for the limits.
    phase: Phase,
    since: u64,
    /// It has got further since then.
    has_advanced: bool,
}

/// What a connection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A client of the service.
    Client,
    /// Another protocol: it waits to be taken out of the server.
    Upgraded,
    /// Everything is sent. What comes in is thrown away, up to this many bytes, so that closing the
    /// connection does not take away what the peer has not read yet.
    Lingering(usize),
}

/// How many bytes a peer may still send after an error.
const LINGER: usize = 1 << 16;

/// How a turn has ended.
#[derive(Debug)]
pub(super) enum Turn<C> {
    /// A call was handled, and this topic was woken. The turn goes on.
    Called(Option<u32>),
    /// A reply that was owed was written, and this topic was woken. The turn goes on.
    Woken(u32),
    /// The turn is over, and there is more to do.
    Again,
    /// Nothing can be done until something happens.
    Over,
    /// It belongs to another protocol from now on.
    Upgraded(C),
    /// It is over.
    Ended(Result<(), Error<unix::IoError>>),
}

/// Events that mean that something can be received, the end included.
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
            is_pestered: false,
            readable: false,
            half_closed: false,
            phase: Phase::Idle,
            since: now,
            has_advanced: false,
        }
    }

    /// Begins with another client of the same stream.
    pub fn restart(&mut self) {
        self.channel = Channel::default();
        self.wanted = INPUT;
        self.has_advanced = true;
    }

    /// Starts counting what it is doing from now on.
    pub fn restart_clock(&mut self, now: u64) {
        self.since = now;
    }

    /// The time at which it has taken too long.
    pub fn deadline(&self, limits: &Limits) -> Option<u64> {
        self.phase.deadline(self.since, limits)
    }

    /// True if it has taken longer than the limits allow.
    pub fn is_late(&self, limits: &Limits, now: u64) -> bool {
        self.deadline(limits).is_some_and(|at| at <= now)
    }

    /// True if the poller has to look for something else: for what it does not look for yet, or not
    /// for what it has found and nobody wants.
    pub fn has_to_change_interest(&mut self) -> bool {
        let is_pestered = mem::take(&mut self.is_pestered);
        !self.interest.contains(self.wanted) || (is_pestered && self.interest != self.wanted)
    }

    /// Notes what the poller has found.
    pub fn found(&mut self, flags: EventFlags) {
        let gone = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        self.ready |= flags;
        self.readable |= gone || flags.intersects(INPUT);
        self.half_closed |= gone || flags.contains(EventFlags::RDHUP);
        self.is_pestered |= !(flags & self.interest & !self.wanted).is_empty();
    }

    /// Does what there is to do, up to the next call that is handled, or `budget` steps.
    pub fn serve<S: Service<C>, C: Copy, const FDS: usize>(
        &mut self,
        service: &mut S,
        session: &mut Session<'_, C>,
        carried: &mut Carried<FDS>,
        mut breaks: Option<&mut LineBuffer<'_>>,
        budget: &mut usize,
    ) -> Result<Turn<C>, unix::IoError> {
        let found = mem::replace(&mut self.ready, EventFlags::empty());
        let gone = found.intersects(EventFlags::HUP | EventFlags::ERR);
        let is_blocked = self.wanted.contains(EventFlags::OUT);
        if gone && (is_blocked || !matches!(session.state(), State::Open)) {
            // Nobody will read what is owed.
            return Err(unix::IoError::Closed);
        }
        if is_blocked {
            if !found.contains(EventFlags::OUT)
                || !self.flush(session, carried, breaks.as_deref_mut())?
            {
                return Ok(Turn::Over);
            }
            // The turn does not wait for that again after its next call.
            self.wanted = INPUT;
        }
        loop {
            if *budget == 0 {
                // The replies of a stream are not held back until its next turn.
                let flushed = !session.state().is_due()
                    || self.flush(session, carried, breaks.as_deref_mut())?;
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
            if session.step_in(service, context) {
                *budget = budget.saturating_sub(1);
                // A wake after which the call is parked again, without a reply, is no advance.
                self.has_advanced |= was_open || !session.channel().pending().is_empty();
                let woken = service.woken();
                if was_open && !matches!(session.state(), State::Ended(_)) {
                    return Ok(Turn::Called(woken));
                }
                if let Some(topic) = woken {
                    return Ok(Turn::Woken(topic));
                }
                continue;
            }
            if !session.channel().pending().is_empty() {
                if self.flush(session, carried, breaks.as_deref_mut())? {
                    continue;
                }
                return Ok(Turn::Over);
            }
            match session.state() {
                State::Ended(result) => {
                    return Ok(Turn::Ended(result.map_err(Error::with_transport)));
                }
                State::Upgraded(cursor) => {
                    if let Some(breaks) = breaks {
                        let count = breaks.take_unread(session.channel().spare());
                        session.channel().received(count);
                    }
                    return Ok(Turn::Upgraded(cursor));
                }
                State::Parked(..) => {
                    if let Some(breaks) = breaks {
                        // Another client may begin.
                        device::look_ahead(&mut self.stream, breaks, usize::MAX)?;
                        if breaks.is_break() {
                            return Err(unix::IoError::Closed);
                        }
                        self.wanted = EventFlags::IN;
                    } else if self.half_closed {
                        self.wanted = EventFlags::empty();
                    } else {
                        // Its calls wait, but it is of interest that it goes away.
                        self.wanted = EventFlags::RDHUP;
                    }
                    return Ok(Turn::Over);
                }
                State::Open | State::Due(_) | State::Describing(_) => {
                    self.wanted = INPUT;
                    if let Some(breaks) = breaks.as_deref_mut() {
                        let channel = session.channel();
                        if device::receive(&mut self.stream, breaks, channel)?.is_none() {
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

    /// Receives what is there: None if there is nothing, 0 at the end of input.
    fn receive<C: Copy, const FDS: usize>(
        &mut self,
        reading: Reading,
        session: &mut Session<'_, C>,
        carried: &mut Carried<FDS>,
    ) -> Result<Option<usize>, unix::IoError> {
        let channel = session.channel();
        if !channel.receive.mid_message() {
            // The descriptors of another message come now.
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

    /// Sends what is pending, as far as that is possible now. Returns true if that was all.
    fn flush<C: Copy, const FDS: usize>(
        &mut self,
        session: &mut Session<'_, C>,
        carried: &mut Carried<FDS>,
        breaks: Option<&mut LineBuffer<'_>>,
    ) -> Result<bool, unix::IoError> {
        let channel = session.channel();
        if let Some(breaks) = breaks {
            self.has_advanced |= device::send(&mut self.stream, breaks, channel)? > 0;
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
            let all = bytes.len();
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
            if sent < all {
                self.wanted = EventFlags::OUT;
                return Ok(false);
            }
        }
    }

    /// Throws away what a lingering peer sends. Returns true if it is to be closed.
    pub fn linger(&mut self, scratch: &mut [u8]) -> bool {
        let Role::Lingering(left) = self.role else {
            return false;
        };
        self.ready = EventFlags::empty();
        let nowhere = &mut heapless::Vec::<_, 0>::new();
        match self.stream.receive_now(Reading::All, scratch, nowhere) {
            Ok(Some(count)) if count > 0 && count < left => {
                self.role = Role::Lingering(left.saturating_sub(count));
                false
            }
            Ok(None) => false,
            Ok(Some(_)) | Err(_) => true,
        }
    }

    /// Begins to linger, after an error of a connection whose closing would take away what was
    /// sent. Returns false if it can be closed at once.
    pub fn begin_to_linger(&mut self, now: u64) -> bool {
        if !self.stream.lingers() {
            return false;
        }
        self.stream.finish_sending();
        self.role = Role::Lingering(LINGER);
        self.wanted = INPUT;
        self.phase = Phase::Writing;
        self.since = now;
        true
    }

    /// Notes what the connection is doing now, and since when.
    pub fn settle<C: Copy>(&mut self, state: State<C>, now: u64) {
        let is_blocked = self.wanted.contains(EventFlags::OUT);
        let phase = match (self.role, state) {
            (Role::Upgraded, _) => Phase::Waiting,
            (Role::Lingering(_), _) => Phase::Writing,
            (Role::Client, _) if is_blocked => Phase::Writing,
            // Nobody may be left who waits.
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

/// Sends bytes, and descriptors with the first of them.
#[inline(never)] // not every write needs room for a table of descriptors
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
