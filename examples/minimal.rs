//! The README's service and client: `minimal serve` is the service, `minimal TEXT` the client.

use std::process::ExitCode;

use nullink::{
    Answer, Call, CallError, Client, Info, Interface, Method, Responder, Server, Service, Slots,
    interface,
};
use serde::{Deserialize, Serialize};

const PING: Interface = interface!("org.example.ping.varlink");
const SOCKET: &str = "/tmp/org.example.ping";

// The methods of the interface. Strings are borrowed from the receive buffer, even escaped ones.
#[derive(Deserialize)]
enum Methods<'a> {
    Ping { ping: &'a str },
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Pong<'a> {
    pong: &'a str,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Error {
    Silence,
}

// The service.
struct Pinger;

impl Service for Pinger {
    const INTERFACES: &'static [Interface] = &[PING];

    fn info(&self) -> Info<'_> {
        Info::new("Example", "Pinger", "1", "https://example.org")
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        // `?` answers unknown methods and wrong parameters with the standard errors.
        match call.decode()? {
            Methods::Ping { ping: "" } => reply.error(&Error::Silence),
            Methods::Ping { ping } => reply.send(&Pong { pong: ping }),
        }
    }
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let mut slots = Slots::<8, 4096, 8192>::new(); // 8 clients at once, 4 KiB for a call or a reply
    let mut server = Server::bind(SOCKET, &mut slots)?;
    server.serve(&mut Pinger)?;
    Ok(())
}

// The client: a struct is a call.
#[derive(Serialize)]
struct Ping<'a> {
    ping: &'a str,
}

impl Method for Ping<'_> {
    const NAME: &'static str = "org.example.ping.Ping";
    type Output<'r> = Pong<'r>;
    type Error<'r> = Error;
}

fn ping(text: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (mut receive, mut send) = ([0; 4096], [0; 4096]);
    let mut client = Client::connect(SOCKET, &mut receive, &mut send)?;
    match client.call(&Ping { ping: text }) {
        Ok(reply) => println!("{}", reply.pong),
        Err(CallError::Method(Error::Silence)) => println!("(silence)"),
        // The error borrows from `receive`. `forget` keeps its text alone.
        Err(error) => return Err(error.forget().into()),
    }
    Ok(())
}

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some("serve") => serve(),
        text => ping(text.unwrap_or("hello")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {SOCKET}: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use nullink::Loopback;
    use nullink::tools::{self, Breaks};

    use super::*;

    #[test]
    fn ping_is_answered() {
        let (mut a, mut b, mut c, mut d) = ([0; 999], [0; 999], [0; 999], [0; 999]);
        let mut client = Client::new(Loopback::new(Pinger, &mut a, &mut b), &mut c, &mut d);
        assert_eq!(client.call(&Ping { ping: "x" }), Ok(Pong { pong: "x" }));
        let silence = Err(CallError::Method(Error::Silence));
        assert_eq!(client.call(&Ping { ping: "" }), silence);
    }

    #[test]
    fn types_match_the_definition() {
        let contract = tools::contract(&PING, |types| {
            types.methods::<Methods>().call::<Ping>().errors::<Error>()
        });
        contract.unwrap();
    }

    #[test]
    fn released_clients_can_still_call() {
        const RELEASED: Interface = interface!("released/org.example.ping.varlink");
        tools::compatible(&RELEASED, &PING, Breaks::Callers).unwrap();
    }
}
