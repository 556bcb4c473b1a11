//! Errors of system calls in other processes, injected by strace(1): in the first call of its name,
//! then in the second, and so on, until a conversation needs no more calls. Each error has a process
//! of its own.
#![cfg(all(feature = "unix", target_os = "linux"))]

use crate::addresses::{Master, terminal};
use crate::common::serving::{echo, serve};
use crate::common::{EMPTY, t};
use crate::{example, strace};

use std::fs::{self, File};
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use example::example_path;
use nullink::unix::{Listener, Stream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use strace::strace;

/// The time in which everything must happen.
const LIMIT: Duration = Duration::from_secs(30);

/// The time without a byte after which a serial line is considered silent. It does not report that
/// the service has closed it.
const SILENCE: Duration = Duration::from_millis(200);

/// The errors that are injected into a system call. Those that its man page does not name are
/// missing.
#[derive(Clone, Copy)]
struct Fault {
    call: &'static str,
    /// Errors that a client does not notice: the service repeats the call, or does without it.
    hidden: &'static [&'static str],
    /// Errors that may end a connection, or a service that does not serve yet.
    fatal: &'static [&'static str],
}

const ACCEPT: Fault = Fault {
    call: "accept4",
    hidden: &[
        "EINTR",
        "EAGAIN",
        "ECONNABORTED",
        "EMFILE",
        "ENFILE",
        "ENOBUFS",
        "ENOMEM",
    ],
    fatal: &[],
};
const WAIT: Fault = Fault {
    call: "epoll_pwait",
    hidden: &["EINTR"],
    fatal: &[],
};
const ADD: Fault = Fault {
    call: "epoll_ctl",
    hidden: &[],
    fatal: &["ENOMEM", "ENOSPC"],
};
const RECEIVE: Fault = Fault {
    call: "recvmsg",
    hidden: &["EINTR", "EAGAIN"],
    fatal: &["ECONNRESET", "ENOMEM"],
};
const SEND: Fault = Fault {
    call: "sendto",
    hidden: &["EINTR", "EAGAIN"],
    fatal: &["ECONNRESET", "EPIPE", "ENOBUFS", "ENOMEM"],
};
const SEND_DESCRIPTORS: Fault = Fault {
    call: "sendmsg",
    ..SEND
};
const GET_PEER: Fault = Fault {
    call: "getsockopt",
    hidden: &["ENOBUFS"],
    fatal: &[],
};
const SOCKET: Fault = Fault {
    call: "socket",
    hidden: &[],
    fatal: &["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"],
};
const OPEN: Fault = Fault {
    call: "open",
    hidden: &[],
    fatal: &["EMFILE", "ENFILE", "ENOMEM"],
};
const CONNECT: Fault = Fault {
    call: "connect",
    hidden: &["EINTR"],
    fatal: &["EAGAIN"],
};
const POLL: Fault = Fault {
    call: "poll",
    hidden: &["EINTR"],
    fatal: &["ENOMEM"],
};

const READ: Fault = Fault {
    call: "read",
    hidden: &["EINTR", "EAGAIN"],
    fatal: &["EIO"],
};
const WRITE: Fault = Fault {
    call: "write",
    ..READ
};
const OPEN_DEVICE: Fault = Fault {
    call: "open",
    hidden: &["EINTR", "EMFILE", "ENFILE", "ENOMEM"],
    fatal: &[],
};
/// A terminal is duplicated.
const DUPLICATE: Fault = Fault {
    call: "fcntl",
    hidden: &["EMFILE"],
    fatal: &[],
};
const ADD_DEVICE: Fault = Fault {
    hidden: ADD.fatal,
    fatal: &[],
    ..ADD
};

/// A conversation with a service in another process.
struct Scenario {
    example: &'static str,
    /// The arguments of the example. `ADDRESS` stands for its address.
    arguments: Vec<String>,
    over: Over,
    faults: Vec<Fault>,
    /// The steps during which the error happens.
    steps: Vec<Step>,
    /// The steps of other clients after the error. They use all places of the service at once.
    after: Vec<Step>,
}

/// The transport, and the number of descriptors that a connection takes up in the traced process.
#[derive(Clone, Copy, PartialEq)]
enum Over {
    Socket { descriptors: usize },
    Terminal,
}

/// One client sends bytes and descriptors, and waits for a number of messages.
struct Step {
    client: usize,
    bytes: String,
    descriptors: usize,
    replies: usize,
}

fn step(client: usize, messages: &[&str], replies: usize) -> Step {
    Step {
        client,
        bytes: messages.iter().map(|text| format!("{text}\0")).collect(),
        descriptors: 0,
        replies,
    }
}

/// The messages that a client has received, and the number of descriptors.
type Received = (String, usize);

/// What the clients of some steps have received.
#[derive(Default)]
struct Heard {
    clients: Vec<Received>,
    /// True if all steps were done. They end with the first connection that ends.
    is_complete: bool,
    /// True if the last step had neither replies nor the end of the connection.
    is_silent: bool,
}

/// A traced process that serves.
struct Service {
    child: Child,
    directory: PathBuf,
    terminal: Option<(Master, OwnedFd)>,
}

impl Service {
    fn start(scenario: &Scenario, options: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("nullink-faults-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let mut address = format!("unix:{}/socket", directory.display());
        let mut other_end = None;
        // -D: the child of this process is the service, not strace.
        let mut strace = strace().expect("it was found before");
        strace.args(["-D", "-f", "-qq", "-o"]);
        strace.arg(directory.join("log")).args(options);
        if scenario.over == Over::Terminal {
            let (master, path, other) = terminal();
            // The service restores these settings, and must not make the terminal echo.
            let mut raw = tcgetattr(&other).unwrap();
            raw.make_raw();
            tcsetattr(&other, OptionalActions::Now, &raw).unwrap();
            address = format!("device:{path}");
            if options
                .iter()
                .any(|option| option.contains("=read:") || option.contains("=write:"))
            {
                // Other files are read before the program starts.
                strace.args(["-P", &path]);
            }
            other_end = Some((master, other));
        }
        strace.arg(example_path(scenario.example).expect("it was found before"));
        let arguments = scenario.arguments.iter();
        strace.args(arguments.map(|text| text.replace("ADDRESS", &address)));
        strace.stdin(Stdio::null()).stdout(Stdio::null());
        strace.stderr(File::create(directory.join("messages")).unwrap());
        Service {
            child: strace.spawn().unwrap(),
            directory,
            terminal: other_end,
        }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.join(name)).unwrap_or_default()
    }

    /// Returns the lines of the log up to the injected error, or None if it was not reached.
    fn log(&self) -> Option<Vec<String>> {
        let log = self.read("log");
        let lines = log.lines().map(String::from).collect::<Vec<_>>();
        let end = lines.iter().position(|line| line.contains("(INJECTED)"))?;
        Some(lines[..=end].to_vec())
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until there are at most `count` open descriptors.
    fn has_descriptors(&mut self, count: usize) -> bool {
        let end = Instant::now() + LIMIT;
        while self.descriptors() > count {
            if Instant::now() > end {
                return false;
            }
            thread::yield_now();
        }
        true
    }

    fn descriptors(&self) -> usize {
        let all = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        all.map_or(0, Iterator::count)
    }

    /// Connects to the service as soon as it serves. Returns None if it has ended.
    fn connect(&mut self) -> Option<Connection> {
        let end = Instant::now() + LIMIT;
        let path = self.directory.join("socket");
        loop {
            let connection = match &self.terminal {
                Some((master, _)) => {
                    Connection::Terminal(master.try_clone().unwrap()).synchronized()
                }
                None => Stream::connect(path.to_str().unwrap())
                    .ok()
                    .map(|stream| Connection::Socket(stream.into())),
            };
            if connection.is_some() {
                return connection;
            }
            if self.status().is_some() {
                return None;
            }
            assert!(Instant::now() < end, "no connection");
            thread::yield_now();
        }
    }

    /// Does the steps, until one fails.
    fn run(&mut self, steps: &[Step], silence: Duration) -> Heard {
        let mut heard = Heard::default();
        self.run_until(&mut heard, steps, silence);
        for (text, _) in &mut heard.clients {
            *text = without_uptime(text);
        }
        heard
    }

    fn run_until(&mut self, heard: &mut Heard, steps: &[Step], silence: Duration) {
        let mut connections = Vec::new();
        for step in steps {
            while connections.len() <= step.client {
                let Some(connection) = self.connect() else {
                    return;
                };
                connections.push(connection);
                heard.clients.push(Received::default());
            }
            let connection = &mut connections[step.client];
            let received = &mut heard.clients[step.client];
            connection.send(step);
            match connection.receive(received, step.replies, silence) {
                Some(true) => {}
                end => {
                    heard.is_silent = end.is_none();
                    return;
                }
            }
        }
        heard.is_complete = true;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A client's end of a connection.
enum Connection {
    Socket(OwnedFd),
    Terminal(Master),
}

impl Connection {
    /// Ends the conversation of an earlier client, and repeats a call until its reply is received:
    /// bytes that were sent before the service has opened the device are lost. Returns None if the
    /// service does not answer.
    fn synchronized(mut self) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let call = t("Need", &format!(r#"{{"s":"{number}"}}"#));
        self.send(&step(0, &["", "", &call], 1));
        let reply = format!("{{\"parameters\":{{\"s\":\"{number}\"}}}}\0");
        let mut received = Received::default();
        let mut replies = 0;
        while !received.0.ends_with(&reply) {
            replies += 1;
            self.receive(&mut received, replies, SILENCE)?;
        }
        Some(self)
    }

    fn send(&mut self, step: &Step) {
        match self {
            Connection::Terminal(master) => master.write_all(step.bytes.as_bytes()).unwrap(),
            // If the service has closed the connection, the next read finds it out.
            Connection::Socket(socket) => _ = send(socket, step),
        }
    }

    /// Waits until `replies` more messages were received. Returns false if the connection ends, and
    /// None if there is no byte for the time of `silence`.
    fn receive(
        &mut self,
        received: &mut Received,
        replies: usize,
        silence: Duration,
    ) -> Option<bool> {
        let count = |text: &str| text.matches('\0').count();
        let wanted = count(&received.0) + replies;
        while count(&received.0) < wanted {
            let fd = match &*self {
                Connection::Socket(socket) => socket.as_fd(),
                Connection::Terminal(master) => master.as_fd(),
            };
            let limit = Timespec::try_from(silence).unwrap();
            if poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&limit)).unwrap() == 0 {
                return None;
            }
            let mut bytes = [0; 4096];
            let count = match self {
                Connection::Terminal(master) => master.read(&mut bytes).unwrap(),
                Connection::Socket(socket) => match receive(socket, &mut bytes) {
                    Ok((count, descriptors)) => {
                        received.1 += descriptors;
                        count
                    }
                    Err(errno) => {
                        assert_eq!(errno, Errno::CONNRESET);
                        0
                    }
                },
            };
            if count == 0 {
                return Some(false);
            }
            received.0 += std::str::from_utf8(&bytes[..count]).unwrap();
        }
        Some(true)
    }
}

/// Calls sendmsg(2) with the descriptors of the step.
fn send(socket: &OwnedFd, step: &Step) -> Result<usize, Errno> {
    let (given, _) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let given: Vec<BorrowedFd<'_>> = (0..step.descriptors).map(|_| given.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !given.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(&given)));
    }
    let bytes = [IoSlice::new(step.bytes.as_bytes())];
    sendmsg(socket, &bytes, &mut control, SendFlags::NOSIGNAL)
}

/// Calls recvmsg(2). Returns the number of bytes and that of descriptors, and closes these.
fn receive(socket: &OwnedFd, bytes: &mut [u8]) -> Result<(usize, usize), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let bytes = &mut [IoSliceMut::new(bytes)];
    let received = recvmsg(socket, bytes, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let descriptors = control.drain().map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.count(),
        _ => 0,
    });
    Ok((received.bytes, descriptors.sum()))
}

/// Removes the times from replies to GetState.
fn without_uptime(text: &str) -> String {
    let mut parts = text.split(",\"uptime\":");
    let first = parts.next().map(String::from);
    let rest = parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
    first.into_iter().chain(rest.map(String::from)).collect()
}

impl Scenario {
    /// Runs the scenario without an error, and then once for each error and each call.
    fn check(&self) {
        if strace().is_none() || example_path(self.example).is_none() {
            return;
        }
        let trace = |call: &str| format!("trace={call},accept4,epoll_pwait");
        let mut service = Service::start(self, &["-e", &trace("accept4")]);
        let base = self.base(&mut service);
        let whole = service.run(&self.steps, LIMIT);
        let after = service.run(&self.after, LIMIT);
        assert!(
            whole.is_complete && after.is_complete,
            "{:?}",
            whole.clients
        );
        drop(service);
        let clean = Clean { whole, after, base };
        for fault in &self.faults {
            let hidden = fault.hidden.iter().map(|error| (error, true));
            let fatal = fault.fatal.iter().map(|error| (error, false));
            for (error, is_hidden) in hidden.chain(fatal) {
                let mut number = 1;
                loop {
                    let inject = format!("inject={}:error={error}:when={number}", fault.call);
                    let options = ["-e", &trace(fault.call), "-e", &inject];
                    let service = Service::start(self, &options);
                    if !self.check_one(service, &inject, is_hidden, &clean) {
                        break;
                    }
                    number += 1;
                }
                assert!(number > 1, "{} is not called", fault.call);
            }
        }
    }

    /// Returns the number of descriptors that are open without clients.
    fn base(&self, service: &mut Service) -> usize {
        let mut client = service.connect().expect("a service");
        client.send(&self.after[0]);
        let replies = self.after[0].replies;
        assert_eq!(
            client.receive(&mut Received::default(), replies, LIMIT),
            Some(true)
        );
        let Over::Socket { descriptors } = self.over else {
            return service.descriptors();
        };
        service.descriptors() - descriptors
    }

    /// Runs the scenario with an error. Returns false if it was not reached.
    fn check_one(
        &self,
        mut service: Service,
        inject: &str,
        is_hidden: bool,
        clean: &Clean,
    ) -> bool {
        // A serial line is silent after an error. A socket is closed.
        let may_be_silent = self.over == Over::Terminal && !is_hidden;
        let silence = if may_be_silent { SILENCE } else { LIMIT };
        let heard = service.run(&self.steps, silence);
        assert!(
            !heard.is_silent || may_be_silent,
            "{inject}: neither a reply nor the end: {:?}",
            heard.clients
        );
        // An ended process has none.
        let is_back = service.has_descriptors(clean.base);
        let Some(log) = service.log() else {
            assert!(heard.is_complete, "{inject}: an error without an injection");
            return false;
        };
        if log.last().is_some_and(|line| is_impossible(line)) {
            return true;
        }
        if !heard.is_complete && !has_started(&log) {
            let status = service.child.wait().unwrap();
            let messages = service.read("messages");
            let is_clear = !status.success() && !messages.is_empty();
            assert!(!is_hidden && is_clear, "{inject}: {status}, {messages}");
            return true;
        }
        assert!(
            is_back,
            "{inject}: a descriptor is left open: {}",
            service.descriptors()
        );
        let pairs = heard.clients.iter().zip(&clean.whole.clients);
        for ((text, descriptors), (all, passed)) in pairs {
            let is_prefix = all.starts_with(text) && (text.is_empty() || text.ends_with('\0'));
            let is_passed = if text == all {
                descriptors == passed
            } else {
                descriptors <= passed
            };
            assert!(
                is_prefix && is_passed,
                "{inject}: {text:?}, {descriptors} descriptors"
            );
        }
        assert!(
            !is_hidden || heard.is_complete,
            "{inject}: {:?}",
            heard.clients
        );

        let after = service.run(&self.after, LIMIT);
        assert!(
            after.is_complete,
            "{inject}: other clients: {:?}",
            after.clients
        );
        assert_eq!(after.clients, clean.after.clients, "{inject}");
        let is_back = service.has_descriptors(clean.base);
        assert!(
            is_back,
            "{inject}: a descriptor is left open: {}",
            service.descriptors()
        );
        assert_eq!(service.status(), None, "{inject}");
        true
    }
}

/// The results without an error.
struct Clean {
    whole: Heard,
    after: Heard,
    /// The number of open descriptors without clients.
    base: usize,
}

/// True if the kernel does not return this error: epoll_ctl(2) needs memory to add a descriptor only.
fn is_impossible(line: &str) -> bool {
    line.contains("EPOLL_CTL_MOD") || line.contains("EPOLL_CTL_DEL")
}

/// True if the service waited for clients before the error.
fn has_started(log: &[String]) -> bool {
    let calls = ["accept4(", "epoll_pwait(", " read(", " write("];
    let is_one = |line: &String| calls.iter().any(|call| line.contains(call));
    log.iter().any(is_one)
}

/// The calls of a service, in an example with a [`nullink::server::Server`] of 16 places.
fn conformance(faults: &[Fault], steps: Vec<Step>) -> Scenario {
    Scenario {
        example: "conformance",
        arguments: vec!["ADDRESS".to_owned()],
        over: Over::Socket { descriptors: 1 },
        faults: faults.to_vec(),
        steps,
        after: (0..16).map(|client| step(client, &[EMPTY], 1)).collect(),
    }
}

const SERVE: &[Fault] = &[WAIT, ADD, RECEIVE, SEND];

#[test]
fn l4_a_call_is_answered_or_its_connection_ends() {
    let steps = vec![step(0, &[EMPTY], 1)];
    let faults = [SERVE, &[OPEN, SOCKET, GET_PEER]].concat();
    conformance(&faults, steps).check();
}

#[test]
fn l4_a_stream_is_whole_or_its_connection_ends() {
    let count = r#"{"method":"org.example.t.Count","more":true,"parameters":{"n":50}}"#;
    conformance(SERVE, vec![step(0, &[count], 50), step(0, &[EMPTY], 1)]).check();
}

#[test]
fn l4_an_upgraded_connection_works_or_ends() {
    let pipe = r#"{"method":"org.example.t.Pipe","upgrade":true}"#;
    let steps = vec![step(0, &[pipe], 1), step(0, &["raw", "bytes"], 2)];
    conformance(SERVE, steps).check();
}

#[test]
fn x3_descriptors_are_passed_or_closed() {
    let call = Step {
        descriptors: 2,
        ..step(0, &[&t("Fds", "{}")], 1)
    };
    let steps = vec![call, step(0, &[EMPTY], 1)];
    conformance(&[RECEIVE, SEND, SEND_DESCRIPTORS], steps).check();
}

#[test]
fn l4_clients_that_are_not_accepted_at_once_are_served() {
    let steps = (0..3).map(|client| step(client, &[EMPTY], 1)).collect();
    conformance(&[ACCEPT], steps).check();
}

/// The calls of a service, in an example with a `Server` of 8 places and calls that park.
fn init(faults: &[Fault], steps: Vec<Step>) -> Scenario {
    Scenario {
        example: "init",
        arguments: ["--serve", "ADDRESS"].map(String::from).to_vec(),
        over: Over::Socket { descriptors: 1 },
        faults: faults.to_vec(),
        steps,
        after: watch(7, "c", "d"),
    }
}

const STATE: &str = r#"{"method":"org.example.boot.GetState"}"#;

fn report(status: &str) -> String {
    format!(r#"{{"method":"org.example.boot.Report","parameters":{{"status":"{status}"}}}}"#)
}

/// The client with the number 0 reports two statuses. The others see both.
fn watch(watchers: usize, first: &str, second: &str) -> Vec<Step> {
    let watch = r#"{"method":"org.example.boot.GetState","more":true}"#;
    let mut steps = vec![step(0, &[&report(first)], 1)];
    steps.extend((1..=watchers).map(|client| step(client, &[watch], 1)));
    steps.push(step(0, &[&report(second)], 1));
    steps.extend((1..=watchers).map(|client| step(client, &[], 1)));
    steps
}

#[test]
fn l4_pipelined_calls_are_answered_in_order_or_their_connection_ends() {
    let [a, b] = ["a", "b"].map(report);
    let calls = [&a, STATE, &b, STATE, &a, STATE];
    init(
        &[RECEIVE, SEND],
        vec![step(0, &calls, 6), step(0, &calls, 6)],
    )
    .check();
}

#[test]
fn l4_a_parked_call_is_resumed_or_its_connection_ends() {
    init(&[SERVE, &[SOCKET]].concat(), watch(1, "a", "b")).check();
}

#[test]
fn l4_a_relay_passes_messages_on_or_closes_both_connections() {
    if strace().is_none() {
        return;
    }
    let target = std::env::temp_dir().join(format!("nullink-faults-{}", std::process::id()));
    let target = format!("unix:{}", target.display());
    serve(Listener::bind(&target).unwrap(), echo);
    let count = r#"{"method":"org.example.t.Count","more":true,"parameters":{"n":9}}"#;
    let pipe = r#"{"method":"org.example.t.Pipe","upgrade":true}"#;
    Scenario {
        example: "proxy",
        arguments: ["--clients", "1", "ADDRESS", &target]
            .map(String::from)
            .to_vec(),
        over: Over::Socket { descriptors: 2 },
        faults: vec![ACCEPT, POLL, RECEIVE, SEND, SOCKET, CONNECT],
        steps: vec![
            step(0, &[EMPTY, EMPTY], 2),
            step(0, &[count], 9),
            step(0, &[pipe], 1),
            step(0, &["raw", "bytes"], 2),
        ],
        after: vec![step(0, &[EMPTY], 1)],
    }
    .check();
    let _ = fs::remove_file(target.trim_start_matches("unix:"));
}

#[test]
fn l4_a_device_is_used_or_opened_again() {
    let count = r#"{"method":"org.example.t.Count","more":true,"parameters":{"n":9}}"#;
    Scenario {
        over: Over::Terminal,
        after: vec![step(0, &[EMPTY], 1)],
        ..conformance(
            &[WAIT, READ, WRITE, OPEN_DEVICE, DUPLICATE, ADD_DEVICE],
            vec![step(0, &[EMPTY, EMPTY], 2), step(0, &[count], 9)],
        )
    }
    .check();
}
