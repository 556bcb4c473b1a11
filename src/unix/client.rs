//! Extensions of the client: connecting, and calls with file descriptors.

use rustix::fd::BorrowedFd;

use super::error::IoError;
use super::receive::Reading;
use super::stream::Stream;
use super::time::Timeouts;
use crate::client::{CallError, CallResult, Client, Replies, ignore_closed};
use crate::error;
use crate::io::fill_by;
use crate::json::Raw;
use crate::message::{Mode, Reply};
use crate::method::Method;
use crate::peer::Descriptor;

impl<'b> Client<'b, Stream> {
    /// Connects to a service at a path or an address: see [`Stream::connect`].
    ///
    /// [`Client::new`] describes the sizes of the buffers. To change timeouts later, call
    /// [`Stream::set_timeouts`] on [`stream`](Self::stream).
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
    pub fn connect(
        address: &str,
        receive: &'b mut [u8],
        send: &'b mut [u8],
    ) -> Result<Self, IoError> {
        Ok(Client::new(Stream::connect(address)?, receive, send))
    }

    /// Like [`connect`](Self::connect), with timeouts: see [`Timeouts`] for an example.
    ///
    /// # Errors
    ///
    /// Returns the error of [`Stream::connect_with`].
    pub fn connect_with(
        address: &str,
        timeouts: Timeouts,
        receive: &'b mut [u8],
        send: &'b mut [u8],
    ) -> Result<Self, IoError> {
        let stream = Stream::connect_with(address, timeouts)?;
        Ok(Client::new(stream, receive, send))
    }
}

impl Client<'_, Stream> {
    /// Calls a method with file descriptors, and takes the descriptors of the reply.
    ///
    /// Parameters refer to descriptors by index, from 0. Those of the call are the entries of
    /// `send`, and those of the reply the entries of `received`. A reply may have as many
    /// descriptors as `received` has entries. Unused entries are None. The caller must check that
    /// the reply has the descriptors that its parameters refer to.
    ///
    /// # Errors
    ///
    /// Like [`call`](Self::call), [`send_with`](Self::send_with) and
    /// [`receive_with`](Self::receive_with). Sends nothing if replies to earlier calls are
    /// outstanding.
    ///
    /// ```no_run
    /// use nullink::{Method, NoError};
    /// use nullink::unix::Stream;
    /// use nullink::unix::fd::{BorrowedFd, OwnedFd};
    /// use nullink::Client;
    /// use serde::{Deserialize, Serialize};
    ///
    /// /// Converts the content of a file, and returns a descriptor of the result.
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
        self.expect_none_outstanding()?;
        ignore_closed(self.send_with(method, Mode::Simple, send))?;
        self.receive_with::<M>(received)
    }

    /// Sends a call of any mode with file descriptors, after all queued calls.
    ///
    /// # Errors
    ///
    /// Returns [`IoError::TooManyDescriptors`] or [`IoError::NotAUnixSocket`] before anything is
    /// sent. Otherwise like [`queue`](Self::queue). Also fails if the stream fails.
    pub fn send_with<M: Method>(
        &mut self,
        method: &M,
        mode: Mode,
        send: &[BorrowedFd<'_>],
    ) -> Result<(), error::Error<IoError>> {
        self.send_written(send, |client| client.queue(method, mode))
    }

    /// Like `send_with`, with the full name of the method, and parameters that are already JSON.
    /// [`receive_raw_with`](Self::receive_raw_with) returns the replies.
    ///
    /// # Errors
    ///
    /// Like [`send_with`](Self::send_with). Also fails if `method` is not the full name of a method.
    pub fn send_raw_with(
        &mut self,
        method: &str,
        mode: Mode,
        parameters: Raw<'_>,
        send: &[BorrowedFd<'_>],
    ) -> Result<(), error::Error<IoError>> {
        self.send_written(send, |client| client.queue_raw(method, mode, parameters))
    }

    /// Sends the call that `write` queues, with file descriptors.
    fn send_written(
        &mut self,
        send: &[BorrowedFd<'_>],
        write: impl FnOnce(&mut Self) -> Result<(), error::Error<IoError>>,
    ) -> Result<(), error::Error<IoError>> {
        // Checked first, because a call that was written cannot be removed.
        let checked = self.stream().check_attachable(send);
        checked.map_err(error::Error::Transport)?;
        // Descriptors are sent with the first pending byte, which must be that of this call.
        self.flush()?;
        write(self)?;
        self.send_by(|stream, channel| {
            let sent = stream.write_with(channel.pending(), send);
            channel.sent(sent.map_err(error::Error::Transport)?);
            Ok(())
        })?;
        self.flush()
    }

    /// Waits for the reply to the oldest outstanding call, and takes its descriptors.
    ///
    /// Over a Unix socket, the reply to an [upgrade](Self::upgrade) is not read byte by byte, but
    /// with [`Reading::Message`].
    ///
    /// # Errors
    ///
    /// Like [`receive`](Self::receive) and [`receive_raw_with`](Self::receive_raw_with).
    pub fn receive_with<M: Method>(
        &mut self,
        received: &mut [Option<Descriptor>],
    ) -> CallResult<'_, M, Stream> {
        self.expect_one_reply()?;
        self.receive_raw_with(received)?
            .into_result::<M>()
            .map_err(CallError::with_transport)
    }

    /// Waits for the next reply to the oldest outstanding call, and takes its descriptors. If the
    /// call has asked for `more`, other replies follow while [`Reply::continues`].
    ///
    /// A reply with descriptors must not be read in advance, together with an earlier one. If
    /// several replies can be under way, call [`Stream::set_reading`] with [`Reading::Message`]
    /// before the first is received.
    ///
    /// # Errors
    ///
    /// Like [`receive_raw`](Self::receive_raw). Returns [`IoError::Descriptors`] if the reply has
    /// more descriptors than `received` has entries, or if descriptors were not sent with its first
    /// byte. All of them are closed, and the connection is over.
    pub fn receive_raw_with(
        &mut self,
        received: &mut [Option<Descriptor>],
    ) -> Result<Reply<'_>, error::Error<IoError>> {
        received.fill_with(|| None);
        let (reading, chunk) = if self.stream().carries_descriptors() {
            (Reading::Message, usize::MAX)
        } else {
            (Reading::All, self.chunk()?)
        };
        let mut entries = received.iter_mut();
        let mut take = |descriptor| {
            let entry = entries.next();
            entry.map(|entry| *entry = Some(descriptor)).is_some()
        };
        let reply = self.receive_by(|stream, channel| {
            fill_by(channel, chunk, |spare| {
                stream.read_with(reading, spare, Some(&mut take))
            })
        });
        reply.inspect_err(|_| received.fill_with(|| None))
    }
}

impl<M: Method> Replies<'_, '_, Stream, M> {
    /// Waits for the next reply, and takes its descriptors. Receive all replies of the stream with
    /// this method: [`next`](Self::next) reads as many replies as are available, and refuses
    /// descriptors.
    ///
    /// # Errors
    ///
    /// Like [`next`](Self::next) and [`Client::receive_raw_with`].
    ///
    /// ```no_run
    /// # use nullink::{Client, Method, NoError, unix::Stream};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize)] struct ListFiles {}
    /// # #[derive(Deserialize)] struct File { file: usize }
    /// # impl Method for ListFiles {
    /// #     const NAME: &'static str = "org.example.files.ListFiles";
    /// #     type Output<'r> = File;
    /// #     type Error<'r> = NoError;
    /// # }
    /// # fn list(client: &mut Client<'_, Stream>) -> Result<(), String> {
    /// let mut replies = client.more(&ListFiles {}).map_err(|error| error.to_string())?;
    /// let mut files = [None];
    /// while let Some(reply) = replies.next_with(&mut files).map_err(|error| error.to_string())? {
    ///     let file = files.get_mut(reply.file).and_then(Option::take);
    ///     // ...
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_with(
        &mut self,
        received: &mut [Option<Descriptor>],
    ) -> CallResult<'_, M, Stream, Option<M::Output<'_>>> {
        self.next_by(|client| client.receive_raw_with(received))
    }
}
