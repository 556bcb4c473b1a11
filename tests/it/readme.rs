//! The README and the pages in docs agree with the repository.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect(path)
}

/// Returns the README and the pages in docs: path and text.
fn pages() -> Vec<(String, String)> {
    let mut paths = vec!["README.md".to_owned()];
    paths.extend(files("docs", ".md"));
    let pages = paths.into_iter().map(|path| (read(&path), path));
    pages.map(|(text, path)| (path, text)).collect()
}

/// Returns the paths of the files in a folder whose names have an ending.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect(folder);
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.into_string().expect("UTF-8"));
    let names = names.filter(|name| name.ends_with(ending));
    names.map(|name| format!("{folder}/{name}")).collect()
}

/// Adds the paths of all pages in a folder, relative to `root`.
fn add_pages(root: &Path, folder: &Path, pages: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                add_pages(root, &path, pages);
            }
        } else if name.ends_with(".md") {
            let page = path.strip_prefix(root).expect("in the root");
            pages.push(page.to_str().expect("UTF-8").to_owned());
        }
    }
}

/// Returns the lines of a code block without their indentation.
fn unindented(code: &str) -> String {
    code.lines()
        .map(|line| line.trim_start().to_owned() + "\n")
        .collect()
}

/// Returns the code blocks in one language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let opening = format!("```{language}\n");
    let blocks = text.split(&opening).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap_or_default())
        .collect()
}

#[test]
fn the_code_in_the_readme_is_that_of_the_example() {
    let readme = read("README.md");
    let example = read("examples/minimal.rs");
    let (_, code) = example.split_once("\n\n").expect("a first paragraph");
    assert_eq!(blocks(&readme, "rust"), [code]);
    let definition = read("examples/org.example.ping.varlink");
    assert_eq!(blocks(&readme, "varlink"), [definition]);
}

#[test]
fn the_code_in_the_pages_is_that_of_an_example() {
    let examples = files("examples", ".rs").into_iter();
    let examples: Vec<_> = examples.map(|path| unindented(&read(&path))).collect();
    for (path, text) in pages() {
        for block in blocks(&text, "rust") {
            let block = unindented(block);
            let found = examples.iter().any(|example| example.contains(&block));
            assert!(found, "{path}: not in an example: {block}");
        }
    }
}

#[test]
fn the_commands_in_the_pages_name_existing_examples() {
    for (path, text) in pages() {
        for word in text.split("--example ").skip(1) {
            let letters = word.chars().take_while(|c| c.is_ascii_alphanumeric());
            let example = format!("examples/{}.rs", letters.collect::<String>());
            let exists = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(&example)
                .exists();
            assert!(exists, "{path}: {example} does not exist");
        }
    }
}

/// Returns the anchor of a heading: its letters in lower case, with hyphens for spaces.
fn anchor(heading: &str) -> String {
    let letters = heading.trim_start_matches('#').trim().chars();
    let letters = letters.filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    letters
        .map(|c| {
            if c == ' ' {
                '-'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect()
}

#[test]
fn the_links_in_all_pages_lead_to_files_and_headings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = Vec::new();
    add_pages(root, root, &mut pages);
    for path in pages {
        let text = read(&path);
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            if link.contains("://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => root.join(&path),
                file => root.join(&path).with_file_name("").join(file),
            };
            assert!(target.exists(), "{path}: {link}: no such file");
            if !heading.is_empty() {
                let target = fs::read_to_string(&target).expect(link);
                let mut headings = target.lines().filter(|line| line.starts_with('#'));
                assert!(
                    headings.any(|line| anchor(line) == heading),
                    "{path}: {link}: no such heading"
                );
            }
        }
    }
}

/// Checks the form of https://keepachangelog.com/en/1.1.0/: versions, sections, and entries of one
/// line each.
#[test]
fn the_changelog_has_the_form_of_keep_a_changelog() {
    let changelog = read("CHANGELOG.md");
    let kinds = [
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
    ];
    let mut versions = 0;
    let mut in_section = false;
    for line in changelog.lines().filter(|line| !line.is_empty()) {
        if let Some(version) = line.strip_prefix("## ") {
            let released = version
                .strip_prefix('[')
                .and_then(|rest| rest.split_once("] - "));
            let has_date = released.is_some_and(|(number, date)| {
                let numbers = number.split('.').filter(|part| part.parse::<u32>().is_ok());
                let date = date.replace(|c: char| c.is_ascii_digit(), "0");
                numbers.count() == 3 && date == "0000-00-00"
            });
            let is_first = versions == 0 && version == "[Unreleased]";
            assert!(is_first || has_date, "{line}");
            versions += 1;
            in_section = false;
        } else if let Some(kind) = line.strip_prefix("### ") {
            assert!(kinds.contains(&kind), "{line}");
            in_section = true;
        } else if in_section {
            assert!(line.starts_with("- "), "not an entry of one line: {line}");
        }
    }
    assert!(versions > 1);
}
