//! The tool with closed standard descriptors, as daemons and rescue shells start programs.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, ExitStatus};
use std::thread;

use crate::tool::{Directory, nullctl};

/// Calls a method in a shell with this redirection. Returns the exit status, and what a service that
/// answers with this has received.
fn call_with(redirection: &str, parameters: &str, reply: &'static [u8]) -> (ExitStatus, String) {
    let directory = Directory::new();
    let address = directory.path("socket");
    let listener = UnixListener::bind(&address).expect("the service listens");
    let service = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("the tool connects");
        let (mut received, mut stream) = (Vec::new(), BufReader::new(stream));
        stream.read_until(0, &mut received).expect("a call");
        stream.get_mut().write_all(reply).expect("the tool reads");
        stream.read_to_end(&mut received).expect("the tool ends");
        String::from_utf8(received).expect("UTF-8")
    });
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("exec \"$0\" \"$@\" {redirection}"))
        .arg(nullctl().get_program())
        .args(["call", &address, "org.example.t.Get", parameters])
        .status()
        .expect("sh starts");
    // If the tool has not connected, the service does not wait for it.
    let _ = UnixStream::connect(&address);
    (status, service.join().expect("the service ends"))
}

const CALL: &str = "{\"method\":\"org.example.t.Get\"}\0";

/// A socket would get the number of the closed descriptor, and the service the output.
#[test]
fn a_service_gets_no_output() {
    let (status, received) = call_with(">&-", "{}", b"{\"parameters\":{\"a\":1}}\0");
    assert_eq!((status.code(), &*received), (Some(0), CALL));
}

#[test]
fn a_service_gets_no_messages() {
    let (status, received) = call_with(">&- 2>&-", "{}", b"{\"error\":\"org.example.t.E\"}\0");
    assert_eq!((status.code(), &*received), (Some(1), CALL));
}

#[test]
fn closed_input_is_empty() {
    let (status, received) = call_with("<&-", "-", b"{}\0");
    assert_eq!((status.code(), &*received), (Some(0), CALL));
}
