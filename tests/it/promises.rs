//! The README's table of promises, with the number of tests for each promise.
//!
//! A test counts for a promise if its name begins with the id: `c1_an_empty_message_closes` counts
//! for C1. `UPDATE=1 cargo test --test it` writes the table again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The promises about the wire, by id. `!`: a MUST of UAPI.20; `+`: a SHOULD, or our choice.
const PROMISES: &[(&str, char, &str)] = &[
    (
        "F1",
        '!',
        "messages end with one NUL, and may arrive split or joined at any byte",
    ),
    ("F2", '!', "white space is accepted wherever JSON allows it"),
    ("F3", '+', "no white space is written outside strings"),
    (
        "F4",
        '+',
        "a message that is too long closes a service's connection; a client's call fails, the next one works",
    ),
    (
        "F5",
        '+',
        "end of stream is normal between messages, an error inside one; replies arrive after a half-close",
    ),
    (
        "C1",
        '!',
        "a message that is not a call closes the connection, after the pending replies",
    ),
    (
        "C2",
        '!',
        "a flag that is not a boolean, or more than one flag, closes the connection",
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
        "calls are answered in order; a call waits for the stream before it",
    ),
    ("C7", '!', "exactly the JSON of RFC 8259 is accepted"),
    ("C8", '+', "nesting depth has a limit, and uses no stack"),
    ("M1", '!', "a `oneway` call gets no reply"),
    (
        "M2",
        '!',
        "`continues` only with `more`; a stream has exactly one final reply",
    ),
    (
        "M3",
        '+',
        "ExpectedMore and ExpectedUpgrade; `more` on a plain method gets one reply",
    ),
    (
        "M4",
        '+',
        "errors name unknown interfaces and methods, and declared methods without a handler",
    ),
    (
        "M5",
        '+',
        "errors name unknown, missing, null and ill-typed parameters",
    ),
    (
        "M6",
        '!',
        "absent and null are the same, empty is different; elements are not null",
    ),
    (
        "M7",
        '+',
        "integers have 64 bits and are never rounded; floats never overflow",
    ),
    ("M8", '!', "NaN and the infinities are never written"),
    ("M9", '+', "duplicate keys in structs and maps are refused"),
    (
        "W14",
        '!',
        "a final reply without parameters can end a stream; others must match their type",
    ),
    (
        "D3",
        '+',
        "debug builds do not send a reply that does not match its definition",
    ),
    (
        "U1",
        '!',
        "an upgrade neither loses nor consumes a byte of the other protocol",
    ),
    (
        "U2",
        '!',
        "after an error reply to an upgrade call, the connection still speaks Varlink",
    ),
    ("U3", '+', "`upgrade` on a plain method gets a plain reply"),
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
        "an error without a matching type arrives with its name and parameters",
    ),
    (
        "R5",
        '+',
        "a service that closes before its reply is a distinct error",
    ),
    (
        "S1",
        '!',
        "GetInfo lists all interfaces, including org.varlink.service",
    ),
    (
        "S2",
        '!',
        "a description is the author's text, byte for byte",
    ),
    ("S3", '+', "an unknown interface is InterfaceNotFound"),
    ("S4", '!', "org.varlink.service has all errors of UAPI.20"),
    ("I1", '!', "definitions: the whole grammar"),
    ("I2", '!', "definitions: one member per line, one namespace"),
    ("I3", '+', "definitions: errors name line and column"),
    ("I4", '+', "definitions: canonical formatting"),
    ("I5", '+', "definitions: two versions can be compared"),
    ("I6", '+', "definitions: the demos avoid `any`"),
    (
        "I7",
        '+',
        "definitions: what real services serve is read at run time",
    ),
    (
        "I8",
        '+',
        "definitions: `[Requires 'more' flag]` and its kind, in comments of methods",
    ),
    (
        "A1",
        '+',
        "unknown properties of an address are ignored by clients, and refused by listeners",
    ),
    (
        "A2",
        '+',
        "addresses: `unix:`, `tcp:` with IP addresses and names, `device:`, `exec:`, `vsock:`",
    ),
    ("A3", '+', "a bare path is a path"),
    (
        "X1",
        '!',
        "descriptors are sent with the first byte of their message",
    ),
    (
        "X2",
        '+',
        "SO_PASSRIGHTS is off where no descriptors are accepted",
    ),
    (
        "X3",
        '!',
        "every descriptor is close-on-exec, and none leaks",
    ),
    ("X4", '!', "socket activation"),
    ("X5", '+', "credentials of the peer are available"),
    (
        "X6",
        '+',
        "`user.varlink` tags; entrypoints are 0644 or wider",
    ),
    (
        "X7",
        '+',
        "errors name the problem of a path; the live socket of another process is never removed",
    ),
    (
        "X8",
        '!',
        "a relay does not forward a message with descriptors",
    ),
    (
        "X9",
        '+',
        "ancillary data other than descriptors does not end a connection",
    ),
    ("L1", '!', "a bad client affects only its own slot"),
    ("L2", '+', "clients without a free slot wait"),
    ("L3", '+', "deadlines on both sides, off by default"),
    ("L4", '!', "running out of resources never ends the service"),
    (
        "L5",
        '!',
        "when a client disconnects, its replies are dropped and the handler is told",
    ),
];

/// Counts the tests for each id in the files below a folder.
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
fn the_table_of_promises_in_the_readme_is_up_to_date() {
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
            panic!("the table in README.md is out of date: UPDATE=1 cargo test --test it");
        }
    }
}
