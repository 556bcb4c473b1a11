//! Bytes come out as the messages they are, whatever pieces they arrive in.
//!
//! Input: the size of the buffer, the length of the pieces, and the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nullink::TooLong;
use nullink::frame::Frames;

fuzz_target!(|data: &[u8]| {
    let [size, piece, bytes @ ..] = data else {
        return;
    };
    let (size, piece) = (usize::from(*size), usize::from(*piece).max(1));
    let mut buffer = vec![0xaa; size];
    let mut frames = Frames::new(&mut buffer);

    let mut seen = Vec::new();
    let mut rest = bytes;
    loop {
        loop {
            match frames.next() {
                Ok(Some(message)) => seen.push(Ok(message.to_vec())),
                Ok(None) => break,
                Err(TooLong) => seen.push(Err(TooLong)),
            }
        }
        let spare = frames.spare();
        let count = piece.min(rest.len()).min(spare.len());
        if count == 0 {
            break;
        }
        spare[..count].copy_from_slice(&rest[..count]);
        frames.commit(count);
        rest = &rest[count..];
    }
    assert!(rest.is_empty() || size == 0, "no room, and no message");

    // What fits is a message; what does not is reported once, even if its end never comes.
    let mut expected = Vec::new();
    let mut messages = bytes.split(|byte| *byte == 0).peekable();
    while let Some(message) = messages.next() {
        let complete = messages.peek().is_some();
        if message.len() >= size && (complete || !message.is_empty()) {
            expected.push(Err(TooLong));
        } else if complete {
            expected.push(Ok(message.to_vec()));
        }
    }
    if size > 0 {
        assert_eq!(seen, expected);
    }
});
