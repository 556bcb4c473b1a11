//! `ping`, `reload` and `log-level`: `io.systemd.service`, the interface of services that systemd
//! or another manager controls.

use core::ffi::CStr;

use nullink::json::Raw;

use super::connect::client;
use super::info::{ask, malformed};
use super::input::Text;
use super::output::{Failure, fail};
use super::{Tool, text};

pub const PING: &str = "io.systemd.service.Ping";
pub const RELOAD: &str = "io.systemd.service.Reload";
const SET_LOG_LEVEL: &str = "io.systemd.service.SetLogLevel";
const GET_LOG_LEVEL: &str = "io.systemd.service.GetLogLevel";

/// The names and the numbers of the log levels: syslog(3).
const LEVELS: [[&str; 2]; 8] = [
    ["emerg", "0"],
    ["alert", "1"],
    ["crit", "2"],
    ["err", "3"],
    ["warning", "4"],
    ["notice", "5"],
    ["info", "6"],
    ["debug", "7"],
];

pub fn ping(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    call(tool, words.first().copied().map_or("", text), PING)
}

pub fn reload(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    call(tool, words.first().copied().map_or("", text), RELOAD)
}

/// Calls a method without parameters, whose reply says nothing.
pub fn call(tool: Tool<'_>, address: &str, method: &str) -> Result<(), Failure> {
    let buffers = (tool.receive, tool.send);
    let mut client = client(tool.system, tool.options, address, buffers)?;
    ask(&mut client, address, method, Raw::EMPTY_OBJECT).map(drop)
}

pub fn log_level(tool: Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let address = words.first().copied().map_or("", text);
    let buffers = (tool.receive, tool.send);
    let mut client = client(tool.system, tool.options, address, buffers)?;
    let Some(level) = words.get(1).copied().map(text) else {
        let reply = ask(&mut client, address, GET_LOG_LEVEL, Raw::EMPTY_OBJECT)?;
        let level = reply.member("level");
        let level = level.map_err(|error| malformed(address, &error))?;
        let number = level.raw().as_str();
        let name = LEVELS.iter().find(|[_, digit]| *digit == number);
        let name = name.map_or(number, |[name, _]| name);
        return tool.out.print(format_args!("{name}\n"));
    };
    let Some([_, number]) = LEVELS.iter().find(|names| names.contains(&level)) else {
        return Err(fail(format_args!(
            "{level} is not a log level: use emerg, alert, crit, err, warning, notice, info, debug or 0 to 7"
        )));
    };
    let mut parameters = Text::new(tool.input);
    for part in ["{\"level\":", number, "}"] {
        parameters.add(part)?;
    }
    let parameters = parameters.json()?;
    ask(&mut client, address, SET_LOG_LEVEL, parameters).map(drop)
}
