//! info, list-interfaces, list-methods, introspect, help.

use crate::tool::{Service, fail, succeed};

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
