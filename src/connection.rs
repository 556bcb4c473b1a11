//! The blocking driver: one connection over any stream, for either side.
//!
//! It is a thin loop around [`service::Session`] and
//! [`client::Session`], which know the protocol. A stream is anything that
//! implements [`embedded_io::Read`] and [`embedded_io::Write`]; [`Halves`] makes one of two.

use core::convert::Infallible;
use core::fmt;
use core::marker::PhantomData;

use embedded_io::{Error as _, ErrorKind, ErrorType, Read, ReadReady, Write};
use serde::Serialize;

use crate::client::{self, CallError, Method, NoError, read_reply};
use crate::error::{EncodeError, Error, Misuse};
use crate::json::Raw;
use crate::message::{Mode, Reply};
use crate::name;
use crate::service::{self, GetInterfaceDescription, Service, Step};

/// How a connection to a service has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End<'b, C> {
    /// The client has closed it, after its last call was answered.
    Closed,
    /// It belongs to another protocol, at the client's wish and the service's consent.
    Upgraded {
        /// What the handler has left: [`Upgrade::send`](crate::service::Upgrade::send).
        cursor: C,
        /// What has been received of the other protocol: the beginning of the receive buffer. It
        /// comes before anything that is read from the stream.
        unread: &'b [u8],
    },
}

/// Serves one connection to its end, blocking.
///
/// `receive` has to hold the longest call and its NUL, `send` the longest reply and its NUL.
/// Replies are sent when no complete call is left in `receive`, when `send` is full, and before a
/// stream goes on.
///
/// The stream can be passed as `&mut stream`, to have it afterwards.
///
/// # Errors
///
/// The connection is over then, and all that is left to do is to close the stream. What was due
/// has been sent, unless the error is that of sending. [`Error::Encode`] is the only one that is
/// the service's own: an answer that could not be written.
///
/// ```
/// # use nullink::service::{Info, Outcome, Refusal, Responder, Service};
/// # use nullink::{Call, End, Interface, serve};
/// # struct Nothing;
/// # impl Service for Nothing {
/// #     type Cursor = ();
/// #     const INTERFACES: &'static [Interface] = &[];
/// #     fn info(&self) -> Info<'_> { Info { vendor: "Example", ..Info::default() } }
/// #     fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
/// #         Err(Refusal::MethodNotFound)
/// #     }
/// # }
/// # let mut service = Nothing;
/// use nullink::Halves;
///
/// let calls = b"{\"method\":\"org.varlink.service.GetInfo\"}\0{\"method\":\"Dance\"}\0";
/// let mut replies = [0; 512];
/// let stream = Halves { reader: &calls[..], writer: &mut replies[..] };
/// assert_eq!(serve(&mut service, stream, &mut [0; 256], &mut [0; 256]), Ok(End::Closed));
///
/// let mut replies = replies.split(|byte| *byte == 0);
/// assert!(replies.next().unwrap().starts_with(b"{\"parameters\":{\"vendor\":\"Example\","));
/// assert_eq!(
///     replies.next().unwrap(),
///     b"{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"Dance\"}}",
/// );
/// ```
pub fn serve<'b, S, IO>(
    service: &mut S,
    mut stream: IO,
    receive: &'b mut [u8],
    send: &mut [u8],
) -> Result<End<'b, S::Cursor>, Error<IO::Error>>
where
    S: Service,
    IO: Read + Write,
{
    let mut session = service::Session::new(&mut *receive, send);
    loop {
        match advance(service, &mut stream, &mut session) {
            Ok(Step::Upgraded(cursor)) => {
                let count = unread_to_front(session);
                let unread = receive.get(..count).unwrap_or_default();
                return Ok(End::Upgraded { cursor, unread });
            }
            Ok(Step::Ended(Ok(()))) => return Ok(End::Closed),
            Ok(Step::Ended(Err(error))) => return Err(error.over()),
            Ok(_) => {}
            Err(error) => {
                session.abandon(service);
                return Err(error);
            }
        }
    }
}

/// Serves a line that nobody can close, such as a UART, blocking: one client after the other.
///
/// Nobody notices there when a client goes and another comes. So a client begins with two NULs, as
/// [`Client::begin_anew`] does: the first ends what was left half-sent, the second, an empty message,
/// is the new client's beginning. What the one before was still owed is dropped then, be it a stream
/// of replies that never ends. (One is enough where nothing is left half-sent, or no call. Where a
/// whole call is left but for its NUL, that call would wait behind the stream for ever.) Where a
/// connection would be closed, everything up to the next NUL is thrown away, no part of it is taken
/// for a call, and the line goes on. ([`Service::failed`] is told why.)
///
/// Between two replies of a stream it is looked whether there is a new client: it waits for as long
/// as a [`resume`](Service::resume) does.
///
/// This ends when the connection is upgraded, and when a read gives no bytes: on a line that is how
/// the program itself says that it has served enough. What was due has been sent then, but for
/// streams.
///
/// # Errors
///
/// If the line fails, which is not the client's doing. If it can be used again, so can this. What was
/// about to be received or sent may have been cut off anywhere: write a NUL to it first, so that no
/// reply is taken for the rest of that.
///
/// ```
/// # use nullink::service::{Info, Outcome, Refusal, Responder, Service};
/// # use nullink::{Call, End, Interface};
/// # struct Nothing;
/// # impl Service for Nothing {
/// #     type Cursor = ();
/// #     const INTERFACES: &'static [Interface] = &[];
/// #     fn info(&self) -> Info<'_> { Info { vendor: "Example", ..Info::default() } }
/// #     fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
/// #         Err(Refusal::MethodNotFound)
/// #     }
/// # }
/// # let mut service = Nothing;
/// use nullink::{Halves, serve_line};
///
/// // The first client has gone in the middle of its call. (And in the end, the line is gone, too.)
/// let line = b"{\"method\":\"org.varl\0{\"method\":\"Dance\"}\0";
/// let mut replies = [0; 512];
/// let line = Halves { reader: &line[..], writer: &mut replies[..] };
/// assert_eq!(serve_line(&mut service, line, &mut [0; 256], &mut [0; 256]), Ok(End::Closed));
/// assert!(replies.starts_with(b"{\"error\":\"org.varlink.service.MethodNotFound\","));
/// ```
pub fn serve_line<'b, S, IO>(
    service: &mut S,
    mut line: IO,
    receive: &'b mut [u8],
    send: &mut [u8],
) -> Result<End<'b, S::Cursor>, Error<IO::Error>>
where
    S: Service,
    IO: Read + ReadReady + Write,
{
    let mut session = service::Session::new(&mut *receive, send);
    let mut line = Line {
        stream: &mut line,
        cut: false,
    };
    // A reply was sent that others follow.
    let mut owed = false;
    let result = loop {
        if owed {
            match fill_if_ready(&mut line, &mut session) {
                Ok(()) if session.is_at_end() => break Ok(End::Closed),
                Ok(()) => {}
                Err(error) => break Err(error),
            }
        }
        while !session.is_upgraded() && session.begins_anew(owed) {
            session.begin_anew(service, line.cut);
            owed = false;
        }
        match advance(service, &mut line, &mut session) {
            Ok(Step::Upgraded(cursor)) => {
                let count = unread_to_front(session);
                let unread = receive.get(..count).unwrap_or_default();
                return Ok(End::Upgraded { cursor, unread });
            }
            // Half a message is no matter of a line that ends.
            Ok(Step::Ended(_)) if session.is_at_end() => break Ok(End::Closed),
            // It can't be closed for its client: the next message is that of a new one.
            Ok(Step::Ended(_)) => {
                session.detach();
                owed = false;
            }
            Ok(step) => owed = matches!(step, Step::Streamed),
            Err(error) => break Err(error),
        }
    };
    session.abandon(service);
    result
}

/// A line, and whether what was sent last has ended inside of a message.
struct Line<'l, IO> {
    stream: &'l mut IO,
    cut: bool,
}

impl<IO: ErrorType> ErrorType for Line<'_, IO> {
    type Error = IO::Error;
}

impl<IO: Read> Read for Line<'_, IO> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, IO::Error> {
        self.stream.read(buffer)
    }
}

impl<IO: ReadReady> ReadReady for Line<'_, IO> {
    fn read_ready(&mut self) -> Result<bool, IO::Error> {
        self.stream.read_ready()
    }
}

impl<IO: Write> Write for Line<'_, IO> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, IO::Error> {
        let count = self.stream.write(bytes)?;
        let sent = bytes.get(..count).unwrap_or(bytes);
        self.cut = sent.last().map_or(self.cut, |last| *last != 0);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), IO::Error> {
        self.stream.flush()
    }
}

/// Makes a step of a session, and moves the bytes that it asks for.
fn advance<S, IO>(
    service: &mut S,
    stream: &mut IO,
    session: &mut service::Session<'_, S::Cursor>,
) -> Result<Step<S::Cursor>, Error<IO::Error>>
where
    S: Service,
    IO: Read + Write,
{
    let mut failed = None;
    let mut drain = |bytes: &[u8]| {
        // Once it has failed, part of them may have been sent: nothing can follow.
        if failed.is_none() {
            failed = write(stream, bytes).err();
        }
        failed.is_none()
    };
    let step = session.step(service, Some(&mut drain));
    if let Some(error) = failed {
        return Err(error);
    }
    match step {
        Step::Streamed | Step::Write => send_pending(stream, session)?,
        // (Nothing is ever parked here.)
        Step::Read | Step::Parked => _ = fill(stream, session, usize::MAX)?,
        Step::Called | Step::Upgraded(_) | Step::Ended(_) => {}
    }
    Ok(step)
}

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
    session: client::Session<'b>,
}

/// Why a call of the method `M` over the stream `S` has failed.
pub type CallErrorOf<'r, M, S> = CallError<'r, <M as Method>::Error<'r>, <S as ErrorType>::Error>;

/// What a call of the method `M` over the stream `S` comes to.
pub type CallResult<'r, M, S> = Result<<M as Method>::Output<'r>, CallErrorOf<'r, M, S>>;

impl<'b, S: Read + Write> Client<'b, S> {
    /// A new connection.
    ///
    /// `receive` has to hold the longest reply and its NUL, `send` the longest call and its NUL,
    /// or all that are to be queued at once.
    pub fn new(stream: S, receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Client {
            stream,
            session: client::Session::new(receive, send),
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
    /// # use nullink::{Client, Halves};
    /// # let mut calls = [0; 256];
    /// let line = b"rs\":{\"i\":6}}\0{\"continues\":true,\"parameters\":{\"i\":7}}\0{\"error\":\
    ///     \"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"org.example.n4711\"}}\0";
    /// # let line = Halves { reader: &line[..], writer: &mut calls[..] };
    /// # let (mut receive, mut send) = ([0; 256], [0; 256]);
    /// let mut client = Client::new(line, &mut receive, &mut send);
    /// assert_eq!(client.begin_anew("org.example.n4711"), Ok(()));
    /// ```
    pub fn begin_anew(&mut self, nonce: &str) -> Result<(), Error<S::Error>> {
        let call = GetInterfaceDescription { interface: nonce };
        self.begin(full_name::<GetInterfaceDescription>(), Mode::Simple, &call)?;
        let begun = write(&mut self.stream, &[0, 0]);
        begun.inspect_err(|_| self.session.fail())?;
        self.flush()?;
        let mut left = STALE;
        let answered = loop {
            match self.session.has_no_interface(nonce) {
                Ok(false) if left == 0 => break Err(Error::TooLong),
                Ok(false) => {}
                Ok(true) => return Ok(()),
                Err(error) => break Err(error.over()),
            }
            match fill(&mut self.stream, &mut self.session, left) {
                Ok(count) => left = left.saturating_sub(count),
                Err(error) => break Err(error),
            }
        };
        self.session.fail();
        answered
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
    /// # use nullink::client::{Method, NoError};
    /// # use nullink::{Client, Halves};
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
    /// # let stream = Halves { reader: &reply[..], writer: &mut call[..] };
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
    ) -> Result<Replies<'_, 'b, S, M>, CallErrorOf<'static, M, S>> {
        self.begin(full_name::<M>(), Mode::More, method)?;
        match self.flush() {
            // The service is gone. What it has sent before may say why.
            Err(error) if is_closed(&error) => {}
            sent => sent?,
        }
        Ok(self.replies()?)
    }

    /// Calls a method and does not want to know what comes of it.
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
    /// # use nullink::{Client, Halves, json::Raw};
    /// # let mut call = [0; 99];
    /// # let reply = b"{\"parameters\":{\"pong\":\"hello\"}}\0";
    /// # let stream = Halves { reader: &reply[..], writer: &mut call[..] };
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

    /// Asks for the definition of an interface, which can be longer than the receive buffer: it is
    /// given to `piece` in as many pieces as it takes.
    ///
    /// What `piece` has been given is worth nothing if this fails in the end.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call); and [`Error::TooLong`], if the definition is longer than `limit`
    /// bytes and the receive buffer together. systemd's longest has some 80,000.
    ///
    /// ```
    /// # use nullink::{Client, Halves};
    /// # let mut call = [0; 128];
    /// # let reply = b"{\"parameters\":{\"description\":\"interface org.example.ftl\\nerror No ()\\n\"}}\0";
    /// # let stream = Halves { reader: &reply[..], writer: &mut call[..] };
    /// # let (mut receive, mut send) = ([0; 48], [0; 128]);
    /// let mut client = Client::new(stream, &mut receive, &mut send);
    /// let mut lines = 0;
    /// client.describe("org.example.ftl", 1 << 20, |piece| lines += piece.matches('\n').count())
    ///     .map_err(|error| error.to_string())?;
    /// assert_eq!(lines, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn describe(
        &mut self,
        interface: &str,
        limit: usize,
        mut piece: impl FnMut(&str),
    ) -> Result<(), CallError<'_, NoError, S::Error>> {
        let call = GetInterfaceDescription { interface };
        self.begin(full_name::<GetInterfaceDescription>(), Mode::Simple, &call)?;
        let mut taken = 0_usize;
        self.wait(usize::MAX, |session| {
            // (What is not taken leaves no room, and the reply is too long then.)
            if !session.spare().is_empty() || taken >= limit {
                return Ok(());
            }
            let take = session.take_description(&mut |text| {
                taken = taken.saturating_add(text.len());
                piece(text);
            });
            take.map(drop)
        })?;
        let reply = self.session.receive().map_err(Error::over)?;
        let reply = read_reply::<GetInterfaceDescription>(reply).map_err(CallError::over)?;
        if !reply.description.is_empty() {
            piece(reply.description);
        }
        Ok(())
    }

    /// Writes a call behind those that are queued, and sends nothing yet:
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
    /// # use nullink::{Client, Halves, Mode};
    /// # let mut calls = [0; 256];
    /// # let replies = b"{\"parameters\":{\"description\":\"1\"}}\0{\"parameters\":{\"description\":\"2\"}}\0";
    /// # let stream = Halves { reader: &replies[..], writer: &mut calls[..] };
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
        queued.map_err(Error::over)
    }

    /// The same for a call by its name, with parameters that are JSON already.
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
        queued.map_err(Error::over)
    }

    /// Sends what is queued.
    ///
    /// # Errors
    ///
    /// If the stream fails.
    pub fn flush(&mut self) -> Result<(), Error<S::Error>> {
        self.session.next_mode()?;
        let sent = send_pending(&mut self.stream, &mut self.session);
        sent.inspect_err(|error| match is_closed(error) {
            true => self.session.fail_to_send(),
            false => self.session.fail(),
        })
    }

    /// Waits for the reply to the queued call that is next.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn receive<M: Method>(&mut self) -> CallResult<'_, M, S> {
        match self.session.next_mode().map_err(Error::Misuse)? {
            Some(Mode::More) => Err(Error::Misuse(Misuse::OtherMode).into()),
            _ => read_reply::<M>(self.receive_raw()?).map_err(CallError::over),
        }
    }

    /// Waits for the next reply, whatever it is: to a call that asked for `more`, others follow
    /// while [`Reply::continues`].
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn receive_raw(&mut self) -> Result<Reply<'_>, Error<S::Error>> {
        let chunk = match self.session.next_mode()? {
            None => return Err(Misuse::NothingOutstanding.into()),
            Some(Mode::Upgrade) => 1,
            Some(_) => usize::MAX,
        };
        self.wait(chunk, |_| Ok(()))?;
        self.session.receive().map_err(Error::over)
    }

    /// The replies to the queued call that is next, which has asked for `more`.
    ///
    /// # Errors
    ///
    /// If it has not.
    pub fn replies<M: Method>(&mut self) -> Result<Replies<'_, 'b, S, M>, Error<S::Error>> {
        match self.session.next_mode()? {
            Some(Mode::More) => Ok(Replies {
                client: self,
                ended: false,
                of: PhantomData,
            }),
            Some(_) => Err(Misuse::OtherMode.into()),
            None => Err(Misuse::NothingOutstanding.into()),
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

    /// The stream below, and the state of the connection.
    #[cfg(all(feature = "unix", target_os = "linux"))]
    pub(crate) fn parts(&mut self) -> (&mut S, &mut client::Session<'b>) {
        (&mut self.stream, &mut self.session)
    }

    /// Sends what is queued, and waits for the next reply: at most `chunk` bytes at a time are
    /// read, each time after `make_room`.
    fn wait(
        &mut self,
        chunk: usize,
        mut make_room: impl FnMut(&mut client::Session<'b>) -> Result<(), Error>,
    ) -> Result<(), Error<S::Error>> {
        match self.flush() {
            // The service is gone, but its replies to earlier calls may be there still.
            Err(error) if is_closed(&error) => {}
            sent => sent?,
        }
        loop {
            make_room(&mut self.session).map_err(Error::over)?;
            if self.session.ready().map_err(Error::over)? {
                return Ok(());
            }
            let filled = fill(&mut self.stream, &mut self.session, chunk);
            filled.inspect_err(|_| self.session.fail())?;
        }
    }

    /// Writes a call while no reply is outstanding.
    pub(crate) fn begin<P: Serialize>(
        &mut self,
        method: &str,
        mode: Mode,
        parameters: &P,
    ) -> Result<(), Error<S::Error>> {
        match self.session.next_mode()? {
            None => self.write(method, mode, parameters),
            Some(_) => Err(Misuse::RepliesOutstanding.into()),
        }
    }

    /// Writes a call, and sends those that wait before it if they leave it no room.
    fn write<P: Serialize>(
        &mut self,
        method: &str,
        mode: Mode,
        parameters: &P,
    ) -> Result<(), Error<S::Error>> {
        let queued = self.session.queue(method, mode, parameters);
        if queued != Err(Error::Encode(EncodeError::Full)) || self.session.pending().is_empty() {
            return queued.map_err(Error::over);
        }
        self.flush()?;
        let queued = self.session.queue(method, mode, parameters);
        queued.map_err(Error::over)
    }
}

/// How much may still be under way to an earlier client.
const STALE: usize = 1 << 20;

/// The name of a method, which is checked while compiling.
pub(crate) const fn full_name<M: Method>() -> &'static str {
    const { assert!(name::is_full(M::NAME), "not the full name of a method") };
    M::NAME
}

/// The replies to a call that has asked for `more`: see [`Client::more`].
///
/// Until all have been received, the connection can be used for nothing else. A client that wants
/// no more of them closes it: UAPI.20, "`more`".
#[derive(Debug)]
pub struct Replies<'c, 'b, S, M> {
    client: &'c mut Client<'b, S>,
    ended: bool,
    of: PhantomData<fn() -> M>,
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
    pub fn next(&mut self) -> Result<Option<M::Output<'_>>, CallErrorOf<'_, M, S>> {
        if self.ended {
            return Ok(None);
        }
        self.ended = true;
        let reply = self.client.receive_raw()?;
        self.ended = !reply.continues();
        read_reply::<M>(reply).map(Some).map_err(CallError::over)
    }
}

/// One stream of two: what is received comes from one, what is sent goes to the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Halves<R, W> {
    /// Where it is received from.
    pub reader: R,
    /// Where it is sent to.
    pub writer: W,
}

impl<R: Read, W: Write> ErrorType for Halves<R, W> {
    type Error = HalfError<R::Error, W::Error>;
}

impl<R: Read, W: Write> Read for Halves<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        self.reader.read(buffer).map_err(HalfError::Reader)
    }
}

impl<R: Read + ReadReady, W: Write> ReadReady for Halves<R, W> {
    fn read_ready(&mut self) -> Result<bool, Self::Error> {
        self.reader.read_ready().map_err(HalfError::Reader)
    }
}

impl<R: Read, W: Write> Write for Halves<R, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.writer.write(bytes).map_err(HalfError::Writer)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.writer.flush().map_err(HalfError::Writer)
    }
}

/// Which of two [`Halves`] has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfError<R, W> {
    /// The one that is read from.
    Reader(R),
    /// The one that is written to.
    Writer(W),
}

impl<R: fmt::Display, W: fmt::Display> fmt::Display for HalfError<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HalfError::Reader(error) => error.fmt(f),
            HalfError::Writer(error) => error.fmt(f),
        }
    }
}

impl<R, W> core::error::Error for HalfError<R, W>
where
    R: fmt::Debug + fmt::Display,
    W: fmt::Debug + fmt::Display,
{
}

impl<R: embedded_io::Error, W: embedded_io::Error> embedded_io::Error for HalfError<R, W> {
    fn kind(&self) -> ErrorKind {
        match self {
            HalfError::Reader(error) => error.kind(),
            HalfError::Writer(error) => error.kind(),
        }
    }
}

/// A stream that leads to a service in the same program: what is written to it are calls, what is
/// read from it are the replies. With a [`Client`] over it, a service is tested without a socket.
///
/// There is no peer, there are no descriptors, and nobody can wait for what is published (such calls
/// are answered with `MethodNotImplemented`). For these, a test has a
/// [`Stream::pair`](crate::unix::Stream::pair): one end for the client, the other for a
/// [`Server`](crate::server::Server), whose [`step`](crate::server::Server::step)s it makes itself.
///
/// A read finds the end where another stream would wait for ever: when no call is left to be
/// answered. After an upgrade there is nothing to be read. Calls that are sent at once have to fit
/// into the service's buffer, all but the first of them.
///
/// ```
/// use nullink::client::CallError;
/// use nullink::connection::Loopback;
/// use nullink::service::{GetInterfaceDescription, ServiceError};
/// # use nullink::service::{Info, Outcome, Refusal, Responder, Service};
/// # use nullink::{Call, Client, Interface};
/// # struct Nothing;
/// # impl Service for Nothing {
/// #     type Cursor = ();
/// #     const INTERFACES: &'static [Interface] = &[];
/// #     fn info(&self) -> Info<'_> { Info { vendor: "Example", ..Info::default() } }
/// #     fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
/// #         Err(Refusal::MethodNotFound)
/// #     }
/// # }
/// # let service = Nothing;
///
/// let (mut a, mut b, mut c, mut d) = ([0; 4096], [0; 4096], [0; 4096], [0; 4096]);
/// let stream = Loopback::new(service, &mut a, &mut b);
/// let mut client = Client::new(stream, &mut c, &mut d);
/// assert_eq!(
///     client.call(&GetInterfaceDescription { interface: "a.b" }),
///     Err(CallError::Service(ServiceError::InterfaceNotFound { interface: "a.b" })),
/// );
/// ```
#[derive(Debug)]
pub struct Loopback<'b, S: Service> {
    service: S,
    session: service::Session<'b, S::Cursor>,
    /// The service takes nothing more.
    ended: bool,
}

impl<'b, S: Service> Loopback<'b, S> {
    /// A connection to a service, with the service's buffers.
    pub fn new(service: S, receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Loopback {
            service,
            session: service::Session::new(receive, send),
            ended: false,
        }
    }

    /// The service.
    pub fn service(&mut self) -> &mut S {
        &mut self.service
    }

    /// Handles the calls that are there, as far as there is room for the replies.
    fn run(&mut self) {
        loop {
            match self.session.step(&mut self.service, None) {
                Step::Called | Step::Streamed => {}
                Step::Ended(_) => break self.ended = true,
                _ => break,
            }
        }
    }
}

impl<S: Service> ErrorType for Loopback<'_, S> {
    type Error = Infallible;
}

impl<S: Service> Read for Loopback<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        self.run();
        let pending = self.session.pending();
        let moved = buffer.iter_mut().zip(pending).map(|(to, from)| *to = *from);
        let count = moved.count();
        self.session.sent(count);
        Ok(count)
    }
}

impl<S: Service> Write for Loopback<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.run();
        if self.ended {
            // As on a socket that nobody reads from any more.
            return Ok(bytes.len());
        }
        let spare = self.session.spare().iter_mut();
        let count = spare.zip(bytes).map(|(to, from)| *to = *from).count();
        // (None would be the end.)
        if count > 0 {
            self.session.received(count);
        }
        self.run();
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// What both sessions have in common.
trait Buffers {
    fn spare(&mut self) -> &mut [u8];
    fn received(&mut self, count: usize);
    fn pending(&self) -> &[u8];
    fn sent(&mut self, count: usize);
}

impl<C: Copy> Buffers for service::Session<'_, C> {
    fn spare(&mut self) -> &mut [u8] {
        self.spare()
    }

    fn received(&mut self, count: usize) {
        self.received(count);
    }

    fn pending(&self) -> &[u8] {
        self.pending()
    }

    fn sent(&mut self, count: usize) {
        self.sent(count);
    }
}

impl Buffers for client::Session<'_> {
    fn spare(&mut self) -> &mut [u8] {
        self.spare()
    }

    fn received(&mut self, count: usize) {
        self.received(count);
    }

    fn pending(&self) -> &[u8] {
        self.pending()
    }

    fn sent(&mut self, count: usize) {
        self.sent(count);
    }
}

/// Moves what is unread to the beginning of the buffer, and returns how much that is.
fn unread_to_front<C: Copy>(mut session: service::Session<'_, C>) -> usize {
    session.spare();
    session.into_unread().len()
}

/// Receives what is there, without waiting, while a client is owed something.
fn fill_if_ready<IO: Read + ReadReady, C: Copy>(
    line: &mut IO,
    session: &mut service::Session<'_, C>,
) -> Result<(), Error<IO::Error>> {
    if !line.read_ready().map_err(Error::Transport)? {
        return Ok(());
    }
    if session.spare().is_empty() {
        // There has to be room for the NUL of a new client.
        session.skip();
    }
    fill(line, session, usize::MAX).map(drop)
}

/// Receives something, at most `limit` bytes of it, or the end; and returns how much it was.
fn fill<IO: Read>(
    stream: &mut IO,
    session: &mut impl Buffers,
    limit: usize,
) -> Result<usize, Error<IO::Error>> {
    let spare = session.spare();
    let limit = limit.min(spare.len());
    let spare = spare.get_mut(..limit).unwrap_or_default();
    if spare.is_empty() {
        // A read into nothing would look like the end.
        return Err(Error::TooLong);
    }
    loop {
        match stream.read(spare) {
            Ok(count) => {
                session.received(count);
                return Ok(count);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Transport(error)),
        }
    }
}

/// Whether the peer has closed the connection, which takes nothing from what it has sent before.
fn is_closed<T: embedded_io::Error>(error: &Error<T>) -> bool {
    match error {
        Error::Transport(error) => {
            matches!(
                error.kind(),
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
            )
        }
        _ => false,
    }
}

/// Sends everything that is pending.
fn send_pending<IO: Write>(
    stream: &mut IO,
    session: &mut impl Buffers,
) -> Result<(), Error<IO::Error>> {
    if !session.pending().is_empty() {
        write(stream, session.pending())?;
        session.sent(usize::MAX);
    }
    Ok(())
}

/// Sends bytes, all of them.
fn write<IO: Write>(stream: &mut IO, mut bytes: &[u8]) -> Result<(), Error<IO::Error>> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(Error::WriteZero),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Transport(error)),
        }
    }
    stream.flush().map_err(Error::Transport)
}
