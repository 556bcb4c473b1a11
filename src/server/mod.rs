//! Many clients, one thread, one poll(2), no allocation.
//!
//! A [`Server`] has a fixed number of places for connections, in memory that is the program's:
//! [`Slots`]. It takes connections, reads, lets the service answer, and writes, and never waits for
//! one client: what a slow, silent or hostile one costs is its own place. More clients than there are
//! places wait in the kernel's queue.
//!
//! ```no_run
//! # use nullink::service::{Info, Outcome, Refusal, Responder, Service};
//! # use nullink::{Call, Interface};
//! # struct Nothing;
//! # impl Service for Nothing {
//! #     type Cursor = ();
//! #     const INTERFACES: &'static [Interface] = &[];
//! #     fn info(&self) -> Info<'_> { Info { vendor: "Example", ..Info::default() } }
//! #     fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
//! #         Err(Refusal::MethodNotFound)
//! #     }
//! # }
//! # let mut service = Nothing;
//! use nullink::server::{Server, Slots};
//! use nullink::unix::Listener;
//!
//! let mut slots = Slots::<8, 4096, 4096>::new(); // 8 connections, 4 KiB each way
//! let mut server = Server::new(Listener::bind("/run/org.example.ftl")?, &mut slots);
//! server.serve(&mut service)?;
//! # Ok::<(), nullink::unix::Error>(())
//! ```
//!
//! A program that has more to do than to serve calls [`Server::step`] in a loop of its own, and is
//! told what has happened: an [`Event`]. It can have the server wait for other descriptors
//! ([`Server::watch`]) and for a time ([`Server::set_timer`]) as well. Or it waits itself, for the
//! server among others: [`Server::poll_fds`].
//!
//! A handler does not have the server. What it wants of it, a timer for example, it leaves in the
//! service, and the loop sees to it after the step:
//!
//! ```
//! # use nullink::server::{Event, Server};
//! # use nullink::service::{Info, Outcome, Refusal, Responder, Service};
//! # use nullink::{Call, Interface};
//! # struct Jobs { due: Option<u64> }
//! # impl Service for Jobs {
//! #     type Cursor = ();
//! #     const INTERFACES: &'static [Interface] = &[];
//! #     fn info(&self) -> Info<'_> { Info { vendor: "Example", ..Info::default() } }
//! #     fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
//! #         Err(Refusal::MethodNotFound)
//! #     }
//! # }
//! # impl Jobs { fn end_due(&mut self, _: &mut Server<'_, (), 8>) {} }
//! # fn run(mut server: Server<'_, (), 8>, mut jobs: Jobs) -> Result<(), Box<dyn std::error::Error>> {
//! loop {
//!     match server.step(&mut jobs)? {
//!         Event::Timer(_) => jobs.end_due(&mut server), // and publishes what has come of them
//!         Event::Idle => return Ok(()),
//!         _ => {}
//!     }
//!     server.set_timer(0, jobs.due)?;
//! }
//! # }
//! ```
//!
//! # One turn
//!
//! After each poll(2), every connection that has something to do gets one turn: what waits is sent,
//! what is there is received (once, into what is free of its buffer), and the calls in it are handled,
//! 16 of them at most; 64, if there is no other connection. Then the next has its turn. Replies are
//! sent when no complete call is left, or when their buffer is full. While they can't be sent, nothing
//! more is read from that connection, and none of its calls are handled. A stream of replies gets on in
//! the same way.

mod accept;
mod limits;
mod slot;
mod wait;

use core::{fmt, mem};

/// What poll(2) is asked, and says.
pub use rustix::event::{PollFd, PollFlags};

use heapless::Vec;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use serde::Serialize;

pub use limits::Limits;
use slot::{Role, Shared, Slot, Turn};

use crate::activation::Activated;
use crate::error::{EncodeError, Error};
use crate::peer::Peer;
use crate::service::{Published, Service, next_item};
use crate::unix::{self, Listener, Stream};

/// How many steps of a connection are made before it is the next one's turn.
const TURN: usize = 16;

/// The same, if there is no other connection: before it is looked for one.
const TURN_ALONE: usize = 64;

/// How many timers a [`Server`] has.
pub const TIMERS: usize = 8;

/// How many listeners a [`Server`] has, at most.
pub const LISTENERS: usize = 4;

/// How long to wait until descriptors may be there again, in milliseconds.
const BACK_OFF: u64 = 100;

/// How many polls to wait for that, if there is more to do than to wait.
const BACK_OFF_POLLS: u8 = 64;

/// The memory of a [`Server`]: for so many connections, `RX` bytes each to receive and `TX` bytes to
/// send, and twice `TX` that all of them share. With `DESCRIPTORS`, so many can come and go with one
/// message, 253 at most; without it there are none.
///
/// A server has as many places for descriptors that it [watches](Server::watch), [`LISTENERS`] for
/// listeners (but no more than for connections), and [`TIMERS`] for timers.
///
/// `RX` has to hold the longest call and its NUL, `TX` the longest reply and its NUL.
///
/// `new` is `const`, so that a program can have it in a `static`, where it costs no time to be made
/// and no memory until it is used.
#[derive(Debug)]
pub struct Slots<
    const CONNECTIONS: usize,
    const RX: usize,
    const TX: usize,
    const DESCRIPTORS: usize = 0,
> {
    receive: [[u8; RX]; CONNECTIONS],
    send: [[u8; TX]; CONNECTIONS],
    spare: [u8; TX],
    published: [u8; TX],
}

impl<const CONNECTIONS: usize, const RX: usize, const TX: usize, const DESCRIPTORS: usize>
    Slots<CONNECTIONS, RX, TX, DESCRIPTORS>
{
    /// Memory that is all zero.
    pub const fn new() -> Self {
        Slots {
            receive: [[0; RX]; CONNECTIONS],
            send: [[0; TX]; CONNECTIONS],
            spare: [0; TX],
            published: [0; TX],
        }
    }
}

impl<const CONNECTIONS: usize, const RX: usize, const TX: usize, const DESCRIPTORS: usize> Default
    for Slots<CONNECTIONS, RX, TX, DESCRIPTORS>
{
    fn default() -> Self {
        Slots::new()
    }
}

/// One connection of a [`Server`], as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    slot: usize,
    generation: u32,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<C> {
    /// A client has come.
    Connected(Connection),
    /// A call was handled. Its reply leaves with the next steps.
    Called(Connection),
    /// A connection is over: its client has closed it, or for this reason.
    Disconnected(Connection, Result<(), Error<unix::Error>>),
    /// A connection belongs to another protocol from now on, with what the handler has left:
    /// [`Upgrade::send`](crate::service::Upgrade::send). It is the program's, which
    /// [takes](Server::take) it out of the server; or leaves it there, and [moves](Server::raw) its
    /// bytes. Until it is taken, [closed](Server::close), or has ended on both sides, it keeps its
    /// place, and there are no limits for it.
    Upgraded(Connection, C),
    /// A connection that was left here after an upgrade has received something, or has room again, or
    /// its peer sends nothing more.
    Raw(Connection),
    /// The descriptor that is [watched](Server::watch) under this number is ready.
    Ready(u32),
    /// The time of the timer with this number has come.
    Timer(u32),
    /// There has been no connection for [so long](Limits::exit); or there will never be one again:
    /// there is no connection, and no listener to take one from. A program that has nothing else to
    /// wait for has to end then: the event would come again at once.
    Idle,
}

/// Many connections to one service: see the [module](self).
#[derive(Debug)]
pub struct Server<'b, C, const CONNECTIONS: usize, const DESCRIPTORS: usize = 0> {
    slots: Vec<Slot<'b, C, DESCRIPTORS>, CONNECTIONS>,
    listeners: Vec<Source, LISTENERS>,
    watches: [Option<Watch>; CONNECTIONS],
    timers: Vec<Timer, TIMERS>,
    limits: Limits,
    clock: Option<fn() -> u64>,
    hooks: Hooks,
    /// The buffer that all connections share: see [`Slot`].
    spare: Option<&'b mut [u8]>,
    /// What was published and not delivered, and how much of the buffer it takes.
    published: &'b mut [u8],
    used: usize,
    /// Whose turn it is, and how much of it is left.
    turn: usize,
    budget: usize,
    /// How much a turn is, since the last poll.
    steps: usize,
    /// When the last poll has returned.
    now: u64,
    /// When the last connection has ended.
    empty_since: u64,
    /// The program has been told that there will be no connection any more.
    alone: bool,
    /// There were no descriptors left: connections are not taken for a while, which is
    /// [`BACK_OFF`], or so many polls.
    backing_off: u8,
}

/// Where connections come from.
#[derive(Debug)]
struct Source {
    listener: Listener,
    /// There may be one.
    ready: bool,
}

/// A descriptor of the program's.
#[derive(Debug)]
struct Watch {
    descriptor: OwnedFd,
    flags: PollFlags,
    number: u32,
    ready: bool,
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    number: u32,
    at: u64,
}

/// What needs system calls that only the program can make, because they need unsafe code:
/// [`Server::set_hooks`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Hooks {
    /// Has the kernel refuse descriptors that a peer sends (`SO_PASSRIGHTS`, Linux 6.16), for
    /// sockets of a service that takes none. Without it they arrive, and are closed, and the connection
    /// with them.
    pub refuse_descriptors: Option<fn(BorrowedFd<'_>)>,
    /// Asks for the process at the other end (`SO_PEERPIDFD`, Linux 6.5), for
    /// [`Responder::pidfd`](crate::service::Responder::pidfd).
    pub peer_pidfd: Option<fn(BorrowedFd<'_>) -> Option<OwnedFd>>,
}

impl<'b, C: Copy, const CONNECTIONS: usize, const DESCRIPTORS: usize>
    Server<'b, C, CONNECTIONS, DESCRIPTORS>
{
    /// A server for the connections of a listener, for one connection that is there already, or for
    /// what the program was [started](crate::activation) with.
    #[inline(never)] // the copy of it that is made here does not stay on the stack
    pub fn new<const RX: usize, const TX: usize>(
        source: impl Into<Activated>,
        slots: &'b mut Slots<CONNECTIONS, RX, TX, DESCRIPTORS>,
    ) -> Self {
        let mut server = Server {
            slots: Vec::new(),
            listeners: Vec::new(),
            watches: [const { None }; CONNECTIONS],
            timers: Vec::new(),
            limits: Limits::default(),
            clock: None,
            hooks: Hooks::default(),
            spare: Some(&mut slots.spare),
            published: &mut slots.published,
            used: 0,
            turn: CONNECTIONS,
            budget: TURN,
            steps: TURN,
            now: 0,
            empty_since: 0,
            alone: false,
            backing_off: 0,
        };
        // (One by one, where they stay: a table of them would be copied.)
        for (receive, send) in slots.receive.iter_mut().zip(&mut slots.send) {
            let _ = server.slots.push(Slot::new(receive, send));
        }
        // (There is a place for one, unless there is none for anything.)
        let _ = match source.into() {
            Activated::Listener(listener) => server.listen(listener),
            Activated::Connection(stream) => server.adopt(stream).map(drop),
        };
        server
    }

    /// Takes connections from another listener, too.
    ///
    /// # Errors
    ///
    /// If there are [`LISTENERS`], or as many as places for connections.
    pub fn listen(&mut self, listener: Listener) -> Result<(), NoPlace> {
        if self.listeners.len() >= CONNECTIONS {
            return Err(NoPlace);
        }
        self.refuse_descriptors(listener.pollable());
        let ready = false;
        let pushed = self.listeners.push(Source { listener, ready });
        pushed.map_err(|_| NoPlace)
    }

    /// Serves a connection that is there already.
    ///
    /// # Errors
    ///
    /// If all places are taken.
    pub fn adopt(&mut self, stream: Stream) -> Result<Connection, NoPlace> {
        self.refuse_descriptors(Some(stream.as_fd()));
        let peer = stream.peer().ok().flatten();
        self.open(stream, peer, None)
    }

    /// Sets what the server puts up with.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Sets the clock: milliseconds since any time, never going back. A program with std has
    /// [`unix::monotonic`]; one that runs before `/proc` is there brings its own.
    ///
    /// Without a clock no time passes, so that no limit and no timer ever comes.
    pub fn set_clock(&mut self, clock: fn() -> u64) {
        self.clock = Some(clock);
        self.now = clock();
        self.empty_since = self.now;
        for slot in &mut self.slots {
            slot.start_over(self.now);
        }
    }

    /// Sets what the program does for the server. It is done for the listeners and connections that
    /// are there, too.
    pub fn set_hooks(&mut self, hooks: Hooks) {
        self.hooks = hooks;
        for source in &self.listeners {
            self.refuse_descriptors(source.listener.pollable());
        }
        for slot in &self.slots {
            self.refuse_descriptors(slot.stream.as_ref().map(AsFd::as_fd));
        }
        for slot in &mut self.slots {
            if let (Some(ask), Some(stream)) = (hooks.peer_pidfd, &slot.stream) {
                slot.pidfd = ask(stream.as_fd());
            }
        }
    }

    /// Has the kernel refuse descriptors on a socket, if nothing takes them, and the program can.
    fn refuse_descriptors(&self, socket: Option<BorrowedFd<'_>>) {
        if let (Some(refuse), 0, Some(socket)) =
            (self.hooks.refuse_descriptors, DESCRIPTORS, socket)
        {
            refuse(socket);
        }
    }

    /// Has [`Event::Timer`] come in `milliseconds`, once, with this number; instead of when it was to
    /// come before. None is never. The [clock](Self::set_clock) has to be set before.
    ///
    /// # Errors
    ///
    /// If there are [`TIMERS`] others.
    pub fn set_timer(&mut self, number: u32, milliseconds: Option<u64>) -> Result<(), NoPlace> {
        self.timers.retain(|timer| timer.number != number);
        let Some(milliseconds) = milliseconds else {
            return Ok(());
        };
        let at = self.time().saturating_add(milliseconds);
        self.timers.push(Timer { number, at }).map_err(|_| NoPlace)
    }

    /// Has [`Event::Ready`] come, with this number, each time that a poll(2) finds the descriptor
    /// ready for one of the `flags`; one that had this number before is closed. What makes it ready
    /// has to be dealt with before the next step, or it comes again at once.
    ///
    /// # Errors
    ///
    /// If there are as many as places for connections.
    pub fn watch(
        &mut self,
        descriptor: OwnedFd,
        flags: PollFlags,
        number: u32,
    ) -> Result<(), NoPlace> {
        drop(self.unwatch(number));
        let mut watches = self.watches.iter_mut();
        let place = watches.find(|watch| watch.is_none()).ok_or(NoPlace)?;
        *place = Some(Watch {
            descriptor,
            flags,
            number,
            ready: false,
        });
        Ok(())
    }

    /// The descriptor that is watched under this number.
    pub fn watched(&self, number: u32) -> Option<BorrowedFd<'_>> {
        let mut watches = self.watches.iter().flatten();
        let watch = watches.find(|watch| watch.number == number)?;
        Some(watch.descriptor.as_fd())
    }

    /// Gives the descriptor back that is watched under this number.
    pub fn unwatch(&mut self, number: u32) -> Option<OwnedFd> {
        let is = |watch: &Watch| watch.number == number;
        let mut watches = self.watches.iter_mut();
        let watch = watches.find(|watch| watch.as_ref().is_some_and(is))?;
        watch.take().map(|watch| watch.descriptor)
    }

    /// Who is at the other end of a connection, if that is known.
    pub fn peer(&self, connection: Connection) -> Option<Peer> {
        let slot = self.slots.get(connection.slot);
        slot.filter(|slot| slot.generation == connection.generation)?
            .peer
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        let used =
            |slot: &&Slot<'b, C, DESCRIPTORS>| matches!(slot.role, Role::Client | Role::Raw { .. });
        self.slots.iter().filter(used).count()
    }

    /// Closes a connection. What waits to be sent is lost; the handler of a stream is told.
    pub fn close<S>(&mut self, service: &mut S, connection: Connection)
    where
        S: Service<Cursor = C>,
    {
        if let Some(slot) = find(&mut self.slots, connection) {
            slot.session.abandon(service);
            slot.free(&mut self.spare);
            self.has_left();
        }
    }

    /// Takes a connection out of the server that belongs to another protocol, with what has been
    /// received of that protocol: nothing, if the service says that it
    /// [upgrades](Service::UPGRADES). None, while something waits to be sent.
    pub fn take(&mut self, connection: Connection) -> Option<(Stream, &[u8])> {
        let stream = find(&mut self.slots, connection)?.give_away()?;
        self.has_left();
        let slot = self.slots.get(connection.slot)?;
        Some((stream, slot.session.unread()))
    }

    /// A connection that belongs to another protocol and was left here.
    pub fn raw(&mut self, connection: Connection) -> Option<Raw<'_, 'b, C, DESCRIPTORS>> {
        let slot = find(&mut self.slots, connection)?;
        matches!(slot.role, Role::Raw { .. }).then_some(Raw { slot })
    }

    /// Sends an item to everyone who waits for the topic: see
    /// [`Responder::publish`](crate::service::Responder::publish). It is written into their send
    /// buffers, and the next step sends it; where there is no room, what waits is sent before. Only a
    /// client whose socket takes no more is [`Lagging`](crate::service::Lagging).
    ///
    /// # Errors
    ///
    /// [`EncodeError::Full`], if a send buffer does not hold it, as a reply that others follow; or if it
    /// is not a Varlink value.
    pub fn publish<P>(&mut self, topic: u32, parameters: &P) -> Result<(), EncodeError>
    where
        P: Serialize + ?Sized,
    {
        self.push(topic, false, parameters, &mut |_| true)
    }

    /// The same, but only to those whose cursor says that it is for them: the one that their handler
    /// has left when it parked the call.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub fn publish_where<P>(
        &mut self,
        topic: u32,
        parameters: &P,
        mut wanted: impl FnMut(C) -> bool,
    ) -> Result<(), EncodeError>
    where
        P: Serialize + ?Sized,
    {
        self.push(topic, false, parameters, &mut wanted)
    }

    /// The same, but it is the final reply to everyone who waits.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub fn publish_last<P>(&mut self, topic: u32, parameters: &P) -> Result<(), EncodeError>
    where
        P: Serialize + ?Sized,
    {
        self.push(topic, true, parameters, &mut |_| true)
    }

    fn push<P>(
        &mut self,
        topic: u32,
        last: bool,
        parameters: &P,
        wanted: &mut dyn FnMut(C) -> bool,
    ) -> Result<(), EncodeError>
    where
        P: Serialize + ?Sized,
    {
        let mut published = Published::new(self.published, &mut self.used);
        published.push(topic, last, parameters)?;
        self.deliver(wanted);
        Ok(())
    }

    /// Serves, until something happens that is the program's to deal with: any event but those that
    /// clients come, call and go.
    ///
    /// A service that does not upgrade is served for ever, unless the program has asked for
    /// something.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub fn serve<S>(&mut self, service: &mut S) -> Result<Event<C>, unix::Error>
    where
        S: Service<Cursor = C>,
    {
        loop {
            match self.step(service)? {
                Event::Connected(_) | Event::Called(_) | Event::Disconnected(_, _) => {}
                event => return Ok(event),
            }
        }
    }

    /// Waits for the next event. (That something is received or sent is none.)
    ///
    /// # Errors
    ///
    /// If poll(2) fails, or a listener is none. What goes wrong with a connection ends that
    /// connection. Running out of descriptors or memory ends nothing: connections wait until there
    /// are some.
    pub fn step<S>(&mut self, service: &mut S) -> Result<Event<C>, unix::Error>
    where
        S: Service<Cursor = C>,
    {
        loop {
            if let Some(event) = self.next_event(service)? {
                return Ok(event);
            }
            self.poll(None)?;
        }
    }

    /// The next event, if there is one already: for a program that waits itself.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub fn try_step<S>(&mut self, service: &mut S) -> Result<Option<Event<C>>, unix::Error>
    where
        S: Service<Cursor = C>,
    {
        if let Some(event) = self.next_event(service)? {
            return Ok(Some(event));
        }
        self.poll(Some(0))?;
        self.next_event(service)
    }

    /// The next thing that has happened since the last poll, or is to be done.
    fn next_event<S>(&mut self, service: &mut S) -> Result<Option<Event<C>>, unix::Error>
    where
        S: Service<Cursor = C>,
    {
        while let Some(slot) = self.slots.get_mut(self.turn) {
            let late = slot.deadline(&self.limits);
            if slot.has_work() || late.is_some_and(|at| at <= self.now) {
                let connection = Connection {
                    slot: self.turn,
                    generation: slot.generation,
                };
                let mut shared = Shared {
                    spare: &mut self.spare,
                    published: Published::new(self.published, &mut self.used),
                    limits: &self.limits,
                    now: self.now,
                };
                let was_device = slot.is_device();
                let turn = slot.turn(service, &mut shared, &mut self.budget);
                self.deliver(&mut |_| true);
                match turn {
                    Turn::Over => {}
                    Turn::Called => return Ok(Some(Event::Called(connection))),
                    Turn::Upgraded(cursor) => {
                        return Ok(Some(Event::Upgraded(connection, cursor)));
                    }
                    Turn::Raw => return Ok(Some(Event::Raw(connection))),
                    Turn::Ended(result) => {
                        self.has_left();
                        if was_device {
                            // It may end again as soon as it is opened.
                            self.backing_off = BACK_OFF_POLLS;
                        }
                        return Ok(Some(Event::Disconnected(connection, result)));
                    }
                }
            }
            self.turn = self.turn.saturating_add(1);
            self.budget = self.steps;
        }
        if let Some(connection) = self.accept()? {
            return Ok(Some(Event::Connected(connection)));
        }
        for watch in self.watches.iter_mut().flatten() {
            if mem::take(&mut watch.ready) {
                return Ok(Some(Event::Ready(watch.number)));
            }
        }
        let late = self.timers.iter().find(|timer| timer.at <= self.now);
        if let Some(number) = late.map(|timer| timer.number) {
            self.timers.retain(|timer| timer.number != number);
            return Ok(Some(Event::Timer(number)));
        }
        // Once, and again and again if nothing else can happen either.
        let waits = !self.timers.is_empty() || self.watches.iter().any(Option::is_some);
        let nobody = self.connections() == 0 && self.listeners.is_empty();
        let alone = nobody && !(self.alone && waits);
        self.alone = nobody;
        if alone || self.exit().is_some_and(|at| at <= self.now) {
            self.empty_since = self.now;
            return Ok(Some(Event::Idle));
        }
        Ok(None)
    }

    /// Gives what was published to everyone who waits for it, and wants it.
    fn deliver(&mut self, wanted: &mut dyn FnMut(C) -> bool) {
        let mut bytes = self.published.get(..self.used).unwrap_or_default();
        while let Some(item) = next_item(&mut bytes) {
            for slot in &mut self.slots {
                if slot.session.awaits(item.topic).is_some_and(&mut *wanted) {
                    slot.deliver(&item, &mut self.spare);
                }
            }
        }
        self.used = 0;
    }

    /// A connection is over, or the program's: there is a place again, and a descriptor.
    fn has_left(&mut self) {
        self.backing_off = 0;
        self.empty_since = self.time();
    }

    /// What the clock says.
    fn time(&self) -> u64 {
        self.clock.map_or(0, |clock| clock())
    }
}

/// The slot of a connection, while it lasts.
fn find<'s, 'b, C, const DESCRIPTORS: usize>(
    slots: &'s mut [Slot<'b, C, DESCRIPTORS>],
    connection: Connection,
) -> Option<&'s mut Slot<'b, C, DESCRIPTORS>> {
    let slot = slots.get_mut(connection.slot);
    slot.filter(|slot| slot.generation == connection.generation)
}

/// A connection that belongs to another protocol, and is still the server's to wait for:
/// [`Server::raw`].
///
/// Nothing more is received while what was received fills its buffer, and no more can be written than
/// its buffer has room for.
#[derive(Debug)]
pub struct Raw<'s, 'b, C, const DESCRIPTORS: usize = 0> {
    slot: &'s mut Slot<'b, C, DESCRIPTORS>,
}

impl<C: Copy, const DESCRIPTORS: usize> Raw<'_, '_, C, DESCRIPTORS> {
    /// What has been received and is not [consumed](Self::consume).
    pub fn unread(&self) -> &[u8] {
        self.slot.session.unread()
    }

    /// The first `count` of the [unread](Self::unread) bytes are dealt with.
    pub fn consume(&mut self, count: usize) {
        self.slot.session.consume(count);
        self.slot.busy = true;
    }

    /// Whether the peer sends nothing more.
    pub fn has_ended(&self) -> bool {
        self.slot.raw_ended()
    }

    /// Has as many of the bytes sent as there is room for, and says how many these are. When there is
    /// room again, there is an [`Event::Raw`].
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        self.slot.busy = true;
        self.slot.session.put(bytes)
    }

    /// Nothing more will be written: the peer is told when what was written is sent. When the peer
    /// sends nothing more either, and all of that is [consumed](Self::consume), the connection is over:
    /// [`Event::Disconnected`].
    pub fn finish(&mut self) {
        self.slot.finish_raw();
    }
}

/// A [`Server`] has so many places, and all are taken. What was to have one is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPlace;

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all places are taken: give the server more, or share them")
    }
}

impl core::error::Error for NoPlace {}
