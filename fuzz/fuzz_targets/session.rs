//! Checks a client and a service that are joined by a stream, which is split at any byte and cut at
//! some byte. Every call that arrives is answered in order, and there are no other replies.
//! Splitting does not change the messages, so this tests the buffers too.
//!
//! The input is the sizes of the buffers, where the stream is cut, and then two bytes for each
//! step: an action, an argument.
#![no_main]

#[path = "../../examples/shared/t.rs"]
mod t;

use std::collections::VecDeque;

use libfuzzer_sys::fuzz_target;
use nullink::service::State;
use nullink::{Error, Misuse, Mode, Violation, client, service};
use serde::Serialize;
use t::T;

#[derive(Serialize)]
struct Need {
    s: String,
}

#[derive(Serialize)]
struct Count {
    n: u8,
}

/// Adds the expected replies to a call.
fn expect(replies: &mut VecDeque<String>, call: u8, argument: u8) {
    match call % 6 {
        0 => replies.push_back("{}".to_string()),
        1 => replies.push_back(serde_json::json!({"s": text(argument)}).to_string()),
        2 => {
            let n = argument % 8;
            for i in 0..n {
                replies.push_back(format!(r#"{{"i":{i}}}"#));
            }
            if n == 0 {
                replies.push_back(r#"{"parameter":"n"}"#.to_string());
            }
        }
        3 => replies.push_back(r#"{"why":"because"}"#.to_string()),
        4 => {}
        _ => replies.push_back(r#"{"interface":"org.example.unheard"}"#.to_string()),
    }
}

fn text(argument: u8) -> String {
    "\"\n\u{1f980}x"
        .chars()
        .cycle()
        .take(argument.into())
        .collect()
}

fuzz_target!(|data: &[u8]| {
    let [receive, send, cut, steps @ ..] = data else {
        return;
    };
    // Large enough for every call. Half of the send buffer is large enough for every reply.
    let receive_size = 1500 + usize::from(*receive);
    let send_size = 3000 + usize::from(*send);
    let (mut a, mut b) = (vec![0; receive_size], vec![0; send_size]);
    let (mut c, mut d) = (vec![0; receive_size], vec![0; send_size]);
    let mut scratch = [0; 2048];
    let mut handler = T {
        scratch: &mut scratch,
    };
    let mut service = service::Session::new(&mut a, &mut b);
    let mut client = client::Session::new(&mut c, &mut d);

    let (mut to_service, mut to_client) = (VecDeque::new(), VecDeque::new());
    let mut replies = VecDeque::new();
    // The number of bytes after which the client disconnects.
    let mut left = match cut {
        0 => usize::MAX,
        cut => usize::from(*cut) * 16,
    };
    let mut ended = false;
    for step in steps.chunks_exact(2) {
        let (action, argument) = (step[0], step[1]);
        match action % 5 {
            // The client calls.
            0 => {
                let call = action / 5;
                let queued = match call % 6 {
                    0 => client.queue("org.example.t.Empty", Mode::Simple, &()),
                    1 => client.queue(
                        "org.example.t.Need",
                        Mode::Simple,
                        &Need { s: text(argument) },
                    ),
                    2 => client.queue(
                        "org.example.t.Count",
                        Mode::More,
                        &Count { n: argument % 8 },
                    ),
                    3 => client.queue("org.example.t.Fail", Mode::Simple, &()),
                    4 => client.queue("org.example.t.Need", Mode::Oneway, &()),
                    _ => client.queue("org.example.unheard.Of", Mode::Simple, &()),
                };
                match queued {
                    Ok(()) => expect(&mut replies, call, argument),
                    Err(Error::Encode(_) | Error::Misuse(Misuse::TooManyCalls)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            // Bytes move from the client to the service.
            1 => {
                let channel = client.channel();
                let count = channel.pending().len().min(argument.into());
                to_service.extend(channel.pending()[..count].iter().copied().take(left));
                left -= count.min(left);
                channel.sent(count);
                let channel = service.channel();
                let spare = channel.spare();
                let count = to_service.len().min(spare.len()).min(argument.into());
                spare
                    .iter_mut()
                    .zip(to_service.drain(..count))
                    .for_each(|(to, byte)| *to = byte);
                if count > 0 {
                    channel.received(count);
                } else if left == 0 && to_service.is_empty() {
                    channel.received(0);
                }
            }
            // The service does a step.
            2 if !ended => {
                let is_moving = service.step(&mut handler);
                match service.state() {
                    State::Ended(result) => {
                        assert_eq!(left, 0, "it ended before the cut");
                        assert!(matches!(
                            result,
                            Ok(()) | Err(Error::Protocol(Violation::Truncated))
                        ));
                        ended = true;
                    }
                    State::Upgraded(_) | State::Parked(..) => panic!("no handler does that"),
                    // It must continue as soon as there is space in the send buffer.
                    State::Due(_) | State::Describing(_) => {
                        assert!(is_moving || !service.channel().pending().is_empty());
                    }
                    State::Open => {}
                }
            }
            // Bytes move from the service to the client.
            3 => {
                let channel = service.channel();
                let count = channel.pending().len().min(argument.into());
                to_client.extend(&channel.pending()[..count]);
                channel.sent(count);
                let channel = client.channel();
                let spare = channel.spare();
                let count = to_client.len().min(spare.len()).min(argument.into());
                spare
                    .iter_mut()
                    .zip(to_client.drain(..count))
                    .for_each(|(to, byte)| *to = byte);
                // A count of 0 would mean the end of the stream.
                if count > 0 {
                    channel.received(count);
                }
            }
            // The client receives.
            _ => match client.ready() {
                Ok(true) => {
                    let reply = client.receive().expect("a reply");
                    let expected = replies.pop_front().expect("a reply that is expected");
                    assert_eq!(reply.parameters().as_str(), expected);
                }
                Ok(false) => {}
                Err(Error::Misuse(Misuse::NothingOutstanding)) => assert!(replies.is_empty()),
                Err(error) => panic!("{error}"),
            },
        }
    }
});
