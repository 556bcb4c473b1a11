//! Names of the definition as names of Rust, which has other habits and keywords.

use core::iter;

/// What the module has names for, apart from the definition's.
pub(super) const RESERVED: [&str; 10] = [
    "Deserialize",
    "Error",
    "INTERFACE",
    "Method",
    "Methods",
    "NoError",
    "Option",
    "Raw",
    "Self",
    "Serialize",
];

/// Keywords that can be names when they are written `r#`.
pub(super) const KEYWORDS: [&str; 48] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// Keywords that can't be names.
pub(super) const UNUSABLE: [&str; 4] = ["Self", "crate", "self", "super"];

/// How words are put together to a name.
#[derive(Clone, Copy)]
pub(super) enum Case {
    /// `two_words`
    Snake,
    /// `twoWords`
    Camel,
    /// `TwoWords`
    Pascal,
    /// What serde's `snake_case` makes of `TwoWords`: digits begin no word.
    SnakeOfPascal,
}

/// How the names of a list are told to serde: the attribute, and what it makes of the Rust names.
pub(super) type Rule = (Option<&'static str>, Case);

pub(super) const FIELD_RULES: [Rule; 3] = [
    (None, Case::Snake),
    (Some("camelCase"), Case::Camel),
    (Some("PascalCase"), Case::Pascal),
];

pub(super) const VALUE_RULES: [Rule; 3] = [
    (None, Case::Pascal),
    (Some("snake_case"), Case::SnakeOfPascal),
    (Some("camelCase"), Case::Camel),
];

/// The letters of a name, without what is between its words; whether each begins a word.
pub(super) fn letters(name: &str) -> impl Iterator<Item = (bool, char)> + Clone {
    let before = iter::once('_').chain(name.chars());
    let behind = name.chars().skip(1).chain(iter::once('_'));
    let letters = name.chars().zip(before).zip(behind);
    letters.filter_map(|((this, before), behind)| {
        let begins = before == '_'
            || (this.is_ascii_uppercase()
                && (!before.is_ascii_uppercase() || behind.is_ascii_lowercase()));
        (this != '_').then_some((begins, this))
    })
}

/// The same words as another name.
pub(super) fn cased(name: &str, case: Case) -> impl Iterator<Item = char> + Clone {
    let letters = letters(name).enumerate();
    letters.flat_map(move |(index, (begins, letter))| {
        let (separated, upper) = match case {
            Case::Snake => (begins, false),
            Case::SnakeOfPascal => (begins && letter.is_ascii_alphabetic(), false),
            Case::Camel => (false, begins && index > 0),
            Case::Pascal => (false, begins),
        };
        let letter = match upper {
            true => letter.to_ascii_uppercase(),
            false => letter.to_ascii_lowercase(),
        };
        let separator = (separated && index > 0).then_some('_');
        separator.into_iter().chain(iter::once(letter))
    })
}
