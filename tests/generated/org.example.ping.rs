// Generated from the interface org.example.ping by nullink's example `generate`.
// This is to be generated again, not to be edited:
//
//     cargo run --example generate ../../examples/org.example.ping.varlink > ping.rs

//! The interface `org.example.ping`.
//!
//! Says what it hears.

#![allow(dead_code, missing_docs, clippy::all, rustdoc::all)]

use nullink::client::Method;
use serde::{Deserialize, Serialize};

/// The definition.
pub const INTERFACE: nullink::Interface =
    nullink::interface!("../../examples/org.example.ping.varlink");

/// The methods, as they are called: what a service dispatches to.
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

/// What `Ping` returns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PingReply<'a> {
    pub pong: &'a str,
}
