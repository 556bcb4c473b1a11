//! The example `proxy`, run as a user would: between clients and the example `conformance`.
#![cfg(all(feature = "unix", target_os = "linux"))]

use crate::{common, example};

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{EMPTY, split};
use example::example;
use nullink::Client;
use nullink::unix::Stream;
use nullink::{Method, NoError};
use serde::Serialize;

/// A program that is killed when this is dropped, and the path of its socket.
struct Running(Child, PathBuf);

impl Running {
    /// Starts a program with `arguments`, its own address, and `rest`.
    fn new(mut command: Command, path: &Path, arguments: &[&str], rest: &[&str]) -> Self {
        command
            .args(arguments)
            .arg(format!("unix:{}", path.display()))
            .args(rest);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let running = Running(child.spawn().expect("a process"), path.to_path_buf());
        let begin = Instant::now();
        // Waits for the socket only: a connection would be relayed and printed.
        while !path.exists() {
            assert!(begin.elapsed() < Duration::from_secs(60), "does not listen");
            std::thread::yield_now();
        }
        running
    }

    fn connect(&self) -> UnixStream {
        let begin = Instant::now();
        loop {
            match UnixStream::connect(&self.1) {
                Ok(stream) => return stream,
                Err(error) => assert!(begin.elapsed() < Duration::from_secs(60), "{error}"),
            }
        }
    }

    /// Reads the next `count` lines of its output.
    fn lines(&mut self, count: usize) -> Vec<String> {
        let output = self.0.stdout.as_mut().expect("its output");
        // A buffer of one byte, so that no byte after these lines is read and lost.
        let mut reader = BufReader::with_capacity(1, output);
        let mut line = || {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a line");
            line.trim_end().to_string()
        };
        (0..count).map(|_| line()).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = std::fs::remove_file(&self.1);
    }
}

/// Starts the service org.example.t and a proxy in front of it.
fn proxy(name: &str, options: &[&str]) -> Option<(Running, Running)> {
    let (service, proxy) = (example("conformance")?, example("proxy")?);
    let file = |role: &str| format!("nullink-proxy-{}-{name}-{role}", std::process::id());
    let [target, front] = ["t", "front"].map(|role| std::env::temp_dir().join(file(role)));
    let service = Running::new(service, &target, &[], &[]);
    drop(service.connect());
    let target = format!("unix:{}", target.display());
    let proxy = Running::new(proxy, &front, options, &[&target]);
    Some((service, proxy))
}

/// Sends messages, half-closes, and returns the replies.
fn talk(proxy: &Running, messages: &[&str]) -> Vec<String> {
    let mut stream = proxy.connect();
    let input = messages.join("\0") + "\0";
    stream.write_all(input.as_bytes()).expect("a write");
    stream.shutdown(Shutdown::Write).expect("a half-close");
    let mut output = Vec::new();
    stream.read_to_end(&mut output).expect("replies");
    split(&output)
}

const COUNT: &str = r#"{"method":"org.example.t.Count","more":true,"parameters":{"n":3}}"#;
const COUNTED: [&str; 3] = [
    r#"{"continues":true,"parameters":{"i":0}}"#,
    r#"{"continues":true,"parameters":{"i":1}}"#,
    r#"{"parameters":{"i":2}}"#,
];
const DENIED: &str = r#"{"error":"org.varlink.service.PermissionDenied"}"#;

fn marked(direction: &str, messages: &[&str]) -> Vec<String> {
    let mark = |message: &&str| format!("{direction} {message}");
    messages.iter().map(mark).collect()
}

#[test]
fn messages_are_relayed_and_printed() {
    let Some((_service, mut proxy)) = proxy("print", &[]) else {
        return;
    };
    let odd = r#"{ "x.y" : 1, "meth\u006fd" : "org.example.t.Need", "parameters":{"s":"\u0041"}}"#;
    let calls = [EMPTY, COUNT, odd, EMPTY];
    let replies = [
        &["{}"],
        &COUNTED[..],
        &[r#"{"parameters":{"s":"A"}}"#, "{}"],
    ]
    .concat();
    assert_eq!(talk(&proxy, &calls), replies);
    let (there, back): (Vec<_>, Vec<_>) = proxy
        .lines(calls.len() + replies.len())
        .into_iter()
        .partition(|line| line.starts_with("->"));
    assert_eq!(there, marked("->", &calls));
    assert_eq!(back, marked("<-", &replies));

    // More clients are served.
    for _ in 0..3 {
        assert_eq!(talk(&proxy, &[EMPTY]), ["{}"]);
    }
}

#[derive(Serialize)]
struct Pipe;

impl Method for Pipe {
    const NAME: &'static str = "org.example.t.Pipe";
    type Output<'r> = ();
    type Error<'r> = NoError;
}

#[test]
fn u1_an_upgrade_passes_and_its_bytes_are_counted() {
    let Some((_service, mut proxy)) = proxy("upgrade", &[]) else {
        return;
    };
    // The proxy listens after this connection.
    drop(proxy.connect());
    let stream = Stream::connect(proxy.1.to_str().expect("UTF-8")).expect("a connection");
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut client = Client::new(stream, &mut receive, &mut send);
    assert_eq!(client.upgrade(&Pipe), Ok(()));
    let (mut stream, unread) = client.into_parts();
    assert_eq!(unread, b"");
    let mut buffer = [0; 9];
    embedded_io::Write::write_all(&mut stream, b"raw\0bytes").unwrap();
    embedded_io::Read::read_exact(&mut stream, &mut buffer).unwrap();
    assert_eq!(&buffer, b"raw\0bytes");
    let lines = proxy.lines(2);
    assert!(lines[0].starts_with("-> {") && lines[0].contains("\"upgrade\":true"));
    assert_eq!(lines[1], "<- {}");
    let mut counted = [("->", 0), ("<-", 0)];
    while counted != [("->", 9), ("<-", 9)] {
        let line = &proxy.lines(1)[0];
        let (direction, rest) = line.split_once(' ').expect("a direction");
        let count = rest.strip_suffix(" bytes").expect("a count");
        let (_, sum) = counted
            .iter_mut()
            .find(|(mark, _)| *mark == direction)
            .expect("a direction");
        *sum += count.parse::<u32>().expect("a number");
    }
}

#[test]
fn calls_of_a_denied_interface_do_not_reach_the_service() {
    let options = ["--deny", "org.varlink.service"];
    let Some((_service, mut proxy)) = proxy("deny", &options) else {
        return;
    };
    let info = r#"{"method":"org.varlink.s\u0065rvice.GetInfo"}"#;
    // A service that replies without upgrading would continue with Varlink, and the relay would
    // pass the calls after it without asking the policy.
    let upgrade = r#"{"method":"org.example.t.Empty","upgrade":true}"#;
    let calls = [EMPTY, COUNT, info, EMPTY, upgrade, info];
    let replies = [&["{}"], &COUNTED[..], &[DENIED, "{}", DENIED, DENIED]].concat();
    assert_eq!(talk(&proxy, &calls), replies);
    let lines = proxy.lines(calls.len() + 5);
    let denied = lines.iter().filter(|line| line.ends_with(" (denied)"));
    assert_eq!(denied.count(), 3, "{lines:?}");
}

#[test]
fn further_clients_wait_until_another_disconnects() {
    let Some((_service, mut proxy)) = proxy("clients", &["--clients", "2"]) else {
        return;
    };
    let call = |stream: &mut UnixStream| {
        stream.write_all(format!("{EMPTY}\0").as_bytes()).unwrap();
    };
    let reply = |stream: &mut UnixStream| {
        let mut reply = [0; 3];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"{}\0");
    };
    let mut served = [proxy.connect(), proxy.connect()];
    for stream in &mut served {
        call(stream);
        reply(stream);
    }
    let mut waiting = proxy.connect();
    let info = r#"{"method":"org.varlink.service.GetInfo"}"#;
    waiting.write_all(format!("{info}\0").as_bytes()).unwrap();
    // In this time a proxy without the limit would accept another one.
    for _ in 0..500 {
        for stream in &mut served {
            call(stream);
            reply(stream);
        }
    }
    let [gone, mut kept] = served;
    drop(gone);
    waiting.shutdown(Shutdown::Write).unwrap();
    let mut replies = Vec::new();
    waiting.read_to_end(&mut replies).unwrap();
    assert!(replies.starts_with(b"{\"parameters\":{"));
    call(&mut kept);
    reply(&mut kept);
    let lines = proxy.lines(4 * 501 + 4);
    let first = lines.iter().position(|line| line.contains("GetInfo"));
    assert!(first >= Some(4 * 501), "{first:?}");
}

#[test]
fn it_ends_quietly_when_nobody_reads_its_output() {
    let Some((_service, mut proxy)) = proxy("quiet", &[]) else {
        return;
    };
    drop(proxy.0.stdout.take());
    let mut stream = proxy.connect();
    // It ends before it has passed the call on, or the reply.
    stream.write_all(format!("{EMPTY}\0").as_bytes()).unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = proxy.0.try_wait().unwrap() {
            break status;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "does not end");
        std::thread::yield_now();
    };
    assert_eq!(status.code(), Some(0));
    let mut errors = String::new();
    let output = proxy.0.stderr.as_mut().expect("its output");
    output.read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "");
}

#[test]
fn calls_of_a_renamed_interface_reach_the_original_one() {
    let options = ["--rename", "com.example.t=org.example.t"];
    let Some((_service, mut proxy)) = proxy("rename", &options) else {
        return;
    };
    let count = COUNT.replace("org.example.t", "com.example.t");
    assert_eq!(
        talk(&proxy, &[EMPTY, &count]),
        [&["{}"], &COUNTED[..]].concat()
    );
    let lines = proxy.lines(6);
    let renamed = format!("-> {count} (as org.example.t.Count)");
    assert!(lines.contains(&renamed), "{lines:?}");
}

#[test]
fn wrong_arguments_are_reported() {
    for arguments in [
        &[][..],
        &["unix:@a"],
        &["unix:@a", "nonsense"],
        &["unix:@a", "unix:@b", "unix:@c"],
        &["--deny", "nonsense", "unix:@a", "unix:@b"],
        &["--rename", "a.b", "unix:@a", "unix:@b"],
        &["unix:@a", "unix:@b", "--deny"],
        &["--clients", "0", "unix:@a", "unix:@b"],
        &["--clients", "few", "unix:@a", "unix:@b"],
        &["unix:/no/such/directory/socket", "unix:@b"],
    ] {
        let Some(mut proxy) = example("proxy") else {
            return;
        };
        let output = proxy.args(arguments).output().expect("a process");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert!(text.starts_with("proxy: "), "{text}");
    }
}

#[test]
fn without_a_service_the_client_reads_the_end_and_stderr_says_why() {
    let Some(command) = example("proxy") else {
        return;
    };
    let name = format!("nullink-proxy-{}-nobody", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut proxy = Running::new(command, &path, &[], &["unix:/no/such/socket"]);
    let mut stream = proxy.connect();
    assert_eq!(stream.read(&mut [0; 9]).expect("an end"), 0);
    let mut line = String::new();
    let output = proxy.0.stderr.as_mut().expect("its output");
    BufReader::new(output).read_line(&mut line).expect("a line");
    let why = "no service found: is it running?";
    assert_eq!(line, format!("proxy: unix:/no/such/socket: {why}\n"));
}
