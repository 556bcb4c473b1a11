//! A serial device as a connection of the server: one client after the other, told apart by
//! breaks.

use embedded_io::ReadReady;
use heapless::Vec;

use crate::bytes::part_mut;
use crate::channel::Channel;
use crate::line::LineBuffer;
use crate::unix::{self, Reading, Stream};

/// Receives for the client that is there: None if there is nothing, 0 if its input ends at a break.
///
/// # Errors
///
/// [`unix::IoError::Closed`] if the device is gone, and other errors of the stream.
pub(super) fn receive(
    stream: &mut Stream,
    breaks: &mut LineBuffer<'_>,
    channel: &mut Channel<'_>,
) -> Result<Option<usize>, unix::IoError> {
    let mut input = breaks.read(channel.spare());
    if input.is_none() {
        // No more than that, so that the look-ahead buffer stays empty; and only once, so that a
        // flood of what is thrown away does not hold the other connections up.
        let limit = channel.spare().len();
        if !look_ahead(stream, breaks, limit)? {
            return Ok(None);
        }
        input = breaks.read(channel.spare());
    }
    if let Some(count) = input {
        channel.received(count);
    }
    Ok(input)
}

/// Receives at most `limit` bytes into the look-ahead buffer. Returns false if there are none.
///
/// # Errors
///
/// As [`receive`].
pub(super) fn look_ahead(
    stream: &mut Stream,
    breaks: &mut LineBuffer<'_>,
    limit: usize,
) -> Result<bool, unix::IoError> {
    if breaks.is_full() && !stream.read_ready()? {
        return Ok(false);
    }
    let spare = part_mut(breaks.spare(), 0, limit);
    match stream.receive_now(Reading::All, spare, &mut Vec::<_, 0>::new())? {
        None => Ok(false),
        Some(0) => Err(unix::IoError::Closed),
        Some(count) => {
            breaks.received(count);
            Ok(true)
        }
    }
}

/// Sends what is pending, as far as that is possible now; returns how many bytes were sent.
///
/// # Errors
///
/// [`unix::IoError::Closed`] if the device is gone, or if the client is: then there is a break.
pub(super) fn send(
    stream: &mut Stream,
    breaks: &mut LineBuffer<'_>,
    channel: &mut Channel<'_>,
) -> Result<usize, unix::IoError> {
    let mut all = 0_usize;
    while !channel.pending().is_empty() {
        if !breaks.is_break() && breaks.looks_ahead(channel.pending()) {
            look_ahead(stream, breaks, usize::MAX)?;
        }
        if breaks.is_break() {
            return Err(unix::IoError::Closed);
        }
        let part = if breaks.owes_nul() {
            &[0]
        } else {
            breaks.before_next_look(channel.pending())
        };
        let (is_owed_nul, length) = (breaks.owes_nul(), part.len());
        let sent = stream.send_now(part, &[])?.unwrap_or(0);
        breaks.sent(part, sent);
        if !is_owed_nul {
            channel.sent(sent);
            all = all.saturating_add(sent);
        }
        if sent < length {
            break;
        }
    }
    Ok(all)
}
