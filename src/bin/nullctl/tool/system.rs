//! What the tool needs of the operating system that needs `unsafe` code or std. Everything else is
//! rustix.

use core::ffi::CStr;

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::Pid;

/// The operating system.
pub trait System {
    /// Returns the value of a variable of the environment.
    fn variable(&self, name: &str) -> Option<&'static [u8]>;

    /// Returns the descriptor that LISTEN_FDS announces, close-on-exec: sd_listen_fds(3). None if
    /// there is none, or if there are several. Further calls return None.
    ///
    /// No descriptor may have been opened before.
    fn passed(&self) -> Option<OwnedFd>;

    /// Starts a program in a child process, in the process group of the tool.
    ///
    /// # Errors
    ///
    /// Returns errno if a system call fails, in the child also: execve(2).
    fn start(&self, command: &Command<'_>) -> Result<Pid, Errno>;

    /// Replaces this process with a program. Returns errno if that fails.
    fn execute(&self, command: &Command<'_>) -> Errno;
}

/// A standard descriptor: stdin(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    Input,
    Output,
    Error,
}

/// A program to execute. It gets the environment of the tool without the variables of
/// sd_listen_fds(3), standard error, and no descriptor
/// that is close-on-exec, other than these.
#[derive(Clone, Copy)]
pub struct Command<'a> {
    /// The path of the program: see `connect::find_program`.
    pub path: &'a CStr,
    /// The arguments. The first is the name of the program.
    pub arguments: &'a [&'a CStr],
    /// A descriptor that it gets in addition.
    pub passed: Passed<'a>,
}

/// A descriptor that a program gets.
#[derive(Clone, Copy)]
pub enum Passed<'a> {
    /// No descriptor: standard input and output are those of the tool.
    Nothing,
    /// Standard input. Standard output is that of the tool.
    Input(BorrowedFd<'a>),
    /// Standard input and standard output.
    Standard(BorrowedFd<'a>),
    /// Descriptor 3, a connection that LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES=varlink announce:
    /// sd_listen_fds(3).
    Socket(BorrowedFd<'a>),
}
