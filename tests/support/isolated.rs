//! Test cases that each need a process of their own: they change signals, limits or fork.
//!
//! A test binary that uses this has `harness = false`. Each case runs alone, on the main thread of
//! a child process with no other thread: a signal can only go to it, a fork copies nothing else.

use std::process::{Stdio, exit};
use std::sync::Once;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use libtest_mimic::{Arguments, Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A name and what to run.
pub type Case = (&'static str, fn());

const CASE: &str = "READYSOCK_TEST_CASE";
/// Set by who wants to know only whether one fails: the first that does ends the run. (`cargo xtask mutants`.)
const FIRST: &str = "READYSOCK_TESTS_UNTIL_THE_FIRST_FAILURE";
/// A case that hangs is killed by its own alarm after so many seconds.
const LIMIT: u32 = 120;
/// Where the first failure ends the run, who hangs has failed: who has used so much time of the processor, which is
/// several times what a case takes, or none for so long. On a busy machine the time of the clock says little.
const LIMIT_OF_WORK: Duration = Duration::from_secs(15);
const LIMIT_OF_REST: Duration = Duration::from_secs(10);

/// Runs the cases of each file, with its name before theirs.
pub fn suites(suites: &[(&str, &[Case])]) -> ! {
    let cases = suites.iter().flat_map(|(file, cases)| {
        // As long as the program, like the names of the others.
        cases.iter().map(move |(name, run)| (&*format!("{file}::{name}").leak(), *run))
    });
    main(cases.collect::<Vec<Case>>().leak())
}

/// Runs the cases, or, in a child, the one it was started for. A case with `process` in its name has a server that forks.
pub fn main(cases: &'static [Case]) -> ! {
    if let Ok(name) = env::var(CASE) {
        let case = cases.iter().find(|case| case.0 == name).expect("a case of this binary");
        nix::unistd::alarm::set(LIMIT);
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

/// Whether the first failure ends the run.
pub fn until_the_first_failure() -> bool {
    env::var_os(FIRST).is_some()
}

/// For cases without a process of their own: where the first failure ends the run, this one is killed once they hang.
pub fn end_soon() {
    static WATCHED: Once = Once::new();
    if until_the_first_failure() && env::var_os(CASE).is_none() {
        WATCHED.call_once(|| {
            thread::spawn(|| {
                let (_ends_only_with_the_process, end) = mpsc::channel();
                kill_if_it_hangs(std::process::id(), &end);
            });
        });
    }
}

fn in_child(name: &str) -> Result<(), Failed> {
    let child = super::program(env::current_exe()?)
        .env(CASE, name)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (ended, end) = mpsc::channel::<()>();
    if until_the_first_failure() {
        let id = child.id();
        thread::spawn(move || kill_if_it_hangs(id, &end));
    }
    let output = child.wait_with_output()?;
    drop(ended);
    let stderr = String::from_utf8_lossy(&output.stderr);
    for line in stderr.lines().filter(|line| line.starts_with("skipped: ")) {
        eprintln!("{line}");
    }
    if output.status.success() {
        return Ok(());
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    let failure = format!("{}\n{stdout}{stderr}", output.status);
    if until_the_first_failure() {
        eprintln!("{name}: {failure}");
        exit(101);
    }
    Err(failure.into())
}

/// Looks at a process until it has ended.
fn kill_if_it_hangs(id: u32, end: &Receiver<()>) {
    let (mut worked, mut since) = (Duration::ZERO, Instant::now());
    while end.recv_timeout(Duration::from_millis(500)) == Err(RecvTimeoutError::Timeout) {
        let Some(work) = time_of_processor(id) else { return };
        if work != worked {
            (worked, since) = (work, Instant::now());
        }
        if worked >= LIMIT_OF_WORK || since.elapsed() >= LIMIT_OF_REST {
            let process = Pid::from_raw(id.try_into().expect("a process's number"));
            let _ = kill(process, Signal::SIGKILL);
            return;
        }
    }
}

/// A process's, and that of its children which have ended: fields 14 to 17 of proc_pid_stat(5), in hundredths of a second.
fn time_of_processor(id: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, after_name) = text.rsplit_once(')')?;
    let ticks = after_name.split_whitespace().skip(11).take(4);
    let ticks: u64 = ticks.filter_map(|number| number.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(10 * ticks))
}
