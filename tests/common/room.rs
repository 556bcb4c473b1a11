//! A service with every way to answer: at once, with streams of any length, later, for ever, or with
//! another protocol.

use std::sync::mpsc::Sender;

use nullink::service::{Info, Lagging, Outcome, Refusal, ReplyStream, Responder, Service};
use nullink::{Call, Interface, interface};
use serde::{Deserialize, Serialize};

pub const ROOM: Interface = interface!(
    text
    "
interface org.example.room

# Gives back what it is given
method Ping(ping: string) -> (pong: string)

# Gives back so many letters
method Letters(n: int) -> (letters: string)

# Counts from 0, so many replies with as many letters each
method Count(n: int, letters: int) -> (i: int, letters: string)

# Everything that is said from now on; how many items were lost in between, if `skip`
method Listen(skip: bool) -> (item: ?string, lost: ?int)

# The same, and first a word of welcome
method Enter() -> (item: ?string, lost: ?int)

# The same, but who does not read is disconnected
method Meet() -> (item: ?string, lost: ?int)

# The next item
method Wait() -> (item: ?string, lost: ?int)

# Says something
method Say(item: string) -> ()

# Says something for the last time
method Finish(item: string) -> ()

# Who calls
method Who() -> (uid: int, gid: int, pid: int)

# For root only
method Secret() -> ()

# Whatever comes is the program's
method Pipe() -> ()
"
);

pub const TOPIC: u32 = 7;

#[derive(Deserialize)]
pub enum Method<'a> {
    Ping { ping: &'a str },
    Letters { n: usize },
    Count { n: u32, letters: u32 },
    Listen { skip: bool },
    Enter,
    Meet,
    Wait,
    Say { item: &'a str },
    Finish { item: &'a str },
    Who,
    Secret,
    Pipe,
}

#[derive(Serialize)]
struct Pong<'a> {
    pong: &'a str,
}

#[derive(Serialize)]
struct Letters<'a> {
    letters: &'a str,
}

#[derive(Serialize)]
struct Counted<'a> {
    i: u32,
    letters: &'a str,
}

#[derive(Serialize, Default)]
pub struct Item<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<u32>,
}

const WELCOME: Item<'_> = Item {
    item: Some("welcome"),
    lost: None,
};

#[derive(Serialize)]
struct Who {
    uid: u32,
    gid: u32,
    pid: u32,
}

/// What the service is told beside calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Abandoned(Cursor),
    Failed(nullink::Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    Count { i: u32, n: u32, letters: u32 },
    Listening,
    Piped,
}

pub struct Room {
    pub told: Sender<Told>,
    pub letters: String,
    /// Whether root may do everything.
    pub trusts_root: bool,
}

impl Room {
    pub fn new(told: Sender<Told>) -> Self {
        Room {
            told,
            letters: "x".repeat(1 << 16),
            trusts_root: true,
        }
    }
}

impl Service for Room {
    type Cursor = Cursor;
    const INTERFACES: &'static [Interface] = &[ROOM];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn permit(&mut self, call: &Call<'_>) -> Result<(), Refusal> {
        let is_root = call.peer().is_some_and(|peer| peer.is_root());
        match call.member() {
            "Secret" if !(is_root && self.trusts_root) => Err(Refusal::PermissionDenied),
            _ => Ok(()),
        }
    }

    fn call<'c>(
        &mut self,
        call: Call<'c>,
        mut reply: Responder<'c, Cursor>,
    ) -> Result<Outcome<'c, Cursor>, Refusal> {
        let peer = call.peer();
        Ok(match call.decode()? {
            Method::Ping { ping } => reply.send(&Pong { pong: ping })?,
            Method::Letters { n } => {
                let letters = self.letters.get(..n);
                let letters = letters.ok_or(Refusal::invalid_parameter("n"))?;
                reply.send(&Letters { letters })?
            }
            Method::Count { n, letters } => {
                return self.resume(Cursor::Count { i: 0, n, letters }, reply.stream()?);
            }
            Method::Listen { skip } => {
                let lagging = if skip { Lagging::Skip } else { Lagging::Drop };
                reply
                    .stream()?
                    .subscribe(TOPIC, lagging, Cursor::Listening)?
            }
            Method::Enter => {
                let reply = reply.stream()?;
                reply.subscribe_with(&WELCOME, TOPIC, Lagging::Skip, Cursor::Listening)?
            }
            Method::Meet => {
                let reply = reply.stream()?;
                reply.subscribe_with(&WELCOME, TOPIC, Lagging::Drop, Cursor::Listening)?
            }
            Method::Wait => reply.park(TOPIC, Cursor::Listening)?,
            Method::Say { item } => {
                let item = Item {
                    item: Some(item),
                    lost: None,
                };
                let published = reply.publish(TOPIC, &item);
                published.map_err(|_| Refusal::invalid_parameter("item"))?;
                reply.send(&())?
            }
            Method::Finish { item } => {
                let item = Item {
                    item: Some(item),
                    lost: None,
                };
                let published = reply.publish_last(TOPIC, &item);
                published.map_err(|_| Refusal::invalid_parameter("item"))?;
                reply.send(&())?
            }
            Method::Who => {
                let peer = peer.ok_or(Refusal::PermissionDenied)?;
                reply.send(&Who {
                    uid: peer.uid,
                    gid: peer.gid,
                    pid: peer.pid,
                })?
            }
            Method::Secret => reply.send(&())?,
            Method::Pipe => reply.upgrade()?.send(&(), Cursor::Piped)?,
        })
    }

    fn resume<'c>(
        &mut self,
        cursor: Cursor,
        reply: ReplyStream<'c, Cursor>,
    ) -> Result<Outcome<'c, Cursor>, Refusal> {
        let Cursor::Count { i, n, letters } = cursor else {
            return Err(Refusal::PermissionDenied);
        };
        let counted = Counted {
            i,
            letters: self.letters.get(..letters as usize).unwrap_or_default(),
        };
        let i = i + 1;
        Ok(match i < n {
            true => reply.continues(&counted, Cursor::Count { i, n, letters })?,
            false => reply.send(&counted)?,
        })
    }

    fn missed<'c>(
        &mut self,
        cursor: Cursor,
        count: u32,
        reply: ReplyStream<'c, Cursor>,
    ) -> Result<Outcome<'c, Cursor>, Refusal> {
        let lost = Item {
            item: None,
            lost: Some(count),
        };
        reply.subscribe_with(&lost, TOPIC, Lagging::Skip, cursor)
    }

    fn failed(&mut self, error: nullink::Error) {
        let _ = self.told.send(Told::Failed(error));
    }

    fn abandoned(&mut self, cursor: Cursor) {
        let _ = self.told.send(Told::Abandoned(cursor));
    }
}
