//! What the first program of an initramfs does, beside what it is [asked](super::boot) for: it mounts
//! what every program needs, loads the modules that the kernel's command line names, serves, waits for
//! the processes that nobody else waits for, and never ends by itself.
//!
//! The command line: `nullink.module=PATH`, any number of times, and `nullink.device=PATH`, three times. (With a
//! dot in its name a parameter is none of the program's arguments, but `/proc/cmdline` has it.)

use core::str;
use core::time::Duration;

use heapless::Vec;
use nullink::Address;
use nullink::server::{self, Event, Limits, PollFlags, Server, Slots};
use nullink::unix::{self, Listener};
use rustix::event::{Timespec, poll};
use rustix::fs::sync;
use rustix::io::{Errno, read, retry_on_intr};
use rustix::process::{WaitOptions, wait};
use rustix::system::{RebootCommand, reboot};

use super::boot::{Boot, Cursor, Exit, Leave, Level, STATE, Started, System, Then};
use super::kernel::{self, Failure, MOUNTS, failure, mount_on};
use super::monitor::{self, REPLY, UEVENTS};

/// Where it listens.
pub const SOCKET: &str = "/run/org.example.boot";

/// The memory of the server.
pub type Room = Slots<8, 2048, REPLY>;

/// The number under which the server watches for children that have ended.
const CHILDREN: u32 = 1;

/// The number of the timer for the end, and how long it takes, in milliseconds: the reply to who has
/// asked for it is sent meanwhile, if it is read.
const END: u32 = 0;
const END_DELAY: u64 = 100;

/// How long to wait before what has failed is tried again.
const AGAIN: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// Runs as the first program.
pub fn run_first(system: System, room: &mut Room) -> ! {
    let mut boot = Boot::new(system, true);
    // Otherwise another program was the first, and has executed this one.
    let mut is_first = true;
    let mounted = MOUNTS.map(|(kind, target, flags, options)| {
        if kernel::is_mount_point(target) {
            is_first = false;
            return Ok(());
        }
        mount_on(kind, kind, target, flags, options)
    });
    kernel::keep_standard_descriptors();
    for result in mounted {
        report("a mount", result);
    }
    // Ctrl-Alt-Del does not restart the machine behind this program's back, but is a signal to it.
    let _ = reboot(RebootCommand::CadOff);
    let mut buffer = [0; 4096];
    let line = kernel::command_line(&mut buffer);
    for module in values(line, "nullink.module") {
        match boot.load(module, "") {
            // (It was in the initramfs.)
            Err(failed) if !is_first && failed.errno == Errno::NOENT => {}
            result => report(module, result),
        }
    }
    loop {
        let devices = values(line, "nullink.device").map(Address::Device);
        let addresses = [Address::Unix(SOCKET)].into_iter().chain(devices);
        if serve(&mut boot, addresses, room).is_err() {
            complain(&["can't serve: trying again"]);
        }
        match boot.leave() {
            Some(Leave::SwitchRoot { root, command }) => {
                let left = kernel::switch_root(&root).and_then(|()| {
                    let errno = (system.execute)(&command);
                    Err(failure("execve")(errno))
                });
                report("the switch of the root", left);
            }
            Some(Leave::PowerOff(then)) => {
                sync();
                let stopped = reboot(match then {
                    Then::PowerOff => RebootCommand::PowerOff,
                    Then::Reboot => RebootCommand::Restart,
                    Then::Halt => RebootCommand::Halt,
                });
                report("the end", stopped.map_err(failure("reboot")));
            }
            None => {}
        }
        let _ = poll(&mut [], Some(&AGAIN));
    }
}

/// Serves at an address, for trying it out: what only the first program can do is refused.
///
/// # Errors
///
/// What the system says.
pub fn run_at(address: Address<'_>, system: System, room: &mut Room) -> Result<(), unix::Error> {
    serve(&mut Boot::new(system, false), [address].into_iter(), room)
}

/// Serves, until it is to end.
fn serve<'a>(
    boot: &mut Boot,
    addresses: impl Iterator<Item = Address<'a>>,
    room: &mut Room,
) -> Result<(), unix::Error> {
    let mut listeners = Vec::<Listener, { server::LISTENERS }>::new();
    for address in addresses {
        match Listener::bind_to(address, Listener::OWNER) {
            Ok(listener) => {
                if listeners.push(listener).is_err() {
                    complain(&["too many devices: not at ", place(&address)]);
                }
            }
            Err(error) => {
                complain(&["can't listen at ", place(&address)]);
                if boot.is_first() {
                    continue;
                } else {
                    return Err(error);
                }
            }
        }
    }
    let first = listeners.pop().ok_or(Errno::ADDRNOTAVAIL)?;
    let mut server = Server::new(first, room);
    while let Some(listener) = listeners.pop() {
        // (There is a place.)
        let _ = server.listen(listener);
    }
    server.set_clock(boot.system().clock);
    server.set_limits(Limits {
        message: Some(Duration::from_secs(10)),
        write: Some(Duration::from_secs(30)),
        ..Limits::default()
    });
    // A kernel may be without either. What is left is served all the same.
    if monitor::watch(&mut server).is_err() {
        complain(&["no uevents"]);
    }
    match (boot.system().children)() {
        // (There is a place.)
        Ok(children) => _ = server.watch(children, PollFlags::IN, CHILDREN),
        Err(_) => complain(&["nobody is waited for"]),
    }
    // Who has ended before that has sent no signal that would be seen.
    reap(&mut server, boot);
    let mut is_leaving = false;
    loop {
        match server.step(boot)? {
            Event::Ready(UEVENTS) => monitor::forward(&mut server)?,
            Event::Ready(CHILDREN) => reap(&mut server, boot),
            Event::Timer(END) => return Ok(()),
            _ => {}
        }
        if boot.has_changed() {
            // (It is never too long.)
            let _ = server.publish(STATE, &boot.progress());
        }
        // (Once: what else changes must not put it off.)
        if boot.is_leaving() && !is_leaving {
            is_leaving = true;
            let _ = server.set_timer(END, Some(END_DELAY));
        }
    }
}

fn place<'a>(address: &Address<'a>) -> &'a str {
    match address {
        Address::Unix(path) | Address::Device(path) => path,
        _ => "an address",
    }
}

/// Waits for all that have ended, and tells who wants to know.
fn reap<const CONNECTIONS: usize>(server: &mut Server<'_, Cursor, CONNECTIONS>, boot: &mut Boot) {
    if let Some(signals) = server.watched(CHILDREN) {
        // What comes is of no use: several that end at once are one signal.
        while retry_on_intr(|| read(signals, &mut [0; 128])).is_ok_and(|count| count > 0) {}
    }
    while let Ok(Some((pid, status))) = retry_on_intr(|| wait(WaitOptions::NOHANG)) {
        let pid = pid.as_raw_pid();
        let Some(topic) = boot.ended(pid) else {
            continue;
        };
        let exit = Some(Exit {
            code: status.exit_status(),
            signal: status.terminating_signal(),
        });
        let _ = server.publish_last(topic, &Started { pid, exit });
    }
}

/// The values of a parameter.
fn values<'a>(line: &'a [u8], name: &str) -> impl Iterator<Item = &'a str> {
    line.split(u8::is_ascii_whitespace).filter_map(move |word| {
        let value = word.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        str::from_utf8(value).ok()
    })
}

/// Says in the kernel's log what has failed.
fn report(what: &str, result: Result<(), Failure>) {
    if let Err(Failure { call, .. }) = result {
        complain(&[what, ": the kernel refuses ", call]);
    }
}

fn complain(parts: &[&str]) {
    // (There is nowhere else to say it.)
    let _ = kernel::log(Level::Error as u8, parts);
}
