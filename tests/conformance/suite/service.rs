//! The service's half: conversations with a service, and what it must answer.

use serde_json::{Value, json};

use super::{Basis, Reply, Verdict, show};

/// The definition that the service must have.
pub const DEFINITION: &str = include_str!("../../../examples/shared/org.example.t.varlink");

/// The line of the definition that a service leaves out if its library does not know `any`.
const ANY: &str = "  a: ?any,\n";

/// The argument of the last call of a conversation whose connection stays open.
const LAST: &str = "conform-last";

/// A part of what a client does on one connection.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Sends bytes with one write.
    Send(Vec<u8>),
    /// Sends bytes together with this number of descriptors.
    Descriptors(Vec<u8>, usize),
    /// Waits until this number of messages has arrived since the beginning.
    Await(usize),
    /// Waits until the service has read what was sent.
    AwaitRead,
    /// Closes the client's side for sending.
    HalfClose,
    /// Closes the connection. Nothing is read, and what counts is that the service goes on.
    Leave,
}

/// A reply that a service must send.
#[derive(Clone, Debug)]
pub enum Expect {
    /// These parameters, and no error. `continues` is the second member.
    Is(Value, bool),
    /// The reply of Echo with these parameters. It may have further ones that are null.
    Got(Value),
    /// An error with this name. If there are parameters, they must be among those of the reply.
    Error(&'static str, Value),
    /// Any error.
    AnyError,
    /// Any reply that is not malformed.
    Any,
    /// A reply that passes a check of its text and its content.
    Passes(&'static str, fn(&[u8], &Reply) -> bool),
}

/// How a connection must end.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It does not end: the call after this conversation gets its reply.
    Open,
    /// The service closes it, and does not handle the call after this conversation.
    Closed,
    /// Nothing more arrives.
    Silent,
    /// It speaks another protocol, in which these bytes arrive.
    Upgraded(Vec<u8>),
}

/// What a service needs for a check to be applicable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Nothing,
    /// The method Fds, and a Unix socket.
    Descriptors,
    /// A connection that can be closed, and others beside it.
    Connections,
    /// The method Pipe.
    Pipe,
    /// The type `any` in the definition.
    Any,
    /// The method Unbound in the definition: declared, and not served.
    Unbound,
    /// The length of the longest message: the option `--limit`.
    Limit,
}

/// One conversation, over a connection of its own.
#[derive(Clone, Debug)]
pub struct Scene {
    pub id: &'static str,
    pub what: String,
    pub basis: Basis,
    pub need: Need,
    pub pieces: Vec<Piece>,
    /// The permitted answers: the replies, and the end of the connection.
    pub accepted: Vec<(Vec<Expect>, Ending)>,
    /// An idle connection, with these bytes, that exists at the same time.
    pub beside: Option<Vec<u8>>,
    /// A Python expression for the bytes, if they are too long for a shell.
    pub python: Option<String>,
    /// The number of descriptors that must come back.
    pub descriptors: usize,
}

/// What happened on a connection.
#[derive(Clone, Debug)]
pub struct Transcript {
    pub messages: Vec<Vec<u8>>,
    /// The bytes after the last NUL.
    pub rest: Vec<u8>,
    pub end: End,
    pub descriptors: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The last call was answered, or the bytes of the other protocol have arrived.
    Done,
    Closed,
    TimedOut,
    /// The service leaves half a message in the socket.
    Unread,
    /// The service cannot be reached.
    Failed(String),
}

/// A way to reach a service.
pub trait Transport {
    /// Has a conversation over a new connection.
    fn talk(&mut self, scene: &Scene) -> Transcript;
    /// The reason why something is not possible with this transport.
    fn lacks(&self, need: Need) -> Option<&'static str>;
}

/// What was found out about a service before the checks.
#[derive(Clone, Debug, Default)]
pub struct Abilities {
    pipe: Option<String>,
    descriptors: Option<String>,
    any: Option<String>,
    unbound: Option<String>,
    limit: Option<String>,
    connections: Option<String>,
}

impl Abilities {
    pub fn find(transport: &mut dyn Transport) -> Self {
        let mut lacks = |method: &str, more: &str| {
            let call = format!(r#"{{"method":"org.example.t.{method}"{more}}}"#);
            let transcript = transport.talk(&probe(&call));
            let reply = Reply::parse(transcript.messages.first()?).ok()?;
            let error = reply.error?;
            let is_absent = error == "org.varlink.service.MethodNotImplemented"
                || error == "org.varlink.service.MethodNotFound";
            is_absent.then(|| format!("the service does not serve {method}"))
        };
        let pipe = lacks("Pipe", r#","upgrade":true"#);
        let fds = lacks("Fds", "");
        let call = r#"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.example.t"}}"#;
        let text = transport.talk(&probe(call)).messages.into_iter().next();
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        let any = !text.contains("a: ?any") && text.contains("interface org.example.t");
        let unbound = !text.contains("method Unbound") && text.contains("interface org.example.t");
        Abilities {
            unbound: unbound.then(|| "the library serves all methods of its definition".into()),
            pipe,
            descriptors: transport.lacks(Need::Descriptors).map(Into::into).or(fds),
            connections: transport.lacks(Need::Connections).map(Into::into),
            any: any.then(|| "the service's definition has no field of type any".into()),
            limit: transport.lacks(Need::Limit).map(Into::into),
        }
    }

    fn lacks(&self, need: Need) -> Option<&String> {
        match need {
            Need::Nothing => None,
            Need::Descriptors => self.descriptors.as_ref(),
            Need::Pipe => self.pipe.as_ref(),
            Need::Any => self.any.as_ref(),
            Need::Unbound => self.unbound.as_ref(),
            Need::Limit => self.limit.as_ref(),
            Need::Connections => self.connections.as_ref(),
        }
    }
}

impl Scene {
    /// Returns the bytes that are sent, for a line of output.
    pub fn sent(&self) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Send(bytes) => text += &show(bytes),
                Piece::Descriptors(bytes, count) => {
                    text += &format!("[{count} descriptors]{}", show(bytes));
                }
                Piece::Await(_) | Piece::AwaitRead => {}
                Piece::HalfClose => text += "[end of input]",
                Piece::Leave => text += "[close]",
            }
            if text.len() > 600 {
                text += "...";
                break;
            }
        }
        text
    }

    /// Returns the number of bytes that are sent.
    pub fn length(&self) -> usize {
        let length = |piece: &Piece| match piece {
            Piece::Send(bytes) | Piece::Descriptors(bytes, _) => bytes.len(),
            _ => 0,
        };
        self.pieces.iter().map(length).sum()
    }

    /// Returns true if `messages` and `rest` are all that this conversation waits for.
    pub fn is_done(&self, messages: &[Vec<u8>], rest: &[u8]) -> bool {
        let last = messages.last();
        if last.is_some_and(|last| Reply::parse(last).is_ok_and(|reply| is_last(&reply))) {
            return true;
        }
        self.accepted.iter().any(|(replies, ending)| match ending {
            Ending::Upgraded(bytes) => {
                messages.len() >= replies.len()
                    && raw(messages, rest, replies.len()).len() >= bytes.len()
            }
            _ => false,
        })
    }

    /// Has the conversation, and judges it.
    pub fn run(&self, transport: &mut dyn Transport, abilities: &Abilities) -> (Verdict, String) {
        if let Some(reason) = abilities.lacks(self.need) {
            return (Verdict::NotApplicable(reason.clone()), String::new());
        }
        let transcript = transport.talk(self);
        if transcript.end == End::Unread {
            let reason = "the service does not read half a message from the socket";
            return (Verdict::NotApplicable(reason.into()), String::new());
        }
        let (verdict, came) = self.judge(&transcript);
        // A service that has ended is worse than a wrong reply.
        if transcript.end != End::Done
            && let Err(error) = is_alive(transport)
        {
            return (
                Verdict::Fail("the service answers a call over a new connection afterwards".into()),
                format!("{came}; afterwards {error}"),
            );
        }
        (verdict, came)
    }

    fn judge(&self, transcript: &Transcript) -> (Verdict, String) {
        let mut came: Vec<String> = transcript
            .messages
            .iter()
            .map(|m| show(m) + "\\0")
            .collect();
        if came.len() > 8 {
            came.truncate(8);
            came.push(format!("... {} messages", transcript.messages.len()));
        }
        if !transcript.rest.is_empty() {
            came.push(show(&transcript.rest));
        }
        if self.descriptors != transcript.descriptors {
            came.push(format!("[{} descriptors]", transcript.descriptors));
        }
        came.push(format!("[{}]", ended(&transcript.end)));
        let came = came.join(" ");
        let mut expected = Vec::new();
        for (replies, ending) in &self.accepted {
            match judge(replies, ending, transcript) {
                Ok(()) if transcript.descriptors == self.descriptors => {
                    return (Verdict::Pass, came);
                }
                Ok(()) => expected.push(format!("{} descriptors", self.descriptors)),
                Err(why) if expected.contains(&why) => {}
                Err(why) => expected.push(why),
            }
        }
        (Verdict::Fail(expected.join(", or ")), came)
    }
}

/// Makes a call over a new connection.
pub fn is_alive(transport: &mut dyn Transport) -> Result<(), String> {
    match transport.talk(&open("", "", Vec::new(), Vec::new())).end {
        End::Done => Ok(()),
        end => Err(ended(&end)),
    }
}

fn ended(end: &End) -> String {
    match end {
        End::Done => "open".into(),
        End::Closed => "closed".into(),
        End::Unread => "the service has not read half a message".into(),
        End::TimedOut => "nothing until the timeout".into(),
        End::Failed(error) => error.clone(),
    }
}

/// Returns what came after the replies of Varlink.
fn raw(messages: &[Vec<u8>], rest: &[u8], replies: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages.iter().skip(replies) {
        bytes.extend_from_slice(message);
        bytes.push(0);
    }
    bytes.extend_from_slice(rest);
    bytes
}

fn is_last(reply: &Reply) -> bool {
    reply.parameters.get("s") == Some(&json!(LAST))
}

fn judge(replies: &[Expect], ending: &Ending, transcript: &Transcript) -> Result<(), String> {
    for (index, expect) in replies.iter().enumerate() {
        let Some(message) = transcript.messages.get(index) else {
            return Err(format!("reply {}: {}", index + 1, expect.words()));
        };
        let reply = Reply::parse(message).map_err(|error| format!("a valid reply ({error})"))?;
        if is_last(&reply) || !expect.holds(message, &reply) {
            return Err(format!("reply {}: {}", index + 1, expect.words()));
        }
    }
    match ending {
        Ending::Open => {
            let reply = transcript.messages.get(replies.len());
            let reply = reply.and_then(|message| Reply::parse(message).ok());
            if !reply.is_some_and(|reply| is_last(&reply)) || transcript.end != End::Done {
                return Err(format!(
                    "{} replies, then the reply to the next call",
                    replies.len()
                ));
            }
        }
        Ending::Closed => {
            if transcript.messages.len() > replies.len() || !transcript.rest.is_empty() {
                return Err("no reply".into());
            }
            if transcript.end != End::Closed {
                return Err("the connection is closed".into());
            }
        }
        Ending::Silent => {
            if transcript.messages.len() > replies.len() || transcript.end != End::TimedOut {
                return Err("nothing more".into());
            }
        }
        Ending::Upgraded(bytes) => {
            let came = raw(&transcript.messages, &transcript.rest, replies.len());
            if came != *bytes {
                return Err(format!("after the upgrade {:?}", show(bytes)));
            }
        }
    }
    Ok(())
}

impl Expect {
    fn holds(&self, message: &[u8], reply: &Reply) -> bool {
        match self {
            Expect::Is(parameters, continues) => {
                reply.error.is_none()
                    && reply.continues == *continues
                    && Value::Object(reply.parameters.clone()) == *parameters
            }
            Expect::Got(value) => {
                let mut got = reply.parameters.get("got").cloned().unwrap_or_default();
                if let Value::Object(got) = &mut got {
                    got.retain(|_, value| !value.is_null());
                }
                reply.error.is_none() && !reply.continues && is_same(&got, value)
            }
            Expect::Error(name, parameters) => {
                let parameters = parameters.as_object().into_iter().flatten();
                reply.error.as_deref() == Some(name)
                    && !reply.continues
                    && parameters
                        .clone()
                        .all(|(key, value)| reply.parameters.get(key) == Some(value))
            }
            Expect::AnyError => reply.error.is_some(),
            Expect::Any => true,
            Expect::Passes(_, check) => check(message, reply),
        }
    }

    fn words(&self) -> String {
        match self {
            Expect::Is(parameters, false) => format!("parameters {parameters}"),
            Expect::Is(parameters, true) => format!("parameters {parameters}, continues"),
            Expect::Got(value) => format!("got {value}"),
            Expect::Error(name, parameters) => format!("the error {name} {parameters}"),
            Expect::AnyError => "an error".into(),
            Expect::Any => "a reply".into(),
            Expect::Passes(words, _) => (*words).into(),
        }
    }
}

/// Compares values. 3 and 3.0 are the same.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            a.as_f64() == b.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let has = |(key, a): (&String, &Value)| b.get(key).is_some_and(|b| is_same(a, b));
            a.len() == b.len() && a.iter().all(has)
        }
        _ => a == b,
    }
}

fn message(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

fn t(method: &str, parameters: &str) -> String {
    format!(r#"{{"method":"org.example.t.{method}","parameters":{parameters}}}"#)
}

fn with(method: &str, parameters: &str, flag: &str) -> String {
    format!(r#"{{"method":"org.example.t.{method}","parameters":{parameters},"{flag}":true}}"#)
}

fn need(text: &str) -> String {
    t("Need", &format!(r#"{{"s":"{text}"}}"#))
}

fn need_is(text: &str) -> Expect {
    Expect::Is(json!({ "s": text }), false)
}

fn nothing() -> Expect {
    Expect::Is(json!({}), false)
}

const INVALID: &str = "org.varlink.service.InvalidParameter";

fn invalid(parameter: &str) -> Expect {
    Expect::Error(INVALID, json!({ "parameter": parameter }))
}

fn invalid_any() -> Expect {
    Expect::Error(INVALID, json!({}))
}

/// Adds two checks: that a call is refused, and that the error names the top-level field.
fn refused(all: &mut Vec<Scene>, id: &'static str, what: &str, call: &str, name: &str) {
    let refused = one(id, &format!("{what} is refused"), call, vec![invalid_any()]).should();
    all.push(refused.or_closed());
    let named = one(id, &format!("{what} is named"), call, vec![invalid(name)]).own();
    all.push(named.or_closed());
}

/// A conversation after which the connection is open.
fn open(id: &'static str, what: &str, sends: Vec<Vec<u8>>, replies: Vec<Expect>) -> Scene {
    let mut pieces: Vec<Piece> = sends.into_iter().map(Piece::Send).collect();
    pieces.push(Piece::Send(message(&need(LAST))));
    Scene {
        id,
        what: what.into(),
        basis: Basis::Must,
        need: Need::Nothing,
        pieces,
        accepted: vec![(replies, Ending::Open)],
        beside: None,
        python: None,
        descriptors: 0,
    }
}

/// One call whose first reply is of interest. It has no name, so a failure is not reported.
fn probe(call: &str) -> Scene {
    let mut scene = open("", "", vec![message(call)], Vec::new());
    scene.pieces.truncate(1);
    scene.pieces.extend([Piece::Await(1), Piece::Leave]);
    scene
}

/// A message that closes the connection. The call before it is answered, the one after it is not.
fn closes(id: &'static str, what: &str, bad: impl AsRef<[u8]>) -> Scene {
    let mut bytes = bad.as_ref().to_vec();
    bytes.push(0);
    bytes.extend(message(&need(LAST)));
    Scene {
        pieces: vec![
            Piece::Send(message(&need("before"))),
            Piece::Await(1),
            Piece::Send(bytes),
        ],
        accepted: vec![(vec![need_is("before")], Ending::Closed)],
        ..open(id, what, Vec::new(), Vec::new())
    }
}

impl Scene {
    fn should(self) -> Self {
        let basis = Basis::Should;
        Scene { basis, ..self }
    }

    fn manners(self) -> Self {
        let basis = Basis::Manners;
        Scene { basis, ..self }
    }

    fn own(self) -> Self {
        let basis = Basis::Own;
        Scene { basis, ..self }
    }

    /// Either side may close a connection at any time, so a service may close it after an error.
    fn or_closed(mut self) -> Self {
        let first = self.accepted.first().map(|(replies, _)| replies.clone());
        self.accepted
            .extend(first.map(|replies| (replies, Ending::Closed)));
        self
    }

    fn needs(self, need: Need) -> Self {
        Scene { need, ..self }
    }
}

/// One call, its replies, and an open connection.
fn one(id: &'static str, what: &str, call: &str, replies: Vec<Expect>) -> Scene {
    open(id, what, vec![message(call)], replies)
}

/// Returns the checks.
pub fn scenes(limit: Option<usize>) -> Vec<Scene> {
    let mut all = Vec::new();
    framing(&mut all, limit);
    calls(&mut all);
    json_checks(&mut all);
    methods(&mut all);
    parameters(&mut all);
    upgrades(&mut all);
    introspection(&mut all);
    descriptors(&mut all);
    manners(&mut all);
    all
}

fn framing(all: &mut Vec<Scene>, limit: Option<usize>) {
    let call = message(&need("é🦀"));
    let mut split = open("F1", "a call split at every byte", Vec::new(), Vec::new());
    split.pieces.clear();
    for at in 1..call.len() {
        split.pieces.push(Piece::Send(call[..at].to_vec()));
        split.pieces.push(Piece::Send(call[at..].to_vec()));
        split.pieces.push(Piece::Await(at));
    }
    split.pieces.push(Piece::Send(message(&need(LAST))));
    split.accepted = vec![(vec![need_is("é🦀"); call.len() - 1], Ending::Open)];
    all.push(split);
    let bytes = call.iter().map(|byte| vec![*byte]).collect();
    all.push(open(
        "F1",
        "a call byte by byte",
        bytes,
        vec![need_is("é🦀")],
    ));
    let joined = [need("a"), need("b"), need("c")]
        .map(|call| message(&call))
        .concat();
    let replies = vec![need_is("a"), need_is("b"), need_is("c")];
    all.push(open(
        "F1",
        "three calls in one write",
        vec![joined],
        replies,
    ));
    let spaced = " \r\n\t{ \"method\" :\n\"org.example.t.Need\"\t,\r\"parameters\" : { \"s\" : \"x\" } \n } \t\r\n";
    all.push(one(
        "F2",
        "white space around and inside the object",
        spaced,
        vec![need_is("x")],
    ));
    for (what, call) in [
        (
            "GetInfo",
            r#"{"method":"org.varlink.service.GetInfo"}"#.to_string(),
        ),
        ("a reply", need("a b")),
        ("an error of the interface", t("Fail", "{}")),
        ("an error of org.varlink.service", t("Nothing", "{}")),
    ] {
        let what = format!("no white space outside strings: {what}");
        let compact = Expect::Passes("a reply without white space outside strings", is_compact);
        all.push(one("F3", &what, &call, vec![compact]).should());
    }
    let length = limit.unwrap_or_default() + 1;
    let mut long = closes("F4", "a message longer than the limit", vec![b' '; length])
        .needs(Need::Limit)
        .should();
    long.python = Some(format!("b' ' * {length} + b'\\0'"));
    all.push(long);
    let mut half = open("F5", "a half-close after a call", Vec::new(), Vec::new()).own();
    half.pieces = vec![Piece::Send(message(&need("half"))), Piece::HalfClose];
    half.accepted = vec![(vec![need_is("half")], Ending::Closed)];
    half.need = Need::Connections;
    all.push(half.clone());
    half.what = "the end inside a message gets no reply".into();
    half.pieces = vec![Piece::Send(need("half").into_bytes()), Piece::HalfClose];
    half.accepted = vec![(vec![], Ending::Closed)];
    all.push(half);
}

fn is_compact(message: &[u8], _: &Reply) -> bool {
    let (mut in_string, mut escaped) = (false, false);
    for byte in message {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b' ' | b'\t' | b'\r' | b'\n' if !in_string => return false,
            _ => {}
        }
    }
    true
}

fn calls(all: &mut Vec<Scene>) {
    let m = r#""method":"org.example.t.Empty""#;
    for (what, bad) in [
        ("an empty message", String::new()),
        ("text that is not JSON", "hello".into()),
        ("half an object", format!("{{{m}")),
        ("text after the object", format!("{{{m}}}x")),
        ("two objects in one message", format!("{{{m}}}{{{m}}}")),
        ("a list", format!("[{{{m}}}]")),
        ("a string", r#""org.example.t.Empty""#.into()),
        ("null", "null".into()),
        ("no method", r#"{"parameters":{}}"#.into()),
        ("a method that is a number", r#"{"method":1}"#.into()),
        ("a method that is null", r#"{"method":null}"#.into()),
        (
            "an unknown member without a dot",
            format!(r#"{{{m},"x":1}}"#),
        ),
        ("a call with error", format!(r#"{{{m},"error":"a.b.C"}}"#)),
        (
            "a call with continues",
            format!(r#"{{{m},"continues":true}}"#),
        ),
    ] {
        all.push(closes("C1", &format!("{what} closes"), bad));
    }
    for (what, bad) in [
        ("a byte order mark", format!("\u{feff}{{{m}}}")),
        (
            "parameters that are a list",
            format!(r#"{{{m},"parameters":[]}}"#),
        ),
        (
            "parameters that are a string",
            format!(r#"{{{m},"parameters":"x"}}"#),
        ),
        ("a duplicate method", format!("{{{m},{m}}}")),
    ] {
        all.push(closes("C1", &format!("{what} closes"), bad).own());
    }
    let mut pending = closes("C1", "", "").own();
    pending.what = "a reply that is pending arrives before the close".into();
    pending.pieces = vec![Piece::Send(
        [message(&need("before")), message("x")].concat(),
    )];
    all.push(pending);

    for flag in ["oneway", "more", "upgrade"] {
        for value in ["1", r#""true""#, "[]", "{}"] {
            let what = format!("{flag} that is {value} closes");
            all.push(closes("C2", &what, format!(r#"{{{m},"{flag}":{value}}}"#)));
        }
        for value in ["null", "false"] {
            let what = format!("{flag} that is {value} counts as absent");
            let call = format!(r#"{{"{flag}":{value},{m}}}"#);
            let scene = one("C2", &what, &call, vec![nothing()]);
            all.push(if value == "null" { scene.own() } else { scene });
        }
    }
    for (a, b) in [
        ("oneway", "more"),
        ("more", "upgrade"),
        ("upgrade", "oneway"),
    ] {
        let what = format!("{a} and {b} close");
        all.push(closes(
            "C2",
            &what,
            format!(r#"{{{m},"{a}":true,"{b}":true}}"#),
        ));
        let what = format!("{b} that is true with {a} that is false is valid");
        let call = format!(r#"{{{m},"{b}":true,"{a}":false}}"#);
        let replies = if b == "oneway" {
            vec![]
        } else {
            vec![Expect::Any]
        };
        // "Set more than one of them" can be read as "more than one is there".
        all.push(one("C2", &what, &call, replies).own());
    }
    for parameters in ["", r#","parameters":null"#, r#","parameters":{}"#] {
        let what = format!("no parameters as {:?}", parameters.trim_start_matches(','));
        all.push(one(
            "C3",
            &what,
            &format!("{{{m}{parameters}}}"),
            vec![nothing()],
        ));
        let call = format!(r#"{{"method":"org.example.t.Need"{parameters}}}"#);
        let missing = Expect::Error(INVALID, json!({}));
        let scene = one("C3", &(what + ", one is needed"), &call, vec![missing]);
        // The three are the same even if the service closes on all of them: M5 is about that.
        let mut scene = scene.or_closed();
        scene.accepted.push((vec![], Ending::Closed));
        all.push(scene);
    }
    for value in ["1", "null", r#"{"a":[{"b":"c"}]}"#, r#""x""#] {
        let what = format!("a member with a dot is ignored: {value}");
        let call = format!(r#"{{"com.example.x":{value},{m},"a.b":{value}}}"#);
        let scene = one("C4", &what, &call, vec![nothing()]);
        // An extension is an object.
        let is_object = value.starts_with('{');
        all.push(if is_object {
            scene.should()
        } else {
            scene.own()
        });
    }
    for (what, call) in [
        (
            "an escaped member name",
            r#"{"meth\u006fd":"org.example.t.Need","par\u0061meters":{"s":"x"}}"#,
        ),
        (
            "an escaped method",
            r#"{"method":"org.example.t.N\u0065ed","parameters":{"s":"x"}}"#,
        ),
        (
            "an escaped parameter name",
            r#"{"method":"org.example.t.Need","parameters":{"\u0073":"x"}}"#,
        ),
    ] {
        all.push(one("C5", what, call, vec![need_is("x")]));
    }
    let flag = r#"{"method":"org.example.t.Empty","onew\u0061y":true}"#;
    all.push(one("C5", "an escaped flag", flag, vec![]));
    let hundred: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let sent = hundred.iter().flat_map(|n| message(&need(n))).collect();
    let replies = hundred.iter().map(|n| need_is(n)).collect();
    all.push(open(
        "C6",
        "a hundred calls are answered in order",
        vec![sent],
        replies,
    ));
    let sent = [
        message(&with("Count", r#"{"n":5}"#, "more")),
        message(&need("x")),
    ]
    .concat();
    let mut replies: Vec<Expect> = counted(5);
    replies.push(need_is("x"));
    all.push(open(
        "C6",
        "a call waits for the stream before it",
        vec![sent],
        replies,
    ));
}

fn counted(n: i64) -> Vec<Expect> {
    (0..n)
        .map(|i| Expect::Is(json!({ "i": i }), i + 1 < n))
        .collect()
}

fn json_checks(all: &mut Vec<Scene>) {
    for (what, field) in [
        ("a raw line feed in a string", "\"s\":\"a\nb\""),
        ("a raw control character", "\"s\":\"a\u{1}b\""),
        ("a leading zero", r#""i":01"#),
        ("a leading plus", r#""i":+1"#),
        ("a leading point", r#""f":.5"#),
        ("a trailing point", r#""f":1."#),
        ("NaN", r#""f":NaN"#),
        ("Infinity", r#""f":-Infinity"#),
        ("a hexadecimal number", r#""i":0x10"#),
        (r"\x41", r#""s":"\x41""#),
        ("half an escape", r#""s":"\u00""#),
        ("a lone high surrogate", r#""s":"\ud83e""#),
        ("a lone low surrogate", r#""s":"\udd80""#),
        ("a trailing comma in an object", r#""i":1,"#),
        ("a trailing comma in a list", r#""l":[1,]"#),
        ("a comment", r#""i":1/* one */"#),
        ("single quotes", "'s':'x'"),
        ("a name without quotes", "i:1"),
        ("True", r#""b":True"#),
        ("a missing colon", r#""i" 1"#),
    ] {
        let bad = t("Echo", &format!("{{{field}}}"));
        let scene = closes("C7", &format!("{what} closes"), bad);
        // The grammar of RFC 8259 has lone surrogates. No string of Unicode text has them.
        let is_surrogate = what.starts_with("a lone");
        all.push(if is_surrogate { scene.own() } else { scene });
    }
    for (what, bytes) in [
        ("overlong UTF-8", &b"\xc0\xaf"[..]),
        ("half of a UTF-8 character", b"\xe2\x82"),
        ("a UTF-8 surrogate", b"\xed\xa0\x80"),
        ("a byte that is not UTF-8", b"\xff"),
    ] {
        let mut bad = br#"{"method":"org.example.t.Echo","parameters":{"s":""#.to_vec();
        bad.extend_from_slice(bytes);
        bad.extend_from_slice(b"\"}}");
        all.push(closes("C7", &format!("{what} closes"), bad));
    }
    for (what, text, value) in [
        ("U+FFFF", "\u{ffff}", "\u{ffff}"),
        ("0x7F", "\u{7f}", "\u{7f}"),
        (r"\u0000", r"a\u0000b", "a\0b"),
        ("a surrogate pair", r"\ud83e\udd80", "🦀"),
        (
            "every short escape",
            r#"\"\\\/\b\f\n\r\t"#,
            "\"\\/\u{8}\u{c}\n\r\t",
        ),
        ("four byte UTF-8", "🦀", "🦀"),
    ] {
        all.push(one(
            "C7",
            &format!("{what} is valid"),
            &need(text),
            vec![need_is(value)],
        ));
    }
    for (text, value) in [("-0", 0.0), ("1E+2", 100.0), ("0.5e-1", 0.05)] {
        let call = t("Echo", &format!(r#"{{"f":{text}}}"#));
        let reply = Expect::Got(json!({ "f": value }));
        all.push(one("C7", &format!("{text} is valid"), &call, vec![reply]));
    }
    let depth = 100_000;
    let mut deep = closes("C8", "100,000 lists in lists", "").own();
    let text = format!(
        r#"{{"o":{{"x":{}1{}}}}}"#,
        "[".repeat(depth),
        "]".repeat(depth)
    );
    deep.pieces = vec![
        Piece::Send(message(&t("Echo", &text))),
        Piece::Send(message(&need(LAST))),
    ];
    deep.accepted = vec![(vec![], Ending::Closed), (vec![Expect::Any], Ending::Open)];
    deep.python = Some(format!(
        "b'{{\"method\":\"org.example.t.Echo\",\"parameters\":{{\"o\":{{\"x\":' + b'[' * {depth} + b'1' + b']' * {depth} + b'}}}}}}\\0'"
    ));
    all.push(deep.clone());
    deep.what = "a million open brackets".into();
    let text = format!(
        r#"{{"method":"org.example.t.Echo","parameters":{{"o":{{"x":{}"#,
        "[".repeat(1_000_000)
    );
    deep.pieces = vec![
        Piece::Send(message(&text)),
        Piece::Send(message(&need(LAST))),
    ];
    deep.accepted = vec![(vec![], Ending::Closed)];
    deep.python = Some("b'{\"method\":\"org.example.t.Echo\",\"parameters\":{\"o\":{\"x\":' + b'[' * 1000000 + b'\\0'".into());
    all.push(deep);
}

fn methods(all: &mut Vec<Scene>) {
    for (what, call) in [
        ("a method without a reply", with("Empty", "{}", "oneway")),
        (
            "a method with a reply",
            with("Need", r#"{"s":"x"}"#, "oneway"),
        ),
        ("an error", with("Fail", "{}", "oneway")),
        ("a missing parameter", with("Need", "{}", "oneway")),
        (
            "an ill-typed parameter",
            with("Need", r#"{"s":1}"#, "oneway"),
        ),
        ("an unknown method", with("Nothing", "{}", "oneway")),
        (
            "an unknown interface",
            r#"{"method":"org.example.none.X","oneway":true}"#.into(),
        ),
        (
            "a method without a dot",
            r#"{"method":"X","oneway":true}"#.into(),
        ),
        (
            "a method that is not served",
            with("Unbound", "{}", "oneway"),
        ),
        (
            "a method that needs more",
            with("Count", r#"{"n":3}"#, "oneway"),
        ),
        ("a method that needs upgrade", with("Pipe", "{}", "oneway")),
    ] {
        all.push(one(
            "M1",
            &format!("oneway is not answered: {what}"),
            &call,
            vec![],
        ));
    }
    let info = r#"{"method":"org.varlink.service.GetInfo","oneway":true}"#;
    all.push(one("M1", "oneway is not answered: GetInfo", info, vec![]));
    for n in [1, 2, 3, 50] {
        let call = with("Count", &format!(r#"{{"n":{n}}}"#), "more");
        all.push(one(
            "M2",
            &format!("a stream of {n} replies has one end"),
            &call,
            counted(n),
        ));
    }
    let oops = Expect::Error("org.example.t.Oops", json!({"why": "because"}));
    let fail = with("Fail", "{}", "more");
    all.push(one(
        "M2",
        "an error has no continues",
        &fail,
        vec![oops.clone()],
    ));
    all.push(one(
        "M2",
        "a method that fails has its error",
        &t("Fail", "{}"),
        vec![oops.clone()],
    ));
    let none = with("Count", r#"{"n":0}"#, "more");
    all.push(one(
        "M2",
        "a stream that cannot begin is one error",
        &none,
        vec![Expect::AnyError],
    ));
    let expected_more = Expect::Error("org.varlink.service.ExpectedMore", json!({}));
    let expected_upgrade = Expect::Error("org.varlink.service.ExpectedUpgrade", json!({}));
    let n = r#"{"n":3}"#;
    let more = one(
        "M3",
        "a stream without more",
        &t("Count", n),
        vec![expected_more],
    );
    all.push(more.should());
    let upgrade = one(
        "M3",
        "Pipe without upgrade",
        &t("Pipe", "{}"),
        vec![expected_upgrade],
    );
    all.push(upgrade.needs(Need::Pipe).should());
    // Silence would be wrong. Which error it is, is not said.
    let other = with("Count", n, "upgrade");
    all.push(
        one(
            "M3",
            "a stream with upgrade is an error",
            &other,
            vec![Expect::AnyError],
        )
        .own(),
    );
    let other = with("Pipe", "{}", "more");
    let scene = one(
        "M3",
        "Pipe with more is an error",
        &other,
        vec![Expect::AnyError],
    );
    all.push(scene.needs(Need::Pipe).own());
    for (what, call, reply) in [
        (
            "more on a plain method: one final reply",
            with("Empty", "{}", "more"),
            nothing(),
        ),
        (
            "more on Need: one final reply",
            with("Need", r#"{"s":"x"}"#, "more"),
            need_is("x"),
        ),
    ] {
        all.push(one("M3", what, &call, vec![reply]).should());
    }
    for (what, method, error, key, value) in [
        (
            "an unknown interface",
            "org.example.none.X",
            "InterfaceNotFound",
            "interface",
            "org.example.none",
        ),
        (
            "an unknown method",
            "org.example.t.None",
            "MethodNotFound",
            "method",
            "org.example.t.None",
        ),
        (
            "a method that is not served",
            "org.example.t.Unbound",
            "MethodNotImplemented",
            "method",
            "org.example.t.Unbound",
        ),
        (
            "an unknown method of org.varlink.service",
            "org.varlink.service.X",
            "MethodNotFound",
            "method",
            "org.varlink.service.X",
        ),
        (
            "a name without a dot",
            "Dance",
            "MethodNotFound",
            "method",
            "Dance",
        ),
        (
            "a name with bad characters",
            "a b.c!.D",
            "MethodNotFound",
            "method",
            "a b.c!.D",
        ),
        ("an empty name", "", "MethodNotFound", "method", ""),
    ] {
        let error: &'static str = match error {
            "InterfaceNotFound" => "org.varlink.service.InterfaceNotFound",
            "MethodNotFound" => "org.varlink.service.MethodNotFound",
            _ => "org.varlink.service.MethodNotImplemented",
        };
        let call = format!(r#"{{"method":"{method}"}}"#);
        let reply = Expect::Error(error, json!({ key: value }));
        let is_name = method.starts_with("org.");
        let any = Expect::Error(error, json!({}));
        for (what, reply) in [(what.to_string(), any), (format!("{what} is named"), reply)] {
            // The specification does not say which error a name that is not valid gets, and that
            // a method is named in full.
            let is_should = is_name && (!what.ends_with("named") || key == "interface");
            let mut scene = one("M4", &what, &call, vec![reply]);
            if method.ends_with("Unbound") {
                scene.need = Need::Unbound;
            }
            all.push(if is_should {
                scene.should()
            } else {
                scene.own()
            });
        }
    }
}

fn parameters(all: &mut Vec<Scene>) {
    for (what, method, parameters, name) in [
        ("an unknown parameter", "Need", r#"{"s":"x","t":1}"#, "t"),
        (
            "an unknown parameter of a method without any",
            "Empty",
            r#"{"x":1}"#,
            "x",
        ),
        ("a missing parameter", "Need", "{}", "s"),
        ("a null parameter", "Need", r#"{"s":null}"#, "s"),
        ("a number for a string", "Need", r#"{"s":1}"#, "s"),
        ("a string for an int", "Echo", r#"{"i":"x"}"#, "i"),
        ("a string for a float", "Echo", r#"{"f":"x"}"#, "f"),
        ("a number for a bool", "Echo", r#"{"b":1}"#, "b"),
        ("a list for an object", "Echo", r#"{"o":[]}"#, "o"),
        ("an object for a list", "Echo", r#"{"l":{}}"#, "l"),
        ("a list for a map", "Echo", r#"{"m":[]}"#, "m"),
        ("a wrong element of a list", "Echo", r#"{"l":[1,"x"]}"#, "l"),
        ("a wrong value of a map", "Echo", r#"{"m":{"a":1}}"#, "m"),
        (
            "an unknown value of an enumeration",
            "Echo",
            r#"{"c":"blue"}"#,
            "c",
        ),
    ] {
        refused(all, "M5", what, &t(method, parameters), name);
    }
    for (what, parameters) in [
        ("absent is null", "{}"),
        ("null is absent", r#"{"s":null,"l":null,"o":null,"i":null}"#),
    ] {
        let same = Expect::Got(json!({}));
        all.push(one("M6", what, &t("Echo", parameters), vec![same]));
    }
    for (what, parameters) in [
        ("an empty list is not null", r#"{"l":[]}"#),
        ("an empty map is not null", r#"{"m":{}}"#),
        ("an empty object is not null", r#"{"o":{}}"#),
        ("an empty string is not null", r#"{"s":""}"#),
        (
            "values of each type come back",
            r#"{"i":1,"f":1.5,"b":true,"s":"x","o":{"p":[1,null]},"l":[1,2],"m":{"k":"v"},"c":"red"}"#,
        ),
    ] {
        let value = serde_json::from_str(parameters).unwrap_or_default();
        all.push(one(
            "M6",
            what,
            &t("Echo", parameters),
            vec![Expect::Got(value)],
        ));
    }
    for (what, parameters) in [
        ("null in a list", r#"{"l":[1,null]}"#),
        ("null in a map", r#"{"m":{"a":null}}"#),
    ] {
        let error = Expect::Error(INVALID, json!({}));
        all.push(
            one("M6", what, &t("Echo", parameters), vec![error])
                .should()
                .or_closed(),
        );
    }
    for (what, int) in [
        ("the largest int", i64::MAX),
        ("the smallest int", i64::MIN),
        ("an int that no float holds", 9_007_199_254_740_993),
    ] {
        let call = t("Echo", &format!(r#"{{"i":{int}}}"#));
        let reply = Expect::Got(json!({ "i": int }));
        all.push(one("M7", &format!("{what} comes back"), &call, vec![reply]).should());
    }
    for (what, text) in [
        ("an int beyond 64 bits", "18446744073709551616"),
        ("an int with a fraction", "1.5"),
        ("an int with an exponent", "1e3"),
        ("an int that is much too large", "1e30"),
    ] {
        let call = t("Echo", &format!(r#"{{"i":{text}}}"#));
        let mut scene = one("M7", what, &call, vec![invalid_any()])
            .should()
            .or_closed();
        if text.len() == 20 {
            // A service may have larger integers.
            let same = Expect::Passes("got.i is 18446744073709551616", |message, _| {
                String::from_utf8_lossy(message).contains("18446744073709551616")
            });
            scene.accepted.push((vec![same], Ending::Open));
        }
        all.push(scene);
    }
    let float = t("Echo", r#"{"f":3}"#);
    let three = Expect::Got(json!({ "f": 3 }));
    all.push(one("M7", "an int is a valid float", &float, vec![three]).should());
    let call = t("Echo", r#"{"f":1e400}"#);
    let mut scene = one(
        "M7",
        "a float does not overflow",
        &call,
        vec![invalid_any()],
    )
    .should();
    scene.accepted.push((vec![], Ending::Closed));
    all.push(scene);
    let text = with("Count", r#"{"n":"5"}"#, "more");
    all.push(
        one(
            "M10",
            "a number in a string is refused",
            &text,
            vec![invalid_any()],
        )
        .own(),
    );
    for (what, method, parameters) in [
        ("a duplicate parameter", "Need", r#"{"s":"a","s":"b"}"#),
        (
            "a duplicate parameter, escaped",
            "Need",
            r#"{"s":"a","\u0073":"b"}"#,
        ),
        (
            "a duplicate key of a map",
            "Echo",
            r#"{"m":{"a":"1","a":"2"}}"#,
        ),
    ] {
        let scene = one("M9", what, &t(method, parameters), vec![invalid_any()]);
        all.push(scene.own().or_closed());
    }
    let call = t("Echo", r#"{"o":{"a":1,"a":2}}"#);
    let some = Expect::Passes("no error", |_, reply| reply.error.is_none());
    all.push(
        one(
            "M9",
            "a duplicate key of an object is passed through",
            &call,
            vec![some],
        )
        .own(),
    );
    let bare = Expect::Passes("a reply without the member parameters", |message, _| {
        serde_json::from_slice::<Value>(message).is_ok_and(|v| v.get("parameters").is_none())
    });
    all.push(
        one(
            "W5",
            "empty parameters are not written",
            &t("Empty", "{}"),
            vec![bare],
        )
        .should(),
    );
    let any = t("Echo", r#"{"a":[1,{"b":null},"c"]}"#);
    let same = Expect::Got(json!({ "a": [1, { "b": null }, "c"] }));
    all.push(one("I1", "any takes every value", &any, vec![same]).needs(Need::Any));
}

fn upgrades(all: &mut Vec<Scene>) {
    let call = message(&with("Pipe", "{}", "upgrade"));
    let bytes = b"raw\0{}\0\xff\nend".to_vec();
    let mut scene = open("U1", "", Vec::new(), Vec::new()).needs(Need::Pipe);
    scene.accepted = vec![(vec![nothing()], Ending::Upgraded(bytes.clone()))];
    for (what, pieces) in [
        (
            "bytes after the confirmation come back",
            vec![
                Piece::Send(call.clone()),
                Piece::Await(1),
                Piece::Send(bytes.clone()),
            ],
        ),
        (
            "bytes in the write of the call come back",
            vec![Piece::Send([call.clone(), bytes.clone()].concat())],
        ),
        (
            "calls in the write before the upgrade are answered",
            vec![Piece::Send(
                [message(&need("x")), call.clone(), bytes.clone()].concat(),
            )],
        ),
    ] {
        let mut scene = scene.clone();
        scene.what = what.into();
        scene.pieces = pieces;
        if what.starts_with("calls") {
            let replies = vec![need_is("x"), nothing()];
            scene.accepted = vec![(replies, Ending::Upgraded(bytes.clone()))];
        }
        all.push(scene);
    }
    let fail = with("Fail", "{}", "upgrade");
    let reply = vec![Expect::AnyError];
    all.push(one(
        "U2",
        "an error leaves a Varlink connection",
        &fail,
        reply.clone(),
    ));
    let none = with("None", "{}", "upgrade");
    let scene = one(
        "U2",
        "an unknown method leaves a Varlink connection",
        &none,
        reply,
    );
    all.push(scene.own());
    let plain = with("Need", r#"{"s":"x"}"#, "upgrade");
    all.push(
        one(
            "U3",
            "upgrade on a plain method is a plain call",
            &plain,
            vec![need_is("x")],
        )
        .own(),
    );
}

fn introspection(all: &mut Vec<Scene>) {
    let service = |method: &str, parameters: &str| {
        format!(r#"{{"method":"org.varlink.service.{method}","parameters":{parameters}}}"#)
    };
    let lists = Expect::Passes(
        "interfaces has org.varlink.service and org.example.t",
        |_, reply| {
            let interfaces = reply.parameters.get("interfaces").and_then(Value::as_array);
            let has = |name| interfaces.is_some_and(|all| all.contains(&json!(name)));
            has("org.varlink.service") && has("org.example.t")
        },
    );
    let text = Expect::Passes(
        "vendor, product, version and url are strings",
        |_, reply| {
            let is_text = |name| reply.parameters.get(name).is_some_and(Value::is_string);
            ["vendor", "product", "version", "url"]
                .into_iter()
                .all(is_text)
        },
    );
    all.push(one(
        "S1",
        "GetInfo lists the interfaces",
        &service("GetInfo", "{}"),
        vec![lists],
    ));
    all.push(one(
        "S1",
        "GetInfo has four strings",
        &service("GetInfo", "{}"),
        vec![text],
    ));
    let own = service(
        "GetInterfaceDescription",
        r#"{"interface":"org.example.t"}"#,
    );
    let comments = Expect::Passes(
        "the comments of the interface, its types, methods and errors",
        |_, reply| {
            let text = description(reply);
            let mut comments: Vec<&str> = Vec::new();
            for line in DEFINITION.lines() {
                if let Some(comment) = line.strip_prefix('#') {
                    comments.push(comment.trim());
                    continue;
                }
                // A service may leave out a method that it does not serve.
                let declaration = line.split(['(', ' ']).take(2).collect::<Vec<_>>().join(" ");
                let is_there = text.contains(&declaration);
                if is_there && !comments.drain(..).all(|comment| text.contains(comment)) {
                    return false;
                }
                comments.clear();
            }
            true
        },
    );
    all.push(one(
        "S2",
        "a description has its comments",
        &own,
        vec![comments],
    ));
    let exact = Expect::Passes("the definition, byte for byte", |_, reply| {
        let text = description(reply);
        text == DEFINITION || text == DEFINITION.replace(ANY, "")
    });
    all.push(
        one(
            "S2",
            "a description is the author's text",
            &own,
            vec![exact],
        )
        .own(),
    );
    let unknown = service(
        "GetInterfaceDescription",
        r#"{"interface":"org.example.none"}"#,
    );
    let error = Expect::Error(
        "org.varlink.service.InterfaceNotFound",
        json!({"interface": "org.example.none"}),
    );
    all.push(one("S3", "an unknown interface", &unknown, vec![error]).should());
    for (what, parameters) in [
        ("no interface", "{}"),
        ("an interface that is a number", r#"{"interface":1}"#),
    ] {
        let call = service("GetInterfaceDescription", parameters);
        refused(all, "S3", what, &call, "interface");
    }
    let call = service(
        "GetInterfaceDescription",
        r#"{"interface":"org.varlink.service"}"#,
    );
    let errors = Expect::Passes("all seven errors of org.varlink.service", |_, reply| {
        let text = description(reply);
        let has = |name| text.contains(&format!("error {name}"));
        let names = [
            "InterfaceNotFound",
            "MethodNotFound",
            "MethodNotImplemented",
            "InvalidParameter",
            "PermissionDenied",
            "ExpectedMore",
            "ExpectedUpgrade",
        ];
        names.into_iter().all(has)
    });
    all.push(one(
        "S4",
        "the errors of org.varlink.service",
        &call,
        vec![errors],
    ));
}

fn description(reply: &Reply) -> &str {
    let text = reply.parameters.get("description");
    text.and_then(Value::as_str).unwrap_or_default()
}

/// More than a quarter of the smallest send buffer of a Unix socket. Such a socket has room again
/// only after its peer has read that.
const HALF: usize = 2000;

fn descriptors(all: &mut Vec<Scene>) {
    let call = message(&t("Fds", "{}"));
    for count in [1, 3] {
        let what = format!("{count} descriptors with the first byte of a call come back");
        let replies = vec![Expect::Is(json!({ "n": count }), false)];
        let mut scene = open("X1", &what, Vec::new(), replies).needs(Need::Descriptors);
        scene
            .pieces
            .insert(0, Piece::Descriptors(call.clone(), count));
        scene.descriptors = count;
        all.push(scene);
    }
    let what = "a descriptor inside a message closes";
    let mut inside = closes("X1", what, "").needs(Need::Descriptors);
    inside.pieces.truncate(2);
    // The kernel joins what is sent before the descriptors with them, until it is read.
    let first = format!("{{{}", " ".repeat(HALF));
    inside
        .pieces
        .extend([Piece::Send(first.into_bytes()), Piece::AwaitRead]);
    let rest = [call[1..].to_vec(), message(&need(LAST))].concat();
    inside.pieces.push(Piece::Descriptors(rest, 1));
    all.push(inside.clone().own());
    inside.what = "a descriptor inside a message is not accepted".into();
    let replies = |reply| vec![need_is("before"), reply];
    let none = Expect::Is(json!({ "n": 0 }), false);
    inside.accepted.extend([
        (replies(Expect::AnyError), Ending::Open),
        (replies(none), Ending::Open),
        (vec![need_is("before")], Ending::Silent),
    ]);
    all.push(inside);
}

fn manners(all: &mut Vec<Scene>) {
    for (what, bytes) in [
        ("half a message", need("x").into_bytes()[..20].to_vec()),
        (
            "a long stream that it does not read",
            message(&with("Count", r#"{"n":1000000000}"#, "more")),
        ),
        (
            "many calls whose replies it does not read",
            message(&need(&"x".repeat(1000))).repeat(2000),
        ),
    ] {
        let what = format!("others are served while a client sends {what}");
        let mut scene = open("L1", &what, vec![message(&need("x"))], vec![need_is("x")]);
        scene.beside = Some(bytes);
        all.push(scene.needs(Need::Connections).manners());
    }
    let call = message(&with("Count", r#"{"n":1000}"#, "more"));
    for at in [1, call.len() / 2, call.len()] {
        let what =
            format!("the service goes on after a client that leaves after byte {at} of a call");
        let mut scene = open("L4", &what, Vec::new(), Vec::new());
        scene.pieces = vec![Piece::Send(call[..at].to_vec()), Piece::Leave];
        scene.accepted = vec![(vec![], Ending::Closed)];
        all.push(scene.needs(Need::Connections).manners());
    }
}
