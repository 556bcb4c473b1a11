//! A service's session, as a program that owns its loop drives it, and services whose clients go
//! away.

mod common;

use common::{Arrival, answer};
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use nullink::service::{Info, Outcome, Refusal, ReplyStream, Responder, Session, Step};
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

impl Service for Adder {
    type Cursor = u8;
    const INTERFACES: &'static [Interface] = &[ADD];
    const UPGRADES: bool = true;

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(
        &mut self,
        call: Call<'c>,
        reply: Responder<'c, u8>,
    ) -> Result<Outcome<'c, u8>, Refusal> {
        let failure = match call.decode()? {
            Methods::Add(n) => return Ok(reply.send(&n)?),
            Methods::Count(N { n }) => return self.resume(n, reply.stream()?),
            Methods::Take => return Ok(reply.upgrade()?.send(&(), 7)?),
            Methods::Fail { how: "new" } => Failure::New(Maybe { a: Some(1) }),
            Methods::Fail { how: "empty" } => Failure::New(Maybe { a: None }),
            Methods::Fail { .. } => Failure::Fields { a: None, b: None },
        };
        Ok(reply.error(&failure)?)
    }

    fn resume<'c>(
        &mut self,
        n: u8,
        reply: ReplyStream<'c, u8>,
    ) -> Result<Outcome<'c, u8>, Refusal> {
        Ok(match n {
            0 => reply.send(&N { n })?,
            _ => reply.continues(&N { n }, n - 1)?,
        })
    }

    fn failed(&mut self, error: Error) {
        self.failed.push(error);
    }

    fn abandoned(&mut self, cursor: u8) {
        self.abandoned.push(cursor);
    }
}

const ONE: &[u8] = b"{\"method\":\"org.example.add.Add\",\"parameters\":{\"n\":1}}\0";
const TAKE: &[u8] = b"{\"method\":\"org.example.add.Take\",\"upgrade\":true}\0";

/// What a session does with an input, if what is pending is sent when it asks for that.
fn steps(input: &[u8]) -> Vec<Step<u8>> {
    let (mut receive, mut send) = ([0; 512], [0; 60]);
    let mut session = Session::new(&mut receive, &mut send);
    session.spare()[..input.len()].copy_from_slice(input);
    session.received(input.len());
    let mut steps = Vec::new();
    loop {
        let step = session.step(&mut Adder::default(), None);
        steps.push(step);
        match step {
            Step::Write => session.sent(session.pending().len()),
            Step::Read | Step::Parked | Step::Ended(_) | Step::Upgraded(_) => return steps,
            _ => {}
        }
    }
}

#[test]
fn without_a_drain_each_reply_waits_until_the_one_before_is_sent() {
    use Step::{Called, Read, Streamed, Write};
    assert_eq!(
        steps(&ONE.repeat(3)),
        [Called, Write, Called, Write, Called, Write, Read]
    );
    let count = br#"{"method":"org.example.add.Count","more":true,"parameters":{"n":2}}"#;
    assert_eq!(
        steps(&[&count[..], b"\0", ONE].concat()),
        [
            Streamed, Write, Streamed, Write, Called, Write, Called, Write, Read
        ]
    );
}

#[test]
fn u1_what_follows_an_upgrade_is_unread() {
    let (mut receive, mut send) = ([0; 99], [0; 60]);
    let mut session = Session::new(&mut receive, &mut send);
    let input = [TAKE, b"raw\0bytes"].concat();
    session.spare()[..input.len()].copy_from_slice(&input);
    session.received(input.len());
    let mut service = Adder::default();
    assert_eq!(session.step(&mut service, None), Step::Called);
    assert_eq!(session.step(&mut service, None), Step::Write);
    session.sent(99);
    assert_eq!(session.step(&mut service, None), Step::Upgraded(7));
    assert_eq!(session.unread(), b"raw\0bytes");
    assert_eq!(session.into_unread(), b"raw\0bytes");
}

#[test]
fn a_read_into_a_full_buffer_is_not_the_end() {
    let (mut receive, mut send) = (vec![0; ONE.len()], [0; 60]);
    let mut session = Session::new(&mut receive, &mut send);
    session.spare().copy_from_slice(ONE);
    session.received(ONE.len());
    assert!(session.spare().is_empty());
    session.received(0);
    let mut service = Adder::default();
    assert_eq!(session.step(&mut service, None), Step::Called);
    assert_eq!(session.step(&mut service, None), Step::Write);
    session.sent(99);
    assert_eq!(session.step(&mut service, None), Step::Read);
    session.received(0);
    assert_eq!(session.step(&mut service, None), Step::Ended(Ok(())));
}

/// A stream whose other end takes nothing.
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
fn l5_a_client_that_has_gone_away_is_not_a_failure_of_the_service() {
    for input in [ONE.to_vec(), ONE.repeat(10), TAKE.to_vec()] {
        let mut service = Adder::default();
        let (mut receive, mut send) = ([0; 4096], [0; 64]);
        let end = serve(&mut service, Gone(&input), &mut receive, &mut send);
        assert_eq!(end, Err(Error::Transport(ErrorKind::BrokenPipe)));
        assert_eq!(service.failed, []);
        // An upgrade that was not confirmed has not taken place.
        let expected: &[u8] = if input == TAKE { &[7] } else { &[] };
        assert_eq!(service.abandoned, expected);
    }
}

#[test]
fn an_error_has_the_parameters_that_its_variant_holds() {
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
            99,
        );
        assert_eq!(replies, [expected]);
    }
}

#[test]
fn m5_a_parameter_is_named_whatever_white_space_is_around_it() {
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
            199,
        );
        assert_eq!(replies, [common::invalid(name)]);
    }
}
