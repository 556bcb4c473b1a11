//! Texts that are put together without an allocator: addresses, paths.

use core::ffi::CStr;
use core::fmt;

use heapless::String;
use nullink::json::{Raw, encode};

/// The address of a service, or a path.
pub type AddressText = String<512>;

/// Makes a text of its parts. One that is too long is empty.
pub fn concat(text: &mut AddressText, parts: &[&str]) {
    text.clear();
    if !parts.iter().all(|part| text.push_str(part).is_ok()) {
        text.clear();
    }
}

/// Makes a path of its parts. One that is too long is empty, so there is no file.
///
/// rustix would copy a path without a NUL, with separate code for each system call.
pub fn path<'t>(text: &'t mut AddressText, parts: &[&str]) -> &'t CStr {
    concat(text, parts);
    let _ = text.push('\0');
    CStr::from_bytes_until_nul(text.as_bytes()).unwrap_or_default()
}

/// Makes JSON of parts, which need no escapes.
pub fn json<'t>(text: &'t mut AddressText, parts: &[&str]) -> Raw<'t> {
    concat(text, parts);
    Raw::new(text).unwrap_or(Raw::EMPTY_OBJECT)
}

/// Splits a text at the first byte of this value, which is ASCII.
pub fn split_once(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|other| other == byte)?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.get(1..)?))
}

/// Returns the parts of a text that a byte separates, which is ASCII.
pub fn parts(text: &str, byte: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let text = rest?;
        let (part, after) = match split_once(text, byte) {
            Some((part, after)) => (part, Some(after)),
            None => (text, None),
        };
        rest = after;
        Some(part)
    })
}

/// A number in a text. core's function for numbers pads them, which takes a kilobyte.
pub struct Number(pub usize);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The largest number has 20 digits.
        f.write_str(encode(&self.0, &mut [0; 20]).unwrap_or_default())
    }
}
