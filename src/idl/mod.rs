//! Interface definitions: UAPI.20, "Interface Definition".

use core::str;

use crate::name;

/// An interface that a service has, with its definition as the author wrote it.
///
/// Made by [`interface!`](crate::interface) from a file, or by [`Interface::parse`] from a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    name: &'static str,
    definition: &'static str,
}

impl Interface {
    /// Takes a definition, and finds the interface's name in it.
    ///
    /// Nothing else of the definition is looked at so far: it is served as it is.
    ///
    /// # Errors
    ///
    /// [`NoName`], if the text does not begin with `interface` and a valid name, behind comments
    /// and white space.
    ///
    /// ```
    /// use nullink::Interface;
    ///
    /// let ftl = Interface::parse("# Faster than light\ninterface org.example.ftl\n")?;
    /// assert_eq!(ftl.name(), "org.example.ftl");
    /// # Ok::<(), nullink::idl::NoName>(())
    /// ```
    pub const fn parse(definition: &'static str) -> Result<Self, NoName> {
        match find_name(definition.as_bytes()) {
            Some(name) if name::is_interface(name) => Ok(Interface { name, definition }),
            _ => Err(NoName),
        }
    }

    /// The interface's name: `org.example.ftl`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The definition's text, byte for byte.
    pub const fn definition(&self) -> &'static str {
        self.definition
    }
}

/// A text that is not the definition of an interface: it names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoName;

impl core::fmt::Display for NoName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a definition begins with \"interface\" and the interface's name")
    }
}

impl core::error::Error for NoName {}

const fn find_name(text: &'static [u8]) -> Option<&'static str> {
    let [
        b'i',
        b'n',
        b't',
        b'e',
        b'r',
        b'f',
        b'a',
        b'c',
        b'e',
        rest @ ..,
    ] = skip_space(text)
    else {
        return None;
    };
    let name = skip_space(rest);
    if name.len() == rest.len() {
        return None;
    }
    let mut behind = name;
    while let [
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-',
        next @ ..,
    ] = behind
    {
        behind = next;
    }
    match name.split_at_checked(name.len().saturating_sub(behind.len())) {
        Some((name, [] | [b' ' | b'\t' | b'\r' | b'\n' | b'#', ..])) => {
            match str::from_utf8(name) {
                Ok(name) => Some(name),
                Err(_) => None,
            }
        }
        _ => None,
    }
}

/// White space and comments.
const fn skip_space(mut text: &[u8]) -> &[u8] {
    let mut comment = false;
    loop {
        match text {
            [b'\n' | b'\r', rest @ ..] => {
                comment = false;
                text = rest;
            }
            [b' ' | b'\t', rest @ ..] => text = rest,
            [b'#', rest @ ..] => {
                comment = true;
                text = rest;
            }
            [_, rest @ ..] if comment => text = rest,
            _ => return text,
        }
    }
}

/// The [`Interface`](crate::Interface) that a file defines, read while compiling: the path is
/// relative to the source file, as for `include_str!`. A file that names no interface is a compile
/// error.
///
/// ```
/// use nullink::{Interface, interface};
///
/// const SERVICE: Interface = interface!("../service/org.varlink.service.varlink");
/// assert_eq!(SERVICE.name(), "org.varlink.service");
/// ```
#[macro_export]
macro_rules! interface {
    ($path:literal) => {
        const {
            match $crate::Interface::parse(::core::include_str!($path)) {
                Ok(interface) => interface,
                Err(_) => panic!(concat!($path, " does not begin with an interface's name")),
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_behind_comments_and_white_space() {
        for (text, name) in [
            ("interface a.b", Some("a.b")),
            ("interface a.b\n", Some("a.b")),
            (
                "\n # interface x.y\r\n\tinterface \t a-b.c # d",
                Some("a-b.c"),
            ),
            ("interface # why\n a.b\r\n", Some("a.b")),
            ("interfacea.b", None),
            ("interface a", None),
            ("interface a.b_c", None),
            ("interface a.b.", None),
            ("Interface a.b", None),
            ("interface", None),
            ("# interface a.b", None),
            ("", None),
        ] {
            assert_eq!(
                Interface::parse(text).ok().map(|i| i.name()),
                name,
                "{text:?}"
            );
        }
    }
}
