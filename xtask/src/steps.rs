//! Steps with a name: run in turn, announced, timed, stopped at the first that fails.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, fs};

#[path = "../../book/runs/src/folder.rs"]
mod folder;

pub(crate) use self::folder::Folder;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// One thing to do, and the name by which a failure is reported.
pub(crate) struct Step {
    pub(crate) name: String,
    action: Action,
    /// Whether what runs beside has to come to its end before.
    waits: bool,
}

enum Action {
    Here(Box<dyn Fn() -> Outcome>),
    /// A chore of this program beside the steps that follow.
    Beside(Vec<String>),
}

impl Step {
    pub(crate) fn new(name: impl Into<String>, action: impl Fn() -> Outcome + 'static) -> Self {
        Self { name: name.into(), action: Action::Here(Box::new(action)), waits: false }
    }

    /// A chore of this program that runs while the next steps do, up to the one that waits for it: tests wait more than
    /// they work. What it says stands behind its first word.
    pub(crate) fn beside(name: impl Into<String>, chore: &[&str]) -> Self {
        let chore = chore.iter().map(ToString::to_string).collect();
        Self { name: name.into(), action: Action::Beside(chore), waits: false }
    }

    /// Begins when what runs beside has ended.
    pub(crate) fn waiting(self) -> Self {
        Self { waits: true, ..self }
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

/// An error where this is CI: a reader's machine may lack something, which is said and skipped, and CI's may not.
pub(crate) fn may_lack(missing: &str) -> Outcome {
    lacks(missing, env::var_os("CI").is_some())
}

fn lacks(missing: &str, ci: bool) -> Outcome {
    if ci { Err(missing.into()) } else { Ok(()) }
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

/// Each line at once, behind the chore's name. When the last one came.
fn say(chore: &str, from: impl Read) -> Instant {
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        println!("{chore:8} | {}", String::from_utf8_lossy(&line));
    }
    Instant::now()
}

/// Runs the steps in turn and prints the time of each, also when one of them fails.
pub(crate) fn run_all(steps: &[Step]) -> Outcome {
    let mut times = Vec::new();
    let mut failures = Vec::new();
    let mut beside = Vec::new();
    let (start_of_all, worked_before) = (Instant::now(), processor_time());
    for (number, step) in steps.iter().enumerate() {
        if step.waits {
            end_all(&mut beside, &mut times, &mut failures);
        }
        if !failures.is_empty() {
            break;
        }
        println!("\n==> [{}/{}] {}", number + 1, steps.len(), step.name);
        let (start, worked) = (Instant::now(), processor_time());
        let outcome = match &step.action {
            Action::Here(action) => action(),
            Action::Beside(chore) => own(chore).and_then(|command| {
                beside.push(Beside::start(&step.name, command)?);
                Ok(())
            }),
        };
        if matches!(step.action, Action::Here(_)) {
            times.push((step.name.as_str(), start.elapsed(), processor_time() - worked));
        }
        if let Err(problem) = outcome {
            failures.push(format!("step `{}` failed: {problem}", step.name));
        }
    }
    end_all(&mut beside, &mut times, &mut failures);
    let total = ("total", start_of_all.elapsed(), processor_time() - worked_before);
    println!("\n{}", table(&times, total));
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ").into()) }
}

fn own(chore: &[String]) -> Result<Command, Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    command.args(chore);
    Ok(command)
}

type Times<'a> = Vec<(&'a str, Duration, Duration)>;

fn end_all<'a>(beside: &mut Vec<Beside<'a>>, times: &mut Times<'a>, failures: &mut Vec<String>) {
    for one in beside.drain(..) {
        let name = one.name;
        match one.end() {
            Ok((time, worked, None)) => times.push((name, time, worked)),
            Ok((time, worked, Some(problem))) => {
                times.push((name, time, worked));
                failures.push(format!("step `{name}` failed: {problem}"));
            }
            Err(problem) => failures.push(format!("step `{name}` failed: {problem}")),
        }
    }
}

/// A process that runs beside the steps. It is not waited for before its end is wanted, so that its time is told apart.
struct Beside<'a> {
    name: &'a str,
    shown: String,
    child: Child,
    start: Instant,
    /// When there was nothing more to read.
    readers: [JoinHandle<Instant>; 2],
}

impl<'a> Beside<'a> {
    fn start(name: &'a str, mut command: Command) -> Result<Self, Box<dyn Error>> {
        let shown = shown(&command);
        println!("    {shown} &");
        let first = command.get_args().next().unwrap_or_default().display().to_string();
        let (out, err) = (io::pipe()?, io::pipe()?);
        command.stdout(out.1).stderr(err.1);
        let child = command.spawn().map_err(|error| format!("{shown}: {error}"))?;
        // It holds the writing ends, without which the reading ends.
        drop(command);
        let same = first.clone();
        let readers =
            [thread::spawn(move || say(&first, out.0)), thread::spawn(move || say(&same, err.0))];
        Ok(Self { name, shown, child, start: Instant::now(), readers })
    }

    /// How long it took, how long it worked, and what went wrong.
    fn end(mut self) -> Result<(Duration, Duration, Option<String>), Box<dyn Error>> {
        let mut ended = self.start;
        for reader in self.readers {
            ended = ended.max(reader.join().map_err(|_| "a reader panicked")?);
        }
        let (time, worked) = (ended - self.start, processor_time());
        let status = self.child.wait()?;
        let problem = (!status.success()).then(|| format!("{}: {status}", self.shown));
        Ok((time, processor_time() - worked, problem))
    }
}

/// What this process and the ended ones below it have used of all processors. A step that takes longer than its share
/// of them waits for something, and could be run beside another.
pub(crate) fn processor_time() -> Duration {
    // proc(5): user and system time, own and of children waited for, are the fields 14 to 17; the name, which may hold
    // anything, is the second, in brackets. Linux tells hundredths of a second, whatever its own clock.
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks = fields.skip(11).take(4).filter_map(|field| field.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// The total is no sum: some of the steps ran beside others.
fn table(times: &Times, total: (&str, Duration, Duration)) -> String {
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
    fn only_a_reader_s_machine_may_lack_something() {
        lacks("valgrind is missing", false).expect("it is skipped");
        let problem = lacks("valgrind is missing", true).expect_err("CI needs it");
        assert_eq!(problem.to_string(), "valgrind is missing");
    }

    #[test]
    fn what_a_child_works_is_counted() {
        let before = processor_time();
        let script = "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done";
        run(Command::new("sh").args(["-c", script])).expect("the shell counts");
        assert!(processor_time() > before);
    }

    #[test]
    fn what_runs_beside_is_waited_for_and_its_failure_is_named() {
        let sh = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            Beside::start("x", command).expect("the shell starts")
        };
        let (mut times, mut failures) = (Vec::new(), Vec::new());
        end_all(&mut vec![sh("echo; echo x >&2"), sh("exit 3")], &mut times, &mut failures);
        assert_eq!(times.len(), 2);
        // How long it took, not when somebody asked.
        let short = sh("true");
        while !short.readers.iter().all(JoinHandle::is_finished) {
            thread::yield_now();
        }
        let asked = Instant::now();
        let start = short.start;
        assert!(short.end().expect("its times").0 <= asked - start);
        assert_eq!(failures, ["step `x` failed: sh -c exit 3: exit status: 3"]);

        // This program is the one of the tests here: it lists them, and knows no such option.
        let steps = [
            Step::beside("listed", &["--list"]),
            Step::new("meanwhile", || Ok(())),
            Step::beside("unknown", &["--no-such-option"]),
            Step::new("too late", || Err("never run".into())).waiting(),
        ];
        run_all(&steps[..2]).expect("both end well");
        let problem = run_all(&steps).expect_err("there is no such option").to_string();
        assert!(problem.starts_with("step `unknown` failed: "), "{problem}");
    }

    #[test]
    fn a_command_that_fails_is_shown_with_its_status() {
        run(&mut Command::new("true")).expect("true succeeds");
        let problem = run(Command::new("false").arg("x").env("A", "b")).expect_err("false fails");
        assert_eq!(problem.to_string(), "A=\"b\" false x: exit status: 1");
        run(&mut Command::new("/nonexistent")).expect_err("there is no such program");
    }
}
