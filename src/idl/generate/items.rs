//! The items of the module: structs, enums, and what makes them calls.

use core::fmt::{self, Display, Write};

use super::layout::{FIELDS_WIDTH, Out, WIDTH, attribute, documentation, item, show, width};
use super::needs::{As, Generator, Leaf, NESTED};
use super::words::{Case, cased};
use crate::idl::table::Kind as K;
use crate::idl::{Member, MemberKind};

impl<'a> Generator<'a> {
    pub(super) fn module(&self, f: &mut dyn Write, path: &dyn Display) -> fmt::Result {
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

    pub(super) fn has(&self, kind: MemberKind) -> bool {
        let mut members = self.definition.members();
        members.any(|member| member.kind() == kind)
    }

    pub(super) fn items_of(&self, f: &mut dyn Write, path: &dyn Display) -> fmt::Result {
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
    pub(super) fn types(&self, f: &mut dyn Write, member: Member<'a>, root: u16) -> fmt::Result {
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
    pub(super) fn before(
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

    pub(super) fn structure(
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
    pub(super) fn struct_fields(
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
            let lines = self.definition.documentation_of(field);
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

    pub(super) fn enumeration(
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
            documentation(out, &"    ///", self.definition.documentation_of(value))?;
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
    pub(super) fn methods(&self, out: &mut Out<'_>, skip: &str) -> fmt::Result {
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
    pub(super) fn tall(
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
    pub(super) fn errors(&self, out: &mut Out<'_>, skip: &str) -> fmt::Result {
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
    pub(super) fn error_lifetime(&self, lifetime: &'static str) -> &'static str {
        let members = self.definition.members();
        let mut errors = members.filter(|member| member.kind() == MemberKind::Error);
        let borrow = errors.any(|error| {
            let mut shapes = self.shapes(error.ty().index);
            shapes.any(|shape| self.borrows(shape.leaf))
        });
        if borrow { lifetime } else { "" }
    }

    /// Whether the variant of an error has an attribute.
    pub(super) fn has_attribute(&self, error: Member<'a>) -> bool {
        variant(error) != error.name() || self.rule(error.ty().index).0.is_some()
    }

    /// Whether rustfmt leaves the variant of an error on one line.
    pub(super) fn fits_variant(&self, error: Member<'a>) -> bool {
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
                && self.definition.documentation_of(field).next().is_none()
        });
        let fields = width(&show(|f| self.in_line(f, list)));
        let all = fields
            .saturating_add(variant(error).len())
            .saturating_add(8);
        bare && fields <= FIELDS_WIDTH && all <= WIDTH
    }

    /// The fields of an error on one line.
    pub(super) fn in_line(&self, f: &mut dyn Write, list: u16) -> fmt::Result {
        for (index, field) in self.fields(list).enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            self.field_name(f, list, field, Case::Snake)?;
            f.write_str(": ")?;
            self.ty(f, self.shape(field), As::Received("'a"))?;
        }
        Ok(())
    }

    /// What makes a struct a typed call.
    pub(super) fn method(
        &self,
        out: &mut Out<'_>,
        skip: &str,
        input: u16,
        output: u16,
    ) -> fmt::Result {
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
}

/// The name of a method or an error as a variant of an enum.
pub(super) fn variant<'a>(member: Member<'a>) -> &'a str {
    match member.name() {
        "Self" => "Self_",
        name => name,
    }
}
