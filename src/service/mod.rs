//! The service's side of one connection.
//!
//! A program implements [`Service`]. Its handler [`Service::call`] gets each [`Call`] with a
//! [`Responder`]. It returns the [`Outcome`] that the responder makes, or a [`Refusal`], which is
//! answered with a standard error. So every call gets exactly one final message.
//!
//! A [`Session`] holds the state of one connection. A driver moves its bytes:
//! [`Server`](crate::server::Server) for many connections on Linux, or [`serve`](crate::serve())
//! for one connection over any stream.
//!
//! # Several replies
//!
//! The call must have the flag `more`. [`Responder::more`] checks that, and returns a
//! [`ReplyStream`]. Each run of a handler sends one reply: [`ReplyStream::next`] writes it, and
//! [`Sent::then`] leaves a cursor, a small value that tells where to continue. As soon as there is
//! room for the next reply, [`Service::resume`] gets the cursor and a new responder, and continues
//! in the same way. [`ReplyStream::send`] sends the final reply. [`ReplyStream`] has an example.
//!
//! # Later replies
//!
//! A handler must not wait, because no other client is served meanwhile. Instead,
//! [`Responder::park`] leaves a cursor, and parks the call under a topic: a number that the service
//! chooses. [`Sent::park`] parks a stream after a reply. Later, another handler wakes the topic
//! through [`Service::woken`], or the program's loop wakes it with
//! [`Server::wake`](crate::server::Server::wake). Then [`Service::resume`] runs for each call that
//! is parked under the topic. It sends a reply, or parks the call again. If the client goes away
//! first, [`Service::abandoned`] gets the cursor. [`Responder::park`] has an example.
//!
//! # File descriptors
//!
//! [`Responder::descriptor`] takes a descriptor that was sent with the call, and
//! [`Responder::attach`] sends one with the reply. Parameters refer to descriptors by index. This
//! needs a [`Server`](crate::server::Server) on a Unix socket, with a `DESCRIPTORS` of at least 1
//! in its [`Slots`](crate::server::Slots).
//!
//! # Replies that do not fit
//!
//! The room for a reply is half of the send buffer, also for pipelined calls. So a reply that fits
//! once always fits. [`Responder::send`] returns [`Refusal::Unsent`] for a reply that does not fit.
//! A handler that returns this refusal ends the connection, because the client would wait for a
//! reply that cannot be sent, and no standard error says that there is none: UAPI.20. Then
//! [`Service::failed`] gets a [`SessionError`] that names the method and the room, and the client
//! gets [`Error::Closed`](crate::Error::Closed). [`Responder::try_send`] gives the responder back instead, so that the
//! handler can answer with an error or a shorter reply.

mod builtin;
mod check;
mod context;
mod control;
mod error;
mod responder;
mod session;
mod state;

use core::convert::Infallible;

use crate::idl::Interface;
use crate::message::Call;

pub(crate) use context::Context;
#[cfg(all(feature = "unix", target_os = "linux"))]
pub(crate) use context::Descriptors;
pub use control::Control;
pub use error::SessionError;
pub use responder::{Answer, Outcome, ReplyStream, Responder, Sent, Unsent, Upgrade};
pub use session::Session;
pub use state::State;

pub use crate::varlink_service::{
    Description, GetInfo, GetInterfaceDescription, Parameter, Refusal, ServiceError,
};

/// The vendor, product, version and URL of a service, for the reply to
/// `org.varlink.service.GetInfo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info<'a> {
    /// The vendor: `Fedora`.
    pub vendor: &'a str,
    /// The name of the product: `Workstation`.
    pub product: &'a str,
    /// The version, in any form: `27`.
    pub version: &'a str,
    /// The URL of a page about the product: `https://getfedora.org/en/workstation/`.
    pub url: &'a str,
}

impl<'a> Info<'a> {
    /// Creates the information from its fields.
    pub const fn new(vendor: &'a str, product: &'a str, version: &'a str, url: &'a str) -> Self {
        Info {
            vendor,
            product,
            version,
            url,
        }
    }
}

/// A service: its interfaces, and their methods.
///
/// ```
/// use nullink::service::{Answer, Info, Responder, Service};
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
///     const INTERFACES: &'static [Interface] = &[PING];
///
///     fn info(&self) -> Info<'_> {
///         Info { vendor: "Example", product: "Ping", version: "1", url: "https://example.org" }
///     }
///
///     fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
///         let Method::Ping { ping } = call.decode()?;
///         self.pings += 1;
///         match self.pings {
///             0..=9 => reply.send(&Pong { pong: ping }),
///             _ => reply.error(&Error::Tired { after: 9 }),
///         }
///     }
/// }
/// ```
///
/// A service with several interfaces decodes its calls with an enum of enums: [`Call::decode`].
///
/// `C` is the type of the service's cursors. A handler leaves a cursor, such as an index, when it
/// sends a reply that others follow, parks its call, or upgrades the connection. The cursor of a
/// stream or a parked call is passed to [`resume`](Self::resume), that of an upgrade to the
/// program. If several methods leave cursors, `C` is an enum. A service without such methods omits
/// `C`. The default, [`Infallible`], has no value, so
/// the compiler removes the code for cursors.
pub trait Service<C: Copy = Infallible> {
    /// The interfaces of the service, without `org.varlink.service`, which is always served.
    const INTERFACES: &'static [Interface];

    /// True if a method of the service upgrades its connection.
    ///
    /// If true, [`Server`](crate::server::Server) reads from Unix sockets exactly to the end of
    /// each message, so that the bare descriptor can be passed on after an upgrade: UAPI.20,
    /// "`upgrade`". This costs one more system call for each message. With
    /// [`serve`](crate::serve()), the caller must set it with
    /// [`Stream::set_reading`](crate::unix::Stream::set_reading).
    const UPGRADES: bool = false;

    /// True if calls are checked against the definition before the handler gets them.
    ///
    /// A call is refused if the definition does not have its method, or if a parameter is unknown,
    /// missing, of another type or present twice, even if the type that it is decoded into would
    /// accept it.
    ///
    /// In debug builds, answers are checked as well. An answer that differs from the definition is
    /// not sent, and ends the connection: [`Error::NotAsDefined`](crate::Error::NotAsDefined).
    const CHECKED: bool = true;

    /// True if the service handles secrets: the buffers of a connection are overwritten as soon as
    /// an answer was sent, and when the connection ends.
    ///
    /// This takes a pass over both buffers for each call. It does not reach copies that the handler
    /// makes, or the buffers of the kernel. The library has no `unsafe` code, so it depends on the
    /// compiler: a test looks for a secret in the memory of an optimized service.
    const SENSITIVE: bool = false;

    /// Returns the vendor, product, version and URL of the service, for
    /// `org.varlink.service.GetInfo`.
    fn info(&self) -> Info<'_>;

    /// Decides whether the client may make this call, before its parameters are checked. Calls of
    /// `org.varlink.service` are always permitted.
    ///
    /// ```
    /// # use nullink::Call;
    /// # use nullink::service::Refusal;
    /// # struct Passwd { owner: u32 }
    /// # impl Passwd {
    /// // Every client may read. Only root and the owner may write.
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
    /// If the decision depends on a parameter, `call.parameters().decode_in(&mut [0; 64])?` decodes
    /// a copy of the parameters, and refuses parameters that are longer than the buffer. Or
    /// [`call`](Self::call) decides: it reads [`Call::peer`] before it decodes the call.
    ///
    /// # Errors
    ///
    /// Returns a [`Refusal`], usually [`Refusal::PermissionDenied`], if the client may not make the
    /// call.
    fn permit(&mut self, call: &Call<'_>) -> Result<(), Refusal> {
        let _ = call;
        Ok(())
    }

    /// Answers a call of one of the [`INTERFACES`](Self::INTERFACES).
    ///
    /// # Errors
    ///
    /// Returns a [`Refusal`], which is answered with a standard error. A reply that the handler has
    /// already written is not sent. [`Refusal::Unsent`] ends the connection.
    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, C>) -> Answer<'c, C>;

    /// Continues to answer a call whose handler has left a cursor: sends the next reply of a stream
    /// ([`Sent::then`]), or answers after a wake ([`Responder::park`]).
    ///
    /// The call itself is no longer in the receive buffer, so the cursor must hold everything that
    /// is needed of it. The responder has the mode of the call.
    ///
    /// A wake only says that something may have changed. A handler that has nothing for this client
    /// parks the call again.
    ///
    /// # Errors
    ///
    /// Like [`call`](Self::call). In addition, [`Refusal::MethodNotFound`],
    /// [`Refusal::MethodNotImplemented`] and [`Refusal::InterfaceNotFound`] end the connection,
    /// because the name is no longer known.
    fn resume<'c>(&mut self, cursor: C, reply: Responder<'c, C>) -> Answer<'c, C> {
        let (_, _) = (cursor, reply);
        Err(Refusal::MethodNotImplemented)
    }

    /// Returns the next topic to wake, if any. [`Server`](crate::server::Server) calls it after
    /// every handler until it returns None, and wakes the calls that are parked under each topic.
    /// So a handler for one client wakes the parked calls of other clients.
    ///
    /// ```
    /// # struct Meter { changed: bool }
    /// # const LEVEL: u32 = 1;
    /// # impl Meter {
    /// fn woken(&mut self) -> Option<u32> {
    ///     std::mem::take(&mut self.changed).then_some(LEVEL)
    /// }
    /// # }
    /// ```
    fn woken(&mut self) -> Option<u32> {
        None
    }

    /// Called once when a connection ends because its client has broken the protocol or sent a
    /// message that is too long, or because an answer could not be written. The service may log the
    /// error. [`SessionError`] has an example.
    fn failed(&mut self, error: SessionError) {
        let _ = error;
    }

    /// Called with the cursor of a call that gets no further reply, because its client is gone or
    /// the reply cannot be sent. A cursor that was passed to [`resume`](Self::resume) is not passed
    /// to this method as well. Dropping a server or a session does not call it.
    fn abandoned(&mut self, cursor: C) {
        let _ = cursor;
    }
}
