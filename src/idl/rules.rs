//! What a change of a field, a value or a type breaks: UAPI.20, "Interface Evolution" and "Mapping
//! the Type System to JSON".

use core::mem::discriminant;

use super::change::{Breaks, Way};
use super::table::Kind as K;
use super::{Definition, Kind, Type};

/// What it breaks that there is a new field or value.
pub(super) fn added(definition: Definition<'_>, index: u16, way: Way) -> (Breaks, &'static str) {
    let value = definition.entry(index).kind == K::Value;
    let nullable = matches!(definition.type_of(index).kind(), Kind::Nullable(_));
    match way {
        // "New enumeration values may be added to enumerations used in method input parameters;
        // adding values to enumerations that appear in replies is only backwards compatible if
        // clients are prepared to handle unknown values."
        Way::Calls if value => (Breaks::Nothing, ""),
        Way::Replies if value => (Breaks::Callers, "old callers don't know it"),
        // "New fields SHOULD be added as nullable (`?`) fields, both in structures and in method
        // input/output parameters." (Old callers ignore what they don't know: it is services that
        // don't send it yet which new callers have to do with.)
        _ if nullable => (Breaks::Nothing, ""),
        Way::Calls => (Breaks::Callers, "old callers don't send it"),
        Way::Replies => (Breaks::Services, "old services don't send it"),
    }
}

/// What it breaks that there is no longer a field or value.
pub(super) fn removed(definition: Definition<'_>, index: u16, way: Way) -> (Breaks, &'static str) {
    match way {
        // "Services SHOULD refuse unrecognized fields in method calls", and values that don't
        // match the type.
        Way::Calls => (Breaks::Callers, "old callers may send it"),
        // Old callers can read what never comes; new ones can't read what still comes.
        Way::Replies if definition.entry(index).kind == K::Value => {
            (Breaks::Services, "old services may send it")
        }
        // "Removing or incompatibly changing fields [...] is not backwards compatible": even of
        // one that could be null, which old callers can read, but will not see again.
        Way::Replies => (Breaks::Callers, "old callers may need it"),
    }
}

/// How an old and a new type fit: what one of them has that the other can't read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// Compares two types that are not nullable and not lists of the same kind. (No two kinds have
    /// the same values.)
    pub(super) fn kinds(&mut self, old: Type<'_>, new: Type<'_>) {
        let (old, new) = (old.kind(), new.kind());
        self.old_values = !reads(&new, &old);
        self.new_values = !reads(&old, &new);
    }

    /// What it breaks. In calls, values of the old type go to a new service; in replies, values of
    /// the new type go to old callers, and values of the old type to callers that are new.
    pub(super) fn breaks(self, way: Way) -> (Breaks, &'static str) {
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

/// Whether all values of a type can be read as another: UAPI.20, "Mapping the Type System to JSON".
fn reads(reader: &Kind<'_>, writer: &Kind<'_>) -> bool {
    match (reader, writer) {
        // Any JSON value but null.
        (Kind::Any, _)
        // A number without a fraction is a number.
        | (Kind::Float, Kind::Int)
        // A value's name is a string.
        | (Kind::String, Kind::Enum(_))
        // All three are JSON objects.
        | (Kind::Object, Kind::Struct(_) | Kind::Map(_)) => true,
        _ => discriminant(reader) == discriminant(writer),
    }
}
