#![no_std]
#![no_main]
//! The tool nullctl without libc and without an allocator.

#[path = "../../../examples/freestanding/src/start.rs"]
#[allow(dead_code)] // the other programs use the rest
mod start;
#[path = "../../../src/bin/nullctl/tool/mod.rs"]
mod tool;

use core::cell::Cell;
use core::panic::PanicInfo;

use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::Pid;
use start::{Environment, Memory, Process, Program};
use tool::{Command, Flag, HELP, Passed, Room, Standard, System, VERBS};

/// The tool's memory. It is zero at first, so unused pages take no memory.
static ROOM: Memory<Room> = Memory::new(Room::new());

/// The options that only this form has.
pub const MORE_FLAGS: &[Flag] = &[];

struct Runtime {
    environment: Option<Environment>,
    /// What `passed` takes.
    process: Cell<Option<Process>>,
}

impl Runtime {
    fn program<'a>(&self, command: &Command<'a>) -> Program<'a> {
        let (input, output, socket) = match command.passed {
            Passed::Nothing => (None, None, None),
            Passed::Input(descriptor) => (Some(descriptor), None, None),
            Passed::Standard(descriptor) => (Some(descriptor), Some(descriptor), None),
            Passed::Socket(descriptor) => (None, None, Some(descriptor)),
        };
        let number = |descriptor: Option<BorrowedFd<'_>>| descriptor.map(|fd| fd.as_raw_fd());
        Program {
            path: command.path,
            arguments: command.arguments,
            environment: self.environment.clone(),
            input: number(input),
            output: number(output),
            socket: number(socket),
        }
    }
}

impl System for Runtime {
    fn variable(&self, name: &str) -> Option<&'static [u8]> {
        self.environment.as_ref()?.variable(name)
    }

    fn passed(&self) -> Option<OwnedFd> {
        self.process.take()?.passed()
    }

    fn start(&self, command: &Command<'_>) -> Result<Pid, Errno> {
        let pid = self.program(command).start();
        let pid = pid.map_err(Errno::from_raw_os_error)?;
        Pid::from_raw(pid).ok_or(Errno::SRCH)
    }

    fn execute(&self, command: &Command<'_>) -> Errno {
        Errno::from_raw_os_error(self.program(command).execute())
    }
}

/// True if `help` has the details of each verb.
pub const HAS_DETAILS: bool = false;

/// Returns a standard descriptor.
pub fn standard(which: Standard) -> BorrowedFd<'static> {
    start::standard(match which {
        Standard::Input => 0,
        Standard::Output => 1,
        Standard::Error => 2,
    })
}

fn main(process: Process) -> u8 {
    start::open_standard();
    let Some(room) = ROOM.take() else {
        return 1;
    };
    let arguments = process.strings();
    let runtime = Runtime {
        environment: process.environment(),
        process: Cell::new(Some(process)),
    };
    tool::run(&runtime, &[VERBS, HELP], arguments, room)
}

/// Exits. The library does not panic, but rustix has assertions about its arguments and the results
/// of system calls: check.sh lists them.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    start::exit(101)
}
