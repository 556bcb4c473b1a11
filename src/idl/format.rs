//! The canonical layout of a definition: what it says, and nothing of how it was laid out.
//!
//! It is written from the text's words and marks alone, in one pass, with a look ahead where a
//! list or a field begins. Line ends of the text count only between comments: there, a blank line
//! says what a comment is about.

use core::{fmt, mem};

use super::text::{LINE_ENDS, skip_space, word};
use super::{DEPTH, Definition};

/// How many columns a line may have, if there is a list in it that can be broken.
const WIDTH: usize = 80;

/// How many columns a tab has.
const TAB: usize = 8;

/// How many columns a list has that nothing is in. It is never broken.
const EMPTY: usize = 2;

impl<'a> Definition<'a> {
    /// The definition in its canonical layout, with tabs and parentheses as in systemd's: to be
    /// shown, to be written to a file, to be compared.
    ///
    /// It is the same definition, with the same members in the same order, and all comments are
    /// still there.
    ///
    /// - A list is on one line if that line has at most 80 columns and the list has no comment in
    ///   it. Otherwise it is broken: each field is on a line of its own, after a tab. Of the two
    ///   lists of a method, the wider one is broken first.
    /// - A comment is on lines of its own: before what it was before, or before the field or the
    ///   member that it was in the midst of. One that was behind something on the same line has a
    ///   blank line behind it, so that it does not become the documentation of what follows.
    /// - There is one blank line before each member and its comments, and one between comments, or
    ///   behind them, where there was any.
    ///
    /// ```
    /// use nullink::{Interface, interface};
    ///
    /// const FTL: Interface = interface!(text "
    /// interface org.example.ftl
    /// ## Jump to a point in space
    /// method Jump( to : (x: float,y: float) )
    ///     -> (
    ///     ## How long it took
    ///     seconds: int)
    /// ");
    ///
    /// assert_eq!(FTL.format().to_string(), "\
    /// interface org.example.ftl
    ///
    /// ## Jump to a point in space
    /// method Jump(to: (x: float, y: float)) -> (
    /// \t# How long it took
    /// \tseconds: int
    /// )
    /// ");
    /// ```
    pub const fn format(&self) -> Format<'a> {
        Format {
            text: self.text,
            colored: false,
        }
    }
}

/// A definition in its canonical layout: see [`Definition::format`].
#[derive(Clone, Copy, Debug)]
pub struct Format<'a> {
    text: &'a str,
    colored: bool,
}

impl Format<'_> {
    /// The same in colours, for a terminal.
    ///
    /// Comments are what their author wrote, control characters included: look at them first, if
    /// the author is not to be trusted.
    #[must_use]
    pub const fn colored(self) -> Self {
        Format {
            colored: true,
            ..self
        }
    }
}

impl fmt::Display for Format<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut writer = Writer {
            f,
            colored: self.colored,
            begun: false,
            column: 0,
        };
        writer.definition(Tokens { rest: self.text })
    }
}

/// A word or a mark, and the white space and the comments before it.
#[derive(Clone, Copy)]
struct Token<'a> {
    space: &'a str,
    text: &'a str,
}

/// What is left of a text.
#[derive(Clone)]
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    /// The next token. At the end of the text, it is empty.
    fn next(&mut self) -> Token<'a> {
        let behind = skip_space(self.rest.as_bytes()).0;
        let start = self.rest.len().saturating_sub(behind.len());
        let (space, rest) = self.rest.split_at_checked(start).unwrap_or_default();
        let length = match behind {
            [b'-', b'>', ..] => 2,
            _ => word(behind).len().max(1),
        };
        let (text, rest) = rest.split_at_checked(length).unwrap_or((rest, ""));
        self.rest = rest;
        Token { space, text }
    }

    /// Skips a list; says how many columns it has on one line, or `usize::MAX` if there is a
    /// comment in it.
    fn list(&mut self) -> usize {
        let (mut width, mut depth, mut comment) = (0_usize, 0_usize, false);
        loop {
            let token = self.next();
            comment |= depth > 0 && token.space.contains('#');
            width = width.saturating_add(token.text.len());
            match token.text {
                "(" => depth = depth.saturating_add(1),
                ")" => depth = depth.saturating_sub(1),
                ":" | "," => width = width.saturating_add(1),
                _ => {}
            }
            if depth == 0 || token.text.is_empty() {
                return if comment { usize::MAX } else { width };
            }
        }
    }
}

/// The next comment of a token's space, without `#`, and how many lines end before it.
fn next_comment<'a>(space: &mut &'a str) -> Option<(usize, &'a str)> {
    let (before, rest) = space.split_once('#')?;
    let end = rest.find(LINE_ENDS).unwrap_or(rest.len());
    let (comment, rest) = rest.split_at_checked(end).unwrap_or_default();
    *space = rest;
    Some((lines(before), comment.trim_end()))
}

/// How many lines end in white space.
fn lines(space: &str) -> usize {
    let ends = space.matches(LINE_ENDS).count();
    ends.saturating_sub(space.matches("\r\n").count())
}

/// Escapes of ANSI terminals: what each piece of the text looks like.
mod color {
    pub(super) const NONE: &str = "";
    pub(super) const KEYWORD: &str = "\x1b[1;32m";
    pub(super) const NAME: &str = "\x1b[1m";
    pub(super) const TYPE: &str = "\x1b[36m";
    pub(super) const MARK: &str = "\x1b[35m";
    pub(super) const COMMENT: &str = "\x1b[90m";
    pub(super) const RESET: &str = "\x1b[0m";
}

struct Writer<'w, 'f> {
    f: &'w mut fmt::Formatter<'f>,
    colored: bool,
    /// Whether there is a line already.
    begun: bool,
    /// How many columns the last line has so far.
    column: usize,
}

impl Writer<'_, '_> {
    fn write(&mut self, color: &str, text: &str) -> fmt::Result {
        self.column = self.column.saturating_add(text.len());
        if !self.colored || color.is_empty() {
            return self.f.write_str(text);
        }
        self.f.write_str(color)?;
        self.f.write_str(text)?;
        self.f.write_str(color::RESET)
    }

    /// Begins a line, after a blank one or not.
    fn line(&mut self, blank: bool, depth: usize) -> fmt::Result {
        if mem::replace(&mut self.begun, true) {
            self.f.write_str("\n")?;
        }
        if blank {
            self.f.write_str("\n")?;
        }
        for _ in 0..depth {
            self.f.write_str("\t")?;
        }
        self.column = depth.saturating_mul(TAB);
        Ok(())
    }

    fn comment(&mut self, blank: bool, depth: usize, comment: &str) -> fmt::Result {
        self.line(blank, depth)?;
        if self.colored {
            self.f.write_str(color::COMMENT)?;
        }
        self.f.write_str("#")?;
        self.f.write_str(comment)?;
        if self.colored {
            self.f.write_str(color::RESET)?;
        }
        Ok(())
    }

    /// The comments before something, the first one after a blank line or not; returns whether
    /// there is one behind them.
    fn comments(
        &mut self,
        mut space: &str,
        mut blank: bool,
        depth: usize,
    ) -> Result<bool, fmt::Error> {
        // Whether there was something else on the line of the comment before.
        let mut behind = false;
        let mut first = true;
        while let Some((lines, comment)) = next_comment(&mut space) {
            if !first {
                blank = behind || lines > 1;
            }
            behind = lines == 0 && self.begun;
            first = false;
            self.comment(blank, depth, comment)?;
        }
        Ok(match first {
            true => blank,
            false => behind || lines(space) > 1,
        })
    }

    /// Comments that were in the midst of something, moved before it: behind what is written about
    /// it, which they don't cut off from it.
    fn moved(&mut self, mut space: &str, blank: &mut bool, depth: usize) -> fmt::Result {
        while let Some((_, comment)) = next_comment(&mut space) {
            self.comment(mem::take(blank), depth, comment)?;
        }
        Ok(())
    }

    /// The comments in the midst of a field or a member whose first word was read, but for those
    /// in its lists. Before the `)` behind a field, they can stay where they are.
    fn moved_from(
        &mut self,
        mut tokens: Tokens<'_>,
        blank: &mut bool,
        depth: usize,
    ) -> fmt::Result {
        let (mut open, mut closed) = (0_usize, false);
        loop {
            let token = tokens.next();
            let next_member = closed && token.text.starts_with(|c: char| c.is_ascii_alphabetic());
            match token.text {
                "" => return Ok(()),
                ")" if open == 0 => return Ok(()),
                _ if open > 0 => {}
                _ if next_member => return Ok(()),
                _ => self.moved(token.space, blank, depth)?,
            }
            match token.text {
                "(" => open = open.saturating_add(1),
                ")" => {
                    open = open.saturating_sub(1);
                    closed = true;
                }
                "," if open == 0 => return Ok(()),
                _ => {}
            }
        }
    }

    fn definition(&mut self, mut tokens: Tokens<'_>) -> fmt::Result {
        let (keyword, name) = (tokens.next(), tokens.next());
        let mut blank = self.comments(keyword.space, false, 0)?;
        self.moved(name.space, &mut blank, 0)?;
        self.line(blank, 0)?;
        self.write(color::KEYWORD, keyword.text)?;
        self.write(color::NONE, " ")?;
        self.write(color::NAME, name.text)?;
        loop {
            let keyword = tokens.next();
            if keyword.text.is_empty() {
                // Behind the last member, there is no need for a blank line.
                let before = keyword.space.split('#').next().unwrap_or_default();
                self.comments(keyword.space, lines(before) > 1, 0)?;
                return self.f.write_str("\n");
            }
            let mut blank = self.comments(keyword.space, true, 0)?;
            self.moved_from(tokens.clone(), &mut blank, 0)?;
            self.line(blank, 0)?;
            self.member(keyword.text, &mut tokens)?;
        }
    }

    fn member(&mut self, keyword: &str, tokens: &mut Tokens<'_>) -> fmt::Result {
        self.write(color::KEYWORD, keyword)?;
        self.write(color::NONE, " ")?;
        self.write(color::NAME, tokens.next().text)?;

        let mut ahead = tokens.clone();
        let input = ahead.list();
        let with_input = self.column.saturating_add(input);
        if keyword != "method" {
            return self.list(tokens, with_input > WIDTH);
        }
        ahead.next();
        let output = ahead.list();
        let arrow = " -> ".len();
        let all = with_input.saturating_add(arrow).saturating_add(output);
        // A list and the one parenthesis of the other, broken one that is on its line.
        let with_input = with_input.saturating_add(arrow).saturating_add(1);
        let with_output = output.saturating_add(arrow).saturating_add(1);
        let break_input = all > WIDTH && input > EMPTY && (input >= output || with_input > WIDTH);
        let break_output = all > WIDTH && (!break_input || with_output > WIDTH);

        self.list(tokens, break_input)?;
        tokens.next();
        self.write(color::NONE, " ")?;
        self.write(color::MARK, "->")?;
        self.write(color::NONE, " ")?;
        self.list(tokens, break_output)
    }

    /// A list, broken or on one line, with everything in it.
    fn list(&mut self, tokens: &mut Tokens<'_>, broken: bool) -> fmt::Result {
        // Not recursive: for each list that is open, whether it is broken.
        let mut open = heapless::Vec::<bool, { DEPTH }>::new();
        let mut previous = "";
        loop {
            let mut ahead = tokens.clone();
            let token = tokens.next();
            let this = open.last().copied().unwrap_or(broken);
            let depth = open.len();
            match token.text {
                "" => return Ok(()),
                "(" => {
                    // A list in one that is broken may be on one line nevertheless.
                    let fits = this && depth > 0 && {
                        let width = self.column.saturating_add(ahead.list());
                        let comma = usize::from(ahead.next().text == ",");
                        width.saturating_add(comma) <= WIDTH
                    };
                    // No definition nests more deeply than that.
                    let _ = open.push(this && !fits);
                    self.write(color::NONE, "(")?;
                }
                ")" => {
                    open.pop();
                    if this {
                        self.comments(token.space, false, depth)?;
                    }
                    if this && (previous != "(" || token.space.contains('#')) {
                        self.line(false, open.len())?;
                    }
                    self.write(color::NONE, ")")?;
                    if open.is_empty() {
                        return Ok(());
                    }
                }
                "," if this => self.write(color::NONE, ",")?,
                "," => self.write(color::NONE, ", ")?,
                ":" => self.write(color::NONE, ": ")?,
                "?" | "[" | "]" => self.write(color::MARK, token.text)?,
                name if matches!(previous, "(" | ",") => {
                    if this {
                        let mut blank = self.comments(token.space, false, depth)?;
                        self.moved_from(tokens.clone(), &mut blank, depth)?;
                        self.line(blank, depth)?;
                    }
                    self.write(color::NAME, name)?;
                }
                name if name.starts_with(|c: char| c.is_ascii_uppercase()) => {
                    self.write(color::NAME, name)?;
                }
                word => self.write(color::TYPE, word)?,
            }
            previous = token.text;
        }
    }
}
