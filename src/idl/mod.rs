//! Interface definitions: UAPI.20, "Interface Definition".
//!
//! [`interface!`](crate::interface) parses a definition at compile time: a mistake in it is a
//! compile error, and an [`Interface`] costs nothing at run time. [`Definition::parse`] parses a
//! definition at run time, such as one that a service has sent. Both give a [`Definition`], with
//! its [members](Definition::members), their types and their documentation. The feature `tools`
//! adds functions that compare and format definitions, and generate Rust code from them.
//!
//! | file | content |
//! |---|---|
//! | `text` | words, white space, comments |
//! | `table` | the table of entries that indexes a definition |
//! | `parse` | the parser, which fills the table |
//! | `error` | parse errors |
//! | `view` | members, fields, types, documentation |
//! | `check` | checks a value against its definition |

mod check;
mod error;
mod parse;
mod table;
mod text;
mod view;

pub use check::Deviation;
pub(crate) use check::{AllKinds, Fault, FaultField, Kinds, requires_flags};
pub use error::{Message, ParseError, Problem};
use parse::Strictness;
#[doc(hidden)]
pub use parse::index;
pub use table::Entry;
use table::EntryKind;
#[cfg(feature = "tools")]
pub(crate) use text::{LINE_ENDS, position, token};
pub(crate) use view::MemberIndex;
pub use view::{EnumValue, Field, Member, MemberKind, Type, TypeKind};

/// The longest name of an interface, a member or a field, in bytes.
const MAX_NAME: usize = 255;

/// The maximum nesting depth of types.
const MAX_DEPTH: usize = crate::json::MAX_DEPTH;

/// The maximum number of fields of a structure.
const MAX_FIELDS: usize = 256;

/// The maximum number of values of an enumeration.
const MAX_VALUES: usize = 1024;

/// A definition that is compiled into the program: the interface of a service or of a client.
pub type Interface = Definition<'static>;

/// The definition of an interface: its text, and a table that indexes it.
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
    /// The entries, in the order of the text.
    entries: &'a [Entry],
    /// The members, in the order of their names.
    order: &'a [Entry],
}

impl<'a> Definition<'a> {
    /// The longest name of an interface, a member or a field: 255 bytes.
    pub const MAX_NAME: usize = MAX_NAME;

    /// The maximum nesting depth of types, and of values: 128 arrays and objects.
    pub const MAX_DEPTH: usize = MAX_DEPTH;

    /// The maximum number of fields of a structure: 256.
    pub const MAX_FIELDS: usize = MAX_FIELDS;

    /// The maximum number of values of an enumeration: 1,024.
    pub const MAX_VALUES: usize = MAX_VALUES;

    /// The maximum total number of fields of the structures that enclose any one part of a value. A
    /// value that exceeds it is refused.
    pub const MAX_OPEN_FIELDS: usize = check::MAX_OPEN_FIELDS;

    /// The number of keys of a map that are checked for duplicates: the first ones. A key that
    /// equals one of these is refused; duplicates among later keys are not detected.
    pub const MAX_MAP_KEYS: usize = check::MAX_MAP_KEYS;

    /// The maximum total number of keys that are checked for duplicates in the maps that enclose
    /// any one part of a value. A value that exceeds it is refused.
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

    /// Parses a definition.
    ///
    /// The table must have at least [`table_size`](Self::table_size) entries.
    ///
    /// # Errors
    ///
    /// Fails if the text is not a definition or the table is too small. The error has the position
    /// and says what was expected there. An interface without members and a type that contains
    /// itself are accepted, because real services have them. [`interface!`](crate::interface)
    /// refuses both.
    pub const fn parse(text: &'a str, table: &'a mut [Entry]) -> Result<Self, ParseError> {
        match parse::parse(text, table, Strictness::Received) {
            Ok((entries, order)) => Ok(Definition::new(text, entries, order)),
            Err(error) => Err(error),
        }
    }

    /// Returns the reason why [`interface!`](crate::interface) refuses the definition, if it does.
    #[cfg(feature = "tools")]
    pub(crate) fn refusal(&self) -> Option<ParseError> {
        let mut table = std::vec![Entry::EMPTY; Self::table_size(self.text)];
        parse::parse(self.text, &mut table, Strictness::Own).err()
    }

    /// Combines the text of a definition with its `index`: a part of
    /// [`interface!`](crate::interface).
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

    /// Returns the name of the interface, such as `org.example.ftl`.
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// Returns the kinds of types in the definition, and whether methods require flags, as a bit mask
    /// for [`Kinds::KINDS`].
    pub(crate) const fn kinds(&self) -> u32 {
        let (mut kinds, mut rest) = (0, self.entries);
        while let [entry, tail @ ..] = rest {
            kinds |= entry.kind.bit();
            if let EntryKind::Method = entry.kind
                && entry.number & (text::REQUIRES_MORE | text::REQUIRES_UPGRADE) != 0
            {
                kinds |= table::REQUIRES_FLAGS;
            }
            rest = tail;
        }
        kinds
    }

    /// Returns the text of the definition, byte for byte.
    pub const fn text(&self) -> &'a str {
        self.text
    }
}

impl core::fmt::Debug for Definition<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Definition").field(&self.name()).finish()
    }
}

/// Parses the definition in a file at compile time, as an [`Interface`].
///
/// The path is relative to the source file, as for `include_str!`. A mistake in the definition is a
/// compile error that names its position and what was expected there.
///
/// ```
/// use nullink::{Interface, interface};
///
/// const SERVICE: Interface = interface!("../org.varlink.service.varlink");
/// assert_eq!(SERVICE.name(), "org.varlink.service");
/// ```
///
/// After `text`, the definition is a string in the program:
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
/// This definition does not compile, because there is no type `strong`:
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
