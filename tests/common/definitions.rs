//! The interface definitions that the tests read.

use std::path::{Path, PathBuf};

/// Returns the directory of the project, which also holds the package `tests/properties`.
pub fn root() -> PathBuf {
    let mut packages = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let root = packages.find(|path| path.join("examples").exists());
    root.expect("the directory of the project").to_path_buf()
}

/// Returns the definitions of the project, and those in the folder that VARLINK_DEFINITIONS names.
pub fn definitions() -> Vec<(PathBuf, String)> {
    let root = root();
    let mut folders = ["examples", "examples/shared", "src/service"]
        .map(|folder| root.join(folder))
        .to_vec();
    folders.extend(std::env::var_os("VARLINK_DEFINITIONS").map(PathBuf::from));
    let mut found = Vec::new();
    for folder in folders {
        for file in std::fs::read_dir(&folder).expect("a folder") {
            let path = file.expect("a file").path();
            if path.extension().is_some_and(|e| e == "varlink") {
                let text = std::fs::read_to_string(&path).expect("text");
                found.push((path, text));
            }
        }
    }
    assert!(found.len() >= 5, "{found:?}");
    found
}
