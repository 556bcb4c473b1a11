//! Combinations of features: connections that exist before the settings of their server, pending
//! replies, and lines that end, stall, or have a new client.
#![cfg(all(feature = "unix", target_os = "linux"))]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nullink::server::{Event, Hooks, Limits, Server, Slots};
use nullink::service::{Answer, Info, Refusal, Responder, Service};
use nullink::unix::fd::OwnedFd;
use nullink::unix::{Listener, Reading, Stream};
use nullink::{Call, Interface, interface};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd};
use rustix::io::{ioctl_fionbio, read, write};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use serde::Serialize;

/// A service with long and short replies, calls that are parked, and a reply with a descriptor.
struct Edges {
    long: String,
    longer: String,
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Number {
    n: usize,
}

impl Service<()> for Edges {
    const INTERFACES: &'static [Interface] = &[interface!(
        text
        "
interface org.example.edges
method Short() -> (text: string)
method Long() -> (text: string)
# Longer than any buffer
method Longer() -> (text: string)
# Like Longer, and is parked then
method LongerOrLater() -> (text: string)
method Later() -> (text: string)
method Descriptor() -> (n: int)
"
    )];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, mut reply: Responder<'c, ()>) -> Answer<'c, ()> {
        let longer = Text { text: &self.longer };
        match call.member() {
            "Short" => reply.send(&Text { text: "short" }),
            "Long" => reply.send(&Text { text: &self.long }),
            "Longer" => reply.send(&longer),
            "LongerOrLater" => match reply.try_send(&longer) {
                Ok(outcome) => Ok(outcome),
                Err(unsent) => unsent.reply.park(1, ()),
            },
            "Later" => reply.park(1, ()),
            _ => {
                let (descriptor, _) = Stream::pair().map_err(|_| Refusal::PermissionDenied)?;
                match reply.attach(descriptor.into()) {
                    Ok(n) => reply.send(&Number { n }),
                    Err(_) => Err(Refusal::PermissionDenied),
                }
            }
        }
    }
}

impl Edges {
    fn new(long: usize) -> Self {
        Edges {
            long: "x".repeat(long),
            longer: "y".repeat(700_000),
        }
    }
}

fn call(member: &str) -> String {
    format!("{{\"method\":\"org.example.edges.{member}\"}}\0")
}

const SHORT: &str = "{\"parameters\":{\"text\":\"short\"}}\0";

/// Opens a pseudoterminal as a line. Returns one end, and the address of the other.
fn line() -> (OwnedFd, String) {
    let line = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&line).unwrap();
    unlockpt(&line).unwrap();
    let other = ioctl_tiocgptpeer(&line, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    let path = format!("/proc/self/fd/{}", other.as_raw_fd());
    let path = std::fs::read_link(path).unwrap();
    (line, format!("device:{}", path.display()))
}

fn send(to: impl AsFd, text: &str) {
    assert_eq!(write(to, text.as_bytes()), Ok(text.len()));
}

/// Makes steps of the server and reads, until the text that was read ends with `end`.
fn run_until<const N: usize, const FDS: usize>(
    server: &mut Server<'_, (), N, FDS>,
    service: &mut Edges,
    from: impl AsFd,
    end: &str,
) -> String {
    ioctl_fionbio(&from, true).unwrap();
    let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    let begin = Instant::now();
    while !all.ends_with(end.as_bytes()) {
        server.try_step(service).unwrap();
        while let Ok(count @ 1..) = read(&from, &mut buffer[..]) {
            all.extend_from_slice(&buffer[..count]);
        }
        let text = || String::from_utf8_lossy(&all).into_owned();
        assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", text());
    }
    String::from_utf8(all).unwrap()
}

/// Makes steps that do not wait, until the server has nothing to do.
fn settle<const N: usize, const FDS: usize>(
    server: &mut Server<'_, (), N, FDS>,
    service: &mut Edges,
) {
    for _ in 0..20 {
        server.try_step(service).unwrap();
    }
}

#[test]
fn l3_idle_time_of_an_existing_connection_starts_when_the_clock_is_set() {
    let (ours, theirs) = Stream::pair().unwrap();
    let mut slots = Slots::<2, 1024, 1024>::new();
    let mut server = Server::new(theirs, &mut slots).unwrap();
    server.set_clock(|| 1_000_000);
    server
        .set_limits(Limits {
            idle: Some(Duration::from_secs(30)),
            ..Limits::default()
        })
        .unwrap();
    send(&ours, &call("Short"));
    let event = server.step(&mut Edges::new(0)).unwrap();
    assert!(matches!(event, Event::Called(_)), "{event:?}");
}

#[test]
fn x2_hooks_also_run_for_existing_connections() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let (_ours, theirs) = Stream::pair().unwrap();
    let mut slots = Slots::<2, 1024, 1024>::new();
    let mut server: Server<'_, (), 2> = Server::new(theirs, &mut slots).unwrap();
    server.set_hooks(Hooks {
        refuse_descriptors: Some(|_| _ = ASKED.fetch_add(1, Ordering::Relaxed)),
        peer_pidfd: Some(|_| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            None
        }),
    });
    assert_eq!(ASKED.load(Ordering::Relaxed), 2);
}

#[test]
fn c1_a_pending_reply_arrives_before_the_connection_closes() {
    let (ours, theirs) = Stream::pair().unwrap();
    static SLOTS: Mutex<Slots<2, 1024, 1_200_000>> = Mutex::new(Slots::new());
    let mut slots = SLOTS.lock().unwrap();
    let mut server = Server::new(theirs, &mut slots).unwrap();
    let mut service = Edges::new(500_000);
    // The second reply fits into no buffer, and ends the connection.
    send(&ours, &(call("Long") + &call("Longer")));
    let text = run_until(&mut server, &mut service, &ours, "\"}}\0");
    assert!(text.len() > 500_000);
}

#[test]
fn c6_a_pending_reply_arrives_although_the_next_call_is_parked() {
    let (ours, theirs) = Stream::pair().unwrap();
    static SLOTS: Mutex<Slots<2, 1024, 1_200_000>> = Mutex::new(Slots::new());
    let mut slots = SLOTS.lock().unwrap();
    let mut server = Server::new(theirs, &mut slots).unwrap();
    let mut service = Edges::new(500_000);
    send(&ours, &(call("Long") + &call("LongerOrLater")));
    let text = run_until(&mut server, &mut service, &ours, "\"}}\0");
    assert!(text.len() > 500_000);
}

#[test]
fn x1_a_descriptor_that_cannot_be_sent_stays_with_the_handler() {
    let listener = Listener::bind("tcp:127.0.0.1:0").unwrap();
    let address = format!("tcp:127.0.0.1:{}", listener.port().unwrap());
    let mut slots = Slots::<2, 1024, 1024, 2>::new();
    let mut server = Server::new(listener, &mut slots).unwrap();
    let client = Stream::connect(&address).unwrap();
    send(&client, &call("Descriptor"));
    let denied = "{\"error\":\"org.varlink.service.PermissionDenied\"}\0";
    run_until(&mut server, &mut Edges::new(0), &client, denied);
}

#[test]
fn f5_a_line_that_ends_inside_a_message_is_disconnected() {
    let (line, address) = line();
    let mut slots = Slots::<2, 1024, 1024>::new();
    let mut server = Server::new(Listener::bind(&address).unwrap(), &mut slots).unwrap();
    let mut service = Edges::new(0);
    assert!(matches!(server.step(&mut service), Ok(Event::Connected(_))));
    send(&line, "{\"method");
    settle(&mut server, &mut service);
    drop(line);
    let event = server.step(&mut service);
    assert!(matches!(event, Ok(Event::Disconnected(_, Ok(())))));
}

#[test]
fn c1_a_line_serves_a_new_client_after_half_a_call_of_the_previous_client() {
    // The previous client has a parked call, or has not read all of its reply.
    for (owed, long) in [("Later", 0), ("Long", 90_000)] {
        let (line, address) = line();
        let mut slots = Box::new(Slots::<2, 1024, 200_000>::new());
        let mut server = Server::new(Listener::bind(&address).unwrap(), &mut slots).unwrap();
        let mut service = Edges::new(long);
        assert!(matches!(server.step(&mut service), Ok(Event::Connected(_))));
        send(&line, &format!("\0{}{{\"meth", call(owed)));
        settle(&mut server, &mut service);
        // The new client begins with a break, which ends that half.
        send(&line, "\0\0");
        send(&line, &call("Short"));
        let text = run_until(&mut server, &mut service, &line, SHORT);
        // The reply to the previous client is complete, or was not sent at all.
        let (before, _) = text.split_at(text.len() - SHORT.len());
        let whole = format!("{{\"parameters\":{{\"text\":\"{}\"}}}}\0", service.long);
        assert!(
            before.is_empty() || before == whole,
            "{} bytes",
            before.len()
        );
    }
}

#[test]
fn l1_a_stalled_line_does_not_keep_the_server_busy() {
    let (line, address) = line();
    let mut slots = Box::new(Slots::<2, 1024, 200_000>::new());
    let mut server = Server::new(Listener::bind(&address).unwrap(), &mut slots).unwrap();
    let mut service = Edges::new(90_000);
    assert!(matches!(server.step(&mut service), Ok(Event::Connected(_))));
    send(&line, &(call("Long") + &call("Short")));
    settle(&mut server, &mut service);
    send(&line, &call("Short"));
    settle(&mut server, &mut service);
    // Nothing is ready, so a program that waits for the server does not spin.
    let mut fds = [PollFd::new(&server, PollFlags::IN)];
    let now = Timespec::default();
    assert_eq!(poll(&mut fds, Some(&now)), Ok(0));
    assert_eq!(server.timeout(), None);
}

#[test]
fn c1_a_reply_cut_off_on_a_line_ends_with_a_nul_after_repeated_timeouts() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    let (line, address) = line();
    let mut slots = Box::new(Slots::<2, 1024, 200_000>::new());
    let mut server = Server::new(Listener::bind(&address).unwrap(), &mut slots).unwrap();
    let mut service = Edges::new(90_000);
    server.set_clock(|| NOW.load(Ordering::Relaxed) as u64);
    server
        .set_limits(Limits {
            write: Some(Duration::from_secs(1)),
            ..Limits::default()
        })
        .unwrap();
    assert!(matches!(server.step(&mut service), Ok(Event::Connected(_))));
    send(&line, &call("Long"));
    // The terminal may hand over the call with a delay.
    assert!(matches!(server.step(&mut service), Ok(Event::Called(_))));
    settle(&mut server, &mut service);
    for _ in 0..3 {
        NOW.fetch_add(1500, Ordering::Relaxed);
        settle(&mut server, &mut service);
    }
    server.set_limits(Limits::default()).unwrap();
    send(&line, "\0");
    send(&line, &call("Short"));
    let text = run_until(&mut server, &mut service, &line, SHORT);
    let (cut, rest) = text.split_once('\0').unwrap();
    assert!(cut.ends_with('x'), "{:?}", cut.get(cut.len() - 20..));
    assert!(rest.ends_with(SHORT));
}

#[test]
fn u1_a_stream_can_read_exactly_to_the_end_of_a_call() {
    let (ours, mut theirs) = Stream::pair().unwrap();
    theirs.set_reading(Reading::Message);
    let calls = "{\"method\":\"org.varlink.service.GetInfo\",\"upgrade\":true}\0raw";
    send(&ours, calls);
    let mut first = [0; 128];
    // The first read ends with the call, so the bytes of the other protocol stay in the stream.
    let count = embedded_io::Read::read(&mut theirs, &mut first).unwrap();
    assert_eq!(&first[..count], &calls.as_bytes()[..calls.len() - 3]);
    let count = embedded_io::Read::read(&mut theirs, &mut first).unwrap();
    assert_eq!(&first[..count], b"raw");
}
