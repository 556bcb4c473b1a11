//! Lines that nobody can close, such as a UART: one client after the other, and each begins with NULs.

mod common;

use std::collections::VecDeque;

use common::t::T;
use common::{Arrival, EMPTY, every_arrival, split, t};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use nullink::json::Raw;
use nullink::service::{Info, Outcome, Refusal, ReplyStream, Responder};
use nullink::{Call, Client, End, Error, Interface, Misuse, Service, Violation, serve_line};

/// A line on which pieces arrive, each when so many writes have been made, or when it is waited for.
#[derive(Default)]
struct Line {
    input: VecDeque<(usize, Vec<u8>)>,
    /// What a read comes to when all of that has arrived. None is the end of the line.
    fails: Option<ErrorKind>,
    writes: usize,
    output: Vec<u8>,
}

impl Line {
    fn new(input: &[u8], arrival: Arrival) -> Self {
        let pieces: Vec<&[u8]> = match arrival {
            Arrival::Joined => vec![input],
            Arrival::Split(at) => vec![&input[..at], &input[at..]],
            Arrival::Bytes => input.chunks(1).collect(),
        };
        let mut line = Line::default();
        for piece in pieces {
            line.arrives(0, piece);
        }
        line
    }

    /// These bytes arrive when so many writes have been made.
    fn arrives(&mut self, writes: usize, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.input.push_back((writes, bytes.to_vec()));
        }
    }
}

impl ErrorType for Line {
    type Error = ErrorKind;
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        assert!(!buffer.is_empty(), "a read into nothing looks like an end");
        let Some((writes, mut piece)) = self.input.pop_front() else {
            return self.fails.map_or(Ok(0), Err);
        };
        let count = piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&piece[..count]);
        if count < piece.len() {
            self.input.push_front((writes, piece.split_off(count)));
        }
        Ok(count)
    }
}

impl ReadReady for Line {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        let next = self.input.front();
        Ok(next.is_some_and(|(writes, _)| *writes <= self.writes))
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.writes += 1;
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// What the conformance service answers, up to the end of the line.
fn answer(input: &[u8], arrival: Arrival, receive: usize) -> Vec<String> {
    let mut line = Line::new(input, arrival);
    let (mut receive, mut send, mut scratch) = (vec![0; receive], vec![0; 4096], vec![0; 4096]);
    let mut service = T {
        scratch: &mut scratch,
    };
    let end = serve_line(&mut service, &mut line, &mut receive, &mut send);
    assert_eq!(end, Ok(End::Closed));
    split(&line.output)
}

fn need(text: &str) -> String {
    t("Need", &format!(r#"{{"s":"{text}"}}"#)) + "\0"
}

fn needed(text: &str) -> String {
    format!(r#"{{"parameters":{{"s":"{text}"}}}}"#)
}

#[test]
fn c1_a_line_goes_on_behind_what_is_no_call() {
    for bad in [
        "\0",
        "\0\0\0",
        "nonsense\0",
        "\u{feff}{}\0",
        "{}\0{}\0[\0",
        "{\"method\":1}\0",
        "{\"method\":\"a.b.C\"}{\"method\":\"a.b.C\"}\0",
        "\x01\x7f\r\n+++ATH\r\n\0",
    ] {
        let input = format!("{}{bad}{}", need("before"), need("behind"));
        every_arrival(input.as_bytes(), |arrival| {
            let answers = answer(input.as_bytes(), arrival, 4096);
            match answers.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                // (A new client is not given what the one before was still owed.)
                [last] if bad.starts_with('\0') => assert_eq!(last, needed("behind")),
                [first, last] => assert_eq!([first, last], [needed("before"), needed("behind")]),
                _ => panic!("{bad:?}, {arrival:?}: {answers:?}"),
            }
        });
    }
}

#[test]
fn c1_a_line_goes_on_behind_half_a_message_wherever_it_was_cut() {
    let half = need("of the one before");
    // (With all but its NUL it is a call.)
    for cut in 0..half.len() - 2 {
        let input = [&half.as_bytes()[..cut], b"\0", need("new").as_bytes()].concat();
        for arrival in [Arrival::Joined, Arrival::Bytes, Arrival::Split(cut)] {
            assert_eq!(answer(&input, arrival, 4096), [needed("new")], "{cut}");
        }
    }
}

#[test]
fn f4_no_part_of_a_message_that_is_too_long_is_a_call_on_a_line() {
    // What it ends with would be one.
    for length in [60, 63, 64, 65, 127, 128, 129, 1000] {
        let input = format!("{}{}{}", "x".repeat(length), need("tail"), need("new"));
        for arrival in [Arrival::Joined, Arrival::Bytes, Arrival::Split(length)] {
            assert_eq!(answer(input.as_bytes(), arrival, 64), [needed("new")]);
        }
    }
}

/// Answers every call with numbers, for ever, and notes where it was told to stop.
#[derive(Default)]
struct Endless {
    abandoned: Vec<u32>,
    failed: Vec<Error>,
}

#[derive(serde::Serialize)]
struct Counted {
    i: u32,
}

impl Service for Endless {
    type Cursor = u32;
    const INTERFACES: &'static [Interface] = T::INTERFACES;

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(
        &mut self,
        call: Call<'c>,
        reply: Responder<'c, u32>,
    ) -> Result<Outcome<'c, u32>, Refusal> {
        match call.member() {
            "Empty" => Ok(reply.send(&())?),
            _ => self.resume(0, reply.stream()?),
        }
    }

    fn resume<'c>(
        &mut self,
        i: u32,
        reply: ReplyStream<'c, u32>,
    ) -> Result<Outcome<'c, u32>, Refusal> {
        assert!(i < 1000, "nothing stops it");
        Ok(reply.continues(&Counted { i }, i + 1)?)
    }

    fn abandoned(&mut self, cursor: u32) {
        self.abandoned.push(cursor);
    }

    fn failed(&mut self, error: Error) {
        self.failed.push(error);
    }
}

const COUNT: &str = "{\"method\":\"org.example.t.Count\",\"more\":true,\"parameters\":{\"n\":9}}\0";

#[test]
fn l5_a_new_client_ends_the_stream_of_the_one_before() {
    let too_long = format!("{}\0", "x".repeat(300));
    for (begins, most_ahead) in [
        // (Behind calls that wait, only what is empty is seen.)
        ("\0", 9),
        ("\0\0", 9),
        ("{\"meth\0\0", 9),
        ("{\"meth\0", 0),
        ("nonsense\0", 0),
        (&too_long, 0),
    ] {
        // The one before may have sent calls ahead, as many as have room and more.
        for ahead in 0..=most_ahead {
            let mut line = Line::new(COUNT.as_bytes(), Arrival::Joined);
            let waiting = format!("{EMPTY}\0").repeat(ahead);
            line.arrives(2, waiting.as_bytes());
            let new = format!("{begins}{EMPTY}\0");
            line.arrives(5, new.as_bytes());
            let mut service = Endless::default();
            let (mut receive, mut send) = ([0; 128], [0; 128]);
            let end = serve_line(&mut service, &mut line, &mut receive, &mut send);
            assert_eq!(end, Ok(End::Closed), "{begins:.9} {ahead}");
            assert_eq!(service.abandoned.len(), 1, "{begins:.9} {ahead}");
            let answers = split(&line.output);
            let (last, counted) = answers.split_last().expect("answers");
            assert_eq!(last, "{}", "{begins:.9} {ahead}");
            // (Of calls that had no room, the rest says that something new has begun.)
            let has_room = ahead * (EMPTY.len() + 1) < 128;
            let all_of_the_stream = counted.iter().all(|reply| reply.contains("continues"));
            assert!(all_of_the_stream || !has_room, "{begins:.9} {ahead}");
        }
    }
}

#[test]
fn r3_a_reply_that_a_new_client_cuts_off_is_none_of_its_own() {
    let call = r#"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.example.t"}}"#;
    for begins in [beginning(), [b"x\0", &*beginning()].concat()] {
        // Behind each piece of a description that is longer than the buffer. It may be complete then.
        for writes in 1..30 {
            let mut line = Line::new(format!("{call}\0").as_bytes(), Arrival::Joined);
            line.arrives(writes, &begins);
            let (mut receive, mut send, mut scratch) = ([0; 256], [0; 256], [0; 99]);
            let mut service = T {
                scratch: &mut scratch,
            };
            let end = serve_line(&mut service, &mut line, &mut receive, &mut send);
            assert_eq!(end, Ok(End::Closed));
            let sent = String::from_utf8(line.output).unwrap();
            let own = no_interface(NONCE);
            let before = sent.strip_suffix(&own).expect("an answer");
            // (And no NUL is there that ends nothing.)
            assert!(before.ends_with('\0') || before.is_empty(), "{writes}");
            assert!(!before.contains("\0\0"), "{writes}");
        }
    }
}

#[test]
fn f4_no_part_of_what_had_no_room_behind_a_stream_is_a_call() {
    // A whole call, and what fills the buffer; joined to that, what would be a call.
    let whole = format!("{EMPTY}\0");
    for more in [0, 1, 127, 128, 129, 1000] {
        let junk = "x".repeat(128 - whole.len() + more);
        let input = format!("{whole}{junk}{}", need("tail"));
        for arrival in [
            Arrival::Joined,
            Arrival::Split(128),
            Arrival::Split(whole.len() + junk.len()),
            Arrival::Bytes,
        ] {
            let mut line = Line::new(COUNT.as_bytes(), Arrival::Joined);
            let pieces = Line::new(input.as_bytes(), arrival).input;
            line.input
                .extend(pieces.into_iter().map(|(_, piece)| (1, piece)));
            line.arrives(usize::MAX, need("new").as_bytes());
            let (mut receive, mut send, mut scratch) = ([0; 128], [0; 128], [0; 99]);
            let mut service = T {
                scratch: &mut scratch,
            };
            let end = serve_line(&mut service, &mut line, &mut receive, &mut send);
            assert_eq!(end, Ok(End::Closed));
            let answers = split(&line.output);
            assert_eq!(answers.last(), Some(&needed("new")), "{more} {arrival:?}");
            assert!(!answers.contains(&needed("tail")), "{more} {arrival:?}");
        }
    }
}

#[test]
fn l5_the_end_of_what_had_no_room_behind_a_stream_ends_it() {
    let whole = format!("{EMPTY}\0");
    let junk = "x".repeat(128 - whole.len());
    for end in ["\0", "\0\0", &format!("{EMPTY}\0"), &format!("{EMPTY}\0\0")] {
        let input = format!("{whole}{junk}{end}");
        for at in 128..input.len() {
            let mut line = Line::new(COUNT.as_bytes(), Arrival::Joined);
            line.arrives(1, &input.as_bytes()[..at]);
            line.arrives(5, &input.as_bytes()[at..]);
            line.arrives(9, whole.as_bytes());
            let mut service = Endless::default();
            let (mut receive, mut send) = ([0; 128], [0; 128]);
            let ended = serve_line(&mut service, &mut line, &mut receive, &mut send);
            assert_eq!(ended, Ok(End::Closed), "{end:?} {at}");
            assert_eq!(service.abandoned.len(), 1, "{end:?} {at}");
            assert_eq!(service.failed, [], "{end:?} {at}");
            let answers = split(&line.output);
            let calls = answers.iter().filter(|reply| *reply == "{}").count();
            assert_eq!(calls, 1, "{end:?} {at}");
        }
    }
}

#[test]
fn c6_calls_that_are_sent_ahead_wait_behind_a_stream_on_a_line() {
    let mut line = Line::new(COUNT.as_bytes(), Arrival::Joined);
    for _ in 0..3 {
        line.arrives(1, format!("{EMPTY}\0").as_bytes());
    }
    let (mut receive, mut send, mut scratch) = ([0; 256], [0; 128], [0; 99]);
    let mut service = T {
        scratch: &mut scratch,
    };
    let end = serve_line(&mut service, &mut line, &mut receive, &mut send);
    assert_eq!(end, Ok(End::Closed));
    let answers = split(&line.output);
    assert_eq!(answers.len(), 12);
    assert_eq!(answers[9..], ["{}", "{}", "{}"]);
}

#[test]
fn a_line_that_ends_or_fails_ends_what_is_owed() {
    for (fails, expected) in [
        (None, Ok(End::Closed)),
        (
            Some(ErrorKind::Other),
            Err(Error::Transport(ErrorKind::Other)),
        ),
    ] {
        // Between calls, in one, and in a stream.
        for (input, abandoned) in [("", 0), ("{\"meth", 0), (COUNT, 1)] {
            let mut line = Line::new(input.as_bytes(), Arrival::Joined);
            line.fails = fails;
            let mut service = Endless::default();
            let mut line = HungUp(line);
            let (mut receive, mut send) = ([0; 128], [0; 128]);
            let end = serve_line(&mut service, &mut line, &mut receive, &mut send);
            assert_eq!(end, expected, "{input}");
            assert_eq!(service.abandoned.len(), abandoned, "{input}");
        }
    }
}

/// A line that has something to say, if only that it is over.
struct HungUp(Line);

impl ErrorType for HungUp {
    type Error = ErrorKind;
}

impl Read for HungUp {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.read(buffer)
    }
}

impl ReadReady for HungUp {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(true)
    }
}

impl Write for HungUp {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[test]
fn c1_a_service_is_told_of_what_was_no_call_on_a_line() {
    let input = format!("\0nonsense\0{{}}\0\0\0{EMPTY}\0{{\"method\":7}}\0");
    let mut line = Line::new(input.as_bytes(), Arrival::Joined);
    let mut service = Endless::default();
    let (mut receive, mut send) = ([0; 128], [0; 128]);
    let end = serve_line(&mut service, &mut line, &mut receive, &mut send);
    assert_eq!(end, Ok(End::Closed));
    assert_eq!(split(&line.output), ["{}"]);
    // (That a new client begins is no failure.)
    assert_eq!(service.failed.len(), 3, "{:?}", service.failed);
    assert_eq!(service.failed[1], Violation::NoMethod.into());
}

/// A terminal, and the address of its other end.
#[cfg(all(feature = "unix", target_os = "linux"))]
fn terminal() -> (rustix::fd::OwnedFd, String) {
    use rustix::fd::AsRawFd;
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let line = openpt(flags).unwrap();
    grantpt(&line).unwrap();
    unlockpt(&line).unwrap();
    let other = ioctl_tiocgptpeer(&line, flags).unwrap();
    let path = format!("/proc/self/fd/{}", other.as_raw_fd());
    let path = std::fs::read_link(path).unwrap();
    (line, format!("device:{}", path.display()))
}

#[cfg(all(feature = "unix", target_os = "linux"))]
#[test]
fn f4_the_rest_of_a_message_that_took_too_long_on_a_device_is_no_call() {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    use nullink::server::{Event, Limits, Server, Slots};
    use nullink::unix::Listener;

    static NOW: AtomicU64 = AtomicU64::new(0);
    let (line, address) = terminal();
    let mut slots = Slots::<1, 256, 256>::new();
    let mut server = Server::<_, 1>::new(Listener::bind(&address).unwrap(), &mut slots);
    server.set_clock(|| NOW.load(Ordering::Relaxed));
    server.set_limits(Limits {
        message: Some(Duration::from_secs(1)),
        ..Limits::default()
    });
    let mut service = Endless::default();
    assert!(matches!(server.step(&mut service), Ok(Event::Connected(_))));
    assert_eq!(rustix::io::write(&line, b"junk"), Ok(4));
    let begin = Instant::now();
    while server.timeout().is_none() {
        assert_eq!(server.try_step(&mut service), Ok(None));
        assert!(begin.elapsed() < Duration::from_secs(60));
    }
    NOW.fetch_add(1500, Ordering::Relaxed);
    assert_eq!(server.try_step(&mut service), Ok(None));
    let input = format!("{EMPTY}\0{{\"method\":\"org.example.other.M\"}}\0");
    assert_eq!(rustix::io::write(&line, input.as_bytes()), Ok(input.len()));
    assert!(matches!(server.step(&mut service), Ok(Event::Called(_))));
    while server.try_step(&mut service) != Ok(None) {}
    let mut answer = [0; 256];
    let count = rustix::io::read(&line, &mut answer).unwrap();
    let answers = split(&answer[..count]);
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(answers[0].contains("InterfaceNotFound"), "{answers:?}");
}

#[cfg(all(feature = "unix", target_os = "linux"))]
#[test]
fn c1_that_a_new_client_of_a_device_begins_is_no_failure() {
    use nullink::server::{Event, Server, Slots};
    use nullink::unix::Listener;

    let (line, address) = terminal();
    let mut slots = Slots::<1, 256, 256>::new();
    let mut server = Server::<_, 1>::new(Listener::bind(&address).unwrap(), &mut slots);
    let mut service = Endless::default();
    assert!(matches!(server.step(&mut service), Ok(Event::Connected(_))));
    // The first NUL ends half a call, or nothing.
    for (half, failed) in [("{\"meth", 1), ("", 1), ("x\0x", 3)] {
        let input = format!("{half}\0\0{EMPTY}\0");
        assert_eq!(rustix::io::write(&line, input.as_bytes()), Ok(input.len()));
        assert!(matches!(server.step(&mut service), Ok(Event::Called(_))));
        assert_eq!(service.failed.len(), failed, "{half} {:?}", service.failed);
    }
}

#[test]
fn u1_an_upgrade_on_a_line_hands_over_what_was_read() {
    let input = b"junk\0{\"method\":\"org.example.t.Pipe\",\"upgrade\":true}\0\0raw\0bytes";
    every_arrival(input, |arrival| {
        let mut line = Line::new(input, arrival);
        let (mut receive, mut send, mut scratch) = ([0; 256], [0; 128], [0; 99]);
        let mut service = T {
            scratch: &mut scratch,
        };
        let end = serve_line(&mut service, &mut line, &mut receive, &mut send);
        let Ok(End::Upgraded { unread, .. }) = end else {
            panic!("{arrival:?}: {end:?}");
        };
        let rest = line.input.iter().flat_map(|(_, piece)| piece.clone());
        let raw: Vec<u8> = unread.iter().copied().chain(rest).collect();
        assert_eq!(raw, b"\0raw\0bytes", "{arrival:?}");
        assert_eq!(split(&line.output), ["{}"]);
    });
}

const NONCE: &str = "org.example.n4711";

fn no_interface(name: &str) -> String {
    let error = r#"{"error":"org.varlink.service.InterfaceNotFound","parameters":{"interface":""#;
    format!("{error}{name}\"}}}}\0")
}

#[test]
fn r3_a_new_client_of_a_line_takes_nothing_for_its_own_of_the_one_before() {
    let too_long = format!("{{\"parameters\":{{\"s\":\"{}\"}}}}\0", "x".repeat(300));
    for stale in [
        "",
        "\0",
        "\":6}}\0",
        "{}\0",
        "{\"continues\":true,\"parameters\":{\"i\":7}}\0{\"parameters\":{\"i\":8}}\0",
        "nonsense\0",
        &too_long,
        &no_interface("org.example.n4710"),
        "{\"error\":\"org.example.t.Oops\",\"parameters\":{\"interface\":\"org.example.n4711\"}}\0",
    ] {
        let input = format!(
            "{stale}{}{{\"parameters\":{{\"a\":1}}}}\0",
            no_interface(NONCE)
        );
        // (The reply to the next call comes after that.)
        let own = input.len() - "{\"parameters\":{\"a\":1}}\0".len();
        every_arrival(&input.as_bytes()[..own], |arrival| {
            let mut line = Line::new(&input.as_bytes()[..own], arrival);
            line.arrives(0, &input.as_bytes()[own..]);
            let (mut receive, mut send) = ([0; 128], [0; 128]);
            let mut client = Client::new(&mut line, &mut receive, &mut send);
            assert_eq!(client.begin_anew(NONCE), Ok(()), "{stale:.9} {arrival:?}");
            let reply = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).unwrap();
            assert_eq!(reply.parameters().as_str(), "{\"a\":1}");
            // What a client before it has left half-sent ends with the first NUL.
            let begins = "\0\0{\"method\":\"org.varlink.service.GetInterfaceDescription\",";
            assert!(line.output.starts_with(begins.as_bytes()));
        });
    }
}

/// What a client begins with, up to its first call.
fn beginning() -> Vec<u8> {
    let mut line = Line::new(no_interface(NONCE).as_bytes(), Arrival::Joined);
    let (mut receive, mut send) = ([0; 128], [0; 128]);
    let mut client = Client::new(&mut line, &mut receive, &mut send);
    assert_eq!(client.begin_anew(NONCE), Ok(()));
    line.output
}

#[test]
fn l5_a_new_client_is_heard_behind_all_but_the_nul_of_a_call() {
    // (In each part of it, and as two of them.)
    let call = format!("{EMPTY}\0{EMPTY}");
    let first = beginning();
    for cut in 0..=call.len() {
        for arrival in [Arrival::Joined, Arrival::Bytes, Arrival::Split(1)] {
            let mut line = Line::new(COUNT.as_bytes(), Arrival::Joined);
            line.arrives(2, &call.as_bytes()[..cut]);
            let new = Line::new(&first, arrival).input;
            line.input
                .extend(new.into_iter().map(|(_, piece)| (5, piece)));
            let mut service = Endless::default();
            let (mut receive, mut send) = ([0; 256], [0; 128]);
            let end = serve_line(&mut service, &mut line, &mut receive, &mut send);
            assert_eq!(end, Ok(End::Closed), "{cut} {arrival:?}");
            assert_eq!(service.abandoned.len(), 1, "{cut} {arrival:?}");
            let answer = no_interface(NONCE);
            assert!(line.output.ends_with(answer.as_bytes()), "{cut}");
        }
    }
}

#[test]
fn r5_a_new_client_of_a_line_does_not_wait_for_ever() {
    let reply = needed(&"x".repeat(99)) + "\0";
    let mib = reply.repeat((1 << 20) / reply.len() + 1);
    for (input, fails, expected) in [
        ("{}\0", None, Error::Closed),
        ("{\"par", None, Error::Closed),
        (
            "{}\0",
            Some(ErrorKind::TimedOut),
            Error::Transport(ErrorKind::TimedOut),
        ),
        (&mib, Some(ErrorKind::Other), Error::TooLong),
    ] {
        let mut line = Line::default();
        for piece in input.as_bytes().chunks(4096) {
            line.arrives(0, piece);
        }
        line.fails = fails;
        let (mut receive, mut send) = ([0; 4096], [0; 128]);
        let mut client = Client::new(&mut line, &mut receive, &mut send);
        assert_eq!(client.begin_anew(NONCE), Err(expected));
        // What comes later would be taken for something else.
        let unusable = Error::Misuse(Misuse::Unusable);
        assert_eq!(client.begin_anew(NONCE), Err(unusable));
    }
}
