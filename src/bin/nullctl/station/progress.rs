//! The line on standard error that shows the progress of a verb that takes long.

use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::tool::Standard;
use crate::tool::output::is_terminal;

/// The progress line. It is shown on terminals only, and after a second only.
pub struct Progress {
    next: Option<Instant>,
    shown: bool,
}

impl Progress {
    /// The time between two changes of the line.
    pub const INTERVAL: Duration = Duration::from_millis(500);

    const FIRST: Duration = Duration::from_secs(1);

    pub fn new(quiet: bool) -> Self {
        let wanted = !quiet && is_terminal(Standard::Error);
        let next = wanted.then(|| Instant::now() + Self::FIRST);
        Progress { next, shown: false }
    }

    /// Shows the progress, if it is time to.
    pub fn show(&mut self, text: fmt::Arguments<'_>) {
        if let Some(next) = self.next.filter(|next| *next <= Instant::now()) {
            // Without a reader there is no progress to show.
            let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
            self.next = Some(next + Self::INTERVAL);
            self.shown = true;
        }
    }

    /// Removes the line.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
