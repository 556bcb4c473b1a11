//! Socket system calls.

use core::ffi::CStr;
use core::time::Duration;

use heapless::String;
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
use crate::address::{Address, AddressError};
use crate::name;

/// The kind of a stream's descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketKind {
    /// A Unix socket. Only this kind carries descriptors and knows the peer.
    Unix,
    /// A TCP socket, or a socket of another family that was handed over.
    Tcp,
    /// A character device, or another non-blocking descriptor that can be read and written.
    Device(Device),
}

impl SocketKind {
    /// Returns the kind of a descriptor that was handed over.
    pub fn detect(descriptor: &OwnedFd) -> Self {
        match socket_domain(descriptor) {
            Ok(AddressFamily::UNIX) => SocketKind::Unix,
            Ok(_) => SocketKind::Tcp,
            Err(_) => Device::supported().map_or(SocketKind::Tcp, SocketKind::Device),
        }
    }
}

/// The directory of the sockets of a system's interfaces.
const REGISTRY: &str = "/run/varlink/registry/";

/// Returns the path of the socket of an interface; None for another address.
#[inline(always)] // a program with one kind of address has no code for the others
pub(super) fn registered(address: Address<'_>) -> Result<Option<String<PATH_MAX>>, IoError> {
    let Address::Interface(name) = address else {
        return Ok(None);
    };
    // Only `Address::parse` has checked it.
    if !name::is_interface(name) {
        return Err(IoError::Address(AddressError::NoScheme));
    }
    let mut path = String::new();
    let written = path.push_str(REGISTRY).and_then(|()| path.push_str(name));
    written.map_err(|_| IoError::PathTooLong)?;
    Ok(Some(path))
}

/// Calls `attempt` with an address, or with each address of a host name until one succeeds. Returns
/// the last error.
pub(super) fn resolve<T>(
    address: Address<'_>,
    mut attempt: impl FnMut(Address<'_>) -> Result<T, IoError>,
) -> Result<T, IoError> {
    #[cfg(feature = "std")]
    if let Address::TcpName(to) = address {
        let mut result = Err(IoError::UnknownHost);
        let found = std::net::ToSocketAddrs::to_socket_addrs(to);
        for to in found.into_iter().flatten() {
            result = attempt(Address::Tcp(to));
            if result.is_ok() {
                break;
            }
        }
        return result;
    }
    attempt(address)
}

/// Creates a socket for an address, and returns its kind.
#[inline(always)] // a program with one kind of address has no code for the others
pub(super) fn new(address: Address<'_>) -> Result<(OwnedFd, SocketKind), IoError> {
    let (family, kind) = match address {
        Address::Exec(_) => return Err(IoError::Exec),
        Address::Vsock { .. } => return Err(IoError::Vsock),
        Address::TcpName(_) => return Err(IoError::NoHostNames),
        Address::Tcp(to) if to.is_ipv4() => (AddressFamily::INET, SocketKind::Tcp),
        Address::Tcp(_) => (AddressFamily::INET6, SocketKind::Tcp),
        _ => (AddressFamily::UNIX, SocketKind::Unix),
    };
    Ok((create(family)?, kind))
}

/// Calls socket(2).
fn create(family: AddressFamily) -> Result<OwnedFd, IoError> {
    socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(IoError::from_errno)
}

/// Converts the address of a Unix socket for the kernel.
pub(super) fn unix_address(address: Address<'_>) -> Result<SocketAddrUnix, IoError> {
    match address {
        // The kernel would take an empty path for an abstract name.
        Address::Unix("") => Err(IoError::NotFound),
        Address::Unix(path) => {
            SocketAddrUnix::new(Path::new(path)?.as_c_str()).map_err(|_| IoError::PathTooLong)
        }
        // rustix accepts one byte more.
        Address::Abstract(name) if name.len() <= PATH_MAX => {
            SocketAddrUnix::new_abstract_name(name.as_bytes()).map_err(|_| IoError::PathTooLong)
        }
        _ => Err(IoError::PathTooLong),
    }
}

/// Calls connect(2). If that fails, finds out why.
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
        Err(Errno::CONNREFUSED) => Err(match address {
            Address::Unix(path) => match file_type(path) {
                Ok(FileType::Socket) => IoError::Stale,
                Ok(_) => IoError::NotASocket,
                // It was removed in the meantime.
                Err(error) => error,
            },
            _ => IoError::NotFound,
        }),
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
    // connect(2) uses the timeout of send(2): socket(7). Zero would be no timeout.
    let limit = limit.max(Duration::from_micros(1));
    set_socket_timeout(socket, Timeout::Send, Some(limit)).map_err(IoError::from_errno)?;
    connect(socket, address)?;
    set_socket_timeout(socket, Timeout::Send, None).map_err(IoError::from_errno)
}

/// Connects to the socket at a path without waiting, to find out whether a service listens on it.
pub(super) fn probe(path: &str) -> Result<(), IoError> {
    let address = Address::Unix(path);
    let (socket, _) = new(address)?;
    // A full queue also shows that a service listens, so there is no need to wait.
    ioctl_fionbio(&socket, true).map_err(IoError::from_errno)?;
    connect(&socket, address)
}

/// The idle time after which the kernel probes a TCP peer: tcp(7).
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// The number of unanswered probes after which the peer is considered gone.
const KEEPALIVE_PROBES: u32 = 3;

/// The time between two probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Sets the options of a TCP connection, tcp(7): messages are sent as soon as they are written, and
/// a peer that vanishes without closing the connection is detected.
pub(super) fn set_tcp(socket: &OwnedFd) {
    // A socket that was handed over may be of another family.
    let _ = set_tcp_nodelay(socket, true);
    let _ = set_tcp_keepidle(socket, KEEPALIVE_IDLE);
    let _ = set_tcp_keepcnt(socket, KEEPALIVE_PROBES);
    let _ = set_tcp_keepintvl(socket, KEEPALIVE_INTERVAL);
    let _ = set_socket_keepalive(socket, true);
}

/// The extended attribute that holds the role of a Unix socket: UAPI.20, "Recognizing Varlink
/// Socket Inodes".
const TAG: &CStr = c"user.varlink";

/// Tags a socket with its role: `listen`, `server` or `client`. Returns true if the system supports
/// the tag, as Linux 7.1 does.
pub(super) fn tag(socket: &OwnedFd, kind: SocketKind, role: &str) -> bool {
    kind == SocketKind::Unix && fsetxattr(socket, TAG, role.as_bytes(), XattrFlags::empty()).is_ok()
}

/// Tags the socket file to which clients connect.
pub(super) fn tag_path(path: &CStr) {
    let _ = lsetxattr(path, TAG, b"entrypoint", XattrFlags::empty());
}
