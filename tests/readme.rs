//! The README shows what is there.

use std::fs;

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect(path)
}

/// The blocks of code in a language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let opening = format!("```{language}\n");
    let blocks = text.split(&opening).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap_or_default())
        .collect()
}

#[test]
fn its_code_is_that_of_an_example() {
    let readme = read("README.md");
    let example = read("examples/minimal.rs");
    let (_, code) = example.split_once("\n\n").expect("a first paragraph");
    assert_eq!(blocks(&readme, "rust"), [code]);
    let definition = read("examples/org.example.ping.varlink");
    assert_eq!(blocks(&readme, "varlink"), [definition]);
}

#[test]
fn its_commands_name_what_there_is() {
    let readme = read("README.md");
    for word in readme.split("--example ").skip(1) {
        let name: String = word
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric())
            .collect();
        read(&format!("examples/{name}.rs"));
    }
}
