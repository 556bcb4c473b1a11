//! A service with every kind of answer: immediate replies, streams of any length, endless streams,
//! parked calls, and an upgrade to another protocol.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;

use nullink::service::{Answer, Info, Refusal, Responder, Service};
use nullink::{Call, Interface, interface};
use serde::{Deserialize, Serialize};

pub const ROOM: Interface = interface!(
    text
    "
interface org.example.room

# Returns its parameter
method Ping(ping: string) -> (pong: string)

# Returns n letters
method Letters(n: int) -> (letters: string)

# Counts from 0 to n - 1, with a number of letters in each reply
method Count(n: int, letters: int) -> (i: int, letters: string)

# Streams each item from now on, and the number of items that were lost
method Listen() -> (item: ?string, lost: ?int)

# Like Listen, with a welcome as the first item
method Enter() -> (item: ?string, lost: ?int)

# Waits for the next item
method Wait() -> (item: ?string, lost: ?int)

# Adds an item
method Say(item: string) -> ()

# Adds the last item, which ends the streams
method Finish(item: string) -> ()

# Returns the credentials of the caller
method Who() -> (uid: int, gid: int, pid: int)

# Does nothing, for root only
method Secret() -> ()

# Upgrades to another protocol
method Pipe() -> ()
"
);

/// The topic of the parked calls that wait for the next item.
pub const TOPIC: u32 = 7;

/// The number of items that are kept for slow clients.
pub const KEPT: usize = 64;

/// The maximum length of an item, so that a reply fits into half of a send buffer of 2048 bytes.
pub const LONGEST: usize = 960;

#[derive(Deserialize)]
pub enum Method<'a> {
    Ping { ping: &'a str },
    Letters { n: usize },
    Count { n: u32, letters: u32 },
    Listen,
    Enter,
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
struct Item<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<u64>,
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

/// The events other than calls that the service is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Abandoned(Cursor),
    Failed(nullink::Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    Count {
        i: u32,
        n: u32,
        letters: u32,
    },
    /// A stream, with the number of its next item.
    Listening {
        next: u64,
    },
    /// A plain call, with the number of the item that answers it.
    Waiting {
        next: u64,
    },
    Piped,
}

/// An item.
struct Said {
    item: String,
    is_last: bool,
}

pub struct Room {
    pub told: Sender<Told>,
    pub letters: String,
    /// True if root may call `Secret`.
    pub trusts_root: bool,
    /// The last items. The first has the number `oldest`.
    items: VecDeque<Said>,
    oldest: u64,
    /// True if an item was added and the parked calls are not woken yet.
    changed: bool,
}

impl Room {
    pub fn new(told: Sender<Told>) -> Self {
        Room {
            told,
            letters: "x".repeat(1 << 16),
            trusts_root: true,
            items: VecDeque::new(),
            oldest: 0,
            changed: false,
        }
    }

    /// Keeps an item. The caller must wake the parked calls.
    pub fn keep(&mut self, item: &str, is_last: bool) {
        if self.items.len() == KEPT {
            self.items.pop_front();
            self.oldest += 1;
        }
        let item = item.to_owned();
        self.items.push_back(Said { item, is_last });
    }

    fn say<'c>(
        &mut self,
        item: &str,
        is_last: bool,
        reply: Responder<'c, Cursor>,
    ) -> Answer<'c, Cursor> {
        if item.len() > LONGEST {
            return Err(Refusal::invalid_parameter("item"));
        }
        self.keep(item, is_last);
        self.changed = true;
        reply.send(&())
    }

    /// Returns the number of the next item.
    fn next(&self) -> u64 {
        self.oldest + self.items.len() as u64
    }

    /// Finds an item by its number. Returns the number of lost items as an error if it is no longer
    /// kept, and None if it was not added yet.
    fn find(&self, next: u64) -> Option<Result<&Said, u64>> {
        match next.checked_sub(self.oldest) {
            None => Some(Err(self.oldest - next)),
            Some(index) => self.items.get(index as usize).map(Ok),
        }
    }
}

impl Service<Cursor> for Room {
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

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        let peer = call.peer();
        let next = self.next();
        match call.decode()? {
            Method::Ping { ping } => reply.send(&Pong { pong: ping }),
            Method::Letters { n } => {
                let letters = self.letters.get(..n);
                let letters = letters.ok_or(Refusal::invalid_parameter("n"))?;
                reply.send(&Letters { letters })
            }
            Method::Count { n, letters } => self.resume(Cursor::Count { i: 0, n, letters }, reply),
            Method::Listen => reply.more()?.park(TOPIC, Cursor::Listening { next }),
            Method::Enter => {
                let reply = reply.more()?.next(&WELCOME)?;
                reply.park(TOPIC, Cursor::Listening { next })
            }
            Method::Wait => reply.park(TOPIC, Cursor::Waiting { next }),
            Method::Say { item } => self.say(item, false, reply),
            Method::Finish { item } => self.say(item, true, reply),
            Method::Who => {
                let peer = peer.ok_or(Refusal::PermissionDenied)?;
                reply.send(&Who {
                    uid: peer.uid,
                    gid: peer.gid,
                    pid: peer.pid,
                })
            }
            Method::Secret => reply.send(&()),
            Method::Pipe => reply.upgrade()?.send(&(), Cursor::Piped),
        }
    }

    fn resume<'c>(&mut self, cursor: Cursor, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        match cursor {
            Cursor::Count { i, n, letters } => {
                let reply = reply.more()?;
                let counted = Counted {
                    i,
                    letters: self.letters.get(..letters as usize).unwrap_or_default(),
                };
                let i = i + 1;
                if i < n {
                    reply.next(&counted)?.then(Cursor::Count { i, n, letters })
                } else {
                    reply.send(&counted)
                }
            }
            Cursor::Listening { next } => {
                let reply = reply.more()?;
                match self.find(next) {
                    None => reply.park(TOPIC, cursor),
                    Some(Ok(said)) => {
                        let item = Item {
                            item: Some(&said.item),
                            lost: None,
                        };
                        if said.is_last {
                            reply.send(&item)
                        } else {
                            let next = next + 1;
                            reply.next(&item)?.then(Cursor::Listening { next })
                        }
                    }
                    Some(Err(lost)) => {
                        let item = Item {
                            item: None,
                            lost: Some(lost),
                        };
                        let next = next + lost;
                        reply.next(&item)?.then(Cursor::Listening { next })
                    }
                }
            }
            Cursor::Waiting { next } => match self.find(next) {
                None => reply.park(TOPIC, cursor),
                Some(Ok(said)) => reply.send(&Item {
                    item: Some(&said.item),
                    lost: None,
                }),
                Some(Err(lost)) => reply.send(&Item {
                    item: None,
                    lost: Some(lost),
                }),
            },
            Cursor::Piped => Err(Refusal::PermissionDenied),
        }
    }

    fn woken(&mut self) -> Option<u32> {
        std::mem::take(&mut self.changed).then_some(TOPIC)
    }

    fn failed(&mut self, error: nullink::SessionError) {
        let _ = self.told.send(Told::Failed(error.error));
    }

    fn abandoned(&mut self, cursor: Cursor) {
        let _ = self.told.send(Told::Abandoned(cursor));
    }
}
