//! A proxy: accepts connections at one address, relays each to a service at another, and prints
//! every message, `->` to the service and `<-` to the client.
//!
//! ```sh
//! cargo run --example conformance unix:/tmp/t &
//! cargo run --example proxy -- --deny org.example.secret unix:/tmp/front unix:/tmp/t
//! ```

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nullink::json::Raw;
use nullink::relay::{Policy, Side, Verdict};
use nullink::unix::{Listener, Stream, relay};
use nullink::{Address, Call, Refusal, Reply, name};

const USAGE: &str =
    "usage: proxy [--deny INTERFACE] [--rename INTERFACE=INTERFACE] LISTEN-ADDRESS TARGET-ADDRESS
  --deny    refuses calls of the interface, and upgrades: such calls could be sent after one
  --rename  passes calls of the first interface on as calls of the second
An address is unix:/path or unix:@name.";

/// The length of the longest message in either direction, with its NUL.
const LONGEST: usize = 256 * 1024;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut rules = Rules::default();
    let mut addresses = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &argument[..] {
            "--deny" => rules.denied.push(interface(arguments.next())?),
            "--rename" => {
                let rule = arguments.next().unwrap_or_default();
                let (from, to) = rule.split_once('=').ok_or(USAGE)?;
                let rule = (interface(Some(from.into()))?, interface(Some(to.into()))?);
                rules.renamed.push(rule);
            }
            _ => addresses.push(argument),
        }
    }
    let [front, target] = &addresses[..] else {
        return Err(USAGE.into());
    };
    Address::parse(target).map_err(|error| format!("{target}: {error}"))?;
    let listener = Listener::bind_with(front, Listener::EVERYBODY);
    let listener = listener.map_err(|error| format!("{front}: {error}"))?;
    loop {
        let client = match listener.accept() {
            Ok(client) => client,
            Err(error) if error.is_exhausted() => {
                thread::sleep(Duration::from_millis(100));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let (rules, target) = (rules.clone(), target.clone());
        // If the system refuses another thread, the client is disconnected.
        let started = thread::Builder::new().spawn(move || {
            if let Err(error) = serve(client, &target, rules) {
                eprintln!("proxy: {error}");
            }
        });
        if let Err(error) = started {
            eprintln!("proxy: {error}");
        }
    }
}

fn interface(name: Option<String>) -> Result<String, String> {
    let name = name.unwrap_or_default();
    if name::is_interface(&name) {
        Ok(name)
    } else {
        Err(format!("{name:?} is not an interface name\n{USAGE}"))
    }
}

/// Relays one connection.
fn serve(client: Stream, target: &str, mut rules: Rules) -> Result<(), Box<dyn std::error::Error>> {
    let service = Stream::connect(target).map_err(|error| format!("{target}: {error}"))?;
    // A buffer holds received messages in one half, and messages to send in the other.
    let (mut calls, mut replies) = (vec![0; 2 * LONGEST], vec![0; 2 * LONGEST]);
    relay(client, service, &mut calls, &mut replies, &mut rules)?;
    Ok(())
}

/// The interfaces whose calls are denied or renamed.
#[derive(Clone, Default)]
struct Rules {
    denied: Vec<String>,
    renamed: Vec<(String, String)>,
}

impl Rules {
    fn judge<'c>(&'c self, call: &Call<'c>, message: Raw<'_>) -> Verdict<'c> {
        let (interface, member) = (call.interface(), call.member());
        if self.denied.iter().any(|denied| denied == interface) {
            println!("-> {message} (denied)");
            return Verdict::Refuse(Refusal::PermissionDenied);
        }
        match self.renamed.iter().find(|(from, _)| from == interface) {
            Some((_, interface)) => {
                println!("-> {message} (as {interface}.{member})");
                Verdict::PassAs { interface, member }
            }
            None => {
                println!("-> {message}");
                Verdict::Pass
            }
        }
    }
}

impl Policy for Rules {
    fn call<'c>(&'c mut self, call: Call<'c>, message: Raw<'_>) -> Verdict<'c> {
        self.judge(&call, message)
    }

    fn upgrade<'c>(&'c mut self, call: Call<'c>, message: Raw<'_>) -> Verdict<'c> {
        if self.denied.is_empty() {
            self.judge(&call, message)
        } else {
            println!("-> {message} (denied)");
            Verdict::Refuse(Refusal::PermissionDenied)
        }
    }

    fn reply(&mut self, _: Reply<'_>, message: Raw<'_>) {
        println!("<- {message}");
    }

    fn bytes(&mut self, from: Side, bytes: &[u8]) {
        let direction = match from {
            Side::Client => "->",
            Side::Service => "<-",
        };
        println!("{direction} {} bytes", bytes.len());
    }
}
