//! What is in a definition, to look at: members, fields, types, and what is written about them.

use core::fmt;

use super::table::{Entry, Kind as K, find, tag};
use super::text::{LINE_ENDS, first_word, is_space, name_at, name_behind};
use super::{DEPTH, Definition};
use crate::json::Text;

impl<'a> Definition<'a> {
    /// What is written about the interface.
    pub fn documentation(&self) -> Documentation<'a> {
        Documentation::before(self.text, first_word(self.text))
    }

    /// The types, methods and errors, in the order of the text.
    pub fn members(&self) -> Members<'a> {
        Members {
            definition: *self,
            index: 0,
        }
    }

    /// A type, a method or an error, by its name within the interface.
    pub fn find(&self, name: &str) -> Option<Member<'a>> {
        find(self.text.as_bytes(), self.order, name.as_bytes()).map(|index| Member {
            definition: *self,
            index,
        })
    }

    /// A method, by its name within the interface.
    pub fn method(&self, name: &str) -> Option<Member<'a>> {
        self.find(name)
            .filter(|member| member.kind() == MemberKind::Method)
    }

    pub(crate) fn entry(&self, index: u16) -> Entry {
        self.entries
            .get(usize::from(index))
            .copied()
            .unwrap_or(Entry::EMPTY)
    }

    pub(super) fn name_of(&self, index: u16) -> &'a str {
        name_at(self.text, self.entry(index).at)
    }

    /// The type that stands behind a name, or within another type.
    pub(super) fn type_of(&self, index: u16) -> Type<'a> {
        Type {
            definition: *self,
            index: index.saturating_add(1),
        }
    }

    /// What is written about a member, a field or a value.
    pub(super) fn documentation_of(&self, index: u16) -> Documentation<'a> {
        Documentation::before(self.text, self.entry(index).at)
    }

    /// The member that has an index.
    pub(crate) fn member_at(&self, index: MemberIndex) -> Member<'a> {
        Member {
            definition: *self,
            index,
        }
    }

    /// The fields of a structure, or the values of an enumeration.
    pub(super) fn list(&self, list: u16) -> List<'a> {
        List {
            definition: *self,
            index: list.saturating_add(1),
            left: self.entry(list).link,
        }
    }

    /// A field or a value of a list, by its name; its entry. The search begins with the entry that is
    /// expected to have it, and goes on to those after it: fields are left out more often than
    /// they are in another order.
    pub(super) fn find_in(&self, list: u16, expected: u16, name: &Text<'_>) -> Option<u16> {
        let entry = self.entry(expected);
        let expects = expected < self.entry(list).next;
        let length = name.0.len();
        let at = entry.at as usize;
        if expects
            && usize::from(entry.link >> 8) == length
            && self.text.as_bytes().get(at..at.saturating_add(length)) == Some(name.0)
        {
            return Some(expected);
        }
        self.search(list, expects.then_some(expected), name)
    }

    #[inline(never)] // seldom needed
    fn search(&self, list: u16, expected: Option<u16>, name: &Text<'_>) -> Option<u16> {
        let all = self.entry(list);
        let first = list.saturating_add(1);
        let tag = tag(name.unescaped().count(), name.hash());
        let mut index = expected.unwrap_or(first);
        for _ in 0..all.link {
            let entry = self.entries.get(usize::from(index))?;
            if entry.link == tag && name.is(self.name_of(index)) {
                return Some(index);
            }
            index = entry.next;
            if index >= all.next {
                index = first;
            }
        }
        None
    }
}

/// Which member of a definition: what can be kept where the definition is known.
pub(crate) type MemberIndex = u16;

/// The members of a definition: see [`Definition::members`].
#[derive(Clone, Debug)]
pub struct Members<'a> {
    definition: Definition<'a>,
    index: u16,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        if usize::from(self.index) >= self.definition.entries.len() {
            return None;
        }
        let member = self.definition.member_at(self.index);
        let next = self.definition.entry(self.index).next;
        // (An index that is not of this text leads to an end as well.)
        self.index = next.max(self.index.saturating_add(1));
        Some(member)
    }
}

/// A type, a method or an error.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    pub(super) definition: Definition<'a>,
    pub(super) index: u16,
}

/// What a [`Member`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// `type`
    Type,
    /// `method`
    Method,
    /// `error`
    Error,
}

impl MemberKind {
    /// The keyword that the member begins with.
    pub const fn as_str(self) -> &'static str {
        match self {
            MemberKind::Type => "type",
            MemberKind::Method => "method",
            MemberKind::Error => "error",
        }
    }
}

impl fmt::Display for MemberKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'a> Member<'a> {
    /// What it is.
    pub fn kind(&self) -> MemberKind {
        match self.definition.entry(self.index).kind {
            K::Method => MemberKind::Method,
            K::Error => MemberKind::Error,
            _ => MemberKind::Type,
        }
    }

    /// Its name within the interface.
    pub fn name(&self) -> &'a str {
        let keyword = self.definition.entry(self.index).at;
        name_behind(self.definition.text, keyword)
    }

    /// Its index in the definition.
    pub(crate) fn index(&self) -> MemberIndex {
        self.index
    }

    /// The interface's definition.
    pub fn definition(&self) -> Definition<'a> {
        self.definition
    }

    /// What is written about it.
    pub fn documentation(&self) -> Documentation<'a> {
        self.definition.documentation_of(self.index)
    }

    /// A type: what it stands for. A method: its parameters. An error: its parameters.
    pub fn ty(&self) -> Type<'a> {
        self.definition.type_of(self.index)
    }

    /// The parameters of a method's call, or of an error: a structure.
    pub fn input(&self) -> Type<'a> {
        self.ty()
    }

    /// The parameters of a method's replies: a structure. Those of an error are its only ones.
    pub fn output(&self) -> Type<'a> {
        let input = self.ty();
        match self.kind() {
            MemberKind::Method => Type {
                index: self.definition.entry(input.index).next,
                ..input
            },
            _ => input,
        }
    }
}

impl fmt::Debug for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

/// A type, wherever one stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Type<'a> {
    pub(super) definition: Definition<'a>,
    pub(crate) index: u16,
}

/// What a [`Type`] is: UAPI.20, "Types".
#[derive(Clone, Debug)]
pub enum Kind<'a> {
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `float`
    Float,
    /// `string`
    String,
    /// `object`
    Object,
    /// `any`
    Any,
    /// `?`, and the type that may be null.
    Nullable(Type<'a>),
    /// `[]`, and the type of the elements.
    Array(Type<'a>),
    /// `[string]`, and the type of the values.
    Map(Type<'a>),
    /// A structure.
    Struct(Fields<'a>),
    /// An enumeration.
    Enum(Values<'a>),
    /// The name of a type.
    Named(Member<'a>),
}

impl<'a> Type<'a> {
    /// What it is.
    pub fn kind(&self) -> Kind<'a> {
        let definition = self.definition;
        let entry = definition.entry(self.index);
        let inner = definition.type_of(self.index);
        match entry.kind {
            K::Bool => Kind::Bool,
            K::Int => Kind::Int,
            K::Float => Kind::Float,
            K::String => Kind::String,
            K::Object => Kind::Object,
            K::Nullable => Kind::Nullable(inner),
            K::Array => Kind::Array(inner),
            K::Map => Kind::Map(inner),
            K::Struct => Kind::Struct(Fields(definition.list(self.index))),
            K::Enum => Kind::Enum(Values(definition.list(self.index))),
            K::Reference => Kind::Named(definition.member_at(entry.link)),
            _ => Kind::Any,
        }
    }

    /// The same with a type's name replaced by what it stands for.
    pub fn resolved(&self) -> Type<'a> {
        match self.kind() {
            // (A name stands for a list, never for another name.)
            Kind::Named(member) => member.ty(),
            _ => *self,
        }
    }

    /// The fields, if this is a structure, or the name of one; none otherwise.
    pub fn fields(&self) -> Fields<'a> {
        match self.resolved().kind() {
            Kind::Struct(fields) => fields,
            _ => Fields(List {
                definition: self.definition,
                index: 0,
                left: 0,
            }),
        }
    }
}

impl fmt::Debug for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The type in one line, as a definition has it.
impl fmt::Display for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not recursive: a list in a list is another level of parentheses.
        let end = self.definition.entry(self.index).next;
        let mut index = self.index;
        let mut open = heapless::Vec::<u16, { DEPTH }>::new();
        let mut first = true;
        loop {
            while open.last().is_some_and(|end| *end <= index) {
                open.pop();
                first = false;
                f.write_str(")")?;
            }
            if index >= end {
                return Ok(());
            }
            let entry = self.definition.entry(index);
            if matches!(entry.kind, K::Field | K::Value) && !core::mem::take(&mut first) {
                f.write_str(", ")?;
            }
            match entry.kind {
                K::Field => write!(f, "{}: ", self.definition.name_of(index))?,
                K::Value | K::Reference => f.write_str(self.definition.name_of(index))?,
                K::Nullable => f.write_str("?")?,
                K::Array => f.write_str("[]")?,
                K::Map => f.write_str("[string]")?,
                K::Bool => f.write_str("bool")?,
                K::Int => f.write_str("int")?,
                K::Float => f.write_str("float")?,
                K::String => f.write_str("string")?,
                K::Object => f.write_str("object")?,
                K::Struct | K::Enum => {
                    f.write_str("(")?;
                    first = true;
                    // No definition nests more deeply than that.
                    let _ = open.push(entry.next);
                }
                _ => f.write_str("any")?,
            }
            index = index.saturating_add(1);
        }
    }
}

/// The entries of a list's fields or values, one after another.
#[derive(Clone, Debug)]
pub(super) struct List<'a> {
    definition: Definition<'a>,
    index: u16,
    left: u16,
}

impl Iterator for List<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        self.left = self.left.checked_sub(1)?;
        let index = self.index;
        self.index = self.definition.entry(index).next;
        Some(index)
    }
}

/// The fields of a structure, in the order of the text.
#[derive(Clone, Debug)]
pub struct Fields<'a>(List<'a>);

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let index = self.0.next()?;
        Some(Field {
            definition: self.0.definition,
            index,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.left.into(), Some(self.0.left.into()))
    }
}

/// A field of a structure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    definition: Definition<'a>,
    pub(crate) index: u16,
}

impl<'a> Field<'a> {
    /// Its name.
    pub fn name(&self) -> &'a str {
        self.definition.name_of(self.index)
    }

    /// Its type.
    pub fn ty(&self) -> Type<'a> {
        self.definition.type_of(self.index)
    }

    /// What is written about it.
    pub fn documentation(&self) -> Documentation<'a> {
        self.definition.documentation_of(self.index)
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.ty())
    }
}

/// The values of an enumeration, in the order of the text.
#[derive(Clone, Debug)]
pub struct Values<'a>(List<'a>);

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let index = self.0.next()?;
        Some(Value {
            definition: self.0.definition,
            index,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.left.into(), Some(self.0.left.into()))
    }
}

/// A value of an enumeration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    definition: Definition<'a>,
    pub(crate) index: u16,
}

impl<'a> Value<'a> {
    /// Its name.
    pub fn name(&self) -> &'a str {
        self.definition.name_of(self.index)
    }

    /// What is written about it.
    pub fn documentation(&self) -> Documentation<'a> {
        self.definition.documentation_of(self.index)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The lines of the comment that stands immediately before something, on lines of its own, without
/// `#` and the space behind it: UAPI.20, "Documentation Comments".
#[derive(Clone, Debug)]
pub struct Documentation<'a> {
    lines: &'a str,
}

impl<'a> Documentation<'a> {
    /// What is written before a place of a text.
    fn before(text: &'a str, at: u32) -> Self {
        let before = text.get(..at as usize).unwrap_or_default();
        let all = before.trim_end_matches(is_space);
        // Something that is not the first on its line has nothing written about it.
        let first = all.is_empty() || all.ends_with(LINE_ENDS);
        let mut rest = all;
        while first
            && let (before, comment) = last_line(without_end(rest))
            && comment.trim_start_matches(is_space).starts_with('#')
        {
            rest = before;
        }
        Documentation {
            lines: all.get(rest.len()..).unwrap_or_default(),
        }
    }
}

impl<'a> Iterator for Documentation<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (_, line) = self.lines.split_once('#')?;
        let end = line.find(LINE_ENDS).unwrap_or(line.len());
        let (line, rest) = line.split_at_checked(end).unwrap_or_default();
        self.lines = rest;
        Some(line.strip_prefix(' ').unwrap_or(line))
    }
}

/// The last line of a text, and everything before it.
fn last_line(text: &str) -> (&str, &str) {
    let line = text.rsplit(LINE_ENDS).next().unwrap_or_default();
    let start = text.len().saturating_sub(line.len());
    text.split_at_checked(start).unwrap_or_default()
}

/// A text without the end of its last line.
fn without_end(text: &str) -> &str {
    match text.strip_suffix("\r\n") {
        Some(text) => text,
        None => text.strip_suffix(LINE_ENDS).unwrap_or(text),
    }
}
