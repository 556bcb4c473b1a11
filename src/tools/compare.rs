//! Two versions of a definition, side by side: UAPI.20, "Interface Evolution".
//!
//! Types are compared by what they contain, wherever the parameters of methods and errors lead to
//! them, because names of types are not on the wire: once for each two types that meet, and for
//! each way that their values go.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::Differences;
use super::rules::{Breaks, Effect, Fit, Way, added, removed};
use crate::idl::{Definition, Kind, Member, MemberKind, Type, position};

/// Lists what has changed between two versions of a definition, and what that breaks.
///
/// Comments and the order of things are no changes; neither is another name for a type, which is
/// not on the wire. The contents of a type are compared wherever calls or replies lead to it.
///
/// ```
/// use nullink::tools::{Breaks, compare};
/// use nullink::{Interface, interface};
///
/// const OLD: Interface = interface!(text "
/// interface org.example.ftl
/// method Jump(to: int, speed: ?int) -> (state: (idle, busy))
/// ");
/// const NEW: Interface = interface!(text "
/// interface org.example.ftl
/// method Jump(to: float, speed: int) -> (state: (idle, busy), left: int)
/// method Stop() -> ()
/// ");
///
/// let changes: Vec<_> = compare(&OLD, &NEW)
///     .iter()
///     .map(|change| (change.breaks(), change.to_string()))
///     .collect();
/// assert_eq!(changes, [
///     (Breaks::Nothing, "new 3:13: method Jump, parameter to: was int, is float".into()),
///     (Breaks::Callers, "new 3:24: method Jump, parameter speed: was ?int, is int: old callers may send null".into()),
///     (Breaks::Services, "new 3:61: method Jump, output left: is new: old services don't send it".into()),
///     (Breaks::Nothing, "new 4:1: method Stop: is new".into()),
/// ]);
/// ```
pub fn compare(old: &Definition<'_>, new: &Definition<'_>) -> Vec<Change> {
    let mut comparison = Comparison::default();
    comparison.definitions(*old, *new);
    comparison.changes
}

/// Checks that no [`Change`] between two versions of a definition breaks as much as `least`, or
/// more.
///
/// It keeps a project from breaking what it has released, with the definition of each release and
/// one line in a test:
///
/// ```
/// use nullink::tools::{Breaks, compatible};
/// use nullink::{Interface, interface};
///
/// // In a project, these two are files: `interface!("released/org.example.ftl.varlink")`.
/// const RELEASED: Interface = interface!(text "
/// interface org.example.ftl
/// method Jump(to: int) -> ()
/// method Stop() -> ()
/// ");
/// const FTL: Interface = interface!(text "
/// interface org.example.ftl
/// method Jump(to: int, speed: ?int) -> (left: int)
/// method Stop() -> ()
/// ");
///
/// compatible(&RELEASED, &FTL, Breaks::Callers).unwrap();
///
/// // UAPI.20 asks for new fields to be nullable in replies, too.
/// let error = compatible(&RELEASED, &FTL, Breaks::Services).unwrap_err();
/// assert_eq!(error.to_string(), "org.example.ftl is not compatible
/// new 3:39: method Jump, output left: is new: old services don't send it");
/// ```
///
/// # Errors
///
/// If there are such changes: all of them.
pub fn compatible(
    old: &Definition<'_>,
    new: &Definition<'_>,
    least: Breaks,
) -> Result<(), Differences> {
    let changes = compare(old, new);
    let breaking = changes.iter().filter(|change| change.breaks >= least);
    let lines = breaking.map(Change::to_string).collect();
    Differences::none(format!("{} is not compatible", old.name()), lines)
}

/// A difference between two versions of a definition: see [`compare()`].
///
/// Displayed, it is one line: the version, line and column, what has changed, and why that breaks
/// something if it does.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    breaks: Breaks,
    old: Option<(usize, usize)>,
    new: Option<(usize, usize)>,
    text: String,
}

impl Change {
    /// Whom it breaks.
    pub fn breaks(&self) -> Breaks {
        self.breaks
    }

    /// Line and column in the old text, from 1. None if it was not there.
    pub fn in_old(&self) -> Option<(usize, usize)> {
        self.old
    }

    /// Line and column in the new text, from 1. None if it is not there.
    pub fn in_new(&self) -> Option<(usize, usize)> {
        self.new
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.new, self.old) {
            (Some((line, column)), _) => write!(f, "new {line}:{column}: ")?,
            (None, Some((line, column))) => write!(f, "old {line}:{column}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.breaks)
    }
}

/// A member, a field or a value: where it is, and its type.
#[derive(Clone)]
struct Subject<'a> {
    member: Member<'a>,
    /// The entry whose line and column are shown.
    index: u16,
    /// Such as `method Jump, parameter to.distance`.
    path: String,
    /// What stands between the path and the name of a field.
    separator: &'static str,
    /// None for a value of an enumeration.
    ty: Option<Type<'a>>,
}

impl<'a> Subject<'a> {
    fn member(member: Member<'a>, ty: Type<'a>, separator: &'static str) -> Self {
        Subject {
            member,
            index: member.index(),
            path: format!("{} {}", member.kind(), member.name()),
            separator,
            ty: Some(ty),
        }
    }

    fn input(member: Member<'a>) -> Self {
        Subject::member(member, member.input(), ", parameter ")
    }

    fn output(member: Member<'a>) -> Self {
        Subject::member(member, member.output(), ", output ")
    }

    /// The fields, or the values, with their names.
    fn items(&self) -> Vec<(&'a str, Self)> {
        let item = |name, index, separator, ty| {
            let subject = Subject {
                member: self.member,
                index,
                path: format!("{}{separator}{name}", self.path),
                separator: ".",
                ty,
            };
            (name, subject)
        };
        match self.ty.map(|ty| ty.kind()) {
            Some(Kind::Struct(fields)) => fields
                .map(|field| item(field.name(), field.index, self.separator, Some(field.ty())))
                .collect(),
            Some(Kind::Enum(values)) => values
                .map(|value| item(value.name(), value.index, ", value ", None))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// A type within its own, or what such a type's name stands for.
    fn at(&self, ty: Type<'a>) -> Self {
        match ty.kind() {
            Kind::Named(member) => Subject::member(member, member.ty(), ", field "),
            _ => Subject {
                ty: Some(ty),
                ..self.clone()
            },
        }
    }

    fn position(&self) -> (usize, usize) {
        let definition = self.member.definition();
        let offset = definition.entry(self.index).at;
        position(definition.text().as_bytes(), offset as usize)
    }
}

#[derive(Default)]
struct Comparison<'a> {
    changes: Vec<Change>,
    /// The types that have met, by their entries: an old and a new one, and a way.
    met: BTreeSet<(u16, u16, Way)>,
    /// Those of them that are still to be compared.
    pending: VecDeque<(Subject<'a>, Subject<'a>, Way)>,
}

impl<'a> Comparison<'a> {
    fn definitions(&mut self, old: Definition<'a>, new: Definition<'a>) {
        if old.name() != new.name() {
            let why = "old callers call it by that name";
            self.changes.push(Change {
                breaks: Breaks::Callers,
                old: None,
                new: None,
                text: format!("interface {}: was {}: {why}", new.name(), old.name()),
            });
        }
        let kept = || new.members().map(|is| (old.find(is.name()), is));
        for (was, is) in kept() {
            let Some(was) = was else {
                // "New methods, types and errors may be added."
                let effect = (Breaks::Nothing, "");
                self.report(None, Some(&Subject::input(is)), "is new", effect, None);
                continue;
            };
            match (was.kind(), is.kind()) {
                (MemberKind::Method, MemberKind::Method) => {
                    self.lists(&Subject::input(was), &Subject::input(is), Way::Calls);
                    self.lists(&Subject::output(was), &Subject::output(is), Way::Replies);
                }
                (MemberKind::Error, MemberKind::Error) => {
                    self.lists(&Subject::input(was), &Subject::input(is), Way::Replies);
                }
                // Types are compared where calls and replies lead to them.
                (MemberKind::Type, MemberKind::Type) => {}
                (kind, _) => {
                    let (was, is) = (Subject::input(was), Subject::input(is));
                    let text = format!("was {kind}");
                    self.report(Some(&was), Some(&is), &text, without(was.member), None);
                }
            }
            self.named();
        }
        // A type that nothing has led to says what is in an `object`, which may go either way.
        for (was, is) in kept() {
            if let Some(was) = was
                && (was.kind(), is.kind()) == (MemberKind::Type, MemberKind::Type)
                && !self.has_met(was.ty())
            {
                let (was, is) = [was, is]
                    .map(|ty| Subject::member(ty, ty.ty(), ", field "))
                    .into();
                self.meet(&was, &is, Way::Calls);
                self.meet(&was, &is, Way::Replies);
                self.named();
            }
        }
        for was in old.members().filter(|was| new.find(was.name()).is_none()) {
            self.report(
                Some(&Subject::input(was)),
                None,
                "is gone",
                without(was),
                None,
            );
        }
    }

    fn report(
        &mut self,
        old: Option<&Subject<'a>>,
        new: Option<&Subject<'a>>,
        what: &str,
        (breaks, why): Effect,
        way: Option<Way>,
    ) {
        let Some(subject) = new.or(old) else { return };
        let mut text = subject.path.clone();
        // Values of a named type may go both ways.
        text += match way.filter(|_| subject.member.kind() == MemberKind::Type) {
            Some(Way::Calls) => ", in calls",
            Some(Way::Replies) => ", in replies",
            None => "",
        };
        text = text + ": " + what;
        if !why.is_empty() {
            text = text + ": " + why;
        }
        let (old, new) = (old.map(Subject::position), new.map(Subject::position));
        self.changes.push(Change {
            breaks,
            old,
            new,
            text,
        });
    }

    /// Compares the fields of two structures, or the values of two enumerations.
    fn lists(&mut self, old: &Subject<'a>, new: &Subject<'a>, way: Way) {
        let (olds, news) = (old.items(), new.items());
        let known: BTreeMap<_, _> = olds.iter().map(|(name, was)| (name, was)).collect();
        for (name, is) in &news {
            match known.get(name) {
                Some(was) => self.types(was, is, way),
                None => {
                    let effect = added(is.ty, way);
                    self.report(None, Some(is), "is new", effect, Some(way));
                }
            }
        }
        let left: BTreeSet<_> = news.iter().map(|(name, _)| name).collect();
        for (_, was) in olds.iter().filter(|(name, _)| !left.contains(name)) {
            let effect = removed(was.ty, way);
            self.report(Some(was), None, "is gone", effect, Some(way));
        }
    }

    /// Compares the types of a field that is in both definitions. There is nothing to compare
    /// about a value.
    fn types(&mut self, old: &Subject<'a>, new: &Subject<'a>, way: Way) {
        let (Some(was_first), Some(is_first)) = (old.ty, new.ty) else {
            return;
        };
        let mut fit = Fit::default();
        let (mut was, mut is) = (was_first, is_first);
        loop {
            match (was.kind(), is.kind()) {
                (Kind::Nullable(inner_was), Kind::Nullable(inner_is))
                | (Kind::Array(inner_was), Kind::Array(inner_is))
                | (Kind::Map(inner_was), Kind::Map(inner_is)) => (was, is) = (inner_was, inner_is),
                (Kind::Nullable(inner), _) => (fit.old_null, was) = (true, inner),
                (_, Kind::Nullable(inner)) => (fit.new_null, is) = (true, inner),
                _ => break,
            }
        }
        let named = [was, is].map(|ty| matches!(ty.kind(), Kind::Named(_)));
        let (was_list, is_list) = (was.resolved(), is.resolved());
        let lists = matches!(
            (was_list.kind(), is_list.kind()),
            (Kind::Struct(_), Kind::Struct(_)) | (Kind::Enum(_), Kind::Enum(_))
        );
        // Two types with names that are of different kinds are a change of the types.
        let compared = lists || named == [true, true];
        if !compared {
            fit.kinds(was_list, is_list);
        }
        if fit != Fit::default() {
            let text = format!("was {}, is {}", short(was_first), short(is_first));
            self.report(Some(old), Some(new), &text, fit.breaks(way), Some(way));
        }
        if compared {
            let (old, new) = (old.at(was), new.at(is));
            if named == [false, false] {
                self.lists(&old, &new, way);
            } else {
                self.meet(&old, &new, way);
            }
        }
    }

    /// Remembers two types, of which at least one has a name, to be compared once.
    fn meet(&mut self, old: &Subject<'a>, new: &Subject<'a>, way: Way) {
        if let (Some(was), Some(is)) = (old.ty, new.ty)
            && self.met.insert((was.index, is.index, way))
        {
            self.pending.push_back((old.clone(), new.clone(), way));
        }
    }

    /// Whether an old type has met any.
    fn has_met(&self, old: Type<'a>) -> bool {
        let mut from = self.met.range((old.index, 0, Way::Calls)..);
        from.next().is_some_and(|(met, ..)| *met == old.index)
    }

    /// Compares the types that have met.
    fn named(&mut self) {
        while let Some((old, new, way)) = self.pending.pop_front() {
            self.types(&old, &new, way);
        }
    }
}

/// What the removal of a member breaks.
fn without(member: Member<'_>) -> Effect {
    match member.kind() {
        MemberKind::Method => (Breaks::Callers, "old callers call it"),
        // A reply that never comes can be read, but UAPI.20 has removed errors among what is
        // not backwards compatible: callers tell by an error's name what to do next.
        MemberKind::Error => (Breaks::Callers, "old callers may act on it"),
        // UAPI.20 has removed types there, too. But the users of a type are compared without
        // regard to its name; only a type that nothing used is missing where it is gone.
        MemberKind::Type if is_used(member) => (Breaks::Nothing, ""),
        MemberKind::Type => (Breaks::Callers, "old callers may use it"),
    }
}

/// Whether another member names a type.
fn is_used(ty: Member<'_>) -> bool {
    fn names(ty: Type<'_>, name: &str) -> bool {
        match ty.kind() {
            Kind::Nullable(inner) | Kind::Array(inner) | Kind::Map(inner) => names(inner, name),
            Kind::Struct(mut fields) => fields.any(|field| names(field.ty(), name)),
            Kind::Named(member) => member.name() == name,
            _ => false,
        }
    }
    let members = ty.definition().members();
    let mut others = members.filter(|other| other.index() != ty.index());
    others.any(|other| names(other.input(), ty.name()) || names(other.output(), ty.name()))
}

/// A type in a few words: of a list without a name, the first field or value only.
fn short(ty: Type<'_>) -> String {
    match ty.kind() {
        Kind::Nullable(inner) => format!("?{}", short(inner)),
        Kind::Array(inner) => format!("[]{}", short(inner)),
        Kind::Map(inner) => format!("[string]{}", short(inner)),
        Kind::Struct(mut fields) => match fields.next() {
            Some(field) => format!("({}: ...)", field.name()),
            None => "()".to_string(),
        },
        Kind::Enum(values) => {
            let first = values.take(1).map(|value| value.name());
            format!("({}, ...)", first.collect::<String>())
        }
        _ => ty.to_string(),
    }
}
