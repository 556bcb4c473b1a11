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
use nullink::address::AddressError;
use nullink::client::CallError;
use nullink::json::Raw;
use nullink::service::{GetInterfaceDescription, ServiceError};
use nullink::unix::fd::OwnedFd;
use nullink::unix::{IoError, Listener, Reading, Stream, Timeouts};
use nullink::{Address, Client, Misuse, Mode};
use rustix::fd::{AsFd, AsRawFd};
use rustix::io::IoSlice;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, bind, listen, sendmsg, socket_with,
};
use strace::strace;

/// A new directory, which is removed when this is dropped.
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

/// Serves org.example.t at a path. A connection that Pipe hands over is echoed.
fn serve_at(path: &str) {
    serve(Listener::bind(path).unwrap(), |stream, unread| {
        assert_eq!(unread, b"", "bytes of the other protocol were received");
        echo(stream, unread);
    });
}

#[test]
fn a_client_calls_a_service_over_a_socket() {
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
fn an_abstract_name_has_one_listener_at_a_time() {
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
fn x7_a_path_that_is_too_long_is_reported() {
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
fn x7_a_missing_path_is_reported() {
    let directory = Directory::new();
    assert_eq!(
        Stream::connect(&directory.path("no")).err(),
        Some(IoError::NotFound)
    );
    assert_eq!(
        Stream::connect(&directory.path("no/thing")).err(),
        Some(IoError::NotFound)
    );
    assert_eq!(
        Stream::connect(&format!("unix:{}", directory.path("no"))).err(),
        Some(IoError::NotFound)
    );
    let in_no_directory = Listener::bind(&directory.path("no/thing")).unwrap_err();
    assert_eq!(in_no_directory, IoError::NoDirectory);
    assert_eq!(in_no_directory.kind(), ErrorKind::NotFound);
}

#[test]
fn x7_a_file_that_is_not_a_socket_is_not_replaced() {
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
fn x7_a_stale_socket_is_reported_and_replaced() {
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
fn x7_a_live_socket_of_another_owner_is_never_removed() {
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

    // Another owner's socket need not be a stream socket.
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
    // Connections are not accepted, so the queue fills up to the kernel's limit.
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
fn x7_only_one_of_many_services_that_start_at_once_gets_the_path() {
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
        // The queue holds the probes of the other services, and this client after them.
        let _client = Stream::connect(&path).unwrap();
        assert!(bound[0].as_ref().unwrap().accept().is_ok());
    }
}

#[test]
fn x6_the_mode_does_not_depend_on_the_umask() {
    if std::env::var_os(AGAIN).is_none() {
        for umask in ["000", "022", "077", "777"] {
            let name = "x6_the_mode_does_not_depend_on_the_umask";
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
fn x6_the_mode_is_not_set_through_the_path() {
    let name = "x6_the_mode_is_not_set_through_the_path";
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
    // By then, the path could lead to another file, for example through a link.
    assert!(trace.contains("chmod") && !trace.contains(&path), "{trace}");
}

/// The variable that is set when a test runs itself again in another process.
const AGAIN: &str = "NULLINK_TEST_AGAIN";

/// Runs a test in another process, after a line of shell. Returns its output.
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
    // Lists the descriptors that a new program inherits.
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
fn u1_the_service_leaves_the_bytes_after_an_upgrade_in_the_socket() {
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
        // The client sends the other protocol's bytes before the confirmation, although it should
        // wait for it. `serve_at` asserts that all of them are left in the socket.
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
fn u1_the_client_leaves_the_bytes_after_an_upgrade_in_the_socket() {
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
fn c1_a_client_reads_its_replies_and_the_end_after_a_bad_message() {
    let directory = Directory::new();
    let path = directory.path("socket");
    serve_at(&path);
    let garbage = "x".repeat(100_000);
    for bad in ["nonsense", "{}", &garbage] {
        for good in 0..3 {
            let mut stream = UnixStream::connect(&path).unwrap();
            let calls = format!("{EMPTY}\0").repeat(good);
            // More bytes follow than the service reads, so the write may fail halfway.
            let input = format!("{calls}{bad}\0{}", format!("{EMPTY}\0").repeat(100));
            let sent = stream.write_all(input.as_bytes());
            let mut output = Vec::new();
            stream
                .read_to_end(&mut output)
                .expect("an end without ECONNRESET");
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

// That it is no signal is tested with a program that does not ignore SIGPIPE, as all programs of std
// do: tests/freestanding/accounts.py.
#[test]
fn a_write_to_a_closed_peer_is_an_error() {
    let (mut a, b) = Stream::pair().unwrap();
    drop(b);
    let error = a.write(b"x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert!(
        error
            .to_string()
            .contains("the peer has closed the connection"),
        "{error}"
    );
}

/// Runs `check` with a client of a service that accepts one connection and passes it to `answer`.
fn with_service(
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

/// Asserts that calls fail at once after a timeout.
fn assert_unusable(client: &mut Client<'_, Stream>) {
    let error = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
    assert_eq!(error, Some(nullink::Error::Misuse(Misuse::Unusable)));
}

#[test]
fn l3_a_missing_reply_times_out() {
    let timeouts = Timeouts {
        reply: Some(SHORT),
        ..Timeouts::default()
    };
    let wait_for_end = |mut stream: Stream| while let Ok(1..) = stream.read(&mut [0; 99]) {};
    with_service(timeouts, wait_for_end, |client| {
        let before = Instant::now();
        let error = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
        assert_eq!(error, Some(nullink::Error::Transport(IoError::TimedOut)));
        assert!(before.elapsed() >= SHORT);
        assert_unusable(client);
    });
}

#[test]
fn l3_a_reply_received_byte_by_byte_has_one_timeout() {
    let timeouts = Timeouts {
        reply: Some(SHORT),
        ..Timeouts::default()
    };
    let trickle = |mut stream: Stream| {
        // Writes until the client has closed.
        while stream.write(b" ").is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    };
    with_service(timeouts, trickle, |client| {
        let error = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
        assert_eq!(error, Some(nullink::Error::Transport(IoError::TimedOut)));
        assert_unusable(client);
    });
}

#[test]
fn l3_a_reply_that_never_ends_times_out() {
    let timeouts = Timeouts {
        reply: Some(SHORT),
        ..Timeouts::default()
    };
    let flood = |mut stream: Stream| while stream.write(&[b'x'; 1 << 16]).is_ok() {};
    with_service(timeouts, flood, |client| {
        // The reply does not fit. The next call skips the rest of it, with its own timeout, and
        // the rest does not end.
        let too_long = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
        assert_eq!(too_long, Some(nullink::Error::TooLong));
        let error = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
        assert_eq!(error, Some(nullink::Error::Transport(IoError::TimedOut)));
        assert_unusable(client);
    });
}

#[test]
fn a_timeout_beyond_the_range_of_the_kernel_is_infinite() {
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
    with_service(timeouts, answer, |client| {
        assert!(client.call_raw("a.b.C", Raw::EMPTY_OBJECT).is_ok());
    });
}

#[test]
fn u1_a_read_from_an_upgraded_stream_does_not_stop_at_a_nul() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let listener = Listener::bind(&path).unwrap();
    serve(listener, |mut stream, _| {
        // All six bytes arrived together with the call, so one read returns them.
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
fn l3_every_reply_has_its_own_timeout() {
    // Together, the twenty replies take longer than the timeout of one.
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
    with_service(timeouts, slowly, |client| {
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
fn l3_a_call_that_is_not_read_times_out() {
    let timeouts = Timeouts {
        send: Some(SHORT),
        ..Timeouts::default()
    };
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let never_read = move |stream: Stream| {
        let _ = stopped.recv();
        drop(stream);
    };
    with_service(timeouts, never_read, |client| {
        let long = format!(r#"{{"s":"{}"}}"#, "x".repeat(1 << 21));
        let error = client.call_raw("a.b.C", Raw::new(&long).unwrap()).err();
        assert_eq!(error, Some(nullink::Error::Transport(IoError::TimedOut)));
        assert_unusable(client);
        drop(stop);
    });
}

#[test]
fn l3_a_connection_that_is_not_accepted_times_out() {
    // Fills the queue like `x7_a_live_socket_whose_queue_is_full_is_not_removed`.
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
fn a_timeout_of_zero_is_short_and_not_infinite() {
    let zero = Some(Duration::ZERO);
    let timeouts = Timeouts {
        connect: zero,
        send: zero,
        reply: zero,
    };
    let wait_for_end = |mut stream: Stream| while let Ok(1..) = stream.read(&mut [0; 99]) {};
    with_service(timeouts, wait_for_end, |client| {
        let error = client.call_raw("a.b.C", Raw::EMPTY_OBJECT).err();
        assert_eq!(error, Some(nullink::Error::Transport(IoError::TimedOut)));
    });
}

#[test]
fn l4_a_service_survives_clients_that_disconnect_at_any_byte() {
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
fn a_socket_of_std_can_be_converted_to_a_stream_and_back() {
    let (a, b) = UnixStream::pair().unwrap();
    // A stream waits even if its socket is non-blocking.
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
fn x7_an_invalid_address_is_not_taken_for_a_path() {
    for address in [
        "",
        "socket",
        "--follow",
        "tcp:localhost",
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
    // A path can contain a colon if it does not start like an address.
    let directory = Directory::new();
    let path = directory.path("unix:x");
    let _listener = Listener::bind(&path).expect("a path");
    assert!(std::path::Path::new(&path).exists());
}

#[test]
fn read_ready_is_true_if_a_read_would_not_block() {
    let (mut a, mut b) = Stream::pair().unwrap();
    assert_eq!(a.read_ready(), Ok(false));
    b.write(b"x").unwrap();
    assert_eq!(a.read_ready(), Ok(true));
    a.read(&mut [0; 9]).unwrap();
    assert_eq!(a.read_ready(), Ok(false));
    // The end of input can be read, too.
    drop(b);
    assert_eq!(a.read_ready(), Ok(true));
}

/// Makes a socket receive ancillary data: sets an option to 1, setsockopt(2).
fn set_option(socket: &impl AsFd, level: i32, option: i32) {
    unsafe extern "C" {
        fn setsockopt(socket: i32, level: i32, option: i32, value: *const i32, length: u32) -> i32;
    }
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel reads one int, and the pointer is to one.
    let result = unsafe { setsockopt(socket, level, option, &1, 4) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

const SOL_SOCKET: i32 = 1;
const SO_PASSCRED: i32 = 16;
const SO_TIMESTAMP: i32 = 29;
const SO_PASSSEC: i32 = 34;
const SO_TIMESTAMPNS: i32 = 35;
const SO_PASSPIDFD: i32 = 76;
const OPTIONS: [i32; 5] = [
    SO_PASSCRED,
    SO_TIMESTAMP,
    SO_PASSSEC,
    SO_TIMESTAMPNS,
    SO_PASSPIDFD,
];

/// True if this process has a pidfd of itself. A peer's pidfd is one, because the peer is this
/// process.
fn has_pidfd() -> bool {
    let own = format!("Pid:\t{}\n", std::process::id());
    fs::read_dir("/proc/self/fdinfo").unwrap().any(|entry| {
        let info = fs::read_to_string(entry.unwrap().path());
        info.is_ok_and(|info| info.contains(&own))
    })
}

/// Returns a stream that is made from a descriptor, after an option was set, and its peer.
fn adopted(option: Option<i32>) -> (Stream, Stream) {
    let (ours, theirs) = Stream::pair().unwrap();
    let ours = OwnedFd::from(ours);
    if let Some(option) = option {
        set_option(&ours, SOL_SOCKET, option);
    }
    (Stream::from(ours), theirs)
}

#[test]
fn x9_ancillary_data_does_not_end_a_connection_of_an_adopted_socket() {
    for option in OPTIONS {
        for (reading, length) in [Reading::All, Reading::Message]
            .into_iter()
            .flat_map(|reading| [1, 2, 9].map(|length| (reading, length)))
        {
            let (mut ours, mut theirs) = adopted(Some(option));
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
fn x9_ancillary_data_does_not_end_a_connection_of_an_adopted_listener() {
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    for option in OPTIONS {
        let name = format!("nullink-test-passed-{}-{option}", std::process::id());
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
        let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap();
        bind(&socket, &address).unwrap();
        listen(&socket, 9).unwrap();
        set_option(&socket, SOL_SOCKET, option);
        // One client connects before the listener is made from the descriptor.
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
fn x9_ancillary_data_does_not_end_a_tcp_connection() {
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
fn x1_descriptors_are_refused_by_an_adopted_socket() {
    // Sent with the first byte, with a later piece, and with a single byte before others.
    for pieces in [
        &[("hello", true)][..],
        &[("hello", false), ("again", true)],
        &[("h", true), ("ello", false)],
    ] {
        let (mut ours, theirs) = adopted(None);
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

#[test]
fn a1_a_listening_address_has_a_mode_and_nothing_else() {
    let directory = Directory::new();
    let mode = |path: &str| fs::metadata(path).expect(path).permissions().mode() & 0o777;
    for (property, wanted) in [
        (";mode=0600", 0o600),
        (";mode=666", 0o666),
        (";;mode=0640;", 0o640),
        (";mode=0600;mode=0604", 0o604),
        ("", 0o644),
        (";", 0o644),
    ] {
        let path = directory.path("socket");
        let address = format!("unix:{path}{property}");
        let listener = Listener::bind(&address).expect(&address);
        assert_eq!(mode(&path), wanted, "{address}");
        drop(listener);
        let explicit = Listener::bind_with(&address, 0o606).expect(&address);
        let wanted = if wanted == 0o644 { 0o606 } else { wanted };
        assert_eq!(mode(&path), wanted, "{address}");
        drop(explicit);
        // A client ignores all of them.
        let listener = Listener::bind(&path).expect(&path);
        Stream::connect(&format!("{address};other=1")).expect("connected");
        drop(listener);
        fs::remove_file(&path).expect("the socket");
    }
    let path = directory.path("refused");
    for (address, why) in [
        (format!("unix:{path};mode=0800"), AddressError::BadMode),
        (format!("unix:{path};mode=1777"), AddressError::BadMode),
        (format!("unix:{path};mode="), AddressError::BadMode),
        (format!("unix:{path};mode=-6"), AddressError::BadMode),
        (format!("unix:{path};mode=+6"), AddressError::BadMode),
        (
            format!("unix:{path};group=x"),
            AddressError::UnknownProperty,
        ),
        (
            format!("unix:{path};mode=0600;x"),
            AddressError::UnknownProperty,
        ),
        (
            "unix:@nullink-a1;mode=0600".into(),
            AddressError::UnknownProperty,
        ),
        (
            "tcp:127.0.0.1:0;mode=0600".into(),
            AddressError::UnknownProperty,
        ),
    ] {
        let error = Listener::bind(&address).err();
        assert_eq!(error, Some(IoError::Address(why)), "{address}");
    }
    assert!(!fs::exists(&path).expect("a directory"), "nothing was made");
    // A path can have any characters.
    let path = directory.path("a;mode=0600");
    drop(Listener::bind(&path).expect(&path));
    assert_eq!(mode(&path), 0o644);
}

#[test]
fn r5_a_service_that_closes_is_one_error() {
    let call = GetInterfaceDescription { interface: "a.b" };
    // Whether the service has read the call, a part of it or nothing, before or after it was sent.
    for (read, closes_first) in [(0, false), (5, false), (usize::MAX, false), (0, true)] {
        let (stream, service) = Stream::pair().expect("a pair");
        let mut service = Some(service);
        let (mut receive, mut send) = ([0; 256], [0; 256]);
        let mut client = Client::new(stream, &mut receive, &mut send);
        client.queue(&call, Mode::Simple).expect("room");
        if closes_first {
            service = None;
            assert_eq!(client.flush(), Err(nullink::Error::Closed));
        } else {
            client.flush().expect("sent");
        }
        if let Some(service) = &mut service {
            let mut buffer = [0; 256];
            let count = read.min(buffer.len());
            let _ = service.read(&mut buffer[..count]).expect("the call");
        }
        drop(service);
        let error = client.receive::<GetInterfaceDescription>().unwrap_err();
        let closed = CallError::Connection(nullink::Error::Closed);
        assert_eq!(error, closed, "{read} {closes_first}");
        let again = client.call(&call).unwrap_err();
        let unusable = nullink::Error::Misuse(Misuse::Unusable);
        assert_eq!(again, CallError::Connection(unusable));
    }
}
