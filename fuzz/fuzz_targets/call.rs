//! Checks that `Call::parse` agrees with serde_json, and that a service sends the right replies.
#![no_main]

mod oracle;
#[path = "../../examples/shared/t.rs"]
mod t;

use libfuzzer_sys::fuzz_target;
use nullink::service::{Session, State};
use nullink::{Call, Mode};
use serde_json::Value;
use t::T;

/// Returns the mode of a call, or None if it is not a valid call.
fn mode(value: &Value) -> Option<Mode> {
    let object = value.as_object()?;
    let mut mode = Mode::Simple;
    for (name, value) in object {
        let this = match &name[..] {
            "method" if value.is_string() => continue,
            "parameters" if value.is_object() || value.is_null() => continue,
            "oneway" => Mode::Oneway,
            "more" => Mode::More,
            "upgrade" => Mode::Upgrade,
            name if name.contains('.') => continue,
            _ => return None,
        };
        match (value, mode) {
            (Value::Bool(true), Mode::Simple) => mode = this,
            (Value::Bool(false) | Value::Null, _) => {}
            _ => return None,
        }
    }
    object.get("method")?;
    Some(mode)
}

fuzz_target!(|data: &[u8]| {
    if oracle::useless(data) || data.contains(&0) {
        return;
    }
    let value = oracle::value(data);
    let mut message = data.to_vec();
    let parsed = Call::parse(&mut message);
    match (&parsed, &value) {
        (Ok(call), Some(value)) => {
            // A duplicate member is an error in `parse`, but the oracle keeps only the last one.
            assert_eq!(Some(call.mode()), mode(value));
            assert_eq!(call.method(), value["method"]);
            let parameters: Value = serde_json::from_str(call.parameters().as_str()).expect("JSON");
            if value["parameters"].is_object() {
                assert_eq!(parameters, value["parameters"]);
            }
        }
        (Ok(_), None) => panic!("not JSON"),
        _ => {}
    }
    let mode = parsed.ok().map(|call| call.mode());

    // A service must treat it as a call of the same mode.
    let (mut receive, mut send) = (vec![0; oracle::LONGEST + 1], vec![0; 1 << 16]);
    let mut scratch = vec![0; oracle::LONGEST];
    let mut service = T {
        scratch: &mut scratch,
    };
    let mut session = Session::new(&mut receive, &mut send);
    let channel = session.channel();
    channel.spare()[..data.len()].copy_from_slice(data);
    channel.received(data.len());
    channel.spare()[0] = 0;
    channel.received(1);
    let mut replies = Vec::new();
    loop {
        // A call of Count may have any number of replies: only the first are checked.
        if replies.len() > 10 {
            session.abandon(&mut service);
            return;
        }
        if session.step(&mut service) && !matches!(session.state(), State::Due(_)) {
            continue;
        }
        let channel = session.channel();
        let pending = channel.pending();
        let count = pending.len();
        if count == 0 {
            break;
        }
        for reply in pending.split_inclusive(|byte| *byte == 0) {
            let reply = reply.strip_suffix(&[0]).expect("a whole message");
            replies.push(oracle::value(reply).expect("JSON"));
        }
        channel.sent(count);
    }
    let end = session.state();
    match mode {
        None => assert!(matches!(end, State::Ended(Err(_))) && replies.is_empty()),
        Some(Mode::Oneway) => assert!(matches!(end, State::Open) && replies.is_empty()),
        Some(mode) => {
            let (last, others) = replies.split_last().expect("a reply");
            assert!(last.get("continues").is_none());
            for other in others {
                assert_eq!(
                    (mode, &other["continues"]),
                    (Mode::More, &Value::Bool(true))
                );
            }
            assert!(matches!(end, State::Open | State::Upgraded(_)));
        }
    }
});
