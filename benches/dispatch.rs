//! One call in memory, so and so many times: for a tool that counts instructions.
//!
//! ```sh
//! cargo bench --bench dispatch -- SCENARIO COUNT
//! ```
//!
//! `tests/instructions.sh` does that under callgrind.

use std::hint::black_box;

use nullink::service::{Info, Outcome, Refusal, Responder, Service, Session, Step};
use nullink::{Call, Interface, interface};
use serde::{Deserialize, Serialize};

macro_rules! times_16 {
    ($item:literal, $($prefix:literal)*) => {
        concat!($(
            ", ", $prefix, "0", $item, ", ", $prefix, "1", $item, ", ", $prefix, "2", $item,
            ", ", $prefix, "3", $item, ", ", $prefix, "4", $item, ", ", $prefix, "5", $item,
            ", ", $prefix, "6", $item, ", ", $prefix, "7", $item, ", ", $prefix, "8", $item,
            ", ", $prefix, "9", $item, ", ", $prefix, "A", $item, ", ", $prefix, "B", $item,
            ", ", $prefix, "C", $item, ", ", $prefix, "D", $item, ", ", $prefix, "E", $item,
            ", ", $prefix, "F", $item,
        )*)
    };
}

const BENCH: Interface = interface!(
    text concat!(
        "interface org.example.bench\n",
        // A structure with as many fields as one can have.
        "type Wide (first: ?int",
        times_16!(": ?int", "f0" "f1" "f2" "f3" "f4" "f5" "f6" "f7" "f8" "f9" "fA" "fB" "fC" "fD" "fE"),
        ", g0: ?int, g1: ?int, g2: ?int, g3: ?int, g4: ?int, g5: ?int, g6: ?int, g7: ?int",
        ", g8: ?int, g9: ?int, gA: ?int, gB: ?int, gC: ?int, gD: ?int, gE: ?int)\n",
        "type Maps (maps: ?[string]Maps, map: ?[string]int)\n",
        "method Ping(ping: string) -> (pong: string)\n",
        "method OneWide(wide: Wide) -> ()\n",
        "method Wides(wides: []Wide) -> ()\n",
        "method Map(map: [string]int) -> ()\n",
        "method Nested(maps: Maps) -> ()\n",
    )
);

#[derive(Deserialize)]
enum Methods<'a> {
    Ping { ping: &'a str },
    OneWide {},
    Wides {},
    Map {},
    Nested {},
}

#[derive(Serialize)]
struct Pong<'a> {
    pong: &'a str,
}

/// Calls are checked, or they are not.
struct Bench<const CHECKED: bool>;

impl<const CHECKED: bool> Service for Bench<CHECKED> {
    type Cursor = ();
    const INTERFACES: &'static [Interface] = &[BENCH];
    const CHECKED: bool = CHECKED;

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Result<Outcome<'c>, Refusal> {
        Ok(match call.decode()? {
            Methods::Ping { ping } => reply.send(&Pong { pong: ping })?,
            _ => reply.send(&())?,
        })
    }
}

/// A call of the given size at most, whose parameter is repeated as often as that allows.
fn fill(method: &str, before: &str, unit: impl Fn(usize) -> String, after: &str) -> Vec<u8> {
    let head = format!("{{\"method\":\"org.example.bench.{method}\",\"parameters\":{{{before}");
    let tail = format!("{after}}}}}\0");
    let mut call = head;
    for number in 0.. {
        let unit = unit(number);
        if unit.is_empty() || call.len() + unit.len() + tail.len() > 4096 {
            break;
        }
        call += &unit;
    }
    let call = call.trim_end_matches(',').to_owned() + &tail;
    call.into_bytes()
}

fn call(scenario: &str) -> Vec<u8> {
    let hexadecimal = |number: usize| format!("{number:02X}");
    match scenario {
        "ping" | "ping-unchecked" => {
            b"{\"method\":\"org.example.bench.Ping\",\"parameters\":{\"ping\":\"hello\"}}\0"
                .to_vec()
        }
        // Each of them is asked for all fields.
        "empty-structures" => fill("Wides", "\"wides\":[", |_| "{},".to_owned(), "]"),
        // A key that is compared with all names, because of its escape.
        "escaped-keys" => fill(
            "OneWide",
            "\"wide\":{",
            |n| match n {
                0..240 => format!("\"\\u0066{}\":1,", hexadecimal(n)),
                _ => String::new(),
            },
            "}",
        ),
        "plain-keys" => fill(
            "OneWide",
            "\"wide\":{",
            |n| match n {
                0..240 => format!("\"f{}\":1,", hexadecimal(n)),
                _ => String::new(),
            },
            "}",
        ),
        "map" => fill("Map", "\"map\":{", |n| format!("\"{n:x}\":1,"), "}"),
        // Long keys that differ at their ends only.
        "long-keys" => fill(
            "Map",
            "\"map\":{",
            |n| format!("\"\\u0061{}{n:02x}\":1,", "x".repeat(48)),
            "}",
        ),
        // Each map is looked through for keys that occur twice, and so is what is in it.
        "maps" => {
            let depth = 60;
            let before = "\"maps\":".to_owned() + &"{\"maps\":{\"a\":".repeat(depth) + "{\"map\":{";
            let after = "}}".to_owned() + &"}}".repeat(depth);
            fill("Nested", &before, |n| format!("\"{n:x}\":1,"), &after)
        }
        other => panic!("no scenario {other}"),
    }
}

fn run<const CHECKED: bool>(call: &[u8], count: usize) {
    let (mut receive, mut send) = ([0; 4096], [0; 4096]);
    let mut session = Session::new(&mut receive, &mut send);
    let mut service = Bench::<CHECKED>;
    for _ in 0..count {
        session.spare()[..call.len()].copy_from_slice(black_box(call));
        session.received(call.len());
        assert_eq!(session.step(&mut service, None), Step::Called);
        assert!(
            !session.pending().starts_with(b"{\"error\""),
            "{:?}",
            session.pending()
        );
        session.sent(session.pending().len());
    }
}

fn main() {
    // (cargo adds its own `--bench`.)
    let arguments = std::env::args().skip(1);
    let arguments: Vec<String> = arguments.filter(|word| word != "--bench").collect();
    let [scenario, count] = &arguments[..] else {
        return println!("usage: cargo bench --bench dispatch -- SCENARIO COUNT");
    };
    let count = count.parse().expect("a number");
    let call = call(scenario);
    match scenario.ends_with("unchecked") {
        true => run::<false>(&call, count),
        false => run::<true>(&call, count),
    }
    println!("{} bytes, {count} times", call.len());
}
