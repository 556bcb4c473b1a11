//! L: servers with many connections.
#![cfg(all(feature = "unix", target_os = "linux"))]

use crate::room_service;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nullink::server::{Event, Interest, Limits, Server, Slots};
use nullink::unix::{Listener, Stream};
use room_service::{Cursor, Room, Told};

const RX: usize = 1024;
const TX: usize = 2048;

/// A server that runs in its own thread and listens on its own socket.
struct Running {
    path: PathBuf,
    told: Receiver<Told>,
    stop: Option<Stream>,
    thread: Option<JoinHandle<()>>,
}

/// The number of the watched descriptor that stops a server.
const STOP: u32 = 99;

type RoomServer<'b, const N: usize> = Server<'b, Cursor, N>;

impl Running {
    fn start<const N: usize>() -> Self {
        Running::with::<N>(
            |_| {},
            |server, service| match server.serve(service) {
                Ok(Event::Ready(STOP)) => false,
                Ok(_) => true,
                Err(error) => panic!("{error}"),
            },
        )
    }

    /// Starts a server with settings. `turn` is one turn of its loop, and returns false to end it.
    fn with<const N: usize>(
        set: impl FnOnce(&mut RoomServer<'_, N>) + Send + 'static,
        turn: impl FnMut(&mut RoomServer<'_, N>, &mut Room) -> bool + Send + 'static,
    ) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("nullink-server-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let listener = Listener::bind(path.to_str().unwrap()).unwrap();
        let (stop, stopped) = Stream::pair().unwrap();
        let (sender, told) = mpsc::channel();
        let mut turn = turn;
        let thread = thread::spawn(move || {
            let mut slots = Box::new(Slots::<N, RX, TX>::new());
            let mut server = Server::new(listener, &mut slots).unwrap();
            server.watch(&stopped, Interest::Readable, STOP).unwrap();
            set(&mut server);
            let mut service = Room::new(sender);
            while turn(&mut server, &mut service) {}
        });
        Running {
            path,
            told,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn connect(&self) -> Peer {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Peer {
            input: BufReader::new(stream.try_clone().unwrap()),
            stream,
        }
    }

    fn told(&self) -> Told {
        self.told.recv_timeout(Duration::from_secs(60)).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().unwrap().join();
        let _ = std::fs::remove_file(&self.path);
        if !thread::panicking() {
            ended.unwrap();
        }
    }
}

/// A client that sends and receives raw messages.
struct Peer {
    stream: UnixStream,
    input: BufReader<UnixStream>,
}

impl Peer {
    fn send(&mut self, call: &str) {
        self.stream.write_all(call.as_bytes()).unwrap();
        self.stream.write_all(&[0]).unwrap();
    }

    /// Receives the next message, or None at the end.
    fn receive(&mut self) -> Option<String> {
        let mut message = Vec::new();
        match self.input.read_until(0, &mut message) {
            Ok(0) => None,
            Ok(_) => {
                assert_eq!(message.pop(), Some(0), "a message is cut off");
                Some(String::from_utf8(message).unwrap())
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn call(&mut self, call: &str) -> String {
        self.send(call);
        self.receive().expect("a reply")
    }

    fn ping(&mut self) {
        assert_eq!(self.call(PING), PONG);
    }
}

const PING: &str = r#"{"method":"org.example.room.Ping","parameters":{"ping":"x"}}"#;
const PONG: &str = r#"{"parameters":{"pong":"x"}}"#;

fn method(name: &str, parameters: &str) -> String {
    format!(r#"{{"method":"org.example.room.{name}","parameters":{parameters}}}"#)
}

fn more(name: &str, parameters: &str) -> String {
    format!(r#"{{"method":"org.example.room.{name}","more":true,"parameters":{parameters}}}"#)
}

#[test]
fn many_clients_are_served_at_once() {
    let server = Running::start::<8>();
    let mut peers: Vec<Peer> = (0..8).map(|_| server.connect()).collect();
    for _ in 0..10 {
        peers.iter_mut().for_each(Peer::ping);
    }
}

#[test]
fn f1_calls_can_be_split_and_joined() {
    let server = Running::start::<2>();
    let mut peer = server.connect();
    for byte in PING.bytes().chain([0]) {
        peer.stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(peer.receive().unwrap(), PONG);
    let calls = format!("{PING}\0").repeat(300);
    peer.stream.write_all(calls.as_bytes()).unwrap();
    for _ in 0..300 {
        assert_eq!(peer.receive().unwrap(), PONG);
    }
}

#[test]
fn f5_a_half_closed_client_still_gets_its_replies() {
    let server = Running::start::<1>();
    let mut peer = server.connect();
    peer.send(PING);
    peer.send(&more("Count", r#"{"n":500,"letters":10}"#));
    peer.send(PING);
    peer.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(peer.receive().unwrap(), PONG);
    for _ in 0..500 {
        assert!(peer.receive().unwrap().contains("xxxxxxxxxx"));
    }
    assert_eq!(peer.receive().unwrap(), PONG);
    assert_eq!(peer.receive(), None);
    server.connect().ping();
}

#[test]
fn c1_a_bad_message_closes_the_connection_after_the_pending_replies() {
    let server = Running::start::<1>();
    for bad in ["", "{", "[]", r#"{"method":1}"#, r#"{"no":"method"}"#] {
        let mut peer = server.connect();
        peer.send(PING);
        peer.send(bad);
        // Bytes after the bad message are ignored, and the reply before it still arrives.
        let _ = peer.stream.write_all(&[b'x'; 100]);
        assert_eq!(peer.receive().unwrap(), PONG, "{bad}");
        assert_eq!(peer.receive(), None);
        assert!(matches!(server.told(), Told::Failed(_)));
    }
}

#[test]
fn f4_a_call_that_is_too_long_closes_only_its_connection() {
    let server = Running::start::<2>();
    let mut good = server.connect();
    let mut long = server.connect();
    good.ping();
    let _ = long.stream.write_all(&[b' '; 3 * RX]);
    assert_eq!(long.receive(), None);
    assert_eq!(server.told(), Told::Failed(nullink::Error::TooLong));
    good.ping();
}

#[test]
fn c6_pipelined_calls_wait_for_the_stream_before_them() {
    let server = Running::start::<2>();
    let mut peer = server.connect();
    peer.send(&more("Count", r#"{"n":3,"letters":0}"#));
    peer.send(PING);
    for i in 0..3 {
        let continues = if i < 2 { r#""continues":true,"# } else { "" };
        let expected = format!(r#"{{{continues}"parameters":{{"i":{i},"letters":""}}}}"#);
        assert_eq!(peer.receive().unwrap(), expected);
    }
    assert_eq!(peer.receive().unwrap(), PONG);
}

#[test]
fn replies_of_every_size_are_pipelined_to_a_client_that_reads_late() {
    let server = Running::start::<3>();
    // Several clients at once.
    let mut peers: Vec<Peer> = (0..3).map(|_| server.connect()).collect();
    // Their replies exceed the buffers of a socket.
    let sizes: Vec<usize> = (0..1500).map(|i| (i * 379) % (TX / 2 - 40)).collect();
    thread::scope(|scope| {
        for peer in &mut peers {
            let mut stream = peer.stream.try_clone().unwrap();
            scope.spawn({
                let sizes = &sizes;
                move || {
                    for size in sizes {
                        let call = method("Letters", &format!(r#"{{"n":{size}}}"#));
                        stream.write_all(call.as_bytes()).unwrap();
                        stream.write_all(&[0]).unwrap();
                    }
                }
            });
        }
        server.yield_to_writers();
        for peer in &mut peers {
            for size in &sizes {
                let letters = "x".repeat(*size);
                let expected = format!(r#"{{"parameters":{{"letters":"{letters}"}}}}"#);
                assert_eq!(peer.receive().unwrap(), expected);
            }
        }
    });
    assert!(server.told.try_recv().is_err());
}

impl Running {
    /// Lets the writers run before the readers begin. The number of calls that are pipelined until
    /// then depends on the machine, but the outcome does not.
    fn yield_to_writers(&self) {
        thread::yield_now();
    }
}

#[test]
fn l1_a_client_that_stalls_holds_up_only_its_own_stream() {
    const N: u32 = 100_000;
    let server = Running::start::<2>();
    let mut stalled = server.connect();
    let call = format!(r#"{{"n":{N},"letters":20}}"#);
    stalled.send(&more("Count", &call));
    let mut good = server.connect();
    for _ in 0..100 {
        good.ping();
    }
    for i in 0..N {
        let reply = stalled.receive().unwrap();
        assert!(reply.contains(&format!(r#""i":{i},"#)), "{i}: {reply}");
    }
    stalled.ping();
}

#[test]
fn l1_bad_clients_cost_only_their_own_slots() {
    let server = Running::start::<6>();
    // `silent` never reads, `slow` does not finish its call, `flood` sends calls and never reads,
    // and `endless` never sends a NUL.
    let mut silent = server.connect();
    silent.send(&more("Count", r#"{"n":1000000,"letters":100}"#));
    let mut slow = server.connect();
    slow.stream.write_all(b"{\"meth").unwrap();
    let flood = server.connect();
    flood.stream.set_nonblocking(true).unwrap();
    let calls = format!("{PING}\0").repeat(100);
    while (&flood.stream).write(calls.as_bytes()).is_ok() {}
    let mut endless = server.connect();
    let endless_thread = thread::spawn(move || {
        let bytes = vec![b'x'; 1 << 16];
        while endless.stream.write_all(&bytes).is_ok() {}
    });
    let mut good = server.connect();
    for _ in 0..200 {
        good.ping();
    }
    let mut another = server.connect();
    another.ping();
    slow.stream
        .write_all(b"od\":\"org.example.room.Ping\",")
        .unwrap();
    good.ping();
    slow.stream
        .write_all(b"\"parameters\":{\"ping\":\"x\"}}\0")
        .unwrap();
    assert_eq!(slow.receive().unwrap(), PONG);
    endless_thread.join().unwrap();
}

#[test]
fn l2_more_clients_than_slots_wait_for_their_turn() {
    let server = Running::start::<2>();
    let (mut one, mut two) = (server.connect(), server.connect());
    one.ping();
    two.ping();
    let mut others: Vec<Peer> = (0..20).map(|_| server.connect()).collect();
    for other in &mut others {
        other.send(PING);
    }
    one.ping();
    drop(one);
    for mut other in others {
        assert_eq!(other.receive().unwrap(), PONG);
    }
    two.ping();
}

#[test]
fn l2_a_user_has_a_limited_number_of_connections() {
    let server = Running::with::<8>(
        |server| {
            server
                .set_limits(Limits {
                    per_user: Some(2),
                    ..Limits::default()
                })
                .unwrap();
        },
        |server, service| !matches!(server.serve(service), Ok(Event::Ready(STOP))),
    );
    let (mut one, mut two) = (server.connect(), server.connect());
    one.ping();
    two.ping();
    let mut three = server.connect();
    let _ = three.stream.write_all(format!("{PING}\0").as_bytes());
    assert_eq!(three.receive(), None);
    one.ping();
    drop(two);
    // The limit allows another connection as soon as the server has seen the disconnect.
    while {
        let mut four = server.connect();
        let _ = four.stream.write_all(format!("{PING}\0").as_bytes());
        four.receive().is_none()
    } {}
}

/// Declares a clock that only its test advances.
macro_rules! clock {
    ($name:ident, $now:ident) => {
        static $now: AtomicU64 = AtomicU64::new(1000);
        fn $name() -> u64 {
            $now.load(Ordering::SeqCst)
        }
    };
}

fn limited(limits: Limits, clock: fn() -> u64) -> Running {
    Running::with::<4>(
        move |server| {
            server.set_clock(clock);
            server.set_limits(limits).unwrap();
        },
        |server, service| !matches!(server.serve(service), Ok(Event::Ready(STOP))),
    )
}

#[test]
fn l3_an_idle_client_is_disconnected() {
    clock!(clock, NOW);
    let idle = Some(Duration::from_secs(3600));
    let server = limited(
        Limits {
            idle,
            ..Limits::default()
        },
        clock,
    );
    let (mut one, mut two) = (server.connect(), server.connect());
    one.ping();
    two.ping();
    let mut listener = server.connect();
    listener.send(&more("Listen", "{}"));
    NOW.fetch_add(1_800_000, Ordering::SeqCst);
    two.ping();
    NOW.fetch_add(1_800_000, Ordering::SeqCst);
    // The server reads its clock only when something happens.
    two.ping();
    assert_eq!(one.receive(), None);
    // A client that waits for a reply is not idle.
    two.call(&method("Say", r#"{"item":"a"}"#));
    assert!(listener.receive().unwrap().contains(r#""item":"a""#));
}

#[test]
fn l3_a_client_that_sends_too_slowly_is_disconnected() {
    clock!(clock, NOW);
    let message = Some(Duration::from_secs(3600));
    let server = limited(
        Limits {
            message,
            ..Limits::default()
        },
        clock,
    );
    let (mut slow, mut good) = (server.connect(), server.connect());
    good.ping();
    // The limit applies to the whole message, so further bytes do not extend it.
    for byte in b"{\"method\":\"org.example" {
        if slow.stream.write_all(&[*byte]).is_err() {
            break;
        }
        NOW.fetch_add(400_000, Ordering::SeqCst);
        good.ping();
    }
    assert_eq!(slow.receive(), None);
    good.ping();
}

#[test]
fn l3_a_client_that_does_not_read_is_disconnected() {
    clock!(clock, NOW);
    let write = Some(Duration::from_secs(3600));
    let server = limited(
        Limits {
            write,
            ..Limits::default()
        },
        clock,
    );
    let (mut deaf, mut good) = (server.connect(), server.connect());
    deaf.send(&more("Count", r#"{"n":1000000,"letters":900}"#));
    good.ping();
    NOW.fetch_add(3_500_000, Ordering::SeqCst);
    good.ping();
    NOW.fetch_add(3_600_001, Ordering::SeqCst);
    // The connection is stalled only after the stream has filled the socket.
    let told = loop {
        good.ping();
        NOW.fetch_add(3_600_001, Ordering::SeqCst);
        if let Ok(told) = server.told.try_recv() {
            break told;
        }
    };
    assert!(matches!(told, Told::Abandoned(Cursor::Count { .. })));
}

#[test]
fn l5_the_service_is_told_when_a_client_disconnects() {
    let server = Running::start::<4>();
    for call in [
        more("Count", r#"{"n":1000000,"letters":900}"#),
        more("Listen", "{}"),
        method("Wait", "{}"),
    ] {
        let mut peer = server.connect();
        peer.ping();
        peer.send(&call);
        drop(peer);
        assert!(matches!(server.told(), Told::Abandoned(_)), "{call}");
    }
    server.connect().ping();
}

#[test]
fn l5_a_oneway_call_that_parks_is_abandoned() {
    let server = Running::start::<1>();
    let mut peer = server.connect();
    peer.send(r#"{"method":"org.example.room.Wait","oneway":true}"#);
    peer.ping();
    assert_eq!(server.told(), Told::Abandoned(Cursor::Waiting { next: 0 }));
}

#[test]
fn an_item_reaches_every_parked_call() {
    let server = Running::start::<8>();
    let mut listeners: Vec<Peer> = (0..3).map(|_| server.connect()).collect();
    for listener in &mut listeners {
        listener.send(&more("Enter", "{}"));
        let welcome = r#"{"continues":true,"parameters":{"item":"welcome"}}"#;
        assert_eq!(listener.receive().unwrap(), welcome);
    }
    let mut waiting = server.connect();
    waiting.ping();
    waiting.send(&method("Wait", "{}"));
    waiting.send(PING);
    let mut speaker = server.connect();
    // The call of `Wait` was sent before this one, so it is parked when this reply arrives.
    speaker.ping();
    assert_eq!(speaker.call(&method("Say", r#"{"item":"one"}"#)), "{}");
    assert_eq!(
        waiting.receive().unwrap(),
        r#"{"parameters":{"item":"one"}}"#
    );
    assert_eq!(waiting.receive().unwrap(), PONG);
    assert_eq!(speaker.call(&method("Say", r#"{"item":"two"}"#)), "{}");
    assert_eq!(speaker.call(&method("Finish", r#"{"item":"end"}"#)), "{}");
    assert_eq!(speaker.call(&method("Say", r#"{"item":"lost"}"#)), "{}");
    for listener in &mut listeners {
        for item in ["one", "two"] {
            let expected = format!(r#"{{"continues":true,"parameters":{{"item":"{item}"}}}}"#);
            assert_eq!(listener.receive().unwrap(), expected);
        }
        assert_eq!(
            listener.receive().unwrap(),
            r#"{"parameters":{"item":"end"}}"#
        );
        listener.ping();
    }
}

#[test]
fn x5_the_service_knows_the_credentials_of_the_client() {
    let server = Running::start::<1>();
    let mut peer = server.connect();
    let me = std::fs::metadata("/proc/self").unwrap();
    let expected = format!(
        r#"{{"parameters":{{"uid":{},"gid":{},"pid":{}}}}}"#,
        me.uid(),
        me.gid(),
        std::process::id()
    );
    assert_eq!(peer.call(&method("Who", "{}")), expected);
}

#[test]
fn x5_permissions_are_checked_before_parameters() {
    let server = Running::with::<1>(
        |_| {},
        |server, service| {
            service.trusts_root = false;
            !matches!(server.serve(service), Ok(Event::Ready(STOP)))
        },
    );
    let mut peer = server.connect();
    let denied = r#"{"error":"org.varlink.service.PermissionDenied"}"#;
    assert_eq!(peer.call(&method("Secret", "{}")), denied);
    assert_eq!(peer.call(&method("Secret", r#"{"no":"such"}"#)), denied);
    let info = r#"{"method":"org.varlink.service.GetInfo"}"#;
    assert!(peer.call(info).contains("org.example.room"));
}

#[test]
fn u1_an_upgraded_connection_is_taken_with_its_unread_bytes() {
    let server = Running::with::<2>(
        |_| {},
        |server, service| match server.serve(service).unwrap() {
            Event::Upgraded(connection, Cursor::Piped) => {
                let (mut stream, unread) = server.take(connection).unwrap();
                let mut bytes = unread.to_vec();
                thread::spawn(move || {
                    loop {
                        embedded_io::Write::write_all(&mut stream, &bytes).unwrap();
                        bytes.resize(64, 0);
                        match embedded_io::Read::read(&mut stream, &mut bytes) {
                            Ok(count @ 1..) => bytes.truncate(count),
                            _ => break,
                        }
                    }
                });
                true
            }
            event => event != Event::Ready(STOP),
        },
    );
    let mut peer = server.connect();
    let pipe = r#"{"method":"org.example.room.Pipe","upgrade":true}"#;
    peer.stream
        .write_all(format!("{pipe}\0early").as_bytes())
        .unwrap();
    assert_eq!(peer.receive().unwrap(), "{}");
    peer.stream.write_all(b" and late").unwrap();
    let mut echo = [0; 14];
    peer.input.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"early and late");
    // Both slots are free again.
    (0..2).for_each(|_| server.connect().ping());
}

#[test]
fn step_returns_the_events_of_clients_descriptors_and_timers() {
    clock!(clock, NOW);
    const OTHER: u32 = 5;
    let (mut other, watched) = Stream::pair().unwrap();
    let watched = Arc::new(watched);
    let theirs = watched.clone();
    let (events, seen) = mpsc::channel();
    let server = Running::with::<2>(
        move |server| {
            server.set_clock(clock);
            server.watch(&*theirs, Interest::Readable, OTHER).unwrap();
            server.set_timer(1, Some(5000)).unwrap();
            server.set_timer(2, Some(9000)).unwrap();
            server.set_timer(3, Some(7000)).unwrap();
            server.set_timer(3, None).unwrap();
        },
        move |server, service| {
            let event = server.step(service).unwrap();
            if event == Event::Ready(OTHER) {
                let mut byte = [0];
                assert_eq!(rustix::io::read(&*watched, &mut byte), Ok(1));
                if byte == *b"!" {
                    assert_eq!(server.unwatch(&*watched), Ok(()));
                    assert!(server.unwatch(&*watched).is_err());
                }
            }
            let _ = events.send(event);
            event != Event::Ready(STOP)
        },
    );
    let mut peer = server.connect();
    peer.ping();
    let Event::Connected(connection) = seen.recv().unwrap() else {
        panic!("the first event is not the connection");
    };
    assert_eq!(seen.recv(), Ok(Event::Called(connection)));
    embedded_io::Write::write(&mut other, b"x").unwrap();
    assert_eq!(seen.recv(), Ok(Event::Ready(OTHER)));
    // The order of the two depends on when the server reads its clock.
    let both = |a, b| {
        let two = [seen.recv().unwrap(), seen.recv().unwrap()];
        assert!(two == [a, b] || two == [b, a], "{two:?}");
    };
    NOW.fetch_add(6000, Ordering::SeqCst);
    peer.ping();
    both(Event::Called(connection), Event::Timer(1));
    embedded_io::Write::write(&mut other, b"!").unwrap();
    assert_eq!(seen.recv(), Ok(Event::Ready(OTHER)));
    NOW.fetch_add(60_000, Ordering::SeqCst);
    drop(peer);
    both(Event::Disconnected(connection, Ok(())), Event::Timer(2));
}

#[test]
fn timers_fire_in_order_and_not_early() {
    let (begin, limit) = (std::time::Instant::now(), Duration::from_secs(60));
    let (sender, timers) = mpsc::channel();
    let _server = Running::with::<1>(
        |server| {
            server.set_clock(nullink::unix::monotonic);
            server.set_timer(1, Some(50)).unwrap();
            server.set_timer(2, Some(10)).unwrap();
        },
        move |server, service| {
            let event = server.serve(service).unwrap();
            let _ = sender.send((event, begin.elapsed()));
            event != Event::Ready(STOP)
        },
    );
    let (first, soon) = timers.recv_timeout(limit).unwrap();
    let (second, later) = timers.recv_timeout(limit).unwrap();
    assert_eq!((first, second), (Event::Timer(2), Event::Timer(1)));
    assert!(soon >= Duration::from_millis(9) && later >= Duration::from_millis(49));
}

#[test]
fn l3_a_server_without_clients_is_idle_but_serves_a_queued_client_first() {
    let path = std::env::temp_dir().join(format!("nullink-idle-{}", std::process::id()));
    let path = path.to_str().unwrap();
    let listener = Listener::bind(path).unwrap();
    let mut slots = Slots::<2, RX, TX>::new();
    let mut server = Server::<_, 2>::new(listener, &mut slots).unwrap();
    let (sender, _told) = mpsc::channel();
    let mut service = Room::new(sender);
    server.set_clock(nullink::unix::monotonic);
    server
        .set_limits(Limits {
            exit: Some(Duration::from_millis(20)),
            ..Limits::default()
        })
        .unwrap();
    assert_eq!(server.serve(&mut service), Ok(Event::Idle));
    // It is reported again if the program continues.
    assert_eq!(server.serve(&mut service), Ok(Event::Idle));
    // The time is over, but a client waits in the queue.
    thread::sleep(Duration::from_millis(30));
    let client = UnixStream::connect(path).unwrap();
    assert!(matches!(server.step(&mut service), Ok(Event::Connected(_))));
    // While it is connected, the server is not idle.
    let closed = thread::spawn(move || {
        thread::sleep(Duration::from_millis(60));
        let closed = std::time::Instant::now();
        drop(client);
        closed
    });
    assert_eq!(server.serve(&mut service), Ok(Event::Idle));
    let idle = std::time::Instant::now();
    assert!(idle - closed.join().unwrap() >= Duration::from_millis(19));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_server_with_nothing_to_wait_for_returns_idle() {
    let (ours, theirs) = Stream::pair().unwrap();
    let mut slots = Slots::<1, RX, TX>::new();
    let mut server = Server::<_, 1>::new(theirs, &mut slots).unwrap();
    let (sender, _told) = mpsc::channel();
    let mut service = Room::new(sender);
    let client = thread::spawn(move || {
        let (mut a, mut b) = ([0; 512], [0; 512]);
        let mut client = nullink::Client::new(ours, &mut a, &mut b);
        let info = client.call(&nullink::service::GetInfo).unwrap();
        let interfaces = info.member("interfaces").unwrap().items();
        assert_eq!(interfaces.unwrap().count(), 2);
    });
    assert_eq!(server.serve(&mut service), Ok(Event::Idle));
    client.join().unwrap();
}

#[test]
fn listeners_of_several_kinds_are_served_together() {
    let path = std::env::temp_dir().join(format!("nullink-several-{}", std::process::id()));
    let path = path.to_str().unwrap().to_string();
    let name = format!("unix:@nullink-several-{}", std::process::id());
    let tcp = Listener::bind("tcp:127.0.0.1:0").unwrap();
    let port = format!("tcp:127.0.0.1:{}", tcp.port().unwrap());
    let (second, addresses) = (name.clone(), [path.clone(), name, port]);
    let listener = Listener::bind(&path).unwrap();
    thread::spawn(move || {
        let mut slots = Slots::<4, RX, TX>::new();
        let mut server = Server::<_, 4>::new(listener, &mut slots).unwrap();
        server.listen(Listener::bind(&second).unwrap()).unwrap();
        server.listen(tcp).unwrap();
        let (sender, _told) = mpsc::channel();
        let _ = server.serve(&mut Room::new(sender));
    });
    let (mut a, mut b) = ([0; 512], [0; 512]);
    for _ in 0..3 {
        for address in &addresses {
            // The server may not have bound the second address yet.
            let stream = loop {
                match Stream::connect(address) {
                    Ok(stream) => break stream,
                    Err(_) => thread::yield_now(),
                }
            };
            let mut client = nullink::Client::new(stream, &mut a, &mut b);
            assert!(client.call(&nullink::service::GetInfo).is_ok());
        }
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn l5_a_terminal_that_hangs_up_abandons_its_parked_call() {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let line = openpt(flags).unwrap();
    grantpt(&line).unwrap();
    unlockpt(&line).unwrap();
    let other = ioctl_tiocgptpeer(&line, flags).unwrap();
    let path = std::fs::read_link(format!("/proc/self/fd/{}", {
        use rustix::fd::AsRawFd;
        other.as_raw_fd()
    }));
    let address = format!("device:{}", path.unwrap().display());
    let (sender, told) = mpsc::channel();
    let (events, seen) = mpsc::channel();
    // It must end with the test: it would open the next pseudoterminal of this number.
    let service = thread::spawn(move || {
        let mut slots = Slots::<2, RX, TX>::new();
        let listener = Listener::bind(&address).unwrap();
        let mut server = Server::<_, 2>::new(listener, &mut slots).unwrap();
        let mut service = Room::new(sender);
        while let Ok(event) = server.step(&mut service) {
            events.send(event).unwrap();
            if matches!(event, Event::Disconnected(..)) {
                return;
            }
        }
    });
    assert!(matches!(seen.recv(), Ok(Event::Connected(_))));
    let enter = more("Enter", "{}") + "\0";
    rustix::io::write(&line, enter.as_bytes()).unwrap();
    assert!(matches!(seen.recv(), Ok(Event::Called(_))));
    let mut welcome = [0; 64];
    assert_eq!(rustix::io::read(&line, &mut welcome), Ok(51));
    drop((line, other));
    let listening = Cursor::Listening { next: 0 };
    assert_eq!(told.recv(), Ok(Told::Abandoned(listening)));
    assert!(matches!(seen.recv(), Ok(Event::Disconnected(_, Ok(())))));
    service.join().unwrap();
}

#[test]
fn l1_a_client_that_does_not_read_is_told_how_many_items_it_lost() {
    let server = Running::start::<4>();
    let mut slow = server.connect();
    slow.send(&more("Enter", "{}"));
    assert!(slow.receive().unwrap().contains("welcome"));
    let mut speaker = server.connect();
    // More items than the socket holds and the service keeps.
    const SAID: u64 = 3000;
    let item = "y".repeat(500);
    let say = method("Say", &format!(r#"{{"item":"{item}"}}"#));
    for _ in 0..SAID {
        assert_eq!(speaker.call(&say), "{}");
    }
    let (mut heard, mut lost) = (0, 0);
    while heard + lost < SAID {
        let reply = slow.receive().unwrap();
        match reply.split_once(r#""lost":"#) {
            Some((_, count)) => lost += count.trim_end_matches('}').parse::<u64>().unwrap(),
            None => {
                assert!(reply.contains(&item));
                heard += 1;
            }
        }
    }
    assert_eq!(heard + lost, SAID);
    assert!(
        lost > 0 && heard >= room_service::KEPT as u64,
        "{heard}, {lost}"
    );
    // The client has caught up, and its stream was not dropped.
    assert_eq!(speaker.call(&say), "{}");
    assert!(slow.receive().unwrap().contains(&item));
    assert!(server.told.try_recv().is_err());
}

#[test]
fn a_wake_from_the_program_resumes_a_parked_call() {
    let (ours, theirs) = Stream::pair().unwrap();
    let mut slots = Slots::<1, RX, TX>::new();
    let mut server = Server::<_, 1>::new(theirs, &mut slots).unwrap();
    let (sender, _told) = mpsc::channel();
    let mut service = Room::new(sender);
    let (mut a, mut b) = ([0; 512], [0; 512]);
    let mut client = nullink::Client::new(ours, &mut a, &mut b);
    let (method, nothing) = ("org.example.room.Wait", nullink::json::Raw::EMPTY_OBJECT);
    let simple = nullink::Mode::Simple;
    client.queue_raw(method, simple, nothing).unwrap();
    client.flush().unwrap();
    assert!(matches!(server.step(&mut service), Ok(Event::Called(_))));
    // A wake without an item has no effect, nor has a wake of another topic.
    server.wake(room_service::TOPIC);
    assert_eq!(server.try_step(&mut service), Ok(None));
    service.keep("open", false);
    server.wake(room_service::TOPIC + 1);
    assert_eq!(server.try_step(&mut service), Ok(None));
    assert_eq!(server.timeout(), None);
    server.wake(room_service::TOPIC);
    assert_eq!(server.timeout(), Some(0));
    assert_eq!(server.try_step(&mut service), Ok(None));
    let reply = client.receive_raw().unwrap();
    assert_eq!(reply.parameters().as_str(), r#"{"item":"open"}"#);
}

#[test]
fn f5_a_parked_call_of_a_half_closed_client_gets_its_reply() {
    let server = Running::start::<2>();
    let (mut half, mut speaker) = (server.connect(), server.connect());
    half.ping();
    half.send(&method("Wait", "{}"));
    half.stream.shutdown(Shutdown::Write).unwrap();
    speaker.ping();
    assert_eq!(speaker.call(&method("Say", r#"{"item":"a"}"#)), "{}");
    assert!(half.receive().unwrap().contains(r#""item":"a""#));
    assert_eq!(half.receive(), None);
}

#[test]
fn l3_a_parked_call_of_a_half_closed_client_ends_after_the_idle_limit() {
    clock!(clock, NOW);
    let idle = Some(Duration::from_secs(3600));
    let server = limited(
        Limits {
            idle,
            ..Limits::default()
        },
        clock,
    );
    let (mut half, mut whole, mut good) = (server.connect(), server.connect(), server.connect());
    for peer in [&mut half, &mut whole] {
        peer.ping();
        peer.send(&more("Listen", "{}"));
    }
    half.stream.shutdown(Shutdown::Write).unwrap();
    let mut passed = 0;
    let told = loop {
        good.ping();
        if let Ok(told) = server.told.try_recv() {
            break told;
        }
        NOW.fetch_add(900_000, Ordering::SeqCst);
        passed += 900_000;
        assert!(passed < 36_000_000, "the call was not abandoned");
    };
    assert!(passed >= 3_600_000, "{passed}");
    assert!(matches!(told, Told::Abandoned(_)));
    assert_eq!(half.receive(), None);
    // A client that has not half-closed can wait without limit.
    good.call(&method("Say", r#"{"item":"a"}"#));
    assert!(whole.receive().unwrap().contains(r#""item":"a""#));
}

#[test]
fn l5_a_tcp_reset_ends_a_parked_call_at_once() {
    let (sender, port) = mpsc::channel();
    let server = Running::with::<4>(
        move |server| {
            let listener = Listener::bind("tcp:127.0.0.1:0").unwrap();
            sender.send(listener.port().unwrap()).unwrap();
            server.listen(listener).unwrap();
        },
        |server, service| !matches!(server.serve(service), Ok(Event::Ready(STOP))),
    );
    let address = ("127.0.0.1", port.recv().unwrap());
    for call in [more("Listen", "{}"), method("Wait", "{}")] {
        let mut client = std::net::TcpStream::connect(address).unwrap();
        client.write_all(format!("{PING}\0").as_bytes()).unwrap();
        // Closing a socket with unread bytes sends a reset.
        client.peek(&mut [0]).unwrap();
        client.write_all(format!("{call}\0").as_bytes()).unwrap();
        drop(client);
        assert!(matches!(server.told(), Told::Abandoned(_)), "{call}");
    }
    server.connect().ping();
}
