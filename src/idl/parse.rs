//! The parser: the whole grammar of UAPI.20, in one forward pass, at compile time or at run time.
//!
//! It fills a table of [`Entry`], in the order of the text, and allocates nothing else: lists
//! within lists are a stack that is linked through the entries that are still open. What it walks
//! over byte by byte, it walks over in one loop: that is what a compiler can evaluate fast.

use core::cmp::Ordering;
use core::fmt;
use core::str;

use super::{FIELDS, VALUES};
use crate::name;

/// One name, type or list of a definition. A table of them, [`size`] entries long, is the index
/// of a [`Definition`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands in the text. Of a member, that is its keyword.
    pub(super) at: u32,
    /// The entry behind it and everything that belongs to it.
    pub(super) next: u16,
    /// List: how many fields or values it has. Reference: the type it refers to.
    pub(super) link: u16,
    pub(super) kind: Kind,
    mark: Mark,
}

/// What an [`Entry`] is, and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A member, before its list.
    Type,
    /// A member, before its two lists.
    Method,
    /// A member, before its list.
    Error,
    /// A list of fields.
    Struct,
    /// A list of values.
    Enum,
    /// The name of a field, before its type.
    Field,
    /// The name of a value.
    Value,
    /// Before the type that may be null.
    Nullable,
    /// Before the type of the elements.
    Array,
    /// Before the type of the values.
    Map,
    Bool,
    Int,
    Float,
    String,
    Object,
    Any,
    /// The name of a type.
    Reference,
    /// At the end of the table: a member's name and entry, in the order of the names.
    Order,
}

/// How far the search for types that contain themselves has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

impl Entry {
    /// What a table is filled with, to begin with.
    pub const EMPTY: Self = Entry {
        at: 0,
        next: 0,
        link: 0,
        kind: Kind::Any,
        mark: Mark::New,
    };
}

/// How many entries the index of a definition has.
///
/// ```
/// use nullink::idl;
///
/// let text = "interface a.b\nmethod Sum(of: []int) -> (sum: int)\n";
/// assert_eq!(idl::size(text), 9);
/// ```
pub const fn size(text: &str) -> usize {
    let mut rest = text.as_bytes();
    let mut size = 0_usize;
    // Whether this is in a word; whether it is in the brackets of a map.
    let (mut word, mut brackets) = (false, false);
    while let [byte, behind @ ..] = rest {
        rest = behind;
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
        Ok(_) => Ok(table),
        Err(error) => Err(error),
    }
}

/// Why a text is not a definition, and where.
///
/// ```
/// use nullink::idl::{Definition, Entry};
///
/// let mut table = [Entry::EMPTY; 9];
/// let error = Definition::parse("interface a.b\n\nmethod Go(to: strong) -> ()\n", &mut table).unwrap_err();
/// assert_eq!((error.line(), error.column()), (3, 15));
/// assert_eq!(error.to_string(), "3:15: expected a type: bool, int, float, string, object, any, a name, ( [ or ?");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    problem: Problem,
    offset: usize,
    line: usize,
    column: usize,
}

/// What can be wrong with a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The text does not begin with `interface`.
    Interface,
    /// Not the name of an interface.
    InterfaceName,
    /// Neither `type`, `method` nor `error`.
    Member,
    /// A member does not begin on a line of its own.
    LineBreak,
    /// No white space behind a keyword.
    Space,
    /// Not the name of a type, a method or an error.
    MemberName,
    /// Not the name of a field.
    FieldName,
    /// A name of more than [`NAME`] bytes.
    LongName,
    /// No `(`.
    Open,
    /// Neither `,` nor `)`.
    CommaOrClose,
    /// No `:` behind the name of a field.
    Colon,
    /// Not `->`.
    Arrow,
    /// Not a type.
    Type,
    /// `??`.
    Nullable,
    /// The name of a member that is there already.
    DuplicateMember,
    /// The name of a field, or of a value, that the list has already.
    DuplicateField,
    /// A type that is not defined.
    UnknownType,
    /// The name of a method or an error where a type is expected.
    NotAType,
    /// A structure that contains itself, so that it has no value.
    Endless,
    /// More than [`FIELDS`] fields in a structure.
    Fields,
    /// More than [`VALUES`] values in an enumeration.
    Values,
    /// Types within types, more than [`DEPTH`].
    Depth,
    /// More entries than the table has, or than a table can have (65,535).
    Size,
}

impl Problem {
    /// What was expected.
    pub const fn as_str(self) -> &'static str {
        match self {
            Problem::Interface => "expected interface and its name",
            Problem::InterfaceName => "expected the name of an interface, such as org.example.ftl",
            Problem::Member => "expected type, method or error",
            Problem::LineBreak => "expected a line break: each member is on a line of its own",
            Problem::Space => "expected white space",
            Problem::MemberName => "expected a name that begins with an uppercase letter",
            Problem::FieldName => "expected the name of a field, or )",
            Problem::LongName => "expected a name of at most 255 bytes",
            Problem::Open => "expected (",
            Problem::CommaOrClose => "expected , or )",
            Problem::Colon => "expected : and a type",
            Problem::Arrow => "expected -> and what the method returns",
            Problem::Type => {
                "expected a type: bool, int, float, string, object, any, a name, ( [ or ?"
            }
            Problem::Nullable => "expected a type that is not nullable: it is already",
            Problem::DuplicateMember => {
                "expected another name: types, methods and errors share theirs"
            }
            Problem::DuplicateField => "expected another name: the list has this one already",
            Problem::UnknownType => "expected the name of a type: there is none of this name",
            Problem::NotAType => "expected the name of a type: this is a method or an error",
            Problem::Endless => {
                "expected a type that does not contain itself: it could have no value"
            }
            Problem::Fields => "expected at most 256 fields",
            Problem::Values => "expected at most 1024 values",
            Problem::Depth => "expected fewer types within one another",
            Problem::Size => "expected a smaller definition: the table has no entry left",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ParseError {
    /// Counts lines and columns up to the offset.
    const fn new(problem: Problem, text: &[u8], offset: usize) -> Self {
        let (mut line, mut column) = (1_usize, 1_usize);
        let mut rest = match text.split_at_checked(offset) {
            Some((before, _)) => before,
            None => text,
        };
        while let [byte, behind @ ..] = rest {
            let broken = match rest {
                [b'\r', b'\n', ..] => false,
                [b'\n' | b'\r', ..] => true,
                // U+2028 and U+2029, at their last byte.
                [0xe2, 0x80, 0xa8 | 0xa9, after @ ..] => {
                    rest = after;
                    line = line.saturating_add(1);
                    column = 1;
                    continue;
                }
                _ => false,
            };
            if broken {
                line = line.saturating_add(1);
                column = 1;
            } else if !matches!(byte, 0x80..=0xbf) {
                column = column.saturating_add(1);
            }
            rest = behind;
        }
        ParseError {
            problem,
            offset,
            line,
            column,
        }
    }

    /// What is wrong.
    pub const fn problem(&self) -> Problem {
        self.problem
    }

    /// Where: bytes from the beginning of the text.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The line, from 1.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The column, from 1: characters, not bytes.
    pub const fn column(&self) -> usize {
        self.column
    }

    /// The error as a text that a `panic!` can say while compiling: `PATH:LINE:COLUMN: PROBLEM`.
    #[doc(hidden)]
    pub const fn message(&self, path: &str) -> Message {
        let mut message = Message::new();
        message.push(path.as_bytes());
        message.push(b":");
        message.number(self.line);
        message.push(b":");
        message.number(self.column);
        message.push(b": ");
        message.push(self.problem.as_str().as_bytes());
        message
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.problem)
    }
}

impl core::error::Error for ParseError {}

/// A text that was put together while compiling.
#[doc(hidden)]
pub struct Message {
    bytes: [u8; 512],
    free: usize,
}

impl Message {
    const fn new() -> Self {
        Message {
            bytes: [0; 512],
            free: 512,
        }
    }

    const fn push(&mut self, mut text: &[u8]) {
        while let [byte, rest @ ..] = text {
            let length = self.bytes.len().saturating_sub(self.free);
            if let Some((_, [next, ..])) = self.bytes.split_at_mut_checked(length) {
                *next = *byte;
                self.free = self.free.saturating_sub(1);
            }
            text = rest;
        }
    }

    const fn number(&mut self, number: usize) {
        // As many digits as 64 bits can have, from the last.
        let mut digits = [b'0'; 20];
        let (mut left, mut count) = (number, 0_usize);
        while let Some((_, [place, ..])) =
            digits.split_at_mut_checked(19_usize.saturating_sub(count))
            && (left > 0 || count == 0)
        {
            let [digit, ..] = (left % 10).to_le_bytes();
            *place = b'0'.saturating_add(digit);
            left /= 10;
            count = count.saturating_add(1);
        }
        if let Some((_, digits)) = digits.split_at_checked(20_usize.saturating_sub(count)) {
            self.push(digits);
        }
    }

    /// The text.
    pub const fn as_str(&self) -> &str {
        let length = self.bytes.len().saturating_sub(self.free);
        let text = match self.bytes.split_at_checked(length) {
            Some((text, _)) => text,
            None => &[],
        };
        match str::from_utf8(text) {
            Ok(text) => text,
            Err(_) => "not a definition",
        }
    }
}

/// How long the name of an interface, a member or a field may be, in bytes.
pub const NAME: usize = 255;

/// How many types there may be within one another.
///
/// No value can be deeper: [`json::DEPTH`](crate::json::DEPTH).
pub const DEPTH: usize = crate::json::DEPTH;

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

/// The entries of a table, and its members in the order of their names.
const fn parts(table: &[Entry], count: u16, members: u16) -> (&[Entry], &[Entry]) {
    let end = table.len().saturating_sub(members as usize);
    match (
        table.split_at_checked(count as usize),
        table.split_at_checked(end),
    ) {
        (Some((entries, _)), Some((_, order))) => (entries, order),
        _ => (&[], &[]),
    }
}

/// The same for a table that was filled before.
pub(super) const fn split(table: &[Entry]) -> (&[Entry], &[Entry]) {
    let mut rest = table;
    let mut members = 0_u16;
    while let [before @ .., last] = rest
        && matches!(last.kind, Kind::Order)
    {
        rest = before;
        members = members.saturating_add(1);
    }
    (rest, parts(table, 0, members).1)
}

/// The name of the interface that a definition begins with.
pub(super) const fn interface_name(text: &str) -> &str {
    let (rest, _) = skip_space(text.as_bytes());
    let [
        b'i',
        b'n',
        b't',
        b'e',
        b'r',
        b'f',
        b'a',
        b'c',
        b'e',
        rest @ ..,
    ] = rest
    else {
        return "";
    };
    let (rest, _) = skip_space(rest);
    as_str(word(rest))
}

/// The name of the member whose keyword stands at a place of a text.
pub(super) const fn name_behind(text: &str, at: u32) -> &str {
    let text = text.as_bytes();
    match text.split_at_checked((at as usize).saturating_add(word_at(text, at).len())) {
        Some((_, rest)) => as_str(word(skip_space(rest).0)),
        None => "",
    }
}

/// The name that stands at a place of a text.
pub(super) const fn name_at(text: &str, at: u32) -> &str {
    match text.as_bytes().split_at_checked(at as usize) {
        Some((_, rest)) => as_str(word(rest)),
        None => "",
    }
}

/// Letters, digits, and what else can be in a name.
const fn word(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let [
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-',
        behind @ ..,
    ] = rest
    {
        if let [b'-', b'>', ..] = rest {
            break;
        }
        rest = behind;
    }
    match text.split_at_checked(text.len().saturating_sub(rest.len())) {
        Some((word, _)) => word,
        None => &[],
    }
}

const fn as_str(word: &[u8]) -> &str {
    match str::from_utf8(word) {
        Ok(word) => word,
        Err(_) => "",
    }
}

/// Skips the rest of a line, up to its end.
const fn skip_line(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [] | [b'\n' | b'\r', ..] | [0xe2, 0x80, 0xa8 | 0xa9, ..] => return rest,
            [_, behind @ ..] => behind,
        };
    }
}

/// Skips white space and comments; says whether there was the end of a line among them.
pub(super) const fn skip_space(mut rest: &[u8]) -> (&[u8], bool) {
    let mut lines = false;
    loop {
        rest = match rest {
            [b' ' | b'\t', behind @ ..] => behind,
            [b'\n' | b'\r', behind @ ..] | [0xe2, 0x80, 0xa8 | 0xa9, behind @ ..] => {
                lines = true;
                behind
            }
            // (A comment ends its line, at the end of the text, too.)
            [b'#', behind @ ..] => {
                lines = true;
                skip_line(behind)
            }
            // The other characters that UAPI.20 counts as white space, in UTF-8.
            [0xc2, 0xa0, behind @ ..]
            | [0xef, 0xbb, 0xbf, behind @ ..]
            | [0xe1, 0x9a, 0x80, behind @ ..]
            | [0xe1, 0xa0, 0x8e, behind @ ..]
            | [0xe2, 0x80, 0x80..=0x8a | 0xaf, behind @ ..]
            | [0xe2, 0x81, 0x9f, behind @ ..]
            | [0xe3, 0x80, 0x80, behind @ ..] => behind,
            _ => return (rest, lines),
        };
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
        if !name::is_interface(as_str(name)) {
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
        if !name::is_member(as_str(name)) {
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
        if !name::is_field(as_str(name)) {
            return Err(self.fault(Problem::FieldName));
        }
        if name.len() > NAME {
            return Err(self.fault(Problem::LongName));
        }
        let entry = self.entry(list);
        if self.has_field(list, name) {
            return Err(self.fault(Problem::DuplicateField));
        }
        let index = match self.push(Kind::Field) {
            Ok(index) => index,
            Err(fault) => return Err(fault),
        };
        self.skip(name.len());
        self.space();
        let typed = self.eat(b':');
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
            return Err(self.fault(problem));
        }
        self.set(
            list,
            Entry {
                kind,
                next: count,
                ..entry
            },
        );
        if values {
            self.set(
                index,
                Entry {
                    kind: Kind::Value,
                    ..self.entry(index)
                },
            );
            return match typed {
                true => Err(self.fault(Problem::CommaOrClose)),
                false => Ok(false),
            };
        }
        if !typed {
            return Err(self.fault(Problem::Colon));
        }
        self.space();
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
                    word if name::is_member(as_str(word)) => (Kind::Reference, word.len()),
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
    const fn has_field(&self, list: u16, name: &[u8]) -> bool {
        let mut left = self.entry(list).next;
        let mut index = list.saturating_add(1);
        while left > 0 {
            let entry = self.entry(index);
            if let Ordering::Equal = compare(word_at(self.text, entry.at), name) {
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
        while let [one, two, ..] = rest {
            if let Ordering::Equal = compare(word_at(self.text, one.at), word_at(self.text, two.at))
            {
                let later = if one.at > two.at { one.at } else { two.at };
                return Err((Problem::DuplicateMember, later as usize));
            }
            let [_, behind @ ..] = rest else { break };
            rest = behind;
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

/// The members at the end of a table, and everything before them.
const fn parts_mut(table: &mut [Entry], members: u16) -> (&mut [Entry], &mut [Entry]) {
    let end = table.len().saturating_sub(members as usize);
    match table.split_at_mut_checked(end) {
        Some(parts) => parts,
        None => (&mut [], &mut []),
    }
}

const fn word_at(text: &[u8], at: u32) -> &[u8] {
    match text.split_at_checked(at as usize) {
        Some((_, rest)) => word(rest),
        None => &[],
    }
}

/// The entry of a member, by its name.
pub(super) const fn find(text: &[u8], mut order: &[Entry], name: &[u8]) -> Option<u16> {
    loop {
        let Some((before, [middle, behind @ ..])) = order.split_at_checked(order.len() / 2) else {
            return None;
        };
        order = match compare(word_at(text, middle.at), name) {
            Ordering::Equal => return Some(middle.next),
            Ordering::Less => behind,
            Ordering::Greater => before,
        };
    }
}

const fn compare(mut one: &[u8], mut two: &[u8]) -> Ordering {
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

/// Sorts members by their names: heapsort, which has no worst case.
const fn sort(text: &[u8], order: &mut [Entry]) {
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

/// Puts an entry to its place in a heap, whose greatest is the first.
const fn sift(text: &[u8], heap: &mut [Entry], mut root: usize) {
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

const fn less(text: &[u8], heap: &[Entry], one: usize, two: usize) -> bool {
    match (get(heap, one), get(heap, two)) {
        (Some(one), Some(two)) => matches!(
            compare(word_at(text, one.at), word_at(text, two.at)),
            Ordering::Less
        ),
        _ => false,
    }
}

pub(super) const fn get(table: &[Entry], index: usize) -> Option<Entry> {
    match table.split_at_checked(index) {
        Some((_, [entry, ..])) => Some(*entry),
        _ => None,
    }
}

const fn swap(table: &mut [Entry], one: usize, two: usize) {
    if let (Some(first), Some(second)) = (get(table, one), get(table, two)) {
        put(table, one, second);
        put(table, two, first);
    }
}

const fn put(table: &mut [Entry], index: usize, entry: Entry) {
    if let Some((_, [place, ..])) = table.split_at_mut_checked(index) {
        *place = entry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i3_a_mistake_in_a_program_is_a_line_of_the_compiler() {
        for (text, message) in [
            ("", "x.varlink:1:1: expected interface and its name"),
            (
                "interface a.b\n\n\n\n\n\n\n\n\n         e",
                "x.varlink:10:10: expected type, method or error",
            ),
        ] {
            let error = parse(text, &mut [Entry::EMPTY; 9]).unwrap_err();
            assert_eq!(error.message("x.varlink").as_str(), message);
        }
        let mut message = Message::new();
        for number in [0, 7, 10, 1234567890, usize::MAX] {
            message.number(number);
            message.push(b" ");
        }
        let text = std::format!("0 7 10 1234567890 {} ", usize::MAX);
        assert_eq!(message.as_str(), text);
        // What does not fit is cut off.
        message.push(&[b'x'; 1000]);
        assert_eq!(message.as_str().len(), 512);
    }
}
