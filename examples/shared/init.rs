//! What the first program of an initramfs does, beside what it is [asked](super::boot) for: it mounts
//! what every program needs, loads the modules that the kernel's command line names, serves, waits for
//! the processes that nobody else waits for, and never ends by itself.
//!
//! The command line: `nullink.module=PATH` and `nullink.device=PATH`, any number of times. (With a
//! dot in its name a parameter is none of the program's arguments, but `/proc/cmdline` has it.)

use core::ffi::CStr;
use core::mem::{self, MaybeUninit};
use core::str;
use core::time::Duration;

use heapless::Vec;
use nullink::Address;
use nullink::server::{self, Event, Limits, PollFlags, Server, Slots};
use nullink::unix::{self, Listener};
use rustix::event::{Timespec, poll};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{
    AtFlags, Mode, OFlags, RawDir, fstat, mkdir, open, openat, statfs, sync, unlinkat,
};
use rustix::io::{Errno, read, retry_on_intr};
use rustix::mount::{MountFlags, mount_move};
use rustix::process::{WaitOptions, chdir, chroot, wait};
use rustix::system::{RebootCommand, reboot};

use super::boot::{
    Boot, Cursor, Exit, Failure, Leave, Level, STATE, Started, System, Text, Then, failure, log,
    mount_all,
};
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

/// What has to be there for all programs: what, where, and how it is mounted.
const MOUNTS: [(&CStr, &CStr, MountFlags, &CStr); 4] = [
    (c"devtmpfs", c"/dev", MountFlags::NOSUID, c"mode=0755"),
    (c"proc", c"/proc", NOTHING_RUNS, c""),
    (c"sysfs", c"/sys", NOTHING_RUNS, c""),
    (c"tmpfs", c"/run", NOTHING_RUNS, c"mode=0755"),
];

const NOTHING_RUNS: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);

/// Runs as the first program.
pub fn run_first(system: System, room: &mut Room) -> ! {
    let mut boot = Boot::new(system, true);
    let mounted =
        MOUNTS.map(|(kind, target, flags, options)| mount_all(kind, kind, target, flags, options));
    keep_standard_descriptors();
    // Otherwise another program like this was the first, and has executed this one.
    let mut is_first = true;
    for result in mounted {
        match result {
            Err(failed) if failed.errno == Errno::BUSY => is_first = false,
            result => report("a mount", result),
        }
    }
    let mut buffer = [0; 4096];
    let line = command_line(&mut buffer);
    for module in values(line, "nullink.module").filter(|_| is_first) {
        report(module, boot.load(module, ""));
    }
    loop {
        let devices = values(line, "nullink.device").map(Address::Device);
        let addresses = [Address::Unix(SOCKET)].into_iter().chain(devices);
        if serve(&mut boot, addresses, room).is_err() {
            let _ = log(Level::Error, &["can't serve: trying again"]);
        }
        match boot.leave() {
            Some(Leave::SwitchRoot { root, command }) => {
                report("the other root", switch_root(&root));
                let errno = (system.execute)(&command);
                report("the other program", Err(failure("execve")(errno)));
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
            // (More than there can be are left out.)
            Ok(listener) => _ = listeners.push(listener),
            Err(error) => {
                let _ = log(Level::Error, &["can't listen at ", place(&address)]);
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
    for listener in listeners {
        // (There is a place.)
        let _ = server.listen(listener);
    }
    server.set_clock(boot.system().clock);
    server.set_limits(Limits {
        message: Some(Duration::from_secs(10)),
        write: Some(Duration::from_secs(30)),
        ..Limits::default()
    });
    monitor::watch(&mut server)?;
    let children = (boot.system().children)()?;
    let _ = server.watch(children, PollFlags::IN, CHILDREN);
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
            let wait = boot.is_leaving().then_some(END_DELAY);
            let _ = server.set_timer(END, wait);
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

/// Sees to it that descriptors 0, 1 and 2 are taken: what is written to standard error shall not
/// go into a connection.
fn keep_standard_descriptors() {
    while let Ok(null) = open(c"/dev/null", OFlags::RDWR, Mode::empty()) {
        if null.as_raw_fd() > 2 {
            break;
        }
        mem::forget(null);
    }
}

/// What the kernel was started with: proc_cmdline(5). Nothing, if that can't be known.
fn command_line(buffer: &mut [u8]) -> &[u8] {
    let file = open(
        c"/proc/cmdline",
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let count = file.and_then(|file| retry_on_intr(|| read(&file, &mut *buffer)));
    buffer.get(..count.unwrap_or(0)).unwrap_or_default()
}

/// The values of a parameter.
fn values<'a>(line: &'a [u8], name: &str) -> impl Iterator<Item = &'a str> {
    line.split(u8::is_ascii_whitespace).filter_map(move |word| {
        let value = word.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        str::from_utf8(value).ok()
    })
}

/// Makes another directory, where something is mounted, the root: what is mounted on this one's
/// directories goes there, and what else is in it is deleted.
fn switch_root(root: &Text) -> Result<(), Failure> {
    let root = root.as_c_str();
    for (_, from, _, _) in MOUNTS {
        let (Ok(into), Ok(name)) = (root.to_str(), from.to_str()) else {
            continue;
        };
        let to = Text::new(&[into, name]).map_err(failure("mount"))?;
        let _ = mkdir(to.as_c_str(), Mode::from_raw_mode(0o755));
        match mount_move(from, to.as_c_str()) {
            // (Nothing is mounted here.)
            Ok(()) | Err(Errno::INVAL) => {}
            Err(errno) => return Err(failure("mount")(errno)),
        }
    }
    chdir(root).map_err(failure("chdir"))?;
    delete_initramfs();
    mount_move(c".", c"/").map_err(failure("mount"))?;
    chroot(c".").map_err(failure("chroot"))?;
    chdir(c"/").map_err(failure("chdir"))
}

/// Deletes what is in the root, if that is in memory: nobody can get at it any more.
fn delete_initramfs() {
    /// `RAMFS_MAGIC` and `TMPFS_MAGIC`: statfs(2).
    const IN_MEMORY: [u32; 2] = [0x8584_58f6, 0x0102_1994];
    let is_in_memory = statfs(c"/").is_ok_and(|stat| IN_MEMORY.contains(&(stat.f_type as u32)));
    let Ok(directory) = open(c"/", DIRECTORY, Mode::empty()) else {
        return;
    };
    if let (true, Ok(stat)) = (is_in_memory, fstat(&directory)) {
        delete_all(&directory, stat.st_dev, 16);
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Deletes what is in a directory, and so on as deep as that, but nothing on other file systems.
fn delete_all(directory: &OwnedFd, device: u64, depth: u8) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    let mut buffer = [MaybeUninit::uninit(); 1024];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        if [c".", c".."].contains(&name) || unlinkat(directory, name, AtFlags::empty()).is_ok() {
            continue;
        }
        // A directory; or something is mounted there.
        if let Ok(inner) = openat(directory, name, DIRECTORY, Mode::empty())
            && fstat(&inner).is_ok_and(|stat| stat.st_dev == device)
        {
            delete_all(&inner, device, depth);
            let _ = unlinkat(directory, name, AtFlags::REMOVEDIR);
        }
    }
}

/// Says in the kernel's log what has failed.
fn report(what: &str, result: Result<(), Failure>) {
    if let Err(Failure { call, .. }) = result {
        let _ = log(Level::Error, &[what, ": the kernel refuses ", call]);
    }
}
