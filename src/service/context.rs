//! The information that a driver passes down to a handler, in addition to bytes.

use heapless::VecView;

use crate::peer::{Descriptor, Peer};

/// The information of a driver about a connection, for one step of its session. Empty by default.
#[derive(Debug, Default)]
pub(crate) struct Context<'c> {
    /// The calling process.
    pub peer: Option<Peer>,
    /// A pidfd of the calling process.
    pub pidfd: Option<&'c Descriptor>,
    /// The descriptors of the call and of its reply; None if the connection carries none.
    pub descriptors: Option<Descriptors<'c>>,
    /// True if the driver serves other connections while a call is parked.
    pub can_park: bool,
}

impl Context<'_> {
    /// Returns the same context with a shorter lifetime.
    pub fn reborrow(&mut self) -> Context<'_> {
        Context {
            peer: self.peer,
            pidfd: self.pidfd,
            descriptors: self.descriptors.as_mut().map(|descriptors| Descriptors {
                received: descriptors.received,
                attached: descriptors.attached,
            }),
            can_park: self.can_park,
        }
    }

    /// Closes the descriptors that were received with the call and not taken.
    pub fn close_received(&mut self) {
        if let Some(descriptors) = &mut self.descriptors {
            descriptors.received.clear();
        }
    }

    /// Closes the descriptors that are attached to the next message.
    pub fn close_attached(&mut self) {
        if let Some(descriptors) = &mut self.descriptors {
            descriptors.attached.clear();
        }
    }

    /// True if descriptors are attached to the next message.
    pub fn has_attached(&self) -> bool {
        let attached = self.descriptors.as_ref();
        attached.is_some_and(|descriptors| !descriptors.attached.is_empty())
    }
}

/// The descriptors of one call and of its reply.
#[derive(Debug)]
pub(crate) struct Descriptors<'c> {
    /// The descriptors that were received with the call. Taking one leaves None.
    pub received: &'c mut VecView<Option<Descriptor>>,
    /// The descriptors to send with the next message.
    pub attached: &'c mut VecView<Descriptor>,
}
