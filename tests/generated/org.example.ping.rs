// Generated from the interface org.example.ping by nullink's example `generate`. Do not edit it.
// To generate it again, in this directory, with a clone of nullink in NULLINK:
//
//     cargo run --manifest-path NULLINK/Cargo.toml --features tools --example generate -- ../../examples/org.example.ping.varlink ../../examples/org.example.ping.varlink > ping.rs

//! The interface `org.example.ping`.
//!
//! Says what it hears.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(dead_code, unused_imports, missing_docs, clippy::all, rustdoc::all)]

use nullink::{Method, NoError};
use serde::{Deserialize, Serialize};
use nullink::json::Raw;

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

impl<'a> Ping<'a> {
    /// Returns a value with all fields.
    pub const fn new(ping: &'a str) -> Self {
        Self { ping }
    }
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

impl<'a> PingReply<'a> {
    /// Returns a value with all fields.
    pub const fn new(pong: &'a str) -> Self {
        Self { pong }
    }
}
