//! Calls with file descriptors: UAPI.20, "Passing File Descriptors".

use rustix::fd::BorrowedFd;

use super::DESCRIPTORS_MAX;
use super::error::Error;
use super::receive::{Reading, Take};
use super::socket::Kind;
use super::stream::Stream;
use crate::client::{CallError, CallResult, Client, read_reply};
use crate::error;
use crate::message::Mode;
use crate::method::{Method, full_name};
use crate::peer::Descriptor;

impl Client<'_, Stream> {
    /// Calls a method with file descriptors, and takes those that come with the reply.
    ///
    /// Parameters refer to them by their index: the first of `send` is 0 for the service, the
    /// first of the reply's is `received[0]`. The reply may bring as many as `received` has room
    /// for; those that it does not bring are None. It is for the caller to look whether they are
    /// as many as the reply says.
    ///
    /// No other call takes descriptors. Where they come uninvited, the connection is over.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call). Nothing is sent if earlier calls have replies outstanding, or if
    /// the descriptors can't be: [`Error::TooManyDescriptors`], [`Error::NotAUnixSocket`].
    /// [`Error::Descriptors`], if the reply brings more of them than there is room for, or not with
    /// its first byte: all are closed, and the connection is over.
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
        let (stream, session) = self.parts();
        // Before anything is written, because nothing can be taken back.
        if !send.is_empty() && stream.kind() != Kind::Unix {
            return Err(error::Error::Transport(Error::NotAUnixSocket).into());
        }
        if send.len() > DESCRIPTORS_MAX {
            return Err(error::Error::Transport(Error::TooManyDescriptors).into());
        }
        if session.next_mode().map_err(error::Error::Misuse)?.is_none() {
            // Calls that nobody replies to may be waiting to be sent. Descriptors go with the
            // first byte of what is sent.
            self.flush()?;
        }
        self.begin(full_name::<M>(), Mode::Simple, method)?;
        let done = self.exchange(send, received);
        done.inspect_err(|_| received.fill_with(|| None))?;
        let reply = self.parts().1.receive().map_err(error::Error::over);
        let reply = reply.inspect_err(|_| received.fill_with(|| None))?;
        read_reply::<M>(reply).map_err(CallError::over)
    }

    /// Sends the call that is written, and waits for its reply.
    fn exchange(
        &mut self,
        send: &[BorrowedFd<'_>],
        received: &mut [Option<Descriptor>],
    ) -> Result<(), error::Error<Error>> {
        let (stream, session) = self.parts();
        match stream.write_with(session.pending(), send) {
            Ok(count) => session.sent(count),
            // What has come from the service before may say why.
            Err(Error::Closed) => session.fail_to_send(),
            Err(error) => {
                session.fail();
                return Err(error::Error::Transport(error));
            }
        }
        match self.flush() {
            Err(error::Error::Transport(Error::Closed)) => {}
            sent => sent?,
        }
        let (stream, session) = self.parts();
        let before = stream.set_reading(Reading::ToEachMessage);
        let mut slots = received.iter_mut();
        let mut take = |descriptor| match slots.next() {
            Some(slot) => {
                *slot = Some(descriptor);
                true
            }
            None => false,
        };
        let done = loop {
            match session.ready() {
                Ok(true) => break Ok(()),
                Ok(false) => {}
                Err(error) => break Err(error.over()),
            }
            if session.spare().is_empty() {
                break Err(error::Error::TooLong);
            }
            match stream.read_with(session.spare(), Some(&mut take as Take<'_>)) {
                Ok(count) => session.received(count),
                Err(error) => {
                    session.fail();
                    break Err(error::Error::Transport(error));
                }
            }
        };
        stream.set_reading(before);
        done
    }
}
