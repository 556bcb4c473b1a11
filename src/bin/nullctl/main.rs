//! nullctl, the tool for Varlink: varlinkctl's verbs, and more, where varlinkctl cannot go. This is
//! the form with std, with verbs for a workstation in addition. `tests/freestanding/build.sh`
//! builds the static form without libc.

mod process;
mod station;
mod tool;

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::sync::Mutex;

use rustix::fd::BorrowedFd;
pub use station::FLAGS as MORE_FLAGS;
use tool::{HELP, Room, Standard, VERBS};

/// The tool's memory. It is zero at first, so unused pages take no memory.
static ROOM: Mutex<Room> = Mutex::new(Room::new());

/// True if `help` has the details of each verb.
pub const HAS_DETAILS: bool = true;

/// Returns a standard descriptor.
pub fn standard(which: Standard) -> BorrowedFd<'static> {
    match which {
        Standard::Input => rustix::stdio::stdin(),
        Standard::Output => rustix::stdio::stdout(),
        Standard::Error => rustix::stdio::stderr(),
    }
}

fn main() -> ExitCode {
    // Arguments have no NUL in them. They are kept until the program ends.
    let arguments = std::env::args_os().map(|argument| -> &'static CStr {
        let argument = CString::new(argument.into_vec()).unwrap_or_default();
        Box::leak(argument.into_boxed_c_str())
    });
    let mut room = ROOM.lock().expect("this is the only thread");
    let status = tool::run(
        &process::Process,
        &[VERBS, station::VERBS, HELP],
        arguments,
        &mut room,
    );
    ExitCode::from(status)
}
