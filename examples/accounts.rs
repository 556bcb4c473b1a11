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
#[path = "shared/serving.rs"]
mod serving;

use std::process::ExitCode;
use std::sync::Mutex;

use accounts::Accounts;
use nullink::Address;
use nullink::server::Slots;
use nullink::unix::{self, Listener};
use serving::{Source, serve};

/// Room for 8 clients. The reply to GetAll has to fit into half of the last number: a thousand
/// accounts do.
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
            let address = Address::parse(address)?;
            Source::Own(Listener::bind_to(address, Listener::EVERYBODY)?)
        }
        _ => {
            return Err("usage: accounts ADDRESS, such as unix:/path or tcp:127.0.0.1:1234".into());
        }
    };
    let (passwd, group) = (std::fs::read("/etc/passwd")?, std::fs::read("/etc/group")?);
    let mut service = Accounts::new(&passwd, &group);
    let mut slots = SLOTS.lock().expect("nobody else has it");
    serve(source, &mut service, unix::monotonic, &mut slots)?;
    Ok(())
}
