//! The states of a connection to a service, and their transitions.
//!
//! A session is always in one [`State`]. The outcome of a handler contains the next state.
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
//! An error in a step calls `failed` and leads to `Ended`. If the step has left a cursor, the
//! session calls `abandoned` first. Input that ends between two messages leads from `Open` to
//! `Ended`. A `oneway` call does not stay parked: the session calls `abandoned`, and is `Open`.

use core::convert::Infallible;

use super::Service;
use super::check::Callee;
use crate::error::Error;
use crate::message::Mode;

/// The state of a [`Session`](super::Session): what it owes its client.
///
/// When [`step`](super::Session::step) has nothing to do and no bytes are pending, the state tells
/// the driver what to do next.
#[derive(Clone, Copy, Debug)]
pub enum State<C = Infallible> {
    /// No reply is owed. The driver receives the next call.
    Open,
    /// The next reply of a stream, or the answer to a woken call, is owed. The driver sends the
    /// pending bytes, unless they may wait for that reply.
    Due(Owed<C>),
    /// The rest of the definition of an interface is owed. The driver does the same as for
    /// [`Due`](Self::Due).
    Describing(&'static [u8]),
    /// The answer to a call that is parked under this topic is owed. The driver waits for a wake.
    Parked(u32, Owed<C>),
    /// No reply is owed, and the stream belongs to another protocol. The bytes of that protocol
    /// that were already received are [`unread`](crate::channel::Channel::unread).
    Upgraded(C),
    /// No reply is owed. The driver closes the stream. An error was passed to
    /// [`Service::failed`](super::Service::failed).
    Ended(Result<(), Error>),
}

/// A call whose final reply is owed.
#[derive(Clone, Copy, Debug)]
pub struct Owed<C> {
    pub(super) cursor: C,
    pub(super) request: Request,
}

/// The part of a call that is kept after its handler has returned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub callee: Callee,
    pub mode: Mode,
}

impl<C: Copy> State<C> {
    /// Returns the state unchanged. If `C` has no value, no state can hold a cursor: this shows the
    /// compiler that it can remove the code for states with one.
    #[inline(always)] // otherwise the compiler may not see it
    pub(crate) fn reachable(self) -> Self {
        // An `Option` of a type without values has the size 0.
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

    /// Ends the session because its client is gone. Passes the cursor, if there is one, to
    /// [`Service::abandoned`].
    pub(crate) fn abandon<S: Service<C>>(&mut self, service: &mut S) {
        if let Some(cursor) = self.cursor() {
            service.abandoned(cursor);
        }
        *self = State::Ended(Ok(()));
    }

    /// Returns the cursor that the handler has left, if any.
    pub(super) fn cursor(&self) -> Option<C> {
        match *self {
            State::Due(owed) | State::Parked(_, owed) => Some(owed.cursor),
            State::Upgraded(cursor) => Some(cursor),
            State::Open | State::Describing(_) | State::Ended(_) => None,
        }
    }
}
