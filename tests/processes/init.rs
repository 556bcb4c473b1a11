//! The example for the first process of an initramfs, as far as it works as an ordinary process.
//! `tests/boot/run.sh` boots it.
#![cfg(all(feature = "unix", target_os = "linux"))]

use crate::example;
use crate::shared::{boot, monitor};

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use boot::{
    Boot, Copy, Cursor, Error, Exit, GetState, LoadModule, Phase, PowerOff, RUNNING, Report, Start,
    Started, SwitchRoot, System,
};
use example::example;
use monitor::Uevents;
use nullink::client::CallError;
use nullink::server::{Event, Server, Slots};
use nullink::unix::{self, Stream, Timeouts};
use nullink::{Address, Client, Mode};
use rustix::fs::{CWD, FileType, mknodat};
use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};

/// A running example in its own directory.
struct Running {
    directory: PathBuf,
    child: Child,
}

impl Running {
    fn start(name: &str) -> Option<Self> {
        let directory = std::env::temp_dir().join(format!("nullink-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let address = format!("unix:{}/boot", directory.display());
        let child = example("init")?.args(["--serve", &address]).spawn();
        let child = child.unwrap();
        Some(Running { directory, child })
    }

    fn connect(&self) -> Client<'static, Stream> {
        let end = Instant::now() + Duration::from_secs(60);
        let path = self.directory.join("boot");
        let address = Address::Unix(path.to_str().unwrap());
        let reply = Some(Duration::from_secs(60));
        let timeouts = Timeouts {
            reply,
            ..Timeouts::default()
        };
        let stream = loop {
            match Stream::connect_to(address, timeouts) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
        };
        Client::new(stream, vec![0; 8192].leak(), vec![0; 8192].leak())
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Returns the system call that was refused, and its errno.
fn refusal<T: std::fmt::Debug>(
    result: Result<T, CallError<'_, Error<'_>, unix::IoError>>,
) -> (String, i32) {
    match result {
        Err(CallError::Method(Error::Refused { call, errno })) => (call.to_owned(), errno),
        other => panic!("{other:?}"),
    }
}

fn mkfifo(path: &str) {
    mknodat(CWD, path, FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
}

const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const EINVAL: i32 = 22;

#[cfg(feature = "tools")]
#[test]
fn the_types_match_the_definition() {
    nullink::tools::contract(&boot::INTERFACE, |types| {
        types
            .methods::<boot::Methods>()
            .errors::<Error>()
            .call::<GetState>()
            .call::<Report>()
            .call::<boot::Log>()
            .call::<LoadModule>()
            .call::<boot::Mount>()
            .call::<boot::Unmount>()
            .call::<Copy>()
            .call::<Start>()
            .call::<SwitchRoot>()
            .call::<PowerOff>()
    })
    .unwrap();
}

#[test]
fn a_watcher_receives_each_change_of_state() {
    let Some(running) = Running::start("watch") else {
        return;
    };
    let (mut watcher, mut client) = (running.connect(), running.connect());
    let mut states = watcher.more(&GetState).unwrap();
    let first = states.next().unwrap().expect("a state");
    assert_eq!(
        (first.state.phase, first.state.status),
        (Phase::Serving, None)
    );
    for status in [Some("looks for the root"), Some(""), None] {
        client.call(&Report { status }).unwrap();
        let progress = states.next().unwrap().expect("a state");
        assert_eq!(progress.state.status, status);
    }
    let too_long = "x".repeat(65);
    let status = Some(too_long.as_str());
    assert!(client.call(&Report { status }).is_err());
}

#[test]
fn programs_are_started_and_their_exit_is_reported() {
    let Some(running) = Running::start("start") else {
        return;
    };
    let mut client = running.connect();
    let script = |script| {
        let arguments = heapless::Vec::from_slice(&["-c", script]).unwrap();
        Start {
            path: "/bin/sh",
            arguments: Some(arguments),
        }
    };
    for (text, code, signal) in [
        ("exit 3", Some(3), None),
        ("kill -9 $$", None, Some(9)),
        ("exit 0", Some(0), None),
    ] {
        let call = script(text);
        let mut replies = client.more(&call).unwrap();
        let started = replies.next().unwrap().expect("a reply");
        assert_eq!(started.exit, None);
        let ended = replies.next().unwrap().expect("a reply");
        assert_eq!(ended.exit, Some(Exit { code, signal }));
        assert_eq!(ended.pid, started.pid);
        assert!(replies.next().unwrap().is_none());
    }
    // Without "more" there is one reply, when it has started.
    assert_eq!(client.call(&script("exit 1")).unwrap().exit, None);
    let nothing = Start {
        path: "/nowhere",
        arguments: None,
    };
    let refused = refusal(client.call(&nothing));
    assert_eq!(refused, ("execve".to_owned(), ENOENT));
    // The exit of that program is not counted as an orphan's.
    while client.call(&GetState).unwrap().state.running > 0 {}
    assert_eq!(client.call(&GetState).unwrap().state.orphans, 0);
}

/// A system that starts no programs, and only returns new pids.
const NOTHING_RUNS: System = System {
    clock: || 0,
    children: || Err(Errno::NOSYS),
    start: |_| {
        static PIDS: AtomicI32 = AtomicI32::new(1);
        Ok(PIDS.fetch_add(1, Ordering::Relaxed))
    },
    execute: |_| Errno::NOSYS,
};

#[test]
fn l5_a_client_that_disconnects_frees_the_entry_of_its_program() {
    let mut uevents = Box::new(Uevents::new());
    let mut boot = Boot::new(NOTHING_RUNS, false, &mut uevents);
    let mut slots = Box::new(Slots::<1, 1024, 2048>::new());
    let (first, theirs) = Stream::pair().unwrap();
    let mut server = Server::new(theirs, &mut slots).unwrap();
    let run = |boot: &mut Boot<'_>, server: &mut Server<'_, Cursor, 1>| {
        while server
            .try_step(boot)
            .unwrap()
            .is_some_and(|event| !matches!(event, Event::Idle))
        {}
    };
    // A program that another test is starting has a copy of each descriptor until its execve(2), so
    // closing the client's descriptor would not end the connection at once.
    let hang_up = |client: Client<'_, Stream>| {
        shutdown(client.into_parts().0, Shutdown::Both).unwrap();
    };
    shutdown(first, Shutdown::Both).unwrap();
    // The client disconnects before the program ends, after its end, after the client's call is
    // woken, or after the client has received the exit.
    for round in 0..4 * RUNNING {
        run(&mut boot, &mut server);
        let (ours, theirs) = Stream::pair().unwrap();
        server.adopt(theirs).unwrap();
        let (mut receive, mut send) = ([0; 1024], [0; 1024]);
        let mut client = Client::new(ours, &mut receive, &mut send);
        let start = Start {
            path: "/bin/true",
            arguments: None,
        };
        client.queue(&start, Mode::More).unwrap();
        client.flush().unwrap();
        run(&mut boot, &mut server);
        let started = client
            .receive_raw()
            .unwrap()
            .into_result::<Start>()
            .unwrap();
        assert_eq!(started.exit, None);
        let exit = Exit {
            code: Some(round as i32),
            signal: None,
        };
        if round % 4 == 0 {
            hang_up(client);
            run(&mut boot, &mut server);
            assert_eq!(boot.ended(started.pid, exit), None);
        } else {
            let topic = boot.ended(started.pid, exit).expect("a client waits");
            match round % 4 {
                1 => hang_up(client),
                2 => {
                    server.wake(topic);
                    hang_up(client);
                }
                _ => {
                    server.wake(topic);
                    run(&mut boot, &mut server);
                    let ended = client
                        .receive_raw()
                        .unwrap()
                        .into_result::<Start>()
                        .unwrap();
                    let pid = started.pid;
                    assert_eq!(
                        ended,
                        Started {
                            pid,
                            exit: Some(exit)
                        }
                    );
                    hang_up(client);
                }
            }
        }
    }
}

#[test]
fn a_copy_is_complete_with_its_mode_or_does_not_exist() {
    let Some(running) = Running::start("copy") else {
        return;
    };
    let mut client = running.connect();
    let (from, to) = (running.path("from"), running.path("to"));
    let (fifo, part) = (running.path("fifo"), running.path("to.part0"));
    mkfifo(&fifo);
    // More than one piece.
    let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&from, &content).unwrap();
    let (from, to) = (&from[..], &to[..]);
    // The set-user-ID bit is dropped: the copy belongs to root, so the program would run as root.
    for mode in [0o751, 0o4751, 0o2751, 0o1751] {
        fs::set_permissions(from, PermissionsExt::from_mode(mode)).unwrap();
        client.call(&Copy { from, to }).unwrap();
        assert_eq!(fs::read(to).unwrap(), content);
        let copied = fs::metadata(to).unwrap().permissions().mode() & 0o7777;
        assert_eq!(copied, 0o751, "{mode:o}");
    }
    // A read of anything but a regular file might never end.
    for from in [running.directory.to_str().unwrap(), "/dev/zero", &fifo] {
        let refused = refusal(client.call(&Copy { from, to }));
        assert_eq!(refused, ("open".to_owned(), EINVAL), "{from}");
    }
    // A FIFO at the temporary path, left by an earlier attempt, must not block the copy.
    fs::remove_file(&part).unwrap_or_default();
    mkfifo(&part);
    let from = "/etc/passwd";
    client.call(&Copy { from, to }).unwrap();
    assert_eq!(fs::read(to).unwrap(), fs::read(from).unwrap());
    let content = fs::read(to).unwrap();
    assert!(!Path::new(&part).exists());
    // A path with a NUL in it is refused, not cut off at the NUL.
    let from = "/etc/passwd\0.old";
    assert_eq!(refusal(client.call(&Copy { from, to })).0, "open");
    let from = "/nowhere";
    let refused = refusal(client.call(&Copy { from, to }));
    assert_eq!(refused, ("open".to_owned(), ENOENT));
    // A refused copy leaves the target unchanged.
    assert_eq!(fs::read(to).unwrap(), content);
    assert!(!Path::new(&part).exists());
}

#[test]
fn a_long_copy_does_not_stop_other_clients_and_ends_with_its_own() {
    let Some(running) = Running::start("long") else {
        return;
    };
    let (mut copying, mut other) = (running.connect(), running.connect());
    let (from, to) = (running.path("from"), running.path("to"));
    // Its content is a hole. It takes seconds to copy, and the calls below take milliseconds.
    let file = fs::File::create(&from).unwrap();
    file.set_len(2 << 30).unwrap();
    let (from, to) = (&from[..], &to[..]);
    copying.queue(&Copy { from, to }, Mode::Simple).unwrap();
    copying.flush().unwrap();
    let parts = || {
        let entries = fs::read_dir(&running.directory).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(".part")).count()
    };
    while parts() == 0 {}
    // A second copy to the same path runs at the same time, and is complete first.
    fs::write(running.path("short"), "short").unwrap();
    let short = &running.path("short")[..];
    other.call(&Copy { from: short, to }).unwrap();
    for _ in 0..10 {
        other.call(&GetState).unwrap();
    }
    assert_eq!(parts(), 1, "the long copy should still run");
    assert_eq!(fs::read(to).unwrap(), b"short");
    shutdown(copying.into_parts().0, Shutdown::Both).unwrap();
    while parts() > 0 {
        other.call(&GetState).unwrap();
    }
    assert_eq!(fs::read(to).unwrap(), b"short");
    // Without a client that waits, a copy is not abandoned.
    let oneway = &running.path("oneway")[..];
    other
        .oneway(&Copy {
            from: short,
            to: oneway,
        })
        .unwrap();
    other.call(&GetState).unwrap();
    while !Path::new(oneway).exists() {}
    assert_eq!(fs::read(oneway).unwrap(), b"short");
    assert_eq!(parts(), 0);
}

#[test]
fn operations_of_the_first_process_are_refused_to_other_processes() {
    let Some(running) = Running::start("first") else {
        return;
    };
    let mut client = running.connect();
    let refused = refusal(client.call(&PowerOff { then: None }));
    assert_eq!(refused, ("reboot".to_owned(), EPERM));
    let switch = SwitchRoot {
        root: "/proc",
        path: "/bin/sh",
        arguments: None,
    };
    assert_eq!(refusal(client.call(&switch)).1, EPERM);
    let module = LoadModule {
        path: "/nowhere.ko",
        parameters: None,
    };
    let refused = refusal(client.call(&module));
    assert_eq!(refused, ("open".to_owned(), ENOENT));
    assert_eq!(client.call(&GetState).unwrap().state.phase, Phase::Serving);
}
