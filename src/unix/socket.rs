//! Socket system calls.

use core::ffi::CStr;
use core::time::Duration;

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, XattrFlags, fsetxattr, lsetxattr};
use rustix::io::{Errno, ioctl_fionbio, retry_on_intr};
use rustix::net::sockopt::{
    Timeout, set_socket_keepalive, set_socket_timeout, set_tcp_keepcnt, set_tcp_keepidle,
    set_tcp_keepintvl, set_tcp_nodelay, socket_domain,
};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use super::PATH_MAX;
use super::device::Device;
use super::error::IoError;
use super::path::{Path, file_type};
use crate::address::Address;

/// What is below a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketKind {
    /// A Unix socket. It alone carries descriptors and knows the peer.
    Unix,
    /// A TCP socket, or another one that was handed over.
    Tcp,
    /// A character device, or something else that can be read and written, and does not block.
    Device(Device),
}

impl SocketKind {
    /// The kind of a descriptor that was handed over.
    pub fn detect(descriptor: &OwnedFd) -> Self {
        match socket_domain(descriptor) {
            Ok(AddressFamily::UNIX) => SocketKind::Unix,
            Ok(_) => SocketKind::Tcp,
            Err(_) => Device::supported().map_or(SocketKind::Tcp, SocketKind::Device),
        }
    }
}

/// A new socket for an address, and what it is.
pub(super) fn new(address: Address<'_>) -> Result<(OwnedFd, SocketKind), IoError> {
    let (family, kind) = match address {
        Address::Exec(_) => return Err(IoError::Exec),
        Address::Tcp(to) if to.is_ipv4() => (AddressFamily::INET, SocketKind::Tcp),
        Address::Tcp(_) => (AddressFamily::INET6, SocketKind::Tcp),
        _ => (AddressFamily::UNIX, SocketKind::Unix),
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(IoError::from_errno)?;
    Ok((socket, kind))
}

/// The kernel's form of the address of a Unix socket.
pub(super) fn unix_address(address: Address<'_>) -> Result<SocketAddrUnix, IoError> {
    match address {
        // An empty path would be an abstract name.
        Address::Unix("") => Err(IoError::NotFound),
        Address::Unix(path) => {
            SocketAddrUnix::new(Path::new(path)?.as_c_str()).map_err(|_| IoError::PathTooLong)
        }
        // rustix takes one byte more.
        Address::Abstract(name) if name.len() <= PATH_MAX => {
            SocketAddrUnix::new_abstract_name(name.as_bytes()).map_err(|_| IoError::PathTooLong)
        }
        _ => Err(IoError::PathTooLong),
    }
}

/// connect(2), with the reason why an address does not work.
pub(super) fn connect(socket: &OwnedFd, address: Address<'_>) -> Result<(), IoError> {
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
            Err(IoError::TimedOut)
        }
        Err(Errno::PROTOTYPE) => Err(IoError::NotAStream),
        Err(Errno::CONNREFUSED) => match address {
            Address::Unix(path) if file_type(path) == Ok(FileType::Socket) => Err(IoError::Stale),
            Address::Unix(_) => Err(IoError::NotASocket),
            _ => Err(IoError::NotFound),
        },
        Err(errno) => Err(IoError::from_errno(errno)),
    }
}

/// Like [`connect`], with a timeout.
pub(super) fn connect_within(
    socket: &OwnedFd,
    address: Address<'_>,
    limit: Option<Duration>,
) -> Result<(), IoError> {
    let Some(limit) = limit else {
        return connect(socket, address);
    };
    // connect(2) goes by the timeout of send(2): socket(7). Zero would be none at all.
    let limit = limit.max(Duration::from_micros(1));
    set_socket_timeout(socket, Timeout::Send, Some(limit)).map_err(IoError::from_errno)?;
    connect(socket, address)?;
    set_socket_timeout(socket, Timeout::Send, None).map_err(IoError::from_errno)
}

/// Connects to the socket at a path without waiting, to see whether a service listens there.
pub(super) fn probe(path: &str) -> Result<(), IoError> {
    let address = Address::Unix(path);
    let (socket, _) = new(address)?;
    // A full queue is one of a service, too.
    ioctl_fionbio(&socket, true).map_err(IoError::from_errno)?;
    connect(&socket, address)
}

/// How long nothing may be heard of a peer before it is asked whether it is there, how often it is
/// asked, and how long it has for each answer.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_PROBES: u32 = 3;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Sets the options of a TCP connection: messages are sent as soon as they are written, and a peer
/// that is gone without a word is found, tcp(7).
pub(super) fn set_tcp(socket: &OwnedFd) {
    // Not every socket that is handed over is one of TCP.
    let _ = set_tcp_nodelay(socket, true);
    let _ = set_tcp_keepidle(socket, KEEPALIVE_IDLE);
    let _ = set_tcp_keepcnt(socket, KEEPALIVE_PROBES);
    let _ = set_tcp_keepintvl(socket, KEEPALIVE_INTERVAL);
    let _ = set_socket_keepalive(socket, true);
}

/// The extended attribute with the role of a Unix socket: UAPI.20, "Recognizing Varlink Socket
/// Inodes".
const TAG: &CStr = c"user.varlink";

/// Tags a socket with its role: `listen`, `server` or `client`. Returns true if the system takes the
/// tag: Linux 7.0 does.
pub(super) fn tag(socket: &OwnedFd, kind: SocketKind, role: &str) -> bool {
    kind == SocketKind::Unix && fsetxattr(socket, TAG, role.as_bytes(), XattrFlags::empty()).is_ok()
}

/// Tags the file that clients connect to.
pub(super) fn tag_path(path: &CStr) {
    let _ = lsetxattr(path, TAG, b"entrypoint", XattrFlags::empty());
}
