//! JSON values as trees.

use std::fmt::{self, Display, Write};

/// A JSON value. Unlike a map, an object can have a name twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number, a literal, or a text that is written as it is.
    Token(String),
    String(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    pub fn null() -> Self {
        Value::Token("null".into())
    }

    pub fn token(token: impl Display) -> Self {
        Value::Token(token.to_string())
    }

    pub fn string(text: impl Into<String>) -> Self {
        Value::String(text.into())
    }

    pub fn object<const N: usize>(members: [(&str, Value); N]) -> Self {
        let members = members.into_iter();
        Value::Object(members.map(|(name, value)| (name.into(), value)).collect())
    }
}

/// Writes the value on one line.
impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Token(token) => f.write_str(token),
            Value::String(text) => quoted(text, f),
            Value::List(items) => {
                f.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_char(',')?;
                    }
                    item.fmt(f)?;
                }
                f.write_char(']')
            }
            Value::Object(members) => {
                f.write_char('{')?;
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        f.write_char(',')?;
                    }
                    quoted(name, f)?;
                    f.write_char(':')?;
                    value.fmt(f)?;
                }
                f.write_char('}')
            }
        }
    }
}

fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
