//! A proxy: accepts connections at one address, relays each to a service at another, and prints
//! every message, `->` to the service and `<-` to the client.
//!
//! ```sh
//! cargo run --example conformance unix:/tmp/t &
//! cargo run --example proxy -- --deny org.example.secret unix:/tmp/front unix:/tmp/t
//! ```

#[path = "shared/output.rs"]
mod output;

use std::convert::Infallible;
use std::process::{ExitCode, exit};
use std::thread;
use std::time::Duration;

use nullink::json::Raw;
use nullink::relay::{Policy, Side, Verdict};
use nullink::unix::{self, Listener, Stream, relay};
use nullink::{Address, Call, Refusal, Reply, name};
use output::{complain, say};

const USAGE: &str = "usage: proxy [OPTION..] LISTEN-ADDRESS TARGET-ADDRESS
  --clients COUNT
      serves this number of clients at once, by default 32, and lets the others wait
  --deny INTERFACE
      refuses calls of the interface, and upgrades: such calls could be sent after one
  --rename INTERFACE=INTERFACE
      passes calls of the first interface on as calls of the second
An address is unix:/path or unix:@name.";

/// The length of the longest message in either direction, with its NUL.
const LONGEST: usize = 256 * 1024;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("proxy: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut rules = Rules::default();
    let mut clients: usize = 32;
    let mut addresses = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &argument[..] {
            "--clients" => {
                let count = arguments.next().and_then(|count| count.parse().ok());
                clients = count.filter(|count| *count > 0).ok_or(USAGE)?;
            }
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
    // A thread serves one client at a time. The next clients wait until a thread accepts them.
    let serve_clients = || -> Infallible {
        match serve_clients(&listener, target, &rules) {
            Err(error) => {
                complain(format_args!("proxy: {error}"));
                exit(1)
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..clients {
            // The system may refuse more threads. Those that it has started are enough.
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, serve_clients) {
                complain(format_args!("proxy: {error}"));
                break;
            }
        }
        match serve_clients() {}
    })
}

/// Serves one client after the other.
fn serve_clients(
    listener: &Listener,
    target: &str,
    rules: &Rules,
) -> Result<Infallible, unix::IoError> {
    loop {
        match listener.accept() {
            Ok(client) => {
                if let Err(error) = serve(client, target, rules.clone()) {
                    complain(format_args!("proxy: {error}"));
                }
            }
            Err(error) if error.is_exhausted() => thread::sleep(Duration::from_millis(100)),
            Err(error) => return Err(error),
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
            say!("-> {message} (denied)");
            return Verdict::Refuse(Refusal::PermissionDenied);
        }
        match self.renamed.iter().find(|(from, _)| from == interface) {
            Some((_, interface)) => {
                say!("-> {message} (as {interface}.{member})");
                Verdict::PassAs { interface, member }
            }
            None => {
                say!("-> {message}");
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
            say!("-> {message} (denied)");
            Verdict::Refuse(Refusal::PermissionDenied)
        }
    }

    fn reply(&mut self, _: Reply<'_>, message: Raw<'_>) {
        say!("<- {message}");
    }

    fn bytes(&mut self, from: Side, bytes: &[u8]) {
        let direction = match from {
            Side::Client => "->",
            Side::Service => "<-",
        };
        say!("{direction} {} bytes", bytes.len());
    }
}
