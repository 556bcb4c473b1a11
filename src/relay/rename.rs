//! A call passed on under another name.

use core::cell::Cell;
use core::ops::Range;

use super::MAX_GROWTH;
use crate::error::EncodeError;
use crate::name;

/// Replaces the method name in a message; returns the new length of the message. The message is the
/// first `length` bytes of `room`, and `old_name` is the range of the name in it.
pub(super) fn rename(
    room: &mut [u8],
    length: usize,
    old_name: &Range<usize>,
    interface: &str,
    member: &str,
) -> Result<usize, EncodeError> {
    debug_assert!(
        old_name.start <= old_name.end && old_name.end < length && length <= room.len(),
        "the name is in the message, and the message is in the room"
    );
    // A valid name needs no escapes in JSON.
    if !name::is_interface(interface) || !name::is_member(member) {
        return Err(EncodeError::Name);
    }
    let name = [interface, ".", member].map(str::as_bytes);
    let name_length = interface
        .len()
        .saturating_add(1)
        .saturating_add(member.len());
    if name_length > old_name.len().saturating_add(MAX_GROWTH) {
        return Err(EncodeError::Full);
    }
    let room = Cell::from_mut(room).as_slice_of_cells();
    let move_byte = |(to, from): (&Cell<u8>, &Cell<u8>)| to.set(from.get());
    let tail = room.get(old_name.end..length).unwrap_or_default();
    let start = old_name.start.saturating_add(name_length);
    let end = start.saturating_add(tail.len());
    let to = room.get(start..end).ok_or(EncodeError::Full)?;
    // The ranges may overlap, so the direction matters.
    if start < old_name.end {
        to.iter().zip(tail).for_each(move_byte);
    } else {
        to.iter().rev().zip(tail.iter().rev()).for_each(move_byte);
    }
    let gap = room.get(old_name.start..start).unwrap_or_default();
    let name = name.iter().copied().flatten();
    gap.iter().zip(name).for_each(|(to, from)| to.set(*from));
    Ok(end)
}

#[cfg(test)]
mod tests {
    use std::{format, string::String, vec};

    use super::*;

    #[test]
    fn names_of_all_lengths_are_replaced() {
        let (before, tail) = ("{\"method\":\"", "\",\"x.y\":[1,2]}\0");
        for old in (0..40).chain([300]) {
            for new in (0..40).chain([296]) {
                let message = format!("{before}{}{tail}", "o".repeat(old));
                let member = format!("N{}", "n".repeat(new));
                let wanted = format!("{before}a.b.{member}{tail}");
                let old_name = before.len()..before.len() + old;
                for size in [wanted.len() - 1, wanted.len(), wanted.len() + 1] {
                    let mut room = vec![b'?'; size.max(message.len())];
                    room[..message.len()].copy_from_slice(message.as_bytes());
                    let renamed = rename(&mut room, message.len(), &old_name, "a.b", &member);
                    let fits = wanted.len() <= room.len() && 5 + new <= old + MAX_GROWTH;
                    assert_eq!(
                        renamed,
                        fits.then_some(wanted.len()).ok_or(EncodeError::Full)
                    );
                    let room = String::from_utf8(room).unwrap();
                    assert!(!fits || room.starts_with(&wanted), "{room}");
                }
            }
        }
    }
}
