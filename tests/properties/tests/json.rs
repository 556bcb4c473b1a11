//! JSON: the scan, the reader and the writer, compared with serde_json and serde-json-core.

use std::collections::BTreeMap;

use nullink::json::{self, List, Map, Raw, Value};
use nullink::{DecodeError, EncodeError, Mismatch, Syntax};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// True if serde_json accepts a text as JSON. It refuses numbers that no f64 can hold, which are valid
/// JSON, so all exponents are shortened first. Its limit for nesting is not tested.
fn oracle(text: &[u8]) -> bool {
    let mut tamed = Vec::new();
    let (mut in_string, mut escaped, mut exponent) = (false, false, false);
    for byte in text {
        match byte {
            b'"' if !escaped => in_string = !in_string,
            b'0'..=b'9' if exponent && !in_string => {
                if tamed.last().is_some_and(u8::is_ascii_digit) {
                    continue;
                }
            }
            b'+' | b'-' if tamed.last().is_some_and(|last| b"eE".contains(last)) => {}
            _ => exponent = b"eE".contains(byte) && !in_string,
        }
        escaped = in_string && *byte == b'\\' && !escaped;
        tamed.push(*byte);
    }
    serde_json::from_slice::<serde_json::Value>(&tamed).is_ok()
}

/// A structure with a field of each kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(dead_code)]
struct Typed<'a> {
    flag: bool,
    number: u8,
    float: f32,
    text: &'a str,
    unit: (),
    list: Vec<i64>,
    pair: Option<(i8, String)>,
    #[serde(borrow)]
    map: BTreeMap<&'a str, Option<Box<Typed<'a>>>>,
    color: Option<Color>,
    raw: Option<Raw<'a>>,
    any: Option<Anything>,
}

#[derive(Debug, Deserialize)]
enum Color {
    Red,
    Green,
}

/// Reading is as strict as the scan: no type reads a text that is not JSON.
fn assert_strict(text: &[u8]) {
    fn decode<T: for<'de> Deserialize<'de>>(text: &[u8]) -> Result<(), DecodeError> {
        json::decode::<T>(&mut text.to_vec()).map(drop)
    }
    let scanned = json::scan(text);
    let shown = text.escape_ascii();
    let typed = json::decode::<Typed<'_>>(&mut text.to_vec()).map(drop);
    let raw = json::decode::<Option<Raw<'_>>>(&mut text.to_vec()).map(drop);
    let ignored = decode::<serde::de::IgnoredAny>(text);
    let anything = decode::<Anything>(text);
    assert_eq!(
        (raw.is_ok(), ignored.is_ok()),
        (scanned.is_ok(), scanned.is_ok()),
        "{shown}"
    );
    let results = [
        typed,
        anything,
        decode::<bool>(text),
        decode::<i64>(text),
        decode::<f64>(text),
        decode::<String>(text),
        decode::<()>(text),
        decode::<Vec<Anything>>(text),
        decode::<(i64, Option<f64>)>(text),
        decode::<BTreeMap<String, i64>>(text),
        decode::<Color>(text),
    ];
    if let Err(error) = scanned {
        for result in results {
            let other = result.expect_err("it is not JSON");
            assert!(other.offset() <= text.len(), "{shown}");
            if other.mismatch() == Mismatch::Syntax {
                assert_eq!(other.offset(), error.offset, "{shown}");
            }
        }
        for result in [raw, ignored, anything] {
            let other = result.expect_err("it is not JSON");
            // A number out of range may come before the mistake.
            if (other.mismatch(), result) != (Mismatch::Range, anything) {
                assert_eq!(
                    (other.mismatch(), other.offset()),
                    (Mismatch::Syntax, error.offset),
                    "{shown}"
                );
            }
        }
    }
}

fn assert_agrees(text: &[u8]) {
    assert_strict(text);
    let ours = json::scan(text);
    assert_eq!(
        ours.is_ok(),
        oracle(text),
        "{}: {ours:?}",
        text.escape_ascii()
    );
}

/// Texts that are JSON, with a name for each case.
const JSON: &[(&str, &str)] = &[
    ("array_empty", "[]"),
    ("array_space", "[ ]"),
    ("array_of_all", r#"[null, 1, "1", {}, [], true, false]"#),
    ("array_nested", "[[[[]]],[]]"),
    ("number", "123"),
    ("number_0e1", "[0e1]"),
    ("number_0e+1", "[0e+1]"),
    ("number_minus_zero", "-0"),
    ("number_minus_zero_point", "-0.0"),
    ("number_exponent", "123e45"),
    ("number_capital_exponent", "1E22"),
    ("number_negative_exponent", "1E-2"),
    ("number_positive_exponent", "1E+2"),
    ("number_fraction_exponent", "123.456e78"),
    (
        "number_long",
        "-0.000000000000000000000000000000000000000000000000000000000000000000000000000001",
    ),
    ("number_huge", "123123e100000"),
    ("number_tiny", "123.456e-789"),
    ("number_beyond_u64", "100000000000000000000"),
    ("object_empty", "{}"),
    ("object_empty_key", r#"{"":0}"#),
    ("object_duplicate_key", r#"{"a":"b","a":"c"}"#),
    ("object_escaped_key", r#"{"foo\u0000bar": 42}"#),
    (
        "object_long",
        r#"{"x":[{"id": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}], "id": "x"}"#,
    ),
    ("string_empty", "\"\""),
    ("string_escapes", r#"["\"\\\/\b\f\n\r\t"]"#),
    ("string_nul_escape", r#"["\u0000"]"#),
    ("string_surrogates", r#"["\uD801\udc37"]"#),
    ("string_surrogates_twice", r#"["\ud83d\ude39\ud83d\udc8d"]"#),
    ("string_noncharacter", r#"["\uFFFF\u{fdd0}"]"#),
    (
        "string_noncharacter_raw",
        "[\"\u{ffff}\u{10ffff}\u{fdd0}\"]",
    ),
    ("string_del", "[\"\u{7f}\"]"),
    ("string_separators", "[\"\u{2028}\u{2029}\"]"),
    ("string_utf8", "[\"\u{20ac}\u{1d11e}é\"]"),
    ("string_comment", r#"["a/*b*/c/*d//e"]"#),
    ("string_backslash_u", r#"["\\u0000"]"#),
    ("string_backslash_quote", r#"["\\\""]"#),
    ("space_around", " \t\r\n[] \t\r\n"),
    ("lonely_true", "true"),
    ("lonely_false", "false"),
    ("lonely_null", "null"),
    ("lonely_string", "\"asd\""),
    ("lonely_negative", "-42"),
];

/// Texts that are not JSON.
const NOT_JSON: &[(&str, &[u8])] = &[
    ("empty", b""),
    ("space", b" "),
    ("nul", b"\0"),
    ("nul_after", b"1\0"),
    ("array_extra_comma", b"[1,]"),
    ("array_double_comma", b"[1,,2]"),
    ("array_comma_first", b"[,1]"),
    ("array_just_comma", b"[,]"),
    ("array_colon", b"[1:2]"),
    ("array_unclosed", b"[1"),
    ("array_unclosed_comma", b"[1,"),
    ("array_closed_as_object", b"[}"),
    ("array_closed_twice", b"[1]]"),
    ("array_items_not_separated", b"[3[4]]"),
    ("array_star", b"[*]"),
    ("array_form_feed", b"[\x0c]"),
    ("array_vertical_tab", b"[\x0b1]"),
    ("array_no_break_space", b"[\xc2\xa0]"),
    ("array_incomplete_true", b"[tru]"),
    ("array_incomplete_null", b"[nul"),
    ("array_invalid_utf8", b"[\xff]"),
    ("bom", b"\xef\xbb\xbf{}"),
    ("bom_half", b"\xef\xbb{}"),
    ("utf16", b"[\0\"\0\xe9\0\"\0]\0"),
    ("number_plus", b"[+1]"),
    ("number_double_minus", b"[--1]"),
    ("number_minus", b"[-]"),
    ("number_minus_space", b"[- 1]"),
    ("number_leading_zero", b"[012]"),
    ("number_leading_zeros", b"[00]"),
    ("number_negative_leading_zero", b"[-012]"),
    ("number_dot_first", b"[.5]"),
    ("number_dot_last", b"[1.]"),
    ("number_dot_exponent", b"[0.e1]"),
    ("number_negative_dot", b"[-.123]"),
    ("number_exponent_only", b"[1e]"),
    ("number_exponent_sign_only", b"[1e+]"),
    ("number_exponent_twice", b"[1eE2]"),
    ("number_two_dots", b"[1.2.3]"),
    ("number_nan", b"[NaN]"),
    ("number_infinity", b"[-Infinity]"),
    ("number_inf", b"[Inf]"),
    ("number_hex", b"[0x1]"),
    ("number_letter", b"[1a]"),
    ("number_expression", b"[1+2]"),
    ("number_full_width", b"[\xef\xbc\x91]"),
    ("object_comma_first", b"{,\"a\":1}"),
    ("object_trailing_comma", b"{\"a\":1,}"),
    ("object_two_commas", b"{\"a\":1,,\"b\":2}"),
    ("object_no_colon", b"{\"a\" 1}"),
    ("object_two_colons", b"{\"a\"::1}"),
    ("object_no_value", b"{\"a\":}"),
    ("object_no_key", b"{:1}"),
    ("object_number_key", b"{1:1}"),
    ("object_unquoted_key", b"{a:1}"),
    ("object_single_quotes", b"{'a':1}"),
    ("object_key_only", b"{\"a\"}"),
    ("object_closed_as_array", b"{\"a\":1]"),
    ("object_unclosed", b"{\"a\":1"),
    ("object_trailing_text", b"{\"a\":1}#"),
    ("object_trailing_comment", b"{\"a\":1}/**/"),
    ("object_repeated_null_key", b"{null:null,null:null}"),
    ("string_unclosed", b"[\"a"),
    ("string_single_quotes", b"['a']"),
    ("string_escaped_end", b"[\"\\\"]"),
    ("string_escape_x", b"[\"\\x00\"]"),
    ("string_escape_a", b"[\"\\a\"]"),
    ("string_escape_line", b"[\"\\\n\"]"),
    ("string_escape_nothing", b"[\"\\\"]"),
    ("string_escape_utf8", b"[\"\\\xe9\"]"),
    ("string_escape_capital_u", b"[\"\\U0041\"]"),
    ("string_unicode_short", b"[\"\\u00A\"]"),
    ("string_unicode_no_hex", b"[\"\\u00G0\"]"),
    ("string_unicode_sign", b"[\"\\u+041\"]"),
    ("string_surrogate_high_only", b"[\"\\ud800\"]"),
    ("string_surrogate_low_only", b"[\"\\uDC00\"]"),
    ("string_surrogate_then_text", b"[\"\\uD800abc\"]"),
    ("string_surrogate_then_escape", b"[\"\\uD800\\n\"]"),
    ("string_surrogate_then_high", b"[\"\\uD800\\uD800\"]"),
    ("string_surrogate_then_character", b"[\"\\uD800\\u0041\"]"),
    ("string_surrogates_inverted", b"[\"\\uDd1e\\uD834\"]"),
    ("string_surrogate_incomplete", b"[\"\\uD800\\uDC0\"]"),
    ("string_newline", b"[\"a\nb\"]"),
    ("string_tab", b"[\"\t\"]"),
    ("string_nul", b"[\"\0\"]"),
    ("string_1f", b"[\"\x1f\"]"),
    ("string_utf8_overlong", b"[\"\xc0\xaf\"]"),
    (
        "string_utf8_overlong_long",
        b"[\"\xfc\x80\x80\x80\x80\x80\"]",
    ),
    ("string_utf8_surrogate", b"[\"\xed\xa0\x80\"]"),
    ("string_utf8_truncated", b"[\"\xe0\xff\"]"),
    ("string_utf8_beyond", b"[\"\xf4\x90\x80\x80\"]"),
    ("string_utf8_lonely", b"[\"\x81\"]"),
    ("string_utf8_in_key", b"{\"\xff\":0}"),
    ("literal_capital", b"[True]"),
    ("literal_no_quotes", b"[a]"),
    ("two_values", b"1 2"),
    ("two_arrays", b"[][]"),
    ("closing_only", b"]"),
    ("comment", b"[1] // x"),
    ("javascript", b"undefined"),
];

#[test]
fn the_scan_agrees_with_serde_json_on_every_vector() {
    for (name, text) in JSON {
        let text = text.replace("\\u{fdd0}", "\u{fdd0}");
        assert_eq!(json::scan(text.as_bytes()), Ok(()), "{name}");
        assert!(oracle(text.as_bytes()), "{name}");
    }
    for (name, text) in NOT_JSON {
        assert!(json::scan(text).is_err(), "{name}");
        assert!(!oracle(text), "{name}");
    }
}

#[test]
fn the_scan_agrees_with_serde_json_on_every_vector_when_cut_or_changed() {
    for text in JSON
        .iter()
        .map(|(_, text)| text.as_bytes())
        .chain(NOT_JSON.iter().map(|(_, text)| *text))
    {
        for at in 0..text.len() {
            assert_agrees(&text[..at]);
            assert_agrees(&text[at..]);
            for byte in [
                0, b'"', b'\\', b'0', b'e', b'.', b',', b'}', b']', b'{', b' ', 0x7f, 0x80, 0xff,
            ] {
                let mut changed = text.to_vec();
                changed[at] = byte;
                assert_agrees(&changed);
                let mut longer = text.to_vec();
                longer.insert(at, byte);
                assert_agrees(&longer);
            }
        }
    }
}

#[test]
fn errors_have_a_kind_and_an_offset() {
    for (text, kind, offset) in [
        ("", Syntax::Incomplete, 0),
        ("  ", Syntax::Incomplete, 2),
        ("[1,]", Syntax::Unexpected, 3),
        ("{\"a\":1}x", Syntax::Trailing, 7),
        ("\"a\tb\"", Syntax::Control, 2),
        ("\"a\\xb\"", Syntax::Escape, 2),
        ("\"a\\ud800b\"", Syntax::Surrogate, 2),
        ("[01]", Syntax::Unexpected, 2),
        ("tru", Syntax::Incomplete, 3),
        ("trux", Syntax::Unexpected, 3),
    ] {
        let error = json::scan(text.as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.offset), (kind, offset), "{text:?}");
    }
    let error = json::scan(b"[\"ab\xff\"]").unwrap_err();
    assert_eq!((error.kind, error.offset), (Syntax::Utf8, 4));
    for depth in nullink::idl::Definition::MAX_DEPTH - 2..nullink::idl::Definition::MAX_DEPTH + 2 {
        for (open, close) in [("[", "]"), ("{\"a\":[", "]}")] {
            let count = depth / close.len();
            assert_strict((open.repeat(count) + &close.repeat(count)).as_bytes());
            assert_strict((open.repeat(count) + "[]" + &close.repeat(count)).as_bytes());
            assert_strict((open.repeat(count) + "1" + &close.repeat(count)).as_bytes());
        }
    }
    let deep = "[".repeat(nullink::idl::Definition::MAX_DEPTH + 1);
    let error = json::scan(deep.as_bytes()).unwrap_err();
    assert_eq!(
        (error.kind, error.offset),
        (Syntax::Depth, nullink::idl::Definition::MAX_DEPTH)
    );
    assert_eq!(
        json::scan(
            ("[".repeat(nullink::idl::Definition::MAX_DEPTH)
                + &"]".repeat(nullink::idl::Definition::MAX_DEPTH))
                .as_bytes()
        ),
        Ok(())
    );
}

/// Returns a strategy for every way to write a character inside a string.
fn character() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<char>().prop_filter("must be escaped", |c| *c >= ' ' && *c != '"' && *c != '\\').prop_map(String::from),
        2 => any::<char>().prop_map(|c| {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
        }),
        1 => prop::sample::select(vec!["\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"]).prop_map(String::from),
    ]
}

fn string() -> impl Strategy<Value = String> {
    prop::collection::vec(character(), 0..12)
        .prop_map(|characters| format!("\"{}\"", characters.concat()))
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        any::<f64>()
            .prop_filter("not JSON", |n| n.is_finite())
            .prop_map(|n| format!("{n:?}")),
        "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?",
    ]
}

/// Returns a strategy for any JSON text, with white space in it.
fn text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_string()),
        Just("true".to_string()),
        Just("false".to_string()),
        number(),
        string(),
    ];
    let spaced = |inner: BoxedStrategy<String>| {
        ("[ \t\r\n]{0,2}", inner, "[ \t\r\n]{0,2}").prop_map(|(a, b, c)| a + &b + &c)
    };
    leaf.prop_recursive(6, 48, 6, move |inner| {
        let value = spaced(inner.boxed());
        let member = (string(), value.clone()).prop_map(|(key, value)| format!("{key}:{value}"));
        prop_oneof![
            prop::collection::vec(value, 0..6).prop_map(|values| format!("[{}]", values.join(","))),
            prop::collection::vec(member, 0..6)
                .prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// Any JSON value, in owned types.
#[derive(Clone, Debug, PartialEq)]
enum Anything {
    Null,
    Bool(bool),
    Positive(u64),
    Negative(i64),
    Float(f64),
    Text(String),
    List(Vec<Anything>),
    Map(Vec<(String, Anything)>),
}

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Anything;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_none<E>(self) -> Result<Anything, E> {
                Ok(Anything::Null)
            }
            fn visit_unit<E>(self) -> Result<Anything, E> {
                Ok(Anything::Null)
            }
            fn visit_some<D: serde::Deserializer<'de>>(self, d: D) -> Result<Anything, D::Error> {
                Anything::deserialize(d)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Anything, E> {
                Ok(Anything::Bool(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Anything, E> {
                Ok(Anything::Positive(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Anything, E> {
                Ok(Anything::Negative(value))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Anything, E> {
                Ok(Anything::Float(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Anything, E> {
                Ok(Anything::Text(value.to_string()))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<Anything, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(Anything::List(values))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Anything, A::Error> {
                let mut values = Vec::new();
                while let Some(entry) = map.next_entry::<String, Anything>()? {
                    values.push(entry);
                }
                Ok(Anything::Map(values))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// True if the value has no number that may be an integer read as a float. serde_json reads -0, and
/// integers that do not fit into 64 bits, as floats.
fn has_no_odd_integer(value: &Anything) -> bool {
    match value {
        Anything::Float(value) => value.fract() != 0.0,
        Anything::Negative(0) => false,
        Anything::List(values) => values.iter().all(has_no_odd_integer),
        Anything::Map(values) => values.iter().all(|(_, value)| has_no_odd_integer(value)),
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        if std::env::var_os("CI").is_some() { 2000 } else { 500 }
    ))]

    #[test]
    fn the_scan_accepts_all_json(text in text()) {
        prop_assert_eq!(json::scan(text.as_bytes()), Ok(()));
    }

    #[test]
    fn the_scan_agrees_with_serde_json_on_damaged_json(text in text(), at in any::<prop::sample::Index>(), with in any::<Option<u8>>()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        match with {
            Some(byte) => bytes[at] = byte,
            None => { bytes.remove(at); }
        }
        assert_strict(&bytes);
        let ours = json::scan(&bytes);
        prop_assert_eq!(ours.is_ok(), oracle(&bytes), "{}: {:?}", bytes.escape_ascii(), ours);
    }

    #[test]
    fn a_structure_is_read_from_json_only(
        value in text(),
        escaped in string(),
        number in any::<i64>(),
        at in any::<prop::sample::Index>(),
        change in prop::sample::select(b"{}[]:,\"\\ 01e-.tfn\x01\n\x80".to_vec()),
        edit in 0..4,
    ) {
        let mut bytes = format!(
            "{{\"flag\":true,\"number\":0,\"float\":-1.5e1,\"text\":{escaped},\"unit\":{{}},\"list\":[0,{number}],\
             \"pair\":[1,{escaped}],\"map\":{{\"a\":null,\"b\":{{\"flag\":false}}}},\"color\":\"Red\",\"raw\":{value},\
             \"other\":{value},\"any\":{value}}}"
        ).into_bytes();
        let at = at.index(bytes.len());
        match edit {
            0 => {}
            1 => bytes[at] = change,
            2 => bytes.insert(at, change),
            _ => drop(bytes.remove(at)),
        }
        assert_strict(&bytes);
    }

    #[test]
    fn the_scan_agrees_with_serde_json_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(json::scan(&bytes).is_ok(), oracle(&bytes));
    }

    #[test]
    fn strings_are_read_as_serde_json_reads_them(text in string()) {
        let expected: String = serde_json::from_str(&text).unwrap();
        let mut bytes = text.into_bytes();
        let read: &str = json::decode(&mut bytes).unwrap();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn values_are_read_as_serde_json_reads_them(text in text()) {
        let mut bytes = text.clone().into_bytes();
        match (json::decode::<Anything>(&mut bytes), serde_json::from_str::<Anything>(&text)) {
            (Ok(ours), Ok(theirs)) if has_no_odd_integer(&theirs) => prop_assert_eq!(ours, theirs),
            (Ok(_), Ok(_)) => {}
            // An integer that does not fit into 64 bits is an error, and is not rounded.
            (Err(error), Ok(theirs)) => {
                prop_assert_eq!(error.mismatch(), Mismatch::Range);
                prop_assert!(!has_no_odd_integer(&theirs), "{text}");
            }
            (Err(error), Err(_)) => prop_assert_eq!(error.mismatch(), Mismatch::Range),
            (Ok(_), Err(error)) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn unknown_values_of_any_kind_are_skipped(value in text(), name in string()) {
        #[derive(Deserialize)]
        struct Last { z: i64 }
        prop_assume!(serde_json::from_str::<String>(&name).unwrap() != "z");
        let mut bytes = format!("{{{name} : {value} ,\"z\":1}}").into_bytes();
        prop_assert_eq!(json::decode::<Last>(&mut bytes).unwrap().z, 1);
    }

    #[test]
    fn raw_values_are_kept_byte_for_byte(value in text()) {
        #[derive(Serialize, Deserialize)]
        struct Kept<'a> { #[serde(borrow)] value: Option<Raw<'a>> }
        let mut bytes = format!("{{\"value\":{value}}}").into_bytes();
        let kept: Kept = json::decode(&mut bytes).unwrap();
        let text = value.trim_matches([' ', '\t', '\r', '\n']);
        prop_assert_eq!(kept.value.map(|raw| raw.to_string()), (text != "null").then(|| text.to_string()));
        let mut buffer = vec![0; value.len() + 100];
        let written = json::encode(&kept, &mut buffer).unwrap();
        let expected = if text == "null" { "{}".to_string() } else { format!("{{\"value\":{text}}}") };
        prop_assert_eq!(written, expected);
    }

    #[test]
    fn lists_and_maps_are_read_item_by_item(list in prop::collection::vec(any::<i64>(), 0..20), map in prop::collection::btree_map(any::<String>(), any::<i64>(), 0..10)) {
        let text = serde_json::json!({"before": [[{}]], "list": list, "map": map}).to_string();
        let mut bytes = text.clone().into_bytes();
        let items = Value::scan(&mut bytes).unwrap().member("list").unwrap().items().unwrap();
        let items: Result<Vec<i64>, DecodeError> = items.map(Value::decode).collect();
        prop_assert_eq!(items.unwrap(), list);
        let mut bytes = text.into_bytes();
        let value = Value::scan(&mut bytes).unwrap().items().unwrap().find(|item| item.key() == "map").unwrap();
        let read: BTreeMap<String, i64> = value.items().unwrap().map(|item| (item.key().to_string(), item.decode().unwrap())).collect();
        prop_assert_eq!(read, map);
    }

    #[test]
    fn strings_are_written_as_serde_json_writes_them(text in any::<String>()) {
        let expected = serde_json::to_string(&text).unwrap();
        let mut buffer = vec![0; expected.len()];
        prop_assert_eq!(json::encode(&text, &mut buffer).unwrap(), &expected);
        let mut core = vec![0; expected.len() + 100];
        let length = serde_json_core::to_slice(&text[..], &mut core).unwrap();
        let ours: String = serde_json::from_str(&expected).unwrap();
        let theirs: String = serde_json::from_slice(&core[..length]).unwrap();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn numbers_are_written_as_serde_json_writes_them(int in any::<i64>(), unsigned in any::<u64>(), float in any::<f64>(), small in any::<f32>()) {
        let mut buffer = [0; 64];
        prop_assert_eq!(json::encode(&int, &mut buffer).unwrap(), int.to_string());
        prop_assert_eq!(json::encode(&unsigned, &mut buffer).unwrap(), unsigned.to_string());
        if float.is_finite() {
            let written = json::encode(&float, &mut buffer).unwrap().to_string();
            prop_assert_eq!(json::decode::<f64>(&mut written.clone().into_bytes()).unwrap().to_bits(), float.to_bits());
        }
        if small.is_finite() {
            let written = json::encode(&small, &mut buffer).unwrap().to_string();
            prop_assert_eq!(json::decode::<f32>(&mut written.into_bytes()).unwrap().to_bits(), small.to_bits());
        }
    }

    #[test]
    fn m7_floats_of_any_form_are_read_as_std_reads_them(text in "-?[0-9]{0,18}(\\.[0-9]{0,18})?([eE][+-]?[0-9]{0,3})?") {
        assert_agrees(text.as_bytes());
        if oracle(text.as_bytes()) {
            let expected = text.parse::<f64>().unwrap();
            match json::decode::<f64>(&mut text.clone().into_bytes()) {
                Ok(read) => prop_assert_eq!(read.to_bits(), expected.to_bits()),
                Err(error) => prop_assert!(error.mismatch() == Mismatch::Range && expected.is_infinite()),
            }
        }
    }

    #[test]
    fn a_value_that_does_not_fit_is_an_error(text in any::<String>(), list in prop::collection::vec(any::<i64>(), 0..5), cut in any::<prop::sample::Index>()) {
        #[derive(Serialize)]
        struct Both { text: String, list: Vec<i64>, none: Option<u8> }
        let value = Both { text, list, none: None };
        let mut buffer = vec![0; 10_000];
        let full = json::encode(&value, &mut buffer).unwrap().to_string();
        let cut = cut.index(full.len());
        let (mut short, mut exact) = (vec![0; cut], vec![0; full.len()]);
        prop_assert_eq!(json::encode(&value, &mut short), Err(EncodeError::Full));
        prop_assert_eq!(json::encode(&value, &mut exact).unwrap(), &full);
    }
}

#[test]
fn every_ascii_character_is_written_as_serde_json_writes_it() {
    for byte in 0..0x7f {
        let text = char::from(byte).to_string();
        let written = json::encode(&text, &mut [0; 8]).map(String::from);
        assert_eq!(written, Ok(serde_json::to_string(&text).unwrap()));
    }
    assert_eq!(json::encode("\u{7f}", &mut [0; 8]), Ok(r#""\u007f""#));
}

#[test]
fn a_value_of_any_kind_can_fill_the_buffer() {
    fn fills(value: impl Serialize, text: &str) {
        let (mut exact, mut short) = (vec![0; text.len()], vec![0; text.len() - 1]);
        assert_eq!(json::encode(&value, &mut exact), Ok(text));
        assert_eq!(
            json::encode(&value, &mut short),
            Err(EncodeError::Full),
            "{text}"
        );
    }
    fills(true, "true");
    fills(None::<u8>, "null");
    fills(-12, "-12");
    fills(u64::MAX, "18446744073709551615");
    fills(0.25, "0.25");
    fills("ab", "\"ab\"");
    fills("\n", "\"\\n\"");
    fills("\u{1}", "\"\\u0001\"");
    fills((), "{}");
    fills([(); 0], "[]");
    fills([1], "[1]");
    fills(BTreeMap::from([("a", 1)]), r#"{"a":1}"#);
    fills(Raw::new("[1, 2]").unwrap(), "[1, 2]");
}

#[test]
fn the_writer_omits_fields_that_are_none_and_nothing_else() {
    #[derive(Serialize)]
    struct Some_<'a> {
        first: Option<u8>,
        list: Vec<Option<u8>>,
        raw: Raw<'a>,
        last: Option<Option<u8>>,
        unit: (),
    }
    let mut buffer = [0; 99];
    let mut write = |first, list, last| {
        let raw = Raw::new("null").unwrap();
        json::encode(
            &Some_ {
                first,
                list,
                raw,
                last,
                unit: (),
            },
            &mut buffer,
        )
        .unwrap()
        .to_string()
    };
    assert_eq!(
        write(None, vec![None], None),
        r#"{"list":[null],"raw":null,"unit":{}}"#
    );
    assert_eq!(
        write(Some(1), vec![None, Some(2)], Some(Some(3))),
        r#"{"first":1,"list":[null,2],"raw":null,"last":3,"unit":{}}"#
    );

    let map: BTreeMap<&str, Option<u8>> = [("a", None), ("b", Some(1))].into();
    assert_eq!(
        json::encode(&map, &mut buffer).unwrap(),
        r#"{"a":null,"b":1}"#
    );
}

/// A value that is formatted in several pieces.
struct Formatted;

impl Serialize for Formatted {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}\n", "\"formatted\""))
    }
}

#[test]
fn the_writer_accepts_every_varlink_type() {
    #[derive(Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Color {
        Red,
    }
    #[derive(Serialize)]
    struct New<'a>(&'a str);
    #[derive(Serialize)]
    struct Pair(u8, bool);
    #[derive(Serialize)]
    struct Unit;
    let mut buffer = [0; 256];
    let value = (
        (true, 'ß', Color::Red, New("new"), Pair(1, false), Unit),
        (
            i8::MIN,
            i16::MIN,
            i32::MIN,
            i64::MIN,
            u8::MAX,
            u16::MAX,
            u32::MAX,
            u64::MAX,
        ),
        (List(0..3), Map([("k", 'v')].into_iter()), Formatted),
        (0.1_f32, 1.0_f64, -0.0_f64, f64::MAX, f64::MIN_POSITIVE),
    );
    assert_eq!(
        json::encode(&value, &mut buffer).unwrap(),
        concat!(
            r#"[[true,"ß","red","new",[1,false],{}],"#,
            r#"[-128,-32768,-2147483648,-9223372036854775808,255,65535,4294967295,18446744073709551615],"#,
            r#"[[0,1,2],{"k":"v"},"\"formatted\"\n"],"#,
            r#"[0.1,1.0,-0.0,1.7976931348623157e308,2.2250738585072014e-308]]"#,
        )
    );
}

#[test]
fn the_writer_refuses_types_that_varlink_does_not_have() {
    #[derive(Serialize)]
    enum Content {
        New(u8),
        Tuple(u8, u8),
        Struct { a: u8 },
    }
    struct Bytes;
    impl Serialize for Bytes {
        fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.serialize_bytes(b"x")
        }
    }
    fn refused(value: impl Serialize) {
        let result = json::encode(&[value], &mut [0; 99]).map(str::to_string);
        assert!(
            matches!(
                result,
                Err(EncodeError::Bytes
                    | EncodeError::Integer128
                    | EncodeError::VariantWithContent
                    | EncodeError::KeyNotAString)
            ),
            "{result:?}"
        );
    }
    refused(Content::New(1));
    refused(Content::Tuple(1, 2));
    refused(Content::Struct { a: 1 });
    refused(Bytes);
    refused(1_i128);
    refused(1_u128);
    refused(BTreeMap::from([(1, 2)]));
    refused(BTreeMap::from([([1], 2)]));
    assert_eq!(
        json::encode(&[f64::NAN], &mut [0; 99]),
        Err(EncodeError::NotFinite)
    );
    assert_eq!(
        json::encode(&[f32::INFINITY], &mut [0; 99]),
        Err(EncodeError::NotFinite)
    );
    // An endless list ends with the buffer.
    assert_eq!(
        json::encode(&List(0..), &mut [0; 99]),
        Err(EncodeError::Full)
    );
}

#[test]
fn the_reader_accepts_every_varlink_type() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Color {
        Red,
        Green,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct New<'a>(&'a str);
    #[derive(Debug, PartialEq, Deserialize)]
    struct Unit;
    #[derive(Debug, PartialEq, Deserialize)]
    struct All<'a> {
        bool: bool,
        char: char,
        color: Color,
        #[serde(borrow)]
        new: New<'a>,
        tuple: (u8, Option<i8>),
        array: [u16; 2],
        unit: Unit,
        nothing: (),
        f32: f32,
        f64: f64,
        table: heapless::Vec<&'a str, 4>,
        set: heapless::LinearMap<&'a str, (), 4>,
        none: Option<&'a str>,
        keyed: BTreeMap<&'a str, Color>,
    }
    let text = br#"{"bool":true,"char":"\u00df","color":"green","new":"n\u0065w","tuple":[1,null],
        "array":[1,2],"unit":{},"nothing":{"ignored":0},"f32":0.1,"f64":1,"table":["a\n","b"],
        "set":{"x":{},"\u0079":{}},"keyed":{"k\"":"red"}}"#;
    let mut text = text.to_vec();
    let all: All = json::decode(&mut text).unwrap();
    assert_eq!(all.table.as_slice(), ["a\n", "b"]);
    assert_eq!(all.set.keys().copied().collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(
        all,
        All {
            bool: true,
            char: 'ß',
            color: Color::Green,
            new: New("new"),
            tuple: (1, None),
            array: [1, 2],
            unit: Unit,
            nothing: (),
            f32: 0.1,
            f64: 1.0,
            table: all.table.clone(),
            set: all.set.clone(),
            none: None,
            keyed: BTreeMap::from([("k\"", Color::Red)]),
        }
    );
}

#[test]
fn the_reader_reports_the_field_and_the_mismatch() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Strict<'a> {
        pair: Option<(u8, u8)>,
        table: Option<heapless::Vec<u8, 2>>,
        color: Option<Color>,
        #[serde(borrow)]
        raw: Option<Raw<'a>>,
        text: Option<&'a str>,
        custom: Option<std::net::Ipv4Addr>,
    }
    #[derive(Debug, Deserialize)]
    enum Color {
        Red,
    }
    for (text, field, mismatch) in [
        (r#"{"pair":[1]}"#, Some("pair"), Mismatch::Length),
        (r#"{"pair":[1,2,3]}"#, Some("pair"), Mismatch::Length),
        (r#"{"table":[1,2,3]}"#, Some("table"), Mismatch::Length),
        (r#"{"pair":[1,256]}"#, Some("pair"), Mismatch::Range),
        (r#"{"color":"Green"}"#, Some("color"), Mismatch::Variant),
        (r#"{"color":{"Red":null}}"#, Some("color"), Mismatch::Type),
        (r#"{"other":1}"#, Some("other"), Mismatch::Unknown),
        (
            r#"{"text":"x","text":"x"}"#,
            Some("text"),
            Mismatch::Duplicate,
        ),
        (r#"{"custom":"1.2.3"}"#, Some("custom"), Mismatch::Custom),
        ("[]", None, Mismatch::Type),
        ("null", None, Mismatch::Type),
        ("{", None, Mismatch::Syntax),
    ] {
        let mut bytes = text.as_bytes().to_vec();
        let error = json::decode::<Strict>(&mut bytes).unwrap_err();
        assert_eq!(
            (error.field_in(&bytes), error.mismatch()),
            (field, mismatch),
            "{text}"
        );
    }
    // `null` is not a value of `any`.
    let error = json::decode::<Raw>(&mut b"null".to_vec()).unwrap_err();
    assert_eq!(error.mismatch(), Mismatch::Type);
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Aliases {
    #[serde(alias = "b")]
    a: i32,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Wide {
    a: i32,
    b: i128,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Bytes<'a> {
    a: i32,
    b: &'a [u8],
}

// Such an error comes before the reader looks at the value.
#[test]
fn an_error_at_a_key_has_the_offset_of_that_key() {
    fn offset<'a, T: Deserialize<'a> + std::fmt::Debug>(text: &'a mut [u8]) -> usize {
        json::decode::<T>(text).unwrap_err().offset()
    }
    // Without and with white space, which the reader treats differently.
    for (text, key) in [(r#"{"a":1,"b":2}"#, 7), (r#"{"a":1, "b":2}"#, 8)] {
        let copy = || text.as_bytes().to_vec();
        assert_eq!(offset::<Aliases>(&mut copy()), key, "{text}");
        assert_eq!(offset::<Wide>(&mut copy()), key, "{text}");
        assert_eq!(offset::<Bytes<'_>>(&mut copy()), key, "{text}");
    }
}

#[test]
fn a_field_whose_name_has_quotes_is_not_several_members() {
    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Quotes {
        #[serde(rename = "a\":1,\"b")]
        both: Option<i32>,
        a: Option<i32>,
        b: Option<i32>,
    }
    let read: Quotes = json::decode(&mut br#"{"a":1,"b":2}"#.to_vec()).unwrap();
    let expected = Quotes {
        both: None,
        a: Some(1),
        b: Some(2),
    };
    assert_eq!(read, expected);
}

// The last value written is `None`, but it is not the content.
#[test]
fn parameters_that_do_not_fit_are_an_error_and_not_left_out() {
    let parameters = Map([("a long key, longer than the room", None::<i32>)]);
    for size in 0..200 {
        let (mut receive, mut send) = ([0; 8], vec![0; size]);
        let mut client = nullink::client::Session::new(&mut receive, &mut send);
        let queued = client.queue("org.example.M", nullink::Mode::Simple, &parameters);
        let whole =
            br#"{"method":"org.example.M","parameters":{"a long key, longer than the room":null}}"#;
        if size > whole.len() {
            assert_eq!(queued, Ok(()));
            assert_eq!(client.channel().pending(), [&whole[..], b"\0"].concat());
        } else {
            assert_eq!(queued, Err(EncodeError::Full.into()), "{size}");
        }
    }
}

#[test]
fn an_error_inside_a_field_is_not_taken_for_none() {
    #[derive(Serialize)]
    enum Content {
        New(Option<u8>),
        Struct { a: Option<u8> },
    }
    struct NoneThenError;
    impl Serialize for NoneThenError {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::{Error, SerializeSeq};
            let mut list = serializer.serialize_seq(None)?;
            list.serialize_element(&None::<u8>)?;
            Err(Error::custom("never mind"))
        }
    }
    #[derive(Serialize)]
    struct Holds<T> {
        value: T,
        z: u8,
    }
    fn write(value: impl Serialize) -> Result<String, EncodeError> {
        json::encode(&Holds { value, z: 1 }, &mut [0; 99]).map(str::to_string)
    }
    let refused = Err(EncodeError::VariantWithContent);
    assert_eq!(write(Content::New(None)), refused);
    assert_eq!(write(Content::Struct { a: None }), refused);
    assert_eq!(write(NoneThenError), Err(EncodeError::Custom));
    let keys = Err(EncodeError::KeyNotAString);
    assert_eq!(write(BTreeMap::from([(None::<u8>, 1)])), keys);
    assert_eq!(write(None::<u8>), Ok(r#"{"z":1}"#.to_string()));
    assert_eq!(write(Some(Some(None::<u8>))), Ok(r#"{"z":1}"#.to_string()));
}

#[test]
fn raw_holds_only_json() {
    // The key of a map is unescaped text, so a Raw cannot hold it.
    for text in [
        r#"{"\"a\":1,\"b\"":1}"#,
        r#"{"\u0000":1}"#,
        r#"{"\"a\"":1}"#,
        r#"{"1":1}"#,
    ] {
        let mut bytes = text.as_bytes().to_vec();
        let error = json::decode::<BTreeMap<RawKey, u8>>(&mut bytes).unwrap_err();
        assert_eq!(error.mismatch(), Mismatch::Type, "{text}");
    }
    // Text from another deserializer is checked.
    use serde::de::value::BorrowedStrDeserializer;
    let other = |text| {
        Raw::deserialize(BorrowedStrDeserializer::<serde::de::value::Error>::new(
            text,
        ))
        .map(|raw| raw.to_string())
    };
    assert!(other("garbage\0,,").is_err());
    assert_eq!(other("[1]").unwrap(), "[1]");
}

#[test]
fn raw_knows_objects_and_those_without_members() {
    for (text, is_object, is_empty) in [
        ("{}", true, true),
        (" { } ", true, true),
        ("\n{\t\r\n}", true, true),
        (r#"{"a":{}}"#, true, false),
        (" {\"a\":1}", true, false),
        ("[]", false, false),
        ("\"{}\"", false, false),
        ("null", false, false),
    ] {
        let raw = Raw::new(text).unwrap();
        assert_eq!(
            (raw.is_object(), raw.is_empty()),
            (is_object, is_empty),
            "{text}"
        );
    }
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct RawKey<'a>(#[serde(borrow)] Raw<'a>);

// The keys of a BTreeMap must be ordered.
impl PartialEq for RawKey<'_> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for RawKey<'_> {}
impl PartialOrd for RawKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for RawKey<'_> {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

#[test]
fn keys_of_any_string_type_are_read_as_they_are_written() {
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    struct Id(String);
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    enum Color {
        Red,
    }
    let map = BTreeMap::from([((Id("a\n".into())), BTreeMap::from([(Color::Red, 'x')]))]);
    let mut buffer = [0; 99];
    let text = json::encode(&map, &mut buffer).unwrap().to_string();
    assert_eq!(text, r#"{"a\n":{"Red":"x"}}"#);
    let read: BTreeMap<Id, BTreeMap<Color, char>> = json::decode(&mut text.into_bytes()).unwrap();
    assert_eq!(read, map);
}

#[test]
fn a_type_that_ignores_an_error_inside_its_value_fails() {
    #[derive(Debug)]
    struct Lenient;
    impl<'de> Deserialize<'de> for Lenient {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Lenient;
                fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                    f.write_str("anything")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Lenient, A::Error> {
                    while let Ok(Some(_)) = map.next_key::<&str>() {
                        let _ = map.next_value::<BTreeMap<&str, u8>>();
                    }
                    Ok(Lenient)
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    for text in [
        r#"{"limits":{"x":300,"admin":true},"admin":false}"#,
        r#"{"a":[1]}"#,
    ] {
        assert!(json::decode::<Lenient>(&mut text.as_bytes().to_vec()).is_err());
    }
    assert!(json::decode::<Lenient>(&mut br#"{"a":{"x":1}} "#.to_vec()).is_ok());
}

#[test]
fn deserialize_any_reads_numbers_with_a_fraction_or_an_exponent_as_floats() {
    struct Float(f64);
    impl<'de> Deserialize<'de> for Float {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl serde::de::Visitor<'_> for Visitor {
                type Value = Float;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("a float")
                }
                fn visit_f64<E>(self, value: f64) -> Result<Float, E> {
                    Ok(Float(value))
                }
            }
            from.deserialize_any(Visitor)
        }
    }
    let mut text = *b"[1.5,1e1, 2E1 ,-0.5]";
    let floats: [Float; 4] = json::decode(&mut text).expect("floats");
    assert_eq!(floats.map(|float| float.0), [1.5, 10.0, 20.0, -0.5]);
}

#[test]
fn m7_an_f32_does_not_overflow() {
    for (text, value) in [
        ("3.4028235e38", Some(f32::MAX)),
        ("-1.5", Some(-1.5)),
        ("1e39", None),
        ("-1e39", None),
    ] {
        let read = json::decode::<f32>(&mut text.as_bytes().to_vec());
        assert_eq!(read.ok(), value, "{text}");
    }
}

#[test]
fn a_string_after_a_raw_value_has_its_quotes() {
    #[derive(Serialize)]
    struct Both<'a> {
        a: Raw<'a>,
        b: &'a str,
    }
    let a = Raw::new("1").expect("JSON");
    assert_eq!(
        json::encode(&Both { a, b: "x" }, &mut [0; 64]),
        Ok(r#"{"a":1,"b":"x"}"#)
    );
}

#[test]
fn raw_values_can_have_white_space_anywhere() {
    for (text, expected) in [
        (" [1]", "1 "),
        ("[ ]", ""),
        ("[1 ]", "1 "),
        (" [ 1 , [ 2 ] ] ", "1 [ 2 ] "),
        (r#" { "a" : 1 , "b" : { } } "#, "a1 b{ } "),
    ] {
        let raw = Raw::new(text).expect("JSON");
        let mut scratch = [0; 64];
        let value: Value = raw.decode_in(&mut scratch).expect("any value");
        let items = value.items().expect("a list or an object");
        let items = items.map(|item| format!("{}{} ", item.key(), item.raw()));
        assert_eq!(items.collect::<String>(), expected, "{text}");
    }
    let mut short = [0];
    let value: Result<Value, _> = Raw::EMPTY_OBJECT.decode_in(&mut short);
    assert_eq!(value.expect_err("too short").mismatch(), Mismatch::Length);
}

#[test]
fn member_finds_a_member_of_an_object_by_name() {
    let member = |text: &str| {
        let mut text = text.as_bytes().to_vec();
        let value = Value::scan(&mut text).expect("JSON");
        let member = value.member("a");
        member.map(|member| (member.key(), member.raw().to_string()) == ("a", "1".into()))
    };
    assert_eq!(member(r#"{"b":[1],"\u0061":1}"#), Ok(true));
    for (text, mismatch) in [
        (r#"{"b":{"a":1}}"#, Mismatch::Missing),
        ("{}", Mismatch::Missing),
        ("[1]", Mismatch::Type),
        ("[]", Mismatch::Type),
        ("null", Mismatch::Type),
        ("\"a\"", Mismatch::Type),
    ] {
        assert_eq!(member(text).expect_err(text).mismatch(), mismatch, "{text}");
    }
}

#[test]
fn a_type_that_reads_no_value_is_an_error() {
    struct Nothing;
    impl<'de> Deserialize<'de> for Nothing {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Ok(Nothing)
        }
    }
    assert!(json::decode::<Nothing>(&mut b"1".to_vec()).is_err());
}

#[test]
fn a_raw_value_is_encoded_from_another() {
    #[derive(serde::Serialize)]
    struct Busy<'a> {
        devices: Raw<'a>,
    }
    let mut buffer = [0; 32];
    let list = json::List(["sda", "s\"b"].iter());
    let devices = Raw::encode(&list, &mut buffer).unwrap();
    assert_eq!(devices.as_str(), r#"["sda","s\"b"]"#);
    let text = r#"{"devices":["sda","s\"b"]}"#;
    assert_eq!(json::encode(&Busy { devices }, &mut [0; 32]), Ok(text));
    assert_eq!(Raw::encode(&list, &mut [0; 13]), Err(EncodeError::Full));
}

#[test]
fn strings_with_escapes_next_to_each_other_are_skipped_read_and_written() {
    #[derive(serde::Deserialize)]
    struct Both<'a> {
        #[serde(borrow)]
        raw: Raw<'a>,
        text: &'a str,
    }
    let pieces = [
        "a",
        "#",
        "]",
        "\\\\",
        "\\\"",
        "\\n",
        "\\u0022",
        "\\u007f",
        "é",
        "----------",
    ];
    let count = pieces.len();
    for padding in [0, 3, 7, 40] {
        for number in 0..count.pow(4) {
            let mut string = "x".repeat(padding);
            for place in 0..4 {
                string += pieces[number / count.pow(place) % count];
            }
            let mut text = format!(r#"{{"raw":"{string}","text":"{string}"}}"#).into_bytes();
            let plain: String = serde_json::from_str(&format!("\"{string}\"")).unwrap();
            let both: Both = json::decode(&mut text).unwrap();
            assert_eq!(
                (both.raw.as_str(), both.text),
                (&*format!("\"{string}\""), &*plain)
            );
            let mut buffer = [0; 128];
            let written = json::encode(&plain, &mut buffer).unwrap();
            // Both write the same, but serde_json writes U+007F as it is.
            let expected = serde_json::to_string(&plain)
                .unwrap()
                .replace('\x7f', "\\u007f");
            assert_eq!(written, expected);
        }
    }
}

/// The members of a structure may be left out, in any order, and written in any way.
#[test]
fn fields_are_read_in_any_order_and_form() {
    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default)]
    struct Fields {
        one: u8,
        two: u8,
        #[serde(rename = "two\\n")]
        escaped: u8,
        four: u8,
    }
    let members = [
        r#""one":1"#,
        r#" "two" : 2 "#,
        r#""two\n":3"#,
        r#""\u0066our":4"#,
        r#""one":5"#,
        r#""two\\n": 6"#,
        r#""four":7"#,
        r#""other":8"#,
    ];
    let count = members.len();
    for number in 0..count.pow(4) {
        let chosen = (0..4).map(|place| members[number / count.pow(place) % count]);
        let mut chosen: Vec<&str> = chosen.collect();
        chosen.truncate(number % 5);
        let text = format!("{{{}}}", chosen.join(","));
        let expected = serde_json::from_str::<Fields>(&text).ok();
        let mut bytes = text.clone().into_bytes();
        assert_eq!(json::decode::<Fields>(&mut bytes).ok(), expected, "{text}");
    }
}

/// A structure that is read by hand, with keys of the type `K`.
#[derive(Debug, PartialEq)]
struct Keys<K>(Vec<K>);

impl<'de, K: Deserialize<'de>> Deserialize<'de> for Keys<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<K>(std::marker::PhantomData<K>);
        impl<'de, K: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<K> {
            type Value = Keys<K>;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a structure")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Keys<K>, A::Error> {
                let mut keys = Vec::new();
                while let Some(key) = map.next_key()? {
                    keys.push(key);
                    map.next_value::<serde::de::IgnoredAny>()?;
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_struct("Keys", &["a", "b"], Visitor(std::marker::PhantomData))
    }
}

/// An identifier whose visitor accepts only strings, as in serde's documentation.
#[derive(Debug, PartialEq)]
enum ByHand {
    A,
    B,
}

impl<'de> Deserialize<'de> for ByHand {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = ByHand;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a or b")
            }
            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<ByHand, E> {
                match value {
                    "a" => Ok(ByHand::A),
                    "b" => Ok(ByHand::B),
                    _ => Err(E::unknown_field(value, &["a", "b"])),
                }
            }
        }
        deserializer.deserialize_identifier(Visitor)
    }
}

/// The reader tries the bytes of a field's name first, and then its text.
#[test]
fn names_of_fields_are_read_as_any_type() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Color {
        A,
        B,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(field_identifier, rename_all = "lowercase")]
    enum Other<T> {
        A,
        Other(T),
    }
    fn agree<'t, K>(text: &'t str, bytes: &'t mut [u8])
    where
        K: Deserialize<'t> + std::fmt::Debug + PartialEq,
    {
        let expected = serde_json::from_str::<Keys<K>>(text).ok();
        assert_eq!(json::decode::<Keys<K>>(bytes).ok(), expected, "{text}");
    }
    for text in [
        "{}",
        r#"{"a":1,"b":2}"#,
        r#"{"b":[],"a":{}}"#,
        r#"{"\u0062":1}"#,
        r#"{"c":1}"#,
        r#"{"a":1,"127.0.0.1":2}"#,
    ] {
        let mut copies = vec![text.as_bytes().to_vec(); 9];
        let mut copies = copies.iter_mut().map(|copy| &mut copy[..]);
        let mut copy = || copies.next().expect("one for each type");
        agree::<ByHand>(text, copy());
        agree::<Color>(text, copy());
        agree::<Other<String>>(text, copy());
        agree::<Other<std::net::Ipv4Addr>>(text, copy());
        agree::<String>(text, copy());
        agree::<std::borrow::Cow<'_, str>>(text, copy());
        agree::<char>(text, copy());
        agree::<std::net::Ipv4Addr>(text, copy());
        agree::<serde::de::IgnoredAny>(text, copy());
    }
}
