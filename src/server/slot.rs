//! One connection of a server, and what it does when it is its turn.

use core::mem;

use heapless::Vec;
use rustix::event::PollFlags;
use rustix::fd::{AsFd, BorrowedFd};

use super::limits::{Limits, Phase};
use crate::error::Error;
use crate::frame::{Drain, Outbox};
use crate::peer::{Descriptor, Peer};
use crate::service::{Descriptors, Item, Lent, Published, Service, Session, Step};
use crate::unix::{self, Reading, Stream};

/// A place for a connection, with its buffers.
#[derive(Debug)]
pub(super) struct Slot<'b, C, const FDS: usize> {
    /// What the connection is used for.
    pub role: Role,
    pub stream: Option<Stream>,
    pub session: Session<'b, C>,
    /// What comes before that which the session has to send: it has waited in the send buffer, when
    /// that was needed for the next message, and is in the buffer that all connections share.
    ahead: Option<Outbox<'b>>,
    pub peer: Option<Peer>,
    /// The peer's process, if the program's hook knows how to ask for it.
    pub pidfd: Option<Descriptor>,
    /// The descriptors that have come with the message that is being received.
    received: Vec<Option<Descriptor>, FDS>,
    /// The descriptors that go with the message that the session has marked.
    attached: Vec<Descriptor, FDS>,
    /// How many connections have been here before.
    pub generation: u32,
    /// Which listener it has come from.
    pub source: Option<usize>,
    /// What is waited for.
    pub wants: PollFlags,
    /// What the last poll has found.
    pub found: PollFlags,
    /// There is something to be done, whatever a poll finds.
    pub busy: bool,
    /// What was sent last has ended inside of a message.
    cut: bool,
    /// What it is doing, and since when: for the deadlines.
    phase: Phase,
    since: u64,
    /// It has got further in that.
    progress: bool,
}

/// What a slot is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing.
    Free,
    /// A client of the service.
    Client,
    /// Another protocol, which is the program's affair.
    Raw {
        /// The peer sends nothing more.
        ended: bool,
        /// The peer is to be sent nothing more when what waits is sent.
        finishing: bool,
    },
    /// Everything is sent; what comes in is thrown away, up to so many bytes, so that closing the
    /// connection does not take away from the peer what it has not read yet.
    Lingering(usize),
}

/// How much a peer may still send after an error.
const LINGER: usize = 1 << 16;

/// What all connections of a server share.
pub(super) struct Shared<'s, 'b> {
    /// The buffer for what has to wait outside of its own.
    pub spare: &'s mut Option<&'b mut [u8]>,
    /// What has been published.
    pub published: Published<'s>,
    pub limits: &'s Limits,
    pub now: u64,
}

/// What a connection's turn has come to.
#[derive(Debug)]
pub(super) enum Turn<C> {
    /// A call was handled. There may be others.
    Called,
    /// There is nothing to be done until something happens.
    Over,
    /// It belongs to another protocol from now on.
    Upgraded(C),
    /// It has received something of another protocol, or has room again, or has ended.
    Raw,
    /// It is over, and the slot is free, or will be soon.
    Ended(Result<(), Error<unix::Error>>),
}

impl<'b, C: Copy, const FDS: usize> Slot<'b, C, FDS> {
    pub fn new(receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Slot {
            role: Role::Free,
            stream: None,
            session: Session::new(receive, send),
            ahead: None,
            peer: None,
            pidfd: None,
            received: Vec::new(),
            attached: Vec::new(),
            generation: 0,
            source: None,
            wants: PollFlags::empty(),
            found: PollFlags::empty(),
            busy: false,
            cut: false,
            phase: Phase::Idle,
            since: 0,
            progress: false,
        }
    }

    /// A connection has come.
    pub fn open(&mut self, stream: Stream, peer: Option<Peer>, now: u64) {
        self.stream = Some(stream);
        self.peer = peer;
        self.role = Role::Client;
        self.wants = PollFlags::IN;
        self.phase = Phase::Idle;
        self.since = now;
    }

    /// The place is free for another connection.
    pub fn free(&mut self, spare: &mut Option<&'b mut [u8]>) {
        self.reclaim(spare);
        self.session.restart();
        drop(self.vacate());
    }

    /// Nobody is here any more. What was received can be read still.
    fn vacate(&mut self) -> Option<Stream> {
        self.peer = None;
        self.pidfd = None;
        self.source = None;
        self.received.clear();
        self.attached.clear();
        self.role = Role::Free;
        self.wants = PollFlags::empty();
        self.found = PollFlags::empty();
        self.busy = false;
        self.cut = false;
        self.generation = self.generation.wrapping_add(1);
        self.stream.take()
    }

    /// Gives the connection away, unless something waits to be sent. What was received of it can
    /// be read until the place is used again.
    pub fn give_away(&mut self) -> Option<Stream> {
        let is_sent = self.ahead.is_none() && self.session.pending().is_empty();
        if !is_sent || !matches!(self.role, Role::Raw { .. }) {
            return None;
        }
        let mut stream = self.vacate();
        if let Some(stream) = &mut stream {
            stream.leave_messages();
        }
        stream
    }

    /// Whether there is room for a connection; if need be, in place of one that only lingers.
    pub fn is_free(&self) -> bool {
        matches!(self.role, Role::Free | Role::Lingering(_))
    }

    /// What poll(2) is to look at.
    pub fn polled(&self) -> Option<BorrowedFd<'_>> {
        // (A client that waits for the service is there to be missed when it goes away.)
        let polled = self.role == Role::Client || !self.wants.is_empty();
        self.stream.as_ref().filter(|_| polled).map(AsFd::as_fd)
    }

    /// Whether it has something to do, after a poll.
    pub fn has_work(&self) -> bool {
        self.busy || !self.found.is_empty()
    }

    /// What has been going on began now.
    pub fn start_over(&mut self, now: u64) {
        self.since = now;
    }

    /// The time at which it has waited for too long.
    pub fn deadline(&self, limits: &Limits) -> Option<u64> {
        if self.role == Role::Free {
            return None;
        }
        self.phase.deadline(self.since, limits)
    }

    /// Does what there is to be done for it, up to a call, and not more than `budget` steps.
    pub fn turn<S: Service<Cursor = C>>(
        &mut self,
        service: &mut S,
        shared: &mut Shared<'_, 'b>,
        budget: &mut usize,
    ) -> Turn<C> {
        let turn = match self.role {
            Role::Free => return Turn::Over,
            Role::Client => self.serve(service, shared, budget),
            Role::Raw { .. } => self.move_raw(shared.spare),
            Role::Lingering(left) => self.linger(left),
        };
        let turn = match turn {
            Ok(Turn::Ended(result)) => {
                self.hang_up(result.is_err(), shared);
                return Turn::Ended(result);
            }
            Ok(turn) => {
                self.settle(shared.now);
                let late = self.deadline(shared.limits);
                match late.is_some_and(|at| at <= shared.now) {
                    true if self.is_device() => {
                        self.begin_anew(service, shared.spare);
                        self.session.skip();
                        self.since = shared.now;
                        self.busy = true;
                        Ok(turn)
                    }
                    true => Err(unix::Error::TimedOut),
                    false => Ok(turn),
                }
            }
            Err(error) => Err(error),
        };
        turn.unwrap_or_else(|error| {
            let was_client = !matches!(self.role, Role::Lingering(_));
            self.session.abandon(service);
            self.free(shared.spare);
            match error {
                _ if !was_client => Turn::Over,
                unix::Error::Closed => Turn::Ended(Ok(())),
                error => Turn::Ended(Err(Error::Transport(error))),
            }
        })
    }

    /// Makes the session's steps.
    fn serve<S: Service<Cursor = C>>(
        &mut self,
        service: &mut S,
        shared: &mut Shared<'_, 'b>,
        budget: &mut usize,
    ) -> Result<Turn<C>, unix::Error> {
        let reading = match (FDS, S::UPGRADES) {
            (0, false) => Reading::Freely,
            (0, true) => Reading::ToUpgrades,
            _ => Reading::ToEachMessage,
        };
        let found = mem::replace(&mut self.found, PollFlags::empty());
        self.busy = false;
        let gone = found.intersects(PollFlags::HUP | PollFlags::ERR);
        let mut readable = gone || found.contains(PollFlags::IN);
        if gone && !self.wants.contains(PollFlags::IN) {
            // Nobody will read what is owed.
            return Err(unix::Error::Closed);
        }
        if self.is_device() && !self.session.is_upgraded() {
            let owed = !self.session.is_open() || self.wants.contains(PollFlags::OUT);
            if readable && owed && !self.session.spare().is_empty() {
                readable = false;
                if self.receive(reading)? == Some(0) {
                    return Err(unix::Error::Closed);
                }
            }
            if self.session.begins_anew(owed) {
                self.begin_anew(service, shared.spare);
            }
        }
        if self.wants.contains(PollFlags::OUT) {
            if !self.flush(shared.spare)? {
                return Ok(Turn::Over);
            }
            self.wants = PollFlags::IN;
        }
        loop {
            let Some(left) = budget.checked_sub(1) else {
                self.busy = true;
                // What a stream has is not kept back.
                if !self.session.is_open() && !self.flush(shared.spare)? {
                    self.busy = false;
                }
                return Ok(Turn::Over);
            };
            *budget = left;
            let step = match self.step(service, shared) {
                // (The session does not know what was put aside.)
                Step::Read | Step::Parked | Step::Upgraded(_) | Step::Ended(_)
                    if self.ahead.is_some() =>
                {
                    Step::Write
                }
                step => step,
            };
            match step {
                Step::Called => {
                    self.progress = true;
                    self.busy = true;
                    return Ok(Turn::Called);
                }
                // (So that a stream has no need of the buffer that all share.)
                Step::Streamed if !self.session.is_half_full() => {}
                Step::Write | Step::Streamed => {
                    if !self.flush(shared.spare)? {
                        return Ok(Turn::Over);
                    }
                }
                Step::Read if readable => {
                    readable = false;
                    match self.receive(reading)? {
                        // (Half a message is no matter of a line that ends.)
                        Some(0) if self.is_device() => return Err(unix::Error::Closed),
                        Some(_) => {}
                        None => {
                            self.wants = PollFlags::IN;
                            return Ok(Turn::Over);
                        }
                    }
                    if self.is_device() && self.session.begins_anew(false) {
                        self.begin_anew(service, shared.spare);
                    }
                }
                Step::Read => {
                    self.wants = PollFlags::IN;
                    return Ok(Turn::Over);
                }
                Step::Parked => {
                    self.wants = self.wants_while_owed();
                    return Ok(Turn::Over);
                }
                Step::Upgraded(cursor) => {
                    self.role = Role::Raw {
                        ended: false,
                        finishing: false,
                    };
                    self.session.detach();
                    if let Some(stream) = &mut self.stream {
                        stream.set_reading(Reading::Freely);
                    }
                    self.busy = true;
                    return Ok(Turn::Upgraded(cursor));
                }
                // A device can't be closed for its client: the next message is that of a new one.
                Step::Ended(Err(_)) if self.is_device() => {
                    self.begin_anew(service, shared.spare);
                }
                Step::Ended(result) => return Ok(Turn::Ended(result.map_err(Error::over))),
            }
        }
    }

    pub fn is_device(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::is_device)
    }

    /// What to wait for while a client is owed something, and no call of it is looked at: that it
    /// goes away, which every poll looks for; but on a device nobody goes away. There, another client
    /// comes, and begins with a NUL.
    fn wants_while_owed(&mut self) -> PollFlags {
        if !self.is_device() {
            return PollFlags::empty();
        }
        if self.session.spare().is_empty() {
            // There has to be room for that NUL.
            self.session.skip();
        }
        PollFlags::IN
    }

    /// On a device there is a new client: what the one before was owed is dropped.
    fn begin_anew<S: Service<Cursor = C>>(
        &mut self,
        service: &mut S,
        spare: &mut Option<&'b mut [u8]>,
    ) {
        self.session.begin_anew(service, self.cut);
        // (The NULs that it begins with may have come together.)
        self.session.begins_anew(false);
        self.reclaim(spare);
    }

    /// One step of the session. What waits and is in the way of a reply is sent, or put aside.
    fn step<S: Service<Cursor = C>>(
        &mut self,
        service: &mut S,
        shared: &mut Shared<'_, 'b>,
    ) -> Step<C> {
        let Slot {
            stream,
            session,
            ahead,
            cut,
            ..
        } = self;
        let can_wait = ahead.is_none() && shared.spare.is_some();
        let carries = stream.as_ref().is_some_and(Stream::carries_descriptors);
        let spare = &mut *shared.spare;
        let mut drain = |bytes: &[u8]| {
            let sent = match stream.as_mut().map(|stream| stream.send_now(bytes, &[])) {
                Some(Ok(sent)) => sent.unwrap_or(0),
                _ => return false,
            };
            *cut = is_cut(bytes, sent).unwrap_or(*cut);
            let rest = bytes.get(sent..).unwrap_or_default();
            if rest.is_empty() {
                return true;
            }
            let Some(buffer) = spare.take() else {
                return false;
            };
            // (It is as long as the one that they were in.)
            ahead.insert(Outbox::new(buffer)).put(rest) == rest.len()
        };
        let drain: Option<Drain<'_>> = match can_wait {
            true => Some(&mut drain),
            false => None,
        };
        let lent = Lent {
            peer: self.peer,
            pidfd: self.pidfd.as_ref(),
            descriptors: (FDS > 0 && carries).then_some(Descriptors {
                received: &mut self.received,
                attached: &mut self.attached,
            }),
            published: Some(shared.published.again()),
        };
        session.step_with(service, drain, lent)
    }

    /// Receives what is there, if there is anything: 0 bytes are the end.
    fn receive(&mut self, reading: Reading) -> Result<Option<usize>, unix::Error> {
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        if !self.session.inside_message() {
            // What comes now belongs to another message.
            self.received.clear();
        }
        let spare = self.session.spare();
        let received = stream.receive_up_to(reading, spare, &mut self.received)?;
        if let Some(count) = received {
            self.session.received(count);
        }
        Ok(received)
    }

    /// Sends what waits, as far as it can be sent now; says whether that was all.
    fn flush(&mut self, spare: &mut Option<&'b mut [u8]>) -> Result<bool, unix::Error> {
        let Some(stream) = &mut self.stream else {
            return Ok(true);
        };
        if let Some(ahead) = &mut self.ahead {
            let bytes = ahead.pending();
            let sent = stream.send_now(bytes, &[])?.unwrap_or(0);
            self.cut = is_cut(bytes, sent).unwrap_or(self.cut);
            self.progress |= sent > 0;
            ahead.sent(sent);
            if !ahead.pending().is_empty() {
                return Ok(self.stall());
            }
            *spare = self.ahead.take().map(Outbox::into_buffer);
        }
        loop {
            let bytes = self.session.pending();
            if bytes.is_empty() {
                return Ok(true);
            }
            let all = bytes.len();
            let marked = self.session.marked() == Some(true);
            let sent = match marked {
                true => send_with(stream, bytes, &self.attached)?,
                false => stream.send_now(bytes, &[])?,
            };
            let sent = sent.unwrap_or(0);
            self.cut = is_cut(bytes, sent).unwrap_or(self.cut);
            self.session.sent(sent);
            self.progress |= sent > 0;
            if marked && sent > 0 {
                self.attached.clear();
            }
            if sent < all {
                return Ok(self.stall());
            }
        }
    }

    /// Nothing more can be sent now.
    fn stall(&mut self) -> bool {
        self.wants = PollFlags::OUT | self.wants_while_owed();
        false
    }

    /// Gives the client an item, which it waits for.
    pub fn deliver(&mut self, item: &Item<'_>, spare: &mut Option<&'b mut [u8]>) {
        // What waits to be sent may only wait for its turn.
        if self.session.is_full_for(item) && !self.wants.contains(PollFlags::OUT) {
            // (What is wrong with the connection, its turn will show.)
            let _ = self.flush(spare);
        }
        self.session.deliver(item);
        self.busy = true;
        if self.session.is_dropped() && self.session.pending().is_empty() {
            self.reclaim(spare);
        }
    }

    /// Gives back the buffer that all share.
    fn reclaim(&mut self, spare: &mut Option<&'b mut [u8]>) {
        if let Some(ahead) = self.ahead.take() {
            *spare = Some(ahead.into_buffer());
        }
    }

    /// Moves bytes of another protocol.
    fn move_raw(&mut self, spare: &mut Option<&'b mut [u8]>) -> Result<Turn<C>, unix::Error> {
        let Role::Raw {
            mut ended,
            finishing,
        } = self.role
        else {
            return Ok(Turn::Over);
        };
        let found = mem::replace(&mut self.found, PollFlags::empty());
        self.busy = false;
        let gone = found.intersects(PollFlags::HUP | PollFlags::ERR);
        let mut wants = PollFlags::empty();
        // That there is room again is news.
        let mut news = !self.session.pending().is_empty();
        if !self.flush(spare)? {
            wants |= PollFlags::OUT;
            news = false;
        } else if finishing && let Some(stream) = &self.stream {
            stream.finish_sending();
        }
        let has_room = !self.session.spare().is_empty();
        if !ended && has_room && (gone || found.contains(PollFlags::IN)) {
            let received = self.receive(Reading::Freely)?;
            ended = received == Some(0);
            news |= received.is_some();
        }
        if !ended && !self.session.spare().is_empty() {
            wants |= PollFlags::IN;
        }
        if ended && finishing && wants.is_empty() && self.session.unread().is_empty() {
            return Ok(Turn::Ended(Ok(())));
        }
        self.role = Role::Raw { ended, finishing };
        self.wants = wants;
        Ok(match news {
            true => Turn::Raw,
            false => Turn::Over,
        })
    }

    /// Throws away what a peer sends that is to be told nothing more.
    fn linger(&mut self, left: usize) -> Result<Turn<C>, unix::Error> {
        self.found = PollFlags::empty();
        self.busy = false;
        let Some(stream) = &mut self.stream else {
            return Ok(Turn::Over);
        };
        let nowhere = &mut Vec::<_, 0>::new();
        match stream.receive_up_to(Reading::Freely, self.session.spare(), nowhere)? {
            Some(count) if count > 0 && count < left => {
                self.role = Role::Lingering(left.saturating_sub(count));
                Ok(Turn::Over)
            }
            None => Ok(Turn::Over),
            Some(_) => Err(unix::Error::Closed),
        }
    }

    /// Closes the connection, in such a way that what was sent arrives.
    #[inline(never)] // smaller: its variables make no frame of a caller larger
    fn hang_up(&mut self, unread: bool, shared: &mut Shared<'_, 'b>) {
        self.reclaim(shared.spare);
        self.session.restart();
        match self.stream.take() {
            Some(stream) if unread && stream.lingers() => {
                stream.finish_sending();
                self.stream = Some(stream);
                self.role = Role::Lingering(LINGER);
                self.wants = PollFlags::IN;
                self.phase = Phase::Writing;
                self.since = shared.now;
            }
            Some(stream) if unread => {
                stream.close_now(self.session.spare());
                self.free(shared.spare);
            }
            _ => self.free(shared.spare),
        }
    }

    /// Notes what the connection is doing now, and since when.
    fn settle(&mut self, now: u64) {
        let phase = match self.role {
            Role::Client if self.wants.contains(PollFlags::OUT) => Phase::Writing,
            Role::Client if self.wants.is_empty() || self.busy => Phase::Waiting,
            Role::Client if self.session.inside_message() => Phase::Message,
            Role::Client => Phase::Idle,
            Role::Raw { .. } | Role::Free => Phase::Waiting,
            Role::Lingering(_) => Phase::Writing,
        };
        if self.phase != phase || self.progress {
            self.since = now;
        }
        self.phase = phase;
        self.progress = false;
    }

    /// Whether the peer sends nothing more, of a connection that belongs to another protocol.
    pub fn raw_ended(&self) -> bool {
        matches!(self.role, Role::Raw { ended: true, .. })
    }

    /// Nothing more will be sent when what waits is sent.
    pub fn finish_raw(&mut self) {
        if let Role::Raw { finishing, .. } = &mut self.role {
            *finishing = true;
            self.busy = true;
        }
    }
}

/// Whether the first `count` bytes end inside of a message.
fn is_cut(bytes: &[u8], count: usize) -> Option<bool> {
    let last = bytes.get(count.checked_sub(1)?)?;
    Some(*last != 0)
}

/// Sends bytes, and descriptors with the first of them. (That needs a table, which others do without.)
#[inline(never)]
fn send_with<const FDS: usize>(
    stream: &mut Stream,
    bytes: &[u8],
    attached: &Vec<Descriptor, FDS>,
) -> Result<Option<usize>, unix::Error> {
    let mut borrowed = Vec::<_, FDS>::new();
    for descriptor in attached {
        // (There is as much room as in `attached`.)
        let _ = borrowed.push(descriptor.as_fd());
    }
    stream.send_now(bytes, &borrowed)
}
