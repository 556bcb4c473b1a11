// Generated from the interface org.example.torture by nullink's example `generate`.
// Do not edit it. To generate it again:
//
//     cargo run --features tools --example generate org.example.torture.varlink > torture.rs

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
use nullink::json::Raw;
use serde::{Deserialize, Serialize};

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
}

/// The names of what the module uses
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Option_ {
    pub some: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Error_ {
    pub code: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method_<'a> {
    #[serde(rename = "Option")]
    pub option: Option_,
    pub error: Option<Error_>,
    #[serde(borrow)]
    pub raw: Raw_<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Methods_<D> {
    /// `[]Method_`
    pub all: D,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Raw_<'a> {
    #[serde(borrow)]
    pub raw: Raw<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoError_ {}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deserialize_<D> {
    /// `?Serialize_`
    pub serialize: Option<D>,
}

/// The names of what Rust uses
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct String<'a> {
    pub string: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vec<D> {
    /// `[]VecVec`
    pub vec: D,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VecVec<'a> {
    #[serde(borrow)]
    pub string: String<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Result {
    pub ok: Ok,
    pub err: Err,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ok {}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Err {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum None {
    #[serde(rename = "none")]
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Box {
    pub r#box: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interface<'a> {
    pub interface: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Debug {
    pub debug: Clone,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clone {
    pub clone: Copy,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copy {
    pub copy: PartialEq,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartialEq {
    pub partial_eq: Eq,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Eq {
    Sized,
    Send,
    Sync,
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

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct B<D> {
    /// `[]C`
    pub a: D,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct C {
    pub a: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct A1<D> {
    /// `?A`
    pub a: Option<D>,
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

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ring<D> {
    /// `?Rong`
    pub next: Option<D>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rong<D> {
    /// `Rang`
    pub next: D,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rang<D> {
    /// `?Ring`
    pub next: Option<D>,
    pub last: Option<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knot<D> {
    /// `?KnotThrough`
    pub through: Option<D>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnotThrough<D, E> {
    /// `KnotThroughIt`
    pub it: D,
    /// `Knotted`
    pub same: E,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnotThroughIt<D> {
    /// `?Knot`
    pub again: Option<D>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knotted<D> {
    /// `?Knot`
    pub knot: Option<D>,
    pub tie: f64,
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

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABC_<'a> {
    #[serde(borrow)]
    pub deep: NestedABCDeep<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABCDeep<'a> {
    #[serde(borrow)]
    pub deeper: NestedABCDeepDeeper<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABCDeepDeeper<'a> {
    #[serde(borrow)]
    pub deepest: NestedABCDeepDeeperDeepest<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABCDeepDeeperDeepest<'a> {
    pub name: &'a str,
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

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABcY<D> {
    /// `[]string`
    pub z: D,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedList<'a, D = NestedListOf<Raw<'a>>> {
    pub name: &'a str,
    /// `NestedListOf`
    pub of: D,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedListOf<D> {
    /// `[]?[string][]NestedListOfThings`
    pub things: D,
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

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedAB {
    pub c: NestedABC___,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NestedABC___ {
    pub taken: bool,
}

/// All that is a reply, and the names that replies have
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Get;

impl Method for Get {
    const NAME: &'static str = "org.example.torture.Get";
    type Output<'r> = ();
    type Error<'r> = Error<'r>;
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Self_ {
    #[serde(rename = "self")]
    pub self_: i64,
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

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Default<'a> {
    #[serde(borrow)]
    pub default: Camels<'a>,
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

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct List<D, E, F> {
    /// `Tree`
    pub tree: D,
    /// `Knot`
    pub knot: E,
    /// `?[]Nested`
    pub all: Option<F>,
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

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListReplyRest<D> {
    /// `ListReplyRestOnly`
    pub only: D,
    pub values: Values,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListReplyRestOnly<D> {
    /// `ListReplyRestOnlyLists`
    pub lists: D,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListReplyRestOnlyLists<D, E> {
    /// `[]string`
    pub of: D,
    /// `[]string`
    pub r#in: E,
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

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PutEverythingSeven {
    pub a: i64,
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

/// The parameters are too many for a line, and the names are too long: this is what is far too long
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MissingFrom<D> {
    /// `[string]()`
    pub set: D,
}
