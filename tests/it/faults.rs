//! Conversations in which one operation of a stream fails, for every operation and every kind of
//! fault.
//!
//! Each scenario runs once without a fault, which counts its operations. Then it runs again for
//! every operation and every fault, and [`check`] compares the two runs.

use crate::common;
use crate::lines;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use common::{Arrival, Script, split};
use embedded_io::{Error as _, ErrorKind, ErrorType, Read, ReadReady, Write};
use nullink::client::CallError;
use nullink::line::Line;
use nullink::relay::{Relay, Side, Step};
use nullink::service::{Session, State};
use nullink::{
    Answer, Call, Client, End, Error, Info, Interface, Loopback, Method, Misuse, NoError,
    Responder, Service, Violation, interface, serve,
};
use serde::{Deserialize, Serialize};

/// The failure of one operation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// A read or a write moves one byte.
    Short,
    /// The operation returns this error. Later operations succeed.
    Fails(ErrorKind),
    /// A read returns the end of input, and so do all later ones. A write takes no byte.
    End,
}

const FAULTS: [Fault; 6] = [
    Fault::Short,
    Fault::Fails(ErrorKind::Interrupted),
    Fault::Fails(ErrorKind::TimedOut),
    Fault::Fails(ErrorKind::ConnectionReset),
    Fault::Fails(ErrorKind::BrokenPipe),
    Fault::End,
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Read,
    ReadReady,
    Write,
    Flush,
}

/// Counts the operations of all streams of a run, and makes one of them fail.
#[derive(Clone, Default)]
struct Faults {
    count: Rc<Cell<usize>>,
    /// The number of the operation to fail, and its fault.
    plan: Option<(usize, Fault)>,
    failed: Rc<Cell<Option<Operation>>>,
}

/// More operations than any run has, so that a run that does not end fails.
const MAX_OPERATIONS: usize = 10_000;

impl Faults {
    fn over<S>(&self, stream: S) -> Faulty<S> {
        Faulty {
            stream,
            faults: self.clone(),
            is_at_end: false,
            is_inside: false,
        }
    }

    /// Counts an operation. Returns its fault.
    fn next(&self, operation: Operation) -> Result<Option<Fault>, ErrorKind> {
        let number = self.count.replace(self.count.get() + 1);
        assert!(number < MAX_OPERATIONS, "the run does not end");
        let fault = self.plan.filter(|(at, _)| *at == number);
        let Some((_, fault)) = fault else {
            return Ok(None);
        };
        self.failed.set(Some(operation));
        match fault {
            Fault::Fails(error) => Err(error),
            fault => Ok(Some(fault)),
        }
    }

    /// Returns the operation that has failed and its fault, if the connection cannot survive it.
    fn fatal(&self) -> Option<(Operation, Fault)> {
        let (operation, (_, fault)) = (self.failed.get()?, self.plan?);
        match (operation, fault) {
            (_, Fault::Short | Fault::Fails(ErrorKind::Interrupted)) => None,
            // These do not move bytes.
            (Operation::ReadReady | Operation::Flush, Fault::End) => None,
            fatal => Some(fatal),
        }
    }
}

/// A stream with an operation that fails.
struct Faulty<S> {
    stream: S,
    faults: Faults,
    is_at_end: bool,
    /// True if the last byte that was read is not the NUL of a message.
    is_inside: bool,
}

impl<S> ErrorType for Faulty<S> {
    type Error = ErrorKind;
}

impl<S: Read> Read for Faulty<S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let fault = self.faults.next(Operation::Read)?;
        self.is_at_end |= fault == Some(Fault::End);
        if self.is_at_end {
            return Ok(0);
        }
        let most = if fault.is_some() { 1 } else { buffer.len() };
        let read = self.stream.read(&mut buffer[..most]);
        let count = read.map_err(|error| error.kind())?;
        if let Some(last) = buffer[..count].last() {
            self.is_inside = *last != 0;
        }
        Ok(count)
    }
}

impl<S: ReadReady> ReadReady for Faulty<S> {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        self.faults.next(Operation::ReadReady)?;
        self.stream.read_ready().map_err(|error| error.kind())
    }
}

impl<S: Write> Write for Faulty<S> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let most = match self.faults.next(Operation::Write)? {
            None => bytes.len(),
            Some(Fault::End) => return Ok(0),
            Some(_) => 1,
        };
        let written = self.stream.write(&bytes[..most]);
        written.map_err(|error| error.kind())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.faults.next(Operation::Flush)?;
        self.stream.flush().map_err(|error| error.kind())
    }
}

const FAULT: Interface = interface!(
    text "
interface org.example.fault

method Echo(s: string) -> (s: string)

# Counts from 0 to n - 1
method Count(n: int) -> (i: int)

# Waits for a wake
method Wait() -> (i: int)

# Upgrades to another protocol
method Pipe() -> ()
"
);

const ECHO_A: &str = "{\"method\":\"org.example.fault.Echo\",\"parameters\":{\"s\":\"a\"}}\0";
const ECHO_B: &str = "{\"method\":\"org.example.fault.Echo\",\"parameters\":{\"s\":\"b\"}}\0";
const ONEWAY: &str =
    "{\"method\":\"org.example.fault.Echo\",\"oneway\":true,\"parameters\":{\"s\":\"o\"}}\0";
const COUNT: &str =
    "{\"method\":\"org.example.fault.Count\",\"more\":true,\"parameters\":{\"n\":4}}\0";
const WAIT: &str = "{\"method\":\"org.example.fault.Wait\"}\0";
const PIPE: &str = "{\"method\":\"org.example.fault.Pipe\",\"upgrade\":true}\0";

#[derive(Deserialize)]
enum Methods<'a> {
    #[serde(borrow)]
    Echo(Echo<'a>),
    Count(Count),
    Wait,
    Pipe,
}

#[derive(Serialize, Deserialize)]
struct Echo<'a> {
    s: &'a str,
}

impl Method for Echo<'_> {
    const NAME: &'static str = "org.example.fault.Echo";
    type Output<'r> = Echo<'r>;
    type Error<'r> = NoError;
}

#[derive(Serialize, Deserialize)]
struct Count {
    n: u8,
}

impl Method for Count {
    const NAME: &'static str = "org.example.fault.Count";
    type Output<'r> = Counted;
    type Error<'r> = NoError;
}

#[derive(Serialize, Deserialize)]
struct Counted {
    i: u8,
}

/// The next number of Count, and the count of numbers.
type Cursor = (u8, u8);

/// The cursor of a parked call.
const PARKED: Cursor = (0, 1);

/// The cursor of an upgrade.
const PIPED: Cursor = (7, 7);

const TOPIC: u32 = 3;

/// A service that records its calls and its cursors. Its clones share the records.
#[derive(Clone, Default)]
struct Recorder(Rc<RefCell<Records>>);

#[derive(Default)]
struct Records {
    calls: Vec<String>,
    /// The cursor that the session has now.
    cursor: Option<Cursor>,
    abandoned: Vec<Cursor>,
}

impl Recorder {
    fn keep(&self, cursor: Cursor) -> Cursor {
        self.0.borrow_mut().cursor = Some(cursor);
        cursor
    }

    fn take(&self) -> Option<Cursor> {
        self.0.borrow_mut().cursor.take()
    }
}

impl Service<Cursor> for Recorder {
    const INTERFACES: &'static [Interface] = &[FAULT];
    const UPGRADES: bool = true;

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        let text = format!("{}{}", call.member(), call.parameters().as_str());
        self.0.borrow_mut().calls.push(text);
        match call.decode()? {
            Methods::Echo(echo) => reply.send(&echo),
            Methods::Count(Count { n }) => self.count((0, n), reply),
            Methods::Wait => reply.park(TOPIC, self.keep(PARKED)),
            Methods::Pipe => reply.upgrade()?.send(&(), self.keep(PIPED)),
        }
    }

    fn resume<'c>(&mut self, cursor: Cursor, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        assert_eq!(self.take(), Some(cursor), "each cursor is resumed once");
        self.count(cursor, reply)
    }

    fn abandoned(&mut self, cursor: Cursor) {
        assert_eq!(self.take(), Some(cursor), "each cursor is abandoned once");
        self.0.borrow_mut().abandoned.push(cursor);
    }
}

impl Recorder {
    fn count<'c>(&self, (i, n): Cursor, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        let counted = Counted { i };
        if i + 1 < n {
            reply.more()?.next(&counted)?.then(self.keep((i + 1, n)))
        } else {
            reply.send(&counted)
        }
    }
}

/// The result of a run.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// The replies that the client has received, each with its NUL.
    received: Vec<u8>,
    calls: Vec<String>,
    abandoned: Vec<Cursor>,
    end: Result<(), Error<ErrorKind>>,
}

impl Outcome {
    fn new(recorder: &Recorder, received: Vec<u8>, end: Result<(), Error<ErrorKind>>) -> Self {
        let records = recorder.0.borrow();
        Outcome {
            received,
            calls: records.calls.clone(),
            abandoned: records.abandoned.clone(),
            end,
        }
    }
}

/// The side that sees a failed operation.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    /// A service fails with each error of its stream.
    ByService,
    /// A client or a relay treats the error of a closed connection as the end of input, because
    /// replies that were sent before can still be received.
    ByClient,
}

/// True if `end` is possible after the end of input, or for a client after a closed connection.
fn is_end(end: Result<(), Error<ErrorKind>>, seen: Seen) -> bool {
    match end {
        Ok(()) | Err(Error::Protocol(Violation::Truncated)) => true,
        Err(Error::Closed | Error::Misuse(Misuse::Unusable)) => seen == Seen::ByClient,
        Err(_) => false,
    }
}

/// Runs a scenario with every fault in every operation. Returns the number of runs in which a
/// cursor was abandoned.
fn check(seen: Seen, scenario: impl Fn(&Faults) -> Outcome) -> usize {
    let faults = Faults::default();
    let clean = scenario(&faults);
    let operations = faults.count.get();
    assert!(operations > 1, "{operations} operations");
    assert_eq!(clean.end, Ok(()));
    assert_eq!(clean.abandoned, []);
    assert!(!clean.received.is_empty());
    let mut abandoned = 0;
    for number in 0..operations {
        for fault in FAULTS {
            let faults = Faults {
                plan: Some((number, fault)),
                ..Faults::default()
            };
            let faulty = scenario(&faults);
            let failed = faults.failed.get().expect("the operation is reached");
            let case = format!("{fault:?} in operation {number}, {failed:?}: {faulty:?}");
            let Some(fatal) = faults.fatal() else {
                assert_eq!(faulty, clean, "{case}");
                continue;
            };
            let _whole = split(&faulty.received);
            assert!(clean.received.starts_with(&faulty.received), "{case}");
            assert!(clean.calls.starts_with(&faulty.calls), "{case}");
            assert!(faulty.abandoned.len() <= 1, "{case}");
            abandoned += faulty.abandoned.len();
            let is_expected = match fatal {
                (Operation::Read, Fault::End) => is_end(faulty.end, seen),
                (_, Fault::End) => faulty.end == Err(Error::WriteZero),
                (_, Fault::Fails(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe))
                    if seen == Seen::ByClient =>
                {
                    is_end(faulty.end, seen)
                }
                (_, Fault::Fails(error)) => faulty.end == Err(Error::Transport(error)),
                (_, Fault::Short) => false,
            };
            assert!(is_expected, "{case}");
        }
    }
    abandoned
}

/// Serves a client's calls with the blocking driver.
fn served(input: &str, send: usize, faults: &Faults) -> Outcome {
    let service = Recorder::default();
    let script = Script::new(input.as_bytes(), Arrival::Split(input.len() - 9));
    let mut stream = faults.over(script);
    let (mut receive, mut send) = ([0; 512], vec![0; send]);
    let end = serve(&mut service.clone(), &mut stream, &mut receive, &mut send);
    let end = end.map(|end| assert_eq!(end, End::Closed));
    assert_eq!(service.take(), None, "the cursor was abandoned");
    let is_inside = stream.is_inside;
    let outcome = Outcome::new(&service, stream.stream.output, end);
    if let Some((Operation::Read, Fault::End)) = faults.fatal() {
        let truncated = Err(Violation::Truncated.into());
        assert_eq!(end, if is_inside { truncated } else { Ok(()) });
    }
    if !matches!(
        faults.fatal(),
        Some((Operation::Write | Operation::Flush, _))
    ) {
        // Every call that was read is answered, whatever the next read returns.
        let replies = outcome.calls.iter().map(|call| match call.as_str() {
            r#"Count{"n":4}"# => 4,
            r#"Echo{"s":"o"}"# => 0,
            _ => 1,
        });
        assert_eq!(split(&outcome.received).len(), replies.sum::<usize>());
    }
    outcome
}

#[test]
fn f1_a_call_is_answered_whole_or_not_at_all_whatever_operation_fails() {
    check(Seen::ByService, |faults| served(ECHO_A, 512, faults));
}

#[test]
fn c6_pipelined_calls_are_answered_once_and_in_order_whatever_operation_fails() {
    let input = [ECHO_A, ONEWAY, ECHO_B, ECHO_A, ECHO_B].concat();
    // With room for two replies, and for all of them.
    for send in [64, 1024] {
        check(Seen::ByService, |faults| served(&input, send, faults));
    }
}

#[test]
fn l5_a_stream_is_abandoned_once_whatever_operation_fails() {
    let input = [ECHO_A, COUNT, ECHO_B].concat();
    let abandoned = check(Seen::ByService, |faults| served(&input, 512, faults));
    assert!(abandoned > 0);
}

/// Serves a session with a driver that can park calls, and which takes the end of input during a
/// parked call for the end of the client.
fn parked(faults: &Faults) -> Outcome {
    let service = Recorder::default();
    let input = [WAIT, ECHO_A, WAIT, ECHO_B].concat();
    let script = Script::new(input.as_bytes(), Arrival::Split(WAIT.len()));
    let mut stream = faults.over(script);
    let (mut receive, mut send) = ([0; 128], [0; 128]);
    let mut session = Session::new(&mut receive, &mut send);
    let mut turn = |session: &mut Session<'_, Cursor>| {
        let is_parked = matches!(session.state(), State::Parked(..));
        let channel = session.channel();
        if !channel.pending().is_empty() {
            match stream.write(channel.pending()).map_err(Error::Transport)? {
                0 => return Err(Error::WriteZero),
                count => channel.sent(count),
            }
            return Ok(());
        }
        let count = stream.read(channel.spare()).map_err(Error::Transport)?;
        channel.received(count);
        if is_parked && count == 0 {
            session.abandon(&mut service.clone());
        }
        session.wake(TOPIC);
        Ok(())
    };
    let end = loop {
        while session.step(&mut service.clone()) {}
        let is_sent = session.channel().pending().is_empty();
        if let (State::Ended(end), true) = (session.state(), is_sent) {
            break end.map_err(Error::with_transport);
        }
        match turn(&mut session) {
            Ok(()) | Err(Error::Transport(ErrorKind::Interrupted)) => {}
            Err(error) => {
                session.abandon(&mut service.clone());
                session.abandon(&mut service.clone());
                assert!(matches!(session.state(), State::Ended(Ok(()))));
                assert!(session.channel().pending().is_empty());
                break Err(error);
            }
        }
    };
    assert_eq!(service.take(), None, "the cursor was abandoned");
    Outcome::new(&service, stream.stream.output, end)
}

#[test]
fn l5_a_parked_call_is_abandoned_once_whatever_operation_fails() {
    assert!(check(Seen::ByService, parked) > 0);
}

/// Serves an upgrade. The bytes of the other protocol follow the replies, as one message.
fn upgraded(faults: &Faults) -> Outcome {
    let service = Recorder::default();
    let input = [ECHO_A, PIPE, "other bytes\0"].concat();
    let script = Script::new(input.as_bytes(), Arrival::Split(input.len() - 9));
    let mut stream = faults.over(script);
    let (mut receive, mut send) = ([0; 512], [0; 512]);
    let end = serve(&mut service.clone(), &mut stream, &mut receive, &mut send);
    let mut received = stream.stream.output.clone();
    let end = match end {
        Ok(End::Upgraded { cursor, unread }) => {
            assert_eq!(service.take(), Some(cursor));
            let mut rest = [0; 64];
            let count = stream.stream.read(&mut rest).expect("no fault");
            received.extend([unread, &rest[..count]].concat());
            Ok(())
        }
        end => end.map(drop),
    };
    assert_eq!(service.take(), None, "the cursor was abandoned");
    Outcome::new(&service, received, end)
}

#[test]
fn u1_an_upgrade_loses_no_byte_and_is_abandoned_once_whatever_operation_fails() {
    assert!(check(Seen::ByService, upgraded) > 0);
}

/// The service behind a relay, which takes calls and returns replies.
struct Backend<'b> {
    service: Recorder,
    session: Session<'b, Cursor>,
}

impl Backend<'_> {
    fn run(&mut self) {
        while self.session.step(&mut self.service) {}
    }

    /// True if a read does not wait.
    fn is_ready(&mut self) -> bool {
        self.run();
        let has_ended = matches!(self.session.state(), State::Ended(_));
        has_ended || !self.session.channel().pending().is_empty()
    }
}

impl ErrorType for Backend<'_> {
    type Error = ErrorKind;
}

impl Read for Backend<'_> {
    fn read(&mut self, mut buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let channel = self.session.channel();
        let count = buffer.write(channel.pending()).unwrap_or_default();
        channel.sent(count);
        Ok(count)
    }
}

impl Write for Backend<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let mut spare = self.session.channel().spare();
        let count = spare.write(bytes).unwrap_or_default();
        self.session.channel().received(count);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Moves bytes between a relay and the stream of one side, as `unix::relay` does.
fn pass<S: Read + Write>(
    relay: &mut Relay<'_>,
    side: Side,
    stream: &mut Faulty<S>,
    is_ready: bool,
) -> Result<(), Error<ErrorKind>> {
    let closes = |error| matches!(error, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
    if !relay.pending(side).is_empty() {
        match stream.write(relay.pending(side)) {
            Ok(0) => return Err(Error::WriteZero),
            Ok(count) => relay.sent(side, count),
            Err(ErrorKind::Interrupted) => {}
            Err(error) if closes(error) => relay.fail_to_send(side),
            Err(error) => return Err(Error::Transport(error)),
        }
    } else if is_ready && !relay.spare(side).is_empty() {
        match stream.read(relay.spare(side)) {
            Ok(count) => relay.received(side, count),
            Err(ErrorKind::Interrupted) => {}
            Err(error) if closes(error) => {
                relay.received(side, 0);
                relay.fail_to_send(side);
            }
            Err(error) => return Err(Error::Transport(error)),
        }
    }
    Ok(())
}

fn relayed(faults: &Faults) -> Outcome {
    let service = Recorder::default();
    let input = [ECHO_A, COUNT, ECHO_B].concat();
    let script = Script::new(input.as_bytes(), Arrival::Split(input.len() - 9));
    let mut client = faults.over(script);
    // The service has room for one reply, so the stream waits for the relay.
    let (mut receive, mut send) = ([0; 512], [0; 96]);
    let mut backend = faults.over(Backend {
        service: service.clone(),
        session: Session::new(&mut receive, &mut send),
    });
    let (mut calls, mut replies) = ([0; 1024], [0; 1024]);
    let mut relay = Relay::new(&mut calls, &mut replies);
    let mut turns = 0..1000;
    let end = loop {
        turns.next().expect("the relay ends");
        if let Step::Ended(end) = relay.step(&mut ()) {
            break end.map_err(|failure| failure.error.with_transport());
        }
        let is_ready = backend.stream.is_ready();
        let passed = pass(&mut relay, Side::Client, &mut client, true)
            .and_then(|()| pass(&mut relay, Side::Service, &mut backend, is_ready));
        if let Err(error) = passed {
            break Err(error);
        }
        if relay.finished(Side::Service) {
            backend.stream.session.channel().received(0);
        }
    };
    // The relay closes both connections.
    let mut session = backend.stream.session;
    session.abandon(&mut service.clone());
    assert_eq!(service.take(), None, "the cursor was abandoned");
    Outcome::new(&service, client.stream.output, end)
}

#[test]
fn c6_a_relay_passes_replies_once_and_in_order_whatever_operation_fails() {
    assert!(check(Seen::ByClient, relayed) > 0);
}

/// Serves two clients of a line. If the stream fails, serves it again: the client from before gets
/// no further replies, and the other gets all or none.
fn line(faults: &Faults) -> Outcome {
    let service = Recorder::default();
    let mut wire = lines::Line::new([ECHO_A, COUNT].concat().as_bytes(), Arrival::Joined);
    // Arrives during the stream.
    wire.arrives(1, ECHO_A.as_bytes());
    // Arrives when all replies were sent.
    wire.arrives(usize::MAX, ["\0\0", ECHO_B, ECHO_B].concat().as_bytes());
    let mut stream = faults.over(wire);
    let (mut receive, mut send, mut ahead) = ([0; 512], [0; 512], [0; 512]);
    let mut line = Line::new(&mut stream, &mut ahead);
    let end = line.serve(&mut service.clone(), &mut receive, &mut send);
    let end = end.map(|end| assert_eq!(end, End::Closed));
    assert_eq!(service.take(), None, "the cursor was abandoned");
    let again = Recorder::default();
    if end.is_err() {
        let end = line.serve(&mut again.clone(), &mut receive, &mut send);
        assert_eq!(end, Ok(End::Closed));
    }
    let mut received = stream.stream.output;
    let calls = &again.0.borrow().calls;
    let echo = r#"Echo{"s":"b"}"#;
    assert!(matches!(&calls[..], []) || *calls == [echo; 2], "{calls:?}");
    // Replies to the second client alone follow.
    let later = "{\"parameters\":{\"s\":\"b\"}}\0".repeat(calls.len());
    assert!(received.ends_with(later.as_bytes()));
    received.truncate(received.len() - later.len());
    Outcome::new(&service, received, end)
}

#[test]
fn l5_a_stream_on_a_line_is_abandoned_once_whatever_operation_fails() {
    assert!(check(Seen::ByService, line) > 0);
}

/// A client that has failed can make no calls.
fn assert_unusable<S: Read + Write<Error = ErrorKind>>(client: &mut Client<'_, S>) {
    let unusable = Err(CallError::Connection(Error::Misuse(Misuse::Unusable)));
    assert_eq!(client.call(&Echo { s: "x" }).map(drop), unusable);
}

/// Runs a client, and returns the replies that it has received. After an error, the client must be
/// unusable.
fn with_client(
    faults: &Faults,
    run: impl Fn(
        &mut Client<'_, Faulty<Loopback<'_, Recorder, Cursor>>>,
        &mut Vec<u8>,
    ) -> Result<(), Error<ErrorKind>>,
) -> Outcome {
    let service = Recorder::default();
    // There is room for one reply at a time, so the client reads a stream several times.
    let (mut a, mut b, mut c, mut d) = ([0; 256], [0; 96], [0; 48], [0; 256]);
    let stream = faults.over(Loopback::new(service.clone(), &mut a, &mut b));
    let mut client = Client::new(stream, &mut c, &mut d);
    let mut received = Vec::new();
    let end = run(&mut client, &mut received);
    if faults.fatal().is_some() || end.is_err() {
        assert_unusable(&mut client);
    }
    Outcome::new(&service, received, end)
}

/// Returns the error of the connection.
fn connection(error: CallError<'_, NoError, ErrorKind>) -> Error<ErrorKind> {
    match error {
        CallError::Connection(error) => error,
        error => panic!("{error}"),
    }
}

#[test]
fn r5_a_clients_calls_fail_or_succeed_whole_whatever_operation_fails() {
    check(Seen::ByClient, |faults| {
        with_client(faults, |client, received| {
            for s in ["a", "b", "c"] {
                let reply = client.call(&Echo { s }).map_err(connection)?;
                received.extend([reply.s.as_bytes(), b"\0"].concat());
            }
            Ok(())
        })
    });
}

#[test]
fn r5_a_clients_stream_of_replies_fails_once_whatever_operation_fails() {
    check(Seen::ByClient, |faults| {
        with_client(faults, |client, received| {
            let mut replies = client.more(&Count { n: 4 }).map_err(connection)?;
            loop {
                match replies.next().map_err(connection) {
                    Ok(Some(Counted { i })) => received.extend([b'0' + i, 0]),
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        assert!(matches!(replies.next(), Ok(None)));
                        return Err(error);
                    }
                }
            }
        })
    });
}
