//! Descriptions that are longer than the send buffer.

mod common;

use common::{Arrival, answer};
use nullink::service::{Answer, Info, Responder, Service};
use nullink::{Call, Error, Interface, interface};

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
    const INTERFACES: &'static [Interface] = &[BIG];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        #[derive(serde::Deserialize)]
        enum Methods {
            List {},
        }
        let Methods::List {} = call.decode()?;
        reply.send(&())
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
    for send in [80, 81, 82, 94, 128, 200, 2000, 8192, 1 << 18] {
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
    let whole = answer(&mut Big, input.as_bytes(), Arrival::Joined, 1024, 1 << 18);
    let pieces = answer(&mut Big, input.as_bytes(), Arrival::Bytes, 1024, 198);
    assert_eq!(whole, pieces);
    let oneway = call.replace("{\"method\"", "{\"oneway\":true,\"method\"");
    let input = format!("{oneway}\0{LIST}\0");
    let (replies, _) = answer(&mut Big, input.as_bytes(), Arrival::Joined, 1024, 128);
    assert_eq!(replies, ["{}"]);
    // A buffer that can't hold the beginning of the reply can't do anything.
    let input = format!("{call}\0");
    let (replies, end) = answer(&mut Big, input.as_bytes(), Arrival::Joined, 1024, 40);
    assert_eq!(replies, [""; 0]);
    assert!(matches!(end, Err(Error::Encode(_))), "{end:?}");
}
