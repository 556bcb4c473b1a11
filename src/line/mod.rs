//! Serial lines: streams that nobody can close, such as a UART.
//!
//! On a line, nobody notices that a client goes and another one comes. So a client begins with a
//! break, two NULs: the first ends a message that was left half-sent, the second is an empty message,
//! which no client sends otherwise. A call that lacks only its NUL is complete then.
//! [`Client::synchronize`](crate::Client::synchronize) is the client's half: it also throws away the
//! replies to earlier clients that are still under way.
//!
//! [`Line`] makes a stream out of this that ends at each break. [`Line::serve`] serves its clients one after
//! the other. **A client that is there gets every reply, whole and in order, or nothing at all until the
//! next break; it never gets an answer to another's call.**
//!
//! ```
//! use nullink::line::Line;
//! use nullink::{Answer, Call, Duplex, End, Info, Interface, Responder, Service, interface};
//! use serde::{Deserialize, Serialize};
//!
//! const LAMP: Interface = interface!(text "
//! interface org.example.lamp
//!
//! method Switch(on: bool) -> (before: bool)
//! ");
//!
//! #[derive(Deserialize)]
//! enum Methods { Switch { on: bool } }
//!
//! #[derive(Serialize)]
//! struct Switched { before: bool }
//!
//! struct Lamp { on: bool }
//!
//! impl Service for Lamp {
//!     const INTERFACES: &'static [Interface] = &[LAMP];
//!
//!     fn info(&self) -> Info<'_> {
//!         Info { vendor: "Example", product: "Lamp", ..Info::default() }
//!     }
//!
//!     fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
//!         let Methods::Switch { on } = call.decode()?;
//!         let before = std::mem::replace(&mut self.on, on);
//!         reply.send(&Switched { before })
//!     }
//! }
//!
//! // The first client has gone in the middle of its call.
//! let received = b"\0\0{\"method\":\"org.exam\
//!     \0\0{\"method\":\"org.example.lamp.Switch\",\"parameters\":{\"on\":true}}\0";
//! let mut sent = [0; 256];
//! let uart = Duplex { reader: &received[..], writer: &mut sent[..] };
//!
//! let (mut receive, mut send, mut ahead) = ([0; 256], [0; 256], [0; 256]);
//! let mut line = Line::new(uart, &mut ahead);
//! let end = line.serve(&mut Lamp { on: false }, &mut receive, &mut send);
//! assert_eq!(end, Ok(End::Closed)); // A UART never ends, but these bytes do.
//! assert!(sent.starts_with(b"{\"parameters\":{\"before\":false}}\0\0"));
//! ```

mod breaks;

use core::fmt;

use embedded_io::{Error as _, ErrorKind, ErrorType, Read, ReadReady, Write};

pub use breaks::LineBuffer;

use crate::bytes::part_mut;
use crate::serve::End;
use crate::service::Service;

/// A stream that ends at each break of a line.
///
/// A read gives end of file at a break, and a write fails while a break waits: [`LineError::Break`]. A
/// reply that was cut off when its client went is ended with a NUL before the next client is sent
/// anything.
///
/// Before each reply that others follow (`"continues":true`), a write receives what is there without
/// waiting, because a stream of replies may have no end. A client that sends more calls ahead of the
/// end of a stream than the receive buffer and the look-ahead buffer hold is given no reply to those
/// that have no room, nor to any later ones, until the next break.
#[derive(Debug)]
pub struct Line<'b, IO> {
    stream: IO,
    breaks: LineBuffer<'b>,
    /// The stream has given end of file.
    is_at_end: bool,
}

impl<'b, IO: ErrorType> Line<'b, IO> {
    /// A line over a stream.
    ///
    /// The look-ahead buffer has to be as long as the receive buffer, and must not be empty.
    pub fn new(stream: IO, look_ahead: &'b mut [u8]) -> Self {
        Line {
            stream,
            breaks: LineBuffer::new(look_ahead),
            is_at_end: false,
        }
    }

    /// The stream, and the bytes that were received and not read.
    ///
    /// After an upgrade these come after the bytes that [`End::Upgraded`] has, and before anything
    /// that is read from the stream. Nothing watches for breaks any more.
    pub fn into_parts(self) -> (IO, &'b [u8]) {
        (self.stream, self.breaks.into_unread())
    }
}

impl<IO: Read> Line<'_, IO> {
    /// Discards what the client sends, up to the next break, and waits for that.
    ///
    /// False is the end of the stream.
    ///
    /// # Errors
    ///
    /// If the stream fails. What comes up to the next break is still discarded afterwards.
    pub fn next_client(&mut self) -> Result<bool, IO::Error> {
        self.breaks.discard();
        while !self.breaks.is_break() {
            match self.receive(usize::MAX) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.breaks.next_client();
        Ok(true)
    }

    /// Receives at most so many bytes. False is the end of the stream.
    fn receive(&mut self, limit: usize) -> Result<bool, IO::Error> {
        let spare = part_mut(self.breaks.spare(), 0, limit);
        let count = self.stream.read(spare)?;
        self.breaks.received(count);
        self.is_at_end = count == 0;
        Ok(count > 0)
    }
}

impl<IO: Read + ReadReady + Write> Line<'_, IO> {
    /// Serves the clients of a line, one after the other, blocking.
    ///
    /// Each is served as [`serve`](crate::serve()) does. Where that would close the connection, everything up
    /// to the next break is thrown away. [`Service::failed`] is told of errors; a break is not an error.
    ///
    /// This returns when the stream ends, or when the connection is upgraded: what was received too far is
    /// in [`End::Upgraded`] and [`into_parts`](Self::into_parts). A client that upgrades waits for the confirming reply
    /// before it sends anything of the other protocol, because two NULs in that would be a break.
    ///
    /// # Errors
    ///
    /// If the stream fails. If it can be used again, the line can be served again: the client that was there
    /// gets nothing more, and what comes up to the next break is thrown away.
    pub fn serve<'b, S, C>(
        &mut self,
        service: &mut S,
        receive: &'b mut [u8],
        send: &mut [u8],
    ) -> Result<End<'b, C>, crate::Error<IO::Error>>
    where
        S: Service<C>,
        C: Copy,
    {
        loop {
            match crate::serve(service, &mut *self, &mut *receive, &mut *send) {
                Ok(End::Upgraded { cursor, unread }) => {
                    let count = unread.len();
                    let unread = receive.get(..count).unwrap_or_default();
                    return Ok(End::Upgraded { cursor, unread });
                }
                Err(crate::Error::Transport(LineError::Stream(error))) => {
                    self.breaks.discard();
                    return Err(crate::Error::Transport(error));
                }
                Err(crate::Error::WriteZero) => {
                    self.breaks.discard();
                    return Err(crate::Error::WriteZero);
                }
                // The client has gone, or is given nothing more.
                Ok(End::Closed) | Err(_) => {}
            }
            if self.is_at_end || !self.next_client().map_err(crate::Error::Transport)? {
                return Ok(End::Closed);
            }
        }
    }
}

impl<IO: ErrorType> ErrorType for Line<'_, IO> {
    type Error = LineError<IO::Error>;
}

impl<IO: Read> Read for Line<'_, IO> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(count) = self.breaks.read(buffer) {
                return Ok(count);
            }
            // No more than that, so that the look-ahead buffer stays empty.
            if !self.receive(buffer.len()).map_err(LineError::Stream)? {
                return Ok(0);
            }
        }
    }
}

impl<IO: Read + ReadReady + Write> Write for Line<'_, IO> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        if !self.breaks.is_break() && self.breaks.looks_ahead(bytes) {
            let is_ready = self.stream.read_ready().map_err(LineError::Stream)?;
            if is_ready && !self.receive(usize::MAX).map_err(LineError::Stream)? {
                return Err(LineError::Break);
            }
        }
        if self.breaks.is_break() {
            return Err(LineError::Break);
        }
        if self.breaks.owes_nul() {
            let count = self.stream.write(&[0]).map_err(LineError::Stream)?;
            self.breaks.sent(&[0], count);
            if count == 0 {
                return Ok(0);
            }
        }
        let bytes = self.breaks.before_next_look(bytes);
        let count = self.stream.write(bytes).map_err(LineError::Stream)?;
        self.breaks.sent(bytes, count);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.stream.flush().map_err(LineError::Stream)
    }
}

/// Why reading from or writing to a [`Line`] has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineError<E> {
    /// The client has gone: another one has begun, or the stream has ended.
    Break,
    /// The stream itself has failed.
    Stream(E),
}

impl<E: fmt::Display> fmt::Display for LineError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineError::Break => f.write_str("another client has begun"),
            LineError::Stream(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for LineError<E> {}

impl<E: embedded_io::Error> embedded_io::Error for LineError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            LineError::Break => ErrorKind::BrokenPipe,
            LineError::Stream(error) => error.kind(),
        }
    }
}
