//! The service of org.example.t, and the client of org.example.conform, with the crate zlink:
//! conform-zlink [--client] PATH.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::pin::pin;

use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zlink::connection::socket::{ReadHalf, Socket, WriteHalf};
use zlink::introspect::{self, CustomType, Type};
use zlink::service::{TakeOver, Upgraded};
use zlink::{Reply, Server};

/// A value of an enumeration
#[derive(Clone, Debug, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "lowercase")]
#[zlink(rename_all = "lowercase")]
enum Color {
    Red,
    Green,
}

#[derive(Debug, Serialize, Deserialize, Type)]
struct Got {
    got: Value,
}

#[derive(Debug, Serialize, Deserialize, Type)]
struct Needed {
    s: String,
}

#[derive(Debug, Serialize, Deserialize, Type)]
struct Counted {
    i: i64,
}

#[derive(Debug, PartialEq, zlink::ReplyError, introspect::ReplyError)]
#[zlink(interface = "org.example.t")]
enum Failure {
    /// What Fail fails with
    Oops { why: String },
}

/// The errors of org.varlink.service that Count returns.
#[derive(Debug, Serialize)]
#[serde(tag = "error", content = "parameters")]
enum CountError {
    #[serde(rename = "org.varlink.service.ExpectedMore")]
    ExpectedMore,
    #[serde(rename = "org.varlink.service.InvalidParameter")]
    InvalidParameter { parameter: String },
}

impl introspect::ReplyError for CountError {
    const VARIANTS: &'static [&'static zlink::idl::Error<'static>] = &[];
}

struct T;

/// All types and all ways to call, for whoever wants to check a service byte by byte
#[zlink::service(
    interface = "org.example.t",
    types = [Color],
    vendor = "zlink",
    product = "conform",
    version = "0.8",
    url = "https://github.com/z-galaxy/zlink"
)]
impl T {
    /// Gives the parameters back as they came
    #[allow(clippy::too_many_arguments)]
    async fn echo(
        &self,
        i: Option<i64>,
        f: Option<f64>,
        b: Option<bool>,
        s: Option<String>,
        o: Option<Value>,
        l: Option<Vec<i64>>,
        m: Option<HashMap<String, String>>,
        c: Option<Color>,
    ) -> Got {
        let all = json!({"i": i, "f": f, "b": b, "s": s, "o": o, "l": l, "m": m, "c": c});
        let mut got = all.as_object().cloned().unwrap_or_default();
        got.retain(|_, value| !value.is_null());
        Got {
            got: Value::Object(got),
        }
    }

    /// Gives back its parameter, which has to be there
    async fn need(&self, s: String) -> Needed {
        Needed { s }
    }

    /// Takes nothing, gives nothing
    async fn empty(&self) {}

    /// With more: n replies, in which i counts from 0. Without: ExpectedMore.
    /// If n is 0 or less: InvalidParameter.
    #[zlink(more)]
    async fn count(
        &self,
        more: bool,
        n: i64,
    ) -> impl Stream<Item = Result<Reply<Counted>, CountError>> + Unpin {
        let error = if !more {
            Some(CountError::ExpectedMore)
        } else if n <= 0 {
            let parameter = "n".into();
            Some(CountError::InvalidParameter { parameter })
        } else {
            None
        };
        let n = if error.is_some() { 0 } else { n };
        let replies =
            (0..n).map(move |i| Ok(Reply::new(Some(Counted { i })).set_continues(Some(i + 1 < n))));
        futures_util::stream::iter(error.map(Err).into_iter().chain(replies))
    }

    /// Fails with Oops every time, why is "because"
    async fn fail(&self) -> Result<(), Failure> {
        let why = "because".into();
        Err(Failure::Oops { why })
    }

    /// With upgrade: a reply, and from then on every byte comes back. Without: ExpectedUpgrade.
    #[zlink(upgrade)]
    async fn pipe(&self) -> ((), Echo) {
        ((), Echo)
    }
}

struct Echo;

impl<Sock: Socket> TakeOver<Sock> for Echo {
    async fn take_over(self, socket: Upgraded<Sock>) {
        let (mut read, mut write) = socket.split();
        let mut buffer = [0; 1024];
        let none: &[OwnedFd] = &[];
        while let Ok(result) = read.read(&mut buffer).await {
            let bytes = &buffer[..result.bytes_read()];
            if bytes.is_empty() || write.write(bytes, none, None).await.is_err() {
                return;
            }
        }
    }
}

#[zlink::proxy("org.example.t")]
trait Client {
    async fn empty(&mut self) -> zlink::Result<Result<(), Failure>>;
    #[zlink(rename = "Empty", oneway)]
    async fn empty_oneway(&mut self) -> zlink::Result<()>;
    async fn need(&mut self, s: &str) -> zlink::Result<Result<Needed, Failure>>;
    #[zlink(more)]
    async fn count(
        &mut self,
        n: i64,
    ) -> zlink::Result<impl Stream<Item = zlink::Result<Result<Counted, Failure>>>>;
    #[zlink(upgrade)]
    async fn pipe(&mut self) -> zlink::Result<Result<(), Failure>>;
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Outcome {
    values: Vec<String>,
    error: Option<String>,
    failed: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Step {
    step: String,
}

#[zlink::proxy("org.example.conform")]
trait Conform {
    async fn next(&mut self, outcome: Option<&Outcome>) -> zlink::Result<Result<Step, Failure>>;
}

impl Outcome {
    /// Records a result. Returns its reply.
    fn record<T>(&mut self, result: zlink::Result<Result<T, Failure>>) -> Option<T> {
        match result {
            Ok(Ok(reply)) => return Some(reply),
            Ok(Err(Failure::Oops { .. })) => self.error = Some("org.example.t.Oops".into()),
            Err(zlink::Error::UnknownErrorReply(name)) => self.error = Some(name),
            Err(zlink::Error::VarlinkService(error)) => {
                let text = serde_json::to_value(&error).unwrap_or_default();
                self.error = text.get("error").and_then(Value::as_str).map(String::from);
            }
            Err(error) => self.failed = Some(error.to_string()),
        }
        None
    }
}

/// Makes the call of a step over a new connection.
async fn step(path: &str, name: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let mut client = zlink::tokio::unix::connect(path).await.expect("a service");
    match name {
        "empty" => {
            let result = client.empty().await;
            outcome.record(result);
        }
        "need" => {
            let result = client.need("x").await;
            let reply = outcome.record(result);
            outcome.values.extend(reply.map(|reply| reply.s));
        }
        "oneway" => {
            let result = client.empty_oneway().await.map(Ok);
            outcome.record(result);
            let result = client.need("x").await;
            let reply = outcome.record(result);
            outcome.values.extend(reply.map(|reply| reply.s));
        }
        "more" => match client.count(3).await {
            Ok(replies) => {
                let mut replies = pin!(replies);
                while let Some(result) = replies.next().await {
                    match outcome.record(result) {
                        Some(reply) => outcome.values.push(reply.i.to_string()),
                        None => break,
                    }
                }
            }
            Err(error) => outcome.failed = Some(error.to_string()),
        },
        _ => {
            let result = client.pipe().await;
            if outcome.record(result).is_some() {
                let (read, _write) = client.split();
                let mut read = read.into_read_half();
                let mut text = Vec::new();
                let mut buffer = [0; 1024];
                while let Ok(result) = read.read(&mut buffer).await {
                    if result.bytes_read() == 0 {
                        break;
                    }
                    text.extend_from_slice(&buffer[..result.bytes_read()]);
                }
                outcome
                    .values
                    .push(String::from_utf8_lossy(&text).into_owned());
            }
        }
    }
    outcome
}

async fn lead(path: &str) {
    let mut control = zlink::tokio::unix::connect(path).await.expect("a service");
    let mut outcome = None;
    loop {
        let reply = control.next(outcome.as_ref()).await;
        let name = reply.expect("a reply").expect("a step").step;
        if name == "end" {
            return;
        }
        outcome = Some(step(path, &name).await);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    let runtime = runtime.expect("a runtime");
    match &arguments[..] {
        [option, path] if option == "--client" => runtime.block_on(lead(path)),
        [path] => {
            let served = runtime.block_on(async {
                let listener = zlink::tokio::unix::bind(path)?;
                Server::new(listener, T).run().await
            });
            served.expect("a service");
        }
        _ => eprintln!("usage: conform-zlink [--client] PATH"),
    }
}
