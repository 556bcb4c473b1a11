#![no_std]
#![no_main]
//! A service over standard input and output, without libc and without an allocator.
//!
//! It uses most features of a service: enums for its methods and errors, strings with escapes,
//! lists, maps, raw JSON, a stream of replies, an upgrade, the standard errors and
//! `org.varlink.service`. It checks floats and keeps their text, but does not parse them, because
//! core's float parser can panic.
//!
//! With the feature `painted` it writes the size of its stack to standard error before it exits.

#[cfg(feature = "could_allocate")]
extern crate alloc;

#[path = "../../../examples/freestanding/src/start.rs"]
#[allow(dead_code)] // `Process` and `paint` may be unused
mod start;

use core::convert::Infallible;
use core::panic::PanicInfo;

use nullink::json::{List, Raw};
use nullink::{Answer, Call, End, Info, Interface, Refusal, Responder, Service, serve};
use serde::{Deserialize, Serialize};

const INTERFACE: Interface = nullink::interface!("org.example.freestanding.varlink");

#[derive(Deserialize)]
enum Method<'a> {
    Ping {
        ping: &'a str,
    },
    Sum {
        numbers: [i64; 3],
        negate: Option<bool>,
    },
    #[serde(borrow)]
    Keep(Keep<'a>),
    Walk {
        #[serde(borrow)]
        tree: Raw<'a>,
    },
    Count {
        n: u32,
    },
    Pipe,
    Fail,
}

#[derive(Serialize, Deserialize)]
struct Keep<'a> {
    #[serde(borrow)]
    object: Raw<'a>,
    color: Color,
    ratio: Option<Raw<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Color {
    Red,
    Green,
}

#[derive(Serialize)]
struct Walked<'a> {
    tree: Raw<'a>,
}

#[derive(Serialize)]
struct Pong<'a> {
    pong: &'a str,
}

#[derive(Serialize)]
struct Sum<L> {
    sum: i64,
    numbers: L,
}

#[derive(Serialize)]
struct Number {
    i: u32,
}

#[derive(Serialize)]
enum Error<'a> {
    Failed { why: &'a str },
}

struct Freestanding;

/// The next number of a stream, and their count.
type Cursor = (u32, u32);

impl Service<Cursor> for Freestanding {
    const INTERFACES: &'static [Interface] = &[INTERFACE];
    const UPGRADES: bool = true;

    fn info(&self) -> Info<'_> {
        Info {
            vendor: "Nullink",
            product: "Freestanding",
            version: env!("CARGO_PKG_VERSION"),
            url: "",
        }
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        match call.decode()? {
            Method::Ping { ping } => {
                #[cfg(feature = "could_be_deep")]
                core::hint::black_box(&mut [0_u8; 4096]);
                reply.send(&Pong { pong: ping })
            }
            Method::Sum { numbers, negate } => {
                let sum = numbers
                    .iter()
                    .try_fold(0_i64, |sum, number| sum.checked_add(*number));
                let sum = sum.ok_or(Refusal::invalid_parameter("numbers"))?;
                reply.send(&Sum {
                    sum: if negate == Some(true) {
                        sum.wrapping_neg()
                    } else {
                        sum
                    },
                    numbers: List(numbers.iter().filter(|number| **number != 0)),
                })
            }
            Method::Keep(keep) => reply.send(&keep),
            Method::Walk { tree } => reply.send(&Walked { tree }),
            Method::Count { n: 0 } => Err(Refusal::invalid_parameter("n")),
            Method::Count { n } => self.resume((0, n), reply),
            Method::Pipe => reply.upgrade()?.send(&(), (0, 0)),
            Method::Fail => match reply.try_send(&Pong { pong: TEXT }) {
                Ok(outcome) => Ok(outcome),
                Err(unsent) => unsent.reply.error(&Error::Failed { why: "too long" }),
            },
        }
    }

    fn resume<'c>(&mut self, (i, n): Cursor, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        let (reply, next) = (reply.more()?, i.saturating_add(1));
        if next < n {
            reply.next(&Number { i })?.then((next, n))
        } else {
            reply.send(&Number { i })
        }
    }
}

const TEXT: &str = include_str!("main.rs");

/// Standard input and output.
struct Stdio;

impl embedded_io::ErrorType for Stdio {
    type Error = Infallible;
}

impl embedded_io::Read for Stdio {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(start::read(0, buffer))
    }
}

impl embedded_io::Write for Stdio {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(start::write(1, bytes))
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    start::could_panic()
}

fn main(_: start::Process) -> u8 {
    // Mistakes that check.sh enables to test that they are found.
    #[cfg(feature = "could_panic")]
    start::write_all(2, &TEXT.as_bytes()[start::read(3, &mut [0])..]);
    #[cfg(feature = "could_allocate")]
    start::write_all(2, &alloc::vec![0; start::read(3, &mut [0])]);

    let (mut receive, mut send) = ([0; 2048], [0; 4096]);
    #[cfg(feature = "painted")]
    let top = start::paint();
    let end = serve(&mut Freestanding, Stdio, &mut receive, &mut send);
    #[cfg(feature = "painted")]
    start::write_all(2, &start::depth(top).to_le_bytes());
    match end {
        Ok(End::Closed) => 0,
        Ok(End::Upgraded { unread, .. }) => {
            // Sends every byte back.
            start::write_all(1, unread);
            let mut buffer = [0; 512];
            loop {
                let count = start::read(0, &mut buffer);
                match buffer.get(..count) {
                    Some([]) | None => return 0,
                    Some(bytes) => start::write_all(1, bytes),
                }
            }
        }
        Err(_) => 1,
    }
}
