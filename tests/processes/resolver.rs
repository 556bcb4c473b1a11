//! The example `resolver`, which resolves interfaces to addresses and starts services.
#![cfg(all(feature = "unix", target_os = "linux"))]

use crate::example;
use crate::shared::accounts;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use accounts::GetByUid;
use example::example_path;
use nullink::json::Raw;
use nullink::unix::{Stream, Timeouts};
use nullink::{Address, Client};

/// The longest time to wait for what must happen.
const LIMIT: Duration = Duration::from_secs(60);

/// A resolver with its own directory, which replaces DIRECTORY in its configuration.
struct Running {
    directory: PathBuf,
    child: Child,
    /// What each of its writes to stderr has written.
    log: Receiver<String>,
}

impl Running {
    fn start(name: &str, services: &str) -> Option<Self> {
        let (resolver, accounts) = (example_path("resolver")?, example_path("accounts")?);
        let directory = format!("nullink-resolver-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(directory);
        std::fs::create_dir(&directory).expect("a directory");
        let services = services
            .replace("DIRECTORY", directory.to_str().expect("UTF-8"))
            .replace("ACCOUNTS", accounts.to_str().expect("UTF-8"));
        std::fs::write(directory.join("services"), services).expect("a file");
        // A message is what one write has written.
        let (stderr, writer) = UnixDatagram::pair().expect("sockets");
        stderr.set_read_timeout(Some(LIMIT)).expect("a time limit");
        let child = Command::new(resolver)
            .arg(directory.join("services"))
            .arg(format!("unix:{}", directory.join("resolver").display()))
            .stderr(OwnedFd::from(writer))
            .spawn()
            .expect("a process");
        let (sender, log) = mpsc::channel();
        thread::spawn(move || {
            let mut written = [0; 4096];
            while let Ok(len) = stderr.recv(&mut written) {
                let written = String::from_utf8_lossy(&written[..len]).into_owned();
                if sender.send(written).is_err() {
                    break;
                }
            }
        });
        let running = Running {
            directory,
            child,
            log,
        };
        let begin = Instant::now();
        // The resolver binds its socket before those of the services, and answers after that.
        while !running.directory.join("resolver").exists() {
            assert!(begin.elapsed() < LIMIT, "does not listen");
            thread::yield_now();
        }
        Some(running)
    }

    /// Returns the next line that it writes to stderr, which its services share with it. Each line
    /// is one write, so that lines of different programs do not mix.
    fn says(&self) -> String {
        let written = self.log.recv_timeout(LIMIT);
        let written = written.expect("a line");
        let line = written.strip_suffix('\n');
        line.unwrap_or_else(|| panic!("{written:?}: not a line"))
            .into()
    }

    /// Calls a method of the resolver and returns its reply.
    fn ask(&self, method: &str, parameters: &str) -> String {
        let address = format!("unix:{}", self.directory.join("resolver").display());
        let mut client = connect(&address);
        let method = format!("org.varlink.resolver.{method}");
        let parameters = Raw::new(parameters).expect("JSON");
        let reply = client.call_raw(&method, parameters).expect("a reply");
        let text = format!("{} {}", reply.error().unwrap_or("ok"), reply.parameters());
        text.replace(self.directory.to_str().expect("UTF-8"), "DIRECTORY")
    }

    /// Returns the address of the service of an interface.
    fn resolve(&self, interface: &str) -> String {
        let answer = self.ask("Resolve", &format!(r#"{{"interface":"{interface}"}}"#));
        let address = answer
            .strip_prefix(r#"ok {"address":""#)
            .expect("an address");
        let address = address.strip_suffix(r#""}"#).expect("an address");
        address.replace("DIRECTORY", self.directory.to_str().expect("UTF-8"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn connect(address: &str) -> Client<'static, Stream> {
    let address = Address::parse(address).expect("an address");
    let reply = Some(LIMIT);
    let timeouts = Timeouts {
        reply,
        ..Timeouts::default()
    };
    let begin = Instant::now();
    let stream = loop {
        match Stream::connect_to(address, timeouts) {
            Ok(stream) => break stream,
            Err(error) => assert!(begin.elapsed() < LIMIT, "{error}"),
        }
    };
    Client::new(stream, vec![0; 4096].leak(), vec![0; 4096].leak())
}

fn root(client: &mut Client<'static, Stream>) -> String {
    let found = client.call(&GetByUid { uid: 0 }).expect("an account");
    found.account.name.to_string()
}

const SERVICES: &str = "
    # A comment, and a service that the resolver does not start
    org.example.one,org.example.two  unix:@org.example.one;mode=0600
org.example.path /run/path
    com.redhat.accounts\tunix:DIRECTORY/accounts ACCOUNTS
";

#[test]
fn interfaces_are_resolved_to_addresses() {
    let Some(running) = Running::start("where", SERVICES) else {
        return;
    };
    for (interface, address) in [
        ("org.example.one", "unix:@org.example.one;mode=0600"),
        ("org.example.two", "unix:@org.example.one;mode=0600"),
        ("org.example.path", "unix:/run/path"),
        ("com.redhat.accounts", "unix:DIRECTORY/accounts"),
    ] {
        let parameters = format!(r#"{{"interface":"{interface}"}}"#);
        let expected = format!(r#"ok {{"address":"{address}"}}"#);
        assert_eq!(running.ask("Resolve", &parameters), expected);
    }
    for interface in ["org.example", "org.example.one,org.example.two", "#", ""] {
        let parameters = format!(r#"{{"interface":"{interface}"}}"#);
        let expected = format!("org.varlink.resolver.InterfaceNotFound {parameters}");
        assert_eq!(running.ask("Resolve", &parameters), expected);
    }
    let info = running.ask("GetInfo", "{}");
    assert!(
        info.starts_with(r#"ok {"vendor":"Nullink","product":"Resolver","#),
        "{info}"
    );
    let interfaces = r#""interfaces":["org.example.one","org.example.two","org.example.path","com.redhat.accounts"]}"#;
    assert!(info.ends_with(interfaces), "{info}");
}

#[test]
fn a_service_is_started_again_for_each_new_group_of_clients() {
    let Some(running) = Running::start("start", SERVICES) else {
        return;
    };
    let address = running.resolve("com.redhat.accounts");
    for _ in 0..2 {
        // Both clients connect before the service runs.
        let (mut one, mut two) = (connect(&address), connect(&address));
        assert_eq!(running.says(), "com.redhat.accounts: started");
        assert_eq!(
            (root(&mut one), root(&mut two)),
            ("root".into(), "root".into())
        );
        let mut three = connect(&address);
        assert_eq!(
            (root(&mut one), root(&mut three)),
            ("root".into(), "root".into())
        );
        drop((one, two, three));
        // It exits when it has no clients left.
        assert_eq!(running.says(), "com.redhat.accounts: ended, exit status: 0");
    }
    assert_eq!(running.resolve("com.redhat.accounts"), address);
}

#[test]
fn restarts_of_a_service_that_ends_at_once_are_delayed() {
    for (program, says) in [
        (
            "/bin/true",
            &["a.b: started", "a.b: ended, exit status: 0"][..],
        ),
        (
            "/no/such/program",
            &["a.b: No such file or directory (os error 2)"],
        ),
    ] {
        let services = format!("a.b unix:DIRECTORY/a {program}");
        let Some(running) = Running::start("again", &services) else {
            return;
        };
        let address = running.resolve("a.b");
        let begin = Instant::now();
        // The service never accepts this connection.
        let _client = connect(&address);
        for pause in [100, 200, 400] {
            for line in says {
                assert_eq!(running.says(), *line);
            }
            assert_eq!(running.says(), format!("a.b: can restart in {pause} ms"));
            assert_eq!(running.resolve("a.b"), address, "no answer in a pause");
        }
        assert_eq!(running.says(), says[0]);
        assert!(begin.elapsed() >= Duration::from_millis(700));
    }
}

#[test]
fn a_service_gets_a_blocking_socket_at_each_start() {
    // The service's output goes to the resolver's stderr.
    let services = "a.b unix:DIRECTORY/a /bin/sh DIRECTORY/script";
    let Some(running) = Running::start("blocks", services) else {
        return;
    };
    let script = "grep flags: /proc/$$/fdinfo/3 >&2; exec ACCOUNTS";
    let accounts = example_path("accounts").expect("the example");
    let script = script.replace("ACCOUNTS", accounts.to_str().expect("UTF-8"));
    std::fs::write(running.directory.join("script"), script).expect("a file");
    for _ in 0..2 {
        let mut client = connect(&running.resolve("a.b"));
        assert_eq!(root(&mut client), "root");
        drop(client);
        let mut says = [running.says(), running.says(), running.says()];
        says.sort();
        let expected = ["a.b: ended, exit status: 0", "a.b: started", "flags:\t02"];
        assert_eq!(says, expected);
    }
}

#[test]
fn configuration_errors_are_reported() {
    let (Some(resolver), directory) = (example_path("resolver"), std::env::temp_dir()) else {
        return;
    };
    let file = directory.join(format!("nullink-resolver-{}", std::process::id()));
    let run = |file: &Path| {
        let address = "unix:@nullink-resolver-wrong";
        let output = Command::new(&resolver)
            .arg(file)
            .arg(address)
            .output()
            .expect("a process");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let many: String = (0..9)
        .map(|i| format!("a.b{i} unix:@nullink-wrong-{i} /bin/true\n"))
        .collect();
    for (services, says) in [
        ("a.b\n", "line 1: there is no address"),
        ("# fine\n\na.b unix:@a\na.b path", "line 4: "),
        (
            "a.b unix:/no/such/directory /bin/true",
            "unix:/no/such/directory: ",
        ),
        (
            "a.b device:/dev/null /bin/true",
            "a service on a device cannot be started on demand",
        ),
        (&many, "no more than 8 services can be started"),
    ] {
        std::fs::write(&file, services).expect("a file");
        let text = run(&file);
        assert!(
            text.starts_with("resolver: ") && text.contains(says),
            "{text}"
        );
    }
    std::fs::remove_file(&file).expect("the file");
    assert!(run(&file).contains("No such file"));
    let output = Command::new(&resolver).output().expect("a process");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "resolver: usage: resolver SERVICES ADDRESS\n"
    );
}
