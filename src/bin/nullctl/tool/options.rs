//! The options of the command line. Each holds for all verbs to which it means something, and may
//! stand anywhere before `--`, as in varlinkctl.

use core::ffi::CStr;
use core::time::Duration;

use heapless::Vec;

use super::WORDS;
use super::output::{Failure, fail};
use super::system::Standard;

/// How JSON is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Json {
    /// With line ends and indentation.
    Pretty,
    /// Each value on one line.
    Short,
    /// As text for people, where the verb has one.
    Off,
}

/// The values of the options.
#[derive(Debug, Default)]
pub struct Options<'a> {
    pub help: bool,
    pub quiet: bool,
    pub json: Option<Json>,
    /// True if output has colors. `run` sets it where the option is not given.
    pub color: Option<bool>,
    pub more: bool,
    pub collect: bool,
    pub oneway: bool,
    pub upgrade: bool,
    /// The time to wait for a service; zero is without a limit.
    pub timeout: Option<Duration>,
    /// The folder of sockets that is used instead of the registry.
    pub registry: Option<&'a str>,
    /// The address of the service that finds others.
    pub resolver: Option<&'a str>,
    /// The address of the service that gets all calls.
    pub connect: Option<&'a str>,
    /// Errors that are no failure.
    pub graceful: Vec<&'a str, 16>,
}

/// An option: its names, the name of its value, a line for `help`, and what it sets.
pub struct Flag {
    pub long: &'static str,
    pub short: Option<char>,
    /// The name of the value; None if the option has none.
    pub value: Option<&'static str>,
    pub help: &'static str,
    /// Sets the option. Returns None if the value is not valid.
    set: for<'a> fn(&mut Options<'a>, &'a str) -> Option<()>,
}

/// All options, in the order of `help`.
pub const FLAGS: &[Flag] = &[
    Flag {
        long: "help",
        short: Some('h'),
        value: None,
        help: "Print this help, or that of a verb",
        set: |options, _| {
            options.help = true;
            Some(())
        },
    },
    Flag {
        long: "quiet",
        short: Some('q'),
        value: None,
        help: "Do not print replies",
        set: |options, _| {
            options.quiet = true;
            Some(())
        },
    },
    Flag {
        long: "json",
        short: None,
        value: Some("pretty|short|off"),
        help: "Print JSON on several lines, on one line, or not",
        set: |options, value| {
            options.json = match value {
                "pretty" => Some(Json::Pretty),
                "short" => Some(Json::Short),
                "off" => Some(Json::Off),
                _ => return None,
            };
            Some(())
        },
    },
    Flag {
        long: "",
        short: Some('j'),
        value: None,
        help: "--json=pretty on a terminal, --json=short elsewhere",
        set: |options, _| {
            let terminal = super::output::is_terminal(Standard::Output);
            options.json = Some(if terminal { Json::Pretty } else { Json::Short });
            Some(())
        },
    },
    Flag {
        long: "more",
        short: None,
        value: None,
        help: "Ask for several replies, and print each",
        set: |options, _| {
            options.more = true;
            Some(())
        },
    },
    Flag {
        long: "collect",
        short: None,
        value: None,
        help: "Like --more, and print all replies as one list",
        set: |options, _| {
            options.collect = true;
            options.more = true;
            Some(())
        },
    },
    Flag {
        long: "oneway",
        short: None,
        value: None,
        help: "Ask for no reply",
        set: |options, _| {
            options.oneway = true;
            Some(())
        },
    },
    Flag {
        long: "upgrade",
        short: None,
        value: None,
        help: "Connect standard input and output to the connection after the reply",
        set: |options, _| {
            options.upgrade = true;
            Some(())
        },
    },
    Flag {
        long: "timeout",
        short: None,
        value: Some("SECONDS"),
        help: "Wait at most this long for a reply; 0 or infinity is without a limit",
        set: |options, value| {
            options.timeout = Some(duration(value)?);
            Some(())
        },
    },
    Flag {
        long: "graceful",
        short: None,
        value: Some("ERROR"),
        help: "Do not fail for this error of the service",
        set: |options, value| options.graceful.push(value).ok(),
    },
    Flag {
        long: "registry",
        short: None,
        value: Some("FOLDER"),
        help: "Find services by a folder of sockets that are named after their interfaces",
        set: |options, value| {
            options.registry = Some(value);
            Some(())
        },
    },
    Flag {
        long: "resolver",
        short: None,
        value: Some("ADDRESS"),
        help: "Find services by the service org.varlink.resolver at this address",
        set: |options, value| {
            options.resolver = Some(value);
            Some(())
        },
    },
    Flag {
        long: "connect",
        short: None,
        value: Some("ADDRESS"),
        help: "Pass all calls of a bridge to the service at this address",
        set: |options, value| {
            options.connect = Some(value);
            Some(())
        },
    },
];

/// Parses a time such as `5`, `0.5`, `100ms`, `2s`, `1min` or `infinity`.
fn duration(text: &str) -> Option<Duration> {
    if text == "infinity" {
        return Some(Duration::ZERO);
    }
    let end = text
        .find(|char: char| !char.is_ascii_digit() && char != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let unit = match unit {
        "us" => 1,
        "ms" => 1_000,
        "" | "s" | "sec" => 1_000_000,
        "m" | "min" => 60_000_000,
        "h" | "hr" => 3_600_000_000,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && part.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse::<u64>().ok()?
    };
    let mut micros = whole.checked_mul(unit)?;
    let mut scale: u64 = unit;
    for digit in part.bytes() {
        scale /= 10;
        let digit = u64::from(digit.checked_sub(b'0').filter(|digit| *digit <= 9)?);
        micros = micros.checked_add(digit.checked_mul(scale)?)?;
    }
    Some(Duration::from_micros(micros))
}

/// Reads the command line. After the number of words that `command_at` returns for a verb, the
/// words are those of a command, also if they begin with `-`.
///
/// # Errors
///
/// Fails if an option is unknown or its value is not valid, or a word is not UTF-8.
pub fn parse(
    command_at: impl Fn(&CStr) -> Option<usize>,
    arguments: impl Iterator<Item = &'static CStr>,
    options: &mut Options<'static>,
    words: &mut Vec<&'static CStr, WORDS>,
) -> Result<(), Failure> {
    let mut arguments = arguments;
    let mut only_words = false;
    while let Some(word) = arguments.next() {
        let Ok(argument) = word.to_str() else {
            return Err(fail(format_args!(
                "argument {} is not UTF-8",
                words.len().saturating_add(1)
            )));
        };
        if only_words || argument == "-" || !argument.starts_with('-') {
            words
                .push(word)
                .map_err(|_| fail(format_args!("too many arguments")))?;
            let command = words.first().and_then(|verb| command_at(verb));
            only_words |= command.is_some_and(|at| words.len() > at);
        } else if argument == "--" {
            only_words = true;
        } else if let Some(long) = argument.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let flag = FLAGS
                .iter()
                .find(|flag| !name.is_empty() && flag.long == name);
            set(flag, argument, value, &mut arguments, options)?;
        } else {
            let mut letters = argument.chars();
            letters.next();
            while let Some(letter) = letters.next() {
                let flag = FLAGS.iter().find(|flag| flag.short == Some(letter));
                let takes_value = flag.is_some_and(|flag| flag.value.is_some());
                let rest = letters.as_str();
                let value = (takes_value && !rest.is_empty()).then_some(rest);
                set(flag, argument, value, &mut arguments, options)?;
                if value.is_some() {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Sets an option. Its value may be the next argument.
fn set(
    flag: Option<&Flag>,
    argument: &str,
    value: Option<&'static str>,
    arguments: &mut impl Iterator<Item = &'static CStr>,
    options: &mut Options<'static>,
) -> Result<(), Failure> {
    let Some(flag) = flag else {
        return Err(fail(format_args!(
            "unknown option {argument}: see nullctl help"
        )));
    };
    let value = match (flag.value, value) {
        (None, None) => "",
        (None, Some(_)) => {
            return Err(fail(format_args!("option {argument} takes no value")));
        }
        (Some(_), Some(value)) => value,
        (Some(name), None) => match arguments.next().map(CStr::to_str) {
            Some(Ok(value)) => value,
            _ => {
                return Err(fail(format_args!(
                    "option {argument} needs a value: {name}"
                )));
            }
        },
    };
    (flag.set)(options, value).ok_or_else(|| {
        let wanted = flag.value.unwrap_or_default();
        fail(format_args!("option {argument}: {value:?} is not {wanted}"))
    })
}
