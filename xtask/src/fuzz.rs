//! `cargo xtask fuzz`: the targets of `fuzz/`, under the address sanitizer, for a time.
//!
//! What a target finds stays in `target/fuzz/corpus`, and the next run goes on from there.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::sanitize;
use crate::steps::{self, Outcome, Step};
use crate::tools::{self, Unstable};

/// Run the fuzz targets, which are programs that try to break the crate by random input
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the targets whose name contains this; all of them where it is left out
    target: Option<String>,
    /// How long each of them runs
    // What libFuzzer keeps in an int; to it, 0 is for ever.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=0x7FFF_FFFF))]
    seconds: u32,
    /// How many of them run at once; as many as there are processors where it is left out
    #[arg(long)]
    at_once: Option<NonZeroUsize>,
    /// Print the names of the targets and run nothing
    #[arg(long)]
    list: bool,
}

/// What `cargo fuzz build` gives the compiler: which edges of the program are taken is counted, and what is compared
/// is noted. That tool alone takes longer to build than the targets.
const FLAGS: [&str; 11] = [
    sanitize::ADDRESS,
    "-Cdebug-assertions",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-sanitizer-coverage-stack-depth",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
];

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Outcome {
    let part = arguments.target.as_deref().unwrap_or_default();
    let mut names = targets(root)?;
    names.retain(|name| name.contains(part));
    if names.is_empty() {
        return Err(format!("no target has `{part}` in its name; --list shows them").into());
    }
    if arguments.list {
        names.iter().for_each(|name| println!("{name}"));
        return Ok(());
    }
    let programs = build(root)?;
    let place = steps::folder(root, "fuzz")?;

    let mut reports = Vec::new();
    let at_once = arguments.at_once.or_else(|| thread::available_parallelism().ok());
    for some in names.chunks(at_once.map_or(1, usize::from)) {
        println!("==> {} for {} s", some.join(", "), arguments.seconds);
        // All are ended before the first problem is told: none goes on by itself.
        let started: Vec<_> = some
            .iter()
            .map(|name| Run::start(&programs, &place, name, arguments.seconds))
            .collect();
        let ended: Vec<_> =
            started.into_iter().map(|run| run.and_then(|run| run.finish())).collect();
        for report in ended {
            reports.push(report?);
        }
    }
    conclude(&reports)
}

/// All targets for a minute each, as a step of CI: the same minute, for each starts from nothing and has found most of what
/// it will find after a few seconds.
pub(crate) fn step(root: &Path) -> Step {
    let root = root.to_owned();
    let at_once = NonZeroUsize::new(usize::MAX);
    let arguments = Arguments { target: None, seconds: 60, at_once, list: false };
    Step::new("fuzz targets", move || run(&arguments, &root))
}

/// The targets are the files of a folder.
fn targets(root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("fuzz/fuzz_targets"))? {
        let path = entry?.path();
        // And not what an editor leaves beside them.
        let name = path.file_name().unwrap_or_default().display().to_string();
        let name = name.strip_suffix(".rs").filter(|name| !name.starts_with('.'));
        names.extend(name.map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Builds all of them; the folder of the programs.
fn build(root: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let cxx = env::var_os("CXX").unwrap_or_else(|| "c++".into());
    if Command::new(&cxx).arg("--version").output().is_err() {
        let name = cxx.display();
        return Err(format!(
            "there is no {name}, which compiles the fuzzer: on Debian, `apt-get install g++`"
        )
        .into());
    }
    let place = steps::folder(root, "fuzz")?;
    let compiler = Unstable::here()?;
    let mut command = compiler.cargo("build");
    command.current_dir(root.join("fuzz")).args(["--locked", "--release", "--target-dir"]);
    command.arg(&place);
    let debug = tools::debug_information("RELEASE");
    command.env("RUSTFLAGS", FLAGS.join(" ")).env(debug.0, debug.1);
    steps::run(&mut command)?;
    Ok(place.join(compiler.folder()).join("release"))
}

/// Each target takes hundreds of edges within a second.
const LEAST_COVERAGE: u64 = 100;

/// A target at work.
struct Run {
    name: String,
    child: Child,
    log: PathBuf,
}

struct Report {
    name: String,
    runs: u64,
    /// Edges of the program that were taken.
    coverage: u64,
    /// What it said, where it has found something.
    found: Option<String>,
}

impl Run {
    fn start(
        programs: &Path,
        place: &Path,
        name: &str,
        seconds: u32,
    ) -> Result<Run, Box<dyn Error>> {
        let corpus = place.join("corpus").join(name);
        fs::create_dir_all(&corpus)?;
        let artifacts = place.join("artifacts").join(name);
        fs::create_dir_all(&artifacts)?;
        let log = place.join(format!("{name}.log"));
        let file = File::create(&log)?;
        let mut command = Command::new(programs.join(name));
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args(["-print_final_stats=1", "-timeout=20", "-rss_limit_mb=4096"])
            .arg(&corpus)
            .env("ASAN_OPTIONS", "detect_odr_violation=0")
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
        Ok(Run { name: name.to_owned(), child, log })
    }

    fn finish(mut self) -> Result<Report, Box<dyn Error>> {
        let status = self.child.wait()?;
        let text = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
        let mut report = read(&self.name, &text);
        if !status.success() {
            report.found = Some(format!("{status}\n{}", end(&text)));
        } else if report.coverage < LEAST_COVERAGE {
            // The day that the compiler takes the flags and does nothing, the fuzzer would search blindly and find nothing.
            let problem = format!("{} edges of it counted: too few", report.coverage);
            report.found = Some(problem);
        }
        Ok(report)
    }
}

/// What libFuzzer prints, from its last line on how it gets on: `#123 DONE cov: 45 ft: 67 corp: 8/9b ...`.
fn read(name: &str, text: &str) -> Report {
    let mut report = Report { name: name.to_owned(), runs: 0, coverage: 0, found: None };
    for line in text.lines().filter_map(|line| line.strip_prefix('#')) {
        let mut words = line.split_whitespace();
        let runs = words.next().and_then(|number| number.parse().ok());
        let coverage = words.skip_while(|word| *word != "cov:").nth(1);
        if let (Some(runs), Some(coverage)) =
            (runs, coverage.and_then(|number| number.parse().ok()))
        {
            (report.runs, report.coverage) = (runs, coverage);
        }
    }
    report
}

/// The end of a log, from the panic or the sanitizer's report on, without the statistics of a search.
fn end(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let first =
        lines.iter().position(|line| line.contains("panicked at") || line.contains("ERROR: "));
    let from = first.unwrap_or(lines.len().saturating_sub(20));
    lines[from..].iter().take(60).map(|line| format!("    {line}\n")).collect()
}

fn conclude(reports: &[Report]) -> Outcome {
    println!("\n{:10} {:>10} {:>9}", "", "runs", "coverage");
    for report in reports {
        println!("{:10} {:10} {:9}", report.name, report.runs, report.coverage);
    }
    let mut failed = Vec::new();
    for report in reports {
        if let Some(found) = &report.found {
            println!("\n{}: {found}", report.name);
            failed.push(report.name.as_str());
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "INFO: Seed: 1
#2\tINITED cov: 30 ft: 31 corp: 1/1b exec/s: 0 rss: 50Mb
#95764\tDONE   cov: 985 ft: 4000 corp: 700/9Kb lim: 100 exec/s: 10640 rss: 342Mb
###### End of recommended dictionary. ######
Done 95764 runs in 9 second(s)
";

    #[test]
    fn the_last_line_counts() {
        let report = read("x", LOG);
        assert_eq!((report.runs, report.coverage), (95_764, 985));
        assert_eq!(read("x", "").runs, 0);
    }

    #[test]
    fn what_was_found_is_shown_from_its_first_line() {
        let text = format!("{LOG}thread '<unnamed>' panicked at a.rs:1:2:\nassertion failed\n");
        assert_eq!(end(&text).lines().count(), 2);
        let mut report = read("x", &text);
        report.found = Some(end(&text));
        let problem = conclude(&[read("y", LOG), report]).expect_err("one has found something");
        assert_eq!(problem.to_string(), "failed: x");
    }

    #[test]
    fn every_target_is_a_program() {
        let root = crate::root();
        let manifest = fs::read_to_string(root.join("fuzz/Cargo.toml")).expect("its manifest");
        let targets = targets(root).expect("the folder");
        assert!(targets.len() >= 4, "{targets:?}");
        for name in targets {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        }
    }
}
