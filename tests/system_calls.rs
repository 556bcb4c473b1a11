//! How often a connection reads and writes: on a Unix socket, each is one system call.

mod common;

use common::t::T;
use common::{Arrival, EMPTY, Script, t};
use nullink::serve;

/// Serves calls that arrive together, and returns the reads and writes that it took. The last read
/// is the one that finds the end.
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
fn a_hundred_pipelined_calls_cost_four_of_either_at_most() {
    let calls = format!("{EMPTY}\0").repeat(100);
    assert_eq!(count(&calls, 4096, 4096), (1, 1));
    for length in [1, 10, 50, 100, 135] {
        let call = t("Need", &format!(r#"{{"s":"{}"}}"#, "x".repeat(length))) + "\0";
        let reply = format!(r#"{{"parameters":{{"s":"{}"}}}}"#, "x".repeat(length)) + "\0";
        // All calls, and a quarter of their replies, fit into the buffers.
        let (receive, send) = (100 * call.len(), 25 * reply.len());
        assert_eq!(count(&call.repeat(100), receive, send), (1, 4));
        // They are read in three pieces, and no reply waits for the next piece.
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
fn each_reply_of_a_stream_is_sent_when_it_is_there() {
    let call = r#"{"method":"org.example.t.Count","more":true,"parameters":{"n":10}}"#;
    assert_eq!(count(&format!("{call}\0"), 4096, 4096), (1, 10));
}
