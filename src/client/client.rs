//! The blocking client.

use core::marker::PhantomData;

use embedded_io::{ErrorType, Read, Write};
use serde::Serialize;

use super::{CallError, Session};
use crate::channel::Channel;
use crate::error::{EncodeError, Error, Misuse};
use crate::io::{fill, is_closed, send_pending, write};
use crate::json::Raw;
use crate::message::{Mode, Reply};
use crate::method::{Method, called, full_name};
use crate::varlink_service::GetInterfaceDescription;

/// A blocking connection to a service.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[cfg(all(feature = "unix", target_os = "linux"))] {
/// use nullink::service::GetInterfaceDescription;
/// use nullink::{CallError, Client};
///
/// let (mut receive, mut send) = ([0; 4096], [0; 256]);
/// let mut client = Client::connect("/run/org.example.ftl", &mut receive, &mut send)?;
///
/// let call = GetInterfaceDescription { interface: "org.example.ftl" };
/// let reply = client.call(&call).map_err(CallError::forget)?;
/// println!("{}", reply.description);
/// # }
/// # Ok(())
/// # }
/// ```
///
/// Several calls can be outstanding: [`queue`](Self::queue) them, then [`receive`](Self::receive)
/// their replies in the same order.
///
/// A reply borrows from the receive buffer, so it must be dropped before the next call. So does a
/// [`CallError`]: [`forget`](CallError::forget) makes an error of it that `?` can return.
///
/// By default, a client waits indefinitely. [`unix::Timeouts`](crate::unix::Timeouts) shows how to
/// set timeouts.
#[derive(Debug)]
pub struct Client<'b, S> {
    stream: S,
    session: Session<'b>,
}

/// The result of a call of the method `M` over the stream `S`. `T` is the method's reply by
/// default.
pub type CallResult<'r, M, S, T = <M as Method>::Output<'r>> =
    Result<T, CallError<'r, <M as Method>::Error<'r>, <S as ErrorType>::Error>>;

impl<'b, S: Read + Write> Client<'b, S> {
    /// Creates a client over a connected stream.
    ///
    /// `receive` must hold the longest reply and its NUL. `send` must hold the longest call and its
    /// NUL, or all calls that are queued at once.
    pub fn new(stream: S, receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Client {
            stream,
            session: Session::new(receive, send),
        }
    }

    /// Discards the replies to earlier clients of a serial line. Call it first on a line, such as a
    /// [device](crate::Address::Device).
    ///
    /// A line cannot be closed, so replies to earlier clients may still be under way, and the last
    /// client may have sent half a message. This method sends a break, two NULs. The first ends the
    /// half-sent message, which may be a call that lacked only its NUL. The second is an empty
    /// message, which announces the new client. Then this method asks for the definition of the
    /// interface `nonce`, and discards everything before the answer. The service must not have that
    /// interface, and `nonce` must be different each time.
    ///
    /// The receive buffer must hold the answer: the length of `nonce` and about 100 bytes. A longer
    /// answer is discarded with the rest, and is not sent again.
    ///
    /// # Errors
    ///
    /// Fails if the answer is not received. Returns [`Error::TooLong`] if a megabyte is received
    /// before it. A line has no end of input, so without a [timeout](crate::unix::Timeouts) this
    /// method may wait indefinitely.
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
        let announced = write(&mut self.stream, &[0, 0]);
        announced.inspect_err(|_| self.session.fail())?;
        self.flush()?;
        let mut left = MAX_STALE;
        let mut wait_for_answer = || {
            while !self
                .session
                .is_synchronized(nonce)
                .map_err(Error::with_transport)?
            {
                let count = fill(&mut self.stream, self.session.channel(), left)?;
                left = left.saturating_sub(count);
            }
            Ok(())
        };
        wait_for_answer().inspect_err(|_| self.session.fail())
    }

    /// Calls a method and waits for its reply.
    ///
    /// # Errors
    ///
    /// Returns the error that the service answers with, or the reason why there is no valid reply:
    /// see [`CallError`]. A reply with file descriptors ends the connection: a client that expects
    /// them uses `call_with`.
    pub fn call<M: Method>(&mut self, method: &M) -> CallResult<'_, M, S> {
        self.begin(called::<M, false, false>(), Mode::Simple, method)?;
        self.receive::<M>()
    }

    /// Calls a method that may reply several times.
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
    /// The connection can be used for nothing else until all replies have been received.
    ///
    /// # Timeouts
    ///
    /// The [reply timeout](crate::unix::Timeouts::reply) limits the time that [`Replies::next`]
    /// waits for each reply. So it also expires if the service is only quiet for that long, and the
    /// client is unusable after that. If the service may be quiet, set no reply timeout before the
    /// call. Then `next` waits indefinitely.
    ///
    /// # Errors
    ///
    /// Fails if the call cannot be sent. [`Replies::next`] returns the errors of the service.
    pub fn more<M: Method>(
        &mut self,
        method: &M,
    ) -> CallResult<'static, M, S, Replies<'_, 'b, S, M>> {
        self.begin(called::<M, true, false>(), Mode::More, method)?;
        ignore_closed(self.flush())?;
        Ok(self.replies()?)
    }

    /// Sends a call that gets no reply.
    ///
    /// # Errors
    ///
    /// Fails if the call cannot be sent.
    pub fn oneway<M: Method>(&mut self, method: &M) -> Result<(), Error<S::Error>> {
        self.write(called::<M, false, false>(), Mode::Oneway, method)?;
        self.flush()
    }

    /// Calls a method that hands the connection over to another protocol. After the reply,
    /// [`into_parts`](Self::into_parts) returns the stream for that protocol.
    ///
    /// The reply is read byte by byte, so that no byte after it is read: UAPI.20, "`upgrade`".
    ///
    /// # Errors
    ///
    /// Like [`call`](Self::call). After an error of the service, the connection is still a Varlink
    /// connection.
    pub fn upgrade<M: Method>(&mut self, method: &M) -> CallResult<'_, M, S> {
        self.begin(called::<M, false, true>(), Mode::Upgrade, method)?;
        self.receive::<M>()
    }

    /// Calls a method by its full name, with parameters that are already JSON. An error of the
    /// service is returned as a reply.
    ///
    /// For calls in other modes, use [`queue_raw`](Self::queue_raw), and then
    /// [`receive_raw`](Self::receive_raw) for the reply, or for the replies while
    /// [`Reply::continues`]. After a oneway call, use [`flush`](Self::flush). For descriptors, use
    /// `send_raw_with` and `receive_raw_with`.
    ///
    /// # Errors
    ///
    /// Fails if no reply is received, or if `method` is not the full name of a method.
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

    /// Adds a call to the queue, and sends nothing. [`flush`](Self::flush) and every method that
    /// waits for a reply send all queued calls at once.
    ///
    /// All queued calls are sent before any reply is received. A service that cannot send its
    /// replies stops reading. If the calls and replies together are longer than the buffers of the
    /// stream, client and service wait for each other indefinitely, unless
    /// [`Timeouts::send`](crate::unix::Timeouts::send) is set. The buffers of a Unix socket hold
    /// about 200 kilobytes.
    ///
    /// # Errors
    ///
    /// Returns [`EncodeError::Full`] if the call does not fit after the others, and a [`Misuse`] if
    /// the outstanding calls do not permit it.
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

    /// Like `queue`, with the full name of the method, and parameters that are already JSON.
    ///
    /// # Errors
    ///
    /// Like [`queue`](Self::queue). Also fails if `method` is not the full name of a method.
    ///
    /// ```
    /// # use nullink::{Client, Duplex, Mode, json::Raw};
    /// # let mut call = [0; 99];
    /// # let replies = b"{\"continues\":true,\"parameters\":{\"i\":0}}\0{\"parameters\":{\"i\":1}}\0";
    /// # let stream = Duplex { reader: &replies[..], writer: &mut call[..] };
    /// # let (mut receive, mut send) = ([0; 99], [0; 99]);
    /// # let mut client = Client::new(stream, &mut receive, &mut send);
    /// client.queue_raw("org.example.t.Count", Mode::More, Raw::new(r#"{"n":2}"#)?)?;
    /// let mut count = 0;
    /// loop {
    ///     let reply = client.receive_raw()?;
    ///     count += 1;
    ///     if !reply.continues() {
    ///         break;
    ///     }
    /// }
    /// assert_eq!(count, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn queue_raw(
        &mut self,
        method: &str,
        mode: Mode,
        parameters: Raw<'_>,
    ) -> Result<(), Error<S::Error>> {
        let queued = self.session.queue(method, mode, &parameters);
        queued.map_err(Error::with_transport)
    }

    /// Sends all queued calls.
    ///
    /// # Errors
    ///
    /// Fails if the stream fails.
    pub fn flush(&mut self) -> Result<(), Error<S::Error>> {
        self.send_by(send_pending)
    }

    /// Waits for the reply to the oldest outstanding call.
    ///
    /// # Errors
    ///
    /// Like [`call`](Self::call). Returns [`Misuse::OtherMode`] if that call has asked for `more`.
    pub fn receive<M: Method>(&mut self) -> CallResult<'_, M, S> {
        self.expect_one_reply()?;
        self.receive_raw()?
            .into_result::<M>()
            .map_err(CallError::with_transport)
    }

    /// Waits for the next reply to the oldest outstanding call. An error of the service is returned
    /// as a reply. If the call has asked for `more`, other replies follow while
    /// [`Reply::continues`].
    ///
    /// # Errors
    ///
    /// Fails if no reply is received.
    pub fn receive_raw(&mut self) -> Result<Reply<'_>, Error<S::Error>> {
        let chunk = self.chunk()?;
        self.receive_by(|stream, channel| fill(stream, channel, chunk))
    }

    /// Returns the replies to the oldest outstanding call, which must have asked for `more`.
    ///
    /// # Errors
    ///
    /// Returns [`Misuse::OtherMode`] if that call has not asked for `more`.
    pub fn replies<M: Method>(&mut self) -> Result<Replies<'_, 'b, S, M>, Error<S::Error>> {
        match self.session.expected_mode()? {
            Mode::More => Ok(Replies {
                client: self,
                ended: false,
                method: PhantomData,
            }),
            _ => Err(Misuse::OtherMode.into()),
        }
    }

    /// Returns the underlying stream, for example to
    /// [set its timeouts](crate::unix::Stream::set_timeouts).
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Returns the underlying stream, and the received bytes that belong to no reply. After an
    /// upgrade there are none, because no byte after the reply has been read.
    pub fn into_parts(self) -> (S, &'b [u8]) {
        (self.stream, self.session.into_unread())
    }

    /// Sends the pending bytes with `send`.
    pub(crate) fn send_by(
        &mut self,
        send: impl FnOnce(&mut S, &mut Channel<'b>) -> Result<(), Error<S::Error>>,
    ) -> Result<(), Error<S::Error>> {
        self.session.next_mode()?;
        match send(&mut self.stream, self.session.channel()) {
            Err(error) if is_closed(&error) => {
                self.session.fail_to_send();
                Err(Error::Closed)
            }
            sent => sent.inspect_err(|_| self.session.fail()),
        }
    }

    /// Sends all queued calls, and waits for the next reply, which `fill` receives.
    pub(crate) fn receive_by(
        &mut self,
        mut fill: impl FnMut(&mut S, &mut Channel<'b>) -> Result<usize, Error<S::Error>>,
    ) -> Result<Reply<'_>, Error<S::Error>> {
        ignore_closed(self.flush())?;
        while !self.session.ready().map_err(Error::with_transport)? {
            match fill(&mut self.stream, self.session.channel()) {
                // The kernel tells an end with unread bytes from one without. Clients need not.
                Err(error) if is_closed(&error) => self.session.channel().end_input(),
                filled => _ = filled.inspect_err(|_| self.session.fail())?,
            }
        }
        self.session.receive().map_err(Error::with_transport)
    }

    /// Returns the most bytes that one read may take. What follows the reply to an upgrade belongs to
    /// another protocol.
    pub(crate) fn chunk(&self) -> Result<usize, Misuse> {
        match self.session.expected_mode()? {
            Mode::Upgrade => Ok(1),
            _ => Ok(usize::MAX),
        }
    }

    /// Writes a call. Fails if replies are outstanding.
    fn begin<P: Serialize>(
        &mut self,
        method: &str,
        mode: Mode,
        parameters: &P,
    ) -> Result<(), Error<S::Error>> {
        self.expect_none_outstanding()?;
        self.write(method, mode, parameters)
    }

    /// Checks that no reply is outstanding.
    pub(crate) fn expect_none_outstanding(&self) -> Result<(), Error<S::Error>> {
        match self.session.next_mode()? {
            None => Ok(()),
            Some(_) => Err(Misuse::RepliesOutstanding.into()),
        }
    }

    /// Checks that the oldest outstanding call has not asked for `more`.
    pub(crate) fn expect_one_reply(&self) -> Result<(), Error<S::Error>> {
        match self.session.next_mode()? {
            Some(Mode::More) => Err(Misuse::OtherMode.into()),
            _ => Ok(()),
        }
    }

    /// Writes a call. If the queued calls leave no room for it, sends them first.
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

/// Ignores the error of a closed connection: the replies that the service sent before can still be
/// received.
pub(crate) fn ignore_closed<T>(sent: Result<(), Error<T>>) -> Result<(), Error<T>> {
    match sent {
        Err(Error::Closed) => Ok(()),
        sent => sent,
    }
}

/// The maximum number of bytes that may be under way to earlier clients: one megabyte.
const MAX_STALE: usize = 1 << 20;

/// The replies to a call that has asked for `more`: see [`Client::more`].
///
/// The connection can be used for nothing else until all replies have been received. To stop
/// earlier, the client closes the connection: UAPI.20, "`more`".
#[derive(Debug)]
pub struct Replies<'c, 'b, S, M> {
    client: &'c mut Client<'b, S>,
    ended: bool,
    method: PhantomData<fn() -> M>,
}

impl<'b, S: Read + Write, M: Method> Replies<'_, 'b, S, M> {
    /// Waits for the next reply. Returns None after the last reply, and after a failure.
    ///
    /// The reply must be dropped before the next is received.
    ///
    /// A final reply without parameters that is not a reply of the method is the end as well: some
    /// services end a stream without replies so.
    ///
    /// # Errors
    ///
    /// Returns the error with which the service ends the replies, or the reason why no reply is
    /// received. After a [`CallError::Decode`], more replies may follow.
    #[allow(clippy::should_implement_trait)] // the reply borrows from `self`
    pub fn next(&mut self) -> CallResult<'_, M, S, Option<M::Output<'_>>> {
        self.next_by(Client::receive_raw)
    }

    /// Waits for the next reply, which `receive` receives.
    pub(crate) fn next_by(
        &mut self,
        receive: impl for<'r> FnOnce(&'r mut Client<'b, S>) -> Result<Reply<'r>, Error<S::Error>>,
    ) -> CallResult<'_, M, S, Option<M::Output<'_>>> {
        if self.ended {
            return Ok(None);
        }
        self.ended = true;
        let reply = receive(self.client)?;
        self.ended = !reply.continues();
        // systemd ends a list without elements so: a final reply without parameters, whether the
        // definition allows it or not.
        let is_empty_end = self.ended && reply.error().is_none() && reply.parameters().is_empty();
        match reply.into_result::<M>() {
            Err(CallError::Decode { .. }) if is_empty_end => Ok(None),
            result => result.map(Some).map_err(CallError::with_transport),
        }
    }
}
