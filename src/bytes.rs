//! Searching and moving bytes.
//!
//! Searches examine a word of eight bytes at a time, because most of a message is the content of
//! strings. A search marks the matching bytes of a word: it sets the highest bit of each such byte,
//! and clears all other bits.

use core::cell::Cell;
use core::mem;

/// Returns the word in which each byte is `byte`.
const fn splat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Marks the bytes of a word that are less than `limit`, which is at most 128. Only the lowest mark
/// is reliable, because the subtraction borrows from the bytes above it.
const fn mark_less(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(splat(limit)) & !word & splat(0x80)
}

/// Marks the bytes of a word that equal `byte`. Only the lowest mark is reliable.
const fn mark_equal(word: u64, byte: u8) -> u64 {
    mark_less(word ^ splat(byte), 1)
}

/// Marks the special bytes of a word, which a JSON string must escape: the quote, the backslash and
/// the control characters. Only the lowest mark is reliable.
const fn mark_special(word: u64) -> u64 {
    // With bit 1 inverted, the quote is 0x20, next to the control characters, and 0x20 is 0x22.
    let low = (word ^ splat(2)).wrapping_sub(splat(0x21));
    let backslash = (word ^ splat(b'\\')).wrapping_sub(splat(1));
    (low | backslash) & !word & splat(0x80)
}

/// Returns the number of bytes before the first mark of a word; 8 if it has no mark.
const fn count_before(marks: u64) -> usize {
    (marks.trailing_zeros() >> 3) as usize
}

/// True if [`mark_special`] marks the byte.
pub(crate) const fn is_special(byte: u8) -> bool {
    matches!(byte, 0..=0x1f | b'"' | b'\\')
}

/// Returns the word of at most seven bytes, padded with zeros.
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

/// The number of words in a block. Long runs are examined a block at a time, but most runs are short,
/// so they begin with as many single words.
const BLOCK: usize = 4;

/// True if `marks` marks a byte of a block.
fn is_marked(block: &[u8; 8 * BLOCK], marks: impl Fn(u64) -> u64) -> bool {
    let words = block.as_chunks().0.iter();
    words.fold(0, |all, word| all | marks(u64::from_le_bytes(*word))) != 0
}

/// Returns the number of bytes before the first byte that `marks` marks.
fn count_unmarked(bytes: &[u8], marks: impl Fn(u64) -> u64) -> usize {
    let mut rest = bytes;
    while let Some((block, tail)) = rest.split_first_chunk()
        && !is_marked(block, &marks)
    {
        rest = tail;
    }
    while let Some((word, tail)) = rest.split_first_chunk() {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            let before = bytes.len().wrapping_sub(rest.len());
            return before.wrapping_add(count_before(marks));
        }
        rest = tail;
    }
    let before = bytes.len().wrapping_sub(rest.len());
    let last = count_before(marks(partial_word(rest)));
    before.wrapping_add(last.min(rest.len()))
}

/// Returns the index of the first `byte`.
#[inline(never)] // one copy for all bytes
pub(crate) fn find(bytes: &[u8], byte: u8) -> Option<usize> {
    let before = count_unmarked(bytes, |word| mark_equal(word, byte));
    (before < bytes.len()).then_some(before)
}

/// Returns the index of the first NUL.
pub(crate) fn find_nul(bytes: &[u8]) -> Option<usize> {
    find(bytes, 0)
}

/// Returns the number of plain bytes at the beginning: the bytes before the first quote, backslash
/// or control character.
pub(crate) fn count_plain(bytes: &[u8]) -> usize {
    let mut count = 0_usize;
    for word in bytes.as_chunks().0.iter().take(BLOCK) {
        let marks = mark_special(u64::from_le_bytes(*word));
        count = count.wrapping_add(count_before(marks));
        if marks != 0 {
            return count;
        }
    }
    count.wrapping_add(count_plain_of_long(after(bytes, count)))
}

#[inline(never)] // most runs are short
fn count_plain_of_long(bytes: &[u8]) -> usize {
    count_unmarked(bytes, mark_special)
}

/// True if a JSON string is written with an escape for the byte.
pub(crate) const fn is_escaped(byte: u8) -> bool {
    is_special(byte) || byte == DEL
}

/// The control character U+007F. JSON allows it in strings, but sd-json does not read it there, so
/// it is written as an escape.
const DEL: u8 = 0x7f;

/// Marks the bytes of a word that a string is written with an escape for: the special bytes and DEL.
/// Only the lowest mark is reliable.
const fn mark_escaped(word: u64) -> u64 {
    mark_special(word) | mark_equal(word, DEL)
}

/// Copies the bytes at the beginning of `from` that a string is written with unchanged, up to the
/// length of `to`: plain bytes except DEL. Returns their number. The bytes after them in `to` may
/// change, too.
pub(crate) fn copy_plain(from: &[u8], to: &mut [u8]) -> usize {
    let mut count = 0_usize;
    let words = from.as_chunks().0.iter().zip(to.as_chunks_mut().0);
    for (word, target) in words.take(BLOCK) {
        *target = *word;
        let marks = mark_escaped(u64::from_le_bytes(*word));
        count = count.wrapping_add(count_before(marks));
        if marks != 0 {
            return count;
        }
    }
    let (rest, room) = (after(from, count), part_mut(to, count, usize::MAX));
    count.wrapping_add(copy_plain_of_long(rest, room))
}

#[inline(never)] // most runs are short
fn copy_plain_of_long(from: &[u8], to: &mut [u8]) -> usize {
    let mut count = 0_usize;
    for (block, target) in from.as_chunks().0.iter().zip(to.as_chunks_mut().0) {
        if is_marked(block, mark_escaped) {
            break;
        }
        *target = *block;
        count = count.wrapping_add(block.len());
    }
    let (rest, room) = (after(from, count), part_mut(to, count, usize::MAX));
    for (byte, target) in rest.iter().zip(room) {
        if is_escaped(*byte) {
            break;
        }
        *target = *byte;
        count = count.wrapping_add(1);
    }
    count
}

/// Returns the bytes from `start` on.
pub(crate) fn after(bytes: &[u8], start: usize) -> &[u8] {
    bytes.get(start..).unwrap_or_default()
}

/// Copies bytes up to the length of the shorter slice; returns their number. Unlike
/// `copy_from_slice`, it leaves no call to a panic function in the program.
pub(crate) fn copy(from: &[u8], to: &mut [u8]) -> usize {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    to.len().min(from.len())
}

/// Moves the bytes from `start` to `end` to the beginning of the buffer, and adjusts both; returns
/// the distance. Unlike `copy_within`, it leaves no call to a panic function in the program.
pub(crate) fn compact(buffer: &mut [u8], start: &mut usize, end: &mut usize) -> usize {
    let by = mem::take(start);
    if by > 0 {
        let cells = Cell::from_mut(buffer).as_slice_of_cells();
        let held = cells.get(by..*end).unwrap_or_default();
        for (to, from) in cells.iter().zip(held) {
            to.set(from.get());
        }
        *end = end.wrapping_sub(by);
    }
    by
}

/// Returns the part of a buffer from `start` to `end`, or to the end of the buffer if that is less.
pub(crate) fn part_mut(buffer: &mut [u8], start: usize, end: usize) -> &mut [u8] {
    let end = end.min(buffer.len());
    buffer.get_mut(start..end).unwrap_or_default()
}

/// Moves the plain bytes that begin at index `by` to the beginning, up to the first special byte;
/// returns their number.
pub(crate) fn move_plain(bytes: &mut [u8], by: usize) -> usize {
    let (length, mut rest) = (bytes.len(), bytes);
    while let Some(word) = rest.get(by..).and_then(<[u8]>::first_chunk).copied()
        && let Some((target, tail)) = mem::take(&mut rest).split_first_chunk_mut()
    {
        let value = u64::from_le_bytes(word);
        let marks = mark_special(value);
        if marks != 0 {
            // The target keeps its bytes from the first mark on: they were not moved yet.
            let plain = ((marks & marks.wrapping_neg()) >> 7).wrapping_sub(1);
            let value = value & plain | u64::from_le_bytes(*target) & !plain;
            *target = value.to_le_bytes();
            let before = length.wrapping_sub(tail.len()).wrapping_sub(8);
            return before.wrapping_add(count_before(marks));
        }
        *target = word;
        rest = tail;
    }
    while let Some(byte) = rest.get(by).copied()
        && !is_special(byte)
        && let Some((target, tail)) = mem::take(&mut rest).split_first_mut()
    {
        *target = byte;
        rest = tail;
    }
    length.wrapping_sub(rest.len())
}

/// Returns a hash of a text. Different texts rarely have the same hash.
pub(crate) const fn hash(mut bytes: &[u8]) -> u16 {
    let mut hash = 0;
    while let [byte, rest @ ..] = bytes {
        hash = add_to_hash(hash, *byte);
        bytes = rest;
    }
    hash
}

/// Returns the hash of a text with one more byte at its end.
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
                        let del = bytes.iter().position(|byte| *byte == DEL);
                        let copied = del.unwrap_or(length).min(plain);
                        assert_eq!(copy_plain(&bytes, &mut copy), copied, "{byte} {around}");
                        assert_eq!(copy[..copied], bytes[..copied]);
                        assert_eq!(copy_plain(&bytes, &mut copy[..3]), copied.min(3));
                        for to in 0..4 {
                            let from = to + 2;
                            let mut moved = [b"<---->", &*bytes].concat();
                            let rest = moved[from..].to_vec();
                            let count = count_plain(&rest);
                            assert_eq!(move_plain(&mut moved[to..], from - to), count);
                            assert_eq!(moved[to..to + count], rest[..count]);
                            assert_eq!(moved[from + count..], rest[count..], "not moved");
                        }
                    }
                }
            }
        }
    }
}
