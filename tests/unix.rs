//! X: Unix sockets.
#![cfg(all(feature = "unix", target_os = "linux"))]

mod common;
#[path = "common/strace.rs"]
mod strace;

use std::fs;
use std::io::{Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::serving::{echo, serve};
use common::{EMPTY, t};
use embedded_io::{Error as _, ErrorKind, Read, ReadReady, Write};
use nullink::client::CallError;
use nullink::json::Raw;
use nullink::service::{GetInterfaceDescription, ServiceError};
use nullink::unix::fd::OwnedFd;
use nullink::unix::{IoError, Listener, Reading, Stream, Timeouts};
use nullink::{Address, Client, Misuse};
use rustix::fd::{AsFd, AsRawFd};
use rustix::io::IoSlice;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, bind, listen, sendmsg, socket_with,
};
use strace::strace;

/// A fresh directory.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("nullink-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Directory(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Serves the conformance service at a path. What Pipe hands over comes back.
fn serve_at(path: &str) {
    serve(Listener::bind(path).unwrap(), |stream, unread| {
        assert_eq!(unread, b"", "the other protocol's bytes are left to it");
        echo(stream, unread);
    });
}

#[test]
fn a_service_and_a_client_talk() {
    let directory = Directory::new();
    let path = directory.path("socket");
    serve_at(&path);
    let (mut receive, mut send) = ([0; 4096], [0; 4096]);
    for _ in 0..3 {
        let stream = Stream::connect(&path).unwrap();
        let mut client = Client::new(stream, &mut receive, &mut send);
        let interface = "org.example.t";
        let reply = client.call(&GetInterfaceDescription { interface }).unwrap();
        assert!(reply.description.contains("method Pipe()"));
        let error = client.call(&GetInterfaceDescription { interface: "a.b" });
        let not_found = ServiceError::InterfaceNotFound { interface: "a.b" };
        assert!(matches!(error, Err(CallError::Service(error)) if error == not_found));
    }
}

#[test]
fn abstract_names_work_and_are_one_s_own() {
    let name = format!("nullink-test-{}", std::process::id());
    let address = Address::Abstract(&name);
    let listener = Listener::bind_to(address, 0).unwrap();
    assert_eq!(Listener::bind_to(address, 0).err(), Some(IoError::InUse));
    let mut client = Stream::connect_to(address, Timeouts::default()).unwrap();
    let mut server = listener.accept().unwrap();
    assert_eq!(client.write(b"x"), Ok(1));
    assert_eq!(server.read(&mut [0; 8]), Ok(1));
    drop((listener, server));
    let gone = Stream::connect_to(address, Timeouts::default());
    assert_eq!(gone.err(), Some(IoError::NotFound));
}

#[test]
fn x7_a_path_that_is_too_long_says_so() {
    let directory = Directory::new();
    let fits = directory.path(&"x".repeat(Stream::MAX_PATH - directory.path("").len()));
    assert_eq!(fits.len(), Stream::MAX_PATH);
    let listener = Listener::bind(&fits).unwrap();
    let _ = Stream::connect(&fits).unwrap();
    drop(listener);
    let long = fits + "x";
    assert_eq!(Listener::bind(&long).err(), Some(IoError::PathTooLong));
    assert_eq!(Stream::connect(&long).err(), Some(IoError::PathTooLong));
    assert!(!fs::exists(long).unwrap());

    let name = "x".repeat(Stream::MAX_PATH);
    let listener = Listener::bind_to(Address::Abstract(&name), 0).unwrap();
    assert!(Stream::connect_to(Address::Abstract(&name), Timeouts::default()).is_ok());
    drop(listener);
    let long = Listener::bind_to(Address::Abstract(&(name + "x")), 0);
    assert_eq!(long.err(), Some(IoError::PathTooLong));
}

#[test]
fn x7_a_missing_path_says_so() {
    let directory = Directory::new();
    assert_eq!(
        Stream::connect(&directory.path("no")).err(),
        Some(IoError::NotFound)
    );
    assert_eq!(
        Stream::connect(&directory.path("no/thing")).err(),
        Some(IoError::NotFound)
    );
    assert_eq!(Stream::connect("").err(), Some(IoError::NotFound));
    assert_eq!(Listener::bind("").err(), Some(IoError::NotFound));
    assert_eq!(
        Stream::connect(&format!("unix:{}", directory.path("no"))).err(),
        Some(IoError::NotFound)
    );
    let in_no_directory = Listener::bind(&directory.path("no/thing")).unwrap_err();
    assert_eq!(in_no_directory, IoError::NoDirectory);
    assert_eq!(in_no_directory.kind(), ErrorKind::NotFound);
}

#[test]
fn x7_what_is_no_socket_is_left_alone() {
    let directory = Directory::new();
    let (file, folder, link) = (
        directory.path("file"),
        directory.path("folder"),
        directory.path("link"),
    );
    fs::write(&file, "precious").unwrap();
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(directory.path("nowhere"), &link).unwrap();
    for path in [&file, &folder, &link] {
        assert_eq!(
            Listener::bind(path).err(),
            Some(IoError::NotASocket),
            "{path}"
        );
    }
    assert_eq!(Stream::connect(&file).err(), Some(IoError::NotASocket));
    assert_eq!(Stream::connect(&folder).err(), Some(IoError::NotASocket));
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn x7_a_stale_socket_says_so_and_is_replaced() {
    let directory = Directory::new();
    let path = directory.path("socket");
    drop(Listener::bind(&path).unwrap());
    let stale = fs::metadata(&path).unwrap();
    assert!(stale.file_type().is_socket());
    assert_eq!(Stream::connect(&path).err(), Some(IoError::Stale));
    let listener = Listener::bind(&path).unwrap();
    let _ = Stream::connect(&path).unwrap();
    assert!(listener.accept().is_ok());
}

#[test]
fn x7_a_live_socket_of_somebody_else_is_never_removed() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let theirs = UnixListener::bind(&path).unwrap();
    let before = fs::metadata(&path).unwrap().ino();
    for _ in 0..3 {
        assert_eq!(Listener::bind(&path).err(), Some(IoError::InUse));
    }
    assert_eq!(fs::metadata(&path).unwrap().ino(), before);
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"still there").unwrap();
    drop(theirs);

    // One that is not a stream socket is somebody's as well.
    let path = directory.path("datagrams");
    let _theirs = UnixDatagram::bind(&path).unwrap();
    assert_eq!(Listener::bind(&path).err(), Some(IoError::InUse));
    assert_eq!(Stream::connect(&path).err(), Some(IoError::NotAStream));
    assert!(fs::exists(&path).unwrap());
}

#[test]
fn x7_a_live_socket_whose_queue_is_full_is_not_removed() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let listener = Listener::bind(&path).unwrap();
    // Nobody accepts. The queue is as long as the kernel allows.
    let timeouts = Timeouts {
        connect: Some(Duration::from_millis(1)),
        ..Timeouts::default()
    };
    let mut clients = Vec::new();
    let full = loop {
        match Stream::connect_to(Address::Unix(&path), timeouts) {
            Ok(client) => clients.push(client),
            Err(error) => break error,
        }
    };
    assert_eq!(full, IoError::TimedOut);
    assert_eq!(Listener::bind(&path).err(), Some(IoError::InUse));
    assert!(listener.accept().is_ok());
    assert!(Stream::connect(&path).is_ok());
}

#[test]
fn x7_of_many_services_that_start_at_once_one_has_the_path() {
    for round in 0..20 {
        let directory = Directory::new();
        let path = directory.path("socket");
        if round % 2 == 0 {
            drop(Listener::bind(&path).unwrap());
        }
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                thread::spawn(move || Listener::bind(&path))
            })
            .collect();
        let results: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        let (bound, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!((bound.len(), refused.len()), (1, 7));
        for error in refused {
            assert_eq!(error.err(), Some(IoError::InUse));
        }
        // Its queue holds what the others have probed; the last in it is this one.
        let _client = Stream::connect(&path).unwrap();
        assert!(bound[0].as_ref().unwrap().accept().is_ok());
    }
}

#[test]
fn x6_the_mode_is_what_the_owner_says_whatever_the_umask_is() {
    if std::env::var_os(AGAIN).is_none() {
        for umask in ["000", "022", "077", "777"] {
            let name = "x6_the_mode_is_what_the_owner_says_whatever_the_umask_is";
            run_again(name, &format!("umask {umask}"));
        }
        return;
    }
    let directory = Directory::new();
    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    fs::set_permissions(&directory.0, fs::Permissions::from_mode(0o700)).unwrap();
    let path = directory.path("default");
    let _listener = Listener::bind(&path).unwrap();
    assert_eq!(mode(&path), 0o644);
    for wanted in [0o600, 0o640, 0o660, 0o666, 0o777, 0o644] {
        let path = directory.path(&format!("{wanted:o}"));
        let _listener = Listener::bind_to(Address::Unix(&path), wanted).unwrap();
        assert_eq!(mode(&path), wanted);
    }
}

#[test]
fn x6_the_mode_is_never_given_to_what_a_link_leads_to() {
    let name = "x6_the_mode_is_never_given_to_what_a_link_leads_to";
    if let Ok(path) = std::env::var(AGAIN) {
        let _listener = Listener::bind_to(Address::Unix(&path), 0o666).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o666);
        return;
    }
    if strace().is_none() {
        return;
    }
    let directory = Directory::new();
    let path = directory.path("socket");
    let trace = "strace -f -qq -e trace=chmod,fchmodat";
    let script = format!(r#"umask 077; exec {trace} "$0" --exact {name}"#);
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(AGAIN, &path)
        .output()
        .unwrap();
    let trace = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{trace}");
    // By its path, it could be another file by then.
    assert!(trace.contains("chmod") && !trace.contains(&path), "{trace}");
}

/// Set while a test is run once more, in a process of its own.
const AGAIN: &str = "NULLINK_TEST_AGAIN";

/// Runs a test in a process of its own, behind a line of shell, and returns what it prints.
fn run_again(name: &str, line: &str) -> String {
    let script = format!(r#"{line}; exec "$0" --exact {name} --nocapture"#);
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(AGAIN, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{:?} {text}", output.status);
    assert!(text.contains("1 passed"), "{text}");
    text
}

#[test]
fn x3_every_descriptor_is_close_on_exec() {
    // What a program sees that is executed now.
    let inherited = || {
        let list = std::process::Command::new("ls")
            .arg("/proc/self/fd")
            .output()
            .unwrap();
        String::from_utf8(list.stdout).unwrap()
    };
    let before = inherited();
    let directory = Directory::new();
    let path = directory.path("socket");
    let listener = Listener::bind(&path).unwrap();
    let timeouts = Timeouts {
        reply: Some(Duration::from_secs(1)),
        ..Timeouts::default()
    };
    let _client = Stream::connect_to(Address::Unix(&path), timeouts).unwrap();
    let _server = listener.accept().unwrap();
    let _pair = Stream::pair().unwrap();
    assert_eq!(inherited(), before);
}

#[test]
fn u1_the_service_leaves_the_other_protocol_s_bytes_to_the_descriptor() {
    let directory = Directory::new();
    let path = directory.path("socket");
    serve_at(&path);
    let pipe = r#"{"method":"org.example.t.Pipe","upgrade":true}"#;
    for (before, call) in [
        ("", pipe.to_string()),
        ("", pipe.replace("upgrade", "upgr\\u0061de")),
        ("", pipe.replace("{\"m", "{ \"m")),
        (EMPTY, pipe.to_string()),
        (&t("Need", r#"{"s":"upgrade"}"#), pipe.to_string()),
    ] {
        // The other protocol does not wait for the confirmation. (That it ought to is another
        // matter.) `serve_at` asserts that all of it is left in the socket.
        for pause in 0..3 {
            let mut stream = UnixStream::connect(&path).unwrap();
            let mut input = Vec::new();
            if !before.is_empty() {
                input.extend_from_slice(before.as_bytes());
                input.push(0);
            }
            input.extend_from_slice(call.as_bytes());
            input.extend_from_slice(b"\0raw\0bytes");
            match pause {
                0 => stream.write_all(&input).unwrap(),
                1 => input
                    .iter()
                    .for_each(|byte| stream.write_all(&[*byte]).unwrap()),
                _ => {
                    let (a, b) = input.split_at(input.len() - 15);
                    stream.write_all(a).unwrap();
                    stream.write_all(b).unwrap();
                }
            }
            stream.shutdown(Shutdown::Write).unwrap();
            let mut output = Vec::new();
            stream.read_to_end(&mut output).unwrap();
            assert!(
                output.ends_with(b"\0raw\0bytes"),
                "{}",
                output.escape_ascii()
            );
            let replies = output.len() - b"raw\0bytes".len();
            assert!(output[..replies].ends_with(b"{}\0"));
        }
    }
}

#[test]
fn u1_the_client_leaves_the_other_protocol_s_bytes_to_the_descriptor() {
    let (a, b) = Stream::pair().unwrap();
    let mut service = b;
    service.write(b"{\"parameters\":{}}\0raw").unwrap();
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut client = Client::new(a, &mut receive, &mut send);
    client
        .queue_raw("a.b.C", nullink::Mode::Upgrade, Raw::EMPTY_OBJECT)
        .unwrap();
    assert_eq!(client.receive_raw().unwrap().error(), None);
    let (mut stream, unread) = client.into_parts();
    assert_eq!(unread, b"");
    let mut buffer = [0; 8];
    assert_eq!(stream.read(&mut buffer), Ok(3));
    assert_eq!(&buffer[..3], b"raw");
}

#[test]
fn c1_a_connection_that_is_closed_ends_for_the_client_without_an_error() {
    let directory = Directory::new();
    let path = directory.path("socket");
    serve_at(&path);
    let garbage = "x".repeat(100_000);
    for bad in ["nonsense", "{}", &garbage] {
        for good in 0..3 {
            let mut stream = UnixStream::connect(&path).unwrap();
            let calls = format!("{EMPTY}\0").repeat(good);
            // More follows than the service ever reads. It may be refused, halfway.
            let input = format!("{calls}{bad}\0{}", format!("{EMPTY}\0").repeat(100));
            let sent = stream.write_all(input.as_bytes());
            let mut output = Vec::new();
            stream
                .read_to_end(&mut output)
                .expect("an end, and no ECONNRESET");
            assert_eq!(output, b"{}\0".repeat(good), "{bad:.10} {sent:?}");
        }
    }
}

#[test]
fn f5_a_half_close_after_a_call_still_gets_its_reply() {
    let directory = Directory::new();
    let path = directory.path("socket");
    serve_at(&path);
    let mut stream = UnixStream::connect(&path).unwrap();
    let call = r#"{"method":"org.example.t.Count","more":true,"parameters":{"n":1000}}"#;
    stream
        .write_all(format!("{EMPTY}\0{call}\0").as_bytes())
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut output = Vec::new();
    stream.read_to_end(&mut output).unwrap();
    assert_eq!(output.iter().filter(|byte| **byte == 0).count(), 1001);
}

#[test]
fn writing_to_nobody_is_an_error_and_no_signal() {
    if std::env::var_os(AGAIN).is_some() {
        let (mut a, b) = Stream::pair().unwrap();
        drop(b);
        let error = a.write(b"x").unwrap_err();
        println!("{error} {:?}", error.kind());
        return;
    }
    // Rust's own programs ignore SIGPIPE, unless they are told not to.
    let name = "writing_to_nobody_is_an_error_and_no_signal";
    let text = run_again(name, "trap - PIPE");
    assert!(
        text.contains("the peer has closed the connection BrokenPipe"),
        "{text}"
    );
}

/// A client of a service that takes connections, and says what `answer` writes.
fn with_silent_service(
    timeouts: Timeouts,
    answer: impl FnOnce(Stream) + Send + 'static,
    check: impl FnOnce(&mut Client<'_, Stream>),
) {
    let directory = Directory::new();
    let path = directory.path("socket");
    let listener = Listener::bind(&path).unwrap();
    let service = thread::spawn(move || answer(listener.accept().unwrap()));
    let stream = Stream::connect_to(Address::Unix(&path), timeouts).unwrap();
    let (mut receive, mut send) = (vec![0; 4096], vec![0; 1 << 22]);
    let mut client = Client::new(stream, &mut receive, &mut send);
    check(&mut client);
    drop(client);
    service.join().unwrap();
}

const SHORT: Duration = Duration::from_millis(50);

/// After a timeout nothing works, and nothing waits.
fn unusable(client: &mut Client<'_, Stream>) {
    let error = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
    assert_eq!(error, Some(nullink::Error::Misuse(Misuse::Unusable)));
}

#[test]
fn l3_a_reply_that_does_not_come_times_out() {
    let timeouts = Timeouts {
        reply: Some(SHORT),
        ..Timeouts::default()
    };
    let wait_for_end = |mut stream: Stream| while let Ok(1..) = stream.read(&mut [0; 99]) {};
    with_silent_service(timeouts, wait_for_end, |client| {
        let before = Instant::now();
        let error = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
        assert_eq!(error, Some(nullink::Error::Transport(IoError::TimedOut)));
        assert!(before.elapsed() >= SHORT);
        unusable(client);
    });
}

#[test]
fn l3_a_reply_that_comes_byte_by_byte_times_out_as_a_whole() {
    let timeouts = Timeouts {
        reply: Some(SHORT),
        ..Timeouts::default()
    };
    let trickle = |mut stream: Stream| {
        // For ever, until the client is gone.
        while stream.write(b" ").is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    };
    with_silent_service(timeouts, trickle, |client| {
        let error = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
        assert_eq!(error, Some(nullink::Error::Transport(IoError::TimedOut)));
        unusable(client);
    });
}

#[test]
fn l3_a_reply_that_never_ends_times_out_however_fast_it_comes() {
    let timeouts = Timeouts {
        reply: Some(SHORT),
        ..Timeouts::default()
    };
    let flood = |mut stream: Stream| while stream.write(&[b'x'; 1 << 16]).is_ok() {};
    with_silent_service(timeouts, flood, |client| {
        // It does not fit; and what follows, which has a time of its own, does not end.
        let too_long = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
        assert_eq!(too_long, Some(nullink::Error::TooLong));
        let error = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
        assert_eq!(error, Some(nullink::Error::Transport(IoError::TimedOut)));
        unusable(client);
    });
}

#[test]
fn timeouts_that_are_longer_than_the_kernel_counts_are_none() {
    let longest = Some(Duration::MAX);
    let timeouts = Timeouts {
        connect: None,
        send: longest,
        reply: longest,
    };
    let answer = |mut stream: Stream| {
        stream.read(&mut [0; 99]).unwrap();
        stream.write(b"{}\0").unwrap();
    };
    with_silent_service(timeouts, answer, |client| {
        assert!(client.call_raw("a.b.C", Raw::EMPTY_OBJECT).is_ok());
    });
}

#[test]
fn u1_an_upgraded_stream_is_read_as_any_other() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let listener = Listener::bind(&path).unwrap();
    serve(listener, |mut stream, _| {
        // The confirmation was read first, so all of it is there.
        let count = stream.read(&mut [0; 64]).unwrap();
        stream.write(&[count as u8]).unwrap();
    });
    let mut stream = UnixStream::connect(&path).unwrap();
    let pipe = b"{\"method\":\"org.example.t.Pipe\",\"upgrade\":true}\0a\0\\\0b\0";
    stream.write_all(pipe).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"{}\0\x06");
}

#[test]
fn l3_every_reply_has_its_own_time() {
    // Twenty replies take longer together than one may take.
    let timeouts = Timeouts {
        reply: Some(Duration::from_secs(2)),
        ..Timeouts::default()
    };
    let slowly = |mut stream: Stream| {
        for n in 0..20 {
            thread::sleep(Duration::from_millis(110));
            let continues = n < 19;
            let reply = format!("{{\"continues\":{continues}}}\0");
            stream.write(reply.as_bytes()).unwrap();
        }
        while let Ok(1..) = stream.read(&mut [0; 99]) {}
    };
    with_silent_service(timeouts, slowly, |client| {
        client
            .queue_raw("a.b.C", nullink::Mode::More, Raw::EMPTY_OBJECT)
            .unwrap();
        let mut replies = 1;
        while client.receive_raw().unwrap().continues() {
            replies += 1;
        }
        assert_eq!(replies, 20);
    });
}

#[test]
fn l3_a_call_that_nobody_reads_times_out() {
    let timeouts = Timeouts {
        send: Some(SHORT),
        ..Timeouts::default()
    };
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let never_read = move |stream: Stream| {
        let _ = stopped.recv();
        drop(stream);
    };
    with_silent_service(timeouts, never_read, |client| {
        let long = format!(r#"{{"s":"{}"}}"#, "x".repeat(1 << 21));
        let error = client.call_raw("a.b.C", Raw::new(&long).unwrap()).err();
        assert_eq!(error, Some(nullink::Error::Transport(IoError::TimedOut)));
        unusable(client);
        drop(stop);
    });
}

#[test]
fn l3_a_connection_that_nobody_takes_times_out() {
    // What `x7_a_live_socket_whose_queue_is_full_is_not_removed` fills the queue with.
    let directory = Directory::new();
    let path = directory.path("socket");
    let _listener = Listener::bind(&path).unwrap();
    let timeouts = Timeouts {
        connect: Some(SHORT),
        ..Timeouts::default()
    };
    let mut clients = Vec::new();
    let (error, waited) = loop {
        let before = Instant::now();
        match Stream::connect_to(Address::Unix(&path), timeouts) {
            Ok(client) => clients.push(client),
            Err(error) => break (error, before.elapsed()),
        }
    };
    assert_eq!(error, IoError::TimedOut);
    assert!(waited >= SHORT);
}

#[test]
fn timeouts_of_zero_are_short_and_not_endless() {
    let zero = Some(Duration::ZERO);
    let timeouts = Timeouts {
        connect: zero,
        send: zero,
        reply: zero,
    };
    let wait_for_end = |mut stream: Stream| while let Ok(1..) = stream.read(&mut [0; 99]) {};
    with_silent_service(timeouts, wait_for_end, |client| {
        let error = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
        assert_eq!(error, Some(nullink::Error::Transport(IoError::TimedOut)));
    });
}

#[test]
fn l4_a_service_outlives_clients_that_go_away_anywhere() {
    let directory = Directory::new();
    let path = directory.path("socket");
    serve_at(&path);
    let call = r#"{"method":"org.example.t.Count","more":true,"parameters":{"n":100000}}"#;
    let input = format!("{EMPTY}\0{call}\0");
    for length in 0..=input.len() {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(&input.as_bytes()[..length]).unwrap();
        if length % 2 == 0 && length > EMPTY.len() {
            let _ = stream.read(&mut [0; 3]);
        }
    }
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(format!("{EMPTY}\0").as_bytes()).unwrap();
    let mut reply = [0; 3];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"{}\0");
}

#[test]
#[cfg(feature = "std")]
fn a_program_with_std_can_hand_its_sockets_over() {
    let (a, b) = UnixStream::pair().unwrap();
    // Non-blocking ones are waited for.
    a.set_nonblocking(true).unwrap();
    let mut stream = Stream::from(OwnedFd::from(a));
    let other = thread::spawn(move || {
        let mut b = b;
        let mut byte = [0];
        b.read_exact(&mut byte).unwrap();
        b.write_all(&byte).unwrap();
        let mut rest = Vec::new();
        b.read_to_end(&mut rest).unwrap();
        rest.len()
    });
    stream.write(b"x").unwrap();
    assert_eq!(stream.read(&mut [0; 8]), Ok(1));
    let mut sent = 0;
    while sent < 1 << 22 {
        sent += stream.write(&[0; 1 << 16]).unwrap();
    }
    drop(OwnedFd::from(stream));
    assert_eq!(other.join().unwrap(), sent);
}

#[test]
fn x7_an_address_that_is_none_is_not_a_path() {
    for address in [
        "tcp:localhost:1234",
        "tcp:127.0.0.1",
        "http:127.0.0.1:1234",
        "exec:",
        "device:ttyS1",
        "unix:",
        "unix:@",
        "unix:;mode=0600",
        "@name",
    ] {
        let error = Listener::bind(address).err();
        assert!(
            matches!(error, Some(IoError::Address(_))),
            "{address}: {error:?}"
        );
        let error = Stream::connect(address).err();
        assert!(
            matches!(error, Some(IoError::Address(_))),
            "{address}: {error:?}"
        );
        assert!(!std::path::Path::new(address).exists());
    }
    // A path can have a colon in it, if it can't be taken for an address.
    let directory = Directory::new();
    let path = directory.path("unix:x");
    let _listener = Listener::bind(&path).expect("a path");
    assert!(std::path::Path::new(&path).exists());
}

#[test]
fn a_stream_says_whether_a_read_would_wait() {
    let (mut a, mut b) = Stream::pair().unwrap();
    assert_eq!(a.read_ready(), Ok(false));
    b.write(b"x").unwrap();
    assert_eq!(a.read_ready(), Ok(true));
    a.read(&mut [0; 9]).unwrap();
    assert_eq!(a.read_ready(), Ok(false));
    // The end is there to be read, too.
    drop(b);
    assert_eq!(a.read_ready(), Ok(true));
}

/// Has a socket receive something beside the bytes: an option of setsockopt(2) that is set to 1.
fn set_option(socket: &impl AsFd, level: i32, option: i32) {
    unsafe extern "C" {
        fn setsockopt(socket: i32, level: i32, option: i32, value: *const i32, length: u32) -> i32;
    }
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel reads one int, which is there.
    let result = unsafe { setsockopt(socket, level, option, &1, 4) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

const SOL_SOCKET: i32 = 1;
const SO_PASSCRED: i32 = 16;
const SO_TIMESTAMP: i32 = 29;
const SO_PASSSEC: i32 = 34;
const SO_TIMESTAMPNS: i32 = 35;
const SO_PASSPIDFD: i32 = 76;
const PASSED: [i32; 5] = [
    SO_PASSCRED,
    SO_TIMESTAMP,
    SO_PASSSEC,
    SO_TIMESTAMPNS,
    SO_PASSPIDFD,
];

/// Whether this process has a pidfd of itself, which is what a peer's is here.
fn has_pidfd() -> bool {
    let own = format!("Pid:\t{}\n", std::process::id());
    fs::read_dir("/proc/self/fdinfo").unwrap().any(|entry| {
        let info = fs::read_to_string(entry.unwrap().path());
        info.is_ok_and(|info| info.contains(&own))
    })
}

/// A stream that is handed over, after an option was set, and its peer.
fn handed_over(option: Option<i32>) -> (Stream, Stream) {
    let (ours, theirs) = Stream::pair().unwrap();
    let ours = OwnedFd::from(ours);
    if let Some(option) = option {
        set_option(&ours, SOL_SOCKET, option);
    }
    (Stream::from(ours), theirs)
}

#[test]
fn x9_ancillary_data_ends_no_connection_of_a_socket_that_was_handed_over() {
    for option in PASSED {
        for (reading, length) in [Reading::All, Reading::Message]
            .into_iter()
            .flat_map(|reading| [1, 2, 9].map(|length| (reading, length)))
        {
            let (mut ours, mut theirs) = handed_over(Some(option));
            ours.set_reading(reading);
            for _ in 0..4 {
                let message = &b"{......}\0"[9 - length..];
                theirs.write(message).unwrap();
                let mut buffer = [0; 16];
                assert_eq!(ours.read(&mut buffer), Ok(length), "{option}");
                assert_eq!(&buffer[..length], message);
            }
            drop(theirs);
            assert_eq!(ours.read(&mut [0; 9]), Ok(0));
        }
        assert!(!has_pidfd(), "{option}");
    }
}

#[test]
fn x9_nor_of_one_that_comes_from_a_listener_that_was_handed_over() {
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    for option in PASSED {
        let name = format!("nullink-test-passed-{}-{option}", std::process::id());
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
        let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap();
        bind(&socket, &address).unwrap();
        listen(&socket, 9).unwrap();
        set_option(&socket, SOL_SOCKET, option);
        // One has come before the listener was handed over.
        let connect = || Stream::connect(&format!("unix:@{name}")).unwrap();
        let mut clients = vec![connect()];
        let listener = Listener::from(socket);
        clients.push(connect());
        for mut client in clients {
            let mut service = listener.accept().unwrap();
            for _ in 0..3 {
                client.write(b"hello").unwrap();
                assert_eq!(service.read(&mut [0; 9]), Ok(5), "{option}");
            }
        }
        assert!(!has_pidfd(), "{option}");
    }
}

#[test]
fn x9_nor_of_one_of_tcp() {
    const IPPROTO_TCP: i32 = 6;
    const TCP_INQ: i32 = 36;
    for (level, option) in [
        (IPPROTO_TCP, TCP_INQ),
        (SOL_SOCKET, SO_TIMESTAMP),
        (SOL_SOCKET, SO_TIMESTAMPNS),
    ] {
        let listener = Listener::bind("tcp:127.0.0.1:0").unwrap();
        let address = format!("tcp:127.0.0.1:{}", listener.port().unwrap());
        let mut client = Stream::connect(&address).unwrap();
        let mut service = listener.accept().unwrap();
        set_option(&service, level, option);
        for _ in 0..3 {
            client.write(b"hello").unwrap();
            assert_eq!(service.read(&mut [0; 9]), Ok(5), "{option}");
        }
    }
}

#[test]
fn x1_descriptors_are_refused_by_a_socket_that_was_handed_over() {
    // With the first byte, with a later one, and with one that is sent alone.
    for pieces in [
        &[("hello", true)][..],
        &[("hello", false), ("again", true)],
        &[("h", true), ("ello", false)],
    ] {
        let (mut ours, theirs) = handed_over(None);
        let (tracked, mut other) = Stream::pair().unwrap();
        let mut result = Ok(1);
        for (bytes, attach) in pieces {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let descriptors = [tracked.as_fd()];
            if *attach {
                assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
            }
            let bytes = [IoSlice::new(bytes.as_bytes())];
            sendmsg(&theirs, &bytes, &mut control, SendFlags::empty()).unwrap();
            result = result.and_then(|_| ours.read(&mut [0; 9]));
        }
        assert_eq!(result, Err(IoError::Descriptors), "{pieces:?}");
        drop(tracked);
        assert_eq!(other.read(&mut [0; 1]), Ok(0));
    }
}
