// Generated from the interface org.varlink.service by nullink's example `generate`. Do not edit it.
// To generate it again, in this directory, with a clone of nullink in NULLINK:
//
//     cargo run --manifest-path NULLINK/Cargo.toml --features tools --example generate -- ../../src/org.varlink.service.varlink ../../src/org.varlink.service.varlink > service.rs

//! The interface `org.varlink.service`.
//!
//! What every Varlink service offers: who it is, which interfaces it has, and how they are defined.
//! Its errors may come from any method of any interface.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(dead_code, unused_imports, missing_docs, clippy::all, rustdoc::all)]

use nullink::{Method, NoError};
use serde::{Deserialize, Serialize};
use nullink::json::Raw;

/// The definition.
pub const INTERFACE: nullink::Interface = nullink::interface!("../../src/org.varlink.service.varlink");

/// The methods with their parameters: a service decodes its calls as these.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub enum Methods<'a> {
    GetInfo,
    #[serde(borrow)]
    GetInterfaceDescription(GetInterfaceDescription<'a>),
}

/// The errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Error<'a> {
    /// The service does not have this interface
    InterfaceNotFound {
        interface: &'a str,
    },
    /// The interface does not define this method
    MethodNotFound {
        method: &'a str,
    },
    /// The interface defines this method, but the service does not have it
    MethodNotImplemented {
        method: &'a str,
    },
    /// A parameter is missing, is unknown, has another type or can't have this value
    InvalidParameter {
        parameter: &'a str,
    },
    /// The caller is not allowed to do that
    PermissionDenied,
    /// The method has to be called with more
    ExpectedMore,
    /// The method has to be called with upgrade
    ExpectedUpgrade,
}

/// Who the service is, and what it can do
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GetInfo;

impl Method for GetInfo {
    const NAME: &'static str = "org.varlink.service.GetInfo";
    type Output<'r> = GetInfoReply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `GetInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetInfoReply<'a, A = Raw<'a>> {
    pub vendor: &'a str,
    pub product: &'a str,
    pub version: &'a str,
    pub url: &'a str,
    /// `[]string`
    pub interfaces: A,
}

impl<'a, A> GetInfoReply<'a, A> {
    /// Returns a value with all fields.
    pub const fn new(vendor: &'a str, product: &'a str, version: &'a str, url: &'a str, interfaces: A) -> Self {
        Self { vendor, product, version, url, interfaces }
    }
}

/// The definition of one of the service's interfaces, as its author wrote it
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetInterfaceDescription<'a> {
    pub interface: &'a str,
}

impl<'a> GetInterfaceDescription<'a> {
    /// Returns a value with all fields.
    pub const fn new(interface: &'a str) -> Self {
        Self { interface }
    }
}

impl Method for GetInterfaceDescription<'_> {
    const NAME: &'static str = "org.varlink.service.GetInterfaceDescription";
    type Output<'r> = GetInterfaceDescriptionReply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `GetInterfaceDescription`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetInterfaceDescriptionReply<'a> {
    pub description: &'a str,
}

impl<'a> GetInterfaceDescriptionReply<'a> {
    /// Returns a value with all fields.
    pub const fn new(description: &'a str) -> Self {
        Self { description }
    }
}
