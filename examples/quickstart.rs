//! A service and a client over a Unix socket, with every message printed:
//!
//! ```sh
//! cargo run --example quickstart
//! ```

#[path = "shared/accounts.rs"]
#[allow(dead_code)] // not all methods are called here
mod accounts;
#[path = "shared/wire.rs"]
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::{fs, process, thread};

use accounts::{Account, Accounts, Error, GetAll, GetByName, GetByUid};
use nullink::client::CallError;
use nullink::server::{Server, Slots};
use nullink::service::GetInfo;
use nullink::unix::{Listener, Stream};
use nullink::{Client, Mode};
use wire::{BLUE, BOLD, Colors, Tap};

/// Memory for 4 clients. A reply can take half of the send buffer, 256 KiB: the reply to
/// GetAll fits with a thousand accounts.
static SLOTS: Mutex<Slots<4, 4096, { 512 * 1024 }>> = Mutex::new(Slots::new());

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let directory = Directory::new()?;
    let path = directory.0.join("accounts").to_string_lossy().into_owned();
    let done = serve_and_call(&path);
    done.map_err(|error| format!("unix:{path}: {error}").into())
}

fn serve_and_call(path: &str) -> Result<(), Box<dyn std::error::Error>> {
    let colors = Colors::of_terminal();
    println!(
        "{} listens on unix:{path}\n",
        colors.paint(BOLD, "com.redhat.accounts")
    );

    // The service runs in its own thread, which ends with the program.
    let listener = Listener::bind(path)?;
    thread::spawn(move || {
        let passwd = fs::read("/etc/passwd").unwrap_or_default();
        let group = fs::read("/etc/group").unwrap_or_default();
        let mut slots = SLOTS.lock().expect("it is locked only here");
        let mut service = Accounts::new(&passwd, &group);
        Server::new(listener, &mut slots)?
            .serve(&mut service)
            .map(drop)
    });

    // The client. `Tap` prints its messages.
    let (mut receive, mut send) = (vec![0; 256 * 1024], vec![0; 4096]);
    let stream = Tap::new(Stream::connect(path)?, colors);
    let mut client = Client::new(stream, &mut receive, &mut send);

    println!("{}", colors.paint(BLUE, "Who are you?"));
    let info = client.call(&GetInfo).map_err(CallError::forget)?;
    println!("  A service with the interfaces");
    for interface in info.member("interfaces")?.items()? {
        println!("    {}", interface.decode::<&str>()?);
    }

    println!("\n{}", colors.paint(BLUE, "Who is root?"));
    match client.call(&GetByName { name: "root" }) {
        Ok(found) => show(&found.account),
        Err(CallError::Method(Error::NotFound)) => println!("  this system has no root"),
        Err(error) => return Err(error.forget().into()),
    }

    println!("\n{}", colors.paint(BLUE, "Who is nobody-at-all?"));
    match client.call(&GetByName {
        name: "nobody-at-all",
    }) {
        Ok(found) => show(&found.account),
        Err(error @ CallError::Method(_)) => println!("  {error}"),
        Err(error) => return Err(error.forget().into()),
    }

    println!(
        "\n{}",
        colors.paint(BLUE, "Who are 0, 1 and 2? (pipelined)")
    );
    for uid in 0..3 {
        client.queue(&GetByUid { uid }, Mode::Simple)?;
    }
    for uid in 0..3 {
        match client.receive::<GetByUid>() {
            Ok(found) => show(&found.account),
            Err(error @ CallError::Method(_)) => println!("  {uid}: {error}"),
            Err(error) => return Err(error.forget().into()),
        }
    }

    println!("\n{}", colors.paint(BLUE, "Who has an account?"));
    let all = client.call(&GetAll).map_err(CallError::forget)?;
    for account in all.member("accounts")?.items()? {
        show(&account.decode::<Account>()?);
    }

    println!("\nThe code is in examples/quickstart.rs and examples/shared/accounts.rs.");
    Ok(())
}

fn show(account: &Account<'_>) {
    println!(
        "  {:16} {:5}:{:<5} {:24} {}",
        account.name, account.uid, account.gid, account.home, account.full_name
    );
}

/// A new directory for the socket. Dropping this removes it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> std::io::Result<Self> {
        for number in 0.. {
            let name = format!("nullink-{}-{number}", process::id());
            let path = std::env::temp_dir().join(name);
            match fs::create_dir(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                result => return result.map(|()| Directory(path)),
            }
        }
        unreachable!("some name is free")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
