//! U: upgrades.

use crate::common;

use common::t::T;
use common::{Arrival, EMPTY, Script, every_arrival, t, talk, with_client};
use embedded_io::Read;
use nullink::client::CallError;
use nullink::json::Raw;
use nullink::service::{GetInterfaceDescription, ServiceError};
use nullink::{Client, End, Error, Misuse, Mode, serve};
use nullink::{Method, NoError};
use serde::Serialize;

const PIPE: &str = r#"{"method":"org.example.t.Pipe","upgrade":true}"#;

#[derive(Serialize)]
struct Pipe;

impl Method for Pipe {
    const NAME: &'static str = "org.example.t.Pipe";
    type Output<'r> = ();
    type Error<'r> = NoError;
}

#[test]
fn u1_the_service_confirms_and_hands_over_every_byte_after_the_call() {
    let raw = b"raw\0bytes, {\"method\":\"org.example.t.Empty\"}\0 and more";
    let mut input = format!("{EMPTY}\0{PIPE}\0").into_bytes();
    input.extend_from_slice(raw);
    every_arrival(&input, |arrival| {
        for receive in (PIPE.len() + 1)..input.len() + 2 {
            let mut scratch = [0; 256];
            let mut service = T {
                scratch: &mut scratch,
            };
            let mut script = Script::new(&input, arrival);
            let (mut receive, mut send) = (vec![0; receive], [0; 256]);
            let end = serve(&mut service, &mut script, &mut receive, &mut send);
            let Ok(End::Upgraded { unread, .. }) = end else {
                panic!("{end:?}");
            };
            let mut rest = unread.to_vec();
            assert_eq!(script.messages(), ["{}", "{}"]);
            let mut buffer = [0; 7];
            loop {
                match script.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => rest.extend_from_slice(&buffer[..count]),
                }
            }
            assert_eq!(rest, raw, "{arrival:?}");
        }
    });
}

#[test]
fn u1_the_client_reads_exactly_to_the_end_of_the_reply() {
    let raw = b"raw\0bytes";
    for reply in ["{}", r#"{"parameters":{"ignored":[1,2,3]}}"#] {
        let mut input = reply.as_bytes().to_vec();
        input.push(0);
        input.extend_from_slice(raw);
        every_arrival(&input, |arrival| {
            let mut script = Script::new(&input, arrival);
            let (mut receive, mut send) = ([0; 64], [0; 64]);
            let mut client = Client::new(&mut script, &mut receive, &mut send);
            assert_eq!(client.upgrade(&Pipe), Ok(()));
            let (script, unread) = client.into_parts();
            assert_eq!(unread, b"");
            assert_eq!(
                script.messages(),
                [PIPE
                    .replace(",\"upgrade\":true", "")
                    .replace('}', ",\"upgrade\":true}")]
            );
            let mut rest = Vec::new();
            let mut buffer = [0; 4];
            while let Ok(count @ 1..) = script.read(&mut buffer) {
                rest.extend_from_slice(&buffer[..count]);
            }
            assert_eq!(rest, raw, "{arrival:?}");
        });
    }
}

#[test]
fn u1_after_an_upgrade_the_client_makes_no_varlink_calls() {
    let ((), sent) = with_client(b"{}\0", Arrival::Joined, 64, |client| {
        assert_eq!(client.upgrade(&Pipe), Ok(()));
        let unusable = Error::Misuse(Misuse::Unusable);
        assert_eq!(client.oneway(&Pipe), Err(unusable));
        assert_eq!(client.call(&Pipe), Err(CallError::Connection(unusable)));
        assert_eq!(client.receive_raw().err(), Some(unusable));
    });
    assert_eq!(sent.len(), 1);
}

#[test]
fn u1_an_upgrade_is_refused_before_outstanding_replies_and_no_call_follows_it() {
    let outstanding = Error::Misuse(Misuse::RepliesOutstanding);
    with_client(b"{}\0", Arrival::Joined, 64, |client| {
        client.queue(&Pipe, Mode::Simple).unwrap();
        assert_eq!(
            client.upgrade(&Pipe),
            Err(CallError::Connection(outstanding))
        );
        assert_eq!(client.receive::<Pipe>(), Ok(()));
    });
    with_client(b"{}\0", Arrival::Joined, 64, |client| {
        client.queue(&Pipe, Mode::Upgrade).unwrap();
        assert_eq!(client.queue(&Pipe, Mode::Simple), Err(outstanding));
        assert_eq!(client.queue(&Pipe, Mode::Oneway), Err(outstanding));
        assert_eq!(client.receive::<Pipe>(), Ok(()));
    });
}

#[test]
fn u2_an_error_leaves_the_connection_a_varlink_connection() {
    // The service.
    talk()
        .call(
            t("Pipe", "{}"),
            r#"{"error":"org.varlink.service.ExpectedUpgrade"}"#,
        )
        .call(
            r#"{"method":"org.example.t.Need","upgrade":true}"#,
            &common::invalid("s"),
        )
        .call(
            r#"{"method":"org.example.t.Fail","upgrade":true}"#,
            r#"{"error":"org.example.t.Oops","parameters":{"why":"because"}}"#,
        )
        .call(EMPTY, "{}")
        .check();

    // The client.
    let input = b"{\"error\":\"org.varlink.service.PermissionDenied\"}\0{\"parameters\":{\"description\":\"d\"}}\0";
    every_arrival(input, |arrival| {
        with_client(input, arrival, 64, |client| {
            assert_eq!(
                client.upgrade(&Pipe),
                Err(CallError::Service(ServiceError::PermissionDenied))
            );
            let reply = client.call(&GetInterfaceDescription { interface: "a.b" });
            assert_eq!(reply.unwrap().description, "d");
        });
    });
}

#[test]
fn u3_upgrade_on_a_plain_method_gets_a_plain_reply() {
    talk()
        .call(r#"{"method":"org.example.t.Empty","upgrade":true}"#, "{}")
        .call(
            r#"{"method":"org.example.t.Need","upgrade":true,"parameters":{"s":"x"}}"#,
            r#"{"parameters":{"s":"x"}}"#,
        )
        .call(EMPTY, "{}")
        .check();
}

#[test]
fn u1_raw_calls_can_upgrade_too() {
    let input = b"{\"parameters\":{\"a\":1}}\0raw";
    every_arrival(input, |arrival| {
        let mut script = Script::new(input, arrival);
        let (mut receive, mut send) = ([0; 64], [0; 64]);
        let mut client = Client::new(&mut script, &mut receive, &mut send);
        client
            .queue_raw("a.b.C", Mode::Upgrade, Raw::EMPTY_OBJECT)
            .unwrap();
        let reply = client.receive_raw().unwrap();
        assert_eq!(reply.parameters().as_str(), "{\"a\":1}");
        assert_eq!(client.into_parts().1, b"");
    });
}

#[test]
fn u1_an_unasked_reply_does_not_confirm_an_upgrade() {
    let input = b"{\"parameters\":{\"description\":\"d\"}}\0{}\0";
    let mut script = Script::new(input, Arrival::Joined);
    let (mut receive, mut send) = ([0; 99], [0; 99]);
    let mut client = Client::new(&mut script, &mut receive, &mut send);
    let description = client.call(&GetInterfaceDescription { interface: "a.b" });
    assert!(description.is_ok());
    let unasked = Error::Protocol(nullink::Violation::Unasked);
    assert_eq!(client.upgrade(&Pipe), Err(CallError::Connection(unasked)));
    let unusable = Error::Misuse(Misuse::Unusable);
    assert_eq!(client.upgrade(&Pipe), Err(CallError::Connection(unusable)));
}
