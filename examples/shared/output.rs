//! Prints lines of a program whose output may end before the program, as in `proxy | head`.

use std::fmt;
use std::io::{self, Write};
use std::process::exit;

/// Prints a line. The macro `println` panics if that fails. This ends the program: quietly if the
/// reader of its output has gone away.
pub fn print(line: fmt::Arguments<'_>) {
    match writeln!(io::stdout(), "{line}") {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit(0),
        Err(error) => {
            complain(format_args!("can't print: {error}"));
            exit(1)
        }
    }
}

/// Prints an error message, if there is a reader of it. The message is one write, so that lines of
/// several programs do not mix. The macro `eprintln` writes each part alone.
pub fn complain(line: fmt::Arguments<'_>) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

macro_rules! say {
    ($($part:tt)*) => { $crate::output::print(format_args!($($part)*)) };
}
pub(crate) use say;
