//! The parser: the whole grammar of UAPI.20, in one forward pass, at compile time or at run time.
//!
//! It fills a table of [`Entry`] in the order of the text, and needs no other memory: nested lists
//! are a stack that is linked through the entries of the open lists. Bytes are skipped in single
//! loops, which the compiler evaluates fast.

use core::cmp::Ordering;

use super::table::{Entry, EntryKind, Mark, compare, find, get, parts, parts_mut, put, sort, tag};
use super::text::{after, is, skip_documentation, skip_space, strip, word, word_at};
use super::{MAX_DEPTH, MAX_FIELDS, MAX_NAME, MAX_VALUES, ParseError, Problem};
use crate::bytes::hash;
use crate::name;

/// Parses a definition and returns its table: a part of [`interface!`](crate::interface).
pub const fn index<const N: usize>(text: &str) -> Result<[Entry; N], ParseError> {
    let mut table = [Entry::EMPTY; N];
    match parse(text, &mut table, Strictness::Own) {
        // `split` finds the parts of the table again only if there is no unused entry.
        Ok((entries, order)) if entries.len().saturating_add(order.len()) < N => {
            Err(ParseError::new(Problem::Size, text.as_bytes(), text.len()))
        }
        Ok(_) => Ok(table),
        Err(error) => Err(error),
    }
}

/// Which definitions are accepted.
#[derive(Clone, Copy)]
pub(super) enum Strictness {
    /// Those of real services. An interface may have no members, and a type may contain itself.
    Received,
    /// Those that a program can implement.
    Own,
}

/// Instead of an entry: the open list is not nested, or no reference leads to the type.
const NONE: u16 = u16::MAX;

struct Parser<'t, 'i> {
    text: &'t [u8],
    /// The rest of the text.
    rest: &'t [u8],
    table: &'i mut [Entry],
    /// The number of entries, from the beginning of the table.
    count: u16,
    /// The number of members, from the end of the table.
    members: u16,
    /// The nesting depth of the current type.
    depth: usize,
    strictness: Strictness,
    /// Absorbs writes to an entry outside the table.
    spare: Entry,
}

/// Parses a definition into a table. Returns the entries at its beginning, and the sorted members
/// at its end. The table does not depend on the strictness.
pub(super) const fn parse<'i>(
    text: &str,
    table: &'i mut [Entry],
    strictness: Strictness,
) -> Result<(&'i [Entry], &'i [Entry]), ParseError> {
    let bytes = text.as_bytes();
    let mut parser = Parser {
        text: bytes,
        rest: bytes,
        table,
        count: 0,
        members: 0,
        depth: 0,
        strictness,
        spare: Entry::EMPTY,
    };
    match parser.definition() {
        Ok(()) => Ok(parts(parser.table, parser.count, parser.members)),
        Err((problem, offset)) => Err(ParseError::new(problem, bytes, offset)),
    }
}

/// An error: its kind, and its offset in the text.
type ParseFault = (Problem, usize);

/// The operator `?`, which is not allowed in a `const fn`.
macro_rules! attempt {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(fault) => return Err(fault),
        }
    };
}

impl<'t> Parser<'t, '_> {
    const fn is_strict(&self) -> bool {
        matches!(self.strictness, Strictness::Own)
    }

    const fn offset(&self) -> usize {
        self.text.len().saturating_sub(self.rest.len())
    }

    const fn fault<T>(&self, problem: Problem) -> Result<T, ParseFault> {
        Err((problem, self.offset()))
    }

    /// Skips white space. Returns true if there was any, and true if it contains a line end.
    const fn space(&mut self) -> (bool, bool) {
        let before = self.rest.len();
        let (rest, lines) = skip_space(self.rest);
        self.rest = rest;
        (rest.len() < before, lines)
    }

    const fn eat(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Returns the next word, without taking it.
    const fn word(&self) -> &'t [u8] {
        word(self.rest)
    }

    const fn skip(&mut self, count: usize) {
        self.rest = after(self.rest, count);
    }

    /// Skips a keyword and the white space after it.
    const fn keyword(&mut self, length: usize) -> Result<(), ParseFault> {
        self.skip(length);
        if self.space().0 {
            Ok(())
        } else {
            self.fault(Problem::Space)
        }
    }

    /// Returns the next word, which must be a valid name, without taking it. The offset of `fault`
    /// is in the word. The name has a wrong `character` if one of another script follows it.
    const fn name(
        &self,
        fault: Option<ParseFault>,
        character: Problem,
    ) -> Result<&'t [u8], ParseFault> {
        let name = self.word();
        let rest = after(self.rest, name.len());
        let (problem, at) = match (fault, rest) {
            (Some(fault), _) => fault,
            (None, [0x80..=0xff, ..]) if skip_space(rest).0.len() == rest.len() => {
                (character, name.len())
            }
            _ if name.len() > MAX_NAME => (Problem::LongName, 0),
            _ => return Ok(name),
        };
        Err((problem, self.offset().saturating_add(at)))
    }

    /// Returns a copy of an entry.
    const fn entry(&self, index: u16) -> Entry {
        match get(self.table, index as usize) {
            Some(entry) => entry,
            None => Entry::EMPTY,
        }
    }

    /// Returns an entry, to change it.
    const fn at(&mut self, index: u16) -> &mut Entry {
        match self.table.split_at_mut_checked(index as usize) {
            Some((_, [entry, ..])) => entry,
            _ => &mut self.spare,
        }
    }

    /// Adds an entry for the current position in the text.
    const fn push(&mut self, kind: EntryKind) -> Result<u16, ParseFault> {
        let index = self.count;
        let used = (index as usize).saturating_add(self.members as usize);
        if used >= self.table.len() || used >= NONE as usize || self.offset() > u32::MAX as usize {
            return self.fault(Problem::Size);
        }
        self.count = index.saturating_add(1);
        *self.at(index) = Entry {
            at: self.offset() as u32,
            kind,
            next: self.count,
            ..Entry::EMPTY
        };
        Ok(index)
    }

    /// Parses the whole text.
    const fn definition(&mut self) -> Result<(), ParseFault> {
        self.space();
        if !is(self.word(), b"interface") {
            return self.fault(Problem::Interface);
        }
        attempt!(self.keyword(b"interface".len()));
        let fault = interface_fault(self.word());
        let name = attempt!(self.name(fault, Problem::InterfaceName));
        self.skip(name.len());
        loop {
            let (rest, line, flags) = skip_documentation(self.rest);
            self.rest = rest;
            match self.rest {
                [] if self.members == 0 && self.is_strict() => {
                    return self.fault(Problem::Member);
                }
                [] => return self.resolve(),
                _ if !line => return self.fault(Problem::LineBreak),
                _ => attempt!(self.member(flags)),
            }
        }
    }

    /// Parses a member with the flags of its documentation.
    const fn member(&mut self, flags: u16) -> Result<(), ParseFault> {
        let keyword = self.word();
        let kind = match keyword {
            word if is(word, b"type") => EntryKind::Type,
            word if is(word, b"method") => EntryKind::Method,
            word if is(word, b"error") => EntryKind::Error,
            _ => return self.fault(Problem::Member),
        };
        let index = attempt!(self.push(kind));
        if let EntryKind::Method = kind {
            self.at(index).number = flags;
        }
        attempt!(self.keyword(keyword.len()));
        let fault = member_fault(self.word());
        let name = attempt!(self.name(fault, Problem::MemberCharacter));
        // Its entry among the members at the end of the table, which `resolve` sorts by name.
        self.members = self.members.saturating_add(1);
        let order = self.table.len().saturating_sub(self.members as usize);
        if order < self.count as usize {
            return self.fault(Problem::Size);
        }
        let entry = Entry {
            at: self.offset() as u32,
            next: index,
            link: tag(name.len(), hash(name)),
            kind: EntryKind::Order,
            ..Entry::EMPTY
        };
        put(self.table, order, entry);
        self.skip(name.len());
        self.space();
        attempt!(self.list(matches!(kind, EntryKind::Type)));
        if let EntryKind::Method = kind {
            self.space();
            let [b'-', b'>', rest @ ..] = self.rest else {
                return self.fault(Problem::Arrow);
            };
            self.rest = rest;
            self.space();
            attempt!(self.list(false));
        }
        self.at(index).next = self.count;
        Ok(())
    }

    /// Parses a structure, or an enumeration where one is allowed, with everything in it.
    ///
    /// While a list is open, `next` of its entry is the number of its fields so far, and `link` is
    /// the list around it.
    const fn list(&mut self, may_be_enum: bool) -> Result<(), ParseFault> {
        let mut open = NONE;
        // Each iteration opens a list.
        'list: loop {
            let [b'(', ..] = self.rest else {
                return self.fault(Problem::Open);
            };
            let list = attempt!(self.push(EntryKind::Struct));
            self.skip(1);
            self.at(list).next = 0;
            self.at(list).link = open;
            let enumerable = may_be_enum || open != NONE;
            open = list;
            self.depth = self.depth.saturating_add(1);
            self.space();
            let mut closed = self.eat(b')');
            // Each iteration reads a field, after closing the lists that end before it.
            loop {
                while closed {
                    let (list, entry) = (open, self.entry(open));
                    self.at(list).next = self.count;
                    self.at(list).link = entry.next;
                    open = entry.link;
                    self.depth = self.depth.saturating_sub(1);
                    if open == NONE {
                        return Ok(());
                    }
                    self.end_field(list);
                    closed = attempt!(self.comma());
                }
                if attempt!(self.field(open, enumerable)) {
                    continue 'list;
                }
                closed = attempt!(self.comma());
            }
        }
    }

    /// Takes `,` or `)`. Returns true if it was `)`, which closes the list.
    const fn comma(&mut self) -> Result<bool, ParseFault> {
        self.space();
        if self.eat(b')') {
            return Ok(true);
        }
        let comma = self.offset();
        if !self.eat(b',') {
            return self.fault(match self.rest {
                [b'[', ..] => Problem::PrefixArray,
                [b'?', ..] => Problem::PrefixNullable,
                _ => Problem::CommaOrClose,
            });
        }
        self.space();
        match self.rest {
            [b')', ..] => Err((Problem::LastComma, comma)),
            _ => Ok(false),
        }
    }

    /// Parses a field of a structure, or a value of an enumeration. Returns true if the type of the
    /// field is, or ends with, a list: its `(` is next.
    const fn field(&mut self, list: u16, may_be_enum: bool) -> Result<bool, ParseFault> {
        self.space();
        let number = self.entry(list).next;
        let fault = match self.rest {
            [b'?', ..] => Some((Problem::PrefixNullable, 0)),
            _ => field_fault(self.word(), number == 0),
        };
        let name = attempt!(self.name(fault, Problem::FieldCharacter));
        let link = tag(name.len(), hash(name));
        if self.has_field(list, name, link) {
            return self.fault(Problem::DuplicateField);
        }
        let index = attempt!(self.push(EntryKind::Field));
        self.skip(name.len());
        self.space();
        let typed = matches!(self.rest, [b':', ..]);
        // The first name determines the kind of the list.
        let is_enum = if number == 0 {
            may_be_enum && !typed
        } else {
            matches!(self.entry(list).kind, EntryKind::Enum)
        };
        let (kind, item, limit, problem) = if is_enum {
            (
                EntryKind::Enum,
                EntryKind::Value,
                MAX_VALUES,
                Problem::Values,
            )
        } else {
            (
                EntryKind::Struct,
                EntryKind::Field,
                MAX_FIELDS,
                Problem::Fields,
            )
        };
        if number as usize >= limit {
            return Err((problem, self.entry(index).at as usize));
        }
        self.at(list).kind = kind;
        self.at(list).next = number.saturating_add(1);
        let entry = self.at(index);
        (entry.kind, entry.link, entry.number) = (item, link, number);
        if is_enum && typed {
            return self.fault(Problem::CommaOrClose);
        }
        if is_enum {
            return Ok(false);
        }
        if !self.eat(b':') {
            return self.fault(match self.rest {
                [b'?', ..] => Problem::PrefixNullable,
                _ => Problem::Colon,
            });
        }
        self.space();
        if !matches!(self.rest, [b'?', ..]) {
            let entry = self.at(list);
            entry.number = entry.number.saturating_add(1);
        }
        self.types()
    }

    /// Parses a type, up to the list that it may end with. Returns true if there is one: its `(` is
    /// next.
    const fn types(&mut self) -> Result<bool, ParseFault> {
        let mut nullable = false;
        loop {
            let (kind, length) = match self.rest {
                [b'(', ..] => (EntryKind::Struct, 0),
                [b'?', ..] if nullable => return self.fault(Problem::Nullable),
                [b'?', ..] => (EntryKind::Nullable, 1),
                [b'[', b']', ..] => (EntryKind::Array, 2),
                rest if strip(rest, b"[string]").is_some() => (EntryKind::Map, 8),
                _ => match self.word() {
                    word if is(word, b"bool") => (EntryKind::Bool, 4),
                    word if is(word, b"int") => (EntryKind::Int, 3),
                    word if is(word, b"float") => (EntryKind::Float, 5),
                    word if is(word, b"string") => (EntryKind::String, 6),
                    word if is(word, b"object") => (EntryKind::Object, 6),
                    word if is(word, b"any") => (EntryKind::Any, 3),
                    word => match member_fault(word) {
                        None => (EntryKind::Reference, word.len()),
                        Some((Problem::MemberName, _)) => return self.fault(Problem::Type),
                        Some((problem, at)) => {
                            return Err((problem, self.offset().saturating_add(at)));
                        }
                    },
                },
            };
            if self.depth >= MAX_DEPTH {
                return self.fault(Problem::Depth);
            }
            if let EntryKind::Struct = kind {
                return Ok(true);
            }
            // Only a reference can be that long.
            if length > MAX_NAME {
                return self.fault(Problem::LongName);
            }
            let index = attempt!(self.push(kind));
            self.skip(length);
            nullable = matches!(kind, EntryKind::Nullable);
            if !matches!(
                kind,
                EntryKind::Nullable | EntryKind::Array | EntryKind::Map
            ) {
                self.end_field(index);
                return Ok(false);
            }
            self.depth = self.depth.saturating_add(1);
        }
    }

    /// Ends a field, whose type ends with the entry `last`: sets `next` of the field and of each
    /// `?`, `[]` and `[string]` before `last`, and leaves their depth.
    const fn end_field(&mut self, last: u16) {
        let mut index = last.saturating_sub(1);
        while index > 0 && !matches!(self.entry(index).kind, EntryKind::Field) {
            self.at(index).next = self.count;
            self.depth = self.depth.saturating_sub(1);
            index = index.saturating_sub(1);
        }
        self.at(index).next = self.count;
    }

    /// True if an open list has a field of this name.
    const fn has_field(&self, list: u16, name: &[u8], tag: u16) -> bool {
        let mut left = self.entry(list).next;
        let mut index = list.saturating_add(1);
        while left > 0 {
            let entry = self.entry(index);
            if entry.link == tag
                && let Ordering::Equal = compare(word_at(self.text, entry.at), name)
            {
                return true;
            }
            index = entry.next;
            left = left.saturating_sub(1);
        }
        false
    }

    /// Sorts the members, resolves the references, and finds types without finite values.
    const fn resolve(&mut self) -> Result<(), ParseFault> {
        let (_, order) = parts_mut(self.table, self.members);
        sort(self.text, order);
        let mut rest = &*order;
        // The position of the first duplicate in the text.
        let mut duplicate = u32::MAX;
        while let [one, tail @ ..] = rest
            && let [two, ..] = tail
        {
            let names = (word_at(self.text, one.at), word_at(self.text, two.at));
            if let Ordering::Equal = compare(names.0, names.1)
                && two.at < duplicate
            {
                duplicate = two.at;
            }
            rest = tail;
        }
        if duplicate < u32::MAX {
            return Err((Problem::DuplicateMember, duplicate as usize));
        }
        let mut index = 0;
        while index < self.count {
            let entry = self.entry(index);
            if let EntryKind::Reference = entry.kind {
                let (_, order) = parts(self.table, 0, self.members);
                let Some(link) = find(self.text, order, word_at(self.text, entry.at)) else {
                    return Err((Problem::UnknownType, entry.at as usize));
                };
                if !matches!(self.entry(link).kind, EntryKind::Type) {
                    return Err((Problem::NotAType, entry.at as usize));
                }
                self.at(index).link = link;
            }
            index = index.saturating_add(1);
        }
        let mut index = 0;
        while index < self.count {
            let entry = self.entry(index);
            if let (EntryKind::Type, Mark::New) = (entry.kind, entry.mark) {
                attempt!(self.check_finite(index));
            }
            index = entry.next;
        }
        Ok(())
    }

    /// Checks that a type does not contain itself, other than in a nullable, an array or a map. If it
    /// may, only marks the types, because equal definitions have equal tables.
    ///
    /// This is a depth-first search along the references. Its stack is in the entries: `next` of
    /// a followed reference is the type that contains it, and `link` of the type that it refers to
    /// is the reference.
    const fn check_finite(&mut self, root: u16) -> Result<(), ParseFault> {
        let mut this = root;
        let mut index = self.enter(root, NONE);
        loop {
            if index >= self.entry(this).next {
                let reference = self.entry(this).link;
                self.at(this).link = 0;
                self.at(this).mark = Mark::Done;
                if reference == NONE {
                    return Ok(());
                }
                this = self.entry(reference).next;
                index = reference.saturating_add(1);
                self.at(reference).next = index;
                continue;
            }
            let entry = self.entry(index);
            index = match (entry.kind, self.entry(entry.link).mark) {
                // The value can be null or empty.
                (EntryKind::Nullable | EntryKind::Array | EntryKind::Map, _) => entry.next,
                (EntryKind::Reference, Mark::Open) if self.is_strict() => {
                    return Err((Problem::Endless, entry.at as usize));
                }
                (EntryKind::Reference, Mark::New) => {
                    self.at(index).next = this;
                    this = entry.link;
                    self.enter(this, index)
                }
                _ => index.saturating_add(1),
            };
        }
    }

    /// Enters a type that was not visited before. Returns its first entry.
    const fn enter(&mut self, index: u16, link: u16) -> u16 {
        self.at(index).link = link;
        self.at(index).mark = Mark::Open;
        index.saturating_add(1)
    }
}

/// Returns the fault of a word that is not the name of an interface, with its offset in the word.
const fn interface_fault(word: &[u8]) -> Option<ParseFault> {
    if name::interface(word) {
        return None;
    }
    let mut rest = word;
    while let [byte, tail @ ..] = rest {
        if *byte == b'_' {
            let at = word.len().saturating_sub(rest.len());
            return Some((Problem::InterfaceName, at));
        }
        rest = tail;
    }
    Some((Problem::InterfaceName, 0))
}

/// Returns the fault of a word that is not the name of a member, with its offset in the word.
const fn member_fault(word: &[u8]) -> Option<ParseFault> {
    let [b'A'..=b'Z', rest @ ..] = word else {
        return Some((Problem::MemberName, 0));
    };
    let mut rest = rest;
    while let [b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9', tail @ ..] = rest {
        rest = tail;
    }
    match rest {
        [] => None,
        _ => Some((
            Problem::MemberCharacter,
            word.len().saturating_sub(rest.len()),
        )),
    }
}

/// Returns the fault of a word that is not the name of a field or a value, with its offset in the
/// word. The list may be empty before its first name.
const fn field_fault(word: &[u8], is_first: bool) -> Option<ParseFault> {
    let mut rest = match word {
        [b'a'..=b'z' | b'A'..=b'Z', rest @ ..] => rest,
        [_, ..] => return Some((Problem::FieldStart, 0)),
        [] if is_first => return Some((Problem::FieldNameOrClose, 0)),
        [] => return Some((Problem::FieldName, 0)),
    };
    while let [b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9', tail @ ..]
    | [b'_', b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9', tail @ ..] = rest
    {
        rest = tail;
    }
    let problem = match rest {
        [] => return None,
        [b'_', ..] => Problem::Underscore,
        _ => Problem::FieldCharacter,
    };
    Some((problem, word.len().saturating_sub(rest.len())))
}
