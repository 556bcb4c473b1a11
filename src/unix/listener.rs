//! Where connections come from.

use rustix::event::{PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    FileType, FlockOperation, Mode, OFlags, chmod, fchmod, flock, lstat, open, unlink,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{SocketFlags, accept_with, bind, listen};

use super::error::Error;
use super::stream::{Stream, wait};
use crate::address::Address;
use crate::connection::{self, End};
use crate::service::Service;

/// A socket that services listen on.
///
/// Its file stays when it is dropped: the next one to bind the path replaces it.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
}

impl Listener {
    /// The mode of a socket that only its owner may connect to, and everybody may see what it is:
    /// UAPI.20, "Listening Sockets and Access Control".
    pub const OWNER: u32 = 0o644;

    /// The mode of a socket that everybody may connect to.
    pub const EVERYBODY: u32 = 0o666;

    /// Listens at a path, or at an address (`unix:@name`), for the [`OWNER`](Self::OWNER) alone.
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
    /// A socket at a path gets the mode, whatever the umask is; to connect one needs write access.
    /// As with every socket, nobody else should be able to write to its directory. A socket in the
    /// abstract namespace has no mode: everybody may connect.
    ///
    /// A stale socket at the path, one on which nobody listens, is replaced. Anything else that is
    /// there is left alone.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] if somebody else listens there, [`Error::NotASocket`] if something else is
    /// at the path, [`Error::NoDirectory`], [`Error::PathTooLong`], or what the system says.
    pub fn bind_to(address: Address<'_>, mode: u32) -> Result<Self, Error> {
        let socket = super::new_socket()?;
        let to = super::socket_address(address)?;
        match address {
            Address::Unix(path) => {
                let mode = Mode::from_raw_mode(mode);
                // The file's mode is the socket's, but for the umask: it never allows more than it
                // shall, and soon all of it.
                fchmod(&socket, mode)?;
                let _lock = lock_directory(path);
                bind(&socket, &to).or_else(|errno| {
                    if errno == Errno::ADDRINUSE {
                        remove_stale(path)?;
                    }
                    bind(&socket, &to).map_err(bind_error)
                })?;
                let listening = set_mode(path, mode).and_then(|()| listen(&socket, BACKLOG));
                if let Err(errno) = listening {
                    let _ = unlink(path);
                    return Err(errno.into());
                }
            }
            _ => {
                bind(&socket, &to).map_err(bind_error)?;
                listen(&socket, BACKLOG)?;
            }
        }
        Ok(Listener { socket })
    }

    /// Waits for the next connection: accept(2).
    ///
    /// # Errors
    ///
    /// What the system says. If it has no descriptors or no memory left
    /// ([`is_exhausted`](Error::is_exhausted)), the connection stays in the queue.
    pub fn accept(&self) -> Result<Stream, Error> {
        loop {
            match accept_with(&self.socket, SocketFlags::CLOEXEC) {
                Ok(socket) => return Ok(Stream::from(socket)),
                // The client is gone already, or a signal came.
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                Err(Errno::AGAIN) => wait(&self.socket, PollFlags::IN, None)?,
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl From<OwnedFd> for Listener {
    /// Takes a socket that listens already.
    fn from(socket: OwnedFd) -> Self {
        Listener { socket }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A connection that belongs to another protocol.
#[derive(Debug)]
pub struct Upgraded<'b, C> {
    /// The connection.
    pub stream: Stream,
    /// What the handler has left: [`Upgrade::send`](crate::service::Upgrade::send).
    pub cursor: C,
    /// What has been received of the other protocol: nothing, if the service says that it
    /// [upgrades](Service::UPGRADES).
    pub unread: &'b [u8],
}

/// Serves one connection after another, until one is upgraded.
///
/// While one client is connected, the others wait. What goes wrong with a connection ends that
/// connection; if the system has no descriptors left, the service waits until it has.
///
/// A service that does not upgrade is served for ever. After an upgrade the caller does what the
/// other protocol wants, and calls again.
///
/// `receive` has to hold the longest call and its NUL, `send` the longest reply and its NUL.
///
/// # Errors
///
/// If the listener does not work.
///
/// ```no_run
/// # use nullink::service::{Info, Outcome, Refusal, Responder, Service};
/// # use nullink::{Call, Interface};
/// # struct Nothing;
/// # impl Service for Nothing {
/// #     type Cursor = ();
/// #     const INTERFACES: &'static [Interface] = &[];
/// #     fn info(&self) -> Info<'_> { Info { vendor: "Example", ..Info::default() } }
/// #     fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
/// #         Err(Refusal::MethodNotFound)
/// #     }
/// # }
/// # let mut service = Nothing;
/// use nullink::unix::{Listener, serve};
///
/// let (mut receive, mut send) = ([0; 4096], [0; 4096]);
/// let listener = Listener::bind("/run/org.example.ftl")?;
/// serve(&listener, &mut service, &mut receive, &mut send)?;
/// # Ok::<(), nullink::unix::Error>(())
/// ```
pub fn serve<'b, S: Service>(
    listener: &Listener,
    service: &mut S,
    receive: &'b mut [u8],
    send: &mut [u8],
) -> Result<Upgraded<'b, S::Cursor>, Error> {
    loop {
        let mut stream = match listener.accept() {
            Ok(stream) => stream,
            Err(error) if error.is_exhausted() => {
                retry_on_intr(|| poll(&mut [], Some(&BACK_OFF)))?;
                continue;
            }
            Err(error) => return Err(error),
        };
        stream.stop_at_upgrades(S::UPGRADES);
        if let Ok(End::Upgraded { cursor, unread }) =
            connection::serve(service, &mut stream, receive, send)
        {
            // It lies at the beginning of the buffer.
            let count = unread.len();
            stream.stop_at_upgrades(false);
            return Ok(Upgraded {
                stream,
                cursor,
                unread: receive.get(..count).unwrap_or_default(),
            });
        }
        stream.close(receive);
    }
}

/// How many clients may wait. The kernel has a limit of its own: listen(2).
const BACKLOG: i32 = 128;

/// How long to wait until descriptors may be there again.
const BACK_OFF: Timespec = milliseconds(100);

/// How often the lock of a directory is tried for.
const LOCK_TRIES: usize = 20;

/// How long between two looks at what another service may be about to do.
const PAUSE: Timespec = milliseconds(10);

const fn milliseconds(count: i64) -> Timespec {
    Timespec {
        tv_sec: 0,
        tv_nsec: count.saturating_mul(1_000_000),
    }
}

/// Why bind(2) has failed.
fn bind_error(errno: Errno) -> Error {
    match errno {
        Errno::ADDRINUSE => Error::InUse,
        Errno::NOENT => Error::NoDirectory,
        errno => errno.into(),
    }
}

/// Sees to it that the socket at a path has a mode, if the umask has taken something from it.
fn set_mode(path: &str, mode: Mode) -> Result<(), Errno> {
    let stat = lstat(path)?;
    let is_socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
    // (chmod(2) follows links, and has to be given none.)
    match is_socket && Mode::from_raw_mode(stat.st_mode) != mode {
        true => chmod(path, mode),
        false => Ok(()),
    }
}

/// Removes the socket at a path, if nobody listens there.
fn remove_stale(path: &str) -> Result<(), Error> {
    let stat = match lstat(path) {
        Ok(stat) => stat,
        // Somebody else has removed it.
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return Err(Error::NotASocket);
    }
    // Twice: one that was bound just now may be about to listen.
    for pause in [Some(&PAUSE), None] {
        let probe = super::new_socket()?;
        // (A full queue is somebody's too.)
        rustix::io::ioctl_fionbio(&probe, true)?;
        match super::connect(&probe, Address::Unix(path)) {
            Err(Error::Stale) => {}
            Err(Error::NotFound) => return Ok(()),
            _ => return Err(Error::InUse),
        }
        if let Some(pause) = pause {
            retry_on_intr(|| poll(&mut [], Some(pause)))?;
        }
    }
    match unlink(path) {
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
    let directory = match path.rfind('/') {
        None => ".",
        Some(0) => "/",
        Some(end) => path.get(..end)?,
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open(directory, flags, Mode::empty()).ok()?;
    for _ in 0..LOCK_TRIES {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(directory),
            Err(Errno::AGAIN) => poll(&mut [], Some(&PAUSE)).ok(),
            Err(_) => return None,
        };
    }
    None
}
