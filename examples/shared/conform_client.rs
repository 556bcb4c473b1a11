//! The client of `org.example.conform`: it makes the calls that the suite asks for, and reports
//! what they have led to.

use nullink::client::CallError;
use nullink::embedded_io::Read;
use nullink::service::ServiceError;
use nullink::unix::{IoError, Stream};
use nullink::{Client, Method, NoError};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Next {
    outcome: Option<Outcome>,
}

#[derive(Deserialize)]
struct Step<'a> {
    step: &'a str,
}

impl Method for Next {
    const NAME: &'static str = "org.example.conform.Next";
    type Output<'r> = Step<'r>;
    type Error<'r> = NoError;
}

#[derive(Default, Serialize)]
struct Outcome {
    values: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

/// The errors of org.example.t.
#[derive(Debug, Deserialize)]
enum Failure {
    Oops {},
}

#[derive(Serialize)]
struct Empty {}

#[derive(Deserialize)]
struct Nothing {}

impl Method for Empty {
    const NAME: &'static str = "org.example.t.Empty";
    type Output<'r> = Nothing;
    type Error<'r> = Failure;
}

#[derive(Serialize)]
struct Pipe {}

impl Method for Pipe {
    const NAME: &'static str = "org.example.t.Pipe";
    type Output<'r> = Nothing;
    type Error<'r> = Failure;
}

#[derive(Serialize)]
struct Need {
    s: &'static str,
}

#[derive(Deserialize)]
struct Needed<'a> {
    s: &'a str,
}

impl Method for Need {
    const NAME: &'static str = "org.example.t.Need";
    type Output<'r> = Needed<'r>;
    type Error<'r> = Failure;
}

#[derive(Serialize)]
struct Count {
    n: i64,
}

#[derive(Deserialize)]
struct Counted {
    i: i64,
}

impl Method for Count {
    const NAME: &'static str = "org.example.t.Count";
    type Output<'r> = Counted;
    type Error<'r> = Failure;
}

/// Does all steps of the suite at an address.
pub fn run(address: &str) -> Result<(), String> {
    let (mut receive, mut send) = ([0; 4096], [0; 8192]);
    let mut control =
        Client::connect(address, &mut receive, &mut send).map_err(|e| e.to_string())?;
    let mut outcome = None;
    loop {
        let reply = control
            .call(&Next { outcome })
            .map_err(|error| error.to_string())?;
        if reply.step == "end" {
            return Ok(());
        }
        outcome = Some(do_step(address, reply.step));
    }
}

/// Makes the call of a step over a new connection.
fn do_step(address: &str, step: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let (mut receive, mut send) = ([0; 4096], [0; 4096]);
    let mut client = match Client::connect(address, &mut receive, &mut send) {
        Ok(client) => client,
        Err(error) => {
            outcome.failed = Some(error.to_string());
            return outcome;
        }
    };
    match step {
        "empty" => {
            let result = client.call(&Empty {}).map(drop);
            outcome.record(result);
        }
        "need" => outcome.need(&mut client),
        "oneway" => match client.oneway(&Empty {}) {
            Ok(()) => outcome.need(&mut client),
            Err(error) => outcome.failed = Some(error.to_string()),
        },
        "more" => match client.more(&Count { n: 3 }) {
            Ok(mut replies) => loop {
                match replies.next() {
                    Ok(Some(Counted { i })) => outcome.values.push(i.to_string()),
                    Ok(None) => break,
                    Err(error) => {
                        outcome.record(Err::<(), _>(error));
                        break;
                    }
                }
            },
            Err(error) => outcome.failed = Some(error.to_string()),
        },
        _ => {
            let result = client.upgrade(&Pipe {}).map(drop);
            if outcome.record(result) {
                let (mut stream, unread) = client.into_parts();
                match rest(&mut stream, unread) {
                    Ok(text) => outcome.values.push(text),
                    Err(error) => outcome.failed = Some(error.to_string()),
                }
            }
        }
    }
    outcome
}

/// Reads until the service closes.
fn rest(stream: &mut Stream, unread: &[u8]) -> Result<String, IoError> {
    let mut bytes = unread.to_vec();
    let mut buffer = [0; 512];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

impl Outcome {
    fn need(&mut self, client: &mut Client<'_, Stream>) {
        let result = client
            .call(&Need { s: "x" })
            .map(|reply| reply.s.to_string());
        let value = result.as_ref().ok().cloned();
        self.record(result.map(drop));
        self.values.extend(value);
    }

    /// Records an error. True if there was none.
    fn record<T>(&mut self, result: Result<T, CallError<'_, Failure, IoError>>) -> bool {
        let name = match result {
            Ok(_) => return true,
            Err(CallError::Method(Failure::Oops {})) => "org.example.t.Oops",
            Err(CallError::Service(ServiceError::PermissionDenied)) => {
                "org.varlink.service.PermissionDenied"
            }
            Err(CallError::Unknown { error, .. }) => error,
            Err(error) => {
                self.failed = Some(error.to_string());
                return false;
            }
        };
        self.error = Some(name.into());
        false
    }
}
