//! The conformance service, in a separate thread.

use std::thread;

use embedded_io::{Read, Write};
use nullink::server::{Event, Server, Slots};
use nullink::unix::{Listener, Stream};

use super::t::T;

/// Serves forever. After an upgrade, calls `upgraded` in a separate thread with the stream and the
/// bytes that were read after the upgrade call.
pub fn serve(listener: Listener, upgraded: fn(Stream, Vec<u8>)) {
    serve_with::<0>(listener, upgraded);
}

/// Like [`serve`], for a service that accepts `DESCRIPTORS` descriptors at once.
pub fn serve_with<const DESCRIPTORS: usize>(listener: Listener, upgraded: fn(Stream, Vec<u8>)) {
    thread::spawn(move || {
        let mut slots = Box::new(Slots::<8, 4096, 8192, DESCRIPTORS>::new());
        let mut server = Server::new(listener, &mut slots).unwrap();
        let mut scratch = [0; 4096];
        let mut service = T {
            scratch: &mut scratch,
        };
        loop {
            if let Event::Upgraded(connection, _) = server.serve(&mut service).unwrap() {
                let (stream, unread) = server.take(connection).unwrap();
                let unread = unread.to_vec();
                thread::spawn(move || upgraded(stream, unread));
            }
        }
    });
}

/// Sends back the unread bytes, and then all bytes that are received.
pub fn echo(mut stream: Stream, unread: Vec<u8>) {
    let _ = stream.write(&unread);
    let mut buffer = [0; 64];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        let _ = stream.write(&buffer[..count]);
    }
}
