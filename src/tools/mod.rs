//! Tools for a workstation and for tests, with the feature `tools`. They need std and may allocate.
//!
//! | file | purpose |
//! |---|---|
//! | `contract` | checks that Rust types match a definition |
//! | `probe` | a deserializer that inspects a type, for `contract` |
//! | `compare` | lists the changes between two versions of a definition |
//! | `rules` | decides what a change breaks |
//! | `format` | formats a definition |
//! | `generate` | generates Rust from a definition |
//! | `names` | converts the names of a definition to Rust |
//! | `shapes` | decides which Rust types need lifetimes and type parameters |
//!
//! A program that uses them only in its tests enables the feature under `dev-dependencies`:
//!
//! ```toml
//! [dev-dependencies]
//! nullink = { version = "0.1", features = ["tools"] }
//! ```

mod compare;
mod contract;
mod format;
mod generate;
mod names;
mod probe;
mod rules;
mod shapes;

use std::fmt;
use std::string::String;
use std::vec::Vec;

pub use compare::{Change, compare, compatible};
pub use contract::{Contract, contract};
pub use format::{format, format_colored};
pub use generate::generate;
pub use rules::Breaks;

/// The differences that [`contract`] or [`compatible`] has found.
///
/// `Display` writes a title, then a line for each difference. `Debug` writes the same, for
/// `unwrap` in a test.
#[derive(Clone, PartialEq, Eq)]
pub struct Differences {
    title: String,
    lines: Vec<String>,
}

impl Differences {
    /// Returns an error if there are differences.
    fn none(title: String, lines: Vec<String>) -> Result<(), Self> {
        if lines.is_empty() {
            Ok(())
        } else {
            Err(Differences { title, lines })
        }
    }

    /// Returns the differences, one line each.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        self.lines.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

impl fmt::Debug for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Differences {}
