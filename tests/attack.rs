//! Clients that attack servers in separate processes: the cost for other clients, the cost for the
//! server, and how the server handles errors of system calls.
#![cfg(all(feature = "unix", target_os = "linux"))]

#[path = "common/attack.rs"]
mod attack;
#[path = "common/room_service.rs"]
mod room_service;
#[path = "common/strace.rs"]
mod strace;

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use attack::{Attack, Caller, PING, PONG, Process, method, more, path};
use nullink::server::{Event, Server, Slots};
use nullink::unix::Listener;
use room_service::Room;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use strace::strace;

const RX: usize = 1024;
const TX: usize = 2048;

/// Returns a command that runs this program again, as a server or as a client to kill.
fn this(what: &str, path: &str) -> Command {
    let mut this = Command::new(std::env::current_exe().unwrap());
    this.args(["--exact", "process", "--test-threads=1"]);
    this.env("NULLINK_PROCESS", what);
    this.env("NULLINK_PATH", path);
    this.stdout(Stdio::null());
    this
}

/// Serves, or makes calls until killed, if started by [`this`]. In a normal run it does nothing.
#[test]
fn process() {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let path = variable("NULLINK_PATH");
    match &*variable("NULLINK_PROCESS") {
        "serve" => attack::serve(&path),
        "be killed" => attack::be_killed(&path),
        _ => {}
    }
}

fn server() -> Process {
    let path = path();
    Process::start(this("serve", &path), path)
}

#[test]
fn l1_good_clients_are_served_during_every_kind_of_attack() {
    let (attacked, quiet) = (server(), server());
    let descriptors = attacked.descriptors();
    let mut memory = 0;
    // The first round touches all the memory and code, so the second must need no more.
    for round in 0..2 {
        let to = attacked.path.clone();
        let attack = Attack::begin(&attacked.path, move || this("be killed", &to));
        let (mut good, mut other) = (attacked.connect(), quiet.connect());
        let (one, two) = attack::medians(&mut good, &mut other, 1000);
        // The attackers use time of the machine, which slows down both servers. Without
        // optimization, one turn of an attacker takes too long for a comparison: examples/soak.rs
        // measures it.
        let is_fair = cfg!(debug_assertions) || one <= 2 * two;
        assert!(is_fair, "{one:?} is more than twice {two:?}");
        attack::one_after_another(&attacked.path, 50);
        attack::all_at_once(&attacked.path);
        drop((attack, good));
        assert!(attacked.has_descriptors(descriptors));
        match round {
            0 => memory = attacked.memory(),
            // Some pages of code may be used for the first time.
            _ => assert!(attacked.memory() <= memory + 64, "from {memory} kB"),
        }
    }
}

#[test]
fn slots_use_the_memory_of_their_size_once() {
    let server = server();
    // Touch the code and the stack that one connection needs.
    attack::one_after_another(&server.path, 2);
    let before = server.memory();
    attack::all_at_once(&server.path);
    let after = server.memory();
    let size = attack::SLOTS_SIZE / 1024;
    assert!(after <= before + size + 64, "{before} kB to {after} kB");
    for _ in 0..3 {
        attack::all_at_once(&server.path);
    }
    assert!(server.memory() <= after + 16, "from {after} kB");
}

#[test]
fn l4_more_clients_than_descriptors_are_all_served() {
    let path = path();
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"ulimit -n 16; exec "$0" "$@""#]);
    let server = Process::start(through(shell, &this("serve", &path)), path);
    let mut callers: Vec<Caller> = (0..60).map(|_| server.connect()).collect();
    for caller in &mut callers {
        caller.send(PING).unwrap();
    }
    let mut served = 0;
    // Each client that is served disconnects, and frees its place for another one.
    for mut caller in callers {
        assert_eq!(caller.receive().unwrap(), PONG);
        caller.ping();
        served += 1;
    }
    assert_eq!(served, 60);
    assert!(server.descriptors() <= 16);
    server.connect().ping();
}

/// Returns `other` with `command` as its arguments and environment.
fn through(mut other: Command, command: &Command) -> Command {
    other.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        other.env(name, value.unwrap_or_default());
    }
    other.stdout(Stdio::null());
    other
}

/// A server under strace(1), and the path of the log of its system calls.
struct Traced {
    server: Process,
    log: String,
}

impl Traced {
    /// Starts a server, or prints a message and returns None if there is no strace.
    fn start(options: &[&str]) -> Option<Self> {
        let mut strace = strace()?;
        let path = path();
        let log = format!("{path}.log");
        strace.args(["-f", "-qq", "-o", &log]).args(options);
        let server = Process::start(through(strace, &this("serve", &path)), path);
        Some(Traced { server, log })
    }

    /// Ends the server. Returns a function that counts the lines of the log that contain a text.
    fn count(self) -> impl Fn(&str) -> usize {
        drop(self.server);
        let log = std::fs::read_to_string(&self.log).unwrap();
        let _ = std::fs::remove_file(&self.log);
        move |text| log.lines().filter(|line| line.contains(text)).count()
    }
}

/// Makes `calls` calls, and connects again when the connection ends.
fn insist(path: &str, calls: usize) {
    let mut made = 0;
    for _ in 0..10 * calls {
        let mut caller = Caller::connect(path).unwrap();
        while made < calls && caller.call(PING).is_ok_and(|reply| reply == PONG) {
            made += 1;
        }
        if made >= calls {
            return;
        }
    }
    panic!("only {made} of {calls} calls");
}

#[test]
fn l4_a_server_out_of_descriptors_or_memory_waits_and_retries() {
    const TIMES: usize = 5;
    for error in ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EPERM"] {
        let inject = format!("inject=accept4:error={error}:when=1..{TIMES}");
        let Some(traced) = Traced::start(&["-e", "trace=accept4,epoll_pwait", "-e", &inject])
        else {
            return;
        };
        insist(&traced.server.path, 10);
        let count = traced.count();
        // The server calls accept4(2) once for each failure and once more. After each failure it
        // waits only for a timeout.
        assert_eq!(count("accept4("), TIMES + 1, "{error}");
        assert_eq!(count(", 100, NULL, 0) = 0"), TIMES, "{error}");
    }
}

#[test]
fn l4_the_service_survives_errors_of_any_system_call() {
    let mut cases = Vec::new();
    for (call, errors) in [
        ("accept4", &["ECONNABORTED", "EPROTO", "ENETDOWN"][..]),
        ("recvmsg", &["ECONNRESET", "ENOMEM", "ETIMEDOUT", "EIO"]),
        ("sendto", &["ECONNRESET", "EPIPE", "ENOBUFS", "ENOMEM"]),
    ] {
        for error in errors.iter().chain(&["EINTR", "EAGAIN"]) {
            cases.push(format!("inject={call}:error={error}:when=2+3"));
        }
    }
    cases.push("inject=epoll_pwait:error=EINTR:when=2+3".to_string());
    // The third epoll_ctl(2) adds the first client, after the listener and the control socket.
    for error in ["ENOMEM", "ENOSPC"] {
        cases.push(format!("inject=epoll_ctl:error={error}:when=3"));
    }
    // The server can do without the results of these.
    for call in ["getsockopt", "shutdown", "fsetxattr", "lsetxattr", "fchmod"] {
        cases.push(format!("inject={call}:error=EPERM"));
    }
    for inject in &cases {
        let trace = "trace=accept4,recvmsg,sendto,epoll_pwait,epoll_ctl";
        let Some(traced) = Traced::start(&["-e", trace, "-e", inject]) else {
            return;
        };
        let path = &traced.server.path;
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| insist(path, 20));
            }
        });
        let count = traced.count();
        let all = ["accept4(", "recvmsg(", "sendto(", "epoll_pwait("].map(&count);
        assert!(all.iter().all(|count| *count < 1000), "{inject}: {all:?}");
    }
}

#[test]
fn one_call_costs_one_read_one_write_and_one_poll() {
    const CALLS: usize = 200;
    let Some(traced) =
        Traced::start(&["-e", "trace=network,read,write,poll,epoll_pwait,epoll_ctl"])
    else {
        return;
    };
    let mut caller = traced.server.connect();
    (0..CALLS).for_each(|_| caller.ping());
    drop(caller);
    let count = traced.count();
    assert_eq!(count("sendto("), CALLS);
    // The last read finds the end of the stream. Three more polls report the new client, its
    // disconnection, and the end of the server.
    assert!(count("recvmsg(") <= CALLS + 1, "{}", count("recvmsg("));
    assert!(
        (CALLS..CALLS + 5).contains(&count("epoll_pwait(")),
        "{}",
        count("epoll_pwait(")
    );
    // The listener and the control socket are added, the connection is added and removed. A call
    // needs no epoll_ctl(2).
    assert!(count("epoll_ctl(") <= 4, "{}", count("epoll_ctl("));
}

#[test]
fn a_hundred_pipelined_calls_cost_at_most_four_reads_writes_and_polls() {
    const TIMES: usize = 20;
    let Some(traced) = Traced::start(&["-e", "trace=network,read,write,poll,epoll_pwait"]) else {
        return;
    };
    let mut caller = traced.server.connect();
    let calls = [PING; 100].join("\0");
    for _ in 0..TIMES {
        caller.send(&calls).unwrap();
        (0..100).for_each(|_| assert_eq!(caller.receive().unwrap(), PONG));
    }
    drop(caller);
    let count = traced.count();
    for call in ["recvmsg(", "sendto(", "epoll_pwait("] {
        assert!(count(call) <= 4 * TIMES + 5, "{call}: {}", count(call));
    }
}

#[test]
fn a_program_with_its_own_poll_loop_misses_no_event_and_does_not_spin() {
    static POLLS: AtomicU64 = AtomicU64::new(0);
    const CALLS: usize = 300;
    const TIMER: u32 = 5;
    let path = path();
    let listener = Listener::bind(&path).unwrap();
    let (stop, stopped) = nullink::unix::Stream::pair().unwrap();
    let program = std::thread::spawn(move || {
        let mut slots = Box::new(Slots::<4, RX, TX>::new());
        let mut server = Server::new(listener, &mut slots).unwrap();
        server.set_clock(nullink::unix::monotonic);
        let (sender, _told) = mpsc::channel();
        let mut room = Room::new(sender);
        let mut timers = 0;
        server.set_timer(TIMER, Some(1)).unwrap();
        loop {
            let wait = server.timeout().map(|wait| Timespec {
                tv_sec: (wait / 1000) as i64,
                tv_nsec: (wait % 1000 * 1_000_000) as i64,
            });
            let readable = PollFlags::IN;
            let mut fds = [
                PollFd::new(&server, readable),
                PollFd::new(&stopped, readable),
            ];
            poll(&mut fds, wait.as_ref()).unwrap();
            POLLS.fetch_add(1, Ordering::Relaxed);
            if !fds[1].revents().is_empty() {
                return timers;
            }
            while let Some(event) = server.try_step(&mut room).unwrap() {
                if event == Event::Timer(TIMER) {
                    timers += 1;
                    let next = (timers < 20).then_some(1);
                    server.set_timer(TIMER, next).unwrap();
                }
            }
        }
    });
    let mut waiting = Caller::connect(&path).unwrap();
    waiting.send(&more("Listen", "{}")).unwrap();
    waiting.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut stalled = Caller::connect(&path).unwrap();
    let count = more("Count", r#"{"n":2000,"letters":500}"#);
    stalled.send(&count).unwrap();
    // More clients than places.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut caller = Caller::connect(&path).unwrap();
                (0..CALLS).for_each(|_| caller.ping());
            });
        }
    });
    let mut speaker = Caller::connect(&path).unwrap();
    for i in 0..10 {
        let item = format!(r#"{{"item":"{i}"}}"#);
        assert_eq!(speaker.call(&method("Say", &item)).unwrap(), "{}");
        assert!(waiting.receive().unwrap().contains(&item));
    }
    // One poll for each call, for each client that connects or disconnects, for each timer, and for
    // the steps of the stream until it stalls.
    let polls = POLLS.load(Ordering::Relaxed);
    assert!(polls < 4 * CALLS as u64 + 100, "{polls} polls");
    (0..2000).for_each(|i| assert!(stalled.receive().unwrap().contains(&format!("{i},"))));
    stalled.ping();
    drop(stop);
    assert_eq!(program.join().unwrap(), 20);
    let _ = std::fs::remove_file(&path);
}
