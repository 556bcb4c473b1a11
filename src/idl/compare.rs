//! Two versions of a definition, side by side: UAPI.20, "Interface Evolution".
//!
//! What matters is what is on the wire. Names of types are not, so types are compared by what is
//! in them, wherever the parameters of methods and errors lead to them: once for each two types
//! that meet, and for each way that their values go. What meets is remembered in a table, which
//! has an end ([`PAIRS`]); lists within lists are a stack, which needs no more than [`DEPTH`].

use core::fmt;
use core::mem::discriminant;

use heapless::Vec;

use super::change::{Breaks, Change, Way, What};
use super::rules::{Fit, added, removed};
use super::table::Kind as K;
use super::{DEPTH, Definition, Kind, Member, MemberKind, Type};

/// How many pairs of types [`compare()`] can tell apart: one of the old definition and one of the
/// new, in calls or in replies, of which one at least has a name.
///
/// Two versions of a definition have about one pair for each type. With more than there is room
/// for, one of the changes says so, as one that breaks [callers](Breaks::Callers).
pub const PAIRS: usize = 1024;

/// What has changed between two versions of a definition, and what that breaks.
///
/// Comments and the order of things are no changes; neither is another name for a type, which is
/// not on the wire. What a type has in it is compared wherever calls or replies lead to it.
///
/// It takes about 8 KiB of the stack.
///
/// ```
/// use nullink::idl::{self, Breaks};
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
/// let changes: Vec<_> = idl::compare(&OLD, &NEW)
///     .map(|change| (change.breaks(), change.to_string()))
///     .collect();
/// assert_eq!(changes, [
///     (Breaks::Nothing, "new 3:13: method Jump, parameter to: was int, is float".into()),
///     (Breaks::Callers, "new 3:24: method Jump, parameter speed: was ?int, is int: old callers may send null".into()),
///     (Breaks::Services, "new 3:61: method Jump, output left: is new: old services don't send it".into()),
///     (Breaks::Nothing, "new 4:1: method Stop: is new".into()),
/// ]);
/// ```
pub fn compare<'a>(old: &Definition<'a>, new: &Definition<'a>) -> Changes<'a> {
    Changes {
        old: *old,
        new: *new,
        // (The same is the same, however many types it has.)
        stage: match old.text == new.text {
            true => Stage::Done,
            false => Stage::Name,
        },
        next: 0,
        lists: Vec::new(),
        pairs: Vec::new(),
        done: 0,
        limit: Limit::Kept,
    }
}

/// Whether nothing between two versions of a definition breaks callers, or not services either:
/// that no [`Change`] breaks as much as this, or more.
///
/// It keeps a project from breaking what it has released, with the definition of each release and
/// one line in a test:
///
/// ```
/// use nullink::idl::{self, Breaks};
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
/// idl::compatible(&RELEASED, &FTL, Breaks::Callers).unwrap();
///
/// // UAPI.20 asks for new fields to be nullable in replies, too.
/// let error = idl::compatible(&RELEASED, &FTL, Breaks::Services).unwrap_err();
/// assert_eq!(error.to_string(), "org.example.ftl is not compatible
/// new 3:39: method Jump, output left: is new: old services don't send it");
/// ```
///
/// # Errors
///
/// If there are such changes: all of them.
pub fn compatible<'a>(
    old: &'a Definition<'a>,
    new: &'a Definition<'a>,
    least: Breaks,
) -> Result<(), Incompatible<'a>> {
    let found = Incompatible { old, new, least };
    match found.changes().next() {
        Some(_) => Err(found),
        None => Ok(()),
    }
}

/// Two versions of a definition that are not [`compatible`].
///
/// Displayed, it is a line for each change that breaks something. Its `Debug` is the same, for
/// `unwrap` in a test.
#[derive(Clone, Copy)]
pub struct Incompatible<'a> {
    old: &'a Definition<'a>,
    new: &'a Definition<'a>,
    least: Breaks,
}

impl<'a> Incompatible<'a> {
    /// The changes that break something.
    pub fn changes(&self) -> impl Iterator<Item = Change<'a>> + use<'a> {
        let least = self.least;
        compare(self.old, self.new).filter(move |change| change.breaks() >= least)
    }
}

impl fmt::Display for Incompatible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not compatible", self.old.name)?;
        self.changes()
            .try_for_each(|change| write!(f, "\n{change}"))
    }
}

impl fmt::Debug for Incompatible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Incompatible<'_> {}

/// The changes between two versions of a definition: see [`compare()`].
#[derive(Clone)]
pub struct Changes<'a> {
    old: Definition<'a>,
    new: Definition<'a>,
    stage: Stage,
    /// The next member of this stage.
    next: u16,
    /// The lists that are being compared, each within the one before.
    lists: Vec<Lists, { DEPTH + 1 }>,
    /// The types that have met.
    pairs: Vec<Pair, { PAIRS }>,
    /// How many of them have been compared.
    done: usize,
    limit: Limit,
}

/// The definitions are gone through three times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Before all: the interface's name.
    Name,
    /// The members of the new definition.
    Members,
    /// Its types that nothing has led to.
    Types,
    /// The members of the old definition.
    Gone,
    /// There is nothing more to compare.
    Done,
}

/// Whether there are too many [`PAIRS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Kept,
    Exceeded,
    Reported,
}

/// An old and a new type that stand at the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair {
    old: u16,
    new: u16,
    way: Way,
}

/// Two structures, or two enumerations: first what is in the new one, then what was in the old.
#[derive(Clone, Copy, Debug)]
struct Lists {
    pair: Pair,
    gone: bool,
    next: u16,
    left: u16,
}

impl<'a> Iterator for Changes<'a> {
    type Item = Change<'a>;

    fn next(&mut self) -> Option<Change<'a>> {
        loop {
            let change = if self.limit == Limit::Exceeded {
                self.limit = Limit::Reported;
                Some(self.change(
                    What::Limit,
                    (Breaks::Callers, "the others were not compared"),
                ))
            } else if let Some(lists) = self.lists.pop() {
                self.item(lists)
            } else if let Some(pair) = self.pairs.get(self.done) {
                let pair = *pair;
                self.done = self.done.saturating_add(1);
                self.named(pair)
            } else {
                self.member()?
            };
            if change.is_some() {
                return change;
            }
        }
    }
}

impl<'a> Changes<'a> {
    fn change(&self, what: What, (breaks, why): (Breaks, &'static str)) -> Change<'a> {
        Change {
            old: self.old,
            new: self.new,
            what,
            way: None,
            breaks,
            why,
        }
    }

    /// Looks at the next member; the inner `None` is that it has not changed.
    fn member(&mut self) -> Option<Option<Change<'a>>> {
        let definition = match self.stage {
            Stage::Name => {
                self.stage = Stage::Members;
                let why = (Breaks::Callers, "old callers call it by that name");
                let renamed = self.old.name != self.new.name;
                return Some(renamed.then(|| self.change(What::Interface, why)));
            }
            Stage::Members | Stage::Types => self.new,
            Stage::Gone => self.old,
            Stage::Done => return None,
        };
        if usize::from(self.next) >= definition.entries.len() {
            self.next = 0;
            self.stage = match self.stage {
                Stage::Name | Stage::Members => Stage::Types,
                Stage::Types => Stage::Gone,
                Stage::Gone | Stage::Done => Stage::Done,
            };
            return Some(None);
        }
        let this = definition.member_at(self.next);
        self.next = definition.entry(self.next).next;
        Some(match self.stage {
            Stage::Name | Stage::Members => self.kept(this),
            Stage::Types => self.unused(this),
            Stage::Gone | Stage::Done => match self.new.find(this.name()) {
                None => Some(self.change(What::Gone(this.index), self.without(this))),
                Some(_) => None,
            },
        })
    }

    /// A member of the new definition.
    fn kept(&mut self, new: Member<'a>) -> Option<Change<'a>> {
        let Some(old) = self.old.find(new.name()) else {
            // "New methods, types and errors may be added."
            return Some(self.change(What::New(new.index), (Breaks::Nothing, "")));
        };
        match (old.kind(), new.kind()) {
            (MemberKind::Method, MemberKind::Method) => {
                // (The last is the first that is taken up again.)
                self.open(old.output(), new.output(), Way::Replies);
                self.open(old.input(), new.input(), Way::Calls);
                None
            }
            (MemberKind::Error, MemberKind::Error) => {
                self.open(old.output(), new.output(), Way::Replies);
                None
            }
            // Where there is one of it.
            (MemberKind::Type, MemberKind::Type) => None,
            _ => Some(self.change(What::Member(old.index, new.index), self.without(old))),
        }
    }

    /// A type that nothing has led to is there to say what is in an `object`, which may go either
    /// way.
    fn unused(&mut self, new: Member<'a>) -> Option<Change<'a>> {
        let old = self.old.find(new.name())?;
        let is_type = old.kind() == MemberKind::Type && new.kind() == MemberKind::Type;
        let (old, new) = (old.ty(), new.ty());
        if is_type && !self.pairs.iter().any(|pair| pair.old == old.index) {
            self.meet(old, new, Way::Calls);
            self.meet(old, new, Way::Replies);
        }
        None
    }

    /// What it breaks that a member is no longer there.
    fn without(&self, old: Member<'a>) -> (Breaks, &'static str) {
        match old.kind() {
            MemberKind::Method => (Breaks::Callers, "old callers call it"),
            // A reply that never comes can be read, but UAPI.20 has removed errors among what is
            // not backwards compatible: callers tell by an error's name what to do next.
            MemberKind::Error => (Breaks::Callers, "old callers may act on it"),
            // UAPI.20 has removed types there, too. But what has used a type is compared without
            // regard to its name; only a type that nothing used is missing where it is gone.
            MemberKind::Type if self.is_used(old) => (Breaks::Nothing, ""),
            MemberKind::Type => (Breaks::Callers, "old callers may use it"),
        }
    }

    /// Whether there is a type of the old definition in another member.
    fn is_used(&self, ty: Member<'a>) -> bool {
        let own = usize::from(ty.index)..usize::from(self.old.entry(ty.index).next);
        let mut entries = self.old.entries.iter().enumerate();
        entries.any(|(index, entry)| {
            entry.kind == K::Reference && entry.link == ty.index && !own.contains(&index)
        })
    }

    /// Two types meet, of which one at least has a name: they are compared later, if they were not
    /// before.
    fn meet(&mut self, old: Type<'a>, new: Type<'a>, way: Way) {
        let pair = Pair {
            old: old.index,
            new: new.index,
            way,
        };
        if !self.pairs.contains(&pair) && self.pairs.push(pair).is_err() {
            self.exceed();
        }
    }

    fn exceed(&mut self) {
        if self.limit == Limit::Kept {
            self.limit = Limit::Exceeded;
        }
    }

    /// Begins to compare two structures, or two enumerations.
    fn open(&mut self, old: Type<'a>, new: Type<'a>, way: Way) {
        let (old, next) = (old.index, new.index);
        let lists = Lists {
            pair: Pair {
                old,
                new: next,
                way,
            },
            gone: false,
            next: next.saturating_add(1),
            left: self.new.entry(next).link,
        };
        // (Lists without a name are not nested any deeper than that.)
        if self.lists.push(lists).is_err() {
            self.exceed();
        }
    }

    /// Two types that have met.
    fn named(&mut self, pair: Pair) -> Option<Change<'a>> {
        let member = |list: u16| list.saturating_sub(1);
        let old = self.old.type_of(member(pair.old));
        let new = self.new.type_of(member(pair.new));
        if discriminant(&old.kind()) == discriminant(&new.kind()) {
            self.open(old, new, pair.way);
            return None;
        }
        let mut fit = Fit::default();
        fit.kinds(old, new);
        let what = What::Type(member(pair.old), member(pair.new));
        Some(Change {
            way: Some(pair.way),
            ..self.change(what, fit.breaks(pair.way))
        })
    }

    /// The next field or value of two lists.
    fn item(&mut self, mut lists: Lists) -> Option<Change<'a>> {
        let Pair { old, new, way } = lists.pair;
        let (definition, other, list) = match lists.gone {
            false => (self.new, self.old, old),
            true => (self.old, self.new, new),
        };
        let Some(left) = lists.left.checked_sub(1) else {
            if !lists.gone {
                lists.gone = true;
                lists.next = old.saturating_add(1);
                lists.left = self.old.entry(old).link;
                // (There is room: it was just taken from there.)
                let _ = self.lists.push(lists);
            }
            return None;
        };
        let index = lists.next;
        lists.left = left;
        lists.next = definition.entry(index).next;
        let _ = self.lists.push(lists);
        let change = match (twin(definition, index, other, list), lists.gone) {
            (Some(_), true) => return None,
            (Some(old), false) => self.field(old, index, way)?,
            (None, false) => self.change(What::New(index), added(definition, index, way)),
            (None, true) => self.change(What::Gone(index), removed(definition, index, way)),
        };
        Some(Change {
            way: Some(way),
            ..change
        })
    }

    /// A field that is in both definitions. (Or a value, of which there is nothing more to say.)
    fn field(&mut self, old: u16, new: u16, way: Way) -> Option<Change<'a>> {
        if self.new.entry(new).kind != K::Field {
            return None;
        }
        let mut fit = Fit::default();
        let (mut was, mut is) = (self.old.type_of(old), self.new.type_of(new));
        loop {
            (was, is) = match (was.kind(), is.kind()) {
                (Kind::Nullable(was), Kind::Nullable(is))
                | (Kind::Array(was), Kind::Array(is))
                | (Kind::Map(was), Kind::Map(is)) => (was, is),
                (Kind::Nullable(was), _) => {
                    fit.old_null = true;
                    (was, is)
                }
                (_, Kind::Nullable(is)) => {
                    fit.new_null = true;
                    (was, is)
                }
                (Kind::Named(was), Kind::Named(is)) => {
                    self.meet(was.ty(), is.ty(), way);
                    break;
                }
                (one, two) => {
                    let named = matches!(one, Kind::Named(_)) || matches!(two, Kind::Named(_));
                    (was, is) = (was.resolved(), is.resolved());
                    match (was.kind(), is.kind()) {
                        (Kind::Struct(_), Kind::Struct(_)) | (Kind::Enum(_), Kind::Enum(_)) => {
                            match named {
                                true => self.meet(was, is, way),
                                false => self.open(was, is, way),
                            }
                        }
                        _ => fit.kinds(was, is),
                    }
                    break;
                }
            };
        }
        let changed = fit != Fit::default();
        changed.then(|| self.change(What::Type(old, new), fit.breaks(way)))
    }
}

/// The field or value of the same name in another list.
fn twin(definition: Definition<'_>, index: u16, other: Definition<'_>, list: u16) -> Option<u16> {
    let (name, hash) = (definition.name_of(index), definition.entry(index).link);
    let found = other.find_in(list, hash, |own| own == name);
    found.map(|(_, index)| index)
}
