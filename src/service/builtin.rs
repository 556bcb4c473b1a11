//! Answers the calls of `org.varlink.service`.

use serde::{Deserialize, Serialize};

use super::responder::{Outcome, Refusal, Responder};
use super::{Info, Service};
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

/// The interfaces of a service, this one first.
fn interfaces<S: Service>() -> impl Iterator<Item = &'static Interface> + Clone {
    let own = S::INTERFACES.iter();
    [&SERVICE]
        .into_iter()
        .chain(own.filter(|interface| !is(interface)))
}

/// The interface of this name, if the service has it.
pub(super) fn find<S: Service>(name: &str) -> Option<&'static Interface> {
    interfaces::<S>().find(|interface| interface.name() == name)
}

/// Whether an interface is this one.
pub(super) fn is(interface: &Interface) -> bool {
    interface.name() == SERVICE.name()
}

/// Answers a call of this interface.
#[inline(never)] // smaller: its variables make no frame of a caller larger
pub(super) fn call<'c, S: Service>(
    service: &S,
    call: Call<'c>,
    reply: Responder<'c, S::Cursor>,
) -> Result<Outcome<'c, S::Cursor>, Refusal> {
    Ok(match call.decode()? {
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
                interfaces: List(interfaces::<S>().map(Interface::name)),
            })?
        }
        Methods::GetInterfaceDescription { interface } => match find::<S>(interface) {
            Some(found) => reply.describe(found.text())?,
            None => reply.error(&ServiceError::InterfaceNotFound { interface })?,
        },
    })
}
