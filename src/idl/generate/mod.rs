//! Rust from a definition: types, methods and errors, as a module to commit.
//!
//! | file | what it knows |
//! |---|---|
//! | `words` | names of the definition as names of Rust |
//! | `needs` | which types need lifetimes and parameters |
//! | `names` | what everything is called |
//! | `types` | the types of fields |
//! | `layout` | how rustfmt would lay it out |
//! | `items` | structs, enums, and what makes them calls |

mod items;
mod layout;
mod names;
mod needs;
mod types;
mod words;

use core::fmt::{self, Display};

use layout::show;
use needs::Generator;

use super::Definition;

/// A definition as Rust: a module with the interface's types, methods and errors, for services and
/// clients. It is made by [`Definition::rust`].
///
/// | definition | Rust |
/// |---|---|
/// | the interface | `INTERFACE`: an [`Interface`](crate::Interface) |
/// | a structure, an enumeration | a struct, an enum; those without a name have that of the path to them |
/// | `bool`, `int`, `float`, `string` | `bool`, `i64`, `f64`, `&str` |
/// | `object`, `any` | [`Raw`](crate::json::Raw) |
/// | `?` | `Option` |
/// | a method | a struct of its parameters, which is a [`Method`](crate::client::Method), and one of what it returns: `()`, if that is nothing |
/// | all methods | the enum `Methods`, for [`Call::decode`](crate::Call::decode) |
/// | all errors | the enum `Error` |
///
/// Without an allocator there is no type for **lists and maps**, whose length is unknown. So a
/// field with one is a type parameter of its struct. What was received has a `Raw` there, to be
/// read element by element ([`Raw::elements`](crate::json::Raw::elements),
/// [`Raw::decode_in`](crate::json::Raw::decode_in)); what is sent has a
/// [`List`](crate::json::List) or a [`Map`](crate::json::Map) of any iterator, a slice, or whatever
/// else serde can serialize. The same is done for a type within itself, and for a structure with
/// such a field. An `Option` of such a parameter that is to be `None` has to say of what:
/// `None::<Raw>`. The parameters of errors have `Raw` there in any case.
///
/// A name that is a keyword, or taken, ends in `_`. Serde is told the names of the definition.
///
/// ```
/// use nullink::{Interface, interface};
///
/// const HOSTS: Interface = interface!(text "
/// interface org.example.hosts
///
/// ## A host, and what it is called
/// type Host (address: string, aliases: []string)
///
/// method Find(name: string) -> (host: Host)
/// ");
/// let module = HOSTS.rust().to_string();
/// assert!(module.contains("
/// pub struct Host<'a, A = Raw<'a>> {
///     pub address: &'a str,
///     /// `[]string`
///     pub aliases: A,
/// }
/// "));
/// assert!(module.contains("
/// impl Method for Find<'_> {
///     const NAME: &'static str = \"org.example.hosts.Find\";
///     type Output<'r> = FindReply<Host<'r>>;
///     type Error<'r> = NoError;
/// }
/// "));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Rust<'a> {
    definition: Definition<'a>,
    path: Option<&'a str>,
}

impl<'a> Definition<'a> {
    /// The definition as Rust, to be written to a file: a module with its types, methods and
    /// errors, laid out as rustfmt would.
    pub fn rust(&self) -> Rust<'a> {
        Rust {
            definition: *self,
            path: None,
        }
    }
}

impl<'a> Rust<'a> {
    /// Where the definition's file is, seen from the module's: `NAME.varlink` beside it, if this
    /// is not told.
    pub fn path(self, path: &'a str) -> Self {
        Rust {
            path: Some(path),
            ..self
        }
    }
}

impl Display for Rust<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.definition.name;
        let path = show(|f| match self.path {
            Some(path) => path.escape_debug().fmt(f),
            None => write!(f, "{name}.varlink"),
        });
        Generator::new(self.definition).module(f, &path)
    }
}
