//! Relays in memory: every message passes unchanged, except calls that a policy refuses or renames.

use crate::common;

use std::collections::VecDeque;

use common::t::{Cursor, T};
use common::{Arrival, EMPTY, answer, every_arrival, split};
use nullink::client;
use nullink::json::Raw;
use nullink::relay::{Failure, Policy, Relay, Side, Step, Verdict};
use nullink::service::{Session, State};
use nullink::{Call, EncodeError, Error, Mode, NoError, Refusal, Reply, Violation};
use serde::{Deserialize, Serialize};

const COUNT: &str = r#"{"method":"org.example.t.Count","more":true,"parameters":{"n":3}}"#;
const PIPE: &str = r#"{"method":"org.example.t.Pipe","upgrade":true}"#;
const DENIED: &str = r#"{"error":"org.varlink.service.PermissionDenied"}"#;

/// The peer at the service's side of a relay.
trait Far {
    /// Takes received bytes, or None at the end. Returns the bytes to send back, and true if it
    /// then closes.
    fn take(&mut self, bytes: Option<&[u8]>) -> (Vec<u8>, bool);

    /// True if the client keeps its side open after it has sent everything.
    fn keeps_client(&self) -> bool {
        false
    }
}

/// A service that echoes every byte after an upgrade.
struct Served<'b> {
    session: Session<'b, Cursor>,
    scratch: Vec<u8>,
    upgraded: bool,
}

impl<'b> Served<'b> {
    fn new(receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Served {
            session: Session::new(receive, send),
            scratch: vec![0; 4096],
            upgraded: false,
        }
    }
}

impl Far for Served<'_> {
    fn take(&mut self, bytes: Option<&[u8]>) -> (Vec<u8>, bool) {
        let mut back = Vec::new();
        if self.upgraded {
            back.extend(bytes.unwrap_or_default());
            return (back, bytes.is_none());
        }
        let mut bytes = bytes.map(<[u8]>::to_vec);
        let mut service = T {
            scratch: &mut self.scratch,
        };
        loop {
            if self.session.step(&mut service) {
                continue;
            }
            let state = self.session.state();
            let channel = self.session.channel();
            let count = channel.pending().len();
            if count > 0 {
                back.extend(channel.pending());
                channel.sent(count);
                continue;
            }
            match (state, &mut bytes) {
                (State::Ended(_), _) => return (back, true),
                (State::Upgraded(_), bytes) => {
                    self.upgraded = true;
                    back.extend(channel.unread());
                    back.extend(bytes.take().unwrap_or_default());
                    return (back, false);
                }
                (_, None) => channel.received(0),
                (_, Some(bytes)) if bytes.is_empty() => return (back, false),
                (_, Some(bytes)) => {
                    let spare = channel.spare();
                    let count = spare.len().min(bytes.len());
                    spare[..count].copy_from_slice(&bytes[..count]);
                    channel.received(count);
                    bytes.drain(..count);
                }
            }
        }
    }
}

/// A service that sends these bytes after this number of calls. It then closes if the flag is true.
/// Otherwise both sides stay open.
struct FixedReplies<'a>(usize, &'a [u8], bool);

impl Far for FixedReplies<'_> {
    fn take(&mut self, bytes: Option<&[u8]>) -> (Vec<u8>, bool) {
        let calls = bytes.unwrap_or_default().iter().filter(|byte| **byte == 0);
        let calls = calls.count();
        if self.0 > calls {
            self.0 -= calls;
            return (Vec::new(), false);
        }
        self.0 = usize::MAX;
        (std::mem::take(&mut self.1).to_vec(), self.2)
    }

    fn keeps_client(&self) -> bool {
        !self.2
    }
}

/// The bytes that reach either side of a relay, and how the relay ends.
#[derive(Debug, PartialEq)]
struct Outcome {
    to_service: Vec<u8>,
    to_client: Vec<u8>,
    end: Result<(), Failure>,
}

fn ended(side: Side, error: impl Into<Error>) -> Result<(), Failure> {
    let error = error.into();
    Err(Failure { side, error })
}

/// Bytes on their way to a relay, which arrive in pieces of at most `piece` bytes.
struct Wire {
    bytes: VecDeque<u8>,
    ends: bool,
    piece: usize,
}

impl Wire {
    fn arrive(&mut self, relay: &mut Relay<'_>, side: Side) -> bool {
        let spare = relay.spare(side);
        let count = spare.len().min(self.bytes.len()).min(self.piece);
        let ends = self.ends && self.bytes.is_empty() && !spare.is_empty();
        for to in &mut spare[..count] {
            *to = self.bytes.pop_front().expect("a byte");
        }
        if count > 0 || ends {
            relay.received(side, count);
        }
        count > 0 || ends
    }
}

/// Relays the bytes of a client until the relay ends. The service reads and writes at most `piece`
/// bytes at a time; each half of a buffer has `size` bytes.
fn relayed(
    input: &[u8],
    arrival: Arrival,
    (piece, size): (usize, usize),
    policy: &mut dyn Policy,
    far: &mut dyn Far,
) -> Outcome {
    let (mut calls, mut replies) = (vec![0; 2 * size], vec![0; 2 * size]);
    let mut relay = Relay::new(&mut calls, &mut replies);
    let mut pieces: VecDeque<Vec<u8>> = match arrival {
        Arrival::Joined => [input.to_vec()].into(),
        Arrival::Split(at) => [input[..at].to_vec(), input[at..].to_vec()].into(),
        Arrival::Bytes => input.chunks(1).map(<[u8]>::to_vec).collect(),
    };
    let mut client = Wire {
        bytes: VecDeque::new(),
        ends: false,
        piece: usize::MAX,
    };
    let mut service = Wire { piece, ..client };
    client.bytes = VecDeque::new();
    let mut outcome = Outcome {
        to_service: Vec::new(),
        to_client: Vec::new(),
        end: Ok(()),
    };
    let mut shut = false;
    for _ in 0..1_000_000 {
        if let Step::Ended(end) = relay.step(policy) {
            assert!(
                Side::BOTH
                    .iter()
                    .all(|side| relay.pending(*side).is_empty())
            );
            outcome.end = end;
            return outcome;
        }
        let mut moved = false;
        let pending = relay.pending(Side::Service);
        let count = pending.len().min(piece);
        if count > 0 {
            outcome.to_service.extend(&pending[..count]);
            let (bytes, ends) = far.take(Some(&pending[..count]));
            relay.sent(Side::Service, count);
            service.bytes.extend(bytes);
            service.ends |= ends;
            moved = true;
        } else if relay.finished(Side::Service) && !shut {
            let (bytes, ends) = far.take(None);
            service.bytes.extend(bytes);
            service.ends |= ends;
            shut = true;
            moved = true;
        }
        let pending = relay.pending(Side::Client);
        let count = pending.len().min(piece);
        outcome.to_client.extend(&pending[..count]);
        relay.sent(Side::Client, count);
        moved |= count > 0;
        moved |= service.arrive(&mut relay, Side::Service);
        if client.bytes.is_empty() {
            match pieces.pop_front() {
                Some(piece) => client.bytes.extend(piece),
                None => client.ends = !far.keeps_client(),
            }
            moved |= !client.bytes.is_empty();
        }
        moved |= client.arrive(&mut relay, Side::Client);
        assert!(moved, "the relay hangs: {relay:?}");
    }
    panic!("the relay does not end");
}

/// Like [`relayed`], with the service org.example.t.
fn with_t(input: &[u8], arrival: Arrival, piece: usize, policy: &mut dyn Policy) -> Outcome {
    let (mut receive, mut send) = ([0; 2048], [0; 2048]);
    let mut far = Served::new(&mut receive, &mut send);
    relayed(input, arrival, (piece, 2048), policy, &mut far)
}

/// A call whose method name has no interface.
const NO_NAME: &str = r#"{"method":"no name"}"#;

/// Asserts that a client gets the same replies with and without a relay, however its bytes arrive,
/// and that the service receives its bytes unchanged.
#[track_caller]
fn same_as_direct(messages: &[&str]) {
    let input: Vec<u8> = messages
        .iter()
        .flat_map(|message| [message.as_bytes(), b"\0"].concat())
        .collect();
    let mut scratch = [0; 4096];
    let mut service = T {
        scratch: &mut scratch,
    };
    let (replies, end) = answer(&mut service, &input, Arrival::Joined, 2048, 2048);
    let (calls, end) = match end {
        Ok(_) => (messages.len(), Ok(())),
        // The last message is the bad one.
        Err(error) => (messages.len() - 1, ended(Side::Client, error)),
    };
    // A name without an interface does not reach the service: the relay replies.
    let passed = messages[..calls]
        .iter()
        .filter(|call| !call.contains(NO_NAME));
    let passed = passed.flat_map(|message| [message.as_bytes(), b"\0"].concat());
    let passed: Vec<u8> = passed.collect();
    every_arrival(&input, |arrival| {
        for piece in [1, usize::MAX] {
            let outcome = with_t(&input, arrival, piece, &mut ());
            assert_eq!(split(&outcome.to_client), replies, "{arrival:?} {piece}");
            assert_eq!(outcome.to_service, passed, "{arrival:?} {piece}");
            assert_eq!(outcome.end, end, "{arrival:?} {piece}");
        }
    });
}

#[test]
fn f1_c6_calls_pass_unchanged_and_are_answered_in_order() {
    same_as_direct(&[EMPTY]);
    same_as_direct(&[EMPTY; 20]);
    same_as_direct(&[EMPTY, COUNT, EMPTY, COUNT, EMPTY]);
    same_as_direct(&[
        r#" { "meth\u006fd" : "org.example.t.N\u0065ed" , "parameters" : { "\u0073" : "\ud83e\udd80\n" } } "#,
        r#"{"x.vendor":[1,{"a":null}],"method":"org.example.t.Echo","parameters":{"o":{"b":1.50}}}"#,
        r#"{"oneway":null,"more":false,"method":"org.example.t.Unbound"}"#,
        r#"{"method":"org.example.t.Fail","more":true}"#,
        r#"{"method":"org.example.unheard.Of"}"#,
        NO_NAME,
        r#"{"method":"org.varlink.service.GetInfo"}"#,
    ]);
}

#[test]
fn m1_a_oneway_call_gets_no_reply_through_a_relay() {
    let oneway = r#"{"method":"org.example.t.Empty","oneway":true}"#;
    same_as_direct(&[oneway]);
    same_as_direct(&[oneway, EMPTY, oneway, oneway, COUNT, oneway]);
}

#[test]
fn c1_c2_c7_an_invalid_call_ends_the_relay_after_the_pending_replies() {
    for message in [
        "",
        "{",
        "[]",
        "{}",
        "{}{}",
        "\u{feff}{\"method\":\"org.example.t.Empty\"}",
        r#"{"method":1}"#,
        r#"{"method":"org.example.t.Empty","unknown":1}"#,
        r#"{"method":"org.example.t.Empty","method":"org.example.t.Empty"}"#,
        r#"{"method":"org.example.t.Empty","continues":true}"#,
        r#"{"method":"org.example.t.Empty","parameters":[]}"#,
        r#"{"method":"org.example.t.Empty","more":1}"#,
        r#"{"method":"org.example.t.Empty","more":true,"oneway":true}"#,
        "{\"method\":\"org.example.t.Empty\n\"}",
    ] {
        same_as_direct(&[message]);
        same_as_direct(&[EMPTY, COUNT, message]);
    }
}

#[test]
fn f5_a_client_that_ends_inside_a_message_ends_the_relay() {
    let truncated = ended(Side::Client, Violation::Truncated);
    let input = format!("{EMPTY}\0{EMPTY}");
    every_arrival(input.as_bytes(), |arrival| {
        let outcome = with_t(input.as_bytes(), arrival, 5, &mut ());
        assert_eq!(outcome.to_client, b"{}\0");
        assert_eq!(outcome.to_service, format!("{EMPTY}\0").as_bytes());
        assert_eq!(outcome.end, truncated);
    });
}

#[test]
fn f4_a_message_must_fit_into_half_of_its_buffer() {
    let length = EMPTY.len() + 1;
    let input = format!("{EMPTY}\0{EMPTY}\0");
    for size in length - 2..length + 3 {
        let (mut receive, mut send) = ([0; 256], [0; 256]);
        let mut far = Served::new(&mut receive, &mut send);
        let outcome = relayed(
            input.as_bytes(),
            Arrival::Joined,
            (3, size),
            &mut (),
            &mut far,
        );
        if size < length {
            assert_eq!(outcome.end, ended(Side::Client, Error::TooLong));
        } else {
            assert_eq!(outcome.to_client, b"{}\0{}\0");
        }
    }
    // A reply that is too long, after one that passes.
    let replies = [b"{}\0".to_vec(), vec![b' '; 100]].concat();
    let outcome = relayed(
        input.as_bytes(),
        Arrival::Joined,
        (usize::MAX, 64),
        &mut (),
        &mut FixedReplies(2, &replies, false),
    );
    assert_eq!(outcome.to_client, b"{}\0");
    assert_eq!(outcome.end, ended(Side::Service, Error::TooLong));
    // Empty buffers.
    let mut relay = Relay::new(&mut [], &mut []);
    let too_long = Step::Ended(ended(Side::Client, Error::TooLong));
    assert_eq!(relay.step(&mut ()), too_long);
}

#[test]
fn r3_r5_an_invalid_or_missing_reply_ends_the_relay_after_the_replies_before_it() {
    use Violation::{Continues, Truncated, Unasked};
    let calls = format!("{EMPTY}\0{COUNT}\0");
    let stream = "{}\0{\"continues\":true}\0";
    for (says, ends, passed, error) in [
        ("{}\0", true, "{}\0", Error::Closed),
        ("{}\0{", true, "{}\0", Truncated.into()),
        (stream, true, stream, Error::Closed),
        ("{\"continues\":true}\0", false, "", Continues.into()),
        (
            "{}\0{\"continues\":true,\"error\":\"a.b.C\"}\0",
            false,
            "{}\0",
            Continues.into(),
        ),
        ("{}\0{}\0{}\0", false, "{}\0{}\0", Unasked.into()),
        ("{}\0{}\0x", false, "{}\0{}\0", Unasked.into()),
        (
            "{}\0{\"a\":1}\0",
            false,
            "{}\0",
            Violation::UnknownMember.into(),
        ),
        ("{}\0[]\0{}\0", false, "{}\0", Violation::NotAnObject.into()),
    ] {
        for piece in [1, 2, usize::MAX] {
            let mut far = FixedReplies(2, says.as_bytes(), ends);
            let outcome = relayed(
                calls.as_bytes(),
                Arrival::Joined,
                (piece, 128),
                &mut (),
                &mut far,
            );
            assert_eq!(String::from_utf8_lossy(&outcome.to_client), passed);
            assert_eq!(outcome.end, ended(Side::Service, error), "{says}");
        }
    }
    // Before any call, even part of a message is an error: it could pass as the next call's reply.
    let (mut calls, mut replies) = ([0; 99], [0; 99]);
    let mut relay = Relay::new(&mut calls, &mut replies);
    relay.spare(Side::Service)[0] = b'{';
    relay.received(Side::Service, 1);
    let unasked = ended(Side::Service, Unasked);
    assert_eq!(relay.step(&mut ()), Step::Ended(unasked));
}

/// A policy that refuses the interface org.example.secret, renames calls of org.example.alias and
/// org.example.grow, lets only Pipe upgrade, and records the messages that it is shown.
#[derive(Default)]
struct Rules {
    seen: Vec<String>,
}

impl Policy for Rules {
    fn call<'c>(&'c mut self, call: Call<'c>, message: Raw<'_>) -> Verdict<'c> {
        self.seen.push(format!("-> {message}"));
        let (interface, member) = (call.interface(), call.member());
        let length: usize = member
            .trim_start_matches(char::is_alphabetic)
            .parse()
            .unwrap_or(0);
        match interface {
            "org.example.secret" => Verdict::Refuse(Refusal::PermissionDenied),
            "org.example.none" => Verdict::Refuse(Refusal::InterfaceNotFound),
            "org.example.alias" => Verdict::PassAs {
                interface: "org.example.t",
                member,
            },
            "org.example.grow" => {
                self.seen.push(format!("A{}", "a".repeat(length)));
                Verdict::PassAs {
                    interface: "a.b",
                    member: self.seen.last().expect("a name"),
                }
            }
            "" => Verdict::Refuse(Refusal::InterfaceNotFound),
            _ if member == "Unheard" => Verdict::Refuse(Refusal::MethodNotFound),
            _ => Verdict::Pass,
        }
    }

    fn upgrade<'c>(&'c mut self, call: Call<'c>, message: Raw<'_>) -> Verdict<'c> {
        self.seen.push(format!("=> {message}"));
        match call.member() {
            "Pipe" => Verdict::Pass,
            _ => Verdict::Refuse(Refusal::PermissionDenied),
        }
    }

    fn reply(&mut self, reply: Reply<'_>, message: Raw<'_>) {
        let continues = if reply.continues() { "+" } else { "" };
        self.seen.push(format!("<-{continues} {message}"));
        // Decoding may unescape the message in place. The relay has copied it before.
        let _ = reply.into_parameters().decode::<Counted>();
    }

    fn bytes(&mut self, from: Side, bytes: &[u8]) {
        assert!(!bytes.is_empty());
        self.seen
            .extend(bytes.iter().map(|byte| format!("{from:?} {byte}")));
    }
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Counted {
    i: u8,
}

#[test]
fn refused_calls_are_answered_in_order_and_oneway_calls_not_at_all() {
    let secret = r#"{"method":"org.example.secret.Get"}"#;
    let oneway = r#"{"oneway":true,"method":"org.example.secret.Get"}"#;
    let escaped = r#"{"method":"org.ex\u0061mple.secret.Get","more":true,"x.y":1}"#;
    let none = r#"{"method":"org.example.n\u006fne.Get"}"#;
    let unheard = r#"{"method":"org.example.t.Unhe\u0061rd"}"#;
    // The policy is not asked about a name without an interface.
    let x = r#"{"method":"x"}"#;
    let messages = [
        secret, EMPTY, COUNT, secret, escaped, oneway, EMPTY, none, oneway, unheard, x, secret,
    ];
    let input = messages.join("\0") + "\0";
    let passed = [EMPTY, COUNT, EMPTY].join("\0") + "\0";
    let replies = [
        DENIED,
        "{}",
        r#"{"continues":true,"parameters":{"i":0}}"#,
        r#"{"continues":true,"parameters":{"i":1}}"#,
        r#"{"parameters":{"i":2}}"#,
        DENIED,
        DENIED,
        "{}",
        r#"{"error":"org.varlink.service.InterfaceNotFound","parameters":{"interface":"org.example.none"}}"#,
        r#"{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"org.example.t.Unheard"}}"#,
        r#"{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"x"}}"#,
        DENIED,
    ];
    every_arrival(input.as_bytes(), |arrival| {
        for piece in [1, usize::MAX] {
            let mut rules = Rules::default();
            let outcome = with_t(input.as_bytes(), arrival, piece, &mut rules);
            assert_eq!(outcome.end, Ok(()));
            assert_eq!(split(&outcome.to_client), replies);
            assert_eq!(String::from_utf8_lossy(&outcome.to_service), passed);
            // Every other message is shown once, unchanged.
            let seen = rules
                .seen
                .iter()
                .filter_map(|line| line.strip_prefix("-> "));
            let shown = messages.iter().filter(|call| **call != x);
            assert!(seen.eq(shown.copied()), "{:?}", rules.seen);
            let seen = rules.seen.iter().filter(|line| line.starts_with("<-"));
            assert_eq!(seen.count(), 5);
        }
    });
}

#[test]
fn a_renamed_call_is_otherwise_unchanged() {
    let messages = [
        r#"{"method":"org.example.alias.Empty"}"#,
        r#" {"x.a":"method", "m\u0065thod" : "org.example.\u0061lias.Need" ,"parameters" : {"s":"\u0041"}, "x.b":[] }"#,
        r#"{"more":true,"parameters":{"n":2},"method":"org.example.alias.Count"}"#,
        r#"{"method":"org.example.grow.A9","oneway":true,"x.y":1}"#,
        r#"{"method":"org.example.grow.A99","oneway":true,"x.y":1}"#,
        EMPTY,
    ];
    let passed = [
        EMPTY,
        r#" {"x.a":"method", "m\u0065thod" : "org.example.t.Need" ,"parameters" : {"s":"\u0041"}, "x.b":[] }"#,
        r#"{"more":true,"parameters":{"n":2},"method":"org.example.t.Count"}"#,
        r#"{"method":"a.b.Aaaaaaaaaa","oneway":true,"x.y":1}"#,
        &r#"{"method":"a.b.A#","oneway":true,"x.y":1}"#.replace('#', &"a".repeat(99)),
        EMPTY,
    ];
    let replies = [
        "{}",
        r#"{"parameters":{"s":"A"}}"#,
        r#"{"continues":true,"parameters":{"i":0}}"#,
        r#"{"parameters":{"i":1}}"#,
        "{}",
    ];
    let input = messages.join("\0") + "\0";
    every_arrival(input.as_bytes(), |arrival| {
        for piece in [1, usize::MAX] {
            let outcome = with_t(input.as_bytes(), arrival, piece, &mut Rules::default());
            assert_eq!(split(&outcome.to_service), passed);
            assert_eq!(split(&outcome.to_client), replies);
            assert_eq!(outcome.end, Ok(()));
        }
    });
}

#[test]
fn a_name_can_grow_by_max_growth_whatever_is_pending() {
    let old = "org.example.grow.A000".len();
    for (extra, fits) in [(Relay::MAX_GROWTH, true), (Relay::MAX_GROWTH + 1, false)] {
        // The new name is "a.b.A", followed by `count` letters.
        let count = old + extra - "a.b.A".len();
        let call = format!(r#"{{"method":"org.example.grow.A{count}","oneway":true}}"#);
        for before in 0..5 {
            let input = format!("{EMPTY}\0").repeat(before) + &call + "\0";
            let renamed = call.len() + extra + 1;
            for size in [renamed, renamed + 50, 2048] {
                let (mut receive, mut send) = ([0; 2048], [0; 2048]);
                let mut far = Served::new(&mut receive, &mut send);
                let mut rules = Rules::default();
                let outcome = relayed(
                    input.as_bytes(),
                    Arrival::Joined,
                    (7, size),
                    &mut rules,
                    &mut far,
                );
                assert_eq!(outcome.to_client, b"{}\0".repeat(before));
                let end = if fits {
                    Ok(())
                } else {
                    ended(Side::Client, EncodeError::Full)
                };
                assert_eq!(outcome.end, end);
            }
        }
    }
}

#[test]
fn an_invalid_new_name_is_not_sent() {
    struct Nameless(&'static str, &'static str);
    impl Policy for Nameless {
        fn call<'c>(&'c mut self, _: Call<'c>, _: Raw<'_>) -> Verdict<'c> {
            let Nameless(interface, member) = *self;
            Verdict::PassAs { interface, member }
        }
    }
    for (interface, member) in [("a", "B"), ("a.b", "b"), ("a.b", ""), ("a.b", "B\"")] {
        let mut policy = Nameless(interface, member);
        let input = format!("{EMPTY}\0");
        let outcome = with_t(input.as_bytes(), Arrival::Joined, 9, &mut policy);
        assert_eq!(outcome.end, ended(Side::Client, EncodeError::Name));
        assert_eq!(outcome.to_service, b"");
    }
}

#[test]
fn u1_u2_after_an_upgrade_every_byte_passes_and_an_error_changes_nothing() {
    let refused = r#"{"method":"org.example.t.Fail","upgrade":true}"#;
    let raw = b"raw\0bytes, {\"method\":\"org.example.secret.Get\"}\0 and \xff more";
    for (messages, replies) in [
        (vec![PIPE], vec!["{}"]),
        (vec![EMPTY, PIPE], vec!["{}"; 2]),
        (vec![refused, EMPTY, PIPE], vec![DENIED, "{}", "{}"]),
        (
            vec![
                r#"{"method":"org.example.t.Pipe","upgrade":true,"parameters":{"x":1}}"#,
                PIPE,
            ],
            vec![
                r#"{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"x"}}"#,
                "{}",
            ],
        ),
    ] {
        let calls = messages.join("\0") + "\0";
        let input = [calls.as_bytes(), raw].concat();
        let passed = input.clone();
        every_arrival(&input, |arrival| {
            for piece in [1, usize::MAX] {
                let mut rules = Rules::default();
                let outcome = with_t(&input, arrival, piece, &mut rules);
                let replies = replies.join("\0") + "\0";
                assert_eq!(
                    String::from_utf8_lossy(&outcome.to_client),
                    String::from_utf8_lossy(&[replies.as_bytes(), raw].concat())
                );
                assert!(passed.ends_with(&outcome.to_service));
                assert_eq!(outcome.end, Ok(()));
                for from in ["Client", "Service"] {
                    let bytes = rules.seen.iter().filter(|line| line.starts_with(from));
                    assert_eq!(bytes.count(), raw.len());
                }
            }
        });
    }
}

#[test]
fn u1_bytes_that_the_service_sends_together_with_its_reply_pass() {
    for piece in [1, 4, usize::MAX] {
        let mut far = FixedReplies(1, b"{}\0hello\0", true);
        let input = format!("{PIPE}\0early");
        let outcome = relayed(
            input.as_bytes(),
            Arrival::Joined,
            (piece, 64),
            &mut (),
            &mut far,
        );
        assert_eq!(outcome.to_client, b"{}\0hello\0");
        assert_eq!(outcome.to_service, input.as_bytes());
        assert_eq!(outcome.end, Ok(()));
    }
}

#[test]
fn a_policy_that_does_not_define_upgrade_refuses_upgrades() {
    struct Silent;
    impl Policy for Silent {}
    // Many services would reply without an upgrade and continue with Varlink. If the call passed,
    // the policy would not be asked about the calls after it.
    let input = format!("{}\0", r#"{"method":"org.example.t.Empty","upgrade":true}"#);
    let outcome = with_t(input.as_bytes(), Arrival::Joined, 9, &mut Silent);
    assert_eq!(split(&outcome.to_client), [DENIED]);
    assert_eq!(outcome.to_service, b"");
}

fn give(relay: &mut Relay<'_>, side: Side, bytes: &[u8]) {
    relay.spare(side)[..bytes.len()].copy_from_slice(bytes);
    relay.received(side, bytes.len());
}

#[test]
fn half_closes_are_passed_on_in_both_directions() {
    let (mut calls, mut replies) = ([0; 256], [0; 256]);
    let mut relay = Relay::new(&mut calls, &mut replies);
    give(&mut relay, Side::Client, format!("{PIPE}\0raw").as_bytes());
    relay.received(Side::Client, 0);
    assert!(relay.spare(Side::Client).is_empty());
    assert_eq!(relay.step(&mut ()), Step::Waiting);
    relay.sent(Side::Service, 99);
    // The bytes after the call wait for the upgrade, and the half-close waits for the bytes.
    assert!(!relay.finished(Side::Service));
    give(&mut relay, Side::Service, b"{}\0");
    assert_eq!(relay.step(&mut ()), Step::Waiting);
    assert_eq!(relay.pending(Side::Service), b"raw");
    assert!(!relay.finished(Side::Service));
    relay.sent(Side::Service, 3);
    assert!(relay.finished(Side::Service));
    // The other direction is still open.
    for _ in 0..3 {
        give(&mut relay, Side::Service, b"answer");
        assert_eq!(relay.step(&mut ()), Step::Waiting);
        assert!(!relay.finished(Side::Client));
        relay.sent(Side::Client, 99);
    }
    relay.received(Side::Service, 0);
    assert!(relay.finished(Side::Client));
    assert_eq!(relay.step(&mut ()), Step::Ended(Ok(())));
}

#[test]
fn a_side_that_does_not_read_stops_input_from_the_other() {
    let (mut calls, mut replies) = ([0; 256], [0; 128]);
    let mut relay = Relay::new(&mut calls, &mut replies);
    let input = format!("{EMPTY}\0").repeat(500).into_bytes();
    // Sends while the relay takes bytes, and returns the number of bytes taken.
    let flood = |relay: &mut Relay<'_>, side, bytes: &[u8]| {
        let mut rest = bytes;
        loop {
            let count = relay.spare(side).len().min(rest.len());
            if count == 0 {
                return bytes.len() - rest.len();
            }
            give(relay, side, &rest[..count]);
            rest = &rest[count..];
            assert_eq!(relay.step(&mut ()), Step::Waiting);
        }
    };
    // The service reads nothing.
    let taken = flood(&mut relay, Side::Client, &input);
    assert!((128..=256).contains(&taken), "{taken}");
    // The service reads, but the client reads no replies.
    let (mut sent, mut passed, mut answered) = (taken, 0, 0);
    for _ in 0..100 {
        passed += relay.pending(Side::Service).len();
        relay.sent(Side::Service, usize::MAX);
        let due = passed / (EMPTY.len() + 1) * 3;
        let answers = b"{}\0".repeat(due.saturating_sub(answered) / 3);
        answered += flood(&mut relay, Side::Service, &answers) / 3 * 3;
        sent += flood(&mut relay, Side::Client, &input[sent..]);
    }
    assert!(relay.spare(Side::Service).is_empty());
    assert!((126..=128).contains(&answered), "{answered}");
    // While the service reads, only the number of outstanding calls is limited.
    assert!(
        sent <= (client::Session::MAX_CALLS + 43) * (EMPTY.len() + 1) + 256,
        "{sent}"
    );
    // No reply is lost.
    let mut arrived = 0;
    for _ in 0..100 {
        arrived += split(relay.pending(Side::Client)).len();
        relay.sent(Side::Client, usize::MAX);
        assert_eq!(relay.step(&mut ()), Step::Waiting);
    }
    assert_eq!(arrived, 42);
}

#[test]
fn l5_the_calls_of_a_disconnected_client_arrive_before_the_relay_ends() {
    let (mut calls, mut replies) = ([0; 1024], [0; 256]);
    let mut relay = Relay::new(&mut calls, &mut replies);
    let oneway = r#"{"method":"org.example.t.Empty","oneway":true}"#;
    give(
        &mut relay,
        Side::Client,
        format!("{COUNT}\0{oneway}\0").as_bytes(),
    );
    assert_eq!(relay.step(&mut ()), Step::Waiting);
    relay.fail_to_send(Side::Client);
    relay.sent(Side::Service, COUNT.len());
    give(&mut relay, Side::Service, b"{\"continues\":true}\0");
    assert_eq!(relay.step(&mut ()), Step::Waiting);
    assert_eq!(relay.pending(Side::Client), b"");
    relay.received(Side::Client, 0);
    assert_eq!(relay.step(&mut ()), Step::Waiting);
    relay.sent(Side::Service, 99);
    // The stream has not ended, but its client is gone.
    assert_eq!(relay.step(&mut ()), Step::Ended(Ok(())));
    // An ended relay stays ended.
    relay.received(Side::Service, 0);
    assert_eq!(relay.step(&mut ()), Step::Ended(Ok(())));
}

#[test]
fn r5_the_replies_of_a_disconnected_service_still_arrive() {
    let (mut calls, mut replies) = ([0; 256], [0; 256]);
    let mut relay = Relay::new(&mut calls, &mut replies);
    give(
        &mut relay,
        Side::Client,
        format!("{EMPTY}\0{EMPTY}\0").as_bytes(),
    );
    assert_eq!(relay.step(&mut ()), Step::Waiting);
    relay.sent(Side::Service, EMPTY.len() + 1);
    relay.fail_to_send(Side::Service);
    give(&mut relay, Side::Service, b"{}\0");
    assert_eq!(relay.step(&mut ()), Step::Waiting);
    relay.received(Side::Service, 0);
    assert_eq!(relay.step(&mut ()), Step::Waiting);
    assert_eq!(relay.pending(Side::Client), b"{}\0");
    relay.sent(Side::Client, 3);
    let closed = ended(Side::Service, Error::Closed);
    assert_eq!(relay.step(&mut ()), Step::Ended(closed));
}

#[test]
fn the_first_failure_is_reported_and_pending_bytes_are_dropped() {
    let (mut calls, mut replies) = ([0; 2048], [0; 256]);
    let mut relay = Relay::new(&mut calls, &mut replies);
    give(
        &mut relay,
        Side::Client,
        format!("{EMPTY}\0[]\0").as_bytes(),
    );
    assert_eq!(relay.step(&mut ()), Step::Waiting);
    relay.received(Side::Service, 0);
    // The call that the service did not read is dropped.
    let not_a_call = ended(Side::Client, Violation::NotAnObject);
    assert_eq!(relay.step(&mut ()), Step::Ended(not_a_call));
    assert_eq!(relay.pending(Side::Service), b"");

    // The refusal waits for the reply to the call before it, and is not sent in its place.
    let secret = r#"{"method":"org.example.secret.Get"}"#;
    for says in ["[]\0", ""] {
        let input = format!("{EMPTY}\0{secret}\0");
        let mut far = FixedReplies(1, says.as_bytes(), says.is_empty());
        let outcome = relayed(
            input.as_bytes(),
            Arrival::Joined,
            (9, 512),
            &mut Rules::default(),
            &mut far,
        );
        assert_eq!(outcome.to_client, b"");
        assert_eq!(outcome.end.unwrap_err().side, Side::Service);
    }
}

#[test]
fn a_service_that_closes_between_two_calls_ends_the_relay() {
    let (mut calls, mut replies) = ([0; 256], [0; 256]);
    let mut relay = Relay::new(&mut calls, &mut replies);
    give(&mut relay, Side::Client, EMPTY.as_bytes());
    relay.received(Side::Service, 0);
    assert_eq!(relay.step(&mut ()), Step::Ended(Ok(())));
}

#[test]
fn calls_beyond_the_limit_are_passed_on_after_replies() {
    let calls = client::Session::MAX_CALLS + 50;
    let input = format!("{EMPTY}\0").repeat(calls);
    let (mut receive, mut send) = (vec![0; 1 << 14], vec![0; 1 << 14]);
    let mut far = Served::new(&mut receive, &mut send);
    let outcome = relayed(
        input.as_bytes(),
        Arrival::Joined,
        (usize::MAX, 1 << 14),
        &mut (),
        &mut far,
    );
    assert_eq!(outcome.to_client, b"{}\0".repeat(calls));
    // If the service does not reply, exactly `MAX_CALLS` calls reach it.
    let (mut one, mut two) = (vec![0; 1 << 14], vec![0; 1 << 14]);
    let mut relay = Relay::new(&mut one, &mut two);
    give(&mut relay, Side::Client, input.as_bytes());
    relay.step(&mut ());
    let passed = split(relay.pending(Side::Service)).len();
    assert_eq!(passed, client::Session::MAX_CALLS);
}

#[derive(Serialize)]
struct Count {
    n: u8,
}

impl nullink::Method for Count {
    const NAME: &'static str = "org.example.t.Count";
    type Output<'r> = Counted;
    type Error<'r> = NoError;
}

#[test]
fn a_client_session_works_through_a_relay() {
    let (mut a, mut b, mut c, mut d) = ([0; 256], [0; 256], [0; 256], [0; 256]);
    let (mut e, mut f) = ([0; 256], [0; 256]);
    let mut client = client::Session::new(&mut a, &mut b);
    let mut relay = Relay::new(&mut c, &mut d);
    let mut far = Served::new(&mut e, &mut f);
    client
        .queue("org.example.t.Empty", Mode::Simple, &())
        .unwrap();
    client
        .queue("org.example.t.Count", Mode::More, &Count { n: 3 })
        .unwrap();
    let mut seen = Vec::new();
    let mut back = VecDeque::new();
    while client.next_mode() != Ok(None) {
        if let [byte, ..] = client.channel().pending() {
            give(&mut relay, Side::Client, &[*byte]);
            client.channel().sent(1);
        }
        assert_eq!(relay.step(&mut ()), Step::Waiting);
        back.extend(far.take(Some(relay.pending(Side::Service))).0);
        relay.sent(Side::Service, usize::MAX);
        if let Some(byte) = back.pop_front() {
            give(&mut relay, Side::Service, &[byte]);
        }
        assert_eq!(relay.step(&mut ()), Step::Waiting);
        if let [byte, ..] = relay.pending(Side::Client) {
            client.channel().spare()[0] = *byte;
            client.channel().received(1);
            relay.sent(Side::Client, 1);
        }
        if client.ready().unwrap() {
            let reply = client.receive().unwrap();
            let continues = reply.continues();
            seen.push((
                reply.into_result::<Count>().map(|reply| reply.i).ok(),
                continues,
            ));
        }
    }
    let expected = [
        (None, false),
        (Some(0), true),
        (Some(1), true),
        (Some(2), false),
    ];
    assert_eq!(seen, expected);
}
