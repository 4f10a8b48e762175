//! What several test binaries need. Not every binary uses all of it.
#![allow(dead_code)]

pub mod calls;
pub mod epoll;
pub mod faults;
pub mod fds;
pub mod isolated;
pub mod netns;
pub mod options;
pub mod process;
pub mod says;
pub mod servers;
pub mod sockets;
pub mod ticks;
pub mod waits;

use std::env;
use std::ffi::OsStr;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// What a program of another machine is run by (`cargo xtask cross` sets it), as a path.
const RUNNER: &str = "READYSOCK_RUNNER";

/// Whether an emulator stands between the tests and the kernel: qemu, valgrind. Only there may a test skip what the
/// kernel does and the emulator was seen not to do.
pub fn emulated() -> bool {
    env::var_os(RUNNER).is_some() || env::var_os("READYSOCK_EMULATED").is_some()
}

/// Whether a server may fork here. False, and said, under qemu-user: that has a thread of its own in every process, and a
/// server refuses to fork beside other threads.
pub fn forks() -> bool {
    let forks = env::var_os(RUNNER).is_none();
    if !forks {
        skipped("servers with processes: the emulator has a thread of its own in each process");
    }
    forks
}

/// What this thread has used so far. By a call that has one number on every kernel: that of the clocks has a second one, with 64 bits.
pub fn cpu_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let used = [usage.user_time(), usage.system_time()].map(|time| time.num_microseconds());
    Duration::from_micros(used.iter().sum::<i64>().unsigned_abs())
}

/// As many cases of a property as asked for, or fewer where PROPTEST_CASES says that each is dear: it is
/// otherwise a default only.
pub fn cases(number: u32) -> u32 {
    let most = env::var("PROPTEST_CASES").ok().and_then(|most| most.parse().ok());
    most.map_or(number, |most| number.min(most))
}

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
    // In one piece, or another test's line would come between.
    let _ = std::io::stderr().write_all(format!("skipped: {reason}\n").as_bytes());
}
