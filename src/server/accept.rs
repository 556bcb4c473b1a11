//! Listeners and devices: how connections are accepted and opened.

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

/// The number of waits before the server accepts again after the system had no descriptors or
/// memory left, or before it opens an unavailable device again. Each wait takes at most
/// [`BACK_OFF`](unix::BACK_OFF). A wait without an event ends the pause.
pub(super) const BACK_OFF_WAITS: u8 = 64;

/// The events of a listening socket: a client, or the end of the socket.
const POLLED: EventFlags = EventFlags::IN.union(EventFlags::RDHUP);

/// A listener: a listening socket, or a serial device.
#[derive(Debug)]
pub(super) struct Source<'b> {
    pub listener: Listener,
    /// True if a client may be waiting.
    pub is_ready: bool,
    /// True if another process has shut the socket down.
    pub is_shut_down: bool,
    /// True if the poller reports waiting clients.
    is_polled: bool,
    /// The state of a device; None for a socket.
    device: Option<DeviceState<'b>>,
}

/// The state of a serial device. It has one connection while it is open.
#[derive(Debug)]
pub(super) struct DeviceState<'b> {
    pub line_buffer: LineBuffer<'b>,
    pub is_open: bool,
    /// The number of waits left before it is opened again.
    pub pause: u8,
}

impl<'b> Source<'b> {
    /// Returns the state of a device. Without the feature `device` this is always None, so the
    /// compiler removes the code for devices.
    pub fn device(&mut self) -> Option<&mut DeviceState<'b>> {
        self.device.as_mut().filter(|_| cfg!(feature = "device"))
    }

    /// True for a device that must be opened now.
    fn is_due_device(&self) -> bool {
        self.is_device_with(|device| !device.is_open && device.pause == 0)
    }

    /// Delays the next attempt to open a device.
    fn pause(&mut self) {
        if let Some(device) = self.device() {
            device.pause = BACK_OFF_WAITS;
        }
    }

    /// True for a device that is opened after a pause.
    pub fn is_pausing(&self) -> bool {
        self.is_device_with(|device| device.pause > 0)
    }

    fn is_device_with(&self, condition: impl FnOnce(&DeviceState<'b>) -> bool) -> bool {
        cfg!(feature = "device") && self.device.as_ref().is_some_and(condition)
    }
}

/// Returns the device of a connection; None if it is not a connection to a device.
pub(super) fn device_of<'s, 'b>(
    endpoint: &Endpoint,
    listeners: &'s mut [Source<'b>],
) -> Option<&'s mut DeviceState<'b>> {
    listeners.get_mut(to_usize(endpoint.listener?))?.device()
}

impl<'b, C: Copy, const CONNECTIONS: usize, const DESCRIPTORS: usize>
    Server<'b, C, CONNECTIONS, DESCRIPTORS>
{
    /// Adds a listener.
    pub(super) fn add_source(&mut self, listener: Listener) -> Result<(), unix::IoError> {
        if self.listeners.is_full() {
            return Err(unix::IoError::NoPlace);
        }
        let mut source = Source {
            is_ready: false,
            is_shut_down: false,
            is_polled: true,
            device: None,
            listener,
        };
        if let Some(fd) = source.listener.pollable() {
            let index = u32::try_from(self.listeners.len()).unwrap_or(u32::MAX);
            self.poller.add(fd, Token::Listener(index), POLLED)?;
        } else {
            let length = self.buffers.receive_length();
            let look_ahead = mem::take(&mut self.look_ahead).split_at_mut_checked(length);
            let (look_ahead, rest) = look_ahead.unwrap_or_default();
            self.look_ahead = rest;
            source.device = Some(DeviceState {
                line_buffer: LineBuffer::new(look_ahead),
                is_open: false,
                pause: 0,
            });
        }
        let pushed = self.listeners.push(source);
        pushed.map_err(|_| unix::IoError::NoPlace)
    }

    /// True if there is a place for a connection: a free one, or that of a lingering connection.
    pub(super) fn has_place(&self) -> bool {
        self.places.free().is_some() || self.lingering > 0
    }

    /// True if there is a place for a connection, and accepting is not paused.
    pub(super) fn accepts(&self) -> bool {
        self.backing_off == 0 && self.has_place()
    }

    /// True if the server accepts connections, but a listener is not polled or a device must be
    /// opened.
    pub(super) fn has_unpolled_listener(&self) -> bool {
        let is_unpolled = |source: &Source<'_>| !source.is_polled || source.is_due_device();
        self.accepts() && self.listeners.iter().any(is_unpolled)
    }

    /// Starts or stops polling all listeners.
    pub(super) fn poll_listeners(&mut self, is_polled: bool) -> Result<(), unix::IoError> {
        for (index, source) in (0_u32..).zip(&mut self.listeners) {
            let Some(fd) = source
                .listener
                .pollable()
                .filter(|_| source.is_polled != is_polled)
            else {
                continue;
            };
            let flags = if is_polled {
                POLLED
            } else {
                // Unlike no flags, this ends EPOLLHUP after the first: epoll_ctl(2).
                EventFlags::ONESHOT
            };
            self.poller.modify(fd, Token::Listener(index), flags)?;
            source.is_polled = is_polled;
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
            let is_device = source.is_due_device();
            let is_ready = mem::take(&mut source.is_ready);
            let may_accept = is_ready || is_device && accepts;
            if !may_accept {
                continue;
            }
            if !accepts {
                // The waiting client would end each wait at once.
                self.poll_listeners(false)?;
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
                        // The kernel has no memory left. The new connection was closed.
                        Err(_) => self.backing_off = BACK_OFF_WAITS,
                    }
                }
                // The device does not exist, or it cannot be opened.
                Ok(None) | Err(_) if is_device => source.pause(),
                // For a Unix socket that is shut down, accept(2) fails with EAGAIN.
                Ok(None) if source.is_shut_down => return Err(unix::IoError::SHUT_DOWN),
                // Another process has accepted the connection.
                Ok(None) => {}
                Err(error) if is_broken(&error) => return Err(error),
                // No descriptor or no memory is left: EMFILE, ENFILE, ENOBUFS, ENOMEM.
                Err(_) => self.backing_off = BACK_OFF_WAITS,
            }
        }
        Ok(None)
    }

    /// True if the peer's user may have one more connection. Unknown users count as one user.
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

    /// Puts a connection into a place, and adds it to the poller.
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
        if let Some(peer_pidfd) = self.hooks.peer_pidfd {
            endpoint.pidfd = peer_pidfd(endpoint.stream.as_fd());
        }
        if let Some(deadline) = endpoint.deadline(&self.limits) {
            self.next_deadline = self.next_deadline.min(deadline);
        }
        self.places.occupy(endpoint);
        self.connections = self.connections.saturating_add(1);
        Ok(connection)
    }

    /// Closes one lingering connection.
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

/// True if the listener can never accept a connection after this error.
fn is_broken(error: &unix::IoError) -> bool {
    match error {
        unix::IoError::System(errno) => matches!(
            Errno::from_raw_os_error(*errno),
            Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP
        ),
        _ => false,
    }
}
