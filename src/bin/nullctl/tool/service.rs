//! `ping`, `reload` and `log-level`: `io.systemd.service`, the interface of services that systemd
//! or another manager controls.

use core::ffi::CStr;

use nullink::json::Raw;

use super::connect::Connection;
use super::output::{Failure, fail};
use super::texts::{self, AddressText};
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

pub fn ping(
    _: &mut Tool<'_>,
    service: &mut Connection<'_>,
    _: &[&'static CStr],
) -> Result<(), Failure> {
    service.ask(PING, Raw::EMPTY_OBJECT).map(drop)
}

pub fn reload(
    _: &mut Tool<'_>,
    service: &mut Connection<'_>,
    _: &[&'static CStr],
) -> Result<(), Failure> {
    service.ask(RELOAD, Raw::EMPTY_OBJECT).map(drop)
}

pub fn log_level(
    tool: &mut Tool<'_>,
    service: &mut Connection<'_>,
    words: &[&'static CStr],
) -> Result<(), Failure> {
    let Some(level) = words.first().copied().map(text) else {
        let level = service.ask_member(GET_LOG_LEVEL, Raw::EMPTY_OBJECT, "level")?;
        let number = level.raw().as_str();
        let name = LEVELS.iter().find(|[_, digit]| *digit == number);
        tool.out.text(name.map_or(number, |[name, _]| name));
        tool.out.text("\n");
        return Ok(());
    };
    let Some([_, number]) = LEVELS.iter().find(|names| names.contains(&level)) else {
        return Err(fail(format_args!(
            "{level} is not a log level: use emerg, alert, crit, err, warning, notice, info, debug or 0 to 7"
        )));
    };
    let mut parameters = AddressText::new();
    let parameters = texts::json(&mut parameters, &["{\"level\":", number, "}"]);
    service.ask(SET_LOG_LEVEL, parameters).map(drop)
}
