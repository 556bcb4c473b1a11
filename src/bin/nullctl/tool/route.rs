//! From an interface to the address of its service: the registry and the resolver. `resolve`.

use core::ffi::CStr;
use core::fmt::Write;
use core::mem::MaybeUninit;

use heapless::String;
use nullink::json::Raw;
use nullink::service::GetInterfaceDescription;
use nullink::unix::{Stream, Timeouts};
use nullink::{Client, Reply, name};
use rustix::fs::{Access, Mode, OFlags, RawDir, access, open};

use super::options::Options;
use super::output::{Failure, complain, fail};
use super::system::System;
use super::{Tool, text};

/// The address of a service.
pub type AddressText = String<512>;

/// The folder of sockets, or of links to sockets, that have the names of interfaces.
const REGISTRY: &str = "/run/varlink/registry";

/// The well-known address of the resolver, and its interface.
const RESOLVER: &str = "unix:/run/org.varlink.resolver";
const RESOLVER_INTERFACE: &str = "org.varlink.resolver";

pub fn resolve(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let interface = words.first().copied().map_or("", text);
    if !name::is_interface(interface) {
        return Err(fail(format_args!(
            "{interface}: not the name of an interface"
        )));
    }
    let routes = Routes::new(tool.system, tool.options);
    match routes.find(interface, tool.receive, tool.send) {
        Some(address) => tool.out.print(format_args!("{address}\n")),
        None => Err(fail(format_args!(
            "{interface}: neither the registry nor the resolver knows a service"
        ))),
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
        let mut address = AddressText::new();
        if self.registry && registered(self.system, self.options.registry, interface, &mut address)
        {
            return Some(address);
        }
        let resolver = self.resolver?;
        if interface == RESOLVER_INTERFACE {
            address.push_str(resolver).ok()?;
            return Some(address);
        }
        let parameters = &mut [0; 320];
        let parameters = Raw::encode(&GetInterfaceDescription { interface }, parameters).ok()?;
        let mut client = self.resolver(receive, send)?;
        let method = "org.varlink.resolver.Resolve";
        let reply = self.answer(client.call_raw(method, parameters))?;
        let resolved = reply.into_parameters().member("address").ok()?;
        address.push_str(resolved.decode().ok()?).ok()?;
        Some(address)
    }

    /// Calls `found` with each interface that the registry and the resolver know.
    pub fn interfaces(&self, receive: &mut [u8], send: &mut [u8], found: &mut dyn FnMut(&str)) {
        if self.registry {
            registries(self.system, self.options.registry, &mut |path| {
                list(path, found);
                false
            });
        }
        let Some(mut client) = self.resolver(receive, send) else {
            return;
        };
        let reply = client.call_raw("org.varlink.resolver.GetInfo", Raw::EMPTY_OBJECT);
        let Some(reply) = self.answer(reply) else {
            return;
        };
        let interfaces = reply.into_parameters().member("interfaces");
        for interface in interfaces.and_then(|all| all.items()).into_iter().flatten() {
            if let Ok(interface) = interface.decode() {
                found(interface);
            }
        }
    }

    /// Connects to the resolver. The usual one may be absent.
    fn resolver<'b>(
        &self,
        receive: &'b mut [u8],
        send: &'b mut [u8],
    ) -> Option<Client<'b, Stream>> {
        let address = self.resolver?;
        let limit = self.options.timeout.filter(|limit| !limit.is_zero());
        let timeouts = Timeouts {
            connect: limit,
            send: limit,
            reply: limit,
        };
        match Stream::connect_with(address, timeouts) {
            Ok(stream) => Some(Client::new(stream, receive, send)),
            Err(error) => {
                if self.options.resolver.is_some() {
                    complain(format_args!("{address}: {error}"));
                }
                None
            }
        }
    }

    /// Returns a reply of the resolver that is not an error.
    fn answer<'r>(
        &self,
        reply: Result<Reply<'r>, nullink::Error<nullink::unix::IoError>>,
    ) -> Option<Reply<'r>> {
        let reply = reply
            .inspect_err(|error| complain(format_args!("the resolver: {error}")))
            .ok()?;
        reply.error().is_none().then_some(reply)
    }
}

/// Looks an interface up in the registry, or in a folder like it. Returns true if it is there, and
/// its address.
pub fn registered(
    system: &dyn System,
    folder: Option<&str>,
    interface: &str,
    address: &mut AddressText,
) -> bool {
    registries(system, folder, &mut |path| {
        address.clear();
        let fits = write!(address, "unix:{path}/{interface}").is_ok();
        let file = address.strip_prefix("unix:").unwrap_or_default();
        fits && access(file, Access::EXISTS).is_ok()
    })
}

/// Calls `visit` with the path of each registry until it returns true.
fn registries(
    system: &dyn System,
    folder: Option<&str>,
    visit: &mut dyn FnMut(&str) -> bool,
) -> bool {
    if let Some(folder) = folder {
        return visit(folder);
    }
    let mut own = AddressText::new();
    let runtime = system.variable("XDG_RUNTIME_DIR").map(core::str::from_utf8);
    let has_own = match runtime {
        Some(Ok(runtime)) => write!(own, "{runtime}/varlink/registry").is_ok(),
        _ => false,
    };
    visit(REGISTRY) || has_own && visit(&own)
}

/// Calls `found` with the names of interfaces in a folder.
fn list(path: &str, found: &mut dyn FnMut(&str)) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = open(path, flags, Mode::empty()) else {
        return;
    };
    let mut buffer = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(folder, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        if let Ok(name) = entry.file_name().to_str()
            && name::is_interface(name)
        {
            found(name);
        }
    }
}
