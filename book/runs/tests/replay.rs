//! Each recorded run, played again: the program still says what the book shows, and asks the kernel the same.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use readysock_runs::record::Record;
use readysock_runs::scenario::Scenario;
use readysock_runs::{FOLDERS, Problem, compare, listing, names, play, root};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let root = root();
    if !arguments.list
        && let Err(problem) = play::build_examples(&root)
    {
        eprintln!("{problem}");
        return ExitCode::FAILURE;
    }
    match trials(&root) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn trials(root: &Path) -> readysock_runs::Result<Vec<Trial>> {
    let mut trials = Vec::new();
    for kind in FOLDERS {
        let folder = root.join("book").join(kind);
        for name in names(&folder, "run")? {
            let (folder, root) = (folder.clone(), root.to_owned());
            trials
                .push(Trial::test(format!("{kind}/{name}"), move || replay(&name, &folder, &root)));
        }
    }
    for name in listing::names(root)? {
        for (language, _) in listing::languages(&name, root) {
            let (name, root) = (name.clone(), root.to_owned());
            let title = format!("listings/{name} in {language}");
            trials.push(Trial::test(title, move || {
                let now = listing::run(&name, language, &root);
                let recorded = listing::recorded(&name, language, &root);
                same(&recorded.map_err(|problem| problem.to_string())?, now)
            }));
        }
    }
    Ok(trials)
}

fn replay(name: &str, folder: &Path, root: &Path) -> Result<(), Failed> {
    let read = |extension: &str| {
        let file = folder.join(format!("{name}.{extension}"));
        fs::read_to_string(&file)
            .map_err(|error| format!("{}: {error}: cargo xtask record {name}", file.display()))
    };
    let scenario = Scenario::parse(&read("run")?)?;
    let recorded = Record::parse(&read("txt")?)?;
    match play::play(name, &scenario, root) {
        Ok(now) => match compare::difference(&recorded, &now, &scenario.vary) {
            None => Ok(()),
            Some(difference) => {
                Err(format!("{difference}\nif the book is wrong: cargo xtask record {name}").into())
            }
        },
        Err(Problem::Skipped(reason)) => skipped(&reason),
        Err(Problem::Failed(text)) => Err(text.into()),
    }
}

fn same(recorded: &str, now: readysock_runs::Result<String>) -> Result<(), Failed> {
    match now {
        Ok(now) if now == recorded => Ok(()),
        Ok(now) => Err(format!("recorded:\n{recorded}\nnow:\n{now}").into()),
        Err(Problem::Skipped(reason)) => skipped(&reason),
        Err(Problem::Failed(text)) => Err(text.into()),
    }
}

fn skipped(reason: &str) -> Result<(), Failed> {
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
    Ok(())
}
