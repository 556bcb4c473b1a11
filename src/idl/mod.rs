//! Interface definitions: UAPI.20, "Interface Definition".
//!
//! [`interface!`](crate::interface) reads a definition while the program is compiled: a mistake in
//! it is a compile error, and an [`Interface`] costs nothing at run time. [`Definition::parse`]
//! reads one that a service has sent. Both are the same type, and say the same about their
//! [members](Definition::members), their types and what is written about them. The feature `tools`
//! adds functions that compare and format them, and write them as Rust.
//!
//! | file | what it knows |
//! |---|---|
//! | `text` | words, white space, comments |
//! | `table` | the table that a definition is found one's way in with |
//! | `parse` | the grammar, which fills the table |
//! | `error` | what can be wrong with a definition |
//! | `view` | members, fields, types, documentation |
//! | `check` | whether a value is what the definition says |

mod check;
mod error;
mod parse;
mod table;
mod text;
mod view;

pub use check::Deviation;
pub(crate) use check::{AllKinds, Fault, FaultField, Kinds};
pub use error::{Message, ParseError, Problem};
#[doc(hidden)]
pub use parse::index;
pub use table::Entry;
#[cfg(feature = "tools")]
pub(crate) use text::{LINE_ENDS, position, token};
pub(crate) use view::MemberIndex;
pub use view::{EnumValue, Field, Member, MemberKind, Type, TypeKind};

/// The most bytes of the name of an interface, a member or a field.
const MAX_NAME: usize = 255;

/// The most types within one another.
const MAX_DEPTH: usize = crate::json::MAX_DEPTH;

/// The most fields of a structure.
const MAX_FIELDS: usize = 256;

/// The most values of an enumeration.
const MAX_VALUES: usize = 1024;

/// A definition that is part of the program: the interface of a service, or of a client.
pub type Interface = Definition<'static>;

/// The definition of an interface: its text, and a table to find one's way in it.
///
/// ```
/// use nullink::idl::{Definition, Entry, MemberKind, TypeKind};
///
/// let text = "
/// interface org.example.ftl
///
/// ## Where a ship can be
/// type Coordinate (longitude: float, latitude: float, distance: int)
///
/// ## Jump to a point in space
/// method Jump(to: ?Coordinate) -> ()
/// ".replace("##", "#");
///
/// let mut table = [Entry::EMPTY; 64];
/// let ftl = Definition::parse(&text, &mut table)?;
/// assert_eq!(ftl.name(), "org.example.ftl");
///
/// let jump = ftl.find("Jump").unwrap();
/// assert_eq!(jump.kind(), MemberKind::Method);
/// assert_eq!(jump.documentation().next(), Some("Jump to a point in space"));
///
/// let to = jump.input().fields().next().unwrap();
/// let TypeKind::Nullable(to) = to.ty().kind() else { panic!() };
/// let TypeKind::Named(coordinate) = to.kind() else { panic!() };
/// assert_eq!((coordinate.name(), coordinate.ty().fields().count()), ("Coordinate", 3));
/// # Ok::<(), nullink::idl::ParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Definition<'a> {
    name: &'a str,
    text: &'a str,
    /// In the order of the text.
    entries: &'a [Entry],
    /// The members, in the order of their names.
    order: &'a [Entry],
}

impl<'a> Definition<'a> {
    /// The longest name of an interface, a member or a field, in bytes.
    pub const MAX_NAME: usize = MAX_NAME;

    /// The most types that can be nested in one another, and the deepest value:
    /// [`json::MAX_DEPTH`](crate::json::MAX_DEPTH).
    pub const MAX_DEPTH: usize = MAX_DEPTH;

    /// The most fields of a structure.
    pub const MAX_FIELDS: usize = MAX_FIELDS;

    /// The most values of an enumeration.
    pub const MAX_VALUES: usize = MAX_VALUES;

    /// The most fields of the structures that enclose one place of a value, all together. A value
    /// that is nested more deeply is refused.
    pub const MAX_OPEN_FIELDS: usize = check::MAX_OPEN_FIELDS;

    /// The number of keys of a map that are compared with one another. A key that occurs twice
    /// among them is refused.
    pub const MAX_MAP_KEYS: usize = check::MAX_MAP_KEYS;

    /// The most compared keys of the maps that enclose one place of a value, all together. A value
    /// that has more is refused.
    pub const MAX_OPEN_KEYS: usize = check::MAX_OPEN_KEYS;

    /// Returns the number of entries that the table of a definition needs: see
    /// [`parse`](Self::parse).
    ///
    /// ```
    /// use nullink::idl::Definition;
    ///
    /// let text = "interface a.b\nmethod Sum(of: []int) -> (sum: int)\n";
    /// assert_eq!(Definition::table_size(text), 9);
    /// ```
    pub const fn table_size(text: &str) -> usize {
        table::size(text)
    }

    /// Reads a definition.
    ///
    /// The table has to have [`table_size`](Self::table_size) entries; more do no harm.
    ///
    /// # Errors
    ///
    /// Where the text is not a definition, and what was expected there.
    pub const fn parse(text: &'a str, table: &'a mut [Entry]) -> Result<Self, ParseError> {
        match parse::parse(text, table) {
            Ok((entries, order)) => Ok(Definition::new(text, entries, order)),
            Err(error) => Err(error),
        }
    }

    /// A definition and its `index`, made by [`interface!`](crate::interface).
    #[doc(hidden)]
    pub const fn indexed(text: &'a str, index: &'a [Entry]) -> Self {
        let (entries, order) = table::split(index);
        Definition::new(text, entries, order)
    }

    const fn new(text: &'a str, entries: &'a [Entry], order: &'a [Entry]) -> Self {
        Definition {
            name: text::name_after(text, text::first_word(text)),
            text,
            entries,
            order,
        }
    }

    /// The interface's name: `org.example.ftl`.
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The kinds of types that it has, a bit each: what [`Kinds`] are made of.
    pub(crate) const fn kinds(&self) -> u32 {
        let (mut kinds, mut rest) = (0, self.entries);
        while let [entry, tail @ ..] = rest {
            kinds |= entry.kind.bit();
            rest = tail;
        }
        kinds
    }

    /// The definition's text, byte for byte.
    pub const fn text(&self) -> &'a str {
        self.text
    }
}

impl core::fmt::Debug for Definition<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Definition").field(&self.name()).finish()
    }
}

/// The [`Interface`] that a file defines, read while compiling: the path is relative to the source
/// file, as for `include_str!`. A mistake in the definition is a compile error that says where it
/// is and what was expected.
///
/// ```
/// use nullink::{Interface, interface};
///
/// const SERVICE: Interface = interface!("../org.varlink.service.varlink");
/// assert_eq!(SERVICE.name(), "org.varlink.service");
/// ```
///
/// The definition can also stand in the program:
///
/// ```
/// use nullink::{Interface, interface};
///
/// const PING: Interface = interface!(text "
/// interface org.example.ping
///
/// method Ping(ping: string) -> (pong: string)
/// ");
/// assert!(PING.find("Ping").is_some());
/// ```
///
/// This one is not a definition:
///
/// ```compile_fail
/// const PING: nullink::Interface = nullink::interface!(text "
/// interface org.example.ping
///
/// method Ping(ping: strong) -> ()
/// ");
/// ```
#[macro_export]
macro_rules! interface {
    ($path:literal) => {
        $crate::interface!(@ ::core::include_str!($path), $path)
    };
    (text $text:expr) => {
        $crate::interface!(@ $text, ::core::concat!(::core::file!(), ", in the definition"))
    };
    (@ $text:expr, $path:expr) => {
        const {
            const __NULLINK_TEXT: &::core::primitive::str = $text;
            #[allow(long_running_const_eval)]
            const __NULLINK_INDEX: [$crate::idl::Entry; $crate::idl::Definition::table_size(__NULLINK_TEXT)] =
                match $crate::idl::index(__NULLINK_TEXT) {
                    ::core::result::Result::Ok(index) => index,
                    ::core::result::Result::Err(error) => {
                        ::core::panic!("{}", error.message($path).as_str())
                    }
                };
            $crate::idl::Definition::indexed(__NULLINK_TEXT, &__NULLINK_INDEX)
        }
    };
}
