//! One call or frame.

use std::fmt::{self, Display};

use nullink::name;

use crate::station::value::Value;

/// What is sent to the service in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Case {
    Call(Call),
    /// A frame that may not be a call. It contains no NUL.
    Frame(Vec<u8>),
}

/// A call. Its members may have wrong types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub method: Value,
    pub parameters: Option<Value>,
    /// The flags, and members that the protocol does not have.
    pub members: Vec<(String, Value)>,
}

impl Case {
    /// Returns the bytes of the message, without its NUL.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Case::Call(call) => call.to_string().into_bytes(),
            Case::Frame(bytes) => bytes.clone(),
        }
    }

    /// Returns the call, if a service must answer it and keep the connection: it has nothing that
    /// an implementation may see as a violation of the protocol, or as too long.
    pub fn ordinary(&self) -> Option<(&Call, &str)> {
        let Case::Call(call) = self else { return None };
        let Value::String(method) = &call.method else {
            return None;
        };
        let parameters = call.parameters.as_ref();
        let is_object = matches!(parameters, None | Some(Value::Object(_)));
        let flags = call.members.iter().all(|(name, value)| {
            ["more", "oneway", "upgrade"].contains(&&name[..])
                && (*value == Value::token(true) || *value == Value::token(false))
        });
        // systemd refuses two of them, also if one is false.
        let one = call.members.len() <= 1;
        (name::split(method).is_some()
            && is_object
            && flags
            && one
            && parameters.is_none_or(|value| is_ordinary(value, 0))
            && call.to_string().len() <= ORDINARY_LENGTH)
            .then_some((call, &method[..]))
    }

    /// True if the message has a flag that is set.
    pub fn has(&self, flag: &str) -> bool {
        match self {
            Case::Call(call) => call
                .members
                .iter()
                .any(|(name, value)| name == flag && *value == Value::token(true)),
            Case::Frame(bytes) => {
                let flag = flag.as_bytes();
                bytes.windows(flag.len()).any(|window| window == flag)
            }
        }
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\"method\":{}", self.method)?;
        if let Some(parameters) = &self.parameters {
            write!(f, ",\"parameters\":{parameters}")?;
        }
        for (name, value) in &self.members {
            write!(f, ",{}:{value}", Value::string(&name[..]))?;
        }
        f.write_str("}")
    }
}

/// The length of a message that every service can receive.
const ORDINARY_LENGTH: usize = 1000;

/// The nesting that every service can parse.
const ORDINARY_DEPTH: usize = 16;

/// True if every JSON parser accepts a value.
fn is_ordinary(value: &Value, depth: usize) -> bool {
    depth < ORDINARY_DEPTH
        && match value {
            Value::Token(token) => {
                ["true", "false", "null"].contains(&&token[..])
                    || token
                        .parse::<i64>()
                        .is_ok_and(|number| number.to_string() == *token)
                    || is_ordinary_float(token)
            }
            // UAPI.20 says nothing about NULs in strings, and C programs may refuse them.
            Value::String(text) => !text.contains('\0'),
            Value::List(items) => items.iter().all(|item| is_ordinary(item, depth + 1)),
            Value::Object(members) => members.iter().enumerate().all(|(index, (name, value))| {
                !name.contains('\0')
                    && members[..index].iter().all(|(other, _)| other != name)
                    && is_ordinary(value, depth + 1)
            }),
        }
}

/// True for digits, a point and digits, if the value is not too small or too large.
fn is_ordinary_float(token: &str) -> bool {
    let digits = token.strip_prefix('-').unwrap_or(token);
    let Some((whole, fraction)) = digits.split_once('.') else {
        return false;
    };
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    are_digits(whole)
        && are_digits(fraction)
        && (whole == "0" || !whole.starts_with('0'))
        && token
            .parse()
            .is_ok_and(|number: f64| number == 0.0 || (1e-300..1e300).contains(&number.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(parameters: Value) -> Call {
        Call {
            method: Value::string("org.example.t.Need"),
            parameters: Some(parameters),
            members: vec![],
        }
    }

    #[test]
    fn what_a_parser_may_refuse_is_not_ordinary() {
        let object = |value| Case::Call(call(Value::object([("s", value)])));
        for value in ["1", "-9223372036854775808", "0.5", "-10.0", "null", "true"] {
            assert!(object(Value::token(value)).ordinary().is_some(), "{value}");
        }
        for value in [
            "1e400",
            "9223372036854775808",
            "-0",
            "01",
            ".5",
            "1.",
            "01.5",
            "NaN",
            "[0]",
            "nul",
        ] {
            assert!(object(Value::token(value)).ordinary().is_none(), "{value}");
        }
        assert!(object(Value::string("\0")).ordinary().is_none());
        assert!(object(Value::string("x".repeat(1000))).ordinary().is_none());
        let twice = Value::object([("s", Value::null()), ("s", Value::null())]);
        assert!(Case::Call(call(twice)).ordinary().is_none());
        let mut both = call(Value::object([]));
        both.members.push(("more".into(), Value::token(true)));
        assert!(Case::Call(both.clone()).ordinary().is_some());
        both.members.push(("oneway".into(), Value::token(false)));
        assert!(Case::Call(both).ordinary().is_none());
        assert!(Case::Frame(b"{}".into()).ordinary().is_none());
    }
}
