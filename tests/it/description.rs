//! Descriptions that are longer than the send buffer.

use crate::common;

use common::{Arrival, answer};
use nullink::service::{Answer, Info, Responder, Service};
use nullink::{Call, Error, Interface, interface};

macro_rules! fields {
    ($($number:literal)*) => {
        concat!($(
            "\t# The documentation of this field, \"at length\", like that of the properties of a systemd ",
            "unit: its purpose, its values, the version that has introduced it \u{2014} and the default ",
            "in older versions, with a tab\there and a \\ there\n",
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

/// A definition as large as systemd's io.systemd.Unit: 320 fields.
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
    // The calls before and after it are answered in order.
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
    // The message does not depend on the size of the buffer. A oneway call gets none.
    let whole = answer(&mut Big, input.as_bytes(), Arrival::Joined, 1024, 1 << 18);
    let pieces = answer(&mut Big, input.as_bytes(), Arrival::Bytes, 1024, 198);
    assert_eq!(whole, pieces);
    let oneway = call.replace("{\"method\"", "{\"oneway\":true,\"method\"");
    let input = format!("{oneway}\0{LIST}\0");
    let (replies, _) = answer(&mut Big, input.as_bytes(), Arrival::Joined, 1024, 128);
    assert_eq!(replies, ["{}"]);
    // A buffer that is too small for the beginning of the reply ends the session with an error.
    let input = format!("{call}\0");
    let (replies, end) = answer(&mut Big, input.as_bytes(), Arrival::Joined, 1024, 40);
    assert_eq!(replies, [""; 0]);
    assert!(matches!(end, Err(Error::Encode(_))), "{end:?}");
}
