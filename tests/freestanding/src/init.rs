#![no_std]
#![no_main]
//! The example init without libc and without an allocator: the first program of an initramfs.

#[path = "../../../examples/shared/boot.rs"]
#[allow(dead_code)] // the client's part is unused here
mod boot;
#[path = "../../../examples/shared/init.rs"]
mod init;
#[path = "../../../examples/shared/kernel.rs"]
mod kernel;
#[path = "../../../examples/shared/monitor.rs"]
#[allow(dead_code)] // `Monitor` and `serve` are unused here
mod monitor;
#[path = "../../../examples/freestanding/src/start.rs"]
#[allow(dead_code)] // the other programs use the rest
mod start;

use core::panic::PanicInfo;
use core::str;

use boot::System;
use init::Room;
use nullink::Address;
use rustix::io::Errno;
use rustix::process::getpid;
use start::{Memory, Process};

/// The program's buffers. They are zero at first, so unused pages take no memory.
static ROOM: Memory<Room> = Memory::new(Room::new());

const SYSTEM: System = System {
    clock: start::monotonic,
    children: || start::children().map_err(Errno::from_raw_os_error),
    start: |command| start::start_program(command.strings()).map_err(Errno::from_raw_os_error),
    execute: |command| Errno::from_raw_os_error(start::execute(command.strings())),
};

fn main(process: Process) -> u8 {
    let Some(room) = ROOM.take() else {
        return 1;
    };
    if getpid().is_init() {
        init::run_first(SYSTEM, room);
    }
    let mut arguments = process.arguments().skip(1).map(str::from_utf8);
    let (Some(Ok("--serve")), Some(Ok(address))) = (arguments.next(), arguments.next()) else {
        return start::status("init", Err("usage: init --serve unix:/path, to try it out"));
    };
    let path = address.strip_prefix("unix:").unwrap_or(address);
    let served = init::run_at(Address::Unix(path), SYSTEM, room);
    start::status("init", served.map_err(|_| "can't serve there"))
}

/// Exits, or stops the first program, because the kernel panics if that exits. The library does not
/// panic, but rustix has assertions about its arguments and the results of system calls: check.sh
/// lists them.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    start::write_all(2, b"init: panicked\n");
    if getpid().is_init() {
        start::stop();
    }
    start::exit(101)
}
