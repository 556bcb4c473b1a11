//! The error of a call.

use core::convert::Infallible;
use core::fmt::{self, Write};

use heapless::String;

use crate::error::{DecodeError, Error};
use crate::json::Raw;
use crate::varlink_service::ServiceError;

/// The error of a call. `E` is the type of the errors of the method's interface, and `T` the type
/// of the errors of the stream.
///
/// The error borrows names from the receive buffer. So `?` alone does not convert it into
/// `Box<dyn Error>`: the compiler then reports E0515 or E0499 at the client. [`forget`](Self::forget)
/// keeps the text and drops the borrowed names:
///
/// ```
/// use nullink::service::{GetInfo, GetInterfaceDescription};
/// use nullink::{CallError, Client, embedded_io::{Read, Write}};
///
/// fn length(client: &mut Client<'_, impl Read + Write>) -> Result<usize, Box<dyn std::error::Error>> {
///     client.call(&GetInfo).map_err(CallError::forget)?;
///     let ftl = GetInterfaceDescription { interface: "org.example.ftl" };
///     Ok(client.call(&ftl).map_err(CallError::forget)?.description.len())
/// }
/// ```
///
/// A function that returns [`CallFailure`], or another type that implements `From<CallError>`, needs
/// only `?`. This type keeps the difference between errors:
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

impl<E: fmt::Debug, T: fmt::Display> CallError<'_, E, T> {
    /// Converts the error to one that borrows nothing. It keeps the text alone.
    pub fn forget(self) -> CallFailure {
        CallFailure::new(&self)
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

/// The text of a [`CallError`]. It borrows nothing, and is one type for all methods and streams.
///
/// A text that is longer than 126 bytes is cut, and ends with `...`. `Debug` writes the text like
/// `Display`, because Rust prints the error of `main` with `Debug`.
///
/// ```
/// use nullink::client::CallFailure;
/// use nullink::service::GetInfo;
/// use nullink::{Client, embedded_io::{Read, Write}};
///
/// fn check(client: &mut Client<'_, impl Read + Write>) -> Result<(), CallFailure> {
///     client.call(&GetInfo)?;
///     Ok(client.oneway(&GetInfo)?)
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CallFailure(String<MAX_TEXT, u8>);

/// The longest text in bytes. Clippy warns about functions that return an error of 128 bytes.
const MAX_TEXT: usize = 126;

/// The end of a text that was cut.
const CUT: &str = "...";

impl CallFailure {
    fn new(error: &dyn fmt::Display) -> Self {
        let mut text = String::new();
        if write!(Prefix(&mut text), "{error}").is_err() {
            while text.len() > MAX_TEXT.saturating_sub(CUT.len()) {
                text.pop();
            }
            let _ = text.push_str(CUT);
        }
        CallFailure(text)
    }
}

/// Writes the characters that fit, where `String` would reject the whole text.
struct Prefix<'a>(&'a mut String<MAX_TEXT, u8>);

impl Write for Prefix<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut characters = text.chars();
        characters.try_for_each(|character| self.0.push(character).map_err(|_| fmt::Error))
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for CallFailure {}

impl<E: fmt::Debug, T: fmt::Display> From<CallError<'_, E, T>> for CallFailure {
    fn from(error: CallError<'_, E, T>) -> Self {
        error.forget()
    }
}

impl<T: fmt::Display> From<Error<T>> for CallFailure {
    fn from(error: Error<T>) -> Self {
        CallFailure::new(&error)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_character_boundary() {
        for before in 0..4 {
            for length in 110..140 {
                let text =
                    "x".repeat(before) + &"\u{20ac}".repeat(length / 3) + &"y".repeat(length % 3);
                let failure = CallFailure::new(&text).to_string();
                if text.len() <= MAX_TEXT {
                    assert_eq!(failure, text);
                } else {
                    let kept = failure.strip_suffix(CUT).unwrap();
                    assert!(text.starts_with(kept));
                    assert!(
                        (MAX_TEXT - CUT.len() - 2..=MAX_TEXT - CUT.len()).contains(&kept.len())
                    );
                }
            }
        }
    }
}
