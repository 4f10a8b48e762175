//! `cargo xtask mutants`: break the source in every small way, and see a test fail each time.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::{self, Outcome};

/// Break the source in every small way, and see that a test fails each time
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the groups whose name contains this; all of them where it is left out
    group: Option<String>,
    /// Print the groups, their files and their tests, and run nothing
    #[arg(long)]
    list: bool,
}

/// The tool, in the version that was tried; it is built under target/ when it is not there.
const VERSION: &str = "27.1.0";

/// The mutants that no test can catch, each with its reason.
const ACCEPTED: &str = "xtask/mutants-accepted.txt";

/// Files, and the tests that are meant to hold them. All tests for each mutant would take a day.
struct Group {
    name: &'static str,
    files: &'static [&'static str],
    tests: &'static [&'static str],
}

const GROUPS: [Group; 8] = [
    Group {
        name: "reactor",
        files: &[
            "src/accept.rs",
            "src/epoll.rs",
            "src/reactor/*.rs",
            "src/slab.rs",
            "src/sys/epoll.rs",
            "src/sys/signal.rs",
        ],
        tests: &["--lib", "--test=epoll", "--test=reactor*"],
    },
    Group {
        name: "server",
        files: &["src/server/*.rs", "src/sys/process.rs"],
        tests: &[
            "--doc",
            "--test=server",
            "--test=server_files",
            "--test=server_isolated",
            "--test=server_matrix",
            "--test=server_packets",
            "--test=server_panics",
            "--test=server_short",
            "--test=server_streams",
        ],
    },
    Group {
        name: "byte_order",
        files: &["src/byte_order.rs"],
        tests: &["--doc", "--test=byte_order"],
    },
    Group {
        name: "select",
        files: &[
            "src/fd_set.rs",
            "src/select.rs",
            "src/sys/fd_set.rs",
            "src/sys/select.rs",
            "src/sys/words.rs",
        ],
        tests: &[
            "--test=fd_set",
            "--test=limits",
            "--test=no_heap",
            "--test=readiness",
            "--test=select",
            "--test=signals",
            "--test=timeouts",
        ],
    },
    Group {
        name: "poll",
        files: &["src/poll.rs", "src/poll_set.rs", "src/sys/poll.rs"],
        tests: &[
            "--test=limits",
            "--test=no_heap",
            "--test=poll",
            "--test=poll_set",
            "--test=readiness",
            "--test=signals",
            "--test=timeouts",
        ],
    },
    Group {
        name: "time",
        files: &["src/timeout.rs", "src/sys/time.rs", "src/sys/mod.rs"],
        tests: &["--lib", "--test=signals", "--test=timeouts", "--test=socket"],
    },
    Group {
        name: "socket",
        files: &[
            "src/addr.rs",
            "src/addr/*.rs",
            "src/socket.rs",
            "src/socket/*.rs",
            "src/sys/addr.rs",
            "src/sys/socket.rs",
        ],
        tests: &[
            "--lib",
            "--test=addr",
            "--test=contract",
            "--test=socket",
            "--test=socket_connect",
            "--test=socket_isolated",
            "--test=socket_transfer",
        ],
    },
    Group {
        name: "sockopt",
        files: &["src/sockopt/*.rs", "src/sys/sockopt.rs"],
        tests: &["--lib", "--test=contract", "--test=sockopt*"],
    },
];

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Outcome {
    let part = arguments.group.as_deref().unwrap_or_default();
    let groups: Vec<&Group> = GROUPS.iter().filter(|group| group.name.contains(part)).collect();
    if groups.is_empty() {
        return Err(format!("no group has `{part}` in its name; --list shows them").into());
    }
    if arguments.list {
        for group in groups {
            println!("{}: {} by {}", group.name, group.files.join(" "), group.tests.join(" "));
        }
        return Ok(());
    }
    let tool = installed(root)?;
    let accepted = accepted(&fs::read_to_string(root.join(ACCEPTED))?)?;
    let mut survivors = BTreeSet::new();
    for group in &groups {
        println!("\n==> mutants of {}", group.name);
        let output = root.join("target/mutants").join(group.name);
        fs::create_dir_all(&output)?;
        let mut command = Command::new(&tool);
        // The time limit is for mutants that loop: the tests take seconds.
        command.current_dir(root).args(["mutants", "--timeout=45", "--colors=never", "--output"]);
        command.arg(&output);
        // Most of the time goes into linking, and nobody debugs these programs.
        command.envs([("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_PROFILE_TEST_DEBUG", "0")]);
        for file in group.files {
            command.args(["--file", file]);
        }
        command.args(["--", "--package=readysock"]).args(group.tests);
        // 2 is its status where a mutant survived, 3 where one ran into the time limit, which is caught.
        if let Err(problem) = steps::run(&mut command) {
            let done = output.join("mutants.out/outcomes.json").exists();
            let status = problem.to_string();
            if !done || !(status.ends_with("status: 2") || status.ends_with("status: 3")) {
                return Err(problem);
            }
        }
        let missed = fs::read_to_string(output.join("mutants.out/missed.txt"))?;
        survivors.extend(missed.lines().map(without_place));
    }
    judge(&survivors, &accepted, part.is_empty())
}

/// A survivor that is not accepted is a failure; so is an acceptance that nothing needs any more.
fn judge(survivors: &BTreeSet<String>, accepted: &BTreeSet<String>, all: bool) -> Outcome {
    let new: Vec<&String> = survivors.difference(accepted).collect();
    let stale: Vec<&String> =
        if all { accepted.difference(survivors).collect() } else { Vec::new() };
    println!("\n{} survived, {} of them accepted", survivors.len(), survivors.len() - new.len());
    let list = |what: &str, lines: &[&String]| -> String {
        lines.iter().map(|line| format!("\n{what}: {line}")).collect()
    };
    match (new.as_slice(), stale.as_slice()) {
        ([], []) => Ok(()),
        _ => Err(format!(
            "kill each with a test, or list it in {ACCEPTED} with the reason:{}{}",
            list("survived", &new),
            list("accepted, but caught", &stale)
        )
        .into()),
    }
}

/// `src/poll.rs:12:34: replace x with y` without line and column, which every edit above it moves.
fn without_place(line: &str) -> String {
    let mut parts = line.splitn(4, ':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(file), Some(_), Some(_), Some(what)) => format!("{file}:{what}"),
        _ => line.to_owned(),
    }
}

/// The accepted mutants; the lines that begin with `#` before each say why.
fn accepted(text: &str) -> Result<BTreeSet<String>, String> {
    let mut reason = false;
    let mut accepted = BTreeSet::new();
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() {
            reason = false;
        } else if line.starts_with('#') {
            reason = true;
        } else if reason {
            accepted.insert(line.to_owned());
        } else {
            return Err(format!("{ACCEPTED}:{}: a mutant without a reason", number + 1));
        }
    }
    Ok(accepted)
}

fn installed(root: &Path) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let folder = root.join("target/tools");
    let tool = folder.join("bin/cargo-mutants");
    let version = Command::new(&tool).args(["mutants", "--version"]).output();
    let there =
        version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(VERSION));
    if !there {
        println!("==> building cargo-mutants {VERSION} under target/tools, once");
        let mut install = steps::cargo();
        install.args(["install", "cargo-mutants", "--locked", "--version", VERSION, "--root"]);
        steps::run(install.arg(&folder))?;
    }
    Ok(tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(lines: &[&str]) -> BTreeSet<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_survivor_is_a_failure_unless_it_is_accepted() {
        judge(&set(&[]), &set(&[]), true).expect("nothing survived");
        judge(&set(&["a"]), &set(&["a"]), true).expect("it is accepted");
        let problem = judge(&set(&["a", "b"]), &set(&["a"]), true).expect_err("b survived");
        assert!(problem.to_string().ends_with("\nsurvived: b"), "{problem}");
        let problem = judge(&set(&[]), &set(&["a"]), true).expect_err("a is caught by now");
        assert!(problem.to_string().ends_with("\naccepted, but caught: a"), "{problem}");
        judge(&set(&[]), &set(&["a"]), false).expect("a may be in a group that did not run");
    }

    #[test]
    fn an_accepted_mutant_has_a_reason() {
        let text = "# Because.\nsrc/a.rs: one\nsrc/a.rs: two\n\n# Why not.\nsrc/b.rs: three\n";
        let expected = set(&["src/a.rs: one", "src/a.rs: two", "src/b.rs: three"]);
        assert_eq!(accepted(text), Ok(expected));
        let problem = accepted("# Because.\nsrc/a.rs: one\n\nsrc/a.rs: two\n");
        assert!(problem.is_err_and(|text| text.contains(":4: ")));
    }

    #[test]
    fn a_mutant_is_known_without_its_place() {
        let line = "src/a.rs:12:3: replace f -> u8 with 0";
        assert_eq!(without_place(line), "src/a.rs: replace f -> u8 with 0");
    }

    #[test]
    fn every_file_is_in_a_group() {
        let root = crate::root();
        let in_a_group = |file: &str| {
            GROUPS.iter().flat_map(|group| group.files).any(|pattern| {
                match pattern.split_once('*') {
                    Some((start, end)) => file.starts_with(start) && file.ends_with(end),
                    None => *pattern == file,
                }
            })
        };
        let mut folders = vec![root.join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let file = path.strip_prefix(root).expect("below the root").display().to_string();
                // No functions, or only those of tests.
                let without =
                    ["src/lib.rs", "src/man.rs", "src/must_not_compile.rs", "src/addr/tests.rs"];
                assert!(in_a_group(&file) || without.contains(&file.as_str()), "{file}");
            }
        }
    }
}
