//! The service `org.example.uevents`: the kernel's uevents for every client, even before udev runs:
//!
//! ```sh
//! cargo run --example monitor unix:/tmp/uevents
//! cargo run --example monitor -- --follow unix:/tmp/uevents [SUBSYSTEM]
//! ```
//!
//! With socket activation it needs no address.

#[path = "shared/monitor.rs"]
mod monitor;
#[path = "shared/output.rs"]
#[allow(dead_code)] // only `say` is used here
mod output;
#[path = "shared/process.rs"]
#[allow(dead_code)] // only `activated` is used here
mod process;

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use monitor::{REPLY, Room, Subscribe};
use nullink::activation::Activated;
use nullink::unix::{self, Listener};
use nullink::{CallError, Client};
use output::{complain, say};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("monitor: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let activated = process::activated()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(|argument| &argument[..]).collect();
    match (&arguments[..], activated) {
        (["--follow", address, subsystem @ ..], None) if subsystem.len() < 2 => {
            let followed = follow(address, subsystem.first().copied());
            followed.map_err(|error| format!("{address}: {error}").into())
        }
        ([address], None) => {
            let listener = Listener::bind_with(address, Listener::EVERYBODY);
            let listener = listener.map_err(|error| format!("{address}: {error}"))?;
            serve(listener.into(), None)
        }
        // It ends a second after its last client. The next client starts it again.
        ([], Some(activated)) => serve(activated, Some(Duration::from_secs(1))),
        _ => Err("usage: monitor ADDRESS, or monitor --follow ADDRESS [SUBSYSTEM]".into()),
    }
}

/// The program's buffers. They are zero at first, so unused pages take no memory.
static ROOM: Mutex<Room> = Mutex::new(Room::new());

fn serve(source: Activated, exit: Option<Duration>) -> Result<(), Box<dyn std::error::Error>> {
    let mut room = ROOM.lock().expect("this is the only thread");
    Ok(monitor::serve(source, exit, unix::monotonic, &mut room)?)
}

fn follow(address: &str, subsystem: Option<&str>) -> Result<(), Box<dyn std::error::Error>> {
    let (mut receive, mut send) = ([0; REPLY], [0; 256]);
    let mut client = Client::connect(address, &mut receive, &mut send)?;
    let mut reports = client.more(&Subscribe { subsystem })?;
    while let Some(report) = reports.next().map_err(CallError::forget)? {
        match (report.event, report.lost) {
            (Some(event), _) => {
                say!("{} {} {}", event.sequence, event.action, event.devpath);
                for (key, value) in &event.properties {
                    say!("  {key}={value}");
                }
            }
            (_, Some(count)) => say!("at least {count} lost"),
            _ => say!("listening"),
        }
    }
    Ok(())
}
