//! The oracle: serde_json.

use serde::Deserialize;
use serde_json::Value;

/// Parses a text, with any depth of nesting.
pub fn value(text: &[u8]) -> Option<Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    deserializer.disable_recursion_limit();
    let value = Value::deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(value)
}

/// Returns how deeply arrays and objects are nested in a text.
pub fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        match byte {
            b'"' if !escaped => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        escaped = in_string && *byte == b'\\' && !escaped;
    }
    deepest
}

/// The length of the longest input. Longer ones find nothing new, and the oracle recurses.
pub const LONGEST: usize = 4096;

/// True if an input cannot be used: it is too long, or may have a key that is special to
/// serde_json.
pub fn useless(data: &[u8]) -> bool {
    data.len() > LONGEST || data.windows(10).any(|window| window == b"serde_json")
}
