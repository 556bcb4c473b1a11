// Generated from the interface org.example.t by nullink's example `generate`. Do not edit it.
// To generate it again, in this directory, with a clone of nullink in NULLINK:
//
//     cargo run --manifest-path NULLINK/Cargo.toml --features tools --example generate -- --owned ../../examples/shared/org.example.t.varlink ../../examples/shared/org.example.t.varlink > t.rs

//! The interface `org.example.t`.
//!
//! All types and all ways to call, for whoever wants to check a service byte by byte

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(dead_code, unused_imports, missing_docs, clippy::all, rustdoc::all)]

use nullink::{Method, NoError};
use serde::{Deserialize, Serialize};
use std::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};

/// The definition.
pub const INTERFACE: nullink::Interface = nullink::interface!("../../examples/shared/org.example.t.varlink");

pub use json::Json;

mod json {
    use nullink::json::Raw;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};

    /// Any JSON, as text.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Json(pub String);

    impl Serialize for Json {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            Raw::new(&self.0).map_err(Error::custom)?.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Json {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Raw::deserialize(deserializer).map(|raw| Json(raw.as_str().into()))
        }
    }
}

/// The methods with their parameters: a service decodes its calls as these.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum Methods {
    Echo(Echo),
    Need(Need),
    Empty,
    Count(Count),
    Fail,
    Unbound,
    Fds,
    Pipe,
}

/// The errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Error {
    /// What Fail fails with
    Oops {
        why: String,
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Echo {
    pub i: Option<i64>,
    pub f: Option<f64>,
    pub b: Option<bool>,
    pub s: Option<String>,
    pub o: Option<Json>,
    pub a: Option<Json>,
    pub l: Option<Vec<i64>>,
    pub m: Option<BTreeMap<String, String>>,
    pub c: Option<Color>,
}

impl Method for Echo {
    const NAME: &'static str = "org.example.t.Echo";
    type Output<'r> = EchoReply;
    type Error<'r> = Error;
}

/// The reply of `Echo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EchoReply {
    pub got: Json,
}

impl EchoReply {
    /// Returns a value with all fields.
    pub const fn new(got: Json) -> Self {
        Self { got }
    }
}

/// Gives back its parameter, which has to be there
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Need {
    pub s: String,
}

impl Need {
    /// Returns a value with all fields.
    pub const fn new(s: String) -> Self {
        Self { s }
    }
}

impl Method for Need {
    const NAME: &'static str = "org.example.t.Need";
    type Output<'r> = NeedReply;
    type Error<'r> = Error;
}

/// The reply of `Need`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeedReply {
    pub s: String,
}

impl NeedReply {
    /// Returns a value with all fields.
    pub const fn new(s: String) -> Self {
        Self { s }
    }
}

/// Takes nothing, gives nothing
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Empty;

impl Method for Empty {
    const NAME: &'static str = "org.example.t.Empty";
    type Output<'r> = ();
    type Error<'r> = Error;
}

/// With more: n replies, in which i counts from 0. Without: ExpectedMore.
/// If n is 0 or less: InvalidParameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    type Error<'r> = Error;
}

/// The reply of `Count`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fail;

impl Method for Fail {
    const NAME: &'static str = "org.example.t.Fail";
    type Output<'r> = ();
    type Error<'r> = Error;
}

/// Is declared here, and not served
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Unbound;

impl Method for Unbound {
    const NAME: &'static str = "org.example.t.Unbound";
    type Output<'r> = ();
    type Error<'r> = Error;
}

/// Takes descriptors, says how many they were, and sends them back
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fds;

impl Method for Fds {
    const NAME: &'static str = "org.example.t.Fds";
    type Output<'r> = FdsReply;
    type Error<'r> = Error;
}

/// The reply of `Fds`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pipe;

impl Method for Pipe {
    const NAME: &'static str = "org.example.t.Pipe";
    type Output<'r> = ();
    type Error<'r> = Error;
}
