//! What went wrong in a server that goes on.

use std::fmt;
use std::io;

use crate::addr::Addr;

/// Where in a request's life something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Taking the next request from the socket, for want of a descriptor or memory, or because it is forbidden. The server waits a little and
    /// tries again, unless this is its end.
    Accept,
    /// The hook that may refuse a request: one that panics does.
    Verify,
    /// Starting a thread or a process. The request is kept, and tried again a little later.
    Start,
    /// The handler's first step.
    SetUp,
    /// The handler's work.
    Handle,
    /// The handler's last step.
    Finish,
    /// A child process that ended otherwise than with success; the text says how.
    Child,
    /// The hook that is called after each pass.
    Service,
    /// The end of the server: work in hand was cut off, because its time was over; somebody was left in the queue; or, with a
    /// [`peer`](Problem::peer), a request that had been taken was not started any more.
    Close,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Step::Accept => "accept",
            Step::Verify => "verify",
            Step::Start => "start",
            Step::SetUp => "set up",
            Step::Handle => "handle",
            Step::Finish => "finish",
            Step::Child => "child",
            Step::Service => "service",
            Step::Close => "close",
        })
    }
}

/// Something that went wrong in a server that goes on: told to [`Handler::error`](super::Handler::error).
#[derive(Debug)]
pub struct Problem {
    step: Step,
    peer: Option<Addr>,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Error(io::Error),
    Panic(String),
}

impl Problem {
    pub(super) fn error_at(step: Step, peer: Option<&Addr>, error: io::Error) -> Problem {
        Problem { step, peer: peer.cloned(), cause: Cause::Error(error) }
    }

    pub(super) fn panic_at(step: Step, peer: Option<&Addr>, text: String) -> Problem {
        Problem { step, peer: peer.cloned(), cause: Cause::Panic(text) }
    }

    /// Where it went wrong.
    #[must_use]
    pub fn step(&self) -> Step {
        self.step
    }

    /// Whose request it was, if it was a request's.
    #[must_use]
    pub fn peer(&self) -> Option<&Addr> {
        self.peer.as_ref()
    }

    /// The error, unless it was a panic.
    #[must_use]
    pub fn error(&self) -> Option<&io::Error> {
        match &self.cause {
            Cause::Error(error) => Some(error),
            Cause::Panic(_) => None,
        }
    }

    /// What the panic said, if it was one.
    #[must_use]
    pub fn panic(&self) -> Option<&str> {
        match &self.cause {
            Cause::Panic(text) => Some(text),
            Cause::Error(_) => None,
        }
    }
}

/// As in `handle for 127.0.0.1:50000: Connection reset by peer (os error 104)`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.step.fmt(f)?;
        if let Some(peer) = &self.peer {
            write!(f, " for {peer}")?;
        }
        match &self.cause {
            Cause::Error(error) => write!(f, ": {error}"),
            Cause::Panic(text) => write!(f, ": panic: {text}"),
        }
    }
}
