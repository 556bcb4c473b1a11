//! wait, monitor, serve, list-sockets, resolve, bridge.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use rustix::fs::{XattrFlags, fsetxattr};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, socket};
use serde_json::{Value, json};

use crate::station_definitions::needs;
use crate::tool::{Directory, Service, example_path, fail, nullctl, run, succeed};

/// The longest time that a test waits for something that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program that is ended with the value.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Running(command.spawn().expect("the program starts"))
    }

    /// Starts an example at an address.
    fn example(name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(example_path(name));
        let started = Running::start(command.args(arguments).stdout(Stdio::null()));
        succeed(&[
            "wait",
            arguments.last().expect("an address"),
            "--timeout=20",
        ]);
        started
    }

    /// Starts a service of the tool at a path.
    fn service(path: &str, arguments: &[&str]) -> Self {
        let service = Running::start(nullctl().args(arguments));
        succeed(&["wait", path, "--timeout=20"]);
        service
    }

    fn output(&mut self) -> BufReader<ChildStdout> {
        BufReader::new(self.0.stdout.take().expect("a pipe"))
    }

    /// Waits until the program has ended by itself.
    fn end(&mut self) -> Option<i32> {
        let mut status = None;
        eventually("the program ends", || {
            status = self.0.try_wait().expect("it was started here");
            status.is_some()
        });
        status.and_then(|status| status.code())
    }

    /// Returns the pids of the children, with those that nobody has waited for.
    fn children(&self) -> Vec<u32> {
        let parent = self.0.id().to_string();
        let processes = fs::read_dir("/proc").expect("/proc is mounted").flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields = stat.rsplit(')').next().unwrap_or_default();
            fields.split_whitespace().nth(1) == Some(&parent)
        })
        .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tries until it is true.
#[track_caller]
fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !is_true() {
        assert!(begin.elapsed() < PATIENCE, "{what}: not in time");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A connection that sends and receives raw messages.
struct Raw(BufReader<UnixStream>);

impl Raw {
    fn connect(path: &str) -> Self {
        let stream = UnixStream::connect(path).expect("a service");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Raw(BufReader::new(stream))
    }

    fn send(&mut self, message: &Value) {
        self.bytes(format!("{message}\0").as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("the peer reads");
    }

    fn receive(&mut self) -> Value {
        let mut message = Vec::new();
        self.0.read_until(0, &mut message).expect("a message");
        assert_eq!(message.pop(), Some(0), "{message:?}");
        serde_json::from_slice(&message).expect("JSON")
    }

    fn call(&mut self, message: &Value) -> Value {
        self.send(message);
        self.receive()
    }

    /// Reads to the end.
    fn rest(mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).expect("an end");
        rest
    }
}

fn call(method: &str, parameters: Value) -> Value {
    json!({"method": method, "parameters": parameters})
}

fn need(text: &str) -> Value {
    call("org.example.t.Need", json!({ "s": text }))
}

const GET_INFO: &str = r#"{"method":"org.varlink.service.GetInfo"}"#;

// wait

#[test]
fn wait_ends_when_the_service_answers() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let mut waiting = Running::start(nullctl().args(["wait", &path, "--timeout=20"]));
    thread::sleep(Duration::from_millis(50));
    assert_eq!(waiting.0.try_wait().unwrap(), None, "there is no service");
    let _service = Running::example("conformance", &[&path]);
    assert_eq!(waiting.end(), Some(0));
}

#[test]
fn wait_fails_after_its_timeout() {
    let directory = Directory::new();
    let message = fail(&["wait", &directory.path("none"), "--timeout=0.1"]);
    assert!(
        message.contains("no answer within the timeout"),
        "{message}"
    );
    assert!(message.contains("is it running?"), "{message}");
}

#[test]
fn wait_does_not_take_an_accepting_socket_for_a_service() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let message = fail(&["wait", &path, "--timeout=0.2"]);
    assert!(message.contains("timed out"), "{message}");
    // Nor one that says something else, or closes the connection.
    thread::spawn(move || {
        for (client, count) in listener.incoming().zip(0..) {
            let answer: &[u8] = if count % 2 == 0 { b"hello\0" } else { b"" };
            let _ = client.unwrap().write_all(answer);
        }
    });
    fail(&["wait", &path, "--timeout=0.2"]);
}

/// Opens a terminal. Returns its two ends; the second is for a program.
fn terminal() -> (fs::File, OwnedFd) {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = openpt(flags).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let output = ioctl_tiocgptpeer(&terminal, flags).unwrap();
    (terminal.into(), output)
}

#[test]
fn wait_tells_a_person_what_it_waits_for() {
    let directory = Directory::new();
    let path = directory.path("none");
    let (terminal, errors) = terminal();
    let mut command = nullctl();
    command.args(["wait", &path, "--timeout=20"]).stderr(errors);
    let _waiting = Running::start(&mut command);
    let mut line = String::new();
    BufReader::new(terminal).read_line(&mut line).unwrap();
    assert!(line.starts_with("nullctl: waiting for "), "{line}");
    assert!(line.contains(&path), "{line}");
}

#[test]
fn wait_refuses_what_can_never_answer() {
    for address in [
        "nonsense",
        "exec:/bin/true",
        &format!("/{}", "x".repeat(108)),
    ] {
        let message = fail(&["wait", address]);
        assert!(message.contains(address), "{message}");
    }
}

#[test]
fn wait_finds_an_interface_in_the_registry() {
    let directory = Directory::new();
    let registry = directory.path("varlink/registry");
    fs::create_dir_all(&registry).unwrap();
    let mut waiting = Running::start(
        nullctl()
            .args(["wait", "org.example.t", "--timeout=20"])
            .env("XDG_RUNTIME_DIR", directory.path("")),
    );
    let _service = Running::example("conformance", &[&format!("{registry}/org.example.t")]);
    assert_eq!(waiting.end(), Some(0));
}

// monitor

/// A monitor of a service.
struct Monitor {
    process: Running,
    path: String,
    _directory: Directory,
}

impl Monitor {
    fn start(address: &str, output: Stdio) -> Self {
        let directory = Directory::new();
        let path = directory.path("monitor");
        let mut command = nullctl();
        command.args(["monitor", address, &path]).stdout(output);
        let process = Running::start(&mut command);
        eventually("the monitor listens", || {
            fs::metadata(&path).is_ok_and(|_| UnixStream::connect(&path).is_ok())
        });
        Monitor {
            process,
            path,
            _directory: directory,
        }
    }
}

/// Returns the next line of the monitor, without those of the connection that `start` has made.
fn next_line(output: &mut BufReader<ChildStdout>) -> String {
    loop {
        let mut line = String::new();
        output.read_line(&mut line).expect("UTF-8");
        assert!(line.ends_with('\n'), "the output ends in {line:?}");
        line.pop();
        if !line.contains(" -- ") {
            // Without the number.
            return line.split_once(' ').expect("a number").1.to_owned();
        }
    }
}

#[test]
fn monitor_prints_what_passes() {
    let service = Service::start("conformance", &[]);
    let mut monitor = Monitor::start(&service.address, Stdio::piped());
    let mut output = monitor.process.output();
    let mut client = Raw::connect(&monitor.path);
    client.bytes(b"{ \"method\" :\"org.example.t.Need\",\n\"parameters\":{\"s\":\"a \\\" b\x7f\xc2\x9b\"}}\0");
    assert_eq!(
        client.receive(),
        json!({"parameters": {"s": "a \" b\u{7f}\u{9b}"}})
    );
    let printed = r#"{"method":"org.example.t.Need","parameters":{"s":"a \" b\u007f\u009b"}}"#;
    assert_eq!(next_line(&mut output), format!("-> {printed}"));
    assert_eq!(
        next_line(&mut output),
        r#"<- {"parameters":{"s":"a \" b\u007f\u009b"}}"#
    );
    client.send(&json!({"method": "org.example.t.Count", "more": true, "parameters": {"n": 2}}));
    client.send(&json!({"method": "org.example.t.Empty", "oneway": true}));
    client.send(&json!({"method": "org.example.t.Fail"}));
    let mut lines: Vec<_> = (0..6).map(|_| next_line(&mut output)).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            r#"-> {"method":"org.example.t.Count","more":true,"parameters":{"n":2}}"#,
            r#"-> {"method":"org.example.t.Empty","oneway":true}"#,
            r#"-> {"method":"org.example.t.Fail"}"#,
            r#"<- {"continues":true,"parameters":{"i":0}}"#,
            r#"<- {"error":"org.example.t.Oops","parameters":{"why":"because"}}"#,
            r#"<- {"parameters":{"i":1}}"#,
        ]
    );
}

#[test]
fn monitor_counts_the_bytes_after_an_upgrade() {
    let service = Service::start("conformance", &[]);
    let mut monitor = Monitor::start(&service.address, Stdio::piped());
    let mut output = monitor.process.output();
    let mut client = Raw::connect(&monitor.path);
    let upgrade = |method: &str| json!({"method": method, "upgrade": true});
    assert_eq!(
        client.call(&upgrade("org.example.t.Fail"))["error"],
        "org.example.t.Oops"
    );
    client.call(&upgrade("org.example.t.Pipe"));
    client.bytes(b"{\"a\0b");
    client.0.get_mut().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.rest(), "{\"a\0b");
    let lines: Vec<_> = (0..6).map(|_| next_line(&mut output)).collect();
    assert_eq!(
        lines[1],
        r#"<- {"error":"org.example.t.Oops","parameters":{"why":"because"}}"#
    );
    assert_eq!(
        lines[2],
        r#"-> {"method":"org.example.t.Pipe","upgrade":true}"#
    );
    assert_eq!(lines[3..], ["<- {}", "-> 5 bytes", "<- 5 bytes"]);
}

#[test]
fn monitor_serves_50_clients_and_keeps_no_zombies() {
    const CLIENTS: usize = 50;
    const CALLS: usize = 10;
    let service = Service::start("conformance", &[]);
    let mut monitor = Monitor::start(&service.address, Stdio::piped());
    let mut output = monitor.process.output();
    let reader = thread::spawn(move || {
        let mut lines = Vec::new();
        let mut closed = 0;
        for line in output.by_ref().lines().map(Result::unwrap) {
            closed += usize::from(line.ends_with(" -- closed"));
            lines.push(line);
            // The connection of `start` as well.
            if closed == CLIENTS + 1 {
                break;
            }
        }
        // The monitor ends if its output is closed.
        (lines, output)
    });
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let path = &monitor.path;
            scope.spawn(move || {
                let mut connection = Raw::connect(path);
                for count in 0..CALLS {
                    // A pipe takes no more than 4096 bytes at once.
                    let text = format!("{client} {}", "x".repeat(count * 1000));
                    let reply = connection.call(&need(&text));
                    assert_eq!(reply["parameters"]["s"], text);
                }
            });
        }
    });
    let (lines, _output) = reader.join().unwrap();
    let mut messages = std::collections::HashMap::<_, (usize, usize)>::new();
    for line in lines.iter().filter(|line| !line.contains(" -- ")) {
        let (number, rest) = line.split_once(' ').unwrap();
        let (direction, message) = rest.split_once(' ').unwrap();
        let message: Value = serde_json::from_str(message).expect("the lines do not mix");
        let text = message["parameters"]["s"].as_str().unwrap();
        let client: usize = text.split_once(' ').unwrap().0.parse().unwrap();
        let counts = messages.entry((number, client)).or_default();
        match direction {
            "->" => counts.0 += 1,
            "<-" => counts.1 += 1,
            _ => panic!("{line}"),
        }
    }
    assert_eq!(messages.len(), CLIENTS);
    assert!(messages.values().all(|counts| *counts == (CALLS, CALLS)));
    eventually("all processes are reaped", || {
        monitor.process.children().is_empty()
    });
    assert_eq!(monitor.process.0.try_wait().unwrap(), None);
}

#[test]
fn monitor_lets_clients_wait_for_descriptors() {
    let service = Service::start("conformance", &[]);
    let directory = Directory::new();
    let path = directory.path("monitor");
    let mut command = Command::new("sh");
    let nullctl = nullctl();
    command
        .args(["-c", "ulimit -n 20; exec \"$0\" \"$@\""])
        .arg(nullctl.get_program());
    command
        .args(["monitor", &service.address, &path])
        .stdout(Stdio::null());
    let _monitor = Running::start(&mut command);
    succeed(&["wait", &path, "--timeout=20"]);
    // All are there before the first one is done.
    let clients: Vec<_> = (0..30).map(|_| Raw::connect(&path)).collect();
    for mut client in clients {
        client.call(&need("x"));
    }
}

#[test]
fn monitor_ends_when_nobody_reads_its_output() {
    let service = Service::start("conformance", &[]);
    let mut monitor = Monitor::start(&service.address, Stdio::piped());
    let mut client = Raw::connect(&monitor.path);
    client.call(&need("x"));
    let mut output = monitor.process.output();
    assert!(next_line(&mut output).starts_with("-> "));
    let children = monitor.process.children();
    drop(output);
    assert_eq!(monitor.process.end(), Some(0));
    assert!(!children.is_empty());
    eventually("the connections end", || {
        let is_there = |pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.contains("nullctl") && !stat.contains(") Z ")
        };
        !children.iter().any(is_there)
    });
    assert_eq!(client.rest(), "");
}

#[test]
fn monitor_survives_its_service() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let mut monitor = Monitor::start(&path, Stdio::piped());
    let _output = monitor.process.output();
    assert_eq!(
        Raw::connect(&monitor.path).rest(),
        "",
        "there is no service"
    );
    for _ in 0..2 {
        let service = Running::example("conformance", &[&path]);
        let mut client = Raw::connect(&monitor.path);
        client.call(&need("x"));
        drop(service);
        assert_eq!(client.rest(), "", "the service has ended");
    }
    eventually("the processes end", || {
        monitor.process.children().is_empty()
    });
}

#[test]
fn monitor_passes_half_closed_connections_on() {
    let service = Service::start("conformance", &[]);
    let mut monitor = Monitor::start(&service.address, Stdio::piped());
    let _output = monitor.process.output();
    let mut client = Raw::connect(&monitor.path);
    client.send(&need("x"));
    client.0.get_mut().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.rest(), "{\"parameters\":{\"s\":\"x\"}}\0");
}

#[test]
fn monitor_forgets_a_client_whose_service_never_reads() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let mut monitor = Monitor::start(&path, Stdio::null());
    let _silent: Vec<_> = (0..1).map(|_| listener.accept().unwrap()).collect();
    let mut client = Raw::connect(&monitor.path);
    let _connection = listener.accept().unwrap();
    client.0.get_mut().set_nonblocking(true).unwrap();
    let mut sent = 0;
    eventually("all buffers are full", || {
        let before = sent;
        while let Ok(count) = client.0.get_mut().write(&[b'x'; 4096]) {
            sent += count;
        }
        before == sent && sent > 0
    });
    drop(client);
    eventually("its process ends", || monitor.process.children().is_empty());
    monitor.process.0.kill().unwrap();
}

#[test]
fn monitor_passes_malformed_messages_on() {
    let service = Service::start("conformance", &[]);
    let mut monitor = Monitor::start(&service.address, Stdio::piped());
    let mut output = monitor.process.output();
    for message in [&b"nonsense\x1b[2J\0"[..], b"\xff\xfe\0", b"\0"] {
        let mut client = Raw::connect(&monitor.path);
        client.bytes(message);
        assert_eq!(client.rest(), "", "the service closes the connection");
    }
    let mut lines: Vec<_> = (0..3).map(|_| next_line(&mut output)).collect();
    lines.sort();
    assert_eq!(lines, ["-> ", "-> 2 bytes", "-> nonsense\\u001b[2J"]);
}

#[test]
fn monitor_is_colored_and_cut_on_a_terminal() {
    let (terminal, output) = terminal();
    let service = Service::start("conformance", &[]);
    let monitor = Monitor::start(&service.address, output.into());
    let mut client = Raw::connect(&monitor.path);
    client.call(&need(&format!("x{}", "ä".repeat(4000))));
    client.call(&json!({"method": "org.example.t.Fail"}));
    let mut lines = BufReader::new(terminal).lines().map(Result::unwrap);
    let mut next = || lines.find(|line| !line.contains("--")).unwrap();
    let call = next();
    assert!(call.contains(" \x1b[36m->\x1b[0m {\"method\""), "{call}");
    assert!(call.ends_with("ä... (8054 bytes)"), "{call}");
    assert!((500..560).contains(&call.len()), "{}", call.len());
    assert!(next().contains("\x1b[32m<-\x1b[0m "));
    assert!(next().contains("\x1b[36m->\x1b[0m "));
    assert!(next().contains("\x1b[31m<-\x1b[0m {\"error\""));
}

// serve

#[test]
fn serve_connects_a_command() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let service = Running::service(&path, &["serve", &path, "org.example.cat.Cat", "cat"]);
    thread::scope(|scope| {
        for client in 0..20 {
            let path = &path;
            scope.spawn(move || {
                let mut connection = Raw::connect(path);
                // The bytes after the call are for the program.
                let call = r#"{"method":"org.example.cat.Cat","upgrade":true}"#;
                connection.bytes(format!("{GET_INFO}\0{call}\0{client}\0").as_bytes());
                assert_eq!(
                    connection.receive()["parameters"]["interfaces"],
                    json!(["org.varlink.service", "org.example.cat"])
                );
                assert_eq!(connection.receive(), json!({}));
                connection.0.get_mut().shutdown(Shutdown::Write).unwrap();
                assert_eq!(connection.rest(), format!("{client}\0"));
            });
        }
    });
    eventually("all processes are reaped", || service.children().is_empty());
}

#[test]
fn serve_describes_its_interface() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let _service = Running::service(&path, &["serve", &path, "org.example.cat.Cat", "cat", "-u"]);
    assert_eq!(
        succeed(&["introspect", &path, "org.example.cat"]),
        "interface org.example.cat\n\n# [Requires 'upgrade' flag]\nmethod Cat() -> ()\n"
    );
    assert!(succeed(&["introspect", &path, "org.varlink.service"]).contains("method GetInfo"));
    assert_eq!(
        succeed(&["list-interfaces", &path]),
        "org.example.cat\norg.varlink.service\n"
    );
    let mut client = Raw::connect(&path);
    let refused = |error: &str, parameters: Value| json!({"error": format!("org.varlink.service.{error}"), "parameters": parameters});
    let empty = json!({});
    for (message, reply) in [
        (
            call("org.example.cat.Cat", empty.clone()),
            refused("ExpectedUpgrade", empty),
        ),
        (
            json!({"method": "org.example.cat.Cat", "upgrade": true, "parameters": {"a\"": 1}}),
            refused("InvalidParameter", json!({"parameter": "a\""})),
        ),
        (
            call("org.example.cat.Cow", json!({})),
            refused("MethodNotFound", json!({"method": "org.example.cat.Cow"})),
        ),
        (
            call("a\"", json!({})),
            refused("MethodNotFound", json!({"method": "a\""})),
        ),
        (
            call("org.example.cow.Cat", json!({})),
            refused("InterfaceNotFound", json!({"interface": "org.example.cow"})),
        ),
        (
            call(
                "org.varlink.service.GetInterfaceDescription",
                json!({"interface": "a.b"}),
            ),
            refused("InterfaceNotFound", json!({"interface": "a.b"})),
        ),
        (
            call("org.varlink.service.GetInterfaceDescription", json!({})),
            refused("InvalidParameter", json!({"parameter": "interface"})),
        ),
    ] {
        client.send(&json!({"method": "org.example.cat.Cow", "oneway": true}));
        assert_eq!(client.call(&message), reply, "{message}");
    }
    client.bytes(b"nonsense\0");
    assert_eq!(client.rest(), "");
}

#[test]
fn serve_refuses_what_it_cannot_serve() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let missing = fail(&["serve", &path, "org.example.cat.Cat", "no-such-program"]);
    assert!(missing.contains("no-such-program"), "{missing}");
    fail(&["serve", &path, "Cat", "cat"]);
    fail(&["serve", &path, "org.example.cat.Cat"]);
    fail(&["serve", "-", "org.example.cat.Cat", "cat"]);
    let absent = directory.path("absent/socket");
    let message = fail(&["serve", &absent, "org.example.cat.Cat", "cat"]);
    assert!(message.contains("directory"), "{message}");
    let message = fail(&["serve", "tcp:127.0.0.1:0", "org.example.cat.Cat", "cat"]);
    assert!(message.contains("path of a socket"), "{message}");
    assert!(!fs::exists(&path).unwrap(), "nothing listens");
    fs::write(&path, "precious").unwrap();
    let message = fail(&["serve", &path, "org.example.cat.Cat", "cat"]);
    assert!(message.contains("in use"), "{message}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn serve_replaces_only_a_stale_socket() {
    let directory = Directory::new();
    let path = directory.path("socket");
    // It never listens: a process that another test starts could keep a listener open for a moment.
    let stale = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    bind(&stale, &SocketAddrUnix::new(&*path).unwrap()).unwrap();
    let arguments = ["serve", &path, "org.example.cat.Cat", "cat"];
    let _service = Running::service(&path, &arguments);
    let message = fail(&arguments);
    assert!(message.contains("in use"), "{message}");
    succeed(&["wait", &path, "--timeout=20"]);
    let unix = format!("unix:{}", directory.path("other"));
    let arguments = ["serve", &unix, "org.example.cat.Cat", "cat"];
    let _other = Running::service(&unix, &arguments);
}

/// Starts `serve -` with a socket as LISTEN_FDS says, or as standard input.
fn serve_socket(socket: OwnedFd, passed: bool) -> Running {
    let nullctl = nullctl();
    let mut command = if passed {
        let mut shell = Command::new("sh");
        let script = "export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\" 3<&0 </dev/null";
        shell.args(["-c", script]).arg(nullctl.get_program());
        shell
    } else {
        nullctl
    };
    // The program must not take the variables for its own.
    let program = ["sh", "-c", "echo ${LISTEN_FDS-none}; cat"];
    command
        .args(["serve", "-", "org.example.cat.Cat"])
        .args(program);
    Running::start(command.stdin(socket))
}

#[test]
fn serve_takes_a_socket_that_it_is_started_with() {
    let upgrade = json!({"method": "org.example.cat.Cat", "upgrade": true});
    for passed in [false, true] {
        let directory = Directory::new();
        let path = directory.path("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let _service = serve_socket(listener.into(), passed);
        for _ in 0..3 {
            let mut client = Raw::connect(&path);
            assert_eq!(client.call(&upgrade), json!({}));
            client.bytes(b"hello");
            client.0.get_mut().shutdown(Shutdown::Write).unwrap();
            assert_eq!(client.rest(), "none\nhello", "passed: {passed}");
        }

        let (client, connection) = UnixStream::pair().unwrap();
        let mut service = serve_socket(connection.into(), passed);
        let mut client = Raw(BufReader::new(client));
        assert_eq!(client.call(&upgrade), json!({}));
        client.0.get_mut().shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.rest(), "none\n", "passed: {passed}");
        assert_eq!(service.end(), Some(0));
    }
}

// list-sockets

// `tests/boot/script.sh` compares the list with that of varlinkctl, on a kernel that has tags.
#[test]
fn sockets_are_listed_if_the_system_has_tags() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let listener = UnixListener::bind(directory.path("other")).unwrap();
    if fsetxattr(&listener, "user.varlink", b"listen", XattrFlags::empty()).is_err() {
        let message = fail(&["list-sockets"]);
        assert!(message.contains("Linux 7.1"), "{message}");
        return;
    }
    let mut serve = nullctl();
    serve.args(["serve", &path, "org.example.x.Do", "/bin/true"]);
    let _service = Running::start(&mut serve);
    succeed(&["wait", &path]);
    let listed = succeed(&["list-sockets", "-j"]);
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    assert!(listed.iter().any(|socket| socket["path"] == path));
    let other = directory.path("other");
    assert!(listed.iter().all(|socket| socket["path"] != other));
}

/// Runs list-sockets with the result of reading a tag, which strace(1) injects, because only Linux
/// 7.1 and later have tags on sockets. Returns None without strace.
fn sockets_with_tag(result: &str) -> Option<String> {
    let tool = nullctl();
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e"])
        .args(["inject=fsetxattr:retval=0", "-e"])
        .arg(format!("inject=lgetxattr:{result}"))
        .arg(tool.get_program())
        .arg("list-sockets")
        .output();
    let Ok(output) = output else {
        needs("strace");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn t6_a_socket_with_an_unknown_tag_or_without_one_is_not_listed() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    let tag = |bytes: &[u8]| {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("retval={}:poke_exit=@arg3={digits}", bytes.len())
    };
    let Some(listed) = sockets_with_tag(&tag(b"entrypoint")) else {
        return;
    };
    assert!(listed.contains(&path), "{listed}");
    let others: [&[u8]; 4] = [b"listen", b"entrypoin", b"Entrypoint", b"\xff\0"];
    let mut results = others.map(tag).to_vec();
    results.push("retval=0".into());
    // No tag, a longer one, no tags in this file system, not allowed, a socket that is gone.
    for error in ["ENODATA", "ERANGE", "EOPNOTSUPP", "EACCES", "ENOENT"] {
        results.push(format!("error={error}"));
    }
    for result in results {
        let listed = sockets_with_tag(&result).unwrap();
        assert_eq!(listed, "No sockets found.\n", "{result}");
    }
}

// resolve

#[test]
fn x10_resolve_finds_only_sockets_and_links_to_them() {
    let directory = Directory::new();
    let registry = directory.path("");
    let _socket = UnixListener::bind(directory.path("org.example.socket")).unwrap();
    symlink("org.example.socket", directory.path("org.example.link")).unwrap();
    symlink("/nowhere/socket", directory.path("org.example.dangling")).unwrap();
    fs::write(directory.path("org.example.file"), "").unwrap();
    fs::create_dir(directory.path("org.example.folder")).unwrap();
    symlink("org.example.file", directory.path("org.example.other")).unwrap();
    let by_folder = format!("--registry={registry}");
    for name in ["socket", "link"] {
        let interface = format!("org.example.{name}");
        let found = succeed(&["resolve", &interface, &by_folder]);
        assert!(found.ends_with(&format!("/{interface}\n")), "{found}");
    }
    for name in ["dangling", "file", "folder", "other"] {
        fail(&["resolve", &format!("org.example.{name}"), &by_folder]);
    }
}

#[test]
fn resolve_looks_into_registry_and_resolver() {
    let directory = Directory::new();
    let registry = directory.path("varlink/registry");
    fs::create_dir_all(&registry).unwrap();
    let _socket = UnixListener::bind(format!("{registry}/org.example.one")).unwrap();
    let services = directory.path("services");
    fs::write(&services, "org.example.two unix:/run/two\n").unwrap();
    let address = directory.path("resolver");
    let _resolver = Running::example("resolver", &[&services, &address]);

    let one = format!("unix:{registry}/org.example.one\n");
    let by_folder = format!("--registry={registry}");
    let by_resolver = format!("--resolver={address}");
    assert_eq!(succeed(&["resolve", "org.example.one", &by_folder]), one);
    assert_eq!(
        succeed(&["resolve", "org.example.one", &by_resolver, &by_folder]),
        one
    );
    // The resolver is asked for an interface that the registry does not have.
    let both = [&by_resolver, &by_folder];
    for places in [&both[..1], &both] {
        let resolve = |interface| {
            let mut arguments = vec!["resolve", interface];
            arguments.extend(places.iter().map(|place| place.as_str()));
            succeed(&arguments)
        };
        assert_eq!(resolve("org.example.two"), "unix:/run/two\n");
        assert_eq!(resolve("org.varlink.resolver"), format!("{address}\n"));
    }
    let mut own = nullctl();
    own.args(["resolve", "org.example.one"]);
    let own = own
        .env("XDG_RUNTIME_DIR", directory.path(""))
        .output()
        .unwrap();
    assert!(
        String::from_utf8(own.stdout)
            .unwrap()
            .ends_with("/varlink/registry/org.example.one\n")
    );

    fail(&["resolve", "org.example.two", &by_folder]);
    fail(&["resolve", "org.example.one", &by_resolver]);
    fail(&["resolve", "org.example.one", "--resolver=/nonexistent"]);
    let message = fail(&["resolve", "../x"]);
    assert!(message.contains("name of an interface"), "{message}");
}

// bridge

/// A bridge whose standard input and output are pipes.
struct Bridge(Running, BufReader<ChildStdout>);

impl Bridge {
    fn start(arguments: &[&str]) -> Self {
        let mut command = nullctl();
        command
            .arg("bridge")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command.stderr(Stdio::null());
        let mut process = Running::start(&mut command);
        let output = process.output();
        Bridge(process, output)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let input = self.0.0.stdin.as_mut().expect("a pipe");
        input.write_all(bytes).expect("the bridge reads");
    }

    fn send(&mut self, message: &Value) {
        self.bytes(format!("{message}\0").as_bytes());
    }

    fn receive(&mut self) -> Value {
        let mut message = Vec::new();
        self.1.read_until(0, &mut message).expect("a pipe");
        assert_eq!(message.pop(), Some(0), "the bridge has ended");
        serde_json::from_slice(&message).expect("JSON")
    }

    fn call(&mut self, message: &Value) -> Value {
        self.send(message);
        self.receive()
    }

    /// Closes the input, and returns the rest of the output and the exit status.
    fn end(mut self) -> (String, Option<i32>) {
        self.0.0.stdin = None;
        let mut rest = String::new();
        self.1.read_to_string(&mut rest).unwrap();
        (rest, self.0.end())
    }
}

#[test]
fn bridge_passes_calls_to_two_services() {
    let directory = Directory::new();
    let one = directory.path("org.example.t");
    let two = directory.path("org.varlink.certification");
    let _one = Running::example("conformance", &[&one]);
    let _two = Running::example("certification", &[&two]);
    fs::write(directory.path("not an interface"), "").unwrap();
    let mut bridge = Bridge::start(&[&format!("--registry={}", directory.path(""))]);

    let mut info = bridge.call(&serde_json::from_str(GET_INFO).unwrap());
    let interfaces = info["parameters"]["interfaces"].as_array_mut().unwrap();
    interfaces[1..].sort_by_key(Value::to_string);
    assert_eq!(
        info["parameters"]["interfaces"],
        json!([
            "org.varlink.service",
            "org.example.t",
            "org.varlink.certification"
        ])
    );

    // All at once. The replies have the order of the calls.
    let long = "x".repeat(12_000);
    let describe = |interface: &str| {
        call(
            "org.varlink.service.GetInterfaceDescription",
            json!({ "interface": interface }),
        )
    };
    for message in [
        json!({"method": "org.example.t.Count", "more": true, "parameters": {"n": 3}}),
        call("org.varlink.certification.Start", json!({})),
        json!({"method": "org.example.t.Fail", "oneway": true}),
        json!({"method": "org.example.nobody.Fail", "oneway": true}),
        need(&long),
        json!({"method": "org.example.t.Fail"}),
        describe("org.varlink.certification"),
        describe("org.example.t"),
        describe("org.varlink.service"),
        describe("org.example.nobody"),
        call("org.example.nobody.Call", json!({})),
        call("org.varlink.service.Nothing", json!({})),
    ] {
        bridge.send(&message);
    }
    for i in 0..3 {
        assert_eq!(bridge.receive()["parameters"]["i"], i);
    }
    assert!(bridge.receive()["parameters"]["client_id"].is_string());
    assert_eq!(bridge.receive()["parameters"]["s"], long);
    assert_eq!(bridge.receive()["error"], "org.example.t.Oops");
    for interface in [
        "org.varlink.certification",
        "org.example.t",
        "org.varlink.service",
    ] {
        let reply = bridge.receive();
        let text = reply["parameters"]["description"].as_str().unwrap();
        assert!(text.contains(&format!("interface {interface}\n")), "{text}");
    }
    for _ in 0..2 {
        let reply = bridge.receive();
        assert_eq!(reply["error"], "org.varlink.service.InterfaceNotFound");
        assert_eq!(reply["parameters"]["interface"], "org.example.nobody");
    }
    assert_eq!(
        bridge.receive()["error"],
        "org.varlink.service.MethodNotFound"
    );
    assert_eq!(bridge.end(), (String::new(), Some(0)));
}

/// Starts a service that answers its clients, one after the other, with these bytes.
fn lie(path: &str, answers: Vec<Option<&'static [u8]>>) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        let mut silent = Vec::new();
        for answer in answers {
            let (client, _) = listener.accept().unwrap();
            let mut client = BufReader::new(client);
            client.read_until(0, &mut Vec::new()).unwrap();
            match answer {
                Some(answer) => client.get_mut().write_all(answer).unwrap(),
                None => silent.push(client),
            }
        }
        // Until all is over.
        let _ = listener.accept();
    });
}

#[test]
fn bridge_survives_its_services() {
    let directory = Directory::new();
    let path = directory.path("org.example.t");
    let answers: Vec<Option<&[u8]>> = vec![
        Some(b""),
        Some(b"{\"parameters\":{\"half\":"),
        Some(b"nonsense\0"),
        Some(b"{\"continues\":true}\0"),
        None,
        Some(b"{}\0{\"parameters\":{\"unasked\":1}}\0"),
        Some(b"{}\0"),
    ];
    lie(&path, answers);
    let registry = format!("--registry={}", directory.path(""));
    let mut bridge = Bridge::start(&[&registry, "--timeout=0.5"]);
    let message = call("org.example.t.Call", json!({}));
    for error in [
        "Disconnected",
        "Disconnected",
        "Protocol",
        "Protocol",
        "TimedOut",
    ] {
        assert_eq!(
            bridge.call(&message)["error"],
            format!("io.systemd.{error}")
        );
    }
    for _ in 0..2 {
        assert_eq!(bridge.call(&message), json!({}));
    }
    // A service that is not running, and then is.
    fs::remove_file(&path).unwrap();
    drop(UnixListener::bind(&path).unwrap());
    assert_eq!(bridge.call(&message)["error"], "io.systemd.Disconnected");
    let service = Running::example("conformance", &[&path]);
    assert_eq!(bridge.call(&need("x"))["parameters"]["s"], "x");
    // It is restarted between two calls.
    drop(service);
    let _service = Running::example("conformance", &[&path]);
    assert_eq!(bridge.call(&need("y"))["parameters"]["s"], "y");
    assert_eq!(bridge.end(), (String::new(), Some(0)));
}

#[test]
fn bridge_upgrades() {
    let service = Service::start("conformance", &[]);
    let mut bridge = Bridge::start(&[&format!("--connect={}", service.address)]);
    let message = json!({"method": "org.example.t.Fail", "upgrade": true});
    assert_eq!(bridge.call(&message)["error"], "org.example.t.Oops");
    // The first bytes come with the call.
    let message = json!({"method": "org.example.t.Pipe", "upgrade": true});
    bridge.bytes(format!("{message}\0hello").as_bytes());
    bridge.receive();
    let long = "x".repeat(1_000_000);
    let mut input = bridge.0.0.stdin.take().unwrap();
    let sent = long.clone();
    let writer = thread::spawn(move || input.write_all(sent.as_bytes()).unwrap());
    let (rest, status) = bridge.end();
    writer.join().unwrap();
    assert!(rest == format!("hello{long}"), "{} bytes", rest.len());
    assert_eq!(status, Some(0));
}

#[test]
fn bridge_asks_the_resolver() {
    let directory = Directory::new();
    let service = Service::start("conformance", &[]);
    let services = directory.path("services");
    fs::write(
        &services,
        format!("org.example.t unix:{}\n", service.address),
    )
    .unwrap();
    let address = directory.path("resolver");
    let _resolver = Running::example("resolver", &[&services, &address]);
    let mut bridge = Bridge::start(&[&format!("--resolver={address}")]);
    let info = bridge.call(&serde_json::from_str(GET_INFO).unwrap());
    assert_eq!(
        info["parameters"]["interfaces"],
        json!(["org.varlink.service", "org.example.t"])
    );
    assert_eq!(bridge.call(&need("x"))["parameters"]["s"], "x");
    let reply = bridge.call(&call(
        "org.varlink.resolver.Resolve",
        json!({"interface": "a.b"}),
    ));
    assert_eq!(reply["error"], "org.varlink.resolver.InterfaceNotFound");
    assert_eq!(
        bridge.call(&call("a.b.C", json!({})))["parameters"]["interface"],
        "a.b"
    );
    assert_eq!(bridge.end(), (String::new(), Some(0)));
}

#[test]
fn bridge_lists_each_interface_once() {
    let directory = Directory::new();
    let registry = directory.path("varlink/registry");
    fs::create_dir_all(&registry).unwrap();
    let _sockets = ["org.example.one", "org.example.two"]
        .map(|interface| UnixListener::bind(format!("{registry}/{interface}")).unwrap());
    let services = directory.path("services");
    fs::write(&services, "org.example.two,org.example.three unix:/run/x\n").unwrap();
    let address = directory.path("resolver");
    let _resolver = Running::example("resolver", &[&services, &address]);
    let arguments = [
        format!("--registry={registry}"),
        format!("--resolver={address}"),
    ];
    let mut bridge = Bridge::start(&[&arguments[0], &arguments[1]]);
    let mut info = bridge.call(&serde_json::from_str(GET_INFO).unwrap());
    let interfaces = info["parameters"]["interfaces"].as_array_mut().unwrap();
    interfaces.sort_by_key(Value::to_string);
    let names = [
        "org.example.one",
        "org.example.three",
        "org.example.two",
        "org.varlink.service",
    ];
    assert_eq!(info["parameters"]["interfaces"], json!(names));
}

/// A resolver that lies.
#[test]
fn bad_names_and_addresses_of_a_resolver_are_left_out() {
    let directory = Directory::new();
    let path = directory.path("resolver");
    let info: &[u8] =
        br#"{"parameters":{"interfaces":["a.b","a\"b","x\u001b[2J","org.varlink.service",1]}}"#;
    let address: &[u8] = br#"{"parameters":{"address":"unix:/x\u001b[2J"}}"#;
    let answer = |reply: &'static [u8]| Some(&*[reply, b"\0"].concat().leak());
    lie(&path, vec![answer(info), answer(address)]);
    let resolver = format!("--resolver={path}");
    let mut bridge = Bridge::start(&[&resolver]);
    let info = bridge.call(&serde_json::from_str(GET_INFO).unwrap());
    assert_eq!(
        info["parameters"]["interfaces"],
        json!(["org.varlink.service", "a.b"])
    );
    let message = fail(&["resolve", "org.example.x", &resolver]);
    assert!(!message.contains('\u{1b}'), "{message}");
}

#[test]
fn bridge_passes_everything_to_one_service() {
    let service = Service::start("conformance", &[]);
    let mut bridge = Bridge::start(&[&format!("--connect={}", service.address)]);
    let info = bridge.call(&serde_json::from_str(GET_INFO).unwrap());
    assert_eq!(info["parameters"]["product"], "Conformance");
    let reply = bridge.call(&call("nonsense", json!({})));
    assert_eq!(reply["error"], "org.varlink.service.MethodNotFound");
    assert_eq!(bridge.end(), (String::new(), Some(0)));
}

#[test]
fn bridge_fails_for_bad_input() {
    for input in ["nonsense\0", "{\"method\":\"half"] {
        let mut bridge = Bridge::start(&[]);
        bridge.bytes(input.as_bytes());
        assert_eq!(bridge.end(), (String::new(), Some(1)), "{input}");
    }
}

#[test]
fn bridge_ends_when_its_client_goes() {
    let directory = Directory::new();
    let path = directory.path("org.example.t");
    lie(&path, vec![None]);
    let mut bridge = Bridge::start(&[&format!("--connect={path}")]);
    // The reply never comes, and standard input stays open.
    bridge.send(&call("org.example.t.Call", json!({})));
    let Bridge(mut process, output) = bridge;
    drop(output);
    assert_eq!(process.end(), Some(0));
}

#[test]
fn help_describes_the_proxies() {
    for verb in ["wait", "monitor", "serve", "resolve", "bridge"] {
        let help = succeed(&["help", verb]);
        assert!(
            help.starts_with(&format!("Usage: nullctl [OPTION...] {verb} ")),
            "{help}"
        );
    }
    assert_eq!(run(&["monitor", "x"]).status.code(), Some(1));
}
