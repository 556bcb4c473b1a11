//! Socket activation: UAPI.20, "Socket Activation"; sd_listen_fds(3).
//!
//! A service manager, or a client with an `exec:/program` address, opens a socket and passes it to
//! the service that it starts. [`Activated::from_environment`] takes that socket.
//!
//! ```no_run
//! use nullink::unix::fd::{FromRawFd, OwnedFd};
//! use nullink::activation::Activated;
//! use nullink::unix::Listener;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // First in main, before anything opens a descriptor.
//! let activated = Activated::from_environment(
//!     |name| std::env::var(name).ok(),
//!     // SAFETY: the descriptor was passed to this process, and nothing else owns it: this is the
//!     // first and only call, and it adopts each descriptor once.
//!     |fd| unsafe { OwnedFd::from_raw_fd(fd) },
//! )?;
//! let source = match activated {
//!     Some(activated) => activated,
//!     None => Listener::bind("/run/org.example.ftl")?.into(),
//! };
//! // Server::new(source, &mut slots).serve(&mut service)?;
//! # Ok(())
//! # }
//! ```
//!
//! # What the program supplies
//!
//! **The environment**, as a function that returns the value of a variable, as a `String`, a `&str`
//! or a `&[u8]`. Without libc, the environment is on the stack, after the arguments:
//!
//! ```
//! use nullink::activation::{Activated, ActivationError};
//!
//! // From the pointers that the kernel has put there, up to the null: CStr::to_bytes.
//! let variables: &[&[u8]] = &[b"PATH=/bin", b"LISTEN_FDS=1"];
//! let environment = |name: &str| {
//!     let value = |text: &'static [u8]| text.strip_prefix(name.as_bytes())?.strip_prefix(b"=");
//!     variables.iter().find_map(|text| value(text))
//! };
//! let activated = Activated::from_environment(environment, |_| unreachable!("not activated"))?;
//! assert!(activated.is_none());
//! # Ok::<(), ActivationError>(())
//! ```
//!
//! **`adopt`**, a function that makes an owned descriptor of a number. That needs `unsafe` code,
//! which this library forbids: the caller must guarantee that nothing else owns the descriptor. A
//! program can guarantee that if it takes the descriptors once, before it opens any. `adopt` is
//! called once for each descriptor, and never if the descriptors belong to another process.
//!
//! **The other side** is a program that starts another with a socket. Its code between fork(2) and
//! execve(2) is unsafe throughout. Copy it from `examples/shared/process.rs`.
//!
//! # The owner of the descriptors
//!
//! `LISTEN_PID` must be the PID of this process. If `LISTEN_PIDFDID` is set, it must be the inode
//! number of the pidfd of this process, which no other process ever gets. Otherwise, or if one of
//! them is not a number, the variables were inherited, and the descriptors belong to another
//! process: they are not touched. Kernels before 6.9 have no such inode numbers. There
//! `LISTEN_PIDFDID` is ignored, as sd_listen_fds(3) does.
//!
//! The variables stay in the environment. Children that inherit them see that they name another
//! process.

use core::ops::Range;
use core::{fmt, str};

use rustix::fd::{OwnedFd, RawFd};
use rustix::fs::{fstat, fstatfs};
use rustix::io::{Errno, FdFlags, fcntl_setfd, retry_on_intr};
use rustix::net::sockopt::{socket_acceptconn, socket_type};
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with,
};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};

use crate::unix::{Listener, Stream};

/// The socket with which a service was started.
#[derive(Debug)]
pub enum Activated {
    /// A listening socket, of a systemd socket unit with `Accept=no`. Connections may be pending.
    Listener(Listener),
    /// A connected socket, of a systemd socket unit with `Accept=yes`, or of a client with an
    /// `exec:/program` address. The service serves this connection only.
    Connection(Stream),
}

impl Activated {
    /// Takes the socket with which this service was started: the one that is named `varlink`, or
    /// the only one. None if no socket was passed.
    ///
    /// The socket becomes close-on-exec. Other passed descriptors are closed. A program that needs
    /// them calls [`descriptors`] instead.
    ///
    /// The [module](self) describes `environment` and `adopt`. Call this function once, before the
    /// program opens any descriptor.
    ///
    /// # Errors
    ///
    /// Fails if the passed descriptor is not a socket for Varlink, or if the variables are invalid.
    /// The service should then report the error and exit, because its client waits for an answer on
    /// that socket.
    pub fn from_environment<T: AsRef<[u8]>>(
        environment: impl Fn(&str) -> Option<T>,
        adopt: impl FnMut(RawFd) -> OwnedFd,
    ) -> Result<Option<Self>, ActivationError> {
        let (mut all, mut named) = (0_u32, 0_u32);
        let mut kept = None;
        descriptors(environment, adopt, |name, fd| {
            all = all.saturating_add(1);
            if name == "varlink" {
                named = named.saturating_add(1);
                kept = Some(fd);
            } else if all == 1 {
                kept = Some(fd);
            }
        })?;
        match (kept, all, named) {
            (None, ..) => Ok(None),
            (Some(fd), 1, _) | (Some(fd), _, 1) => Activated::try_from(fd).map(Some),
            (_, _, 0) => Err(ActivationError::NoneNamed),
            _ => Err(ActivationError::SeveralNamed),
        }
    }

    /// Tells the service manager about the state of this service, as sd_notify(3) does, and returns
    /// true. Returns false if no manager has asked for that: `NOTIFY_SOCKET` is not set.
    ///
    /// `READY=1` says that the service listens, and `STOPPING=1` that it ends. systemd needs
    /// `Type=notify`: systemd.service(5). The [module](self) describes `environment`.
    ///
    /// # Errors
    ///
    /// Returns [`ActivationError::Malformed`] if the variable is neither a path nor the name of an
    /// abstract socket, and [`ActivationError::System`] if the message cannot be sent.
    ///
    /// ```no_run
    /// use nullink::activation::Activated;
    ///
    /// // After the listener is bound.
    /// Activated::notify(|name| std::env::var(name).ok(), "READY=1")?;
    /// # Ok::<(), nullink::activation::ActivationError>(())
    /// ```
    pub fn notify<T: AsRef<[u8]>>(
        environment: impl Fn(&str) -> Option<T>,
        state: &str,
    ) -> Result<bool, ActivationError> {
        let Some(to) = environment("NOTIFY_SOCKET") else {
            return Ok(false);
        };
        let to = match to.as_ref() {
            [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name),
            path @ [b'/', ..] => SocketAddrUnix::new(path),
            _ => return Err(ActivationError::Malformed("NOTIFY_SOCKET")),
        };
        let (kind, flags) = (SocketType::DGRAM, SocketFlags::CLOEXEC);
        let sent = to.and_then(|to| {
            let socket = socket_with(AddressFamily::UNIX, kind, flags, None)?;
            retry_on_intr(|| sendto(&socket, state.as_bytes(), SendFlags::NOSIGNAL, &to))
        });
        sent.map(|_| true).map_err(ActivationError::from_errno)
    }
}

impl From<Listener> for Activated {
    fn from(listener: Listener) -> Self {
        Activated::Listener(listener)
    }
}

impl From<Stream> for Activated {
    fn from(stream: Stream) -> Self {
        Activated::Connection(stream)
    }
}

impl TryFrom<OwnedFd> for Activated {
    type Error = ActivationError;

    /// Finds out whether a socket is listening or connected: `SO_ACCEPTCONN`, socket(7).
    fn try_from(socket: OwnedFd) -> Result<Self, ActivationError> {
        match socket_type(&socket).and_then(|kind| Ok((kind, socket_acceptconn(&socket)?))) {
            Ok((SocketType::STREAM, true)) => Ok(Activated::Listener(socket.into())),
            Ok((SocketType::STREAM, false)) => Ok(Activated::Connection(socket.into())),
            Ok(_) => Err(ActivationError::NotAStream),
            Err(errno) => Err(ActivationError::from_errno(errno)),
        }
    }
}

/// Takes all descriptors with which this process was started, and calls `found` with the name of
/// each. The name is that of `FileDescriptorName=`, systemd.socket(5), or "unknown" if no names
/// were passed.
///
/// The descriptors become close-on-exec. Those that `found` does not keep are closed.
///
/// The [module](self) describes `environment` and `adopt`. Call this function once, before the
/// program opens any descriptor.
///
/// # Errors
///
/// Fails like sd_listen_fds_with_names(3). Takes no descriptor, and returns
/// [`ActivationError::Malformed`] if `LISTEN_FDS` is not a number above zero or `LISTEN_FDNAMES` is
/// not UTF-8, or [`ActivationError::Names`] if the numbers of names and descriptors differ. Returns
/// [`ActivationError::NotOpen`] if fewer descriptors are open than `LISTEN_FDS` says.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use nullink::unix::fd::{FromRawFd, OwnedFd};
/// use nullink::activation::{self, Activated};
///
/// let (mut varlink, mut journal) = (None, None);
/// activation::descriptors(
///     |name| std::env::var(name).ok(),
///     // SAFETY: as above.
///     |fd| unsafe { OwnedFd::from_raw_fd(fd) },
///     |name, fd| match name {
///         "varlink" => varlink = Some(fd),
///         "journal" => journal = Some(fd),
///         _ => {}
///     },
/// )?;
/// let varlink = varlink.map(Activated::try_from).transpose()?;
/// # Ok(())
/// # }
/// ```
pub fn descriptors<T: AsRef<[u8]>>(
    environment: impl Fn(&str) -> Option<T>,
    mut adopt: impl FnMut(RawFd) -> OwnedFd,
    mut found: impl FnMut(&str, OwnedFd),
) -> Result<(), ActivationError> {
    let number = |name| environment(name).map(|text| parse(text.as_ref()));
    if !is_for_this_process(number("LISTEN_PID").flatten(), number("LISTEN_PIDFDID")) {
        return Ok(());
    }
    let Some(count) = number("LISTEN_FDS") else {
        return Ok(());
    };
    let fds = count.and_then(fd_numbers);
    let fds = fds.ok_or(ActivationError::Malformed("LISTEN_FDS"))?;
    let names = environment("LISTEN_FDNAMES");
    let names = names.as_ref().map(|names| str::from_utf8(names.as_ref()));
    let names = names.transpose();
    let names = names.map_err(|_| ActivationError::Malformed("LISTEN_FDNAMES"))?;
    // Splitting bytes is 400 bytes of code smaller than splitting a str.
    let mut names = names.map(|names| names.as_bytes().split(|byte| *byte == b':'));
    if let Some(names) = &names
        && names.clone().count() != fds.len()
    {
        return Err(ActivationError::Names);
    }
    for number in fds {
        let fd = adopt(number);
        match fcntl_setfd(&fd, FdFlags::CLOEXEC) {
            Err(Errno::BADF) => {
                // The descriptor is not open, so it must not be closed.
                core::mem::forget(fd);
                return Err(ActivationError::NotOpen);
            }
            Err(errno) => return Err(ActivationError::from_errno(errno)),
            Ok(()) => {}
        }
        let name = match &mut names {
            Some(names) => names.next().unwrap_or_default(),
            None => b"unknown",
        };
        found(str::from_utf8(name).unwrap_or_default(), fd);
    }
    Ok(())
}

/// The error of a program that cannot use the descriptors with which it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActivationError {
    /// The variable of this name has an invalid value.
    Malformed(&'static str),
    /// The number of names in `LISTEN_FDNAMES` is not `LISTEN_FDS`.
    Names,
    /// Fewer descriptors are open than `LISTEN_FDS` says.
    NotOpen,
    /// Several descriptors were passed, and none of them is named `varlink`.
    NoneNamed,
    /// Several descriptors are named `varlink`.
    SeveralNamed,
    /// The descriptor is not a socket.
    NotASocket,
    /// The descriptor is a socket, but not a stream socket.
    NotAStream,
    /// Another error of the system, by its number: errno(3).
    System(i32),
}

impl fmt::Display for ActivationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ActivationError::Malformed(variable) => {
                return write!(f, "{variable} is malformed: see sd-daemon(3)");
            }
            ActivationError::System(errno) => {
                return write!(f, "system error {errno}: see errno(3)");
            }
            ActivationError::Names => "the number of names in LISTEN_FDNAMES is not LISTEN_FDS",
            ActivationError::NotOpen => {
                "fewer descriptors are open than LISTEN_FDS says: were some closed already?"
            }
            ActivationError::NoneNamed => {
                "several sockets were passed: name one varlink (FileDescriptorName=varlink)"
            }
            ActivationError::SeveralNamed => {
                "several sockets are named varlink: give the others another name"
            }
            ActivationError::NotASocket => "the descriptor is not a socket",
            ActivationError::NotAStream => "the socket is not a stream socket: use ListenStream=",
        })
    }
}

impl core::error::Error for ActivationError {}

impl ActivationError {
    fn from_errno(errno: Errno) -> Self {
        match errno {
            Errno::NOTSOCK => ActivationError::NotASocket,
            errno => ActivationError::System(errno.raw_os_error()),
        }
    }
}

/// The number of the first passed descriptor: `SD_LISTEN_FDS_START`.
const FIRST_FD: RawFd = 3;

/// The type of the file system of pidfds that have unique inode numbers: statfs(2).
const PID_FS_MAGIC: u64 = 0x5049_4446;

/// Parses a number; None if it is not one.
fn parse(text: &[u8]) -> Option<u64> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// True if the variables name this process; an unparsable value never matches.
fn is_for_this_process(pid: Option<u64>, pidfd: Option<Option<u64>>) -> bool {
    let own_pid = getpid();
    if pid != Some(own_pid.as_raw_nonzero().get().unsigned_abs().into()) {
        return false;
    }
    match (pidfd, pidfd.and_then(|_| pidfd_id(own_pid))) {
        (Some(pidfd), Some(own_id)) => pidfd.map(inode_number) == Some(inode_number(own_id)),
        _ => true,
    }
}

/// Returns the numbers of `count` passed descriptors; None if `count` is zero or too large.
fn fd_numbers(count: u64) -> Option<Range<RawFd>> {
    let count = RawFd::try_from(count).ok().filter(|count| *count > 0)?;
    Some(FIRST_FD..FIRST_FD.checked_add(count)?)
}

/// Returns the inode number of the pidfd of a process, which no other process ever gets. None if
/// the kernel has no such numbers.
fn pidfd_id(pid: Pid) -> Option<u64> {
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let kind = u64::try_from(fstatfs(&pidfd).ok()?.f_type).ok()?;
    let stat = fstat(&pidfd).ok()?;
    (kind == PID_FS_MAGIC).then_some(stat.st_ino)
}

/// Returns an inode number as fstat(2) does: on 32-bit kernels its lower half.
fn inode_number(id: u64) -> u64 {
    if cfg!(target_pointer_width = "32") {
        id & u64::from(u32::MAX)
    } else {
        id
    }
}
