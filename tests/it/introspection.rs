//! `org.varlink.service`: GetInfo, GetInterfaceDescription, and the definition.

use crate::common;

use common::t::T;
use common::{Arrival, EMPTY, answer, invalid, talk};
use nullink::service::{Answer, Info, Refusal, Responder, Service};
use nullink::{Call, Interface, interface};

fn ask(method: &str, parameters: &str) -> serde_json::Value {
    let input =
        format!(r#"{{"method":"org.varlink.service.{method}","parameters":{parameters}}}"#) + "\0";
    let mut scratch = [0; 1024];
    let mut service = T {
        scratch: &mut scratch,
    };
    let (replies, end) = answer(
        &mut service,
        input.as_bytes(),
        Arrival::Joined,
        4096,
        1 << 16,
    );
    assert_eq!((replies.len(), end), (1, Ok(false)));
    serde_json::from_str(&replies[0]).unwrap()
}

#[test]
fn s1_get_info_lists_all_interfaces_and_itself() {
    let info = ask("GetInfo", "{}");
    assert_eq!(
        info["parameters"],
        serde_json::json!({
            "vendor": "Nullink",
            "product": "Conformance",
            "version": env!("CARGO_PKG_VERSION"),
            "url": "https://uapi-group.org/specifications/specs/varlink/",
            "interfaces": ["org.varlink.service", "org.example.t"],
        })
    );
}

#[test]
fn s2_a_description_is_the_text_of_the_definition_byte_for_byte() {
    let description = ask(
        "GetInterfaceDescription",
        r#"{"interface":"org.example.t"}"#,
    );
    let written = include_str!("../../examples/shared/org.example.t.varlink");
    assert_eq!(description["parameters"]["description"], written);
    assert!(written.contains("# What Fail fails with\n"));
}

#[test]
fn s2_a_description_keeps_unusual_white_space_and_control_characters() {
    const ODD: Interface = interface!(text
        "\n \t\r\n# \"First\" \\ \u{7f}\u{1}\u{e9}\u{1F980}  \r\n\ninterface   org.example.odd#\u{2028}\n\n
        error\u{a0}E(  )# last");
    struct Odd;
    impl Service for Odd {
        const INTERFACES: &'static [Interface] = &[ODD];
        fn info(&self) -> Info<'_> {
            Info::default()
        }
        fn call<'c>(&mut self, _: Call<'c>, _: Responder<'c>) -> Answer<'c> {
            Err(Refusal::MethodNotFound)
        }
    }
    let call = br#"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.example.odd"}}"#;
    let input = [call.as_slice(), b"\0"].concat();
    for send in [128, 8192] {
        let (replies, end) = answer(&mut Odd, &input, Arrival::Joined, 256, send);
        assert_eq!((replies.len(), end), (1, Ok(false)));
        let reply: serde_json::Value = serde_json::from_str(&replies[0]).unwrap();
        assert_eq!(reply["parameters"]["description"], ODD.text());
    }
}

#[test]
fn s3_an_unknown_interface_and_bad_parameters_are_errors() {
    let describe = |parameters: &str| {
        format!(
            r#"{{"method":"org.varlink.service.GetInterfaceDescription","parameters":{parameters}}}"#
        )
    };
    let not_found = |interface: &str| {
        format!(
            r#"{{"error":"org.varlink.service.InterfaceNotFound","parameters":{{"interface":"{interface}"}}}}"#
        )
    };
    talk()
        .call(
            describe(r#"{"interface":"org.example.u"}"#),
            &not_found("org.example.u"),
        )
        .call(describe(r#"{"interface":""}"#), &not_found(""))
        .call(
            describe(r#"{"interface":"\u0000\n"}"#),
            &not_found(r"\u0000\n"),
        )
        .call(describe("{}"), &invalid("interface"))
        .call(describe(r#"{"interface":null}"#), &invalid("interface"))
        .call(
            describe(r#"{"interface":["org.example.t"]}"#),
            &invalid("interface"),
        )
        .call(EMPTY, "{}")
        .check();
}

#[test]
fn s4_the_definition_has_all_methods_and_errors_of_the_specification() {
    let description = ask(
        "GetInterfaceDescription",
        r#"{"interface":"org.varlink.service"}"#,
    );
    let text = description["parameters"]["description"].as_str().unwrap();
    let code: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let code = code.join("\n");
    assert!(
        code.trim_start()
            .starts_with("interface org.varlink.service\n")
    );
    for member in [
        "method GetInfo() -> (",
        "method GetInterfaceDescription(interface: string) -> (description: string)",
        "error InterfaceNotFound (interface: string)",
        "error MethodNotFound (method: string)",
        "error MethodNotImplemented (method: string)",
        "error InvalidParameter (parameter: string)",
        "error PermissionDenied ()",
        "error ExpectedMore ()",
        "error ExpectedUpgrade ()",
    ] {
        assert_eq!(code.matches(member).count(), 1, "{member}");
    }
    for field in [
        "vendor: string",
        "product: string",
        "version: string",
        "url: string",
        "interfaces: []string",
    ] {
        assert_eq!(code.matches(field).count(), 1, "{field}");
    }
}
