//! How JSON is printed.

use nullink::json::Raw;

use super::options::Json;
use super::output::{Failure, Output};

/// Prints a value, and a line end.
pub fn print(out: &mut Output, value: Raw<'_>, _how: Json) -> Result<(), Failure> {
    out.text(value.as_str())?;
    out.text("\n")
}
