// Generated from the interface com.redhat.accounts by nullink's example `generate`.
// Do not edit it. To generate it again:
//
//     cargo run --features tools --example generate ../../examples/shared/com.redhat.accounts.varlink > accounts.rs

//! The interface `com.redhat.accounts`.
//!
//! Who has an account on this system

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(dead_code, unused_imports, missing_docs, clippy::all, rustdoc::all)]

use nullink::{Method, NoError};
use nullink::json::Raw;
use serde::{Deserialize, Serialize};

/// The definition.
pub const INTERFACE: nullink::Interface = nullink::interface!("../../examples/shared/com.redhat.accounts.varlink");

/// The methods with their parameters: a service decodes its calls as these.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub enum Methods<'a> {
    GetAll,
    GetByUid(GetByUid),
    #[serde(borrow)]
    GetByName(GetByName<'a>),
    #[serde(borrow)]
    Add(Add<'a>),
}

/// The errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Error<'a> {
    /// No account is like that
    NotFound,
    /// The account can't be added because of this field
    CreationFailed {
        field: &'a str,
    },
}

/// What the system knows about an account
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account<'a> {
    pub name: &'a str,
    pub uid: i64,
    pub gid: i64,
    pub full_name: &'a str,
    pub home: &'a str,
    pub shell: &'a str,
}

/// All accounts, in the order of the user database
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetAll;

impl Method for GetAll {
    const NAME: &'static str = "com.redhat.accounts.GetAll";
    type Output<'r> = GetAllReply<Raw<'r>>;
    type Error<'r> = Error<'r>;
}

/// The reply of `GetAll`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetAllReply<A> {
    /// `[]Account`
    pub accounts: A,
}

/// The account with this user ID; NotFound, if there is none
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetByUid {
    pub uid: i64,
}

impl Method for GetByUid {
    const NAME: &'static str = "com.redhat.accounts.GetByUid";
    type Output<'r> = GetByUidReply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `GetByUid`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetByUidReply<'a> {
    #[serde(borrow)]
    pub account: Account<'a>,
}

/// The account with this name; NotFound, if there is none
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetByName<'a> {
    pub name: &'a str,
}

impl Method for GetByName<'_> {
    const NAME: &'static str = "com.redhat.accounts.GetByName";
    type Output<'r> = GetByNameReply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `GetByName`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetByNameReply<'a> {
    #[serde(borrow)]
    pub account: Account<'a>,
}

/// Adds an account, for as long as the service runs; CreationFailed, if it can't be one
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Add<'a> {
    #[serde(borrow)]
    pub account: Account<'a>,
}

impl Method for Add<'_> {
    const NAME: &'static str = "com.redhat.accounts.Add";
    type Output<'r> = AddReply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Add`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AddReply<'a> {
    #[serde(borrow)]
    pub account: Account<'a>,
}
