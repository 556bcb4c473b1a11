//! Drives every service with the same bytes, and parses nothing.
//!
//! `client PATH PID MILLISECONDS OPERATIONS KIND NUMBER..`, or `client start PATH PROGRAM ..`, which
//! starts a service and prints the nanoseconds until its first reply and those that it computed.

use std::env;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::{Job, connect, cpu_time, message};

const CLOSED: &str = "the service has closed the connection";
const METHOD: &str = "{\"method\":\"org.example.ping.";

fn ping(text: &str) -> Vec<u8> {
    let before = format!("{METHOD}Ping\",\"parameters\":{{\"ping\":\"");
    message(&before, text, "\"}}")
}

fn open(path: &str) -> UnixStream {
    connect(|| UnixStream::connect(path))
}

/// Receives until `count` messages have ended.
fn receive(mut stream: &UnixStream, buffer: &mut [u8], count: usize) {
    let mut left = count;
    let mut is_first = true;
    while left > 0 {
        let length = stream.read(buffer).expect(CLOSED);
        assert!(length > 0, "{CLOSED}");
        let received = &buffer[..length];
        // An error is short, so it arrives at once.
        assert!(
            !is_first
                || received.len() > 256
                || memchr::memmem::find(received, b"\"error\"").is_none(),
            "the service has answered with an error"
        );
        is_first = false;
        left -= memchr::memchr_iter(0, received).count();
    }
}

/// Makes one call on a connection.
fn round_trip(mut stream: &UnixStream, buffer: &mut [u8], call: &[u8], replies: usize) {
    stream.write_all(call).expect(CLOSED);
    receive(stream, buffer, replies);
}

fn main() {
    if env::args().nth(1).as_deref() == Some("start") {
        return start();
    }
    let client = common::client();
    let mut buffer = vec![0; 1 << 18];
    match &client.job {
        Job::Ping {
            text,
            depth,
            clients,
            idle,
        } => {
            let one = ping(text);
            let mut open = |count: usize| -> Vec<UnixStream> {
                let streams = std::iter::repeat_with(|| {
                    let stream = open(&client.path);
                    round_trip(&stream, &mut buffer, &one, 1);
                    stream
                });
                streams.take(count).collect()
            };
            let idle = open(*idle);
            let streams = open(*clients);
            let calls = one.repeat(*depth);
            client.measure(|| {
                for mut stream in &streams {
                    stream.write_all(&calls).expect(CLOSED);
                }
                for stream in &streams {
                    receive(stream, &mut buffer, *depth);
                }
            });
            drop(idle);
        }
        Job::Count { n } => {
            let before = format!("{METHOD}Count\",\"parameters\":{{\"n\":{n}");
            let call = message(&before, "", "},\"more\":true}");
            let stream = open(&client.path);
            client.measure(|| round_trip(&stream, &mut buffer, &call, *n));
        }
        Job::Connect { text } => {
            let call = ping(text);
            open(&client.path);
            client.measure(|| round_trip(&open(&client.path), &mut buffer, &call, 1));
        }
    }
}

fn start() {
    let words: Vec<String> = env::args().skip(2).collect();
    let [path, program, arguments @ ..] = &words[..] else {
        panic!("no program");
    };
    let begin = Instant::now();
    let mut service = Command::new(program)
        .args(arguments)
        .stderr(Stdio::null())
        .spawn()
        .expect("a program");
    let mut buffer = vec![0; 4096];
    round_trip(&open(path), &mut buffer, &ping("hello"), 1);
    let wall = begin.elapsed().as_nanos();
    let cpu = cpu_time(service.id() as i32);
    service
        .kill()
        .and_then(|()| service.wait())
        .expect("a process");
    println!("1 {wall} {cpu} 0");
}
