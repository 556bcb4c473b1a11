//! Varlink with no allocator.
//!
//! [Varlink](https://varlink.org) is a JSON protocol for services and their clients; its specification is
//! [UAPI.20](https://uapi-group.org/specifications/specs/varlink/). Nullink speaks it where nothing
//! else runs yet: in initramfs tools, in helpers beside PID 1, in static binaries, in firmware. It
//! needs no allocator, no runtime and no threads, it has no `unsafe` code, and it does not panic.
//!
//! A service and a client, with nothing between them but bytes:
//!
//! ```
//! use nullink::{Answer, Call, Info, Interface, Method, Mode, NoError, Responder, Service};
//! use nullink::{client, interface, service};
//! use serde::{Deserialize, Serialize};
//!
//! const PING: Interface = interface!(text "
//! interface org.example.ping
//!
//! method Ping(ping: string) -> (pong: string)
//! ");
//!
//! // The service: an enum of its methods is the dispatch.
//! #[derive(Deserialize)]
//! enum Methods<'a> {
//!     #[serde(borrow)]
//!     Ping(Ping<'a>),
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Ping<'a> {
//!     ping: &'a str,
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Pong<'a> {
//!     pong: &'a str,
//! }
//!
//! struct Pinger;
//!
//! impl Service for Pinger {
//!     const INTERFACES: &'static [Interface] = &[PING];
//!
//!     fn info(&self) -> Info<'_> {
//!         Info { vendor: "Example", product: "Pinger", version: "1", url: "" }
//!     }
//!
//!     fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
//!         match call.decode()? {
//!             Methods::Ping(Ping { ping }) => reply.send(&Pong { pong: ping }),
//!         }
//!     }
//! }
//!
//! // The client: the same struct is the typed call.
//! impl Method for Ping<'_> {
//!     const NAME: &'static str = "org.example.ping.Ping";
//!     type Output<'r> = Pong<'r>;
//!     type Error<'r> = NoError;
//! }
//!
//! // One call, from one session's buffers to the other's and back. On a system, `Client` and
//! // `serve` do this over a stream.
//! let (mut a, mut b, mut c, mut d) = ([0; 128], [0; 128], [0; 128], [0; 256]);
//! let mut client = client::Session::new(&mut a, &mut b);
//! let mut service = service::Session::new(&mut c, &mut d);
//!
//! client.queue(Ping::NAME, Mode::Simple, &Ping { ping: "\u{1F980}\n" })?;
//! let bytes = client.channel().pending();
//! service.channel().spare()[..bytes.len()].copy_from_slice(bytes);
//! service.channel().received(bytes.len());
//!
//! assert!(service.step(&mut Pinger));
//! let bytes = service.channel().pending();
//! client.channel().spare()[..bytes.len()].copy_from_slice(bytes);
//! client.channel().received(bytes.len());
//!
//! assert_eq!(client.ready(), Ok(true));
//! let reply = client.receive()?.into_result::<Ping>().unwrap();
//! assert_eq!(reply.pong, "\u{1F980}\n");
//! # Ok::<(), nullink::Error>(())
//! ```
//!
//! # Where things are
//!
//! | module | content |
//! |---|---|
//! | `tools` | generates Rust from definitions, compares and formats them, tests types against them; feature `tools` |
//! | [`server`] | many connections in one thread, on Linux; feature `unix` |
//! | [`activation`] | sockets that a program is started with, on Linux; feature `unix` |
//! | [`unix`] | Unix sockets, TCP and devices, on Linux; feature `unix` |
//! | [`line`](mod@line) | serial lines: streams that nobody can close |
//! | [`relay`] | two connections joined, with a policy between them |
//! | [`service`] | a service's side of one connection: the trait [`Service`], dispatch, exactly one final message |
//! | [`client`] | a client's side of one connection: typed calls and their replies |
//! | [`varlink_service`] | `org.varlink.service`: what every service says about itself, and the standard errors |
//! | [`idl`] | interface definitions, read while compiling or at run time |
//! | [`message`] | the envelopes: [`Call`], [`Reply`], [`Mode`] |
//! | [`channel`] | a connection's two buffers |
//! | [`json`] | JSON: checked, read in place, written |
//! | [`address`] | where a service is: `unix:/run/org.example.ftl` |
//! | [`name`] | the names of interfaces, members and fields |
//! | [`peer`] | the process at the other end, and descriptors |
//! | [`error`](mod@error) | error types, grouped by who is at fault |
//!
//! A module uses those below it only. All but `tools`, [`server`], [`activation`] and [`unix`] know no
//! operating system.
//!
//! # Buffers
//!
//! All memory is the caller's: one buffer to receive and one to send for each connection. A message
//! has to fit into the receive buffer with the NUL that ends it, and a reply into half of a
//! service's send buffer.
//!
//! Strings are unescaped in the receive buffer, where they stand, so a `&str` field borrows them
//! whatever was escaped in them.

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented
    )
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(test, feature = "tools"))]
extern crate std;

#[cfg(all(feature = "unix", target_os = "linux"))]
pub mod activation;
pub mod address;
mod bytes;
pub mod channel;
pub mod client;
mod duplex;
pub mod error;
pub mod idl;
mod io;
pub mod json;
pub mod line;
mod loopback;
pub mod message;
mod method;
pub mod name;
pub mod peer;
pub mod relay;
mod serve;
#[cfg(all(feature = "unix", target_os = "linux"))]
pub mod server;
pub mod service;
#[cfg(feature = "tools")]
pub mod tools;
#[cfg(all(feature = "unix", target_os = "linux"))]
pub mod unix;
pub mod varlink_service;

/// The traits of the streams that connections run over.
pub use embedded_io;

pub use address::Address;
pub use client::{CallError, Client};
pub use duplex::{Duplex, DuplexError};
pub use error::{
    DecodeError, EncodeError, Error, Mismatch, Misuse, Syntax, SyntaxError, Violation,
};
pub use idl::Interface;
pub use loopback::Loopback;
pub use message::{Call, Mode, Reply};
pub use method::{Method, NoError};
pub use relay::Relay;
pub use serve::{End, serve};
#[cfg(all(feature = "unix", target_os = "linux"))]
pub use server::{Server, Slots};
pub use service::{Answer, Info, Outcome, Refusal, Responder, Service};
