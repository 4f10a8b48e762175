//! What all programs of the book have in common: their arguments, their lines, their exit status.
//!
//! Each program takes its own copy (`#[path = "../common/mod.rs"] mod common;`) and uses a part of it.
#![allow(dead_code, unused_imports)]

mod looping;
mod place;
mod say;
mod serve;

use std::fmt::Display;
use std::io;
use std::process::{self, ExitCode};
use std::thread;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory, FromArgMatches, Parser};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use readysock::Socket;

pub use self::looping::{Backend, LoopArguments, Talk, looping_server};
pub use self::place::{Listener, Place, connect, listen};
pub use self::say::{Say, Text};
pub use self::serve::{ServeArguments, keep_up};

/// What every server is told.
#[derive(Parser)]
struct ServerArguments {
    /// Where to listen: HOST:PORT or unix:PATH; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: Place,
    /// Quiet time after which the server ends
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Duration,
}

/// How a server came to its end; both are success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Quiet,
    Interrupted,
}

/// A server's program: its arguments, its listener, its first line, and then `serve` until it ends.
pub fn server(
    about: &'static str,
    serve: fn(&Socket, &SignalFd, Duration, Say) -> io::Result<Ended>,
) -> ExitCode {
    let arguments: ServerArguments = arguments_of(ServerArguments::command().about(about));
    let run = || {
        let interrupts = interrupts()?;
        let listener = listen(&arguments.listen)?;
        Say::plain().line(format_args!("listening on {}", listener.socket.local_addr()?))?;
        serve(&listener.socket, &interrupts, arguments.timeout, Say::plain())
    };
    finish(run().map(drop))
}

/// The program's arguments. `--help` and a usage error end it here, with 0 and 2.
pub fn arguments<A: Parser>() -> A {
    arguments_of(A::command())
}

fn arguments_of<A: Parser>(command: Command) -> A {
    let matched = command.try_get_matches().and_then(|matches| A::from_arg_matches(&matches));
    matched.unwrap_or_else(|error| {
        if error.kind() == ErrorKind::DisplayHelp {
            let _ = error.print(); // A reader who closed the pipe does not want it.
            process::exit(0);
        }
        // clap explains over several lines; the first paragraph says it, and it fits on one.
        let text = error.to_string();
        let paragraph = text.lines().take_while(|line| !line.trim().is_empty());
        let line = paragraph.map(str::trim).collect::<Vec<_>>().join(" ");
        Say::plain().problem(format_args!("{line} (see --help)"));
        process::exit(2);
    })
}

/// The exit status of the program, after one line on standard error if it failed.
pub fn finish(result: io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if say::nobody_listens(&error) => ExitCode::SUCCESS,
        Err(error) => {
            Say::plain().problem(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// A decimal number of seconds. What no clock can hold is as good as for ever.
pub fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(number) if number >= 0.0 => {
            Ok(Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX))
        }
        _ => Err("not a number of seconds, 0 or more".into()),
    }
}

/// Ctrl-C as one more descriptor to wait for: SIGINT and SIGTERM no longer kill, they make it readable.
///
/// Call it before the first thread starts: a new thread inherits what is blocked.
pub fn interrupts() -> io::Result<SignalFd> {
    let signals = blocked()?;
    Ok(SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

/// Ctrl-C for a program that waits in blocking calls: it ends at once, with exit status 0.
pub fn end_on_interrupt() -> io::Result<()> {
    let signals = blocked()?;
    thread::spawn(move || {
        let _ = signals.wait();
        process::exit(0)
    });
    Ok(())
}

fn blocked() -> io::Result<SigSet> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    signals.thread_block()?;
    Ok(signals)
}

/// The same error, between what was tried and what can be done.
pub fn explain(what: impl Display, error: &io::Error, advice: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}{advice}"))
}
