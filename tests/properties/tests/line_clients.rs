//! A serial line whose clients can be replaced at any byte. A client that stays gets every reply,
//! complete and in order, and no client gets a reply to the call of another.
//!
//! `PROPTEST_CASES=100000 cargo test --release --test line_clients` takes a few minutes.

#[path = "../../common/mod.rs"]
mod common;

use std::collections::VecDeque;

use common::t::T;
use common::{Arrival, answer, t};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use nullink::Error;
use nullink::line::Line;
use proptest::prelude::*;

/// The size of the service's buffers. All replies except a description are shorter than half of it.
const BUFFER: usize = 256;

/// The number of clients of a line, one after another.
const CLIENTS: usize = 12;

/// The number of replies of a stream that does not end while its client stays.
const ENDLESS: usize = 1_000_000;

/// Pseudorandom numbers from a seed: splitmix64.
struct Random(u64);

impl Random {
    /// Returns a number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    /// True once in `count` times, on average.
    fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// A client: the bytes that it sends, and the replies that it must get.
struct Client {
    /// The bytes to send: a break, a call that no other client makes, and other calls.
    sends: Vec<u8>,
    /// The reply to the first call. The replies after it are the client's own.
    first_reply: String,
    /// The replies to the other calls.
    replies: Vec<String>,
    /// True if an endless stream of numbers follows these replies.
    endless: bool,
    /// The number of replies that are certain if it sends more ahead than the line can keep.
    certain: usize,
    /// True if it sends all, and reads until it has all replies.
    stays: bool,
    /// True if it sends while it receives replies.
    sends_ahead: bool,
    /// The number of bytes sent.
    sent: usize,
    /// True if the stream has failed during this client.
    failed: bool,
    /// The part of the service's output that it reads.
    reads: std::ops::Range<usize>,
}

impl Client {
    fn new(number: usize, random: &mut Random) -> Self {
        let is_last = number + 1 == CLIENTS;
        let nonce = format!("org.example.n{number}");
        let first = describe(&nonce);
        let mut sends = b"\0".repeat(2 + random.below(3));
        sends.extend_from_slice(first.as_bytes());
        let mut client = Client {
            sends: Vec::new(),
            first_reply: replies(&first).remove(0),
            replies: Vec::new(),
            endless: false,
            certain: usize::MAX,
            stays: is_last || random.once_in(2),
            sends_ahead: random.once_in(2),
            sent: 0,
            failed: false,
            reads: 0..0,
        };
        let mut gets_more = true;
        let mut after_stream = None;
        for call in 0..random.below(20) {
            let text = format!("{number} {call} {}", "x".repeat(random.below(40)));
            let call = match random.below(16) {
                0 => "nonsense\0".to_owned(),
                1 => format!("{}\0", "x".repeat(2 * BUFFER + random.below(BUFFER))),
                2 if !client.stays && gets_more => {
                    client.endless = true;
                    gets_more = false;
                    count(ENDLESS)
                }
                3..6 => count(1 + random.below(30)),
                6 => describe(&format!("org.example.{number}")),
                7 => describe("org.example.t"),
                8 => t("Fail", "{}") + "\0",
                9 => t("Need", &format!(r#"{{"s":"{text}"}},"oneway":true"#)) + "\0",
                _ => t("Need", &format!(r#"{{"s":"{text}"}}"#)) + "\0",
            };
            if gets_more && call.contains("method") {
                client.replies.extend(replies(&call));
            } else {
                gets_more = false;
            }
            sends.extend_from_slice(call.as_bytes());
            if call.contains("\"more\":true") && after_stream.is_none() {
                after_stream = Some(sends.len());
                client.certain = client.replies.len();
            }
        }
        // The line keeps at most `BUFFER` bytes while it sends the stream.
        if after_stream.is_none_or(|at| sends.len() - at <= BUFFER) {
            client.certain = usize::MAX;
        }
        if !client.stays {
            sends.truncate(random.below(sends.len()));
        }
        client.sends = sends;
        client
    }

    /// Returns the next bytes that it sends.
    fn send(&mut self, random: &mut Random) -> Vec<u8> {
        let left = self.sends.len() - self.sent;
        let count = match random.below(3) {
            0 => left.min(1),
            1 => random.below(left + 1),
            _ => left,
        };
        let begin = self.sent;
        self.sent += count;
        self.sends[begin..self.sent].to_vec()
    }

    /// True if it sends while the service does. It always sends a break, which ends a stream.
    fn sends_during_replies(&self) -> bool {
        self.sends_ahead || self.endless || self.sent < 2
    }

    fn has_sent_all(&self) -> bool {
        self.sent == self.sends.len()
    }

    /// Checks the replies when the client leaves, or when it gets no more.
    fn check(&self, output: &[u8]) {
        let read = String::from_utf8_lossy(&output[self.reads.clone()]).into_owned();
        let mut messages: Vec<&str> = read.split('\0').collect();
        let half = messages.pop().unwrap_or_default();
        let begin = messages
            .iter()
            .position(|message| *message == self.first_reply);
        let own = begin.map_or(&[][..], |begin| &messages[begin + 1..]);
        let numbers = (0..).map(|i| format!(r#"{{"continues":true,"parameters":{{"i":{i}}}}}"#));
        let endless = numbers.take(if self.endless { own.len() + 1 } else { 0 });
        let mut expected = self.replies.iter().cloned().chain(endless);
        for reply in own {
            assert_eq!(Some(*reply), expected.next().as_deref());
        }
        if begin.is_some() {
            let next = expected.next().unwrap_or_default();
            assert!(next.starts_with(half), "{half:?} is not a part of {next:?}");
        }
        if self.stays && !self.failed {
            assert!(begin.is_some(), "no answer to {:?}", self.first_reply);
            assert!(own.len() >= self.certain.min(self.replies.len()));
            assert_eq!(half, "");
        }
    }
}

fn describe(interface: &str) -> String {
    let method = "org.varlink.service.GetInterfaceDescription";
    format!("{{\"method\":\"{method}\",\"parameters\":{{\"interface\":\"{interface}\"}}}}\0")
}

fn count(n: usize) -> String {
    t("Count", &format!(r#"{{"n":{n}}},"more":true"#)) + "\0"
}

/// Returns the replies to a call that is the only one of its connection.
fn replies(call: &str) -> Vec<String> {
    if call == count(ENDLESS) {
        return Vec::new();
    }
    let mut scratch = [0; BUFFER];
    let mut service = T {
        scratch: &mut scratch,
    };
    let (replies, end) = answer(&mut service, call.as_bytes(), Arrival::Joined, 4096, 8192);
    assert_eq!(end, Ok(false));
    replies
}

/// A slow line, and the clients at its other end, which act when the service waits or sends.
struct World {
    random: Random,
    clients: Vec<Client>,
    current: usize,
    /// The bytes that were sent and are not received yet.
    in_transit: VecDeque<u8>,
    output: Vec<u8>,
    /// True if the stream fails now and then.
    fails: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        World {
            clients: (0..CLIENTS)
                .map(|number| Client::new(number, &mut random))
                .collect(),
            fails: random.once_in(2),
            random,
            current: 0,
            in_transit: VecDeque::new(),
            output: Vec::new(),
        }
    }

    /// Lets the client send, or replaces it by the next one. False if it was the last one.
    fn advance(&mut self) -> bool {
        let client = &mut self.clients[self.current];
        if !client.has_sent_all() {
            self.in_transit.extend(client.send(&mut self.random));
            return true;
        }
        client.reads.end = self.output.len();
        client.check(&self.output);
        let stale = self.random.below(50).min(client.reads.len());
        let begin = client.reads.end - stale;
        self.current += 1;
        match self.clients.get_mut(self.current) {
            Some(next) => next.reads.start = begin,
            None => return false,
        }
        true
    }

    /// Returns an error if the stream fails now.
    fn failure(&mut self) -> Result<(), ErrorKind> {
        if self.random.once_in(50) {
            return Err(ErrorKind::Interrupted);
        }
        if self.fails && self.random.once_in(500) {
            if let Some(client) = self.clients.get_mut(self.current) {
                client.failed = true;
            }
            return Err(ErrorKind::Other);
        }
        Ok(())
    }
}

impl ErrorType for World {
    type Error = ErrorKind;
}

impl Read for World {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        assert!(!buffer.is_empty(), "an empty buffer reads like the end");
        self.failure()?;
        while self.in_transit.is_empty() {
            if !self.advance() {
                return Ok(0);
            }
        }
        let most = buffer.len().min(self.in_transit.len());
        let count = 1 + self.random.below(most);
        for (to, from) in buffer.iter_mut().zip(self.in_transit.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }
}

impl ReadReady for World {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        self.failure()?;
        Ok(!self.in_transit.is_empty() && !self.random.once_in(3))
    }
}

impl Write for World {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        assert!(self.output.len() < 1 << 20, "the stream does not end");
        self.failure()?;
        let count = match self.random.below(3) {
            0 => 1,
            1 => 1 + self.random.below(bytes.len()),
            _ => bytes.len(),
        };
        self.output.extend_from_slice(&bytes[..count]);
        let client = &self.clients[self.current];
        let may_leave = !client.stays && client.has_sent_all();
        let may_send = client.sends_during_replies() && !client.has_sent_all();
        if (may_leave || may_send) && self.random.once_in(8) {
            self.advance();
        }
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Serves all clients of a line, and checks the replies of each.
fn serve_all(seed: u64) {
    let (mut receive, mut send, mut ahead) = ([0; BUFFER], [0; 2 * BUFFER], [0; BUFFER]);
    let mut scratch = [0; BUFFER];
    let mut service = T {
        scratch: &mut scratch,
    };
    let mut line = Line::new(World::new(seed), &mut ahead);
    while let Err(error) = line.serve(&mut service, &mut receive, &mut send) {
        assert_eq!(error, Error::Transport(ErrorKind::Other));
    }
    let (world, _) = line.into_parts();
    assert_eq!(world.current, CLIENTS);
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn l5_a_client_that_stays_on_a_line_gets_all_of_its_replies(seed: u64) {
        serve_all(seed);
    }
}
