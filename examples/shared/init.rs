//! The first program of an initramfs. It mounts the file systems that every program needs, loads
//! the modules that the kernel command line names, serves [`org.example.boot`](super::boot), reaps
//! all children and orphans, and ends only if a client asks for it.
//!
//! The kernel command line can have `nullink.module=PATH` any number of times, and
//! `nullink.device=PATH` up to three times. The kernel does not pass parameters with a dot in their
//! names as arguments to this program, so they are read from `/proc/cmdline`.

use core::str;
use core::time::Duration;

use heapless::Vec;
use nullink::Address;
use nullink::server::{Event, Interest, Limits, Server, Slots};
use nullink::unix::{self, Listener};
use rustix::event::{Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::fs::sync;
use rustix::io::{Errno, read, retry_on_intr};
use rustix::process::{WaitOptions, wait};
use rustix::system::{RebootCommand, reboot};

use super::boot::{Boot, CLIENTS, COPY, Cursor, Exit, Leave, Level, STATE, System, Then};
use super::kernel::{self, Failure, MOUNTS, failure, mount_on};
use super::monitor::{self, SEND, UEVENTS, Uevents};

/// The path of the listening socket.
pub const SOCKET: &str = "/run/org.example.boot";

/// The program's buffers, all zero at first.
pub struct Room {
    slots: Slots<CLIENTS, 2048, SEND>,
    uevents: Uevents,
}

impl Room {
    pub const fn new() -> Self {
        Room {
            slots: Slots::new(),
            uevents: Uevents::new(),
        }
    }
}

/// The number under which the server watches the signalfd for ended children.
const CHILDREN: u32 = 1;

/// The number of the timer for the end of this program.
const END: u32 = 0;

/// The time of that timer, in milliseconds. In this time the client that asked for the end can read
/// its reply.
const END_DELAY: u64 = 100;

/// The pause before serving again after a failure.
const AGAIN: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// Runs as the first program.
pub fn run_first(system: System, room: &mut Room) -> ! {
    let Room { slots, uevents } = room;
    let mut boot = Boot::new(system, true, uevents);
    // False if another program was started first, and has executed this one.
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
    // Ctrl-Alt-Del then sends a signal to this program, in place of an immediate restart.
    let _ = reboot(RebootCommand::CadOff);
    let mut buffer = [0; 4096];
    let line = kernel::command_line(&mut buffer);
    for module in values(line, "nullink.module") {
        match boot.load(module, "") {
            // The module was in the initramfs, which the earlier program has deleted.
            Err(failed) if !is_first && failed.errno == Errno::NOENT => {}
            result => report(module, result),
        }
    }
    loop {
        let devices = values(line, "nullink.device").map(Address::Device);
        let addresses = [Address::Unix(SOCKET)].into_iter().chain(devices);
        if serve(&mut boot, addresses, slots).is_err() {
            complain(&["can't serve, trying again"]);
        }
        boot.disconnect();
        match boot.leave() {
            Some(Leave::SwitchRoot { root, command }) => {
                let left = kernel::switch_root(&root).and_then(|()| {
                    let errno = (system.execute)(&command);
                    Err(failure("execve")(errno))
                });
                report("switching root", left);
            }
            Some(Leave::PowerOff(then)) => {
                sync();
                let stopped = reboot(match then {
                    Then::PowerOff => RebootCommand::PowerOff,
                    Then::Reboot => RebootCommand::Restart,
                    Then::Halt => RebootCommand::Halt,
                });
                report("powering off", stopped.map_err(failure("reboot")));
            }
            None => {}
        }
        let _ = poll(&mut [], Some(&AGAIN));
    }
}

/// Serves at an address without being the first program. Calls that need the first program fail.
///
/// # Errors
///
/// Fails if a system call fails.
pub fn run_at(address: Address<'_>, system: System, room: &mut Room) -> Result<(), unix::IoError> {
    let Room { slots, uevents } = room;
    let mut boot = Boot::new(system, false, uevents);
    serve(&mut boot, [address].into_iter(), slots)
}

/// Serves until a client asks this program to end.
fn serve<'a>(
    boot: &mut Boot<'_>,
    addresses: impl Iterator<Item = Address<'a>>,
    slots: &mut Slots<CLIENTS, 2048, SEND>,
) -> Result<(), unix::IoError> {
    let mut listeners = Vec::<Listener, { Limits::MAX_LISTENERS }>::new();
    for address in addresses {
        match Listener::bind_to(address, Listener::OWNER) {
            Ok(listener) => {
                if listeners.push(listener).is_err() {
                    complain(&["too many devices, skipping ", path(&address)]);
                }
            }
            Err(error) => {
                complain(&["can't listen at ", path(&address)]);
                // The first program serves at the other addresses.
                if !boot.is_first() {
                    return Err(error);
                }
            }
        }
    }
    let none = unix::IoError::from_raw_os_error(Errno::ADDRNOTAVAIL.raw_os_error());
    let first = listeners.pop().ok_or(none)?;
    let mut server = Server::new(first, slots)?;
    while let Some(listener) = listeners.pop() {
        server.listen(listener)?;
    }
    server.set_clock(boot.system().clock);
    server.set_limits(Limits {
        message: Some(Duration::from_secs(10)),
        write: Some(Duration::from_secs(30)),
        ..Limits::default()
    })?;
    // A kernel may lack netlink or signalfd. The rest is served without it.
    let mut socket = watch(&mut server, monitor::open_socket(), UEVENTS);
    if socket.is_none() {
        complain(&["can't receive uevents"]);
    }
    let signals = watch(&mut server, (boot.system().children)(), CHILDREN);
    if signals.is_none() {
        complain(&["can't wait for children"]);
    }
    // The signals of children that ended before this point were not seen.
    reap(&mut server, boot);
    let mut is_leaving = false;
    loop {
        let event = if boot.is_copying() {
            server.try_step(boot)?
        } else {
            Some(server.step(boot)?)
        };
        if boot.copy_pieces() {
            server.wake(COPY);
        }
        match event {
            Some(Event::Ready(UEVENTS)) => {
                if let Some(socket) = &mut socket {
                    monitor::receive(&mut server, boot.uevents(), socket);
                }
            }
            Some(Event::Ready(CHILDREN)) => {
                if let Some(signals) = &signals {
                    // Several ended children may be one signal. Its content is not needed.
                    while retry_on_intr(|| read(signals, &mut [0; 128])).is_ok_and(|n| n > 0) {}
                }
                reap(&mut server, boot);
            }
            Some(Event::Timer(END)) => return Ok(()),
            _ => {}
        }
        // The timer is set only once, so that further calls do not postpone the end.
        if boot.is_leaving() && !is_leaving {
            is_leaving = true;
            // This cannot fail: there are no other timers.
            let _ = server.set_timer(END, Some(END_DELAY));
        }
    }
}

/// Has the server watch a descriptor. Returns None if there is none, or it cannot be watched.
fn watch(
    server: &mut Server<'_, Cursor, CLIENTS>,
    descriptor: Result<OwnedFd, Errno>,
    number: u32,
) -> Option<OwnedFd> {
    let descriptor = descriptor.ok()?;
    let watched = server.watch(&descriptor, Interest::Readable, number);
    watched.is_ok().then_some(descriptor)
}

fn path<'a>(address: &Address<'a>) -> &'a str {
    match address {
        Address::Unix(path) | Address::Device(path) => path,
        _ => "an address",
    }
}

/// Reaps all ended children, and wakes the calls that wait for their end or for a change of state.
fn reap(server: &mut Server<'_, Cursor, CLIENTS>, boot: &mut Boot<'_>) {
    while let Ok(Some((pid, status))) = retry_on_intr(|| wait(WaitOptions::NOHANG)) {
        let exit = Exit {
            code: status.exit_status(),
            signal: status.terminating_signal(),
        };
        if let Some(topic) = boot.ended(pid.as_raw_pid(), exit) {
            server.wake(topic);
        }
        server.wake(STATE);
    }
}

/// Returns the values of a parameter in the kernel command line.
fn values<'a>(line: &'a [u8], name: &str) -> impl Iterator<Item = &'a str> {
    line.split(u8::is_ascii_whitespace).filter_map(move |word| {
        let value = word.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        str::from_utf8(value).ok()
    })
}

/// Writes a failure to the kernel's log.
fn report(what: &str, result: Result<(), Failure>) {
    if let Err(Failure { call, .. }) = result {
        complain(&[what, ": ", call, " failed"]);
    }
}

fn complain(parts: &[&str]) {
    // There is no other place to report an error.
    let _ = kernel::log(Level::Error as u8, parts);
}
