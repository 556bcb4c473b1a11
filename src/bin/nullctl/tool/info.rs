//! `info` and `list-interfaces`.

use core::ffi::CStr;

use nullink::json::Value;
use nullink::service::GetInfo;

use super::connect::client;
use super::output::{Failure, fail};
use super::{Tool, text};

pub fn info(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let address = words.first().copied().map_or("", text);
    let mut client = client(tool.system, tool.options, address, tool.receive, tool.send)?;
    let info = client.call(&GetInfo);
    let info = info.map_err(|error| fail(format_args!("{address}: {error}")))?;
    let malformed = |error| fail(format_args!("{address}: reply of GetInfo: {error}"));
    for value in info.items().map_err(malformed)? {
        match value.key() {
            "interfaces" => {
                tool.out.text("Interfaces:\n")?;
                for interface in value.items().map_err(malformed)? {
                    let name: &str = interface.decode().map_err(malformed)?;
                    tool.out.print(format_args!("  {name}\n"))?;
                }
            }
            key => {
                tool.out.print(format_args!("{key}: "))?;
                let value: &str = value.decode().map_err(malformed)?;
                tool.out.print(format_args!("{value}\n"))?;
            }
        }
    }
    Ok(())
}

pub fn list_interfaces(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let address = words.first().copied().map_or("", text);
    let mut client = client(tool.system, tool.options, address, tool.receive, tool.send)?;
    let info = client.call(&GetInfo);
    let info = info.map_err(|error| fail(format_args!("{address}: {error}")))?;
    let malformed = |error| fail(format_args!("{address}: reply of GetInfo: {error}"));
    let interfaces: Value<'_> = info.member("interfaces").map_err(malformed)?;
    for interface in interfaces.items().map_err(malformed)? {
        let name: &str = interface.decode().map_err(malformed)?;
        tool.out.print(format_args!("{name}\n"))?;
    }
    Ok(())
}
