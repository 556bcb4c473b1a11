//! `introspect` and `list-methods`.

use core::ffi::CStr;

use nullink::idl::{Definition, MemberKind};
use nullink::service::GetInterfaceDescription;

use super::connect::client;
use super::output::{Failure, fail};
use super::{Tool, text};

pub fn introspect(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let address = words.first().copied().map_or("", text);
    let mut client = client(tool.system, tool.options, address, tool.receive, tool.send)?;
    for interface in words.get(1..).unwrap_or(&[]) {
        let interface = text(interface);
        let reply = client.call(&GetInterfaceDescription { interface });
        let reply = reply.map_err(|error| fail(format_args!("{address}: {interface}: {error}")))?;
        tool.out.text(reply.description)?;
    }
    Ok(())
}

pub fn list_methods(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let address = words.first().copied().map_or("", text);
    let mut client = client(tool.system, tool.options, address, tool.receive, tool.send)?;
    for interface in words.get(1..).unwrap_or(&[]) {
        let interface = text(interface);
        let reply = client.call(&GetInterfaceDescription { interface });
        let reply = reply.map_err(|error| fail(format_args!("{address}: {interface}: {error}")))?;
        let definition = Definition::parse(reply.description, tool.entries);
        let definition =
            definition.map_err(|error| fail(format_args!("{address}: {interface}: {error}")))?;
        for member in definition.members() {
            if member.kind() == MemberKind::Method {
                tool.out
                    .print(format_args!("{interface}.{}\n", member.name()))?;
            }
        }
    }
    Ok(())
}
