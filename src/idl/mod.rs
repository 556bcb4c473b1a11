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

pub(crate) use check::{AllKinds, Fault, Kinds, Place};
pub use check::{Deviation, MAP_KEYS, OPEN_FIELDS, OPEN_KEYS};
pub use error::{Message, ParseError, Problem};
pub use parse::index;
pub use table::{Entry, size};
#[cfg(feature = "tools")]
pub(crate) use text::{LINE_ENDS, position, token};
pub(crate) use view::MemberIndex;
pub use view::{
    Documentation, Field, Fields, Kind, Member, MemberKind, Members, Type, Value, Values,
};

/// How long the name of an interface, a member or a field may be, in bytes.
pub const NAME: usize = 255;

/// How many types there may be within one another.
///
/// No value can be deeper: [`json::DEPTH`](crate::json::DEPTH).
pub const DEPTH: usize = crate::json::DEPTH;

/// How many fields a structure may have.
pub const FIELDS: usize = 256;

/// How many values an enumeration may have.
pub const VALUES: usize = 1024;

/// A definition that is part of the program: the interface of a service, or of a client.
pub type Interface = Definition<'static>;

/// The definition of an interface: its text, and a table to find one's way in it.
///
/// ```
/// use nullink::idl::{Definition, Entry, Kind, MemberKind};
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
/// let Kind::Nullable(to) = to.ty().kind() else { panic!() };
/// let Kind::Named(coordinate) = to.kind() else { panic!() };
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
    /// Reads a definition.
    ///
    /// The table has to have [`size`] entries; more do no harm.
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

    /// A definition and its [`index`], made while compiling: what
    /// [`interface!`](crate::interface) does. The index of another text makes no sense of it.
    pub const fn indexed(text: &'a str, index: &'a [Entry]) -> Self {
        let (entries, order) = table::split(index);
        Definition::new(text, entries, order)
    }

    const fn new(text: &'a str, entries: &'a [Entry], order: &'a [Entry]) -> Self {
        Definition {
            name: text::name_behind(text, text::first_word(text)),
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
        while let [entry, behind @ ..] = rest {
            kinds |= entry.kind.bit();
            rest = behind;
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
            const __NULLINK_INDEX: [$crate::idl::Entry; $crate::idl::size(__NULLINK_TEXT)] =
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
