//! The README's table of promises: what is kept, and which tests say so.
//!
//! A test that carries a promise's id in its name (`c1_an_empty_message_closes`) counts for it.
//! `UPDATE=1 cargo test --test conformance` writes the table anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What is promised on the wire, by id. `!`: a MUST of UAPI.20; `+`: a SHOULD, or our choice.
const PROMISES: &[(&str, char, &str)] = &[
    (
        "F1",
        '!',
        "messages end with one NUL, and may be split and joined anywhere",
    ),
    ("F2", '!', "white space is accepted wherever JSON has it"),
    ("F3", '+', "none is written outside of strings"),
    (
        "F4",
        '+',
        "a message that is too long: the service closes; a client's call fails, the next works",
    ),
    (
        "F5",
        '+',
        "the end between messages is normal, inside of one an error; a half-close gets its replies",
    ),
    (
        "C1",
        '!',
        "a message that is not a call closes the connection, after the replies that are due",
    ),
    (
        "C2",
        '!',
        "so do flags that are not booleans, or more than one of them",
    ),
    (
        "C3",
        '!',
        "`parameters` absent, `null` and `{}` are the same",
    ),
    ("C4", '+', "members with a dot in their name are ignored"),
    ("C5", '!', "names are compared after unescaping"),
    (
        "C6",
        '!',
        "calls are answered in order, and wait for streams before them",
    ),
    ("C7", '!', "JSON is RFC 8259 to the letter"),
    ("C8", '+', "nesting has a limit, and costs no stack"),
    ("M1", '!', "`oneway` is never answered"),
    (
        "M2",
        '!',
        "`continues` only with `more`; a stream has exactly one end",
    ),
    (
        "M3",
        '+',
        "ExpectedMore and ExpectedUpgrade; `more` on a plain method is one reply",
    ),
    (
        "M4",
        '+',
        "unknown interfaces and methods are named, and methods that are declared and not served",
    ),
    (
        "M5",
        '+',
        "unknown, missing, null and ill-typed parameters are named",
    ),
    (
        "M6",
        '!',
        "absent and null are the same, empty is another thing; elements are not null",
    ),
    (
        "M7",
        '+',
        "integers have all of 64 bits, and are never rounded; floats never overflow",
    ),
    ("M8", '!', "NaN and the infinities are never written"),
    (
        "M9",
        '+',
        "duplicate keys in structures and maps are refused",
    ),
    (
        "U1",
        '!',
        "an upgrade loses and eats no byte of the other protocol",
    ),
    ("U2", '!', "an error leaves the connection a Varlink one"),
    (
        "U3",
        '+',
        "`upgrade` on a method that can't is a plain answer",
    ),
    (
        "R1",
        '!',
        "absent, null and empty parameters of a reply are the same",
    ),
    ("R2", '+', "unknown fields of a reply are ignored"),
    (
        "R3",
        '+',
        "a message that is not a reply ends the connection with an error",
    ),
    (
        "R4",
        '!',
        "an error that no type knows arrives with its name and parameters",
    ),
    (
        "R5",
        '+',
        "the service closing before its reply is an error of its own",
    ),
    (
        "S1",
        '!',
        "GetInfo lists all interfaces, org.varlink.service among them",
    ),
    (
        "S2",
        '!',
        "a description is what the author wrote, byte for byte",
    ),
    ("S3", '+', "an unknown interface: InterfaceNotFound"),
    ("S4", '!', "org.varlink.service has all errors of UAPI.20"),
    ("I1", '!', "definitions: the whole grammar"),
    ("I2", '!', "definitions: one member a line, one namespace"),
    ("I3", '+', "definitions: errors say line and column"),
    ("I4", '+', "definitions: canonical formatting"),
    ("I5", '+', "definitions: two versions compared"),
    ("I6", '+', "definitions: the demos avoid `any`"),
    (
        "X1",
        '!',
        "descriptors go with the first byte of their message",
    ),
    (
        "X2",
        '+',
        "SO_PASSRIGHTS is off where nothing takes descriptors",
    ),
    (
        "X3",
        '!',
        "every descriptor is close-on-exec, and none leaks",
    ),
    ("X4", '!', "socket activation"),
    ("X5", '+', "credentials of the peer"),
    (
        "X6",
        '+',
        "`user.varlink` tags; entrypoints are 0644 or wider",
    ),
    (
        "X7",
        '+',
        "errors name the path's problem, and live sockets of others are never removed",
    ),
    (
        "X9",
        '+',
        "ancillary data other than descriptors ends no connection",
    ),
    ("L1", '!', "a bad client costs its own slot only"),
    ("L2", '+', "more clients than slots wait"),
    ("L3", '+', "deadlines on both sides, off by default"),
    ("L4", '!', "running out of things never ends the service"),
    (
        "L5",
        '!',
        "a client that goes away: its replies are dropped, the handler is told",
    ),
];

/// How many tests there are for each id, in the files below a folder.
fn count(folder: &Path, counts: &mut BTreeMap<String, usize>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("target") {
                count(&path, counts);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("UTF-8");
            let mut attributes = Vec::new();
            for line in text.lines().map(str::trim) {
                if line.starts_with("#[") {
                    attributes.push(line);
                    continue;
                }
                if let Some(name) = line.strip_prefix("fn ")
                    && attributes.contains(&"#[test]")
                    && let Some((id, _)) = name.split_once('_')
                {
                    *counts.entry(id.to_uppercase()).or_default() += 1;
                }
                attributes.clear();
            }
        }
    }
}

#[test]
fn the_readme_says_which_promises_are_kept() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut counts = BTreeMap::new();
    count(&root.join("tests"), &mut counts);
    count(&root.join("src"), &mut counts);

    let mut table = String::from("| | promise | tests |\n|---|---|---|\n");
    for (id, must, words) in PROMISES {
        let tests = counts.remove(*id).unwrap_or_default();
        assert!(tests > 0, "{id} has no tests");
        let _ = writeln!(table, "| {id}{must} | {words} | {tests} |");
    }

    let (begin, end) = ("<!-- promises -->\n", "<!-- end of promises -->");
    let readme = fs::read_to_string(root.join("README.md")).expect("README.md");
    let (before, rest) = readme
        .split_once(begin)
        .expect("the beginning of the table");
    let (_, after) = rest.split_once(end).expect("the end of the table");
    let wanted = format!("{before}{begin}{table}{end}{after}");
    if readme != wanted {
        if std::env::var_os("UPDATE").is_some() {
            fs::write(root.join("README.md"), wanted).expect("README.md");
        } else {
            panic!("the table in README.md is out of date: UPDATE=1 cargo test --test conformance");
        }
    }
}
