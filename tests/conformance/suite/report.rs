//! Lines of output, JSON, and commands that repeat a check.

use serde_json::{Value, json};

use super::service::{Piece, Scene};
use super::{Basis, Verdict};

/// The result of a check, for output.
pub struct Line {
    pub id: &'static str,
    pub what: String,
    pub basis: Basis,
    pub verdict: Verdict,
    pub sent: String,
    pub came: String,
    pub reproducer: String,
}

impl Line {
    /// Returns the word for the verdict.
    pub fn word(&self) -> &'static str {
        match (&self.verdict, self.basis) {
            (Verdict::Pass, _) => "pass",
            (Verdict::NotApplicable(_), _) => "not applicable",
            (Verdict::Fail(_), Basis::Own) => "differs",
            (Verdict::Fail(_), _) => "FAIL",
        }
    }

    pub fn text(&self) -> String {
        let (id, what) = (self.id, &self.what);
        let mut text = format!("{id} {} - {what}", self.word());
        match &self.verdict {
            Verdict::NotApplicable(reason) => text += &format!(": {reason}"),
            Verdict::Pass => text += &format!("; sent: {}; came: {}", self.sent, self.came),
            Verdict::Fail(expected) => {
                text += &format!("; sent: {}; came: {}", self.sent, self.came);
                text += &format!("; expected: {expected} ({})", self.basis.name());
                text += &format!("\n    {}", self.reproducer);
            }
        }
        text
    }

    pub fn json(&self) -> Value {
        let expected = match &self.verdict {
            Verdict::Fail(expected) => Some(expected),
            _ => None,
        };
        let reason = match &self.verdict {
            Verdict::NotApplicable(reason) => Some(reason),
            _ => None,
        };
        json!({
            "id": self.id,
            "what": self.what,
            "basis": self.basis.name(),
            "result": self.word(),
            "sent": self.sent,
            "came": self.came,
            "expected": expected,
            "reason": reason,
            "reproducer": self.reproducer,
        })
    }
}

/// Returns a command for a shell that does what a scene does.
pub fn reproducer(scene: &Scene, address: &str) -> String {
    if let Some(python) = &scene.python {
        return python_client(python, address);
    }
    let by_descriptors = |piece: &Piece| matches!(piece, Piece::Descriptors(..));
    // printf cannot send descriptors, use two connections, or wait at each of many points.
    if scene.pieces.iter().any(by_descriptors) || scene.beside.is_some() || scene.pieces.len() > 8 {
        let what = quote(&scene.what);
        return format!("cargo run --features tools --example conform {address} --only {what}");
    }
    let mut groups = vec![Vec::new()];
    let mut is_half_closed = false;
    for piece in &scene.pieces {
        match piece {
            Piece::Send(bytes) | Piece::Descriptors(bytes, _) => {
                if let Some(last) = groups.last_mut() {
                    last.extend_from_slice(bytes);
                }
            }
            Piece::Await(_) | Piece::AwaitRead => groups.push(Vec::new()),
            Piece::HalfClose | Piece::Leave => is_half_closed = true,
        }
    }
    groups.retain(|group| !group.is_empty());
    let mut printed = groups
        .iter()
        .map(|group| printf(group))
        .collect::<Vec<_>>()
        .join("; sleep 1; ");
    if !is_half_closed {
        printed += "; sleep 1";
    }
    let printed = match printed.contains(';') {
        true => format!("({printed})"),
        false => printed,
    };
    format!("{printed} | socat -t 2 - {}", socat(address))
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Returns printf(1) with bytes as its format.
fn printf(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'%' => text.push_str("%%"),
            b'\\' => text.push_str(r"\\"),
            b'\'' => text.push_str(r"'\''"),
            b' '..=b'~' => text.push(char::from(*byte)),
            byte => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    format!("printf '{text}'")
}

fn socat(address: &str) -> String {
    let address = address.split(';').next().unwrap_or_default();
    match (
        address.strip_prefix("unix:@"),
        address.strip_prefix("unix:"),
        address.strip_prefix("tcp:"),
    ) {
        (Some(name), _, _) => format!("ABSTRACT:{name}"),
        (_, Some(path), _) => format!("UNIX:{path}"),
        (_, _, Some(host)) => format!("TCP:{host}"),
        _ => format!("UNIX:{address}"),
    }
}

fn python_client(bytes: &str, address: &str) -> String {
    let path = address.split(';').next().unwrap_or_default();
    let path = path.strip_prefix("unix:").unwrap_or(path);
    let connect = match path
        .strip_prefix("tcp:")
        .and_then(|address| address.rsplit_once(':'))
    {
        Some((host, port)) => format!("s=socket.create_connection(('{host}',{port}))"),
        None => format!(
            "s=socket.socket(socket.AF_UNIX); s.connect('{}')",
            path.replacen('@', "\\0", 1)
        ),
    };
    let code = format!(
        "import socket; {connect}; s.settimeout(5); s.sendall({bytes}); print(s.recv(9999))"
    );
    format!("python3 -c {}", quote(&code))
}

/// Returns a command that sends bytes to the next client, which makes the call of a step.
pub fn listener(bytes: &[u8], step: &str, address: &str) -> String {
    let address = socat(address);
    let (kind, rest) = address.split_once(':').unwrap_or_default();
    let call = match step {
        "empty" => "Empty",
        "more" => "Count with more",
        "upgrade" => "Pipe with upgrade",
        "oneway" => "Empty with oneway, then Need",
        _ => "Need",
    };
    format!(
        "({}; sleep 1) | socat - {kind}-LISTEN:{rest}  # then call {call}",
        printf(bytes)
    )
}
