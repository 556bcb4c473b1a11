//! fuzz: it finds nothing in the examples, and the planted faults in a service that has some.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::{env, fs, thread};

use serde_json::{Value, json};

use crate::tool::{Directory, Service, example_path, fail, lacks, nullctl, run, succeed};

/// The calls of two seeds find nothing, also if each wrong call must be refused.
#[track_caller]
fn finds_nothing(address: &str) {
    for arguments in [&["--seed=1"][..], &["--seed=2", "--more", "--strict"]] {
        let shown = succeed(&[&["fuzz", "--runs=1000"], arguments, &[address]].concat());
        assert!(shown.starts_with("1000 runs with seed "), "{shown}");
        assert!(shown.ends_with(": no fault\n"), "{shown}");
    }
}

#[test]
fn fuzz_finds_nothing_in_conformance() {
    if lacks("fuzz") {
        return;
    }
    let service = Service::start("conformance", &[]);
    finds_nothing(&service.address);
}

#[test]
fn fuzz_finds_nothing_in_accounts() {
    if lacks("fuzz") {
        return;
    }
    let service = Service::start("accounts", &[]);
    finds_nothing(&service.address);
}

#[test]
fn fuzz_finds_nothing_in_monitor() {
    if lacks("fuzz") {
        return;
    }
    let service = Service::start("monitor", &[]);
    finds_nothing(&service.address);
}

/// The service creates mount points. It is in a directory that is removed.
#[test]
fn fuzz_finds_nothing_in_init() {
    if lacks("fuzz") {
        return;
    }
    let directory = Directory::new();
    let address = directory.path("socket");
    let mut child = Command::new(example_path("init"))
        .args(["--serve", &address])
        .current_dir(directory.path("."))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("init starts");
    while UnixStream::connect(&address).is_err() {
        thread::yield_now();
    }
    finds_nothing(&address);
    let _ = child.kill();
    let _ = child.wait();
}

/// What a service with faults does with a call.
enum Act {
    /// Sends a message, or several.
    Send(Vec<Value>),
    Nothing,
    Close,
    /// Ends the program, with all its connections.
    Crash,
}

const DEFINITION: &str = "\
interface org.example.faulty

method Length(text: string) -> (length: int)

method Negate(number: int) -> (number: int)

# [Supports 'upgrade' flag]
method Raw() -> ()

error TooLong (by: int)
";

/// Starts a service in a thread. It is correct but for `act`, which decides about the calls of its
/// interface. After a crash it starts again if `restarts`.
fn serve(
    address: &str,
    restarts: bool,
    act: impl Fn(&str, &Value, &Value) -> Act + Send + Sync + 'static,
) {
    let (address, act) = (address.to_string(), Arc::new(act));
    let listener = UnixListener::bind(&address).expect("a socket");
    thread::spawn(move || {
        let mut listener = listener;
        loop {
            let accepted = listener.accept();
            let (stream, _) = accepted.expect("a connection");
            // The connections of the tool follow one another.
            if connection(&stream, &*act) {
                drop(listener);
                fs::remove_file(&address).expect("the socket");
                if !restarts {
                    return;
                }
                listener = UnixListener::bind(&address).expect("a socket");
            }
        }
    });
}

/// Serves a connection. True if the program has crashed.
fn connection(stream: &UnixStream, act: &dyn Fn(&str, &Value, &Value) -> Act) -> bool {
    let mut reader = BufReader::new(stream);
    loop {
        let mut message = Vec::new();
        if reader.read_until(0, &mut message).is_err() || message.pop() != Some(0) {
            return false;
        }
        let Ok(call) = serde_json::from_slice::<Value>(&message) else {
            return false;
        };
        let Some(method) = call["method"].as_str() else {
            return false;
        };
        let acted = match method {
            "org.varlink.service.GetInfo" => Act::Send(vec![json!({"parameters": {
                "vendor": "Nullink", "product": "Faulty", "version": "1", "url": "",
                "interfaces": ["org.varlink.service", "org.example.faulty"],
            }})]),
            "org.varlink.service.GetInterfaceDescription" => {
                match call["parameters"]["interface"].as_str() {
                    Some("org.example.faulty") => {
                        Act::Send(vec![json!({"parameters": {"description": DEFINITION}})])
                    }
                    _ => invalid("interface"),
                }
            }
            _ => act(method, &call["parameters"], &call),
        };
        let oneway = call["oneway"] == json!(true);
        let replies = match acted {
            Act::Crash => return true,
            Act::Close => return false,
            Act::Nothing => vec![],
            Act::Send(replies) if oneway && replies.iter().all(|reply| reply["late"].is_null()) => {
                vec![]
            }
            Act::Send(replies) => replies,
        };
        for mut reply in replies {
            reply.as_object_mut().expect("an object").remove("late");
            let mut bytes = reply.to_string().into_bytes();
            bytes.push(0);
            let mut stream = stream;
            if stream.write_all(&bytes).is_err() {
                return false;
            }
        }
    }
}

fn invalid(parameter: &str) -> Act {
    let error = "org.varlink.service.InvalidParameter";
    Act::Send(vec![
        json!({"error": error, "parameters": {"parameter": parameter}}),
    ])
}

fn reply(parameters: &Value) -> Act {
    Act::Send(vec![json!({ "parameters": parameters })])
}

/// What the service does without a fault.
fn correct(method: &str, parameters: &Value, _: &Value) -> Act {
    match method {
        "org.example.faulty.Length" => match parameters["text"].as_str() {
            Some(text) => reply(&json!({"length": text.len()})),
            None => invalid("text"),
        },
        "org.example.faulty.Negate" => match parameters["number"].as_i64() {
            Some(number) => reply(&json!({"number": number.saturating_neg()})),
            None => invalid("number"),
        },
        "org.example.faulty.Raw" => panic!("a method that supports upgrade is called"),
        _ => {
            let error = "org.varlink.service.MethodNotFound";
            Act::Send(vec![
                json!({"error": error, "parameters": {"method": method}}),
            ])
        }
    }
}

/// Runs fuzz at a service, which must find a fault. Returns the message and the command.
#[track_caller]
fn found(
    restarts: bool,
    arguments: &[&str],
    act: impl Fn(&str, &Value, &Value) -> Act + Send + Sync + 'static,
) -> (String, String) {
    let directory = Directory::new();
    let address = directory.path("socket");
    serve(&address, restarts, act);
    let all = [
        &["fuzz", "--seed=1", "--timeout=1"],
        arguments,
        &[&address[..]],
    ]
    .concat();
    let output = run(&all);
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{message}");
    let command = String::from_utf8(output.stdout).expect("UTF-8");
    (
        message,
        command.replace(&address, "ADDRESS").trim_end().into(),
    )
}

#[test]
fn fuzz_finds_nothing_in_a_service_without_faults() {
    if lacks("fuzz") {
        return;
    }
    let directory = Directory::new();
    let address = directory.path("socket");
    serve(&address, false, correct);
    let shown = succeed(&["fuzz", "--seed=1", &address]);
    assert!(shown.contains(", 4 methods: no fault"), "{shown}");
}

#[test]
fn fuzz_finds_a_wrong_type_and_the_shortest_call() {
    if lacks("fuzz") {
        return;
    }
    let (message, command) = found(
        false,
        &[],
        |method, parameters, call| match parameters["text"].as_str() {
            Some(text) if method.ends_with("y.Length") && text.chars().count() > 3 => {
                reply(&json!({"length": "many"}))
            }
            _ => correct(method, parameters, call),
        },
    );
    assert!(
        message.contains("a reply differs from its definition"),
        "{message}"
    );
    assert!(message.contains("in field length"), "{message}");
    let parameters = command
        .strip_prefix("nullctl call ADDRESS org.example.faulty.Length '")
        .and_then(|rest| rest.strip_suffix('\''))
        .expect(&command);
    let parameters: Value = serde_json::from_str(parameters).expect("JSON");
    let text = parameters["text"].as_str().expect("a text");
    assert_eq!(text.chars().count(), 4, "{command}");
    assert_eq!(parameters.as_object().expect("an object").len(), 1);
}

const LONG: usize = 300;

fn crash(method: &str, parameters: &Value, call: &Value) -> Act {
    match parameters["text"].as_str() {
        Some(text) if method.ends_with("y.Length") && text.len() > LONG => Act::Crash,
        _ => correct(method, parameters, call),
    }
}

#[test]
fn fuzz_finds_a_crash_and_the_shortest_string() {
    if lacks("fuzz") {
        return;
    }
    let (message, command) = found(true, &[], crash);
    assert!(message.contains("closes the connection"), "{message}");
    assert_eq!(
        command,
        "nullctl call ADDRESS org.example.faulty.Length '{\"text\":\"'$(printf %0301d)'\"}'"
    );
}

/// A service may close the connection after a long message. But it may not end, also if another
/// process has its socket at once.
#[test]
fn fuzz_finds_a_crash_that_is_followed_by_a_restart() {
    if lacks("fuzz") {
        return;
    }
    let directory = Directory::new();
    let (address, next) = (directory.path("socket"), directory.path("next"));
    let mut child = Command::new(example_path("conformance"))
        .arg(&next)
        .spawn()
        .expect("conformance starts");
    while UnixStream::connect(&next).is_err() {
        thread::yield_now();
    }
    let old = address.clone();
    serve(
        &address,
        false,
        move |method, parameters, call| match parameters["text"].as_str() {
            Some(text) if method.ends_with("y.Length") && text.len() > 1000 => {
                fs::rename(&next, &old).expect("the socket");
                Act::Close
            }
            _ => correct(method, parameters, call),
        },
    );
    let output = run(&["fuzz", "--seed=1", &address]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("another has started"), "{message}");
    let command = String::from_utf8_lossy(&output.stdout);
    assert!(command.contains("org.example.faulty.Length"), "{command}");
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn fuzz_says_if_a_service_does_not_come_back() {
    if lacks("fuzz") {
        return;
    }
    let (message, command) = found(false, &[], crash);
    assert!(message.contains("does not come back"), "{message}");
    assert!(command.contains("org.example.faulty.Length"), "{command}");
}

#[test]
fn fuzz_finds_an_undeclared_error() {
    if lacks("fuzz") {
        return;
    }
    let act = |method: &str, parameters: &Value, call: &Value| match parameters["number"].as_i64() {
        Some(number) if method.ends_with("y.Negate") && number < 0 => Act::Send(vec![
            json!({"error": "org.example.faulty.Negative", "parameters": {}}),
        ]),
        _ => correct(method, parameters, call),
    };
    let (message, command) = found(false, &[], act);
    assert!(
        message.contains("org.example.faulty.Negative is not declared"),
        "{message}"
    );
    assert_eq!(
        command,
        "nullctl call ADDRESS org.example.faulty.Negate '{\"number\":-1}'"
    );

    let directory = Directory::new();
    let address = directory.path("socket");
    serve(&address, false, act);
    succeed(&[
        "fuzz",
        "--seed=1",
        "--graceful=org.example.faulty.Negative",
        &address,
    ]);
    succeed(&["fuzz", "--seed=1", "--exclude=Negate", &address]);
    succeed(&["fuzz", "--seed=1", &address, "org.varlink.service"]);
}

/// A wrong type, a crash and an undeclared error are found, whatever the seed is.
#[test]
fn fuzz_finds_three_faults_with_any_seed() {
    if lacks("fuzz") {
        return;
    }
    type Answer = fn(&str, &Value, &Value) -> Act;
    let faults: [(&str, Answer); 3] = [
        (
            "differs from its definition",
            |method, parameters, call| match parameters["number"].as_i64() {
                Some(number) if number > 1000 => reply(&json!({"number": "many"})),
                _ => correct(method, parameters, call),
            },
        ),
        ("closes the connection", crash),
        (
            "is not declared",
            |method, parameters, call| match parameters["text"].as_str() {
                Some("") => Act::Send(vec![json!({"error": "org.example.faulty.Empty"})]),
                _ => correct(method, parameters, call),
            },
        ),
    ];
    for seed in 100..110 {
        for (expected, act) in faults {
            let (message, _) = found(true, &[&format!("--seed={seed}")], act);
            assert!(message.contains(expected), "seed {seed}: {message}");
        }
    }
}

/// Each of these faults is in the answer to all calls of one method.
#[test]
fn fuzz_finds_faults_of_the_protocol() {
    if lacks("fuzz") {
        return;
    }
    let negate = "nullctl call ADDRESS org.example.faulty.Negate '{}'";
    for (fault, expected, command) in [
        ("continues", "there is a reply to no call", "\"number\":"),
        ("twice", "there is a reply to no call", "\"number\":"),
        ("oneway", "there is a reply to no call", "--oneway"),
        ("silent", "the service sends no reply", negate),
        ("close", "the service closes the connection", negate),
        (
            "malformed",
            "a message of the service is not a reply",
            negate,
        ),
        ("error", "an error differs from its definition", negate),
    ] {
        let (message, shown) = found(false, &[], move |method, parameters, call| {
            let number = parameters["number"].as_i64();
            if method != "org.example.faulty.Negate" {
                return correct(method, parameters, call);
            }
            let good = json!({"parameters": {"number": 1}});
            match (fault, number) {
                ("continues", Some(_)) => Act::Send(vec![
                    json!({"continues": true, "parameters": {"number": 1}}),
                ]),
                ("twice", Some(_)) => Act::Send(vec![good.clone(), good]),
                ("oneway", Some(_)) => {
                    Act::Send(vec![json!({"late": true, "parameters": {"number": 1}})])
                }
                ("silent", _) => Act::Nothing,
                ("close", _) => Act::Close,
                ("malformed", _) => Act::Send(vec![json!({"parameters": 1})]),
                ("error", _) => {
                    let error = "org.example.faulty.TooLong";
                    Act::Send(vec![json!({"error": error, "parameters": {"by": "far"}})])
                }
                _ => correct(method, parameters, call),
            }
        });
        assert!(message.contains(expected), "{fault}: {message}");
        assert!(shown.contains(command), "{fault}: {shown}");
    }
}

/// Only with --strict, a service must refuse all that differs from the definition.
#[test]
fn fuzz_is_strict_if_asked() {
    if lacks("fuzz") {
        return;
    }
    let (message, command) = found(false, &["--strict"], correct);
    assert!(message.contains("a wrong call is not refused"), "{message}");
    assert!(
        command.starts_with("nullctl call ADDRESS org."),
        "{command}"
    );
}

/// A frame that is not UTF-8 cannot be sent with call. The service hangs at such a frame.
#[test]
fn fuzz_prints_malformed_frames_as_printf() {
    if lacks("fuzz") {
        return;
    }
    let directory = Directory::new();
    let address = directory.path("socket");
    let listener = UnixListener::bind(&address).expect("a socket");
    thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            let mut reader = BufReader::new(&stream);
            loop {
                let mut message = Vec::new();
                if reader.read_until(0, &mut message).is_err() || message.pop() != Some(0) {
                    break;
                }
                let call = serde_json::from_slice::<Value>(&message);
                let info = "org.varlink.service.GetInfo";
                let text = match call {
                    Ok(call) if call["method"] == info && call["oneway"] != true => {
                        "{\"parameters\":{\"vendor\":\"\",\"product\":\"\",\"version\":\"\",\
                         \"url\":\"\",\"interfaces\":[]}}\0"
                    }
                    Ok(call) if call["oneway"] == true => "",
                    Ok(_) => "{\"error\":\"org.varlink.service.PermissionDenied\"}\0",
                    Err(_) if std::str::from_utf8(&message).is_ok() => break,
                    // It keeps the connection and reads no more.
                    Err(_) => {
                        held.push(stream.try_clone().expect("a copy"));
                        break;
                    }
                };
                let _ = (&stream).write_all(text.as_bytes());
            }
        }
    });
    let output = run(&["fuzz", "--seed=3", "--timeout=250ms", &address]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("sends no reply"), "{message}");
    let command = String::from_utf8_lossy(&output.stdout);
    assert!(command.starts_with("printf '"), "{command}");
    assert!(
        command.contains("\\0' | socat -t 5 - UNIX-CONNECT:"),
        "{command}"
    );
}

/// The printed command does what the tool has seen.
#[test]
fn fuzz_prints_a_command_that_reproduces_the_fault() {
    if lacks("fuzz") {
        return;
    }
    let directory = Directory::new();
    let address = directory.path("socket");
    serve(
        &address,
        false,
        |method, parameters, call| match parameters["text"].as_str() {
            Some(text) if method.ends_with("y.Length") && text.len() > LONG => {
                reply(&json!({"length": "many"}))
            }
            _ => correct(method, parameters, call),
        },
    );
    let output = run(&["fuzz", "--seed=1", &address]);
    let command = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(command.contains("$(printf %0"), "{command}");
    let tool = nullctl();
    let folder = std::path::Path::new(tool.get_program())
        .parent()
        .expect("a folder");
    let path = env::var_os("PATH").unwrap_or_default();
    let path = [folder.as_os_str(), &path].join(std::ffi::OsStr::new(":"));
    let output = Command::new("/bin/sh")
        .args(["-c", &command])
        .env("PATH", path)
        .output()
        .expect("a shell");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("\"many\""), "{shown} of {command}");
}

#[test]
fn fuzz_starts_the_service_and_ends_it() {
    if lacks("fuzz") {
        return;
    }
    let directory = Directory::new();
    let address = directory.path("socket");
    let program = example_path("conformance");
    let start = format!("--start={} {address}", program.display());
    succeed(&["fuzz", "--seed=1", &start, &address]);
    assert!(UnixStream::connect(&address).is_err());
}

/// A program that is started for each connection, and a service that upgrades connections.
#[test]
fn fuzz_knows_programs_and_upgrades() {
    if lacks("fuzz") {
        return;
    }
    let program = example_path("accounts");
    let program = program.to_str().expect("UTF-8");
    for address in [program, &format!("exec:{program}")] {
        succeed(&["fuzz", "--seed=1", "--runs=100", address]);
    }
    let service = Service::start("conformance", &[]);
    succeed(&[
        "fuzz",
        "--seed=3",
        "--runs=5000",
        "--upgrade",
        "--more",
        &service.address,
    ]);
}

#[test]
fn fuzz_makes_the_same_calls_for_the_same_seed() {
    if lacks("fuzz") {
        return;
    }
    let runs: Vec<_> = (0..2)
        .map(|_| found(true, &["--seed=7"], crash).0)
        .map(|message| message.split(" run ").nth(1).map(String::from))
        .collect();
    assert!(runs[0].is_some());
    assert_eq!(runs[0], runs[1]);
}

#[test]
fn fuzz_names_what_is_wrong_with_its_arguments() {
    if lacks("fuzz") {
        return;
    }
    let message = fail(&["fuzz", "/nowhere/socket"]);
    assert!(message.contains("/nowhere/socket"), "{message}");
    let service = Service::start("conformance", &[]);
    let message = fail(&["fuzz", &service.address, "org.example.other"]);
    assert!(
        message.contains("no interface org.example.other"),
        "{message}"
    );
}
