//! `introspect`, `list-methods` and `validate-idl`.

use core::ffi::CStr;

use nullink::idl::{Definition, Entry, MemberKind};
use nullink::json::Value;
use nullink::name;

use super::connect::{Connection, malformed};
use super::info::interfaces;
use super::names::Names;
use super::output::{Failure, Output, Printable, fail};
use super::texts::{self, AddressText};
use super::{Tool, input, json, text};

pub fn introspect(
    tool: &mut Tool<'_>,
    service: &mut Connection<'_>,
    wanted: &[&'static CStr],
) -> Result<(), Failure> {
    let address = service.address;
    let names = wanted_or_all(service, wanted, tool.input)?;
    let several = names.all().nth(1).is_some();
    let (mut all, mut sorted) = (names.all(), names.sorted());
    let interfaces: &mut dyn Iterator<Item = &str> = if wanted.is_empty() {
        &mut sorted
    } else {
        &mut all
    };
    let mut first = true;
    for interface in interfaces {
        let reply = ask(service, interface)?;
        if tool.options.wants_json() {
            if several {
                tool.out.text("\x1e");
            }
            json::print_as(tool.options, tool.out, reply.raw());
            continue;
        }
        let description = description(address, reply)?;
        if !core::mem::take(&mut first) {
            tool.out.text("\n\n");
        }
        print(tool.out, description, tool.options.color == Some(true));
    }
    Ok(())
}

pub fn list_methods(
    tool: &mut Tool<'_>,
    service: &mut Connection<'_>,
    wanted: &[&'static CStr],
) -> Result<(), Failure> {
    let (one, two) = input::halves(tool.input);
    let names = wanted_or_all(service, wanted, &mut *one)?;
    let mut methods = Names::new(two);
    for interface in names.all() {
        each_method(service, interface, tool.entries, &mut |method| {
            methods.add(&[interface, ".", method]);
        })?;
    }
    methods.check()?;
    if !tool.options.wants_json() {
        methods.print(tool.out, ["", ""]);
        return Ok(());
    }
    // Names of methods need no escapes.
    let mut list = input::Text::new(one);
    let mut before = "[\"";
    for method in methods.sorted() {
        list.add(before);
        list.add(method);
        before = "\",\"";
    }
    list.add(if list.as_str().is_empty() {
        "[]"
    } else {
        "\"]"
    });
    json::print_as(tool.options, tool.out, list.json()?);
    Ok(())
}

pub fn validate(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let file = words.first().copied().map_or("-", text);
    let name = if file == "-" { "<stdin>" } else { file };
    let definition = input::read(file, tool.input)?;
    let parsed = Definition::parse(definition, tool.entries);
    parsed.map_err(|error| fail(format_args!("{name}:{error}")))?;
    if tool.options.quiet {
        return Ok(());
    }
    print(tool.out, definition, tool.options.color == Some(true));
    Ok(())
}

/// Returns the names of the interfaces on the command line, or else of all interfaces of a service.
fn wanted_or_all<'n>(
    service: &mut Connection<'_>,
    wanted: &[&'static CStr],
    room: &'n mut [u8],
) -> Result<Names<'n>, Failure> {
    if wanted.is_empty() {
        return interfaces(service, room);
    }
    let mut names = Names::new(room);
    for name in wanted {
        names.add(&[text(name)]);
    }
    Ok(names)
}

/// Asks a service for the definition of an interface.
fn ask<'c>(service: &'c mut Connection<'_>, interface: &str) -> Result<Value<'c>, Failure> {
    if !name::is_interface(interface) {
        return Err(fail(format_args!(
            "{interface} is not the name of an interface"
        )));
    }
    let mut parameters = AddressText::new();
    let parameters = texts::json(&mut parameters, &["{\"interface\":\"", interface, "\"}"]);
    service.ask("org.varlink.service.GetInterfaceDescription", parameters)
}

/// Returns the definition in a reply.
fn description<'c>(address: &str, reply: Value<'c>) -> Result<&'c str, Failure> {
    let description = reply.member("description").and_then(Value::decode);
    description.map_err(|error| malformed(address, &error))
}

/// Passes the names of the methods of an interface.
pub fn each_method(
    service: &mut Connection<'_>,
    interface: &str,
    entries: &mut [Entry],
    pass: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    let address = service.address;
    let description = description(address, ask(service, interface)?)?;
    let definition = Definition::parse(description, entries).map_err(|error| {
        fail(format_args!(
            "{address}: definition of {interface}: {error}"
        ))
    })?;
    for member in definition.members() {
        if member.kind() == MemberKind::Method {
            pass(member.name());
        }
    }
    Ok(())
}

/// Prints a definition, with a line end after it. On a terminal, with colors, and without its
/// control characters.
pub fn print(out: &mut Output, definition: &str, color: bool) {
    for line in definition.trim_end_matches(['\n']).split('\n') {
        if color {
            print_line(out, line);
        } else {
            out.text(line);
        }
        out.text("\n");
    }
}

const KEYWORD: &str = "\x1b[1;32m";
const TYPE: &str = "\x1b[36m";
const MARK: &str = "\x1b[35m";
const COMMENT: &str = "\x1b[90m";
const END: &str = "\x1b[0m";

const KEYWORDS: [&str; 4] = ["interface", "type", "method", "error"];
const TYPES: [&str; 6] = ["bool", "int", "float", "string", "object", "any"];

/// Prints a line in colors. Comments, words and marks have their own.
fn print_line(out: &mut Output, mut line: &str) {
    while !line.is_empty() {
        let length = line.bytes().take_while(is_in_word).count();
        let (word, rest) = line.split_at_checked(length).unwrap_or_default();
        let color = if KEYWORDS.contains(&word) {
            KEYWORD
        } else if TYPES.contains(&word) {
            TYPE
        } else {
            ""
        };
        colored(out, color, word);
        if rest.starts_with('#') {
            return colored(out, COMMENT, rest);
        }
        let mut marks = rest.chars();
        let mark = marks.next().map_or(0, char::len_utf8);
        let (mark, rest) = rest.split_at_checked(mark).unwrap_or_default();
        let color = if matches!(mark, "" | " " | "\t") {
            ""
        } else {
            MARK
        };
        colored(out, color, mark);
        line = rest;
    }
}

fn colored(out: &mut Output, color: &str, text: &str) {
    if color.is_empty() {
        out.text(text);
    } else {
        out.print(format_args!("{color}{}{END}", Printable(text)));
    }
}

fn is_in_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}
