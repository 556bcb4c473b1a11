//! Lines that cannot be closed, such as a UART. One client follows another, and begins with NULs.

use crate::common;

use std::collections::VecDeque;

use common::t::T;
use common::{Arrival, EMPTY, every_arrival, split, t};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use nullink::json::Raw;
use nullink::{
    Answer, Call, Client, End, Error, Info, Interface, Misuse, Responder, Service, Violation, line,
};

/// A line whose input arrives in pieces, each after a number of writes or when a read waits for it.
#[derive(Default)]
pub struct Line {
    /// The pieces that arrive, each with its number of writes.
    input: VecDeque<(usize, Vec<u8>)>,
    /// The error of a read after all of the input, or None for the end of the stream.
    fails: Option<ErrorKind>,
    /// True if reads are always reported as ready, even at the end.
    is_always_ready: bool,
    /// True if a write takes only a few bytes.
    is_slow: bool,
    writes: usize,
    pub output: Vec<u8>,
}

impl Line {
    pub fn new(input: &[u8], arrival: Arrival) -> Self {
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

    /// Adds bytes that arrive after `writes` writes.
    pub fn arrives(&mut self, writes: usize, bytes: &[u8]) {
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
        assert!(!buffer.is_empty(), "an empty buffer reads like the end");
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
        Ok(self.is_always_ready || next.is_some_and(|(writes, _)| *writes <= self.writes))
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let most = if self.is_slow {
            1 + self.writes % 7
        } else {
            usize::MAX
        };
        let taken = &bytes[..most.min(bytes.len())];
        self.writes += 1;
        self.output.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Serves a line, with a look-ahead buffer that is as long as the receive buffer.
fn serve<'b, S, C, IO>(
    service: &mut S,
    line: &mut IO,
    receive: &'b mut [u8],
    send: &mut [u8],
) -> Result<End<'b, C>, Error<IO::Error>>
where
    S: Service<C>,
    C: Copy,
    IO: Read + ReadReady + Write,
{
    let mut ahead = vec![0; receive.len()];
    line::Line::new(line, &mut ahead).serve(service, receive, send)
}

/// Returns the replies of the conformance service, up to the end of the line.
fn answer(line: &mut Line, receive: usize) -> Vec<String> {
    let (mut receive, mut send, mut scratch) = (vec![0; receive], vec![0; 4096], vec![0; 4096]);
    let mut service = T {
        scratch: &mut scratch,
    };
    let end = serve(&mut service, line, &mut receive, &mut send);
    assert_eq!(end, Ok(End::Closed));
    split(&line.output)
}

fn need(text: &str) -> String {
    t("Need", &format!(r#"{{"s":"{text}"}}"#)) + "\0"
}

fn needed(text: &str) -> String {
    format!(r#"{{"parameters":{{"s":"{text}"}}}}"#)
}

/// Returns the replies of the conformance service if `new` arrives after its replies to `old`.
fn answer_both(old: &[u8], new: &[u8], arrival: Arrival, receive: usize) -> Vec<String> {
    let mut line = Line::new(old, arrival);
    line.arrives(0, new);
    answer(&mut line, receive)
}

#[test]
fn c1_after_a_bad_message_a_line_discards_input_up_to_the_next_break() {
    let new = format!("\0\0{}", need("new"));
    for bad in [
        "nonsense\0",
        "\u{feff}{}\0",
        "{}\0{}\0[\0",
        "{\"method\":1}\0",
        "{\"method\":\"a.b.C\"}{\"method\":\"a.b.C\"}\0",
        "\x01\x7f\r\n+++ATH\r\n\0",
    ] {
        for half in ["", "{\"meth", "x\0x"] {
            let old = format!("{}{bad}{}{half}", need("before"), need("discarded"));
            every_arrival(old.as_bytes(), |arrival| {
                let answers = answer_both(old.as_bytes(), new.as_bytes(), arrival, 4096);
                assert_eq!(
                    answers,
                    [needed("before"), needed("new")],
                    "{bad:?} {arrival:?}"
                );
            });
        }
    }
}

#[test]
fn c1_a_run_of_nuls_is_one_break() {
    for count in 2..6 {
        let new = format!("{}{}", "\0".repeat(count), need("new"));
        let old = need("old");
        for arrival in [Arrival::Joined, Arrival::Split(1), Arrival::Bytes] {
            let mut line = Line::new(old.as_bytes(), Arrival::Joined);
            line.input.extend(Line::new(new.as_bytes(), arrival).input);
            let answers = answer(&mut line, 4096);
            assert_eq!(
                answers,
                [needed("old"), needed("new")],
                "{count} {arrival:?}"
            );
        }
    }
}

#[test]
fn c1_a_line_continues_after_half_a_message_cut_at_any_byte() {
    let half = need("of the one before");
    // With only its NUL missing, it would be a complete call.
    for cut in 0..half.len() - 2 {
        let input = [&half.as_bytes()[..cut], b"\0\0", need("new").as_bytes()].concat();
        for arrival in [Arrival::Joined, Arrival::Bytes, Arrival::Split(cut)] {
            let answers = answer(&mut Line::new(&input, arrival), 4096);
            assert_eq!(answers, [needed("new")], "{cut}");
        }
    }
}

#[test]
fn f4_on_a_line_no_part_of_a_message_that_is_too_long_is_a_call() {
    // The end of the message would be a call.
    for length in [60, 63, 64, 65, 127, 128, 129, 1000] {
        let input = format!("{}{}\0\0{}", "x".repeat(length), need("tail"), need("new"));
        for arrival in [Arrival::Joined, Arrival::Bytes, Arrival::Split(length)] {
            let answers = answer(&mut Line::new(input.as_bytes(), arrival), 64);
            assert_eq!(answers, [needed("new")], "{length} {arrival:?}");
        }
    }
}

/// A service that answers calls with endless numbers, and records abandoned streams and failures.
#[derive(Default)]
struct Endless {
    abandoned: Vec<u32>,
    failed: Vec<Error>,
}

#[derive(serde::Serialize)]
struct Counted {
    i: u32,
}

impl Service<u32> for Endless {
    const INTERFACES: &'static [Interface] = T::INTERFACES;

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, u32>) -> Answer<'c, u32> {
        match call.member() {
            "Empty" => reply.send(&()),
            _ => self.resume(0, reply),
        }
    }

    fn resume<'c>(&mut self, i: u32, reply: Responder<'c, u32>) -> Answer<'c, u32> {
        assert!(i < 1000, "the stream does not end");
        reply.more()?.next(&Counted { i })?.then(i + 1)
    }

    fn abandoned(&mut self, cursor: u32) {
        self.abandoned.push(cursor);
    }

    fn failed(&mut self, error: nullink::SessionError) {
        self.failed.push(error.error);
    }
}

const COUNT: &str = "{\"method\":\"org.example.t.Count\",\"more\":true,\"parameters\":{\"n\":9}}\0";

#[test]
fn l5_a_new_client_ends_the_stream_of_the_previous_client() {
    let too_long = format!("{}\0\0", "x".repeat(300));
    for begins in [
        "\0\0",
        "{\"meth\0\0",
        "nonsense\0\0",
        "nonsense\0\0\0",
        &too_long,
    ] {
        // The previous client may have sent calls ahead, up to more than the line can keep.
        for ahead in 0..=9 {
            let mut line = Line::new(COUNT.as_bytes(), Arrival::Joined);
            let waiting = format!("{EMPTY}\0").repeat(ahead);
            line.arrives(2, waiting.as_bytes());
            let new = format!("{begins}{EMPTY}\0");
            line.arrives(5, new.as_bytes());
            let mut service = Endless::default();
            let (mut receive, mut send) = ([0; 128], [0; 256]);
            let end = serve(&mut service, &mut line, &mut receive, &mut send);
            assert_eq!(end, Ok(End::Closed), "{begins:.9} {ahead}");
            assert_eq!(service.abandoned.len(), 1, "{begins:.9} {ahead}");
            let answers = split(&line.output);
            let (last, counted) = answers.split_last().expect("answers");
            assert_eq!(last, "{}", "{begins:.9} {ahead}");
            let all_of_the_stream = counted.iter().all(|reply| reply.contains("continues"));
            assert!(all_of_the_stream, "{begins:.9} {ahead}");
        }
    }
}

#[test]
fn l5_only_a_break_ends_a_stream() {
    for no_break in ["nonsense\0", "{\"meth\0", &format!("{EMPTY}\0{EMPTY}\0x\0")] {
        let mut line = Line::new(COUNT.as_bytes(), Arrival::Joined);
        line.arrives(2, no_break.as_bytes());
        line.arrives(usize::MAX, b"\0\0");
        let counted = answer(&mut line, 128);
        let replies = counted.iter().filter(|reply| reply.contains("\"i\":"));
        assert_eq!(replies.count(), 9, "{no_break:?}");
    }
}

/// A line that fails once, after `left` bytes were written.
struct FailsOnce {
    line: Line,
    left: usize,
}

impl ErrorType for FailsOnce {
    type Error = ErrorKind;
}

impl Read for FailsOnce {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.line.read(buffer)
    }
}

impl ReadReady for FailsOnce {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        self.line.read_ready()
    }
}

impl Write for FailsOnce {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let count = bytes.len().min(self.left);
        if count == 0 {
            self.left = usize::MAX;
            return Err(ErrorKind::Other);
        }
        self.left -= count;
        self.line.write(&bytes[..count])
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[test]
fn r3_a_reply_that_was_cut_off_is_terminated_before_the_next_client() {
    let old = format!("{}{}", need("one"), need("two"));
    let own = no_interface(NONCE);
    let replies = format!("{}\0{}\0", needed("one"), needed("two"));
    for left in 0..replies.len() {
        let mut line = Line::new(old.as_bytes(), Arrival::Joined);
        line.arrives(0, need("discarded").as_bytes());
        line.arrives(0, &first_message());
        let (mut receive, mut send, mut scratch) = ([0; 256], [0; 512], [0; 99]);
        let mut service = T {
            scratch: &mut scratch,
        };
        let mut ahead = [0; 256];
        let mut line = line::Line::new(FailsOnce { line, left }, &mut ahead);
        let failed = line.serve(&mut service, &mut receive, &mut send);
        assert_eq!(failed, Err(Error::Transport(ErrorKind::Other)));
        // The previous client gets no more replies, and the next client gets its own.
        let end = line.serve(&mut service, &mut receive, &mut send);
        assert_eq!(end, Ok(End::Closed));
        let (stream, _) = line.into_parts();
        let sent = String::from_utf8(stream.line.output).unwrap();
        let before = sent.strip_suffix(&own).expect("an answer");
        let cut = &replies[..left];
        let is_cut = !cut.is_empty() && !cut.ends_with('\0');
        assert_eq!(before, format!("{cut}{}", if is_cut { "\0" } else { "" }));
    }
}

#[test]
fn f4_no_part_of_input_that_overflows_the_look_ahead_is_a_call() {
    // A complete call, bytes that fill the look-ahead buffer, and joined to these, bytes that would
    // be a call on their own.
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
            line.arrives(usize::MAX, format!("\0\0{}", need("new")).as_bytes());
            let (mut receive, mut send, mut scratch) = ([0; 128], [0; 256], [0; 99]);
            let mut service = T {
                scratch: &mut scratch,
            };
            let end = serve(&mut service, &mut line, &mut receive, &mut send);
            assert_eq!(end, Ok(End::Closed));
            let answers = split(&line.output);
            assert_eq!(answers.last(), Some(&needed("new")), "{more} {arrival:?}");
            assert!(!answers.contains(&needed("tail")), "{more} {arrival:?}");
        }
    }
}

#[test]
fn l5_a_break_after_input_that_overflows_the_look_ahead_ends_a_stream() {
    let whole = format!("{EMPTY}\0");
    let junk = "x".repeat(128 - whole.len());
    for end in ["\0\0", "\0\0\0", &format!("{EMPTY}\0\0"), "x\0x\0\0"] {
        let input = format!("{whole}{junk}{end}");
        for at in 128..input.len() {
            let mut line = Line::new(COUNT.as_bytes(), Arrival::Joined);
            line.arrives(1, &input.as_bytes()[..at]);
            line.arrives(5, &input.as_bytes()[at..]);
            line.arrives(9, whole.as_bytes());
            let mut service = Endless::default();
            let (mut receive, mut send) = ([0; 128], [0; 256]);
            let ended = serve(&mut service, &mut line, &mut receive, &mut send);
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
fn c6_calls_sent_during_a_stream_on_a_line_wait_for_its_end() {
    let mut line = Line::new(COUNT.as_bytes(), Arrival::Joined);
    for _ in 0..3 {
        line.arrives(1, format!("{EMPTY}\0").as_bytes());
    }
    let (mut receive, mut send, mut scratch) = ([0; 256], [0; 256], [0; 99]);
    let mut service = T {
        scratch: &mut scratch,
    };
    let end = serve(&mut service, &mut line, &mut receive, &mut send);
    assert_eq!(end, Ok(End::Closed));
    let answers = split(&line.output);
    assert_eq!(answers.len(), 12);
    assert_eq!(answers[9..], ["{}", "{}", "{}"]);
}

#[test]
fn a_line_that_ends_or_fails_abandons_its_stream() {
    for (fails, expected) in [
        (None, Ok(End::Closed)),
        (
            Some(ErrorKind::Other),
            Err(Error::Transport(ErrorKind::Other)),
        ),
    ] {
        // The line ends between calls, inside a call, and during a stream.
        for (input, abandoned) in [("", 0), ("{\"meth", 0), (COUNT, 1)] {
            let mut line = Line::new(input.as_bytes(), Arrival::Joined);
            line.fails = fails;
            line.is_always_ready = true;
            let mut service = Endless::default();
            let (mut receive, mut send) = ([0; 128], [0; 256]);
            let end = serve(&mut service, &mut line, &mut receive, &mut send);
            assert_eq!(end, expected, "{input}");
            assert_eq!(service.abandoned.len(), abandoned, "{input}");
        }
    }
}

/// The results of reads, one after the other, and then the end of the stream.
struct Reads(Vec<Result<&'static [u8], ErrorKind>>);

impl ErrorType for Reads {
    type Error = ErrorKind;
}

impl Read for Reads {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        if self.0.is_empty() {
            return Ok(0);
        }
        let bytes = self.0.remove(0)?;
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

#[test]
fn c1_input_is_discarded_up_to_a_break_across_interrupted_and_failed_reads() {
    let reads = Reads(vec![
        Ok(b"old"),
        Err(ErrorKind::Interrupted),
        Ok(b"\0"),
        Err(ErrorKind::TimedOut),
        Err(ErrorKind::Interrupted),
        Ok(b"old\0"),
        Ok(b"\0new"),
    ]);
    let (mut ahead, mut buffer) = ([0; 8], [0; 8]);
    let mut line = line::Line::new(reads, &mut ahead);
    assert_eq!(line.next_client(), Err(ErrorKind::TimedOut));
    assert_eq!(line.next_client(), Ok(true));
    assert_eq!(line.read(&mut buffer), Ok(3));
    assert_eq!(&buffer[..3], b"new");
    assert_eq!(line.next_client(), Ok(false));
}

#[test]
fn an_error_of_a_line_is_that_of_its_stream_or_says_that_the_client_is_gone() {
    use embedded_io::Error as _;
    let gone = line::LineError::<ErrorKind>::Break;
    assert_eq!(gone.to_string(), "the client is gone");
    assert_eq!(gone.kind(), ErrorKind::BrokenPipe);
    let failed = line::LineError::Stream(ErrorKind::TimedOut);
    assert_eq!(failed.to_string(), ErrorKind::TimedOut.to_string());
    assert_eq!(failed.kind(), ErrorKind::TimedOut);
}

#[test]
fn c1_a_service_is_told_of_bad_messages_on_a_line() {
    let input = format!("\0\0nonsense\0\0\0{{}}\0\0\0{EMPTY}\0{{\"method\":7}}\0");
    let mut line = Line::new(input.as_bytes(), Arrival::Joined);
    let mut service = Endless::default();
    let (mut receive, mut send) = ([0; 128], [0; 256]);
    let end = serve(&mut service, &mut line, &mut receive, &mut send);
    assert_eq!(end, Ok(End::Closed));
    assert_eq!(split(&line.output), ["{}"]);
    // The NULs of a new client are not a failure.
    assert_eq!(service.failed.len(), 3, "{:?}", service.failed);
    assert_eq!(service.failed[1], Violation::NoMethod.into());
}

/// Opens a pseudoterminal. Returns its master, and the address of the terminal.
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
fn f4_the_rest_of_a_message_that_timed_out_on_a_device_is_not_a_call() {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    use nullink::server::{Event, Limits, Server, Slots};
    use nullink::unix::Listener;

    static NOW: AtomicU64 = AtomicU64::new(0);
    let (line, address) = terminal();
    let mut slots = Slots::<1, 256, 512>::new();
    let mut server = Server::<_, 1>::new(Listener::bind(&address).unwrap(), &mut slots).unwrap();
    server.set_clock(|| NOW.load(Ordering::Relaxed));
    server
        .set_limits(Limits {
            message: Some(Duration::from_secs(1)),
            ..Limits::default()
        })
        .unwrap();
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
    let input = format!("{EMPTY}\0\0{{\"method\":\"org.example.other.M\"}}\0");
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
fn c1_the_break_of_a_new_client_of_a_device_is_not_a_failure() {
    use nullink::server::{Event, Server, Slots};
    use nullink::unix::Listener;

    let (line, address) = terminal();
    let mut slots = Slots::<1, 256, 512>::new();
    let mut server = Server::<_, 1>::new(Listener::bind(&address).unwrap(), &mut slots).unwrap();
    let mut service = Endless::default();
    assert!(matches!(server.step(&mut service), Ok(Event::Connected(_))));
    // The first NUL ends half a call, or nothing.
    for (half, failed) in [("{\"meth", 1), ("", 1), ("x\0x", 2)] {
        let input = format!("{half}\0\0{EMPTY}\0");
        assert_eq!(rustix::io::write(&line, input.as_bytes()), Ok(input.len()));
        assert!(matches!(server.step(&mut service), Ok(Event::Called(_))));
        assert_eq!(service.failed.len(), failed, "{half} {:?}", service.failed);
    }
}

#[test]
fn u1_an_upgrade_on_a_line_hands_over_the_bytes_after_the_call() {
    // Two NULs are a break only before the reply that confirms the upgrade.
    let raw = b"\0raw\0\0bytes";
    for ahead in ["", &format!("{COUNT}{EMPTY}\0")] {
        let input =
            format!("junk\0\0\0{ahead}{{\"method\":\"org.example.t.Pipe\",\"upgrade\":true}}\0");
        every_arrival(input.as_bytes(), |arrival| {
            let mut line = Line::new(input.as_bytes(), arrival);
            line.arrives(usize::MAX, raw);
            let (mut receive, mut send, mut scratch) = ([0; 256], [0; 256], [0; 99]);
            let mut service = T {
                scratch: &mut scratch,
            };
            let mut ahead = [0; 256];
            let mut line = line::Line::new(&mut line, &mut ahead);
            let end = line.serve(&mut service, &mut receive, &mut send);
            let Ok(End::Upgraded { unread, .. }) = end else {
                panic!("{arrival:?}: {end:?}");
            };
            let (line, ahead) = line.into_parts();
            let rest = line.input.iter().flat_map(|(_, piece)| piece);
            let found: Vec<u8> = unread.iter().chain(ahead).chain(rest).copied().collect();
            assert_eq!(found, raw, "{arrival:?}");
            assert_eq!(split(&line.output).last().unwrap(), "{}");
        });
    }
}

#[test]
fn u1_bytes_read_ahead_with_the_call_are_handed_over_on_a_line() {
    let input = "{\"method\":\"org.example.t.Pipe\",\"upgrade\":true}\0raw\0{}\0";
    for split_at in 1..input.len() {
        // The input arrives while a stream is sent, so the second piece is read ahead.
        let mut line = Line::new(COUNT.as_bytes(), Arrival::Joined);
        line.arrives(1, &input.as_bytes()[..split_at]);
        line.arrives(2, &input.as_bytes()[split_at..]);
        let (mut receive, mut send, mut scratch) = ([0; 256], [0; 256], [0; 99]);
        let mut service = T {
            scratch: &mut scratch,
        };
        let mut ahead = [0; 256];
        let mut line = line::Line::new(&mut line, &mut ahead);
        let end = line.serve(&mut service, &mut receive, &mut send);
        let Ok(End::Upgraded { unread, .. }) = end else {
            panic!("{split_at}: {end:?}");
        };
        let (_, ahead) = line.into_parts();
        assert_eq!([unread, ahead].concat(), b"raw\0{}\0", "{split_at}");
    }
}

const NONCE: &str = "org.example.n4711";

fn no_interface(name: &str) -> String {
    let error = r#"{"error":"org.varlink.service.InterfaceNotFound","parameters":{"interface":""#;
    format!("{error}{name}\"}}}}\0")
}

#[test]
fn r3_a_new_client_of_a_line_ignores_replies_to_the_previous_client() {
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
        // The reply to the next call arrives after that.
        let own = input.len() - "{\"parameters\":{\"a\":1}}\0".len();
        every_arrival(&input.as_bytes()[..own], |arrival| {
            let mut line = Line::new(&input.as_bytes()[..own], arrival);
            line.arrives(0, &input.as_bytes()[own..]);
            let (mut receive, mut send) = ([0; 128], [0; 256]);
            let mut client = Client::new(&mut line, &mut receive, &mut send);
            assert_eq!(client.synchronize(NONCE), Ok(()), "{stale:.9} {arrival:?}");
            let reply = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).unwrap();
            assert_eq!(reply.parameters().as_str(), "{\"a\":1}");
            // The first NUL ends half a message of the previous client.
            let begins = "\0\0{\"method\":\"org.varlink.service.GetInterfaceDescription\",";
            assert!(line.output.starts_with(begins.as_bytes()));
        });
    }
}

/// Returns the bytes with which a client begins, before its first call.
fn first_message() -> Vec<u8> {
    let mut line = Line::new(no_interface(NONCE).as_bytes(), Arrival::Joined);
    let (mut receive, mut send) = ([0; 128], [0; 256]);
    let mut client = Client::new(&mut line, &mut receive, &mut send);
    assert_eq!(client.synchronize(NONCE), Ok(()));
    line.output
}

#[test]
fn l5_a_new_client_is_served_after_a_call_without_its_nul() {
    // The previous client has sent a part of one call, or one call and a part of the next.
    let call = format!("{EMPTY}\0{EMPTY}");
    let first = first_message();
    for cut in 0..=call.len() {
        for arrival in [Arrival::Joined, Arrival::Bytes, Arrival::Split(1)] {
            let mut line = Line::new(COUNT.as_bytes(), Arrival::Joined);
            line.arrives(2, &call.as_bytes()[..cut]);
            let new = Line::new(&first, arrival).input;
            line.input
                .extend(new.into_iter().map(|(_, piece)| (5, piece)));
            let mut service = Endless::default();
            let (mut receive, mut send) = ([0; 256], [0; 256]);
            let end = serve(&mut service, &mut line, &mut receive, &mut send);
            assert_eq!(end, Ok(End::Closed), "{cut} {arrival:?}");
            assert_eq!(service.abandoned.len(), 1, "{cut} {arrival:?}");
            let answer = no_interface(NONCE);
            assert!(line.output.ends_with(answer.as_bytes()), "{cut}");
        }
    }
}

#[test]
fn r5_synchronize_on_a_line_does_not_wait_forever() {
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
        let (mut receive, mut send) = ([0; 4096], [0; 256]);
        let mut client = Client::new(&mut line, &mut receive, &mut send);
        assert_eq!(client.synchronize(NONCE), Err(expected));
        // A reply that arrives later would be taken for another one.
        let unusable = Error::Misuse(Misuse::Unusable);
        assert_eq!(client.synchronize(NONCE), Err(unusable));
    }
}

#[test]
fn l5_stream_replies_in_one_write_are_not_sent_after_a_break() {
    let reply = "{\"continues\":true,\"parameters\":{\"i\":1}}\0";
    for before in ["", "{}\0", "{}\0{}\0"] {
        for sent in 1..5 {
            let mut stream = Line::new(b"{\"method", Arrival::Joined);
            stream.arrives(sent, b"\0\0");
            let mut ahead = [0; 16];
            let mut line = line::Line::new(&mut stream, &mut ahead);
            assert_eq!(line.read(&mut [0; 16]), Ok(8));
            let replies = format!("{before}{}", reply.repeat(9));
            let written = line.write_all(replies.as_bytes());
            assert_eq!(written, Err(line::LineError::Break));
            // The replies before the stream are one more write.
            let ones = if before.is_empty() { sent } else { sent - 1 };
            let expected = format!("{before}{}", reply.repeat(ones));
            assert_eq!(String::from_utf8(stream.output).unwrap(), expected);
        }
    }
}

#[test]
fn c6_a_hundred_calls_on_a_slow_line_are_answered_in_order() {
    // Forty long replies, then sixty with numbers.
    let describe = |interface: &str| {
        let method = "org.varlink.service.GetInterfaceDescription";
        format!("{{\"method\":\"{method}\",\"parameters\":{{\"interface\":\"{interface}\"}}}}\0")
    };
    let mut input = "\0\0".to_owned() + &describe("org.example.t").repeat(40);
    for number in 0..60 {
        input += &describe(&format!("a.n{number}"));
    }
    for pieces in [1, 7, 500, 4096, usize::MAX] {
        let mut line = Line {
            is_slow: true,
            ..Line::default()
        };
        for piece in input.as_bytes().chunks(pieces) {
            line.arrives(0, piece);
        }
        let (mut receive, mut send, mut scratch) = ([0; 4096], [0; 8192], [0; 99]);
        let mut service = T {
            scratch: &mut scratch,
        };
        let end = serve(&mut service, &mut line, &mut receive, &mut send);
        assert_eq!(end, Ok(End::Closed));
        let answers = split(&line.output);
        assert_eq!(answers.len(), 100, "{pieces}");
        for (number, answer) in answers.iter().enumerate() {
            match number.checked_sub(40) {
                Some(number) => {
                    assert_eq!(answer.clone() + "\0", no_interface(&format!("a.n{number}")))
                }
                None => assert!(answer.starts_with("{\"parameters\":{\"description\":\"")),
            }
        }
    }
}

/// The master of a pseudoterminal.
#[cfg(all(feature = "unix", target_os = "linux"))]
struct Master(rustix::fd::OwnedFd);

#[cfg(all(feature = "unix", target_os = "linux"))]
impl ErrorType for Master {
    type Error = ErrorKind;
}

#[cfg(all(feature = "unix", target_os = "linux"))]
impl Read for Master {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        rustix::io::read(&self.0, buffer).map_err(|_| ErrorKind::Other)
    }
}

#[cfg(all(feature = "unix", target_os = "linux"))]
impl ReadReady for Master {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        let count = rustix::io::ioctl_fionread(&self.0);
        count.map(|count| count > 0).map_err(|_| ErrorKind::Other)
    }
}

#[cfg(all(feature = "unix", target_os = "linux"))]
impl Write for Master {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        rustix::io::write(&self.0, bytes).map_err(|_| ErrorKind::Other)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[cfg(all(feature = "unix", target_os = "linux"))]
#[test]
fn l5_clients_of_a_terminal_can_be_replaced_during_a_stream() {
    use std::time::Duration;

    use nullink::Address;
    use nullink::unix::{Stream, Timeouts};
    use rustix::fs::{Mode, OFlags, open};
    use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

    let (master, address) = terminal();
    // Keep the terminal open and raw between the clients.
    let path = address.strip_prefix("device:").unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let between = open(path, flags, Mode::empty()).unwrap();
    let mut raw = tcgetattr(&between).unwrap();
    raw.make_raw();
    tcsetattr(&between, OptionalActions::Now, &raw).unwrap();
    let service = std::thread::spawn(|| {
        let (mut receive, mut send, mut scratch) = ([0; 256], [0; 512], [0; 99]);
        let mut service = T {
            scratch: &mut scratch,
        };
        serve(&mut service, &mut Master(master), &mut receive, &mut send).map(|_| ())
    });
    let timeouts = Timeouts {
        reply: Some(Duration::from_secs(60)),
        ..Timeouts::default()
    };
    let endless = t("Count", r#"{"n":1000000000},"more":true"#);
    for number in 0..=20 {
        let address = Address::parse(&address).unwrap();
        let stream = Stream::connect_to(address, timeouts).unwrap();
        let (mut receive, mut send) = ([0; 256], [0; 512]);
        let mut client = Client::new(stream, &mut receive, &mut send);
        let nonce = format!("org.example.n{number}");
        assert_eq!(client.synchronize(&nonce), Ok(()));
        let text = format!("{{\"s\":\"{number}\"}}");
        let parameters = Raw::new(&text).unwrap();
        let reply = client.call_raw("org.example.t.Need", parameters).unwrap();
        assert_eq!(reply.parameters().as_str(), text);
        if number == 20 {
            // The service waits for input, and the terminal is hung up.
            break;
        }
        let stream = client.stream();
        stream.write_all(endless.as_bytes()).unwrap();
        stream.write_all(b"\0{\"method").unwrap();
        stream.read_exact(&mut [0; 100]).unwrap();
    }
    drop(between);
    assert_eq!(
        service.join().unwrap(),
        Err(Error::Transport(ErrorKind::Other))
    );
}
