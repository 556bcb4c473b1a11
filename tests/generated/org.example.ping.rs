// Generated from the interface org.example.ping by nullink's example `generate`.
// Do not edit it. To generate it again:
//
//     cargo run --features tools --example generate ../../examples/org.example.ping.varlink > ping.rs

//! The interface `org.example.ping`.
//!
//! Says what it hears.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(dead_code, unused_imports, missing_docs, clippy::all, rustdoc::all)]

use nullink::{Method, NoError};
use nullink::json::Raw;
use serde::{Deserialize, Serialize};

/// The definition.
pub const INTERFACE: nullink::Interface = nullink::interface!("../../examples/org.example.ping.varlink");

/// The methods with their parameters: a service decodes its calls as these.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub enum Methods<'a> {
    #[serde(borrow)]
    Ping(Ping<'a>),
}

/// The errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Error {
    /// There is nothing to be said.
    Silence,
}

/// Answers with the same text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ping<'a> {
    pub ping: &'a str,
}

impl Method for Ping<'_> {
    const NAME: &'static str = "org.example.ping.Ping";
    type Output<'r> = PingReply<'r>;
    type Error<'r> = Error;
}

/// The reply of `Ping`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PingReply<'a> {
    pub pong: &'a str,
}
