//! The error of a call.

use core::convert::Infallible;
use core::fmt;

use crate::error::{DecodeError, Error};
use crate::json::Raw;
use crate::varlink_service::ServiceError;

/// The error of a call. `E` is the type of the errors of the method's interface, and `T` the type
/// of the errors of the stream.
///
/// The error borrows from the receive buffer. To return it with `?`, convert it into an error that
/// borrows nothing:
///
/// ```
/// use nullink::client::CallError;
/// use nullink::service::{GetInterfaceDescription, ServiceError};
/// use nullink::{Client, embedded_io::{Read, Write}};
///
/// #[derive(Debug)]
/// enum Failure { NoInterface, Refused, Connection }
///
/// impl<E, T> From<CallError<'_, E, T>> for Failure {
///     fn from(error: CallError<'_, E, T>) -> Self {
///         match error {
///             CallError::Service(ServiceError::InterfaceNotFound { .. }) => Failure::NoInterface,
///             CallError::Connection(_) => Failure::Connection,
///             _ => Failure::Refused,
///         }
///     }
/// }
///
/// // `Client::queue`, `flush`, `replies` and `oneway` return this error.
/// impl<T> From<nullink::Error<T>> for Failure {
///     fn from(_: nullink::Error<T>) -> Self {
///         Failure::Connection
///     }
/// }
///
/// fn lengths(client: &mut Client<'_, impl Read + Write>) -> Result<[usize; 2], Failure> {
///     let one = client.call(&GetInterfaceDescription { interface: "org.example.one" })?;
///     let one = one.description.len();
///     let two = client.call(&GetInterfaceDescription { interface: "org.example.two" })?;
///     Ok([one, two.description.len()])
/// }
/// ```
///
/// To match errors of methods, such as `CallError::Method(disks::Error::NoSuchDisk { .. })`, write
/// one impl for each type of errors, such as `CallError<'_, disks::Error<'_>, T>`, instead of the
/// generic one.
///
/// A program with an allocator can keep the text: `.map_err(|error| error.to_string())?`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CallError<'r, E, T = Infallible> {
    /// An error of the method's interface.
    Method(E),
    /// An error of `org.varlink.service`, which any method may return.
    Service(ServiceError<'r>),
    /// An error that neither of these types has.
    Unknown {
        /// The full name of the error.
        error: &'r str,
        /// The parameters of the error.
        parameters: Raw<'r>,
    },
    /// The parameters of the reply or of the error do not match the type.
    Decode {
        /// The full name of the error; None if the reply is not an error.
        error: Option<&'r str>,
        /// The top-level field that is, or contains, the mismatch; None if it is not in a field.
        field: Option<&'r str>,
        /// The mismatch.
        why: DecodeError,
    },
    /// The call has failed without a reply.
    Connection(Error<T>),
}

impl<'r, E> CallError<'r, E> {
    /// Converts the error to that of a connection whose stream has the error type `T`.
    pub fn with_transport<T>(self) -> CallError<'r, E, T> {
        match self {
            CallError::Method(error) => CallError::Method(error),
            CallError::Service(error) => CallError::Service(error),
            CallError::Unknown { error, parameters } => CallError::Unknown { error, parameters },
            CallError::Decode { error, field, why } => CallError::Decode { error, field, why },
            CallError::Connection(error) => CallError::Connection(error.with_transport()),
        }
    }
}

impl<E, T> From<Error<T>> for CallError<'_, E, T> {
    fn from(error: Error<T>) -> Self {
        CallError::Connection(error)
    }
}

impl<E: fmt::Debug, T: fmt::Display> fmt::Display for CallError<'_, E, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Method(error) => error.fmt(f),
            CallError::Service(error) => error.fmt(f),
            CallError::Unknown { error, parameters } => {
                write!(f, "the service returned the error {error} {parameters}")
            }
            CallError::Decode { error, field, why } => {
                f.write_str(error.unwrap_or("the reply"))?;
                write!(f, " is not as expected: {why}")?;
                field.map_or(Ok(()), |field| write!(f, " in field {field}"))
            }
            CallError::Connection(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug, T: fmt::Debug + fmt::Display> core::error::Error for CallError<'_, E, T> {}
