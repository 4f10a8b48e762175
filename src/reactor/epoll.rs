//! The backend on epoll(7): by edges where that is asked for, for then the kernel does not look again at what was found ready.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use super::selector::{Batch, Selector, Sources, Trigger};
use crate::epoll::EpollFlags;
use crate::holders::Holders;
use crate::poll::Events;
use crate::slab::Key;
use crate::sys::epoll::{Event, Instance};
use crate::timeout::Timeout;

/// How many events one wait takes. The kernel hands out the others at the next, in turn.
const AT_ONCE: usize = 1024;

pub(super) struct Epoll {
    instance: Instance,
    /// What is watched, by the slot of its key.
    watched: Vec<Option<Registered>>,
    holders: Holders,
    /// Those whose descriptor was found closed, to be reported.
    broken: Vec<Key>,
    /// The instance knows of something that is not watched any more.
    stale: bool,
    events: Vec<Event>,
}

#[derive(Clone, Copy)]
struct Registered {
    key: Key,
    flags: u32,
    /// Under which it is registered; -1 where it could not be: this number may be another source's.
    number: RawFd,
}

const UNREGISTERED: RawFd = -1;

impl Epoll {
    pub(super) fn new() -> io::Result<Epoll> {
        let (instance, events) = (Instance::new()?, Vec::with_capacity(AT_ONCE));
        let (watched, broken, holders) = (Vec::new(), Vec::new(), Holders::default());
        Ok(Epoll { instance, watched, holders, broken, stale: false, events })
    }

    /// Changes the registration, if there is one under this number, or makes one. The number under which it is.
    fn register(
        &mut self,
        key: Key,
        fd: BorrowedFd<'_>,
        flags: u32,
        known: bool,
    ) -> io::Result<RawFd> {
        let call = if known { Instance::modify } else { Instance::add };
        match call(&self.instance, fd, flags, key.to_bits()) {
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => {
                self.broken.push(key);
                Ok(UNREGISTERED)
            }
            // It was closed meanwhile, and the number is that of another file. The one before may live on in a duplicate, under this key.
            Err(error) if known && error.raw_os_error() == Some(libc::ENOENT) => {
                self.stale = true;
                self.register(key, fd, flags, false)
            }
            result => {
                result?;
                let number = fd.as_raw_fd();
                let before = if known { None } else { self.holders.replace(number, key) };
                let before =
                    before.and_then(|before| self.watched.get_mut(before.index())?.as_mut());
                // Who said this number before lost it behind his back: what is registered under it is not his.
                if let Some(at) = before.filter(|at| at.number == number) {
                    at.number = UNREGISTERED;
                }
                Ok(number)
            }
        }
    }

    /// Where the kernel knows of nothing under this number, what was registered may live on in a duplicate.
    fn delete(&mut self, number: RawFd) {
        self.stale |= number != UNREGISTERED && self.instance.delete(number).is_err();
    }

    /// A new instance, with what is watched and nothing else.
    #[cold]
    fn rebuild(&mut self, sources: &Sources) -> io::Result<()> {
        self.instance = Instance::new()?;
        let fd = |key| sources.get(key).and_then(|source| source.fd());
        let changed = |at: &Registered| fd(at.key).map(|fd| fd.as_raw_fd()) != Some(at.number);
        let mut all: Vec<Registered> = self.watched.iter().flatten().copied().collect();
        // First those that say the same as ever: who says another one's number shall not have its place.
        all.sort_by_cached_key(changed);
        for Registered { key, flags, .. } in all {
            let Some(fd) = fd(key) else { continue };
            // One that cannot be watched any more is told so, alone.
            let number = self.register(key, fd, flags, false).unwrap_or_else(|_| {
                self.broken.push(key);
                UNREGISTERED
            });
            self.watched[key.index()] = Some(Registered { key, flags, number });
        }
        self.stale = false;
        Ok(())
    }

    /// What is reported of an event's key. None of one that is not watched: then the instance is stale.
    #[inline]
    fn watches(&self, key: Key) -> bool {
        self.watched.get(key.index()).is_some_and(|at| at.is_some_and(|at| at.key == key))
    }
}

impl Selector for Epoll {
    fn set(&mut self, key: Key, fd: BorrowedFd<'_>, events: Events, by: Trigger) -> io::Result<()> {
        if self.watched.len() <= key.index() {
            self.watched.resize(key.index() + 1, None);
        }
        let old = mem::take(&mut self.watched[key.index()]);
        let old = old.map_or(UNREGISTERED, |old| old.number);
        let (known, flags) = (old == fd.as_raw_fd(), flags(events, by));
        if !known {
            self.delete(old);
        }
        let number = self.register(key, fd, flags, known)?;
        self.watched[key.index()] = Some(Registered { key, flags, number });
        Ok(())
    }

    fn forget(&mut self, key: Key) {
        if let Some(old) = self.watched.get_mut(key.index()).and_then(Option::take) {
            self.delete(old.number);
        }
    }

    fn wait(&mut self, sources: &Sources, timeout: Timeout, found: &mut Batch) -> io::Result<()> {
        loop {
            if self.stale {
                self.rebuild(sources)?;
            }
            let broken = mem::take(&mut self.broken).into_iter().filter(|key| self.watches(*key));
            found.extend(broken.map(|key| (key, Events::NVAL)));
            let timeout = if found.is_empty() { timeout } else { Duration::ZERO.into() };
            self.events.clear();
            match self.instance.wait(&mut self.events, timeout, None) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            };
            for event in &self.events {
                let (key, flags) = (Key::from_bits(event.u64), event.events);
                if self.watches(key) {
                    found.push((key, events(flags)));
                } else {
                    // A registration that outlived its source, because a duplicate of the descriptor lives.
                    self.stale = true;
                }
            }
            if !self.stale || !found.is_empty() {
                return Ok(());
            }
        }
    }
}

fn flags(events: Events, trigger: Trigger) -> u32 {
    let bits = |events: Events| u32::from(u16::from_ne_bytes(events.bits().to_ne_bytes()));
    match trigger {
        Trigger::Level => bits(events),
        Trigger::Edge if events.contains(Events::IN) => bits(events | STOPS) | EDGES,
        Trigger::Edge => bits(events) | EDGES,
    }
}

const EDGES: u32 = EpollFlags::ET.bits();
/// What makes a read stop with something behind it. It matters to who reads; to others it would come each time that they are set.
const STOPS: Events = Events::PRI.union(Events::RDHUP);

fn events(flags: u32) -> Events {
    // What is reported is below 2¹⁵: options are not.
    Events::from_bits_retain(i16::try_from(flags).unwrap_or(0))
}
