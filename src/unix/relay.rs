//! Two connections joined, until they are over.

use heapless::Vec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, retry_on_intr};

use super::error::IoError;
use super::receive::Reading;
use super::stream::Stream;
use crate::relay::{Failure, Policy, Relay, Side, Step};

/// Relays between a client and a service, until the connection is over: see [`Relay`]. Both are
/// closed then.
///
/// All waiting is done in one poll(2) for both: neither is read from while what it has sent has no
/// place to go to, and neither keeps the other from being served.
///
/// `calls` has to be twice as long as the longest call and its NUL, `replies` the same for replies.
///
/// File descriptors are not passed on. Those that come nevertheless are closed, and end the relay.
///
/// # Errors
///
/// What has ended it, if that was not one of the connections going away: a message that is none, or too
/// long, replies that are missing, or a socket that does not work.
///
/// ```no_run
/// use nullink::unix::{Listener, Stream, relay};
///
/// let (mut calls, mut replies) = ([0; 8192], [0; 8192]);
/// let listener = Listener::bind("/run/org.example.front")?;
/// loop {
///     let client = listener.accept()?;
///     let service = Stream::connect("/run/org.example.ftl")?;
///     // A policy goes where `()` passes everything.
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
            shut: false,
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

/// One of the connections.
struct RelayStream {
    side: Side,
    stream: Stream,
    /// It takes nothing more: it is gone, or its end was sent.
    shut: bool,
}

impl RelayStream {
    fn failed(&self, error: IoError) -> Failure<IoError> {
        Failure {
            side: self.side,
            error: crate::Error::Transport(error),
        }
    }

    /// Sends what is pending. Returns true if the relay has something to do after that.
    fn send(&mut self, relay: &mut Relay<'_>) -> Result<bool, Failure<IoError>> {
        if self.shut {
            return Ok(false);
        }
        let pending = relay.pending(self.side);
        if !pending.is_empty() {
            match self.stream.send_now(pending, &[]) {
                Ok(Some(count)) => relay.sent(self.side, count),
                Ok(None) => return Ok(false),
                Err(IoError::Closed) => self.gone(relay),
                Err(error) => return Err(self.failed(error)),
            }
        } else if relay.finished(self.side) {
            self.shut = true;
            self.stream.finish_sending();
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn receive(&mut self, relay: &mut Relay<'_>) -> Result<(), Failure<IoError>> {
        let spare = relay.spare(self.side);
        if spare.is_empty() {
            return Ok(());
        }
        let nowhere = &mut Vec::<_, 0>::new();
        match self.stream.receive_now(Reading::All, spare, nowhere) {
            Ok(Some(count)) => relay.received(self.side, count),
            Ok(None) => {}
            Err(IoError::Closed) => {
                relay.received(self.side, 0);
                self.gone(relay);
            }
            Err(error) => return Err(self.failed(error)),
        }
        Ok(())
    }

    /// Records that the peer is gone.
    fn gone(&mut self, relay: &mut Relay<'_>) {
        relay.fail_to_send(self.side);
        self.shut = true;
    }

    /// The events to wait for; None if nothing of interest can happen there.
    fn awaits(&self, relay: &mut Relay<'_>) -> Option<PollFlags> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, !relay.spare(self.side).is_empty());
        flags.set(PollFlags::OUT, !relay.pending(self.side).is_empty());
        // Without flags poll(2) still says that the peer is gone, again and again.
        (!flags.is_empty() || !self.shut).then_some(flags)
    }
}

/// Sends what can be sent. If there is nothing, waits until something can be done, and receives.
fn turn(relay: &mut Relay<'_>, connections: &mut [RelayStream; 2]) -> Result<(), Failure<IoError>> {
    let mut sent = false;
    for connection in connections.iter_mut() {
        sent |= connection.send(relay)?;
    }
    if sent {
        return Ok(());
    }
    let happened = wait(relay, connections).map_err(|errno| Failure {
        side: Side::Client,
        error: crate::Error::Transport(IoError::from_errno(errno)),
    })?;
    for (connection, happened) in connections.iter_mut().zip(happened) {
        let gone = happened.intersects(PollFlags::HUP | PollFlags::ERR);
        if happened.contains(PollFlags::IN) || gone {
            connection.receive(relay)?;
        }
        if gone {
            connection.gone(relay);
        }
    }
    Ok(())
}

/// poll(2) for the events of both connections. At least one has some, or the relay would be over.
fn wait(relay: &mut Relay<'_>, connections: &[RelayStream; 2]) -> Result<[PollFlags; 2], Errno> {
    let flags = connections
        .each_ref()
        .map(|connection| connection.awaits(relay));
    let mut fds = Vec::<PollFd<'_>, 2>::new();
    for (connection, flags) in connections.iter().zip(flags) {
        // There is room for both.
        let _ = flags.map(|flags| fds.push(PollFd::new(&connection.stream, flags)));
    }
    retry_on_intr(|| poll(&mut fds, None))?;
    let mut happened = fds.iter().map(PollFd::revents);
    let none = PollFlags::empty();
    Ok(flags.map(|flags| flags.and_then(|_| happened.next()).unwrap_or(none)))
}
