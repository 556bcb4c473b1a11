//! Words, white space and comments of a definition.

use core::str;

/// Returns the offset of the first word of a text: `interface`.
pub(super) const fn first_word(text: &str) -> u32 {
    let (rest, _) = skip_space(text.as_bytes());
    text.len().saturating_sub(rest.len()) as u32
}

/// Returns the name after the keyword at an offset of a text.
pub(super) const fn name_after(text: &str, at: u32) -> &str {
    let keyword = after(text.as_bytes(), at as usize);
    let rest = after(keyword, word(keyword).len());
    as_str(word(skip_space(rest).0))
}

/// Returns the bytes at the beginning of a text that can be in a name.
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

/// True if the first byte can be in a name.
pub(super) const fn is_in_word(text: &[u8]) -> bool {
    match text {
        [b'-', b'>', ..] => false,
        [byte, ..] => {
            matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-')
        }
        [] => false,
    }
}

/// Returns the word at an offset of a text.
pub(super) const fn word_at(text: &[u8], at: u32) -> &[u8] {
    word(after(text, at as usize))
}

/// Returns a text without its first `count` bytes, or an empty text if it has fewer.
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

/// True if these three bytes are another character that UAPI.20 counts as white space, in UTF-8.
const fn is_wide_space(bytes: u32) -> bool {
    matches!(
        bytes,
        0xefbbbf | 0xe19a80 | 0xe1a08e | 0xe28080..=0xe2808a | 0xe280af | 0xe2819f | 0xe38080
    )
}

/// Skips white space without line ends.
const fn skip_blank(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [b' ' | b'\t', tail @ ..] => tail,
            [0xc2, 0xa0, tail @ ..] => tail,
            [a, b, c, tail @ ..] if is_wide_space(u32::from_be_bytes([0, *a, *b, *c])) => tail,
            _ => return rest,
        };
    }
}

/// Returns the rest after a line end, if the text begins with one.
const fn after_line_end(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'\r', b'\n', tail @ ..]
        | [b'\n' | b'\r', tail @ ..]
        | [0xe2, 0x80, 0xa8 | 0xa9, tail @ ..] => Some(tail),
        _ => None,
    }
}

/// Skips white space and comments. Returns the rest, and whether a line ended in them.
pub(super) const fn skip_space(text: &[u8]) -> (&[u8], bool) {
    let (rest, lines, _) = skip_documentation(text);
    (rest, lines)
}

/// Like `skip_space`, and returns the flags in the documentation of the method that follows, as
/// systemd writes them.
pub(super) const fn skip_documentation(mut rest: &[u8]) -> (&[u8], bool, u16) {
    let (mut lines, mut flags) = (false, 0);
    loop {
        rest = skip_blank(rest);
        if let [b'#', comment @ ..] = rest {
            // A comment on the line of the item before is not documentation.
            if lines {
                flags |= flag(comment);
            }
            // A comment ends its line, even at the end of the text.
            let end = skip_line(comment);
            rest = match after_line_end(end) {
                Some(tail) => tail,
                None => end,
            };
        } else if let Some(tail) = after_line_end(rest) {
            // An empty line ends the documentation of something else.
            flags = 0;
            rest = tail;
        } else {
            return (rest, lines, flags);
        }
        lines = true;
    }
}

/// A call of the method must have the flag `more`.
pub(super) const REQUIRES_MORE: u16 = 1;

/// A call of the method must have the flag `upgrade`.
pub(super) const REQUIRES_UPGRADE: u16 = 2;

/// A call of the method can have the flag `more`.
pub(super) const SUPPORTS_MORE: u16 = 4;

/// A call of the method can have the flag `upgrade`.
pub(super) const SUPPORTS_UPGRADE: u16 = 8;

/// Returns the flags that a comment stands for. It looks no further than the end of the line.
const fn flag(mut comment: &[u8]) -> u16 {
    while let [b' ' | b'\t', tail @ ..] = comment {
        comment = tail;
    }
    let (requires, comment) = if let Some(rest) = strip(comment, b"[Requires '") {
        (true, rest)
    } else if let Some(rest) = strip(comment, b"[Supports '") {
        (false, rest)
    } else {
        return 0;
    };
    if strip(comment, b"more' flag]").is_some() {
        SUPPORTS_MORE | if requires { REQUIRES_MORE } else { 0 }
    } else if strip(comment, b"upgrade' flag]").is_some() {
        SUPPORTS_UPGRADE | if requires { REQUIRES_UPGRADE } else { 0 }
    } else {
        0
    }
}

/// True if two texts are the same. A pattern would compare each byte with code for it.
pub(super) const fn is(text: &[u8], other: &[u8]) -> bool {
    matches!(strip(text, other), Some([]))
}

/// Returns the rest of a text that begins with another.
pub(super) const fn strip<'t>(mut text: &'t [u8], mut prefix: &[u8]) -> Option<&'t [u8]> {
    while let [byte, tail @ ..] = prefix {
        match text {
            [first, rest @ ..] if *first == *byte => (text, prefix) = (rest, tail),
            _ => return None,
        }
    }
    Some(text)
}

/// Splits off the next token: returns the white space and comments before it, the word or mark, and
/// the rest of the text. The token is empty at the end of the text.
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

/// True if a character is white space but not a line end. UAPI.20 has its own list, which differs
/// from Unicode's.
pub(super) fn is_space(c: char) -> bool {
    let text = &mut [0; 4];
    matches!(skip_space(c.encode_utf8(text).as_bytes()), ([], false))
}

/// Returns the line and the column of an offset, from 1. Columns are characters, not bytes.
pub(crate) const fn position(text: &[u8], offset: usize) -> (usize, usize) {
    let mut rest = match text.split_at_checked(offset) {
        Some((before, _)) => before,
        None => text,
    };
    let (mut line, mut column) = (1_usize, 1_usize);
    loop {
        if let Some(tail) = after_line_end(rest) {
            (rest, line, column) = (tail, line.saturating_add(1), 1);
            continue;
        }
        (rest, column) = match rest {
            [] => return (line, column),
            // A continuation byte of a UTF-8 character.
            [0x80..=0xbf, tail @ ..] => (tail, column),
            [_, tail @ ..] => (tail, column.saturating_add(1)),
        };
    }
}
