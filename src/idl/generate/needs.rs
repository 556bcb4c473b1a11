//! What the types need: lifetimes, and parameters for what has no end that is known.

use core::cell::Cell;

use crate::idl::Definition;
use crate::idl::table::Kind as K;

/// A set of entries.
pub(super) struct Entries([u64; 1 << 10]);

impl Entries {
    const NONE: Self = Entries([0; 1 << 10]);

    pub(super) fn has(&self, index: u16) -> bool {
        let word = self.0.get(usize::from(index >> 6)).copied();
        word.unwrap_or_default() & (1 << (index & 63)) != 0
    }

    /// Adds an entry; whether it is new.
    pub(super) fn add(&mut self, index: u16) -> bool {
        let new = !self.has(index);
        if let Some(word) = self.0.get_mut(usize::from(index >> 6)) {
            *word |= 1 << (index & 63);
        }
        new
    }

    /// Takes one out.
    pub(super) fn take(&mut self) -> Option<u16> {
        let words = self.0.iter_mut().zip(0_u16..);
        let (word, index) = words.into_iter().find(|(word, _)| **word != 0)?;
        let bit = u16::try_from(word.trailing_zeros()).ok()?;
        *word &= word.wrapping_sub(1);
        Some(index.saturating_mul(64).saturating_add(bit))
    }
}

/// What the type of a field comes down to.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) nullable: bool,
    pub(super) leaf: Leaf,
}

#[derive(Clone, Copy)]
pub(super) enum Leaf {
    /// A Rust type that borrows nothing.
    Plain(&'static str),
    String,
    /// `object` and `any`.
    Raw,
    /// A list, a map, or what would be in itself: it has no end that is known.
    Endless,
    /// An enumeration, by the entry of its list.
    Enum(u16),
    /// A structure, by the entry of its list.
    Struct(u16),
}

/// How many structures there may be within one another that all need to be told what their lists
/// are, in the type of what is received.
pub(super) const NESTED: u8 = 4;

/// What is known about the types of a definition. Structures are known by the entries of their
/// lists.
pub(super) struct Generator<'a> {
    pub(super) definition: Definition<'a>,
    /// Types that would be in themselves, where there may be none.
    pub(super) within: Entries,
    /// Structures with type parameters.
    pub(super) open: Entries,
    /// Structures with a lifetime.
    pub(super) borrowing: Entries,
    /// Whether `Raw` was written.
    pub(super) raw: Cell<bool>,
}

/// What the type parameters and lifetimes of a struct are.
#[derive(Clone, Copy)]
pub(super) enum As {
    /// What was received, and is borrowed for this lifetime.
    Received(&'static str),
    /// The struct's own type parameter, and the lifetime `'a`.
    Own(usize),
}

impl<'a> Generator<'a> {
    /// Finds out what the types need.
    pub(super) fn new(definition: Definition<'a>) -> Self {
        let mut this = Generator {
            definition,
            within: Entries::NONE,
            open: Entries::NONE,
            borrowing: Entries::NONE,
            raw: Cell::new(false),
        };
        for list in this.lists() {
            for field in this.fields(list) {
                if let Shape {
                    nullable: true,
                    leaf,
                } = this.shape(field)
                    && let Leaf::Struct(inner) = leaf
                    && this.contains(inner, list)
                {
                    // (Behind the field's name, and `?`.)
                    this.within.add(field.saturating_add(2));
                }
            }
        }
        this.grow(|this| &mut this.open, |this, leaf| this.is_open(leaf));
        this.grow(
            |this| &mut this.borrowing,
            |this, leaf| !this.is_open(leaf) && this.borrows(leaf),
        );
        this
    }

    /// Adds the structures with such a field to a set, until no other is found that contains one
    /// of these.
    fn grow(&mut self, set: fn(&mut Self) -> &mut Entries, has: fn(&Self, Leaf) -> bool) {
        let mut more = true;
        while more {
            more = false;
            for list in self.lists().rev() {
                if self.shapes(list).any(|shape| has(self, shape.leaf)) {
                    more |= set(self).add(list);
                }
            }
        }
    }

    pub(super) fn kind(&self, index: u16) -> K {
        self.definition.entry(index).kind
    }

    /// The structures, by the entries of their lists.
    pub(super) fn lists(&self) -> impl DoubleEndedIterator<Item = u16> + use<'a> {
        let definition = self.definition;
        let count = u16::try_from(definition.entries.len()).unwrap_or(u16::MAX);
        (0..count).filter(move |index| definition.entry(*index).kind == K::Struct)
    }

    /// The fields of a structure, or the values of an enumeration.
    pub(super) fn fields(&self, list: u16) -> impl Iterator<Item = u16> + Clone + use<'a> {
        self.definition.list(list)
    }

    pub(super) fn shapes(&self, list: u16) -> impl Iterator<Item = Shape> {
        self.fields(list).map(|field| self.shape(field))
    }

    /// The fields that are type parameters.
    pub(super) fn open_shapes(&self, list: u16) -> impl Iterator<Item = Shape> {
        self.shapes(list).filter(|shape| self.is_open(shape.leaf))
    }

    pub(super) fn shape(&self, field: u16) -> Shape {
        let mut ty = field.saturating_add(1);
        let nullable = self.kind(ty) == K::Nullable;
        if nullable {
            ty = ty.saturating_add(1);
        }
        let leaf = match self.kind(ty) {
            K::Bool => Leaf::Plain("bool"),
            K::Int => Leaf::Plain("i64"),
            K::Float => Leaf::Plain("f64"),
            K::String => Leaf::String,
            K::Array | K::Map => Leaf::Endless,
            _ if self.within.has(ty) => Leaf::Endless,
            K::Reference => {
                let list = self.definition.entry(ty).link.saturating_add(1);
                match self.kind(list) {
                    K::Enum => Leaf::Enum(list),
                    _ => Leaf::Struct(list),
                }
            }
            K::Enum => Leaf::Enum(ty),
            K::Struct if self.is_empty(ty) => Leaf::Plain("()"),
            K::Struct => Leaf::Struct(ty),
            _ => Leaf::Raw,
        };
        Shape { nullable, leaf }
    }

    pub(super) fn is_empty(&self, list: u16) -> bool {
        self.definition.entry(list).link == 0
    }

    /// Whether a value of one structure can have a value of the other in it, other than in lists
    /// and maps.
    pub(super) fn contains(&self, outer: u16, inner: u16) -> bool {
        let (mut seen, mut pending) = (Entries::NONE, Entries::NONE);
        pending.add(outer);
        while let Some(list) = pending.take() {
            if list == inner {
                return true;
            }
            for shape in self.shapes(list) {
                if let Leaf::Struct(list) = shape.leaf
                    && seen.add(list)
                {
                    pending.add(list);
                }
            }
        }
        false
    }

    /// Whether a field is a type parameter.
    pub(super) fn is_open(&self, leaf: Leaf) -> bool {
        match leaf {
            Leaf::Endless => true,
            Leaf::Struct(list) => self.open.has(list),
            _ => false,
        }
    }

    /// Whether a received value has a lifetime.
    pub(super) fn borrows(&self, leaf: Leaf) -> bool {
        match leaf {
            Leaf::Plain(_) | Leaf::Enum(_) => false,
            Leaf::String | Leaf::Raw | Leaf::Endless => true,
            Leaf::Struct(list) => self.open.has(list) || self.borrowing.has(list),
        }
    }

    /// Whether serde has to be told that a field borrows: it sees it of strings.
    pub(super) fn is_told(&self, leaf: Leaf, of: As) -> bool {
        match (leaf, of) {
            (Leaf::String, _) => false,
            (leaf, As::Own(_)) => !self.is_open(leaf) && self.borrows(leaf),
            (leaf, As::Received(_)) => self.borrows(leaf),
        }
    }
}
