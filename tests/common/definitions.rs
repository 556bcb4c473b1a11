//! The interface definitions that the tests read.

use std::path::{Path, PathBuf};

/// Returns the definitions of the project, and those in the folder that VARLINK_DEFINITIONS names.
pub fn definitions() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
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
