//! One connection, seen from the service: bytes in, bytes out.

use super::builtin;
use super::publish::Item;
use super::responder::{
    Method, Outcome, Parameter, Parking, Refusal, ReplyStream, Responder, Then, describe,
};
use super::{Lagging, Lent, Service};
use crate::error::{EncodeError, Error, TooLong, Violation};
use crate::frame::{Drain, Frames, Outbox, Room};
use crate::message::{Call, Envelope, Mode, is_call};
use crate::name;
use crate::varlink_service::{SERVICE, ServiceError};

/// The state of one connection to a service. It reads and writes nothing: a driver gives it what
/// was received, makes it [`step`](Self::step), and sends what it has written.
///
/// ```
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
/// use nullink::service::{Session, Step};
///
/// let (mut receive, mut send) = ([0; 256], [0; 256]);
/// let mut session = Session::new(&mut receive, &mut send);
///
/// let call = b"{\"method\":\"org.varlink.service.GetInfo\"}\0";
/// session.spare()[..call.len()].copy_from_slice(call);
/// session.received(call.len());
///
/// assert!(matches!(session.step(&mut service, None), Step::Called));
/// assert!(session.pending().starts_with(br#"{"parameters":{"vendor":"Example","#));
/// ```
#[derive(Debug)]
pub struct Session<'b, C> {
    rx: Frames<'b>,
    tx: Outbox<'b>,
    state: State<C>,
    /// The client sends nothing more.
    end_of_input: bool,
}

#[derive(Clone, Copy, Debug)]
enum State<C> {
    /// Waits for calls.
    Open,
    /// Owes the next reply of a stream.
    Streaming { cursor: C, method: Method },
    /// Owes the rest of a description.
    Describing(&'static [u8]),
    /// Waits for what is published.
    Parked(Parked<C>),
    /// Can't be given what was published: the service has to be told.
    Dropped { cursor: C, error: Error },
    /// Belongs to another protocol, when everything is sent.
    Upgraded(C),
    /// Ends, when everything is sent.
    Ended(Result<(), Error>),
}

/// A call that waits for what is published.
#[derive(Clone, Copy, Debug)]
struct Parked<C> {
    parking: Parking<C>,
    method: Method,
    /// How many items the client has missed.
    missed: u32,
}

/// What a [`Session`] has done, or needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<C> {
    /// A call was handled.
    Called,
    /// A reply was written that others follow, or a part of one. The rest follows with the next
    /// steps: this is the time to send what is [`pending`](Session::pending), if it is not to wait
    /// for that.
    Streamed,
    /// Nothing can be done until what is pending is sent.
    Write,
    /// Nothing can be done until more is received. Everything is sent.
    Read,
    /// Nothing can be done until something is published that the call waits for. Everything is
    /// sent.
    Parked,
    /// The connection belongs to another protocol. Everything is sent; what was received of that
    /// protocol is [`unread`](Session::unread).
    Upgraded(C),
    /// The connection is over. Everything is sent.
    ///
    /// An error is the client's doing, or that of a buffer's size, or that of an answer that could
    /// not be written: [`Service::failed`] has been told. The service is as well as before.
    Ended(Result<(), Error>),
}

impl<'b, C: Copy> Session<'b, C> {
    /// A new connection.
    ///
    /// `receive` has to hold the longest call and its NUL, `send` the longest reply and its NUL.
    pub fn new(receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Session {
            rx: Frames::new(receive),
            tx: Outbox::new(send),
            state: State::Open,
            end_of_input: false,
        }
    }

    /// Where to put what is received; then tell [`received`](Self::received). It is empty while
    /// the buffer is full of calls that wait to be handled.
    pub fn spare(&mut self) -> &mut [u8] {
        self.rx.spare()
    }

    /// `count` bytes were received into [`spare`](Self::spare). 0 is the end: the client sends nothing more.
    pub fn received(&mut self, count: usize) {
        // (A read into nothing is no end.)
        self.end_of_input |= count == 0 && !self.rx.spare().is_empty();
        self.rx.commit(count);
    }

    /// What is to be sent; then tell [`sent`](Self::sent).
    pub fn pending(&self) -> &[u8] {
        self.tx.pending()
    }

    /// `count` bytes of what is [`pending`](Self::pending) were sent.
    pub fn sent(&mut self, count: usize) {
        self.tx.sent(count);
    }

    /// What was received and belongs to no call that was handled.
    pub fn unread(&self) -> &[u8] {
        self.rx.unread()
    }

    /// The same, for as long as the receive buffer lives.
    pub fn into_unread(self) -> &'b [u8] {
        self.rx.into_unread()
    }

    /// The client is gone: what the service still owes is dropped, and the handler of a stream is
    /// told.
    pub fn abandon<S: Service<Cursor = C>>(&mut self, service: &mut S) {
        match self.state {
            State::Streaming { cursor, .. }
            | State::Upgraded(cursor)
            | State::Dropped { cursor, .. } => service.abandoned(cursor),
            State::Parked(parked) => service.abandoned(parked.parking.cursor),
            State::Open | State::Describing(_) | State::Ended(_) => {}
        }
        self.state = State::Ended(Ok(()));
        self.tx.clear();
    }

    /// A new connection with the same buffers.
    pub(crate) fn restart(&mut self) {
        self.rx.reset();
        self.tx.clear();
        self.state = State::Open;
        self.end_of_input = false;
    }

    /// Whether, on a device, a new client has begun, with an empty message: it and what comes
    /// before it are gone then, but for calls that nothing keeps from being handled.
    ///
    /// Its NUL can have ended what the client before has left half-sent. So what comes while something
    /// is owed, and is no call, says the same.
    pub(crate) fn begins_anew(&mut self, owed: bool) -> bool {
        // (The rest of what is skipped is no call.)
        let has_skipped = self.rx.has_skipped();
        if self.rx.cut_before_empty(owed) || (owed && has_skipped) {
            return true;
        }
        if !owed {
            return false;
        }
        match self.rx.search() {
            Ok(true) if !is_call(self.rx.found()) => self.rx.take().is_some(),
            Ok(_) => false,
            Err(TooLong) => true,
        }
    }

    /// On a device, what has come is thrown away, up to the next NUL: no part of it is a call.
    pub(crate) fn skip(&mut self) {
        self.rx.skip();
    }

    /// The connection is that of nobody yet: after an upgrade, or on a device. What was received
    /// stays.
    pub(crate) fn detach(&mut self) {
        self.state = State::Open;
    }

    /// On a device there is a new client: what the one before was owed is dropped. If a message of it
    /// was `cut` off while it was sent, that is none of the new one's.
    pub(crate) fn begin_anew<S: Service<Cursor = C>>(&mut self, service: &mut S, cut: bool) {
        self.abandon(service);
        self.detach();
        if cut {
            self.put(&[0]);
        }
    }

    /// Bytes that were received, and belong to another protocol, are dealt with.
    pub(crate) fn consume(&mut self, count: usize) {
        self.rx.consume(count);
    }

    /// Puts bytes of another protocol behind those that wait, as many as have room.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> usize {
        self.tx.put(bytes)
    }

    /// Whether the client sends nothing more.
    pub(crate) fn is_at_end(&self) -> bool {
        self.end_of_input
    }

    /// Whether a message has begun that is not complete.
    pub(crate) fn inside_message(&self) -> bool {
        self.rx.inside_message()
    }

    /// Whether calls are taken: nothing is owed to the one before.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether what comes belongs to another protocol, when all is sent.
    pub(crate) fn is_upgraded(&self) -> bool {
        matches!(self.state, State::Upgraded(_))
    }

    /// Whether what waits to be sent takes more than half of its buffer.
    pub(crate) fn is_half_full(&self) -> bool {
        self.tx.is_half_full()
    }

    /// Whether descriptors go with a message that waits, and whether with the first byte that is
    /// [`pending`](Self::pending).
    pub(crate) fn marked(&self) -> Option<bool> {
        self.tx.marked()
    }

    /// What the call is known by that waits for items of a topic.
    pub(crate) fn awaits(&self, topic: u32) -> Option<C> {
        match &self.state {
            State::Parked(parked) if parked.parking.topic == topic => Some(parked.parking.cursor),
            _ => None,
        }
    }

    /// Whether there is no room for an item behind what waits to be sent, and it is to have one.
    pub(crate) fn is_full_for(&self, item: &Item<'_>) -> bool {
        let State::Parked(Parked { missed: 0, .. }) = &self.state else {
            return false;
        };
        !self.tx.has_room(item.longest())
    }

    /// Whether the call could not be given what was published: nothing more will be sent.
    pub(crate) fn is_dropped(&self) -> bool {
        matches!(self.state, State::Dropped { .. })
    }

    /// Gives an item to the call, which waits for it.
    pub(crate) fn deliver(&mut self, item: &Item<'_>) {
        let State::Parked(parked) = &mut self.state else {
            return;
        };
        let Parking {
            lagging,
            continues,
            cursor,
            ..
        } = parked.parking;
        let continues = continues && !item.last;
        let drain = &mut None;
        let mut room = self.tx.room(drain);
        let written = match parked.missed {
            0 => room.write(&|room| item.write(room, continues)),
            // Not before the client knows what it has missed.
            _ => Err(EncodeError::Full),
        };
        let written = written.and_then(|length| match cfg!(debug_assertions) {
            true => parked.method.defines(room.written(length)).map(|()| length),
            false => Ok(length),
        });
        match written {
            Ok(length) => self.tx.commit(length),
            // (The last item is for everyone.)
            Err(EncodeError::Full) if lagging == Lagging::Skip && !item.last => {
                parked.missed = parked.missed.saturating_add(1);
            }
            Err(error) => {
                let error = match error {
                    EncodeError::Full => {
                        // It does not read, and would hold its place for ever.
                        self.tx.clear();
                        EncodeError::Lagging.into()
                    }
                    error => error.into(),
                };
                self.state = State::Dropped { cursor, error };
                return;
            }
        }
        if !continues {
            self.state = State::Open;
        }
    }

    /// Handles at most one call, or one turn of a stream.
    ///
    /// Replies to pipelined calls collect in the send buffer. If one does not fit behind the
    /// others, `drain` is asked to send those. Without it, each reply waits until the one before
    /// is sent.
    ///
    /// ```
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
    /// # use nullink::service::{Session, Step};
    /// let (mut receive, mut send) = ([0; 256], [0; 256]);
    /// let mut session = Session::new(&mut receive, &mut send);
    /// let calls = b"{\"method\":\"org.varlink.service.GetInfo\"}\0".repeat(3);
    /// session.spare()[..calls.len()].copy_from_slice(&calls);
    /// session.received(calls.len());
    ///
    /// let mut sent = Vec::new();
    /// let mut drain = |bytes: &[u8]| {
    ///     sent.extend_from_slice(bytes);
    ///     true
    /// };
    /// while session.step(&mut service, Some(&mut drain)) == Step::Called {}
    /// sent.extend_from_slice(session.pending());
    /// assert_eq!(sent.iter().filter(|byte| **byte == 0).count(), 3);
    /// ```
    pub fn step<S: Service<Cursor = C>>(
        &mut self,
        service: &mut S,
        drain: Option<Drain<'_>>,
    ) -> Step<C> {
        self.step_with(service, drain, Lent::default())
    }

    /// The same, with what a driver has to lend.
    #[inline(never)] // so that tests/freestanding/stack.sh finds it
    pub(crate) fn step_with<S: Service<Cursor = C>>(
        &mut self,
        service: &mut S,
        drain: Option<Drain<'_>>,
        lent: Lent<'_>,
    ) -> Step<C> {
        let is_sent = self.pending().is_empty();
        // (Nothing is drained past descriptors.)
        let must_wait = !is_sent && (drain.is_none() || self.tx.marked().is_some());
        let result = match self.state {
            State::Upgraded(cursor) if is_sent => return Step::Upgraded(cursor),
            State::Ended(result) if is_sent => return Step::Ended(result),
            State::Parked(parked) if is_sent && parked.missed == 0 => return Step::Parked,
            State::Upgraded(_) | State::Ended(_) => return Step::Write,
            State::Parked(_) if !is_sent => return Step::Write,
            State::Streaming { .. } | State::Describing(_) if must_wait => return Step::Write,
            State::Streaming { cursor, method } => {
                self.resume(service, drain, lent, method, cursor, None)
            }
            State::Parked(Parked {
                parking,
                method,
                missed,
                ..
            }) => {
                let Parking { cursor, .. } = parking;
                self.resume(service, drain, lent, method, cursor, Some(missed))
            }
            State::Describing(rest) => self.describe(drain, rest),
            State::Dropped { cursor, error } => {
                service.abandoned(cursor);
                Err(error)
            }
            State::Open => match self.rx.search() {
                Ok(true) if must_wait => return Step::Write,
                Ok(true) => self.dispatch(service, drain, lent),
                Ok(false) if self.end_of_input && self.rx.inside_message() => {
                    Err(Violation::Truncated.into())
                }
                Ok(false) if self.end_of_input => Ok(State::Ended(Ok(()))),
                Ok(false) if is_sent => return Step::Read,
                Ok(false) => return Step::Write,
                Err(TooLong) => Err(TooLong.into()),
            },
        };
        self.state = result.unwrap_or_else(|error| {
            // That a client goes away is not a failure.
            if error != Error::Encode(EncodeError::Disconnected) {
                service.failed(error);
            }
            State::Ended(Err(error))
        });
        match self.state {
            State::Streaming { .. } | State::Describing(_) => Step::Streamed,
            State::Ended(result) if self.pending().is_empty() => Step::Ended(result),
            State::Ended(_) => Step::Write,
            _ => Step::Called,
        }
    }

    /// Handles the call that has been found.
    #[inline(never)] // smaller: its variables make no frame of a caller larger
    fn dispatch<S: Service<Cursor = C>>(
        &mut self,
        service: &mut S,
        mut drain: Option<Drain<'_>>,
        mut lent: Lent<'_>,
    ) -> Result<State<C>, Error> {
        let Some(message) = self.rx.take() else {
            return Ok(State::Open);
        };
        let call = Call::parse(message)?.of(lent.peer);
        let (name, mode) = (call.method(), call.mode());
        let error = match find::<S>(&call) {
            Err(error) => error,
            Ok((method, declared)) => {
                let is_own = !builtin::is(method.interface);
                let permitted = match is_own {
                    true => service.permit(&call),
                    false => Ok(()),
                };
                match method.fault_in(&call) {
                    Some(fault) if permitted.is_ok() => {
                        let parameter = Parameter::of(fault, message);
                        let parameter = parameter.name_in(message);
                        ServiceError::InvalidParameter { parameter }
                    }
                    _ => {
                        let room = self.tx.room(&mut drain);
                        let mut again = lent.again();
                        let reply = Responder::new(room, &mut again, mode, method);
                        let answer = permitted.and_then(|()| answer(service, call, reply));
                        let answer = answer.map(Outcome::into_parts);
                        lent.close_received();
                        match answer {
                            Ok((length, then)) => {
                                self.commit(length, &mut lent);
                                return Ok(State::after(then, method, mode, service));
                            }
                            Err(Refusal::InvalidParameter(parameter)) => {
                                let parameter = parameter.name_in(message);
                                ServiceError::InvalidParameter { parameter }
                            }
                            Err(Refusal::MethodNotFound) if declared => {
                                ServiceError::MethodNotImplemented { method: name }
                            }
                            Err(refusal) => refusal.error(name)?,
                        }
                    }
                }
            }
        };
        lent.close_received();
        lent.close_attached();
        if mode != Mode::Oneway {
            let mut written = write_error(self.tx.room(&mut drain), &error);
            if let (Err(EncodeError::Full), ServiceError::InvalidParameter { .. }) =
                (written, error)
            {
                // The parameter's name is the caller's, and has no room.
                let parameter = "parameters";
                let error = ServiceError::InvalidParameter { parameter };
                written = write_error(self.tx.room(&mut drain), &error);
            }
            self.tx.commit(written?);
        }
        Ok(State::Open)
    }

    /// A message of this length was written: it waits, with the descriptors that go with it.
    fn commit(&mut self, length: usize, lent: &mut Lent<'_>) {
        self.tx.commit(length);
        match length {
            0 => lent.close_attached(),
            _ if lent.has_attached() => self.tx.mark(length),
            _ => {}
        }
    }

    /// Writes the next piece of a description that is longer than the send buffer.
    fn describe(
        &mut self,
        mut drain: Option<Drain<'_>>,
        rest: &'static [u8],
    ) -> Result<State<C>, Error> {
        let (length, rest) = describe(&mut self.tx.room(&mut drain), &[], rest)?;
        self.tx.commit(length);
        Ok(rest.map_or(State::Open, State::Describing))
    }

    /// Asks for the next reply of a stream, whose client may have missed some.
    fn resume<S: Service<Cursor = C>>(
        &mut self,
        service: &mut S,
        mut drain: Option<Drain<'_>>,
        mut lent: Lent<'_>,
        method: Method,
        cursor: C,
        missed: Option<u32>,
    ) -> Result<State<C>, Error> {
        let mut again = lent.again();
        let reply = ReplyStream::new(self.tx.room(&mut drain), &mut again, method);
        let answer = match missed {
            None => service.resume(cursor, reply),
            Some(count) => service.missed(cursor, count, reply),
        };
        let answer = answer.map(Outcome::into_parts);
        let written = answer.or_else(|refusal| {
            lent.close_attached();
            let error = match refusal {
                // The call is gone, and its name with it.
                Refusal::MethodNotFound | Refusal::MethodNotImplemented => {
                    return Err(EncodeError::Custom);
                }
                refusal => refusal.error("")?,
            };
            let length = write_error(self.tx.room(&mut drain), &error)?;
            Ok((length, Then::Done))
        });
        let (length, then) = written.inspect_err(|_| service.abandoned(cursor))?;
        self.commit(length, &mut lent);
        Ok(State::after(then, method, Mode::More, service))
    }
}

/// Has the call answered, by the service or for it.
#[inline(never)] // nothing else is on the stack below the handler
fn answer<'c, S: Service>(
    service: &mut S,
    call: Call<'c>,
    reply: Responder<'c, S::Cursor>,
) -> Result<Outcome<'c, S::Cursor>, Refusal> {
    match builtin::is(reply.interface()) {
        true => builtin::call(service, call, reply),
        false => service.call(call, reply),
    }
}

/// The method that is called, and whether its interface declares it.
fn find<'c, S: Service>(call: &Call<'c>) -> Result<(Method, bool), ServiceError<'c>> {
    let method = call.method();
    let (name, member) = name::split(method).ok_or(ServiceError::MethodNotFound { method })?;
    let interface = builtin::find::<S>(name);
    let interface = interface.ok_or(ServiceError::InterfaceNotFound { interface: name })?;
    let declared = interface.method(member).map(|method| method.index());
    let defined = match S::CHECKED || builtin::is(interface) {
        true => Some(declared.ok_or(ServiceError::MethodNotFound { method })?),
        false => None,
    };
    Ok((Method { interface, defined }, declared.is_some()))
}

impl<C: Copy> State<C> {
    fn after<S>(then: Then<C>, method: Method, mode: Mode, service: &mut S) -> Self
    where
        S: Service<Cursor = C>,
    {
        match then {
            Then::Done => State::Open,
            Then::Continue(cursor) => State::Streaming { cursor, method },
            Then::Upgrade(cursor) => State::Upgraded(cursor),
            Then::Park(Parking { cursor, .. }) if mode == Mode::Oneway => {
                // Nobody waits.
                service.abandoned(cursor);
                State::Open
            }
            Then::Park(parking) => State::Parked(Parked {
                parking,
                method,
                missed: 0,
            }),
            Then::Describe(rest) => State::Describing(rest),
        }
    }
}

/// Writes a standard error.
#[inline(never)] // smaller: its variables make no frame of a caller larger
fn write_error(mut room: Room<'_>, error: &ServiceError<'_>) -> Result<usize, EncodeError> {
    let interface = SERVICE.name();
    let envelope = Envelope::Error { interface };
    room.write(&|room| envelope.write(room, &|writer| _ = writer.value(error)))
}
