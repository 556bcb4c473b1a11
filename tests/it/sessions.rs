//! Sessions of a service, driven by the program's own loop, and services whose clients disconnect.

use crate::common;

use common::{Arrival, answer};
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use nullink::service::{Answer, Info, Responder, Session, State};
use nullink::{Call, Error, Interface, Service, interface, serve};
use serde::{Deserialize, Serialize};

const ADD: Interface = interface!(
    text "
interface org.example.add

method Add(n: int) -> (n: int)
method Count(n: int) -> (n: int)
method Take() -> ()
method Fail(how: string) -> ()

error New (a: ?int)
error Fields (a: ?int, b: ?int)
"
);

#[derive(Deserialize)]
enum Methods<'a> {
    Add(N),
    Count(N),
    Take,
    Fail { how: &'a str },
}

#[derive(Serialize, Deserialize)]
struct N {
    n: u8,
}

#[derive(Serialize)]
enum Failure {
    New(Maybe),
    Fields { a: Option<u8>, b: Option<u8> },
}

#[derive(Serialize)]
struct Maybe {
    a: Option<u8>,
}

#[derive(Default)]
struct Adder {
    failed: Vec<Error>,
    abandoned: Vec<u8>,
}

impl Service<u8> for Adder {
    const INTERFACES: &'static [Interface] = &[ADD];
    const UPGRADES: bool = true;

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, u8>) -> Answer<'c, u8> {
        match call.decode()? {
            Methods::Add(n) => reply.send(&n),
            Methods::Count(N { n }) => self.resume(n, reply),
            Methods::Take => reply.upgrade()?.send(&(), 7),
            Methods::Fail { how: "new" } => reply.error(&Failure::New(Maybe { a: Some(1) })),
            Methods::Fail { how: "empty" } => reply.error(&Failure::New(Maybe { a: None })),
            Methods::Fail { .. } => reply.error(&Failure::Fields { a: None, b: None }),
        }
    }

    fn resume<'c>(&mut self, n: u8, reply: Responder<'c, u8>) -> Answer<'c, u8> {
        let reply = reply.more()?;
        if n == 0 {
            reply.send(&N { n })
        } else {
            reply.next(&N { n })?.then(n - 1)
        }
    }

    fn failed(&mut self, error: nullink::SessionError) {
        self.failed.push(error.error);
    }

    fn abandoned(&mut self, cursor: u8) {
        self.abandoned.push(cursor);
    }
}

const ONE: &[u8] = b"{\"method\":\"org.example.add.Add\",\"parameters\":{\"n\":1}}\0";
const TAKE: &[u8] = b"{\"method\":\"org.example.add.Take\",\"upgrade\":true}\0";

/// Returns the number of messages in each write, if all pending bytes are written when `step` has
/// nothing to do.
fn batches(input: &[u8], send: usize) -> Vec<usize> {
    let (mut receive, mut send) = ([0; 512], vec![0; send]);
    let mut session = Session::new(&mut receive, &mut send);
    session.channel().spare()[..input.len()].copy_from_slice(input);
    session.channel().received(input.len());
    let mut batches = Vec::new();
    loop {
        if session.step(&mut Adder::default()) {
            continue;
        }
        let pending = session.channel().pending();
        let count = pending.len();
        if count == 0 {
            return batches;
        }
        batches.push(pending.iter().filter(|byte| **byte == 0).count());
        session.channel().sent(count);
    }
}

#[test]
fn replies_are_batched_while_half_of_the_buffer_is_free() {
    // A final reply is 23 bytes long, and one with `continues` 40.
    assert_eq!(batches(&ONE.repeat(3), 46), [2, 1]);
    assert_eq!(batches(&ONE.repeat(3), 90), [2, 1]);
    assert_eq!(batches(&ONE.repeat(3), 91), [3]);
    let count = br#"{"method":"org.example.add.Count","more":true,"parameters":{"n":2}}"#;
    let input = [&count[..], b"\0", ONE].concat();
    assert_eq!(batches(&input, 80), [2, 2]);
    assert_eq!(batches(&input, 158), [2, 2]);
    assert_eq!(batches(&input, 159), [3, 1]);
}

#[test]
fn u1_bytes_after_an_upgrade_are_unread() {
    let (mut receive, mut send) = ([0; 99], [0; 60]);
    let mut session = Session::new(&mut receive, &mut send);
    let input = [TAKE, b"raw\0bytes"].concat();
    session.channel().spare()[..input.len()].copy_from_slice(&input);
    session.channel().received(input.len());
    let mut service = Adder::default();
    assert!(session.step(&mut service));
    assert!(matches!(session.state(), State::Upgraded(7)));
    assert_eq!(session.channel().pending(), b"{}\0");
    session.channel().sent(3);
    assert!(!session.step(&mut service));
    assert_eq!(session.channel().unread(), b"raw\0bytes");
}

#[test]
fn a_read_into_a_full_buffer_is_not_the_end_of_input() {
    let (mut receive, mut send) = (vec![0; ONE.len()], [0; 60]);
    let mut session = Session::new(&mut receive, &mut send);
    session.channel().spare().copy_from_slice(ONE);
    session.channel().received(ONE.len());
    assert!(session.channel().spare().is_empty());
    session.channel().received(0);
    assert!(!session.channel().is_at_end());
    let mut service = Adder::default();
    assert!(session.step(&mut service));
    assert!(!session.step(&mut service));
    assert!(matches!(session.state(), State::Open));
    session.channel().received(0);
    assert!(session.step(&mut service));
    assert!(matches!(session.state(), State::Ended(Ok(()))));
}

/// A stream whose peer has closed: writes fail.
struct Gone<'a>(&'a [u8]);

impl ErrorType for Gone<'_> {
    type Error = ErrorKind;
}

impl Read for Gone<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let count = self.0.len().min(buffer.len());
        let (read, rest) = self.0.split_at(count);
        buffer[..count].copy_from_slice(read);
        self.0 = rest;
        Ok(count)
    }
}

impl Write for Gone<'_> {
    fn write(&mut self, _: &[u8]) -> Result<usize, ErrorKind> {
        Err(ErrorKind::BrokenPipe)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[test]
fn l5_a_disconnected_client_is_not_reported_as_a_failure() {
    for input in [ONE.to_vec(), ONE.repeat(10), TAKE.to_vec()] {
        let mut service = Adder::default();
        let (mut receive, mut send) = ([0; 4096], [0; 64]);
        let end = serve(&mut service, Gone(&input), &mut receive, &mut send);
        assert_eq!(end, Err(Error::Transport(ErrorKind::BrokenPipe)));
        assert_eq!(service.failed, []);
        // An upgrade whose reply was not sent is abandoned.
        let expected: &[u8] = if input == TAKE { &[7] } else { &[] };
        assert_eq!(service.abandoned, expected);
    }
}

#[test]
fn an_error_has_the_parameters_of_its_variant() {
    for (how, expected) in [
        (
            "new",
            r#"{"error":"org.example.add.New","parameters":{"a":1}}"#,
        ),
        ("empty", r#"{"error":"org.example.add.New"}"#),
        ("fields", r#"{"error":"org.example.add.Fields"}"#),
    ] {
        let call = format!(
            "{{\"method\":\"org.example.add.Fail\",\"parameters\":{{\"how\":\"{how}\"}}}}\0"
        );
        let (replies, _) = answer(
            &mut Adder::default(),
            call.as_bytes(),
            Arrival::Joined,
            99,
            198,
        );
        assert_eq!(replies, [expected]);
    }
}

#[test]
fn m5_a_parameter_is_named_with_any_white_space_around_it() {
    for (parameters, name) in [
        (r#"{ "n" : 300 }"#, "n"),
        (r#"{"n":1 , "m" : 1 }"#, "m"),
        ("{\n\t\"n\"\n:\n1\n,\n\"m\"\n:\n1\n}", "m"),
    ] {
        let call = format!("{{\"method\":\"org.example.add.Add\",\"parameters\":{parameters}}}\0");
        let (replies, _) = answer(
            &mut Adder::default(),
            call.as_bytes(),
            Arrival::Joined,
            199,
            398,
        );
        assert_eq!(replies, [common::invalid(name)]);
    }
}
