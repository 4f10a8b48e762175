//! Reaching a reactor from other threads.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::Reactor;

/// A call that another thread wants made.
pub(super) type Posted = Box<dyn FnOnce(&mut Reactor) + Send>;

/// A way to a [`Reactor`] from any thread: to have something done there, and to stop it. Clones are the same.
///
/// ```
/// use readysock::reactor::{Backend, Reactor};
///
/// let mut reactor = Reactor::new(Backend::Poll)?;
/// let handle = reactor.handle();
/// let other = std::thread::spawn(move || handle.post(|reactor| reactor.stop()));
/// reactor.run()?; // until then
/// assert!(other.join().unwrap());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
}

impl Handle {
    /// Has the reactor's thread make this call, soon, and after those that were posted before. It does not wait for that.
    ///
    /// `false`: the reactor is gone, and the call was dropped.
    pub fn post(&self, call: impl FnOnce(&mut Reactor) + Send + 'static) -> bool {
        let mut posted = self.shared.posted();
        let Some(calls) = &mut *posted else { return false };
        calls.push_back(Box::new(call));
        if calls.len() == 1 {
            self.shared.wake();
        }
        true
    }

    /// Stops the reactor, as [`Reactor::stop`] does.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

pub(super) struct Shared {
    /// Readable while something was posted that the reactor has not taken.
    waker: EventFd,
    /// None once the reactor is gone.
    posted: Mutex<Option<VecDeque<Posted>>>,
    pub(super) stop: AtomicBool,
}

impl Shared {
    pub(super) fn new() -> io::Result<Shared> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let waker = EventFd::from_value_and_flags(0, flags)?;
        let posted = Mutex::new(Some(VecDeque::new()));
        Ok(Shared { waker, posted, stop: AtomicBool::new(false) })
    }

    /// No call panics while it holds the lock.
    fn posted(&self) -> MutexGuard<'_, Option<VecDeque<Posted>>> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // It can fail only where it is full of wake-ups already.
        let _ = self.waker.write(1);
    }

    pub(super) fn waker(&self) -> BorrowedFd<'_> {
        self.waker.as_fd()
    }

    /// What was posted so far. In this order: what is posted after the first of the two wakes again.
    pub(super) fn take(&self) -> VecDeque<Posted> {
        let _ = self.waker.read();
        self.posted().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes no more. What was not taken is the caller's to drop.
    pub(super) fn close(&self) -> VecDeque<Posted> {
        self.posted().take().unwrap_or_default()
    }
}
