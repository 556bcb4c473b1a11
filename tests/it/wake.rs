//! Parked calls and wakes, with clients that connect, read slowly, half-close and disconnect at any
//! time: no state is lost, no number is received twice or missing without a count, and every cursor
//! ends with a final reply or with `abandoned`.
#![cfg(all(feature = "unix", target_os = "linux"))]

use std::collections::{BTreeSet, VecDeque};

use nullink::server::{Event, Server, Slots};
use nullink::service::Sent;
use nullink::unix::Stream;
use nullink::{Answer, Call, Info, Interface, Refusal, Responder, Service, interface};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const RING: Interface = interface!(
    text
    "
interface org.example.ring

# All numbers from `next` on, or only the odd ones; `lost` numbers of both kinds were overwritten
method Subscribe(odd: bool) -> (next: ?int, number: ?int, lost: ?int)

# The state, and again when it has changed
method Watch() -> (state: int)

# The next number
method Wait() -> (number: int)

# Adds a number
method Add() -> ()
"
);

const NUMBERS: u32 = 1;
const STATE: u32 = 2;

/// The number of numbers that are kept: fewer than the replies that fit into a send buffer.
const KEPT: u64 = 4;

#[derive(Deserialize)]
enum Methods {
    Subscribe { odd: bool },
    Watch,
    Wait,
    Add,
}

#[derive(Serialize, Default)]
struct Report {
    next: Option<u64>,
    number: Option<u64>,
    lost: Option<u64>,
}

#[derive(Serialize)]
struct State {
    state: u64,
}

#[derive(Serialize)]
struct Waited {
    number: u64,
}

#[derive(Clone, Copy)]
struct Cursor {
    /// The number of the call.
    id: u64,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Subscribe { next: u64, odd: bool },
    Watch,
    Wait { next: u64 },
}

/// A ring of numbers, and a state.
#[derive(Default)]
struct Ring {
    next: u64,
    state: u64,
    /// The calls that have a cursor, and have neither ended nor been abandoned.
    open: BTreeSet<u64>,
    calls: u64,
    abandoned: u64,
    overwritten: u64,
    has_added: bool,
}

impl Ring {
    fn oldest(&self) -> u64 {
        self.next.saturating_sub(KEPT)
    }

    fn cursor(&mut self, kind: Kind) -> Cursor {
        self.calls += 1;
        self.open.insert(self.calls);
        let id = self.calls;
        Cursor { id, kind }
    }

    /// Records that a call has ended.
    fn end(&mut self, cursor: Cursor) {
        assert!(self.open.remove(&cursor.id), "a call ended twice");
    }
}

impl Service<Cursor> for Ring {
    const INTERFACES: &'static [Interface] = &[RING];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        let next = self.next;
        match call.decode()? {
            Methods::Subscribe { odd } => {
                let sent = reply.more()?.next(&Report {
                    next: Some(next),
                    ..Report::default()
                })?;
                sent.park(NUMBERS, self.cursor(Kind::Subscribe { next, odd }))
            }
            Methods::Watch => {
                let sent = reply.more()?.next(&State { state: self.state })?;
                sent.park(STATE, self.cursor(Kind::Watch))
            }
            Methods::Wait => reply.park(NUMBERS, self.cursor(Kind::Wait { next })),
            Methods::Add => {
                self.next += 1;
                self.has_added = true;
                reply.send(&())
            }
        }
    }

    fn resume<'c>(
        &mut self,
        mut cursor: Cursor,
        reply: Responder<'c, Cursor>,
    ) -> Answer<'c, Cursor> {
        assert!(self.open.contains(&cursor.id), "an ended call resumes");
        let oldest = self.oldest();
        match &mut cursor.kind {
            Kind::Watch => {
                let sent = reply.more()?.next(&State { state: self.state })?;
                sent.park(STATE, cursor)
            }
            Kind::Wait { next } if *next < self.next => {
                let number = *next;
                self.end(cursor);
                reply.send(&Waited { number })
            }
            Kind::Wait { .. } => reply.park(NUMBERS, cursor),
            Kind::Subscribe { next, odd } => {
                let reply = reply.more()?;
                let mut report = Report::default();
                if *next < oldest {
                    self.overwritten += 1;
                    report.lost = Some(oldest - *next);
                    *next = oldest;
                } else {
                    while *next < self.next && report.number.is_none() {
                        report.number = (!*odd || *next % 2 == 1).then_some(*next);
                        *next += 1;
                    }
                }
                let is_behind = *next < self.next;
                if report.number.or(report.lost).is_none() {
                    return reply.park(NUMBERS, cursor);
                }
                next_or_park(reply.next(&report)?, is_behind, cursor)
            }
        }
    }

    fn woken(&mut self) -> Option<u32> {
        std::mem::take(&mut self.has_added).then_some(NUMBERS)
    }

    fn failed(&mut self, error: nullink::SessionError) {
        panic!("{error}");
    }

    fn abandoned(&mut self, cursor: Cursor) {
        self.abandoned += 1;
        self.end(cursor);
    }
}

/// Parks every second call at once if it is up to date. The others park when they are resumed.
fn next_or_park<'c>(
    sent: Sent<'c, Cursor>,
    is_behind: bool,
    cursor: Cursor,
) -> Result<nullink::Outcome<'c, Cursor>, Refusal> {
    if is_behind || cursor.id.is_multiple_of(2) {
        sent.then(cursor)
    } else {
        sent.park(NUMBERS, cursor)
    }
}

/// A seeded generator: xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % limit
    }
}

/// A call of a client, and the progress of its replies.
#[derive(Debug)]
enum Expected {
    Waited,
    /// `next` is the next number, and `lost` the count of numbers reported as lost before it.
    Numbers {
        odd: bool,
        next: Option<u64>,
        lost: u64,
    },
    State(u64),
}

impl Expected {
    /// Checks a reply. Returns true if it was the final one.
    fn check(&mut self, reply: &Value) -> bool {
        let get = |name: &str| reply["parameters"][name].as_u64();
        match self {
            Expected::Waited => {
                assert!(get("number").is_some(), "{reply}");
                assert_eq!(reply.get("continues"), None);
                return true;
            }
            Expected::State(seen) => {
                let state = get("state").expect("a state");
                assert!(state >= *seen, "an older state: {state} after {seen}");
                *seen = state;
            }
            Expected::Numbers {
                next: first @ None, ..
            } => *first = get("next"),
            Expected::Numbers {
                odd,
                next: Some(next),
                lost,
            } => match get("number") {
                Some(number) => {
                    assert!(number >= *next, "{number} was received twice");
                    assert_lost(*odd, *next, number, *lost);
                    (*next, *lost) = (number + 1, 0);
                }
                None => *lost += get("lost").expect("a number, or a count"),
            },
        }
        assert_eq!(reply["continues"], true, "{reply}");
        false
    }

    /// Asserts that all replies have been received.
    fn check_end(&self, ring: &Ring) {
        match self {
            Expected::Waited => panic!("a call was not woken"),
            Expected::State(seen) => assert_eq!(*seen, ring.state, "the last state is lost"),
            Expected::Numbers { odd, next, lost } => {
                assert_lost(*odd, next.expect("a first reply"), ring.next, *lost);
            }
        }
    }
}

/// Asserts that the service has reported the numbers from `next` to before `number` as lost.
fn assert_lost(odd: bool, next: u64, number: u64, lost: u64) {
    if odd {
        let wanted = (next..number).filter(|number| number % 2 == 1).count();
        assert!(
            wanted as u64 <= lost,
            "{wanted} before {number}, not {lost}"
        );
    } else {
        assert_eq!(number - next, lost, "before {number}");
    }
}

struct Client {
    socket: OwnedFd,
    received: Vec<u8>,
    expected: VecDeque<Expected>,
}

impl Client {
    fn call(&mut self, method: &str, more: &str) {
        let call = format!("{{\"method\":\"org.example.ring.{method}\"{more}}}\0");
        let sent = send(&self.socket, call.as_bytes(), SendFlags::empty());
        assert_eq!(sent, Ok(call.len()));
    }

    /// Reads at most `limit` bytes, and checks the replies. Returns false if there were no bytes.
    fn read(&mut self, limit: usize) -> bool {
        let mut buffer = [0; 4096];
        let count = match recv(&self.socket, &mut buffer[..limit], RecvFlags::DONTWAIT) {
            Ok((_, count)) => count,
            Err(Errno::AGAIN) => return false,
            Err(errno) => panic!("{errno}"),
        };
        assert!(count > 0 || limit == 0, "closed");
        self.received.extend(&buffer[..count]);
        while let Some(end) = self.received.iter().position(|byte| *byte == 0) {
            let message: Vec<u8> = self.received.drain(..=end).collect();
            let reply = serde_json::from_slice(&message[..end]).unwrap();
            let expected = self.expected.front_mut().expect("a call");
            if expected.check(&reply) {
                self.expected.pop_front();
            }
        }
        count > 0
    }
}

const CONNECTIONS: usize = 6;

struct World {
    server: Server<'static, Cursor, CONNECTIONS>,
    ring: Ring,
    clients: Vec<Client>,
    random: Random,
}

impl World {
    fn new(seed: u64) -> Self {
        let slots = Box::leak(Box::new(Slots::<CONNECTIONS, 512, 1024>::new()));
        let (_, gone) = Stream::pair().unwrap();
        World {
            server: Server::new(gone, slots).unwrap(),
            ring: Ring::default(),
            clients: Vec::new(),
            random: Random(seed),
        }
    }

    /// Runs the server until it has nothing to do.
    fn run(&mut self) {
        loop {
            match self.server.try_step(&mut self.ring).unwrap() {
                Some(Event::Idle) => return,
                None if self.server.timeout() != Some(0) => return,
                _ => {}
            }
        }
    }

    fn connect(&mut self) {
        let (ours, theirs) = Stream::pair().unwrap();
        // The kernel uses its minimum.
        set_socket_send_buffer_size(&theirs, 1).unwrap();
        if self.server.adopt(theirs).is_err() {
            return; // All places are taken.
        }
        let mut client = Client {
            socket: ours.into(),
            received: Vec::new(),
            expected: VecDeque::new(),
        };
        if self.random.below(4) == 0 {
            client.call("Wait", r#","oneway":true"#);
        }
        if self.random.below(4) == 0 {
            client.call("Wait", "");
            client.expected.push_back(Expected::Waited);
        }
        if self.random.below(3) == 0 {
            client.call("Watch", r#","more":true"#);
            client.expected.push_back(Expected::State(0));
        } else {
            let odd = self.random.below(2) == 0;
            let parameters = format!(r#","more":true,"parameters":{{"odd":{odd}}}"#);
            client.call("Subscribe", &parameters);
            let (next, lost) = (None, 0);
            client
                .expected
                .push_back(Expected::Numbers { odd, next, lost });
        }
        self.clients.push(client);
    }

    /// Does one random action.
    fn act(&mut self) {
        let some = self.random.below(self.clients.len().max(1) as u64) as usize;
        match self.random.below(12) {
            0 | 1 => self.connect(),
            2 if some < self.clients.len() => drop(self.clients.swap_remove(some)),
            3 if some < self.clients.len() => {
                shutdown(&self.clients[some].socket, Shutdown::Write).unwrap();
            }
            4 => {
                self.ring.state += 1;
                self.server.wake(STATE);
            }
            // A wake without a new number.
            5 => self.server.wake(NUMBERS),
            6 => {
                // A new client adds a number, so that its handler must wake the other calls.
                let (ours, theirs) = Stream::pair().unwrap();
                if self.server.adopt(theirs).is_ok() {
                    let mut client = Client {
                        socket: ours.into(),
                        received: Vec::new(),
                        expected: VecDeque::new(),
                    };
                    client.call("Add", "");
                    self.run();
                }
            }
            7 | 8 => {
                self.ring.next += 1;
                self.server.wake(NUMBERS);
            }
            9 => {
                let _ = self.server.try_step(&mut self.ring).unwrap();
            }
            10 => self.run(),
            _ if some < self.clients.len() => {
                let limit = self.random.below(300) as usize;
                self.clients[some].read(limit);
            }
            _ => {}
        }
    }

    /// Lets all clients read until no more bytes arrive.
    fn settle(&mut self) {
        loop {
            self.run();
            let mut has_read = false;
            for client in &mut self.clients {
                has_read |= client.read(4096);
            }
            if !has_read {
                return;
            }
        }
    }
}

#[test]
fn l5_no_wake_is_lost_and_every_cursor_ends() {
    let (mut abandoned, mut overwritten) = (0, 0);
    for seed in 1..=200 {
        let mut world = World::new(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        for _ in 0..150 {
            world.act();
        }
        world.settle();
        for client in &world.clients {
            // Until another number is added, a call of `Wait` may be before another call.
            if client.expected.len() == 1 {
                client.expected[0].check_end(&world.ring);
            }
        }
        // A new number ends the calls of `Wait`, and the calls after them begin.
        world.ring.next += 1;
        world.server.wake(NUMBERS);
        world.settle();
        for client in &world.clients {
            assert_eq!(client.expected.len(), 1, "seed {seed}");
            client.expected[0].check_end(&world.ring);
        }
        assert_eq!(world.ring.open.len(), world.clients.len(), "seed {seed}");
        world.clients.clear();
        world.run();
        assert_eq!(world.ring.open, BTreeSet::new(), "seed {seed}");
        assert_eq!(world.server.connections(), 0);
        abandoned += world.ring.abandoned;
        overwritten += world.ring.overwritten;
    }
    // The test must have reached these cases often.
    assert!(abandoned > 1000, "only {abandoned} calls were abandoned");
    assert!(
        overwritten > 100,
        "clients were only {overwritten} times too slow"
    );
}
