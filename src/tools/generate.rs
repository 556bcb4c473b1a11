//! Generates Rust from a definition: a module with types, methods and errors, to commit.

use std::format;
use std::ops::Range;
use std::string::{String, ToString};
use std::vec::Vec;

use super::names::{Case, Declaration, is_empty, module, rust_names, variant};
use super::shapes::{Shape, Shapes};
use crate::idl::{Definition, Field, Member, MemberKind, Type, TypeKind};

/// The beginning of each module, after its documentation. The attributes disable rustfmt and lints.
const HEAD: &str = "
#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(dead_code, unused_imports, missing_docs, clippy::all, rustdoc::all)]

use nullink::{Method, NoError};
use serde::{Deserialize, Serialize};
";

/// The import of a module whose types borrow.
const BORROWED: &str = "use nullink::json::Raw;\n";

/// The imports of a module with owned types.
const OWNED: &str = "use std::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};\n";

/// The owned type of `object` and `any`. It has a module because the names of the definition can hide
/// those that it uses.
const JSON: &str = "
pub use json::Json;

mod json {
    use nullink::json::Raw;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};

    /// Any JSON, as text.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Json(pub String);

    impl Serialize for Json {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            Raw::new(&self.0).map_err(Error::custom)?.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Json {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Raw::deserialize(deserializer).map(|raw| Json(raw.as_str().into()))
        }
    }
}
";

/// Generates a Rust module from a definition: the types, methods and errors of the interface, for
/// services and clients.
///
/// `path` is the path from the module to the file of the definition, such as
/// `org.example.ftl.varlink` if both are in the same directory. If `owned`, the types are for a
/// program with std: they have no lifetimes, and strings, lists and maps have any length.
///
/// | definition | Rust | Rust, if `owned` |
/// |---|---|---|
/// | the interface | `INTERFACE`: an [`Interface`](crate::Interface), unless [`interface!`](crate::interface) refuses the definition | |
/// | a structure, an enumeration | a struct, an enum; one without a name is named after the path to it | |
/// | `bool`, `int`, `float` | `bool`, `i64`, `f64` | |
/// | `string` | `&str` | `String` |
/// | `object`, `any` | [`Raw`](crate::json::Raw) | the struct `Json`, with the text |
/// | `?` | `Option` | |
/// | `[]`, `[string]` | a type parameter | `Vec`, `BTreeMap` |
/// | a type within itself | a type parameter | `Box` |
/// | a method | a struct of its parameters, which implements [`Method`](crate::Method), and a struct of its reply, or `()` if the reply is empty | |
/// | `# [Requires 'more' flag]` | [`Method::REQUIRES_MORE`](crate::Method::REQUIRES_MORE), and the same for `upgrade` | |
/// | all methods | the enum `Methods`, for [`Call::decode`](crate::Call::decode) | |
/// | all errors | the enum `Error` | |
///
/// **Structs** have a constructor `new` with the mandatory fields, or `Default` if all fields are
/// nullable. With these, a program compiles with a new version of the definition, which may only
/// add nullable fields: `Jump { speed: Some(1), ..Jump::new("Caprica") }`.
///
/// **Enumerations** that a client can receive have the variant `Other` for a value of a newer
/// service. Without it, one unknown value would lose the whole reply. `Other` can't be sent. If the
/// name is taken, it is `Other_`.
///
/// **Lists and maps** have no Rust type without `owned`, because their length is unknown and there is no
/// allocator. A field with a list or a map is a type parameter of its struct. In a received value,
/// the parameter is `Raw`. Decode it from a copy
/// ([`Raw::decode_in`](crate::json::Raw::decode_in)), element by element as a
/// [`Value`](crate::json::Value). In a value to send, the parameter is any type that serde
/// can serialize, such as a slice, or a [`List`](crate::json::List) or a
/// [`Map`](crate::json::Map) of any iterator. A type within itself and a structure with a type
/// parameter are type parameters, too. If a field is an `Option` of a type parameter, its `None`
/// needs a type: `None::<Raw>`, or `..Jump::<Raw>::default()` for all that are left out. In the parameters of errors, the type is always `Raw`.
///
/// A keyword has the prefix `r#` where Rust allows it. Other keywords and names that are taken end
/// in `_`. Serde attributes keep the names of the definition on the wire. rustfmt does not change
/// the module.
///
/// ```
/// use nullink::{Interface, interface, tools};
///
/// const HOSTS: Interface = interface!(text "
/// interface org.example.hosts
///
/// ## A host, and what it is called
/// type Host (address: string, aliases: []string)
///
/// method Find(name: string) -> (host: Host)
/// ");
/// let module = tools::generate(&HOSTS, "org.example.hosts.varlink", false);
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
pub fn generate(definition: &Definition<'_>, path: &str, owned: bool) -> String {
    let path = path.escape_debug().to_string();
    let (name, module) = (definition.name(), module(definition.name()));
    let option = if owned { "--owned " } else { "" };
    // The path from the module, if it is not the name of the file: see the example.
    let again = path.contains('/').then(|| format!(" {path}"));
    let again = again.unwrap_or_default();
    let shapes = Shapes::new(*definition, owned);
    let mut module = Module {
        shapes: &shapes,
        out: format!(
            "// Generated from the interface {name} by nullink's example `generate`. Do not edit it.\n\
             // To generate it again, in this directory, with a clone of nullink in NULLINK:\n\
             //\n\
             //     cargo run --manifest-path NULLINK/Cargo.toml --features tools --example generate \
             -- {option}{path}{again} > {module}.rs\n\n\
             //! The interface `{name}`.\n",
        ),
    };
    if definition.documentation().next().is_some() {
        module.line("//!");
        module.documentation("//!", definition.documentation());
    }
    module.out += HEAD;
    module.out += if owned { OWNED } else { BORROWED };
    match definition.refusal() {
        None => {
            let interface = format!("nullink::Interface = nullink::interface!(\"{path}\")");
            module.line("\n/// The definition.");
            module.line(&format!("pub const INTERFACE: {interface};"));
        }
        Some(error) => {
            module
                .line("\n// There is no INTERFACE: `nullink::interface!` refuses the definition.");
            module.line(&format!("// {error}"));
        }
    }
    let mut types = definition.members().flat_map(|member| member.types());
    if owned && types.any(|ty| ty.is_json()) {
        module.out += JSON;
    }
    module.methods();
    module.errors();
    for member in definition.members() {
        let (start, reply) = (member.index(), member.output().index);
        let end = definition.entry(start).next;
        let declared = |entries| shapes.declarations.range::<u16, Range<u16>>(entries);
        declared(start..reply).for_each(|(_, item)| module.declaration(item));
        if member.kind() == MemberKind::Method {
            module.method(member);
        }
        declared(reply..end).for_each(|(_, item)| module.declaration(item));
    }
    module.out
}

/// A field of a struct, or of a variant.
struct RustField<'a> {
    field: Field<'a>,
    name: String,
    /// The name for serde's `rename`, if it differs.
    renamed: Option<&'a str>,
    /// True if it is an `Option`.
    nullable: bool,
    /// True if its type depends on a type parameter.
    open: bool,
    /// True if serde must be told that it borrows.
    borrow: bool,
    /// The type, without the `Option`.
    ty: String,
}

struct Module<'s, 'a> {
    shapes: &'s Shapes<'a>,
    out: String,
}

impl<'a> Module<'_, 'a> {
    fn line(&mut self, line: &str) {
        self.out += line;
        self.out.push('\n');
    }

    fn members(&self, kind: MemberKind) -> impl Iterator<Item = Member<'a>> + use<'a> {
        let members = self.shapes.definition.members();
        members.filter(move |member| member.kind() == kind)
    }

    /// Writes documentation of the definition as Rust documentation.
    fn documentation(&mut self, begin: &str, lines: impl Iterator<Item = &'a str>) {
        for line in lines {
            let text = line.trim_matches(|c: char| c.is_whitespace() || c.is_control());
            // rustdoc would compile more deeply indented or fenced lines as an example.
            let indented = line.starts_with(char::is_whitespace);
            let fenced = text.starts_with("```") || text.starts_with("~~~");
            let indent = if indented { "  " } else { "" };
            let fence = if fenced { "\\" } else { "" };
            // The compiler refuses characters that change the text direction, and carriage returns
            // inside a line.
            let is_bidi = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let text = text.replace(is_bidi, "\u{fffd}");
            let text = text.replace(char::is_control, " ");
            self.line(format!("{begin} {indent}{fence}{text}").trim_end());
        }
    }

    /// Writes an attribute for serde, if it is needed.
    fn serde(&mut self, indent: &str, borrow: bool, renamed: Option<&str>) {
        let attribute = match (borrow, renamed) {
            (false, None) => return,
            (true, None) => "borrow".to_string(),
            (false, Some(name)) => format!("rename = \"{name}\""),
            (true, Some(name)) => format!("borrow, rename = \"{name}\""),
        };
        self.line(&format!("{indent}#[serde({attribute})]"));
    }

    /// Writes a structure or an enumeration.
    fn declaration(&mut self, item: &Declaration<'a>) {
        if item.is_error() {
            return;
        }
        self.out.push('\n');
        if item.is_own() {
            self.documentation("///", item.member.documentation());
        } else if item.ty.index == item.member.output().index {
            self.line(&format!("/// The reply of `{}`.", item.member.name()));
        }
        if matches!(item.ty.kind(), TypeKind::Enum) {
            self.enumeration(item);
        } else {
            self.structure(item);
        }
    }

    fn enumeration(&mut self, item: &Declaration<'a>) {
        let values = item.ty.values();
        // The name of the last one depends on the others.
        let names = values.clone().map(|value| value.name()).chain(["Other"]);
        let mut names = rust_names(names, Case::Pascal);
        self.line("#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]");
        self.line(&format!("pub enum {} {{", item.name));
        for (value, (name, renamed)) in values.zip(&mut names) {
            self.documentation("    ///", value.documentation());
            self.serde("    ", false, renamed);
            self.line(&format!("    {name},"));
        }
        if let Some((other, _)) = names.next().filter(|_| self.shapes.is_received(item.ty)) {
            self.line(
                "    /// A received value that the definition does not have. It can't be sent.",
            );
            self.line("    #[serde(other, skip_serializing)]");
            self.line(&format!("    {other},"));
        }
        self.line("}");
    }

    /// Writes the attribute that derives traits, with the given ones in addition.
    fn derive(&mut self, traits: &str) {
        let copy = if self.shapes.owned { "" } else { "Copy, " };
        self.line(&format!("#[derive(Clone, {copy}Debug, {traits})]"));
    }

    fn structure(&mut self, item: &Declaration<'a>) {
        let [declared, named, ..] = self.shapes.parameters(item.ty);
        let fields = self.rust_fields(item.ty, true);
        let has_default = fields.iter().all(|field| field.nullable);
        // `derive` would demand that the type parameters have a default.
        let derived = has_default && !fields.iter().any(|field| field.open);
        let default = if derived { "Default, " } else { "" };
        self.derive(&format!("{default}PartialEq, Serialize, Deserialize"));
        self.out = format!("{}pub struct {}{declared}", self.out, item.name);
        if is_empty(item.ty) {
            // A call without parameters is a unit struct: its value is only its name.
            let is_call = item.member.kind() == MemberKind::Method;
            return self.line(if is_call { ";" } else { " {}" });
        }
        self.line(" {");
        self.fields(&fields, "    ", "pub ");
        self.line("}");
        let ty = format!("{}{named}", item.name);
        if !has_default {
            let mandatory = fields.iter().filter(|field| !field.nullable);
            let parameters = mandatory.map(|field| format!("{}: {}", field.name, field.ty));
            let parameters: Vec<_> = parameters.collect();
            self.line(&format!("\nimpl{named} {ty} {{"));
            self.line(if parameters.len() == fields.len() {
                "    /// Returns a value with all fields."
            } else {
                "    /// Returns a value with the mandatory fields. The others are `None`."
            });
            self.line(&format!(
                "    pub const fn new({}) -> Self {{",
                parameters.join(", ")
            ));
            self.value(&fields);
            self.line("    }\n}");
        } else if !derived {
            self.line(&format!(
                "\nimpl{named} ::core::default::Default for {ty} {{"
            ));
            self.line("    fn default() -> Self {");
            self.value(&fields);
            self.line("    }\n}");
        }
    }

    /// Writes a value of a structure, with variables for its mandatory fields.
    fn value(&mut self, fields: &[RustField<'a>]) {
        let values = fields.iter().map(|field| {
            let none = if field.nullable { ": Option::None" } else { "" };
            format!("{}{none}", field.name)
        });
        let values: Vec<_> = values.collect();
        self.line(&format!("        Self {{ {} }}", values.join(", ")));
    }

    /// Returns the fields of a structure. If `own`, open fields have its type parameters as types,
    /// else the types of received values.
    fn rust_fields(&self, list: Type<'a>, own: bool) -> Vec<RustField<'a>> {
        let shapes = self.shapes;
        let names = rust_names(list.fields().map(|field| field.name()), Case::Snake);
        let mut parameters = shapes.parameter_names();
        let fields = list.fields().zip(names).map(|(field, (name, renamed))| {
            let (nullable, shape) = shapes.shape(field);
            let open = shapes.is_open(shape);
            let (borrow, ty) = if shapes.owned {
                (false, shapes.owned(field))
            } else if own && open {
                (false, parameters.next().unwrap_or_default())
            } else {
                // Serde borrows a `&str` without an attribute.
                let borrow = shapes.borrows(shape) && !matches!(shape, Shape::String);
                (borrow, shapes.received(shape, "'a"))
            };
            RustField {
                field,
                name,
                renamed,
                nullable,
                open,
                borrow,
                ty,
            }
        });
        fields.collect()
    }

    /// Writes the fields of a structure.
    fn fields(&mut self, fields: &[RustField<'a>], indent: &str, visible: &str) {
        for RustField {
            field,
            name,
            renamed,
            nullable,
            open,
            borrow,
            ty,
        } in fields
        {
            let comment = format!("{indent}///");
            self.documentation(&comment, field.documentation());
            if *open && field.documentation().next().is_some() {
                self.line(&comment);
            }
            if *open {
                let declared = self.shapes.declared(field.ty());
                self.line(&format!("{comment} `{declared}`"));
            }
            self.serde(indent, *borrow, *renamed);
            let (option, end) = if *nullable {
                ("Option<", ">")
            } else {
                ("", "")
            };
            self.line(&format!("{indent}{visible}{name}: {option}{ty}{end},"));
        }
    }

    /// Writes the enum of the methods, which a service dispatches on.
    fn methods(&mut self) {
        let shapes = self.shapes;
        let borrows = |method: &Member<'a>| shapes.borrows(Shape::Struct(method.input()));
        let methods: Vec<_> = self.members(MemberKind::Method).collect();
        if methods.is_empty() {
            return;
        }
        let borrowing = methods.iter().any(borrows);
        let lifetime = if borrowing { "<'a>" } else { "" };
        self.line("\n/// The methods with their parameters: a service decodes its calls as these.");
        self.derive("PartialEq, Deserialize");
        self.line(&format!("pub enum Methods{lifetime} {{"));
        for method in methods {
            let (name, renamed) = variant(method);
            self.serde("    ", borrows(&method), renamed);
            let ty = shapes.received(Shape::Struct(method.input()), "'a");
            if is_empty(method.input()) {
                self.line(&format!("    {name},"));
            } else {
                self.line(&format!("    {name}({ty}),"));
            }
        }
        self.line("}");
    }

    /// Writes the enum of the errors.
    fn errors(&mut self) {
        let errors: Vec<_> = self.members(MemberKind::Error).collect();
        if errors.is_empty() {
            return;
        }
        self.line("\n/// The errors.");
        self.derive("PartialEq, Serialize, Deserialize");
        self.line(&format!("pub enum Error{} {{", self.error_lifetime("<'a>")));
        for error in errors {
            let (name, renamed) = variant(error);
            self.documentation("    ///", error.documentation());
            self.serde("    ", false, renamed);
            if is_empty(error.input()) {
                self.line(&format!("    {name},"));
            } else {
                self.line(&format!("    {name} {{"));
                let fields = self.rust_fields(error.input(), false);
                self.fields(&fields, "        ", "");
                self.line("    },");
            }
        }
        self.line("}");
    }

    /// Returns `lifetime` if the enum of the errors has one, else an empty string.
    fn error_lifetime(&self, lifetime: &'static str) -> &'static str {
        let errors = self.members(MemberKind::Error);
        let mut fields = errors.flat_map(|error| error.input().fields());
        let borrows = fields.any(|field| self.shapes.borrows(self.shapes.shape(field).1));
        if borrows { lifetime } else { "" }
    }

    /// Writes the implementation of `Method`, which makes a struct a typed call.
    fn method(&mut self, method: Member<'a>) {
        let struct_name = self.shapes.name(method.input());
        let [_, _, used, bound] = self.shapes.parameters(method.input());
        let output = self.shapes.received(Shape::Struct(method.output()), "'r");
        let error = match self.members(MemberKind::Error).next() {
            Some(_) => format!("Error{}", self.error_lifetime("<'r>")),
            None => "NoError".to_string(),
        };
        let (interface, name) = (self.shapes.definition.name(), method.name());
        let mut flags = String::new();
        if method.requires_more() {
            flags += "\n    const REQUIRES_MORE: bool = true;";
        }
        if method.requires_upgrade() {
            flags += "\n    const REQUIRES_UPGRADE: bool = true;";
        }
        self.line(&format!(
            "\nimpl{bound} Method for {struct_name}{used} {{\n    \
                 const NAME: &'static str = \"{interface}.{name}\";{flags}\n    \
                 type Output<'r> = {output};\n    \
                 type Error<'r> = {error};\n\
             }}"
        ));
    }
}
