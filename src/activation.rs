//! Sockets that a program is started with: UAPI.20, "Socket Activation"; sd_listen_fds(3).
//!
//! A service manager, or a client with `exec:/program`, listens or connects before the service
//! runs, and hands it the socket: [`Activated::from_environment`] takes it.
//!
//! ```no_run
//! use nullink::unix::fd::{FromRawFd, OwnedFd};
//! use nullink::activation::Activated;
//! use nullink::unix::Listener;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // First thing in main: nothing else has opened a descriptor yet.
//! let activated = Activated::from_environment(
//!     |name| std::env::var(name).ok(),
//!     // SAFETY: they were passed to this process, to be owned by whoever asks first. This asks
//!     // once, and is asked once for each.
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
//! **The environment**, as a function that finds a variable: `String`, `&str` or `&[u8]`, whatever
//! there is. Without libc the environment is what lies on the stack behind the arguments:
//!
//! ```
//! use nullink::activation::{Activated, ActivationError};
//!
//! // From the pointers that the kernel has left, up to the null: CStr::to_bytes.
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
//! **`adopt`**, because a number becomes a descriptor only by `unsafe` code: somebody has to answer
//! for it that nobody else owns the descriptor of that number. The library can't know that, and
//! forbids unsafe code; the program can, if it asks once, before it opens anything. `adopt` is called
//! once for each descriptor, and never if they are another process's.
//!
//! **The other side**, which starts a program with a socket, is unsafe code throughout: what happens
//! between fork(2) and execve(2). It is in `examples/shared/process.rs`, to be copied.
//!
//! # Whose descriptors they are
//!
//! `LISTEN_PID` has to be this process; where `LISTEN_PIDFDID` is set, it has to be the inode number
//! of this process's pidfd, which no other process ever gets. Otherwise, and if they are no numbers,
//! the descriptors belong to another process, whose environment was inherited: nothing is touched.
//! Kernels before 6.9 have no such inode numbers: there `LISTEN_PIDFDID` is not looked at, as by
//! sd_listen_fds(3).
//!
//! The variables stay where they are: children that inherit them can't take them for theirs.

use core::ops::Range;
use core::{fmt, str};

use rustix::fd::{OwnedFd, RawFd};
use rustix::fs::{fstat, fstatfs};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::SocketType;
use rustix::net::sockopt::{socket_acceptconn, socket_type};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};

use crate::unix::{Listener, Stream};

/// The socket that a service was started with.
#[derive(Debug)]
pub enum Activated {
    /// One to listen on: its connections are waiting. (systemd: `Accept=no`.)
    Listener(Listener),
    /// One that is connected: the service is there for this connection alone. (systemd:
    /// `Accept=yes`; `exec:/program`.)
    Connection(Stream),
}

impl Activated {
    /// Takes the socket that this service was started with: the one that is named `varlink`, or the
    /// only one. None, if it was not started with any.
    ///
    /// It is close-on-exec from here on. Others are closed: for a program that is passed other things
    /// as well there is [`descriptors`].
    ///
    /// See the [module](self) for what `environment` and `adopt` are. To be called once, and first.
    ///
    /// # Errors
    ///
    /// If what was passed is not a socket for Varlink, or the variables contradict themselves. An
    /// activated service that can't use its socket should say so and end: who has started it waits for
    /// an answer there.
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

    /// Finds out what a descriptor is: `SO_ACCEPTCONN`, socket(7).
    fn try_from(socket: OwnedFd) -> Result<Self, ActivationError> {
        match socket_type(&socket).and_then(|kind| Ok((kind, socket_acceptconn(&socket)?))) {
            Ok((SocketType::STREAM, true)) => Ok(Activated::Listener(socket.into())),
            Ok((SocketType::STREAM, false)) => Ok(Activated::Connection(socket.into())),
            Ok(_) => Err(ActivationError::NotAStream),
            Err(errno) => Err(ActivationError::from_errno(errno)),
        }
    }
}

/// Takes every descriptor that this process was started with, each with its name: what
/// `FileDescriptorName=` says, systemd.socket(5), and "unknown" if nobody says anything.
///
/// They are close-on-exec from here on. One that `found` does not keep is closed.
///
/// See the [module](self) for what `environment` and `adopt` are. To be called once, and first.
///
/// # Errors
///
/// As of sd_listen_fds_with_names(3): [`ActivationError::Malformed`] if `LISTEN_FDS` is not a number above
/// zero, [`ActivationError::Names`] if there are not as many names as descriptors; nothing has been taken.
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
    // A str's own split is 400 bytes of code more.
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
                // There is nothing to be closed.
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

/// Why a program can't use what it was started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActivationError {
    /// The variable of this name is set to what it can't be.
    Malformed(&'static str),
    /// `LISTEN_FDNAMES` has another number of names than `LISTEN_FDS` says.
    Names,
    /// Fewer descriptors are open than `LISTEN_FDS` says.
    NotOpen,
    /// There are several descriptors, and none of them is named `varlink`.
    NoneNamed,
    /// Several descriptors are named `varlink`.
    SeveralNamed,
    /// The descriptor is something else than a socket.
    NotASocket,
    /// The descriptor is a socket, but not a stream socket.
    NotAStream,
    /// Any other reason that the system has, by its number: errno(3).
    System(i32),
}

impl fmt::Display for ActivationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ActivationError::Malformed(variable) => {
                return write!(f, "{variable} is malformed: see sd_listen_fds(3)");
            }
            ActivationError::System(errno) => {
                return write!(f, "system error {errno}: see errno(3)");
            }
            ActivationError::Names => "LISTEN_FDNAMES has not as many names as LISTEN_FDS says",
            ActivationError::NotOpen => {
                "LISTEN_FDS says more than is open: were descriptors closed, or taken already?"
            }
            ActivationError::NoneNamed => {
                "several sockets were passed: name one varlink (FileDescriptorName=varlink)"
            }
            ActivationError::SeveralNamed => {
                "several sockets named varlink were passed: give the others another name"
            }
            ActivationError::NotASocket => "what was passed is not a socket",
            ActivationError::NotAStream => {
                "what was passed is not a stream socket: use ListenStream="
            }
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

/// The number of the first descriptor that is passed: `SD_LISTEN_FDS_START`.
const FIRST: RawFd = 3;

/// The kind of file system that pidfds with a number of their own are in: statfs(2).
const PID_FS_MAGIC: u64 = 0x5049_4446;

fn parse(text: &[u8]) -> Option<u64> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// True if the variables name this process; an unparsable value never matches.
fn is_for_this_process(pid: Option<u64>, pidfd: Option<Option<u64>>) -> bool {
    let me = getpid();
    if pid != Some(me.as_raw_nonzero().get().unsigned_abs().into()) {
        return false;
    }
    match (pidfd, pidfd.and_then(|_| pidfd_id(me))) {
        (Some(pidfd), Some(mine)) => pidfd.map(inode_number) == Some(inode_number(mine)),
        _ => true,
    }
}

/// The numbers of `count` descriptors; None if that is zero, or more than there can be.
fn fd_numbers(count: u64) -> Option<Range<RawFd>> {
    let count = RawFd::try_from(count).ok().filter(|count| *count > 0)?;
    Some(FIRST..FIRST.checked_add(count)?)
}

/// The inode number of a process's pidfd, which no other process ever gets; None if the kernel has none.
fn pidfd_id(pid: Pid) -> Option<u64> {
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let kind = u64::try_from(fstatfs(&pidfd).ok()?.f_type).ok()?;
    let stat = fstat(&pidfd).ok()?;
    (kind == PID_FS_MAGIC).then_some(stat.st_ino)
}

/// An inode number as fstat(2) returns it: on 32-bit kernels its lower half.
fn inode_number(id: u64) -> u64 {
    if cfg!(target_pointer_width = "32") {
        id & u64::from(u32::MAX)
    } else {
        id
    }
}
