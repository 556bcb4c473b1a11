//! Checks the tools with two definitions: formatting is idempotent and changes nothing, a definition
//! has no differences to itself, differences have positions, and a check of Rust types does not
//! panic.
//!
//! The input is two texts with a NUL between them.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use nullink::idl::{Definition, Entry};
use nullink::json::Raw;
use nullink::tools::{Breaks, Change, compare, compatible, contract, format};
use serde::Deserialize;

/// The Rust types to check. Most definitions differ from them.
#[derive(Deserialize)]
#[allow(dead_code)]
enum Methods<'a> {
    #[serde(borrow)]
    A(Everything<'a>),
    B {
        a: Color,
        b: Option<Tree>,
    },
    C,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Everything<'a> {
    a: Option<i64>,
    b: bool,
    c: f64,
    d: &'a str,
    #[serde(borrow)]
    e: Raw<'a>,
    f: Vec<u8>,
    g: BTreeMap<String, Color>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
#[serde(rename_all = "snake_case")]
enum Color {
    A,
    B,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Tree {
    a: Vec<Tree>,
    b: Option<Box<Tree>>,
}

fuzz_target!(|data: &[u8]| {
    let nul = data.iter().position(|byte| *byte == 0);
    let (old, new) = match nul {
        Some(nul) => (&data[..nul], &data[nul + 1..]),
        None => (data, data),
    };
    let (Ok(old), Ok(new)) = (str::from_utf8(old), str::from_utf8(new)) else {
        return;
    };
    let mut table = vec![Entry::EMPTY; Definition::table_size(old)];
    let Ok(old) = Definition::parse(old, &mut table) else {
        return;
    };
    check_types(old.text());
    let canonical = format(&old);
    let mut table = vec![Entry::EMPTY; Definition::table_size(&canonical)];
    let formatted = Definition::parse(&canonical, &mut table).expect("a definition");
    assert_eq!(format(&formatted), canonical);
    assert_eq!(compare(&old, &old), []);
    assert_eq!(compatible(&old, &formatted, Breaks::Nothing), Ok(()));

    let mut table = vec![Entry::EMPTY; Definition::table_size(new)];
    let Ok(new) = Definition::parse(new, &mut table) else {
        return;
    };
    let changes = compare(&old, &new);
    let positions = |change: &Change| {
        let (in_old, in_new) = (change.in_old(), change.in_new());
        let has_other_name = old.name() != new.name();
        assert!(in_old.is_some() || in_new.is_some() || has_other_name);
        assert!(in_old.is_none_or(|at| is_in(old.text(), at)));
        assert!(in_new.is_none_or(|at| is_in(new.text(), at)));
    };
    changes.iter().for_each(positions);
    assert_eq!(changes.is_empty(), compare(&new, &old).is_empty());
    // Only the positions in the old text differ.
    let what = |change: &Change| (change.breaks(), change.in_new());
    assert_eq!(
        changes.iter().map(what).collect::<Vec<_>>(),
        compare(&formatted, &new)
            .iter()
            .map(what)
            .collect::<Vec<_>>()
    );
    for least in [Breaks::Nothing, Breaks::Services, Breaks::Callers] {
        let count = changes.iter().filter(|it| it.breaks() >= least).count();
        let lines = compatible(&old, &new, least).map_err(|error| error.lines().len());
        assert_eq!(lines.err().unwrap_or_default(), count);
    }
});

/// True if a text has a line and column, which are counted from 1.
fn is_in(text: &str, (line, column): (usize, usize)) -> bool {
    // These end a line in Varlink, and the first two together end one.
    let text = text.replace("\r\n", "\n");
    let line = text
        .split(['\n', '\r', '\u{2028}', '\u{2029}'])
        .nth(line - 1);
    line.is_some_and(|line| (1..=line.len() + 1).contains(&column))
}

/// Checks Rust types against the definition with this text.
fn check_types(text: &str) {
    let table = vec![Entry::EMPTY; Definition::table_size(text)];
    let (text, table) = (Box::into_raw(text.into()), Box::into_raw(table.into()));
    // SAFETY: both are valid and not used elsewhere until they are freed below, and nothing that
    // `contract` returns refers to them.
    let (static_text, static_table): (&'static str, &'static mut [Entry]) =
        unsafe { (&*text, &mut *table) };
    if let Ok(definition) = Definition::parse(static_text, static_table) {
        let first = definition.members().next();
        let checked = contract(&definition, |mut types| {
            types = types.methods::<Methods>().errors::<Methods>();
            if let Some(name) = first.map(|member| member.name()) {
                types = types.reply::<Everything>(name).reply::<Tree>(name);
            }
            types.reply::<Everything>("A").reply::<Tree>("B")
        });
        if let Err(differences) = checked {
            assert!(!differences.lines().is_empty());
        }
    }
    // SAFETY: the definition, which refers to them, is gone.
    unsafe { drop((Box::from_raw(text), Box::from_raw(table))) };
}
