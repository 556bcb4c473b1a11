//! A stream that leads to a service in the same program, for tests.

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, Write};

use crate::bytes::copy;
use crate::service::{Context, Service, Session, State};

/// A stream that leads to a service in the same program: what is written to it are calls, what is
/// read from it are the replies. With a [`Client`](crate::Client) over it, a service is tested without a socket.
///
/// There is no peer, there are no descriptors, and no call can be parked: it is answered with
/// `MethodNotImplemented`. For these, a test has a
/// [`Stream::pair`](crate::unix::Stream::pair): one end for the client, the other for a
/// [`Server`](crate::server::Server), whose [`step`](crate::server::Server::step)s it makes itself.
///
/// A read finds the end where another stream would wait for ever: when no call is left to be
/// answered. After an upgrade there is nothing to be read. Calls that are sent at once have to fit
/// into the service's buffer, all but the first of them.
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
    /// A connection to a service, with the service's buffers.
    pub fn new(service: S, receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Loopback {
            service,
            session: Session::new(receive, send),
        }
    }

    /// The service.
    pub fn service(&mut self) -> &mut S {
        &mut self.service
    }

    /// Handles the calls that are there, as far as there is room for the replies.
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
            // As on a socket that nobody reads from any more.
            return Ok(bytes.len());
        }
        let channel = self.session.channel();
        let count = copy(bytes, channel.spare());
        // 0 would be the end of input.
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
