//! Parse errors: what was expected, and where.

use core::fmt;
use core::str;

use super::text::position;
use crate::error::Number;

/// An error in a definition: what was expected, and where.
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

/// Declares [`Problem`]: its variants, each with a text that says what was expected.
macro_rules! problems {
    ($($(#[$doc:meta])* $problem:ident = $expected:literal,)*) => {
        /// The kinds of errors in a definition.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Problem {
            $($(#[$doc])* $problem,)*
        }

        impl Problem {
            /// Returns the text that says what was expected.
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
    /// A member does not begin on a new line.
    LineBreak = "a line break: each member begins on a new line",
    /// No white space follows a keyword.
    Space = "white space",
    /// Not the name of a type, a method or an error.
    MemberName = "a name that begins with an uppercase letter",
    /// The name of a type, a method or an error has another character.
    MemberCharacter = "a letter or a digit in the name, as in FullName",
    /// Not the name of a field.
    FieldName = "the name of a field",
    /// Neither the name of a field, nor the end of an empty list.
    FieldNameOrClose = "the name of a field, or )",
    /// The name of a field or a value does not begin with a letter.
    FieldStart = "a name that begins with a letter",
    /// The name of a field or a value has another character.
    FieldCharacter = "a letter, a digit or _ in the name, as in full_name",
    /// The name of a field or a value ends in `_`, or has two of them in a row.
    Underscore = "_ only between letters or digits, as in full_name",
    /// A name of more than [`Definition::MAX_NAME`](super::Definition::MAX_NAME) bytes.
    LongName = "a name of at most 255 bytes",
    /// No `(`.
    Open = "(",
    /// Neither `,` nor `)`.
    CommaOrClose = ", or )",
    /// A `,` after the last field or value.
    LastComma = "no comma before )",
    /// `[]` or `[string]` after a type.
    PrefixArray = "[] or [string] before the type, as in x: []string",
    /// `?` before or after the name of a field, or after a type.
    PrefixNullable = "? before the type, as in x: ?string",
    /// No `:` follows the name of a field.
    Colon = ": and a type",
    /// Not `->`.
    Arrow = "-> and the reply's parameters",
    /// Not a type.
    Type = "a type: bool, int, float, string, object, any, a name, ( [ or ?",
    /// `??`.
    Nullable = "a single ?: the type is nullable already",
    /// Another member has the same name.
    DuplicateMember = "another name: a member has this one already",
    /// Another field or value of the list has the same name.
    DuplicateField = "another name: the list has this one already",
    /// A type that is not defined.
    UnknownType = "the name of a type: no type has this name",
    /// The name of a method or an error where a type is expected.
    NotAType = "the name of a type: this is a method or an error",
    /// A structure that contains itself other than in a nullable, an array or a map: its values
    /// would be infinite.
    Endless = "a type that does not contain itself: it has no finite value",
    /// A structure with more than [`Definition::MAX_FIELDS`](super::Definition::MAX_FIELDS) fields.
    Fields = "at most 256 fields",
    /// An enumeration with more than [`Definition::MAX_VALUES`](super::Definition::MAX_VALUES)
    /// values.
    Values = "at most 1024 values",
    /// Types nested more deeply than [`Definition::MAX_DEPTH`](super::Definition::MAX_DEPTH).
    Depth = "less deeply nested types",
    /// The definition needs more entries than the table has, or more than 65,535. At compile time:
    /// the table is not of the exact size.
    Size = "a table of Definition::table_size(text) entries, at most 65,535",
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

    /// Returns the kind of the error.
    pub const fn problem(&self) -> Problem {
        self.problem
    }

    /// Returns the position, in bytes from the beginning of the text.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns the line, counted from 1.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// Returns the column, counted in characters from 1.
    pub const fn column(&self) -> usize {
        self.column
    }

    /// Returns the text of a `panic!` at compile time: `PATH:LINE:COLUMN: PROBLEM`.
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
        write!(
            f,
            "{}:{}: {}",
            Number(self.line),
            Number(self.column),
            self.problem
        )
    }
}

impl core::error::Error for ParseError {}

/// A text that is formatted at compile time, of up to 512 bytes.
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

    /// Returns the text.
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
    fn i3_compile_errors_have_path_line_column_and_problem() {
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
        // Text that does not fit is truncated.
        message.push(&[b'x'; 1000]);
        assert_eq!(message.as_str().len(), 512);
    }
}
