//! Words, white space and comments: what is between the entries of a table.

use core::str;

/// Where the first word of a text stands: `interface`.
pub(super) const fn first_word(text: &str) -> u32 {
    let (rest, _) = skip_space(text.as_bytes());
    text.len().saturating_sub(rest.len()) as u32
}

/// The name after the keyword at a place of a text.
pub(super) const fn name_after(text: &str, at: u32) -> &str {
    let keyword = after(text.as_bytes(), at as usize);
    let rest = after(keyword, word(keyword).len());
    as_str(word(skip_space(rest).0))
}

/// The name that stands at a place of a text.
pub(super) const fn name_at(text: &str, at: u32) -> &str {
    as_str(word_at(text.as_bytes(), at))
}

/// Letters, digits, and what else can be in a name.
pub(super) const fn word(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while is_in_word(rest)
        && let [_, tail @ ..] = rest
    {
        rest = tail;
    }
    match text.split_at_checked(text.len().saturating_sub(rest.len())) {
        Some((word, _)) => word,
        None => &[],
    }
}

/// Whether the first byte can be in a name.
pub(super) const fn is_in_word(text: &[u8]) -> bool {
    match text {
        [b'-', b'>', ..] => false,
        [byte, ..] => {
            matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-')
        }
        [] => false,
    }
}

/// The word that stands at a place of a text.
pub(super) const fn word_at(text: &[u8], at: u32) -> &[u8] {
    word(after(text, at as usize))
}

/// A text without its first bytes. Empty if there are fewer.
pub(super) const fn after(text: &[u8], count: usize) -> &[u8] {
    match text.split_at_checked(count) {
        Some((_, rest)) => rest,
        None => &[],
    }
}

const fn as_str(word: &[u8]) -> &str {
    match str::from_utf8(word) {
        Ok(word) => word,
        Err(_) => "",
    }
}

/// Skips the rest of a line, up to its end.
pub(super) const fn skip_line(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [] | [b'\n' | b'\r', ..] | [0xe2, 0x80, 0xa8 | 0xa9, ..] => return rest,
            [_, tail @ ..] => tail,
        };
    }
}

/// Skips white space and comments; says whether there was the end of a line among them.
pub(super) const fn skip_space(mut rest: &[u8]) -> (&[u8], bool) {
    let mut lines = false;
    loop {
        rest = match rest {
            [b' ' | b'\t', tail @ ..] => tail,
            [b'\n' | b'\r', tail @ ..] | [0xe2, 0x80, 0xa8 | 0xa9, tail @ ..] => {
                lines = true;
                tail
            }
            // A comment ends its line, at the end of the text, too.
            [b'#', tail @ ..] => {
                lines = true;
                skip_line(tail)
            }
            // The other characters that UAPI.20 counts as white space, in UTF-8.
            [0xc2, 0xa0, tail @ ..]
            | [0xef, 0xbb, 0xbf, tail @ ..]
            | [0xe1, 0x9a, 0x80, tail @ ..]
            | [0xe1, 0xa0, 0x8e, tail @ ..]
            | [0xe2, 0x80, 0x80..=0x8a | 0xaf, tail @ ..]
            | [0xe2, 0x81, 0x9f, tail @ ..]
            | [0xe3, 0x80, 0x80, tail @ ..] => tail,
            _ => return (rest, lines),
        };
    }
}

/// The next word or mark of a text, after the white space before it and before the rest. Empty at
/// the end of the text.
pub(crate) fn token(text: &str) -> (&str, &str, &str) {
    let after = skip_space(text.as_bytes()).0;
    let start = text.len().saturating_sub(after.len());
    let (space, rest) = text.split_at_checked(start).unwrap_or_default();
    let length = match after {
        [b'-', b'>', ..] => "->".len(),
        _ => word(after).len().max(1),
    };
    let (token, rest) = rest.split_at_checked(length).unwrap_or((rest, ""));
    (space, token, rest)
}

/// The characters that end a line, in UAPI.20's grammar.
pub(crate) const LINE_ENDS: [char; 4] = ['\n', '\r', '\u{2028}', '\u{2029}'];

/// Whether a character is white space that ends no line: UAPI.20's is not quite that of Unicode.
pub(super) fn is_space(c: char) -> bool {
    let text = &mut [0; 4];
    matches!(skip_space(c.encode_utf8(text).as_bytes()), ([], false))
}

/// The line and the column of a place, from 1. Columns are characters, not bytes.
pub(crate) const fn position(text: &[u8], offset: usize) -> (usize, usize) {
    let mut rest = match text.split_at_checked(offset) {
        Some((before, _)) => before,
        None => text,
    };
    let (mut line, mut column) = (1_usize, 1_usize);
    loop {
        (rest, line, column) = match rest {
            [] => return (line, column),
            [b'\r', b'\n', tail @ ..]
            | [b'\n' | b'\r', tail @ ..]
            | [0xe2, 0x80, 0xa8 | 0xa9, tail @ ..] => (tail, line.saturating_add(1), 1),
            // Not the first byte of a character.
            [0x80..=0xbf, tail @ ..] => (tail, line, column),
            [_, tail @ ..] => (tail, line, column.saturating_add(1)),
        };
    }
}
