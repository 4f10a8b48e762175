//! poll(2), and its answer.

use std::io;

use bitflags::bitflags;

pub use crate::sys::poll::PollFd;
use crate::sys::poll::ppoll as ppoll_call;
use crate::sys::time::Timespec;
use crate::timeout::{Timeout, restart};

bitflags! {
    /// The events of poll(2): what a slot watches for, and what was found.
    ///
    /// Bits that have no name here are kept, compared and printed.
    ///
    /// | event | asked for | found means |
    /// | --- | --- | --- |
    /// | `IN` | yes | a read will not block: data, a connection to accept, or end of stream |
    /// | `PRI` | yes | urgent data (TCP's out-of-band byte), or another exceptional condition |
    /// | `OUT` | yes | a write will not block, though not that all of it fits; a connect has ended, though not that it succeeded |
    /// | `RDHUP` | yes | the peer has closed its writing half, or we our reading half: data may be left to read, and we may still write |
    /// | `ERR` | reported unasked | an error is pending; of a pipe's writing end: no reader is left |
    /// | `HUP` | reported unasked | no direction is open: data may be left to read, writing is over; of a pipe's reading end: no writer is left; of a TCP socket: also that it never was connected |
    /// | `NVAL` | reported unasked | the descriptor is not open |
    ///
    /// `RDHUP` is not `HUP`: after a half-close the connection still carries our data. Neither of them
    /// means that everything was read; read until the end of stream comes.
    ///
    /// ```
    /// use readysock::Events;
    ///
    /// let found = Events::IN | Events::HUP;
    /// assert!(found.intersects(Events::IN) && found.is_closed());
    /// assert_eq!(format!("{:?}", Events::IN | Events::from_bits_retain(0x4000)), "Events(IN | 0x4000)");
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Events: i16 {
        /// A read will not block. C: `POLLIN`.
        #[doc(alias = "POLLIN")]
        const IN = libc::POLLIN;
        /// Urgent data, or another exceptional condition. C: `POLLPRI`.
        #[doc(alias = "POLLPRI")]
        const PRI = libc::POLLPRI;
        /// A write will not block. C: `POLLOUT`.
        #[doc(alias = "POLLOUT")]
        const OUT = libc::POLLOUT;
        /// The peer has closed its writing half. C: `POLLRDHUP`, Linux only.
        #[doc(alias = "POLLRDHUP")]
        const RDHUP = libc::POLLRDHUP;
        /// An error is pending; reported unasked. C: `POLLERR`.
        #[doc(alias = "POLLERR")]
        const ERR = libc::POLLERR;
        /// Hung up; reported unasked. C: `POLLHUP`.
        #[doc(alias = "POLLHUP")]
        const HUP = libc::POLLHUP;
        /// The descriptor is not open; reported unasked. C: `POLLNVAL`.
        #[doc(alias = "POLLNVAL")]
        const NVAL = libc::POLLNVAL;
        /// On Linux the same news as `IN`. C: `POLLRDNORM`.
        #[doc(alias = "POLLRDNORM")]
        const RDNORM = libc::POLLRDNORM;
        /// Priority data of STREAMS; not used by Linux sockets. C: `POLLRDBAND`.
        #[doc(alias = "POLLRDBAND")]
        const RDBAND = libc::POLLRDBAND;
        /// On Linux the same news as `OUT`. C: `POLLWRNORM`.
        #[doc(alias = "POLLWRNORM")]
        const WRNORM = libc::POLLWRNORM;
        /// Room for priority data. C: `POLLWRBAND`.
        #[doc(alias = "POLLWRBAND")]
        const WRBAND = libc::POLLWRBAND;
        /// Known to the kernel, not used by sockets. C: `POLLMSG`.
        // The one that libc lacks. On SPARC the usual number is another one's: POLLREMOVE's.
        #[doc(alias = "POLLMSG")]
        const MSG = if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) { 0x200 } else { 0x400 };

        // Whatever the kernel says is kept.
        const _ = !0;
    }
}

impl Events {
    /// Whether a read has something to say without blocking: data, end of stream or an error.
    ///
    /// True for `IN`, `RDNORM`, `RDHUP`, `HUP` and `ERR`: the read then tells which it was.
    #[inline]
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.intersects(Events::IN.union(Events::RDNORM).union(Events::RDHUP).union(Events::HUP))
            || self.intersects(Events::ERR)
    }

    /// Whether a write has something to say without blocking: it takes data, or it fails at once.
    ///
    /// True for `OUT`, `WRNORM`, `HUP` and `ERR`. It does not say that a connect succeeded:
    /// [`Socket::take_error`](crate::Socket::take_error) does.
    #[inline]
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.intersects(Events::OUT.union(Events::WRNORM).union(Events::HUP).union(Events::ERR))
    }

    /// Whether nothing more is expected from the peer (`RDHUP` or `HUP`): it will send no more, or our own
    /// [`shutdown`](crate::Socket::shutdown) said that we read no more. There may be data left to read.
    #[inline]
    #[must_use]
    pub const fn is_read_closed(self) -> bool {
        self.intersects(Events::RDHUP.union(Events::HUP))
    }

    /// Whether no direction is open (`HUP`), be it no longer or, of a TCP socket, not yet. There may be data left to read.
    #[inline]
    #[must_use]
    pub const fn is_closed(self) -> bool {
        self.intersects(Events::HUP)
    }

    /// Whether something is wrong with the descriptor itself (`ERR` or `NVAL`).
    #[inline]
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.intersects(Events::ERR.union(Events::NVAL))
    }
}

/// `poll(2)`: waits until a slot has an event, and says how many have; restarts after EINTR.
///
/// The answer is in each slot's [`revents`](PollFd::revents); [`ready`] walks those that have one. `Ok(0)` means
/// that the time was over. The time is a [`Timeout`]: a `Duration`, an `Instant`, or `None` to wait for ever.
///
/// ```
/// use readysock::{Events, PollFd, poll, ready};
/// use std::{io::Write, os::unix::net::UnixStream, time::Duration};
///
/// let (mut near, far) = UnixStream::pair()?;
/// near.write_all(b"hello")?;
/// let mut fds = [PollFd::of(&far, Events::IN), PollFd::of(&near, Events::IN)];
/// let n = poll(&mut fds, Duration::from_secs(5))?;
/// for (index, slot) in ready(&fds, n) {
///     assert_eq!((index, slot.revents()), (0, Events::IN));
/// }
/// # assert_eq!(n, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// - `EINVAL`: more slots than the soft limit on open files (RLIMIT_NOFILE), those that are switched off included.
///   [`PollSet`](crate::PollSet) passes only the slots that are on.
/// - `ENOMEM`: the kernel has no memory for its tables.
///
/// After an error no slot has an event. A descriptor that is not open is no error of the call: its slot gets `NVAL`.
///
/// # Traps
///
/// - `HUP`, `ERR` and `NVAL` come unasked, also for a slot with no events at all. A slot left in the array after one of
///   them makes each call return at once; remove it or switch it [off](PollFd::set_enabled).
/// - A TCP socket that is not connected nor connecting has `OUT` and `HUP` at once: put it in after `connect`.
/// - Ready means that the call would not have blocked just now: a read may still find nothing, when another
///   process took the data or the kernel dropped a bad datagram. Use non-blocking descriptors.
/// - Regular files are always ready.
#[doc = concat!(man_page!("poll", 2))]
#[inline]
pub fn poll(fds: &mut [PollFd<'_>], timeout: impl Into<Timeout>) -> io::Result<usize> {
    restart(timeout.into(), |left| call(fds, left, None))
}

/// `poll(2)`, once: EINTR comes back as [`ErrorKind::Interrupted`](io::ErrorKind::Interrupted) when a signal handler ran.
///
/// Otherwise it is [`poll`]. It is for loops that look at a flag a signal handler sets; note that a signal
/// which comes just before the call does not interrupt it. [`ppoll`] closes that gap.
///
/// ```
/// use readysock::poll_once;
/// use std::{io::ErrorKind, sync::atomic::{AtomicBool, Ordering}, time::Duration};
///
/// static ENDING: AtomicBool = AtomicBool::new(false); // set by a handler of SIGTERM
/// while !ENDING.load(Ordering::Relaxed) {
///     match poll_once(&mut [], Duration::from_millis(1)) {
///         Ok(n) => println!("{n} are ready"),
///         Err(error) if error.kind() == ErrorKind::Interrupted => continue, // look at the flag
///         Err(error) => return Err(error),
///     }
///     # ENDING.store(true, Ordering::Relaxed);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// As [`poll`], and `EINTR`.
#[doc = concat!(man_page!("poll", 2))]
#[inline]
pub fn poll_once(fds: &mut [PollFd<'_>], timeout: impl Into<Timeout>) -> io::Result<usize> {
    call(fds, timeout.into().timespec().as_mut(), None)
}

/// `ppoll(2)`: poll with a signal mask that holds during the wait only; never restarts.
///
/// The mask is set and the wait begins in one step. So a program can keep a signal blocked, look at its
/// flag, and wait with the signal let in: a signal that came in between ends the wait at once. With a mask changed
/// before and after a [`poll_once`], that signal is lost until the next event. With `None` the mask stays as it is.
///
/// The mask is the C library's type; nix's `SigSet` gives it by `as_ref()`.
///
/// ```
/// use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
/// use readysock::ppoll;
/// use std::{io::ErrorKind, time::Duration};
///
/// extern "C" fn handler(_: i32) {} // sets a flag, in a program
/// let action = SigAction::new(SigHandler::Handler(handler), SaFlags::empty(), SigSet::empty());
/// unsafe { sigaction(Signal::SIGUSR1, &action) }?;
/// SigSet::from(Signal::SIGUSR1).thread_block()?;
/// // ... look at the flag: not set. And now the signal comes, and has to wait:
/// raise(Signal::SIGUSR1)?;
///
/// let let_all_in = SigSet::empty();
/// let woken = ppoll(&mut [], Duration::from_secs(60), Some(let_all_in.as_ref()));
/// assert_eq!(woken.unwrap_err().kind(), ErrorKind::Interrupted); // at once
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// As [`poll`], and `EINTR`. A slot that is ready goes before a signal that is pending: the call then succeeds.
#[doc = concat!(man_page!("ppoll", 2))]
#[inline]
pub fn ppoll(
    fds: &mut [PollFd<'_>],
    timeout: impl Into<Timeout>,
    mask: Option<&libc::sigset_t>,
) -> io::Result<usize> {
    call(fds, timeout.into().timespec().as_mut(), mask)
}

/// One call.
#[inline]
fn call(
    fds: &mut [PollFd<'_>],
    timeout: Option<&mut Timespec>,
    mask: Option<&libc::sigset_t>,
) -> io::Result<usize> {
    ppoll_call(fds, timeout, mask).map_err(|error| clear(fds, error))
}

/// The kernel writes no answer when it refuses the call: what an earlier call found must not stay for one.
#[cold]
#[inline(never)]
fn clear(fds: &mut [PollFd<'_>], error: io::Error) -> io::Error {
    fds.iter_mut().for_each(PollFd::clear_revents);
    error
}

/// The slots that have an event, with their index: those [`poll`] counted.
///
/// `n` is what `poll` returned: the walk ends after that many, and does not look at the rest of the array.
///
/// ```
/// use readysock::{Events, PollFd, poll, ready};
/// use std::{os::unix::net::UnixStream, time::Duration};
///
/// let (near, far) = UnixStream::pair()?;
/// let mut fds = [PollFd::of(&near, Events::OUT), PollFd::of(&far, Events::IN)];
/// let n = poll(&mut fds, Duration::ZERO)?;
/// assert_eq!(ready(&fds, n).map(|(index, _)| index).collect::<Vec<_>>(), [0]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[inline]
pub fn ready<'a, 'fd>(
    fds: &'a [PollFd<'fd>],
    n: usize,
) -> impl Iterator<Item = (usize, &'a PollFd<'fd>)> {
    fds.iter().enumerate().filter(|(_, slot)| !slot.revents().is_empty()).take(n)
}
