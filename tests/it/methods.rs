//! M: methods and their replies.

use crate::common;

use common::t::T;
use common::{Arrival, EMPTY, answer, invalid, t, talk};
use nullink::json::Raw;
use nullink::service::{Answer, Info, Refusal, Responder};
use nullink::{Call, EncodeError, Error, Interface, Service, interface};
use serde::{Deserialize, Serialize};

fn error(name: &str, field: &str, value: &str) -> String {
    format!(
        r#"{{"error":"org.varlink.service.{name}","parameters":{{"{field}":{}}}}}"#,
        serde_json::to_string(value).unwrap()
    )
}

fn oneway(method: &str, parameters: &str) -> String {
    format!(r#"{{"oneway":true,"method":"{method}","parameters":{parameters}}}"#)
}

fn flagged(method: &str, parameters: &str, flag: &str) -> String {
    format!(r#"{{"method":"org.example.t.{method}","parameters":{parameters},"{flag}":true}}"#)
}

#[test]
fn m1_oneway_is_never_answered() {
    talk()
        .calls(oneway("org.example.t.Empty", "{}"), &[])
        .calls(oneway("org.example.t.Need", r#"{"s":"x"}"#), &[])
        .calls(oneway("org.example.t.Need", "{}"), &[])
        .calls(oneway("org.example.t.Need", r#"{"s":1}"#), &[])
        .calls(oneway("org.example.t.Fail", "null"), &[])
        .calls(oneway("org.example.t.Count", r#"{"n":3}"#), &[])
        .calls(oneway("org.example.t.Pipe", "{}"), &[])
        .calls(oneway("org.example.t.Unbound", "{}"), &[])
        .calls(oneway("org.example.t.Unheard", "{}"), &[])
        .calls(oneway("org.example.unheard.Of", "{}"), &[])
        .calls(oneway("Unheard", "{}"), &[])
        .calls(oneway("org.varlink.service.GetInfo", "{}"), &[])
        .calls(
            oneway("org.varlink.service.GetInterfaceDescription", "{}"),
            &[],
        )
        .call(
            t("Need", r#"{"s":"answered"}"#),
            r#"{"parameters":{"s":"answered"}}"#,
        )
        .check();
}

#[test]
fn m2_continues_comes_only_with_more_and_a_stream_has_one_end() {
    talk()
        .calls(
            flagged("Count", r#"{"n":3}"#, "more"),
            &[
                r#"{"continues":true,"parameters":{"i":0}}"#,
                r#"{"continues":true,"parameters":{"i":1}}"#,
                r#"{"parameters":{"i":2}}"#,
            ],
        )
        .call(
            flagged("Count", r#"{"n":1}"#, "more"),
            r#"{"parameters":{"i":0}}"#,
        )
        .call(flagged("Count", r#"{"n":0}"#, "more"), &invalid("n"))
        .call(
            flagged("Fail", "{}", "more"),
            r#"{"error":"org.example.t.Oops","parameters":{"why":"because"}}"#,
        )
        .call(EMPTY, "{}")
        .check();
}

#[test]
fn m2_a_stream_can_end_with_an_error() {
    let oops = r#"{"error":"org.example.pair.a.Broken"}"#;
    let standard = r#"{"error":"org.varlink.service.PermissionDenied"}"#;
    let more = |n: i64| {
        format!(r#"{{"method":"org.example.pair.a.Stream","more":true,"parameters":{{"n":{n}}}}}"#)
    };
    let item = r#"{"continues":true,"parameters":{"i":1}}"#;
    talk()
        .calls(more(1), &[item, oops])
        .calls(more(2), &[item, standard])
        .calls(more(3), &[item, r#"{"parameters":{"i":3}}"#])
        .check_with(&mut Pair::default());
}

#[test]
fn m2_a_million_replies_need_one_buffer() {
    let mut scratch = [0; 256];
    let mut service = T {
        scratch: &mut scratch,
    };
    let call = flagged("Count", r#"{"n":1000000}"#, "more") + "\0";
    let (replies, end) = answer(&mut service, call.as_bytes(), Arrival::Joined, 128, 256);
    assert_eq!((replies.len(), end), (1_000_000, Ok(false)));
    for (i, reply) in replies[..999_999].iter().enumerate() {
        assert_eq!(
            *reply,
            format!(r#"{{"continues":true,"parameters":{{"i":{i}}}}}"#)
        );
    }
    assert_eq!(replies[999_999], r#"{"parameters":{"i":999999}}"#);
}

#[test]
fn m3_a_call_without_a_required_flag_is_refused() {
    let expected_more = r#"{"error":"org.varlink.service.ExpectedMore"}"#;
    let expected_upgrade = r#"{"error":"org.varlink.service.ExpectedUpgrade"}"#;
    talk()
        .call(t("Count", r#"{"n":3}"#), expected_more)
        .call(flagged("Count", r#"{"n":3}"#, "upgrade"), expected_more)
        .call(t("Pipe", "{}"), expected_upgrade)
        .call(flagged("Pipe", "{}", "more"), expected_upgrade)
        .call(EMPTY, "{}")
        .check();
}

#[test]
fn m3_more_on_a_plain_method_is_one_final_reply() {
    talk()
        .call(flagged("Empty", "{}", "more"), "{}")
        .call(flagged("Need", r#"{"s":"x"}"#, "more"), r#"{"parameters":{"s":"x"}}"#)
        .call(r#"{"method":"org.varlink.service.GetInterfaceDescription","more":true,"parameters":{"interface":"a.b"}}"#,
            &error("InterfaceNotFound", "interface", "a.b"))
        .check();
}

#[test]
fn m4_an_unknown_interface_gets_interface_not_found() {
    for interface in [
        "org.example.unheard",
        "org.example.T",
        "org.example",
        "a.b",
        "org.example.t.u",
    ] {
        talk()
            .call(
                format!(r#"{{"method":"{interface}.Empty"}}"#),
                &error("InterfaceNotFound", "interface", interface),
            )
            .call(EMPTY, "{}")
            .check();
    }
}

#[test]
fn m4_an_unknown_method_gets_method_not_found_with_its_full_name() {
    for method in [
        "org.example.t.Unheard",
        "org.example.t.GetInfo",
        "org.varlink.service.Unheard",
        "org.varlink.service.Empty",
    ] {
        talk()
            .call(
                format!(r#"{{"method":"{method}"}}"#),
                &error("MethodNotFound", "method", method),
            )
            .call(
                format!(r#"{{"method":"{method}","parameters":{{"a":[1]}}}}"#),
                &error("MethodNotFound", "method", method),
            )
            .call(EMPTY, "{}")
            .check();
    }
}

#[test]
fn m4_an_invalid_method_name_gets_method_not_found_with_the_name_unchanged() {
    for method in [
        "",
        "Empty",
        ".",
        "..",
        ".Empty",
        "org.example.t.",
        "org.example.t.empty",
        "org..t.Empty",
        "org.example.t.Emp ty",
        "org.example.t.Émpty",
        "org.example.unheard.empty",
        "org.example.unheard.Emp_ty",
        "1.b.C",
        "-.b.C",
        "t.Empty",
        "a\"b\\c.\u{0}\u{1f980}",
    ] {
        let call = format!(r#"{{"method":{}}}"#, serde_json::to_string(method).unwrap());
        talk()
            .call(call, &error("MethodNotFound", "method", method))
            .call(EMPTY, "{}")
            .check();
    }
}

#[test]
fn m5_a_missing_null_or_ill_typed_parameter_is_named() {
    let mut talk = talk();
    for parameters in [
        "{}",
        r#"{"s":null}"#,
        r#"{"s":1}"#,
        r#"{"s":["x"]}"#,
        r#"{"s":{"s":"x"}}"#,
        r#"{"s":true}"#,
        r#"{"s":"x","s":"x"}"#,
        r#"{"\u0073":0}"#,
    ] {
        talk = talk.call(t("Need", parameters), &invalid("s"));
    }
    for (field, value) in [
        ("i", "\"1\""),
        ("i", "true"),
        ("i", "[1]"),
        ("i", "{}"),
        ("f", "\"1\""),
        ("f", "[]"),
        ("f", "true"),
        ("b", "0"),
        ("b", "\"true\""),
        ("s", "0"),
        ("s", "{}"),
        ("o", "[]"),
        ("o", "\"{}\""),
        ("o", "1"),
        ("l", "{}"),
        ("l", "1"),
        ("l", "[\"1\"]"),
        ("l", "[1,[2]]"),
        ("m", "[]"),
        ("m", "{\"a\":1}"),
        ("m", "\"\""),
        ("c", "\"blue\""),
        ("c", "0"),
        ("c", "\"Red\""),
        ("c", "{\"red\":null}"),
    ] {
        // The error names the field whatever comes before and after it.
        talk = talk
            .call(
                t("Echo", &format!(r#"{{"{field}":{value}}}"#)),
                &invalid(field),
            )
            .call(
                t(
                    "Echo",
                    &format!(r#"{{"a":[{{"y":null}}],"{field}":{value},"z":1}}"#),
                ),
                &invalid(field),
            );
    }
    talk.call(flagged("Count", "{}", "more"), &invalid("n"))
        .call(
            r#"{"method":"org.varlink.service.GetInterfaceDescription"}"#,
            &invalid("interface"),
        )
        .call(EMPTY, "{}")
        .check();
}

#[test]
fn m5_an_error_within_a_structure_names_the_top_level_field() {
    let call = |account: &str| {
        format!(
            r#"{{"method":"org.example.pair.b.Nested","parameters":{{"outer":{account},"last":1}}}}"#
        )
    };
    talk()
        .call(
            call(r#"{"inner":{"text":"x"}}"#),
            r#"{"parameters":{"text":"x"}}"#,
        )
        .call(call(r#"{"inner":{"text":1}}"#), &invalid("outer"))
        .call(call(r#"{"inner":{}}"#), &invalid("outer"))
        .call(call("{}"), &invalid("outer"))
        .call(
            call(r#"{"inner":{"text":"x","text":"y"}}"#),
            &invalid("outer"),
        )
        .call(
            call(r#"{"inner":{"text":"x"}}"#).replace("\"last\":1", "\"last\":null"),
            &invalid("last"),
        )
        .call(
            call(r#"{"inner":{"text":"x"}}"#).replace(",\"last\":1", ""),
            &invalid("last"),
        )
        .call(
            call("{}").replace("outer", "\\u006futer"),
            &invalid("outer"),
        )
        .check_with(&mut Pair::default());
}

#[test]
fn m5_an_error_in_another_text_does_not_name_a_field_of_the_call() {
    let call = |parameters: &str| {
        format!(r#"{{"method":"org.example.pair.b.Config","parameters":{parameters}}}"#)
    };
    talk()
        .call(
            call(r#"{"config":{"level":3}}"#),
            r#"{"parameters":{"level":3}}"#,
        )
        .call(call(r#"{"config":{"level":300}}"#), &invalid("parameters"))
        .call(call(r#"{"config":{}}"#), &invalid("parameters"))
        .call(
            call(r#"  {   "config"  :  {  "level" : "x" } } "#),
            &invalid("parameters"),
        )
        .call(call(r#"{"config":null}"#), &invalid("config"))
        .check_with(&mut Pair::default());
}

#[test]
fn m2_a_stream_of_a_service_without_resume_ends_the_connection() {
    struct NoResume;
    impl Service<()> for NoResume {
        const INTERFACES: &'static [Interface] = &[A];
        fn info(&self) -> Info<'_> {
            Info::default()
        }
        fn call<'c>(&mut self, _: Call<'c>, reply: Responder<'c, ()>) -> Answer<'c, ()> {
            reply.more()?.next(&Item { i: 1 })?.then(())
        }
    }
    let call = r#"{"method":"org.example.pair.a.Stream","more":true,"parameters":{"n":1}}"#;
    let call = call.to_string() + "\0";
    let (replies, end) = answer(&mut NoResume, call.as_bytes(), Arrival::Joined, 99, 198);
    assert_eq!(replies, [r#"{"continues":true,"parameters":{"i":1}}"#]);
    // The refusal must name the method, but the call is no longer in the buffer.
    assert_eq!(end, Err(Error::Encode(EncodeError::Name)));
}

#[test]
fn an_error_must_be_an_enum_variant_and_not_a_type_that_contains_one() {
    #[derive(Serialize)]
    struct Contains {
        kind: ErrorOfA,
        detail: u8,
    }
    #[derive(Serialize)]
    enum InvalidName {
        #[serde(rename = "not a name")]
        Name,
    }
    struct Answers(u8);
    impl Service for Answers {
        const INTERFACES: &'static [Interface] = &[A];
        fn info(&self) -> Info<'_> {
            Info::default()
        }
        fn call<'c>(&mut self, _: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
            let kind = ErrorOfA::Broken;
            match self.0 {
                0 => reply.error(&Contains { kind, detail: 1 }),
                1 => reply.error(&[kind]),
                2 => reply.error(&(1, kind, "x")),
                3 => reply.error("Broken"),
                4 => reply.error(&InvalidName::Name),
                5 => reply.error(&ErrorOfA::New(ErrorOfB::Broken)),
                6 => reply.error(&ErrorOfA::TooLong { room: 1 }),
                7 => reply.result::<(), _>(&Err(kind)),
                _ => reply.result::<_, ErrorOfA>(&Ok(Of { of: "x" })),
            }
        }
    }
    let call = br#"{"method":"org.example.pair.a.Name"}"#;
    let call = [&call[..], b"\0"].concat();
    let answer = |n| answer(&mut Answers(n), &call, Arrival::Joined, 99, 198);
    for n in 0..6 {
        let (replies, end) = answer(n);
        assert_eq!(replies, [""; 0], "{n}");
        assert!(matches!(end, Err(Error::Encode(_))), "{n}: {end:?}");
    }
    for (n, reply) in [
        (
            6,
            r#"{"error":"org.example.pair.a.TooLong","parameters":{"room":1}}"#,
        ),
        (7, r#"{"error":"org.example.pair.a.Broken"}"#),
        (8, r#"{"parameters":{"of":"x"}}"#),
    ] {
        assert_eq!(answer(n), (vec![reply.to_string()], Ok(false)));
    }
}

#[test]
fn a_reply_fits_if_half_of_the_send_buffer_holds_it() {
    for (call, reply) in [
        (EMPTY, "{}"),
        (
            r#"{"method":"org.example.pair.a.Fail"}"#,
            r#"{"error":"org.example.pair.a.Broken"}"#,
        ),
        (
            r#"{"method":"a.b.C"}"#,
            r#"{"error":"org.varlink.service.InterfaceNotFound","parameters":{"interface":"a.b"}}"#,
        ),
        (
            r#"{"method":"org.example.pair.b.Maybe"}"#,
            r#"{"parameters":{"list":"none","map":"none"}}"#,
        ),
        (
            r#"{"method":"org.example.t.Pipe"}"#,
            r#"{"error":"org.varlink.service.ExpectedUpgrade"}"#,
        ),
    ] {
        let input = format!("{call}\0");
        for send in 0..2 * reply.len() + 4 {
            let (replies, end) = if call.contains(".t.") {
                let mut scratch = [0; 99];
                let mut service = T {
                    scratch: &mut scratch,
                };
                answer(&mut service, input.as_bytes(), Arrival::Joined, 99, send)
            } else {
                answer(
                    &mut Pair::default(),
                    input.as_bytes(),
                    Arrival::Joined,
                    99,
                    send,
                )
            };
            if send / 2 > reply.len() {
                assert_eq!((replies, end), (vec![reply.to_string()], Ok(false)));
            } else {
                // A standard error repeats a name from the call, so the call is too long.
                let is_standard = reply.contains("org.varlink.service");
                let why = if is_standard {
                    Error::TooLong
                } else {
                    EncodeError::Full.into()
                };
                assert_eq!((replies, end), (vec![], Err(why)), "{reply} in {send}");
            }
        }
    }
}

#[test]
fn m6_absent_and_null_are_the_same_and_empty_is_not() {
    talk()
        .call(t("Echo", r#"{"i":null,"f":null,"b":null,"s":null,"o":null,"a":null,"l":null,"m":null,"c":null}"#),
            r#"{"parameters":{"got":{"i":null,"f":null,"b":null,"s":null,"o":null,"a":null,"l":null,"m":null,"c":null}}}"#)
        .call(t("Echo", r#"{"l":[],"m":{},"o":{}}"#), r#"{"parameters":{"got":{"l":[],"m":{},"o":{}}}}"#)
        .check();

    let call = |parameters: &str| {
        format!(r#"{{"method":"org.example.pair.b.Maybe","parameters":{parameters}}}"#)
    };
    let is =
        |list: &str, map: &str| format!(r#"{{"parameters":{{"list":"{list}","map":"{map}"}}}}"#);
    talk()
        .call(call("{}"), &is("none", "none"))
        .call(call(r#"{"list":null,"map":null}"#), &is("none", "none"))
        .call(call(r#"{"list":[],"map":{}}"#), &is("some", "some"))
        .check_with(&mut Pair::default());
}

#[test]
fn m6_null_is_refused_as_an_element_that_is_not_nullable() {
    talk()
        .call(t("Echo", r#"{"l":[1,null]}"#), &invalid("l"))
        .call(t("Echo", r#"{"m":{"a":null}}"#), &invalid("m"))
        .check();
}

#[test]
fn m7_an_int_takes_only_64_bit_integers() {
    for value in [
        "0",
        "-0",
        "1",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
    ] {
        let parameters = format!(r#"{{"i":{value},"l":[{value}]}}"#);
        talk()
            .call(
                t("Echo", &parameters),
                &format!(r#"{{"parameters":{{"got":{parameters}}}}}"#),
            )
            .check();
    }
    for value in [
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "340282366920938463463374607431768211456",
        "1.0",
        "1.5",
        "1e2",
        "1E0",
        "-1e-1",
        "0.0",
        "99999999999999999999999999999999999999999999999999",
    ] {
        talk()
            .call(t("Echo", &format!(r#"{{"i":{value}}}"#)), &invalid("i"))
            .call(t("Echo", &format!(r#"{{"l":[0,{value}]}}"#)), &invalid("l"))
            .check();
    }
}

#[test]
fn m7_unsigned_types_take_the_unsigned_range() {
    let call = |value: &str| {
        format!(
            r#"{{"method":"org.example.pair.b.Unsigned","parameters":{{"small":{value},"large":{value}}}}}"#
        )
    };
    talk()
        .call(call("255"), r#"{"parameters":{"small":255,"large":255}}"#)
        .call(call("256"), &invalid("small"))
        .call(call("-1"), &invalid("small"))
        .call(
            r#"{"method":"org.example.pair.b.Unsigned","parameters":{"small":0,"large":18446744073709551615}}"#,
            r#"{"parameters":{"small":0,"large":18446744073709551615}}"#,
        )
        .call(
            r#"{"method":"org.example.pair.b.Unsigned","parameters":{"small":0,"large":18446744073709551616}}"#,
            &invalid("large"),
        )
        .check_with(&mut Pair::default());
}

/// A number in a string is refused. UAPI.20 permits both.
#[test]
fn m10_unsigned_64_bit_integers_are_taken_and_numbers_in_strings_refused() {
    let call = |value: &str| {
        format!(
            r#"{{"method":"org.example.pair.b.Unsigned","parameters":{{"small":0,"large":{value}}}}}"#
        )
    };
    let mut talk_of_pair = talk();
    for value in ["0", "9223372036854775808", "18446744073709551615"] {
        let reply = format!(r#"{{"parameters":{{"small":0,"large":{value}}}}}"#);
        talk_of_pair = talk_of_pair.call(call(value), &reply);
    }
    for value in [r#""5""#, r#""""#, r#""18446744073709551615""#] {
        talk_of_pair = talk_of_pair.call(call(value), &invalid("large"));
    }
    talk_of_pair.check_with(&mut Pair::default());

    talk()
        .call(t("Echo", r#"{"i":"5"}"#), &invalid("i"))
        .call(t("Echo", r#"{"i":"-5"}"#), &invalid("i"))
        .call(t("Echo", r#"{"l":[0,"5"]}"#), &invalid("l"))
        .call(t("Echo", r#"{"f":"5"}"#), &invalid("f"))
        .call(t("Echo", r#"{"b":"true"}"#), &invalid("b"))
        .check();
}

#[test]
fn m7_a_float_takes_integers_and_does_not_overflow() {
    let call = |value: &str| {
        format!(r#"{{"method":"org.example.pair.b.Half","parameters":{{"float":{value}}}}}"#)
    };
    talk()
        .call(call("1"), r#"{"parameters":{"half":0.5}}"#)
        .call(call("-3"), r#"{"parameters":{"half":-1.5}}"#)
        .call(
            call("6.283185307179586"),
            r#"{"parameters":{"half":3.141592653589793}}"#,
        )
        .call(call("1e2"), r#"{"parameters":{"half":50.0}}"#)
        .call(
            call("18446744073709551616"),
            r#"{"parameters":{"half":9.223372036854776e18}}"#,
        )
        .call(call("1e308"), r#"{"parameters":{"half":5e307}}"#)
        .call(call("1e400"), &invalid("float"))
        .call(call("-1e400"), &invalid("float"))
        .call(call("1e-400"), r#"{"parameters":{"half":0.0}}"#)
        .call(call("\"1\""), &invalid("float"))
        .check_with(&mut Pair::default());
    talk()
        .call(t("Echo", r#"{"f":1}"#), r#"{"parameters":{"got":{"f":1}}}"#)
        .call(t("Echo", r#"{"f":1e400}"#), &invalid("f"))
        .check();
}

#[test]
fn m8_nan_and_infinities_are_never_written() {
    // The handler gets its responder back and sends an error of its interface instead.
    let call =
        |of: &str| format!(r#"{{"method":"org.example.pair.b.Odd","parameters":{{"of":"{of}"}}}}"#);
    let odd = r#"{"error":"org.example.pair.b.NotANumber"}"#;
    talk()
        .call(call("nan"), odd)
        .call(call("inf"), odd)
        .call(call("-inf"), odd)
        .call(call("f32"), odd)
        .check_with(&mut Pair::default());
}

#[test]
fn equal_method_names_in_two_interfaces_do_not_clash() {
    talk()
        .call(
            r#"{"method":"org.example.pair.a.Name"}"#,
            r#"{"parameters":{"of":"a"}}"#,
        )
        .call(
            r#"{"method":"org.example.pair.b.Name"}"#,
            r#"{"parameters":{"of":"b"}}"#,
        )
        .call(
            r#"{"method":"org.example.pair.a.Fail"}"#,
            r#"{"error":"org.example.pair.a.Broken"}"#,
        )
        .call(
            r#"{"method":"org.example.pair.b.Fail"}"#,
            r#"{"error":"org.example.pair.b.Broken"}"#,
        )
        .call(
            r#"{"method":"org.example.pair.b.Stream"}"#,
            &error("MethodNotFound", "method", "org.example.pair.b.Stream"),
        )
        .check_with(&mut Pair::default());
}

#[test]
fn every_call_gets_exactly_one_final_message_whatever_the_handler_does() {
    for (what, reply) in [
        (
            "write, then refuse",
            r#"{"error":"org.varlink.service.PermissionDenied"}"#,
        ),
        (
            "write much, then refuse",
            r#"{"error":"org.varlink.service.PermissionDenied"}"#,
        ),
        (
            "too long, then an error",
            r#"{"error":"org.example.pair.a.TooLong","parameters":{"room":4096}}"#,
        ),
        (
            "too long twice, then a reply",
            r#"{"parameters":{"of":"a"}}"#,
        ),
        (
            "fail within, then an error",
            r#"{"error":"org.example.pair.a.Broken"}"#,
        ),
    ] {
        let call =
            format!(r#"{{"method":"org.example.pair.a.Do","parameters":{{"what":"{what}"}}}}"#);
        let input = format!(
            "{call}\0{}\0{call}\0",
            r#"{"method":"org.example.pair.a.Name"}"#
        );
        let (replies, end) = answer(
            &mut Pair::default(),
            input.as_bytes(),
            Arrival::Joined,
            4096,
            8192,
        );
        assert_eq!(
            replies,
            [reply, r#"{"parameters":{"of":"a"}}"#, reply],
            "{what}"
        );
        assert_eq!(end, Ok(false));
    }
}

#[test]
fn a_handler_that_gives_up_closes_the_connection_after_the_pending_replies() {
    let name = r#"{"method":"org.example.pair.a.Name"}"#;
    for (what, why) in [
        ("too long, and give up", EncodeError::Full),
        ("not a Varlink value, and give up", EncodeError::Bytes),
        ("no object, and give up", EncodeError::NotAnObject),
    ] {
        let call =
            format!(r#"{{"method":"org.example.pair.a.Do","parameters":{{"what":"{what}"}}}}"#);
        let input = format!("{name}\0{name}\0{call}\0{name}\0");
        for arrival in [Arrival::Joined, Arrival::Bytes] {
            let (replies, end) =
                answer(&mut Pair::default(), input.as_bytes(), arrival, 4096, 8192);
            assert_eq!(replies, [r#"{"parameters":{"of":"a"}}"#; 2], "{what}");
            assert_eq!(end, Err(Error::Encode(why)), "{what}");
        }
    }
}

#[test]
fn whether_a_reply_fits_does_not_depend_on_the_replies_before_it() {
    let reply = r#"{"parameters":{"s":""}}"#;
    for send in [128, 200, 201, 512] {
        for length in 0..send {
            let call = t("Need", &format!(r#"{{"s":"{}"}}"#, "x".repeat(length)));
            let fits = reply.len() + length < send / 2;
            for before in 0..12 {
                let input = format!("{EMPTY}\0").repeat(before) + &call + "\0";
                let mut scratch = [0; 1024];
                let mut service = T {
                    scratch: &mut scratch,
                };
                let (replies, end) =
                    answer(&mut service, input.as_bytes(), Arrival::Joined, 4096, send);
                assert_eq!(
                    end.is_ok(),
                    fits,
                    "{length} bytes in {send}, after {before}"
                );
                assert_eq!(replies.len(), before + usize::from(fits));
            }
        }
    }
}

#[test]
fn l5_the_service_is_told_when_the_client_of_a_stream_disconnects() {
    use nullink::service::{Session, State};
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut service = Pair::default();
    let mut session = Session::new(&mut receive, &mut send);
    let call =
        b"{\"method\":\"org.example.pair.a.Stream\",\"more\":true,\"parameters\":{\"n\":3}}\0";
    session.channel().spare()[..call.len()].copy_from_slice(call);
    session.channel().received(call.len());
    assert!(session.step(&mut service));
    assert!(matches!(session.state(), State::Due(_)));
    assert_eq!(service.abandoned, None);
    session.abandon(&mut service);
    assert_eq!(service.abandoned, Some(3));
    assert!(session.channel().pending().is_empty());
    assert!(!session.step(&mut service));
    assert!(matches!(session.state(), State::Ended(Ok(()))));
}

/// A service with two interfaces that have methods of the same name.
#[derive(Default)]
struct Pair {
    abandoned: Option<i64>,
}

const A: Interface = interface!(
    text "
interface org.example.pair.a

method Name() -> (of: string)
method Fail() -> ()
method Stream(n: int) -> (i: int)
method Do(what: string) -> (of: string)

error Broken ()
error TooLong (room: int)
"
);
const B: Interface = interface!(
    text "
interface org.example.pair.b

method Name() -> (of: string)
method Fail() -> ()
method Nested(outer: (inner: (text: string)), last: int) -> (text: string)
method Maybe(list: ?[]int, map: ?()) -> (list: string, map: string)
method Unsigned(small: int, large: int) -> (small: int, large: int)
method Half(float: float) -> (half: float)
method Odd(of: string) -> (half: float)
method Config(config: object) -> (level: int)

error Broken ()
error NotANumber ()
"
);

#[derive(Deserialize)]
enum Both<'a> {
    #[serde(rename = "org.example.pair.a", borrow)]
    A(MethodsOfA<'a>),
    #[serde(rename = "org.example.pair.b", borrow)]
    B(MethodsOfB<'a>),
}

#[derive(Deserialize)]
enum MethodsOfA<'a> {
    Name,
    Fail,
    Stream { n: i64 },
    Do { what: &'a str },
}

#[derive(Deserialize)]
enum MethodsOfB<'a> {
    Name,
    Fail,
    #[serde(borrow)]
    Nested(Nested<'a>),
    Maybe {
        list: Option<[i64; 0]>,
        map: Option<Nothing>,
    },
    Unsigned(Unsigned),
    Half {
        float: f64,
    },
    Odd {
        of: &'a str,
    },
    Config {
        #[serde(borrow)]
        config: Raw<'a>,
    },
}

#[derive(Serialize, Deserialize)]
struct Level {
    level: u8,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Nested<'a> {
    #[serde(borrow)]
    outer: Outer<'a>,
    last: i64,
}

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow)]
    inner: Inner<'a>,
}

#[derive(Serialize, Deserialize)]
struct Inner<'a> {
    text: &'a str,
}

#[derive(Deserialize)]
struct Nothing {}

#[derive(Serialize, Deserialize)]
struct Unsigned {
    small: u8,
    large: u64,
}

#[derive(Serialize)]
struct Of<'a> {
    of: &'a str,
}

#[derive(Serialize)]
struct Item {
    i: i64,
}

#[derive(Serialize)]
struct ListAndMap<'a> {
    list: &'a str,
    map: &'a str,
}

#[derive(Serialize)]
struct Halved<F> {
    half: F,
}

#[derive(Serialize)]
enum ErrorOfA {
    Broken,
    TooLong { room: usize },
    New(ErrorOfB),
}

#[derive(Serialize)]
enum ErrorOfB {
    Broken,
    NotANumber,
}

/// A value that has no Varlink type.
struct Bytes;

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(b"bytes")
    }
}

/// A value whose second field fails to serialize after the first was written.
#[derive(Serialize)]
struct FailsWithin {
    first: &'static str,
    #[serde(serialize_with = "fail")]
    second: (),
}

fn fail<S: serde::Serializer>(_: &(), _: S) -> Result<S::Ok, S::Error> {
    Err(serde::ser::Error::custom("never mind"))
}

impl Service<i64> for Pair {
    const INTERFACES: &'static [Interface] = &[A, B];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, i64>) -> Answer<'c, i64> {
        match call.decode()? {
            Both::A(method) => self.a(method, reply),
            Both::B(method) => self.b(method, reply),
        }
    }

    fn resume<'c>(&mut self, n: i64, reply: Responder<'c, i64>) -> Answer<'c, i64> {
        match n {
            1 => reply.error(&ErrorOfA::Broken),
            2 => {
                let _undone = reply.send(&Item { i: 99 })?;
                Err(Refusal::PermissionDenied)
            }
            _ => reply.send(&Item { i: n }),
        }
    }

    fn abandoned(&mut self, n: i64) {
        self.abandoned = Some(n);
    }
}

impl Pair {
    fn a<'c>(&mut self, method: MethodsOfA<'_>, reply: Responder<'c, i64>) -> Answer<'c, i64> {
        let long = "x".repeat(4096);
        let long = Of { of: &long };
        let name = Of { of: "a" };
        match method {
            MethodsOfA::Name => reply.send(&name),
            MethodsOfA::Fail => reply.error(&ErrorOfA::Broken),
            MethodsOfA::Stream { n } => reply.more()?.next(&Item { i: 1 })?.then(n),
            MethodsOfA::Do { what } => match what {
                "write, then refuse" => {
                    let _undone = reply.send(&name)?;
                    Err(Refusal::PermissionDenied)
                }
                "write much, then refuse" => {
                    let _undone = reply.send(&Of {
                        of: &long.of[..4000],
                    })?;
                    Err(Refusal::PermissionDenied)
                }
                "too long, then an error" => {
                    let reply = reply.try_send(&long).expect_err("too long").reply;
                    reply.error(&ErrorOfA::TooLong { room: 4096 })
                }
                "too long twice, then a reply" => {
                    let reply = reply.try_send(&long).expect_err("too long").reply;
                    let reply = reply.try_send(&long).expect_err("too long").reply;
                    reply.send(&name)
                }
                "fail within, then an error" => {
                    let fails = FailsWithin {
                        first: "written",
                        second: (),
                    };
                    let unsent = reply.try_send(&fails).expect_err("fails");
                    assert_eq!(unsent.why, EncodeError::Custom);
                    unsent.reply.error(&ErrorOfA::Broken)
                }
                "too long, and give up" => reply.send(&long),
                "not a Varlink value, and give up" => reply.send(&Bytes),
                "no object, and give up" => reply.send(&[1, 2, 3]),
                _ => Err(Refusal::invalid_parameter("what")),
            },
        }
    }

    fn b<'c>(&mut self, method: MethodsOfB<'_>, reply: Responder<'c, i64>) -> Answer<'c, i64> {
        let some = |some: bool| if some { "some" } else { "none" };
        match method {
            MethodsOfB::Name => reply.send(&Of { of: "b" }),
            MethodsOfB::Fail => reply.error(&ErrorOfB::Broken),
            MethodsOfB::Nested(nested) => reply.send(&nested.outer.inner),
            MethodsOfB::Maybe { list, map } => reply.send(&ListAndMap {
                list: some(list.is_some()),
                map: some(map.is_some()),
            }),
            MethodsOfB::Unsigned(unsigned) => reply.send(&unsigned),
            MethodsOfB::Half { float } => reply.send(&Halved { half: float / 2.0 }),
            MethodsOfB::Config { config } => {
                let mut scratch = [0; 64];
                reply.send(&config.decode_in::<Level>(&mut scratch)?)
            }
            MethodsOfB::Odd { of } => {
                let unsent = match of {
                    "f32" => reply.try_send(&Halved { half: f32::NAN }),
                    of => reply.try_send(&Halved {
                        half: of.parse::<f64>().expect("a float"),
                    }),
                };
                let unsent = unsent.expect_err("not finite");
                assert_eq!(unsent.why, EncodeError::NotFinite);
                unsent.reply.error(&ErrorOfB::NotANumber)
            }
        }
    }
}
