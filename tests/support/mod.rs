//! What several test binaries need. Not every binary uses all of it.
#![allow(dead_code)]

pub mod fds;
pub mod isolated;
pub mod sockets;

use std::env;
use std::ffi::OsStr;
use std::io::Write;
use std::process::Command;

/// What a program of another machine is run by (`cargo xtask cross` sets it), as a path.
const RUNNER: &str = "READYSOCK_RUNNER";

/// A command that starts a program built together with this test: by the emulator that runs the
/// test itself, if one does, for the kernel beneath cannot start it.
pub fn program(path: impl AsRef<OsStr>) -> Command {
    match env::var_os(RUNNER) {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.arg(path);
            command
        }
        None => Command::new(path),
    }
}

/// Says, where `cargo test` cannot capture it, that a test (or a part of one) did not run and why.
pub fn skipped(reason: &str) {
    // Not eprintln!: that is swallowed while the test passes, and a skip must be seen.
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}
