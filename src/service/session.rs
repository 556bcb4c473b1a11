//! The session of one connection to a service. `state.rs` has the table of its states.

use core::convert::Infallible;

use super::check::{CallCheck, Callee, UsedKinds};
use super::responder::{Outcome, Responder, write_description};
use super::state::{Owed, Request, State};
use super::{Context, Service, SessionError, builtin};
use crate::channel::{Channel, SendBuffer, TooLong};
use crate::error::{EncodeError, Error, Violation};
use crate::message::{Call, Mode};
use crate::varlink_service::{Refusal, ServiceError};

/// The session of one connection to a service. It does no I/O: a driver moves bytes between its
/// [`channel`](Self::channel) and a stream, and calls [`step`](Self::step).
///
/// ```
/// # use nullink::service::{Answer, Info, Refusal, Responder, Service};
/// # use nullink::{Call, Interface};
/// # struct Nothing;
/// # impl Service for Nothing {
/// #     const INTERFACES: &'static [Interface] = &[];
/// #     fn info(&self) -> Info<'_> { Info { vendor: "Example", ..Info::default() } }
/// #     fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Answer<'c> {
/// #         Err(Refusal::MethodNotFound)
/// #     }
/// # }
/// # let mut service = Nothing;
/// use nullink::service::{Session, State};
///
/// let (mut receive, mut send) = ([0; 256], [0; 512]);
/// let mut session = Session::new(&mut receive, &mut send);
///
/// let call = b"{\"method\":\"org.varlink.service.GetInfo\"}\0";
/// session.channel().spare()[..call.len()].copy_from_slice(call);
/// session.channel().received(call.len());
///
/// while session.step(&mut service) {}
/// assert!(matches!(session.state(), State::Open));
/// assert!(session.channel().pending().starts_with(br#"{"parameters":{"vendor":"Example","#));
/// ```
#[derive(Debug)]
pub struct Session<'b, C = Infallible> {
    channel: Channel<'b>,
    state: State<C>,
}

impl<'b, C: Copy> Session<'b, C> {
    /// Creates the session of a new connection.
    ///
    /// `receive` must hold the longest call and its NUL. Half of `send` is the room for the next
    /// reply. It must hold the longest reply and its NUL, and 100 bytes in addition to the longest
    /// method name of a call, which standard errors contain.
    pub fn new(receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Session::from_parts(Channel::new(receive, send), State::Open)
    }

    /// Creates a session from the parts that [`into_parts`](Self::into_parts) has returned.
    pub fn from_parts(channel: Channel<'b>, state: State<C>) -> Self {
        Session { channel, state }
    }

    /// Returns the channel and the state, for a driver that stores them separately between two
    /// turns.
    pub fn into_parts(self) -> (Channel<'b>, State<C>) {
        (self.channel, self.state)
    }

    /// Returns the channel, into which the driver receives and from which it sends.
    pub fn channel(&mut self) -> &mut Channel<'b> {
        &mut self.channel
    }

    /// Returns the state: what the session owes its client.
    pub fn state(&self) -> State<C> {
        self.state.reachable()
    }

    /// Handles at most one call, or writes one owed reply. Returns false if there is nothing to do
    /// until bytes are received or sent, or the call is woken.
    ///
    /// Replies to pipelined calls collect in the send buffer while half of it is free. The service
    /// is not asked for [`woken`](Service::woken) topics: the driver does that, and calls
    /// [`wake`](Self::wake).
    pub fn step<S: Service<C>>(&mut self, service: &mut S) -> bool {
        let context = Context {
            can_park: true,
            ..Context::default()
        };
        self.step_in(service, context)
    }

    /// Like `step`, with the driver's information about the connection.
    #[inline(never)] // so that tests/freestanding/stack.sh finds it
    pub(crate) fn step_in<S: Service<C>>(&mut self, service: &mut S, context: Context<'_>) -> bool {
        if S::SENSITIVE {
            self.channel.erase();
        }
        let peer = context.peer;
        let mut callee = None;
        let result = match self.state.reachable() {
            State::Parked(..) | State::Upgraded(_) | State::Ended(_) => return false,
            State::Due(owed) => {
                callee = Some(owed.request.callee);
                self.resume(service, context, owed)
            }
            State::Describing(rest) => self.describe(rest),
            State::Open => match self.channel.receive.search() {
                Ok(true) => self.dispatch(service, context, &mut callee),
                Ok(false) if !self.channel.is_at_end() => return false,
                Ok(false) if self.channel.receive.mid_message() => Err(Violation::Truncated.into()),
                Ok(false) => {
                    self.end(Ok(()));
                    return true;
                }
                Err(TooLong) => Err(Error::TooLong),
            },
        };
        result.unwrap_or_else(|error| {
            service.failed(SessionError {
                error,
                peer,
                room: self.channel.send.reply_room_size(),
                callee,
            });
            self.end(Err(error));
            true
        })
    }

    #[inline(never)] // shorter than two copies
    fn end(&mut self, result: Result<(), Error>) {
        self.state = State::Ended(result);
    }

    /// Wakes the call if it is parked under this topic, so that the next step resumes it. Returns
    /// true if a call was woken.
    pub fn wake(&mut self, topic: u32) -> bool {
        match self.state {
            State::Parked(parked, owed) if parked == topic => {
                self.state = State::Due(owed);
                true
            }
            _ => false,
        }
    }

    /// Ends the session because its client is gone, and drops all pending bytes. Passes the cursor,
    /// if there is one, to [`Service::abandoned`].
    pub fn abandon<S: Service<C>>(&mut self, service: &mut S) {
        self.state.abandon(service);
        self.channel.send.clear();
        if S::SENSITIVE {
            self.channel.erase_all();
        }
    }

    /// Handles the call that the search has found. Sets `found` to its method. Returns false if
    /// there is no room for a reply.
    #[inline(never)] // keeps its variables out of the stack frames of callers
    fn dispatch<S: Service<C>>(
        &mut self,
        service: &mut S,
        mut context: Context<'_>,
        found: &mut Option<Callee>,
    ) -> Result<bool, Error> {
        let Channel { receive, send, .. } = &mut self.channel;
        let Some(room) = send.reply_room() else {
            return Ok(false);
        };
        let Some(message) = receive.take() else {
            debug_assert!(false, "`step_in` has found a message");
            return Ok(false);
        };
        let mut check = CallCheck::new();
        let (call, range) = Call::parse_with(message, &mut |method, parameters| {
            check.run::<S, C>(method, parameters)
        })?;
        let mode = call.mode();
        // The decoded name may be shorter than its text.
        let name = range.start..range.start.saturating_add(call.name().len());
        let answered = handle(service, call, &check, room, &mut context.reborrow(), found);
        context.close_received();
        match answered {
            Ok(answer) => self.finish(service, context, *found, mode, answer)?,
            Err(refusal) => {
                context.close_attached();
                let error = refusal.error(message, Some(name))?;
                if mode != Mode::Oneway {
                    write_error(send, &error).map_err(|error| match error {
                        // It is too long because it repeats a name that the client has sent.
                        EncodeError::Full => Error::TooLong,
                        error => error.into(),
                    })?;
                }
            }
        }
        Ok(true)
    }

    /// Runs the handler for an owed reply. Returns false if there is no room for it.
    #[inline(never)] // keeps its variables off the stack while a call is handled
    fn resume<S: Service<C>>(
        &mut self,
        service: &mut S,
        mut context: Context<'_>,
        owed: Owed<C>,
    ) -> Result<bool, Error> {
        let Owed { cursor, request } = owed;
        let Some(room) = self.channel.send.reply_room() else {
            return Ok(false);
        };
        let mut lent = context.reborrow();
        let reply = Responder::new(room, &mut lent, request);
        match service.resume(cursor, reply).map(Outcome::into_parts) {
            Ok(answer) => {
                let Request { callee, mode } = request;
                self.finish(service, context, Some(callee), mode, answer)?;
            }
            Err(refusal) => {
                context.close_attached();
                // The call is no longer in the buffer, so the refusal has no name to refer to. A
                // `oneway` call has no owed reply.
                let error = refusal.error(&[], None);
                error.and_then(|error| write_error(&mut self.channel.send, &error))?;
                self.state = State::Open;
            }
        }
        Ok(true)
    }

    /// Commits the message that a handler has written, and goes to the next state. The length is 0
    /// if there is no message: the call is `oneway`, or it was parked without a reply.
    fn finish<S: Service<C>>(
        &mut self,
        service: &mut S,
        mut context: Context<'_>,
        callee: Option<Callee>,
        mode: Mode,
        (length, state): (usize, State<C>),
    ) -> Result<(), Error> {
        let send = &mut self.channel.send;
        if length == 0 {
            context.close_attached();
        } else {
            // A piece of a definition is not a complete message, so it cannot be checked.
            if cfg!(debug_assertions)
                && let Some(callee) = callee
                && !matches!(state, State::Describing(_))
            {
                let room = send.reply_room().unwrap_or_default();
                let message = room.get(..length.saturating_sub(1)).unwrap_or_default();
                if let Err(error) = callee.check_answer(message) {
                    context.close_attached();
                    if let Some(cursor) = state.cursor() {
                        service.abandoned(cursor);
                    }
                    return Err(error);
                }
            }
            if context.has_attached() {
                send.commit_marked(length);
            } else {
                send.commit(length);
            }
        }
        if mode == Mode::Oneway
            && let State::Parked(_, owed) = state.reachable()
        {
            self.state = State::Open;
            service.abandoned(owed.cursor);
        } else {
            self.state = state;
        }
        Ok(())
    }

    /// Writes the next piece of a definition that is longer than the room for a reply. Returns false
    /// if there is no room for it.
    fn describe(&mut self, rest: &'static [u8]) -> Result<bool, Error> {
        let Some(room) = self.channel.send.reply_room() else {
            return Ok(false);
        };
        let (length, state) = write_description(room, &[], rest)?;
        self.channel.send.commit(length);
        self.state = state;
        Ok(true)
    }
}

/// Answers a call with a standard error.
#[inline(never)] // keeps its variables out of the stack frames of callers
fn write_error(send: &mut SendBuffer<'_>, error: &ServiceError<'_>) -> Result<(), EncodeError> {
    let length = error.write(send.reply_room().unwrap_or_default())?;
    send.commit(length);
    Ok(())
}

/// Runs the handler of a call, if the check allows it. Sets `found` to the method. Returns the length
/// of the message, and the next state.
#[inline(never)] // otherwise the call is copied several times
fn handle<'c, S: Service<C>, C: Copy>(
    service: &mut S,
    mut call: Call<'c>,
    check: &CallCheck,
    room: &'c mut [u8],
    context: &'c mut Context<'c>,
    found: &mut Option<Callee>,
) -> Result<(usize, State<C>), Refusal> {
    let callee = check.callee()?;
    *found = Some(callee);
    call.identify(context.peer, callee.interface.name().len());
    let is_builtin = builtin::serves(callee.interface);
    if !is_builtin {
        service.permit(&call)?;
    }
    check.result::<UsedKinds<S, C>>(&mut call)?;
    let mode = call.mode();
    let reply = Responder::new(room, context, Request { callee, mode });
    let outcome = if is_builtin {
        builtin::call(service, call, reply)
    } else {
        service.call(call, reply)
    };
    match outcome {
        // The interface declares the method, but the service has no handler for it.
        Err(Refusal::MethodNotFound) if callee.is_declared() => Err(Refusal::MethodNotImplemented),
        outcome => outcome.map(Outcome::into_parts),
    }
}
