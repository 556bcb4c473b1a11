//! The options of the verbs for a workstation. The portable part knows nothing of them, so their
//! values are in a static of their own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use nullink::tools::Breaks;

use crate::tool::Flag;

/// The values of the options.
pub struct Settings {
    /// The folder with released definitions, for `diff`.
    pub released: Option<String>,
    /// The least break for which `diff` fails.
    pub breaks: Breaks,
    /// For `format`.
    pub check: bool,
    pub in_place: bool,
    /// For `generate`.
    pub owned: bool,
    /// For `doc`.
    pub html: bool,
    pub man: bool,
}

static SETTINGS: Mutex<Settings> = Mutex::new(Settings {
    released: None,
    breaks: Breaks::Services,
    check: false,
    in_place: false,
    owned: false,
    html: false,
    man: false,
});

/// Returns the values of the options.
pub fn settings() -> MutexGuard<'static, Settings> {
    SETTINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns an option without a value.
const fn switch(
    long: &'static str,
    help: &'static str,
    set: for<'a> fn(&mut crate::tool::Options<'a>, &'a str) -> Option<()>,
) -> Flag {
    Flag {
        long,
        short: None,
        value: None,
        help,
        set,
    }
}

/// Returns an option with a value.
const fn valued(
    long: &'static str,
    value: &'static str,
    help: &'static str,
    set: for<'a> fn(&mut crate::tool::Options<'a>, &'a str) -> Option<()>,
) -> Flag {
    Flag {
        long,
        short: None,
        value: Some(value),
        help,
        set,
    }
}

/// The options, in the order of `help`.
pub const FLAGS: &[Flag] = &[
    valued(
        "released",
        "DIR",
        "diff: compare with the released definitions in a folder",
        |_, value| {
            settings().released = Some(value.into());
            Some(())
        },
    ),
    valued(
        "breaks",
        "callers|services",
        "diff: fail if old callers break, or also if callers of old services do (default)",
        |_, value| {
            settings().breaks = match value {
                "callers" => Breaks::Callers,
                "services" => Breaks::Services,
                _ => return None,
            };
            Some(())
        },
    ),
    switch(
        "check",
        "format: fail if a file has another layout",
        |_, _| {
            settings().check = true;
            Some(())
        },
    ),
    switch("in-place", "format: rewrite the files", |_, _| {
        settings().in_place = true;
        Some(())
    }),
    switch(
        "owned",
        "generate: types with String, Vec and BTreeMap",
        |_, _| {
            settings().owned = true;
            Some(())
        },
    ),
    switch("html", "doc: an HTML page (default)", |_, _| {
        settings().html = true;
        Some(())
    }),
    switch("man", "doc: a page for man", |_, _| {
        settings().man = true;
        Some(())
    }),
];
