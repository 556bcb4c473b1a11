//! How the module is written: in the very layout that rustfmt gives it.

use core::fmt::{self, Display, Write};

use crate::idl::Documentation;

/// The width that rustfmt fills.
pub(super) const WIDTH: usize = 100;

/// How much of it the fields of an enum's variant may fill.
pub(super) const FIELDS_WIDTH: usize = 35;

/// How long a name may be in an attribute that has another part: 70 characters are for both.
pub(super) const ATTRIBUTE_WIDTH: usize = 51;

/// Something to write, more than once: first to see how long it is.
pub(super) struct Show<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> Display for Show<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

pub(super) fn show<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result>(write: F) -> Show<F> {
    Show(write)
}

/// How many characters the longest line has.
pub(super) fn width(text: &dyn Display) -> usize {
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
pub(super) struct Out<'w> {
    pub(super) to: Option<&'w mut dyn Write>,
    pub(super) unknown: bool,
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
    pub(super) fn first(&mut self, layouts: &[&dyn Display]) -> fmt::Result {
        let fitting = layouts.iter().find(|layout| width(**layout) <= WIDTH);
        self.unknown |= fitting.is_none();
        match fitting.or(layouts.last()) {
            Some(layout) => write!(self, "{layout}"),
            None => Ok(()),
        }
    }
}

/// Writes an item. If rustfmt's layout of it is not known, rustfmt is told to leave it.
pub(super) fn item(
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
pub(super) fn documentation(
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

/// What serde is told about a field or a variant, with so much room on a line.
pub(super) fn attribute(
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
