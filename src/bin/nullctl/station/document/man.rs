//! A page for man(1): man(7).

use std::fmt::{self, Display, Write};

use nullink::idl::{Definition, Member, MemberKind};

use super::{Block, Row, Word, heading};

#[derive(Default)]
pub struct Page(String);

/// A line of text in which groff sees no requests and no escapes.
pub struct Roff<'a>(pub &'a str);

impl Display for Roff<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.starts_with(['.', '\'']) {
            f.write_str("\\&")?;
        }
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\e"),
            '-' => f.write_str("\\-"),
            '\'' => f.write_str("\\(aq"),
            '`' => f.write_str("\\(ga"),
            '^' => f.write_str("\\(ha"),
            '~' => f.write_str("\\(ti"),
            '"' => f.write_str("\\(dq"),
            '\n' => f.write_char(' '),
            c => f.write_char(c),
        })
    }
}

impl Page {
    fn add(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.0.write_fmt(text);
    }

    /// Writes blocks. The first paragraph follows the text before it.
    fn indented(&mut self, blocks: &[Block]) {
        for (index, block) in blocks.iter().enumerate() {
            match block {
                Block::Paragraph(text) => {
                    let request = if index > 0 { ".IP\n" } else { "" };
                    self.add(format_args!("{request}{}\n", Roff(text)));
                }
                Block::Item(text) => self.add(format_args!(".br\n\\(bu {}\n", Roff(text))),
            }
        }
    }
}

impl super::Page for Page {
    fn begin(&mut self, definition: &Definition<'_>, about: &[Block]) {
        let name = Roff(definition.name());
        let short = match about.first() {
            Some(Block::Paragraph(text) | Block::Item(text)) => text,
            None => "a Varlink interface",
        };
        self.add(format_args!(
            ".TH \"{name}\" 7 \"\" \"\" \"Varlink interfaces\"\n\
             .SH NAME\n{name} \\- {}\n",
            Roff(short)
        ));
        if about.len() > 1 {
            self.add(format_args!(".SH DESCRIPTION\n"));
            self.blocks(about);
        }
    }

    fn section(&mut self, kind: MemberKind, _members: &[Member<'_>]) {
        self.add(format_args!(".SH {}\n", heading(kind).to_uppercase()));
    }

    fn member(&mut self, member: Member<'_>) {
        self.add(format_args!(".SS {}\n", Roff(member.name())));
        if member.kind() == MemberKind::Method {
            let (input, output) = (member.input().to_string(), member.output().to_string());
            self.add(format_args!(
                ".PP\n\\fBmethod {}\\fR{} \\-> {}\n",
                Roff(member.name()),
                Roff(&input),
                Roff(&output)
            ));
        }
    }

    fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            match block {
                Block::Paragraph(text) => self.add(format_args!(".PP\n{}\n", Roff(text))),
                Block::Item(text) => self.add(format_args!(".IP \\(bu 2\n{}\n", Roff(text))),
            }
        }
    }

    fn remark(&mut self, remark: &str) {
        self.add(format_args!(".PP\n\\fI{}\\fR\n", Roff(remark)));
    }

    fn table(&mut self, title: &str, rows: &[Row]) {
        self.add(format_args!(".PP\n{}:\n", Roff(title)));
        for row in rows {
            self.add(format_args!(".TP\n\\fB{}\\fR", Roff(&row.name)));
            if !row.ty.is_empty() {
                self.0.push_str(" (");
                for word in &row.ty {
                    match word {
                        Word::Text(text) => self.add(format_args!("{text}")),
                        Word::Type(name) => self.add(format_args!("\\fI{}\\fR", Roff(name))),
                    }
                }
                self.0.push(')');
            }
            self.0.push('\n');
            self.indented(&row.about);
        }
    }

    fn end_member(&mut self) {}

    fn finish(self) -> String {
        self.0
    }
}
