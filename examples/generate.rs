//! Generates Rust from a definition: `generate FILE.varlink > FILE.rs` writes a module with the
//! interface's types, methods and errors. Commit it next to the definition.
//!
//! With `--owned`, the types have `String`, `Vec` and `BTreeMap`, for a program with std. A second
//! argument is the path from the module to the definition, if it is in another directory.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use nullink::idl::{Definition, Entry};
use nullink::tools;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let owned = arguments.next_if_eq("--owned").is_some();
    let (Some(file), path, None) = (arguments.next(), arguments.next(), arguments.next()) else {
        eprintln!("usage: generate [--owned] FILE.varlink [PATH-FROM-THE-MODULE] > FILE.rs");
        return ExitCode::from(2);
    };
    match generate(&file, path.as_deref(), owned) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn generate(file: &str, path: Option<&str>, owned: bool) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let mut table = vec![Entry::EMPTY; Definition::table_size(&text)];
    let definition =
        Definition::parse(&text, &mut table).map_err(|error| format!("{file}:{error}"))?;
    let file_name = Path::new(file).file_name().and_then(|name| name.to_str());
    let module = tools::generate(&definition, path.or(file_name).unwrap_or(file), owned);
    let mut out = std::io::stdout().lock();
    write!(out, "{module}").map_err(|error| format!("standard output: {error}"))
}
