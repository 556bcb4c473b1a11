//! R: replies, as a client receives them.

use crate::common;

use common::{Arrival, every_arrival, with_client};
use nullink::client::{CallError, CallFailure, Session};

const CALLS: usize = Session::MAX_CALLS;
use nullink::json::{Raw, Value};
use nullink::service::ServiceError;
use nullink::{EncodeError, Error, Method, Mismatch, Misuse, Mode, NoError};
use nullink::{Syntax, SyntaxError, Violation};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Jump<'a> {
    to: &'a str,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Jumped<'a> {
    at: Option<&'a str>,
    seconds: Option<u8>,
}

#[derive(Debug, PartialEq, Deserialize)]
enum FtlError<'a> {
    NotEnoughEnergy,
    ParameterOutOfRange { field: &'a str },
}

impl Method for Jump<'_> {
    const NAME: &'static str = "org.example.ftl.Jump";
    type Output<'r> = Jumped<'r>;
    type Error<'r> = FtlError<'r>;
}

type JumpError<'r> = CallError<'r, FtlError<'r>, core::convert::Infallible>;

const JUMP: Jump<'static> = Jump { to: "Caprica" };
const NOTHING: Jumped<'static> = Jumped {
    at: None,
    seconds: None,
};

/// Calls Jump, with a reply that arrives in every possible way and in buffers of every size.
fn jump(reply: impl AsRef<[u8]>, check: impl Fn(Result<Jumped<'_>, JumpError<'_>>)) {
    let mut input = reply.as_ref().to_vec();
    input.push(0);
    every_arrival(&input, |arrival| {
        for receive in (1..=input.len()).chain([2 * input.len(), 4096]) {
            let ((), sent) = with_client(&input, arrival, receive, |client| {
                if receive < input.len() {
                    let too_long = CallError::Connection(Error::TooLong);
                    assert_eq!(client.call(&JUMP), Err(too_long));
                } else {
                    check(client.call(&JUMP));
                }
            });
            assert_eq!(
                sent,
                [r#"{"method":"org.example.ftl.Jump","parameters":{"to":"Caprica"}}"#]
            );
        }
    });
}

/// Asserts that a message is not a valid reply, and that the connection is unusable after it.
fn violates(reply: impl AsRef<[u8]>, why: Violation) {
    let mut input = reply.as_ref().to_vec();
    input.extend_from_slice(b"\0{}\0");
    every_arrival(&input, |arrival| {
        let ((), sent) = with_client(&input, arrival, 4096, |client| {
            assert_eq!(client.call(&JUMP), Err(CallError::Connection(why.into())));
            let unusable = Error::Misuse(Misuse::Unusable);
            assert_eq!(client.call(&JUMP), Err(CallError::Connection(unusable)));
        });
        assert_eq!(sent.len(), 1);
    });
}

#[test]
fn r1_parameters_absent_null_and_empty_are_the_same() {
    for reply in [
        "{}",
        r#"{"parameters":null}"#,
        r#"{"parameters":{}}"#,
        r#" { "continues" : false } "#,
        r#"{"error":null,"parameters":{"at":null}}"#,
        r#"{"continues":null}"#,
    ] {
        jump(reply, |result| assert_eq!(result, Ok(NOTHING), "{reply}"));
    }
}

#[test]
fn r1_a_reply_is_borrowed_and_unescaped() {
    jump(
        r#"{"parameters":{"at":"\u0043apri\u0063a \"\ud83e\udd80\"","seconds":3}}"#,
        |result| {
            assert_eq!(
                result,
                Ok(Jumped {
                    at: Some("Caprica \"🦀\""),
                    seconds: Some(3)
                })
            );
        },
    );
}

#[test]
fn r2_unknown_fields_inside_parameters_are_ignored() {
    let nested = "[".repeat(100) + &"]".repeat(100);
    jump(
        format!(
            r#"{{"parameters":{{"x":null,"at":"here","y":{{"at":[1,"]"]}},"z":{nested}}},"a.b":0}}"#
        ),
        |result| {
            assert_eq!(
                result,
                Ok(Jumped {
                    at: Some("here"),
                    seconds: None
                })
            )
        },
    );
}

#[test]
fn r3_a_malformed_reply_ends_the_connection() {
    let syntax = |kind, offset| Violation::Syntax(SyntaxError { kind, offset });
    violates("", syntax(Syntax::Incomplete, 0));
    violates("{", syntax(Syntax::Incomplete, 1));
    violates("{}}", syntax(Syntax::Trailing, 2));
    violates(
        r#"{"parameters":{"at":"\ud83e"}}"#,
        syntax(Syntax::Surrogate, 21),
    );
    violates(
        b"{\"parameters\":{\"at\":\"\xff\"}}",
        syntax(Syntax::Utf8, 21),
    );
    violates("[]", Violation::NotAnObject);
    violates(r#"{"parameters":[]}"#, Violation::MemberType("parameters"));
    violates(
        r#"{"parameters":{},"parameters":{}}"#,
        Violation::DuplicateMember,
    );
}

#[test]
fn r3_an_unknown_member_without_a_dot_ends_the_connection() {
    for member in ["method", "fds", "", "Error", "x-y"] {
        violates(format!(r#"{{"{member}":null}}"#), Violation::UnknownMember);
    }
    jump(r#"{"org.example":{"a":1}}"#, |result| {
        assert_eq!(result, Ok(NOTHING))
    });
}

#[test]
fn r3_error_and_continues_have_their_types() {
    for value in ["1", "true", "{}", "[]"] {
        violates(
            format!(r#"{{"error":{value}}}"#),
            Violation::MemberType("error"),
        );
    }
    for value in ["1", "\"true\"", "{}", "[]"] {
        violates(
            format!(r#"{{"continues":{value}}}"#),
            Violation::MemberType("continues"),
        );
    }
}

#[test]
fn r3_continues_needs_more_and_excludes_an_error() {
    violates(r#"{"continues":true}"#, Violation::Continues);
    violates(
        r#"{"continues":true,"error":"a.b.C"}"#,
        Violation::Continues,
    );
    // Also in a reply to a call with `more`.
    let input = b"{\"continues\":true,\"error\":\"a.b.C\"}\0";
    with_client(input, Arrival::Joined, 99, |client| {
        let mut replies = client.more(&JUMP).unwrap();
        assert_eq!(
            replies.next(),
            Err(CallError::Connection(Violation::Continues.into()))
        );
        assert_eq!(replies.next(), Ok(None));
    });
}

#[test]
fn r4_the_errors_of_the_interface_are_typed() {
    jump(r#"{"error":"org.example.ftl.NotEnoughEnergy"}"#, |result| {
        assert_eq!(result, Err(CallError::Method(FtlError::NotEnoughEnergy)));
    });
    jump(
        r#"{"error":"org.example.ftl.ParameterOutOfRange","parameters":{"field":"t\u006f"}}"#,
        |result| {
            let error = FtlError::ParameterOutOfRange { field: "to" };
            assert_eq!(result, Err(CallError::Method(error)));
        },
    );
}

#[test]
fn r4_the_standard_errors_are_typed() {
    for (error, parameters, expected) in [
        (
            "InterfaceNotFound",
            r#"{"interface":"a.b"}"#,
            ServiceError::InterfaceNotFound { interface: "a.b" },
        ),
        (
            "MethodNotFound",
            r#"{"method":"a.b.C"}"#,
            ServiceError::MethodNotFound { method: "a.b.C" },
        ),
        (
            "MethodNotImplemented",
            r#"{"method":"a.b.C"}"#,
            ServiceError::MethodNotImplemented { method: "a.b.C" },
        ),
        (
            "InvalidParameter",
            r#"{"parameter":"to"}"#,
            ServiceError::InvalidParameter { parameter: "to" },
        ),
        ("PermissionDenied", "null", ServiceError::PermissionDenied),
        ("ExpectedMore", "{}", ServiceError::ExpectedMore),
        (
            "ExpectedUpgrade",
            r#"{"extra":1}"#,
            ServiceError::ExpectedUpgrade,
        ),
    ] {
        let reply =
            format!(r#"{{"error":"org.varlink.service.{error}","parameters":{parameters}}}"#);
        jump(reply, |result| {
            assert_eq!(result, Err(CallError::Service(expected)))
        });
    }
}

#[test]
fn r4_an_unknown_error_has_its_name_and_parameters() {
    let long = format!(r#"{{"a":[1.50, "\u0041"],"long":"{}"}}"#, "x".repeat(200));
    for (name, parameters) in [
        ("org.example.other.Error", r#"{"a":[1.50, "\u0041"]}"#),
        ("org.example.ftl.Unheard", r#"{"b":null}"#),
        ("org.varlink.service.Unheard", "{}"),
        ("NoDot", &long),
        ("", "{}"),
        ("org.example.ftl.notEnoughEnergy", "{}"),
    ] {
        let reply = format!(r#"{{"parameters":{parameters},"error":"{name}"}}"#);
        jump(reply, |result| match result {
            Err(CallError::Unknown {
                error,
                parameters: raw,
            }) => {
                assert_eq!((error, raw.as_str()), (name, parameters));
            }
            other => panic!("{other:?}"),
        });
    }
    jump(r#"{"error":"a.b.C"}"#, |result| match result {
        Err(CallError::Unknown { parameters, .. }) => assert_eq!(parameters.as_str(), "{}"),
        other => panic!("{other:?}"),
    });
}

#[test]
fn r4_an_error_with_invalid_parameters_keeps_its_name() {
    jump(
        r#"{"error":"org.example.ftl.ParameterOutOfRange","parameters":{"field":1}}"#,
        |result| match result {
            Err(CallError::Decode {
                error: Some(error),
                field,
                why,
            }) => {
                assert_eq!(error, "org.example.ftl.ParameterOutOfRange");
                assert_eq!((field, why.mismatch()), (Some("field"), Mismatch::Type));
            }
            other => panic!("{other:?}"),
        },
    );
}

/// Makes calls with two types of errors, and returns both with `?`.
fn two_calls(input: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    with_client(input, Arrival::Joined, 999, |client| {
        client.call(&JUMP).map_err(CallError::forget)?;
        client.call(&Land).map_err(CallError::forget)?;
        Ok(client.oneway(&Land)?)
    })
    .0
}

/// Like `two_calls`, with `CallFailure` in the place of `Box`.
fn two_calls_without_box(input: &[u8]) -> Result<(), CallFailure> {
    with_client(input, Arrival::Joined, 999, |client| {
        client.call(&JUMP)?;
        client.call(&Land)?;
        client.flush()?;
        Ok(())
    })
    .0
}

#[derive(Serialize)]
struct Land;

impl Method for Land {
    const NAME: &'static str = "org.example.ftl.Land";
    type Output<'r> = ();
    type Error<'r> = NoError;
}

#[test]
fn a_forgotten_error_outlives_its_client_and_keeps_its_text() {
    let service = |name: &str, parameters: &str| {
        format!(r#"{{"error":"org.varlink.service.{name}","parameters":{parameters}}}"#) + "\0"
    };
    let own = r#"{"error":"org.example.ftl.ParameterOutOfRange","parameters":{"field":"to"}}"#;
    let other = r#"{"error":"a.b.C","parameters":{"d":1}}"#;
    for (input, text) in [
        (format!("{own}\0"), r#"ParameterOutOfRange { field: "to" }"#),
        (
            "{}\0".to_string() + &service("InvalidParameter", r#"{"parameter":"to"}"#),
            "the parameter to is not valid",
        ),
        (
            format!("{{}}\0{other}\0"),
            r#"the service returned the error a.b.C {"d":1}"#,
        ),
        (
            r#"{"parameters":{"seconds":"x"}}"#.to_string() + "\0",
            "the reply is not as expected: a value of a wrong type at byte 25 in field seconds",
        ),
        (
            "{}\0".to_string(),
            "the service closed the connection before replying",
        ),
    ] {
        let error = two_calls(input.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), text);
        // The error of `main` is printed with `Debug`.
        assert_eq!(format!("{error:?}"), text);
        assert!(error.is::<CallFailure>());
        let error = two_calls_without_box(input.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
    assert!(two_calls(b"{}\0{}\0").is_ok());
    assert_eq!(two_calls_without_box(b"{}\0{}\0"), Ok(()));
    assert!(size_of::<CallFailure>() < 128);
}

#[test]
fn a_reply_of_the_wrong_type_is_an_error_and_the_next_call_works() {
    let input =
        b"{\"parameters\":{\"at\":\"x\",\"seconds\":256}}\0{\"parameters\":{\"seconds\":255}}\0";
    every_arrival(input, |arrival| {
        with_client(input, arrival, 99, |client| {
            match client.call(&JUMP) {
                Err(CallError::Decode {
                    error: None,
                    field,
                    why,
                }) => {
                    assert_eq!((field, why.mismatch()), (Some("seconds"), Mismatch::Range));
                    assert_eq!(why.offset(), 34);
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(client.call(&JUMP).unwrap().seconds, Some(255));
        });
    });
}

#[test]
fn r5_a_close_before_the_reply_is_a_distinct_error() {
    with_client(b"", Arrival::Joined, 99, |client| {
        assert_eq!(
            client.call(&JUMP),
            Err(CallError::Connection(Error::Closed))
        );
        let unusable = Error::Misuse(Misuse::Unusable);
        assert_eq!(client.call(&JUMP), Err(CallError::Connection(unusable)));
    });
    // Also in the middle of a stream.
    with_client(b"{\"continues\":true}\0", Arrival::Bytes, 99, |client| {
        let mut replies = client.more(&JUMP).unwrap();
        assert_eq!(replies.next(), Ok(Some(NOTHING)));
        assert_eq!(replies.next(), Err(CallError::Connection(Error::Closed)));
        assert_eq!(replies.next(), Ok(None));
    });
}

#[test]
fn replies_to_more_are_received_one_by_one_until_the_last() {
    let input = b"{\"continues\":true,\"parameters\":{\"at\":\"a\"}}\0{\"continues\":true}\0{\"parameters\":{\"at\":\"b\"}}\0{\"parameters\":{\"at\":\"c\"}}\0";
    every_arrival(input, |arrival| {
        let ((), sent) = with_client(input, arrival, 64, |client| {
            let mut replies = client.more(&JUMP).unwrap();
            assert_eq!(replies.next().unwrap().unwrap().at, Some("a"));
            assert_eq!(replies.next(), Ok(Some(NOTHING)));
            assert_eq!(replies.next().unwrap().unwrap().at, Some("b"));
            assert_eq!(replies.next(), Ok(None));
            assert_eq!(replies.next(), Ok(None));
            assert_eq!(client.call(&JUMP).unwrap().at, Some("c"));
        });
        assert_eq!(
            sent[0],
            r#"{"method":"org.example.ftl.Jump","more":true,"parameters":{"to":"Caprica"}}"#
        );
    });
}

#[test]
fn replies_to_more_can_end_with_an_error() {
    let input = b"{\"continues\":true}\0{\"error\":\"org.example.ftl.NotEnoughEnergy\"}\0{}\0";
    every_arrival(input, |arrival| {
        with_client(input, arrival, 64, |client| {
            let mut replies = client.more(&JUMP).unwrap();
            assert_eq!(replies.next(), Ok(Some(NOTHING)));
            assert_eq!(
                replies.next(),
                Err(CallError::Method(FtlError::NotEnoughEnergy))
            );
            assert_eq!(replies.next(), Ok(None));
            assert_eq!(client.call(&JUMP), Ok(NOTHING));
        });
    });
}

#[test]
fn outstanding_replies_are_not_taken_for_those_of_another_call() {
    let input = b"{\"continues\":true}\0{\"parameters\":{\"at\":\"last\"}}\0{\"parameters\":{\"at\":\"next\"}}\0";
    with_client(input, Arrival::Joined, 64, |client| {
        assert_eq!(client.more(&JUMP).unwrap().next(), Ok(Some(NOTHING)));
        let outstanding = Error::Misuse(Misuse::RepliesOutstanding);
        assert_eq!(client.call(&JUMP), Err(CallError::Connection(outstanding)));
        assert_eq!(
            client.more(&JUMP).err(),
            Some(CallError::Connection(outstanding))
        );
        let other = Error::Misuse(Misuse::OtherMode);
        assert_eq!(client.receive::<Jump>(), Err(CallError::Connection(other)));
        // The other replies can still be received.
        let mut replies = client.replies::<Jump>().unwrap();
        assert_eq!(replies.next().unwrap().unwrap().at, Some("last"));
        assert_eq!(replies.next(), Ok(None));
        assert_eq!(client.call(&JUMP).unwrap().at, Some("next"));
    });
}

#[test]
fn f4_a_reply_that_is_too_long_ends_the_stream() {
    let long = format!(
        "{{\"continues\":true,\"parameters\":{{\"at\":\"{}\"}}}}\0{{}}\0",
        "x".repeat(99)
    );
    with_client(long.as_bytes(), Arrival::Joined, 64, |client| {
        let mut replies = client.more(&JUMP).unwrap();
        assert_eq!(replies.next(), Err(CallError::Connection(Error::TooLong)));
        assert_eq!(replies.next(), Ok(None));
        // The flag `continues` of the long reply is unknown, so the connection is unusable.
        let unusable = Error::Misuse(Misuse::Unusable);
        assert_eq!(client.call(&JUMP), Err(CallError::Connection(unusable)));
    });
}

#[test]
fn oneway_sends_a_call_and_waits_for_no_reply() {
    let ((), sent) = with_client(b"{}\0", Arrival::Joined, 64, |client| {
        assert_eq!(client.oneway(&JUMP), Ok(()));
        assert_eq!(client.call(&JUMP), Ok(NOTHING));
        let nothing = Error::Misuse(Misuse::NothingOutstanding);
        assert_eq!(
            client.receive::<Jump>(),
            Err(CallError::Connection(nothing))
        );
        assert_eq!(client.replies::<Jump>().err(), Some(nothing));
    });
    assert_eq!(
        sent[0],
        r#"{"method":"org.example.ftl.Jump","oneway":true,"parameters":{"to":"Caprica"}}"#
    );
    assert_eq!(sent.len(), 2);
}

#[test]
fn queued_calls_are_sent_in_one_write_and_answered_in_order() {
    let input = b"{\"parameters\":{\"at\":\"a\"}}\0{\"error\":\"org.example.ftl.NotEnoughEnergy\"}\0{\"continues\":true}\0{}\0{\"parameters\":{\"at\":\"d\"}}\0";
    every_arrival(input, |arrival| {
        let mut script = common::Script::new(input, arrival);
        let (mut receive, mut send) = ([0; 64], [0; 1024]);
        let mut client = nullink::Client::new(&mut script, &mut receive, &mut send);
        client.queue(&JUMP, Mode::Simple).unwrap();
        client.queue(&JUMP, Mode::Oneway).unwrap();
        client.queue(&JUMP, Mode::Simple).unwrap();
        client.queue(&JUMP, Mode::More).unwrap();
        client
            .queue_raw("a.b.C", Mode::Simple, Raw::EMPTY_OBJECT)
            .unwrap();
        assert_eq!(client.receive::<Jump>().unwrap().at, Some("a"));
        assert_eq!(
            client.receive::<Jump>(),
            Err(CallError::Method(FtlError::NotEnoughEnergy))
        );
        let mut replies = client.replies::<Jump>().unwrap();
        assert_eq!(replies.next(), Ok(Some(NOTHING)));
        assert_eq!(replies.next(), Ok(Some(NOTHING)));
        assert_eq!(replies.next(), Ok(None));
        assert_eq!(
            client.receive_raw().unwrap().parameters().as_str(),
            r#"{"at":"d"}"#
        );
        assert_eq!((script.writes, script.messages().len()), (1, 5));
    });
}

#[test]
fn queue_reports_a_full_buffer_and_too_many_calls() {
    let input = "{}\0".repeat(CALLS + 1);
    with_client(input.as_bytes(), Arrival::Joined, 64, |client| {
        let mut queued = 0;
        // First the send buffer is full.
        let full = loop {
            match client.queue(&JUMP, Mode::Simple) {
                Ok(()) => queued += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(full, Error::Encode(EncodeError::Full));
        // After it was flushed, too many calls wait for replies.
        let many = loop {
            client.flush().unwrap();
            match client.queue(&JUMP, Mode::Simple) {
                Ok(()) => queued += 1,
                Err(error) => break error,
            }
        };
        assert_eq!((many, queued), (Error::Misuse(Misuse::TooManyCalls), CALLS));
        for _ in 0..CALLS {
            assert_eq!(client.receive::<Jump>(), Ok(NOTHING));
        }
        assert_eq!(client.call(&JUMP), Ok(NOTHING));
    });
}

#[test]
fn an_invalid_call_is_not_sent() {
    let ((), sent) = with_client(b"{}\0", Arrival::Joined, 64, |client| {
        let long = "x".repeat(5000);
        let full = Error::Encode(EncodeError::Full);
        assert_eq!(
            client.call(&Jump { to: &long }),
            Err(CallError::Connection(full))
        );
        for name in [
            "",
            "Jump",
            "org.example.ftl.jump",
            "org.example.ftl.",
            "a\"b.c.D",
            "org..D",
        ] {
            let result = client.call_raw(name, Raw::EMPTY_OBJECT);
            assert_eq!(
                result.err(),
                Some(Error::Encode(EncodeError::Name)),
                "{name}"
            );
        }
        for parameters in ["[]", "1", "\"\"", "true", " [{}]"] {
            let result = client.call_raw("a.b.C", Raw::new(parameters).unwrap());
            assert_eq!(result.err(), Some(Error::Encode(EncodeError::NotAnObject)));
        }
        // The connection is still usable.
        assert_eq!(client.call(&JUMP), Ok(NOTHING));
    });
    assert_eq!(sent.len(), 1);
}

#[test]
fn a_list_of_any_length_is_read_item_by_item() {
    #[derive(Serialize)]
    struct List;

    impl Method for List {
        const NAME: &'static str = "org.example.ftl.List";
        type Output<'r> = Value<'r>;
        type Error<'r> = NoError;
    }

    let numbers: Vec<String> = (0..1000)
        .map(|n| format!(r#"{{"seconds":{}}}"#, n % 256))
        .collect();
    let input = format!(
        r#"{{"parameters":{{"x":[[]],"list":[{}]}}}}"#,
        numbers.join(",")
    ) + "\0";
    with_client(input.as_bytes(), Arrival::Joined, 1 << 16, |client| {
        let list = client.call(&List).unwrap();
        let mut count = 0;
        for (n, item) in list.member("list").unwrap().items().unwrap().enumerate() {
            let jumped: Jumped = item.decode().unwrap();
            assert_eq!(jumped.seconds, Some((n % 256) as u8));
            count += 1;
        }
        assert_eq!(count, 1000);
    });
    let input = r#"{"parameters":{"list":[{"seconds":1},{"seconds":-1}]}}"#.to_owned() + "\0";
    with_client(input.as_bytes(), Arrival::Joined, 99, |client| {
        let list = client.call(&List).unwrap().member("list").unwrap();
        let mut items = list.items().unwrap().map(Value::decode::<Jumped>);
        assert_eq!(items.next().unwrap().unwrap().seconds, Some(1));
        let error = items.next().unwrap().unwrap_err();
        assert_eq!(error.mismatch(), Mismatch::Range);
        assert_eq!(error.field_in(input.as_bytes()), Some("list"));
    });
}

#[test]
fn raw_parameters_are_sent_unchanged_unless_they_are_empty() {
    let input = "{}\0".repeat(5);
    let ((), sent) = with_client(input.as_bytes(), Arrival::Joined, 64, |client| {
        for parameters in ["{}", "null", " null\n", "\n{ }", " {\"a\" : 1} "] {
            let parameters = Raw::new(parameters).unwrap();
            assert!(client.call_raw("a.b.C", parameters).is_ok(), "{parameters}");
        }
    });
    assert_eq!(
        sent,
        [
            r#"{"method":"a.b.C"}"#,
            r#"{"method":"a.b.C"}"#,
            r#"{"method":"a.b.C"}"#,
            r#"{"method":"a.b.C"}"#,
            r#"{"method":"a.b.C","parameters": {"a" : 1} }"#,
        ]
    );
}

#[test]
fn receiving_without_an_outstanding_call_sends_nothing() {
    let ((), sent) = with_client(b"", Arrival::Joined, 64, |client| {
        client.queue(&JUMP, Mode::Oneway).unwrap();
        let nothing = Error::Misuse(Misuse::NothingOutstanding);
        assert_eq!(client.receive_raw().err(), Some(nothing));
    });
    assert_eq!(sent, [""; 0]);
}

#[test]
fn an_unasked_reply_is_not_taken_for_that_of_the_next_call() {
    let mut script = common::Script::new(b"{}\0{\"parameters\":{\"at\":\"x\"}}\0", Arrival::Joined);
    let (mut receive, mut send) = ([0; 99], [0; 99]);
    let mut client = nullink::Client::new(&mut script, &mut receive, &mut send);
    assert_eq!(client.call(&JUMP), Ok(NOTHING));
    let unasked = Error::Protocol(Violation::Unasked);
    assert_eq!(client.call(&JUMP), Err(CallError::Connection(unasked)));
    let unusable = Error::Misuse(Misuse::Unusable);
    assert_eq!(client.flush(), Err(unusable));
}

#[test]
fn queued_oneway_calls_make_room_for_the_next_call() {
    let ((), sent) = with_client(b"{}\0{}\0", Arrival::Joined, 64, |client| {
        let name = "x".repeat(3000);
        let long = Jump { to: &name };
        client.queue(&long, Mode::Oneway).unwrap();
        assert_eq!(client.call(&long), Ok(NOTHING));
        client.queue(&long, Mode::Oneway).unwrap();
        client.oneway(&long).unwrap();
        client.queue(&long, Mode::Oneway).unwrap();
        let raw = format!(r#"{{"to":"{name}"}}"#);
        let raw = Raw::new(&raw).unwrap();
        assert!(client.call_raw("org.example.ftl.Jump", raw).is_ok());
    });
    assert_eq!(sent.len(), 6);
}

#[test]
fn calls_that_cannot_be_sent_yet_are_refused() {
    with_client(b"{}\0{}\0", Arrival::Joined, 256, |client| {
        client.queue(&JUMP, Mode::Simple).unwrap();
        let outstanding = Error::Misuse(Misuse::RepliesOutstanding);
        assert_eq!(client.queue(&JUMP, Mode::Upgrade), Err(outstanding));
        let raw = client.call_raw("a.b.C", Raw::EMPTY_OBJECT);
        assert_eq!(raw.err(), Some(outstanding));
    });
}

#[test]
fn empty_parameters_are_omitted() {
    #[derive(Serialize)]
    struct Maybe {
        at: Option<u8>,
    }
    let (mut receive, mut send) = ([0; 64], [0; 64]);
    let mut session = nullink::client::Session::new(&mut receive, &mut send);
    session
        .queue("a.b.C", Mode::Simple, &Maybe { at: None })
        .unwrap();
    assert_eq!(session.channel().pending(), b"{\"method\":\"a.b.C\"}\0");
    let list: [u8; 0] = [];
    let error = session.queue("a.b.C", Mode::Simple, &list);
    assert_eq!(error, Err(EncodeError::NotAnObject.into()));
}
