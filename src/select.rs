//! select(2): three sets in, three answers out.

use std::ffi::c_int;
use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use crate::fd_set::FdSet;
use crate::sys::select::pselect as pselect_call;
use crate::sys::time::Timespec;
use crate::sys::words::{Bits, WORD_BITS, Words};
use crate::timeout::{Timeout, restart};

/// `select(2)`: waits until a descriptor of three sets is ready; restarts after EINTR.
///
/// `read` is watched for a read that will not block (data, a connection to accept, end of stream), `write` for a
/// write that will not block, `except` for exceptional conditions (on a TCP socket: the out-of-band byte).
/// The sets stay as they are, and the answer is a value of its own. If the time is over, the answer is empty.
///
/// The time is a [`Timeout`]: a `Duration`, an `Instant`, or `None` to wait for ever. With three empty sets it is
/// a sleep. There is no `nfds`: it follows from the sets.
///
/// ```
/// use readysock::{FdSet, select};
/// use std::{io::Write, os::fd::AsFd, os::unix::net::UnixStream, time::Duration};
///
/// let (mut near, far) = UnixStream::pair()?;
/// near.write_all(b"hello")?;
/// let read = FdSet::from_iter([near.as_fd(), far.as_fd()]);
/// let ready = select(&read, &FdSet::new(), &FdSet::new(), Duration::from_secs(5))?;
/// assert!(ready.readable().contains(&far) && !ready.readable().contains(&near));
/// assert_eq!(ready.count(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// - `EBADF`: a descriptor in a set is not open, or is negative. It does not say which one;
///   [`poll`](fn@crate::poll) does. (A borrowed descriptor is open, unless something closed it behind the borrow's back. Then a
///   number beyond the process's descriptor table is no error: the kernel passes over it, and never reports it.)
/// - `ENOMEM`: the kernel has no memory for its tables.
///
/// # Traps
///
/// - Ready means that the call would not have blocked just now: a read may still find nothing, when another
///   process took the data or the kernel dropped a bad datagram. Use non-blocking descriptors.
/// - A descriptor in two sets that is ready for both counts twice.
/// - Writable is not connected: after a non-blocking connect only
///   [`Socket::take_error`](crate::Socket::take_error) tells.
/// - The cost grows with the highest number, not with the count: one descriptor numbered 10,000 makes the kernel
///   look at 10,000 bits in each set.
/// - Regular files are always ready.
///
/// In a loop, [`select_into`] reuses the memory of the answer.
#[doc = concat!(man_page!("select", 2))]
#[inline]
pub fn select(
    read: &FdSet<'_>,
    write: &FdSet<'_>,
    except: &FdSet<'_>,
    timeout: impl Into<Timeout>,
) -> io::Result<Ready> {
    let mut ready = Ready::new();
    select_into(read, write, except, &mut ready, timeout)?;
    Ok(ready)
}

/// `select(2)` into an answer that is there already: [`select`] for loops, without allocation after the first turn.
///
/// What was in `ready` is replaced; after an error it is empty. Returns [`ready.count()`](Ready::count).
///
/// ```
/// use readysock::{FdSet, Ready, select_into};
/// use std::{os::fd::AsFd, os::unix::net::UnixStream};
///
/// let (near, _far) = UnixStream::pair()?;
/// let (none, write) = (FdSet::new(), FdSet::from_iter([near.as_fd()]));
/// let mut ready = Ready::new();
/// assert_eq!(select_into(&none, &write, &none, &mut ready, None)?, 1);
/// assert_eq!(ready.writable().iter().count(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// As [`select`].
#[doc = concat!(man_page!("select", 2))]
#[inline]
pub fn select_into(
    read: &FdSet<'_>,
    write: &FdSet<'_>,
    except: &FdSet<'_>,
    ready: &mut Ready,
    timeout: impl Into<Timeout>,
) -> io::Result<usize> {
    restart(timeout.into(), |left| ready.fill([read, write, except], left, None))
}

/// `select(2)`, once: EINTR comes back as [`ErrorKind::Interrupted`](io::ErrorKind::Interrupted) when a signal handler ran.
///
/// Otherwise it is [`select`]. It is for loops that look at a flag a signal handler sets; note that a
/// signal which comes just before the call does not interrupt it. [`pselect`] closes that gap.
///
/// ```
/// use readysock::{FdSet, select_once};
/// use std::{io::ErrorKind, sync::atomic::{AtomicBool, Ordering}, time::Duration};
///
/// static ENDING: AtomicBool = AtomicBool::new(false); // set by a handler of SIGTERM
/// let none = FdSet::new();
/// while !ENDING.load(Ordering::Relaxed) {
///     match select_once(&none, &none, &none, Duration::from_millis(1)) {
///         Ok(ready) => println!("{} are ready", ready.count()),
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
/// As [`select`], and `EINTR`.
#[doc = concat!(man_page!("select", 2))]
#[inline]
pub fn select_once(
    read: &FdSet<'_>,
    write: &FdSet<'_>,
    except: &FdSet<'_>,
    timeout: impl Into<Timeout>,
) -> io::Result<Ready> {
    pselect(read, write, except, timeout, None)
}

/// `pselect(2)`: select with a signal mask that holds during the wait only; never restarts.
///
/// The mask is set and the wait begins in one step. So a program can keep a signal blocked, look at its
/// flag, and wait with the signal let in: a signal that came in between ends the wait at once. With a mask changed
/// before and after a [`select_once`], that signal is lost until the next event. With `None` the mask stays as it is.
///
/// The mask is the C library's type; nix's `SigSet` gives it by `as_ref()`.
///
/// ```
/// use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
/// use readysock::{FdSet, pselect};
/// use std::{io::ErrorKind, time::Duration};
///
/// extern "C" fn handler(_: i32) {} // sets a flag, in a program
/// let action = SigAction::new(SigHandler::Handler(handler), SaFlags::empty(), SigSet::empty());
/// unsafe { sigaction(Signal::SIGUSR1, &action) }?;
/// SigSet::from(Signal::SIGUSR1).thread_block()?;
/// // ... look at the flag: not set. And now the signal comes, and has to wait:
/// raise(Signal::SIGUSR1)?;
///
/// let (none, let_all_in) = (FdSet::new(), SigSet::empty());
/// let woken = pselect(&none, &none, &none, Duration::from_secs(60), Some(let_all_in.as_ref()));
/// assert_eq!(woken.unwrap_err().kind(), ErrorKind::Interrupted); // at once
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// As [`select`], and `EINTR`. A descriptor that is ready goes before a signal that is pending: the call then succeeds.
#[doc = concat!(man_page!("pselect", 2))]
#[inline]
pub fn pselect(
    read: &FdSet<'_>,
    write: &FdSet<'_>,
    except: &FdSet<'_>,
    timeout: impl Into<Timeout>,
    mask: Option<&libc::sigset_t>,
) -> io::Result<Ready> {
    let mut ready = Ready::new();
    ready.fill([read, write, except], timeout.into().timespec().as_mut(), mask)?;
    Ok(ready)
}

/// What [`select`] found. It borrows nothing: sources may be closed, dropped or replaced while it is read.
///
/// Only what the kernel has answered is in it. The kernel leaves bits above the process's descriptor table as it found
/// them, set, also when it reports that nothing is ready; a program in C takes those for an answer.
///
/// ```
/// use readysock::{FdSet, select};
/// use std::{os::fd::AsFd, os::unix::net::UnixStream};
///
/// let (near, _far) = UnixStream::pair()?;
/// let write = FdSet::from_iter([near.as_fd()]);
/// let ready = select(&FdSet::new(), &write, &FdSet::new(), None)?;
/// assert!(ready.writable().contains(&near));
/// assert!(ready.readable().is_empty() && ready.exceptional().is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Read, write, except, as the call has them.
    sets: [ReadyFds; 3],
}

impl Ready {
    /// An empty answer, for [`select_into`].
    #[inline]
    #[must_use]
    pub const fn new() -> Ready {
        Ready { sets: [ReadyFds::new(), ReadyFds::new(), ReadyFds::new()] }
    }

    /// The descriptors of the read set from which a read will not block.
    #[inline]
    #[must_use]
    pub fn readable(&self) -> &ReadyFds {
        &self.sets[0]
    }

    /// The descriptors of the write set to which a write will not block.
    #[inline]
    #[must_use]
    pub fn writable(&self) -> &ReadyFds {
        &self.sets[1]
    }

    /// The descriptors of the except set with an exceptional condition: on a TCP socket, the out-of-band byte.
    #[inline]
    #[must_use]
    pub fn exceptional(&self) -> &ReadyFds {
        &self.sets[2]
    }

    /// The number select(2) returns: how many descriptors are in the three sets together. One that is in two
    /// of them counts twice; 0 means that the time was over.
    #[inline]
    #[must_use]
    pub fn count(&self) -> usize {
        self.sets.iter().map(ReadyFds::len).sum()
    }

    /// Makes the call, and leaves here what it found: nothing, if it failed.
    fn fill(
        &mut self,
        asked: [&FdSet<'_>; 3],
        timeout: Option<&mut Timespec>,
        mask: Option<&libc::sigset_t>,
    ) -> io::Result<usize> {
        let result = self.call(asked, timeout, mask);
        // On an error the kernel has written nothing, and what was asked is still here.
        self.keep(*result.as_ref().unwrap_or(&0));
        result.map(|_| self.count())
    }

    fn call(
        &mut self,
        asked: [&FdSet<'_>; 3],
        timeout: Option<&mut Timespec>,
        mask: Option<&libc::sigset_t>,
    ) -> io::Result<usize> {
        let highest = asked.iter().filter_map(|set| set.highest()).max();
        // RawFd::MAX cannot be open, and has no nfds.
        let nfds: Option<c_int> = highest.map_or(Some(0), |fd| fd.checked_add(1));
        let (Some(nfds), false) = (nfds, asked.iter().any(|set| set.has_negative())) else {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        };
        let words = usize::try_from(nfds).unwrap_or(0).div_ceil(WORD_BITS);
        let [read, write, except] = &mut self.sets;
        let sets =
            [read.ask(asked[0], words), write.ask(asked[1], words), except.ask(asked[2], words)]
                .map(|words| words.map(Words::as_mut_slice));
        pselect_call(nfds, sets, timeout, mask)
    }

    /// Keeps of the three sets the `n` bits that the kernel reported.
    #[inline]
    fn keep(&mut self, n: usize) {
        let found: usize = self.sets.iter_mut().map(ReadyFds::count).sum();
        if found != n {
            self.cut(n);
        }
    }

    /// Keeps the lowest words of the three sets in which the kernel reported `n` bits, and drops the rest.
    ///
    /// Above the process's descriptor table the kernel leaves the words as they were: what stands there is what
    /// was asked, not an answer. (Nothing was found, or the call failed: then it is all of them.)
    #[cold]
    fn cut(&mut self, n: usize) {
        let longest = self.sets.iter().map(|set| set.words.as_slice().len()).max().unwrap_or(0);
        let (mut end, mut missing) = (0, n);
        while missing > 0 && end < longest {
            let words = self.sets.iter().filter_map(|set| set.words.as_slice().get(end));
            let bits: usize = words.map(|word| word.count_ones() as usize).sum();
            missing = missing.saturating_sub(bits);
            end += 1;
        }
        for set in &mut self.sets {
            set.words.truncate(end);
            set.count();
        }
    }
}

/// One of the three answers of [`select`]: the descriptors that are ready, by number.
///
/// ```
/// use readysock::{FdSet, select};
/// use std::os::{fd::{AsFd, AsRawFd}, unix::net::UnixStream};
///
/// let (near, far) = UnixStream::pair()?;
/// let write = FdSet::from_iter([near.as_fd(), far.as_fd()]);
/// let ready = select(&FdSet::new(), &write, &FdSet::new(), None)?;
/// let numbers: Vec<i32> = ready.writable().iter().collect();
/// assert_eq!(numbers, [near.as_raw_fd(), far.as_raw_fd()]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct ReadyFds {
    words: Words,
    /// The first word with a bit in it: a walk starts there.
    first: usize,
    len: usize,
}

impl ReadyFds {
    const fn new() -> ReadyFds {
        ReadyFds { words: Words::new(), first: 0, len: 0 }
    }

    /// Takes over what is asked, as memory of `words` words for the kernel to write to; `None` for an empty set.
    #[inline]
    fn ask(&mut self, asked: &FdSet<'_>, words: usize) -> Option<&mut Words> {
        if asked.is_empty() {
            self.words.clear();
            return None;
        }
        self.words.copy_from(asked.words(), words);
        Some(&mut self.words)
    }

    /// Counts the bits that are there now.
    #[inline]
    fn count(&mut self) -> usize {
        let words = self.words.as_slice();
        self.first = words.iter().position(|&word| word != 0).unwrap_or(words.len());
        // Counting costs more than comparing with 0 on machines without an instruction for it.
        let some = words[self.first..].iter().filter(|&&word| word != 0);
        self.len = some.map(|word| word.count_ones() as usize).sum();
        self.len
    }

    /// Whether this descriptor is ready. C: `FD_ISSET`.
    ///
    /// Pass a reference: a stream that is passed by value is closed when this returns.
    #[doc(alias = "FD_ISSET")]
    #[inline]
    #[must_use]
    pub fn contains(&self, fd: impl AsFd) -> bool {
        usize::try_from(fd.as_fd().as_raw_fd()).is_ok_and(|bit| self.words.contains(bit))
    }

    /// The numbers of the descriptors that are ready, in ascending order, from both ends. It goes by words, not by bits.
    #[inline]
    #[must_use]
    pub fn iter(&self) -> ReadyFdsIter<'_> {
        ReadyFdsIter { bits: self.words.bits(self.first, self.len) }
    }

    /// How many are ready.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is ready.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Default for ReadyFds {
    fn default() -> Self {
        ReadyFds::new()
    }
}

impl PartialEq for ReadyFds {
    fn eq(&self, other: &ReadyFds) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for ReadyFds {}

impl fmt::Debug for ReadyFds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &'a ReadyFds {
    type Item = RawFd;
    type IntoIter = ReadyFdsIter<'a>;

    #[inline]
    fn into_iter(self) -> ReadyFdsIter<'a> {
        self.iter()
    }
}

/// The numbers in a [`ReadyFds`], in ascending order; made by [`ReadyFds::iter`].
#[derive(Clone, Debug)]
pub struct ReadyFdsIter<'a> {
    bits: Bits<'a>,
}

impl Iterator for ReadyFdsIter<'_> {
    type Item = RawFd;

    #[inline]
    fn next(&mut self) -> Option<RawFd> {
        self.bits.next().and_then(number)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.bits.size_hint()
    }
}

impl DoubleEndedIterator for ReadyFdsIter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<RawFd> {
        self.bits.next_back().and_then(number)
    }
}

impl ExactSizeIterator for ReadyFdsIter<'_> {}
impl FusedIterator for ReadyFdsIter<'_> {}

/// A bit that select reports was asked for, and so came from a RawFd.
fn number(bit: usize) -> Option<RawFd> {
    RawFd::try_from(bit).ok()
}
