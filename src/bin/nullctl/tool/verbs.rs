//! The table of verbs. `help`, completion and the manual page come from it, too.

use core::ffi::CStr;

use super::options;
use super::output::{Failure, fail};
use super::{Tool, ask, call, info, introspect, registry, service, text, udev};

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
    pub command_at: Option<usize>,
    pub run: for<'t, 'w> fn(Tool<'t>, &'w [&'static CStr]) -> Result<(), Failure>,
}

/// The verbs of both forms of the tool, in the order of `help`.
pub const VERBS: &[Verb] = &[
    Verb {
        name: "info",
        arguments: "ADDRESS",
        summary: "Show who made a service, and its interfaces",
        details: "",
        command_at: None,
        run: info::info,
    },
    Verb {
        name: "list-interfaces",
        arguments: "ADDRESS",
        summary: "List the interfaces of a service",
        details: "",
        command_at: None,
        run: info::list_interfaces,
    },
    Verb {
        name: "list-methods",
        arguments: "ADDRESS [INTERFACE...]",
        summary: "List the methods of some or all interfaces of a service",
        details: "",
        command_at: None,
        run: introspect::list_methods,
    },
    Verb {
        name: "introspect",
        arguments: "ADDRESS [INTERFACE...]",
        summary: "Show the definitions of some or all interfaces of a service",
        details: "",
        command_at: None,
        run: introspect::introspect,
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
        name: "validate-idl",
        arguments: "[FILE]",
        summary: "Check a definition, from standard input without a file, and print it",
        details: "",
        command_at: None,
        run: introspect::validate,
    },
    Verb {
        name: "udev",
        arguments: "settle|trigger|reload|ping [ACTION]",
        summary: "Control udev: settle, trigger [ACTION], reload or ping",
        details: "\
settle waits until udev has handled all events. trigger makes the kernel send the events of
all devices again, with the action change by default, or of all subsystems with
--subsystems. reload makes udev read its rules again. ping fails if udev does not run.
",
        command_at: None,
        run: udev::udev,
    },
    Verb {
        name: "ask",
        arguments: "MESSAGE [ADDRESS]",
        summary: "Ask the user for a password, and print it",
        details: "\
The service io.systemd.AskPassword asks, or this terminal if there is none. The answer is
erased from the memory of nullctl after it was printed.
",
        command_at: None,
        run: ask::ask,
    },
    Verb {
        name: "ping",
        arguments: "ADDRESS",
        summary: "Check that a service runs: io.systemd.service",
        details: "",
        command_at: None,
        run: service::ping,
    },
    Verb {
        name: "reload",
        arguments: "ADDRESS",
        summary: "Make a service read its configuration again: io.systemd.service",
        details: "",
        command_at: None,
        run: service::reload,
    },
    Verb {
        name: "log-level",
        arguments: "ADDRESS [LEVEL]",
        summary: "Print or set the log level of a service: io.systemd.service",
        details: "",
        command_at: None,
        run: service::log_level,
    },
    Verb {
        name: "help",
        arguments: "[VERB]",
        summary: "Print this help, or that of a verb",
        details: "",
        command_at: None,
        run: help,
    },
];

impl Verb {
    /// Checks the number of words after the verb's name.
    pub fn check_count(&self, count: usize) -> Result<(), Failure> {
        let least = self
            .arguments
            .split(' ')
            .filter(|word| !word.is_empty() && !word.starts_with('['))
            .count();
        let most = if self.arguments.ends_with("...") || self.arguments.ends_with("...]") {
            usize::MAX
        } else {
            self.arguments
                .split(' ')
                .filter(|word| !word.is_empty())
                .count()
        };
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
    all(verbs).find(|verb| verb.name == name)
}

fn all(verbs: &[&'static [Verb]]) -> impl Iterator<Item = &'static Verb> {
    verbs.iter().flat_map(|table| table.iter())
}

/// The failure of an unknown verb.
pub fn unknown(_verbs: &[&'static [Verb]], name: &str) -> Failure {
    fail(format_args!("unknown verb {name}: see nullctl help"))
}

/// Prints the help.
fn help(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let out = tool.out;
    if let Some(name) = words.first() {
        let name = text(name);
        let verb = find(tool.verbs, name).ok_or_else(|| unknown(tool.verbs, name))?;
        return out.print(format_args!(
            "Usage: nullctl [OPTION...] {} {}\n\n{}.\n{}",
            verb.name, verb.arguments, verb.summary, verb.details
        ));
    }
    out.text("Usage: nullctl [OPTION...] VERB ...\n\nVerbs:\n")?;
    for verb in all(tool.verbs) {
        out.print(format_args!(
            "  {} {}\n        {}\n",
            verb.name, verb.arguments, verb.summary
        ))?;
    }
    out.text("\nOptions:\n")?;
    for flag in options::all() {
        out.text("  ")?;
        if let Some(short) = flag.short {
            out.print(format_args!("-{short} "))?;
        }
        if !flag.long.is_empty() {
            out.print(format_args!("--{}", flag.long))?;
        }
        if let Some(value) = flag.value {
            out.print(format_args!("={value}"))?;
        }
        out.print(format_args!("\n        {}\n", flag.help))?;
    }
    Ok(())
}
