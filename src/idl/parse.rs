//! The parser: the whole grammar of UAPI.20, in one forward pass, at compile time or at run time.
//!
//! It fills a table of [`Entry`], in the order of the text, and allocates nothing else: lists
//! within lists are a stack that is linked through the entries that are still open. What it walks
//! over byte by byte, it walks over in one loop: that is what a compiler can evaluate fast.

use core::cmp::Ordering;

use super::table::{Entry, Kind, Mark, compare, find, get, parts, parts_mut, put, sort, tag};
use super::text::{skip_space, word, word_at};
use super::{DEPTH, FIELDS, NAME, ParseError, Problem, VALUES};
use crate::bytes::hash;
use crate::name;

/// The index of a definition, made while compiling: what [`interface!`](crate::interface) does.
///
/// # Errors
///
/// If the text is not a definition.
///
/// ```
/// use nullink::idl::{self, Entry};
/// use nullink::Interface;
///
/// const TEXT: &str = "interface a.b\nerror No ()\n";
/// const INDEX: [Entry; idl::size(TEXT)] = match idl::index(TEXT) {
///     Ok(index) => index,
///     Err(_) => panic!("not a definition"),
/// };
/// const AB: Interface = Interface::indexed(TEXT, &INDEX);
/// assert!(AB.find("No").is_some());
/// ```
pub const fn index<const N: usize>(text: &str) -> Result<[Entry; N], ParseError> {
    let mut table = [Entry::EMPTY; N];
    match parse(text, &mut table) {
        // (A table with entries that are not used would have members that are none.)
        Ok((entries, order)) if entries.len().saturating_add(order.len()) < N => {
            Err(ParseError::new(Problem::Size, text.as_bytes(), text.len()))
        }
        Ok(_) => Ok(table),
        Err(error) => Err(error),
    }
}

/// No entry: the list that is open is not within another.
const NONE: u16 = u16::MAX;

struct Parser<'t, 'i> {
    text: &'t [u8],
    /// What is left of it.
    rest: &'t [u8],
    table: &'i mut [Entry],
    /// How many entries there are, from the beginning of the table.
    count: u16,
    /// How many members there are, from the end of the table.
    members: u16,
}

/// Reads a definition into a table. Returns how many entries it begins with; as many as there are
/// members are at its end.
pub(super) const fn parse<'i>(
    text: &str,
    table: &'i mut [Entry],
) -> Result<(&'i [Entry], &'i [Entry]), ParseError> {
    let bytes = text.as_bytes();
    let mut parser = Parser {
        text: bytes,
        rest: bytes,
        table,
        count: 0,
        members: 0,
    };
    let done = match parser.interface() {
        Ok(()) => parser.resolve(),
        Err(fault) => Err(fault),
    };
    match done {
        Ok(()) => Ok(parts(parser.table, parser.count, parser.members)),
        Err((problem, offset)) => Err(ParseError::new(problem, bytes, offset)),
    }
}

/// What is wrong, and where.
type Fault = (Problem, usize);

impl<'t> Parser<'t, '_> {
    const fn offset(&self) -> usize {
        self.text.len().saturating_sub(self.rest.len())
    }

    const fn fault(&self, problem: Problem) -> Fault {
        (problem, self.offset())
    }

    /// Skips white space; says whether there was any, and whether a line has ended.
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

    /// The next word, which is left where it is.
    const fn word(&self) -> &'t [u8] {
        word(self.rest)
    }

    const fn skip(&mut self, count: usize) {
        if let Some((_, rest)) = self.rest.split_at_checked(count) {
            self.rest = rest;
        }
    }

    const fn entry(&self, index: u16) -> Entry {
        match get(self.table, index as usize) {
            Some(entry) => entry,
            None => Entry::EMPTY,
        }
    }

    const fn set(&mut self, index: u16, entry: Entry) {
        put(self.table, index as usize, entry);
    }

    /// Adds an entry for what stands here.
    const fn push(&mut self, kind: Kind) -> Result<u16, Fault> {
        let index = self.count;
        let used = (index as usize).saturating_add(self.members as usize);
        if used >= self.table.len() || used >= NONE as usize || self.offset() > u32::MAX as usize {
            return Err(self.fault(Problem::Size));
        }
        self.count = index.saturating_add(1);
        let at = self.offset() as u32;
        self.set(
            index,
            Entry {
                at,
                kind,
                next: self.count,
                ..Entry::EMPTY
            },
        );
        Ok(index)
    }

    /// The whole text.
    const fn interface(&mut self) -> Result<(), Fault> {
        self.space();
        if !matches!(self.word(), b"interface") {
            return Err(self.fault(Problem::Interface));
        }
        self.skip(9);
        if !self.space().0 {
            return Err(self.fault(Problem::Space));
        }
        let name = self.word();
        if !name::interface(name) {
            return Err(self.fault(Problem::InterfaceName));
        }
        if name.len() > NAME {
            return Err(self.fault(Problem::LongName));
        }
        self.skip(name.len());
        loop {
            let (_, line) = self.space();
            match self.rest {
                [] if self.members > 0 => return Ok(()),
                [] => return Err(self.fault(Problem::Member)),
                _ if !line => return Err(self.fault(Problem::LineBreak)),
                _ => {}
            }
            if let Err(fault) = self.member() {
                return Err(fault);
            }
        }
    }

    const fn member(&mut self) -> Result<(), Fault> {
        let keyword = self.word();
        let kind = match keyword {
            b"type" => Kind::Type,
            b"method" => Kind::Method,
            b"error" => Kind::Error,
            _ => return Err(self.fault(Problem::Member)),
        };
        let index = match self.push(kind) {
            Ok(index) => index,
            Err(fault) => return Err(fault),
        };
        self.skip(keyword.len());
        if !self.space().0 {
            return Err(self.fault(Problem::Space));
        }
        let name = self.word();
        if !name::member(name) {
            return Err(self.fault(Problem::MemberName));
        }
        if name.len() > NAME {
            return Err(self.fault(Problem::LongName));
        }
        // Its place among the others, once they are sorted.
        let end = self.table.len().saturating_sub(1);
        let order = end.saturating_sub(self.members as usize);
        self.members = self.members.saturating_add(1);
        if order < self.count as usize {
            return Err(self.fault(Problem::Size));
        }
        let entry = Entry {
            at: self.offset() as u32,
            next: index,
            kind: Kind::Order,
            ..Entry::EMPTY
        };
        put(self.table, order, entry);
        self.skip(name.len());
        self.space();
        if let Err(fault) = self.list(matches!(kind, Kind::Type)) {
            return Err(fault);
        }
        if let Kind::Method = kind {
            self.space();
            match self.rest {
                [b'-', b'>', rest @ ..] => self.rest = rest,
                _ => return Err(self.fault(Problem::Arrow)),
            }
            self.space();
            if let Err(fault) = self.list(false) {
                return Err(fault);
            }
        }
        self.set(
            index,
            Entry {
                next: self.count,
                ..self.entry(index)
            },
        );
        Ok(())
    }

    /// A structure, or an enumeration where one may be, with everything in it.
    ///
    /// While a list is open, its entry has how many fields it has so far in `next`, and the list
    /// around it in `link`.
    const fn list(&mut self, may_be_enum: bool) -> Result<(), Fault> {
        let mut open = NONE;
        let mut depth = 0_usize;
        // Each turn opens a list.
        'list: loop {
            let [b'(', ..] = self.rest else {
                return Err(self.fault(Problem::Open));
            };
            let list = match self.push(Kind::Struct) {
                Ok(list) => list,
                Err(fault) => return Err(fault),
            };
            self.skip(1);
            self.set(
                list,
                Entry {
                    next: 0,
                    link: open,
                    ..self.entry(list)
                },
            );
            let enumerable = may_be_enum || open != NONE;
            open = list;
            depth = depth.saturating_add(1);
            self.space();
            let mut closed = self.eat(b')');
            // Each turn reads a field, unless the list is closed.
            loop {
                while closed {
                    let entry = self.entry(open);
                    let this = open;
                    self.set(
                        this,
                        Entry {
                            next: self.count,
                            link: entry.next,
                            ..entry
                        },
                    );
                    open = entry.link;
                    depth = depth.saturating_sub(1);
                    if open == NONE {
                        return Ok(());
                    }
                    depth = depth.saturating_sub(self.end_field(this));
                    closed = match self.comma() {
                        Ok(closed) => closed,
                        Err(fault) => return Err(fault),
                    };
                }
                match self.field(open, enumerable, &mut depth) {
                    Ok(true) => continue 'list,
                    Ok(false) => {}
                    Err(fault) => return Err(fault),
                }
                closed = match self.comma() {
                    Ok(closed) => closed,
                    Err(fault) => return Err(fault),
                };
            }
        }
    }

    /// `,`, or `)`: whether the list is closed.
    const fn comma(&mut self) -> Result<bool, Fault> {
        self.space();
        if self.eat(b')') {
            Ok(true)
        } else if self.eat(b',') {
            Ok(false)
        } else {
            Err(self.fault(Problem::CommaOrClose))
        }
    }

    /// A field of a structure, or a value of an enumeration; whether a list begins here, which is
    /// its type.
    const fn field(
        &mut self,
        list: u16,
        may_be_enum: bool,
        depth: &mut usize,
    ) -> Result<bool, Fault> {
        self.space();
        let name = self.word();
        if !name::field(name) {
            return Err(self.fault(match self.entry(list).next {
                0 => Problem::FieldNameOrClose,
                _ => Problem::FieldName,
            }));
        }
        if name.len() > NAME {
            return Err(self.fault(Problem::LongName));
        }
        let entry = self.entry(list);
        let link = tag(name.len(), hash(name));
        if self.has_field(list, name, link) {
            return Err(self.fault(Problem::DuplicateField));
        }
        let index = match self.push(Kind::Field) {
            Ok(index) => index,
            Err(fault) => return Err(fault),
        };
        self.skip(name.len());
        self.space();
        let typed = matches!(self.rest, [b':', ..]);
        let values = match entry.next {
            0 if !typed && may_be_enum => true,
            0 => false,
            _ => matches!(entry.kind, Kind::Enum),
        };
        let count = entry.next.saturating_add(1);
        let (kind, limit, problem) = if values {
            (Kind::Enum, VALUES, Problem::Values)
        } else {
            (Kind::Struct, FIELDS, Problem::Fields)
        };
        if count as usize > limit {
            return Err((problem, self.entry(index).at as usize));
        }
        self.set(
            list,
            Entry {
                kind,
                next: count,
                ..entry
            },
        );
        let kind = if values { Kind::Value } else { Kind::Field };
        let field = self.entry(index);
        self.set(
            index,
            Entry {
                kind,
                link,
                number: entry.next,
                ..field
            },
        );
        if values {
            return match typed {
                true => Err(self.fault(Problem::CommaOrClose)),
                false => Ok(false),
            };
        }
        if !self.eat(b':') {
            return Err(self.fault(Problem::Colon));
        }
        self.space();
        if !matches!(self.rest, [b'?', ..]) {
            let entry = self.entry(list);
            let number = entry.number.saturating_add(1);
            self.set(list, Entry { number, ..entry });
        }
        self.types(depth)
    }

    /// A type, but for the list that it may end with: whether there is one.
    const fn types(&mut self, depth: &mut usize) -> Result<bool, Fault> {
        let mut nullable = false;
        loop {
            let (kind, length) = match self.rest {
                [b'(', ..] => (Kind::Struct, 0),
                [b'?', ..] if nullable => return Err(self.fault(Problem::Nullable)),
                [b'?', ..] => (Kind::Nullable, 1),
                [b'[', b']', ..] => (Kind::Array, 2),
                [b'[', b's', b't', b'r', b'i', b'n', b'g', b']', ..] => (Kind::Map, 8),
                _ => match self.word() {
                    b"bool" => (Kind::Bool, 4),
                    b"int" => (Kind::Int, 3),
                    b"float" => (Kind::Float, 5),
                    b"string" => (Kind::String, 6),
                    b"object" => (Kind::Object, 6),
                    b"any" => (Kind::Any, 3),
                    word if name::member(word) => (Kind::Reference, word.len()),
                    _ => return Err(self.fault(Problem::Type)),
                },
            };
            if *depth >= DEPTH {
                return Err(self.fault(Problem::Depth));
            }
            if let Kind::Struct = kind {
                return Ok(true);
            }
            if let Kind::Reference = kind
                && length > NAME
            {
                return Err(self.fault(Problem::LongName));
            }
            let index = match self.push(kind) {
                Ok(index) => index,
                Err(fault) => return Err(fault),
            };
            self.skip(length);
            nullable = matches!(kind, Kind::Nullable);
            if !matches!(kind, Kind::Nullable | Kind::Array | Kind::Map) {
                *depth = depth.saturating_sub(self.end_field(index));
                return Ok(false);
            }
            *depth = depth.saturating_add(1);
        }
    }

    /// A field's type is complete, which ends at `last`: tells everything from the field's name up
    /// to there where it ends. Returns how many `?`, `[]` and `[string]` there are among it.
    const fn end_field(&mut self, last: u16) -> usize {
        let mut index = last;
        let mut prefixes = 0_usize;
        loop {
            index = index.saturating_sub(1);
            let entry = self.entry(index);
            self.set(
                index,
                Entry {
                    next: self.count,
                    ..entry
                },
            );
            if matches!(entry.kind, Kind::Field) || index == 0 {
                return prefixes;
            }
            prefixes = prefixes.saturating_add(1);
        }
    }

    /// Whether an open list has a field of this name.
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

    /// Sorts the members, finds the types that are referred to, and those that never end.
    const fn resolve(&mut self) -> Result<(), Fault> {
        let (_, order) = parts_mut(self.table, self.members);
        sort(self.text, order);
        let mut rest = &*order;
        // Of those that are there already, the first.
        let mut again = u32::MAX;
        while let [one, behind @ ..] = rest
            && let [two, ..] = behind
        {
            let names = (word_at(self.text, one.at), word_at(self.text, two.at));
            if let Ordering::Equal = compare(names.0, names.1)
                && two.at < again
            {
                again = two.at;
            }
            rest = behind;
        }
        if again < u32::MAX {
            return Err((Problem::DuplicateMember, again as usize));
        }
        let mut index = 0;
        while index < self.count {
            let entry = self.entry(index);
            if let Kind::Reference = entry.kind {
                let (_, order) = parts(self.table, 0, self.members);
                let Some(link) = find(self.text, order, word_at(self.text, entry.at)) else {
                    return Err((Problem::UnknownType, entry.at as usize));
                };
                if !matches!(self.entry(link).kind, Kind::Type) {
                    return Err((Problem::NotAType, entry.at as usize));
                }
                self.set(index, Entry { link, ..entry });
            }
            index = index.saturating_add(1);
        }
        let mut index = 0;
        while index < self.count {
            let entry = self.entry(index);
            if let Kind::Type = entry.kind
                && let Err(fault) = self.ends(index)
            {
                return Err(fault);
            }
            index = entry.next;
        }
        Ok(())
    }

    /// That a type does not contain itself, other than where there may be none of it.
    ///
    /// This goes from type to type along the references. On the way, a reference has in `next`
    /// which type it is in, and the type that it refers to has in `link` where it was referred to.
    const fn ends(&mut self, root: u16) -> Result<(), Fault> {
        let mut this = root;
        let mut index = match self.enter(root, NONE) {
            Some(index) => index,
            None => return Ok(()),
        };
        loop {
            if index >= self.entry(this).next {
                let entry = self.entry(this);
                let (link, mark) = (0, Mark::Done);
                self.set(
                    this,
                    Entry {
                        link,
                        mark,
                        ..entry
                    },
                );
                if entry.link == NONE {
                    return Ok(());
                }
                let reference = self.entry(entry.link);
                index = entry.link.saturating_add(1);
                self.set(
                    entry.link,
                    Entry {
                        next: index,
                        ..reference
                    },
                );
                this = reference.next;
                continue;
            }
            let entry = self.entry(index);
            index = match entry.kind {
                // There may be none.
                Kind::Nullable | Kind::Array | Kind::Map => entry.next,
                Kind::Reference => match self.entry(entry.link).mark {
                    Mark::Open => return Err((Problem::Endless, entry.at as usize)),
                    _ => match self.enter(entry.link, index) {
                        Some(first) => {
                            self.set(
                                index,
                                Entry {
                                    next: this,
                                    ..entry
                                },
                            );
                            this = entry.link;
                            first
                        }
                        None => index.saturating_add(1),
                    },
                },
                _ => index.saturating_add(1),
            };
        }
    }

    /// Goes into a type that was not seen before; returns the entry that it begins with.
    const fn enter(&mut self, index: u16, link: u16) -> Option<u16> {
        let entry = self.entry(index);
        if !matches!(entry.mark, Mark::New) {
            return None;
        }
        let mark = Mark::Open;
        self.set(
            index,
            Entry {
                link,
                mark,
                ..entry
            },
        );
        Some(index.saturating_add(1))
    }
}
