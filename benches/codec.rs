//! Repeats one step of the codec on one message, for a tool that counts instructions.
//!
//! ```sh
//! cargo bench --bench codec -- LIBRARY STEP MESSAGE COUNT
//! ```
//!
//! `benches/codec.sh` prints a table of instructions for each byte. A library is `nullink`,
//! `serde_json` or `core` (serde-json-core), a step is `scan`, `read` or `write`. Reading includes
//! the check that the text is JSON.

use std::fmt;
use std::hint::black_box;

use nullink::json;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
struct Text<'a> {
    text: &'a str,
}

/// Text with escapes, of which only the length is kept: serde_json cannot lend it.
#[derive(Serialize, Deserialize)]
struct Escaped {
    text: Length,
}

struct Length(String);

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(LengthVisitor)
    }
}

struct LengthVisitor;

impl Visitor<'_> for LengthVisitor {
    type Value = Length;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<Length, E> {
        black_box(text);
        Ok(Length(String::new()))
    }
}

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    full_name: &'a str,
    home: &'a str,
    shell: &'a str,
    locked: bool,
}

#[derive(Serialize, Deserialize)]
struct Records<'a> {
    #[serde(borrow)]
    first: Record<'a>,
    #[serde(borrow)]
    second: Record<'a>,
    #[serde(borrow)]
    third: Record<'a>,
}

#[derive(Serialize, Deserialize)]
struct Integers {
    integers: [i64; 32],
}

#[derive(Serialize, Deserialize)]
struct Floats {
    floats: [f64; 32],
}

#[derive(Serialize, Deserialize)]
struct Deep<T> {
    deep: T,
}

type Deepest = Deep<Deep<Deep<Deep<Deep<Deep<Deep<Deep<[u8; 2]>>>>>>>>;

macro_rules! wide {
    ($($name:ident)*) => {
        #[derive(Serialize, Deserialize)]
        struct Wide {
            $($name: u8,)*
        }

        fn wide() -> Wide {
            Wide { $($name: 7,)* }
        }
    };
}

wide! {
    a0 a1 a2 a3 a4 a5 a6 a7 b0 b1 b2 b3 b4 b5 b6 b7
    c0 c1 c2 c3 c4 c5 c6 c7 d0 d1 d2 d3 d4 d5 d6 d7
}

const SIZE: usize = 1 << 14;

/// Runs a step on a value of the type `T`.
fn run<'a, T>(value: &T, library: &str, step: &str, count: usize, memory: &'a mut [u8]) -> usize
where
    T: Serialize + Deserialize<'a>,
{
    let text = serde_json::to_string(value).expect("a value that JSON has");
    let length = text.len();
    let (mut out, mut rest) = (vec![0; SIZE], memory);
    for _ in 0..count {
        let (part, tail) = std::mem::take(&mut rest).split_at_mut(length);
        rest = tail;
        part.copy_from_slice(text.as_bytes());
        let part = black_box(part);
        let done = match (library, step) {
            (_, "copy") => true,
            ("nullink", "scan") => json::scan(part).is_ok(),
            ("nullink", "read") => json::decode::<T>(part).is_ok_and(|value| used(&value)),
            ("nullink", "write") => json::encode(value, &mut out).is_ok(),
            ("serde_json", "scan") => serde_json::from_slice::<serde::de::IgnoredAny>(part).is_ok(),
            ("serde_json", "read") => {
                serde_json::from_slice::<T>(part).is_ok_and(|value| used(&value))
            }
            ("serde_json", "write") => serde_json::to_writer(&mut out[..], value).is_ok(),
            ("core", "read") => {
                serde_json_core::from_slice::<T>(part).is_ok_and(|(value, _)| used(&value))
            }
            ("core", "write") => serde_json_core::to_slice(value, &mut out).is_ok(),
            other => panic!("no step {other:?}"),
        };
        assert!(done, "{library} {step}");
        black_box(&mut out);
    }
    length
}

fn used<T>(value: &T) -> bool {
    black_box(value);
    true
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let [library, step, message, count] = &arguments[..] else {
        // `cargo test --benches` runs it without arguments.
        return;
    };
    let count = count.parse().expect("a number");
    let mut memory = vec![0; (count + 1) * SIZE];
    let memory = &mut memory[..];
    let person = |name| Record {
        name,
        uid: 1000,
        gid: 1000,
        full_name: "Gödel, Kurt",
        home: "/home/kurt",
        shell: "/bin/sh",
        locked: false,
    };
    let long = "The quick brown fox jumps over the lazy dog. ".repeat(90);
    let escaped = |every: usize| {
        let char = |n| if n % every == 0 { '\n' } else { 'x' };
        let text: String = (0..4096).map(char).collect();
        Escaped { text: Length(text) }
    };
    let length = match message.as_str() {
        "short" => run(&Text { text: "hello" }, library, step, count, memory),
        "long" => run(&Text { text: &long }, library, step, count, memory),
        "escaped-10" => run(&escaped(10), library, step, count, memory),
        "escaped-2" => run(&escaped(2), library, step, count, memory),
        "records" => {
            let [first, second, third] = ["kurt", "emmy", "david"].map(person);
            let records = Records {
                first,
                second,
                third,
            };
            run(&records, library, step, count, memory)
        }
        "integers" => {
            let integers = std::array::from_fn(|n| (n as i64 - 16) * 123_456_789);
            run(&Integers { integers }, library, step, count, memory)
        }
        "floats" => {
            let floats = std::array::from_fn(|n| (n as f64 + 0.5) * 1.234_567_89e3);
            run(&Floats { floats }, library, step, count, memory)
        }
        "deep" => {
            let deep = |deep| Deep { deep };
            let deepest: Deepest = Deep {
                deep: Deep {
                    deep: Deep {
                        deep: Deep {
                            deep: Deep {
                                deep: Deep {
                                    deep: Deep { deep: deep([1, 2]) },
                                },
                            },
                        },
                    },
                },
            };
            run(&deepest, library, step, count, memory)
        }
        "wide" => run(&wide(), library, step, count, memory),
        other => panic!("no message {other}"),
    };
    println!("{length}");
}
