//! The state of one connection to a service.

use heapless::Deque;
use serde::Serialize;

use super::CallError;
use crate::channel::{Channel, TooLong};
use crate::error::{Error, Mismatch, Misuse, Violation};
use crate::json::{Decode, Stop, Writer};
use crate::message::{Envelope, Mode, Reply, decode_member};
use crate::method::Method;
use crate::name;
use crate::varlink_service::{GetInterfaceDescription, SERVICE, ServiceError};

/// The maximum number of outstanding calls.
pub(crate) const MAX_CALLS: usize = 128;

/// The state of one connection to a service. It does no I/O: a driver moves bytes between its
/// [`channel`](Self::channel) and a stream.
///
/// ```
/// use nullink::Mode;
/// use nullink::client::Session;
/// use nullink::json::Raw;
///
/// let (mut receive, mut send) = ([0; 256], [0; 256]);
/// let mut session = Session::new(&mut receive, &mut send);
///
/// let parameters = Raw::new(r#"{"to":"Caprica"}"#)?;
/// session.queue("org.example.ftl.Jump", Mode::Simple, &parameters)?;
/// assert_eq!(
///     session.channel().pending(),
///     b"{\"method\":\"org.example.ftl.Jump\",\"parameters\":{\"to\":\"Caprica\"}}\0",
/// );
/// let sent = session.channel().pending().len();
/// session.channel().sent(sent);
///
/// let reply = b"{\"parameters\":{\"arrived\":true}}\0";
/// session.channel().spare()[..reply.len()].copy_from_slice(reply);
/// session.channel().received(reply.len());
///
/// assert_eq!(session.ready(), Ok(true));
/// let reply = session.receive()?;
/// assert_eq!(reply.parameters().as_str(), r#"{"arrived":true}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session<'b> {
    channel: Channel<'b>,
    /// The modes of the outstanding calls, the oldest first.
    outstanding: Deque<Mode, MAX_CALLS>,
    /// True if the service accepts no more bytes.
    end_of_output: bool,
    /// True if the connection has failed, or was upgraded.
    unusable: bool,
}

impl<'b> Session<'b> {
    /// The maximum number of outstanding calls: 128.
    pub const MAX_CALLS: usize = MAX_CALLS;

    /// Creates the state of a new connection.
    ///
    /// `receive` must hold the longest reply and its NUL. `send` must hold the longest call and its
    /// NUL, or all calls that are sent at once.
    pub fn new(receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Session {
            channel: Channel::new(receive, send),
            outstanding: Deque::new(),
            end_of_output: false,
            unusable: false,
        }
    }

    /// Returns the channel, into which the driver receives and from which it sends.
    pub fn channel(&mut self) -> &mut Channel<'b> {
        &mut self.channel
    }

    /// Returns the received bytes that belong to no reply, for as long as the receive buffer lives.
    /// After an upgrade, these are the first bytes of the other protocol.
    pub fn into_unread(self) -> &'b [u8] {
        self.channel.into_unread()
    }

    /// Returns the mode of the oldest outstanding call; None if no call is outstanding.
    ///
    /// # Errors
    ///
    /// Returns [`Misuse::Unusable`] if the connection has failed, or was upgraded.
    pub fn next_mode(&self) -> Result<Option<Mode>, Misuse> {
        if self.unusable {
            return Err(Misuse::Unusable);
        }
        Ok(self.outstanding.front().copied())
    }

    /// Like `next_mode`, with an error if no call is outstanding.
    pub(crate) fn expected_mode(&self) -> Result<Mode, Misuse> {
        self.next_mode()?.ok_or(Misuse::NothingOutstanding)
    }

    /// Records that the stream has failed. Nothing can be sent or received after that.
    pub fn fail(&mut self) {
        self.unusable = true;
    }

    /// Records that the service accepts no more bytes. The pending bytes are dropped. Replies can
    /// still be received.
    pub fn fail_to_send(&mut self) {
        self.end_of_output = true;
        self.channel.send.clear();
    }

    /// Writes a call after the pending ones.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Encode`] if the name or the parameters are not valid, or if the call does
    /// not fit. Returns [`Error::Misuse`] if the connection is unusable, if too many calls are
    /// outstanding, or if calls are outstanding and this call or one of them is an upgrade. Returns
    /// [`Violation::Unasked`] if the service has sent a message without a call.
    pub fn queue<P>(&mut self, method: &str, mode: Mode, parameters: &P) -> Result<(), Error>
    where
        P: Serialize + ?Sized,
    {
        match self.next_mode()? {
            _ if self.end_of_output => return Err(Misuse::Unusable.into()),
            // No call may be outstanding before an upgrade, and none can follow it.
            Some(next) if next == Mode::Upgrade || mode == Mode::Upgrade => {
                return Err(Misuse::RepliesOutstanding.into());
            }
            Some(_) if mode != Mode::Oneway && self.outstanding.is_full() => {
                return Err(Misuse::TooManyCalls.into());
            }
            // An unrequested reply would be taken for the reply to this call.
            None if !self.channel.unread().is_empty() => {
                self.unusable = true;
                return Err(Violation::Unasked.into());
            }
            _ => {}
        }
        let envelope = Envelope::Call { method, mode };
        let content = |writer: &mut Writer<'_>| writer.value(parameters);
        let send = &mut self.channel.send;
        let length = envelope.write(send.room(), &content)?;
        send.commit(length);
        if mode != Mode::Oneway {
            // The deque has room: checked above.
            let _ = self.outstanding.push_back(mode);
        }
        Ok(())
    }

    /// True if the next reply is complete, so that [`receive`](Self::receive) can return it.
    ///
    /// # Errors
    ///
    /// Fails if the service has closed the connection, if the reply is too long, or if no reply is
    /// outstanding.
    pub fn ready(&mut self) -> Result<bool, Error> {
        let mode = self.expected_mode()?;
        let error = match self.channel.receive.search() {
            Ok(false) if self.channel.is_at_end() && self.channel.receive.mid_message() => {
                Violation::Truncated.into()
            }
            Ok(false) if self.channel.is_at_end() => Error::Closed,
            Ok(ready) => return Ok(ready),
            Err(TooLong) if mode == Mode::Simple => {
                // This was the only reply to its call, so the connection stays usable.
                self.outstanding.pop_front();
                return Err(Error::TooLong);
            }
            Err(TooLong) => Error::TooLong,
        };
        self.unusable = true;
        Err(error)
    }

    /// True if the service has answered that the interface `nonce` does not exist. Discards all
    /// messages before that answer.
    pub(crate) fn is_synchronized(&mut self, nonce: &str) -> Result<bool, Error> {
        loop {
            match self.channel.receive.search() {
                // The search skips the rest of the message.
                Err(TooLong) => {}
                Ok(false) if self.channel.is_at_end() => return Err(Error::Closed),
                Ok(false) => return Ok(false),
                Ok(true) => {
                    let message = self.channel.receive.take();
                    if message.is_some_and(|message| is_not_found(message, nonce)) {
                        self.outstanding.pop_front();
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// Returns the next reply, which must be [`ready`](Self::ready).
    ///
    /// # Errors
    ///
    /// Fails if the message is not a reply, or if it `continues` and its call has not asked for
    /// `more`.
    pub fn receive(&mut self) -> Result<Reply<'_>, Error> {
        let mode = self.expected_mode()?;
        let message = self.channel.receive.take();
        // A message that is not a reply to this call leaves the connection unusable.
        self.unusable = message.is_some();
        let reply = Reply::parse(message.ok_or(Misuse::NothingOutstanding)?)?;
        if reply.continues() && mode != Mode::More {
            return Err(Violation::Continues.into());
        }
        if !reply.continues() {
            self.outstanding.pop_front();
        }
        self.unusable = mode == Mode::Upgrade && reply.error().is_none();
        Ok(reply)
    }
}

/// True if a message is the error that the interface `name` does not exist.
fn is_not_found(message: &mut [u8], name: &str) -> bool {
    let not_found = CallError::Service(ServiceError::InterfaceNotFound { interface: name });
    match Reply::parse(message) {
        Ok(reply) => reply.into_result::<GetInterfaceDescription>() == Err(not_found),
        Err(_) => false,
    }
}

impl<'r> Reply<'r> {
    /// Decodes the reply with the types of a method.
    ///
    /// # Errors
    ///
    /// Fails if the reply is an error, or does not match the types.
    ///
    /// ```
    /// use nullink::Reply;
    /// use nullink::service::GetInterfaceDescription;
    ///
    /// let mut message = *br#"{"parameters":{"description":"interface a.b\n"}}"#;
    /// let reply = Reply::parse(&mut message)?.into_result::<GetInterfaceDescription>().unwrap();
    /// assert_eq!(reply.description, "interface a.b\n");
    /// # Ok::<(), nullink::Violation>(())
    /// ```
    pub fn into_result<M: Method>(self) -> Result<M::Output<'r>, CallError<'r, M::Error<'r>>> {
        let error = self.error();
        let mut parameters = self.into_parameters();
        let Some(name) = error else {
            return M::Output::decode(&mut parameters).map_err(|why| CallError::Decode {
                error: None,
                field: parameters.reader().field(&why),
                why,
            });
        };
        let (interface, member) = name::split(name).unwrap_or_default();
        let reader = parameters.reader();
        let known = if interface == SERVICE.name() {
            decode_member(interface.as_bytes(), member.as_bytes(), reader).map(CallError::Service)
        } else if name::split(M::NAME).is_some_and(|(own, _)| own == interface) {
            decode_member(interface.as_bytes(), member.as_bytes(), reader).map(CallError::Method)
        } else {
            Err(reader.error(Stop::Mismatch(Mismatch::Member)))
        };
        Err(match known {
            Ok(error) => error,
            Err(why) if why.mismatch == Mismatch::Member => CallError::Unknown {
                error: name,
                parameters: parameters.into_raw(),
            },
            Err(why) => CallError::Decode {
                error,
                field: reader.field(&why),
                why,
            },
        })
    }
}
