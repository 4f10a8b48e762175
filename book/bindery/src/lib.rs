//! Makes the book's pages and keeps them true.
//!
//! In a chapter, a line of its own in double braces stands for something that is made, not typed:
//!
//! ```text
//! {{example NAME}}                    where it is, and its command; this page is the example's home
//! {{code NAME ANCHOR}}                a part of an example's source
//! {{transcript NAME}}                 a recorded run
//! {{trace NAME from TEXT to TEXT}}    a recorded run with its system calls, or a part of it; then notes as a list,
//! - `CALL`: what it means             each on the next call of that name (or the next line with that text), and a
//!                                     line {{end}}. `as ELEMENT` after the name: the custom element around the
//!                                     table, `theme/ELEMENT.js`, that is not `trace-steps`
//! {{fdset NAME from TEXT to TEXT}}    the sets of each select in a recorded trace, before and after
//! {{player NAME}}                     a recorded session of server and client, with the lists and the queues
//! {{listing NAME}}                    Python | C | Rust, and what they say
//! {{figure NAME}}                     a drawing, inline
//! {{plot NAME}}                       a plot with its table
//! {{exercise CHAPTER/NAME: KIND}}     then its text, and a line {{end}}
//! ```

pub mod check;
pub mod directive;
pub mod expand;
pub mod html;
pub mod plots;
pub mod render;
pub mod workspace;

use std::fmt;

/// What is wrong, and where in the book's source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Below book/src, or in the workspace where it is no chapter.
    pub file: String,
    /// From 1; 0 where it is the file as a whole.
    pub line: usize,
    pub text: String,
}

impl Problem {
    pub fn new(file: impl Into<String>, line: usize, text: impl Into<String>) -> Self {
        Self { file: file.into(), line, text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = if self.file.ends_with(".md") { "book/src/" } else { "" };
        match self.line {
            0 => write!(f, "{folder}{}: {}", self.file, self.text),
            line => write!(f, "{folder}{}:{line}: {}", self.file, self.text),
        }
    }
}
