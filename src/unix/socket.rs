//! Socket system calls.

use core::ffi::CStr;
use core::time::Duration;

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, XattrFlags, fsetxattr, lsetxattr, stat};
use rustix::io::{Errno, ioctl_fionbio, retry_on_intr};
use rustix::net::sockopt::{
    Timeout, set_socket_keepalive, set_socket_timeout, set_tcp_keepcnt, set_tcp_keepidle,
    set_tcp_keepintvl, set_tcp_nodelay, socket_domain,
};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use super::PATH_MAX;
use super::device::Device;
use super::error::Error;
use crate::address::Address;
use crate::bytes::find_nul;

/// What is below a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A Unix socket. It alone carries descriptors and knows the peer.
    Unix,
    /// A TCP socket, or another one that was handed over.
    Tcp,
    /// A character device, or something else that can be read and written, and does not block.
    Device(Device),
}

impl Kind {
    /// The kind of a descriptor that was handed over.
    pub fn of(descriptor: &OwnedFd) -> Self {
        match socket_domain(descriptor) {
            Ok(AddressFamily::UNIX) => Kind::Unix,
            Ok(_) => Kind::Tcp,
            Err(_) => Device::supported().map_or(Kind::Tcp, Kind::Device),
        }
    }
}

/// A new socket for an address, and what it is.
pub(super) fn new(address: Address<'_>) -> Result<(OwnedFd, Kind), Error> {
    let (family, kind) = match address {
        Address::Tcp(to) if to.is_ipv4() => (AddressFamily::INET, Kind::Tcp),
        Address::Tcp(_) => (AddressFamily::INET6, Kind::Tcp),
        _ => (AddressFamily::UNIX, Kind::Unix),
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    Ok((socket, kind))
}

/// A path with its NUL. It is made once, because rustix would make one for each system call, with code
/// of its own for each.
pub(super) struct Path([u8; PATH_MAX + 1]);

impl Path {
    pub fn new(path: &str) -> Result<Self, Error> {
        if path.len() > PATH_MAX {
            return Err(Error::PathTooLong);
        }
        if find_nul(path.as_bytes()).is_some() {
            return Err(Errno::INVAL.into());
        }
        let mut bytes = [0; PATH_MAX + 1];
        let places = bytes.iter_mut().zip(path.as_bytes());
        places.for_each(|(to, from)| *to = *from);
        Ok(Path(bytes))
    }

    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

/// The kernel's form of the address of a Unix socket.
pub(super) fn unix_address(address: Address<'_>) -> Result<SocketAddrUnix, Error> {
    match address {
        // (An empty path would be an abstract name; and rustix takes one byte more.)
        Address::Unix("") => Err(Error::NotFound),
        Address::Unix(path) => Ok(SocketAddrUnix::new(Path::new(path)?.as_c_str())?),
        Address::Abstract(name) if name.len() <= PATH_MAX => {
            Ok(SocketAddrUnix::new_abstract_name(name.as_bytes())?)
        }
        _ => Err(Error::PathTooLong),
    }
}

/// connect(2), with the reason why an address does not work.
pub(super) fn connect(socket: &OwnedFd, address: Address<'_>) -> Result<(), Error> {
    let connected = match address {
        Address::Tcp(to) => retry_on_intr(|| rustix::net::connect(socket, &to)),
        address => {
            let to = unix_address(address)?;
            retry_on_intr(|| rustix::net::connect(socket, &to))
        }
    };
    match connected {
        Ok(()) => Ok(()),
        Err(Errno::AGAIN | Errno::INPROGRESS | Errno::ALREADY | Errno::TIMEDOUT) => {
            Err(Error::TimedOut)
        }
        Err(Errno::NOENT) => Err(Error::NotFound),
        Err(Errno::PROTOTYPE) => Err(Error::NotAStream),
        Err(Errno::CONNREFUSED) => match address {
            Address::Unix(path) if !is_socket(path) => Err(Error::NotASocket),
            Address::Unix(_) => Err(Error::Stale),
            _ => Err(Error::NotFound),
        },
        Err(errno) => Err(errno.into()),
    }
}

/// Like [`connect`], with a timeout.
pub(super) fn connect_within(
    socket: &OwnedFd,
    address: Address<'_>,
    limit: Option<Duration>,
) -> Result<(), Error> {
    let Some(limit) = limit else {
        return connect(socket, address);
    };
    // connect(2) goes by the timeout of send(2): socket(7). Zero would be none at all.
    let limit = limit.max(Duration::from_micros(1));
    set_socket_timeout(socket, Timeout::Send, Some(limit))?;
    connect(socket, address)?;
    Ok(set_socket_timeout(socket, Timeout::Send, None)?)
}

/// Connects to the socket at a path without waiting, to see whether a service listens there.
pub(super) fn probe(path: &str) -> Result<(), Error> {
    let address = Address::Unix(path);
    let (socket, _) = new(address)?;
    // A full queue is one of a service, too.
    ioctl_fionbio(&socket, true)?;
    connect(&socket, address)
}

/// How long nothing may be heard of a peer before it is asked whether it is there, how often it is
/// asked, and how long it has for each answer.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_PROBES: u32 = 3;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Sets the options of a TCP connection: messages are sent as soon as they are written, and a peer
/// that is gone without a word is found, tcp(7).
pub(super) fn set_tcp(socket: &OwnedFd, kind: Kind) {
    if kind == Kind::Tcp {
        // (Not every socket that is handed over is one of TCP.)
        let _ = set_tcp_nodelay(socket, true);
        let _ = set_tcp_keepidle(socket, KEEPALIVE_IDLE);
        let _ = set_tcp_keepcnt(socket, KEEPALIVE_PROBES);
        let _ = set_tcp_keepintvl(socket, KEEPALIVE_INTERVAL);
        let _ = set_socket_keepalive(socket, true);
    }
}

/// Whether there is a socket at the path.
fn is_socket(path: &str) -> bool {
    let stat = Path::new(path).map(|path| stat(path.as_c_str()));
    matches!(stat, Ok(Ok(stat)) if FileType::from_raw_mode(stat.st_mode) == FileType::Socket)
}

/// The roles of Unix sockets: UAPI.20, "Recognizing Varlink Socket Inodes".
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Listen,
    Server,
    Client,
}

/// Tags a socket as one of Varlink, and returns whether the system takes the tag: Linux 7.0 does.
pub(super) fn tag(socket: &OwnedFd, kind: Kind, role: Role) -> bool {
    let role: &[u8] = match role {
        Role::Listen => b"listen",
        Role::Server => b"server",
        Role::Client => b"client",
    };
    kind == Kind::Unix && fsetxattr(socket, TAG, role, XattrFlags::empty()).is_ok()
}

/// Like [`tag`], for the file that clients connect to.
pub(super) fn tag_path(path: &CStr) {
    let _ = lsetxattr(path, TAG, b"entrypoint", XattrFlags::empty());
}

const TAG: &CStr = c"user.varlink";
