//! A stream to a service in the same program, for tests.

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, Write};

use crate::bytes::copy;
use crate::service::{Context, Service, Session, State};

/// A stream to a service in the same program. A [`Client`](crate::Client) over it tests the service
/// without a socket.
///
/// A write passes calls to the service, and a read returns its replies. If no reply is left, a read
/// returns the end of input instead of waiting, also after an upgrade. If the client sends several
/// calls before it reads a reply, all except the first must fit into the service's receive buffer.
///
/// Calls have no peer and no descriptors, and cannot be parked: the service answers with
/// `MethodNotImplemented` instead. A test that needs these uses a
/// [`Stream::pair`](crate::unix::Stream::pair), with the client on one end and a
/// [`Server`](crate::server::Server) on the other:
/// [`Server::settle`](crate::server::Server::settle) has an example. Streams of replies work here.
///
/// ```
/// use nullink::client::CallError;
/// use nullink::Loopback;
/// use nullink::service::{GetInterfaceDescription, ServiceError};
/// # use nullink::service::{Answer, Info, Refusal, Responder, Service};
/// # use nullink::{Call, Client, Interface};
/// # struct Nothing;
/// # impl Service for Nothing {
/// #     const INTERFACES: &'static [Interface] = &[];
/// #     fn info(&self) -> Info<'_> { Info { vendor: "Example", ..Info::default() } }
/// #     fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Answer<'c> {
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
pub struct Loopback<'b, S, C = Infallible> {
    service: S,
    session: Session<'b, C>,
}

impl<'b, S: Service<C>, C: Copy> Loopback<'b, S, C> {
    /// Creates a connection to a service. The buffers are those of its [`Session`].
    pub fn new(service: S, receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Loopback {
            service,
            session: Session::new(receive, send),
        }
    }

    /// Returns the service.
    pub fn service(&mut self) -> &mut S {
        &mut self.service
    }

    /// Handles the received calls while there is room for their replies.
    fn run(&mut self) {
        while self.session.step_in(&mut self.service, Context::default()) {}
    }
}

impl<S, C> ErrorType for Loopback<'_, S, C> {
    type Error = Infallible;
}

impl<S: Service<C>, C: Copy> Read for Loopback<'_, S, C> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        self.run();
        let channel = self.session.channel();
        let count = copy(channel.pending(), buffer);
        channel.sent(count);
        Ok(count)
    }
}

impl<S: Service<C>, C: Copy> Write for Loopback<'_, S, C> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.run();
        if matches!(self.session.state(), State::Ended(_)) {
            // Discarded, like bytes that are sent to a process that no longer reads.
            return Ok(bytes.len());
        }
        let channel = self.session.channel();
        let count = copy(bytes, channel.spare());
        // A count of 0 would be the end of input.
        if count > 0 {
            channel.received(count);
        }
        self.run();
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
