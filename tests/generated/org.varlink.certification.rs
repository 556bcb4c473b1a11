// Generated from the interface org.varlink.certification by nullink's example `generate`.
// Do not edit it. To generate it again:
//
//     cargo run --features tools --example generate ../../examples/shared/org.varlink.certification.varlink > certification.rs

//! The interface `org.varlink.certification`.
//!
//! A client and a service certify one another: the client calls Start, then Test01 to Test11 in
//! order, then End. What it is given by one call it passes to the next, under the same names.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(dead_code, unused_imports, missing_docs, clippy::all, rustdoc::all)]

use nullink::{Method, NoError};
use nullink::json::Raw;
use serde::{Deserialize, Serialize};

/// The definition.
pub const INTERFACE: nullink::Interface = nullink::interface!("../../examples/shared/org.varlink.certification.varlink");

/// The methods with their parameters: a service decodes its calls as these.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub enum Methods<'a> {
    Start,
    #[serde(borrow)]
    Test01(Test01<'a>),
    #[serde(borrow)]
    Test02(Test02<'a>),
    #[serde(borrow)]
    Test03(Test03<'a>),
    #[serde(borrow)]
    Test04(Test04<'a>),
    #[serde(borrow)]
    Test05(Test05<'a>),
    #[serde(borrow)]
    Test06(Test06<'a>),
    #[serde(borrow)]
    Test07(Test07<'a>),
    #[serde(borrow)]
    Test08(Test08<'a>),
    #[serde(borrow)]
    Test09(Test09<'a>),
    #[serde(borrow)]
    Test10(Test10<'a>),
    #[serde(borrow)]
    Test11(Test11<'a>),
    #[serde(borrow)]
    End(End<'a>),
}

/// The errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Error<'a> {
    /// The id is unknown, or had to be given up because of an earlier mistake
    ClientIdError,
    /// The call is not what it should be
    CertificationError {
        #[serde(borrow)]
        wants: Raw<'a>,
        #[serde(borrow)]
        got: Raw<'a>,
    },
}

/// Enumerations in maps in lists, each of them nullable or not
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interface<A> {
    /// `?[]?[string]InterfaceFoo`
    pub foo: Option<A>,
    pub anon: InterfaceAnon,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InterfaceFoo {
    #[serde(rename = "foo")]
    Foo,
    #[serde(rename = "bar")]
    Bar,
    #[serde(rename = "baz")]
    Baz,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterfaceAnon {
    pub foo: bool,
    pub bar: bool,
}

/// One field of every type
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MyType<'a, A = Raw<'a>, B = Raw<'a>, C = Raw<'a>, D = Raw<'a>, E = Interface<Raw<'a>>> {
    #[serde(borrow)]
    pub object: Raw<'a>,
    pub r#enum: MyTypeEnum,
    #[serde(borrow)]
    pub r#struct: MyTypeStruct<'a>,
    /// `[]string`
    pub array: A,
    /// `[string]string`
    pub dictionary: B,
    /// `[string]()`
    pub stringset: C,
    pub nullable: Option<&'a str>,
    /// `?[]MyTypeNullableArrayStruct`
    pub nullable_array_struct: Option<D>,
    /// `Interface`
    pub interface: E,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MyTypeEnum {
    #[serde(rename = "one")]
    One,
    #[serde(rename = "two")]
    Two,
    #[serde(rename = "three")]
    Three,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MyTypeStruct<'a> {
    pub first: i64,
    pub second: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MyTypeNullableArrayStruct<'a> {
    pub first: i64,
    pub second: &'a str,
}

/// Begins a certification; its id goes into all other calls
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start;

impl Method for Start {
    const NAME: &'static str = "org.varlink.certification.Start";
    type Output<'r> = StartReply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Start`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartReply<'a> {
    pub client_id: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test01<'a> {
    pub client_id: &'a str,
}

impl Method for Test01<'_> {
    const NAME: &'static str = "org.varlink.certification.Test01";
    type Output<'r> = Test01Reply;
    type Error<'r> = Error<'r>;
}

/// The reply of `Test01`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test01Reply {
    pub bool: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test02<'a> {
    pub client_id: &'a str,
    pub bool: bool,
}

impl Method for Test02<'_> {
    const NAME: &'static str = "org.varlink.certification.Test02";
    type Output<'r> = Test02Reply;
    type Error<'r> = Error<'r>;
}

/// The reply of `Test02`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test02Reply {
    pub int: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test03<'a> {
    pub client_id: &'a str,
    pub int: i64,
}

impl Method for Test03<'_> {
    const NAME: &'static str = "org.varlink.certification.Test03";
    type Output<'r> = Test03Reply;
    type Error<'r> = Error<'r>;
}

/// The reply of `Test03`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test03Reply {
    pub float: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test04<'a> {
    pub client_id: &'a str,
    pub float: f64,
}

impl Method for Test04<'_> {
    const NAME: &'static str = "org.varlink.certification.Test04";
    type Output<'r> = Test04Reply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Test04`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test04Reply<'a> {
    pub string: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test05<'a> {
    pub client_id: &'a str,
    pub string: &'a str,
}

impl Method for Test05<'_> {
    const NAME: &'static str = "org.varlink.certification.Test05";
    type Output<'r> = Test05Reply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Test05`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test05Reply<'a> {
    pub bool: bool,
    pub int: i64,
    pub float: f64,
    pub string: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test06<'a> {
    pub client_id: &'a str,
    pub bool: bool,
    pub int: i64,
    pub float: f64,
    pub string: &'a str,
}

impl Method for Test06<'_> {
    const NAME: &'static str = "org.varlink.certification.Test06";
    type Output<'r> = Test06Reply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Test06`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test06Reply<'a> {
    #[serde(borrow)]
    pub r#struct: Test06ReplyStruct<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test06ReplyStruct<'a> {
    pub bool: bool,
    pub int: i64,
    pub float: f64,
    pub string: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test07<'a> {
    pub client_id: &'a str,
    #[serde(borrow)]
    pub r#struct: Test07Struct<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test07Struct<'a> {
    pub bool: bool,
    pub int: i64,
    pub float: f64,
    pub string: &'a str,
}

impl Method for Test07<'_> {
    const NAME: &'static str = "org.varlink.certification.Test07";
    type Output<'r> = Test07Reply<Raw<'r>>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Test07`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test07Reply<A> {
    /// `[string]string`
    pub map: A,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test08<'a, A = Raw<'a>> {
    pub client_id: &'a str,
    /// `[string]string`
    pub map: A,
}

impl<A: Serialize> Method for Test08<'_, A> {
    const NAME: &'static str = "org.varlink.certification.Test08";
    type Output<'r> = Test08Reply<Raw<'r>>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Test08`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test08Reply<A> {
    /// `[string]()`
    pub set: A,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test09<'a, A = Raw<'a>> {
    pub client_id: &'a str,
    /// `[string]()`
    pub set: A,
}

impl<A: Serialize> Method for Test09<'_, A> {
    const NAME: &'static str = "org.varlink.certification.Test09";
    type Output<'r> = Test09Reply<MyType<'r>>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Test09`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test09Reply<A> {
    /// `MyType`
    pub mytype: A,
}

/// To be called with more: there are ten replies
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test10<'a, A = MyType<'a>> {
    pub client_id: &'a str,
    /// `MyType`
    pub mytype: A,
}

impl<A: Serialize> Method for Test10<'_, A> {
    const NAME: &'static str = "org.varlink.certification.Test10";
    type Output<'r> = Test10Reply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Test10`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test10Reply<'a> {
    pub string: &'a str,
}

/// To be called with oneway: there is no reply
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test11<'a, A = Raw<'a>> {
    pub client_id: &'a str,
    /// `[]string`
    pub last_more_replies: A,
}

impl<A: Serialize> Method for Test11<'_, A> {
    const NAME: &'static str = "org.varlink.certification.Test11";
    type Output<'r> = ();
    type Error<'r> = Error<'r>;
}

/// Whether everything was as it should be
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct End<'a> {
    pub client_id: &'a str,
}

impl Method for End<'_> {
    const NAME: &'static str = "org.varlink.certification.End";
    type Output<'r> = EndReply;
    type Error<'r> = Error<'r>;
}

/// The reply of `End`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndReply {
    pub all_ok: bool,
}
