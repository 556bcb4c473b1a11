#![no_std]
#![no_main]
//! The example accounts without libc and without an allocator: the same service and server, for 8
//! clients, at the path of a Unix socket or with socket activation.
//!
//! It leaves out TCP, which would take 6 KB, most of it for parsing IP addresses, and the texts of
//! errors, which would take even more. It reports only which of its steps failed.

#[path = "../../../examples/shared/accounts.rs"]
#[allow(dead_code)] // the client's part is unused here
mod accounts;
#[path = "../../../examples/shared/serving.rs"]
mod serving;
#[path = "../../../examples/freestanding/src/start.rs"]
#[allow(dead_code)] // the other programs use the rest
mod start;

use core::ffi::CStr;
use core::mem;
use core::panic::PanicInfo;

use accounts::Accounts;
use nullink::Address;
use nullink::server::Slots;
use nullink::unix::Listener;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{read, retry_on_intr};
use serving::{Source, serve};
use start::{Memory, Process};

/// Memory for 8 clients. A reply can take half of the send buffer: the reply to GetAll fits with
/// some thirty accounts.
static SLOTS: Memory<Slots<8, 4096, 8192>> = Memory::new(Slots::new());

/// Memory for the contents of both files.
static TEXT: Memory<[u8; 64 * 1024]> = Memory::new([0; 64 * 1024]);

fn main(process: Process) -> u8 {
    start::status("accounts", run(process))
}

fn run(mut process: Process) -> Result<(), &'static str> {
    let activated = process.activated().map_err(|_| "can't use LISTEN_FDS")?;
    let path = process.arguments().nth(1).map(|address| {
        let path = address.strip_prefix(b"unix:").unwrap_or(address);
        core::str::from_utf8(path)
    });
    let source = match (activated, path) {
        (Some(activated), _) => Source::Activated(activated),
        (None, Some(Ok(path))) => {
            let listener = Listener::bind_to(Address::Unix(path), Listener::EVERYBODY);
            Source::Own(listener.map_err(|_| "can't listen there")?)
        }
        _ => return Err("usage: accounts unix:/path"),
    };
    let mut room = TEXT.take().ok_or("started twice")?.as_mut_slice();
    let passwd = load(c"/etc/passwd", &mut room).ok_or("can't read /etc/passwd")?;
    let group = load(c"/etc/group", &mut room).ok_or("can't read /etc/group")?;
    let mut service = Accounts::new(passwd, group);
    let slots = SLOTS.take().ok_or("started twice")?;
    serve(source, &mut service, start::monotonic, slots).map_err(|_| "can't serve")
}

/// Loads a file into the beginning of `room`, and shortens `room` to the rest. Returns None if the
/// file cannot be read, or does not fit.
fn load<'m>(path: &CStr, room: &mut &'m mut [u8]) -> Option<&'m [u8]> {
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut length = 0_usize;
    loop {
        let spare = room.get_mut(length..).filter(|spare| !spare.is_empty())?;
        match retry_on_intr(|| read(&file, &mut *spare)).ok()? {
            0 => break,
            count => length = length.saturating_add(count),
        }
    }
    let (text, rest) = mem::take(room).split_at_mut_checked(length)?;
    *room = rest;
    Some(text)
}

/// Exits. The library does not panic, but rustix has assertions about its arguments and the results
/// of system calls: check.sh lists them.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    start::exit(101)
}
