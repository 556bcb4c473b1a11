//! info, list-interfaces, list-methods, list-registry, introspect, help.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use crate::tool::{Directory, Service, fail, nullctl, succeed};

#[test]
fn interfaces_are_listed() {
    let service = Service::start("conformance", &[]);
    let listed = succeed(&["list-interfaces", &service.address]);
    assert_eq!(listed, "org.example.t\norg.varlink.service\n");
}

#[test]
fn an_unknown_verb_is_refused() {
    let message = fail(&["frobnicate"]);
    assert!(message.contains("unknown verb frobnicate"), "{message}");
}

#[test]
fn x10_the_registry_of_the_user_lists_sockets_and_links_to_them() {
    let directory = Directory::new();
    let runtime = directory.path("run");
    let registry = format!("{runtime}/varlink/registry");
    let list = |arguments: &[&str]| {
        let mut command = nullctl();
        command.args(["list-registry", "--user"]).args(arguments);
        let output = command.env("XDG_RUNTIME_DIR", &runtime).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(list(&[]), "No services registered.\n");
    assert_eq!(list(&["-j"]), "[]\n");

    fs::create_dir_all(&registry).unwrap();
    let _socket = UnixListener::bind(format!("{registry}/org.example.two")).unwrap();
    symlink("org.example.two", format!("{registry}/org.example.one")).unwrap();
    fs::write(format!("{registry}/org.example.file"), "").unwrap();
    let _other = UnixListener::bind(format!("{registry}/other")).unwrap();
    assert_eq!(
        list(&[]),
        format!(
            "INTERFACE       ENTRYPOINT\n\
            org.example.one unix:{registry}/org.example.one\n\
            org.example.two unix:{registry}/org.example.two\n\n\
            2 registered services listed.\n"
        )
    );
    let listed: serde_json::Value = serde_json::from_str(&list(&["-j"])).unwrap();
    assert_eq!(listed[0]["interface"], "org.example.one");
    assert_eq!(
        listed[1]["entrypoint"],
        format!("unix:{registry}/org.example.two")
    );
    assert_eq!(listed.as_array().unwrap().len(), 2);
}

#[test]
fn an_empty_runtime_directory_is_none() {
    let output = nullctl()
        .args(["list-registry", "--user"])
        .env("XDG_RUNTIME_DIR", "")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stderr, b"nullctl: --user needs XDG_RUNTIME_DIR\n");
}
