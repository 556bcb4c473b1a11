//! What a service is told about an answer that could not be sent, and what its client gets.
#![cfg(all(feature = "unix", target_os = "linux"))]

use std::mem::MaybeUninit;

use embedded_io::Read;
use nullink::server::{Event, Server, Slots};
use nullink::unix::{IoError, Stream};
use nullink::{
    Answer, Call, CallError, Client, Error, Info, Interface, Method, Mode, NoError, Responder,
    Service, SessionError, interface,
};
use rustix::fd::AsFd;
use rustix::io::IoSlice;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::{Deserialize, Serialize};

const FAIL: Interface = interface!(
    text
    "
interface org.example.fail

method Do(what: string) -> (s: string)
"
);

#[derive(Deserialize)]
enum Methods<'a> {
    Do { what: &'a str },
}

#[derive(Serialize)]
struct Do<'a> {
    what: &'a str,
}

#[derive(Deserialize)]
struct Done {}

impl Method for Do<'_> {
    const NAME: &'static str = "org.example.fail.Do";
    type Output<'r> = Done;
    type Error<'r> = NoError;
}

#[derive(Serialize)]
struct S<T> {
    s: T,
}

#[derive(Default)]
struct Fails {
    failed: Vec<SessionError>,
}

impl Service for Fails {
    const INTERFACES: &'static [Interface] = &[FAIL];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        match call.decode()? {
            Methods::Do { what: "long" } => reply.send(&S {
                s: "x".repeat(1024),
            }),
            Methods::Do { what: "float" } => reply.send(&S { s: f64::NAN }),
            Methods::Do { what: "int" } => reply.send(&S { s: 1 }),
            Methods::Do { .. } => reply.send(&S { s: "ok" }),
        }
    }

    fn failed(&mut self, error: SessionError) {
        self.failed.push(error);
    }
}

/// Calls a server with one connection. Returns the errors that its client, `failed` and the
/// server's event have got.
fn call(what: &str) -> [Vec<String>; 3] {
    let (ours, theirs) = Stream::pair().unwrap();
    let mut slots = Slots::<1, 1024, 2048>::new();
    let mut server = Server::new(theirs, &mut slots).unwrap();
    let mut service = Fails::default();
    let (mut receive, mut send) = ([0; 256], [0; 4096]);
    let mut client = Client::new(ours, &mut receive, &mut send);
    client.queue(&Do { what }, Mode::Simple).unwrap();
    client.flush().unwrap();
    let mut events = Vec::new();
    while let Some(event) = server.try_step(&mut service).unwrap() {
        match event {
            Event::Disconnected(_, Err(error)) => events.push(error.to_string()),
            Event::Idle => break,
            _ => {}
        }
    }
    let got = match client.receive::<Do<'_>>() {
        Ok(Done {}) => vec![],
        Err(CallError::Connection(error)) => vec![error.to_string()],
        Err(error) => panic!("{error}"),
    };
    for error in &service.failed {
        assert_eq!(error.peer.map(|peer| peer.pid), Some(std::process::id()));
        assert_eq!(error.method(), Some(("org.example.fail", "Do")));
    }
    let failed = service.failed.iter().map(ToString::to_string).collect();
    [got, failed, events]
}

#[test]
fn an_answer_that_is_not_sent_is_told_once_with_its_method_and_its_client() {
    assert_eq!(call("ok"), [[""; 0]; 3]);
    let [uid, pid] = [rustix::process::getuid().as_raw(), std::process::id()];
    for (what, event, why) in [
        (
            "long",
            "the message does not fit in the send buffer: enlarge it or send pending calls first",
            "the answer is longer than 1024 bytes, half of the send buffer: enlarge it, or send \
             less",
        ),
        ("float", NOT_FINITE, NOT_FINITE),
        ("int", NOT_AS_DEFINED, NOT_AS_DEFINED),
    ] {
        if what == "int" && !cfg!(debug_assertions) {
            continue;
        }
        let closed = "the service closed the connection before replying";
        let failed = format!("user {uid}, process {pid}: org.example.fail.Do: {why}");
        assert_eq!(call(what), [[closed], [&failed], [event]], "{what}");
    }
}

const NOT_FINITE: &str = "JSON cannot represent NaN or infinity";
const NOT_AS_DEFINED: &str = "the answer is not as defined: a value of a wrong type in field s at \
    byte 19: test the types with tools::contract";

#[test]
fn x1_calls_that_are_read_together_with_refused_descriptors_are_answered() {
    let (ours, theirs) = Stream::pair().unwrap();
    let (given, mut kept) = Stream::pair().unwrap();
    let call = b"{\"method\":\"org.example.fail.Do\",\"parameters\":{\"what\":\"ok\"}}\0";
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    for list in [&[][..], &[given.as_fd()]] {
        let mut descriptors = SendAncillaryBuffer::new(&mut space);
        assert!(descriptors.push(SendAncillaryMessage::ScmRights(list)));
        sendmsg(
            &ours,
            &[IoSlice::new(call)],
            &mut descriptors,
            SendFlags::empty(),
        )
        .unwrap();
    }
    drop(given);
    let mut slots = Slots::<1, 1024, 2048>::new();
    let mut server = Server::new(theirs, &mut slots).unwrap();
    let mut service = Fails::default();
    let mut ends = Vec::new();
    while let Some(event) = server.try_step(&mut service).unwrap() {
        match event {
            Event::Disconnected(_, end) => ends.push(end),
            Event::Idle => break,
            _ => {}
        }
    }
    assert_eq!(ends, [Err(Error::Transport(IoError::Descriptors))]);
    let mut replies = Vec::new();
    let mut buffer = [0; 256];
    let mut ours = ours;
    while let Ok(count @ 1..) = ours.read(&mut buffer) {
        replies.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(replies, b"{\"parameters\":{\"s\":\"ok\"}}\0");
    assert_eq!(kept.read(&mut buffer), Ok(0));
}
