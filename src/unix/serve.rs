//! One connection after another.

use super::error::Error;
use super::listener::Listener;
use super::receive::Reading;
use super::socket::Kind;
use super::stream::Stream;
use super::time::{BACK_OFF, pause};
use crate::connection::{self, End};
use crate::service::Service;

/// A connection that belongs to another protocol.
#[derive(Debug)]
pub struct Upgraded<'b, C> {
    /// The connection.
    pub stream: Stream,
    /// What the handler has left: [`Upgrade::send`](crate::service::Upgrade::send).
    pub cursor: C,
    /// What has been received of the other protocol: nothing, if the service says that it
    /// [upgrades](Service::UPGRADES).
    pub unread: &'b [u8],
}

/// Serves one connection after another, until one is upgraded.
///
/// While one client is connected, the others wait. What goes wrong with a connection ends that
/// connection; if the system has no descriptors left, the service waits until it has.
///
/// A service that does not upgrade is served for ever. After an upgrade the caller does what the
/// other protocol wants, and calls again.
///
/// `receive` has to hold the longest call and its NUL, `send` the longest reply and its NUL.
///
/// A device can't be closed for its peer to notice. What would end another connection ends the
/// message, and what follows its NUL is served on; every byte is a system call there.
///
/// # Errors
///
/// If the listener does not work.
///
/// ```no_run
/// # use nullink::service::{Info, Outcome, Refusal, Responder, Service};
/// # use nullink::{Call, Interface};
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
/// use nullink::unix::{Listener, serve};
///
/// let (mut receive, mut send) = ([0; 4096], [0; 4096]);
/// let listener = Listener::bind("/run/org.example.ftl")?;
/// serve(&listener, &mut service, &mut receive, &mut send)?;
/// # Ok::<(), nullink::unix::Error>(())
/// ```
pub fn serve<'b, S: Service>(
    listener: &Listener,
    service: &mut S,
    receive: &'b mut [u8],
    send: &mut [u8],
) -> Result<Upgraded<'b, S::Cursor>, Error> {
    loop {
        let mut stream = match listener.accept() {
            Ok(stream) => stream,
            Err(error) if error.is_exhausted() => {
                pause(BACK_OFF)?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let is_line = stream.kind() == Kind::Device;
        stream.set_reading(match (is_line, S::UPGRADES) {
            (true, _) => Reading::ByteByByte,
            (false, true) => Reading::ToUpgrades,
            (false, false) => Reading::Freely,
        });
        loop {
            match connection::serve(service, &mut stream, receive, send) {
                Ok(End::Upgraded { cursor, unread }) => {
                    // It lies at the beginning of the buffer.
                    let count = unread.len();
                    stream.set_reading(Reading::Freely);
                    return Ok(Upgraded {
                        stream,
                        cursor,
                        unread: receive.get(..count).unwrap_or_default(),
                    });
                }
                Ok(End::Closed) | Err(crate::Error::Transport(_)) => break,
                // What can't be closed goes on behind the message that was none.
                Err(_) if is_line => stream.skip_message(receive),
                Err(_) => break,
            }
        }
        stream.close(receive);
        if is_line {
            // Where nobody is at the other end, it ends at once, each time it is opened.
            pause(BACK_OFF)?;
        }
    }
}
