// Generated from the interface org.varlink.certification by nullink's example `generate`. Do not edit it.
// To generate it again, in this directory, with a clone of nullink in NULLINK:
//
//     cargo run --manifest-path NULLINK/Cargo.toml --features tools --example generate -- ../../examples/shared/org.varlink.certification.varlink ../../examples/shared/org.varlink.certification.varlink > certification.rs

//! The interface `org.varlink.certification`.
//!
//! A client and a service certify one another: the client calls Start, then Test01 to Test11 in
//! order, then End. What it is given by one call it passes to the next, under the same names.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(dead_code, unused_imports, missing_docs, clippy::all, rustdoc::all)]

use nullink::{Method, NoError};
use serde::{Deserialize, Serialize};
use nullink::json::Raw;

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

impl<A> Interface<A> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(anon: InterfaceAnon) -> Self {
        Self { foo: Option::None, anon }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InterfaceFoo {
    #[serde(rename = "foo")]
    Foo,
    #[serde(rename = "bar")]
    Bar,
    #[serde(rename = "baz")]
    Baz,
    /// A received value that the definition does not have. It can't be sent.
    #[serde(other, skip_serializing)]
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterfaceAnon {
    pub foo: bool,
    pub bar: bool,
}

impl InterfaceAnon {
    /// Returns a value with all fields.
    pub const fn new(foo: bool, bar: bool) -> Self {
        Self { foo, bar }
    }
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

impl<'a, A, B, C, D, E> MyType<'a, A, B, C, D, E> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(object: Raw<'a>, r#enum: MyTypeEnum, r#struct: MyTypeStruct<'a>, array: A, dictionary: B, stringset: C, interface: E) -> Self {
        Self { object, r#enum, r#struct, array, dictionary, stringset, nullable: Option::None, nullable_array_struct: Option::None, interface }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MyTypeEnum {
    #[serde(rename = "one")]
    One,
    #[serde(rename = "two")]
    Two,
    #[serde(rename = "three")]
    Three,
    /// A received value that the definition does not have. It can't be sent.
    #[serde(other, skip_serializing)]
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MyTypeStruct<'a> {
    pub first: i64,
    pub second: &'a str,
}

impl<'a> MyTypeStruct<'a> {
    /// Returns a value with all fields.
    pub const fn new(first: i64, second: &'a str) -> Self {
        Self { first, second }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MyTypeNullableArrayStruct<'a> {
    pub first: i64,
    pub second: &'a str,
}

impl<'a> MyTypeNullableArrayStruct<'a> {
    /// Returns a value with all fields.
    pub const fn new(first: i64, second: &'a str) -> Self {
        Self { first, second }
    }
}

/// Begins a certification; its id goes into all other calls
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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

impl<'a> StartReply<'a> {
    /// Returns a value with all fields.
    pub const fn new(client_id: &'a str) -> Self {
        Self { client_id }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test01<'a> {
    pub client_id: &'a str,
}

impl<'a> Test01<'a> {
    /// Returns a value with all fields.
    pub const fn new(client_id: &'a str) -> Self {
        Self { client_id }
    }
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

impl Test01Reply {
    /// Returns a value with all fields.
    pub const fn new(bool: bool) -> Self {
        Self { bool }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test02<'a> {
    pub client_id: &'a str,
    pub bool: bool,
}

impl<'a> Test02<'a> {
    /// Returns a value with all fields.
    pub const fn new(client_id: &'a str, bool: bool) -> Self {
        Self { client_id, bool }
    }
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

impl Test02Reply {
    /// Returns a value with all fields.
    pub const fn new(int: i64) -> Self {
        Self { int }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test03<'a> {
    pub client_id: &'a str,
    pub int: i64,
}

impl<'a> Test03<'a> {
    /// Returns a value with all fields.
    pub const fn new(client_id: &'a str, int: i64) -> Self {
        Self { client_id, int }
    }
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

impl Test03Reply {
    /// Returns a value with all fields.
    pub const fn new(float: f64) -> Self {
        Self { float }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test04<'a> {
    pub client_id: &'a str,
    pub float: f64,
}

impl<'a> Test04<'a> {
    /// Returns a value with all fields.
    pub const fn new(client_id: &'a str, float: f64) -> Self {
        Self { client_id, float }
    }
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

impl<'a> Test04Reply<'a> {
    /// Returns a value with all fields.
    pub const fn new(string: &'a str) -> Self {
        Self { string }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test05<'a> {
    pub client_id: &'a str,
    pub string: &'a str,
}

impl<'a> Test05<'a> {
    /// Returns a value with all fields.
    pub const fn new(client_id: &'a str, string: &'a str) -> Self {
        Self { client_id, string }
    }
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

impl<'a> Test05Reply<'a> {
    /// Returns a value with all fields.
    pub const fn new(bool: bool, int: i64, float: f64, string: &'a str) -> Self {
        Self { bool, int, float, string }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test06<'a> {
    pub client_id: &'a str,
    pub bool: bool,
    pub int: i64,
    pub float: f64,
    pub string: &'a str,
}

impl<'a> Test06<'a> {
    /// Returns a value with all fields.
    pub const fn new(client_id: &'a str, bool: bool, int: i64, float: f64, string: &'a str) -> Self {
        Self { client_id, bool, int, float, string }
    }
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

impl<'a> Test06Reply<'a> {
    /// Returns a value with all fields.
    pub const fn new(r#struct: Test06ReplyStruct<'a>) -> Self {
        Self { r#struct }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test06ReplyStruct<'a> {
    pub bool: bool,
    pub int: i64,
    pub float: f64,
    pub string: &'a str,
}

impl<'a> Test06ReplyStruct<'a> {
    /// Returns a value with all fields.
    pub const fn new(bool: bool, int: i64, float: f64, string: &'a str) -> Self {
        Self { bool, int, float, string }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test07<'a> {
    pub client_id: &'a str,
    #[serde(borrow)]
    pub r#struct: Test07Struct<'a>,
}

impl<'a> Test07<'a> {
    /// Returns a value with all fields.
    pub const fn new(client_id: &'a str, r#struct: Test07Struct<'a>) -> Self {
        Self { client_id, r#struct }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test07Struct<'a> {
    pub bool: bool,
    pub int: i64,
    pub float: f64,
    pub string: &'a str,
}

impl<'a> Test07Struct<'a> {
    /// Returns a value with all fields.
    pub const fn new(bool: bool, int: i64, float: f64, string: &'a str) -> Self {
        Self { bool, int, float, string }
    }
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

impl<A> Test07Reply<A> {
    /// Returns a value with all fields.
    pub const fn new(map: A) -> Self {
        Self { map }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test08<'a, A = Raw<'a>> {
    pub client_id: &'a str,
    /// `[string]string`
    pub map: A,
}

impl<'a, A> Test08<'a, A> {
    /// Returns a value with all fields.
    pub const fn new(client_id: &'a str, map: A) -> Self {
        Self { client_id, map }
    }
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

impl<A> Test08Reply<A> {
    /// Returns a value with all fields.
    pub const fn new(set: A) -> Self {
        Self { set }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test09<'a, A = Raw<'a>> {
    pub client_id: &'a str,
    /// `[string]()`
    pub set: A,
}

impl<'a, A> Test09<'a, A> {
    /// Returns a value with all fields.
    pub const fn new(client_id: &'a str, set: A) -> Self {
        Self { client_id, set }
    }
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

impl<A> Test09Reply<A> {
    /// Returns a value with all fields.
    pub const fn new(mytype: A) -> Self {
        Self { mytype }
    }
}

/// To be called with more: there are ten replies
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test10<'a, A = MyType<'a>> {
    pub client_id: &'a str,
    /// `MyType`
    pub mytype: A,
}

impl<'a, A> Test10<'a, A> {
    /// Returns a value with all fields.
    pub const fn new(client_id: &'a str, mytype: A) -> Self {
        Self { client_id, mytype }
    }
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

impl<'a> Test10Reply<'a> {
    /// Returns a value with all fields.
    pub const fn new(string: &'a str) -> Self {
        Self { string }
    }
}

/// To be called with oneway: there is no reply
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test11<'a, A = Raw<'a>> {
    pub client_id: &'a str,
    /// `[]string`
    pub last_more_replies: A,
}

impl<'a, A> Test11<'a, A> {
    /// Returns a value with all fields.
    pub const fn new(client_id: &'a str, last_more_replies: A) -> Self {
        Self { client_id, last_more_replies }
    }
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

impl<'a> End<'a> {
    /// Returns a value with all fields.
    pub const fn new(client_id: &'a str) -> Self {
        Self { client_id }
    }
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

impl EndReply {
    /// Returns a value with all fields.
    pub const fn new(all_ok: bool) -> Self {
        Self { all_ok }
    }
}
