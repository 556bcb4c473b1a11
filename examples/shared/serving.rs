//! The server of the program accounts, which is built with std (`examples/accounts.rs`) and without
//! libc (`tests/freestanding/src/accounts.rs`).

use core::time::Duration;

use nullink::Service;
use nullink::activation::Activated;
use nullink::server::{Limits, Server, Slots};
use nullink::unix::{IoError, Listener};

/// The origin of the connections.
pub enum Source {
    /// The socket that the program was started with.
    Activated(Activated),
    /// A socket that the program has created.
    Own(Listener),
}

/// Serves all clients. After socket activation, returns when there was no client for a second.
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
            // The next client starts the program again, which takes little time.
            limits.exit = Some(Duration::from_secs(1));
            activated
        }
        Source::Own(listener) => listener.into(),
    };
    let mut server = Server::new(source, slots)?;
    server.set_clock(clock);
    server.set_limits(limits)?;
    server.serve(service)?;
    Ok(())
}
