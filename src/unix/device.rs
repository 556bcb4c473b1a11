//! Character devices with a peer at the other end, such as serial lines and consoles of virtual
//! machines.

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, FlockOperation, Mode, OFlags, flock, open as open_file};
use rustix::io::{Errno, fcntl_dupfd_cloexec, retry_on_intr};
use rustix::termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};

use super::error::IoError;
use super::path::{Path, file_type};

/// Proof that the program supports devices. Without the feature `device` this type has no value,
/// and the compiler removes all code that needs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Device {
    #[cfg(feature = "device")]
    Supported,
}

impl Device {
    /// Returns the proof, or an error if the program does not support devices.
    pub fn supported() -> Result<Self, IoError> {
        #[cfg(feature = "device")]
        return Ok(Device::Supported);
        #[cfg(not(feature = "device"))]
        return Err(IoError::NoDevices);
    }

    /// Marks code that only a program with devices can reach: without the feature `device`, the
    /// compiler removes what is after this.
    fn reachable(&self) {
        match *self {
            #[cfg(feature = "device")]
            Device::Supported => {}
        }
    }
}

/// Opens and locks a device, for one connection.
///
/// Puts a terminal into raw mode, and discards its unread input and unsent output.
pub(super) fn open(path: &str) -> Result<(OwnedFd, Device, Option<Terminal>), IoError> {
    let device = Device::supported()?;
    // Opening another kind of file could have side effects.
    check(path)?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let path = Path::new(path)?;
    let file = retry_on_intr(|| open_file(path.as_c_str(), flags, Mode::empty()))
        .map_err(IoError::from_errno)?;
    // Two connections over one line would read each other's bytes.
    if flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::AGAIN) {
        return Err(IoError::InUse);
    }
    let terminal = Terminal::new(device, &file)?;
    Ok((file, device, terminal))
}

/// Checks that the file at a path is a character device.
pub(super) fn check(path: &str) -> Result<(), IoError> {
    match file_type(path)? {
        FileType::CharacterDevice => Ok(()),
        _ => Err(IoError::NotADevice),
    }
}

/// True if a device that could not be opened with this error may be available later.
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

/// The saved settings of a terminal in raw mode. Dropping them restores them.
#[derive(Debug)]
pub(super) struct Terminal {
    /// Without devices there are no terminals.
    device: Device,
    /// A duplicate, because the descriptor of the connection may be given away.
    descriptor: OwnedFd,
    /// None if the terminal stays in raw mode.
    saved: Option<Termios>,
}

impl Terminal {
    /// Puts a terminal into raw mode. Returns None if the device is not a terminal.
    fn new(device: Device, file: &OwnedFd) -> Result<Option<Self>, IoError> {
        let Ok(saved) = tcgetattr(file) else {
            return Ok(None);
        };
        let mut raw = saved.clone();
        raw.make_raw();
        let terminal = Terminal {
            device,
            descriptor: fcntl_dupfd_cloexec(file, 0).map_err(IoError::from_errno)?,
            saved: Some(saved),
        };
        retry_on_intr(|| tcsetattr(file, OptionalActions::Now, &raw))
            .map_err(IoError::from_errno)?;
        retry_on_intr(|| tcflush(file, QueueSelector::IOFlush)).map_err(IoError::from_errno)?;
        Ok(Some(terminal))
    }

    /// Leaves the terminal in raw mode.
    pub fn keep(mut self) {
        self.saved = None;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.device.reachable();
        if let Some(saved) = &self.saved {
            // This fails if the device is gone.
            let _ = retry_on_intr(|| tcsetattr(&self.descriptor, OptionalActions::Now, saved));
        }
    }
}
