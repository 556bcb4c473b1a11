//! Programs that a verb starts: how they are found, and how the tool starts itself again.

use core::ffi::CStr;

use heapless::Vec;
use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::process::Pid;

use super::output::{Failure, fail};
use super::system::{Command, Passed, System};

/// The longest path of a program, with its NUL: PATH_MAX, limits.h(0p).
const LONGEST: usize = 4096;

/// Where programs are if there is no variable PATH.
const DIRECTORIES: &[u8] = b"/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// The path of a program.
pub struct Program(Vec<u8, LONGEST>);

impl Program {
    /// Finds a program as execvp(3) does: a name without a slash is looked up in PATH.
    ///
    /// # Errors
    ///
    /// Fails if there is no such program.
    pub fn find(system: &dyn System, name: &CStr) -> Result<Self, Failure> {
        let word = name.to_bytes();
        let directories = match system.variable("PATH") {
            _ if word.contains(&b'/') => b"",
            Some(path) => path,
            None => DIRECTORIES,
        };
        let mut path = Vec::new();
        for directory in directories.split(|byte| *byte == b':') {
            path.clear();
            let parts = if directory.is_empty() {
                [word, b"\0", b""]
            } else {
                [directory, b"/", word]
            };
            let fits = parts
                .iter()
                .all(|part| path.extend_from_slice(part).is_ok());
            if fits && path.push(0).is_ok() && access(as_c_str(&path), Access::EXEC_OK).is_ok() {
                return Ok(Program(path));
            }
        }
        let word = name.to_str().unwrap_or_default();
        Err(fail(format_args!("{word}: there is no such program")))
    }

    /// Returns the path.
    pub fn path(&self) -> &CStr {
        as_c_str(&self.0)
    }
}

fn as_c_str(path: &[u8]) -> &CStr {
    CStr::from_bytes_until_nul(path).unwrap_or_default()
}

/// Starts this program again, for a connection. The first argument is the name of the program.
///
/// # Errors
///
/// Returns errno if a system call fails.
pub fn start_again(
    system: &dyn System,
    arguments: &[&CStr],
    passed: Passed<'_>,
) -> Result<Pid, Errno> {
    system.start(&Command {
        path: c"/proc/self/exe",
        arguments,
        passed,
    })
}
