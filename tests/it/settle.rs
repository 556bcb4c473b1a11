//! `Server::settle`: one thread that is the server and its clients, without a wait.
#![cfg(all(feature = "unix", target_os = "linux"))]

use std::mem;
use std::time::Duration;

use nullink::server::{Event, Server, Slots};
use nullink::unix::{Stream, Timeouts};
use nullink::{
    Answer, Call, Client, Info, Interface, Method, Mode, NoError, Responder, Service, interface,
};
use serde::{Deserialize, Serialize};

const COUNT: Interface = interface!(
    text
    "
interface org.example.count

# The numbers below n
method Count(n: int) -> (i: int)

# The level, when it changes
method Wait() -> (i: int)

method Set(i: int) -> ()

method Leave() -> ()
"
);

#[derive(Deserialize)]
enum Methods {
    Count { n: u32 },
    Wait,
    Set { i: u32 },
    Leave,
}

#[derive(Serialize)]
struct Count {
    n: u32,
}

#[derive(Serialize)]
struct Wait {}

#[derive(Serialize)]
struct Set {
    i: u32,
}

#[derive(Serialize)]
struct Leave {}

#[derive(Serialize, Deserialize)]
struct Number {
    i: u32,
}

#[derive(Deserialize)]
struct Nothing {}

macro_rules! method {
    ($method:ident, $output:ty) => {
        impl Method for $method {
            const NAME: &'static str = concat!("org.example.count.", stringify!($method));
            type Output<'r> = $output;
            type Error<'r> = NoError;
        }
    };
}

method!(Count, Number);
method!(Wait, Number);
method!(Set, Nothing);
method!(Leave, Nothing);

#[derive(Default)]
struct Counter {
    level: u32,
    is_changed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cursor {
    Count { i: u32, n: u32 },
    Wait,
    Leave,
}

impl Service<Cursor> for Counter {
    const INTERFACES: &'static [Interface] = &[COUNT];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        match call.decode()? {
            Methods::Count { n } => self.resume(Cursor::Count { i: 0, n }, reply),
            Methods::Wait => reply.park(0, Cursor::Wait),
            Methods::Set { i } => {
                self.level = i;
                self.is_changed = true;
                reply.send(&())
            }
            Methods::Leave => reply.upgrade()?.send(&(), Cursor::Leave),
        }
    }

    fn resume<'c>(&mut self, cursor: Cursor, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        match cursor {
            Cursor::Count { i, n } if i + 1 < n => reply
                .more()?
                .next(&Number { i })?
                .then(Cursor::Count { i: i + 1, n }),
            Cursor::Count { i, .. } => reply.send(&Number { i }),
            Cursor::Wait | Cursor::Leave => reply.send(&Number { i: self.level }),
        }
    }

    fn woken(&mut self) -> Option<u32> {
        mem::take(&mut self.is_changed).then_some(0)
    }
}

type End<'b> = Client<'b, Stream>;

/// Runs `test` with a server and as many clients.
fn with_clients<const CLIENTS: usize>(
    test: impl FnOnce(&mut Server<'_, Cursor, CLIENTS>, &mut [End<'_>; CLIENTS]),
) {
    let mut slots = Slots::<CLIENTS, 256, 512>::new();
    let mut ends = [const { None }; CLIENTS];
    let mut server = None;
    let mut slots = Some(&mut slots);
    for end in &mut ends {
        let (ours, theirs) = Stream::pair().unwrap();
        match &mut server {
            None => server = Some(Server::new(ours, slots.take().unwrap()).unwrap()),
            Some(server) => _ = server.adopt(ours).unwrap(),
        }
        let mut theirs = theirs;
        // A reply that is missing is a failure, and not a wait.
        let limits = Timeouts {
            reply: Some(Duration::from_secs(5)),
            ..Timeouts::default()
        };
        theirs.set_timeouts(limits).unwrap();
        *end = Some(theirs);
    }
    let mut buffers = [[[0; 256]; 2]; CLIENTS];
    let mut buffers = buffers.iter_mut();
    let mut clients = ends.map(|end| {
        let [receive, send] = buffers.next().unwrap();
        Client::new(end.unwrap(), receive, send)
    });
    test(&mut server.unwrap(), &mut clients);
}

#[test]
fn a_stream_is_complete_after_it() {
    with_clients(|server, [client]| {
        let mut counter = Counter::default();
        client.queue(&Count { n: 5 }, Mode::More).unwrap();
        client.flush().unwrap();
        assert_eq!(server.settle(&mut counter), Ok(None));
        let mut replies = client.replies::<Count>().unwrap();
        for i in 0..5 {
            assert_eq!(replies.next().unwrap().map(|number| number.i), Some(i));
        }
        assert!(replies.next().unwrap().is_none());
    });
}

#[test]
fn it_serves_more_clients_than_one_epoll_wait_tells_of() {
    // A turn over a stream is not an event of the server.
    const CLIENTS: usize = 100;
    with_clients(|server, clients: &mut [End<'_>; CLIENTS]| {
        let mut counter = Counter::default();
        for client in &mut *clients {
            client.queue(&Count { n: 200 }, Mode::More).unwrap();
            client.flush().unwrap();
        }
        assert_eq!(server.settle(&mut counter), Ok(None));
        for client in &mut *clients {
            let mut replies = client.replies::<Count>().unwrap();
            let mut count = 0;
            while replies.next().unwrap().is_some() {
                count += 1;
            }
            assert_eq!(count, 200);
        }
    });
}

#[test]
fn a_parked_call_waits_and_another_client_wakes_it() {
    with_clients(|server, [waiter, setter]| {
        let mut counter = Counter::default();
        waiter.queue(&Wait {}, Mode::Simple).unwrap();
        waiter.flush().unwrap();
        assert_eq!(server.settle(&mut counter), Ok(None), "nothing wakes it");
        setter.queue(&Set { i: 7 }, Mode::Simple).unwrap();
        setter.flush().unwrap();
        assert_eq!(server.settle(&mut counter), Ok(None));
        assert_eq!(waiter.receive::<Wait>().unwrap().i, 7);
        assert!(setter.receive::<Set>().is_ok());
    });
}

#[test]
fn it_returns_events_that_the_program_must_handle() {
    with_clients(|server, [client, other]| {
        let mut counter = Counter::default();
        client.queue(&Leave {}, Mode::Upgrade).unwrap();
        client.flush().unwrap();
        other.queue(&Set { i: 1 }, Mode::Simple).unwrap();
        other.flush().unwrap();
        let event = server.settle(&mut counter);
        assert!(matches!(event, Ok(Some(Event::Upgraded(_, Cursor::Leave)))));
        assert_eq!(server.settle(&mut counter), Ok(None));
        assert!(other.receive::<Set>().is_ok());
    });
}

#[test]
fn the_end_of_the_last_client_is_idle_once() {
    let mut slots = Slots::<1, 64, 512>::new();
    let (ours, theirs) = Stream::pair().unwrap();
    let mut server = Server::new(ours, &mut slots).unwrap();
    let mut counter = Counter::default();
    assert_eq!(server.settle(&mut counter), Ok(None));
    drop(theirs);
    assert_eq!(server.settle(&mut counter), Ok(Some(Event::Idle)));
    assert_eq!(server.settle(&mut counter), Ok(None));
}

/// A timer that expires in a step after the one that would have seen it.
#[test]
fn a_timer_that_has_expired_is_an_event() {
    with_clients(|server, [_client]| {
        let mut counter = Counter::default();
        server.set_clock(|| 10);
        server.set_timer(3, Some(5)).unwrap();
        assert_eq!(server.settle(&mut counter), Ok(None));
        server.set_clock(|| 15);
        assert_eq!(server.settle(&mut counter), Ok(Some(Event::Timer(3))));
        assert_eq!(server.settle(&mut counter), Ok(None));
    });
}
