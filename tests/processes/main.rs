//! The tests that start programs, or trace the system calls of this one, one module for each topic.

#[path = "../common/mod.rs"]
mod common;
#[cfg(all(feature = "unix", target_os = "linux"))]
#[path = "../common/example.rs"]
mod example;
#[cfg(all(feature = "unix", target_os = "linux"))]
#[path = "../common/strace.rs"]
mod strace;

/// The code that examples share.
#[cfg(all(feature = "unix", target_os = "linux"))]
#[allow(dead_code)] // the tests of an example need a part of it
#[path = "../../examples/shared"]
mod shared {
    pub mod accounts;
    pub mod board;
    pub mod boot;
    pub mod init;
    pub mod kernel;
    pub mod monitor;
}

mod addresses;
mod examples;
mod faults;
#[cfg(all(feature = "unix", target_os = "linux"))]
mod generate;
#[cfg(feature = "std")]
mod helper;
mod init;
mod monitor;
mod proxy;
mod resolver;
#[cfg(all(feature = "unix", target_os = "linux"))]
mod sensitive;
mod system_calls;
mod unix_relay;
