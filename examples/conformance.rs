//! The service `org.example.t`, for tests that send it arbitrary bytes, and a client that the
//! conformance suite leads: tests/conformance/README.md.
//!
//! ```sh
//! cargo run --example conformance unix:/tmp/t
//! cargo run --example conformance -- --client unix:/tmp/t
//! ```

#[path = "shared/conform_client.rs"]
mod conform_client;
#[path = "shared/t.rs"]
mod t;

use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;

use nullink::embedded_io::{Read, Write};
use nullink::server::{Event, Server, Slots};
use nullink::unix::{self, Listener, Stream};
use t::T;

/// Memory for 16 clients. A message can carry as many descriptors as the kernel allows.
static SLOTS: Mutex<Slots<16, { 16 * 1024 }, { 64 * 1024 }, { Stream::MAX_DESCRIPTORS }>> =
    Mutex::new(Slots::new());

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
    let address = match &arguments[..] {
        [option, address] if option == "--client" => return Ok(conform_client::run(address)?),
        [address] => address,
        _ => {
            let usage = "usage: conformance [--client] ADDRESS, such as unix:/path";
            return Err(usage.into());
        }
    };
    let listener = Listener::bind_with(address, Listener::EVERYBODY);
    let listener = listener.map_err(|error| format!("{address}: {error}"))?;
    let mut slots = SLOTS.lock().expect("it is locked only here");
    let mut scratch = [0; 16 * 1024];
    let mut service = T {
        scratch: &mut scratch,
    };
    let mut server = Server::new(listener, &mut slots)?;
    loop {
        if let Event::Upgraded(connection, _) = server.serve(&mut service)?
            && let Some((stream, unread)) = server.take(connection)
        {
            let unread = unread.to_vec();
            thread::spawn(move || echo(stream, &unread));
        }
    }
}

/// Serves Pipe: sends every byte back, until the client closes its side.
fn echo(mut stream: Stream, unread: &[u8]) -> Result<(), unix::IoError> {
    stream.write_all(unread)?;
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}
