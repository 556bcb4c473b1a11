//! Checks of names of interfaces, members and fields: UAPI.20, "Names" and "Grammar".

/// True if `name` is a valid interface name: at least two parts, in reverse-domain notation.
///
/// ```
/// use nullink::name::is_interface;
///
/// assert!(is_interface("org.example.ftl") && is_interface("a-b.1"));
/// assert!(!is_interface("example") && !is_interface("org..x") && !is_interface("org.-x"));
/// ```
pub const fn is_interface(name: &str) -> bool {
    interface(name.as_bytes())
}

/// Like [`is_interface`], for bytes.
pub(crate) const fn interface(name: &[u8]) -> bool {
    let mut rest = name;
    let mut previous = Previous::Dot;
    let mut parts = 1_usize;
    while let [byte, tail @ ..] = rest {
        previous = match (byte, previous) {
            (b'a'..=b'z' | b'A'..=b'Z', _) => Previous::Alphanumeric,
            (b'0'..=b'9', Previous::Dot) if parts == 1 => return false,
            (b'0'..=b'9', _) => Previous::Alphanumeric,
            (b'-', Previous::Alphanumeric | Previous::Hyphen) => Previous::Hyphen,
            (b'.', Previous::Alphanumeric) => {
                parts = parts.wrapping_add(1);
                Previous::Dot
            }
            _ => return false,
        };
        rest = tail;
    }
    matches!(previous, Previous::Alphanumeric) && parts > 1
}

/// The character before the current one. At the beginning of the name it is `Dot`.
#[derive(Clone, Copy)]
enum Previous {
    Dot,
    Alphanumeric,
    Hyphen,
}

/// True if `name` is a valid name of a type, a method or an error.
///
/// ```
/// use nullink::name::is_member;
///
/// assert!(is_member("GetInfo") && is_member("X1"));
/// assert!(!is_member("getInfo") && !is_member("Get_Info") && !is_member(""));
/// ```
pub const fn is_member(name: &str) -> bool {
    member(name.as_bytes())
}

/// Like [`is_member`], for bytes.
pub(crate) const fn member(name: &[u8]) -> bool {
    let [b'A'..=b'Z', rest @ ..] = name else {
        return false;
    };
    let mut rest = rest;
    while let [b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9', tail @ ..] = rest {
        rest = tail;
    }
    rest.is_empty()
}

/// True if `name` is a valid name of a field or of a value of an enumeration.
///
/// ```
/// use nullink::name::is_field;
///
/// assert!(is_field("full_name") && is_field("x2"));
/// assert!(!is_field("_x") && !is_field("x_") && !is_field("x__y") && !is_field("2x"));
/// ```
pub const fn is_field(name: &str) -> bool {
    field(name.as_bytes())
}

/// Like [`is_field`], for bytes.
pub(crate) const fn field(name: &[u8]) -> bool {
    let [b'a'..=b'z' | b'A'..=b'Z', rest @ ..] = name else {
        return false;
    };
    let mut rest = rest;
    while let [b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9', tail @ ..]
    | [b'_', b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9', tail @ ..] = rest
    {
        rest = tail;
    }
    rest.is_empty()
}

/// True if `name` is a valid full name of a method or an error: interface, dot, member.
pub(crate) const fn is_full(name: &[u8]) -> bool {
    match split_at_dot(name) {
        Some((interface_name, member_name)) => interface(interface_name) && member(member_name),
        None => false,
    }
}

/// Splits the full name of a method or an error into interface and member; None if `name` is not a
/// valid full name.
///
/// ```
/// assert_eq!(nullink::name::split("org.example.ftl.Jump"), Some(("org.example.ftl", "Jump")));
/// assert_eq!(nullink::name::split("Jump"), None);
/// assert_eq!(nullink::name::split("org.example.ftl.jump"), None);
/// ```
pub fn split(name: &str) -> Option<(&str, &str)> {
    let (interface_name, member_name) = split_at_dot(name.as_bytes())?;
    if !interface(interface_name) || !member(member_name) {
        return None;
    }
    let (interface, dot_and_member) = name.split_at_checked(interface_name.len())?;
    Some((interface, dot_and_member.get(1..)?))
}

/// Splits a name at its last dot, without a check of the parts. Returns None if it has no dot.
pub(crate) const fn split_at_dot(name: &[u8]) -> Option<(&[u8], &[u8])> {
    // `rsplit_once` of a `str` would leave calls to panic functions in the program.
    let mut interface = name;
    while let [before @ .., byte] = interface {
        interface = before;
        if *byte == b'.' {
            return match name.split_at_checked(before.len()) {
                Some((interface, [_, member @ ..])) => Some((interface, member)),
                _ => None,
            };
        }
    }
    None
}
