//! Where connections come from.

use core::ffi::CStr;

use rustix::event::PollFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    FileType, FlockOperation, Mode, OFlags, chmod, fchmod, flock, lstat, open, unlink,
};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{SocketFlags, accept_with, bind, getsockname, listen};

use super::PATH_MAX;
use super::device;
use super::error::Error;
use super::socket::{self, Kind, Path, Role};
use super::stream::Stream;
use super::time::{BACK_OFF, pause, wait};
use crate::address::Address;

/// A socket that services listen on, or a device that clients are at the other end of.
///
/// The file of a Unix socket stays when it is dropped: the next one to bind the path replaces it.
#[derive(Debug)]
pub struct Listener {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Socket {
        socket: OwnedFd,
        kind: Kind,
        /// The system takes the tags of Unix sockets.
        tags: bool,
    },
    /// It is opened anew for each connection. (Through a pointer, so that programs that bind no
    /// device have none of the code for it.)
    Device(
        heapless::String<PATH_MAX>,
        fn(&str) -> Result<Stream, Error>,
    ),
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
    /// All kinds of addresses are read for that. A program that counts its bytes, and listens at a
    /// path, says so: `Listener::bind_to(Address::Unix(path), Listener::OWNER)`.
    ///
    /// # Errors
    ///
    /// As [`bind_to`](Self::bind_to).
    pub fn bind(path: &str) -> Result<Self, Error> {
        let address = super::address(path)?;
        Listener::bind_to(address, Listener::OWNER)
    }

    /// Listens at an address.
    ///
    /// A Unix socket at a path gets the mode, whatever the umask is; to connect one needs write
    /// access. As with every socket, nobody else should be able to write to its directory. A socket
    /// in the abstract namespace has no mode, and neither has a TCP port: everybody may connect.
    ///
    /// A stale socket at the path, one on which nobody listens, is replaced. Anything else that is
    /// there is left alone.
    ///
    /// A device is opened when its connection is accepted, and may be missing until then.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] if somebody else listens there, [`Error::NotASocket`] or
    /// [`Error::NotADevice`] if something else is at the path, [`Error::NoDirectory`],
    /// [`Error::PathTooLong`], or what the system says.
    pub fn bind_to(address: Address<'_>, mode: u32) -> Result<Self, Error> {
        if let Address::Exec(_) = address {
            return Err(Error::Exec);
        }
        if let Address::Device(path) = address {
            return match device::check(path) {
                Ok(()) | Err(Error::NotFound) => match path.try_into() {
                    Ok(path) => Ok(Listener::on(Source::Device(path, Stream::open))),
                    Err(_) => Err(Error::PathTooLong),
                },
                Err(error) => Err(error),
            };
        }
        let (socket, kind) = socket::new(address)?;
        match address {
            Address::Unix(path) => bind_to_path(&socket, path, Mode::from_raw_mode(mode))?,
            Address::Tcp(to) => {
                // A service that is started again need not wait for its old connections to be
                // forgotten: socket(7).
                set_socket_reuseaddr(&socket, true)?;
                bind(&socket, &to).map_err(bind_error)?;
                listen(&socket, BACKLOG)?;
            }
            address => {
                bind(&socket, &socket::unix_address(address)?).map_err(bind_error)?;
                listen(&socket, BACKLOG)?;
            }
        }
        Ok(Listener::on(Source::listening(socket, kind)))
    }

    fn on(source: Source) -> Self {
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
    /// # Ok::<(), nullink::unix::Error>(())
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
    /// ([`is_exhausted`](Error::is_exhausted)), the connection stays in the queue.
    pub fn accept(&self) -> Result<Stream, Error> {
        loop {
            if let Some(stream) = self.accept_now()? {
                return Ok(stream);
            }
            match &self.source {
                Source::Socket { socket, .. } => wait(socket, PollFlags::IN, None)?,
                Source::Device(..) => pause(BACK_OFF)?,
            }
        }
    }

    /// The next connection, without waiting for it; None if there is none.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub(crate) fn accept_now(&self) -> Result<Option<Stream>, Error> {
        let (socket, kind, tags) = match &self.source {
            Source::Socket { socket, kind, tags } => (socket, *kind, *tags),
            Source::Device(path, open) => {
                return match open(path) {
                    Ok(stream) => Ok(Some(stream)),
                    Err(error) if device::is_absent(&error) => Ok(None),
                    Err(error) => Err(error),
                };
            }
        };
        loop {
            match accept_with(socket, SocketFlags::CLOEXEC) {
                Ok(socket) => {
                    socket::set_tcp(&socket, kind);
                    if tags {
                        socket::tag(&socket, kind, Role::Server);
                    }
                    return Ok(Some(Stream::new(socket, kind)));
                }
                // The client is gone already, or a signal came.
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                // So is a client of TCP that the network has lost: accept(2).
                Err(Errno::PROTO | Errno::NETDOWN | Errno::NETUNREACH | Errno::HOSTUNREACH) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// What to wait for, until there is a connection: a device has nothing of the kind.
    ///
    /// It is the place to set options that rustix does not know. Where nothing takes descriptors,
    /// `SO_PASSRIGHTS` should be off, so that none are queued: UAPI.20, "Passing File Descriptors".
    pub fn pollable(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            Source::Socket { socket, .. } => Some(socket.as_fd()),
            Source::Device(..) => None,
        }
    }
}

impl Source {
    /// A socket that listens.
    fn listening(socket: OwnedFd, kind: Kind) -> Self {
        // (If that fails, it is no socket, and accept(2) will say so.)
        let _ = ioctl_fionbio(&socket, true);
        let tags = socket::tag(&socket, kind, Role::Listen);
        Source::Socket { socket, kind, tags }
    }
}

impl From<OwnedFd> for Listener {
    /// Takes a socket that listens already. It becomes a non-blocking one.
    fn from(socket: OwnedFd) -> Self {
        let kind = Kind::of(&socket);
        Listener::on(Source::listening(socket, kind))
    }
}

/// Listens at a path.
fn bind_to_path(socket: &OwnedFd, path: &str, mode: Mode) -> Result<(), Error> {
    let to = socket::unix_address(Address::Unix(path))?;
    let name = Path::new(path)?;
    let name = name.as_c_str();
    // The file's mode is the socket's, but for the umask: it never allows more than it shall, and
    // soon all of it.
    fchmod(socket, mode)?;
    let _lock = lock_directory(path);
    bind(socket, &to).or_else(|errno| {
        if errno == Errno::ADDRINUSE {
            remove_stale(path, name)?;
        }
        bind(socket, &to).map_err(bind_error)
    })?;
    let listening = set_mode(name, mode).and_then(|()| listen(socket, BACKLOG));
    if let Err(errno) = listening {
        let _ = unlink(name);
        return Err(errno.into());
    }
    socket::tag_path(name);
    Ok(())
}

/// How many clients may wait. The kernel has a limit of its own: listen(2).
const BACKLOG: i32 = 128;

/// How often the lock of a directory is tried for.
const LOCK_TRIES: usize = 20;

/// How long between two looks at what another service may be about to do, in milliseconds.
const PAUSE: i64 = 10;

/// Why bind(2) has failed.
fn bind_error(errno: Errno) -> Error {
    match errno {
        Errno::ADDRINUSE => Error::InUse,
        Errno::NOENT => Error::NoDirectory,
        errno => errno.into(),
    }
}

/// Sees to it that the socket at a path has a mode, if the umask has taken something from it.
fn set_mode(path: &CStr, mode: Mode) -> Result<(), Errno> {
    let stat = lstat(path)?;
    let is_socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
    // (chmod(2) follows links, and has to be given none.)
    match is_socket && Mode::from_raw_mode(stat.st_mode) != mode {
        true => chmod(path, mode),
        false => Ok(()),
    }
}

/// Removes the socket at a path, if nobody listens there.
fn remove_stale(path: &str, name: &CStr) -> Result<(), Error> {
    let stat = match lstat(name) {
        Ok(stat) => stat,
        // Somebody else has removed it.
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return Err(Error::NotASocket);
    }
    // Twice: one that was bound just now may be about to listen.
    for last in [false, true] {
        match socket::probe(path) {
            Err(Error::Stale) => {}
            Err(Error::NotFound) => return Ok(()),
            _ => return Err(Error::InUse),
        }
        if !last {
            pause(PAUSE)?;
        }
    }
    match unlink(name) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Sees to it that of several services that start at once, none takes the socket of another for
/// stale that is bound, but does not listen yet.
///
/// Anybody who can read the directory could hold the lock for ever, so it is not waited for long:
/// without it everything works, but for that.
fn lock_directory(path: &str) -> Option<OwnedFd> {
    let directory = match path.bytes().rposition(|byte| byte == b'/') {
        None => ".",
        Some(0) => "/",
        Some(end) => path.get(..end)?,
    };
    let directory = Path::new(directory).ok()?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open(directory.as_c_str(), flags, Mode::empty()).ok()?;
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
            let Source::Socket { socket, .. } = &listener.source else {
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
