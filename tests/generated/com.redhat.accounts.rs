// Generated from the interface com.redhat.accounts by nullink's example `generate`. Do not edit it.
// To generate it again, in this directory, with a clone of nullink in NULLINK:
//
//     cargo run --manifest-path NULLINK/Cargo.toml --features tools --example generate -- ../../examples/shared/com.redhat.accounts.varlink ../../examples/shared/com.redhat.accounts.varlink > accounts.rs

//! The interface `com.redhat.accounts`.
//!
//! Who has an account on this system

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(dead_code, unused_imports, missing_docs, clippy::all, rustdoc::all)]

use nullink::{Method, NoError};
use serde::{Deserialize, Serialize};
use nullink::json::Raw;

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

impl<'a> Account<'a> {
    /// Returns a value with all fields.
    pub const fn new(name: &'a str, uid: i64, gid: i64, full_name: &'a str, home: &'a str, shell: &'a str) -> Self {
        Self { name, uid, gid, full_name, home, shell }
    }
}

/// All accounts, in the order of the user database
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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

impl<A> GetAllReply<A> {
    /// Returns a value with all fields.
    pub const fn new(accounts: A) -> Self {
        Self { accounts }
    }
}

/// The account with this user ID; NotFound, if there is none
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetByUid {
    pub uid: i64,
}

impl GetByUid {
    /// Returns a value with all fields.
    pub const fn new(uid: i64) -> Self {
        Self { uid }
    }
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

impl<'a> GetByUidReply<'a> {
    /// Returns a value with all fields.
    pub const fn new(account: Account<'a>) -> Self {
        Self { account }
    }
}

/// The account with this name; NotFound, if there is none
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetByName<'a> {
    pub name: &'a str,
}

impl<'a> GetByName<'a> {
    /// Returns a value with all fields.
    pub const fn new(name: &'a str) -> Self {
        Self { name }
    }
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

impl<'a> GetByNameReply<'a> {
    /// Returns a value with all fields.
    pub const fn new(account: Account<'a>) -> Self {
        Self { account }
    }
}

/// Adds an account, for as long as the service runs; CreationFailed, if it can't be one
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Add<'a> {
    #[serde(borrow)]
    pub account: Account<'a>,
}

impl<'a> Add<'a> {
    /// Returns a value with all fields.
    pub const fn new(account: Account<'a>) -> Self {
        Self { account }
    }
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

impl<'a> AddReply<'a> {
    /// Returns a value with all fields.
    pub const fn new(account: Account<'a>) -> Self {
        Self { account }
    }
}
