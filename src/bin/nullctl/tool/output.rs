//! Standard output and its colors; failures.

use core::fmt::{self, Write};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;

use super::system::Standard;
use crate::standard;

/// The end of a verb before its time, with the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The reader of the output has gone away, as in `nullctl ... | head`. That is not an error.
    Quiet = 0,
    /// A failure whose message has been printed.
    Failed = 1,
}

/// Standard output or a file, buffered. After a failed write it discards everything; `flush` returns
/// the failure.
pub struct Output {
    /// None for standard output.
    file: Option<OwnedFd>,
    buffer: heapless::Vec<u8, 1024>,
    /// The failure of an earlier write.
    failed: Option<Failure>,
}

impl Output {
    pub const fn new() -> Self {
        Output {
            file: None,
            buffer: heapless::Vec::new(),
            failed: None,
        }
    }

    /// Writes to a file.
    pub fn to(file: OwnedFd) -> Self {
        Output {
            file: Some(file),
            ..Output::new()
        }
    }

    /// Overwrites the buffer, in which a secret was.
    pub fn erase(&mut self) {
        let _ = self.buffer.resize(1024, 0);
        core::hint::black_box(&self.buffer);
        self.buffer.clear();
    }

    /// Writes what is buffered; returns the file.
    pub fn into_file(mut self) -> Result<OwnedFd, Failure> {
        self.flush()?;
        self.file.ok_or(Failure::Failed)
    }

    /// Adds text.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Adds formatted text.
    pub fn print(&mut self, text: fmt::Arguments<'_>) {
        let _ = self.write_fmt(text);
    }

    /// Adds text, and blanks up to a width.
    pub fn column(&mut self, text: &str, width: usize) {
        self.text(text);
        for _ in text.len()..width {
            self.text(" ");
        }
    }

    /// Adds bytes. Long ones are written without a copy.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if self.buffer.extend_from_slice(bytes).is_ok() {
            return;
        }
        let _ = self.flush();
        if self.buffer.extend_from_slice(bytes).is_err() {
            self.write(Some(bytes));
        }
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    ///
    /// Fails quietly if the reader has gone away, and with a message for other errors.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.write(None);
        self.buffer.clear();
        self.failed.map_or(Ok(()), Err)
    }

    /// Writes bytes, or those of the buffer, unless an earlier write has failed.
    fn write(&mut self, bytes: Option<&[u8]>) {
        if self.failed.is_some() {
            return;
        }
        let file = self.file.as_ref().map(AsFd::as_fd);
        let file = file.unwrap_or_else(|| standard(Standard::Output));
        let written = write_all(file, bytes.unwrap_or(&self.buffer));
        self.failed = written.err().map(|errno| match errno {
            Errno::PIPE => Failure::Quiet,
            errno => fail(format_args!("standard output: {}", SystemError(errno))),
        });
    }
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

/// Prints an error message, and returns the failure.
#[must_use]
pub fn fail(message: fmt::Arguments<'_>) -> Failure {
    complain(message);
    Failure::Failed
}

/// Like [`fail`], for a thing that has failed and the reason.
#[must_use]
pub fn fail_at(what: &str, why: &dyn fmt::Display) -> Failure {
    fail(format_args!("{what}: {why}"))
}

/// Prints a message on standard error, if there is a reader of it.
pub fn complain(message: fmt::Arguments<'_>) {
    let mut errors = Errors(heapless::Vec::new());
    let _ = errors.write_fmt(format_args!("nullctl: {message}\n"));
    let _ = write_all(standard(Standard::Error), &errors.0);
}

/// Standard error. A message is one write, so that messages of several programs do not mix.
struct Errors(heapless::Vec<u8, 1024>);

impl Write for Errors {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.extend_from_slice(text.as_bytes()).is_err() {
            let _ = write_all(standard(Standard::Error), &self.0);
            self.0.clear();
            if self.0.extend_from_slice(text.as_bytes()).is_err() {
                let _ = write_all(standard(Standard::Error), text.as_bytes());
            }
        }
        Ok(())
    }
}

/// Writes all bytes to a descriptor.
pub fn write_all(descriptor: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(descriptor, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or(&[]),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// True if a standard descriptor is a terminal: isatty(3). Consoles and pseudoterminals have a size.
pub fn is_terminal(which: Standard) -> bool {
    rustix::termios::tcgetwinsize(standard(which)).is_ok()
}

/// A text of a service, for people: without its control characters, which could change a terminal.
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            let is_control = char != '\t' && char.is_control();
            f.write_char(if is_control {
                char::REPLACEMENT_CHARACTER
            } else {
                char
            })?;
        }
        Ok(())
    }
}

/// The text of an error number.
pub struct SystemError(pub Errno);

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        nullink::unix::IoError::from_raw_os_error(self.0.raw_os_error()).fmt(f)
    }
}
