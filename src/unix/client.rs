//! A client on a Unix socket: connecting, and calls with file descriptors.

use rustix::fd::BorrowedFd;

use super::error::IoError;
use super::receive::Reading;
use super::stream::Stream;
use crate::client::{CallError, CallResult, Client, unless_closed};
use crate::error;
use crate::io::fill_by;
use crate::message::{Mode, Reply};
use crate::method::Method;
use crate::peer::Descriptor;

impl<'b> Client<'b, Stream> {
    /// Connects to a service at a path, or at an address: see [`Stream::connect`].
    ///
    /// For the sizes of the buffers see [`Client::new`]. A timeout is set with
    /// [`Stream::set_timeouts`] on [`stream`](Self::stream), or by
    /// [`Stream::connect_to`], which limits connecting as well.
    ///
    /// # Errors
    ///
    /// Returns the error of [`Stream::connect`].
    ///
    /// ```no_run
    /// use nullink::Client;
    ///
    /// let (mut receive, mut send) = ([0; 4096], [0; 4096]);
    /// let client = Client::connect("/run/org.example.ftl", &mut receive, &mut send)?;
    /// # Ok::<(), nullink::unix::IoError>(())
    /// ```
    pub fn connect(path: &str, receive: &'b mut [u8], send: &'b mut [u8]) -> Result<Self, IoError> {
        Ok(Client::new(Stream::connect(path)?, receive, send))
    }
}

impl Client<'_, Stream> {
    /// Calls a method with file descriptors, and takes those that come with the reply.
    ///
    /// Parameters refer to descriptors by their index: the first of `send` is 0 for the service, the
    /// first of the reply is `received[0]`. The reply may bring as many as `received` has room for;
    /// the rest of it is None. The caller checks that they are as many as the reply says.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), [`send_with`](Self::send_with) and
    /// [`receive_with`](Self::receive_with). Nothing is sent while earlier calls have replies
    /// outstanding.
    ///
    /// ```no_run
    /// use nullink::{Method, NoError};
    /// use nullink::unix::Stream;
    /// use nullink::unix::fd::{BorrowedFd, OwnedFd};
    /// use nullink::Client;
    /// use serde::{Deserialize, Serialize};
    ///
    /// /// Reads the one descriptor, and writes what it has made of it to another.
    /// #[derive(Serialize)]
    /// struct Convert { from: usize }
    ///
    /// #[derive(Deserialize)]
    /// struct Converted { to: usize }
    ///
    /// impl Method for Convert {
    ///     const NAME: &'static str = "org.example.converter.Convert";
    ///     type Output<'r> = Converted;
    ///     type Error<'r> = NoError;
    /// }
    ///
    /// fn convert(client: &mut Client<'_, Stream>, file: BorrowedFd<'_>) -> Option<OwnedFd> {
    ///     let mut received = [None];
    ///     let reply = client.call_with(&Convert { from: 0 }, &[file], &mut received).ok()?;
    ///     received.get_mut(reply.to)?.take()
    /// }
    /// ```
    pub fn call_with<M: Method>(
        &mut self,
        method: &M,
        send: &[BorrowedFd<'_>],
        received: &mut [Option<Descriptor>],
    ) -> CallResult<'_, M, Stream> {
        received.fill_with(|| None);
        self.expect_nothing()?;
        unless_closed(self.send_with(method, Mode::Simple, send))?;
        self.receive_with::<M>(received)
    }

    /// Sends a call of any mode with file descriptors, after all that is queued.
    ///
    /// # Errors
    ///
    /// [`IoError::TooManyDescriptors`] and [`IoError::NotAUnixSocket`], when nothing is sent. As
    /// [`queue`](Self::queue), and if the stream fails.
    pub fn send_with<M: Method>(
        &mut self,
        method: &M,
        mode: Mode,
        send: &[BorrowedFd<'_>],
    ) -> Result<(), error::Error<IoError>> {
        // Before anything is written, because nothing can be taken back.
        let attachable = self.stream().can_attach(send);
        attachable.map_err(error::Error::Transport)?;
        // Descriptors go with the first byte of what is sent.
        self.flush()?;
        self.queue(method, mode)?;
        self.send_by(|stream, channel| {
            let sent = stream.write_with(channel.pending(), send);
            channel.sent(sent.map_err(error::Error::Transport)?);
            Ok(())
        })?;
        self.flush()
    }

    /// Waits for the reply to the queued call that is next, and takes the descriptors that come with
    /// it.
    ///
    /// Over a Unix socket the reply to an [upgrade](Self::upgrade) is not read byte by byte here.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive) and [`receive_raw_with`](Self::receive_raw_with).
    pub fn receive_with<M: Method>(
        &mut self,
        received: &mut [Option<Descriptor>],
    ) -> CallResult<'_, M, Stream> {
        self.expect_one_reply()?;
        self.receive_raw_with(received)?
            .into_result::<M>()
            .map_err(CallError::with_transport)
    }

    /// Waits for the next reply, and takes the descriptors that come with it: to a call that asked
    /// for `more`, others follow while [`Reply::continues`].
    ///
    /// A reply can be read in advance only if it brings no descriptors. So where several replies can
    /// be under way, [`Reading::Message`] is set before the first is received.
    ///
    /// # Errors
    ///
    /// As [`receive_raw`](Self::receive_raw). [`IoError::Descriptors`], if the reply brings more than
    /// there is room for, or not with its first byte: all are closed, and the connection is over.
    pub fn receive_raw_with(
        &mut self,
        received: &mut [Option<Descriptor>],
    ) -> Result<Reply<'_>, error::Error<IoError>> {
        received.fill_with(|| None);
        if !self.stream().carries_descriptors() {
            return self.receive_raw();
        }
        let mut places = received.iter_mut();
        let mut take = |descriptor| {
            let place = places.next();
            place.map(|place| *place = Some(descriptor)).is_some()
        };
        let reply = self.receive_by(|stream, channel| {
            fill_by(channel, usize::MAX, |spare| {
                stream.read_with(Reading::Message, spare, Some(&mut take))
            })
        });
        reply.inspect_err(|_| received.fill_with(|| None))
    }
}
