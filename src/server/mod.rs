//! Many clients, one thread, one epoll(7) descriptor, no allocation.
//!
//! A [`Server`] has a fixed number of places for connections, in memory that is the program's:
//! [`Slots`]. It accepts connections, receives, has the service answer, and sends, and never waits
//! for one client: a slow, silent or hostile client costs its own place. Clients that find no place
//! wait in the kernel's queue.
//!
//! ```no_run
//! # use nullink::{Answer, Call, Info, Interface, Refusal, Responder, Service};
//! # struct Nothing;
//! # impl Service for Nothing {
//! #     const INTERFACES: &'static [Interface] = &[];
//! #     fn info(&self) -> Info<'_> { Info { vendor: "Example", ..Info::default() } }
//! #     fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Answer<'c> {
//! #         Err(Refusal::MethodNotFound)
//! #     }
//! # }
//! # let mut service = Nothing;
//! use nullink::server::{Server, Slots};
//! use nullink::unix::Listener;
//!
//! let mut slots = Slots::<8, 4096, 8192>::new(); // 8 connections, 4 KiB for a call and for a reply
//! let mut server = Server::new(Listener::bind("/run/org.example.ftl")?, &mut slots)?;
//! server.serve(&mut service)?;
//! # Ok::<(), nullink::unix::IoError>(())
//! ```
//!
//! A program that has more to do calls [`Server::step`] in a loop of its own, and is told what has
//! happened: an [`Event`]. The server can wait for other descriptors ([`Server::watch`]) and for a
//! time ([`Server::set_timer`]) as well. Or the server joins another loop: its descriptor,
//! [`AsFd`], is readable when [`Server::try_step`] has something to do.
//!
//! A handler does not have the server. What it wants of it, a timer for example, it leaves in the
//! service, and the loop sees to it after the step. Calls that are parked are woken by
//! [`Service::woken`], or by the loop: [`Server::wake`].
//!
//! ```
//! # use nullink::server::{Event, Server};
//! # use nullink::{Answer, Call, Info, Interface, Refusal, Responder, Service};
//! # struct Jobs { due: Option<u64> }
//! # impl Service<()> for Jobs {
//! #     const INTERFACES: &'static [Interface] = &[];
//! #     fn info(&self) -> Info<'_> { Info { vendor: "Example", ..Info::default() } }
//! #     fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c, ()>) -> Answer<'c, ()> {
//! #         Err(Refusal::MethodNotFound)
//! #     }
//! # }
//! # impl Jobs { fn end_due(&mut self) {} }
//! # const ENDED: u32 = 1;
//! # fn run(mut server: Server<'_, (), 8>, mut jobs: Jobs) -> Result<(), Box<dyn std::error::Error>> {
//! loop {
//!     match server.step(&mut jobs)? {
//!         Event::Timer(_) => {
//!             jobs.end_due();
//!             server.wake(ENDED);
//!         }
//!         Event::Idle => return Ok(()),
//!         _ => {}
//!     }
//!     server.set_timer(0, jobs.due)?;
//! }
//! # }
//! ```
//!
//! # Turns and buffers
//!
//! After each epoll_wait(2), every connection that is ready gets one turn: pending replies are
//! sent, what is there is received, and calls are handled, [`Limits::CALLS_PER_TURN`] at most. Then it is the next
//! one's turn. Replies are sent when no complete call is left, or when half of the send buffer is
//! full. While they cannot be sent, nothing more is received from that connection.
//!
//! A connection has a pair of buffers for its turn, and keeps it only while it has half a message,
//! calls that have to wait, or replies that are not sent. So memory is used by the connections that
//! are busy at the same time, not by those that are open.

mod accept;
mod buffers;
mod device;
mod limits;
mod places;
mod poller;
mod slot;
mod turn;
mod wait;

use heapless::Vec;
use rustix::event::epoll::EventFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use accept::Source;
use buffers::{Buffers, Carried};
pub use limits::Limits;
use places::Places;
use poller::Poller;
use slot::{Role, Slot};
use wait::Timer;

use crate::activation::Activated;
use crate::error::Error;
use crate::peer::Peer;
use crate::service::Service;
use crate::unix::{self, Listener, Stream};

const MAX_LISTENERS: usize = Limits::MAX_LISTENERS;
const MAX_TIMERS: usize = Limits::MAX_TIMERS;

/// The memory of a [`Server`]: for this many connections, with `RX` bytes to receive and `TX` bytes
/// to send. With `DESCRIPTORS`, that many file descriptors can come and go with one message, 253 at
/// most.
///
/// `RX` has to hold the longest call and its NUL. `TX` has to be twice as long as the longest reply
/// and its NUL, and twice 100 bytes longer than the longest name.
///
/// `new` is `const`: in a `static`, the memory takes no room in the file, no time to be made, and no
/// page that is never used.
#[derive(Debug)]
pub struct Slots<
    const CONNECTIONS: usize,
    const RX: usize,
    const TX: usize,
    const DESCRIPTORS: usize = 0,
> {
    receive: [[u8; RX]; CONNECTIONS],
    send: [[u8; TX]; CONNECTIONS],
    carried: [Carried<DESCRIPTORS>; CONNECTIONS],
    slots: [Slot; CONNECTIONS],
    /// What clients of a serial device send ahead.
    look_ahead: [[u8; RX]; MAX_LISTENERS],
}

impl<const CONNECTIONS: usize, const RX: usize, const TX: usize, const DESCRIPTORS: usize>
    Slots<CONNECTIONS, RX, TX, DESCRIPTORS>
{
    /// Memory that is all zero. It does not compile with an `RX` of 0.
    pub const fn new() -> Self {
        const { assert!(RX > 0, "messages have to be received into something") };
        Slots {
            receive: [[0; RX]; CONNECTIONS],
            send: [[0; TX]; CONNECTIONS],
            carried: [const { Carried::new() }; CONNECTIONS],
            slots: [const { Slot::EMPTY }; CONNECTIONS],
            look_ahead: [[0; RX]; MAX_LISTENERS],
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
    slot: u32,
    generation: u32,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<C> {
    /// A client has connected.
    Connected(Connection),
    /// A call was handled. Its reply is sent by the next steps.
    Called(Connection),
    /// A connection is over: its client has closed it, or for this reason.
    Disconnected(Connection, Result<(), Error<unix::IoError>>),
    /// A connection belongs to another protocol from now on, with the cursor of
    /// [`Upgrade::send`](crate::service::Upgrade::send). It keeps its place until the program
    /// [takes](Server::take) or [closes](Server::close) it.
    Upgraded(Connection, C),
    /// The descriptor that is [watched](Server::watch) under this number is ready.
    Ready(u32),
    /// The time of the timer with this number has come.
    Timer(u32),
    /// There has been no connection for the time of [`Limits::exit`]; or there is neither a
    /// connection nor a listener. A program that has nothing else to wait for has to end then:
    /// [`Server::step`] returns the event again at once.
    Idle,
}

/// What to wait for of a descriptor that is [watched](Server::watch).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something can be read, or it is at its end.
    Readable,
    /// Something can be written.
    Writable,
}

/// Many connections to one service: see the [module](self).
#[derive(Debug)]
pub struct Server<'b, C, const CONNECTIONS: usize, const DESCRIPTORS: usize = 0> {
    poller: Poller,
    places: Places<'b, C, CONNECTIONS>,
    buffers: Buffers<'b, DESCRIPTORS>,
    /// How many of the places that are ready have a turn before the server waits again.
    round: usize,
    /// Whose turn it is, and how many steps are left of it.
    turn: Option<u32>,
    budget: usize,
    connections: usize,
    /// How many of the places have a connection that only lingers.
    lingering: usize,
    listeners: Vec<Source<'b>, MAX_LISTENERS>,
    /// Look-ahead buffers for more devices.
    look_ahead: &'b mut [u8],
    timers: Vec<Timer, MAX_TIMERS>,
    limits: Limits,
    clock: Option<fn() -> u64>,
    hooks: Hooks,
    /// When the server has last waited.
    now: u64,
    /// No limit of a connection passes before this time.
    earliest: u64,
    /// When the last connection has ended.
    empty_since: u64,
    /// The program has been told that there will be no connection any more.
    reported_idle: bool,
    /// How many waits are left before accepting is tried again.
    backing_off: u8,
}

/// System calls that only the program can make, because they need unsafe code:
/// [`Server::set_hooks`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Hooks {
    /// Has the kernel refuse descriptors that a peer sends (`SO_PASSRIGHTS`, Linux 6.16), for
    /// sockets of a service that takes none. Without it they arrive and are closed, and the
    /// connection with them.
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
    ///
    /// # Errors
    ///
    /// If the system has no descriptor or no memory left for epoll_create1(2).
    #[inline(never)] // the copy of it that is made here does not stay on the stack
    pub fn new<const RX: usize, const TX: usize>(
        source: impl Into<Activated>,
        slots: &'b mut Slots<CONNECTIONS, RX, TX, DESCRIPTORS>,
    ) -> Result<Self, unix::IoError> {
        for carried in &mut slots.carried {
            carried.close();
        }
        let mut server = Server {
            poller: Poller::new()?,
            places: Places::new(&mut slots.slots),
            buffers: Buffers::new(&mut slots.receive, &mut slots.send, &mut slots.carried),
            round: 0,
            turn: None,
            budget: 0,
            connections: 0,
            lingering: 0,
            listeners: Vec::new(),
            look_ahead: slots.look_ahead.as_flattened_mut(),
            timers: Vec::new(),
            limits: Limits::default(),
            clock: None,
            hooks: Hooks::default(),
            now: 0,
            earliest: u64::MAX,
            empty_since: 0,
            reported_idle: false,
            backing_off: 0,
        };
        match source.into() {
            Activated::Listener(listener) => server.listen(listener)?,
            Activated::Connection(stream) => server.adopt(stream).map(drop)?,
        }
        Ok(server)
    }

    /// A server that listens at a path, or at an address: see [`Listener::bind`].
    ///
    /// # Errors
    ///
    /// Returns the error of [`Listener::bind`] or of [`new`](Self::new).
    pub fn bind<const RX: usize, const TX: usize>(
        path: &str,
        slots: &'b mut Slots<CONNECTIONS, RX, TX, DESCRIPTORS>,
    ) -> Result<Self, unix::IoError> {
        Server::new(Listener::bind(path)?, slots)
    }

    /// Accepts connections from another listener, too.
    ///
    /// # Errors
    ///
    /// [`unix::IoError::NoPlace`] if there are [`Limits::MAX_LISTENERS`]; or what epoll_ctl(2) says.
    pub fn listen(&mut self, listener: Listener) -> Result<(), unix::IoError> {
        self.refuse_descriptors(listener.pollable());
        self.add_source(listener)
    }

    /// Serves a connection that is there already.
    ///
    /// # Errors
    ///
    /// [`unix::IoError::NoPlace`] if all places are taken; or what epoll_ctl(2) says.
    pub fn adopt(&mut self, stream: Stream) -> Result<Connection, unix::IoError> {
        self.refuse_descriptors(Some(stream.as_fd()));
        let peer = stream.peer().ok().flatten();
        self.open(stream, peer, None)
    }

    /// Sets limits and timeouts.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.earliest = 0;
    }

    /// Sets the clock: milliseconds since any time, never going back. A program with `/proc` and a
    /// vdso has [`unix::monotonic`]; one that runs before brings its own.
    ///
    /// Without a clock no time passes, so that no limit and no timer ever comes.
    pub fn set_clock(&mut self, clock: fn() -> u64) {
        self.clock = Some(clock);
        self.now = clock();
        self.empty_since = self.now;
        self.earliest = 0;
        for endpoint in self.places.endpoints() {
            endpoint.restart_clock(self.now);
        }
    }

    /// Sets what the program does for the server. It is done for the listeners and connections that
    /// are there, too.
    pub fn set_hooks(&mut self, hooks: Hooks) {
        self.hooks = hooks;
        for source in &self.listeners {
            self.refuse_descriptors(source.listener.pollable());
        }
        for endpoint in self.places.endpoints() {
            if let Some(ask) = hooks.peer_pidfd {
                endpoint.pidfd = ask(endpoint.stream.as_fd());
            }
            if let (Some(refuse), 0) = (hooks.refuse_descriptors, DESCRIPTORS) {
                refuse(endpoint.stream.as_fd());
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

    /// Sets the timer with this number: [`Event::Timer`] comes in `milliseconds`, once, instead of
    /// when it was to come before. None stops it. It needs a [clock](Self::set_clock).
    ///
    /// # Errors
    ///
    /// [`unix::IoError::NoPlace`] if there are [`Limits::MAX_TIMERS`] others.
    pub fn set_timer(
        &mut self,
        number: u32,
        milliseconds: Option<u64>,
    ) -> Result<(), unix::IoError> {
        self.timers.retain(|timer| timer.number != number);
        let Some(milliseconds) = milliseconds else {
            return Ok(());
        };
        let at = self.time().saturating_add(milliseconds);
        let pushed = self.timers.push(Timer { number, at });
        pushed.map_err(|_| unix::IoError::NoPlace)
    }

    /// Has [`Event::Ready`] come with this number whenever the descriptor is ready. What makes it
    /// ready has to be dealt with before the next step, or the event comes again at once.
    ///
    /// The server keeps the number, and not the descriptor: the program keeps it open, and calls
    /// [`unwatch`](Self::unwatch) before it closes it.
    ///
    /// # Errors
    ///
    /// What epoll_ctl(2) says: `EPERM` for a regular file, `EEXIST` if it is watched already.
    pub fn watch(
        &mut self,
        descriptor: &impl AsFd,
        interest: Interest,
        number: u32,
    ) -> Result<(), unix::IoError> {
        let flags = match interest {
            Interest::Readable => EventFlags::IN,
            Interest::Writable => EventFlags::OUT,
        };
        self.poller.watch(descriptor.as_fd(), number, flags)
    }

    /// Ends what [`watch`](Self::watch) has begun.
    ///
    /// # Errors
    ///
    /// What epoll_ctl(2) says: `ENOENT` if it is not watched.
    pub fn unwatch(&mut self, descriptor: &impl AsFd) -> Result<(), unix::IoError> {
        self.poller.unwatch(descriptor.as_fd())
    }

    /// Who is at the other end of a connection, if that is known.
    pub fn peer(&self, connection: Connection) -> Option<Peer> {
        self.places.find(connection)?.peer
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// Closes a connection. Pending replies are lost. The service is told of a call whose cursor it
    /// has left.
    pub fn close<S: Service<C>>(&mut self, service: &mut S, connection: Connection) {
        if self.places.find(connection).is_some() {
            self.abandon(connection.slot, service);
            self.vacate(connection.slot);
            self.drain_wakes(service);
        }
    }

    /// Takes an upgraded connection out of the server, with what was received of the other
    /// protocol: nothing on a Unix socket, if the service says that it
    /// [upgrades](Service::UPGRADES).
    pub fn take(&mut self, connection: Connection) -> Option<(Stream, &[u8])> {
        if self.places.find(connection)?.role != Role::Upgraded {
            return None;
        }
        let endpoint = self.vacate(connection.slot)?;
        let Some(pair) = endpoint.pair else {
            return Some((endpoint.stream, &[]));
        };
        // The pair is free again. What is in it lasts until it is lent.
        let (receive, send, _) = self.buffers.get(pair);
        let channel = endpoint.channel.attach(receive, send);
        Some((endpoint.stream, channel.into_unread()))
    }

    /// Wakes the calls that are parked under a topic: the next steps
    /// [`resume`](Service::resume) them.
    ///
    /// This is for what happens in the program's own loop. A handler wakes with
    /// [`Service::woken`].
    pub fn wake(&mut self, topic: u32) {
        self.places.wake(topic);
    }

    /// Serves, until something happens that is the program's to deal with: any event but
    /// [`Connected`](Event::Connected), [`Called`](Event::Called) and
    /// [`Disconnected`](Event::Disconnected).
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub fn serve<S: Service<C>>(&mut self, service: &mut S) -> Result<Event<C>, unix::IoError> {
        loop {
            match self.step(service)? {
                Event::Connected(_) | Event::Called(_) | Event::Disconnected(_, _) => {}
                event => return Ok(event),
            }
        }
    }

    /// Waits for the next event.
    ///
    /// # Errors
    ///
    /// If epoll_wait(2) fails, or a listener does not listen. What goes wrong with a connection
    /// ends that connection. Running out of descriptors or memory ends nothing: clients wait until
    /// there are some.
    pub fn step<S: Service<C>>(&mut self, service: &mut S) -> Result<Event<C>, unix::IoError> {
        loop {
            if let Some(event) = self.next_event(service, false)? {
                return Ok(event);
            }
            self.wait(self.timeout())?;
        }
    }

    /// The next event, if there is one already: for a program that waits itself. It calls this until
    /// there is none, and then waits until the server's [descriptor](AsFd) is readable, or for
    /// [`timeout`](Self::timeout).
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub fn try_step<S: Service<C>>(
        &mut self,
        service: &mut S,
    ) -> Result<Option<Event<C>>, unix::IoError> {
        if let Some(event) = self.next_event(service, true)? {
            return Ok(Some(event));
        }
        self.wait(Some(0))?;
        self.next_event(service, true)
    }
}

impl<C, const CONNECTIONS: usize, const DESCRIPTORS: usize> AsFd
    for Server<'_, C, CONNECTIONS, DESCRIPTORS>
{
    /// The epoll(7) descriptor, which is readable when [`try_step`](Server::try_step) has
    /// something to do; see also [`timeout`](Server::timeout).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}
