//! A [`Server`] serves many connections in one thread, with one epoll(7) descriptor and without
//! allocation.
//!
//! It accepts connections, receives calls, has a [`Service`] answer them, and sends the replies.
//! The program supplies its memory, which has a fixed number of places for connections: [`Slots`].
//! The server never waits for one client, so a slow, silent or hostile client takes up only its own
//! place. Clients that find no free place wait in the kernel's queue.
//!
//! This program serves a countdown to several subscribers. It has its own loop: a timer counts
//! down, each line that is typed on the terminal adds a minute, and the program ends after 30
//! seconds without a client. A program that needs no loop calls [`Server::serve`].
//!
//! ```no_run
//! use std::mem;
//! use std::time::Duration;
//!
//! use nullink::server::{Event, Interest, Limits, Server, Slots};
//! use nullink::{Answer, Call, Info, Interface, Responder, Service, interface, unix};
//! use rustix::fs::{Mode, OFlags, open};
//! use serde::{Deserialize, Serialize};
//!
//! const COUNTDOWN: Interface = interface!(text "
//! interface org.example.countdown
//!
//! method Watch() -> (seconds: int)
//! method Set(seconds: int) -> ()
//! ");
//!
//! #[derive(Deserialize)]
//! enum Methods {
//!     Watch, // replies at once, and again after each change
//!     Set { seconds: u32 },
//! }
//!
//! #[derive(Serialize)]
//! struct Remaining {
//!     seconds: u32,
//! }
//!
//! /// The topic of the parked `Watch` calls.
//! const TOPIC: u32 = 0;
//! /// The number of the timer, and its period in milliseconds.
//! const TICK: u32 = 0;
//! const PERIOD: u64 = 1000;
//! /// The number of the watched terminal.
//! const TERMINAL: u32 = 0;
//!
//! struct Countdown {
//!     seconds: u32,
//!     is_changed: bool,
//! }
//!
//! /// A cursor holds the seconds that its client was sent last.
//! impl Service<u32> for Countdown {
//!     const INTERFACES: &'static [Interface] = &[COUNTDOWN];
//!
//!     fn info(&self) -> Info<'_> {
//!         Info::new("Example", "Countdown", "1", "https://example.org")
//!     }
//!
//!     fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, u32>) -> Answer<'c, u32> {
//!         let Countdown { seconds, .. } = *self;
//!         match call.decode()? {
//!             Methods::Watch => reply.more()?.next(&Remaining { seconds })?.park(TOPIC, seconds),
//!             Methods::Set { seconds } => {
//!                 self.seconds = seconds;
//!                 self.is_changed = true;
//!                 reply.send(&())
//!             }
//!         }
//!     }
//!
//!     /// Called for each parked `Watch` call after its topic was woken.
//!     fn resume<'c>(&mut self, sent: u32, reply: Responder<'c, u32>) -> Answer<'c, u32> {
//!         let Countdown { seconds, .. } = *self;
//!         if seconds == sent {
//!             return reply.park(TOPIC, sent);
//!         }
//!         reply.more()?.next(&Remaining { seconds })?.park(TOPIC, seconds)
//!     }
//!
//!     /// Called after each handler: the topic to wake, if any.
//!     fn woken(&mut self) -> Option<u32> {
//!         mem::take(&mut self.is_changed).then_some(TOPIC)
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut slots = Slots::<8, 1024, 1024>::new(); // 8 clients, 1 KiB for a call, 512 bytes for a reply
//!     let mut server = Server::bind("/run/org.example.countdown", &mut slots)?;
//!     server.set_clock(unix::monotonic);
//!     server.set_limits(Limits {
//!         exit: Some(Duration::from_secs(30)), // without clients
//!         ..Limits::default()
//!     })?;
//!     let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
//!     let terminal = open("/dev/tty", flags, Mode::empty()).map_err(|error| error.to_string())?;
//!     server.watch(&terminal, Interest::Readable, TERMINAL)?;
//!     server.set_timer(TICK, Some(PERIOD))?;
//!
//!     let mut countdown = Countdown { seconds: 60, is_changed: false };
//!     loop {
//!         match server.step(&mut countdown)? {
//!             Event::Timer(TICK) => {
//!                 countdown.seconds = countdown.seconds.saturating_sub(1);
//!                 server.wake(TOPIC);
//!                 server.set_timer(TICK, Some(PERIOD))?;
//!             }
//!             // Each line from the terminal adds a minute.
//!             Event::Ready(TERMINAL) => match rustix::io::read(&terminal, &mut [0; 256]) {
//!                 Ok(1..) => {
//!                     countdown.seconds = countdown.seconds.saturating_add(60);
//!                     server.wake(TOPIC);
//!                 }
//!                 Ok(0) | Err(_) => server.unwatch(&terminal)?,
//!             },
//!             Event::Idle => return Ok(()),
//!             _ => {}
//!         }
//!     }
//! }
//! ```
//!
//! # Events
//!
//! [`Server::step`] waits for the next [`Event`]. [`Server::serve`] returns only events that the
//! program must handle, so it skips [`Event::Connected`], [`Event::Called`] and
//! [`Event::Disconnected`]. A server can also be part of another event loop: when its descriptor
//! ([`AsFd`]) is readable, or after [`Server::timeout`], the program calls [`Server::try_step`]
//! until that returns None.
//!
//! A handler cannot access the server. If it needs a timer, for example, it stores the request in
//! the service, and the loop sets the timer after the step. A handler wakes parked calls with
//! [`Service::woken`], the loop wakes them with [`Server::wake`].
//!
//! With the feature `std`, [`Server::watch`] takes std's types, such as `std::fs::File`.
//!
//! # Turns and buffers
//!
//! After each epoll_wait(2), every ready connection gets one turn: the server sends its pending
//! replies, receives, and handles at most [`Limits::CALLS_PER_TURN`] of its calls. It sends the new
//! replies when no complete call is left, or when half of the send buffer is full. While they
//! cannot be sent, it receives nothing from that connection.
//!
//! A connection has a pair of buffers for its turn. Between turns it keeps them only while they
//! hold a part of a message, waiting calls, or unsent replies. So the memory in use depends on how
//! many connections are busy at the same time, and not on how many are open.
//!
//! # Limits
//!
//! All [`Limits`] and timeouts are off by default. A server whose clients are not trusted should
//! set at least `per_user`, `message` and `write`. Timeouts and timers need a clock. Without the
//! feature `std`, the program sets it: [`Server::set_clock`]. The sizes of [`Slots`] limit the number of connections and the lengths of
//! messages.

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
use wait::{CLOCK, Timer};

use crate::activation::Activated;
use crate::error::Error;
use crate::peer::Peer;
use crate::service::Service;
use crate::unix::{self, Listener, Stream};

const MAX_LISTENERS: usize = Limits::MAX_LISTENERS;
const MAX_TIMERS: usize = Limits::MAX_TIMERS;

/// The memory of a [`Server`]: places for connections, each with a receive buffer of `RX` bytes and
/// a send buffer of `TX` bytes.
///
/// `RX` must hold the longest call and its NUL. Half of `TX` must hold the longest reply and its
/// NUL, and 100 bytes in addition to the longest method name of a call, which standard errors
/// contain. The connection of a call with a longer name is closed. `DESCRIPTORS` is the maximum number of
/// file descriptors that are sent or received with one message, up to 253.
///
/// The size is `CONNECTIONS * (RX + TX + 12 * DESCRIPTORS + 400) + 4 * RX` bytes at most: two
/// buffers, descriptors and a record for each place, and a look-ahead buffer for each of the 4
/// possible serial devices. 8 places with 4 and 8 KiB take 115 KiB, 64 places with 128 KiB each way
/// take 16.5 MiB.
///
/// Use a `static` if that is more than a part of the stack. `Box::new(Slots::new())` is no help,
/// because debug builds make the value on the stack first. `new` is `const`, so the memory of a
/// static takes no space in the program's file and no time to initialize, and unused pages are never
/// touched. A mutex makes it writable, for one server at a time, without unsafe code:
///
/// ```
/// # use nullink::service::{Answer, Info, Refusal, Responder};
/// # use nullink::{Call, Interface, Service};
/// # struct Nothing;
/// # impl Service for Nothing {
/// #     const INTERFACES: &'static [Interface] = &[];
/// #     fn info(&self) -> Info<'_> { Info::default() }
/// #     fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Answer<'c> { Err(Refusal::MethodNotFound) }
/// # }
/// use std::sync::Mutex;
///
/// use nullink::{Server, Slots, unix};
///
/// static SLOTS: Mutex<Slots<64, { 128 * 1024 }, { 128 * 1024 }>> = Mutex::new(Slots::new());
///
/// let mut slots = SLOTS.lock()?;
/// # let path = format!("unix:@org.example.slots-{}", std::process::id());
/// # let path = path.as_str();
/// let mut server = Server::bind(path, &mut *slots)?; // `path` is a `&str`
/// # server.settle(&mut Nothing)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A program without std can use any other safe cell, or `Memory` of
/// `examples/freestanding/src/start.rs`.
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
    /// The look-ahead buffers of serial devices.
    look_ahead: [[u8; RX]; MAX_LISTENERS],
}

impl<const CONNECTIONS: usize, const RX: usize, const TX: usize, const DESCRIPTORS: usize>
    Slots<CONNECTIONS, RX, TX, DESCRIPTORS>
{
    /// Returns memory that is all zero. An `RX` of 0 does not compile.
    pub const fn new() -> Self {
        const { assert!(RX > 0, "the receive buffer must not be empty") };
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

/// Identifies one connection of a [`Server`], for as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    slot: u32,
    generation: u32,
}

/// An event of a [`Server`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<C> {
    /// A client has connected.
    Connected(Connection),
    /// A call was handled. Its reply is sent before the server waits again.
    Called(Connection),
    /// A connection has ended: its client has closed it, or it has failed with this error. Errors
    /// other than those of the stream were also passed to
    /// [`Service::failed`].
    Disconnected(Connection, Result<(), Error<unix::IoError>>),
    /// A connection was upgraded to another protocol. The cursor is that of
    /// [`Upgrade::send`](crate::service::Upgrade::send). The connection keeps its place until the
    /// program [takes](Server::take) or [closes](Server::close) it.
    Upgraded(Connection, C),
    /// The descriptor that is [watched](Server::watch) with this number is ready.
    Ready(u32),
    /// The [timer](Server::set_timer) with this number has expired.
    Timer(u32),
    /// There was no connection for the time of [`Limits::exit`], or there is neither a connection
    /// nor a listener. In the second case, a program without timers and watched descriptors must
    /// end, because [`Server::step`] returns this event again at once.
    Idle,
}

/// The condition under which a [watched](Server::watch) descriptor is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// A read does not block, because there is data or the end of file.
    Readable,
    /// A write does not block.
    Writable,
}

/// Serves many connections in one thread: see the [module](self).
///
/// The size is `1400 + CONNECTIONS * size_of::<State<C>>()` bytes at most, with the
/// [`State`](crate::service::State) of each connection: 42 KB on the stack for 1000 places and a
/// cursor `C` of up to 8 bytes. The rest is in the [`Slots`].
#[derive(Debug)]
pub struct Server<'b, C, const CONNECTIONS: usize, const DESCRIPTORS: usize = 0> {
    poller: Poller,
    places: Places<'b, C, CONNECTIONS>,
    buffers: Buffers<'b, DESCRIPTORS>,
    /// The number of ready places that still get a turn before the server waits again.
    round: usize,
    /// The place of the connection that has its turn, and the number of steps left in that turn.
    current: Option<u32>,
    budget: usize,
    connections: usize,
    /// The number of places with a lingering connection. `connections` does not count these.
    lingering: usize,
    listeners: Vec<Source<'b>, MAX_LISTENERS>,
    /// The unused look-ahead buffers, for further devices.
    look_ahead: &'b mut [u8],
    timers: Vec<Timer, MAX_TIMERS>,
    limits: Limits,
    clock: Option<fn() -> u64>,
    hooks: Hooks,
    /// The time at the end of the last wait, in milliseconds.
    now: u64,
    /// A time before which no connection times out.
    next_deadline: u64,
    /// The time at which the last connection ended.
    empty_since: u64,
    /// True if [`Event::Idle`] has told the program that there can be no further connections.
    reported_idle: bool,
    /// The number of waits left before the server accepts again.
    backing_off: u8,
}

/// System calls that the program makes for the server, because they need unsafe code:
/// [`Server::set_hooks`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Hooks {
    /// Makes the kernel refuse descriptors that a peer sends (`SO_PASSRIGHTS`, Linux 6.16). It is
    /// called if `DESCRIPTORS` is 0. Without this hook, received descriptors are closed, and so is
    /// their connection.
    pub refuse_descriptors: Option<fn(BorrowedFd<'_>)>,
    /// Returns a pidfd of the process at the other end (`SO_PEERPIDFD`, Linux 6.5), for
    /// [`Responder::pidfd`](crate::service::Responder::pidfd).
    pub peer_pidfd: Option<fn(BorrowedFd<'_>) -> Option<OwnedFd>>,
}

impl<'b, C: Copy, const CONNECTIONS: usize, const DESCRIPTORS: usize>
    Server<'b, C, CONNECTIONS, DESCRIPTORS>
{
    /// Creates a server from a listener, from a connection that already exists, or from the socket
    /// that the program was [started](crate::activation) with.
    ///
    /// # Errors
    ///
    /// Fails if epoll_create1(2) or epoll_ctl(2) fails: the system has no descriptors or no memory
    /// left.
    #[inline(always)] // otherwise the server is built on the stack once more, and copied
    pub fn new<const RX: usize, const TX: usize>(
        source: impl Into<Activated>,
        slots: &'b mut Slots<CONNECTIONS, RX, TX, DESCRIPTORS>,
    ) -> Result<Self, unix::IoError> {
        // An earlier server that was forgotten has left its connections and descriptors. It had no
        // more pairs of buffers than places.
        let used = places::empty(&mut slots.slots);
        slots.carried.iter_mut().take(used).for_each(Carried::close);
        let now = CLOCK.map_or(0, |clock| clock());
        let mut server = Server {
            poller: Poller::new()?,
            places: Places::new(&mut slots.slots),
            buffers: Buffers::new(&mut slots.receive, &mut slots.send, &mut slots.carried),
            round: 0,
            current: None,
            budget: 0,
            connections: 0,
            lingering: 0,
            listeners: Vec::new(),
            look_ahead: slots.look_ahead.as_flattened_mut(),
            timers: Vec::new(),
            limits: Limits::default(),
            clock: CLOCK,
            hooks: Hooks::default(),
            now,
            next_deadline: u64::MAX,
            empty_since: now,
            reported_idle: false,
            backing_off: 0,
        };
        match source.into() {
            Activated::Listener(listener) => server.listen(listener)?,
            Activated::Connection(stream) => server.adopt(stream).map(drop)?,
        }
        Ok(server)
    }

    /// Creates a server that listens at a path or an address: see [`Listener::bind`].
    ///
    /// # Errors
    ///
    /// Returns the error of [`Listener::bind`] or of [`new`](Self::new).
    #[inline(always)] // like `new`
    pub fn bind<const RX: usize, const TX: usize>(
        path: &str,
        slots: &'b mut Slots<CONNECTIONS, RX, TX, DESCRIPTORS>,
    ) -> Result<Self, unix::IoError> {
        Server::new(Listener::bind(path)?, slots)
    }

    /// Adds a listener.
    ///
    /// # Errors
    ///
    /// Returns [`unix::IoError::NoPlace`] if there are already [`Limits::MAX_LISTENERS`] listeners.
    /// Fails if epoll_ctl(2) fails.
    pub fn listen(&mut self, listener: Listener) -> Result<(), unix::IoError> {
        self.refuse_descriptors(listener.pollable());
        self.add_source(listener)
    }

    /// Adds a connection that already exists.
    ///
    /// # Errors
    ///
    /// Returns [`unix::IoError::NoPlace`] if all places are taken. Fails if epoll_ctl(2) fails.
    pub fn adopt(&mut self, stream: Stream) -> Result<Connection, unix::IoError> {
        self.refuse_descriptors(Some(stream.as_fd()));
        let peer = stream.peer().ok().flatten();
        self.open(stream, peer, None)
    }

    /// Sets limits and timeouts.
    ///
    /// # Errors
    ///
    /// Returns [`unix::IoError::NoClock`] if a limit is a time and there is no
    /// [clock](Self::set_clock). Then the limits stay as they are.
    pub fn set_limits(&mut self, limits: Limits) -> Result<(), unix::IoError> {
        if self.clock.is_none() && limits.needs_clock() {
            return Err(unix::IoError::NoClock);
        }
        self.limits = limits;
        self.next_deadline = 0;
        Ok(())
    }

    /// Sets the clock, which returns the milliseconds since any fixed time and never goes back.
    ///
    /// With the feature `std`, the server has a clock, which this replaces. Otherwise it has none,
    /// and this must be called before timers and timeouts are set. A program with `/proc` and a vdso
    /// can use [`unix::monotonic`]. One that runs before `/proc` is mounted supplies its own clock.
    pub fn set_clock(&mut self, clock: fn() -> u64) {
        self.clock = Some(clock);
        self.now = clock();
        self.empty_since = self.now;
        self.next_deadline = 0;
        for endpoint in self.places.endpoints() {
            endpoint.restart_clock(self.now);
        }
    }

    /// Sets the system calls that the program makes for the server, and makes them for all existing
    /// listeners and connections.
    pub fn set_hooks(&mut self, hooks: Hooks) {
        self.hooks = hooks;
        for source in &self.listeners {
            self.refuse_descriptors(source.listener.pollable());
        }
        for endpoint in self.places.endpoints() {
            if let Some(peer_pidfd) = hooks.peer_pidfd {
                endpoint.pidfd = peer_pidfd(endpoint.stream.as_fd());
            }
            if let (Some(refuse), 0) = (hooks.refuse_descriptors, DESCRIPTORS) {
                refuse(endpoint.stream.as_fd());
            }
        }
    }

    /// Makes the kernel refuse descriptors on a socket, if the service takes none and the program
    /// has set the hook.
    fn refuse_descriptors(&self, socket: Option<BorrowedFd<'_>>) {
        if let (Some(refuse), 0, Some(socket)) =
            (self.hooks.refuse_descriptors, DESCRIPTORS, socket)
        {
            refuse(socket);
        }
    }

    /// Sets or stops a timer. [`Event::Timer`] is returned once, after `milliseconds`. This
    /// replaces an earlier timer with the same number; None only stops it.
    ///
    /// # Errors
    ///
    /// Returns [`unix::IoError::NoPlace`] if there are already [`Limits::MAX_TIMERS`] others, and
    /// [`unix::IoError::NoClock`] if there is no [clock](Self::set_clock).
    pub fn set_timer(
        &mut self,
        number: u32,
        milliseconds: Option<u64>,
    ) -> Result<(), unix::IoError> {
        self.timers.retain(|timer| timer.number != number);
        let Some(milliseconds) = milliseconds else {
            return Ok(());
        };
        let clock = self.clock.ok_or(unix::IoError::NoClock)?;
        let deadline = clock().saturating_add(milliseconds);
        let pushed = self.timers.push(Timer { number, deadline });
        pushed.map_err(|_| unix::IoError::NoPlace)
    }

    /// Watches a descriptor: [`Event::Ready`] with this number is returned while it is ready. The
    /// program must read or write before the next step, or that returns the event again.
    ///
    /// The server stores only the number. The program keeps the descriptor open, and calls
    /// [`unwatch`](Self::unwatch) before it closes the descriptor.
    ///
    /// # Errors
    ///
    /// Fails if epoll_ctl(2) fails: with `EPERM` for a regular file, with `EEXIST` if the
    /// descriptor is already watched.
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

    /// Stops watching a descriptor.
    ///
    /// # Errors
    ///
    /// Fails if epoll_ctl(2) fails: with `ENOENT` if the descriptor is not watched.
    pub fn unwatch(&mut self, descriptor: &impl AsFd) -> Result<(), unix::IoError> {
        self.poller.unwatch(descriptor.as_fd())
    }

    /// Returns the peer of a connection, if it is known.
    pub fn peer(&self, connection: Connection) -> Option<Peer> {
        self.places.find(connection)?.peer
    }

    /// Returns the number of connections.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// Closes a connection. Pending replies are lost. If the service has left a cursor, it is
    /// passed to [`Service::abandoned`].
    pub fn close<S: Service<C>>(&mut self, service: &mut S, connection: Connection) {
        if self.places.find(connection).is_some() {
            self.abandon(connection.slot, service);
            self.vacate(connection.slot);
            if S::SENSITIVE {
                self.buffers.erase_free();
            }
            self.drain_wakes(service);
        }
    }

    /// Takes an upgraded connection out of the server. Returns its stream, and the bytes of the
    /// other protocol that were already received. On a Unix socket there are none, if
    /// [`Service::UPGRADES`] is true. Returns None if the connection was not upgraded.
    pub fn take(&mut self, connection: Connection) -> Option<(Stream, &[u8])> {
        if self.places.find(connection)?.role != Role::Upgraded {
            return None;
        }
        let endpoint = self.vacate(connection.slot)?;
        // The pair is free again. Its content stays until it is lent to another connection.
        let pair = endpoint.pair.and_then(|pair| self.buffers.get(pair));
        let Some((receive, send, _)) = pair else {
            return Some((endpoint.stream, &[]));
        };
        let channel = endpoint.channel.attach(receive, send);
        Some((endpoint.stream, channel.into_unread()))
    }

    /// Wakes the calls that are parked under a topic. The next steps [`resume`](Service::resume)
    /// them.
    ///
    /// This is for changes in the program's own loop. For changes in a handler, implement
    /// [`Service::woken`].
    pub fn wake(&mut self, topic: u32) {
        self.places.wake(topic);
    }

    /// Serves until there is an event that the program must handle. Skips
    /// [`Connected`](Event::Connected), [`Called`](Event::Called) and
    /// [`Disconnected`](Event::Disconnected). So it does not return in a program without timers,
    /// watched descriptors, upgrades and [`Limits::exit`].
    ///
    /// To stop a server from elsewhere, [`watch`](Self::watch) a descriptor, such as the end of a
    /// pipe or a signalfd(2), and leave the loop when it is ready. `examples/helper.rs` does so.
    ///
    /// # Errors
    ///
    /// Like [`step`](Self::step).
    pub fn serve<S: Service<C>>(&mut self, service: &mut S) -> Result<Event<C>, unix::IoError> {
        loop {
            match self.step(service)? {
                Event::Connected(_) | Event::Called(_) | Event::Disconnected(_, _) => {}
                event => return Ok(event),
            }
        }
    }

    /// Serves until the next event, and returns it. Waits as long as there is none, even if nothing
    /// is left to do: tests call [`settle`](Self::settle) instead.
    ///
    /// # Errors
    ///
    /// Fails if epoll_wait(2) fails, or if a listener's descriptor does not listen. An error of a
    /// connection only ends that connection. If the system runs out of descriptors or memory, new
    /// clients wait until it has some.
    pub fn step<S: Service<C>>(&mut self, service: &mut S) -> Result<Event<C>, unix::IoError> {
        loop {
            if let Some(event) = self.next_event(service, false)? {
                return Ok(event);
            }
            self.wait(self.timeout())?;
        }
    }

    /// Serves without waiting. Returns the next event, or None if there is none yet.
    ///
    /// This is for a program with its own event loop. It calls this until it returns None, and then
    /// waits until the server's [descriptor](AsFd) is readable, at most for
    /// [`timeout`](Self::timeout).
    ///
    /// # Errors
    ///
    /// Like [`step`](Self::step).
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

    /// Serves without waiting until there is nothing left to do, and returns None; or until there
    /// is an event that the program must handle. Skips the same events as [`serve`](Self::serve).
    ///
    /// This is for tests: one thread is the server and its clients, and none of them blocks. A
    /// client [queues](crate::Client::queue) and [flushes](crate::Client::flush) its call, the
    /// server settles, and the client receives its replies. Those of one turn must fit into the
    /// buffer of the socket; the server sends others when it settles again.
    ///
    /// ```
    /// use std::mem;
    ///
    /// use nullink::server::{Server, Slots};
    /// use nullink::{Answer, Call, Client, Info, Interface, Method, Mode, NoError, Responder};
    /// use nullink::{Service, interface, unix};
    /// use serde::{Deserialize, Serialize};
    ///
    /// const LAMP: Interface = interface!(text "
    /// interface org.example.lamp
    ///
    /// method Fade(from: int) -> (level: int)
    /// method Wait() -> (level: int)
    /// method Set(level: int) -> ()
    /// ");
    ///
    /// #[derive(Deserialize)]
    /// enum Methods {
    ///     Fade { from: u32 },   // a stream: one reply for each level down to 0
    ///     Wait,                 // parked until the level is set
    ///     Set { level: u32 },
    /// }
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Level {
    ///     level: u32,
    /// }
    ///
    /// #[derive(Default)]
    /// struct Lamp {
    ///     level: u32,
    ///     is_changed: bool,
    /// }
    ///
    /// #[derive(Clone, Copy, Debug)]
    /// enum Cursor {
    ///     Fade(u32),
    ///     Wait,
    /// }
    ///
    /// impl Service<Cursor> for Lamp {
    ///     const INTERFACES: &'static [Interface] = &[LAMP];
    ///
    ///     fn info(&self) -> Info<'_> {
    ///         Info::default()
    ///     }
    ///
    ///     fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
    ///         match call.decode()? {
    ///             Methods::Fade { from } => self.resume(Cursor::Fade(from), reply),
    ///             Methods::Wait => reply.park(0, Cursor::Wait),
    ///             Methods::Set { level } => {
    ///                 (self.level, self.is_changed) = (level, true);
    ///                 reply.send(&())
    ///             }
    ///         }
    ///     }
    ///
    ///     fn resume<'c>(&mut self, cursor: Cursor, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
    ///         match cursor {
    ///             Cursor::Fade(0) => reply.send(&Level { level: 0 }),
    ///             Cursor::Fade(level) => reply.more()?.next(&Level { level })?.then(Cursor::Fade(level - 1)),
    ///             Cursor::Wait => reply.send(&Level { level: self.level }),
    ///         }
    ///     }
    ///
    ///     fn woken(&mut self) -> Option<u32> {
    ///         mem::take(&mut self.is_changed).then_some(0)
    ///     }
    /// }
    ///
    /// // What the clients call.
    /// #[derive(Serialize)]
    /// struct Fade {
    ///     from: u32,
    /// }
    ///
    /// #[derive(Serialize)]
    /// struct Wait {}
    ///
    /// impl Method for Fade {
    ///     const NAME: &'static str = "org.example.lamp.Fade";
    ///     type Output<'r> = Level;
    ///     type Error<'r> = NoError;
    /// }
    ///
    /// impl Method for Wait {
    ///     const NAME: &'static str = "org.example.lamp.Wait";
    ///     type Output<'r> = Level;
    ///     type Error<'r> = NoError;
    /// }
    ///
    /// // #[test]
    /// fn a_lamp_fades_and_tells_its_level() -> Result<(), Box<dyn std::error::Error>> {
    ///     let mut slots = Slots::<2, 256, 512>::new();
    ///     let (end, first) = unix::Stream::pair()?;
    ///     let mut server = Server::new(end, &mut slots)?;
    ///     let (end, second) = unix::Stream::pair()?;
    ///     server.adopt(end)?;
    ///     let mut lamp = Lamp::default();
    ///     let (mut receive, mut send) = ([0; 256], [0; 256]);
    ///     let mut fading = Client::new(first, &mut receive, &mut send);
    ///     let (mut receive, mut send) = ([0; 256], [0; 256]);
    ///     let mut waiting = Client::new(second, &mut receive, &mut send);
    ///
    ///     // A stream.
    ///     fading.queue(&Fade { from: 2 }, Mode::More)?;
    ///     fading.flush()?;
    ///     server.settle(&mut lamp)?;
    ///     let mut replies = fading.replies::<Fade>()?;
    ///     for expected in [2, 1, 0] {
    ///         let reply = replies.next().map_err(|error| error.to_string())?;
    ///         assert_eq!(reply.map(|reply| reply.level), Some(expected));
    ///     }
    ///
    ///     // A parked call. The change is made in the program's own loop, so that wakes it.
    ///     waiting.queue(&Wait {}, Mode::Simple)?;
    ///     waiting.flush()?;
    ///     server.settle(&mut lamp)?;
    ///     lamp.level = 5;
    ///     server.wake(0);
    ///     server.settle(&mut lamp)?;
    ///     let reply = waiting.receive::<Wait>().map_err(|error| error.to_string())?;
    ///     assert_eq!(reply.level, 5);
    ///     Ok(())
    /// }
    /// # a_lamp_fades_and_tells_its_level().unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// Like [`step`](Self::step).
    pub fn settle<S: Service<C>>(
        &mut self,
        service: &mut S,
    ) -> Result<Option<Event<C>>, unix::IoError> {
        let mut is_settled = false;
        loop {
            match self.next_event(service, true)? {
                Some(Event::Connected(_) | Event::Called(_) | Event::Disconnected(_, _)) => {
                    is_settled = false;
                }
                // The time has passed in the last wait, so a timer may have expired.
                None if !is_settled => {
                    self.wait(Some(0))?;
                    let has_client = self.listeners.iter().any(|source| source.is_ready);
                    is_settled = self.places.ready() == 0 && !has_client;
                }
                event => return Ok(event),
            }
        }
    }
}

impl<C, const CONNECTIONS: usize, const DESCRIPTORS: usize> AsFd
    for Server<'_, C, CONNECTIONS, DESCRIPTORS>
{
    /// Returns the epoll(7) descriptor. It is readable when [`try_step`](Server::try_step) has work
    /// to do; see also [`timeout`](Server::timeout).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}
