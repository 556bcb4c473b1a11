//! The service org.example.t, to throw bytes at:
//!
//! ```sh
//! cargo run --example conformance unix:/tmp/t
//! ```

#[path = "shared/t.rs"]
mod t;

use std::process::ExitCode;
use std::sync::Mutex;

use nullink::server::{Event, Raw, Server, Slots};
use nullink::unix::{DESCRIPTORS_MAX, Listener};
use nullink::{Address, Service};
use t::T;

/// 16 clients, and as many descriptors with one message as the system takes.
static SLOTS: Mutex<Slots<16, { 16 * 1024 }, { 32 * 1024 }, DESCRIPTORS_MAX>> =
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
    let [address] = &arguments[..] else {
        return Err("usage: conformance ADDRESS, such as unix:/path or tcp:127.0.0.1:1234".into());
    };
    let listener = Listener::bind_to(Address::parse(address)?, Listener::EVERYBODY)?;
    let mut slots = SLOTS.lock().expect("nobody else has it");
    let mut scratch = [0; 16 * 1024];
    let mut service = T {
        scratch: &mut scratch,
    };
    let mut server = Server::new(listener, &mut slots);
    loop {
        if let Event::Upgraded(connection, _) | Event::Raw(connection) =
            server.serve(&mut service)?
            && let Some(raw) = server.raw(connection)
        {
            echo(raw);
        }
    }
}

/// Pipe: every byte comes back, as far as there is room for it, until the client has no more.
fn echo<const N: usize>(mut raw: Raw<'_, '_, <T<'_> as Service>::Cursor, N>) {
    let mut chunk = [0; 1024];
    loop {
        let count = raw.unread().len().min(chunk.len());
        chunk[..count].copy_from_slice(&raw.unread()[..count]);
        let written = raw.write(&chunk[..count]);
        raw.consume(written);
        if written == 0 {
            break;
        }
    }
    if raw.has_ended() && raw.unread().is_empty() {
        raw.finish();
    }
}
