// Generated from the interface org.example.t by nullink's example `generate`. Do not edit it.
// To generate it again, in this directory, with a clone of nullink in NULLINK:
//
//     cargo run --manifest-path NULLINK/Cargo.toml --features tools --example generate -- ../../examples/shared/org.example.t.varlink ../../examples/shared/org.example.t.varlink > t.rs

//! The interface `org.example.t`.
//!
//! All types and all ways to call, for whoever wants to check a service byte by byte

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(dead_code, unused_imports, missing_docs, clippy::all, rustdoc::all)]

use nullink::{Method, NoError};
use serde::{Deserialize, Serialize};
use nullink::json::Raw;

/// The definition.
pub const INTERFACE: nullink::Interface = nullink::interface!("../../examples/shared/org.example.t.varlink");

/// The methods with their parameters: a service decodes its calls as these.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub enum Methods<'a> {
    #[serde(borrow)]
    Echo(Echo<'a>),
    #[serde(borrow)]
    Need(Need<'a>),
    Empty,
    Count(Count),
    Fail,
    Unbound,
    Fds,
    Pipe,
}

/// The errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Error<'a> {
    /// What Fail fails with
    Oops {
        why: &'a str,
    },
}

/// A value of an enumeration
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Color {
    #[serde(rename = "red")]
    Red,
    #[serde(rename = "green")]
    Green,
}

/// Gives the parameters back as they came
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Echo<'a, A = Raw<'a>, B = Raw<'a>> {
    pub i: Option<i64>,
    pub f: Option<f64>,
    pub b: Option<bool>,
    pub s: Option<&'a str>,
    #[serde(borrow)]
    pub o: Option<Raw<'a>>,
    #[serde(borrow)]
    pub a: Option<Raw<'a>>,
    /// `?[]int`
    pub l: Option<A>,
    /// `?[string]string`
    pub m: Option<B>,
    pub c: Option<Color>,
}

impl<'a, A, B> ::core::default::Default for Echo<'a, A, B> {
    fn default() -> Self {
        Self { i: Option::None, f: Option::None, b: Option::None, s: Option::None, o: Option::None, a: Option::None, l: Option::None, m: Option::None, c: Option::None }
    }
}

impl<A: Serialize, B: Serialize> Method for Echo<'_, A, B> {
    const NAME: &'static str = "org.example.t.Echo";
    type Output<'r> = EchoReply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Echo`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EchoReply<'a> {
    #[serde(borrow)]
    pub got: Raw<'a>,
}

impl<'a> EchoReply<'a> {
    /// Returns a value with all fields.
    pub const fn new(got: Raw<'a>) -> Self {
        Self { got }
    }
}

/// Gives back its parameter, which has to be there
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Need<'a> {
    pub s: &'a str,
}

impl<'a> Need<'a> {
    /// Returns a value with all fields.
    pub const fn new(s: &'a str) -> Self {
        Self { s }
    }
}

impl Method for Need<'_> {
    const NAME: &'static str = "org.example.t.Need";
    type Output<'r> = NeedReply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Need`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeedReply<'a> {
    pub s: &'a str,
}

impl<'a> NeedReply<'a> {
    /// Returns a value with all fields.
    pub const fn new(s: &'a str) -> Self {
        Self { s }
    }
}

/// Takes nothing, gives nothing
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Empty;

impl Method for Empty {
    const NAME: &'static str = "org.example.t.Empty";
    type Output<'r> = ();
    type Error<'r> = Error<'r>;
}

/// With more: n replies, in which i counts from 0. Without: ExpectedMore.
/// If n is 0 or less: InvalidParameter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Count {
    pub n: i64,
}

impl Count {
    /// Returns a value with all fields.
    pub const fn new(n: i64) -> Self {
        Self { n }
    }
}

impl Method for Count {
    const NAME: &'static str = "org.example.t.Count";
    type Output<'r> = CountReply;
    type Error<'r> = Error<'r>;
}

/// The reply of `Count`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountReply {
    pub i: i64,
}

impl CountReply {
    /// Returns a value with all fields.
    pub const fn new(i: i64) -> Self {
        Self { i }
    }
}

/// Fails with Oops every time, why is "because"
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fail;

impl Method for Fail {
    const NAME: &'static str = "org.example.t.Fail";
    type Output<'r> = ();
    type Error<'r> = Error<'r>;
}

/// Is declared here, and not served
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Unbound;

impl Method for Unbound {
    const NAME: &'static str = "org.example.t.Unbound";
    type Output<'r> = ();
    type Error<'r> = Error<'r>;
}

/// Takes descriptors, says how many they were, and sends them back
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fds;

impl Method for Fds {
    const NAME: &'static str = "org.example.t.Fds";
    type Output<'r> = FdsReply;
    type Error<'r> = Error<'r>;
}

/// The reply of `Fds`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FdsReply {
    pub n: i64,
}

impl FdsReply {
    /// Returns a value with all fields.
    pub const fn new(n: i64) -> Self {
        Self { n }
    }
}

/// With upgrade: a reply, and from then on every byte comes back. Without: ExpectedUpgrade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pipe;

impl Method for Pipe {
    const NAME: &'static str = "org.example.t.Pipe";
    type Output<'r> = ();
    type Error<'r> = Error<'r>;
}
