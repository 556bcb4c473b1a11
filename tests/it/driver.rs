//! The blocking driver over streams that fail.

use crate::common;

use std::collections::VecDeque;

use common::t::T;
use common::{Arrival, EMPTY, Script, t};
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use nullink::client::CallError;
use nullink::json::Raw;
use nullink::service::{Answer, GetInterfaceDescription, Info, Refusal, Responder};
use nullink::{Call, Client, Duplex, End, Error, Interface, Misuse, Mode, Service, serve};

/// A stream with given results of its reads and writes, in order.
#[derive(Default)]
struct Stream {
    reads: VecDeque<Result<Vec<u8>, ErrorKind>>,
    writes: VecDeque<Result<usize, ErrorKind>>,
    output: Vec<u8>,
}

impl ErrorType for Stream {
    type Error = ErrorKind;
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        match self.reads.pop_front() {
            None => Ok(0),
            Some(Err(error)) => Err(error),
            Some(Ok(mut bytes)) => {
                let count = bytes.len().min(buffer.len());
                buffer[..count].copy_from_slice(&bytes[..count]);
                if count < bytes.len() {
                    self.reads.push_front(Ok(bytes.split_off(count)));
                }
                Ok(count)
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let count = match self.writes.pop_front() {
            None => bytes.len(),
            Some(result) => result?.min(bytes.len()),
        };
        self.output.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

fn stream(input: &str, writes: &[Result<usize, ErrorKind>]) -> Stream {
    Stream {
        reads: [Ok(input.as_bytes().to_vec())].into(),
        writes: writes.iter().copied().collect(),
        output: Vec::new(),
    }
}

fn serve_t(stream: &mut Stream, send: usize) -> Result<(), Error<ErrorKind>> {
    let (mut receive, mut send, mut scratch) = (vec![0; 4096], vec![0; send], vec![0; 4096]);
    let mut service = T {
        scratch: &mut scratch,
    };
    let end = serve(&mut service, stream, &mut receive, &mut send)?;
    assert_eq!(end, End::Closed);
    Ok(())
}

#[test]
fn interrupted_reads_and_writes_are_retried() {
    let mut stream = stream(
        &format!("{EMPTY}\0"),
        &[
            Err(ErrorKind::Interrupted),
            Ok(1),
            Err(ErrorKind::Interrupted),
        ],
    );
    stream.reads.push_front(Err(ErrorKind::Interrupted));
    assert_eq!(serve_t(&mut stream, 99), Ok(()));
    assert_eq!(stream.output, b"{}\0");
}

#[test]
fn a_write_of_zero_bytes_is_an_error_and_does_not_hang() {
    let mut stream = stream(&format!("{EMPTY}\0"), &[Ok(1), Ok(0)]);
    assert_eq!(serve_t(&mut stream, 99), Err(Error::WriteZero));
}

#[test]
fn errors_of_the_stream_end_the_connection() {
    let input = format!("{EMPTY}\0{EMPTY}\0");
    let mut broken = stream(&input, &[Err(ErrorKind::BrokenPipe)]);
    let error = Err(Error::Transport(ErrorKind::BrokenPipe));
    assert_eq!(serve_t(&mut broken, 99), error);
    let mut broken = stream(&input, &[]);
    broken.reads.push_back(Err(ErrorKind::ConnectionReset));
    let error = Err(Error::Transport(ErrorKind::ConnectionReset));
    assert_eq!(serve_t(&mut broken, 99), error);
    assert_eq!(broken.output, b"{}\0{}\0");
}

/// A service that, after a reply that is too long, tries a second reply.
struct TriesTwice;

impl Service for TriesTwice {
    const INTERFACES: &'static [Interface] = T::INTERFACES;

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        let long = [("text", "x".repeat(50))];
        let long = nullink::json::Map(long.iter().map(|(key, value)| (key, value)));
        match call.member() {
            "Empty" => reply.send(&()),
            "Fail" => match reply.try_send(&long) {
                Ok(outcome) => Ok(outcome),
                Err(unsent) => unsent.reply.send(&long),
            },
            _ => {
                let _ = reply.send(&long)?;
                Err(Refusal::PermissionDenied)
            }
        }
    }
}

#[test]
fn nothing_is_sent_after_a_failed_write() {
    // Ten replies are pending when the handler sends one that does not fit. The stream takes a part
    // of them and fails once. Later writes would succeed.
    for method in ["Fail", "Pipe"] {
        let input = format!("{EMPTY}\0").repeat(10) + &t(method, "{}") + "\0";
        for taken in 0..30 {
            let timeout = Err(ErrorKind::TimedOut);
            let mut stream = stream(&input, &[Ok(taken), timeout]);
            if taken == 0 {
                stream.writes.pop_front();
            }
            let (mut receive, mut send) = ([0; 4096], [0; 80]);
            let end = serve(&mut TriesTwice, &mut stream, &mut receive, &mut send);
            assert_eq!(end, Err(Error::Transport(ErrorKind::TimedOut)));
            assert_eq!(stream.output, &b"{}\0".repeat(10)[..taken]);
        }
    }
}

#[test]
fn l5_a_stream_is_abandoned_when_a_write_to_the_client_fails() {
    struct Counts(Vec<u32>);

    impl Service<u32> for Counts {
        const INTERFACES: &'static [Interface] = T::INTERFACES;

        fn info(&self) -> Info<'_> {
            Info::default()
        }

        fn call<'c>(&mut self, _: Call<'c>, reply: Responder<'c, u32>) -> Answer<'c, u32> {
            self.resume(0, reply)
        }

        fn resume<'c>(&mut self, cursor: u32, reply: Responder<'c, u32>) -> Answer<'c, u32> {
            reply.more()?.next(&Count { i: 0 })?.then(cursor + 1)
        }

        fn abandoned(&mut self, cursor: u32) {
            self.0.push(cursor);
        }
    }

    #[derive(serde::Serialize)]
    struct Count {
        i: u32,
    }

    let call = r#"{"method":"org.example.t.Count","more":true,"parameters":{"n":9}}"#;
    let call = call.to_string() + "\0";
    let mut stream = stream(&call, &[Ok(99), Ok(99), Ok(99), Err(ErrorKind::BrokenPipe)]);
    let mut service = Counts(Vec::new());
    let (mut receive, mut send) = ([0; 99], [0; 99]);
    let end = serve(&mut service, &mut stream, &mut receive, &mut send);
    assert_eq!(end, Err(Error::Transport(ErrorKind::BrokenPipe)));
    assert_eq!(service.0, [4]);
}

#[test]
fn a_service_is_told_why_a_connection_failed() {
    struct Logs(Vec<Error>);

    impl Service for Logs {
        const INTERFACES: &'static [Interface] = T::INTERFACES;

        fn info(&self) -> Info<'_> {
            Info::default()
        }

        fn call<'c>(&mut self, _: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
            reply.send(&[1, 2, 3])
        }

        fn failed(&mut self, error: nullink::SessionError) {
            self.0.push(error.error);
        }
    }

    let mut service = Logs(Vec::new());
    for input in ["{}\0", EMPTY, &format!("{EMPTY}\0{EMPTY}\0")] {
        let _ = serve(&mut service, stream(input, &[]), &mut [0; 99], &mut [0; 99]);
    }
    assert_eq!(
        service.0,
        [
            nullink::Violation::NoMethod.into(),
            nullink::Violation::Truncated.into(),
            nullink::EncodeError::NotAnObject.into(),
        ]
    );
}

#[test]
fn pending_replies_are_received_after_a_write_to_a_broken_pipe() {
    // The service answers one call and closes; the client is still sending another.
    let (mut receive, mut send) = ([0; 99], [0; 4096]);
    let mut client = Client::new(
        stream(
            "{\"parameters\":{\"a\":1}}\0",
            &[Ok(50), Err(ErrorKind::BrokenPipe)],
        ),
        &mut receive,
        &mut send,
    );
    for _ in 0..3 {
        client
            .queue_raw("a.b.C", Mode::Simple, Raw::EMPTY_OBJECT)
            .unwrap();
    }
    assert_eq!(
        client.receive_raw().unwrap().parameters().as_str(),
        r#"{"a":1}"#
    );
    // After a call that was sent in part, no other call can be sent.
    let unusable = Error::Misuse(Misuse::Unusable);
    assert_eq!(
        client.queue_raw("a.b.C", Mode::Simple, Raw::EMPTY_OBJECT),
        Err(unusable)
    );
    assert_eq!(client.receive_raw().err(), Some(Error::Closed));
    assert_eq!(client.receive_raw().err(), Some(unusable));
    assert_eq!(client.stream().output.len(), 50);
}

#[test]
fn other_write_errors_make_a_client_unusable_at_once() {
    let (mut receive, mut send) = ([0; 99], [0; 99]);
    let stream = stream("{}\0", &[Err(ErrorKind::TimedOut)]);
    let mut client = Client::new(stream, &mut receive, &mut send);
    let error = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
    assert_eq!(error, Some(Error::Transport(ErrorKind::TimedOut)));
    let error = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
    assert_eq!(error, Some(Error::Misuse(Misuse::Unusable)));
    assert_eq!(client.stream().output, b"");
}

#[test]
fn an_empty_receive_buffer_is_too_small_and_not_end_of_stream() {
    let (mut receive, mut send) = ([], [0; 99]);
    let mut client = Client::new(stream("{}\0", &[]), &mut receive, &mut send);
    for _ in 0..2 {
        let error = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
        assert_eq!(error, Some(Error::TooLong));
    }
    let mut stream = stream(&format!("{EMPTY}\0"), &[]);
    let ended = serve(&mut TriesTwice, &mut stream, &mut [], &mut [0; 99]).err();
    assert_eq!(ended, Some(Error::TooLong));
}

#[test]
fn a_duplex_is_one_stream_and_names_the_half_that_failed() {
    use nullink::DuplexError;
    let (mut receive, mut send) = ([0; 99], [0; 99]);
    let halves = Duplex {
        reader: Stream::default(),
        writer: stream("", &[Ok(99), Err(ErrorKind::Other)]),
    };
    let mut client = Client::new(halves, &mut receive, &mut send);
    let interface = "a.b";
    client
        .stream()
        .reader
        .reads
        .push_back(Ok(b"{\"parameters\":{\"description\":\"\"}}\0".to_vec()));
    assert!(client.call(&GetInterfaceDescription { interface }).is_ok());
    let error = client.call(&GetInterfaceDescription { interface });
    let failed = Error::Transport(DuplexError::Writer(ErrorKind::Other));
    assert_eq!(error, Err(CallError::Connection(failed)));
}

#[test]
fn a_duplex_flushes_its_writer() {
    #[derive(Default)]
    struct Flushes(usize);
    impl ErrorType for Flushes {
        type Error = ErrorKind;
    }
    impl Write for Flushes {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> Result<(), ErrorKind> {
            self.0 += 1;
            Ok(())
        }
    }
    let mut writer = Flushes::default();
    let reader = &b"{}\0"[..];
    let stream = Duplex {
        reader,
        writer: &mut writer,
    };
    let (mut receive, mut send) = ([0; 99], [0; 99]);
    let mut client = Client::new(stream, &mut receive, &mut send);
    assert!(client.call_raw("a.b.C", Raw::EMPTY_OBJECT).is_ok());
    assert_eq!(writer.0, 1);
}

#[test]
fn c6_a_hundred_pipelined_calls_take_at_most_four_reads_and_four_writes() {
    let call = t("Need", r#"{"s":"x"}"#) + "\0";
    let reply = r#"{"parameters":{"s":"x"}}"#;
    let input = call.repeat(100);
    // The replies fit into four halves of the send buffer.
    let half = (100 * (reply.len() + 1)).div_ceil(4);
    let (mut receive, mut send, mut scratch) = ([0; 4096], vec![0; 2 * half], [0; 64]);
    let mut service = T {
        scratch: &mut scratch,
    };
    let mut script = Script::new(input.as_bytes(), Arrival::Joined);
    let end = serve(&mut service, &mut script, &mut receive, &mut send);
    assert_eq!(end, Ok(End::Closed));
    assert_eq!(script.messages(), [reply; 100]);
    // One more read finds the end of the stream.
    assert!(script.reads <= 4 + 1, "{} reads", script.reads);
    assert!(script.writes <= 4, "{} writes", script.writes);
}
