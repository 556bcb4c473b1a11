//! Searching and moving bytes.
//!
//! Searches look at eight bytes at a time: most of what is looked at is the inside of strings.

use core::cell::Cell;
use core::mem;

/// The word in which each byte is this one.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Marks bytes of a word that are less than a limit, which is 128 at most. The lowest mark is
/// right; those above it may be wrong, because a subtraction borrows from there.
const fn less(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(each(limit)) & !word & each(0x80)
}

/// Marks bytes of a word that are this one, in the same way.
const fn equal(word: u64, byte: u8) -> u64 {
    less(word ^ each(byte), 1)
}

/// Marks bytes that don't stand for themselves in a string of JSON: a quote, a backslash and the
/// control characters.
const fn special(word: u64) -> u64 {
    less(word, 0x20) | equal(word, b'"') | equal(word, b'\\')
}

/// How many bytes of a word there are before the first that is marked.
const fn count_before(marks: u64) -> usize {
    (marks.trailing_zeros() >> 3) as usize
}

/// Whether a byte is one that [`special`] marks.
const fn is_special(byte: u8) -> bool {
    matches!(byte, 0..=0x1f | b'"' | b'\\')
}

/// Less than eight bytes as a word, with zeros after them.
fn partial_word(bytes: &[u8]) -> u64 {
    let (mut word, mut rest) = (0_u64, bytes);
    if let Some((before, four)) = rest.split_last_chunk() {
        (word, rest) = (u32::from_le_bytes(*four).into(), before);
    }
    if let Some((before, two)) = rest.split_last_chunk() {
        (word, rest) = (word << 16 | u64::from(u16::from_le_bytes(*two)), before);
    }
    match rest {
        [one, ..] => word << 8 | u64::from(*one),
        [] => word,
    }
}

/// How many bytes there are before the first that is marked. Zero has to be marked.
fn count_unmarked(bytes: &[u8], marks: impl Fn(u64) -> u64) -> usize {
    let mut rest = bytes;
    while let Some((word, tail)) = rest.split_first_chunk() {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            let before = bytes.len().saturating_sub(rest.len());
            return before.saturating_add(count_before(marks));
        }
        rest = tail;
    }
    let before = bytes.len().saturating_sub(rest.len());
    let last = count_before(marks(partial_word(rest)));
    before.saturating_add(last.min(rest.len()))
}

/// Where the first NUL is.
pub(crate) fn find_nul(bytes: &[u8]) -> Option<usize> {
    let before = count_unmarked(bytes, |word| equal(word, 0));
    (before < bytes.len()).then_some(before)
}

/// How many bytes at the beginning stand for themselves in a string of JSON: up to a quote, a
/// backslash or a control character.
pub(crate) fn count_plain(bytes: &[u8]) -> usize {
    count_unmarked(bytes, special)
}

/// Copies the bytes at the beginning of `from` that stand for themselves in a string of JSON, as
/// many as there is room for; returns their number. What is behind them in `to` may change, too.
pub(crate) fn copy_plain(from: &[u8], to: &mut [u8]) -> usize {
    let mut count = 0_usize;
    for (word, place) in from.as_chunks().0.iter().zip(to.as_chunks_mut().0) {
        *place = *word;
        let marks = special(u64::from_le_bytes(*word));
        count = count.saturating_add(count_before(marks));
        if marks != 0 {
            return count;
        }
    }
    let rest = from.get(count..).unwrap_or_default();
    let room = to.get_mut(count..).unwrap_or_default();
    for (byte, place) in rest.iter().zip(room) {
        if is_special(*byte) {
            break;
        }
        *place = *byte;
        count = count.saturating_add(1);
    }
    count
}

/// Copies as many bytes as there are and as there is room for; returns their number. The linker
/// sees that it cannot panic, which is not so of `copy_from_slice`.
pub(crate) fn copy(from: &[u8], to: &mut [u8]) -> usize {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    to.len().min(from.len())
}

/// Moves what a buffer holds from `start` to `end` to its beginning; returns the number of bytes by
/// which it was moved. The linker sees that it cannot panic, which is not so of `copy_within`.
pub(crate) fn compact(buffer: &mut [u8], start: &mut usize, end: &mut usize) -> usize {
    let by = mem::take(start);
    if by > 0 {
        let cells = Cell::from_mut(buffer).as_slice_of_cells();
        let held = cells.get(by..*end).unwrap_or_default();
        for (to, from) in cells.iter().zip(held) {
            to.set(from.get());
        }
        *end = end.saturating_sub(by);
    }
    by
}

/// The part of a buffer from `start` to `end`, or to the end of the buffer.
pub(crate) fn part_mut(buffer: &mut [u8], start: usize, end: usize) -> &mut [u8] {
    let end = end.min(buffer.len());
    buffer.get_mut(start..end).unwrap_or_default()
}

/// Moves bytes that stand for themselves in a string of JSON towards the beginning, from one place
/// to another, up to the first that does not; returns the places behind them.
pub(crate) fn move_plain(bytes: &mut [u8], from: usize, to: usize) -> (usize, usize) {
    let (mut from, mut to) = (from, to);
    while let Some(word) = bytes.get(from..).and_then(<[u8]>::first_chunk).copied()
        && let Some(place) = bytes.get_mut(to..).and_then(<[u8]>::first_chunk_mut)
    {
        let word = u64::from_le_bytes(word);
        let marks = special(word);
        // The bytes of the word that are behind the first mark stay what they are at that place:
        // they may not have been moved yet.
        let plain = ((marks & marks.wrapping_neg()) >> 7).wrapping_sub(1);
        let word = word & plain | u64::from_le_bytes(*place) & !plain;
        *place = word.to_le_bytes();
        from = from.saturating_add(count_before(marks));
        to = to.saturating_add(count_before(marks));
        if marks != 0 {
            return (from, to);
        }
    }
    while let Some(byte) = bytes.get(from).copied()
        && !is_special(byte)
        && let Some(place) = bytes.get_mut(to)
    {
        *place = byte;
        from = from.saturating_add(1);
        to = to.saturating_add(1);
    }
    (from, to)
}

/// A number that texts seldom share.
pub(crate) const fn hash(mut bytes: &[u8]) -> u16 {
    let mut hash = 0;
    while let [byte, rest @ ..] = bytes {
        hash = add_to_hash(hash, *byte);
        bytes = rest;
    }
    hash
}

/// The hash of a text with one more byte.
pub(crate) const fn add_to_hash(hash: u16, byte: u8) -> u16 {
    hash.wrapping_mul(31).wrapping_add(byte as u16)
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    #[test]
    fn every_byte_is_found_at_every_place() {
        for length in 0..20 {
            assert_eq!(find_nul(&vec![b'x'; length]), None);
            assert_eq!(count_plain(&vec![b'x'; length]), length);
            for at in 0..length {
                for byte in 0..=255_u8 {
                    for around in [b'x', 0x7f, 0x80, 0xff, b' ', b'!', b'#', b'[', b']'] {
                        let mut bytes = vec![around; length];
                        bytes[at] = byte;
                        let nul = bytes.iter().position(|byte| *byte == 0);
                        assert_eq!(find_nul(&bytes), nul);
                        let special = |byte: &u8| *byte < 0x20 || b"\"\\".contains(byte);
                        let plain = bytes.iter().position(special).unwrap_or(length);
                        assert_eq!(count_plain(&bytes), plain, "{byte} {around}");
                        let mut copy = vec![0; 20];
                        assert_eq!(copy_plain(&bytes, &mut copy), plain, "{byte} {around}");
                        assert_eq!(copy[..plain], bytes[..plain]);
                        assert_eq!(copy_plain(&bytes, &mut copy[..3]), plain.min(3));
                        for to in 0..4 {
                            let from = to + 2;
                            let mut moved = [b"<---->", &*bytes].concat();
                            let rest = moved[from..].to_vec();
                            let count = count_plain(&rest);
                            assert_eq!(
                                move_plain(&mut moved, from, to),
                                (from + count, to + count)
                            );
                            assert_eq!(moved[to..to + count], rest[..count]);
                            assert_eq!(moved[from + count..], rest[count..], "not moved");
                        }
                    }
                }
            }
        }
    }
}
