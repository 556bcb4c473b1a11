//! Texts that are put together without an allocator: addresses, paths.

use core::ffi::CStr;

use heapless::String;

/// A path.
pub type Path = String<256>;

/// The address of a service, or a path.
pub type AddressText = String<512>;

/// Makes a text of its parts. One that is too long is empty.
pub fn concat(text: &mut AddressText, parts: &[&str]) {
    text.clear();
    if !parts.iter().all(|part| text.push_str(part).is_ok()) {
        text.clear();
    }
}

/// Returns the text before the first NUL.
pub fn as_c_str(path: &[u8]) -> &CStr {
    CStr::from_bytes_until_nul(path).unwrap_or_default()
}
