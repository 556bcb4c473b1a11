//! Converts the names of a definition to Rust, which has other conventions and keywords.

use std::collections::BTreeMap;
use std::format;
use std::string::{String, ToString};

use crate::idl::{Definition, Member, MemberKind, Type, TypeKind};

/// The names that the generated module uses itself.
const RESERVED: &str =
    "Deserialize Error INTERFACE Method Methods NoError Option Raw Self Serialize";

/// The names that only a module with owned types uses.
const RESERVED_OWNED: &str = "BTreeMap Box Json String Vec";

/// Keywords that can be names with the prefix `r#`.
const KEYWORDS: [&str; 48] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// Keywords that cannot be names, even with `r#`.
const UNUSABLE: [&str; 4] = ["Self", "crate", "self", "super"];

/// The case of a name: how its words are joined.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// `two_words`
    Snake,
    /// `TwoWords`
    Pascal,
}

/// Converts a name to another case.
pub(super) fn cased(name: &str, case: Case) -> String {
    let mut cased = String::new();
    let mut before = '_';
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        let begins = before == '_'
            || (letter.is_ascii_uppercase()
                && (!before.is_ascii_uppercase() || has_lowercase(letters.as_str())));
        before = letter;
        match (letter, case) {
            ('_', _) => {}
            (_, Case::Pascal) if begins => cased.push(letter.to_ascii_uppercase()),
            (_, Case::Pascal) => cased.push(letter.to_ascii_lowercase()),
            (_, Case::Snake) => {
                cased += if begins && !cased.is_empty() { "_" } else { "" };
                cased.push(letter.to_ascii_lowercase());
            }
        }
    }
    cased
}

/// True if lowercase letters follow an uppercase one, which begin a word with it. The `v4` of `IPv4`
/// and the `s` of `UIDs` belong to the acronym.
fn has_lowercase(rest: &str) -> bool {
    let word = rest.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
    match rest.strip_suffix(word).unwrap_or_default() {
        "" | "s" => false,
        "v" => !word.starts_with(|letter: char| letter.is_ascii_digit()),
        _ => true,
    }
}

/// Returns the Rust names of the fields or values of a list, each with the name for serde's
/// `rename` if they differ.
pub(super) fn rust_names<'a>(
    names: impl Iterator<Item = &'a str>,
    case: Case,
) -> impl Iterator<Item = (String, Option<&'a str>)> {
    let mut taken = UNUSABLE.map(|word| (word.to_string(), 1)).into();
    names.map(move |name| {
        let cased = cased(name, case);
        let underscores = take(&mut taken, &cased);
        let renamed = (underscores > 0 || cased != name).then_some(name);
        let raw = underscores == 0 && KEYWORDS.contains(&cased.as_str());
        let raw = if raw { "r#" } else { "" };
        (format!("{raw}{cased}{}", "_".repeat(underscores)), renamed)
    })
}

/// Takes a name. Returns how often it was taken before.
fn take(taken: &mut BTreeMap<String, usize>, name: &str) -> usize {
    let count = taken.entry(name.to_string()).or_default();
    let before = *count;
    *count = before.saturating_add(1);
    before
}

/// Returns the name of a method or an error as a variant, and the name for serde's `rename` if they
/// differ.
pub(super) fn variant(member: Member<'_>) -> (&str, Option<&str>) {
    match member.name() {
        "Self" => ("Self_", Some("Self")),
        name => (name, None),
    }
}

/// Returns the name of the module: the last part of the name of the interface.
pub(super) fn module(interface: &str) -> String {
    let name = interface.rsplit('.').next().unwrap_or(interface);
    cased(&name.replace('-', "_"), Case::Snake)
}

/// A structure or an enumeration that the module declares as a type.
pub(super) struct Declaration<'a> {
    pub(super) member: Member<'a>,
    pub(super) ty: Type<'a>,
    pub(super) name: String,
}

impl Declaration<'_> {
    /// True if it is the member's type or input, which has the member's name. The names of replies
    /// and of nested types are composed.
    pub(super) fn is_own(&self) -> bool {
        self.ty.index == self.member.ty().index
    }

    /// True if it is the parameters of an error, which are not a type of the module.
    pub(super) fn is_error(&self) -> bool {
        self.is_own() && self.member.kind() == MemberKind::Error
    }
}

/// Returns the structures and enumerations of a definition, by their entries.
pub(super) fn declarations<'a>(
    definition: Definition<'a>,
    owned: bool,
) -> BTreeMap<u16, Declaration<'a>> {
    let mut found = BTreeMap::new();
    for member in definition.members() {
        walk(member, member.ty(), member.name().to_string(), &mut found);
        if member.kind() == MemberKind::Method {
            let name = format!("{}Reply", member.name());
            walk(member, member.output(), name, &mut found);
        }
    }
    let reserved = if owned { RESERVED_OWNED } else { "" };
    let reserved = RESERVED.split(' ').chain(reserved.split(' '));
    let mut taken = reserved.map(|name| (name.to_string(), 1)).collect();
    for own in [true, false] {
        for item in found.values_mut() {
            if item.is_own() == own && !item.is_error() {
                let underscores = take(&mut taken, &item.name);
                item.name += &"_".repeat(underscores);
            }
        }
    }
    found
}

/// Finds the structures and enumerations in a type. A structure without fields is declared only if
/// it is the type or the input of a member.
fn walk<'a>(
    member: Member<'a>,
    ty: Type<'a>,
    name: String,
    found: &mut BTreeMap<u16, Declaration<'a>>,
) {
    match ty.kind() {
        TypeKind::Nullable(inner) | TypeKind::Array(inner) | TypeKind::Map(inner) => {
            return walk(member, inner, name, found);
        }
        TypeKind::Struct => {
            for field in ty.fields() {
                let name = format!("{name}{}", cased(field.name(), Case::Pascal));
                walk(member, field.ty(), name, found);
            }
        }
        TypeKind::Enum => {}
        _ => return,
    }
    let item = Declaration { member, ty, name };
    if item.is_own() || !is_empty(ty) {
        found.insert(ty.index, item);
    }
}

/// True if a type is a structure without fields.
pub(super) fn is_empty(ty: Type<'_>) -> bool {
    matches!(ty.kind(), TypeKind::Struct) && ty.fields().next().is_none()
}
