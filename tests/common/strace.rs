//! A helper for tests that trace system calls.

use std::process::Command;

/// Returns a command for strace(1), or prints a message and returns None if it is not installed.
pub fn strace() -> Option<Command> {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "needs strace");
        println!("skipped: needs strace");
        return None;
    }
    Some(Command::new("strace"))
}
