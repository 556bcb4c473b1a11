//! What a driver lends to a session, beside bytes, for the time of one step.

use heapless::VecView;

use super::publish::Published;
use crate::peer::{Descriptor, Peer};

/// What a driver lends. A driver that has nothing but bytes lends nothing.
#[derive(Debug, Default)]
pub(crate) struct Lent<'c> {
    /// Who calls.
    pub peer: Option<Peer>,
    /// The process that calls.
    pub pidfd: Option<&'c Descriptor>,
    /// Where descriptors come from and go to, if they are allowed.
    pub descriptors: Option<Descriptors<'c>>,
    /// Where items go that are published. Without it, nobody can wait for any.
    pub published: Option<Published<'c>>,
}

impl Lent<'_> {
    /// The same, for a shorter time.
    pub fn again(&mut self) -> Lent<'_> {
        Lent {
            peer: self.peer,
            pidfd: self.pidfd,
            descriptors: self.descriptors.as_mut().map(|descriptors| Descriptors {
                received: descriptors.received,
                attached: descriptors.attached,
            }),
            published: self.published.as_mut().map(Published::again),
        }
    }

    /// The descriptors that came with a call are closed, but for those that were taken.
    pub fn close_received(&mut self) {
        if let Some(descriptors) = &mut self.descriptors {
            descriptors.received.clear();
        }
    }

    /// The descriptors that were to go with a message are closed.
    pub fn close_attached(&mut self) {
        if let Some(descriptors) = &mut self.descriptors {
            descriptors.attached.clear();
        }
    }

    /// Whether descriptors are to go with the next message.
    pub fn has_attached(&self) -> bool {
        let attached = self.descriptors.as_ref();
        attached.is_some_and(|descriptors| !descriptors.attached.is_empty())
    }
}

/// Descriptors, both ways.
#[derive(Debug)]
pub(crate) struct Descriptors<'c> {
    /// Those that came with the call, without those that were taken.
    pub received: &'c mut VecView<Option<Descriptor>>,
    /// Those that go with the message that is written next.
    pub attached: &'c mut VecView<Descriptor>,
}
