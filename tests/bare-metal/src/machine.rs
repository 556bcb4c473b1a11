//! What both boards have, because their processors do: registers, a clock, a stack, a way to stop.
//! All unsafe code of these programs is here, and where a board says where its registers are.

use core::arch::asm;
use core::panic::PanicInfo;
use core::ptr::addr_of;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cortex_m_rt::{STACK_PAINT_VALUE, exception};

/// A register of the machine.
#[derive(Clone, Copy)]
pub struct Register(*mut u32);

impl Register {
    /// The register at an address.
    ///
    /// # Safety
    ///
    /// It is one, and reading and writing it changes no memory of the program's.
    pub const unsafe fn at(address: usize) -> Self {
        Register(address as *mut u32)
    }

    pub fn get(self) -> u32 {
        // SAFETY: there is a register: see `at`.
        unsafe { self.0.read_volatile() }
    }

    pub fn set(self, value: u32) {
        // SAFETY: there is a register: see `at`.
        unsafe { self.0.write_volatile(value) }
    }

    /// Sets these bits, and leaves the others.
    pub fn add(self, bits: u32) {
        self.set(self.get() | bits);
    }
}

// SAFETY: the system timer: ARMv6-M and ARMv7-M Architecture Reference Manuals, "SysTick".
const SYST_CSR: Register = unsafe { Register::at(0xe000_e010) };
const SYST_RVR: Register = unsafe { Register::at(0xe000_e014) };
const SYST_CVR: Register = unsafe { Register::at(0xe000_e018) };

/// It counts, interrupts, and counts the processor's cycles.
const SYST_ON: u32 = 0b111;

static UPTIME: AtomicU32 = AtomicU32::new(0);

/// Has the clock go, which counts milliseconds from now on.
pub fn start_clock(cycles_each_second: u32) {
    SYST_RVR.set(cycles_each_second / 1000 - 1);
    SYST_CVR.set(0);
    SYST_CSR.set(SYST_ON);
}

#[exception]
fn SysTick() {
    // Nobody else writes it. ARMv6-M can't add in one go.
    UPTIME.store(uptime().wrapping_add(1), Ordering::Relaxed);
}

pub fn uptime() -> u32 {
    UPTIME.load(Ordering::Relaxed)
}

/// Waits for an interrupt, of which there is only the clock's.
pub fn wait() {
    // SAFETY: it touches nothing.
    unsafe { asm!("wfi", options(nomem, nostack, preserves_flags)) }
}

/// The most bytes that the stack has taken so far: what is below them is as it was painted.
pub fn stack() -> u32 {
    unsafe extern "C" {
        // Of cortex-m-rt's linker script: where the stack begins, and how far it may come down.
        static _stack_start: u32;
        static _stack_end: u32;
    }
    let (mut lowest, start) = (addr_of!(_stack_end), addr_of!(_stack_start));
    // SAFETY: from the end of the stack to its start there are words.
    while lowest < start && unsafe { lowest.read_volatile() } == STACK_PAINT_VALUE {
        lowest = lowest.wrapping_add(1);
    }
    (start as u32).wrapping_sub(lowest as u32)
}

static STOPPING: AtomicBool = AtomicBool::new(false);

/// Nothing more is to be served.
pub fn stop() {
    STOPPING.store(true, Ordering::Relaxed);
}

pub fn is_stopping() -> bool {
    STOPPING.load(Ordering::Relaxed)
}

/// Ends QEMU, or leaves the rest to a debugger: Arm's "Semihosting", `SYS_EXIT`.
pub fn exit() -> ! {
    const SYS_EXIT: usize = 0x18;
    const APPLICATION_EXIT: usize = 0x2_0026;
    loop {
        // SAFETY: it takes two registers, and returns, if at all, in one of them.
        unsafe { asm!("bkpt #0xab", inout("r0") SYS_EXIT => _, in("r1") APPLICATION_EXIT) }
    }
}

/// This does not exist, so a program in which there is a way to panic does not link.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn nullink_could_panic() -> !;
    }
    // SAFETY: never linked.
    unsafe { nullink_could_panic() }
}
