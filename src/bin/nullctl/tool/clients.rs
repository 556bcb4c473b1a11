//! Many clients at once, without threads and without an allocator: a verb starts the tool again for
//! each connection, as inetd does.

use core::ffi::CStr;

use heapless::Vec;
use nullink::unix::IoError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, XattrFlags, fsetxattr, lsetxattr, lstat, unlink};
use rustix::io::{Errno, fcntl_dupfd_cloexec, retry_on_intr};
use rustix::net::sockopt::socket_acceptconn;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, socket_with,
};
use rustix::process::{
    Pid, PidfdFlags, Resource, WaitId, WaitIdOptions, getrlimit, pidfd_open, waitid,
};

use super::output::{Failure, SystemError, complain, fail_at};
use super::system::{Standard, System};
use super::text;
use crate::standard;

/// The maximum number of clients at once. Further ones wait until one of them has gone.
const CLIENTS: usize = 256;

/// The number of descriptors that are open in addition to those of the clients, also while a process
/// is started.
const OTHER_FILES: usize = 16;

/// The pause if the system has no descriptors or no memory left for a client.
const EXHAUSTED: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// Returns a socket that listens at a path, or one that the tool was started with if `address` is
/// `-`: that of LISTEN_FDS, or else standard input. The socket of a path is open to the users that
/// the umask leaves.
///
/// # Errors
///
/// Fails if the path cannot be listened at, or if the tool was not started with a socket.
pub fn listen(system: &dyn System, address: &CStr) -> Result<OwnedFd, Failure> {
    let socket = match address.to_bytes_with_nul() {
        b"-\0" => match system.passed() {
            Some(socket) => Ok(socket),
            None => fcntl_dupfd_cloexec(standard(Standard::Input), 3),
        },
        bytes => {
            let path = bytes.strip_prefix(b"unix:").unwrap_or(bytes);
            if !matches!(path, [b'/' | b'.', ..]) {
                return Err(fail_at(text(address), &"clients need the path of a socket"));
            }
            listen_at(CStr::from_bytes_until_nul(path).unwrap_or_default())
        }
    };
    socket.map_err(|errno| {
        let error = match errno {
            Errno::NOENT => IoError::NoDirectory,
            Errno::ADDRINUSE => IoError::InUse,
            Errno::NAMETOOLONG => IoError::PathTooLong,
            errno => IoError::from_raw_os_error(errno.raw_os_error()),
        };
        fail_at(text(address), &error)
    })
}

/// Listens at a path. A socket of a service that has ended is replaced. The library's listener also
/// knows what to do if several services begin to listen at a path at the same time, and has twice
/// the size.
fn listen_at(path: &CStr) -> Result<OwnedFd, Errno> {
    let to = SocketAddrUnix::new(path)?;
    let new = |flags| socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
    let socket = new(SocketFlags::CLOEXEC)?;
    let mut bound = bind(&socket, &to);
    if bound == Err(Errno::ADDRINUSE) {
        // A service whose queue is full does not hold this up.
        let probe = new(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        let is_socket = FileType::from_raw_mode(lstat(path)?.st_mode) == FileType::Socket;
        if is_socket && connect(&probe, &to) == Err(Errno::CONNREFUSED) {
            unlink(path)?;
            bound = bind(&socket, &to);
        }
    }
    bound?;
    rustix::net::listen(&socket, BACKLOG)?;
    // Only newer systems have tags.
    let _ = fsetxattr(&socket, TAG, b"listen", XattrFlags::empty());
    let _ = lsetxattr(path, TAG, b"entrypoint", XattrFlags::empty());
    Ok(socket)
}

/// The extended attribute that holds the role of a socket: UAPI.20, "Recognizing Varlink Socket
/// Inodes".
pub const TAG: &CStr = c"user.varlink";

/// The number of clients that can wait to be accepted.
const BACKLOG: i32 = 128;

/// True if the socket accepts connections, false if it is one.
///
/// # Errors
///
/// Fails if it is not a socket.
pub fn is_listening(socket: &OwnedFd) -> Result<bool, Failure> {
    let listening = socket_acceptconn(socket);
    listening.map_err(|_| fail_at("-", &"neither LISTEN_FDS nor standard input is a socket"))
}

/// Accepts clients, and calls `start` for each, which starts a process. A process that has ended is
/// reaped at once. Returns if `prints` is true and standard output has lost its reader.
///
/// # Errors
///
/// Fails if no more clients can be accepted.
#[inline(never)]
pub fn serve_clients(
    socket: &OwnedFd,
    prints: bool,
    start: &mut dyn FnMut(BorrowedFd<'_>) -> Result<Pid, Errno>,
) -> Result<(), Failure> {
    let output = standard(Standard::Output);
    let files = getrlimit(Resource::Nofile).current;
    let places = files.and_then(|files| usize::try_from(files).ok());
    let places = places.map_or(CLIENTS, |files| files.saturating_sub(OTHER_FILES).max(1));
    // The pidfd of each process.
    let mut children = Vec::<OwnedFd, CLIENTS>::new();
    let mut exhausted = false;
    loop {
        let mut fds = Vec::<PollFd<'_>, { CLIENTS + 2 }>::new();
        for child in &children {
            let _ = fds.push(PollFd::new(child, PollFlags::IN));
        }
        if prints {
            // Even without flags poll(2) reports that the reader has gone.
            let _ = fds.push(PollFd::new(&output, PollFlags::empty()));
        }
        let accepts = children.len() < places.min(CLIENTS) && !exhausted;
        if accepts {
            let _ = fds.push(PollFd::new(socket, PollFlags::IN));
        }
        let pause = exhausted.then_some(&EXHAUSTED);
        let polled = retry_on_intr(|| poll(&mut fds, pause));
        let mut ready = [false; CLIENTS + 2];
        for (ready, fd) in ready.iter_mut().zip(&fds) {
            *ready = !fd.revents().is_empty();
        }
        drop(fds);
        let mut ready = ready.into_iter();
        children.retain(|child| {
            let ended = ready.next() == Some(true);
            if ended {
                // It has ended, so this does not wait.
                let _ = waitid(WaitId::PidFd(child.as_fd()), WaitIdOptions::EXITED);
            }
            !ended
        });
        if prints && ready.next() == Some(true) {
            return Ok(());
        }
        exhausted = false;
        let accepted = match polled {
            Ok(_) if accepts && ready.next() == Some(true) => {
                accept_with(socket, SocketFlags::CLOEXEC)
            }
            Ok(_) => continue,
            Err(errno) => Err(errno),
        };
        let client = match accepted {
            Ok(client) => client,
            // The client has gone, or another process has accepted it.
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => continue,
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                exhausted = true;
                continue;
            }
            Err(errno) => {
                return Err(fail_at("no more clients", &SystemError(errno)));
            }
        };
        let started = start(client.as_fd());
        match started.and_then(|pid| pidfd_open(pid, PidfdFlags::empty())) {
            // There is a place.
            Ok(child) => _ = children.push(child),
            Err(errno) => complain(format_args!(
                "a client is turned away: /proc/self/exe: {}",
                SystemError(errno)
            )),
        }
    }
}
