//! Compares two versions of a definition: UAPI.20, "Interface Evolution".
//!
//! Types are compared by their content, wherever the parameters of methods and errors use them,
//! because names of types are not on the wire. Each pair of an old and a new type is compared once
//! for calls and once for replies.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::Differences;
use super::rules::{Breaks, Effect, Fit, Way, added, removed};
use crate::idl::{Definition, Member, MemberKind, Type, TypeKind, position};

/// Lists the changes between two versions of a definition, and what each of them breaks.
///
/// Comments, the names of types, and the order of members, fields and values are not compared: none
/// of them matters on the wire, except for comments that say which flags a method
/// [requires](Member::requires_more). The content of a type is compared wherever calls or replies use it.
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

/// Checks that each [`Change`] between two versions of a definition breaks less than `least`.
///
/// A project that keeps the definition of each release can check its compatibility in a test:
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
/// // UAPI.20 recommends that new fields are nullable in replies, too.
/// let error = compatible(&RELEASED, &FTL, Breaks::Services).unwrap_err();
/// assert_eq!(error.to_string(), "org.example.ftl has incompatible changes
/// new 3:39: method Jump, output left: is new: old services don't send it");
/// ```
///
/// # Errors
///
/// Returns all other changes, if there are any.
pub fn compatible(
    old: &Definition<'_>,
    new: &Definition<'_>,
    least: Breaks,
) -> Result<(), Differences> {
    let changes = compare(old, new);
    let breaking = changes.iter().filter(|change| change.breaks >= least);
    let lines = breaking.map(Change::to_string).collect();
    Differences::none(format!("{} has incompatible changes", old.name()), lines)
}

/// A difference between two versions of a definition: see [`compare()`].
///
/// `Display` writes one line: the version, line and column, the change, and the reason if it breaks
/// something.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    breaks: Breaks,
    old: Option<(usize, usize)>,
    new: Option<(usize, usize)>,
    text: String,
}

impl Change {
    /// Returns what the change breaks.
    pub fn breaks(&self) -> Breaks {
        self.breaks
    }

    /// Returns the line and column in the old text, from 1, or None if it is only in the new one.
    pub fn in_old(&self) -> Option<(usize, usize)> {
        self.old
    }

    /// Returns the line and column in the new text, from 1, or None if it is only in the old one.
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

/// A member, a field or a value that is compared, with its position and its type.
#[derive(Clone)]
struct Subject<'a> {
    member: Member<'a>,
    name: &'a str,
    /// The entry whose line and column are shown.
    index: u16,
    /// Its description in a change, such as `method Jump, parameter to.distance`.
    path: String,
    /// The text between the path and the name of a field in it.
    separator: &'static str,
    /// The type, or None for a value of an enumeration.
    ty: Option<Type<'a>>,
}

impl<'a> Subject<'a> {
    /// Returns the subject for a member, with its type or the parameters of its calls.
    fn member(member: Member<'a>) -> Self {
        Subject {
            member,
            name: member.name(),
            index: member.index(),
            path: format!("{} {}", member.kind(), member.name()),
            separator: match member.kind() {
                MemberKind::Type => ", field ",
                MemberKind::Method | MemberKind::Error => ", parameter ",
            },
            ty: Some(member.ty()),
        }
    }

    /// Returns the subject for a method with the parameters of its replies.
    fn output(&self) -> Self {
        Subject {
            separator: ", output ",
            ty: Some(self.member.output()),
            ..self.clone()
        }
    }

    /// Returns the subjects for the fields or the values of the type.
    fn items(&self) -> Vec<Self> {
        let item = |name, index, separator, ty| Subject {
            member: self.member,
            name,
            index,
            path: format!("{}{separator}{name}", self.path),
            separator: ".",
            ty,
        };
        let Some(ty) = self.ty else {
            return Vec::new();
        };
        match ty.kind() {
            TypeKind::Struct => ty
                .fields()
                .map(|field| item(field.name(), field.index, self.separator, Some(field.ty())))
                .collect(),
            TypeKind::Enum => ty
                .values()
                .map(|value| item(value.name(), value.index, ", value ", None))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the subject with a type within its own, or the subject for the member that the type
    /// names.
    fn at(&self, ty: Type<'a>) -> Self {
        match ty.kind() {
            TypeKind::Named(member) => Subject::member(member),
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

/// The old and the new version of a subject. One of them may be missing.
type Pair<'s, 'a> = (Option<&'s Subject<'a>>, Option<&'s Subject<'a>>);

/// Pairs subjects by name: first those of the new version, in its order, then those that only the
/// old version has.
fn pairs<'s, 'a>(olds: &'s [Subject<'a>], news: &'s [Subject<'a>]) -> Vec<Pair<'s, 'a>> {
    let by_name = |all: &'s [Subject<'a>]| -> BTreeMap<_, _> {
        all.iter().map(|subject| (subject.name, subject)).collect()
    };
    let (known, left) = (by_name(olds), by_name(news));
    let kept = |is: &'s Subject<'a>| (known.get(is.name).copied(), Some(is));
    let gone = olds.iter().filter(|was| !left.contains_key(was.name));
    let gone = gone.map(|was| (Some(was), None));
    news.iter().map(kept).chain(gone).collect()
}

#[derive(Default)]
struct Comparison<'a> {
    changes: Vec<Change>,
    /// The pairs of types that were compared or are pending: the entries of the old and the new
    /// type, and the direction of their values.
    seen: BTreeSet<(u16, u16, Way)>,
    /// The pairs that were not compared yet.
    pending: VecDeque<(Subject<'a>, Subject<'a>, Way)>,
}

impl<'a> Comparison<'a> {
    fn definitions(&mut self, old: Definition<'a>, new: Definition<'a>) {
        if old.name() != new.name() {
            let why = "old callers use the old name";
            self.changes.push(Change {
                breaks: Breaks::Callers,
                old: None,
                new: None,
                text: format!("interface {}: was {}: {why}", new.name(), old.name()),
            });
        }
        let olds: Vec<_> = old.members().map(Subject::member).collect();
        let news: Vec<_> = new.members().map(Subject::member).collect();
        let pairs = pairs(&olds, &news);
        for pair in pairs.iter().copied() {
            match pair {
                (Some(was), Some(is)) => self.members(was, is),
                // "New methods, types and errors may be added."
                (None, _) => self.report(pair, "is new", (Breaks::Nothing, ""), None),
                (Some(_), None) => {}
            }
            self.compare_pending();
        }
        for pair in pairs {
            match pair {
                (Some(was), None) => self.report(pair, "is gone", without(was.member), None),
                // A type that no call or reply uses describes the content of an `object`, in calls
                // or replies.
                (Some(was), Some(is))
                    if [was, is].map(|ty| ty.member.kind()) == [MemberKind::Type; 2]
                        && !self.is_seen(was.member.ty()) =>
                {
                    self.enqueue(was, is, Way::Calls);
                    self.enqueue(was, is, Way::Replies);
                    self.compare_pending();
                }
                _ => {}
            }
        }
    }

    fn members(&mut self, old: &Subject<'a>, new: &Subject<'a>) {
        match (old.member.kind(), new.member.kind()) {
            (MemberKind::Method, MemberKind::Method) => {
                self.flags(old, new);
                self.lists(old, new, Way::Calls);
                self.lists(&old.output(), &new.output(), Way::Replies);
            }
            (MemberKind::Error, MemberKind::Error) => self.lists(old, new, Way::Replies),
            // Types are compared where calls and replies use them.
            (MemberKind::Type, MemberKind::Type) => {}
            (kind, _) => {
                let (pair, what) = ((Some(old), Some(new)), format!("was {kind}"));
                self.report(pair, &what, without(old.member), None);
            }
        }
    }

    /// Compares the flags that calls must have.
    fn flags(&mut self, old: &Subject<'a>, new: &Subject<'a>) {
        let (was, is) = (old.member, new.member);
        let pair = (Some(old), Some(new));
        for (flag, was, is) in [
            ("more", was.requires_more(), is.requires_more()),
            ("upgrade", was.requires_upgrade(), is.requires_upgrade()),
        ] {
            if is && !was {
                let effect = (Breaks::Callers, "old callers don't send it");
                self.report(pair, &format!("requires '{flag}'"), effect, None);
            } else if was && !is {
                let effect = (Breaks::Services, "old services refuse calls without it");
                self.report(pair, &format!("no longer requires '{flag}'"), effect, None);
            }
        }
    }

    fn report(
        &mut self,
        (old, new): Pair<'_, 'a>,
        what: &str,
        (breaks, why): Effect,
        way: Option<Way>,
    ) {
        let Some(subject) = new.or(old) else { return };
        // A named type may be used in both calls and replies.
        let way = match way.filter(|_| subject.member.kind() == MemberKind::Type) {
            Some(Way::Calls) => ", in calls",
            Some(Way::Replies) => ", in replies",
            None => "",
        };
        let colon = if why.is_empty() { "" } else { ": " };
        self.changes.push(Change {
            breaks,
            old: old.map(Subject::position),
            new: new.map(Subject::position),
            text: format!("{}{way}: {what}{colon}{why}", subject.path),
        });
    }

    /// Compares the fields of two structures, or the values of two enumerations.
    fn lists(&mut self, old: &Subject<'a>, new: &Subject<'a>, way: Way) {
        for pair in pairs(&old.items(), &new.items()) {
            let (what, effect) = match pair {
                (Some(was), Some(is)) => {
                    self.types(was, is, way);
                    continue;
                }
                (None, is) => ("is new", added(is.and_then(|is| is.ty), way)),
                (Some(was), None) => ("is gone", removed(was.ty, way)),
            };
            self.report(pair, what, effect, Some(way));
        }
    }

    /// Compares the types of a field that is in both definitions. A value of an enumeration has no
    /// type to compare.
    fn types(&mut self, old: &Subject<'a>, new: &Subject<'a>, way: Way) {
        let (Some(was_first), Some(is_first)) = (old.ty, new.ty) else {
            return;
        };
        let mut fit = Fit::default();
        let (mut was, mut is) = (was_first, is_first);
        loop {
            match (was.kind(), is.kind()) {
                (TypeKind::Nullable(inner_was), TypeKind::Nullable(inner_is))
                | (TypeKind::Array(inner_was), TypeKind::Array(inner_is))
                | (TypeKind::Map(inner_was), TypeKind::Map(inner_is)) => {
                    (was, is) = (inner_was, inner_is)
                }
                (TypeKind::Nullable(inner), _) => (fit.old_null, was) = (true, inner),
                (_, TypeKind::Nullable(inner)) => (fit.new_null, is) = (true, inner),
                _ => break,
            }
        }
        let named = [was, is].map(|ty| matches!(ty.kind(), TypeKind::Named(_)));
        let (was_list, is_list) = (was.resolved(), is.resolved());
        let lists = matches!(
            (was_list.kind(), is_list.kind()),
            (TypeKind::Struct, TypeKind::Struct) | (TypeKind::Enum, TypeKind::Enum)
        );
        // If both types have names and are of different kinds, the change is reported at the types.
        let compared = lists || named == [true, true];
        if !compared {
            fit.kinds(was_list, is_list);
        }
        if fit != Fit::default() {
            let text = format!("was {}, is {}", short(was_first), short(is_first));
            let pair = (Some(old), Some(new));
            self.report(pair, &text, fit.breaks(way), Some(way));
        }
        if compared {
            let (old, new) = (old.at(was), new.at(is));
            if named == [false, false] {
                self.lists(&old, &new, way);
            } else {
                self.enqueue(&old, &new, way);
            }
        }
    }

    /// Adds two types, of which at least one has a name, to the pending pairs, once.
    fn enqueue(&mut self, old: &Subject<'a>, new: &Subject<'a>, way: Way) {
        if let (Some(was), Some(is)) = (old.ty, new.ty)
            && self.seen.insert((was.index, is.index, way))
        {
            self.pending.push_back((old.clone(), new.clone(), way));
        }
    }

    /// True if an old type is in any pair.
    fn is_seen(&self, old: Type<'a>) -> bool {
        let mut from = self.seen.range((old.index, 0, Way::Calls)..);
        from.next().is_some_and(|(seen, ..)| *seen == old.index)
    }

    /// Compares the pending pairs of types.
    fn compare_pending(&mut self) {
        while let Some((old, new, way)) = self.pending.pop_front() {
            self.types(&old, &new, way);
        }
    }
}

/// Returns what the removal of a member breaks.
fn without(member: Member<'_>) -> Effect {
    match member.kind() {
        MemberKind::Method => (Breaks::Callers, "old callers call it"),
        // Old callers do not fail without the error. But UAPI.20 lists the removal of errors as not
        // backwards compatible: callers decide by an error's name what to do next.
        MemberKind::Error => (Breaks::Callers, "old callers may act on it"),
        // UAPI.20 lists the removal of types, too. But types are compared by content where they are
        // used. So only the removal of an unused type is a change that breaks callers.
        MemberKind::Type if is_used(member) => (Breaks::Nothing, ""),
        MemberKind::Type => (Breaks::Callers, "old callers may use it"),
    }
}

/// True if another member names a type.
fn is_used(ty: Member<'_>) -> bool {
    let members = ty.definition().members();
    let others = members.filter(|other| other.index() != ty.index());
    let mut types = others.flat_map(|other| other.types());
    types.any(|other| matches!(other.kind(), TypeKind::Named(named) if named.index() == ty.index()))
}

/// Formats a type in short: of a list without a name, only the first field or value.
fn short(ty: Type<'_>) -> String {
    match ty.kind() {
        TypeKind::Nullable(inner) => format!("?{}", short(inner)),
        TypeKind::Array(inner) => format!("[]{}", short(inner)),
        TypeKind::Map(inner) => format!("[string]{}", short(inner)),
        TypeKind::Struct => match ty.fields().next() {
            Some(field) => format!("({}: ...)", field.name()),
            None => "()".to_string(),
        },
        TypeKind::Enum => {
            let first = ty.values().take(1).map(|value| value.name());
            format!("({}, ...)", first.collect::<String>())
        }
        _ => ty.to_string(),
    }
}
