//! The examples, as cargo has built them; or those in the directory that NULLINK_EXAMPLES names, which
//! tests/musl/check.sh has built for another target.

use std::path::PathBuf;
use std::process::Command;

/// Where an example is; None, with a word, if cargo has not built it.
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

/// The example, to be run.
pub fn example(name: &str) -> Option<Command> {
    example_path(name).map(Command::new)
}
