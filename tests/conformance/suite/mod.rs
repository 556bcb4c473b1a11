//! The conformance suite: checks of any service of `org.example.t`, and of any client.
//!
//! The checks are data. `examples/conform.rs` runs them over an address; the test `conform` also
//! runs them in memory.

#![allow(dead_code)] // the tool and the test use different parts

pub mod client;
pub mod report;
pub mod service;
pub mod wire;

use serde_json::{Map, Value};

/// Where a requirement is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A requirement of UAPI.20 "Varlink IPC": a MUST, its grammar, or the JSON that it names.
    Must,
    /// A SHOULD of UAPI.20.
    Should,
    /// Not in UAPI.20: a service must outlive bad clients.
    Manners,
    /// A choice where UAPI.20 is silent or permits others: the promise of Nullink. Another
    /// implementation that chooses differently is not wrong.
    Own,
}

impl Basis {
    pub fn name(self) -> &'static str {
        match self {
            Basis::Must => "UAPI.20 requires it",
            Basis::Should => "UAPI.20 SHOULD",
            Basis::Manners => "not in UAPI.20: a service must outlive bad clients",
            Basis::Own => "a choice of Nullink",
        }
    }
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Pass,
    /// What was expected.
    Fail(String),
    /// The reason.
    NotApplicable(String),
}

/// A reply, with absent, null and empty members made equal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    pub parameters: Map<String, Value>,
    pub error: Option<String>,
    pub continues: bool,
}

impl Reply {
    /// Reads a reply as a client must read it.
    pub fn parse(message: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(message).map_err(|error| error.to_string())?;
        let Value::Object(members) = value else {
            return Err("a reply is not an object".into());
        };
        let mut reply = Reply::default();
        for (name, value) in members {
            match (&*name, value) {
                (_, Value::Null) => {}
                ("parameters", Value::Object(parameters)) => reply.parameters = parameters,
                ("error", Value::String(error)) => reply.error = Some(error),
                ("continues", Value::Bool(continues)) => reply.continues = continues,
                (name, _) if name.contains('.') => {}
                (name, value) => return Err(format!("a reply has {name}: {value}")),
            }
        }
        if reply.continues && reply.error.is_some() {
            return Err("an error has \"continues\":true".into());
        }
        Ok(reply)
    }
}

/// Returns bytes as text for a line of output, shortened.
pub fn show(bytes: &[u8]) -> String {
    const LONGEST: usize = 300;
    let mut text = String::new();
    for char in String::from_utf8_lossy(bytes).chars() {
        match char {
            '\0' => text.push_str("\\0"),
            char if char.is_control() => text.extend(char.escape_default()),
            char => text.push(char),
        }
        if text.len() > LONGEST {
            return format!("{text}... ({} bytes)", bytes.len());
        }
    }
    text
}
