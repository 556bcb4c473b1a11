//! The service com.redhat.accounts, for anybody to call:
//!
//! ```sh
//! cargo run --example accounts unix:/tmp/accounts
//! ```

#[path = "shared/accounts.rs"]
#[allow(dead_code)] // the clients' part
mod accounts;

use std::process::ExitCode;

use accounts::Accounts;
use nullink::Address;
use nullink::unix::{Listener, serve};

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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address] = &arguments[..] else {
        return Err("usage: accounts ADDRESS, which is unix:/path or unix:@name".into());
    };
    let (passwd, group) = (std::fs::read("/etc/passwd")?, std::fs::read("/etc/group")?);
    let listener = Listener::bind_to(Address::parse(address)?, Listener::EVERYBODY)?;

    // The reply to GetAll has to fit: a thousand accounts do.
    let (mut receive, mut send) = (vec![0; 16 * 1024], vec![0; 256 * 1024]);
    let mut service = Accounts::new(&passwd, &group);
    serve(&listener, &mut service, &mut receive, &mut send)?;
    Ok(())
}
