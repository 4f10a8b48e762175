//! A child process for each request, up to a limit.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::handler::Handler;
use super::transport::{Endpoint, Request};
use super::way::{Ended, Refused, Way, Works, sealed};
use super::work;
use crate::accept::{self, Reserve};
use crate::poll::{Events, PollFd, poll};
use crate::sys::process::{self, End};

/// Work in child processes, one for each request, up to a limit; over it requests wait in the socket's queue.
///
/// # Threads
///
/// fork(2) copies the calling thread only, and with it every lock as it is, held by whom it may be. So it is refused where the
/// process has more than one thread ([`Unsupported`](io::ErrorKind::Unsupported)), each time anew; and where /proc, which tells, cannot be
/// seen, as in an empty chroot.
///
/// # The child
///
/// It has the request and a copy of all memory; what it changes there is its own. It leaves by `_exit`: no destructor of the parent's runs in it, no buffer
/// is written twice. It ends with status 0, or 1 if the handler failed or panicked, which the parent tells to
/// [`error`](Handler::error) too. A [`ShutdownHandle`](super::ShutdownHandle) that it uses ends the parent's server.
///
/// The parent closes its copy of the connection and does not shut it down. It waits for its own children by number, and for
/// no other; one that somebody else has waited for has ended, and that is all it knows.
#[derive(Debug)]
pub struct Processes {
    limit: NonZeroUsize,
    children: Vec<Child>,
    /// To look at our threads takes a descriptor: this one's place, where there is no other.
    reserve: Reserve,
}

#[derive(Debug)]
struct Child {
    pid: Pid,
    /// Readable when it has ended; None where there was no descriptor left for it.
    ended: Option<OwnedFd>,
    /// It says that it has ended, and nobody may take that in yet: one that is traced is its tracer's first. Asked after meanwhile.
    held: bool,
}

impl Child {
    /// What it is waited for by.
    fn watched(&self) -> Option<&OwnedFd> {
        self.ended.as_ref().filter(|_| !self.held)
    }

    /// `None` while it runs. Only ever this child is waited for, never another of the process's.
    fn ended(&self) -> Option<Ended> {
        let pid = self.pid;
        match self.end() {
            Ok(None) => None,
            Ok(Some(End::Status(0))) => Some(Ok(())),
            Ok(Some(End::Status(status))) => {
                Some(Err(io::Error::other(format!("process {pid} ended with status {status}"))))
            }
            Ok(Some(End::Signal(signal))) => {
                // The real-time ones have numbers only.
                let name = Signal::try_from(signal)
                    .map_or_else(|_| signal.to_string(), |it| it.to_string());
                Some(Err(io::Error::other(format!("process {pid} was ended by {name}"))))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            // Somebody else has waited for it, or SIGCHLD is ignored: it has ended, nobody knows how.
            Err(_) => Some(Ok(())),
        }
    }

    fn end(&self) -> io::Result<Option<End>> {
        if let Some(ended) = &self.ended {
            // By its descriptor: once somebody else has waited for it, its number may be another child's.
            match process::ended(self.pid, Some(ended.as_fd())) {
                // Before Linux 5.4.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
                end => return end,
            }
        }
        process::ended(self.pid, None)
    }
}

impl Processes {
    /// Which of the children say that they have ended.
    fn say_so(&self) -> Vec<bool> {
        let slots = self.children.iter().map(|child| {
            child.watched().map_or(PollFd::DISABLED, |ended| PollFd::of(ended, Events::IN))
        });
        let mut slots: Vec<_> = slots.collect();
        let _ = poll(&mut slots, Duration::ZERO);
        slots.iter().map(|slot| !slot.revents().is_empty()).collect()
    }
}

impl Way for Processes {}

impl sealed::Way for Processes {
    type Held<H> = Box<H>;

    fn make(limit: NonZeroUsize, _: bool) -> io::Result<Processes> {
        Ok(Processes { limit, children: Vec::new(), reserve: Reserve::new() })
    }

    fn hold<H>(handler: H) -> Box<H> {
        Box::new(handler)
    }

    fn check(&self) -> io::Result<()> {
        match process::single_thread() {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Err(error),
            // Out of descriptors, for one: that may pass, and is asked again before each fork.
            _ => Ok(()),
        }
    }

    fn has_room(&self) -> bool {
        self.children.len() < self.limit.get()
    }

    fn in_hand(&self) -> usize {
        self.children.len()
    }

    fn blind(&self) -> bool {
        self.children.iter().any(|child| child.watched().is_none())
    }

    fn watch<'a>(&'a self, slots: &mut Vec<PollFd<'a>>) {
        let ended = self.children.iter().filter_map(Child::watched);
        slots.extend(ended.map(|ended| PollFd::new(ended.as_fd(), Events::IN)));
    }

    fn reap(&mut self, tell: &mut dyn FnMut(Ended)) -> bool {
        let before = self.children.len();
        if before == 0 {
            return false;
        }
        // First what they say, and then whether it is so.
        let mut say_so = self.say_so().into_iter();
        self.children.retain_mut(|child| match (say_so.next(), child.ended()) {
            (says_so, None) => {
                child.held |= says_so == Some(true);
                true
            }
            (_, Some(how)) => {
                if how.is_err() {
                    tell(how);
                }
                false
            }
        });
        self.children.len() != before
    }

    fn cut(&mut self) {
        for child in &self.children {
            // Still a child of ours, running or not yet waited for: so the number is its own and nobody else's.
            if child.ended().is_none() {
                let _ = kill(child.pid, Signal::SIGKILL);
            }
        }
    }

    fn abandon(&mut self) {
        self.children.clear();
    }
}

impl<R: Request, H: Handler<R>> Works<R, H> for Processes {}

impl<R: Request, H: Handler<R>> sealed::Works<R, H> for Processes {
    fn start(
        &mut self,
        request: R,
        handler: &Box<H>,
        endpoint: &mut Endpoint,
    ) -> Result<(), Refused<R>> {
        // What is buffered is the parent's to say, and only once.
        let _ = io::stdout().flush();
        let mut request = Some(request);
        let mut serve = || {
            endpoint.leave();
            let well = request.take().is_none_or(|request| work::serve(&**handler, request));
            let _ = io::stdout().flush();
            u8::from(!well)
        };
        let mut child = process::run_in_child(&mut serve);
        if matches!(&child, Err(error) if accept::no_descriptors(error)) && self.reserve.release() {
            child = process::run_in_child(&mut serve);
        }
        self.reserve.restore();
        match (child, request) {
            (Ok(pid), request) => {
                // Where this fails, the child is asked after from time to time.
                let ended = process::pidfd(pid).ok();
                self.children.push(Child { pid, ended, held: false });
                // Closed and not shut down: the connection is the child's now.
                drop(request);
                Ok(())
            }
            (Err(error), Some(request)) => Err(Refused { request, error }),
            (Err(_), None) => Ok(()),
        }
    }
}
