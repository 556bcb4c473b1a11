#![no_std]
#![no_main]
//! The example monitor without libc and without an allocator: sends the kernel's uevents to clients
//! at the path of a Unix socket, on a device, or with socket activation.

#[path = "../../../examples/shared/monitor.rs"]
#[allow(dead_code)] // the client's part is unused here
mod monitor;
#[path = "../../../examples/freestanding/src/start.rs"]
#[allow(dead_code)] // the other programs use the rest
mod start;

use core::panic::PanicInfo;
use core::str;
use core::time::Duration;

use monitor::Room;
use nullink::Address;
use nullink::unix::Listener;
use start::{Memory, Process};

/// The program's buffers. They are zero at first, so unused pages take no memory.
static ROOM: Memory<Room> = Memory::new(Room::new());

fn main(process: Process) -> u8 {
    start::status("monitor", run(process))
}

fn run(mut process: Process) -> Result<(), &'static str> {
    let activated = process.activated().map_err(|_| "can't use LISTEN_FDS")?;
    let address = process.arguments().nth(1).map(str::from_utf8);
    let (source, exit) = match (activated, address) {
        // It ends a second after its last client. The next client starts it again.
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
    let room = ROOM.take().ok_or("started twice")?;
    monitor::serve(source, exit, start::monotonic, room).map_err(|_| "can't serve")
}

/// Exits. The library does not panic, but rustix has assertions about its arguments and the results
/// of system calls: check.sh lists them.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    start::exit(101)
}
