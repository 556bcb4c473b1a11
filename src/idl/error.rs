//! Why a text is not a definition: what was expected, and where.

use core::fmt;
use core::str;

use super::text::position;

/// Why a text is not a definition, and where.
///
/// ```
/// use nullink::idl::{Definition, Entry};
///
/// let mut table = [Entry::EMPTY; 9];
/// let error = Definition::parse("interface a.b\n\nmethod Go(to: strong) -> ()\n", &mut table).unwrap_err();
/// assert_eq!((error.line(), error.column()), (3, 15));
/// assert_eq!(error.to_string(), "3:15: expected a type: bool, int, float, string, object, any, a name, ( [ or ?");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    problem: Problem,
    offset: usize,
    line: usize,
    column: usize,
}

/// Declares [`Problem`], each with the text that tells what was expected.
macro_rules! problems {
    ($($(#[$doc:meta])* $problem:ident = $expected:literal,)*) => {
        /// What can be wrong with a definition.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Problem {
            $($(#[$doc])* $problem,)*
        }

        impl Problem {
            /// What was expected.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Problem::$problem => concat!("expected ", $expected),)*
                }
            }
        }
    };
}

problems! {
    /// The text does not begin with `interface`.
    Interface = "interface and its name",
    /// Not the name of an interface.
    InterfaceName = "the name of an interface, such as org.example.ftl",
    /// Neither `type`, `method` nor `error`.
    Member = "type, method or error",
    /// A member does not begin on a line of its own.
    LineBreak = "a line break: each member is on a line of its own",
    /// No white space after a keyword.
    Space = "white space",
    /// Not the name of a type, a method or an error.
    MemberName = "a name that begins with an uppercase letter",
    /// Not the name of a field.
    FieldName = "the name of a field",
    /// Neither the name of a field, nor the end of a list without any.
    FieldNameOrClose = "the name of a field, or )",
    /// A name of more than [`Definition::MAX_NAME`](super::Definition::MAX_NAME) bytes.
    LongName = "a name of at most 255 bytes",
    /// No `(`.
    Open = "(",
    /// Neither `,` nor `)`.
    CommaOrClose = ", or )",
    /// No `:` after the name of a field.
    Colon = ": and a type",
    /// Not `->`.
    Arrow = "-> and what the method returns",
    /// Not a type.
    Type = "a type: bool, int, float, string, object, any, a name, ( [ or ?",
    /// `??`.
    Nullable = "a type that is not nullable: it is already",
    /// The name of a member that is there already.
    DuplicateMember = "another name: types, methods and errors share theirs",
    /// The name of a field, or of a value, that the list has already.
    DuplicateField = "another name: the list has this one already",
    /// A type that is not defined.
    UnknownType = "the name of a type: there is none of this name",
    /// The name of a method or an error where a type is expected.
    NotAType = "the name of a type: this is a method or an error",
    /// A structure that contains itself, so that it has no value.
    Endless = "a type that does not contain itself: it could have no value",
    /// More than [`Definition::MAX_FIELDS`](super::Definition::MAX_FIELDS) fields in a structure.
    Fields = "at most 256 fields",
    /// More than [`Definition::MAX_VALUES`](super::Definition::MAX_VALUES) values in an enumeration.
    Values = "at most 1024 values",
    /// Types within types, more than [`Definition::MAX_DEPTH`](super::Definition::MAX_DEPTH).
    Depth = "fewer types within one another",
    /// More entries than the table has, or than a table can have (65,535); or fewer than one that is
    /// made while compiling.
    Size = "a table of another size: Definition::table_size(text), and 65,535 at most",
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ParseError {
    pub(super) const fn new(problem: Problem, text: &[u8], offset: usize) -> Self {
        let (line, column) = position(text, offset);
        ParseError {
            problem,
            offset,
            line,
            column,
        }
    }

    /// What is wrong.
    pub const fn problem(&self) -> Problem {
        self.problem
    }

    /// Where: bytes from the beginning of the text.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The line, from 1.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The column, from 1: characters, not bytes.
    pub const fn column(&self) -> usize {
        self.column
    }

    /// The error as a text that a `panic!` can say while compiling: `PATH:LINE:COLUMN: PROBLEM`.
    #[doc(hidden)]
    pub const fn message(&self, path: &str) -> Message {
        let mut message = Message::new();
        message.push(path.as_bytes());
        message.push(b":");
        message.number(self.line);
        message.push(b":");
        message.number(self.column);
        message.push(b": ");
        message.push(self.problem.as_str().as_bytes());
        message
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.problem)
    }
}

impl core::error::Error for ParseError {}

/// A text that was put together while compiling.
#[doc(hidden)]
pub struct Message {
    bytes: [u8; 512],
    length: usize,
}

impl Message {
    const fn new() -> Self {
        Message {
            bytes: [0; 512],
            length: 0,
        }
    }

    const fn push(&mut self, mut text: &[u8]) {
        while let [byte, rest @ ..] = text {
            if let Some((_, [next, ..])) = self.bytes.split_at_mut_checked(self.length) {
                *next = *byte;
                self.length = self.length.saturating_add(1);
            }
            text = rest;
        }
    }

    const fn number(&mut self, number: usize) {
        if number >= 10 {
            self.number(number / 10);
        }
        let [digit, ..] = (number % 10).to_le_bytes();
        self.push(&[b'0'.saturating_add(digit)]);
    }

    /// The text.
    pub const fn as_str(&self) -> &str {
        let text = match self.bytes.split_at_checked(self.length) {
            Some((text, _)) => text,
            None => &[],
        };
        match str::from_utf8(text) {
            Ok(text) => text,
            Err(_) => "not a definition",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idl::{Definition, Entry};

    #[test]
    fn i3_a_mistake_in_a_program_is_a_line_of_the_compiler() {
        for (text, message) in [
            ("", "x.varlink:1:1: expected interface and its name"),
            (
                "interface a.b\n\n\n\n\n\n\n\n\n         e",
                "x.varlink:10:10: expected type, method or error",
            ),
        ] {
            let error = Definition::parse(text, &mut [Entry::EMPTY; 9]).unwrap_err();
            assert_eq!(error.message("x.varlink").as_str(), message);
        }
        let mut message = Message::new();
        for number in [0, 7, 10, 1234567890, usize::MAX] {
            message.number(number);
            message.push(b" ");
        }
        let text = std::format!("0 7 10 1234567890 {} ", usize::MAX);
        assert_eq!(message.as_str(), text);
        // What does not fit is cut off.
        message.push(&[b'x'; 1000]);
        assert_eq!(message.as_str().len(), 512);
    }
}
