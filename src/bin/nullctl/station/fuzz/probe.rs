//! Sends a case, and checks the replies and what the service does after them.

use std::fmt;
use std::mem;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nullink::embedded_io::{Read, Write};
use nullink::idl::{Definition, MemberKind};
use nullink::json::Raw;
use nullink::unix::{IoError, Stream, Timeouts};
use nullink::{Address, Reply, name};

use super::SERVICE;
use super::case::Case;
use crate::station::source::LONGEST;
use crate::tool::connect::connect;
use crate::tool::{Options, System};

/// The time after which a call with `more` is taken for one that waits for an event.
const QUIET: Duration = Duration::from_millis(50);

/// The number of replies to a call with `more` that are read.
const REPLIES: usize = 16;

/// The time that a service has to come back after its end.
const RESTART: Duration = Duration::from_secs(2);

/// The call that shows that a service still answers.
const GET_INFO: &[u8] = b"{\"method\":\"org.varlink.service.GetInfo\"}\0";

/// The misbehavior of a service.
#[derive(Debug)]
pub enum Fault {
    /// It does not answer on a new connection.
    Gone(String),
    /// It has closed the connection.
    Closed,
    /// It does not answer.
    Silent,
    /// A message of the service is not a reply.
    Malformed(String),
    /// A reply differs from its definition.
    Reply(String),
    /// An error is not declared, or differs from its definition.
    Error(String),
    /// There is a reply that no call has asked for.
    Extra(String),
    /// A call that differs from its definition was not refused.
    Accepted(String),
}

impl Fault {
    /// True if a fault is of the same kind.
    pub fn is_like(&self, other: &Fault) -> bool {
        mem::discriminant(self) == mem::discriminant(other)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Gone(why) => write!(f, "the service does not answer any more: {why}"),
            Fault::Closed => f.write_str("the service closes the connection without a reply"),
            Fault::Silent => f.write_str("the service sends no reply"),
            Fault::Malformed(why) => write!(f, "a message of the service is not a reply: {why}"),
            Fault::Reply(why) => write!(f, "a reply differs from its definition: {why}"),
            Fault::Error(why) => write!(f, "an error differs from its definition: {why}"),
            Fault::Extra(why) => write!(f, "there is a reply to no call: {why}"),
            Fault::Accepted(why) => write!(f, "a wrong call is not refused: {why}"),
        }
    }
}

/// A problem of a connection.
pub enum Trouble {
    Closed,
    TimedOut,
    Other(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Closed => f.write_str("the connection was closed"),
            Trouble::TimedOut => f.write_str("there was no reply in time"),
            Trouble::Other(problem) => f.write_str(problem),
        }
    }
}

/// A connection to the service.
pub struct Connection {
    stream: Stream,
    /// The received bytes.
    bytes: Vec<u8>,
}

/// The service under test.
pub struct Peer<'t> {
    pub system: &'t dyn System,
    pub options: &'t Options<'t>,
    pub address: &'t str,
    /// The time to wait for a reply.
    pub limit: Duration,
    /// True if wrong calls must be refused.
    pub strict: bool,
    /// The command that starts the service.
    pub command: Option<&'t str>,
    pub child: Option<Child>,
    pub connection: Option<Connection>,
    /// The process that listens on the socket, while it must be the same.
    pub process: Option<u32>,
}

impl Drop for Peer<'_> {
    fn drop(&mut self) {
        self.end_child();
    }
}

impl Peer<'_> {
    /// Connects, without a message if that fails.
    pub fn connect(&self) -> Result<Stream, Trouble> {
        let limit = Some(self.limit);
        let timeouts = Timeouts {
            connect: limit,
            send: limit,
            reply: limit,
        };
        match Stream::connect_with(self.address, timeouts) {
            // The library does not start programs, nor does it know the tool's other addresses.
            Err(IoError::Exec | IoError::Vsock | IoError::Address(_) | IoError::NotASocket) => {
                let stream = connect(self.system, self.options, self.address);
                let mut stream =
                    stream.map_err(|_| Trouble::Other("no connection can be made".into()))?;
                let set = stream.set_timeouts(timeouts);
                set.map_err(|error| Trouble::Other(error.to_string()))?;
                Ok(stream)
            }
            other => other.map_err(|error| Trouble::Other(error.to_string())),
        }
    }

    /// Waits until the service answers on a new connection. Starts it, if there is a command.
    pub fn await_service(&mut self) -> Result<(), Fault> {
        let end = Instant::now() + RESTART;
        let mut started = false;
        loop {
            self.process = None;
            match self.renew() {
                Ok(()) => return Ok(()),
                Err(_) if !started && self.command.is_some() => {
                    self.end_child();
                    // The process of the shell becomes that of the program, so that it can be ended.
                    let command = format!("exec {}", self.command.unwrap_or_default());
                    let child = Command::new("/bin/sh")
                        .args(["-c", &command])
                        .stdin(Stdio::null())
                        .stdout(Stdio::null())
                        .spawn();
                    self.child = child.ok();
                    started = true;
                }
                Err(fault) if Instant::now() >= end => return Err(fault),
                // The service may be about to come back.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    fn end_child(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Makes a new connection, on which the service must answer.
    pub fn renew(&mut self) -> Result<(), Fault> {
        let gone = |trouble: Trouble| Fault::Gone(trouble.to_string());
        let mut connection = Connection {
            stream: self.connect().map_err(gone)?,
            bytes: Vec::new(),
        };
        connection.send(GET_INFO).map_err(gone)?;
        let mut reply = connection.receive(self.limit).map_err(gone)?;
        check_info(&mut reply)?;
        let process = self.listening(&connection.stream);
        self.connection = Some(connection);
        if self.process.is_some() && process != self.process {
            self.process = None;
            return Err(Fault::Gone(
                "its process has ended, and another has started".into(),
            ));
        }
        self.process = process;
        Ok(())
    }

    /// Returns the process that listens on the socket of a service. If a service manager does, that
    /// stays the same also if the service ends.
    fn listening(&self, stream: &Stream) -> Option<u32> {
        match Address::parse(self.address) {
            Ok(Address::Unix(_) | Address::Abstract(_)) => Some(stream.peer().ok()??.pid),
            _ => None,
        }
    }

    /// Sends a case to the service.
    ///
    /// # Errors
    ///
    /// Returns the fault of the service.
    pub fn check(&mut self, case: &Case, definitions: &[Definition<'_>]) -> Result<(), Fault> {
        if self.connection.is_none() {
            self.renew()?;
        }
        let Some(mut connection) = self.connection.take() else {
            return Ok(());
        };
        let checked = match case.ordinary() {
            Some((_, method)) => self.ordinary(&mut connection, case, method, definitions),
            None => self.odd(&mut connection, case),
        };
        let stays = checked?;
        if stays {
            self.connection = Some(connection);
            return Ok(());
        }
        drop(connection);
        self.renew()
    }

    /// Makes a call that the service must answer. True if the connection can be used further.
    fn ordinary(
        &self,
        connection: &mut Connection,
        case: &Case,
        method: &str,
        definitions: &[Definition<'_>],
    ) -> Result<bool, Fault> {
        let mut message = case.bytes();
        message.push(0);
        let (more, oneway) = (case.has("more"), case.has("oneway"));
        if oneway {
            // What follows shows that there is no reply.
            message.extend_from_slice(GET_INFO);
        }
        connection.send(&message).map_err(fault)?;
        if oneway {
            let mut reply = connection.receive(self.limit).map_err(fault)?;
            return match check_info(&mut reply) {
                Err(Fault::Reply(why) | Fault::Error(why)) => Err(Fault::Extra(why)),
                checked => checked.map(|()| true),
            };
        }
        for count in 0.. {
            let limit = if more { QUIET } else { self.limit };
            let mut text = match connection.receive(limit) {
                // The call waits for an event.
                Err(Trouble::TimedOut) if more => return Ok(false),
                received => received.map_err(fault)?,
            };
            let continues = self.reply(&mut text, case, method, definitions)?;
            if continues && !more {
                return Err(Fault::Extra("the call has no flag more".into()));
            }
            if !continues {
                break;
            }
            if count == REPLIES {
                return Ok(false);
            }
        }
        if case.has("upgrade") {
            return Ok(false);
        }
        connection.send(GET_INFO).map_err(fault)?;
        let mut reply = connection.receive(self.limit).map_err(fault)?;
        match check_info(&mut reply) {
            Err(Fault::Reply(why) | Fault::Error(why)) => Err(Fault::Extra(why)),
            checked => checked.map(|()| true),
        }
    }

    /// Checks a reply. True if more replies follow.
    fn reply(
        &self,
        text: &mut [u8],
        case: &Case,
        method: &str,
        definitions: &[Definition<'_>],
    ) -> Result<bool, Fault> {
        let shown = excerpt(text);
        let reply = Reply::parse(text);
        let reply = reply.map_err(|error| Fault::Malformed(format!("{error}: {shown}")))?;
        let find = |full: &str| {
            let (interface, member) = name::split(full)?;
            let definition = definitions
                .iter()
                .find(|definition| definition.name() == interface)?;
            Some((*definition, member.to_string()))
        };
        if let Some(error) = reply.error() {
            if self.options.graceful.contains(&error) {
                return Ok(false);
            }
            let declared = find(error).and_then(|(definition, member)| {
                let found = definition.find(&member)?;
                (found.kind() == MemberKind::Error).then_some((definition, member))
            });
            let Some((definition, member)) = declared else {
                return Err(Fault::Error(format!("{error} is not declared: {shown}")));
            };
            let checked = definition.check_error(&member, reply.parameters());
            checked.map_err(|why| Fault::Error(format!("{error}: {why}: {shown}")))?;
            return Ok(false);
        }
        let called =
            find(method).filter(|(definition, member)| definition.method(member).is_some());
        let Some((definition, member)) = called else {
            return Err(Fault::Accepted(format!(
                "there is no method {method}: {shown}"
            )));
        };
        let checked = definition.check_reply(&member, reply.parameters());
        checked.map_err(|why| Fault::Reply(format!("{method}: {why}: {shown}")))?;
        if let Case::Call(call) = case
            && self.strict
        {
            let parameters = call.parameters.as_ref().map(ToString::to_string);
            let parameters = Raw::new(parameters.as_deref().unwrap_or("{}"));
            let parameters = parameters.map_err(|why| Fault::Accepted(why.to_string()))?;
            let checked = definition.check_call(&member, parameters);
            checked.map_err(|why| Fault::Accepted(format!("{method}: {why}")))?;
        }
        Ok(reply.continues())
    }

    /// Sends a message that the service may refuse by closing the connection. Returns false: the
    /// connection is not used further.
    fn odd(&self, connection: &mut Connection, case: &Case) -> Result<bool, Fault> {
        let mut message = case.bytes();
        message.push(0);
        // After an upgrade, the connection has another protocol.
        let upgrade = case.has("upgrade");
        let more = case.has("more") || upgrade;
        if !upgrade {
            message.extend_from_slice(GET_INFO);
        }
        match connection.send(&message) {
            Err(Trouble::Closed) => return Ok(false),
            sent => sent.map_err(fault)?,
        }
        for _ in 0..REPLIES {
            let limit = if more { QUIET } else { self.limit };
            let mut reply = match connection.receive(limit) {
                Err(Trouble::Closed) => return Ok(false),
                Err(Trouble::TimedOut) if more => return Ok(false),
                received => received.map_err(fault)?,
            };
            if upgrade {
                return Ok(false);
            }
            match check_info(&mut reply) {
                // This is the reply to the odd message, probably an error.
                Err(Fault::Reply(_) | Fault::Error(_)) => {}
                checked => return checked.map(|()| false),
            }
        }
        if more {
            Ok(false)
        } else {
            Err(Fault::Extra("there are many replies to one message".into()))
        }
    }
}

/// Converts a problem of a connection that must not be closed.
fn fault(trouble: Trouble) -> Fault {
    match trouble {
        Trouble::Closed => Fault::Closed,
        Trouble::TimedOut => Fault::Silent,
        Trouble::Other(why) => Fault::Malformed(why),
    }
}

/// Checks a reply of GetInfo.
fn check_info(text: &mut [u8]) -> Result<(), Fault> {
    let shown = excerpt(text);
    let reply = Reply::parse(text);
    let reply = reply.map_err(|error| Fault::Malformed(format!("{error}: {shown}")))?;
    if reply.error().is_some() {
        return Err(Fault::Error(shown));
    }
    let checked = SERVICE.check_reply("GetInfo", reply.parameters());
    checked.map_err(|why| Fault::Reply(format!("GetInfo: {why}: {shown}")))
}

/// Returns the beginning of a message, for a report.
fn excerpt(text: &[u8]) -> String {
    const LENGTH: usize = 200;
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into_owned(),
    }
}

impl Connection {
    fn send(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.stream.write_all(bytes).map_err(trouble)
    }

    /// Receives a message, without its NUL.
    fn receive(&mut self, limit: Duration) -> Result<Vec<u8>, Trouble> {
        let limit = Some(limit);
        let timeouts = Timeouts {
            connect: limit,
            send: limit,
            reply: limit,
        };
        self.stream.set_timeouts(timeouts).map_err(trouble)?;
        let mut searched = 0;
        loop {
            let found = self.bytes[searched..].iter().position(|byte| *byte == 0);
            if let Some(end) = found {
                let rest = self.bytes.split_off(searched + end + 1);
                let mut message = mem::replace(&mut self.bytes, rest);
                message.pop();
                return Ok(message);
            }
            searched = self.bytes.len();
            if searched > LONGEST {
                return Err(Trouble::Other("the message has no end".into()));
            }
            let mut buffer = [0; 16 * 1024];
            match self.stream.read(&mut buffer).map_err(trouble)? {
                0 if self.bytes.is_empty() => return Err(Trouble::Closed),
                0 => {
                    return Err(Trouble::Other(
                        "the connection ends inside a message".into(),
                    ));
                }
                count => self.bytes.extend_from_slice(&buffer[..count]),
            }
        }
    }
}

fn trouble(error: IoError) -> Trouble {
    match error {
        IoError::Closed => Trouble::Closed,
        IoError::TimedOut => Trouble::TimedOut,
        error => Trouble::Other(error.to_string()),
    }
}
