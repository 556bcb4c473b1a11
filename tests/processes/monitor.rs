//! The example `monitor`, which parks its calls until the kernel sends a uevent.
#![cfg(all(feature = "unix", target_os = "linux"))]

use crate::example;
use crate::shared::monitor;

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use example::example;
use monitor::{
    CLIENTS, Error, Event, Monitor, REPLY, Report, SEND, Subscribe, Subscription, TOPIC, Trigger,
    UEVENTS, Uevents,
};
use nullink::client::CallError;
use nullink::server::{self, Interest, Server, Slots};
use nullink::service::ServiceError;
use nullink::unix::{Stream, Timeouts};
use nullink::{Client, Mode};
use rustix::fd::OwnedFd;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, SendFlags, SocketType, getsockname, sendto, socket};

/// The service, and a server whose first client has already disconnected.
struct Served {
    server: Server<'static, Subscription, CLIENTS>,
    service: Box<Monitor>,
    /// The socket that uevents are received from.
    socket: Option<OwnedFd>,
}

impl Served {
    fn new() -> Self {
        let slots = Box::leak(Box::new(Slots::<CLIENTS, 1024, SEND>::new()));
        let (_, gone) = Stream::pair().unwrap();
        Served {
            server: Server::new(gone, slots).unwrap(),
            service: Box::new(Monitor {
                uevents: Uevents::new(),
            }),
            socket: None,
        }
    }

    /// Makes the server receive uevents from a socket.
    fn watch(&mut self, socket: OwnedFd) {
        let watched = self.server.watch(&socket, Interest::Readable, UEVENTS);
        watched.unwrap();
        self.socket = Some(socket);
    }

    /// Runs the server until it has nothing to do. Returns how often the socket was readable.
    fn run(&mut self) -> u32 {
        let mut received = 0;
        while let Some(event) = self.server.try_step(&mut *self.service).unwrap() {
            match event {
                server::Event::Ready(UEVENTS) => {
                    let uevents = &mut self.service.uevents;
                    monitor::receive(&mut self.server, uevents, self.socket.as_mut().unwrap());
                    received += 1;
                    assert!(received < 1000, "the socket stays readable");
                }
                server::Event::Idle => break,
                _ => {}
            }
        }
        received
    }

    fn connect(&mut self) -> Client<'static, Stream> {
        let (mut ours, theirs) = Stream::pair().unwrap();
        let reply = Some(Duration::from_secs(60));
        ours.set_timeouts(Timeouts {
            reply,
            ..Timeouts::default()
        })
        .unwrap();
        self.server.adopt(theirs).unwrap();
        Client::new(ours, vec![0; REPLY].leak(), vec![0; REPLY].leak())
    }

    /// Returns a client that has subscribed and has read the first report.
    fn subscribe(&mut self, subsystem: Option<&str>) -> Client<'static, Stream> {
        let mut client = self.connect();
        client.queue(&Subscribe { subsystem }, Mode::More).unwrap();
        client.flush().unwrap();
        self.run();
        assert_eq!(next(&mut client), Report::default());
        client
    }

    fn publish(&mut self, subsystem: &str, sequence: i64, more: &str) {
        let message = format!("add@/{subsystem}\0SUBSYSTEM={subsystem}\0SEQNUM={sequence}\0{more}");
        self.push(message.as_bytes());
    }

    /// Stores a message as if from the kernel, and sends it to the clients that wait for it.
    fn push(&mut self, message: &[u8]) {
        self.service.uevents.push(message);
        self.server.wake(TOPIC);
        self.run();
    }

    fn trigger(&mut self, devpath: &str) -> Result<(), String> {
        let mut client = self.connect();
        let action = "change";
        client
            .queue(&Trigger { devpath, action }, Mode::Simple)
            .unwrap();
        client.flush().unwrap();
        self.run();
        client
            .receive::<Trigger>()
            .map_err(|error| error.to_string())
    }
}

fn next<'c>(client: &'c mut Client<'static, Stream>) -> Report<'c> {
    client
        .receive_raw()
        .unwrap()
        .into_result::<Subscribe>()
        .unwrap()
}

fn next_sequence(client: &mut Client<'static, Stream>) -> i64 {
    next(client).event.expect("an event").sequence
}

fn lost(count: u32) -> Report<'static> {
    Report {
        event: None,
        lost: Some(count),
    }
}

#[test]
fn every_client_gets_the_events_of_its_subsystem() {
    let mut served = Served::new();
    let mut all = served.subscribe(None);
    let (mut net, mut usb) = (served.subscribe(Some("net")), served.subscribe(Some("usb")));
    let mut net_too = served.subscribe(Some("net"));
    served.publish("net", 1, "INTERFACE=lo\0");
    served.publish("block", 2, "");
    served.publish("usb", 3, "");
    let event = next(&mut all).event.expect("an event");
    assert_eq!((event.devpath, event.subsystem), ("/net", Some("net")));
    assert_eq!(event.properties.get("INTERFACE"), Some(&"lo"));
    drop(event);
    assert_eq!(next_sequence(&mut all), 2);
    assert_eq!(next_sequence(&mut all), 3);
    assert_eq!(next_sequence(&mut net), 1);
    assert_eq!(next_sequence(&mut net_too), 1);
    assert_eq!(next_sequence(&mut usb), 3);
}

#[test]
fn disconnected_clients_free_the_places_of_their_subsystems() {
    let mut served = Served::new();
    let mut stays = served.subscribe(Some("stays"));
    for i in 0..3 * CLIENTS {
        let name = format!("goes{i}");
        let mut goes = served.subscribe(Some(&name));
        served.publish(&name, 7, "");
        assert_eq!(next_sequence(&mut goes), 7);
        drop(goes);
        served.run();
    }
    served.publish("goes0", 1, "");
    served.publish("stays", 2, "");
    assert_eq!(next_sequence(&mut stays), 2);
    // As many clients as the server has places for, each with its own subsystem.
    let names: Vec<String> = (1..CLIENTS).map(|i| format!("fills{i}")).collect();
    let mut clients: Vec<_> = names
        .iter()
        .map(|name| served.subscribe(Some(name)))
        .collect();
    for (name, client) in names.iter().zip(&mut clients) {
        served.publish(name, 3, "");
        assert_eq!(next_sequence(client), 3);
    }
}

#[test]
fn a_client_that_does_not_read_is_told_how_many_events_it_missed() {
    const N: i64 = 3000;
    let mut served = Served::new();
    let (mut slow, mut fast) = (served.subscribe(None), served.subscribe(None));
    for sequence in 0..N {
        served.publish("net", sequence, "");
        assert_eq!(next_sequence(&mut fast), sequence);
    }
    let mut expected = 0;
    while expected < N {
        served.run();
        let report = next(&mut slow);
        match report.event {
            Some(event) => assert_eq!(event.sequence, expected),
            None => assert!(report.lost.unwrap() > 100),
        }
        expected += i64::from(report.lost.unwrap_or(1));
    }
    assert_eq!(expected, N);
    served.publish("net", N, "");
    assert_eq!(next_sequence(&mut slow), N);
}

#[test]
fn only_messages_that_cannot_be_reported_are_lost() {
    let mut served = Served::new();
    let (mut all, mut net) = (served.subscribe(None), served.subscribe(Some("net")));
    // Longer than a reply can be after escaping.
    let long = format!("LONG={}\0", "\u{1}".repeat(REPLY / 4));
    served.publish("net", 1, &long);
    assert_eq!(next(&mut all), lost(1));
    assert_eq!(next(&mut net), lost(1));
    // Not a valid uevent, so it may have been meant for any client.
    served.push(b"\xff\xff");
    assert_eq!(next(&mut all), lost(1));
    assert_eq!(next(&mut net), lost(1));
    // Only the clients of its subsystem are told about the loss.
    served.publish("usb", 1, &long);
    served.publish("net", 2, "");
    assert_eq!(next(&mut all), lost(1));
    assert_eq!(next_sequence(&mut all), 2);
    assert_eq!(next_sequence(&mut net), 2);
}

#[test]
fn invalid_calls_are_refused() {
    let mut served = Served::new();
    let long = "x".repeat(65);
    let mut client = served.connect();
    for (subsystem, mode) in [(Some(&long[..]), Mode::More), (None, Mode::Simple)] {
        client.queue(&Subscribe { subsystem }, mode).unwrap();
        client.flush().unwrap();
        served.run();
        match (
            client.receive_raw().unwrap().into_result::<Subscribe>(),
            mode,
        ) {
            (Err(CallError::Service(ServiceError::InvalidParameter { parameter })), Mode::More) => {
                assert_eq!(parameter, "subsystem");
            }
            (Err(CallError::Service(ServiceError::ExpectedMore)), Mode::Simple) => {}
            (other, _) => panic!("{other:?}"),
        }
    }
    let mut trigger = |devpath: &str, action: &str| {
        client
            .queue(&Trigger { devpath, action }, Mode::Simple)
            .unwrap();
        client.flush().unwrap();
        served.run();
        match client.receive::<Trigger>() {
            Err(CallError::Service(error)) => format!("{error:?}"),
            Err(CallError::Method(error)) => format!("{error:?}"),
            other => panic!("{other:?}"),
        }
    };
    // The other checks are made for root only.
    if trigger("/devices/none", "add") == "PermissionDenied" {
        return;
    }
    let none = Error::NoSuchDevice {
        devpath: "/devices/none",
    };
    assert_eq!(trigger("/devices/none", "add"), format!("{none:?}"));
    for devpath in [
        "",
        "devices",
        "/../etc/passwd",
        "/devices/../..",
        &"/x".repeat(300),
        "/\0",
    ] {
        let refused = r#"InvalidParameter { parameter: "devpath" }"#;
        assert_eq!(trigger(devpath, "add"), refused, "{devpath}");
    }
    let refused = r#"InvalidParameter { parameter: "action" }"#;
    assert_eq!(trigger(NULL, "explode"), refused);
}

#[test]
fn trigger_needs_root_and_monitor_needs_a_server() {
    let calls = [
        (
            r#"Trigger","parameters":{"devpath":"/devices","action":"add"}"#,
            "PermissionDenied",
        ),
        (r#"Monitor","more":true"#, "MethodNotImplemented"),
    ];
    for (call, error) in calls {
        // A stream that has no credentials of its peer.
        let call = format!("{{\"method\":\"org.example.uevents.{call}}}\0");
        let mut reply = [0; 256];
        let stream = nullink::Duplex {
            reader: call.as_bytes(),
            writer: &mut reply[..],
        };
        let uevents = Uevents::new();
        let mut service = Monitor { uevents };
        let (mut receive, mut send) = ([0; 256], [0; 256]);
        let end = nullink::serve(&mut service, stream, &mut receive, &mut send);
        assert_eq!(end, Ok(nullink::End::Closed));
        let reply = String::from_utf8_lossy(&reply);
        assert!(
            reply.contains(&format!("org.varlink.service.{error}\"")),
            "{reply}"
        );
    }
}

// Devices that every Linux has. Each test uses its own one: all tests receive all uevents.
const NULL: &str = "/devices/virtual/mem/null";
const ZERO: &str = "/devices/virtual/mem/zero";
const RANDOM: &str = "/devices/virtual/mem/random";
const FULL: &str = "/devices/virtual/mem/full";
const URANDOM: &str = "/devices/virtual/mem/urandom";
const KMSG: &str = "/devices/virtual/mem/kmsg";

/// Returns a server that receives the kernel's uevents, if this process can trigger some.
fn kernel() -> Option<Served> {
    let mut served = Served::new();
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(format!("/sys{NULL}/uevent"));
    if let (Ok(_), Ok(socket)) = (file, monitor::open_socket()) {
        served.watch(socket);
        return Some(served);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "needs root, netlink and a writable /sys"
    );
    println!("skipped: needs root, netlink and a writable /sys");
    None
}

/// True if an event is about a device.
fn is_about(event: &Option<Event<'_>>, devpath: &str) -> bool {
    event.as_ref().is_some_and(|event| event.devpath == devpath)
}

#[test]
fn uevents_are_accepted_only_from_the_kernel() {
    let Some(mut served) = kernel() else { return };
    let mut client = served.subscribe(Some("mem"));
    let address = getsockname(served.socket.as_ref().unwrap()).unwrap();
    let ours = SocketAddrNetlink::try_from(address).unwrap();
    let forger = socket(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        Some(netlink::KOBJECT_UEVENT),
    );
    let forged = format!("forged@{NULL}\0SUBSYSTEM=mem\0SEQNUM=1\0");
    let to = SocketAddrNetlink::new(ours.pid(), 0);
    let sent = sendto(forger.unwrap(), forged.as_bytes(), SendFlags::empty(), &to);
    assert_eq!(sent, Ok(forged.len()));
    served.trigger(NULL).unwrap();
    loop {
        let report = next(&mut client);
        if is_about(&report.event, NULL) {
            let event = report.event.unwrap();
            assert_eq!((event.action, event.subsystem), ("change", Some("mem")));
            assert_eq!(event.properties.get("DEVNAME"), Some(&"null"));
            assert!(event.sequence > 1);
            break;
        }
        served.run();
    }
}

#[test]
fn an_overflow_of_the_kernels_buffer_is_reported_as_lost() {
    let Some(mut served) = kernel() else { return };
    let mut client = served.subscribe(Some("mem"));
    let socket = served.socket.as_ref().unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(socket, 0).unwrap();
    let file = format!("/sys{ZERO}/uevent");
    for _ in 0..100 {
        std::fs::write(&file, "change").unwrap();
    }
    served.run();
    let mut events = 0;
    while next(&mut client) != lost(1) {
        events += 1;
    }
    assert!(events < 100);
    // Later events are still received.
    served.trigger(ZERO).unwrap();
    while !is_about(&next(&mut client).event, ZERO) {}
}

#[test]
fn l1_many_uevents_do_not_starve_the_clients() {
    let Some(mut served) = kernel() else { return };
    let mut client = served.subscribe(Some("mem"));
    for _ in 0..100 {
        std::fs::write(format!("/sys{FULL}/uevent"), "change").unwrap();
    }
    assert!(served.run() > 3, "all were received in one turn");
    for _ in 0..100 {
        while !is_about(&next(&mut client).event, FULL) {}
    }
}

#[test]
fn an_unusual_socket_error_is_reported_as_lost_and_ends_nothing() {
    let Some(mut served) = kernel() else { return };
    let mut client = served.subscribe(Some("mem"));
    // Always readable, and recvfrom(2) always fails with ENOTSOCK.
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    drop(writer);
    let socket = served.socket.take().unwrap();
    served.server.unwatch(&socket).unwrap();
    drop(socket);
    served.watch(reader);
    served.run();
    assert_eq!(next(&mut client), lost(1));
    // Uevents are received again.
    served.trigger(KMSG).unwrap();
    while !is_about(&next(&mut client).event, KMSG) {}
}

/// A process that is killed when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn follow_prints_the_events_of_a_running_service() {
    let (Some(mut service), Some(mut follow)) = (example("monitor"), example("monitor")) else {
        return;
    };
    let Some(_) = kernel() else { return };
    let path = std::env::temp_dir().join(format!("nullink-{}-monitor", std::process::id()));
    let address = format!("unix:{}", path.display());
    let service = Running(service.arg(&address).spawn().unwrap());
    let begin = Instant::now();
    while UnixStream::connect(&path).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(60), "does not listen");
        std::thread::yield_now();
    }
    let follow = follow.args(["--follow", &address, "mem"]);
    let mut follow = Running(follow.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(follow.0.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "listening");
    std::fs::write(format!("/sys{RANDOM}/uevent"), "change").unwrap();
    let end = format!(" change {RANDOM}");
    assert!(lines.any(|line| line.unwrap().ends_with(&end)));
    assert!(lines.any(|line| line.unwrap() == "  DEVNAME=random"));
    drop(service);
    assert!(!follow.0.wait().unwrap().success());
    let _ = std::fs::remove_file(path);
}

#[test]
fn follow_ends_quietly_when_nobody_reads_its_output() {
    let (Some(mut service), Some(mut follow)) = (example("monitor"), example("monitor")) else {
        return;
    };
    let Some(_) = kernel() else { return };
    let path = std::env::temp_dir().join(format!("nullink-{}-quiet", std::process::id()));
    let address = format!("unix:{}", path.display());
    let _service = Running(service.arg(&address).spawn().unwrap());
    let begin = Instant::now();
    while UnixStream::connect(&path).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(60), "does not listen");
        std::thread::yield_now();
    }
    let follow = follow.args(["--follow", &address, "mem"]);
    let follow = follow.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut follow = follow.spawn().unwrap();
    // As in `monitor --follow .. | head -n 1`.
    let mut line = String::new();
    let mut output = BufReader::new(follow.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "listening\n");
    drop(output);
    std::fs::write(format!("/sys{URANDOM}/uevent"), "change").unwrap();
    let ended = follow.wait_with_output().unwrap();
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), &errors[..]), (Some(0), ""));
    let _ = std::fs::remove_file(path);
}

#[test]
fn wrong_arguments_are_reported() {
    for arguments in [
        &[][..],
        &["nonsense"],
        &["--nonsense"],
        &["nonsense:/x"],
        &["--follow"],
        &["a", "b"],
        &["unix:/no/such/one"],
    ] {
        let Some(mut command) = example("monitor") else {
            return;
        };
        let output = command.args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        let begins = match arguments {
            [] | [_, _] => "monitor: usage: ".to_string(),
            [address] => format!("monitor: {address}: "),
            _ => unreachable!(),
        };
        assert!(text.starts_with(&begins), "{text}");
    }
}
