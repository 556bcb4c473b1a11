//! The table of promises in docs/promises.md, with the number of tests for each promise.
//!
//! A test counts for a promise if its name begins with the id: `c1_an_empty_message_closes` counts
//! for C1. `UPDATE=1 cargo test --test it` writes the table again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The promises about the wire: id, `!` for a MUST of UAPI.20 or `+` for a SHOULD or our choice,
/// and words.
const PROMISES: &str = include_str!("../conformance/promises.txt");

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

/// The last column has results of `tests/conformance/table.sh`, which writes it.
#[test]
fn the_table_of_promises_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut counts = BTreeMap::new();
    count(&root.join("tests"), &mut counts);
    count(&root.join("src"), &mut counts);

    let path = root.join("docs/promises.md");
    let (begin, end) = ("<!-- promises -->\n", "<!-- end of promises -->");
    let document = fs::read_to_string(&path).expect("docs/promises.md");
    let (before, rest) = document
        .split_once(begin)
        .expect("the beginning of the table");
    let (old, after) = rest.split_once(end).expect("the end of the table");

    let mut table = String::from("| | promise | tests | over a socket |\n|---|---|---|---|\n");
    for promise in PROMISES.lines() {
        let [id, must, words] = promise.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            panic!("{promise}: no words");
        };
        let tests = counts.remove(id).unwrap_or_default();
        assert!(tests > 0, "{id} has no tests");
        let start = format!("| {id}{must} |");
        let line = old.lines().find(|line| line.starts_with(&start));
        let result = line.and_then(|line| line.trim_end_matches(" |").rsplit_once("| "));
        let result = result.map_or("", |(_, result)| result);
        let _ = writeln!(table, "{start} {words} | {tests} | {result} |");
    }
    let wanted = format!("{before}{begin}{table}{end}{after}");
    if document != wanted {
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, wanted).expect("docs/promises.md");
        } else {
            panic!("docs/promises.md is out of date: UPDATE=1 cargo test --test it");
        }
    }
}
