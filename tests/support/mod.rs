//! What several test binaries need. Not every binary uses all of it.
#![allow(dead_code)]

pub mod fds;
pub mod isolated;
pub mod netns;
pub mod options;
pub mod process;
pub mod sockets;

use std::io::Write;

/// Says, where `cargo test` cannot capture it, that a test (or a part of one) did not run and why.
pub fn skipped(reason: &str) {
    // Not eprintln!: that is swallowed while the test passes, and a skip must be seen.
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}
