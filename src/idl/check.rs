//! Checks a value against its definition: before a handler runs, and for tools and proxies.
//!
//! The check makes one strict pass over the text, so the parameters of a call need no other. It does
//! not recurse, and keeps three stacks: the open structures, arrays and maps; a bit for each field of
//! the open structures; and the keys of the open maps. So the cost is linear in the length of the
//! text, however the value is nested. The factor is the search for a key: it is compared with at most
//! [`Definition::MAX_FIELDS`] names of a structure, or with the first [`MAX_MAP_KEYS`] keys of a map.
//! A comparison looks at two bytes, unless the hashes are equal. Fields in the order of their
//! definition are found at once.

use core::fmt;
use core::marker::PhantomData;
use core::mem;
use core::ops::Range;

use heapless::Vec;

use super::table::{Entry, EntryKind, REQUIRES_FLAGS};
use super::view::{Member, MemberKind, Type};
use super::{Definition, MAX_DEPTH};
use crate::error::Mismatch;
use crate::json::{Cursor, Raw, is_finite, is_in_range};

/// The maximum total number of fields of all open structures. A value that exceeds it is refused.
pub(super) const MAX_OPEN_FIELDS: usize = 2048;

/// The number of keys of a map that are checked for duplicates: the first ones. A key that equals
/// one of these is refused.
pub(super) const MAX_MAP_KEYS: usize = 64;

/// The maximum total number of keys that are checked for duplicates in all open maps. A value that
/// exceeds it is refused.
pub(super) const MAX_OPEN_KEYS: usize = 2 * MAX_MAP_KEYS;

/// A difference between a value and its definition.
///
/// ```
/// use nullink::json::Raw;
/// use nullink::{Interface, Mismatch, interface};
///
/// const FTL: Interface = interface!(text "
/// interface org.example.ftl
///
/// method Jump(to: string, speed: ?int) -> ()
/// ");
///
/// let check = |parameters| FTL.check_call("Jump", Raw::new(parameters).unwrap());
/// assert_eq!(check(r#"{"to":"Caprica"}"#), Ok(()));
///
/// let deviation = check(r#"{"to":"Caprica","speed":0.5}"#).unwrap_err();
/// assert_eq!((deviation.mismatch(), deviation.field()), (Mismatch::Range, Some("speed")));
/// assert_eq!(check("{}").unwrap_err().field(), Some("to"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deviation<'a> {
    mismatch: Mismatch,
    field: Option<&'a str>,
    offset: usize,
}

impl<'a> Deviation<'a> {
    /// Returns the kind of the difference.
    pub fn mismatch(&self) -> Mismatch {
        self.mismatch
    }

    /// Returns the name of the top-level field that is or contains the cause, or None if the cause
    /// is not in a field. The name of an unknown field has its JSON escapes, as in the text.
    pub fn field(&self) -> Option<&'a str> {
        self.field
    }

    /// Returns the position, in bytes from the beginning of the text.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for Deviation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mismatch.fmt(f)?;
        if let Some(field) = self.field {
            write!(f, " in field {field}")?;
        }
        write!(f, " at byte {}", self.offset)
    }
}

impl core::error::Error for Deviation<'_> {}

impl<'a> Definition<'a> {
    /// Checks the parameters of a call against the definition of the method.
    ///
    /// # Errors
    ///
    /// Returns the first difference, or [`Mismatch::Member`] if the definition has no such method.
    pub fn check_call<'r>(&self, method: &str, parameters: Raw<'r>) -> Result<(), Deviation<'r>>
    where
        'a: 'r,
    {
        self.check(method, MemberKind::Method, parameters, Member::input)
    }

    /// Checks the parameters of a reply against the definition of the method.
    ///
    /// # Errors
    ///
    /// Returns the first difference, or [`Mismatch::Member`] if the definition has no such method.
    pub fn check_reply<'r>(&self, method: &str, parameters: Raw<'r>) -> Result<(), Deviation<'r>>
    where
        'a: 'r,
    {
        self.check(method, MemberKind::Method, parameters, Member::output)
    }

    /// Checks the parameters of an error against the definition of the error.
    ///
    /// # Errors
    ///
    /// Returns the first difference, or [`Mismatch::Member`] if the definition has no such error.
    pub fn check_error<'r>(&self, error: &str, parameters: Raw<'r>) -> Result<(), Deviation<'r>>
    where
        'a: 'r,
    {
        self.check(error, MemberKind::Error, parameters, Member::output)
    }

    fn check<'r>(
        &self,
        name: &str,
        kind: MemberKind,
        parameters: Raw<'r>,
        type_of: impl Fn(&Member<'a>) -> Type<'a>,
    ) -> Result<(), Deviation<'r>>
    where
        'a: 'r,
    {
        let text = parameters.as_str();
        let Some(member) = self.find(name).filter(|member| member.kind() == kind) else {
            return Err(Deviation {
                mismatch: Mismatch::Member,
                field: None,
                offset: 0,
            });
        };
        type_of(&member)
            .check::<AllKinds>(&mut Cursor::new(text.as_bytes()), 0)
            .map_err(|fault| Deviation {
                mismatch: fault.mismatch,
                field: match fault.field {
                    FaultField::Nowhere => None,
                    FaultField::Declared(name) => Some(name),
                    FaultField::Key(range) => text.get(range),
                },
                offset: fault.offset,
            })
    }
}

/// A difference between a text and its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault<'a> {
    pub mismatch: Mismatch,
    /// The top-level field.
    pub field: FaultField<'a>,
    /// Where the value or the key begins, in bytes from the beginning of the checked value.
    pub offset: usize,
}

/// The name of a top-level field, or where to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FaultField<'a> {
    /// The difference is not in a field.
    Nowhere,
    /// A name of the definition.
    Declared(&'a str),
    /// The range of an unknown name in the checked value, with its escapes and without its quotes.
    Key(Range<usize>),
}

impl Fault<'_> {
    /// The definition has no such member.
    pub const NO_MEMBER: Self = Fault {
        mismatch: Mismatch::Member,
        field: FaultField::Nowhere,
        offset: 0,
    };

    /// The text is not a message.
    pub const NO_MESSAGE: Self = Fault {
        mismatch: Mismatch::Syntax,
        ..Fault::NO_MEMBER
    };
}

/// The kinds of types that a service's definitions have. The code that checks other kinds is
/// compiled out.
pub(crate) trait Kinds {
    /// A bit mask: see [`Definition::kinds`].
    const KINDS: u32;
}

/// All kinds of types, for any definition.
pub(crate) struct AllKinds;

impl Kinds for AllKinds {
    const KINDS: u32 = u32::MAX;
}

/// True if `T` has this kind.
const fn has<T: Kinds>(kind: EntryKind) -> bool {
    T::KINDS & kind.bit() != 0
}

/// True if a method may require a flag.
pub(crate) const fn requires_flags<T: Kinds>() -> bool {
    T::KINDS & REQUIRES_FLAGS != 0
}

impl<'a> Type<'a> {
    /// Checks the value at the cursor against this structure. If it matches, it is valid JSON, and the
    /// cursor moves past it. `depth` is the number of arrays and objects that contain it. `T` must
    /// have all kinds of types that the definition has.
    #[inline(never)] // keeps its variables out of the stack frames of callers
    pub(crate) fn check<'t, T: Kinds>(
        self,
        cursor: &mut Cursor<'t>,
        depth: usize,
    ) -> Result<(), Fault<'a>> {
        // Not inside `Check`: there, the compiler would fill these vectors with zeros.
        let (mut outer, mut seen, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        // One word is enough for most messages. `open` adds others.
        let _ = seen.push(0);
        let start = cursor.offset();
        let mut check = Check::<'_, '_, 't, T> {
            definition: &self.definition,
            cursor: *cursor,
            depth,
            list: &Entry::EMPTY,
            open: Open::default(),
            outer: &mut outer,
            seen: &mut seen,
            free: 0,
            keys: &mut keys,
            field: 0,
            unknown: 0..0,
            offset: 0,
            kinds: PhantomData,
        };
        match check.structure(self.index) {
            Ok(()) => {
                *cursor = check.cursor;
                Ok(())
            }
            Err(mismatch) => Err(Fault {
                mismatch,
                field: if check.unknown.start > 0 {
                    let Range { start: key, end } = check.unknown;
                    FaultField::Key(key.wrapping_sub(start)..end.wrapping_sub(start))
                } else if check.field > 0 {
                    FaultField::Declared(self.definition.name_of(check.field))
                } else {
                    FaultField::Nowhere
                },
                offset: check.offset.wrapping_sub(start),
            }),
        }
    }
}

struct Check<'a, 'v, 't, T> {
    definition: &'v Definition<'a>,
    cursor: Cursor<'t>,
    /// The number of arrays and objects that contain the value.
    depth: usize,
    /// The innermost open structure, array or map, and the entry of its type.
    open: Open,
    list: &'a Entry,
    /// The open structures, arrays and maps around it. The first is a placeholder.
    outer: &'v mut Vec<Open, MAX_DEPTH>,
    /// A bit for each field of each open structure, set once the field was seen. The bits from
    /// `free` on are 0.
    seen: &'v mut Vec<u64, { MAX_OPEN_FIELDS / 64 }>,
    /// The first bit of `seen` that no open structure uses.
    free: usize,
    /// The keys of the open maps.
    keys: &'v mut Vec<SeenKey, MAX_OPEN_KEYS>,
    /// The entry of the current top-level field. 0 if there is none.
    field: u16,
    /// The range in the text of an unknown top-level key. Empty at 0 if there is none.
    unknown: Range<usize>,
    /// Where the last value or key begins in the text.
    offset: usize,
    kinds: PhantomData<T>,
}

/// An open structure, array or map: its end was not read yet.
#[derive(Clone, Copy, Default)]
struct Open {
    /// The entry of the type.
    ty: u16,
    /// Structure: the entry of the field that is expected next. Map: the number of keys of the maps
    /// around it.
    next: u16,
    /// Structure: the number of mandatory fields that were not seen yet.
    missing: u16,
}

/// A key of an open map. Packed into 6 bytes, because many are on the stack.
#[derive(Clone, Copy)]
#[repr(C, packed(2))]
struct SeenKey {
    /// Where the key begins in the text.
    at: u32,
    hash: u16,
}

impl<'a, T: Kinds> Check<'a, '_, '_, T> {
    fn entry(&self, index: u16) -> &'a Entry {
        self.definition.entry(index)
    }

    /// Checks a structure with everything in it.
    fn structure(&mut self, ty: u16) -> Result<(), Mismatch> {
        let byte = self.cursor.peek();
        self.offset = self.cursor.offset();
        if byte != Some(b'{') {
            return Err(Mismatch::Type);
        }
        self.open(ty, self.entry(ty), b'{')?;
        let mut first = true;
        loop {
            first = if let Some((ty, entry)) = self.next(first)? {
                self.begin(ty, entry)?
            } else {
                match self.outer.pop() {
                    Some(outer) if !self.outer.is_empty() => self.open = outer,
                    _ => return Ok(()),
                }
                self.list = self.entry(self.open.ty);
                false
            };
        }
    }

    /// Checks a value that has no values in it, or whose content is not checked. Returns true if it
    /// opens a structure, array or map instead.
    fn begin(&mut self, mut ty: u16, mut entry: &'a Entry) -> Result<bool, Mismatch> {
        let byte = self.cursor.peek().unwrap_or_default();
        self.offset = self.cursor.offset();
        if has::<T>(EntryKind::Nullable) && entry.kind == EntryKind::Nullable && byte != b'n' {
            ty = ty.wrapping_add(1);
            entry = self.entry(ty);
        }
        if has::<T>(EntryKind::Reference) && entry.kind == EntryKind::Reference {
            ty = entry.link.wrapping_add(1);
            entry = self.entry(ty);
        }
        let skipped = match (entry.kind, byte) {
            // No value begins with `.` or `/`.
            (EntryKind::Int, b'-'..=b'9') if has::<T>(EntryKind::Int) => {
                let integer = self.cursor.integer().ok_or(Mismatch::Syntax)?;
                return if is_in_range(integer) && !self.cursor.at_fraction() {
                    Ok(false)
                } else {
                    Err(Mismatch::Range)
                };
            }
            (EntryKind::Float, b'-' | b'0'..=b'9') if has::<T>(EntryKind::Float) => {
                if !is_finite(self.cursor.number().ok_or(Mismatch::Syntax)?) {
                    return Err(Mismatch::Range);
                }
                return Ok(false);
            }
            (EntryKind::Enum, b'"') if has::<T>(EntryKind::Enum) => {
                let value = self.cursor.string().ok_or(Mismatch::Syntax)?;
                let found = self.definition.find_in(ty, ty.wrapping_add(1), &value);
                return found.map(|_| false).ok_or(Mismatch::Variant);
            }
            (EntryKind::Struct, b'{') | (EntryKind::Map, b'{') | (EntryKind::Array, b'[') => {
                return self.open(ty, entry, byte).map(|()| true);
            }
            (EntryKind::String, b'"') => self.cursor.skip_string().map(drop),
            (EntryKind::Nullable, b'n')
            | (EntryKind::Bool, b't' | b'f')
            | (EntryKind::Object, b'{') => self.value(),
            (EntryKind::Any, byte) if byte != b'n' => self.value(),
            _ => return Err(Mismatch::Type),
        };
        skipped.map(|()| false).ok_or(Mismatch::Syntax)
    }

    /// Skips a value whose content is not checked.
    fn value(&mut self) -> Option<()> {
        let depth = self.level();
        self.cursor.value(depth).map(drop)
    }

    /// Returns the number of arrays and objects that contain the position.
    fn level(&self) -> usize {
        self.depth.wrapping_add(self.outer.len())
    }

    /// Opens a structure, array or map. Its bracket is next.
    fn open(&mut self, ty: u16, list: &'a Entry, bracket: u8) -> Result<(), Mismatch> {
        let mut next = ty.wrapping_add(1);
        if list.kind == EntryKind::Struct {
            self.free = self.free.wrapping_add(list.link.into());
            while self.seen.len() < self.free.div_ceil(64) {
                self.seen.push(0).map_err(|_| Mismatch::Length)?;
            }
        } else {
            next = u16::try_from(self.keys.len()).unwrap_or_default();
        }
        self.cursor.eat(bracket);
        let inner = Open {
            ty,
            next,
            missing: list.number,
        };
        self.list = list;
        if self.level() >= MAX_DEPTH {
            return Err(Mismatch::Length);
        }
        let outer = mem::replace(&mut self.open, inner);
        self.outer.push(outer).map_err(|_| Mismatch::Length)
    }

    /// Returns the type of the next value of an open structure, array or map, or None at its end.
    /// Checks the key before the value.
    fn next(&mut self, first: bool) -> Result<Option<(u16, &'a Entry)>, Mismatch> {
        let kind = self.list.kind;
        let is_array = has::<T>(EntryKind::Array) && kind == EntryKind::Array;
        let is_map = has::<T>(EntryKind::Map) && kind == EntryKind::Map;
        if !is_array && !is_map {
            return self.field(first);
        }
        let close = if is_array { b']' } else { b'}' };
        if !self.cursor.more(close, first).ok_or(Mismatch::Syntax)? {
            if is_map {
                self.keys.truncate(self.open.next.into());
            }
            return Ok(None);
        }
        if is_map {
            self.key()?;
        }
        Ok(Some(self.inner(self.open.ty)))
    }

    /// Returns the type after an entry.
    fn inner(&self, index: u16) -> (u16, &'a Entry) {
        let ty = index.wrapping_add(1);
        (ty, self.entry(ty))
    }

    /// Checks that the next key of a map is not a duplicate.
    fn key(&mut self) -> Result<(), Mismatch> {
        let offset = self.cursor.offset();
        let key = self.cursor.member().ok_or(Mismatch::Syntax)?;
        let hash = key.hash();
        let keys = self.keys.get(self.open.next.into()..).unwrap_or_default();
        let is_same = |other: &SeenKey| {
            let string = || self.cursor.at(other.at as usize).string();
            other.hash == hash && string().is_some_and(|other| other.same(&key))
        };
        if keys.iter().any(is_same) {
            self.offset = offset;
            return Err(Mismatch::Duplicate);
        }
        if keys.len() < MAX_MAP_KEYS {
            let at = u32::try_from(offset).map_err(|_| Mismatch::Length)?;
            let pushed = self.keys.push(SeenKey { at, hash });
            pushed.map_err(|_| Mismatch::Length)?;
        }
        Ok(())
    }

    /// Returns the type of the field that the next key names, or None at the end of the structure.
    fn field(&mut self, first: bool) -> Result<Option<(u16, &'a Entry)>, Mismatch> {
        let definition = self.definition;
        let mut index = self.open.next;
        let mut field = self.entry(index);
        let mut bit = self.bit(field);
        let is_expected = index < self.list.next
            && !self.is_seen(bit)
            && self.cursor.skip_member(first, definition.name_bytes(field));
        if !is_expected {
            if !self.cursor.more(b'}', first).ok_or(Mismatch::Syntax)? {
                return self.close().map(|()| None);
            }
            index = self.find_field()?;
            field = self.entry(index);
            bit = self.bit(field);
        }
        if self.outer.len() == 1 {
            self.field = index;
        }
        let mark = mask(bit);
        if let Some(word) = self.seen.get_mut(bit / 64) {
            if *word & mark != 0 {
                return Err(Mismatch::Duplicate);
            }
            *word |= mark;
        }
        self.open.next = field.next;
        let (ty, entry) = self.inner(index);
        if entry.kind != EntryKind::Nullable {
            self.open.missing = self.open.missing.wrapping_sub(1);
        }
        Ok(Some((ty, entry)))
    }

    /// Finds the field that the next key names, if it is not the expected one.
    #[inline(never)] // rarely called
    fn find_field(&mut self) -> Result<u16, Mismatch> {
        self.offset = self.cursor.offset();
        let key = self.cursor.member().ok_or(Mismatch::Syntax)?;
        let found = self.definition.find_in(self.open.ty, self.open.next, &key);
        if found.is_none() && self.outer.len() == 1 {
            let start = self.offset.wrapping_add(1);
            self.unknown = start..start.wrapping_add(key.inside.len());
        }
        found.ok_or(Mismatch::Unknown)
    }

    /// Closes a structure: checks that no mandatory field is missing.
    fn close(&mut self) -> Result<(), Mismatch> {
        if self.open.missing > 0 {
            let missing = self.definition.list(self.open.ty).find(|index| {
                self.inner(*index).1.kind != EntryKind::Nullable
                    && !self.is_seen(self.bit(self.entry(*index)))
            });
            if let (1, Some(index)) = (self.outer.len(), missing) {
                self.field = index;
            }
            return Err(Mismatch::Missing);
        }
        if self.outer.len() == 1 {
            // The end of the value.
            return Ok(());
        }
        let start = self.first_bit();
        // Clears its bits for the next structure.
        self.seen.truncate(start.div_ceil(64));
        if let Some(word) = self.seen.get_mut(start / 64) {
            *word &= mask(start).wrapping_sub(1);
        }
        self.free = start;
        Ok(())
    }

    /// Returns the first bit of the innermost structure.
    fn first_bit(&self) -> usize {
        self.free.wrapping_sub(self.list.link.into())
    }

    /// Returns the bit of a field of the innermost structure.
    fn bit(&self, field: &Entry) -> usize {
        self.first_bit().wrapping_add(field.number.into())
    }

    /// True if the field with this bit was seen.
    fn is_seen(&self, bit: usize) -> bool {
        let word = self.seen.get(bit / 64).copied().unwrap_or_default();
        word & mask(bit) != 0
    }
}

fn mask(bit: usize) -> u64 {
    1_u64.wrapping_shl((bit % 64) as u32)
}
