//! `call`.

use core::ffi::CStr;

use nullink::Mode;
use nullink::json::Raw;

use super::connect::client;
use super::options::Json;
use super::output::{Failure, fail};
use super::{Tool, json, text};

pub fn call(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let [address, method, rest @ ..] = words else {
        return Err(fail(format_args!("call needs an address and a method")));
    };
    let (address, method) = (text(address), text(method));
    let parameters = rest.first().copied().map_or("{}", text);
    let parameters = Raw::new(parameters)
        .map_err(|error| fail(format_args!("the parameters are not JSON: {error}")))?;
    let mut client = client(tool.system, tool.options, address, tool.receive, tool.send)?;
    let mode = if tool.options.more {
        Mode::More
    } else {
        Mode::Simple
    };
    client
        .queue_raw(method, mode, parameters)
        .map_err(|error| fail(format_args!("{method}: {error}")))?;
    loop {
        let reply = client.receive_raw();
        let reply = reply.map_err(|error| fail(format_args!("{address}: {error}")))?;
        if let Some(error) = reply.error() {
            return Err(fail(format_args!("{method}: {error}")));
        }
        json::print(tool.out, reply.parameters(), Json::Short)?;
        if !reply.continues() {
            return Ok(());
        }
    }
}
