//! Steps with a name: run in turn, announced, timed, stopped at the first that fails.

use std::error::Error;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

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

/// A folder of this run's own, removed with it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Result<Self, Box<dyn Error>> {
        let path = env::temp_dir().join(format!("readysock-{name}-{}", process::id()));
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
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

/// Commands one after the other, beside others.
pub(crate) struct Lane {
    /// What stands before each line that they say; the lines are as they are where it has none.
    name: Option<&'static str>,
    commands: Vec<Command>,
}

impl Lane {
    pub(crate) fn command(command: Command) -> Self {
        Self { name: None, commands: vec![command] }
    }

    /// Chores of this program.
    pub(crate) fn chores(name: &'static str, chores: &[&[&str]]) -> Result<Self, Box<dyn Error>> {
        let program = env::current_exe()?;
        let chore = |words: &&[&str]| {
            let mut command = Command::new(&program);
            command.args(*words).stdout(Stdio::piped()).stderr(Stdio::piped());
            command
        };
        Ok(Self { name: Some(name), commands: chores.iter().map(chore).collect() })
    }

    /// Until the first that fails; how that is reported.
    fn run(self) -> Result<(), String> {
        for mut command in self.commands {
            let (shown, name) = (shown(&command), self.name.unwrap_or_default());
            println!("    {shown}");
            let mut child = command.spawn().map_err(|error| format!("{shown}: {error}"))?;
            let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
            thread::scope(|scope| {
                scope.spawn(|| stderr.map(|from| say(name, from)));
                if let Some(from) = stdout {
                    say(name, from);
                }
            });
            let status = child.wait().map_err(|error| format!("{shown}: {error}"))?;
            println!("--> {shown}: {status}");
            if !status.success() {
                return Err(shown);
            }
        }
        Ok(())
    }
}

/// Lanes at the same time, for tests wait more than they work.
pub(crate) fn side_by_side(
    name: impl Into<String>,
    lanes: impl Fn() -> Result<Vec<Lane>, Box<dyn Error>> + 'static,
) -> Step {
    Step::new(name, move || at_once(lanes()?))
}

/// All of them come to their end, also where one fails.
fn at_once(lanes: Vec<Lane>) -> Outcome {
    let failed: Vec<String> = thread::scope(|scope| {
        let started: Vec<_> =
            lanes.into_iter().map(|lane| scope.spawn(move || lane.run())).collect();
        let ended = started
            .into_iter()
            .map(|lane| lane.join().unwrap_or_else(|_| Err("a lane, which panicked".to_owned())));
        ended.filter_map(Result::err).collect()
    });
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

fn say(chore: &str, from: impl Read) {
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        println!("{chore:8} | {}", String::from_utf8_lossy(&line));
    }
}

/// Runs the steps in turn and prints the time of each, also when one of them fails.
pub(crate) fn run_all(steps: &[Step]) -> Outcome {
    let mut times = Vec::new();
    let mut failure = None;
    for (number, step) in steps.iter().enumerate() {
        println!("\n==> [{}/{}] {}", number + 1, steps.len(), step.name);
        let (start, worked) = (Instant::now(), processor_time());
        let outcome = (step.action)();
        times.push((step.name.as_str(), start.elapsed(), processor_time() - worked));
        if let Err(problem) = outcome {
            failure = Some(format!("step `{}` failed: {problem}", step.name));
            break;
        }
    }
    println!("\n{}", table(&times));
    failure.map_or(Ok(()), |failure| Err(failure.into()))
}

/// What this process and the ended ones below it have used of all processors. A step that takes longer than its share
/// of them waits for something, and could be run beside another.
fn processor_time() -> Duration {
    // proc(5): user and system time, own and of children waited for, are the fields 14 to 17; the name, which may hold
    // anything, is the second, in brackets. Linux tells hundredths of a second, whatever its own clock.
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks = fields.skip(11).take(4).filter_map(|field| field.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

fn table(times: &[(&str, Duration, Duration)]) -> String {
    let sum = |of: fn(&(&str, Duration, Duration)) -> Duration| times.iter().map(of).sum();
    let total = ("total", sum(|time| time.1), sum(|time| time.2));
    let rows = times.iter().copied().chain([total]).map(|(name, time, worked)| {
        format!("{:8.1} s {:8.1}  {name}\n", time.as_secs_f64(), worked.as_secs_f64())
    });
    format!("{:>10} {:>8}\n{}", "time", "worked", rows.collect::<String>())
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
    fn what_a_child_works_is_counted() {
        let before = processor_time();
        let script = "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done";
        run(Command::new("sh").args(["-c", script])).expect("the shell counts");
        assert!(processor_time() > before);
    }

    #[test]
    fn all_that_fail_at_once_are_named() {
        let at_once = |lanes: &[&[&str]]| {
            let lane = |(number, scripts): (usize, &&[&str])| {
                let command = |script: &&str| {
                    let mut command = Command::new("sh");
                    command.args(["-c", script]);
                    if number > 0 {
                        command.stdout(Stdio::piped()).stderr(Stdio::piped());
                    }
                    command
                };
                let name = (number > 0).then_some("sh");
                Lane { name, commands: scripts.iter().map(command).collect() }
            };
            at_once(lanes.iter().enumerate().map(lane).collect())
        };
        at_once(&[&["true"], &["echo; echo x >&2", "true"]]).expect("all end well");
        let problem = at_once(&[&["false"], &["true"], &["true", "exit 3", "exit 4"]]);
        let problem = problem.expect_err("two fail").to_string();
        assert_eq!(problem, "failed: sh -c false, sh -c exit 3");
    }

    #[test]
    fn a_command_that_fails_is_shown_with_its_status() {
        run(&mut Command::new("true")).expect("true succeeds");
        let problem = run(Command::new("false").arg("x").env("A", "b")).expect_err("false fails");
        assert_eq!(problem.to_string(), "A=\"b\" false x: exit status: 1");
        run(&mut Command::new("/nonexistent")).expect_err("there is no such program");
    }
}
