//! Services and clients that differ from the specification, or that other implementations cannot
//! read.

use nullink::client::CallError;
use nullink::{Client, Duplex, Method, NoError, json};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct List {}

#[derive(Deserialize, Debug, PartialEq)]
struct Listed {
    uid: u32,
}

impl Method for List {
    const NAME: &'static str = "org.example.users.List";
    type Output<'r> = Listed;
    type Error<'r> = NoError;
}

/// The replies of a stream: the numbers that were read, and the error at its end.
fn list(replies: &[u8]) -> (Vec<u32>, Option<String>) {
    let (mut receive, mut send, mut calls) = ([0; 256], [0; 256], [0; 256]);
    let stream = Duplex {
        reader: replies,
        writer: &mut calls[..],
    };
    let mut client = Client::new(stream, &mut receive, &mut send);
    let mut replies = client.more(&List {}).expect("sent");
    let mut seen = Vec::new();
    loop {
        match replies.next() {
            Ok(Some(reply)) => seen.push(reply.uid),
            Ok(None) => return (seen, None),
            Err(error @ CallError::Decode { .. }) => return (seen, Some(error.to_string())),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn w14_a_final_reply_without_parameters_ends_a_stream() {
    const ONE: &[u8] = b"{\"continues\":true,\"parameters\":{\"uid\":1}}\0";
    for end in [
        "{}",
        "{\"parameters\":{}}",
        "{\"parameters\":null}",
        "{\"parameters\":{ }}",
    ] {
        let end = [end.as_bytes(), b"\0"].concat();
        assert_eq!(list(&end), (vec![], None));
        assert_eq!(list(&[ONE, &end].concat()), (vec![1], None));
    }
    // Other replies that do not match the type are errors.
    for (broken, field) in [
        ("{\"parameters\":{\"uid\":-1}}", "uid"),
        ("{\"parameters\":{\"gid\":1}}", "uid"),
        ("{\"continues\":true}", "uid"),
    ] {
        let (seen, error) = list(&[ONE, broken.as_bytes(), b"\0"].concat());
        assert_eq!(seen, [1]);
        let error = error.expect(broken);
        assert!(error.contains(field), "{error}");
    }
}

#[test]
fn w14_a_single_reply_without_its_parameters_is_an_error() {
    let (mut receive, mut send, mut calls) = ([0; 256], [0; 256], [0; 256]);
    let stream = Duplex {
        reader: &b"{}\0"[..],
        writer: &mut calls[..],
    };
    let mut client = Client::new(stream, &mut receive, &mut send);
    let reply = client.call(&List {});
    assert!(matches!(reply, Err(CallError::Decode { .. })), "{reply:?}");
}

#[test]
fn delete_is_written_as_an_escape() {
    // sd-json does not read U+007F in a string.
    let mut buffer = [0; 256];
    for length in 0..20 {
        let text = format!("{}\u{7f}{}", "a".repeat(length), "\u{80}b".repeat(length));
        let escaped = format!("\"{}\"", text.replace('\u{7f}', "\\u007f"));
        assert_eq!(json::encode(&text, &mut buffer), Ok(&*escaped));
        assert_eq!(
            serde_json::from_str::<String>(&escaped).expect("JSON"),
            text
        );
    }
}
