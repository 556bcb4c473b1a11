//! Checks that decoding agrees with serde_json, and that serde_json decodes encoded values.
#![no_main]

mod oracle;

use libfuzzer_sys::fuzz_target;
use nullink::Mismatch;
use nullink::json::{self, Raw};
use serde::Deserialize;
use serde_json::{Number, Value};

/// True if two values are equal. The oracle keeps the text of numbers.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => same_number(ours, theirs.as_str()),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .all(|(key, value)| theirs.get(key).is_some_and(|it| same(value, it)))
        }
        (ours, theirs) => ours == theirs,
    }
}

fn same_number(ours: &Number, theirs: &str) -> bool {
    if theirs.contains(['.', 'e', 'E']) {
        let theirs: f64 = theirs.parse().expect("a number");
        ours.as_f64().map(f64::to_bits) == Some(theirs.to_bits())
    } else {
        let theirs: i128 = theirs.parse().expect("an integer that 64 bits can hold");
        ours.to_string() == theirs.to_string()
    }
}

/// Parameters as a handler could have them.
#[derive(Deserialize)]
#[allow(dead_code)]
struct Parameters<'a> {
    i: Option<i64>,
    u: Option<u8>,
    f: Option<f64>,
    b: Option<bool>,
    s: Option<&'a str>,
    #[serde(borrow)]
    raw: Option<Raw<'a>>,
    #[serde(borrow)]
    inner: Option<Inner<'a>>,
    pair: Option<(u8, &'a str)>,
    color: Option<Color>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Inner<'a> {
    text: &'a str,
    unit: (),
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Color {
    Red,
    Green,
}

fuzz_target!(|data: &[u8]| {
    if oracle::useless(data) {
        return;
    }
    let mut text = data.to_vec();
    let ours = json::decode::<Value>(&mut text);
    match (&ours, oracle::value(data)) {
        (Ok(ours), Some(theirs)) => assert!(same(ours, &theirs), "{ours} is not {theirs}"),
        (Ok(ours), None) => panic!("{ours}"),
        // A number that does not fit into 64 bits is an error, and is never rounded.
        (Err(error), Some(_)) => assert!(
            error.mismatch() == Mismatch::Range
                || oracle::depth(data) > nullink::idl::Definition::MAX_DEPTH,
            "{error}"
        ),
        (Err(_), None) => {}
    }
    if let Ok(value) = ours {
        let mut buffer = vec![0; data.len() * 20 + 100];
        let written = json::encode(&value.to_string(), &mut buffer).expect("it fits");
        let back: String = serde_json::from_str(written).expect("JSON");
        assert_eq!(back, value.to_string());
    }

    let mut text = data.to_vec();
    match json::decode::<Parameters>(&mut text) {
        Ok(parameters) => {
            let theirs = oracle::value(data).expect("JSON");
            assert_eq!(parameters.s, theirs["s"].as_str());
            assert_eq!(parameters.b, theirs["b"].as_bool());
            if let Some(raw) = parameters.raw {
                let raw = oracle::value(raw.as_str().as_bytes()).expect("JSON");
                assert_eq!(raw, theirs["raw"]);
            }
        }
        Err(error) => {
            assert!(error.offset() <= data.len());
            let _ = error.field_in(&text);
        }
    }
});
