//! Searching bytes, eight at a time: most of what is looked at is the inside of strings.

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

/// How many bytes there are before the first that is marked. A NUL always has to be.
fn count_unmarked(bytes: &[u8], marks: impl Fn(u64) -> u64) -> usize {
    let mut rest = bytes;
    loop {
        let (word, behind) = match rest.split_first_chunk() {
            Some((word, behind)) => (*word, behind),
            None => {
                let mut word = [0; 8];
                word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                (word, [].as_slice())
            }
        };
        let marks = marks(u64::from_le_bytes(word));
        if marks != 0 {
            let before = bytes.len().saturating_sub(rest.len());
            return before.saturating_add((marks.trailing_zeros() >> 3) as usize);
        }
        rest = behind;
    }
}

/// Where the first NUL is.
pub(crate) fn find_nul(bytes: &[u8]) -> Option<usize> {
    let before = count_unmarked(bytes, |word| equal(word, 0));
    (before < bytes.len()).then_some(before)
}

/// How many bytes at the beginning stand for themselves in a string of JSON: up to a quote, a
/// backslash or a control character.
pub(crate) fn count_plain(bytes: &[u8]) -> usize {
    count_unmarked(bytes, |word| {
        less(word, 0x20) | equal(word, b'"') | equal(word, b'\\')
    })
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
                    }
                }
            }
        }
    }
}
