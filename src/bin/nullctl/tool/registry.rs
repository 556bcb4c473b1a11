//! The registry: from an interface to the address of its service. `list-registry`, `list-sockets`.

use core::ffi::CStr;

use nullink::name;
use rustix::fs::{Access, FileType, XattrFlags, access, fsetxattr, lgetxattr, stat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::clients::TAG;
use super::input::entries;
use super::json;
use super::names::Names;
use super::options::Options;
use super::output::{Failure, Output, Printable, fail};
use super::system::System;
use super::texts::{self, AddressText, Number, concat};
use super::{Tool, input};

/// The folder of sockets, or of links to sockets, that have the names of interfaces.
const SYSTEM: &str = "/run/varlink/registry";

/// Looks an interface up in the registries of the system and the user, or in a folder like them.
/// Returns its address.
pub fn registered(
    system: &dyn System,
    folder: Option<&str>,
    interface: &str,
) -> Option<AddressText> {
    let mut address = AddressText::new();
    let found = registries(system, folder, &mut |path| {
        concat(&mut address, &["unix:", path, "/", interface]);
        is_socket(&[path, "/", interface])
    });
    found.then_some(address)
}

/// True if a path leads to a socket. Entries of a registry that do not are ignored.
fn is_socket(path: &[&str]) -> bool {
    let mut text = AddressText::new();
    stat(texts::path(&mut text, path))
        .is_ok_and(|file| FileType::from_raw_mode(file.st_mode) == FileType::Socket)
}

/// Calls `visit` with the path of each registry until it returns true.
pub fn registries(
    system: &dyn System,
    folder: Option<&str>,
    visit: &mut dyn FnMut(&str) -> bool,
) -> bool {
    match folder {
        Some(folder) => visit(folder),
        None => visit(SYSTEM) || user(system).is_some_and(|path| visit(&path)),
    }
}

/// Returns the path of the registry of the user; None without XDG_RUNTIME_DIR.
fn user(system: &dyn System) -> Option<AddressText> {
    let runtime = str::from_utf8(system.variable("XDG_RUNTIME_DIR")?).ok()?;
    let mut path = AddressText::new();
    concat(&mut path, &[runtime, "/varlink/registry"]);
    (!runtime.is_empty() && !path.is_empty()).then_some(path)
}

pub fn list_registry(tool: &mut Tool<'_>, _: &[&'static CStr]) -> Result<(), Failure> {
    let own = if tool.options.user {
        let own = user(tool.system);
        own.ok_or_else(|| fail(format_args!("--user needs XDG_RUNTIME_DIR")))?
    } else {
        AddressText::new()
    };
    let directory = if tool.options.user { &own } else { SYSTEM };
    let mut names = Names::new(tool.receive);
    sockets(directory, &mut |name| names.add(&[name]))?;
    names.check()?;
    let table = Table {
        columns: ["interface", "entrypoint"],
        second: &|interface, address| concat(address, &["unix:", directory, "/", interface]),
        none: "No services registered.\n",
        listed: "registered services listed",
    };
    table.print(&names, tool.out, tool.options, tool.input)
}

/// Lists the sockets whose files have the tag of an entry point, as varlinkctl does.
pub fn list_sockets(tool: &mut Tool<'_>, _: &[&'static CStr]) -> Result<(), Failure> {
    check_tags()?;
    let mut names = Names::new(tool.receive);
    for line in input::read_file(LISTENING, tool.input)?.split(|byte| *byte == b'\n') {
        if let Some(path) = listening_path(line)
            && is_entrypoint(path)
        {
            names.add(&[path]);
        }
    }
    let table = Table {
        columns: ["path", "access"],
        second: &|path, answer| {
            let may_write = access(texts::path(answer, &[path]), Access::WRITE_OK);
            match may_write {
                Ok(()) => concat(answer, &["yes"]),
                Err(Errno::ACCESS) => concat(answer, &["no (EACCES)"]),
                Err(_) => concat(answer, &["no"]),
            }
        },
        none: "No sockets found.\n",
        listed: "entrypoint sockets listed",
    };
    table.print(&names, tool.out, tool.options, tool.input)
}

/// The kernel's list of Unix sockets: proc_net(5).
const LISTENING: &str = "/proc/net/unix";

/// Checks that sockets can have tags: Linux 7.1.
fn check_tags() -> Result<(), Failure> {
    let new = |flags| socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
    let tagged = new(SocketFlags::CLOEXEC)
        .and_then(|socket| fsetxattr(socket, TAG, b"client", XattrFlags::empty()));
    tagged.map_err(|_| {
        fail(format_args!(
            "this kernel has no extended attributes on sockets, which list-sockets needs: Linux 7.1"
        ))
    })
}

/// Returns the path of a line of the kernel's list, if that is of a stream socket that listens at a
/// path.
fn listening_path(line: &[u8]) -> Option<&str> {
    // The columns are address, references, protocol, flags, type, state, inode and path.
    let mut columns = line.split(|byte| *byte == b' ').skip(3);
    let is_listening = columns.next() == Some(b"00010000") && columns.next() == Some(b"0001");
    let at = line.iter().position(|byte| *byte == b'/')?;
    str::from_utf8(line.get(at..)?)
        .ok()
        .filter(|_| is_listening)
}

/// True if a file has the tag of a socket to which clients connect.
fn is_entrypoint(path: &str) -> bool {
    let mut role = [0; 10];
    let mut text = AddressText::new();
    let length = lgetxattr(texts::path(&mut text, &[path]), TAG, &mut role[..]);
    length == Ok(role.len()) && role == *b"entrypoint"
}

/// A list of names, each with a second text.
struct Table<'t> {
    /// The names of the columns.
    columns: [&'t str; 2],
    /// Returns the second text of a name.
    second: &'t dyn Fn(&str, &mut AddressText),
    /// The text for an empty table.
    none: &'t str,
    /// The text after the number of names.
    listed: &'t str,
}

impl Table<'_> {
    /// Prints the table, or a list for JSON.
    fn print(
        &self,
        names: &Names<'_>,
        out: &mut Output,
        options: &Options<'_>,
        input: &mut [u8],
    ) -> Result<(), Failure> {
        let mut second = AddressText::new();
        if options.wants_json() {
            let mut list = input::Text::new(input);
            let mut separator = "[";
            for name in names.sorted() {
                (self.second)(name, &mut second);
                list.add(separator);
                separator = ",";
                let [first, other] = self.columns;
                for (before, key, value) in [("{", first, name), (",", other, &second)] {
                    for part in [before, "\"", key, "\":"] {
                        list.add(part);
                    }
                    list.add_string(value);
                }
                list.add("}");
            }
            list.add(if separator == "[" { "[]" } else { "]" });
            json::print_as(options, out, list.json()?);
            return Ok(());
        }
        let count = names.sorted().count();
        if count == 0 {
            out.text(self.none);
            return Ok(());
        }
        let [first, _] = self.columns;
        let width = names
            .all()
            .map(str::len)
            .max()
            .unwrap_or(0)
            .max(first.len());
        let mut head = AddressText::new();
        for (column, width) in self.columns.into_iter().zip([width, 0]) {
            concat(&mut head, &[column]);
            head.make_ascii_uppercase();
            out.column(&head, width);
            out.text(if width == 0 { "\n" } else { " " });
        }
        for name in names.sorted() {
            (self.second)(name, &mut second);
            // Whoever made a socket chose its path.
            out.print(format_args!("{}", Printable(name)));
            out.column("", width.saturating_sub(name.len()));
            out.print(format_args!(" {second}\n"));
        }
        out.print(format_args!("\n{} {}.\n", Number(count), self.listed));
        Ok(())
    }
}

/// Passes the names of the interfaces of a registry, which have a socket there. A registry that does
/// not exist is empty.
pub fn sockets(directory: &str, add: &mut dyn FnMut(&str)) -> Result<(), Failure> {
    entries(directory, &mut |name| {
        if name::is_interface(name) && is_socket(&[directory, "/", name]) {
            add(name);
        }
        Ok(())
    })
}
