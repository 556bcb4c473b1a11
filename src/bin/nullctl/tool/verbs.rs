//! The table of verbs. `help`, completion and the manual page come from it, too.

use core::ffi::CStr;

use super::connect::with_service;
use super::options;
use super::output::{Failure, Output, fail};
use super::texts::parts;
use super::{
    Tool, ask, bridge, call, info, introspect, monitor, registry, route, serve, service, text,
    udev, wait,
};

/// A verb.
pub struct Verb {
    pub name: &'static str,
    /// The words after the name, as `help` prints them: optional ones in brackets, and an ellipsis
    /// after the last if there can be more.
    pub arguments: &'static str,
    /// A line for `help`.
    pub summary: &'static str,
    /// What `help VERB` prints after the summary: paragraphs for people who know Varlink's words.
    pub details: &'static str,
    /// The number of words after which the words of a command begin; None without a command.
    pub command_at: Option<u8>,
    pub run: fn(&mut Tool<'_>, &[&'static CStr]) -> Result<(), Failure>,
}

/// Leaves out the details where they would make the file too large.
const fn detailed(text: &'static str) -> &'static str {
    if crate::HAS_DETAILS { text } else { "" }
}

/// The verbs of both forms of the tool, in the order of `help`.
pub const VERBS: &[Verb] = &[
    Verb {
        name: "info",
        arguments: "ADDRESS",
        summary: "Show who made a service, and its interfaces",
        details: "",
        command_at: None,
        run: |tool, words| with_service(tool, words, info::info),
    },
    Verb {
        name: "list-interfaces",
        arguments: "ADDRESS",
        summary: "List the interfaces of a service",
        details: "",
        command_at: None,
        run: |tool, words| with_service(tool, words, info::list_interfaces),
    },
    Verb {
        name: "list-methods",
        arguments: "ADDRESS [INTERFACE...]",
        summary: "List the methods of some or all interfaces of a service",
        details: "",
        command_at: None,
        run: |tool, words| with_service(tool, words, introspect::list_methods),
    },
    Verb {
        name: "introspect",
        arguments: "ADDRESS [INTERFACE...]",
        summary: "Show the definitions of some or all interfaces of a service",
        details: "",
        command_at: None,
        run: |tool, words| with_service(tool, words, introspect::introspect),
    },
    Verb {
        name: "call",
        arguments: "ADDRESS METHOD [PARAMETERS] [-- COMMAND...]",
        summary: "Call a method, and print its reply",
        details: "",
        command_at: None,
        run: call::call,
    },
    Verb {
        name: "list-registry",
        arguments: "",
        summary: "List the interfaces in the registry",
        details: "",
        command_at: None,
        run: registry::list_registry,
    },
    Verb {
        name: "list-sockets",
        arguments: "",
        summary: "List the sockets of all services, from Linux 7.1 on",
        details: "",
        command_at: None,
        run: registry::list_sockets,
    },
    Verb {
        name: "validate-idl",
        arguments: "[FILE]",
        summary: "Check a definition, from standard input without a file, and print it",
        details: "",
        command_at: None,
        run: introspect::validate,
    },
    Verb {
        name: "resolve",
        arguments: "INTERFACE",
        summary: "Show the address of the service of an interface",
        details: detailed(
            "\n\
            Looks in /run/varlink/registry and the registry of the user, then asks \
            org.varlink.resolver. With --registry= or --resolver= only that.\n",
        ),
        command_at: None,
        run: route::resolve,
    },
    Verb {
        name: "wait",
        arguments: "ADDRESS",
        summary: "Wait until a service answers GetInfo",
        details: detailed(
            "\n\
            ADDRESS can be an interface of the registry. A socket that only accepts connections is \
            not enough. There is no limit without --timeout=.\n",
        ),
        command_at: None,
        run: wait::wait,
    },
    Verb {
        name: "monitor",
        arguments: "ADDRESS LISTEN-PATH [NAME]",
        summary: "Pass on the calls of any clients to a service, and print all messages",
        details: detailed(
            "\n\
            Clients connect to LISTEN-PATH instead of ADDRESS. `-` is the socket of LISTEN_FDS or \
            standard input; that can be the connection of one client, called NAME.\n\n\
            `1 -> MESSAGE` is a call of client 1, `1 <- MESSAGE` a reply. After an upgrade bytes \
            are counted. A terminal gets the first 512 bytes of a message. Longer ones than 8 MiB \
            are counted. File descriptors are not passed on.\n",
        ),
        command_at: None,
        run: monitor::monitor,
    },
    Verb {
        name: "serve",
        arguments: "[PATH] METHOD COMMAND...",
        summary: "Serve a command as a method that upgrades its connection",
        details: detailed(
            "\n\
            A call of METHOD with `upgrade` makes its connection standard input and output of \
            COMMAND. The umask decides who can connect to PATH. `-` is the socket of LISTEN_FDS or \
            standard input, listening or connected. varlinkctl has no PATH, which means `-`.\n",
        ),
        command_at: Some(2),
        run: serve::serve,
    },
    Verb {
        name: "bridge",
        arguments: "",
        summary: "Pass calls on standard input to the services of their interfaces",
        details: detailed(
            "\n\
            For `ssh HOST nullctl bridge`. Finds services as the verb resolve does, or passes all \
            calls to that of --connect=. Answers GetInfo for all of them. One call is under way at a \
            time. If a service does not answer, the error is io.systemd.Disconnected, .TimedOut \
            (--timeout=) or .Protocol, and the bridge goes on.\n",
        ),
        command_at: None,
        run: bridge::bridge,
    },
    Verb {
        name: "udev",
        arguments: "settle|trigger|reload|ping [ACTION]",
        summary: "Control udev",
        details: detailed(
            "\
settle waits until udev has handled all events. trigger makes the kernel send the events of
all devices again, with the action change by default, or of all subsystems with
--subsystems. reload makes udev read its rules again. ping fails if udev does not run.
",
        ),
        command_at: None,
        run: udev::udev,
    },
    Verb {
        name: "ask",
        arguments: "MESSAGE [ADDRESS]",
        summary: "Ask the user for a password, and print it",
        details: detailed(
            "\
The service io.systemd.AskPassword asks, or this terminal if there is none. The answer is
erased from the memory of nullctl after it was printed.
",
        ),
        command_at: None,
        run: ask::ask,
    },
    Verb {
        name: "ping",
        arguments: "ADDRESS",
        summary: "Check that a service runs: io.systemd.service",
        details: "",
        command_at: None,
        run: |tool, words| with_service(tool, words, service::ping),
    },
    Verb {
        name: "reload",
        arguments: "ADDRESS",
        summary: "Make a service read its configuration again: io.systemd.service",
        details: "",
        command_at: None,
        run: |tool, words| with_service(tool, words, service::reload),
    },
    Verb {
        name: "log-level",
        arguments: "ADDRESS [LEVEL]",
        summary: "Print or set the log level of a service: io.systemd.service",
        details: "",
        command_at: None,
        run: |tool, words| with_service(tool, words, service::log_level),
    },
];

/// The last verb of both forms.
pub const HELP: &[Verb] = &[Verb {
    name: "help",
    arguments: "[VERB]",
    summary: "Print this help, or that of a verb",
    details: "",
    command_at: None,
    run: help,
}];

impl Verb {
    /// Checks the number of words after the verb's name.
    pub fn check_count(&self, count: usize) -> Result<(), Failure> {
        let (mut least, mut most, mut optional) = (0_usize, 0_usize, false);
        for word in parts(self.arguments, b' ').filter(|word| !word.is_empty()) {
            optional |= word.starts_with('[');
            least = least.saturating_add((!optional).into());
            optional &= !word.ends_with(']');
            most = most.saturating_add(1);
            if word.ends_with("...") || word.ends_with("...]") {
                most = usize::MAX;
            }
        }
        if count < least || count > most {
            let problem = if count < least { "few" } else { "many" };
            return Err(fail(format_args!(
                "too {problem} arguments. Usage: nullctl {} {}",
                self.name, self.arguments
            )));
        }
        Ok(())
    }
}

/// Finds a verb by its name.
pub fn find(verbs: &[&'static [Verb]], name: &str) -> Option<&'static Verb> {
    let find = |table: &&'static [Verb]| table.iter().find(|verb| verb.name == name);
    verbs.iter().find_map(find)
}

/// The failure of an unknown verb.
pub fn unknown(_verbs: &[&'static [Verb]], name: &str) -> Failure {
    fail(format_args!("unknown verb {name}: see nullctl help"))
}

/// The column in which the texts of the help begin.
const COLUMN: usize = 26;

/// The codes that begin and end bold text on a terminal.
const BOLD: [&str; 2] = ["\x1b[1m", "\x1b[0m"];

/// Prints the help: in columns, and with bold names on a terminal.
fn help(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let out = &mut *tool.out;
    let [on, off] = if tool.options.color == Some(true) {
        BOLD
    } else {
        ["", ""]
    };
    if let Some(name) = words.first() {
        let name = text(name);
        let verb = find(tool.verbs, name).ok_or_else(|| unknown(tool.verbs, name))?;
        let line = if matches!(verb.details.as_bytes().first(), None | Some(b'\n')) {
            ""
        } else {
            "\n"
        };
        out.print(format_args!(
            "Usage: nullctl [OPTION...] {on}{}{off} {}\n\n{}.\n{line}{}",
            verb.name, verb.arguments, verb.summary, verb.details
        ));
        flags(out, [on, off], verb.name);
        return Ok(());
    }
    out.print(format_args!(
        "Usage: nullctl [OPTION...] VERB ...\n\n{on}Verbs:{off}\n"
    ));
    for table in tool.verbs {
        for verb in *table {
            let name = [on, "  ", verb.name, off, " ", verb.arguments];
            row(out, &name, verb.summary);
        }
    }
    flags(out, [on, off], "");
    Ok(())
}

/// Prints the options whose text begins with the name of a verb, or all.
fn flags(out: &mut Output, [on, off]: [&str; 2], verb: &str) {
    let mut first = true;
    for flag in options::all().filter(|flag| flag.help.starts_with(verb)) {
        if core::mem::take(&mut first) {
            out.print(format_args!("\n{on}Options:{off}\n"));
        }
        let mut letter = [0; 4];
        let (dash, letter) = match flag.short {
            Some(short) => ("  -", &*short.encode_utf8(&mut letter)),
            None => ("    ", ""),
        };
        let dashes = if flag.long.is_empty() { "" } else { "--" };
        let (equals, value) = flag.value.map_or(("", ""), |value| ("=", value));
        let name = [on, dash, letter, " ", dashes, flag.long, off, equals, value];
        row(out, &name, flag.help);
    }
}

/// Prints a row of the help: a name, which begins in bold, and a text in the second column, on the
/// next line if the name is too long.
fn row(out: &mut Output, name: &[&str], help: &str) {
    let mut left = COLUMN;
    for part in name {
        out.text(part);
        if !part.starts_with('\x1b') {
            left = left.saturating_sub(part.len());
        }
    }
    if left == 0 {
        out.text("\n");
        left = COLUMN;
    }
    out.column("", left);
    out.text(help);
    out.text("\n");
}
