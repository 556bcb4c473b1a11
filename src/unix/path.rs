//! Paths of sockets and devices.

use core::ffi::CStr;

use rustix::fs::{FileType, Stat, stat};
use rustix::io::Errno;

use super::PATH_MAX;
use super::error::IoError;
use crate::bytes::{copy, find_nul};

/// A path with its NUL. It is made once, because rustix would make one for each system call, with
/// separate code for each.
pub(super) struct Path([u8; PATH_MAX + 1]);

impl Path {
    /// Copies a path, and checks that it is short enough and contains no NUL.
    pub fn new(path: &str) -> Result<Self, IoError> {
        if path.len() > PATH_MAX {
            return Err(IoError::PathTooLong);
        }
        if find_nul(path.as_bytes()).is_some() {
            return Err(IoError::from_errno(Errno::INVAL));
        }
        let mut bytes = [0; PATH_MAX + 1];
        copy(path.as_bytes(), &mut bytes);
        Ok(Path(bytes))
    }

    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

/// Returns the type of the file at a path: stat(2).
pub(super) fn file_type(path: &str) -> Result<FileType, IoError> {
    type_of(stat(Path::new(path)?.as_c_str()))
}

/// Returns the type of the file in the result of stat(2) or lstat(2).
pub(super) fn type_of(found: Result<Stat, Errno>) -> Result<FileType, IoError> {
    match found {
        Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode)),
        Err(errno) => Err(IoError::from_errno(errno)),
    }
}
