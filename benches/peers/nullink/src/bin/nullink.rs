//! The service of Nullink.

use std::sync::Mutex;

use nullink::unix::IoError;
use nullink::{Answer, Call, Info, Interface, Responder, Server, Service, Slots, interface};
use serde::{Deserialize, Serialize};

const PING: Interface = interface!("../../../org.example.ping.varlink");

/// Many clients with short messages, or few with long ones. Memory that is not used costs nothing.
static MANY: Mutex<Slots<1000, { 16 << 10 }, { 32 << 10 }>> = Mutex::new(Slots::new());
static LONG: Mutex<Slots<8, { 2 << 20 }, { 4 << 20 }>> = Mutex::new(Slots::new());

#[derive(Deserialize)]
enum Methods<'a> {
    Ping { ping: &'a str },
    Count { n: u64 },
}

#[derive(Serialize)]
struct Pong<'a> {
    pong: &'a str,
}

#[derive(Serialize)]
struct Counted {
    i: u64,
}

struct Pinger;

/// The last number that was sent, and the one to end with.
type Cursor = (u64, u64);

impl Service<Cursor> for Pinger {
    const INTERFACES: &'static [Interface] = &[PING];

    fn info(&self) -> Info<'_> {
        Info::new("Example", "Pinger", "1", "https://example.org")
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        match call.decode()? {
            Methods::Ping { ping } => reply.send(&Pong { pong: ping }),
            Methods::Count { n } => self.resume((0, n), reply),
        }
    }

    fn resume<'c>(&mut self, (i, n): Cursor, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        let i = i + 1;
        if i < n {
            reply.more()?.next(&Counted { i })?.then((i, n))
        } else {
            reply.send(&Counted { i })
        }
    }
}

fn main() -> Result<(), IoError> {
    let arguments = common::service(0);
    if arguments.text.len() > 4096 {
        let mut slots = LONG.lock().expect("it is locked once");
        Server::bind(&arguments.path, &mut slots)?.serve(&mut Pinger)?;
    } else {
        let mut slots = MANY.lock().expect("it is locked once");
        Server::bind(&arguments.path, &mut slots)?.serve(&mut Pinger)?;
    }
    Ok(())
}
