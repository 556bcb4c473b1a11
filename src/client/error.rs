//! Why a call has failed.

use core::convert::Infallible;
use core::fmt;

use crate::error::{DecodeError, Error};
use crate::json::Raw;
use crate::varlink_service::ServiceError;

/// Why a call has failed. `E` are the errors of the method's interface, `T` is the error of the
/// stream below.
///
/// What it names is borrowed from the receive buffer. So `?` needs an error type that keeps what
/// it wants to know:
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
///             // (Or one of the method's own: `CallError::Method(disks::Error::NoSuchDisk { .. })`,
///             // in an impl for `CallError<'_, disks::Error<'_>, T>`.)
///             CallError::Service(ServiceError::InterfaceNotFound { .. }) => Failure::NoInterface,
///             CallError::Connection(_) => Failure::Connection,
///             _ => Failure::Refused,
///         }
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
/// A program with an allocator can keep the message: `.map_err(|error| error.to_string())?`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CallError<'r, E, T = Infallible> {
    /// An error of the method's own interface.
    Method(E),
    /// One of the errors that any method may answer with.
    Service(ServiceError<'r>),
    /// An error that neither type knows.
    Unknown {
        /// Its full name.
        error: &'r str,
        /// Its parameters.
        parameters: Raw<'r>,
    },
    /// The reply's parameters, or those of the error that is named, are not what the type says.
    Decode {
        /// The full name of the error, if the reply is one.
        error: Option<&'r str>,
        /// The top-level field that is, or contains, the cause; None if it is none.
        field: Option<&'r str>,
        /// How they differ.
        why: DecodeError,
    },
    /// There is no reply.
    Connection(Error<T>),
}

impl<'r, E> CallError<'r, E> {
    /// This error, of a connection over a stream whose errors are `T`.
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
                write!(f, "the service answers with the error {error} {parameters}")
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
