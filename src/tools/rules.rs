//! What a change of a field, a value or a type breaks: UAPI.20, "Interface Evolution" and "Mapping
//! the Type System to JSON".

use std::mem::discriminant;

use crate::idl::{Type, TypeKind};

/// Whom a [`Change`](super::Change) breaks, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breaks {
    /// Nobody.
    Nothing,
    /// Clients of the new definition at services of the old one: they get replies that they can't
    /// read. Calls that an old service refuses do not count, because what is new in a call can be
    /// left out.
    Services,
    /// Clients of the old definition at services of the new one: calls are refused, or replies
    /// can't be read. Such a change may break services, too.
    Callers,
}

/// Which way the values of a type go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// From a client to a service.
    Calls,
    /// From a service to a client, in the parameters of a reply or of an error.
    Replies,
}

/// Whom something breaks, and why. The reason is empty if it breaks nobody.
pub(super) type Effect = (Breaks, &'static str);

/// What a new field breaks, or a new value if it has no type.
pub(super) fn added(ty: Option<Type<'_>>, way: Way) -> Effect {
    match (ty.map(|ty| ty.kind()), way) {
        // "New enumeration values may be added to enumerations used in method input parameters;
        // adding values to enumerations that appear in replies is only backwards compatible if
        // clients are prepared to handle unknown values."
        (None, Way::Calls) => (Breaks::Nothing, ""),
        (None, Way::Replies) => (Breaks::Callers, "old callers don't know it"),
        // "New fields SHOULD be added as nullable (`?`) fields, both in structures and in method
        // input/output parameters." Old callers ignore unknown fields in replies: it is new callers
        // that miss a field which an old service does not send yet.
        (Some(TypeKind::Nullable(_)), _) => (Breaks::Nothing, ""),
        (Some(_), Way::Calls) => (Breaks::Callers, "old callers don't send it"),
        (Some(_), Way::Replies) => (Breaks::Services, "old services don't send it"),
    }
}

/// What the removal of a field breaks, or of a value if it has no type.
pub(super) fn removed(ty: Option<Type<'_>>, way: Way) -> Effect {
    match (ty, way) {
        // "Services SHOULD refuse unrecognized fields in method calls", and values that don't
        // match the type.
        (_, Way::Calls) => (Breaks::Callers, "old callers may send it"),
        // Old callers can read what never comes; new ones can't read what still comes.
        (None, Way::Replies) => (Breaks::Services, "old services may send it"),
        // "Removing or incompatibly changing fields [...] is not backwards compatible": even of
        // one that could be null, which old callers can read, but will not see again.
        (Some(_), Way::Replies) => (Breaks::Callers, "old callers may need it"),
    }
}

/// How an old and a new type fit: what one of them has that the other can't read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fit {
    /// Only the old one may be null.
    pub(super) old_null: bool,
    /// Only the new one may be null.
    pub(super) new_null: bool,
    /// The old one has values that the new one has not.
    old_values: bool,
    /// The new one has values that the old one has not.
    new_values: bool,
}

impl Fit {
    /// Compares two types that are not nullable and not lists of the same kind. No two kinds have
    /// the same values.
    pub(super) fn kinds(&mut self, old: Type<'_>, new: Type<'_>) {
        let (old, new) = (old.kind(), new.kind());
        self.old_values = !reads(&new, &old);
        self.new_values = !reads(&old, &new);
    }

    /// What it breaks. In calls, values of the old type go to a new service; in replies, values of
    /// the new type go to old callers, and values of the old type to new callers.
    pub(super) fn breaks(self, way: Way) -> Effect {
        match way {
            Way::Calls if self.old_values => (Breaks::Callers, "old callers send what it was"),
            Way::Calls if self.old_null => (Breaks::Callers, "old callers may send null"),
            Way::Calls => (Breaks::Nothing, ""),
            Way::Replies if self.new_values => (Breaks::Callers, "old callers can't read it"),
            Way::Replies if self.new_null => (Breaks::Callers, "old callers can't read null"),
            Way::Replies if self.old_values => (Breaks::Services, "old services send what it was"),
            Way::Replies if self.old_null => (Breaks::Services, "old services may send null"),
            Way::Replies => (Breaks::Nothing, ""),
        }
    }
}

/// Whether all values of a type can be read as another.
fn reads(reader: &TypeKind<'_>, writer: &TypeKind<'_>) -> bool {
    match (reader, writer) {
        // Any JSON value but null.
        (TypeKind::Any, _)
        // A number without a fraction is a number.
        | (TypeKind::Float, TypeKind::Int)
        // A value's name is a string.
        | (TypeKind::String, TypeKind::Enum)
        // All three are JSON objects.
        | (TypeKind::Object, TypeKind::Struct | TypeKind::Map(_)) => true,
        _ => discriminant(reader) == discriminant(writer),
    }
}
