//! What the programs on the event loop share: the backend, the quiet time, Ctrl-C, and lines said from callbacks.

use std::cell::RefCell;
use std::fmt::Display;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::{CommandFactory, Parser, ValueEnum};
use readysock::libc::{SIGINT, SIGTERM};
use readysock::reactor::{self, Reactor, Timer, signals};
use readysock::{Addr, Socket};

use super::{Place, Say, arguments_of, finish, listen, seconds};

/// The system call to wait in.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Backend {
    Select,
    Poll,
    Epoll,
}

/// Which one, for programs that need nothing else.
#[derive(Parser)]
pub struct LoopArguments {
    /// The system call that the loop waits in
    #[arg(long, value_enum, default_value = "epoll")]
    pub backend: Backend,
}

impl LoopArguments {
    /// A loop that Ctrl-C stops.
    pub fn reactor(&self) -> io::Result<Reactor> {
        new(self.backend)
    }
}

fn new(backend: Backend) -> io::Result<Reactor> {
    let mut reactor = Reactor::new(match backend {
        Backend::Select => reactor::Backend::Select,
        Backend::Poll => reactor::Backend::Poll,
        Backend::Epoll => reactor::Backend::Epoll,
    })?;
    signals::stop_on(&mut reactor, &[SIGINT, SIGTERM])?;
    Ok(reactor)
}

#[derive(Parser)]
struct ServerArguments {
    /// Where to listen: HOST:PORT or unix:PATH; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: Place,
    #[command(flatten)]
    looping: LoopArguments,
    /// Quiet time after which the server ends
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Duration,
}

/// A server's program: its arguments, its listener and its first line; `serve` says what becomes of the clients.
pub fn looping_server(
    about: &'static str,
    serve: fn(&mut Reactor, Socket, Talk) -> io::Result<()>,
) -> ExitCode {
    let arguments: ServerArguments = arguments_of(ServerArguments::command().about(about));
    let run = || {
        let mut reactor = arguments.looping.reactor()?;
        let listener = listen(&arguments.listen)?;
        let socket = listener.socket.try_clone()?;
        let address: Addr = socket.local_addr()?;
        Say::plain().line(format_args!("listening on {address}"))?;
        let talk = Talk::new(Say::plain()).until_quiet(&mut reactor, arguments.timeout);
        serve(&mut reactor, socket, talk.clone())?;
        talk.run(&mut reactor)
    };
    finish(run())
}

/// Says lines from callbacks, which have nobody to give an error to: the first one ends the loop. And each line tells that
/// it is not quiet.
#[derive(Clone)]
pub struct Talk {
    say: Say,
    quiet: Option<(Timer, Duration)>,
    failed: Rc<RefCell<Option<io::Error>>>,
}

impl Talk {
    pub fn new(say: Say) -> Talk {
        Talk { say, quiet: None, failed: Rc::default() }
    }

    /// The same, with another prefix.
    pub fn with_prefix(&self, prefix: &'static str) -> Talk {
        Talk { say: Say::with_prefix(prefix), ..self.clone() }
    }

    fn until_quiet(mut self, reactor: &mut Reactor, time: Duration) -> Talk {
        let talk = self.clone();
        let timer = reactor.call_later(time, move |reactor| {
            talk.line(reactor, "timed out");
            reactor.stop();
        });
        self.quiet = Some((timer, time));
        self
    }

    pub fn line(&self, reactor: &mut Reactor, line: impl Display) {
        if let Some((timer, time)) = self.quiet {
            reactor.reset(timer, time);
        }
        if let Err(error) = self.say.line(line) {
            self.fail(reactor, error);
        }
    }

    /// What went wrong with one client, and is no reason to end.
    pub fn problem(&self, line: impl Display) {
        self.say.problem(line);
    }

    /// Ends the loop with this error.
    pub fn fail(&self, reactor: &mut Reactor, error: io::Error) {
        self.failed.borrow_mut().get_or_insert(error);
        reactor.stop();
    }

    /// Runs the loop to its end.
    pub fn run(&self, reactor: &mut Reactor) -> io::Result<()> {
        reactor.run()?;
        self.failed.borrow_mut().take().map_or(Ok(()), Err)
    }
}
