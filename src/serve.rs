//! The blocking driver for a service: one connection over any stream.

use embedded_io::{Read, Write};

use crate::error::Error;
use crate::io::{fill, send_pending, write};
use crate::service::{self, Service, Step};

/// How a connection to a service has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End<'b, C> {
    /// The client has closed it, after its last call was answered.
    Closed,
    /// It belongs to another protocol, at the client's wish and the service's consent.
    Upgraded {
        /// What the handler has left: [`Upgrade::send`](crate::service::Upgrade::send).
        cursor: C,
        /// What has been received of the other protocol: the beginning of the receive buffer. It
        /// comes before anything that is read from the stream.
        unread: &'b [u8],
    },
}

/// Serves one connection to its end, blocking.
///
/// `receive` has to hold the longest call and its NUL, `send` the longest reply and its NUL.
/// Replies are sent when no complete call is left in `receive`, when `send` is full, and before a
/// stream goes on.
///
/// The stream can be passed as `&mut stream`, to have it afterwards.
///
/// # Errors
///
/// The connection is over then, and all that is left to do is to close the stream. What was due
/// has been sent, unless the error is that of sending. [`Error::Encode`] is the only one that is
/// the service's own: an answer that could not be written.
///
/// ```
/// # use nullink::service::{Info, Outcome, Refusal, Responder, Service};
/// # use nullink::{Call, End, Interface, serve};
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
/// use nullink::Duplex;
///
/// let calls = b"{\"method\":\"org.varlink.service.GetInfo\"}\0{\"method\":\"Dance\"}\0";
/// let mut replies = [0; 512];
/// let stream = Duplex { reader: &calls[..], writer: &mut replies[..] };
/// assert_eq!(serve(&mut service, stream, &mut [0; 256], &mut [0; 256]), Ok(End::Closed));
///
/// let mut replies = replies.split(|byte| *byte == 0);
/// assert!(replies.next().unwrap().starts_with(b"{\"parameters\":{\"vendor\":\"Example\","));
/// assert_eq!(
///     replies.next().unwrap(),
///     b"{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"Dance\"}}",
/// );
/// ```
pub fn serve<'b, S, IO>(
    service: &mut S,
    mut stream: IO,
    receive: &'b mut [u8],
    send: &mut [u8],
) -> Result<End<'b, S::Cursor>, Error<IO::Error>>
where
    S: Service,
    IO: Read + Write,
{
    let mut session = service::Session::new(&mut *receive, send);
    loop {
        match advance(service, &mut stream, &mut session) {
            Ok(Step::Upgraded(cursor)) => {
                let count = unread_to_front(session);
                let unread = receive.get(..count).unwrap_or_default();
                return Ok(End::Upgraded { cursor, unread });
            }
            Ok(Step::Ended(Ok(()))) => return Ok(End::Closed),
            Ok(Step::Ended(Err(error))) => return Err(error.over()),
            Ok(_) => {}
            Err(error) => {
                session.abandon(service);
                return Err(error);
            }
        }
    }
}

/// Makes a step of a session, and moves the bytes that it asks for.
pub(crate) fn advance<S, IO>(
    service: &mut S,
    stream: &mut IO,
    session: &mut service::Session<'_, S::Cursor>,
) -> Result<Step<S::Cursor>, Error<IO::Error>>
where
    S: Service,
    IO: Read + Write,
{
    let mut failed = None;
    let mut drain = |bytes: &[u8]| {
        // Once it has failed, part of them may have been sent: nothing can follow.
        if failed.is_none() {
            failed = write(stream, bytes).err();
        }
        failed.is_none()
    };
    let step = session.step(service, Some(&mut drain));
    if let Some(error) = failed {
        return Err(error);
    }
    match step {
        Step::Streamed | Step::Write => send_pending(stream, session)?,
        // (Nothing is ever parked here.)
        Step::Read | Step::Parked => _ = fill(stream, session, usize::MAX)?,
        Step::Called | Step::Upgraded(_) | Step::Ended(_) => {}
    }
    Ok(step)
}

/// Moves what is unread to the beginning of the buffer, and returns how much that is.
pub(crate) fn unread_to_front<C: Copy>(mut session: service::Session<'_, C>) -> usize {
    session.spare();
    session.into_unread().len()
}
