//! From an address, or the name of an interface, to a connection.

use core::ffi::CStr;
use core::fmt::Write;

use heapless::Vec;
use nullink::unix::{Stream, Timeouts};
use nullink::{Address, Client, name};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, stat};

use super::options::Options;
use super::output::{Failure, SystemError, fail, fail_at};
use super::program::find_program;
use super::registry::registered;
use super::route::timeouts;
use super::system::{Command, Passed, System};
use super::texts::{AddressText, Path};

/// The buffers of a client.
pub type Buffers<'b> = (&'b mut [u8], &'b mut [u8]);

/// Connects a client to a service.
///
/// # Errors
///
/// Fails if the address is not valid, or does not lead to a service.
pub fn client<'b>(
    system: &dyn System,
    options: &Options<'_>,
    address: &str,
    (receive, send): Buffers<'b>,
) -> Result<Client<'b, Stream>, Failure> {
    Ok(Client::new(
        connect(system, options, address)?,
        receive,
        send,
    ))
}

/// Connects to a service, with the time limit of the options for each step.
///
/// # Errors
///
/// Like [`client`].
pub fn connect(
    system: &dyn System,
    options: &Options<'_>,
    address: &str,
) -> Result<Stream, Failure> {
    let timeouts = timeouts(options.limit());
    let failed = |error: &dyn core::fmt::Display| fail_at(address, &error);
    let path;
    let parsed = if address.starts_with(['/', '.']) {
        match stat(address) {
            Ok(file) if FileType::from_raw_mode(file.st_mode) == FileType::RegularFile => {
                Address::Exec(address)
            }
            _ => Address::Unix(address),
        }
    } else if let Some(rest) = address
        .strip_prefix("ssh-unix:")
        .or(address.strip_prefix("ssh:"))
    {
        return ssh_unix(system, timeouts, rest);
    } else if let Some(rest) = address.strip_prefix("ssh-exec:") {
        return ssh_exec(system, timeouts, rest);
    } else if name::is_interface(address) {
        let Some(found) = registered(system, None, address) else {
            return Err(failed(
                &"not in the registry: use an address, or see nullctl list-registry",
            ));
        };
        path = found;
        Address::parse(&path).map_err(|error| failed(&error))?
    } else {
        Address::parse(address).map_err(|error| failed(&error))?
    };
    match parsed {
        Address::Exec(program) => start(system, timeouts, &terminated::<256>(&[program])?, false),
        Address::Vsock { .. } => Err(fail(format_args!(
            "{address}: not supported: use `socat VSOCK-CONNECT:... UNIX-LISTEN:PATH` and the path"
        ))),
        parsed => Stream::connect_to(parsed, timeouts).map_err(|error| failed(&error)),
    }
}

/// Connects to the socket of another machine: `[USER@]HOST:PATH`. ssh(1) joins it to its standard
/// input and output.
fn ssh_unix(system: &dyn System, timeouts: Timeouts, rest: &str) -> Result<Stream, Failure> {
    let Some((host, path)) = rest.split_once([':']).filter(|(host, _)| is_host(host)) else {
        return Err(fail(format_args!(
            "ssh-unix:{rest}: use ssh-unix:HOST:/path"
        )));
    };
    let words = terminated::<512>(&["ssh", "-W", path, "--", host])?;
    start(system, timeouts, &words, true)
}

/// Starts a service on another machine: `[USER@]HOST:COMMAND`. It gets the connection as standard
/// input and output.
fn ssh_exec(system: &dyn System, timeouts: Timeouts, rest: &str) -> Result<Stream, Failure> {
    let Some((host, command)) = rest.split_once([':']).filter(|(host, _)| is_host(host)) else {
        return Err(fail(format_args!(
            "ssh-exec:{rest}: use ssh-exec:HOST:COMMAND"
        )));
    };
    let listen = "env SYSTEMD_VARLINK_LISTEN=-";
    let words = ["ssh", "-e", "none", "-x", "-T", "--", host, listen, command];
    start(system, timeouts, &terminated::<512>(&words)?, true)
}

/// True unless ssh would take the text for an option.
fn is_host(host: &str) -> bool {
    !host.is_empty() && !host.starts_with('-')
}

/// Starts a program with one end of a new connection, and returns the other end. `words` are its
/// name or path, and its arguments, each with a NUL.
fn start(
    system: &dyn System,
    timeouts: Timeouts,
    words: &[u8],
    as_standard: bool,
) -> Result<Stream, Failure> {
    let mut arguments = Vec::<&CStr, 16>::new();
    for word in words.split_inclusive(|byte| *byte == 0) {
        // They were written with their NULs, and there are fewer.
        let _ = arguments.push(CStr::from_bytes_with_nul(word).unwrap_or_default());
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

/// Returns the path of a descriptor of this process, by its number.
pub fn descriptor_path(number: &str) -> Result<Path, Failure> {
    let mut path = Path::new();
    let written = write!(path, "/proc/self/fd/{number}");
    written.map_err(|_| fail(format_args!("{number}: too long")))?;
    Ok(path)
}

/// Copies words, each with a NUL after it.
fn terminated<const SIZE: usize>(words: &[&str]) -> Result<Vec<u8, SIZE>, Failure> {
    let mut text = Vec::new();
    for word in words {
        let copied = text.extend_from_slice(word.as_bytes());
        copied
            .and_then(|()| text.extend_from_slice(b"\0"))
            .map_err(|_| fail(format_args!("{word}: too long")))?;
    }
    Ok(text)
}
