//! The client's half: replies to a client, and what the client must make of them.
//!
//! The client asks for steps with `org.example.conform.Next`, makes the call of each step over a
//! new connection, and reports the outcome with the next `Next`.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nullink::embedded_io::{Read, Write};
use nullink::unix::{Listener, Stream};
use serde_json::{Value, json};

use super::report::Line;
use super::service::DEFINITION;
use super::{Basis, Verdict, show};

const CONFORM: &str = include_str!("../org.example.conform.varlink");
const SERVICE: &str = include_str!("../../../src/org.varlink.service.varlink");

/// What a client reports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    pub values: Vec<String>,
    pub error: Option<String>,
    pub failed: Option<String>,
    pub unsupported: Option<String>,
}

/// Judges the messages of a client.
type IsRight = fn(&[Vec<u8>]) -> bool;

/// One step, the replies to its call, and the outcome that the client must report.
#[derive(Clone, Debug)]
pub struct Check {
    pub id: &'static str,
    pub what: String,
    pub basis: Basis,
    pub step: &'static str,
    /// The replies, in pieces that are sent one by one.
    pub pieces: Vec<Vec<u8>>,
    /// True if the service closes the connection after the replies.
    pub closes: bool,
    pub outcome: Outcome,
    /// What the messages of the client must be like.
    pub calls: Option<(&'static str, IsRight)>,
}

fn check(id: &'static str, what: &str, step: &'static str, replies: &[&str]) -> Check {
    let mut bytes = Vec::new();
    for reply in replies {
        bytes.extend_from_slice(reply.as_bytes());
        bytes.push(0);
    }
    Check {
        id,
        what: what.into(),
        basis: Basis::Must,
        step,
        pieces: vec![bytes],
        closes: false,
        outcome: Outcome::default(),
        calls: None,
    }
}

impl Check {
    fn values(mut self, values: &[&str]) -> Self {
        self.outcome.values = values.iter().map(ToString::to_string).collect();
        self
    }

    fn error(mut self, error: &str) -> Self {
        self.outcome.error = Some(error.into());
        self
    }

    fn fails(mut self) -> Self {
        self.outcome.failed = Some("any words".into());
        self
    }

    fn closes(mut self) -> Self {
        self.closes = true;
        self
    }

    fn basis(mut self, basis: Basis) -> Self {
        self.basis = basis;
        self
    }

    fn calls(mut self, words: &'static str, check: IsRight) -> Self {
        self.calls = Some((words, check));
        self
    }
}

const X: &str = r#"{"parameters":{"s":"x"}}"#;
const I0: &str = r#"{"parameters":{"i":0},"continues":true}"#;
const I1: &str = r#"{"parameters":{"i":1},"continues":true}"#;
const I2: &str = r#"{"parameters":{"i":2}}"#;
const OOPS: &str = r#"{"error":"org.example.t.Oops","parameters":{"why":"because"}}"#;

/// Returns the checks.
pub fn checks() -> Vec<Check> {
    let mut all = Vec::new();
    let need = |id, what, reply: &str| check(id, what, "need", &[reply]);
    all.push(
        need("C1", "a call is an object with method and parameters", X)
            .values(&["x"])
            .calls(
                r#"{"method":"org.example.t.Need","parameters":{"s":"x"}}"#,
                |calls| is_call(calls, "Need", &json!({"s": "x"}), None),
            ),
    );
    all.push(
        need("F3", "a call has no white space outside strings", X)
            .values(&["x"])
            .basis(Basis::Should)
            .calls("no white space", |calls| {
                calls
                    .iter()
                    .all(|call| !call.iter().any(u8::is_ascii_whitespace))
            }),
    );
    let empty = check("W5", "empty parameters are not written", "empty", &["{}"]);
    all.push(
        empty
            .basis(Basis::Should)
            .calls("no member parameters", |calls| {
                let mut values = calls
                    .iter()
                    .filter_map(|call| serde_json::from_slice::<Value>(call).ok());
                values.all(|call| call.get("parameters").is_none())
            }),
    );
    let oneway = check(
        "M1",
        "a oneway call says so, and waits for no reply",
        "oneway",
        &[X],
    );
    all.push(
        oneway
            .values(&["x"])
            .calls("oneway is true, then a plain call", |calls| {
                let (first, second) = calls.split_at(calls.len().min(1));
                is_call(first, "Empty", &json!({}), Some("oneway"))
                    && is_call(second, "Need", &json!({"s": "x"}), None)
            }),
    );
    let more = |id, what, replies: &[&str]| check(id, what, "more", replies);
    all.push(
        more("M2", "a stream with three replies", &[I0, I1, I2])
            .values(&["0", "1", "2"])
            .calls("more is true", |calls| {
                is_call(calls, "Count", &json!({"n": 3}), Some("more"))
            }),
    );
    all.push(more("M2", "a single reply ends a stream", &[I2]).values(&["2"]));
    all.push(
        more(
            "M2",
            "\"continues\":false ends a stream",
            &[I0, r#"{"continues":false,"parameters":{"i":1}}"#],
        )
        .values(&["0", "1"]),
    );
    all.push(
        more("M2", "an error ends a stream", &[I0, OOPS])
            .values(&["0"])
            .error("org.example.t.Oops"),
    );
    all.push(
        more(
            "W14",
            "a final reply without parameters ends a stream",
            &[I0, "{}"],
        )
        .values(&["0"])
        .basis(Basis::Own),
    );

    let mut bytes = need("F1", "a reply byte by byte", X).values(&["x"]);
    bytes.pieces = bytes
        .pieces
        .concat()
        .iter()
        .map(|byte| vec![*byte])
        .collect();
    all.push(bytes);
    let mut halves =
        more("F1", "replies split inside a message", &[I0, I1, I2]).values(&["0", "1", "2"]);
    halves.pieces = halves
        .pieces
        .concat()
        .chunks(25)
        .map(<[u8]>::to_vec)
        .collect();
    all.push(halves);
    let spaced = " \r\n{ \"parameters\" :\t{ \"s\" : \"x\" } } \n";
    all.push(need("F2", "white space around and inside a reply", spaced).values(&["x"]));
    let mut half = need("F5", "the end inside a reply is an error", "")
        .fails()
        .closes();
    half.pieces = vec![X.as_bytes()[..12].to_vec()];
    all.push(half.basis(Basis::Own));
    all.push(
        need(
            "C5",
            "an escaped member name",
            r#"{"par\u0061meters":{"\u0073":"x"}}"#,
        )
        .values(&["x"]),
    );
    all.push(
        need(
            "C7",
            "escapes and a surrogate pair",
            r#"{"parameters":{"s":"\ud83e\udd80\n\u00e9"}}"#,
        )
        .values(&["🦀\né"]),
    );

    for reply in ["{}", r#"{"parameters":null}"#, r#"{"parameters":{}}"#] {
        all.push(check(
            "R1",
            &format!("no parameters as {reply}"),
            "empty",
            &[reply],
        ));
    }
    let null = r#"{"parameters":{"s":"x"},"continues":null,"error":null}"#;
    let scene = need("R1", "continues and error that are null are absent", null);
    all.push(scene.values(&["x"]).basis(Basis::Own));
    let no = r#"{"parameters":{"s":"x"},"continues":false}"#;
    all.push(need("R1", "continues that is false is absent", no).values(&["x"]));
    all.push(
        need(
            "R2",
            "an unknown field is ignored",
            r#"{"parameters":{"s":"x","t":[1]}}"#,
        )
        .values(&["x"])
        .basis(Basis::Should),
    );
    all.push(
        need(
            "R3",
            "a member with a dot is ignored",
            r#"{"parameters":{"s":"x"},"com.example":{"a":1}}"#,
        )
        .values(&["x"])
        .basis(Basis::Should),
    );
    let unknown = r#"{"parameters":{"s":"x"},"extra":1}"#;
    all.push(need("R3", "an unknown member without a dot", unknown).fails());
    let error = r#"{"parameters":{"i":0},"continues":true,"error":"org.example.t.Oops"}"#;
    for (what, step, reply) in [
        ("text that is not JSON", "need", "hello"),
        ("an empty message", "need", ""),
        ("a list", "need", r#"[{"parameters":{"s":"x"}}]"#),
        (
            "an error that is a number",
            "need",
            r#"{"parameters":{"s":"x"},"error":1}"#,
        ),
        (
            "continues that is a number",
            "need",
            r#"{"parameters":{"s":"x"},"continues":1}"#,
        ),
        (
            "continues that was not asked for",
            "need",
            r#"{"parameters":{"s":"x"},"continues":true}"#,
        ),
        ("continues in an error", "more", error),
        (
            "text after the object",
            "need",
            r#"{"parameters":{"s":"x"}}x"#,
        ),
        (
            "a lone surrogate",
            "need",
            r#"{"parameters":{"s":"\ud83e"}}"#,
        ),
    ] {
        // The service closes, so that a client that waits for another reply does not wait forever.
        all.push(
            check("R3", &format!("{what} is an error"), step, &[reply])
                .fails()
                .closes()
                .basis(Basis::Own),
        );
    }
    all.push(need("R4", "an error of the interface", OOPS).error("org.example.t.Oops"));
    all.push(
        need(
            "R4",
            "an error without parameters",
            r#"{"error":"org.example.t.Oops2"}"#,
        )
        .error("org.example.t.Oops2"),
    );
    let other = r#"{"error":"org.example.other.Bad","parameters":{"a":[1]}}"#;
    all.push(need("R4", "an error of an unknown interface", other).error("org.example.other.Bad"));
    let denied = r#"{"error":"org.varlink.service.PermissionDenied"}"#;
    all.push(
        need("R4", "an error of org.varlink.service", denied)
            .error("org.varlink.service.PermissionDenied"),
    );
    let mut closed = need("R5", "a close before the reply is an error", "")
        .fails()
        .closes()
        .basis(Basis::Own);
    closed.pieces.clear();
    all.push(closed);
    all.push(
        more("R5", "a close inside a stream is an error", &[I0])
            .fails()
            .closes()
            .basis(Basis::Own),
    );

    let mut upgrade = check(
        "U1",
        "bytes in the write of the confirmation are not lost",
        "upgrade",
        &["{}"],
    )
    .closes();
    upgrade.pieces = vec![b"{}\0raw\nbytes".to_vec()];
    all.push(
        upgrade
            .clone()
            .values(&["raw\nbytes"])
            .calls("upgrade is true", |calls| {
                is_call(calls, "Pipe", &json!({}), Some("upgrade"))
            }),
    );
    upgrade.what = "bytes after the confirmation arrive".into();
    upgrade.pieces = vec![b"{}\0".to_vec(), b"raw\nbytes".to_vec()];
    all.push(upgrade.values(&["raw\nbytes"]));
    all.push(
        check(
            "U2",
            "an error is the reply to an upgrade",
            "upgrade",
            &[OOPS],
        )
        .error("org.example.t.Oops"),
    );
    all
}

/// True if there is one call, of this method, with these parameters, and this flag or none.
fn is_call(calls: &[Vec<u8>], method: &str, parameters: &Value, flag: Option<&str>) -> bool {
    let [call] = calls else { return false };
    let Ok(Value::Object(members)) = serde_json::from_slice(call) else {
        return false;
    };
    let is_flag = |name: &str| ["oneway", "more", "upgrade"].contains(&name);
    let is_known = |name: &str| {
        name == "method" || name == "parameters" || is_flag(name) || name.contains('.')
    };
    let own = members.get("parameters").cloned().unwrap_or_default();
    let own = if own.is_null() { json!({}) } else { own };
    let has_flag = |(name, value): (&String, &Value)| match value {
        Value::Bool(true) => flag == Some(name),
        Value::Bool(false) | Value::Null => true,
        _ => false,
    };
    members.keys().all(|name| is_known(name))
        && members.get("method") == Some(&json!(format!("org.example.t.{method}")))
        && own == *parameters
        && members
            .iter()
            .filter(|(name, _)| is_flag(name))
            .all(has_flag)
        && flag.is_none_or(|flag| members.get(flag) == Some(&Value::Bool(true)))
}

/// What a service sends next on a connection.
#[derive(Debug, Default)]
pub struct Answer {
    pub pieces: Vec<Vec<u8>>,
    pub closes: bool,
}

/// Leads a client through the checks. It knows no sockets.
pub struct Judge {
    checks: Vec<Check>,
    next: usize,
    /// True while the client does the step before `next`.
    is_busy: bool,
    calls: Vec<Vec<u8>>,
    address: String,
    pub lines: Vec<Line>,
}

impl Judge {
    pub fn new(address: &str) -> Self {
        Judge {
            checks: checks(),
            next: 0,
            is_busy: false,
            calls: Vec::new(),
            address: address.into(),
            lines: Vec::new(),
        }
    }

    /// True if all steps have an outcome.
    pub fn is_done(&self) -> bool {
        !self.is_busy && self.next == self.checks.len()
    }

    /// Answers a message of the client. `count` is the number of calls of this connection.
    pub fn answer(&mut self, count: &mut usize, message: &[u8]) -> Answer {
        let call: Value = serde_json::from_slice(message).unwrap_or_default();
        let parameters = call.get("parameters");
        let interface = parameters
            .and_then(|p| p.get("interface"))
            .and_then(Value::as_str);
        let reply = match call
            .get("method")
            .and_then(Value::as_str)
            .unwrap_or_default()
        {
            "org.varlink.service.GetInfo" => json!({"parameters": {
                "vendor": "Nullink", "product": "conform", "version": "1", "url": "https://varlink.org",
                "interfaces": ["org.varlink.service", "org.example.t", "org.example.conform"],
            }}),
            "org.varlink.service.GetInterfaceDescription" => match interface {
                // Some clients do not know `any`.
                Some("org.example.t") => {
                    json!({"parameters": {"description": DEFINITION.replace("  a: ?any,\n", "")}})
                }
                Some("org.example.conform") => json!({"parameters": {"description": CONFORM}}),
                Some("org.varlink.service") => json!({"parameters": {"description": SERVICE}}),
                _ => {
                    json!({"error": "org.varlink.service.InterfaceNotFound", "parameters": {"interface": interface}})
                }
            },
            "org.example.conform.Next" => {
                let outcome = parameters.and_then(|p| p.get("outcome"));
                json!({"parameters": {"step": self.next_step(outcome)}})
            }
            _ => return self.answer_step(count, message),
        };
        let mut bytes = reply.to_string().into_bytes();
        bytes.push(0);
        Answer {
            pieces: vec![bytes],
            closes: false,
        }
    }

    fn answer_step(&mut self, count: &mut usize, message: &[u8]) -> Answer {
        self.calls.push(message.to_vec());
        *count += 1;
        let check = self
            .next
            .checked_sub(1)
            .and_then(|index| self.checks.get(index));
        match check {
            Some(check) if *count == if check.step == "oneway" { 2 } else { 1 } => Answer {
                pieces: check.pieces.clone(),
                closes: check.closes,
            },
            _ => Answer::default(),
        }
    }

    fn next_step(&mut self, outcome: Option<&Value>) -> &'static str {
        match outcome {
            Some(outcome) if !outcome.is_null() => {
                let text = |name| outcome.get(name).and_then(Value::as_str).map(String::from);
                let values = outcome.get("values").and_then(Value::as_array);
                let values = values.into_iter().flatten();
                let outcome = Outcome {
                    values: values.filter_map(Value::as_str).map(String::from).collect(),
                    error: text("error"),
                    failed: text("failed"),
                    unsupported: text("unsupported"),
                };
                self.judge(Ok(outcome));
            }
            _ => self.judge(Err("the client has ended without an outcome".into())),
        }
        let step = self.checks.get(self.next).map_or("end", |check| check.step);
        if step != "end" {
            self.next += 1;
            self.is_busy = true;
        }
        step
    }

    /// Judges the step that the client was told to do last, if there is one.
    pub fn judge(&mut self, outcome: Result<Outcome, String>) {
        let index = self.next.wrapping_sub(1);
        let Some(check) = self.checks.get(index).filter(|_| self.is_busy) else {
            return;
        };
        let wanted = &check.outcome;
        let verdict = match (&outcome, check.calls) {
            (Err(_), _) => Verdict::Fail(words(wanted)),
            (Ok(outcome), _) if outcome.unsupported.is_some() => {
                Verdict::NotApplicable(outcome.unsupported.clone().unwrap_or_default())
            }
            (Ok(_), Some((words, is_right))) if !is_right(&self.calls) => {
                let came = self.calls.iter().map(|call| show(call)).collect::<Vec<_>>();
                Verdict::Fail(format!("the client sends {words}, not {}", came.join(" ")))
            }
            // A client need not know the replies before the failure.
            (Ok(outcome), _) if wanted.failed.is_some() && outcome.failed.is_some() => {
                Verdict::Pass
            }
            (Ok(outcome), _) if outcome == wanted => Verdict::Pass,
            _ => Verdict::Fail(words(wanted)),
        };
        let sent = check.pieces.concat();
        self.lines.push(Line {
            id: check.id,
            what: check.what.clone(),
            basis: check.basis,
            verdict,
            sent: show(&sent) + if check.closes { "[close]" } else { "" },
            came: outcome.as_ref().map_or_else(Clone::clone, words),
            reproducer: super::report::listener(&sent, check.step, &self.address),
        });
        self.is_busy = false;
        self.calls.clear();
    }
}

fn words(outcome: &Outcome) -> String {
    let mut text = format!("values {:?}", outcome.values);
    if let Some(error) = &outcome.error {
        text += &format!(", the error {error}");
    }
    if let Some(failed) = &outcome.failed {
        text += &format!(", a failure of the connection: {failed}");
    }
    text
}

/// A client that the tool starts, until it is dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &[String]) -> Result<Option<Started>, String> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(None);
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = command
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    Ok(Some(Started(child)))
}

/// Listens at an address, and judges the client that connects.
pub fn judge_at(
    address: &str,
    timeout: Duration,
    command: &[String],
    mut report: impl FnMut(Line),
) -> Result<(), String> {
    let listener = Listener::bind_with(address, Listener::EVERYBODY);
    let listener = listener.map_err(|error| format!("{address}: {error}"))?;
    let judge = Arc::new(Mutex::new(Judge::new(address)));
    let (news, changes) = mpsc::channel();
    let shared = judge.clone();
    thread::spawn(move || {
        while let Ok(stream) = listener.accept() {
            let (judge, news) = (shared.clone(), news.clone());
            thread::spawn(move || serve(stream, &judge, &news));
        }
    });
    let mut client = start(command)?;
    // Without a command, a person starts the client: there is no hurry until it has called.
    let mut has_called = client.is_some();
    let mut last = Instant::now();
    loop {
        let news = changes.recv_timeout(Duration::from_millis(50));
        let mut judge = judge.lock().map_err(|_| "a check has panicked")?;
        if news.is_ok() {
            has_called = true;
            last = Instant::now();
        } else if news == Err(RecvTimeoutError::Disconnected) {
            return Err(format!("{address}: no connection can be accepted"));
        }
        let ended = client
            .as_mut()
            .and_then(|client| client.0.try_wait().ok().flatten());
        let is_late = has_called && last.elapsed() > timeout;
        if (ended.is_some() || is_late) && !judge.is_done() {
            let was_busy = judge.is_busy;
            judge.judge(Err(match ended {
                Some(status) => format!("the client has ended: {status}"),
                None => "no outcome until the timeout".into(),
            }));
            if command.is_empty() || !was_busy {
                judge.lines.drain(..).for_each(report);
                return Err("the client does not call Next".into());
            }
            client = None;
        }
        judge.lines.drain(..).for_each(&mut report);
        if news == Ok(true) {
            return Ok(());
        }
        drop(judge);
        if client.is_none() && !command.is_empty() {
            client = start(command)?;
            last = Instant::now();
        }
    }
}

/// Serves one connection of the client. Tells `news` of each answer, and whether it was the last.
fn serve(mut stream: Stream, judge: &Mutex<Judge>, news: &mpsc::Sender<bool>) {
    let mut received = Vec::new();
    let mut count = 0;
    let mut buffer = [0; 4096];
    loop {
        while let Some(end) = received.iter().position(|byte| *byte == 0) {
            let message: Vec<u8> = received.drain(..=end).collect();
            let Ok(mut judge) = judge.lock() else { return };
            let answer = judge.answer(&mut count, &message[..end]);
            let is_done = judge.is_done();
            drop(judge);
            for piece in &answer.pieces {
                if stream
                    .write_all(piece)
                    .and_then(|()| stream.flush())
                    .is_err()
                {
                    return;
                }
            }
            // The client must have the last reply before the tool ends.
            let _ = news.send(is_done);
            if answer.closes {
                return;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
        }
    }
}
