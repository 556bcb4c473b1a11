//! A stream made of a reader and a writer.

use core::fmt;

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};

/// A stream made of two: it receives from one and sends to the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Duplex<R, W> {
    /// The stream to receive from.
    pub reader: R,
    /// The stream to send to.
    pub writer: W,
}

impl<R: Read, W: Write> ErrorType for Duplex<R, W> {
    type Error = DuplexError<R::Error, W::Error>;
}

impl<R: Read, W: Write> Read for Duplex<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        self.reader.read(buffer).map_err(DuplexError::Reader)
    }
}

impl<R: Read + ReadReady, W: Write> ReadReady for Duplex<R, W> {
    fn read_ready(&mut self) -> Result<bool, Self::Error> {
        self.reader.read_ready().map_err(DuplexError::Reader)
    }
}

impl<R: Read, W: Write> Write for Duplex<R, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.writer.write(bytes).map_err(DuplexError::Writer)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.writer.flush().map_err(DuplexError::Writer)
    }
}

/// The error of a [`Duplex`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplexError<R, W> {
    /// The reader has failed.
    Reader(R),
    /// The writer has failed.
    Writer(W),
}

impl<R: fmt::Display, W: fmt::Display> fmt::Display for DuplexError<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DuplexError::Reader(error) => error.fmt(f),
            DuplexError::Writer(error) => error.fmt(f),
        }
    }
}

impl<R, W> core::error::Error for DuplexError<R, W>
where
    R: fmt::Debug + fmt::Display,
    W: fmt::Debug + fmt::Display,
{
}

impl<R: embedded_io::Error, W: embedded_io::Error> embedded_io::Error for DuplexError<R, W> {
    fn kind(&self) -> ErrorKind {
        match self {
            DuplexError::Reader(error) => error.kind(),
            DuplexError::Writer(error) => error.kind(),
        }
    }
}
