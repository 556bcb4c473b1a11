//! The types that make a handler send exactly one final message for each call.

use core::convert::Infallible;
use core::fmt;
use core::marker::PhantomData;

use serde::Serialize;

use super::Context;
use super::state::{Owed, Request, State};
use crate::error::EncodeError;
use crate::json::{Content, Writer};
use crate::message::{Envelope, Mode};
use crate::peer::Descriptor;
use crate::varlink_service::Refusal;

/// The result of a handler: the [`Outcome`] of its responder, or a [`Refusal`].
///
/// A [`Refusal`] is answered with a standard error. A reply that the handler has already written is
/// not sent. [`Refusal::Unsent`] ends the connection instead.
pub type Answer<'c, C = Infallible> = Result<Outcome<'c, C>, Refusal>;

/// Answers one call. Each method that answers consumes the responder, and makes the [`Outcome`]
/// that the handler must return.
///
/// | answer | methods |
/// |---|---|
/// | one reply | [`send`](Self::send), [`try_send`](Self::try_send) |
/// | an error of the interface | [`error`](Self::error), [`result`](Self::result) |
/// | a standard error | none: the handler returns a [`Refusal`] |
/// | several replies | [`more`](Self::more), then the methods of [`ReplyStream`] |
/// | a reply after a wake | [`park`](Self::park), [`Sent::park`] |
/// | an upgrade to another protocol | [`upgrade`](Self::upgrade), then [`Upgrade::send`] |
///
/// A `oneway` call has a responder as well, but nothing is sent.
///
/// A responder cannot answer twice:
///
/// ```compile_fail
/// # use nullink::service::{Answer, Responder};
/// fn twice<'c>(reply: Responder<'c>) -> Answer<'c> {
///     reply.send(&())?;
///     reply.send(&())
/// }
/// ```
///
/// A handler cannot return without an answer, or with the answer to another call:
///
/// ```compile_fail
/// # use nullink::service::{Answer, Responder};
/// fn other<'c, 'd>(reply: Responder<'c>, _: Responder<'d>) -> Answer<'d> {
///     reply.send(&())
/// }
/// ```
///
/// Without these mistakes, it compiles:
///
/// ```
/// # use nullink::service::{Answer, Responder};
/// fn once<'c, 'd>(reply: Responder<'c>, _: Responder<'d>) -> Answer<'c> {
///     reply.send(&())
/// }
/// ```
pub struct Responder<'c, C = Infallible> {
    room: &'c mut [u8],
    context: &'c mut Context<'c>,
    request: Request,
    brand: Brand<'c, C>,
}

/// Ties an outcome to its call. The lifetime is invariant, so the outcome does not fit another
/// call.
type Brand<'c, C> = PhantomData<(fn(&'c ()) -> &'c (), C)>;

const REPLY: Envelope<'static> = Envelope::Reply { continues: false };
const CONTINUES: Envelope<'static> = Envelope::Reply { continues: true };

impl<'c, C> Responder<'c, C> {
    pub(super) fn new(room: &'c mut [u8], context: &'c mut Context<'c>, request: Request) -> Self {
        Responder {
            room,
            context,
            request,
            brand: PhantomData,
        }
    }

    /// Sends the final reply. `&()` is a reply without parameters.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal::Unsent`] if the reply does not fit into half of the send buffer, or is
    /// not a Varlink value. A handler that returns this refusal ends the connection after the
    /// earlier replies are sent, because the client would wait for a reply that cannot be sent.
    /// [`try_send`](Self::try_send) gives the responder back instead.
    pub fn send<P: Serialize + ?Sized>(self, parameters: &P) -> Answer<'c, C> {
        Ok(self.try_send(parameters)?)
    }

    /// Sends the final reply, or gives the responder back for another answer, such as an error or a
    /// shorter reply.
    ///
    /// # Errors
    ///
    /// Returns [`Unsent`], which holds the responder and the reason, if the reply does not fit into
    /// half of the send buffer, or is not a Varlink value.
    ///
    /// ```
    /// # use nullink::service::{Answer, Responder};
    /// # #[derive(serde::Serialize)] enum Error { TooManyAccounts }
    /// # #[derive(serde::Serialize)] struct All { accounts: [u8; 3] }
    /// fn all<'c>(all: &All, reply: Responder<'c>) -> Answer<'c> {
    ///     match reply.try_send(all) {
    ///         Ok(outcome) => Ok(outcome),
    ///         Err(unsent) => unsent.reply.error(&Error::TooManyAccounts),
    ///     }
    /// }
    /// ```
    pub fn try_send<P>(mut self, parameters: &P) -> Result<Outcome<'c, C>, Unsent<Self>>
    where
        P: Serialize + ?Sized,
    {
        match self.write(REPLY, &|writer| writer.value(parameters)) {
            Ok(length) => Ok(Outcome::new(length, State::Open)),
            Err(why) => Err(Unsent { reply: self, why }),
        }
    }

    /// Sends an error of the call's interface. It is a variant of an enum: the variant's name is
    /// the error's name, its content the parameters. For a standard error, the handler returns a
    /// [`Refusal`] instead.
    ///
    /// Attached descriptors are closed.
    ///
    /// # Errors
    ///
    /// Like [`send`](Self::send).
    ///
    /// ```
    /// # use nullink::service::{Answer, Responder};
    /// #[derive(serde::Serialize)]
    /// enum Error<'a> { NotFound, CreationFailed { field: &'a str } }
    ///
    /// fn fail<'c>(reply: Responder<'c>) -> Answer<'c> {
    ///     // {"error":"com.redhat.accounts.CreationFailed","parameters":{"field":"uid"}}
    ///     reply.error(&Error::CreationFailed { field: "uid" })
    /// }
    /// ```
    pub fn error<E: Serialize + ?Sized>(mut self, error: &E) -> Answer<'c, C> {
        self.context.close_attached();
        let interface = self.request.callee.interface.name();
        let envelope = Envelope::Error { interface };
        let length = self.write(envelope, &|writer| writer.value(error))?;
        Ok(Outcome::new(length, State::Open))
    }

    /// Sends the reply or the error of a result.
    ///
    /// # Errors
    ///
    /// Like [`send`](Self::send).
    ///
    /// ```
    /// # use nullink::service::{Answer, Responder};
    /// # #[derive(serde::Serialize)] enum Error { NotFound }
    /// # #[derive(serde::Serialize)] struct Found<'a> { name: &'a str }
    /// fn find(uid: u32) -> Result<Found<'static>, Error> {
    ///     if uid == 0 { Ok(Found { name: "root" }) } else { Err(Error::NotFound) }
    /// }
    ///
    /// fn get<'c>(uid: u32, reply: Responder<'c>) -> Answer<'c> {
    ///     reply.result(&find(uid))
    /// }
    /// ```
    pub fn result<P, E>(self, result: &Result<P, E>) -> Answer<'c, C>
    where
        P: Serialize,
        E: Serialize,
    {
        match result {
            Ok(parameters) => self.send(parameters),
            Err(error) => self.error(error),
        }
    }

    /// Sends the definition of an interface. If it does not fit, the session sends the rest in
    /// pieces.
    pub(super) fn describe(self, text: &'static str) -> Answer<'c, C> {
        if self.request.mode == Mode::Oneway {
            return self.send(&());
        }
        let (length, state) = write_description(self.room, DESCRIPTION, text.as_bytes())?;
        Ok(Outcome::new(length, state))
    }

    /// Parks the call: [`Service::resume`] answers it after a wake for `topic`. Until then, the
    /// client waits for the reply, and its later calls are not handled.
    ///
    /// A topic is a number that the service chooses. [`Service::woken`] and
    /// [`Server::wake`](crate::server::Server::wake) wake the calls that are parked under it. A
    /// call is parked as soon as its handler returns, so no later wake is missed. Several wakes
    /// before the call is resumed count as one.
    ///
    /// If the client goes away first, [`Service::abandoned`] gets the cursor. For a `oneway` call,
    /// that happens at once.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal::MethodNotImplemented`] over [`serve`](crate::serve()) and
    /// [`Loopback`](crate::Loopback). They serve only one connection, so nothing could wake the
    /// call.
    ///
    /// ```
    /// # use nullink::service::{Answer, Responder};
    /// # struct Door { is_open: bool, is_changed: bool }
    /// const DOOR: u32 = 0; // a topic
    ///
    /// # impl Door {
    /// // The method WaitUntilOpen. The cursor is `()`, because nothing is needed of the call.
    /// fn call<'c>(&mut self, reply: Responder<'c, ()>) -> Answer<'c, ()> {
    ///     if self.is_open { reply.send(&()) } else { reply.park(DOOR, ()) }
    /// }
    ///
    /// fn resume<'c>(&mut self, _: (), reply: Responder<'c, ()>) -> Answer<'c, ()> {
    ///     self.call(reply)
    /// }
    ///
    /// // Another method has set `is_changed`.
    /// fn woken(&mut self) -> Option<u32> {
    ///     std::mem::take(&mut self.is_changed).then_some(DOOR)
    /// }
    /// # }
    /// ```
    ///
    /// [`Service::resume`]: super::Service::resume
    /// [`Service::woken`]: super::Service::woken
    /// [`Service::abandoned`]: super::Service::abandoned
    pub fn park(self, topic: u32, cursor: C) -> Answer<'c, C> {
        park(0, self.context.can_park, topic, cursor, self.request)
    }

    /// Begins or continues an answer with several replies: see [`ReplyStream`]. A method that can
    /// also answer without `more` looks at [`Call::mode`](crate::Call::mode) first.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal::ExpectedMore`] if the call does not have the flag `more`.
    pub fn more(self) -> Result<ReplyStream<'c, C>, Refusal> {
        if self.request.mode == Mode::More {
            Ok(ReplyStream { reply: self })
        } else {
            Err(Refusal::ExpectedMore)
        }
    }

    /// Answers with an upgrade of the connection to another protocol: see [`Upgrade`].
    ///
    /// # Errors
    ///
    /// Returns [`Refusal::ExpectedUpgrade`] if the call does not have the flag `upgrade`.
    pub fn upgrade(self) -> Result<Upgrade<'c, C>, Refusal> {
        if self.request.mode == Mode::Upgrade {
            Ok(Upgrade { reply: self })
        } else {
            Err(Refusal::ExpectedUpgrade)
        }
    }

    /// Returns a pidfd of the calling process, pidfd_open(2), if the server has a
    /// [hook](crate::server::Hooks) that gets it. Unlike a PID, it never refers to another process.
    pub fn pidfd(&self) -> Option<&Descriptor> {
        self.context.pidfd
    }

    /// Takes a descriptor that was sent with the call, by its index, from 0. Descriptors that are
    /// not taken are closed when the handler returns.
    ///
    /// A client can send any file, such as a full pipe that is never read. A write that blocks
    /// stops the service for all clients.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal::InvalidParameter`] for `parameter`, the name of the parameter with the
    /// index, if the call has no such descriptor, or if it was taken before.
    ///
    /// ```
    /// # use nullink::service::{Answer, Responder};
    /// # #[derive(serde::Deserialize)] struct Print { file: usize }
    /// fn print<'c>(call: Print, mut reply: Responder<'c>) -> Answer<'c> {
    ///     let file = reply.descriptor(call.file, "file")?;
    ///     // ...
    ///     reply.send(&())
    /// }
    /// ```
    pub fn descriptor(
        &mut self,
        index: usize,
        parameter: &'static str,
    ) -> Result<Descriptor, Refusal> {
        let descriptors = self.context.descriptors.as_mut();
        let descriptor = descriptors.and_then(|all| all.received.get_mut(index)?.take());
        descriptor.ok_or(Refusal::invalid_parameter(parameter))
    }

    /// Returns the number of descriptors that were sent with the call.
    pub fn descriptors(&self) -> usize {
        let descriptors = self.context.descriptors.as_ref();
        descriptors.map_or(0, |descriptors| descriptors.received.len())
    }

    /// Attaches a descriptor to the reply that this handler sends. Returns its index, for the
    /// parameter that refers to it. The descriptor is closed after it was sent, or if the handler
    /// sends an error or no reply.
    ///
    /// # Errors
    ///
    /// Returns the descriptor if the connection carries no descriptors, or if the reply already has
    /// the maximum number: `DESCRIPTORS` of the server's [`Slots`](crate::server::Slots).
    ///
    /// ```
    /// # use nullink::peer::Descriptor;
    /// # use nullink::service::{Answer, Refusal, Responder};
    /// #[derive(serde::Serialize)]
    /// struct Opened { file: usize }
    ///
    /// fn open<'c>(file: Descriptor, mut reply: Responder<'c>) -> Answer<'c> {
    ///     match reply.attach(file) {
    ///         Ok(index) => reply.send(&Opened { file: index }),
    ///         Err(_) => Err(Refusal::MethodNotImplemented),
    ///     }
    /// }
    /// ```
    pub fn attach(&mut self, descriptor: Descriptor) -> Result<usize, Descriptor> {
        match &mut self.context.descriptors {
            Some(descriptors) => {
                let index = descriptors.attached.len();
                descriptors.attached.push(descriptor).map(|()| index)
            }
            None => Err(descriptor),
        }
    }

    /// Writes a message and returns its length, which is 0 for a `oneway` call.
    fn write(
        &mut self,
        envelope: Envelope<'_>,
        content: Content<'_>,
    ) -> Result<usize, EncodeError> {
        if self.request.mode == Mode::Oneway {
            return Ok(0);
        }
        envelope.write(self.room, content)
    }
}

impl<C> fmt::Debug for Responder<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder")
            .field("room", &self.room.len())
            .field("request", &self.request)
            .finish()
    }
}

/// Answers one call with any number of replies, one at a time.
///
/// A handler sends one reply with [`next`](Self::next), and leaves a cursor with [`Sent::then`] or
/// [`Sent::park`]. Then [`Service::resume`](super::Service::resume) gets the cursor, and sends the
/// next reply. After `then`, it runs as soon as there is room for the reply, and after `park`, when
/// the topic is woken. [`send`](Self::send) sends the final reply. So a stream of any length needs
/// only the room for one reply, and a slow reader does not delay other clients.
///
/// ```
/// # use nullink::service::{Answer, ReplyStream, Responder};
/// #[derive(serde::Serialize)]
/// struct Count { i: u32 }
///
/// // `Service::call` and `Service::resume` of a method that counts to `n`.
/// fn call<'c>(n: u32, reply: Responder<'c, (u32, u32)>) -> Answer<'c, (u32, u32)> {
///     resume((0, n), reply)
/// }
///
/// fn resume<'c>(
///     (i, n): (u32, u32),
///     reply: Responder<'c, (u32, u32)>,
/// ) -> Answer<'c, (u32, u32)> {
///     let reply = reply.more()?;
///     if i + 1 < n {
///         reply.next(&Count { i })?.then((i + 1, n))
///     } else {
///         reply.send(&Count { i })
///     }
/// }
/// ```
#[derive(Debug)]
pub struct ReplyStream<'c, C = Infallible> {
    reply: Responder<'c, C>,
}

impl<'c, C> ReplyStream<'c, C> {
    /// Sends a reply that others follow. The handler must then call [`Sent::then`] or
    /// [`Sent::park`], which tell when the next reply is due.
    ///
    /// # Errors
    ///
    /// Like [`Responder::send`]. A stream cannot continue after a reply that does not fit: choose
    /// replies that always do.
    pub fn next<P: Serialize + ?Sized>(mut self, parameters: &P) -> Result<Sent<'c, C>, Refusal> {
        let content: Content<'_> = &|writer: &mut Writer<'_>| writer.value(parameters);
        let length = self.reply.write(CONTINUES, content)?;
        Ok(Sent {
            length,
            can_park: self.reply.context.can_park,
            request: self.reply.request,
            brand: PhantomData,
        })
    }

    /// Sends the final reply.
    ///
    /// # Errors
    ///
    /// Like [`Responder::send`].
    pub fn send<P: Serialize + ?Sized>(self, parameters: &P) -> Answer<'c, C> {
        self.reply.send(parameters)
    }

    /// Sends an error, which ends the stream.
    ///
    /// # Errors
    ///
    /// Like [`Responder::send`].
    pub fn error<E: Serialize + ?Sized>(self, error: &E) -> Answer<'c, C> {
        self.reply.error(error)
    }

    /// Parks the stream without a reply. The next reply is due after a wake for `topic`.
    ///
    /// # Errors
    ///
    /// Like [`Responder::park`].
    pub fn park(self, topic: u32, cursor: C) -> Answer<'c, C> {
        self.reply.park(topic, cursor)
    }

    /// Attaches a descriptor to the reply that this handler sends: see [`Responder::attach`].
    ///
    /// # Errors
    ///
    /// Like [`Responder::attach`].
    pub fn attach(&mut self, descriptor: Descriptor) -> Result<usize, Descriptor> {
        self.reply.attach(descriptor)
    }
}

/// A reply that others follow, written by [`ReplyStream::next`]. It is sent if the handler returns
/// the outcome of [`then`](Self::then) or [`park`](Self::park).
#[derive(Debug)]
#[must_use = "`then` or `park` must follow"]
pub struct Sent<'c, C = Infallible> {
    length: usize,
    can_park: bool,
    request: Request,
    brand: Brand<'c, C>,
}

impl<'c, C> Sent<'c, C> {
    /// Makes the next reply due as soon as there is room for it. Then
    /// [`Service::resume`](super::Service::resume) gets the cursor, and should be able to reply
    /// without waiting. While it waits, no other client is served.
    ///
    /// # Errors
    ///
    /// Never fails. It returns an [`Answer`] because a handler does.
    pub fn then(self, cursor: C) -> Answer<'c, C> {
        let request = self.request;
        Ok(Outcome::new(
            self.length,
            State::Due(Owed { cursor, request }),
        ))
    }

    /// Parks the stream: the next reply is due after a wake for `topic`. No wake after the handler
    /// has returned is missed.
    ///
    /// # Errors
    ///
    /// Like [`Responder::park`]. If it fails, the reply is not sent.
    pub fn park(self, topic: u32, cursor: C) -> Answer<'c, C> {
        park(self.length, self.can_park, topic, cursor, self.request)
    }
}

fn park<'c, C>(
    length: usize,
    can_park: bool,
    topic: u32,
    cursor: C,
    request: Request,
) -> Answer<'c, C> {
    if can_park {
        Ok(Outcome::new(
            length,
            State::Parked(topic, Owed { cursor, request }),
        ))
    } else {
        Err(Refusal::MethodNotImplemented)
    }
}

/// Answers a call with an upgrade of the connection to another protocol.
#[derive(Debug)]
pub struct Upgrade<'c, C = Infallible> {
    reply: Responder<'c, C>,
}

impl<'c, C> Upgrade<'c, C> {
    /// Sends the reply that confirms the upgrade. When it is sent, the program gets the stream, the
    /// cursor, and the bytes of the other protocol that were already received: see
    /// [`Server::take`](crate::server::Server::take) and [`End::Upgraded`](crate::End::Upgraded).
    ///
    /// # Errors
    ///
    /// Like [`Responder::send`].
    pub fn send<P: Serialize + ?Sized>(mut self, parameters: &P, cursor: C) -> Answer<'c, C> {
        let length = self
            .reply
            .write(REPLY, &|writer| writer.value(parameters))?;
        Ok(Outcome::new(length, State::Upgraded(cursor)))
    }

    /// Sends an error. The connection remains a Varlink connection.
    ///
    /// # Errors
    ///
    /// Like [`Responder::send`].
    pub fn error<E: Serialize + ?Sized>(self, error: &E) -> Answer<'c, C> {
        self.reply.error(error)
    }
}

/// The error of [`Responder::try_send`], with the responder for another answer.
///
/// The handler can also return it with `?`, as [`Refusal::Unsent`], which ends the connection.
#[derive(Debug)]
pub struct Unsent<R> {
    /// The unused responder.
    pub reply: R,
    /// The reason why the reply could not be written.
    pub why: EncodeError,
}

impl<R> From<Unsent<R>> for Refusal {
    fn from(unsent: Unsent<R>) -> Self {
        Refusal::Unsent(unsent.why)
    }
}

/// Proof that a handler has answered or parked its call. Only a [`Responder`] and the types that it
/// becomes create it.
#[derive(Debug)]
#[must_use = "the handler must return it"]
pub struct Outcome<'c, C = Infallible> {
    length: usize,
    state: State<C>,
    brand: Brand<'c, C>,
}

impl<C> Outcome<'_, C> {
    fn new(length: usize, state: State<C>) -> Self {
        Outcome {
            length,
            state,
            brand: PhantomData,
        }
    }

    /// Returns the length of the written message, and the next state of the session.
    pub(super) fn into_parts(self) -> (usize, State<C>) {
        (self.length, self.state)
    }
}

/// The beginning of a reply to `GetInterfaceDescription`.
const DESCRIPTION: &[u8] = b"{\"parameters\":{\"description\":\"";
/// The end of a reply to `GetInterfaceDescription`.
const END_OF_DESCRIPTION: &[u8] = b"\"}}\0";

/// Writes `begin`, as much of a description as there is room for, and the end of the reply if it
/// fits as well. Returns the length, and the next state, which sends the rest.
pub(super) fn write_description<C>(
    room: &mut [u8],
    begin: &[u8],
    text: &'static [u8],
) -> Result<(usize, State<C>), EncodeError> {
    let mut writer = Writer::new(room);
    writer.bytes(begin);
    let rest = writer.part(text);
    let ends = rest.is_empty() && writer.room() >= END_OF_DESCRIPTION.len();
    if ends {
        writer.bytes(END_OF_DESCRIPTION);
    }
    match writer.end()? {
        0 => Err(EncodeError::Full),
        length if ends => Ok((length, State::Open)),
        length => Ok((length, State::Describing(rest))),
    }
}
