//! `compare` and `compatible`: changes between two versions of a definition, and what they break.

#[path = "../../common/definitions.rs"]
mod definitions;

use definitions::definitions;
use nullink::idl::{self, Definition, Entry, Type, TypeKind};
use nullink::tools::{Breaks, compare, compatible};
use nullink::{Interface, interface};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The text of a definition, with the table to parse it.
struct Source {
    text: String,
    table: Vec<Entry>,
}

impl Source {
    fn new(text: &str) -> Self {
        Source {
            text: text.to_string(),
            table: vec![Entry::EMPTY; Definition::table_size(text)],
        }
    }

    fn members(members: &str) -> Self {
        Source::new(&format!("interface a.b\n{members}\n"))
    }

    fn definition(&mut self) -> Definition<'_> {
        match Definition::parse(&self.text, &mut self.table) {
            Ok(definition) => definition,
            Err(e) => panic!("{e}: {}", self.text),
        }
    }
}

/// Returns the changes, without their lines and columns: `!` breaks callers, `~` services.
fn changes(old: &str, new: &str) -> Vec<String> {
    let (mut old, mut new) = (Source::members(old), Source::members(new));
    let (old, new) = (old.definition(), new.definition());
    compare(&old, &new)
        .iter()
        .map(|change| {
            let mark = match change.breaks() {
                Breaks::Callers => '!',
                Breaks::Services => '~',
                Breaks::Nothing => ' ',
            };
            let line = change.to_string();
            let version = match (change.in_old(), change.in_new()) {
                (_, Some((row, column))) => format!("new {row}:{column}: "),
                (Some((row, column)), None) => format!("old {row}:{column}: "),
                (None, None) => String::new(),
            };
            let text = line.strip_prefix(&version).expect("a position");
            format!("{mark} {text}")
        })
        .collect()
}

#[track_caller]
fn check<S: std::fmt::Debug>(old: &str, new: &str, expected: &[S])
where
    String: PartialEq<S>,
{
    assert_eq!(changes(old, new), expected, "{old}  =>  {new}");
}

#[test]
fn i5_members() {
    let m = "method M() -> ()\n";
    for (old, new, expected) in [
        (
            "method A() -> ()",
            "",
            "! method A: is gone: old callers call it",
        ),
        ("", "method A() -> ()", "  method A: is new"),
        (
            "error A ()",
            "",
            "! error A: is gone: old callers may act on it",
        ),
        ("", "error A ()", "  error A: is new"),
        // An unused type.
        ("type A ()", "", "! type A: is gone: old callers may use it"),
        (
            "type A (a: ?A)",
            "",
            "! type A: is gone: old callers may use it",
        ),
        ("", "type A ()", "  type A: is new"),
        (
            "method A() -> ()",
            "error A ()",
            "! error A: was method: old callers call it",
        ),
        (
            "method A() -> ()",
            "type A ()",
            "! type A: was method: old callers call it",
        ),
        (
            "error A ()",
            "type A ()",
            "! type A: was error: old callers may act on it",
        ),
        (
            "error A ()",
            "method A() -> ()",
            "! method A: was error: old callers may act on it",
        ),
        (
            "type A ()",
            "method A() -> ()",
            "! method A: was type: old callers may use it",
        ),
        (
            "type A ()",
            "error A ()",
            "! error A: was type: old callers may use it",
        ),
    ] {
        check(&format!("{m}{old}"), &format!("{m}{new}"), &[expected]);
    }
    // A renamed member is a new one.
    check(
        "method A() -> ()",
        "method B() -> ()",
        &[
            "  method B: is new",
            "! method A: is gone: old callers call it",
        ],
    );
    check(
        "error A ()",
        "error B ()",
        &[
            "  error B: is new",
            "! error A: is gone: old callers may act on it",
        ],
    );
}

#[test]
fn i5_comments_and_order_are_not_compared() {
    for (old, new) in [
        (
            "method A() -> ()",
            "# Now documented.\n\nmethod  A ( ) ->\n( )",
        ),
        (
            "method A() -> ()\nerror B ()\ntype C (x, y)",
            "type C (\n# Y\ny,\nx)\nerror B ()\nmethod A() -> ()",
        ),
        (
            "method A(a: int, b: (c: int, d: (e, f))) -> (g: []int, h: ?any)",
            "method A(b: (d: (f, e), c: int), a: int) -> (h: ?any, g: []int)",
        ),
    ] {
        check(old, new, &[""; 0]);
        check(new, old, &[""; 0]);
    }
}

/// A field with an old and a new type: in calls, and in replies of methods and errors.
#[test]
fn i5_fields() {
    let send = "old callers send the old type";
    let send_null = "old callers may send null";
    let cannot = "old callers can't read it";
    let cannot_null = "old callers can't read null";
    let services = "old services send the old type";
    let services_null = "old services may send null";
    // What the change breaks in calls, and in replies.
    for (old, new, calls, replies) in [
        ("int", "?int", "", cannot_null),
        ("?int", "int", send_null, services_null),
        ("int", "float", "", cannot),
        ("float", "int", send, services),
        ("int", "string", send, cannot),
        ("int", "bool", send, cannot),
        ("string", "int", send, cannot),
        ("bool", "string", send, cannot),
        ("float", "string", send, cannot),
        // A value of an enumeration is a string.
        ("(x, y)", "string", "", cannot),
        ("string", "(x, ...)", send, services),
        // `any` is every value except null.
        ("int", "any", "", cannot),
        ("string", "any", "", cannot),
        ("object", "any", "", cannot),
        ("[]int", "any", "", cannot),
        ("[string]int", "any", "", cannot),
        ("(x: ...)", "any", "", cannot),
        ("(x, ...)", "any", "", cannot),
        ("any", "int", send, services),
        ("any", "object", send, services),
        ("any", "(x: ...)", send, services),
        ("?int", "any", send_null, cannot),
        ("int", "?any", "", cannot),
        ("?any", "int", send, services),
        ("any", "?any", "", cannot_null),
        // Structures and maps are objects.
        ("(x: ...)", "object", "", cannot),
        ("()", "object", "", cannot),
        ("[string]int", "object", "", cannot),
        ("object", "(x: ...)", send, services),
        ("object", "[string]int", send, services),
        ("(x: ...)", "[string]int", send, cannot),
        ("[string]int", "(x: ...)", send, cannot),
        ("object", "string", send, cannot),
        ("object", "[]int", send, cannot),
        ("(x: ...)", "(x, ...)", send, cannot),
        ("(x, ...)", "(x: ...)", send, cannot),
        ("()", "(x, ...)", send, cannot),
        // Changes of both nullability and type: the worse is reported.
        ("?int", "string", send, cannot),
        ("?int", "float", send_null, cannot),
        ("?float", "int", send, services),
        ("int", "?float", "", cannot),
        ("float", "?int", send, cannot_null),
        // In arrays, maps and nullable types.
        ("int", "[]int", send, cannot),
        ("[]int", "[string]int", send, cannot),
        ("[]int", "[]float", "", cannot),
        ("[]float", "[]int", send, services),
        ("[]int", "[][]int", send, cannot),
        ("[]?int", "[]int", send_null, services_null),
        ("[]int", "[]?int", "", cannot_null),
        ("[]int", "?[]int", "", cannot_null),
        ("?[]int", "[]int", send_null, services_null),
        ("?[]int", "?[]float", "", cannot),
        ("[string]int", "[string]float", "", cannot),
        ("[string]?int", "[string]int", send_null, services_null),
        (
            "?[string]?[]?[string]int",
            "?[string]?[]?[string]float",
            "",
            cannot,
        ),
        (
            "?[string]?[]?[string]int",
            "?[string][]?[string]int",
            send_null,
            services_null,
        ),
        (
            "?[string]?[]?[string](x, ...)",
            "?[string]?[]?[string]string",
            "",
            cannot,
        ),
        ("?[]int", "[]?int", send_null, cannot_null),
    ] {
        let full = |ty: &str| {
            ty.replace("(x, ...)", "(x, y)")
                .replace("(x: ...)", "(x: string)")
        };
        let (old_full, new_full) = (full(old), full(new));
        let old = old.replace("(x, y)", "(x, ...)");
        check_with_values(&old_full, &new_full, calls, replies);
        let line = |place: &str, why: &str| {
            let mark = match why {
                "" => ' ',
                _ if why.starts_with("old services") => '~',
                _ => '!',
            };
            let end = if why.is_empty() {
                String::new()
            } else {
                format!(": {why}")
            };
            vec![format!("{mark} {place}: was {old}, is {new}{end}")]
        };
        let check = |members: &str, place: &str, why: &str| {
            let (old, new) = (
                members.replace("TYPE", &old_full),
                members.replace("TYPE", &new_full),
            );
            assert_eq!(changes(&old, &new), line(place, why), "{old}  =>  {new}");
            assert_eq!(changes(&old, &old), [""; 0]);
        };
        check(
            "method M(a: int, f: TYPE) -> ()",
            "method M, parameter f",
            calls,
        );
        check("method M() -> (f: TYPE)", "method M, output f", replies);
        check("error E (f: TYPE)", "error E, parameter f", replies);
        // In a structure without a name, at any depth.
        check(
            "method M(a: [](b: ?[string](f: TYPE))) -> ()",
            "method M, parameter a.b.f",
            calls,
        );
        check(
            "method M() -> (z: (z: ?bool), a: ?[](b: (f: TYPE)))",
            "method M, output a.b.f",
            replies,
        );
        // In a named type.
        check(
            "type T (f: TYPE)\nmethod M(t: ?[]T, u: T) -> ()",
            "type T, field f, in calls",
            calls,
        );
        check(
            "type T (a: (f: TYPE))\nmethod M() -> (t: [string]T)",
            "type T, field a.f, in replies",
            replies,
        );
        check(
            "type T (f: TYPE)\nerror E (u: int, t: T)",
            "type T, field f, in replies",
            replies,
        );
        check(
            "method M(u: (u: U)) -> ()\ntype U (t: T)\ntype T (f: TYPE)",
            "type T, field f, in calls",
            calls,
        );
    }
}

/// Checks the expectation with random values: whether values of one type can be read as the other.
fn check_with_values(old: &str, new: &str, calls: &str, replies: &str) {
    let text = |ty: &str| Source::members(&format!("error E (f: {ty})"));
    let (mut one, mut two) = (text(old), text(new));
    let (one, two) = (one.definition(), two.definition());
    let (one, two) = (
        one.find("E").expect("E").output(),
        two.find("E").expect("E").output(),
    );
    let mut random = random(1);
    let mut all = |sent: Type<'_>, read: Type<'_>, strict: bool| {
        (0..100).all(|_| accepts(read, &value(sent, &mut random, 0), strict))
    };
    assert_eq!(all(one, two, true), calls.is_empty(), "{old}  =>  {new}");
    // A client that expects a structure without fields reads any object, but that does not count.
    if old != "()" {
        let broken = replies.starts_with("old callers");
        assert_eq!(all(two, one, false), !broken, "{old}  =>  {new}");
        assert!(
            broken || all(one, two, false) == replies.is_empty(),
            "{old}  =>  {new}"
        );
    }
}

#[test]
fn i5_new_and_removed_fields() {
    for (old, new, calls, replies) in [
        (
            "",
            "f: int",
            "!is new: old callers don't send it",
            "~is new: old services don't send it",
        ),
        (
            "",
            "f: any",
            "!is new: old callers don't send it",
            "~is new: old services don't send it",
        ),
        (
            "",
            "f: []int",
            "!is new: old callers don't send it",
            "~is new: old services don't send it",
        ),
        (
            "",
            "f: T",
            "!is new: old callers don't send it",
            "~is new: old services don't send it",
        ),
        ("", "f: ?int", " is new", " is new"),
        ("", "f: ?[](a: int)", " is new", " is new"),
        ("", "f: ?T", " is new", " is new"),
        (
            "f: int",
            "",
            "!is gone: old callers may send it",
            "!is gone: old callers may need it",
        ),
        (
            "f: ?int",
            "",
            "!is gone: old callers may send it",
            "!is gone: old callers may need it",
        ),
        (
            "f: T",
            "",
            "!is gone: old callers may send it",
            "!is gone: old callers may need it",
        ),
    ] {
        let check = |before: &str, after: &str, place: &str, expected: &str| {
            let text = |fields: &str| {
                let after = match fields {
                    "" => after.strip_prefix(", ").unwrap_or(after),
                    _ => after,
                };
                // Another member uses T, too.
                format!("{before}{fields}{after}\nmethod T2(t: ?T) -> (t: ?T)\ntype T (t: int)")
            };
            let (mark, rest) = expected.split_at(1);
            check(&text(old), &text(new), &[format!("{mark} {place}: {rest}")]);
        };
        check("method M(", ") -> ()", "method M, parameter f", calls);
        check(
            "method M(",
            ", z: int) -> (f: int)",
            "method M, parameter f",
            calls,
        );
        check("method M(f: int) -> (", ")", "method M, output f", replies);
        check("error E (", ", z: int)", "error E, parameter f", replies);
        check(
            "method M(a: [](b: (",
            "))) -> ()",
            "method M, parameter a.b.f",
            calls,
        );
        check(
            "method M() -> (a: ?[string](",
            "))",
            "method M, output a.f",
            replies,
        );
        check(
            "method M(u: ?[]U) -> ()\ntype U (",
            ")",
            "type U, field f, in calls",
            calls,
        );
        check(
            "method M() -> (u: U)\ntype U (",
            ", z: int)",
            "type U, field f, in replies",
            replies,
        );
    }
    // A renamed field is a new one.
    check(
        "method M(f: ?int) -> (f: int)",
        "method M(g: ?int) -> (g: int)",
        &[
            "  method M, parameter g: is new",
            "! method M, parameter f: is gone: old callers may send it",
            "~ method M, output g: is new: old services don't send it",
            "! method M, output f: is gone: old callers may need it",
        ],
    );
    // A structure without its fields is still a structure.
    check(
        "method M(a: (b: int)) -> ()",
        "method M(a: ()) -> ()",
        &["! method M, parameter a.b: is gone: old callers may send it"],
    );
}

#[test]
fn i5_values_of_enumerations() {
    for (old, new, calls, replies) in [
        (
            "x, y",
            "x, y, z",
            "  PLACE, value z: is new",
            "! PLACE, value z: is new: old callers don't know it",
        ),
        (
            "x, y, z",
            "z, x",
            "! PLACE, value y: is gone: old callers may send it",
            "~ PLACE, value y: is gone: old services may send it",
        ),
        ("x, y", "y, x", "", ""),
    ] {
        let check_in = |members: &str, place: &str, way: &str, expected: &str| {
            let (old, new) = (
                members.replace("VALUES", old),
                members.replace("VALUES", new),
            );
            let line = expected.replacen(": ", &format!("{way}: "), 1);
            let lines: &[String] = if line.is_empty() {
                &[]
            } else {
                &[line.replace("PLACE", place)]
            };
            check(&old, &new, lines);
        };
        check_in(
            "method M(a: (VALUES)) -> ()",
            "method M, parameter a",
            "",
            calls,
        );
        check_in(
            "method M(a: (b: ?[](VALUES))) -> ()",
            "method M, parameter a.b",
            "",
            calls,
        );
        check_in(
            "method M() -> (a: ?(VALUES))",
            "method M, output a",
            "",
            replies,
        );
        check_in("error E (a: (VALUES))", "error E, parameter a", "", replies);
        check_in(
            "type T (VALUES)\nmethod M(a: T) -> ()",
            "type T",
            ", in calls",
            calls,
        );
        check_in(
            "type T (VALUES)\nerror E (a: [string]?T)",
            "type T",
            ", in replies",
            replies,
        );
    }
}

#[test]
fn i5_names_of_types_are_not_on_the_wire() {
    // Renamed types.
    check(
        "method M(a: A) -> (a: []?A)\ntype A (b: B)\ntype B (x, y)",
        "method M(a: C) -> (a: []?C)\ntype C (b: D)\ntype D (y, x)",
        &[
            "  type C: is new",
            "  type D: is new",
            "  type A: is gone",
            "  type B: is gone",
        ],
    );
    // Named types instead of unnamed ones, and the reverse.
    let (unnamed, named) = (
        "method M(a: (b: int, c: ?[](x, y))) -> ()",
        "method M(a: A) -> ()\ntype A (c: ?[]C, b: int)\ntype C (x, y)",
    );
    check(unnamed, named, &["  type A: is new", "  type C: is new"]);
    check(named, unnamed, &["  type A: is gone", "  type C: is gone"]);
    // A change has its position in the new text, a removed item its position in the old text.
    check(
        "method M(a: (b: int, c: (x, y))) -> ()",
        "method M(a: A) -> ()\ntype A (c: C, b: string)\ntype C (x, z)",
        &[
            "! type A, field b, in calls: was int, is string: old callers send the old type",
            "  type C, value z, in calls: is new",
            "! method M, parameter a.c, value y: is gone: old callers may send it",
            "  type A: is new",
            "  type C: is new",
        ],
    );
    // A named structure becomes an enumeration, or another type.
    check(
        "type A (x: int)\nmethod M(a: A, b: ?A) -> (a: A)",
        "type A (x)\nmethod M(a: A, b: ?A) -> (a: A)",
        &[
            "! type A, in calls: was (x: ...), is (x, ...): old callers send the old type",
            "! type A, in replies: was (x: ...), is (x, ...): old callers can't read it",
        ],
    );
    check(
        "type A (x: int)\nmethod M(a: A) -> (a: ?A)",
        "method M(a: object) -> (a: ?string)",
        &[
            "  method M, parameter a: was A, is object",
            "! method M, output a: was ?A, is ?string: old callers can't read it",
            "  type A: is gone",
        ],
    );
    check(
        "type A (x: int)\nmethod M(a: A) -> ()",
        "method M(a: (x)) -> ()",
        &[
            "! method M, parameter a: was A, is (x, ...): old callers send the old type",
            "  type A: is gone",
        ],
    );
}

#[test]
fn i5_types_are_compared_for_calls_and_replies_where_they_are_used() {
    let (old, new) = (
        "type T (x: int, y: ?(p), z: ?int)",
        "type T (y: ?(p, q), x: float)",
    );
    let calls = [
        "  type T, field y, value q, in calls: is new",
        "  type T, field x, in calls: was int, is float",
        "! type T, field z, in calls: is gone: old callers may send it",
    ];
    let replies = [
        "! type T, field y, value q, in replies: is new: old callers don't know it",
        "! type T, field x, in replies: was int, is float: old callers can't read it",
        "! type T, field z, in replies: is gone: old callers may need it",
    ];
    let both = [calls, replies].concat();
    for (members, expected) in [
        (
            "method M(a: T, b: []T, c: (d: ?T)) -> ()\nmethod N(t: T) -> ()",
            &calls[..],
        ),
        ("method M() -> (a: T, b: []T)\nerror E (t: T)", &replies[..]),
        ("method M(t: T) -> (t: T)", &both[..]),
        ("method M(t: T) -> ()\nerror E (t: T)", &both[..]),
        // An unused type may describe the content of an object, in calls or in replies.
        ("method M(t: object) -> ()", &both[..]),
        (
            "method M() -> ()\ntype A (b: ?B)\ntype B (a: ?A, t: T)",
            &both[..],
        ),
    ] {
        check(
            &format!("{members}\n{old}"),
            &format!("{members}\n{new}"),
            expected,
        );
    }
    // A type that only new members use does not change the old ones.
    check(
        "method M() -> ()",
        "method M() -> ()\nmethod N(t: T) -> (u: int)\ntype T (x: int)",
        &["  method N: is new", "  type T: is new"],
    );
}

#[test]
fn i8_a_required_flag_is_part_of_the_interface() {
    let plain = "method M() -> ()";
    let supports = "# [Supports 'more' flag]\nmethod M() -> ()";
    let more = "# [Requires 'more' flag]\nmethod M() -> ()";
    let upgrade = "# [Requires 'upgrade' flag]\nmethod M() -> ()";
    check::<&str>(plain, supports, &[]);
    for old in [plain, supports] {
        let new = "! method M: requires 'more': old callers don't send it";
        check(old, more, &[new]);
        let gone = "~ method M: no longer requires 'more': old services refuse calls without it";
        check(more, old, &[gone]);
    }
    check(
        more,
        upgrade,
        &[
            "~ method M: no longer requires 'more': old services refuse calls without it",
            "! method M: requires 'upgrade': old callers don't send it",
        ],
    );
}

#[test]
fn i7_definitions_that_real_services_serve() {
    check::<&str>("", "", &[]);
    check("", "method M() -> ()", &["  method M: is new"]);
    let (one, two) = ("type T (t: T)\n", "type T (t: T, x: int)\n");
    let m = "method M(t: ?T) -> ()";
    check(
        &format!("{one}{m}"),
        &format!("{two}{m}"),
        &["! type T, field x, in calls: is new: old callers don't send it"],
    );
}

#[test]
fn i5_types_that_contain_themselves() {
    let list = "method M(l: L) -> (l: L)\ntype L (v: int, n: ?L)";
    // The same type, written with more of its levels unnamed.
    for other in [
        "method M(l: L) -> (l: L)\ntype L (v: int, n: ?(v: int, n: ?L))",
        "method M(l: L) -> (l: L)\ntype L (v: int, n: ?(v: int, n: ?(n: ?L, v: int)))",
        "method M(l: (v: int, n: ?L)) -> (l: (v: int, n: ?L))\ntype L (v: int, n: ?L)",
    ] {
        check(list, other, &[""; 0]);
        check(other, list, &[""; 0]);
    }
    check(
        list,
        "method M(l: A) -> (l: B)\ntype A (v: int, n: ?B)\ntype B (v: int, n: ?C)\ntype C (v: int, n: ?A)",
        &[
            "  type A: is new",
            "  type B: is new",
            "  type C: is new",
            "  type L: is gone",
        ],
    );
    // A change is found at any level.
    check(
        list,
        "method M(l: L) -> (l: L)\ntype L (v: int, n: ?(v: int, n: ?(v: float, n: ?L)))",
        &[
            "  type L, field n.n.v, in calls: was int, is float",
            "! type L, field n.n.v, in replies: was int, is float: old callers can't read it",
        ],
    );
}

#[test]
fn i5_the_name_of_the_interface() {
    let mut old = Source::new("interface a.b\nmethod M(a: int) -> ()\n");
    let mut new = Source::new("interface a.b2\nmethod M(a: string) -> ()\n");
    let (old, new) = (old.definition(), new.definition());
    let lines: Vec<String> = compare(&old, &new)
        .iter()
        .map(|change| format!("{change:?}"))
        .collect();
    assert_eq!(
        lines,
        [
            "Callers: interface a.b2: was a.b: old callers use the old name",
            "Callers: new 2:10: method M, parameter a: was int, is string: old callers send the old type",
        ]
    );
}

#[test]
fn i5_changes_have_line_and_column() {
    let mut old = Source::new(
        "interface a.b\n\n# \u{e9}\nmethod M(\n  a: int,\n\tb: (x, y),\n  c: [](d: int, e: bool)) -> ()\nerror E ()\n",
    );
    let mut new = Source::new(
        "interface a.b\nmethod M(a: (f: int), b: (y, z),\n  c: [](g: ?int, d: string)) -> ()\nmethod E() -> ()",
    );
    let (old, new) = (old.definition(), new.definition());
    let places: Vec<_> = compare(&old, &new)
        .iter()
        .map(|change| {
            let line = change.to_string();
            let (place, _) = line.split_once(": ").expect("a position");
            (place.to_string(), change.in_old(), change.in_new())
        })
        .collect();
    let expected = [
        ("new 2:10", Some((5, 3)), Some((2, 10))),
        ("new 2:30", None, Some((2, 30))),
        ("old 6:6", Some((6, 6)), None),
        ("new 3:9", None, Some((3, 9))),
        ("new 3:18", Some((7, 9)), Some((3, 18))),
        ("old 7:17", Some((7, 17)), None),
        ("new 4:1", Some((8, 1)), Some((4, 1))),
    ];
    assert_eq!(
        places,
        expected.map(|(place, old, new)| (place.to_string(), old, new))
    );
}

const OLD: Interface = interface!(text "
interface org.example.ftl
method Jump(to: int) -> (state: (idle, busy))
method Stop() -> ()
");

const NEW: Interface = interface!(text "
interface org.example.ftl
method Jump(to: float, speed: ?int) -> (state: (idle, busy), left: int)
method Stop() -> ()
method Start() -> ()
");

#[test]
fn i5_compatible_lists_the_breaking_changes() {
    compatible(&OLD, &OLD, Breaks::Nothing).unwrap();
    compatible(&OLD, &NEW, Breaks::Callers).unwrap();
    let error = compatible(&OLD, &NEW, Breaks::Services).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "org.example.ftl has incompatible changes\n\
         new 3:62: method Jump, output left: is new: old services don't send it"
    );
    let error = compatible(&NEW, &OLD, Breaks::Callers).unwrap_err();
    assert_eq!(
        error.to_string(),
        "org.example.ftl has incompatible changes\n\
         new 3:13: method Jump, parameter to: was float, is int: old callers send the old type\n\
         old 3:24: method Jump, parameter speed: is gone: old callers may send it\n\
         old 3:62: method Jump, output left: is gone: old callers may need it\n\
         old 5:1: method Start: is gone: old callers call it"
    );
    assert_eq!(error.lines().len(), 4);
    let error = compatible(&OLD, &NEW, Breaks::Nothing).unwrap_err();
    assert_eq!(error.lines().len(), 4);
}

/// Returns types in a cycle: each contains the next one.
fn cycle(length: usize, value: &str) -> String {
    (0..length)
        .map(|n| format!("type T{n} (v: {value}, n: ?T{})\n", (n + 1) % length))
        .collect()
}

#[test]
fn i5_cycles_of_types_are_compared_completely() {
    let method = "method M() -> (t: T0)\n";
    let compare = |old: usize, new: usize, value: &str| {
        let old = format!("{}{method}", cycle(old, "int"));
        let new = format!("{}{method}error E ()", cycle(new, value));
        changes(&old, &new)
    };
    // Every type of one cycle is compared with every type of the other: 32 * 33.
    assert_eq!(
        compare(32, 33, "int"),
        ["  type T32: is new", "  error E: is new"]
    );
    let lines = compare(32, 33, "float");
    let breaking = lines.iter().filter(|line| line.starts_with("! type T"));
    assert_eq!(breaking.count(), 32 * 33);
    assert_eq!(lines.len(), 32 * 33 + 2);
    assert_eq!(compare(4096, 4096, "int"), ["  error E: is new"]);
}

#[test]
fn i5_hostile_definitions_are_compared_in_time() {
    let values = |reverse: bool| {
        let mut values: Vec<String> = (0..1024).map(|n| format!("v{n}")).collect();
        if reverse {
            values.reverse();
        }
        values.join(", ")
    };
    // The largest possible enumerations, in the worst order.
    let text = |reverse: bool| {
        let types: String = (0..20)
            .map(|n| format!("type T{n} ({})\n", values(reverse)))
            .collect();
        let list: Vec<String> = (0..20).map(|n| format!("f{n}: T{n}")).collect();
        format!("{types}method M({}) -> ()", list.join(", "))
    };
    assert_eq!(changes(&text(false), &text(true)), [""; 0]);
    // The deepest possible nesting.
    let deep = |ty: &str| {
        format!(
            "method M(a: {}{ty}{}) -> ()",
            "(a: ".repeat(125),
            ")".repeat(125)
        )
    };
    let lines = changes(&deep("int"), &deep("string"));
    assert_eq!(lines.len(), 1);
    assert!(lines[0].ends_with(".a.a: was int, is string: old callers send the old type"));
    assert_eq!(
        changes(&deep("[]any"), &format!("# c\n{}", deep("[]any"))),
        [""; 0]
    );
}

#[test]
fn i5_real_definitions_are_compatible_with_themselves() {
    for (path, text) in definitions() {
        let mut old = Source::new(&text);
        let mut same = Source::new(&format!("{text}# (Another text.)\n"));
        let mut new = Source::new(&format!("{text}method NotYetThere() -> ()\n"));
        let (old, same, new) = (old.definition(), same.definition(), new.definition());
        compatible(&old, &old, Breaks::Nothing).unwrap();
        compatible(&old, &same, Breaks::Nothing).unwrap();
        compatible(&old, &new, Breaks::Services).unwrap();
        assert_eq!(compare(&old, &new).len(), 1, "{path:?}");
        compatible(&new, &old, Breaks::Callers).unwrap_err();
    }
}

/// A type in an old definition, in a new one, and in an equivalent of the old one.
type Versions = [String; 3];

/// Generates structures with fields in the old definition, in the new one, or in both.
fn fields(of: impl Strategy<Value = Versions> + Clone) -> impl Strategy<Value = Versions> + Clone {
    let field = |name: &'static str| {
        let both = of
            .clone()
            .prop_map(move |ty| ty.map(|ty| format!("{name}: {ty}")));
        prop_oneof![
            120 => both.clone(),
            60 => Just(Versions::default()),
            3 => both.clone().prop_map(|[_, new, _]| [String::new(), new, String::new()]),
            1 => both.prop_map(|[old, _, same]| [old, String::new(), same]),
        ]
    };
    (field("x"), field("y"), field("z")).prop_map(|(x, y, z)| {
        let list = |fields: [&String; 3], separator: &str| {
            let fields: Vec<&str> = fields
                .iter()
                .filter(|f| !f.is_empty())
                .map(|f| &f[..])
                .collect();
            fields.join(separator)
        };
        [
            format!("({})", list([&x[0], &y[0], &z[0]], ", ")),
            format!("({})", list([&z[1], &x[1], &y[1]], ", ")),
            format!("(\n{})", list([&y[2], &z[2], &x[2]], ",\n# About it.\n")),
        ]
    })
}

fn types() -> impl Strategy<Value = Versions> + Clone {
    let pair = |old: &'static str, new: &'static str| Just([old, new, old].map(String::from));
    let leaf = prop_oneof![
        200 => prop::sample::select(vec!["bool", "int", "float", "string", "object", "any", "[]A", "?B", "?C", "C"])
            .prop_map(|ty| [ty, ty, ty].map(String::from)),
        3 => prop::sample::select(vec![("int", "float"), ("float", "int"), ("string", "int"), ("int", "any"),
            ("(p, q)", "string"), ("string", "(p)"), ("?A", "?B"), ("[string]B", "[string]C"), ("any", "object"),
            ("(x: int)", "object"), ("[string]int", "object"), ("[]int", "any"), ("(p, q)", "any"), ("object", "()"),
            ("(p)", "(q, p)"), ("(p, q)", "(q)"), ("?C", "?(p, q)"), ("?(x: float)", "?A"), ("?A", "?(x: float)")])
            .prop_map(|(old, new)| [old, new, old].map(String::from)),
        3 => pair("(p, q, r)", "(r, q, p)").prop_map(|[old, new, _]| [old, new, "(r, p, q)".into()]),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let nullable = |ty: String| if ty.starts_with('?') { ty } else { format!("?{ty}") };
        prop_oneof![
            24 => inner.clone().prop_map(move |tys| tys.map(nullable)),
            1 => inner.clone().prop_map(move |[old, new, same]| [old, nullable(new), same]),
            1 => inner.clone().prop_map(move |[old, new, same]| [nullable(old), new, nullable(same)]),
            16 => inner.clone().prop_map(|tys| tys.map(|ty| format!("[]{ty}"))),
            16 => inner.clone().prop_map(|tys| tys.map(|ty| format!("[string]{ty}"))),
            32 => fields(inner.boxed()),
        ]
    })
}

/// Generates a definition, a new version of it, and an equivalent of the old one.
fn versions() -> impl Strategy<Value = Versions> {
    let list = || fields(types().boxed());
    let values = prop::sample::select(vec![
        ("(p, q)", "(q, p)"),
        ("(p)", "(p, q)"),
        ("(p, q)", "(q)"),
    ]);
    (list(), list(), values, list(), list(), list()).prop_map(
        |(a, b, (old, new), input, output, error)| {
            let version = |n: usize, c: &str| {
                format!(
                    "type A {}\ntype B {}\ntype C {c}\nmethod M{} -> {}\nerror E {}",
                    a[n], b[n], input[n], output[n], error[n]
                )
            };
            let mut same: Vec<String> =
                version(2, old).split("\ntype ").map(String::from).collect();
            same.reverse();
            let same = format!(
                "# Other words.\ntype {}",
                same.join("\ntype ").replace("type type ", "type ")
            );
            [version(0, old), version(1, new), same]
        },
    )
}

/// True if a value is one of a type, by UAPI.20. Services are strict: they refuse unknown fields.
fn accepts(ty: Type<'_>, value: &Value, strict: bool) -> bool {
    match (ty.resolved().kind(), value) {
        (TypeKind::Nullable(_), Value::Null) => true,
        (TypeKind::Nullable(inner), value) => accepts(inner, value, strict),
        (TypeKind::Bool, Value::Bool(_))
        | (TypeKind::Float, Value::Number(_))
        | (TypeKind::String, Value::String(_)) => true,
        (TypeKind::Int, Value::Number(number)) => !number.is_f64(),
        (TypeKind::Object, Value::Object(_)) => true,
        (TypeKind::Any, value) => !value.is_null(),
        (TypeKind::Array(inner), Value::Array(values)) => {
            values.iter().all(|value| accepts(inner, value, strict))
        }
        (TypeKind::Map(inner), Value::Object(values)) => {
            values.values().all(|value| accepts(inner, value, strict))
        }
        (TypeKind::Enum, Value::String(name)) => ty.values().any(|value| value.name() == name),
        (TypeKind::Struct, Value::Object(values)) => {
            let mut fields = ty.fields();
            let known = |name: &String| ty.fields().any(|field| field.name() == name);
            (!strict || values.keys().all(known))
                && fields.all(|field| {
                    accepts(
                        field.ty(),
                        values.get(field.name()).unwrap_or(&Value::Null),
                        strict,
                    )
                })
        }
        _ => false,
    }
}

/// Returns a generator of pseudorandom numbers below a limit, from a seed.
fn random(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (seed >> 33) as usize % below
    }
}

/// Returns a random value of a type.
fn value(ty: Type<'_>, random: &mut dyn FnMut(usize) -> usize, depth: usize) -> Value {
    match ty.resolved().kind() {
        TypeKind::Bool => json!(random(2) == 0),
        TypeKind::Int => json!(random(100)),
        TypeKind::Float if random(4) == 0 => json!(random(100)),
        TypeKind::Float => json!(random(100) as f64 + 0.5),
        TypeKind::String => json!("other"),
        TypeKind::Object if random(2) == 0 => json!({}),
        TypeKind::Object => json!({"x": 1, "other": null}),
        TypeKind::Any => [
            json!(false),
            json!(1.5),
            json!(7),
            json!("other"),
            json!({"x": 1}),
            json!([1]),
        ][random(6)]
        .clone(),
        TypeKind::Nullable(_) if depth > 6 || random(3) == 0 => Value::Null,
        TypeKind::Nullable(inner) => value(inner, random, depth + 1),
        TypeKind::Array(inner) => {
            let count = if depth > 6 { 0 } else { random(4) };
            (0..count)
                .map(|_| value(inner, random, depth + 1))
                .collect()
        }
        TypeKind::Map(inner) => {
            let count = if depth > 6 { 0 } else { random(4) };
            let values = (0..count).map(|n| {
                (
                    ["x", "y", "k", "l"][n].to_string(),
                    value(inner, random, depth + 1),
                )
            });
            Value::Object(values.collect())
        }
        TypeKind::Enum => {
            let values = ty.values();
            let count = ty.values().count();
            json!(values.map(|value| value.name()).nth(random(count)))
        }
        TypeKind::Struct => {
            let mut values = Map::new();
            for field in ty.fields() {
                let value = value(field.ty(), random, depth + 1);
                if !value.is_null() || random(2) == 0 {
                    values.insert(field.name().to_string(), value);
                }
            }
            Value::Object(values)
        }
        TypeKind::Named(_) => unreachable!("resolved"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Equivalent definitions, with other names of types and in another order, have no changes.
    #[test]
    fn i5_equivalent_definitions_have_no_changes([old, _, same] in versions()) {
        let (old, same) = (Source::members(&old), Source::members(&same));
        let renamed = same.text.replace('A', "Apple").replace('C', "Cherry");
        prop_assume!(Definition::parse(&old.text, &mut old.table.clone()).is_ok());
        let (mut old, mut same, mut renamed) = (old, same, Source::new(&renamed));
        let (old, same, renamed) = (old.definition(), same.definition(), renamed.definition());
        prop_assert_eq!(compare(&old, &old), []);
        prop_assert_eq!(compare(&old, &same), []);
        prop_assert_eq!(compare(&same, &old), []);
        for change in compare(&old, &renamed) {
            let line = change.to_string();
            let unused = line.ends_with("is gone: old callers may use it");
            prop_assert!(unused || ((line.ends_with("is new") || line.ends_with("is gone")) && change.breaks() == Breaks::Nothing), "{}", line);
        }
    }

    /// If no change breaks anything, new programs can read the values of old ones, and the reverse.
    #[test]
    fn i5_unbroken_values_can_be_read([old, new, _] in versions(), seed: u64) {
        let (mut old, mut new) = (Source::members(&old), Source::members(&new));
        prop_assume!(Definition::parse(&old.text, &mut old.table.clone()).is_ok());
        prop_assume!(Definition::parse(&new.text, &mut new.table.clone()).is_ok());
        let (old, new) = (old.definition(), new.definition());
        let breaks = |place: &str| {
            compare(&old, &new)
                .iter()
                .filter(|change| change.to_string().contains(place))
                .map(|change| change.breaks())
                .max()
                .unwrap_or(Breaks::Nothing)
        };
        let mut random = random(seed);
        let (old_m, new_m) = (old.find("M").expect("M"), new.find("M").expect("M"));
        let (old_e, new_e) = (old.find("E").expect("E"), new.find("E").expect("E"));
        let calls = breaks("method M, parameter").max(breaks(", in calls"));
        let replies = breaks(", output").max(breaks("error E")).max(breaks(", in replies"));
        for _ in 0..20 {
            if calls < Breaks::Callers {
                let sent = value(old_m.input(), &mut random, 0);
                prop_assert!(accepts(old_m.input(), &sent, true));
                prop_assert!(accepts(new_m.input(), &sent, true), "{}", sent);
            }
            for (old, new) in [(old_m.output(), new_m.output()), (old_e.output(), new_e.output())] {
                if replies < Breaks::Callers {
                    let sent = value(new, &mut random, 0);
                    prop_assert!(accepts(old, &sent, false), "{}", sent);
                }
                if replies < Breaks::Services {
                    let sent = value(old, &mut random, 0);
                    prop_assert!(accepts(new, &sent, false), "{}", sent);
                }
            }
        }
    }
}

#[test]
fn i5_lists_of_the_maximum_depth_are_compared() {
    let deep = format!("{}(){}", "(a: ".repeat(127), ")".repeat(127));
    let text = |comment: &str| format!("interface a.b\n# {comment}\nmethod M{deep} -> ()\n");
    let (old, new) = (text("one"), text("two"));
    let mut tables = [(); 2].map(|()| vec![idl::Entry::EMPTY; Definition::table_size(&old)]);
    let [one, two] = &mut tables;
    let old = idl::Definition::parse(&old, one).unwrap();
    let new = idl::Definition::parse(&new, two).unwrap();
    assert_eq!(compare(&old, &new), []);
}
