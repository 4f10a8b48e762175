//! What a backend must provide.
//!
//! A backend is told which descriptors to watch, and says which are ready. It does not own them: the reactor does, keeps each open as
//! long as it is watched, and lends them all for the length of a wait. This is its contract; from it a backend on kqueue could be
//! written. Each number is a test in `tests/reactor/selector.rs`, which runs over all backends.
//!
//! 1. A source is watched for the events last [`set`](Selector::set), which are of `IN`, `OUT` and `PRI`, and each wait reports what it is
//!    ready for: as long as it is, not once. For one that is set [by edges](Trigger::Edge) once is enough: after it was set, also to the
//!    same events again, and after something came. The reactor sets it again unless it knows that nothing is left. Where more can be left than
//!    a short read shows, `PRI`, `RDHUP`, `ERR` or `HUP` is reported with `IN`. (`tests/reactor/edges.rs` is for this one.)
//! 2. A source that was [forgotten](Selector::forget) is not watched: whatever happens to it (a peer's hang-up or reset too) is neither reported nor
//!    ends a wait. Watched again, it is reported as if it had been all along. Its descriptor is free for another source at once.
//! 3. A report bears the key of the source. One is never reported under the key of a source that had its descriptor's number before.
//! 4. In one wait a source is reported once, with all that was found.
//! 5. A connection that has ended is ready, for whatever it is watched: the read or write then tells how. (`ERR` and `HUP` may be reported
//!    as well; select cannot.)
//! 6. A source whose descriptor is not open any more is reported with `NVAL`, and the others as ever. Where the kernel does not tell (epoll),
//!    that is at the next `set`.
//! 7. A wait is not early and not for ever: it ends when something is ready or the time is over. A time of zero does not wait. A signal
//!    does not end it.
//! 8. However many sources are ready, none is passed over for ever.
//! 9. Any number of descriptors, and any number that one may have. What cannot be watched at all is refused by `set`, with the
//!    kernel's error, and then not watched.

use std::io;
use std::os::fd::BorrowedFd;

use super::source::Source;
use crate::poll::Events;
use crate::slab::{Key, Slab};
use crate::timeout::Timeout;

/// The sources of a reactor, by key.
pub(super) type Sources = Slab<Source>;

/// A source that is ready, and for what.
pub(super) type Found = (Key, Events);

/// All that one wait has found.
pub(super) type Batch = Vec<Found>;

/// How often a source that is ready, and stays so, has to be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    /// As long as it is ready.
    Level,
    /// Once, if that is cheaper.
    Edge,
}

pub(super) trait Selector {
    /// Watches `fd` for `events`, of which there are some, under `key` from now on.
    fn set(&mut self, key: Key, fd: BorrowedFd<'_>, events: Events, by: Trigger) -> io::Result<()>;

    /// Watches the source of this key no more, if it did: before its descriptor is closed, or another takes its place.
    fn forget(&mut self, key: Key);

    /// Waits, and puts what is ready into `found`.
    fn wait(&mut self, sources: &Sources, timeout: Timeout, found: &mut Batch) -> io::Result<()>;
}

/// The sources that are watched, packed: what poll and select walk through before each wait.
#[derive(Default)]
pub(super) struct Watched {
    list: Vec<Found>,
    /// Where in the list a source is, by the slot of its key.
    places: Vec<u32>,
}

const NOWHERE: u32 = u32::MAX;

impl Watched {
    pub(super) fn set(&mut self, key: Key, events: Events) {
        if self.places.len() <= key.index() {
            self.places.resize(key.index() + 1, NOWHERE);
        }
        let place = self.places[key.index()];
        match (self.list.get_mut(place as usize), events.is_empty()) {
            (Some(entry), false) => *entry = (key, events),
            (Some(_), true) => {
                self.list.swap_remove(place as usize);
                self.places[key.index()] = NOWHERE;
                if let Some((moved, _)) = self.list.get(place as usize) {
                    self.places[moved.index()] = place;
                }
            }
            (None, false) => {
                // There are fewer sources than slots, and those are counted by 32 bits.
                self.places[key.index()] = u32::try_from(self.list.len()).unwrap_or(NOWHERE);
                self.list.push((key, events));
            }
            (None, true) => {}
        }
    }

    #[inline]
    pub(super) fn list(&self) -> &[Found] {
        &self.list
    }
}
