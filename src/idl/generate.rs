//! Rust from a definition: types, methods and errors, as a module to commit.
//!
//! It has three parts: what the types need ([`Generator::new`]), what everything is called
//! ([`Generator::name`]), and how it is written, in the very layout that rustfmt gives it.

use core::cell::Cell;
use core::fmt::{self, Display, Write};
use core::iter;

use super::table::Kind as K;
use super::view::Documentation;
use super::{Definition, Member, MemberKind, NAME};

/// A definition as Rust: a module with the interface's types, methods and errors, for services and
/// clients. It is made by [`Definition::rust`].
///
/// | definition | Rust |
/// |---|---|
/// | the interface | `INTERFACE`: an [`Interface`](crate::Interface) |
/// | a structure, an enumeration | a struct, an enum; those without a name have that of the path to them |
/// | `bool`, `int`, `float`, `string` | `bool`, `i64`, `f64`, `&str` |
/// | `object`, `any` | [`Raw`](crate::json::Raw) |
/// | `?` | `Option` |
/// | a method | a struct of its parameters, which is a [`Method`](crate::client::Method), and one of what it returns: `()`, if that is nothing |
/// | all methods | the enum `Methods`, for [`Call::decode`](crate::Call::decode) |
/// | all errors | the enum `Error` |
///
/// Without an allocator there is no type for **lists and maps**, whose length is unknown. So a
/// field with one is a type parameter of its struct. What was received has a `Raw` there, to be
/// read element by element ([`Raw::elements`](crate::json::Raw::elements),
/// [`Raw::decode_in`](crate::json::Raw::decode_in)); what is sent has a
/// [`List`](crate::json::List) or a [`Map`](crate::json::Map) of any iterator, a slice, or whatever
/// else serde can serialize. The same is done for a type within itself, and for a structure with
/// such a field. An `Option` of such a parameter that is to be `None` has to say of what:
/// `None::<Raw>`. The parameters of errors have `Raw` there in any case.
///
/// A name that is a keyword, or taken, ends in `_`. Serde is told the names of the definition.
///
/// ```
/// use nullink::{Interface, interface};
///
/// const HOSTS: Interface = interface!(text "
/// interface org.example.hosts
///
/// ## A host, and what it is called
/// type Host (address: string, aliases: []string)
///
/// method Find(name: string) -> (host: Host)
/// ");
/// let module = HOSTS.rust().to_string();
/// assert!(module.contains("
/// pub struct Host<'a, A = Raw<'a>> {
///     pub address: &'a str,
///     /// `[]string`
///     pub aliases: A,
/// }
/// "));
/// assert!(module.contains("
/// impl Method for Find<'_> {
///     const NAME: &'static str = \"org.example.hosts.Find\";
///     type Output<'r> = FindReply<Host<'r>>;
///     type Error<'r> = NoError;
/// }
/// "));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Rust<'a> {
    definition: Definition<'a>,
    path: Option<&'a str>,
}

impl<'a> Definition<'a> {
    /// The definition as Rust, to be written to a file: a module with its types, methods and
    /// errors, laid out as rustfmt would.
    pub fn rust(&self) -> Rust<'a> {
        Rust {
            definition: *self,
            path: None,
        }
    }
}

impl<'a> Rust<'a> {
    /// Where the definition's file is, seen from the module's: `NAME.varlink` beside it, if this
    /// is not told.
    pub fn path(self, path: &'a str) -> Self {
        Rust {
            path: Some(path),
            ..self
        }
    }
}

impl Display for Rust<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.definition.name;
        let path = show(|f| match self.path {
            Some(path) => path.escape_debug().fmt(f),
            None => write!(f, "{name}.varlink"),
        });
        Generator::new(self.definition).module(f, &path)
    }
}

/// The width that rustfmt fills.
const WIDTH: usize = 100;

/// How much of it the fields of an enum's variant may fill.
const FIELDS_WIDTH: usize = 35;

/// How long a name may be in an attribute that has another part: 70 characters are for both.
const ATTRIBUTE_WIDTH: usize = 51;

/// How many structures there may be within one another that all need to be told what their lists
/// are, in the type of what is received.
const NESTED: u8 = 4;

/// What the module has names for, apart from the definition's.
const RESERVED: [&str; 10] = [
    "Deserialize",
    "Error",
    "INTERFACE",
    "Method",
    "Methods",
    "NoError",
    "Option",
    "Raw",
    "Self",
    "Serialize",
];

/// Keywords that can be names when they are written `r#`.
const KEYWORDS: [&str; 48] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// Keywords that can't be names.
const UNUSABLE: [&str; 4] = ["Self", "crate", "self", "super"];

/// A set of entries.
struct Entries([u64; 1 << 10]);

impl Entries {
    const NONE: Self = Entries([0; 1 << 10]);

    fn has(&self, index: u16) -> bool {
        let word = self.0.get(usize::from(index >> 6)).copied();
        word.unwrap_or_default() & (1 << (index & 63)) != 0
    }

    /// Adds an entry; whether it is new.
    fn add(&mut self, index: u16) -> bool {
        let new = !self.has(index);
        if let Some(word) = self.0.get_mut(usize::from(index >> 6)) {
            *word |= 1 << (index & 63);
        }
        new
    }

    /// Takes one out.
    fn take(&mut self) -> Option<u16> {
        let words = self.0.iter_mut().zip(0_u16..);
        let (word, index) = words.into_iter().find(|(word, _)| **word != 0)?;
        let bit = u16::try_from(word.trailing_zeros()).ok()?;
        *word &= word.wrapping_sub(1);
        Some(index.saturating_mul(64).saturating_add(bit))
    }
}

/// What the type of a field comes down to.
#[derive(Clone, Copy)]
struct Shape {
    nullable: bool,
    leaf: Leaf,
}

#[derive(Clone, Copy)]
enum Leaf {
    /// A Rust type that borrows nothing.
    Plain(&'static str),
    String,
    /// `object` and `any`.
    Raw,
    /// A list, a map, or what would be in itself: it has no end that is known.
    Endless,
    /// An enumeration, by the entry of its list.
    Enum(u16),
    /// A structure, by the entry of its list.
    Struct(u16),
}

/// How words are put together to a name.
#[derive(Clone, Copy)]
enum Case {
    /// `two_words`
    Snake,
    /// `twoWords`
    Camel,
    /// `TwoWords`
    Pascal,
    /// What serde's `snake_case` makes of `TwoWords`: digits begin no word.
    SnakeOfPascal,
}

/// How the names of a list are told to serde: the attribute, and what it makes of the Rust names.
type Rule = (Option<&'static str>, Case);

const FIELD_RULES: [Rule; 3] = [
    (None, Case::Snake),
    (Some("camelCase"), Case::Camel),
    (Some("PascalCase"), Case::Pascal),
];

const VALUE_RULES: [Rule; 3] = [
    (None, Case::Pascal),
    (Some("snake_case"), Case::SnakeOfPascal),
    (Some("camelCase"), Case::Camel),
];

/// The letters of a name, without what is between its words; whether each begins a word.
fn letters(name: &str) -> impl Iterator<Item = (bool, char)> + Clone {
    let before = iter::once('_').chain(name.chars());
    let behind = name.chars().skip(1).chain(iter::once('_'));
    let letters = name.chars().zip(before).zip(behind);
    letters.filter_map(|((this, before), behind)| {
        let begins = before == '_'
            || (this.is_ascii_uppercase()
                && (!before.is_ascii_uppercase() || behind.is_ascii_lowercase()));
        (this != '_').then_some((begins, this))
    })
}

/// The same words as another name.
fn cased(name: &str, case: Case) -> impl Iterator<Item = char> + Clone {
    let letters = letters(name).enumerate();
    letters.flat_map(move |(index, (begins, letter))| {
        let (separated, upper) = match case {
            Case::Snake => (begins, false),
            Case::SnakeOfPascal => (begins && letter.is_ascii_alphabetic(), false),
            Case::Camel => (false, begins && index > 0),
            Case::Pascal => (false, begins),
        };
        let letter = match upper {
            true => letter.to_ascii_uppercase(),
            false => letter.to_ascii_lowercase(),
        };
        let separator = (separated && index > 0).then_some('_');
        separator.into_iter().chain(iter::once(letter))
    })
}

/// Something to write, more than once: first to see how long it is.
struct Show<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> Display for Show<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

fn show<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result>(write: F) -> Show<F> {
    Show(write)
}

/// How many characters the longest line has.
fn width(text: &dyn Display) -> usize {
    struct Longest {
        line: usize,
        longest: usize,
    }
    impl Write for Longest {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for letter in text.chars() {
                self.line = match letter {
                    '\n' => 0,
                    _ => self.line.saturating_add(1),
                };
                self.longest = self.longest.max(self.line);
            }
            Ok(())
        }
    }
    let (line, longest) = (0, 0);
    let mut count = Longest { line, longest };
    let _ = write!(count, "{text}");
    count.longest
}

/// What an item of the module is written to: nothing, at first, to see whether rustfmt's layout of
/// it is known here.
struct Out<'w> {
    to: Option<&'w mut dyn Write>,
    unknown: bool,
}

impl Write for Out<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match &mut self.to {
            Some(to) => to.write_str(text),
            None => Ok(()),
        }
    }
}

impl Out<'_> {
    /// The first of some layouts whose lines all fit; the last, if none does.
    fn first(&mut self, layouts: &[&dyn Display]) -> fmt::Result {
        let fitting = layouts.iter().find(|layout| width(**layout) <= WIDTH);
        self.unknown |= fitting.is_none();
        match fitting.or(layouts.last()) {
            Some(layout) => write!(self, "{layout}"),
            None => Ok(()),
        }
    }
}

/// Writes an item. If rustfmt's layout of it is not known, rustfmt is told to leave it.
fn item(
    f: &mut dyn Write,
    write: impl Fn(&mut Out<'_>, &'static str) -> fmt::Result,
) -> fmt::Result {
    let mut probe = Out {
        to: None,
        unknown: false,
    };
    write(&mut probe, "")?;
    let skip = match probe.unknown {
        true => "#[rustfmt::skip]\n",
        false => "",
    };
    f.write_str("\n")?;
    let mut out = Out {
        to: Some(f),
        unknown: false,
    };
    write(&mut out, skip)
}

/// Comments, as documentation of Rust: whether there are any.
fn documentation(
    out: &mut dyn Write,
    begin: &dyn Display,
    lines: Documentation<'_>,
) -> Result<bool, fmt::Error> {
    let mut any = false;
    for line in lines {
        any = true;
        let text = line.trim_matches(|c: char| c.is_whitespace() || c.is_control());
        if text.is_empty() {
            writeln!(out, "{begin}")?;
            continue;
        }
        // What is indented, or between fences, would be compiled as an example.
        let indent = match line.starts_with(char::is_whitespace) {
            true => "  ",
            false => "",
        };
        let fence = match text.starts_with("```") || text.starts_with("~~~") {
            true => "\\",
            false => "",
        };
        write!(out, "{begin} {indent}{fence}")?;
        for letter in text.chars() {
            // The compiler refuses text that changes its direction, and returns within a line.
            out.write_char(match letter {
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
                letter if letter.is_control() => ' ',
                letter => letter,
            })?;
        }
        out.write_str("\n")?;
    }
    Ok(any)
}

/// What is known about the types of a definition. Structures are known by the entries of their
/// lists.
struct Generator<'a> {
    definition: Definition<'a>,
    /// Types that would be in themselves, where there may be none.
    within: Entries,
    /// Structures with type parameters.
    open: Entries,
    /// Structures with a lifetime.
    borrowing: Entries,
    /// Whether `Raw` was written.
    raw: Cell<bool>,
}

/// What the type parameters and lifetimes of a struct are.
#[derive(Clone, Copy)]
enum As {
    /// What was received, and is borrowed for this lifetime.
    Received(&'static str),
    /// The struct's own type parameter, and the lifetime `'a`.
    Own(usize),
}

impl<'a> Generator<'a> {
    /// Finds out what the types need.
    fn new(definition: Definition<'a>) -> Self {
        let mut this = Generator {
            definition,
            within: Entries::NONE,
            open: Entries::NONE,
            borrowing: Entries::NONE,
            raw: Cell::new(false),
        };
        for list in this.lists() {
            for field in this.fields(list) {
                if let Shape {
                    nullable: true,
                    leaf,
                } = this.shape(field)
                    && let Leaf::Struct(inner) = leaf
                    && this.contains(inner, list)
                {
                    // (Behind the field's name, and `?`.)
                    this.within.add(field.saturating_add(2));
                }
            }
        }
        // Until no structure is found any more that contains one of these.
        let mut more = true;
        while more {
            more = false;
            for list in this.lists().rev() {
                if !this.open.has(list) && this.shapes(list).any(|shape| this.is_open(shape.leaf)) {
                    more |= this.open.add(list);
                }
            }
        }
        let mut more = true;
        while more {
            more = false;
            for list in this.lists().rev() {
                let borrows = |shape: Shape| !this.is_open(shape.leaf) && this.borrows(shape.leaf);
                if !this.borrowing.has(list) && this.shapes(list).any(borrows) {
                    more |= this.borrowing.add(list);
                }
            }
        }
        this
    }

    fn kind(&self, index: u16) -> K {
        self.definition.entry(index).kind
    }

    /// The structures, by the entries of their lists.
    fn lists(&self) -> impl DoubleEndedIterator<Item = u16> + use<'a> {
        let definition = self.definition;
        let count = u16::try_from(definition.entries.len()).unwrap_or(u16::MAX);
        (0..count).filter(move |index| definition.entry(*index).kind == K::Struct)
    }

    /// The fields of a structure, or the values of an enumeration.
    fn fields(&self, list: u16) -> impl Iterator<Item = u16> + Clone + use<'a> {
        let definition = self.definition;
        let first = list.saturating_add(1);
        iter::successors(Some(first), move |index| {
            Some(definition.entry(*index).next)
        })
        .take(definition.entry(list).link.into())
    }

    fn shapes(&self, list: u16) -> impl Iterator<Item = Shape> {
        self.fields(list).map(|field| self.shape(field))
    }

    /// The fields that are type parameters.
    fn open_shapes(&self, list: u16) -> impl Iterator<Item = Shape> {
        self.shapes(list).filter(|shape| self.is_open(shape.leaf))
    }

    fn shape(&self, field: u16) -> Shape {
        let mut ty = field.saturating_add(1);
        let nullable = self.kind(ty) == K::Nullable;
        if nullable {
            ty = ty.saturating_add(1);
        }
        let leaf = match self.kind(ty) {
            K::Bool => Leaf::Plain("bool"),
            K::Int => Leaf::Plain("i64"),
            K::Float => Leaf::Plain("f64"),
            K::String => Leaf::String,
            K::Array | K::Map => Leaf::Endless,
            _ if self.within.has(ty) => Leaf::Endless,
            K::Reference => {
                let list = self.definition.entry(ty).link.saturating_add(1);
                match self.kind(list) {
                    K::Enum => Leaf::Enum(list),
                    _ => Leaf::Struct(list),
                }
            }
            K::Enum => Leaf::Enum(ty),
            K::Struct if self.is_empty(ty) => Leaf::Plain("()"),
            K::Struct => Leaf::Struct(ty),
            _ => Leaf::Raw,
        };
        Shape { nullable, leaf }
    }

    fn is_empty(&self, list: u16) -> bool {
        self.definition.entry(list).link == 0
    }

    /// Whether a value of one structure can have a value of the other in it, other than in lists
    /// and maps.
    fn contains(&self, outer: u16, inner: u16) -> bool {
        let (mut seen, mut pending) = (Entries::NONE, Entries::NONE);
        pending.add(outer);
        while let Some(list) = pending.take() {
            if list == inner {
                return true;
            }
            for shape in self.shapes(list) {
                if let Leaf::Struct(list) = shape.leaf
                    && seen.add(list)
                {
                    pending.add(list);
                }
            }
        }
        false
    }

    /// Whether a field is a type parameter.
    fn is_open(&self, leaf: Leaf) -> bool {
        match leaf {
            Leaf::Endless => true,
            Leaf::Struct(list) => self.open.has(list),
            _ => false,
        }
    }

    /// Whether a received value has a lifetime.
    fn borrows(&self, leaf: Leaf) -> bool {
        match leaf {
            Leaf::Plain(_) | Leaf::Enum(_) => false,
            Leaf::String | Leaf::Raw | Leaf::Endless => true,
            Leaf::Struct(list) => self.open.has(list) || self.borrowing.has(list),
        }
    }

    /// Whether serde has to be told that a field borrows: it sees it of strings.
    fn is_told(&self, leaf: Leaf, of: As) -> bool {
        match (leaf, of) {
            (Leaf::String, _) => false,
            (leaf, As::Own(_)) => !self.is_open(leaf) && self.borrows(leaf),
            (leaf, As::Received(_)) => self.borrows(leaf),
        }
    }

    // Names.

    /// Whether a member is a type of the module: an error is not.
    fn is_item(&self, member: Member<'a>) -> bool {
        member.kind() != MemberKind::Error
    }

    /// The member that an entry belongs to.
    fn member(&self, index: u16) -> Member<'a> {
        let mut members = self.definition.members();
        let found = members.find(|member| self.definition.entry(member.index).next > index);
        found.unwrap_or(self.definition.member_at(0))
    }

    /// Whether a list is what a member stands for. Other types, and what methods return, have
    /// names that are put together.
    fn is_own(&self, list: u16) -> bool {
        let before = self.kind(list.saturating_sub(1));
        matches!(before, K::Type | K::Method | K::Error)
    }

    /// The name of a type within a member, as it would be if there were no others.
    fn composed(&self, member: Member<'a>, list: u16) -> impl Iterator<Item = char> + Clone {
        let output = member.output().index;
        let (root, reply) = match member.kind() {
            MemberKind::Method if list >= output => (output, "Reply"),
            _ => (member.ty().index, ""),
        };
        let definition = self.definition;
        // From field to field, into those that the list is in.
        let mut index = root.saturating_add(1);
        let path = iter::from_fn(move || {
            while index < list {
                let entry = definition.entry(index);
                match entry.kind {
                    K::Field if entry.next <= list => index = entry.next,
                    kind => {
                        let this = index;
                        index = index.saturating_add(1);
                        if kind == K::Field {
                            return Some(definition.name_of(this));
                        }
                    }
                }
            }
            None
        });
        let path = path.flat_map(|name| cased(name, Case::Pascal));
        member.name().chars().chain(reply.chars()).chain(path)
    }

    /// The name of a struct or an enum.
    fn name(&self, f: &mut dyn Write, list: u16) -> fmt::Result {
        let member = self.member(list);
        let base = self.composed(member, list);
        let mut taken = usize::from(RESERVED.iter().any(|name| base.clone().eq(name.chars())));
        if !self.is_own(list) {
            // A name that is put together begins with that of its member: others like it can only
            // be in members whose names it begins with as well.
            let mut begin = heapless::String::<NAME>::new();
            let mut letters = base.clone();
            while let Some(letter) = letters.next()
                && begin.push(letter).is_ok()
            {
                let Some(other) = self.definition.find(&begin) else {
                    continue;
                };
                let whole = letters.clone().next().is_none() && self.is_item(other);
                let same = self.others(other, list, base.clone());
                taken = taken.saturating_add(same).saturating_add(whole.into());
            }
        }
        base.into_iter()
            .try_for_each(|letter| f.write_char(letter))?;
        iter::repeat_n('_', taken).try_for_each(|letter| f.write_char(letter))
    }

    /// How many types of a member, before a list, have the same name that is put together.
    fn others(
        &self,
        member: Member<'a>,
        list: u16,
        name: impl Iterator<Item = char> + Clone,
    ) -> usize {
        let end = self.definition.entry(member.index).next.min(list);
        let others = (member.index..end).filter(|other| match self.kind(*other) {
            K::Struct => !self.is_empty(*other) && !self.is_own(*other),
            K::Enum => !self.is_own(*other),
            _ => false,
        });
        others
            .filter(|other| self.composed(member, *other).eq(name.clone()))
            .count()
    }

    /// How many `_` the name of a field or a value ends with.
    fn underscores(&self, list: u16, field: u16, case: Case) -> usize {
        let name = cased(self.definition.name_of(field), case);
        let unusable = UNUSABLE.iter().any(|word| name.clone().eq(word.chars()));
        let others = self.fields(list).take_while(|other| *other < field);
        let others =
            others.filter(|other| cased(self.definition.name_of(*other), case).eq(name.clone()));
        others.count().saturating_add(unusable.into())
    }

    /// The Rust name of a field or a value.
    fn field_name(&self, f: &mut dyn Write, list: u16, field: u16, case: Case) -> fmt::Result {
        let name = cased(self.definition.name_of(field), case);
        let underscores = self.underscores(list, field, case);
        let keyword = |word: &&str| name.clone().eq(word.chars());
        if underscores == 0 && KEYWORDS.iter().any(keyword) {
            f.write_str("r#")?;
        }
        name.clone().try_for_each(|letter| f.write_char(letter))?;
        iter::repeat_n('_', underscores).try_for_each(|letter| f.write_char(letter))
    }

    /// Whether a rule makes another name of the Rust name than that of the definition.
    fn is_renamed(&self, list: u16, field: u16, own: Case, rule: Rule) -> bool {
        let name = self.definition.name_of(field);
        !cased(name, rule.1).eq(name.chars()) || self.underscores(list, field, own) > 0
    }

    /// The rule with the fewest exceptions.
    fn rule(&self, list: u16) -> Rule {
        let (own, rules) = match self.kind(list) {
            K::Enum => (Case::Pascal, VALUE_RULES),
            _ => (Case::Snake, FIELD_RULES),
        };
        let exceptions = |rule: &Rule| {
            let fields = self.fields(list);
            fields
                .filter(|field| self.is_renamed(list, *field, own, *rule))
                .count()
        };
        // (There are rules.)
        rules
            .into_iter()
            .min_by_key(exceptions)
            .unwrap_or((None, own))
    }

    // Types.

    /// The type of a field.
    fn ty(&self, f: &mut dyn Write, shape: Shape, of: As) -> fmt::Result {
        if !shape.nullable {
            return self.leaf(f, shape.leaf, of, NESTED);
        }
        f.write_str("Option<")?;
        self.leaf(f, shape.leaf, of, NESTED)?;
        f.write_str(">")
    }

    fn leaf(&self, f: &mut dyn Write, leaf: Leaf, of: As, nested: u8) -> fmt::Result {
        let lifetime = match of {
            As::Own(parameter) if self.is_open(leaf) => return self.parameter(f, parameter),
            As::Own(_) => "'a",
            As::Received(lifetime) => lifetime,
        };
        match leaf {
            Leaf::Plain(name) => f.write_str(name),
            Leaf::String => write!(f, "&{lifetime} str"),
            Leaf::Struct(list) if self.borrowing.has(list) => {
                self.name(f, list)?;
                write!(f, "<{lifetime}>")
            }
            Leaf::Struct(list) if self.open.has(list) && nested > 0 => {
                self.name(f, list)?;
                f.write_str("<")?;
                for (number, shape) in self.open_shapes(list).enumerate() {
                    f.write_str(if number == 0 { "" } else { ", " })?;
                    self.leaf(f, shape.leaf, of, nested.saturating_sub(1))?;
                }
                f.write_str(">")
            }
            Leaf::Struct(list) if !self.open.has(list) => self.name(f, list),
            Leaf::Enum(list) => self.name(f, list),
            Leaf::Raw | Leaf::Endless | Leaf::Struct(_) => {
                self.raw.set(true);
                write!(f, "Raw<{lifetime}>")
            }
        }
    }

    /// The name of a struct's type parameter: a letter that is not the name of a type.
    fn parameter(&self, f: &mut dyn Write, number: usize) -> fmt::Result {
        let letters = (0_u16..).flat_map(|round| ('A'..='Z').map(move |letter| (letter, round)));
        let names = letters.filter_map(|(letter, round)| {
            let mut name = heapless::String::<8>::new();
            name.push(letter).ok()?;
            if round > 0 {
                write!(name, "{round}").ok()?;
            }
            let taken = self.definition.find(&name);
            (!taken.is_some_and(|member| self.is_item(member))).then_some(name)
        });
        let name = names.into_iter().nth(number).unwrap_or_default();
        f.write_str(&name)
    }

    /// What the definition says about a type parameter, with the names of Rust.
    fn declared(&self, f: &mut dyn Write, field: u16) -> fmt::Result {
        let mut index = field;
        loop {
            index = index.saturating_add(1);
            f.write_str(match self.kind(index) {
                K::Nullable => "?",
                K::Array => "[]",
                K::Map => "[string]",
                K::Bool => return f.write_str("bool"),
                K::Int => return f.write_str("int"),
                K::Float => return f.write_str("float"),
                K::String => return f.write_str("string"),
                K::Object => return f.write_str("object"),
                K::Any => return f.write_str("any"),
                K::Struct if self.is_empty(index) => return f.write_str("()"),
                K::Reference => {
                    let list = self.definition.entry(index).link.saturating_add(1);
                    return self.name(f, list);
                }
                _ => return self.name(f, index),
            })?;
        }
    }

    // The module.

    fn module(&self, f: &mut dyn Write, path: &dyn Display) -> fmt::Result {
        let name = self.definition.name;
        let module = name.rsplit('.').next().unwrap_or(name);
        let module = show(|f| {
            for (index, part) in module.split('-').enumerate() {
                f.write_str(if index == 0 { "" } else { "_" })?;
                cased(part, Case::Snake).try_for_each(|letter| f.write_char(letter))?;
            }
            Ok(())
        });
        writeln!(
            f,
            "// Generated from the interface {name} by nullink's example `generate`.\n\
             // This is to be generated again, not to be edited:\n\
             //\n\
             //     cargo run --example generate {path} > {module}.rs\n\n\
             //! The interface `{name}`.",
        )?;
        if self.definition.documentation().next().is_some() {
            f.write_str("//!\n")?;
            documentation(f, &"//!", self.definition.documentation())?;
        }
        f.write_str("\n#![allow(dead_code, missing_docs, clippy::all, rustdoc::all)]\n\n")?;
        f.write_str(
            match (self.has(MemberKind::Method), self.has(MemberKind::Error)) {
                (true, true) => "use nullink::client::Method;\n",
                (true, false) => "use nullink::client::{Method, NoError};\n",
                (false, _) => "",
            },
        )?;
        // To see whether there is a `Raw` in it.
        let mut nothing = Out {
            to: None,
            unknown: false,
        };
        self.items_of(&mut nothing, path)?;
        if self.raw.get() {
            f.write_str("use nullink::json::Raw;\n")?;
        }
        f.write_str("use serde::{Deserialize, Serialize};\n")?;
        self.items_of(f, path)
    }

    fn has(&self, kind: MemberKind) -> bool {
        let mut members = self.definition.members();
        members.any(|member| member.kind() == kind)
    }

    fn items_of(&self, f: &mut dyn Write, path: &dyn Display) -> fmt::Result {
        item(f, |out, skip| {
            write!(out, "/// The definition.\n{skip}")?;
            let begin = "pub const INTERFACE: nullink::Interface =";
            out.first(&[
                &format_args!("{begin} nullink::interface!(\"{path}\");\n"),
                &format_args!("{begin}\n    nullink::interface!(\"{path}\");\n"),
            ])
        })?;
        if self.has(MemberKind::Method) {
            item(f, |out, skip| self.methods(out, skip))?;
        }
        if self.has(MemberKind::Error) {
            item(f, |out, skip| self.errors(out, skip))?;
        }
        for member in self.definition.members() {
            let (input, output) = (member.ty().index, member.output().index);
            self.types(f, member, input)?;
            if member.kind() == MemberKind::Method {
                item(f, |out, skip| self.method(out, skip, input, output))?;
                self.types(f, member, output)?;
            }
        }
        Ok(())
    }

    /// A list, and all lists in it, that are types of the module.
    fn types(&self, f: &mut dyn Write, member: Member<'a>, root: u16) -> fmt::Result {
        for list in root..self.definition.entry(root).next {
            let own = self.is_own(list);
            match self.kind(list) {
                // (Errors are variants.)
                K::Struct if own && member.kind() == MemberKind::Error => {}
                K::Struct if !own && self.is_empty(list) => {}
                K::Struct => item(f, |out, skip| self.structure(out, skip, member, list))?,
                K::Enum => item(f, |out, skip| self.enumeration(out, skip, member, list))?,
                _ => {}
            }
        }
        Ok(())
    }

    /// What is written about a type, and what is derived for it.
    fn before(
        &self,
        out: &mut Out<'_>,
        skip: &str,
        (member, list): (Member<'a>, u16),
        eq: &str,
    ) -> fmt::Result {
        if self.is_own(list) {
            documentation(out, &"///", member.documentation())?;
        } else if list == member.output().index {
            writeln!(out, "/// What `{}` returns.", member.name())?;
        }
        writeln!(
            out,
            "{skip}#[derive(Clone, Copy, Debug, PartialEq, {eq}Serialize, Deserialize)]"
        )?;
        match self.rule(list).0 {
            Some(rule) => writeln!(out, "#[serde(rename_all = \"{rule}\")]"),
            None => Ok(()),
        }
    }

    fn structure(
        &self,
        out: &mut Out<'_>,
        skip: &str,
        member: Member<'a>,
        list: u16,
    ) -> fmt::Result {
        self.before(out, skip, (member, list), "")?;
        let name = show(|f| self.name(f, list));
        if self.is_empty(list) {
            let end = match member.kind() {
                MemberKind::Method => ";",
                _ => " {}",
            };
            // (From 98 characters on, what rustfmt does with `{}` is a science of its own.)
            out.unknown |= width(&name) > 80;
            return writeln!(out, "pub struct {name}{end}");
        }
        let parameters = |f: &mut fmt::Formatter<'_>, begin: &str, between: &str| {
            let borrowing = self.borrowing.has(list);
            let mut begin = begin;
            if borrowing {
                write!(f, "{begin}'a")?;
                begin = between;
            }
            for (number, shape) in self.open_shapes(list).enumerate() {
                f.write_str(core::mem::replace(&mut begin, between))?;
                self.parameter(f, number)?;
                if borrowing {
                    f.write_str(" = ")?;
                    self.leaf(f, shape.leaf, As::Received("'a"), NESTED)?;
                }
            }
            Ok(())
        };
        if self.borrowing.has(list) || self.open.has(list) {
            let short = show(|f| parameters(f, "", ", "));
            let long = show(|f| parameters(f, "    ", ",\n    "));
            out.first(&[
                &format_args!("pub struct {name}<{short}> {{\n"),
                &format_args!("pub struct {name}<{short}>\n{{\n"),
                &format_args!("pub struct {name}<\n{long},\n> {{\n"),
            ])?;
        } else {
            out.first(&[
                &format_args!("pub struct {name} {{\n"),
                &format_args!("pub struct {name}\n{{\n"),
            ])?;
        }
        self.struct_fields(out, list, ("    ", "pub "), As::Own(0))?;
        out.write_str("}\n")
    }

    /// The fields of a structure, each on a line of its own.
    fn struct_fields(
        &self,
        out: &mut Out<'_>,
        list: u16,
        (indent, visible): (&str, &str),
        of: As,
    ) -> fmt::Result {
        let rule = self.rule(list);
        let mut of = of;
        for field in self.fields(list) {
            let shape = self.shape(field);
            let open = self.is_open(shape.leaf);
            let comment = show(|f| write!(f, "{indent}///"));
            let lines = self.documentation(field);
            let documented = documentation(out, &comment, lines)?;
            if open {
                if documented {
                    writeln!(out, "{comment}")?;
                }
                writeln!(out, "{comment} `{}`", show(|f| self.declared(f, field)))?;
            }
            let renamed = self.is_renamed(list, field, Case::Snake, rule);
            let renamed = renamed.then(|| self.definition.name_of(field));
            // (In front of a field, rustfmt leaves one character free.)
            let place = (indent, WIDTH.saturating_sub(1));
            attribute(out, place, self.is_told(shape.leaf, of), renamed)?;
            let name = show(|f| self.field_name(f, list, field, Case::Snake));
            let ty = show(|f| self.ty(f, shape, of));
            let break_ = show(|f| write!(f, "{indent}{visible}{name}:\n{indent}    {ty},\n"));
            out.first(&[&format_args!("{indent}{visible}{name}: {ty},\n"), &break_])?;
            if let As::Own(number) = &mut of {
                *number = number.saturating_add(open.into());
            }
        }
        Ok(())
    }

    fn enumeration(
        &self,
        out: &mut Out<'_>,
        skip: &str,
        member: Member<'a>,
        list: u16,
    ) -> fmt::Result {
        self.before(out, skip, (member, list), "Eq, ")?;
        let name = show(|f| self.name(f, list));
        out.first(&[
            &format_args!("pub enum {name} {{\n"),
            &format_args!("pub enum {name}\n{{\n"),
        ])?;
        let rule = self.rule(list);
        for value in self.fields(list) {
            documentation(out, &"    ///", self.documentation(value))?;
            let renamed = self.is_renamed(list, value, Case::Pascal, rule);
            let renamed = renamed.then(|| self.definition.name_of(value));
            attribute(out, ("    ", WIDTH), false, renamed)?;
            out.write_str("    ")?;
            self.field_name(out, list, value, Case::Pascal)?;
            out.write_str(",\n")?;
        }
        out.write_str("}\n")
    }

    /// The methods, for a service's dispatch.
    fn methods(&self, out: &mut Out<'_>, skip: &str) -> fmt::Result {
        let methods = || {
            let members = self.definition.members();
            members.filter(|member| member.kind() == MemberKind::Method)
        };
        let borrows = |method: &Member<'a>| self.borrows(Leaf::Struct(method.ty().index));
        let lifetime = match methods().any(|method| borrows(&method)) {
            true => "<'a>",
            false => "",
        };
        writeln!(
            out,
            "/// The methods, as they are called: what a service dispatches to.\n\
             {skip}#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]\n\
             pub enum Methods{lifetime} {{",
        )?;
        for method in methods() {
            let (name, list) = (variant(method), method.ty().index);
            let renamed = (name != method.name()).then(|| method.name());
            attribute(out, ("    ", WIDTH), borrows(&method), renamed)?;
            if self.is_empty(list) {
                writeln!(out, "    {name},")?;
                continue;
            }
            let of = As::Received("'a");
            let ty = show(|f| self.leaf(f, Leaf::Struct(list), of, NESTED));
            out.first(&[
                &format_args!("    {name}({ty}),\n"),
                &format_args!("    {name}(\n        {ty},\n    ),\n"),
                &show(|f| {
                    write!(f, "    {name}(\n        ")?;
                    self.tall(f, list, "'a", "        ")?;
                    f.write_str(",\n    ),\n")
                }),
            ])?;
        }
        out.write_str("}\n")
    }

    /// A received type, with each of its arguments on a line of its own.
    fn tall(
        &self,
        f: &mut dyn Write,
        list: u16,
        lifetime: &'static str,
        indent: &str,
    ) -> fmt::Result {
        self.name(f, list)?;
        f.write_str("<\n")?;
        if self.borrowing.has(list) {
            writeln!(f, "{indent}    {lifetime},")?;
        } else {
            for shape in self.open_shapes(list) {
                write!(f, "{indent}    ")?;
                let nested = NESTED.saturating_sub(1);
                self.leaf(f, shape.leaf, As::Received(lifetime), nested)?;
                f.write_str(",\n")?;
            }
        }
        write!(f, "{indent}>")
    }

    /// The errors.
    fn errors(&self, out: &mut Out<'_>, skip: &str) -> fmt::Result {
        let errors = || {
            let members = self.definition.members();
            members.filter(|member| member.kind() == MemberKind::Error)
        };
        writeln!(
            out,
            "/// The errors.\n\
             {skip}#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]\n\
             pub enum Error{} {{",
            self.error_lifetime("<'a>"),
        )?;
        // If some variants are on one line and others are not, then rustfmt has none with fields
        // on one line.
        let on_lines = |error: &Member<'a>| {
            error.documentation().next().is_some()
                || self.has_attribute(*error)
                || !self.fits_variant(*error)
        };
        let mixed = errors().any(|error| on_lines(&error)) && !errors().all(|e| on_lines(&e));
        for error in errors() {
            let (name, list) = (variant(error), error.ty().index);
            documentation(out, &"    ///", error.documentation())?;
            if self.has_attribute(error) {
                let name = (name != error.name()).then(|| error.name());
                let name = name.map(|name| ("rename", name));
                let rule = self.rule(list).0.map(|rule| ("rename_all", rule));
                out.write_str("    #[serde(")?;
                for (index, (key, value)) in name.into_iter().chain(rule).enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(out, "{comma}{key} = \"{value}\"")?;
                }
                out.write_str(")]\n")?;
            }
            if self.is_empty(list) {
                writeln!(out, "    {name},")?;
            } else if self.fits_variant(error) && !mixed {
                writeln!(out, "    {name} {{ {} }},", show(|f| self.in_line(f, list)))?;
            } else {
                out.first(&[&format_args!("    {name} {{\n")])?;
                self.struct_fields(out, list, ("        ", ""), As::Received("'a"))?;
                out.write_str("    },\n")?;
            }
        }
        out.write_str("}\n")
    }

    /// What is behind the name of the errors' enum, if it has a lifetime.
    fn error_lifetime(&self, lifetime: &'static str) -> &'static str {
        let members = self.definition.members();
        let mut errors = members.filter(|member| member.kind() == MemberKind::Error);
        let borrow = errors.any(|error| {
            let mut shapes = self.shapes(error.ty().index);
            shapes.any(|shape| self.borrows(shape.leaf))
        });
        if borrow { lifetime } else { "" }
    }

    /// Whether the variant of an error has an attribute.
    fn has_attribute(&self, error: Member<'a>) -> bool {
        variant(error) != error.name() || self.rule(error.ty().index).0.is_some()
    }

    /// Whether rustfmt leaves the variant of an error on one line.
    fn fits_variant(&self, error: Member<'a>) -> bool {
        let list = error.ty().index;
        if self.is_empty(list) {
            return true;
        }
        let rule = self.rule(list);
        let bare = self.fields(list).all(|field| {
            let leaf = self.shape(field).leaf;
            !self.is_open(leaf)
                && !self.is_told(leaf, As::Received("'a"))
                && !self.is_renamed(list, field, Case::Snake, rule)
                && self.documentation(field).next().is_none()
        });
        let fields = width(&show(|f| self.in_line(f, list)));
        let all = fields
            .saturating_add(variant(error).len())
            .saturating_add(8);
        bare && fields <= FIELDS_WIDTH && all <= WIDTH
    }

    /// The fields of an error on one line.
    fn in_line(&self, f: &mut dyn Write, list: u16) -> fmt::Result {
        for (index, field) in self.fields(list).enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            self.field_name(f, list, field, Case::Snake)?;
            f.write_str(": ")?;
            self.ty(f, self.shape(field), As::Received("'a"))?;
        }
        Ok(())
    }

    /// What makes a struct a typed call.
    fn method(&self, out: &mut Out<'_>, skip: &str, input: u16, output: u16) -> fmt::Result {
        out.write_str(skip)?;
        let name = show(|f| self.name(f, input));
        let parameters = |f: &mut fmt::Formatter<'_>, begin: &str, between: &str, end: &str| {
            for (number, _) in self.open_shapes(input).enumerate() {
                f.write_str(if number == 0 { begin } else { between })?;
                self.parameter(f, number)?;
                f.write_str(end)?;
            }
            Ok(())
        };
        let arguments = show(
            |f| match (self.borrowing.has(input), self.open.has(input)) {
                (false, false) => Ok(()),
                (true, false) => f.write_str("<'_>"),
                (true, true) => {
                    f.write_str("<'_, ")?;
                    parameters(f, "", ", ", "")?;
                    f.write_str(">")
                }
                (false, true) => {
                    f.write_str("<")?;
                    parameters(f, "", ", ", "")?;
                    f.write_str(">")
                }
            },
        );
        let short = show(|f| parameters(f, "", ", ", ": Serialize"));
        let short = show(|f| match self.open.has(input) {
            true => write!(f, "<{short}>"),
            false => Ok(()),
        });
        let long = show(|f| parameters(f, "    ", ",\n    ", ": Serialize"));
        let line = show(|f| writeln!(f, "impl{short} Method for {name}{arguments} {{"));
        let lines = show(|f| writeln!(f, "impl{short} Method\n    for {name}{arguments}\n{{"));
        let tall = show(|f| writeln!(f, "impl<\n{long},\n> Method for {name}{arguments}\n{{"));
        match self.open.has(input) {
            true => out.first(&[&line, &lines, &tall])?,
            false => out.first(&[&line, &lines])?,
        }

        let member = self.member(input);
        let full = show(|f| write!(f, "\"{}.{}\"", self.definition.name, member.name()));
        let begin = "    const NAME: &'static str =";
        // (A string that does not fit anywhere stays where it is.)
        let on_line = |indent: usize| width(&full).saturating_add(indent) < WIDTH;
        match on_line(begin.len().saturating_add(1)) || !on_line(8) {
            true => writeln!(out, "{begin} {full};")?,
            false => writeln!(out, "{begin}\n        {full};")?,
        }

        let ty = show(|f| match self.is_empty(output) {
            true => f.write_str("()"),
            false => self.leaf(f, Leaf::Struct(output), As::Received("'r"), NESTED),
        });
        let begin = "    type Output<'r> =";
        out.first(&[
            &format_args!("{begin} {ty};\n"),
            &format_args!("{begin}\n        {ty};\n"),
            &show(|f| {
                write!(f, "{begin} ")?;
                self.tall(f, output, "'r", "    ")?;
                f.write_str(";\n")
            }),
        ])?;

        match self.has(MemberKind::Error) {
            true => writeln!(
                out,
                "    type Error<'r> = Error{};",
                self.error_lifetime("<'r>")
            )?,
            false => writeln!(out, "    type Error<'r> = NoError;")?,
        }
        out.write_str("}\n")
    }

    /// What is written about a field or a value.
    fn documentation(&self, field: u16) -> Documentation<'a> {
        let at = self.definition.entry(field).at;
        Documentation::before(self.definition.text, at as usize)
    }
}

/// The name of a method or an error as a variant of an enum.
fn variant<'a>(member: Member<'a>) -> &'a str {
    match member.name() {
        "Self" => "Self_",
        name => name,
    }
}

/// What serde is told about a field or a variant, with so much room on a line.
fn attribute(
    out: &mut Out<'_>,
    (indent, fits): (&str, usize),
    borrow: bool,
    renamed: Option<&str>,
) -> fmt::Result {
    let Some(name) = renamed else {
        return match borrow {
            true => writeln!(out, "{indent}#[serde(borrow)]"),
            false => Ok(()),
        };
    };
    let (before, line) = match borrow {
        true => ("borrow, ", name.len() <= ATTRIBUTE_WIDTH),
        // The rest of such a line is 21 characters.
        false => (
            "",
            name.len().saturating_add(indent.len()).saturating_add(21) <= fits,
        ),
    };
    if line {
        return writeln!(out, "{indent}#[serde({before}rename = \"{name}\")]");
    }
    writeln!(out, "{indent}#[serde(")?;
    if borrow {
        writeln!(out, "{indent}    borrow,")?;
    }
    writeln!(out, "{indent}    rename = \"{name}\"\n{indent})]")
}
