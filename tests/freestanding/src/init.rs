#![no_std]
#![no_main]
//! The example init without libc and without an allocator: the first program of an initramfs.

#[path = "../../../examples/shared/boot.rs"]
#[allow(dead_code)] // the clients' part
mod boot;
#[path = "../../../examples/shared/init.rs"]
mod init;
#[path = "../../../examples/shared/kernel.rs"]
mod kernel;
#[path = "../../../examples/shared/monitor.rs"]
#[allow(dead_code)] // what the program of that name does
mod monitor;
#[allow(dead_code)] // what the other programs need
mod start;

use core::panic::PanicInfo;
use core::str;

use boot::System;
use init::Room;
use nullink::Address;
use rustix::io::Errno;
use rustix::process::getpid;
use start::{Memory, Process};

/// The memory of the program. No page of it is there before it is used.
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

/// The library does not panic. rustix looks at what it is given, and at what the kernel says, with
/// assertions: check.sh has the list of them. A first program that ends takes the kernel with it, so
/// it does not even then.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    start::write_all(2, b"init: can't go on\n");
    if getpid().is_init() {
        start::stop();
    }
    start::exit(101)
}
