//! The verbs for a workstation, which only the form with std has.
//!
//! | file | content |
//! |---|---|
//! | `options` | the options of these verbs |
//! | `source` | reads definitions from files and services |
//! | `value` | JSON values as trees |
//! | `changes` | `diff` |
//! | `layout` | `format` and `generate` |
//! | `document` | `doc` |
//! | `bench` | `bench` |
//! | `fuzz` | `fuzz` |
//! | `completion`, `manual` | `completion` and `man`, from the tables of verbs and options |
//! | `progress` | the progress line of a verb that takes long |

mod bench;
mod changes;
mod completion;
mod document;
mod fuzz;
mod layout;
mod manual;
mod options;
mod progress;
mod source;
mod value;

use crate::tool::Verb;

pub use options::FLAGS;

/// The verbs, in the order of `help`.
pub const VERBS: &[Verb] = &[
    Verb {
        name: "diff",
        arguments: "OLD|FILE [NEW|FILE...]",
        summary: "Compare definitions, and fail if a change breaks something",
        details: "\
OLD and NEW are each a file, - for standard input, or ADDRESS/INTERFACE. A line for each change
says whom it breaks: old callers of a new service, or new callers of an old service. Names of
types, comments and the order of fields are not on the wire, so they are not compared.

With --released=DIR, each FILE is compared with its released versions in DIR: NAME.varlink, and
NAME-1.varlink, NAME-2.varlink and so on, where NAME is the name of the interface. If FILE is a
folder, all its definitions are compared, and no released interface may be missing.

The exit status is 1 if something breaks, and 0 if not. varlinkctl has no such verb.
",
        command_at: None,
        run: changes::diff,
    },
    Verb {
        name: "format",
        arguments: "FILE|- [FILE...]",
        summary: "Print definitions in the canonical layout",
        details: "\
With --check, nothing is printed, and the exit status is 1 if a file has another layout. With
--in-place, the files are rewritten. Members, their order and comments stay the same.

`varlinkctl validate-idl FILE` prints the definition also, and has no way to check the layout.
",
        command_at: None,
        run: layout::format,
    },
    Verb {
        name: "generate",
        arguments: "FILE",
        summary: "Print a Rust module with the types and methods of a definition",
        details: "\
The module needs the crates nullink and serde, and no allocator. With --owned, its types have
String, Vec and BTreeMap. Write it to the folder of the definition, and commit it.
",
        command_at: None,
        run: layout::generate,
    },
    Verb {
        name: "doc",
        arguments: "FILE|ADDRESS [INTERFACE]",
        summary: "Print a page about an interface, in HTML or for man",
        details: "\
The page is for people who discuss an interface and do not write code: a table for each method,
types in words, comments as paragraphs. An HTML page is one file, without scripts. With --man, it
is a manual page: `nullctl doc --man FILE >x.7 && man ./x.7`.
",
        command_at: None,
        run: document::doc,
    },
    Verb {
        name: "bench",
        arguments: "ADDRESS METHOD [PARAMETERS]",
        summary: "Measure how fast a service answers calls of a method",
        details: "\
Calls the method for --time=SECONDS or --count=CALLS, from --clients=CLIENTS connections, each with
up to --pipeline=CALLS calls under way. Prints the number of calls in a second, and the latency
that 50, 90 and 99 of 100 calls do not exceed. A latency is the time from when a call is queued to
its last reply. With -j, the figures are JSON. If a call fails, the exit status is 1, unless
--graceful names the error.
",
        command_at: None,
        run: bench::bench,
    },
    Verb {
        name: "fuzz",
        arguments: "ADDRESS [INTERFACE...]",
        summary: "Look for calls that make a service misbehave",
        details: "\
Reads the definitions of the service, makes valid and nearly valid calls of all methods of some or
all interfaces, and checks each reply against its definition. A service must answer each call that
has no mistake in JSON or protocol, keep its connection, and still answer GetInfo. It may refuse a
long, deep or malformed message by closing the connection. --strict also fails for a wrong call
that is not refused.

Ends with the first fault, and prints the smallest call that shows it, as a command for the shell.
The same --seed makes the same calls. With --more and --upgrade, methods that support these flags
are called with them. --graceful=ERROR accepts an error that no definition declares, such as
io.systemd.System. If the service ends, --start=COMMAND starts it again, to find a smaller call.

All methods are called, with any parameters: use a service that may lose its data, or exclude
methods with --exclude=METHOD.
",
        command_at: None,
        run: fuzz::fuzz,
    },
    Verb {
        name: "completion",
        arguments: "bash|zsh|fish",
        summary: "Print a script that completes the words of nullctl in a shell",
        details: "\
In ~/.bashrc: `source <(nullctl completion bash)`. For zsh, write the script to a file _nullctl in a
folder of fpath, for fish to ~/.config/fish/completions/nullctl.fish. Interfaces and methods are
asked of the service, with a timeout of 2 seconds.
",
        command_at: None,
        run: completion::completion,
    },
    Verb {
        name: "man",
        arguments: "",
        summary: "Print the manual page of nullctl",
        details: "To read it: `nullctl man | man -l -`.\n",
        command_at: None,
        run: manual::manual,
    },
];
