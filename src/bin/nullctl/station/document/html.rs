//! A page in HTML. It needs no other file.

use std::fmt::{self, Display, Write};

use nullink::idl::{Definition, Member, MemberKind};

use super::{Block, Row, Word, heading};

const STYLE: &str = "\
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { border-bottom: 1px solid; margin-top: 3rem }
h3 { margin-top: 2.5rem }
code, pre { font-family: ui-monospace, monospace }
pre { white-space: pre-wrap; border: 1px solid; border-radius: .3rem; padding: .5rem }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
caption { text-align: left; font-weight: bold }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border: 1px solid gray }
td p { margin: 0 0 .3rem }
.remark { font-style: italic }
";

#[derive(Default)]
pub struct Page(String);

/// A text in which the characters with a meaning in HTML are escaped.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => f.write_char(c),
        })
    }
}

impl Page {
    fn add(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.0.write_fmt(text);
    }
}

impl super::Page for Page {
    fn begin(&mut self, definition: &Definition<'_>, about: &[Block]) {
        let name = Escaped(definition.name());
        self.add(format_args!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>{name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <h1>Interface <code>{name}</code></h1>\n"
        ));
        self.blocks(about);
    }

    fn section(&mut self, kind: MemberKind, members: &[Member<'_>]) {
        self.add(format_args!("<h2>{}</h2>\n<ul>\n", heading(kind)));
        for member in members {
            let name = Escaped(member.name());
            let first = super::blocks(member.documentation()).into_iter().next();
            self.add(format_args!(
                "<li><a href=\"#{kind}-{name}\"><code>{name}</code></a>"
            ));
            if let Some(Block::Paragraph(text) | Block::Item(text)) = first {
                self.add(format_args!(": {}", Escaped(&text)));
            }
            self.add(format_args!("</li>\n"));
        }
        self.add(format_args!("</ul>\n"));
    }

    fn member(&mut self, member: Member<'_>) {
        let (kind, name) = (member.kind(), Escaped(member.name()));
        self.add(format_args!(
            "<section id=\"{kind}-{name}\">\n<h3><code>{name}</code></h3>\n"
        ));
        if kind == MemberKind::Method {
            let (input, output) = (member.input().to_string(), member.output().to_string());
            self.add(format_args!(
                "<pre>method {name}{} -&gt; {}</pre>\n",
                Escaped(&input),
                Escaped(&output)
            ));
        }
    }

    fn blocks(&mut self, blocks: &[Block]) {
        let mut in_list = false;
        for block in blocks {
            let is_item = matches!(block, Block::Item(_));
            if is_item != in_list {
                self.0.push_str(if is_item { "<ul>\n" } else { "</ul>\n" });
                in_list = is_item;
            }
            match block {
                Block::Paragraph(text) => self.add(format_args!("<p>{}</p>\n", Escaped(text))),
                Block::Item(text) => self.add(format_args!("<li>{}</li>\n", Escaped(text))),
            }
        }
        if in_list {
            self.0.push_str("</ul>\n");
        }
    }

    fn remark(&mut self, remark: &str) {
        self.add(format_args!(
            "<p class=\"remark\">{}</p>\n",
            Escaped(remark)
        ));
    }

    fn table(&mut self, title: &str, rows: &[Row]) {
        // The values of an enumeration have no types.
        let types = rows.iter().any(|row| !row.ty.is_empty());
        let heading = if types { "<th>Type</th>" } else { "" };
        self.add(format_args!(
            "<table>\n<caption>{}</caption>\n\
             <tr><th>Name</th>{heading}<th>Description</th></tr>\n",
            Escaped(title)
        ));
        for row in rows {
            self.add(format_args!(
                "<tr><td><code>{}</code></td>",
                Escaped(&row.name)
            ));
            if types {
                self.0.push_str("<td>");
                for word in &row.ty {
                    match word {
                        Word::Text(text) => self.add(format_args!("{}", Escaped(text))),
                        Word::Type(name) => {
                            let name = Escaped(name);
                            self.add(format_args!("<a href=\"#type-{name}\">{name}</a>"));
                        }
                    }
                }
                self.0.push_str("</td>");
            }
            self.0.push_str("<td>");
            self.blocks(&row.about);
            self.0.push_str("</td></tr>\n");
        }
        self.0.push_str("</table>\n");
    }

    fn end_member(&mut self) {
        self.0.push_str("</section>\n");
    }

    fn finish(mut self) -> String {
        self.0.push_str("</body>\n</html>\n");
        self.0
    }
}
