//! Programs that a verb starts: how they are found, and how the tool starts itself again.

use core::ffi::CStr;

use rustix::fs::{Access, access};

use super::output::{Failure, fail_at};
use super::system::System;
use super::text;
use super::texts::{self, AddressText};

/// Where programs are if there is no variable PATH.
const DIRECTORIES: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// Finds a program as execvp(3) does: a name without a slash is looked up in PATH. Its path is
/// written into `text`.
///
/// # Errors
///
/// Fails if there is no such program.
pub fn find_program<'t>(
    system: &dyn System,
    name: &CStr,
    path: &'t mut AddressText,
) -> Result<&'t CStr, Failure> {
    let name = text(name);
    // Without a directory, the name alone is the path.
    let directories = match system.variable("PATH").map(str::from_utf8) {
        _ if name.bytes().any(|byte| byte == b'/') => "",
        Some(Ok(directories)) => directories,
        _ => DIRECTORIES,
    };
    for directory in texts::parts(directories, b':') {
        let slash = if directory.is_empty() { "" } else { "/" };
        let parts = [directory, slash, name];
        if access(texts::path(path, &parts), Access::EXEC_OK).is_ok() {
            return Ok(texts::path(path, &parts));
        }
    }
    Err(fail_at(name, &"there is no such program"))
}

/// The path of this program.
pub const SELF: &CStr = c"/proc/self/exe";
