//! From an address, or the name of an interface, to a connection.

use core::ffi::CStr;
use core::mem;

use heapless::{String, Vec};
use nullink::json::{Raw, Value};
use nullink::unix::{Stream, Timeouts};
use nullink::{Address, Client, DecodeError};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, stat};

use super::options::Options;
use super::output::{Failure, Printable, SystemError, fail, fail_at};
use super::program::find_program;
use super::route::{call, look_up, timeouts};
use super::system::{Command, Passed, System};
use super::texts::{self, AddressText, split_once};
use super::{Tool, text};

/// The buffers of a client.
pub type Buffers<'b> = (&'b mut [u8], &'b mut [u8]);

/// A connection to a service, to call its methods.
pub struct Connection<'c> {
    pub client: Client<'c, Stream>,
    /// The address, for messages.
    pub address: &'c str,
}

impl<'c> Connection<'c> {
    /// Connects to a service.
    ///
    /// # Errors
    ///
    /// Fails if the address is not valid, or does not lead to a service.
    pub fn new(
        system: &dyn System,
        options: &Options<'_>,
        address: &'c str,
        (receive, send): Buffers<'c>,
    ) -> Result<Self, Failure> {
        let stream = connect(system, options, address)?;
        Ok(Connection {
            client: Client::new(stream, receive, send),
            address,
        })
    }

    /// Calls a method.
    ///
    /// # Errors
    ///
    /// Fails if there is no reply, or the reply is an error.
    pub fn ask(&mut self, method: &str, parameters: Raw<'_>) -> Result<Value<'_>, Failure> {
        let address = self.address;
        let reply = call(&mut self.client, method, parameters);
        let reply = reply.map_err(|error| fail_at(address, &error))?;
        match reply.error() {
            None => Ok(reply.into_parameters()),
            Some(error) => Err(fail(format_args!(
                "{address}: {method} {parameters}: the service answers {}",
                Printable(error)
            ))),
        }
    }

    /// Like `ask`, for a member of the reply.
    pub fn ask_member(
        &mut self,
        method: &str,
        parameters: Raw<'_>,
        name: &'static str,
    ) -> Result<Value<'_>, Failure> {
        let address = self.address;
        let member = self.ask(method, parameters)?.member(name);
        member.map_err(|error| malformed(address, &error))
    }
}

/// Runs a verb whose first word is the address of a service.
pub fn with_service(
    tool: &mut Tool<'_>,
    words: &[&'static CStr],
    run: fn(&mut Tool<'_>, &mut Connection<'_>, &[&'static CStr]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (address, rest) = words.split_first().ok_or(Failure::Failed)?;
    let buffers = (mem::take(&mut tool.receive), mem::take(&mut tool.send));
    let mut service = Connection::new(tool.system, tool.options, text(address), buffers)?;
    run(tool, &mut service, rest)
}

/// The failure of a service whose reply is not that of the method.
pub fn malformed(address: &str, error: &DecodeError) -> Failure {
    fail(format_args!(
        "{address}: the reply is not as defined: {error}"
    ))
}

/// Connects to a service, with the time limit of the options for each step.
///
/// # Errors
///
/// Like [`Connection::new`].
pub fn connect(
    system: &dyn System,
    options: &Options<'_>,
    address: &str,
) -> Result<Stream, Failure> {
    let timeouts = timeouts(options.limit());
    let failed = |error: &dyn core::fmt::Display| fail_at(address, &error);
    let mut path = AddressText::new();
    let parsed = if matches!(address.as_bytes(), [b'/' | b'.', ..]) {
        match stat(texts::path(&mut path, &[address])) {
            Ok(file) if FileType::from_raw_mode(file.st_mode) == FileType::RegularFile => {
                Address::Exec(address)
            }
            _ => Address::Unix(address),
        }
    } else if let Some(("ssh-unix" | "ssh" | "ssh-exec", to)) = split_once(address, b':') {
        return ssh(system, timeouts, address, to);
    } else {
        let Some(address) = look_up(system, address, &mut path) else {
            return Err(failed(
                &"not in the registry: use an address, or see nullctl list-registry",
            ));
        };
        Address::parse(address).map_err(|error| failed(&error))?
    };
    match parsed {
        Address::Exec(program) => start(system, timeouts, &[program], false),
        Address::Vsock { .. } => Err(fail(format_args!(
            "{address}: not supported: use `socat VSOCK-CONNECT:... UNIX-LISTEN:PATH` and the path"
        ))),
        parsed => Stream::connect_to(parsed, timeouts).map_err(|error| failed(&error)),
    }
}

/// Connects to the socket of another machine, `[USER@]HOST:PATH`, or starts a service there,
/// `[USER@]HOST:COMMAND`. ssh(1) joins it to its standard input and output.
fn ssh(
    system: &dyn System,
    timeouts: Timeouts,
    address: &str,
    to: &str,
) -> Result<Stream, Failure> {
    let starts = address.starts_with("ssh-exec");
    // ssh would take a host that begins with `-` for an option.
    let is_host = |host: &str| !host.is_empty() && !host.starts_with('-');
    let Some((host, to)) = split_once(to, b':').filter(|(host, _)| is_host(host)) else {
        let usage = if starts {
            "exec:HOST:COMMAND"
        } else {
            "unix:HOST:/path"
        };
        return Err(fail(format_args!("{address}: use ssh-{usage}")));
    };
    let listen = "env SYSTEMD_VARLINK_LISTEN=-";
    let words: &[&str] = if starts {
        &["ssh", "-e", "none", "-x", "-T", "--", host, listen, to]
    } else {
        &["ssh", "-W", to, "--", host]
    };
    start(system, timeouts, words, true)
}

/// Starts a program with one end of a new connection, and returns the other end. `words` are its
/// name or path, and its arguments.
fn start(
    system: &dyn System,
    timeouts: Timeouts,
    words: &[&str],
    as_standard: bool,
) -> Result<Stream, Failure> {
    let mut copies = String::<1024>::new();
    for word in words {
        let copied = copies.push_str(word).and_then(|()| copies.push('\0'));
        copied.map_err(|_| fail(format_args!("{word}: too long")))?;
    }
    let mut arguments = Vec::<&CStr, 16>::new();
    for word in copies.as_bytes().split_inclusive(|byte| *byte == 0) {
        // They were written with their NULs, and there are fewer.
        let _ = arguments.push(CStr::from_bytes_until_nul(word).unwrap_or_default());
    }
    let name = arguments.first().copied().unwrap_or_default();
    let failed =
        |error: &dyn core::fmt::Display| fail(format_args!("{}: {error}", super::text(name)));
    let mut path = AddressText::new();
    let path = find_program(system, name, &mut path)?;
    let (mut stream, other) = Stream::pair().map_err(|error| failed(&error))?;
    let other = OwnedFd::from(other);
    let started = system.start(&Command {
        path,
        arguments: &arguments,
        passed: if as_standard {
            Passed::Standard(other.as_fd())
        } else {
            Passed::Socket(other.as_fd())
        },
    });
    started.map_err(|errno| failed(&SystemError(errno)))?;
    stream
        .set_timeouts(timeouts)
        .map_err(|error| failed(&error))?;
    Ok(stream)
}
