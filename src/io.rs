//! Moves bytes between a channel and a blocking stream.

use embedded_io::{Error as _, ErrorKind, Read, Write};

use crate::bytes::part_mut;
use crate::channel::Channel;
use crate::error::Error;

/// Receives at most `limit` bytes, with one read. Returns their number, which is 0 at the end of
/// input.
pub(crate) fn fill<IO: Read>(
    stream: &mut IO,
    channel: &mut Channel<'_>,
    limit: usize,
) -> Result<usize, Error<IO::Error>> {
    fill_by(channel, limit, |spare| stream.read(spare))
}

/// Like [`fill`], with a function for reading.
pub(crate) fn fill_by<E: embedded_io::Error>(
    channel: &mut Channel<'_>,
    limit: usize,
    mut read: impl FnMut(&mut [u8]) -> Result<usize, E>,
) -> Result<usize, Error<E>> {
    let spare = part_mut(channel.spare(), 0, limit);
    if spare.is_empty() {
        // A read into an empty slice would look like the end of input.
        return Err(Error::TooLong);
    }
    loop {
        match read(spare) {
            Ok(count) => {
                channel.received(count);
                return Ok(count);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Transport(error)),
        }
    }
}

/// Sends all pending bytes.
pub(crate) fn send_pending<IO: Write>(
    stream: &mut IO,
    channel: &mut Channel<'_>,
) -> Result<(), Error<IO::Error>> {
    if !channel.pending().is_empty() {
        write(stream, channel.pending())?;
        channel.sent(usize::MAX);
    }
    Ok(())
}

/// Sends all bytes, and flushes the stream.
pub(crate) fn write<IO: Write>(stream: &mut IO, mut bytes: &[u8]) -> Result<(), Error<IO::Error>> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(Error::WriteZero),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Transport(error)),
        }
    }
    loop {
        match stream.flush() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            flushed => return flushed.map_err(Error::Transport),
        }
    }
}

/// True if the error means that the peer has closed the connection. Bytes that it has sent before
/// can still be received.
pub(crate) fn is_closed<T: embedded_io::Error>(error: &Error<T>) -> bool {
    match error {
        Error::Transport(error) => matches!(
            error.kind(),
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
        ),
        _ => false,
    }
}
