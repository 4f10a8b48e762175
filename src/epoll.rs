//! epoll(7): the way past poll's cost, which grows with what is watched; this one's grows with what is ready.
//!
//! [`Epoll`] is to epoll what [`PollSet`](crate::PollSet) is to poll: it owns its sources, gives each a [`Key`], and hands out one event
//! after the other. What it adds are epoll's own: edges, one-shot, exclusive wake-ups.
//!
//! ```
//! use readysock::epoll::{Epoll, EpollFlags};
//! use std::{io::Write, os::unix::net::UnixStream, time::Duration};
//!
//! let (mut near, far) = UnixStream::pair()?;
//! let mut epoll = Epoll::new()?;
//! let key = epoll.insert(far, EpollFlags::IN)?;
//! near.write_all(b"hello")?;
//! epoll.wait(Duration::from_secs(5))?;
//! let event = epoll.next_ready().expect("there is something to read");
//! assert_eq!((event.key(), event.flags()), (key, EpollFlags::IN));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! When to use which: up to some hundred descriptors that are mostly busy, poll is as fast. epoll is for many that are mostly idle.
//! Regular files cannot be watched at all (`EPERM`); poll and select call them always ready.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use bitflags::bitflags;

use crate::holders::Holders;
use crate::slab::{Key, Slab};
use crate::sys::epoll::{Event as RawEvent, Instance};
use crate::timeout::Timeout;

/// How many events one wait takes. The others stay with the kernel for the next.
const AT_ONCE: usize = 256;

#[expect(
    clippy::cast_sign_loss,
    reason = "they are bits: C keeps EPOLLET in an int, and the kernel takes a u32"
)]
const fn bit(flag: i32) -> u32 {
    flag as u32
}

bitflags! {
    /// The flags of epoll: what to watch for and how, and what was found.
    ///
    /// The events mean what those of [`Events`](crate::Events) do. `ERR` and `HUP` are reported unasked. Bits that have no name here are
    /// kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct EpollFlags: u32 {
        /// A read will not block. C: `EPOLLIN`.
        #[doc(alias = "EPOLLIN")]
        const IN = bit(libc::EPOLLIN);
        /// Urgent data, or another exceptional condition. C: `EPOLLPRI`.
        #[doc(alias = "EPOLLPRI")]
        const PRI = bit(libc::EPOLLPRI);
        /// A write will not block. C: `EPOLLOUT`.
        #[doc(alias = "EPOLLOUT")]
        const OUT = bit(libc::EPOLLOUT);
        /// The peer has closed its writing half. C: `EPOLLRDHUP`.
        #[doc(alias = "EPOLLRDHUP")]
        const RDHUP = bit(libc::EPOLLRDHUP);
        /// An error is pending; reported unasked. C: `EPOLLERR`.
        #[doc(alias = "EPOLLERR")]
        const ERR = bit(libc::EPOLLERR);
        /// Hung up; reported unasked. C: `EPOLLHUP`.
        #[doc(alias = "EPOLLHUP")]
        const HUP = bit(libc::EPOLLHUP);
        /// Report when it becomes ready, and when more arrives, and not as long as it merely stays so: read and write until EAGAIN. C:
        /// `EPOLLET`.
        #[doc(alias = "EPOLLET")]
        const ET = bit(libc::EPOLLET);
        /// Report once, then nothing until [`set_flags`](Epoll::set_flags). C: `EPOLLONESHOT`.
        #[doc(alias = "EPOLLONESHOT")]
        const ONESHOT = bit(libc::EPOLLONESHOT);
        /// Of several instances that watch one listener, wake one or a few and not all. Cannot be changed afterwards. C: `EPOLLEXCLUSIVE`.
        #[doc(alias = "EPOLLEXCLUSIVE")]
        const EXCLUSIVE = bit(libc::EPOLLEXCLUSIVE);
        /// Keep the machine awake while the event is handled; needs CAP_BLOCK_SUSPEND. C: `EPOLLWAKEUP`.
        #[doc(alias = "EPOLLWAKEUP")]
        const WAKEUP = bit(libc::EPOLLWAKEUP);

        // Whatever the kernel says is kept.
        const _ = !0;
    }
}

/// One event: whose, and what. C: `struct epoll_event`.
#[doc(alias = "epoll_event")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EpollEvent {
    key: Key,
    flags: EpollFlags,
}

impl EpollEvent {
    /// The source.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// What was found.
    #[must_use]
    pub fn flags(&self) -> EpollFlags {
        self.flags
    }
}

/// A source that could not be watched, given back with the reason. `?` turns it into the reason.
pub struct Refused<S> {
    /// The source.
    pub source: S,
    /// The kernel's error.
    pub error: io::Error,
}

/// Of every source, so that `expect` can be called: the reason.
impl<S> fmt::Debug for Refused<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<S> From<Refused<S>> for io::Error {
    fn from(refused: Refused<S>) -> io::Error {
        refused.error
    }
}

/// An epoll instance that owns what it watches.
///
/// It hands out shared references only: a source that was moved out or closed behind its back would stay registered, for the kernel
/// watches the open file and not the descriptor, and its events would come for as long as a duplicate lives. Of a source that was
/// removed such an event is recognised by its key, not reported, and ended by a new instance. One that was closed behind its back and is
/// still here is reported until it is removed.
///
/// A child process that was forked has the same instance and not a copy: what it inserts and removes here, it does to the parent.
#[doc = concat!(man_page!("epoll", 7))]
pub struct Epoll<S> {
    instance: Instance,
    entries: Slab<Entry<S>>,
    /// The keys by the numbers that they are registered under.
    holders: Holders,
    /// What the kernel reported, and how much of it `next_ready` has looked at.
    events: Vec<RawEvent>,
    cursor: usize,
    /// The instance knows of something that is no longer here, or was not filled to the end.
    stale: bool,
}

struct Entry<S> {
    source: S,
    flags: EpollFlags,
    /// Under which it is registered; -1 where it is not, or where what is registered under its number is another one's.
    number: RawFd,
    /// It is one-shot and has been reported: a new instance does not take it, until its flags are set.
    spent: bool,
}

const UNREGISTERED: RawFd = -1;

impl<S> Epoll<S> {
    /// `epoll_create1(2)`: a new instance, close-on-exec.
    ///
    /// # Errors
    ///
    /// - `EMFILE`, `ENFILE`, `ENOMEM`.
    #[doc = concat!(man_page!("epoll_create1", 2))]
    #[doc(alias = "epoll_create1")]
    pub fn new() -> io::Result<Epoll<S>> {
        let events = Vec::with_capacity(AT_ONCE);
        let instance = Instance::new()?;
        let (entries, holders) = (Slab::new(), Holders::default());
        Ok(Epoll { instance, entries, holders, events, cursor: 0, stale: false })
    }

    /// How many sources there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no source.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The source of a key; `None` if it is no longer there.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&S> {
        self.entries.get(key).map(|entry| &entry.source)
    }

    /// All keys and sources, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &S)> {
        self.entries.iter().map(|(key, entry)| (key, &entry.source))
    }

    /// Takes the next event of the last wait. One whose source was removed since does not come.
    ///
    /// With [`ET`](EpollFlags::ET) and [`ONESHOT`](EpollFlags::ONESHOT) an event comes once: so none that was not taken is lost, and the
    /// next wait returns at once as long as there are such.
    pub fn next_ready(&mut self) -> Option<EpollEvent> {
        while let Some(event) = self.events.get(self.cursor) {
            self.cursor += 1;
            let (key, flags) = (Key::from_bits(event.u64), event.events);
            if self.entries.get(key).is_some() && flags != 0 {
                return Some(EpollEvent { key, flags: EpollFlags::from_bits_retain(flags) });
            }
        }
        None
    }
}

impl<S: AsFd> Epoll<S> {
    /// `epoll_ctl(2)` with EPOLL_CTL_ADD: takes a source and watches it. The key is its name from now on.
    ///
    /// With no event in `flags` it is still watched for `ERR` and `HUP`.
    ///
    /// # Errors
    ///
    /// The source comes back with the error.
    /// - `EPERM`: it cannot be watched by epoll: a regular file, a directory.
    /// - `EEXIST`: another source here has the same descriptor.
    /// - `EBADF`: it is not open. `EINVAL`: flags that do not go together; this instance itself. `ELOOP`: instances that watch each other.
    /// - `ENOSPC`: over the user's limit (`fs.epoll.max_user_watches`). `ENOMEM`.
    /// - `EMFILE`, `ENFILE`: a new instance was needed, for what is left of a source that was removed, and not to be had.
    #[doc = concat!(man_page!("epoll_ctl", 2))]
    #[doc(alias = "epoll_ctl")]
    pub fn insert(&mut self, source: S, flags: EpollFlags) -> Result<Key, Refused<S>> {
        let key = self.entries.next_key();
        let fd = source.as_fd();
        let number = fd.as_raw_fd();
        let mut added = self.instance.add(fd, flags.bits(), key.to_bits());
        if self.is_left_over(&added, number) {
            added =
                self.rebuild().and_then(|()| self.instance.add(fd, flags.bits(), key.to_bits()));
        }
        match added {
            Ok(()) => {
                self.entries.insert(Entry { source, flags, number: UNREGISTERED, spent: false });
                self.is_registered(key, number);
                Ok(key)
            }
            Err(error) => Err(Refused { source, error }),
        }
    }

    /// Whether this is registered already and no source here has it.
    fn is_left_over(&self, added: &io::Result<()>, number: RawFd) -> bool {
        let there = |error: &io::Error| error.raw_os_error() == Some(libc::EEXIST);
        let holder = self.holders.get(number).and_then(|key| self.entries.get(key));
        added.as_ref().is_err_and(there) && holder.is_none_or(|entry| entry.number != number)
    }

    /// Notes a new registration. Who had one under this number has lost the descriptor: the number shall not be deleted in its name.
    fn is_registered(&mut self, key: Key, number: RawFd) {
        let before = self.holders.replace(number, key);
        if let Some(entry) = before.and_then(|before| self.entries.get_mut(before)) {
            if entry.number == number {
                entry.number = UNREGISTERED;
            }
        }
        if let Some(entry) = self.entries.get_mut(key) {
            entry.number = number;
        }
    }

    /// `epoll_ctl(2)` with EPOLL_CTL_DEL: takes a source out and gives it back; `None` if it is no longer there. If an event waits for it,
    /// it is dropped.
    #[doc = concat!(man_page!("epoll_ctl", 2))]
    pub fn remove(&mut self, key: Key) -> Option<S> {
        let entry = self.entries.remove(key)?;
        if entry.number != UNREGISTERED {
            let fd = entry.source.as_fd();
            // A source that has another descriptor by now: the number it had may be somebody else's.
            if fd.as_raw_fd() != entry.number || self.instance.delete(entry.number).is_err() {
                self.stale = true;
            }
        }
        Some(entry.source)
    }

    /// `epoll_ctl(2)` with EPOLL_CTL_MOD: watches a source for other events, or again after [`ONESHOT`](EpollFlags::ONESHOT); `false` if it is
    /// no longer there.
    ///
    /// If an event waits for it, what is left of that are the events that are still asked for, and ERR and HUP.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: it was inserted with [`EXCLUSIVE`](EpollFlags::EXCLUSIVE): remove it and insert it anew.
    /// - `ENOENT`, `EBADF`: its descriptor was closed or changed behind its back. `EEXIST`: and another source here has it now.
    /// - The other errors of [`insert`](Epoll::insert), where it is to be registered anew: after a wait has reported `ERR` of it because
    ///   it could not be, or in a new instance after [`ONESHOT`](EpollFlags::ONESHOT).
    #[doc = concat!(man_page!("epoll_ctl", 2))]
    pub fn set_flags(&mut self, key: Key, flags: EpollFlags) -> io::Result<bool> {
        let Some(entry) = self.entries.get(key) else { return Ok(false) };
        let fd = entry.source.as_fd();
        let number = fd.as_raw_fd();
        if entry.number == UNREGISTERED {
            let added = self.instance.add(fd, flags.bits(), key.to_bits());
            if self.is_left_over(&added, number) {
                self.rebuild()?;
                // In this one what is registered is a source's that is here.
                return self.set_flags(key, flags);
            }
            added?;
            self.is_registered(key, number);
        } else if number == entry.number {
            self.instance.modify(fd, flags.bits(), key.to_bits())?;
        } else {
            // What is registered under this number is another source's.
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        }
        if let Some(entry) = self.entries.get_mut(key) {
            (entry.flags, entry.spent) = (flags, false);
        }
        let still = (flags | EpollFlags::ERR | EpollFlags::HUP).bits();
        for event in self.events.iter_mut().filter(|event| { event.u64 } == key.to_bits()) {
            event.events &= still;
        }
        Ok(true)
    }

    /// `epoll_pwait2(2)`: waits until a source has an event, and says how many there are to take; restarts after EINTR.
    ///
    /// At most 256 at a time; the kernel hands out the others at the next wait, in turn. `Ok(0)` means that the time was over.
    ///
    /// The time is in nanoseconds, and never early. (Before Linux 5.11 it is rounded up to milliseconds.)
    ///
    /// # Errors
    ///
    /// - `EMFILE`, `ENFILE`, `ENOMEM`: a new instance was needed and not to be had.
    #[doc = concat!(man_page!("epoll_pwait2", 2))]
    #[doc(alias = "epoll_wait")]
    pub fn wait(&mut self, timeout: impl Into<Timeout>) -> io::Result<usize> {
        let timeout = timeout.into().fixed();
        loop {
            match self.wait_with(timeout, None) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// As [`wait`](Epoll::wait), but EINTR comes back as [`ErrorKind::Interrupted`](io::ErrorKind::Interrupted).
    ///
    /// # Errors
    ///
    /// As [`wait`](Epoll::wait), and `EINTR`.
    pub fn wait_once(&mut self, timeout: impl Into<Timeout>) -> io::Result<usize> {
        self.wait_with(timeout.into().fixed(), None)
    }

    /// `epoll_pwait2(2)` with a signal mask that holds during the wait only; never restarts. What it is for stands at
    /// [`ppoll`](crate::ppoll).
    ///
    /// # Errors
    ///
    /// As [`wait`](Epoll::wait), and `EINTR`.
    #[doc = concat!(man_page!("epoll_pwait2", 2))]
    pub fn pwait(
        &mut self,
        timeout: impl Into<Timeout>,
        mask: Option<&libc::sigset_t>,
    ) -> io::Result<usize> {
        self.wait_with(timeout.into().fixed(), mask)
    }

    fn wait_with(&mut self, timeout: Timeout, mask: Option<&libc::sigset_t>) -> io::Result<usize> {
        loop {
            // What is left from the last time is not reported again where it is an edge.
            self.events.drain(..self.cursor);
            self.cursor = 0;
            self.drop_dead();
            if !self.events.is_empty() {
                return Ok(self.events.len());
            }
            if self.stale {
                self.rebuild()?;
                if !self.events.is_empty() {
                    return Ok(self.events.len());
                }
            }
            let found = self.instance.wait(&mut self.events, timeout, mask)?;
            for event in &self.events {
                if let Some(entry) = self.entries.get_mut(Key::from_bits(event.u64)) {
                    entry.spent = entry.flags.contains(EpollFlags::ONESHOT);
                }
            }
            self.drop_dead();
            if self.events.len() < found {
                self.stale = true;
            }
            if found == 0 || !self.events.is_empty() {
                return Ok(self.events.len());
            }
        }
    }

    fn drop_dead(&mut self) {
        let entries = &self.entries;
        self.events
            .retain(|event| event.events != 0 && entries.get(Key::from_bits(event.u64)).is_some());
    }

    /// A new instance with what is here, and with nothing else. A source that the kernel does not take any more has an error to report.
    #[cold]
    fn rebuild(&mut self) -> io::Result<()> {
        // Until the end: where a source panics, the next wait does it again.
        self.stale = true;
        let mut keys: Vec<(bool, Key)> = self
            .entries
            .iter()
            .map(|(key, entry)| (entry.source.as_fd().as_raw_fd() != entry.number, key))
            .collect();
        // First those that say the same as ever: who says another one's number shall not have its place.
        keys.sort_unstable();
        // Here the old one goes, before the new one is filled: the user's limit counts what both have.
        self.instance = Instance::new()?;
        for (_, key) in &keys {
            if let Some(entry) = self.entries.get_mut(*key) {
                entry.number = UNREGISTERED;
            }
        }
        for (_, key) in keys {
            let Some(entry) = self.entries.get(key).filter(|entry| !entry.spent) else { continue };
            let fd = entry.source.as_fd();
            let number = fd.as_raw_fd();
            if self.instance.add(fd, entry.flags.bits(), key.to_bits()).is_ok() {
                self.is_registered(key, number);
            } else {
                let events = EpollFlags::ERR.bits();
                self.events.push(RawEvent { events, u64: key.to_bits() });
            }
        }
        self.stale = false;
        Ok(())
    }
}

/// It is readable when one of its sources has an event: so it can itself be polled, or be a source of another.
///
/// The descriptor is another one after a wait in which a new instance was made. Who polls asks each time; as a source of another `Epoll`
/// it is taken out and inserted again.
impl<S> AsFd for Epoll<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.instance.as_fd()
    }
}

impl<S: fmt::Debug> fmt::Debug for Epoll<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
