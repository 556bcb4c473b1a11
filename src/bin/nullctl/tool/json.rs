//! How JSON is printed: parsed and written again, as varlinkctl does, except for numbers, which are
//! printed as the service wrote them.

use nullink::json::Raw;

use super::options::{Json, Options};
use super::output::{self, Output};
use super::system::Standard;

/// The style of JSON on standard output.
#[derive(Clone, Copy)]
pub struct Style {
    pub pretty: bool,
    /// True if strings, numbers and literals have colors.
    pub color: bool,
}

impl Style {
    pub const SHORT: Self = Style {
        pretty: false,
        color: false,
    };

    /// The style for the options. Without one, JSON is pretty on a terminal.
    pub fn of(options: &Options<'_>) -> Self {
        let pretty = match options.json {
            Some(Json::Pretty) => true,
            Some(Json::Short) => false,
            Some(Json::Off | Json::Auto) | None => output::is_terminal(Standard::Output),
        };
        Style {
            pretty,
            color: pretty && options.color == Some(true),
        }
    }
}

const STRING: &str = "\x1b[32m";
const NUMBER: &str = "\x1b[1;34m";
const LITERAL: &str = "\x1b[1m";
const END: &str = "\x1b[0m";

/// Prints a value in the style of the options, and a line end.
pub fn print_as(options: &Options<'_>, out: &mut Output, value: Raw<'_>) {
    print(out, value, Style::of(options));
}

/// Prints a value, and a line end.
pub fn print(out: &mut Output, value: Raw<'_>, style: Style) {
    let mut printer = Printer {
        rest: value.as_str().as_bytes(),
        style,
        depth: 0,
        out,
    };
    printer.value();
    printer.out.text("\n")
}

/// Prints a value without recursion: an object or array only changes the depth.
struct Printer<'t, 'o> {
    rest: &'t [u8],
    style: Style,
    depth: usize,
    out: &'o mut Output,
}

impl Printer<'_, '_> {
    fn value(&mut self) {
        while let Some(byte) = self.next() {
            match byte {
                b'{' | b'[' => {
                    self.byte(byte);
                    self.depth = self.depth.saturating_add(1);
                    match self.peek() {
                        // Both brackets of an empty one are on one line.
                        Some(close @ (b'}' | b']')) => {
                            self.next();
                            self.depth = self.depth.saturating_sub(1);
                            self.byte(close);
                        }
                        _ => self.line(),
                    }
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.line();
                    self.byte(byte);
                }
                b',' => {
                    self.out.text(",");
                    self.line();
                }
                b':' => self.out.text(if self.style.pretty { " : " } else { ":" }),
                b'"' => self.string(),
                first => {
                    let color = match first {
                        b't' | b'f' | b'n' => LITERAL,
                        _ => NUMBER,
                    };
                    self.color(color);
                    self.byte(first);
                    while let Some((byte, rest)) = self.rest.split_first()
                        && (byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
                    {
                        self.rest = rest;
                        self.byte(*byte);
                    }
                    self.color(END);
                }
            }
        }
    }

    /// Begins a line, if the style has lines.
    fn line(&mut self) {
        if self.style.pretty {
            self.out.text("\n");
            for _ in 0..self.depth {
                self.out.text("\t");
            }
        }
    }

    fn byte(&mut self, byte: u8) {
        self.out.bytes(&[byte]);
    }

    fn color(&mut self, color: &str) {
        if self.style.color {
            self.out.text(color);
        }
    }

    /// Skips white space; returns the next byte.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.first().copied()
    }

    /// Skips white space; takes the next byte.
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.rest = self.rest.get(1..).unwrap_or_default();
        Some(byte)
    }

    /// Prints a string, whose opening quote was taken.
    fn string(&mut self) {
        self.out.text("\"");
        self.color(STRING);
        loop {
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0x7f | 0xc2);
            let plain = self.rest.iter().position(is_special);
            let plain = plain.unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at_checked(plain).unwrap_or_default();
            self.out.bytes(text);
            self.rest = rest;
            match rest {
                [b'\\', letter, rest @ ..] => {
                    self.rest = rest;
                    self.escape(*letter);
                }
                // On a terminal, control characters that JSON allows are escaped, too.
                [0x7f, rest @ ..] => {
                    self.rest = rest;
                    self.char('\u{7f}');
                }
                [0xc2, low, rest @ ..] => {
                    self.rest = rest;
                    self.char(char::from(*low));
                }
                rest => {
                    self.rest = rest.get(1..).unwrap_or_default();
                    break;
                }
            }
        }
        self.color(END);
        self.out.text("\"")
    }

    /// Prints the character of an escape, whose letter was taken.
    fn escape(&mut self, letter: u8) {
        match letter {
            b'u' => {
                let unit = self.unit();
                let char = match unit {
                    0xd800..=0xdbff => {
                        // A scanned text has the other half.
                        self.rest = self.rest.get(2..).unwrap_or_default();
                        let low = self.unit() & 0x3ff;
                        ((unit & 0x3ff) << 10 | low).saturating_add(0x10000)
                    }
                    unit => unit,
                };
                self.char(char::from_u32(char).unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            b'/' => self.out.text("/"),
            letter => self.out.bytes(&[b'\\', letter]),
        }
    }

    /// Takes four hexadecimal digits.
    fn unit(&mut self) -> u32 {
        let (digits, rest) = self.rest.split_at_checked(4).unwrap_or_default();
        self.rest = rest;
        let digit = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or(0);
        digits.iter().fold(0, |unit, byte| unit << 4 | digit(byte))
    }

    fn char(&mut self, char: char) {
        let short = match char {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\0'..'\u{20}' => return self.hex(char),
            '\u{7f}'..'\u{a0}' if self.style.color => return self.hex(char),
            char => return self.out.text(char.encode_utf8(&mut [0; 4])),
        };
        self.out.text(short)
    }

    /// Prints the escape of a control character.
    fn hex(&mut self, char: char) {
        let digit = |shift: u32| {
            let digit = char::from_digit(char as u32 >> shift & 0xf, 16);
            digit.unwrap_or('0') as u8
        };
        self.out
            .bytes(&[b'\\', b'u', b'0', b'0', digit(4), digit(0)])
    }
}
