//! F1 to F5: how messages are framed.

use crate::common;

use common::t::T;
use common::{Arrival, EMPTY, answer, t, talk, with_client};
use nullink::json::Raw;
use nullink::{Error, Violation};

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
