//! `cargo xtask mutants`: break the source in every small way, and see a test fail each time.

mod groups;

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::{self, Outcome};
use crate::tools::Tool;
use groups::{GROUPS, Group};

/// Break the source in every small way, and see that a test fails each time
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the group of this name, or those whose name contains this; all of them where it is left out
    group: Option<String>,
    /// Leave out what the last run of a group has caught: for the time in which tests are written
    #[arg(long)]
    again: bool,
    /// Only in lines that have changed since this commit; the table of counts stays as it is
    #[arg(long, value_name = "COMMIT", conflicts_with = "again")]
    since: Option<String>,
    /// Print the groups, their files and their tests, and run nothing
    #[arg(long)]
    list: bool,
}

/// The tool, in the version that was tried; it is built under target/ when it is not there.
const TOOL: Tool = Tool {
    name: "cargo-mutants",
    version: "27.1.0",
    say_version: &["mutants", "--version"],
    only: None,
};

/// A file system in memory: half of the time would be writing programs that run once. And what has to be free in it, for four
/// trees with what is built of each.
const MEMORY: (&str, u64) = ("/dev/shm", 4 << 30);

/// The mutants that no test can catch, each with its reason.
const ACCEPTED: &str = "xtask/mutants-accepted.txt";

/// How many there are and what became of them; a run rewrites the lines of its groups.
const COUNTS: &str = "xtask/mutants-counts.txt";

/// In seconds, for mutants that loop where no case is stopped: more than all cases take on a busy machine.
const LIMIT: u32 = 180;

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Outcome {
    let part = arguments.group.as_deref().unwrap_or_default();
    // `poll` is a part of `epoll`, and means itself.
    let whole_name = GROUPS.iter().any(|group| group.name == part);
    let named = |group: &&Group| group.name == part || (!whole_name && group.name.contains(part));
    let groups: Vec<&Group> = GROUPS.iter().filter(named).collect();
    if groups.is_empty() {
        return Err(format!("no group has `{part}` in its name; --list shows them").into());
    }
    if arguments.list {
        for group in groups {
            println!("{}: {} by {}", group.name, group.files.join(" "), group.tests.join(" "));
        }
        return Ok(());
    }
    let tool = TOOL.installed(root)?;
    let accepted = accepted(&fs::read_to_string(root.join(ACCEPTED))?)?;
    let diff = arguments.since.as_ref().map(|commit| diff(root, commit)).transpose()?;
    let (mut survivors, mut table) = (Vec::new(), String::new());
    for group in groups {
        println!("\n==> mutants of {}", group.name);
        let kind = if diff.is_some() { "mutants/since" } else { "mutants" };
        let output = steps::folder(root, kind)?.join(group.name);
        let work = Work { root, tool: &tool, output, group, diff: diff.as_deref() };
        let found = work.run(arguments.again)?;
        if diff.is_none() {
            table = fs::read_to_string(root.join(COUNTS)).unwrap_or_default();
        }
        table = with_row(&table, group.name, &found.counts);
        if diff.is_none() {
            fs::write(root.join(COUNTS), &table)?;
        }
        survivors.extend(found.missed.iter().map(|line| without_place(line)));
    }
    println!("\n{table}");
    judge(&survivors, &accepted, part.is_empty() && diff.is_none())
}

/// The bytes that are free in a file system; 0 where there is none of that name.
fn free(place: &str) -> u64 {
    let df = Command::new("df").args(["--output=avail", "--block-size=1", place]).output();
    let said = df.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    said.ok().and_then(|said| said.lines().nth(1)?.trim().parse().ok()).unwrap_or(0)
}

/// What has changed since a commit, in a file.
fn diff(root: &Path, commit: &str) -> Result<PathBuf, Box<dyn Error>> {
    let file = steps::folder(root, "mutants")?.join("since.diff");
    let mut command = Command::new("git");
    command.current_dir(root).args(["diff", "--no-color", "--no-ext-diff", commit, "--", "src"]);
    steps::run(command.stdout(fs::File::create(&file)?))?;
    Ok(file)
}

/// What is needed to run the mutants of a group.
struct Work<'a> {
    root: &'a Path,
    tool: &'a Path,
    output: PathBuf,
    group: &'a Group,
    /// Where only the lines of this are meant.
    diff: Option<&'a Path>,
}

/// What came of it.
struct Found {
    /// All; caught by a test; by the time limit; such that do not compile; missed.
    counts: [usize; 5],
    missed: Vec<String>,
}

impl Work<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new(self.tool);
        command.current_dir(self.root).args(["mutants", "--colors=never"]);
        for file in self.group.files {
            command.args(["--file", file]);
        }
        if let Some(diff) = self.diff {
            command.arg("--in-diff").arg(diff);
        }
        command
    }

    /// A line for each mutant.
    fn list(&self) -> Result<String, Box<dyn Error>> {
        let output = self.command().arg("--list").output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    fn run(&self, again: bool) -> Result<Found, Box<dyn Error>> {
        // Nothing of this group has changed: the tool leaves no results then.
        if self.diff.is_some() && self.list()?.is_empty() {
            return Ok(Found { counts: [0; 5], missed: Vec::new() });
        }
        fs::create_dir_all(&self.output)?;
        if !again && !self.group.first.is_empty() {
            // What runs into this limit is run again.
            let found = self.stage(self.group.first, false, 45)?;
            let [_, _, late, _, missed] = found.counts;
            if late + missed == 0 {
                return Ok(found);
            }
            return self.stage(self.group.tests, true, LIMIT);
        }
        self.stage(self.group.tests, again, LIMIT)
    }

    /// Runs the tool with some of the tests, so many seconds for each mutant; with `again` for what it has not caught so far.
    fn stage(&self, tests: &[&str], again: bool, limit: u32) -> Result<Found, Box<dyn Error>> {
        let mut command = self.command();
        command.arg("--output").arg(&self.output);
        // Tests wait much.
        command.args([&format!("--timeout={limit}"), "--jobs=4"]);
        if again {
            command.arg("--iterate");
        }
        // Most of the time goes into linking, and nobody debugs these programs.
        command.envs([("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_PROFILE_TEST_DEBUG", "0")]);
        command.env("READYSOCK_TESTS_UNTIL_THE_FIRST_FAILURE", "1");
        // The copies of the tree, and what is built in them: in memory, where there is such a place.
        let (memory, least) = MEMORY;
        if free(memory) >= least {
            command.env("TMPDIR", memory);
        }
        let mut parts = tests.splitn(2, |argument| *argument == "--");
        let (programs, cases) = (parts.next().unwrap_or_default(), parts.next());
        // Not behind a `--`, where they would hold for running the tests and not for building them: all would be built.
        let programs = [&["--package=readysock"], programs].concat();
        command.args(programs.iter().map(|argument| format!("--cargo-arg={argument}")));
        if let Some(cases) = cases {
            command.args(["--", "--"]).args(cases);
        }
        // 2 is its status where a mutant survived, 3 where one ran into the time limit, which is caught.
        if let Err(problem) = steps::run(&mut command) {
            let status = problem.to_string();
            if !(status.ends_with("status: 2") || status.ends_with("status: 3")) {
                return Err(problem);
            }
        }
        self.found(again)
    }

    fn found(&self, again: bool) -> Result<Found, Box<dyn Error>> {
        let all = self.list()?;
        let all: BTreeSet<&str> = all.lines().collect();
        let read = |name: &str| fs::read_to_string(self.output.join("mutants.out").join(name));
        let [missed, timeout] = [read("missed.txt")?, read("timeout.txt")?];
        // With `again` the tool leaves these out, and counts them with what was caught.
        let kept = self.output.join("unviable.txt");
        let before =
            if again { fs::read_to_string(&kept).unwrap_or_default() } else { String::new() };
        let unviable = before + &read("unviable.txt")?;
        fs::write(kept, &unviable)?;
        let unviable: BTreeSet<&str> = unviable.lines().filter(|line| all.contains(line)).collect();
        let [survived, late] = [missed.lines().count(), timeout.lines().count()];
        let caught = all.len().saturating_sub(survived + late + unviable.len());
        let counts = [all.len(), caught, late, unviable.len(), survived];
        Ok(Found { counts, missed: missed.lines().map(str::to_owned).collect() })
    }
}

/// The table of counts, with this row for the group.
fn with_row(table: &str, name: &str, counts: &[usize; 5]) -> String {
    let columns = |first: &str, others: &[String]| {
        others.iter().fold(format!("{first:10}"), |row, other| format!("{row}{other:>13}"))
    };
    let titles = ["mutants", "caught", "time limit", "no program", "survived"];
    let titles = columns("group", &titles.map(str::to_owned));
    let rows = GROUPS.iter().filter_map(|group| {
        if group.name == name {
            return Some(columns(name, &counts.map(|count| count.to_string())));
        }
        let of_group = |line: &&str| line.split_whitespace().next() == Some(group.name);
        table.lines().find(of_group).map(str::to_owned)
    });
    let rows: String = rows.map(|row| row + "\n").collect();
    format!(
        "# Written by `cargo xtask mutants`. What survived is in mutants-accepted.txt.\n{titles}\n{rows}"
    )
}

/// A survivor that is not accepted is a failure; so is an acceptance that nothing needs any more.
fn judge(survivors: &[String], accepted: &[String], all: bool) -> Outcome {
    let new = without(survivors, accepted);
    let stale = if all { without(accepted, survivors) } else { Vec::new() };
    println!("{} survived, {} of them accepted", survivors.len(), survivors.len() - new.len());
    let list = |what: &str, lines: &[String]| -> String {
        lines.iter().map(|line| format!("\n{what}: {line}")).collect()
    };
    if new.is_empty() && stale.is_empty() {
        return Ok(());
    }
    Err(format!(
        "kill each with a test, or list it in {ACCEPTED} with the reason:{}{}",
        list("survived", &new),
        list("accepted, but caught", &stale)
    )
    .into())
}

/// What is left of `lines` when each of `others` has taken one away: two mutants may read the same.
fn without(lines: &[String], others: &[String]) -> Vec<String> {
    let mut others: Vec<&String> = others.iter().collect();
    let mut left = lines.to_vec();
    left.retain(|line| match others.iter().position(|other| *other == line) {
        Some(place) => {
            others.swap_remove(place);
            false
        }
        None => true,
    });
    left
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
fn accepted(text: &str) -> Result<Vec<String>, String> {
    let mut reason = false;
    let mut accepted = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() {
            reason = false;
        } else if line.starts_with('#') {
            reason = true;
        } else if reason {
            accepted.push(line.to_owned());
        } else {
            return Err(format!("{ACCEPTED}:{}: a mutant without a reason", number + 1));
        }
    }
    Ok(accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(lines: &[&str]) -> Vec<String> {
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
        // Two that read the same, one of them accepted.
        let problem = judge(&set(&["a", "a"]), &set(&["a"]), true).expect_err("the other survived");
        assert!(problem.to_string().ends_with("\nsurvived: a"), "{problem}");
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
    fn every_group_has_been_run_and_its_survivors_are_accepted() {
        let read = |name: &str| fs::read_to_string(crate::root().join(name)).expect(name);
        let table = read(COUNTS);
        let mut survived = 0;
        for group in GROUPS {
            let row = table.lines().find(|row| row.split_whitespace().next() == Some(group.name));
            let row = row.unwrap_or_else(|| panic!("{} has no row in {COUNTS}", group.name));
            let numbers: Vec<usize> =
                row.split_whitespace().skip(1).map(|word| word.parse().expect(row)).collect();
            let [all, parts @ ..] = &numbers[..] else { panic!("{row}") };
            assert_eq!((parts.len(), parts.iter().sum()), (4, *all), "{row}");
            survived += parts[3];
        }
        // More where lines have changed since a group was run whole (`--since`).
        assert!(accepted(&read(ACCEPTED)).expect("it reads").len() >= survived);
    }

    #[test]
    fn what_is_free_is_told() {
        assert!(free("/") > 0);
        assert_eq!(free("/nonexistent"), 0);
    }

    #[test]
    fn a_mutant_is_known_without_its_place() {
        let line = "src/a.rs:12:3: replace f -> u8 with 0";
        assert_eq!(without_place(line), "src/a.rs: replace f -> u8 with 0");
    }

    #[test]
    fn a_run_rewrites_the_row_of_its_group() {
        let one = with_row("", "time", &[5, 4, 0, 1, 0]);
        let two = with_row(&one, "poll", &[6, 6, 0, 0, 0]);
        let three = with_row(&two, "time", &[7, 7, 0, 0, 0]);
        let rows = |table: &str| -> Vec<String> {
            table
                .lines()
                .skip(2)
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect()
        };
        assert_eq!(rows(&one), ["time 5 4 0 1 0"]);
        assert_eq!(rows(&two), ["poll 6 6 0 0 0", "time 5 4 0 1 0"]);
        assert_eq!(rows(&three), ["poll 6 6 0 0 0", "time 7 7 0 0 0"]);
    }
}
