//! A server in a separate process, and clients that attack it: for `tests/attack.rs`, and for
//! `examples/soak.rs`, which measures the same.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nullink::server::{Event, Interest, Server, Slots};
use nullink::unix::{Listener, Stream};

use crate::room_service::Room;

pub const CONNECTIONS: usize = 64;
pub const RX: usize = 4096;
pub const TX: usize = 8192;

pub const PING: &str = r#"{"method":"org.example.room.Ping","parameters":{"ping":"x"}}"#;
pub const PONG: &str = r#"{"parameters":{"pong":"x"}}"#;

pub fn method(name: &str, parameters: &str) -> String {
    format!(r#"{{"method":"org.example.room.{name}","parameters":{parameters}}}"#)
}

pub fn more(name: &str, parameters: &str) -> String {
    format!(r#"{{"method":"org.example.room.{name}","more":true,"parameters":{parameters}}}"#)
}

/// The slots. Their memory is not touched before a connection uses it.
static SLOTS: Mutex<Slots<CONNECTIONS, RX, TX>> = Mutex::new(Slots::new());

pub const SLOTS_SIZE: usize = size_of::<Slots<CONNECTIONS, RX, TX>>();

/// Serves until the parent process closes its end of the control socket.
///
/// An error of the server makes the process fail.
pub fn serve(path: &str) {
    const STOP: u32 = 1;
    let mut slots = SLOTS.lock().expect("the first to serve");
    let listener = Listener::bind(path).expect("a socket");
    let control = Stream::connect(&control(path)).expect("a control socket");
    let mut server = Server::new(listener, &mut slots).expect("a server");
    server
        .watch(&control, Interest::Readable, STOP)
        .expect("a watch");
    let (sender, told) = mpsc::channel();
    let mut room = Room::new(sender);
    loop {
        match server.step(&mut room) {
            Ok(Event::Ready(STOP)) => break,
            // This program has no other protocol to upgrade to.
            Ok(Event::Upgraded(connection, _)) => server.close(&mut room, connection),
            Ok(_) => while told.try_recv().is_ok() {},
            Err(error) => panic!("the service has ended: {error}"),
        }
    }
}

fn control(path: &str) -> String {
    format!("{path}.control")
}

/// Returns a unique path.
pub fn path() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("nullink-attack-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    path.to_str().expect("text").to_owned()
}

/// A server in a separate process.
pub struct Process {
    child: Child,
    control: Option<UnixStream>,
    pub path: String,
}

impl Process {
    /// Starts a process that calls [`serve`] with the path, and waits until it serves.
    pub fn start(mut command: Command, path: String) -> Self {
        let listener = UnixListener::bind(control(&path)).expect("a socket");
        listener.set_nonblocking(true).expect("a socket");
        let mut child = command.spawn().expect("a process");
        let control = loop {
            match listener.accept() {
                Ok((control, _)) => break control,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            let ended = child.try_wait().expect("a child");
            assert!(ended.is_none(), "the server has ended: {ended:?}");
            thread::yield_now();
        };
        Process {
            child,
            control: Some(control),
            path,
        }
    }

    pub fn connect(&self) -> Caller {
        Caller::connect(&self.path).expect("a connection")
    }

    /// Returns the peak of its memory, in kB: `VmHWM`, proc_pid_status(5).
    pub fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).expect("kB")
    }

    /// Returns the number of its open descriptors.
    pub fn descriptors(&self) -> usize {
        let all = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        all.expect("a process").count()
    }

    /// Waits until it has `count` descriptors. False if it does not within a minute.
    pub fn has_descriptors(&self, count: usize) -> bool {
        let begin = Instant::now();
        while self.descriptors() != count {
            if begin.elapsed() > Duration::from_secs(60) {
                return false;
            }
            thread::yield_now();
        }
        true
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.control.take());
        let ended = self.child.wait();
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(control(&self.path));
        if !thread::panicking() {
            let ended = ended.expect("a child");
            assert!(ended.success(), "the server has ended: {ended}");
        }
    }
}

/// A well-behaved client.
pub struct Caller {
    pub stream: UnixStream,
    input: BufReader<UnixStream>,
}

impl Caller {
    pub fn connect(path: &str) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let input = BufReader::new(stream.try_clone()?);
        Ok(Caller { stream, input })
    }

    pub fn send(&mut self, call: &str) -> io::Result<()> {
        self.stream.write_all(format!("{call}\0").as_bytes())
    }

    /// Receives the next message.
    pub fn receive(&mut self) -> io::Result<String> {
        let mut message = Vec::new();
        self.input.read_until(0, &mut message)?;
        match message.pop() {
            Some(0) => Ok(String::from_utf8(message).expect("UTF-8")),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    pub fn call(&mut self, call: &str) -> io::Result<String> {
        self.send(call)?;
        self.receive()
    }

    pub fn ping(&mut self) {
        assert_eq!(self.call(PING).expect("a reply"), PONG);
    }

    /// Returns the duration of a call.
    fn time(&mut self) -> Duration {
        let begin = Instant::now();
        self.ping();
        begin.elapsed()
    }
}

/// Returns the median durations of calls to two servers. The calls alternate, so other load of the
/// machine slows down both.
pub fn medians(one: &mut Caller, other: &mut Caller, calls: usize) -> (Duration, Duration) {
    let times = (0..calls).map(|_| (one.time(), other.time()));
    let (mut one, mut other): (Vec<_>, Vec<_>) = times.unzip();
    one.sort_unstable();
    other.sort_unstable();
    (one[calls / 2], other[calls / 2])
}

/// Runs clients one after another, each with a hundred calls.
pub fn one_after_another(path: &str, clients: usize) {
    for _ in 0..clients {
        let mut caller = Caller::connect(path).expect("a connection");
        (0..100).for_each(|_| caller.ping());
    }
}

/// Runs as many clients at once as there are places, each with a hundred calls.
pub fn all_at_once(path: &str) {
    let barrier = std::sync::Barrier::new(CONNECTIONS);
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut caller = Caller::connect(path).expect("a connection");
                barrier.wait();
                (0..100).for_each(|_| caller.ping());
            });
        }
    });
}

/// Attackers, which run until this is dropped.
///
/// They slow down the calls of other clients by the work that they cause for the server. If the
/// server stops reading from an attacker, the attacker waits in write(2), and uses no time. The
/// attackers also use time of the machine, which slows down a quiet server just as much.
pub struct Attack {
    stop: Arc<AtomicBool>,
    streams: Vec<UnixStream>,
    threads: Vec<JoinHandle<()>>,
    /// The number of completed turns of all attackers.
    pub rounds: Arc<AtomicU32>,
}

impl Attack {
    /// Attacks the server at a path. `victim` returns a command for a client process to kill.
    pub fn begin(path: &str, victim: impl Fn() -> Command + Send + 'static) -> Self {
        let mut attack = Attack {
            stop: Arc::default(),
            streams: Vec::new(),
            threads: Vec::new(),
            rounds: Arc::default(),
        };
        // An attacker that calls a stream and never reads.
        let call = more("Count", r#"{"n":4000000000,"letters":900}"#);
        let mut deaf = attack.connect(path);
        deaf.write_all(format!("{call}\0").as_bytes())
            .expect("room for a call");
        // An attacker that sends one byte per second.
        let slow = attack.connect(path);
        attack.repeat(move || {
            let _ = (&slow).write(b" ");
            thread::park_timeout(Duration::from_secs(1));
        });
        // An attacker that keeps calling and never reads.
        let flood = attack.connect(path);
        let calls = format!("{PING}\0").repeat(1000);
        attack.repeat(move || {
            let _ = (&flood).write_all(calls.as_bytes());
        });
        // An attacker that sends 64 MiB without a NUL, and connects again when it is disconnected.
        let to = path.to_owned();
        attack.repeat(move || {
            let bytes = vec![b'x'; 1 << 20];
            let mut left = 64_usize << 20;
            while left > 0 {
                let mut stream = UnixStream::connect(&to).expect("a connection");
                while let Ok(count @ 1..) = stream.write(&bytes) {
                    left = left.saturating_sub(count);
                }
                thread::park_timeout(Duration::from_millis(1));
            }
        });
        // An attacker that dies between any two of its system calls.
        let to = path.to_owned();
        let mut stage = 0;
        attack.repeat(move || {
            die(&to, stage);
            stage += 1;
            thread::park_timeout(Duration::from_millis(1));
        });
        // An attacker that is killed at any time.
        let mut microseconds = 1;
        attack.repeat(move || {
            let mut child = victim().spawn().expect("a process");
            microseconds = microseconds * 75 % 65537;
            thread::park_timeout(Duration::from_micros(microseconds));
            child.kill().expect("a child");
            child.wait().expect("a child");
        });
        attack
    }

    fn connect(&mut self, path: &str) -> UnixStream {
        let stream = UnixStream::connect(path).expect("a connection");
        self.streams.push(stream.try_clone().expect("a descriptor"));
        stream
    }

    fn repeat(&mut self, mut attack: impl FnMut() + Send + 'static) {
        let (stop, rounds) = (self.stop.clone(), self.rounds.clone());
        self.threads.push(thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                attack();
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for stream in &self.streams {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "an attacker failed");
        }
    }
}

/// Runs a client that disconnects at a stage of a call.
fn die(path: &str, stage: usize) {
    let calls = [
        PING.to_owned(),
        more("Count", r#"{"n":4000000000,"letters":900}"#),
        more("Listen", "{}"),
        more("Enter", "{}"),
        method("Wait", "{}"),
        method("Say", r#"{"item":"a"}"#),
        method("Letters", r#"{"n":3000}"#),
        r#"{"method":"org.example.room.Pipe","upgrade":true}"#.to_owned(),
        r#"{"method":"org.example.room.None"}"#.to_owned(),
        "no call".to_owned(),
    ];
    let call = format!("{}\0", calls[stage % calls.len()]);
    let mut caller = Caller::connect(path).expect("a connection");
    let _ = match stage / calls.len() % 6 {
        0 => Ok(()),
        1 => caller.stream.write_all(&call.as_bytes()[..call.len() / 2]),
        2 => caller.stream.write_all(call.as_bytes()),
        3 => caller.stream.write_all(call.repeat(20).as_bytes()),
        4 => {
            let _ = caller.stream.write_all(call.as_bytes());
            let _ = caller.stream.write_all(PING.as_bytes());
            caller.stream.shutdown(std::net::Shutdown::Write)
        }
        _ => {
            // Receive a reply, if there is one.
            let timeout = Some(Duration::from_millis(1));
            let _ = caller.stream.set_read_timeout(timeout);
            caller.call(call.trim_end_matches('\0')).map(drop)
        }
    };
}

/// Makes calls of all kinds until the process is killed.
pub fn be_killed(path: &str) {
    while let Ok(mut caller) = Caller::connect(path) {
        let count = more("Count", r#"{"n":50,"letters":900}"#);
        let _ = caller.send(&format!("{PING}\0{PING}\0{count}"));
        (0..52).for_each(|_| _ = caller.receive());
        let _ = caller.call(&method("Letters", r#"{"n":3000}"#));
        let _ = caller.send(&more("Listen", "{}"));
    }
}
