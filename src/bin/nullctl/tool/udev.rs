//! `udev`: what an initramfs needs of udevadm(8).

use core::ffi::CStr;

use nullink::Client;
use nullink::json::Raw;
use nullink::unix::{IoError, Stream};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{Access, Mode, OFlags, access, open};
use rustix::io::{Errno, retry_on_intr};

use super::connect::Connection;
use super::input::entries;
use super::output::{Failure, SystemError, fail, fail_at};
use super::route::timeouts;
use super::texts::{self, AddressText, concat};
use super::wait::{FOREVER, Timer};
use super::{Tool, service, text};

/// The socket of systemd-udevd, and the directory in which it tells that events are queued.
const SOCKET: &str = "/run/udev/io.systemd.Udev";
const DIRECTORY: &CStr = c"/run/udev";
const QUEUE: &CStr = c"/run/udev/queue";

pub fn udev(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let mut words = words.iter().copied().map(text);
    match (words.next(), words.next()) {
        (Some("ping"), address) => call(tool, address, service::PING),
        (Some("reload"), address) => call(tool, address, service::RELOAD),
        (Some("settle"), None) => settle(tool),
        (Some("trigger"), action) => trigger(tool, action.unwrap_or("change")),
        _ => Err(fail(format_args!(
            "usage: nullctl udev settle|trigger [ACTION]|reload [ADDRESS]|ping [ADDRESS]"
        ))),
    }
}

/// Calls a method of udevd, or of a service at another address.
fn call(tool: &mut Tool<'_>, address: Option<&str>, method: &str) -> Result<(), Failure> {
    let address = address.unwrap_or(SOCKET);
    let buffers = (&mut *tool.receive, &mut *tool.send);
    let mut service = Connection::new(tool.system, tool.options, address, buffers)?;
    service.ask(method, Raw::EMPTY_OBJECT).map(drop)
}

/// Waits until no event is queued: until udevd has removed the file that says so.
fn settle(tool: &mut Tool<'_>) -> Result<(), Failure> {
    let limit = tool.options.limit();
    let timer = Timer::new(limit.unwrap_or(FOREVER))?;
    // The file does not tell of events that udevd has not received yet. It receives them before it
    // answers a call.
    match Stream::connect_with(SOCKET, timeouts(limit)) {
        Ok(stream) => {
            let mut service = Connection {
                client: Client::new(stream, tool.receive, tool.send),
                address: SOCKET,
            };
            service.ask(service::PING, Raw::EMPTY_OBJECT)?;
        }
        Err(error @ IoError::TimedOut) => return Err(fail_at(SOCKET, &error)),
        // No udevd runs, or only root can call it.
        Err(_) => {}
    }
    let failed = |errno| fail_at(text(DIRECTORY), &SystemError(errno));
    let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
    let watch = inotify::init(flags).map_err(failed)?;
    match inotify::add_watch(
        &watch,
        DIRECTORY,
        WatchFlags::DELETE | WatchFlags::DELETE_SELF,
    ) {
        Ok(_) => {}
        // No udevd has run.
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(failed(errno)),
    }
    let mut expired = false;
    while access(QUEUE, Access::EXISTS).is_ok() {
        if expired {
            return Err(fail(format_args!(
                "events are still queued: see udevadm monitor, or use a longer --timeout="
            )));
        }
        let mut fds = [
            PollFd::new(&watch, PollFlags::IN),
            PollFd::new(&timer.0, PollFlags::IN),
        ];
        retry_on_intr(|| poll(&mut fds, None)).map_err(failed)?;
        let [_, timed] = fds;
        expired = !timed.revents().is_empty();
        // What was deleted does not matter.
        let _ = rustix::io::read(&watch, &mut [0; 1024]);
    }
    Ok(())
}

const ACTIONS: [&str; 8] = [
    "add", "bind", "change", "move", "offline", "online", "remove", "unbind",
];

/// Makes the kernel send an event for each device, or for each subsystem and driver.
fn trigger(tool: &mut Tool<'_>, action: &str) -> Result<(), Failure> {
    if !ACTIONS.contains(&action) {
        return Err(fail(format_args!(
            "{action} is not an action: use add, bind, change, move, offline, online, remove or unbind"
        )));
    }
    let mut denied = None;
    let mut send = |path: &str| -> Result<(), Failure> {
        if tool.options.dry_run {
            tool.out.print(format_args!("{path}\n"));
            return Ok(());
        }
        let mut file = AddressText::new();
        let file = texts::path(&mut file, &[path, "/uevent"]);
        let opened = open(file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
        let written = opened.and_then(|opened| rustix::io::write(opened, action.as_bytes()));
        // Other errors are of devices that are gone, or have no events.
        if let Err(errno @ (Errno::ACCESS | Errno::PERM | Errno::ROFS)) = written {
            denied = Some(errno);
        }
        Ok(())
    };
    if tool.options.subsystems {
        each("/sys/bus", &mut |bus| {
            send(bus)?;
            each_in(bus, "drivers", &mut send)
        })?;
        each("/sys/module", &mut send)?;
    } else {
        each("/sys/bus", &mut |bus| each_in(bus, "devices", &mut send))?;
        each("/sys/class", &mut |class| each(class, &mut send))?;
    }
    match denied {
        None => Ok(()),
        Some(errno) => Err(fail(format_args!("/sys: {}", SystemError(errno)))),
    }
}

/// Passes the path of each entry of a directory.
fn each(directory: &str, pass: &mut dyn FnMut(&str) -> Result<(), Failure>) -> Result<(), Failure> {
    entries(directory, &mut |name| {
        let mut path = AddressText::new();
        concat(&mut path, &[directory, "/", name]);
        pass(&path)
    })
}

/// Like `each`, for a directory within another.
fn each_in(
    directory: &str,
    name: &str,
    pass: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut path = AddressText::new();
    concat(&mut path, &[directory, "/", name]);
    each(&path, pass)
}
