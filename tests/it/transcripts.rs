//! A server sends each client the same replies as the blocking driver, whatever other clients do.
//! So does a relay.
//!
//! Clients are generated from seeds. `TRANSCRIPTS=100000 cargo test --release --test it transcripts`
//! runs that many of them.
#![cfg(all(feature = "unix", target_os = "linux"))]

use std::time::{Duration, Instant};

use nullink::relay::{Relay, Side, Step};
use nullink::server::{Server, Slots};
use nullink::unix::{Listener, Stream};
use nullink::{Answer, Call, Duplex, Info, Interface, Responder, Service, interface, serve};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use serde::{Deserialize, Serialize};

const SCRIPT: Interface = interface!(text "
interface org.example.script

method Ping(ping: string) -> (pong: string)

method Count(n: int, letters: int) -> (i: int, letters: string)

method Fail() -> ()

method Hang() -> ()

error Failed (why: string)
");

#[derive(Deserialize)]
enum Methods<'a> {
    Ping {
        #[serde(borrow)]
        ping: &'a str,
    },
    Count {
        n: i64,
        letters: usize,
    },
    Fail,
}

#[derive(Serialize)]
struct Pong<'a> {
    pong: &'a str,
}

#[derive(Serialize)]
struct Counted<'a> {
    i: i64,
    letters: &'a str,
}

#[derive(Serialize)]
enum Error {
    Failed { why: &'static str },
}

/// The progress of a Count: the next number, the number of replies, and the letters of each.
type Cursor = (i64, i64, usize);

struct Script {
    /// The number of streams that have begun, and have neither ended nor been abandoned.
    streams: i64,
}

impl Service<Cursor> for Script {
    const INTERFACES: &'static [Interface] = &[SCRIPT];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        match call.decode()? {
            Methods::Ping { ping } => reply.send(&Pong { pong: ping }),
            Methods::Fail => reply.error(&Error::Failed { why: "because" }),
            Methods::Count { n, letters } => {
                self.streams += 1;
                let answer = self.resume((0, n, letters), reply);
                self.streams -= i64::from(answer.is_err());
                answer
            }
        }
    }

    fn resume<'c>(
        &mut self,
        (i, n, letters): Cursor,
        reply: Responder<'c, Cursor>,
    ) -> Answer<'c, Cursor> {
        let reply = reply.more()?;
        let text = &LETTERS[..letters.min(LETTERS.len())];
        let counted = Counted { i, letters: text };
        if i + 1 < n {
            reply.next(&counted)?.then((i + 1, n, letters))
        } else {
            let answer = reply.send(&counted);
            self.streams -= i64::from(answer.is_ok());
            answer
        }
    }

    fn abandoned(&mut self, _: Cursor) {
        self.streams -= 1;
    }
}

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\
    abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";

/// The sizes of the service's buffers: small, so that calls and replies often reach their ends.
const RX: usize = 200;
const TX: usize = 440;

/// Random numbers: xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// Generates the bytes of a client: calls, a few bad messages, and sometimes half a call at the
/// end.
fn script(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.below(20) {
        let n = random.below(30);
        let letters = random.below(150);
        let flag = [
            "",
            "",
            "",
            r#","oneway":true"#,
            r#","more":true"#,
            r#","upgrade":true"#,
        ][random.below(6)];
        let name = |member: &str| format!(r#"{{"method":"org.example.script.{member}"{flag}"#);
        let call = match random.below(40) {
            0 => String::from("{"),
            1 => String::new(),
            2 => format!("{}}}", "x".repeat(random.below(RX * 2))),
            3..=6 => name("Fail") + "}",
            7 => name("Hang") + "}",
            8 => name("None") + "}",
            9 => format!(r#"{{"method":"org.example.other.X"{flag}}}"#),
            10 => name("Ping") + "}",
            11 => String::from(r#"{"method":"org.varlink.service.GetInfo"}"#),
            12 => String::from(
                r#"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.varlink.service"}}"#,
            ),
            13..=20 => format!(
                r#"{},"more":true,"parameters":{{"n":{n},"letters":{letters}}}}}"#,
                r#"{"method":"org.example.script.Count""#
            ),
            _ => format!(
                r#"{},"parameters":{{"ping":"{}"}}}}"#,
                name("Ping"),
                "p".repeat(random.below(100))
            ),
        };
        bytes.extend(call.bytes());
        bytes.push(0);
    }
    if random.one_in(5) {
        bytes.extend(br#"{"method":"org.exam"#);
    }
    bytes
}

/// Returns the replies of the blocking driver.
fn expected(bytes: &[u8]) -> Vec<u8> {
    let mut replies = vec![0; 1 << 20];
    let room = replies.len();
    let mut writer = &mut replies[..];
    let stream = Duplex {
        reader: bytes,
        writer: &mut writer,
    };
    let mut service = Script { streams: 0 };
    let _ = serve(&mut service, stream, &mut [0; RX], &mut [0; TX]);
    assert_eq!(service.streams, 0, "a stream has not ended");
    let length = room - writer.len();
    replies.truncate(length);
    replies
}

/// A client of the server.
struct Client {
    stream: Option<Stream>,
    script: Vec<u8>,
    sent: usize,
    received: Vec<u8>,
    /// The number of bytes after which it disconnects without reading.
    dies_at: Option<usize>,
    /// True if it rarely reads before it has sent everything.
    reads_late: bool,
    is_done: bool,
}

impl Client {
    fn turn(&mut self, random: &mut Random) {
        let Some(stream) = &self.stream else {
            return;
        };
        let limit = self.dies_at.unwrap_or(self.script.len());
        if self.sent < limit {
            let end = limit.min(self.sent + 1 + random.below(300));
            match send(
                stream,
                &self.script[self.sent..end],
                SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
            ) {
                Ok(count) => self.sent += count,
                Err(Errno::AGAIN) => {}
                // The server has closed the connection after a bad message.
                Err(_) => self.sent = limit,
            }
            if self.sent == limit && self.dies_at.is_none() {
                let _ = shutdown(stream, Shutdown::Write);
            }
        } else if self.dies_at.is_some() {
            self.stream = None;
            self.is_done = true;
            return;
        } else if self.script.is_empty() && self.sent == 0 {
            let _ = shutdown(stream, Shutdown::Write);
        }
        if !self.reads_late || self.sent == limit || random.one_in(50) {
            let mut buffer = vec![0; 1 + random.below(700)];
            match recv(stream, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => self.is_done = true,
                Ok((count, _)) => self.received.extend(&buffer[..count]),
                Err(Errno::AGAIN) => {}
                Err(errno) => panic!("{errno}"),
            }
        }
    }
}

fn cases() -> u64 {
    let default = if std::env::var_os("CI").is_some() {
        150
    } else {
        50
    };
    let cases = std::env::var("TRANSCRIPTS");
    cases.map_or(default, |cases| cases.parse().unwrap())
}

#[test]
fn f1_a_server_sends_the_same_replies_as_the_blocking_driver() {
    for seed in 1..=cases() {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut slots = Slots::<5, RX, TX>::new();
        let name = format!("unix:@nullink-transcripts-{}-{seed}", std::process::id());
        let listener = Listener::bind(&name).unwrap();
        let mut server = Server::<(i64, i64, usize), 5>::new(listener, &mut slots).unwrap();
        let mut service = Script { streams: 0 };
        let mut clients = Vec::new();
        for _ in 0..1 + random.below(5) {
            let (ours, theirs) = Stream::pair().unwrap();
            // The kernel's minimum: in the middle of replies, the server must wait for a client
            // that reads late.
            set_socket_send_buffer_size(&theirs, 0).unwrap();
            server.adopt(theirs).unwrap();
            let script = script(&mut random);
            let dies_at = random.one_in(4).then(|| random.below(script.len() + 1));
            clients.push(Client {
                stream: Some(ours),
                script,
                sent: 0,
                received: Vec::new(),
                dies_at,
                reads_late: random.one_in(3),
                is_done: false,
            });
        }
        for round in 0.. {
            assert!(round < 1_000_000, "seed {seed}: no progress");
            for client in clients.iter_mut().filter(|client| !client.is_done) {
                if random.one_in(2) {
                    client.turn(&mut random);
                }
            }
            for _ in 0..random.below(10) {
                server.try_step(&mut service).unwrap();
            }
            if clients.iter().all(|client| client.is_done) {
                break;
            }
        }
        while server.try_step(&mut service).unwrap().is_some() || server.connections() > 0 {}
        for client in clients.iter().filter(|client| client.dies_at.is_none()) {
            let expected = expected(&client.script);
            assert!(
                client.received == expected,
                "seed {seed}\nsent     {}\nreceived {}\nexpected {}",
                client.script.escape_ascii(),
                client.received.escape_ascii(),
                expected.escape_ascii(),
            );
        }
        assert_eq!(
            service.streams, 0,
            "seed {seed}: a stream was neither ended nor abandoned"
        );
    }
}

/// Returns the replies through a relay, with all bytes moved in random pieces.
fn relayed(random: &mut Random, script: &[u8]) -> Vec<u8> {
    // A relay holds whole messages: the longest reply is the definition of org.varlink.service.
    let (mut calls, mut replies) = (vec![0; 2 * RX], vec![0; 1 << 13]);
    let mut relay = Relay::new(&mut calls, &mut replies);
    let (mut receive, mut send) = ([0; RX], [0; TX]);
    let mut session = nullink::service::Session::new(&mut receive, &mut send);
    let mut service = Script { streams: 0 };
    let (mut sent, mut received) = (0, Vec::new());
    for round in 0.. {
        assert!(round < 1_000_000, "no progress: {}", script.escape_ascii());
        // From the client to the relay.
        let room = relay.spare(Side::Client).len();
        let count = random.below(80).min(room).min(script.len() - sent);
        if count > 0 {
            let spare = relay.spare(Side::Client);
            spare[..count].copy_from_slice(&script[sent..sent + count]);
            relay.received(Side::Client, count);
            sent += count;
        } else if sent == script.len() && room > 0 {
            relay.received(Side::Client, 0);
        }
        let step = relay.step(&mut ());
        // From the relay to the service.
        let pending = relay.pending(Side::Service);
        let channel = session.channel();
        let room = channel.spare().len();
        let count = pending.len().min(random.below(80)).min(room);
        if count > 0 {
            channel.spare()[..count].copy_from_slice(&pending[..count]);
            channel.received(count);
            relay.sent(Side::Service, count);
        } else if relay.finished(Side::Service) && room > 0 {
            channel.received(0);
        }
        while session.step(&mut service) {}
        // From the service to the relay, and on to the client.
        let is_over = matches!(session.state(), nullink::service::State::Ended(_));
        let channel = session.channel();
        let room = relay.spare(Side::Service).len();
        let count = channel.pending().len().min(random.below(120)).min(room);
        if count > 0 {
            relay.spare(Side::Service)[..count].copy_from_slice(&channel.pending()[..count]);
            relay.received(Side::Service, count);
            channel.sent(count);
        } else if is_over && channel.pending().is_empty() && room > 0 {
            // The service has closed the connection.
            relay.received(Side::Service, 0);
            relay.fail_to_send(Side::Service);
        }
        let pending = relay.pending(Side::Client);
        let count = pending.len().min(random.below(120));
        received.extend(&pending[..count]);
        relay.sent(Side::Client, count);
        if let Step::Ended(_) = step {
            break;
        }
    }
    session.abandon(&mut service);
    received
}

#[test]
fn a_relay_passes_the_same_replies_as_a_direct_connection() {
    for seed in 1..=20 * cases() {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let script = script(&mut random);
        let received = relayed(&mut random, &script);
        let expected = expected(&script);
        assert!(
            received == expected,
            "seed {seed}\nsent     {}\nreceived {}\nexpected {}",
            script.escape_ascii(),
            received.escape_ascii(),
            expected.escape_ascii(),
        );
    }
}

/// Opens a terminal. Returns the clients' end of its line, and the address of the device.
fn line() -> (OwnedFd, String) {
    let line = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&line).unwrap();
    unlockpt(&line).unwrap();
    ioctl_fionbio(&line, true).unwrap();
    let other = ioctl_tiocgptpeer(&line, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    let path = std::fs::read_link(format!("/proc/self/fd/{}", other.as_raw_fd())).unwrap();
    (line, format!("device:{}", path.display()))
}

/// Returns a call that only this client makes, and its reply. The replies after it are the client's
/// own.
fn first_call(number: usize) -> (String, String) {
    let interface = format!("org.example.n{number}");
    let call = format!(
        "{{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{{\"interface\":\"{interface}\"}}}}\0"
    );
    let reply = format!(
        "{{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{{\"interface\":\"{interface}\"}}}}\0"
    );
    (call, reply)
}

/// A call with more replies than a test reads.
const ENDLESS: &[u8] = b"{\"method\":\"org.example.script.Count\",\"more\":true,\
    \"parameters\":{\"n\":1000000,\"letters\":100}}\0";

/// Returns the bytes after the reply to a client's first call, if it was received.
fn own_replies<'a>(received: &'a [u8], first_reply: &str) -> Option<&'a [u8]> {
    let first = first_reply.as_bytes();
    let mut parts = received.windows(first.len()).enumerate();
    // The reply must be a whole message.
    let (at, _) =
        parts.find(|(at, part)| *part == first && (*at == 0 || received[*at - 1] == 0))?;
    Some(&received[at + first.len()..])
}

#[test]
fn l5_a_client_of_a_device_gets_only_its_own_whole_replies() {
    for seed in 1..=cases().min(2000) {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (line, address) = line();
        let mut slots = Slots::<2, RX, TX>::new();
        let listener = Listener::bind(&address).unwrap();
        let mut server = Server::<Cursor, 2>::new(listener, &mut slots).unwrap();
        let mut service = Script { streams: 0 };
        while server.connections() == 0 {
            server.try_step(&mut service).unwrap();
        }
        let clients = 2 + random.below(4);
        for number in 0..clients {
            let (call, first_reply) = first_call(number);
            // An empty message would be a break, and end the client's turn on the line.
            let is_one_client = |script: &Vec<u8>| !script.windows(2).any(|pair| pair == [0, 0]);
            let script = loop {
                let script = script(&mut random);
                if is_one_client(&script) && !script.starts_with(&[0]) {
                    break script;
                }
            };
            let mut bytes = [b"\0\0", call.as_bytes(), &script].concat();
            let stays = number + 1 == clients || random.one_in(3);
            let mut limit = bytes.len();
            if !stays && random.one_in(2) {
                limit = random.below(bytes.len());
            } else if !stays {
                // It calls for more replies than the line holds, and leaves.
                bytes.extend_from_slice(ENDLESS);
                limit = bytes.len();
            }
            let expected = expected(&script);
            let (mut sent, mut received) = (0, Vec::new());
            let begin = Instant::now();
            let mut quiet = 0;
            // A client that stays reads until no more bytes arrive. Others may leave bytes unread.
            while sent < limit || (stays && quiet < 300) {
                assert!(
                    begin.elapsed() < Duration::from_secs(60),
                    "seed {seed}: no progress"
                );
                let end = limit.min(sent + 1 + random.below(100));
                match rustix::io::write(&line, &bytes[sent..end]) {
                    Ok(count) => sent += count,
                    Err(Errno::AGAIN) => {}
                    Err(errno) => panic!("{errno}"),
                }
                for _ in 0..random.below(4) {
                    server.try_step(&mut service).unwrap();
                }
                let mut buffer = vec![0; 1 + random.below(500)];
                match rustix::io::read(&line, &mut buffer[..]) {
                    Ok(count) => {
                        received.extend(&buffer[..count]);
                        quiet = 0;
                    }
                    Err(Errno::AGAIN) => quiet += 1,
                    Err(errno) => panic!("{errno}"),
                }
                let own = own_replies(&received, &first_reply);
                if own.is_none_or(|own| own.len() < expected.len()) {
                    // More replies will follow, unless the script exceeds the look-ahead buffer. The
                    // terminal may hand over the rest of a reply with a delay.
                    let is_whole = own.is_some_and(|own| own.is_empty() || own.ends_with(b"\0"));
                    if script.len() <= RX || !is_whole {
                        quiet = 0;
                    }
                    std::thread::yield_now();
                }
            }
            if !stays && limit == bytes.len() {
                for _ in 0..2000 {
                    server.try_step(&mut service).unwrap();
                }
            }
            if stays {
                let own = own_replies(&received, &first_reply).unwrap();
                let is_whole = own == expected;
                let is_part = expected.starts_with(own) && (own.is_empty() || own.ends_with(b"\0"));
                assert!(
                    is_whole || (script.len() > RX && is_part),
                    "seed {seed}, client {number}\nsent     {}\nreceived {}\nexpected {}",
                    script.escape_ascii(),
                    own.escape_ascii(),
                    expected.escape_ascii(),
                );
            }
        }
        drop(line);
        while server.connections() > 0 {
            server.try_step(&mut service).unwrap();
        }
        assert_eq!(
            service.streams, 0,
            "seed {seed}: a stream was neither ended nor abandoned"
        );
    }
}
