//! The service com.redhat.accounts, for anybody to call:
//!
//! ```sh
//! cargo run --example accounts unix:/tmp/accounts
//! ```
//!
//! If it is started with a socket, it serves that, and needs no address:
//!
//! ```sh
//! cargo build --example accounts
//! systemd-socket-activate -l /tmp/accounts target/debug/examples/accounts
//! ```

#[path = "shared/accounts.rs"]
#[allow(dead_code)] // the clients' part
mod accounts;
#[path = "shared/process.rs"]
#[allow(dead_code)] // the part that starts programs
mod process;

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use accounts::Accounts;
use nullink::Address;
use nullink::server::{Limits, Server, Slots};
use nullink::unix::{self, Listener};

/// Room for 8 clients. The reply to GetAll has to fit: a thousand accounts do.
static SLOTS: Mutex<Slots<8, { 16 * 1024 }, { 256 * 1024 }>> = Mutex::new(Slots::new());

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("accounts: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let activated = process::activated()?;
    let limits = Limits {
        // Whoever has started it will do so again, and that takes no time.
        exit: activated.is_some().then_some(Duration::from_secs(1)),
        write: Some(Duration::from_secs(30)),
        ..Limits::default()
    };
    let source = match activated {
        Some(activated) => activated,
        None => bind()?.into(),
    };
    let (passwd, group) = (std::fs::read("/etc/passwd")?, std::fs::read("/etc/group")?);
    let mut service = Accounts::new(&passwd, &group);
    let mut slots = SLOTS.lock().expect("nobody else has it");
    let mut server = Server::new(source, &mut slots);
    server.set_clock(unix::monotonic);
    server.set_limits(limits);
    // Until it is idle for long enough.
    server.serve(&mut service)?;
    Ok(())
}

fn bind() -> Result<Listener, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address] = &arguments[..] else {
        return Err("usage: accounts ADDRESS, such as unix:/path or tcp:127.0.0.1:1234".into());
    };
    let address = Address::parse(address)?;
    Ok(Listener::bind_to(address, Listener::EVERYBODY)?)
}
