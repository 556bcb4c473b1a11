//! `ask`: asks the user for a password.

use core::ffi::CStr;
use core::fmt::Write;
use core::hint::black_box;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Access, Mode, OFlags, access, open};
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::connect::{Connection, malformed};
use super::input::Text;
use super::output::{Failure, Output, Printable, SystemError, fail, fail_at, write_all};
use super::texts::Number;
use super::{Tool, text};

/// The socket of systemd's service.
const SOCKET: &CStr = c"/run/systemd/io.systemd.AskPassword";

/// The longest answer on a terminal.
const LONGEST: usize = 1024;

pub fn ask(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let mut words = words.iter().copied().map(text);
    let (message, address) = (words.next().unwrap_or_default(), words.next());
    let asked = match address {
        None if access(SOCKET, Access::EXISTS).is_err() => ask_terminal(tool, message),
        address => ask_service(tool, message, address.unwrap_or(text(SOCKET))),
    };
    // The answers of a service are in its buffer, and all were in that of the output.
    erase(tool.receive);
    tool.out.erase();
    asked
}

/// Asks a service, and prints its answers.
fn ask_service(tool: &mut Tool<'_>, message: &str, address: &str) -> Result<(), Failure> {
    let options = tool.options;
    let mut parameters = Text::new(tool.input);
    parameters.add("{\"message\":");
    parameters.add_string(message);
    for (name, value) in [
        (",\"id\":", options.id),
        (",\"icon\":", options.icon),
        (
            ",\"acceptCached\":true,\"pushCache\":true,\"keyname\":",
            options.keyname,
        ),
    ] {
        if let Some(value) = value {
            parameters.add(name);
            parameters.add_string(value);
        }
    }
    if let Some(limit) = options.timeout {
        let limit = match limit.as_micros() {
            0 => usize::MAX,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        };
        let _ = write!(parameters, ",\"timeoutUSec\":{}", Number(limit));
    }
    parameters.add(if options.echo {
        ",\"echo\":\"on\"}"
    } else {
        "}"
    });
    let parameters = parameters.json()?;
    // The user may take longer than a service.
    let buffers = (&mut *tool.receive, &mut *tool.send);
    let mut service = Connection::new(tool.system, options, address, buffers)?;
    let unlimited = nullink::unix::Timeouts::default();
    let set = service.client.stream().set_timeouts(unlimited);
    set.map_err(|error| fail_at(address, &error))?;
    let passwords = service.ask_member("io.systemd.AskPassword.Ask", parameters, "passwords")?;
    let malformed = |error| malformed(address, &error);
    for password in passwords.items().map_err(malformed)? {
        print(tool.out, password.decode().map_err(malformed)?)?;
    }
    Ok(())
}

fn print(out: &mut Output, password: &str) -> Result<(), Failure> {
    out.text(password);
    out.text("\n");
    out.flush()
}

/// Asks on the terminal of the process, without echo.
fn ask_terminal(tool: &mut Tool<'_>, message: &str) -> Result<(), Failure> {
    let failed = |errno| fail(format_args!("/dev/tty: {}", SystemError(errno)));
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
    let terminal = open(c"/dev/tty", flags, Mode::empty()).map_err(|_| {
        fail(format_args!(
            "there is neither {} nor a terminal to ask on",
            text(SOCKET)
        ))
    })?;
    let mut question = Text::new(tool.input);
    let _ = write!(question, "{} ", Printable(message));
    write_all(terminal.as_fd(), question.as_str().as_bytes()).map_err(failed)?;
    let mut settings = tcgetattr(&terminal).map_err(failed)?;
    let before = settings.local_modes;
    // Signals of the keyboard would end the tool, and leave the terminal without echo.
    let modes = LocalModes::ECHO | LocalModes::ISIG;
    settings.local_modes.remove(if tool.options.echo {
        LocalModes::ISIG
    } else {
        modes
    });
    tcsetattr(&terminal, OptionalActions::Flush, &settings).map_err(failed)?;
    let line = read_line(&terminal, tool.receive);
    settings.local_modes = before;
    let _ = tcsetattr(&terminal, OptionalActions::Flush, &settings);
    let _ = write_all(terminal.as_fd(), b"\n");
    let password = tool
        .receive
        .get(..line.map_err(failed)?)
        .unwrap_or_default();
    // The keys for the end of input and for an interrupt.
    if password.contains(&3) || password.contains(&4) {
        return Err(Failure::Failed);
    }
    match str::from_utf8(password) {
        Ok(password) => print(tool.out, password),
        Err(_) => Err(fail(format_args!("the answer is not UTF-8"))),
    }
}

/// Reads a line; returns its length without the line end.
fn read_line(terminal: &OwnedFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    let room = buffer.get_mut(..LONGEST).unwrap_or_default();
    loop {
        match rustix::io::read(terminal, &mut *room) {
            Ok(count) => {
                let line = room.get(..count).unwrap_or_default();
                return Ok(line.strip_suffix(b"\n").unwrap_or(line).len());
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Overwrites a buffer. A reply of a service that asks for a password is not longer than this part;
/// the rest would only take memory.
fn erase(buffer: &mut [u8]) {
    let used = buffer.get_mut(..64 * 1024).unwrap_or_default();
    used.fill(0);
    // The compiler must not see that nothing reads it again.
    black_box(used);
}
