//! Measures a server with many connections: under attack, next to busy clients, with a client that
//! stalls, and over time.
//!
//! ```sh
//! cargo run --release --example soak attack
//! cargo run --release --example soak greed
//! cargo run --release --example soak replies
//! cargo run --release --example soak calls 2000000 600   # 2000000 calls in 600 s
//! ```

#[path = "../tests/common/attack.rs"]
mod attack;
#[path = "../tests/common/room_service.rs"]
mod room_service;

use std::io::{self, Read, Write};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use attack::{Attack, Caller, PONG, Process, method, more};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", path] => attack::serve(path),
        ["be-killed", path] => attack::be_killed(path),
        ["attack"] => return status(under_attack()),
        ["greed"] => return status(next_to_busy_clients()),
        ["replies"] => return status(replies()),
        ["calls", calls, seconds] => match (calls.parse(), seconds.parse()) {
            (Ok(count), Ok(seconds)) => {
                return status(calls_of_all_kinds(count, Duration::from_secs(seconds)));
            }
            _ => return usage(),
        },
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

/// Returns the exit status. It is no failure if the reader of the output has gone away, as in
/// `soak attack | head`.
fn status(printed: io::Result<()>) -> ExitCode {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("soak: can't print: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: soak attack | soak greed | soak replies | soak calls COUNT SECONDS");
    ExitCode::FAILURE
}

/// Returns a command that runs this program in another process.
fn this(command: &str, path: &str) -> Command {
    let mut this = Command::new(std::env::current_exe().expect("a path"));
    this.args([command, path]);
    this
}

fn server() -> Process {
    let path = attack::path();
    Process::start(this("serve", &path), path)
}

/// Returns a server's memory in kB, and the number of its descriptors.
fn state(server: &Process) -> (usize, usize) {
    (server.memory(), server.descriptors())
}

/// Compares calls to a server under every kind of attack with calls to a quiet server.
fn under_attack() -> io::Result<()> {
    let mut out = io::stdout();
    let (attacked, quiet) = (server(), server());
    let begin = state(&attacked);
    writeln!(
        out,
        "slots                   {} kB",
        attack::SLOTS_SIZE / 1024
    )?;
    writeln!(out, "memory at the beginning {} kB", begin.0)?;
    attack::all_at_once(&attacked.path);
    writeln!(out, "all places used once    {} kB", attacked.memory())?;
    for round in 1..=3 {
        let path = attacked.path.clone();
        let attack = Attack::begin(&attacked.path, move || this("be-killed", &path));
        let (mut good, mut other) = (attacked.connect(), quiet.connect());
        let (one, two) = attack::medians(&mut good, &mut other, 20_000);
        let ratio = one.as_secs_f64() / two.as_secs_f64();
        writeln!(
            out,
            "round {round}: median call {one:?}, quiet server {two:?}: ratio {ratio:.2}"
        )?;
        assert!(ratio <= 2.0, "calls take more than twice as long");
        attack::one_after_another(&attacked.path, 1000);
        attack::all_at_once(&attacked.path);
        let rounds = attack.rounds.load(Ordering::Relaxed);
        drop((attack, good));
        let as_before = attacked.has_descriptors(begin.1);
        let (memory, descriptors) = state(&attacked);
        writeln!(
            out,
            "  {rounds} attacks; memory {memory} kB; {descriptors} descriptors"
        )?;
        assert!(as_before, "there were {} descriptors before", begin.1);
    }
    Ok(())
}

/// Compares calls to a server that another client keeps busy with calls to a quiet server.
fn next_to_busy_clients() -> io::Result<()> {
    let mut out = io::stdout();
    let oneway = attack::PING.replacen('{', r#"{"oneway":true,"#, 1);
    for (name, call) in [
        ("calls without replies", format!("{oneway}\0").repeat(1000)),
        (
            "pipelined calls",
            format!("{}\0", attack::PING).repeat(1000),
        ),
        (
            "a stream",
            more("Count", r#"{"n":4000000000,"letters":10}"#) + "\0",
        ),
    ] {
        let (busy, quiet) = (server(), server());
        let greedy = busy.connect().stream;
        let stop = || greedy.shutdown(std::net::Shutdown::Both);
        let (one, two) = thread::scope(|scope| {
            scope.spawn(|| while (&greedy).write_all(call.as_bytes()).is_ok() {});
            scope.spawn(|| {
                let mut buffer = [0; 1 << 16];
                while matches!((&greedy).read(&mut buffer), Ok(1..)) {}
            });
            let (mut good, mut other) = (busy.connect(), quiet.connect());
            let medians = attack::medians(&mut good, &mut other, 20_000);
            stop().expect("a socket");
            medians
        });
        let ratio = one.as_secs_f64() / two.as_secs_f64();
        writeln!(
            out,
            "{name}: median call {one:?}, quiet server {two:?}: ratio {ratio:.2}"
        )?;
    }
    Ok(())
}

/// Checks a million replies to a client that stops reading for a second in the middle.
fn replies() -> io::Result<()> {
    let mut out = io::stdout();
    const REPLIES: u32 = 1_000_000;
    let server = server();
    let mut caller = server.connect();
    let call = more("Count", &format!(r#"{{"n":{REPLIES},"letters":10}}"#));
    let begin = Instant::now();
    caller.send(&call).expect("room for a call");
    for i in 0..REPLIES {
        if i == REPLIES / 2 {
            thread::sleep(Duration::from_secs(1));
        }
        let continues = if i + 1 < REPLIES {
            r#""continues":true,"#
        } else {
            ""
        };
        let expected = format!(r#"{{{continues}"parameters":{{"i":{i},"letters":"xxxxxxxxxx"}}}}"#);
        assert_eq!(caller.receive().expect("a reply"), expected);
    }
    writeln!(
        out,
        "{REPLIES} replies in order, in {:?}; memory {} kB",
        begin.elapsed(),
        server.memory()
    )?;
    Ok(())
}

/// Makes calls of all kinds, spread evenly over a time. Neither memory nor descriptors may grow.
fn calls_of_all_kinds(calls: u64, time: Duration) -> io::Result<()> {
    let mut out = io::stdout();
    const CLIENTS: u64 = 4;
    let server = server();
    let made = AtomicU64::new(0);
    let descriptors = server.descriptors();
    // Each kind of call is made before the measurement, so that all memory is in use.
    attack::all_at_once(&server.path);
    calls_of_one_client(&server.path, 5000, &made);
    assert!(
        server.has_descriptors(descriptors),
        "descriptors have leaked"
    );
    let begin = Instant::now();
    let first = state(&server);
    writeln!(
        out,
        "at the beginning: memory {} kB, {} descriptors",
        first.0, first.1
    )?;
    made.store(0, Ordering::Relaxed);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let batch = 1000;
                while made.load(Ordering::Relaxed) < calls {
                    calls_of_one_client(&server.path, batch, &made);
                    // Spreads the calls over the time.
                    let share = made.load(Ordering::Relaxed) as f64 / calls as f64;
                    if share < 1.0 {
                        thread::sleep(time.mul_f64(share).saturating_sub(begin.elapsed()));
                    }
                }
            });
        }
        let mut next = time / 10;
        while made.load(Ordering::Relaxed) < calls {
            if begin.elapsed() >= next {
                let (memory, descriptors) = state(&server);
                let printed = writeln!(
                    out,
                    "{:4} s: {:8} calls, memory {memory} kB, {descriptors} descriptors",
                    begin.elapsed().as_secs(),
                    made.load(Ordering::Relaxed),
                );
                if printed.is_err() {
                    // The clients stop as well.
                    made.store(calls, Ordering::Relaxed);
                    return printed;
                }
                next += time / 10;
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    })?;
    assert!(server.has_descriptors(first.1), "descriptors have leaked");
    let (memory, descriptors) = state(&server);
    writeln!(
        out,
        "{:?}: {} calls, memory {memory} kB, {descriptors} descriptors",
        begin.elapsed(),
        made.load(Ordering::Relaxed),
    )?;
    assert_eq!(memory, first.0, "the memory has grown");
    Ok(())
}

/// Makes about `calls` calls over several connections, and adds their number to `made`.
fn calls_of_one_client(path: &str, calls: u64, made: &AtomicU64) {
    let connect = || Caller::connect(path).expect("a connection");
    let count = more("Count", r#"{"n":10,"letters":100}"#);
    let say = method("Say", r#"{"item":"a"}"#);
    for _ in 0..calls / 100 {
        let (mut caller, mut listener) = (connect(), connect());
        let call = |caller: &mut Caller, call: &str| caller.call(call).expect("a reply");
        for _ in 0..50 {
            assert_eq!(call(&mut caller, attack::PING), PONG);
        }
        let pipelined = [attack::PING; 20].join("\0");
        caller.send(&pipelined).expect("room for calls");
        for _ in 0..20 {
            assert_eq!(caller.receive().expect("a reply"), PONG);
        }
        for _ in 0..5 {
            caller.send(&count).expect("room for a call");
            for _ in 0..10 {
                assert!(caller.receive().expect("a reply").contains("xxx"));
            }
        }
        for _ in 0..5 {
            let oneway = attack::PING.replacen('{', r#"{"oneway":true,"#, 1);
            caller.send(&oneway).expect("room for a call");
        }
        for error in ["None", "Count", "Letters"] {
            assert!(call(&mut caller, &method(error, "{}")).starts_with(r#"{"error""#));
        }
        let description = r#"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.example.room"}}"#;
        assert!(call(&mut caller, description).contains("Finish"));
        // One client's messages reach the other.
        assert!(call(&mut listener, &more("Enter", "{}")).contains("welcome"));
        for _ in 0..10 {
            assert_eq!(call(&mut caller, &say), "{}");
            assert!(
                listener
                    .receive()
                    .expect("an item")
                    .contains(r#""item":"a""#)
            );
        }
        // Both disconnect, one of them during a parked call.
        listener
            .send(&method("Wait", "{}"))
            .expect("room for a call");
        made.fetch_add(50 + 20 + 5 + 5 + 3 + 1 + 1 + 10 + 1, Ordering::Relaxed);
    }
}
