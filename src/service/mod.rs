//! The service's side: what a handler is given, and what becomes of its answer.
//!
//! A program implements [`Service`]. For each call, [`Service::call`] is given the [`Call`] and a
//! [`Responder`], and has to turn the responder into an [`Outcome`], or to refuse: so every call
//! gets exactly one final message. [`Session`] does the rest for one connection, bytes in and
//! bytes out; [`serve`](crate::serve) moves its bytes over a stream.

mod builtin;
mod lent;
mod publish;
mod responder;
mod session;

use crate::error::{EncodeError, Error};
use crate::idl::Interface;
use crate::message::Call;

pub(crate) use lent::{Descriptors, Lent};
pub use publish::Lagging;
pub(crate) use publish::{Item, Published, next_item};
pub use responder::{Outcome, Parameter, Refusal, ReplyStream, Responder, Unsent, Upgrade};
pub use session::{Session, Step};

pub use crate::varlink_service::{Description, GetInfo, GetInterfaceDescription, ServiceError};

/// Who a service is: what `org.varlink.service.GetInfo` says, beside the interfaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info<'a> {
    /// Who makes it: `Fedora`.
    pub vendor: &'a str,
    /// What it is: `Workstation`.
    pub product: &'a str,
    /// Its version, in any form: `27`.
    pub version: &'a str,
    /// Where people find out more: `https://getfedora.org/en/workstation/`.
    pub url: &'a str,
}

/// A service: its interfaces, and their methods.
///
/// ```
/// use nullink::service::{Info, Outcome, Refusal, Responder, Service};
/// use nullink::{Call, Interface, interface};
/// use serde::{Deserialize, Serialize};
///
/// const PING: Interface = interface!(text "
/// interface org.example.ping
///
/// method Ping(ping: string) -> (pong: string)
///
/// error Tired (after: int)
/// ");
///
/// #[derive(Deserialize)]
/// enum Method<'a> { Ping { ping: &'a str } }
///
/// #[derive(Serialize)]
/// struct Pong<'a> { pong: &'a str }
///
/// #[derive(Serialize)]
/// enum Error { Tired { after: u32 } }
///
/// struct Ping { pings: u32 }
///
/// impl Service for Ping {
///     type Cursor = ();
///     const INTERFACES: &'static [Interface] = &[PING];
///
///     fn info(&self) -> Info<'_> {
///         Info { vendor: "Example", product: "Ping", version: "1", url: "https://example.org" }
///     }
///
///     fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
///         let Method::Ping { ping } = call.decode()?;
///         self.pings += 1;
///         Ok(match self.pings {
///             0..=9 => reply.send(&Pong { pong: ping })?,
///             _ => reply.error(&Error::Tired { after: 9 })?,
///         })
///     }
/// }
/// ```
///
/// A service with several interfaces has one more enum around those of its methods:
/// [`Call::decode`].
pub trait Service {
    /// What a stream of replies, or an upgraded connection, is known by, an index or an id for
    /// example: see [`resume`](Self::resume) and [`Upgrade::send`]. `()` for a service that has
    /// neither; with [`Infallible`](core::convert::Infallible), of which there is no value, the
    /// compiler knows that, and a small program is smaller.
    type Cursor: Copy;

    /// The interfaces. `org.varlink.service` is always there and is not among these.
    const INTERFACES: &'static [Interface];

    /// Whether some method upgrades its connection.
    ///
    /// On Unix sockets [`Server`](crate::server::Server) reads nothing beyond the end of a call that
    /// may upgrade then, at the price of one more system call for each read, so that the bare
    /// descriptor can be handed on afterwards: UAPI.20, "`upgrade`". With [`serve`](crate::serve) that
    /// is for the caller to ask for:
    /// [`Stream::stop_at_upgrades`](crate::unix::Stream::stop_at_upgrades).
    const UPGRADES: bool = false;

    /// Whether calls are checked against the definition before they get to the service: what is
    /// unknown, missing, twice there or ill-typed is refused then, whatever the types that it is
    /// decoded into would take, and so are methods that the definition does not have. A service
    /// that wants its own leniency says `false`. (A method that is declared, but that the service
    /// does not have, is not implemented; its parameters are looked at first.)
    ///
    /// In debug builds, what the service answers is checked, too. An answer that is not as defined
    /// is not sent: [`EncodeError::NotAsDefined`].
    const CHECKED: bool = true;

    /// Who the service is.
    fn info(&self) -> Info<'_>;

    /// Whether the client may make this call, before its parameters are looked at:
    /// [`Refusal::PermissionDenied`] is the answer if it may not. Everybody may ask for what
    /// `org.varlink.service` says.
    ///
    /// ```
    /// # use nullink::Call;
    /// # use nullink::service::Refusal;
    /// # struct Passwd { owner: u32 }
    /// # impl Passwd {
    /// // Everybody may read, root and the owner may write.
    /// fn permit(&mut self, call: &Call<'_>) -> Result<(), Refusal> {
    ///     match (call.member(), call.peer()) {
    ///         ("GetAll" | "GetByName" | "GetByUid", _) => Ok(()),
    ///         (_, Some(peer)) if peer.is_root() || peer.uid == self.owner => Ok(()),
    ///         _ => Err(Refusal::PermissionDenied),
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// Where it depends on a parameter, `call.parameters().decode_in(&mut [0; 64])?` reads a copy of
    /// them, and refuses those that are longer. (They are not checked yet.) Or [`call`](Self::call)
    /// decides: it keeps [`Call::peer`] before it decodes.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    fn permit(&mut self, call: &Call<'_>) -> Result<(), Refusal> {
        let _ = call;
        Ok(())
    }

    /// Answers a call of one of the [`INTERFACES`](Self::INTERFACES).
    ///
    /// # Errors
    ///
    /// A [`Refusal`] is answered with one of the standard errors. What was written before is
    /// undone.
    fn call<'c>(
        &mut self,
        call: Call<'c>,
        reply: Responder<'c, Self::Cursor>,
    ) -> Result<Outcome<'c, Self::Cursor>, Refusal>;

    /// Sends the next reply of a stream, where the `cursor` says that it is:
    /// [`ReplyStream::continues`].
    ///
    /// The call is not there any more; what has to be known of it is in the cursor.
    ///
    /// It is called as soon as the reply before is on its way, and should have the next one at hand:
    /// while it waits for something, nothing else is served, and nobody notices that the client has
    /// gone away.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] ends the stream with one of the standard errors; or, if it is one that names
    /// the method, which is not known any more, it ends the connection.
    fn resume<'c>(
        &mut self,
        cursor: Self::Cursor,
        reply: ReplyStream<'c, Self::Cursor>,
    ) -> Result<Outcome<'c, Self::Cursor>, Refusal> {
        let (_, _) = (cursor, reply);
        Err(Refusal::Unsent(EncodeError::Custom))
    }

    /// A connection ends because of an error: of the client's, or because an answer could not be
    /// written. There is nothing to be done about it, but it may be worth a line in a log.
    fn failed(&mut self, error: Error) {
        let _ = error;
    }

    /// A client that [skips](Lagging::Skip) has missed `count` items that it waited for, and has now
    /// read what it was sent: says so to the client, in a reply of the interface's own design, and
    /// waits again ([`ReplyStream::subscribe_with`]); or ends the stream.
    ///
    /// # Errors
    ///
    /// As [`resume`](Self::resume).
    fn missed<'c>(
        &mut self,
        cursor: Self::Cursor,
        count: u32,
        reply: ReplyStream<'c, Self::Cursor>,
    ) -> Result<Outcome<'c, Self::Cursor>, Refusal> {
        let (_, _, _) = (cursor, count, reply);
        Err(Refusal::Unsent(EncodeError::Custom))
    }

    /// A stream has ended before its final reply, or an upgrade before its reply was sent, or a call
    /// that waits before anything was published: the client has gone away, or can't be answered.
    fn abandoned(&mut self, cursor: Self::Cursor) {
        let _ = cursor;
    }
}
