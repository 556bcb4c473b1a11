//! What has changed between two versions of a definition, and what that breaks.

use core::fmt;

use super::table::Kind as K;
use super::text::position;
use super::{Definition, Kind, MemberKind, PAIRS, Type};

/// Whom a [`Change`] breaks, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breaks {
    /// Nobody.
    Nothing,
    /// Clients that are built with the new definition, at services that have the old one: they get
    /// replies that they can't read. (Calls that an old service refuses don't count: what is new
    /// in a call can be left out.)
    Services,
    /// Clients that are built with the old definition, at services that have the new one: calls
    /// are refused, or replies can't be read. Such a change may break services, too.
    Callers,
}

/// Which way the values of a type go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From a client to a service.
    Calls,
    /// From a service to a client, in the parameters of a reply or of an error.
    Replies,
}

/// What a [`Change`] is. The numbers are entries: members, fields and values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The name of the interface is another one.
    Interface,
    /// In the new definition only.
    New(u16),
    /// In the old definition only.
    Gone(u16),
    /// A member that became another kind of member.
    Member(u16, u16),
    /// A type that became another one: what it belongs to.
    Type(u16, u16),
    /// There are more than [`PAIRS`].
    Limit,
}

/// Something that differs between two versions of a definition: see [`compare`](super::compare()).
///
/// Displayed, it is one line: in which definition, line and column it is, what has changed, and
/// why that breaks something if it does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    pub(super) old: Definition<'a>,
    pub(super) new: Definition<'a>,
    pub(super) what: What,
    /// Of a named type's field or value, which may go both ways.
    pub(super) way: Option<Way>,
    pub(super) breaks: Breaks,
    /// Why it breaks something.
    pub(super) why: &'static str,
}

impl<'a> Change<'a> {
    /// Whom it breaks.
    pub fn breaks(&self) -> Breaks {
        self.breaks
    }

    /// Where it is in the old text: line and column, from 1. None if it was not there.
    pub fn in_old(&self) -> Option<(usize, usize)> {
        match self.what {
            What::Gone(old) | What::Member(old, _) | What::Type(old, _) => Some(at(self.old, old)),
            What::New(_) | What::Interface | What::Limit => None,
        }
    }

    /// Where it is in the new text: line and column, from 1. None if it is not there.
    pub fn in_new(&self) -> Option<(usize, usize)> {
        match self.what {
            What::New(new) | What::Member(_, new) | What::Type(_, new) => Some(at(self.new, new)),
            What::Gone(_) | What::Interface | What::Limit => None,
        }
    }

    /// The place, such as `method Jump, parameter to.distance`.
    fn place(
        &self,
        f: &mut fmt::Formatter<'_>,
        definition: Definition<'a>,
        index: u16,
    ) -> fmt::Result {
        let (line, column) = at(definition, index);
        let version = match self.what {
            What::Gone(_) => "old",
            _ => "new",
        };
        write!(f, "{version} {line}:{column}: ")?;
        let Some(member) = definition.member_of(index) else {
            return Ok(());
        };
        write!(f, "{} {}", member.kind(), member.name())?;
        let (mut list, mut before) = match member.kind() {
            MemberKind::Type => (member.ty(), ", field "),
            _ => (member.input(), ", parameter "),
        };
        if member.kind() == MemberKind::Method && index >= member.output().index {
            (list, before) = (member.output(), ", output ");
        }
        // From field to field, into those that it is in.
        let mut next = list.index;
        while next <= index {
            let entry = definition.entry(next);
            let around = index < entry.next;
            match entry.kind {
                K::Field if around => {
                    write!(f, "{before}{}", definition.name_of(next))?;
                    before = ".";
                }
                K::Value if around => write!(f, ", value {}", definition.name_of(next))?,
                _ => {}
            }
            next = match around {
                true => next.saturating_add(1),
                false => entry.next,
            };
        }
        match (member.kind(), self.way) {
            (MemberKind::Type, Some(Way::Calls)) => f.write_str(", in calls"),
            (MemberKind::Type, Some(Way::Replies)) => f.write_str(", in replies"),
            _ => Ok(()),
        }
    }
}

/// The line and the column of an entry.
fn at(definition: Definition<'_>, index: u16) -> (usize, usize) {
    let offset = definition.entry(index).at;
    position(definition.text.as_bytes(), offset as usize)
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Interface => {
                write!(f, "interface {}: was {}", self.new.name, self.old.name)?;
            }
            What::New(new) => {
                self.place(f, self.new, new)?;
                f.write_str(": is new")?;
            }
            What::Gone(old) => {
                self.place(f, self.old, old)?;
                f.write_str(": is gone")?;
            }
            What::Member(old, new) => {
                self.place(f, self.new, new)?;
                write!(f, ": was {}", self.old.member_at(old).kind())?;
            }
            What::Type(old, new) => {
                self.place(f, self.new, new)?;
                let (old, new) = (self.old.type_of(old), self.new.type_of(new));
                write!(f, ": was {}, is {}", Short(old), Short(new))?;
            }
            What::Limit => write!(f, "more than {PAIRS} pairs of types")?,
        }
        match self.why {
            "" => Ok(()),
            why => write!(f, ": {why}"),
        }
    }
}

impl fmt::Debug for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.breaks)
    }
}

/// A type in a few words: of a list without a name, the first field or value only.
struct Short<'a>(Type<'a>);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ty = self.0;
        loop {
            ty = match ty.kind() {
                Kind::Nullable(inner) => {
                    f.write_str("?")?;
                    inner
                }
                Kind::Array(inner) => {
                    f.write_str("[]")?;
                    inner
                }
                Kind::Map(inner) => {
                    f.write_str("[string]")?;
                    inner
                }
                Kind::Struct(mut fields) => {
                    return match fields.next() {
                        Some(field) => write!(f, "({}: ...)", field.name()),
                        None => f.write_str("()"),
                    };
                }
                Kind::Enum(mut values) => {
                    let first = values.next().map(|value| value.name());
                    return write!(f, "({}, ...)", first.unwrap_or_default());
                }
                _ => return ty.fmt(f),
            };
        }
    }
}
