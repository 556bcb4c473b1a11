//! `call`.

use core::ffi::CStr;

use nullink::idl::Entry;
use nullink::json::Raw;
use nullink::unix::Stream;
use nullink::{Mode, name};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{MemfdFlags, Mode as FileMode, OFlags, memfd_create, open};

use super::connect::Connection;
use super::info::interfaces;
use super::introspect::each_method;
use super::join::{End, join};
use super::json::{self, Style};
use super::names::Names;
use super::options::Options;
use super::output::{Failure, Output, Printable, SystemError, complain, fail, is_terminal};
use super::program::find_program;
use super::route::{Received, receive};
use super::system::{Command, Passed, Standard, System};
use super::texts::{self, AddressText, Number};
use super::{Tool, input, text};

pub fn call(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let [address, method, rest @ ..] = words else {
        return Err(fail(format_args!("call needs an address and a method")));
    };
    let (address, method) = (text(address), text(method));
    let (parameters, command) = match rest {
        // The command comes after the parameters, and may leave them out.
        [parameters, command @ ..] if !tool.options.exec || !command.is_empty() => {
            (Some(text(parameters)), command)
        }
        rest => (None, rest),
    };
    let options = tool.options;
    check(options, method, command)?;
    let parameters = read_parameters(options, parameters, tool.input)?;
    let buffers = (&mut *tool.receive, &mut *tool.send);
    let mut service = Connection::new(tool.system, options, address, buffers)?;
    let client = &mut service.client;
    let unsent = |error| fail(format_args!("{address}: {method}: {error}"));
    let (mode, files) = (mode(options), Files::open(&options.push_fd)?);
    let descriptors = files.descriptors();
    match client.send_raw_with(method, mode, parameters, &descriptors) {
        // What the service has sent before it closed the connection can still be received.
        Err(nullink::Error::Closed) if mode != Mode::Oneway => {}
        sent => sent.map_err(unsent)?,
    }
    if mode == Mode::Oneway {
        return Ok(());
    }
    let mut replies = Replies {
        options,
        address,
        method,
        style: Style::of(options),
        out: tool.out,
        collected: input::Text::new(tool.input),
        hint: Hint::None,
    };
    if mode == Mode::Upgrade {
        // A reply would be printed before the bytes of the other protocol.
        match receive(client) {
            Ok(reply) if reply.error().is_none() => {}
            received => _ = replies.take(&received)?,
        }
        return upgrade(tool.system, client.stream(), command);
    }
    if options.exec {
        let reply = receive(client);
        return execute(tool.system, replies, &reply, command);
    }
    let failed = loop {
        match replies.take(&receive(client)) {
            Ok(true) => {}
            Ok(false) => return replies.finish(),
            Err(failed) => break failed,
        }
    };
    replies.explain(&mut service, failed, tool.entries)
}

/// Checks the options and the name of the method.
fn check(options: &Options<'_>, method: &str, command: &[&CStr]) -> Result<(), Failure> {
    let is_method = name::split(method).is_some_and(|(interface, member)| {
        name::is_interface(interface) && name::is_member(member)
    });
    if !is_method {
        return Err(fail(format_args!(
            "{method} is not the name of a method: use INTERFACE.METHOD, such as org.varlink.service.GetInfo"
        )));
    }
    let several = options.more || options.collect;
    let problem = if options.exec && command.is_empty() {
        "--exec needs a command after --"
    } else if !options.exec && !command.is_empty() {
        "too many arguments: a command needs --exec"
    } else if options.exec && (several || options.oneway) {
        "--exec does not go with --more, --collect and --oneway"
    } else if options.upgrade && (several || options.oneway || !options.push_fd.is_empty()) {
        "--upgrade does not go with --more, --collect, --oneway and --push-fd="
    } else if options.collect && options.oneway {
        "--collect does not go with --oneway"
    } else {
        return Ok(());
    };
    Err(fail(format_args!("{problem}")))
}

fn mode(options: &Options<'_>) -> Mode {
    if options.upgrade {
        Mode::Upgrade
    } else if options.oneway {
        Mode::Oneway
    } else if options.more || options.collect {
        Mode::More
    } else {
        Mode::Simple
    }
}

/// Returns the parameters of the call, from the command line or from standard input.
fn read_parameters<'b>(
    options: &Options<'_>,
    argument: Option<&'b str>,
    room: &'b mut [u8],
) -> Result<Raw<'b>, Failure> {
    let argument = argument.filter(|argument| *argument != "-");
    let (name, parameters) = match argument {
        Some(argument) => ("PARAMETERS", argument),
        // After an upgrade, standard input belongs to the other protocol.
        None if options.upgrade => ("PARAMETERS", ""),
        None => {
            if is_terminal(Standard::Input) && !options.quiet {
                complain(format_args!(
                    "type the parameters, a JSON object, and then Ctrl-D; {{}} or nothing for none"
                ));
            }
            ("standard input", input::read("-", room)?)
        }
    };
    if parameters.is_empty() {
        return Ok(Raw::EMPTY_OBJECT);
    }
    let raw = Raw::new(parameters).map_err(|error| {
        let (before, rest) = parameters
            .split_at_checked(error.offset)
            .unwrap_or_default();
        let count = |text: &str, byte| text.bytes().filter(|found| *found == byte).count();
        let before_it = texts::parts(before, b'\n').last().unwrap_or_default();
        // Continuation bytes of UTF-8 are not counted.
        let is_first = |byte: &u8| byte & 0xc0 != 0x80;
        let column = before_it.bytes().filter(is_first).count();
        complain(format_args!(
            "{name} is not JSON: line {}, column {}: {}",
            Number(count(before, b'\n').saturating_add(1)),
            Number(column.saturating_add(1)),
            error.kind
        ));
        // The place, if it is not too long to be seen.
        if before_it.len() < 200 {
            let rest = texts::parts(rest, b'\n').next().unwrap_or_default();
            complain(format_args!(
                "    {} <here> {}",
                Printable(before_it),
                Printable(rest)
            ));
        }
        Failure::Failed
    })?;
    if raw.is_object() {
        Ok(raw)
    } else {
        Err(fail(format_args!(
            "{name} is not a JSON object: use {{\"name\":value}}"
        )))
    }
}

/// The descriptors to send with a call.
struct Files {
    list: heapless::Vec<OwnedFd, 16>,
}

impl Files {
    /// Opens paths for reading, and duplicates numbers.
    fn open(names: &[&str]) -> Result<Self, Failure> {
        let mut list = heapless::Vec::new();
        for name in names {
            let failed = |errno| fail(format_args!("--push-fd={name}: {}", SystemError(errno)));
            let directory = if matches!(name.as_bytes(), [b'/' | b'.', ..]) {
                ""
            } else if name.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() {
                // A descriptor of this process, by its number.
                "/proc/self/fd/"
            } else {
                return Err(fail(format_args!(
                    "--push-fd={name}: use the number of a descriptor, or a path with a /"
                )));
            };
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
            let mut path = AddressText::new();
            let path = texts::path(&mut path, &[directory, name]);
            let opened = open(path, flags, FileMode::empty()).map_err(failed)?;
            // There are as many as names.
            let _ = list.push(opened);
        }
        Ok(Files { list })
    }

    fn descriptors(&self) -> heapless::Vec<BorrowedFd<'_>, 16> {
        let mut descriptors = heapless::Vec::new();
        for file in &self.list {
            // The lists are as long.
            let _ = descriptors.push(file.as_fd());
        }
        descriptors
    }
}

/// What helps to explain an error of the service.
#[derive(Clone, Copy)]
enum Hint {
    None,
    /// The names of the methods of the interface.
    Methods,
    /// The names of the interfaces.
    Interfaces,
}

/// What is done with the replies.
struct Replies<'t> {
    options: &'t Options<'t>,
    address: &'t str,
    method: &'t str,
    style: Style,
    out: &'t mut Output,
    collected: input::Text<'t>,
    hint: Hint,
}

impl Replies<'_> {
    /// Prints or collects a reply. Returns true if there are more.
    fn take(&mut self, received: &Received<'_>) -> Result<bool, Failure> {
        let reply = match received {
            Ok(reply) => reply,
            Err(error) => {
                self.out.flush()?;
                return Err(fail(format_args!(
                    "{}: {}: {error}",
                    self.address, self.method
                )));
            }
        };
        if let Some(error) = reply.error() {
            return self.error(error, reply.parameters());
        }
        if self.options.collect {
            let comma = if self.collected.as_str().is_empty() {
                "["
            } else {
                ","
            };
            self.collected.add(comma);
            self.collected.add(reply.parameters().as_str());
            if self.collected.full {
                return Err(fail(format_args!(
                    "more than 16 MiB: use --more without --collect"
                )));
            }
        } else {
            self.print(reply.parameters())?;
        }
        Ok(reply.continues())
    }

    /// Prints the parameters of a reply or an error.
    fn print(&mut self, parameters: Raw<'_>) -> Result<(), Failure> {
        if self.options.quiet {
            return Ok(());
        }
        // The record separator of RFC 7464.
        if self.options.more {
            self.out.text("\x1e");
        }
        json::print(self.out, parameters, self.style);
        if self.options.more {
            self.out.flush()?;
        }
        Ok(())
    }

    /// Prints an error of the service.
    fn error(&mut self, error: &str, parameters: Raw<'_>) -> Result<bool, Failure> {
        if self.options.graceful.contains(&error) {
            self.print(parameters)?;
            return Ok(false);
        }
        let (space, shown) = if parameters.is_empty() {
            ("", "")
        } else {
            (" ", parameters.as_str())
        };
        let (method, printable) = (self.method, Printable(error));
        let shown = Printable(shown);
        complain(format_args!(
            "{method}: the service answers {printable}{space}{shown}"
        ));
        let standard = error.strip_prefix("org.varlink.service.");
        let advice = match standard.unwrap_or_default() {
            "ExpectedMore" => "this method needs --more",
            "ExpectedUpgrade" => "this method needs --upgrade",
            "InvalidParameter" => {
                "a parameter is missing, unknown or has the wrong type: see nullctl introspect"
            }
            "PermissionDenied" => "this user may not call the method",
            "MethodNotFound" => {
                self.hint = Hint::Methods;
                ""
            }
            "InterfaceNotFound" => {
                self.hint = Hint::Interfaces;
                ""
            }
            _ => "",
        };
        if !advice.is_empty() {
            complain(format_args!("{advice}"));
        }
        self.print(parameters)?;
        Err(Failure::Failed)
    }

    /// Prints what was collected.
    fn finish(self) -> Result<(), Failure> {
        let mut collected = self.collected;
        if !self.options.collect || self.options.quiet {
            return Ok(());
        }
        let empty = collected.as_str().is_empty();
        collected.add(if empty { "[]" } else { "]" });
        if self.options.more {
            self.out.text("\x1e");
        }
        json::print(self.out, collected.json()?, self.style);
        Ok(())
    }

    /// Names the method or the interface that is most like the one that was not found.
    fn explain(
        self,
        service: &mut Connection<'_>,
        failed: Failure,
        entries: &mut [Entry],
    ) -> Result<(), Failure> {
        self.out.flush()?;
        let mut room = self.collected;
        let (interface, member) = name::split(self.method).unwrap_or_default();
        match self.hint {
            Hint::Methods => {
                let mut names = Names::new(room.room());
                each_method(service, interface, entries, &mut |name| names.add(&[name]))?;
                if let Some(nearest) = names.nearest(member) {
                    complain(format_args!("did you mean {interface}.{nearest}?"));
                }
            }
            Hint::Interfaces => {
                let names = interfaces(service, room.room())?;
                if let Some(nearest) = names.nearest(interface) {
                    complain(format_args!("did you mean {nearest}.{member}?"));
                }
            }
            Hint::None => {}
        }
        Err(failed)
    }
}

/// Runs a command with the reply as its standard input.
fn execute(
    system: &dyn System,
    mut replies: Replies<'_>,
    received: &Received<'_>,
    command: &[&'static CStr],
) -> Result<(), Failure> {
    let failed = |errno| fail(format_args!("--exec: {}", SystemError(errno)));
    let file = memfd_create(c"reply", MemfdFlags::CLOEXEC).map_err(failed)?;
    let mut out = Output::to(file);
    if let Ok(reply) = received
        && reply.error().is_none()
    {
        json::print(&mut out, reply.parameters(), Style::SHORT);
    } else {
        replies.take(received)?;
    }
    let file = out.into_file()?;
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).map_err(failed)?;
    run(system, command, Passed::Input(file.as_fd()))
}

/// Becomes a command.
fn run(system: &dyn System, words: &[&'static CStr], passed: Passed<'_>) -> Result<(), Failure> {
    let name = words.first().copied().unwrap_or_default();
    let mut path = AddressText::new();
    let path = find_program(system, name, &mut path)?;
    let errno = system.execute(&Command {
        path,
        arguments: words,
        passed,
    });
    Err(fail(format_args!("{}: {}", text(name), SystemError(errno))))
}

/// Joins the connection to a command, or to standard input and output, until the service closes it.
fn upgrade(system: &dyn System, stream: &Stream, command: &[&'static CStr]) -> Result<(), Failure> {
    if !command.is_empty() {
        return run(system, command, Passed::Standard(stream.as_fd()));
    }
    join(End::standard(), End::of(stream), true, &mut |_, _| {})
}
