#![no_std]
#![no_main]
//! The example monitor without libc and without an allocator: the kernel's uevents for every client
//! that asks, at the path of a Unix socket, on a device, or on the socket that it was started with.

#[path = "../../../examples/shared/monitor.rs"]
#[allow(dead_code)] // the clients' part
mod monitor;
#[allow(dead_code)] // what the other programs need
mod start;

use core::panic::PanicInfo;
use core::str;
use core::time::Duration;

use monitor::Room;
use nullink::Address;
use nullink::unix::Listener;
use start::{Memory, Process};

/// The memory of the program. No page of it is there before it is used.
static ROOM: Memory<Room> = Memory::new(Room::new());

fn main(process: Process) -> u8 {
    start::status("monitor", run(process))
}

fn run(mut process: Process) -> Result<(), &'static str> {
    let activated = process.activated().map_err(|_| "can't use its socket")?;
    let address = process.arguments().nth(1).map(str::from_utf8);
    let (source, exit) = match (activated, address) {
        // Its socket starts it again, and no client misses anything.
        (Some(activated), _) => (activated, Some(Duration::from_secs(1))),
        (None, Some(Ok(address))) => {
            let address = match (
                address.strip_prefix("unix:"),
                address.strip_prefix("device:"),
            ) {
                (Some(path), _) => Address::Unix(path),
                (None, Some(path)) => Address::Device(path),
                (None, None) => return Err("the address is unix:/path or device:/path"),
            };
            let listener = Listener::bind_to(address, Listener::EVERYBODY);
            (listener.map_err(|_| "can't listen there")?.into(), None)
        }
        _ => return Err("usage: monitor unix:/path, or monitor device:/path"),
    };
    let room = ROOM.take().ok_or("is there already")?;
    monitor::serve(source, exit, start::monotonic, room).map_err(|_| "can't go on")
}

/// The library does not panic. rustix looks at what it is given, and at what the kernel says, with
/// assertions: check.sh has the list of them.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    start::exit(101)
}
