#![no_std]
#![no_main]
//! A tool for an initramfs, without libc and without an allocator: a client that sets the status of
//! the boot in the example init.
//!
//! `report --later STATUS` starts a process that does this, and exits. That process is then an
//! orphan.

#[path = "../../../examples/shared/boot.rs"]
#[allow(dead_code)] // the service is unused here
mod boot;
#[path = "../../../examples/shared/kernel.rs"]
#[allow(dead_code)] // the service is unused here
mod kernel;
#[path = "../../../examples/shared/monitor.rs"]
#[allow(dead_code)] // the service is unused here
mod monitor;
#[path = "../../../examples/freestanding/src/start.rs"]
#[allow(dead_code)] // the other programs use the rest
mod start;

use core::ffi::CStr;
use core::panic::PanicInfo;
use core::str;

use boot::Report;
use nullink::unix::{Stream, Timeouts};
use nullink::{Address, Client};
use start::Process;

const SOCKET: Address<'static> = Address::Unix("/run/org.example.boot");

fn main(process: Process) -> u8 {
    let mut arguments = process.arguments();
    let done = match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(program), Some(b"--later"), Some(status)) => later(program, status),
        (_, Some(status), None) => report(status),
        _ => Err("usage: report [--later] STATUS"),
    };
    start::status("report", done)
}

fn report(status: &[u8]) -> Result<(), &'static str> {
    let status = Some(str::from_utf8(status).map_err(|_| "not UTF-8")?);
    let stream = Stream::connect_to(SOCKET, Timeouts::default());
    let (mut receive, mut send) = ([0; 512], [0; 512]);
    let mut client = Client::new(
        stream.map_err(|_| "can't connect")?,
        &mut receive,
        &mut send,
    );
    client.call(&Report { status }).map_err(|_| "can't report")
}

fn later(program: &[u8], status: &[u8]) -> Result<(), &'static str> {
    let mut buffers = ([0; 256], [0; 256]);
    let program = string(program, &mut buffers.0).ok_or("too long")?;
    let status = string(status, &mut buffers.1).ok_or("too long")?;
    let started = start::start_program([program, status].into_iter());
    started.map(drop).map_err(|_| "can't start")
}

/// Copies a text into a zeroed buffer, and adds a NUL. Returns None if there is no space for it.
fn string<'b>(text: &[u8], buffer: &'b mut [u8; 256]) -> Option<&'b CStr> {
    for (to, from) in buffer.iter_mut().zip(text) {
        *to = *from;
    }
    CStr::from_bytes_until_nul(buffer).ok()
}

/// Exits. The library does not panic, but rustix has assertions about its arguments and the results
/// of system calls: check.sh lists them.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    start::exit(101)
}
