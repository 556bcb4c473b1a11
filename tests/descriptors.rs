//! X1 to X3: calls with file descriptors.
#![cfg(all(feature = "unix", target_os = "linux"))]

mod common;
#[path = "../examples/shared/process.rs"]
#[allow(dead_code)] // only the socket options are used
mod process;

use std::mem::MaybeUninit;
use std::time::Duration;

use common::serving::{echo, serve_with};
use common::{EMPTY, t};

use nullink::Method;
use nullink::client::CallError;
use nullink::json::Raw;
use nullink::server::{Hooks, Server, Slots};
use nullink::service::{Answer, Info, Responder};
use nullink::unix::fd::{BorrowedFd, OwnedFd};
use nullink::unix::{IoError, Listener, Reading, Stream, Timeouts};
use nullink::{Call, Client, Interface, Misuse, Mode, Service, interface};
use rustix::fd::{AsFd, AsRawFd};
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::pipe::{PipeFlags, pipe_with};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Swap {
    n: u32,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Swapped {
    n: u32,
}

#[derive(Deserialize, Debug, PartialEq)]
enum SwapError {
    Full,
}

impl Method for Swap {
    const NAME: &'static str = "org.example.swap.Swap";
    type Output<'r> = Swapped;
    type Error<'r> = SwapError;
}

const CALL: &[u8] = b"{\"method\":\"org.example.swap.Swap\",\"parameters\":{\"n\":1}}\0";
const REPLY: &[u8] = b"{\"parameters\":{\"n\":2}}\0";

/// Opens a pipe. The write end is sent; the read end shows when all copies of it are closed.
fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap()
}

/// True if no copy of the write end is open, after ours is closed.
fn is_closed((read, write): (OwnedFd, OwnedFd)) -> bool {
    drop(write);
    rustix::io::read(&read, &mut [0; 1]) == Ok(0)
}

/// Sends bytes and descriptors in one system call.
fn send(service: &Stream, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space =
        vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(Stream::MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    let sent = sendmsg(
        service,
        &[IoSlice::new(bytes)],
        &mut control,
        SendFlags::empty(),
    );
    assert_eq!(sent, Ok(bytes.len()));
}

/// Receives at most `limit` bytes, and their descriptors, in one system call. Does not wait.
fn receive(service: &Stream, limit: usize) -> (Vec<u8>, Vec<OwnedFd>) {
    let mut space =
        vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(Stream::MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = vec![0; limit];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = recvmsg(
        service,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut control,
        flags,
    );
    bytes.truncate(received.map_or(0, |received| received.bytes));
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(more) = message {
            descriptors.extend(more);
        }
    }
    (bytes, descriptors)
}

/// Runs a check with a client and the service's end of its connection.
fn with_client(check: impl FnOnce(&mut Client<'_, Stream>, Stream)) {
    let (a, b) = Stream::pair().unwrap();
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    check(&mut Client::new(a, &mut receive, &mut send), b);
}

fn none<const N: usize>() -> [Option<OwnedFd>; N] {
    [const { None }; N]
}

fn is_refused(result: Result<Swapped, CallError<'_, SwapError, IoError>>) -> bool {
    let refused = nullink::Error::Transport(IoError::Descriptors);
    matches!(result, Err(CallError::Connection(error)) if error == refused)
}

fn is_unusable(client: &mut Client<'_, Stream>) -> bool {
    let unusable = nullink::Error::Misuse(Misuse::Unusable);
    matches!(client.call(&Swap { n: 1 }), Err(CallError::Connection(error)) if error == unusable)
}

#[test]
fn x1_a_call_sends_its_descriptors_with_its_first_byte() {
    with_client(|client, service| {
        let pipe = pipe();
        send(&service, REPLY, &[]);
        let reply = client.call_with(&Swap { n: 1 }, &[pipe.0.as_fd(), pipe.1.as_fd()], &mut []);
        assert_eq!(reply, Ok(Swapped { n: 2 }));
        let (call, descriptors) = receive(&service, 4096);
        assert_eq!(call, CALL);
        assert_eq!(descriptors.len(), 2);
        assert_eq!(rustix::io::write(&descriptors[1], b"x"), Ok(1));
        assert_eq!(rustix::io::read(&pipe.0, &mut [0; 9]), Ok(1));
        drop(descriptors);
        assert!(is_closed(pipe));
    });
}

#[test]
fn x1_queued_calls_do_not_get_the_descriptors_of_another_call() {
    with_client(|client, service| {
        let pipe = pipe();
        client.queue(&Swap { n: 0 }, Mode::Oneway).unwrap();
        send(&service, REPLY, &[]);
        client
            .call_with(&Swap { n: 1 }, &[pipe.0.as_fd()], &mut [])
            .unwrap();
        // The kernel would join the two sends in one long read.
        let (first, descriptors) = receive(&service, 1);
        assert_eq!((first.as_slice(), descriptors.len()), (&b"{"[..], 0));
        let (rest, descriptors) = receive(&service, 4096);
        assert!(rest.ends_with(CALL) && rest.len() > CALL.len());
        assert_eq!(descriptors.len(), 1);
    });
}

#[test]
fn x1_a_call_receives_the_descriptors_of_its_reply() {
    for (sent, room) in [(0, 0), (0, 2), (1, 1), (1, 3), (3, 3), (253, 253)] {
        with_client(|client, service| {
            let pipe = pipe();
            let mut received = [const { None }; 253];
            // A descriptor from before is replaced, and not counted.
            received[0] = Some(rustix::io::dup(&pipe.1).unwrap());
            let received = &mut received[..room];
            send(&service, REPLY, &vec![pipe.1.as_fd(); sent]);
            let reply = client.call_with(&Swap { n: 1 }, &[], received);
            assert_eq!(reply, Ok(Swapped { n: 2 }));
            let count = received.iter().take_while(|slot| slot.is_some()).count();
            assert_eq!((count, received.iter().flatten().count()), (sent, sent));
            for descriptor in received.iter().flatten() {
                let flags = rustix::io::fcntl_getfd(descriptor).unwrap();
                assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
                assert_eq!(rustix::io::write(descriptor, b"x"), Ok(1));
                assert_eq!(rustix::io::read(&pipe.0, &mut [0; 9]), Ok(1));
            }
            received.fill_with(|| None);
            if room > 0 {
                assert!(is_closed(pipe));
            }
        });
    }
}

#[test]
fn x1_a_reply_in_pieces_has_the_descriptors_of_its_first_byte() {
    for split in 1..REPLY.len() {
        with_client(|client, service| {
            let (pipe, mut received) = (pipe(), none::<2>());
            send(&service, &REPLY[..split], &[pipe.1.as_fd()]);
            send(&service, &REPLY[split..], &[]);
            let reply = client.call_with(&Swap { n: 1 }, &[], &mut received);
            assert_eq!(reply, Ok(Swapped { n: 2 }));
            assert!(received[0].is_some() && received[1].is_none());
        });
    }
}

#[test]
fn x1_an_error_reply_can_have_descriptors() {
    with_client(|client, service| {
        let (pipe, mut received) = (pipe(), none::<1>());
        send(
            &service,
            b"{\"error\":\"org.example.swap.Full\"}\0",
            &[pipe.1.as_fd()],
        );
        let error = client.call_with(&Swap { n: 1 }, &[], &mut received);
        assert_eq!(error, Err(CallError::Method(SwapError::Full)));
        assert!(received[0].is_some());
    });
}

#[test]
fn x1_more_descriptors_than_the_caller_has_room_for_end_the_connection() {
    for (sent, room) in [(1, 0), (2, 1), (253, 1), (253, 252)] {
        with_client(|client, service| {
            let (pipe, mut received) = (pipe(), none::<253>());
            send(&service, REPLY, &vec![pipe.1.as_fd(); sent]);
            let reply = client.call_with(&Swap { n: 1 }, &[], &mut received[..room]);
            assert!(is_refused(reply));
            assert!(received.iter().all(Option::is_none));
            assert!(is_closed(pipe));
            assert!(is_unusable(client));
        });
    }
}

#[test]
fn x1_descriptors_after_the_first_byte_of_a_reply_end_the_connection() {
    for split in 1..REPLY.len() {
        for first in [0, 1] {
            with_client(|client, service| {
                let (pipe, mut received) = (pipe(), none::<9>());
                send(&service, &REPLY[..split], &vec![pipe.1.as_fd(); first]);
                send(&service, &REPLY[split..], &[pipe.1.as_fd()]);
                let reply = client.call_with(&Swap { n: 1 }, &[], &mut received);
                assert!(is_refused(reply), "{split}");
                assert!(received.iter().all(Option::is_none));
                assert!(is_closed(pipe));
                assert!(is_unusable(client));
            });
        }
    }
}

#[test]
fn x1_descriptors_of_a_reply_to_a_plain_call_end_the_connection() {
    with_client(|client, service| {
        let pipe = pipe();
        send(&service, REPLY, &[]);
        send(&service, REPLY, &[pipe.1.as_fd()]);
        // The first call takes descriptors, so only its own reply is read.
        let reply = client.call_with(&Swap { n: 1 }, &[], &mut none::<1>());
        assert_eq!(reply, Ok(Swapped { n: 2 }));
        assert!(is_refused(client.call(&Swap { n: 1 })));
        assert!(is_closed(pipe));
        assert!(is_unusable(client));
    });
}

#[test]
fn a_call_without_descriptors_reads_all_available_bytes_at_once() {
    let (a, service) = Stream::pair().unwrap();
    let (mut receive, mut out) = ([0; 256], [0; 256]);
    let mut client = Client::new(a, &mut receive, &mut out);
    send(&service, &REPLY.repeat(3), &[]);
    client
        .call_with(&Swap { n: 1 }, &[], &mut none::<1>())
        .unwrap();
    // This call reads all available bytes in one system call.
    client.call(&Swap { n: 1 }).unwrap();
    assert_eq!(client.into_parts().1, REPLY);
}

const CONTINUES: &[u8] = b"{\"continues\":true,\"parameters\":{\"n\":2}}\0";

#[test]
fn x1_each_reply_of_a_stream_has_its_own_descriptors() {
    with_client(|client, service| {
        client.stream().set_reading(Reading::Message);
        let pipe = pipe();
        client
            .send_with(&Swap { n: 1 }, Mode::More, &[pipe.1.as_fd()])
            .unwrap();
        assert_eq!(receive(&service, 4096).1.len(), 1);
        for count in [0, 2, 0, 1] {
            send(&service, CONTINUES, &vec![pipe.1.as_fd(); count]);
        }
        send(&service, REPLY, &[pipe.1.as_fd()]);
        for (count, continues) in [(0, true), (2, true), (0, true), (1, true), (1, false)] {
            let mut received = none::<2>();
            let reply = client.receive_raw_with(&mut received).unwrap();
            assert_eq!(reply.continues(), continues);
            assert_eq!(received.iter().flatten().count(), count);
        }
        // Typed, and the client does not have to read messages one by one otherwise.
        client.stream().set_reading(Reading::All);
        client.queue(&Swap { n: 1 }, Mode::More).unwrap();
        client.flush().unwrap();
        for count in [0, 2, 1] {
            send(&service, CONTINUES, &vec![pipe.1.as_fd(); count]);
        }
        send(&service, REPLY, &[pipe.1.as_fd()]);
        let mut replies = client.replies::<Swap>().unwrap();
        let mut received = none::<2>();
        for count in [0, 2, 1, 1] {
            let reply = replies.next_with(&mut received);
            assert_eq!(reply, Ok(Some(Swapped { n: 2 })));
            assert_eq!(received.iter().flatten().count(), count);
        }
        assert_eq!(replies.next_with(&mut received), Ok(None));
        drop(received);
        assert!(is_closed(pipe));
    });
}

#[test]
fn x1_a_reply_before_refused_descriptors_is_not_lost() {
    with_client(|client, service| {
        client.stream().set_reading(Reading::Message);
        let pipe = pipe();
        client.queue(&Swap { n: 1 }, Mode::More).unwrap();
        send(&service, CONTINUES, &[]);
        send(&service, REPLY, &[pipe.1.as_fd()]);
        assert!(client.receive_raw().unwrap().continues());
        let refused = nullink::Error::Transport(IoError::Descriptors);
        assert_eq!(client.receive_raw().err(), Some(refused));
        assert!(is_closed(pipe));
    });
}

#[test]
fn x1_replies_that_are_read_together_with_refused_descriptors_are_not_lost() {
    let limits = nullink::unix::Timeouts {
        reply: Some(Duration::from_secs(60)),
        ..Default::default()
    };
    for (together, timeouts) in [(1, None), (2, None), (1, Some(limits))] {
        with_client(|client, service| {
            if let Some(timeouts) = timeouts {
                client.stream().set_timeouts(timeouts).unwrap();
            }
            let pipe = pipe();
            client.queue(&Swap { n: 1 }, Mode::More).unwrap();
            client.flush().unwrap();
            send(&service, &CONTINUES.repeat(together), &[]);
            send(&service, REPLY, &[pipe.1.as_fd()]);
            let mut replies = client.replies::<Swap>().unwrap();
            for _ in 0..together {
                assert_eq!(replies.next(), Ok(Some(Swapped { n: 2 })));
            }
            let refused = nullink::Error::Transport(IoError::Descriptors);
            assert_eq!(replies.next(), Err(CallError::Connection(refused)));
            assert!(is_closed(pipe));
            assert!(is_unusable(client));
        });
    }
}

#[test]
fn x1_oneway_and_upgrade_calls_can_have_descriptors() {
    with_client(|client, mut service| {
        let pipe = pipe();
        for mode in [Mode::Oneway, Mode::Upgrade] {
            client
                .send_with(&Swap { n: 1 }, mode, &[pipe.1.as_fd()])
                .unwrap();
            assert_eq!(receive(&service, 4096).1.len(), 1);
        }
        send(&service, REPLY, &[pipe.1.as_fd()]);
        embedded_io::Write::write(&mut service, b"raw").unwrap();
        let mut received = none::<1>();
        assert_eq!(
            client.receive_with::<Swap>(&mut received),
            Ok(Swapped { n: 2 })
        );
        assert!(received[0].take().is_some());
        // The bytes of the other protocol are still in the stream.
        assert_eq!(embedded_io::Read::read(client.stream(), &mut [0; 9]), Ok(3));
        assert!(is_closed(pipe));
    });
}

#[test]
fn x1_a_raw_call_in_every_mode_can_have_descriptors() {
    with_client(|client, service| {
        let pipe = pipe();
        let parameters = Raw::new(r#"{"n":1}"#).unwrap();
        for (mode, flag, replies) in [
            (Mode::Simple, "", 1),
            (Mode::More, r#","more":true"#, 2),
            (Mode::Oneway, r#","oneway":true"#, 0),
            (Mode::Upgrade, r#","upgrade":true"#, 1),
        ] {
            client
                .send_raw_with(Swap::NAME, mode, parameters, &[pipe.1.as_fd()])
                .unwrap();
            let (call, descriptors) = receive(&service, 4096);
            let parameters = parameters.as_str();
            let expected = format!(
                "{{\"method\":\"{}\"{flag},\"parameters\":{parameters}}}\0",
                Swap::NAME
            );
            assert_eq!(String::from_utf8(call).unwrap(), expected);
            assert_eq!(descriptors.len(), 1);
            for left in (0..replies).rev() {
                let reply = match left {
                    0 => REPLY,
                    _ => b"{\"continues\":true,\"parameters\":{\"n\":2}}\0",
                };
                send(&service, reply, &[pipe.1.as_fd()]);
                let mut received = none::<1>();
                let reply = client.receive_raw_with(&mut received).unwrap();
                assert_eq!(reply.parameters().as_str(), r#"{"n":2}"#);
                assert_eq!(reply.continues(), left > 0);
                assert!(received[0].take().is_some());
            }
        }
        assert!(is_closed(pipe));
    });
    // Neither a wrong name nor a stream without descriptors sends anything.
    with_client(|client, service| {
        let pipe = pipe();
        let send = &[pipe.1.as_fd()];
        let wrong = client.send_raw_with("Swap", Mode::Simple, Raw::EMPTY_OBJECT, send);
        let name = nullink::Error::Encode(nullink::EncodeError::Name);
        assert_eq!(wrong.err(), Some(name));
        drop(service);
        assert!(is_closed(pipe));
    });
}

#[test]
fn x1_the_descriptors_of_a_reply_that_is_too_long_are_closed() {
    with_client(|client, service| {
        let (pipe, mut received) = (pipe(), none::<1>());
        let long = [b"{".as_slice(), &[b' '; 999], b"}\0"].concat();
        send(&service, &long, &[pipe.1.as_fd()]);
        send(&service, REPLY, &[pipe.1.as_fd(), pipe.1.as_fd()]);
        let too_long = client.call_with(&Swap { n: 1 }, &[], &mut received);
        let expected = CallError::Connection(nullink::Error::TooLong);
        assert_eq!(too_long, Err(expected));
        assert!(received[0].is_none());
        // The next reply has its own descriptors.
        let mut received = none::<2>();
        let reply = client.call_with(&Swap { n: 1 }, &[], &mut received);
        assert_eq!(reply, Ok(Swapped { n: 2 }));
        assert_eq!(received.iter().flatten().count(), 2);
        drop(received);
        assert!(is_closed(pipe));
    });
}

#[test]
fn x1_a_call_that_cannot_be_sent_leaves_the_connection_unchanged() {
    let pipe = pipe();
    with_client(|client, service| {
        let many = vec![pipe.1.as_fd(); Stream::MAX_DESCRIPTORS + 1];
        let error = client.call_with(&Swap { n: 1 }, &many, &mut []);
        let expected = nullink::Error::Transport(IoError::TooManyDescriptors);
        assert_eq!(error, Err(CallError::Connection(expected)));
        assert_eq!(receive(&service, 4096).0, b"");

        // A call with descriptors is refused while a reply is outstanding.
        client.queue(&Swap { n: 1 }, Mode::Simple).unwrap();
        let error = client.call_with(&Swap { n: 1 }, &[pipe.1.as_fd()], &mut []);
        let expected = nullink::Error::Misuse(Misuse::RepliesOutstanding);
        assert_eq!(error, Err(CallError::Connection(expected)));
        assert_eq!(receive(&service, 4096).0, b"");

        send(&service, REPLY, &[]);
        assert_eq!(client.receive::<Swap>(), Ok(Swapped { n: 2 }));
        let (call, descriptors) = receive(&service, 4096);
        assert_eq!((&call[..], descriptors.len()), (CALL, 0));
    });

    let listener = Listener::bind("tcp:127.0.0.1:0").unwrap();
    let address = format!("tcp:127.0.0.1:{}", listener.port().unwrap());
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let stream = Stream::connect(&address).unwrap();
    let mut client = Client::new(stream, &mut receive, &mut send);
    let mut service = listener.accept().unwrap();
    let error = client.call_with(&Swap { n: 1 }, &[pipe.1.as_fd()], &mut []);
    let expected = nullink::Error::Transport(IoError::NotAUnixSocket);
    assert_eq!(error, Err(CallError::Connection(expected)));
    // Room for descriptors does no harm when none can arrive.
    embedded_io::Write::write(&mut service, REPLY).unwrap();
    let reply = client.call_with(&Swap { n: 1 }, &[], &mut none::<1>());
    assert_eq!(reply, Ok(Swapped { n: 2 }));
    assert!(is_closed(pipe));
}

#[test]
fn l3_a_reply_with_descriptors_can_time_out() {
    with_client(|client, service| {
        let timeouts = Timeouts {
            reply: Some(Duration::from_millis(20)),
            ..Timeouts::default()
        };
        client.stream().set_timeouts(timeouts).unwrap();
        let (pipe, mut received) = (pipe(), none::<1>());
        send(&service, &REPLY[..5], &[pipe.1.as_fd()]);
        let error = client.call_with(&Swap { n: 1 }, &[], &mut received);
        let expected = nullink::Error::Transport(IoError::TimedOut);
        assert_eq!(error, Err(CallError::Connection(expected)));
        assert!(received[0].is_none());
        assert!(is_closed(pipe));
        assert!(is_unusable(client));
    });
}

#[test]
fn r5_a_service_that_has_closed_is_a_distinct_error() {
    with_client(|client, service| {
        let pipe = pipe();
        drop(service);
        let error = client.call_with(&Swap { n: 1 }, &[pipe.1.as_fd()], &mut none::<1>());
        assert_eq!(error, Err(CallError::Connection(nullink::Error::Closed)));
        assert!(is_closed(pipe));
    });
}

#[test]
fn l4_descriptors_beyond_the_limit_of_the_process_end_the_connection() {
    // The test runs itself again in a process that can have only 64 descriptors.
    const AGAIN: &str = "NULLINK_TEST_AGAIN";
    let name = "l4_descriptors_beyond_the_limit_of_the_process_end_the_connection";
    if std::env::var_os(AGAIN).is_none() {
        let output = std::process::Command::new("sh")
            .args(["-c", r#"ulimit -n 64; exec "$0" --exact "$1" --nocapture"#])
            .arg(std::env::current_exe().unwrap())
            .arg(name)
            .env(AGAIN, "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("1 passed"), "{text}");
        return;
    }
    with_client(|client, service| {
        let (pipe, mut received) = (pipe(), none::<99>());
        send(&service, REPLY, &vec![pipe.1.as_fd(); 99]);
        assert!(is_refused(client.call_with(
            &Swap { n: 1 },
            &[],
            &mut received
        )));
        assert!(received.iter().all(Option::is_none));
        assert!(is_closed(pipe));
        assert!(client.call_raw("a.b.C", Raw::EMPTY_OBJECT).is_err());
    });
}

/// Starts the conformance service, with `DESCRIPTORS` descriptors at once, and connects to it.
fn service<const DESCRIPTORS: usize>() -> Stream {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let address = format!("unix:@nullink-fds-{}-{number}", std::process::id());
    serve_with::<DESCRIPTORS>(Listener::bind(&address).unwrap(), echo);
    Stream::connect(&address).unwrap()
}

/// The call whose descriptors the service sends back.
#[derive(Serialize)]
struct Fds;

#[derive(Deserialize, Debug, PartialEq)]
struct Number {
    n: usize,
}

impl Method for Fds {
    const NAME: &'static str = "org.example.t.Fds";
    type Output<'r> = Number;
    type Error<'r> = nullink::NoError;
}

/// Waits for a message, and returns it with its descriptors.
fn next(stream: &Stream) -> (String, Vec<OwnedFd>) {
    let mut text = Vec::new();
    let mut descriptors = Vec::new();
    while text.last() != Some(&0) {
        let mut fds = [rustix::event::PollFd::new(
            stream,
            rustix::event::PollFlags::IN,
        )];
        rustix::event::poll(&mut fds, None).unwrap();
        let (byte, more) = receive(stream, 1);
        assert!(
            more.is_empty() || text.is_empty(),
            "descriptors after the first byte"
        );
        descriptors.extend(more);
        if byte.is_empty() {
            return (String::from("the end"), descriptors);
        }
        text.extend(byte);
    }
    text.pop();
    (String::from_utf8(text).unwrap(), descriptors)
}

/// Waits until all copies of the write end of a pipe are closed.
fn wait_for_close((read, write): (OwnedFd, OwnedFd)) {
    drop(write);
    let mut fds = [rustix::event::PollFd::new(
        &read,
        rustix::event::PollFlags::IN,
    )];
    let limit = rustix::event::Timespec {
        tv_sec: 60,
        tv_nsec: 0,
    };
    assert_eq!(rustix::event::poll(&mut fds, Some(&limit)), Ok(1));
    assert_eq!(rustix::io::read(&read, &mut [0; 1]), Ok(0));
}

fn fds() -> Vec<u8> {
    (t("Fds", "{}") + "\0").into_bytes()
}

fn number(n: usize) -> String {
    format!(r#"{{"parameters":{{"n":{n}}}}}"#)
}

#[test]
fn x1_a_service_receives_and_sends_descriptors() {
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut client = Client::new(service::<4>(), &mut receive, &mut send);
    for count in [0, 1, 4, 2] {
        let pipes: Vec<_> = (0..count).map(|_| pipe()).collect();
        let ends: Vec<_> = pipes.iter().map(|(_, write)| write.as_fd()).collect();
        let mut received = none::<4>();
        let reply = client.call_with(&Fds, &ends, &mut received);
        assert_eq!(reply, Ok(Number { n: count }));
        assert_eq!(received.iter().flatten().count(), count);
        // The same descriptors are returned, in the same order.
        for ((read, _), back) in pipes.iter().zip(received.iter().flatten()) {
            rustix::io::write(back, b"x").unwrap();
            assert_eq!(rustix::io::read(read, &mut [0; 9]), Ok(1));
        }
        drop(received);
        pipes.into_iter().for_each(wait_for_close);
    }
}

#[test]
fn x9_credentials_next_to_descriptors_are_ignored() {
    let address = format!("unix:@nullink-fds-{}-credentials", std::process::id());
    let listener = Listener::bind(&address).unwrap();
    // Pass the listener like a service manager that has enabled SO_PASSCRED on it.
    let socket = rustix::io::fcntl_dupfd_cloexec(listener.pollable().unwrap(), 0).unwrap();
    rustix::net::sockopt::set_socket_passcred(&socket, true).unwrap();
    let streams = [0, 2, 4].map(|count| (count, Stream::connect(&address).unwrap()));
    serve_with::<4>(Listener::from(socket), echo);
    for (count, stream) in streams {
        let (mut receive, mut send) = ([0; 256], [0; 256]);
        let mut client = Client::new(stream, &mut receive, &mut send);
        let pipe = pipe();
        let ends = vec![pipe.1.as_fd(); count];
        for _ in 0..2 {
            let mut received = none::<4>();
            let reply = client.call_with(&Fds, &ends, &mut received);
            assert_eq!(reply, Ok(Number { n: count }));
        }
        wait_for_close(pipe);
    }
}

#[test]
fn x1_a_call_can_have_as_many_descriptors_as_the_kernel_allows() {
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let stream = service::<{ Stream::MAX_DESCRIPTORS }>();
    let mut client = Client::new(stream, &mut receive, &mut send);
    let (_read, write) = pipe();
    let ends = [write.as_fd(); Stream::MAX_DESCRIPTORS];
    let mut received = none::<{ Stream::MAX_DESCRIPTORS }>();
    let reply = client.call_with(&Fds, &ends, &mut received);
    assert_eq!(
        reply,
        Ok(Number {
            n: Stream::MAX_DESCRIPTORS
        })
    );
    assert!(received.iter().all(Option::is_some));
}

#[test]
fn x1_descriptors_stay_with_their_call_when_calls_are_pipelined() {
    let stream = service::<4>();
    let pipes: Vec<_> = (0..6).map(|_| pipe()).collect();
    let end = |at: usize| pipes[at].1.as_fd();
    // The calls are sent without waiting for replies.
    let plain = [EMPTY.as_bytes(), b"\0"].concat();
    let two = [fds(), plain.clone()].concat();
    for round in 0..2 {
        let first: &[BorrowedFd<'_>] = &[end(0), end(1)];
        if round == 0 {
            send(&stream, &plain, &[]);
        }
        send(&stream, &fds(), first);
        send(&stream, &fds(), &[]);
        send(&stream, &fds(), &[end(2)]);
        // A call with descriptors and a call without any, in one system call.
        send(&stream, &two, &[end(3), end(4), end(5)]);
        if round == 0 {
            assert_eq!(next(&stream).0, "{}");
        }
        for count in [2, 0, 1, 3] {
            let (text, back) = next(&stream);
            assert_eq!((text, back.len()), (number(count), count));
        }
        assert_eq!(next(&stream).0, "{}");
    }
}

#[test]
fn x1_descriptors_after_the_first_byte_of_a_call_close_the_connection() {
    let stream = service::<4>();
    let bytes = fds();
    let (a, b) = (pipe(), pipe());
    send(&stream, &[EMPTY.as_bytes(), b"\0"].concat(), &[]);
    assert_eq!(next(&stream).0, "{}");
    send(&stream, &bytes[..9], &[a.1.as_fd()]);
    send(&stream, &bytes[9..], &[b.1.as_fd()]);
    assert_eq!(next(&stream).0, "the end");
    [a, b].into_iter().for_each(wait_for_close);
}

#[test]
fn x1_more_descriptors_than_the_service_accepts_close_the_connection() {
    for (stream, count) in [(service::<0>(), 1), (service::<2>(), 3)] {
        let pipe = pipe();
        let ends = vec![pipe.1.as_fd(); count];
        send(&stream, &fds(), &ends);
        assert_eq!(next(&stream).0, "the end");
        drop(ends);
        wait_for_close(pipe);
    }
}

const GIFTS: Interface = interface!(
    text "
interface org.example.gifts

# [Requires 'more' flag]
method Give() -> (last: int)
"
);

/// Sends a reply with one descriptor, a reply with two, and a reply without any.
struct Gifts;

impl Service<u8> for Gifts {
    const INTERFACES: &'static [Interface] = &[GIFTS];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, _: Call<'c>, reply: Responder<'c, u8>) -> Answer<'c, u8> {
        self.resume(1, reply)
    }

    fn resume<'c>(&mut self, count: u8, reply: Responder<'c, u8>) -> Answer<'c, u8> {
        #[derive(Serialize)]
        struct Given {
            last: usize,
        }
        let mut stream = reply.more()?;
        if count > 2 {
            return stream.send(&Given { last: 0 });
        }
        let mut last = 0;
        for _ in 0..count {
            let (descriptor, _) = Stream::pair().unwrap();
            last = stream.attach(descriptor.into()).unwrap();
        }
        stream.next(&Given { last })?.then(count + 1)
    }
}

#[test]
fn x1_a_service_sends_descriptors_with_each_reply_of_a_stream() {
    let address = format!("unix:@nullink-gifts-{}", std::process::id());
    let listener = Listener::bind(&address).unwrap();
    std::thread::spawn(move || {
        let mut slots = Box::new(Slots::<1, 256, 256, 2>::new());
        let mut server = Server::new(listener, &mut slots).unwrap();
        let _ = server.serve(&mut Gifts);
    });
    let stream = Stream::connect(&address).unwrap();
    let call = b"{\"method\":\"org.example.gifts.Give\",\"more\":true}\0";
    send(&stream, call, &[]);
    for (count, last) in [(1, 0), (2, 1)] {
        let (text, descriptors) = next(&stream);
        let expected = format!(r#"{{"continues":true,"parameters":{{"last":{last}}}}}"#);
        assert_eq!((text, descriptors.len()), (expected, count));
    }
    let (text, descriptors) = next(&stream);
    let expected = r#"{"parameters":{"last":0}}"#;
    assert_eq!((&*text, descriptors.len()), (expected, 0));
}

#[test]
fn x3_descriptors_that_a_handler_does_not_take_are_closed() {
    let stream = service::<4>();
    for call in [
        EMPTY,
        &t("Fail", "{}"),
        &t("Unbound", "{}"),
        r#"{"method":"org.example.t.Fds","parameters":{"no":1}}"#,
        r#"{"method":"org.varlink.service.GetInfo"}"#,
        r#"{"method":"no.such.Method"}"#,
    ] {
        let pipe = pipe();
        send(
            &stream,
            &[call.as_bytes(), b"\0"].concat(),
            &[pipe.1.as_fd()],
        );
        let (_, back) = next(&stream);
        assert!(back.is_empty(), "{call}");
        wait_for_close(pipe);
    }
    // A oneway call gets no reply, and so no descriptors.
    let pipe = pipe();
    let oneway = b"{\"method\":\"org.example.t.Fds\",\"oneway\":true}\0";
    send(&stream, oneway, &[pipe.1.as_fd()]);
    wait_for_close(pipe);
    send(&stream, &fds(), &[]);
    assert_eq!(next(&stream).0, number(0));
}

#[test]
fn x3_descriptors_of_half_a_message_are_closed_with_their_connection() {
    let stream = service::<4>();
    let pipe = pipe();
    send(&stream, &fds()[..9], &[pipe.1.as_fd()]);
    drop(stream);
    wait_for_close(pipe);
}

/// A service that takes one descriptor by its index, and checks the pidfd of the caller.
struct Taker;

#[derive(Deserialize)]
enum TakerMethod {
    Take { index: usize },
    Knows,
}

#[derive(Serialize)]
struct Knows {
    process: bool,
}

impl Service for Taker {
    const INTERFACES: &'static [Interface] = &[interface!(
        text
        "
interface org.example.taker
method Take(index: int) -> ()
method Knows() -> (process: bool)
"
    )];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, mut reply: Responder<'c>) -> Answer<'c> {
        match call.decode()? {
            TakerMethod::Take { index } => {
                drop(reply.descriptor(index, "index")?);
                reply.send(&())
            }
            TakerMethod::Knows => {
                // The fdinfo of a pidfd names its process.
                let process = reply.pidfd().is_some_and(|pidfd| {
                    let path = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
                    let info = std::fs::read_to_string(path).unwrap();
                    info.contains(&format!("Pid:\t{}\n", std::process::id()))
                });
                reply.send(&Knows { process })
            }
        }
    }
}

/// Serves one connection with a [`Taker`] and the hooks, until it ends.
fn taker<const DESCRIPTORS: usize>(hooks: Hooks, check: impl FnOnce(Stream)) {
    let address = format!(
        "unix:@nullink-taker-{}-{DESCRIPTORS}-{}",
        std::process::id(),
        hooks.peer_pidfd.is_some()
    );
    let listener = Listener::bind(&address).unwrap();
    let service = std::thread::spawn(move || {
        let mut slots = Slots::<1, 512, 1024, DESCRIPTORS>::new();
        let mut server = Server::new(listener, &mut slots).unwrap();
        server.set_hooks(hooks);
        while !matches!(
            server.step(&mut Taker).unwrap(),
            nullink::server::Event::Disconnected(..)
        ) {}
    });
    // This client may be in the queue before the server sets its hooks.
    check(Stream::connect(&address).unwrap());
    service.join().unwrap();
}

#[test]
fn x1_a_wrong_descriptor_index_is_an_invalid_parameter() {
    taker::<2>(Hooks::default(), |stream| {
        let call = |index: u32| {
            format!(
                "{{\"method\":\"org.example.taker.Take\",\"parameters\":{{\"index\":{index}}}}}\0"
            )
        };
        let wrong = r#"{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"index"}}"#;
        for (index, expected) in [(0, "{}"), (1, "{}"), (2, wrong)] {
            let (a, b) = (pipe(), pipe());
            let ends = [a.1.as_fd(), b.1.as_fd()];
            send(&stream, call(index).as_bytes(), &ends);
            assert_eq!(next(&stream).0, expected);
            [a, b].into_iter().for_each(wait_for_close);
        }
        send(&stream, call(0).as_bytes(), &[]);
        assert_eq!(next(&stream).0, wrong);
    });
}

#[test]
fn x2_a_hook_can_make_the_kernel_refuse_descriptors() {
    let hooks = Hooks {
        refuse_descriptors: Some(process::refuse_descriptors),
        ..Hooks::default()
    };
    taker::<0>(hooks, |stream| {
        // After a reply, the hook has run.
        send(&stream, b"{\"method\":\"org.example.taker.Knows\"}\0", &[]);
        assert_eq!(next(&stream).0, r#"{"parameters":{"process":false}}"#);
    });
    // A connection that is made after that accepts no descriptors.
    let address = format!("unix:@nullink-refuse-{}", std::process::id());
    let listener = Listener::bind(&address).unwrap();
    let mut slots = Slots::<1, 512, 1024>::new();
    let mut server = Server::new(listener, &mut slots).unwrap();
    server.set_hooks(hooks);
    let stream = Stream::connect(&address).unwrap();
    let pipe = pipe();
    let ends = [pipe.1.as_fd()];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&ends)));
    let bytes = [IoSlice::new(b"x")];
    match sendmsg(&stream, &bytes, &mut control, SendFlags::empty()) {
        Err(errno) => assert_eq!(errno, rustix::io::Errno::PERM),
        // Before Linux 6.16 the descriptors arrive, and are closed.
        Ok(_) => {
            while !matches!(
                server.step(&mut Taker).unwrap(),
                nullink::server::Event::Disconnected(..)
            ) {}
        }
    }
    drop(server);
    wait_for_close(pipe);
}

#[test]
fn x5_a_hook_can_open_the_pidfd_of_the_peer() {
    for peer_pidfd in [None, Some(process::peer_pidfd as fn(BorrowedFd<'_>) -> _)] {
        let hooks = Hooks {
            peer_pidfd,
            ..Hooks::default()
        };
        taker::<1>(hooks, |stream| {
            send(&stream, b"{\"method\":\"org.example.taker.Knows\"}\0", &[]);
            let expected = format!(r#"{{"parameters":{{"process":{}}}}}"#, peer_pidfd.is_some());
            assert_eq!(next(&stream).0, expected);
        });
    }
}
