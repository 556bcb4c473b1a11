//! Makes cases smaller.

use super::case::{Call, Case};
use crate::station::value::Value;

/// Returns smaller cases, the smallest first.
pub fn smaller(case: &Case) -> Vec<Case> {
    match case {
        Case::Call(call) => calls(call).into_iter().map(Case::Call).collect(),
        Case::Frame(bytes) => {
            let mut frames = Vec::new();
            parts(bytes.len(), |start, end| {
                frames.push(Case::Frame([&bytes[..start], &bytes[end..]].concat()));
            });
            frames
        }
    }
}

fn calls(call: &Call) -> Vec<Call> {
    let mut calls = Vec::new();
    if call.parameters.is_some() {
        let parameters = None;
        calls.push(Call {
            parameters,
            ..call.clone()
        });
    }
    for index in 0..call.members.len() {
        let mut other = call.clone();
        other.members.remove(index);
        calls.push(other);
    }
    for parameters in call.parameters.iter().flat_map(values) {
        let parameters = Some(parameters);
        calls.push(Call {
            parameters,
            ..call.clone()
        });
    }
    calls
}

/// Returns smaller values. Each is shorter than the value, or a smaller number.
fn values(value: &Value) -> Vec<Value> {
    let mut smaller = Vec::new();
    match value {
        Value::Token(token) => {
            let number = token.parse::<i64>().ok();
            for other in ["0", "1", "null"] {
                if other.len() < token.len() || number.is_some_and(|number| number > 1) {
                    smaller.push(Value::token(other));
                }
            }
            if let Some(number) = number.filter(|number| number.unsigned_abs() > 1) {
                smaller.push(Value::token(number / 2));
                smaller.push(Value::token(number - number.signum()));
            }
            // A deep value: half as deep.
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let depth = token.matches(open).count();
                if depth > 0 {
                    for depth in [depth / 2, depth - 1] {
                        let (open, close) = (open.repeat(depth), close.repeat(depth));
                        smaller.push(Value::token(format_args!("{open}0{close}")));
                    }
                }
            }
        }
        Value::String(text) => {
            let chars: Vec<char> = text.chars().collect();
            parts(chars.len(), |start, end| {
                let rest = chars[..start].iter().chain(&chars[end..]);
                smaller.push(Value::String(rest.collect()));
            });
        }
        Value::List(items) => {
            parts(items.len(), |start, end| {
                smaller.push(Value::List([&items[..start], &items[end..]].concat()));
            });
            for (index, item) in items.iter().enumerate() {
                smaller.extend(values(item).into_iter().map(|item| {
                    let mut items = items.clone();
                    items[index] = item;
                    Value::List(items)
                }));
            }
        }
        Value::Object(members) => {
            parts(members.len(), |start, end| {
                smaller.push(Value::Object([&members[..start], &members[end..]].concat()));
            });
            for (index, (name, value)) in members.iter().enumerate() {
                // Other names say where the value is.
                let chars = name.chars().filter(|_| name.len() > LONG_NAME);
                let chars: Vec<char> = chars.collect();
                parts(chars.len(), |start, end| {
                    let mut members = members.clone();
                    members[index].0 = chars[..start].iter().chain(&chars[end..]).collect();
                    smaller.push(Value::Object(members));
                });
                smaller.extend(values(value).into_iter().map(|value| {
                    let mut members = members.clone();
                    members[index].1 = value;
                    Value::Object(members)
                }));
            }
        }
    }
    smaller
}

/// The length from which names are made shorter.
const LONG_NAME: usize = 32;

/// The number of parts into which a list or a text is split at most.
const PARTS: usize = 16;

/// Calls a function with ranges to remove: all, the halves, the quarters and so on. For each size
/// below a part, only the last range is given, which is enough for a text that is too long.
fn parts(length: usize, mut remove: impl FnMut(usize, usize)) {
    let mut size = length;
    while size > 0 {
        if length / size <= PARTS {
            for start in (0..length).step_by(size) {
                remove(start, (start + size).min(length));
            }
        } else {
            remove(length - size, length);
        }
        size /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shrinks as the verb does. `fails` decides.
    fn shrunk(mut case: Case, fails: impl Fn(&Case) -> bool) -> (Case, usize) {
        let mut attempts = 0;
        while let Some(next) = smaller(&case).into_iter().find(|case| {
            attempts += 1;
            fails(case)
        }) {
            case = next;
        }
        (case, attempts)
    }

    fn case(parameters: Value) -> Case {
        Case::Call(Call {
            method: Value::string("a.b.C"),
            parameters: Some(parameters),
            members: vec![("oneway".into(), Value::token(true))],
        })
    }

    #[test]
    fn a_case_becomes_its_cause() {
        let deep = Value::token(format_args!("{}0{}", "[".repeat(1000), "]".repeat(1000)));
        let list = Value::List(vec![
            Value::token(7),
            Value::string("a long text x y"),
            deep,
        ]);
        let start = case(Value::object([("a", list), ("b", Value::token(-5))]));
        let text = |case: &Case| String::from_utf8(case.bytes()).expect("UTF-8");

        let (case, _) = shrunk(start.clone(), |case| text(case).contains('x'));
        assert_eq!(
            text(&case),
            r#"{"method":"a.b.C","parameters":{"a":["x"]}}"#
        );
        let (case, _) = shrunk(start.clone(), |case| text(case).contains("[[[["));
        assert_eq!(
            text(&case),
            r#"{"method":"a.b.C","parameters":{"a":[[[[0]]]]}}"#
        );
        let (case, _) = shrunk(start, |_| true);
        assert_eq!(text(&case), r#"{"method":"a.b.C"}"#);
    }

    #[test]
    fn names_become_shorter() {
        let name = format!("{}x", "0".repeat(300));
        let start = case(Value::object([(&name[..], Value::token(0))]));
        let text = |case: &Case| String::from_utf8(case.bytes()).expect("UTF-8");
        let (case, _) = shrunk(start, |case| text(case).contains('x'));
        assert!(text(&case).len() < 80, "{}", text(&case));
    }

    #[test]
    fn a_long_text_becomes_the_shortest_that_fails() {
        let start = case(Value::object([("s", Value::string("0".repeat(70_000)))]));
        let fails = |case: &Case| case.bytes().len() > 4321;
        let (case, attempts) = shrunk(start, fails);
        assert_eq!(case.bytes().len(), 4322);
        assert!(attempts < 1000, "{attempts}");
    }

    #[test]
    fn bytes_become_the_shortest_that_fail() {
        let start = Case::Frame(b"{\"method\": \xff\"a\"}".into());
        let (case, _) = shrunk(start, |case| case.bytes().contains(&0xff));
        assert_eq!(case, Case::Frame(vec![0xff]));
    }
}
