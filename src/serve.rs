//! The blocking driver of a service, for one connection over any stream.

use embedded_io::{Read, Write};

use crate::error::Error;
use crate::io::{fill, send_pending};
use crate::service::{Context, Service, Session, State};

/// The end of a connection that [`serve`] has served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End<'b, C> {
    /// The client has closed the connection, and its calls were answered.
    Closed,
    /// The connection was upgraded, and now belongs to another protocol.
    Upgraded {
        /// The cursor of [`Upgrade::send`](crate::service::Upgrade::send).
        cursor: C,
        /// The bytes of the other protocol that were already received, at the beginning of the
        /// receive buffer. The bytes that are read from the stream follow them.
        unread: &'b [u8],
    },
}

/// Serves one connection until it ends, with blocking I/O.
///
/// [`Session::new`] describes the sizes of the buffers. Replies are sent when no complete call is
/// left in `receive`, when half of `send` is full, and before the next reply of a stream. Calls
/// have no [peer](crate::Call::peer) and no descriptors, and they cannot be
/// [parked](crate::Responder::park).
///
/// Pass the stream as `&mut stream` if it is needed afterwards.
///
/// # Errors
///
/// Fails if the connection has failed. All earlier replies were sent, unless sending itself has
/// failed. The caller should close the stream. [`Error::Encode`] and [`Error::NotAsDefined`] are
/// errors of the service: an answer could not be written, or does not match the definition.
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
        // Replies collect, but must not wait for the next reply of a stream, whose handler may take
        // some time.
        while session.step_in(service, Context::default()) && !session.state().is_due() {}
        let result = if !session.channel().pending().is_empty() {
            send_pending(&mut stream, session.channel())
        } else {
            match session.state() {
                State::Ended(Ok(())) => return Ok(End::Closed),
                State::Ended(Err(error)) => {
                    // No cursor is left, but the buffers of a SENSITIVE service are erased.
                    session.abandon(service);
                    return Err(error.with_transport());
                }
                State::Upgraded(cursor) => {
                    let count = unread_to_front(session);
                    let unread = receive.get(..count).unwrap_or_default();
                    return Ok(End::Upgraded { cursor, unread });
                }
                // `Parked` does not occur, because `can_park` is false.
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

/// Moves the unread bytes to the beginning of the receive buffer, and returns their number.
fn unread_to_front<C: Copy>(mut session: Session<'_, C>) -> usize {
    // Making room moves them.
    session.channel().spare();
    session.channel().unread().len()
}
