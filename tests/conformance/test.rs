//! Runs the suite on Nullink: its service in memory and over sockets, its client over a socket.
#![cfg(all(feature = "unix", target_os = "linux"))]

#[path = "../../examples/shared/conform_client.rs"]
mod conform_client;
mod suite;
#[path = "../../examples/shared/t.rs"]
mod t;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nullink::embedded_io::{ErrorType, Read, Write};
use nullink::server::{Event, Server, Slots};
use nullink::unix::{Listener, Stream};
use nullink::{End as ServeEnd, serve};
use suite::client::{Answer, Judge};
use suite::report::Line;
use suite::service::{Abilities, End, Need, Piece, Scene, Transcript, Transport, scenes};
use suite::wire::Wire;
use suite::{Verdict, client};
use t::T;

const LIMIT: usize = 4096;

/// The service in memory. Its input arrives in reads of this length.
struct Memory {
    read: usize,
}

/// A stream whose input is known, and whose output is kept.
struct Script<'a> {
    input: &'a [u8],
    read: usize,
    output: Vec<u8>,
}

impl ErrorType for Script<'_> {
    type Error = Infallible;
}

impl Read for Script<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let count = self.read.min(self.input.len()).min(buffer.len());
        let (now, later) = self.input.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.input = later;
        Ok(count)
    }
}

impl Write for Script<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Transport for Memory {
    fn talk(&mut self, scene: &Scene) -> Transcript {
        let mut input = Vec::new();
        for piece in &scene.pieces {
            if let Piece::Send(bytes) | Piece::Descriptors(bytes, _) = piece {
                input.extend_from_slice(bytes);
            }
        }
        let (mut receive, mut send, mut scratch) =
            (vec![0; LIMIT], vec![0; 2 * LIMIT], vec![0; LIMIT]);
        let mut service = T {
            scratch: &mut scratch,
        };
        let mut script = Script {
            input: &input,
            read: self.read,
            output: Vec::new(),
        };
        let end = serve(&mut service, &mut script, &mut receive, &mut send);
        if let Ok(ServeEnd::Upgraded { unread, .. }) = end {
            let echo = [unread, script.input].concat();
            script.output.extend(echo);
        }
        let is_closed = end.is_err();
        let mut messages: Vec<Vec<u8>> = script
            .output
            .split(|byte| *byte == 0)
            .map(<[u8]>::to_vec)
            .collect();
        let rest = messages.pop().unwrap_or_default();
        let end = match scene.is_done(&messages, &rest) {
            true => End::Done,
            false if is_closed => End::Closed,
            false => End::TimedOut,
        };
        Transcript {
            messages,
            rest,
            end,
            descriptors: 0,
        }
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Descriptors => Some("memory has no descriptors"),
            Need::Connections => Some("memory has one connection"),
            _ => None,
        }
    }
}

/// Returns an unused address.
fn address() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("unix:@nullink-conform-{}-{number}", std::process::id())
}

/// Serves org.example.t. Returns the address.
fn served(address: &str) -> String {
    let listener = Listener::bind(address).expect("an address");
    let address = match listener.port() {
        Some(port) => format!("tcp:127.0.0.1:{port}"),
        None => address.into(),
    };
    thread::spawn(move || {
        let mut slots = Box::new(Slots::<8, LIMIT, { 2 * LIMIT }, 8>::new());
        let mut server = Server::new(listener, &mut slots).expect("a server");
        let mut scratch = [0; LIMIT];
        let mut service = T {
            scratch: &mut scratch,
        };
        loop {
            if let Event::Upgraded(connection, _) = server.serve(&mut service).expect("a server") {
                let (mut stream, unread) = server.take(connection).expect("a connection");
                let unread = unread.to_vec();
                thread::spawn(move || echo(&mut stream, &unread));
            }
        }
    });
    address
}

fn echo(stream: &mut Stream, unread: &[u8]) {
    let mut buffer = [0; 1024];
    let mut result = stream.write_all(unread);
    while let (Ok(()), Ok(count @ 1..)) = (result, stream.read(&mut buffer)) {
        result = stream.write_all(&buffer[..count]);
    }
}

fn wire(address: String) -> Wire {
    Wire {
        address,
        timeout: Duration::from_secs(60),
        limit: Some(LIMIT),
        service: None,
    }
}

/// Runs the checks of the service's half. Returns those that have not passed, and the number of
/// those that were not applicable.
fn run(transport: &mut dyn Transport, ids: &[&str]) -> (Vec<String>, usize) {
    let abilities = Abilities::find(transport);
    let (mut failed, mut not_applicable) = (Vec::new(), 0);
    for scene in scenes(Some(LIMIT)) {
        if !ids.is_empty() && !ids.contains(&scene.id) {
            continue;
        }
        match scene.run(transport, &abilities) {
            (Verdict::Pass, _) => {}
            (Verdict::Fail(expected), came) => {
                failed.push(format!(
                    "{} {}: {came}; expected: {expected}",
                    scene.id, scene.what
                ));
            }
            (Verdict::NotApplicable(_), _) => not_applicable += 1,
        }
    }
    (failed, not_applicable)
}

#[test]
fn the_service_passes_in_memory() {
    for read in [usize::MAX, 1, 7] {
        // Eight need a second connection or its end, and four need descriptors.
        assert_eq!(
            run(&mut Memory { read }, &[]),
            (vec![], 12),
            "reads of {read}"
        );
    }
}

#[test]
fn the_service_passes_over_a_unix_socket() {
    assert_eq!(run(&mut wire(served(&address())), &[]), (vec![], 0));
}

#[test]
fn the_service_passes_over_tcp() {
    // Four need descriptors.
    assert_eq!(run(&mut wire(served("tcp:127.0.0.1:0")), &[]), (vec![], 4));
}

/// A service that does one thing wrong.
struct Wrong(fn(&mut Transcript));

impl Transport for Wrong {
    fn talk(&mut self, scene: &Scene) -> Transcript {
        let mut transcript = Memory { read: usize::MAX }.talk(scene);
        (self.0)(&mut transcript);
        transcript
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        Memory { read: 0 }.lacks(need)
    }
}

/// Runs the checks on a wrong service. Returns the ids of those that fail.
fn failing(wrong: fn(&mut Transcript)) -> BTreeSet<String> {
    let (failed, _) = run(&mut Wrong(wrong), &[]);
    let id = |line: &String| line.split(' ').next().unwrap_or_default().to_string();
    failed.iter().map(id).collect()
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[test]
fn a_service_that_does_one_thing_wrong_fails_the_checks_of_it() {
    // White space in replies.
    let spaced = failing(|transcript| {
        for message in &mut transcript.messages {
            *message = String::from_utf8_lossy(message)
                .replacen('{', "{ ", 1)
                .into_bytes();
        }
    });
    // An echo of U1 begins like a reply.
    assert_eq!(spaced, set(&["F3", "U1"]));
    // Empty parameters in replies.
    let empty = failing(|transcript| {
        for message in &mut transcript.messages {
            if message == b"{}" {
                *message = br#"{"parameters":{}}"#.to_vec();
            }
        }
    });
    assert_eq!(empty, set(&["U1", "W5"]));
    // The connection stays open after a bad message.
    let open = failing(|transcript| {
        if transcript.end == End::Closed {
            transcript.end = End::TimedOut;
        }
    });
    assert_eq!(open, set(&["C1", "C2", "C7", "C8", "F4"]));
    // One reply too many at the beginning.
    let more = failing(|transcript| transcript.messages.insert(0, b"{}".to_vec()));
    assert!(
        more.is_superset(&set(&["C1", "C6", "F1", "M1", "M2", "U1", "U2"])),
        "{more:?}"
    );
    // continues in the last reply of a stream, or the only one.
    let continues = failing(|transcript| {
        let count = transcript.messages.len();
        if let Some(message) = count
            .checked_sub(2)
            .and_then(|i| transcript.messages.get_mut(i))
        {
            let text = String::from_utf8_lossy(message);
            *message = text
                .replacen('{', r#"{"continues":true,"#, 1)
                .replace(",}", "}")
                .into_bytes();
        }
    });
    assert!(continues.is_superset(&set(&["C6", "M2"])), "{continues:?}");
}

/// A service that ends when it should answer Fail.
struct Dying {
    is_dead: bool,
}

impl Transport for Dying {
    fn talk(&mut self, scene: &Scene) -> Transcript {
        let mut transcript = Memory { read: usize::MAX }.talk(scene);
        let was_dead = self.is_dead;
        self.is_dead |= scene.sent().contains("org.example.t.Fail");
        if self.is_dead {
            transcript.messages.clear();
            transcript.end = match was_dead {
                true => End::Failed("cannot connect".into()),
                false => End::Closed,
            };
        }
        transcript
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        Memory { read: 0 }.lacks(need)
    }
}

#[test]
fn a_service_that_ends_is_a_failure_of_the_check_that_ended_it() {
    let (failed, _) = run(&mut Dying { is_dead: false }, &["F2", "F3"]);
    let first = failed.first().expect("a failure");
    let words = "F3 no white space outside strings: an error of the interface: [closed]";
    assert!(first.starts_with(words), "{first}");
    assert!(first.contains("afterwards cannot connect"), "{first}");
}

/// Runs the checks of the client's half on Nullink's client.
#[test]
fn the_client_passes_over_a_unix_socket() {
    let address = address();
    let mut lines = Vec::new();
    let (sender, done) = mpsc::channel();
    let to = address.clone();
    thread::spawn(move || {
        // The judge may not listen yet.
        while conform_client::run(&to).is_err() {
            thread::yield_now();
        }
        let _ = sender.send(());
    });
    let timeout = Duration::from_secs(60);
    let judged = client::judge_at(&address, timeout, &[], |line: Line| lines.push(line));
    assert_eq!(judged, Ok(()));
    let failed: Vec<String> = lines
        .iter()
        .filter(|line| line.verdict != Verdict::Pass)
        .map(Line::text)
        .collect();
    assert_eq!(failed, Vec::<String>::new());
    assert_eq!(lines.len(), client::checks().len());
    done.recv().expect("the client ends");
}

#[test]
fn a_check_has_a_name_of_its_own() {
    for names in [
        scenes(Some(LIMIT))
            .into_iter()
            .map(|scene| format!("{} {}", scene.id, scene.what))
            .collect::<Vec<_>>(),
        client::checks()
            .into_iter()
            .map(|check| format!("{} {}", check.id, check.what))
            .collect(),
    ] {
        let mut seen = BTreeSet::new();
        for name in names {
            assert!(seen.insert(name.clone()), "two checks are {name}");
        }
    }
}

/// A client that makes the right calls, and reports the wrong outcome, fails every check.
#[test]
fn a_client_that_reports_nothing_fails() {
    let mut judge = Judge::new("unix:/t");
    let next =
        br#"{"method":"org.example.conform.Next","parameters":{"outcome":{"values":["y"]}}}"#;
    let mut count = 0;
    loop {
        let Answer { pieces, .. } = judge.answer(&mut count, next);
        if pieces.concat() == b"{\"parameters\":{\"step\":\"end\"}}\0" {
            break;
        }
    }
    assert_eq!(judge.lines.len(), client::checks().len());
    for line in &judge.lines {
        assert!(matches!(line.verdict, Verdict::Fail(_)), "{}", line.what);
    }
}

#[test]
fn the_definition_of_the_peers_lacks_only_the_field_of_type_any() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/conformance/peers/org.example.t.varlink"
    );
    let peers = std::fs::read_to_string(path).expect("the definition of the peers");
    assert_eq!(
        peers,
        suite::service::DEFINITION.replace("  a: ?any,\n", "")
    );
}
