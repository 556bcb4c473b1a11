//! The arguments, the texts and the clock of all programs.

use std::env;
use std::fmt::Debug;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The arguments of a service: `PATH SIZE ESCAPED COUNT`. Only the floor needs all of them, because
/// it does not read what it answers.
pub struct Service {
    pub path: String,
    pub text: String,
    /// The number of replies to one call of Count, or 0 to answer Ping.
    pub count: usize,
}

/// Reads the arguments of a service, after the first `skip` of them.
pub fn service(skip: usize) -> Service {
    let mut words = env::args().skip(1 + skip);
    let path = words.next().expect("a path");
    let (size, escaped) = (number(words.next()), number(words.next()));
    Service {
        path,
        text: text(size, escaped),
        count: number(words.next()),
    }
}

/// The pause between operations that are counted, not timed. The service has answered, and under
/// a tool that makes it slow it also has done what it does after an answer.
const PAUSE: Duration = Duration::from_millis(2);

/// What a client does, and for how long.
pub enum Job {
    /// Sends `depth` calls of Ping in one write on each of `clients` connections, and receives all
    /// replies. `idle` other connections made one call before.
    Ping {
        text: String,
        depth: usize,
        clients: usize,
        idle: usize,
    },
    /// Receives one stream of replies.
    Count { n: usize },
    /// Connects, calls Ping and closes.
    Connect { text: String },
}

/// The arguments of a client: `PATH PID MILLISECONDS OPERATIONS KIND NUMBER..`.
pub struct Client {
    pub path: String,
    pub job: Job,
    /// The process of the service.
    pid: i32,
    /// The time to measure, or 0 to do `operations` with pauses.
    time: Duration,
    operations: usize,
}

/// Reads the arguments of a client.
pub fn client() -> Client {
    let mut words = env::args().skip(1);
    let path = words.next().expect("a path");
    let pid = number(words.next());
    let time = Duration::from_millis(number(words.next()) as u64);
    let operations = number(words.next());
    let kind = words.next();
    let mut next = || number(words.next());
    let job = match kind.as_deref() {
        Some("ping") => Job::Ping {
            text: text(next(), next()),
            depth: next(),
            clients: next(),
            idle: next(),
        },
        Some("count") => Job::Count { n: next() },
        Some("connect") => Job::Connect {
            text: text(next(), next()),
        },
        other => panic!("no job {other:?}"),
    };
    Client {
        path,
        job,
        pid: pid as i32,
        time,
        operations,
    }
}

impl Client {
    /// Repeats an operation. Prints how often, the median of its nanoseconds, those that the service
    /// computed for all operations, and those that the client computed.
    pub fn measure(&self, mut operation: impl FnMut()) {
        // The first operations fill caches and grow buffers.
        let mut now = Instant::now();
        let mut stop = now + self.time / 4;
        while now < stop {
            operation();
            now = Instant::now();
        }
        let mut taken = Vec::with_capacity(1 << 16);
        let (service, own) = (cpu_time(self.pid), cpu_time(0));
        now = Instant::now();
        stop = now + self.time;
        while taken.len() < self.operations && (self.time.is_zero() || now < stop) {
            if self.time.is_zero() {
                // Who counts wants to find the service waiting.
                sleep(PAUSE);
                now = Instant::now();
            }
            operation();
            let end = Instant::now();
            taken.push((end - now).as_nanos());
            now = end;
        }
        let (service, own) = (cpu_time(self.pid) - service, cpu_time(0) - own);
        let count = taken.len();
        let (_, wall, _) = taken.select_nth_unstable(count / 2);
        println!("{count} {wall} {service} {own}");
    }
}

/// Connects to a service that may still be starting.
pub fn connect<T, E: Debug>(mut attempt: impl FnMut() -> Result<T, E>) -> T {
    let begin = Instant::now();
    loop {
        match attempt() {
            Ok(stream) => return stream,
            Err(error) if begin.elapsed() > Duration::from_secs(20) => panic!("{error:?}"),
            Err(_) => sleep(Duration::from_micros(50)),
        }
    }
}

/// Returns a text of `size` characters. Every `escaped`th is a line feed, none if 0.
pub fn text(size: usize, escaped: usize) -> String {
    let is_escaped = |n: usize| escaped > 0 && n % escaped == escaped - 1;
    (0..size)
        .map(|n| if is_escaped(n) { '\n' } else { 'x' })
        .collect()
}

/// Returns a message with a [`text`] and its NUL.
pub fn message(before: &str, text: &str, after: &str) -> Vec<u8> {
    let text = text.replace('\n', "\\n");
    format!("{before}{text}{after}\0").into_bytes()
}

/// Returns the nanoseconds that all threads of a process have computed. 0 is this process.
pub fn cpu_time(pid: i32) -> u64 {
    let mut clock = 0;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: both are plain system calls that write to the given places.
    let failed = unsafe {
        libc::clock_getcpuclockid(pid, &mut clock) != 0
            || libc::clock_gettime(clock, &mut time) != 0
    };
    assert!(!failed, "process {pid} has ended");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn number(word: Option<String>) -> usize {
    word.and_then(|word| word.parse().ok()).expect("a number")
}
