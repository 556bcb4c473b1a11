//! The states of a connection to a service, and what leads from one to another.
//!
//! A session is always in one [`State`]. The outcome of a handler *is* the next state.
//!
//! | state | a step waits for | a step | the client goes away |
//! |---|---|---|---|
//! | `Open` | a whole call, room for a reply | handles the call: any state | `Ended` |
//! | `Due` | room for a reply | resumes the call: any state | `abandoned`, `Ended` |
//! | `Describing` | room for a reply | writes a piece: `Describing` or `Open` | `Ended` |
//! | `Parked` | a wake, which makes it `Due` | | `abandoned`, `Ended` |
//! | `Upgraded` | | the driver takes the stream when all is sent | `abandoned`, `Ended` |
//! | `Ended` | | the driver closes the stream when all is sent | |
//!
//! An error in a step is told to `failed` and leads to `Ended`; a cursor that the step has left is
//! told to `abandoned` as well. Input that ends between two messages leads from `Open` to `Ended`.
//! A `oneway` call that is parked is told to `abandoned` at once and leads to `Open`.

use core::convert::Infallible;

use super::Service;
use super::check::Callee;
use crate::error::Error;
use crate::message::Mode;

/// What a [`Session`](super::Session) owes its client.
///
/// When [`step`](super::Session::step) has nothing to do and nothing is pending, the state says what the
/// driver does next.
#[derive(Clone, Copy, Debug)]
pub enum State<C = Infallible> {
    /// Nothing: receive the next call.
    Open,
    /// The next reply of a stream, or the answer to a call that was woken: send what is pending,
    /// unless it may wait for that reply.
    Due(Owed<C>),
    /// The rest of the definition of an interface, as [`Due`](Self::Due).
    Describing(&'static [u8]),
    /// The answer to a call that is parked under a topic: wait for a wake.
    Parked(u32, Owed<C>),
    /// Nothing: the stream belongs to another protocol. What was received of it is
    /// [`unread`](crate::channel::Channel::unread).
    Upgraded(C),
    /// Nothing: close the stream. An error was told to [`Service::failed`](super::Service::failed).
    Ended(Result<(), Error>),
}

/// A call whose final reply is owed.
#[derive(Clone, Copy, Debug)]
pub struct Owed<C> {
    pub(super) cursor: C,
    pub(super) request: Request,
}

/// What is kept of a call after its handler has returned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub callee: Callee,
    pub mode: Mode,
}

impl<C: Copy> State<C> {
    /// The same state. If `C` has no value, the compiler learns here that no state holds a cursor,
    /// and leaves out the code for those.
    #[inline(always)] // so that it does
    pub(crate) fn reachable(self) -> Self {
        // An `Option` takes no room if there can be nothing in it.
        let has_cursors = size_of::<Option<C>>() > 0;
        match self {
            State::Due(_) | State::Parked(..) | State::Upgraded(_) if !has_cursors => State::Open,
            state => state,
        }
    }

    /// True if a reply is owed that does not wait for a wake.
    pub(crate) fn is_due(&self) -> bool {
        matches!(self, State::Due(_) | State::Describing(_))
    }

    /// The state after the client is gone. The service is told of a call whose cursor it has left.
    pub(crate) fn abandon<S: Service<C>>(&mut self, service: &mut S) {
        if let Some(cursor) = self.cursor() {
            service.abandoned(cursor);
        }
        *self = State::Ended(Ok(()));
    }

    /// The cursor that the call has left.
    pub(super) fn cursor(&self) -> Option<C> {
        match *self {
            State::Due(owed) | State::Parked(_, owed) => Some(owed.cursor),
            State::Upgraded(cursor) => Some(cursor),
            State::Open | State::Describing(_) | State::Ended(_) => None,
        }
    }
}
