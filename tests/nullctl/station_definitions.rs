//! diff, format, generate, doc.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::tool::{Directory, Service, fail, lacks, nullctl, run, shown_on_terminal, succeed};

const OLD: &str = "\
interface org.example.ftl

method Jump(to: int, speed: ?int) -> ()

method Stop() -> ()
";

/// A compatible version, a version that breaks old services, and one that breaks old callers.
const COMPATIBLE: &str = "\
interface org.example.ftl

method Jump(to: float, speed: ?int) -> (left: ?int)

method Stop() -> ()
";
const SERVICES: &str = "\
interface org.example.ftl

method Jump(to: int, speed: ?int) -> (left: int)

method Stop() -> ()
";
const CALLERS: &str = "\
interface org.example.ftl

method Jump(to: int, speed: int) -> ()
";

fn file(directory: &Directory, name: &str, text: &str) -> String {
    let path = directory.path(name);
    fs::write(&path, text).expect("the file can be written");
    path
}

#[test]
fn diff_fails_for_a_break_and_names_whom_it_breaks() {
    if lacks("diff") {
        return;
    }
    let directory = Directory::new();
    let old = file(&directory, "old", OLD);
    let new = file(&directory, "new", CALLERS);
    let output = run(&["diff", &old, &new]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "breaks old callers: new 3:22: method Jump, parameter speed: was ?int, is int: \
         old callers may send null\n\
         breaks old callers: old 5:1: method Stop: is gone: old callers call it\n"
    );

    let new = file(&directory, "services", SERVICES);
    let output = run(&["diff", &old, &new]);
    assert_eq!(output.status.code(), Some(1));
    let line = "breaks new callers of old services: new 3:39: method Jump, output left: is new: \
                old services don't send it\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), line);
    assert_eq!(succeed(&["diff", "--breaks=callers", &old, &new]), line);

    let new = file(&directory, "compatible", COMPATIBLE);
    assert_eq!(
        succeed(&["diff", &old, &new]),
        "compatible: new 3:13: method Jump, parameter to: was int, is float\n\
         compatible: new 3:41: method Jump, output left: is new\n"
    );
    assert_eq!(succeed(&["diff", &new, &new]), "");
}

#[test]
fn diff_prints_json() {
    if lacks("diff") {
        return;
    }
    let directory = Directory::new();
    let old = file(&directory, "old", OLD);
    let new = file(&directory, "new", CALLERS);
    let output = run(&["diff", "-j", &old, &new]);
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    let last = lines.lines().last().expect("a line");
    let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(last["breaks"], "callers");
    assert_eq!(last["old"]["line"], 5);
    assert_eq!(last["new"], serde_json::Value::Null);
}

#[test]
fn diff_compares_the_definition_of_a_service() {
    if lacks("diff") {
        return;
    }
    let service = Service::start("conformance", &[]);
    let served = format!("{}/org.example.t", service.address);
    let shown = succeed(&["introspect", &service.address, "org.example.t"]);
    let directory = Directory::new();
    let same = file(&directory, "same", &shown);
    assert_eq!(succeed(&["diff", &same, &served]), "");
    let more = shown.replace("method Fail() -> ()", "method Fail(why: int) -> ()");
    let more = file(&directory, "more", &more);
    let output = run(&["diff", &served, &more]);
    assert_eq!(output.status.code(), Some(1));
    let message = fail(&["diff", &same, &format!("{}/org.example.u", service.address)]);
    assert!(message.contains("org.example.u"), "{message}");
}

#[test]
fn diff_compares_with_released_versions() {
    if lacks("diff") {
        return;
    }
    let directory = Directory::new();
    let (released, current) = (directory.path("released"), directory.path("current"));
    fs::create_dir(&released).expect("a folder");
    fs::create_dir(&current).expect("a folder");
    file(&directory, "released/org.example.ftl-1.varlink", CALLERS);
    file(&directory, "released/org.example.ftl.varlink", OLD);
    let other = "interface org.example.ftl-drive\n\nmethod Go() -> ()\n";
    file(&directory, "released/org.example.ftl-drive.varlink", other);
    let new = file(&directory, "current/org.example.ftl.varlink", COMPATIBLE);
    let released = format!("--released={released}");

    // Version 1 has one method less, and a mandatory parameter that is now optional.
    let shown = succeed(&["diff", &released, &new]);
    assert!(
        shown.contains("ftl-1.varlink: new 5:1: method Stop: is new"),
        "{shown}"
    );
    assert!(!shown.contains("ftl-drive"), "{shown}");

    file(&directory, "current/org.example.ftl.varlink", SERVICES);
    assert_eq!(run(&["diff", &released, &new]).status.code(), Some(1));
    succeed(&["diff", &released, "--breaks=callers", &new]);

    // A folder must have all released interfaces.
    file(&directory, "current/org.example.ftl.varlink", OLD);
    let output = run(&["diff", &released, &current]);
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        shown.contains("interface org.example.ftl-drive: is gone"),
        "{shown}"
    );
    file(&directory, "current/drive.varlink", other);
    succeed(&["diff", &released, &current]);

    let missing = format!("--released={}", directory.path("missing"));
    let message = fail(&["diff", &missing, &new]);
    assert!(message.contains("missing"), "{message}");
}

#[test]
fn diff_names_the_position_of_a_mistake() {
    if lacks("diff") {
        return;
    }
    let directory = Directory::new();
    let old = file(&directory, "old", OLD);
    let new = file(
        &directory,
        "new",
        "interface org.example.ftl\nmethod jump() -> ()\n",
    );
    let message = fail(&["diff", &old, &new]);
    assert!(message.contains("new:2:8: expected"), "{message}");
    let message = fail(&["diff", &old]);
    assert!(message.contains("--released"), "{message}");
}

#[test]
fn format_prints_checks_and_rewrites() {
    if lacks("format") {
        return;
    }
    let directory = Directory::new();
    let untidy = "interface org.example.ftl\nmethod  Jump(to:int,speed:?int)->()\n\
                  method Stop()->()";
    let path = file(&directory, "ftl.varlink", untidy);
    assert_eq!(succeed(&["format", &path]), OLD);

    let message = fail(&["format", "--check", &path]);
    assert!(message.contains("has another layout"), "{message}");
    assert_eq!(fs::read_to_string(&path).expect("the file"), untidy);

    assert_eq!(succeed(&["format", "--in-place", &path]), "");
    assert_eq!(fs::read_to_string(&path).expect("the file"), OLD);
    assert_eq!(succeed(&["format", "--check", &path]), "");

    let mut child = nullctl()
        .args(["format", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("nullctl starts");
    let mut input = child.stdin.take().expect("it is a pipe");
    input.write_all(untidy.as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), OLD);
}

#[test]
fn format_in_place_keeps_links_and_permissions() {
    if lacks("format") {
        return;
    }
    use std::os::unix::fs::{PermissionsExt, symlink};
    let directory = Directory::new();
    let path = file(&directory, "ftl.varlink", "interface a.b\nmethod  A()->()");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("permissions");
    let link = directory.path("link");
    symlink(&path, &link).expect("a link");
    succeed(&["format", "--in-place", &link]);
    assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
    let mode = fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let text = fs::read_to_string(&path).expect("the file");
    assert_eq!(text, "interface a.b\n\nmethod A() -> ()\n");
}

#[test]
fn generate_writes_a_module() {
    if lacks("generate") {
        return;
    }
    let directory = Directory::new();
    let path = file(&directory, "org.example.ftl.varlink", OLD);
    let module = succeed(&["generate", &path]);
    assert!(
        module.contains("interface!(\"org.example.ftl.varlink\")"),
        "{module}"
    );
    assert!(module.contains("impl Method for Jump"), "{module}");
    let text = "interface org.example.ftl\n\nmethod Say(text: string) -> ()\n";
    let path = file(&directory, "say.varlink", text);
    assert!(succeed(&["generate", &path]).contains("text: &'a str"));
    assert!(succeed(&["generate", "--owned", &path]).contains("text: String"));
}

/// A definition may come from anyone. Its comments can contain what a terminal obeys.
#[test]
fn control_characters_of_definitions_do_not_reach_a_terminal() {
    if lacks("format") {
        return;
    }
    let directory = Directory::new();
    let text = "# \x1b]0;title\x07 \u{9b}31m\ninterface a.b\n\nmethod A() -> ()\n";
    let path = file(&directory, "a.varlink", text);
    for arguments in [&["format"][..], &["doc"], &["doc", "--man"]] {
        let mut command = nullctl();
        command.args(arguments).arg(&path);
        let shown = shown_on_terminal(command, |command, terminal| _ = command.stdout(terminal));
        assert!(
            shown.contains("]0;title") && shown.contains('\u{fffd}'),
            "{shown:?}"
        );
        assert!(
            !shown.contains("\x1b]") && !shown.contains(['\x07', '\u{9b}']),
            "{shown:?}"
        );
    }
    // A file gets what was in the file.
    assert_eq!(succeed(&["format", &path]), text);
}

/// A definition with everything that a page can contain, and characters that formats escape.
const PAGE: &str = "\
# Flies ships <fast> & \\far\\.
#
# .SH not a section
# - one
# - two
interface org.example.ftl

# Where a ship can be
type Coordinate (
\t# 'East' is positive
\tlongitude: float,
\tbox: ?[](width: int, kind: (small, large))
)

# The <b>state</b>
type State (
\t# Nothing happens
\tidle,
\tbusy
)

# Reports each jump
# [Requires 'more' flag]
method Watch(from: ?[]Coordinate, extra: [string]any) -> (state: State)

method Stop() -> ()

# Too far
error Far (by: int)
";

#[test]
fn doc_prints_html() {
    if lacks("doc") {
        return;
    }
    let directory = Directory::new();
    let page = succeed(&["doc", &file(&directory, "ftl.varlink", PAGE)]);
    for part in [
        "<title>org.example.ftl</title>",
        "<p>Flies ships &lt;fast&gt; &amp; \\far\\.</p>",
        "<li>one</li>",
        "<p class=\"remark\">Needs the flag &quot;more&quot;: the service sends several replies.</p>",
        "<tr><td><code>from</code></td><td>optional list of <a href=\"#type-Coordinate\">Coordinate</a></td>",
        "<tr><td><code>extra</code></td><td>map from names to any JSON value</td>",
        "<code>box.kind = small</code>",
        "<section id=\"type-Coordinate\">",
        "The reply has no content.",
        "<p>The &lt;b&gt;state&lt;/b&gt;</p>",
        "<tr><td><code>idle</code></td><td><p>Nothing happens</p>",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("<b>") && !page.contains("flag]"), "{page}");
    // Every link leads to a part of the page, and every element is closed.
    for link in page.split("href=\"#").skip(1) {
        let id = link.split('"').next().expect("it ends");
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    for element in [
        "p", "ul", "li", "table", "tr", "td", "section", "code", "a", "h3",
    ] {
        let opened = page.matches(&format!("<{element}>")).count()
            + page.matches(&format!("<{element} ")).count();
        assert_eq!(
            opened,
            page.matches(&format!("</{element}>")).count(),
            "{element}"
        );
    }
    // Nothing is loaded from elsewhere.
    assert!(!page.contains("http") && !page.contains("src="), "{page}");
}

#[test]
fn doc_reads_the_definition_of_a_service() {
    if lacks("doc") {
        return;
    }
    let service = Service::start("conformance", &[]);
    let page = succeed(&["doc", "--html", &service.address, "org.example.t"]);
    assert!(
        page.contains("Interface <code>org.example.t</code>"),
        "{page}"
    );
    let message = fail(&["doc", &service.address, "t"]);
    assert!(
        message.contains("t is not the name of an interface"),
        "{message}"
    );
}

#[test]
fn doc_prints_a_manual_page() {
    if lacks("doc") {
        return;
    }
    let directory = Directory::new();
    let page = succeed(&["doc", "--man", &file(&directory, "ftl.varlink", PAGE)]);
    assert!(
        page.contains("\\fBfrom\\fR (optional list of \\fICoordinate\\fR)"),
        "{page}"
    );
    manual_page_is_clean(
        &page,
        &[
            ".SH not a section",
            "Flies ships <fast> & \\far\\.",
            "'East' is positive",
        ],
    );
}

/// Formats a page with man, which must not warn, and must show these texts.
pub fn manual_page_is_clean(page: &str, texts: &[&str]) {
    use std::process::Command;
    let directory = Directory::new();
    let path = file(&directory, "page.7", page);
    let output = Command::new("man")
        .args(["--warnings", "-E", "UTF-8", "-l", &path])
        .env("MANWIDTH", "100")
        .env("LC_ALL", "C.UTF-8")
        .env("MANPAGER", "cat")
        .output();
    match output {
        Ok(output) if output.status.success() => {
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
            let shown = String::from_utf8_lossy(&output.stdout);
            let words: Vec<&str> = shown.split_whitespace().collect();
            let shown = words.join(" ");
            for text in texts {
                assert!(shown.contains(text), "{text} in {shown}");
            }
        }
        _ => needs("man"),
    }
}

/// Skips a part of a test. Under CI, all tools must be there.
pub fn needs(tool: &str) {
    println!("skipped: needs {tool}");
    assert!(std::env::var_os("CI").is_none(), "needs {tool}");
}
