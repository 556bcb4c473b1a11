#![no_std]
#![no_main]
//! The BBC micro:bit with its nRF51822, a Cortex-M0 with 16 KiB of RAM, as emulated by QEMU: a
//! Varlink service on the UART.
//!
//! The UART is polled, and has a FIFO of 6 bytes. For its limits see the other board.

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

// SAFETY: the nRF51 Series Reference Manual, "GPIO" and "UART".
const GPIO_OUT: Register = unsafe { Register::at(0x5000_0504) };
const GPIO_OUTSET: Register = unsafe { Register::at(0x5000_0508) };
const GPIO_OUTCLR: Register = unsafe { Register::at(0x5000_050c) };
const GPIO_DIRSET: Register = unsafe { Register::at(0x5000_0518) };
const UART_STARTRX: Register = unsafe { Register::at(0x4000_2000) };
const UART_STARTTX: Register = unsafe { Register::at(0x4000_2008) };
const UART_RXDRDY: Register = unsafe { Register::at(0x4000_2108) };
const UART_TXDRDY: Register = unsafe { Register::at(0x4000_211c) };
const UART_ENABLE: Register = unsafe { Register::at(0x4000_2500) };
const UART_PSELTXD: Register = unsafe { Register::at(0x4000_250c) };
const UART_PSELRXD: Register = unsafe { Register::at(0x4000_2514) };
const UART_RXD: Register = unsafe { Register::at(0x4000_2518) };
const UART_TXD: Register = unsafe { Register::at(0x4000_251c) };
const UART_BAUDRATE: Register = unsafe { Register::at(0x4000_2524) };

const CYCLES_EACH_SECOND: u32 = 16_000_000;

/// The UART, at 115200 bits per second, on the lines to the USB connector.
struct Uart;

impl Uart {
    fn new() -> Self {
        UART_PSELTXD.set(24);
        UART_PSELRXD.set(25);
        UART_BAUDRATE.set(0x01d7_e000);
        UART_ENABLE.set(4);
        UART_STARTRX.set(1);
        UART_STARTTX.set(1);
        Uart
    }

    fn can_read() -> bool {
        UART_RXDRDY.get() != 0
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
            // Reading a byte sets the event again if another byte is in the FIFO.
            UART_RXDRDY.set(0);
            *byte = UART_RXD.get() as u8;
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
            UART_TXDRDY.set(0);
            UART_TXD.set(u32::from(*byte));
            while UART_TXDRDY.get() == 0 {}
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The board. Its lamp is the first LED of the display: between ROW1, line 13, and COL1, line 4.
struct Microbit;

const ROW1: u32 = 1 << 13;
const COL1: u32 = 1 << 4;

impl Microbit {
    fn new() -> Self {
        machine::start_clock(CYCLES_EACH_SECOND);
        GPIO_DIRSET.set(ROW1 | COL1);
        Microbit
    }
}

impl Hardware for Microbit {
    const NAME: &'static str = "microbit";

    fn uptime(&self) -> u32 {
        machine::uptime()
    }

    fn wait(&self) {
        machine::wait();
    }

    fn lamp(&self) -> Lamp {
        match GPIO_OUT.get() & ROW1 {
            0 => Lamp::Off,
            _ => Lamp::On,
        }
    }

    fn set_lamp(&mut self, lamp: Lamp) {
        match lamp {
            Lamp::On => GPIO_OUTSET.set(ROW1),
            Lamp::Off => GPIO_OUTCLR.set(ROW1),
        }
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

    let mut board = Board::new(Microbit::new());
    // This returns when the board must stop: the line does not fail, and no method upgrades.
    let mut line = Line::new(Uart::new(), AHEAD);
    let _ = line.serve(&mut board, RECEIVE, SEND);
    machine::exit()
}
