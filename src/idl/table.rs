//! The table that indexes a definition: its entries in the order of the text, and at its end the
//! members in the order of their names.

use core::cmp::Ordering;

use super::text::{is_in_word, skip_line, word, word_at};

/// An entry of the table of a [`Definition`](super::Definition): a name, a type or a list.
///
/// [`Definition::table_size`](super::Definition::table_size) is the number of entries that a
/// definition needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The offset in the text, in bytes: of the keyword for a member, of the name for `Order`.
    pub(crate) at: u32,
    /// The entry after this one and everything that belongs to it. `Order`: the member's entry.
    pub(crate) next: u16,
    /// List: the number of its fields or values. Reference: the entry of the type that it refers
    /// to. Field, value and `Order`: the [`tag`] of its name.
    pub(super) link: u16,
    /// Structure: the number of its mandatory fields. Field and value: its number in the list, from
    /// 0. Method: the flags in its documentation: see `text`.
    pub(super) number: u16,
    pub(super) kind: EntryKind,
    pub(super) mark: Mark,
}

/// The kind of an [`Entry`]. It determines which entries follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    // The first, with the number 0: so empty tables in static memory take no space in a file.
    Any,
    /// The keyword `type`. Its list follows.
    Type,
    /// The keyword `method`. Its two lists follow.
    Method,
    /// The keyword `error`. Its list follows.
    Error,
    /// A list of fields.
    Struct,
    /// A list of values.
    Enum,
    /// The name of a field. Its type follows.
    Field,
    /// The name of a value of an enumeration.
    Value,
    /// `?`. The type that may be null follows.
    Nullable,
    /// `[]`. The type of the elements follows.
    Array,
    /// `[string]`. The type of the values follows.
    Map,
    Bool,
    Int,
    Float,
    String,
    Object,
    /// The name of a type.
    Reference,
    /// The name and the entry of a member: one of the sorted members at the end of the table.
    Order,
}

impl EntryKind {
    /// Returns the bit of this kind in [`Definition::kinds`](super::Definition::kinds).
    pub(super) const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The bit in [`Definition::kinds`](super::Definition::kinds) of a method that requires a flag.
pub(super) const REQUIRES_FLAGS: u32 = 1 << 31;

/// The state of a type in the search for types that contain themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Not visited.
    New,
    /// On the path of the search.
    Open,
    /// Visited.
    Done,
}

impl Entry {
    /// The initial value of the entries of a table.
    pub const EMPTY: Self = Entry {
        at: 0,
        next: 0,
        link: 0,
        number: 0,
        kind: EntryKind::Any,
        mark: Mark::New,
    };
}

/// Returns the number of entries that the table of a definition needs.
pub(super) const fn size(text: &str) -> usize {
    let mut rest = text.as_bytes();
    let mut size = 0_usize;
    // True in a word, and in the brackets of a map.
    let (mut word, mut brackets) = (false, false);
    while let [byte, tail @ ..] = rest {
        rest = tail;
        let in_word = matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.')
            || (word && matches!(byte, b'-'));
        if in_word && !word && !brackets {
            size = size.saturating_add(1);
        }
        word = in_word;
        match byte {
            b'(' | b'?' => size = size.saturating_add(1),
            b'[' => {
                size = size.saturating_add(1);
                brackets = true;
            }
            b']' => brackets = false,
            b'#' => rest = skip_line(rest),
            _ => {}
        }
    }
    // `interface` and its name.
    size.saturating_sub(2)
}

/// Splits a table into its entries and its sorted members, by their numbers.
pub(super) const fn parts(table: &[Entry], count: u16, members: u16) -> (&[Entry], &[Entry]) {
    let end = table.len().saturating_sub(members as usize);
    match (
        table.split_at_checked(count as usize),
        table.split_at_checked(end),
    ) {
        (Some((entries, _)), Some((_, order))) => (entries, order),
        _ => (&[], &[]),
    }
}

/// Splits a full table into its entries and its sorted members, by the kind of the entries.
pub(super) const fn split(table: &[Entry]) -> (&[Entry], &[Entry]) {
    let mut rest = table;
    let mut members = 0_u16;
    while let [before @ .., last] = rest
        && matches!(last.kind, EntryKind::Order)
    {
        rest = before;
        members = members.saturating_add(1);
    }
    (rest, parts(table, 0, members).1)
}

/// Splits a table into the members at its end and everything before them.
pub(super) const fn parts_mut(table: &mut [Entry], members: u16) -> (&mut [Entry], &mut [Entry]) {
    let end = table.len().saturating_sub(members as usize);
    match table.split_at_mut_checked(end) {
        Some(parts) => parts,
        None => (&mut [], &mut []),
    }
}

/// Combines the length of a name and its [`hash`](crate::bytes::hash) into a number that few other
/// names have.
pub(super) const fn tag(length: usize, hash: u16) -> u16 {
    (length as u16) << 8 | (hash >> 8 ^ hash) & 0xff
}

/// Finds the entry of a member by its name.
pub(super) const fn find(text: &[u8], mut order: &[Entry], name: &[u8]) -> Option<u16> {
    // A string that is not a word could match a name together with the text after it.
    if word(name).len() < name.len() {
        return None;
    }
    loop {
        let Some((before, [middle, tail @ ..])) = order.split_at_checked(order.len() / 2) else {
            return None;
        };
        order = match compare_at(text, middle.at, name) {
            Ordering::Equal => return Some(middle.next),
            Ordering::Less => tail,
            Ordering::Greater => before,
        };
    }
}

/// Compares the word at an offset of a text with a name.
const fn compare_at(text: &[u8], at: u32, mut name: &[u8]) -> Ordering {
    let Some((_, mut rest)) = text.split_at_checked(at as usize) else {
        return Ordering::Less;
    };
    loop {
        match (rest, name) {
            ([a, tail @ ..], [b, name_after @ ..]) if *a == *b => {
                (rest, name) = (tail, name_after);
            }
            (_, []) if is_in_word(rest) => return Ordering::Greater,
            (_, []) => return Ordering::Equal,
            ([a, ..], [b, ..]) if is_in_word(rest) && *a > *b => return Ordering::Greater,
            _ => return Ordering::Less,
        }
    }
}

/// Compares two byte strings, in the order of their bytes.
pub(super) const fn compare(mut one: &[u8], mut two: &[u8]) -> Ordering {
    loop {
        match (one, two) {
            ([], []) => return Ordering::Equal,
            ([], _) => return Ordering::Less,
            (_, []) => return Ordering::Greater,
            ([a, _, ..] | [a], [b, ..]) if *a < *b => return Ordering::Less,
            ([a, ..], [b, ..]) if *a > *b => return Ordering::Greater,
            ([_, one_rest @ ..], [_, two_rest @ ..]) => {
                one = one_rest;
                two = two_rest;
            }
        }
    }
}

/// Sorts members by their names, with heapsort, which takes O(n log n) in the worst case too.
pub(super) const fn sort(text: &[u8], order: &mut [Entry]) {
    let mut root = order.len() / 2;
    while root > 0 {
        root = root.saturating_sub(1);
        sift(text, order, root);
    }
    let mut rest = order;
    while let [_, _, ..] = rest {
        let last = rest.len().saturating_sub(1);
        swap(rest, 0, last);
        let Some((heap, _)) = rest.split_at_mut_checked(last) else {
            return;
        };
        sift(text, heap, 0);
        rest = heap;
    }
}

/// Moves an entry down to its place in a heap, whose first entry is the greatest.
pub(super) const fn sift(text: &[u8], heap: &mut [Entry], mut root: usize) {
    loop {
        let left = root.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        let mut greatest = root;
        if less(text, heap, greatest, left) {
            greatest = left;
        }
        if less(text, heap, greatest, right) {
            greatest = right;
        }
        if greatest == root {
            return;
        }
        swap(heap, root, greatest);
        root = greatest;
    }
}

/// True if one entry of a heap sorts before the other: by name, then by position.
pub(super) const fn less(text: &[u8], heap: &[Entry], one: usize, two: usize) -> bool {
    match (get(heap, one), get(heap, two)) {
        (Some(one), Some(two)) => match compare(word_at(text, one.at), word_at(text, two.at)) {
            Ordering::Less => true,
            Ordering::Equal => one.at < two.at,
            Ordering::Greater => false,
        },
        _ => false,
    }
}

pub(super) const fn get(table: &[Entry], index: usize) -> Option<Entry> {
    match table.split_at_checked(index) {
        Some((_, [entry, ..])) => Some(*entry),
        _ => None,
    }
}

pub(super) const fn swap(table: &mut [Entry], one: usize, two: usize) {
    if let (Some(first), Some(second)) = (get(table, one), get(table, two)) {
        put(table, one, second);
        put(table, two, first);
    }
}

pub(super) const fn put(table: &mut [Entry], index: usize, entry: Entry) {
    if let Some((_, [place, ..])) = table.split_at_mut_checked(index) {
        *place = entry;
    }
}
