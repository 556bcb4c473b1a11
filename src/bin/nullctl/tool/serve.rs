//! `serve`.

use core::ffi::CStr;
use core::fmt::Write;

use heapless::{String, Vec};
use nullink::{Call, Mode, name};
use rustix::fd::AsFd;
use rustix::fs::fstat;

use super::answer::{Answer, Messages, SERVICE, next_call};
use super::clients::{is_listening, listen, serve_clients};
use super::output::{Failure, SystemError, fail};
use super::program::{Program, start_again};
use super::system::{Command, Passed, Standard};
use super::{Tool, WORDS, text};
use crate::standard;

/// The longest call, with its NUL.
const CALL: usize = 64 * 1024;

pub fn serve(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let [address, method, command @ ..] = words else {
        return Err(Failure(1));
    };
    let Some((interface, member)) = name::split(text(method)) else {
        return Err(fail(format_args!(
            "{}: not the name of a method",
            text(method)
        )));
    };
    let program = Program::find(tool.system, command.first().copied().unwrap_or_default())?;
    let socket = listen(tool.system, text(address))?;
    let mut arguments: Vec<&CStr, { WORDS + 4 }> = Vec::new();
    for argument in [c"nullctl", c"serve", c"--", c"-", *method]
        .iter()
        .chain(command)
    {
        // There is room for all words.
        let _ = arguments.push(argument);
    }
    if is_listening(&socket)? {
        return serve_clients(&socket, false, &mut |client| {
            start_again(tool.system, &arguments, Passed::Standard(client))
        });
    }
    let same = fstat(&socket).and_then(|one| {
        let other = fstat(standard(Standard::Output))?;
        Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
    });
    if same != Ok(true) {
        // The client's connection becomes standard input and output.
        let errno = tool.system.execute(&Command {
            path: c"/proc/self/exe",
            arguments: &arguments,
            passed: Passed::Standard(socket.as_fd()),
        });
        return Err(fail(format_args!("/proc/self/exe: {}", SystemError(errno))));
    }
    drop(socket);
    let receive = tool.receive.get_mut(..CALL).unwrap_or_default();
    let mut calls = Messages::new(receive);
    let mut answer = Answer {
        out: tool.out,
        scratch: tool.send,
    };
    // What follows the call with `upgrade` is for the program, so it is not read.
    while let Some(length) = next_call(&mut calls, 1)? {
        let message = tool
            .input
            .get_mut(..length.saturating_sub(1))
            .unwrap_or_default();
        let (bytes, _) = calls.next();
        message
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        calls.consume(length);
        let call = Call::parse(message).map_err(|error| fail(format_args!("a call: {error}")))?;
        let (called, mode) = (call.method(), call.mode());
        let parameters = call.into_parameters();
        let is_own = called == text(method);
        if mode == Mode::Oneway {
            // Nobody wants to know.
        } else if is_own && mode != Mode::Upgrade {
            answer.refuse("ExpectedUpgrade", None)?;
        } else if is_own && !parameters.raw().is_empty() {
            let key = parameters.items().ok().and_then(|mut items| items.next());
            let key = key.as_ref().map_or("", |item| item.key());
            answer.refuse("InvalidParameter", Some(("parameter", key)))?;
        } else if is_own {
            answer.out.text("{}\0")?;
            answer.out.flush()?;
            let errno = tool.system.execute(&Command {
                path: program.path(),
                arguments: command,
                passed: Passed::Nothing,
            });
            let program = command.first().copied().map_or("", text);
            return Err(fail(format_args!("{program}: {}", SystemError(errno))));
        } else if called == "org.varlink.service.GetInfo" {
            answer.info()?;
            Answer::interface(answer.out, interface)?;
            answer.end("]}}\0")?;
        } else if called == "org.varlink.service.GetInterfaceDescription" {
            match parameters
                .member("interface")
                .and_then(|value| value.decode())
            {
                Ok(SERVICE) => answer.description(None)?,
                Ok(wanted) if wanted == interface => {
                    let mut definition = String::<1024>::new();
                    // There is room for the longest name, which has 255 bytes.
                    let _ = write!(
                        definition,
                        "interface {interface}\n\n# [Requires 'upgrade' flag]\nmethod {member}() -> ()\n"
                    );
                    answer.description(Some(&definition))?;
                }
                Ok(wanted) => answer.refuse("InterfaceNotFound", Some(("interface", wanted)))?,
                Err(_) => answer.refuse("InvalidParameter", Some(("parameter", "interface")))?,
            }
        } else {
            not_found(&mut answer, called, &[SERVICE, interface])?;
        }
    }
    Ok(())
}

/// Answers a call of a method that there is not, or whose interface is not one of these.
pub fn not_found(answer: &mut Answer<'_>, method: &str, own: &[&str]) -> Result<(), Failure> {
    match name::split(method) {
        Some((interface, _)) if !own.contains(&interface) => {
            answer.refuse("InterfaceNotFound", Some(("interface", interface)))
        }
        _ => answer.refuse("MethodNotFound", Some(("method", method))),
    }
}
