//! Whether a value is what a definition says: before a handler runs, and for tools and proxies.
//!
//! It goes over the text once, without recursion. The structures, lists and maps that are open
//! are a stack, and so are the bits that say which fields have been seen. Only the keys of a map
//! are looked at twice.

use core::fmt;
use core::ops::Range;

use heapless::Vec;

use super::table::{Entry, Kind as K, add_to_hash, hash};
use super::view::{Member, MemberKind, Type};
use super::{DEPTH, Definition};
use crate::error::Mismatch;
use crate::json::{Kind, Raw, Scanner, equals, is_finite, is_integer, same, unescaped};

/// How many fields the structures that are open at once may have, all together: a value that is
/// nested so deeply is refused.
pub const OPEN_FIELDS: usize = 2048;

/// How many keys of a map are compared with one another: a key that occurs twice among them is
/// refused.
pub const MAP_KEYS: usize = 64;

/// How a value differs from what its definition says.
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
    /// How they differ.
    pub fn mismatch(&self) -> Mismatch {
        self.mismatch
    }

    /// The top-level field that is, or contains, the cause; None if it is none. The name of a
    /// field that the definition does not have is as the text has it, with its escapes.
    pub fn field(&self) -> Option<&'a str> {
        self.field
    }

    /// Where in the text: bytes from its beginning.
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
    /// Whether the parameters of a call are what the definition says of the method.
    ///
    /// # Errors
    ///
    /// How they differ; [`Mismatch::Member`], if there is no such method.
    pub fn check_call<'r>(&self, method: &str, parameters: Raw<'r>) -> Result<(), Deviation<'r>>
    where
        'a: 'r,
    {
        self.check(method, MemberKind::Method, parameters, Member::input)
    }

    /// Whether the parameters of a reply are what the definition says of the method.
    ///
    /// # Errors
    ///
    /// How they differ; [`Mismatch::Member`], if there is no such method.
    pub fn check_reply<'r>(&self, method: &str, parameters: Raw<'r>) -> Result<(), Deviation<'r>>
    where
        'a: 'r,
    {
        self.check(method, MemberKind::Method, parameters, Member::output)
    }

    /// Whether the parameters of an error are what the definition says of it.
    ///
    /// # Errors
    ///
    /// How they differ; [`Mismatch::Member`], if there is no such error.
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
        of: impl Fn(&Member<'a>) -> Type<'a>,
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
        of(&member)
            .check(text.as_bytes())
            .map_err(|fault| Deviation {
                mismatch: fault.mismatch,
                field: match fault.field {
                    Place::Nowhere => None,
                    Place::Declared(name) => Some(name),
                    Place::Key(range) => text.get(range),
                },
                offset: fault.offset,
            })
    }
}

/// How a text differs from its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault<'a> {
    pub mismatch: Mismatch,
    /// The top-level field.
    pub field: Place<'a>,
    /// The beginning of the value, or of the key, in the text.
    pub offset: usize,
}

/// Where the name of a top-level field is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// It is not about a field.
    Nowhere,
    /// In the definition.
    Declared(&'a str),
    /// In the text, where the definition does not have it; with its escapes, without its quotes.
    Key(Range<usize>),
}

impl Fault<'_> {
    /// There is no such member.
    pub const NO_MEMBER: Self = Fault {
        mismatch: Mismatch::Member,
        field: Place::Nowhere,
        offset: 0,
    };

    /// The text is not that of a message.
    pub const NO_MESSAGE: Self = Fault {
        mismatch: Mismatch::Syntax,
        ..Fault::NO_MEMBER
    };

    /// The same in a text that has `start` more bytes before it.
    pub fn moved(self, start: usize) -> Self {
        Fault {
            field: match self.field {
                Place::Key(range) => {
                    Place::Key(range.start.saturating_add(start)..range.end.saturating_add(start))
                }
                field => field,
            },
            offset: self.offset.saturating_add(start),
            ..self
        }
    }
}

impl<'a> Type<'a> {
    /// Whether a text that was scanned is a value of this type. An empty text is an empty object.
    pub(crate) fn check(self, text: &[u8]) -> Result<(), Fault<'a>> {
        let text = if text.is_empty() { b"{}" } else { text };
        let mut check = Check {
            definition: self.definition,
            scanner: Scanner::new(text),
            text,
            open: Vec::new(),
            seen: [0; WORDS],
            free: 0,
            field: Place::Nowhere,
            offset: 0,
        };
        check.value(self.index).map_err(|mismatch| Fault {
            mismatch,
            field: check.field,
            offset: check.offset,
        })
    }
}

const WORDS: usize = OPEN_FIELDS / 64;

struct Check<'a, 't> {
    definition: Definition<'a>,
    scanner: Scanner<'t>,
    text: &'t [u8],
    /// The entries of the structures, lists and maps that are open.
    open: Vec<u16, DEPTH>,
    /// A bit for each field of each structure that is open: whether it was there.
    seen: [u64; WORDS],
    /// The first bit that is none of these.
    free: usize,
    /// The top-level field.
    field: Place<'a>,
    /// Where the last value or key begins.
    offset: usize,
}

impl<'a> Check<'a, '_> {
    fn entry(&self, index: u16) -> Entry {
        self.definition.entry(index)
    }

    /// A value, and everything in it.
    fn value(&mut self, mut ty: u16) -> Result<(), Mismatch> {
        loop {
            let mut first = self.begin(ty)?;
            // On to the next value, out of everything that ends here.
            ty = loop {
                let Some(open) = self.open.last().copied() else {
                    return Ok(());
                };
                match self.next(open, first)? {
                    Some(next) => break next,
                    None => self.open.pop(),
                };
                first = false;
            };
        }
    }

    /// A value; or only its beginning, and then this is true, if it has others in it.
    fn begin(&mut self, mut ty: u16) -> Result<bool, Mismatch> {
        let null = self.scanner.peek() == Some(b'n');
        self.offset = self.scanner.offset();
        let entry = loop {
            let entry = self.entry(ty);
            ty = match entry.kind {
                K::Nullable if !null => ty.saturating_add(1),
                K::Reference => entry.link.saturating_add(1),
                _ => break entry,
            };
        };
        let opened = match entry.kind {
            K::Struct | K::Map => self.scanner.open_object(),
            K::Array => self.scanner.open_array(),
            _ => return self.leaf(ty, entry).map(|()| false),
        };
        opened.map_err(|_| Mismatch::Type)?;
        match entry.kind {
            K::Struct => self.allot(entry.link.into())?,
            K::Map => self.keys()?,
            _ => {}
        }
        // What is nested more deeply has not passed the scan.
        self.open.push(ty).map_err(|_| Mismatch::Length)?;
        Ok(true)
    }

    /// A value without others in it, or whose others don't matter.
    fn leaf(&mut self, ty: u16, entry: Entry) -> Result<(), Mismatch> {
        let (kind, range) = self.scanner.value(0).map_err(|_| Mismatch::Syntax)?;
        let text = self.text.get(range).unwrap_or_default();
        match (entry.kind, kind) {
            (K::Nullable, Kind::Null)
            | (K::Bool, Kind::True | Kind::False)
            | (K::String, Kind::String)
            | (K::Object, Kind::Object) => Ok(()),
            (K::Any, kind) if kind != Kind::Null => Ok(()),
            (K::Int, Kind::Number) if is_integer(text) => Ok(()),
            (K::Float, Kind::Number) if is_finite(text) => Ok(()),
            (K::Int | K::Float, Kind::Number) => Err(Mismatch::Range),
            (K::Enum, Kind::String) => match text {
                [b'"', value @ .., b'"'] if self.find(ty, value).is_some() => Ok(()),
                _ => Err(Mismatch::Variant),
            },
            _ => Err(Mismatch::Type),
        }
    }

    /// The type of the next value in what is open; None at its end.
    fn next(&mut self, open: u16, first: bool) -> Result<Option<u16>, Mismatch> {
        let inner = open.saturating_add(1);
        let kind = self.entry(open).kind;
        if kind == K::Array {
            let more = self.scanner.element(first).map_err(|_| Mismatch::Syntax)?;
            return Ok(more.then_some(inner));
        }
        let key = self.scanner.key(first).map_err(|_| Mismatch::Syntax)?;
        match (kind, key) {
            (K::Map, key) => Ok(key.map(|_| inner)),
            (_, Some(key)) => self.field(open, key).map(Some),
            (_, None) => self.close(open).map(|()| None),
        }
    }

    /// A field of a structure, by its key; its type.
    fn field(&mut self, open: u16, key: Range<usize>) -> Result<u16, Mismatch> {
        let top = self.open.len() == 1;
        self.offset = key.start.saturating_sub(1);
        let text = self.text.get(key.clone()).unwrap_or_default();
        let Some((number, index)) = self.find(open, text) else {
            if top {
                self.field = Place::Key(key);
            }
            return Err(Mismatch::Unknown);
        };
        if top {
            self.field = Place::Declared(self.name(index));
        }
        let bit = self.first_bit(open).saturating_add(number);
        match self.mark(bit) {
            true => Err(Mismatch::Duplicate),
            false => Ok(index.saturating_add(1)),
        }
    }

    /// The end of a structure: whether everything was there that has to be.
    fn close(&mut self, open: u16) -> Result<(), Mismatch> {
        let start = self.first_bit(open);
        self.free = start;
        if self.entry(open).mandatory == 0 {
            return Ok(());
        }
        for (number, index) in self.definition.list(open).enumerate() {
            let nullable = self.entry(index.saturating_add(1)).kind == K::Nullable;
            if !nullable && !self.mark(start.saturating_add(number)) {
                if self.open.len() == 1 {
                    self.field = Place::Declared(self.name(index));
                }
                return Err(Mismatch::Missing);
            }
        }
        Ok(())
    }

    /// A field of a structure or a value of an enumeration, by its name as the text has it: its
    /// number in the list, and its entry.
    fn find(&self, list: u16, name: &[u8]) -> Option<(usize, u16)> {
        let hash = match name.contains(&b'\\') {
            true => unescaped(name).fold(0, add_to_hash),
            false => hash(name),
        };
        let is_name = |own: &str| equals(name, own);
        self.definition.find_in(list, hash, is_name)
    }

    fn name(&self, index: u16) -> &'a str {
        self.definition.name_of(index)
    }

    /// Bits for the fields of a structure that begins.
    fn allot(&mut self, fields: usize) -> Result<(), Mismatch> {
        let free = self.free.saturating_add(fields);
        if free > OPEN_FIELDS {
            return Err(Mismatch::Length);
        }
        for bit in self.free..free {
            if let Some(word) = self.seen.get_mut(bit / 64) {
                *word &= !mask(bit);
            }
        }
        self.free = free;
        Ok(())
    }

    /// The first bit of the innermost structure.
    fn first_bit(&self, open: u16) -> usize {
        self.free.saturating_sub(self.entry(open).link.into())
    }

    /// Marks a field as seen; whether it was before.
    fn mark(&mut self, bit: usize) -> bool {
        match self.seen.get_mut(bit / 64) {
            Some(word) => {
                let seen = *word & mask(bit) != 0;
                *word |= mask(bit);
                seen
            }
            None => false,
        }
    }

    /// That no key of a map occurs twice, which begins here.
    fn keys(&mut self) -> Result<(), Mismatch> {
        let mut scanner = self.scanner.clone();
        let mut keys = Vec::<&[u8], MAP_KEYS>::new();
        let mut first = true;
        while let Ok(Some(range)) = scanner.key(first) {
            first = false;
            let key = self.text.get(range.clone()).unwrap_or_default();
            if keys.iter().any(|other| same(key, other)) {
                self.offset = range.start.saturating_sub(1);
                return Err(Mismatch::Duplicate);
            }
            if keys.push(key).is_err() || scanner.value(0).is_err() {
                break;
            }
        }
        Ok(())
    }
}

fn mask(bit: usize) -> u64 {
    1_u64.wrapping_shl((bit % 64) as u32)
}
