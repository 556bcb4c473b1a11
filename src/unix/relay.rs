//! Joins two connections.

use heapless::Vec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, retry_on_intr};

use super::error::IoError;
use super::receive::Reading;
use super::stream::Stream;
use crate::relay::{Failure, Policy, Relay, Side, Step};

/// Relays between a client and a service until the connection ends: see [`Relay`]. Then closes both
/// streams.
///
/// One poll(2) waits for both connections. A connection is not read while its received bytes cannot
/// be passed on, and a slow connection does not block the other one.
///
/// `calls` must be twice as long as the longest call and its NUL, and `replies` twice as long as
/// the longest reply and its NUL.
///
/// File descriptors are not passed on. Received ones are closed, and end the relay.
///
/// # Errors
///
/// Returns the failure that has ended the relay: an invalid or too long message, missing replies,
/// or an error of a socket. A connection that is closed while no reply is missing is not a failure.
///
/// ```no_run
/// use nullink::unix::{Listener, Stream, relay};
///
/// let (mut calls, mut replies) = ([0; 8192], [0; 8192]);
/// let listener = Listener::bind("/run/org.example.front")?;
/// loop {
///     let client = listener.accept()?;
///     let service = Stream::connect("/run/org.example.ftl")?;
///     // Instead of a policy, `()` passes everything on.
///     if let Err(failure) = relay(client, service, &mut calls, &mut replies, &mut ()) {
///         eprintln!("{failure}");
///     }
/// }
/// # Ok::<(), nullink::unix::IoError>(())
/// ```
pub fn relay(
    client: Stream,
    service: Stream,
    calls: &mut [u8],
    replies: &mut [u8],
    policy: &mut dyn Policy,
) -> Result<(), Failure<IoError>> {
    let mut relay = Relay::new(calls, replies);
    let mut connections =
        [(Side::Client, client), (Side::Service, service)].map(|(side, stream)| RelayStream {
            side,
            stream,
            end_of_output: false,
        });
    let result = loop {
        if let Step::Ended(result) = relay.step(policy) {
            break result.map_err(Failure::with_transport);
        }
        if let Err(failure) = turn(&mut relay, &mut connections) {
            break Err(failure);
        }
    };
    for connection in connections {
        connection.stream.close(&mut [0; 256]);
    }
    result
}

/// One of the two connections.
struct RelayStream {
    side: Side,
    stream: Stream,
    /// True if nothing more can be sent: the peer is gone, or the end of output was sent.
    end_of_output: bool,
}

impl RelayStream {
    /// Returns a failure of this side.
    fn failure(&self, error: IoError) -> Failure<IoError> {
        Failure {
            side: self.side,
            error: crate::Error::Transport(error),
        }
    }

    /// Sends pending bytes. Returns true if this may have given the relay something to do.
    fn send(&mut self, relay: &mut Relay<'_>) -> Result<bool, Failure<IoError>> {
        if self.end_of_output {
            return Ok(false);
        }
        let pending = relay.pending(self.side);
        if !pending.is_empty() {
            match self.stream.send_now(pending, &[]) {
                Ok(Some(count)) => relay.sent(self.side, count),
                Ok(None) => return Ok(false),
                Err(IoError::Closed) => self.record_gone(relay),
                Err(error) => return Err(self.failure(error)),
            }
        } else if relay.finished(self.side) {
            self.end_of_output = true;
            self.stream.finish_sending();
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Receives available bytes, if the relay has room for them.
    fn receive(&mut self, relay: &mut Relay<'_>) -> Result<(), Failure<IoError>> {
        let spare = relay.spare(self.side);
        if spare.is_empty() {
            return Ok(());
        }
        let no_descriptors = &mut Vec::<_, 0>::new();
        match self.stream.receive_now(Reading::All, spare, no_descriptors) {
            Ok(Some(count)) => relay.received(self.side, count),
            Ok(None) => {}
            Err(IoError::Closed) => {
                relay.received(self.side, 0);
                self.record_gone(relay);
            }
            Err(error) => return Err(self.failure(error)),
        }
        Ok(())
    }

    /// Records that the peer is gone.
    fn record_gone(&mut self, relay: &mut Relay<'_>) {
        relay.fail_to_send(self.side);
        self.end_of_output = true;
        // A peer that is not gone must not wait for bytes that were not sent.
        self.stream.finish_sending();
    }

    /// Returns the events to wait for; None if the connection must not be polled.
    fn interest(&self, relay: &mut Relay<'_>) -> Option<PollFlags> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, !relay.spare(self.side).is_empty());
        flags.set(PollFlags::OUT, !relay.pending(self.side).is_empty());
        // Even without flags poll(2) reports that the peer is gone, each time.
        (!flags.is_empty() || !self.end_of_output).then_some(flags)
    }
}

/// Sends pending bytes. If there are none to send, waits until a connection is ready, and receives.
fn turn(relay: &mut Relay<'_>, connections: &mut [RelayStream; 2]) -> Result<(), Failure<IoError>> {
    let mut sent = false;
    for connection in connections.iter_mut() {
        sent |= connection.send(relay)?;
    }
    if sent {
        return Ok(());
    }
    let ready = wait(relay, connections).map_err(|errno| Failure {
        side: Side::Client,
        error: crate::Error::Transport(IoError::from_errno(errno)),
    })?;
    for (connection, ready) in connections.iter_mut().zip(ready) {
        let is_gone = ready.intersects(PollFlags::HUP | PollFlags::ERR);
        if ready.contains(PollFlags::IN) || is_gone {
            connection.receive(relay)?;
        }
        if is_gone {
            connection.record_gone(relay);
        }
    }
    Ok(())
}

/// Waits for the events of both connections: poll(2). At least one is polled, or the relay would
/// have ended.
fn wait(relay: &mut Relay<'_>, connections: &[RelayStream; 2]) -> Result<[PollFlags; 2], Errno> {
    let flags = connections
        .each_ref()
        .map(|connection| connection.interest(relay));
    let mut fds = Vec::<PollFd<'_>, 2>::new();
    for (connection, flags) in connections.iter().zip(flags) {
        // The vector has room for both.
        let _ = flags.map(|flags| fds.push(PollFd::new(&connection.stream, flags)));
    }
    retry_on_intr(|| poll(&mut fds, None))?;
    let mut ready = fds.iter().map(PollFd::revents);
    let none = PollFlags::empty();
    Ok(flags.map(|flags| flags.and_then(|_| ready.next()).unwrap_or(none)))
}
