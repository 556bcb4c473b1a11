//! The blocking driver for a service at a line that nobody can close, such as a UART.

use embedded_io::{ErrorType, Read, ReadReady, Write};

use crate::error::Error;
use crate::io::fill;
use crate::serve::{End, advance, unread_to_front};
use crate::service::{self, Service, Step};

/// Serves a line that nobody can close, such as a UART, blocking: one client after the other.
///
/// Nobody notices there when a client goes and another comes. So a client begins with two NULs, as
/// [`Client::begin_anew`] does: the first ends what was left half-sent, the second, an empty message,
/// is the new client's beginning. What the one before was still owed is dropped then, be it a stream
/// of replies that never ends. (One is enough where nothing is left half-sent, or no call. Where a
/// whole call is left but for its NUL, that call would wait behind the stream for ever.) Where a
/// connection would be closed, everything up to the next NUL is thrown away, no part of it is taken
/// for a call, and the line goes on. ([`Service::failed`] is told why.)
///
/// Between two replies of a stream it is looked whether there is a new client: it waits for as long
/// as a [`resume`](Service::resume) does.
///
/// This ends when the connection is upgraded, and when a read gives no bytes: on a line that is how
/// the program itself says that it has served enough. What was due has been sent then, but for
/// streams.
///
/// # Errors
///
/// If the line fails, which is not the client's doing. If it can be used again, so can this. What was
/// about to be received or sent may have been cut off anywhere: write a NUL to it first, so that no
/// reply is taken for the rest of that.
///
/// ```
/// # use nullink::service::{Info, Outcome, Refusal, Responder, Service};
/// # use nullink::{Call, End, Interface};
/// # struct Nothing;
/// # impl Service for Nothing {
/// #     type Cursor = ();
/// #     const INTERFACES: &'static [Interface] = &[];
/// #     fn info(&self) -> Info<'_> { Info { vendor: "Example", ..Info::default() } }
/// #     fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
/// #         Err(Refusal::MethodNotFound)
/// #     }
/// # }
/// # let mut service = Nothing;
/// use nullink::{Duplex, serve_line};
///
/// // The first client has gone in the middle of its call. (And in the end, the line is gone, too.)
/// let line = b"{\"method\":\"org.varl\0{\"method\":\"Dance\"}\0";
/// let mut replies = [0; 512];
/// let line = Duplex { reader: &line[..], writer: &mut replies[..] };
/// assert_eq!(serve_line(&mut service, line, &mut [0; 256], &mut [0; 256]), Ok(End::Closed));
/// assert!(replies.starts_with(b"{\"error\":\"org.varlink.service.MethodNotFound\","));
/// ```
pub fn serve_line<'b, S, IO>(
    service: &mut S,
    mut line: IO,
    receive: &'b mut [u8],
    send: &mut [u8],
) -> Result<End<'b, S::Cursor>, Error<IO::Error>>
where
    S: Service,
    IO: Read + ReadReady + Write,
{
    let mut session = service::Session::new(&mut *receive, send);
    let mut line = Line {
        stream: &mut line,
        cut: false,
    };
    // A reply was sent that others follow.
    let mut owed = false;
    let result = loop {
        if owed {
            match fill_if_ready(&mut line, &mut session) {
                Ok(()) if session.is_at_end() => break Ok(End::Closed),
                Ok(()) => {}
                Err(error) => break Err(error),
            }
        }
        while !session.is_upgraded() && session.begins_anew(owed) {
            session.begin_anew(service, line.cut);
            owed = false;
        }
        match advance(service, &mut line, &mut session) {
            Ok(Step::Upgraded(cursor)) => {
                let count = unread_to_front(session);
                let unread = receive.get(..count).unwrap_or_default();
                return Ok(End::Upgraded { cursor, unread });
            }
            // Half a message is no matter of a line that ends.
            Ok(Step::Ended(_)) if session.is_at_end() => break Ok(End::Closed),
            // It can't be closed for its client: the next message is that of a new one.
            Ok(Step::Ended(_)) => {
                session.detach();
                owed = false;
            }
            Ok(step) => owed = matches!(step, Step::Streamed),
            Err(error) => break Err(error),
        }
    };
    session.abandon(service);
    result
}

/// A line, and whether what was sent last has ended inside of a message.
struct Line<'l, IO> {
    stream: &'l mut IO,
    cut: bool,
}

impl<IO: ErrorType> ErrorType for Line<'_, IO> {
    type Error = IO::Error;
}

impl<IO: Read> Read for Line<'_, IO> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, IO::Error> {
        self.stream.read(buffer)
    }
}

impl<IO: ReadReady> ReadReady for Line<'_, IO> {
    fn read_ready(&mut self) -> Result<bool, IO::Error> {
        self.stream.read_ready()
    }
}

impl<IO: Write> Write for Line<'_, IO> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, IO::Error> {
        let count = self.stream.write(bytes)?;
        let sent = bytes.get(..count).unwrap_or(bytes);
        self.cut = sent.last().map_or(self.cut, |last| *last != 0);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), IO::Error> {
        self.stream.flush()
    }
}

/// Receives what is there, without waiting, while a client is owed something.
fn fill_if_ready<IO: Read + ReadReady, C: Copy>(
    line: &mut IO,
    session: &mut service::Session<'_, C>,
) -> Result<(), Error<IO::Error>> {
    if !line.read_ready().map_err(Error::Transport)? {
        return Ok(());
    }
    if session.spare().is_empty() {
        // There has to be room for the NUL of a new client.
        session.skip();
    }
    fill(line, session, usize::MAX).map(drop)
}
