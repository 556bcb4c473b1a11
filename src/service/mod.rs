//! The service's side: what a handler is given, and what becomes of its answer.
//!
//! A program implements [`Service`]. For each call, [`Service::call`] is given the [`Call`] and a
//! [`Responder`], and has to turn the responder into an [`Outcome`], or to refuse: so every call
//! gets exactly one final message. [`Session`] does the rest for one connection, bytes in and
//! bytes out; [`serve`](crate::serve) moves its bytes over a stream.

mod builtin;
mod check;
mod context;
mod responder;
mod session;
mod state;

use core::convert::Infallible;

use crate::error::Error;
use crate::idl::Interface;
use crate::message::Call;

pub(crate) use context::Context;
#[cfg(all(feature = "unix", target_os = "linux"))]
pub(crate) use context::Descriptors;
pub use responder::{Answer, Outcome, ReplyStream, Responder, Sent, Unsent, Upgrade};
pub use session::Session;
pub use state::{Owed, State};

pub use crate::varlink_service::{
    Description, GetInfo, GetInterfaceDescription, Parameter, Refusal, ServiceError,
};

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

impl<'a> Info<'a> {
    /// Makes the information from its fields, in their order.
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
/// A service with several interfaces has one more enum around those of its methods:
/// [`Call::decode`].
///
/// `C` is the type of the service's cursors. A method with more than one reply, an answer that
/// comes later, or an upgrade leaves a cursor when its handler returns, an index for example, and
/// [`resume`](Self::resume) is given it back. A service that has no such methods names no `C`. The
/// default, [`Infallible`], has no value, so the compiler leaves the code for cursors out.
pub trait Service<C: Copy = Infallible> {
    /// The interfaces. `org.varlink.service` is always served and is not among these.
    const INTERFACES: &'static [Interface];

    /// True if some method upgrades its connection.
    ///
    /// On Unix sockets [`Server`](crate::server::Server) then reads exactly to the end of each
    /// message, so that the bare descriptor can be handed on after an upgrade: UAPI.20,
    /// "`upgrade`". That costs one more system call for each message. With
    /// [`serve`](crate::serve()), the caller sets it:
    /// [`Stream::set_reading`](crate::unix::Stream::set_reading).
    const UPGRADES: bool = false;

    /// True if calls are checked against the definition before they get to the service.
    ///
    /// A method that the definition does not have is refused then, and so is a parameter that is
    /// unknown, missing, ill-typed or there twice, whatever the type that it is decoded into would
    /// take.
    ///
    /// In debug builds answers are checked, too. One that is not as defined is not sent, and ends
    /// the connection: [`Error::NotAsDefined`].
    const CHECKED: bool = true;

    /// Who the service is, for `org.varlink.service.GetInfo`.
    fn info(&self) -> Info<'_>;

    /// Decides whether the client may make this call, before its parameters are checked. Everybody
    /// may call `org.varlink.service`.
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
    /// Where it depends on a parameter, `call.parameters().decode_in(&mut [0; 64])?` reads a copy
    /// of the parameters, and refuses longer ones. Or [`call`](Self::call) decides: it keeps
    /// [`Call::peer`] before it decodes.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call); [`Refusal::PermissionDenied`] is made for this.
    fn permit(&mut self, call: &Call<'_>) -> Result<(), Refusal> {
        let _ = call;
        Ok(())
    }

    /// Answers a call of one of the [`INTERFACES`](Self::INTERFACES).
    ///
    /// # Errors
    ///
    /// A [`Refusal`] is answered with a standard error. What was written before is undone.
    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, C>) -> Answer<'c, C>;

    /// Answers a call whose handler has left a cursor: with the next reply of a stream
    /// ([`Sent::then`]), or after a wake ([`Responder::park`]).
    ///
    /// The call is gone; the cursor has to hold what is needed of it. The responder has the mode
    /// of the call, as it had in [`call`](Self::call).
    ///
    /// A wake only says that something may have happened. A handler that finds nothing for this
    /// client parks it again.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call). A refusal that names the method ends the connection, because the
    /// name is gone.
    fn resume<'c>(&mut self, cursor: C, reply: Responder<'c, C>) -> Answer<'c, C> {
        let (_, _) = (cursor, reply);
        Err(Refusal::MethodNotImplemented)
    }

    /// A topic to wake. [`Server`](crate::server::Server) asks after every handler, until there is
    /// none, and wakes the calls that are parked under each. So the handler of one client reaches
    /// the parked calls of others.
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

    /// A connection ends because of an error: the client's, or an answer that could not be
    /// written. Nothing can be done about it, but it may be worth a line in a log.
    fn failed(&mut self, error: Error) {
        let _ = error;
    }

    /// The client of a call that has left this cursor is gone, or cannot be answered: no reply is
    /// owed any more. A cursor that [`resume`](Self::resume) was given does not come here as well.
    /// A server or session that is dropped tells nothing.
    fn abandoned(&mut self, cursor: C) {
        let _ = cursor;
    }
}
