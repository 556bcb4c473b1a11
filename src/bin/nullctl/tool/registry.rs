//! `list-registry`.

use core::ffi::CStr;

use nullink::name;
use rustix::fs::{FileType, stat};

use super::connect::registry;
use super::names::{self, entries};
use super::output::Failure;
use super::texts::{self, AddressText, Number};
use super::{Tool, input, json};

pub fn list_registry(tool: &mut Tool<'_>, _: &[&'static CStr]) -> Result<(), Failure> {
    let directory = registry(tool.system, tool.options)?;
    let mut names = names::Names::new(tool.receive);
    sockets(&directory, &mut |name| {
        names.add(&[name]);
        Ok(())
    })?;
    names.check()?;
    let count = names.sorted().count();
    if tool.options.wants_json() {
        let mut list = input::Text::new(tool.input);
        list.add("[");
        for (index, interface) in names.sorted().enumerate() {
            list.add(if index == 0 { "{" } else { ",{" });
            for part in [
                "\"interface\":\"",
                interface,
                "\",\"entrypoint\":\"unix:",
                &directory,
                "/",
                interface,
                "\"}",
            ] {
                list.add(part);
            }
        }
        list.add("]");
        json::print_as(tool.options, tool.out, list.json()?);
        return Ok(());
    }
    if count == 0 {
        tool.out.text("No services registered.\n");
        return Ok(());
    }
    let width = names
        .all()
        .map(str::len)
        .max()
        .unwrap_or(0)
        .max("INTERFACE".len());
    tool.out.column("INTERFACE", width);
    tool.out.text(" ENTRYPOINT\n");
    for interface in names.sorted() {
        tool.out.column(interface, width);
        tool.out
            .print(format_args!(" unix:{directory}/{interface}\n"));
    }
    tool.out.print(format_args!(
        "\n{} registered services listed.\n",
        Number(count)
    ));
    Ok(())
}

/// Passes the names of the interfaces of a registry, which have a socket there. A registry that does
/// not exist is empty.
pub fn sockets(
    directory: &str,
    add: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    entries(directory, &mut |name| {
        let mut path = AddressText::new();
        if name::is_interface(name)
            && let Ok(file) = stat(texts::path(&mut path, &[directory, "/", name]))
            && FileType::from_raw_mode(file.st_mode) == FileType::Socket
        {
            add(name)?;
        }
        Ok(())
    })
}
