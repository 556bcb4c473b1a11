//! F1 to F5, W5: how messages are framed and written.

use crate::common;

use common::t::T;
use common::{Arrival, EMPTY, answer, t, talk, with_client};
use nullink::client::CallError;
use nullink::json::Raw;
use nullink::{Answer, Call, Error, Info, Interface, Method, NoError, Responder, Service};
use nullink::{Violation, interface};
use serde::{Deserialize, Serialize};

#[test]
fn f1_messages_can_arrive_split_anywhere_or_joined() {
    talk()
        .call(EMPTY, "{}")
        .call(t("Need", r#"{"s":"one"}"#), r#"{"parameters":{"s":"one"}}"#)
        .call(
            t("Need", r#"{"s":"\u00e9\ud83e\udd80"}"#),
            r#"{"parameters":{"s":"é🦀"}}"#,
        )
        .call(EMPTY, "{}")
        .check();
}

#[test]
fn f2_white_space_is_accepted_wherever_json_allows_it() {
    let spaced = "\r\n\t { \"method\" :\n\"org.example.t.Need\"\t,\r\"parameters\" : { \"s\" : \"x\" } \n } \t\r\n";
    talk()
        .call(spaced, r#"{"parameters":{"s":"x"}}"#)
        .call(" {\n} ".replace("{\n}", EMPTY), "{}")
        .check();
}

#[test]
fn f3_no_white_space_is_written_outside_strings() {
    talk()
        .call(
            t("Need", r#"{ "s" : "a b\tc" }"#),
            r#"{"parameters":{"s":"a b\tc"}}"#,
        )
        .check();

    let mut scratch = [0; 1024];
    let mut service = T {
        scratch: &mut scratch,
    };
    let calls = [
        r#"{"method":"org.varlink.service.GetInfo"}"#,
        r#"{"method":"org.example.t.Fail"}"#,
        r#"{"method":"org.example.t.Nothing"}"#,
        r#"{"method":"org.example.t.Count","parameters":{"n":3},"more":true}"#,
    ];
    let input = calls.join("\0") + "\0";
    let (replies, _) = answer(&mut service, input.as_bytes(), Arrival::Joined, 4096, 4096);
    assert_eq!(replies.len(), 6);
    for reply in replies {
        let mut in_string = false;
        for char in reply.chars() {
            in_string ^= char == '"';
            assert!(in_string || !char.is_whitespace(), "{reply}");
        }
    }
}

#[test]
fn f4_a_service_closes_on_a_message_that_is_too_long() {
    let long = t("Need", &format!(r#"{{"s":"{}"}}"#, "x".repeat(500)));
    let input = format!("{EMPTY}\0{long}\0{EMPTY}\0");
    let mut scratch = [0; 1024];
    let mut service = T {
        scratch: &mut scratch,
    };
    for size in EMPTY.len() + 1..long.len() + 1 {
        for arrival in [Arrival::Joined, Arrival::Bytes] {
            let (replies, end) = answer(&mut service, input.as_bytes(), arrival, size, 4096);
            assert_eq!(
                (replies, end),
                (vec!["{}".to_string()], Err(Error::TooLong))
            );
        }
    }
    let (replies, end) = answer(
        &mut service,
        input.as_bytes(),
        Arrival::Bytes,
        long.len() + 1,
        4096,
    );
    assert_eq!((replies.len(), end), (3, Ok(false)));
}

#[test]
fn f4_a_client_skips_a_reply_that_is_too_long_and_reads_the_next() {
    let long = format!(r#"{{"parameters":{{"s":"{}"}}}}"#, "x".repeat(500));
    let short = r#"{"parameters":{"s":"y"}}"#;
    let input = format!("{long}\0{short}\0{long}\0{long}\0{short}\0");
    for size in 1..long.len() + 10 {
        for arrival in [Arrival::Joined, Arrival::Bytes, Arrival::Split(size)] {
            let (replies, _) = with_client(input.as_bytes(), arrival, size, |client| {
                let mut replies = Vec::new();
                for _ in 0..5 {
                    let reply = client.call_raw("org.example.t.Need", Raw::EMPTY_OBJECT);
                    replies.push(reply.map(|reply| reply.parameters().as_str().len()));
                }
                replies
            });
            let expected = [&long[..], short, &long, &long, short].map(|reply| {
                if reply.len() < size {
                    Ok(reply.len() - r#"{"parameters":}"#.len())
                } else {
                    Err(Error::TooLong)
                }
            });
            assert_eq!(replies, expected, "{arrival:?}, receive buffer of {size}");
        }
    }
}

#[test]
fn f5_end_of_stream_is_normal_between_messages_and_an_error_inside_one() {
    let mut scratch = [0; 1024];
    let mut service = T {
        scratch: &mut scratch,
    };
    let input = format!("{EMPTY}\0");
    for arrival in [Arrival::Joined, Arrival::Bytes] {
        // After a half-close the reply is still sent.
        let (replies, end) = answer(&mut service, input.as_bytes(), arrival, 99, 99);
        assert_eq!((replies, end), (vec!["{}".to_string()], Ok(false)));
        for cut in 1..EMPTY.len() + 1 {
            let input = format!("{EMPTY}\0{}", &EMPTY[..cut]);
            let (replies, end) = answer(&mut service, input.as_bytes(), arrival, 99, 99);
            assert_eq!(replies, ["{}"]);
            assert_eq!(end, Err(Violation::Truncated.into()));
        }
    }
    assert_eq!(
        answer(&mut service, b"", Arrival::Joined, 99, 99),
        (vec![], Ok(false))
    );
}

#[test]
fn f5_a_client_gets_different_errors_for_an_end_inside_and_before_a_reply() {
    let reply = r#"{"parameters":{"s":"y"}}"#;
    for cut in 0..=reply.len() {
        for arrival in [Arrival::Joined, Arrival::Bytes] {
            let input = &reply.as_bytes()[..cut];
            let (error, _) = with_client(input, arrival, 99, |client| {
                client
                    .call_raw("org.example.t.Need", Raw::EMPTY_OBJECT)
                    .err()
            });
            let expected = match cut {
                0 => Error::Closed,
                _ => Violation::Truncated.into(),
            };
            assert_eq!(error, Some(expected), "{cut}");
        }
    }
}

const EMPTY_VALUES: Interface = interface!(
    text "
interface org.example.empty

method Get(kind: int) -> ()
method Count(kind: int) -> ()

error Gone ()
"
);

#[derive(Deserialize)]
enum Methods {
    Get { kind: u8 },
    Count { kind: u8 },
}

/// The kinds of empty values: `write` writes one of them.
const KINDS: u8 = 7;

/// A value without parameters, of one of the kinds.
struct Nothing(u8);

impl Serialize for Nothing {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Unit;

        #[derive(Serialize)]
        struct Empty {}

        #[derive(Serialize)]
        struct Skipped {
            #[serde(skip_serializing_if = "Option::is_none")]
            field: Option<u8>,
        }

        match self.0 {
            0 => ().serialize(serializer),
            1 => Unit.serialize(serializer),
            2 => Empty {}.serialize(serializer),
            3 => Skipped { field: None }.serialize(serializer),
            4 => std::collections::BTreeMap::<u8, u8>::new().serialize(serializer),
            5 => Raw::EMPTY_OBJECT.serialize(serializer),
            KINDS.. => panic!("no such kind"),
            _ => Raw::new("null").expect("JSON").serialize(serializer),
        }
    }
}

impl Method for Nothing {
    const NAME: &'static str = "org.example.empty.Get";
    type Output<'r> = ();
    type Error<'r> = NoError;
}

#[derive(Serialize)]
enum ErrorWith {
    Gone(Nothing),
}

#[derive(Serialize)]
enum UnitError {
    Gone,
}

struct EmptyValues;

impl Service<u8> for EmptyValues {
    const INTERFACES: &'static [Interface] = &[EMPTY_VALUES];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, u8>) -> Answer<'c, u8> {
        match call.decode()? {
            Methods::Get { kind } => reply.send(&Nothing(kind)),
            Methods::Count { kind } => reply.more()?.next(&Nothing(kind))?.then(kind),
        }
    }

    fn resume<'c>(&mut self, kind: u8, reply: Responder<'c, u8>) -> Answer<'c, u8> {
        if kind == 0 {
            return reply.error(&UnitError::Gone);
        }
        reply.error(&ErrorWith::Gone(Nothing(kind)))
    }
}

#[test]
fn w5_empty_parameters_are_not_written_in_replies_and_errors() {
    for kind in 0..KINDS {
        let parameters = format!(r#""parameters":{{"kind":{kind}}}"#);
        let get = format!(r#"{{"method":"org.example.empty.Get",{parameters}}}"#);
        let count = format!(r#"{{"method":"org.example.empty.Count","more":true,{parameters}}}"#);
        let gone = r#"{"error":"org.example.empty.Gone"}"#;
        talk()
            .call(get, "{}")
            .calls(count, &[r#"{"continues":true}"#, gone])
            .check_with(&mut EmptyValues);
    }
}

#[test]
fn w5_empty_parameters_are_not_written_in_calls() {
    for kind in 0..KINDS {
        let ((), sent) = with_client(b"{}\0{}\0", Arrival::Joined, 99, |client| {
            assert_eq!(client.call(&Nothing(kind)), Ok(()));
            client.oneway(&Nothing(kind)).expect("is sent");
            let mut replies = client.more(&Nothing(kind)).expect("is sent");
            assert_eq!(replies.next(), Ok(Some(())));
            let upgrade = client.upgrade(&Nothing(kind));
            let closed = CallError::Connection(Error::Closed);
            assert_eq!(upgrade, Err(closed));
        });
        let call = |flag: &str| format!(r#"{{"method":"org.example.empty.Get"{flag}}}"#);
        let flags = [
            "",
            r#","oneway":true"#,
            r#","more":true"#,
            r#","upgrade":true"#,
        ];
        assert_eq!(sent, flags.map(call));
    }
    for parameters in ["{}", " {\t} ", "null", " null "] {
        let parameters = Raw::new(parameters).expect("JSON");
        let (result, sent) = with_client(b"{}\0", Arrival::Joined, 99, |client| {
            let reply = client.call_raw("org.example.empty.Get", parameters);
            reply.map(|_| ())
        });
        assert_eq!(result, Ok(()));
        assert_eq!(sent, [r#"{"method":"org.example.empty.Get"}"#]);
    }
}
