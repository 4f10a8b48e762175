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
    /// cargo's own exit status was not 0.
    pub(crate) broken: bool,
}

/// Runs a `cargo test`, shows all of it but the lines of the tests that pass, and counts.
pub(crate) fn watch(mut command: Command, way: &str) -> Result<Report, Box<dyn Error>> {
    let shown = steps::shown(&command);
    println!("    {shown}");
    let start = Instant::now();
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().map_err(|error| format!("{shown}: {error}"))?;
    // It holds the writing end, without which the reading ends.
    drop(command);
    let mut report = Report { way: way.to_owned(), ..Report::default() };
    read(reader, &mut report)?;
    report.broken = !child.wait()?.success();
    report.time = start.elapsed();
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
        Self { way: "not run".to_owned(), skipped, ..Self::default() }
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

/// The crate's tests, as cargo takes them.
pub(crate) struct Tests {
    pub(crate) without_examples: Vec<String>,
    /// The names of those that start the example programs, with their megabytes and their 500 clients.
    pub(crate) of_examples: String,
}

pub(crate) fn tests(root: &Path) -> Result<Tests, Box<dyn Error>> {
    let (mut without_examples, mut of_examples) = (vec!["--lib".to_owned()], Vec::new());
    for entry in fs::read_dir(root.join("tests"))? {
        let path = entry?.path();
        // A test is a file, or a folder with a main.rs.
        let mut files = vec![path.clone()];
        if path.is_dir() {
            if !path.join("main.rs").exists() {
                continue;
            }
            files = fs::read_dir(&path)?.map(|one| Ok(one?.path())).collect::<io::Result<_>>()?;
        }
        let name = path.file_stem().unwrap_or_default().display().to_string();
        let mut texts = files.iter().map(fs::read_to_string);
        if texts.any(|text| text.is_ok_and(|text| text.contains("support::process::"))) {
            of_examples.push(name);
        } else {
            without_examples.push(format!("--test={name}"));
        }
    }
    without_examples.sort();
    of_examples.sort();
    Ok(Tests { without_examples, of_examples: of_examples.join(", ") })
}

fn is_pass(line: &str) -> bool {
    line.starts_with("test ") && line.ends_with("... ok")
}

/// One line for each run, and below it what was not tested there. An error names the runs that failed.
pub(crate) fn conclude(reports: &[(String, Report)]) -> Outcome {
    println!("\n{:18} {:22} {:>6} {:>6} {:>9}", "", "run by", "passed", "failed", "seconds");
    for (name, report) in reports {
        let Report { way, passed, failed, time, .. } = report;
        println!("{name:18} {way:22} {passed:6} {failed:6} {:9.1}", time.as_secs_f64());
        for (reason, times) in &report.skipped {
            println!(
                "    skipped: {reason}{}",
                if *times > 1 { format!(" ({times} times)") } else { String::new() }
            );
        }
    }
    let failed: Vec<&str> = reports
        .iter()
        .filter(|(_, report)| report.broken || report.failed > 0)
        .map(|(name, _)| name.as_str())
        .collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
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
    fn tests_that_start_the_examples_are_told_apart() {
        let tests = tests(crate::root()).expect("the tests");
        let without = |name: &str| tests.without_examples.iter().any(|test| test == name);
        assert!(without("--lib") && without("--test=select"));
        // Folders with a main.rs; support is none.
        assert!(without("--test=reactor") && without("--test=sockopt_table"));
        assert!(!without("--test=support") && !without("--test=examples"));
        assert_eq!(tests.of_examples, "examples, reactor_load");
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
    }
}
