//! org.example.uevents, the kernel's uevents for everyone who wants to know, before udev is there:
//!
//! ```sh
//! cargo run --example monitor unix:/tmp/uevents
//! cargo run --example monitor -- --follow unix:/tmp/uevents [SUBSYSTEM]
//! ```

#[path = "shared/monitor.rs"]
mod monitor;

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::sync::Mutex;

use monitor::{CLIENTS, Monitor, REPLY, Subscribe, UEVENTS};
use nullink::server::{Event, Server, Slots};
use nullink::unix::{Listener, Stream};
use nullink::{Address, Client};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(|argument| &argument[..]).collect();
    let result = match arguments[..] {
        ["--follow", address] => follow(address, None),
        ["--follow", address, subsystem] => follow(address, Some(subsystem)),
        [address] => serve(address),
        _ => Err("usage: monitor ADDRESS, or monitor --follow ADDRESS [SUBSYSTEM]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("monitor: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The memory of the server, which is none before it is used.
static SLOTS: Mutex<Slots<CLIENTS, 1024, REPLY>> = Mutex::new(Slots::new());

fn serve(address: &str) -> Result<(), Box<dyn std::error::Error>> {
    let listener = Listener::bind_to(Address::parse(address)?, Listener::EVERYBODY)?;
    let mut slots = SLOTS.lock()?;
    let mut server = Server::new(listener, &mut slots);
    monitor::watch(&mut server)?;
    let mut service = Monitor::default();
    loop {
        if let Event::Ready(UEVENTS) = server.serve(&mut service)? {
            monitor::forward(&mut server, &service)?;
        }
    }
}

fn follow(address: &str, subsystem: Option<&str>) -> Result<(), Box<dyn std::error::Error>> {
    let stream = Stream::connect_to(Address::parse(address)?, Default::default())?;
    let (mut receive, mut send) = ([0; REPLY], [0; 256]);
    let mut client = Client::new(stream, &mut receive, &mut send);
    let mut reports = client.more(&Subscribe { subsystem })?;
    let mut out = stdout().lock();
    while let Some(report) = reports.next().map_err(|error| error.to_string())? {
        match (report.event, report.lost) {
            (Some(event), _) => {
                writeln!(out, "{} {} {}", event.sequence, event.action, event.devpath)?;
                for (key, value) in &event.properties {
                    writeln!(out, "  {key}={value}")?;
                }
            }
            (_, Some(count)) => writeln!(out, "at least {count} lost")?,
            _ => writeln!(out, "listening")?,
        }
    }
    Ok(())
}
