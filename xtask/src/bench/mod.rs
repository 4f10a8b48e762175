//! `cargo xtask bench`: what the calls cost, against the budgets and against what they cost before.

mod budgets;
mod callgrind;
mod counts;
mod reactor;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::steps::{self, Outcome, Step};
use counts::Counts;

/// Measure times and instructions beside C and libc, and compare them with the budgets.
///
/// Times are ratios: the two sides take turns in one run of a minute or two. A busy machine blurs them all the same;
/// more rounds help. Instructions are exact, and are counted where valgrind is installed. Both are of a release build.
///
/// For more sizes, more peers and statistics there are criterion's benches: `cargo bench -p readysock-benches`. They
/// measure one after the other, so they are no judge of a hundredth.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Programs under load instead
    #[arg(conflicts_with = "instructions")]
    what: Option<What>,
    /// Count instructions only, and compare them with those in benches/instructions.csv
    #[arg(long, conflicts_with_all = ["csv", "rounds"])]
    instructions: bool,
    /// Write the counts to benches/instructions.csv instead of comparing them
    #[arg(long, requires = "instructions")]
    record: bool,
    /// Write the table to this file too
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// How often the sides take turns: 200 times, or 15 with `reactor`. A round takes about a millisecond for each row, there half
    /// a second, and on a busy machine the last hundredth takes many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// The servers, beside Python's ThreadingMixIn
    Servers,
    /// The event loop on each backend, beside C, mio, Python's selectors and asyncio, and Twisted
    Reactor,
}

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Outcome {
    match arguments.what {
        Some(What::Servers) if arguments.csv.is_some() || arguments.rounds.is_some() => {
            return Err("`bench servers` has no rounds, and writes no file".into());
        }
        Some(What::Servers) => return steps::run(&mut program(root, "servers")),
        Some(What::Reactor) => {
            return reactor::run(root, arguments.rounds.unwrap_or(15), arguments.csv.as_deref());
        }
        None => {}
    }
    if arguments.instructions {
        instructions(arguments.record, root)
    } else {
        times(arguments, root)
    }
}

/// The counts compared with the committed ones, as a step of `cargo xtask ci`. Times are for people: a machine
/// that has other things to do says nothing about them.
pub(crate) fn step(root: &Path) -> Step {
    let root = root.to_owned();
    Step::new("instructions against the table", move || instructions(false, &root))
}

fn times(arguments: &Arguments, root: &Path) -> Outcome {
    // A path that cannot be written is an error now, and not after a minute of measuring.
    if let Some(file) = &arguments.csv {
        write(file, "")?;
    }
    let missing = callgrind::missing();
    missing.map_or(Ok(()), steps::may_lack)?;
    let rounds = arguments.rounds.unwrap_or(200).to_string();
    let mut command = program(root, "budgets");
    let mut rows = budgets::parse(&output(command.args(["--", &rounds]))?)?;
    if missing.is_none() {
        rows.extend(budgets::instructions(&callgrind::count(root)?));
    }
    println!("\n{}", budgets::table(&rows));
    // Below the table, where it is seen.
    if let Some(missing) = missing {
        println!("skipped: budgets in instructions: {missing}");
    }
    if let Some(file) = &arguments.csv {
        write(file, &budgets::csv(&rows))?;
    }
    budgets::verdict(&rows, missing.is_none())
}

fn write(file: &Path, text: &str) -> Outcome {
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()).into())
}

fn instructions(record: bool, root: &Path) -> Outcome {
    let file = root.join("benches/instructions.csv");
    let now = callgrind::count(root)?;
    if record {
        write(&file, &now.csv())?;
        println!("\n{}", now.csv());
        return Ok(());
    }
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    counts::compare(&Counts::parse(&text)?, &now)
}

/// A program of the benches, built for release.
fn program(root: &Path, name: &str) -> Command {
    let mut command = steps::cargo();
    let arguments = ["run", "--release", "--quiet", "--package", "readysock-benches", "--bin"];
    command.current_dir(root).args(arguments).arg(name);
    // In one unit: how the compiler would cut the benches in pieces decides what is inlined, and a new bench would
    // change the counts of the others.
    command.args(["--config", "profile.release.package.readysock-benches.codegen-units = 1"]);
    command
}

/// Runs a command and returns what it prints. Errors go where ours go.
fn output(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let shown = steps::shown(command);
    println!("    {shown}");
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| format!("{shown}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{shown}: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Columns of one width each: the first to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
