//! `generate`: the generated modules equal the committed ones in `tests/generated`, compile, match
//! the definitions, and rustfmt does not change them.
//!
//! `UPDATE=1 cargo test --features tools --test processes` regenerates the committed files.

#![cfg(feature = "tools")]
#![deny(warnings)]

use crate::example;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use example::example_path;
use nullink::Loopback;
use nullink::Method;
use nullink::client::CallError;
use nullink::idl::{Definition, Entry};
use nullink::json::{self, List, Map, Raw, Value};
use nullink::service::{Answer, Info, Responder, Service};
use nullink::tools::{self, contract};
use nullink::{Call, Client, Interface};
use serde::{Deserialize, Serialize};

#[path = "../generated/com.redhat.accounts.rs"]
mod accounts;
#[path = "../generated/org.varlink.certification.rs"]
mod certification;
#[path = "../generated/org.example.torture.owned.rs"]
mod owned;
#[path = "../generated/org.example.t.owned.rs"]
mod owned_t;
#[path = "../generated/org.example.ping.rs"]
mod ping;
#[path = "../generated/org.varlink.service.rs"]
mod service;
#[path = "../generated/org.example.t.rs"]
mod t;
#[path = "../generated/org.example.torture.rs"]
mod torture;

/// The definitions whose modules are committed, with their paths from the modules, and whether the
/// types are owned.
const COMMITTED: [(&str, Interface, bool); 8] = [
    (
        "../../examples/shared/com.redhat.accounts.varlink",
        accounts::INTERFACE,
        false,
    ),
    (
        "../../examples/shared/org.varlink.certification.varlink",
        certification::INTERFACE,
        false,
    ),
    (
        "../../examples/org.example.ping.varlink",
        ping::INTERFACE,
        false,
    ),
    (
        "../../src/org.varlink.service.varlink",
        service::INTERFACE,
        false,
    ),
    (
        "../../examples/shared/org.example.t.varlink",
        t::INTERFACE,
        false,
    ),
    ("org.example.torture.varlink", torture::INTERFACE, false),
    (
        "../../examples/shared/org.example.t.varlink",
        t::INTERFACE,
        true,
    ),
    ("org.example.torture.varlink", torture::INTERFACE, true),
];

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/generated")
}

#[test]
fn generated_modules_equal_the_committed_ones() {
    let mut files = BTreeSet::new();
    for (path, interface, owned) in COMMITTED {
        let end = if owned { "owned.rs" } else { "rs" };
        let file = committed().join(format!("{}.{end}", interface.name()));
        // The current definition, even if this test was compiled with an older one.
        let text = fs::read_to_string(committed().join(path)).unwrap();
        let mut table = vec![Entry::EMPTY; Definition::table_size(&text)];
        let definition = Definition::parse(&text, &mut table).unwrap();
        let module = tools::generate(&definition, path, owned);
        if env::var_os("UPDATE").is_some() {
            fs::write(&file, &module).unwrap();
        }
        assert!(
            fs::read_to_string(&file).unwrap_or_default() == module,
            "{} is out of date: run UPDATE=1 cargo test --features tools --test processes",
            file.display()
        );
        files.insert(file);
    }
    assert_eq!(files, committed_modules());
}

/// Returns all committed modules.
fn committed_modules() -> BTreeSet<PathBuf> {
    let files = fs::read_dir(committed()).unwrap();
    let files = files.map(|file| file.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|end| end == "rs"))
        .collect()
}

#[test]
fn committed_modules_are_what_the_command_in_their_header_gives() {
    let Some(example) = example_path("generate") else {
        return;
    };
    for file in committed_modules() {
        let module = fs::read_to_string(&file).unwrap();
        let command = module
            .lines()
            .find_map(|line| line.strip_prefix("//     cargo run "));
        let (_, arguments) = command
            .unwrap()
            .split_once(" --example generate -- ")
            .unwrap();
        let (arguments, _) = arguments.split_once(" > ").unwrap();
        let output = Command::new(&example)
            .args(arguments.split(' '))
            .current_dir(committed())
            .output()
            .unwrap();
        let (out, error) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
        assert_eq!(error, "", "{}", file.display());
        assert!(*out == *module.as_bytes(), "{}", file.display());
    }
}

#[test]
fn generated_modules_are_not_changed_by_rustfmt() {
    if Command::new("rustfmt").arg("--version").output().is_err() {
        assert!(env::var_os("CI").is_none(), "rustfmt is not installed");
        return println!("skipped: needs rustfmt");
    }
    let dir = scratch("rustfmt");
    let mut modules = write_modules(&dir, &definitions(), false);
    modules.extend(write_modules(&dir, &definitions(), true));
    for (number, text) in long_names().into_iter().enumerate() {
        let module = dir.join(format!("long{number}.rs"));
        fs::write(&module, generate(&text).unwrap()).unwrap();
        modules.push(module);
    }
    let check = Command::new("rustfmt")
        .args(["--check", "--edition", "2024"])
        .args(&modules)
        .output()
        .unwrap();
    let differences = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success(), "{differences}");
}

#[test]
fn generated_modules_compile_without_warnings() {
    let Some(folder) = env::var_os("VARLINK_DEFINITIONS") else {
        return println!("skipped: needs VARLINK_DEFINITIONS");
    };
    let mut definitions = definitions();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "varlink")
        {
            definitions.push(path);
        }
    }
    let dir = scratch("compile");
    for (number, text) in SERVED.iter().enumerate() {
        let path = dir.join(format!("served{number}.varlink"));
        fs::write(&path, text).unwrap();
        definitions.push(path);
    }
    let serde = "default-features = false, features = [\"derive\"]";
    compile(&dir.join("borrowed"), "#![no_std]\n", serde, &definitions);
    let serde = "features = [\"derive\"]";
    compile(&dir.join("owned"), "", serde, &definitions);
}

/// Compiles the modules of definitions in a crate. Those of a crate with std are owned.
fn compile(dir: &Path, head: &str, serde: &str, definitions: &[PathBuf]) {
    let source = dir.join("src");
    fs::create_dir_all(&source).unwrap();
    let modules = write_modules(&source, definitions, head.is_empty());
    let mut lib = String::from(head);
    for (number, module) in modules.iter().enumerate() {
        lib += &format!("#[path = {module:?}]\npub mod m{number};\n");
    }
    fs::write(source.join("lib.rs"), lib).unwrap();
    let project = env!("CARGO_MANIFEST_DIR");
    let manifest = format!(
        "[package]\nname = \"generated\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nnullink = {{ path = {project:?}, default-features = false }}\n\
         serde = {{ version = \"1\", {serde} }}\n\n\
         [workspace]\n"
    );
    fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    fs::copy(
        Path::new(project).join("Cargo.lock"),
        dir.join("Cargo.lock"),
    )
    .unwrap();
    let check = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline"])
        .current_dir(dir)
        .env("RUSTFLAGS", "-D warnings")
        .env("CARGO_TARGET_DIR", dir.join("target"))
        .output()
        .unwrap();
    assert!(
        check.status.success(),
        "{}",
        String::from_utf8_lossy(&check.stderr)
    );
}

#[test]
fn generated_by_the_example_or_an_error_with_its_position() {
    let dir = scratch("example");
    let good = dir.join("good.varlink");
    fs::write(&good, "interface a.b\nerror No ()\n").unwrap();
    let bad = dir.join("bad.varlink");
    fs::write(&bad, "interface a.b\n\nmethod Go(to: strong) -> ()\n").unwrap();
    let Some(example) = example_path("generate") else {
        return;
    };
    let run = |file: &Path| {
        let output = Command::new(&example).arg(file).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, out, _) = run(&good);
    assert_eq!(code, Some(0));
    assert!(out.contains(
        "pub const INTERFACE: nullink::Interface = nullink::interface!(\"good.varlink\");\n"
    ));
    let (code, out, error) = run(&bad);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    let place = format!("{}:3:15: expected a type", bad.display());
    assert!(error.starts_with(&place), "{error}");
}

#[test]
fn generated_names_follow_the_definition_and_are_unique() {
    let text = "interface a.b-c\n\
         type T (a_b: (x: int), aB: (y, z), A_b: [](v: int))\n\
         type TAB ()\n\
         method M() -> (a: (x: int))\n\
         method MReply() -> ()\n\
         error E (a: (x: int))\n\
         error Self (a: int)\n";
    let module = generate(text).unwrap();
    for item in [
        "generate -- a.b-c.varlink > b_c.rs\n",
        "\npub struct TAB_ {\n    pub x: i64,\n}\n",
        "\npub enum TAB__ {\n    #[serde(rename = \"y\")]\n    Y,\n    #[serde(rename = \"z\")]\n    Z,\n    /// A received value that the definition does not have. It can't be sent.\n    #[serde(other, skip_serializing)]\n    Other,\n}\n",
        "\npub struct TAB___ {\n    pub v: i64,\n}\n",
        "\npub struct TAB {}\n",
        "\n    pub a_b: TAB_,\n    #[serde(rename = \"aB\")]\n    pub a_b_: TAB__,\n",
        "\n    /// `[]TAB___`\n    #[serde(rename = \"A_b\")]\n    pub a_b__: A,\n",
        "\npub struct M;\n",
        "\npub struct MReply;\n",
        "\npub struct MReply_ {\n    pub a: MReplyA,\n}\n",
        "\npub struct EA {\n    pub x: i64,\n}\n",
        "\n    type Output<'r> = MReply_;\n",
        "\n    E {\n        a: EA,\n    },\n",
        "\n    #[serde(rename = \"Self\")]\n    Self_ {\n        a: i64,\n    },\n",
    ] {
        assert!(module.contains(item), "{item}\n{module}");
    }
}

/// Definitions that `interface!` refuses, and real services serve.
const SERVED: [&str; 2] = [
    "interface a.empty\n",
    "interface a.endless\n\
     type T (x: T, y: int, u: U)\n\
     type U (a: (t: ?T), t: T, l: []U)\n\
     method M(t: T) -> (u: U)\n\
     error E (t: T)\n",
];

#[test]
fn i7_definitions_that_real_services_serve_are_generated() {
    let empty = generate(SERVED[0]).unwrap();
    // A reader must not miss it without a reason.
    let reason = "// There is no INTERFACE: `nullink::interface!` refuses the definition.\n";
    assert!(empty.contains(&format!("{reason}// 2:1: expected type, method or error\n")));
    let table = &mut vec![Entry::EMPTY; Definition::table_size(SERVED[1])];
    let definition = Definition::parse(SERVED[1], table).unwrap();
    let owned = tools::generate(&definition, "a.endless.varlink", true);
    let item = "\npub struct T {\n    pub x: Option<Box<T>>,\n    pub y: i64,\n    pub u: Option<Box<U>>,\n}\n";
    assert!(owned.contains(item), "{owned}");
    let endless = generate(SERVED[1]).unwrap();
    assert!(!endless.contains("const INTERFACE"));
    for item in [
        "\n// 2:12: expected a type that does not contain itself: it has no finite value\n",
        "\npub struct T<A, B> {\n    /// `T`\n    pub x: A,\n    pub y: i64,\n    /// `U`\n    pub u: B,\n}\n",
        "\npub struct U<A, B, C> {\n    /// `UA`\n    pub a: A,\n    /// `T`\n    pub t: B,\n    /// `[]U`\n    pub l: C,\n}\n",
        "\n    E {\n        /// `T`\n        #[serde(borrow)]\n        t: T<Raw<'a>, Raw<'a>>,\n    },\n",
    ] {
        assert!(endless.contains(item), "{item}\n{endless}");
    }
}

/// Returns the paths of the committed definitions.
fn definitions() -> Vec<PathBuf> {
    let paths = COMMITTED.iter();
    paths.map(|(path, ..)| committed().join(path)).collect()
}

/// Creates a directory without sources.
fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("generate")
        .join(name);
    // Keeps the target directory of an earlier run.
    let _ = fs::remove_dir_all(dir.join("src"));
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn generate(text: &str) -> Result<String, nullink::idl::ParseError> {
    let mut table = vec![Entry::EMPTY; Definition::table_size(text)];
    let definition = Definition::parse(text, &mut table)?;
    let path = format!("{}.varlink", definition.name());
    Ok(tools::generate(&definition, &path, false))
}

/// Writes modules into a directory.
fn write_modules(dir: &Path, definitions: &[PathBuf], owned: bool) -> Vec<PathBuf> {
    let write = |(number, path): (usize, &PathBuf)| {
        let text = fs::read_to_string(path).unwrap();
        let mut table = vec![Entry::EMPTY; Definition::table_size(&text)];
        let definition = Definition::parse(&text, &mut table)
            .unwrap_or_else(|error| panic!("{}:{error}", path.display()));
        let name = if owned { "owned" } else { "borrowed" };
        let module = dir.join(format!("{name}{number}.rs"));
        let text = tools::generate(&definition, path.to_str().unwrap(), owned);
        fs::write(&module, text).unwrap();
        module
    };
    definitions.iter().enumerate().map(write).collect()
}

/// Returns definitions with names that make each kind of line short, long and too long for rustfmt.
fn long_names() -> Vec<String> {
    let mut texts = Vec::new();
    for length in (1..12).chain(20..110) {
        let long = "Long".repeat(length / 4) + &"x".repeat(length % 4);
        texts.push(format!(
            "interface a.b\n\
             type T{long} (a: string, b: []T{long}, c{long}: ?A, C: A, e{long}: [](d: ?A{long}))\n\
             type A{long} (a: [](x: int), b{long}: []int, c: ?(d: string, e{long}: []int))\n\
             type E{long} (a, b_c, C{long}, d{long}, e)\n\
             type A (a: any, b: (c: [string]()))\n\
             method M{long}(a: int) -> (a: []int)\n\
             method N{long}(a{long}: any, b: ?[]int) -> (a: []int, c{long}: []int, d: [](a: int))\n\
             method O(a{long}: [](b: int), b: []int, c: A) -> (a: A{long}, c{long}: ?A)\n\
             method P{long}(a: (b: int, C{long}: object)) -> ()\n\
             error R{long} (a: int, b: string)\n\
             error S (a{long}: bool, b: int)\n\
             {}error T (a{long}: ?A{long}, C{long}: object)\n\
             error U ()\n",
            if length % 2 == 0 { "# a comment\n" } else { "" }
        ));
        texts.push(format!(
            "interface a.b\nerror R{long} (a: int, b: string)\nerror S (a{long}: bool)\n"
        ));
    }
    texts
}

/// Encodes a value, decodes it, and encodes it again. Both texts must equal `text`.
#[track_caller]
fn round_trip<'t, W, R>(value: &W, text: &str, buffer: &'t mut [u8]) -> R
where
    W: Serialize,
    R: Serialize + Deserialize<'t>,
{
    let mut other = [0; 4096];
    assert_eq!(json::encode(value, &mut other), Ok(text));
    let bytes = &mut buffer[..text.len()];
    bytes.copy_from_slice(text.as_bytes());
    let read: R = json::decode(bytes).unwrap();
    assert_eq!(json::encode(&read, &mut other), Ok(text));
    read
}

#[test]
fn generated_types_without_lists_round_trip() {
    let buffer = &mut [0; 4096];
    let account = accounts::Account {
        name: "a \"name\"",
        uid: i64::MIN,
        gid: i64::MAX,
        full_name: "",
        home: "/",
        shell: "\u{1F980}",
    };
    let text = "{\"name\":\"a \\\"name\\\"\",\"uid\":-9223372036854775808,\
         \"gid\":9223372036854775807,\"full_name\":\"\",\"home\":\"/\",\"shell\":\"\u{1F980}\"}";
    assert_eq!(account, round_trip(&account, text, buffer));

    let keywords = torture::Keywords {
        r#type: 1,
        r#fn: None,
        r#async: true,
        r#gen: 0.5,
        self_: 2,
        self__: 3,
        crate_: "crate",
        super_: Some(Raw::EMPTY_OBJECT),
    };
    let text = r#"{"type":1,"async":true,"gen":0.5,"self":2,"Self":3,"crate":"crate","super":{}}"#;
    assert_eq!(keywords, round_trip(&keywords, text, buffer));

    let camels = torture::Camels {
        user_name: "u",
        timeout_u_sec: Some(1),
        x: 2,
        machine_id: "m",
    };
    let text = r#"{"userName":"u","timeoutUSec":1,"x":2,"machineID":"m"}"#;
    assert_eq!(camels, round_trip(&camels, text, buffer));

    let pascals = torture::Pascals {
        hostname: "h",
        static_hostname: None,
        machine_id: Some(Raw::new("[1, 2]").unwrap()),
    };
    let text = r#"{"Hostname":"h","MachineID":[1, 2]}"#;
    assert_eq!(pascals, round_trip(&pascals, text, buffer));

    let same = torture::Same {
        foo_bar: 1,
        foo_bar_: 2,
        foo_bar__: 3,
        foobar: 4,
    };
    let text = r#"{"foo_bar":1,"fooBar":2,"FooBar":3,"foobar":4}"#;
    assert_eq!(same, round_trip(&same, text, buffer));

    let method = torture::Method_ {
        option: torture::Option_ { some: Some(true) },
        error: Some(torture::Error_ { code: 7 }),
        raw: torture::Raw_ {
            raw: Raw::new("1.50").unwrap(),
        },
    };
    let text = r#"{"Option":{"some":true},"error":{"code":7},"raw":{"raw":1.50}}"#;
    assert_eq!(method, round_trip(&method, text, buffer));

    let debug = torture::Debug {
        debug: torture::Clone {
            clone: torture::Copy {
                copy: torture::PartialEq {
                    partial_eq: torture::Eq::Sized,
                },
            },
        },
    };
    let text = r#"{"debug":{"clone":{"copy":{"partial_eq":"Sized"}}}}"#;
    assert_eq!(debug, round_trip(&debug, text, buffer));
}

#[test]
fn generated_values_match_the_definition() {
    use torture::{Snakes, Values};
    for (value, text) in [
        (Values::Plain, "plain"),
        (Values::TwoWords, "two_words"),
        (Values::TwoWords_, "twoWords"),
        (Values::TwoWords__, "TwoWords"),
        (Values::Loud, "LOUD"),
        (Values::Self_, "Self"),
        (Values::Self__, "self"),
        (Values::Type, "type"),
        (Values::A1, "a1"),
        (Values::A1_, "a_1"),
        (Values::X8664, "x86_64"),
    ] {
        let text = format!("{text:?}");
        assert_eq!(value, round_trip(&value, &text, &mut [0; 64]));
    }
    for (value, text) in [
        (Snakes::One, "one"),
        (Snakes::TwoWords, "two_words"),
        (Snakes::ThreeMoreWords, "three_more_words"),
    ] {
        let text = format!("{text:?}");
        assert_eq!(value, round_trip(&value, &text, &mut [0; 64]));
    }
}

#[test]
fn a_new_value_of_an_enumeration_does_not_lose_the_reply() {
    use torture::{GetState, GetStateOnly, GetStateReply, GetStateReplyState};
    let mut message = br#"{"parameters":{"hostname":"h","state":"maintenance"}}"#.to_owned();
    let reply = nullink::Reply::parse(&mut message).unwrap();
    let expected = GetStateReply {
        hostname: "h",
        state: GetStateReplyState::Other_,
    };
    assert_eq!(reply.into_result::<GetState>(), Ok(expected));
    // `other` is a value of the definition.
    let other = GetStateReplyState::Other;
    assert_eq!(other, round_trip(&other, r#""other""#, &mut [0; 64]));
    // An unknown value can't be sent, and is not one of a call: the service would do what it does
    // not know.
    assert!(json::encode(&GetStateReplyState::Other_, &mut [0; 64]).is_err());
    let mut text = *br#""sideways""#;
    assert!(json::decode::<GetStateOnly>(&mut text).is_err());
}

#[test]
fn generated_names_split_words_and_keep_acronyms() {
    let address = torture::IPv4AddressState {
        ipv4_address_state: "routable",
        ipv6: 1,
        uids: Some(2),
        operating_system_cpe_name: None,
        dhcpv6_pd_prefix: Some(3),
        v_sock_cid: Some(4),
        listen_fds_max: Some(5),
        psi: Some(6),
    };
    let text = "{\"IPv4AddressState\":\"routable\",\"IPv6\":1,\"UIDs\":2,\
         \"DHCPv6PDPrefix\":3,\"VSockCID\":4,\"listenFDsMax\":5,\"PSI\":6}";
    assert_eq!(address, round_trip(&address, text, &mut [0; 999]));
}

#[test]
fn generated_structs_have_a_constructor_that_survives_new_nullable_fields() {
    use torture::Tree;
    use torture::{Camels, GetState, GetStateReply, GetStateReplyState, IPv4AddressState, Knot};
    assert_eq!(GetState::default(), GetState { only: None });
    assert_eq!(
        Knot::default(),
        Knot {
            through: None::<Raw>
        }
    );
    let camels = Camels::new("u", 2, "m");
    assert_eq!(
        (camels.user_name, camels.x, camels.machine_id),
        ("u", 2, "m")
    );
    assert_eq!(camels.timeout_u_sec, None);
    let state = GetStateReply::new("h", GetStateReplyState::Running);
    assert_eq!(state.hostname, "h");
    let mixed = IPv4AddressState {
        psi: Some(1),
        ..IPv4AddressState::new("off", 4)
    };
    assert_eq!((mixed.ipv6, mixed.psi, mixed.uids), (4, Some(1), None));
    // The type of an open field is that of its value, or `Raw` for one that is left out.
    let tree = <Tree>::new("root", Raw::new("[]").unwrap(), Raw::EMPTY_OBJECT);
    assert_eq!((tree.value, tree.parent), ("root", None));
    let tree = Tree {
        parent: Some(tree),
        ..Tree::new("leaf", [1, 2], "named")
    };
    let text = "{\"value\":\"leaf\",\"parent\":{\"value\":\"root\",\"children\":[],\"named\":{}},\
         \"children\":[1,2],\"named\":\"named\"}";
    assert_eq!(json::encode(&tree, &mut [0; 999]), Ok(text));
}

#[test]
fn i8_generated_methods_know_the_flags_that_they_require() {
    use torture::{Get, Once, Pipe, Watch};
    fn flags<M: Method>(_: &M) -> [bool; 2] {
        [M::REQUIRES_MORE, M::REQUIRES_UPGRADE]
    }
    assert_eq!(flags(&Watch::default()), [true, false]);
    assert_eq!(flags(&Pipe), [false, true]);
    assert_eq!([flags(&Once), flags(&Get)], [[false; 2]; 2]);
    assert_eq!(flags(&owned::Watch::default()), [true, false]);

    let (mut calls, mut receive, mut send) = ([0; 999], [0; 999], [0; 999]);
    let mut client = |replies: &[u8], upgrade| {
        let stream = nullink::Duplex {
            reader: replies,
            writer: &mut calls[..],
        };
        let mut client = Client::new(stream, &mut receive, &mut send);
        if upgrade {
            return assert_eq!(client.upgrade(&Pipe), Ok(()));
        }
        let mut replies = client.more(&Watch::default()).unwrap();
        assert_eq!(replies.next().unwrap().unwrap().event, "a");
        assert_eq!(replies.next().unwrap().unwrap().event, "b");
        assert!(replies.next().unwrap().is_none());
    };
    let one = r#"{"continues":true,"parameters":{"event":"a"}}"#;
    let two = r#"{"parameters":{"event":"b"}}"#;
    client(format!("{one}\0{two}\0").as_bytes(), false);
    client(b"{}\0", true);
}

#[test]
fn owned_types_round_trip() {
    use owned::{Camels, Json, PutEverything, PutEverythingSeven, Ring, Rong, Tree, Values};
    let leaf = Tree::new("leaf".into(), Vec::new(), BTreeMap::new());
    let tree = Tree {
        parent: Some(Box::new(leaf.clone())),
        ..Tree::new(
            "root \u{1F980}".into(),
            vec![leaf.clone(), leaf.clone()],
            BTreeMap::from([("a \"key\"".into(), leaf)]),
        )
    };
    let one = r#"{"value":"leaf","children":[],"named":{}}"#;
    let text = format!(
        "{{\"value\":\"root \u{1F980}\",\"parent\":{one},\"children\":[{one},{one}],\
         \"named\":{{\"a \\\"key\\\"\":{one}}}}}"
    );
    let read: Tree = round_trip(&tree, &text, &mut [0; 4096]);
    assert_eq!(read, tree);

    let put = PutEverything {
        six: Some(vec![Json(r#"{"a": [1e2, 2.50, null]}"#.into())]),
        ..PutEverything::new(
            vec![i64::MIN, i64::MAX],
            vec![vec![], vec!["x".into()]],
            BTreeMap::from([("k".into(), BTreeMap::from([("set".into(), ())]))]),
            vec![None, Some(Values::Loud)],
            vec![PutEverythingSeven::new(-1)],
            vec![Json("-7".into()), Json(r#""x\n""#.into())],
        )
    };
    let text = "{\"one\":[-9223372036854775808,9223372036854775807],\"three\":[[],[\"x\"]],\
         \"four\":{\"k\":{\"set\":{}}},\"five\":[null,\"LOUD\"],\
         \"six\":[{\"a\": [1e2, 2.50, null]}],\"seven\":[{\"a\":-1}],\"eight\":[-7,\"x\\n\"]}";
    let read: PutEverything = round_trip(&put, text, &mut [0; 4096]);
    assert_eq!(read, put);

    assert!(json::encode(&Json("{".into()), &mut [0; 99]).is_err());

    // A value outlives the buffer that it was read from.
    let read: Camels = {
        let mut text = br#"{"userName":"u\u0020v","x":2,"machineID":"m"}"#.to_owned();
        json::decode(&mut text).unwrap()
    };
    assert_eq!(read, Camels::new("u v".into(), 2, "m".into()));
    let ring = Ring {
        next: Some(Box::new(Rong::new(owned::Rang::default()))),
    };
    let text = r#"{"next":{"next":{}}}"#;
    assert_eq!(ring, round_trip(&ring, text, &mut [0; 99]));
}

#[test]
fn owned_types_are_called_and_served() {
    use owned_t::{Echo, EchoReply, Error, Methods};
    let echo = Echo {
        s: Some("a".into()),
        l: Some(vec![1, 2]),
        m: Some(BTreeMap::from([("k".into(), "v".into())])),
        ..Echo::default()
    };
    let buffer = &mut [0; 999];
    assert_eq!(dispatch::<Methods, _>(&echo, buffer), Methods::Echo(echo));
    let mut message = br#"{"parameters":{"got":{"a":[1]}}}"#.to_owned();
    let reply = nullink::Reply::parse(&mut message).unwrap();
    let got = owned_t::Json(r#"{"a":[1]}"#.into());
    assert_eq!(reply.into_result::<Echo>(), Ok(EchoReply { got }));
    let mut message = br#"{"error":"org.example.t.Oops","parameters":{"why":"so"}}"#.to_owned();
    let reply = nullink::Reply::parse(&mut message).unwrap();
    let oops = Error::Oops { why: "so".into() };
    assert_eq!(reply.into_result::<Echo>(), Err(CallError::Method(oops)));
}

#[test]
fn owned_types_keep_the_contract() {
    contract(&owned::INTERFACE, |types| {
        types
            .methods::<owned::Methods>()
            .call::<owned::GetReply>()
            .call::<owned::Self_>()
            .call::<owned::Some>()
            .call::<owned::Default>()
            .call::<owned::List>()
            .call::<owned::PutEverything>()
            .call::<owned::GetState>()
            .errors::<owned::Error>()
    })
    .unwrap();
    contract(&owned_t::INTERFACE, |types| {
        types
            .methods::<owned_t::Methods>()
            .call::<owned_t::Echo>()
            .call::<owned_t::Need>()
            .call::<owned_t::Count>()
            .errors::<owned_t::Error>()
    })
    .unwrap();
}

#[test]
fn generated_lists_and_maps_are_written_from_iterators_and_read_as_raw() {
    use torture::{Nested, NestedListOfThings, Tree};
    use torture::{NestedABC_, NestedABC__, NestedABCDeep, NestedABCDeepDeeper};
    use torture::{NestedABCDeepDeeperDeepest, NestedABc, NestedABcY, NestedList, NestedListOf};
    let buffer = &mut [0; 4096];

    // A type within itself: the parent of a tree is a tree.
    let root = Tree {
        value: "root",
        parent: None::<Raw>,
        children: List([(); 0]),
        named: Map([("one", Raw::EMPTY_OBJECT)]),
    };
    let leaf = Tree {
        value: "leaf",
        parent: Some(root),
        children: List([1, 2]),
        named: Map([("", ""); 0]),
    };
    let text = "{\"value\":\"leaf\",\"parent\":{\"value\":\"root\",\"children\":[],\
         \"named\":{\"one\":{}}},\"children\":[1,2],\"named\":{}}";
    let tree: Tree = round_trip(&leaf, text, buffer);
    let mut scratch = [0; 256];
    let parent: Tree = tree.parent.unwrap().decode_in(&mut scratch).unwrap();
    assert_eq!((parent.value, parent.parent), ("root", None));
    let mut scratch = [0; 256];
    let children: Value = tree.children.decode_in(&mut scratch).unwrap();
    assert_eq!(children.items().unwrap().count(), 2);

    // Types without a name, with the type parameters of the types in them.
    let nested = Nested {
        a_b_c: NestedABC_ {
            deep: NestedABCDeep {
                deeper: NestedABCDeepDeeper {
                    deepest: NestedABCDeepDeeperDeepest { name: "n" },
                },
            },
        },
        a_b_c_: NestedABC__::Two,
        a_bc: Some(NestedABc {
            x: 1,
            y: Some(NestedABcY {
                z: List(["z"].iter()),
            }),
        }),
        list: List([NestedList {
            name: "l",
            of: NestedListOf {
                things: List([None, Some(Map([("k", List([NestedListOfThings::In]))]))]),
            },
        }]),
        nothing: (),
        perhaps: Some(()),
        set: Map([("a", ()), ("b", ())]),
        sets: Map([("a", Map([("b", ())]))]),
    };
    let text = "{\"a_b_c\":{\"deep\":{\"deeper\":{\"deepest\":{\"name\":\"n\"}}}},\"aB_c\":\"two\",\
         \"a_BC\":{\"x\":1,\"y\":{\"z\":[\"z\"]}},\
         \"list\":[{\"name\":\"l\",\"of\":{\"things\":[null,{\"k\":[\"in\"]}]}}],\
         \"nothing\":{},\"perhaps\":{},\"set\":{\"a\":{},\"b\":{}},\"sets\":{\"a\":{\"b\":{}}}}";
    let nested: Nested = round_trip(&nested, text, buffer);
    let inner = nested.a_bc.unwrap();
    assert_eq!(inner.y.unwrap().z.as_str(), "[\"z\"]");
    let list: Value = nested.list.decode_in(&mut scratch).unwrap();
    let element = list.items().unwrap().next().unwrap();
    let element: NestedList = element.decode().unwrap();
    let mut scratch = [0; 256];
    let things: Value = element.of.things.decode_in(&mut scratch).unwrap();
    assert_eq!(things.items().unwrap().count(), 2);
}

/// A service that uses the generated types.
struct Accounts;

impl Service for Accounts {
    const INTERFACES: &'static [Interface] = &[accounts::INTERFACE];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        use accounts::{AddReply, Error, GetAllReply, GetByNameReply, Methods};
        let all = [("root", 0), ("bin", 1)].map(|(name, uid)| accounts::Account {
            name,
            uid,
            gid: uid,
            full_name: "",
            home: "/",
            shell: "",
        });
        match call.decode()? {
            Methods::GetAll => {
                let accounts = List(all);
                reply.send(&GetAllReply { accounts })
            }
            Methods::GetByName(accounts::GetByName { name }) => {
                match all.into_iter().find(|account| account.name == name) {
                    Some(account) => reply.send(&GetByNameReply { account }),
                    None => reply.error(&Error::NotFound),
                }
            }
            Methods::GetByUid(_) => reply.error(&Error::CreationFailed { field: "uid" }),
            Methods::Add(accounts::Add { account }) => reply.send(&AddReply { account }),
        }
    }
}

#[test]
fn generated_methods_are_called_and_dispatched() {
    let (mut a, mut b, mut c, mut d) = ([0; 1024], [0; 1024], [0; 1024], [0; 1024]);
    let stream = Loopback::new(Accounts, &mut a, &mut b);
    let mut client = Client::new(stream, &mut c, &mut d);

    let reply = client.call(&accounts::GetAll).unwrap();
    let mut names = Vec::new();
    let mut scratch = [0; 1024];
    let list: Value = reply.accounts.decode_in(&mut scratch).unwrap();
    for element in list.items().unwrap() {
        let account: accounts::Account = element.decode().unwrap();
        names.push(account.name.to_owned());
    }
    assert_eq!(names, ["root", "bin"]);

    let reply = client.call(&accounts::GetByName { name: "bin" }).unwrap();
    assert_eq!((reply.account.name, reply.account.uid), ("bin", 1));
    let account = accounts::Account {
        name: "new",
        ..reply.account
    };
    let mut e = [0; 1024];
    let mut f = [0; 1024];
    let (mut g, mut h) = ([0; 1024], [0; 1024]);
    let mut other = Client::new(Loopback::new(Accounts, &mut e, &mut f), &mut g, &mut h);
    assert_eq!(
        other.call(&accounts::Add { account }).unwrap().account,
        account
    );

    assert_eq!(
        client.call(&accounts::GetByName { name: "nobody" }),
        Err(CallError::Method(accounts::Error::NotFound)),
    );
    assert_eq!(
        client.call(&accounts::GetByUid { uid: 1 }),
        Err(CallError::Method(accounts::Error::CreationFailed {
            field: "uid"
        })),
    );
}

/// Encodes a call and decodes it like a service.
fn dispatch<'c, T: Deserialize<'c>, M: Method>(method: &M, message: &'c mut [u8]) -> T {
    #[derive(Serialize)]
    struct Envelope<'a, M> {
        method: &'a str,
        parameters: &'a M,
    }
    let envelope = Envelope {
        method: M::NAME,
        parameters: method,
    };
    let length = json::encode(&envelope, message).unwrap().len();
    Call::parse(&mut message[..length])
        .unwrap()
        .decode()
        .unwrap()
}

#[test]
fn generated_methods_of_all_kinds_reach_the_service() {
    use torture::Methods;
    let raw = |text| Raw::new(text).unwrap();
    let message = &mut [0; 1024];
    assert_eq!(dispatch::<Methods, _>(&torture::Get, message), Methods::Get);
    assert_eq!(
        dispatch::<Methods, _>(&torture::Self_ { self_: 3 }, message),
        Methods::Self_(torture::Self_ { self_: 3 }),
    );
    assert_eq!(
        dispatch::<Methods, _>(&torture::GetReply { reply: None }, message),
        Methods::GetReply(torture::GetReply { reply: None }),
    );
    assert_eq!(
        dispatch::<Methods, _>(&torture::Some, message),
        Methods::Some
    );
    let put = torture::PutEverything {
        one: List(1..=3),
        two: Some(Map([("pi", 3.25)])),
        three: List([List(["a"]), List(["b"])]),
        four: Map([("x", Map([("y", ())]))]),
        five: List([None, Some(torture::Values::Loud)]),
        six: None::<Raw>,
        seven: [torture::PutEverythingSeven { a: 1 }].as_slice(),
        eight: List([raw("1"), raw("{}")]),
    };
    assert_eq!(
        dispatch::<Methods, _>(&put, message),
        Methods::PutEverything(torture::PutEverything {
            one: raw("[1,2,3]"),
            two: Some(raw(r#"{"pi":3.25}"#)),
            three: raw(r#"[["a"],["b"]]"#),
            four: raw(r#"{"x":{"y":{}}}"#),
            five: raw(r#"[null,"LOUD"]"#),
            six: None,
            seven: raw(r#"[{"a":1}]"#),
            eight: raw("[1,{}]"),
        }),
    );
    assert_eq!(
        dispatch::<certification::Methods, _>(
            &certification::Test11 {
                client_id: "c",
                last_more_replies: ["one", "two"],
            },
            message,
        ),
        certification::Methods::Test11(certification::Test11 {
            client_id: "c",
            last_more_replies: raw(r#"["one","two"]"#),
        }),
    );
    assert_eq!(
        dispatch::<ping::Methods, _>(&ping::Ping { ping: "\u{1}" }, message),
        ping::Methods::Ping(ping::Ping { ping: "\u{1}" }),
    );
    assert_eq!(t::Echo::<Raw, Raw>::NAME, "org.example.t.Echo");
    assert_eq!(service::GetInfo::NAME, nullink::service::GetInfo::NAME);
}

#[test]
fn generated_errors_match_the_definition() {
    use torture::Error;
    let tree = torture::Tree {
        value: "v",
        parent: None,
        children: Raw::new("[]").unwrap(),
        named: Raw::EMPTY_OBJECT,
    };
    for (reply, error) in [
        (r#"{"error":"org.example.torture.Oops"}"#, Error::Oops),
        (
            r#"{"error":"org.example.torture.TwoFields","parameters":{"userName":"u","uid":1}}"#,
            Error::TwoFields {
                user_name: "u",
                uid: 1,
            },
        ),
        (
            "{\"error\":\"org.example.torture.Missing\",\"parameters\":{\"names\":[\"a\"],\
             \"from\":{\"set\":{}},\"tree\":{\"value\":\"v\",\"children\":[],\"named\":{}}}}",
            Error::Missing {
                names: Raw::new(r#"["a"]"#).unwrap(),
                from: torture::MissingFrom {
                    set: Raw::EMPTY_OBJECT,
                },
                tree: Some(tree),
            },
        ),
    ] {
        let mut message = reply.as_bytes().to_owned();
        let reply = nullink::Reply::parse(&mut message).unwrap();
        assert_eq!(
            reply.into_result::<torture::Get>(),
            Err(CallError::Method(error)),
        );
    }
}

#[test]
fn generated_types_keep_the_contract() {
    contract(&accounts::INTERFACE, |types| {
        types
            .methods::<accounts::Methods>()
            .call::<accounts::GetAll>()
            .call::<accounts::GetByUid>()
            .call::<accounts::GetByName>()
            .call::<accounts::Add>()
            .errors::<accounts::Error>()
    })
    .unwrap();
    contract(&certification::INTERFACE, |types| {
        types
            .methods::<certification::Methods>()
            .call::<certification::Start>()
            .call::<certification::Test06>()
            .call::<certification::Test08<Raw>>()
            .call::<certification::Test09<Raw>>()
            .errors::<certification::Error>()
    })
    .unwrap();
    contract(&ping::INTERFACE, |types| {
        types
            .methods::<ping::Methods>()
            .call::<ping::Ping>()
            .errors::<ping::Error>()
    })
    .unwrap();
    contract(&service::INTERFACE, |types| {
        types
            .methods::<service::Methods>()
            .call::<service::GetInfo>()
            .call::<service::GetInterfaceDescription>()
            .errors::<service::Error>()
    })
    .unwrap();
    contract(&t::INTERFACE, |types| {
        types
            .methods::<t::Methods>()
            .call::<t::Echo<Raw, Raw>>()
            .call::<t::Pipe>()
            .errors::<t::Error>()
    })
    .unwrap();
    contract(&torture::INTERFACE, |types| {
        types
            .methods::<torture::Methods>()
            .call::<torture::GetReply>()
            .call::<torture::Self_>()
            .call::<torture::Some>()
            .call::<torture::Default>()
            .call::<torture::List<Raw, Raw, Raw>>()
            .call::<torture::GetState>()
            .errors::<torture::Error>()
    })
    .unwrap();
}
