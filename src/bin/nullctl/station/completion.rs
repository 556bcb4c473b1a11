//! `completion`: scripts for shells, made from the tables of verbs and options.

mod bash;
mod fish;
mod zsh;

use std::ffi::CStr;

use crate::tool::{Failure, Tool, Verb, fail, options, text};

pub fn completion(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let verbs: Vec<&Verb> = tool.verbs.iter().flat_map(|table| table.iter()).collect();
    let script = match words.first().copied().map_or("", text) {
        "bash" => bash::script(&verbs),
        "zsh" => zsh::script(&verbs),
        "fish" => fish::script(&verbs),
        other => {
            return Err(fail(format_args!(
                "there is no completion for {other}: bash, zsh or fish"
            )));
        }
    };
    tool.out.text(&script);
    Ok(())
}

/// What can stand at a place of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Address,
    Method,
    Interface,
    Verb,
    File,
    Directory,
    /// A program.
    Command,
    /// One of the words in a text such as `bash|zsh|fish`.
    Words(&'static str),
    Other,
}

impl Kind {
    /// Returns the kind of a word or a value by its name in the tables.
    fn of(name: &'static str) -> Self {
        let name = name.trim_matches(|c| c == '[' || c == ']' || c == '.');
        let has = |part: &str| name.split('|').any(|name| name == part);
        if has("ADDRESS") || has("OLD") || has("NEW") {
            // Files are among the addresses.
            Kind::Address
        } else if has("METHOD") {
            Kind::Method
        } else if has("INTERFACE") {
            Kind::Interface
        } else if has("VERB") {
            Kind::Verb
        } else if has("FILE") || has("PATH") || has("LISTEN-PATH") {
            Kind::File
        } else if has("DIR") || has("FOLDER") {
            Kind::Directory
        } else if has("COMMAND") {
            Kind::Command
        } else if name.contains('|') && name == name.to_lowercase() {
            Kind::Words(name)
        } else {
            Kind::Other
        }
    }

    /// Returns the name by which the functions of a script know the kind.
    fn name(self) -> &'static str {
        match self {
            Kind::Address => "address",
            Kind::Method => "method",
            Kind::Interface => "interface",
            Kind::Verb => "verb",
            Kind::File => "file",
            Kind::Directory => "directory",
            Kind::Command => "command",
            Kind::Words(_) => "words",
            Kind::Other => "other",
        }
    }
}

/// Returns the kinds of the words after a verb, and true if the last can be repeated.
fn kinds(verb: &Verb) -> (Vec<Kind>, bool) {
    let words = verb.arguments.split(' ');
    // The mark before a command is not counted, because it looks like an option.
    let words = words.filter(|word| !matches!(*word, "" | "[--" | "--"));
    let kinds = words.map(Kind::of).collect();
    (kinds, verb.arguments.contains("..."))
}

/// Returns the ways to write an option: its names, with their dashes.
fn names(flag: &options::Flag) -> Vec<String> {
    let long = (!flag.long.is_empty()).then(|| format!("--{}", flag.long));
    let short = flag.short.map(|short| format!("-{short}"));
    long.into_iter().chain(short).collect()
}

/// Quotes a text for all three shells: in single quotes, which it does not contain.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_of_the_names() {
        for (name, kind) in [
            ("ADDRESS", Kind::Address),
            ("FILE|ADDRESS", Kind::Address),
            ("[INTERFACE...]", Kind::Interface),
            ("FILE|-", Kind::File),
            ("[VERB]", Kind::Verb),
            ("bash|zsh|fish", Kind::Words("bash|zsh|fish")),
            ("settle|trigger", Kind::Words("settle|trigger")),
            ("SECONDS", Kind::Other),
            ("COMMAND...", Kind::Command),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }
}
