//! What a driver hands down to a handler, beside bytes.

use heapless::VecView;

use crate::peer::{Descriptor, Peer};

/// What a driver knows of the connection, for the time of one step. The default is nothing.
#[derive(Debug, Default)]
pub(crate) struct Context<'c> {
    /// The process that calls.
    pub peer: Option<Peer>,
    /// A pidfd of that process.
    pub pidfd: Option<&'c Descriptor>,
    /// The descriptors of this call, on a connection that carries some.
    pub descriptors: Option<Descriptors<'c>>,
    /// True if the driver serves other connections while a call is parked.
    pub can_park: bool,
}

impl Context<'_> {
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

    /// Closes the descriptors that came with a call, except those that were taken.
    pub fn close_received(&mut self) {
        if let Some(descriptors) = &mut self.descriptors {
            descriptors.received.clear();
        }
    }

    /// Closes the descriptors that were to go with the next message.
    pub fn close_attached(&mut self) {
        if let Some(descriptors) = &mut self.descriptors {
            descriptors.attached.clear();
        }
    }

    pub fn has_attached(&self) -> bool {
        let attached = self.descriptors.as_ref();
        attached.is_some_and(|descriptors| !descriptors.attached.is_empty())
    }
}

/// The descriptors of one call.
#[derive(Debug)]
pub(crate) struct Descriptors<'c> {
    /// Those that came with the call; None in the place of one that was taken.
    pub received: &'c mut VecView<Option<Descriptor>>,
    /// Those that go with the next message.
    pub attached: &'c mut VecView<Descriptor>,
}
