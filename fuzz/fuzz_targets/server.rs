//! Checks a server with several clients that send parts of messages, close, close one half, and read
//! in any order. Each client reads the replies that it gets from a server of its own, or the first
//! of them if it closes early.
//!
//! The input is two bytes for each step: an action with the number of a client, an argument.
#![no_main]

#[path = "../../examples/shared/t.rs"]
mod t;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use libfuzzer_sys::fuzz_target;
use nullink::server::{Event, Server, Slots};
use nullink::unix::{IoError, Stream};
use nullink::{Duplex, serve};
use t::{Cursor, T};

/// The number of places of the server, and of clients at the same time.
const CLIENTS: usize = 4;

const RX: usize = 256;
const TX: usize = 1024;

const MESSAGES: [&[u8]; 8] = [
    b"{\"method\":\"org.example.t.Empty\"}\0",
    b"{\"method\":\"org.example.t.Need\",\"parameters\":{\"s\":\"a\\n\\u0041\"}}\0",
    b"{\"method\":\"org.example.t.Count\",\"more\":true,\"parameters\":{\"n\":20}}\0",
    b"{\"method\":\"org.example.t.Need\",\"oneway\":true}\0",
    b"{\"method\":\"org.example.t.Fail\"}\0",
    b"{\"method\":\"org.varlink.service.GetInfo\"}\0",
    b"{\"method\":\"org.example.unheard.Of\"}\0",
    b"nonsense\0",
];

struct Client {
    stream: UnixStream,
    /// The rest of the message that it sends now.
    rest: &'static [u8],
    has_finished: bool,
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Client {
    /// Creates a client from its end of a connection.
    fn new(stream: Stream) -> Self {
        let stream = UnixStream::from(OwnedFd::from(stream));
        stream.set_nonblocking(true).expect("a socket");
        Client {
            stream,
            rest: &[],
            has_finished: false,
            sent: Vec::new(),
            received: Vec::new(),
        }
    }

    /// Sends a part of a message.
    fn send(&mut self, argument: u8) {
        if self.has_finished {
            return;
        }
        if self.rest.is_empty() {
            self.rest = MESSAGES[usize::from(argument) % MESSAGES.len()];
        }
        let count = match argument {
            128.. => self.rest.len(),
            part => self.rest.len().min(usize::from(part)),
        };
        match self.stream.write(&self.rest[..count]) {
            Ok(count) => {
                self.sent.extend(&self.rest[..count]);
                self.rest = &self.rest[count..];
            }
            // The server has closed the connection, or the socket is full.
            Err(error) => assert!(matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::BrokenPipe
            )),
        }
    }

    /// Reads at most `most` bytes. Returns false if there are none.
    fn read(&mut self, most: usize) -> bool {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer[..most.clamp(1, 4096)]) {
            Ok(count) => {
                self.received.extend(&buffer[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// Compares its replies with those of a server that has no other client.
    fn check(&self, is_whole: bool) {
        let (mut receive, mut send, mut scratch) = ([0; RX], [0; TX], [0; RX]);
        let mut service = T {
            scratch: &mut scratch,
        };
        let mut expected = Vec::new();
        let stream = Duplex {
            reader: &self.sent[..],
            writer: &mut expected,
        };
        // It fails after nonsense.
        let _ = serve(&mut service, stream, &mut receive, &mut send);
        if is_whole {
            assert_eq!(
                self.received.escape_ascii().to_string(),
                expected.escape_ascii().to_string()
            );
        } else {
            assert!(expected.starts_with(&self.received));
        }
    }
}

/// Lets the server work until it would wait.
fn settle(server: &mut Server<'_, Cursor, CLIENTS>, service: &mut T<'_>) {
    match server.settle(service).expect("the server works") {
        None | Some(Event::Idle) => {}
        Some(event) => panic!("{event:?}"),
    }
}

fuzz_target!(|data: &[u8]| {
    let mut slots = Slots::<CLIENTS, RX, TX>::new();
    let mut scratch = [0; RX];
    let mut service = T {
        scratch: &mut scratch,
    };
    let (client, stream) = Stream::pair().expect("a pair");
    let mut server = Server::new(stream, &mut slots).expect("a server");
    let mut clients = [const { None }; CLIENTS];
    clients[0] = Some(Client::new(client));

    for step in data.chunks_exact(2) {
        let (action, argument) = (step[0], step[1]);
        let place = &mut clients[usize::from(action / 8) % CLIENTS];
        match (action % 8, place.as_mut()) {
            (0, _) => settle(&mut server, &mut service),
            (_, None) => {
                let (client, stream) = Stream::pair().expect("a pair");
                match server.adopt(stream) {
                    Ok(_) => *place = Some(Client::new(client)),
                    // The server may not know yet that a client is gone.
                    Err(IoError::NoPlace) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            (1, Some(client)) => {
                client.check(false);
                *place = None;
            }
            (2, Some(client)) => {
                client.stream.shutdown(Shutdown::Write).expect("a socket");
                client.has_finished = true;
            }
            (3, Some(client)) => {
                client.read(argument.into());
            }
            (_, Some(client)) => client.send(argument),
        }
    }

    // Every client that is left gets its answers.
    loop {
        settle(&mut server, &mut service);
        let mut is_moving = false;
        for client in clients.iter_mut().flatten() {
            while client.read(usize::MAX) {
                is_moving = true;
            }
        }
        if !is_moving {
            break;
        }
    }
    for client in clients.iter().flatten() {
        client.check(true);
    }
});
