//! From an address, or the name of an interface, to a connection.

use nullink::unix::{Stream, Timeouts};
use nullink::{Address, Client};

use super::options::Options;
use super::output::{Failure, fail};
use super::system::System;

/// Connects to a service.
pub fn connect(
    _system: &dyn System,
    options: &Options<'_>,
    address: &str,
) -> Result<Stream, Failure> {
    let limit = options.timeout.filter(|limit| !limit.is_zero());
    let timeouts = Timeouts {
        connect: limit,
        send: limit,
        reply: limit,
    };
    let parsed = Address::parse(address);
    let parsed = parsed.map_err(|error| fail(format_args!("{address}: {error}")))?;
    Stream::connect_to(parsed, timeouts).map_err(|error| fail(format_args!("{address}: {error}")))
}

/// Connects a client to a service.
pub fn client<'b>(
    system: &dyn System,
    options: &Options<'_>,
    address: &str,
    receive: &'b mut [u8],
    send: &'b mut [u8],
) -> Result<Client<'b, Stream>, Failure> {
    Ok(Client::new(
        connect(system, options, address)?,
        receive,
        send,
    ))
}
