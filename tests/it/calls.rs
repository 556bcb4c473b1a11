//! C1 to C8: how a service reads calls.

use crate::common;

use common::t::T;
use common::{Arrival, EMPTY, answer, t, talk};
use nullink::{Call, Syntax, Violation};

/// Checks that a message that is not JSON closes the connection.
fn closes_as_syntax(message: impl AsRef<[u8]>, kind: Syntax) {
    let message = message.as_ref();
    let error = nullink::json::scan(message).expect_err("a syntax error");
    assert_eq!(error.kind, kind, "{}", message.escape_ascii());
    talk()
        .call(EMPTY, "{}")
        .closes(message, error.into())
        .check();
}

fn closes(message: impl AsRef<[u8]>, why: Violation) {
    talk().call(EMPTY, "{}").closes(message, why).check();
}

#[test]
fn c1_an_empty_message_closes() {
    closes_as_syntax("", Syntax::Incomplete);
    closes_as_syntax(" \t\r\n", Syntax::Incomplete);
}

#[test]
fn c1_a_message_that_is_not_json_closes() {
    closes_as_syntax("GET / HTTP/1.1", Syntax::Unexpected);
    closes_as_syntax(EMPTY.trim_end_matches('}'), Syntax::Incomplete);
    closes_as_syntax(EMPTY.replace(':', "="), Syntax::Unexpected);
    closes_as_syntax(b"{\"method\":\"\xff\"}", Syntax::Utf8);
}

#[test]
fn c1_parameters_that_are_not_json_close() {
    let inside = r#""i":1,"f":1.5,"b":true,"s":"x","l":[3,-4],"m":{"k":"5","n":"6"},"c":"red""#;
    let call =
        |inside: String| format!(r#"{{"method":"org.example.t.Echo","parameters":{{{inside}}}}}"#);
    assert_eq!(nullink::json::scan(call(inside.into()).as_bytes()), Ok(()));
    for (at, mark) in inside.match_indices([',', ':', '"', '[', ']']) {
        let (before, after) = (&inside[..at], &inside[at + 1..]);
        for damaged in [
            format!("{before}{after}"),
            format!("{before}{mark}{mark}{after}"),
        ] {
            let message = call(damaged);
            let error = nullink::json::scan(message.as_bytes()).expect_err(&message);
            closes_as_syntax(message, error.kind);
        }
    }
}

#[test]
fn c1_a_byte_order_mark_closes() {
    closes_as_syntax(format!("\u{feff}{EMPTY}"), Syntax::Unexpected);
}

#[test]
fn c1_text_after_the_object_closes() {
    closes_as_syntax(format!("{EMPTY}x"), Syntax::Trailing);
    closes_as_syntax(format!("{EMPTY},"), Syntax::Trailing);
}

#[test]
fn c1_two_objects_in_one_message_close() {
    closes_as_syntax(format!("{EMPTY}{EMPTY}"), Syntax::Trailing);
    closes_as_syntax(format!("{EMPTY}\n{EMPTY}"), Syntax::Trailing);
}

#[test]
fn c1_a_value_that_is_not_an_object_closes() {
    for value in [
        "[]",
        "null",
        "true",
        "1",
        "\"method\"",
        &format!("[{EMPTY}]"),
    ] {
        closes(value, Violation::NotAnObject);
    }
}

#[test]
fn c1_a_missing_method_closes() {
    closes("{}", Violation::NoMethod);
    closes(r#"{"parameters":{}}"#, Violation::NoMethod);
    closes(r#"{"a.b":1}"#, Violation::NoMethod);
}

#[test]
fn c1_a_method_that_is_not_a_string_closes() {
    for method in ["null", "1", "true", "{}", "[\"org.example.t.Empty\"]"] {
        closes(
            format!(r#"{{"method":{method}}}"#),
            Violation::MemberType("method"),
        );
    }
}

#[test]
fn c1_an_unknown_member_without_a_dot_closes() {
    for name in [
        "foo",
        "Method",
        "method ",
        "",
        "x-vendor",
        "fds",
        "par\\u0061meter",
    ] {
        closes(
            format!(r#"{{"method":"org.example.t.Empty","{name}":null}}"#),
            Violation::UnknownMember,
        );
    }
}

#[test]
fn c1_members_of_replies_close() {
    for member in [
        r#""error":null"#,
        r#""error":"a.b.C""#,
        r#""continues":false"#,
    ] {
        closes(
            format!(r#"{{"method":"org.example.t.Empty",{member}}}"#),
            Violation::UnknownMember,
        );
    }
}

#[test]
fn c1_parameters_that_are_neither_object_nor_null_close() {
    for parameters in ["[]", "\"\"", "0", "false", "[{}]"] {
        closes(t("Empty", parameters), Violation::MemberType("parameters"));
    }
}

#[test]
fn c1_a_duplicate_member_of_the_protocol_closes() {
    for member in [
        r#""method":"org.example.t.Empty""#,
        r#""meth\u006fd":"org.example.t.Empty""#,
        r#""parameters":{},"parameters":{}"#,
        r#""parameters":null,"parameters":null"#,
        r#""more":false,"more":false"#,
        r#""oneway":null,"oneway":true"#,
        r#""upgrade":false,"upgrade":null"#,
    ] {
        closes(
            format!(r#"{{"method":"org.example.t.Empty",{member}}}"#),
            Violation::DuplicateMember,
        );
    }
}

#[test]
fn c2_a_flag_that_is_neither_boolean_nor_null_closes() {
    for flag in ["oneway", "more", "upgrade"] {
        for value in ["0", "1", "\"true\"", "{}", "[]"] {
            closes(
                format!(r#"{{"method":"org.example.t.Empty","{flag}":{value}}}"#),
                match flag {
                    "oneway" => Violation::MemberType("oneway"),
                    "more" => Violation::MemberType("more"),
                    _ => Violation::MemberType("upgrade"),
                },
            );
        }
    }
}

#[test]
fn c2_more_than_one_flag_closes() {
    for flags in [
        r#""oneway":true,"more":true"#,
        r#""more":true,"upgrade":true"#,
        r#""upgrade":true,"oneway":true"#,
        r#""oneway":true,"more":true,"upgrade":true"#,
        r#""oneway":true,"more":false,"upgrade":true"#,
    ] {
        closes(
            format!(r#"{{{flags},"method":"org.example.t.Empty"}}"#),
            Violation::Flags,
        );
    }
}

#[test]
fn c2_a_null_or_false_flag_counts_as_absent_in_any_order() {
    let mut talk = talk();
    for flags in [
        r#""oneway":null"#,
        r#""more":false"#,
        r#""upgrade":null,"more":null,"oneway":false"#,
    ] {
        talk = talk
            .call(
                format!(r#"{{{flags},"method":"org.example.t.Empty"}}"#),
                "{}",
            )
            .call(
                format!(r#"{{"method":"org.example.t.Empty",{flags}}}"#),
                "{}",
            );
    }
    talk.calls(
        r#"{"oneway":true,"more":false,"method":"org.example.t.Empty"}"#,
        &[],
    )
    .calls(
        r#"{"more":null,"method":"org.example.t.Empty","oneway":true}"#,
        &[],
    )
    .check();
}

#[test]
fn c3_parameters_absent_null_and_empty_are_the_same() {
    for method in ["Empty", "Echo"] {
        let reply = match method {
            "Empty" => "{}",
            _ => r#"{"parameters":{"got":{}}}"#,
        };
        talk()
            .call(format!(r#"{{"method":"org.example.t.{method}"}}"#), reply)
            .call(t(method, "null"), reply)
            .call(t(method, "{}"), reply)
            .check();
    }
    let missing = common::invalid("s");
    talk()
        .call(r#"{"method":"org.example.t.Need"}"#, &missing)
        .call(t("Need", "null"), &missing)
        .call(t("Need", "{}"), &missing)
        .check();
}

#[test]
fn c4_members_with_a_dot_are_ignored_with_any_value() {
    let mut talk = talk();
    for member in [
        r#""org.example":{}"#,
        r#""org.example":null"#,
        r#""a.b":1,"a.b":[{"method":"x"}]"#,
        r#"".":"method""#,
        r#""org\u002eexample":{"deep":[[[[{"oneway":true}]]]]}"#,
        r#""x.\u0000":1"#,
    ] {
        talk = talk
            .call(
                format!(r#"{{{member},"method":"org.example.t.Empty"}}"#),
                "{}",
            )
            .call(
                format!(r#"{{"method":"org.example.t.Empty",{member}}}"#),
                "{}",
            );
    }
    talk.check();
}

#[test]
fn c5_names_are_compared_after_unescaping() {
    talk()
        .call(r#"{"meth\u006fd":"org.example.t.Empty"}"#, "{}")
        .call(
            r#"{"\u006d\u0065\u0074\u0068\u006F\u0064":"org.example.t.E\u006dpty"}"#,
            "{}",
        )
        .call(
            r#"{"method":"org.example.t.Need","p\u0061rameters":{"\u0073":"x"}}"#,
            r#"{"parameters":{"s":"x"}}"#,
        )
        .calls(
            r#"{"method":"org.example.t.Empty","one\u0077ay":true}"#,
            &[],
        )
        .calls(
            r#"{"method":"org.example.t.C\u006funt","m\u006fre":true,"parameters":{"n":2}}"#,
            &[
                r#"{"continues":true,"parameters":{"i":0}}"#,
                r#"{"parameters":{"i":1}}"#,
            ],
        )
        .check();
}

#[test]
fn c6_calls_are_answered_in_order_and_wait_for_streams() {
    let count = r#"{"method":"org.example.t.Count","more":true,"parameters":{"n":3}}"#;
    let counted = [
        r#"{"continues":true,"parameters":{"i":0}}"#,
        r#"{"continues":true,"parameters":{"i":1}}"#,
        r#"{"parameters":{"i":2}}"#,
    ];
    talk()
        .call(t("Need", r#"{"s":"a"}"#), r#"{"parameters":{"s":"a"}}"#)
        .calls(count, &counted)
        .call(t("Need", r#"{"s":"b"}"#), r#"{"parameters":{"s":"b"}}"#)
        .calls(count, &counted)
        .calls(r#"{"method":"org.example.t.Empty","oneway":true}"#, &[])
        .call(EMPTY, "{}")
        .check();
}

#[test]
fn c7_malformed_json_closes_even_in_an_ignored_member() {
    for value in [
        "01",
        "+1",
        ".5",
        "1.",
        "-",
        "1e",
        "NaN",
        "Infinity",
        "-Infinity",
        "0x10",
        "1_000",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\t\"",
        "\"\n\"",
        "\"\u{1f}\"",
        "'a'",
        "\"\\ud83e\"",
        "\"\\udd80\"",
        "\"\\udd80\\ud83e\"",
        "\"\\ud83ex\"",
        "\"\\ud83e\\u0041\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\":1,}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{1:1}",
        "// comment\n1",
        "/* comment */1",
        "tru",
        "True",
        "nul",
        "undefined",
        "[",
        "{",
        "\"",
        "]",
        "\u{feff}1",
        "1\u{a0}",
    ] {
        for message in [
            t("Echo", &format!(r#"{{"a":{value}}}"#)),
            format!(r#"{{"method":"org.example.t.Empty","a.b":{value}}}"#),
        ] {
            let error = nullink::json::scan(message.as_bytes()).expect_err(&message);
            talk()
                .call(EMPTY, "{}")
                .closes(&message, error.into())
                .check();
        }
    }
    for bytes in [
        &b"\xff"[..],
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xe2\x82",
        b"\x80",
    ] {
        let mut message = br#"{"method":"org.example.t.Need","parameters":{"s":""#.to_vec();
        message.extend_from_slice(bytes);
        message.extend_from_slice(br#""}}"#);
        closes_as_syntax(message, Syntax::Utf8);
    }
}

#[test]
fn c7_unusual_but_valid_json_is_accepted() {
    talk()
        .call(
            t("Need", "{\"s\":\"\u{ffff}\u{7f}\\u0000\\ud83e\\udd80\"}"),
            "{\"parameters\":{\"s\":\"\u{ffff}\\u007f\\u0000\u{1f980}\"}}",
        )
        .call(
            t("Need", r#"{"s":"\b\f\n\r\t\"\\\/\u001f"}"#),
            r#"{"parameters":{"s":"\b\f\n\r\t\"\\/\u001f"}}"#,
        )
        .call(
            t("Echo", r#"{"a":[-0,0.0e-0,1E+2,{"":[]},"\uD834\uDD1E"]}"#),
            r#"{"parameters":{"got":{"a":[-0,0.0e-0,1E+2,{"":[]},"\uD834\uDD1E"]}}}"#,
        )
        .check();
}

#[test]
fn c8_nesting_beyond_the_limit_closes_and_uses_no_stack() {
    let nested = |depth: usize| {
        let array = "[".repeat(depth) + &"]".repeat(depth);
        format!(r#"{{"method":"org.example.t.Empty","a.b":{array}}}"#)
    };
    let mut scratch = [0; 1024];
    let mut service = T {
        scratch: &mut scratch,
    };
    let mut outcome = |message: &str| {
        let input = format!("{message}\0");
        answer(
            &mut service,
            input.as_bytes(),
            Arrival::Joined,
            1 << 22,
            4096,
        )
    };
    // The object of the message is a level too.
    let limit = nullink::idl::Definition::MAX_DEPTH - 1;
    assert_eq!(outcome(&nested(limit)), (vec!["{}".to_string()], Ok(false)));
    for depth in [limit + 1, 1_000_000] {
        let (replies, end) = outcome(&nested(depth));
        assert_eq!(replies, [""; 0]);
        assert!(
            matches!(end, Err(nullink::Error::Protocol(Violation::Syntax(e))) if e.kind == Syntax::Depth)
        );
    }
    let objects = format!(r#"{{"method":"x","a.b":{}"#, r#"{"a":"#.repeat(500_000));
    let (_, end) = outcome(&objects);
    assert!(
        matches!(end, Err(nullink::Error::Protocol(Violation::Syntax(e))) if e.kind == Syntax::Depth)
    );
}

#[test]
fn c8_a_million_brackets_are_scanned_on_a_small_stack() {
    // Most of the stack is for the start of the thread, and for unoptimized code.
    let small = std::thread::Builder::new().stack_size(32 * 1024);
    let scanned = small.spawn(|| {
        let brackets = "[".repeat(1_000_000);
        let objects = r#"{"a":"#.repeat(1_000_000);
        let flat = format!("[{}0]", "[],".repeat(1_000_000));
        (
            nullink::json::scan(brackets.as_bytes()).map_err(|error| error.kind),
            nullink::json::scan(objects.as_bytes()).map_err(|error| error.kind),
            nullink::json::scan(flat.as_bytes()).map_err(|error| error.kind),
        )
    });
    let results = scanned.expect("a thread").join().expect("no overflow");
    assert_eq!(results, (Err(Syntax::Depth), Err(Syntax::Depth), Ok(())));
}

#[test]
fn a_call_has_the_interface_and_the_member_of_a_valid_name() {
    for (method, interface, member) in [
        ("org.example.t.Empty", "org.example.t", "Empty"),
        ("a.b.C", "a.b", "C"),
        ("Empty", "", ""),
        ("org.example.t.empty", "", ""),
        ("org.example.t.", "", ""),
        (".Empty", "", ""),
    ] {
        let mut message = format!(r#"{{"method":"{method}"}}"#).into_bytes();
        let call = nullink::Call::parse(&mut message).unwrap();
        assert_eq!(call.method(), method);
        assert_eq!((call.interface(), call.member()), (interface, member));
    }
}

#[test]
fn a_call_is_decoded_by_what_is_after_the_last_dot() {
    #[derive(Debug, serde::Deserialize, PartialEq)]
    enum Member {
        Empty,
    }
    for method in ["a.b.Empty", ".Empty", "..Empty", ".a.Empty", "a..Empty"] {
        let mut message = format!(r#"{{"method":"{method}"}}"#).into_bytes();
        let call = Call::parse(&mut message).unwrap();
        assert_eq!(call.decode(), Ok(Member::Empty), "{method}");
    }
}

#[test]
fn a_call_is_shown_with_the_name_of_its_method() {
    let mut message = *br#"{"method":"a.b.C","more":true,"parameters":{"x":1}}"#;
    let call = Call::parse(&mut message).unwrap();
    let shown = r#"Call { method: "a.b.C", mode: More, parameters: {"x":1}, peer: None }"#;
    assert_eq!(format!("{call:?}"), shown);
}
