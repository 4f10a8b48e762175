//! Test cases that each need a process of their own: they change signals, limits or fork.
//!
//! A test binary that uses this has `harness = false`. Each case runs alone, on the main thread of
//! a child process with no other thread: a signal can only go to it, a fork copies nothing else.

use std::env;
use std::process::{Stdio, exit};

use libtest_mimic::{Arguments, Failed, Trial};

/// A name and what to run.
pub type Case = (&'static str, fn());

const CASE: &str = "READYSOCK_TEST_CASE";
/// Set by who wants to know only whether one fails: the first that does ends the run. (`cargo xtask mutants`.)
const FIRST: &str = "READYSOCK_TESTS_UNTIL_THE_FIRST_FAILURE";
/// A case that hangs is killed by its own alarm after so many seconds.
const LIMIT: u32 = 120;
/// The same, where the first failure ends the run: cases take one or two seconds, and who hangs has failed.
const LIMIT_OF_FIRST: u32 = 15;

/// Runs the cases, or, in a child, the one it was started for. A case with `process` in its name has a server that forks.
pub fn main(cases: &'static [Case]) -> ! {
    if let Ok(name) = env::var(CASE) {
        let case = cases.iter().find(|case| case.0 == name).expect("a case of this binary");
        nix::unistd::alarm::set(LIMIT);
        end_soon();
        (case.1)();
        super::faults::end();
        exit(0);
    }
    let forking = |name: &str| name.contains("process");
    let forks = !cases.iter().any(|case| forking(case.0)) || super::forks();
    let cases = cases.iter().filter(|case| forks || !forking(case.0));
    let trials = cases.map(|&(name, _)| Trial::test(name, move || in_child(name))).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Ends this process in a while where the first failure ends the run.
pub fn end_soon() {
    if env::var_os(FIRST).is_some() {
        nix::unistd::alarm::set(LIMIT_OF_FIRST);
    }
}

fn in_child(name: &str) -> Result<(), Failed> {
    let output = super::program(env::current_exe()?)
        .env(CASE, name)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    for line in stderr.lines().filter(|line| line.starts_with("skipped: ")) {
        eprintln!("{line}");
    }
    if output.status.success() {
        return Ok(());
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    let failure = format!("{}\n{stdout}{stderr}", output.status);
    if env::var_os(FIRST).is_some() {
        eprintln!("{name}: {failure}");
        exit(101);
    }
    Err(failure.into())
}
