//! The example helper, as a service manager and as ssh start and stop it.
#![cfg(all(feature = "unix", target_os = "linux"))]

use crate::example;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use example::example;
use rustix::process::{Pid, Signal, kill_process};

const PING: &[u8] = b"{\"method\":\"org.example.ping.Ping\",\"parameters\":{\"ping\":\"hello\"}}\0";
const PONG: &[u8] = b"{\"parameters\":{\"pong\":\"hello\"}}\0";

/// A directory that is removed at the end of a test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nullink-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn terminate(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn next(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 64];
    let count = socket.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..count].to_vec()).unwrap()
}

#[test]
fn a_manager_is_told_when_a_service_is_ready_and_when_it_stops() {
    for signal in [Signal::TERM, Signal::INT] {
        let Some(mut helper) = example("helper") else {
            return;
        };
        let directory = Directory::new("helper");
        let notify = directory.0.join("notify");
        let manager = UnixDatagram::bind(&notify).unwrap();
        manager
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let path = directory.0.join("a/b/org.example.ping");
        let mut child = helper
            .arg(&path)
            .env("NOTIFY_SOCKET", &notify)
            .spawn()
            .unwrap();
        assert_eq!(next(&manager), "READY=1");
        let socket = fs::metadata(&path).unwrap();
        assert!(socket.file_type().is_socket());
        let made = fs::metadata(directory.0.join("a")).unwrap();
        assert_eq!(made.mode() & 0o777 & !0o755, 0);

        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(PING).unwrap();
        let mut reply = Vec::new();
        let mut input = BufReader::new(client.try_clone().unwrap());
        input.read_until(0, &mut reply).unwrap();
        assert_eq!(reply, PONG);

        terminate(&child, signal);
        assert_eq!(next(&manager), "STOPPING=1");
        assert!(child.wait().unwrap().success());
        // The connection has ended.
        assert_eq!(input.read_to_end(&mut reply).unwrap(), 0);
    }
}

#[test]
fn standard_input_and_output_are_a_connection() {
    let Some(mut helper) = example("helper") else {
        return;
    };
    // Pipes, as ssh passes them.
    let mut child = helper
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..2 {
        input.write_all(PING).unwrap();
        let mut reply = Vec::new();
        output.read_until(0, &mut reply).unwrap();
        assert_eq!(reply, PONG);
    }
    drop(input);
    assert!(child.wait().unwrap().success());

    // A socket, as inetd passes it, with two pipelined calls.
    let Some(mut helper) = example("helper") else {
        return;
    };
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let other = std::os::fd::OwnedFd::from(theirs.try_clone().unwrap());
    let mut child = helper
        .arg("-")
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .stdout(other)
        .spawn()
        .unwrap();
    drop(helper);
    ours.write_all(&PING.repeat(2)).unwrap();
    ours.shutdown(std::net::Shutdown::Write).unwrap();
    let mut replies = Vec::new();
    ours.read_to_end(&mut replies).unwrap();
    assert_eq!(replies, PONG.repeat(2));
    assert!(child.wait().unwrap().success());
}
