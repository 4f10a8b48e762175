//! PollSet: the owning set for loops that accept and drop sources.

use std::fmt;
use std::io;
use std::mem;
use std::os::fd::AsFd;

use crate::poll::{Events, PollFd, poll, poll_once, ready};
use crate::slab::{Key, Slab};
use crate::sys::poll::recycle;
use crate::timeout::Timeout;

/// A set of sources to [`poll`](fn@crate::poll), which owns them: for loops that accept new ones and drop old ones.
///
/// [`insert`](PollSet::insert) gives a [`Key`], under which the source is found again and under which its events are
/// reported. [`wait`](PollSet::wait) polls them all, and [`next_ready`](PollSet::next_ready) takes one event after
/// the other. The loop body may insert, remove and replace while it does: nothing is borrowed between two calls.
///
/// ```
/// use readysock::{Events, PollSet};
/// use std::{io::Write, os::unix::net::UnixStream, time::Duration};
///
/// let (mut near, far) = UnixStream::pair()?;
/// let mut set = PollSet::new();
/// let key = set.insert(far, Events::IN);
/// near.write_all(b"hello")?;
/// set.wait(Duration::from_secs(5))?;
/// while let Some((ready, events)) = set.next_ready() {
///     assert_eq!((ready, events), (key, Events::IN));
///     set.remove(ready); // closes it
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # What it does that an array of [`PollFd`] does not
///
/// - An event never reaches the wrong source: a `Key` is valid for one source and never used again, also when the
///   kernel gives the descriptor's number to the next one. Removed, replaced or disabled sources lose the event that waits for them.
/// - Sources that are disabled are not passed to the kernel at all, so a peer that hangs up meanwhile does not make each
///   wait return at once, and only enabled ones count against RLIMIT_NOFILE.
/// - The descriptor is asked of the source ([`AsFd::as_fd`]) before each wait, so a source may change it.
/// - `HUP` and `ERR` come unasked, as of [`poll`](fn@crate::poll): also from a source with no events, which is not the same as a disabled one.
/// - `NVAL` (the descriptor is not open) is reported as an event of that source. With owned sources it does not occur
///   unless something closed the number behind their back.
///
/// A source whose descriptor is negative is never ready.
///
/// # What does not compile
///
/// A source cannot be moved out while the set owns it:
///
/// ```compile_fail,E0507
/// use readysock::{Events, PollSet};
/// use std::net::TcpStream;
///
/// fn take(set: &PollSet<TcpStream>, key: readysock::Key) -> TcpStream {
///     *set.get(key).unwrap() // error[E0507]: cannot move out of a shared reference
/// }
/// ```
#[doc = concat!(man_page!("poll", 2))]
pub struct PollSet<S> {
    /// The sources, packed, those that are enabled first: a wait costs what is watched now, not what was there once,
    /// and the index here is the index in the array for the kernel.
    entries: Vec<Entry<S>>,
    enabled: usize,
    /// Where the entry of a key is: the key stays, its entry moves.
    indexes: Slab<usize>,
    /// The memory of the array for the kernel, empty between two waits.
    array: Vec<PollFd<'static>>,
    /// What the last wait found, and how much of it `next_ready` has looked at. The index is that of the wait: entries move.
    found: Vec<(Key, usize, Events)>,
    cursor: usize,
}

/// What the kernel reports whatever is asked for.
const UNASKED: Events = Events::ERR.union(Events::HUP).union(Events::NVAL);

struct Entry<S> {
    source: S,
    key: Key,
    events: Events,
    /// What the last wait found and `next_ready` has not handed out.
    pending: Events,
}

impl<S> PollSet<S> {
    /// An empty set.
    #[must_use]
    pub const fn new() -> PollSet<S> {
        PollSet {
            entries: Vec::new(),
            enabled: 0,
            indexes: Slab::new(),
            array: Vec::new(),
            found: Vec::new(),
            cursor: 0,
        }
    }

    /// How many sources there are, disabled ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no source.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The source of a key; `None` if it is no longer there.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&S> {
        self.index(key).map(|index| &self.entries[index].source)
    }

    /// The source of a key; `None` if it is no longer there. To put another one in its place, use
    /// [`replace`](PollSet::replace), which also drops the event that may wait for the old one.
    #[must_use]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut S> {
        self.entry(key).map(|entry| &mut entry.source)
    }

    /// All keys and sources, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &S)> {
        self.entries.iter().map(|entry| (entry.key, &entry.source))
    }

    /// Takes a source and watches it for `events`. The key is its name from now on.
    ///
    /// A source that is inserted while events are being taken is first reported by the next wait.
    pub fn insert(&mut self, source: S, events: Events) -> Key {
        let index = self.entries.len();
        let key = self.indexes.insert(index);
        self.entries.push(Entry { source, key, events, pending: Events::empty() });
        self.swap(index, self.enabled);
        self.enabled += 1;
        key
    }

    /// Takes a source out and gives it back; `None` if it is no longer there. If an event waits for it, it is dropped.
    pub fn remove(&mut self, key: Key) -> Option<S> {
        let mut index = self.index(key)?;
        if index < self.enabled {
            self.enabled -= 1;
            self.swap(index, self.enabled);
            index = self.enabled;
        }
        self.swap(index, self.entries.len() - 1);
        let entry = self.entries.pop()?;
        self.indexes.remove(key);
        Some(entry.source)
    }

    /// Puts another source in the place of one, under the same key, and gives the old one back. What is watched for,
    /// and whether it is, stays; if an event waits for the old one, it is dropped.
    ///
    /// # Errors
    ///
    /// If the key's source is no longer there, the new one comes back.
    pub fn replace(&mut self, key: Key, source: S) -> Result<S, S> {
        match self.entry(key) {
            Some(entry) => {
                entry.pending = Events::empty();
                Ok(mem::replace(&mut entry.source, source))
            }
            None => Err(source),
        }
    }

    /// Watches a source for other events; `false` if it is no longer there.
    ///
    /// If an event waits for it, what is left of that are the events that are still asked for, and ERR, HUP and NVAL.
    pub fn set_events(&mut self, key: Key, events: Events) -> bool {
        let Some(entry) = self.entry(key) else { return false };
        entry.events = events;
        entry.pending &= events | UNASKED;
        true
    }

    /// Switches the watch over a source on or off; `false` if it is no longer there.
    ///
    /// Off, the kernel does not hear of it; if an event waits for it, it is dropped.
    pub fn set_enabled(&mut self, key: Key, enabled: bool) -> bool {
        let Some(index) = self.index(key) else { return false };
        match (index < self.enabled, enabled) {
            (false, true) => {
                self.swap(index, self.enabled);
                self.enabled += 1;
            }
            (true, false) => {
                self.entries[index].pending = Events::empty();
                self.enabled -= 1;
                self.swap(index, self.enabled);
            }
            _ => {}
        }
        true
    }

    /// Takes the next event of the last wait. Each source that has one comes once.
    ///
    /// A source that was removed, replaced or disabled since the wait does not come. This makes no system call and
    /// asks nothing of the sources.
    pub fn next_ready(&mut self) -> Option<(Key, Events)> {
        while let Some(&(key, ..)) = self.found.get(self.cursor) {
            self.cursor += 1;
            let events =
                self.entry(key).map_or(Events::empty(), |entry| mem::take(&mut entry.pending));
            if !events.is_empty() {
                return Some((key, events));
            }
        }
        None
    }

    fn index(&self, key: Key) -> Option<usize> {
        self.indexes.get(key).copied()
    }

    fn entry(&mut self, key: Key) -> Option<&mut Entry<S>> {
        self.index(key).map(|index| &mut self.entries[index])
    }

    /// Exchanges two entries, and notes where they are now.
    fn swap(&mut self, one: usize, two: usize) {
        self.entries.swap(one, two);
        for at in [one, two] {
            if let Some(index) = self.indexes.get_mut(self.entries[at].key) {
                *index = at;
            }
        }
    }

    /// Drops what the last wait found.
    fn forget(&mut self) {
        while self.next_ready().is_some() {}
        self.found.clear();
        self.cursor = 0;
    }
}

impl<S: AsFd> PollSet<S> {
    /// Polls all enabled sources as [`poll`](fn@crate::poll) does, and says how many have an event; restarts after EINTR.
    ///
    /// Events of an earlier wait that were not taken are forgotten; poll(2) reports them again as long as they
    /// hold. `Ok(0)` means that the time was over.
    ///
    /// # Errors
    ///
    /// As [`poll`](fn@crate::poll). After an error there are no events.
    pub fn wait(&mut self, timeout: impl Into<Timeout>) -> io::Result<usize> {
        let timeout = timeout.into();
        self.wait_by(|array| poll(array, timeout))
    }

    /// As [`wait`](PollSet::wait), but EINTR comes back as [`ErrorKind::Interrupted`](io::ErrorKind::Interrupted).
    ///
    /// # Errors
    ///
    /// As [`poll_once`]. After an error there are no events.
    pub fn wait_once(&mut self, timeout: impl Into<Timeout>) -> io::Result<usize> {
        let timeout = timeout.into();
        self.wait_by(|array| poll_once(array, timeout))
    }

    fn wait_by(
        &mut self,
        call: impl FnOnce(&mut [PollFd<'_>]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.forget();
        // The array borrows from the sources, so they stay as they are until the call is over: `as_fd` may say something
        // else each time it is asked, and is asked once.
        let entries = &self.entries[..self.enabled];
        let mut array: Vec<PollFd<'_>> = mem::take(&mut self.array);
        array.extend(entries.iter().map(|entry| PollFd::of(&entry.source, entry.events)));

        let result = call(&mut array);
        let n = *result.as_ref().unwrap_or(&0);
        let found =
            ready(&array, n).map(|(index, slot)| (entries[index].key, index, slot.revents()));
        self.found.extend(found);
        self.array = recycle(array);

        for &(_, index, events) in &self.found {
            self.entries[index].pending = events;
        }
        result
    }
}

impl<S> Default for PollSet<S> {
    fn default() -> Self {
        PollSet::new()
    }
}

impl<S: fmt::Debug> fmt::Debug for PollSet<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
