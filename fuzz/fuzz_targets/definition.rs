//! Checks that any text is either a definition or an error with a position. All members of a
//! definition can be found, the formatted definition is equivalent and compatible, and checking any
//! value does not panic.
//!
//! The input is a text, a NUL, and a value to check.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nullink::idl::{Definition, Entry, MemberKind, Type, TypeKind};
use nullink::json::Raw;
use nullink::tools::{compare, format, format_colored};

fuzz_target!(|data: &[u8]| {
    let (text, value) = match data.iter().position(|byte| *byte == 0) {
        Some(nul) => (&data[..nul], &data[nul + 1..]),
        None => (data, &data[..0]),
    };
    let (Ok(text), Ok(value)) = (str::from_utf8(text), str::from_utf8(value)) else {
        return;
    };
    let mut table = vec![Entry::EMPTY; Definition::table_size(text)];
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

    let canonical = format(&definition);
    let mut table = vec![Entry::EMPTY; Definition::table_size(&canonical)];
    let again =
        Definition::parse(&canonical, &mut table).expect("the formatted text is a definition");
    assert_eq!(format(&again), canonical);
    let content = |definition: &Definition<'_>| -> Vec<String> {
        let members = definition.members();
        members
            .map(|member| format!("{member:?} {} {}", member.input(), member.output()))
            .collect()
    };
    assert_eq!(content(&definition), content(&again));
    assert_eq!(compare(&definition, &again), []);
    assert!(format_colored(&definition).len() > canonical.len());

    if let Ok(raw) = Raw::new(value) {
        for member in definition.members() {
            let _ = match member.kind() {
                MemberKind::Method => definition.check_call(member.name(), raw),
                _ => definition.check_error(member.name(), raw),
            };
        }
    }
});

/// Visits all parts of a type, but does not follow the names of types.
fn walk(ty: Type<'_>, depth: usize) {
    assert!(depth <= Definition::MAX_DEPTH);
    match ty.kind() {
        TypeKind::Nullable(inner) | TypeKind::Array(inner) | TypeKind::Map(inner) => {
            walk(inner, depth + 1)
        }
        TypeKind::Struct => {
            for field in ty.fields() {
                assert!(nullink::name::is_field(field.name()));
                field.documentation().count();
                walk(field.ty(), depth + 1);
            }
        }
        TypeKind::Enum => ty
            .values()
            .for_each(|value| assert!(nullink::name::is_field(value.name()))),
        TypeKind::Named(member) => assert_eq!(member.kind(), MemberKind::Type),
        _ => {}
    }
}
