//! Any text is a definition or an error, which are both of use: a definition is found one's way in,
//! says the same when it is formatted, is compatible with itself, and checks any value.
//!
//! The input is a text, and behind a NUL, a value to check.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nullink::idl::{Breaks, Definition, Entry, Kind, MemberKind, Type, compare, size};
use nullink::json::Raw;

fuzz_target!(|data: &[u8]| {
    let (text, value) = match data.iter().position(|byte| *byte == 0) {
        Some(nul) => (&data[..nul], &data[nul + 1..]),
        None => (data, &data[..0]),
    };
    let (Ok(text), Ok(value)) = (str::from_utf8(text), str::from_utf8(value)) else {
        return;
    };
    let mut table = vec![Entry::EMPTY; size(text)];
    let definition = match Definition::parse(text, &mut table) {
        Ok(definition) => definition,
        Err(error) => {
            assert!(error.offset() <= text.len());
            assert!(error.line() > 0 && error.column() > 0);
            return;
        }
    };
    for member in definition.members() {
        assert_eq!(definition.find(member.name()), Some(member));
        member.documentation().count();
        walk(member.input(), 0);
        walk(member.output(), 0);
    }
    definition.documentation().count();

    let canonical = definition.format().to_string();
    let mut table = vec![Entry::EMPTY; size(&canonical)];
    let again =
        Definition::parse(&canonical, &mut table).expect("what was formatted is a definition");
    assert_eq!(again.format().to_string(), canonical);
    let content = |definition: &Definition<'_>| -> Vec<String> {
        let members = definition.members();
        members
            .map(|member| format!("{member:?} {} {}", member.input(), member.output()))
            .collect()
    };
    assert_eq!(content(&definition), content(&again));
    for change in compare(&definition, &again) {
        // (There may be more types than can be compared.)
        assert!(change.breaks() == Breaks::Nothing || change.to_string().contains("more than"));
    }
    let plain = definition.format().colored().to_string();
    assert!(plain.len() > canonical.len());

    if let Ok(raw) = Raw::new(value) {
        for member in definition.members() {
            let _ = match member.kind() {
                MemberKind::Method => definition.check_call(member.name(), raw),
                _ => definition.check_error(member.name(), raw),
            };
        }
    }
});

/// Looks at everything there is, but for what names of types stand for.
fn walk(ty: Type<'_>, depth: usize) {
    assert!(depth <= nullink::idl::DEPTH);
    match ty.kind() {
        Kind::Nullable(inner) | Kind::Array(inner) | Kind::Map(inner) => walk(inner, depth + 1),
        Kind::Struct(fields) => {
            for field in fields {
                assert!(nullink::name::is_field(field.name()));
                field.documentation().count();
                walk(field.ty(), depth + 1);
            }
        }
        Kind::Enum(values) => {
            values.for_each(|value| assert!(nullink::name::is_field(value.name())))
        }
        Kind::Named(member) => assert_eq!(member.kind(), MemberKind::Type),
        _ => {}
    }
}
