//! Where services are: UAPI.20, "Service Addresses".

use core::fmt;

/// The address of a service, in the notation of Varlink.
///
/// ```
/// use nullink::Address;
///
/// assert_eq!(Address::parse("unix:/run/org.example.ftl"), Ok(Address::Unix("/run/org.example.ftl")));
/// assert_eq!(Address::parse("unix:@org.example.ftl;mode=0600"), Ok(Address::Abstract("org.example.ftl")));
/// assert!(Address::parse("/run/org.example.ftl").is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address<'a> {
    /// `unix:/run/org.example.ftl`: the path of a Unix socket.
    Unix(&'a str),
    /// `unix:@org.example.ftl`: a Unix socket in Linux's abstract namespace.
    Abstract(&'a str),
}

impl<'a> Address<'a> {
    /// Reads an address. Properties behind a `;` are ignored.
    ///
    /// # Errors
    ///
    /// Which part of it is wrong.
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        let address = text.split_once(';').map_or(text, |(address, _)| address);
        let (scheme, rest) = address.split_once(':').ok_or(AddressError::NoScheme)?;
        match (scheme, rest.strip_prefix('@')) {
            ("unix", None) if rest.is_empty() => Err(AddressError::NoPath),
            ("unix", None) => Ok(Address::Unix(rest)),
            ("unix", Some("")) => Err(AddressError::NoPath),
            ("unix", Some(name)) => Ok(Address::Abstract(name)),
            _ => Err(AddressError::UnknownScheme),
        }
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix:{path}"),
            Address::Abstract(name) => write!(f, "unix:@{name}"),
        }
    }
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// It does not begin with `unix:`.
    NoScheme,
    /// It begins with another scheme than `unix:`. This version knows no other.
    UnknownScheme,
    /// Nothing follows the scheme.
    NoPath,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddressError::NoScheme => "an address begins with its scheme: unix:/path or unix:@name",
            AddressError::UnknownScheme => {
                "an unknown scheme: unix:/path or unix:@name is expected"
            }
            AddressError::NoPath => "a path or @name is expected behind unix:",
        })
    }
}

impl core::error::Error for AddressError {}
