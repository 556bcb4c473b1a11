//! Errors of a server that show only when two conditions meet: a wake and an upgrade, a free place
//! and a waiting client, a missing device and clients of a socket.
#![cfg(all(feature = "unix", target_os = "linux"))]

use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nullink::server::{Event, Limits, Server, Slots};
use nullink::unix::{self, Listener, Stream};
use nullink::{Answer, Call, Error, Info, Interface, Responder, Service, interface};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::io::{Errno, IoSlice};
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, recv, send, sendmsg,
    shutdown,
};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use serde::Deserialize;

const DOOR: Interface = interface!(
    text
    "
interface org.example.door

method Knock() -> ()

# Replies when the door opens
method Enter() -> ()

# Replies when the door opens, and hands the connection to another protocol
method Pass() -> ()

# Never replies
method Listen() -> ()

# Replies when the door opens for the second time
method Hesitate() -> ()
"
);

#[derive(Deserialize)]
enum Methods {
    Knock,
    Enter,
    Pass,
    Listen,
    Hesitate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    ToEnter,
    ToPass,
    ForNothing,
    Hesitating,
}

const OPENS: u32 = 1;

struct Door;

impl Service<Waiting> for Door {
    const INTERFACES: &'static [Interface] = &[DOOR];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, Waiting>) -> Answer<'c, Waiting> {
        match call.decode()? {
            Methods::Knock => reply.send(&()),
            Methods::Enter => reply.park(OPENS, Waiting::ToEnter),
            Methods::Pass => reply.park(OPENS, Waiting::ToPass),
            Methods::Hesitate => reply.park(OPENS, Waiting::Hesitating),
            Methods::Listen => reply.park(OPENS, Waiting::ForNothing),
        }
    }

    fn resume<'c>(
        &mut self,
        cursor: Waiting,
        reply: Responder<'c, Waiting>,
    ) -> Answer<'c, Waiting> {
        match cursor {
            Waiting::ToEnter => reply.send(&()),
            Waiting::ToPass => reply.upgrade()?.send(&(), cursor),
            Waiting::Hesitating => reply.park(OPENS, Waiting::ToEnter),
            Waiting::ForNothing => reply.park(OPENS, cursor),
        }
    }
}

const KNOCK: &[u8] = b"{\"method\":\"org.example.door.Knock\"}\0";
const ENTER: &[u8] = b"{\"method\":\"org.example.door.Enter\"}\0";
const PASS: &[u8] = b"{\"method\":\"org.example.door.Pass\",\"upgrade\":true}\0";
const LISTEN: &[u8] = b"{\"method\":\"org.example.door.Listen\"}\0";
const DONE: &[u8] = b"{}\0";

fn listen(what: &str) -> (Listener, String) {
    let path = std::env::temp_dir().join(format!("nullink-{what}-{}", std::process::id()));
    let path = path.to_str().unwrap().to_string();
    let _ = std::fs::remove_file(&path);
    (Listener::bind(&path).unwrap(), path)
}

/// Waits like a program with its own event loop. Returns false if it would wait without end.
fn has_something_to_do<const N: usize>(server: &Server<'_, Waiting, N>) -> bool {
    let limit = server.timeout().unwrap_or(0).min(1000);
    let mut fds = [PollFd::new(server, PollFlags::IN)];
    let limit = Timespec {
        tv_sec: 0,
        tv_nsec: i64::try_from(limit).unwrap() * 1_000_000,
    };
    let found = poll(&mut fds, Some(&limit)).unwrap();
    found > 0 || server.timeout().is_some()
}

fn say(client: &Stream, calls: &[u8]) {
    assert_eq!(send(client, calls, SendFlags::empty()), Ok(calls.len()));
}

/// Returns the number of bytes that can be received now.
fn available(end: &Stream) -> Result<usize, Errno> {
    recv(end, &mut [0; 256][..], RecvFlags::DONTWAIT).map(|(count, _)| count)
}

/// Returns all events until the server has nothing to do.
fn events<const N: usize, const D: usize>(
    server: &mut Server<'_, Waiting, N, D>,
) -> Vec<Event<Waiting>> {
    let all = std::iter::from_fn(|| server.try_step(&mut Door).unwrap());
    let events: Vec<_> = all.take(1000).collect();
    assert!(
        events.len() < 1000,
        "there is no end to {:?}",
        events.last()
    );
    events
}

#[test]
fn u1_a_wake_during_an_upgrade_leaves_the_bytes_after_it_unread() {
    let (client, stream) = Stream::pair().unwrap();
    let mut slots = Slots::<1, 256, 512>::new();
    let mut server = Server::<_, 1>::new(stream, &mut slots).unwrap();
    say(&client, &[PASS, KNOCK].concat());
    assert!(matches!(server.step(&mut Door), Ok(Event::Called(_))));
    // The current turn continues with the reply, and the wake queues another turn.
    server.wake(OPENS);
    let Ok(Event::Upgraded(connection, Waiting::ToPass)) = server.step(&mut Door) else {
        panic!("the call was not resumed");
    };
    assert_eq!(events(&mut server), []);
    let (_, unread) = server.take(connection).unwrap();
    assert_eq!(unread, KNOCK);
}

// Another process that has the socket, too, can shut it down.
#[test]
fn l2_a_listener_that_is_shut_down_is_an_error_and_no_reason_to_spin() {
    for how in [Shutdown::Both, Shutdown::Read] {
        shut_down(how);
    }
}

fn shut_down(how: Shutdown) {
    let (listener, path) = listen(&format!("shut down {how:?}"));
    let shared = listener.pollable().unwrap().try_clone_to_owned().unwrap();
    let mut slots = Slots::<1, 256, 512>::new();
    let mut server = Server::<_, 1>::new(listener, &mut slots).unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    assert!(matches!(events(&mut server)[..], [Event::Connected(_)]));
    shutdown(&shared, how).unwrap();
    // Each of these waits once. The end of the listener is reported a few times at most.
    for _ in 0..3 {
        assert_eq!(events(&mut server), []);
    }
    assert!(!has_something_to_do(&server), "the server spins");
    client.write_all(KNOCK).unwrap();
    assert!(matches!(events(&mut server)[..], [Event::Called(_)]));
    drop(client);
    assert!(matches!(
        server.try_step(&mut Door),
        Ok(Some(Event::Disconnected(..)))
    ));
    let ended = (0..3).find_map(|_| server.try_step(&mut Door).err());
    let invalid = unix::IoError::from_raw_os_error(Errno::INVAL.raw_os_error());
    assert_eq!(
        ended,
        Some(invalid),
        "nobody learns that no client can connect"
    );
}

#[test]
fn l2_a_waiting_client_gets_a_place_that_the_program_frees() {
    let (listener, path) = listen("freed");
    let mut slots = Slots::<1, 256, 512>::new();
    let mut server = Server::<_, 1>::new(listener, &mut slots).unwrap();
    let mut first = UnixStream::connect(&path).unwrap();
    first.write_all(ENTER).unwrap();
    let mut second = UnixStream::connect(&path).unwrap();
    second.write_all(KNOCK).unwrap();
    let Some(Event::Connected(connection)) = server.try_step(&mut Door).unwrap() else {
        panic!("no client was accepted");
    };
    assert_eq!(events(&mut server), [Event::Called(connection)]);
    assert!(!has_something_to_do(&server), "the server spins");
    server.close(&mut Door, connection);
    assert!(has_something_to_do(&server), "the client is not accepted");
    let found = events(&mut server);
    assert!(matches!(found[..], [Event::Connected(_), Event::Called(_)]));
    let mut reply = [0; 3];
    second.read_exact(&mut reply).unwrap();
    assert_eq!(reply, DONE);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn l4_a_missing_device_does_not_block_other_listeners() {
    for device_first in [false, true] {
        let (listener, path) = listen("missing");
        let device = Listener::bind("device:/dev/nullink-missing").unwrap();
        let (first, second) = if device_first {
            (device, listener)
        } else {
            (listener, device)
        };
        let mut slots = Slots::<2, 256, 512>::new();
        let mut server = Server::<_, 2>::new(first, &mut slots).unwrap();
        server.listen(second).unwrap();
        assert_eq!(events(&mut server), []);
        for _ in 0..2 {
            let _client = UnixStream::connect(&path).unwrap();
            let came = (0..3).any(|_| {
                has_something_to_do(&server)
                    && events(&mut server)
                        .iter()
                        .any(|event| matches!(event, Event::Connected(_)))
            });
            assert!(came, "{device_first}");
        }
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_client_that_reads_again_gets_full_turns_again() {
    const CALLS: usize = 200;
    let (client, stream) = Stream::pair().unwrap();
    let (other, other_stream) = Stream::pair().unwrap();
    // The kernel's minimum: a few halves of a send buffer fill it.
    set_socket_send_buffer_size(&stream, 1).unwrap();
    let mut slots = Slots::<2, 8192, 128>::new();
    let mut server = Server::<_, 2>::new(stream, &mut slots).unwrap();
    let other_one = server.adopt(other_stream).unwrap();
    say(&client, &KNOCK.repeat(CALLS));
    let called = events(&mut server).len();
    assert!(called < CALLS, "the socket never filled up");
    while available(&client).is_ok() {}
    assert!(matches!(server.step(&mut Door), Ok(Event::Called(_))));
    say(&other, KNOCK);
    let later = events(&mut server);
    let turn = later
        .iter()
        .position(|event| *event == Event::Called(other_one));
    assert!(turn.unwrap() > 10, "{turn:?}");
}

#[test]
fn the_reply_to_a_single_call_is_sent_before_the_event() {
    let (client, stream) = Stream::pair().unwrap();
    let mut slots = Slots::<1, 256, 512>::new();
    let mut server = Server::<_, 1>::new(stream, &mut slots).unwrap();
    say(&client, KNOCK);
    assert!(matches!(server.step(&mut Door), Ok(Event::Called(_))));
    let length = available(&client).unwrap();
    assert_eq!(events(&mut server), []);
    // The replies to pipelined calls leave together.
    say(&client, &KNOCK.repeat(2));
    assert!(matches!(server.step(&mut Door), Ok(Event::Called(_))));
    assert_eq!(available(&client), Err(Errno::AGAIN));
    assert!(matches!(server.step(&mut Door), Ok(Event::Called(_))));
    assert_eq!(available(&client), Ok(2 * length));
    assert_eq!(events(&mut server), []);
}

#[test]
fn a_reply_that_cannot_be_sent_ends_the_connection_after_the_event() {
    let (client, stream) = Stream::pair().unwrap();
    let mut slots = Slots::<1, 256, 512>::new();
    let mut server = Server::<_, 1>::new(stream, &mut slots).unwrap();
    say(&client, KNOCK);
    shutdown(&client, Shutdown::Read).unwrap();
    assert!(matches!(
        events(&mut server)[..],
        [
            Event::Called(called),
            Event::Disconnected(ended, Ok(())),
            Event::Idle
        ] if called == ended
    ));
}

#[test]
fn x3_dropping_a_server_closes_its_connections() {
    let mut slots = Slots::<2, 256, 512, 1>::new();
    let (client, stream) = Stream::pair().unwrap();
    let mut server = Server::<_, 2, 1>::new(stream, &mut slots).unwrap();
    say(&client, ENTER);
    assert!(matches!(server.step(&mut Door), Ok(Event::Called(_))));
    // A second client sends a descriptor with part of a call.
    let (held, other) = Stream::pair().unwrap();
    let (second, stream) = Stream::pair().unwrap();
    server.adopt(stream).unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [held.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let part = [IoSlice::new(b"{")];
    sendmsg(&second, &part, &mut control, SendFlags::empty()).unwrap();
    drop(held);
    assert_eq!(events(&mut server), []);
    assert_eq!(available(&other), Err(Errno::AGAIN));
    drop(server);
    for end in [client, second, other] {
        assert_eq!(available(&end), Ok(0));
    }
    drop(slots);
}

#[test]
fn l3_wakes_do_not_extend_the_idle_limit_of_a_half_closed_client() {
    static NOW: AtomicU64 = AtomicU64::new(0);
    let (client, stream) = Stream::pair().unwrap();
    let mut slots = Slots::<1, 256, 512>::new();
    let mut server = Server::<_, 1>::new(stream, &mut slots).unwrap();
    server.set_clock(|| NOW.load(Ordering::Relaxed));
    server
        .set_limits(Limits {
            idle: Some(Duration::from_secs(10)),
            ..Limits::default()
        })
        .unwrap();
    say(&client, LISTEN);
    shutdown(&client, Shutdown::Write).unwrap();
    assert!(matches!(events(&mut server)[..], [Event::Called(_)]));
    let late = Err(Error::Transport(unix::IoError::TimedOut));
    let ended = (1..=10).find(|_| {
        NOW.fetch_add(1000, Ordering::Relaxed);
        server.wake(OPENS);
        let events = events(&mut server);
        matches!(events[..], [Event::Disconnected(_, why), Event::Idle] if why == late)
    });
    assert_eq!(ended, Some(10));
}

#[test]
fn try_step_returns_idle_once_when_nothing_is_left() {
    let (client, stream) = Stream::pair().unwrap();
    let mut slots = Slots::<1, 256, 512>::new();
    let mut server = Server::<_, 1>::new(stream, &mut slots).unwrap();
    drop(client);
    let told = events(&mut server);
    assert!(matches!(
        told[..],
        [Event::Disconnected(_, Ok(())), Event::Idle]
    ));
    assert_eq!(events(&mut server), []);
    // The program may wait for something else, but `step` has nothing to wait for.
    assert_eq!(server.step(&mut Door), Ok(Event::Idle));
    assert_eq!(server.step(&mut Door), Ok(Event::Idle));
}

#[test]
fn l4_a_missing_device_is_tried_again_after_a_pause() {
    let mut slots = Slots::<1, 256, 512>::new();
    let device = Listener::bind("device:/dev/nullink-missing").unwrap();
    let mut server = Server::<_, 1>::new(device, &mut slots).unwrap();
    assert_eq!(server.timeout(), Some(0));
    assert_eq!(events(&mut server), []);
    assert_eq!(server.timeout(), Some(100));
}

#[test]
fn l4_a_closed_device_is_opened_again_after_a_pause() {
    let (_line, other) = terminal();
    let mut slots = Slots::<1, 256, 512>::new();
    let device = Listener::bind(&device_address(&other)).unwrap();
    let mut server = Server::<_, 1>::new(device, &mut slots).unwrap();
    let Ok(Event::Connected(connection)) = server.step(&mut Door) else {
        panic!("the device was not opened");
    };
    server.close(&mut Door, connection);
    assert_eq!(server.timeout(), Some(100));
    assert!(matches!(server.step(&mut Door), Ok(Event::Connected(_))));
}

/// Opens a terminal. Returns the client's end and the end that a server opens.
fn terminal() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let line = openpt(flags).unwrap();
    grantpt(&line).unwrap();
    unlockpt(&line).unwrap();
    let other = ioctl_tiocgptpeer(&line, flags).unwrap();
    (line, other)
}

fn device_address(terminal: &OwnedFd) -> String {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", terminal.as_raw_fd())).unwrap();
    format!("device:{}", path.display())
}

#[test]
fn c6_calls_that_fill_the_look_ahead_of_a_device_are_answered() {
    let (line, other) = terminal();
    let mut slots = Slots::<1, 256, 512>::new();
    let device = Listener::bind(&device_address(&other)).unwrap();
    let mut server = Server::<_, 1>::new(device, &mut slots).unwrap();
    assert!(matches!(server.step(&mut Door), Ok(Event::Connected(_))));
    let hesitate = b"{\"method\":\"org.example.door.Hesitate\"}\0";
    rustix::io::write(&line, hesitate).unwrap();
    assert!(matches!(server.step(&mut Door), Ok(Event::Called(_))));
    assert_eq!(events(&mut server), []);
    // Exactly as many bytes as the look-ahead buffer holds.
    let calls = KNOCK.repeat(6);
    let ahead = [&b" ".repeat(256 - calls.len())[..], &calls].concat();
    rustix::io::write(&line, &ahead).unwrap();
    poll(&mut [PollFd::new(&other, PollFlags::IN)], None).unwrap();
    assert_eq!(events(&mut server), []);
    server.wake(OPENS);
    assert_eq!(events(&mut server), []);
    server.wake(OPENS);
    assert_eq!(events(&mut server).len(), 6);
}
