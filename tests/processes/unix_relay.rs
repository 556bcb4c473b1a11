//! Relays between two sockets.
#![cfg(all(feature = "unix", target_os = "linux"))]

use crate::{common, strace};

use std::io::{ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::EMPTY;
use nullink::relay::{Failure, Side};
use nullink::unix::{self, Stream};
use nullink::{Error, Violation};
use rustix::fd::AsFd;
use rustix::io::IoSlice;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use strace::strace;

/// Returns the two ends of a connection. The first is for a relay.
fn pair() -> (Stream, UnixStream) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("nullink-relay-{}-{count}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let listener = UnixListener::bind(&path).expect("a socket");
    let ours = Stream::connect(path.to_str().expect("UTF-8")).expect("a connection");
    let (theirs, _) = listener.accept().expect("a connection");
    std::fs::remove_file(&path).expect("a file");
    (ours, theirs)
}

type Running = JoinHandle<Result<(), Failure<unix::IoError>>>;

/// Returns a client, a service, and the relay between them.
fn joined() -> (UnixStream, UnixStream, Running) {
    let ((client, ours), (service, theirs)) = (pair(), pair());
    let running = thread::spawn(|| {
        let (mut calls, mut replies) = ([0; 1 << 15], [0; 1 << 15]);
        unix::relay(client, service, &mut calls, &mut replies, &mut ())
    });
    (ours, theirs, running)
}

fn send(stream: &mut UnixStream, text: &str) {
    stream.write_all(text.as_bytes()).expect("a write");
}

#[track_caller]
fn expect(stream: &mut UnixStream, text: &str) {
    let mut buffer = vec![0; text.len()];
    stream.read_exact(&mut buffer).expect("a read");
    assert_eq!(String::from_utf8_lossy(&buffer), text);
}

#[track_caller]
fn expect_end(stream: &mut UnixStream) {
    assert_eq!(stream.read(&mut [0; 9]).expect("no error"), 0);
}

fn empty() -> String {
    format!("{EMPTY}\0")
}

const PIPE: &str = "{\"method\":\"org.example.t.Pipe\",\"upgrade\":true}\0";
const MORE: &str = "{\"method\":\"org.example.t.Count\",\"more\":true}\0";
const CONTINUES: &str = "{\"continues\":true}\0";

/// Like [`joined`], after an upgrade.
fn upgraded() -> (UnixStream, UnixStream, Running) {
    let (mut client, mut service, running) = joined();
    send(&mut client, PIPE);
    expect(&mut service, PIPE);
    send(&mut service, "{}\0");
    expect(&mut client, "{}\0");
    (client, service, running)
}

#[test]
fn calls_and_replies_pass_while_both_sides_are_open() {
    let (mut client, mut service, running) = joined();
    for _ in 0..3 {
        send(&mut client, &empty().repeat(2));
        expect(&mut service, &empty().repeat(2));
        send(&mut service, "{}\0");
        expect(&mut client, "{}\0");
        send(&mut service, "{}\0");
        expect(&mut client, "{}\0");
    }
    send(&mut client, MORE);
    expect(&mut service, MORE);
    for _ in 0..3 {
        send(&mut service, CONTINUES);
        expect(&mut client, CONTINUES);
    }
    send(&mut service, "{}\0");
    expect(&mut client, "{}\0");
    drop(client);
    expect_end(&mut service);
    assert_eq!(running.join().unwrap(), Ok(()));
}

#[test]
fn f5_a_half_close_is_passed_on_and_the_replies_still_arrive() {
    let (mut client, mut service, running) = joined();
    send(&mut client, &empty().repeat(2));
    client.shutdown(Shutdown::Write).unwrap();
    expect(&mut service, &empty().repeat(2));
    expect_end(&mut service);
    send(&mut service, "{}\0{}\0");
    expect(&mut client, "{}\0{}\0");
    expect_end(&mut client);
    assert_eq!(running.join().unwrap(), Ok(()));
}

#[test]
fn u1_after_an_upgrade_either_side_can_end_first() {
    for client_first in [true, false] {
        let (client, service, running) = upgraded();
        let (mut one, mut two) = if client_first {
            (client, service)
        } else {
            (service, client)
        };
        send(&mut one, "last words");
        one.shutdown(Shutdown::Write).unwrap();
        expect(&mut two, "last words");
        expect_end(&mut two);
        for _ in 0..3 {
            send(&mut two, "go on\0");
            expect(&mut one, "go on\0");
        }
        two.shutdown(Shutdown::Write).unwrap();
        expect_end(&mut one);
        assert_eq!(running.join().unwrap(), Ok(()));
    }
}

#[test]
fn u1_bytes_pass_in_both_directions_at_once() {
    let (mut client, mut service, running) = upgraded();
    let (mut reader, mut echo) = (client.try_clone().unwrap(), service.try_clone().unwrap());
    let text: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            std::io::copy(&mut echo, &mut service).unwrap();
            service.shutdown(Shutdown::Write).unwrap();
        });
        scope.spawn(|| {
            client.write_all(&text).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        });
        let mut back = Vec::new();
        reader.read_to_end(&mut back).unwrap();
        assert!(back == text);
    });
    assert_eq!(running.join().unwrap(), Ok(()));
}

#[test]
fn back_pressure_reaches_the_sender_and_no_byte_is_lost() {
    let (mut client, mut service, running) = upgraded();
    service.set_nonblocking(true).unwrap();
    let mut sent = 0;
    let full = loop {
        match service.write(&[b'x'; 4096]) {
            Ok(count) => sent += count,
            Err(error) => break error,
        }
        assert!(sent < 1 << 24, "the writes never block");
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    drop(service);
    let mut all = Vec::new();
    client.read_to_end(&mut all).unwrap();
    assert!(all.len() >= sent && all.iter().all(|byte| *byte == b'x'));
    drop(client);
    assert_eq!(running.join().unwrap(), Ok(()));
}

#[test]
fn l5_a_client_that_goes_away_ends_the_stream_for_the_service() {
    let (mut client, mut service, running) = joined();
    send(&mut client, MORE);
    expect(&mut service, MORE);
    send(&mut service, CONTINUES);
    expect(&mut client, CONTINUES);
    let oneway = "{\"method\":\"a.b.C\",\"oneway\":true}\0";
    send(&mut client, oneway);
    drop(client);
    expect(&mut service, oneway);
    expect_end(&mut service);
    assert_eq!(running.join().unwrap(), Ok(()));
    assert!(service.write(b"{}\0").is_err());
}

#[test]
fn r5_a_service_that_goes_away_ends_the_connection_for_the_client() {
    let (mut client, mut service, running) = joined();
    send(&mut client, &empty().repeat(3));
    expect(&mut service, &empty().repeat(3));
    send(&mut service, "{}\0");
    drop(service);
    expect(&mut client, "{}\0");
    expect_end(&mut client);
    let failure = running.join().unwrap().unwrap_err();
    assert_eq!(
        (failure.side, failure.error),
        (Side::Service, Error::Closed)
    );
    assert!(
        failure
            .to_string()
            .starts_with("the service's connection: ")
    );

    // If no reply is due, this is not a failure.
    let (mut client, service, running) = joined();
    drop(service);
    expect_end(&mut client);
    assert_eq!(running.join().unwrap(), Ok(()));
}

#[test]
fn c1_a_client_that_sends_an_invalid_call_gets_its_replies_and_the_end() {
    let (mut client, mut service, running) = joined();
    send(&mut client, &(empty() + "[]\0" + &empty()));
    expect(&mut service, &empty());
    expect_end(&mut service);
    send(&mut service, "{}\0");
    expect(&mut client, "{}\0");
    expect_end(&mut client);
    let error = Error::Protocol(Violation::NotAnObject);
    let side = Side::Client;
    assert_eq!(running.join().unwrap(), Err(Failure { side, error }));
}

#[test]
fn x8_a_message_with_descriptors_is_not_forwarded_and_ends_the_connection() {
    let (ours, client) = Stream::pair().unwrap();
    let (other, mut service) = pair();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut descriptors = SendAncillaryBuffer::new(&mut space);
    let (given, mut kept) = pair();
    let list = [given.as_fd()];
    assert!(descriptors.push(SendAncillaryMessage::ScmRights(&list)));
    let call = empty();
    let bytes = [IoSlice::new(call.as_bytes())];
    let none = &mut SendAncillaryBuffer::default();
    sendmsg(&client, &bytes, none, SendFlags::empty()).unwrap();
    sendmsg(&client, &bytes, &mut descriptors, SendFlags::empty()).unwrap();
    drop(given);
    let running = thread::spawn(|| {
        let (mut calls, mut replies) = ([0; 1 << 15], [0; 1 << 15]);
        unix::relay(ours, other, &mut calls, &mut replies, &mut ())
    });
    // The call before it is forwarded.
    expect(&mut service, &call);
    expect_end(&mut kept);
    expect_end(&mut service);
    assert_eq!(running.join().unwrap().unwrap_err().side, Side::Client);
}

/// The variable that is set in the process whose system calls are counted.
const AGAIN: &str = "NULLINK_TEST_AGAIN";

#[test]
fn a_quiet_relay_does_not_poll_repeatedly() {
    if std::env::var_os(AGAIN).is_some() {
        return have_quiet_times();
    }
    let Some(mut strace) = strace() else {
        return;
    };
    let trace = std::env::temp_dir().join(format!("nullink-trace-{}", std::process::id()));
    let output = strace
        .args(["-f", "-e", "trace=poll,ppoll", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().expect("a path"))
        .args([
            "unix_relay::a_quiet_relay_does_not_poll_repeatedly",
            "--exact",
        ])
        .env(AGAIN, "1")
        .output()
        .expect("a process");
    assert!(output.status.success(), "{output:?}");
    let trace = std::fs::read_to_string(&trace)
        .and_then(|text| std::fs::remove_file(&trace).map(|()| text))
        .expect("a trace");
    let polls = trace.lines().filter(|line| line.contains("poll(")).count();
    assert!((10..100).contains(&polls), "{polls} polls:\n{trace}");
}

/// Waits in each state in which a connection is half closed or a peer is gone. Only a relay that
/// polls repeatedly makes many system calls in that time.
fn have_quiet_times() {
    let quiet = || thread::sleep(Duration::from_millis(100));
    // Nothing has happened.
    let (client, mut service, running) = joined();
    quiet();
    drop(client);
    expect_end(&mut service);
    running.join().unwrap().unwrap();
    // The client is half closed, and the service has not replied yet.
    let (mut client, mut service, running) = joined();
    send(&mut client, &empty());
    client.shutdown(Shutdown::Write).unwrap();
    expect(&mut service, &empty());
    expect_end(&mut service);
    quiet();
    send(&mut service, "{}\0");
    expect(&mut client, "{}\0");
    running.join().unwrap().unwrap();
    // After an upgrade, one side is half closed, and then closed.
    for client_first in [true, false] {
        let (client, service, running) = upgraded();
        let (one, mut two) = if client_first {
            (client, service)
        } else {
            (service, client)
        };
        one.shutdown(Shutdown::Write).unwrap();
        expect_end(&mut two);
        quiet();
        drop(one);
        quiet();
        drop(two);
        running.join().unwrap().unwrap();
    }
    // The service is gone, and the client does not read its last bytes: all buffers between them
    // are full.
    let (client, mut service, running) = upgraded();
    service.set_nonblocking(true).unwrap();
    while service.write(&[b'x'; 9999]).is_ok() {}
    drop(service);
    quiet();
    drop(client);
    running.join().unwrap().unwrap();
    // The client is gone, and the service does not read its calls.
    let (mut client, service, running) = joined();
    client.set_nonblocking(true).unwrap();
    let oneway = "{\"method\":\"a.b.C\",\"oneway\":true}\0".repeat(99);
    while client.write(oneway.as_bytes()).is_ok() {}
    drop(client);
    quiet();
    drop(service);
    let _ = running.join().unwrap();
}
