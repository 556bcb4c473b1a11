#![no_std]
#![no_main]
//! Tests the memory functions of start.rs for all distances and lengths: slices are copied, filled
//! and compared with them. Exits with 0, or names the wrong function.

#[path = "../../../examples/freestanding/src/start.rs"]
#[allow(dead_code)] // services use the rest
mod start;

use core::cmp::Ordering;
use core::hint::black_box;
use core::panic::PanicInfo;

const LENGTH: usize = 40;

fn main(_: start::Process) -> u8 {
    let mut original = [0_u8; LENGTH];
    for (byte, value) in original.iter_mut().zip(0..) {
        *byte = value;
    }
    let original = black_box(original);
    for from in 0..LENGTH {
        for to in 0..LENGTH {
            for length in 0..=LENGTH - from.max(to) {
                let mut bytes = original;
                black_box(&mut bytes).copy_within(from..from + length, to);
                expect(&bytes, "memmove", |i| {
                    (to..to + length).contains(&i).then(|| i - to + from)
                });
                let mut bytes = original;
                black_box(&mut bytes)[to..to + length]
                    .copy_from_slice(&original[from..from + length]);
                expect(&bytes, "memcpy", |i| {
                    (to..to + length).contains(&i).then(|| i - to + from)
                });
            }
        }
        for end in from..LENGTH {
            let mut bytes = original;
            black_box(&mut bytes)[from..end].fill(200);
            expect(&bytes, "memset", |i| {
                (from..end).contains(&i).then_some(200)
            });
            // A larger byte, first after the compared bytes, and then as the last of them.
            let mut bytes = original;
            bytes[end] = 200;
            let (bytes, original) = (black_box(&bytes), black_box(&original));
            let (same, other) = (from..end, from..end + 1);
            if bytes[same.clone()] != original[same.clone()]
                || bytes[other.clone()] == original[other.clone()]
                || bytes[same.clone()].cmp(&original[same]) != Ordering::Equal
                || bytes[other.clone()].cmp(&original[other.clone()]) != Ordering::Greater
                || original[other.clone()].cmp(&bytes[other]) != Ordering::Less
            {
                wrong("memcmp");
            }
        }
    }
    0
}

/// Checks that each byte has the value that `at` returns, or its own index for None.
fn expect(bytes: &[u8; LENGTH], function: &str, at: impl Fn(usize) -> Option<usize>) {
    for (i, byte) in bytes.iter().enumerate() {
        if usize::from(*byte) != at(i).unwrap_or(i) {
            wrong(function);
        }
    }
}

fn wrong(function: &str) -> ! {
    for part in [function, " is wrong\n"] {
        start::write_all(2, part.as_bytes());
    }
    start::exit(1)
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    start::exit(101)
}
