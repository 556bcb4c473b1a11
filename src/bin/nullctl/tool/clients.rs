//! Many clients at once, without threads and without an allocator: a verb starts the tool again for
//! each connection, as inetd does.

use heapless::Vec;
use nullink::Address;
use nullink::unix::Listener;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, fcntl_dupfd_cloexec, retry_on_intr};
use rustix::net::sockopt::socket_acceptconn;
use rustix::net::{SocketFlags, accept_with};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

use super::output::{Failure, SystemError, complain, fail};
use super::system::{Standard, System};
use crate::standard;

/// The maximum number of clients at once. Further ones wait until one of them has gone.
const CLIENTS: usize = 256;

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
#[inline(never)]
pub fn listen(system: &dyn System, address: &str) -> Result<OwnedFd, Failure> {
    let (socket, name) = if address == "-" {
        match system.passed() {
            Ok(Some(socket)) => (Ok(socket), "the passed socket"),
            Ok(None) => {
                let input = standard(Standard::Input);
                (fcntl_dupfd_cloexec(input, 3), "standard input")
            }
            Err(error) => return Err(fail(format_args!("{error}"))),
        }
    } else {
        let path = match Address::parse(address) {
            Ok(Address::Unix(path)) => path,
            _ => {
                return Err(fail(format_args!(
                    "{address}: clients need the path of a socket"
                )));
            }
        };
        let listener = Listener::bind_to(Address::Unix(path), Listener::OWNER);
        let listener = listener.map_err(|error| fail(format_args!("{address}: {error}")))?;
        // A listener at a path has a socket.
        let socket = listener.pollable().ok_or(Failure(1))?;
        (fcntl_dupfd_cloexec(socket, 3), address)
    };
    socket.map_err(|errno| fail(format_args!("{name}: {}", SystemError(errno))))
}

/// True if the socket accepts connections, false if it is one.
///
/// # Errors
///
/// Fails if it is not a socket.
pub fn is_listening(socket: &OwnedFd) -> Result<bool, Failure> {
    let listening = socket_acceptconn(socket);
    listening.map_err(|_| {
        fail(format_args!(
            "-: neither LISTEN_FDS nor standard input is a socket"
        ))
    })
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
        let accepts = !children.is_full() && !exhausted;
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
                return Err(fail(format_args!(
                    "no more clients: {}",
                    SystemError(errno)
                )));
            }
        };
        let started = start(client.as_fd());
        match started.and_then(|pid| pidfd_open(pid, PidfdFlags::empty())) {
            // There is a place.
            Ok(child) => _ = children.push(child),
            Err(errno) => complain(format_args!(
                "no place for a client: {}",
                SystemError(errno)
            )),
        }
    }
}
