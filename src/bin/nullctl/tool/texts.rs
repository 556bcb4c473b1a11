//! Texts that are put together without an allocator: addresses, paths.

use core::ffi::CStr;

use heapless::String;
use nullink::json::Raw;

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
