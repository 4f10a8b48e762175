//! Does what a description says, as a person would, and writes down what happened.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::folder::Folder;
use crate::record::{Event, Mark, Record};
use crate::scenario::{Action, Scenario, Step};
use crate::{Problem, Result, failed, naming, strace};

/// Nothing here takes long; what takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Something that a program did, and when, in seconds.
struct Happened {
    time: f64,
    terminal: String,
    mark: Mark,
    text: String,
}

enum Arrived {
    Line(Happened),
    /// A pipe has ended.
    End(String),
}

struct Terminal {
    child: Child,
    /// Where somebody types into it.
    input: Option<ChildStdin>,
    open_pipes: usize,
    trace: Option<PathBuf>,
}

/// A run in progress. Dropped, also after a failure, it leaves no program behind.
struct Run<'a> {
    root: &'a Path,
    scenario: &'a Scenario,
    folder: Folder,
    words: BTreeMap<String, String>,
    terminals: BTreeMap<String, Terminal>,
    happened: Vec<Happened>,
    sender: Sender<Arrived>,
    arriving: Receiver<Arrived>,
}

/// Plays it, from the workspace's root, with the examples that cargo has built there.
pub fn play(name: &str, scenario: &Scenario, root: &Path) -> Result<Record> {
    let (sender, arriving) = channel();
    let mut run = Run {
        root,
        scenario,
        folder: Folder::new(&format!("run-{name}")).map_err(failed("its folder"))?,
        words: BTreeMap::new(),
        terminals: BTreeMap::new(),
        happened: Vec::new(),
        sender,
        arriving,
    };
    for step in &scenario.steps {
        run.step(step).map_err(|problem| match problem {
            Problem::Failed(text) => Problem::Failed(format!("{name}.run:{}: {text}", step.line)),
            skipped => skipped,
        })?;
    }
    if let Some(terminal) = run.terminals.keys().next() {
        return Err(Problem::Failed(format!("{name}.run: nobody waits for the end of {terminal}")));
    }
    let mut happened = std::mem::take(&mut run.happened);
    happened.sort_by(|one, two| one.time.total_cmp(&two.time));
    let events = happened.into_iter().map(|Happened { terminal, mark, text, .. }| Event {
        terminal,
        mark,
        text,
    });
    let mut record = Record { events: events.collect() };
    naming::name(&mut record);
    Ok(record)
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

impl Run<'_> {
    fn step(&mut self, step: &Step) -> Result<()> {
        let terminal = step.terminal.as_str();
        match &step.action {
            Action::Type(command) => self.start(terminal, command),
            Action::WaitFor(text, word) => self.wait_for(terminal, text, word.as_deref()),
            Action::Enter(line) => self.enter(terminal, line),
            Action::EndInput => {
                self.note(terminal, Mark::Key, "D".to_owned());
                self.running(terminal)?.input = None;
                Ok(())
            }
            Action::Interrupt => self.interrupt(terminal),
            Action::WaitForEnd => self.end(terminal),
        }
    }

    fn note(&mut self, terminal: &str, mark: Mark, text: String) {
        self.happened.push(Happened { time: now(), terminal: terminal.to_owned(), mark, text });
    }

    fn start(&mut self, terminal: &str, typed: &str) -> Result<()> {
        if self.terminals.contains_key(terminal) {
            return Err(Problem::Failed(format!("{terminal} is still at its last command")));
        }
        let mut typed = typed.to_owned();
        for (word, value) in &self.words {
            typed = typed.replace(&format!("{{{word}}}"), value);
        }
        let mut command: Vec<String> = argv(&typed, self.root)?;
        let calls = self.scenario.traced.iter().find(|(traced, _)| traced == terminal);
        let trace = calls.map(|_| self.folder.0.join(format!("{terminal}.strace")));
        if let (Some((_, calls)), Some(file)) = (calls, &trace) {
            strace_works()?;
            let mut traced = vec!["strace".to_owned()];
            traced.extend(strace::arguments(&file.display().to_string(), calls));
            traced.append(&mut command);
            command = traced;
        }
        let enters = |step: &Step| {
            step.terminal == terminal && matches!(step.action, Action::Enter(_) | Action::EndInput)
        };
        let typed_into = self.scenario.steps.iter().any(enters);
        self.note(terminal, Mark::Command, typed);
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .current_dir(self.root)
            .env("TMPDIR", &self.folder.0)
            .env("LC_ALL", "C.UTF-8")
            .stdin(if typed_into { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound if !command[0].contains('/') => {
                    Problem::Skipped(format!("there is no {}", command[0]))
                }
                _ => Problem::Failed(format!("{}: {error}", command[0])),
            })?;
        let input = child.stdin.take();
        let stdout = child.stdout.take().expect("a pipe");
        let stderr = child.stderr.take().expect("a pipe");
        self.listen(terminal, Mark::Said, stdout);
        self.listen(terminal, Mark::Complained, stderr);
        self.terminals.insert(terminal.to_owned(), Terminal { child, input, open_pipes: 2, trace });
        Ok(())
    }

    /// A pipe, read by a thread: one that nobody reads would stop its program when it is full.
    fn listen(&self, terminal: &str, mark: Mark, pipe: impl Read + Send + 'static) {
        let (sender, terminal) = (self.sender.clone(), terminal.to_owned());
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(std::result::Result::ok) {
                let text = String::from_utf8_lossy(&line).into_owned();
                let happened = Happened { time: now(), terminal: terminal.clone(), mark, text };
                if sender.send(Arrived::Line(happened)).is_err() {
                    return;
                }
            }
            let _ = sender.send(Arrived::End(terminal));
        });
    }

    /// The next line of anybody's; None where a pipe has ended.
    fn next(&mut self, deadline: Instant) -> Result<Option<&Happened>> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.arriving.recv_timeout(left) {
            Ok(Arrived::Line(line)) => {
                self.happened.push(line);
                Ok(self.happened.last())
            }
            Ok(Arrived::End(terminal)) => {
                if let Some(terminal) = self.terminals.get_mut(&terminal) {
                    terminal.open_pipes -= 1;
                }
                Ok(None)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(Problem::Failed(format!("nothing more is said; so far:\n{}", self.so_far())))
            }
        }
    }

    fn so_far(&self) -> String {
        let lines =
            self.happened.iter().map(|it| format!("  {} {:?} {}", it.terminal, it.mark, it.text));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn running(&mut self, terminal: &str) -> Result<&mut Terminal> {
        let running = self.terminals.get_mut(terminal);
        running.ok_or_else(|| Problem::Failed(format!("no program runs at {terminal}")))
    }

    fn wait_for(&mut self, terminal: &str, text: &str, word: Option<&str>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        self.running(terminal)?;
        // What arrived while somebody else was waited for counts as well, from what was typed last on.
        let start = self.happened.iter().rposition(|it| {
            it.terminal == terminal && matches!(it.mark, Mark::Command | Mark::Typed)
        });
        let heard = |it: &Happened| {
            (it.terminal == terminal && it.mark == Mark::Said && it.text.contains(text))
                .then(|| it.text.clone())
        };
        let mut found = self.happened[start.unwrap_or(0)..].iter().find_map(heard);
        while found.is_none() {
            found = self.next(deadline)?.and_then(heard);
            if found.is_none() && self.running(terminal)?.open_pipes == 0 {
                return Err(Problem::Failed(format!(
                    "{terminal} has ended and never said {text:?}; so far:\n{}",
                    self.so_far()
                )));
            }
        }
        if let (Some(word), Some(line)) = (word, found) {
            let rest = line.split_once(text).map_or("", |(_, rest)| rest);
            let taken = rest.split([' ', ',']).next().unwrap_or_default().to_owned();
            self.words.insert(word.to_owned(), taken);
        }
        Ok(())
    }

    fn enter(&mut self, terminal: &str, line: &str) -> Result<()> {
        self.note(terminal, Mark::Typed, line.to_owned());
        let input = self.running(terminal)?.input.as_mut();
        let input =
            input.ok_or_else(|| Problem::Failed(format!("the input of {terminal} has ended")))?;
        // In one piece, as a terminal hands it over.
        input.write_all(format!("{line}\n").as_bytes()).map_err(failed(terminal))
    }

    fn interrupt(&mut self, terminal: &str) -> Result<()> {
        let group = group(&self.running(terminal)?.child);
        self.note(terminal, Mark::Key, "C".to_owned());
        killpg(group, Signal::SIGINT).map_err(failed(terminal))
    }

    fn end(&mut self, terminal: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.running(terminal)?.open_pipes > 0 {
            self.next(deadline)?;
        }
        let Terminal { mut child, trace, .. } =
            self.terminals.remove(terminal).expect("it was there a line ago");
        let status = child.wait().map_err(failed(terminal))?;
        if let Some(file) = trace {
            self.read_trace(terminal, &file)?;
        }
        let status = status.code().map_or_else(|| status.to_string(), |code| code.to_string());
        self.note(terminal, Mark::Ended, status);
        Ok(())
    }

    /// The trace has the program's lines too, and knows their place among the calls.
    fn read_trace(&mut self, terminal: &str, file: &Path) -> Result<()> {
        let text = fs::read_to_string(file).map_err(failed(file.display()))?;
        let traced = self.scenario.traced.iter().find(|(traced, _)| traced == terminal);
        let calls = traced.map_or(&[][..], |(_, calls)| calls);
        self.happened.retain(|it| {
            it.terminal != terminal || !matches!(it.mark, Mark::Said | Mark::Complained)
        });
        let seen = strace::read(&text, calls).into_iter().map(|seen| Happened {
            time: seen.time,
            terminal: terminal.to_owned(),
            mark: seen.mark,
            text: seen.text,
        });
        self.happened.extend(seen);
        Ok(())
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        for terminal in self.terminals.values_mut() {
            let _ = killpg(group(&terminal.child), Signal::SIGKILL);
            let _ = terminal.child.wait();
        }
    }
}

fn group(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process number"))
}

/// What a typed command starts: an example is started by its program, which cargo has built.
fn argv(typed: &str, root: &Path) -> Result<Vec<String>> {
    let mut words: Vec<String> = typed.split_whitespace().map(str::to_owned).collect();
    if words.is_empty() || typed.contains(['"', '\'', '|', '&', '$', '{']) {
        return Err(Problem::Failed(format!("{typed:?} is not a plain command")));
    }
    if words[0] == "cargo" {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        return match words[..] {
            ["cargo", "run", "--example", name] => Ok(vec![example(root, name)]),
            ["cargo", "run", "--example", name, "--", ref arguments @ ..] => {
                let arguments = arguments.iter().map(ToString::to_string);
                Ok([example(root, name)].into_iter().chain(arguments).collect())
            }
            _ => {
                Err(Problem::Failed(format!("{typed:?} is not `cargo run --example NAME -- ...`")))
            }
        };
    }
    words[0] = words[0].trim().to_owned();
    Ok(words)
}

fn example(root: &Path, name: &str) -> String {
    target(root).join("debug/examples").join(name).display().to_string()
}

/// Where cargo builds.
pub fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path))
}

/// Builds what is run here, so that no test plays yesterday's program.
pub fn build_examples(root: &Path) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    for package in ["readysock", "readysock-listings"] {
        let status = Command::new(&cargo)
            .args(["build", "--quiet", "--package", package, "--examples"])
            .current_dir(root)
            .status()
            .map_err(failed("cargo"))?;
        if !status.success() {
            return Err(Problem::Failed(format!(
                "cargo build --package {package} --examples: {status}"
            )));
        }
    }
    Ok(())
}

/// In some containers it is there and may not trace.
fn strace_works() -> Result<()> {
    match Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::piped()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let reason = text.lines().next().unwrap_or("it fails without a word");
            Err(Problem::Skipped(format!("strace may not trace here: {reason}")))
        }
        Err(_) => Err(Problem::Skipped("there is no strace".to_owned())),
    }
}
