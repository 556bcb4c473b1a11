//! A client of `org.example.board`, which the firmware of a board serves on its serial line
//! (tests/bare-metal).
//!
//! ```sh
//! cargo run --example board device:/dev/ttyUSB0
//! cargo run --example board device:/dev/ttyUSB0 watch    # until interrupted
//! cargo run --example board device:/dev/ttyUSB0 stop
//! ```

#[path = "shared/board.rs"]
#[allow(dead_code)] // the service's part is unused here
mod board;

use std::process::ExitCode;
use std::time::Duration;

use board::{Error, GetState, Lamp, SetLamp, Show, Stop, Watch};
use nullink::client::CallError;
use nullink::service::{GetInfo, GetInterfaceDescription};
use nullink::unix::{Stream, Timeouts};
use nullink::{Address, Client};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("board: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(|argument| &argument[..]).collect();
    let (address, command) = match arguments[..] {
        [address] => (address, "show"),
        [address, command @ ("watch" | "stop")] => (address, command),
        _ => return Err("usage: board ADDRESS [watch|stop]".into()),
    };
    let done = client(address, command);
    done.map_err(|error| format!("{address}: {error}").into())
}

fn client(address: &str, command: &str) -> Result<(), Box<dyn std::error::Error>> {
    let address = Address::parse(address)?;
    // A serial line does not tell if the board is gone: without a timeout, a call waits forever.
    let timeouts = Timeouts {
        reply: Some(Duration::from_secs(30)),
        ..Timeouts::default()
    };
    let stream = Stream::connect_to(address, timeouts)?;
    let (mut receive, mut send) = ([0; 4096], [0; 512]);
    let mut client = Client::new(stream, &mut receive, &mut send);
    if let Address::Device(_) = address {
        // The previous client may have left during a Watch: its replies are skipped.
        client.synchronize(&format!("org.example.n{}", std::process::id()))?;
    }
    match command {
        "stop" => Ok(client.call(&Stop).map_err(CallError::forget)?),
        "watch" => watch(&mut client, None),
        _ => show(&mut client),
    }
}

/// The printed members of the reply to GetInfo.
#[derive(serde::Deserialize)]
struct Who<'a> {
    vendor: &'a str,
    product: &'a str,
}

fn show(client: &mut Client<'_, Stream>) -> Result<(), Box<dyn std::error::Error>> {
    let info = client.call(&GetInfo).map_err(CallError::forget)?;
    let who: Who = info.decode()?;
    println!("{} by {}", who.product, who.vendor);

    let interface = "org.example.board";
    let found = client.call(&GetInterfaceDescription { interface });
    let description = found.map_err(CallError::forget)?.description;
    println!("description {} bytes", description.len());

    for lamp in [Lamp::On, Lamp::Off, Lamp::On] {
        let switched = client.call(&SetLamp { lamp });
        let switched = switched.map_err(CallError::forget)?;
        println!("lamp {:?} -> {lamp:?}", switched.before);
    }
    for text in ["\u{1F980} \"hello\"", &"long ".repeat(10)] {
        match client.call(&Show { text }) {
            Ok(()) => println!("shows {text}"),
            Err(CallError::Method(Error::TooLong { room })) => println!("has room for {room}"),
            Err(error) => return Err(error.forget().into()),
        }
    }
    watch(client, Some(3))?;
    let found = client.call(&GetState).map_err(CallError::forget)?;
    println!("{:?}", found.state);
    Ok(())
}

fn watch(
    client: &mut Client<'_, Stream>,
    count: Option<u32>,
) -> Result<(), Box<dyn std::error::Error>> {
    let watch = Watch { every: 100, count };
    let mut times = client.more(&watch).map_err(CallError::forget)?;
    while let Some(time) = times.next().map_err(CallError::forget)? {
        println!("uptime {}", time.uptime);
    }
    Ok(())
}
