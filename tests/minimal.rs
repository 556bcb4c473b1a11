//! The README's code: its tests are run as a user's would be.
#![cfg(all(feature = "unix", target_os = "linux"))]

#[path = "../examples/minimal.rs"]
#[allow(dead_code)] // it is a program
mod minimal;
