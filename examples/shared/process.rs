//! What needs unsafe code in programs with std: to take descriptors that were passed to them, to start
//! programs with a socket, and two socket options that rustix does not have.
//!
//! The library forbids unsafe code, so this is all of it that the examples need, in one file, to be
//! copied. It needs no other crate: std links libc anyway, and what is called of it is declared here.
//!
//! Where it is unsafe:
//!
//! - [`activated`] makes a descriptor of a number. That is sound if nobody else owns it: the number
//!   was passed to this process, and nobody has asked before.
//! - [`start`] does in the child what can't be undone, between fork(2) and execve(2). All of its
//!   memory is there before; the child calls nothing but what signal-safety(7) allows.
//! - [`children`] hands libc a set of signals, and makes a descriptor of the number that it opens.
//! - [`refuse_descriptors`] and [`peer_pidfd`] hand the kernel a pointer to a number and its length.

use std::ffi::{CString, c_char, c_int, c_void};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use nullink::activation::{Activated, ActivationError};
use nullink::unix::Stream;
use nullink::unix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The socket that this program was started with. To be called first in main, before anything is
/// opened: a number that was not passed after all would be somebody else's.
///
/// There is none the second time.
pub fn activated() -> Result<Option<Activated>, ActivationError> {
    static ASKED: AtomicBool = AtomicBool::new(false);
    if ASKED.swap(true, Ordering::Relaxed) {
        return Ok(None);
    }
    Activated::from_environment(
        |name| std::env::var(name).ok(),
        // SAFETY: whoever has started this process says, by its pid, that the descriptor is passed
        // to it. Nobody else owns it: this asks once, and is asked once for each.
        |number| unsafe { OwnedFd::from_raw_fd(number) },
    )
}

/// Starts the program at a path with a socket: as descriptor 3, with a name that is "varlink" for
/// services. It gets standard input, output and error as well, and nothing that is close-on-exec.
///
/// The caller keeps its own descriptor: a listening socket for the next time, the other end of a
/// connection to be dropped.
///
/// # Errors
///
/// What the system says: of the program, too, if it can't be executed.
pub fn start(
    program: &str,
    arguments: &[&str],
    socket: BorrowedFd<'_>,
    name: &str,
) -> io::Result<Child> {
    let mut image = Image::new(program, arguments, socket, name)?;
    let mut command = Command::new(program);
    // SAFETY: the closure runs in the child, where there is one thread, and where another one of
    // the parent's may hold any lock for ever, that of the allocator for example. It takes none.
    unsafe { command.pre_exec(move || Err(image.execute())) };
    command.spawn()
}

/// Starts a service for one connection, as the address `exec:/program` wants it. The service ends
/// when the stream is dropped; the child is there to be waited for then.
///
/// # Errors
///
/// As [`start`].
pub fn connect_exec(program: &str) -> io::Result<(Stream, Child)> {
    let (ours, theirs) = Stream::pair().map_err(io::Error::other)?;
    let child = start(program, &[], theirs.as_fd(), "varlink")?;
    Ok((ours, child))
}

/// Opens a descriptor that is readable when a child has ended: signalfd(2). The signal (SIGCHLD) is
/// blocked in this thread, and does nothing else. To be called while there is one thread.
///
/// # Errors
///
/// What the system says.
pub fn children() -> io::Result<OwnedFd> {
    let mut set = [0; SIGSET_WORDS];
    // SAFETY: the set has room for every signal, and libc writes nothing else. The mask is this
    // thread's; programs that it starts get an empty one, of std.
    let number = unsafe {
        sigemptyset(&mut set);
        sigaddset(&mut set, SIGCHLD);
        if sigprocmask(SIG_BLOCK, &set, ptr::null_mut()) == -1 {
            return Err(io::Error::last_os_error());
        }
        signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)
    };
    match number {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: it has been opened just now, for this call alone.
        number => Ok(unsafe { OwnedFd::from_raw_fd(number) }),
    }
}

/// Sees to it that no descriptors can be sent to this socket, or to those that it accepts from now
/// on: `SO_PASSRIGHTS`, Linux 6.16. Older kernels know no such thing, so nothing is said.
pub fn refuse_descriptors(socket: BorrowedFd<'_>) {
    let off: c_int = 0;
    let (value, length) = (ptr::from_ref(&off).cast(), size_of_val(&off) as u32);
    // SAFETY: the kernel reads one int, which is there.
    unsafe { setsockopt(socket.as_raw_fd(), SOL_SOCKET, SO_PASSRIGHTS, value, length) };
}

/// A descriptor of the process at the other end, which no other process can take the place of:
/// `SO_PEERPIDFD`, Linux 6.5. None, if the kernel is older, or the process is gone.
pub fn peer_pidfd(socket: BorrowedFd<'_>) -> Option<OwnedFd> {
    let mut number: c_int = -1;
    let mut length = size_of_val(&number) as u32;
    let value = ptr::from_mut(&mut number).cast();
    // SAFETY: the kernel writes one int, for which there is room, and its length.
    let result = unsafe {
        getsockopt(
            socket.as_raw_fd(),
            SOL_SOCKET,
            SO_PEERPIDFD,
            value,
            &mut length,
        )
    };
    // SAFETY: the kernel has opened it just now, close-on-exec, for this call alone.
    (result == 0 && number >= 0).then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

/// What the child needs, made before fork(2).
struct Image {
    /// The number of the socket, which is open until the child has been made.
    socket: c_int,
    program: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    /// `LISTEN_PID=` and room for the digits, which nobody knows before the child is there.
    pid: Vec<u8>,
    /// Room for the pointers to the arguments and to the environment, and for a null after each.
    pointers: (Vec<*const c_char>, Vec<*const c_char>),
}

// SAFETY: it is the pointers that forbid it, and in the parent there are none.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

impl Image {
    fn new(
        program: &str,
        arguments: &[&str],
        socket: BorrowedFd<'_>,
        name: &str,
    ) -> io::Result<Self> {
        let arguments = [&[program], arguments].concat().into_iter();
        let arguments: Vec<_> = arguments.map(CString::new).collect::<Result<_, _>>()?;
        let mut environment = vec![
            CString::new("LISTEN_FDS=1")?,
            CString::new(format!("LISTEN_FDNAMES={name}"))?,
        ];
        for (name, value) in std::env::vars_os() {
            // What was passed to this process is not the child's.
            if !LISTEN.iter().any(|listen| name == *listen) {
                environment.push(CString::new(
                    [name.as_bytes(), b"=", value.as_bytes()].concat(),
                )?);
            }
        }
        let mut pid = PID.to_vec();
        pid.resize(PID.len() + DIGITS + 1, 0);
        Ok(Image {
            pointers: (
                Vec::with_capacity(arguments.len() + 1),
                Vec::with_capacity(environment.len() + 2),
            ),
            socket: socket.as_raw_fd(),
            program: CString::new(program)?,
            arguments,
            environment,
            pid,
        })
    }

    /// Becomes the program; if it does not, this is why. In the child, and once.
    fn execute(&mut self) -> io::Error {
        // The number fits, and so do the pointers: nothing is allocated.
        let _ = write!(&mut self.pid[PID.len()..], "{}", std::process::id());
        let (arguments, environment) = &mut self.pointers;
        arguments.extend(self.arguments.iter().map(|text| text.as_ptr()));
        arguments.push(ptr::null());
        environment.push(self.pid.as_ptr().cast());
        environment.extend(self.environment.iter().map(|text| text.as_ptr()));
        environment.push(ptr::null());
        // SAFETY: the child's descriptors are its own, and what it does not pass on ends with it.
        // execve gets a string and two lists of strings, with a NUL at the end of each string and a
        // null at the end of each list; nothing of it has moved since they were made.
        unsafe {
            // Number 3 may be std's pipe to the parent, which has to hear of a failure.
            let mut kept = -1;
            if self.socket != FIRST {
                kept = fcntl(FIRST, F_DUPFD_CLOEXEC, FIRST + 1);
                let error = io::Error::last_os_error();
                if kept == -1 && error.raw_os_error() != Some(EBADF) {
                    return error;
                }
                if dup2(self.socket, FIRST) == -1 {
                    return io::Error::last_os_error();
                }
            }
            // A copy is not close-on-exec, but a socket that was number 3 before is.
            fcntl(FIRST, F_SETFD, 0);
            execve(
                self.program.as_ptr(),
                arguments.as_ptr(),
                environment.as_ptr(),
            );
            let error = io::Error::last_os_error();
            if kept != -1 {
                dup2(kept, FIRST);
            }
            error
        }
    }
}

const PID: &[u8] = b"LISTEN_PID=";

/// A set of signals has 1024 bits, with both libcs.
const SIGSET_WORDS: usize = 128 / size_of::<usize>();

/// Of the largest pid: pid_t is an int.
const DIGITS: usize = 10;

/// The number that a program finds its socket at: `SD_LISTEN_FDS_START`.
const FIRST: c_int = 3;

const LISTEN: [&str; 4] = [
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
];

// Linux's numbers on x86, Arm, RISC-V, POWER and s390. MIPS, SPARC, Alpha and PA-RISC have others.
const EBADF: c_int = 9;
const F_SETFD: c_int = 2;
const F_DUPFD_CLOEXEC: c_int = 1030;
const SIGCHLD: c_int = 17;
const SIG_BLOCK: c_int = 0;
const SFD_CLOEXEC: c_int = 0o2_000_000;
const SFD_NONBLOCK: c_int = 0o4_000;
const SOL_SOCKET: c_int = 1;
const SO_PEERPIDFD: c_int = 77;
const SO_PASSRIGHTS: c_int = 83;

// As their manual pages declare them; socklen_t is 32 bits everywhere.
unsafe extern "C" {
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn dup2(from: c_int, to: c_int) -> c_int;
    fn execve(
        path: *const c_char,
        arguments: *const *const c_char,
        environment: *const *const c_char,
    ) -> c_int;
    fn sigemptyset(set: *mut [usize; SIGSET_WORDS]) -> c_int;
    fn sigaddset(set: *mut [usize; SIGSET_WORDS], signal: c_int) -> c_int;
    fn sigprocmask(
        how: c_int,
        set: *const [usize; SIGSET_WORDS],
        before: *mut [usize; SIGSET_WORDS],
    ) -> c_int;
    fn signalfd(fd: c_int, set: *const [usize; SIGSET_WORDS], flags: c_int) -> c_int;
    fn setsockopt(
        socket: c_int,
        level: c_int,
        name: c_int,
        value: *const c_void,
        length: u32,
    ) -> c_int;
    fn getsockopt(
        socket: c_int,
        level: c_int,
        name: c_int,
        value: *mut c_void,
        length: *mut u32,
    ) -> c_int;
}
