//! Repeats a call in memory, or over a server's sockets, for a tool that counts instructions.
//!
//! ```sh
//! cargo bench --bench dispatch -- SCENARIO COUNT
//! ```
//!
//! `tests/instructions.sh` runs it under callgrind.

use std::hint::black_box;

use nullink::service::{Answer, Info, Responder, Service, Session};
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

/// Defines a struct of 64 integers, and a macro with its fields for a definition.
macro_rules! integers {
    ($first:ident $($name:ident)*) => {
        #[derive(Deserialize)]
        struct Integers {
            $first: i64,
            $($name: i64,)*
        }

        impl Integers {
            fn sum(&self) -> i64 {
                self.$first $(+ self.$name)*
            }
        }

        macro_rules! integer_fields {
            () => {
                concat!(stringify!($first), ": int" $(, ", ", stringify!($name), ": int")*)
            };
        }
    };
}

integers! {
    i00 i01 i02 i03 i04 i05 i06 i07 i10 i11 i12 i13 i14 i15 i16 i17
    i20 i21 i22 i23 i24 i25 i26 i27 i30 i31 i32 i33 i34 i35 i36 i37
    i40 i41 i42 i43 i44 i45 i46 i47 i50 i51 i52 i53 i54 i55 i56 i57
    i60 i61 i62 i63 i64 i65 i66 i67 i70 i71 i72 i73 i74 i75 i76 i77
}

const BENCH: Interface = interface!(
    text concat!(
        "interface org.example.bench\n",
        // A structure with the largest number of fields.
        "type Wide (first: ?int",
        times_16!(": ?int", "f0" "f1" "f2" "f3" "f4" "f5" "f6" "f7" "f8" "f9" "fA" "fB" "fC" "fD" "fE"),
        ", g0: ?int, g1: ?int, g2: ?int, g3: ?int, g4: ?int, g5: ?int, g6: ?int, g7: ?int",
        ", g8: ?int, g9: ?int, gA: ?int, gB: ?int, gC: ?int, gD: ?int, gE: ?int)\n",
        // Also with the largest number of fields. Only the last is not nullable.
        "type Last (first: ?int",
        times_16!(": ?int", "f0" "f1" "f2" "f3" "f4" "f5" "f6" "f7" "f8" "f9" "fA" "fB" "fC" "fD" "fE"),
        ", last: int)\n",
        "type Maps (maps: ?[string]Maps, map: ?[string]int)\n",
        "method Ping(ping: string) -> (pong: string)\n",
        "method Integers(", integer_fields!(), ") -> ()\n",
        "method OneWide(wide: Wide) -> ()\n",
        "method Wides(wides: []Wide) -> ()\n",
        "method Lasts(lasts: []Last) -> ()\n",
        "method Map(map: [string]int) -> ()\n",
        "method Nested(maps: Maps) -> ()\n",
    )
);

#[derive(Deserialize)]
enum Methods<'a> {
    Ping { ping: &'a str },
    Integers(Box<Integers>),
    OneWide {},
    Wides {},
    Lasts {},
    Map {},
    Nested {},
}

#[derive(Serialize)]
struct Pong<'a> {
    pong: &'a str,
}

/// The service. `CHECKED` enables the check of calls.
struct Bench<const CHECKED: bool>;

impl<const CHECKED: bool> Service for Bench<CHECKED> {
    const INTERFACES: &'static [Interface] = &[BENCH];
    const CHECKED: bool = CHECKED;

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        match call.decode()? {
            Methods::Ping { ping } => reply.send(&Pong { pong: ping }),
            Methods::Integers(integers) => {
                assert_eq!(integers.sum(), 64 * 65 / 2);
                reply.send(&())
            }
            _ => reply.send(&()),
        }
    }
}

/// Returns a call of at most `size` bytes, with as many units between `before` and `after` as fit.
fn fill(
    size: usize,
    method: &str,
    before: &str,
    unit: impl Fn(usize) -> Option<String>,
    after: &str,
) -> Vec<u8> {
    let head = format!("{{\"method\":\"org.example.bench.{method}\",\"parameters\":{{{before}");
    let tail = format!("{after}}}}}\0");
    let room = size - head.len() - tail.len();
    let mut units = String::new();
    for unit in (0..).map_while(unit) {
        if units.len() + unit.len() > room {
            break;
        }
        units += &unit;
    }
    (head + units.trim_end_matches(',') + &tail).into_bytes()
}

/// Returns a call of Ping with 1024 characters. Every `escaped`th character is escaped.
fn text(escaped: usize) -> Vec<u8> {
    let text: String = (0..1024)
        .map(|n| if n % escaped == 0 { "\\n" } else { "x" })
        .collect();
    fill(
        4096,
        "Ping",
        "\"ping\":\"",
        |n| (n == 0).then(|| text.clone()),
        "\"",
    )
}

/// Returns a call of `size` bytes whose map has 64 long keys that differ only at their ends.
fn long_keys(size: usize, begin: &str) -> Vec<u8> {
    let long = "x".repeat(size / 64 - 16);
    fill(
        size,
        "Map",
        "\"map\":{",
        |n| Some(format!("\"{begin}{long}{n:02x}\":1,")),
        "}",
    )
}

/// Returns a call of `size` bytes with nested maps. The innermost takes most of it.
fn maps(size: usize) -> Vec<u8> {
    let depth = 60;
    let before = "\"maps\":".to_owned() + &"{\"maps\":{\"a\":".repeat(depth) + "{\"map\":{";
    let after = "}}".to_owned() + &"}}".repeat(depth);
    fill(
        size,
        "Nested",
        &before,
        |n| Some(format!("\"{n:x}\":1,")),
        &after,
    )
}

/// Returns a call of `size` bytes with an ordinary map.
fn plain(size: usize) -> Vec<u8> {
    fill(
        size,
        "Map",
        "\"map\":{",
        |n| Some(format!("\"{n:x}\":1,")),
        "}",
    )
}

/// The length of the longest call.
const LARGEST: usize = 1 << 16;

fn call(scenario: &str) -> Vec<u8> {
    match scenario {
        "ping" | "ping-unchecked" => {
            b"{\"method\":\"org.example.bench.Ping\",\"parameters\":{\"ping\":\"hello\"}}\0"
                .to_vec()
        }
        "text" => text(2000),
        "text-escaped-10" => text(10),
        "text-escaped-2" => text(2),
        "integers" | "integers-unchecked" => fill(
            4096,
            "Integers",
            "",
            |n| (n < 64).then(|| format!("\"i{n:02o}\":{},", n + 1)),
            "",
        ),
        // All fields are looked for in each structure.
        "empty-structures" => fill(4096, "Wides", "\"wides\":[", |_| Some("{},".into()), "]"),
        // Keys with escapes are compared with all names.
        "escaped-keys" => fill(
            4096,
            "OneWide",
            "\"wide\":{",
            |n| (n < 240).then(|| format!("\"\\u0066{n:02X}\":1,")),
            "}",
        ),
        "plain-keys" => fill(
            4096,
            "OneWide",
            "\"wide\":{",
            |n| (n < 240).then(|| format!("\"f{n:02X}\":1,")),
            "}",
        ),
        // No key is at the expected position.
        "reversed-keys" => fill(
            4096,
            "OneWide",
            "\"wide\":{",
            |n| (n < 240).then(|| format!("\"f{:02X}\":1,", 239 - n)),
            "}",
        ),
        "map" => plain(4096),
        "long-keys" => long_keys(4096, "\\u0061"),
        "maps" => maps(4096),
        "large-map" => plain(LARGEST),
        "large-long-keys" => long_keys(LARGEST, "\\u0061"),
        "large-maps" => maps(LARGEST),
        "large-empty-structures" => {
            fill(LARGEST, "Wides", "\"wides\":[", |_| Some("{},".into()), "]")
        }
        // Structures with one field, which is the last of many in the definition and not nullable.
        "large-last-fields" => fill(
            LARGEST,
            "Lasts",
            "\"lasts\":[",
            |_| Some("{\"last\":1},".into()),
            "]",
        ),
        other => panic!("no scenario {other}"),
    }
}

fn run<const CHECKED: bool>(call: &[u8], count: usize) {
    let (mut receive, mut send) = (vec![0; LARGEST], vec![0; 4096]);
    let mut session = Session::new(&mut receive, &mut send);
    let mut service = Bench::<CHECKED>;
    for _ in 0..count {
        session.channel().spare()[..call.len()].copy_from_slice(black_box(call));
        session.channel().received(call.len());
        assert!(session.step(&mut service));
        let channel = session.channel();
        let pending = channel.pending();
        assert!(!pending.starts_with(b"{\"error\""), "{pending:?}");
        let count = pending.len();
        channel.sent(count);
    }
}

/// Calls of one client to a server in the same thread.
#[cfg(all(feature = "unix", target_os = "linux"))]
mod over_sockets {
    use std::sync::Mutex;

    use nullink::server::{Server, Slots};
    use nullink::unix::Stream;
    use rustix::net::{RecvFlags, SendFlags, recv, send};

    use super::{Bench, call};

    static FEW: Mutex<Slots<8, 16384, 16384>> = Mutex::new(Slots::new());
    static MANY: Mutex<Slots<1000, 16384, 16384>> = Mutex::new(Slots::new());

    pub fn run(scenario: &str, count: usize) {
        let mut few = FEW.lock().expect("it is locked only here");
        let mut many = MANY.lock().expect("it is locked only here");
        match scenario {
            "8" => calls(&mut few, 1, 0, count),
            "8-pipelined" => calls(&mut few, 100, 0, count),
            "1000" => calls(&mut many, 1, 0, count),
            "1000-idle" => calls(&mut many, 1, 900, count),
            other => panic!("no scenario {other}"),
        }
    }

    /// Makes batches of `at_once` pipelined calls, next to `idle` idle connections.
    fn calls<const PLACES: usize>(
        slots: &mut Slots<PLACES, 16384, 16384>,
        at_once: usize,
        idle: usize,
        count: usize,
    ) {
        let (client, service) = Stream::pair().expect("two sockets");
        let mut server = Server::new(service, slots).expect("a server");
        let idle: Vec<Stream> = std::iter::repeat_with(|| {
            let (client, service) = Stream::pair().expect("two sockets");
            server.adopt(service).expect("a place");
            client
        })
        .take(idle)
        .collect();
        let mut service = Bench::<true>;
        let calls = call("ping").repeat(at_once);
        let mut replies = vec![0; 1 << 16];
        while server.try_step(&mut service).expect("no failure").is_some() {}
        for _ in 0..count {
            send(&client, &calls, SendFlags::empty()).expect("room");
            let mut left = at_once;
            while left > 0 {
                while server.try_step(&mut service).expect("no failure").is_some() {}
                let (length, _) =
                    recv(&client, &mut replies[..], RecvFlags::empty()).expect("some");
                left -= replies[..length].iter().filter(|byte| **byte == 0).count();
            }
        }
        drop(idle);
    }
}

fn main() {
    // cargo adds `--bench`.
    let arguments = std::env::args().skip(1);
    let arguments: Vec<String> = arguments.filter(|word| word != "--bench").collect();
    let [scenario, count] = &arguments[..] else {
        return println!("usage: cargo bench --bench dispatch -- SCENARIO COUNT");
    };
    let count = count.parse().expect("a number");
    #[cfg(all(feature = "unix", target_os = "linux"))]
    if let Some(scenario) = scenario.strip_prefix("server-") {
        return over_sockets::run(scenario, count);
    }
    let call = call(scenario);
    if scenario.ends_with("unchecked") {
        run::<false>(&call, count);
    } else {
        run::<true>(&call, count);
    }
    println!("{} bytes, {count} times", call.len());
}
