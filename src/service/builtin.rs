//! Answers the calls of `org.varlink.service`.

use serde::{Deserialize, Serialize};

use super::{Answer, Info, Responder, Service};
use crate::idl::Interface;
use crate::json::List;
use crate::message::Call;
use crate::varlink_service::{SERVICE, ServiceError};

#[derive(Deserialize)]
enum Methods<'a> {
    GetInfo,
    GetInterfaceDescription { interface: &'a str },
}

#[derive(Serialize)]
struct InfoReply<'a, L> {
    vendor: &'a str,
    product: &'a str,
    version: &'a str,
    url: &'a str,
    interfaces: L,
}

/// Returns the interfaces of a service, `org.varlink.service` first.
fn interfaces<S: Service<C>, C: Copy>() -> impl Iterator<Item = &'static Interface> + Clone {
    let own = S::INTERFACES.iter();
    [&SERVICE]
        .into_iter()
        .chain(own.filter(|interface| !serves(interface)))
}

/// Finds an interface of the service by its name.
pub(super) fn find_interface<S: Service<C>, C: Copy>(name: &[u8]) -> Option<&'static Interface> {
    interfaces::<S, C>().find(|interface| interface.name().as_bytes() == name)
}

/// True if the interface is `org.varlink.service`.
pub(super) fn serves(interface: &Interface) -> bool {
    interface.name() == SERVICE.name()
}

/// Answers a call of `org.varlink.service`.
#[inline(never)] // keeps its variables out of the stack frames of callers
pub(super) fn call<'c, S: Service<C>, C: Copy>(
    service: &S,
    call: Call<'c>,
    reply: Responder<'c, C>,
) -> Answer<'c, C> {
    match call.decode()? {
        Methods::GetInfo => {
            let Info {
                vendor,
                product,
                version,
                url,
            } = service.info();
            reply.send(&InfoReply {
                vendor,
                product,
                version,
                url,
                interfaces: List(interfaces::<S, C>().map(Interface::name)),
            })
        }
        Methods::GetInterfaceDescription { interface } => {
            match find_interface::<S, C>(interface.as_bytes()) {
                Some(found) => reply.describe(found.text()),
                None => reply.error(&ServiceError::InterfaceNotFound { interface }),
            }
        }
    }
}
