//! Which modules may import which: ARCHITECTURE.md, "Layers".

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The layers of modules, from the bottom. A module imports only modules of lower layers.
const LAYERS: &[&[&str]] = &[
    &["bytes"],
    &["duplex", "error", "name", "peer"],
    &["address", "channel", "json"],
    &["idl", "io", "message", "method"],
    &["varlink_service"],
    &["client", "service"],
    &["loopback", "relay", "serve"],
    &["line"],
    &["unix"],
    &["activation"],
    &["server"],
    &["tools"],
];

/// The modules that use the operating system. Only these name rustix.
const SYSTEM: &[&str] = &["unix", "activation", "server"];

/// The other files that name rustix: they use its descriptor type.
const NAMES_A_DESCRIPTOR: &[&str] = &["src/peer.rs"];

/// Returns the source files, each with its code, without comments and unit tests.
fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or("");
        let lines = code.lines().filter(|line| !line.trim().starts_with("//"));
        (path, lines.collect::<Vec<_>>().join("\n"))
    };
    files.into_iter().map(read).collect()
}

/// Returns the names that directly follow `prefix` in a text.
fn names_after<'t>(text: &'t str, prefix: &'t str) -> impl Iterator<Item = &'t str> {
    text.match_indices(prefix).map(move |(at, _)| {
        let rest = &text[at + prefix.len()..];
        let end = rest.find(|char: char| !char.is_alphanumeric() && char != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// Returns the top-level module of a file.
fn module(path: &Path) -> String {
    let name = path.components().nth(1).unwrap().as_os_str();
    name.to_str().unwrap().trim_end_matches(".rs").to_owned()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

#[test]
fn modules_import_only_modules_of_lower_layers() {
    for (path, code) in sources() {
        let module = module(&path);
        if ["lib", "bin"].contains(&&*module) {
            continue;
        }
        let own = layer(&module).unwrap_or_else(|| panic!("{module} has no layer"));
        for name in names_after(&code, "crate::").filter(|name| **name != module) {
            // Other names are items that lib.rs exports at the root.
            if let Some(imported) = layer(name) {
                assert!(imported < own, "{} imports {name}", path.display());
            }
        }
    }
}

#[test]
fn no_two_files_of_a_module_import_each_other() {
    let mut imports = BTreeMap::new();
    for (path, code) in sources() {
        let folder = path.parent().unwrap();
        let file = path.file_stem().unwrap().to_str().unwrap();
        let imported: Vec<String> = names_after(&code, "super::").map(str::to_owned).collect();
        imports.insert((folder.to_owned(), file.to_owned()), imported);
    }
    for ((folder, file), imported) in &imports {
        for other in imported {
            let back = imports.get(&(folder.clone(), other.clone()));
            let mutual = back.is_some_and(|back| back.contains(file));
            assert!(!mutual, "{}: {file} and {other}", folder.display());
        }
    }
}

#[test]
fn only_the_system_modules_name_rustix() {
    for (path, code) in sources() {
        // A program may use the system.
        if path.starts_with("src/bin")
            || SYSTEM.contains(&&*module(&path))
            || NAMES_A_DESCRIPTOR.contains(&path.to_str().unwrap())
        {
            continue;
        }
        assert!(!code.contains("rustix"), "{}", path.display());
    }
}

#[test]
fn no_file_allows_dead_code() {
    for (path, code) in sources() {
        // The generator writes modules for other programs, which need not use all items.
        if !path.ends_with("tools/generate.rs") {
            assert!(!code.contains("dead_code"), "{}", path.display());
        }
    }
}
