//! Checks a relay between two peers that send and receive arbitrary amounts in any order. Each side
//! receives a prefix of what the other has sent, as the policy changes it, and the relay never
//! hangs.
//!
//! The input is the sizes of the buffers, and then two bytes for each step: an action, an argument.
#![no_main]

use std::collections::VecDeque;
use std::ops::Range;

use libfuzzer_sys::fuzz_target;
use nullink::json::{Raw, Value};
use nullink::relay::{Policy, Relay, Side, Step, Verdict};
use nullink::{Call, Mode, Refusal, Reply};

const CALLS: [&[u8]; 10] = [
    b"{\"method\":\"org.example.t.Empty\"}\0",
    b" { \"m\\u0065thod\" : \"org.example.t.Ne\\u0065d\", \"x.y\":[1], \"parameters\":{\"s\":\"\\n\"} }\0",
    b"{\"method\":\"org.example.t.Count\",\"more\":true}\0",
    b"{\"method\":\"org.example.t.Empty\",\"oneway\":true}\0",
    b"{\"method\":\"org.example.t.Pipe\",\"upgrade\":true}\0",
    b"{\"method\":\"org.example.d\\u0065ny.Empty\"}\0",
    b"{\"method\":\"org.example.deny.Empty\",\"oneway\":true}\0",
    b"{\"method\":\"org.example.deny.Empty\",\"upgrade\":true}\0",
    b"{\"x.y\":\"method\",\"method\":\"org.example.long.\\u0045mpty\",\"more\":null}\0",
    b"{\"method\":\"org.example.short.Empty\",\"oneway\":true}\0",
];

const REPLIES: [&[u8]; 5] = [
    b"{}\0",
    b"{\"parameters\":{\"a\":\"\\u0041\"}}\0",
    b"{\"continues\":true,\"parameters\":{\"i\":1}}\0",
    b"{\"error\":\"org.example.t.Oops\",\"parameters\":{}}\0",
    b"{\"x.y\":1,\"error\":null}\0",
];

const LONG: &str = "org.example.very.long.name.of.an.interface.indeed";

const DENIED: &[u8] = b"{\"error\":\"org.varlink.service.PermissionDenied\"}\0";

/// The policy, which records the bytes that the relay should pass on.
#[derive(Default)]
struct Watch {
    to_service: Vec<u8>,
    to_client: Vec<u8>,
    /// The modes of the calls that wait for a reply.
    outstanding: VecDeque<Mode>,
    refused: bool,
    upgraded: bool,
}

impl Watch {
    /// Decides about a call by its interface.
    fn judge(&mut self, call: &Call<'_>, message: Raw<'_>) -> Verdict<'static> {
        let message = message.as_str();
        assert!(!self.upgraded && !self.refused);
        let (interface, member) = match call.interface() {
            "org.example.deny" => {
                self.refused = call.mode() != Mode::Oneway;
                self.answer();
                return Verdict::Refuse(Refusal::PermissionDenied);
            }
            "org.example.long" => (LONG, "Empty"),
            "org.example.short" => ("a.b", "E"),
            _ => ("", ""),
        };
        match interface {
            "" => self.to_service.extend(message.as_bytes()),
            _ => {
                let name = method(message);
                let (before, after) = (&message[..name.start], &message[name.end..]);
                let renamed = format!("{before}{interface}.{member}{after}");
                self.to_service.extend(renamed.as_bytes());
            }
        }
        self.to_service.push(0);
        if call.mode() != Mode::Oneway {
            self.outstanding.push_back(call.mode());
        }
        match interface {
            "" => Verdict::Pass,
            _ => Verdict::PassAs { interface, member },
        }
    }

    /// Expects a refusal when all earlier calls are answered.
    fn answer(&mut self) {
        if self.refused && self.outstanding.is_empty() {
            self.to_client.extend(DENIED);
            self.refused = false;
        }
    }
}

/// Returns the range of the method's name in a message.
fn method(message: &str) -> Range<usize> {
    let mut copy = message.as_bytes().to_vec();
    let begin = copy.as_ptr() as usize;
    let value = Value::scan(&mut copy).expect("JSON").member("method");
    let value = value.expect("a method");
    let start = value.raw().as_str().as_ptr() as usize - begin;
    start + 1..start + value.raw().as_str().len() - 1
}

impl Policy for Watch {
    fn call<'c>(&'c mut self, call: Call<'c>, message: Raw<'_>) -> Verdict<'c> {
        assert_ne!(call.mode(), Mode::Upgrade);
        self.judge(&call, message)
    }

    fn upgrade<'c>(&'c mut self, call: Call<'c>, message: Raw<'_>) -> Verdict<'c> {
        assert_eq!(call.mode(), Mode::Upgrade);
        self.judge(&call, message)
    }

    fn reply(&mut self, reply: Reply<'_>, message: Raw<'_>) {
        let mode = self.outstanding[0];
        if !reply.continues() {
            self.outstanding.pop_front();
        } else {
            assert_eq!(mode, Mode::More);
        }
        self.upgraded = mode == Mode::Upgrade && reply.error().is_none();
        self.to_client.extend(message.as_str().as_bytes());
        self.to_client.push(0);
        self.answer();
    }

    fn bytes(&mut self, from: Side, bytes: &[u8]) {
        assert!(self.upgraded && !bytes.is_empty());
        match from {
            Side::Client => self.to_service.extend(bytes),
            Side::Service => self.to_client.extend(bytes),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let [calls, replies, steps @ ..] = data else {
        return;
    };
    let (mut calls, mut replies) = (
        vec![0; 8 * usize::from(*calls)],
        vec![0; 4 * usize::from(*replies)],
    );
    let mut relay = Relay::new(&mut calls, &mut replies);
    let mut watch = Watch::default();
    let mut taken = [Vec::new(), Vec::new()];
    let mut sends = [Vec::new(), Vec::new()];
    let mut lost = [false; 2];
    let mut ended = None;
    for step in steps.chunks_exact(2) {
        let (action, argument) = (step[0] % 16, step[1]);
        let n = usize::from(argument);
        match action {
            // A peer sends a message.
            0..3 => sends[0].extend(CALLS[n % CALLS.len()]),
            3..5 => sends[1].extend(REPLIES[n % REPLIES.len()]),
            5 => sends[n % 2].push(argument / 2),
            // The relay receives some bytes.
            6..10 => {
                let at = usize::from(action % 2);
                let side = Side::BOTH[at];
                let spare = relay.spare(side);
                let count = spare.len().min(sends[at].len()).min(n);
                for (to, byte) in spare.iter_mut().zip(sends[at].drain(..count)) {
                    *to = byte;
                }
                // A count of 0 would mean the end of the stream.
                if count > 0 {
                    relay.received(side, count);
                }
            }
            // A peer takes some bytes.
            10..14 => {
                let at = usize::from(action % 2);
                let side = Side::BOTH[at];
                let count = relay.pending(side).len().min(n);
                taken[at].extend(&relay.pending(side)[..count]);
                relay.sent(side, count);
            }
            // A peer disconnects.
            14 if n % 8 == 0 => relay.received(Side::BOTH[n / 8 % 2], 0),
            15 if n % 8 == 0 => {
                lost[n / 8 % 2] = true;
                relay.fail_to_send(Side::BOTH[n / 8 % 2]);
            }
            _ => {}
        }
        let lost_any = lost[0] || lost[1];
        let step = relay.step(&mut watch);
        if let Some(ended) = ended {
            assert_eq!(step, ended, "the end of a relay is final");
        }
        if step != Step::Waiting {
            ended = Some(step);
            assert!(
                Side::BOTH
                    .iter()
                    .all(|side| relay.pending(*side).is_empty())
            );
        } else {
            let sends = |side| !relay.pending(side).is_empty();
            let sends = Side::BOTH.map(sends).contains(&true);
            let receives = Side::BOTH.map(|side| !relay.spare(side).is_empty());
            assert!(sends || receives.contains(&true), "the relay hangs");
        }
        // Only the expected bytes have passed, and all of them if both sides ended without errors.
        let passed = [
            (&watch.to_client, &taken[0], lost[0]),
            (&watch.to_service, &taken[1], lost[1]),
        ];
        for (wanted, taken, lost) in passed {
            assert!(lost || wanted.starts_with(taken));
            if step == Step::Ended(Ok(())) && !lost_any {
                assert_eq!(wanted, taken);
            }
        }
    }
});
