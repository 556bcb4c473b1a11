//! Decides what a change of a field, a value or a type breaks: UAPI.20, "Interface Evolution" and
//! "Mapping the Type System to JSON".

use std::mem::discriminant;

use crate::idl::{Type, TypeKind};

/// The severity of a [`Change`](super::Change): the peers that it breaks, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breaks {
    /// Nothing: old and new clients and services work together.
    Nothing,
    /// New clients with old services: the clients cannot read replies. Calls that an old service
    /// refuses do not count, because a client can leave out the new parameters.
    Services,
    /// Old clients with new services: the services refuse calls, or the clients cannot read
    /// replies. The change may break new clients with old services, too.
    Callers,
}

/// The direction in which values of a type are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// From a client to a service.
    Calls,
    /// From a service to a client, in the parameters of a reply or of an error.
    Replies,
}

/// The severity of a change, and the reason, which is empty if it breaks nothing.
pub(super) type Effect = (Breaks, &'static str);

/// Returns what a new field breaks, or a new value of an enumeration, which has no type.
pub(super) fn added(ty: Option<Type<'_>>, way: Way) -> Effect {
    match (ty.map(|ty| ty.kind()), way) {
        // "New enumeration values may be added to enumerations used in method input parameters;
        // adding values to enumerations that appear in replies is only backwards compatible if
        // clients are prepared to handle unknown values."
        (None, Way::Calls) => (Breaks::Nothing, ""),
        (None, Way::Replies) => (Breaks::Callers, "old callers don't know it"),
        // "New fields SHOULD be added as nullable (`?`) fields, both in structures and in method
        // input/output parameters." Old callers ignore unknown fields in replies. New callers need
        // a field that is not nullable, but an old service does not send it.
        (Some(TypeKind::Nullable(_)), _) => (Breaks::Nothing, ""),
        (Some(_), Way::Calls) => (Breaks::Callers, "old callers don't send it"),
        (Some(_), Way::Replies) => (Breaks::Services, "old services don't send it"),
    }
}

/// Returns what the removal of a field breaks, or of a value of an enumeration, which has no type.
pub(super) fn removed(ty: Option<Type<'_>>, way: Way) -> Effect {
    match (ty, way) {
        // "Services SHOULD refuse unrecognized fields in method calls", and values that don't
        // match the type.
        (_, Way::Calls) => (Breaks::Callers, "old callers may send it"),
        // Old callers can do without the value. New ones cannot read it in replies of old services.
        (None, Way::Replies) => (Breaks::Services, "old services may send it"),
        // "Removing or incompatibly changing fields [...] is not backwards compatible": even if the
        // field is nullable, because old callers may depend on its value.
        (Some(_), Way::Replies) => (Breaks::Callers, "old callers may need it"),
    }
}

/// The differences between the values of an old and a new type.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fit {
    /// True if only the old type is nullable.
    pub(super) old_null: bool,
    /// True if only the new type is nullable.
    pub(super) new_null: bool,
    /// True if the old type has values that the new type cannot read.
    old_values: bool,
    /// True if the new type has values that the old type cannot read.
    new_values: bool,
}

impl Fit {
    /// Compares the kinds of two types. Neither is nullable, and they are not two structures or two
    /// enumerations. Different kinds never have the same set of values.
    pub(super) fn kinds(&mut self, old: Type<'_>, new: Type<'_>) {
        let (old, new) = (old.kind(), new.kind());
        self.old_values = !reads(&new, &old);
        self.new_values = !reads(&old, &new);
    }

    /// Returns what the differences break. In calls, old callers send values of the old type to new
    /// services. In replies, old callers receive values of the new type, and new callers values of
    /// the old type.
    pub(super) fn breaks(self, way: Way) -> Effect {
        match way {
            Way::Calls if self.old_values => (Breaks::Callers, "old callers send the old type"),
            Way::Calls if self.old_null => (Breaks::Callers, "old callers may send null"),
            Way::Calls => (Breaks::Nothing, ""),
            Way::Replies if self.new_values => (Breaks::Callers, "old callers can't read it"),
            Way::Replies if self.new_null => (Breaks::Callers, "old callers can't read null"),
            Way::Replies if self.old_values => (Breaks::Services, "old services send the old type"),
            Way::Replies if self.old_null => (Breaks::Services, "old services may send null"),
            Way::Replies => (Breaks::Nothing, ""),
        }
    }
}

/// True if all values of the type `writer` can be read as the type `reader`.
fn reads(reader: &TypeKind<'_>, writer: &TypeKind<'_>) -> bool {
    match (reader, writer) {
        // Any JSON value except null.
        (TypeKind::Any, _)
        // An integer is a number.
        | (TypeKind::Float, TypeKind::Int)
        // A value of an enumeration is a string.
        | (TypeKind::String, TypeKind::Enum)
        // All three are JSON objects.
        | (TypeKind::Object, TypeKind::Struct | TypeKind::Map(_)) => true,
        _ => discriminant(reader) == discriminant(writer),
    }
}
