//! `contract`: the Rust types of a program match a definition.
#![cfg(feature = "tools")]

use crate::shared::accounts;

use std::collections::BTreeMap;
use std::num::NonZeroU8;

use nullink::json::{Raw, Value};
use nullink::service::{GetInfo, GetInterfaceDescription, ServiceError};
use nullink::tools::contract;
use nullink::{Interface, Service, idl, interface};
use nullink::{Method, NoError};
use serde::{Deserialize, Serialize};

const ALL: Interface = interface!(
    text "
interface org.example.all

type Color (red, dark_green)
type Point (x: float, y: ?float)
type Tree (children: []Tree, parent: ?Tree)

method Scalars(b: bool, i: int, f: float, s: string, c: Color) -> ()
method Nested(p: Point, list: []Point, map: [string]?Color, tree: ?Tree, set: [string]()) -> (p: Point)
method Raw(o: object, a: any, n: ?any, list: []int) -> (o: object, a: any)
method Nothing() -> ()

error None ()
error Some (why: string, color: ?Color)
"
);

#[derive(Deserialize)]
#[allow(dead_code)]
enum Methods<'a> {
    Scalars {
        b: bool,
        i: u16,
        f: f32,
        s: &'a str,
        c: Color,
    },
    #[serde(borrow)]
    Nested(Nested<'a>),
    #[serde(borrow)]
    Raw(Raws<'a>),
    Nothing,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum Color {
    Red,
    DarkGreen,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Nested<'a> {
    p: Point,
    list: Vec<Point>,
    #[serde(borrow)]
    map: BTreeMap<&'a str, Option<Color>>,
    tree: Option<Box<Tree>>,
    set: BTreeMap<String, Empty>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Point {
    x: f64,
    y: Option<f64>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Tree {
    children: Vec<Tree>,
    parent: Option<Box<Tree>>,
}

#[derive(Deserialize)]
struct Empty {}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Raws<'a> {
    #[serde(borrow)]
    o: Raw<'a>,
    #[serde(borrow)]
    a: Raw<'a>,
    n: Option<serde_json::Value>,
    #[serde(borrow)]
    list: Raw<'a>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Errors<'a> {
    None,
    Some { why: &'a str, color: Option<Color> },
}

/// Declares a method with this reply type.
macro_rules! method {
    ($name:ident, $full:literal, $output:ty) => {
        #[derive(Serialize)]
        struct $name;
        impl Method for $name {
            const NAME: &'static str = $full;
            type Output<'r> = $output;
            type Error<'r> = NoError;
        }
    };
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct HasPoint {
    p: Point,
}

method!(CallNested, "org.example.all.Nested", HasPoint);
method!(CallRaw, "org.example.all.Raw", Value<'r>);
method!(CallNothing, "org.example.all.Nothing", ());
method!(CallUnheard, "org.example.all.Unheard", ());
method!(CallOther, "org.example.other.Nothing", ());

#[test]
fn matching_types_keep_the_contract() {
    contract(&ALL, |types| {
        types
            .methods::<Methods>()
            .errors::<Errors>()
            .call::<CallNested>()
            .call::<CallRaw>()
            .call::<CallNothing>()
            .reply::<Empty>("Scalars")
    })
    .unwrap();
}

#[test]
fn i8_methods_require_the_flags_of_the_definition() {
    const FLAGS: Interface = interface!(text
        "interface a.b\n# [Requires 'more' flag]\nmethod M() -> ()\n# [Supports 'more' flag]\nmethod N() -> ()
        # [Requires 'upgrade' flag]\nmethod O() -> ()"
    );
    #[derive(Serialize)]
    struct Flags<const NAME: char, const MORE: bool, const UPGRADE: bool>;
    impl<const NAME: char, const MORE: bool, const UPGRADE: bool> Method
        for Flags<NAME, MORE, UPGRADE>
    {
        const NAME: &'static str = match NAME {
            'M' => "a.b.M",
            'N' => "a.b.N",
            _ => "a.b.O",
        };
        const REQUIRES_MORE: bool = MORE;
        const REQUIRES_UPGRADE: bool = UPGRADE;
        type Output<'r> = ();
        type Error<'r> = NoError;
    }
    contract(&FLAGS, |types| {
        types
            .call::<Flags<'M', true, false>>()
            .call::<Flags<'N', false, false>>()
            .call::<Flags<'O', false, true>>()
    })
    .unwrap();
    let broken = contract(&FLAGS, |types| {
        types
            .call::<Flags<'M', false, false>>()
            .call::<Flags<'N', true, false>>()
            .call::<Flags<'O', true, false>>()
    });
    let expected = [
        "method M: requires 'more'; in Rust REQUIRES_MORE is false",
        "method N: does not require 'more'; in Rust REQUIRES_MORE is true",
        "method O: does not require 'more'; in Rust REQUIRES_MORE is true",
        "method O: requires 'upgrade'; in Rust REQUIRES_UPGRADE is false",
    ];
    assert_eq!(broken.unwrap_err().lines(), expected);
}

#[test]
fn the_examples_keep_their_contracts() {
    let interface = &<accounts::Accounts as Service>::INTERFACES[0];
    contract(interface, |types| {
        types
            .methods::<accounts::Methods>()
            .errors::<accounts::Error>()
            .call::<accounts::GetAll>()
            .call::<accounts::GetByUid>()
            .call::<accounts::GetByName>()
            .call::<accounts::Add>()
    })
    .unwrap();
    const SERVICE: Interface = interface!("../../src/org.varlink.service.varlink");
    contract(&SERVICE, |types| {
        types
            .errors::<ServiceError>()
            .call::<GetInfo>()
            .call::<GetInterfaceDescription>()
    })
    .unwrap();
}

/// Returns the differences between a type and a reply with the given parameters.
fn lines<T: for<'de> Deserialize<'de>>(defined: &str) -> Vec<String> {
    let text = format!(
        "interface a.b\ntype Color (red, dark_green)\ntype T (t: []T)\ntype S (s: S, n: int)\n\
         type A (b: B, l: []A)\ntype B (a: A)\nmethod M() -> ({defined})"
    );
    let text: &'static str = text.leak();
    let table = vec![idl::Entry::EMPTY; idl::Definition::table_size(text)].leak();
    let definition = idl::Definition::parse(text, table).expect("a definition");
    match contract(&definition, |types| types.reply::<T>("M")) {
        Ok(()) => Vec::new(),
        Err(broken) => {
            let text = broken.to_string();
            assert_eq!(text, format!("{broken:?}"));
            let mut lines = text.lines();
            assert_eq!(
                lines.next(),
                Some("the Rust types differ from the definition of a.b")
            );
            lines.map(|line| line.replace("method M", "M")).collect()
        }
    }
}

/// A structure with one field, `v`.
#[derive(Deserialize)]
struct V<T> {
    #[allow(dead_code)]
    v: T,
}

macro_rules! differ {
    ($($defined:literal, $rust:ty, $line:literal;)*) => {
        $(
            let expected: &[&str] = match $line {
                "" => &[],
                line => &[line],
            };
            let defined = concat!("v: ", $defined);
            assert_eq!(lines::<V<$rust>>(defined), expected, "{} {}", $defined, stringify!($rust));
        )*
    };
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Fewer {
    #[serde(rename = "red")]
    Red,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum Others {
    DarkGreen,
    Red,
    Blue,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum Full {
    Red,
    DarkGreen(u8),
}

#[derive(Deserialize)]
#[serde(try_from = "u8")]
struct Odd;

impl TryFrom<u8> for Odd {
    type Error = &'static str;
    fn try_from(value: u8) -> Result<Self, &'static str> {
        if value == 255 { Ok(Odd) } else { Err("odd") }
    }
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Endless<T> {
    s: T,
    n: i64,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Nullable {
    s: Option<Box<Nullable>>,
    n: i64,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Bare {
    s: Box<Bare>,
    n: i64,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct A {
    b: B,
    l: Vec<A>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct B {
    a: Option<Box<A>>,
}

#[test]
fn i7_types_that_contain_themselves_are_compared() {
    differ! {
        "S", serde::de::IgnoredAny, "";
        "S", Endless<serde::de::IgnoredAny>, "";
        "S", Endless<Endless<Option<serde::de::IgnoredAny>>>, "";
        "?S", Option<Nullable>, "";
        "[]S", Vec<Nullable>, "";
        "S", Nullable, "";
        "S", Bare, "M, output v.s: is S, which contains itself; in Rust it is not an Option";
        // Only a field of the circle may be an Option.
        "S", Option<Nullable>, "M, output v: is S, which is not nullable; in Rust it is an Option";
        "[]S", Vec<Option<Nullable>>, "M, output v: is S, which is not nullable; in Rust it is an Option";
        "A", A, "";
    }
}

#[test]
fn kinds_of_types_are_compared() {
    differ! {
        "bool", bool, "";
        "bool", u8, "M, output v: is bool; in Rust it is an integer";
        "int", i64, "";
        "int", u8, "";
        "int", NonZeroU8, "";
        "int", f64, "M, output v: is int; in Rust it is a float";
        "int", Odd, "M: can't be examined: the Rust type refuses 0 and 1, \"\" and \"a\"";
        "float", f32, "";
        "float", i64, "M, output v: is float; in Rust it is an integer";
        "string", String, "";
        "string", char, "";
        "string", heapless::String<4>, "";
        "string", bool, "M, output v: is string; in Rust it is bool";
        "string", Color, "M, output v: is string; in Rust it is an enumeration";
        "object", serde_json::Value, "";
        "object", BTreeMap<String, String>, "";
        "object", Point, "";
        "object", String, "M, output v: is object; in Rust it is a string";
        "any", serde_json::Value, "";
        "any", String, "M, output v: is any; in Rust it is a string";
        "any", u8, "M, output v: is any; in Rust it is an integer";
        "Color", Color, "";
        "(red, dark_green)", Color, "";
        "Color", String, "M, output v: is Color; in Rust it is a string";
        "Color", Fewer, "M, output v: the Rust type does not have the value dark_green";
        "Color", Others, "M, output v: the definition does not have the value blue";
        "Color", Full, "M, output v: the value dark_green has content in Rust";
        "?int", Option<u8>, "";
        "?int", u8, "M, output v: is ?int, which is nullable; in Rust it is not an Option";
        "int", Option<u8>, "M, output v: is int, which is not nullable; in Rust it is an Option";
        "[]int", Vec<u8>, "";
        "[]int", [i64; 3], "";
        "[]int", (u8, i16), "";
        "[]int", heapless::Vec<u8, 3>, "";
        "[]int", Vec<String>, "M, output v: is int; in Rust it is a string";
        "[]int", Vec<Option<u8>>, "M, output v: is int, which is not nullable; in Rust it is an Option";
        "[]?int", Vec<u8>, "M, output v: is ?int, which is nullable; in Rust it is not an Option";
        "[]int", u8, "M, output v: is []int; in Rust it is an integer";
        "[]int", BTreeMap<String, u8>, "M, output v: is []int; in Rust it is a map";
        "[string]int", BTreeMap<String, u8>, "";
        "[string]int", heapless::LinearMap<String, u8, 2>, "";
        "[string]int", BTreeMap<String, String>, "M, output v: is int; in Rust it is a string";
        "[string]int", V<u8>, "M, output v: is [string]int; in Rust it is a structure";
        "[string]()", BTreeMap<String, ()>, "";
        "[string]()", BTreeMap<String, Empty>, "";
        "[string]()", BTreeMap<String, V<u8>>, "M, output v.v: the definition does not have it";
        "()", (), "";
        "()", Empty, "";
        "(v: int)", V<u8>, "";
        "(v: int)", V<String>, "M, output v.v: is int; in Rust it is a string";
        "(v: int)", Empty, "M, output v.v: the Rust type does not have it";
        "(v: int)", (), "M, output v: is (v: int); in Rust it is a structure without fields";
        "(v: (v: ?(v: Color)))", V<V<Option<V<bool>>>>, "M, output v.v.v.v: is Color; in Rust it is bool";
    }
    assert_eq!(
        lines::<V<V<u8>>>("v: (w: int)"),
        [
            "M, output v.v: the definition does not have it",
            "M, output v.w: the Rust type does not have it"
        ]
    );
    assert_eq!(
        lines::<V<u8>>("v: int, w: ?int"),
        ["M, output w: the Rust type does not have it"]
    );
    assert_eq!(lines::<u8>(""), ["M: is (); in Rust it is an integer"]);
    assert_eq!(lines::<Vec<V<u8>>>(""), ["M: is (); in Rust it is a list"]);
    // The check ends for types that contain themselves.
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct T {
        t: Vec<T>,
    }
    assert_eq!(lines::<T>("t: []T"), [""; 0]);
    assert_eq!(lines::<V<T>>("v: T"), [""; 0]);
}

#[test]
fn members_are_compared() {
    #[derive(Deserialize)]
    #[allow(dead_code)]
    enum Some {
        Scalars {
            b: bool,
            i: u16,
            f: f32,
            s: String,
            c: u8,
        },
        Nothing {
            at: Option<u8>,
        },
        Raw,
        Unheard,
    }
    let broken = contract(&ALL, |types| {
        types
            .methods::<Some>()
            .errors::<Empty>()
            .call::<CallUnheard>()
            .call::<CallOther>()
            .reply::<()>("None")
    });
    assert_eq!(
        broken.unwrap_err().to_string(),
        "the Rust types differ from the definition of org.example.all
method Unheard: the definition does not have it
method Scalars, parameter c: is Color; in Rust it is an integer
method Nested: the enum does not have it
method Raw, parameter o: the Rust type does not have it
method Raw, parameter a: the Rust type does not have it
method Raw, parameter n: the Rust type does not have it
method Raw, parameter list: the Rust type does not have it
method Nothing, parameter at: the definition does not have it
the errors are not an enum in Rust
method Unheard: the definition does not have it
method org.example.other.Nothing: the definition does not have it
method None: the definition does not have it"
    );
    #[derive(Deserialize)]
    #[allow(dead_code)]
    enum OtherErrors {
        None(Empty),
        Some(V<u8>),
        Odd,
    }
    let broken = contract(&ALL, |types| types.errors::<OtherErrors>());
    assert_eq!(
        broken.unwrap_err().to_string(),
        "the Rust types differ from the definition of org.example.all
error Odd: the definition does not have it
error Some, parameter v: the definition does not have it
error Some, parameter why: the Rust type does not have it
error Some, parameter color: the Rust type does not have it"
    );
}

/// Types with serde attributes.
mod attributes {
    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    #[allow(dead_code)]
    enum Prepared {
        Red,
        DarkGreen,
        #[serde(other)]
        Unknown,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    #[allow(dead_code)]
    enum PreparedErrors {
        #[serde(rename = "None")]
        None,
        #[serde(rename = "Some")]
        Some { why: String, color: Option<Color> },
        #[serde(other)]
        Other,
    }

    #[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
    struct Name(String);

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Strict {
        v: i64,
    }

    fn option<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
        Option::deserialize(from)
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct NeedsIt {
        #[serde(deserialize_with = "option")]
        v: Option<i64>,
    }

    #[derive(Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    #[allow(dead_code)]
    struct Defaults {
        v: i64,
        #[serde(skip)]
        own: u8,
    }

    #[test]
    fn a_variant_for_unknown_values_need_not_be_in_the_definition() {
        assert_eq!(lines::<V<Prepared>>("v: Color"), [""; 0]);
        assert_eq!(
            lines::<V<Prepared>>("v: (red)"),
            [
                "M, output v: the definition does not have the value dark_green",
                "M, output v: the definition does not have the value unknown"
            ]
        );
        contract(&ALL, |types| types.errors::<PreparedErrors>()).unwrap();
    }

    #[test]
    fn keys_can_be_of_a_newtype() {
        assert_eq!(lines::<V<BTreeMap<Name, u8>>>("v: [string]int"), [""; 0]);
    }

    #[test]
    fn nullable_fields_may_be_missing() {
        assert_eq!(
            lines::<NeedsIt>("v: ?int"),
            ["M: nullable fields may be missing; the Rust type requires v"]
        );
        assert_eq!(lines::<Defaults>("v: int"), [""; 0]);
    }

    #[test]
    fn replies_may_have_unknown_fields_and_calls_may_not() {
        assert_eq!(
            lines::<Strict>("v: int"),
            ["M: replies may have unknown fields; the Rust type refuses them"]
        );
        const STRICT: Interface = interface!(text "interface a.b\nmethod M(v: int) -> ()");
        #[derive(Deserialize)]
        #[allow(dead_code)]
        enum Methods {
            M(Strict),
        }
        contract(&STRICT, |types| types.methods::<Methods>()).unwrap();
    }

    #[test]
    fn each_difference_of_a_recursive_type_is_reported_once() {
        #[derive(Deserialize)]
        #[allow(dead_code)]
        struct Wide {
            a: Option<Box<Wide>>,
            b: Option<Box<Wide>>,
            c: Vec<Wide>,
            d: [i64; 2],
        }
        const WIDE: Interface = interface!(
            text "interface a.b
type Wide (a: ?Wide, b: ?Wide, c: []Wide, d: []int)
type Wider (a: ?Wider, b: ?Wider, c: []Wider, d: []int, e: int)
method Same() -> (v: Wide)
method More() -> (v: Wider)
method List() -> (v: ?[]int)
"
        );
        contract(&WIDE, |types| types.reply::<V<Wide>>("Same")).unwrap();
        let broken = contract(&WIDE, |types| types.reply::<V<Wide>>("More"));
        assert_eq!(broken.unwrap_err().to_string().lines().count(), 2);
        let broken = contract(&WIDE, |types| types.reply::<V<Vec<u8>>>("List"));
        assert_eq!(broken.unwrap_err().to_string().lines().count(), 2);
    }
}
