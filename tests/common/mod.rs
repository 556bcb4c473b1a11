//! Helpers for the tests: a stream that is cut into pieces, and conversations that are repeated in
//! every way in which their bytes can arrive.
#![allow(dead_code)] // not every test uses every item

#[cfg(all(feature = "unix", target_os = "linux"))]
pub mod serving;
#[path = "../../examples/shared/t.rs"]
pub mod t;

use std::collections::VecDeque;
use std::convert::Infallible;

use embedded_io::{ErrorType, Read, Write};
use nullink::{Client, End, Error, Service, Violation, serve};

/// The way in which bytes arrive.
#[derive(Clone, Copy, Debug)]
pub enum Arrival {
    /// As many bytes as fit, each time.
    Joined,
    /// In two pieces. The first has this number of bytes.
    Split(usize),
    /// One by one.
    Bytes,
}

/// A stream with scripted input, which keeps its output.
pub struct Script {
    pieces: VecDeque<Vec<u8>>,
    /// The lengths of the answers to calls. Each becomes available when its call is written. If
    /// there are none, all of the input is available at once.
    answers: VecDeque<usize>,
    /// The number of bytes of the input that can be read now.
    available: usize,
    pub output: Vec<u8>,
    pub reads: usize,
    pub writes: usize,
}

impl Script {
    pub fn new(input: &[u8], arrival: Arrival) -> Self {
        let pieces: Vec<&[u8]> = match arrival {
            Arrival::Joined => vec![input],
            Arrival::Split(at) => vec![&input[..at], &input[at..]],
            Arrival::Bytes => input.chunks(1).collect(),
        };
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        Script {
            pieces: pieces.map(<[u8]>::to_vec).collect(),
            answers: VecDeque::new(),
            available: usize::MAX,
            output: Vec::new(),
            reads: 0,
            writes: 0,
        }
    }

    /// Returns the stream of a client. Its input is replies; each arrives after its call.
    pub fn of_service(input: &[u8], arrival: Arrival) -> Self {
        let mut answers = VecDeque::new();
        let mut length = 0;
        for message in input.split_inclusive(|byte| *byte == 0) {
            length += message.len();
            if !String::from_utf8_lossy(message).contains("\"continues\":true") {
                answers.push_back(std::mem::take(&mut length));
            }
        }
        if let Some(last) = answers.back_mut() {
            *last += length;
        }
        Script {
            available: if answers.is_empty() { usize::MAX } else { 0 },
            answers,
            ..Script::new(input, arrival)
        }
    }

    pub fn messages(&self) -> Vec<String> {
        split(&self.output)
    }
}

impl ErrorType for Script {
    type Error = Infallible;
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        assert!(!buffer.is_empty(), "an empty buffer reads like the end");
        self.reads += 1;
        let Some(mut piece) = self.pieces.pop_front() else {
            return Ok(0);
        };
        let count = piece.len().min(buffer.len()).min(self.available);
        self.available -= count;
        buffer[..count].copy_from_slice(&piece[..count]);
        if count < piece.len() {
            self.pieces.push_front(piece.split_off(count));
        }
        Ok(count)
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.writes += 1;
        self.output.extend_from_slice(bytes);
        // A client writes complete calls.
        let calls = if self.answers.is_empty() {
            Vec::new()
        } else {
            split(bytes)
        };
        for _ in calls
            .iter()
            .filter(|call| !call.contains("\"oneway\":true"))
        {
            self.available += self.answers.pop_front().unwrap_or_default();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Returns the messages in a sequence of bytes, which must end with a complete message.
pub fn split(bytes: &[u8]) -> Vec<String> {
    let mut messages: Vec<String> = bytes
        .split(|byte| *byte == 0)
        .map(|message| String::from_utf8(message.to_vec()).expect("UTF-8"))
        .collect();
    assert_eq!(
        messages.pop().as_deref(),
        Some(""),
        "a message is cut short"
    );
    messages
}

/// Serves `input`. Returns the replies, and true if the connection was upgraded.
pub fn answer<S: Service<C>, C: Copy>(
    service: &mut S,
    input: &[u8],
    arrival: Arrival,
    receive: usize,
    send: usize,
) -> (Vec<String>, Result<bool, Error<Infallible>>) {
    let mut script = Script::new(input, arrival);
    let (mut receive, mut send) = (vec![0; receive], vec![0; send]);
    let end = serve(service, &mut script, &mut receive, &mut send);
    let upgraded = end.map(|end| matches!(end, End::Upgraded { .. }));
    (script.messages(), upgraded)
}

/// A conversation with a service: messages, and the replies to each.
#[derive(Clone, Debug, Default)]
pub struct Talk {
    turns: Vec<(Vec<u8>, Vec<String>)>,
    end: Option<Violation>,
}

pub fn talk() -> Talk {
    Talk::default()
}

impl Talk {
    /// Adds a call that gets one reply.
    pub fn call(self, call: impl AsRef<[u8]>, reply: &str) -> Self {
        self.calls(call, &[reply])
    }

    /// Adds a call that gets these replies.
    pub fn calls(mut self, call: impl AsRef<[u8]>, replies: &[&str]) -> Self {
        let replies = replies.iter().map(ToString::to_string).collect();
        self.turns.push((call.as_ref().to_vec(), replies));
        self
    }

    /// Adds a message that closes the connection.
    pub fn closes(mut self, message: impl AsRef<[u8]>, why: Violation) -> Self {
        self.turns.push((message.as_ref().to_vec(), Vec::new()));
        self.end = Some(why);
        // The call after it is not read.
        self.turns.push((EMPTY.as_bytes().to_vec(), Vec::new()));
        self
    }

    /// Runs the conversation with the conformance service: split at every byte, byte by byte,
    /// joined, and with receive buffers of every length from one byte.
    pub fn check(self) {
        let mut scratch = vec![0; 1 << 16];
        self.check_with(&mut t::T {
            scratch: &mut scratch,
        });
    }

    pub fn check_with<S: Service<C>, C: Copy>(self, service: &mut S) {
        let mut input = Vec::new();
        for (call, _) in &self.turns {
            input.extend_from_slice(call);
            input.push(0);
        }
        let longest = self.turns.iter().map(|(call, _)| call.len() + 1).max();
        let longest = longest.expect("a call");
        for at in 0..=input.len() {
            self.check_once(service, &input, Arrival::Split(at), longest);
        }
        for receive in (1..=longest).chain([2 * longest, input.len(), 1 << 16]) {
            self.check_once(service, &input, Arrival::Joined, receive);
            self.check_once(service, &input, Arrival::Bytes, receive);
        }
    }

    fn check_once<S: Service<C>, C: Copy>(
        &self,
        service: &mut S,
        input: &[u8],
        arrival: Arrival,
        receive: usize,
    ) {
        let fits = |(call, _): &&(Vec<u8>, _)| call.len() < receive;
        // The turn that closes is the second to last, and has no replies.
        let closing = self.end.map(|_| self.turns.len() - 2);
        let fitting = self.turns.iter().take_while(fits).count();
        let expected: Vec<String> = self.turns[..fitting.min(closing.unwrap_or(usize::MAX))]
            .iter()
            .flat_map(|(_, replies)| replies.clone())
            .collect();
        let end = match closing {
            Some(closing) if fitting > closing => Err(self.end.expect("a reason").into()),
            _ if fitting < self.turns.len() => Err(Error::TooLong),
            _ => Ok(false),
        };
        let result = answer(service, input, arrival, receive, 1 << 16);
        assert_eq!(
            result,
            (expected, end),
            "{arrival:?}, receive buffer of {receive}"
        );
    }
}

/// A call whose reply is `{}`.
pub const EMPTY: &str = r#"{"method":"org.example.t.Empty"}"#;

/// Returns a call of the conformance service.
pub fn t(method: &str, parameters: &str) -> String {
    format!(r#"{{"method":"org.example.t.{method}","parameters":{parameters}}}"#)
}

/// Returns the error reply for a parameter that is not valid.
pub fn invalid(parameter: &str) -> String {
    format!(
        r#"{{"error":"org.varlink.service.InvalidParameter","parameters":{{"parameter":"{parameter}"}}}}"#
    )
}

/// Runs a client that receives `input` as its replies. Returns the result and the client's calls.
pub fn with_client<R>(
    input: &[u8],
    arrival: Arrival,
    receive: usize,
    run: impl FnOnce(&mut Client<'_, &mut Script>) -> R,
) -> (R, Vec<String>) {
    let mut script = Script::of_service(input, arrival);
    let (mut receive, mut send) = (vec![0; receive], vec![0; 4096]);
    let mut client = Client::new(&mut script, &mut receive, &mut send);
    let result = run(&mut client);
    (result, script.messages())
}

/// Runs `check` for every way in which the input can arrive.
pub fn every_arrival(input: &[u8], mut check: impl FnMut(Arrival)) {
    check(Arrival::Joined);
    check(Arrival::Bytes);
    for at in 1..input.len() {
        check(Arrival::Split(at));
    }
}
