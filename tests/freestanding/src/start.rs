//! What a program without libc needs: an entry, its arguments and its environment, a few system
//! calls, memory, and the functions for it that the compiler calls. All unsafe code of these programs
//! is here, and what depends on the processor is at the end: x86_64 and aarch64.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char};
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use nullink::unix::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use nullink::activation::{Activated, ActivationError};

use arch::number;

/// `arch::_start` comes here, with what the kernel leaves on the stack: the number of arguments, a
/// pointer to each, a null; a pointer to each variable, a null.
extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: the number is there, and as many pointers follow. All of it stays: this never returns.
    let (arguments, environment) = unsafe {
        let arguments = stack.add(1);
        (arguments, arguments.add((*stack).saturating_add(1)))
    };
    exit(crate::main(Process {
        arguments: Strings(arguments.cast()),
        environment: Some(Strings(environment.cast())),
    }))
}

/// What the program was started with.
pub struct Process {
    arguments: Strings,
    environment: Option<Strings>,
}

impl Process {
    /// Its arguments. The first is its name.
    pub fn arguments(&self) -> impl Iterator<Item = &'static [u8]> {
        self.arguments.clone()
    }

    /// The socket that it was started with. There is none the second time.
    pub fn activated(&mut self) -> Result<Option<Activated>, ActivationError> {
        let environment = self.environment.take();
        Activated::from_environment(
            |name| {
                environment.clone()?.find_map(|variable| {
                    let value = variable.strip_prefix(name.as_bytes())?;
                    value.strip_prefix(b"=")
                })
            },
            adopt,
        )
    }
}

/// Makes a descriptor of a number that was passed to this process.
fn adopt(number: RawFd) -> OwnedFd {
    // SAFETY: whoever has started this process says, by its pid, that the descriptor is passed to
    // it. Nobody else owns it: the environment that says so is there for one caller, once.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Strings of the kernel's: pointers to them, up to a null.
#[derive(Clone)]
struct Strings(*const *const c_char);

impl Iterator for Strings {
    type Item = &'static [u8];

    fn next(&mut self) -> Option<&'static [u8]> {
        // SAFETY: there is a pointer, if only the null at the end, which is not passed; and where it
        // points, a string with its NUL, which nobody changes.
        unsafe {
            let string = *self.0;
            if string.is_null() {
                return None;
            }
            self.0 = self.0.add(1);
            Some(CStr::from_ptr(string).to_bytes())
        }
    }
}

/// Memory that a program has in a `static`, for one part of it that takes it: then the flag is set. It
/// is in front, because what is at the end of the memory may never be used.
#[repr(C)]
pub struct Memory<T>(AtomicBool, UnsafeCell<T>);

// SAFETY: it is given out once, to one thread.
unsafe impl<T: Send> Sync for Memory<T> {}

impl<T> Memory<T> {
    pub const fn new(content: T) -> Self {
        Memory(AtomicBool::new(false), UnsafeCell::new(content))
    }

    /// The memory, the first time that it is asked for.
    #[allow(clippy::mut_from_ref)] // there is one, for ever
    pub fn take(&'static self) -> Option<&'static mut T> {
        let is_taken = self.0.swap(true, Ordering::Relaxed);
        // SAFETY: no other reference is made, before or after.
        (!is_taken).then(|| unsafe { &mut *self.1.get() })
    }
}

/// How many arguments a program can have that is started from here, its name among them.
const ARGUMENTS: usize = 32;

// The same on all processors that this knows.
const CLOCK_MONOTONIC: usize = 1;
const EINTR: i32 = 4;
const E2BIG: i32 = 7;
const EINVAL: i32 = 22;
const O_CLOEXEC: usize = 0o2_000_000;
const SFD_CLOEXEC: usize = O_CLOEXEC;
const SFD_NONBLOCK: usize = 0o4_000;
const SIGCHLD: usize = 17;
const SIG_BLOCK: usize = 0;
const SIG_SETMASK: usize = 2;

/// A system call with up to six arguments: those that it has, in the order of its manual page.
///
/// # Safety
///
/// As the call's manual page says.
#[inline(always)] // registers are less than a call
unsafe fn syscall<const COUNT: usize>(number: usize, arguments: [usize; COUNT]) -> isize {
    let argument = |i: usize| arguments.get(i).copied().unwrap_or(0);
    let [a, b, c] = [argument(0), argument(1), argument(2)];
    let [d, e, f] = [argument(3), argument(4), argument(5)];
    // SAFETY: the caller's.
    unsafe { arch::syscall(number, [a, b, c, d, e, f]) }
}

/// Like `syscall`, again and again while signals interrupt it: signal(7).
///
/// # Safety
///
/// As the call's manual page says.
unsafe fn uninterrupted(number: usize, arguments: [usize; 4]) -> isize {
    loop {
        // SAFETY: the caller's.
        let result = unsafe { syscall(number, arguments) };
        if errno(result) != EINTR {
            return result;
        }
    }
}

/// read(2); an error is an end.
pub fn read(fd: usize, buffer: &mut [u8]) -> usize {
    let place = buffer.as_mut_ptr() as usize;
    // SAFETY: the kernel writes into the buffer, and not beyond it.
    let count = unsafe { uninterrupted(number::READ, [fd, place, buffer.len(), 0]) };
    usize::try_from(count).unwrap_or(0)
}

/// write(2); an error is 0.
pub fn write(fd: usize, bytes: &[u8]) -> usize {
    let place = bytes.as_ptr() as usize;
    // SAFETY: the kernel reads the bytes, and not beyond them.
    let count = unsafe { uninterrupted(number::WRITE, [fd, place, bytes.len(), 0]) };
    usize::try_from(count).unwrap_or(0)
}

/// Writes everything, unless there is an error.
pub fn write_all(fd: usize, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match bytes.get(write(fd, bytes)..) {
            Some(rest) if rest.len() < bytes.len() => bytes = rest,
            _ => return,
        }
    }
}

/// The status that a program ends with: 0, or 1 after an error message.
pub fn status(program: &str, done: Result<(), &str>) -> u8 {
    let Err(why) = done else {
        return 0;
    };
    for part in [program, ": ", why, "\n"] {
        write_all(2, part.as_bytes());
    }
    1
}

/// Milliseconds of `CLOCK_MONOTONIC`: clock_gettime(2), asked of the kernel itself. (The vdso is
/// faster; to find it takes more code.)
pub fn monotonic() -> u64 {
    let mut now = [0_u64; 2];
    // SAFETY: the kernel writes the seconds and the nanoseconds, and nothing else.
    unsafe {
        syscall(
            number::CLOCK_GETTIME,
            [CLOCK_MONOTONIC, now.as_mut_ptr() as usize],
        )
    };
    let [seconds, part] = now;
    seconds.wrapping_mul(1000).wrapping_add(part / 1_000_000)
}

/// Paints the stack below its caller, so that [`depth`] finds what has been written to since. It
/// returns where the paint begins.
#[inline(always)]
pub fn paint() -> usize {
    let top = arch::stack_pointer();
    // The bytes right below the pointer may belong to this function: the red zone.
    for address in top.saturating_sub(PAINTED)..top.saturating_sub(128) {
        // SAFETY: the stack grows downwards, and nothing is there yet.
        unsafe { (address as *mut u8).write_volatile(PAINT) };
    }
    top
}

/// How deep the stack has been below the paint's beginning.
#[inline(always)]
pub fn depth(top: usize) -> usize {
    let mut painted = top.saturating_sub(PAINTED)..top;
    // SAFETY: that is where the paint is.
    let first = painted.find(|address| unsafe { (*address as *const u8).read_volatile() } != PAINT);
    top.saturating_sub(first.unwrap_or(top))
}

const PAINTED: usize = 64 * 1024;
const PAINT: u8 = 0xa5;

/// Ends the process.
pub fn exit(status: u8) -> ! {
    loop {
        // SAFETY: does not return, and touches no memory.
        unsafe { syscall(number::EXIT, [status.into()]) };
    }
}

/// Waits for ever: what a first program does that can't go on, because its end would be the kernel's.
pub fn stop() -> ! {
    loop {
        // SAFETY: there is nothing that the kernel could read or write.
        unsafe { syscall(number::PPOLL, [0, 0, 0, 0]) };
    }
}

/// Becomes the program whose path is the first of the strings, and whose arguments they are, with an
/// empty environment: execve(2). Returns errno, if it could not.
pub fn execute<'a>(strings: impl Iterator<Item = &'a CStr>) -> i32 {
    let mut pointers = [ptr::null(); ARGUMENTS + 1];
    let mut places = pointers.iter_mut();
    for string in strings {
        match places.next() {
            Some(place) => *place = string.as_ptr(),
            None => return E2BIG,
        }
    }
    if places.next().is_none() {
        return E2BIG;
    }
    let [path, ..] = pointers;
    let nothing: [*const c_char; 1] = [ptr::null()];
    // A program begins without signals that wait.
    let before = mask(SIG_SETMASK, 0);
    let result = unsafe {
        // SAFETY: the kernel reads a string, and two lists of strings with a null after them.
        let lists = [pointers.as_ptr() as usize, nothing.as_ptr() as usize];
        syscall(number::EXECVE, [path as usize, lists[0], lists[1]])
    };
    mask(SIG_SETMASK, before);
    errno(result)
}

/// Starts such a program, and returns its pid: fork(2).
///
/// # Errors
///
/// errno, of execve(2), too.
pub fn start_program<'a>(strings: impl Iterator<Item = &'a CStr>) -> Result<i32, i32> {
    let (reader, writer) = pipe()?;
    // SAFETY: the child has a copy of this memory, and its own stack at the same place; it is the
    // only thread.
    match unsafe { syscall(number::CLONE, [SIGCHLD, 0, 0, 0, 0]) } {
        0 => {
            // Signals to its group are not for this program's other children.
            // SAFETY: nothing is read or written.
            unsafe { syscall(number::SETPGID, [0, 0]) };
            let errno = execute(strings);
            // An errno fits into a byte. Without an error, execve closes the pipe, and it ends empty.
            write(writer.as_raw_fd() as usize, &[errno as u8]);
            exit(127)
        }
        result @ 1.. => {
            drop(writer);
            let mut failed = [0];
            if read(reader.as_raw_fd() as usize, &mut failed) == 0 {
                return Ok(result as i32);
            }
            // SAFETY: the kernel writes nothing.
            unsafe { uninterrupted(number::WAIT4, [result as usize, 0, 0, 0]) };
            Err(failed[0].into())
        }
        result => Err(errno(result)),
    }
}

/// A descriptor that can be read when a child has ended: signalfd(2). The signal does nothing else any
/// more.
///
/// # Errors
///
/// errno.
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
        // SAFETY: it was opened just now, for this call.
        Ok(number @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(number) }),
        _ => Err(errno(result)),
    }
}

/// Changes which signals wait, and returns which did before: sigprocmask(2).
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

/// Two ends of a pipe, the one to read first: pipe(2).
fn pipe() -> Result<(OwnedFd, OwnedFd), i32> {
    let mut ends: [RawFd; 2] = [-1; 2];
    // SAFETY: the kernel writes two numbers.
    let result = unsafe { syscall(number::PIPE2, [ends.as_mut_ptr() as usize, O_CLOEXEC]) };
    match (result, ends) {
        // SAFETY: they were opened just now, for this call.
        (0, ends) => Ok(ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) }).into()),
        (result, _) => Err(errno(result)),
    }
}

/// What the kernel returns if it refuses: errno(3), negative.
fn errno(result: isize) -> i32 {
    i32::try_from(result.wrapping_neg()).unwrap_or(EINVAL)
}

/// The panic handler of a program that proves that it does not panic: this function does not exist,
/// so a program in which the linker keeps the panic handler does not link. (Unoptimised builds keep
/// everything.)
pub fn could_panic() -> ! {
    #[cfg(not(debug_assertions))]
    {
        unsafe extern "C" {
            fn nullink_could_panic() -> !;
        }
        // SAFETY: never linked.
        unsafe { nullink_could_panic() }
    }
    #[cfg(debug_assertions)]
    exit(101)
}

/// Unoptimised builds of core refer to it.
#[cfg(debug_assertions)]
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

// The compiler makes calls of these. It would make a loop that copies or fills a call of itself, so
// those are the processor's.

/// # Safety
///
/// As memcpy(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { arch::copy(to, from, count) };
    to
}

/// # Safety
///
/// As memmove(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= count {
        // SAFETY: the caller's; forwards, what is overwritten has been copied.
        return unsafe { memcpy(to, from, count) };
    }
    // SAFETY: the caller's; backwards, what is overwritten has been copied.
    unsafe { arch::copy_backwards(to, from, count) };
    to
}

/// # Safety
///
/// As memset(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { arch::fill(to, byte as u8, count) };
    to
}

/// # Safety
///
/// As memcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    let mut i = 0;
    while i < count {
        // SAFETY: the caller's.
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
/// As bcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    // SAFETY: the caller's.
    unsafe { memcmp(a, b, count) }
}

/// # Safety
///
/// As strlen(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut i = 0;
    // SAFETY: the caller's: nothing after the NUL is read.
    while unsafe { text.add(i).read_volatile() } != 0 {
        i = i.wrapping_add(1);
    }
    i
}

/// The entry, the kernel's calling convention (syscall(2)) and its numbers, and the loops over memory.
#[cfg(target_arch = "x86_64")]
mod arch {
    use core::arch::{asm, naked_asm};

    /// The numbers of system calls: asm/unistd_64.h.
    pub mod number {
        pub const READ: usize = 0;
        pub const WRITE: usize = 1;
        pub const RT_SIGPROCMASK: usize = 14;
        pub const CLONE: usize = 56;
        pub const EXECVE: usize = 59;
        pub const EXIT: usize = 60;
        pub const WAIT4: usize = 61;
        pub const SETPGID: usize = 109;
        pub const CLOCK_GETTIME: usize = 228;
        pub const PPOLL: usize = 271;
        pub const SIGNALFD4: usize = 289;
        pub const PIPE2: usize = 293;
    }

    /// The kernel starts here, with the arguments on the stack: aligns it and calls start.
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
    /// As the call's manual page says.
    #[inline(always)]
    pub unsafe fn syscall(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
        let result;
        // SAFETY: the kernel's calling convention: rcx and r11 are lost, memory may change.
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
    /// As memcpy(3), from the first byte to the last.
    pub unsafe fn copy(to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: the caller's.
        unsafe {
            asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
                options(nostack, preserves_flags));
        }
    }

    /// # Safety
    ///
    /// As memcpy(3), from the last byte to the first.
    pub unsafe fn copy_backwards(to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: the caller's.
        unsafe {
            asm!("std", "rep movsb", "cld", inout("rcx") count => _,
                inout("rdi") to.wrapping_add(count).wrapping_sub(1) => _,
                inout("rsi") from.wrapping_add(count).wrapping_sub(1) => _, options(nostack));
        }
    }

    /// # Safety
    ///
    /// As memset(3).
    pub unsafe fn fill(to: *mut u8, byte: u8, count: usize) {
        // SAFETY: the caller's.
        unsafe {
            asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") byte,
                options(nostack, preserves_flags));
        }
    }
}

/// As above, for 64-bit Arm. The loops go byte by byte, so they are short and nothing has to be aligned.
#[cfg(target_arch = "aarch64")]
mod arch {
    use core::arch::{asm, naked_asm};

    /// The numbers of system calls: asm-generic/unistd.h.
    pub mod number {
        pub const PIPE2: usize = 59;
        pub const READ: usize = 63;
        pub const WRITE: usize = 64;
        pub const PPOLL: usize = 73;
        pub const SIGNALFD4: usize = 74;
        pub const EXIT: usize = 93;
        pub const CLOCK_GETTIME: usize = 113;
        pub const RT_SIGPROCMASK: usize = 135;
        pub const SETPGID: usize = 154;
        pub const CLONE: usize = 220;
        pub const EXECVE: usize = 221;
        pub const WAIT4: usize = 260;
    }

    /// The kernel starts here, with the arguments on the stack, which is aligned: calls start.
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
    /// As the call's manual page says.
    #[inline(always)]
    pub unsafe fn syscall(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
        let result;
        // SAFETY: the kernel's calling convention: only x0 is another then, memory may change.
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
    /// As memcpy(3), from the first byte to the last.
    pub unsafe fn copy(to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: the caller's.
        unsafe {
            asm!("b 3f", "2: ldrb {byte:w}, [{from}], #1", "strb {byte:w}, [{to}], #1",
                "sub {count}, {count}, #1", "3: cbnz {count}, 2b",
                byte = out(reg) _, count = inout(reg) count => _, to = inout(reg) to => _,
                from = inout(reg) from => _, options(nostack, preserves_flags));
        }
    }

    /// # Safety
    ///
    /// As memcpy(3), from the last byte to the first.
    pub unsafe fn copy_backwards(to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: the caller's.
        unsafe {
            asm!("b 3f", "2: sub {count}, {count}, #1", "ldrb {byte:w}, [{from}, {count}]",
                "strb {byte:w}, [{to}, {count}]", "3: cbnz {count}, 2b",
                byte = out(reg) _, count = inout(reg) count => _, to = in(reg) to,
                from = in(reg) from, options(nostack, preserves_flags));
        }
    }

    /// # Safety
    ///
    /// As memset(3).
    pub unsafe fn fill(to: *mut u8, byte: u8, count: usize) {
        // SAFETY: the caller's.
        unsafe {
            asm!("b 3f", "2: strb {byte:w}, [{to}], #1", "sub {count}, {count}, #1",
                "3: cbnz {count}, 2b", byte = in(reg) byte, count = inout(reg) count => _,
                to = inout(reg) to => _, options(nostack, preserves_flags));
        }
    }
}
