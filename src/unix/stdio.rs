//! The standard streams of a process as one connection.

use std::io::{stdin, stdout};
use std::os::fd::AsFd;

use super::error::IoError;
use super::stream::Stream;
use crate::duplex::Duplex;

impl Duplex<Stream, Stream> {
    /// Makes a connection of standard input and standard output, as `ssh host program`, inetd and
    /// `SYSTEMD_VARLINK_LISTEN=-` use them.
    ///
    /// The streams can be pipes, sockets or terminals. Standard output then belongs to the
    /// connection: print messages to standard error. A write to a pipe without a reader raises
    /// `SIGPIPE`, which programs with std ignore.
    ///
    /// # Errors
    ///
    /// Fails if a stream is closed, or if there are too many open descriptors.
    ///
    /// ```no_run
    /// # use nullink::service::{Answer, Info, Refusal, Responder, Service};
    /// # use nullink::{Call, Interface};
    /// # struct Pinger;
    /// # impl Service for Pinger {
    /// #     const INTERFACES: &'static [Interface] = &[];
    /// #     fn info(&self) -> Info<'_> { Info::default() }
    /// #     fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Answer<'c> {
    /// #         Err(Refusal::MethodNotFound)
    /// #     }
    /// # }
    /// use nullink::{Duplex, serve};
    ///
    /// serve(&mut Pinger, Duplex::stdio()?, &mut [0; 4096], &mut [0; 8192])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stdio() -> Result<Self, IoError> {
        let stream = |fd: std::os::fd::BorrowedFd<'_>| {
            let owned = rustix::io::fcntl_dupfd_cloexec(fd, 0);
            owned.map(Stream::from).map_err(IoError::from_errno)
        };
        Ok(Duplex {
            reader: stream(stdin().as_fd())?,
            writer: stream(stdout().as_fd())?,
        })
    }
}
