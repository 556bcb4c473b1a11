//! The unsafe code of programs with std: takes over passed descriptors, starts programs with a
//! socket, and sets or reads two socket options that rustix does not have.
//!
//! The library forbids unsafe code. All unsafe code of the examples is in this file, to be copied.
//! It needs no other crate: std links libc anyway, and the functions of libc are declared here.
//!
//! The unsafe parts:
//!
//! - [`activated`] makes a descriptor from a number. This is sound if nothing else owns the number:
//!   it was passed to this process, and is taken over only once.
//! - [`start`] runs code in the child between fork(2) and execve(2). All memory is allocated
//!   before; the child calls only functions that signal-safety(7) allows.
//! - [`signals`] passes a set of signals to libc, and makes a descriptor from the number it opens.
//! - [`refuse_descriptors`] and [`peer_pidfd`] pass a pointer to a number and its length to the
//!   kernel.

use std::ffi::{CString, c_char, c_int, c_void};
use std::fmt;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nullink::activation::{Activated, ActivationError};
use nullink::embedded_io::{self, ErrorKind};
use nullink::unix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use nullink::unix::{IoError, Stream};

/// Returns the socket that this program was started with. Call this first in main, before anything
/// is opened: if the number was not passed after all, it could belong to another descriptor.
///
/// Further calls return None.
pub fn activated() -> Result<Option<Activated>, ActivationError> {
    static ASKED: AtomicBool = AtomicBool::new(false);
    if ASKED.swap(true, Ordering::Relaxed) {
        return Ok(None);
    }
    Activated::from_environment(
        |name| std::env::var(name).ok(),
        // SAFETY: LISTEN_PID has named this process, so the descriptor was passed to it. Nothing
        // else owns it: this code runs once, and once for each number.
        |number| unsafe { OwnedFd::from_raw_fd(number) },
    )
}

/// Starts the program at a path with a socket as descriptor 3, under a name in LISTEN_FDNAMES that
/// is "varlink" for services. The program also gets standard input, output and error, but no
/// descriptor that is close-on-exec.
///
/// The caller keeps its own descriptor. It can pass a listening socket again, and should drop a
/// connected socket.
///
/// # Errors
///
/// Fails if a system call fails, or the program cannot be executed.
pub fn start(
    program: &str,
    arguments: &[&str],
    socket: BorrowedFd<'_>,
    name: &str,
) -> io::Result<Child> {
    let mut image = Image::new(program, arguments, socket, name)?;
    let mut command = Command::new(program);
    // SAFETY: the closure runs in the child, which has only one thread. A lock that another thread
    // of the parent held at fork, such as the allocator's, stays locked there. The closure takes no
    // lock.
    unsafe { command.pre_exec(move || Err(image.execute())) };
    command.spawn()
}

/// Starts a service for one connection, as for the address `exec:/program`.
///
/// # Errors
///
/// Fails if the sockets cannot be created. Otherwise like [`start`].
pub fn connect_exec(program: &str) -> io::Result<Program> {
    let (stream, theirs) = Stream::pair().map_err(io::Error::other)?;
    let child = start(program, &[], theirs.as_fd(), "varlink")?;
    Ok(Program { stream, child })
}

/// The connection to a service that was started for it, as a stream for a client.
///
/// If the service ends before its reply, the error of the client is [`ProgramError::Ended`], with
/// the exit status. The service should end when the connection is closed: [`wait`](Self::wait).
///
/// For calls with descriptors, take the fields.
#[derive(Debug)]
pub struct Program {
    /// The connection.
    pub stream: Stream,
    /// The process.
    pub child: Child,
}

/// The error of a connection to a [`Program`].
#[derive(Debug, PartialEq)]
pub enum ProgramError {
    /// The program has ended, with this status.
    Ended(ExitStatus),
    /// The connection has failed.
    Connection(IoError),
}

impl Program {
    /// Closes the connection, and waits until the program has ended.
    pub fn wait(self) -> io::Result<ExitStatus> {
        let Program { stream, mut child } = self;
        drop(stream);
        child.wait()
    }

    /// Returns the status of the program after its end of the connection was closed. None if the
    /// program still runs.
    fn ended(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + ENDING;
        loop {
            match self.child.try_wait() {
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(1)),
                status => return status.ok().flatten(),
            }
        }
    }
}

/// The time between the end of a connection and the end of the process: the kernel closes the
/// descriptors first.
const ENDING: Duration = Duration::from_millis(500);

impl embedded_io::ErrorType for Program {
    type Error = ProgramError;
}

impl embedded_io::Read for Program {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ProgramError> {
        let received = embedded_io::Read::read(&mut self.stream, buffer);
        if matches!(received, Ok(0) | Err(IoError::Closed))
            && !buffer.is_empty()
            && let Some(status) = self.ended()
        {
            return Err(ProgramError::Ended(status));
        }
        received.map_err(ProgramError::Connection)
    }
}

impl embedded_io::Write for Program {
    // If the program has ended, the client still reads, because replies may have been sent before.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ProgramError> {
        let sent = embedded_io::Write::write(&mut self.stream, bytes);
        sent.map_err(ProgramError::Connection)
    }

    fn flush(&mut self) -> Result<(), ProgramError> {
        Ok(()) // a stream has no buffer
    }
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProgramError::Ended(status) => write!(f, "the program ended, {status}"),
            ProgramError::Connection(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ProgramError {}

impl embedded_io::Error for ProgramError {
    fn kind(&self) -> ErrorKind {
        match self {
            // Not `BrokenPipe`, for which the client has its own error, without the status.
            ProgramError::Ended(_) => ErrorKind::Other,
            ProgramError::Connection(error) => embedded_io::Error::kind(error),
        }
    }
}

/// Opens a descriptor that becomes readable when a child has ended, like [`signals`].
///
/// # Errors
///
/// Like [`signals`].
pub fn children() -> io::Result<OwnedFd> {
    signals(&[SIGCHLD])
}

/// Opens a descriptor that becomes readable when one of these signals was sent to the process:
/// signalfd(2). They are blocked in this thread and in threads that it creates, so call this while
/// there is one thread.
///
/// # Errors
///
/// Fails if a system call fails.
pub fn signals(signals: &[c_int]) -> io::Result<OwnedFd> {
    let mut set = [0; SIGSET_WORDS];
    // SAFETY: the set has space for every signal, and libc writes nothing else. Only the mask of
    // this thread changes; std starts programs with an empty mask.
    let number = unsafe {
        sigemptyset(&mut set);
        for signal in signals {
            sigaddset(&mut set, *signal);
        }
        if sigprocmask(SIG_BLOCK, &set, ptr::null_mut()) == -1 {
            return Err(io::Error::last_os_error());
        }
        signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)
    };
    match number {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the descriptor is new, and nothing else owns it.
        number => Ok(unsafe { OwnedFd::from_raw_fd(number) }),
    }
}

/// Refuses descriptors that are sent to this socket, or to sockets that it accepts from now on:
/// `SO_PASSRIGHTS`, Linux 6.16. On older kernels it has no effect.
pub fn refuse_descriptors(socket: BorrowedFd<'_>) {
    let off: c_int = 0;
    let (value, length) = (ptr::from_ref(&off).cast(), size_of_val(&off) as u32);
    // SAFETY: the kernel reads one int, through a pointer to one.
    unsafe { setsockopt(socket.as_raw_fd(), SOL_SOCKET, SO_PASSRIGHTS, value, length) };
}

/// Returns a pidfd of the process at the other end. Unlike a pid, it cannot come to mean another
/// process. `SO_PEERPIDFD`, Linux 6.5: returns None if the kernel is older, or the process is gone.
pub fn peer_pidfd(socket: BorrowedFd<'_>) -> Option<OwnedFd> {
    let mut number: c_int = -1;
    let mut length = size_of_val(&number) as u32;
    let value = ptr::from_mut(&mut number).cast();
    // SAFETY: the kernel writes one int and its length, through pointers to both.
    let result = unsafe {
        getsockopt(
            socket.as_raw_fd(),
            SOL_SOCKET,
            SO_PEERPIDFD,
            value,
            &mut length,
        )
    };
    // SAFETY: the descriptor is new and close-on-exec, and nothing else owns it.
    (result == 0 && number >= 0).then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

/// The data that the child needs, allocated before fork(2).
struct Image {
    /// The number of the socket, which stays open until after fork(2).
    socket: c_int,
    program: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    /// `LISTEN_PID=` and space for the digits, which are known only in the child.
    pid: Vec<u8>,
    /// Space for the pointers to the arguments and to the environment, each list with a null.
    pointers: (Vec<*const c_char>, Vec<*const c_char>),
}

// SAFETY: only the pointers prevent it, and they exist only in the child.
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
            // These variables are about descriptors of this process.
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

    /// Replaces the child with the program. Returns only if that fails. Called once, in the child.
    fn execute(&mut self) -> io::Error {
        // There is space for the number and the pointers, so nothing is allocated.
        let _ = write!(&mut self.pid[PID.len()..], "{}", std::process::id());
        let (arguments, environment) = &mut self.pointers;
        arguments.extend(self.arguments.iter().map(|text| text.as_ptr()));
        arguments.push(ptr::null());
        environment.push(self.pid.as_ptr().cast());
        environment.extend(self.environment.iter().map(|text| text.as_ptr()));
        environment.push(ptr::null());
        // SAFETY: changes to the child's descriptors do not affect the parent. execve gets a string
        // and two lists of strings. Each string ends with a NUL and each list with a null, and none
        // has moved since the pointers were made.
        unsafe {
            // Number 3 may be the pipe through which std reports a failure to the parent.
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
            // dup2 clears close-on-exec, but a socket that was number 3 before still has it.
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

/// The size of a set of signals, which has 1024 bits in glibc and musl.
const SIGSET_WORDS: usize = 128 / size_of::<usize>();

/// The number of digits of the largest pid: pid_t is an int.
const DIGITS: usize = 10;

/// The number of the first passed descriptor: `SD_LISTEN_FDS_START`.
const FIRST: c_int = 3;

const LISTEN: [&str; 4] = [
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
];

// The values on x86, Arm, RISC-V, POWER and s390. MIPS, SPARC, Alpha and PA-RISC have others.
const EBADF: c_int = 9;
const F_SETFD: c_int = 2;
const F_DUPFD_CLOEXEC: c_int = 1030;
pub const SIGINT: c_int = 2;
pub const SIGTERM: c_int = 15;
const SIGCHLD: c_int = 17;
const SIG_BLOCK: c_int = 0;
const SFD_CLOEXEC: c_int = 0o2_000_000;
const SFD_NONBLOCK: c_int = 0o4_000;
const SOL_SOCKET: c_int = 1;
const SO_PEERPIDFD: c_int = 77;
const SO_PASSRIGHTS: c_int = 83;

// The declarations follow the manual pages. socklen_t has 32 bits on all platforms.
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
