//! The options of the command line. Each holds for all verbs to which it means something, and may
//! stand anywhere before `--`, as in varlinkctl.

use core::ffi::CStr;
use core::time::Duration;

use heapless::Vec;

use super::WORDS;
use super::output::{Failure, fail};
use super::texts::{Number, split_once};
use crate::MORE_FLAGS;

/// How JSON is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Json {
    /// With line ends and indentation.
    Pretty,
    /// Each value on one line.
    Short,
    /// As text for people, where the verb has one.
    Off,
    /// With line ends on a terminal, and on one line elsewhere.
    Auto,
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
    pub exec: bool,
    pub user: bool,
    pub subsystems: bool,
    pub dry_run: bool,
    pub echo: bool,
    pub id: Option<&'a str>,
    pub icon: Option<&'a str>,
    pub keyname: Option<&'a str>,
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
    /// Descriptors to send: a number or a path.
    pub push_fd: Vec<&'a str, 16>,
}

impl Options<'_> {
    /// The time limit that was given; None for no limit.
    pub fn wanted_limit(&self) -> Option<Duration> {
        self.timeout.filter(|limit| !limit.is_zero())
    }

    /// The time limit for each step of a call; None for no limit.
    pub fn limit(&self) -> Option<Duration> {
        let limit = self.timeout.unwrap_or(DEFAULT_TIMEOUT);
        (!limit.is_zero()).then_some(limit)
    }
}

impl Options<'_> {
    /// True if the user has asked for JSON.
    pub fn wants_json(&self) -> bool {
        !matches!(self.json, None | Some(Json::Off))
    }
}

/// The time limit without an option: that of sd-varlink.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(45);

/// An option: its names, the name of its value, a line for `help`, and what it sets.
pub struct Flag {
    pub long: &'static str,
    pub short: Option<char>,
    /// The name of the value; None if the option has none.
    pub value: Option<&'static str>,
    pub help: &'static str,
    /// Sets the option. Returns None if the value is not valid.
    pub set: for<'a> fn(&mut Options<'a>, &'a str) -> Option<()>,
}

/// The options of both forms of the tool, in the order of `help`.
const FLAGS: &[Flag] = &[
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
            options.json = Some(Json::Auto);
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
            options.oneway = false;
            Some(())
        },
    },
    Flag {
        long: "",
        short: Some('E'),
        value: None,
        help: "Like --more --timeout=infinity",
        set: |options, _| {
            options.more = true;
            options.oneway = false;
            options.timeout = Some(Duration::ZERO);
            Some(())
        },
    },
    Flag {
        long: "collect",
        short: None,
        value: None,
        help: "Ask for several replies, and print them as one list",
        set: |options, _| {
            options.collect = true;
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
            options.more = false;
            Some(())
        },
    },
    Flag {
        long: "upgrade",
        short: None,
        value: None,
        help: "Ask for another protocol, and connect it to standard input and output",
        set: |options, _| {
            options.upgrade = true;
            Some(())
        },
    },
    Flag {
        long: "exec",
        short: None,
        value: None,
        help: "Run a command after --: with the reply, or after --upgrade with the connection",
        set: |options, _| {
            options.exec = true;
            Some(())
        },
    },
    Flag {
        long: "push-fd",
        short: None,
        value: Some("NUMBER|PATH"),
        help: "Send a file descriptor with the call, or a file opened for reading",
        set: |options, value| options.push_fd.push(value).ok(),
    },
    Flag {
        long: "timeout",
        short: None,
        value: Some("SECONDS"),
        help: "Wait at most this long for a reply, by default 45 seconds; infinity is without a limit",
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
        set: |options, value| {
            nullink::name::split(value)?;
            options.graceful.push(value).ok()
        },
    },
    Flag {
        long: "system",
        short: None,
        value: None,
        help: "Use the registry of the system",
        set: |options, _| {
            options.user = false;
            Some(())
        },
    },
    Flag {
        long: "user",
        short: None,
        value: None,
        help: "Use the registry of the user",
        set: |options, _| {
            options.user = true;
            Some(())
        },
    },
    Flag {
        long: "subsystems",
        short: None,
        value: None,
        help: "udev trigger: subsystems and drivers instead of devices",
        set: |options, _| {
            options.subsystems = true;
            Some(())
        },
    },
    Flag {
        long: "dry-run",
        short: Some('n'),
        value: None,
        help: "udev trigger: print the devices only",
        set: |options, _| {
            options.dry_run = true;
            Some(())
        },
    },
    Flag {
        long: "id",
        short: None,
        value: Some("ID"),
        help: "ask: identify the question",
        set: |options, value| {
            options.id = Some(value);
            Some(())
        },
    },
    Flag {
        long: "icon",
        short: None,
        value: Some("NAME"),
        help: "ask: show an icon",
        set: |options, value| {
            options.icon = Some(value);
            Some(())
        },
    },
    Flag {
        long: "keyname",
        short: None,
        value: Some("NAME"),
        help: "ask: keep the answer in the keyring of the kernel, and take it from there",
        set: |options, value| {
            options.keyname = Some(value);
            Some(())
        },
    },
    Flag {
        long: "echo",
        short: None,
        value: None,
        help: "ask: show what is typed",
        set: |options, _| {
            options.echo = true;
            Some(())
        },
    },
    Flag {
        long: "no-pager",
        short: None,
        value: None,
        help: "Has no effect: nullctl starts no pager",
        set: |_, _| Some(()),
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
pub fn duration(text: &str) -> Option<Duration> {
    if matches!(text, "" | "infinity") {
        return Some(Duration::ZERO);
    }
    let is_in_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let end = text.bytes().take_while(is_in_number).count();
    let (number, unit) = text.split_at_checked(end)?;
    let unit = match unit {
        "us" => 1,
        "ms" => 1_000,
        "" | "s" | "sec" => 1_000_000,
        "m" | "min" => 60_000_000,
        "h" | "hr" => 3_600_000_000,
        _ => return None,
    };
    let mut micros: u64 = 0;
    // After a point, the unit of a digit.
    let mut scale = None;
    for digit in number.bytes() {
        if digit == b'.' && scale.is_none() {
            scale = Some(unit);
            continue;
        }
        let digit = u64::from(digit.checked_sub(b'0').filter(|digit| *digit <= 9)?);
        if let Some(scale) = &mut scale {
            *scale /= 10;
            micros = micros.checked_add(digit.checked_mul(*scale)?)?;
        } else {
            micros = micros.checked_mul(10)?;
            micros = micros.checked_add(digit.checked_mul(unit)?)?;
        }
    }
    // Zero would be without a limit.
    (micros > 0).then_some(Duration::from_micros(micros))
}

/// Reads the command line. After the number of words that `command_at` returns for a verb, the
/// words are those of a command, also if they begin with `-`.
///
/// # Errors
///
/// Fails if an option is unknown or its value is not valid, or a word is not UTF-8.
pub fn parse(
    command_at: impl Fn(&CStr) -> Option<u8>,
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
                Number(words.len().saturating_add(1))
            )));
        };
        if only_words || argument == "-" || !argument.starts_with('-') {
            words
                .push(word)
                .map_err(|_| fail(format_args!("too many arguments")))?;
            let command = words.first().and_then(|verb| command_at(verb));
            only_words |= command.is_some_and(|at| words.len() > at.into());
        } else if argument == "--" {
            only_words = true;
        } else if let Some(long) = argument.strip_prefix("--") {
            let (name, value) = match split_once(long, b'=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let flag = find(|flag| !name.is_empty() && flag.long == name);
            set(flag, argument, value, &mut arguments, options)?;
        } else {
            let mut letters = argument.chars();
            letters.next();
            while let Some(letter) = letters.next() {
                let flag = find(|flag| flag.short == Some(letter));
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

/// Finds an option. In the form without others, this takes less code than `all`.
fn find(mut is_it: impl FnMut(&Flag) -> bool) -> Option<&'static Flag> {
    let tables = [FLAGS, MORE_FLAGS];
    tables
        .into_iter()
        .find_map(|table| table.iter().find(|flag| is_it(flag)))
}

/// Returns all options of this program.
pub fn all() -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().chain(MORE_FLAGS)
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
        fail(format_args!("option {argument}: {value} is not {wanted}"))
    })
}
