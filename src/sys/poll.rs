//! poll(2): the array's element, and the call.

use std::ffi::{c_long, c_void};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use super::time::{SYS_PPOLL_TIME64, Timespec, with_timespec};
use super::{SIGSET_BYTES, cvt_count};
use crate::poll::Events;

/// `struct pollfd`: a descriptor to watch, what to watch it for, and what [`poll`](fn@crate::poll) found.
///
/// The descriptor is borrowed for `'fd`: it cannot be closed while the slot exists. A slot is switched off by
/// [`set_enabled`](PollFd::set_enabled): poll(2) then passes over it, and it keeps its place and its descriptor.
///
/// ```
/// use readysock::{Events, PollFd, poll};
/// use std::io::Write;
/// use std::os::unix::net::UnixStream;
///
/// let (mut near, far) = UnixStream::pair()?;
/// near.write_all(b"x")?;
/// let mut fds = [PollFd::of(&far, Events::IN)];
/// assert_eq!(poll(&mut fds, None)?, 1);
/// assert_eq!(fds[0].revents(), Events::IN);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # What does not compile
///
/// A descriptor that is closed while a slot names it (in C: `NVAL`, or a slot that silently watches another file):
///
/// ```compile_fail,E0505
/// use readysock::{Events, PollFd, poll};
///
/// let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
/// let mut fds = [PollFd::of(&near, Events::OUT)];
/// drop(near); // error[E0505]: cannot move out of `near` because it is borrowed
/// poll(&mut fds, None).unwrap();
/// ```
#[doc(alias = "pollfd")]
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct PollFd<'fd> {
    /// `fd` is one of three: a descriptor that is open for `'fd` (enabled), the bitwise complement of
    /// one (switched off), or `NO_FD`. The kernel skips the negative ones and writes 0 to their revents.
    raw: libc::pollfd,
    fd: PhantomData<BorrowedFd<'fd>>,
}

/// Not -1: its complement is descriptor 0, and switching the slot on would watch standard input.
/// No descriptor has the number of the complement of this one, 2³¹ - 1 (fs.nr_open stays below it).
const NO_FD: RawFd = RawFd::MIN;

impl<'fd> PollFd<'fd> {
    /// A slot that watches nothing, with no descriptor. [`set_enabled`](PollFd::set_enabled) does not change it.
    pub const DISABLED: PollFd<'fd> =
        PollFd { raw: libc::pollfd { fd: NO_FD, events: 0, revents: 0 }, fd: PhantomData };

    /// A slot that watches `fd` for `events`.
    ///
    /// A negative `fd` (rustix's `CWD` is one) makes a [`DISABLED`](PollFd::DISABLED) slot: poll(2) would skip it
    /// without a word in any case.
    // A BorrowedFd by value, not `impl AsFd`: by value that would take an `OwnedFd`, close it on
    // return and leave its number in the slot; by reference it would refuse temporaries.
    #[inline]
    #[must_use]
    pub fn new(fd: BorrowedFd<'fd>, events: Events) -> PollFd<'fd> {
        let number = fd.as_raw_fd();
        if number < 0 {
            return PollFd::DISABLED;
        }
        PollFd {
            raw: libc::pollfd { fd: number, events: events.bits(), revents: 0 },
            fd: PhantomData,
        }
    }

    /// A slot that watches the descriptor of `source`: short for `PollFd::new(source.as_fd(), events)`.
    #[inline]
    #[must_use]
    pub fn of(source: &'fd impl AsFd, events: Events) -> PollFd<'fd> {
        PollFd::new(source.as_fd(), events)
    }

    /// Switches the slot on or off. Off, the kernel passes over it; what was reported before is cleared.
    ///
    /// A slot without a descriptor ([`DISABLED`](PollFd::DISABLED)) stays as it is.
    #[inline]
    pub fn set_enabled(&mut self, enabled: bool) {
        if enabled != self.is_enabled() && self.raw.fd != NO_FD {
            self.raw.fd = !self.raw.fd;
        }
        if !enabled {
            self.raw.revents = 0;
        }
    }

    /// Whether the kernel looks at this slot.
    #[inline]
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.raw.fd >= 0
    }

    /// What the slot watches for.
    #[inline]
    #[must_use]
    pub fn events(&self) -> Events {
        Events::from_bits_retain(self.raw.events)
    }

    /// Watches for other events from the next call on. [`revents`](PollFd::revents) stays until then.
    #[inline]
    pub fn set_events(&mut self, events: Events) {
        self.raw.events = events.bits();
    }

    /// What the last [`poll`](fn@crate::poll) found: of the events asked for, and of ERR, HUP and NVAL, which are reported
    /// unasked. Empty before the first call, and after a call that failed.
    #[inline]
    #[must_use]
    pub fn revents(&self) -> Events {
        Events::from_bits_retain(self.raw.revents)
    }

    /// The descriptor, also of a slot that is switched off; `None` only for [`DISABLED`](PollFd::DISABLED).
    #[inline]
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'fd>> {
        let number = match self.raw.fd {
            NO_FD => return None,
            off if off < 0 => !off,
            on => on,
        };
        // SAFETY: `borrow_raw` asks for a descriptor that stays open for 'fd and is not -1. `number` came
        // in as a BorrowedFd<'fd> (see the field), and here it is not negative.
        Some(unsafe { BorrowedFd::borrow_raw(number) })
    }

    #[inline]
    pub(crate) fn clear_revents(&mut self) {
        self.raw.revents = 0;
    }
}

impl fmt::Debug for PollFd<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollFd")
            .field("fd", &self.fd().map(|fd| fd.as_raw_fd()))
            .field("enabled", &self.is_enabled())
            .field("events", &self.events())
            .field("revents", &self.revents())
            .finish()
    }
}

/// The memory of an array, emptied, for an array of other descriptors.
pub(crate) fn recycle<'other>(mut array: Vec<PollFd<'_>>) -> Vec<PollFd<'other>> {
    array.clear();
    let mut array = ManuallyDrop::new(array);
    // SAFETY: pointer and capacity are those of a Vec that is never dropped, the types differ in a lifetime
    // only and so have one layout, and with length 0 no descriptor goes over.
    unsafe { Vec::from_raw_parts(array.as_mut_ptr().cast(), 0, array.capacity()) }
}

/// One ppoll(2) call on the whole slice. The kernel writes the time that is left into `timeout`.
///
/// The raw call, not the C library's: that one hides the time left. (It is no cancellation point either.)
#[inline]
pub(crate) fn ppoll(
    fds: &mut [PollFd<'_>],
    timeout: Option<&mut Timespec>,
    mask: Option<&libc::sigset_t>,
) -> io::Result<usize> {
    // The kernel takes the count as 32 bits: of a longer slice it would watch the beginning, without a word.
    if u32::try_from(fds.len()).is_err() {
        return Err(too_many());
    }
    let slots: *mut libc::pollfd = fds.as_mut_ptr().cast();
    let mask = mask.map_or(ptr::null(), ptr::from_ref);
    let call = |number: c_long, timeout: *mut c_void| {
        // SAFETY: the kernel reads and writes `fds.len()` pollfds, which is what the slice is (PollFd is
        // transparent) and holds for the length of the call; it reads SIGSET_BYTES of `mask`, null or a sigset_t, which
        // is larger; `timeout` is null or what this number takes (with_timespec).
        cvt_count(unsafe { libc::syscall(number, slots, fds.len(), timeout, mask, SIGSET_BYTES) })
    };
    // SAFETY: `call` hands the pointer to ppoll and to nothing else, under the number that goes with it.
    unsafe { with_timespec(libc::SYS_ppoll, SYS_PPOLL_TIME64, timeout, call) }
}

#[cold]
#[inline(never)]
fn too_many() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "poll takes at most 2^32 - 1 slots: pass a shorter slice",
    )
}
