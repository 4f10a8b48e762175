//! Records the book's runs anew: `cargo xtask record [NAME]`. The tests never do.

use std::fs;
use std::process::ExitCode;

use readysock_runs::scenario::Scenario;
use readysock_runs::{FOLDERS, Problem, Result, failed, listing, names, play, root};

fn main() -> ExitCode {
    let only = std::env::args().nth(1);
    match record_all(only.as_deref()) {
        Ok(0) => {
            eprintln!("record: there is no run or listing {}", only.unwrap_or_default());
            ExitCode::FAILURE
        }
        Ok(_) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("record: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// How many were recorded.
fn record_all(only: Option<&str>) -> Result<usize> {
    let root = root();
    play::build_examples(&root)?;
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let mut count = 0;
    for folder in FOLDERS {
        let folder = root.join("book").join(folder);
        for name in names(&folder, "run").into_iter().filter(|name| wanted(name)) {
            let file = folder.join(format!("{name}.run"));
            let text = fs::read_to_string(&file).map_err(failed(file.display()))?;
            let scenario = Scenario::parse(&text).map_err(failed(file.display()))?;
            let Some(record) = told(&name, play::play(&name, &scenario, &root))? else { continue };
            let file = folder.join(format!("{name}.txt"));
            fs::write(&file, record.to_string()).map_err(failed(file.display()))?;
            count += 1;
        }
    }
    for name in listing::names(&root).into_iter().filter(|name| wanted(name)) {
        count += usize::from(told(&name, listing::record(&name, &root))?.is_some());
    }
    Ok(count)
}

/// Says what became of it; what cannot run here keeps its old record.
fn told<T>(name: &str, result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => {
            println!("recorded {name}");
            Ok(Some(value))
        }
        Err(Problem::Skipped(reason)) => {
            println!("skipped: {name}: {reason}");
            Ok(None)
        }
        Err(failed) => Err(failed),
    }
}
