//! Exactly one final message: the types that see to it.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;

use serde::Serialize;

use super::lent::Lent;
use super::publish::Lagging;
use crate::error::{DecodeError, EncodeError, Field, Mismatch};
use crate::frame::Room;
use crate::idl::{Fault, Interface, Member, MemberIndex, Place};
use crate::json::{Writer, unescape};
use crate::message::{Call, Content, Envelope, Mode, check_reply};
use crate::peer::Descriptor;
use crate::varlink_service::ServiceError;

/// Answers one call. Every way to answer consumes it and makes the [`Outcome`] that the handler
/// has to return.
///
/// A call that is `oneway` has a responder like any other. Nothing is sent.
///
/// It can't answer twice:
///
/// ```compile_fail
/// # use nullink::service::{Outcome, Refusal, Responder};
/// fn twice<'c>(reply: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
///     reply.send(&())?;
///     Ok(reply.send(&())?)
/// }
/// ```
///
/// Nor can a handler return without an answer, or with one that was made for another call:
///
/// ```compile_fail
/// # use nullink::service::{Outcome, Refusal, Responder};
/// fn other<'c, 'd>(reply: Responder<'c>, _: Responder<'d>) -> Result<Outcome<'d>, Refusal> {
///     Ok(reply.send(&())?)
/// }
/// ```
///
/// The same without the mistakes compiles:
///
/// ```
/// # use nullink::service::{Outcome, Refusal, Responder};
/// fn once<'c, 'd>(reply: Responder<'c>, _: Responder<'d>) -> Result<Outcome<'c>, Refusal> {
///     Ok(reply.send(&())?)
/// }
/// ```
pub struct Responder<'c, C = ()> {
    room: Room<'c>,
    lent: &'c mut Lent<'c>,
    mode: Mode,
    method: Method,
    brand: Brand<'c, C>,
}

/// The method that was called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Method {
    pub interface: &'static Interface,
    /// None, if nothing is to be checked against its definition.
    pub defined: Option<MemberIndex>,
}

impl Method {
    /// Its definition, if something is to be checked against it.
    fn definition(&self) -> Option<Member<'static>> {
        self.defined.map(|index| self.interface.member_at(index))
    }

    /// How a call's parameters differ from its definition.
    #[inline(never)] // what it needs of the stack is free again when the handler begins
    pub fn fault_in(&self, call: &Call<'_>) -> Option<Fault<'static>> {
        let method = self.definition()?;
        call.check(method.input()).err()
    }

    /// Whether a message is an answer that the definition has.
    pub fn defines(&self, message: &[u8]) -> Result<(), EncodeError> {
        let Some(method) = self.definition() else {
            return Ok(());
        };
        match check_reply(message, &method) {
            Ok(()) => Ok(()),
            // More than can be checked is not wrong.
            Err(fault) if fault.mismatch == Mismatch::Length => Ok(()),
            Err(fault) => Err(EncodeError::NotAsDefined {
                why: fault.mismatch,
                field: match fault.field {
                    Place::Declared(name) => Some(name),
                    _ => None,
                },
                offset: fault.offset,
            }),
        }
    }
}

/// The beginning of a reply to `GetInterfaceDescription`, and its end.
const DESCRIPTION: &[u8] = b"{\"parameters\":{\"description\":\"";
const END_OF_DESCRIPTION: &[u8] = b"\"}}\0";

/// Writes as much of a description as there is room for, behind `begin`; returns the length and,
/// unless that is the end of the message, the rest of the description.
pub(super) fn describe(
    room: &mut Room<'_>,
    begin: &[u8],
    text: &'static [u8],
) -> Result<(usize, Option<&'static [u8]>), EncodeError> {
    let rest = Cell::new(Some(text));
    let length = room.write(&|room| {
        let mut writer = Writer::new(room);
        writer.bytes(begin);
        let left = writer.part(text);
        let ends = left.is_empty() && writer.room() >= END_OF_DESCRIPTION.len();
        if ends {
            writer.bytes(END_OF_DESCRIPTION);
        }
        rest.set((!ends).then_some(left));
        match writer.end() {
            Ok(0) => Err(EncodeError::Full),
            written => written,
        }
    })?;
    Ok((length, rest.get()))
}

const REPLY: Envelope<'static> = Envelope::Reply { continues: false };
const CONTINUES: Envelope<'static> = Envelope::Reply { continues: true };

/// Ties an outcome to its call: the lifetime is invariant, so it fits no other.
type Brand<'c, C> = PhantomData<(fn(&'c ()) -> &'c (), C)>;

impl<'c, C> Responder<'c, C> {
    pub(super) fn new(room: Room<'c>, lent: &'c mut Lent<'c>, mode: Mode, method: Method) -> Self {
        Responder {
            room,
            lent,
            mode,
            method,
            brand: PhantomData,
        }
    }

    /// The interface of the method that is called.
    pub(super) fn interface(&self) -> &'static Interface {
        self.method.interface
    }

    /// The one, final reply. `&()` is a reply without parameters.
    ///
    /// It is serialized a second time if it does not fit behind others that wait: a `Serialize`
    /// that can say only once what it has to say won't do.
    ///
    /// # Errors
    ///
    /// If the reply does not fit, or is not a Varlink value. The responder comes back, so that
    /// another answer can be given; `?` gives up and closes the connection, after the replies that
    /// are due.
    pub fn send<P>(self, parameters: &P) -> Result<Outcome<'c, C>, Unsent<Self>>
    where
        P: Serialize + ?Sized,
    {
        self.write(Then::Done, REPLY, &|writer| _ = writer.value(parameters))
    }

    /// An error of the call's interface: the variant of an enum, its parameters the variant's
    /// content. The standard errors are a [`Refusal`]'s.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// ```
    /// # use nullink::service::{Outcome, Refusal, Responder};
    /// #[derive(serde::Serialize)]
    /// enum Error<'a> { NotFound, CreationFailed { field: &'a str } }
    ///
    /// fn fail<'c>(reply: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
    ///     // {"error":"com.redhat.accounts.CreationFailed","parameters":{"field":"uid"}}
    ///     Ok(reply.error(&Error::CreationFailed { field: "uid" })?)
    /// }
    /// ```
    pub fn error<E>(self, error: &E) -> Result<Outcome<'c, C>, Unsent<Self>>
    where
        E: Serialize + ?Sized,
    {
        self.lent.close_attached();
        let interface = self.method.interface.name();
        let envelope = Envelope::Error { interface };
        self.write(Then::Done, envelope, &|writer| _ = writer.value(error))
    }

    /// The reply of `GetInterfaceDescription`: as much of it as there is room for, if all of it has
    /// no room in the send buffer. The session sends the rest.
    pub(super) fn describe(mut self, text: &'static str) -> Result<Outcome<'c, C>, Unsent<Self>> {
        if self.mode == Mode::Oneway {
            return self.send(&());
        }
        match describe(&mut self.room, DESCRIPTION, text.as_bytes()) {
            Ok((length, rest)) => Ok(Outcome {
                length,
                then: rest.map_or(Then::Done, Then::Describe),
                brand: PhantomData,
            }),
            Err(why) => Err(Unsent { reply: self, why }),
        }
    }

    /// The reply, or the error, that a result holds.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// ```
    /// # use nullink::service::{Outcome, Refusal, Responder};
    /// # #[derive(serde::Serialize)] enum Error { NotFound }
    /// # #[derive(serde::Serialize)] struct Found<'a> { name: &'a str }
    /// fn find(uid: u32) -> Result<&'static str, Error> {
    ///     if uid == 0 { Ok("root") } else { Err(Error::NotFound) }
    /// }
    ///
    /// fn get<'c>(uid: u32, reply: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
    ///     Ok(reply.result(&find(uid).map(|name| Found { name }))?)
    /// }
    /// ```
    pub fn result<P, E>(self, result: &Result<P, E>) -> Result<Outcome<'c, C>, Unsent<Self>>
    where
        P: Serialize,
        E: Serialize,
    {
        match result {
            Ok(parameters) => self.send(parameters),
            Err(error) => self.error(error),
        }
    }

    /// Writes a message, unless nothing is to be sent.
    fn write(
        mut self,
        then: Then<C>,
        envelope: Envelope<'_>,
        content: Content<'_>,
    ) -> Result<Outcome<'c, C>, Unsent<Self>> {
        let written = match self.mode {
            Mode::Oneway => Ok(0),
            _ => self.room.write(&|room| envelope.write(room, content)),
        };
        let written = match written {
            Ok(length) if cfg!(debug_assertions) && length > 0 => {
                let message = self.room.written(length);
                self.method.defines(message).map(|()| length)
            }
            written => written,
        };
        match written {
            Ok(length) => Ok(Outcome {
                length,
                then,
                brand: PhantomData,
            }),
            Err(why) => Err(Unsent { reply: self, why }),
        }
    }

    /// Answers later: when something is [`publish`](Self::publish)ed under a topic, which is the
    /// call's one and final reply, with `more` or without. Until then the client waits, and the calls
    /// behind this one, too.
    ///
    /// When the client goes away before that, [`Service::abandoned`](super::Service::abandoned) is
    /// given the cursor. (A `oneway` call has nothing to wait for: that happens at once.)
    ///
    /// # Errors
    ///
    /// [`Refusal::MethodNotImplemented`], if whoever drives the connection serves no other, so that
    /// nothing could be published while this one waits: only `Server` does.
    pub fn park(self, topic: u32, cursor: C) -> Result<Outcome<'c, C>, Refusal> {
        self.wait(Parking {
            topic,
            lagging: Lagging::Drop,
            continues: false,
            cursor,
        })
    }

    /// Parks without a reply.
    fn wait(self, parking: Parking<C>) -> Result<Outcome<'c, C>, Refusal> {
        self.can_wait()?;
        Ok(Outcome {
            length: 0,
            then: Then::Park(parking),
            brand: PhantomData,
        })
    }

    fn can_wait(&self) -> Result<(), Refusal> {
        match self.lent.published {
            Some(_) => Ok(()),
            None => Err(Refusal::MethodNotImplemented),
        }
    }

    /// Sends an item to everyone who waits for the topic: a reply that others follow to those who have
    /// [subscribed](ReplyStream::subscribe), the final reply to those who were [parked](Self::park).
    /// It is encoded once, and delivered when the handler has returned, whatever it has answered.
    ///
    /// A topic is a number of the service's own choice: 0 for everything, perhaps, and the id of an
    /// object for what happens to it. If nobody waits, nothing happens.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Full`], if this and what the handler has published before is longer than a
    /// send buffer; or if the item is not a Varlink value.
    ///
    /// ```
    /// # use nullink::service::{Outcome, Refusal, Responder};
    /// # const LEVEL: u32 = 1;
    /// #[derive(serde::Serialize)]
    /// struct Level { level: u32 }
    ///
    /// // A call that changes something: everybody who watches is told.
    /// fn set<'c>(level: u32, mut reply: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
    ///     let _ = reply.publish(LEVEL, &Level { level });
    ///     Ok(reply.send(&())?)
    /// }
    ///
    /// // A call that watches: the level as it is, and each that it changes to.
    /// fn watch<'c>(level: u32, reply: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
    ///     reply.stream()?.subscribe_with(&Level { level }, LEVEL, Default::default(), ())
    /// }
    /// ```
    pub fn publish<P>(&mut self, topic: u32, parameters: &P) -> Result<(), EncodeError>
    where
        P: Serialize + ?Sized,
    {
        match &mut self.lent.published {
            Some(published) => published.push(topic, false, parameters),
            // Nobody can wait.
            None => Ok(()),
        }
    }

    /// The same, but it is the final reply to everyone who waits.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub fn publish_last<P>(&mut self, topic: u32, parameters: &P) -> Result<(), EncodeError>
    where
        P: Serialize + ?Sized,
    {
        match &mut self.lent.published {
            Some(published) => published.push(topic, true, parameters),
            None => Ok(()),
        }
    }

    /// A descriptor of the process that calls, pidfd_open(2): its number can be another's by now,
    /// this can't. It is there if the program has told the server how to ask for it.
    pub fn pidfd(&self) -> Option<&Descriptor> {
        self.lent.pidfd
    }

    /// Takes a descriptor that came with the call: the one with this index, beginning with 0. What
    /// is not taken is closed.
    ///
    /// It can be anything, a pipe that nobody reads from for example: a write that blocks stops the
    /// service for everybody.
    ///
    /// # Errors
    ///
    /// [`Refusal::InvalidParameter`] with the name of the parameter that has the index, if there is
    /// no such descriptor, or if it was taken before.
    ///
    /// ```
    /// # use nullink::service::{Outcome, Refusal, Responder};
    /// # #[derive(serde::Deserialize)] struct Print { fileDescriptor: usize }
    /// fn print<'c>(call: Print, mut reply: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
    ///     let file = reply.descriptor(call.fileDescriptor, "fileDescriptor")?;
    ///     // ...
    ///     Ok(reply.send(&())?)
    /// }
    /// ```
    pub fn descriptor(
        &mut self,
        index: usize,
        parameter: &'static str,
    ) -> Result<Descriptor, Refusal> {
        let descriptors = self.lent.descriptors.as_mut();
        let descriptor = descriptors.and_then(|all| all.received.get_mut(index)?.take());
        descriptor.ok_or(Refusal::invalid_parameter(parameter))
    }

    /// How many descriptors came with the call.
    pub fn descriptors(&self) -> usize {
        let descriptors = self.lent.descriptors.as_ref();
        descriptors.map_or(0, |descriptors| descriptors.received.len())
    }

    /// Sends a descriptor with the reply, and returns its index, for the parameter that says which
    /// it is. It is closed when it is sent; or if an error is sent.
    ///
    /// # Errors
    ///
    /// The descriptor, if the connection takes no descriptors, or no more with one message.
    pub fn attach(&mut self, descriptor: Descriptor) -> Result<usize, Descriptor> {
        match &mut self.lent.descriptors {
            Some(descriptors) => {
                let index = descriptors.attached.len();
                descriptors.attached.push(descriptor).map(|()| index)
            }
            None => Err(descriptor),
        }
    }

    /// Several replies: for a method that needs `more`. (One that merely can do more looks at
    /// [`Call::mode`](crate::Call::mode).)
    ///
    /// # Errors
    ///
    /// [`Refusal::ExpectedMore`], if the call does not have the flag.
    pub fn stream(self) -> Result<ReplyStream<'c, C>, Refusal> {
        match self.mode {
            Mode::More => Ok(ReplyStream { reply: self }),
            _ => Err(Refusal::ExpectedMore),
        }
    }

    /// The connection itself: for a method that needs `upgrade`.
    ///
    /// # Errors
    ///
    /// [`Refusal::ExpectedUpgrade`], if the call does not have the flag.
    pub fn upgrade(self) -> Result<Upgrade<'c, C>, Refusal> {
        match self.mode {
            Mode::Upgrade => Ok(Upgrade { reply: self }),
            _ => Err(Refusal::ExpectedUpgrade),
        }
    }
}

impl<C> fmt::Debug for Responder<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder")
            .field("room", &self.room)
            .field("mode", &self.mode)
            .field("method", &self.method)
            .finish()
    }
}

/// Answers one call with any number of replies, one at a time.
///
/// A handler sends one reply and leaves a cursor; when that reply is on its way,
/// [`Service::resume`](super::Service::resume) sends the next. So a stream of any length needs no
/// more room than one reply, and a reader that stalls stalls nobody else.
///
/// ```
/// # use nullink::service::{Outcome, Refusal, ReplyStream, Responder};
/// #[derive(serde::Serialize)]
/// struct Count { i: u32 }
///
/// // In `Service::call`, and in `Service::resume`:
/// fn call<'c>(n: u32, reply: Responder<'c, (u32, u32)>) -> Result<Outcome<'c, (u32, u32)>, Refusal> {
///     resume((0, n), reply.stream()?)
/// }
///
/// fn resume<'c>(
///     (i, n): (u32, u32),
///     reply: ReplyStream<'c, (u32, u32)>,
/// ) -> Result<Outcome<'c, (u32, u32)>, Refusal> {
///     Ok(if i + 1 < n {
///         reply.continues(&Count { i }, (i + 1, n))?
///     } else {
///         reply.send(&Count { i })?
///     })
/// }
/// ```
#[derive(Debug)]
pub struct ReplyStream<'c, C = ()> {
    reply: Responder<'c, C>,
}

impl<'c, C> ReplyStream<'c, C> {
    pub(super) fn new(room: Room<'c>, lent: &'c mut Lent<'c>, method: Method) -> Self {
        ReplyStream {
            reply: Responder::new(room, lent, Mode::More, method),
        }
    }

    /// Waits for what is [`publish`](Responder::publish)ed under a topic: each item is a reply. A
    /// client that has to know from when on it misses nothing needs a first reply:
    /// [`subscribe_with`](Self::subscribe_with).
    ///
    /// When the client goes away, [`Service::abandoned`](super::Service::abandoned) is given the
    /// cursor.
    ///
    /// # Errors
    ///
    /// As [`Responder::park`].
    pub fn subscribe(
        self,
        topic: u32,
        lagging: Lagging,
        cursor: C,
    ) -> Result<Outcome<'c, C>, Refusal> {
        self.reply.wait(Parking {
            topic,
            lagging,
            continues: true,
            cursor,
        })
    }

    /// The same, after a first reply. Nothing that is published after it is missed.
    ///
    /// # Errors
    ///
    /// As [`Responder::park`]; or if the reply can't be written.
    pub fn subscribe_with<P>(
        self,
        parameters: &P,
        topic: u32,
        lagging: Lagging,
        cursor: C,
    ) -> Result<Outcome<'c, C>, Refusal>
    where
        P: Serialize + ?Sized,
    {
        let reply = self.reply;
        reply.can_wait()?;
        let then = Then::Park(Parking {
            topic,
            lagging,
            continues: true,
            cursor,
        });
        Ok(reply.write(then, CONTINUES, &|writer| _ = writer.value(parameters))?)
    }

    /// Sends a descriptor with the next reply: [`Responder::attach`].
    ///
    /// # Errors
    ///
    /// As [`Responder::attach`].
    pub fn attach(&mut self, descriptor: Descriptor) -> Result<usize, Descriptor> {
        self.reply.attach(descriptor)
    }

    /// A reply that others follow: [`Service::resume`](super::Service::resume) is given the
    /// cursor.
    ///
    /// # Errors
    ///
    /// As [`Responder::send`].
    pub fn continues<P>(self, parameters: &P, cursor: C) -> Result<Outcome<'c, C>, Unsent<Self>>
    where
        P: Serialize + ?Sized,
    {
        let (reply, then) = (self.reply, Then::Continue(cursor));
        let written = reply.write(then, CONTINUES, &|writer| _ = writer.value(parameters));
        written.map_err(Unsent::of_stream)
    }

    /// The final reply.
    ///
    /// # Errors
    ///
    /// As [`Responder::send`].
    pub fn send<P>(self, parameters: &P) -> Result<Outcome<'c, C>, Unsent<Self>>
    where
        P: Serialize + ?Sized,
    {
        self.reply.send(parameters).map_err(Unsent::of_stream)
    }

    /// An error, which ends the stream.
    ///
    /// # Errors
    ///
    /// As [`Responder::send`].
    pub fn error<E>(self, error: &E) -> Result<Outcome<'c, C>, Unsent<Self>>
    where
        E: Serialize + ?Sized,
    {
        self.reply.error(error).map_err(Unsent::of_stream)
    }
}

/// Answers a call by handing over the connection.
#[derive(Debug)]
pub struct Upgrade<'c, C = ()> {
    reply: Responder<'c, C>,
}

impl<'c, C> Upgrade<'c, C> {
    /// The reply that confirms the upgrade. When it is sent, the driver gives the stream back to
    /// its caller, with the cursor and with what was already read of the other protocol.
    ///
    /// # Errors
    ///
    /// As [`Responder::send`].
    pub fn send<P>(self, parameters: &P, cursor: C) -> Result<Outcome<'c, C>, Unsent<Self>>
    where
        P: Serialize + ?Sized,
    {
        let (reply, then) = (self.reply, Then::Upgrade(cursor));
        let written = reply.write(then, REPLY, &|writer| _ = writer.value(parameters));
        written.map_err(Unsent::of_upgrade)
    }

    /// An error. The connection stays a Varlink connection.
    ///
    /// # Errors
    ///
    /// As [`Responder::send`].
    pub fn error<E>(self, error: &E) -> Result<Outcome<'c, C>, Unsent<Self>>
    where
        E: Serialize + ?Sized,
    {
        self.reply.error(error).map_err(Unsent::of_upgrade)
    }
}

/// An answer that could not be written: nothing of it was. The responder is here for another try.
///
/// `?` in a handler gives up: the connection is closed, after the replies that are due.
///
/// ```
/// # use nullink::service::{Outcome, Refusal, Responder};
/// # #[derive(serde::Serialize)] enum Error { TooManyAccounts }
/// # #[derive(serde::Serialize)] struct All { accounts: [u8; 3] }
/// # fn handle<'c>(reply: Responder<'c>, all: All) -> Result<Outcome<'c>, Refusal> {
/// match reply.send(&all) {
///     Ok(outcome) => Ok(outcome),
///     Err(unsent) => Ok(unsent.reply.error(&Error::TooManyAccounts)?),
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Unsent<R> {
    /// What the answer was to be given with.
    pub reply: R,
    /// Why it could not be.
    pub why: EncodeError,
}

impl<R> fmt::Display for Unsent<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl<R: fmt::Debug> core::error::Error for Unsent<R> {}

impl<'c, C> Unsent<ReplyStream<'c, C>> {
    fn of_stream(Unsent { reply, why }: Unsent<Responder<'c, C>>) -> Self {
        let reply = ReplyStream { reply };
        Unsent { reply, why }
    }
}

impl<'c, C> Unsent<Upgrade<'c, C>> {
    fn of_upgrade(Unsent { reply, why }: Unsent<Responder<'c, C>>) -> Self {
        let reply = Upgrade { reply };
        Unsent { reply, why }
    }
}

/// What has become of a call: made by answering it, and only so.
#[derive(Debug)]
#[must_use = "the handler returns it"]
pub struct Outcome<'c, C = ()> {
    length: usize,
    then: Then<C>,
    brand: Brand<'c, C>,
}

/// What happens after a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then<C> {
    Done,
    Continue(C),
    Upgrade(C),
    /// The call waits for what is published.
    Park(Parking<C>),
    /// The rest of a description follows.
    Describe(&'static [u8]),
}

/// What a call waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parking<C> {
    pub topic: u32,
    pub lagging: Lagging,
    /// Whether other replies may follow the next.
    pub continues: bool,
    pub cursor: C,
}

impl<C> Outcome<'_, C> {
    /// How many bytes of the responder's room are a message, and what happens after it.
    pub(super) fn into_parts(self) -> (usize, Then<C>) {
        (self.length, self.then)
    }
}

/// Why a service does not do what a call asks for: the errors of `org.varlink.service` that a
/// handler may answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The interface does not define the method.
    MethodNotFound,
    /// The interface defines the method, but the service does not have it.
    MethodNotImplemented,
    /// A parameter is missing, is unknown, has another type or can't have this value.
    InvalidParameter(Parameter),
    /// The caller is not allowed to do that.
    PermissionDenied,
    /// The method has to be called with `more`.
    ExpectedMore,
    /// The method has to be called with `upgrade`.
    ExpectedUpgrade,
    /// No answer could be written: the connection is closed.
    Unsent(EncodeError),
}

impl Refusal {
    /// A parameter is not as it should be.
    ///
    /// ```
    /// # use nullink::service::Refusal;
    /// fn check(n: i64) -> Result<(), Refusal> {
    ///     if n < 0 { Err(Refusal::invalid_parameter("n")) } else { Ok(()) }
    /// }
    /// ```
    pub const fn invalid_parameter(name: &'static str) -> Self {
        Refusal::InvalidParameter(Parameter(Field::Named(name)))
    }

    /// The error that says so, about a call of `method`.
    pub(super) fn error<'a>(self, method: &'a str) -> Result<ServiceError<'a>, EncodeError> {
        Ok(match self {
            Refusal::MethodNotFound => ServiceError::MethodNotFound { method },
            Refusal::MethodNotImplemented => ServiceError::MethodNotImplemented { method },
            Refusal::InvalidParameter(parameter) => ServiceError::InvalidParameter {
                parameter: parameter.name_in(&[]),
            },
            Refusal::PermissionDenied => ServiceError::PermissionDenied,
            Refusal::ExpectedMore => ServiceError::ExpectedMore,
            Refusal::ExpectedUpgrade => ServiceError::ExpectedUpgrade,
            Refusal::Unsent(why) => return Err(why),
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::InvalidParameter(Parameter(Field::Named(name))) => {
                write!(f, "the parameter {name} is not valid")
            }
            Refusal::Unsent(why) => why.fmt(f),
            other => f.write_str(match other {
                Refusal::MethodNotFound => "there is no such method",
                Refusal::MethodNotImplemented => "the service does not implement the method",
                Refusal::PermissionDenied => "permission denied",
                Refusal::ExpectedMore => "the method has to be called with more",
                Refusal::ExpectedUpgrade => "the method has to be called with upgrade",
                _ => "a parameter is not valid",
            }),
        }
    }
}

impl core::error::Error for Refusal {}

/// Which parameter: by its name, or by the place in the message where its name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter(Field);

impl Parameter {
    /// The one that a fault is about. A key that the definition does not have is decoded for that,
    /// where it stands.
    pub(super) fn of(fault: Fault<'static>, message: &mut [u8]) -> Self {
        Parameter(match fault.field {
            Place::Declared(name) => Field::Named(name),
            Place::Key(range) => Field::At {
                offset: range.start,
                length: match message.get_mut(range).map(unescape) {
                    Some(Ok(name)) => name.len(),
                    _ => 0,
                },
            },
            Place::Nowhere => Field::Named("parameters"),
        })
    }

    pub(super) fn name_in<'a>(&self, message: &'a [u8]) -> &'a str {
        self.0.name_in(message).unwrap_or("parameters")
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        // What is refused as a whole has no name but this one; nor has what was not read from the
        // call, but from some other text.
        let parameters = Field::Named("parameters");
        match error.mismatch {
            Mismatch::Member => Refusal::MethodNotFound,
            _ if !error.in_call => Refusal::InvalidParameter(Parameter(parameters)),
            _ => Refusal::InvalidParameter(Parameter(error.field.unwrap_or(parameters))),
        }
    }
}

impl<R> From<Unsent<R>> for Refusal {
    fn from(unsent: Unsent<R>) -> Self {
        Refusal::Unsent(unsent.why)
    }
}
