//! Makes cases from definitions.

use nullink::idl::{Member, Type, TypeKind};

use super::case::{Call, Case};
use super::random::Random;
use crate::station::value::Value;

/// A method to call.
pub struct Target<'d> {
    /// Its full name.
    pub name: String,
    pub member: Member<'d>,
}

pub struct Generator<'g, 'd> {
    pub random: Random,
    pub targets: &'g [Target<'d>],
    /// True if methods that support a flag may be called with it.
    pub more: bool,
    pub upgrade: bool,
}

/// The depth from which nullable values are left out, so that recursive types end.
const DEPTH: usize = 5;

/// Integers at the limits of types.
const INTEGERS: [i64; 18] = [
    0,
    1,
    -1,
    2,
    10,
    127,
    -128,
    255,
    256,
    65_535,
    65_536,
    i32::MAX as i64,
    i32::MIN as i64,
    u32::MAX as i64,
    1 << 32,
    1 << 53,
    i64::MAX,
    i64::MIN,
];

const FLOATS: [&str; 10] = [
    "0.0",
    "-0.0",
    "0.5",
    "-1.5",
    "1e10",
    "1E-7",
    "4.9e-324",
    "1.7976931348623157e308",
    "3",
    "123456789.123456789",
];

/// Numbers and other tokens that are wrong, or that some parsers refuse.
const TOKENS: [&str; 15] = [
    "1e400",
    "-1e400",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "1.0",
    "1.5",
    "-0",
    "01",
    "+1",
    "NaN",
    ".5",
    "nul",
    "'a'",
    "\"\\ud800\"",
];

/// Strings with a meaning to something else. They name no file that exists.
const STRINGS: [&str; 22] = [
    "",
    " ",
    "a",
    "0",
    "-1",
    "null",
    "true",
    "a b",
    "%s%n",
    "\"\\/",
    "\u{7f}",
    "\u{1b}[31m",
    "\n",
    "\0",
    "a\0b",
    "é",
    "\u{1d11e}",
    "\u{202e}\u{feff}",
    "org.example.none",
    "/nonexistent/nullctl",
    "{}",
    "'; :",
];

/// The lengths of long strings that fit into every buffer.
const LENGTHS: [usize; 5] = [64, 127, 255, 256, 500];

/// The lengths of strings that a service may refuse by closing the connection.
const TOO_LONG: [usize; 5] = [1023, 4096, 9000, 20_000, 70_000];

/// The depths of deep values. The library's limit is 128.
const NESTINGS: [usize; 5] = [10, 100, 130, 1000, 5000];

impl Generator<'_, '_> {
    /// Makes a case: about half of them are valid calls.
    pub fn case(&mut self) -> Case {
        let target = &self.targets[self.random.below(self.targets.len())];
        let parameters = self.structure(target.member.input(), 0);
        let mut members = Vec::new();
        let flag = |name: &str| (String::from(name), Value::token(true));
        let member = target.member;
        let (more, upgrade) = (self.more, self.upgrade);
        if upgrade && self.wants(member.requires_upgrade(), member.supports_upgrade()) {
            members.push(flag("upgrade"));
        } else if more && self.wants(member.requires_more(), member.supports_more()) {
            members.push(flag("more"));
        } else if self.random.one_in(20) {
            members.push(flag("oneway"));
        }
        let mut call = Call {
            method: Value::string(&target.name[..]),
            parameters: Some(parameters),
            members,
        };
        if self.random.one_in(2) {
            return Case::Call(call);
        }
        for _ in 0..=self.random.below(2) {
            self.spoil(&mut call);
        }
        if self.random.one_in(8) {
            let bytes = call.to_string().into_bytes();
            return Case::Frame(self.spoil_bytes(bytes));
        }
        Case::Call(call)
    }

    /// True if a call gets a flag. Older definitions do not say which methods support it.
    fn wants(&mut self, required: bool, supported: bool) -> bool {
        required || self.random.one_in(if supported { 2 } else { 8 })
    }

    /// Makes a value of a type.
    fn value(&mut self, ty: Type<'_>, depth: usize) -> Value {
        match ty.kind() {
            TypeKind::Bool => Value::token(self.random.one_in(2)),
            TypeKind::Int => self.integer(),
            TypeKind::Float if self.random.one_in(3) => self.integer(),
            TypeKind::Float => Value::token(self.random.pick(&FLOATS)),
            TypeKind::String => Value::String(self.string()),
            TypeKind::Object => Value::Object(self.members(depth)),
            TypeKind::Any => self.any(depth),
            TypeKind::Nullable(_) if depth >= DEPTH || self.random.one_in(4) => Value::null(),
            TypeKind::Nullable(inner) => self.value(inner, depth),
            TypeKind::Array(inner) => {
                let count = self.count(depth);
                Value::List((0..count).map(|_| self.value(inner, depth + 1)).collect())
            }
            TypeKind::Map(inner) => {
                let mut members: Vec<(String, Value)> = Vec::new();
                for _ in 0..self.count(depth) {
                    let name = self.string();
                    if members.iter().all(|(other, _)| *other != name) {
                        members.push((name, self.value(inner, depth + 1)));
                    }
                }
                Value::Object(members)
            }
            TypeKind::Enum => {
                let values: Vec<_> = ty.values().collect();
                Value::string(self.random.pick(&values).name())
            }
            TypeKind::Struct => self.structure(ty, depth),
            TypeKind::Named(member) => self.value(member.ty(), depth),
        }
    }

    fn structure(&mut self, ty: Type<'_>, depth: usize) -> Value {
        let mut members = Vec::new();
        for field in ty.fields() {
            let nullable = matches!(field.ty().kind(), TypeKind::Nullable(_));
            if !(nullable && (depth >= DEPTH || self.random.one_in(3))) {
                members.push((field.name().into(), self.value(field.ty(), depth + 1)));
            }
        }
        if members.len() > 1 && self.random.one_in(4) {
            let first = self.random.below(members.len());
            members.rotate_left(first);
        }
        Value::Object(members)
    }

    fn integer(&mut self) -> Value {
        if self.random.one_in(2) {
            Value::token(self.random.below(200))
        } else {
            Value::token(self.random.pick(&INTEGERS))
        }
    }

    fn string(&mut self) -> String {
        match self.random.below(8) {
            0..4 => {
                let length = self.random.below(12);
                let letter = |_| char::from(b'a' + self.random.below(26) as u8);
                (0..length).map(letter).collect()
            }
            4 => self.long_string(),
            _ => String::from(*self.random.pick(&STRINGS)),
        }
    }

    /// Makes a string of zeros, which is short in a shell command.
    fn long_string(&mut self) -> String {
        let lengths = if self.random.one_in(3) {
            &TOO_LONG
        } else {
            &LENGTHS
        };
        let length = *self.random.pick(lengths);
        "0".repeat(length)
    }

    /// Makes a value of any type but null.
    fn any(&mut self, depth: usize) -> Value {
        match self.random.below(6) {
            0 => Value::token(self.random.one_in(2)),
            1 => self.integer(),
            2 => Value::token(self.random.pick(&FLOATS)),
            3 => Value::String(self.string()),
            4 if depth < DEPTH => {
                let count = self.count(depth);
                Value::List((0..count).map(|_| self.any(depth + 1)).collect())
            }
            _ => Value::Object(self.members(depth)),
        }
    }

    fn members(&mut self, depth: usize) -> Vec<(String, Value)> {
        let count = self.count(depth);
        let names = ["a", "b", "method", "error", "x.y"];
        let names = names.into_iter().take(count);
        names
            .map(|name| (name.into(), self.any(depth + 1)))
            .collect()
    }

    fn count(&mut self, depth: usize) -> usize {
        match depth {
            DEPTH.. => 0,
            _ if self.random.one_in(30) => 100,
            _ => self.random.below(4),
        }
    }

    /// Changes one part of a call, so that it is probably not valid.
    fn spoil(&mut self, call: &mut Call) {
        match self.random.below(12) {
            0..8 => {
                let mut root = call.parameters.take().unwrap_or(Value::object([]));
                self.spoil_value(&mut root);
                call.parameters = Some(root);
            }
            8 => {
                let parameters = self.any(0);
                let options = [
                    None,
                    Some(Value::null()),
                    Some(Value::List(vec![])),
                    Some(parameters),
                ];
                call.parameters.clone_from(self.random.pick(&options));
            }
            9 => {
                let name =
                    *self
                        .random
                        .pick(&["more", "oneway", "x", "x.y", "method", "parameters"]);
                let values = [
                    Value::token(true),
                    Value::token(false),
                    Value::token(1),
                    Value::null(),
                ];
                let value = self.random.pick(&values).clone();
                call.members.push((name.into(), value));
            }
            10 => {
                let Value::String(method) = &call.method else {
                    return;
                };
                let others = [
                    format!("{method}x"),
                    format!("{method}.x"),
                    method.to_lowercase(),
                    format!("x{method}"),
                    method.replace('.', ""),
                    method
                        .rsplit_once('.')
                        .map_or("", |(interface, _)| interface)
                        .into(),
                    format!("{method}{}", "0".repeat(300)),
                    "org.example.none.None".into(),
                    ".".into(),
                    String::new(),
                ];
                call.method = Value::string(&self.random.pick(&others)[..]);
            }
            _ => {
                let values = [Value::null(), Value::token(1), Value::List(vec![])];
                call.method = self.random.pick(&values).clone();
            }
        }
    }

    /// Changes one place in a value.
    fn spoil_value(&mut self, value: &mut Value) {
        // Half of the time, the change is further inside.
        let inside = self.random.below(3) > 0;
        match value {
            Value::Object(members) if inside && !members.is_empty() => {
                let index = self.random.below(members.len());
                return self.spoil_value(&mut members[index].1);
            }
            Value::List(items) if inside && !items.is_empty() => {
                let index = self.random.below(items.len());
                return self.spoil_value(&mut items[index]);
            }
            _ => {}
        }
        if let Value::Object(members) = value {
            let index = self.random.below(members.len().max(1));
            match self.random.below(4) {
                0 if !members.is_empty() => {
                    members.remove(index);
                    return;
                }
                1 if !members.is_empty() => {
                    let twice = members[index].clone();
                    members.push(twice);
                    return;
                }
                2 => {
                    let name = self.string();
                    members.push((name, self.any(0)));
                    return;
                }
                _ => {}
            }
        }
        *value = match self.random.below(6) {
            0 => Value::null(),
            1 => Value::token(self.random.pick(&TOKENS)),
            2 => {
                let depth = *self.random.pick(&NESTINGS);
                let (open, close) = *self.random.pick(&[("[", "]"), ("{\"a\":", "}")]);
                Value::token(format_args!(
                    "{}0{}",
                    open.repeat(depth),
                    close.repeat(depth)
                ))
            }
            3 => Value::String(self.long_string()),
            _ => self.any(0),
        };
    }

    /// Changes the bytes of a call. NULs would end it.
    fn spoil_bytes(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let at = self.random.below(bytes.len().max(1));
        match self.random.below(7) {
            0 => bytes.truncate(at),
            1 => bytes[at] = self.random.below(255) as u8 + 1,
            2 => bytes.insert(at, self.random.below(255) as u8 + 1),
            3 => {
                bytes.remove(at);
            }
            4 => bytes.extend_from_slice(b"{}"),
            5 => bytes.splice(at..at, *b"\xff\xfe").for_each(drop),
            _ => {
                let frames = [
                    "",
                    " ",
                    "[]",
                    "{}",
                    "1",
                    "\"a\"",
                    "null",
                    "{\"method\":",
                    "\u{feff}{}",
                ];
                bytes = self.random.pick(&frames).as_bytes().into();
            }
        }
        bytes
    }
}
