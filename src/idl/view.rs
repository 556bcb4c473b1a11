//! What is in a definition, to look at: members, fields, types, and what is written about them.

use core::fmt;

use super::Definition;
use super::table::{Entry, EntryKind, find, get, tag};
use super::text::{LINE_ENDS, first_word, is_space, name_after, name_at, token};
use crate::json::Text;

impl<'a> Definition<'a> {
    /// What is written about the interface.
    pub fn documentation(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        Documentation::before(self.text, first_word(self.text))
    }

    /// The types, methods and errors, in the order of the text.
    pub fn members(&self) -> impl Iterator<Item = Member<'a>> + Clone + use<'a> {
        let definition = *self;
        let entries = Entries {
            definition,
            index: 0,
            left: self.order.len(),
        };
        entries.map(move |index| Member { definition, index })
    }

    /// A type, a method or an error, by its name within the interface.
    pub fn find(&self, name: &str) -> Option<Member<'a>> {
        let index = find(self.text.as_bytes(), self.order, name.as_bytes())?;
        Some(self.member_at(index))
    }

    /// A method, by its name within the interface.
    pub fn method(&self, name: &str) -> Option<Member<'a>> {
        let member = self.find(name)?;
        (member.kind() == MemberKind::Method).then_some(member)
    }

    pub(crate) fn entry(&self, index: u16) -> Entry {
        get(self.entries, index.into()).unwrap_or(Entry::EMPTY)
    }

    pub(super) fn name_of(&self, index: u16) -> &'a str {
        name_at(self.text, self.entry(index).at)
    }

    /// The type after the name of a field, or within another type.
    pub(super) fn type_of(&self, index: u16) -> Type<'a> {
        let (definition, index) = (*self, index.saturating_add(1));
        Type { definition, index }
    }

    /// What is written about a member, a field or a value.
    pub(super) fn documentation_of(&self, index: u16) -> Documentation<'a> {
        Documentation::before(self.text, self.entry(index).at)
    }

    /// The member that has an index.
    pub(crate) fn member_at(&self, index: MemberIndex) -> Member<'a> {
        let definition = *self;
        Member { definition, index }
    }

    /// The fields of a structure, or the values of an enumeration.
    pub(super) fn list(&self, list: u16) -> Entries<'a> {
        Entries {
            definition: *self,
            index: list.saturating_add(1),
            left: self.entry(list).link.into(),
        }
    }

    /// A field or a value of a list, by its name; its entry. The search begins with the entry that is
    /// expected to have it, and goes on to those after it: fields are left out more often than
    /// they are in another order.
    pub(super) fn find_in(&self, list: u16, expected: u16, name: &Text<'_>) -> Option<u16> {
        let entry = self.entry(expected);
        let expects = expected < self.entry(list).next;
        let length = name.inside.len();
        let at = entry.at as usize;
        if expects
            && usize::from(entry.link >> 8) == length
            && self.text.as_bytes().get(at..at.saturating_add(length)) == Some(name.inside)
        {
            return Some(expected);
        }
        self.search(list, expects.then_some(expected), name)
    }

    #[inline(never)] // seldom needed
    fn search(&self, list: u16, expected: Option<u16>, name: &Text<'_>) -> Option<u16> {
        let all = self.entry(list);
        let first = list.saturating_add(1);
        let tag = tag(name.length(), name.hash());
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
            EntryKind::Method => MemberKind::Method,
            EntryKind::Error => MemberKind::Error,
            _ => MemberKind::Type,
        }
    }

    /// Its name within the interface.
    pub fn name(&self) -> &'a str {
        let keyword = self.definition.entry(self.index).at;
        name_after(self.definition.text, keyword)
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
    pub fn documentation(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.definition.documentation_of(self.index)
    }

    /// The type that it names, or the parameters of a method or an error.
    pub fn ty(&self) -> Type<'a> {
        self.definition.type_of(self.index)
    }

    /// The parameters of a method's call, or of an error: a structure.
    pub fn input(&self) -> Type<'a> {
        self.ty()
    }

    /// The parameters of a method's replies: a structure. Those of an error are its only ones.
    pub fn output(&self) -> Type<'a> {
        let mut output = self.ty();
        if self.kind() == MemberKind::Method {
            output.index = self.definition.entry(output.index).next;
        }
        output
    }

    /// Its types and all types within them, and `any` for each name between them.
    #[cfg(feature = "tools")]
    pub(crate) fn types(&self) -> impl Iterator<Item = Type<'a>> + use<'a> {
        let definition = self.definition;
        let entries = self.index..definition.entry(self.index).next;
        entries.map(move |index| Type { definition, index })
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
pub enum TypeKind<'a> {
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
    /// A structure: see [`Type::fields`].
    Struct,
    /// An enumeration: see [`Type::values`].
    Enum,
    /// The name of a type.
    Named(Member<'a>),
}

impl<'a> Type<'a> {
    /// What it is.
    pub fn kind(&self) -> TypeKind<'a> {
        let definition = self.definition;
        let entry = definition.entry(self.index);
        let inner = definition.type_of(self.index);
        match entry.kind {
            EntryKind::Bool => TypeKind::Bool,
            EntryKind::Int => TypeKind::Int,
            EntryKind::Float => TypeKind::Float,
            EntryKind::String => TypeKind::String,
            EntryKind::Object => TypeKind::Object,
            EntryKind::Nullable => TypeKind::Nullable(inner),
            EntryKind::Array => TypeKind::Array(inner),
            EntryKind::Map => TypeKind::Map(inner),
            EntryKind::Struct => TypeKind::Struct,
            EntryKind::Enum => TypeKind::Enum,
            EntryKind::Reference => TypeKind::Named(definition.member_at(entry.link)),
            _ => TypeKind::Any,
        }
    }

    /// This type, or the type that it names.
    pub fn resolved(&self) -> Type<'a> {
        match self.kind() {
            // A name stands for a list, never for another name.
            TypeKind::Named(member) => member.ty(),
            _ => *self,
        }
    }

    /// The fields of a structure, or of the structure that this type names, in the order of the
    /// text. Other types have none.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + Clone + use<'a> {
        let definition = self.definition;
        let entries = self.entries(EntryKind::Struct);
        entries.map(move |index| Field { definition, index })
    }

    /// The values of an enumeration, or of the enumeration that this type names, in the order of
    /// the text. Other types have none.
    pub fn values(&self) -> impl Iterator<Item = EnumValue<'a>> + Clone + use<'a> {
        let definition = self.definition;
        let entries = self.entries(EntryKind::Enum);
        entries.map(move |index| EnumValue { definition, index })
    }

    /// The entries of a list of this kind; none if the type is not one.
    fn entries(&self, kind: EntryKind) -> Entries<'a> {
        let list = self.resolved();
        if self.definition.entry(list.index).kind == kind {
            self.definition.list(list.index)
        } else {
            Entries {
                definition: self.definition,
                index: 0,
                left: 0,
            }
        }
    }
}

impl fmt::Debug for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The type in one line, without comments.
impl fmt::Display for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.definition.entry(self.index).at as usize;
        let mut rest = self.definition.text.get(at..).unwrap_or_default();
        let mut depth = 0_usize;
        loop {
            let (_, token, tail) = token(rest);
            rest = tail;
            f.write_str(token)?;
            match token {
                "(" | "[" => depth = depth.saturating_add(1),
                ")" | "]" => depth = depth.saturating_sub(1),
                ":" | "," => f.write_str(" ")?,
                _ => {}
            }
            let is_prefix = matches!(token, "?" | "[" | "]");
            if token.is_empty() || (depth == 0 && !is_prefix) {
                return Ok(());
            }
        }
    }
}

/// Entries of a definition, one after another.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a> {
    definition: Definition<'a>,
    index: u16,
    left: usize,
}

impl Iterator for Entries<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        self.left = self.left.checked_sub(1)?;
        let index = self.index;
        self.index = self.definition.entry(index).next;
        Some(index)
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
    pub fn documentation(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.definition.documentation_of(self.index)
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.ty())
    }
}

/// A value of an enumeration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EnumValue<'a> {
    definition: Definition<'a>,
    pub(crate) index: u16,
}

impl<'a> EnumValue<'a> {
    /// Its name.
    pub fn name(&self) -> &'a str {
        self.definition.name_of(self.index)
    }

    /// What is written about it.
    pub fn documentation(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.definition.documentation_of(self.index)
    }
}

impl fmt::Debug for EnumValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The lines of the comment that stands immediately before something, on lines of its own, without
/// `#` and the space after it: UAPI.20, "Documentation Comments".
#[derive(Clone, Debug)]
pub(super) struct Documentation<'a> {
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
        while first && let Some(before) = before_comment(rest) {
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

/// The text before its last line, if that is a comment.
fn before_comment(text: &str) -> Option<&str> {
    let end = text.strip_suffix("\r\n").or(text.strip_suffix(LINE_ENDS));
    let text = end.unwrap_or(text);
    let line = text.rsplit(LINE_ENDS).next()?;
    let is_comment = line.trim_start_matches(is_space).starts_with('#');
    text.strip_suffix(line).filter(|_| is_comment)
}
