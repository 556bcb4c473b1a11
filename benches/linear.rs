//! Repeats a call whose cost grows with one size, for a tool that counts instructions: `linear.sh`.
//!
//! ```sh
//! cargo bench --bench linear -- WHAT SIZE COUNT
//! ```
//!
//! | what | the size is the number of |
//! |---|---|
//! | `text` | KiB of a string |
//! | `escaped` | KiB of a string, in which every tenth character is escaped |
//! | `elements` | KiB of an array of integers |
//! | `fields` | fields of a structure, up to 64 |
//! | `interfaces` | interfaces of the service: 1, 8, 16, 32 or 64. The last is called |
//! | `methods` | methods of the interface: 1, 8, 16, 32 or 64. The last is called |
//! | `places` | places of the server, with an idle connection in all but one: 1, 10, 100 or 1000 |

use std::hint::black_box;

use nullink::service::{Answer, Info, Responder, Service, Session};
use nullink::{Call, Interface, interface};

/// Repeats a text eight times for each digit, with the digit and another one in the middle.
macro_rules! eights {
    ($begin:literal $end:literal $($digit:literal)*) => {
        concat!($(
            $begin, $digit, "0", $end, $begin, $digit, "1", $end, $begin, $digit, "2", $end,
            $begin, $digit, "3", $end, $begin, $digit, "4", $end, $begin, $digit, "5", $end,
            $begin, $digit, "6", $end, $begin, $digit, "7", $end,
        )*)
    };
}

const MAIN: Interface = interface!(
    text concat!(
        "interface org.example.main\n",
        "method Text(text: string) -> ()\n",
        "method Elements(elements: []int) -> ()\n",
        "method Fields(", eights!("f" ": ?int, " "0" "1" "2" "3" "4" "5" "6" "7"), "g: ?int) -> ()\n",
    )
);

macro_rules! methods {
    ($($digit:literal)*) => {
        interface!(
            text concat!(
                "interface org.example.methods\n",
                eights!("method M" "() -> ()\n" $($digit)*),
                "method Last() -> ()\n",
            )
        )
    };
}

/// Interfaces with up to 64 methods, and one more.
const METHODS: [Interface; 5] = [
    methods!(),
    methods!("0"),
    methods!("0" "1"),
    methods!("0" "1" "2" "3"),
    methods!("0" "1" "2" "3" "4" "5" "6" "7"),
];

macro_rules! interfaces {
    ($($digit:literal)*) => {
        [$(
            interfaces!(@ $digit "0"), interfaces!(@ $digit "1"), interfaces!(@ $digit "2"),
            interfaces!(@ $digit "3"), interfaces!(@ $digit "4"), interfaces!(@ $digit "5"),
            interfaces!(@ $digit "6"), interfaces!(@ $digit "7"),
        )*]
    };
    (@ $one:literal $two:literal) => {
        interface!(text concat!("interface org.example.i", $one, $two, "\nmethod M() -> ()\n"))
    };
}

const INTERFACES: [Interface; 64] = interfaces!("0" "1" "2" "3" "4" "5" "6" "7");

/// The first interfaces.
const fn first(count: usize) -> &'static [Interface] {
    const ALL: &[Interface] = &INTERFACES;
    ALL.split_at(count).0
}

/// A service of the first interfaces, and of the interface with some methods.
struct Bench<const INTERFACES: usize, const METHODS_INDEX: usize>;

impl<const COUNT: usize, const INDEX: usize> Service for Bench<COUNT, INDEX> {
    const INTERFACES: &'static [Interface] = match COUNT {
        0 => &[MAIN, METHODS[INDEX]],
        count => first(count),
    };

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    // The parameters are checked, and skipped: what serde does with them is not measured.
    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        call.into_parameters().decode::<serde::de::IgnoredAny>()?;
        reply.send(&())
    }
}

fn call(method: &str, parameters: &str) -> Vec<u8> {
    format!("{{\"method\":\"org.example.{method}\",\"parameters\":{{{parameters}}}}}\0").into()
}

fn repeat(unit: &str, length: usize) -> String {
    unit.repeat(length / unit.len())
}

fn run<S: Service>(mut service: S, call: &[u8], count: usize) {
    let (mut receive, mut send) = (vec![0; call.len() + 1], vec![0; 4096]);
    let mut session = Session::new(&mut receive, &mut send);
    for _ in 0..count {
        session.channel().spare()[..call.len()].copy_from_slice(black_box(call));
        session.channel().received(call.len());
        assert!(session.step(&mut service));
        let channel = session.channel();
        assert_eq!(channel.pending(), b"{}\0");
        let count = channel.pending().len();
        channel.sent(count);
    }
}

/// Calls of one client to a server in the same thread, with all places taken.
#[cfg(all(feature = "unix", target_os = "linux"))]
fn over_sockets<const PLACES: usize>(count: usize) {
    use nullink::server::{Server, Slots};
    use nullink::unix::Stream;
    use rustix::net::{RecvFlags, SendFlags, recv, send};

    let mut slots = Box::new(Slots::<PLACES, 1024, 1024>::new());
    let (client, service) = Stream::pair().expect("two sockets");
    let mut server = Server::new(service, &mut slots).expect("a server");
    let mut idle = Vec::new();
    for _ in 1..PLACES {
        let (client, service) = Stream::pair().expect("two sockets");
        server.adopt(service).expect("a place");
        idle.push(client);
    }
    let mut service = Bench::<0, 0>;
    let call = call("main.Text", "\"text\":\"\"");
    let mut reply = [0; 64];
    while server.try_step(&mut service).expect("no failure").is_some() {}
    for _ in 0..count {
        send(&client, &call, SendFlags::empty()).expect("room");
        while server.try_step(&mut service).expect("no failure").is_some() {}
        recv(&client, &mut reply[..], RecvFlags::empty()).expect("a reply");
    }
}

fn main() {
    // cargo adds `--bench`.
    let arguments = std::env::args().skip(1);
    let arguments: Vec<String> = arguments.filter(|word| word != "--bench").collect();
    let [what, size, count] = &arguments[..] else {
        return println!("usage: cargo bench --bench linear -- WHAT SIZE COUNT");
    };
    let size: usize = size.parse().expect("a number");
    let count: usize = count.parse().expect("a number");
    let main = Bench::<0, 0>;
    match &what[..] {
        "text" => {
            let text = repeat("plain text", size << 10);
            run(
                main,
                &call("main.Text", &format!("\"text\":\"{text}\"")),
                count,
            );
        }
        "escaped" => {
            let text = repeat("plain tex\\n", size << 10);
            run(
                main,
                &call("main.Text", &format!("\"text\":\"{text}\"")),
                count,
            );
        }
        "elements" => {
            let elements = repeat("1234567,", size << 10);
            run(
                main,
                &call("main.Elements", &format!("\"elements\":[{elements}0]")),
                count,
            );
        }
        "fields" => {
            let fields = (0..size).map(|n| format!("\"f{n:02o}\":1234567"));
            let fields = fields.collect::<Vec<_>>().join(",");
            run(main, &call("main.Fields", &fields), count);
        }
        "methods" => {
            let call = call("methods.Last", "");
            match size {
                1 => run(Bench::<0, 0>, &call, count),
                8 => run(Bench::<0, 1>, &call, count),
                16 => run(Bench::<0, 2>, &call, count),
                32 => run(Bench::<0, 3>, &call, count),
                64 => run(Bench::<0, 4>, &call, count),
                other => panic!("no such size: {other}"),
            }
        }
        "interfaces" => {
            let call = call(&format!("i{:02o}.M", size - 1), "");
            match size {
                1 => run(Bench::<1, 0>, &call, count),
                8 => run(Bench::<8, 0>, &call, count),
                16 => run(Bench::<16, 0>, &call, count),
                32 => run(Bench::<32, 0>, &call, count),
                64 => run(Bench::<64, 0>, &call, count),
                other => panic!("no such size: {other}"),
            }
        }
        #[cfg(all(feature = "unix", target_os = "linux"))]
        "places" => match size {
            1 => over_sockets::<1>(count),
            10 => over_sockets::<10>(count),
            100 => over_sockets::<100>(count),
            1000 => over_sockets::<1000>(count),
            other => panic!("no such size: {other}"),
        },
        other => panic!("nothing called {other}"),
    }
}
