//! The first program of an initramfs: serves `org.example.boot` and the kernel's uevents on a Unix
//! socket, and on the devices that the kernel command line names (`nullink.device=/dev/hvc0`).
//! /init must be a static program: `tests/freestanding` builds it without libc, and
//! `tests/boot/run.sh` boots it.
//!
//! It can be tried without a virtual machine. It then refuses calls that need the first program:
//!
//! ```sh
//! cargo run --example init -- --serve unix:/tmp/boot
//! cargo run --example init -- unix:/tmp/boot state
//! cargo run --example init -- unix:/tmp/boot start /bin/sleep 1
//! ```
//!
//! To call it in a virtual machine, connect to the socket that QEMU joins to its device:
//!
//! ```sh
//! cargo run --example init -- --line unix:/tmp/hvc0 watch
//! ```

#[path = "shared/boot.rs"]
mod boot;
#[path = "shared/init.rs"]
mod init;
#[path = "shared/kernel.rs"]
mod kernel;
#[path = "shared/monitor.rs"]
#[allow(dead_code)] // `Monitor` and `serve` are unused here
mod monitor;
#[path = "shared/output.rs"]
#[allow(dead_code)] // only `say` is used here
mod output;
#[path = "shared/process.rs"]
#[allow(dead_code)] // the part for activated services is unused here
mod process;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::Mutex;

use boot::{
    Copy, Exit, GetState, LoadModule, Log, Mount, PowerOff, Report, Start, Started, State,
    SwitchRoot, System, Then, Unmount,
};
use init::Room;
use nullink::Method;
use nullink::client::{CallError, CallFailure};
use nullink::service::GetInfo;
use nullink::unix::{self, IoError, Stream};
use nullink::{Address, Client};
use output::{complain, say};
use rustix::io::Errno;

/// The program's buffers. They are zero at first, so unused pages take no memory.
static ROOM: Mutex<Room> = Mutex::new(Room::new());

const SYSTEM: System = System {
    clock: unix::monotonic,
    children: || process::children().map_err(|error| errno(&error)),
    start: |wanted| match command(wanted).process_group(0).spawn() {
        Ok(child) => Ok(child.id().cast_signed()),
        Err(error) => Err(errno(&error)),
    },
    execute: |wanted| errno(&command(wanted).exec()),
};

fn command(wanted: &kernel::Command) -> Command {
    let mut strings = wanted
        .strings()
        .map(|text| OsStr::from_bytes(text.to_bytes()));
    let mut command = Command::new(strings.next().unwrap_or_default());
    // An empty environment, as in the program without libc.
    command.args(strings).env_clear();
    command
}

fn errno(error: &io::Error) -> Errno {
    let number = error.raw_os_error();
    number.map_or(Errno::INVAL, Errno::from_raw_os_error)
}

const USAGE: &str = "\
usage: init                             as the first program
       init --serve ADDRESS             to try it out
       init [--line] ADDRESS info|state|watch
       init [--line] ADDRESS report STATUS
       init [--line] ADDRESS log MESSAGE
       init [--line] ADDRESS load MODULE [PARAMETERS]
       init [--line] ADDRESS mount TYPE TARGET [SOURCE [OPTIONS]]
       init [--line] ADDRESS unmount TARGET
       init [--line] ADDRESS copy FROM TO
       init [--line] ADDRESS start PROGRAM [ARGUMENT..]
       init [--line] ADDRESS switch-root ROOT PROGRAM [ARGUMENT..]
       init [--line] ADDRESS uevents [SUBSYSTEM]
       init [--line] ADDRESS power-off|reboot|halt";

fn main() -> ExitCode {
    if std::process::id() == 1 {
        init::run_first(SYSTEM, &mut ROOM.lock().expect("this is the only thread"));
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(|argument| &argument[..]).collect();
    let result = match &arguments[..] {
        ["--serve", address] => serve(address),
        ["--line", address, command @ ..] => call(address, true, command),
        [address, command @ ..] => call(address, false, command),
        [] => Err(USAGE.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("init: {error}"));
            ExitCode::FAILURE
        }
    }
}

type Failed = Box<dyn std::error::Error>;

fn serve(address: &str) -> Result<(), Failed> {
    let mut room = ROOM.lock().expect("this is the only thread");
    let served = match Address::parse(address) {
        Ok(address) => init::run_at(address, SYSTEM, &mut room),
        Err(error) => Err(IoError::Address(error)),
    };
    served.map_err(|error| format!("{address}: {error}").into())
}

/// Makes a call as a client. With `line`, the address is a socket that is joined to a device.
fn call(address: &str, line: bool, command: &[&str]) -> Result<(), Failed> {
    let (mut receive, mut send) = ([0; monitor::REPLY], [0; 2048]);
    let client = Client::connect(address, &mut receive, &mut send);
    let client = &mut client.map_err(|error| format!("{address}: {error}"))?;
    if line || matches!(Address::parse(address), Ok(Address::Device(_))) {
        // The previous client may have left half a message, or replies that it did not read.
        let nonce = format!("org.example.n{}x{}", std::process::id(), unix::monotonic());
        client.synchronize(&nonce)?;
    }
    match *command {
        ["info"] => {
            let info = client.call(&GetInfo).map_err(CallError::forget)?;
            say!("{}", info.raw().as_str());
        }
        ["state"] => show(&client.call(&GetState).map_err(CallError::forget)?),
        ["watch"] => {
            let mut states = client.more(&GetState).map_err(CallError::forget)?;
            while let Some(progress) = states.next().map_err(CallError::forget)? {
                show(&progress);
            }
        }
        ["report", status] => perform(
            client,
            &Report {
                status: Some(status),
            },
        )?,
        ["log", message] => perform(
            client,
            &Log {
                message,
                level: None,
            },
        )?,
        ["load", path, ref parameters @ ..] => {
            let parameters = parameters.first().copied();
            perform(client, &LoadModule { path, parameters })?;
        }
        ["mount", kind, target, ref more @ ..] => {
            let (source, options) = (more.first().copied(), more.get(1).copied());
            let read_only = None;
            perform(
                client,
                &Mount {
                    kind,
                    target,
                    source,
                    options,
                    read_only,
                },
            )?;
        }
        ["unmount", target] => perform(client, &Unmount { target })?,
        ["copy", from, to] => perform(client, &Copy { from, to })?,
        ["start", path, ref arguments @ ..] => start(client, path, arguments)?,
        ["switch-root", root, path, ref arguments @ ..] => {
            let arguments = Some(heapless::Vec::from_slice(arguments)?);
            perform(
                client,
                &SwitchRoot {
                    root,
                    path,
                    arguments,
                },
            )?;
        }
        ["uevents", ref subsystem @ ..] => {
            let subsystem = subsystem.first().copied();
            let mut reports = client
                .more(&monitor::Subscribe { subsystem })
                .map_err(CallError::forget)?;
            while let Some(report) = reports.next().map_err(CallError::forget)? {
                match report.event {
                    Some(event) => say!("{} {}", event.action, event.devpath),
                    None => say!("listening ({} lost)", report.lost.unwrap_or(0)),
                }
            }
        }
        ["power-off"] => perform(client, &PowerOff { then: None })?,
        ["reboot"] => perform(
            client,
            &PowerOff {
                then: Some(Then::Reboot),
            },
        )?,
        ["halt"] => perform(
            client,
            &PowerOff {
                then: Some(Then::Halt),
            },
        )?,
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

fn show(progress: &boot::Progress<'_>) {
    let State {
        phase,
        status,
        modules,
        running,
        orphans,
    } = progress.state;
    say!(
        "{} ms: {phase:?}, {}, {modules} modules, {running} running, {orphans} orphans",
        progress.uptime,
        status.unwrap_or("no status"),
    );
}

/// Makes a call whose reply is empty.
fn perform<M>(client: &mut Client<'_, Stream>, call: &M) -> Result<(), CallFailure>
where
    M: for<'r> Method<Output<'r> = (), Error<'r> = boot::Error<'r>> + serde::Serialize,
{
    client.call(call).map_err(CallError::forget)
}

fn start(client: &mut Client<'_, Stream>, path: &str, arguments: &[&str]) -> Result<(), Failed> {
    let arguments = Some(heapless::Vec::from_slice(arguments)?);
    let mut replies = client
        .more(&Start { path, arguments })
        .map_err(CallError::forget)?;
    while let Some(Started { pid, exit }) = replies.next().map_err(CallError::forget)? {
        match exit {
            None => say!("{pid} is running"),
            Some(Exit {
                code: Some(code), ..
            }) => say!("{pid} has ended with {code}"),
            Some(Exit { signal, .. }) => {
                say!("{pid} was killed by signal {}", signal.unwrap_or(0))
            }
        }
    }
    Ok(())
}
