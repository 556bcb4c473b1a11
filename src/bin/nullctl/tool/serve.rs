//! `serve`.

use core::ffi::CStr;

use heapless::Vec;
use nullink::{Mode, name};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::fstat;
use rustix::io::Errno;
use rustix::process::Pid;

use super::answer::{Messages, Question, next_call, refuse};
use super::clients::{is_listening, listen, serve_clients};
use super::output::{Failure, SystemError, fail_at};
use super::program::{SELF, find_program};
use super::system::{Command, Passed, Standard, System};
use super::texts::AddressText;
use super::{Tool, WORDS, text};
use crate::standard;

/// The longest call, with its NUL.
const CALL: usize = 64 * 1024;

pub fn serve(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    // As varlinkctl has it, there is no path. A path is not the name of a method.
    let (address, words) = match words {
        [address, words @ ..] if name::split(text(address)).is_none() => (*address, words),
        _ => (c"-", words),
    };
    let [method, command @ ..] = words else {
        return Err(Failure::Failed);
    };
    let [name, ..] = command else {
        return Err(fail_at("serve", &"there is no command"));
    };
    let Some((interface, member)) = name::split(text(method)) else {
        return Err(fail_at(text(method), &"not the name of a method"));
    };
    let mut path = AddressText::new();
    let program = find_program(tool.system, name, &mut path)?;
    let socket = listen(tool.system, address)?;
    if is_listening(&socket)? {
        return serve_clients(&socket, false, &mut |client| {
            again(tool.system, words, client, true)
        });
    }
    let same = fstat(&socket).and_then(|one| {
        let other = fstat(standard(Standard::Output))?;
        Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
    });
    if same != Ok(true) {
        // The client's connection becomes standard input and output.
        let executed = again(tool.system, words, socket.as_fd(), false);
        let errno = executed.err().unwrap_or(Errno::INVAL);
        return Err(fail_at(text(SELF), &SystemError(errno)));
    }
    drop(socket);
    let receive = tool.receive.get_mut(..CALL).unwrap_or_default();
    let mut calls = Messages::new(receive);
    // What follows the call with `upgrade` is for the program, so it is not read.
    while let Some(length) = next_call(&mut calls, 1)? {
        let (bytes, _) = calls.next();
        let bytes = bytes.get(..length).unwrap_or_default();
        let question = Question::parse(bytes, tool.input)?;
        calls.consume(length);
        let out = &mut *tool.out;
        if question.mode == Mode::Oneway {
            // The caller wants no answer.
        } else if question.method != text(method) {
            question.answer((interface, member), out, &mut |_| {})?;
        } else if question.mode != Mode::Upgrade {
            refuse(out, "ExpectedUpgrade", "", "")?;
        } else if let Some(parameter) = question.parameter {
            refuse(out, "InvalidParameter", "parameter", parameter)?;
        } else {
            out.text("{}\0");
            out.flush()?;
            let errno = tool.system.execute(&Command {
                path: program,
                arguments: command,
                passed: Passed::Nothing,
            });
            return Err(fail_at(text(name), &SystemError(errno)));
        }
    }
    Ok(())
}

/// Starts this program again for the connection of a client, or executes it.
fn again(
    system: &dyn System,
    words: &[&CStr],
    client: BorrowedFd<'_>,
    starts: bool,
) -> Result<Pid, Errno> {
    let mut arguments: Vec<&CStr, { WORDS + 4 }> = Vec::new();
    for argument in [c"nullctl", c"serve", c"--"].iter().chain(words) {
        // There is room for all words.
        let _ = arguments.push(argument);
    }
    let command = Command {
        path: SELF,
        arguments: &arguments,
        passed: Passed::Standard(client),
    };
    if starts {
        system.start(&command)
    } else {
        Err(system.execute(&command))
    }
}
