//! `io.systemd.service`, the interface by which systemd and other managers control services.

use serde::{Deserialize, Serialize};

use super::{Answer, Responder};
use crate::idl::Interface;
use crate::json::List;

/// A call of `io.systemd.service`, which systemd's tools and `nullctl` use to ping services, to make
/// them read their configuration again, and to change their log level.
///
/// A service switches the interface on by naming it, and handles the calls that mean something to it.
/// It refuses the others with `MethodNotImplemented`. As in systemd, only the superuser and
/// the user of the service should be allowed to call anything but `Ping` and `GetLogLevel`.
///
/// ```
/// use nullink::service::{Answer, Control, Info, Refusal, Responder, Service};
/// use nullink::{Call, Interface};
///
/// struct Meter { level: u8 }
///
/// impl Service for Meter {
///     const INTERFACES: &'static [Interface] = &[Control::INTERFACE];
///
///     fn info(&self) -> Info<'_> {
///         Info::new("Example", "Meter", "1", "https://example.org")
///     }
///
///     fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
///         let peer = call.peer();
///         // A service with other interfaces looks at call.interface() first.
///         match call.decode()? {
///             Control::Ping => reply.send(&()),
///             Control::GetLogLevel => Control::send_log_level(self.level, reply),
///             Control::SetLogLevel { .. } if peer.is_none_or(|peer| peer.uid != 0) => {
///                 Err(Refusal::PermissionDenied)
///             }
///             Control::SetLogLevel { level: level @ 0..=7 } => {
///                 self.level = level;
///                 reply.send(&())
///             }
///             Control::SetLogLevel { .. } => Err(Refusal::invalid_parameter("level")),
///             _ => Err(Refusal::MethodNotImplemented),
///         }
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub enum Control {
    /// Checks that the service is running. The reply is empty.
    Ping,
    /// Reads the configuration again. The reply is empty, and is sent when that was done.
    Reload {
        /// True if the caller can wait until a user has authenticated.
        #[serde(rename = "allowInteractiveAuthentication")]
        interactive: Option<bool>,
    },
    /// Sets the maximum log level. The reply is empty.
    SetLogLevel {
        /// The level, as in syslog(3): from 0, emergencies, to 7, debugging. A larger number is
        /// the caller's mistake.
        level: u8,
    },
    /// Returns the maximum log level: [`send_log_level`](Self::send_log_level).
    GetLogLevel,
    /// Returns the environment: [`send_environment`](Self::send_environment).
    GetEnvironment,
}

impl Control {
    /// The definition of the interface.
    pub const INTERFACE: Interface = crate::interface!("../io.systemd.service.varlink");

    /// Answers [`GetLogLevel`](Self::GetLogLevel) with a level as in syslog(3), from 0 to 7.
    pub fn send_log_level<'c, C: Copy>(level: u8, reply: Responder<'c, C>) -> Answer<'c, C> {
        #[derive(Serialize)]
        struct Reply {
            level: u8,
        }
        reply.send(&Reply { level })
    }

    /// Answers [`GetEnvironment`](Self::GetEnvironment) with variables in the form `NAME=value`.
    pub fn send_environment<'c, 'v, C: Copy>(
        variables: impl Iterator<Item = &'v str> + Clone,
        reply: Responder<'c, C>,
    ) -> Answer<'c, C> {
        #[derive(Serialize)]
        struct Reply<L> {
            environment: L,
        }
        reply.send(&Reply {
            environment: List(variables),
        })
    }
}
