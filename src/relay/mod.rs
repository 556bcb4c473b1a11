//! A relay between a client and a service, which passes on calls and replies.
//!
//! A [`Relay`] passes on one message at a time. A [`Policy`] sees each message, and can refuse a
//! call or change its method. After an accepted upgrade, the relay passes on bytes in both
//! directions without parsing them: UAPI.20, "`upgrade`".
//!
//! Messages are passed on byte for byte, in order, and only as fast as the receiving side accepts
//! them. The relay does no I/O: [`unix::relay`](crate::unix::relay()) does it for two sockets.

mod rename;

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
use rename::rename;

/// See [`Relay::MAX_GROWTH`].
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

/// Decides about calls, and observes all messages. It sees each message once.
///
/// The `Call` or `Reply` can be decoded in place, because the relay has copied the message before.
/// `message` is that copy: the received message, without its NUL.
///
/// ```
/// use nullink::json::Raw;
/// use nullink::relay::{Policy, Verdict};
/// use nullink::{Call, Refusal, Reply};
///
/// /// Permits only methods that read, and counts calls and errors.
/// #[derive(Default)]
/// struct ReadOnly { calls: u32, errors: u32 }
///
/// impl Policy for ReadOnly {
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
    /// Decides about a call without `upgrade`. By default, passes it.
    fn call<'c>(&'c mut self, call: Call<'c>, message: Raw<'_>) -> Verdict<'c> {
        let (_, _) = (call, message);
        Verdict::Pass
    }

    /// Decides about a call with `upgrade`. By default, refuses it.
    ///
    /// After a successful reply, the policy sees no more calls and replies, only
    /// [`bytes`](Self::bytes), even if the protocol is still Varlink: many services give a plain
    /// reply to any call with `upgrade`, and continue with Varlink. So a policy that passes a call
    /// with `upgrade` also passes everything after it.
    fn upgrade<'c>(&'c mut self, call: Call<'c>, message: Raw<'_>) -> Verdict<'c> {
        let (_, _) = (call, message);
        Verdict::Refuse(Refusal::PermissionDenied)
    }

    /// Observes a reply of the service to the oldest outstanding call. The errors with which the
    /// relay refuses calls are not shown.
    fn reply(&mut self, reply: Reply<'_>, message: Raw<'_>) {
        let (_, _) = (reply, message);
    }

    /// Observes bytes that are passed on after an upgrade.
    fn bytes(&mut self, from: Side, bytes: &[u8]) {
        let (_, _) = (from, bytes);
    }
}

/// A policy that passes everything, including upgrades.
impl Policy for () {
    fn upgrade<'c>(&'c mut self, _: Call<'c>, _: Raw<'_>) -> Verdict<'c> {
        Verdict::Pass
    }
}

/// A policy's decision about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'c> {
    /// Passes the call on, unchanged.
    Pass,
    /// Passes the call on as a call of this method. The rest of the call, including vendors'
    /// members, is unchanged. The call may become at most [`Relay::MAX_GROWTH`] bytes longer.
    ///
    /// The replies are not changed, so an error keeps the name that the service has sent.
    PassAs {
        /// The interface.
        interface: &'c str,
        /// The method's name within the interface.
        member: &'c str,
    },
    /// Refuses the call. The client gets this error after the replies to all earlier calls. A
    /// `oneway` call gets no error.
    Refuse(Refusal),
}

/// The reason why a relay has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<T = Infallible> {
    /// The side of the failure; [`Side::Client`] if a verdict cannot be carried out.
    pub side: Side,
    /// The error on that side.
    pub error: Error<T>,
}

impl Failure {
    /// Converts the failure to that of connections whose streams have the error type `T`.
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

/// The result of [`Relay::step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The relay waits until bytes are received from a side or sent to a side.
    Waiting,
    /// The relay has ended, and all bytes that can be sent were sent. Close both connections.
    ///
    /// A client that disconnects is not a failure.
    Ended(Result<(), Failure>),
}

/// The state of a relay between two connections. It does no I/O: a driver moves the bytes of each
/// [`Side`], and calls [`step`](Self::step).
///
/// - A message is passed on when it is complete and valid. An invalid message ends the relay. So
///   does a message that is too long, because no part of a message is passed on before the policy
///   has seen all of it. The client still receives all replies that precede an invalid reply; after
///   an invalid call, it still receives the replies to its earlier calls.
/// - If one side does not read, the relay stops receiving from the other side when its buffers are
///   full: [`spare`](Self::spare) is empty then. So no bytes are lost.
/// - The end of input of one side is passed on to the other side after all bytes before it: see
///   [`finished`](Self::finished).
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
    client: RelaySide<'b>,
    service: RelaySide<'b>,
    /// The modes of the calls that were passed on and are not answered yet, in order.
    outstanding: Deque<Mode, MAX_CALLS>,
    /// The refused call. It stays in the client's receive buffer until it is answered.
    refused: Option<Refused>,
    upgraded: bool,
    failure: Option<Failure>,
    ended: bool,
}

/// One of the two connections.
#[derive(Debug)]
struct RelaySide<'b> {
    channel: Channel<'b>,
    /// True if the peer accepts no more bytes.
    end_of_output: bool,
}

/// A call that the relay refuses after all earlier calls are answered.
#[derive(Clone, Debug)]
struct Refused {
    why: Refusal,
    /// The range of the decoded method name in the message.
    name: Range<usize>,
}

impl<'b> Relay<'b> {
    /// The maximum number of bytes by which [`Verdict::PassAs`] may make a call longer: 256. A call is
    /// added to the pending calls only if that many bytes stay free after it.
    pub const MAX_GROWTH: usize = MAX_GROWTH;

    /// Creates a relay between two new connections.
    ///
    /// One half of `calls` holds the bytes received from the client, the other half the bytes to
    /// send to the service. So `calls` must be twice as long as the longest call and its NUL. If
    /// calls are [renamed](Verdict::PassAs), each half must be [`Relay::MAX_GROWTH`] bytes longer.
    /// `replies` must be twice as long as the longest reply and its NUL.
    pub fn new(calls: &'b mut [u8], replies: &'b mut [u8]) -> Self {
        let (from_client, to_service) = halves(calls);
        let (from_service, to_client) = halves(replies);
        Relay {
            client: RelaySide::new(from_client, to_client),
            service: RelaySide::new(from_service, to_service),
            outstanding: Deque::new(),
            refused: None,
            upgraded: false,
            failure: None,
            ended: false,
        }
    }

    /// Returns the free part of the receive buffer of one side. After a read into it, call
    /// [`received`](Self::received). It is empty while the relay accepts no more input from that
    /// side.
    pub fn spare(&mut self, side: Side) -> &mut [u8] {
        let channel = &mut self.side_mut(side).channel;
        if channel.is_at_end() {
            &mut []
        } else {
            channel.spare()
        }
    }

    /// Records that `count` bytes were received into [`spare`](Self::spare). If the spare part is
    /// not empty, 0 means end of input: that side sends nothing more.
    pub fn received(&mut self, side: Side, count: usize) {
        self.side_mut(side).channel.received(count);
    }

    /// Returns the bytes to send to one side. After sending some, call [`sent`](Self::sent).
    pub fn pending(&self, side: Side) -> &[u8] {
        self.side(side).channel.pending()
    }

    /// Records that the first `count` [`pending`](Self::pending) bytes were sent.
    pub fn sent(&mut self, side: Side, count: usize) {
        self.side_mut(side).channel.sent(count);
    }

    /// Records that one side accepts no more bytes. From now on, bytes for it are discarded. Bytes
    /// from it are still passed on.
    pub fn fail_to_send(&mut self, side: Side) {
        let connection = self.side_mut(side);
        connection.end_of_output = true;
        connection.channel.send.clear();
    }

    /// True if all bytes for one side were sent, and no more will follow. Then shut down writing,
    /// so that the side sees end of input. Bytes from it are still passed on.
    pub fn finished(&self, side: Side) -> bool {
        let source = match side {
            Side::Client => &self.service,
            Side::Service => &self.client,
        };
        source.is_done() && self.pending(side).is_empty()
    }

    /// Passes on as many messages and bytes as possible.
    pub fn step(&mut self, policy: &mut dyn Policy) -> Step {
        // This terminates: each pass consumes input or fails, and each side fails at most once.
        while !self.ended && self.pass(policy) {}
        self.ended |= self.has_ended();
        if !self.ended {
            return Step::Waiting;
        }
        Step::Ended(self.failure.map_or(Ok(()), Err))
    }

    fn side(&self, side: Side) -> &RelaySide<'b> {
        match side {
            Side::Client => &self.client,
            Side::Service => &self.service,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut RelaySide<'b> {
        match side {
            Side::Client => &mut self.client,
            Side::Service => &mut self.service,
        }
    }

    /// True if no more bytes can be passed on or sent.
    fn has_ended(&self) -> bool {
        let [to_client, to_service] = Side::BOTH.map(|side| self.finished(side));
        let [client_sent, service_sent] = Side::BOTH.map(|side| self.pending(side).is_empty());
        // No more bytes are passed on in either direction.
        (to_client || self.client.end_of_output) && (to_service || self.service.end_of_output)
            // All calls are answered, or the service sends no more replies.
            || !self.upgraded && to_service && self.outstanding.is_empty() && client_sent
            || !self.upgraded && to_client && service_sent
    }

    /// Passes on one message, or bytes after an upgrade. Returns false if nothing was done.
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

    /// Records a failure. Accepts no more calls and, if the service has failed, no more replies.
    fn fail(&mut self, failure: Failure) {
        self.client.stop();
        self.refused = None;
        if failure.side == Side::Service {
            self.service.stop();
            self.outstanding.clear();
            self.fail_to_send(Side::Service);
        }
        self.failure.get_or_insert(failure);
    }

    /// Passes on one reply. Returns false if none can be passed on.
    fn pass_reply(&mut self, policy: &mut dyn Policy) -> Result<bool, Error> {
        let (client, service) = (&mut self.client, &mut self.service);
        let Some(mode) = self.outstanding.front().copied() else {
            // An unexpected reply would be taken for the reply to the next call.
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
        policy.reply(reply, client.copied(count));
        client.queue(count);
        service.channel.receive.take();
        if !continues {
            self.outstanding.pop_front();
        }
        self.upgraded = mode == Mode::Upgrade && accepted;
        Ok(true)
    }

    /// Passes on one call, or refuses it. Returns false if neither can be done.
    fn pass_call(&mut self, policy: &mut dyn Policy) -> Result<bool, Error> {
        if let Some(refused) = self.refused.clone() {
            return self.refuse(refused);
        }
        // The bytes after a call with `upgrade` may belong to another protocol.
        if self.outstanding.is_full() || self.outstanding.back() == Some(&Mode::Upgrade) {
            return Ok(false);
        }
        let (client, service) = (&mut self.client, &mut self.service);
        let Some(length) = client.find()? else {
            return Ok(false);
        };
        // The policy is asked once for each call, so every verdict must have room.
        let Some(count) = client.copy(length, service, MAX_GROWTH) else {
            return Ok(false);
        };
        let message = client.channel.receive.unread_mut().get_mut(..length);
        let (call, name_range) = Call::parse_with(message.unwrap_or_default(), &mut |_, _| false)?;
        let (mode, name_length) = (call.mode(), call.name().len());
        let message = service.copied(count);
        let verdict = if !name::is_full(call.name()) {
            // A policy cannot decide about a name without an interface.
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
                &name_range,
                interface,
                member,
            )?,
            Verdict::Refuse(_) if mode == Mode::Oneway => 0,
            Verdict::Refuse(why) => {
                let end = name_range.start.saturating_add(name_length);
                let name = name_range.start..end;
                self.refused = Some(Refused { why, name });
                return Ok(true);
            }
        };
        service.queue(count);
        client.channel.receive.take();
        if mode != Mode::Oneway {
            let pushed = self.outstanding.push_back(mode);
            debug_assert!(pushed.is_ok(), "the queue is not full");
        }
        Ok(true)
    }

    /// Sends the error of the refused call. Returns false if earlier calls are not answered yet, or
    /// if the error does not fit after the pending bytes.
    fn refuse(&mut self, Refused { why, name }: Refused) -> Result<bool, Error> {
        if !self.outstanding.is_empty() {
            return Ok(false);
        }
        let Channel { receive, send, .. } = &mut self.client.channel;
        let error = why.error(receive.unread(), Some(name))?;
        let alone = send.is_empty();
        let count = match error.write(send.room()) {
            Err(EncodeError::Full) if !alone => return Ok(false),
            // The error is too long because it repeats a name that the client has sent.
            Err(EncodeError::Full) => return Err(Error::TooLong),
            written => written?,
        };
        self.client.queue(count);
        let refused = self.client.channel.receive.take();
        debug_assert!(refused.is_some(), "the refused call is in the buffer");
        self.refused = None;
        Ok(true)
    }
}

impl<'b> RelaySide<'b> {
    fn new(receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        RelaySide {
            channel: Channel::new(receive, send),
            end_of_output: false,
        }
    }

    /// Returns the length of the next message, without its NUL; None if it is not complete.
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

    /// Copies the next message, which has `length` bytes and a NUL, into the free part of the other
    /// side's send buffer; returns its length with the NUL. [`queue`](Self::queue) must follow.
    /// Returns None if pending bytes must be sent first, to make room for the message and for
    /// `growth` bytes after it. A single message always fits, because a send buffer is not shorter
    /// than the receive buffer.
    fn copy(&self, length: usize, to: &mut Self, growth: usize) -> Option<usize> {
        let message = self.channel.unread().get(..=length).unwrap_or_default();
        debug_assert_eq!(message.last(), Some(&0), "the message ends with its NUL");
        let send = &mut to.channel.send;
        let alone = send.is_empty();
        let growth = if alone { 0 } else { growth };
        let room = send.room();
        let fits = room.len() >= message.len().saturating_add(growth);
        debug_assert!(fits || !alone, "a single message fits");
        fits.then(|| copy(message, room))
    }

    /// Returns the message that was copied into the free part of the send buffer and is not queued
    /// yet. `count` is its length with the NUL.
    fn copied(&mut self, count: usize) -> Raw<'_> {
        let room = self.channel.send.room();
        let message = room.get(..count.saturating_sub(1)).unwrap_or_default();
        let text = str::from_utf8(message);
        debug_assert!(text.is_ok(), "a parsed message is UTF-8");
        text.map_or(Raw::EMPTY_OBJECT, Raw::scanned)
    }

    /// True if all input was passed on, and no more will follow.
    fn is_done(&self) -> bool {
        self.channel.is_at_end() && self.channel.unread().is_empty()
    }

    /// Discards the received bytes, and accepts no more input.
    fn stop(&mut self) {
        self.channel.receive = ReceiveBuffer::new(&mut []);
        self.channel.end_input();
    }

    /// Queues the first `count` bytes of the free part of the send buffer. Drops them if the peer
    /// accepts no more bytes.
    fn queue(&mut self, count: usize) {
        if !self.end_of_output {
            self.channel.send.commit(count);
        }
    }
}

/// Splits a buffer in the middle. The second part is the longer one if the length is odd.
fn halves(buffer: &mut [u8]) -> (&mut [u8], &mut [u8]) {
    let middle = buffer.len() / 2;
    buffer.split_at_mut_checked(middle).unwrap_or_default()
}

/// Passes on as many bytes as fit. Returns true if bytes were passed on.
fn pass_bytes(
    from: &mut RelaySide<'_>,
    to: &mut RelaySide<'_>,
    side: Side,
    policy: &mut dyn Policy,
) -> bool {
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
