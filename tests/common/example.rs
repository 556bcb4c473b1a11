//! The examples that cargo has built, or those in the directory that NULLINK_EXAMPLES names, which
//! tests/musl/check.sh builds for another target.

use std::path::PathBuf;
use std::process::Command;

/// Returns the path of an example, or prints a message and returns None if cargo has not built it.
pub fn example_path(name: &str) -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os("NULLINK_EXAMPLES") {
        return Some(PathBuf::from(directory).join(name));
    }
    let this = std::env::current_exe().expect("a path");
    let path = this.parent()?.parent()?.join("examples").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "needs cargo build --examples"
    );
    println!("skipped: needs cargo build --examples");
    None
}

/// Returns a command that runs the example.
pub fn example(name: &str) -> Option<Command> {
    example_path(name).map(Command::new)
}
