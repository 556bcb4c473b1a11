//! The names of interfaces, their members and fields: UAPI.20, "Names" and "Grammar".

/// Whether `name` is the name of an interface: at least two parts, in reverse-domain notation.
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

/// The same of bytes.
pub(crate) const fn interface(name: &[u8]) -> bool {
    let mut rest = name;
    // What came before: a letter or a digit, a hyphen, or the beginning of a part.
    let mut before = Before::Part;
    let mut parts = 1_usize;
    while let [byte, tail @ ..] = rest {
        before = match (byte, before) {
            (b'a'..=b'z' | b'A'..=b'Z', _) => Before::Alphanumeric,
            (b'0'..=b'9', Before::Part) if parts == 1 => return false,
            (b'0'..=b'9', _) => Before::Alphanumeric,
            (b'-', Before::Alphanumeric | Before::Hyphen) => Before::Hyphen,
            (b'.', Before::Alphanumeric) => {
                parts = parts.saturating_add(1);
                Before::Part
            }
            _ => return false,
        };
        rest = tail;
    }
    matches!(before, Before::Alphanumeric) && parts > 1
}

#[derive(Clone, Copy)]
enum Before {
    Part,
    Alphanumeric,
    Hyphen,
}

/// Whether `name` is the name of a type, a method or an error.
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

/// The same of bytes.
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

/// Whether `name` is the name of a field, or a value of an enumeration.
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

/// The same of bytes.
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

/// True if `name` is the full name of a method or an error: an interface, a dot and a member.
pub(crate) const fn is_full(name: &str) -> bool {
    let mut interface = name.as_bytes();
    let mut member = 0_usize;
    while let [before @ .., byte] = interface {
        interface = before;
        if *byte == b'.' {
            break;
        }
        member = member.saturating_add(1);
    }
    let at = name.len().saturating_sub(member);
    match (core::str::from_utf8(interface), name.split_at_checked(at)) {
        (Ok(interface), Some((_, member))) => is_interface(interface) && is_member(member),
        _ => false,
    }
}

/// Splits the full name of a method or an error into interface and member; None if it is none.
///
/// ```
/// assert_eq!(nullink::name::split("org.example.ftl.Jump"), Some(("org.example.ftl", "Jump")));
/// assert_eq!(nullink::name::split("Jump"), None);
/// assert_eq!(nullink::name::split("org.example.ftl.jump"), None);
/// ```
pub fn split(name: &str) -> Option<(&str, &str)> {
    split_at_dot(name).filter(|(interface, member)| is_interface(interface) && is_member(member))
}

/// Splits a name at its last dot, whether the parts are valid names or not.
pub(crate) fn split_at_dot(name: &str) -> Option<(&str, &str)> {
    // `rsplit_once` is built on code that could panic, as far as the linker sees.
    let member = name.bytes().rev().take_while(|byte| *byte != b'.').count();
    let dot = name.len().checked_sub(member)?.checked_sub(1)?;
    let (interface, dot_and_member) = name.split_at_checked(dot)?;
    Some((interface, dot_and_member.strip_prefix('.')?))
}
