//! Steps with a name: run in turn, announced, timed, stopped at the first that fails.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// One thing to do, and the name by which a failure is reported.
pub(crate) struct Step {
    pub(crate) name: String,
    action: Box<dyn Fn() -> Outcome>,
}

impl Step {
    pub(crate) fn new(name: impl Into<String>, action: impl Fn() -> Outcome + 'static) -> Self {
        Self { name: name.into(), action: Box::new(action) }
    }

    /// A command of cargo's, in the workspace, with what the environment adds to it.
    pub(crate) fn cargo(
        name: impl Into<String>,
        root: &Path,
        arguments: &[&str],
        environment: &[(&'static str, &'static str)],
    ) -> Self {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let (root, environment) = (root.to_owned(), environment.to_vec());
        Self::new(name, move || {
            run(cargo().current_dir(&root).args(&arguments).envs(environment.iter().copied()))
        })
    }
}

/// The cargo that started this program.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Where cargo builds, and these chores keep what they bring.
pub(crate) fn target(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path))
}

/// A folder in there, made if need be; its path has no `..` and no link in it.
pub(crate) fn folder(root: &Path, name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let path = target(root).join(name);
    fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path.canonicalize()?)
}

/// Says what is run, runs it, and makes an error of any exit status but 0.
pub(crate) fn run(command: &mut Command) -> Outcome {
    println!("    {}", shown(command));
    let status = command.status().map_err(|error| format!("{}: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", shown(command)).into()) }
}

pub(crate) fn shown(command: &Command) -> String {
    let environment = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={:?} ", name.display(), value?)));
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let arguments = command.get_args().map(|argument| format!(" {}", argument.display()));
    environment.chain([program.display().to_string()]).chain(arguments).collect()
}

/// Chores of this program at the same time, for their tests wait more than they work.
pub(crate) fn side_by_side(
    root: &Path,
    name: &str,
    chores: &'static [&'static [&'static str]],
) -> Step {
    let root = root.to_owned();
    Step::new(name, move || at_once(&env::current_exe()?, &folder(&root, "ci")?, chores))
}

/// A program several times; what each says is printed when it has ended.
fn at_once(program: &Path, logs: &Path, chores: &[&[&str]]) -> Outcome {
    let mut started = Vec::new();
    for (number, chore) in chores.iter().enumerate() {
        let log = logs.join(format!("{number}.log"));
        let file = fs::File::create(&log)?;
        let mut command = Command::new(program);
        command.args(*chore).stdout(file.try_clone()?).stderr(file);
        println!("    {}", shown(&command));
        started.push((chore.join(" "), command.spawn()?, log));
    }
    let mut failed = Vec::new();
    for (chore, mut child, log) in started {
        let status = child.wait()?;
        println!("\n--> {chore}: {status}\n{}", String::from_utf8_lossy(&fs::read(log)?));
        if !status.success() {
            failed.push(chore);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

/// Runs the steps in turn and prints the time of each, also when one of them fails.
pub(crate) fn run_all(steps: &[Step]) -> Outcome {
    let mut times = Vec::new();
    let mut failure = None;
    for (number, step) in steps.iter().enumerate() {
        println!("\n==> [{}/{}] {}", number + 1, steps.len(), step.name);
        let start = Instant::now();
        let outcome = (step.action)();
        times.push((step.name.as_str(), start.elapsed()));
        if let Err(problem) = outcome {
            failure = Some(format!("step `{}` failed: {problem}", step.name));
            break;
        }
    }
    println!("\n{}", table(&times));
    failure.map_or(Ok(()), |failure| Err(failure.into()))
}

fn table(times: &[(&str, Duration)]) -> String {
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    let rows = times.iter().copied().chain([("total", total)]);
    rows.map(|(name, time)| format!("{:8.1} s  {name}\n", time.as_secs_f64())).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn the_first_failure_ends_the_run_and_is_named() {
        let ran = Rc::new(Cell::new(0));
        let counted = |outcome: fn() -> Outcome| {
            let ran = Rc::clone(&ran);
            move || {
                ran.set(ran.get() + 1);
                outcome()
            }
        };
        let steps = [
            Step::new("good", counted(|| Ok(()))),
            Step::new("bad", counted(|| Err("no luck".into()))),
            Step::new("never", counted(|| Ok(()))),
        ];
        let problem = run_all(&steps).expect_err("the second step fails").to_string();
        assert_eq!(problem, "step `bad` failed: no luck");
        assert_eq!(ran.get(), 2);
        run_all(&steps[..1]).expect("the first step alone passes");
    }

    #[test]
    fn all_that_fail_at_once_are_named() {
        let logs = crate::ci::Folder::new("at-once").expect("a folder");
        let at_once = |chores: &[&[&str]]| at_once(Path::new("sh"), &logs.0, chores);
        at_once(&[&["-c", "true"], &["-c", "true"]]).expect("both end well");
        let problem = at_once(&[&["-c", "false"], &["-c", "true"], &["-c", "exit 3"]]);
        let problem = problem.expect_err("two fail").to_string();
        assert_eq!(problem, "failed: -c false, -c exit 3");
    }

    #[test]
    fn a_command_that_fails_is_shown_with_its_status() {
        run(&mut Command::new("true")).expect("true succeeds");
        let problem = run(Command::new("false").arg("x").env("A", "b")).expect_err("false fails");
        assert_eq!(problem.to_string(), "A=\"b\" false x: exit status: 1");
        run(&mut Command::new("/nonexistent")).expect_err("there is no such program");
    }
}
