//! Tests that look at system calls.

use std::process::Command;

/// strace(1); None, with a word, if it is not there.
pub fn strace() -> Option<Command> {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "needs strace");
        println!("skipped: needs strace");
        return None;
    }
    Some(Command::new("strace"))
}
