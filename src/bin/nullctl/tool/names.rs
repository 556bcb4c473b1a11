//! A sorted list of names.

use super::output::{Failure, fail};

/// Names in a buffer, each with a line end.
pub struct Names<'n> {
    names: &'n mut [u8],
    length: usize,
}

impl<'n> Names<'n> {
    pub fn new(room: &'n mut [u8]) -> Self {
        Names {
            names: room,
            length: 0,
        }
    }

    /// Adds a name, which is in parts.
    pub fn add(&mut self, parts: &[&str]) -> Result<(), Failure> {
        for part in parts.iter().copied().chain(["\n"]) {
            let end = self.length.saturating_add(part.len());
            let Some(room) = self.names.get_mut(self.length..end) else {
                return Err(fail(format_args!("too many names")));
            };
            room.iter_mut()
                .zip(part.bytes())
                .for_each(|(to, from)| *to = from);
            self.length = end;
        }
        Ok(())
    }

    /// Returns the names in the order in which they were added.
    pub fn all(&self) -> impl Iterator<Item = &str> + Clone {
        let names = self.names.get(..self.length).unwrap_or_default();
        // They were strings.
        str::from_utf8(names)
            .unwrap_or_default()
            .split_terminator(['\n'])
    }

    /// Returns the names in the order of their bytes, each once. Each step looks at all names: a
    /// service has few interfaces, and a directory few sockets.
    pub fn sorted(&self) -> impl Iterator<Item = &str> {
        let least = |last: Option<&str>| {
            let after = |name: &&str| last.is_none_or(|last| *name > last);
            self.all().filter(after).min()
        };
        core::iter::successors(least(None), move |last| least(Some(last)))
    }

    /// Returns the name that is most like another: with the fewest characters to change, at most a
    /// third of them.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let distance = |other: &&str| distance(name.as_bytes(), other.as_bytes());
        let nearest = self.all().min_by_key(distance)?;
        (distance(&nearest) <= name.len() / 3).then_some(nearest)
    }
}

/// The number of bytes to insert, remove or change from one name to the other, up to 255.
fn distance(one: &[u8], two: &[u8]) -> usize {
    // The row of the matrix of Levenshtein's distance, for the bytes of `one` so far.
    let mut row: [u8; 128] = core::array::from_fn(|index| index as u8);
    if two.len() >= row.len() {
        return usize::MAX;
    }
    for (index, byte) in one.iter().enumerate() {
        let mut left = u8::try_from(index.saturating_add(1)).unwrap_or(u8::MAX);
        let mut corner = u8::try_from(index).unwrap_or(u8::MAX);
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = left;
        }
        for (cell, other) in cells.zip(two) {
            let changed = corner.saturating_add(u8::from(byte != other));
            corner = *cell;
            left = changed
                .min(cell.saturating_add(1))
                .min(left.saturating_add(1));
            *cell = left;
        }
    }
    row.get(two.len()).copied().map_or(usize::MAX, usize::from)
}
