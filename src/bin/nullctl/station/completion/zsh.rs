//! Completion for zsh.

use std::fmt::Write;

use super::{Kind, kinds, names, quoted};
use crate::tool::{Verb, options};

/// The part of the script that does not depend on the tables.
const FUNCTIONS: &str = r#"
_nullctl_ask() {
    local address=$plain[2]
    [[ -n $address ]] && command nullctl --timeout=2 $1 $address 2>/dev/null </dev/null
}

_nullctl_address() {
    compset -P '(unix|exec|device):'
    _alternative 'files:address:_files' \
        'interfaces:interface:(/run/varlink/registry/*(N:t))'
}

_nullctl_interface() {
    local -a found=(${(f)"$(_nullctl_ask list-interfaces)"})
    compadd -a found
}

_nullctl_method() {
    local -a found=(${(f)"$(_nullctl_ask list-methods)"})
    compadd -a found
}

_nullctl() {
    local state line
    local -a context plain
    local i
    # The words that are neither options nor their values: first the verb.
    for ((i = 2; i < CURRENT; i++)); do
        if (( $_nullctl_valued[(Ie)$words[i]] )); then
            ((i++))
        elif [[ $words[i] != -?* ]]; then
            plain+=("$words[i]")
        fi
    done
    _arguments -s $_nullctl_options '*:argument:->argument'
    [[ $state == argument ]] || return
    if (( $#plain )); then
        _nullctl_word
    else
        _describe verb _nullctl_verbs
    fi
}

# The file is a function of fpath, or was sourced.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _nullctl "$@"
else
    compdef _nullctl nullctl
fi
"#;

pub fn script(verbs: &[&Verb]) -> String {
    let mut script = String::from(
        "#compdef nullctl\n# Completion of nullctl for zsh: nullctl completion zsh\n\n\
         typeset -ga _nullctl_verbs=(\n",
    );
    // Writing to a string does not fail.
    for verb in verbs {
        let entry = format!("{}:{}", verb.name, verb.summary.replace(':', "\\:"));
        let _ = writeln!(script, "    {}", quoted(&entry));
    }
    script.push_str(")\n\ntypeset -ga _nullctl_options=(\n");
    for flag in options::all() {
        let help = flag
            .help
            .replace('[', "(")
            .replace(']', ")")
            .replace(':', "\\:");
        for name in names(flag) {
            let equals = if name.starts_with("--") { "=" } else { "+" };
            let entry = match flag.value {
                Some(value) => {
                    let action = action(Kind::of(value));
                    format!("*{name}{equals}[{help}]:{}:{action}", value.to_lowercase())
                }
                None => format!("{name}[{help}]"),
            };
            let _ = writeln!(script, "    {}", quoted(&entry));
        }
    }
    let valued = options::all().filter(|flag| flag.value.is_some());
    let valued: Vec<String> = valued.flat_map(names).collect();
    let _ = write!(
        script,
        ")\n\ntypeset -ga _nullctl_valued=({})",
        valued.join(" ")
    );
    script.push_str("\n\n_nullctl_word() {\n    case $plain[1]:$#plain in\n");
    for verb in verbs {
        let (kinds, repeats) = kinds(verb);
        for (index, kind) in kinds.iter().enumerate() {
            let last = repeats && index + 1 == kinds.len();
            let number = if last {
                String::from("*")
            } else {
                (index + 1).to_string()
            };
            let action = match action(*kind) {
                action if action.starts_with('(') => {
                    format!("compadd {}", action.trim_matches(['(', ')']))
                }
                action => action.trim().into(),
            };
            if !action.is_empty() {
                let _ = writeln!(script, "    {}:{number}) {action} ;;", verb.name);
            }
        }
    }
    script.push_str("    esac\n}\n");
    script.push_str(FUNCTIONS);
    script
}

/// Returns the action of `_arguments`. A space is the action that completes nothing.
fn action(kind: Kind) -> String {
    match kind {
        Kind::Address => "_nullctl_address".into(),
        Kind::Method => "_nullctl_method".into(),
        Kind::Interface => "_nullctl_interface".into(),
        Kind::Verb => "compadd ${_nullctl_verbs%%:*}".into(),
        Kind::File => "_files".into(),
        Kind::Directory => "_files -/".into(),
        Kind::Command => "_command_names -e".into(),
        Kind::Words(words) => format!("({})", words.replace('|', " ")),
        Kind::Other => " ".into(),
    }
}
