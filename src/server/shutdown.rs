//! Telling a server to end: from anywhere, at any time, as often as one likes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::poll::{Events, PollFd, poll};
use crate::timeout::Timeout;

/// Ends a server: from another thread, from a handler, from a signal handler, before it serves, more than once.
///
/// It is a descriptor that the server waits for together with its socket, so it ends at once and not at the
/// next turn of a clock. Clones end the same server; it stays ended.
///
/// ```
/// use readysock::server::{Stream, TcpServer};
/// use std::net::Ipv4Addr;
///
/// let mut server = TcpServer::bind((Ipv4Addr::LOCALHOST, 0), |_: &mut Stream| Ok(()))?;
/// let handle = server.shutdown_handle();
/// let other = std::thread::spawn(move || handle.shutdown());
/// server.serve_forever()?; // until then
/// # other.join().unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ShutdownHandle {
    pub(super) ending: Arc<Ending>,
}

impl ShutdownHandle {
    /// Tells the server to end, and does not wait for that: a handler may call it, and whether the server serves does not
    /// matter. It makes one system call, write(2), and is safe in a signal handler.
    ///
    /// The server takes no new work (a stream server does answer who is in its queue by then), waits for the work in hand
    /// as long as [`close_within`](super::Builder::close_within) says, and returns from
    /// [`serve_forever`](super::Server::serve_forever).
    pub fn shutdown(&self) {
        self.ending.told.store(true, Ordering::Release);
        // It can fail only where it is full of such news already.
        let _ = self.ending.waker.write(1);
    }

    /// Whether the server has been told to end.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.ending.is_told()
    }
}

/// What the server, its requests and its handles know of its end. The descriptor is what counts: a child shares it,
/// and the rest is a copy of its own.
#[derive(Debug)]
pub(super) struct Ending {
    waker: EventFd,
    told: AtomicBool,
    since: OnceLock<Instant>,
    limit: Duration,
}

/// How a wait came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    Ready,
    TimedOut,
    /// The server ends, and the time for the work in hand is over.
    Cut,
}

impl Ending {
    pub(super) fn new(limit: Duration) -> io::Result<Ending> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let waker = EventFd::from_value_and_flags(0, flags)?;
        Ok(Ending { waker, told: AtomicBool::new(false), since: OnceLock::new(), limit })
    }

    /// Readable from the moment the server is told to end, and never read.
    pub(super) fn waker(&self) -> BorrowedFd<'_> {
        self.waker.as_fd()
    }

    /// Whether the server was told to end, in this process, and the time for work in hand is over. The first who asks starts the clock.
    /// No system call, unless it was told: a child is ended by its parent.
    pub(super) fn is_cut(&self) -> bool {
        self.told.load(Ordering::Acquire)
            && matches!(self.deadline(), Timeout::At(end) if end <= Instant::now())
    }

    pub(super) fn is_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
            || poll(&mut [PollFd::new(self.waker(), Events::IN)], Duration::ZERO)
                .is_ok_and(|ready| ready > 0)
    }

    /// Whether the time for work in hand is over: what the server cut off, if anything.
    pub(super) fn is_over(&self) -> bool {
        let end = self.since.get().and_then(|since| since.checked_add(self.limit));
        end.is_some_and(|end| end <= Instant::now())
    }

    /// Until when work in hand may go on, now that the server ends. The first who asks starts the clock.
    pub(super) fn deadline(&self) -> Timeout {
        let since = *self.since.get_or_init(Instant::now);
        since.checked_add(self.limit).map_or(Timeout::Never, Timeout::At)
    }

    /// Waits for a request's own descriptor: no longer than `limit` says, and not past the end of the server.
    pub(super) fn wait(
        &self,
        fd: BorrowedFd<'_>,
        events: Events,
        limit: Option<Instant>,
    ) -> io::Result<Waited> {
        let until = limit.map_or(Timeout::Never, Timeout::At);
        let mut slots = [PollFd::new(fd, events), PollFd::new(self.waker(), Events::IN)];
        poll(&mut slots, until)?;
        if !slots[0].revents().is_empty() {
            return Ok(Waited::Ready);
        }
        if slots[1].revents().is_empty() {
            return Ok(Waited::TimedOut);
        }
        // Told to end: the waker stays readable, so from here on the clock stands in for it.
        let (until, late) = match (self.deadline(), limit) {
            (Timeout::At(end), Some(limit)) if limit < end => (limit.into(), Waited::TimedOut),
            (Timeout::Never, Some(limit)) => (limit.into(), Waited::TimedOut),
            (end, _) => (end, Waited::Cut),
        };
        let ready = poll(&mut [PollFd::new(fd, events)], until)?;
        Ok(if ready > 0 { Waited::Ready } else { late })
    }
}
