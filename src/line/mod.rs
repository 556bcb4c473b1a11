//! Serial lines: streams that cannot be closed, such as a UART.
//!
//! On a line, the service does not notice when one client leaves and another one begins. So a
//! client begins with a break, which is two NULs. The first NUL ends a message that was sent only
//! in part, and completes a call that lacks only its NUL. The second NUL is an empty message, which
//! clients send for no other purpose. On the client's side,
//! [`Client::synchronize`](crate::Client::synchronize) sends the break, and discards late replies
//! to earlier clients.
//!
//! A [`Line`] is a stream that ends at each break. [`Line::serve`] serves its clients one after the
//! other. **The current client gets every reply, whole and in order, or no further reply until the
//! next break. It never gets a reply to a call of another client.**
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
//! // The first client has left in the middle of its call.
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
/// A read returns the end of input at a break. After a break was received, a write fails with
/// [`LineError::Break`]. If the previous client has left in the middle of a reply, the line sends a
/// NUL to end that reply before it sends anything to the next client.
///
/// A stream of replies may have no end. So before each reply with `"continues":true`, a write looks
/// for a break: it receives the available bytes into the look-ahead buffer, without waiting. If a
/// client sends more calls during a stream than the receive buffer and the look-ahead buffer hold,
/// the calls that do not fit, and all later ones up to the next break, get no reply.
#[derive(Debug)]
pub struct Line<'b, IO> {
    stream: IO,
    line_buffer: LineBuffer<'b>,
    /// True if the stream has returned the end of input.
    is_at_end: bool,
}

impl<'b, IO: ErrorType> Line<'b, IO> {
    /// Creates a line over a stream.
    ///
    /// The look-ahead buffer must be as long as the receive buffer, and must not be empty.
    pub fn new(stream: IO, look_ahead: &'b mut [u8]) -> Self {
        Line {
            stream,
            line_buffer: LineBuffer::new(look_ahead),
            is_at_end: false,
        }
    }

    /// Returns the stream, and the bytes that were received but not read.
    ///
    /// After an upgrade, these bytes follow those in [`End::Upgraded`], and precede all bytes that
    /// are read from the stream later. Breaks are no longer detected.
    pub fn into_parts(self) -> (IO, &'b [u8]) {
        (self.stream, self.line_buffer.into_unread())
    }
}

impl<IO: Read> Line<'_, IO> {
    /// Waits for the next break, and discards all input before it. Returns false at the end of the
    /// stream.
    ///
    /// # Errors
    ///
    /// Fails if the stream fails. Input up to the next break is then still discarded.
    pub fn next_client(&mut self) -> Result<bool, IO::Error> {
        self.line_buffer.discard();
        while !self.line_buffer.is_break() {
            match self.receive(usize::MAX) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.line_buffer.next_client();
        Ok(true)
    }

    /// Receives at most `limit` bytes. Returns false at the end of the stream.
    fn receive(&mut self, limit: usize) -> Result<bool, IO::Error> {
        let spare = part_mut(self.line_buffer.spare(), 0, limit);
        let count = self.stream.read(spare)?;
        self.line_buffer.received(count);
        self.is_at_end = count == 0;
        Ok(count > 0)
    }
}

impl<IO: Read + ReadReady + Write> Line<'_, IO> {
    /// Serves the clients of a line, one after the other, with blocking I/O.
    ///
    /// Each client is served as by [`serve`](crate::serve()). Where that function would close the
    /// connection, all input up to the next break is discarded. Errors are passed to
    /// [`Service::failed`]; a break is not an error.
    ///
    /// This returns when the stream ends or the connection is upgraded. After an upgrade,
    /// [`End::Upgraded`] and [`into_parts`](Self::into_parts) have the bytes of the other protocol
    /// that were already received. The client must wait for the reply to its upgrade before it
    /// sends bytes of that protocol, because two NULs among them would be a break.
    ///
    /// # Errors
    ///
    /// Fails if the stream fails. If the stream can be used again, this can be called again. The
    /// client from before the error gets no further replies, and input up to the next break is
    /// discarded.
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
                    self.line_buffer.discard();
                    return Err(crate::Error::Transport(error));
                }
                Err(crate::Error::WriteZero) => {
                    self.line_buffer.discard();
                    return Err(crate::Error::WriteZero);
                }
                // The client is gone, or gets no further replies.
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
            if let Some(count) = self.line_buffer.read(buffer) {
                return Ok(count);
            }
            // With this limit, the look-ahead buffer stays empty.
            if !self.receive(buffer.len()).map_err(LineError::Stream)? {
                return Ok(0);
            }
        }
    }
}

impl<IO: Read + ReadReady + Write> Write for Line<'_, IO> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        if !self.line_buffer.is_break() && self.line_buffer.looks_ahead(bytes) {
            let is_ready = self.stream.read_ready().map_err(LineError::Stream)?;
            if is_ready && !self.receive(usize::MAX).map_err(LineError::Stream)? {
                return Err(LineError::Break);
            }
        }
        if self.line_buffer.is_break() {
            return Err(LineError::Break);
        }
        if self.line_buffer.owes_nul() {
            let count = self.stream.write(&[0]).map_err(LineError::Stream)?;
            self.line_buffer.sent(&[0], count);
            if count == 0 {
                return Ok(0);
            }
        }
        let bytes = self.line_buffer.before_next_look(bytes);
        let count = self.stream.write(bytes).map_err(LineError::Stream)?;
        self.line_buffer.sent(bytes, count);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.stream.flush().map_err(LineError::Stream)
    }
}

/// An error of a read from or a write to a [`Line`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineError<E> {
    /// The client is gone: another one has begun, or the stream has ended.
    Break,
    /// The underlying stream has failed.
    Stream(E),
}

impl<E: fmt::Display> fmt::Display for LineError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineError::Break => f.write_str("the client is gone"),
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
