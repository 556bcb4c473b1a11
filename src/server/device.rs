//! A serial device as a connection of the server. Its clients use it one after the other, and a
//! break separates them.

use embedded_io::ReadReady;
use heapless::Vec;

use crate::bytes::part_mut;
use crate::channel::Channel;
use crate::line::LineBuffer;
use crate::unix::{self, Reading, Stream};

/// Receives bytes of the current client, without waiting. Returns None if there are none, and 0 if
/// the client's input ends at a break.
///
/// # Errors
///
/// Returns [`unix::IoError::Closed`] if the device is gone. Fails if the stream fails.
pub(super) fn receive(
    stream: &mut Stream,
    line_buffer: &mut LineBuffer<'_>,
    channel: &mut Channel<'_>,
) -> Result<Option<usize>, unix::IoError> {
    let mut input = line_buffer.read(channel.spare());
    if input.is_none() {
        // With this limit, the look-ahead buffer stays empty. There is only one attempt, so that a
        // flood of discarded bytes does not delay other connections.
        let limit = channel.spare().len();
        if !look_ahead(stream, line_buffer, limit)? {
            return Ok(None);
        }
        input = line_buffer.read(channel.spare());
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
/// Like [`receive`].
pub(super) fn look_ahead(
    stream: &mut Stream,
    line_buffer: &mut LineBuffer<'_>,
    limit: usize,
) -> Result<bool, unix::IoError> {
    // `spare` discards a full buffer, so it is called only if there is input.
    if line_buffer.is_full() && !stream.read_ready()? {
        return Ok(false);
    }
    let spare = part_mut(line_buffer.spare(), 0, limit);
    match stream.receive_now(Reading::All, spare, &mut Vec::<_, 0>::new())? {
        None => Ok(false),
        Some(0) => Err(unix::IoError::Closed),
        Some(count) => {
            line_buffer.received(count);
            Ok(true)
        }
    }
}

/// Sends as many of the pending bytes as possible without waiting. Returns their number.
///
/// # Errors
///
/// Returns [`unix::IoError::Closed`] if the device is gone, or if there is a break, which means
/// that the client is gone. Fails if the stream fails.
pub(super) fn send(
    stream: &mut Stream,
    line_buffer: &mut LineBuffer<'_>,
    channel: &mut Channel<'_>,
) -> Result<usize, unix::IoError> {
    let mut total = 0_usize;
    while !channel.pending().is_empty() {
        if !line_buffer.is_break() && line_buffer.looks_ahead(channel.pending()) {
            look_ahead(stream, line_buffer, usize::MAX)?;
        }
        if line_buffer.is_break() {
            return Err(unix::IoError::Closed);
        }
        let part = if line_buffer.owes_nul() {
            &[0]
        } else {
            line_buffer.before_next_look(channel.pending())
        };
        let (is_nul, length) = (line_buffer.owes_nul(), part.len());
        let sent = stream.send_now(part, &[])?.unwrap_or(0);
        line_buffer.sent(part, sent);
        if !is_nul {
            channel.sent(sent);
            total = total.saturating_add(sent);
        }
        if sent < length {
            break;
        }
    }
    Ok(total)
}
