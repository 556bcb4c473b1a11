//! Addresses of services: UAPI.20, "Service Addresses".

use core::fmt;
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::name;

/// The address of a service, in the notation of Varlink, the path of a Unix socket, or the name of
/// an interface.
///
/// ```
/// use nullink::Address;
///
/// assert_eq!(Address::parse("unix:/run/org.example.ftl"), Ok(Address::Unix("/run/org.example.ftl")));
/// assert_eq!(Address::parse("unix:@org.example.ftl;mode=0600"), Ok(Address::Abstract("org.example.ftl")));
/// assert_eq!(Address::parse("tcp:[::1]:12345"), Ok(Address::Tcp("[::1]:12345".parse()?)));
/// assert_eq!(Address::parse("device:/dev/ttyS1"), Ok(Address::Device("/dev/ttyS1")));
/// assert_eq!(Address::parse("/run/org.example.ftl"), Ok(Address::Unix("/run/org.example.ftl")));
/// assert_eq!(Address::parse("org.example.ftl"), Ok(Address::Interface("org.example.ftl")));
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
    Tcp(SocketAddr),
    /// `device:/dev/ttyS1`: a character device with the peer at its other end, such as a serial
    /// line.
    Device(&'a str),
    /// `exec:/usr/bin/ftl`: a program that the client starts, and to which it passes a connection
    /// by socket activation.
    Exec(&'a str),
    /// `org.example.ftl`: the name of an interface. The socket of its service has this name in the
    /// registry of the system, `/run/varlink/registry`, like those of systemd. The registry
    /// of a user is `$XDG_RUNTIME_DIR/varlink/registry`; use the path of a socket in it.
    Interface(&'a str),
    /// `tcp:localhost:12345`: the name of a host, and a TCP port. std looks the name up, so the
    /// program needs the feature `std`.
    TcpName(&'a str),
    /// `vsock:2:12345`: a port of the host or of a virtual machine, vsock(7). The program must open
    /// the socket itself.
    Vsock {
        /// The number of the machine; 2 is the host.
        cid: u32,
        /// The number of the port.
        port: u32,
    },
}

impl<'a> Address<'a> {
    /// Parses an address, a path that begins with `/` or `.`, which can have any characters, or the
    /// name of an interface. Properties after the `;` of an address are ignored;
    /// [`Listener::bind`](crate::unix::Listener::bind) reads `mode=`.
    ///
    /// # Errors
    ///
    /// Fails if the address is invalid: [`AddressError`] says which part of it.
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        if is_path(text) {
            return Ok(Address::Unix(text));
        }
        let address = split_once(text, b';').map_or(text, |(address, _)| address);
        let Some((scheme, rest)) = split_once(address, b':') else {
            let is_interface = name::is_interface(address);
            let interface = is_interface.then_some(Address::Interface(address));
            return interface.ok_or(AddressError::NoScheme);
        };
        match (scheme, rest) {
            ("unix", "" | "@") => Err(AddressError::NoPath),
            ("unix", path) => Ok(match path.strip_prefix('@') {
                None => Address::Unix(path),
                Some(name) => Address::Abstract(name),
            }),
            ("tcp", to) => match socket_address(to) {
                Some(to) => Ok(Address::Tcp(to)),
                None => tcp_name(to),
            },
            ("vsock", to) => {
                let (cid, port) = split_once(to, b':').ok_or(AddressError::BadVsock)?;
                match (number(cid), number(port)) {
                    (Some(cid), Some(port)) => Ok(Address::Vsock { cid, port }),
                    _ => Err(AddressError::BadVsock),
                }
            }
            ("device", path) => absolute(path).map(Address::Device),
            ("exec", path) => absolute(path).map(Address::Exec),
            _ => Err(AddressError::UnknownScheme),
        }
    }
}

/// True if the text is a path, which has no scheme.
fn is_path(text: &str) -> bool {
    matches!(text.as_bytes(), [b'/' | b'.', ..])
}

/// Splits a text at the first ASCII character of this value. core's function takes more code.
fn split_once(text: &str, mark: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == mark)?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.get(1..)?))
}

/// Like `split_once`, at the last one.
fn rsplit_once(text: &str, mark: u8) -> Option<(&str, &str)> {
    let after = text.bytes().rev().take_while(|byte| *byte != mark).count();
    let at = text.len().checked_sub(after)?;
    Some((text.get(..at.checked_sub(1)?)?, text.get(at..)?))
}

/// Returns the part of a text before a mark, and the rest if there is a mark.
fn next_part(text: &str, mark: u8) -> (&str, Option<&str>) {
    match split_once(text, mark) {
        Some((part, rest)) => (part, Some(rest)),
        None => (text, None),
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

/// Parses a decimal number without a sign. There is one function for all types of numbers, because
/// core's is long.
fn number<T: TryFrom<u32>>(text: &str) -> Option<T> {
    T::try_from(decimal(text)?).ok()
}

fn decimal(text: &str) -> Option<u32> {
    let mut number = (!text.is_empty()).then_some(0_u32)?;
    for digit in text.bytes() {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(digit.into())?;
    }
    Some(number)
}

/// Parses an IP address and a port. core's parser reads the same, but it is twice as long, and at
/// opt-level z the compiler does not see that it never panics.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (host, port) = rsplit_once(text, b':')?;
    let port = number(port)?;
    let Some(host) = host.strip_prefix('[') else {
        return Some(SocketAddrV4::new(ipv4(host)?, port).into());
    };
    let host = host.strip_suffix(']')?;
    let (host, scope) = match split_once(host, b'%') {
        Some((host, scope)) => (host, number(scope)?),
        None => (host, 0),
    };
    let mut all = [0; 8];
    let gap = host.as_bytes().windows(2).position(|pair| pair == b"::");
    let parts = gap.and_then(|gap| Some((host.get(..gap)?, host.get(gap.checked_add(2)?..)?)));
    match parts {
        None if groups(host, &mut all)? == all.len() => {}
        // At least one group is left out. An IPv4 address is at the end only.
        Some((before, after)) if !before.contains('.') => {
            let mut last = [0; 7];
            let count = groups(after, &mut last)?;
            let first = groups(before, all.get_mut(..7_usize.checked_sub(count)?)?)?;
            let from = last.iter().take(count).rev();
            all.iter_mut()
                .rev()
                .zip(from)
                .for_each(|(to, from)| *to = *from);
            debug_assert!(first.saturating_add(count) < all.len());
        }
        _ => return None,
    }
    Some(SocketAddrV6::new(all.into(), port, 0, scope).into())
}

/// Parses an IPv4 address: four numbers without leading zeros, which could mean octal.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut rest = Some(text);
    let mut bytes = [0; 4];
    for byte in &mut bytes {
        let part;
        (part, rest) = next_part(rest?, b'.');
        *byte = number(part).filter(|_| part == "0" || !part.starts_with('0'))?;
    }
    rest.is_none().then(|| bytes.into())
}

/// Parses groups of an IPv6 address, and returns their number. The last two can be an IPv4 address.
fn groups(text: &str, groups: &mut [u16]) -> Option<usize> {
    let mut places = groups.iter_mut();
    let mut count: usize = 0;
    let mut rest = (!text.is_empty()).then_some(text);
    while let Some(text) = rest {
        let part;
        (part, rest) = next_part(text, b':');
        let first = places.next()?;
        count = count.saturating_add(1);
        if rest.is_none() && part.contains('.') {
            let [a, b, c, d] = ipv4(part)?.octets();
            *first = u16::from_be_bytes([a, b]);
            *places.next()? = u16::from_be_bytes([c, d]);
            return Some(count.saturating_add(1));
        }
        if !matches!(part.len(), 1..=4) {
            return None;
        }
        for digit in part.bytes() {
            let value = match digit {
                b'0'..=b'9' => digit.wrapping_sub(b'0'),
                b'a'..=b'f' | b'A'..=b'F' => (digit | 0x20).wrapping_sub(b'a').wrapping_add(10),
                _ => return None,
            };
            *first = *first << 4 | u16::from(value);
        }
    }
    Some(count)
}

/// Parses a host name and a port, or finds the error in an invalid TCP address.
fn tcp_name(text: &str) -> Result<Address<'_>, AddressError> {
    // Colons in brackets belong to an IPv6 address.
    let (host, port) = match rsplit_once(text, b':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, ""),
    };
    match number::<u16>(port) {
        _ if host.is_empty() => Err(AddressError::NoHost),
        None if port.is_empty() => Err(AddressError::NoPort),
        None => Err(AddressError::BadPort),
        Some(_) if host.bytes().any(|byte| b":[]".contains(&byte)) => Err(AddressError::BadHost),
        Some(_)
            if host
                .bytes()
                .all(|byte| byte == b'.' || byte.is_ascii_digit()) =>
        {
            Err(AddressError::BadHost)
        }
        Some(_) => Ok(Address::TcpName(text)),
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A `;` would end the path after a scheme.
            Address::Unix(path) if is_path(path) && path.contains(';') => f.write_str(path),
            Address::Unix(path) => write!(f, "unix:{path}"),
            Address::Abstract(name) => write!(f, "unix:@{name}"),
            Address::Interface(name) => f.write_str(name),
            Address::Tcp(to) => write!(f, "tcp:{to}"),
            Address::Device(path) => write!(f, "device:{path}"),
            Address::TcpName(to) => write!(f, "tcp:{to}"),
            Address::Exec(path) => write!(f, "exec:{path}"),
            Address::Vsock { cid, port } => write!(f, "vsock:{cid}:{port}"),
        }
    }
}

/// The error of an address that cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// The text does not begin with a scheme, such as `unix:`, and is neither a path that begins
    /// with `/` or `.`, nor the name of an interface.
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
    /// A `tcp:` address has no port.
    NoPort,
    /// The port of a `tcp:` address is not a number from 0 to 65535.
    BadPort,
    /// A `vsock:` address does not have two numbers, the CID and the port.
    BadVsock,
    /// A property that a listening address does not have.
    UnknownProperty,
    /// `mode=` without an octal number up to 777.
    BadMode,
}

/// The mode that the property `mode=` of a listening address has; None without one.
#[cfg(all(feature = "unix", target_os = "linux"))]
pub(crate) fn listening_mode(text: &str) -> Result<Option<u32>, AddressError> {
    let Some((address, properties)) = split_once(text, b';') else {
        return Ok(None);
    };
    let is_path = address.starts_with("unix:") && !address.starts_with("unix:@")
        || name::is_interface(address);
    let mut mode = None;
    for property in properties
        .split([';'])
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
            AddressError::NoScheme => {
                "not an address: use /path, ./path, unix:/path, unix:@name or an interface"
            }
            AddressError::UnknownScheme => {
                "unknown scheme: use unix:, tcp:, vsock:, device: or exec:"
            }
            AddressError::NoPath => "a path must follow the scheme, or a @name after unix:",
            AddressError::NotAbsolute => "the path must begin with a /",
            AddressError::NoHost => "a host must follow tcp:",
            AddressError::BadHost => "not an IP address: use tcp:127.0.0.1:port or tcp:[::1]:port",
            AddressError::NoPort => "no port: use tcp:127.0.0.1:port",
            AddressError::BadPort => "a port is a number from 0 to 65535",
            AddressError::BadVsock => "use vsock:CID:PORT, with two numbers",
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
    fn a2_ip_addresses_are_those_of_core() {
        let hosts = [
            "",
            "0.0.0.0",
            "1.2.3.4",
            "255.255.255.255",
            "256.0.0.1",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1.2.3.",
            ".1.2.3",
            "1..2.3",
            "+1.2.3.4",
            "1.2.3.00",
            "[::]",
            "[::1]",
            "[1::]",
            "[1::8]",
            "[1:2:3:4:5:6:7:8]",
            "[1:2:3:4:5:6:7]",
            "[1:2:3:4:5:6:7:8:9]",
            "[1:2:3:4:5:6:7::]",
            "[::2:3:4:5:6:7:8]",
            "[1:2:3:4::5:6:7:8]",
            "[1:2:3::5:6:7:8]",
            "[1::2::3]",
            "[:::]",
            "[:1]",
            "[1:]",
            "[:]",
            "[]",
            "[::1.2.3.4]",
            "[1:2:3:4:5:6:1.2.3.4]",
            "[1:2:3:4:5:6:7:1.2.3.4]",
            "[1.2.3.4::]",
            "[1:2:3:4:5::1.2.3.4]",
            "[::1.2.3.4:5]",
            "[::01.2.3.4]",
            "[ABCD:ef::]",
            "[12345::]",
            "[g::]",
            "[+1::]",
            "[fe80::1%2]",
            "[fe80::1%]",
            "[fe80::1%x]",
            "[::%4294967295]",
            "[::%4294967296]",
            "[::%+1]",
            "[::1",
            "::1]",
            "::1",
            "[[::1]]",
            "[::1]]",
            "[::ffff:1.2.3.4]",
            "[::1:2:3:4:5:6.7.8.9]",
            "[1:2:3:4:5:6::1.2.3.4]",
            "[0000:00::0]",
            "1.2.3.4 ",
            " 1.2.3.4",
            "é",
        ];
        for host in hosts {
            for port in [
                "",
                ":",
                ":0",
                ":80",
                ":65535",
                ":65536",
                ":+1",
                ":080",
                ": 1",
                ":1:2",
                ":99999999999",
            ] {
                let text = [host, port].concat();
                assert_eq!(socket_address(&text), text.parse().ok(), "{text}");
            }
        }
    }

    #[test]
    fn a2_addresses_are_read_and_written() {
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
            ("tcp:localhost:80", Address::TcpName("localhost:80")),
            ("tcp:example.org:0", Address::TcpName("example.org:0")),
            ("tcp:4.example:65535", Address::TcpName("4.example:65535")),
            ("vsock:2:1234", Address::Vsock { cid: 2, port: 1234 }),
            (
                "vsock:4294967295:0",
                Address::Vsock {
                    cid: u32::MAX,
                    port: 0,
                },
            ),
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
    fn a3_a_bare_path_is_a_path() {
        for path in [
            "/run/a",
            "/",
            "./a",
            "../a",
            ".",
            "/run/a:b",
            "./unix:a",
            "/run/a;mode=0600",
            "/@a",
        ] {
            assert_eq!(Address::parse(path), Ok(Address::Unix(path)));
            let text = Address::Unix(path).to_string();
            assert_eq!(Address::parse(&text), Ok(Address::Unix(path)), "{text}");
        }
        // An option or a word is not a path.
        for text in ["", "--follow", "-", "a", "run/a", "@a", "-/a"] {
            assert_eq!(Address::parse(text), Err(AddressError::NoScheme), "{text}");
        }
    }

    #[test]
    fn a2_the_name_of_an_interface_is_an_address() {
        for name in ["org.example.ftl", "a.b", "io.systemd.Udev-1.x"] {
            assert_eq!(Address::parse(name), Ok(Address::Interface(name)));
            assert_eq!(Address::Interface(name).to_string(), name);
            let with_property = std::format!("{name};mode=0600");
            assert_eq!(Address::parse(&with_property), Ok(Address::Interface(name)));
        }
        for text in [
            "org",
            "org.",
            "org..ftl",
            "org.example.ftl/x",
            "1.2.3.4",
            "org.example.-",
        ] {
            assert_eq!(Address::parse(text), Err(AddressError::NoScheme), "{text}");
        }
    }

    #[test]
    fn each_bad_address_has_its_reason() {
        for (text, error) in [
            ("", AddressError::NoScheme),
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
            ("tcp:localhost:65536", AddressError::BadPort),
            ("vsock:", AddressError::BadVsock),
            ("vsock:2", AddressError::BadVsock),
            ("vsock:2:", AddressError::BadVsock),
            ("vsock::1", AddressError::BadVsock),
            ("vsock:host:1", AddressError::BadVsock),
            ("vsock:+2:1", AddressError::BadVsock),
            ("vsock:2:4294967296", AddressError::BadVsock),
            ("vsock:2:1:1", AddressError::BadVsock),
        ] {
            assert_eq!(Address::parse(text), Err(error), "{text}");
        }
    }
}
