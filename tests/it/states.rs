//! The states of a service's session: every row of the table in `service::state`.

use std::collections::VecDeque;

use nullink::service::{Answer, Info, Refusal, Responder, Service, Session, State};
use nullink::{Call, EncodeError, Error, Interface, Loopback, Mismatch, Violation};
use nullink::{interface, serve};
use serde::Serialize;

const STATES: Interface = interface!(
    text "
interface org.example.states

method Do() -> (n: int)

error Failed (n: int)
"
);

/// An action of a handler, in `call` or in `resume`.
#[derive(Clone, Copy, Debug)]
enum Do {
    Send(u32),
    Fail(u32),
    /// Sends a reply with `continues`, and keeps the cursor.
    Next(u32, u8),
    NextAndPark(u32, u8),
    /// Parks the stream without a reply.
    ParkStream(u8),
    Park(u8),
    Upgrade(u8),
    Refuse(Refusal),
    /// Replies with a field that the definition does not have.
    SendUndefined,
    NextUndefined(u8),
    UpgradeUndefined(u8),
    /// Tries a reply of 1000 bytes, and sends a short one if that does not fit.
    TryLong(u32),
    SendLong,
}

/// A callback of the service.
#[derive(Debug, PartialEq)]
enum Told {
    Called,
    Resumed(u8),
    Failed(Error),
    Abandoned(u8),
}
use Told::{Abandoned, Called, Failed, Resumed};

/// A service whose handlers take their actions from a list.
#[derive(Default)]
struct Script {
    list: VecDeque<Do>,
    told: Vec<Told>,
}

const TOPIC: u32 = 7;

#[derive(Serialize)]
struct N {
    n: u32,
}

#[derive(Serialize)]
struct Undefined {
    m: u32,
}

#[derive(Serialize)]
struct Long {
    n: &'static [u32],
}

const LONG: Long = Long { n: &[0; 500] };

#[derive(Serialize)]
enum Failure {
    Failed(N),
}

impl Script {
    fn answer<'c>(&mut self, reply: Responder<'c, u8>) -> Answer<'c, u8> {
        match self.list.pop_front().expect("an action for each handler") {
            Do::Send(n) => reply.send(&N { n }),
            Do::Fail(n) => reply.error(&Failure::Failed(N { n })),
            Do::Next(n, cursor) => reply.more()?.next(&N { n })?.then(cursor),
            Do::NextAndPark(n, cursor) => reply.more()?.next(&N { n })?.park(TOPIC, cursor),
            Do::ParkStream(cursor) => reply.more()?.park(TOPIC, cursor),
            Do::Park(cursor) => reply.park(TOPIC, cursor),
            Do::Upgrade(cursor) => reply.upgrade()?.send(&N { n: 0 }, cursor),
            Do::Refuse(refusal) => Err(refusal),
            Do::SendUndefined => reply.send(&Undefined { m: 1 }),
            Do::NextUndefined(cursor) => reply.more()?.next(&Undefined { m: 1 })?.then(cursor),
            Do::UpgradeUndefined(cursor) => reply.upgrade()?.send(&Undefined { m: 1 }, cursor),
            Do::TryLong(n) => match reply.try_send(&LONG) {
                Ok(_) => panic!("a long reply fits"),
                Err(unsent) => {
                    assert_eq!(unsent.why, EncodeError::Full);
                    unsent.reply.send(&N { n })
                }
            },
            Do::SendLong => reply.send(&LONG),
        }
    }
}

impl Service<u8> for Script {
    const INTERFACES: &'static [Interface] = &[STATES];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, _: Call<'c>, reply: Responder<'c, u8>) -> Answer<'c, u8> {
        self.told.push(Called);
        self.answer(reply)
    }

    fn resume<'c>(&mut self, cursor: u8, reply: Responder<'c, u8>) -> Answer<'c, u8> {
        self.told.push(Resumed(cursor));
        self.answer(reply)
    }

    fn failed(&mut self, error: nullink::SessionError) {
        self.told.push(Failed(error.error));
    }

    fn abandoned(&mut self, cursor: u8) {
        self.told.push(Abandoned(cursor));
    }
}

const CALL: &str = "{\"method\":\"org.example.states.Do\"}\0";
const MORE: &str = "{\"method\":\"org.example.states.Do\",\"more\":true}\0";
const ONEWAY: &str = "{\"method\":\"org.example.states.Do\",\"oneway\":true}\0";
const UPGRADE: &str = "{\"method\":\"org.example.states.Do\",\"upgrade\":true}\0";
const DESCRIBE: &str = "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\
    \"parameters\":{\"interface\":\"org.varlink.service\"}}\0";

fn reply(n: u32) -> String {
    format!("{{\"parameters\":{{\"n\":{n}}}}}\0")
}

fn continues(n: u32) -> String {
    format!("{{\"continues\":true,\"parameters\":{{\"n\":{n}}}}}\0")
}

fn error(name: &str) -> String {
    format!("{{\"error\":\"org.varlink.service.{name}\"}}\0")
}

/// A session and its service.
struct Stage<'b> {
    session: Session<'b, u8>,
    service: Script,
}

impl<'b> Stage<'b> {
    fn new(receive: &'b mut [u8], send: &'b mut [u8], list: &[Do]) -> Self {
        Stage {
            session: Session::new(receive, send),
            service: Script {
                list: list.iter().copied().collect(),
                told: Vec::new(),
            },
        }
    }

    fn receive(&mut self, text: &str) {
        let channel = self.session.channel();
        channel.spare()[..text.len()].copy_from_slice(text.as_bytes());
        channel.received(text.len());
    }

    fn step(&mut self) -> bool {
        self.session.step(&mut self.service)
    }

    /// Steps until there is nothing to do. Returns the bytes that are sent to the client.
    fn run(&mut self) -> String {
        let mut sent = Vec::new();
        loop {
            if self.step() {
                continue;
            }
            let channel = self.session.channel();
            let count = channel.pending().len();
            if count == 0 {
                return String::from_utf8(sent).expect("UTF-8");
            }
            sent.extend_from_slice(channel.pending());
            channel.sent(count);
        }
    }

    fn state(&self) -> String {
        match self.session.state() {
            State::Open => "open".to_string(),
            State::Due(_) => "due".to_string(),
            State::Describing(_) => "describing".to_string(),
            State::Parked(topic, _) => format!("parked under {topic}"),
            State::Upgraded(cursor) => format!("upgraded with {cursor}"),
            State::Ended(Ok(())) => "ended".to_string(),
            State::Ended(Err(error)) => format!("ended: {error}"),
        }
    }

    fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.service.told)
    }

    #[track_caller]
    fn expect(&mut self, state: &str, sent: &str, told: &[Told]) {
        assert_eq!(self.run(), sent);
        assert_eq!(self.state(), state);
        assert_eq!(self.told(), told);
        assert!(self.service.list.is_empty(), "{:?}", self.service.list);
    }
}

/// Declares a stage whose send buffer holds replies of up to 128 bytes.
macro_rules! stage {
    ($stage:ident, $list:expr) => {
        let (mut receive, mut send) = ([0; 512], [0; 256]);
        let mut $stage = Stage::new(&mut receive, &mut send, &$list);
    };
}

#[test]
fn open_waits_for_a_whole_call_and_for_room() {
    let (mut receive, mut send) = ([0; 512], [0; 64]);
    let list = [Do::Send(1), Do::Send(2), Do::Send(3)];
    let mut stage = Stage::new(&mut receive, &mut send, &list);
    assert!(!stage.step());
    let (begin, end) = CALL.split_at(9);
    stage.receive(begin);
    assert!(!stage.step());
    stage.receive(&(end.to_owned() + CALL + CALL));
    // A call needs 32 free bytes of 64: they are free after one reply of 23 bytes, not after two.
    assert!(stage.step());
    assert!(stage.step());
    assert!(!stage.step());
    assert_eq!(stage.state(), "open");
    assert_eq!(stage.session.channel().pending().len(), 46);
    // 13 bytes are one too few; after 14, 46 - 14 = 32 are in use.
    stage.session.channel().sent(13);
    assert!(!stage.step());
    stage.session.channel().sent(1);
    assert!(stage.step());
    let sent = [reply(1), reply(2), reply(3)].concat();
    stage.expect("open", &sent[14..], &[Called, Called, Called]);
}

#[test]
fn f5_an_end_between_messages_is_normal_and_inside_one_an_error() {
    stage!(stage, [Do::Send(1)]);
    stage.receive(CALL);
    stage.session.channel().received(0);
    stage.expect("ended", &reply(1), &[Called]);

    stage!(stage, []);
    stage.receive("{");
    stage.session.channel().received(0);
    let truncated = Violation::Truncated;
    stage.expect(
        &format!("ended: {truncated}"),
        "",
        &[Failed(truncated.into())],
    );
}

#[test]
fn f4_a_call_that_is_too_long_ends_the_session_after_the_pending_replies() {
    let (mut receive, mut send) = ([0; 64], [0; 128]);
    let mut stage = Stage::new(&mut receive, &mut send, &[Do::Send(1)]);
    stage.receive(CALL);
    assert!(stage.step());
    stage.receive(&"x".repeat(64));
    stage.expect(
        &format!("ended: {}", Error::<std::convert::Infallible>::TooLong),
        &reply(1),
        &[Called, Failed(Error::TooLong)],
    );
}

#[test]
fn a_due_stream_is_resumed_when_there_is_room() {
    let (mut receive, mut send) = ([0; 512], [0; 100]);
    let list = [Do::Next(1, 1), Do::Next(2, 2), Do::Send(3)];
    let mut stage = Stage::new(&mut receive, &mut send, &list);
    stage.receive(MORE);
    assert!(stage.step());
    assert_eq!(stage.state(), "due");
    // 40 of 100 bytes are in use, so half of the buffer is free.
    assert!(stage.step());
    assert!(!stage.step());
    assert_eq!(stage.told(), [Called, Resumed(1)]);
    let sent = [continues(1), continues(2), reply(3)].concat();
    stage.expect("open", &sent, &[Resumed(2)]);
}

#[test]
fn s2_a_definition_is_sent_in_pieces_and_later_calls_wait() {
    stage!(stage, [Do::Send(1)]);
    stage.receive(DESCRIBE);
    stage.receive(CALL);
    assert!(stage.step());
    assert_eq!(stage.state(), "describing");
    assert!(stage.session.channel().pending().len() <= 128);
    let sent = stage.run();
    let (description, last) = sent.split_once('\0').expect("a message");
    assert_eq!(last, reply(1));
    let description: serde_json::Value = serde_json::from_str(description).expect("JSON");
    let text = description["parameters"]["description"].as_str().unwrap();
    assert!(text.contains("\nerror ExpectedUpgrade ()"), "{text}");
    assert_eq!(stage.told(), [Called]);
}

#[test]
fn a_parked_call_waits_only_for_a_wake_of_its_topic() {
    stage!(stage, [Do::Park(1)]);
    stage.receive(CALL);
    stage.expect("parked under 7", "", &[Called]);
    // Further calls and the end of input are not handled yet.
    stage.receive(CALL);
    stage.session.channel().received(0);
    assert!(!stage.session.wake(TOPIC + 1));
    stage.expect("parked under 7", "", &[]);
    stage.service.list = [Do::Send(1), Do::Send(2)].into();
    assert!(stage.session.wake(TOPIC));
    assert_eq!(stage.state(), "due");
    // After a half-close, the calls before it still get their replies.
    let sent = [reply(1), reply(2)].concat();
    stage.expect("ended", &sent, &[Resumed(1), Called]);
}

#[test]
fn a_woken_call_is_resumed_only_when_there_is_room() {
    let (mut receive, mut send) = ([0; 512], [0; 100]);
    let list = [Do::Next(1, 1), Do::NextAndPark(2, 2)];
    let mut stage = Stage::new(&mut receive, &mut send, &list);
    stage.receive(MORE);
    assert!(stage.step() && stage.step());
    assert_eq!(stage.state(), "parked under 7");
    assert!(stage.session.wake(TOPIC));
    assert!(!stage.step());
    stage.service.list = [Do::Send(3)].into();
    let sent = [continues(1), continues(2), reply(3)].concat();
    stage.expect("open", &sent, &[Called, Resumed(1), Resumed(2)]);
}

#[test]
fn several_wakes_count_as_one() {
    stage!(stage, [Do::NextAndPark(1, 1)]);
    assert!(!stage.session.wake(TOPIC), "nothing is parked");
    stage.receive(MORE);
    stage.expect("parked under 7", &continues(1), &[Called]);
    stage.service.list = [Do::ParkStream(2)].into();
    assert!(stage.session.wake(TOPIC));
    // The stream is due already, so this wake has no effect.
    assert!(!stage.session.wake(TOPIC));
    stage.expect("parked under 7", "", &[Resumed(1)]);
    stage.service.list = [Do::Send(2)].into();
    assert!(stage.session.wake(TOPIC));
    stage.expect("open", &reply(2), &[Resumed(2)]);
}

#[test]
fn a_wake_for_a_stream_that_is_due_is_ignored() {
    stage!(stage, [Do::Next(1, 1), Do::NextAndPark(2, 2)]);
    stage.receive(MORE);
    assert!(stage.step());
    assert_eq!(stage.state(), "due");
    assert!(!stage.session.wake(TOPIC));
    let sent = [continues(1), continues(2)].concat();
    stage.expect("parked under 7", &sent, &[Called, Resumed(1)]);
}

#[test]
fn m2_a_plain_call_that_was_parked_cannot_stream() {
    for call in [CALL, UPGRADE] {
        for second in [Do::Next(1, 2), Do::NextAndPark(1, 2), Do::ParkStream(2)] {
            stage!(stage, [Do::Park(1)]);
            stage.receive(call);
            stage.expect("parked under 7", "", &[Called]);
            stage.service.list = [second].into();
            stage.session.wake(TOPIC);
            stage.expect("open", &error("ExpectedMore"), &[Resumed(1)]);
        }
    }
}

#[test]
fn u1_an_upgraded_session_leaves_later_bytes_unread_even_after_a_wake() {
    stage!(stage, [Do::Park(1)]);
    stage.receive(UPGRADE);
    stage.expect("parked under 7", "", &[Called]);
    stage.session.wake(TOPIC);
    stage.service.list = [Do::Upgrade(2)].into();
    stage.receive("raw\0");
    stage.expect("upgraded with 2", &reply(0), &[Resumed(1)]);
    stage.receive(CALL);
    stage.expect("upgraded with 2", "", &[]);
    let unread = format!("raw\0{CALL}");
    assert_eq!(stage.session.channel().unread(), unread.as_bytes());
}

#[test]
fn l5_a_client_can_disconnect_in_each_state() {
    for (call, action, state, abandoned) in [
        ("", None, "open", None),
        (CALL, Some(Do::Send(1)), "open", None),
        (MORE, Some(Do::Next(1, 1)), "due", Some(1)),
        (DESCRIBE, None, "describing", None),
        (CALL, Some(Do::Park(2)), "parked under 7", Some(2)),
        (MORE, Some(Do::NextAndPark(1, 3)), "parked under 7", Some(3)),
        (UPGRADE, Some(Do::Upgrade(4)), "upgraded with 4", Some(4)),
    ] {
        stage!(stage, []);
        stage.service.list.extend(action);
        if !call.is_empty() {
            stage.receive(call);
            assert!(stage.step());
        }
        assert_eq!(stage.state(), state);
        stage.told();
        stage.session.abandon(&mut stage.service);
        let told: Vec<Told> = abandoned.into_iter().map(Abandoned).collect();
        // Pending replies are dropped.
        stage.expect("ended", "", &told);
        assert!(!stage.session.wake(TOPIC));
        stage.session.abandon(&mut stage.service);
        stage.expect("ended", "", &[]);
    }
}

#[test]
fn m1_a_oneway_call_that_is_parked_is_abandoned_at_once() {
    stage!(stage, [Do::Park(1), Do::Send(2)]);
    stage.receive(ONEWAY);
    stage.receive(CALL);
    stage.expect("open", &reply(2), &[Called, Abandoned(1), Called]);
    assert!(!stage.session.wake(TOPIC));
}

#[test]
fn m1_a_oneway_call_that_streams_or_upgrades_is_silently_refused() {
    let list = [
        Do::Next(1, 1),
        Do::NextAndPark(1, 1),
        Do::ParkStream(1),
        Do::Upgrade(1),
        Do::Refuse(Refusal::PermissionDenied),
        Do::Fail(1),
    ];
    for action in list {
        stage!(stage, [action, Do::Send(2)]);
        stage.receive(ONEWAY);
        stage.receive(CALL);
        stage.expect("open", &reply(2), &[Called, Called]);
    }
}

#[test]
fn serve_refuses_to_park_and_undoes_the_reply() {
    for action in [Do::NextAndPark(1, 1), Do::ParkStream(1), Do::Park(1)] {
        let mut service = Script {
            list: [action, Do::Send(2)].into(),
            told: Vec::new(),
        };
        let input = format!("{MORE}{CALL}");
        let mut output = [0; 512];
        let stream = nullink::Duplex {
            reader: input.as_bytes(),
            writer: &mut output[..],
        };
        let (mut receive, mut send) = ([0; 512], [0; 512]);
        let end = serve(&mut service, stream, &mut receive, &mut send);
        assert_eq!(end, Ok(nullink::End::Closed));
        let expected = "{\"error\":\"org.varlink.service.MethodNotImplemented\",\
            \"parameters\":{\"method\":\"org.example.states.Do\"}}\0"
            .to_owned()
            + &reply(2);
        assert!(output.starts_with(expected.as_bytes()));
        assert_eq!(output[expected.len()], 0);
        assert_eq!(service.told, [Called, Called]);
    }
}

#[test]
fn loopback_refuses_to_park() {
    use nullink::embedded_io::{Read, Write};
    let service = Script {
        list: [Do::Park(1)].into(),
        told: Vec::new(),
    };
    let (mut receive, mut send) = ([0; 512], [0; 512]);
    let mut stream = Loopback::new(service, &mut receive, &mut send);
    stream.write_all(CALL.as_bytes()).unwrap();
    let mut output = [0; 512];
    let count = stream.read(&mut output).unwrap();
    let not_implemented = b"{\"error\":\"org.varlink.service.MethodNotImplemented\"";
    assert!(output[..count].starts_with(not_implemented));
    assert_eq!(stream.service().told, [Called]);
}

#[test]
fn m2_a_resumed_handler_can_refuse() {
    for refusal in [
        Refusal::PermissionDenied,
        Refusal::ExpectedMore,
        Refusal::ExpectedUpgrade,
        Refusal::invalid_parameter("n"),
    ] {
        stage!(stage, [Do::Next(1, 1), Do::Refuse(refusal), Do::Send(2)]);
        stage.receive(MORE);
        stage.receive(CALL);
        let name = match refusal {
            Refusal::InvalidParameter(_) => "{\"error\":\"org.varlink.service.InvalidParameter\",\
                    \"parameters\":{\"parameter\":\"n\"}}\0"
                .to_string(),
            Refusal::PermissionDenied => error("PermissionDenied"),
            Refusal::ExpectedMore => error("ExpectedMore"),
            _ => error("ExpectedUpgrade"),
        };
        let sent = [continues(1), name, reply(2)].concat();
        stage.expect("open", &sent, &[Called, Resumed(1), Called]);
    }
}

#[test]
fn a_refusal_that_cannot_be_sent_ends_the_session_after_the_pending_replies() {
    for (refusal, why) in [
        // These errors must name the method, but the call is no longer in the buffer.
        (Refusal::InterfaceNotFound, EncodeError::Name),
        (Refusal::MethodNotFound, EncodeError::Name),
        (Refusal::MethodNotImplemented, EncodeError::Name),
        (EncodeError::Custom.into(), EncodeError::Custom),
    ] {
        stage!(stage, [Do::Next(1, 1), Do::Refuse(refusal)]);
        stage.receive(MORE);
        stage.receive(CALL);
        let told = [Called, Resumed(1), Failed(why.into())];
        stage.expect(&format!("ended: {why}"), &continues(1), &told);
    }
}

#[test]
fn d3_a_reply_that_is_not_as_defined_ends_the_connection() {
    if !cfg!(debug_assertions) {
        return;
    }
    let undefined = |offset| Error::NotAsDefined {
        why: Mismatch::Unknown,
        field: None,
        offset,
    };
    for (call, action, why, abandoned) in [
        (CALL, Do::SendUndefined, undefined(15), None),
        (MORE, Do::NextUndefined(1), undefined(32), Some(1)),
        (UPGRADE, Do::UpgradeUndefined(2), undefined(15), Some(2)),
    ] {
        stage!(stage, [Do::Send(1), action]);
        stage.receive(CALL);
        stage.receive(call);
        let mut told = vec![Called, Called];
        told.extend(abandoned.map(Abandoned));
        told.push(Failed(why));
        // The earlier reply is sent.
        stage.expect(&format!("ended: {why}"), &reply(1), &told);
    }
    // Also in a stream.
    stage!(stage, [Do::Next(1, 1), Do::NextUndefined(2)]);
    stage.receive(MORE);
    let why = undefined(32);
    let told = [Called, Resumed(1), Abandoned(2), Failed(why)];
    stage.expect(&format!("ended: {why}"), &continues(1), &told);
}

#[test]
fn f4_a_name_that_does_not_fit_into_the_reply_is_too_long() {
    let long = "x".repeat(100);
    let call = |method: &str, parameters: &str| {
        format!("{{\"method\":\"{method}\",\"parameters\":{parameters}}}\0")
    };
    for call in [
        call(&format!("a.{long}.M"), "{}"),
        call(&format!("org.example.states.{long}"), "{}"),
        call(&long, "{}"),
        call("org.example.states.Do", &format!("{{\"{long}\":1}}")),
    ] {
        stage!(stage, [Do::Send(1)]);
        stage.receive(CALL);
        stage.receive(&call);
        let told = [Called, Failed(Error::TooLong)];
        stage.expect(
            &format!("ended: {}", Error::<std::convert::Infallible>::TooLong),
            &reply(1),
            &told,
        );
        // A oneway call gets no error.
        stage!(stage, [Do::Send(1)]);
        stage.receive(&call.replacen('{', "{\"oneway\":true,", 1));
        stage.receive(CALL);
        stage.expect("open", &reply(1), &[Called]);
    }
}

#[test]
fn a_handler_can_replace_a_reply_that_does_not_fit() {
    stage!(stage, [Do::TryLong(1), Do::Next(2, 1), Do::TryLong(3)]);
    stage.receive(CALL);
    stage.receive(MORE);
    let sent = [reply(1), continues(2), reply(3)].concat();
    stage.expect("open", &sent, &[Called, Called, Resumed(1)]);
}

#[test]
fn a_reply_that_does_not_fit_ends_the_connection_after_the_pending_replies() {
    stage!(stage, [Do::Send(1), Do::SendLong]);
    stage.receive(CALL);
    stage.receive(CALL);
    let why = EncodeError::Full;
    let told = [Called, Called, Failed(why.into())];
    stage.expect(&format!("ended: {why}"), &reply(1), &told);

    stage!(stage, [Do::Next(1, 1), Do::SendLong]);
    stage.receive(MORE);
    let told = [Called, Resumed(1), Failed(why.into())];
    stage.expect(&format!("ended: {why}"), &continues(1), &told);
}
