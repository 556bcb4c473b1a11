//! The content of a definition: members, fields, types, and their documentation.

use core::{fmt, str};

use super::table::{Entry, EntryKind, tag};
use super::text::{
    LINE_ENDS, REQUIRES_MORE, REQUIRES_UPGRADE, SUPPORTS_MORE, SUPPORTS_UPGRADE, first_word,
    is_space, name_after, token,
};
use super::{Definition, MAX_NAME};
use crate::bytes::hash;
use crate::json::Text;

impl<'a> Definition<'a> {
    /// Returns the lines of the documentation of the interface, without `#` and the space after it.
    pub fn documentation(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        Documentation::before(self.text, first_word(self.text))
    }

    /// Returns the types, methods and errors, in the order of the text.
    pub fn members(&self) -> impl Iterator<Item = Member<'a>> + Clone + use<'a> {
        let definition = *self;
        let entries = Entries {
            definition,
            index: 0,
            left: self.order.len(),
        };
        entries.map(move |index| Member { definition, index })
    }

    /// Finds a type, a method or an error by its name within the interface.
    pub fn find(&self, name: &str) -> Option<Member<'a>> {
        Some(self.member_at(self.index_of(name.as_bytes())?))
    }

    /// Finds the entry of a type, a method or an error by its name.
    fn index_of(&self, name: &[u8]) -> Option<MemberIndex> {
        if name.len() > MAX_NAME {
            return None;
        }
        let tag = tag(name.len(), hash(name));
        let has_name = |entry: &&Entry| {
            let at = entry.at as usize;
            // Equal tags have equal lengths.
            entry.link == tag
                && self.text.as_bytes().get(at..at.wrapping_add(name.len())) == Some(name)
        };
        Some(self.order.iter().find(has_name)?.next)
    }

    /// Finds the entry of a method by its name.
    pub(crate) fn method_index(&self, name: &[u8]) -> Option<MemberIndex> {
        let index = self.index_of(name)?;
        (self.entry(index).kind == EntryKind::Method).then_some(index)
    }

    /// Finds a method by its name within the interface.
    pub fn method(&self, name: &str) -> Option<Member<'a>> {
        Some(self.member_at(self.method_index(name.as_bytes())?))
    }

    pub(crate) fn entry(&self, index: u16) -> &'a Entry {
        const EMPTY: &Entry = &Entry::EMPTY;
        self.entries.get(usize::from(index)).unwrap_or(EMPTY)
    }

    /// Returns the name of a field or a value.
    pub(super) fn name_of(&self, index: u16) -> &'a str {
        str::from_utf8(self.name_bytes(self.entry(index))).unwrap_or_default()
    }

    /// Returns the bytes of the name of a field, a value or an `Order`.
    pub(super) fn name_bytes(&self, entry: &Entry) -> &'a [u8] {
        let (at, length) = (entry.at as usize, usize::from(entry.link >> 8));
        let text = self.text.as_bytes();
        text.get(at..at.wrapping_add(length)).unwrap_or_default()
    }

    /// Returns the type after the entry of a field, or within that of a type.
    pub(super) fn type_of(&self, index: u16) -> Type<'a> {
        let (definition, index) = (*self, index.wrapping_add(1));
        Type { definition, index }
    }

    /// Returns the documentation of a member, a field or a value.
    pub(super) fn documentation_of(&self, index: u16) -> Documentation<'a> {
        Documentation::before(self.text, self.entry(index).at)
    }

    /// Returns the member with an index.
    pub(crate) fn member_at(&self, index: MemberIndex) -> Member<'a> {
        let definition = *self;
        Member { definition, index }
    }

    /// Returns the entries of the fields of a structure, or of the values of an enumeration.
    pub(super) fn list(&self, list: u16) -> Entries<'a> {
        Entries {
            definition: *self,
            index: list.wrapping_add(1),
            left: self.entry(list).link.into(),
        }
    }

    /// Finds the entry of a field or a value of a list by its name. The search begins with the
    /// expected entry and continues with the entries after it: fields are left out more often
    /// than they are reordered.
    #[inline(never)] // rarely called
    pub(super) fn find_in(&self, list: u16, expected: u16, name: &Text<'_>) -> Option<u16> {
        let all = self.entry(list);
        let tag = tag(name.length(), name.hash());
        let mut index = expected;
        for _ in 0..all.link {
            if index >= all.next {
                index = list.wrapping_add(1);
            }
            let entry = self.entry(index);
            if entry.link == tag && name.is(self.name_of(index)) {
                return Some(index);
            }
            index = entry.next;
        }
        None
    }
}

/// The index of a member in its definition: smaller than a [`Member`], which also holds the
/// definition.
pub(crate) type MemberIndex = u16;

/// A type, a method or an error.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    pub(super) definition: Definition<'a>,
    pub(super) index: u16,
}

/// The kind of a [`Member`].
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
    /// Returns the keyword of the member.
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
    /// Returns the kind of the member.
    pub fn kind(&self) -> MemberKind {
        match self.definition.entry(self.index).kind {
            EntryKind::Method => MemberKind::Method,
            EntryKind::Error => MemberKind::Error,
            _ => MemberKind::Type,
        }
    }

    /// Returns the name of the member within the interface.
    pub fn name(&self) -> &'a str {
        let keyword = self.definition.entry(self.index).at;
        name_after(self.definition.text, keyword)
    }

    /// True if the method can only be called with `more`: its documentation has the line
    /// `[Requires 'more' flag]`, as in the definitions of systemd.
    ///
    /// ```
    /// use nullink::{Interface, interface};
    ///
    /// const LOG: Interface = interface!(text "
    /// interface org.example.log
    ///
    /// ## Sends each entry that is written
    /// ## [Requires 'more' flag]
    /// method Follow() -> (entry: string)
    /// ");
    /// assert!(LOG.method("Follow").unwrap().requires_more());
    /// ```
    pub fn requires_more(&self) -> bool {
        self.has_flag(REQUIRES_MORE)
    }

    /// True if the method can be called with `more`: its documentation has the line
    /// `[Supports 'more' flag]` or `[Requires 'more' flag]`.
    pub fn supports_more(&self) -> bool {
        self.has_flag(SUPPORTS_MORE)
    }

    /// True if the method can only be called with `upgrade`: its documentation has the line
    /// `[Requires 'upgrade' flag]`.
    pub fn requires_upgrade(&self) -> bool {
        self.has_flag(REQUIRES_UPGRADE)
    }

    /// True if the method can be called with `upgrade`: its documentation has the line
    /// `[Supports 'upgrade' flag]` or `[Requires 'upgrade' flag]`.
    pub fn supports_upgrade(&self) -> bool {
        self.has_flag(SUPPORTS_UPGRADE)
    }

    /// True if a method has a flag. The entries of other members have none.
    fn has_flag(&self, flag: u16) -> bool {
        self.definition.entry(self.index).number & flag != 0
    }

    /// Returns the index of the member in the definition.
    #[cfg(feature = "tools")]
    pub(crate) fn index(&self) -> MemberIndex {
        self.index
    }

    /// Returns the definition of the interface.
    pub fn definition(&self) -> Definition<'a> {
        self.definition
    }

    /// Returns the lines of the documentation of the member, without `#` and the space after it.
    pub fn documentation(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.definition.documentation_of(self.index)
    }

    /// Returns the type that a `type` defines, or the parameters of a call or an error.
    pub fn ty(&self) -> Type<'a> {
        self.definition.type_of(self.index)
    }

    /// Returns the parameters of a method's call, or of an error: a structure.
    pub fn input(&self) -> Type<'a> {
        self.ty()
    }

    /// Returns the parameters of a method's replies, or of an error: a structure.
    pub fn output(&self) -> Type<'a> {
        let mut output = self.ty();
        if self.kind() == MemberKind::Method {
            output.index = self.definition.entry(output.index).next;
        }
        output
    }

    /// Returns the types of the member and all types within them. Entries that are not types, such
    /// as names of fields, are returned as `any`.
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

/// A type: of a member, of a field, or within another type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Type<'a> {
    pub(super) definition: Definition<'a>,
    pub(crate) index: u16,
}

/// The kind of a [`Type`]: UAPI.20, "Types".
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
    /// `?`, with the type that may be null.
    Nullable(Type<'a>),
    /// `[]`, with the type of the elements.
    Array(Type<'a>),
    /// `[string]`, with the type of the values.
    Map(Type<'a>),
    /// A structure: see [`Type::fields`].
    Struct,
    /// An enumeration: see [`Type::values`].
    Enum,
    /// The name of a type, with the member that defines it.
    Named(Member<'a>),
}

impl<'a> Type<'a> {
    /// Returns the kind of the type.
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

    /// True if the type is `object` or `any`. Unlike `kind`, it knows an entry that is not a type.
    #[cfg(feature = "tools")]
    pub(crate) fn is_json(&self) -> bool {
        let kind = self.definition.entry(self.index).kind;
        matches!(kind, EntryKind::Object | EntryKind::Any)
    }

    /// Returns this type, or the type that it names.
    pub fn resolved(&self) -> Type<'a> {
        match self.kind() {
            // A name refers to a structure or an enumeration, never to another name.
            TypeKind::Named(member) => member.ty(),
            _ => *self,
        }
    }

    /// Returns the fields of a structure, or of the structure that this type names, in the order of
    /// the text. Other types have none.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + Clone + use<'a> {
        let definition = self.definition;
        let entries = self.entries(EntryKind::Struct);
        entries.map(move |index| Field { definition, index })
    }

    /// Returns the values of an enumeration, or of the enumeration that this type names, in the
    /// order of the text. Other types have none.
    pub fn values(&self) -> impl Iterator<Item = EnumValue<'a>> + Clone + use<'a> {
        let definition = self.definition;
        let entries = self.entries(EntryKind::Enum);
        entries.map(move |index| EnumValue { definition, index })
    }

    /// Returns the entries of a list if the type is, or names, one of this kind.
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

/// Writes the type in one line, without comments.
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
                "(" | "[" => depth = depth.wrapping_add(1),
                ")" | "]" => depth = depth.wrapping_sub(1),
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

/// An iterator over the entries of a list or the members, by their index.
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
    /// Returns the name of the field.
    pub fn name(&self) -> &'a str {
        self.definition.name_of(self.index)
    }

    /// Returns the type of the field.
    pub fn ty(&self) -> Type<'a> {
        self.definition.type_of(self.index)
    }

    /// Returns the lines of the documentation of the field, without `#` and the space after it.
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
    /// Returns the name of the value.
    pub fn name(&self) -> &'a str {
        self.definition.name_of(self.index)
    }

    /// Returns the lines of the documentation of the value, without `#` and the space after it.
    pub fn documentation(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.definition.documentation_of(self.index)
    }
}

impl fmt::Debug for EnumValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An iterator over the lines of a documentation comment, without `#` and the space after it:
/// UAPI.20, "Documentation Comments". The comment is immediately before an item, on its own lines.
#[derive(Clone, Debug)]
pub(super) struct Documentation<'a> {
    lines: &'a str,
}

impl<'a> Documentation<'a> {
    /// Returns the documentation before an offset of a text.
    fn before(text: &'a str, at: u32) -> Self {
        let before = text.get(..at as usize).unwrap_or_default();
        let all = before.trim_end_matches(is_space);
        // An item that is not the first on its line has no documentation.
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

/// Returns the text without its last line, if that is a comment.
fn before_comment(text: &str) -> Option<&str> {
    let end = text.strip_suffix("\r\n").or(text.strip_suffix(LINE_ENDS));
    let text = end.unwrap_or(text);
    let line = text.rsplit(LINE_ENDS).next()?;
    let is_comment = line.trim_start_matches(is_space).starts_with('#');
    text.strip_suffix(line).filter(|_| is_comment)
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use super::*;

    // The tag of a name has only the lowest byte of its length.
    #[test]
    fn m4_a_longer_text_of_the_definition_is_not_the_name_of_a_method() {
        let tag_of = |name: &str| tag(name.len(), hash(name.as_bytes()));
        let text_with = |number: u32| {
            let fill = format!("{number:-<250}");
            format!("interface a.b\n\nmethod Ping() -> () # {fill}\n")
        };
        let long_name = |text: &str| String::from(&text["interface a.b\n\nmethod ".len()..][..260]);
        let text = (0..)
            .map(text_with)
            .find(|text| tag_of(&long_name(text)) == tag_of("Ping"))
            .unwrap();
        let mut table = [Entry::EMPTY; 16];
        let definition = Definition::parse(&text, &mut table).unwrap();
        assert!(definition.method("Ping").is_some());
        assert!(definition.method(&long_name(&text)).is_none());
        assert!(definition.method("Pin").is_none() && definition.method("Ping(").is_none());
    }
}
