//! `introspect`, `list-methods` and `validate-idl`.

use core::ffi::CStr;

use nullink::idl::{Definition, MemberKind};
use nullink::json::{Raw, Value};
use nullink::unix::Stream;
use nullink::{Client, name};

use super::connect::client;
use super::info::{ask, interfaces, malformed};
use super::json::{self, Style};
use super::output::{Failure, Output, Printable, fail};
use super::{Tool, input, names, text};

pub fn introspect(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let (address, wanted) = split(words);
    let buffers = (tool.receive, tool.send);
    let mut client = client(tool.system, tool.options, address, buffers)?;
    let mut names = names::Names::new(&mut []);
    if wanted.is_empty() {
        names = interfaces(&mut client, address, tool.input)?;
    }
    let several = wanted.len() > 1 || names.all().nth(1).is_some();
    let named = wanted.iter().copied().map(text);
    let mut first = true;
    for interface in named.chain(names.sorted()) {
        if tool.options.wants_json() {
            let mut room = [0; 320];
            let parameters = parameters(interface, &mut room)?;
            let reply = ask(&mut client, address, DESCRIBE, parameters)?;
            if several {
                tool.out.text("\x1e")?;
            }
            json::print(tool.out, reply.raw(), Style::of(tool.options))?;
            continue;
        }
        if !core::mem::take(&mut first) {
            tool.out.text("\n\n")?;
        }
        let description = describe(&mut client, address, interface)?;
        print(tool.out, description, tool.options.color == Some(true))?;
    }
    Ok(())
}

pub fn list_methods(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let (address, wanted) = split(words);
    let buffers = (tool.receive, &mut *tool.send);
    let mut client = client(tool.system, tool.options, address, buffers)?;
    let (one, two) = input::halves(tool.input);
    let mut names = names::Names::new(&mut []);
    if wanted.is_empty() {
        names = interfaces(&mut client, address, one)?;
    }
    let mut methods = names::Names::new(two);
    let named = wanted.iter().copied().map(text);
    for interface in named.chain(names.all()) {
        let description = describe(&mut client, address, interface)?;
        let definition = Definition::parse(description, tool.entries).map_err(|error| {
            fail(format_args!(
                "{address}: definition of {interface}: {error}"
            ))
        })?;
        for member in definition.members() {
            if member.kind() == MemberKind::Method {
                methods.add(&[interface, ".", member.name()])?;
            }
        }
    }
    if !tool.options.wants_json() {
        for method in methods.sorted() {
            tool.out.print(format_args!("{method}\n"))?;
        }
        return Ok(());
    }
    // Names of methods need no escapes.
    let mut list = input::Text::new(tool.send);
    list.add("[")?;
    let mut comma = "";
    for method in methods.sorted() {
        for part in [comma, "\"", method, "\""] {
            list.add(part)?;
        }
        comma = ",";
    }
    list.add("]")?;
    json::print(tool.out, list.json()?, Style::of(tool.options))
}

pub fn validate(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let file = words.first().copied().map_or("-", text);
    let name = if file == "-" { "<stdin>" } else { file };
    let definition = input::read(file, tool.input)?;
    let parsed = Definition::parse(definition, tool.entries);
    parsed.map_err(|error| fail(format_args!("{name}:{error}")))?;
    if tool.options.quiet {
        return Ok(());
    }
    print(tool.out, definition, tool.options.color == Some(true))
}

/// Splits the words into the address and the names of interfaces.
fn split<'w>(words: &'w [&'static CStr]) -> (&'static str, &'w [&'static CStr]) {
    match words {
        [address, wanted @ ..] => (text(address), wanted),
        [] => ("", &[]),
    }
}

/// Asks a service for the definition of an interface.
pub fn describe<'c>(
    client: &'c mut Client<'_, Stream>,
    address: &str,
    interface: &str,
) -> Result<&'c str, Failure> {
    let mut room = [0; 320];
    let reply = ask(client, address, DESCRIBE, parameters(interface, &mut room)?)?;
    let description = reply.member("description").and_then(Value::decode);
    description.map_err(|error| malformed(address, &error))
}

const DESCRIBE: &str = "org.varlink.service.GetInterfaceDescription";

/// Returns the parameters of GetInterfaceDescription. The name of an interface needs no escapes.
fn parameters<'r>(interface: &str, room: &'r mut [u8]) -> Result<Raw<'r>, Failure> {
    if !name::is_interface(interface) {
        return Err(fail(format_args!(
            "{interface} is not the name of an interface"
        )));
    }
    let mut text = input::Text::new(room);
    for part in ["{\"interface\":\"", interface, "\"}"] {
        text.add(part)?;
    }
    text.into_json()
}

/// Prints a definition, with a line end after it. On a terminal, with colors, and without its
/// control characters.
pub fn print(out: &mut Output, definition: &str, color: bool) -> Result<(), Failure> {
    for line in definition.trim_end_matches(['\n']).split('\n') {
        if color {
            print_line(out, line)?;
        } else {
            out.text(line)?;
        }
        out.text("\n")?;
    }
    Ok(())
}

const KEYWORD: &str = "\x1b[1;32m";
const TYPE: &str = "\x1b[36m";
const MARK: &str = "\x1b[35m";
const COMMENT: &str = "\x1b[90m";
const END: &str = "\x1b[0m";

/// Prints a line in colors. Comments, words and marks have their own.
fn print_line(out: &mut Output, line: &str) -> Result<(), Failure> {
    let (code, comment) = match line.find(['#']) {
        Some(at) => line.split_at_checked(at).unwrap_or_default(),
        None => (line, ""),
    };
    // Each piece is a word and the mark after it.
    for piece in code.split_inclusive(is_mark) {
        let name = piece.trim_end_matches(is_mark);
        let mark = piece.get(name.len()..).unwrap_or_default();
        let color = match name {
            "interface" | "type" | "method" | "error" => KEYWORD,
            "bool" | "int" | "float" | "string" | "object" | "any" => TYPE,
            _ => "",
        };
        out.print(format_args!("{color}{name}"))?;
        if !color.is_empty() {
            out.text(END)?;
        }
        match mark {
            "" | " " | "\t" => out.text(mark)?,
            mark => out.print(format_args!("{MARK}{}{END}", Printable(mark)))?,
        }
    }
    if comment.is_empty() {
        return Ok(());
    }
    out.print(format_args!("{COMMENT}{}{END}", Printable(comment)))
}

fn is_mark(char: char) -> bool {
    !char.is_ascii_alphanumeric() && !"_.".contains(char)
}
