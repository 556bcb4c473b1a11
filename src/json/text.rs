//! The inside of JSON strings: escapes and the characters they represent (RFC 8259, section 7).
//!
//! A plain byte is one that represents itself, and needs no escape.

use core::cell::Cell;
use core::iter;

use crate::bytes::{
    BLOCK, Moving, add_to_hash, after, copy, copy_blocks, copy_short, count_before, count_plain,
    hash, is_special, mark_escaped, mark_special, skip_plain_blocks,
};
use crate::error::Syntax;

/// The text between the quotes of a string, as it is written. It has been scanned.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub inside: &'a [u8],
    /// True if `inside` contains an escape.
    pub has_escapes: bool,
}

impl<'a> Text<'a> {
    /// True if the string is `name`, which must have only plain bytes.
    pub fn is(&self, name: &str) -> bool {
        self.same(&Text {
            inside: name.as_bytes(),
            has_escapes: false,
        })
    }

    /// True if both are the same string, however they are escaped.
    pub fn same(&self, other: &Text<'_>) -> bool {
        self.inside == other.inside
            || (self.has_escapes || other.has_escapes) && self.same_unescaped(other)
    }

    #[inline(never)] // most strings have no escapes
    fn same_unescaped(&self, other: &Text<'_>) -> bool {
        self.unescaped().eq(other.unescaped())
    }

    /// Returns the length of the unescaped string, in bytes.
    pub fn length(&self) -> usize {
        if self.has_escapes {
            self.unescaped().count()
        } else {
            self.inside.len()
        }
    }

    /// Returns a hash of the unescaped string.
    pub fn hash(&self) -> u16 {
        if self.has_escapes {
            self.unescaped().fold(0, add_to_hash)
        } else {
            hash(self.inside)
        }
    }

    /// True if the unescaped string contains a dot.
    pub fn has_dot(&self) -> bool {
        self.unescaped().any(|byte| byte == b'.')
    }

    /// Returns the bytes of the unescaped string.
    pub fn unescaped(&self) -> impl Iterator<Item = u8> + use<'a> {
        let mut text = self.inside;
        let (mut utf8, mut pending) = ([0; 4], 0..0_usize);
        iter::from_fn(move || {
            if pending.is_empty() {
                let (length, rest) = match text {
                    [] => return None,
                    [b'\\', rest @ ..] => {
                        let (char, rest) = escape(rest).ok()?;
                        (char.encode_utf8(&mut utf8).len(), rest)
                    }
                    [byte, rest @ ..] => {
                        utf8 = [*byte; 4];
                        (1, rest)
                    }
                };
                (pending, text) = (0..length, rest);
            }
            utf8.get(pending.next()?).copied()
        })
    }
}

/// Returns the byte that a backslash and `letter` represent; None if `letter` is `u`, or does not
/// form an escape.
fn short_escape(letter: u8) -> Option<u8> {
    match letter {
        b'"' | b'\\' | b'/' => Some(letter),
        b'b' => Some(0x8),
        b'f' => Some(0xc),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        _ => None,
    }
}

/// Returns the character that an escape represents, and the text after the escape. `text` begins
/// after the backslash. The two halves of a surrogate pair are one escape.
pub(crate) fn escape(text: &[u8]) -> Result<(char, &[u8]), Syntax> {
    match text {
        [b'u', rest @ ..] => unicode(rest),
        [letter, rest @ ..] => match short_escape(*letter) {
            Some(byte) => Ok((char::from(byte), rest)),
            None => Err(Syntax::Escape),
        },
        [] => Err(Syntax::Incomplete),
    }
}

/// Like [`escape`], for the escape `\u`. `text` begins after the `u`.
fn unicode(text: &[u8]) -> Result<(char, &[u8]), Syntax> {
    let (unit, rest) = code_unit(text)?;
    let (point, rest) = match (unit, rest) {
        (0xd800..=0xdbff, [b'\\', b'u', rest @ ..]) => {
            let (low, rest) = code_unit(rest)?;
            if !matches!(low, 0xdc00..=0xdfff) {
                return Err(Syntax::Surrogate);
            }
            let point = 0x10000_u32.wrapping_add((unit & 0x3ff) << 10 | low & 0x3ff);
            (point, rest)
        }
        other => other,
    };
    // Half of a surrogate pair is not a `char`.
    let char = char::from_u32(point).ok_or(Syntax::Surrogate)?;
    Ok((char, rest))
}

/// Returns the number in the four hexadecimal digits after `\u`, and the text after them.
fn code_unit(text: &[u8]) -> Result<(u32, &[u8]), Syntax> {
    let (digits, rest) = text.split_first_chunk::<4>().ok_or(Syntax::Incomplete)?;
    let mut unit = 0;
    for digit in digits {
        unit = unit << 4 | char::from(*digit).to_digit(16).ok_or(Syntax::Escape)?;
    }
    Ok((unit, rest))
}

/// Skips plain bytes and escapes of one letter, a word at a time; returns the rest.
///
/// The escapes of a word are taken from its marks, so that no load waits for the escape before it.
fn skip_short_escapes(bytes: &[u8]) -> &[u8] {
    let (mut rest, mut plain_words) = (bytes, 0_usize);
    while let Some((word, tail)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        let (mut marks, mut next) = (mark_special(word), tail);
        if marks == 0 {
            plain_words = plain_words.wrapping_add(1);
            if plain_words == BLOCK {
                next = skip_plain_blocks(tail);
            }
        }
        while marks != 0 {
            plain_words = 0;
            let shift = marks.trailing_zeros() & !7;
            let [byte, letter, ..] = (word >> shift).to_le_bytes();
            let letter = if shift < 56 {
                letter
            } else {
                let [letter, tail @ ..] = tail else {
                    return after(rest, 7);
                };
                next = tail;
                *letter
            };
            if byte != b'\\' || short_escape(letter).is_none() {
                return after(rest, count_before(marks));
            }
            // The letter may be marked as well: a quote or a backslash.
            marks &= !0xffff << shift;
        }
        rest = next;
    }
    rest
}

/// Returns the length of the inside of a string, up to its quote or to a mistake, and the mistake.
/// The first `plain` bytes are plain, and the next is not: see [`count_plain`].
#[inline(never)] // most strings have no escapes
pub(crate) fn count_inside(bytes: &[u8], plain: usize) -> (usize, Option<Syntax>) {
    let mut rest = after(bytes, plain);
    let mistake = loop {
        rest = skip_short_escapes(rest);
        rest = match rest {
            [b'\\', tail @ ..] => match escape(tail) {
                Ok((_, tail)) => tail,
                Err(kind) => break Some(kind),
            },
            [b'"', ..] => break None,
            [0..=0x1f, ..] => break Some(Syntax::Control),
            // Less than a word is left.
            [_, ..] => after(rest, count_plain(rest)),
            [] => break Some(Syntax::Incomplete),
        };
    };
    (bytes.len().wrapping_sub(rest.len()), mistake)
}

/// Unescapes the inside of a string in place, up to its quote, to a mistake or to the end of the
/// bytes; returns the new length and the old one. The first `plain` bytes are plain, and the next is
/// not: see [`count_plain`].
pub(crate) fn unescape_to_quote(bytes: &mut [u8], plain: usize) -> (usize, usize) {
    let (mut from, mut to) = (plain, plain);
    loop {
        (from, to) = unescape_short(bytes, from, to);
        let [b'\\', rest @ ..] = after(bytes, from) else {
            return (to, from);
        };
        let Ok((char, rest)) = escape(rest) else {
            return (to, from);
        };
        from = bytes.len().wrapping_sub(rest.len());
        for byte in char.encode_utf8(&mut [0; 4]).bytes() {
            if let Some(target) = bytes.get_mut(to) {
                *target = byte;
            }
            to = to.wrapping_add(1);
        }
    }
}

/// Moves plain bytes from `from` to `to`, and unescapes escapes of one letter, which most are. Returns
/// both indices at the first byte that is neither.
fn unescape_short(bytes: &mut [u8], from: usize, to: usize) -> (usize, usize) {
    let length = bytes.len();
    let cells = Cell::from_mut(bytes).as_slice_of_cells();
    let mut moving = Moving {
        from: cells.get(from..).unwrap_or_default(),
        to: cells.get(to..).unwrap_or_default(),
    };
    loop {
        match moving.from {
            // A shortcut for texts with many escapes.
            [plain, next, ..] if next.get() == b'\\' && !is_special(plain.get()) => {
                moving.from = moving.from.get(1..).unwrap_or_default();
                moving.put(plain.get());
            }
            _ => moving.plain(),
        }
        match moving.from {
            [backslash, letter, rest @ ..]
                if backslash.get() == b'\\'
                    && let Some(byte) = short_escape(letter.get()) =>
            {
                moving.from = rest;
                moving.put(byte);
            }
            rest => {
                let offset = |rest: &[_]| length.wrapping_sub(rest.len());
                return (offset(rest), offset(moving.to));
            }
        }
    }
}

/// Unescapes the whole inside of a string in place; returns the result, or None if it contains a
/// mistake.
pub(crate) fn unescape(bytes: &mut [u8]) -> Option<&[u8]> {
    let (length, read) = unescape_to_quote(bytes, count_plain(bytes));
    bytes.get(..length).filter(|_| read == bytes.len())
}

/// Writes the inside of a string, as much of it as there is room for; returns the numbers of bytes
/// read and written. The bytes of the room after them may change, too.
pub(crate) fn escape_to(text: &[u8], room: &mut [u8]) -> (usize, usize) {
    let (mut from, mut at) = (text, 0_usize);
    let mut plain_words = 0_usize;
    while let Some((word, tail)) = from.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        let marks = mark_escaped(word);
        let Some(to) = room.get_mut(at..) else {
            break;
        };
        let growth = if marks == 0 {
            let Some(target) = to.first_chunk_mut() else {
                break;
            };
            *target = word.to_le_bytes();
            plain_words = plain_words.wrapping_add(1);
            0
        } else {
            let Some(target) = to.first_chunk_mut() else {
                break;
            };
            plain_words = 0;
            escape_word(word, marks, target)
        };
        (from, at) = (tail, at.wrapping_add(growth).wrapping_add(8));
        if plain_words == BLOCK {
            let count = copy_blocks(from, room.get_mut(at..).unwrap_or_default());
            (from, at) = (after(from, count), at.wrapping_add(count));
            plain_words = 0;
        }
    }
    if copy_short(from, room.get_mut(at..).unwrap_or_default()) {
        return (text.len(), at.wrapping_add(from.len()));
    }
    // A last word with escapes, or the end of the room.
    while let [byte, tail @ ..] = from {
        let word = u64::from(*byte);
        let mut escape = [0; ESCAPED_WORD];
        let growth = escape_word(word, mark_escaped(word) & 0x80, &mut escape);
        let length = growth.wrapping_add(1);
        let to = room.get_mut(at..).unwrap_or_default();
        if to.len() < length {
            break;
        }
        copy(&escape, to);
        (from, at) = (tail, at.wrapping_add(length));
    }
    (text.len().wrapping_sub(from.len()), at)
}

/// The length of the longest escape, and of the word that is written after each escape.
const ESCAPE: usize = 6 + 8;
/// The length of the room for a word of escapes, whose offsets are below 64.
const ESCAPED_WORD: usize = 63 + ESCAPE;

/// Writes a word with escapes for the marked bytes; returns the number of bytes that this adds. No
/// load waits for an escape before it, so a processor works on several words at once.
fn escape_word(word: u64, marks: u64, target: &mut [u8; ESCAPED_WORD]) -> usize {
    if let Some(target) = target.first_chunk_mut() {
        *target = word.to_le_bytes();
    }
    let (mut marks, mut growth) = (marks, 0_usize);
    while marks != 0 {
        let before = count_before(marks);
        marks &= marks.wrapping_sub(1);
        let at = before.wrapping_add(growth);
        let word = word.wrapping_shr((before as u32) << 3);
        let [byte, ..] = word.to_le_bytes();
        // Never more than 42, after seven escapes. With the mask, the compiler needs no check.
        let Some([backslash, letter, rest @ ..]) = target
            .get_mut(at & 63..)
            .and_then(<[u8]>::first_chunk_mut::<ESCAPE>)
        else {
            break;
        };
        (*backslash, *letter) = (b'\\', escape_letter(byte));
        // The rest of the word, up to the next escape.
        let rest = if *letter == b'u' {
            let [a, b, c, d, rest @ ..] = rest;
            [*a, *b, *c, *d] = hex_digits(byte);
            growth = growth.wrapping_add(5);
            rest
        } else {
            let [rest @ .., _, _, _, _] = rest;
            growth = growth.wrapping_add(1);
            rest
        };
        *rest = (word >> 8).to_le_bytes();
    }
    growth
}

/// Returns the letter of the escape for a byte that needs one. [`hex_digits`] must follow `u`.
fn escape_letter(byte: u8) -> u8 {
    /// The letters for the control characters.
    const LETTERS: [u8; 32] = *b"uuuuuuuubtnufruuuuuuuuuuuuuuuuuu";
    match LETTERS.get(usize::from(byte)) {
        Some(letter) => *letter,
        None if byte == 0x7f => b'u',
        None => byte,
    }
}

/// Returns the four hexadecimal digits of a control character, which is less than U+0080.
fn hex_digits(byte: u8) -> [u8; 4] {
    let low = match byte & 0xf {
        digit @ 0..=9 => digit.wrapping_add(b'0'),
        digit => digit.wrapping_add(b'a'.wrapping_sub(10)),
    };
    [b'0', b'0', (byte >> 4).wrapping_add(b'0'), low]
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// Returns the length of the inside of a string, and its mistake, one byte after another.
    fn count_slowly(bytes: &[u8]) -> (usize, Option<Syntax>) {
        let mut rest = bytes;
        let mistake = loop {
            rest = match rest {
                [] => break Some(Syntax::Incomplete),
                [b'"', ..] => break None,
                [b'\\', tail @ ..] => match escape(tail) {
                    Ok((_, tail)) => tail,
                    Err(kind) => break Some(kind),
                },
                [0..=0x1f, ..] => break Some(Syntax::Control),
                [_, tail @ ..] => tail,
            };
        };
        (bytes.len() - rest.len(), mistake)
    }

    #[test]
    fn escapes_and_mistakes_are_found_at_every_place() {
        let units: [&[u8]; 8] = [
            b"\\n", b"\\\"", b"\\\\", b"\\/", b"\\u0041", b"\\x", b"\x1f", b"\"",
        ];
        for length in 0..40 {
            let plain: Vec<u8> = (0..length).map(|n| [b'x', 0xc3, 0x7f][n % 3]).collect();
            for first in 0..=length {
                for (second, unit) in (first..=length).zip(units.iter().cycle().skip(first)) {
                    for other in units {
                        let (before, after) = plain.split_at(first);
                        let (between, after) = after.split_at(second - first);
                        let text = [before, unit, between, other, after, b"\"x"].concat();
                        for end in [text.len(), text.len() - 2] {
                            let text = &text[..end];
                            let found = count_inside(text, count_plain(text));
                            assert_eq!(found, count_slowly(text), "{}", text.escape_ascii());
                        }
                    }
                }
            }
        }
    }
}
