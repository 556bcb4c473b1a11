//! The service and the client of `org.varlink.certification`. Their Varlink code does not allocate:
//!
//! ```sh
//! cargo run --example certification unix:/tmp/certification
//! cargo run --example certification -- --client unix:/tmp/certification
//! ```

#[path = "shared/certification.rs"]
mod certification;
#[path = "shared/output.rs"]
#[allow(dead_code)] // only `say` is used here
mod output;

use std::process::ExitCode;

use certification::{Certification, Progress, certify};
use nullink::Client;
use nullink::server::{Server, Slots};
use nullink::unix::{IoError, Listener};
use output::{complain, say};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(|argument| &argument[..]).collect();
    let result = match arguments[..] {
        ["--client", address] => client(address).map_err(|error| format!("{address}: {error}")),
        [address] => service(address)
            .map(|()| true)
            .map_err(|error| format!("{address}: {error}")),
        _ => {
            Err("usage: certification [--client] ADDRESS, such as unix:/path or unix:@name".into())
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(format_args!("certification: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn service(address: &str) -> Result<(), IoError> {
    let listener = Listener::bind_with(address, Listener::EVERYBODY)?;
    let mut slots = Slots::<8, 4096, 8192>::new();
    Server::new(listener, &mut slots)?.serve(&mut Certification::default())?;
    Ok(())
}

fn client(address: &str) -> Result<bool, IoError> {
    let (mut receive, mut send) = ([0; 4096], [0; 4096]);
    let mut client = Client::connect(address, &mut receive, &mut send)?;
    let all_ok = certify(&mut client, &mut |progress| match progress {
        Progress::Passed(method) => say!("{method}: ok"),
        Progress::Failed(method, why) => {
            // An error may contain JSON of several lines.
            say!("{method}: {}", why.to_string().replace(['\r', '\n'], " "))
        }
    });
    say!("all_ok: {all_ok}");
    Ok(all_ok)
}
