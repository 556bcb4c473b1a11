//! The portable part of the tool: all verbs that need no allocator. `main.rs` runs it with std,
//! and `tests/freestanding/src/nullctl.rs` without libc. Both also have a function `standard`, which
//! returns the standard descriptors, and a table `MORE_FLAGS` with the options of that form only.
//!
//! | file | content |
//! |---|---|
//! | `verbs` | the table of verbs: `help`, completion and the manual page come from it, too |
//! | `options` | the options of the command line |
//! | `output` | standard output and its colors; failures |
//! | `system` | what the tool needs of the operating system that needs `unsafe` code or std |
//! | `input` | texts that the tool reads or puts together; the names in a directory |
//! | `names` | a sorted list of names |
//! | `answer` | calls that the tool answers itself |
//! | `clients` | many clients at once |
//! | `program` | programs that a verb starts |
//! | `connect` | from an address, or the name of an interface, to a connection |
//! | `join` | joins two connections |
//! | `json` | how JSON is printed |
//! | `route` | from an interface to the address of its service |
//! | `texts` | texts that are put together without an allocator |
//! | the others | one verb each, or a few that belong together |

mod answer;
mod ask;
mod bridge;
mod call;
mod clients;
pub mod connect;
mod info;
mod input;
mod introspect;
mod join;
pub mod json;
mod monitor;
mod names;
pub mod options;
pub mod output;
mod program;
mod registry;
mod route;
mod serve;
mod service;
mod system;
mod texts;
mod udev;
mod verbs;
mod wait;

use core::ffi::CStr;

use nullink::idl::Entry;

pub use options::{Flag, Options};
#[allow(unused_imports)] // the form without libc has no verbs in other modules
pub use output::{Failure, Output, complain, fail};
pub use system::{Command, Passed, Standard, System};
pub use verbs::{HELP, VERBS, Verb};

/// The longest message in either direction, with its NUL: systemd's limit is 16 MiB.
const LONGEST: usize = 16 * 1024 * 1024 + 4096;

/// The maximum number of words on the command line.
const WORDS: usize = 256;

/// The tool's memory. It is static and zero at first, so a page that is not used takes no memory.
pub struct Room {
    /// The words of the command line that are not options.
    words: heapless::Vec<&'static CStr, WORDS>,
    /// Text from standard input, or another text that the verb needs while it calls.
    pub input: [u8; LONGEST],
    /// The buffers of the connection.
    pub receive: [u8; LONGEST],
    pub send: [u8; LONGEST],
    /// The table of a definition.
    pub entries: [Entry; ENTRIES],
}

/// The number of entries for a definition. The longest of systemd's needs about 900.
const ENTRIES: usize = 16 * 1024;

impl Room {
    pub const fn new() -> Self {
        Room {
            words: heapless::Vec::new(),
            input: [0; LONGEST],
            receive: [0; LONGEST],
            send: [0; LONGEST],
            entries: [Entry::EMPTY; ENTRIES],
        }
    }
}

/// What a verb works with.
pub struct Tool<'t> {
    pub system: &'t dyn System,
    pub options: &'t Options<'t>,
    pub out: &'t mut Output,
    pub input: &'t mut [u8],
    pub receive: &'t mut [u8],
    pub send: &'t mut [u8],
    pub entries: &'t mut [Entry],
    /// All verbs of this program, for `help`.
    pub verbs: &'t [&'static [Verb]],
}

/// Runs the verb that the command line names, and returns the exit status. The first argument is
/// the name of the program. `verbs` are the tables of this program.
pub fn run(
    system: &dyn System,
    verbs: &[&'static [Verb]],
    mut arguments: impl Iterator<Item = &'static CStr>,
    room: &mut Room,
) -> u8 {
    arguments.next();
    let mut out = Output::new();
    let done = run_verb(system, verbs, arguments, room, &mut out);
    match done.and_then(|()| out.flush()) {
        Ok(()) => 0,
        Err(failure) => {
            // What was printed before the failure. If that fails, too, the status is the same.
            let _ = out.flush();
            failure as u8
        }
    }
}

fn run_verb(
    system: &dyn System,
    verbs: &[&'static [Verb]],
    arguments: impl Iterator<Item = &'static CStr>,
    room: &mut Room,
    out: &mut Output,
) -> Result<(), Failure> {
    let mut options = Options::default();
    let command_at = |verb: &CStr| verbs::find(verbs, text(verb))?.command_at;
    options::parse(command_at, arguments, &mut options, &mut room.words)?;
    let name = room.words.first().copied().map_or("help", text);
    let name = if options.help { "help" } else { name };
    let Some(verb) = verbs::find(verbs, name) else {
        return Err(verbs::unknown(verbs, name));
    };
    // With --help, the verb is the word of the verb help.
    let first = usize::from(!options.help);
    let words = room.words.get(first..).unwrap_or(&[]);
    if !options.help {
        verb.check_count(words.len())?;
    }
    options.color.get_or_insert_with(|| {
        let knows_colors = |term: &[u8]| !matches!(term, b"" | b"dumb");
        system.variable("NO_COLOR").is_none_or(<[u8]>::is_empty)
            && system.variable("TERM").is_some_and(knows_colors)
            && output::is_terminal(Standard::Output)
    });
    let mut tool = Tool {
        system,
        options: &options,
        out,
        input: &mut room.input,
        receive: &mut room.receive,
        send: &mut room.send,
        entries: &mut room.entries,
        verbs,
    };
    (verb.run)(&mut tool, words)
}

/// Returns the text of a word. `options::parse` has refused words that are not UTF-8.
pub fn text(word: &CStr) -> &str {
    word.to_str().unwrap_or_default()
}
