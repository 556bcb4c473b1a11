//! call, and how its replies are printed; the verbs of `io.systemd.service`, udev and ask.

use std::fs::File;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::thread;

use crate::tool::{Directory, Service, fail, nullctl, run, succeed};

const ECHO: &str = "org.example.t.Echo";

/// A service that answers each call of its only client with the next of these messages.
struct Fake {
    _directory: Directory,
    address: String,
    served: thread::JoinHandle<Vec<String>>,
}

impl Fake {
    fn new(replies: &[&str]) -> Self {
        let directory = Directory::new();
        let address = directory.path("socket");
        let listener = UnixListener::bind(&address).expect("a new path");
        let replies: Vec<String> = replies.iter().map(|reply| (*reply).to_owned()).collect();
        let served = thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let mut calls = Vec::new();
            for reply in replies {
                let (mut call, mut byte) = (Vec::new(), [0]);
                while client.read(&mut byte).expect("a call") == 1 && byte != [0] {
                    call.push(byte[0]);
                }
                calls.push(String::from_utf8(call).expect("UTF-8"));
                client.write_all(reply.as_bytes()).expect("room");
                client.write_all(&[0]).expect("room");
            }
            calls
        });
        Fake {
            _directory: directory,
            address,
            served,
        }
    }

    fn calls(self) -> Vec<String> {
        self.served.join().expect("the service has no failure")
    }
}

/// Calls a fake service, which answers with these parameters. Returns what is printed.
fn printed(options: &[&str], parameters: &str) -> String {
    let fake = Fake::new(&[&format!("{{\"parameters\":{parameters}}}")]);
    let mut arguments = vec!["call"];
    arguments.extend(options);
    arguments.extend([&fake.address[..], "a.b.C", "{}"]);
    succeed(&arguments)
}

#[test]
fn json_is_parsed_and_written_again() {
    for (parameters, expected) in [
        ("{}", "{}\n"),
        (" { \"a\" : [ 1 , { } , [ ] ] } ", "{\"a\":[1,{},[]]}\n"),
        (
            r#"{"a":"\/\u00e9\ud83d\ude00\u0001\n\"\\"}"#,
            "{\"a\":\"/é😀\\u0001\\n\\\"\\\\\"}\n",
        ),
        // Numbers are not changed, as varlinkctl would.
        (
            "{\"a\":1.0,\"b\":1e400,\"c\":-0}",
            "{\"a\":1.0,\"b\":1e400,\"c\":-0}\n",
        ),
        (
            "{\"a\":true,\"b\":null,\"a\":false}",
            "{\"a\":true,\"b\":null,\"a\":false}\n",
        ),
    ] {
        assert_eq!(printed(&[], parameters), expected);
        assert_eq!(printed(&["-j"], parameters), expected);
    }
    assert_eq!(
        printed(&["--json=pretty"], r#"{"a":[1,{},[]],"b":{"c":""}}"#),
        "{\n\t\"a\" : [\n\t\t1,\n\t\t{},\n\t\t[]\n\t],\n\t\"b\" : {\n\t\t\"c\" : \"\"\n\t}\n}\n"
    );
    assert_eq!(printed(&["--quiet"], "{\"a\":1}"), "");
}

#[test]
fn a_long_reply_is_printed() {
    let text = "x".repeat(16 * 1024 * 1024 - 64);
    let parameters = format!("{{\"a\":\"{text}\"}}");
    assert_eq!(printed(&["-j"], &parameters), format!("{parameters}\n"));
}

#[test]
fn parameters_come_from_the_command_line_or_standard_input() {
    let service = Service::start("conformance", &[]);
    let call = |parameters: &[&str], input: &str| {
        let mut child = nullctl()
            .args(["call", &service.address, ECHO])
            .args(parameters)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nullctl starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("room");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (text(output.stdout), text(output.stderr))
    };
    for parameters in [&["{\"i\":1}"][..], &["{\"i\":1}", "--"]] {
        assert_eq!(call(parameters, "").0, "{\"got\":{\"i\":1}}\n");
    }
    assert_eq!(call(&[], "{\"i\":2}\n").0, "{\"got\":{\"i\":2}}\n");
    assert_eq!(call(&["-"], " {\"i\":3}").0, "{\"got\":{\"i\":3}}\n");
    assert_eq!(call(&[], "").0, "{\"got\":{}}\n");
    let (output, errors) = call(&["-"], "{\"i\":\n  x}");
    assert_eq!(output, "");
    assert!(
        errors.contains("standard input is not JSON: line 2, column 3"),
        "{errors}"
    );
}

#[test]
fn several_replies_are_printed_or_collected() {
    let service = Service::start("conformance", &[]);
    let count = |options: &[&str], n| {
        let parameters = format!("{{\"n\":{n}}}");
        let mut arguments = vec!["call"];
        arguments.extend(options);
        arguments.extend([&service.address[..], "org.example.t.Count", &parameters]);
        succeed(&arguments)
    };
    assert_eq!(count(&["--more"], 2), "\u{1e}{\"i\":0}\n\u{1e}{\"i\":1}\n");
    assert_eq!(count(&["-E"], 1), "\u{1e}{\"i\":0}\n");
    assert_eq!(count(&["--collect"], 2), "[{\"i\":0},{\"i\":1}]\n");
    assert_eq!(count(&["--more", "--collect"], 1), "\u{1e}[{\"i\":0}]\n");
}

#[test]
fn errors_of_services_are_explained() {
    let service = Service::start("conformance", &[]);
    let address = &service.address[..];
    let message = fail(&["call", address, "org.example.t.Count", "{\"n\":1}"]);
    assert!(message.contains("needs --more"), "{message}");
    let message = fail(&["call", address, "org.example.t.Ecko", "{}"]);
    assert!(
        message.contains("did you mean org.example.t.Echo?"),
        "{message}"
    );
    let message = fail(&["call", address, "org.exampel.t.Echo", "{}"]);
    assert!(
        message.contains("did you mean org.example.t.Echo?"),
        "{message}"
    );
    let message = fail(&["call", address, "org.example.t.Need", "{}"]);
    assert!(
        message.contains("InvalidParameter {\"parameter\":\"s\"}"),
        "{message}"
    );
    let failed = run(&["call", address, "org.example.t.Fail", "{}"]);
    assert_eq!(failed.stdout, b"{\"why\":\"because\"}\n");
    let graceful = [
        "call",
        "--graceful=org.example.t.Oops",
        address,
        "org.example.t.Fail",
        "{}",
    ];
    assert_eq!(succeed(&graceful), "{\"why\":\"because\"}\n");
    let message = fail(&["call", address, "Echo"]);
    assert!(message.contains("INTERFACE.METHOD"), "{message}");
    let message = fail(&["call", "/nonexistent", ECHO, "{}"]);
    assert!(
        message.contains("/nonexistent: no service found"),
        "{message}"
    );
    let message = fail(&["call", "/etc/passwd", ECHO, "{}"]);
    assert!(message.contains("/etc/passwd"), "{message}");
}

#[test]
fn a_service_that_does_not_answer_is_given_up() {
    let directory = Directory::new();
    let address = directory.path("socket");
    let _listener = UnixListener::bind(&address).expect("a new path");
    let message = fail(&["call", "--timeout=100ms", &address, ECHO, "{}"]);
    assert!(message.contains("timed out"), "{message}");
    for reply in [
        "hello",
        "{\"parameters\":[]}",
        "{\"continues\":true}",
        "{\"a\":1}",
    ] {
        let fake = Fake::new(&[reply]);
        let message = fail(&["call", &fake.address, ECHO, "{}"]);
        assert!(message.contains(&fake.address), "{reply}: {message}");
    }
}

#[test]
fn an_executable_is_started() {
    let message = fail(&["call", "/bin/false", ECHO, "{}"]);
    assert!(message.contains("closed the connection"), "{message}");
    let message = fail(&["call", "exec:/nonexistent", ECHO, "{}"]);
    assert!(message.contains("no such program"), "{message}");
}

#[test]
fn a_command_gets_the_reply() {
    let service = Service::start("conformance", &[]);
    let echoed = [
        "call",
        "--exec",
        &service.address,
        ECHO,
        "{\"i\":1}",
        "--",
        "cat",
        "-",
    ];
    assert_eq!(succeed(&echoed), "{\"got\":{\"i\":1}}\n");
    let message = fail(&[
        "call",
        "--exec",
        &service.address,
        ECHO,
        "{}",
        "--",
        "nonexistent",
    ]);
    assert!(message.contains("no such program"), "{message}");
}

#[test]
fn after_an_upgrade_bytes_are_passed_on() {
    let service = Service::start("conformance", &[]);
    let mut child = nullctl()
        .args(["call", "--upgrade", &service.address, "org.example.t.Pipe"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("nullctl starts");
    let text = "x".repeat(1 << 20);
    let mut stdin = child.stdin.take().expect("a pipe");
    let sent = text.clone();
    let writer = thread::spawn(move || stdin.write_all(sent.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("it reads all");
    assert!(
        output.stdout == text.as_bytes(),
        "{} bytes",
        output.stdout.len()
    );
}

#[test]
fn after_an_upgrade_a_full_output_is_reported() {
    let service = Service::start("conformance", &[]);
    let mut child = nullctl()
        .args(["call", "--upgrade", &service.address, "org.example.t.Pipe"])
        .stdin(Stdio::piped())
        .stdout(File::create("/dev/full").expect("a device"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("nullctl starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"x").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("standard output"), "{message}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn after_an_upgrade_the_end_of_the_service_is_the_end() {
    let directory = Directory::new();
    let address = directory.path("socket");
    let listener = UnixListener::bind(&address).expect("a new path");
    let mut child = nullctl()
        .args(["call", "--upgrade", &address, "a.b.C"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("nullctl starts");
    let (mut client, _) = listener.accept().expect("a client");
    let (mut call, mut byte) = (0, [1]);
    while byte != [0] {
        call += client.read(&mut byte).expect("a call");
    }
    assert!(call > 1);
    // The service still reads, and standard input of the tool is still open.
    client.write_all(b"{}\0bytes").expect("room");
    client.shutdown(Shutdown::Write).expect("a connection");
    let mut text = String::new();
    let stdout = child.stdout.as_mut().expect("a pipe");
    stdout.read_to_string(&mut text).expect("text");
    assert_eq!(text, "bytes");
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn descriptors_are_pushed() {
    let service = Service::start("conformance", &[]);
    let pushed = [
        "call",
        "--push-fd=/dev/null",
        "--push-fd=0",
        &service.address,
        "org.example.t.Fds",
        "{}",
    ];
    assert_eq!(succeed(&pushed), "{\"n\":2}\n");
    let message = fail(&[
        "call",
        "--push-fd=x",
        &service.address,
        "org.example.t.Fds",
        "{}",
    ]);
    assert!(message.contains("--push-fd=x"), "{message}");
}

#[test]
fn output_ends_quietly_with_its_reader() {
    let service = Service::start("conformance", &[]);
    let mut child = nullctl()
        .args([
            "call",
            "--more",
            &service.address,
            "org.example.t.Count",
            "{\"n\":100000}",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("nullctl starts");
    let mut first = [0; 9];
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut first).expect("a reply");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.stderr, b"");
}

#[test]
fn services_are_controlled() {
    let fake = Fake::new(&["{}"]);
    assert_eq!(succeed(&["ping", &fake.address]), "");
    assert_eq!(fake.calls(), ["{\"method\":\"io.systemd.service.Ping\"}"]);
    let fake = Fake::new(&["{\"parameters\":{\"level\":6}}"]);
    assert_eq!(succeed(&["log-level", &fake.address]), "info\n");
    for level in ["debug", "7"] {
        let fake = Fake::new(&["{}"]);
        assert_eq!(succeed(&["log-level", &fake.address, level]), "");
        let call = "{\"method\":\"io.systemd.service.SetLogLevel\",\"parameters\":{\"level\":7}}";
        assert_eq!(fake.calls(), [call]);
    }
    let fake = Fake::new(&["{\"error\":\"org.varlink.service.PermissionDenied\"}"]);
    let message = fail(&["udev", "reload", &fake.address]);
    assert!(message.contains("PermissionDenied"), "{message}");
    let fake = Fake::new(&[]);
    assert!(fail(&["log-level", &fake.address, "loud"]).contains("not a log level"));
}

#[test]
fn a_password_is_asked_for_and_printed() {
    let fake = Fake::new(&["{\"parameters\":{\"passwords\":[\"a\\u00e9\",\"b\"]}}"]);
    let asked = ["ask", "--id=x", "--echo", "Say \"x\"", &fake.address];
    assert_eq!(succeed(&asked), "aé\nb\n");
    let call = "{\"method\":\"io.systemd.AskPassword.Ask\",\"parameters\":\
        {\"message\":\"Say \\\"x\\\"\",\"id\":\"x\",\"echo\":\"on\"}}";
    assert_eq!(fake.calls(), [call]);
    let fake = Fake::new(&["{\"error\":\"io.systemd.AskPassword.TimeoutReached\"}"]);
    let message = fail(&["ask", "x", &fake.address]);
    assert!(message.contains("TimeoutReached"), "{message}");
}

#[test]
fn devices_are_listed_for_a_trigger() {
    let devices = succeed(&["udev", "trigger", "--dry-run"]);
    assert!(
        devices
            .lines()
            .any(|device| device.starts_with("/sys/class/mem/")),
        "{devices}"
    );
    let subsystems = succeed(&["udev", "trigger", "add", "--subsystems", "-n"]);
    assert!(
        subsystems.lines().any(|path| path == "/sys/bus/pci"),
        "{subsystems}"
    );
    assert!(fail(&["udev", "trigger", "jump", "-n"]).contains("not an action"));
}

#[test]
fn definitions_are_validated() {
    let directory = Directory::new();
    let file = directory.path("x.varlink");
    let definition = "interface a.b\n\nmethod C() -> ()\n";
    std::fs::write(&file, definition).expect("a new file");
    assert_eq!(succeed(&["validate-idl", &file]), definition);
    std::fs::write(&file, "interface a.b\nmethod c() -> ()\n").expect("the file");
    assert!(
        fail(&["validate-idl", &file]).contains(":2:8"),
        "{}",
        fail(&["validate-idl", &file])
    );
}
