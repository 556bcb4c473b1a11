//! The canonical layout of a definition.
//!
//! The layout depends only on the words, marks and comments of the text. Line ends of the text
//! matter only next to comments: a blank line there shows what a comment belongs to.

use std::mem;
use std::string::String;
use std::vec::Vec;

use crate::idl::{Definition, LINE_ENDS, token};

/// The maximum width of a line with a list that can be broken, in columns.
const WIDTH: usize = 80;

/// The width of a tab, in columns.
const TAB: usize = 8;

/// The width of an empty list, in columns. It is never broken.
const EMPTY: usize = "()".len();

/// The width of the mark between the two lists of a method, in columns.
const ARROW: usize = " -> ".len();

/// Formats a definition canonically, with tabs and parentheses as in systemd's definitions.
///
/// The members, their order and the comments stay the same.
///
/// - A list is on one line if the line has at most 80 columns and the list contains no comment.
///   Otherwise it is broken: each field is on its own line, after a tab. Of the two lists of a
///   method, the wider one is broken first.
/// - A comment is on its own lines. It stays before the next item. A comment inside a field or a
///   member moves before that field or member. After a comment that was on the same line as other
///   text, there is a blank line, so that it does not become documentation of the next item.
/// - There is one blank line before each member and its comments. Blank lines between and after
///   comments stay, but several become one.
///
/// ```
/// use nullink::{Interface, interface, tools};
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
/// assert_eq!(tools::format(&FTL), "\
/// interface org.example.ftl
///
/// ## Jump to a point in space
/// method Jump(to: (x: float, y: float)) -> (
/// \t# How long it took
/// \tseconds: int
/// )
/// ");
/// ```
pub fn format(definition: &Definition<'_>) -> String {
    Layout::default().definition(definition.text())
}

/// Formats a definition like [`format()`], in colors for a terminal.
///
/// Comments are written unchanged, including control characters. Do not write an untrusted
/// definition to a terminal without checking it for these.
pub fn format_colored(definition: &Definition<'_>) -> String {
    let layout = Layout {
        colored: true,
        ..Layout::default()
    };
    layout.definition(definition.text())
}

/// A word or a mark, and the white space and the comments before it.
#[derive(Clone, Copy)]
struct Token<'a> {
    space: &'a str,
    text: &'a str,
}

/// The tokens in the rest of a text.
#[derive(Clone)]
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    /// Takes the next token. It is empty at the end of the text.
    fn next(&mut self) -> Token<'a> {
        let (space, text, rest) = token(self.rest);
        self.rest = rest;
        Token { space, text }
    }

    /// Skips a list. Returns its width on one line, or `usize::MAX` if it contains a comment.
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

/// Returns the comments in white space, without `#`, each with the number of line ends before it,
/// and the number of line ends after the last comment.
fn comments(mut space: &str) -> (Vec<(usize, &str)>, usize) {
    let mut comments = Vec::new();
    while let Some((before, rest)) = space.split_once('#') {
        let end = rest.find(LINE_ENDS).unwrap_or(rest.len());
        let (comment, rest) = rest.split_at_checked(end).unwrap_or_default();
        comments.push((line_ends(before), comment.trim_end()));
        space = rest;
    }
    (comments, line_ends(space))
}

fn line_ends(space: &str) -> usize {
    let ends = space.matches(LINE_ENDS).count();
    ends.saturating_sub(space.matches("\r\n").count())
}

/// Escape sequences of ANSI terminals for the parts of a definition.
mod color {
    pub(super) const KEYWORD: &str = "\x1b[1;32m";
    pub(super) const NAME: &str = "\x1b[1m";
    pub(super) const TYPE: &str = "\x1b[36m";
    pub(super) const MARK: &str = "\x1b[35m";
    pub(super) const COMMENT: &str = "\x1b[90m";
    pub(super) const RESET: &str = "\x1b[0m";
}

#[derive(Default)]
struct Layout {
    /// The written lines. The last one has no line end yet.
    out: String,
    colored: bool,
    /// The width of the last line, in columns.
    column: usize,
}

impl Layout {
    fn plain(&mut self, text: &str) {
        self.column = self.column.saturating_add(text.len());
        self.out += text;
    }

    fn colored(&mut self, color: &str, text: &str) {
        let (begin, end) = if self.colored {
            (color, color::RESET)
        } else {
            ("", "")
        };
        self.out += begin;
        self.plain(text);
        self.out += end;
    }

    /// Begins a line, after a blank line if `blank` is true.
    fn line(&mut self, blank: bool, depth: usize) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        if blank {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n('\t', depth));
        self.column = depth.saturating_mul(TAB);
    }

    fn comment(&mut self, blank: bool, depth: usize, comment: &str) {
        self.line(blank, depth);
        self.colored(color::COMMENT, &std::format!("#{comment}"));
    }

    /// Writes the comments before an item, after a blank line if `blank` is true. Returns true if
    /// the item needs a blank line before it.
    fn comments(&mut self, space: &str, mut blank: bool, depth: usize) -> bool {
        let (comments, lines_after) = comments(space);
        // True if the previous comment was on a line with other text.
        let mut shared = false;
        for (index, (lines, comment)) in comments.iter().enumerate() {
            if index > 0 {
                blank = shared || *lines > 1;
            }
            shared = *lines == 0 && !self.out.is_empty();
            self.comment(blank, depth, comment);
        }
        if comments.is_empty() {
            blank
        } else {
            shared || lines_after > 1
        }
    }

    /// Writes comments that were inside an item before it. They are after its documentation, with
    /// no blank line between, so that it stays its documentation.
    fn moved(&mut self, space: &str, blank: &mut bool, depth: usize) {
        for (_, comment) in comments(space).0 {
            self.comment(mem::take(blank), depth, comment);
        }
    }

    /// Moves the comments inside a field or a member whose first word was read, except those in its
    /// lists. Comments between a field and the `)` after it stay where they are.
    fn moved_from(&mut self, mut tokens: Tokens<'_>, blank: &mut bool, depth: usize) {
        let (mut open, mut closed) = (0_usize, false);
        loop {
            let token = tokens.next();
            let next_member = closed && token.text.starts_with(|c: char| c.is_ascii_alphabetic());
            if token.text.is_empty() || (open == 0 && (next_member || token.text == ")")) {
                return;
            }
            if open == 0 {
                self.moved(token.space, blank, depth);
            }
            match token.text {
                "(" => open = open.saturating_add(1),
                ")" => (open, closed) = (open.saturating_sub(1), true),
                "," if open == 0 => return,
                _ => {}
            }
        }
    }

    fn definition(mut self, text: &str) -> String {
        let mut tokens = Tokens { rest: text };
        let (keyword, name) = (tokens.next(), tokens.next());
        let mut blank = self.comments(keyword.space, false, 0);
        self.moved(name.space, &mut blank, 0);
        self.line(blank, 0);
        self.colored(color::KEYWORD, keyword.text);
        self.plain(" ");
        self.colored(color::NAME, name.text);
        loop {
            let keyword = tokens.next();
            if keyword.text.is_empty() {
                // Comments after the last member do not need a blank line before them.
                let before = keyword.space.split('#').next().unwrap_or_default();
                self.comments(keyword.space, line_ends(before) > 1, 0);
                self.out.push('\n');
                return self.out;
            }
            let mut blank = self.comments(keyword.space, true, 0);
            self.moved_from(tokens.clone(), &mut blank, 0);
            self.line(blank, 0);
            self.member(keyword.text, &mut tokens);
        }
    }

    fn member(&mut self, keyword: &str, tokens: &mut Tokens<'_>) {
        self.colored(color::KEYWORD, keyword);
        self.plain(" ");
        self.colored(color::NAME, tokens.next().text);

        let mut lookahead = tokens.clone();
        let input = lookahead.list();
        let with_input = self.column.saturating_add(input);
        if keyword != "method" {
            return self.list(tokens, with_input > WIDTH, 0);
        }
        lookahead.next();
        let output = lookahead.list();
        let all = with_input.saturating_add(ARROW).saturating_add(output);
        // The width of a list with the one parenthesis of the other list, if that is broken.
        let with_input = with_input.saturating_add(ARROW).saturating_add(1);
        let with_output = output.saturating_add(ARROW).saturating_add(1);
        let break_input = all > WIDTH && input > EMPTY && (input >= output || with_input > WIDTH);
        let break_output = all > WIDTH && (!break_input || with_output > WIDTH);

        self.list(tokens, break_input, 0);
        tokens.next();
        self.plain(" ");
        self.colored(color::MARK, "->");
        self.plain(" ");
        self.list(tokens, break_output, 0);
    }

    /// Writes a list with everything in it, broken or on one line. Its `(` is the next token.
    fn list(&mut self, tokens: &mut Tokens<'_>, broken: bool, depth: usize) {
        tokens.next();
        self.plain("(");
        let inner = depth.saturating_add(1);
        let mut previous = "(";
        loop {
            let mut lookahead = tokens.clone();
            let token = tokens.next();
            match token.text {
                "(" => {
                    *tokens = lookahead.clone();
                    // A list inside a broken list may fit on one line.
                    let broken = broken && {
                        let width = self.column.saturating_add(lookahead.list());
                        let comma = usize::from(lookahead.next().text == ",");
                        width.saturating_add(comma) > WIDTH
                    };
                    self.list(tokens, broken, inner);
                    previous = ")";
                    continue;
                }
                ")" | "" => {
                    if broken {
                        self.comments(token.space, false, inner);
                    }
                    if broken && (previous != "(" || token.space.contains('#')) {
                        self.line(false, depth);
                    }
                    return self.plain(")");
                }
                "," => self.plain(if broken { "," } else { ", " }),
                ":" => self.plain(": "),
                "?" | "[" | "]" => self.colored(color::MARK, token.text),
                word => {
                    let first = matches!(previous, "(" | ",");
                    if first && broken {
                        let mut blank = self.comments(token.space, false, inner);
                        self.moved_from(tokens.clone(), &mut blank, inner);
                        self.line(blank, inner);
                    }
                    let is_name = first || word.starts_with(|c: char| c.is_ascii_uppercase());
                    self.colored(if is_name { color::NAME } else { color::TYPE }, word);
                }
            }
            previous = token.text;
        }
    }
}
