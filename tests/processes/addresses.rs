//! Connections over TCP and devices, and the credentials and tags of Unix sockets.
#![cfg(all(feature = "unix", target_os = "linux"))]

use crate::{common, strace};

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::serving::{echo, serve};
use common::{EMPTY, t};
use embedded_io::{Read, Write};
use nullink::peer::Peer;
use nullink::service::GetInterfaceDescription;
use nullink::unix::fd::OwnedFd;
use nullink::unix::{IoError, Listener, Stream, Timeouts};
use nullink::{Address, CallError, Client, Error};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use strace::strace;

/// Starts a service on a TCP port, and returns its address.
fn serve_tcp() -> String {
    let listener = Listener::bind("tcp:127.0.0.1:0").unwrap();
    let address = format!("127.0.0.1:{}", listener.port().unwrap());
    serve(listener, echo);
    address
}

#[test]
fn a_client_calls_a_service_over_tcp() {
    for host in ["127.0.0.1", "[::1]"] {
        let listener = match Listener::bind(&format!("tcp:{host}:0")) {
            Ok(listener) => listener,
            Err(IoError::System(_)) if host == "[::1]" => continue, // no IPv6 here
            Err(error) => panic!("{error}"),
        };
        let address = format!("tcp:{host}:{}", listener.port().unwrap());
        assert_eq!(Listener::bind(&address).err(), Some(IoError::InUse));
        serve(listener, echo);
        let (mut receive, mut send) = ([0; 4096], [0; 4096]);
        for _ in 0..3 {
            let stream = Stream::connect(&address).unwrap();
            assert_eq!(rustix::net::sockopt::tcp_nodelay(&stream), Ok(true));
            assert_eq!(stream.peer(), Ok(None));
            let mut client = Client::new(stream, &mut receive, &mut send);
            let interface = "org.example.t";
            let reply = client.call(&GetInterfaceDescription { interface }).unwrap();
            assert!(reply.description.contains("method Pipe()"));
        }
    }
}

#[test]
fn x7_connecting_to_a_port_without_a_listener_is_not_found() {
    // A port that was in use and is free now.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = Stream::connect(&format!("tcp:127.0.0.1:{port}")).err();
    assert_eq!(error, Some(IoError::NotFound));
}

#[test]
fn l3_a_tcp_connection_that_is_not_accepted_times_out() {
    let listener = Listener::bind("tcp:127.0.0.1:0").unwrap();
    let to = format!("tcp:127.0.0.1:{}", listener.port().unwrap());
    let limit = Duration::from_millis(50);
    let timeouts = Timeouts {
        connect: Some(limit),
        ..Timeouts::default()
    };
    // Fill the queue of the listener, which is as long as the kernel allows.
    let mut clients = Vec::new();
    let (error, waited) = loop {
        let before = Instant::now();
        match Stream::connect_with(&to, timeouts) {
            Ok(client) => clients.push(client),
            Err(error) => break (error, before.elapsed()),
        }
    };
    assert_eq!(error, IoError::TimedOut);
    // The kernel measures timeouts in ticks.
    assert!(waited >= limit / 2);
    assert!(listener.accept().is_ok());
}

#[test]
fn c1_pending_replies_arrive_over_tcp_although_later_input_is_not_read() {
    let address = serve_tcp();
    let garbage = "x".repeat(100_000);
    for bad in ["nonsense", "{}", &garbage] {
        for good in 0..3 {
            let mut stream = TcpStream::connect(&address).unwrap();
            let calls = format!("{EMPTY}\0").repeat(good);
            let input = format!("{calls}{bad}\0{}", format!("{EMPTY}\0").repeat(100));
            let _ = stream.write_all(input.as_bytes());
            let mut output = Vec::new();
            stream
                .read_to_end(&mut output)
                .expect("end of stream, not ECONNRESET");
            assert_eq!(output, b"{}\0".repeat(good), "{bad:.10}");
        }
    }
}

#[test]
fn l1_the_server_does_not_wait_forever_for_a_tcp_client_to_close() {
    let address = serve_tcp();
    // This client keeps sending after a bad message.
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"nonsense\0").unwrap();
    let mut sent = 0;
    while let Ok(count) = stream.write(&[b'x'; 4096]) {
        sent += count;
    }
    // Only the buffers of the sockets take bytes that are not read.
    assert!(sent < 64 << 20, "{sent}");
    // This client sends nothing more, and does not close.
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"nonsense\0").unwrap();
    assert_eq!(stream.read(&mut [0; 9]).unwrap(), 0);
    let mut next = TcpStream::connect(&address).unwrap();
    next.write_all(format!("{EMPTY}\0").as_bytes()).unwrap();
    let mut reply = [0; 3];
    next.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"{}\0");
}

#[test]
fn u1_over_tcp_bytes_read_past_an_upgrade_call_are_handed_over() {
    let address = serve_tcp();
    let mut stream = TcpStream::connect(&address).unwrap();
    let pipe = b"{\"method\":\"org.example.t.Pipe\",\"upgrade\":true}\0raw\0bytes";
    stream.write_all(pipe).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut output = Vec::new();
    stream.read_to_end(&mut output).unwrap();
    assert_eq!(output, b"{}\0raw\0bytes");
}

#[test]
fn a2_a_host_name_is_looked_up_by_std() {
    let listener = Listener::bind("tcp:127.0.0.1:0").unwrap();
    let port = listener.port().unwrap();
    let connected = Stream::connect(&format!("tcp:localhost:{port}"));
    let bound = Listener::bind("tcp:localhost:0");
    // Longer than a name may be, so that no server is asked.
    let unknown = format!("tcp:{}:1", "x".repeat(300));
    if cfg!(feature = "std") {
        connected.expect("a connection");
        listener.accept().expect("the same connection");
        assert!(bound.expect("a listener").port() > Some(0));
        assert_eq!(Stream::connect(&unknown).err(), Some(IoError::UnknownHost));
        assert_eq!(Listener::bind(&unknown).err(), Some(IoError::UnknownHost));
        // Nothing listens on the port of any address.
        drop(listener);
        let gone = Stream::connect(&format!("tcp:localhost:{port}"));
        assert_eq!(gone.err(), Some(IoError::NotFound));
    } else {
        assert_eq!(connected.err(), Some(IoError::NoHostNames));
        assert_eq!(bound.err(), Some(IoError::NoHostNames));
        assert_eq!(Stream::connect(&unknown).err(), Some(IoError::NoHostNames));
    }
}

#[test]
fn a2_vsock_addresses_are_parsed_and_refused() {
    assert_eq!(Stream::connect("vsock:2:1").err(), Some(IoError::Vsock));
    assert_eq!(Listener::bind("vsock:2:1").err(), Some(IoError::Vsock));
}

#[test]
fn l3_a_client_that_connects_with_timeouts_waits_no_longer() {
    let path = std::env::temp_dir().join(format!("nullink-test-with-{}", std::process::id()));
    let path = path.to_str().unwrap();
    let listener = Listener::bind(path).unwrap();
    let timeouts = Timeouts {
        reply: Some(Duration::from_millis(1)),
        ..Timeouts::default()
    };
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut client = Client::connect_with(path, timeouts, &mut receive, &mut send).unwrap();
    let interface = "org.example.t";
    let reply = client.call(&GetInterfaceDescription { interface });
    let timed_out = Error::Transport(IoError::TimedOut);
    assert_eq!(reply.err(), Some(CallError::Connection(timed_out)));
    drop(listener);
    fs::remove_file(path).unwrap();
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let gone = Client::connect_with(path, timeouts, &mut receive, &mut send);
    assert_eq!(gone.err(), Some(IoError::NotFound));
}

#[test]
fn a2_exec_addresses_are_refused() {
    assert_eq!(Stream::connect("exec:/bin/true").err(), Some(IoError::Exec));
    assert_eq!(Listener::bind("exec:/bin/true").err(), Some(IoError::Exec));
}

/// Opens a pseudoterminal. Returns its master, the path of the terminal, and a descriptor of the
/// terminal, which keeps it open and lets the test read its modes.
pub fn terminal() -> (Master, String, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let other = ioctl_tiocgptpeer(&master, flags).unwrap();
    let link = |fd: &OwnedFd| {
        let path = format!("/proc/self/fd/{}", rustix::fd::AsRawFd::as_raw_fd(fd));
        fs::read_link(path).unwrap().to_str().unwrap().to_string()
    };
    let path = link(&other);
    (Master(master), path, other)
}

/// Opens a pseudoterminal that lasts as long as the process. A service that outlives its test opens
/// its device again, which could otherwise be the terminal of another test, with the same number.
fn lasting_terminal() -> (Master, String) {
    let (master, path, other) = terminal();
    std::mem::forget((master.try_clone().unwrap(), other));
    (master, path)
}

pub struct Master(OwnedFd);

impl Master {
    pub fn try_clone(&self) -> std::io::Result<Self> {
        rustix::io::fcntl_dupfd_cloexec(&self.0, 0)
            .map(Master)
            .map_err(failed)
    }
}

impl From<Master> for Stream {
    fn from(master: Master) -> Self {
        Stream::from(master.0)
    }
}

impl AsFd for Master {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn failed(errno: rustix::io::Errno) -> std::io::Error {
    std::io::Error::from_raw_os_error(errno.raw_os_error())
}

impl std::io::Read for Master {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        rustix::io::read(&self.0, buffer).map_err(failed)
    }
}

impl std::io::Write for Master {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        rustix::io::write(&self.0, bytes).map_err(failed)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn is_raw(terminal: impl AsFd) -> bool {
    let modes = tcgetattr(terminal).unwrap().local_modes;
    !modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
}

/// Reads until the text ends with `end`, and returns the text.
fn read_until(file: &mut Master, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut byte = [0];
        file.read_exact(&mut byte).unwrap();
        text.push(byte[0].into());
    }
    text
}

#[test]
fn a_client_calls_a_service_over_a_device() {
    let (mut peer, path, other) = terminal();
    assert!(!is_raw(&other));
    // Input that is left over from an earlier client must be discarded. It has arrived when the
    // terminal echoes it.
    peer.write_all(b"{\"parameters\":{\"description\":\"old\"}}\0\n")
        .unwrap();
    read_until(&mut peer, "\n");
    let stream = Stream::connect(&format!("device:{path}")).unwrap();
    assert!(is_raw(&other));
    assert_eq!(stream.peer(), Ok(None));
    let service = thread::spawn(move || {
        // The client begins with NULs, which end half a message of an earlier client.
        let call = read_until(&mut peer, "}\0");
        peer.write_all(b"{\"parameters\":{\"description\":\"new\"}}\0")
            .unwrap();
        (peer, call)
    });
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut client = Client::new(stream, &mut receive, &mut send);
    let reply = client.call(&GetInterfaceDescription { interface: "a.b" });
    assert_eq!(reply.unwrap().description, "new");
    let (_peer, call) = service.join().unwrap();
    assert!(
        call.starts_with("\0\0{\"method\":\""),
        "{}",
        call.escape_debug()
    );

    // A second connection would read the first one's replies.
    let second = Stream::connect(&format!("device:{path}"));
    assert_eq!(second.err(), Some(IoError::InUse));
    drop(client);
    assert!(!is_raw(&other));
}

#[test]
fn a_terminal_taken_as_a_descriptor_stays_raw() {
    let (_peer, path, other) = terminal();
    let stream = Stream::connect(&format!("device:{path}")).unwrap();
    let device = OwnedFd::from(stream);
    assert!(is_raw(&other));
    drop(device);
    assert!(is_raw(&other));
    // The device is free again.
    assert!(Stream::connect(&format!("device:{path}")).is_ok());
}

#[test]
fn f5_a_device_whose_peer_has_closed_is_at_its_end() {
    let (peer, path, other) = terminal();
    let mut stream = Stream::connect(&format!("device:{path}")).unwrap();
    drop((peer, other));
    assert_eq!(stream.read(&mut [0; 9]), Ok(0));
    assert_eq!(stream.write(b"x"), Err(IoError::Closed));
}

#[test]
fn f5_a_pty_master_whose_terminal_is_closed_is_at_its_end() {
    // The master of a pseudoterminal reports a closed terminal as an error, EIO.
    let mut stream = Stream::connect("device:/dev/ptmx").unwrap();
    unlockpt(&stream).unwrap();
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    drop(ioctl_tiocgptpeer(&stream, flags).unwrap());
    assert_eq!(stream.read(&mut [0; 9]), Ok(0));
}

#[test]
fn c1_a_device_continues_at_the_next_break_after_a_bad_message() {
    let (mut peer, path) = lasting_terminal();
    serve(Listener::bind(&format!("device:{path}")).unwrap(), echo);
    let call = |n: u32| t("Need", &format!(r#"{{"s":"{n}"}}"#)) + "\0";
    let reply = |n: u32| format!("{{\"parameters\":{{\"s\":\"{n}\"}}}}\0");
    // The service discards input from before it opened the device. Repeat the call until a reply.
    let mut asked = peer.try_clone().unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let asking = thread::spawn(move || {
        while stopped.recv_timeout(Duration::from_millis(50)).is_err() {
            asked
                .write_all(format!("\0{}", call(0)).as_bytes())
                .unwrap();
        }
    });
    read_until(&mut peer, &reply(0));
    stop.send(()).unwrap();
    asking.join().unwrap();
    let too_long = "x".repeat(3000);
    for (n, bad) in [
        "{\"meth",
        "nonsense\0",
        "nonsense",
        "\0\0",
        "{}\0{}\0[",
        &too_long.repeat(2),
        // The call at the end is a part of the bad message.
        &format!("{}{}", "x".repeat(4096), t("Need", r#"{"s":"tail"}"#)),
    ]
    .iter()
    .enumerate()
    {
        let n = n as u32 + 1;
        // A chunk may be read together with other chunks.
        for part in format!("{bad}\0\0{}", call(n)).as_bytes().chunks(1000) {
            peer.write_all(part).unwrap();
        }
        let answer = read_until(&mut peer, &reply(n));
        let answer = answer.replace(&reply(0), "");
        assert_eq!(answer, reply(n), "{bad:.9}");
    }
    // After an upgrade, NULs are bytes of the other protocol.
    let pipe = b"{\"method\":\"org.example.t.Pipe\",\"upgrade\":true}\0raw\0bytes";
    peer.write_all(pipe).unwrap();
    assert_eq!(read_until(&mut peer, "bytes"), "{}\0raw\0bytes");
}

#[test]
fn c1_a_new_client_of_a_device_ends_the_stream_of_the_previous_client() {
    let (mut peer, path) = lasting_terminal();
    serve(Listener::bind(&format!("device:{path}")).unwrap(), echo);
    let call = t("Need", r#"{"s":"new"}"#) + "\0";
    let reply = "{\"parameters\":{\"s\":\"new\"}}\0";
    // The service discards input from before it opened the device. Repeat the call until a reply.
    let mut asked = peer.try_clone().unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let first = format!("\0{}\0", t("Empty", "{}"));
    let asking = thread::spawn(move || {
        while stopped.recv_timeout(Duration::from_millis(50)).is_err() {
            asked.write_all(first.as_bytes()).unwrap();
        }
    });
    read_until(&mut peer, "{}\0");
    stop.send(()).unwrap();
    asking.join().unwrap();
    // The first client asks for a million replies, begins another call, and stops.
    let count = r#"{"method":"org.example.t.Count","more":true,"parameters":{"n":1000000}}"#;
    peer.write_all(format!("{count}\0{{\"meth").as_bytes())
        .unwrap();
    read_until(&mut peer, "\"i\":100}}\0");
    // It no longer reads, so the line is full. Then another client begins.
    peer.write_all(format!("\0\0{call}").as_bytes()).unwrap();
    let answer = read_until(&mut peer, reply);
    assert!(!answer.contains("\"i\":999999"));
    // A reply that was cut off ends with a NUL, so it is not joined to the next reply.
    let messages: Vec<&str> = answer.split('\0').filter(|text| !text.is_empty()).collect();
    assert_eq!(messages.last(), Some(&reply.trim_end_matches('\0')));
    peer.write_all(call.as_bytes()).unwrap();
    assert_eq!(read_until(&mut peer, reply), reply);
}

#[test]
fn x7_a_path_that_is_not_a_device_has_its_own_error() {
    for path in ["/dev", "/proc/self/exe", "/"] {
        let address = format!("device:{path}");
        assert_eq!(Stream::connect(&address).err(), Some(IoError::NotADevice));
        assert_eq!(Listener::bind(&address).err(), Some(IoError::NotADevice));
    }
    let missing = "device:/dev/no such device";
    assert_eq!(Stream::connect(missing).err(), Some(IoError::NotFound));
    let long = format!("device:/dev/{}", "x".repeat(Stream::MAX_PATH - 4));
    assert_eq!(Listener::bind(&long).err(), Some(IoError::PathTooLong));
}

#[test]
fn accept_waits_until_a_missing_device_exists() {
    let name = format!("nullink-test-device-{}", std::process::id());
    let path: PathBuf = std::env::temp_dir().join(name);
    let listener = Listener::bind(&format!("device:{}", path.display())).unwrap();
    assert!(listener.pollable().is_none());
    let (mut peer, device, _other) = terminal();
    let accepted = thread::spawn(move || {
        let first = listener.accept().unwrap();
        let mut buffer = [0; 9];
        (listener, { first }.read(&mut buffer))
    });
    std::os::unix::fs::symlink(device, &path).unwrap();
    // The device discards input from before it was opened. Repeat until a byte arrives.
    while !accepted.is_finished() {
        peer.write_all(b"x").unwrap();
        thread::sleep(Duration::from_millis(10));
    }
    let (listener, count) = accepted.join().unwrap();
    assert!(matches!(count, Ok(1..)));
    // After a connection is closed, accept returns another one.
    assert!(listener.accept().is_ok());
    fs::remove_file(path).unwrap();
}

#[test]
fn x3_descriptors_of_tcp_and_devices_are_close_on_exec() {
    // The descriptors that a program inherits if it is executed now.
    let inherited = || {
        let list = Command::new("ls").arg("/proc/self/fd").output().unwrap();
        String::from_utf8(list.stdout).unwrap()
    };
    let before = inherited();
    let listener = Listener::bind("tcp:127.0.0.1:0").unwrap();
    let address = format!("tcp:127.0.0.1:{}", listener.port().unwrap());
    let _client = Stream::connect(&address).unwrap();
    let service = listener.accept().unwrap();
    let _adopted = Stream::from(OwnedFd::from(service));
    let (_peer, path, _other) = terminal();
    let _device = Stream::connect(&format!("device:{path}")).unwrap();
    let peer = Stream::pair().unwrap().0.peer().unwrap().unwrap();
    let _pidfd = peer.pidfd_racy().unwrap();
    assert_eq!(inherited(), before);
}

#[test]
fn x7_a_missing_service_and_a_stale_socket_are_told_apart() {
    let directory = std::env::temp_dir().join(format!("nullink-test-x7-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let link = |to: &str, from: &str| std::os::unix::fs::symlink(path(to), path(from)).unwrap();
    drop(Listener::bind(&path("stale")).unwrap());
    let _datagram = std::os::unix::net::UnixDatagram::bind(path("datagram")).unwrap();
    fs::write(path("file"), "").unwrap();
    link("stale", "to stale");
    link("nothing", "to nothing");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let tcp = format!("tcp:{}", port.unwrap());
    // A program that another test starts has a copy of the listeners until it is executed.
    for address in [&path("stale"), &tcp] {
        while Stream::connect(address).is_ok() {
            thread::yield_now();
        }
    }
    let no_directory = IoError::from_raw_os_error(20); // ENOTDIR
    for (address, error) in [
        (path("nothing"), IoError::NotFound),
        (path("no/thing"), IoError::NotFound),
        (path("to nothing"), IoError::NotFound),
        (path("file/socket"), no_directory),
        (path("stale"), IoError::Stale),
        (path("to stale"), IoError::Stale),
        (path("file"), IoError::NotASocket),
        (path(""), IoError::NotASocket),
        (path("datagram"), IoError::NotAStream),
        (format!("unix:@{}", path("nothing")), IoError::NotFound),
        (tcp, IoError::NotFound),
        (format!("device:{}", path("nothing")), IoError::NotFound),
        (format!("device:{}", path("no/thing")), IoError::NotFound),
        (format!("device:{}", path("stale")), IoError::NotADevice),
        (format!("device:{}", path("file/x")), no_directory),
    ] {
        let limit = Some(Duration::from_secs(9));
        let limited = Timeouts {
            connect: limit,
            send: limit,
            reply: limit,
        };
        for timeouts in [Timeouts::default(), limited] {
            let connect = |address: &str| Stream::connect_with(address, timeouts).err();
            assert_eq!(connect(&address), Some(error), "{address}");
            if address.starts_with('/') {
                assert_eq!(connect(&format!("unix:{address}")), Some(error));
            }
        }
    }
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn x7_a_socket_that_is_removed_during_a_connect_is_not_found() {
    let name = "addresses::x7_a_socket_that_is_removed_during_a_connect_is_not_found";
    if let Ok(path) = std::env::var(AGAIN) {
        drop(Listener::bind(&path).unwrap());
        assert_eq!(Stream::connect(&path).err(), Some(IoError::NotFound));
        return;
    }
    let Some(mut strace) = strace() else {
        return;
    };
    let path = std::env::temp_dir().join(format!("nullink-test-removed-{}", std::process::id()));
    let output = strace
        .args(["-f", "-qq", "-P", path.to_str().unwrap()])
        .args(["-e", "inject=stat,newfstatat,statx:error=ENOENT"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(AGAIN, &path)
        .output()
        .unwrap();
    fs::remove_file(path).unwrap();
    assert!(output.status.success(), "{output:?}");
    let trace = String::from_utf8_lossy(&output.stderr);
    assert!(trace.contains("(INJECTED)"), "{trace}");
}

#[test]
fn x5_the_credentials_of_the_peer_are_returned() {
    let name = format!("nullink-test-peer-{}", std::process::id());
    let listener = Listener::bind(&format!("unix:@{name}")).unwrap();
    let client = Stream::connect(&format!("unix:@{name}")).unwrap();
    let service = listener.accept().unwrap();
    let own = Peer {
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        pid: std::process::id(),
    };
    assert_eq!(service.peer(), Ok(Some(own)));
    assert_eq!(client.peer(), Ok(Some(own)));
    // The credentials stay the same when the client has disconnected.
    drop(client);
    assert_eq!(service.peer(), Ok(Some(own)));
}

#[test]
fn x5_pidfd_racy_opens_the_process_that_has_the_pid_now() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let peer = Peer {
        uid: 0,
        gid: 0,
        pid: child.id(),
    };
    let readable = |pidfd: &OwnedFd, wait: bool| {
        let flags = rustix::event::PollFlags::IN;
        let mut fds = [rustix::event::PollFd::new(pidfd, flags)];
        let now = rustix::time::Timespec::default();
        rustix::event::poll(&mut fds, (!wait).then_some(&now)).unwrap() > 0
    };
    let pidfd = peer.pidfd_racy().unwrap();
    assert!(!readable(&pidfd, false));
    drop(child.stdin.take());
    assert!(readable(&pidfd, true));
    child.wait().unwrap();
    // The process no longer exists, and no process can have these pids.
    assert!(peer.pidfd_racy().is_err());
    for pid in [0, u32::MAX, i32::MAX as u32] {
        assert!(Peer { pid, ..peer }.pidfd_racy().is_err());
    }
}

/// The environment variable that is set when a test runs itself again in another process.
const AGAIN: &str = "NULLINK_TEST_AGAIN";

#[test]
fn x5_a_peer_outside_the_pid_namespace_is_unknown() {
    let name = format!("nullink-test-namespace-{}", std::process::id());
    let inner = "addresses::x5_a_peer_outside_the_pid_namespace_is_unknown";
    if let Ok(name) = std::env::var(AGAIN) {
        let stream = Listener::bind(&format!("unix:@{name}"))
            .unwrap()
            .accept()
            .unwrap();
        assert_eq!(stream.peer(), Err(IoError::UnknownPeer));
        return;
    }
    let namespace = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", program]);
        command
    };
    if !namespace("true")
        .status()
        .is_ok_and(|status| status.success())
    {
        return; // unshare needs root
    }
    let mut command = namespace(std::env::current_exe().unwrap().to_str().unwrap());
    command
        .args(["--exact", inner, "--nocapture"])
        .env(AGAIN, &name);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let _client = loop {
        match Stream::connect(&format!("unix:@{name}")) {
            Ok(client) => break Some(client),
            Err(_) if child.try_wait().unwrap().is_some() => break None,
            Err(_) => thread::yield_now(),
        }
    };
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 passed"), "{text}");
}

#[test]
fn l2_accept_fails_once_the_socket_is_shut_down() {
    use rustix::net::{Shutdown, shutdown};
    for how in [Shutdown::Both, Shutdown::Read] {
        let name = format!(
            "unix:@nullink-test-shut-down-{how:?}-{}",
            std::process::id()
        );
        let listener = Listener::bind(&name).unwrap();
        let client = Stream::connect(&name).unwrap();
        shutdown(listener.pollable().unwrap(), how).unwrap();
        // A client that was waiting before is still accepted.
        assert!(listener.accept().is_ok());
        let invalid = rustix::io::Errno::INVAL.raw_os_error();
        let error = listener.accept().unwrap_err();
        assert_eq!(error, IoError::from_raw_os_error(invalid));
        drop(client);
    }
}

#[test]
fn a2_an_interface_has_its_socket_in_the_registry() {
    let inner = "addresses::a2_an_interface_has_its_socket_in_the_registry";
    let interface = "org.example.registered";
    if std::env::var_os(AGAIN).is_some() {
        assert_eq!(Stream::connect(interface).unwrap_err(), IoError::NotFound);
        let path = format!("/run/varlink/registry/{interface}");
        Listener::make_directory(interface, 0o755).unwrap();
        let listener = Listener::bind(&format!("{interface};mode=0666")).unwrap();
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o666);
        let outside = Address::Interface("../registry/org.example.registered");
        let refused = Stream::connect_to(outside, Timeouts::default());
        assert!(matches!(refused, Err(IoError::Address(_))));
        assert_eq!(Listener::bind(interface).unwrap_err(), IoError::InUse);
        for address in [interface, &path] {
            let _client = Stream::connect(address).unwrap();
            listener.accept().unwrap();
        }
        let long = format!("org.{}", "x".repeat(100));
        assert_eq!(Stream::connect(&long).unwrap_err(), IoError::PathTooLong);
        return;
    }
    // Its own /run.
    let private = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c"]);
        command.arg("mount -t tmpfs none /run && exec \"$@\"");
        command.args(["sh", program, "--exact", inner, "--nocapture"]);
        command.env(AGAIN, "").output()
    };
    if !private("/bin/true").is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "needs unshare");
        return println!("skipped: needs unshare");
    }
    let output = private(std::env::current_exe().unwrap().to_str().unwrap()).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 passed"), "{text}");
}

#[test]
fn x6_sockets_are_tagged_with_their_roles() {
    let name = "addresses::x6_sockets_are_tagged_with_their_roles";
    if let Ok(path) = std::env::var(AGAIN) {
        let listener = Listener::bind(&path).unwrap();
        let _client = Stream::connect(&path).unwrap();
        let _service = listener.accept().unwrap();
        let listener = Listener::bind("tcp:127.0.0.1:0").unwrap();
        let _client = Stream::connect(&format!("tcp:127.0.0.1:{}", listener.port().unwrap()));
        return;
    }
    // The results are injected, because only Linux 7.1 and later have the attribute.
    for result in ["retval=0", "error=EPERM"] {
        let Some(mut strace) = strace() else {
            return;
        };
        let path = std::env::temp_dir().join(format!("nullink-test-tags-{}", std::process::id()));
        let path = path.to_str().unwrap();
        let output = strace
            .args(["-f", "-qq", "-e", "trace=fsetxattr,lsetxattr", "-e"])
            .arg(format!("inject=fsetxattr,lsetxattr:{result}"))
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(AGAIN, path)
            .output()
            .unwrap();
        fs::remove_file(path).unwrap();
        assert!(output.status.success());
        let trace = String::from_utf8(output.stderr).unwrap();
        let tags: Vec<_> = trace
            .lines()
            .filter_map(|line| line.split_once("\"user.varlink\", \""))
            .map(|(before, tag)| (before.contains(path), tag.split('"').next().unwrap()))
            .collect();
        let mut expected = vec![(true, "entrypoint"), (false, "listen"), (false, "client")];
        if result == "retval=0" {
            expected.push((false, "server"));
        }
        assert_eq!(tags, expected, "{trace}");
    }
}

#[test]
fn l4_tcp_connections_have_keepalive_enabled() {
    use rustix::net::sockopt::{socket_keepalive, tcp_keepcnt, tcp_keepidle, tcp_keepintvl};
    use rustix::net::{AddressFamily, SocketType};
    let listener = Listener::bind("tcp:127.0.0.1:0").unwrap();
    let address = format!("tcp:127.0.0.1:{}", listener.port().unwrap());
    let to: SocketAddr = address["tcp:".len()..].parse().unwrap();
    let client = Stream::connect(&address).unwrap();
    let accepted = listener.accept().unwrap();
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::connect(&socket, &to).unwrap();
    for stream in [client, accepted, Stream::from(socket)] {
        assert_eq!(socket_keepalive(&stream), Ok(true));
        assert_eq!(tcp_keepidle(&stream), Ok(Duration::from_secs(60)));
        assert_eq!(tcp_keepintvl(&stream), Ok(Duration::from_secs(10)));
        assert_eq!(tcp_keepcnt(&stream), Ok(3));
    }
}

#[test]
fn the_directories_of_a_socket_are_made_with_a_mode() {
    use std::os::unix::fs::PermissionsExt;
    let root = std::env::temp_dir().join(format!("nullink-made-{}", std::process::id()));
    fs::create_dir(&root).unwrap();
    fs::write(root.join("file"), "").unwrap();
    let root_text = root.to_str().unwrap();
    let path = format!("{root_text}/a/b/socket");
    assert_eq!(Listener::bind(&path).err(), Some(IoError::NoDirectory));
    for address in [
        format!("unix:{path};mode=0600"),
        path.clone(),
        String::from("unix:@nullink-no-directory"),
        String::from("tcp:127.0.0.1:0"),
        String::from("/socket"),
    ] {
        assert_eq!(
            Listener::make_directory(&address, 0o700),
            Ok(()),
            "{address}"
        );
    }
    for made in ["a", "a/b"] {
        let mode = fs::metadata(root.join(made)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{made}");
    }
    Listener::bind(&path).unwrap();
    let in_file = format!("{root_text}/file/a/socket");
    let made = Listener::make_directory(&in_file, 0o700);
    assert_eq!(made, Err(IoError::NoDirectory));
    let long = format!("{root_text}/{}/socket", "x".repeat(107));
    let made = Listener::make_directory(&long, 0o700);
    assert_eq!(made, Err(IoError::PathTooLong));
    fs::remove_dir_all(&root).unwrap();
}
