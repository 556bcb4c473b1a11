//! A stream that prints its messages, with colors on a terminal.

use std::fmt::Write as _;
use std::io::{IsTerminal, stdout};

use embedded_io::{ErrorType, Read, Write};

/// Terminal colors. They are off if standard output is not a terminal, or `NO_COLOR` is set.
#[derive(Clone, Copy)]
pub struct Colors {
    on: bool,
}

impl Colors {
    pub fn of_terminal() -> Self {
        Colors {
            on: stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    pub fn paint(self, color: &str, text: impl std::fmt::Display) -> String {
        if self.on {
            format!("\x1b[{color}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }
}

pub const BOLD: &str = "1";
pub const DIM: &str = "2";
pub const GREEN: &str = "32";
pub const YELLOW: &str = "33";
pub const BLUE: &str = "34";
pub const CYAN: &str = "36";

/// A stream that prints every message.
pub struct Tap<S> {
    stream: S,
    colors: Colors,
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl<S> Tap<S> {
    pub fn new(stream: S, colors: Colors) -> Self {
        Tap {
            stream,
            colors,
            sent: Vec::new(),
            received: Vec::new(),
        }
    }
}

impl<S: ErrorType> ErrorType for Tap<S> {
    type Error = S::Error;
}

impl<S: Read> Read for Tap<S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, S::Error> {
        let count = self.stream.read(buffer)?;
        print_messages(&mut self.received, &buffer[..count], "<-", self.colors);
        Ok(count)
    }
}

impl<S: Write> Write for Tap<S> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, S::Error> {
        let count = self.stream.write(bytes)?;
        print_messages(&mut self.sent, &bytes[..count], "->", self.colors);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), S::Error> {
        self.stream.flush()
    }
}

/// Prints the messages that these bytes complete.
fn print_messages(pending: &mut Vec<u8>, bytes: &[u8], direction: &str, colors: Colors) {
    for byte in bytes {
        if *byte != 0 {
            pending.push(*byte);
            continue;
        }
        let text = String::from_utf8_lossy(pending);
        let (shown, rest) = match text.char_indices().nth(LINE) {
            Some((end, _)) => (&text[..end], format!(" ... {} bytes", text.len())),
            None => (&text[..], String::new()),
        };
        println!(
            "  {} {}{}",
            colors.paint(DIM, direction),
            paint_json(shown, colors),
            colors.paint(DIM, rest),
        );
        pending.clear();
    }
}

/// The number of characters that are printed of a longer message.
const LINE: usize = 300;

/// Colors the keys, strings, punctuation and other values of a JSON text.
fn paint_json(text: &str, colors: Colors) -> String {
    let mut painted = String::new();
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let length = match char {
            '"' => string_length(rest),
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            _ => rest
                .find(['"', '{', '}', '[', ']', ',', ':'])
                .unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        let color = match char {
            '"' if after.starts_with(':') => CYAN,
            '"' => GREEN,
            '{' | '}' | '[' | ']' | ',' | ':' => DIM,
            _ => YELLOW,
        };
        let _ = write!(painted, "{}", colors.paint(color, token));
        rest = after;
    }
    painted
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}
