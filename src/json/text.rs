//! The inside of JSON's strings: escapes, and what they stand for (RFC 8259, section 7).

use core::iter;

use crate::bytes::{add_to_hash, count_plain, hash, move_plain};
use crate::error::Syntax;

/// What is between the quotes of a string, as it is written. It has been scanned.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub inside: &'a [u8],
    /// Whether it does not stand for itself.
    pub has_escapes: bool,
}

impl<'a> Text<'a> {
    /// Whether it stands for `name`, which has nothing to escape.
    pub fn is(&self, name: &str) -> bool {
        self.same(&Text {
            inside: name.as_bytes(),
            has_escapes: false,
        })
    }

    /// Whether both stand for the same.
    pub fn same(&self, other: &Text<'_>) -> bool {
        self.inside == other.inside
            || (self.has_escapes || other.has_escapes) && self.same_unescaped(other)
    }

    #[inline(never)] // most strings have no escape
    fn same_unescaped(&self, other: &Text<'_>) -> bool {
        self.unescaped().eq(other.unescaped())
    }

    /// How many bytes it stands for.
    pub fn length(&self) -> usize {
        if self.has_escapes {
            self.unescaped().count()
        } else {
            self.inside.len()
        }
    }

    /// A hash of what it stands for.
    pub fn hash(&self) -> u16 {
        if self.has_escapes {
            self.unescaped().fold(0, add_to_hash)
        } else {
            hash(self.inside)
        }
    }

    /// Whether what it stands for has a dot in it.
    pub fn has_dot(&self) -> bool {
        self.unescaped().any(|byte| byte == b'.')
    }

    /// The bytes that it stands for, one after another.
    pub fn unescaped(&self) -> impl Iterator<Item = u8> + use<'a> {
        let mut text = self.inside;
        let (mut utf8, mut waiting) = ([0; 4], 0..0_usize);
        iter::from_fn(move || {
            if waiting.is_empty() {
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
                (waiting, text) = (0..length, rest);
            }
            utf8.get(waiting.next()?).copied()
        })
    }
}

/// The byte that a backslash and a letter stand for; None for `u`, and for what is no escape.
fn short(letter: u8) -> Option<u8> {
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

/// The character that an escape stands for, and what is behind it. `text` begins behind the
/// backslash. The two halves of a surrogate pair are one escape.
pub(crate) fn escape(text: &[u8]) -> Result<(char, &[u8]), Syntax> {
    match text {
        [b'u', rest @ ..] => unicode(rest),
        [letter, rest @ ..] => match short(*letter) {
            Some(byte) => Ok((char::from(byte), rest)),
            None => Err(Syntax::Escape),
        },
        [] => Err(Syntax::Incomplete),
    }
}

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
    // None is half of a pair.
    let char = char::from_u32(point).ok_or(Syntax::Surrogate)?;
    Ok((char, rest))
}

/// The four hexadecimal digits behind `\u`.
fn code_unit(text: &[u8]) -> Result<(u32, &[u8]), Syntax> {
    let (digits, rest) = text.split_first_chunk::<4>().ok_or(Syntax::Incomplete)?;
    let mut unit = 0;
    for digit in digits {
        unit = unit << 4 | char::from(*digit).to_digit(16).ok_or(Syntax::Escape)?;
    }
    Ok((unit, rest))
}

/// How long the inside of a string is, up to its quote, or to what is wrong. The first bytes are
/// known to stand for themselves.
#[inline(never)] // most strings have no escape
pub(crate) fn count_inside(bytes: &[u8], plain: usize) -> (usize, Option<Syntax>) {
    let mut rest = bytes.get(plain..).unwrap_or_default();
    let wrong = loop {
        match rest {
            [b'"', ..] => break None,
            [b'\\', letter, tail @ ..] if short(*letter).is_some() => rest = tail,
            [b'\\', tail @ ..] => match escape(tail) {
                Ok((_, tail)) => rest = tail,
                Err(kind) => break Some(kind),
            },
            [0..=0x1f, ..] => break Some(Syntax::Control),
            [_, ..] => rest = rest.get(count_plain(rest)..).unwrap_or_default(),
            [] => break Some(Syntax::Incomplete),
        }
    };
    (bytes.len().saturating_sub(rest.len()), wrong)
}

/// Replaces the escapes of a string's inside by what they stand for, in its own place, up to its
/// quote or the end of the bytes; returns how long it is now, and how long it was. The first bytes,
/// so many of them, are known to stand for themselves.
pub(crate) fn unescape_to_quote(bytes: &mut [u8], plain: usize) -> Result<(usize, usize), Syntax> {
    let (mut from, mut to) = (plain, plain);
    loop {
        match bytes.get(from..).unwrap_or_default() {
            [] | [b'"', ..] => return Ok((to, from)),
            [b'\\', rest @ ..] => {
                // Most escapes stand for one byte.
                if let Some(byte) = rest.first().copied().and_then(short) {
                    put(bytes, &mut to, byte);
                    from = from.saturating_add(2);
                    continue;
                }
                let (char, rest) = escape(rest)?;
                from = bytes.len().saturating_sub(rest.len());
                for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                    put(bytes, &mut to, byte);
                }
            }
            [0..=0x1f, ..] => return Err(Syntax::Control),
            _ => (from, to) = move_plain(bytes, from, to),
        }
    }
}

fn put(bytes: &mut [u8], to: &mut usize, byte: u8) {
    if let Some(place) = bytes.get_mut(*to) {
        *place = byte;
    }
    *to = to.saturating_add(1);
}

/// Replaces the escapes of a string's inside by what they stand for, in its own place.
pub(crate) fn unescape(bytes: &mut [u8]) -> Result<&[u8], Syntax> {
    let (length, _) = unescape_to_quote(bytes, count_plain(bytes))?;
    Ok(bytes.get(..length).unwrap_or_default())
}

/// How a byte is written that does not stand for itself: the letter of its escape, which is `u` if
/// four digits follow.
pub(crate) fn letter(byte: u8) -> Option<u8> {
    match byte {
        0x8 => Some(b'b'),
        0xc => Some(b'f'),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        b'\t' => Some(b't'),
        0..=0x1f => Some(b'u'),
        b'"' | b'\\' => Some(byte),
        _ => None,
    }
}

/// The four hexadecimal digits of a control character.
pub(crate) fn digits(byte: u8) -> [u8; 4] {
    let low = match byte & 0xf {
        digit @ 0..=9 => digit.wrapping_add(b'0'),
        digit => digit.wrapping_add(b'a'.wrapping_sub(10)),
    };
    [b'0', b'0', (byte >> 4).wrapping_add(b'0'), low]
}
