//! A service with [`Service::SENSITIVE`] keeps no secret in its memory. The service is this program,
//! started again.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use nullink::server::{Limits, Server, Slots};
use nullink::service::{Answer, Info, Responder, Service};
use nullink::{Call, Interface, interface};
use serde::{Deserialize, Serialize};

const SAFE: Interface = interface!(text "
interface org.example.safe

method Keep(secret: string) -> (secret: string)

error No (secret: string)
");

#[derive(Deserialize)]
enum Methods<'a> {
    Keep { secret: &'a str },
}

#[derive(Serialize)]
struct Kept<'a> {
    secret: &'a str,
}

#[derive(Serialize)]
enum Error<'a> {
    No { secret: &'a str },
}

struct Safe<const SENSITIVE: bool>;

impl<const SENSITIVE: bool> Service for Safe<SENSITIVE> {
    const INTERFACES: &'static [Interface] = &[SAFE];
    const SENSITIVE: bool = SENSITIVE;

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        match call.decode()? {
            Methods::Keep { secret } if secret.ends_with('!') => reply.error(&Error::No { secret }),
            Methods::Keep { secret } => reply.send(&Kept { secret }),
        }
    }
}

/// The variables that make this test the service.
const SOCKET: &str = "NULLINK_SAFE_SOCKET";
const KEEPS: &str = "NULLINK_SAFE_KEEPS";

#[test]
fn the_service() {
    let Some(socket) = env::var_os(SOCKET) else {
        return;
    };
    let mut slots = Box::new(Slots::<4, 4096, 8192>::new());
    let mut server = Server::bind(socket.to_str().unwrap(), &mut slots).unwrap();
    server.set_clock(nullink::unix::monotonic);
    let message = Some(Duration::from_secs(2));
    server
        .set_limits(Limits {
            message,
            ..Limits::default()
        })
        .unwrap();
    if env::var_os(KEEPS).is_some() {
        server.serve(&mut Safe::<false>).unwrap();
    } else {
        server.serve(&mut Safe::<true>).unwrap();
    }
}

struct Running(Child, String);

impl Running {
    fn start(name: &str, keeps: bool) -> Self {
        let socket = env::temp_dir().join(format!("nullink-safe-{}-{name}", process::id()));
        let socket = socket.to_str().unwrap().to_owned();
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "sensitive::the_service"]);
        command.env(SOCKET, &socket).stdout(Stdio::null());
        if keeps {
            command.env(KEEPS, "");
        }
        let running = Running(command.spawn().unwrap(), socket);
        while UnixStream::connect(&running.1).is_err() {
            thread::yield_now();
        }
        running
    }

    fn connect(&self) -> BufReader<UnixStream> {
        BufReader::new(UnixStream::connect(&self.1).unwrap())
    }

    /// Makes a call on a new connection. Once it is answered, the service has finished all before.
    fn wait(&self) {
        for _ in 0..2 {
            exchange(
                &mut self.connect(),
                "{\"method\":\"org.varlink.service.GetInfo\"}\0",
            );
        }
    }

    /// True if the text is anywhere in the memory of the process.
    fn holds(&self, text: &str) -> bool {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.0.id())).unwrap();
        let mut memory = File::open(format!("/proc/{}/mem", self.0.id())).unwrap();
        maps.lines().any(|line| {
            let (range, rest) = line.split_once(' ').unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let number = |text| u64::from_str_radix(text, 16).unwrap();
            let (start, end) = (number(start), number(end));
            if !rest.starts_with("rw") || memory.seek(SeekFrom::Start(start)).is_err() {
                return false;
            }
            let mut content = vec![0; usize::try_from(end - start).unwrap()];
            let read = memory.read_exact(&mut content);
            let mut windows = content.windows(text.len());
            read.is_ok() && windows.any(|window| window == text.as_bytes())
        })
    }
}

impl Running {
    /// Waits until the process has finished with a text. No call comes in between, because the next
    /// use of the same buffers would erase it, too.
    fn forgets(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.holds(text) {
            assert!(Instant::now() < deadline, "{text} is still in memory");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = fs::remove_file(&self.1);
        let _ = fs::remove_file(format!("{}.lock", self.1));
    }
}

fn exchange(connection: &mut BufReader<UnixStream>, call: &str) -> String {
    connection.get_mut().write_all(call.as_bytes()).unwrap();
    let mut reply = Vec::new();
    connection.read_until(0, &mut reply).unwrap();
    String::from_utf8(reply).unwrap()
}

fn call(secret: &str) -> String {
    format!("{{\"method\":\"org.example.safe.Keep\",\"parameters\":{{\"secret\":\"{secret}\"}}}}\0")
}

#[test]
fn a_sensitive_service_keeps_no_secret_in_memory() {
    for keeps in [true, false] {
        let name = if keeps { "keeps" } else { "erases" };
        let service = Running::start(name, keeps);
        let secret = |what: &str| format!("{what}-{:x}-{}", process::id(), u8::from(keeps));
        let (answered, refused, invalid, malformed, begun, open) = (
            secret("answered"),
            secret("refused") + "!",
            secret("invalid"),
            secret("malformed"),
            secret("begun"),
            secret("open"),
        );
        // An answer, an error and a standard error, on a connection that stays.
        let mut connection = service.connect();
        assert!(exchange(&mut connection, &call(&answered)).contains(&answered));
        assert!(exchange(&mut connection, &call(&refused)).contains(&refused));
        let unknown = call("").replace("\"secret\"", &format!("\"{invalid}\""));
        assert!(exchange(&mut connection, &unknown).contains(&invalid));
        // A message that is not valid ends its connection, and bytes may follow.
        let mut bad = service.connect();
        let message = format!("{{\"no\":\"{malformed}\"}}\0{malformed}");
        bad.get_mut().write_all(message.as_bytes()).unwrap();
        let _ = bad.read_to_end(&mut Vec::new());
        if !keeps {
            service.forgets(&malformed);
        }
        // A call whose client goes in the middle of it, and one that is not complete.
        let mut gone = service.connect();
        let part = call(&begun);
        let part = &part.as_bytes()[..part.len() - 3];
        gone.get_mut().write_all(part).unwrap();
        drop(gone);
        let mut stays = service.connect();
        let part = call(&open);
        let part = &part.as_bytes()[..part.len() - 3];
        stays.get_mut().write_all(part).unwrap();
        service.wait();
        assert!(service.holds(&open), "the call is not complete");
        // Until it has timed out.
        if !keeps {
            let _ = stays.read_to_end(&mut Vec::new());
            service.forgets(&open);
        }
        let secrets = [&answered, &refused, &invalid, &malformed, &begun];
        let held = secrets.iter().filter(|secret| service.holds(secret));
        // Without erasing, some are still there, so the search would find one.
        assert_eq!(held.count() > 0, keeps);
    }
}

/// A client that does not read must not keep its calls in the memory of the service.
#[test]
fn a_sensitive_service_forgets_a_call_whose_answer_waits() {
    let service = Running::start("waits", false);
    let only_in_the_call = format!("waiting-{:x}", process::id());
    let filler = "x".repeat(3000);
    let call = call(&filler).replacen(
        '{',
        &format!("{{\"org.example.v\":\"{only_in_the_call}\","),
        1,
    );
    let mut silent = service.connect();
    silent.get_mut().set_nonblocking(true).unwrap();
    // One call at a time, until the service does not receive any more.
    loop {
        match silent.get_mut().write(call.as_bytes()) {
            Ok(count) if count == call.len() => service.wait(),
            _ => break,
        }
    }
    service.forgets(&only_in_the_call);
}
