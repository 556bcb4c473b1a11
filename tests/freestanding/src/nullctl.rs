#![no_std]
#![no_main]
//! The tool nullctl without libc and without an allocator.

#[path = "../../../examples/freestanding/src/start.rs"]
#[allow(dead_code)] // the other programs use the rest
mod start;
#[path = "../../../src/bin/nullctl/tool/mod.rs"]
mod tool;

use core::panic::PanicInfo;

use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;
use rustix::process::Pid;
use start::{Environment, Memory, Process, Program};
use tool::options::Flag;
use tool::{Command, Passed, Room, Standard, System, VERBS};

/// The tool's memory. It is zero at first, so unused pages take no memory.
static ROOM: Memory<Room> = Memory::new(Room::new());

/// The options that only this form has.
pub const MORE_FLAGS: &[Flag] = &[];

struct Runtime(Option<Environment>);

impl Runtime {
    fn program<'a>(&self, command: &Command<'a>) -> Program<'a> {
        let (input, output, socket) = match command.passed {
            Passed::Input(input) => (Some(input), None, None),
            Passed::Standard(both) => (Some(both), Some(both), None),
            Passed::Socket(socket) => (None, None, Some(socket)),
        };
        let number = |descriptor: Option<BorrowedFd<'_>>| Some(descriptor?.as_raw_fd());
        Program {
            path: command.path,
            arguments: command.arguments,
            environment: self.0.clone(),
            input: number(input),
            output: number(output),
            socket: number(socket),
        }
    }
}

impl System for Runtime {
    fn variable(&self, name: &str) -> Option<&'static [u8]> {
        self.0.as_ref()?.variable(name)
    }

    fn monotonic(&self) -> u64 {
        start::monotonic()
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

/// Returns a standard descriptor.
pub fn standard(which: Standard) -> BorrowedFd<'static> {
    start::standard(match which {
        Standard::Input => 0,
        Standard::Output => 1,
        Standard::Error => 2,
    })
}

fn main(process: Process) -> u8 {
    let Some(room) = ROOM.take() else {
        return 1;
    };
    let runtime = Runtime(process.environment());
    tool::run(&runtime, &[VERBS], process.strings(), room)
}

/// Exits. The library does not panic, but rustix has assertions about its arguments and the results
/// of system calls: check.sh lists them.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    start::exit(101)
}
