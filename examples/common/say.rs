//! One event, one line.

use std::fmt::{self, Display};
use std::io::{self, ErrorKind, Write as _};

/// Standard output, a whole line at a time. In a program that runs both ends each has its prefix.
#[derive(Clone, Copy)]
pub struct Say {
    prefix: &'static str,
}

impl Say {
    pub fn plain() -> Self {
        Self { prefix: "" }
    }

    /// For one end of two: `server | ` or `client | `.
    pub fn with_prefix(prefix: &'static str) -> Self {
        Self { prefix }
    }

    /// Says what happened. An error here is no socket's: it has a text and no errno.
    pub fn line(self, line: impl Display) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{}{line}", self.prefix)
            .map_err(|error| super::explain("cannot write to standard output", &error, ""))
    }

    /// Says on standard error what went wrong. (`eprintln!` would panic where that is closed.)
    pub fn problem(self, line: impl Display) {
        let _ = writeln!(io::stderr().lock(), "{}{line}", self.prefix);
    }
}

/// Whether it was [`Say::line`] that failed, because nobody reads on (`| head`). A socket's broken pipe has an errno.
pub(super) fn nobody_listens(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe && error.raw_os_error().is_none()
}

/// Bytes from the wire, shown on one line: what is not text, and what would move the cursor, as escapes.
pub struct Text<'a>(pub &'a [u8]);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for part in chunk.valid().split_inclusive(char::is_control) {
                let plain = part.trim_end_matches(char::is_control);
                write!(f, "{plain}{}", part[plain.len()..].escape_default())?;
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}
