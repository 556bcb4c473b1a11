//! A helper beside PID 1: `org.example.ping`, as a service manager starts and stops services:
//!
//! ```sh
//! cargo run --features std --example helper /tmp/helper/org.example.ping    # until SIGTERM
//! cargo run --features std --example helper -                               # standard input and output
//! ```
//!
//! It makes the directory of its socket, tells the manager when it is ready (`Type=notify`), and on
//! SIGTERM or SIGINT answers the calls that it has received, and ends.

#[path = "shared/process.rs"]
#[allow(dead_code)] // only the signals are used here
mod process;

use std::error::Error;
use std::process::ExitCode;

use nullink::activation::Activated;
use nullink::server::{Event, Interest, Server, Slots};
use nullink::unix::Listener;
use nullink::{Answer, Call, Duplex, Info, Interface, Responder, Service, interface, serve};
use serde::{Deserialize, Serialize};

const PING: Interface = interface!("org.example.ping.varlink");

#[derive(Deserialize)]
enum Methods<'a> {
    Ping { ping: &'a str },
}

#[derive(Serialize)]
struct Pong<'a> {
    pong: &'a str,
}

#[derive(Serialize)]
enum Errors {
    Silence,
}

struct Pinger;

impl Service for Pinger {
    const INTERFACES: &'static [Interface] = &[PING];

    fn info(&self) -> Info<'_> {
        Info::new("Example", "Helper", "1", "https://example.org")
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        match call.decode()? {
            Methods::Ping { ping: "" } => reply.error(&Errors::Silence),
            Methods::Ping { ping } => reply.send(&Pong { pong: ping }),
        }
    }
}

/// The number under which the server watches for the signals.
const STOP: u32 = 0;

fn main() -> ExitCode {
    let Some(address) = std::env::args().nth(1) else {
        eprintln!("usage: helper ADDRESS, or helper - for standard input and output");
        return ExitCode::FAILURE;
    };
    let result = match address.as_str() {
        "-" => serve_standard_streams(),
        address => serve_until_stopped(address),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("helper: {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve_standard_streams() -> Result<(), Box<dyn Error>> {
    let (mut receive, mut send) = ([0; 4096], [0; 8192]);
    serve(&mut Pinger, Duplex::stdio()?, &mut receive, &mut send)?;
    Ok(())
}

fn serve_until_stopped(address: &str) -> Result<(), Box<dyn Error>> {
    // Before the first thread and the first client, so that no signal is lost.
    let signals = process::signals(&[process::SIGTERM, process::SIGINT])?;
    Listener::make_directory(address, 0o755)?;
    let mut slots = Slots::<8, 4096, 8192>::new();
    let mut server = Server::bind(address, &mut slots)?;
    server.watch(&signals, Interest::Readable, STOP)?;
    let environment = |name: &str| std::env::var(name).ok();
    Activated::notify(environment, "READY=1")?;

    let mut service = Pinger;
    while server.serve(&mut service)? != Event::Ready(STOP) {}

    Activated::notify(environment, "STOPPING=1")?;
    server.unwatch(&signals)?;
    // Answers the calls that were received. Clients see the end of their connections.
    server.settle(&mut service)?;
    Ok(())
}
