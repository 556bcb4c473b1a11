//! The inside of JSON's strings: escapes, and what they stand for (RFC 8259, section 7).

use core::{iter, str};

use crate::bytes::count_plain;
use crate::error::Syntax;

/// The character that an escape stands for, and what is behind it. `text` begins behind the
/// backslash. The two halves of a surrogate pair are one escape.
pub(crate) fn escape(text: &[u8]) -> Result<(char, &[u8]), Syntax> {
    let [letter, rest @ ..] = text else {
        return Err(Syntax::Incomplete);
    };
    let char = match letter {
        b'"' | b'\\' | b'/' => char::from(*letter),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(rest),
        _ => return Err(Syntax::Escape),
    };
    Ok((char, rest))
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

/// Replaces the escapes of a string's text by what they stand for, in its own place: that is
/// never longer.
pub(crate) fn unescape(text: &mut [u8]) -> Result<&[u8], Syntax> {
    // Most strings have no escape.
    let Some(first) = text.iter().position(|byte| *byte == b'\\') else {
        return Ok(text);
    };
    let (mut from, mut to) = (first, first);
    while let Some(rest) = text.get(from..) {
        let mut utf8 = [0; 4];
        let (bytes, behind): (&[u8], usize) = match rest {
            [] => break,
            [b'\\', rest @ ..] => {
                let (char, behind) = escape(rest)?;
                (char.encode_utf8(&mut utf8).as_bytes(), behind.len())
            }
            [byte, behind @ ..] => {
                utf8 = [*byte, 0, 0, 0];
                (utf8.split_at(1).0, behind.len())
            }
        };
        from = text.len().saturating_sub(behind);
        let place = text.get_mut(to..).unwrap_or_default();
        place
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        to = to.saturating_add(bytes.len());
    }
    Ok(text.get(..to).unwrap_or_default())
}

/// Whether the text of a string stands for `name`, which has nothing to escape.
pub(crate) fn equals(text: &[u8], name: &str) -> bool {
    text == name.as_bytes() || unescaped(text).eq(name.bytes())
}

/// Whether the texts of two strings stand for the same.
pub(crate) fn same(one: &[u8], two: &[u8]) -> bool {
    match one.contains(&b'\\') || two.contains(&b'\\') {
        true => unescaped(one).eq(unescaped(two)),
        false => one == two,
    }
}

/// The bytes that the text of a string stands for, one after another.
pub(crate) fn unescaped(mut text: &[u8]) -> impl Iterator<Item = u8> {
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

/// Whether what the text of a string stands for has a dot in it.
pub(crate) fn has_dot(text: &[u8]) -> bool {
    unescaped(text).any(|byte| byte == b'.')
}

/// How many bytes of a string's text, which may be cut off, are characters and escapes that are
/// whole; up to its quote.
pub(crate) fn count_whole(text: &[u8]) -> usize {
    let mut rest = text;
    loop {
        let plain = count_plain(rest);
        let (run, behind) = rest.split_at_checked(plain).unwrap_or_default();
        rest = behind;
        match rest {
            [] => {
                // The last character may be cut off.
                let cut = run.utf8_chunks().last().map_or(0, |chunk| {
                    let cut = chunk.invalid();
                    match str::from_utf8(cut) {
                        Err(error) if error.error_len().is_none() => cut.len(),
                        _ => 0,
                    }
                });
                return text.len().saturating_sub(cut);
            }
            [b'\\', escaped @ ..] => match escape(escaped) {
                Ok((_, behind)) => rest = behind,
                Err(_) => return text.len().saturating_sub(rest.len()),
            },
            _ => return text.len().saturating_sub(rest.len()),
        }
    }
}

/// How a byte is written that does not stand for itself: an escape, and its length.
pub(crate) fn escaped(byte: u8) -> ([u8; 6], usize) {
    let short = |letter| ([b'\\', letter, 0, 0, 0, 0], 2);
    match byte {
        0x8 => short(b'b'),
        0xc => short(b'f'),
        b'\n' => short(b'n'),
        b'\r' => short(b'r'),
        b'\t' => short(b't'),
        0..=0x1f => (
            [b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 0xf)],
            6,
        ),
        quote_or_backslash => short(quote_or_backslash),
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        0..=9 => digit.wrapping_add(b'0'),
        _ => digit.wrapping_add(b'a'.wrapping_sub(10)),
    }
}
