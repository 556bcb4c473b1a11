//! Addresses of services: UAPI.20, "Service Addresses".

use core::fmt;
use core::net::SocketAddr;

/// The address of a service, in the notation of Varlink.
///
/// ```
/// use nullink::Address;
///
/// assert_eq!(Address::parse("unix:/run/org.example.ftl"), Ok(Address::Unix("/run/org.example.ftl")));
/// assert_eq!(Address::parse("unix:@org.example.ftl;mode=0600"), Ok(Address::Abstract("org.example.ftl")));
/// assert_eq!(Address::parse("tcp:[::1]:12345"), Ok(Address::Tcp("[::1]:12345".parse()?)));
/// assert_eq!(Address::parse("device:/dev/ttyS1"), Ok(Address::Device("/dev/ttyS1")));
/// assert!(Address::parse("/run/org.example.ftl").is_err());
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address<'a> {
    /// `unix:/run/org.example.ftl`: the path of a Unix socket.
    Unix(&'a str),
    /// `unix:@org.example.ftl`: a Unix socket in Linux's abstract namespace.
    Abstract(&'a str),
    /// `tcp:127.0.0.1:12345` or `tcp:[::1]:12345`: a TCP port.
    ///
    /// A host name must be looked up first, which this crate cannot do.
    Tcp(SocketAddr),
    /// `device:/dev/ttyS1`: a character device with the peer at its other end, such as a serial
    /// line.
    Device(&'a str),
    /// `exec:/usr/bin/ftl`: a program that the client starts, and to which it passes a connection
    /// by socket activation.
    Exec(&'a str),
}

impl<'a> Address<'a> {
    /// Parses an address. Properties after a `;` are ignored;
    /// [`Listener::bind`](crate::unix::Listener::bind) reads `mode=`.
    ///
    /// # Errors
    ///
    /// Fails if the address is invalid: [`AddressError`] says which part of it.
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        let address = text.split_once(';').map_or(text, |(address, _)| address);
        let (scheme, rest) = address.split_once(':').ok_or(AddressError::NoScheme)?;
        match (scheme, rest) {
            ("unix", "" | "@") => Err(AddressError::NoPath),
            ("unix", path) => Ok(match path.strip_prefix('@') {
                None => Address::Unix(path),
                Some(name) => Address::Abstract(name),
            }),
            ("tcp", to) => match to.parse() {
                Ok(to) => Ok(Address::Tcp(to)),
                Err(_) => Err(tcp_error(to)),
            },
            ("device", path) => absolute(path).map(Address::Device),
            ("exec", path) => absolute(path).map(Address::Exec),
            _ => Err(AddressError::UnknownScheme),
        }
    }
}

/// Checks that a path is absolute, so that its meaning does not depend on the working directory.
fn absolute(path: &str) -> Result<&str, AddressError> {
    match path.as_bytes() {
        [] => Err(AddressError::NoPath),
        [b'/', ..] => Ok(path),
        _ => Err(AddressError::NotAbsolute),
    }
}

/// Finds the error in the host and port of an invalid TCP address.
fn tcp_error(text: &str) -> AddressError {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    // Colons in brackets belong to an IPv6 address.
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    match port {
        _ if host.is_empty() => AddressError::NoHost,
        None | Some("") => AddressError::NoPort,
        Some(port) if !digits(port) || port.parse::<u16>().is_err() => AddressError::BadPort,
        Some(_) if host.contains([':', '[', ']']) => AddressError::BadHost,
        Some(_) if host.split('.').all(digits) => AddressError::BadHost,
        Some(_) => AddressError::HostName,
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix:{path}"),
            Address::Abstract(name) => write!(f, "unix:@{name}"),
            Address::Tcp(to) => write!(f, "tcp:{to}"),
            Address::Device(path) => write!(f, "device:{path}"),
            Address::Exec(path) => write!(f, "exec:{path}"),
        }
    }
}

/// The error of an address that cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// The address does not begin with a scheme, such as `unix:`.
    NoScheme,
    /// The scheme is not one of those of [`Address`].
    UnknownScheme,
    /// No path or name follows the scheme.
    NoPath,
    /// The path of a device or a program does not begin with a `/`.
    NotAbsolute,
    /// A `tcp:` address has no host.
    NoHost,
    /// The host of a `tcp:` address is neither a valid IP address nor a host name.
    BadHost,
    /// The host of a `tcp:` address is a host name, which must be looked up first.
    HostName,
    /// A `tcp:` address has no port.
    NoPort,
    /// The port of a `tcp:` address is not a number from 0 to 65535.
    BadPort,
    /// A property that a listening address does not have.
    UnknownProperty,
    /// `mode=` without an octal number up to 777.
    BadMode,
}

/// The mode that the property `mode=` of a listening address has; None without one.
#[cfg(all(feature = "unix", target_os = "linux"))]
pub(crate) fn listening_mode(text: &str) -> Result<Option<u32>, AddressError> {
    let Some((address, properties)) = text.split_once(';') else {
        return Ok(None);
    };
    let is_path = address.starts_with("unix:") && !address.starts_with("unix:@");
    let mut mode = None;
    for property in properties
        .split(';')
        .filter(|property| !property.is_empty())
    {
        let Some(digits) = property.strip_prefix("mode=").filter(|_| is_path) else {
            return Err(AddressError::UnknownProperty);
        };
        let number = u32::from_str_radix(digits, 8).ok();
        let is_octal = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.filter(|number| is_octal && *number <= 0o777);
        mode = Some(number.ok_or(AddressError::BadMode)?);
    }
    Ok(mode)
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddressError::NoScheme => "an address begins with a scheme: unix:/path or unix:@name",
            AddressError::UnknownScheme => "unknown scheme: use unix:, tcp:, device: or exec:",
            AddressError::NoPath => "a path must follow the scheme, or a @name after unix:",
            AddressError::NotAbsolute => "the path must begin with a /",
            AddressError::NoHost => "an IP address must follow tcp:",
            AddressError::BadHost => "not an IP address: use tcp:127.0.0.1:port or tcp:[::1]:port",
            AddressError::HostName => {
                "a host name: look it up first (std: ToSocketAddrs), and use the IP address"
            }
            AddressError::NoPort => "no port: use tcp:127.0.0.1:port",
            AddressError::BadPort => "a port is a number from 0 to 65535",
            AddressError::UnknownProperty => {
                "only unix:/path;mode=0600 has a property to listen with"
            }
            AddressError::BadMode => "mode= takes an octal number from 0 to 777",
        })
    }
}

impl core::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        let tcp = |text: &str| Address::Tcp(text.parse().unwrap());
        for (text, address) in [
            ("unix:/run/a", Address::Unix("/run/a")),
            ("unix:a", Address::Unix("a")),
            ("unix:./a:b", Address::Unix("./a:b")),
            ("unix:/a@b", Address::Unix("/a@b")),
            ("unix:@a", Address::Abstract("a")),
            ("unix:@a/b:c", Address::Abstract("a/b:c")),
            ("unix:@@", Address::Abstract("@")),
            ("tcp:127.0.0.1:12345", tcp("127.0.0.1:12345")),
            ("tcp:0.0.0.0:0", tcp("0.0.0.0:0")),
            ("tcp:[::1]:65535", tcp("[::1]:65535")),
            ("tcp:[fe80::1%2]:1", tcp("[fe80::1%2]:1")),
            ("tcp:[::ffff:1.2.3.4]:1", tcp("[::ffff:1.2.3.4]:1")),
            ("device:/dev/ttyS1", Address::Device("/dev/ttyS1")),
            ("exec:/usr/bin/a", Address::Exec("/usr/bin/a")),
        ] {
            assert_eq!(Address::parse(text), Ok(address), "{text}");
            assert_eq!(address.to_string(), text);
            for properties in [";", ";mode=0600", ";a;b:c"] {
                let text = std::format!("{text}{properties}");
                assert_eq!(Address::parse(&text), Ok(address), "{text}");
            }
        }
    }

    #[test]
    fn each_bad_address_has_its_reason() {
        for (text, error) in [
            ("", AddressError::NoScheme),
            ("/run/a", AddressError::NoScheme),
            ("unix", AddressError::NoScheme),
            ("a;unix:/b", AddressError::NoScheme),
            (":", AddressError::UnknownScheme),
            ("UNIX:/a", AddressError::UnknownScheme),
            (" unix:/a", AddressError::UnknownScheme),
            ("ws://a/b", AddressError::UnknownScheme),
            ("unix:", AddressError::NoPath),
            ("unix:;/a", AddressError::NoPath),
            ("unix:@", AddressError::NoPath),
            ("device:", AddressError::NoPath),
            ("exec:;x", AddressError::NoPath),
            ("device:ttyS1", AddressError::NotAbsolute),
            ("exec:./a", AddressError::NotAbsolute),
            ("exec:@a", AddressError::NotAbsolute),
            ("tcp:", AddressError::NoHost),
            ("tcp::80", AddressError::NoHost),
            ("tcp:1.2.3.4", AddressError::NoPort),
            ("tcp:1.2.3.4:", AddressError::NoPort),
            ("tcp:[::1]", AddressError::NoPort),
            ("tcp:[::1]:", AddressError::NoPort),
            ("tcp:localhost", AddressError::NoPort),
            ("tcp:1.2.3.4:65536", AddressError::BadPort),
            ("tcp:1.2.3.4:-1", AddressError::BadPort),
            ("tcp:1.2.3.4:+1", AddressError::BadPort),
            ("tcp:1.2.3.4:http", AddressError::BadPort),
            ("tcp:localhost:http", AddressError::BadPort),
            ("tcp:1.2.3.256:80", AddressError::BadHost),
            ("tcp:1.2.3:80", AddressError::BadHost),
            ("tcp:1:80", AddressError::BadHost),
            ("tcp:::1:80", AddressError::BadHost),
            ("tcp:[::1:80", AddressError::BadHost),
            ("tcp:[::g]:80", AddressError::BadHost),
            ("tcp:[1.2.3.4]:80", AddressError::BadHost),
            ("tcp:localhost:80", AddressError::HostName),
            ("tcp:example.org:80", AddressError::HostName),
        ] {
            assert_eq!(Address::parse(text), Err(error), "{text}");
        }
    }
}
