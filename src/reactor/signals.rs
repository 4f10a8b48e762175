//! Ending in order on a signal. This is opt-in: it changes what the signals do for the whole process.

use std::ffi::c_int;
use std::io;

use super::Reactor;
use crate::poll::Events;
use crate::slab::Key;
use crate::sys::signal::Catcher;

/// [Stops](Reactor::stop) the reactor when one of these signals comes to the process, whichever thread it interrupts.
///
/// From here on they no longer end the program. When the source of this key is [removed](Reactor::remove), or the reactor dropped, they do again what
/// they did before. In a child that was forked meanwhile they end it, or are ignored if they were before. (Such a child leaves the reactor
/// itself alone: see [`Backend::Epoll`](super::Backend::Epoll).)
///
/// Calls that a signal interrupts go on by themselves (SA_RESTART) where the system restarts such calls: a read, a write, an accept, a
/// waitpid. It never restarts those that wait for a time or for readiness, as poll, select, epoll_wait and nanosleep, nor a receive on a
/// socket with SO_RCVTIMEO: they fail with EINTR. Of this crate's, [`poll`](crate::poll()) and the other calls that restart begin again, and
/// those whose name ends in `_once` or begins with p give `EINTR` back, also where another thread has the reactor.
///
/// ```
/// use readysock::libc::{SIGINT, SIGTERM, raise};
/// use readysock::reactor::{Backend, Reactor, signals};
///
/// let mut reactor = Reactor::new(Backend::Poll)?;
/// signals::stop_on(&mut reactor, &[SIGINT, SIGTERM])?;
/// # unsafe { raise(SIGTERM) };
/// reactor.run()?; // until Ctrl-C
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// - [`AlreadyExists`](io::ErrorKind::AlreadyExists): another reactor of this process has some; there can be one.
/// - `EINVAL`: no signal, or one that cannot be caught.
#[doc = concat!(man_page!("sigaction", 2))]
pub fn stop_on(reactor: &mut Reactor, signals: &[c_int]) -> io::Result<Key> {
    let catcher = Catcher::new(signals)?;
    reactor.watch(catcher, Events::IN, |reactor, _, catcher, _| {
        catcher.take();
        reactor.stop();
    })
}
