//! Listening sockets and devices.

use core::ffi::CStr;

use rustix::event::PollFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, FlockOperation, Mode, OFlags, chmod, chmodat, fchmod, flock, fstat, lstat,
    open, unlink,
};
use rustix::io::{Errno, ioctl_fionbio, retry_on_intr};
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{SocketFlags, accept_with, bind, getsockname, listen};
use rustix::path::DecInt;

use super::PATH_MAX;
use super::device::{self, Device};
use super::error::{IoError, unless_again};
use super::path::{Path, type_of};
use super::socket::{self, SocketKind};
use super::stream::Stream;
use super::time::{BACK_OFF, pause, wait};
use crate::address::Address;

/// A listening socket, or a device with clients at its other end.
///
/// The file of a Unix socket stays when it is dropped: the next one to bind the path replaces it.
#[derive(Debug)]
pub struct Listener {
    source: ListenerKind,
}

#[derive(Debug)]
enum ListenerKind {
    Socket {
        socket: OwnedFd,
        kind: SocketKind,
        /// It was handed over, and its options are unknown.
        adopted: bool,
        /// The system takes tags.
        tags: bool,
    },
    /// It is opened anew for each connection.
    Device(heapless::String<PATH_MAX>, Device),
}

impl Listener {
    /// The mode of a socket that only its owner may connect to, and everybody may see what it is:
    /// UAPI.20, "Listening Sockets and Access Control".
    pub const OWNER: u32 = 0o644;

    /// The mode of a socket that everybody may connect to.
    pub const EVERYBODY: u32 = 0o666;

    /// Listens at a path, or at an address (`unix:@name`, `tcp:[::1]:12345`, `device:/dev/ttyS1`),
    /// for the [`OWNER`](Self::OWNER) alone.
    ///
    /// That links the code for all kinds of addresses. A small program that listens at a path calls
    /// `Listener::bind_to(Address::Unix(path), Listener::OWNER)`.
    ///
    /// # Errors
    ///
    /// As [`bind_to`](Self::bind_to).
    pub fn bind(path: &str) -> Result<Self, IoError> {
        let address = super::address(path)?;
        Listener::bind_to(address, Listener::OWNER)
    }

    /// Listens at an address.
    ///
    /// A Unix socket at a path gets the mode, whatever the umask is; to connect one needs write
    /// access. No other user should be able to write to its directory. A socket in the abstract
    /// namespace and a TCP port have no mode: everybody may connect.
    ///
    /// A stale socket at the path, on which no service listens, is replaced. Anything else is left
    /// alone.
    ///
    /// A device is opened when its connection is accepted, and may be missing until then.
    ///
    /// # Errors
    ///
    /// [`IoError::InUse`] if another process listens there, [`IoError::NotASocket`] or
    /// [`IoError::NotADevice`] if another kind of file is at the path, [`IoError::NoDirectory`],
    /// [`IoError::PathTooLong`], or what the system says.
    pub fn bind_to(address: Address<'_>, mode: u32) -> Result<Self, IoError> {
        if let Address::Device(path) = address {
            let device = Device::supported()?;
            match device::check(path) {
                Ok(()) | Err(IoError::NotFound) => {}
                Err(error) => return Err(error),
            }
            let path = path.try_into().map_err(|_| IoError::PathTooLong)?;
            let source = ListenerKind::Device(path, device);
            return Ok(Listener { source });
        }
        let (socket, kind) = socket::new(address)?;
        match address {
            Address::Unix(path) => bind_to_path(&socket, path, Mode::from_raw_mode(mode))?,
            Address::Tcp(to) => {
                // A service that is started again need not wait for its old connections to be
                // forgotten: socket(7).
                let ready = set_socket_reuseaddr(&socket, true);
                let bound = ready.and_then(|()| bind(&socket, &to));
                bound
                    .and_then(|()| listen(&socket, BACKLOG))
                    .map_err(bind_error)?;
            }
            address => {
                let bound = bind(&socket, &socket::unix_address(address)?);
                bound
                    .and_then(|()| listen(&socket, BACKLOG))
                    .map_err(bind_error)?;
            }
        }
        Ok(Listener::listening(socket, kind, false))
    }

    /// Takes a socket that listens.
    fn listening(socket: OwnedFd, kind: SocketKind, adopted: bool) -> Self {
        // If that fails, it is not a socket, and accept(2) will say so.
        let _ = ioctl_fionbio(&socket, true);
        let tags = socket::tag(&socket, kind, "listen");
        let source = ListenerKind::Socket {
            socket,
            kind,
            adopted,
            tags,
        };
        Listener { source }
    }

    /// The TCP port, which the system has chosen if the address said 0.
    ///
    /// ```
    /// use nullink::unix::{Listener, Stream};
    ///
    /// let listener = Listener::bind("tcp:127.0.0.1:0")?;
    /// let port = listener.port().expect("a TCP port");
    /// let client = Stream::connect(&format!("tcp:127.0.0.1:{port}"))?;
    /// # Ok::<(), nullink::unix::IoError>(())
    /// ```
    pub fn port(&self) -> Option<u16> {
        let address: core::net::SocketAddr = getsockname(self.pollable()?).ok()?.try_into().ok()?;
        Some(address.port())
    }

    /// Waits for the next connection: accept(2).
    ///
    /// That of a device is there when the device is, and no other connection uses it.
    ///
    /// # Errors
    ///
    /// What the system says. If it has no descriptors or no memory left
    /// ([`is_exhausted`](IoError::is_exhausted)), the connection stays in the queue.
    pub fn accept(&self) -> Result<Stream, IoError> {
        loop {
            if let Some(stream) = self.accept_now()? {
                return Ok(stream);
            }
            match &self.source {
                ListenerKind::Socket { socket, .. } => wait(socket, PollFlags::IN, None)?,
                ListenerKind::Device(..) => pause(BACK_OFF)?,
            }
        }
    }

    /// Accepts the next connection without waiting; None if there is none.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub(crate) fn accept_now(&self) -> Result<Option<Stream>, IoError> {
        match &self.source {
            ListenerKind::Device(path, _) => match Stream::open(path) {
                Err(error) if device::is_absent(&error) => Ok(None),
                opened => opened.map(Some),
            },
            ListenerKind::Socket {
                socket,
                kind,
                adopted,
                tags,
            } => {
                let Some(socket) = accept(socket)? else {
                    return Ok(None);
                };
                if *tags {
                    socket::tag(&socket, *kind, "server");
                }
                Ok(Some(if *adopted {
                    Stream::adopted(socket, *kind)
                } else {
                    Stream::new(socket, *kind)
                }))
            }
        }
    }

    /// The descriptor that is readable while a connection waits; None for a device.
    ///
    /// It is the place to set options that rustix does not know. Where no descriptors are taken,
    /// `SO_PASSRIGHTS` should be off, so that none are queued: UAPI.20, "Passing File Descriptors".
    /// Where some are, `SO_PASSPIDFD` has to be off, which systemd's `PassPIDFD=` turns on: the room for
    /// them would be room for a pidfd, which nothing here could close.
    pub fn pollable(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            ListenerKind::Socket { socket, .. } => Some(socket.as_fd()),
            ListenerKind::Device(..) => None,
        }
    }
}

impl From<OwnedFd> for Listener {
    /// Takes a socket that listens already. It becomes a non-blocking one.
    fn from(socket: OwnedFd) -> Self {
        let kind = SocketKind::detect(&socket);
        Listener::listening(socket, kind, true)
    }
}

/// accept(2); None if no client waits.
fn accept(socket: &OwnedFd) -> Result<Option<OwnedFd>, IoError> {
    loop {
        match accept_with(socket, SocketFlags::CLOEXEC) {
            // The client is gone already, or a signal came.
            Err(Errno::CONNABORTED | Errno::INTR) => {}
            // So is a client of TCP that the network has lost.
            Err(Errno::PROTO | Errno::NETDOWN | Errno::NETUNREACH | Errno::HOSTUNREACH) => {}
            accepted => return unless_again(accepted),
        }
    }
}

/// Listens at a path.
fn bind_to_path(socket: &OwnedFd, path: &str, mode: Mode) -> Result<(), IoError> {
    let to = socket::unix_address(Address::Unix(path))?;
    let name = Path::new(path)?;
    let name = name.as_c_str();
    // The file gets the mode of the socket, less the umask: it never allows too much.
    fchmod(socket, mode).map_err(bind_error)?;
    let _lock = lock_directory(path);
    let mut bound = bind(socket, &to);
    if bound == Err(Errno::ADDRINUSE) {
        match remove_stale(path, name) {
            // Another process may have removed it.
            Ok(()) | Err(IoError::NotFound) => bound = bind(socket, &to),
            Err(error) => return Err(error),
        }
    }
    bound.map_err(bind_error)?;
    let listening = set_mode(name, mode).and_then(|()| listen(socket, BACKLOG));
    match listening {
        Ok(()) => socket::tag_path(name),
        Err(_) => _ = unlink(name),
    }
    listening.map_err(bind_error)
}

/// How many clients may wait. The kernel has a limit of its own: listen(2).
const BACKLOG: i32 = 128;

/// How often the lock of a directory is tried, and how long after another service was seen to start
/// it is looked at again, in milliseconds.
const LOCK_TRIES: usize = 20;
const PAUSE: u64 = 10;

/// Why bind(2) has failed.
fn bind_error(errno: Errno) -> IoError {
    match errno {
        Errno::ADDRINUSE => IoError::InUse,
        Errno::NOENT => IoError::NoDirectory,
        errno => IoError::from_errno(errno),
    }
}

/// Gives the socket at a path what the umask has taken from its mode.
///
/// chmod(2) follows links, and another process may put one in place of the socket where the directory
/// allows it. So the socket is opened, and found by its descriptor: proc_pid_fd(5).
fn set_mode(path: &CStr, mode: Mode) -> Result<(), Errno> {
    let socket = open(path, LOOK | OFlags::NOFOLLOW, Mode::empty())?;
    let found = fstat(&socket)?.st_mode;
    if FileType::from_raw_mode(found) != FileType::Socket || Mode::from_raw_mode(found) == mode {
        return Ok(());
    }
    match open(c"/proc/self/fd", LOOK | OFlags::DIRECTORY, Mode::empty()) {
        Ok(all) => chmodat(all, DecInt::from_fd(&socket), mode, AtFlags::empty()),
        // Where /proc is not mounted yet, there are no other users.
        Err(_) => chmod(path, mode),
    }
}

/// What is opened so is not read.
const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Removes the socket at a path, if no service listens there. [`IoError::NotFound`] if none is there.
fn remove_stale(path: &str, name: &CStr) -> Result<(), IoError> {
    if type_of(lstat(name))? != FileType::Socket {
        return Err(IoError::NotASocket);
    }
    let mut found = socket::probe(path);
    if found == Err(IoError::Stale) {
        // One that was bound just now may be about to listen.
        pause(PAUSE)?;
        found = socket::probe(path);
    }
    match found {
        Err(IoError::Stale) => unlink(name).map_err(IoError::from_errno),
        Err(IoError::NotFound) => Err(IoError::NotFound),
        _ => Err(IoError::InUse),
    }
}

/// Locks the directory, so that of several services that start at once none takes the socket of
/// another, which is bound and does not listen yet, for a stale one.
///
/// Every process that can read the directory can hold the lock, so it is not waited for long, and
/// done without.
fn lock_directory(path: &str) -> Option<OwnedFd> {
    let directory = match path.bytes().rposition(|byte| byte == b'/') {
        None => ".",
        Some(0) => "/",
        Some(end) => path.get(..end)?,
    };
    let directory = Path::new(directory).ok()?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = retry_on_intr(|| open(directory.as_c_str(), flags, Mode::empty())).ok()?;
    for _ in 0..LOCK_TRIES {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(directory),
            Err(Errno::AGAIN) => pause(PAUSE).ok(),
            Err(_) => return None,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn nothing_is_waited_for_whoever_has_made_the_socket() {
        let name = format!("unix:@nullink-test-accept-{}", std::process::id());
        for address in [&name[..], "tcp:127.0.0.1:0"] {
            let listener = Listener::bind(address).unwrap();
            let connect = || match listener.port() {
                Some(port) => Stream::connect(&format!("tcp:127.0.0.1:{port}")).unwrap(),
                None => Stream::connect(address).unwrap(),
            };
            let ListenerKind::Socket { socket, .. } = &listener.source else {
                panic!("a socket");
            };
            let copy = rustix::io::fcntl_dupfd_cloexec(socket, 0).unwrap();
            ioctl_fionbio(&copy, false).unwrap();
            let adopted = Listener::from(copy);
            for listener in [&listener, &adopted] {
                assert!(matches!(listener.accept_now(), Ok(None)));
                let _client = connect();
                assert!(matches!(listener.accept_now(), Ok(Some(_))));
                assert!(matches!(listener.accept_now(), Ok(None)));
            }
        }
    }
}
