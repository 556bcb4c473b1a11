//! help.

use crate::tool::{lacks, nullctl, shown_on_terminal, succeed};

/// The first column of the texts.
const COLUMN: usize = 26;

#[test]
fn help_has_columns_and_no_colors() {
    let help = succeed(&["help"]);
    assert_eq!(help, succeed(&["--help"]));
    assert_eq!(help, succeed(&[]));
    assert!(!help.contains('\x1b'), "{help}");
    let line = |text: &str| help.lines().find(|line| line.contains(text)).expect(text);
    for (name, text) in [
        ("  info ADDRESS", "Show who made a service"),
        ("  help [VERB]", "Print this help"),
        ("  -q --quiet", "Do not print replies"),
        ("     --timeout=SECONDS", "Wait at most this long"),
        // A long name is on a line before its text.
        ("", "Call a method, and print"),
    ] {
        let line = line(text);
        assert!(line.starts_with(name), "{line}");
        assert_eq!(line.find(text), Some(COLUMN), "{line}");
    }
    assert!(
        help.contains("\n  call ADDRESS METHOD [PARAMETERS]"),
        "{help}"
    );
    // help is the last verb.
    let verbs = help.split("\nOptions:").next().expect("it has a beginning");
    let last = verbs.trim_end().lines().last().expect("a line");
    assert!(last.starts_with("  help"), "{last}");
}

#[test]
fn help_of_a_verb_has_its_options() {
    let help = succeed(&["help", "udev"]);
    assert!(
        help.starts_with("Usage: nullctl [OPTION...] udev settle"),
        "{help}"
    );
    assert!(help.contains("\nOptions:\n     --subsystems "), "{help}");
    assert!(
        !help.contains("--quiet") && !help.contains("\n\n\n"),
        "{help}"
    );
    assert_eq!(help, succeed(&["udev", "--help"]));
    let help = succeed(&["help", "ping"]);
    assert!(!help.contains("Options:"), "{help}");
}

#[test]
fn help_has_the_verbs_and_options_of_its_form() {
    let other = lacks("fuzz");
    let help = succeed(&["help"]);
    assert_eq!(help.contains("\n  fuzz "), !other, "{help}");
    assert_eq!(help.contains("--released="), !other, "{help}");
}

/// Returns what a terminal shows, with environment variables.
fn on_terminal(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = nullctl();
    command.args(arguments).envs(variables.iter().copied());
    shown_on_terminal(command, |command, terminal| _ = command.stdout(terminal))
}

#[test]
fn help_is_bold_on_a_terminal() {
    let shown = on_terminal(&["help"], &[]);
    assert!(shown.contains("\x1b[1mVerbs:\x1b[0m"), "{shown}");
    assert!(shown.contains("\x1b[1m  info\x1b[0m ADDRESS  "), "{shown}");
    assert!(shown.contains("\x1b[1m  -q --quiet\x1b[0m  "), "{shown}");
    let plain = shown
        .replace("\x1b[1m", "")
        .replace("\x1b[0m", "")
        .replace('\r', "");
    assert_eq!(plain, succeed(&["help"]));
    let has_colors = |variable| on_terminal(&["help"], &[variable]).contains('\x1b');
    assert!(has_colors(("NO_COLOR", "")) && !has_colors(("NO_COLOR", "1")));
    assert!(!has_colors(("TERM", "dumb")) && !has_colors(("TERM", "")));
}

/// The guide shows commands that exist.
#[test]
fn help_has_all_verbs_and_options_of_the_guide() {
    if lacks("fuzz") {
        return;
    }
    let guide = include_str!("../../docs/nullctl.md");
    let help = succeed(&["help"]);
    let mut count = 0;
    for block in guide.split("```").skip(1).step_by(2) {
        for line in block.lines().filter(|line| line.starts_with("nullctl ")) {
            let command = line.split(" #").next().expect("a command");
            let words = command.split_whitespace().skip(1);
            let words = words.take_while(|word| !matches!(*word, "|" | "||"));
            let (options, words): (Vec<_>, Vec<_>) = words.partition(|word| word.starts_with("--"));
            let verb = words.first().expect("a verb");
            assert!(help.contains(&format!("\n  {verb}")), "{line}");
            for option in options {
                let name = option.split('=').next().expect("a name");
                assert!(help.contains(&format!(" {name}")), "{line}");
            }
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}
