//! One connection, seen from the service: bytes in, bytes out.

use super::Service;
use super::builtin::{self, SERVICE, ServiceError};
use super::responder::{
    Method, Outcome, Parameter, Refusal, ReplyStream, Responder, Then, describe,
};
use crate::error::{EncodeError, Error, TooLong, Violation};
use crate::frame::{Drain, Frames, Outbox, Room};
use crate::message::{Call, Envelope, Mode};
use crate::name;

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
    /// Belongs to another protocol, when everything is sent.
    Upgraded(C),
    /// Ends, when everything is sent.
    Ended(Result<(), Error>),
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
        if let State::Streaming { cursor, .. } | State::Upgraded(cursor) = self.state {
            service.abandoned(cursor);
        }
        self.state = State::Ended(Ok(()));
        self.tx.sent(usize::MAX);
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
        let must_wait = drain.is_none() && !self.pending().is_empty();
        let result = match self.state {
            State::Upgraded(cursor) if self.pending().is_empty() => return Step::Upgraded(cursor),
            State::Ended(result) if self.pending().is_empty() => return Step::Ended(result),
            State::Upgraded(_) | State::Ended(_) => return Step::Write,
            State::Streaming { .. } | State::Describing(_) if must_wait => return Step::Write,
            State::Streaming { cursor, method } => self.resume(service, drain, cursor, method),
            State::Describing(rest) => self.describe(drain, rest),
            State::Open => match self.rx.search() {
                Ok(true) if must_wait => return Step::Write,
                Ok(true) => self.dispatch(service, drain),
                Ok(false) if self.end_of_input && self.rx.inside_message() => {
                    Err(Violation::Truncated.into())
                }
                Ok(false) if self.end_of_input => Ok(State::Ended(Ok(()))),
                Ok(false) if self.pending().is_empty() => return Step::Read,
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
            State::Ended(_) => self.step(service, None),
            _ => Step::Called,
        }
    }

    /// Handles the call that has been found.
    fn dispatch<S: Service<Cursor = C>>(
        &mut self,
        service: &mut S,
        mut drain: Option<Drain<'_>>,
    ) -> Result<State<C>, Error> {
        let Some(message) = self.rx.take() else {
            return Ok(State::Open);
        };
        let call = Call::parse(message)?;
        let (name, mode) = (call.method(), call.mode());
        let error = match find::<S>(&call) {
            Err(error) => error,
            Ok((method, declared)) => match method.fault_in(&call) {
                Some(fault) => {
                    let parameter = Parameter::of(fault, message);
                    let parameter = parameter.name_in(message);
                    ServiceError::InvalidParameter { parameter }
                }
                None => {
                    let reply = Responder::new(self.tx.room(&mut drain), mode, method);
                    let answer = match builtin::is(method.interface) {
                        true => builtin::call(service, call, reply),
                        false => service.call(call, reply),
                    };
                    match answer.map(Outcome::into_parts) {
                        Ok((length, then)) => {
                            self.tx.commit(length);
                            return Ok(State::after(then, method));
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
            },
        };
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

    /// Asks for the next reply of a stream.
    fn resume<S: Service<Cursor = C>>(
        &mut self,
        service: &mut S,
        mut drain: Option<Drain<'_>>,
        cursor: C,
        method: Method,
    ) -> Result<State<C>, Error> {
        let room = self.tx.room(&mut drain);
        let answer = service.resume(cursor, ReplyStream::new(room, method));
        let (length, then) = match answer.map(Outcome::into_parts) {
            Ok(parts) => parts,
            // The call is gone, and its name with it.
            Err(Refusal::MethodNotFound | Refusal::MethodNotImplemented) => {
                return Err(EncodeError::Custom.into());
            }
            Err(refusal) => {
                let error = refusal.error("")?;
                (write_error(self.tx.room(&mut drain), &error)?, Then::Done)
            }
        };
        self.tx.commit(length);
        Ok(State::after(then, method))
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

impl<C> State<C> {
    fn after(then: Then<C>, method: Method) -> Self {
        match then {
            Then::Done => State::Open,
            Then::Continue(cursor) => State::Streaming { cursor, method },
            Then::Upgrade(cursor) => State::Upgraded(cursor),
            Then::Describe(rest) => State::Describing(rest),
        }
    }
}

/// Writes a standard error.
fn write_error(mut room: Room<'_>, error: &ServiceError<'_>) -> Result<usize, EncodeError> {
    let interface = SERVICE.name();
    let envelope = Envelope::Error { interface };
    room.write(&|room| envelope.write(room, &|writer| _ = writer.value(error)))
}
