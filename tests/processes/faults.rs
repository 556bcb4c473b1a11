//! Errors of system calls in other processes, injected by strace(1): in the first call of its name,
//! then in the second, and so on, until a conversation needs no more calls. Each error has a process
//! of its own.
#![cfg(all(feature = "unix", target_os = "linux"))]

use crate::addresses::{Master, terminal};
use crate::common::serving::{echo, serve};
use crate::common::{EMPTY, t};
use crate::shared::board;
use crate::{example, strace};

use std::cell::Cell;
use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use board::{Board, Hardware, Lamp};
use example::example_path;
use nullink::line::Line;
use nullink::unix::{Listener, Stream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use strace::strace;

/// The time in which everything must happen.
const LIMIT: Duration = Duration::from_secs(30);

/// The time without a byte after which a serial line is considered silent. It does not report that
/// the service has closed it.
const SILENCE: Duration = Duration::from_millis(100);

/// The time after which a client repeats its first call over a serial line. It doubles each time.
const REPEAT: Duration = Duration::from_millis(20);

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

/// The end of input instead of an error.
const END: &str = "retval=0";

const fn fault(
    call: &'static str,
    hidden: &'static [&'static str],
    fatal: &'static [&'static str],
) -> Fault {
    Fault {
        call,
        hidden,
        fatal,
    }
}

const BUSY: &[&str] = &["EINTR", "EAGAIN"];
const NO_DESCRIPTOR: &[&str] = &["EMFILE", "ENFILE", "ENOMEM"];
const NO_SOCKET: &[&str] = &["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"];
const UNSENT: &[&str] = &["ECONNRESET", "EPIPE", "ENOBUFS", "ENOMEM"];
const UNRECEIVED: &[&str] = &["ECONNRESET", "ENOMEM", END];

const OPEN: Fault = fault("open", &["EINTR"], NO_DESCRIPTOR);
const SOCKET: Fault = fault("socket", &[], NO_SOCKET);
const CONNECT: Fault = fault("connect", &["EINTR"], &["EAGAIN"]);
const CREATE_EPOLL: Fault = fault("epoll_create1", &[], NO_DESCRIPTOR);
const CREATE_TIMER: Fault = fault("timerfd_create", &[], NO_DESCRIPTOR);
const ADD: Fault = fault("epoll_ctl", &[], &["ENOMEM", "ENOSPC"]);
const WAIT: Fault = fault("epoll_pwait", &["EINTR"], &[]);
const POLL: Fault = fault("ppoll", &["EINTR"], &["ENOMEM"]);
const ACCEPT: Fault = fault(
    "accept4",
    &[
        "EINTR",
        "EAGAIN",
        "ECONNABORTED",
        "EMFILE",
        "ENFILE",
        "ENOBUFS",
        "ENOMEM",
    ],
    &[],
);
const GET_PEER: Fault = fault("getsockopt", &["ENOBUFS"], &[]);
/// A service that cannot use its TCP address again does not start. It can do without the options of
/// a connection.
const SET_OPTION: Fault = fault("setsockopt", &[], &["ENOBUFS", "ENOMEM"]);
const RECEIVE: Fault = fault("recvmsg", BUSY, UNRECEIVED);
const RECEIVE_TCP: Fault = fault("recvfrom", BUSY, UNRECEIVED);
const SEND: Fault = fault("sendto", BUSY, UNSENT);
const SEND_DESCRIPTORS: Fault = fault("sendmsg", BUSY, &["EPIPE", "ENOBUFS", "ETOOMANYREFS"]);
const READ: Fault = fault("read", BUSY, &["EIO", END]);
const WRITE: Fault = fault("write", BUSY, &["EIO"]);
const SET_TERMINAL: Fault = fault("ioctl", &["EINTR"], &[]);
/// A terminal is duplicated, to restore its settings.
const DUPLICATE: Fault = fault("fcntl", &[], &["EMFILE"]);

/// An error in the call with this number.
struct Injection {
    call: &'static str,
    error: &'static str,
    number: u32,
    is_hidden: bool,
}

impl Injection {
    const NONE: Self = Injection {
        call: "none",
        error: "",
        number: 0,
        is_hidden: true,
    };

    /// Returns the options of strace, for a program with this address.
    fn options(&self, address: &str) -> Vec<String> {
        // The other calls show if a service has started.
        let trace = format!("trace={},accept4,epoll_pwait", self.call);
        let mut options = vec!["-e".into(), trace, "-e".into(), self.to_string()];
        if let (Some(device), "read" | "write") = (address.strip_prefix("device:"), self.call) {
            // Other files are read before the program starts.
            options.extend(["-P".into(), device.into()]);
        }
        options
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Injection {
            call,
            error,
            number,
            ..
        } = self;
        let name = if error.contains('=') { "" } else { "error=" };
        write!(f, "inject={call}:{name}{error}:when={number}")
    }
}

/// Calls `run` with each error in the first call of its name, then in the second, and so on, until
/// it returns false, because there was no such call.
fn inject(faults: &[Fault], run: impl Fn(&Injection) -> bool) {
    for Fault {
        call,
        hidden,
        fatal,
    } in faults
    {
        let hidden = hidden.iter().map(|error| (error, true));
        let fatal = fatal.iter().map(|error| (error, false));
        for (error, is_hidden) in hidden.chain(fatal) {
            let injection = |number| Injection {
                call,
                error,
                number,
                is_hidden,
            };
            let reached = (1..).take_while(|number| run(&injection(*number))).count();
            assert!(reached > 0, "{call} is not called");
        }
    }
}

/// A conversation with a service in another process.
struct Scenario {
    example: &'static str,
    /// The arguments of the example. `ADDRESS` stands for its address.
    arguments: Vec<String>,
    over: Over,
    /// The number of descriptors of the process that a connection takes up.
    descriptors: usize,
    faults: Vec<Fault>,
    /// The steps during which the error happens.
    steps: Vec<Step>,
    /// The steps of other clients after the error. They use all places of the service at once.
    after: Vec<Step>,
}

/// The address of a service.
#[derive(Clone, Copy, PartialEq)]
enum Over {
    Path,
    Tcp,
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

/// The messages to the clients of some steps.
#[derive(Debug, Default)]
struct Heard {
    clients: Vec<Received>,
    /// True if all steps were done. They stop at the first connection that ends.
    is_complete: bool,
    /// True if the last step had neither replies nor the end of the connection.
    is_silent: bool,
}

/// A process that runs an example.
struct Process {
    child: Child,
    directory: PathBuf,
}

impl Process {
    /// Starts an example, under strace if there is an error to inject.
    fn start(example: &str, arguments: &[String], address: &str, injection: &Injection) -> Self {
        let directory = unique_path();
        fs::create_dir_all(&directory).unwrap();
        let file = |name| File::create(directory.join(name)).unwrap();
        let program = example_path(example).expect("it was found before");
        let mut command = Command::new(&program);
        if injection.number > 0 {
            command = strace().expect("it was found before");
            // -D: the child of this process is the example, not strace.
            command.args(["-D", "-f", "-qq", "-o"]);
            command.arg(directory.join("log"));
            command.args(injection.options(address)).arg(program);
        }
        let arguments = arguments.iter();
        command.args(arguments.map(|text| text.replace("ADDRESS", address)));
        command.stdin(Stdio::null()).stdout(file("output"));
        command.stderr(file("messages"));
        let child = command.spawn().unwrap();
        Process { child, directory }
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

    /// Waits until the process ends. Returns None if it does not.
    fn wait(&mut self) -> Option<ExitStatus> {
        let end = Instant::now() + LIMIT;
        while self.status().is_none() && Instant::now() < end {
            thread::yield_now();
        }
        self.status()
    }

    /// Waits until there are at most `count` open descriptors.
    fn has_descriptors(&self, count: usize) -> bool {
        let end = Instant::now() + LIMIT;
        while self.descriptors() > count {
            if Instant::now() > end {
                return false;
            }
            thread::yield_now();
        }
        true
    }

    /// Returns the number of open descriptors, 0 if the process has ended.
    fn descriptors(&self) -> usize {
        let all = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        all.map_or(0, Iterator::count)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn unique_path() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("nullink-faults-{}-{number}", std::process::id());
    std::env::temp_dir().join(name)
}

/// A process that serves.
struct Service {
    process: Process,
    injection: String,
    address: String,
    /// The other end of its device.
    terminal: Option<(Master, OwnedFd)>,
}

impl Service {
    fn start(scenario: &Scenario, injection: &Injection) -> Self {
        let mut terminal = None;
        let address = match scenario.over {
            Over::Path => format!("unix:{}", unique_path().display()),
            Over::Tcp => unique_tcp_address(),
            Over::Terminal => {
                let (master, path, other) = raw_terminal();
                terminal = Some((master, other));
                format!("device:{path}")
            }
        };
        let Scenario {
            example, arguments, ..
        } = scenario;
        Service {
            process: Process::start(example, arguments, &address, injection),
            injection: injection.to_string(),
            address,
            terminal,
        }
    }

    /// Connects to the service as soon as it serves. Returns None if it has ended.
    fn connect(&mut self) -> Option<Connection> {
        let end = Instant::now() + LIMIT;
        let mut repeat = REPEAT;
        loop {
            let connection = match &self.terminal {
                Some((master, _)) => {
                    repeat *= 2;
                    let connection = Connection::Terminal(master.try_clone().unwrap());
                    connection.synchronized(repeat)
                }
                None => Stream::connect(&self.address)
                    .ok()
                    .map(|stream| Connection::Socket(stream.into())),
            };
            if connection.is_some() {
                return connection;
            }
            if self.process.status().is_some() {
                return None;
            }
            assert!(Instant::now() < end, "{}: no connection", self.injection);
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
        if let Some(path) = self.address.strip_prefix("unix:") {
            let _ = fs::remove_file(path);
        }
    }
}

/// Returns an address of the loopback network that other tests hardly use at the same time.
fn unique_tcp_address() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    // The highest host number would be the broadcast address.
    let host = NUMBER.fetch_add(1, Ordering::Relaxed) % 255;
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("tcp:127.{high}.{low}.{host}:1620")
}

/// Opens a pseudoterminal in raw mode. A service restores these settings when it closes the
/// terminal, which must not echo then.
fn raw_terminal() -> (Master, String, OwnedFd) {
    let (master, path, other) = terminal();
    fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK).unwrap();
    let mut raw = tcgetattr(&other).unwrap();
    raw.make_raw();
    tcsetattr(&other, OptionalActions::Now, &raw).unwrap();
    (master, path, other)
}

/// A client's end of a connection.
enum Connection {
    Socket(OwnedFd),
    Terminal(Master),
}

impl Connection {
    /// Ends the conversation of an earlier client with a call. Returns None if there is no reply: bytes
    /// that were sent before the service has opened the device are lost.
    fn synchronized(mut self, limit: Duration) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let call = t("Need", &format!(r#"{{"s":"{number}"}}"#));
        self.send(&step(0, &["", "", &call], 1));
        let reply = format!("{{\"parameters\":{{\"s\":\"{number}\"}}}}\0");
        let mut received = Received::default();
        let mut replies = 0;
        while !received.0.ends_with(&reply) {
            replies += 1;
            self.receive(&mut received, replies, limit)?;
        }
        Some(self)
    }

    fn send(&mut self, step: &Step) {
        match self {
            // A line that no service reads is full. It is silent then.
            Connection::Terminal(master) => _ = master.write(step.bytes.as_bytes()),
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
        let mut service = Service::start(self, &Injection::NONE);
        let base = self.base(&mut service);
        let whole = service.run(&self.steps, LIMIT);
        let after = service.run(&self.after, LIMIT);
        assert!(whole.is_complete, "{:?}", whole.clients);
        assert!(after.is_complete, "{:?}", after.clients);
        drop(service);
        let clean = Clean { whole, after, base };
        inject(&self.faults, |injection| self.check_one(injection, &clean));
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
        service.process.descriptors() - self.descriptors
    }

    /// Runs the scenario with an error. Returns false if it was not reached.
    fn check_one(&self, injection: &Injection, clean: &Clean) -> bool {
        // A serial line is silent after an error. A socket is closed.
        let may_be_silent = self.over == Over::Terminal && !injection.is_hidden;
        let silence = if may_be_silent { SILENCE } else { LIMIT };
        self.check_within(injection, clean, silence)
    }

    /// Like `check_one`, with the time after which a silent line says nothing more.
    fn check_within(&self, injection: &Injection, clean: &Clean, silence: Duration) -> bool {
        let mut service = Service::start(self, injection);
        let is_hidden = injection.is_hidden;
        let may_be_silent = silence < LIMIT;
        let heard = service.run(&self.steps, silence);
        let is_silent = heard.is_silent && !may_be_silent;
        assert!(
            !is_silent,
            "{injection}: neither a reply nor the end: {heard:?}"
        );
        let is_back = service.process.has_descriptors(clean.base);
        let Some(log) = service.process.log() else {
            if may_be_silent && !heard.is_complete {
                // Without an error, it was only slow.
                drop(service);
                return self.check_within(injection, clean, LIMIT);
            }
            assert!(heard.is_complete, "{injection}: not reached, and {heard:?}");
            return false;
        };
        if log.last().is_some_and(|line| is_impossible(line)) {
            return true;
        }
        if !heard.is_complete && !has_started(&log) {
            let status = service.process.wait();
            let messages = service.process.read("messages");
            let is_clear = status.is_some_and(|status| !status.success()) && is_clear(&messages);
            assert!(
                !is_hidden && is_clear,
                "{injection}: {status:?}, {messages}"
            );
            return true;
        }
        assert!(is_back, "{injection}: a descriptor is left open");
        for (received, all) in heard.clients.iter().zip(&clean.whole.clients) {
            assert!(
                is_beginning(received, all),
                "{injection}: {received:?} of {all:?}"
            );
        }
        assert!(!is_hidden || heard.is_complete, "{injection}: {heard:?}");

        let after = service.run(&self.after, LIMIT);
        assert!(after.is_complete, "{injection}: other clients: {after:?}");
        assert_eq!(after.clients, clean.after.clients, "{injection}");
        let is_back = service.process.has_descriptors(clean.base);
        assert!(is_back, "{injection}: a descriptor is left open");
        assert_eq!(service.process.status(), None, "{injection}");
        let messages = service.process.read("messages");
        assert!(!messages.contains("panicked"), "{injection}: {messages}");
        true
    }
}

/// True if a client has received whole messages from the beginning, with all their descriptors.
fn is_beginning((text, descriptors): &Received, (all, passed): &Received) -> bool {
    let is_whole = text.is_empty() || text.ends_with('\0');
    let has_descriptors = descriptors == passed || (text != all && descriptors < passed);
    all.starts_with(text) && is_whole && has_descriptors
}

/// The results without an error.
struct Clean {
    whole: Heard,
    after: Heard,
    /// The number of open descriptors without clients.
    base: usize,
}

/// True if a program that has ended with these messages has said why.
fn is_clear(messages: &str) -> bool {
    !messages.is_empty() && !messages.contains("panicked")
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
        over: Over::Path,
        descriptors: 1,
        faults: faults.to_vec(),
        steps,
        after: (0..16).map(|client| step(client, &[EMPTY], 1)).collect(),
    }
}

const SERVE: &[Fault] = &[WAIT, ADD, RECEIVE, SEND];

#[test]
fn l4_a_call_is_answered_or_its_connection_ends() {
    let steps = vec![step(0, &[EMPTY], 1)];
    let faults = [SERVE, &[OPEN, SOCKET, CREATE_EPOLL, GET_PEER]].concat();
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
fn x3_descriptors_beyond_the_limit_of_a_process_end_their_connection() {
    if example_path("conformance").is_none() {
        return;
    }
    let scenario = conformance(&[], vec![]);
    let mut service = Service::start(&scenario, &Injection::NONE);
    let base = scenario.base(&mut service);
    assert!(service.process.has_descriptors(base));
    let id = service.process.child.id();
    let is_free = |number: &u64| fs::symlink_metadata(format!("/proc/{id}/fd/{number}")).is_err();
    // There is a descriptor for the connection, and one for the first descriptor of a call.
    let last = (0..).filter(is_free).nth(1).unwrap();
    let limit = Rlimit {
        current: Some(last + 1),
        maximum: Some(last + 1),
    };
    let pid = Pid::from_raw(id.cast_signed());
    prlimit(pid, Resource::Nofile, limit).unwrap();
    let call = |descriptors| Step {
        descriptors,
        ..step(0, &[&t("Fds", "{}")], 1)
    };
    let reply = "{\"parameters\":{\"n\":1}}\0";
    for (descriptors, reply, passed) in [(1, reply, 1), (2, "", 0)].repeat(3) {
        let heard = service.run(&[call(descriptors)], LIMIT);
        assert!(!heard.is_silent, "{heard:?}");
        assert_eq!(heard.clients, [(reply.to_owned(), passed)]);
        // The next connection uses the same number.
        assert!(service.process.has_descriptors(base));
    }
}

#[test]
fn l4_a_tcp_connection_works_or_ends() {
    Scenario {
        over: Over::Tcp,
        ..conformance(
            &[WAIT, ADD, ACCEPT, SET_OPTION, RECEIVE_TCP, SEND],
            // After the second message, the service waits for the client to close the connection.
            vec![step(0, &[EMPTY], 1), step(0, &["not a call"], 0)],
        )
    }
    .check();
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
        over: Over::Path,
        descriptors: 1,
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
        over: Over::Path,
        descriptors: 2,
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
        descriptors: 0, // the device stays open
        after: vec![step(0, &[EMPTY], 1)],
        ..conformance(
            &[WAIT, READ, WRITE, OPEN, DUPLICATE, SET_TERMINAL, ADD],
            vec![step(0, &[EMPTY, EMPTY], 2), step(0, &[count], 9)],
        )
    }
    .check();
}

/// A board whose clock advances when the service waits, so that its replies are always the same.
struct Fake {
    now: Cell<u32>,
    lamp: Lamp,
}

impl Hardware for Fake {
    const NAME: &'static str = "fake";

    fn uptime(&self) -> u32 {
        self.now.get()
    }

    fn wait(&self) {
        self.now.set(self.now.get() + 1);
    }

    fn lamp(&self) -> Lamp {
        self.lamp
    }

    fn set_lamp(&mut self, lamp: Lamp) {
        self.lamp = lamp;
    }

    fn stack(&self) -> u32 {
        0
    }

    fn stop(&mut self) {}
}

fn board() -> Board<Fake> {
    Board::new(Fake {
        now: Cell::new(0),
        lamp: Lamp::Off,
    })
}

/// Runs the client `board` without an error, and then once for each error and each call. `serve`
/// serves one client, and returns the address.
fn check_client<T>(faults: &[Fault], serve: impl Fn() -> (String, T)) {
    if strace().is_none() || example_path("board").is_none() {
        return;
    }
    let run = |injection: &Injection| {
        let (address, _service) = serve();
        let mut client = Process::start("board", &["ADDRESS".into()], &address, injection);
        let status = client.wait();
        let status = status.unwrap_or_else(|| panic!("{injection}: the client waits"));
        (client, status.success())
    };
    let (client, is_success) = run(&Injection::NONE);
    let all = client.read("output");
    assert!(
        is_success && all.lines().count() > 9,
        "{}",
        client.read("messages")
    );
    inject(faults, |injection| {
        let (client, is_success) = run(injection);
        let (output, messages) = (client.read("output"), client.read("messages"));
        if is_success {
            assert_eq!(output, all, "{injection}");
        } else {
            assert!(!injection.is_hidden, "{injection}: {messages}");
            let is_whole = output.is_empty() || output.ends_with('\n');
            assert!(
                all.starts_with(&output) && is_whole,
                "{injection}: {output}"
            );
            assert!(is_clear(&messages), "{injection}: {messages}");
        }
        client.log().is_some()
    });
}

#[test]
fn l4_a_client_gets_whole_replies_or_an_error() {
    let address = format!("unix:{}", unique_path().display());
    let listener = Listener::bind(&address).unwrap();
    thread::spawn(move || {
        while let Ok(client) = listener.accept() {
            // An error of one client does not affect the next.
            let _ = nullink::serve(&mut board(), client, &mut [0; 512], &mut [0; 8192]);
        }
    });
    let faults = [SOCKET, CONNECT, CREATE_TIMER, POLL, RECEIVE, SEND];
    check_client(&faults, || (address.clone(), ()));
    let _ = fs::remove_file(address.trim_start_matches("unix:"));
}

#[test]
fn l4_a_client_of_a_device_gets_whole_replies_or_an_error() {
    // A terminal that is hung up ends the input, too, which strace cannot do. So the client would
    // wait for the reply to a call that was not sent, until its timeout.
    let write = Fault {
        fatal: &[],
        ..WRITE
    };
    let faults = [
        OPEN,
        DUPLICATE,
        SET_TERMINAL,
        CREATE_TIMER,
        POLL,
        READ,
        write,
    ];
    check_client(&faults, || {
        let (master, path, other) = raw_terminal();
        thread::spawn(move || {
            let mut look_ahead = [0; 512];
            let mut line = Line::new(Stream::from(master), &mut look_ahead);
            // It ends when the terminal is closed.
            let _ = line.serve(&mut board(), &mut [0; 512], &mut [0; 8192]);
        });
        (format!("device:{path}"), other)
    });
}
