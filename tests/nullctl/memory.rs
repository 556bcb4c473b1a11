//! The memory of the form without libc: `call` uses few pages, and only a long reply uses more.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::process::{Output, Stdio};
use std::{env, fs, thread};

use crate::tool::{Directory, nullctl};

/// Calls a method of a service that answers with this. Returns the output, and the most memory that
/// the tool had when the service had its call, in KiB: VmHWM in proc_pid_status(5).
fn call(reply: Vec<u8>) -> (Output, u64) {
    let directory = Directory::new();
    let address = directory.path("socket");
    let listener = UnixListener::bind(&address).expect("the service listens");
    let tool = nullctl()
        .args(["call", "-j", &address, "org.example.t.Get", "{\"a\":1}"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    let status = format!("/proc/{}/status", tool.id());
    let (stream, _) = listener.accept().expect("the tool connects");
    let mut stream = BufReader::new(stream);
    let mut received = Vec::new();
    stream.read_until(0, &mut received).expect("a call");
    let status = fs::read_to_string(status).expect("the tool waits");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    let peak = peak.and_then(|peak| peak.parse().ok());
    let service = thread::spawn(move || stream.get_mut().write_all(&reply));
    let output = tool.wait_with_output().expect("the tool ends");
    service.join().expect("no panic").expect("the tool reads");
    (output, peak.expect("the kernel tells the memory"))
}

#[test]
fn a_call_takes_at_most_152_kib() {
    if env::var_os("NULLCTL").is_none() {
        println!("skipped: the limit of memory needs the form without libc");
        return;
    }
    let (output, peak) = call(b"{\"parameters\":{\"a\":1}}\0".to_vec());
    assert_eq!(output.stdout, b"{\"a\":1}\n");
    println!("call takes {peak} KiB");
    assert!(peak <= 152, "{peak} KiB");
}

#[test]
fn a_reply_of_16_mib_is_printed() {
    const SYSTEMD: usize = 16 * 1024 * 1024;
    let (begin, end) = ("{\"parameters\":{\"a\":\"", "\"}}\0");
    let text = "x".repeat(SYSTEMD - begin.len() - end.len());
    let (output, _) = call([begin, &text, end].concat().into_bytes());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""));
    let expected = format!("{{\"a\":\"{text}\"}}\n");
    // Not with assert_eq: its message would be 32 MiB long.
    assert!(output.stdout == expected.as_bytes(), "another output");
}
