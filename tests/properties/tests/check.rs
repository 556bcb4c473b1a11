//! Values are checked against their definitions before a handler runs.

#[path = "../../common/mod.rs"]
mod common;

use common::{Arrival, answer};
use nullink::idl::{Definition, Entry, MemberKind, Type, TypeKind};

const MAX_MAP_KEYS: usize = Definition::MAX_MAP_KEYS;
const MAX_OPEN_FIELDS: usize = Definition::MAX_OPEN_FIELDS;
const MAX_OPEN_KEYS: usize = Definition::MAX_OPEN_KEYS;
use nullink::json::Raw;
use nullink::service::{Answer, Info, Responder};
use nullink::{Call, Error, Interface, Mismatch, Service, interface};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

const ALL: Interface = interface!(
    text "
interface org.example.all

type Color (red, green)
type Tree (children: []Tree, left: ?Tree, by_name: ?[string]Tree)

method Bool(v: bool) -> ()
method Int(v: int) -> ()
method Float(v: float) -> ()
method String(v: string) -> ()
method Object(v: object) -> ()
method Any(v: any) -> ()
method Named(v: Color) -> ()
method Enum(v: (one, two_three)) -> ()
method Struct(v: (a: int, b: ?string)) -> ()
method Empty(v: ()) -> ()
method Array(v: []int) -> ()
method Arrays(v: [][]?int) -> ()
method Map(v: [string]int) -> ()
method Set(v: [string]()) -> ()
method Maps(v: [string][string]int) -> ()
method Nullable(v: ?int) -> ()
method NullableStruct(v: ?(a: int)) -> ()
method NullableMap(v: ?[string]?Color) -> ()
method Trees(v: Tree) -> ()
method Two(a: ?int, b: int) -> (sum: int)
method None() -> ()

error Odd (why: string, color: ?Color)
"
);

/// Returns the mismatch of the parameter `v` of a method, if there is one.
fn v(method: &str, value: &str) -> Option<Mismatch> {
    let text = format!(r#" {{ "v" : {value} }} "#);
    let deviation = ALL
        .check_call(method, Raw::new(&text).expect("JSON"))
        .err()?;
    assert_eq!(deviation.field(), Some("v"), "{method} {value}");
    Some(deviation.mismatch())
}

#[test]
fn m5_every_type_accepts_only_its_values() {
    use Mismatch::*;
    for (method, good, bad) in [
        (
            "Bool",
            "true false",
            "null:Type 0:Type \"true\":Type {}:Type []:Type",
        ),
        (
            "Int",
            "0 -0 1 -1 9223372036854775807 -9223372036854775808 18446744073709551615",
            "null:Type \"1\":Type true:Type 1.0:Range 1e3:Range 1E0:Range 18446744073709551616:Range \
             -9223372036854775809:Range [1]:Type",
        ),
        (
            "Float",
            "0 1 1.5 -1.5e300 1e-400 123456789012345678901234567890",
            "null:Type \"1\":Type 1e400:Range -1e309:Range false:Type",
        ),
        (
            "String",
            "\"\" \"x\" \"null\" \"\\u0000\"",
            "null:Type 1:Type [\"x\"]:Type {}:Type",
        ),
        (
            "Object",
            "{} {\"a\":{\"a\":[null]}}",
            "null:Type []:Type \"{}\":Type 1:Type",
        ),
        (
            "Any",
            "true 1 1.5 \"x\" [] [null] {} {\"a\":null}",
            "null:Type",
        ),
        (
            "Named",
            "\"red\" \"green\" \"\\u0072ed\"",
            "\"blue\":Variant \"Red\":Variant \"re\":Variant \"redd\":Variant \"\":Variant 0:Type null:Type {\"red\":{}}:Type",
        ),
        (
            "Enum",
            "\"one\" \"two_three\" \"two\\u005fthree\"",
            "\"two\":Variant \"v\":Variant [\"one\"]:Type",
        ),
        (
            "Struct",
            "{\"a\":1} {\"a\":1,\"b\":null} {\"b\":\"\",\"a\":1} {\"\\u0061\":1}",
            "{}:Missing {\"b\":\"x\"}:Missing {\"a\":null}:Type {\"a\":1,\"c\":1}:Unknown {\"a\":1,\"a\":1}:Duplicate {\"a\":1,\"\\u0061\":1}:Duplicate {\"a\":1,\"b\":1}:Type null:Type []:Type",
        ),
        (
            "Empty",
            "{}",
            "{\"a\":1}:Unknown []:Type null:Type \"\":Type",
        ),
        (
            "Array",
            "[] [1] [1,2,3]",
            "[null]:Type [1,null]:Type [1,\"2\"]:Type [[1]]:Type {}:Type 1:Type [1.5]:Range",
        ),
        (
            "Arrays",
            "[] [[]] [[1,null],[]]",
            "[null]:Type [1]:Type [[1],[\"\"]]:Type",
        ),
        (
            "Map",
            "{} {\"a\":1} {\"\":1,\"\\u0000\":2}",
            "{\"a\":null}:Type {\"a\":\"\"}:Type []:Type {\"a\":1,\"a\":1}:Duplicate {\"a\":1,\"b\":2,\"\\u0061\":1}:Duplicate",
        ),
        (
            "Set",
            "{} {\"a\":{},\"b\":{}}",
            "{\"a\":{\"b\":1}}:Unknown {\"a\":null}:Type [\"a\"]:Type",
        ),
        (
            "Maps",
            "{} {\"a\":{}} {\"a\":{\"a\":1},\"b\":{\"a\":1}}",
            "{\"a\":1}:Type {\"a\":{\"b\":1,\"b\":1}}:Duplicate {\"a\":{},\"a\":{}}:Duplicate",
        ),
        ("Nullable", "null 1", "\"\":Type 0.5:Range {}:Type"),
        (
            "NullableStruct",
            "null {\"a\":1}",
            "{}:Missing {\"a\":null}:Type []:Type",
        ),
        (
            "NullableMap",
            "null {} {\"a\":null,\"b\":\"red\"}",
            "{\"a\":\"blue\"}:Variant []:Type",
        ),
        (
            "Trees",
            "{\"children\":[]} {\"children\":[{\"children\":[],\"left\":null}],\"left\":{\"children\":[],\"by_name\":{\"x\":{\"children\":[]}}}}",
            "{}:Missing {\"children\":[{}]}:Missing {\"children\":[],\"left\":{\"children\":[{\"children\":[],\"x\":1}]}}:Unknown",
        ),
    ] {
        for good in good.split(' ') {
            assert_eq!(v(method, good), None, "{method} {good}");
        }
        for bad in bad.split(' ').filter(|bad| !bad.is_empty()) {
            let (value, mismatch) = bad.rsplit_once(':').expect("a mismatch");
            let expected = match mismatch {
                "Type" => Type,
                "Range" => Range,
                "Variant" => Variant,
                "Missing" => Missing,
                "Unknown" => Unknown,
                "Duplicate" => Duplicate,
                other => panic!("{other}"),
            };
            assert_eq!(v(method, value), Some(expected), "{method} {value}");
        }
    }
}

#[test]
fn m5_a_deviation_has_its_top_level_field_and_offset() {
    let check = |method: &str, text: &str| {
        let text = text.to_string();
        let raw = Raw::new(&text).expect("JSON");
        let deviation = ALL.check_call(method, raw).err()?;
        Some((
            deviation.mismatch(),
            deviation.field().map(String::from),
            deviation.offset(),
        ))
    };
    let some = |mismatch, field: &str, offset| Some((mismatch, Some(field.to_string()), offset));
    assert_eq!(check("Two", r#"{"b":1}"#), None);
    assert_eq!(check("Two", r#"{"b":1,"a":null}"#), None);
    assert_eq!(check("Two", r#"{"a":1}"#), some(Mismatch::Missing, "b", 5));
    assert_eq!(check("Two", r#"{}"#), some(Mismatch::Missing, "b", 0));
    assert_eq!(
        check("Two", r#"{"b":1, "c":2}"#),
        some(Mismatch::Unknown, "c", 8)
    );
    assert_eq!(
        check("Two", r#"{"b":1, "\u0063":2}"#),
        some(Mismatch::Unknown, "\\u0063", 8)
    );
    assert_eq!(
        check("Two", r#"{"b":1, "\u0062": 2}"#),
        some(Mismatch::Duplicate, "b", 8)
    );
    assert_eq!(check("Two", r#"{"b": [] }"#), some(Mismatch::Type, "b", 6));
    assert_eq!(
        check("Struct", r#"{"v":{"a":[]}}"#),
        some(Mismatch::Type, "v", 10)
    );
    assert_eq!(check("Two", "[]"), Some((Mismatch::Type, None, 0)));
    // A text may begin with white space, which belongs to no value.
    assert_eq!(check("Two", " \n[]"), Some((Mismatch::Type, None, 2)));
    assert_eq!(check("Two", " {}"), some(Mismatch::Missing, "b", 1));
    assert_eq!(check("Three", "{}"), Some((Mismatch::Member, None, 0)));
    // A type or an error is not a method.
    assert_eq!(check("Odd", "{}"), Some((Mismatch::Member, None, 0)));
    assert_eq!(check("None", r#"{"a":1}"#), some(Mismatch::Unknown, "a", 1));
    let raw = Raw::new(r#"{"why":"x","color":"blue"}"#).expect("JSON");
    let deviation = ALL.check_error("Odd", raw).expect_err("no color");
    assert_eq!(
        deviation.to_string(),
        "an unknown value of an enumeration in field color at byte 19"
    );
    assert_eq!(
        ALL.check_error("Two", raw)
            .expect_err("no error")
            .mismatch(),
        Mismatch::Member
    );
    let raw = Raw::new(r#"{"sum":1}"#).expect("JSON");
    assert_eq!(ALL.check_reply("Two", raw), Ok(()));
    assert_eq!(
        ALL.check_reply("None", raw).expect_err("no sum").field(),
        Some("sum")
    );
}

#[test]
fn m9_a_key_occurs_once_regardless_of_its_escapes() {
    for (method, twice) in [
        ("Struct", r#"{"a":1,"a":1}"#),
        ("Struct", r#"{"a":1,"b":"","\u0061":1}"#),
        ("Map", r#"{"a":1,"a":1}"#),
        ("Map", r#"{"a":1,"b":1,"\u0061":1}"#),
        ("Map", r#"{"\ud83e\udd80":1,"\ud83E\udd80":1}"#),
        ("Maps", r#"{"a":{"b":1,"b":1}}"#),
        ("Trees", r#"{"children":[{"children":[],"children":[]}]}"#),
    ] {
        assert_eq!(v(method, twice), Some(Mismatch::Duplicate), "{twice}");
    }
    for (method, once) in [
        ("Map", r#"{"a":1,"A":1,"\\u0061":1,"":1,"\u0000":1}"#),
        ("Maps", r#"{"a":{"b":1},"b":{"b":1}}"#),
        // In `object` and `any`, keys are not compared.
        ("Object", r#"{"a":1,"a":2}"#),
        ("Object", r#"{"a":{"b":1,"b":1}}"#),
        ("Any", r#"{"a":1,"a":2}"#),
        ("Any", r#"{"a":{"b":1,"b":1}}"#),
    ] {
        assert_eq!(v(method, once), None, "{once}");
    }
    assert_eq!(
        call("Two", r#"{"b":2,"\u0062":2}"#),
        refused("InvalidParameter", "parameter", "b")
    );
}

#[test]
fn m9_keys_of_maps_are_compared_up_to_a_limit() {
    assert_eq!(MAX_MAP_KEYS, 64);
    let map = |keys: &[usize]| {
        let members: Vec<String> = keys.iter().map(|key| format!("\"k{key}\":1")).collect();
        v("Map", &format!("{{{}}}", members.join(",")))
    };
    for count in 2..=MAX_MAP_KEYS {
        let mut keys: Vec<usize> = (0..count).collect();
        assert_eq!(map(&keys), None);
        keys[count - 1] = 0;
        assert_eq!(map(&keys), Some(Mismatch::Duplicate));
        keys[count - 1] = count - 2;
        assert_eq!(map(&keys), Some(Mismatch::Duplicate));
    }
    // Keys after the limit are still compared with those before it.
    let mut keys: Vec<usize> = (0..MAX_MAP_KEYS).collect();
    keys.extend([0; 100]);
    assert_eq!(map(&keys), Some(Mismatch::Duplicate));
    let mut keys: Vec<usize> = (0..1000).collect();
    assert_eq!(map(&keys), None);
    // They are not compared with one another.
    keys.extend(MAX_MAP_KEYS..1000);
    assert_eq!(map(&keys), None);
}

#[test]
fn m9_keys_of_maps_in_maps_are_compared_up_to_a_limit() {
    // Returns nested maps of `keys` keys each: the value of the last key contains the next map.
    fn maps(depth: usize, keys: usize) -> String {
        let key = |n: usize| match depth {
            1 => format!("\"k{n}\":{{\"children\":[]}}"),
            _ if n + 1 < keys => format!("\"k{n}\":{{\"children\":[]}}"),
            _ => format!(
                "\"k{n}\":{{\"children\":[],\"by_name\":{}}}",
                maps(depth - 1, keys)
            ),
        };
        let keys: Vec<String> = (0..keys).map(key).collect();
        format!("{{{}}}", keys.join(","))
    }
    let check = |maps: &str| v("Trees", &format!("{{\"children\":[],\"by_name\":{maps}}}"));
    assert_eq!(MAX_OPEN_KEYS, 2 * MAX_MAP_KEYS);
    assert_eq!(check(&maps(2, MAX_MAP_KEYS)), None);
    assert_eq!(check(&maps(2, 1000)), None);
    assert_eq!(check(&maps(60, 2)), None);
    assert_eq!(check(&maps(3, MAX_MAP_KEYS)), Some(Mismatch::Length));
    // A key may also occur in a nested map. After that map, keys are still compared.
    let twice = |first: &str, second: &str| {
        let inner = "{\"children\":[],\"by_name\":{\"a\":{\"children\":[]}}}";
        check(&format!("{{\"{first}\":{inner},\"{second}\":{inner}}}"))
    };
    assert_eq!(twice("a", "b"), None);
    assert_eq!(twice("a", "\\u0061"), Some(Mismatch::Duplicate));
    // These two have the same hash.
    assert_eq!(twice("Aa", "BB"), None);
    // The end of a map frees its keys for the next map.
    let siblings = vec![format!("{{\"children\":[],\"by_name\":{}}}", maps(1, 64)); 100];
    let siblings = format!("{{\"children\":[{}]}}", siblings.join(","));
    assert_eq!(v("Trees", &siblings), None);
}

#[test]
fn m5_fields_are_found_in_any_order() {
    const WIDE: Interface = interface!("wide.varlink");
    let method = WIDE.method("Wide").expect("a method");
    let names: Vec<&str> = method.input().fields().map(|field| field.name()).collect();
    assert_eq!(names, ["next"]);
    let wide = method.input().fields().next().expect("a field").ty();
    let TypeKind::Nullable(wide) = wide.kind() else {
        panic!("{wide}");
    };
    let names: Vec<&str> = wide.fields().map(|field| field.name()).collect();
    assert!(names.len() > 64, "{names:?}");
    let check = |names: &[&str]| {
        let fields: Vec<String> = names
            .iter()
            .map(|name| format!("\"{name}\":null"))
            .collect();
        let text = format!("{{\"next\":{{{}}}}}", fields.join(","));
        let raw = Raw::new(&text).expect("JSON");
        WIDE.check_call("Wide", raw).map_err(|d| d.mismatch())
    };
    for step in [1, 2, 7, 13, names.len() - 1] {
        let some: Vec<&str> = names.iter().copied().step_by(step).collect();
        let reversed: Vec<&str> = some.iter().rev().copied().collect();
        assert_eq!(check(&some), Ok(()));
        assert_eq!(check(&reversed), Ok(()));
        // Unknown and duplicate names are refused.
        for wrong in ["", "nex", "nexts", "next: ?Wide"] {
            assert_eq!(check(&[&*some, &[wrong]].concat()), Err(Mismatch::Unknown));
        }
        for again in [some[0], some[some.len() - 1]] {
            let twice = [&*some, &[again]].concat();
            assert_eq!(check(&twice), Err(Mismatch::Duplicate));
        }
    }
}

#[test]
fn m9_structures_are_open_up_to_a_limit() {
    // A tree has three fields. The parameters around it are a structure of one field.
    let deep = |depth: usize| {
        v(
            "Trees",
            &format!(
                "{}{}",
                "{\"children\":[],\"left\":".repeat(depth) + "{\"children\":[]",
                "}".repeat(depth + 1)
            ),
        )
    };
    assert_eq!(deep(120), None);
    assert_eq!(120 * 3 / MAX_OPEN_FIELDS, 0);

    const WIDE: Interface = interface!("wide.varlink");
    let nested = |depth: usize| {
        let text = format!(
            "{}{}",
            "{\"next\":".repeat(depth) + "{",
            "}".repeat(depth + 1)
        );
        let raw = Raw::new(&text).expect("JSON");
        WIDE.check_call("Wide", raw).map_err(|d| d.mismatch())
    };
    // The parameters have one field, each nested structure has 65.
    assert_eq!(nested((MAX_OPEN_FIELDS - 1) / 65), Ok(()));
    assert_eq!(
        nested((MAX_OPEN_FIELDS - 1) / 65 + 1),
        Err(Mismatch::Length)
    );
    // The end of a structure frees its bits for the next structure.
    let siblings = format!(r#"{{"list":[{}{{}}]}}"#, r#"{"next":{}},"#.repeat(1000));
    let raw = Raw::new(&siblings).expect("JSON");
    assert_eq!(WIDE.check_call("List", raw), Ok(()));
}

#[test]
fn m9_each_field_of_a_structure_occurs_once_however_many_there_are() {
    for count in [1, 62, 63, 64, 65, 127, 128, 129, 191, 256] {
        let join = |fields: &mut dyn Iterator<Item = String>| fields.collect::<Vec<_>>().join(",");
        let types = join(&mut (0..count).map(|n| format!("f{n}:?int")));
        let text = format!("interface a.b\ntype T ({types})\nmethod M(list: []T) -> ()\n");
        let mut table = vec![Entry::EMPTY; Definition::table_size(&text)];
        let definition = Definition::parse(&text, &mut table).expect("a definition");
        let check = |list: &str| {
            let text = format!("{{\"list\":[{list}]}}");
            let raw = Raw::new(&text).expect("JSON");
            definition.check_call("M", raw).map_err(|d| d.mismatch())
        };
        let all = join(&mut (0..count).map(|n| format!("\"f{n}\":1")));
        assert_eq!(check(&format!("{{{all}}},{{{all}}},{{{all}}}")), Ok(()));
        for n in [0, count / 2, count - 1] {
            let twice = format!("{{{all}}},{{{all},\"f{n}\":1}}");
            assert_eq!(check(&twice), Err(Mismatch::Duplicate), "{n} of {count}");
        }
    }
}

/// A service whose Rust types accept any parameters.
#[derive(Default)]
struct Anything {
    called: usize,
    failed: Vec<Error>,
}

#[derive(Deserialize)]
enum Methods {
    Two {},
    Float { v: f64 },
    Map {},
    Struct {},
}

impl Service for Anything {
    const INTERFACES: &'static [Interface] = &[ALL];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        self.called += 1;
        let two = call.method().ends_with("Two");
        match call.decode()? {
            Methods::Two {} | Methods::Map {} | Methods::Struct {} => {}
            Methods::Float { v } => assert!(v.is_finite()),
        }
        #[derive(Serialize)]
        struct Sum {
            sum: i64,
        }
        if two {
            reply.send(&Sum { sum: 3 })
        } else {
            reply.send(&())
        }
    }

    fn failed(&mut self, error: nullink::SessionError) {
        self.failed.push(error.error);
    }
}

/// Sends a call to the service. The order of its members must not matter.
fn call(method: &str, parameters: &str) -> (Vec<String>, usize) {
    let method = format!(r#""method":"org.example.all.{method}""#);
    let parameters = format!(r#""parameters":{parameters}"#);
    let send = |first: &str, second: &str| {
        let mut service = Anything::default();
        let message = format!("{{{first},{second}}}\0");
        let arrival = Arrival::Joined;
        let (replies, end) = answer(&mut service, message.as_bytes(), arrival, 4096, 4096);
        assert!(end.is_ok(), "{end:?}");
        (replies, service.called)
    };
    let answered = send(&method, &parameters);
    assert_eq!(send(&parameters, &method), answered);
    answered
}

fn refused(error: &str, field: &str, value: &str) -> (Vec<String>, usize) {
    let error = format!(
        r#"{{"error":"org.varlink.service.{error}","parameters":{{"{field}":"{value}"}}}}"#
    );
    (vec![error], 0)
}

#[test]
fn m5_calls_are_checked_before_the_handler_runs() {
    let sum = (vec![r#"{"parameters":{"sum":3}}"#.to_string()], 1);
    assert_eq!(call("Two", r#"{"a":1,"b":2}"#), sum);
    assert_eq!(call("Two", r#"{"b":2}"#), sum);
    for (parameters, parameter) in [
        ("null", "b"),
        ("{}", "b"),
        (r#"{"a":1}"#, "b"),
        (r#"{"b":null}"#, "b"),
        (r#"{"b":"2"}"#, "b"),
        (r#"{"b":2,"b":2}"#, "b"),
        (r#"{"a":0.5,"b":2}"#, "a"),
        (r#"{"b":2,"c":null}"#, "c"),
        // The error has the name without escapes.
        (r#"{"b":2,"\u0063\n\ud83e\udd80":0}"#, "c\\n\u{1f980}"),
        (r#"{"b":2,"":0}"#, ""),
    ] {
        assert_eq!(
            call("Two", parameters),
            refused("InvalidParameter", "parameter", parameter),
            "{parameters}"
        );
    }
    assert_eq!(
        call("Float", r#"{"v":1e400}"#),
        refused("InvalidParameter", "parameter", "v")
    );
    assert_eq!(
        call("Map", r#"{"v":{"a":1,"a":1}}"#),
        refused("InvalidParameter", "parameter", "v")
    );
    assert_eq!(
        call("Struct", r#"{"v":{"a":1,"\u0061":1}}"#),
        refused("InvalidParameter", "parameter", "v")
    );
}

#[test]
fn m4_a_defined_method_without_a_handler_is_not_implemented() {
    let (replies, called) = call("None", "{}");
    let (expected, _) = refused("MethodNotImplemented", "method", "org.example.all.None");
    assert_eq!((replies, called), (expected, 1));
    // Its parameters are checked first.
    assert_eq!(
        call("None", r#"{"a":1}"#),
        refused("InvalidParameter", "parameter", "a")
    );
    for method in ["Nothing", "Odd", "Color", "none"] {
        let (error, _) = refused(
            "MethodNotFound",
            "method",
            &format!("org.example.all.{method}"),
        );
        assert_eq!(call(method, "{}"), (error, 0));
    }
}

const FLAGS: Interface = interface!(
    text "
interface org.example.flags

# Watches something
# [Requires 'more' flag]
method Watch(n: ?int) -> ()
# [Requires 'upgrade' flag]
method Pipe() -> ()
# [Supports 'more' flag]
method List() -> ()
# [Supports 'upgrade' flag]
method Shell() -> ()
method Plain() -> ()
"
);

/// A service whose handlers do not look at the mode of a call.
struct Flags<const CHECKED: bool>(usize);

impl<const CHECKED: bool> Service for Flags<CHECKED> {
    const INTERFACES: &'static [Interface] = &[ALL, FLAGS];
    const CHECKED: bool = CHECKED;

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, _: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        self.0 += 1;
        reply.send(&())
    }
}

#[test]
fn i8_a_call_without_a_required_flag_is_refused_before_the_handler() {
    fn call<const CHECKED: bool>(method: &str, flag: &str) -> (String, usize) {
        let call = format!("{{\"method\":\"org.example.flags.{method}\"{flag}}}\0");
        let mut service = Flags::<CHECKED>(0);
        let (replies, _) = answer(&mut service, call.as_bytes(), Arrival::Joined, 999, 999);
        (replies.join(" "), service.0)
    }
    let more = r#","more":true"#;
    let (oneway, upgrade) = (r#","oneway":true"#, r#","upgrade":true"#);
    let done = ("{}".to_string(), 1);
    let error = |name| {
        let error = format!(r#"{{"error":"org.varlink.service.{name}"}}"#);
        (error, 0)
    };
    for flag in ["", upgrade, r#","more":false"#] {
        assert_eq!(call::<true>("Watch", flag), error("ExpectedMore"), "{flag}");
        // A service that is not checked decides by itself.
        assert_eq!(call::<false>("Watch", flag), done, "{flag}");
    }
    for flag in ["", more] {
        assert_eq!(
            call::<true>("Pipe", flag),
            error("ExpectedUpgrade"),
            "{flag}"
        );
    }
    assert_eq!(call::<true>("Watch", oneway), (String::new(), 0));
    assert_eq!(call::<true>("Watch", more), done);
    assert_eq!(call::<true>("Pipe", upgrade), done);
    for flag in ["", more, upgrade] {
        for method in ["List", "Shell", "Plain"] {
            assert_eq!(call::<true>(method, flag), done, "{method} {flag}");
        }
    }
}

/// A service that turns the check of its calls off.
struct Lenient;

impl Service for Lenient {
    const INTERFACES: &'static [Interface] = &[ALL];
    const CHECKED: bool = false;

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        #[derive(Deserialize)]
        enum Methods {
            Two {},
            Undeclared,
        }
        match call.decode()? {
            Methods::Two {} | Methods::Undeclared => reply.send(&Undefined { odd: "answer" }),
        }
    }
}

#[derive(Serialize)]
struct Undefined {
    odd: &'static str,
}

#[test]
fn m5_a_service_can_be_lenient() {
    let answer = |method: &str| {
        let call = format!(
            "{}\0",
            r#"{"method":"METHOD","parameters":{"more":"than","is":"defined"}}"#
                .replace("METHOD", method)
        );
        answer(&mut Lenient, call.as_bytes(), Arrival::Joined, 999, 999).0
    };
    let odd = r#"{"parameters":{"odd":"answer"}}"#;
    assert_eq!(answer("org.example.all.Two"), [odd]);
    assert_eq!(answer("org.example.all.Undeclared"), [odd]);
    assert_eq!(
        answer("org.example.all.None"),
        refused("MethodNotImplemented", "method", "org.example.all.None").0
    );
    assert_eq!(
        answer("org.example.all.Unheard"),
        refused("MethodNotFound", "method", "org.example.all.Unheard").0
    );
    // Calls of org.varlink.service are checked regardless.
    assert_eq!(
        answer("org.varlink.service.GetInfo"),
        refused("InvalidParameter", "parameter", "more").0
    );
}

#[test]
fn replies_and_errors_are_checked_in_debug_builds() {
    #[derive(Serialize)]
    enum Fault {
        Odd {
            why: &'static str,
            color: &'static str,
        },
        Other,
        // The name of a method.
        None,
    }
    #[derive(Serialize)]
    struct Deep<'a> {
        odd: Raw<'a>,
    }
    struct Answers(u8, Vec<Error>);
    impl Service for Answers {
        const INTERFACES: &'static [Interface] = &[ALL];
        fn info(&self) -> Info<'_> {
            Info::default()
        }
        fn call<'c>(&mut self, _: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
            let color = |color| Fault::Odd { why: "so", color };
            match self.0 {
                0 => reply.send(&Undefined { odd: "field" }),
                1 => reply.error(&Fault::Other),
                2 => reply.error(&color("blue")),
                3 => reply.error(&Fault::None),
                // The list is JSON, but the message is nested too deeply.
                4 => {
                    let list = "[".repeat(128) + &"]".repeat(128);
                    let odd = Raw::new(&list).expect("JSON");
                    reply.send(&Deep { odd })
                }
                _ => reply.error(&color("red")),
            }
        }
        fn failed(&mut self, error: nullink::SessionError) {
            self.1.push(error.error);
        }
    }
    let call = b"{\"method\":\"org.example.all.None\"}\0";
    let answer = |n| {
        let mut service = Answers(n, Vec::new());
        let (replies, _) = answer(&mut service, call, Arrival::Joined, 99, 999);
        (replies, service.1)
    };
    let not_as_defined =
        |why, field, offset| (vec![], vec![Error::NotAsDefined { why, field, offset }]);
    if cfg!(debug_assertions) {
        assert_eq!(answer(0), not_as_defined(Mismatch::Unknown, None, 15));
        assert_eq!(answer(1), not_as_defined(Mismatch::Member, None, 0));
        assert_eq!(
            answer(2),
            not_as_defined(Mismatch::Variant, Some("color"), 64)
        );
        assert_eq!(answer(3), not_as_defined(Mismatch::Member, None, 0));
        assert_eq!(answer(4), not_as_defined(Mismatch::Syntax, None, 0));
    } else {
        for n in [0, 1, 2, 3, 4] {
            assert_eq!((answer(n).0.len(), answer(n).1), (1, vec![]));
        }
    }
    assert_eq!(
        answer(5),
        (
            vec![
                r#"{"error":"org.example.all.Odd","parameters":{"why":"so","color":"red"}}"#
                    .to_string()
            ],
            vec![]
        )
    );
}

#[test]
fn a_reply_that_exceeds_a_limit_of_the_check_is_sent() {
    const MAPS: Interface = interface!(
        text "
interface org.example.maps

type Tree (by_name: ?[string]Tree)

method Get() -> (tree: Tree)
"
    );
    #[derive(Serialize)]
    struct Got<'a> {
        tree: Raw<'a>,
    }
    struct Maps(String);
    impl Service for Maps {
        const INTERFACES: &'static [Interface] = &[MAPS];
        fn info(&self) -> Info<'_> {
            Info::default()
        }
        fn call<'c>(&mut self, _: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
            let tree = Raw::new(&self.0).expect("JSON");
            reply.send(&Got { tree })
        }
    }
    let mut tree = String::from("{}");
    for _ in 0..3 {
        let others: String = (1..MAX_MAP_KEYS)
            .map(|n| format!("\"k{n}\":{{}},"))
            .collect();
        tree = format!("{{\"by_name\":{{{others}\"last\":{tree}}}}}");
    }
    let parameters = format!("{{\"tree\":{tree}}}");
    let checked = MAPS.check_reply("Get", Raw::new(&parameters).expect("JSON"));
    assert_eq!(checked.map_err(|d| d.mismatch()), Err(Mismatch::Length));
    let call = b"{\"method\":\"org.example.maps.Get\"}\0";
    let (replies, _) = answer(&mut Maps(tree), call, Arrival::Joined, 99, 1 << 14);
    assert_eq!(replies, [format!("{{\"parameters\":{parameters}}}")]);
}

/// True if a value is one of a type: a second implementation of the check, for serde_json's values.
fn fits(ty: Type<'_>, value: &serde_json::Value) -> bool {
    use serde_json::Value as V;
    match (ty.kind(), value) {
        (TypeKind::Nullable(inner), value) => value.is_null() || fits(inner, value),
        (TypeKind::Named(member), value) => fits(member.ty(), value),
        (_, V::Null) => false,
        (TypeKind::Any, _) | (TypeKind::Object, V::Object(_)) => true,
        (TypeKind::Bool, value) => value.is_boolean(),
        (TypeKind::Int, value) => value.is_i64() || value.is_u64(),
        (TypeKind::Float, value) => value.is_number(),
        (TypeKind::String, value) => value.is_string(),
        (TypeKind::Enum, V::String(name)) => ty.values().any(|value| value.name() == name),
        (TypeKind::Array(inner), V::Array(list)) => list.iter().all(|value| fits(inner, value)),
        (TypeKind::Map(inner), V::Object(map)) => map.values().all(|value| fits(inner, value)),
        (TypeKind::Struct, V::Object(map)) => {
            let known = map.keys().all(|key| ty.fields().any(|f| f.name() == key));
            let null = serde_json::Value::Null;
            known
                && ty
                    .fields()
                    .all(|f| fits(f.ty(), map.get(f.name()).unwrap_or(&null)))
        }
        _ => false,
    }
}

/// Generates values that often fit a type of the interface.
fn values() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::json!(null)),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        (-1e9..1e9).prop_map(|float: f64| float.into()),
        prop::sample::select(vec!["red", "green", "one", "two_three", "", "x\n\"\u{e9}"])
            .prop_map(Into::into),
    ];
    let key = prop::sample::select(vec![
        "a", "b", "v", "children", "left", "by_name", "x\u{e9}",
    ]);
    leaf.prop_recursive(5, 30, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(key.clone().prop_map(String::from), inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn m5_the_check_agrees_with_one_of_serde_json_values(value in values(), pretty in any::<bool>()) {
        let parameters = serde_json::json!({ "v": value });
        let text = if pretty {
            serde_json::to_string_pretty(&parameters).unwrap()
        } else {
            parameters.to_string()
        };
        let raw = Raw::new(&text).unwrap();
        for method in ALL.members().filter(|member| member.kind() == MemberKind::Method) {
            let checked = ALL.check_call(method.name(), raw);
            prop_assert_eq!(checked.is_ok(), fits(method.input(), &parameters), "{:?} {}", method, text);
        }
        // The value as the parameters.
        let text = value.to_string();
        if let Ok(raw) = Raw::new(&text) {
            let checked = ALL.check_call("Two", raw);
            prop_assert_eq!(checked.is_ok(), fits(ALL.find("Two").unwrap().input(), &value), "{}", text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    /// The check and the strict pass are one, so a mistake that the check does not look for must still
    /// be found, also after a parameter of a wrong type.
    #[test]
    fn m5_the_check_does_not_hide_mistakes_of_the_message(
        value in values(),
        method in prop::sample::select(ALL.members().map(|member| member.name()).collect::<Vec<_>>()),
        is_method_first in any::<bool>(),
        at in any::<prop::sample::Index>(),
        change in prop::sample::select(b"{}[]:,\"\\ 0e-.n\x01\x80a".to_vec()),
        edit in 0..4,
    ) {
        let parameters = serde_json::json!({ "v": value });
        let mut message = if is_method_first {
            format!(r#"{{"method":"org.example.all.{method}","parameters":{parameters},"more":false}}"#)
        } else {
            format!(r#"{{"parameters":{parameters},"method":"org.example.all.{method}"}}"#)
        }
        .into_bytes();
        let at = at.index(message.len());
        match edit {
            0 => {}
            1 => message[at] = change,
            2 => message.insert(at, change),
            _ => drop(message.remove(at)),
        }

        let mut copy = message.clone();
        let expected = Call::parse(&mut copy).map(|call| {
            let member = call.method().strip_prefix("org.example.all.")?;
            let is_method = |member: &nullink::idl::Member<'_>| member.kind() == MemberKind::Method;
            ALL.find(member).filter(is_method)?;
            let checked = ALL.check_call(member, call.parameters());
            Some(checked.map_err(|deviation| deviation.field().unwrap_or("parameters").to_string()))
        });
        message.push(0);
        let mut service = Anything::default();
        let (replies, end) = answer(&mut service, &message, Arrival::Joined, 4096, 4096);
        match expected {
            Err(violation) => {
                prop_assert_eq!(end, Err(violation.into()));
                prop_assert_eq!((replies.len(), service.called), (0, 0));
            }
            Ok(Some(Err(field))) => {
                prop_assert_eq!((replies, service.called), refused("InvalidParameter", "parameter", &field));
            }
            Ok(None) => prop_assert_eq!((replies.len(), service.called), (1, 0)),
            Ok(Some(Ok(()))) => prop_assert_eq!((replies.len(), service.called), (1, 1)),
        }
    }
}

#[test]
fn m5_a_value_of_the_maximum_depth_is_checked() {
    for depth in 120..=128 {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        assert_eq!(v("Any", &format!("{open}{close}")), None, "{depth}");
        assert_eq!(
            v(
                "Object",
                &format!("{{\"x\":{}{}}}", &open[1..], &close[1..])
            ),
            None,
            "{depth}"
        );
    }
    let trees = |depth: usize| {
        let open = "{\"children\":[],\"left\":".repeat(depth);
        v("Trees", &format!("{open}null{}", "}".repeat(depth)))
    };
    // The last level has a list.
    assert_eq!(trees(126), None);
}

#[test]
fn m5_a_checked_message_is_nested_as_deeply_as_any_other() {
    for depth in 1..=130 {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        let trees = format!(
            "{}null{}",
            "{\"children\":[],\"left\":".repeat(depth),
            "}".repeat(depth)
        );
        let maps = format!(
            "{}{{\"children\":[]}}{}",
            "{\"children\":[],\"by_name\":{\"x\":".repeat(depth / 2),
            "}}".repeat(depth / 2)
        );
        for (method, value) in [
            ("Any", format!("{open}{close}")),
            ("Object", format!("{{\"x\":{open}{close}}}")),
            ("Trees", trees),
            ("Trees", maps),
        ] {
            let mut message =
                format!(r#"{{"method":"org.example.all.{method}","parameters":{{"v":{value}}}}}"#)
                    .into_bytes();
            let parsed = Call::parse(&mut message.clone()).map(drop);
            message.push(0);
            let mut service = Anything::default();
            let (_, end) = answer(&mut service, &message, Arrival::Joined, 4096, 4096);
            assert_eq!(
                service.called,
                usize::from(parsed.is_ok()),
                "{method} {depth}"
            );
            assert_eq!(
                end.map(drop),
                parsed.map_err(Error::from),
                "{method} {depth}"
            );
        }
    }
}

#[test]
fn f4_a_parameter_name_that_does_not_fit_the_error_is_too_long() {
    let name = "x".repeat(300);
    let call =
        format!("{{\"method\":\"org.example.all.Two\",\"parameters\":{{\"b\":1,\"{name}\":2}}}}\0");
    let mut service = Anything::default();
    let mut answer = |send| answer(&mut service, call.as_bytes(), Arrival::Joined, 999, send);
    assert_eq!(answer(512), (vec![], Err(Error::TooLong)));
    // The error fits half of this buffer.
    let expected = refused("InvalidParameter", "parameter", &name).0;
    assert_eq!(answer(800), (expected, Ok(false)));
    assert_eq!(service.called, 0);
}
