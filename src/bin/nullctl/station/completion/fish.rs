//! Completion for fish.

use std::fmt::Write;

use super::{Kind, kinds, quoted};
use crate::tool::{Verb, options};

/// The part of the script that does not depend on the tables.
const FUNCTIONS: &str = r#"
# Prints the words before the current one that are not options.
function __nullctl_words
    set -l tokens (commandline -opc)
    set -l skip 1
    for token in $tokens
        if test $skip = 1
            set skip 0
        else if contains -- $token $__nullctl_valued
            set skip 1
        else if not string match -q -- '-?*' $token
            echo $token
        end
    end
end

# True if the current word is one with this number after this verb, or a later one.
function __nullctl_at
    set -l words (__nullctl_words)
    test "$words[1]" = $argv[1]; or return 1
    if test "$argv[3]" = repeats
        test (count $words) -ge $argv[2]
    else
        test (count $words) -eq $argv[2]
    end
end

function __nullctl_ask
    set -l words (__nullctl_words)
    test -n "$words[2]"; and command nullctl --timeout=2 $argv[1] $words[2] 2>/dev/null </dev/null
end

function __nullctl_interface
    __nullctl_ask list-interfaces
end

function __nullctl_method
    __nullctl_ask list-methods
end

function __nullctl_address
    __fish_complete_path (commandline -ct)
    for file in /run/varlink/registry/*
        string replace -r '.*/' '' -- $file
    end
end

complete -c nullctl -f
"#;

pub fn script(verbs: &[&Verb]) -> String {
    let mut script = String::from("# Completion of nullctl for fish: nullctl completion fish\n\n");
    let valued = options::all().filter(|flag| flag.value.is_some());
    let valued: Vec<String> = valued.flat_map(super::names).collect();
    // Writing to a string does not fail.
    let _ = writeln!(script, "set -g __nullctl_valued {}", valued.join(" "));
    script.push_str(FUNCTIONS);
    for verb in verbs {
        let _ = writeln!(
            script,
            "complete -c nullctl -n 'test (count (__nullctl_words)) -eq 0' -a {} -d {}",
            verb.name,
            quoted(verb.summary)
        );
    }
    for verb in verbs {
        let (kinds, repeats) = kinds(verb);
        for (index, kind) in kinds.iter().enumerate() {
            let action = action(*kind, verbs);
            if !action.is_empty() {
                let last = repeats && index + 1 == kinds.len();
                let _ = writeln!(
                    script,
                    "complete -c nullctl -n '__nullctl_at {} {}{}' -a {}",
                    verb.name,
                    index + 1,
                    if last { " repeats" } else { "" },
                    quoted(&action)
                );
            }
        }
    }
    for flag in options::all() {
        script.push_str("complete -c nullctl");
        if !flag.long.is_empty() {
            let _ = write!(script, " -l {}", flag.long);
        }
        if let Some(short) = flag.short {
            let _ = write!(script, " -s {short}");
        }
        if let Some(value) = flag.value {
            let action = action(Kind::of(value), verbs);
            let _ = write!(script, " -x -a {}", quoted(&action));
        }
        let _ = writeln!(script, " -d {}", quoted(flag.help));
    }
    script
}

/// Returns the words, or a command that prints them.
fn action(kind: Kind, verbs: &[&Verb]) -> String {
    match kind {
        Kind::Address => "(__nullctl_address)".into(),
        Kind::Method => "(__nullctl_method)".into(),
        Kind::Interface => "(__nullctl_interface)".into(),
        Kind::Verb => {
            let names: Vec<&str> = verbs.iter().map(|verb| verb.name).collect();
            names.join(" ")
        }
        Kind::File => "(__fish_complete_path (commandline -ct))".into(),
        Kind::Directory => "(__fish_complete_directories (commandline -ct))".into(),
        Kind::Command => "(__fish_complete_command)".into(),
        Kind::Words(words) => words.replace('|', " "),
        Kind::Other => String::new(),
    }
}
