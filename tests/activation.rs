//! X4: socket activation, on the side that starts a program and on the side of the program; and the
//! hooks that programs supply.
#![cfg(all(feature = "unix", target_os = "linux"))]

#[path = "common/example.rs"]
#[allow(dead_code)] // only `example_path` is used
mod example;
#[path = "../examples/shared/process.rs"]
#[allow(dead_code)] // some functions are for other programs
mod process;

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use embedded_io::{Read, Write};
use example::example_path;
use nullink::activation::{self, Activated, ActivationError};
use nullink::json::Raw;
use nullink::service::GetInfo;
use nullink::unix::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use nullink::unix::{Listener, Stream, Timeouts};
use nullink::{Address, CallError, Client, Error};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, FdFlags, IoSlice, fcntl_getfd};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketType, sendmsg,
};
use rustix::process::{PidfdFlags, getpid, pidfd_open};

/// Keeps other tests from running while it lives, because all tests of the process share one
/// descriptor table. When dropped, it checks that no descriptor has leaked.
struct Alone {
    before: usize,
    _lock: MutexGuard<'static, ()>,
}

impl Alone {
    fn new() -> Self {
        static LOCK: Mutex<()> = Mutex::new(());
        let _lock = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        Alone {
            before: count_descriptors(),
            _lock,
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(count_descriptors(), self.before, "descriptors leaked");
        }
    }
}

fn count_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// What a process is started with: its environment, and its descriptors from number 3 on.
struct Started {
    environment: Vec<(&'static str, String)>,
    descriptors: VecDeque<OwnedFd>,
    adopted: Vec<i32>,
}

impl Started {
    /// An environment that passes these descriptors to this process.
    fn with<const N: usize>(descriptors: [OwnedFd; N]) -> Self {
        let environment = vec![
            ("LISTEN_PID", std::process::id().to_string()),
            ("LISTEN_FDS", N.to_string()),
        ];
        Started {
            environment,
            descriptors: descriptors.into(),
            adopted: Vec::new(),
        }
    }

    fn set(mut self, name: &'static str, value: &str) -> Self {
        self = self.unset(name);
        self.environment.push((name, value.to_string()));
        self
    }

    fn unset(mut self, name: &'static str) -> Self {
        self.environment.retain(|(other, _)| *other != name);
        self
    }

    fn varlink(&mut self) -> Result<Option<Activated>, ActivationError> {
        let find = |name: &str| {
            let mut variables = self.environment.iter();
            variables.find_map(|(other, value)| (*other == name).then_some(value))
        };
        Activated::from_environment(find, |number| {
            self.adopted.push(number);
            self.descriptors.pop_front().expect("a passed descriptor")
        })
    }

    /// Returns all passed descriptors, with their names.
    fn descriptors(&mut self) -> Result<Vec<(String, OwnedFd)>, ActivationError> {
        let mut all = Vec::new();
        let find = |name: &str| {
            let mut variables = self.environment.iter();
            variables.find_map(|(other, value)| (*other == name).then_some(value.as_bytes()))
        };
        let adopt = |number| {
            self.adopted.push(number);
            self.descriptors.pop_front().expect("a passed descriptor")
        };
        activation::descriptors(find, adopt, |name, fd| all.push((name.to_string(), fd)))?;
        Ok(all)
    }
}

/// Returns the end of a connection that is passed to a program, and our end.
fn connection() -> (OwnedFd, Stream) {
    let (ours, theirs) = Stream::pair().unwrap();
    (inherited(theirs), ours)
}

/// Returns a copy that is not close-on-exec, like a descriptor that was passed through execve(2).
fn inherited(fd: impl AsFd) -> OwnedFd {
    let copy = rustix::io::dup(fd).unwrap();
    assert_eq!(fcntl_getfd(&copy), Ok(FdFlags::empty()));
    copy
}

/// Returns a listener at a unique address, and the address.
fn listener(name: &str) -> (Listener, String) {
    let name = format!("nullink-{}-{name}", std::process::id());
    let listener = Listener::bind_to(Address::Abstract(&name), 0).unwrap();
    (listener, format!("unix:@{name}"))
}

/// True if the other end is closed.
fn is_closed(stream: &mut Stream) -> bool {
    stream.read(&mut [0]) == Ok(0)
}

/// True if a byte written to `a` can be read from `b`.
fn are_connected(a: &mut Stream, b: &mut Stream) -> bool {
    let mut byte = [0];
    a.write(b"x") == Ok(1) && b.read(&mut byte) == Ok(1) && &byte == b"x"
}

#[test]
fn x4_a_passed_connection_is_returned_as_a_connection() {
    let _alone = Alone::new();
    let (theirs, mut ours) = connection();
    let mut started = Started::with([theirs]);
    let Ok(Some(Activated::Connection(mut stream))) = started.varlink() else {
        panic!("not a connection");
    };
    assert_eq!(started.adopted, [3]);
    assert!(are_connected(&mut ours, &mut stream));
}

#[test]
fn x4_a_passed_listening_socket_is_returned_as_a_listener() {
    let _alone = Alone::new();
    let (listener, address) = listener("listening");
    let mut started = Started::with([inherited(listener.pollable().unwrap())]);
    drop(listener);
    let Ok(Some(Activated::Listener(listener))) = started.varlink() else {
        panic!("not a listener");
    };
    let mut client = Stream::connect(&address).unwrap();
    assert!(are_connected(&mut client, &mut listener.accept().unwrap()));
}

#[test]
fn x4_the_socket_is_the_one_named_varlink_or_the_only_one() {
    let _alone = Alone::new();
    // LISTEN_FDNAMES, and the index of the expected socket.
    for (names, expected) in [
        (None, Ok(0)),
        (Some("varlink"), Ok(0)),
        (Some("connection"), Ok(0)),
        (Some(""), Ok(0)),
        (Some("varlink:a"), Ok(0)),
        (Some("a:varlink"), Ok(1)),
        (Some("a:varlink:b:"), Ok(1)),
        (Some("a::varlink"), Ok(2)),
        (Some("a:b"), Err(ActivationError::NoneNamed)),
        (Some("a:Varlink:varlink "), Err(ActivationError::NoneNamed)),
        (Some("varlink:varlink"), Err(ActivationError::SeveralNamed)),
        (
            Some("varlink:a:varlink"),
            Err(ActivationError::SeveralNamed),
        ),
    ] {
        let count = names.map_or(1, |names| names.split(':').count());
        let (theirs, mut ours): (Vec<_>, Vec<_>) = (0..count).map(|_| connection()).unzip();
        let mut started = Started::with([]).set("LISTEN_FDS", &count.to_string());
        started.descriptors = theirs.into();
        if let Some(names) = names {
            started = started.set("LISTEN_FDNAMES", names);
        }
        let result = started.varlink();
        assert_eq!(started.adopted.len(), count, "{names:?}");
        match (result, expected) {
            (Ok(Some(Activated::Connection(mut stream))), Ok(expected)) => {
                assert!(are_connected(&mut stream, &mut ours.remove(expected)));
            }
            (Err(error), Err(expected)) => assert_eq!(error, expected, "{names:?}"),
            other => panic!("{names:?}: {other:?}"),
        }
        // The other descriptors are closed.
        assert!(ours.iter_mut().all(is_closed), "{names:?}");
    }
    // Without names, several descriptors are ambiguous.
    let (a, b) = (connection(), connection());
    let result = Started::with([a.0, b.0]).varlink();
    assert_eq!(result.err(), Some(ActivationError::NoneNamed));
}

#[test]
fn x4_descriptors_for_another_process_are_not_touched() {
    let _alone = Alone::new();
    let one = || Started::with([]).set("LISTEN_FDS", "1");
    let other = (std::process::id() + 1).to_string();
    let beyond = (u64::from(std::process::id()) + (1 << 32)).to_string();
    let mut ignored = vec![
        one().unset("LISTEN_PID"),
        one().unset("LISTEN_FDS"),
        one().set("LISTEN_PID", &other),
        one().set("LISTEN_PID", &beyond),
    ];
    for malformed in ["", "x", "-1", "1 ", "99999999999999999999"] {
        ignored.push(one().set("LISTEN_PID", malformed));
        // LISTEN_FDS is not parsed if LISTEN_PID does not match.
        let other = one().set("LISTEN_PID", &other);
        ignored.push(other.set("LISTEN_FDS", malformed));
    }
    if let Some(id) = pidfd_id() {
        for wrong in [&*(id + 1).to_string(), "0", "", "x", "-1"] {
            ignored.push(one().set("LISTEN_PIDFDID", wrong));
        }
        // LISTEN_PIDFDID alone does not decide: LISTEN_PID must match too.
        let right = one().set("LISTEN_PIDFDID", &id.to_string());
        ignored.push(right.set("LISTEN_PID", &other));
    }
    for mut started in ignored {
        let result = started.varlink();
        assert!(matches!(result, Ok(None)), "{:?}", started.environment);
        assert!(started.adopted.is_empty(), "{:?}", started.environment);
    }
}

#[test]
fn x4_listen_pidfdid_identifies_this_process() {
    let _alone = Alone::new();
    let Some(id) = pidfd_id() else {
        return println!("skipped: needs Linux 6.9");
    };
    let (theirs, mut ours) = connection();
    let mut started = Started::with([theirs]).set("LISTEN_PIDFDID", &id.to_string());
    let Ok(Some(Activated::Connection(mut stream))) = started.varlink() else {
        panic!("not a connection");
    };
    assert!(are_connected(&mut ours, &mut stream));
}

/// Returns the inode number of this process's pidfd, on kernels where it is unique to the process.
fn pidfd_id() -> Option<u64> {
    let pidfd = pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
    let stat = rustix::fs::fstat(&pidfd).unwrap();
    (kernel() >= (6, 9)).then_some(stat.st_ino)
}

/// Returns the major and minor version of the kernel.
fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn x4_a_malformed_environment_is_an_error_and_no_descriptor_is_adopted() {
    let _alone = Alone::new();
    for count in ["", "0", "-1", "x", "1 ", "2147483645", "4294967297"] {
        let mut started = Started::with([]).set("LISTEN_FDS", count);
        let error = started.varlink().err();
        assert_eq!(
            error,
            Some(ActivationError::Malformed("LISTEN_FDS")),
            "{count}"
        );
    }
    for names in ["varlink", "", "varlink:a:b", "a:varlink:"] {
        let started = Started::with([]).set("LISTEN_FDS", "2");
        let error = started.set("LISTEN_FDNAMES", names).varlink().err();
        assert_eq!(error, Some(ActivationError::Names), "{names}");
    }
    let pid = std::process::id().to_string();
    let environment = |name: &str| match name {
        "LISTEN_PID" => Some(pid.as_bytes()),
        "LISTEN_FDS" => Some(&b"1"[..]),
        "LISTEN_FDNAMES" => Some(&b"\xff"[..]),
        _ => None,
    };
    let error = Activated::from_environment(environment, |_| panic!("adopted")).err();
    assert_eq!(error, Some(ActivationError::Malformed("LISTEN_FDNAMES")));
}

#[test]
fn x4_fewer_descriptors_than_listen_fds_is_an_error() {
    let _alone = Alone::new();
    let (theirs, mut ours) = connection();
    // SAFETY: this number stands for a descriptor that was announced but not passed. No descriptor
    // has it, so it has no other owner, and the kernel never hands out a number as high as this.
    let nothing = unsafe { OwnedFd::from_raw_fd(i32::MAX - 1) };
    let mut started = Started::with([theirs, nothing]).set("LISTEN_FDS", "1000000");
    assert_eq!(started.varlink().err(), Some(ActivationError::NotOpen));
    assert_eq!(started.adopted, [3, 4]);
    assert!(is_closed(&mut ours));
}

#[test]
fn x4_a_descriptor_that_is_not_a_stream_socket_is_an_error() {
    let _alone = Alone::new();
    let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()).unwrap();
    let error = Started::with([null]).varlink().err().unwrap();
    assert_eq!(error, ActivationError::NotASocket);
    assert_eq!(error.to_string(), "the descriptor is not a socket");
    for kind in [SocketType::DGRAM, SocketType::SEQPACKET] {
        let socket = rustix::net::socket(AddressFamily::UNIX, kind, None).unwrap();
        let error = Started::with([socket]).varlink().err();
        assert_eq!(error, Some(ActivationError::NotAStream));
    }
}

#[test]
fn x4_all_passed_descriptors_are_returned_with_their_names() {
    let _alone = Alone::new();
    let null = || rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()).unwrap();
    for (names, expected) in [
        (Some("a:varlink::a"), ["a", "varlink", "", "a"]),
        (None, ["unknown"; 4]),
    ] {
        let mut started = Started::with([null(), null(), null(), null()]);
        let numbers: Vec<i32> = started.descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        if let Some(names) = names {
            started = started.set("LISTEN_FDNAMES", names);
        }
        let all = started.descriptors().unwrap();
        assert_eq!(started.adopted, [3, 4, 5, 6]);
        let found: Vec<_> = all.iter().map(|(_, fd)| fd.as_raw_fd()).collect();
        assert_eq!(found, numbers);
        let found: Vec<_> = all.iter().map(|(name, _)| &**name).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn x3_every_descriptor_is_close_on_exec() {
    let _alone = Alone::new();
    let (listening, _) = listener("close-on-exec");
    let passed = || {
        [
            inherited(listening.pollable().unwrap()),
            connection().0,
            connection().0,
        ]
    };
    let all = Started::with(passed()).descriptors().unwrap();
    assert_eq!(all.len(), 3);
    for (_, fd) in all {
        assert_eq!(fcntl_getfd(&fd), Ok(FdFlags::CLOEXEC));
    }
    for names in ["varlink:a:b", "a:varlink:b"] {
        let taken = Started::with(passed())
            .set("LISTEN_FDNAMES", names)
            .varlink();
        let flags = match taken.unwrap().unwrap() {
            Activated::Listener(listener) => fcntl_getfd(listener.pollable().unwrap()),
            Activated::Connection(stream) => fcntl_getfd(&stream),
        };
        assert_eq!(flags, Ok(FdFlags::CLOEXEC));
    }
}

/// A running service, which is killed on drop if it has not ended before.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks the service for the account of root. Returns what the service's descriptors from 3 on refer
/// to, in order. Waits until `sockets` of them are sockets: then the service has noticed that an
/// earlier client has disconnected.
fn ask(mut stream: Stream, child: &Running, sockets: usize) -> Vec<String> {
    // If the service has ended, its clients stay in the queue of the listener.
    let reply = Some(Duration::from_secs(60));
    let timeouts = Timeouts {
        reply,
        ..Timeouts::default()
    };
    stream.set_timeouts(timeouts).unwrap();
    let (mut receive, mut send) = ([0; 4096], [0; 4096]);
    let mut client = Client::new(stream, &mut receive, &mut send);
    let root = Raw::new(r#"{"name":"root"}"#).unwrap();
    let reply = client.call_raw("com.redhat.accounts.GetByName", root);
    let reply = reply.expect("a reply");
    let expected = r#"{"account":{"name":"root","uid":0,"#;
    let answer = reply.parameters().as_str();
    assert!(answer.starts_with(expected), "{answer}");

    let begin = Instant::now();
    loop {
        let open = open_descriptors(child);
        let count = open.iter().filter(|link| link.starts_with("socket:"));
        if count.count() == sockets {
            return open;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{open:?}");
    }
}

fn open_descriptors(Running(child): &Running) -> Vec<String> {
    let directory = format!("/proc/{}/fd", child.id());
    let mut open: Vec<(u32, PathBuf)> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().parse(), path))
        .map(|(number, path)| (number.unwrap(), path))
        .filter(|(number, _)| *number > 2)
        .collect();
    open.sort();
    // Skip a descriptor that is closed in the meantime.
    let link = |(_, path)| Some(std::fs::read_link(path).ok()?.display().to_string());
    open.into_iter().filter_map(link).collect()
}

/// Returns the target of a socket's link in /proc/PID/fd.
fn link(socket: impl AsFd) -> String {
    format!("socket:[{}]", rustix::fs::fstat(socket).unwrap().st_ino)
}

#[test]
fn x4_a_program_serves_the_socket_that_it_was_started_with() {
    let _alone = Alone::new();
    let Some(accounts) = example_path("accounts") else {
        return;
    };
    let accounts = accounts.to_str().expect("UTF-8");
    let (listener, address) = listener("service");
    // One client connects before the service starts.
    let early = Stream::connect(&address).unwrap();
    let child = process::start(accounts, &[], listener.pollable().unwrap(), "varlink");
    let child = Running(child.expect("a process"));
    // The sockets are the listener and the open connections.
    for (stream, sockets) in [(early, 3), (Stream::connect(&address).unwrap(), 2)] {
        let open = ask(stream, &child, sockets);
        assert!(open.contains(&link(listener.pollable().unwrap())));
        assert_is_close_on_exec(&child);
    }
    drop(child);
    // The listener is still open here, for the next service.
    let late = Stream::connect(&address).unwrap();
    let child = process::start(accounts, &[], listener.pollable().unwrap(), "other");
    ask(late, &Running(child.expect("a process")), 2);
}

#[test]
fn x4_a_program_serves_the_connection_that_it_was_started_with() {
    let _alone = Alone::new();
    let Some(accounts) = example_path("accounts") else {
        return;
    };
    let accounts = accounts.to_str().expect("UTF-8");
    let process::Program { stream, child } = process::connect_exec(accounts).expect("a process");
    let mut child = Running(child);
    let copy = Stream::from(rustix::io::fcntl_dupfd_cloexec(&stream, 0).unwrap());
    let open = ask(copy, &child, 1);
    assert!(!open.contains(&link(&stream)), "inherited by the child");
    assert_is_close_on_exec(&child);
    // The service ends with its connection.
    drop(stream);
    assert!(child.0.wait().unwrap().success());
}

fn script_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("nullink-{name}-{}", std::process::id()))
}

/// Starts a shell script for one connection. The shell may read it until it ends.
fn run(name: &str, script: &str) -> process::Program {
    let path = script_path(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    let program = process::connect_exec(path.to_str().expect("UTF-8"));
    program.expect("a process")
}

#[test]
fn r5_a_client_is_told_the_status_of_a_program_that_has_ended() {
    let _alone = Alone::new();
    // `read` waits for the call, so that the program ends with or without having read it.
    for (name, script, says) in [
        ("status", "exit 3", "the program ended, exit status: 3"),
        ("zero", "read call <&3", "the program ended, exit status: 0"),
        (
            "killed",
            "kill -9 $$",
            "the program ended, signal: 9 (SIGKILL)",
        ),
    ] {
        let (mut receive, mut send) = ([0; 4096], [0; 256]);
        let mut client = Client::new(run(name, script), &mut receive, &mut send);
        if name == "zero" {
            // A line end, for `read`.
            client.stream().stream.write(b"\n").expect("written");
        }
        let error = client.call(&GetInfo).map_err(CallError::forget).err();
        assert_eq!(error.map(|error| error.to_string()).as_deref(), Some(says));
        // `wait` returns the same status again.
        let status = client.into_parts().0.wait().expect("a status");
        assert_eq!(format!("the program ended, {status}"), says);
        std::fs::remove_file(script_path(name)).expect("the script");
    }
}

#[test]
fn r5_a_program_that_closes_its_connection_and_runs_on_has_not_ended() {
    let _alone = Alone::new();
    let program = run("closes", "exec 3>&-; exec sleep 60");
    let (mut receive, mut send) = ([0; 4096], [0; 256]);
    let mut client = Client::new(program, &mut receive, &mut send);
    let reply = client.call(&GetInfo);
    assert_eq!(reply.err(), Some(CallError::Connection(Error::Closed)));
    let mut program = client.into_parts().0;
    program.child.kill().expect("killed");
    program.wait().expect("a status");
    std::fs::remove_file(script_path("closes")).expect("the script");
}

/// Checks that the child has made its socket close-on-exec.
fn assert_is_close_on_exec(Running(child): &Running) {
    let info = std::fs::read_to_string(format!("/proc/{}/fdinfo/3", child.id())).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = u32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
    assert_eq!(flags & 0o2_000_000, 0o2_000_000, "{info}");
}

#[test]
fn x4_starting_a_program_that_cannot_be_executed_is_an_error() {
    let _alone = Alone::new();
    for (program, expected) in [
        ("/no/such/program", Errno::NOENT),
        ("/", Errno::ACCESS),
        ("/etc/passwd", Errno::ACCESS),
    ] {
        let error = process::connect_exec(program).expect_err("an error");
        assert_eq!(error.raw_os_error(), Some(expected.raw_os_error()));
    }
    let (theirs, mut ours) = connection();
    let error = process::start("/no/such/program", &[], theirs.as_fd(), "varlink");
    assert!(error.is_err());
    assert!(process::start("/bin/\0", &[], theirs.as_fd(), "varlink").is_err());
    drop(theirs);
    assert!(is_closed(&mut ours), "something was written to the socket");
}

/// In the tests' process, number 3 is in use. In a fresh process it is free, so it can be the
/// number of the socket, or of the pipe on which the child reports an error of execve(2).
#[test]
fn x4_a_socket_with_any_number_can_be_passed() {
    let _alone = Alone::new();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "in_a_fresh_process"])
        // These variables are for the parent; the child must replace them.
        .envs([("LISTEN_PID", "1"), ("LISTEN_FDS", "7")])
        .envs([("LISTEN_FDNAMES", "a:b"), ("LISTEN_PIDFDID", "1")])
        .env("KEPT", "as it is")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
#[ignore = "run by another test"]
fn in_a_fresh_process() {
    assert!(matches!(process::activated(), Ok(None)), "another pid");
    // The descriptors of any program started from here: those of ls, with a socket at number 3.
    let list = "ls /proc/self/fd";
    let plain = Command::new("/bin/sh")
        .args(["-c", &format!("{list} 3>&1")])
        .output();
    let plain = String::from_utf8(plain.unwrap().stdout).unwrap();

    for place in [Place::Three, Place::Other, Place::OtherWhileThreeIsFree] {
        let script = "echo $LISTEN_PID,$LISTEN_FDS,$LISTEN_FDNAMES,$LISTEN_PIDFDID,$KEPT,$1 >&3";
        let (theirs, ours) = place.connection();
        let arguments = ["-c", script, "sh", "h\u{e9} llo"];
        let child = process::start("/bin/sh", &arguments, theirs.as_fd(), "n\u{e4}me");
        let mut child = child.expect("a process");
        drop(theirs);
        let expected = format!("{},1,n\u{e4}me,,as it is,h\u{e9} llo\n", child.id());
        assert_eq!(read_all(ours), expected, "{place:?}");
        assert!(child.wait().unwrap().success());

        let (theirs, ours) = place.connection();
        let arguments = ["-c", &format!("{list} >&3")];
        let child = process::start("/bin/sh", &arguments, theirs.as_fd(), "varlink");
        drop(theirs);
        assert_eq!(read_all(ours), plain, "{place:?}");
        child.expect("a process").wait().unwrap();

        let (theirs, ours) = place.connection();
        let error = process::start("/no/such/program", &[], theirs.as_fd(), "varlink");
        let error = error.err().and_then(|error| error.raw_os_error());
        assert_eq!(error, Some(Errno::NOENT.raw_os_error()), "{place:?}");
        drop(theirs);
        assert_eq!(read_all(ours), "", "{place:?}");
    }

    // Without standard input, the child's pipe for reporting errors gets number 3.
    let (theirs, ours) = Place::OtherWhileThreeIsFree.connection();
    // SAFETY: nothing in this process uses standard input, now or later.
    drop(unsafe { OwnedFd::from_raw_fd(0) });
    let error = process::start("/no/such/program", &[], theirs.as_fd(), "varlink");
    let error = error.err().and_then(|error| error.raw_os_error());
    assert_eq!(error, Some(Errno::NOENT.raw_os_error()));
    drop(theirs);
    assert_eq!(read_all(ours), "");
}

/// The number of the passed socket, in a process where number 3 is free at first.
#[derive(Clone, Copy, Debug)]
enum Place {
    Three,
    Other,
    OtherWhileThreeIsFree,
}

impl Place {
    fn connection(self) -> (OwnedFd, Stream) {
        let (three, other) = Stream::pair().unwrap();
        assert_eq!(three.as_fd().as_raw_fd(), 3, "more is inherited");
        match self {
            Place::Three => (three.into(), other),
            Place::Other => (other.into(), three),
            Place::OtherWhileThreeIsFree => {
                let high = rustix::io::fcntl_dupfd_cloexec(&three, 10).unwrap();
                (other.into(), high.into())
            }
        }
    }
}

fn read_all(mut stream: Stream) -> String {
    let (mut all, mut buffer) = (Vec::new(), [0; 256]);
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        all.extend(&buffer[..count]);
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn a_socket_that_refuses_descriptors_gets_none() {
    let _alone = Alone::new();
    let (listener, address) = listener("refuses");
    process::refuse_descriptors(listener.pollable().unwrap());
    let mut client = Stream::connect(&address).unwrap();
    let mut server = listener.accept().unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds = [client.as_fd()];
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
    let bytes = [IoSlice::new(b"x")];
    match sendmsg(&client, &bytes, &mut ancillary, SendFlags::NOSIGNAL) {
        Ok(_) if kernel() < (6, 16) => println!("skipped: needs Linux 6.16"),
        sent => assert_eq!(sent, Err(Errno::PERM)),
    }
    // Bytes still arrive.
    assert!(are_connected(&mut client, &mut server));
}

#[test]
fn the_pidfd_of_the_peer_can_be_opened() {
    let _alone = Alone::new();
    let (a, b) = Stream::pair().unwrap();
    if kernel() < (6, 5) {
        return println!("skipped: needs Linux 6.5");
    }
    let pidfd = process::peer_pidfd(a.as_fd()).expect("a pidfd");
    drop(b);
    assert_eq!(fcntl_getfd(&pidfd), Ok(FdFlags::CLOEXEC));
    let info = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let info = std::fs::read_to_string(info).unwrap();
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"));
    assert_eq!(pid.unwrap().trim(), std::process::id().to_string());
    let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()).unwrap();
    assert!(process::peer_pidfd(null.as_fd()).is_none());
}

#[test]
fn a_manager_is_notified_over_any_kind_of_socket() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let _alone = Alone::new();
    let name = format!("nullink-notify-{}", std::process::id());
    let path = std::env::temp_dir().join(&name);
    let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
    for (socket, variable) in [
        (
            UnixDatagram::bind(&path).unwrap(),
            path.to_str().unwrap().to_string(),
        ),
        (
            UnixDatagram::bind_addr(&abstract_name).unwrap(),
            format!("@{name}"),
        ),
    ] {
        let environment = |name: &str| (name == "NOTIFY_SOCKET").then(|| variable.clone());
        assert_eq!(Activated::notify(environment, "READY=1"), Ok(true));
        let mut buffer = [0; 16];
        let count = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"READY=1");
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(Activated::notify(|_| None::<String>, "READY=1"), Ok(false));
    let malformed = Err(ActivationError::Malformed("NOTIFY_SOCKET"));
    for variable in ["", "notify", "vsock:2:1234"] {
        assert_eq!(Activated::notify(|_| Some(variable), "READY=1"), malformed);
    }
    let missing = Activated::notify(|_| Some("/nullink/missing"), "READY=1");
    let errno = Errno::NOENT.raw_os_error();
    assert_eq!(missing, Err(ActivationError::System(errno)));
}
