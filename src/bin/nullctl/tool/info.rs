//! `info` and `list-interfaces`.

use core::ffi::CStr;

use nullink::json::{Raw, Value};

use super::Tool;
use super::connect::{Connection, malformed};
use super::json;
use super::names::Names;
use super::output::{Failure, Printable};

const GET_INFO: &str = "org.varlink.service.GetInfo";

pub fn info(
    tool: &mut Tool<'_>,
    service: &mut Connection<'_>,
    _: &[&'static CStr],
) -> Result<(), Failure> {
    let address = service.address;
    let info = service.ask(GET_INFO, Raw::EMPTY_OBJECT)?;
    if tool.options.wants_json() {
        json::print_as(tool.options, tool.out, info.raw());
        return Ok(());
    }
    let malformed = |error| malformed(address, &error);
    let mut interfaces = Names::new(tool.input);
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
            .print(format_args!("{label}: {}\n", Printable(value)));
    }
    interfaces.print(tool.out, ["Interfaces: ", "            "]);
    Ok(())
}

pub fn list_interfaces(
    tool: &mut Tool<'_>,
    service: &mut Connection<'_>,
    _: &[&'static CStr],
) -> Result<(), Failure> {
    let address = service.address;
    let list = service.ask_member(GET_INFO, Raw::EMPTY_OBJECT, "interfaces")?;
    if tool.options.wants_json() {
        json::print_as(tool.options, tool.out, list.raw());
        return Ok(());
    }
    let mut names = Names::new(tool.input);
    add(list, address, &mut names)?;
    names.print(tool.out, ["", ""]);
    Ok(())
}

/// Asks a service for the names of its interfaces.
pub fn interfaces<'n>(
    service: &mut Connection<'_>,
    room: &'n mut [u8],
) -> Result<Names<'n>, Failure> {
    let mut names = Names::new(room);
    let address = service.address;
    let list = service.ask_member(GET_INFO, Raw::EMPTY_OBJECT, "interfaces")?;
    add(list, address, &mut names)?;
    Ok(names)
}

/// Adds the names of a list.
fn add(list: Value<'_>, address: &str, names: &mut Names<'_>) -> Result<(), Failure> {
    let malformed = |error| malformed(address, &error);
    for interface in list.items().map_err(malformed)? {
        names.add(&[interface.decode().map_err(malformed)?]);
    }
    names.check()
}
