//! A sorted list of names.

use super::input::Text;
use super::output::{Failure, Output, Printable};
use super::texts::split_once;

/// Names in a buffer, each with a line end.
pub struct Names<'n>(Text<'n>);

impl<'n> Names<'n> {
    pub fn new(room: &'n mut [u8]) -> Self {
        Names(Text::new(room))
    }

    /// Adds a name, which is in parts. If it does not fit, `check` fails.
    pub fn add(&mut self, parts: &[&str]) {
        for part in parts {
            self.0.add(part);
        }
        self.0.add("\n");
    }

    /// Fails if a name did not fit.
    pub fn check(&self) -> Result<(), Failure> {
        self.0.check()
    }

    /// Returns the names in the order in which they were added.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.0.as_str();
        core::iter::from_fn(move || {
            let name;
            (name, rest) = split_once(rest, b'\n')?;
            Some(name)
        })
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

    /// Prints the names, each on a line after a label. Only the first has the first label.
    pub fn print(&self, out: &mut Output, labels: [&str; 2]) {
        let [mut label, others] = labels;
        for name in self.sorted() {
            out.print(format_args!("{label}{}\n", Printable(name)));
            label = others;
        }
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
