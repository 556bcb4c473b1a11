//! What a program needs that has no libc: an entry, four system calls, and the memory functions
//! that the compiler calls. All unsafe code of this program is here.

use core::arch::{asm, naked_asm};
use core::panic::PanicInfo;

/// The kernel starts here, with the arguments on the stack: aligns it and calls [`start`].
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn _start() -> ! {
    naked_asm!("xor ebp, ebp", "and rsp, -16", "call {start}", "ud2", start = sym start)
}

extern "C" fn start() -> ! {
    exit(crate::main())
}

const READ: usize = 0;
const WRITE: usize = 1;
const EXIT: usize = 60;

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

fn exit(status: u8) -> ! {
    loop {
        // SAFETY: does not return, and touches no memory.
        unsafe { syscall(EXIT, status.into(), 0, 0) };
    }
}

/// The proof that nothing panics: this function does not exist, so a program in which the linker
/// keeps the panic handler does not link. (Unoptimised builds keep everything.)
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
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
