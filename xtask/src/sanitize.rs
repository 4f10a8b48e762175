//! `cargo xtask sanitize`: the tests under the address sanitizer and under valgrind.
//!
//! The sanitizer sees every access of the program's own, and none of the kernel's: it does not know what a raw system
//! call reads and writes. Valgrind does, and counts descriptors.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use clap::ValueEnum;

use crate::steps::{self, Outcome, Step};
use crate::suite::{self, Report};
use crate::tools::{self, Unstable};

/// Run the tests under the address sanitizer and under valgrind
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only under this; under both where it is left out
    #[arg(value_enum)]
    tool: Option<Tool>,
    /// What to pass on to `cargo test`
    #[arg(last = true)]
    test: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tool {
    /// The address sanitizer: what the program itself reads and writes, and leaks
    Address,
    /// Memory that goes into and comes out of system calls, and descriptors that stay open
    Valgrind,
}

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Outcome {
    let chosen: Vec<&Tool> = Tool::value_variants()
        .iter()
        .filter(|tool| arguments.tool.is_none_or(|only| only == **tool))
        .collect();
    // Before the sanitizer's minutes, and not after.
    if chosen.contains(&&Tool::Valgrind) && !works(Command::new("valgrind").arg("--version")) {
        return Err("there is no valgrind: on Debian, `apt-get install valgrind`".into());
    }
    let mut reports = Vec::new();
    for tool in chosen {
        let name =
            tool.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        println!("\n==> {name}");
        match tool {
            Tool::Address => reports.extend(address(&arguments.test, root)?),
            Tool::Valgrind => reports.push((name, valgrind(&arguments.test, root)?)),
        }
    }
    suite::conclude(&reports)
}

/// As a step of CI.
pub(crate) fn step(name: &str, root: &Path, tool: Tool) -> Step {
    let root = root.to_owned();
    let arguments = Arguments { tool: Some(tool), test: Vec::new() };
    Step::new(name, move || run(&arguments, &root))
}

fn works(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Tests, and then what stands in the documentation: cargo does not run both with tests named.
fn address(more: &[String], root: &Path) -> Result<Vec<(String, Report)>, Box<dyn Error>> {
    let compiler = Unstable::here()?;
    let runs = if more.is_empty() {
        println!("    left out, for the example programs have no unsafe code: {}", suite::EXAMPLES);
        let doc = vec!["--doc".to_owned()];
        vec![("address", suite::without_examples(root)?), ("address, docs", doc)]
    } else {
        vec![("address", more.to_vec())]
    };
    runs.into_iter()
        .map(|(name, tests)| Ok((name.to_owned(), address_of(&compiler, &tests, root)?)))
        .collect()
}

/// The flag of the compiler.
pub(crate) const ADDRESS: &str = "-Zsanitizer=address";

fn address_of(
    compiler: &Unstable,
    tests: &[String],
    root: &Path,
) -> Result<Report, Box<dyn Error>> {
    let debug = tools::debug_information("DEV");
    let mut command = compiler.cargo("test");
    command.current_dir(root).args(["--locked", "--no-fail-fast", "--package", "readysock"]);
    command
        .args(tests)
        .env("CARGO_TARGET_DIR", steps::folder(root, "sanitize/address")?)
        .env(debug.0, debug.1)
        .env("RUSTFLAGS", ADDRESS)
        .env("RUSTDOCFLAGS", ADDRESS);
    suite::watch(command, "address sanitizer")
}

/// What is not run under valgrind, and why.
const NOT_UNDER_VALGRIND: [(&str, &str); 2] = [
    ("reactor", "some cases are about times too short for it, or keep descriptors on purpose"),
    (
        "server_isolated",
        "half of the time for what the address sanitizer looks at: servers have no unsafe code, and tests/server is run",
    ),
];

/// What the tests start and is not ours. Not all of /usr: the project may lie in /usr/src, and the cases with a process of
/// their own would not be looked at.
const NOT_OURS: &str =
    "--trace-children-skip=/usr/bin/*,/usr/sbin/*,/usr/local/bin/*,/bin/*,/sbin/*,*/python3*";

fn valgrind(more: &[String], root: &Path) -> Result<Report, Box<dyn Error>> {
    let place = steps::folder(root, "sanitize/valgrind")?;
    let logs = place.join("logs");
    if logs.exists() {
        fs::remove_dir_all(&logs)?;
    }
    fs::create_dir_all(&logs)?;
    let log = format!("--log-file={}/%p", logs.display());
    let runner = [
        "valgrind",
        "--quiet",
        "--trace-children=yes",
        NOT_OURS,
        // A fork that starts nothing is a test's own, and leaves by _exit with all that was open.
        "--child-silent-after-fork=yes",
        "--track-fds=yes",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite",
        "--show-leak-kinds=definite",
        "--error-exitcode=99",
        &log,
    ];
    let runner: Vec<String> = runner.iter().map(|word| format!("{word:?}")).collect();
    let mut command = steps::cargo();
    command.current_dir(root);
    command.args(["test", "--locked", "--no-fail-fast", "--package", "readysock"]);
    command.arg("--config");
    command.arg(format!("target.'cfg(target_os = \"linux\")'.runner=[{}]", runner.join(",")));
    if more.is_empty() {
        println!("    left out, too slow under valgrind: {}", suite::EXAMPLES);
        for (test, reason) in NOT_UNDER_VALGRIND {
            println!("    skipped: tests/{test}: {reason}");
        }
        let left_out = NOT_UNDER_VALGRIND.map(|(test, _)| format!("--test={test}"));
        let tests = suite::without_examples(root)?;
        command.args(tests.iter().filter(|test| !left_out.contains(test)));
    }
    command.args(more).env("READYSOCK_EMULATED", "1").env("PROPTEST_CASES", "16");
    let mut report = suite::watch(command, "valgrind")?;
    let logs: Vec<PathBuf> =
        fs::read_dir(&logs)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    // One for each process, also where it has nothing to say. A runner that the user has set goes before ours.
    if logs.len() < report.passed.min(2) {
        return Err(
            "valgrind has written no logs: is another runner set in cargo's configuration?".into(),
        );
    }
    for path in logs {
        let said = complaints(&fs::read_to_string(&path)?);
        if !said.is_empty() {
            println!("\n{}:\n{said}", path.display());
            report.failed += 1;
        }
    }
    Ok(report)
}

/// Lines that say nothing of the program. To a call that valgrind does not know it answers ENOSYS, as an older kernel does.
const NO_COMPLAINTS: [&str; 6] = [
    " FILE DESCRIPTORS: ",
    " WARNING: unhandled ",
    " You may be able to write your own handler.",
    " Read the file README_MISSING_SYSCALL_OR_IOCTL.",
    " Nevertheless we consider this a bug.",
    " it at http://valgrind.org/",
];

/// What is left of a log without the descriptors that the process was started with.
fn complaints(log: &str) -> String {
    // Each line starts with `==PROCESS==`, or `--PROCESS--` for valgrind's own remarks.
    let lines = log.lines().map(|line| line.splitn(5, ['=', '-']).nth(4).unwrap_or("").trim_end());
    let text: Vec<&str> =
        lines.filter(|line| !NO_COMPLAINTS.iter().any(|no| line.starts_with(no))).collect();
    let blocks = text.split(|line| line.is_empty()).filter(|block| !block.is_empty());
    let wrong = blocks.filter(|block| {
        let descriptor = block.first().is_some_and(|line| line.starts_with(" Open "));
        !(descriptor && block.iter().any(|line| line.contains("<inherited from parent>")))
    });
    wrong.map(|block| block.join("\n")).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::complaints;

    const QUIET: &str = "==12== FILE DESCRIPTORS: 9 open (3 std) at exit.
==12== Open file descriptor 10: /dev/null
==12==    <inherited from parent>
==12== 
";

    #[test]
    fn what_was_inherited_is_no_complaint() {
        assert_eq!(complaints(QUIET), "");
        assert_eq!(complaints(""), "");
    }

    #[test]
    fn what_valgrind_does_not_know_is_none() {
        let text = "--12-- WARNING: unhandled amd64-linux syscall: 434
--12-- You may be able to write your own handler.
--12-- Read the file README_MISSING_SYSCALL_OR_IOCTL.
--12-- Nevertheless we consider this a bug.  Please report
--12-- it at http://valgrind.org/support/bug_reports.html.
";
        assert_eq!(complaints(&format!("{text}{QUIET}")), "");
        let leak = "==12== Open AF_UNIX socket 8: <unknown>\n";
        assert!(complaints(&format!("{text}{leak}")).contains("AF_UNIX"));
    }

    #[test]
    fn a_leak_and_an_error_are() {
        let leak = "==12== Open AF_UNIX socket 8: <unknown>\n==12==    at 0x1: accept4 (accept4.c:31)\n==12== \n";
        let error = "==12== Syscall param ppoll(ufds.fd) points to uninitialised byte(s)\n==12==    at 0x1: x\n==12== \n";
        let said = complaints(&format!("{QUIET}{leak}{error}"));
        assert!(
            said.contains("AF_UNIX") && said.contains("ppoll") && !said.contains("/dev/null"),
            "{said}"
        );
    }
}
