// Generated from the interface org.example.torture by nullink's example `generate`. Do not edit it.
// To generate it again, in this directory, with a clone of nullink in NULLINK:
//
//     cargo run --manifest-path NULLINK/Cargo.toml --features tools --example generate -- org.example.torture.varlink > torture.rs

//! The interface `org.example.torture`.
//!
//! Whatever is hard to say in Rust: keywords, names that are taken, names that become the same,
//! types without a name, types within themselves.
//!
//!   indented.like_an_example();
//!
//! \```
//! fenced.like_an_example();
//! \```

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(dead_code, unused_imports, missing_docs, clippy::all, rustdoc::all)]

use nullink::{Method, NoError};
use serde::{Deserialize, Serialize};
use nullink::json::Raw;

/// The definition.
pub const INTERFACE: nullink::Interface = nullink::interface!("org.example.torture.varlink");

/// The methods with their parameters: a service decodes its calls as these.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub enum Methods<'a> {
    Get,
    #[serde(borrow)]
    GetReply(GetReply<'a>),
    #[serde(rename = "Self")]
    Self_(Self_),
    Some,
    #[serde(borrow)]
    Default(Default<'a>),
    #[serde(borrow)]
    List(List<Tree<'a>, Knot<Raw<'a>>, Raw<'a>>),
    #[serde(borrow)]
    PutEverything(PutEverything<Raw<'a>, Raw<'a>, Raw<'a>, Raw<'a>, Raw<'a>, Raw<'a>, Raw<'a>, Raw<'a>>),
    GetState(GetState),
    Watch(Watch),
    Pipe,
    Once,
    #[serde(borrow)]
    ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturns(ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturns<'a>),
}

/// The errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Error<'a> {
    Oops,
    TwoFields {
        #[serde(rename = "userName")]
        user_name: &'a str,
        uid: i64,
    },
    /// With a list
    Missing {
        /// `[]string`
        #[serde(borrow)]
        names: Raw<'a>,
        /// `MissingFrom`
        #[serde(borrow)]
        from: MissingFrom<Raw<'a>>,
        /// `?Tree`
        #[serde(borrow)]
        tree: Option<Tree<'a>>,
    },
}

/// Keywords, and what can't even be `r#`. [Brackets], <angles>, https://example.org
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Keywords<'a> {
    /// The first
    pub r#type: i64,
    pub r#fn: Option<&'a str>,
    pub r#async: bool,
    pub r#gen: f64,
    #[serde(rename = "self")]
    pub self_: i64,
    #[serde(rename = "Self")]
    pub self__: i64,
    #[serde(rename = "crate")]
    pub crate_: &'a str,
    #[serde(borrow, rename = "super")]
    pub super_: Option<Raw<'a>>,
}

impl<'a> Keywords<'a> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(r#type: i64, r#async: bool, r#gen: f64, self_: i64, self__: i64, crate_: &'a str) -> Self {
        Self { r#type, r#fn: Option::None, r#async, r#gen, self_, self__, crate_, super_: Option::None }
    }
}

/// camelCase, and one that is not
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Camels<'a> {
    #[serde(rename = "userName")]
    pub user_name: &'a str,
    #[serde(rename = "timeoutUSec")]
    pub timeout_u_sec: Option<i64>,
    pub x: i64,
    #[serde(rename = "machineID")]
    pub machine_id: &'a str,
}

impl<'a> Camels<'a> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(user_name: &'a str, x: i64, machine_id: &'a str) -> Self {
        Self { user_name, timeout_u_sec: Option::None, x, machine_id }
    }
}

/// PascalCase
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pascals<'a> {
    #[serde(rename = "Hostname")]
    pub hostname: &'a str,
    #[serde(rename = "StaticHostname")]
    pub static_hostname: Option<&'a str>,
    #[serde(borrow, rename = "MachineID")]
    pub machine_id: Option<Raw<'a>>,
}

impl<'a> Pascals<'a> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(hostname: &'a str) -> Self {
        Self { hostname, static_hostname: Option::None, machine_id: Option::None }
    }
}

/// Three fields that have the same name in Rust
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Same {
    pub foo_bar: i64,
    #[serde(rename = "fooBar")]
    pub foo_bar_: i64,
    #[serde(rename = "FooBar")]
    pub foo_bar__: i64,
    pub foobar: i64,
}

impl Same {
    /// Returns a value with all fields.
    pub const fn new(foo_bar: i64, foo_bar_: i64, foo_bar__: i64, foobar: i64) -> Self {
        Self { foo_bar, foo_bar_, foo_bar__, foobar }
    }
}

/// Values of all styles, some of which have the same name in Rust
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Values {
    #[serde(rename = "plain")]
    Plain,
    #[serde(rename = "two_words")]
    TwoWords,
    #[serde(rename = "twoWords")]
    TwoWords_,
    #[serde(rename = "TwoWords")]
    TwoWords__,
    #[serde(rename = "LOUD")]
    Loud,
    #[serde(rename = "Self")]
    Self_,
    #[serde(rename = "self")]
    Self__,
    #[serde(rename = "type")]
    Type,
    #[serde(rename = "a1")]
    A1,
    #[serde(rename = "a_1")]
    A1_,
    #[serde(rename = "x86_64")]
    X8664,
    /// A received value that the definition does not have. It can't be sent.
    #[serde(other, skip_serializing)]
    Other,
}

/// Values that serde's snake_case knows
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Snakes {
    /// Only one
    #[serde(rename = "one")]
    One,
    #[serde(rename = "two_words")]
    TwoWords,
    #[serde(rename = "three_more_words")]
    ThreeMoreWords,
    /// A received value that the definition does not have. It can't be sent.
    #[serde(other, skip_serializing)]
    Other,
}

/// The names of what the module uses
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Option_ {
    pub some: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Error_ {
    pub code: i64,
}

impl Error_ {
    /// Returns a value with all fields.
    pub const fn new(code: i64) -> Self {
        Self { code }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method_<'a> {
    #[serde(rename = "Option")]
    pub option: Option_,
    pub error: Option<Error_>,
    #[serde(borrow)]
    pub raw: Raw_<'a>,
}

impl<'a> Method_<'a> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(option: Option_, raw: Raw_<'a>) -> Self {
        Self { option, error: Option::None, raw }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Methods_<D> {
    /// `[]Method_`
    pub all: D,
}

impl<D> Methods_<D> {
    /// Returns a value with all fields.
    pub const fn new(all: D) -> Self {
        Self { all }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Raw_<'a> {
    #[serde(borrow)]
    pub raw: Raw<'a>,
}

impl<'a> Raw_<'a> {
    /// Returns a value with all fields.
    pub const fn new(raw: Raw<'a>) -> Self {
        Self { raw }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NoError_ {}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct INTERFACE_ {}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Serialize_<'a, D = A<Raw<'a>, Raw<'a>, Raw<'a>>> {
    /// `A`
    #[serde(rename = "A")]
    pub a: D,
    pub none: None,
    #[serde(borrow)]
    pub string: String<'a>,
}

impl<'a, D> Serialize_<'a, D> {
    /// Returns a value with all fields.
    pub const fn new(a: D, none: None, string: String<'a>) -> Self {
        Self { a, none, string }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deserialize_<D> {
    /// `?Serialize_`
    pub serialize: Option<D>,
}

impl<D> ::core::default::Default for Deserialize_<D> {
    fn default() -> Self {
        Self { serialize: Option::None }
    }
}

/// The names of what Rust uses
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct String<'a> {
    pub string: &'a str,
}

impl<'a> String<'a> {
    /// Returns a value with all fields.
    pub const fn new(string: &'a str) -> Self {
        Self { string }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vec<D> {
    /// `[]VecVec`
    pub vec: D,
}

impl<D> Vec<D> {
    /// Returns a value with all fields.
    pub const fn new(vec: D) -> Self {
        Self { vec }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VecVec<'a> {
    #[serde(borrow)]
    pub string: String<'a>,
}

impl<'a> VecVec<'a> {
    /// Returns a value with all fields.
    pub const fn new(string: String<'a>) -> Self {
        Self { string }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Result {
    pub ok: Ok,
    pub err: Err,
}

impl Result {
    /// Returns a value with all fields.
    pub const fn new(ok: Ok, err: Err) -> Self {
        Self { ok, err }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ok {}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Err {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum None {
    #[serde(rename = "none")]
    None,
    /// A received value that the definition does not have. It can't be sent.
    #[serde(other, skip_serializing)]
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Box {
    pub r#box: bool,
}

impl Box {
    /// Returns a value with all fields.
    pub const fn new(r#box: bool) -> Self {
        Self { r#box }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interface<'a> {
    pub interface: &'a str,
}

impl<'a> Interface<'a> {
    /// Returns a value with all fields.
    pub const fn new(interface: &'a str) -> Self {
        Self { interface }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Debug {
    pub debug: Clone,
}

impl Debug {
    /// Returns a value with all fields.
    pub const fn new(debug: Clone) -> Self {
        Self { debug }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clone {
    pub clone: Copy,
}

impl Clone {
    /// Returns a value with all fields.
    pub const fn new(clone: Copy) -> Self {
        Self { clone }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copy {
    pub copy: PartialEq,
}

impl Copy {
    /// Returns a value with all fields.
    pub const fn new(copy: PartialEq) -> Self {
        Self { copy }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartialEq {
    pub partial_eq: Eq,
}

impl PartialEq {
    /// Returns a value with all fields.
    pub const fn new(partial_eq: Eq) -> Self {
        Self { partial_eq }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Eq {
    Sized,
    Send,
    Sync,
    /// A received value that the definition does not have. It can't be sent.
    #[serde(other, skip_serializing)]
    Other,
}

/// The names of type parameters
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct A<D, E, F> {
    /// `[]A`
    pub a: D,
    /// `[string]B`
    pub b: E,
    /// `?A1`
    pub c: Option<F>,
}

impl<D, E, F> A<D, E, F> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(a: D, b: E) -> Self {
        Self { a, b, c: Option::None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct B<D> {
    /// `[]C`
    pub a: D,
}

impl<D> B<D> {
    /// Returns a value with all fields.
    pub const fn new(a: D) -> Self {
        Self { a }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct C {
    pub a: i64,
}

impl C {
    /// Returns a value with all fields.
    pub const fn new(a: i64) -> Self {
        Self { a }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct A1<D> {
    /// `?A`
    pub a: Option<D>,
}

impl<D> ::core::default::Default for A1<D> {
    fn default() -> Self {
        Self { a: Option::None }
    }
}

/// Within itself, in every way
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tree<'a, D = Raw<'a>, E = Raw<'a>, F = Raw<'a>> {
    pub value: &'a str,
    /// `?Tree`
    pub parent: Option<D>,
    /// `[]Tree`
    pub children: E,
    /// `[string]Tree`
    pub named: F,
}

impl<'a, D, E, F> Tree<'a, D, E, F> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(value: &'a str, children: E, named: F) -> Self {
        Self { value, parent: Option::None, children, named }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ring<D> {
    /// `?Rong`
    pub next: Option<D>,
}

impl<D> ::core::default::Default for Ring<D> {
    fn default() -> Self {
        Self { next: Option::None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rong<D> {
    /// `Rang`
    pub next: D,
}

impl<D> Rong<D> {
    /// Returns a value with all fields.
    pub const fn new(next: D) -> Self {
        Self { next }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rang<D> {
    /// `?Ring`
    pub next: Option<D>,
    pub last: Option<()>,
}

impl<D> ::core::default::Default for Rang<D> {
    fn default() -> Self {
        Self { next: Option::None, last: Option::None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knot<D> {
    /// `?KnotThrough`
    pub through: Option<D>,
}

impl<D> ::core::default::Default for Knot<D> {
    fn default() -> Self {
        Self { through: Option::None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnotThrough<D, E> {
    /// `KnotThroughIt`
    pub it: D,
    /// `Knotted`
    pub same: E,
}

impl<D, E> KnotThrough<D, E> {
    /// Returns a value with all fields.
    pub const fn new(it: D, same: E) -> Self {
        Self { it, same }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnotThroughIt<D> {
    /// `?Knot`
    pub again: Option<D>,
}

impl<D> ::core::default::Default for KnotThroughIt<D> {
    fn default() -> Self {
        Self { again: Option::None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knotted<D> {
    /// `?Knot`
    pub knot: Option<D>,
    pub tie: f64,
}

impl<D> Knotted<D> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(tie: f64) -> Self {
        Self { knot: Option::None, tie }
    }
}

/// Without names, and with the same names: NestedABC, three times
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nested<'a, D = NestedABc<NestedABcY<Raw<'a>>>, E = Raw<'a>, F = Raw<'a>, G = Raw<'a>> {
    #[serde(borrow)]
    pub a_b_c: NestedABC_<'a>,
    #[serde(rename = "aB_c")]
    pub a_b_c_: NestedABC__,
    /// `?NestedABc`
    #[serde(rename = "a_BC")]
    pub a_bc: Option<D>,
    /// `[]NestedList`
    pub list: E,
    pub nothing: (),
    pub perhaps: Option<()>,
    /// `[string]()`
    pub set: F,
    /// `[string][string]()`
    pub sets: G,
}

impl<'a, D, E, F, G> Nested<'a, D, E, F, G> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(a_b_c: NestedABC_<'a>, a_b_c_: NestedABC__, list: E, nothing: (), set: F, sets: G) -> Self {
        Self { a_b_c, a_b_c_, a_bc: Option::None, list, nothing, perhaps: Option::None, set, sets }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABC_<'a> {
    #[serde(borrow)]
    pub deep: NestedABCDeep<'a>,
}

impl<'a> NestedABC_<'a> {
    /// Returns a value with all fields.
    pub const fn new(deep: NestedABCDeep<'a>) -> Self {
        Self { deep }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABCDeep<'a> {
    #[serde(borrow)]
    pub deeper: NestedABCDeepDeeper<'a>,
}

impl<'a> NestedABCDeep<'a> {
    /// Returns a value with all fields.
    pub const fn new(deeper: NestedABCDeepDeeper<'a>) -> Self {
        Self { deeper }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABCDeepDeeper<'a> {
    #[serde(borrow)]
    pub deepest: NestedABCDeepDeeperDeepest<'a>,
}

impl<'a> NestedABCDeepDeeper<'a> {
    /// Returns a value with all fields.
    pub const fn new(deepest: NestedABCDeepDeeperDeepest<'a>) -> Self {
        Self { deepest }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABCDeepDeeperDeepest<'a> {
    pub name: &'a str,
}

impl<'a> NestedABCDeepDeeperDeepest<'a> {
    /// Returns a value with all fields.
    pub const fn new(name: &'a str) -> Self {
        Self { name }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NestedABC__ {
    #[serde(rename = "one")]
    One,
    #[serde(rename = "two")]
    Two,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABc<D> {
    pub x: i64,
    /// `?NestedABcY`
    pub y: Option<D>,
}

impl<D> NestedABc<D> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(x: i64) -> Self {
        Self { x, y: Option::None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABcY<D> {
    /// `[]string`
    pub z: D,
}

impl<D> NestedABcY<D> {
    /// Returns a value with all fields.
    pub const fn new(z: D) -> Self {
        Self { z }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedList<'a, D = NestedListOf<Raw<'a>>> {
    pub name: &'a str,
    /// `NestedListOf`
    pub of: D,
}

impl<'a, D> NestedList<'a, D> {
    /// Returns a value with all fields.
    pub const fn new(name: &'a str, of: D) -> Self {
        Self { name, of }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedListOf<D> {
    /// `[]?[string][]NestedListOfThings`
    pub things: D,
}

impl<D> NestedListOf<D> {
    /// Returns a value with all fields.
    pub const fn new(things: D) -> Self {
        Self { things }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NestedListOfThings {
    #[serde(rename = "in")]
    In,
    #[serde(rename = "out")]
    Out,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABC {
    pub taken: bool,
}

impl NestedABC {
    /// Returns a value with all fields.
    pub const fn new(taken: bool) -> Self {
        Self { taken }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedAB {
    pub c: NestedABC___,
}

impl NestedAB {
    /// Returns a value with all fields.
    pub const fn new(c: NestedABC___) -> Self {
        Self { c }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABC___ {
    pub taken: bool,
}

impl NestedABC___ {
    /// Returns a value with all fields.
    pub const fn new(taken: bool) -> Self {
        Self { taken }
    }
}

/// All that is a reply, and the names that replies have
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Get;

impl Method for Get {
    const NAME: &'static str = "org.example.torture.Get";
    type Output<'r> = ();
    type Error<'r> = Error<'r>;
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GetReply<'a> {
    pub reply: Option<&'a str>,
}

impl Method for GetReply<'_> {
    const NAME: &'static str = "org.example.torture.GetReply";
    type Output<'r> = GetReplyReply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `GetReply`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetReplyReply<'a> {
    pub reply: &'a str,
}

impl<'a> GetReplyReply<'a> {
    /// Returns a value with all fields.
    pub const fn new(reply: &'a str) -> Self {
        Self { reply }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Self_ {
    #[serde(rename = "self")]
    pub self_: i64,
}

impl Self_ {
    /// Returns a value with all fields.
    pub const fn new(self_: i64) -> Self {
        Self { self_ }
    }
}

impl Method for Self_ {
    const NAME: &'static str = "org.example.torture.Self";
    type Output<'r> = SelfReply;
    type Error<'r> = Error<'r>;
}

/// The reply of `Self`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelfReply {
    #[serde(rename = "self")]
    pub self_: i64,
}

impl SelfReply {
    /// Returns a value with all fields.
    pub const fn new(self_: i64) -> Self {
        Self { self_ }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Some;

impl Method for Some {
    const NAME: &'static str = "org.example.torture.Some";
    type Output<'r> = SomeReply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Some`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SomeReply<'a> {
    pub some: Option<Snakes>,
    #[serde(borrow)]
    pub keywords: Keywords<'a>,
    pub same: Same,
    pub values: Values,
    #[serde(borrow)]
    pub method: Method_<'a>,
    pub debug: Option<Debug>,
}

impl<'a> SomeReply<'a> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(keywords: Keywords<'a>, same: Same, values: Values, method: Method_<'a>) -> Self {
        Self { some: Option::None, keywords, same, values, method, debug: Option::None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Default<'a> {
    #[serde(borrow)]
    pub default: Camels<'a>,
}

impl<'a> Default<'a> {
    /// Returns a value with all fields.
    pub const fn new(default: Camels<'a>) -> Self {
        Self { default }
    }
}

impl Method for Default<'_> {
    const NAME: &'static str = "org.example.torture.Default";
    type Output<'r> = DefaultReply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Default`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DefaultReply<'a> {
    #[serde(borrow)]
    pub default: Pascals<'a>,
}

impl<'a> DefaultReply<'a> {
    /// Returns a value with all fields.
    pub const fn new(default: Pascals<'a>) -> Self {
        Self { default }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct List<D, E, F> {
    /// `Tree`
    pub tree: D,
    /// `Knot`
    pub knot: E,
    /// `?[]Nested`
    pub all: Option<F>,
}

impl<D, E, F> List<D, E, F> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(tree: D, knot: E) -> Self {
        Self { tree, knot, all: Option::None }
    }
}

impl<D: Serialize, E: Serialize, F: Serialize> Method for List<D, E, F> {
    const NAME: &'static str = "org.example.torture.List";
    type Output<'r> = ListReply<Raw<'r>, Ring<Raw<'r>>, ListReplyRest<ListReplyRestOnly<ListReplyRestOnlyLists<Raw<'r>, Raw<'r>>>>>;
    type Error<'r> = Error<'r>;
}

/// The reply of `List`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListReply<D, E, F> {
    /// `[]Tree`
    pub trees: D,
    /// `Ring`
    pub ring: E,
    /// Described
    ///
    /// `ListReplyRest`
    pub rest: F,
}

impl<D, E, F> ListReply<D, E, F> {
    /// Returns a value with all fields.
    pub const fn new(trees: D, ring: E, rest: F) -> Self {
        Self { trees, ring, rest }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListReplyRest<D> {
    /// `ListReplyRestOnly`
    pub only: D,
    pub values: Values,
}

impl<D> ListReplyRest<D> {
    /// Returns a value with all fields.
    pub const fn new(only: D, values: Values) -> Self {
        Self { only, values }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListReplyRestOnly<D> {
    /// `ListReplyRestOnlyLists`
    pub lists: D,
}

impl<D> ListReplyRestOnly<D> {
    /// Returns a value with all fields.
    pub const fn new(lists: D) -> Self {
        Self { lists }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListReplyRestOnlyLists<D, E> {
    /// `[]string`
    pub of: D,
    /// `[]string`
    pub r#in: E,
}

impl<D, E> ListReplyRestOnlyLists<D, E> {
    /// Returns a value with all fields.
    pub const fn new(of: D, r#in: E) -> Self {
        Self { of, r#in }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PutEverything<D, E, F, G, H, I, J, K> {
    /// `[]int`
    pub one: D,
    /// `?[string]float`
    pub two: Option<E>,
    /// `[][]string`
    pub three: F,
    /// `[string][string]()`
    pub four: G,
    /// `[]?Values`
    pub five: H,
    /// `?[]object`
    pub six: Option<I>,
    /// `[]PutEverythingSeven`
    pub seven: J,
    /// `[]any`
    pub eight: K,
}

impl<D, E, F, G, H, I, J, K> PutEverything<D, E, F, G, H, I, J, K> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(one: D, three: F, four: G, five: H, seven: J, eight: K) -> Self {
        Self { one, two: Option::None, three, four, five, six: Option::None, seven, eight }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PutEverythingSeven {
    pub a: i64,
}

impl PutEverythingSeven {
    /// Returns a value with all fields.
    pub const fn new(a: i64) -> Self {
        Self { a }
    }
}

impl<D: Serialize, E: Serialize, F: Serialize, G: Serialize, H: Serialize, I: Serialize, J: Serialize, K: Serialize> Method for PutEverything<D, E, F, G, H, I, J, K> {
    const NAME: &'static str = "org.example.torture.PutEverything";
    type Output<'r> = PutEverythingReply;
    type Error<'r> = Error<'r>;
}

/// The reply of `PutEverything`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PutEverythingReply {
    pub count: i64,
}

impl PutEverythingReply {
    /// Returns a value with all fields.
    pub const fn new(count: i64) -> Self {
        Self { count }
    }
}

/// A value that only calls have, one that only replies have, and names with acronyms
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GetState {
    pub only: Option<GetStateOnly>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GetStateOnly {
    #[serde(rename = "up")]
    Up,
    #[serde(rename = "down")]
    Down,
}

impl Method for GetState {
    const NAME: &'static str = "org.example.torture.GetState";
    type Output<'r> = GetStateReply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `GetState`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetStateReply<'a> {
    pub hostname: &'a str,
    pub state: GetStateReplyState,
}

impl<'a> GetStateReply<'a> {
    /// Returns a value with all fields.
    pub const fn new(hostname: &'a str, state: GetStateReplyState) -> Self {
        Self { hostname, state }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GetStateReplyState {
    #[serde(rename = "running")]
    Running,
    #[serde(rename = "other")]
    Other,
    /// A received value that the definition does not have. It can't be sent.
    #[serde(other, skip_serializing)]
    Other_,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct IPv4AddressState<'a> {
    #[serde(rename = "IPv4AddressState")]
    pub ipv4_address_state: &'a str,
    #[serde(rename = "IPv6")]
    pub ipv6: i64,
    #[serde(rename = "UIDs")]
    pub uids: Option<i64>,
    #[serde(rename = "OperatingSystemCPEName")]
    pub operating_system_cpe_name: Option<&'a str>,
    #[serde(rename = "DHCPv6PDPrefix")]
    pub dhcpv6_pd_prefix: Option<i64>,
    #[serde(rename = "VSockCID")]
    pub v_sock_cid: Option<i64>,
    #[serde(rename = "listenFDsMax")]
    pub listen_fds_max: Option<i64>,
    #[serde(rename = "PSI")]
    pub psi: Option<i64>,
}

impl<'a> IPv4AddressState<'a> {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(ipv4_address_state: &'a str, ipv6: i64) -> Self {
        Self { ipv4_address_state, ipv6, uids: Option::None, operating_system_cpe_name: Option::None, dhcpv6_pd_prefix: Option::None, v_sock_cid: Option::None, listen_fds_max: Option::None, psi: Option::None }
    }
}

/// With flags
/// [Requires 'more' flag]
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    pub from: Option<i64>,
}

impl Method for Watch {
    const NAME: &'static str = "org.example.torture.Watch";
    const REQUIRES_MORE: bool = true;
    type Output<'r> = WatchReply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Watch`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchReply<'a> {
    pub event: &'a str,
}

impl<'a> WatchReply<'a> {
    /// Returns a value with all fields.
    pub const fn new(event: &'a str) -> Self {
        Self { event }
    }
}

/// [Requires 'upgrade' flag]
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pipe;

impl Method for Pipe {
    const NAME: &'static str = "org.example.torture.Pipe";
    const REQUIRES_UPGRADE: bool = true;
    type Output<'r> = ();
    type Error<'r> = Error<'r>;
}

/// [Supports 'more' flag]
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Once;

impl Method for Once {
    const NAME: &'static str = "org.example.torture.Once";
    type Output<'r> = OnceReply<'r>;
    type Error<'r> = Error<'r>;
}

/// The reply of `Once`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnceReply<'a> {
    pub event: &'a str,
}

impl<'a> OnceReply<'a> {
    /// Returns a value with all fields.
    pub const fn new(event: &'a str) -> Self {
        Self { event }
    }
}

/// The parameters are too many for a line, and the names are too long: this is what is far too long
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturns<'a> {
    /// Longer than a line can be with what is around it
    #[serde(borrow, rename = "andThisIsAnEvenLongerNameOfAFieldThatHoldsAValueOfWhichNobodyKnowsWhatItMayBe")]
    pub and_this_is_an_even_longer_name_of_a_field_that_holds_a_value_of_which_nobody_knows_what_it_may_be: Option<Raw<'a>>,
    #[serde(borrow)]
    pub and_this_is_another_long_name_of_a_field_that_holds_a_value_of_which_nobody_knows: Option<Camels<'a>>,
}

impl Method for ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturns<'_> {
    const NAME: &'static str = "org.example.torture.ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturns";
    type Output<'r> = ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturnsReply<Raw<'r>, Raw<'r>, Raw<'r>>;
    type Error<'r> = Error<'r>;
}

/// The reply of `ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturns`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturnsReply<D, E, F> {
    /// `[]string`
    #[serde(rename = "theListOfAllThatThereIs")]
    pub the_list_of_all_that_there_is: D,
    /// `[]string`
    #[serde(rename = "theListOfAllThatThereWas")]
    pub the_list_of_all_that_there_was: E,
    /// `[]string`
    #[serde(rename = "theListOfAllThatThereWillBe")]
    pub the_list_of_all_that_there_will_be: F,
}

impl<D, E, F> ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturnsReply<D, E, F> {
    /// Returns a value with all fields.
    pub const fn new(the_list_of_all_that_there_is: D, the_list_of_all_that_there_was: E, the_list_of_all_that_there_will_be: F) -> Self {
        Self { the_list_of_all_that_there_is, the_list_of_all_that_there_was, the_list_of_all_that_there_will_be }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MissingFrom<D> {
    /// `[string]()`
    pub set: D,
}

impl<D> MissingFrom<D> {
    /// Returns a value with all fields.
    pub const fn new(set: D) -> Self {
        Self { set }
    }
}
