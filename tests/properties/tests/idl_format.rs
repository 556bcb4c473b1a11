//! `format`: the canonical layout of definitions, which keeps their content.

#[path = "../../common/definitions.rs"]
mod definitions;

use definitions::definitions;
use nullink::idl::{Definition, Entry, Type, TypeKind};
use nullink::tools::{format, format_colored};
use proptest::prelude::*;

fn table(text: &str) -> Vec<Entry> {
    vec![Entry::EMPTY; Definition::table_size(text)]
}

fn formatted(text: &str) -> String {
    let mut table = table(text);
    let definition = Definition::parse(text, &mut table);
    format(&definition.unwrap_or_else(|e| panic!("{e}\n{text:?}")))
}

fn lines<'a>(documentation: impl Iterator<Item = &'a str>) -> Vec<String> {
    documentation
        .map(|line| line.trim_end().to_string())
        .collect()
}

/// Returns the content of a definition: each item with its documentation.
fn content(text: &str) -> Vec<(String, Vec<String>)> {
    fn list(ty: Type<'_>, all: &mut Vec<(String, Vec<String>)>) {
        match ty.kind() {
            TypeKind::Nullable(ty) | TypeKind::Array(ty) | TypeKind::Map(ty) => list(ty, all),
            TypeKind::Struct => {
                for field in ty.fields() {
                    all.push((format!("{field:?}"), lines(field.documentation())));
                    list(field.ty(), all);
                }
            }
            TypeKind::Enum => all.extend(
                ty.values()
                    .map(|value| (format!("{value:?}"), lines(value.documentation()))),
            ),
            _ => {}
        }
    }
    let mut table = table(text);
    let definition = Definition::parse(text, &mut table).expect("a definition");
    let mut all = vec![(
        definition.name().to_string(),
        lines(definition.documentation()),
    )];
    for member in definition.members() {
        let signature = format!("{member:?} {} {}", member.input(), member.output());
        all.push((signature, lines(member.documentation())));
        list(member.input(), &mut all);
        list(member.output(), &mut all);
    }
    all
}

/// Removes the escape sequences of colors.
fn plain(colored: &str) -> String {
    let mut pieces = colored.split("\x1b[");
    let first = pieces.next().unwrap_or_default().to_string();
    pieces.fold(first, |plain, piece| {
        plain + piece.split_once('m').expect("an escape").1
    })
}

fn columns(line: &str) -> usize {
    let tabs = line.chars().take_while(|c| *c == '\t').count();
    line.len() + 7 * tabs
}

/// Checks the properties of every canonical layout. Returns the layout, and the content before and
/// after.
#[allow(clippy::type_complexity)]
fn check(text: &str) -> (String, Vec<((String, Vec<String>), (String, Vec<String>))>) {
    let canonical = formatted(text);
    let again = formatted(&canonical);
    assert_eq!(canonical, again, "from {text:?}");
    let (before, after) = (content(text), content(&canonical));
    let names = |content: &[(String, Vec<String>)]| -> Vec<String> {
        content.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&before), names(&after), "from {text:?}");

    let mut table = table(text);
    let definition = Definition::parse(text, &mut table).expect("a definition");
    let colored = format_colored(&definition);
    assert_ne!(colored, canonical);
    assert_eq!(plain(&colored), canonical);
    for piece in colored.split("\x1b[0m") {
        assert!(piece.matches('\x1b').count() <= 1, "{colored:?}");
    }

    assert!(canonical.ends_with('\n') && !canonical.ends_with("\n\n"));
    assert!(!canonical.starts_with('\n') && !canonical.contains("\n\n\n"));
    for line in canonical.split('\n') {
        assert_eq!(line.trim_end(), line, "{canonical}");
        if columns(line) > 80 && !line.trim_start().starts_with('#') {
            // The line has no list that could be broken.
            let rest = line.replace("()", "");
            let rest = rest.strip_suffix('(').unwrap_or(&rest);
            assert!(!rest.contains('('), "{canonical}");
        }
    }
    (canonical, before.into_iter().zip(after).collect())
}

#[track_caller]
fn is(members: &str, canonical: &str) {
    let (text, _) = check(&format!("interface a.b\n{members}"));
    assert_eq!(text, format!("interface a.b\n\n{canonical}"));
}

#[test]
fn i7_definitions_that_real_services_serve() {
    let (text, _) = check("# c\ninterface   a.b\n\n\n# last");
    assert_eq!(text, "# c\ninterface a.b\n\n# last\n");
    let (text, _) = check("interface a.b");
    assert_eq!(text, "interface a.b\n");
    is("type T(t:T)", "type T(t: T)\n");
}

#[test]
fn i4_one_layout_for_each_member() {
    is("error E ( )", "error E()\n");
    is("type  T\t(a ,b)", "type T(a, b)\n");
    is("type T\n(\na\n:\nint\n)\n\n\n", "type T(a: int)\n");
    is("method M\n()\n->\n()", "method M() -> ()\n");
    is(
        "method M(a:int,b:?[]T)->(c:[string]())\ntype T()",
        "method M(a: int, b: ?[]T) -> (c: [string]())\n\ntype T()\n",
    );
    is(
        "type T (a : [string]?[]( x,y ) , b: ?()\n)",
        "type T(a: [string]?[](x, y), b: ?())\n",
    );
    // The order of the members stays the same.
    is(
        "error E()\ntype T()\nmethod M() -> ()\nerror D()",
        "error E()\n\ntype T()\n\nmethod M() -> ()\n\nerror D()\n",
    );
}

/// Returns a name of this length.
fn name(length: usize) -> String {
    "x".repeat(length)
}

#[test]
fn i4_lists_are_broken_where_they_are_too_wide() {
    // `type T(a: int, X: int)`
    let fits = format!("type T(a: int, {}: int)\n", name(80 - 21));
    assert_eq!(fits.len(), 81);
    is(&fits, &fits);
    let x = name(80 - 20);
    is(
        &format!("type T(a: int, {x}: int)"),
        &format!("type T(\n\ta: int,\n\t{x}: int\n)\n"),
    );
    // A list inside a broken list, which fits or not because of the comma after it.
    let x = name(72 - 10);
    is(
        &format!("type T(b: int, {x}: (a, bcd))"),
        &format!("type T(\n\tb: int,\n\t{x}: (a, bcd)\n)\n"),
    );
    is(
        &format!("type T({x}: (a, bcd), b: int)"),
        &format!("type T(\n\t{x}: (\n\t\ta,\n\t\tbcd\n\t),\n\tb: int\n)\n"),
    );
    // Only lists that do not fit are broken.
    let x = name(58);
    is(
        &format!("type T (a: ?[](b: (c: (x, y), d: (x, y, {x}), e: (x, y)), f: (x, y)))"),
        &format!(
            "type T(\n\ta: ?[](\n\t\tb: (\n\t\t\tc: (x, y),\n\t\t\td: (\n\t\t\t\tx,\n\t\t\t\ty,\n\t\t\t\t{x}\n\t\t\t),\n\t\t\te: (x, y)\n\t\t),\n\t\tf: (x, y)\n\t)\n)\n"
        ),
    );
    // Empty lists are never broken.
    let x = "X".repeat(70);
    is(
        &format!("method {x}() -> (a: int)"),
        &format!("method {x}() -> (\n\ta: int\n)\n"),
    );
    is(
        &format!("method {x}(a: int) -> ()"),
        &format!("method {x}(\n\ta: int\n) -> ()\n"),
    );
    let x = "X".repeat(100);
    let y = name(100);
    is(
        &format!("error E{x} ()\nmethod M{x} () -> ()\ntype T (a: {x}, {y}: ())\ntype {x} ()"),
        &format!(
            "error E{x}()\n\nmethod M{x}() -> ()\n\ntype T(\n\ta: {x},\n\t{y}: ()\n)\n\ntype {x}()\n"
        ),
    );
}

#[test]
fn i4_the_wider_list_of_a_method_is_broken_first() {
    // `method M(a: X) -> (b: Y)`
    let list = |field: &str, width: usize, broken: bool| {
        if width == 0 {
            "()".to_string()
        } else if broken {
            format!("(\n\t{field}: {}\n)", "T".repeat(width))
        } else {
            format!("({field}: {})", "T".repeat(width))
        }
    };
    for (input, output, break_input, break_output) in [
        (29, 29, false, false),
        (30, 29, true, false),
        (29, 30, false, true),
        (30, 30, true, false),
        (0, 70, false, true),
        (70, 0, true, false),
        (62, 70, false, true),
        (63, 64, true, false),
        (63, 70, true, false),
        (63, 71, true, true),
        (100, 71, true, true),
        (71, 100, true, true),
        (100, 70, true, false),
        (60, 100, false, true),
        (100, 0, true, false),
        (0, 100, false, true),
    ] {
        let types: String = [input, output]
            .into_iter()
            .filter(|width| *width > 0)
            .collect::<std::collections::BTreeSet<usize>>()
            .into_iter()
            .map(|width| format!("\ntype {}()\n", "T".repeat(width)))
            .collect();
        let method = |break_input, break_output| {
            format!(
                "method M{} -> {}\n{types}",
                list("a", input, break_input),
                list("b", output, break_output)
            )
        };
        let canonical = method(break_input, break_output);
        is(&method(false, false), &canonical);
        is(&method(true, true), &canonical);
    }
}

#[test]
fn i4_comments_stay_with_their_items() {
    let (text, _) =
        check("\n#1\n#2  \n\n\n# 3\t\r\n interface # 4\n a.b # 5\n#6\r\r\n\n# 7\n\nerror E()");
    assert_eq!(
        text,
        "#1\n#2\n\n# 3\n# 4\ninterface a.b\n\n# 5\n\n#6\n\n# 7\n\nerror E()\n"
    );
    is(
        "#1\n\n\n#2\nerror # 3\n E # 4\n ( # 5\n) # 6\n#\nerror F()",
        "#1\n\n#2\n# 3\n# 4\nerror E(\n\t# 5\n)\n\n# 6\n\n#\nerror F()\n",
    );
    is(
        "method # 1\nM # 2\n() # 3\n # 4\n -> # 5\n (#6\n)",
        "# 1\n# 2\n# 3\n# 4\n# 5\nmethod M() -> (\n\t#6\n)\n",
    );
    // A list with a comment is broken, and so are the lists around it.
    is(
        "type T(#1\n\n #2\n\n\n#3\na #4\n:#5\nint#6\n,#7\nb:int)",
        "type T(\n\t#1\n\n\t#2\n\n\t#3\n\t#4\n\t#5\n\t#6\n\ta: int,\n\t#7\n\n\tb: int\n)\n",
    );
    is(
        "type T(a: (b: (x, #1\ny), c: (z)), d: (x, y))",
        "type T(\n\ta: (\n\t\tb: (\n\t\t\tx,\n\t\t\t#1\n\n\t\t\ty\n\t\t),\n\t\tc: (z)\n\t),\n\td: (x, y)\n)\n",
    );
    // After a nested list, and after the last field.
    is(
        "type T(a: (x, y) #1\n, b: (x #2\n#3\n\n#4\n\n) #5\n)",
        "type T(\n\t#1\n\ta: (x, y),\n\tb: (\n\t\tx\n\t\t#2\n\n\t\t#3\n\n\t\t#4\n\t)\n\t#5\n)\n",
    );
    // A moved comment does not separate a field from its documentation.
    is(
        "type T(\n# a\na # 1\n\n\n# 2\n:int,\n# b\n\nb #3\n:int)",
        "type T(\n\t# a\n\t# 1\n\t# 2\n\ta: int,\n\t# b\n\n\t#3\n\tb: int\n)\n",
    );
    // The text after the # stays the same.
    is(
        "#! /bin/sh \u{b} (# \u{e9}\tx:\ttype T( \u{2003}\nerror E()",
        "#! /bin/sh \u{b} (# \u{e9}\tx:\ttype T(\nerror E()\n",
    );
    // Comments at the end.
    is("error E() # 1", "error E()\n# 1\n");
    is(
        "error E()\n# 1\n\n\n# 2\n# 3\n\n",
        "error E()\n# 1\n\n# 2\n# 3\n",
    );
    is("error E()\n\n\n# 1\n#2", "error E()\n\n# 1\n#2\n");
    is("error E() #1\n#2\n", "error E()\n#1\n\n#2\n");
}

#[test]
fn i4_all_white_space_and_all_line_ends() {
    for space in "\t \u{a0}\u{feff}\u{1680}\u{180e}\u{2000}\u{200a}\u{202f}\u{205f}\u{3000}".chars()
    {
        let (text, _) = check(&format!(
            "{space}interface{space}a.b{space}\n{space}\n{space}method{space}M{space}({space}a{space}:{space}?int{space},{space}b{space}:{space}int{space}){space}->{space}({space}){space}\n{space}"
        ));
        assert_eq!(text, "interface a.b\n\nmethod M(a: ?int, b: int) -> ()\n");
    }
    for end in ["\n", "\r\n", "\r", "\u{2028}", "\u{2029}"] {
        let text = "# 1\n# 2\n\n# 3\ninterface a.b\n\n# 4\n\n# 5\nerror E(\n\t# 6\n\ta: int\n)\n";
        assert_eq!(check(&text.replace('\n', end)).0, text);
    }
}

#[test]
fn i4_colors() {
    let text = "# c\ninterface a.b\nmethod M(type: ?[]int)->(b:[string]T)\ntype T(x)\nerror E()";
    let mut table = table(text);
    let definition = Definition::parse(text, &mut table).expect("a definition");
    let colored = format_colored(&definition);
    let names = [
        ("\x1b[1;32m", "k"),
        ("\x1b[1m", "n"),
        ("\x1b[36m", "t"),
        ("\x1b[35m", "m"),
        ("\x1b[90m", "c"),
        ("\x1b[0m", "/"),
    ];
    let readable = names.iter().fold(colored, |text, (escape, name)| {
        text.replace(escape, &format!("<{name}>"))
    });
    assert_eq!(readable, "\
<c># c</>
<k>interface</> <n>a.b</>

<k>method</> <n>M</>(<n>type</>: <m>?</><m>[</><m>]</><t>int</>) <m>-></> (<n>b</>: <m>[</><t>string</><m>]</><n>T</>)

<k>type</> <n>T</>(<n>x</>)

<k>error</> <n>E</>()
");
}

#[test]
fn i4_real_definitions() {
    for (path, text) in definitions() {
        let (canonical, content) = check(&text);
        for (before, after) in content {
            assert_eq!(before, after, "{path:?}");
        }
        // systemd's definitions have this layout already.
        let name = path.file_name().expect("a name").to_string_lossy();
        if name.starts_with("io.systemd.") {
            assert_eq!(canonical, text, "{path:?}");
        }
    }
}

#[test]
fn i4_deep_wide_and_long() {
    let deep = |before: &str, after: &str| {
        let text = format!(
            "interface a.b\ntype T (a: {}int{})",
            before.repeat(100),
            after.repeat(100)
        );
        check(&text).0
    };
    assert_eq!(deep("[]", "").lines().count(), 5);
    assert_eq!(deep("(a: ", ")").lines().count(), 2 + 2 * 101 + 1);
    let fields: Vec<String> = (0..256).map(|n| format!("f{n}: (a, b)")).collect();
    let (text, _) = check(&format!("interface a.b\nerror E ({})", fields.join(",")));
    assert_eq!(text.lines().count(), 2 + 258);
    // Many comments in every place: the time is linear in the length of the text.
    let many = "#\n# c ( \n".repeat(30_000);
    let text = "@interface@a.b@\nmethod@M@(@a@:@(@x@,@y@)@)@->@(@b@:@int@)@\nerror@ E@(@)@"
        .replace('@', &format!(" {many}"));
    assert_eq!(
        formatted(&text).matches('#').count(),
        text.matches('#').count()
    );
}

/// A type, without white space.
#[derive(Clone, Debug)]
enum Ty {
    Word(&'static str),
    Prefix(&'static str, Box<Ty>),
    Enum(Vec<usize>),
    Struct(Vec<(usize, Ty)>),
}

fn types() -> impl Strategy<Value = Ty> {
    let words = ["bool", "int", "float", "string", "object", "any", "T0"];
    prop::sample::select(words.to_vec()).prop_map(Ty::Word).prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            2 => (prop::sample::select(&["?", "[]", "[string]", "?[]"][..]), inner.clone()).prop_map(|(prefix, ty)| {
                match ty {
                    Ty::Prefix(p, _) if prefix == "?" && p.starts_with('?') => ty,
                    _ => Ty::Prefix(prefix, Box::new(ty)),
                }
            }),
            1 => prop::collection::vec(0..24_usize, 1..5).prop_map(Ty::Enum),
            3 => fields(inner).prop_map(Ty::Struct),
        ]
    })
}

fn fields(ty: impl Strategy<Value = Ty>) -> impl Strategy<Value = Vec<(usize, Ty)>> {
    prop::collection::vec((0..24_usize, ty), 0..5)
}

/// A piece of white space.
#[derive(Clone, Debug)]
enum Piece {
    Space(char),
    End(&'static str),
    Comment(&'static str, &'static str),
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let spaces: Vec<char> =
        "     \t\t\u{a0}\u{feff}\u{1680}\u{180e}\u{2000}\u{2004}\u{200a}\u{202f}\u{205f}\u{3000}"
            .chars()
            .collect();
    let ends = ["\n", "\n", "\n", "\r\n", "\r", "\u{2028}", "\u{2029}"];
    let ends = prop::sample::select(ends.to_vec());
    let texts = [
        "",
        " ",
        "  of this",
        " # (a: int) -> ",
        "\u{e9}\u{2003} ",
        " error E ()\t",
        "\u{b}x\u{85}",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(spaces).prop_map(Piece::Space),
        3 => ends.clone().prop_map(Piece::End),
        2 => (prop::sample::select(texts.to_vec()), ends).prop_map(|(text, end)| Piece::Comment(text, end)),
    ];
    prop::collection::vec(piece, 0..5)
}

/// The places of the comments.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Where {
    /// Before items, on their own lines: only documentation.
    Before,
    /// Everywhere except after a list, where the formatter moves them to before the list.
    Order,
    Everywhere,
}

/// Writes a definition, with white space between its words.
struct Render<'p> {
    text: String,
    pieces: std::iter::Cycle<std::slice::Iter<'p, Vec<Piece>>>,
    comments: Where,
    count: usize,
}

impl Render<'_> {
    /// Writes white space: before an item that has documentation, after a list, or elsewhere.
    fn space(&mut self, documented: bool, after_list: bool) {
        for piece in self.pieces.next().expect("a piece") {
            match piece {
                Piece::Space(space) => self.text.push(*space),
                Piece::End(end) => self.text.push_str(end),
                Piece::Comment(text, end) => {
                    match self.comments {
                        Where::Before if !documented => continue,
                        Where::Before => self.text.push('\n'),
                        Where::Order if after_list => continue,
                        _ => {}
                    }
                    self.text += &format!("#{text}@{}@{text}{end}", self.count);
                    self.count += 1;
                }
            }
        }
    }

    fn word(&mut self, word: &str) {
        self.text.push_str(word);
    }

    fn mark(&mut self, mark: &str) {
        self.space(false, false);
        self.word(mark);
    }

    fn fields(&mut self, fields: &[(usize, Option<&Ty>)]) {
        self.word("(");
        let mut first = true;
        for (index, (length, ty)) in fields.iter().enumerate() {
            if !std::mem::take(&mut first) {
                self.word(",");
            }
            self.space(true, false);
            self.word(&format!("f{}{index}", name(*length)));
            if let Some(ty) = ty {
                self.mark(":");
                self.space(false, false);
                self.ty(ty);
            }
            let mut last = *ty;
            while let Some(Ty::Prefix(_, ty)) = last {
                last = Some(ty);
            }
            let list = matches!(last, Some(Ty::Enum(_) | Ty::Struct(_)));
            let more = index + 1 < fields.len();
            self.space(false, list && more);
        }
        if first {
            self.space(false, false);
        }
        self.word(")");
    }

    fn ty(&mut self, ty: &Ty) {
        match ty {
            Ty::Word(word) => self.word(word),
            Ty::Prefix(prefix, ty) => {
                self.word(prefix);
                self.ty(ty);
            }
            Ty::Enum(values) => {
                let values: Vec<_> = values.iter().map(|length| (*length, None)).collect();
                self.fields(&values);
            }
            Ty::Struct(fields) => self.structure(fields),
        }
    }

    fn structure(&mut self, fields: &[(usize, Ty)]) {
        let fields: Vec<_> = fields
            .iter()
            .map(|(length, ty)| (*length, Some(ty)))
            .collect();
        self.fields(&fields);
    }

    fn line_end(&mut self) {
        // A comment is allowed at the end of a line.
        self.space(false, false);
        self.word("\n");
        self.space(true, false);
    }
}

type Parameters = Vec<(usize, Ty)>;

#[derive(Clone, Debug)]
enum Declaration {
    Type(Ty),
    Method(Parameters, Parameters),
    Error(Parameters),
}

fn render(
    members: &[(usize, Declaration)],
    pieces: &[Vec<Piece>],
    comments: Where,
) -> (String, usize) {
    let mut r = Render {
        text: String::new(),
        pieces: pieces.iter().cycle(),
        comments,
        count: 0,
    };
    r.space(true, false);
    r.word("interface ");
    r.space(false, false);
    r.word("org.example.x-1");
    let first = (0, Declaration::Type(Ty::Struct(Vec::new())));
    for (index, (length, declaration)) in std::iter::once(&first).chain(members).enumerate() {
        r.line_end();
        let (keyword, initial) = match declaration {
            Declaration::Type(_) => ("type", 'T'),
            Declaration::Method(..) => ("method", 'M'),
            Declaration::Error(_) => ("error", 'E'),
        };
        r.word(keyword);
        r.word(" ");
        r.space(false, false);
        r.word(&format!("{initial}{}{index}", name(*length)));
        r.space(false, false);
        match declaration {
            Declaration::Type(ty @ (Ty::Struct(_) | Ty::Enum(_))) => r.ty(ty),
            Declaration::Type(ty) => r.structure(&[(3, ty.clone())]),
            Declaration::Error(fields) => r.structure(fields),
            Declaration::Method(input, output) => {
                r.structure(input);
                r.space(false, true);
                r.word("->");
                r.space(false, true);
                r.structure(output);
            }
        }
    }
    r.space(false, false);
    (r.text, r.count)
}

fn members() -> impl Strategy<Value = Vec<(usize, Declaration)>> {
    let declaration = prop_oneof![
        types().prop_map(Declaration::Type),
        (fields(types()), fields(types()))
            .prop_map(|(input, output)| Declaration::Method(input, output)),
        fields(types()).prop_map(Declaration::Error),
    ];
    prop::collection::vec((0..80_usize, declaration), 0..4)
}

/// Returns the numbers of the comments of a text, in their order.
fn numbers(text: &str) -> Vec<usize> {
    text.split('@')
        .skip(1)
        .step_by(2)
        .map(|number| number.parse().expect("a number"))
        .collect()
}

proptest! {
    /// The definition stays the same, with any white space and comments in any places.
    #[test]
    fn i4_any_definition(
        members in members(),
        pieces in prop::collection::vec(pieces(), 1..60),
        comments in prop::sample::select(vec![Where::Before, Where::Order, Where::Everywhere]),
    ) {
        let (text, count) = render(&members, &pieces, comments);
        let (canonical, content) = check(&text);
        let mut found = numbers(&canonical);
        if comments == Where::Everywhere {
            found.sort();
        }
        prop_assert_eq!(found, (0..count).collect::<Vec<_>>(), "{}", canonical);
        for (before, after) in content {
            if comments == Where::Before {
                prop_assert_eq!(before, after);
            } else {
                // Only comments from inside the item may be added.
                prop_assert!(after.1.starts_with(&before.1), "{:?} {:?}\n{}", before, after, canonical);
            }
        }
        // Without comments, the layout does not depend on the white space.
        let without = |pieces: Vec<Vec<Piece>>| formatted(&render(&members, &pieces, Where::Before).0);
        let none: Vec<Vec<Piece>> = pieces.iter().map(|p| {
            p.iter().filter(|p| !matches!(p, Piece::Comment(..))).cloned().collect()
        }).collect();
        prop_assert_eq!(without(none), without(vec![Vec::new()]));
    }
}
