//! The blocking driver for a service: one connection over any stream.

use embedded_io::{Read, Write};

use crate::error::Error;
use crate::io::{fill, send_pending};
use crate::service::{Context, Service, Session, State};

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
/// For the sizes of the buffers see [`Session::new`]. Replies are sent when no complete call is left
/// in `receive`, when half of `send` is full, and before a stream goes on.
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
/// # use nullink::service::{Answer, Info, Refusal, Responder, Service};
/// # use nullink::{Call, End, Interface, serve};
/// # struct Nothing;
/// # impl Service for Nothing {
/// #     const INTERFACES: &'static [Interface] = &[];
/// #     fn info(&self) -> Info<'_> { Info { vendor: "Example", ..Info::default() } }
/// #     fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Answer<'c> {
/// #         Err(Refusal::MethodNotFound)
/// #     }
/// # }
/// # let mut service = Nothing;
/// use nullink::Duplex;
///
/// let calls = b"{\"method\":\"org.varlink.service.GetInfo\"}\0{\"method\":\"Dance\"}\0";
/// let mut replies = [0; 512];
/// let stream = Duplex { reader: &calls[..], writer: &mut replies[..] };
/// assert_eq!(serve(&mut service, stream, &mut [0; 256], &mut [0; 512]), Ok(End::Closed));
///
/// let mut replies = replies.split(|byte| *byte == 0);
/// assert!(replies.next().unwrap().starts_with(b"{\"parameters\":{\"vendor\":\"Example\","));
/// assert_eq!(
///     replies.next().unwrap(),
///     b"{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"Dance\"}}",
/// );
/// ```
pub fn serve<'b, S, C, IO>(
    service: &mut S,
    mut stream: IO,
    receive: &'b mut [u8],
    send: &mut [u8],
) -> Result<End<'b, C>, Error<IO::Error>>
where
    S: Service<C>,
    C: Copy,
    IO: Read + Write,
{
    let mut session = Session::new(&mut *receive, send);
    loop {
        // Replies collect until one is owed that may take the handler some time.
        while session.step_in(service, Context::default()) && !session.state().is_due() {}
        let result = if !session.channel().pending().is_empty() {
            send_pending(&mut stream, session.channel())
        } else {
            match session.state() {
                State::Ended(Ok(())) => return Ok(End::Closed),
                State::Ended(Err(error)) => return Err(error.with_transport()),
                State::Upgraded(cursor) => {
                    let count = unread_to_front(session);
                    let unread = receive.get(..count).unwrap_or_default();
                    return Ok(End::Upgraded { cursor, unread });
                }
                // No call is ever parked here.
                State::Open | State::Due(_) | State::Describing(_) | State::Parked(..) => {
                    fill(&mut stream, session.channel(), usize::MAX).map(drop)
                }
            }
        };
        if let Err(error) = result {
            session.abandon(service);
            return Err(error);
        }
    }
}

/// Moves the unread bytes to the beginning of the receive buffer; returns how many these are.
fn unread_to_front<C: Copy>(mut session: Session<'_, C>) -> usize {
    session.channel().spare();
    session.channel().unread().len()
}
