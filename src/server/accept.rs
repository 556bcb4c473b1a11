//! How connections come.

use core::mem;

use rustix::event::epoll::EventFlags;
use rustix::fd::AsFd;
use rustix::io::Errno;

use super::places::to_usize;
use super::poller::Token;
use super::slot::{Endpoint, Role};
use super::{Connection, MAX_LISTENERS, Server};
use crate::line::LineBuffer;
use crate::peer::Peer;
use crate::unix::{self, Listener, Stream};

/// How many times the server waits until accepting is tried again, when the system has no
/// descriptors or memory left, or until a device that is not there is opened again. It waits at
/// most [`BACK_OFF`](unix::BACK_OFF) each time.
pub(super) const BACK_OFF_WAITS: u8 = 64;

/// Where connections come from.
#[derive(Debug)]
pub(super) struct Source<'b> {
    pub listener: Listener,
    /// A client may be waiting.
    pub is_ready: bool,
    /// The poller looks for clients.
    is_polled: bool,
    /// None, unless it is a device.
    device: Option<DeviceState<'b>>,
}

/// A serial device, of which there is one connection while it is there.
#[derive(Debug)]
pub(super) struct DeviceState<'b> {
    pub breaks: LineBuffer<'b>,
    pub is_open: bool,
    /// How many waits are left before it is opened again.
    pub pause: u8,
}

impl<'b> Source<'b> {
    pub fn device(&mut self) -> Option<&mut DeviceState<'b>> {
        // So that a program without devices has none of the code for them.
        self.device.as_mut().filter(|_| cfg!(feature = "device"))
    }

    /// True for a device that is to be opened now.
    fn is_idle_device(&self) -> bool {
        self.is_device(|device| !device.is_open && device.pause == 0)
    }

    /// Has a device opened again after a pause.
    fn pause(&mut self) {
        if let Some(device) = self.device() {
            device.pause = BACK_OFF_WAITS;
        }
    }

    /// True for a device that is to be opened after a pause.
    pub fn is_pausing(&self) -> bool {
        self.is_device(|device| device.pause > 0)
    }

    fn is_device(&self, which: impl FnOnce(&DeviceState<'b>) -> bool) -> bool {
        cfg!(feature = "device") && self.device.as_ref().is_some_and(which)
    }
}

/// The device that a connection is to, if it is to one.
pub(super) fn device_of<'s, 'b>(
    endpoint: &Endpoint,
    listeners: &'s mut [Source<'b>],
) -> Option<&'s mut DeviceState<'b>> {
    listeners.get_mut(to_usize(endpoint.listener?))?.device()
}

impl<'b, C: Copy, const CONNECTIONS: usize, const DESCRIPTORS: usize>
    Server<'b, C, CONNECTIONS, DESCRIPTORS>
{
    /// Accepts connections from a listener.
    pub(super) fn add_source(&mut self, listener: Listener) -> Result<(), unix::IoError> {
        if self.listeners.is_full() {
            return Err(unix::IoError::NoPlace);
        }
        let mut source = Source {
            is_ready: false,
            is_polled: true,
            device: None,
            listener,
        };
        if let Some(fd) = source.listener.pollable() {
            let index = u32::try_from(self.listeners.len()).unwrap_or(u32::MAX);
            self.poller
                .add(fd, Token::Listener(index), EventFlags::IN)?;
        } else {
            let length = self.buffers.receive_length();
            let look_ahead = mem::take(&mut self.look_ahead).split_at_mut_checked(length);
            let (look_ahead, rest) = look_ahead.unwrap_or_default();
            self.look_ahead = rest;
            source.device = Some(DeviceState {
                breaks: LineBuffer::new(look_ahead),
                is_open: false,
                pause: 0,
            });
        }
        let pushed = self.listeners.push(source);
        pushed.map_err(|_| unix::IoError::NoPlace)
    }

    /// True if there is a place for a connection; if need be, that of one that only lingers.
    pub(super) fn has_place(&self) -> bool {
        self.places.free().is_some() || self.lingering > 0
    }

    /// True if there is a place for a connection, and the system may have a descriptor for it.
    pub(super) fn accepts(&self) -> bool {
        self.backing_off == 0 && self.has_place()
    }

    /// True if there is a device to be opened, or a listener that the poller does not look at, and
    /// a place for a connection.
    pub(super) fn has_idle_listener(&self) -> bool {
        let is_idle = |source: &Source<'_>| !source.is_polled || source.is_idle_device();
        self.accepts() && self.listeners.iter().any(is_idle)
    }

    /// Has the poller look for clients on all listeners, or not.
    pub(super) fn look_for_clients(&mut self, look: bool) -> Result<(), unix::IoError> {
        for (index, source) in (0_u32..).zip(&mut self.listeners) {
            let Some(fd) = source
                .listener
                .pollable()
                .filter(|_| source.is_polled != look)
            else {
                continue;
            };
            let flags = if look {
                EventFlags::IN
            } else {
                EventFlags::empty()
            };
            self.poller.modify(fd, Token::Listener(index), flags)?;
            source.is_polled = look;
        }
        Ok(())
    }

    /// Accepts a connection, if a client is waiting and there is a place for it.
    pub(super) fn accept(&mut self) -> Result<Option<Connection>, unix::IoError> {
        for index in 0..MAX_LISTENERS {
            let accepts = self.accepts();
            let Some(source) = self.listeners.get_mut(index) else {
                break;
            };
            let is_device = source.is_idle_device();
            let is_ready = mem::take(&mut source.is_ready);
            let may_come = is_ready || is_device && accepts;
            if !may_come {
                continue;
            }
            if !accepts {
                // It would be ready at once again.
                self.look_for_clients(false)?;
                continue;
            }
            match source.listener.accept_now() {
                Ok(Some(stream)) => {
                    let peer = stream.peer().ok().flatten();
                    if !self.may_connect(&stream, peer) {
                        continue;
                    }
                    match self.open(stream, peer, u32::try_from(index).ok()) {
                        Ok(connection) => return Ok(Some(connection)),
                        // The kernel has no memory for one more: the client was closed.
                        Err(_) => self.backing_off = BACK_OFF_WAITS,
                    }
                }
                // It is not there, or is no device now.
                Ok(None) | Err(_) if is_device => source.pause(),
                // Somebody else has accepted it.
                Ok(None) => {}
                Err(error) if is_broken(&error) => return Err(error),
                Err(_) => self.backing_off = BACK_OFF_WAITS,
            }
        }
        Ok(None)
    }

    /// True if a user may have one more connection. Users that are unknown count as one.
    fn may_connect(&mut self, stream: &Stream, peer: Option<Peer>) -> bool {
        let (Some(limit), true) = (self.limits.per_user, stream.carries_descriptors()) else {
            return true;
        };
        let uid = peer.map(|peer| peer.uid);
        let same = self.places.endpoints().filter(|endpoint| {
            endpoint.stream.carries_descriptors() && endpoint.peer.map(|peer| peer.uid) == uid
        });
        same.count() < limit
    }

    /// Gives a connection a place.
    pub(super) fn open(
        &mut self,
        stream: Stream,
        peer: Option<Peer>,
        listener: Option<u32>,
    ) -> Result<Connection, unix::IoError> {
        if self.places.free().is_none() {
            self.end_lingering();
        }
        let index = self.places.free().ok_or(unix::IoError::NoPlace)?;
        let connection = self.places.connection(index);
        let token = Token::Connection(connection);
        self.poller.add(stream.as_fd(), token, Endpoint::INTEREST)?;
        let mut endpoint = Endpoint::new(stream, peer, self.time());
        endpoint.listener = listener;
        if let Some(device) = device_of(&endpoint, &mut self.listeners) {
            device.is_open = true;
        }
        if let Some(ask) = self.hooks.peer_pidfd {
            endpoint.pidfd = ask(endpoint.stream.as_fd());
        }
        if let Some(deadline) = endpoint.deadline(&self.limits) {
            self.earliest = self.earliest.min(deadline);
        }
        self.places.occupy(endpoint);
        self.connections = self.connections.saturating_add(1);
        Ok(connection)
    }

    /// Closes one of the connections that only linger.
    fn end_lingering(&mut self) {
        let mut indices = self.places.indices();
        let is_lingering = |index: &u32| {
            let endpoint = self.places.get(*index);
            endpoint.is_some_and(|(endpoint, _)| matches!(endpoint.role, Role::Lingering(_)))
        };
        if let Some(index) = indices.find(is_lingering) {
            drop(self.vacate(index));
        }
    }
}

/// True if a listener will never give a connection.
fn is_broken(error: &unix::IoError) -> bool {
    match error {
        unix::IoError::System(errno) => matches!(
            Errno::from_raw_os_error(*errno),
            Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP
        ),
        _ => false,
    }
}
