//! Descriptions that are longer than the buffers.

mod common;

use common::{Arrival, Script, answer, every_arrival};
use nullink::Loopback;
use nullink::client::CallError;
use nullink::service::{Info, Outcome, Refusal, Responder, ServiceError};
use nullink::{Call, Client, Error, Interface, Misuse, Service, Violation, interface};

macro_rules! fields {
    ($($number:literal)*) => {
        concat!($(
            "\t# What there is to be said about this field, \"at length\", as systemd says it about its ",
            "own: what it is for, what it may be, since when it has been there \u{2014} and what it was ",
            "before that, with a tab\there and a \\ there\n",
            "\tfield_", $number, ": ?int,\n",
        )*)
    };
}

macro_rules! unit {
    ($name:literal) => {
        concat!(
            "# A unit\ntype ", $name, " (\n",
            fields!(
                "0" "1" "2" "3" "4" "5" "6" "7" "8" "9" "10" "11" "12" "13" "14" "15" "16" "17" "18"
                "19" "20" "21" "22" "23" "24" "25" "26" "27" "28" "29" "30" "31" "32" "33" "34" "35"
                "36" "37" "38" "39" "40" "41" "42" "43" "44" "45" "46" "47" "48" "49" "50" "51" "52"
                "53" "54" "55" "56" "57" "58" "59" "60" "61" "62"
            ),
            "\tlast: ?[]string\n)\n\n"
        )
    };
}

/// As large as systemd's io.systemd.Unit: 320 fields.
const BIG: Interface = interface!(
    text concat!(
        "# Units\ninterface org.example.big\n\n",
        unit!("Service"), unit!("Socket"), unit!("Mount"), unit!("Timer"), unit!("Path"),
        "method List(unit: ?string) -> (service: ?Service, socket: ?Socket, mount: ?Mount, timer: ?Timer, path: ?Path)\n",
    )
);

struct Big;

impl Service for Big {
    type Cursor = ();
    const INTERFACES: &'static [Interface] = &[BIG];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
        #[derive(serde::Deserialize)]
        enum Methods {
            List {},
        }
        let Methods::List {} = call.decode()?;
        Ok(reply.send(&())?)
    }
}

const LIST: &str = r#"{"method":"org.example.big.List","parameters":{"unit":null}}"#;

fn describe(interface: &str) -> String {
    format!(
        r#"{{"method":"org.varlink.service.GetInterfaceDescription","parameters":{{"interface":"{interface}"}}}}"#
    )
}

#[test]
fn s2_a_description_of_any_size_is_sent_in_pieces() {
    assert!(BIG.text().len() > 70_000, "{}", BIG.text().len());
    let call = describe("org.example.big");
    // Other calls before it and behind it are answered as ever.
    let input = format!("{LIST}\0{call}\0{LIST}\0{call}\0{LIST}\0");
    for send in [40, 41, 47, 64, 100, 1000, 4096, 1 << 17] {
        let (replies, end) = answer(&mut Big, input.as_bytes(), Arrival::Joined, 1024, send);
        assert_eq!(
            (replies.len(), end),
            (5, Ok(false)),
            "send buffer of {send}"
        );
        for (number, reply) in replies.iter().enumerate() {
            let reply: serde_json::Value = serde_json::from_str(reply).expect("JSON");
            match number % 2 {
                0 => assert_eq!(reply, serde_json::json!({})),
                _ => assert_eq!(
                    reply,
                    serde_json::json!({"parameters": {"description": BIG.text()}})
                ),
            }
        }
    }
    // It is the same message whatever the buffer's size; and oneway, there is none.
    let whole = answer(&mut Big, input.as_bytes(), Arrival::Joined, 1024, 1 << 17);
    let pieces = answer(&mut Big, input.as_bytes(), Arrival::Bytes, 1024, 99);
    assert_eq!(whole, pieces);
    let oneway = call.replace("{\"method\"", "{\"oneway\":true,\"method\"");
    let input = format!("{oneway}\0{LIST}\0");
    let (replies, _) = answer(&mut Big, input.as_bytes(), Arrival::Joined, 1024, 64);
    assert_eq!(replies, ["{}"]);
    // A buffer that can't hold the beginning of the reply can't do anything.
    let input = format!("{call}\0");
    let (replies, end) = answer(&mut Big, input.as_bytes(), Arrival::Joined, 1024, 20);
    assert_eq!(replies, [""; 0]);
    assert!(matches!(end, Err(Error::Encode(_))), "{end:?}");
}

#[test]
fn a_client_reads_a_description_of_any_size_in_pieces() {
    for receive in [64, 65, 66, 67, 100, 4096, 1 << 17] {
        let (mut a, mut b, mut c, mut d) =
            (vec![0; 256], vec![0; 4096], vec![0; receive], [0; 256]);
        let mut client = Client::new(Loopback::new(Big, &mut a, &mut b), &mut c, &mut d);
        for _ in 0..2 {
            let (mut text, mut pieces) = (String::new(), 0);
            let described = client.describe("org.example.big", 1 << 20, |piece| {
                text += piece;
                pieces += 1;
            });
            assert_eq!(described, Ok(()), "{receive}");
            assert_eq!(text, BIG.text());
            assert_eq!(pieces == 1, receive > text.len(), "{pieces} {receive}");
        }
    }
    let (mut a, mut b, mut c, mut d) = ([0; 256], [0; 4096], [0; 128], [0; 256]);
    let mut client = Client::new(Loopback::new(Big, &mut a, &mut b), &mut c, &mut d);
    let mut pieces = 0;
    let not_found = ServiceError::InterfaceNotFound { interface: "a.b" };
    assert_eq!(
        client.describe("a.b", 1 << 20, |_| pieces += 1),
        Err(CallError::Service(not_found))
    );
    assert_eq!(pieces, 0);
}

/// What a client with a small buffer makes of a reply.
fn read(reply: &[u8], arrival: Arrival, receive: usize) -> Result<String, String> {
    let mut script = Script::new(reply, arrival);
    let (mut receive, mut send) = (vec![0; receive], [0; 256]);
    let mut client = Client::new(&mut script, &mut receive, &mut send);
    let mut text = String::new();
    match client.describe("a.b", 1 << 20, |piece| text += piece) {
        Ok(()) => Ok(text),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn r3_a_long_description_is_as_strictly_read_as_a_short_one() {
    let body = r#"0123456789 \"\u00e9\ud83e\udd80 é🦀\n\u0000\\"#.repeat(9);
    let text: String = serde_json::from_str(&format!("\"{body}\"")).expect("a string");
    let reply = |before: &str, after: &str| format!("{before}{body}{after}\0").into_bytes();
    let good = reply(r#"{"parameters":{"description":""#, "\"}}");
    every_arrival(&good, |arrival| {
        for receive in [48, 49, 50, 51, 52, 53, 54, 55, 99, 4096] {
            assert_eq!(read(&good, arrival, receive).as_ref(), Ok(&text));
        }
    });
    for (before, after) in [
        (r#"{"a.b":[{}],"parameters":{"x":1,"description":""#, "\"}}"),
        (
            r#" { "\u0070arameters" : { "descriptio\u006e" : ""#,
            "\" , \"x\":{} } , \"a.b\":1 } ",
        ),
    ] {
        assert_eq!(
            read(&reply(before, after), Arrival::Joined, 99).as_ref(),
            Ok(&text)
        );
    }
    for (before, after) in [
        (r#"{"parameters":{"description":""#, "\"}"),
        (r#"{"parameters":{"description":""#, "\"}}}"),
        (r#"{"parameters":{"description":""#, "\"},\"x\":1}"),
        (
            r#"{"parameters":{"description":""#,
            "\"},\"continues\":true}",
        ),
        (r#"{"parameters":{"description":""#, "\\x\"}}"),
        (r#"{"parameters":{"description":""#, "\\ud800\"}}"),
        (r#"{"parameters":{"description":""#, "\n\"}}"),
        (
            r#"{"parameters":{"description":""#,
            "\"},\"error\":\"a.b.C\"}",
        ),
        (r#"{"x":1,"parameters":{"description":""#, "\"}}"),
        (r#"{"parameters":{"describes":""#, "\"}}"),
        (r#"["parameters",{"description":""#, "\"}]"),
    ] {
        let reply = reply(before, after);
        for receive in [64, 99, 4096] {
            let read = read(&reply, Arrival::Joined, receive);
            assert!(read.is_err(), "{before}..{after}: {read:?}");
        }
    }
    // Not UTF-8; cut off; and a body without an end.
    let mut bad = good.clone();
    bad[60] = 0xff;
    assert!(read(&bad, Arrival::Joined, 64).is_err());
    for cut in 0..good.len() {
        assert!(read(&good[..cut], Arrival::Joined, 64).is_err());
    }
    // What comes before the description has to fit.
    let reply = reply(
        &format!(
            r#"{{"a.b":"{}","parameters":{{"description":""#,
            "x".repeat(99)
        ),
        "\"}}",
    );
    assert_eq!(read(&reply, Arrival::Joined, 4096).as_ref(), Ok(&text));
    assert_eq!(
        read(&reply, Arrival::Joined, 99),
        Err(Error::<Violation>::TooLong.to_string())
    );
}

#[test]
fn a_description_waits_its_turn() {
    let mut script = Script::new(b"{}\0", Arrival::Joined);
    let (mut receive, mut send) = ([0; 64], [0; 256]);
    let mut client = Client::new(&mut script, &mut receive, &mut send);
    let nothing = nullink::json::Raw::EMPTY_OBJECT;
    client
        .queue_raw("a.b.C", nullink::Mode::Simple, nothing)
        .expect("room");
    let outstanding = Error::Misuse(Misuse::RepliesOutstanding);
    assert_eq!(
        client.describe("a.b", 1 << 20, |_| {}),
        Err(CallError::Connection(outstanding))
    );
}

#[test]
fn f4_what_is_left_of_a_reply_that_was_too_long_is_not_a_description() {
    let mut first = format!("{:64}", r#"{"parameters":{"l":["#);
    first += r#"{"parameters":{"description":"not what was asked for, and long enough"}}]}}"#;
    let second = r#"{"parameters":{"description":"interface a.b\n"}}"#;
    let replies = format!("{first}\0{second}\0");
    let mut script = Script::of_service(replies.as_bytes(), Arrival::Joined);
    let (mut receive, mut send) = ([0; 64], [0; 256]);
    let mut client = Client::new(&mut script, &mut receive, &mut send);
    let list = client.call_raw("x.y.List", nullink::json::Raw::EMPTY_OBJECT);
    assert_eq!(list.err(), Some(Error::TooLong));
    let mut text = String::new();
    assert_eq!(
        client.describe("a.b", 1 << 20, |piece| text += piece),
        Ok(())
    );
    assert_eq!(text, "interface a.b\n");
}

#[test]
fn r3_null_errors_do_not_matter_to_a_long_description_either() {
    let text = "x".repeat(500);
    for before in [
        r#"{"error":null,"parameters":{"description":""#,
        r#"{"continues":null,"parameters":{"error":"a.b.C","description":""#,
    ] {
        let reply = format!("{before}{text}\"}}}}\0");
        for receive in [100, 1000] {
            let read = read(reply.as_bytes(), Arrival::Joined, receive);
            assert_eq!(read.as_ref(), Ok(&text), "{receive}");
        }
    }
}

#[test]
fn a_description_without_end_has_a_limit() {
    let reply = format!(
        "{{\"parameters\":{{\"description\":\"{}\"}}}}\0{{}}\0",
        "x".repeat(100_000)
    );
    let mut script = Script::of_service(reply.as_bytes(), Arrival::Joined);
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut client = Client::new(&mut script, &mut receive, &mut send);
    let mut length = 0;
    let described = client.describe("a.b", 10_000, |piece| length += piece.len());
    assert_eq!(described, Err(CallError::Connection(Error::TooLong)));
    assert!((10_000..10_256).contains(&length), "{length}");
    // The rest of it is skipped.
    let next = client.call_raw("a.b.C", nullink::json::Raw::EMPTY_OBJECT);
    assert!(next.is_ok());
}
