#![no_std]
#![no_main]
//! The evaluation board of the Stellaris LM3S6965, a Cortex-M3, as emulated by QEMU: a Varlink
//! service on UART0.
//!
//! The UART is polled, and has a FIFO of 16 bytes. Nothing is lost if a client waits for each reply
//! before the next call. For pipelined calls the driver would need an interrupt and a buffer.

#[cfg(feature = "could_allocate")]
extern crate alloc;

#[path = "../../../examples/shared/board.rs"]
#[allow(dead_code)] // the client's part is unused here
mod board;
#[allow(dead_code)] // the other board uses the rest
mod machine;

use core::convert::Infallible;

use board::{Board, Hardware, Lamp};
use cortex_m_rt::entry;
use machine::Register;
use nullink::embedded_io::{ErrorType, Read, ReadReady, Write};
use nullink::line::Line;

// SAFETY: the chip's data sheet, "System Control", "General-Purpose Input/Outputs" and "Universal
// Asynchronous Receivers/Transmitters".
const RCGC1: Register = unsafe { Register::at(0x400f_e104) };
const RCGC2: Register = unsafe { Register::at(0x400f_e108) };
const GPIOA_AFSEL: Register = unsafe { Register::at(0x4000_4420) };
const GPIOA_DEN: Register = unsafe { Register::at(0x4000_451c) };
/// Data of line 0 only: the address selects the lines.
const GPIOF_DATA_0: Register = unsafe { Register::at(0x4002_5004) };
const GPIOF_DIR: Register = unsafe { Register::at(0x4002_5400) };
const GPIOF_DEN: Register = unsafe { Register::at(0x4002_551c) };
const UART0_DR: Register = unsafe { Register::at(0x4000_c000) };
const UART0_FR: Register = unsafe { Register::at(0x4000_c018) };
const UART0_IBRD: Register = unsafe { Register::at(0x4000_c024) };
const UART0_FBRD: Register = unsafe { Register::at(0x4000_c028) };
const UART0_LCRH: Register = unsafe { Register::at(0x4000_c02c) };
const UART0_CTL: Register = unsafe { Register::at(0x4000_c030) };

/// The frequency of the oscillator, the clock after a reset, in Hz.
const CYCLES_EACH_SECOND: u32 = 12_000_000;

/// UART0, at 115200 bits per second.
struct Uart;

impl Uart {
    fn new() -> Self {
        RCGC1.add(1 << 0);
        RCGC2.add(1 << 0);
        GPIOA_AFSEL.add(0b11);
        GPIOA_DEN.add(0b11);
        // The clock is divided by 16 * (6 + 33/64).
        UART0_IBRD.set(6);
        UART0_FBRD.set(33);
        // 8 data bits, FIFOs on. Then the UART is enabled in both directions.
        UART0_LCRH.set(0b111 << 4);
        UART0_CTL.set(0b11 << 8 | 1 << 0);
        Uart
    }

    fn can_read() -> bool {
        UART0_FR.get() & 1 << 4 == 0
    }

    fn can_write() -> bool {
        UART0_FR.get() & 1 << 5 == 0
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        // No flush is needed before waiting: the UART sends all written bytes.
        while !Uart::can_read() {
            if machine::is_stopping() {
                return Ok(0);
            }
        }
        let mut count = 0_usize;
        for byte in buffer.iter_mut().take_while(|_| Uart::can_read()) {
            *byte = UART0_DR.get() as u8;
            count = count.saturating_add(1);
        }
        Ok(count)
    }
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(Uart::can_read())
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for byte in bytes {
            while !Uart::can_write() {}
            UART0_DR.set(u32::from(*byte));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The board. Its lamp is LED1, at line 0 of port F.
struct Lm3s6965evb;

impl Lm3s6965evb {
    fn new() -> Self {
        machine::start_clock(CYCLES_EACH_SECOND);
        RCGC2.add(1 << 5);
        GPIOF_DIR.add(1 << 0);
        GPIOF_DEN.add(1 << 0);
        Lm3s6965evb
    }
}

impl Hardware for Lm3s6965evb {
    const NAME: &'static str = "lm3s6965evb";

    fn uptime(&self) -> u32 {
        machine::uptime()
    }

    fn wait(&self) {
        machine::wait();
    }

    fn lamp(&self) -> Lamp {
        match GPIOF_DATA_0.get() & 1 {
            0 => Lamp::Off,
            _ => Lamp::On,
        }
    }

    fn set_lamp(&mut self, lamp: Lamp) {
        GPIOF_DATA_0.set(u32::from(lamp == Lamp::On));
    }

    fn stack(&self) -> u32 {
        machine::stack()
    }

    fn stop(&mut self) {
        machine::stop();
    }
}

#[entry]
fn main() -> ! {
    // cortex-m-rt passes these to main as mutable references.
    static mut RECEIVE: [u8; 512] = [0; 512];
    static mut SEND: [u8; 1024] = [0; 1024];
    static mut AHEAD: [u8; 512] = [0; 512];

    // Mistakes that check.sh enables to test that they are found.
    #[cfg(feature = "could_panic")]
    SEND[machine::uptime() as usize..].fill(1);
    #[cfg(feature = "could_allocate")]
    SEND.copy_from_slice(&alloc::vec![1; machine::uptime() as usize]);

    let mut board = Board::new(Lm3s6965evb::new());
    // This returns when the board must stop: the line does not fail, and no method upgrades.
    let mut line = Line::new(Uart::new(), AHEAD);
    let _ = line.serve(&mut board, RECEIVE, SEND);
    machine::exit()
}
