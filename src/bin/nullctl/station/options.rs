//! The options of the verbs for a workstation. The portable part knows nothing of them, so their
//! values are in a static of their own.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nullink::client::Session;
use nullink::tools::Breaks;

use crate::tool::Flag;
use crate::tool::options::duration;

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
    /// For `bench`.
    pub count: Option<u64>,
    pub time: Option<Duration>,
    pub pipeline: usize,
    pub clients: usize,
    /// For `fuzz`.
    pub seed: Option<u64>,
    pub runs: Option<u64>,
    pub exclude: Vec<String>,
    pub strict: bool,
    /// The command that starts the service.
    pub start: Option<String>,
}

static SETTINGS: Mutex<Settings> = Mutex::new(Settings {
    released: None,
    breaks: Breaks::Services,
    check: false,
    in_place: false,
    owned: false,
    html: false,
    man: false,
    count: None,
    time: None,
    pipeline: 1,
    clients: 1,
    seed: None,
    runs: None,
    exclude: Vec::new(),
    strict: false,
    start: None,
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

/// The maximum number of clients of `bench`.
const CLIENTS: usize = 1000;

/// Parses a number from 1 to a maximum.
fn number(text: &str, most: usize) -> Option<usize> {
    text.parse()
        .ok()
        .filter(|number| (1..=most).contains(number))
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
    valued(
        "count",
        "CALLS",
        "bench: the number of calls",
        |_, value| {
            settings().count = Some(value.parse().ok().filter(|count| *count > 0)?);
            Some(())
        },
    ),
    valued(
        "time",
        "SECONDS",
        "bench: measure this long; 3 seconds if no number of calls is given",
        |_, value| {
            settings().time = Some(duration(value).filter(|time| !time.is_zero())?);
            Some(())
        },
    ),
    valued(
        "pipeline",
        "CALLS",
        "bench: send this many calls before the first reply",
        |_, value| {
            settings().pipeline = number(value, Session::MAX_CALLS)?;
            Some(())
        },
    ),
    valued(
        "clients",
        "CLIENTS",
        "bench: the number of connections",
        |_, value| {
            settings().clients = number(value, CLIENTS)?;
            Some(())
        },
    ),
    valued(
        "seed",
        "NUMBER",
        "fuzz: make the calls of this seed",
        |_, value| {
            settings().seed = Some(value.parse().ok()?);
            Some(())
        },
    ),
    valued(
        "runs",
        "NUMBER",
        "fuzz: the number of calls; 1000 by default",
        |_, value| {
            settings().runs = Some(value.parse().ok()?);
            Some(())
        },
    ),
    valued(
        "exclude",
        "METHOD",
        "fuzz: do not call this method",
        |_, value| {
            settings().exclude.push(value.into());
            Some(())
        },
    ),
    switch(
        "strict",
        "fuzz: a call that differs from its definition must be refused",
        |_, _| {
            settings().strict = true;
            Some(())
        },
    ),
    valued(
        "start",
        "COMMAND",
        "fuzz: start the service with this command of the shell when it does not answer",
        |_, value| {
            settings().start = Some(value.into());
            Some(())
        },
    ),
];
