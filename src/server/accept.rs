//! How connections come.

use core::mem;

use rustix::fd::AsFd;
use rustix::io::Errno;

use super::slot::{Role, Slot};
use super::{BACK_OFF_POLLS, Connection, LISTENERS, NoPlace, Server};
use crate::peer::Peer;
use crate::unix::{self, Stream};

impl<'b, C: Copy, const CONNECTIONS: usize, const DESCRIPTORS: usize>
    Server<'b, C, CONNECTIONS, DESCRIPTORS>
{
    /// Takes a connection, if one has come and there is a place for it.
    pub(super) fn accept(&mut self) -> Result<Option<Connection>, unix::Error> {
        for index in 0..LISTENERS {
            let Some(source) = self.listeners.get_mut(index) else {
                break;
            };
            if !mem::take(&mut source.ready) || !self.slots.iter().any(Slot::is_free) {
                continue;
            }
            match source.listener.accept_now() {
                Ok(Some(stream)) => {
                    let peer = stream.peer().ok().flatten();
                    if !self.may_connect(peer) {
                        continue;
                    }
                    if let Ok(connection) = self.open(stream, peer, Some(index)) {
                        return Ok(Some(connection));
                    }
                }
                // Somebody else has taken it; or it is a device that can't be opened now.
                Ok(None) if source.listener.pollable().is_some() => {}
                Ok(None) => self.backing_off = BACK_OFF_POLLS,
                // (A device may be another one soon.)
                Err(error) if is_broken(&error) && source.listener.pollable().is_some() => {
                    return Err(error);
                }
                Err(_) => self.backing_off = BACK_OFF_POLLS,
            }
        }
        Ok(None)
    }

    /// Whether a user may have one more connection.
    fn may_connect(&self, peer: Option<Peer>) -> bool {
        let (Some(limit), Some(peer)) = (self.limits.per_user, peer) else {
            return true;
        };
        let same =
            |slot: &&Slot<'b, C, DESCRIPTORS>| slot.peer.is_some_and(|other| other.uid == peer.uid);
        self.slots.iter().filter(same).count() < limit
    }

    /// Gives a connection a place.
    pub(super) fn open(
        &mut self,
        stream: Stream,
        peer: Option<Peer>,
        source: Option<usize>,
    ) -> Result<Connection, NoPlace> {
        let now = self.time();
        let slots = self.slots.iter_mut().enumerate();
        let free = slots.filter(|(_, slot)| slot.is_free());
        // (One that only lingers is the last choice.)
        let free = free.min_by_key(|(_, slot)| slot.role != Role::Free);
        let (index, slot) = free.ok_or(NoPlace)?;
        slot.free(&mut self.spare);
        slot.pidfd = self.hooks.peer_pidfd.and_then(|ask| ask(stream.as_fd()));
        slot.open(stream, peer, now);
        slot.source = source;
        Ok(Connection {
            slot: index,
            generation: slot.generation,
        })
    }
}

/// Whether a listener will never give a connection.
fn is_broken(error: &unix::Error) -> bool {
    match error {
        unix::Error::System(errno) => matches!(
            Errno::from_raw_os_error(*errno),
            Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP
        ),
        _ => false,
    }
}
