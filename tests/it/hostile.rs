//! A server of many connections, and hostile clients.
//!
//! The thread of a test makes the steps of the server until it would wait, like a program with its
//! own poll loop. A server that spins never comes to rest, so the tests do not depend on speed.
//! These tests start no process: until its execve(2), it would keep descriptors open that a test
//! closes. `tests/attack.rs` runs servers in separate processes.
#![cfg(all(feature = "unix", target_os = "linux"))]

use crate::room_service;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use nullink::server::{Event, Limits, Server, Slots};
use nullink::unix::Listener;
use room_service::{Cursor, Room, TOPIC, Told};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketType, connect, recv, send,
    shutdown, socket,
};

const RX: usize = 1024;
const TX: usize = 2048;

const PING: &str = r#"{"method":"org.example.room.Ping","parameters":{"ping":"x"}}"#;
const PONG: &str = r#"{"parameters":{"pong":"x"}}"#;
const PIPE: &str = r#"{"method":"org.example.room.Pipe","upgrade":true}"#;

fn method(name: &str, parameters: &str) -> String {
    format!(r#"{{"method":"org.example.room.{name}","parameters":{parameters}}}"#)
}

fn more(name: &str, parameters: &str) -> String {
    format!(r#"{{"method":"org.example.room.{name}","more":true,"parameters":{parameters}}}"#)
}

/// Returns a unique path.
fn path() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("nullink-hostile-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    path.to_str().expect("text").to_owned()
}

/// A server whose steps the test makes.
struct Stage<'b, const N: usize> {
    server: Server<'b, Cursor, N>,
    room: Room,
    told: Receiver<Told>,
    path: String,
    /// The port of a TCP socket that the server listens on in addition to the path.
    port: u16,
}

impl<'b, const N: usize> Stage<'b, N> {
    fn new<const R: usize>(slots: &'b mut Slots<N, R, TX>) -> Self {
        let path = path();
        let mut server = Server::new(Listener::bind(&path).unwrap(), slots).unwrap();
        let tcp = Listener::bind("tcp:127.0.0.1:0").unwrap();
        let port = tcp.port().unwrap();
        // Tests without TCP do not need this listener.
        let _ = server.listen(tcp);
        let (sender, told) = mpsc::channel();
        Stage {
            server,
            room: Room::new(sender),
            told,
            path,
            port,
        }
    }

    /// True if a wait for the server would not end at once.
    fn rests(&self) -> bool {
        let mut fds = [PollFd::new(&self.server, PollFlags::IN)];
        let now = Timespec::default();
        self.server.timeout() != Some(0) && poll(&mut fds, Some(&now)).unwrap() == 0
    }

    /// Makes steps until the server would wait, and returns their events.
    fn settle(&mut self) -> Vec<Event<Cursor>> {
        let mut events = Vec::new();
        for _ in 0..100_000 {
            match self.server.try_step(&mut self.room).unwrap() {
                Some(event) => events.push(event),
                None if self.rests() => return events,
                None => {}
            }
        }
        panic!("the server does not come to rest");
    }

    fn connect(&mut self) -> Client {
        let stream = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        connect(&stream, &SocketAddrUnix::new(&*self.path).unwrap()).unwrap();
        self.settle();
        Client(stream)
    }

    /// Connects over TCP, with a small receive buffer.
    fn connect_far(&mut self) -> Client {
        let stream = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        set_socket_recv_buffer_size(&stream, 4096).unwrap();
        connect(&stream, &SocketAddr::from(([127, 0, 0, 1], self.port))).unwrap();
        // Over TCP the connection may arrive with a delay.
        self.until(|event| matches!(event, Event::Connected(_)));
        Client(stream)
    }

    /// Makes steps of the server until an event for which `is` is true.
    fn until(&mut self, is: impl Fn(&Event<Cursor>) -> bool) {
        while !is(&self.server.step(&mut self.room).unwrap()) {}
    }

    /// Sends a call, and makes steps until the server would wait.
    fn send(&mut self, client: &mut Client, call: &str) -> Vec<Event<Cursor>> {
        client.send(call);
        self.settle()
    }

    fn ping(&mut self, client: &mut Client) {
        self.send(client, PING);
        assert_eq!(client.receive(), [PONG]);
    }

    /// Calls a long stream, which stalls because the client does not read.
    fn stall(&mut self, client: &mut Client) {
        self.send(client, &more("Count", r#"{"n":1000000,"letters":900}"#));
        assert!(self.told.try_recv().is_err());
    }
}

impl<const N: usize> Drop for Stage<'_, N> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A client that sends and receives bytes, and does not wait.
struct Client(OwnedFd);

impl Client {
    fn write(&mut self, bytes: &[u8]) {
        assert_eq!(send(&self.0, bytes, SendFlags::NOSIGNAL), Ok(bytes.len()));
    }

    fn send(&mut self, call: &str) {
        self.write(format!("{call}\0").as_bytes());
    }

    /// Returns the received bytes, and true if the stream has ended.
    fn read(&mut self) -> (Vec<u8>, bool) {
        self.read_with(RecvFlags::DONTWAIT)
    }

    fn read_with(&mut self, flags: RecvFlags) -> (Vec<u8>, bool) {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match recv(&self.0, &mut buffer, flags).map(|(_, count)| count) {
                Ok(0) => return (bytes, true),
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(rustix::io::Errno::AGAIN) => return (bytes, false),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Returns the received messages.
    fn receive(&mut self) -> Vec<String> {
        messages(&self.read().0)
    }

    fn finish(&self) {
        shutdown(&self.0, Shutdown::Write).unwrap();
    }

    /// Sends a byte out of band. False if that fails: older kernels support it only over TCP.
    fn send_urgent(&self) -> bool {
        send(&self.0, b"!", SendFlags::OOB).is_ok()
    }
}

fn messages(bytes: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(bytes).unwrap();
    let messages = text.split_terminator('\0').map(str::to_owned);
    assert!(text.is_empty() || text.ends_with('\0'), "it is truncated");
    messages.collect()
}

/// Defines a clock that the test advances. Each test has its own.
macro_rules! clock {
    ($name:ident, $now:ident) => {
        static $now: AtomicU64 = AtomicU64::new(1000);
        fn $name() -> u64 {
            $now.load(Ordering::SeqCst)
        }
    };
}

#[test]
fn l1_a_half_closed_client_does_not_keep_the_server_busy() {
    let mut slots = Slots::<4, RX, TX>::new();
    let mut stage = Stage::new(&mut slots);
    // A client whose call is parked.
    let mut parked = stage.connect();
    stage.send(&mut parked, &method("Wait", "{}"));
    parked.finish();
    stage.settle();
    // A client that does not read.
    let mut stalled = stage.connect();
    stage.stall(&mut stalled);
    stalled.finish();
    stage.settle();
    // A client with pipelined calls, one of which is parked.
    let mut pipelined = stage.connect();
    pipelined.write(format!("{PING}\0").repeat(99).as_bytes());
    pipelined.send(&method("Wait", "{}"));
    pipelined.send(PING);
    pipelined.finish();
    stage.settle();
    let mut good = stage.connect();
    stage.ping(&mut good);
    stage.send(&mut good, &method("Say", r#"{"item":"a"}"#));
    let item = r#"{"parameters":{"item":"a"}}"#;
    assert_eq!(messages(&parked.read().0), [item]);
    let (bytes, ended) = pipelined.read();
    assert_eq!(messages(&bytes).len(), 101);
    assert!(ended);
    assert!(!stalled.read().0.is_empty());
    stage.settle();
}

#[test]
fn l5_a_dead_client_frees_its_place_at_any_stage() {
    let mut slots = Slots::<2, RX, TX>::new();
    let mut stage = Stage::new(&mut slots);
    let mut good = stage.connect();
    let waits = [
        method("Wait", "{}"),
        more("Listen", "{}"),
        more("Count", r#"{"n":1000000,"letters":900}"#),
    ];
    for call in &waits {
        for follows in ["", PING, "{\"meth"] {
            // When the client dies, the bytes after its call and its replies are unread.
            let mut dead = stage.connect();
            stage.send(&mut dead, call);
            dead.write(follows.as_bytes());
            stage.settle();
            drop(dead);
            stage.settle();
            assert!(matches!(stage.told.try_recv(), Ok(Told::Abandoned(_))));
            assert_eq!(stage.server.connections(), 1, "{call} {follows}");
        }
    }
    for sent in ["", "{", "{}\0", "x\0", PIPE, PING] {
        for read in [false, true] {
            let mut dead = stage.connect();
            dead.write(sent.as_bytes());
            if read {
                stage.settle();
            }
            drop(dead);
            stage.settle();
            assert_eq!(stage.server.connections(), 1, "{sent}");
        }
    }
    stage.ping(&mut good);
}

#[test]
fn l1_out_of_band_data_does_not_keep_the_server_busy() {
    let mut slots = Slots::<8, RX, TX>::new();
    let mut stage = Stage::new(&mut slots);
    let (mut idle, mut parked, mut stalled) = (stage.connect(), stage.connect(), stage.connect());
    stage.send(&mut parked, &method("Wait", "{}"));
    stage.stall(&mut stalled);
    let mut far = stage.connect_far();
    for _ in 0..3 {
        for client in [&idle, &parked, &stalled, &far] {
            client.send_urgent();
            stage.settle();
        }
    }
    assert!(far.send_urgent());
    stage.ping(&mut idle);
    far.send(PING);
    stage.until(|event| matches!(event, Event::Called(_)));
    stage.settle();
    let mut reply = [0; PONG.len() + 1];
    recv(&far.0, &mut reply, RecvFlags::WAITALL).unwrap();
    assert_eq!(messages(&reply), [PONG]);
    stage.send(&mut idle, &method("Say", r#"{"item":"a"}"#));
    assert_eq!(parked.receive().len(), 1);
}

#[test]
fn l2_clients_that_wait_for_a_place_do_not_keep_the_server_busy() {
    let mut slots = Slots::<2, RX, TX>::new();
    let mut stage = Stage::new(&mut slots);
    let (mut one, mut two) = (stage.connect(), stage.connect());
    let mut waiting: Vec<Client> = (0..20).map(|_| stage.connect()).collect();
    for client in &mut waiting {
        stage.send(client, PING);
        assert!(client.receive().is_empty());
    }
    stage.ping(&mut one);
    stage.ping(&mut two);
    drop(one);
    // Some of the clients have disconnected when it is their turn.
    for (index, mut client) in waiting.into_iter().enumerate() {
        if index % 3 > 0 {
            stage.settle();
            assert_eq!(client.receive(), [PONG]);
        }
    }
    stage.settle();
    assert_eq!(stage.server.connections(), 1);
    stage.ping(&mut two);
}

#[test]
fn u1_a_taken_connection_leaves_no_state_in_the_server() {
    let mut slots = Slots::<2, RX, TX>::new();
    let mut stage = Stage::new(&mut slots);
    stage
        .server
        .set_limits(Limits {
            per_user: Some(1),
            ..Limits::default()
        })
        .unwrap();
    let mut client = stage.connect();
    client.write(format!("{PIPE}\0early").as_bytes());
    let connection = loop {
        match stage.server.step(&mut stage.room).unwrap() {
            Event::Upgraded(connection, Cursor::Piped) => break connection,
            Event::Called(_) => {}
            event => panic!("{event:?}"),
        }
    };
    let (stream, unread) = stage.server.take(connection).unwrap();
    assert_eq!(unread, b"early");
    // The server no longer watches the place,
    assert_eq!(stage.settle(), []);
    // and no longer counts the connection for the limit per user.
    let mut next = stage.connect();
    stage.ping(&mut next);
    drop(stream);
}

#[test]
fn l1_a_flood_of_items_reaches_every_listener_that_reads() {
    let mut slots = Slots::<4, RX, TX>::new();
    let mut stage = Stage::new(&mut slots);
    let (mut one, mut two) = (stage.connect(), stage.connect());
    stage.send(&mut one, &more("Listen", "{}"));
    stage.send(&mut two, &more("Listen", "{}"));
    let mut flood = stage.connect();
    let item = "y".repeat(300);
    let say = method("Say", &format!(r#"{{"item":"{item}"}}"#));
    for _ in 0..40 {
        flood.send(&say);
    }
    stage.settle();
    assert_eq!(flood.receive().len(), 40);
    for client in [&mut one, &mut two] {
        let items = client.receive();
        assert_eq!(items.len(), 40);
        assert!(items.iter().all(|reply| reply.contains(&item)));
    }
    // The same holds when the program itself adds items.
    for _ in 0..40 {
        stage.room.keep(&item, false);
        stage.server.wake(TOPIC);
    }
    stage.settle();
    assert_eq!(one.receive().len(), 40);
    assert_eq!(two.receive().len(), 40);
}

#[test]
fn l1_an_item_of_any_length_is_refused_or_reaches_every_listener() {
    let mut slots = Slots::<4, 2048, TX>::new();
    let mut stage = Stage::new(&mut slots);
    let (mut one, mut two) = (stage.connect(), stage.connect());
    stage.send(&mut one, &more("Listen", "{}"));
    stage.send(&mut two, &more("Listen", "{}"));
    let mut speaker = stage.connect();
    let mut refused = 0;
    for length in TX / 2 - 100..TX / 2 {
        let item = "y".repeat(length);
        let say = method("Say", &format!(r#"{{"item":"{item}"}}"#));
        stage.send(&mut speaker, &say);
        let is_refused = speaker.receive() != ["{}"];
        refused += usize::from(is_refused);
        for client in [&mut one, &mut two] {
            let items = client.receive();
            assert_eq!(items.len(), usize::from(!is_refused), "{length}");
            assert!(items.iter().all(|reply| reply.contains(&item)));
        }
    }
    assert!((1..100).contains(&refused));
}

#[test]
fn l3_a_new_connection_has_the_full_idle_time() {
    clock!(clock, NOW);
    let mut slots = Slots::<4, RX, TX>::new();
    let mut stage = Stage::new(&mut slots);
    stage.server.set_clock(clock);
    stage
        .server
        .set_limits(Limits {
            idle: Some(Duration::from_secs(30)),
            ..Limits::default()
        })
        .unwrap();
    // The program was busy for longer than the idle time before it accepts the connection.
    NOW.fetch_add(60_000, Ordering::SeqCst);
    let (ours, _theirs) = nullink::unix::Stream::pair().unwrap();
    stage.server.adopt(ours).unwrap();
    // The connection is served at once, because it may have input already.
    assert_eq!(stage.server.timeout(), Some(0));
    assert_eq!(stage.server.try_step(&mut stage.room), Ok(None));
    assert_eq!(stage.server.timeout(), Some(30_000));
    NOW.fetch_add(10_000, Ordering::SeqCst);
    stage.server.try_step(&mut stage.room).unwrap();
    assert_eq!(stage.server.connections(), 1);
}

#[test]
fn l3_a_server_without_connections_waits_for_the_full_exit_time() {
    clock!(clock, NOW);
    let mut slots = Slots::<4, RX, TX>::new();
    let mut stage = Stage::new(&mut slots);
    stage.server.set_clock(clock);
    stage
        .server
        .set_limits(Limits {
            exit: Some(Duration::from_secs(30)),
            ..Limits::default()
        })
        .unwrap();
    for how in ["closed", "taken"] {
        let mut client = stage.connect();
        client.send(PIPE);
        let events = stage.settle();
        let Some(Event::Upgraded(connection, _)) = events.last() else {
            panic!("{events:?}");
        };
        NOW.fetch_add(60_000, Ordering::SeqCst);
        assert_eq!(stage.settle(), []);
        match how {
            "closed" => stage.server.close(&mut stage.room, *connection),
            _ => drop(stage.server.take(*connection).unwrap()),
        }
        assert_eq!(stage.settle(), [], "{how}");
        NOW.fetch_add(30_000, Ordering::SeqCst);
        let event = stage.server.try_step(&mut stage.room).unwrap();
        assert_eq!(event, Some(Event::Idle), "{how}");
    }
}

/// Connects a client over TCP that makes [`RUDE`] good calls and a bad one, and does not read the
/// replies, which are more than its buffer holds. Runs `before` after it has connected.
fn rude<const N: usize>(stage: &mut Stage<'_, N>, before: impl FnOnce()) -> Client {
    let mut client = stage.connect_far();
    before();
    for _ in 0..RUDE {
        client.send(&method("Letters", r#"{"n":900}"#));
    }
    client.write(b"x\0xxxxxxxxxxxxx");
    stage.until(|event| matches!(event, Event::Disconnected(_, Err(_))));
    client
}

/// The number of good calls of a [`rude`] client.
const RUDE: usize = 64;

/// Sends more to a server that no longer reads, and checks that all replies arrive.
fn receives_all(mut client: Client) {
    let _ = send(&client.0, b"more", SendFlags::NOSIGNAL);
    let (bytes, _) = client.read_with(RecvFlags::empty());
    assert_eq!(messages(&bytes).len(), RUDE);
}

#[test]
fn c1_pending_replies_arrive_after_a_bad_call_while_places_are_free() {
    let mut slots = Slots::<4, RX, TX>::new();
    let mut stage = Stage::new(&mut slots);
    let rude = rude(&mut stage, || ());
    let mut others: Vec<Client> = (0..3).map(|_| stage.connect()).collect();
    others.iter_mut().for_each(|other| stage.ping(other));
    receives_all(rude);
    // A fourth client still gets a place.
    let mut last = stage.connect();
    stage.ping(&mut last);
}

#[test]
fn l3_a_client_that_made_a_bad_call_has_the_full_write_time_to_read_its_replies() {
    clock!(clock, NOW);
    let mut slots = Slots::<4, RX, TX>::new();
    let mut stage = Stage::new(&mut slots);
    stage.server.set_clock(clock);
    stage
        .server
        .set_limits(Limits {
            write: Some(Duration::from_secs(30)),
            ..Limits::default()
        })
        .unwrap();
    // The client is idle for longer than the write time before its calls, which must not count.
    let rude = rude(&mut stage, || _ = NOW.fetch_add(60_000, Ordering::SeqCst));
    let mut other = stage.connect();
    stage.ping(&mut other);
    receives_all(rude);
}
