#![no_std]
#![no_main]
//! The example monitor without libc and without an allocator: the kernel's uevents for everyone who
//! wants to know, at the path of a Unix socket, on a device, or where it is activated.

#[path = "../../../examples/shared/monitor.rs"]
#[allow(dead_code)] // the clients' part
mod monitor;
#[allow(dead_code)] // what the other programs need
mod start;

use core::panic::PanicInfo;
use core::str;
use core::time::Duration;

use monitor::{CLIENTS, REPLY};
use nullink::Address;
use nullink::server::Slots;
use nullink::unix::Listener;
use start::{Memory, Process};

/// The memory of the server, which is none before it is used.
static SLOTS: Memory<Slots<CLIENTS, 1024, REPLY>> = Memory::new(Slots::new());

fn main(process: Process) -> u8 {
    start::status("monitor", run(process))
}

fn run(mut process: Process) -> Result<(), &'static str> {
    let activated = process.activated().map_err(|_| "can't use its socket")?;
    let address = process.arguments().nth(1).map(str::from_utf8);
    let (source, exit) = match (activated, address) {
        // Whoever has started it will do so again, and nobody who listens misses anything.
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
    let slots = SLOTS.take().ok_or("is there already")?;
    monitor::serve(source, exit, start::monotonic, slots).map_err(|_| "can't go on")
}

/// The library does not panic. rustix looks at what it is given, and at what the kernel says, with
/// assertions: check.sh has the list of them.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    start::exit(101)
}
