//! Definitions: the grammar, parse errors, and the content of definitions.

#[path = "../../common/definitions.rs"]
mod definitions;

use definitions::{definitions, root};
use nullink::idl::{self, Definition, Entry, MemberKind, Problem, TypeKind};
use nullink::{Interface, interface};
use proptest::prelude::*;

/// Parses a definition into a table of the exact size.
fn parse<'a>(
    text: &'a str,
    table: &'a mut Vec<Entry>,
) -> Result<Definition<'a>, (Problem, usize, usize)> {
    table.resize(Definition::table_size(text), Entry::EMPTY);
    Definition::parse(text, table).map_err(|e| (e.problem(), e.line(), e.column()))
}

fn is_definition(text: &str) -> Result<(), (Problem, usize, usize)> {
    parse(text, &mut Vec::new()).map(drop)
}

/// Parses a definition as `interface!` does, which is stricter.
fn is_own_definition(text: &str) -> Result<(), (Problem, usize, usize)> {
    match idl::index::<8192>(text) {
        // The text needs fewer entries: `interface!` would have the exact number.
        Err(e) if e.problem() == Problem::Size => Ok(()),
        other => other
            .map(drop)
            .map_err(|e| (e.problem(), e.line(), e.column())),
    }
}

/// Returns a definition with these members.
fn with(members: &str) -> String {
    format!("interface a.b\n{members}\n")
}

/// Returns a definition with a field of this type.
fn with_type(ty: &str) -> String {
    with(&format!("type T (f: {ty})\ntype U ()"))
}

#[test]
fn i1_the_whole_grammar() {
    for text in [
        // The interface and its name, with the white space around them.
        "interface a.b\nerror E ()",
        "interface a.b\nerror E ()\n\n",
        "\n\n# c\n  interface \t a.b\nerror E ()",
        "interface # c\n a.b\nerror E ()",
        "interface\na.b\nerror E ()",
        "interface A-b.1--2.c3\nerror E ()",
        "interface a.b # c\nerror E ()",
        "interface a.b#c\nerror E ()",
        "interface a.b\n# c\nerror E ()",
        "interface a.b\nerror E ()#c",
        "interface a.b\nerror E ()\n#",
    ] {
        assert_eq!(is_definition(text), Ok(()), "{text:?}");
    }
    for members in [
        "type T ()",
        "type T(a)",
        "type T\n(\n)",
        "type T (a, b2, c_d)",
        "type T (a: bool)",
        "type T (a : bool , b : int)",
        "type T (a:bool,b:int,c:float,d:string,e:object,f:any)",
        "type\tTYPE2 # c\n # c\n ( # c\n a # c\n : # c\n bool # c\n , # c\n b: int # c\n ) # c",
        "method M()->()",
        "method M () -> ()",
        "method M\n(\n)\n->\n(\n)",
        "method M(a: int) -> (b: int)",
        "method M # c\n ( ) # c\n -> # c\n ( )",
        "error E()",
        "error E (a: int)",
        "error E ()\nerror F ()\ntype T ()\nmethod M() -> ()",
        // Names that are keywords elsewhere.
        "type T (interface: int, type: int, method: int, error: int, bool: bool, int: int, string: string, any: any, object: object, float: float)",
        "type T (interface, type, method, error, bool, int)",
    ] {
        assert_eq!(is_definition(&with(members)), Ok(()), "{members:?}");
    }
    for ty in [
        "bool",
        "int",
        "float",
        "string",
        "object",
        "any",
        "U",
        "()",
        "(a)",
        "(a, b)",
        "(a: int)",
        "( a : int , b : ( c : ( d ) ) )",
        "[]int",
        "[string]int",
        "?int",
        "?[]int",
        "?[string]int",
        "[][]int",
        "[]?int",
        "[string]?[]?[string]?U",
        "[string]()",
        "?()",
        "?(a, b)",
        "[](a: int)",
        "?[](a: ?[](b: ?[](c: int)))",
        "[]?(a, b)",
        "?any",
        "[]any",
        "?[]T",
        "[string]T",
    ] {
        assert_eq!(is_definition(&with_type(ty)), Ok(()), "{ty:?}");
    }
}

#[test]
fn i1_white_space_and_line_ends_of_the_grammar() {
    let spaces = "\t\u{a0}\u{feff}\u{1680}\u{180e}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{202f}\u{205f}\u{3000}";
    for space in spaces.chars() {
        let text = format!(
            "{space}interface{space}a.b{space}\n{space}method{space}M{space}({space}a{space}:{space}int{space},{space}b{space}:{space}int{space}){space}->{space}({space}){space}\n{space}"
        );
        assert_eq!(is_definition(&text), Ok(()), "{space:?}");
        // It does not end a line.
        let text = format!("interface a.b{space}error E ()");
        assert_eq!(
            is_definition(&text).map_err(|e| e.0),
            Err(Problem::LineBreak),
            "{space:?}"
        );
    }
    for end in ["\n", "\r\n", "\r", "\u{2028}", "\u{2029}"] {
        let text = format!(
            "# c{end}interface{end}a.b{end}# c{end}error E (){end}type T{end}({end}a{end},{end}b # c{end})"
        );
        assert_eq!(is_definition(&text), Ok(()), "{end:?}");
        // Each of them counts as a line end.
        let text = format!("# c{end}interface a.b{end}{end}  error e ()");
        assert_eq!(
            is_definition(&text),
            Err((Problem::MemberName, 4, 9)),
            "{end:?}"
        );
    }
    for other in ["\u{b}", "\u{c}", "\u{85}", "\u{200b}"] {
        let text = format!("interface a.b\n{other}error E ()");
        assert_eq!(
            is_definition(&text),
            Err((Problem::Member, 2, 1)),
            "{other:?}"
        );
    }
}

#[test]
fn i3_errors_have_a_position_and_what_was_expected() {
    use Problem::*;
    for (text, problem, line, column) in [
        ("", Interface, 1, 1),
        ("# only a comment", Interface, 1, 17),
        ("Interface a.b\n", Interface, 1, 1),
        ("interfaces a.b\n", Interface, 1, 1),
        ("method M() -> ()\ninterface a.b", Interface, 1, 1),
        ("interface", Space, 1, 10),
        ("interface(a.b)", Space, 1, 10),
        ("interface a\nerror E ()", InterfaceName, 1, 11),
        ("interface a..b\nerror E ()", InterfaceName, 1, 11),
        ("interface 1.b\nerror E ()", InterfaceName, 1, 11),
        ("interface a.b-\nerror E ()", InterfaceName, 1, 11),
        ("interface a.b_c\nerror E ()", InterfaceName, 1, 14),
        ("interface a.b", Member, 1, 14),
        ("interface a.b\n# c\n", Member, 3, 1),
        ("interface a.b error E ()", LineBreak, 1, 15),
        ("interface a.b\nerror E () error F ()", LineBreak, 2, 12),
        ("interface a.b\nerror E ()error F ()", LineBreak, 2, 11),
        ("interface a.b\nerrors E ()", Member, 2, 1),
        ("interface a.b\n(a: int)", Member, 2, 1),
        ("interface a.b\nerror E ()\n)", Member, 3, 1),
        ("interface a.b\nerror", Space, 2, 6),
        ("interface a.b\nerror(a: int)", Space, 2, 6),
        ("interface a.b\nerror e ()", MemberName, 2, 7),
        ("interface a.b\nerror E_F ()", MemberCharacter, 2, 8),
        ("interface a.b\nerror a.b.E ()", MemberName, 2, 7),
        ("interface a.b\nerror ()", MemberName, 2, 7),
        ("interface a.b\nerror E", Open, 2, 8),
        ("interface a.b\nerror E\n\nerror F ()", Open, 4, 1),
        ("interface a.b\nerror E [a]", Open, 2, 9),
        ("interface a.b\nerror E (a)", Colon, 2, 11),
        ("interface a.b\nerror E (a, b)", Colon, 2, 11),
        ("interface a.b\nmethod M(a) -> ()", Colon, 2, 11),
        ("interface a.b\nmethod M() -> (a)", Colon, 2, 17),
        ("interface a.b\nmethod M()", Arrow, 2, 11),
        ("interface a.b\nmethod M() - ()", Arrow, 2, 12),
        ("interface a.b\nmethod M() => ()", Arrow, 2, 12),
        ("interface a.b\nmethod M() ->", Open, 2, 14),
        ("interface a.b\nmethod M() -> int", Open, 2, 15),
        ("interface a.b\nmethod () -> ()", MemberName, 2, 8),
        ("interface a.b\ntype T int", Open, 2, 8),
        ("interface a.b\ntype T", Open, 2, 7),
        ("interface a.b\ntype T (", FieldNameOrClose, 2, 9),
        ("interface a.b\ntype T (,)", FieldNameOrClose, 2, 9),
        ("interface a.b\ntype T (a,)", LastComma, 2, 10),
        ("interface a.b\ntype T (a, # c\n)", LastComma, 2, 10),
        ("interface a.b\ntype T (a: int,)", LastComma, 2, 15),
        ("interface a.b\ntype T (_a)", FieldStart, 2, 9),
        ("interface a.b\ntype T (a_)", Underscore, 2, 10),
        ("interface a.b\ntype T (a_b__c)", Underscore, 2, 12),
        ("interface a.b\ntype T (1a)", FieldStart, 2, 9),
        ("interface a.b\ntype T (a-b)", FieldCharacter, 2, 10),
        ("interface a.b\ntype T (\u{e9})", FieldNameOrClose, 2, 9),
        ("interface a.b\ntype T (a, \u{e9})", FieldName, 2, 12),
        ("interface a.b\ntype T (a, , b)", FieldName, 2, 12),
        ("interface a.b\ntype T (fa\u{e7}ade)", FieldCharacter, 2, 11),
        ("interface a.b\ntype T (802.1q, vlan)", FieldStart, 2, 9),
        ("interface a.b\ntype T (vlan, 802.1q)", FieldStart, 2, 15),
        (
            "interface a.b\ntype T (tty-force, tty)",
            FieldCharacter,
            2,
            12,
        ),
        ("interface a.b\ntype T (a.b: int)", FieldCharacter, 2, 10),
        ("interface a.b\nerror Caf\u{e9} ()", MemberCharacter, 2, 10),
        ("interface a.b\ntype T (a: Int_)", MemberCharacter, 2, 15),
        ("interface a.b\ntype T (a: []A-B)", MemberCharacter, 2, 15),
        (
            "interface a.b\nmethod M(a: string[]) -> ()",
            PrefixArray,
            2,
            19,
        ),
        ("interface a.b\nmethod M(a: T []) -> ()", PrefixArray, 2, 15),
        (
            "interface a.b\ntype T (a: (b: int)[string])",
            PrefixArray,
            2,
            20,
        ),
        (
            "interface a.b\nmethod M(a: string?) -> ()",
            PrefixNullable,
            2,
            19,
        ),
        ("interface a.b\ntype T (?a: int)", PrefixNullable, 2, 9),
        (
            "interface a.b\ntype T (a: int, ?b: int)",
            PrefixNullable,
            2,
            17,
        ),
        (
            "interface a.b\nmethod M(a?: int) -> ()",
            PrefixNullable,
            2,
            11,
        ),
        ("interface a.b\ntype T (a?: int)", PrefixNullable, 2, 10),
        ("interface a.b\ntype T (a: int, b)", Colon, 2, 18),
        ("interface a.b\ntype T (a, b: int)", CommaOrClose, 2, 13),
        ("interface a.b\ntype T (a b)", CommaOrClose, 2, 11),
        ("interface a.b\ntype T (a: int b: int)", CommaOrClose, 2, 16),
        (
            "interface a.b\ntype T (a: int; b: int)",
            CommaOrClose,
            2,
            15,
        ),
        ("interface a.b\ntype T (a: int", CommaOrClose, 2, 15),
        ("interface a.b\ntype T (a: (b: int)", CommaOrClose, 2, 20),
        ("interface a.b\ntype T (a:)", Type, 2, 11),
        ("interface a.b\ntype T (a: )", Type, 2, 12),
        ("interface a.b\ntype T (a: strong)", Type, 2, 12),
        ("interface a.b\ntype T (a: int_)", Type, 2, 12),
        ("interface a.b\ntype T (a: bool?)", PrefixNullable, 2, 16),
        ("interface a.b\ntype T (a: []", Type, 2, 14),
        ("interface a.b\ntype T (a: [int]int)", Type, 2, 12),
        ("interface a.b\ntype T (a: [ ]int)", Type, 2, 12),
        ("interface a.b\ntype T (a: [] int)", Type, 2, 14),
        ("interface a.b\ntype T (a: ? int)", Type, 2, 13),
        ("interface a.b\ntype T (a: ??int)", Nullable, 2, 13),
        ("interface a.b\ntype T (a: []??int)", Nullable, 2, 15),
        ("interface a.b\ntype T (a: a.b.T)", Type, 2, 12),
        ("interface a.b\ntype T (a: U)", UnknownType, 2, 12),
        ("interface a.b\nerror E (a: E)", NotAType, 2, 13),
        ("interface a.b\ntype T (a: T)", Endless, 2, 12),
        (
            "interface a.b\ntype T ()\nerror T ()",
            DuplicateMember,
            3,
            7,
        ),
        ("interface a.b\ntype T (a, a)", DuplicateField, 2, 12),
        // U+00E9, a tab and U+2000 are one column each.
        (
            "interface a.b\n# \u{e9}\ntype T (\t\u{2000}a: x)",
            Type,
            3,
            14,
        ),
        ("interface a.b\r\n\r\ntype T (a: x)", Type, 3, 12),
    ] {
        let error = Err((problem, line, column));
        assert_eq!(is_own_definition(text), error, "{text:?}");
        // See `i7_definitions_that_real_services_serve`.
        let is_memberless = ["interface a.b", "interface a.b\n# c\n"].contains(&text);
        let is_served = problem == Endless || is_memberless;
        let expected = if is_served { Ok(()) } else { error };
        assert_eq!(is_definition(text), expected, "{text:?}");
    }
}

#[test]
fn i3_errors_say_what_to_write_instead() {
    for (members, message) in [
        (
            "method M(x: string[]) -> ()",
            "2:19: expected [] or [string] before the type, as in x: []string",
        ),
        (
            "method M(x: string?) -> ()",
            "2:19: expected ? before the type, as in x: ?string",
        ),
        (
            "method M(?x: string) -> ()",
            "2:10: expected ? before the type, as in x: ?string",
        ),
        (
            "type T (a__b: int)",
            "2:10: expected _ only between letters or digits, as in full_name",
        ),
        (
            "type T (tty-force, tty)",
            "2:12: expected a letter, a digit or _ in the name, as in full_name",
        ),
        (
            "method M(\n  a: int,\n) -> ()",
            "3:9: expected no comma before )",
        ),
        (
            "type T (802.1q)",
            "2:9: expected a name that begins with a letter",
        ),
        (
            "type A_B ()",
            "2:7: expected a letter or a digit in the name, as in FullName",
        ),
    ] {
        let text = with(members);
        let mut table = vec![Entry::EMPTY; Definition::table_size(&text)];
        let error = Definition::parse(&text, &mut table).unwrap_err();
        assert_eq!(error.to_string(), message, "{members}");
    }
}

#[test]
fn i2_a_definition_has_members_and_each_begins_on_a_new_line() {
    for (text, problem) in [
        ("interface a.b", Problem::Member),
        ("interface a.b\n# error E ()\n", Problem::Member),
        ("interface a.b error E ()", Problem::LineBreak),
        ("interface a.b\nerror E () error F ()", Problem::LineBreak),
        ("interface a.b\ntype T ()type U ()", Problem::LineBreak),
        (
            "interface a.b\nmethod M() -> () method N() -> ()",
            Problem::LineBreak,
        ),
    ] {
        let found = is_own_definition(text).map_err(|(problem, ..)| problem);
        assert_eq!(found, Err(problem), "{text:?}");
    }
    for text in [
        "interface a.b\nerror E ()",
        // A member can have many lines. A comment ends a line.
        "interface a.b # c\nerror\nE\n(\n)\nerror F () # c\nerror G ()",
    ] {
        assert_eq!(is_definition(text), Ok(()), "{text:?}");
    }
}

#[test]
fn i2_names_follow_the_grammar() {
    let interface = |name: &str| is_definition(&format!("interface {name}\nerror E ()"));
    let member = |name: &str| is_definition(&with(&format!("error {name} ()")));
    let field = |name: &str| is_definition(&with(&format!("error E ({name}: int)")));
    let value = |name: &str| is_definition(&with(&format!("type T ({name}, other)")));
    for name in ["a.b", "A.B", "a-b.c--d.0", "xn--lgbbat1ad8j.example.1a"] {
        assert_eq!(interface(name), Ok(()), "{name}");
    }
    for name in [
        "a", "a.", ".a", "a..b", "1.b", "-.b", "a.-b", "a-.b", "a.b-", "a_b.c", "\u{e9}.b",
    ] {
        let found = interface(name).map_err(|(problem, ..)| problem);
        assert_eq!(found, Err(Problem::InterfaceName), "{name}");
    }
    for name in ["E", "EE", "E1e", "Type"] {
        assert_eq!(member(name), Ok(()), "{name}");
    }
    for name in ["e", "1E", "_E", "E_", "E_F", "E.F", "E-F", "E\u{e9}"] {
        assert!(member(name).is_err(), "{name}");
    }
    for name in ["f", "F", "f1", "f_1", "f_g_h", "type", "string", "int"] {
        assert_eq!(field(name), Ok(()), "{name}");
        assert_eq!(value(name), Ok(()), "{name}");
    }
    for name in ["1f", "_f", "f_", "f__g", "f-g", "f.g", "f\u{e9}"] {
        assert!(field(name).is_err(), "{name}");
        assert!(value(name).is_err(), "{name}");
    }
}

#[test]
fn i2_one_namespace_for_types_methods_and_errors() {
    for (text, place) in [
        ("error A ()\nerror B ()\nerror A ()", (4, 7)),
        ("type A ()\nmethod A() -> ()", (3, 8)),
        (
            "type B ()\ntype A ()\ntype C ()\nerror A ()\ntype D ()",
            (5, 7),
        ),
        // The first duplicate in the text is reported, not the first by name.
        ("error Z ()\nerror Z ()\nerror A ()\nerror A ()", (3, 7)),
        ("type Z ()\ntype Z ()\ntype Z ()", (3, 6)),
    ] {
        let expected = (Problem::DuplicateMember, place.0, place.1);
        assert_eq!(is_definition(&with(text)), Err(expected), "{text}");
    }
    // Each list of fields or values is a namespace.
    for (text, column) in [
        ("type A (a, b, a)", 15),
        ("type A (a: int, a: int)", 17),
        ("error A (b: (a, a))", 17),
        ("error A (a: (a: int), b: (a: int), a: int)", 36),
    ] {
        let expected = (Problem::DuplicateField, 2, column);
        assert_eq!(is_definition(&with(text)), Err(expected), "{text}");
    }
    assert_eq!(
        is_definition(&with("type A (a: (a: (a), b: int), b: (a))")),
        Ok(())
    );
    for (text, problem, column) in [
        ("type A (a: B)", Problem::UnknownType, 12),
        ("method M() -> (a: []?B)", Problem::UnknownType, 22),
        ("error E (a: E)", Problem::NotAType, 13),
    ] {
        assert_eq!(
            is_definition(&with(text)),
            Err((problem, 2, column)),
            "{text}"
        );
    }
}

#[test]
fn i1_types_that_contain_themselves() {
    for (text, at) in [
        ("type A (a: A)", (2, 12)),
        (
            "type A (b: B)\ntype B (c: (d: C))\ntype C (n: ?A, a: A)",
            (4, 19),
        ),
        ("type Z (b: B)\ntype B (b: int, c: B)", (3, 20)),
    ] {
        let error = Err((Problem::Endless, at.0, at.1));
        assert_eq!(is_own_definition(&with(text)), error, "{text}");
        // See `i7_definitions_that_real_services_serve`.
        assert_eq!(is_definition(&with(text)), Ok(()), "{text}");
    }
    for text in [
        "type A (a: ?A, b: []A, c: [string]A, d: [](e: A))",
        "type A (b: B, c: B, d: C)\ntype B (c: C, d: C)\ntype C (a: ?A)",
    ] {
        assert_eq!(is_definition(&with(text)), Ok(()), "{text}");
    }
}

#[test]
fn i7_definitions_that_real_services_serve() {
    // systemd 262 has an interface without members, io.systemd.VirtualMachineInstance.
    for text in [
        "interface a.b",
        "interface a.b\n",
        "# c\ninterface a.b # d\n# e",
    ] {
        let table = &mut Vec::new();
        let definition = parse(text, table).unwrap();
        assert_eq!(definition.name(), "a.b");
        assert_eq!(definition.members().count(), 0);
        assert!(definition.find("a.b").is_none());
    }
    // A value of such a type can only be wrong, but the rest of the interface can be used.
    let text = with("type T (x: T, y: int)\nmethod M(t: ?T) -> ()\ntype U (t: T, u: (v: U))");
    let table = &mut Vec::new();
    let definition = parse(&text, table).unwrap();
    let t = definition.find("T").unwrap();
    let TypeKind::Named(x) = t.ty().fields().next().unwrap().ty().kind() else {
        panic!();
    };
    assert_eq!(x, t);
    let call = |text| {
        let raw = nullink::json::Raw::new(text).unwrap();
        let checked = definition.check_call("M", raw);
        checked.map_err(|deviation| deviation.mismatch())
    };
    assert_eq!(call("{}"), Ok(()));
    for text in [r#"{"t":{"y":1}}"#, r#"{"t":{"x":{"x":{}},"y":1}}"#] {
        assert_eq!(call(text), Err(nullink::Mismatch::Missing));
    }
}

#[test]
fn i7_both_parsers_give_the_same_table() {
    const TYPES: Interface = interface!(text
        "interface a.b
        type Z (b: ?Z, c: Y, d: []Z, e: (f: Y))
        type Y (a: [string]Z, b: (c, d), e: X)
        # [Requires 'more' flag]
        method M(a: Z, b: Y) -> (c: [](a: X))
        type X (a: int)
        error E (x: X)"
    );
    assert_eq!(parse(TYPES.text(), &mut Vec::new()), Ok(TYPES));
}

#[test]
fn i8_flags_in_the_documentation_of_a_method() {
    let flags = |before: &str| {
        let text = format!("interface a.b\n{before}method M() -> ()\n");
        let table = &mut Vec::new();
        let m = parse(&text, table).unwrap().find("M").unwrap();
        let all = [
            (m.requires_more(), "M"),
            (m.supports_more(), "m"),
            (m.requires_upgrade(), "U"),
            (m.supports_upgrade(), "u"),
        ];
        let set = all.into_iter().filter(|(is_set, _)| *is_set);
        set.map(|(_, letter)| letter).collect::<String>()
    };
    for (before, expected) in [
        ("", ""),
        ("# [Requires 'more' flag]\n", "Mm"),
        ("# [Supports 'more' flag]\n", "m"),
        ("# [Requires 'upgrade' flag]\n", "Uu"),
        ("# [Supports 'upgrade' flag]\n", "u"),
        (
            "# [Supports 'more' flag]\n#[Supports 'upgrade' flag]\n",
            "mu",
        ),
        ("#\t [Requires 'more' flag] \r\n\t# Watches\r\n  ", "Mm"),
        (
            "# Watches\r#[Requires 'more' flag]\u{2028}\u{a0}# c\u{2029}",
            "Mm",
        ),
        // The documentation of something else, or no documentation.
        ("# [Requires 'more' flag]\n\n", ""),
        ("# [Requires 'more' flag]\r\n\r\n# c\r\n", ""),
        ("# [Requires 'more' flag]\n \t\n", ""),
        ("error E () # [Requires 'more' flag]\n", ""),
        ("error E () # [Requires 'more' flag]\n# c\n", ""),
        ("# [Requires 'more' flag]\nerror E ()\n", ""),
        ("# [Requires 'more' flag]\nmethod N() -> ()\n", ""),
        // Another text.
        ("# [requires 'more' flag]\n", ""),
        ("# [Requires more flag]\n", ""),
        ("# [Requires 'more' flag\n", ""),
        ("# [Requires 'more'\n# flag]\n", ""),
        ("# See [Requires 'more' flag]\n", ""),
        ("# [\n", ""),
    ] {
        assert_eq!(flags(before), expected, "{before:?}");
    }
    // Types and errors have no flags.
    const OTHERS: Interface = interface!(text
        "interface a.b\n# [Requires 'more' flag]\ntype T ()\n# [Requires 'more' flag]\nerror E (a: int)"
    );
    assert!(OTHERS.members().all(|member| !member.supports_more()));
}

#[test]
fn i1_limits() {
    let list = |count: usize, item: &str| {
        let items: Vec<String> = (0..count).map(|n| format!("f{n}{item}")).collect();
        items.join(", ")
    };
    let fields = |count| with(&format!("type A ({})", list(count, ": int")));
    assert_eq!(is_definition(&fields(256)), Ok(()));
    assert_eq!(
        is_definition(&fields(257)).map_err(|e| e.0),
        Err(Problem::Fields)
    );
    let values = |count| with(&format!("type A ({})", list(count, "")));
    assert_eq!(is_definition(&values(1024)), Ok(()));
    assert_eq!(
        is_definition(&values(1025)).map_err(|e| e.0),
        Err(Problem::Values)
    );

    for (before, after) in [("(a: ", ")"), ("[]", ""), ("[string]", ""), ("[]?", "")] {
        let nested = |depth: usize| {
            let depth = depth / (1 + usize::from(before == "[]?"));
            with_type(&format!(
                "{}int{}",
                before.repeat(depth),
                after.repeat(depth)
            ))
        };
        assert_eq!(is_definition(&nested(126)), Ok(()), "{before}");
        assert_eq!(
            is_definition(&nested(130)).map_err(|e| e.0),
            Err(Problem::Depth),
            "{before}"
        );
        assert_eq!(
            is_definition(&nested(300_000)).map_err(|e| e.0),
            Err(Problem::Depth),
            "{before}"
        );
    }
    // The depth is restored after a field.
    let deep = format!("{}int{}", "[](a: ".repeat(60), ")".repeat(60));
    assert_eq!(
        is_definition(&with(&format!("type T (a: {deep}, b: {deep}, c: {deep})"))),
        Ok(())
    );

    let name = "A".repeat(255);
    for text in [
        format!("error {name} ()"),
        format!("type T ({name})"),
        format!("type {name} ()\ntype T (a: {name})"),
    ] {
        assert_eq!(is_definition(&with(&text)), Ok(()));
        let longer = with(&text.replace(&name, &"A".repeat(256)));
        assert_eq!(
            is_definition(&longer).map_err(|e| e.0),
            Err(Problem::LongName)
        );
        let longer = with(&text.replace(&name, &"A".repeat(65_536)));
        assert_eq!(
            is_definition(&longer).map_err(|e| e.0),
            Err(Problem::LongName)
        );
    }
    let long = format!("interface a.{}\nerror E ()", "b".repeat(65_536));
    assert_eq!(
        is_definition(&long).map_err(|e| e.0),
        Err(Problem::LongName)
    );

    // A table that is too small, a definition that is too large.
    let text = with("error A ()\nerror B ()");
    let mut table = vec![Entry::EMPTY; Definition::table_size(&text) - 1];
    assert_eq!(
        Definition::parse(&text, &mut table).unwrap_err().problem(),
        Problem::Size
    );
    assert_eq!(
        Definition::parse(&text, &mut []).unwrap_err().problem(),
        Problem::Size
    );
    let many: String = (0..30_000).map(|n| format!("error E{n} ()\n")).collect();
    assert_eq!(
        is_definition(&with(&many)).map_err(|e| e.0),
        Err(Problem::Size)
    );
}

#[test]
fn i1_large_hostile_texts_fail_fast() {
    for unit in [
        "(",
        "type A (",
        "error E (a:(",
        "[]",
        "?",
        "#",
        "#[\n",
        "\u{2028}",
        "a: ",
        ")",
        "A",
    ] {
        let text = format!("interface a.b\n{}", unit.repeat(1 << 20));
        // Comments and line ends are an interface without members.
        let is_space = matches!(unit, "#" | "#[\n" | "\u{2028}");
        assert_eq!(is_definition(&text).is_ok(), is_space, "{unit}");
        assert!(is_own_definition(&text).is_err(), "{unit}");
        let text = format!("interface a.b\ntype T (a: {}", unit.repeat(1 << 20));
        assert!(is_definition(&text).is_err(), "{unit}");
    }
    // Long chains of types, in the worst order; the last contains the first.
    let chain = |last: &str| {
        let chain: String = (0..16_000)
            .rev()
            .map(|n| format!("type A{n} (a: A{})\n", n + 1))
            .collect();
        with(&format!("{chain}type A16000 (a: {last})"))
    };
    assert_eq!(
        is_definition(&chain("A7")).map_err(|e| e.0),
        Err(Problem::Size)
    );
    let chain = |length: usize, last: &str| {
        let chain: String = (0..length)
            .rev()
            .map(|n| format!("type A{n} (a: A{})\n", n + 1))
            .collect();
        with(&format!("{chain}type A{length} (a: {last})"))
    };
    assert_eq!(is_definition(&chain(12_000, "A7")), Ok(()));
    assert_eq!(is_definition(&chain(12_000, "?A7")), Ok(()));
    assert_eq!(
        is_own_definition(&chain(1_600, "A7")).map_err(|e| e.0),
        Err(Problem::Endless)
    );
}

const T: Interface = interface!("../../../examples/shared/org.example.t.varlink");

#[test]
fn i1_definitions_parsed_at_compile_time_and_at_run_time_are_equal() {
    let mut table = Vec::new();
    assert_eq!(parse(T.text(), &mut table), Ok(T));
    // The table may be larger.
    let mut table = vec![Entry::EMPTY; 1000];
    assert_eq!(Definition::parse(T.text(), &mut table), Ok(T));
    // Every entry is needed.
    let mut table = vec![Entry::EMPTY; Definition::table_size(T.text()) - 1];
    assert!(Definition::parse(T.text(), &mut table).is_err());
}

#[test]
fn i1_members_fields_and_types_are_found() {
    assert_eq!(T.name(), "org.example.t");
    let members: Vec<String> = T.members().map(|member| format!("{member:?}")).collect();
    assert_eq!(
        members,
        [
            "type Color",
            "method Echo",
            "method Need",
            "method Empty",
            "method Count",
            "method Fail",
            "method Unbound",
            "method Fds",
            "method Pipe",
            "error Oops",
        ]
    );
    for member in T.members() {
        assert_eq!(T.find(member.name()), Some(member));
        assert_eq!(
            T.method(member.name()).is_some(),
            member.kind() == MemberKind::Method
        );
    }
    for name in ["", "Ech", "Echoo", "echo", "AAA", "Zzz", "Nee"] {
        assert_eq!(T.find(name), None);
    }
    let echo = T.find("Echo").expect("a method");
    let fields: Vec<String> = echo
        .input()
        .fields()
        .map(|field| format!("{field:?}"))
        .collect();
    assert_eq!(
        fields,
        [
            "i: ?int",
            "f: ?float",
            "b: ?bool",
            "s: ?string",
            "o: ?object",
            "a: ?any",
            "l: ?[]int",
            "m: ?[string]string",
            "c: ?Color",
        ]
    );
    assert_eq!(format!("{}", echo.output()), "(got: object)");
    let c = echo.input().fields().last().expect("a field");
    let TypeKind::Nullable(color) = c.ty().kind() else {
        panic!("{c:?}")
    };
    let TypeKind::Named(name) = color.kind() else {
        panic!("{color:?}")
    };
    assert_eq!((name.name(), name.kind()), ("Color", MemberKind::Type));
    let TypeKind::Enum = color.resolved().kind() else {
        panic!("{color:?}")
    };
    assert_eq!(
        color.values().map(|value| value.name()).collect::<Vec<_>>(),
        ["red", "green"]
    );
    let empty = T.find("Empty").expect("a method");
    assert_eq!(
        (
            empty.input().fields().count(),
            empty.output().fields().count()
        ),
        (0, 0)
    );
    let oops = T.find("Oops").expect("an error");
    assert_eq!(format!("{}", oops.output()), "(why: string)");
    let nested = "(a: ?[](b: (x, y), c: [string]()), d: ?[string][]?any, e: U)";
    let text = with(&format!("type T {nested}\ntype U ()"));
    let mut table = Vec::new();
    let definition = parse(&text, &mut table).expect("a definition");
    let t = definition.find("T").expect("a type");
    assert_eq!(t.ty().to_string(), nested);
    assert_eq!(
        t.ty().fields().nth(1).expect("d").ty().to_string(),
        "?[string][]?any"
    );
}

#[test]
fn i1_documentation_is_immediately_before_its_item() {
    let text = "# not this\n\n  # about\n#the  interface \n#\n\t# a.b\ninterface a.b # nor this\n\
        # nor that\n\n# of T\r\n#  twice\r\ntype T ( # no\n# of a\na: int, # behind a\n\n  # of b 1\n# of b 2\n b: (x,\n# of y\ny), c: int)\n\
        type U (d: int)\n# M\nmethod # not\n M() -> ()\n# the end\n";
    let mut table = Vec::new();
    let definition = parse(text, &mut table).expect("a definition");
    fn lines<'a>(documentation: impl Iterator<Item = &'a str>) -> Vec<String> {
        documentation.map(String::from).collect()
    }
    assert_eq!(
        lines(definition.documentation()),
        ["about", "the  interface ", "", "a.b"]
    );
    let t = definition.find("T").expect("a type");
    assert_eq!(lines(t.documentation()), ["of T", " twice"]);
    let fields: Vec<_> = t
        .ty()
        .fields()
        .map(|field| lines(field.documentation()))
        .collect();
    assert_eq!(
        fields,
        [
            vec!["of a".to_string()],
            vec!["of b 1".to_string(), "of b 2".to_string()],
            vec![]
        ]
    );
    let b = t.ty().fields().nth(1).expect("b");
    let TypeKind::Enum = b.ty().kind() else {
        panic!("{b:?}")
    };
    let values: Vec<_> = b
        .ty()
        .values()
        .map(|value| lines(value.documentation()))
        .collect();
    assert_eq!(values, [vec![], vec!["of y".to_string()]]);
    assert_eq!(
        lines(definition.find("U").expect("U").documentation()),
        [""; 0]
    );
    assert_eq!(
        lines(definition.find("M").expect("M").documentation()),
        ["M"]
    );
    // A byte order mark is white space.
    let text = "\u{feff}# about\ninterface a.b\n\u{180e}# of E\n\u{feff}error E ()";
    let mut table = Vec::new();
    let definition = parse(text, &mut table).expect("a definition");
    assert_eq!(lines(definition.documentation()), ["about"]);
    let error = definition.find("E").expect("an error");
    assert_eq!(lines(error.documentation()), ["of E"]);
}

#[test]
fn i1_real_definitions() {
    for (path, text) in definitions() {
        let mut table = Vec::new();
        let definition = parse(&text, &mut table).unwrap_or_else(|e| panic!("{path:?}: {e:?}"));
        assert!(path.ends_with(format!("{}.varlink", definition.name())));
        assert!(definition.documentation().count() > 0, "{path:?}");
    }
}

/// True if a type contains `any`.
fn has_any(ty: nullink::idl::Type<'_>) -> bool {
    ty.to_string()
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| word == "any")
}

/// libvarlink and Python's varlink can't parse `any`. Only org.example.t uses it: it has all types.
#[test]
fn i6_the_definitions_of_the_examples_do_not_use_any() {
    for (path, text) in definitions() {
        let ours = path.starts_with(root());
        if path.ends_with("org.example.t.varlink") || !ours {
            continue;
        }
        let mut table = Vec::new();
        let definition = parse(&text, &mut table).expect("a definition");
        for member in definition.members() {
            assert!(
                !has_any(member.input()) && !has_any(member.output()),
                "{path:?}"
            );
        }
    }
    assert!(has_any(T.find("Echo").expect("a method").input()));
}

proptest! {
    /// Any text is parsed or refused, and `table_size` is never too small for a definition.
    #[test]
    fn i3_any_text_is_parsed_or_refused(pieces in prop::collection::vec(prop::sample::select(vec![
        "interface", " a.b", "\n", "type", "method", "error", " A", " B", "(", ")", ",", "a", "b", ":", "?", "[]", "[string]",
        "int", "->", "#", "\u{2028}", "\u{a0}", "-", "\r", "(a: A)", "(x, y)", "()",
    ]), 0..40)) {
        let text = format!("interface a.b\n{}", pieces.concat());
        for text in [&text[..], &text[13..]] {
            let exact = is_definition(text).map_err(|e| e.0);
            let mut large = vec![Entry::EMPTY; 4096];
            let ample = Definition::parse(text, &mut large).map(drop).map_err(|e| e.problem());
            if ample.is_ok() {
                prop_assert_eq!(exact, ample);
            }
        }
    }
}

#[test]
fn i1_a_definition_can_be_a_constant_of_any_name() {
    const TEXT: &str = "interface a.b\nerror No ()\n";
    const INDEX: Interface = interface!(text TEXT);
    assert!(INDEX.find("No").is_some());
    // An index must have the exact size.
    let index: Result<[Entry; 9], _> = nullink::idl::index(TEXT);
    assert_eq!(index.unwrap_err().problem(), Problem::Size);
}

#[test]
fn i1_documentation_of_a_line_with_many_fields_is_fast() {
    let fields: Vec<String> = (0..200).map(|n| format!("f{n}: int")).collect();
    let lists: Vec<String> = (0..100)
        .map(|n| format!("s{n}: ({})", fields.join(", ")))
        .collect();
    let text = with(&format!("type T ({})", lists.join(", ")));
    let mut table = Vec::new();
    let definition = parse(&text, &mut table).expect("a definition");
    let lists = definition.find("T").expect("a type").ty().fields();
    let mut count = 0;
    for list in lists {
        for field in list.ty().fields() {
            assert_eq!(field.documentation().count(), 0);
            count += 1;
        }
    }
    assert_eq!(count, 20_000);
}
