#![no_std]
#![no_main]
//! The example accounts without libc and without an allocator: the same service, served in the same
//! way to 8 clients, at the path of a Unix socket or where it is activated.
//!
//! The rest of the example would cost: TCP 6 KB, most of it the parser of IP addresses, and the texts
//! of errors even more. This one says only which of its steps has failed.

#[path = "../../../examples/shared/accounts.rs"]
#[allow(dead_code)] // the clients' part
mod accounts;
#[path = "../../../examples/shared/serving.rs"]
mod serving;
#[allow(dead_code)] // what the other program needs
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

/// Room for 8 clients. The reply to GetAll has to fit: some thirty accounts do.
static SLOTS: Memory<Slots<8, 4096, 8192>> = Memory::new(Slots::new());

/// Room for the text of both files.
static TEXT: Memory<[u8; 64 * 1024]> = Memory::new([0; 64 * 1024]);

fn main(process: Process) -> u8 {
    start::status("accounts", run(process))
}

fn run(mut process: Process) -> Result<(), &'static str> {
    let activated = process.activated().map_err(|_| "can't use its socket")?;
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
    let mut room = TEXT.take().ok_or("is there already")?.as_mut_slice();
    let passwd = load(c"/etc/passwd", &mut room).ok_or("can't read /etc/passwd")?;
    let group = load(c"/etc/group", &mut room).ok_or("can't read /etc/group")?;
    let mut service = Accounts::new(passwd, group);
    let slots = SLOTS.take().ok_or("is there already")?;
    serve(source, &mut service, start::monotonic, slots).map_err(|_| "can't go on")
}

/// Loads a file into the beginning of `room`, which is the rest then. None, if it does not fit.
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

/// The library does not panic. rustix looks at what it is given, and at what the kernel says, with
/// assertions: check.sh has the list of them.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    start::exit(101)
}
