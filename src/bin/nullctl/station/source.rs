//! Reads definitions from files and services.

use std::borrow::Cow;
use std::fs;
use std::io::Read;
use std::path::Path;

use nullink::Client;
use nullink::idl::{Definition, Entry};
use nullink::name::is_interface;
use nullink::service::{GetInfo, GetInterfaceDescription};
use nullink::unix::Stream;

use crate::tool::connect::connect;
use crate::tool::output::is_terminal;
use crate::tool::{Failure, Options, Standard, System, fail};

/// The longest message, with its NUL.
pub const LONGEST: usize = 16 * 1024 * 1024 + 4096;

/// The memory of a client. A page that is not used takes no memory.
pub struct Buffers {
    receive: Vec<u8>,
    send: Vec<u8>,
}

impl Buffers {
    pub fn new() -> Self {
        Buffers {
            receive: vec![0; LONGEST],
            send: vec![0; 4096],
        }
    }

    pub fn client(&mut self, stream: Stream) -> Client<'_, Stream> {
        Client::new(stream, &mut self.receive, &mut self.send)
    }
}

/// The text of a definition.
pub struct Source {
    /// The file or the service, for messages.
    pub origin: String,
    pub text: String,
    table: Vec<Entry>,
}

impl Source {
    pub fn new(origin: String, text: String) -> Self {
        let table = vec![Entry::EMPTY; Definition::table_size(&text)];
        Source {
            origin,
            text,
            table,
        }
    }

    /// Reads a definition from a file, or from standard input if the name is `-`.
    pub fn file(path: &str) -> Result<Self, Failure> {
        let mut text = String::new();
        let read = if path == "-" {
            std::io::stdin().read_to_string(&mut text).map(drop)
        } else {
            fs::read_to_string(path).map(|content| text = content)
        };
        read.map_err(|error| fail(format_args!("{}: {error}", printable(path))))?;
        Ok(Source::new(path.into(), text))
    }

    /// Reads a definition from a service.
    pub fn service(client: &mut Client<'_, Stream>, interface: &str) -> Result<Self, String> {
        let reply = client.call(&GetInterfaceDescription { interface });
        let reply =
            reply.map_err(|error| printable(&format!("{interface}: {error}")).into_owned())?;
        Ok(Source::new(interface.into(), reply.description.into()))
    }

    /// Reads a definition from a file, or from `ADDRESS/INTERFACE`.
    pub fn read(
        system: &dyn System,
        options: &Options<'_>,
        argument: &str,
    ) -> Result<Self, Failure> {
        match argument.rsplit_once('/') {
            Some((address, interface))
                if is_interface(interface) && !Path::new(argument).is_file() =>
            {
                let mut buffers = Buffers::new();
                let mut client = buffers.client(connect(system, options, address)?);
                let source = Source::service(&mut client, interface);
                let mut source =
                    source.map_err(|error| fail(format_args!("{address}: {error}")))?;
                source.origin = argument.into();
                Ok(source)
            }
            _ => Source::file(argument),
        }
    }

    /// Parses the definition.
    pub fn definition(&mut self) -> Result<Definition<'_>, Failure> {
        let parsed = Definition::parse(&self.text, &mut self.table);
        parsed.map_err(|error| fail(format_args!("{}:{error}", printable(&self.origin))))
    }
}

/// Returns the names of the interfaces of a service.
pub fn interfaces(client: &mut Client<'_, Stream>) -> Result<Vec<String>, String> {
    let info = client.call(&GetInfo);
    let info = info.map_err(|error| format!("GetInfo: {error}"))?;
    let names = info.member("interfaces").and_then(|names| names.items());
    let malformed = |error| format!("reply of GetInfo: {error}");
    let mut interfaces = Vec::new();
    for name in names.map_err(malformed)? {
        interfaces.push(name.decode::<&str>().map_err(malformed)?.into());
    }
    Ok(interfaces)
}

/// Replaces control characters other than line ends and tabs: a terminal would obey them.
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.contains(is_harmful) {
        let replace = |c| if is_harmful(c) { '\u{fffd}' } else { c };
        Cow::Owned(text.chars().map(replace).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Like [`printable`] if standard output is a terminal. Otherwise, the text is not changed.
pub fn shown(text: &str) -> Cow<'_, str> {
    if is_terminal(Standard::Output) {
        printable(text)
    } else {
        Cow::Borrowed(text)
    }
}
