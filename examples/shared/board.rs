//! The service `org.example.board`, which a firmware has, and its methods as a client calls them.

use heapless::String;
use nullink::{
    Answer, Call, Info, Interface, Method, NoError, Refusal, Responder, Service, interface,
};
use serde::{Deserialize, Serialize};

pub const BOARD: Interface = interface!("org.example.board.varlink");

/// What the lamp does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lamp {
    Off,
    On,
}

/// How the board is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct State<'a> {
    pub uptime: u32,
    pub lamp: Lamp,
    pub text: &'a str,
    pub refused: u32,
    pub stack: u32,
}

/// The methods, one definition for both sides: a variant is what the service dispatches to, what
/// is in it is what a client calls.
#[derive(Deserialize)]
pub enum Methods<'a> {
    GetState,
    SetLamp(SetLamp),
    #[serde(borrow)]
    Show(Show<'a>),
    Watch(Watch),
    Stop,
}

#[derive(Serialize)]
pub struct GetState;

#[derive(Serialize, Deserialize)]
pub struct SetLamp {
    pub lamp: Lamp,
}

#[derive(Serialize, Deserialize)]
pub struct Show<'a> {
    pub text: &'a str,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Watch {
    pub every: u32,
    pub count: Option<u32>,
}

#[derive(Serialize)]
pub struct Stop;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Found<'a> {
    #[serde(borrow)]
    pub state: State<'a>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Switched {
    pub before: Lamp,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Time {
    pub uptime: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Error {
    TooLong { room: usize },
}

impl Method for GetState {
    const NAME: &'static str = "org.example.board.GetState";
    type Output<'r> = Found<'r>;
    type Error<'r> = NoError;
}

impl Method for SetLamp {
    const NAME: &'static str = "org.example.board.SetLamp";
    type Output<'r> = Switched;
    type Error<'r> = NoError;
}

impl Method for Show<'_> {
    const NAME: &'static str = "org.example.board.Show";
    type Output<'r> = ();
    type Error<'r> = Error;
}

impl Method for Watch {
    const NAME: &'static str = "org.example.board.Watch";
    type Output<'r> = Time;
    type Error<'r> = NoError;
}

impl Method for Stop {
    const NAME: &'static str = "org.example.board.Stop";
    type Output<'r> = ();
    type Error<'r> = NoError;
}

/// What a board has that it can be this service for.
pub trait Hardware {
    /// What it is called.
    const NAME: &'static str;

    /// Milliseconds since it was switched on.
    fn uptime(&self) -> u32;

    /// Waits until it may be another time.
    fn wait(&self);

    fn lamp(&self) -> Lamp;

    fn set_lamp(&mut self, lamp: Lamp);

    /// The most bytes that the stack has taken so far.
    fn stack(&self) -> u32;

    /// Nothing more is to be served.
    fn stop(&mut self);
}

/// How many bytes the display has room for.
pub const ROOM: usize = 32;

/// A reply to Watch is not longer than this in coming, because so long would a new client wait.
const LONGEST: u32 = 1000;

/// The service.
pub struct Board<H> {
    hardware: H,
    text: String<ROOM>,
    refused: u32,
}

impl<H: Hardware> Board<H> {
    pub fn new(hardware: H) -> Self {
        Board {
            hardware,
            text: String::new(),
            refused: 0,
        }
    }
}

/// What is left of a Watch: what is left to be said, and when the last reply was.
pub type Watched = (Watch, u32);

impl<H: Hardware> Service<Watched> for Board<H> {
    const INTERFACES: &'static [Interface] = &[BOARD];

    fn info(&self) -> Info<'_> {
        Info {
            vendor: "Nullink",
            product: H::NAME,
            version: env!("CARGO_PKG_VERSION"),
            url: "https://varlink.org",
        }
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, Watched>) -> Answer<'c, Watched> {
        match call.decode()? {
            Methods::GetState => reply.send(&Found {
                state: State {
                    uptime: self.hardware.uptime(),
                    lamp: self.hardware.lamp(),
                    text: &self.text,
                    refused: self.refused,
                    stack: self.hardware.stack(),
                },
            }),
            Methods::SetLamp(SetLamp { lamp }) => {
                let before = self.hardware.lamp();
                self.hardware.set_lamp(lamp);
                reply.send(&Switched { before })
            }
            Methods::Show(Show { text }) => match String::try_from(text) {
                Ok(text) => {
                    self.text = text;
                    reply.send(&())
                }
                Err(_) => reply.error(&Error::TooLong { room: ROOM }),
            },
            Methods::Watch(watch) if watch.every > LONGEST => {
                reply.more()?;
                Err(Refusal::invalid_parameter("every"))
            }
            Methods::Watch(Watch { count: Some(0), .. }) => {
                reply.more()?;
                Err(Refusal::invalid_parameter("count"))
            }
            Methods::Watch(watch) => self.resume((watch, self.hardware.uptime()), reply),
            Methods::Stop => {
                self.hardware.stop();
                reply.send(&())
            }
        }
    }

    /// The next reply to Watch, when it is time for it.
    fn resume<'c>(
        &mut self,
        (mut watch, last): Watched,
        reply: Responder<'c, Watched>,
    ) -> Answer<'c, Watched> {
        let reply = reply.more()?;
        while self.hardware.uptime().wrapping_sub(last) < watch.every {
            self.hardware.wait();
        }
        let uptime = last.wrapping_add(watch.every);
        watch.count = watch.count.map(|count| count.saturating_sub(1));
        match watch.count {
            Some(0) => reply.send(&Time { uptime }),
            _ => reply.next(&Time { uptime })?.then((watch, uptime)),
        }
    }

    fn failed(&mut self, _: nullink::Error) {
        self.refused = self.refused.saturating_add(1);
    }
}
