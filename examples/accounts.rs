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

use accounts::Accounts;
use nullink::Address;
use nullink::activation::Activated;
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
    let activated = match process::activated()? {
        Some(activated) => activated,
        None => bind()?,
    };
    let (passwd, group) = (std::fs::read("/etc/passwd")?, std::fs::read("/etc/group")?);

    // The reply to GetAll has to fit: a thousand accounts do.
    let (mut receive, mut send) = (vec![0; 16 * 1024], vec![0; 256 * 1024]);
    let mut service = Accounts::new(&passwd, &group);
    match activated {
        Activated::Listener(listener) => {
            serve(&listener, &mut service, &mut receive, &mut send)?;
        }
        Activated::Connection(mut stream) => {
            let end = nullink::serve(&mut service, &mut stream, &mut receive, &mut send);
            let end = end.map(drop);
            stream.close(&mut receive);
            end?;
        }
    }
    Ok(())
}

fn bind() -> Result<Activated, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address] = &arguments[..] else {
        return Err("usage: accounts ADDRESS, which is unix:/path or unix:@name".into());
    };
    let listener = Listener::bind_to(Address::parse(address)?, Listener::EVERYBODY)?;
    Ok(Activated::Listener(listener))
}
