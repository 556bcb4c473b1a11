//! Searching and moving bytes.
//!
//! Searches examine a word of eight bytes at a time, because most of a message is the content of
//! strings. A search marks the matching bytes of a word: it sets the highest bit of each such byte,
//! and clears all other bits.

use core::cell::Cell;
use core::hint::black_box;
use core::mem;

/// Returns the word in which each byte is `byte`.
const fn splat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Marks the NULs of a word. Only the lowest mark is reliable, because the subtraction borrows from
/// the bytes above it.
const fn mark_nul(word: u64) -> u64 {
    word.wrapping_sub(splat(1)) & !word & splat(0x80)
}

/// Marks the special bytes of a word, which a JSON string must escape: the quote, the backslash and
/// the control characters. All marks are reliable: the additions begin without the highest bit of each
/// byte, so no byte carries into the next.
pub(crate) const fn mark_special(word: u64) -> u64 {
    let low = word & splat(0x7f);
    // With bit 1 inverted, the quote is 0x20, next to the control characters, and 0x20 is 0x22.
    let visible = (low ^ splat(2)).wrapping_add(splat(0x5f));
    let no_backslash = (low ^ splat(b'\\')).wrapping_add(splat(0x7f));
    !(visible & no_backslash | word) & splat(0x80)
}

/// Returns the number of bytes before the first mark of a word; 8 if it has no mark.
pub(crate) const fn count_before(marks: u64) -> usize {
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
pub(crate) const BLOCK: usize = 4;

/// True if `marks` marks a byte of a block.
fn is_marked(block: &[u8; 8 * BLOCK], marks: impl Fn(u64) -> u64) -> bool {
    let words = block.as_chunks().0.iter();
    words.fold(0, |all, word| all | marks(u64::from_le_bytes(*word))) != 0
}

/// Skips the blocks at the beginning in which `marks` marks no byte.
#[inline]
fn skip_blocks(bytes: &[u8], marks: impl Fn(u64) -> u64) -> &[u8] {
    let mut rest = bytes;
    while let Some((block, tail)) = rest.split_first_chunk()
        && !is_marked(block, &marks)
    {
        rest = tail;
    }
    rest
}

/// Returns the number of bytes before the first byte that `marks` marks.
fn count_unmarked(bytes: &[u8], marks: impl Fn(u64) -> u64) -> usize {
    let mut rest = skip_blocks(bytes, &marks);
    while let Some((word, tail)) = rest.split_first_chunk() {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            let before = bytes.len().wrapping_sub(rest.len());
            return before.wrapping_add(count_before(marks));
        }
        rest = tail;
    }
    let before = bytes.len().wrapping_sub(rest.len());
    before.wrapping_add(count_in_partial_word(rest, marks))
}

/// Like [`count_unmarked`], for at most seven bytes.
fn count_in_partial_word(bytes: &[u8], marks: impl Fn(u64) -> u64) -> usize {
    count_before(marks(partial_word(bytes))).min(bytes.len())
}

/// Returns the index of the first NUL.
#[inline(never)] // one copy for all callers
pub(crate) fn find_nul(bytes: &[u8]) -> Option<usize> {
    // The padding of the last word is taken for NULs.
    let before = count_unmarked(bytes, mark_nul);
    (before < bytes.len()).then_some(before)
}

/// Returns the number of plain bytes at the beginning: the bytes before the first quote, backslash
/// or control character.
pub(crate) fn count_plain(bytes: &[u8]) -> usize {
    let (mut rest, mut words) = (bytes, 0_usize);
    while let Some((word, tail)) = rest.split_first_chunk() {
        let marks = mark_special(u64::from_le_bytes(*word));
        if marks != 0 {
            return words.wrapping_mul(8).wrapping_add(count_before(marks));
        }
        if words == BLOCK {
            break;
        }
        rest = tail;
        words = words.wrapping_add(1);
    }
    let count = bytes.len().wrapping_sub(rest.len());
    count.wrapping_add(if rest.len() < 8 {
        count_in_partial_word(rest, mark_special)
    } else {
        count_plain_of_long(rest)
    })
}

#[inline(never)] // most runs are short
fn count_plain_of_long(bytes: &[u8]) -> usize {
    count_unmarked(bytes, mark_special)
}

/// Skips the blocks at the beginning in which all bytes are plain.
#[inline(never)] // most runs are short
pub(crate) fn skip_plain_blocks(bytes: &[u8]) -> &[u8] {
    skip_blocks(bytes, mark_special)
}

/// Marks the bytes of a word that a string is written with an escape for: the special bytes, and DEL.
/// JSON allows U+007F in strings, but sd-json does not read it there.
pub(crate) const fn mark_escaped(word: u64) -> u64 {
    let delete = (word & splat(0x7f)).wrapping_add(splat(1));
    mark_special(word) | delete & !word & splat(0x80)
}

/// Copies less than a word, if there is room for a word. Returns false if there is not, or if a
/// byte must be escaped.
pub(crate) fn copy_short(from: &[u8], to: &mut [u8]) -> bool {
    let Some(target) = to.first_chunk_mut() else {
        return false;
    };
    if from.len() >= target.len() {
        return false;
    }
    let word = partial_word(from);
    *target = word.to_le_bytes();
    // The padding is marked as well.
    let padding = u64::MAX.wrapping_shl((from.len() as u32) << 3);
    mark_escaped(word) & !padding == 0
}

/// Copies blocks in which no byte is escaped; returns the number of bytes.
#[inline(never)] // most runs are short
pub(crate) fn copy_blocks(from: &[u8], to: &mut [u8]) -> usize {
    let mut count = 0_usize;
    for (block, target) in from.as_chunks().0.iter().zip(to.as_chunks_mut().0) {
        if is_marked(block, mark_escaped) {
            break;
        }
        *target = *block;
        count = count.wrapping_add(block.len());
    }
    count
}

/// The number of decimal digits of `u64::MAX`.
pub(crate) const MAX_DIGITS: usize = 20;

/// Writes a number in decimal at the end of a buffer; returns its digits. core's function for
/// numbers pads them, which takes a kilobyte.
pub(crate) fn decimal(mut number: u64, digits: &mut [u8; MAX_DIGITS]) -> &[u8] {
    let mut start = MAX_DIGITS;
    for target in digits.as_chunks_mut().0.iter_mut().rev() {
        let word = four_digits((number % 10_000) as u32);
        *target = (word | u32::from_le_bytes(*b"0000")).to_le_bytes();
        start = start.wrapping_sub(target.len());
        number /= 10_000;
        if number == 0 {
            // The last digit is written even if it is a zero.
            let zeros = (word | 1 << 24).trailing_zeros() >> 3;
            start = start.wrapping_add(zeros as usize);
            break;
        }
    }
    after(digits, start)
}

/// Returns the word of the four decimal digits of a number, which is split into two numbers of two
/// digits, and then both at once into their digits.
const fn four_digits(number: u32) -> u32 {
    // A product with 5243 / 2^19 is a quotient by 100, and one with 103 / 2^10 by 10.
    let hundreds = number.wrapping_mul(5243) >> 19;
    let twos = hundreds | number.wrapping_sub(hundreds.wrapping_mul(100)) << 16;
    let tens = twos.wrapping_mul(103) >> 10 & 0x000f_000f;
    tens | twos.wrapping_sub(tens.wrapping_mul(10)) << 8
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

/// Overwrites secrets. The compiler does not see that nothing reads the zeros, so it keeps them.
#[inline(never)]
pub(crate) fn erase(bytes: &mut [u8]) {
    bytes.fill(0);
    black_box(bytes);
}

/// Returns the part of a buffer from `start` to `end`, or to the end of the buffer if that is less.
pub(crate) fn part_mut(buffer: &mut [u8], start: usize, end: usize) -> &mut [u8] {
    let end = end.min(buffer.len());
    buffer.get_mut(start..end).unwrap_or_default()
}

/// A part of a buffer whose bytes move towards its beginning. Two views of the same bytes, so that a
/// read and a write need no index.
#[derive(Clone, Copy)]
pub(crate) struct Moving<'b> {
    pub from: &'b [Cell<u8>],
    pub to: &'b [Cell<u8>],
}

impl Moving<'_> {
    /// Moves the plain bytes before the first special byte. `to` must not be after `from`.
    #[inline(always)]
    pub fn plain(&mut self) {
        while let Some((word, from)) = self.from.split_first_chunk::<8>()
            && let Some((target, to)) = self.to.split_first_chunk::<8>()
        {
            let value = load(word);
            let marks = mark_special(value);
            if marks != 0 {
                // The target keeps its bytes from the first mark on: they were not moved yet.
                let plain = ((marks & marks.wrapping_neg()) >> 7).wrapping_sub(1);
                store(target, value & plain | load(target) & !plain);
                let count = count_before(marks);
                self.from = self.from.get(count..).unwrap_or_default();
                self.to = self.to.get(count..).unwrap_or_default();
                return;
            }
            store(target, value);
            (self.from, self.to) = (from, to);
        }
        while let [byte, from @ ..] = self.from
            && !is_special(byte.get())
        {
            self.from = from;
            self.put(byte.get());
        }
    }

    /// Writes a byte.
    #[inline(always)]
    pub fn put(&mut self, byte: u8) {
        if let [target, to @ ..] = self.to {
            target.set(byte);
            self.to = to;
        }
    }
}

// Written out: the compiler makes one move of that at each opt-level, but not of a loop.

fn load([a, b, c, d, e, f, g, h]: &[Cell<u8>; 8]) -> u64 {
    let low = [a.get(), b.get(), c.get(), d.get()];
    let high = [e.get(), f.get(), g.get(), h.get()];
    u64::from(u32::from_le_bytes(low)) | u64::from(u32::from_le_bytes(high)) << 32
}

fn store([a, b, c, d, e, f, g, h]: &[Cell<u8>; 8], word: u64) {
    let bytes = word.to_le_bytes();
    a.set(bytes[0]);
    b.set(bytes[1]);
    c.set(bytes[2]);
    d.set(bytes[3]);
    e.set(bytes[4]);
    f.set(bytes[5]);
    g.set(bytes[6]);
    h.set(bytes[7]);
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
    use std::string::ToString;
    use std::vec;

    use super::*;

    #[test]
    fn numbers_of_any_length_are_written_in_decimal() {
        let powers = (0..20).map(|n| 10_u64.pow(n));
        let ends = powers.flat_map(|power| [power - 1, power, power + 1, power.wrapping_mul(9)]);
        for number in (0..=20_000).chain(ends).chain([u64::MAX]) {
            let digits = number.to_string();
            assert_eq!(decimal(number, &mut [0; MAX_DIGITS]), digits.as_bytes());
        }
    }

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
                        for to in 0..4 {
                            let from = to + 2;
                            let mut moved = [b"<---->", &*bytes].concat();
                            let rest = moved[from..].to_vec();
                            let count = count_plain(&rest);
                            let cells = Cell::from_mut(&mut moved[..]).as_slice_of_cells();
                            let mut moving = Moving {
                                from: &cells[from..],
                                to: &cells[to..],
                            };
                            moving.plain();
                            assert_eq!(moving.from.len(), cells.len() - from - count);
                            assert_eq!(moving.to.len(), cells.len() - to - count);
                            assert_eq!(moved[to..to + count], rest[..count]);
                            assert_eq!(moved[from + count..], rest[count..], "not moved");
                        }
                    }
                }
            }
        }
    }
}
