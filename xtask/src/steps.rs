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

/// One of several commands that run at the same time.
pub(crate) struct Beside {
    /// What stands before each line that it says; its lines are as they are where it has none.
    name: Option<&'static str>,
    command: Command,
}

impl Beside {
    pub(crate) fn command(command: Command) -> Self {
        Self { name: None, command }
    }

    /// A chore of this program.
    pub(crate) fn chore(words: &[&'static str]) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(env::current_exe()?);
        command.args(words);
        Ok(Self { name: words.first().copied(), command })
    }
}

/// Commands at the same time, for tests wait more than they work.
pub(crate) fn side_by_side(
    name: impl Into<String>,
    commands: impl Fn() -> Result<Vec<Beside>, Box<dyn Error>> + 'static,
) -> Step {
    Step::new(name, move || at_once(commands()?))
}

fn at_once(commands: Vec<Beside>) -> Outcome {
    let (mut started, mut readers) = (Vec::new(), Vec::new());
    for Beside { name, mut command } in commands {
        let shown = shown(&command);
        println!("    {shown}");
        if name.is_some() {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut child = command.spawn().map_err(|error| format!("{shown}: {error}"))?;
        let (stdout, stderr, name) = (child.stdout.take(), child.stderr.take(), name.unwrap_or(""));
        readers.push(thread::spawn(move || stdout.map(|from| say(name, from))));
        readers.push(thread::spawn(move || stderr.map(|from| say(name, from))));
        started.push((shown, child));
    }
    let mut ended = Vec::new();
    for (shown, mut child) in started {
        ended.push((shown, child.wait()?));
    }
    readers.into_iter().for_each(|reader| drop(reader.join()));
    ended.iter().for_each(|(shown, status)| println!("--> {shown}: {status}"));
    let failed: Vec<&str> = ended
        .iter()
        .filter_map(|(shown, status)| (!status.success()).then_some(shown.as_str()))
        .collect();
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
        let at_once = |scripts: &[&str]| {
            let beside = |(number, script): (usize, &&str)| {
                let mut command = Command::new("sh");
                command.args(["-c", script]);
                Beside { name: (number > 0).then_some("sh"), command }
            };
            at_once(scripts.iter().enumerate().map(beside).collect())
        };
        at_once(&["true", "echo; echo x >&2"]).expect("both end well");
        let problem = at_once(&["false", "true", "exit 3"]).expect_err("two fail").to_string();
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
