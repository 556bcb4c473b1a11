//! The runtime of a program without libc: the entry point, arguments and environment, some system
//! calls, static memory, and the memory functions that the compiler calls. All unsafe code of these
//! programs is in this file. The code that depends on the processor, x86_64 or aarch64, is at the
//! end.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char};
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use nullink::activation::{Activated, ActivationError};
use nullink::unix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use arch::number;

/// Runs the program. `arch::_start` calls this with a pointer to what the kernel puts on the stack:
/// the number of arguments, a pointer to each, a null, a pointer to each variable, a null.
extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: the kernel has put the number and that many pointers there. They stay valid, because
    // this never returns.
    let (arguments, environment) = unsafe {
        let arguments = stack.add(1);
        (arguments, arguments.add((*stack).saturating_add(1)))
    };
    exit(crate::main(Process {
        arguments: Strings(arguments.cast()),
        environment: Some(Strings(environment.cast())),
    }))
}

/// The arguments and the environment of the program.
pub struct Process {
    arguments: Strings,
    environment: Option<Strings>,
}

impl Process {
    /// Returns the arguments. The first is the program's name.
    pub fn arguments(&self) -> impl Iterator<Item = &'static [u8]> {
        self.arguments.clone()
    }

    /// Returns the arguments as strings with a NUL.
    pub fn strings(&self) -> impl Iterator<Item = &'static CStr> + use<> {
        self.arguments.clone().into_strings()
    }

    /// Returns the environment.
    pub fn environment(&self) -> Option<Environment> {
        self.environment.clone().map(Environment)
    }

    /// Returns the socket that the program was started with. Further calls return None.
    pub fn activated(&mut self) -> Result<Option<Activated>, ActivationError> {
        let environment = self.environment.take().map(Environment);
        Activated::from_environment(|name| environment.as_ref()?.variable(name), adopt)
    }

    /// Returns the descriptor that the program was started with, close-on-exec. None if there is
    /// none, or if there are several. `LISTEN_PIDFDID` is not checked: `activated` does more.
    pub fn passed(self) -> Option<OwnedFd> {
        let environment = Environment(self.environment?);
        let mut own = [0; DIGITS];
        let is_own = environment.variable("LISTEN_PID") == Some(own_pid(&mut own));
        if !is_own || environment.variable("LISTEN_FDS") != Some(b"1") {
            return None;
        }
        // SAFETY: the kernel gets no pointers.
        let result = unsafe {
            let close_on_exec = [LISTEN_FDS_START as usize, F_SETFD, FD_CLOEXEC];
            syscall(number::FCNTL, close_on_exec)
        };
        (result == 0).then(|| adopt(LISTEN_FDS_START))
    }
}

/// The number of digits of the largest pid.
const DIGITS: usize = 10;

/// Writes the pid of this process, and returns its digits: getpid(2).
fn own_pid(buffer: &mut [u8; DIGITS]) -> &[u8] {
    // SAFETY: getpid does not access memory.
    let mut pid = unsafe { syscall(number::GETPID, [0]) }.unsigned_abs();
    let mut start = DIGITS;
    for digit in buffer.iter_mut().rev() {
        *digit = b'0'.saturating_add((pid % 10) as u8);
        pid /= 10;
        start = start.saturating_sub(1);
        if pid == 0 {
            break;
        }
    }
    buffer.get(start..).unwrap_or_default()
}

/// Makes a descriptor from a number that was passed to this process.
fn adopt(number: RawFd) -> OwnedFd {
    // SAFETY: LISTEN_PID has named this process, so the descriptor was passed to it. Nothing else
    // owns it: the environment that names it is taken only once.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// The environment of the program: environ(7).
#[derive(Clone)]
pub struct Environment(Strings);

impl Environment {
    /// Returns the value of a variable.
    pub fn variable(&self, name: &str) -> Option<&'static [u8]> {
        self.0.clone().find_map(|variable| {
            let value = variable.strip_prefix(name.as_bytes())?;
            value.strip_prefix(b"=")
        })
    }
}

/// A list of strings from the kernel: a pointer to each, and a null.
#[derive(Clone)]
struct Strings(*const *const c_char);

impl Strings {
    /// Takes the next string.
    fn string(&mut self) -> Option<&'static CStr> {
        // SAFETY: there is a pointer or the null at the end, and this never moves past the null. A
        // pointer leads to a string with a NUL, which never changes.
        unsafe {
            let string = *self.0;
            if string.is_null() {
                return None;
            }
            self.0 = self.0.add(1);
            Some(CStr::from_ptr(string))
        }
    }

    fn into_strings<'a>(mut self) -> impl Iterator<Item = &'a CStr> {
        core::iter::from_fn(move || -> Option<&'a CStr> { self.string() })
    }
}

impl Iterator for Strings {
    type Item = &'static [u8];

    fn next(&mut self) -> Option<&'static [u8]> {
        self.string().map(CStr::to_bytes)
    }
}

/// Static memory that is handed out once. The flag is set then. It comes first: a flag at the end
/// could take a page that is otherwise unused.
#[repr(C)]
pub struct Memory<T>(AtomicBool, UnsafeCell<T>);

// SAFETY: the content is handed out once, to one thread.
unsafe impl<T: Send> Sync for Memory<T> {}

impl<T> Memory<T> {
    pub const fn new(content: T) -> Self {
        Memory(AtomicBool::new(false), UnsafeCell::new(content))
    }

    /// Returns the memory on the first call, and None on further calls.
    #[allow(clippy::mut_from_ref)] // only one reference is ever made
    pub fn take(&'static self) -> Option<&'static mut T> {
        let is_taken = self.0.swap(true, Ordering::Relaxed);
        // SAFETY: this is the only reference that is ever made.
        (!is_taken).then(|| unsafe { &mut *self.1.get() })
    }
}

/// The largest number of arguments of a started program, with its name.
const ARGUMENTS: usize = 256;

/// The largest number of variables that a started program gets.
const VARIABLES: usize = 256;

// Values that are the same on x86_64 and aarch64.
const CLOCK_MONOTONIC: usize = 1;
const EINTR: i32 = 4;
const E2BIG: i32 = 7;
const EBADF: i32 = 9;
const F_SETFD: usize = 2;
const FD_CLOEXEC: usize = 1;
/// The number of the first passed descriptor: sd_listen_fds(3).
const LISTEN_FDS_START: RawFd = 3;
const LISTEN_PID: &str = "LISTEN_PID=";
const EINVAL: i32 = 22;
const O_CLOEXEC: usize = 0o2_000_000;
const SFD_CLOEXEC: usize = O_CLOEXEC;
const SFD_NONBLOCK: usize = 0o4_000;
const SIGCHLD: usize = 17;
const SIG_BLOCK: usize = 0;
const SIG_SETMASK: usize = 2;

/// Makes a system call. The arguments, up to six, are in the order of the manual page.
///
/// # Safety
///
/// The arguments must be valid for the call, by its manual page.
#[inline(always)] // loading registers is shorter than a function call
unsafe fn syscall<const COUNT: usize>(number: usize, arguments: [usize; COUNT]) -> isize {
    let argument = |i: usize| arguments.get(i).copied().unwrap_or(0);
    let [a, b, c] = [argument(0), argument(1), argument(2)];
    let [d, e, f] = [argument(3), argument(4), argument(5)];
    // SAFETY: ensured by the caller.
    unsafe { arch::syscall(number, [a, b, c, d, e, f]) }
}

/// Like `syscall`, but restarts a call that a signal has interrupted: signal(7).
///
/// # Safety
///
/// The arguments must be valid for the call, by its manual page.
unsafe fn uninterrupted(number: usize, arguments: [usize; 4]) -> isize {
    loop {
        // SAFETY: ensured by the caller.
        let result = unsafe { syscall(number, arguments) };
        if errno(result) != EINTR {
            return result;
        }
    }
}

/// Reads from a descriptor: read(2). Returns 0 at the end and for errors.
pub fn read(fd: usize, buffer: &mut [u8]) -> usize {
    usize::try_from(try_read(fd, buffer)).unwrap_or(0)
}

/// Like [`read`], but returns a negative number for errors.
fn try_read(fd: usize, buffer: &mut [u8]) -> isize {
    let place = buffer.as_mut_ptr() as usize;
    // SAFETY: the kernel writes only within the buffer.
    unsafe { uninterrupted(number::READ, [fd, place, buffer.len(), 0]) }
}

/// Writes to a descriptor: write(2). Returns 0 for errors.
pub fn write(fd: usize, bytes: &[u8]) -> usize {
    let place = bytes.as_ptr() as usize;
    // SAFETY: the kernel reads only these bytes.
    let count = unsafe { uninterrupted(number::WRITE, [fd, place, bytes.len(), 0]) };
    usize::try_from(count).unwrap_or(0)
}

/// Writes all bytes, unless there is an error.
pub fn write_all(fd: usize, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match bytes.get(write(fd, bytes)..) {
            Some(rest) if rest.len() < bytes.len() => bytes = rest,
            _ => return,
        }
    }
}

/// Returns a program's exit status: 0, or 1 after it has written an error message.
pub fn status(program: &str, done: Result<(), &str>) -> u8 {
    let Err(why) = done else {
        return 0;
    };
    for part in [program, ": ", why, "\n"] {
        write_all(2, part.as_bytes());
    }
    1
}

/// Returns the time of `CLOCK_MONOTONIC`, in milliseconds: clock_gettime(2). It makes a system
/// call: the vDSO is faster, but finding it takes more code.
pub fn monotonic() -> u64 {
    let mut now = [0_u64; 2];
    // SAFETY: the kernel writes only the seconds and the nanoseconds.
    unsafe {
        syscall(
            number::CLOCK_GETTIME,
            [CLOCK_MONOTONIC, now.as_mut_ptr() as usize],
        )
    };
    let [seconds, part] = now;
    seconds.wrapping_mul(1000).wrapping_add(part / 1_000_000)
}

/// Paints the stack below its caller, so that [`depth`] can find the bytes that were written later.
/// Returns the address where the paint begins.
#[inline(always)]
pub fn paint() -> usize {
    let top = arch::stack_pointer();
    // The bytes right below the pointer may belong to this function: the red zone.
    for address in top.saturating_sub(PAINTED)..top.saturating_sub(128) {
        // SAFETY: the stack grows downwards, and this part of it is unused.
        unsafe { (address as *mut u8).write_volatile(PAINT) };
    }
    top
}

/// Returns the size that the stack has reached below the beginning of the paint, in bytes.
#[inline(always)]
pub fn depth(top: usize) -> usize {
    let mut painted = top.saturating_sub(PAINTED)..top;
    // SAFETY: these are the painted bytes of the stack.
    let first = painted.find(|address| unsafe { (*address as *const u8).read_volatile() } != PAINT);
    top.saturating_sub(first.unwrap_or(top))
}

/// The size of the painted part of the stack, in bytes.
const PAINTED: usize = 64 * 1024;

/// The value of a painted byte.
const PAINT: u8 = 0xa5;

/// Returns a standard descriptor, which must be open: stdin(3).
pub fn standard(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: nothing in these programs closes them.
    unsafe { BorrowedFd::borrow_raw(number.clamp(0, 2)) }
}

/// Ends the process.
pub fn exit(status: u8) -> ! {
    loop {
        // SAFETY: exit does not access memory.
        unsafe { syscall(number::EXIT, [status.into()]) };
    }
}

/// Waits forever. A first program that cannot continue must not exit, because the kernel would
/// panic.
pub fn stop() -> ! {
    loop {
        // SAFETY: the kernel gets no pointers.
        unsafe { syscall(number::PPOLL, [0, 0, 0, 0]) };
    }
}

/// Replaces this program with another, with an empty environment: execve(2). The strings are its
/// arguments, and the first is also its path. Returns errno if that fails.
pub fn execute<'a>(mut strings: impl Iterator<Item = &'a CStr> + Clone) -> i32 {
    let path = strings.clone().next().unwrap_or_default();
    execute_with(path, &mut strings, &mut core::iter::empty())
}

/// Like [`execute`], with a path and an environment. The strings may have any lifetime: they are
/// used during the call only.
fn execute_with<'a>(
    path: &CStr,
    arguments: &mut dyn Iterator<Item = &'a CStr>,
    environment: &mut dyn Iterator<Item = &'a CStr>,
) -> i32 {
    let mut lists = ([ptr::null(); ARGUMENTS + 1], [ptr::null(); VARIABLES + 1]);
    if !fill(&mut lists.0, arguments) || !fill(&mut lists.1, environment) {
        return E2BIG;
    }
    // A program should start without blocked signals.
    let before = mask(SIG_SETMASK, 0);
    let result = unsafe {
        // SAFETY: the kernel reads a string, and two lists of strings that end with a null.
        let lists = [lists.0.as_ptr() as usize, lists.1.as_ptr() as usize];
        syscall(number::EXECVE, [path.as_ptr() as usize, lists[0], lists[1]])
    };
    mask(SIG_SETMASK, before);
    errno(result)
}

/// Writes pointers to strings into a list of nulls. Returns false if no null is left.
fn fill(list: &mut [*const c_char], strings: &mut dyn Iterator<Item = &CStr>) -> bool {
    let mut places = list.iter_mut();
    for string in strings {
        match places.next() {
            Some(place) => *place = string.as_ptr(),
            None => return false,
        }
    }
    places.next().is_some()
}

/// A program to execute, and what it gets.
pub struct Program<'a> {
    pub path: &'a CStr,
    /// The arguments. The first is the name of the program.
    pub arguments: &'a [&'a CStr],
    pub environment: Option<Environment>,
    /// The descriptor that becomes standard input.
    pub input: Option<RawFd>,
    /// The descriptor that becomes standard output.
    pub output: Option<RawFd>,
    /// The descriptor that becomes the first that LISTEN_FDS announces: sd_listen_fds(3).
    pub socket: Option<RawFd>,
}

impl Program<'_> {
    /// Replaces this program: execve(2). Returns errno if that fails. Then standard input and
    /// output may have changed already.
    pub fn execute(&self) -> i32 {
        let targets = [
            (self.input, 0),
            (self.output, 1),
            (self.socket, LISTEN_FDS_START),
        ];
        for (descriptor, number) in targets {
            if let Some(descriptor) = descriptor
                && !place(descriptor, number)
            {
                return EBADF;
            }
        }
        let mut own = *b"LISTEN_PID=\0\0\0\0\0\0\0\0\0\0\0";
        let mut digits = [0; DIGITS];
        let digits = own_pid(&mut digits).iter();
        let places = own.iter_mut().skip(LISTEN_PID.len());
        places.zip(digits).for_each(|(to, from)| *to = *from);
        let announced = [
            CStr::from_bytes_until_nul(&own).unwrap_or_default(),
            c"LISTEN_FDS=1",
            c"LISTEN_FDNAMES=varlink",
        ];
        let announced = announced.into_iter().filter(|_| self.socket.is_some());
        let inherited = self.environment.clone().into_iter();
        let inherited = inherited.flat_map(|environment| environment.0.into_strings());
        // Descriptors that were passed to this program are not passed on.
        let inherited = inherited.filter(|variable| !variable.to_bytes().starts_with(b"LISTEN_"));
        execute_with(
            self.path,
            &mut self.arguments.iter().copied(),
            &mut inherited.chain(announced),
        )
    }

    /// Starts the program in a child, and returns its pid: fork(2).
    ///
    /// # Errors
    ///
    /// Returns errno if a system call fails, in the child also.
    pub fn start(&self) -> Result<i32, i32> {
        start_child(|| self.execute())
    }
}

/// Makes a descriptor known as a number to the next program: dup2(2).
fn place(descriptor: RawFd, number: RawFd) -> bool {
    // SAFETY: the kernel gets no pointers.
    let result = unsafe {
        if descriptor == number {
            // dup3 refuses that.
            syscall(number::FCNTL, [number as usize, F_SETFD, 0])
        } else {
            syscall(number::DUP3, [descriptor as usize, number as usize, 0])
        }
    };
    result >= 0
}

/// Starts a program as [`execute`] does, in a child, and returns its pid: fork(2).
///
/// # Errors
///
/// Returns errno if a system call fails, in the child also.
pub fn start_program<'a>(strings: impl Iterator<Item = &'a CStr> + Clone) -> Result<i32, i32> {
    start_child(|| {
        // In its own group, so that signals to the group do not reach other children.
        // SAFETY: setpgid does not access memory.
        unsafe { syscall(number::SETPGID, [0, 0]) };
        execute(strings)
    })
}

/// Starts a child that executes a program. `execute` returns errno if that fails.
fn start_child(execute: impl FnOnce() -> i32) -> Result<i32, i32> {
    let (reader, writer) = pipe()?;
    // SAFETY: the child has a copy of this memory, with the stack at the same address. There are no
    // other threads.
    match unsafe { syscall(number::CLONE, [SIGCHLD, 0, 0, 0, 0]) } {
        0 => {
            let errno = execute();
            // An errno fits into a byte. If execve succeeds, it closes the pipe, and the reader
            // gets none.
            write(writer.as_raw_fd() as usize, &[errno as u8]);
            exit(127)
        }
        result @ 1.. => {
            drop(writer);
            let mut failed = [0];
            match try_read(reader.as_raw_fd() as usize, &mut failed) {
                0 => return Ok(result as i32),
                1.. => {}
                // Whether the child has failed is unknown, so this must not wait for its end.
                unread => return Err(errno(unread)),
            }
            // SAFETY: the kernel gets no pointers.
            unsafe { uninterrupted(number::WAIT4, [result as usize, 0, 0, 0]) };
            Err(failed[0].into())
        }
        result => Err(errno(result)),
    }
}

/// Opens a descriptor that becomes readable when a child has ended: signalfd(2). Blocks SIGCHLD.
///
/// # Errors
///
/// Returns errno if a system call fails.
pub fn children() -> Result<OwnedFd, i32> {
    let set = 1_u64 << (SIGCHLD - 1);
    mask(SIG_BLOCK, set);
    // SAFETY: the kernel reads one set of signals.
    let result = unsafe {
        let set = [ptr::from_ref(&set) as usize, size_of_val(&set)];
        let flags = SFD_CLOEXEC | SFD_NONBLOCK;
        syscall(number::SIGNALFD4, [usize::MAX, set[0], set[1], flags])
    };
    match RawFd::try_from(result) {
        // SAFETY: the descriptor is new, and nothing else owns it.
        Ok(number @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(number) }),
        _ => Err(errno(result)),
    }
}

/// Changes the set of blocked signals, and returns the previous set: sigprocmask(2).
fn mask(how: usize, set: u64) -> u64 {
    let mut before = 0_u64;
    let (new, old) = (
        ptr::from_ref(&set) as usize,
        ptr::from_mut(&mut before) as usize,
    );
    // SAFETY: the kernel reads one set of signals, and writes one.
    unsafe { syscall(number::RT_SIGPROCMASK, [how, new, old, size_of_val(&set)]) };
    before
}

/// Creates a pipe, and returns its read end and its write end: pipe(2).
fn pipe() -> Result<(OwnedFd, OwnedFd), i32> {
    let mut ends: [RawFd; 2] = [-1; 2];
    // SAFETY: the kernel writes two numbers.
    let result = unsafe { syscall(number::PIPE2, [ends.as_mut_ptr() as usize, O_CLOEXEC]) };
    match (result, ends) {
        // SAFETY: the descriptors are new, and nothing else owns them.
        (0, ends) => Ok(ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) }).into()),
        (result, _) => Err(errno(result)),
    }
}

/// Returns the errno of a failed system call, whose result is its negative: errno(3).
fn errno(result: isize) -> i32 {
    i32::try_from(result.wrapping_neg()).unwrap_or(EINVAL)
}

/// The panic handler of a program that must not panic. It calls a function that does not exist, so
/// the program links only if the linker can drop the panic handler. Unoptimized builds keep
/// everything, so there it exits.
pub fn could_panic() -> ! {
    #[cfg(not(debug_assertions))]
    {
        unsafe extern "C" {
            fn nullink_could_panic() -> !;
        }
        // SAFETY: this code is never linked.
        unsafe { nullink_could_panic() }
    }
    #[cfg(debug_assertions)]
    exit(101)
}

/// Unoptimized builds of core refer to this function.
#[cfg(debug_assertions)]
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

// The compiler emits calls of these functions. It would turn a loop that copies or fills into a
// call of the function itself, so such loops are in assembly.

/// # Safety
///
/// The requirements of memcpy(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: ensured by the caller.
    unsafe { arch::copy(to, from, count) };
    to
}

/// # Safety
///
/// The requirements of memmove(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= count {
        // SAFETY: ensured by the caller. A forward copy overwrites only bytes that it has copied.
        return unsafe { memcpy(to, from, count) };
    }
    // SAFETY: ensured by the caller. A backward copy overwrites only bytes that it has copied.
    unsafe { arch::copy_backwards(to, from, count) };
    to
}

/// # Safety
///
/// The requirements of memset(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    // SAFETY: ensured by the caller.
    unsafe { arch::fill(to, byte as u8, count) };
    to
}

/// # Safety
///
/// The requirements of memcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    let mut i = 0;
    while i < count {
        // SAFETY: ensured by the caller.
        let (a, b) = unsafe { (a.add(i).read_volatile(), b.add(i).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
        i = i.wrapping_add(1);
    }
    0
}

/// # Safety
///
/// The requirements of bcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    // SAFETY: ensured by the caller.
    unsafe { memcmp(a, b, count) }
}

/// # Safety
///
/// The requirements of strlen(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut i = 0;
    // SAFETY: ensured by the caller. Nothing after the NUL is read.
    while unsafe { text.add(i).read_volatile() } != 0 {
        i = i.wrapping_add(1);
    }
    i
}

/// The code for x86_64: the entry point, system calls as in syscall(2), and the memory functions.
#[cfg(target_arch = "x86_64")]
mod arch {
    use core::arch::{asm, naked_asm};

    /// The numbers of system calls: asm/unistd_64.h.
    pub mod number {
        pub const READ: usize = 0;
        pub const WRITE: usize = 1;
        pub const RT_SIGPROCMASK: usize = 14;
        pub const GETPID: usize = 39;
        pub const CLONE: usize = 56;
        pub const EXECVE: usize = 59;
        pub const EXIT: usize = 60;
        pub const WAIT4: usize = 61;
        pub const FCNTL: usize = 72;
        pub const SETPGID: usize = 109;
        pub const CLOCK_GETTIME: usize = 228;
        pub const PPOLL: usize = 271;
        pub const SIGNALFD4: usize = 289;
        pub const DUP3: usize = 292;
        pub const PIPE2: usize = 293;
    }

    /// The entry point. Aligns the stack, and passes a pointer to the arguments on it to `start`.
    #[unsafe(no_mangle)]
    #[unsafe(naked)]
    extern "C" fn _start() -> ! {
        naked_asm!("xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {start}", "ud2",
            start = sym super::start)
    }

    #[inline(always)]
    pub fn stack_pointer() -> usize {
        let pointer: usize;
        // SAFETY: reads a register.
        unsafe { asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack)) };
        pointer
    }

    /// # Safety
    ///
    /// The arguments must be valid for the call, by its manual page.
    #[inline(always)]
    pub unsafe fn syscall(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
        let result;
        // SAFETY: the kernel's calling convention: rcx and r11 are clobbered, memory may change.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") number => result,
                in("rdi") a,
                in("rsi") b,
                in("rdx") c,
                in("r10") d,
                in("r8") e,
                in("r9") f,
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        result
    }

    /// # Safety
    ///
    /// The requirements of memcpy(3). Copies from the first byte to the last.
    pub unsafe fn copy(to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: ensured by the caller.
        unsafe {
            asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
                options(nostack, preserves_flags));
        }
    }

    /// # Safety
    ///
    /// The requirements of memcpy(3). Copies from the last byte to the first.
    pub unsafe fn copy_backwards(to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: ensured by the caller.
        unsafe {
            asm!("std", "rep movsb", "cld", inout("rcx") count => _,
                inout("rdi") to.wrapping_add(count).wrapping_sub(1) => _,
                inout("rsi") from.wrapping_add(count).wrapping_sub(1) => _, options(nostack));
        }
    }

    /// # Safety
    ///
    /// The requirements of memset(3).
    pub unsafe fn fill(to: *mut u8, byte: u8, count: usize) {
        // SAFETY: ensured by the caller.
        unsafe {
            asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") byte,
                options(nostack, preserves_flags));
        }
    }
}

/// The code for 64-bit Arm. The loops copy single bytes: this is short, and needs no alignment.
#[cfg(target_arch = "aarch64")]
mod arch {
    use core::arch::{asm, naked_asm};

    /// The numbers of system calls: asm-generic/unistd.h.
    pub mod number {
        pub const DUP3: usize = 24;
        pub const FCNTL: usize = 25;
        pub const PIPE2: usize = 59;
        pub const READ: usize = 63;
        pub const WRITE: usize = 64;
        pub const PPOLL: usize = 73;
        pub const SIGNALFD4: usize = 74;
        pub const EXIT: usize = 93;
        pub const CLOCK_GETTIME: usize = 113;
        pub const RT_SIGPROCMASK: usize = 135;
        pub const SETPGID: usize = 154;
        pub const GETPID: usize = 172;
        pub const CLONE: usize = 220;
        pub const EXECVE: usize = 221;
        pub const WAIT4: usize = 260;
    }

    /// The entry point. Passes a pointer to the arguments on the stack, which is aligned, to
    /// `start`.
    #[unsafe(no_mangle)]
    #[unsafe(naked)]
    extern "C" fn _start() -> ! {
        naked_asm!("mov x29, xzr", "mov x30, xzr", "mov x0, sp", "bl {start}", "brk #1",
            start = sym super::start)
    }

    #[inline(always)]
    pub fn stack_pointer() -> usize {
        let pointer: usize;
        // SAFETY: reads a register.
        unsafe { asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack)) };
        pointer
    }

    /// # Safety
    ///
    /// The arguments must be valid for the call, by its manual page.
    #[inline(always)]
    pub unsafe fn syscall(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
        let result;
        // SAFETY: the kernel's calling convention: only x0 changes, memory may change.
        unsafe {
            asm!(
                "svc #0",
                in("x8") number,
                inlateout("x0") a => result,
                in("x1") b,
                in("x2") c,
                in("x3") d,
                in("x4") e,
                in("x5") f,
                options(nostack),
            );
        }
        result
    }

    /// # Safety
    ///
    /// The requirements of memcpy(3). Copies from the first byte to the last.
    pub unsafe fn copy(to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: ensured by the caller.
        unsafe {
            asm!("b 3f", "2: ldrb {byte:w}, [{from}], #1", "strb {byte:w}, [{to}], #1",
                "sub {count}, {count}, #1", "3: cbnz {count}, 2b",
                byte = out(reg) _, count = inout(reg) count => _, to = inout(reg) to => _,
                from = inout(reg) from => _, options(nostack, preserves_flags));
        }
    }

    /// # Safety
    ///
    /// The requirements of memcpy(3). Copies from the last byte to the first.
    pub unsafe fn copy_backwards(to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: ensured by the caller.
        unsafe {
            asm!("b 3f", "2: sub {count}, {count}, #1", "ldrb {byte:w}, [{from}, {count}]",
                "strb {byte:w}, [{to}, {count}]", "3: cbnz {count}, 2b",
                byte = out(reg) _, count = inout(reg) count => _, to = in(reg) to,
                from = in(reg) from, options(nostack, preserves_flags));
        }
    }

    /// # Safety
    ///
    /// The requirements of memset(3).
    pub unsafe fn fill(to: *mut u8, byte: u8, count: usize) {
        // SAFETY: ensured by the caller.
        unsafe {
            asm!("b 3f", "2: strb {byte:w}, [{to}], #1", "sub {count}, {count}, #1",
                "3: cbnz {count}, 2b", byte = in(reg) byte, count = inout(reg) count => _,
                to = inout(reg) to => _, options(nostack, preserves_flags));
        }
    }
}
