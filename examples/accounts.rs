//! The service `com.redhat.accounts`, open to all users:
//!
//! ```sh
//! cargo run --example accounts unix:/tmp/accounts
//! ```
//!
//! With socket activation it needs no address:
//!
//! ```sh
//! cargo build --example accounts
//! systemd-socket-activate -l /tmp/accounts target/debug/examples/accounts
//! ```

#[path = "shared/accounts.rs"]
#[allow(dead_code)] // the client's part is unused here
mod accounts;
#[path = "shared/process.rs"]
#[allow(dead_code)] // only `activated` is used here
mod process;
#[path = "shared/serving.rs"]
mod serving;

use std::process::ExitCode;
use std::sync::Mutex;

use accounts::Accounts;
use nullink::server::Slots;
use nullink::unix::{self, Listener};
use serving::{Source, serve};

/// Memory for 8 clients. A reply can take half of the send buffer, 256 KiB: the reply to
/// GetAll fits with a thousand accounts.
static SLOTS: Mutex<Slots<8, { 16 * 1024 }, { 512 * 1024 }>> = Mutex::new(Slots::new());

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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let source = match (activated, &arguments[..]) {
        (Some(activated), _) => Source::Activated(activated),
        (None, [address]) => {
            let listener = Listener::bind_with(address, Listener::EVERYBODY);
            Source::Own(listener.map_err(|error| format!("{address}: {error}"))?)
        }
        _ => {
            return Err("usage: accounts ADDRESS, such as unix:/path or tcp:127.0.0.1:1234".into());
        }
    };
    let (passwd, group) = (std::fs::read("/etc/passwd")?, std::fs::read("/etc/group")?);
    let mut service = Accounts::new(&passwd, &group);
    let mut slots = SLOTS.lock().expect("it is locked only here");
    serve(source, &mut service, unix::monotonic, &mut slots)?;
    Ok(())
}
