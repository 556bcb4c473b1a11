//! Two connections joined: a client's calls go on to a service, and its replies come back.
//!
//! A [`Relay`] stands between them, message by message: a [`Policy`] sees each, and may refuse a
//! call or send it to another method. When an upgrade is accepted, both directions are bytes that
//! nobody looks at: UAPI.20, "`upgrade`".
//!
//! What is passed on is passed on byte for byte, in order, and no sooner than the other side takes
//! it. The relay reads and writes nothing; [`unix::relay`](crate::unix::relay()) does it for two
//! sockets.

use core::cell::Cell;
use core::convert::Infallible;
use core::ops::Range;
use core::{fmt, str};

use heapless::Deque;

use crate::bytes::copy;
use crate::channel::{Channel, ReceiveBuffer, TooLong};
use crate::client::MAX_CALLS;
use crate::error::{EncodeError, Error, Violation};
use crate::json::Raw;
use crate::message::{Call, Mode, Reply};
use crate::name;
use crate::varlink_service::Refusal;

/// How much longer a call may become when it is [passed on under another name](Verdict::PassAs).
/// Calls are sent together while there is so much room left.
const MAX_GROWTH: usize = 256;

/// One of the two connections of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client's connection.
    Client,
    /// The service's connection.
    Service,
}

impl Side {
    /// Both sides, the client's first.
    pub const BOTH: [Side; 2] = [Side::Client, Side::Service];
}

/// Decides about calls, and sees all that passes. Each message is shown once.
///
/// A `Call` and a `Reply` can be decoded: what is passed on is a copy that was made before. The
/// `message` is that, as it came, without its NUL.
///
/// ```
/// use nullink::json::Raw;
/// use nullink::relay::{Policy, Verdict};
/// use nullink::{Call, Refusal, Reply};
///
/// /// Lets through what only looks, and counts.
/// #[derive(Default)]
/// struct LookOnly { calls: u32, errors: u32 }
///
/// impl Policy for LookOnly {
///     fn call<'c>(&'c mut self, call: Call<'c>, _: Raw<'_>) -> Verdict<'c> {
///         self.calls += 1;
///         if call.member().starts_with("Get") {
///             Verdict::Pass
///         } else {
///             Verdict::Refuse(Refusal::PermissionDenied)
///         }
///     }
///
///     fn reply(&mut self, reply: Reply<'_>, _: Raw<'_>) {
///         self.errors += u32::from(reply.error().is_some());
///     }
/// }
/// ```
pub trait Policy {
    /// Decides about a call that asks for no upgrade.
    fn call<'c>(&'c mut self, call: Call<'c>, message: Raw<'_>) -> Verdict<'c> {
        let (_, _) = (call, message);
        Verdict::Pass
    }

    /// Decides about a call that asks for an upgrade. By default it is refused.
    ///
    /// If the service accepts it, nothing that follows is looked at. That need not be another
    /// protocol: many services give a plain answer to any call with `upgrade`, and go on with
    /// Varlink. So passing such a call passes everything after it.
    fn upgrade<'c>(&'c mut self, call: Call<'c>, message: Raw<'_>) -> Verdict<'c> {
        let (_, _) = (call, message);
        Verdict::Refuse(Refusal::PermissionDenied)
    }

    /// Sees a reply of the service to the call that is next in order. The relay's own answers are
    /// not shown.
    fn reply(&mut self, reply: Reply<'_>, message: Raw<'_>) {
        let (_, _) = (reply, message);
    }

    /// Sees bytes that pass after an upgrade.
    fn bytes(&mut self, from: Side, bytes: &[u8]) {
        let (_, _) = (from, bytes);
    }
}

/// Passes everything on, upgrades included.
impl Policy for () {
    fn upgrade<'c>(&'c mut self, _: Call<'c>, _: Raw<'_>) -> Verdict<'c> {
        Verdict::Pass
    }
}

/// A policy's decision about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'c> {
    /// It goes to the service as it is.
    Pass,
    /// It goes to the service as a call of this method; everything else in it stays as it is, what
    /// vendors have added included. It may become longer by [`Relay::MAX_GROWTH`].
    ///
    /// Nothing is changed in the replies: an error has the name that the service gave it.
    PassAs {
        /// The interface.
        interface: &'c str,
        /// The method's name within it.
        member: &'c str,
    },
    /// It does not go to the service. The client gets an error, when all calls before are answered;
    /// nothing, if the call is `oneway`.
    Refuse(Refusal),
}

/// Why a relay has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<T = Infallible> {
    /// On which side. A verdict that can't be carried out counts as the client's.
    pub side: Side,
    /// What has happened.
    pub error: Error<T>,
}

impl Failure {
    /// This failure, of connections over streams whose errors are `T`.
    pub fn with_transport<T>(self) -> Failure<T> {
        Failure {
            side: self.side,
            error: self.error.with_transport(),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Failure<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.side {
            Side::Client => "the client's connection: ",
            Side::Service => "the service's connection: ",
        })?;
        self.error.fmt(f)
    }
}

impl<T: fmt::Debug + fmt::Display> core::error::Error for Failure<T> {}

/// What a [`Relay`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing can be done until bytes are received, or sent, on one of the sides.
    Waiting,
    /// It is over, and all that can be sent is sent: both connections are to be closed.
    ///
    /// That a client goes away is no failure.
    Ended(Result<(), Failure>),
}

/// The state of two connections that are joined. It reads and writes nothing: a driver moves the
/// bytes of either [`Side`], and makes it [`step`](Self::step).
///
/// - A message is passed on when it is complete and checked. One that is none ends the relay; so
///   does one that is too long: no part of it is passed on before a policy has seen all of it. What
///   the client is owed by then, for calls before that message, it still gets.
/// - Nothing is received from a side while what it has sent before has no place to go to: see
///   [`spare`](Self::spare). So who does not read is not sent to, and nothing is lost.
/// - The end of input is passed on as such ([`finished`](Self::finished)), when all before it is.
/// - File descriptors are not passed on.
///
/// ```
/// use nullink::relay::{Relay, Side, Step};
///
/// let (mut calls, mut replies) = ([0; 256], [0; 256]);
/// let mut relay = Relay::new(&mut calls, &mut replies);
///
/// let call = b"{\"method\":\"org.example.ftl.Jump\"}\0";
/// relay.spare(Side::Client)[..call.len()].copy_from_slice(call);
/// relay.received(Side::Client, call.len());
///
/// assert_eq!(relay.step(&mut ()), Step::Waiting);
/// assert_eq!(relay.pending(Side::Service), call);
/// relay.sent(Side::Service, call.len());
/// ```
#[derive(Debug)]
pub struct Relay<'b> {
    client: Half<'b>,
    service: Half<'b>,
    /// The calls that went to the service and wait for their replies, in order.
    waiting: Deque<Mode, MAX_CALLS>,
    refused: Option<Refused>,
    upgraded: bool,
    failure: Option<Failure>,
    ended: bool,
}

/// One of the connections.
#[derive(Debug)]
struct Half<'b> {
    channel: Channel<'b>,
    /// Nothing more can be sent there.
    end_of_output: bool,
}

/// The client's next call is to be refused, when it is its turn.
#[derive(Clone, Debug)]
struct Refused {
    why: Refusal,
    /// Where its method's name is.
    name: Range<usize>,
}

impl<'b> Relay<'b> {
    /// The most bytes by which a call may become longer when it is
    /// [passed on under another name](Verdict::PassAs). Calls are sent together while there is so
    /// much room left.
    pub const MAX_GROWTH: usize = MAX_GROWTH;

    /// Joins two connections.
    ///
    /// One half of `calls` holds what has come from the client, the other what is to be sent to
    /// the service. So it has to be twice as long as the longest call and its NUL, and [`Relay::MAX_GROWTH`] more
    /// in each half if calls are [renamed](Verdict::PassAs); `replies` the same for replies.
    pub fn new(calls: &'b mut [u8], replies: &'b mut [u8]) -> Self {
        let (from_client, to_service) = halves(calls);
        let (from_service, to_client) = halves(replies);
        Relay {
            client: Half::new(from_client, to_client),
            service: Half::new(from_service, to_service),
            waiting: Deque::new(),
            refused: None,
            upgraded: false,
            failure: None,
            ended: false,
        }
    }

    /// Where to put what is received from a side; then tell [`received`](Self::received). It is
    /// empty while nothing is to be received from there.
    pub fn spare(&mut self, side: Side) -> &mut [u8] {
        let channel = &mut self.half_mut(side).channel;
        if channel.is_at_end() {
            &mut []
        } else {
            channel.spare()
        }
    }

    /// `count` bytes were received into [`spare`](Self::spare). 0 is the end: that side sends
    /// nothing more.
    pub fn received(&mut self, side: Side, count: usize) {
        self.half_mut(side).channel.received(count);
    }

    /// What is to be sent to a side; then tell [`sent`](Self::sent).
    pub fn pending(&self, side: Side) -> &[u8] {
        self.half(side).channel.pending()
    }

    /// `count` bytes of what is [`pending`](Self::pending) were sent.
    pub fn sent(&mut self, side: Side, count: usize) {
        self.half_mut(side).channel.sent(count);
    }

    /// A side takes nothing more. What is meant for it is dropped from now on; what comes from it
    /// is still passed on.
    pub fn fail_to_send(&mut self, side: Side) {
        let half = self.half_mut(side);
        half.end_of_output = true;
        half.channel.send.clear();
    }

    /// True if a side has been sent all that it ever will be: then shut down writing, so that it
    /// sees the end. What comes from it is still passed on.
    pub fn finished(&self, side: Side) -> bool {
        let from = match side {
            Side::Client => &self.service,
            Side::Service => &self.client,
        };
        from.is_done() && self.pending(side).is_empty()
    }

    /// Passes on all messages and bytes that can be passed on.
    pub fn step(&mut self, policy: &mut dyn Policy) -> Step {
        // Each turn takes something from a buffer, or fails, which a side does once.
        while !self.ended && self.pass(policy) {}
        self.ended |= self.has_ended();
        if !self.ended {
            return Step::Waiting;
        }
        Step::Ended(self.failure.map_or(Ok(()), Err))
    }

    fn half(&self, side: Side) -> &Half<'b> {
        match side {
            Side::Client => &self.client,
            Side::Service => &self.service,
        }
    }

    fn half_mut(&mut self, side: Side) -> &mut Half<'b> {
        match side {
            Side::Client => &mut self.client,
            Side::Service => &mut self.service,
        }
    }

    fn has_ended(&self) -> bool {
        let [to_client, to_service] = Side::BOTH.map(|side| self.finished(side));
        let [client, service] = Side::BOTH.map(|side| self.pending(side).is_empty());
        // Nothing more comes through in either direction.
        (to_client || self.client.end_of_output) && (to_service || self.service.end_of_output)
            // All calls are answered; or none can be any more.
            || !self.upgraded && to_service && self.waiting.is_empty() && client
            || !self.upgraded && to_client && service
    }

    /// Passes on one message, or bytes; false, if there is none.
    fn pass(&mut self, policy: &mut dyn Policy) -> bool {
        if self.upgraded {
            let (client, service) = (&mut self.client, &mut self.service);
            return pass_bytes(client, service, Side::Client, policy)
                | pass_bytes(service, client, Side::Service, policy);
        }
        let passed = match self.pass_reply(policy) {
            Ok(false) => self
                .pass_call(policy)
                .map_err(|error| (Side::Client, error)),
            passed => passed.map_err(|error| (Side::Service, error)),
        };
        passed.unwrap_or_else(|(side, error)| {
            self.fail(Failure { side, error });
            true
        })
    }

    /// No more calls are taken. If it is the service that has failed, no more replies come either.
    fn fail(&mut self, failure: Failure) {
        self.client.stop();
        self.refused = None;
        if failure.side == Side::Service {
            self.service.stop();
            self.waiting.clear();
            self.fail_to_send(Side::Service);
        }
        self.failure.get_or_insert(failure);
    }

    /// Passes on one reply.
    fn pass_reply(&mut self, policy: &mut dyn Policy) -> Result<bool, Error> {
        let (client, service) = (&mut self.client, &mut self.service);
        let Some(mode) = self.waiting.front().copied() else {
            // It would be taken for the reply to the next call.
            if service.channel.unread().is_empty() {
                return Ok(false);
            }
            return Err(Violation::Unasked.into());
        };
        let Some(length) = service.find()? else {
            if service.channel.is_at_end() {
                return Err(Error::Closed);
            }
            return Ok(false);
        };
        let Some(count) = service.copy(length, client, 0) else {
            return Ok(false);
        };
        let message = service.channel.receive.unread_mut().get_mut(..length);
        let reply = Reply::parse(message.unwrap_or_default())?;
        let (continues, accepted) = (reply.continues(), reply.error().is_none());
        if continues && mode != Mode::More {
            return Err(Violation::Continues.into());
        }
        policy.reply(reply, client.written(count));
        client.queue(count);
        service.channel.receive.take();
        if !continues {
            self.waiting.pop_front();
        }
        self.upgraded = mode == Mode::Upgrade && accepted;
        Ok(true)
    }

    /// Passes on one call, or refuses it.
    fn pass_call(&mut self, policy: &mut dyn Policy) -> Result<bool, Error> {
        if let Some(refused) = self.refused.clone() {
            return self.refuse(refused);
        }
        // What follows an upgrade may not be a call.
        if self.waiting.is_full() || self.waiting.back() == Some(&Mode::Upgrade) {
            return Ok(false);
        }
        let (client, service) = (&mut self.client, &mut self.service);
        let Some(length) = client.find()? else {
            return Ok(false);
        };
        // Once the policy was asked there has to be room for what it says.
        let Some(count) = client.copy(length, service, MAX_GROWTH) else {
            return Ok(false);
        };
        let message = client.channel.receive.unread_mut().get_mut(..length);
        let (call, place) = Call::parse_with_place(message.unwrap_or_default())?;
        let (mode, name_length) = (call.mode(), call.method().len());
        let message = service.written(count);
        let verdict = if !name::is_full(call.method()) {
            // A policy cannot judge a name without an interface.
            Verdict::Refuse(Refusal::MethodNotFound)
        } else if mode == Mode::Upgrade {
            policy.upgrade(call, message)
        } else {
            policy.call(call, message)
        };
        let count = match verdict {
            Verdict::Pass => count,
            Verdict::PassAs { interface, member } => rename(
                service.channel.send.room(),
                count,
                &place,
                interface,
                member,
            )?,
            Verdict::Refuse(_) if mode == Mode::Oneway => 0,
            Verdict::Refuse(why) => {
                let name = place.start..place.start.saturating_add(name_length);
                self.refused = Some(Refused { why, name });
                return Ok(true);
            }
        };
        service.queue(count);
        client.channel.receive.take();
        if mode != Mode::Oneway {
            // There is room: that was asked above.
            let _ = self.waiting.push_back(mode);
        }
        Ok(true)
    }

    /// Answers the call that is refused, if it is its turn.
    fn refuse(&mut self, Refused { why, name }: Refused) -> Result<bool, Error> {
        if !self.waiting.is_empty() {
            return Ok(false);
        }
        let Channel { receive, send, .. } = &mut self.client.channel;
        let error = why.error(receive.unread(), Some(name))?;
        let alone = send.is_empty();
        let count = match error.write(send.room()) {
            Err(EncodeError::Full) if !alone => return Ok(false),
            // What has no room is a name that the client has sent.
            Err(EncodeError::Full) => return Err(Error::TooLong),
            written => written?,
        };
        self.client.queue(count);
        self.client.channel.receive.take();
        self.refused = None;
        Ok(true)
    }
}

impl<'b> Half<'b> {
    fn new(receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Half {
            channel: Channel::new(receive, send),
            end_of_output: false,
        }
    }

    /// The length of the next message, without its NUL; None if it is not complete.
    fn find(&mut self) -> Result<Option<usize>, Error> {
        if self.is_done() {
            return Ok(None);
        }
        if self
            .channel
            .receive
            .search()
            .map_err(|TooLong| Error::TooLong)?
        {
            Ok(self.channel.receive.found())
        } else if self.channel.is_at_end() {
            Err(Violation::Truncated.into())
        } else {
            Ok(None)
        }
    }

    /// Copies the next message, of this length, to the end of another half's send buffer, where it
    /// waits for [`queue`](Self::queue); returns its length with its NUL. None if others have to be
    /// sent first, so that there is room for it and for `more` bytes. Alone it always fits: a send
    /// buffer is not shorter than the receive buffer.
    fn copy(&self, length: usize, to: &mut Self, more: usize) -> Option<usize> {
        let message = self.channel.unread().get(..=length).unwrap_or_default();
        let send = &mut to.channel.send;
        let more = if send.is_empty() { 0 } else { more };
        let room = send.room();
        let fits = room.len() >= message.len().saturating_add(more);
        fits.then(|| copy(message, room))
    }

    /// The message of `count` bytes that was copied here and waits for [`queue`](Self::queue).
    fn written(&mut self, count: usize) -> Raw<'_> {
        let room = self.channel.send.room();
        let message = room.get(..count.saturating_sub(1)).unwrap_or_default();
        str::from_utf8(message).map_or(Raw::EMPTY_OBJECT, Raw::scanned)
    }

    /// True if all that will ever come from there has been passed on.
    fn is_done(&self) -> bool {
        self.channel.is_at_end() && self.channel.unread().is_empty()
    }

    /// Takes nothing more from there.
    fn stop(&mut self) {
        self.channel.receive = ReceiveBuffer::new(&mut []);
        self.channel.end_input();
    }

    /// Queues the next `count` bytes, which were written into the room.
    fn queue(&mut self, count: usize) {
        if !self.end_of_output {
            self.channel.send.commit(count);
        }
    }
}

fn halves(buffer: &mut [u8]) -> (&mut [u8], &mut [u8]) {
    let middle = buffer.len() / 2;
    buffer.split_at_mut_checked(middle).unwrap_or_default()
}

/// Passes on as many bytes as there is room for. Returns true if there were any.
fn pass_bytes(from: &mut Half<'_>, to: &mut Half<'_>, side: Side, policy: &mut dyn Policy) -> bool {
    let unread = from.channel.unread();
    let count = if to.end_of_output {
        unread.len()
    } else {
        to.channel.send.append(unread)
    };
    if count > 0 {
        policy.bytes(side, unread.get(..count).unwrap_or_default());
        from.channel.receive.consume(count);
    }
    count > 0
}

/// Changes the name of the method in a message, which is the first `length` bytes of `room`;
/// returns its new length.
fn rename(
    room: &mut [u8],
    length: usize,
    place: &Range<usize>,
    interface: &str,
    member: &str,
) -> Result<usize, EncodeError> {
    // Such a name needs no escapes.
    if !name::is_interface(interface) || !name::is_member(member) {
        return Err(EncodeError::Name);
    }
    let name = [interface, ".", member].map(str::as_bytes);
    let name_length = interface
        .len()
        .saturating_add(1)
        .saturating_add(member.len());
    if name_length > place.len().saturating_add(MAX_GROWTH) {
        return Err(EncodeError::Full);
    }
    let room = Cell::from_mut(room).as_slice_of_cells();
    let move_byte = |(to, from): (&Cell<u8>, &Cell<u8>)| to.set(from.get());
    let tail = room.get(place.end..length).unwrap_or_default();
    let start = place.start.saturating_add(name_length);
    let end = start.saturating_add(tail.len());
    let to = room.get(start..end).ok_or(EncodeError::Full)?;
    if start < place.end {
        to.iter().zip(tail).for_each(move_byte);
    } else {
        to.iter().rev().zip(tail.iter().rev()).for_each(move_byte);
    }
    let hole = room.get(place.start..start).unwrap_or_default();
    let name = name.iter().copied().flatten();
    hole.iter().zip(name).for_each(|(to, from)| to.set(*from));
    Ok(end)
}

#[cfg(test)]
mod tests {
    use std::{format, string::String, vec};

    use super::*;

    #[test]
    fn a_name_of_any_length_takes_the_place_of_another() {
        let (before, tail) = ("{\"method\":\"", "\",\"x.y\":[1,2]}\0");
        for old in (0..40).chain([300]) {
            for new in (0..40).chain([296]) {
                let message = format!("{before}{}{tail}", "o".repeat(old));
                let member = format!("N{}", "n".repeat(new));
                let wanted = format!("{before}a.b.{member}{tail}");
                let place = before.len()..before.len() + old;
                for size in [wanted.len() - 1, wanted.len(), wanted.len() + 1] {
                    let mut room = vec![b'?'; size.max(message.len())];
                    room[..message.len()].copy_from_slice(message.as_bytes());
                    let renamed = rename(&mut room, message.len(), &place, "a.b", &member);
                    let fits = wanted.len() <= room.len() && 5 + new <= old + MAX_GROWTH;
                    assert_eq!(
                        renamed,
                        fits.then_some(wanted.len()).ok_or(EncodeError::Full)
                    );
                    let room = String::from_utf8(room).unwrap();
                    assert!(!fits || room.starts_with(&wanted), "{room}");
                }
            }
        }
    }
}
