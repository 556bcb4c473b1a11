//! The service org.example.t, to throw bytes at:
//!
//! ```sh
//! cargo run --example conformance unix:/tmp/t
//! ```

#[path = "shared/t.rs"]
mod t;

use std::process::ExitCode;

use embedded_io::{Read, Write};
use nullink::Address;
use nullink::unix::{Listener, Upgraded, serve};
use t::T;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address] = &arguments[..] else {
        return Err("usage: conformance ADDRESS, which is unix:/path or unix:@name".into());
    };
    let listener = Listener::bind_to(Address::parse(address)?, Listener::EVERYBODY)?;
    let (mut receive, mut send) = ([0; 16 * 1024], [0; 32 * 1024]);
    let mut scratch = [0; 16 * 1024];
    let mut service = T {
        scratch: &mut scratch,
    };
    loop {
        let Upgraded {
            mut stream, unread, ..
        } = serve(&listener, &mut service, &mut receive, &mut send)?;
        // Pipe: every byte comes back, until the client has no more.
        let mut buffer = [0; 4096];
        let mut result = write_all(&mut stream, unread);
        while let Ok(()) = result {
            result = match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => write_all(&mut stream, &buffer[..count]),
                Err(error) => Err(error),
            };
        }
    }
}

/// A client that goes away ends its own connection only.
fn write_all<W: Write>(stream: &mut W, mut bytes: &[u8]) -> Result<(), W::Error> {
    while !bytes.is_empty() {
        let count = stream.write(bytes)?;
        bytes = &bytes[count..];
    }
    Ok(())
}
