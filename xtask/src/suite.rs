//! A run of the test suite, watched: how many passed, and what said that it cannot be tested there.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, PipeReader};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::steps::{self, Outcome};

/// What became of one run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Where or how it ran.
    pub(crate) way: String,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// What a test said after `skipped: `, and how often.
    pub(crate) skipped: BTreeMap<String, usize>,
    pub(crate) time: Duration,
    /// Of all processors together.
    pub(crate) worked: Duration,
    /// cargo's own exit status was not 0.
    pub(crate) broken: bool,
    /// It could not be run here, and said why.
    pub(crate) left_out: bool,
}

/// Runs a `cargo test`, shows all of it but the lines of the tests that pass, and counts.
pub(crate) fn watch(mut command: Command, way: &str) -> Result<Report, Box<dyn Error>> {
    let shown = steps::shown(&command);
    println!("    {shown}");
    let (start, worked) = (Instant::now(), steps::processor_time());
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().map_err(|error| format!("{shown}: {error}"))?;
    // It holds the writing end, without which the reading ends.
    drop(command);
    let mut report = Report { way: way.to_owned(), ..Report::default() };
    read(reader, &mut report)?;
    report.broken = !child.wait()?.success();
    (report.time, report.worked) = (start.elapsed(), steps::processor_time() - worked);
    Ok(report)
}

fn read(pipe: PipeReader, report: &mut Report) -> Outcome {
    for line in BufReader::new(pipe).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        if report.note(&line) {
            println!("{line}");
        }
    }
    Ok(())
}

impl Report {
    pub(crate) fn not_run(reason: &str) -> Self {
        println!("skipped: {reason}");
        let skipped = [(reason.to_owned(), 1)].into();
        Self { way: "not run".to_owned(), skipped, left_out: true, ..Self::default() }
    }

    /// Takes a line of the output in; whether it is worth showing.
    fn note(&mut self, line: &str) -> bool {
        // A test that says so in the middle of a line: the harness had begun to print its own.
        if let Some((_, reason)) = line.split_once("skipped: ") {
            *self.skipped.entry(reason.trim().to_owned()).or_default() += 1;
        } else if let Some(rest) = line.strip_prefix("test result: ") {
            for part in rest.split(['.', ';']) {
                match part.trim().split_once(' ') {
                    Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                    Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                    _ => {}
                }
            }
        }
        !(line.is_empty() || line.starts_with("running ") || is_pass(line))
    }
}

/// The tests that start the example programs, with their megabytes and their 500 clients; those have no unsafe code.
pub(crate) const EXAMPLES: &str = "tests/examples";

/// The crate's other tests, as cargo takes them.
pub(crate) fn without_examples(root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut tests = vec!["--lib".to_owned()];
    for entry in fs::read_dir(root.join("tests"))? {
        let path = entry?.path();
        // A test is a file, or a folder with a main.rs.
        let is_test =
            path.extension().is_some_and(|kind| kind == "rs") || path.join("main.rs").exists();
        if is_test && path != root.join(EXAMPLES) {
            tests.push(format!("--test={}", path.file_stem().unwrap_or_default().display()));
        }
    }
    tests.sort();
    Ok(tests)
}

fn is_pass(line: &str) -> bool {
    line.starts_with("test ") && line.ends_with("... ok")
}

/// One line for each run, and below it what was not tested there. An error names the runs that failed, and those
/// in which there was no test: a name was wrong, or what should have run did not.
pub(crate) fn conclude(reports: &[(String, Report)]) -> Outcome {
    let [way, passed, failed, time, worked] = ["run by", "passed", "failed", "seconds", "worked"];
    println!("\n{:18} {way:22} {passed:>6} {failed:>6} {time:>9} {worked:>9}", "");
    for (name, report) in reports {
        let Report { way, passed, failed, .. } = report;
        let [time, worked] = [report.time, report.worked].map(|time| time.as_secs_f64());
        println!("{name:18} {way:22} {passed:6} {failed:6} {time:9.1} {worked:9.1}");
        for (reason, times) in &report.skipped {
            println!(
                "    skipped: {reason}{}",
                if *times > 1 { format!(" ({times} times)") } else { String::new() }
            );
        }
    }
    let names = |chosen: fn(&Report) -> bool| -> Vec<&str> {
        let chosen = reports.iter().filter(|(_, report)| chosen(report));
        chosen.map(|(name, _)| name.as_str()).collect()
    };
    let failed = names(|report| report.broken || report.failed > 0);
    let empty =
        names(|report| !report.left_out && !report.broken && report.passed + report.failed == 0);
    if !failed.is_empty() {
        return Err(format!("failed: {}", failed.join(", ")).into());
    }
    if !empty.is_empty() {
        return Err(format!("no test has run: {}", empty.join(", ")).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_prints_is_counted() {
        let mut report = Report::default();
        let text = "running 3 tests
test one ... ok
test two ... skipped: no such thing here
test three ... FAILED
skipped: no such thing here

test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.05s
test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.05s";
        let shown: Vec<&str> = text.lines().filter(|line| report.note(line)).collect();
        assert_eq!(shown.len(), 5, "{shown:?}");
        assert_eq!((report.passed, report.failed), (7, 1));
        assert_eq!(report.skipped, [("no such thing here".to_owned(), 2)].into());
    }

    #[test]
    fn all_tests_but_those_of_the_examples() {
        let tests = without_examples(crate::root()).expect("the tests");
        let there = |name: &str| tests.iter().any(|test| test == name);
        assert!(there("--lib") && there("--test=select") && there("--test=reactor"), "{tests:?}");
        assert!(!there("--test=examples") && !there("--test=support"), "{tests:?}");
        assert!(crate::root().join(EXAMPLES).join("main.rs").exists());
    }

    #[test]
    fn a_run_that_fails_is_named() {
        let run = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            watch(command, "sh").expect("sh runs")
        };
        let good = run("echo 'test result: ok. 1 passed; 0 failed'; echo 'skipped: x' >&2");
        assert_eq!((good.passed, good.skipped.len(), good.broken), (1, 1, false));
        conclude(&[("good".to_owned(), good)]).expect("nothing failed");
        let problem = conclude(&[("bad".to_owned(), run("exit 3"))]).expect_err("status 3");
        assert_eq!(problem.to_string(), "failed: bad");
        let problem = conclude(&[("empty".to_owned(), run("echo"))]).expect_err("nothing ran");
        assert_eq!(problem.to_string(), "no test has run: empty");
        conclude(&[("left out".to_owned(), Report::not_run("no such machine"))])
            .expect("it is said");
    }
}
