//! Character devices with a peer at the other end: serial lines, consoles of virtual machines.

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, FlockOperation, Mode, OFlags, flock, open as open_file};
use rustix::io::{Errno, fcntl_dupfd_cloexec, retry_on_intr};
use rustix::termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};

use super::error::IoError;
use super::path::file_type;

/// A program that has devices. Without the feature `device` there is no such value, and the compiler
/// removes all that would need one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Device {
    #[cfg(feature = "device")]
    Supported,
}

impl Device {
    pub fn supported() -> Result<Self, IoError> {
        #[cfg(feature = "device")]
        return Ok(Device::Supported);
        #[cfg(not(feature = "device"))]
        return Err(IoError::NoDevices);
    }
}

/// Opens a device, for this connection alone.
///
/// What is under way in it is thrown away. If it is a terminal, it carries bytes as they are from
/// now on.
pub(super) fn open(path: &str) -> Result<(OwnedFd, Device, Option<Terminal>), IoError> {
    let device = Device::supported()?;
    // Opening something else could have effects of its own.
    check(path)?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file =
        retry_on_intr(|| open_file(path, flags, Mode::empty())).map_err(IoError::from_errno)?;
    // Two connections over one line would read each other's bytes.
    if flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::AGAIN) {
        return Err(IoError::InUse);
    }
    let terminal = Terminal::new(device, &file)?;
    Ok((file, device, terminal))
}

/// Checks that there is a device at a path.
pub(super) fn check(path: &str) -> Result<(), IoError> {
    match file_type(path)? {
        FileType::CharacterDevice => Ok(()),
        _ => Err(IoError::NotADevice),
    }
}

/// True if a device that could not be opened may be there later.
pub(super) fn is_absent(error: &IoError) -> bool {
    match error {
        IoError::NotFound | IoError::InUse => true,
        IoError::System(errno) => matches!(
            Errno::from_raw_os_error(*errno),
            Errno::NXIO | Errno::NODEV | Errno::IO | Errno::BUSY
        ),
        _ => false,
    }
}

/// A terminal as it was before. Dropping it makes it so again.
#[derive(Debug)]
pub(super) struct Terminal {
    /// Without devices there are no terminals.
    _device: Device,
    /// A descriptor of its own, because the connection's may be handed over.
    descriptor: OwnedFd,
    before: Option<Termios>,
}

impl Terminal {
    /// None, if the device is no terminal.
    fn new(device: Device, file: &OwnedFd) -> Result<Option<Self>, IoError> {
        let Ok(before) = tcgetattr(file) else {
            return Ok(None);
        };
        let mut raw = before.clone();
        raw.make_raw();
        let terminal = Terminal {
            _device: device,
            descriptor: fcntl_dupfd_cloexec(file, 0).map_err(IoError::from_errno)?,
            before: Some(before),
        };
        retry_on_intr(|| tcsetattr(file, OptionalActions::Now, &raw))
            .map_err(IoError::from_errno)?;
        tcflush(file, QueueSelector::IOFlush).map_err(IoError::from_errno)?;
        Ok(Some(terminal))
    }

    /// Leaves the terminal as it is.
    pub fn keep(mut self) {
        self.before = None;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // The device may be gone.
            let _ = retry_on_intr(|| tcsetattr(&self.descriptor, OptionalActions::Now, before));
        }
    }
}
