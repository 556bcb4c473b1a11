//! Calls with file descriptors: UAPI.20, "Passing File Descriptors".

use rustix::fd::BorrowedFd;

use super::error::Error;
use super::receive::{Reading, Take};
use super::stream::Stream;
use crate::client::{CallError, CallResult, Client, read_reply};
use crate::error;
use crate::message::{Mode, Reply};
use crate::method::Method;
use crate::peer::Descriptor;

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
    /// use nullink::client::{Method, NoError};
    /// use nullink::unix::{BorrowedFd, OwnedFd, Stream};
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
        if self
            .parts()
            .1
            .next_mode()
            .map_err(error::Error::Misuse)?
            .is_some()
        {
            let outstanding = error::Misuse::RepliesOutstanding;
            return Err(error::Error::Misuse(outstanding).into());
        }
        match self.send_with(method, Mode::Simple, send) {
            // What the service has sent before may say why.
            Err(error::Error::Transport(Error::Closed)) => {}
            sent => sent?,
        }
        self.receive_with::<M>(received)
    }

    /// Sends a call of any mode with file descriptors, after all that is queued.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyDescriptors`] and [`Error::NotAUnixSocket`], when nothing is sent. As
    /// [`queue`](Self::queue), and if the stream fails.
    pub fn send_with<M: Method>(
        &mut self,
        method: &M,
        mode: Mode,
        send: &[BorrowedFd<'_>],
    ) -> Result<(), error::Error<Error>> {
        // Before anything is written, because nothing can be taken back.
        let attachable = self.parts().0.can_attach(send);
        attachable.map_err(error::Error::Transport)?;
        // Descriptors go with the first byte of what is sent.
        self.flush()?;
        self.queue(method, mode)?;
        let (stream, session) = self.parts();
        match stream.write_with(session.channel().pending(), send) {
            Ok(count) => session.channel().sent(count),
            Err(error) => {
                if error == Error::Closed {
                    session.fail_to_send();
                } else {
                    session.fail();
                }
                return Err(error::Error::Transport(error));
            }
        }
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
        if self.parts().1.next_mode().map_err(error::Error::Misuse)? == Some(Mode::More) {
            return Err(error::Error::Misuse(error::Misuse::OtherMode).into());
        }
        read_reply::<M>(self.receive_raw_with(received)?).map_err(CallError::over)
    }

    /// Waits for the next reply, and takes the descriptors that come with it: to a call that asked
    /// for `more`, others follow while [`Reply::continues`].
    ///
    /// A reply can be read in advance only if it brings no descriptors. So where several replies can
    /// be under way, [`Reading::Message`] is set before the first is received.
    ///
    /// # Errors
    ///
    /// As [`receive_raw`](Self::receive_raw). [`Error::Descriptors`], if the reply brings more than
    /// there is room for, or not with its first byte: all are closed, and the connection is over.
    pub fn receive_raw_with(
        &mut self,
        received: &mut [Option<Descriptor>],
    ) -> Result<Reply<'_>, error::Error<Error>> {
        received.fill_with(|| None);
        if !self.parts().0.carries_descriptors() {
            return self.receive_raw();
        }
        match self.flush() {
            Err(error::Error::Transport(Error::Closed)) => {}
            sent => sent?,
        }
        let before = self.parts().0.reading();
        self.parts().0.set_reading(Reading::Message);
        let done = self.fill_with(received);
        self.parts().0.set_reading(before);
        let reply = done.and_then(|()| self.parts().1.receive().map_err(error::Error::over));
        reply.inspect_err(|_| received.fill_with(|| None))
    }

    /// Reads until the next reply is there.
    fn fill_with(
        &mut self,
        received: &mut [Option<Descriptor>],
    ) -> Result<(), error::Error<Error>> {
        let (stream, session) = self.parts();
        if session.next_mode()?.is_none() {
            return Err(error::Misuse::NothingOutstanding.into());
        }
        let mut slots = received.iter_mut();
        let mut take = |descriptor| match slots.next() {
            Some(slot) => {
                *slot = Some(descriptor);
                true
            }
            None => false,
        };
        loop {
            if session.ready().map_err(error::Error::over)? {
                return Ok(());
            }
            if session.channel().spare().is_empty() {
                return Err(error::Error::TooLong);
            }
            match stream.read_with(session.channel().spare(), Some(&mut take as Take<'_>)) {
                Ok(count) => session.channel().received(count),
                Err(error) => {
                    session.fail();
                    return Err(error::Error::Transport(error));
                }
            }
        }
    }
}
