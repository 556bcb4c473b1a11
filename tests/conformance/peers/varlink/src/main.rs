//! The service of org.example.t, and the client of org.example.conform, with the crate varlink:
//! conform-varlink [--client] ADDRESS.

#![allow(clippy::too_many_arguments)] // the generated code

// The crate cannot read a definition with the type any.
varlink_derive::varlink_file!(org_example_t, "../org.example.t.varlink");
varlink_derive::varlink_file!(org_example_conform, "../../org.example.conform.varlink");

use std::collections::HashMap;
use std::io::{BufRead, Read};

use org_example_conform::{Outcome, VarlinkClientInterface as _};
use org_example_t::*;
use serde_json::{Map, Value, json};
use varlink::{Connection, ListenConfig, VarlinkService};

struct T;

impl org_example_t::VarlinkInterface for T {
    fn echo(
        &self,
        call: &mut dyn Call_Echo,
        i: Option<i64>,
        f: Option<f64>,
        b: Option<bool>,
        s: Option<String>,
        o: Option<Value>,
        l: Option<Vec<i64>>,
        m: Option<HashMap<String, String>>,
        c: Option<Color>,
    ) -> varlink::Result<()> {
        let all = json!({"i": i, "f": f, "b": b, "s": s, "o": o, "l": l, "m": m, "c": c});
        let mut got = all.as_object().cloned().unwrap_or_default();
        got.retain(|_, value| !value.is_null());
        call.reply(Value::Object(got))
    }

    fn need(&self, call: &mut dyn Call_Need, s: String) -> varlink::Result<()> {
        call.reply(s)
    }

    fn empty(&self, call: &mut dyn Call_Empty) -> varlink::Result<()> {
        call.reply()
    }

    fn count(&self, call: &mut dyn Call_Count, n: i64) -> varlink::Result<()> {
        if !call.wants_more() {
            let error = varlink::Reply::error("org.varlink.service.ExpectedMore", None);
            return call.reply_struct(error);
        }
        if n <= 0 {
            return call.reply_invalid_parameter("n".into());
        }
        call.set_continues(true);
        for i in 0..n - 1 {
            call.reply(i)?;
        }
        call.set_continues(false);
        call.reply(n - 1)
    }

    fn fail(&self, call: &mut dyn Call_Fail) -> varlink::Result<()> {
        call.reply_oops("because".into())
    }

    fn unbound(&self, call: &mut dyn Call_Unbound) -> varlink::Result<()> {
        call.reply_method_not_implemented("org.example.t.Unbound".into())
    }

    // The crate does not pass descriptors.
    fn fds(&self, call: &mut dyn Call_Fds) -> varlink::Result<()> {
        call.reply_method_not_implemented("org.example.t.Fds".into())
    }

    fn pipe(&self, call: &mut dyn Call_Pipe) -> varlink::Result<()> {
        if call.get_request().and_then(|request| request.upgrade) != Some(true) {
            let error = varlink::Reply::error("org.varlink.service.ExpectedUpgrade", None);
            return call.reply_struct(error);
        }
        call.to_upgraded();
        call.reply()
    }

    fn call_upgraded(
        &self,
        call: &mut varlink::Call,
        input: &mut dyn BufRead,
    ) -> varlink::Result<Vec<u8>> {
        let length = {
            let bytes = input.fill_buf().map_err(io)?;
            call.writer
                .write_all(bytes)
                .and_then(|()| call.writer.flush())
                .map_err(io)?;
            bytes.len()
        };
        input.consume(length);
        Ok(Vec::new())
    }
}

fn io(error: std::io::Error) -> varlink::Error {
    varlink::ErrorKind::Io(error.kind()).into()
}

fn serve(address: &str) {
    let interface = Box::new(org_example_t::new(Box::new(T)));
    let url = "https://github.com/varlink/rust";
    let service = VarlinkService::new("Varlink", "Rust", "13", url, vec![interface]);
    let threads = ListenConfig {
        max_worker_threads: 1000,
        ..ListenConfig::default()
    };
    varlink::listen(service, address, &threads).expect("a socket");
}

/// Makes the call of a step over a new connection. Returns the error.
fn make_call(address: &str, name: &str, values: &mut Vec<String>) -> varlink::Result<()> {
    let connection = Connection::with_address(address)?;
    let call = |method: &'static str, parameters: Value| {
        varlink::MethodCall::<Value, Map<String, Value>, varlink::Error>::new(
            connection.clone(),
            method,
            parameters,
        )
    };
    let s = |reply: &Map<String, Value>| match reply.get("s") {
        Some(Value::String(s)) => Ok(s.clone()),
        _ => Err(varlink::Error::from(varlink::ErrorKind::Generic)),
    };
    match name {
        "empty" => drop(call("org.example.t.Empty", json!({})).call()?),
        "need" => values.push(s(&call("org.example.t.Need", json!({"s": "x"})).call()?)?),
        "oneway" => {
            call("org.example.t.Empty", json!({})).oneway()?;
            values.push(s(&call("org.example.t.Need", json!({"s": "x"})).call()?)?);
        }
        "more" => {
            for reply in call("org.example.t.Count", json!({"n": 3})).more()? {
                values.extend(reply?.get("i").map(Value::to_string));
            }
        }
        _ => {
            call("org.example.t.Pipe", json!({})).upgrade()?;
            let mut reader = connection.write().expect("one thread").reader.take();
            let mut text = String::new();
            if let Some(reader) = &mut reader {
                reader.read_to_string(&mut text).map_err(io)?;
            }
            values.push(text);
        }
    }
    Ok(())
}

fn step(address: &str, name: &str) -> Outcome {
    let mut values = Vec::new();
    let result = make_call(address, name, &mut values);
    let (mut error, mut failed) = (None, None);
    if let Err(problem) = result {
        let standard = |name: &str| Some(format!("org.varlink.service.{name}"));
        match problem.kind() {
            varlink::ErrorKind::VarlinkErrorReply(reply) => {
                error = reply.error.as_ref().map(ToString::to_string);
            }
            varlink::ErrorKind::MethodNotFound(_) => error = standard("MethodNotFound"),
            _ => failed = Some(problem.to_string()),
        }
    }
    Outcome {
        values,
        error,
        failed,
        unsupported: None,
    }
}

fn lead(address: &str) {
    let connection = Connection::with_address(address).expect("a service");
    let mut client = org_example_conform::VarlinkClient::new(connection);
    let mut outcome = None;
    loop {
        let name = client.next(outcome).call().expect("a step").step;
        if name == "end" {
            return;
        }
        outcome = Some(step(address, &name));
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [option, address] if option == "--client" => lead(address),
        [address] => serve(address),
        _ => eprintln!("usage: conform-varlink [--client] ADDRESS"),
    }
}
