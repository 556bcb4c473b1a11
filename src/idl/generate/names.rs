//! What everything is called.

use core::fmt::{self, Write};
use core::iter;

use super::needs::Generator;
use super::words::{Case, FIELD_RULES, KEYWORDS, RESERVED, Rule, UNUSABLE, VALUE_RULES, cased};
use crate::idl::table::Kind as K;
use crate::idl::{Member, MemberKind, NAME};

impl<'a> Generator<'a> {
    /// Whether a member is a type of the module: an error is not.
    pub(super) fn is_item(&self, member: Member<'a>) -> bool {
        member.kind() != MemberKind::Error
    }

    /// The member that an entry belongs to.
    pub(super) fn member(&self, index: u16) -> Member<'a> {
        let found = self.definition.member_of(index);
        found.unwrap_or(self.definition.member_at(0))
    }

    /// Whether a list is what a member stands for. Other types, and what methods return, have
    /// names that are put together.
    pub(super) fn is_own(&self, list: u16) -> bool {
        let before = self.kind(list.saturating_sub(1));
        matches!(before, K::Type | K::Method | K::Error)
    }

    /// The name of a type within a member, as it would be if there were no others.
    pub(super) fn composed(
        &self,
        member: Member<'a>,
        list: u16,
    ) -> impl Iterator<Item = char> + Clone {
        let output = member.output().index;
        let (root, reply) = match member.kind() {
            MemberKind::Method if list >= output => (output, "Reply"),
            _ => (member.ty().index, ""),
        };
        let definition = self.definition;
        // From field to field, into those that the list is in.
        let mut index = root.saturating_add(1);
        let path = iter::from_fn(move || {
            while index < list {
                let entry = definition.entry(index);
                match entry.kind {
                    K::Field if entry.next <= list => index = entry.next,
                    kind => {
                        let this = index;
                        index = index.saturating_add(1);
                        if kind == K::Field {
                            return Some(definition.name_of(this));
                        }
                    }
                }
            }
            None
        });
        let path = path.flat_map(|name| cased(name, Case::Pascal));
        member.name().chars().chain(reply.chars()).chain(path)
    }

    /// The name of a struct or an enum.
    pub(super) fn name(&self, f: &mut dyn Write, list: u16) -> fmt::Result {
        let member = self.member(list);
        let base = self.composed(member, list);
        let mut taken = usize::from(RESERVED.iter().any(|name| base.clone().eq(name.chars())));
        if !self.is_own(list) {
            // A name that is put together begins with that of its member: others like it can only
            // be in members whose names it begins with as well.
            let mut begin = heapless::String::<NAME>::new();
            let mut letters = base.clone();
            while let Some(letter) = letters.next()
                && begin.push(letter).is_ok()
            {
                let Some(other) = self.definition.find(&begin) else {
                    continue;
                };
                let whole = letters.clone().next().is_none() && self.is_item(other);
                let same = self.others(other, list, base.clone());
                taken = taken.saturating_add(same).saturating_add(whole.into());
            }
        }
        base.into_iter()
            .try_for_each(|letter| f.write_char(letter))?;
        iter::repeat_n('_', taken).try_for_each(|letter| f.write_char(letter))
    }

    /// How many types of a member, before a list, have the same name that is put together.
    pub(super) fn others(
        &self,
        member: Member<'a>,
        list: u16,
        name: impl Iterator<Item = char> + Clone,
    ) -> usize {
        let end = self.definition.entry(member.index).next.min(list);
        let others = (member.index..end).filter(|other| match self.kind(*other) {
            K::Struct => !self.is_empty(*other) && !self.is_own(*other),
            K::Enum => !self.is_own(*other),
            _ => false,
        });
        others
            .filter(|other| self.composed(member, *other).eq(name.clone()))
            .count()
    }

    /// How many `_` the name of a field or a value ends with.
    pub(super) fn underscores(&self, list: u16, field: u16, case: Case) -> usize {
        let name = cased(self.definition.name_of(field), case);
        let unusable = UNUSABLE.iter().any(|word| name.clone().eq(word.chars()));
        let others = self.fields(list).take_while(|other| *other < field);
        let others =
            others.filter(|other| cased(self.definition.name_of(*other), case).eq(name.clone()));
        others.count().saturating_add(unusable.into())
    }

    /// The Rust name of a field or a value.
    pub(super) fn field_name(
        &self,
        f: &mut dyn Write,
        list: u16,
        field: u16,
        case: Case,
    ) -> fmt::Result {
        let name = cased(self.definition.name_of(field), case);
        let underscores = self.underscores(list, field, case);
        let keyword = |word: &&str| name.clone().eq(word.chars());
        if underscores == 0 && KEYWORDS.iter().any(keyword) {
            f.write_str("r#")?;
        }
        name.clone().try_for_each(|letter| f.write_char(letter))?;
        iter::repeat_n('_', underscores).try_for_each(|letter| f.write_char(letter))
    }

    /// Whether a rule makes another name of the Rust name than that of the definition.
    pub(super) fn is_renamed(&self, list: u16, field: u16, own: Case, rule: Rule) -> bool {
        let name = self.definition.name_of(field);
        !cased(name, rule.1).eq(name.chars()) || self.underscores(list, field, own) > 0
    }

    /// The rule with the fewest exceptions.
    pub(super) fn rule(&self, list: u16) -> Rule {
        let (own, rules) = match self.kind(list) {
            K::Enum => (Case::Pascal, VALUE_RULES),
            _ => (Case::Snake, FIELD_RULES),
        };
        let exceptions = |rule: &Rule| {
            let fields = self.fields(list);
            fields
                .filter(|field| self.is_renamed(list, *field, own, *rule))
                .count()
        };
        // (There are rules.)
        rules
            .into_iter()
            .min_by_key(exceptions)
            .unwrap_or((None, own))
    }
}
