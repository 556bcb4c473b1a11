//! `info` and `list-interfaces`.

use core::ffi::CStr;

use nullink::Client;
use nullink::json::Raw;
use nullink::service::GetInfo;
use nullink::unix::Stream;

use super::connect::client;
use super::json::{self, Style};
use super::output::{Failure, Printable, fail};
use super::{Tool, names, text};

const METHOD: &str = "org.varlink.service.GetInfo";

pub fn info(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let address = words.first().copied().map_or("", text);
    let buffers = (tool.receive, tool.send);
    let mut client = client(tool.system, tool.options, address, buffers)?;
    if tool.options.wants_json() {
        let reply = client.call_raw(METHOD, Raw::EMPTY_OBJECT);
        let reply = reply.map_err(|error| fail(format_args!("{address}: {error}")))?;
        let style = Style::new(tool.options.json, tool.options.color == Some(true));
        return json::print(tool.out, reply.parameters(), style);
    }
    let info = client.call(&GetInfo);
    let info = info.map_err(|error| fail(format_args!("{address}: {error}")))?;
    let malformed = |error| fail(format_args!("{address}: reply of GetInfo: {error}"));
    let mut interfaces = names::Names::new(tool.input);
    for value in info.items().map_err(malformed)? {
        let label = match value.key() {
            "interfaces" => {
                for interface in value.items().map_err(malformed)? {
                    interfaces.add(&[interface.decode().map_err(malformed)?])?;
                }
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
        let malformed = |error| fail(format_args!("{address}: reply of GetInfo: {error}"));
        let info = client.call(&GetInfo);
        let info = info.map_err(|error| fail(format_args!("{address}: {error}")))?;
        let list = info.member("interfaces").map_err(malformed)?;
        let style = Style::new(tool.options.json, tool.options.color == Some(true));
        return json::print(tool.out, list.raw(), style);
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
    let malformed = |error| fail(format_args!("{address}: reply of GetInfo: {error}"));
    let info = client.call(&GetInfo);
    let info = info.map_err(|error| fail(format_args!("{address}: {error}")))?;
    let list = info.member("interfaces").map_err(malformed)?;
    for interface in list.items().map_err(malformed)? {
        names.add(&[interface.decode().map_err(malformed)?])?;
    }
    Ok(names)
}
