//! Completion for bash, without the package bash-completion.

use std::fmt::Write;

use super::{Kind, kinds, names};
use crate::tool::{Verb, options};

/// The part of the script that does not depend on the tables.
const FUNCTIONS: &str = r#"
# Adds those of the given words to COMPREPLY that begin with the current one. A service may have any
# words, so they are not expanded, and those that the shell would interpret are left out.
_nullctl_words() {
    local -a words
    local word
    read -r -d '' -a words <<<"$*"
    for word in "${words[@]}"; do
        [[ $word == "$cur"* && $word != *[^A-Za-z0-9._=-]* ]] && COMPREPLY+=("$word")
    done
}

# Adds files, also after the scheme of an address.
_nullctl_files() {
    local scheme=
    [[ $cur == unix:* || $cur == exec:* || $cur == device:* ]] && scheme=${cur%%:*}:
    compopt -o filenames 2>/dev/null
    local IFS=$'\n' file
    for file in $(compgen "$1" -- "${cur#"$scheme"}"); do
        COMPREPLY+=("$scheme$file")
    done
}

_nullctl() {
    local line=${COMP_LINE:0:COMP_POINT} cur= previous= words word verb= kind= i
    local -a plain=()
    COMPREPLY=()
    # bash splits words at : and =, which are parts of addresses and options.
    read -ra words <<<"$line"
    if [[ $line != *[[:space:]] ]]; then
        cur=${words[${#words[@]} - 1]}
        unset "words[${#words[@]} - 1]"
    fi
    for ((i = 1; i < ${#words[@]}; i++)); do
        word=${words[i]}
        previous=
        if [[ " $_nullctl_valued " == *" $word "* ]]; then
            previous=$word
            ((i++))
        elif [[ $word != -* || $word == - ]]; then
            plain+=("$word")
        fi
    done
    # The value of the last option is the current word.
    ((i > ${#words[@]})) || previous=
    if [[ -n $previous ]]; then
        kind=$(_nullctl_value "$previous")
    elif [[ $cur == --*=* ]]; then
        kind=$(_nullctl_value "${cur%%=*}")
        cur=${cur#*=}
    elif [[ $cur == -* ]]; then
        _nullctl_words "$_nullctl_options"
        [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
        return
    elif ((${#plain[@]} == 0)); then
        kind=verb
    else
        kind=$(_nullctl_word "${plain[0]}" "${#plain[@]}")
    fi
    case $kind in
    address)
        _nullctl_files -f
        if [[ $cur != */* && -d /run/varlink/registry ]]; then
            _nullctl_words "$(ls /run/varlink/registry)"
        fi
        ;;
    file) _nullctl_files -f ;;
    directory) _nullctl_files -d ;;
    command) _nullctl_files -c ;;
    verb) _nullctl_words "$_nullctl_verbs" ;;
    interface) _nullctl_words "$(_nullctl_ask list-interfaces)" ;;
    method) _nullctl_words "$(_nullctl_ask list-methods)" ;;
    words*) _nullctl_words "${kind#words }" ;;
    esac
    # bash replaces only what follows the last : of the word.
    if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
        local colon=${cur%"${cur##*:}"}
        for i in "${!COMPREPLY[@]}"; do
            COMPREPLY[i]=${COMPREPLY[i]#"$colon"}
        done
    fi
}

# Asks the service at the address on the command line.
_nullctl_ask() {
    [[ -n ${plain[1]} ]] && "${words[0]}" --timeout=2 "$1" "${plain[1]}" 2>/dev/null </dev/null
}

complete -F _nullctl nullctl
"#;

pub fn script(verbs: &[&Verb]) -> String {
    let mut script = String::from("# Completion of nullctl for bash: nullctl completion bash\n\n");
    let names_of_verbs: Vec<&str> = verbs.iter().map(|verb| verb.name).collect();
    // Writing to a string does not fail.
    let _ = writeln!(script, "_nullctl_verbs='{}'", names_of_verbs.join(" "));
    let (mut all, mut valued) = (Vec::new(), Vec::new());
    let mut values = String::new();
    for flag in options::all() {
        let names = names(flag);
        if let Some(value) = flag.value {
            let kind = kind(Kind::of(value));
            let _ = writeln!(values, "    {}) echo '{kind}' ;;", names.join(" | "));
            valued.extend(names.iter().cloned());
        }
        for name in names {
            let with_value = flag.value.is_some() && name.starts_with("--");
            all.push(if with_value { format!("{name}=") } else { name });
        }
    }
    let _ = writeln!(script, "_nullctl_options='{}'", all.join(" "));
    let _ = writeln!(script, "_nullctl_valued='{}'\n", valued.join(" "));
    let _ = writeln!(
        script,
        "# Prints what the value of an option is.\n\
         _nullctl_value() {{\n    case $1 in\n{values}    esac\n}}\n"
    );
    script.push_str(
        "# Prints what a word after a verb is: the verb, and the number of the word.\n\
         _nullctl_word() {\n    case $1:$2 in\n",
    );
    for verb in verbs {
        let (kinds, repeats) = kinds(verb);
        for (index, word) in kinds.iter().enumerate() {
            let last = repeats && index + 1 == kinds.len();
            let number = if last {
                String::from("*")
            } else {
                (index + 1).to_string()
            };
            let _ = writeln!(
                script,
                "    {}:{number}) echo '{}' ;;",
                verb.name,
                kind(*word)
            );
        }
    }
    script.push_str("    esac\n}\n");
    script.push_str(FUNCTIONS);
    script
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Words(words) => format!("words {}", words.replace('|', " ")),
        kind => kind.name().into(),
    }
}
