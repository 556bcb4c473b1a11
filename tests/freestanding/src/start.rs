//! What a program needs that has no libc: an entry, its arguments and its environment, a few system
//! calls, memory, and the functions for it that the compiler calls. All unsafe code of these programs
//! is here.

use core::arch::{asm, naked_asm};
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicBool, Ordering};

use nullink::activation::fd::{FromRawFd, OwnedFd, RawFd};
use nullink::activation::{self, Activated};

/// The kernel starts here, with the arguments on the stack: aligns it and calls [`start`].
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn _start() -> ! {
    naked_asm!("xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {start}", "ud2",
        start = sym start)
}

/// What the kernel leaves on the stack: the number of arguments, a pointer to each, a null; a pointer
/// to each variable, a null.
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
    pub fn activated(&mut self) -> Result<Option<Activated>, activation::Error> {
        let environment = self.environment.take();
        activation::varlink(
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

const READ: usize = 0;
const WRITE: usize = 1;
const EXIT: usize = 60;
const CLOCK_GETTIME: usize = 228;

const CLOCK_MONOTONIC: usize = 1;

/// A system call with three arguments, or fewer.
///
/// # Safety
///
/// As the call's manual page says.
unsafe fn syscall(number: usize, a: usize, b: usize, c: usize) -> isize {
    let result;
    // SAFETY: the kernel's calling convention: rcx and r11 are lost, memory may change.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// read(2); an error is an end.
pub fn read(fd: usize, buffer: &mut [u8]) -> usize {
    // SAFETY: the kernel writes into the buffer, and not beyond it.
    let count = unsafe { syscall(READ, fd, buffer.as_mut_ptr() as usize, buffer.len()) };
    usize::try_from(count).unwrap_or(0)
}

/// write(2); an error is 0.
pub fn write(fd: usize, bytes: &[u8]) -> usize {
    // SAFETY: the kernel reads the bytes, and not beyond them.
    let count = unsafe { syscall(WRITE, fd, bytes.as_ptr() as usize, bytes.len()) };
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

/// Milliseconds of `CLOCK_MONOTONIC`: clock_gettime(2), asked of the kernel itself. (The vdso is
/// faster; to find it takes more code.)
pub fn monotonic() -> u64 {
    let mut now = [0_u64; 2];
    // SAFETY: the kernel writes the seconds and the nanoseconds, and nothing else.
    unsafe { syscall(CLOCK_GETTIME, CLOCK_MONOTONIC, now.as_mut_ptr() as usize, 0) };
    let [seconds, part] = now;
    seconds.wrapping_mul(1000).wrapping_add(part / 1_000_000)
}

/// Paints the stack below its caller, so that [`depth`] finds what has been written to since. It
/// returns where the paint begins.
#[inline(always)]
pub fn paint() -> usize {
    let top = stack_pointer();
    // (What is right below may belong to this.)
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

#[inline(always)]
fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack));
        #[cfg(target_arch = "aarch64")]
        asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack));
    }
    pointer
}

/// Ends the process.
pub fn exit(status: u8) -> ! {
    loop {
        // SAFETY: does not return, and touches no memory.
        unsafe { syscall(EXIT, status.into(), 0, 0) };
    }
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

// The compiler makes calls of these; `rep movsb` and `rep stosb` can't be turned into calls of
// themselves.

/// # Safety
///
/// As memcpy(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe {
        asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
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
    unsafe {
        asm!("std", "rep movsb", "cld", inout("rcx") count => _,
            inout("rdi") to.wrapping_add(count).wrapping_sub(1) => _,
            inout("rsi") from.wrapping_add(count).wrapping_sub(1) => _, options(nostack));
    }
    to
}

/// # Safety
///
/// As memset(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe {
        asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") byte as u8,
            options(nostack, preserves_flags));
    }
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
    // SAFETY: the caller's: nothing behind the NUL is read.
    while unsafe { text.add(i).read_volatile() } != 0 {
        i = i.wrapping_add(1);
    }
    i
}
