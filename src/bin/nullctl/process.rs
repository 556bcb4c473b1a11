//! Programs that the tool starts, with std.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, process};

use nullink::activation;
use rustix::fd::{BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::Pid;

use crate::tool::{Command, Passed, System};

/// The system, with std.
pub struct Process;

/// The variables of sd_listen_fds(3). They are about descriptors of this process.
const LISTEN: [&str; 4] = [
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
];

impl System for Process {
    fn variable(&self, name: &str) -> Option<&'static [u8]> {
        // A variable is read once or twice, so the copy is not freed.
        std::env::var_os(name).map(|value| &*value.into_vec().leak())
    }

    fn passed(&self) -> Option<OwnedFd> {
        static ASKED: AtomicBool = AtomicBool::new(false);
        let mut passed = Vec::new();
        if !ASKED.swap(true, Ordering::Relaxed) {
            // If the variables are not valid, nothing was passed.
            let _ = activation::descriptors(
                |name| std::env::var(name).ok(),
                // SAFETY: LISTEN_PID has named this process, so the descriptor was passed to it.
                // Nothing else owns it: this code runs once, and once for each number.
                |number| unsafe { OwnedFd::from_raw_fd(number) },
                |_, descriptor| passed.push(descriptor),
            );
        }
        passed.pop().filter(|_| passed.is_empty())
    }

    fn start(&self, command: &Command<'_>) -> Result<Pid, Errno> {
        let mut prepared = prepare(command)?;
        let child = prepared.spawn();
        let child = child.map_err(|error| errno(&error))?;
        Pid::from_raw(child.id().cast_signed()).ok_or(Errno::SRCH)
    }

    fn execute(&self, command: &Command<'_>) -> Errno {
        match prepare(command) {
            Ok(mut prepared) => errno(&prepared.exec()),
            Err(errno) => errno,
        }
    }
}

/// The shell moves the socket from standard input to descriptor 3, and becomes the program. So its
/// pid is that of the program, and this needs no `unsafe` code between fork(2) and execve(2).
const SHELL: &str = "/bin/sh";
const MOVE: &str = "\
exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_FDNAMES=varlink LISTEN_PID=$$; exec \"$0\" \"$@\"";

fn prepare(command: &Command<'_>) -> Result<process::Command, Errno> {
    let words = command.arguments.iter().skip(1);
    let words = words.map(|word| OsStr::from_bytes(word.to_bytes()));
    let path = OsStr::from_bytes(command.path.to_bytes());
    let mut prepared = process::Command::new(path);
    if let Some(name) = command.arguments.first() {
        prepared.arg0(OsStr::from_bytes(name.to_bytes()));
    }
    match command.passed {
        Passed::Nothing => {}
        Passed::Input(descriptor) => _ = prepared.stdin(duplicate(descriptor)?),
        Passed::Standard(descriptor) => {
            prepared.stdin(duplicate(descriptor)?);
            prepared.stdout(duplicate(descriptor)?);
        }
        Passed::Socket(socket) => {
            prepared = process::Command::new(SHELL);
            prepared.arg("-c").arg(MOVE).arg(path);
            prepared.stdin(duplicate(socket)?);
        }
    }
    for variable in LISTEN {
        prepared.env_remove(variable);
    }
    prepared.args(words);
    Ok(prepared)
}

fn duplicate(descriptor: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    descriptor
        .try_clone_to_owned()
        .map_err(|error| errno(&error))
}

fn errno(error: &io::Error) -> Errno {
    let number = error.raw_os_error();
    number.map_or(Errno::INVAL, Errno::from_raw_os_error)
}
