#![no_std]
#![no_main]
//! A service without libc and without an allocator, on a Unix socket:
//!
//! ```sh
//! target/release/ping /run/ping
//! ```

#[allow(dead_code)] // for more than this program needs, such as starting other programs
mod start;

use core::panic::PanicInfo;

use nullink::{Answer, Call, Info, Interface, Responder, Server, Service, Slots, interface};
use serde::{Deserialize, Serialize};
use start::{Memory, Process};

const PING: Interface = interface!("org.example.ping.varlink");

/// Memory for 8 clients, with 4 KiB for a call and for a reply.
static SLOTS: Memory<Slots<8, 4096, 8192>> = Memory::new(Slots::new());

#[derive(Deserialize)]
enum Methods<'a> {
    Ping { ping: &'a str },
}

#[derive(Serialize)]
struct Pong<'a> {
    pong: &'a str,
}

#[derive(Serialize)]
enum Error {
    Silence,
}

struct Pinger;

impl Service for Pinger {
    const INTERFACES: &'static [Interface] = &[PING];

    fn info(&self) -> Info<'_> {
        Info::new("Example", "Pinger", "1", "https://example.org")
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        match call.decode()? {
            Methods::Ping { ping: "" } => reply.error(&Error::Silence),
            Methods::Ping { ping } => reply.send(&Pong { pong: ping }),
        }
    }
}

/// Returns the exit status. `start::_start` calls this.
fn main(process: Process) -> u8 {
    start::status("ping", run(&process))
}

fn run(process: &Process) -> Result<(), &'static str> {
    let path = process.arguments().nth(1).ok_or("usage: ping /path")?;
    let path = core::str::from_utf8(path).map_err(|_| "the path is not UTF-8")?;
    let slots = SLOTS.take().ok_or("started twice")?;
    let mut server = Server::bind(path, slots).map_err(|_| "can't listen there")?;
    server.serve(&mut Pinger).map_err(|_| "can't serve")?;
    Ok(())
}

/// Exits. The library does not panic, but rustix has a few assertions.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    start::exit(101)
}
