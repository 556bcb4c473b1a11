//! Moves bytes between a session's buffers and a blocking stream.

use embedded_io::{Error as _, ErrorKind, Read, Write};

use crate::error::Error;
use crate::{client, service};

/// What both sessions have in common.
pub(crate) trait Buffers {
    fn spare(&mut self) -> &mut [u8];
    fn received(&mut self, count: usize);
    fn pending(&self) -> &[u8];
    fn sent(&mut self, count: usize);
}

impl<C: Copy> Buffers for service::Session<'_, C> {
    fn spare(&mut self) -> &mut [u8] {
        self.spare()
    }

    fn received(&mut self, count: usize) {
        self.received(count);
    }

    fn pending(&self) -> &[u8] {
        self.pending()
    }

    fn sent(&mut self, count: usize) {
        self.sent(count);
    }
}

impl Buffers for client::Session<'_> {
    fn spare(&mut self) -> &mut [u8] {
        self.spare()
    }

    fn received(&mut self, count: usize) {
        self.received(count);
    }

    fn pending(&self) -> &[u8] {
        self.pending()
    }

    fn sent(&mut self, count: usize) {
        self.sent(count);
    }
}

/// Receives something, at most `limit` bytes of it, or the end; and returns how much it was.
pub(crate) fn fill<IO: Read>(
    stream: &mut IO,
    session: &mut impl Buffers,
    limit: usize,
) -> Result<usize, Error<IO::Error>> {
    let spare = session.spare();
    let limit = limit.min(spare.len());
    let spare = spare.get_mut(..limit).unwrap_or_default();
    if spare.is_empty() {
        // A read into nothing would look like the end.
        return Err(Error::TooLong);
    }
    loop {
        match stream.read(spare) {
            Ok(count) => {
                session.received(count);
                return Ok(count);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Transport(error)),
        }
    }
}

/// Whether the peer has closed the connection, which takes nothing from what it has sent before.
pub(crate) fn is_closed<T: embedded_io::Error>(error: &Error<T>) -> bool {
    match error {
        Error::Transport(error) => {
            matches!(
                error.kind(),
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
            )
        }
        _ => false,
    }
}

/// Sends everything that is pending.
pub(crate) fn send_pending<IO: Write>(
    stream: &mut IO,
    session: &mut impl Buffers,
) -> Result<(), Error<IO::Error>> {
    if !session.pending().is_empty() {
        write(stream, session.pending())?;
        session.sent(usize::MAX);
    }
    Ok(())
}

/// Sends bytes, all of them.
pub(crate) fn write<IO: Write>(stream: &mut IO, mut bytes: &[u8]) -> Result<(), Error<IO::Error>> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(Error::WriteZero),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Transport(error)),
        }
    }
    stream.flush().map_err(Error::Transport)
}
