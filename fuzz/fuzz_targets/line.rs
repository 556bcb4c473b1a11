//! Checks a serial line whose clients follow each other. The current client gets every reply, whole
//! and in order, or no further reply until the next break. It never gets a reply to a call of
//! another client.
//!
//! The input is the size of the receive buffer, the length of the pieces that arrive, the number of
//! writes between them, the number of bytes that a write takes, where a write fails once, and then
//! the bytes of the line.
#![no_main]

#[path = "../../examples/shared/t.rs"]
mod t;

use std::collections::BTreeSet;

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use libfuzzer_sys::fuzz_target;
use nullink::line::Line;
use nullink::{End, Error, serve};
use t::T;

/// More clients take longer and find nothing new.
const MOST_CLIENTS: usize = 32;

/// A stream of replies may have no end, so writes fail after this number of bytes.
const MOST_OUTPUT: usize = 8192;

const SEND: usize = 4096;

/// A line whose bytes arrive in pieces, each after a number of writes or when a read waits for it.
struct Wire<'a> {
    input: &'a [u8],
    piece: usize,
    /// The number of bytes that have arrived and are not read.
    arrived: usize,
    writes_between: usize,
    write_size: usize,
    writes: usize,
    /// The length of the output at which a write fails, once.
    fails_at: Option<usize>,
    output: Vec<u8>,
}

impl<'a> Wire<'a> {
    fn new(input: &'a [u8], piece: u8, writes_between: u8, write_size: u8) -> Self {
        Wire {
            input,
            piece: usize::from(piece) + 1,
            arrived: 0,
            writes_between: usize::from(writes_between),
            write_size: match write_size {
                0 => usize::MAX,
                size => usize::from(size),
            },
            writes: 0,
            fails_at: None,
            output: Vec::new(),
        }
    }

    fn arrive(&mut self) {
        self.arrived = self.input.len().min(self.arrived + self.piece);
    }

    /// True if writes have failed, because there is too much output.
    fn is_full(&self) -> bool {
        self.output.len() >= MOST_OUTPUT
    }
}

impl ErrorType for Wire<'_> {
    type Error = ErrorKind;
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        assert!(!buffer.is_empty(), "an empty buffer reads like the end");
        if self.arrived == 0 {
            self.arrive();
        }
        let count = self.arrived.min(buffer.len());
        let (read, rest) = self.input.split_at(count);
        buffer[..count].copy_from_slice(read);
        self.input = rest;
        self.arrived -= count;
        Ok(count)
    }
}

impl ReadReady for Wire<'_> {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(self.arrived > 0)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if self.is_full() {
            return Err(ErrorKind::TimedOut);
        }
        if self.fails_at.is_some_and(|at| self.output.len() >= at) {
            self.fails_at = None;
            return Err(ErrorKind::Other);
        }
        let count = bytes.len().min(self.write_size);
        self.output.extend_from_slice(&bytes[..count]);
        self.writes += 1;
        if self.writes > self.writes_between {
            self.writes = 0;
            self.arrive();
        }
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Splits a line's bytes at the breaks: two or more NULs, of which the first still belongs to the
/// client before.
fn clients(bytes: &[u8]) -> Vec<&[u8]> {
    let mut clients = Vec::new();
    let mut rest = bytes;
    loop {
        let begin = rest.iter().take_while(|byte| **byte == 0).count();
        rest = &rest[begin..];
        match rest.windows(2).position(|pair| pair == [0, 0]) {
            Some(at) => {
                clients.push(&rest[..=at]);
                rest = &rest[at + 1..];
            }
            None => {
                clients.push(rest);
                return clients;
            }
        }
    }
}

/// The replies to one client that has a stream to itself.
struct Expected {
    replies: Vec<Vec<u8>>,
    /// True if its replies may end early while it is the current client.
    may_end: bool,
    is_upgraded: bool,
}

fuzz_target!(|data: &[u8]| {
    let [
        receive,
        piece,
        writes_between,
        write_size,
        fails,
        bytes @ ..,
    ] = data
    else {
        return;
    };
    let mut receive = vec![0; 64 + 8 * usize::from(*receive)];
    let mut send = vec![0; SEND];
    let mut scratch = vec![0; receive.len()];
    let mut service = T {
        scratch: &mut scratch,
    };
    let clients = clients(bytes);
    if clients.len() > MOST_CLIENTS {
        return;
    }
    let mut expected = Vec::new();
    for client in &clients {
        let mut stream = Wire::new(client, u8::MAX, 0, 0);
        let end = serve(&mut service, &mut stream, &mut receive, &mut send);
        let is_upgraded = matches!(end, Ok(End::Upgraded { .. }));
        let is_full = stream.is_full();
        let replies = stream.output.split_inclusive(|byte| *byte == 0);
        let replies: Vec<Vec<u8>> = replies.map(<[u8]>::to_vec).collect();
        assert!(replies.iter().all(|reply| reply.ends_with(&[0])));
        let is_stream = |reply: &Vec<u8>| reply.starts_with(b"{\"continues\":true");
        expected.push(Expected {
            // A client that sends more calls during a stream than fit gets no further replies.
            may_end: is_full || replies.iter().any(is_stream),
            replies,
            is_upgraded,
        });
    }

    let mut ahead = vec![0; receive.len()];
    let mut wire = Wire::new(bytes, *piece, *writes_between, *write_size);
    wire.fails_at = (*fails > 0).then_some(usize::from(*fails) * 2);
    let mut line = Line::new(&mut wire, &mut ahead);
    let mut has_failed = false;
    let is_upgraded = loop {
        match line.serve(&mut service, &mut receive, &mut send) {
            Ok(End::Closed) => break false,
            Ok(End::Upgraded { .. }) => break true,
            Err(Error::Transport(ErrorKind::Other)) if !has_failed => has_failed = true,
            Err(Error::Transport(ErrorKind::TimedOut)) => return,
            Err(error) => panic!("{error}"),
        }
    };

    // All explanations of the output so far: a client, and the number of replies that it got.
    // The client after the last one gets nothing.
    let later = |from: usize| (from..=expected.len()).map(|client| (client, 0));
    let mut states: BTreeSet<(usize, usize)> = later(0).collect();
    for message in wire.output.split_inclusive(|byte| *byte == 0) {
        let mut next = BTreeSet::new();
        for (client, count) in states {
            let Some(reply) = expected.get(client).and_then(|it| it.replies.get(count)) else {
                continue;
            };
            if message == reply {
                next.insert((client, count + 1));
                next.extend(later(client + 1));
            } else if reply.starts_with(message.strip_suffix(&[0]).unwrap_or(message)) {
                // The client was gone, and the NUL is for the next one.
                next.extend(later(client + 1));
            }
        }
        states = next;
        assert!(
            !states.is_empty(),
            "not a reply: {}",
            message.escape_ascii()
        );
    }
    let explains = |(client, count): &(usize, usize)| {
        let Some(this) = expected.get(*client) else {
            // The last client got a part of a reply.
            return has_failed;
        };
        let is_whole = *count == this.replies.len();
        match is_upgraded {
            true => this.is_upgraded && is_whole,
            false => *client + 1 == expected.len() && (is_whole || this.may_end || has_failed),
        }
    };
    assert!(states.iter().any(explains), "the last client lacks replies");
});
