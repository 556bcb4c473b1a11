//! Checks that `Reply::parse` agrees with serde_json, and that a client session returns the same
//! reply if it is received in pieces.
#![no_main]

mod oracle;

use libfuzzer_sys::fuzz_target;
use nullink::client::{CallError, Session};
use nullink::json::Raw;
use nullink::{Error, Method, Mode, Reply};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize)]
struct Jump;

#[derive(Deserialize)]
struct Jumped<'r> {
    at: Option<&'r str>,
}

#[derive(Deserialize)]
enum FtlError<'r> {
    NotEnoughEnergy,
    OutOfRange { field: &'r str },
}

impl Method for Jump {
    const NAME: &'static str = "org.example.ftl.Jump";
    type Output<'r> = Jumped<'r>;
    type Error<'r> = FtlError<'r>;
}

/// Has a client receive a message in pieces. The first byte of the message is their length.
fn receive_in_pieces(data: &[u8]) {
    if data.contains(&0) {
        return;
    }
    let parts = |reply: Reply<'_>| {
        let error = reply.error().map(str::to_owned);
        (error, reply.continues(), reply.parameters().to_string())
    };
    let message = [data, b"\0"].concat();
    let (mut receive, mut send) = (vec![0; message.len()], [0; 64]);
    let mut session = Session::new(&mut receive, &mut send);
    session
        .queue("a.b.C", Mode::More, &Raw::EMPTY_OBJECT)
        .expect("a call");
    for piece in message.chunks(usize::from(message[0]).max(1)) {
        assert_eq!(session.ready(), Ok(false));
        let channel = session.channel();
        channel.spare()[..piece.len()].copy_from_slice(piece);
        channel.received(piece.len());
    }
    assert_eq!(session.ready(), Ok(true));
    let received = session.receive().map(parts);
    let parsed = Reply::parse(&mut data.to_vec())
        .map(parts)
        .map_err(Error::from);
    assert_eq!(received, parsed);
}

fuzz_target!(|data: &[u8]| {
    if oracle::useless(data) {
        return;
    }
    receive_in_pieces(data);
    let mut message = data.to_vec();
    let Ok(reply) = Reply::parse(&mut message) else {
        return;
    };
    let value = oracle::value(data).expect("JSON");
    let object = value.as_object().expect("an object");
    for name in object.keys() {
        assert!(name.contains('.') || ["parameters", "error", "continues"].contains(&&name[..]));
    }
    assert_eq!(reply.error(), value["error"].as_str());
    assert_eq!(reply.continues(), value["continues"] == Value::Bool(true));
    assert!(!reply.continues() || reply.error().is_none());
    let parameters = reply.parameters().to_string();
    if value["parameters"].is_object() {
        assert_eq!(
            oracle::value(parameters.as_bytes()).as_ref(),
            Some(&value["parameters"])
        );
    } else {
        assert_eq!(parameters, "{}");
    }

    let name = value["error"].as_str();
    match reply.into_result::<Jump>() {
        Ok(jumped) => {
            assert_eq!(name, None);
            assert_eq!(jumped.at, value["parameters"]["at"].as_str());
        }
        Err(CallError::Method(error)) => match error {
            FtlError::NotEnoughEnergy => assert_eq!(name, Some("org.example.ftl.NotEnoughEnergy")),
            FtlError::OutOfRange { field } => {
                assert_eq!(name, Some("org.example.ftl.OutOfRange"));
                assert_eq!(Some(field), value["parameters"]["field"].as_str());
            }
        },
        Err(CallError::Service(_)) => {
            assert!(name.expect("an error").starts_with("org.varlink.service."));
        }
        Err(CallError::Unknown {
            error,
            parameters: raw,
        }) => {
            assert_eq!(Some(error), name);
            assert_eq!(raw.as_str(), parameters);
        }
        Err(CallError::Decode { error, .. }) => assert_eq!(error, name),
        Err(CallError::Connection(error)) => panic!("{error}"),
    }
});
