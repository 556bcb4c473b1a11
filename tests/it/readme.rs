//! The README agrees with the repository.

use std::fs;

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect(path)
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
fn the_commands_in_the_readme_name_existing_examples() {
    let readme = read("README.md");
    for word in readme.split("--example ").skip(1) {
        let name: String = word
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric())
            .collect();
        read(&format!("examples/{name}.rs"));
    }
}
