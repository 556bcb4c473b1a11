//! The tests that start no process, one module for each topic.
//!
//! Until its execve(2), a new process keeps descriptors open that a test closes, so tests of programs
//! are in `tests/processes`.

#[path = "../common/mod.rs"]
mod common;
#[cfg(all(feature = "tools", feature = "unix", target_os = "linux"))]
#[path = "../../examples/minimal.rs"]
#[allow(dead_code)] // its `main` is not called
mod minimal;
#[cfg(all(feature = "unix", target_os = "linux"))]
#[path = "../common/room_service.rs"]
mod room_service;

/// The code that examples share.
#[path = "../../examples/shared"]
mod shared {
    #[cfg(feature = "tools")]
    #[allow(dead_code)] // only its types are needed
    pub mod accounts;
    pub mod board;
}

mod architecture;
mod board;
mod calls;
mod clock;
mod coinciding_events;
mod contract;
mod description;
mod driver;
mod failures;
mod faults;
mod feature_combinations;
mod framing;
mod hostile;
mod introspection;
mod lines;
mod loopback;
mod methods;
mod promises;
mod readme;
mod relay;
mod replies;
mod server;
mod sessions;
mod settle;
mod slots;
mod states;
mod tolerance;
mod transcripts;
mod upgrade;
mod wake;
