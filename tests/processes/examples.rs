//! The examples, run as a user would run them.
#![cfg(all(feature = "unix", target_os = "linux"))]

use crate::example;
use crate::shared::accounts;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use example::{example, example_path};

/// Returns a unique address, and its path.
fn address(name: &str) -> (String, PathBuf) {
    let path = std::env::temp_dir().join(format!("nullink-{}-{name}", std::process::id()));
    (format!("unix:{}", path.display()), path)
}

/// A running service, which is killed on drop, and the path of its socket.
struct Running(Child, PathBuf);

impl Running {
    fn new(mut service: Command, address: &str, path: PathBuf) -> Self {
        let child = service
            .arg(address)
            .stdout(Stdio::null())
            .spawn()
            .expect("a process");
        let begin = Instant::now();
        while std::os::unix::net::UnixStream::connect(&path).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(60), "does not listen");
            std::thread::yield_now();
        }
        Running(child, path)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = std::fs::remove_file(&self.1);
    }
}

fn text(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    format!("{stdout}{stderr}")
}

#[test]
fn quickstart_shows_a_service_and_a_client() {
    let Some(mut quickstart) = example("quickstart") else {
        return;
    };
    let output = quickstart.output().expect("a process");
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    for line in [
        "-> {\"method\":\"com.redhat.accounts.GetByName\",\"parameters\":{\"name\":\"root\"}}",
        "<- {\"parameters\":{\"account\":{\"name\":\"root\",\"uid\":0,",
        "<- {\"error\":\"com.redhat.accounts.NotFound\"}",
        "-> {\"method\":\"com.redhat.accounts.GetByUid\",\"parameters\":{\"uid\":2}}",
        "-> {\"method\":\"com.redhat.accounts.GetAll\"}",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    assert!(!text.contains('\x1b'), "colors without a terminal");
    // It has removed its socket.
    let path = text
        .split("unix:")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    assert!(!std::path::Path::new(path.expect("a path")).exists());
}

#[test]
fn the_service_and_the_client_of_the_readme_work_together() {
    let (Some(service), Some(mut client)) = (example("minimal"), example("minimal")) else {
        return;
    };
    // The address is fixed. If another service uses it, this test cannot run.
    let path = PathBuf::from("/tmp/org.example.ping");
    if std::os::unix::net::UnixStream::connect(&path).is_ok() {
        assert!(std::env::var_os("CI").is_none(), "needs {path:?} to itself");
        return println!("skipped: needs {path:?} to itself");
    }
    let _service = Running::new(service, "serve", path);
    let output = client.arg("h\u{e9}llo").output().expect("a process");
    assert_eq!(text(&output), "h\u{e9}llo\n");
    let Some(mut client) = example("minimal") else {
        return;
    };
    let output = client.arg("").output().expect("a process");
    assert_eq!(text(&output), "(silence)\n");
}

#[test]
fn the_certification_client_passes_against_its_service() {
    let (Some(service), Some(mut client)) = (example("certification"), example("certification"))
    else {
        return;
    };
    let (address, path) = address("certification");
    let _service = Running::new(service, &address, path);
    let output = client
        .args(["--client", &address])
        .output()
        .expect("a process");
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.ends_with("End: ok\nall_ok: true\n"), "{text}");
}

/// A service whose map keys have capitals, with white space in its replies, and its client: the
/// output of the client, and the calls.
fn certify_with(mytype: &str) -> Option<(bool, String, Vec<String>)> {
    let mut client = example("certification")?;
    let (address, path) = address("capitals");
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("a socket");
    let service = std::thread::spawn({
        let mytype = mytype.to_owned();
        move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut reader = BufReader::new(stream.try_clone().expect("a descriptor"));
            let mut calls = Vec::new();
            loop {
                let mut call = Vec::new();
                reader.read_until(0, &mut call).expect("a call");
                if call.pop().is_none() {
                    return calls;
                }
                let call = String::from_utf8(call).expect("UTF-8");
                let method = call.split('"').nth(3).expect("a method").to_owned();
                calls.push(call);
                let parameters = match method.rsplit('.').next().expect("a name") {
                    "Start" => r#"{"client_id":"x"}"#,
                    "Test01" => r#"{"bool":true}"#,
                    "Test02" => r#"{"int":1}"#,
                    "Test03" => r#"{"float":1.0}"#,
                    "Test04" => r#"{"string":"ping"}"#,
                    "Test05" => SCALARS,
                    "Test06" => &format!(r#"{{"struct":{SCALARS}}}"#),
                    "Test07" => "{\n  \"map\": {\"FOO\": \"Foo\", \"Bar\": \"Bar\"}\n}",
                    "Test08" => r#"{"set":{"One":{},"Two":{},"Three":{}}}"#,
                    "Test09" => &format!("{{\n  \"mytype\": {mytype}\n}}"),
                    "Test10" => {
                        for number in 1..10 {
                            write!(
                                stream,
                                r#"{{"continues":true,"parameters":{{"string":"Reply number {number}"}}}}{}"#,
                                '\0'
                            )
                            .expect("room");
                        }
                        r#"{"string":"Reply number 10"}"#
                    }
                    "Test11" => continue,
                    _ => r#"{"all_ok":true}"#,
                };
                write!(stream, "{{\"parameters\":{parameters}}}\0").expect("room");
            }
        }
    });
    let output = client
        .args(["--client", &address])
        .output()
        .expect("a process");
    let calls = service.join().expect("a service");
    let _ = std::fs::remove_file(&path);
    Some((output.status.success(), text(&output), calls))
}

const SCALARS: &str =
    r#"{"bool":false,"int":2,"float":3.141592653589793,"string":"a lot of string"}"#;

#[test]
fn the_certification_client_accepts_map_keys_in_any_case_and_prints_a_line_for_each_test() {
    let mytype = r#"{"object":{"method":"org.varlink.certification.Test09",
        "parameters":{"map":{"Foo":"Foo","Bar":"Bar"}}},"enum":"two",
        "struct":{"first":1,"second":"2"},"array":["one","two","three"],
        "dictionary":{"Foo":"Foo","Bar":"Bar"},"stringset":{"One":{},"Two":{},"Three":{}},
        "nullable":null,"nullable_array_struct":null,"interface":{
        "foo":[null,{"Foo":"foo","Bar":"bar"},null,{"One":"foo","Two":"bar"}],
        "anon":{"foo":true,"bar":false}}}"#;
    let Some((certified, text, calls)) = certify_with(mytype) else {
        return;
    };
    let tests = (1..=11).map(|number| format!("Test{number:02}: ok"));
    let lines: Vec<String> = std::iter::once("Start: ok".to_owned())
        .chain(tests)
        .chain(["End: ok".to_owned(), "all_ok: true".to_owned()])
        .collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    assert!(certified);
    // They are sent back as they were received.
    assert!(
        calls[8].contains(r#""map":{"FOO": "Foo", "Bar": "Bar"}"#),
        "{}",
        calls[8]
    );
    assert!(
        calls[9].contains(r#""set":{"One":{},"Two":{},"Three":{}}"#),
        "{}",
        calls[9]
    );
    assert!(calls[10].contains(mytype), "{}", calls[10]);

    // Values in capitals, and a key too many, are wrong.
    for (right, wrong) in [
        (
            r#""dictionary":{"Foo":"Foo""#,
            r#""dictionary":{"Foo":"FOO""#,
        ),
        (r#""One":"foo","Two":"bar""#, r#""One":"foo""#),
        (r#""Three":{}}"#, r#""Three":{},"Four":{}}"#),
        (r#""first":1"#, r#""First":1"#),
    ] {
        let wrong = mytype.replace(right, wrong);
        let (certified, text, _) = certify_with(&wrong).expect("the example");
        assert!(!certified);
        let lines: Vec<&str> = text.lines().skip(9).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(
            lines[0].starts_with("Test09: ") && lines[0] != "Test09: ok",
            "{text}"
        );
        assert_eq!(lines[1], "all_ok: false");
    }
}

#[test]
fn accounts_serves_the_accounts_of_the_system_and_adds_new_ones() {
    let Some(service) = example("accounts") else {
        return;
    };
    let (address, path) = address("accounts");
    let socket = path.to_str().expect("UTF-8").to_string();
    let _service = Running::new(service, &address, path);
    let stream = nullink::unix::Stream::connect(&socket).expect("a service");
    let (mut receive, mut send) = (vec![0; 1 << 18], vec![0; 4096]);
    let mut client = nullink::Client::new(stream, &mut receive, &mut send);
    let mut call = |method: &str, parameters: &str| {
        let parameters = nullink::json::Raw::new(parameters).expect("JSON");
        let reply = client.call_raw(&format!("com.redhat.accounts.{method}"), parameters);
        let reply = reply.expect("a reply");
        let error = reply
            .error()
            .map(|error| error.replace("com.redhat.accounts.", ""));
        error.unwrap_or_default() + reply.parameters().as_str()
    };
    let root = call("GetByName", r#"{"name":"root"}"#);
    assert!(
        root.starts_with(r#"{"account":{"name":"root","uid":0,"gid":0,"#),
        "{root}"
    );
    assert_eq!(call("GetByUid", r#"{"uid":0}"#), root);
    assert_eq!(call("GetByUid", r#"{"uid":4294967294}"#), "NotFound{}");
    let account = r#"{"account":{"name":"nullink-new","uid":4294967294,"gid":0,"full_name":"N\u0075ll","home":"/","shell":""}}"#;
    let added = account.replace("\\u0075", "u");
    assert_eq!(call("Add", account), added);
    assert_eq!(call("GetByUid", r#"{"uid":4294967294}"#), added);
    assert_eq!(call("Add", account), r#"CreationFailed{"field":"name"}"#);
    let other = account.replace("nullink-new", "nullink-other");
    assert_eq!(call("Add", &other), r#"CreationFailed{"field":"uid"}"#);
    let other = other.replace(
        "\"uid\":4294967294,\"gid\":0",
        "\"uid\":4294967293,\"gid\":4294967293",
    );
    assert_eq!(call("Add", &other), r#"CreationFailed{"field":"gid"}"#);
    let all = call("GetAll", "{}");
    assert!(all.contains(r#""name":"root""#) && all.contains(r#""name":"nullink-new""#));
}

#[test]
fn a_thousand_accounts_fit_into_one_reply() {
    // The user database is made here, independent of that of the system.
    let line = |n: u32| {
        format!(
            "a-rather-long-name-{n}:x:{n}:{n}:Some Body With A Name,,,:/home/a-rather-long-name-{n}:/usr/sbin/nologin\n"
        )
    };
    let passwd: String = (0..1000).map(line).collect();
    let mut service = accounts::Accounts::new(passwd.as_bytes(), b"");
    let call = b"{\"method\":\"com.redhat.accounts.GetAll\"}\0";
    let mut reply = vec![0; 1 << 20];
    let stream = nullink::Duplex {
        reader: &call[..],
        writer: &mut reply[..],
    };
    let (mut receive, mut send) = (vec![0; 4096], vec![0; 512 * 1024]);
    let end = nullink::serve(&mut service, stream, &mut receive, &mut send);
    assert_eq!(end, Ok(nullink::End::Closed));
    let length = reply.iter().position(|byte| *byte == 0).expect("a reply");
    let reply: serde_json::Value = serde_json::from_slice(&reply[..length]).expect("JSON");
    assert_eq!(
        reply["parameters"]["accounts"]
            .as_array()
            .expect("a list")
            .len(),
        1000
    );
}

#[test]
fn examples_fail_with_a_message_after_bad_arguments() {
    for name in ["accounts", "certification", "conformance"] {
        for arguments in [
            &[][..],
            &["nonsense"],
            &["--nonsense"],
            &["nonsense:/x"],
            &["unix:"],
            &["a", "b", "c"],
            &["unix:/no/such/directory/socket"],
        ] {
            let Some(mut command) = example(name) else {
                return;
            };
            let output = command.args(arguments).output().expect("a process");
            let text = text(&output);
            assert_eq!(
                output.status.code(),
                Some(1),
                "{name} {arguments:?}: {text}"
            );
            let begins = match arguments {
                [address] => format!("{name}: {address}: "),
                _ => format!("{name}: usage: "),
            };
            assert!(text.starts_with(&begins), "{text}");
        }
    }
}

#[test]
fn clients_report_the_address_without_a_service() {
    let missing = "unix:/no/such/socket";
    let why = "no service found: is it running?";
    for (name, arguments) in [
        ("certification", &["--client", missing][..]),
        ("monitor", &["--follow", missing]),
        ("board", &[missing]),
        ("init", &[missing, "state"]),
    ] {
        let Some(mut command) = example(name) else {
            return;
        };
        let output = command.args(arguments).output().expect("a process");
        assert_eq!(text(&output), format!("{name}: {missing}: {why}\n"));
        assert_eq!(output.status.code(), Some(1), "{name}");
    }
}

#[test]
fn the_program_of_the_readme_reports_errors_with_its_address() {
    let Some(minimal) = example_path("minimal") else {
        return;
    };
    // Its own /tmp, because a service may run at the address.
    let private = |program: &std::path::Path| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c"]);
        // The program may be in /tmp.
        command.arg("exec 3<\"$0\" && mount -t tmpfs none /tmp && exec /proc/self/fd/3");
        command.arg(program).output()
    };
    if !private("/bin/true".as_ref()).is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "needs unshare");
        return println!("skipped: needs unshare");
    }
    let output = private(&minimal).expect("a process");
    let why = "no service found: is it running?";
    let expected = format!("error: /tmp/org.example.ping: {why}\n");
    assert_eq!(text(&output), expected);
    assert_eq!(output.status.code(), Some(1));
}
