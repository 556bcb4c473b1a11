//! A connection to a service, blocking.

use core::marker::PhantomData;

use embedded_io::{ErrorType, Read, Write};
use serde::Serialize;

use super::{CallError, Session};
use crate::channel::Channel;
use crate::error::{EncodeError, Error, Misuse};
use crate::io::{fill, is_closed, send_pending, write};
use crate::json::Raw;
use crate::message::{Mode, Reply};
use crate::method::{Method, full_name};
use crate::varlink_service::GetInterfaceDescription;

/// A connection to a service, blocking.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[cfg(all(feature = "unix", target_os = "linux"))] {
/// use nullink::service::GetInterfaceDescription;
/// use nullink::{Client, unix};
///
/// let (mut receive, mut send) = ([0; 4096], [0; 256]);
/// let stream = unix::Stream::connect("/run/org.example.ftl")?;
/// let mut client = Client::new(stream, &mut receive, &mut send);
///
/// match client.call(&GetInterfaceDescription { interface: "org.example.ftl" }) {
///     Ok(reply) => println!("{}", reply.description),
///     Err(error) => println!("{error}"),
/// }
/// # }
/// # Ok(())
/// # }
/// ```
///
/// Several calls can be under way: [`queue`](Self::queue) them, then [`receive`](Self::receive)
/// their replies in the same order.
///
/// What a reply borrows lies in the receive buffer, and has to be done with before the next call.
#[derive(Debug)]
pub struct Client<'b, S> {
    stream: S,
    session: Session<'b>,
}

/// The result of a call of the method `M` over the stream `S`: its reply, or another `T`.
pub type CallResult<'r, M, S, T = <M as Method>::Output<'r>> =
    Result<T, CallError<'r, <M as Method>::Error<'r>, <S as ErrorType>::Error>>;

impl<'b, S: Read + Write> Client<'b, S> {
    /// A new connection.
    ///
    /// `receive` has to hold the longest reply and its NUL, `send` the longest call and its NUL,
    /// or all that are to be queued at once.
    pub fn new(stream: S, receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Client {
            stream,
            session: Session::new(receive, send),
        }
    }

    /// Begins on a line that nobody can close, such as a [device](crate::Address::Device): what is
    /// still under way to an earlier client, a part of a reply or many of them, is thrown away.
    ///
    /// Two NULs say that there is a new client: the first ends what was left half-sent, which may
    /// have been a call but for that NUL; the second, an empty message, is the beginning. What comes
    /// is the new client's from the answer to its first call on, which is one that nobody else makes:
    /// for the definition of the interface `nonce`, which the service does not have. It is to be
    /// another one each time.
    ///
    /// The receive buffer has to hold that answer, `nonce` and some 100 bytes: a longer one is thrown
    /// away with all else, and never comes again.
    ///
    /// # Errors
    ///
    /// If there is no such answer: [`Error::TooLong`] if a megabyte comes before it. A line does not
    /// end, so a client that does not want to wait for ever has set a
    /// [timeout](crate::unix::Timeouts).
    ///
    /// ```
    /// # use nullink::{Client, Duplex};
    /// # let mut calls = [0; 256];
    /// let line = b"rs\":{\"i\":6}}\0{\"continues\":true,\"parameters\":{\"i\":7}}\0{\"error\":\
    ///     \"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"org.example.n4711\"}}\0";
    /// # let line = Duplex { reader: &line[..], writer: &mut calls[..] };
    /// # let (mut receive, mut send) = ([0; 256], [0; 256]);
    /// let mut client = Client::new(line, &mut receive, &mut send);
    /// assert_eq!(client.synchronize("org.example.n4711"), Ok(()));
    /// ```
    pub fn synchronize(&mut self, nonce: &str) -> Result<(), Error<S::Error>> {
        let call = GetInterfaceDescription { interface: nonce };
        self.begin(full_name::<GetInterfaceDescription>(), Mode::Simple, &call)?;
        let begun = write(&mut self.stream, &[0, 0]);
        begun.inspect_err(|_| self.session.fail())?;
        self.flush()?;
        let mut left = STALE;
        let mut answered = || {
            while !self
                .session
                .has_no_interface(nonce)
                .map_err(Error::with_transport)?
            {
                let count = fill(&mut self.stream, self.session.channel(), left)?;
                left = left.saturating_sub(count);
            }
            Ok(())
        };
        answered().inspect_err(|_| self.session.fail())
    }

    /// Calls a method and waits for its reply.
    ///
    /// # Errors
    ///
    /// The error that the service answers with, or why there is no answer.
    pub fn call<M: Method>(&mut self, method: &M) -> CallResult<'_, M, S> {
        self.begin(full_name::<M>(), Mode::Simple, method)?;
        self.receive::<M>()
    }

    /// Calls a method that may reply many times.
    ///
    /// ```
    /// # use nullink::{Method, NoError};
    /// # use nullink::{Client, Duplex};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize)] struct Count { n: u32 }
    /// # #[derive(Deserialize)] struct Counted { i: u32 }
    /// # impl Method for Count {
    /// #     const NAME: &'static str = "org.example.t.Count";
    /// #     type Output<'r> = Counted;
    /// #     type Error<'r> = NoError;
    /// # }
    /// # let mut call = [0; 99];
    /// # let reply = b"{\"continues\":true,\"parameters\":{\"i\":0}}\0{\"parameters\":{\"i\":1}}\0";
    /// # let stream = Duplex { reader: &reply[..], writer: &mut call[..] };
    /// # let (mut receive, mut send) = ([0; 99], [0; 99]);
    /// # let mut client = Client::new(stream, &mut receive, &mut send);
    /// let mut replies = client.more(&Count { n: 2 }).map_err(|error| error.to_string())?;
    /// let mut sum = 0;
    /// while let Some(reply) = replies.next().map_err(|error| error.to_string())? {
    ///     sum += reply.i;
    /// }
    /// assert_eq!(sum, 1);
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// Until all replies have been received, the connection can be used for nothing else.
    ///
    /// # Errors
    ///
    /// If the call could not be sent. The service's errors come where its replies come.
    pub fn more<M: Method>(
        &mut self,
        method: &M,
    ) -> CallResult<'static, M, S, Replies<'_, 'b, S, M>> {
        self.begin(full_name::<M>(), Mode::More, method)?;
        unless_closed(self.flush())?;
        Ok(self.replies()?)
    }

    /// Sends a call that gets no reply.
    ///
    /// # Errors
    ///
    /// If the call could not be sent.
    pub fn oneway<M: Method>(&mut self, method: &M) -> Result<(), Error<S::Error>> {
        self.write(full_name::<M>(), Mode::Oneway, method)?;
        self.flush()
    }

    /// Calls a method that takes over the connection. After its reply,
    /// [`into_parts`](Self::into_parts) gives the stream back, for the other protocol.
    ///
    /// The reply is read byte by byte, so that nothing beyond it is: UAPI.20, "`upgrade`".
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call). If the service answers with an error, the connection is still a
    /// Varlink connection.
    pub fn upgrade<M: Method>(&mut self, method: &M) -> CallResult<'_, M, S> {
        self.begin(full_name::<M>(), Mode::Upgrade, method)?;
        self.receive::<M>()
    }

    /// Calls a method by its name, with parameters that are JSON already. An error that the
    /// service answers with is a reply here.
    ///
    /// # Errors
    ///
    /// If there is no reply.
    ///
    /// ```
    /// # use nullink::{Client, Duplex, json::Raw};
    /// # let mut call = [0; 99];
    /// # let reply = b"{\"parameters\":{\"pong\":\"hello\"}}\0";
    /// # let stream = Duplex { reader: &reply[..], writer: &mut call[..] };
    /// # let (mut receive, mut send) = ([0; 99], [0; 99]);
    /// let mut client = Client::new(stream, &mut receive, &mut send);
    /// let parameters = Raw::new(r#"{"ping":"hello"}"#)?;
    /// let reply = client.call_raw("org.example.ping.Ping", parameters)?;
    /// assert_eq!(reply.error(), None);
    /// assert_eq!(reply.parameters().as_str(), r#"{"pong":"hello"}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn call_raw(
        &mut self,
        method: &str,
        parameters: Raw<'_>,
    ) -> Result<Reply<'_>, Error<S::Error>> {
        self.begin(method, Mode::Simple, &parameters)?;
        self.receive_raw()
    }

    /// Writes a call after those that are queued, and sends nothing yet:
    /// [`flush`](Self::flush), and everything that waits for a reply, sends them all at once.
    ///
    /// All that is queued is sent before anything is received. A service that can't get rid of its
    /// replies meanwhile stops reading: with calls and replies that are longer, together, than
    /// what the stream holds, both would wait for ever (on a Unix socket that is some 200
    /// kilobytes; and see [`Timeouts::send`](crate::unix::Timeouts::send)).
    ///
    /// # Errors
    ///
    /// If it does not fit behind the others ([`EncodeError::Full`]), or
    /// can't wait behind them.
    ///
    /// ```
    /// # use nullink::service::GetInterfaceDescription;
    /// # use nullink::{Client, Duplex, Mode};
    /// # let mut calls = [0; 256];
    /// # let replies = b"{\"parameters\":{\"description\":\"1\"}}\0{\"parameters\":{\"description\":\"2\"}}\0";
    /// # let stream = Duplex { reader: &replies[..], writer: &mut calls[..] };
    /// # let (mut receive, mut send) = ([0; 99], [0; 256]);
    /// # let mut client = Client::new(stream, &mut receive, &mut send);
    /// client.queue(&GetInterfaceDescription { interface: "a.b" }, Mode::Simple)?;
    /// client.queue(&GetInterfaceDescription { interface: "c.d" }, Mode::Simple)?;
    /// for _ in 0..2 {
    ///     match client.receive::<GetInterfaceDescription>() {
    ///         Ok(reply) => println!("{}", reply.description),
    ///         Err(error) => println!("{error}"),
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn queue<M: Method>(&mut self, method: &M, mode: Mode) -> Result<(), Error<S::Error>> {
        let queued = self.session.queue(full_name::<M>(), mode, method);
        queued.map_err(Error::with_transport)
    }

    /// Like `queue`, by the name of the method, with parameters that are JSON already.
    ///
    /// # Errors
    ///
    /// As [`queue`](Self::queue), and if `method` is not the full name of a method.
    pub fn queue_raw(
        &mut self,
        method: &str,
        mode: Mode,
        parameters: Raw<'_>,
    ) -> Result<(), Error<S::Error>> {
        let queued = self.session.queue(method, mode, &parameters);
        queued.map_err(Error::with_transport)
    }

    /// Sends what is queued.
    ///
    /// # Errors
    ///
    /// If the stream fails.
    pub fn flush(&mut self) -> Result<(), Error<S::Error>> {
        self.send_by(send_pending)
    }

    /// Waits for the reply to the queued call that is next.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn receive<M: Method>(&mut self) -> CallResult<'_, M, S> {
        self.expect_one_reply()?;
        self.receive_raw()?
            .into_result::<M>()
            .map_err(CallError::with_transport)
    }

    /// Waits for the next reply, whatever it is: to a call that asked for `more`, others follow
    /// while [`Reply::continues`].
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn receive_raw(&mut self) -> Result<Reply<'_>, Error<S::Error>> {
        let chunk = match self.session.awaited()? {
            Mode::Upgrade => 1,
            _ => usize::MAX,
        };
        self.receive_by(|stream, channel| fill(stream, channel, chunk))
    }

    /// The replies to the queued call that is next, which has asked for `more`.
    ///
    /// # Errors
    ///
    /// If it has not.
    pub fn replies<M: Method>(&mut self) -> Result<Replies<'_, 'b, S, M>, Error<S::Error>> {
        match self.session.awaited()? {
            Mode::More => Ok(Replies {
                client: self,
                ended: false,
                method: PhantomData,
            }),
            _ => Err(Misuse::OtherMode.into()),
        }
    }

    /// The stream below.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream below, and what was received from it and belongs to no reply: after an upgrade
    /// that is nothing, because nothing beyond the reply has been read.
    pub fn into_parts(self) -> (S, &'b [u8]) {
        (self.stream, self.session.into_unread())
    }

    /// Sends what is pending with `send`.
    pub(crate) fn send_by(
        &mut self,
        send: impl FnOnce(&mut S, &mut Channel<'b>) -> Result<(), Error<S::Error>>,
    ) -> Result<(), Error<S::Error>> {
        self.session.next_mode()?;
        let sent = send(&mut self.stream, self.session.channel());
        sent.inspect_err(|error| {
            if is_closed(error) {
                self.session.fail_to_send();
            } else {
                self.session.fail();
            }
        })
    }

    /// Sends what is queued, and waits for the next reply, which `fill` receives.
    pub(crate) fn receive_by(
        &mut self,
        mut fill: impl FnMut(&mut S, &mut Channel<'b>) -> Result<usize, Error<S::Error>>,
    ) -> Result<Reply<'_>, Error<S::Error>> {
        unless_closed(self.flush())?;
        while !self.session.ready().map_err(Error::with_transport)? {
            let filled = fill(&mut self.stream, self.session.channel());
            filled.inspect_err(|_| self.session.fail())?;
        }
        self.session.receive().map_err(Error::with_transport)
    }

    /// Writes a call while no reply is outstanding.
    fn begin<P: Serialize>(
        &mut self,
        method: &str,
        mode: Mode,
        parameters: &P,
    ) -> Result<(), Error<S::Error>> {
        self.expect_nothing()?;
        self.write(method, mode, parameters)
    }

    /// Checks that no reply is outstanding.
    pub(crate) fn expect_nothing(&self) -> Result<(), Error<S::Error>> {
        match self.session.next_mode()? {
            None => Ok(()),
            Some(_) => Err(Misuse::RepliesOutstanding.into()),
        }
    }

    /// Checks that the next reply is not one of many.
    pub(crate) fn expect_one_reply(&self) -> Result<(), Error<S::Error>> {
        match self.session.next_mode()? {
            Some(Mode::More) => Err(Misuse::OtherMode.into()),
            _ => Ok(()),
        }
    }

    /// Writes a call, and sends those that wait before it if they leave it no room.
    fn write<P: Serialize>(
        &mut self,
        method: &str,
        mode: Mode,
        parameters: &P,
    ) -> Result<(), Error<S::Error>> {
        let mut queued = self.session.queue(method, mode, parameters);
        if queued == Err(Error::Encode(EncodeError::Full))
            && !self.session.channel().pending().is_empty()
        {
            self.flush()?;
            queued = self.session.queue(method, mode, parameters);
        }
        queued.map_err(Error::with_transport)
    }
}

/// What came of sending, where a service that has closed the connection is no error: the replies
/// that it has sent before can still be received.
pub(crate) fn unless_closed<T: embedded_io::Error>(
    sent: Result<(), Error<T>>,
) -> Result<(), Error<T>> {
    match sent {
        Err(error) if is_closed(&error) => Ok(()),
        sent => sent,
    }
}

/// How much may still be under way to an earlier client.
const STALE: usize = 1 << 20;

/// The replies to a call that has asked for `more`: see [`Client::more`].
///
/// Until all have been received, the connection can be used for nothing else. A client that wants
/// no more of them closes it: UAPI.20, "`more`".
#[derive(Debug)]
pub struct Replies<'c, 'b, S, M> {
    client: &'c mut Client<'b, S>,
    ended: bool,
    method: PhantomData<fn() -> M>,
}

impl<S: Read + Write, M: Method> Replies<'_, '_, S, M> {
    /// Waits for the next reply; None after the last one.
    ///
    /// What the reply borrows has to be done with before the next.
    ///
    /// # Errors
    ///
    /// The error that ends the replies, or why there are no more.
    #[allow(clippy::should_implement_trait)] // it lends what it returns
    pub fn next(&mut self) -> CallResult<'_, M, S, Option<M::Output<'_>>> {
        if self.ended {
            return Ok(None);
        }
        self.ended = true;
        let reply = self.client.receive_raw()?;
        self.ended = !reply.continues();
        reply
            .into_result::<M>()
            .map(Some)
            .map_err(CallError::with_transport)
    }
}
