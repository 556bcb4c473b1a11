//! The service `org.example.board` of a firmware, and its methods for clients.

use heapless::String;
use nullink::{
    Answer, Call, Info, Interface, Method, NoError, Refusal, Responder, Service, interface,
};
use serde::{Deserialize, Serialize};

pub const BOARD: Interface = interface!("org.example.board.varlink");

/// The state of the lamp.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lamp {
    Off,
    On,
}

/// The state of the board.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct State<'a> {
    pub uptime: u32,
    pub lamp: Lamp,
    pub text: &'a str,
    pub refused: u32,
    pub stack: u32,
}

/// The methods, defined once for both sides: the service decodes calls into this enum, and the
/// client makes calls with the types in its variants.
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

/// The hardware of a board, as the service needs it.
pub trait Hardware {
    /// The name of the board, for GetInfo.
    const NAME: &'static str;

    /// Returns the time since power on, in milliseconds.
    fn uptime(&self) -> u32;

    /// Waits until the uptime may have changed.
    fn wait(&self);

    fn lamp(&self) -> Lamp;

    fn set_lamp(&mut self, lamp: Lamp);

    /// Returns the largest size of the stack so far, in bytes.
    fn stack(&self) -> u32;

    /// Ends the service.
    fn stop(&mut self);
}

/// The size of the display, in bytes.
pub const ROOM: usize = 32;

/// The longest interval of Watch, in milliseconds. A new client may wait this long, until the next
/// reply to the previous client.
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

/// The cursor of a Watch: the remaining parameters, and the uptime of the last reply.
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

    /// Sends the next reply to Watch when it is due.
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

    fn failed(&mut self, _: nullink::SessionError) {
        self.refused = self.refused.saturating_add(1);
    }
}
