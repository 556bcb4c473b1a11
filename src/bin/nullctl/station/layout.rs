//! `format` and `generate`.

use std::ffi::CStr;
use std::fs;
use std::path::Path;

use nullink::tools;

use super::options::settings;
use super::source::{Source, printable, shown};
use crate::tool::{Failure, Tool, complain, fail, text};

pub fn format(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let (check, in_place) = {
        let settings = settings();
        (settings.check, settings.in_place)
    };
    if check && in_place {
        return Err(fail(format_args!(
            "--check and --in-place exclude each other"
        )));
    }
    let mut differs = false;
    for path in words.iter().map(|word| text(word)) {
        let mut source = Source::file(path)?;
        let definition = source.definition()?;
        if check || in_place {
            let formatted = tools::format(&definition);
            if formatted == definition.text() {
                continue;
            }
            differs = true;
            if check {
                complain(format_args!("{}: has another layout", printable(path)));
            } else if path == "-" {
                return Err(fail(format_args!("--in-place needs a file")));
            } else {
                replace(path, &formatted)?;
            }
        } else if tool.options.color == Some(true) {
            // Comments may contain control characters. What is replaced before are theirs, not
            // those of the colors.
            let mut harmless = Source::new(path.into(), printable(definition.text()).into_owned());
            let colored = tools::format_colored(&harmless.definition()?);
            tool.out.text(&colored);
        } else {
            tool.out.text(&shown(&tools::format(&definition)));
        }
    }
    if check && differs {
        return Err(Failure::Failed);
    }
    Ok(())
}

/// Replaces a file, all or nothing: the new one is complete before it gets the name.
fn replace(path: &str, content: &str) -> Result<(), Failure> {
    let failed = |error| fail(format_args!("{}: {error}", printable(path)));
    // A link stays, and the file to which it leads is replaced.
    let target = fs::canonicalize(path).map_err(failed)?;
    let mut name = target.clone().into_os_string();
    name.push(format!(".{}", std::process::id()));
    let new = Path::new(&name);
    let written = fs::write(new, content)
        .and_then(|()| fs::set_permissions(new, fs::metadata(&target)?.permissions()))
        .and_then(|()| fs::rename(new, &target));
    if written.is_err() {
        let _ = fs::remove_file(new);
    }
    written.map_err(failed)
}

pub fn generate(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let owned = settings().owned;
    let path = words.first().copied().map_or("", text);
    let mut source = Source::file(path)?;
    let definition = source.definition()?;
    let name = match Path::new(path).file_name().and_then(|name| name.to_str()) {
        Some(name) if name != "-" => name.to_string(),
        _ => format!("{}.varlink", definition.name()),
    };
    let module = tools::generate(&definition, &name, owned);
    tool.out.text(&shown(&module));
    Ok(())
}
