//! Exactly one final message for each call: the types that see to it.

use core::convert::Infallible;
use core::fmt;
use core::marker::PhantomData;

use serde::Serialize;

use super::Context;
use super::state::{Owed, Request, State};
use crate::error::EncodeError;
use crate::json::Writer;
use crate::message::{Content, Envelope, Mode};
use crate::peer::Descriptor;
use crate::varlink_service::Refusal;

/// What a handler returns: the [`Outcome`] of its responder, or why it refuses the call.
///
/// A [`Refusal`] is answered with a standard error. What was written before is undone.
pub type Answer<'c, C = Infallible> = Result<Outcome<'c, C>, Refusal>;

/// Answers one call. Every way to answer consumes it and makes the [`Outcome`] that the handler has
/// to return.
///
/// A `oneway` call has a responder like any other, and nothing is sent.
///
/// It cannot answer twice:
///
/// ```compile_fail
/// # use nullink::service::{Answer, Responder};
/// fn twice<'c>(reply: Responder<'c>) -> Answer<'c> {
///     reply.send(&())?;
///     reply.send(&())
/// }
/// ```
///
/// Nor can a handler return without an answer, or with one that was made for another call:
///
/// ```compile_fail
/// # use nullink::service::{Answer, Responder};
/// fn other<'c, 'd>(reply: Responder<'c>, _: Responder<'d>) -> Answer<'d> {
///     reply.send(&())
/// }
/// ```
///
/// Without the mistakes it compiles:
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

/// Ties an outcome to its call: the lifetime is invariant, so it fits no other.
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
    /// [`Refusal::Unsent`], if the reply does not fit into half of the send buffer, or is not a
    /// Varlink value. A handler that returns it ends the connection, after the replies before this
    /// one: the client waits for a reply that cannot come. [`try_send`](Self::try_send) gives the
    /// responder back instead.
    pub fn send<P: Serialize + ?Sized>(self, parameters: &P) -> Answer<'c, C> {
        Ok(self.try_send(parameters)?)
    }

    /// Sends the final reply, or gives the responder back for another answer.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
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
        match self.write(REPLY, &|writer| _ = writer.value(parameters)) {
            Ok(length) => Ok(Outcome::new(length, State::Open)),
            Err(why) => Err(Unsent { reply: self, why }),
        }
    }

    /// Sends an error of the call's interface: the variant of an enum is its name, the content of
    /// the variant its parameters. For the standard errors, return a [`Refusal`].
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
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
        let length = self.write(envelope, &|writer| _ = writer.value(error))?;
        Ok(Outcome::new(length, State::Open))
    }

    /// Sends the reply, or the error, that a result holds.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
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

    /// Sends the definition of an interface, in pieces if it does not fit: the session sends the
    /// rest.
    pub(super) fn describe(self, text: &'static str) -> Answer<'c, C> {
        if self.request.mode == Mode::Oneway {
            return self.send(&());
        }
        let (length, state) = describe(self.room, DESCRIPTION, text.as_bytes())?;
        Ok(Outcome::new(length, state))
    }

    /// Parks the call: it is answered later, by [`Service::resume`], after a wake for `topic`.
    /// Until then the client waits, and so do its calls after this one.
    ///
    /// The call is parked from the moment the handler returns. Several wakes before it is resumed
    /// are one. A topic is a number of the service's own choice.
    ///
    /// If the client goes away first, [`Service::abandoned`] is given the cursor; for a `oneway`
    /// call that happens at once.
    ///
    /// # Errors
    ///
    /// [`Refusal::MethodNotImplemented`] over [`serve`](crate::serve()) and
    /// [`Loopback`](crate::Loopback), which serve no other connection: nothing could wake the call.
    ///
    /// [`Service::resume`]: super::Service::resume
    /// [`Service::abandoned`]: super::Service::abandoned
    pub fn park(self, topic: u32, cursor: C) -> Answer<'c, C> {
        park(0, self.context.can_park, topic, cursor, self.request)
    }

    /// Answers with several replies: for a method that needs `more`. A method that has a plain
    /// answer as well looks at [`Call::mode`](crate::Call::mode) first.
    ///
    /// # Errors
    ///
    /// [`Refusal::ExpectedMore`], if the call does not have the flag.
    pub fn more(self) -> Result<ReplyStream<'c, C>, Refusal> {
        if self.request.mode == Mode::More {
            Ok(ReplyStream { reply: self })
        } else {
            Err(Refusal::ExpectedMore)
        }
    }

    /// Answers by handing over the connection: for a method that needs `upgrade`.
    ///
    /// # Errors
    ///
    /// [`Refusal::ExpectedUpgrade`], if the call does not have the flag.
    pub fn upgrade(self) -> Result<Upgrade<'c, C>, Refusal> {
        if self.request.mode == Mode::Upgrade {
            Ok(Upgrade { reply: self })
        } else {
            Err(Refusal::ExpectedUpgrade)
        }
    }

    /// A pidfd of the process that calls, pidfd_open(2), if the server has a
    /// [hook](crate::server::Hooks) to ask for it. Unlike the number of a process, it never means
    /// another one.
    pub fn pidfd(&self) -> Option<&Descriptor> {
        self.context.pidfd
    }

    /// Takes the descriptor with this index, from 0, that came with the call. Descriptors that are
    /// not taken are closed.
    ///
    /// It can be any file, such as a pipe that nobody reads: a write that blocks stops the service
    /// for everybody.
    ///
    /// # Errors
    ///
    /// [`Refusal::InvalidParameter`] for `parameter`, the one that has the index, if there is no
    /// such descriptor, or if it was taken before.
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

    /// How many descriptors came with the call.
    pub fn descriptors(&self) -> usize {
        let descriptors = self.context.descriptors.as_ref();
        descriptors.map_or(0, |descriptors| descriptors.received.len())
    }

    /// Sends a descriptor with the next reply. Returns its index, for the parameter that refers to
    /// it. It is closed when it is sent, or if an error is sent.
    ///
    /// # Errors
    ///
    /// The descriptor, if the connection carries none, or no more with one message.
    pub fn attach(&mut self, descriptor: Descriptor) -> Result<usize, Descriptor> {
        match &mut self.context.descriptors {
            Some(descriptors) => {
                let index = descriptors.attached.len();
                descriptors.attached.push(descriptor).map(|()| index)
            }
            None => Err(descriptor),
        }
    }

    /// Writes a message; returns its length, which is 0 if nothing is to be sent.
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
/// A handler sends one reply and leaves a cursor. [`Service::resume`](super::Service::resume) is
/// given the cursor, and sends the next: at once ([`Sent::then`]), or after a wake
/// ([`Sent::park`]). So a stream of any length needs no more room than one reply, and a reader that
/// stalls holds up nobody else.
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
    /// Sends a reply that others follow. Say with [`then`](Sent::then) or [`park`](Sent::park)
    /// when the next one is due.
    ///
    /// # Errors
    ///
    /// As [`Responder::send`].
    pub fn next<P: Serialize + ?Sized>(mut self, parameters: &P) -> Result<Sent<'c, C>, Refusal> {
        let content: Content<'_> = &|writer: &mut Writer<'_>| _ = writer.value(parameters);
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
    /// As [`Responder::send`].
    pub fn send<P: Serialize + ?Sized>(self, parameters: &P) -> Answer<'c, C> {
        self.reply.send(parameters)
    }

    /// Sends an error, which ends the stream.
    ///
    /// # Errors
    ///
    /// As [`Responder::send`].
    pub fn error<E: Serialize + ?Sized>(self, error: &E) -> Answer<'c, C> {
        self.reply.error(error)
    }

    /// Parks the stream without a reply: the next one is due after a wake for `topic`.
    ///
    /// # Errors
    ///
    /// As [`Responder::park`].
    pub fn park(self, topic: u32, cursor: C) -> Answer<'c, C> {
        self.reply.park(topic, cursor)
    }

    /// Sends a descriptor with the next reply: [`Responder::attach`].
    ///
    /// # Errors
    ///
    /// As [`Responder::attach`].
    pub fn attach(&mut self, descriptor: Descriptor) -> Result<usize, Descriptor> {
        self.reply.attach(descriptor)
    }
}

/// A reply that others follow, written by [`ReplyStream::next`]. It is sent when the handler
/// returns what this becomes.
#[derive(Debug)]
#[must_use = "say when the next reply is due"]
pub struct Sent<'c, C = Infallible> {
    length: usize,
    can_park: bool,
    request: Request,
    brand: Brand<'c, C>,
}

impl<'c, C> Sent<'c, C> {
    /// The next reply is due as soon as there is room for it:
    /// [`Service::resume`](super::Service::resume) should have it at hand. While it waits for
    /// something, no other client is served.
    ///
    /// # Errors
    ///
    /// None. The type is that of a handler.
    pub fn then(self, cursor: C) -> Answer<'c, C> {
        let request = self.request;
        Ok(Outcome::new(
            self.length,
            State::Due(Owed { cursor, request }),
        ))
    }

    /// The next reply is due after a wake for `topic`. No wake after the handler has returned is
    /// missed.
    ///
    /// # Errors
    ///
    /// As [`Responder::park`]. The reply is not sent.
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

/// Answers a call by handing over the connection.
#[derive(Debug)]
pub struct Upgrade<'c, C = Infallible> {
    reply: Responder<'c, C>,
}

impl<'c, C> Upgrade<'c, C> {
    /// Sends the reply that confirms the upgrade. When it is sent, the driver gives the stream to
    /// its caller, with the cursor and with what was already read of the other protocol.
    ///
    /// # Errors
    ///
    /// As [`Responder::send`].
    pub fn send<P: Serialize + ?Sized>(mut self, parameters: &P, cursor: C) -> Answer<'c, C> {
        let length = self
            .reply
            .write(REPLY, &|writer| _ = writer.value(parameters))?;
        Ok(Outcome::new(length, State::Upgraded(cursor)))
    }

    /// Sends an error. The connection stays a Varlink connection.
    ///
    /// # Errors
    ///
    /// As [`Responder::send`].
    pub fn error<E: Serialize + ?Sized>(self, error: &E) -> Answer<'c, C> {
        self.reply.error(error)
    }
}

/// A reply that could not be written, and the responder for another answer:
/// [`Responder::try_send`].
#[derive(Debug)]
pub struct Unsent<R> {
    /// The responder, as it was before.
    pub reply: R,
    /// Why the reply could not be written.
    pub why: EncodeError,
}

impl<R> From<Unsent<R>> for Refusal {
    fn from(unsent: Unsent<R>) -> Self {
        Refusal::Unsent(unsent.why)
    }
}

/// How a call was answered: made by answering it, and only so.
#[derive(Debug)]
#[must_use = "the handler returns it"]
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

    /// The length of the message in the responder's room, and the session's next state.
    pub(super) fn into_parts(self) -> (usize, State<C>) {
        (self.length, self.state)
    }
}

/// The beginning of a reply to `GetInterfaceDescription`, and its end.
const DESCRIPTION: &[u8] = b"{\"parameters\":{\"description\":\"";
const END_OF_DESCRIPTION: &[u8] = b"\"}}\0";

/// Writes `begin` and as much of a description as there is room for. Returns the length, and the
/// state that sends the rest.
pub(super) fn describe<C>(
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
