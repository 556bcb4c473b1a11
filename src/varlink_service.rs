//! The types of `org.varlink.service`, for services, clients and relays: UAPI.20, "The
//! `org.varlink.service` Interface".

use serde::{Deserialize, Serialize};

use crate::idl::Interface;
use crate::json::Value;
use crate::method::{Method, NoError};

/// The interface that every service has.
pub(crate) const SERVICE: Interface = crate::interface!("org.varlink.service.varlink");

/// Asks a service who it is, and which interfaces it has.
///
/// The list of interfaces has no limit, so the answer is read piece by piece:
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
/// for (name, value) in info.members()? {
///     match name {
///         "vendor" | "product" => println!("{name}: {}", value.decode::<&str>()?),
///         "interfaces" => {
///             for interface in value.elements()? {
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
    /// The interface's name.
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
    /// Its text, with its comments.
    pub description: &'a str,
}

/// The errors of `org.varlink.service`, which any method of any interface may answer with:
/// UAPI.20, "The `org.varlink.service` Interface".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceError<'a> {
    /// The service does not have this interface.
    InterfaceNotFound {
        /// Its name.
        interface: &'a str,
    },
    /// The interface does not define this method.
    MethodNotFound {
        /// Its full name.
        method: &'a str,
    },
    /// The interface defines this method, but the service does not have it.
    MethodNotImplemented {
        /// Its full name.
        method: &'a str,
    },
    /// A parameter is missing, is unknown, has another type or can't have this value.
    InvalidParameter {
        /// Its name: that of the top-level field.
        parameter: &'a str,
    },
    /// The caller is not allowed to do that.
    PermissionDenied,
    /// The method has to be called with `more`.
    ExpectedMore,
    /// The method has to be called with `upgrade`.
    ExpectedUpgrade,
}

impl core::fmt::Display for ServiceError<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
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
            ServiceError::ExpectedMore => f.write_str("the method has to be called with more"),
            ServiceError::ExpectedUpgrade => {
                f.write_str("the method has to be called with upgrade")
            }
        }
    }
}

impl core::error::Error for ServiceError<'_> {}
