//! The README's service and client: `minimal serve` is the service, `minimal TEXT` the client.

use nullink::client::{CallError, Method};
use nullink::service::{Info, Outcome, Refusal, Responder, Service};
use nullink::unix::{self, Listener, Stream};
use nullink::{Call, Client, Interface, interface};
use serde::{Deserialize, Serialize};

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

#[derive(Serialize, Deserialize)]
struct Pong<'a> {
    pong: &'a str,
}

#[derive(Serialize, Deserialize, Debug)]
enum Error {
    Silence,
}

// The service.
struct Pinger;

impl Service for Pinger {
    type Cursor = ();
    const INTERFACES: &'static [Interface] = &[interface!("org.example.ping.varlink")];

    fn info(&self) -> Info<'_> {
        Info {
            vendor: "Example",
            product: "Pinger",
            version: "1",
            url: "https://example.org",
        }
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
        // `?` answers what is unknown, missing or ill-typed with the standard error.
        let Methods::Ping(Ping { ping }) = call.decode()?;
        Ok(match ping {
            "" => reply.error(&Error::Silence)?,
            pong => reply.send(&Pong { pong })?,
        })
    }
}

fn serve() -> Result<(), unix::Error> {
    let listener = Listener::bind(SOCKET)?;
    let (mut receive, mut send) = ([0; 4096], [0; 4096]);
    unix::serve(&listener, &mut Pinger, &mut receive, &mut send)?;
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
