//! Varlink services and clients without an allocator.
//!
//! [Varlink](https://varlink.org) is a JSON protocol between services and their clients, specified in
//! [UAPI.20](https://uapi-group.org/specifications/specs/varlink/). Nullink implements it for initramfs
//! tools, helpers beside PID 1, static binaries and firmware: without an allocator, an async runtime,
//! threads, `unsafe` code or panics.
//!
//! A service on a Unix socket, for up to 8 clients at once:
//!
//! ```no_run
//! # #[cfg(all(feature = "unix", target_os = "linux"))]
//! # mod service {
//! use nullink::{Answer, Call, Info, Interface, Responder, Server, Service, Slots, interface};
//! use serde::{Deserialize, Serialize};
//!
//! const PING: Interface = interface!(text "
//! interface org.example.ping
//!
//! method Ping(ping: string) -> (pong: string)
//! ");
//!
//! // The methods of the interface.
//! #[derive(Deserialize)]
//! enum Methods<'a> {
//!     Ping { ping: &'a str },
//! }
//!
//! #[derive(Serialize)]
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
//!         Info::new("Example", "Pinger", "1", "https://example.org")
//!     }
//!
//!     fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
//!         match call.decode()? {
//!             Methods::Ping { ping } => reply.send(&Pong { pong: ping }),
//!         }
//!     }
//! }
//!
//! fn main() -> Result<(), nullink::unix::IoError> {
//!     let mut slots = Slots::<8, 4096, 8192>::new();
//!     Server::bind("/run/org.example.ping", &mut slots)?.serve(&mut Pinger)?;
//!     Ok(())
//! }
//! # }
//! ```
//!
//! A client of it:
//!
//! ```no_run
//! # #[cfg(all(feature = "unix", target_os = "linux"))]
//! # mod client {
//! use nullink::{Client, Method, NoError};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize)]
//! struct Ping<'a> {
//!     ping: &'a str,
//! }
//!
//! #[derive(Deserialize)]
//! struct Pong<'a> {
//!     pong: &'a str,
//! }
//!
//! impl Method for Ping<'_> {
//!     const NAME: &'static str = "org.example.ping.Ping";
//!     type Output<'r> = Pong<'r>;
//!     type Error<'r> = NoError;
//! }
//!
//! fn main() -> Result<(), nullink::unix::IoError> {
//!     let (mut receive, mut send) = ([0; 4096], [0; 4096]);
//!     let mut client = Client::connect("/run/org.example.ping", &mut receive, &mut send)?;
//!     match client.call(&Ping { ping: "hello" }) {
//!         Ok(reply) => println!("{}", reply.pong),
//!         Err(error) => println!("{error}"),
//!     }
//!     Ok(())
//! }
//! # }
//! ```
//!
//! # Tasks
//!
//! | task | see |
//! |---|---|
//! | send several replies to one call | [`Responder::more`], [`ReplyStream`](service::ReplyStream) |
//! | receive several replies | [`Client::more`] |
//! | answer a call later, or when something changes | [`Responder::park`], [`Service::woken`], [`Server::wake`](server::Server::wake) |
//! | send and receive file descriptors | [`Responder::attach`], [`Responder::descriptor`], [`Client::call_with`](client::Client::call_with) |
//! | hand the connection over to another protocol | [`Responder::upgrade`], [`Client::upgrade`] |
//! | return errors of a client with `?` | [`CallError`] |
//! | set timeouts | [`unix::Timeouts`] for clients, [`server::Limits`] for services |
//! | wait for timers and other descriptors as well | [`server`] |
//! | use the socket that the service manager passes | [`activation`] |
//! | test a service without a socket | [`Loopback`]; for parked calls and descriptors, [`Server::settle`](server::Server::settle) |
//! | serve a UART or another serial line | [`line`](mod@line) |
//! | move the bytes yourself | [`channel`] |
//!
//! # Modules
//!
//! | module | content |
//! |---|---|
//! | [`server`] | many connections in one thread, on Linux; feature `unix` |
//! | [`unix`] | Unix sockets, TCP and character devices, on Linux; feature `unix` |
//! | [`activation`] | the sockets that a service manager passes to a program, on Linux; feature `unix` |
//! | [`service`] | the service's side of one connection |
//! | [`client`] | the client's side of one connection |
//! | [`line`](mod@line) | serial lines |
//! | [`relay`] | a proxy that sees, refuses and renames calls |
//! | [`varlink_service`] | the types of `org.varlink.service` |
//! | [`idl`] | interface definitions, parsed at compile time or at run time |
//! | [`message`] | calls and replies |
//! | [`channel`] | the two buffers of a connection |
//! | [`json`] | checking, reading and writing JSON |
//! | [`address`] | addresses of services: `unix:/run/org.example.ftl` |
//! | [`name`] | names of interfaces, members and fields |
//! | [`peer`] | the process at the other end, and file descriptors |
//! | [`error`](mod@error) | error types |
//! | `tools` | Rust from definitions, and checks of types and definitions for tests; feature `tools` |
//!
//! Only [`server`], [`activation`], [`unix`] and `tools` need an operating system. Without the default
//! features, the other modules run anywhere, over any [`embedded_io`] stream.
//!
//! # Buffers and limits
//!
//! All memory is the caller's. A connection has two buffers:
//!
//! - The receive buffer must hold the longest message and the NUL that ends it. A longer message is
//!   skipped and reported as [`Error::TooLong`]. It ends a connection to a service.
//! - The send buffer of a client must hold the longest call and its NUL.
//! - A reply has half of a service's send buffer, so the buffer must be twice as long as the longest
//!   reply and its NUL. [`Responder::try_send`] lets the handler answer with something shorter.
//!   Half of it must also hold 100 bytes in addition to the longest method name of a call.
//!
//! Strings are unescaped in place in the receive buffer, so `&str` fields borrow from it.
//!
//! Fixed limits: JSON is nested up to [`Definition::MAX_DEPTH`](idl::Definition::MAX_DEPTH) levels; a client waits for up to
//! [`client::Session::MAX_CALLS`] replies; a message carries up to
//! [`Stream::MAX_DESCRIPTORS`](unix::Stream::MAX_DESCRIPTORS) descriptors.

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

#[cfg(any(test, feature = "std", feature = "tools"))]
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
pub use service::{Answer, Info, Outcome, Refusal, Responder, Service, SessionError};
