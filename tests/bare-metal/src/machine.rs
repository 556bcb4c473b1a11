//! The parts that both boards share, because of their processors: registers, clock, stack and exit.
//! The unsafe code of these programs is here, except for the addresses of the boards' registers.

use core::arch::asm;
use core::panic::PanicInfo;
use core::ptr::addr_of;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cortex_m_rt::{STACK_PAINT_VALUE, exception};

/// A hardware register.
#[derive(Clone, Copy)]
pub struct Register(*mut u32);

impl Register {
    /// Returns the register at an address.
    ///
    /// # Safety
    ///
    /// There must be a register, and accesses to it must not change the program's memory.
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

    /// Sets these bits, and keeps the others.
    pub fn add(self, bits: u32) {
        self.set(self.get() | bits);
    }
}

// SAFETY: the system timer: ARMv6-M and ARMv7-M Architecture Reference Manuals, "SysTick".
const SYST_CSR: Register = unsafe { Register::at(0xe000_e010) };
const SYST_RVR: Register = unsafe { Register::at(0xe000_e014) };
const SYST_CVR: Register = unsafe { Register::at(0xe000_e018) };

/// Enables the counter and its interrupt, with the processor's clock.
const SYST_ON: u32 = 0b111;

static UPTIME: AtomicU32 = AtomicU32::new(0);

/// Starts the clock, which counts milliseconds from now on.
pub fn start_clock(cycles_each_second: u32) {
    SYST_RVR.set(cycles_each_second / 1000 - 1);
    SYST_CVR.set(0);
    SYST_CSR.set(SYST_ON);
}

#[exception]
fn SysTick() {
    // Nothing else writes it, so a load and a store are enough. ARMv6-M has no atomic add.
    UPTIME.store(uptime().wrapping_add(1), Ordering::Relaxed);
}

pub fn uptime() -> u32 {
    UPTIME.load(Ordering::Relaxed)
}

/// Waits for an interrupt. Only the clock has one.
pub fn wait() {
    // SAFETY: it does not access memory or registers.
    unsafe { asm!("wfi", options(nomem, nostack, preserves_flags)) }
}

/// Returns the largest size of the stack so far, in bytes. The memory below is as it was painted.
pub fn stack() -> u32 {
    unsafe extern "C" {
        // From cortex-m-rt's linker script: the start of the stack, and its lowest address.
        static _stack_start: u32;
        static _stack_end: u32;
    }
    let (mut lowest, start) = (addr_of!(_stack_end), addr_of!(_stack_start));
    // SAFETY: all words between these addresses belong to the stack.
    while lowest < start && unsafe { lowest.read_volatile() } == STACK_PAINT_VALUE {
        lowest = lowest.wrapping_add(1);
    }
    (start as u32).wrapping_sub(lowest as u32)
}

static STOPPING: AtomicBool = AtomicBool::new(false);

/// Ends the service.
pub fn stop() {
    STOPPING.store(true, Ordering::Relaxed);
}

pub fn is_stopping() -> bool {
    STOPPING.load(Ordering::Relaxed)
}

/// Ends QEMU, or stops in a debugger: Arm's "Semihosting", `SYS_EXIT`.
pub fn exit() -> ! {
    const SYS_EXIT: usize = 0x18;
    const APPLICATION_EXIT: usize = 0x2_0026;
    loop {
        // SAFETY: it reads two registers. If it returns, the result is in one of them.
        unsafe { asm!("bkpt #0xab", inout("r0") SYS_EXIT => _, in("r1") APPLICATION_EXIT) }
    }
}

/// Calls a function that does not exist, so that a program that can panic does not link.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn nullink_could_panic() -> !;
    }
    // SAFETY: never linked.
    unsafe { nullink_could_panic() }
}
