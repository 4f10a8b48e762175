//! Programs under test: started, listened to line by line, and never left running.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::mem;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::program;

/// Nothing here takes long; what takes this long hangs.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A running program. Dropped, also by a test that fails, it is killed.
pub struct Program {
    name: String,
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

/// A program that has ended: all it said, and how.
#[derive(Debug)]
pub struct Ended {
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
    pub status: ExitStatus,
}

impl Program {
    /// Starts an example of this crate.
    #[track_caller]
    pub fn example(name: &str, arguments: &[&str]) -> Self {
        Self::start(program(example(name)).args(arguments))
    }

    /// Starts an example that nobody reads from after its first line, as before `| head -n 1`.
    #[track_caller]
    pub fn head(name: &str, arguments: &[&str]) -> (String, Self) {
        let (mut program, stdout) = Self::spawn(program(example(name)).args(arguments));
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        program.stdout.seen.push(line.trim_end().to_owned());
        (line.trim_end().to_owned(), program)
    }

    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let (mut program, stdout) = Self::spawn(command);
        program.stdout = Lines::of(stdout);
        program
    }

    #[track_caller]
    fn spawn(command: &mut Command) -> (Self, ChildStdout) {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = child.stdout.take().expect("a pipe");
        let stderr = Lines::of(child.stderr.take().expect("a pipe"));
        let name = Path::new(command.get_program()).file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        (Self { name, child, stdout: Lines::of(io::empty()), stderr }, stdout)
    }

    /// The next line of its standard output.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let next = self.stdout.next(Instant::now() + PATIENCE);
        next.unwrap_or_else(|problem| panic!("{} {problem}; {}", self.name, self.said()))
    }

    /// Waits for a line that is as asked for.
    #[track_caller]
    pub fn wait_for(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.line();
            if wanted(&line) {
                return line;
            }
        }
    }

    /// Waits for so many lines that start so.
    #[track_caller]
    pub fn wait_for_lines(&mut self, start: &str, count: usize) {
        for _ in 0..count {
            self.wait_for(|line| line.starts_with(start));
        }
    }

    /// The next line of its standard error.
    #[track_caller]
    pub fn problem(&mut self) -> String {
        let next = self.stderr.next(Instant::now() + PATIENCE);
        next.unwrap_or_else(|problem| panic!("{}: stderr {problem}; {}", self.name, self.said()))
    }

    /// A server's first line, without `listening on `.
    #[track_caller]
    pub fn listening(&mut self) -> String {
        let line = self.line();
        let address = line.strip_prefix("listening on ");
        address.unwrap_or_else(|| panic!("{}: first line is {line:?}", self.name)).to_owned()
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("a process number");
        kill(Pid::from_raw(id), signal).expect("a running child");
    }

    /// As Ctrl-C does, and then the end of it.
    #[track_caller]
    pub fn interrupt(self) -> Ended {
        self.signal(Signal::SIGINT);
        self.end()
    }

    /// Waits until it ends by itself. What it said is what came, also what a test has waited for.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        if !(self.stdout.end(deadline) && self.stderr.end(deadline)) {
            panic!("{} does not end; {}", self.name, self.said());
        }
        let status = self.child.wait().expect("a child of ours");
        let [stdout, stderr] =
            [&mut self.stdout, &mut self.stderr].map(|it| mem::take(&mut it.seen));
        Ended { stdout, stderr, status }
    }

    fn said(&self) -> String {
        let last = |lines: &Lines| lines.seen[lines.seen.len().saturating_sub(20)..].join("\n  ");
        format!("its last lines:\n  {}\n  {}", last(&self.stdout), last(&self.stderr))
    }
}

/// One pipe of a program, read by a thread: one that nobody reads would stop it when it is full.
struct Lines {
    arriving: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let (sender, arriving) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        Self { arriving, seen: Vec::new() }
    }

    fn next(&mut self, deadline: Instant) -> Result<String, &'static str> {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = self.arriving.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => "says nothing",
            RecvTimeoutError::Disconnected => "has ended",
        })?;
        self.seen.push(line.clone());
        Ok(line)
    }

    /// Reads on to the end; whether that came in time.
    fn end(&mut self, deadline: Instant) -> bool {
        loop {
            if let Err(problem) = self.next(deadline) {
                return problem == "has ended";
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Exit status 0 and nothing on standard error.
    #[track_caller]
    pub fn succeeded(self) -> Vec<String> {
        assert!(self.status.success() && self.stderr.is_empty(), "{self:#?}");
        self.stdout
    }

    /// This exit status and exactly one line on standard error.
    #[track_caller]
    pub fn failed(self, status: i32) -> String {
        assert!(self.status.code() == Some(status) && self.stderr.len() == 1, "{self:#?}");
        self.stderr.into_iter().next().expect("one line")
    }
}

/// The program that cargo built beside this test.
#[track_caller]
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let path = profile.join("examples").join(name);
    let built = modified(&path).unwrap_or_else(|| {
        panic!("{} is missing: run `cargo test`, or `cargo build --examples` first", path.display())
    });
    // `cargo test --test examples` builds no examples: yesterday's would be tested in silence.
    for source in sources(&path.with_extension("d")) {
        assert!(
            modified(&source).is_some_and(|changed| changed <= built),
            "{} is older than {}: run `cargo test`, or `cargo build --examples` first",
            path.display(),
            source.display(),
        );
    }
    path
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|data| data.modified()).ok()
}

/// What cargo noted beside a program: `PROGRAM: SOURCE SOURCE...`, spaces in a path escaped.
fn sources(note: &Path) -> Vec<PathBuf> {
    let mut text = String::new();
    let read = File::open(note).and_then(|mut file| file.read_to_string(&mut text));
    assert!(read.is_ok(), "{} is missing", note.display());
    let (_, list) = text.split_once(": ").expect("a rule of make");
    let marked = list.trim().replace("\\ ", "\0");
    marked.split(' ').map(|path| PathBuf::from(path.replace('\0', " "))).collect()
}

/// What an echo server said, for each connection in the order of its first appearance, with the
/// peer's address (a port that is another one in each run) replaced by `CLIENT`.
pub fn by_connection(lines: &[String]) -> Vec<(String, Vec<String>)> {
    let mut order: BTreeMap<&str, usize> = BTreeMap::new();
    let mut said: Vec<(String, Vec<String>)> = Vec::new();
    for (line, address) in lines.iter().filter_map(|line| Some((line, address(line)?))) {
        let number = *order.entry(address).or_insert(said.len());
        if number == said.len() {
            said.push((address.to_owned(), Vec::new()));
        }
        said[number].1.push(line.replace(address, "CLIENT"));
    }
    said
}

/// The client's address in a line of an echo server, if the line is about a client.
fn address(line: &str) -> Option<&str> {
    if let Some(address) = line.strip_prefix("connection from ") {
        Some(address)
    } else if let Some(address) = line.strip_prefix("closing ") {
        Some(address)
    } else if let Some(address) = line.strip_suffix(" queue empty") {
        Some(address)
    } else if line.starts_with("received ") {
        Some(line.rsplit_once(" from ")?.1)
    } else if line.starts_with("sending ") {
        Some(line.rsplit_once(" to ")?.1)
    } else {
        None
    }
}
