// Generated from the interface org.example.torture by nullink's example `generate`. Do not edit it.
// To generate it again, in this directory, with a clone of nullink in NULLINK:
//
//     cargo run --manifest-path NULLINK/Cargo.toml --features tools --example generate -- --owned org.example.torture.varlink > torture.rs

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
use std::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};

/// The definition.
pub const INTERFACE: nullink::Interface = nullink::interface!("org.example.torture.varlink");

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
    Get,
    GetReply(GetReply),
    #[serde(rename = "Self")]
    Self_(Self_),
    Some,
    Default(Default),
    List(List),
    PutEverything(PutEverything),
    GetState(GetState),
    Watch(Watch),
    Pipe,
    Once,
    ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturns(ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturns),
}

/// The errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Error {
    Oops,
    TwoFields {
        #[serde(rename = "userName")]
        user_name: String,
        uid: i64,
    },
    /// With a list
    Missing {
        names: Vec<String>,
        from: MissingFrom,
        tree: Option<Tree>,
    },
}

/// Keywords, and what can't even be `r#`. [Brackets], <angles>, https://example.org
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Keywords {
    /// The first
    pub r#type: i64,
    pub r#fn: Option<String>,
    pub r#async: bool,
    pub r#gen: f64,
    #[serde(rename = "self")]
    pub self_: i64,
    #[serde(rename = "Self")]
    pub self__: i64,
    #[serde(rename = "crate")]
    pub crate_: String,
    #[serde(rename = "super")]
    pub super_: Option<Json>,
}

impl Keywords {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(r#type: i64, r#async: bool, r#gen: f64, self_: i64, self__: i64, crate_: String) -> Self {
        Self { r#type, r#fn: Option::None, r#async, r#gen, self_, self__, crate_, super_: Option::None }
    }
}

/// camelCase, and one that is not
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Camels {
    #[serde(rename = "userName")]
    pub user_name: String,
    #[serde(rename = "timeoutUSec")]
    pub timeout_u_sec: Option<i64>,
    pub x: i64,
    #[serde(rename = "machineID")]
    pub machine_id: String,
}

impl Camels {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(user_name: String, x: i64, machine_id: String) -> Self {
        Self { user_name, timeout_u_sec: Option::None, x, machine_id }
    }
}

/// PascalCase
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pascals {
    #[serde(rename = "Hostname")]
    pub hostname: String,
    #[serde(rename = "StaticHostname")]
    pub static_hostname: Option<String>,
    #[serde(rename = "MachineID")]
    pub machine_id: Option<Json>,
}

impl Pascals {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(hostname: String) -> Self {
        Self { hostname, static_hostname: Option::None, machine_id: Option::None }
    }
}

/// Three fields that have the same name in Rust
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Option_ {
    pub some: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Error_ {
    pub code: i64,
}

impl Error_ {
    /// Returns a value with all fields.
    pub const fn new(code: i64) -> Self {
        Self { code }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method_ {
    #[serde(rename = "Option")]
    pub option: Option_,
    pub error: Option<Error_>,
    pub raw: Raw_,
}

impl Method_ {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(option: Option_, raw: Raw_) -> Self {
        Self { option, error: Option::None, raw }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Methods_ {
    pub all: Vec<Method_>,
}

impl Methods_ {
    /// Returns a value with all fields.
    pub const fn new(all: Vec<Method_>) -> Self {
        Self { all }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Raw_ {
    pub raw: Json,
}

impl Raw_ {
    /// Returns a value with all fields.
    pub const fn new(raw: Json) -> Self {
        Self { raw }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NoError_ {}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct INTERFACE_ {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Serialize_ {
    #[serde(rename = "A")]
    pub a: A,
    pub none: None,
    pub string: String_,
}

impl Serialize_ {
    /// Returns a value with all fields.
    pub const fn new(a: A, none: None, string: String_) -> Self {
        Self { a, none, string }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deserialize_ {
    pub serialize: Option<Serialize_>,
}

/// The names of what Rust uses
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct String_ {
    pub string: String,
}

impl String_ {
    /// Returns a value with all fields.
    pub const fn new(string: String) -> Self {
        Self { string }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vec_ {
    pub vec: Vec<VecVec>,
}

impl Vec_ {
    /// Returns a value with all fields.
    pub const fn new(vec: Vec<VecVec>) -> Self {
        Self { vec }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VecVec {
    pub string: String_,
}

impl VecVec {
    /// Returns a value with all fields.
    pub const fn new(string: String_) -> Self {
        Self { string }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ok {}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Err {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum None {
    #[serde(rename = "none")]
    None,
    /// A received value that the definition does not have. It can't be sent.
    #[serde(other, skip_serializing)]
    Other,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Box_ {
    pub r#box: bool,
}

impl Box_ {
    /// Returns a value with all fields.
    pub const fn new(r#box: bool) -> Self {
        Self { r#box }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    pub interface: String,
}

impl Interface {
    /// Returns a value with all fields.
    pub const fn new(interface: String) -> Self {
        Self { interface }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Debug {
    pub debug: Clone,
}

impl Debug {
    /// Returns a value with all fields.
    pub const fn new(debug: Clone) -> Self {
        Self { debug }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clone {
    pub clone: Copy,
}

impl Clone {
    /// Returns a value with all fields.
    pub const fn new(clone: Copy) -> Self {
        Self { clone }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copy {
    pub copy: PartialEq,
}

impl Copy {
    /// Returns a value with all fields.
    pub const fn new(copy: PartialEq) -> Self {
        Self { copy }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct A {
    pub a: Vec<A>,
    pub b: BTreeMap<String, B>,
    pub c: Option<Box<A1>>,
}

impl A {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(a: Vec<A>, b: BTreeMap<String, B>) -> Self {
        Self { a, b, c: Option::None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct B {
    pub a: Vec<C>,
}

impl B {
    /// Returns a value with all fields.
    pub const fn new(a: Vec<C>) -> Self {
        Self { a }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct C {
    pub a: i64,
}

impl C {
    /// Returns a value with all fields.
    pub const fn new(a: i64) -> Self {
        Self { a }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct A1 {
    pub a: Option<A>,
}

/// Within itself, in every way
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    pub value: String,
    pub parent: Option<Box<Tree>>,
    pub children: Vec<Tree>,
    pub named: BTreeMap<String, Tree>,
}

impl Tree {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(value: String, children: Vec<Tree>, named: BTreeMap<String, Tree>) -> Self {
        Self { value, parent: Option::None, children, named }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ring {
    pub next: Option<Box<Rong>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rong {
    pub next: Rang,
}

impl Rong {
    /// Returns a value with all fields.
    pub const fn new(next: Rang) -> Self {
        Self { next }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rang {
    pub next: Option<Ring>,
    pub last: Option<()>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Knot {
    pub through: Option<Box<KnotThrough>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnotThrough {
    pub it: KnotThroughIt,
    pub same: Knotted,
}

impl KnotThrough {
    /// Returns a value with all fields.
    pub const fn new(it: KnotThroughIt, same: Knotted) -> Self {
        Self { it, same }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KnotThroughIt {
    pub again: Option<Knot>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knotted {
    pub knot: Option<Knot>,
    pub tie: f64,
}

impl Knotted {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(tie: f64) -> Self {
        Self { knot: Option::None, tie }
    }
}

/// Without names, and with the same names: NestedABC, three times
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nested {
    pub a_b_c: NestedABC_,
    #[serde(rename = "aB_c")]
    pub a_b_c_: NestedABC__,
    #[serde(rename = "a_BC")]
    pub a_bc: Option<NestedABc>,
    pub list: Vec<NestedList>,
    pub nothing: (),
    pub perhaps: Option<()>,
    pub set: BTreeMap<String, ()>,
    pub sets: BTreeMap<String, BTreeMap<String, ()>>,
}

impl Nested {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(a_b_c: NestedABC_, a_b_c_: NestedABC__, list: Vec<NestedList>, nothing: (), set: BTreeMap<String, ()>, sets: BTreeMap<String, BTreeMap<String, ()>>) -> Self {
        Self { a_b_c, a_b_c_, a_bc: Option::None, list, nothing, perhaps: Option::None, set, sets }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABC_ {
    pub deep: NestedABCDeep,
}

impl NestedABC_ {
    /// Returns a value with all fields.
    pub const fn new(deep: NestedABCDeep) -> Self {
        Self { deep }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABCDeep {
    pub deeper: NestedABCDeepDeeper,
}

impl NestedABCDeep {
    /// Returns a value with all fields.
    pub const fn new(deeper: NestedABCDeepDeeper) -> Self {
        Self { deeper }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABCDeepDeeper {
    pub deepest: NestedABCDeepDeeperDeepest,
}

impl NestedABCDeepDeeper {
    /// Returns a value with all fields.
    pub const fn new(deepest: NestedABCDeepDeeperDeepest) -> Self {
        Self { deepest }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABCDeepDeeperDeepest {
    pub name: String,
}

impl NestedABCDeepDeeperDeepest {
    /// Returns a value with all fields.
    pub const fn new(name: String) -> Self {
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABc {
    pub x: i64,
    pub y: Option<NestedABcY>,
}

impl NestedABc {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(x: i64) -> Self {
        Self { x, y: Option::None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABcY {
    pub z: Vec<String>,
}

impl NestedABcY {
    /// Returns a value with all fields.
    pub const fn new(z: Vec<String>) -> Self {
        Self { z }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedList {
    pub name: String,
    pub of: NestedListOf,
}

impl NestedList {
    /// Returns a value with all fields.
    pub const fn new(name: String, of: NestedListOf) -> Self {
        Self { name, of }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedListOf {
    pub things: Vec<Option<BTreeMap<String, Vec<NestedListOfThings>>>>,
}

impl NestedListOf {
    /// Returns a value with all fields.
    pub const fn new(things: Vec<Option<BTreeMap<String, Vec<NestedListOfThings>>>>) -> Self {
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABC {
    pub taken: bool,
}

impl NestedABC {
    /// Returns a value with all fields.
    pub const fn new(taken: bool) -> Self {
        Self { taken }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedAB {
    pub c: NestedABC___,
}

impl NestedAB {
    /// Returns a value with all fields.
    pub const fn new(c: NestedABC___) -> Self {
        Self { c }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Get;

impl Method for Get {
    const NAME: &'static str = "org.example.torture.Get";
    type Output<'r> = ();
    type Error<'r> = Error;
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GetReply {
    pub reply: Option<String>,
}

impl Method for GetReply {
    const NAME: &'static str = "org.example.torture.GetReply";
    type Output<'r> = GetReplyReply;
    type Error<'r> = Error;
}

/// The reply of `GetReply`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetReplyReply {
    pub reply: String,
}

impl GetReplyReply {
    /// Returns a value with all fields.
    pub const fn new(reply: String) -> Self {
        Self { reply }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    type Error<'r> = Error;
}

/// The reply of `Self`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Some;

impl Method for Some {
    const NAME: &'static str = "org.example.torture.Some";
    type Output<'r> = SomeReply;
    type Error<'r> = Error;
}

/// The reply of `Some`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SomeReply {
    pub some: Option<Snakes>,
    pub keywords: Keywords,
    pub same: Same,
    pub values: Values,
    pub method: Method_,
    pub debug: Option<Debug>,
}

impl SomeReply {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(keywords: Keywords, same: Same, values: Values, method: Method_) -> Self {
        Self { some: Option::None, keywords, same, values, method, debug: Option::None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Default {
    pub default: Camels,
}

impl Default {
    /// Returns a value with all fields.
    pub const fn new(default: Camels) -> Self {
        Self { default }
    }
}

impl Method for Default {
    const NAME: &'static str = "org.example.torture.Default";
    type Output<'r> = DefaultReply;
    type Error<'r> = Error;
}

/// The reply of `Default`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DefaultReply {
    pub default: Pascals,
}

impl DefaultReply {
    /// Returns a value with all fields.
    pub const fn new(default: Pascals) -> Self {
        Self { default }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct List {
    pub tree: Tree,
    pub knot: Knot,
    pub all: Option<Vec<Nested>>,
}

impl List {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(tree: Tree, knot: Knot) -> Self {
        Self { tree, knot, all: Option::None }
    }
}

impl Method for List {
    const NAME: &'static str = "org.example.torture.List";
    type Output<'r> = ListReply;
    type Error<'r> = Error;
}

/// The reply of `List`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListReply {
    pub trees: Vec<Tree>,
    pub ring: Ring,
    /// Described
    pub rest: ListReplyRest,
}

impl ListReply {
    /// Returns a value with all fields.
    pub const fn new(trees: Vec<Tree>, ring: Ring, rest: ListReplyRest) -> Self {
        Self { trees, ring, rest }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListReplyRest {
    pub only: ListReplyRestOnly,
    pub values: Values,
}

impl ListReplyRest {
    /// Returns a value with all fields.
    pub const fn new(only: ListReplyRestOnly, values: Values) -> Self {
        Self { only, values }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListReplyRestOnly {
    pub lists: ListReplyRestOnlyLists,
}

impl ListReplyRestOnly {
    /// Returns a value with all fields.
    pub const fn new(lists: ListReplyRestOnlyLists) -> Self {
        Self { lists }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListReplyRestOnlyLists {
    pub of: Vec<String>,
    pub r#in: Vec<String>,
}

impl ListReplyRestOnlyLists {
    /// Returns a value with all fields.
    pub const fn new(of: Vec<String>, r#in: Vec<String>) -> Self {
        Self { of, r#in }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PutEverything {
    pub one: Vec<i64>,
    pub two: Option<BTreeMap<String, f64>>,
    pub three: Vec<Vec<String>>,
    pub four: BTreeMap<String, BTreeMap<String, ()>>,
    pub five: Vec<Option<Values>>,
    pub six: Option<Vec<Json>>,
    pub seven: Vec<PutEverythingSeven>,
    pub eight: Vec<Json>,
}

impl PutEverything {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(one: Vec<i64>, three: Vec<Vec<String>>, four: BTreeMap<String, BTreeMap<String, ()>>, five: Vec<Option<Values>>, seven: Vec<PutEverythingSeven>, eight: Vec<Json>) -> Self {
        Self { one, two: Option::None, three, four, five, six: Option::None, seven, eight }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PutEverythingSeven {
    pub a: i64,
}

impl PutEverythingSeven {
    /// Returns a value with all fields.
    pub const fn new(a: i64) -> Self {
        Self { a }
    }
}

impl Method for PutEverything {
    const NAME: &'static str = "org.example.torture.PutEverything";
    type Output<'r> = PutEverythingReply;
    type Error<'r> = Error;
}

/// The reply of `PutEverything`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    type Output<'r> = GetStateReply;
    type Error<'r> = Error;
}

/// The reply of `GetState`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetStateReply {
    pub hostname: String,
    pub state: GetStateReplyState,
}

impl GetStateReply {
    /// Returns a value with all fields.
    pub const fn new(hostname: String, state: GetStateReplyState) -> Self {
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IPv4AddressState {
    #[serde(rename = "IPv4AddressState")]
    pub ipv4_address_state: String,
    #[serde(rename = "IPv6")]
    pub ipv6: i64,
    #[serde(rename = "UIDs")]
    pub uids: Option<i64>,
    #[serde(rename = "OperatingSystemCPEName")]
    pub operating_system_cpe_name: Option<String>,
    #[serde(rename = "DHCPv6PDPrefix")]
    pub dhcpv6_pd_prefix: Option<i64>,
    #[serde(rename = "VSockCID")]
    pub v_sock_cid: Option<i64>,
    #[serde(rename = "listenFDsMax")]
    pub listen_fds_max: Option<i64>,
    #[serde(rename = "PSI")]
    pub psi: Option<i64>,
}

impl IPv4AddressState {
    /// Returns a value with the mandatory fields. The others are `None`.
    pub const fn new(ipv4_address_state: String, ipv6: i64) -> Self {
        Self { ipv4_address_state, ipv6, uids: Option::None, operating_system_cpe_name: Option::None, dhcpv6_pd_prefix: Option::None, v_sock_cid: Option::None, listen_fds_max: Option::None, psi: Option::None }
    }
}

/// With flags
/// [Requires 'more' flag]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    pub from: Option<i64>,
}

impl Method for Watch {
    const NAME: &'static str = "org.example.torture.Watch";
    const REQUIRES_MORE: bool = true;
    type Output<'r> = WatchReply;
    type Error<'r> = Error;
}

/// The reply of `Watch`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchReply {
    pub event: String,
}

impl WatchReply {
    /// Returns a value with all fields.
    pub const fn new(event: String) -> Self {
        Self { event }
    }
}

/// [Requires 'upgrade' flag]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pipe;

impl Method for Pipe {
    const NAME: &'static str = "org.example.torture.Pipe";
    const REQUIRES_UPGRADE: bool = true;
    type Output<'r> = ();
    type Error<'r> = Error;
}

/// [Supports 'more' flag]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Once;

impl Method for Once {
    const NAME: &'static str = "org.example.torture.Once";
    type Output<'r> = OnceReply;
    type Error<'r> = Error;
}

/// The reply of `Once`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnceReply {
    pub event: String,
}

impl OnceReply {
    /// Returns a value with all fields.
    pub const fn new(event: String) -> Self {
        Self { event }
    }
}

/// The parameters are too many for a line, and the names are too long: this is what is far too long
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturns {
    /// Longer than a line can be with what is around it
    #[serde(rename = "andThisIsAnEvenLongerNameOfAFieldThatHoldsAValueOfWhichNobodyKnowsWhatItMayBe")]
    pub and_this_is_an_even_longer_name_of_a_field_that_holds_a_value_of_which_nobody_knows_what_it_may_be: Option<Json>,
    pub and_this_is_another_long_name_of_a_field_that_holds_a_value_of_which_nobody_knows: Option<Camels>,
}

impl Method for ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturns {
    const NAME: &'static str = "org.example.torture.ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturns";
    type Output<'r> = ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturnsReply;
    type Error<'r> = Error;
}

/// The reply of `ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturns`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturnsReply {
    #[serde(rename = "theListOfAllThatThereIs")]
    pub the_list_of_all_that_there_is: Vec<String>,
    #[serde(rename = "theListOfAllThatThereWas")]
    pub the_list_of_all_that_there_was: Vec<String>,
    #[serde(rename = "theListOfAllThatThereWillBe")]
    pub the_list_of_all_that_there_will_be: Vec<String>,
}

impl ThisIsAnExtraordinarilyLongNameOfAMethodThatDoesNextToNothingAndThenItReturnsReply {
    /// Returns a value with all fields.
    pub const fn new(the_list_of_all_that_there_is: Vec<String>, the_list_of_all_that_there_was: Vec<String>, the_list_of_all_that_there_will_be: Vec<String>) -> Self {
        Self { the_list_of_all_that_there_is, the_list_of_all_that_there_was, the_list_of_all_that_there_will_be }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MissingFrom {
    pub set: BTreeMap<String, ()>,
}

impl MissingFrom {
    /// Returns a value with all fields.
    pub const fn new(set: BTreeMap<String, ()>) -> Self {
        Self { set }
    }
}
