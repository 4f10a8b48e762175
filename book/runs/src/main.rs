//! Records the book's runs anew: `cargo xtask record [NAME]`. The tests never do.

use std::fs;
use std::process::ExitCode;

use readysock_runs::scenario::Scenario;
use readysock_runs::{FOLDERS, Problem, Result, failed, listing, names, play, root};

fn main() -> ExitCode {
    let only = std::env::args().nth(1);
    let only = only.as_deref();
    match record_all(only).and_then(|done| done.verdict(only)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("record: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// What became of those that were wanted.
#[derive(Default)]
struct Done {
    recorded: usize,
    /// Why the others were not.
    skipped: Vec<String>,
}

impl Done {
    /// Says what became of one; what cannot run here keeps its old record.
    fn note<T>(&mut self, name: &str, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => {
                println!("recorded {name}");
                self.recorded += 1;
                Ok(Some(value))
            }
            Err(Problem::Skipped(reason)) => {
                println!("skipped: {name}: {reason}");
                self.skipped.push(reason);
                Ok(None)
            }
            Err(failed) => Err(failed),
        }
    }

    /// Who asks for one by its name has it, or an error. Where all are wanted, the others are no worse for one that is skipped.
    fn verdict(&self, only: Option<&str>) -> Result<()> {
        let Some(name) = only else { return Ok(()) };
        let problem = match self.skipped.first() {
            Some(reason) => format!("{name} was not recorded: {reason}"),
            None if self.recorded == 0 => format!("there is no run or listing {name}"),
            None => return Ok(()),
        };
        Err(Problem::Failed(problem))
    }
}

fn record_all(only: Option<&str>) -> Result<Done> {
    let root = root();
    play::build_examples(&root)?;
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let mut done = Done::default();
    for folder in FOLDERS {
        let folder = root.join("book").join(folder);
        for name in names(&folder, "run")?.into_iter().filter(|name| wanted(name)) {
            let file = folder.join(format!("{name}.run"));
            let text = fs::read_to_string(&file).map_err(failed(file.display()))?;
            let scenario = Scenario::parse(&text).map_err(failed(file.display()))?;
            let played = play::play(&name, &scenario, &root);
            let Some(record) = done.note(&name, played)? else { continue };
            let file = folder.join(format!("{name}.txt"));
            fs::write(&file, record.to_string()).map_err(failed(file.display()))?;
        }
    }
    for name in listing::names(&root)?.into_iter().filter(|name| wanted(name)) {
        done.note(&name, listing::record(&name, &root))?;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_and_cannot_run_here_is_not_what_is_not_there() {
        let said = |only, done: &Done| done.verdict(only).map_err(|problem| problem.to_string());
        let mut done = Done::default();
        assert_eq!(said(Some("x"), &done), Err("there is no run or listing x".to_owned()));

        let lacking = Err::<(), _>(Problem::Skipped("there is no strace".to_owned()));
        assert_eq!(done.note("x", lacking), Ok(None));
        let problem = "x was not recorded: there is no strace".to_owned();
        assert_eq!(said(Some("x"), &done), Err(problem));
        assert_eq!(said(None, &done), Ok(()), "the others were recorded");

        let mut done = Done::default();
        assert_eq!(done.note("x", Ok(1)), Ok(Some(1)));
        assert_eq!(said(Some("x"), &done), Ok(()));
        let broken = Err::<(), _>(Problem::Failed("broken".to_owned()));
        assert_eq!(done.note("x", broken), Err(Problem::Failed("broken".to_owned())));
    }
}
