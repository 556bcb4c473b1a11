//! The README's service and client: `minimal serve` is the service, `minimal TEXT` the client.

use nullink::client::CallError;
use nullink::server::{Server, Slots};
use nullink::unix::{self, Listener, Stream};
use nullink::{Answer, Call, Client, Info, Interface, Method, Responder, Service, interface};
use serde::{Deserialize, Serialize};

const PING: Interface = interface!("org.example.ping.varlink");
const SOCKET: &str = "/tmp/org.example.ping";

// The methods of an interface are an enum: serde is the dispatch. What is borrowed (`'a`) lies in
// the receive buffer, whatever was escaped in it.
#[derive(Deserialize)]
enum Methods<'a> {
    #[serde(borrow)]
    Ping(Ping<'a>),
}

#[derive(Serialize, Deserialize)]
struct Ping<'a> {
    ping: &'a str,
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
        Info {
            vendor: "Example",
            product: "Pinger",
            version: "1",
            url: "https://example.org",
        }
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        // `?` answers what is unknown, missing or ill-typed with the standard error.
        let Methods::Ping(Ping { ping }) = call.decode()?;
        match ping {
            "" => reply.error(&Error::Silence),
            pong => reply.send(&Pong { pong }),
        }
    }

    // Why a connection has ended, if it is anybody's fault: what is worth a line in a log.
    fn failed(&mut self, error: nullink::Error) {
        eprintln!("{error}");
    }
}

fn serve() -> Result<(), unix::Error> {
    let mut slots = Slots::<8, 4096, 8192>::new(); // 8 clients at once, 4 KiB for a call and a reply
    Server::new(Listener::bind(SOCKET)?, &mut slots)?.serve(&mut Pinger)?;
    Ok(())
}

// The client: the struct that the service dispatches to is the typed call.
impl Method for Ping<'_> {
    const NAME: &'static str = "org.example.ping.Ping";
    type Output<'r> = Pong<'r>;
    type Error<'r> = Error;
}

fn ping(text: &str) -> Result<(), unix::Error> {
    let (mut receive, mut send) = ([0; 4096], [0; 4096]);
    let mut client = Client::new(Stream::connect(SOCKET)?, &mut receive, &mut send);
    match client.call(&Ping { ping: text }) {
        Ok(reply) => println!("{}", reply.pong),
        Err(CallError::Method(Error::Silence)) => println!("(silence)"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

fn main() -> Result<(), unix::Error> {
    match std::env::args().nth(1).as_deref() {
        Some("serve") => serve(),
        Some(text) => ping(text),
        None => ping("hello"),
    }
}

#[cfg(test)]
mod tests {
    use nullink::Loopback;
    use nullink::tools::{self, Breaks};

    use super::*;

    #[test]
    fn it_says_what_it_hears() {
        let (mut a, mut b, mut c, mut d) = ([0; 999], [0; 999], [0; 999], [0; 999]);
        let mut client = Client::new(Loopback::new(Pinger, &mut a, &mut b), &mut c, &mut d);
        assert_eq!(client.call(&Ping { ping: "x" }), Ok(Pong { pong: "x" }));
        let silence = Err(CallError::Method(Error::Silence));
        assert_eq!(client.call(&Ping { ping: "" }), silence);
    }

    #[test]
    fn the_types_say_the_same_as_the_definition() {
        tools::contract(&PING, |types| {
            types.methods::<Methods>().call::<Ping>().errors::<Error>()
        })
        .unwrap();
    }

    #[test]
    fn clients_of_what_was_released_can_still_call() {
        const RELEASED: Interface = interface!("released/org.example.ping.varlink");
        tools::compatible(&RELEASED, &PING, Breaks::Callers).unwrap();
    }
}
