//! What the program accounts does, built with std or without libc: `examples/accounts.rs`,
//! `tests/freestanding/src/accounts.rs`.

use core::time::Duration;

use nullink::Service;
use nullink::activation::Activated;
use nullink::server::{Limits, Server, Slots};
use nullink::unix::{IoError, Listener};

/// Where its clients come from.
pub enum Source {
    /// From the socket that it was started with.
    Activated(Activated),
    /// From a socket of its own.
    Own(Listener),
}

/// Serves anybody; if it was activated, until nobody has been there for a while.
pub fn serve<S, const CONNECTIONS: usize, const RX: usize, const TX: usize>(
    source: Source,
    service: &mut S,
    clock: fn() -> u64,
    slots: &mut Slots<CONNECTIONS, RX, TX>,
) -> Result<(), IoError>
where
    S: Service,
{
    let mut limits = Limits {
        write: Some(Duration::from_secs(30)),
        ..Limits::default()
    };
    let source = match source {
        Source::Activated(activated) => {
            // Whoever has started it will do so again, and that takes no time.
            limits.exit = Some(Duration::from_secs(1));
            activated
        }
        Source::Own(listener) => listener.into(),
    };
    let mut server = Server::new(source, slots)?;
    server.set_clock(clock);
    server.set_limits(limits);
    server.serve(service)?;
    Ok(())
}
