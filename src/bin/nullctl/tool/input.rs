//! Texts that the tool reads or puts together, in its static memory. The names in a directory.

use core::mem::MaybeUninit;

use core::fmt::{self, Write};

use nullink::json::{self, Raw};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{Mode, OFlags, RawDir, open};
use rustix::io::Errno;

use super::output::{Failure, SystemError, fail, fail_at};
use super::system::Standard;
use super::texts::{self, AddressText, Number};
use crate::standard;

/// Reads a file, or standard input for `-`.
///
/// # Errors
///
/// Fails if the file cannot be read, is longer than the buffer, or is not UTF-8.
pub fn read<'b>(file: &str, buffer: &'b mut [u8]) -> Result<&'b str, Failure> {
    let (name, text) = if file == "-" {
        let name = "standard input";
        (name, read_all(name, standard(Standard::Input), buffer)?)
    } else {
        (file, read_file(file, buffer)?)
    };
    str::from_utf8(text).map_err(|error| {
        let at = Number(error.valid_up_to());
        fail(format_args!("{name}: not UTF-8 at byte {at}"))
    })
}

/// Reads a file of any bytes.
///
/// # Errors
///
/// Fails if the file cannot be read, or is longer than the buffer.
pub fn read_file<'b>(file: &str, buffer: &'b mut [u8]) -> Result<&'b [u8], Failure> {
    let mut path = AddressText::new();
    let path = texts::path(&mut path, &[file]);
    let opened = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let opened = opened.map_err(|errno| fail_at(file, &SystemError(errno)))?;
    read_all(file, opened.as_fd(), buffer)
}

fn read_all<'b>(
    name: &str,
    descriptor: BorrowedFd<'_>,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], Failure> {
    let mut length = 0_usize;
    loop {
        let room = buffer.get_mut(length..).unwrap_or_default();
        if room.is_empty() {
            return Err(fail(format_args!("{name}: longer than 16 MiB")));
        }
        match rustix::io::read(descriptor, room) {
            Ok(0) => break,
            Ok(count) => length = length.saturating_add(count),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(fail_at(name, &SystemError(errno))),
        }
    }
    Ok(buffer.get(..length).unwrap_or_default())
}

/// Passes the names in a directory, except `.` and `..`. A directory that does not exist is empty.
pub fn entries(
    directory: &str,
    pass: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed = |errno| fail_at(directory, &SystemError(errno));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut path = AddressText::new();
    let path = texts::path(&mut path, &[directory]);
    let opened = match open(path, flags, Mode::empty()) {
        Ok(opened) => opened,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        Err(errno) => return Err(failed(errno)),
    };
    let mut buffer = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(opened, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_str().unwrap_or(".");
        if !matches!(name, "." | "..") {
            pass(name)?;
        }
    }
    Ok(())
}

/// Splits a buffer in two.
pub fn halves(buffer: &mut [u8]) -> (&mut [u8], &mut [u8]) {
    let middle = buffer.len() / 2;
    buffer.split_at_mut_checked(middle).unwrap_or_default()
}

/// A text that is put together in a buffer.
pub struct Text<'b> {
    buffer: &'b mut [u8],
    length: usize,
    /// True if something did not fit.
    pub full: bool,
}

impl<'b> Text<'b> {
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Text {
            buffer,
            length: 0,
            full: false,
        }
    }

    /// Adds text. If it does not fit, `check` fails.
    pub fn add(&mut self, text: &str) {
        let end = self.length.saturating_add(text.len());
        let Some(room) = self.buffer.get_mut(self.length..end) else {
            self.full = true;
            return;
        };
        let bytes = text.bytes();
        room.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        self.length = end;
    }

    /// Adds a string as JSON.
    pub fn add_string(&mut self, string: &str) {
        let room = self.buffer.get_mut(self.length..).unwrap_or_default();
        match json::encode(string, room) {
            Ok(text) => self.length = self.length.saturating_add(text.len()),
            Err(_) => self.full = true,
        }
    }

    /// Fails if something did not fit.
    pub fn check(&self) -> Result<(), Failure> {
        if self.full {
            return Err(fail(format_args!("more than 16 MiB")));
        }
        Ok(())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        let text = self.buffer.get(..self.length).unwrap_or_default();
        // It was made of strings.
        str::from_utf8(text).unwrap_or_default()
    }

    /// Empties the text; returns its whole buffer.
    pub fn room(&mut self) -> &mut [u8] {
        self.length = 0;
        self.buffer
    }

    /// Returns the text as JSON.
    pub fn json(&self) -> Result<Raw<'_>, Failure> {
        self.check()?;
        Raw::new(self.as_str()).map_err(|error| fail(format_args!("{error}")))
    }
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text);
        Ok(())
    }
}
