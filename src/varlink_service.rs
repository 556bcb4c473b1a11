//! The types of `org.varlink.service`, for services, clients and relays: UAPI.20, "The
//! `org.varlink.service` Interface".

use core::fmt;
use core::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{DecodeError, EncodeError, FieldName, Mismatch};
use crate::idl::Interface;
use crate::json::{Value, unescape};
use crate::message::Envelope;
use crate::method::{Method, NoError};
use crate::name;

/// The interface that every service has.
pub(crate) const SERVICE: Interface = crate::interface!("org.varlink.service.varlink");

/// Asks a service for its vendor, product, version, URL and interfaces.
///
/// The list of interfaces may have any length, so the reply is decoded piece by piece:
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use nullink::service::GetInfo;
///
/// let (mut receive, mut send) = ([0; 4096], [0; 256]);
/// # #[cfg(all(feature = "unix", target_os = "linux"))] {
/// # use nullink::{Client, unix};
/// let stream = unix::Stream::connect("/run/org.example.ftl")?;
/// let mut client = Client::new(stream, &mut receive, &mut send);
/// let info = client.call(&GetInfo).map_err(|error| error.to_string())?;
/// for value in info.items()? {
///     match value.key() {
///         name @ ("vendor" | "product") => println!("{name}: {}", value.decode::<&str>()?),
///         "interfaces" => {
///             for interface in value.items()? {
///                 println!("  {}", interface.decode::<&str>()?);
///             }
///         }
///         _ => {}
///     }
/// }
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GetInfo;

impl Method for GetInfo {
    const NAME: &'static str = "org.varlink.service.GetInfo";
    type Output<'r> = Value<'r>;
    type Error<'r> = NoError;
}

/// Asks a service for the definition of one of its interfaces.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GetInterfaceDescription<'a> {
    /// The name of the interface.
    pub interface: &'a str,
}

impl Method for GetInterfaceDescription<'_> {
    const NAME: &'static str = "org.varlink.service.GetInterfaceDescription";
    type Output<'r> = Description<'r>;
    type Error<'r> = NoError;
}

/// The definition of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description<'a> {
    /// The text of the definition, with its comments.
    pub description: &'a str,
}

/// The standard errors, those of `org.varlink.service`, which every method of every interface may
/// return: UAPI.20, "The `org.varlink.service` Interface".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceError<'a> {
    /// The service does not have this interface.
    InterfaceNotFound {
        /// The name of the interface.
        interface: &'a str,
    },
    /// The interface does not define this method.
    MethodNotFound {
        /// The full name of the method.
        method: &'a str,
    },
    /// The interface defines this method, but the service does not implement it.
    MethodNotImplemented {
        /// The full name of the method.
        method: &'a str,
    },
    /// A parameter is missing, unknown, of another type, or has a value that is not allowed.
    InvalidParameter {
        /// The name of the top-level field that is or contains the parameter.
        parameter: &'a str,
    },
    /// The caller is not allowed to make this call.
    PermissionDenied,
    /// The method must be called with `more`.
    ExpectedMore,
    /// The method must be called with `upgrade`.
    ExpectedUpgrade,
}

impl fmt::Display for ServiceError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServiceError::InterfaceNotFound { interface } => {
                write!(f, "the service has no interface {interface}")
            }
            ServiceError::MethodNotFound { method } => write!(f, "there is no method {method}"),
            ServiceError::MethodNotImplemented { method } => {
                write!(f, "the service does not implement {method}")
            }
            ServiceError::InvalidParameter { parameter } => {
                write!(f, "the parameter {parameter} is not valid")
            }
            ServiceError::PermissionDenied => f.write_str("permission denied"),
            ServiceError::ExpectedMore => f.write_str("the method must be called with more"),
            ServiceError::ExpectedUpgrade => f.write_str("the method must be called with upgrade"),
        }
    }
}

impl core::error::Error for ServiceError<'_> {}

impl ServiceError<'_> {
    /// Writes the message with this error. Returns its length.
    pub(crate) fn write(&self, room: &mut [u8]) -> Result<usize, EncodeError> {
        let interface = SERVICE.name();
        Envelope::Error { interface }.write(room, &|writer| writer.value(self))
    }
}

/// The reason why a service or a relay refuses a call. It is answered with the standard error of
/// the same name, which also contains the name of the interface, the method or the parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The service does not have the interface.
    InterfaceNotFound,
    /// The interface does not define the method.
    MethodNotFound,
    /// The interface defines the method, but the service does not implement it.
    MethodNotImplemented,
    /// A parameter is missing, unknown, of another type, or has a value that is not allowed.
    InvalidParameter(Parameter),
    /// The caller is not allowed to make this call.
    PermissionDenied,
    /// The method must be called with `more`.
    ExpectedMore,
    /// The method must be called with `upgrade`.
    ExpectedUpgrade,
    /// The answer could not be written. No standard error is sent, and the connection ends.
    Unsent(EncodeError),
}

impl Refusal {
    /// Creates the refusal of a parameter whose value is not allowed.
    ///
    /// ```
    /// # use nullink::service::Refusal;
    /// fn check(n: i64) -> Result<(), Refusal> {
    ///     if n < 0 { Err(Refusal::invalid_parameter("n")) } else { Ok(()) }
    /// }
    /// ```
    pub const fn invalid_parameter(name: &'static str) -> Self {
        Refusal::InvalidParameter(Parameter::named(name))
    }

    /// Returns the standard error for a call. `message` is the call after decoding, and `name` the
    /// range of the method's name in it. `name` is None if the call is no longer in the buffer.
    ///
    /// # Errors
    ///
    /// Fails if the refusal is [`Refusal::Unsent`], or if the error needs a name and there is none.
    pub(crate) fn error(
        self,
        message: &[u8],
        name: Option<Range<usize>>,
    ) -> Result<ServiceError<'_>, EncodeError> {
        let method = name.and_then(|name| message.get(name)).map(str::from_utf8);
        let method = method.and_then(Result::ok).ok_or(EncodeError::Name);
        Ok(match self {
            Refusal::InterfaceNotFound => {
                let method = method?;
                let parts = name::split_at_dot(method.as_bytes());
                let length = parts.map_or(0, |(interface, _)| interface.len());
                ServiceError::InterfaceNotFound {
                    interface: method.get(..length).unwrap_or_default(),
                }
            }
            Refusal::MethodNotFound => ServiceError::MethodNotFound { method: method? },
            Refusal::MethodNotImplemented => ServiceError::MethodNotImplemented { method: method? },
            Refusal::InvalidParameter(parameter) => ServiceError::InvalidParameter {
                parameter: parameter.name_in(message),
            },
            Refusal::PermissionDenied => ServiceError::PermissionDenied,
            Refusal::ExpectedMore => ServiceError::ExpectedMore,
            Refusal::ExpectedUpgrade => ServiceError::ExpectedUpgrade,
            Refusal::Unsent(why) => return Err(why),
        })
    }
}

/// The parameter that a [`Refusal`] refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter(FieldName);

impl Parameter {
    /// The parameters as a whole, for a fault that does not belong to one of them.
    pub(crate) const WHOLE: Self = Parameter(FieldName::Named("parameters"));

    pub(crate) const fn named(name: &'static str) -> Self {
        Parameter(FieldName::Named(name))
    }

    /// Creates a parameter from a key of the received message. Decodes the key in the text of the
    /// parameters, which begins at `offset` in the message.
    pub(crate) fn unescape_at(text: &mut [u8], key: Range<usize>, offset: usize) -> Self {
        let start = key.start;
        match text.get_mut(key).and_then(unescape) {
            Some(name) => Parameter(FieldName::At {
                offset: start.saturating_add(offset),
                length: name.len(),
            }),
            _ => Parameter::WHOLE,
        }
    }

    fn name_in<'a>(&self, message: &'a [u8]) -> &'a str {
        self.0.name_in(message).unwrap_or("parameters")
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        match (error.mismatch, error.field) {
            (Mismatch::Member, _) => Refusal::MethodNotFound,
            // The caller knows only the names of fields in its call.
            (_, Some(field)) if error.in_call => Refusal::InvalidParameter(Parameter(field)),
            _ => Refusal::InvalidParameter(Parameter::WHOLE),
        }
    }
}

impl From<EncodeError> for Refusal {
    fn from(why: EncodeError) -> Self {
        Refusal::Unsent(why)
    }
}
