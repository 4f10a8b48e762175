//! Handlers that write down what they are told.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use readysock::server::{Datagram, Handler, Problem, ShutdownHandle, Stream};
use readysock::{Events, PollFd, poll};

use super::sockets::LONG;

/// Thanks, and writes each problem into a pipe, a line each. Once told how, it ends the server at the first one.
pub struct Says {
    problems: OwnedFd,
    pub ends: OnceLock<ShutdownHandle>,
}

impl Says {
    pub fn new() -> (Says, OwnedFd) {
        let (read, write) = nix::unistd::pipe().unwrap();
        // A pipe that is full does not hold up a server that spins.
        fcntl(&write, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        (Says { problems: write, ends: OnceLock::new() }, read)
    }

    fn say(&self, problem: &Problem) {
        let whose = if problem.peer().is_some() { " of a client" } else { "" };
        let error = problem.error().expect("nobody panics here");
        let what = error.raw_os_error().map(Errno::from_raw);
        let what = what.map_or_else(|| error.kind().to_string(), |errno| format!("{errno:?}"));
        let line = format!("{}{whose}: {what}\n", problem.step());
        let _ = nix::unistd::write(&self.problems, line.as_bytes());
        if let Some(handle) = self.ends.get() {
            handle.shutdown();
        }
    }
}

impl Handler<Stream> for Says {
    type Session = ();

    fn set_up(&self, _: &mut Stream) -> io::Result<()> {
        Ok(())
    }

    fn handle(&self, stream: &mut Stream, (): &mut ()) -> io::Result<()> {
        stream.write_all(b"thanks")
    }

    fn error(&self, problem: &Problem) {
        self.say(problem);
    }
}

impl Handler<Datagram> for Says {
    type Session = ();

    fn set_up(&self, _: &mut Datagram) -> io::Result<()> {
        Ok(())
    }

    fn handle(&self, datagram: &mut Datagram, (): &mut ()) -> io::Result<()> {
        datagram.reply(b"thanks")
    }

    fn error(&self, problem: &Problem) {
        self.say(problem);
    }
}

/// Reads a byte and thanks; writes `s` into the pipe for each pass, and `p` for each problem.
pub struct Logs(pub OwnedFd);

impl Logs {
    fn log(&self, byte: &[u8; 1]) {
        assert_eq!(nix::unistd::write(&self.0, byte), Ok(1));
    }
}

impl Handler<Stream> for Logs {
    type Session = ();

    fn set_up(&self, _: &mut Stream) -> io::Result<()> {
        Ok(())
    }

    fn handle(&self, stream: &mut Stream, (): &mut ()) -> io::Result<()> {
        stream.read_exact(&mut [0])?;
        stream.write_all(b"thanks")
    }

    fn error(&self, _: &Problem) {
        self.log(b"p");
    }

    fn service(&self) {
        self.log(b"s");
    }
}

/// How many passes there were before the next problem.
pub fn passes(log: &OwnedFd) -> usize {
    let (mut passes, mut byte) = (0, [0]);
    while nix::unistd::read(log, &mut byte) == Ok(1) && byte == *b"s" {
        passes += 1;
    }
    passes
}

/// What was told; the server, which holds the other end, is gone.
pub fn lines(problems: OwnedFd) -> Vec<String> {
    let mut text = String::new();
    File::from(problems).read_to_string(&mut text).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Whether it has written anything; waits for that.
pub fn has_news(pipe: &OwnedFd) -> bool {
    poll(&mut [PollFd::of(pipe, Events::IN)], LONG).unwrap() == 1
}
