//! The number of reads and writes of a connection. On a Unix socket, each is one system call.

use crate::common;

use common::t::T;
use common::{Arrival, EMPTY, Script, t};
use nullink::serve;

/// Serves calls that arrive together, and returns the numbers of reads and writes, without the last
/// read, which finds the end.
fn count(calls: &str, receive: usize, send: usize) -> (usize, usize) {
    let mut scratch = [0; 4096];
    let mut service = T {
        scratch: &mut scratch,
    };
    let mut script = Script::new(calls.as_bytes(), Arrival::Joined);
    let (mut receive, mut send) = (vec![0; receive], vec![0; send]);
    serve(&mut service, &mut script, &mut receive, &mut send).unwrap();
    (script.reads - 1, script.writes)
}

#[test]
fn one_call_costs_one_read_and_one_write() {
    assert_eq!(count(&format!("{EMPTY}\0"), 4096, 4096), (1, 1));
    let call = t("Need", &format!(r#"{{"s":"{}"}}"#, "x".repeat(1000)));
    assert_eq!(count(&format!("{call}\0"), 4096, 4096), (1, 1));
}

#[test]
fn a_hundred_pipelined_calls_cost_at_most_four_reads_and_four_writes() {
    let calls = format!("{EMPTY}\0").repeat(100);
    assert_eq!(count(&calls, 4096, 4096), (1, 1));
    for length in [1, 10, 50, 100, 135] {
        let call = t("Need", &format!(r#"{{"s":"{}"}}"#, "x".repeat(length))) + "\0";
        let reply = format!(r#"{{"parameters":{{"s":"{}"}}}}"#, "x".repeat(length)) + "\0";
        // All calls fit into the receive buffer, and a quarter of the replies into half of the send
        // buffer.
        let (receive, send) = (100 * call.len(), 2 * 25 * reply.len());
        assert_eq!(count(&call.repeat(100), receive, send), (1, 4));
        // The calls are read in three pieces, and no reply waits for the next piece.
        let (reads, writes) = count(
            &call.repeat(100),
            receive / 3 + call.len(),
            100 * reply.len(),
        );
        assert_eq!((reads, writes), (3, 3));
    }
}

#[test]
fn oneway_calls_cost_no_write() {
    let call = r#"{"method":"org.example.t.Empty","oneway":true}"#;
    assert_eq!(count(&format!("{call}\0").repeat(50), 4096, 4096), (1, 0));
}

#[test]
fn each_reply_of_a_stream_is_sent_at_once() {
    let call = r#"{"method":"org.example.t.Count","more":true,"parameters":{"n":10}}"#;
    assert_eq!(count(&format!("{call}\0"), 4096, 4096), (1, 10));
}

#[cfg(all(feature = "unix", target_os = "linux"))]
mod unix {
    use embedded_io::{Read, Write};
    use nullink::unix::fd::OwnedFd;
    use nullink::unix::{Reading, Stream};

    use crate::strace::strace;

    /// The variable that is set in the process whose system calls are counted.
    const AGAIN: &str = "NULLINK_TEST_AGAIN";
    const MESSAGES: usize = 10;

    fn read_messages(how: &str) {
        let (mut ours, mut theirs) = Stream::pair().unwrap();
        if how.contains("adopted") {
            ours = Stream::from(OwnedFd::from(ours));
        }
        if how.contains("message") {
            ours.set_reading(Reading::Message);
        }
        for _ in 0..MESSAGES {
            theirs.write(b"{}\0").unwrap();
            assert_eq!(ours.read(&mut [0; 99]), Ok(3));
        }
    }

    #[test]
    fn u1_a_message_costs_one_read_or_two_if_reads_end_with_it() {
        if let Ok(how) = std::env::var(AGAIN) {
            return read_messages(&how);
        }
        let name = "system_calls::unix::u1_a_message_costs_one_read_or_two_if_reads_end_with_it";
        for (how, expected) in [
            ("all", MESSAGES),
            ("message", 2 * MESSAGES),
            // The first byte from an adopted socket is read alone: see `Truncation`.
            ("all adopted", MESSAGES + 1),
            ("message adopted", 2 * MESSAGES + 1),
        ] {
            let Some(mut strace) = strace() else {
                return;
            };
            let output = strace
                .args(["-f", "-qq", "-e", "trace=recvmsg,recvfrom"])
                .arg(std::env::current_exe().unwrap())
                .args(["--exact", name])
                .env(AGAIN, how)
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            let trace = String::from_utf8(output.stderr).unwrap();
            let count = trace.matches("recvmsg(").count();
            assert_eq!(
                (count, trace.matches("recvfrom(").count()),
                (expected, 0),
                "{how}"
            );
        }
    }
}
