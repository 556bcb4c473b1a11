//! Runs the tests of the README's code as a user would.
#![cfg(all(feature = "unix", target_os = "linux"))]

#[path = "../examples/minimal.rs"]
#[allow(dead_code)] // its `main` is not called
mod minimal;
