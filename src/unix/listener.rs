//! Listening sockets and devices.

use core::ffi::CStr;

use rustix::event::PollFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, FlockOperation, Mode, OFlags, chmod, chmodat, fchmod, flock, fstat, lstat,
    mkdir, open, unlink,
};
use rustix::io::{Errno, ioctl_fionbio, retry_on_intr};
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{SocketFlags, accept_with, bind, getsockname, listen};
use rustix::path::DecInt;

use super::PATH_MAX;
use super::device::{self, Device};
use super::error::{IoError, unless_again};
use super::path::{Path, file_type, type_of};
use super::socket::{self, SocketKind};
use super::stream::Stream;
use super::time::{BACK_OFF, pause, wait};
use crate::address::Address;

/// A listening socket, or a device with clients at its other end.
///
/// Dropping it does not remove the file of a Unix socket. The next listener at the path replaces
/// it.
#[derive(Debug)]
pub struct Listener {
    source: ListenerKind,
}

#[derive(Debug)]
enum ListenerKind {
    Socket {
        socket: OwnedFd,
        kind: SocketKind,
        /// True if the socket was handed over, and its options are unknown.
        adopted: bool,
        /// True if the system supports tags on sockets.
        tags: bool,
    },
    /// The path of a device, which is opened for each connection.
    Device(heapless::String<PATH_MAX>, Device),
}

impl Listener {
    /// The mode of a socket to which only its owner may connect. Everybody may read its attributes:
    /// UAPI.20, "Listening Sockets and Access Control".
    pub const OWNER: u32 = 0o644;

    /// The mode of a socket to which everybody may connect.
    pub const EVERYBODY: u32 = 0o666;

    /// Listens at a path, such as `/run/x` or `./x`, at an address, such as `unix:@name`,
    /// `tcp:[::1]:12345` or `device:/dev/ttyS1`, or, for the name of an interface, such as
    /// `org.example.ftl`, at its path in the [registry](Address::Interface). A path in the working
    /// directory needs the `./`. A socket at a path has the mode of the address, as in
    /// `unix:/path;mode=0666`, or else [`OWNER`](Self::OWNER).
    ///
    /// This function links the code for all kinds of addresses. A small program that listens at a
    /// path calls `Listener::bind_to(Address::Unix(path), Listener::OWNER)` instead.
    ///
    /// # Errors
    ///
    /// Like [`bind_with`](Self::bind_with).
    pub fn bind(path: &str) -> Result<Self, IoError> {
        Listener::bind_with(path, Listener::OWNER)
    }

    /// Like [`bind`](Self::bind), with a mode for an address without one.
    ///
    /// # Errors
    ///
    /// Returns [`IoError::Address`] if the text is not an address to listen at, or has another
    /// property than `mode=`; and the errors of [`bind_to`](Self::bind_to).
    pub fn bind_with(path: &str, mode: u32) -> Result<Self, IoError> {
        let (address, own_mode) = super::listening_address(path)?;
        Listener::bind_to(address, own_mode.unwrap_or(mode))
    }

    /// Listens at an address.
    ///
    /// A Unix socket at a path gets the mode, regardless of the umask. Clients need write access to
    /// connect. No other user should be able to write to its directory. A socket in the abstract
    /// namespace and a TCP port have no mode: everybody may connect.
    ///
    /// A stale socket at the path, on which no service listens, is replaced. Any other file is left
    /// unchanged.
    ///
    /// A device is opened when its connection is accepted, and may be missing until then.
    ///
    /// Of the addresses of a host name, the first that can be listened at is used.
    ///
    /// # Errors
    ///
    /// Returns [`IoError::InUse`] if a service listens at the address already, and
    /// [`IoError::NotASocket`] or [`IoError::NotADevice`] if another kind of file is at the path.
    /// Also returns [`IoError::NoDirectory`], [`IoError::PathTooLong`], and other errors of the
    /// system.
    pub fn bind_to(address: Address<'_>, mode: u32) -> Result<Self, IoError> {
        let registered = socket::registered(address)?;
        let address = registered.as_deref().map_or(address, Address::Unix);
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
        socket::resolve(address, |address| Listener::listen(address, mode))
    }

    /// Creates the missing directories of a socket's path, as `DirectoryMode=` of systemd.socket(5)
    /// does. `address` is that of [`bind`](Self::bind). Other addresses have no directories. An
    /// existing directory is left unchanged.
    ///
    /// The umask reduces the mode: mkdir(2).
    ///
    /// # Errors
    ///
    /// Returns the errors of the address that `bind` returns, and those of mkdir(2), such as
    /// [`IoError::NoDirectory`] if a file is in the place of a directory.
    ///
    /// ```no_run
    /// use nullink::unix::Listener;
    ///
    /// let path = "/run/example/org.example.ping";
    /// Listener::make_directory(path, 0o755)?;
    /// let listener = Listener::bind(path)?;
    /// # Ok::<(), nullink::unix::IoError>(())
    /// ```
    pub fn make_directory(address: &str, mode: u32) -> Result<(), IoError> {
        let (address, _) = super::listening_address(address)?;
        let registered = socket::registered(address)?;
        let address = registered.as_deref().map_or(address, Address::Unix);
        let Address::Unix(path) = address else {
            return Ok(());
        };
        let ends = path.bytes().enumerate().filter(|(_, byte)| *byte == b'/');
        for (end, _) in ends {
            let directory = path.get(..end).unwrap_or_default();
            if directory.is_empty() {
                continue;
            }
            let made = mkdir(Path::new(directory)?.as_c_str(), Mode::from_raw_mode(mode));
            match made {
                Ok(()) | Err(Errno::EXIST) => {}
                // It exists, and is not writable.
                Err(Errno::ROFS | Errno::ACCESS) if file_type(directory).is_ok() => {}
                Err(Errno::NOTDIR) => return Err(IoError::NoDirectory),
                Err(errno) => return Err(IoError::from_errno(errno)),
            }
        }
        Ok(())
    }

    /// Listens at an address of a socket.
    fn listen(address: Address<'_>, mode: u32) -> Result<Self, IoError> {
        let (socket, kind) = socket::new(address)?;
        match address {
            Address::Unix(path) => bind_to_path(&socket, path, Mode::from_raw_mode(mode))?,
            Address::Tcp(to) => {
                // Lets a restarted service bind before the kernel forgets its old connections:
                // socket(7).
                let reusable = set_socket_reuseaddr(&socket, true);
                let bound = reusable.and_then(|()| bind(&socket, &to));
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

    /// Creates a listener of a listening socket.
    fn listening(socket: OwnedFd, kind: SocketKind, adopted: bool) -> Self {
        // This fails only if the descriptor is not a socket, which accept(2) reports.
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

    /// Returns the TCP port, which the system chooses if the address has port 0. None if this is
    /// not a TCP socket.
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
    /// Returns the connection of a device as soon as the device exists, and no other connection
    /// uses it.
    ///
    /// # Errors
    ///
    /// Fails if accept(2) fails, or if the device cannot be opened. If the system has [run out of
    /// descriptors or memory](IoError::is_exhausted), the connection stays in the queue.
    pub fn accept(&self) -> Result<Stream, IoError> {
        let mut is_shut_down = false;
        loop {
            if let Some(stream) = self.accept_now()? {
                return Ok(stream);
            }
            if is_shut_down {
                return Err(IoError::SHUT_DOWN);
            }
            match &self.source {
                ListenerKind::Socket { socket, .. } => {
                    let ready = wait(socket, PollFlags::IN | PollFlags::RDHUP, None)?;
                    is_shut_down = ready.intersects(PollFlags::HUP | PollFlags::RDHUP);
                }
                ListenerKind::Device(..) => pause(BACK_OFF)?,
            }
        }
    }

    /// Accepts the next connection without waiting; None if no connection is pending.
    ///
    /// # Errors
    ///
    /// Like [`accept`](Self::accept).
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

    /// Returns the descriptor that is readable while a connection is pending; None for a device.
    ///
    /// Use it to set socket options that rustix does not know. In a service that takes no
    /// descriptors, `SO_PASSRIGHTS` should be off, so that none are queued: UAPI.20, "Passing File
    /// Descriptors". In a service that takes descriptors, `SO_PASSPIDFD` must be off, which
    /// systemd's `PassPIDFD=` turns on: the room for descriptors would receive a pidfd, which this
    /// library cannot close.
    pub fn pollable(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            ListenerKind::Socket { socket, .. } => Some(socket.as_fd()),
            ListenerKind::Device(..) => None,
        }
    }
}

impl From<OwnedFd> for Listener {
    /// Takes a socket that is already listening, and makes it non-blocking.
    fn from(socket: OwnedFd) -> Self {
        let kind = SocketKind::detect(&socket);
        Listener::listening(socket, kind, true)
    }
}

/// Calls accept(2); None if no connection is pending.
fn accept(socket: &OwnedFd) -> Result<Option<OwnedFd>, IoError> {
    loop {
        match accept_with(socket, SocketFlags::CLOEXEC) {
            // The client is gone already, or a signal was received.
            Err(Errno::CONNABORTED | Errno::INTR) => {}
            // The network has lost a TCP client.
            Err(Errno::PROTO | Errno::NETDOWN | Errno::NETUNREACH | Errno::HOSTUNREACH) => {}
            accepted => return unless_again(accepted),
        }
    }
}

/// Binds a socket to a path with a mode, and listens.
fn bind_to_path(socket: &OwnedFd, path: &str, mode: Mode) -> Result<(), IoError> {
    let to = socket::unix_address(Address::Unix(path))?;
    let name = Path::new(path)?;
    let name = name.as_c_str();
    // bind(2) gives the file the mode of the socket minus the umask, so it never allows too much.
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

/// The maximum number of pending connections. The kernel also has its own limit: listen(2).
const BACKLOG: i32 = 128;

/// The number of tries to lock a directory that another process has locked.
const LOCK_TRIES: usize = 20;

/// The pause before the next try to lock a directory, and before a socket that seems stale is
/// probed again, in milliseconds.
const RETRY_PAUSE: u64 = 10;

/// Converts the error of a system call that binds a socket.
fn bind_error(errno: Errno) -> IoError {
    match errno {
        Errno::ADDRINUSE => IoError::InUse,
        Errno::NOENT => IoError::NoDirectory,
        errno => IoError::from_errno(errno),
    }
}

/// Restores the bits that the umask has removed from the mode of the socket at a path.
///
/// chmod(2) follows links, and another process may replace the socket with a link if the directory
/// permits it. So the socket is opened, and changed through its descriptor: proc_pid_fd(5).
fn set_mode(path: &CStr, mode: Mode) -> Result<(), Errno> {
    let socket = open_retrying(path, PATH_ONLY | OFlags::NOFOLLOW)?;
    let found = fstat(&socket)?.st_mode;
    if FileType::from_raw_mode(found) != FileType::Socket || Mode::from_raw_mode(found) == mode {
        return Ok(());
    }
    match open_retrying(c"/proc/self/fd", PATH_ONLY | OFlags::DIRECTORY) {
        Ok(all) => chmodat(all, DecInt::from_fd(&socket), mode, AtFlags::empty()),
        // As long as /proc is not mounted, there are no other users.
        Err(_) => chmod(path, mode),
    }
}

/// The flags for a descriptor that only refers to a file: `O_PATH`, open(2).
const PATH_ONLY: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Opens a file, and tries again after a signal.
fn open_retrying(path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    retry_on_intr(|| open(path, flags, Mode::empty()))
}

/// Removes the socket at a path if no service listens on it. Returns [`IoError::NotFound`] if the
/// path does not exist.
fn remove_stale(path: &str, name: &CStr) -> Result<(), IoError> {
    if type_of(lstat(name))? != FileType::Socket {
        return Err(IoError::NotASocket);
    }
    let mut found = socket::probe(path);
    if found == Err(IoError::Stale) {
        // A service that has just bound it may be about to listen.
        pause(RETRY_PAUSE)?;
        found = socket::probe(path);
    }
    match found {
        Err(IoError::Stale) => unlink(name).map_err(IoError::from_errno),
        Err(IoError::NotFound) => Err(IoError::NotFound),
        _ => Err(IoError::InUse),
    }
}

/// Locks the directory of a socket. Without the lock, a service could take the socket of another
/// for a stale one, while that is bound but does not listen yet.
///
/// Every process that can read the directory can hold the lock. So this function waits only for a
/// short time, and then returns None.
fn lock_directory(path: &str) -> Option<OwnedFd> {
    let directory = match path.bytes().rposition(|byte| byte == b'/') {
        None => ".",
        Some(0) => "/",
        Some(end) => path.get(..end)?,
    };
    let directory = Path::new(directory).ok()?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open_retrying(directory.as_c_str(), flags).ok()?;
    for _ in 0..LOCK_TRIES {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(directory),
            Err(Errno::AGAIN) => pause(RETRY_PAUSE).ok(),
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
    fn accept_now_does_not_wait_on_own_or_adopted_sockets() {
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
