//! From an interface to the address of its service: the registry and the resolver. `resolve`.

use core::ffi::CStr;
use core::time::Duration;

use nullink::json::Raw;
use nullink::unix::{IoError, Stream, Timeouts};
use nullink::{Client, Error, Mode, Reply, name};

use super::input::entries;
use super::options::Options;
use super::output::{Failure, complain, fail_at};
use super::registry::{registered, registries};
use super::system::System;
use super::texts::{self, AddressText};
use super::{Tool, text};

/// The well-known address of the resolver, and its interface.
const RESOLVER: &str = "unix:/run/org.varlink.resolver";
const RESOLVER_INTERFACE: &str = "org.varlink.resolver";

pub fn resolve(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let interface = words.first().copied().map_or("", text);
    if !name::is_interface(interface) {
        return Err(fail_at(interface, &"not the name of an interface"));
    }
    let routes = Routes::new(tool.system, tool.options);
    match routes.find(interface, tool.receive, tool.send) {
        Some(address) => {
            tool.out.text(&address);
            tool.out.text("\n");
            Ok(())
        }
        None => Err(fail_at(
            interface,
            &"neither the registry nor the resolver knows a service",
        )),
    }
}

/// Where services are looked for.
pub struct Routes<'t> {
    system: &'t dyn System,
    options: &'t Options<'t>,
    /// True if the registry is that of the option, or if there is no option.
    registry: bool,
    /// The address of the resolver. The option says that there is one.
    resolver: Option<&'t str>,
}

impl<'t> Routes<'t> {
    /// The registry and the resolver of the options, or the well-known ones without an option.
    pub fn new(system: &'t dyn System, options: &'t Options<'t>) -> Self {
        let usual = options.registry.is_none() && options.resolver.is_none();
        Routes {
            system,
            options,
            registry: usual || options.registry.is_some(),
            resolver: options.resolver.or(usual.then_some(RESOLVER)),
        }
    }

    /// Finds the address of the service of an interface.
    pub fn find(
        &self,
        interface: &str,
        receive: &mut [u8],
        send: &mut [u8],
    ) -> Option<AddressText> {
        if self.registry
            && let Some(address) = registered(self.system, self.options.registry, interface)
        {
            return Some(address);
        }
        let mut address = AddressText::new();
        let resolver = self.resolver?;
        if interface == RESOLVER_INTERFACE {
            address.push_str(resolver).ok()?;
            return Some(address);
        }
        let mut parameters = AddressText::new();
        let parameters = texts::json(&mut parameters, &["{\"interface\":\"", interface, "\"}"]);
        let mut client = self.resolver(receive, send);
        let reply = self.ask("org.varlink.resolver.Resolve", parameters, &mut client)?;
        let resolved = reply.into_parameters().member("address").ok()?;
        address.push_str(resolved.decode().ok()?).ok()?;
        // It may be printed on a terminal.
        let is_text = !address.chars().any(char::is_control);
        is_text.then_some(address)
    }

    /// Calls `found` with each interface that the registry and the resolver know.
    pub fn interfaces(&self, receive: &mut [u8], send: &mut [u8], found: &mut dyn FnMut(&str)) {
        let folder = self.options.registry;
        // Each is found once: in the first place, as by `find`.
        let is_at = |path: &str, interface: &str| {
            let address = registered(self.system, folder, interface);
            let found = address.as_ref().and_then(|text| text.strip_prefix("unix:"));
            found.is_some_and(|found| found.starts_with(path))
        };
        if self.registry {
            registries(self.system, folder, &mut |path| {
                // A folder that cannot be read has no interfaces.
                let _ = entries(path, &mut |name| {
                    if name::is_interface(name) && is_at(path, name) {
                        found(name);
                    }
                    Ok(())
                });
                false
            });
        }
        let mut client = self.resolver(receive, send);
        let method = "org.varlink.resolver.GetInfo";
        let Some(reply) = self.ask(method, Raw::EMPTY_OBJECT, &mut client) else {
            return;
        };
        let interfaces = reply.into_parameters().member("interfaces");
        if let Ok(interfaces) = interfaces.and_then(|all| all.items()) {
            for interface in interfaces {
                let interface = interface.decode().unwrap_or_default();
                if !self.registry || !is_at("", interface) {
                    found(interface);
                }
            }
        }
    }

    /// Asks the resolver; None if it does not answer, or with an error. The usual one may be absent.
    fn ask<'r>(
        &self,
        method: &str,
        parameters: Raw<'_>,
        client: &'r mut Option<Client<'_, Stream>>,
    ) -> Option<Reply<'r>> {
        let reply = call(client.as_mut()?, method, parameters);
        let reply = reply.map_err(|error| complain(format_args!("the resolver: {error}")));
        reply.ok().filter(|reply| reply.error().is_none())
    }

    fn resolver<'b>(
        &self,
        receive: &'b mut [u8],
        send: &'b mut [u8],
    ) -> Option<Client<'b, Stream>> {
        let address = self.resolver?;
        let limit = self.options.wanted_limit();
        match Stream::connect_with(address, timeouts(limit)) {
            Ok(stream) => Some(Client::new(stream, receive, send)),
            Err(error) => {
                if self.options.resolver.is_some() {
                    complain(format_args!("{address}: {error}"));
                }
                None
            }
        }
    }
}

/// Returns the same limit for each step of a call.
pub fn timeouts(limit: Option<Duration>) -> Timeouts {
    Timeouts {
        connect: limit,
        send: limit,
        reply: limit,
    }
}

/// Calls a method as `Client::call_raw` does, with functions that the verb call uses, too.
pub fn call<'r>(
    client: &'r mut Client<'_, Stream>,
    method: &str,
    parameters: Raw<'_>,
) -> Received<'r> {
    client.send_raw_with(method, Mode::Simple, parameters, &[])?;
    receive(client)
}

/// A reply, or the reason why there is none.
pub type Received<'r> = Result<Reply<'r>, Error<IoError>>;

/// Receives a reply. Descriptors that come with it are closed: they cannot be printed.
pub fn receive<'c>(client: &'c mut Client<'_, Stream>) -> Received<'c> {
    client.receive_raw_with(&mut [const { None }; 16])
}

/// Returns the address of a service. The name of an interface is looked up in the registry; None if
/// it is not there.
pub fn look_up<'a>(
    system: &dyn System,
    address: &'a str,
    found: &'a mut AddressText,
) -> Option<&'a str> {
    if !name::is_interface(address) {
        return Some(address);
    }
    *found = registered(system, None, address)?;
    Some(found)
}
