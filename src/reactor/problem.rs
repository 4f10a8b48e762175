//! What went wrong in a reactor that goes on.

use std::fmt;
use std::io;

use crate::slab::Key;

/// Something that went wrong in a reactor that goes on: told to [`Reactor::on_problem`](super::Reactor::on_problem).
#[derive(Debug)]
#[non_exhaustive]
pub enum Problem {
    /// A connection could not be taken in; it waits, and the listener rests a little.
    Accept {
        /// Whose.
        listener: Key,
        /// Mostly `EMFILE`: no descriptor was left.
        error: io::Error,
    },
    /// A listener or another source does not work any more, and was removed.
    Broken {
        /// Which.
        source: Key,
        /// Why.
        error: io::Error,
    },
    /// A callback panicked: that of a source, which has lost its connection or goes on, or of a timer or a posted call.
    Panic {
        /// Whose, if it was a source's.
        source: Option<Key>,
        /// What the panic said.
        text: String,
    },
}

/// As in `accept: Too many open files (os error 24)`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Accept { error, .. } => write!(f, "accept: {error}"),
            Problem::Broken { error, .. } => write!(f, "a source is broken: {error}"),
            Problem::Panic { text, .. } => write!(f, "panic: {text}"),
        }
    }
}
