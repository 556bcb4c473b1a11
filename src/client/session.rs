//! The state of one connection to a service: bytes in, bytes out.

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

/// How many calls can wait for their replies.
pub(crate) const MAX_CALLS: usize = 128;

/// The state of one connection to a service. It reads and writes nothing: a driver moves bytes
/// between its [`channel`](Self::channel) and a stream.
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
    /// The calls that wait for their replies, in order.
    waiting: Deque<Mode, MAX_CALLS>,
    /// The service takes nothing more.
    end_of_output: bool,
    unusable: bool,
}

impl<'b> Session<'b> {
    /// The most calls that can wait for their replies.
    pub const MAX_CALLS: usize = MAX_CALLS;

    /// A new connection.
    ///
    /// `receive` has to hold the longest reply and its NUL, `send` the longest call and its NUL,
    /// or as many calls as are to be sent at once.
    pub fn new(receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Session {
            channel: Channel::new(receive, send),
            waiting: Deque::new(),
            end_of_output: false,
            unusable: false,
        }
    }

    /// The buffers, for a driver.
    pub fn channel(&mut self) -> &mut Channel<'b> {
        &mut self.channel
    }

    /// What was received and belongs to no reply, for as long as the receive buffer lives: after
    /// an upgrade, the first bytes of the other protocol.
    pub fn into_unread(self) -> &'b [u8] {
        self.channel.into_unread()
    }

    /// How the call whose reply is next wants to be answered; None if no call waits for one.
    ///
    /// # Errors
    ///
    /// [`Misuse::Unusable`], if the connection has failed, or was upgraded.
    pub fn next_mode(&self) -> Result<Option<Mode>, Misuse> {
        if self.unusable {
            return Err(Misuse::Unusable);
        }
        Ok(self.waiting.front().copied())
    }

    /// How the call whose reply is next wants to be answered.
    pub(crate) fn awaited(&self) -> Result<Mode, Misuse> {
        self.next_mode()?.ok_or(Misuse::NothingOutstanding)
    }

    /// The stream has failed: nothing more can be sent or received.
    pub fn fail(&mut self) {
        self.unusable = true;
    }

    /// The service takes nothing more. What is pending is lost; replies may still come.
    pub fn fail_to_send(&mut self) {
        self.end_of_output = true;
        self.channel.send.clear();
    }

    /// Writes a call after those that are pending.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`], if it is not a call, or does not fit. [`Error::Misuse`], if too many calls
    /// wait for their replies, or any while this one is to upgrade the connection.
    pub fn queue<P>(&mut self, method: &str, mode: Mode, parameters: &P) -> Result<(), Error>
    where
        P: Serialize + ?Sized,
    {
        match self.next_mode()? {
            _ if self.end_of_output => return Err(Misuse::Unusable.into()),
            // Nothing may be under way before an upgrade, and nothing can follow it.
            Some(next) if next == Mode::Upgrade || mode == Mode::Upgrade => {
                return Err(Misuse::RepliesOutstanding.into());
            }
            Some(_) if mode != Mode::Oneway && self.waiting.is_full() => {
                return Err(Misuse::TooManyCalls.into());
            }
            // An unasked reply would be taken for the one to this call.
            None if !self.channel.unread().is_empty() => {
                self.unusable = true;
                return Err(Violation::Unasked.into());
            }
            _ => {}
        }
        let envelope = Envelope::Call { method, mode };
        let content = |writer: &mut Writer<'_>| _ = writer.value(parameters);
        let send = &mut self.channel.send;
        let length = envelope.write(send.room(), &content)?;
        send.commit(length);
        if mode != Mode::Oneway {
            // There is room: that was asked above.
            let _ = self.waiting.push_back(mode);
        }
        Ok(())
    }

    /// True if the next reply is complete, for [`receive`](Self::receive) to return.
    ///
    /// # Errors
    ///
    /// If it won't come: the service has closed the connection, or the reply is too long.
    pub fn ready(&mut self) -> Result<bool, Error> {
        let mode = self.awaited()?;
        let error = match self.channel.receive.search() {
            Ok(false) if self.channel.is_at_end() && self.channel.receive.mid_message() => {
                Violation::Truncated.into()
            }
            Ok(false) if self.channel.is_at_end() => Error::Closed,
            Ok(ready) => return Ok(ready),
            Err(TooLong) if mode == Mode::Simple => {
                // That was the only reply to this call.
                self.waiting.pop_front();
                return Err(Error::TooLong);
            }
            Err(TooLong) => Error::TooLong,
        };
        self.unusable = true;
        Err(error)
    }

    /// True if the answer to a call for the definition of an interface that does not exist has come.
    /// Everything that came before it is thrown away.
    pub(crate) fn has_no_interface(&mut self, name: &str) -> Result<bool, Error> {
        loop {
            match self.channel.receive.search() {
                // The rest of it is skipped.
                Err(TooLong) => {}
                Ok(false) if self.channel.is_at_end() => return Err(Error::Closed),
                Ok(false) => return Ok(false),
                Ok(true) => {
                    let message = self.channel.receive.take();
                    if message.is_some_and(|message| denies(message, name)) {
                        self.waiting.pop_front();
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// The next reply, which has to be [`ready`](Self::ready).
    ///
    /// # Errors
    ///
    /// If it is not a reply, or not one to the call that is next.
    pub fn receive(&mut self) -> Result<Reply<'_>, Error> {
        let mode = self.awaited()?;
        let message = self.channel.receive.take();
        // Until it is known to be a reply to this call.
        self.unusable = message.is_some();
        let reply = Reply::parse(message.ok_or(Misuse::NothingOutstanding)?)?;
        if reply.continues() && mode != Mode::More {
            return Err(Violation::Continues.into());
        }
        if !reply.continues() {
            self.waiting.pop_front();
        }
        self.unusable = mode == Mode::Upgrade && reply.error().is_none();
        Ok(reply)
    }
}

/// True if a message says that no interface of this name exists.
fn denies(message: &mut [u8], name: &str) -> bool {
    let denied = CallError::Service(ServiceError::InterfaceNotFound { interface: name });
    match Reply::parse(message) {
        Ok(reply) => reply.into_result::<GetInterfaceDescription>() == Err(denied),
        Err(_) => false,
    }
}

impl<'r> Reply<'r> {
    /// Reads a reply as that of a method.
    ///
    /// # Errors
    ///
    /// If it is an error, or not what the method's types say.
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
            decode_member(interface, member, reader).map(CallError::Service)
        } else if name::split(M::NAME).is_some_and(|(own, _)| own == interface) {
            decode_member(interface, member, reader).map(CallError::Method)
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
