//! The programs of the section on select: each shows what the book says of it, on this machine, too.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::all::keeps_to_the_form;
use crate::support::process::{Program, example};
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2};

const ALL: [&str; 3] = ["select_stdin", "select_lists", "select_timeout"];

fn lines(program: &str, arguments: &[&str]) -> Vec<String> {
    Program::example(program, arguments).end().succeeded()
}

/// What it says when this is typed, and then Ctrl-D.
fn typed(text: &[u8]) -> Vec<String> {
    let mut command = crate::support::program(example("select_stdin"));
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("a program that starts");
    child.stdin.take().expect("a pipe").write_all(text).expect("room");
    let output = child.wait_with_output().expect("its output");
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).expect("plain text").lines().map(str::to_owned).collect()
}

#[test]
fn what_is_typed_and_the_end_of_it() {
    assert_eq!(typed(b""), ["waiting", "end of input"]);
    assert_eq!(
        typed(b"a\n\x1b"),
        ["waiting", "read 3 bytes: a\\n\\u{1b}", "waiting", "end of input"]
    );
    // Two lines in one read: none of them is kept in a buffer that select does not know.
    assert_eq!(typed(b"a\nb\n")[1], "read 4 bytes: a\\nb\\n");
}

#[test]
fn time_and_signals_end_the_wait_for_a_line() {
    // A pipe that nobody writes to, and nobody closes.
    let (quiet, _keyboard) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
    let start = |arguments: &[&str]| {
        let mut command = crate::support::program(example("select_stdin"));
        command.args(arguments).stdin(quiet.try_clone().expect("a duplicate"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("a program that starts")
    };
    let output = start(&["--timeout", "0.01"]).wait_with_output().expect("its output");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "waiting\ntimed out\n");
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut child = start(&["--timeout", "1000"]);
        // Once it waits, the signal is a descriptor of its own.
        let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("its first line");
        let id = i32::try_from(child.id()).expect("a process number");
        kill(Pid::from_raw(id), signal).expect("a child of ours");
        said.read_line(&mut line).expect("its last line");
        assert_eq!(line, "waiting\ninterrupted\n");
        assert!(child.wait().expect("a child of ours").success());
    }
}

#[test]
fn each_list_is_entered_and_left() {
    let lines = lines("select_lists", &[]);
    let server: Vec<&str> = lines.iter().filter_map(|it| it.strip_prefix("server | ")).collect();
    let asked: Vec<&str> =
        server.iter().copied().filter(|line| line.contains(": read {")).collect();
    assert_eq!(
        asked,
        [
            "0: read {} write {} except {}",
            "1: read {3} write {} except {}",
            "1: read {} write {5} except {}",
            "2: read {5} write {5} except {}",
            "3: read {5} write {5} except {5}",
            "2: read {5} write {5} except {}",
            "1: read {} write {5} except {}",
            "0: read {} write {} except {}",
            "1: read {} write {5} except {}",
            "2: read {5} write {5} except {}",
            "2: read {5} write {5} except {}",
        ]
    );
    assert_eq!(lines.iter().filter(|line| line.starts_with("client | ")).count(), 5);
}

#[test]
fn zero_some_and_none() {
    let lines = lines("select_timeout", &[]);
    let ready: Vec<&str> =
        lines.iter().map(|line| line.split(", after ").next().expect("it")).collect();
    let expected = [
        "timeout zero: 0 ready",
        "timeout 50 ms: 0 ready",
        "timeout 20 s: 1 ready",
        "timeout none: 1 ready",
    ];
    assert_eq!(ready, expected);
    let after = lines[1].rsplit_once("after ").and_then(|(_, rest)| rest.strip_suffix(" ms"));
    let after: f64 = after.expect("a time").parse().expect("a number");
    assert!(after >= 50.0, "never early: {after}");
}

#[test]
fn they_keep_to_the_form_of_all_programs() {
    ALL.into_iter().for_each(keeps_to_the_form);
}
