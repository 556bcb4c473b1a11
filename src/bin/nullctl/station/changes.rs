//! `diff`.

use std::ffi::CStr;
use std::fs;
use std::path::Path;

use nullink::json::Raw;
use nullink::tools::{Breaks, Change, compare};

use super::options::settings;
use super::source::{Source, shown};
use super::value::Value;
use crate::tool::{Failure, Tool, fail, json, text};

/// The ending of the names of files with definitions.
const ENDING: &str = ".varlink";

pub fn diff(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let (released, least) = {
        let settings = settings();
        (settings.released.clone(), settings.breaks)
    };
    let words: Vec<&str> = words.iter().map(|word| text(word)).collect();
    let broken = match (released, &words[..]) {
        (Some(released), files) => released_diff(tool, least, &released, files)?,
        (None, [old, new]) => {
            let mut old = Source::read(tool.system, tool.options, old)?;
            let mut new = Source::read(tool.system, tool.options, new)?;
            report(tool, least, "", &mut old, &mut new)?
        }
        (None, _) => {
            return Err(fail(format_args!(
                "diff needs OLD and NEW, or --released=DIR and files"
            )));
        }
    };
    if broken { Err(Failure::Failed) } else { Ok(()) }
}

/// Compares definitions with their released versions. True if something breaks.
fn released_diff(
    tool: &mut Tool<'_>,
    least: Breaks,
    released: &str,
    files: &[&str],
) -> Result<bool, Failure> {
    let frozen = definitions_in(released)?;
    let (mut broken, mut seen) = (false, Vec::new());
    for file in files {
        let whole = Path::new(file).is_dir();
        let files = if whole {
            definitions_in(file)?
        } else {
            vec![(*file).to_string()]
        };
        for file in files {
            let mut new = Source::file(&file)?;
            let name = new.definition()?.name().to_string();
            for frozen in frozen.iter().filter(|path| interface_of(path) == name) {
                let mut old = Source::file(frozen)?;
                let title = format!("{file}, released as {frozen}: ");
                broken |= report(tool, least, &title, &mut old, &mut new)?;
            }
            seen.push(name);
        }
        if whole {
            for path in &frozen {
                let name = interface_of(path);
                if !seen.iter().any(|seen| seen == name) {
                    seen.push(name.to_string());
                    broken = true;
                    let change = format!("interface {name}: is gone: old callers call it");
                    let title = format!("{file}, released as {path}: ");
                    line(tool, Breaks::Callers, &title, &change, (None, None))?;
                }
            }
        }
    }
    Ok(broken)
}

/// Returns the paths of the definitions in a folder, sorted by their names.
fn definitions_in(folder: &str) -> Result<Vec<String>, Failure> {
    let failed = |error| fail(format_args!("{folder}: {error}"));
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        paths.extend(
            path.to_str()
                .filter(|path| path.ends_with(ENDING))
                .map(String::from),
        );
    }
    paths.sort();
    Ok(paths)
}

/// Returns the interface of a released file: `NAME.varlink` or `NAME-N.varlink`.
fn interface_of(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.strip_suffix(ENDING).unwrap_or(name);
    match name.rsplit_once('-') {
        Some((name, number))
            if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => name,
    }
}

/// Prints the changes between two definitions. True if one of them breaks at least `least`.
fn report(
    tool: &mut Tool<'_>,
    least: Breaks,
    title: &str,
    old: &mut Source,
    new: &mut Source,
) -> Result<bool, Failure> {
    let changes = compare(&old.definition()?, &new.definition()?);
    for change in &changes {
        let places = (change.in_old(), change.in_new());
        line(tool, change.breaks(), title, &change.to_string(), places)?;
    }
    let breaks = |change: &Change| change.breaks() >= least;
    Ok(changes.iter().any(breaks))
}

type Place = Option<(usize, usize)>;

fn line(
    tool: &mut Tool<'_>,
    breaks: Breaks,
    title: &str,
    change: &str,
    (old, new): (Place, Place),
) -> Result<(), Failure> {
    if tool.options.quiet {
        return Ok(());
    }
    let (whom, color) = match breaks {
        Breaks::Nothing => ("compatible", "32"),
        Breaks::Services => ("breaks new callers of old services", "33"),
        Breaks::Callers => ("breaks old callers", "31"),
    };
    if tool.options.wants_json() {
        let place = |place: Place| match place {
            Some((line, column)) => Value::object([
                ("line", Value::token(line)),
                ("column", Value::token(column)),
            ]),
            None => Value::null(),
        };
        let breaks = match breaks {
            Breaks::Nothing => "nothing",
            Breaks::Services => "services",
            Breaks::Callers => "callers",
        };
        let value = Value::object([
            ("breaks", Value::string(breaks)),
            ("change", Value::string(format!("{title}{change}"))),
            ("old", place(old)),
            ("new", place(new)),
        ])
        .to_string();
        let value = Raw::new(&value).map_err(|error| fail(format_args!("{error}")))?;
        json::print(tool.out, value, json::Style::of(tool.options));
        return Ok(());
    }
    let (on, off) = match tool.options.color {
        Some(true) => (format!("\x1b[{color}m"), "\x1b[0m"),
        _ => (String::new(), ""),
    };
    let change = shown(change);
    tool.out
        .print(format_args!("{on}{whom}{off}: {title}{change}\n"));
    Ok(())
}
