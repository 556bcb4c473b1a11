//! `info` and `list-interfaces`.

use core::ffi::CStr;

use nullink::json::{Raw, Value};
use nullink::unix::Stream;
use nullink::{Client, DecodeError};

use super::connect::client;
use super::json::{self, Style};
use super::output::{Failure, Printable, fail, fail_at};
use super::route::call;
use super::{Tool, names, text};

const GET_INFO: &str = "org.varlink.service.GetInfo";

pub fn info(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let address = words.first().copied().map_or("", text);
    let buffers = (tool.receive, tool.send);
    let mut client = client(tool.system, tool.options, address, buffers)?;
    let info = ask(&mut client, address, GET_INFO, Raw::EMPTY_OBJECT)?;
    if tool.options.wants_json() {
        return json::print(tool.out, info.raw(), Style::of(tool.options));
    }
    let malformed = |error| malformed(address, &error);
    let mut interfaces = names::Names::new(tool.input);
    for value in info.items().map_err(malformed)? {
        let label = match value.key() {
            "interfaces" => {
                add(value, address, &mut interfaces)?;
                continue;
            }
            "vendor" => "    Vendor",
            "product" => "   Product",
            "version" => "   Version",
            "url" => "       URL",
            _ => continue,
        };
        let value: &str = value.decode().map_err(malformed)?;
        tool.out
            .print(format_args!("{label}: {}\n", Printable(value)))?;
    }
    let mut label = "Interfaces: ";
    for name in interfaces.sorted() {
        tool.out
            .print(format_args!("{label}{}\n", Printable(name)))?;
        label = "            ";
    }
    Ok(())
}

pub fn list_interfaces(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let address = words.first().copied().map_or("", text);
    let buffers = (tool.receive, tool.send);
    let mut client = client(tool.system, tool.options, address, buffers)?;
    if tool.options.wants_json() {
        let info = ask(&mut client, address, GET_INFO, Raw::EMPTY_OBJECT)?;
        let list = info
            .member("interfaces")
            .map_err(|error| malformed(address, &error))?;
        return json::print(tool.out, list.raw(), Style::of(tool.options));
    }
    let interfaces = interfaces(&mut client, address, tool.input)?;
    for name in interfaces.sorted() {
        tool.out.print(format_args!("{}\n", Printable(name)))?;
    }
    Ok(())
}

/// Asks a service for the names of its interfaces.
pub fn interfaces<'n>(
    client: &mut Client<'_, Stream>,
    address: &str,
    room: &'n mut [u8],
) -> Result<names::Names<'n>, Failure> {
    let mut names = names::Names::new(room);
    let info = ask(client, address, GET_INFO, Raw::EMPTY_OBJECT)?;
    let list = info
        .member("interfaces")
        .map_err(|error| malformed(address, &error))?;
    add(list, address, &mut names)?;
    Ok(names)
}

/// Adds the names of a list.
fn add(list: Value<'_>, address: &str, names: &mut names::Names<'_>) -> Result<(), Failure> {
    let malformed = |error| malformed(address, &error);
    for interface in list.items().map_err(malformed)? {
        names.add(&[interface.decode().map_err(malformed)?])?;
    }
    Ok(())
}

/// The failure of a service whose reply is not that of the method.
pub fn malformed(address: &str, error: &DecodeError) -> Failure {
    fail(format_args!(
        "{address}: the reply is not as defined: {error}"
    ))
}

/// Calls a method of `org.varlink.service`.
///
/// # Errors
///
/// Fails if there is no reply, or the reply is an error.
pub fn ask<'c>(
    client: &'c mut Client<'_, Stream>,
    address: &str,
    method: &str,
    parameters: Raw<'_>,
) -> Result<Value<'c>, Failure> {
    let reply = call(client, method, parameters);
    let reply = reply.map_err(|error| fail_at(address, &error))?;
    match reply.error() {
        None => Ok(reply.into_parameters()),
        Some(error) => Err(fail(format_args!(
            "{address}: {method} {parameters}: the service answers {}",
            Printable(error)
        ))),
    }
}
