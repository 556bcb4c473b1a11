//! `doc`: a page about an interface, for people who discuss it and do not write code.

mod html;
mod man;

use std::ffi::CStr;
use std::mem;

use nullink::idl::{Definition, Field, Member, MemberKind, Type, TypeKind};
use nullink::name::is_interface;

use super::options::settings;
use super::source::{Source, printable, shown};
use crate::tool::{Failure, Tool, fail, text};

pub use man::Roff;

pub fn doc(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let man = {
        let settings = settings();
        if settings.html && settings.man {
            return Err(fail(format_args!("--html and --man exclude each other")));
        }
        settings.man
    };
    let mut source = match words {
        [address, interface] => {
            let (address, interface) = (text(address), text(interface));
            if !is_interface(interface) {
                return Err(fail(format_args!(
                    "{interface} is not the name of an interface"
                )));
            }
            Source::read(tool.system, tool.options, &format!("{address}/{interface}"))?
        }
        _ => {
            let file = words.first().copied().map_or("", text);
            Source::read(tool.system, tool.options, file)?
        }
    };
    // A browser and groff do not need control characters either.
    let text = printable(&source.text).into_owned();
    let mut source = Source::new(mem::take(&mut source.origin), text);
    let definition = source.definition()?;
    let page = if man {
        write(man::Page::default(), &definition)
    } else {
        write(html::Page::default(), &definition)
    };
    tool.out.text(&shown(&page));
    Ok(())
}

/// A format of pages.
trait Page {
    /// Writes the beginning of the page.
    fn begin(&mut self, definition: &Definition<'_>, about: &[Block]);
    /// Begins the section with the members of a kind.
    fn section(&mut self, kind: MemberKind, members: &[Member<'_>]);
    /// Begins the part about a member.
    fn member(&mut self, member: Member<'_>);
    fn blocks(&mut self, blocks: &[Block]);
    /// Writes a remark that does not come from the documentation.
    fn remark(&mut self, remark: &str);
    /// Writes a table with a row for each field or value.
    fn table(&mut self, title: &str, rows: &[Row]);
    /// Ends the part about a member.
    fn end_member(&mut self);
    /// Returns the page.
    fn finish(self) -> String;
}

/// A part of a documentation comment.
#[derive(Debug, PartialEq, Eq)]
enum Block {
    Paragraph(String),
    /// An item of a list: it begins with `-` or `*`.
    Item(String),
}

/// A field or a value.
struct Row {
    name: String,
    ty: Vec<Word>,
    about: Vec<Block>,
}

/// A part of the description of a type.
enum Word {
    Text(&'static str),
    /// The name of a type of the interface.
    Type(String),
}

fn write(mut page: impl Page, definition: &Definition<'_>) -> String {
    page.begin(definition, &blocks(definition.documentation()));
    for kind in [MemberKind::Method, MemberKind::Type, MemberKind::Error] {
        let members = definition.members().filter(|member| member.kind() == kind);
        let members: Vec<_> = members.collect();
        if members.is_empty() {
            continue;
        }
        page.section(kind, &members);
        for member in members {
            page.member(member);
            page.blocks(&blocks(member.documentation()));
            match kind {
                MemberKind::Method => {
                    remarks(&mut page, member);
                    table(
                        &mut page,
                        "Parameters",
                        "The call has no parameters.",
                        member.input(),
                    );
                    table(
                        &mut page,
                        "Reply",
                        "The reply has no content.",
                        member.output(),
                    );
                }
                MemberKind::Error => {
                    table(
                        &mut page,
                        "Details",
                        "The error has no details.",
                        member.ty(),
                    );
                }
                MemberKind::Type if matches!(member.ty().kind(), TypeKind::Enum) => {
                    page.table("Values", &values(member.ty()));
                }
                MemberKind::Type => table(&mut page, "Fields", "It has no fields.", member.ty()),
            }
            page.end_member();
        }
    }
    page.finish()
}

fn remarks(page: &mut impl Page, member: Member<'_>) {
    if member.requires_more() {
        page.remark("Needs the flag \"more\": the service sends several replies.");
    } else if member.supports_more() {
        page.remark("With the flag \"more\", the service sends several replies.");
    }
    if member.requires_upgrade() {
        page.remark(
            "Needs the flag \"upgrade\": after the reply, the connection has another protocol.",
        );
    } else if member.supports_upgrade() {
        page.remark(
            "With the flag \"upgrade\", the connection has another protocol after the reply.",
        );
    }
}

fn table(page: &mut impl Page, title: &str, empty: &str, ty: Type<'_>) {
    let mut rows = Vec::new();
    fields("", ty, &mut rows);
    if rows.is_empty() {
        page.remark(empty);
    } else {
        page.table(title, &rows);
    }
}

/// Adds a row for each field, and for the fields of structures without a name in them.
fn fields(path: &str, ty: Type<'_>, rows: &mut Vec<Row>) {
    for field in ty.fields() {
        let name = format!("{path}{}", field.name());
        let (ty, inner) = description(field);
        rows.push(Row {
            name: name.clone(),
            ty,
            about: blocks(field.documentation()),
        });
        match inner.kind() {
            TypeKind::Struct => fields(&format!("{name}."), inner, rows),
            TypeKind::Enum => rows.extend(values(inner).into_iter().map(|value| Row {
                name: format!("{name} = {}", value.name),
                ..value
            })),
            _ => {}
        }
    }
}

fn values(ty: Type<'_>) -> Vec<Row> {
    let values = ty.values();
    values
        .map(|value| Row {
            name: value.name().into(),
            ty: Vec::new(),
            about: blocks(value.documentation()),
        })
        .collect()
}

/// Describes the type of a field in words. Also returns the innermost type.
fn description<'a>(field: Field<'a>) -> (Vec<Word>, Type<'a>) {
    let (mut words, mut ty) = (Vec::new(), field.ty());
    loop {
        let (word, inner) = match ty.kind() {
            TypeKind::Nullable(inner) => ("optional ", inner),
            TypeKind::Array(inner) => ("list of ", inner),
            TypeKind::Map(inner) => ("map from names to ", inner),
            TypeKind::Bool => ("true or false", ty),
            TypeKind::Int => ("whole number", ty),
            TypeKind::Float => ("number", ty),
            TypeKind::String => ("text", ty),
            TypeKind::Object => ("JSON object", ty),
            TypeKind::Any => ("any JSON value", ty),
            TypeKind::Struct => ("structure, with", ty),
            TypeKind::Enum => ("one of", ty),
            TypeKind::Named(member) => {
                words.push(Word::Type(member.name().into()));
                return (words, ty);
            }
        };
        words.push(Word::Text(word));
        if inner == ty {
            return (words, ty);
        }
        ty = inner;
    }
}

/// Splits documentation into paragraphs and items of lists. Lines such as `[Requires 'more' flag]`
/// are left out, because they become remarks.
fn blocks<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in lines {
        let line = line.trim();
        let is_flag = line.ends_with("' flag]")
            && (line.starts_with("[Requires '") || line.starts_with("[Supports '"));
        if line.is_empty() || is_flag {
            open = false;
        } else if let Some(item) = line.strip_prefix("- ").or(line.strip_prefix("* ")) {
            blocks.push(Block::Item(item.trim().into()));
            open = true;
        } else if let Some(Block::Paragraph(text) | Block::Item(text)) =
            blocks.last_mut().filter(|_| open)
        {
            text.push(' ');
            text.push_str(line);
        } else {
            blocks.push(Block::Paragraph(line.into()));
            open = true;
        }
    }
    blocks
}

/// Returns the heading of the section with the members of a kind.
fn heading(kind: MemberKind) -> &'static str {
    match kind {
        MemberKind::Method => "Methods",
        MemberKind::Type => "Types",
        MemberKind::Error => "Errors",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_become_paragraphs_and_lists() {
        let lines = [
            "A first line",
            "goes on.",
            "",
            "[Requires 'more' flag]",
            "Each has:",
            "- one",
            "  item",
            "* two",
        ];
        assert_eq!(
            blocks(lines.into_iter()),
            [
                Block::Paragraph("A first line goes on.".into()),
                Block::Paragraph("Each has:".into()),
                Block::Item("one item".into()),
                Block::Item("two".into()),
            ]
        );
    }
}
