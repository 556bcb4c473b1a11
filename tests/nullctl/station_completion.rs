//! completion, man, and help.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::station_definitions::{manual_page_is_clean, needs};
use crate::tool::{Directory, Service, fail, lacks, nullctl, succeed};

/// Runs a program, with the tool in PATH. Returns None if there is no such program.
fn with_tool(program: &str, arguments: &[&str]) -> Option<Output> {
    let tool = nullctl();
    let folder = Path::new(tool.get_program()).parent().expect("a folder");
    let path = env::var_os("PATH").unwrap_or_default();
    let path = [folder.as_os_str(), &path].join(OsStr::new(":"));
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", path).output().ok()
}

fn shell(program: &str, arguments: &[&str]) -> Option<String> {
    let output = with_tool(program, arguments)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.is_empty(),
        "{program}: {errors}"
    );
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

/// Completes a line in bash. Returns what can replace the last part of it.
#[track_caller]
fn completed(line: &str) -> Vec<String> {
    let driver = "\
COMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:'; source <(nullctl completion bash); COMP_LINE=$1
COMP_POINT=${#1}; _nullctl; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let shown = shell("bash", &["-c", driver, "bash", line]);
    let shown = shown.expect("bash is needed");
    shown
        .lines()
        .filter(|line| !line.is_empty())
        .map(String::from)
        .collect()
}

fn has_bash() -> bool {
    let found = with_tool("bash", &["-c", ":"]).is_some();
    if !found {
        needs("bash");
    }
    found
}

#[test]
fn completion_for_bash_is_valid_and_completes() {
    if lacks("completion") || !has_bash() {
        return;
    }
    let directory = Directory::new();
    let script = directory.path("script");
    fs::write(&script, succeed(&["completion", "bash"])).expect("the file");
    assert_eq!(shell("bash", &["-n", &script]).as_deref(), Some(""));

    let verbs = completed("nullctl ");
    assert!(
        verbs.contains(&"call".into()) && verbs.contains(&"fuzz".into()),
        "{verbs:?}"
    );
    assert_eq!(completed("nullctl introsp"), ["introspect"]);
    assert_eq!(completed("nullctl --json short introsp"), ["introspect"]);
    assert_eq!(completed("nullctl --coll"), ["--collect"]);
    assert_eq!(
        completed("nullctl call --json="),
        ["pretty", "short", "off"]
    );
    assert_eq!(completed("nullctl call --json p"), ["pretty"]);
    assert_eq!(completed("nullctl completion f"), ["fish"]);
    assert_eq!(completed("nullctl help introsp"), ["introspect"]);
    assert_eq!(completed("nullctl man "), [""; 0]);
}

#[test]
fn completion_for_bash_asks_the_service() {
    if lacks("completion") || !has_bash() {
        return;
    }
    let service = Service::start("conformance", &[]);
    let address = &service.address[..];
    let (folder, _) = address.rsplit_once('/').expect("a path");
    assert_eq!(completed(&format!("nullctl call {folder}/")), [address]);
    // bash replaces what follows the colon.
    assert_eq!(
        completed(&format!("nullctl call unix:{folder}/so")),
        [address]
    );

    let line = format!("nullctl call {address} org.example.t.E");
    assert_eq!(
        completed(&line),
        ["org.example.t.Echo", "org.example.t.Empty"]
    );
    let line = format!("nullctl --more call unix:{address} --timeout 5 org.example.t.Co");
    assert_eq!(completed(&line), ["org.example.t.Count"]);
    let line = format!("nullctl introspect {address} org.example.t org.v");
    assert_eq!(completed(&line), ["org.varlink.service"]);
    let line = format!("nullctl fuzz {address} --exclude=org.example.t.P");
    assert_eq!(completed(&line), ["org.example.t.Pipe"]);
    // Without a service there is nothing to complete, and no message.
    assert_eq!(completed("nullctl call /nowhere/socket o"), [""; 0]);
}

/// The names of a service are not expanded.
#[test]
fn completion_for_bash_runs_no_code_of_a_service() {
    if lacks("completion") || !has_bash() {
        return;
    }
    let directory = Directory::new();
    let file = directory.path("made");
    let driver = "source <(nullctl completion bash); cur=; _nullctl_words \"$1\"; \
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let words = format!("a.b $(touch${{IFS}}{file}) `id` c.d;e f.g");
    let shown = shell("bash", &["-c", driver, "bash", &words]).expect("bash");
    assert_eq!(shown, "a.b\nf.g\n");
    assert!(!Path::new(&file).exists());
}

#[test]
fn completion_for_zsh_and_fish_is_valid() {
    if lacks("completion") {
        return;
    }
    for (program, option) in [("zsh", "-n"), ("fish", "--no-execute")] {
        let script = succeed(&["completion", program]);
        for verb in ["list-methods", "bench"] {
            assert!(script.contains(verb), "{script}");
        }
        let directory = Directory::new();
        let path = directory.path("script");
        fs::write(&path, script).expect("the file");
        if shell(program, &[option, &path]).is_none() {
            needs(program);
        }
    }
    let service = Service::start("conformance", &[]);
    let line = format!("nullctl call -q {} org.example.t.E", service.address);
    let driver = "nullctl completion fish | source; complete -C $argv[1]";
    if let Some(shown) = shell("fish", &["-c", driver, &line]) {
        assert_eq!(shown, "org.example.t.Echo\norg.example.t.Empty\n");
    }
    let message = fail(&["completion", "tcsh"]);
    assert!(message.contains("tcsh"), "{message}");
}

#[test]
fn man_prints_all_verbs_and_options() {
    if lacks("man") {
        return;
    }
    let page = succeed(&["man"]);
    let help = succeed(&["help"]);
    let words = help.split_whitespace();
    let options: Vec<&str> = words.filter(|word| word.starts_with("--")).collect();
    assert!(options.len() > 10, "{help}");
    manual_page_is_clean(
        &page,
        &[
            "call ADDRESS METHOD [PARAMETERS]",
            "fuzz ADDRESS [INTERFACE...]",
            "source <(nullctl completion bash)",
            "--released=DIR",
            "varlinkctl(1)",
            "DIFFERENCES FROM VARLINKCTL",
            "varlinkctl writes 0.1 as 1.000000000000000055511e-01",
        ],
    );
    for option in options {
        let name = option
            .trim_start_matches('-')
            .split('=')
            .next()
            .expect("a name");
        assert!(page.contains(&name.replace('-', "\\-")), "{name}");
    }
}
