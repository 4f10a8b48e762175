//! The backend on select(2).

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::selector::{Batch, Found, Selector, Sources, Trigger, Watched};
use crate::fd_set::FdSet;
use crate::poll::{Events, PollFd, poll};
use crate::select::{Ready, select_into};
use crate::slab::Key;
use crate::timeout::Timeout;

/// What each of the three sets is for.
const SETS: [Events; 3] = [Events::IN, Events::OUT, Events::PRI];

#[derive(Default)]
pub(super) struct Select {
    watched: Watched,
    /// The memory of the three sets, empty between two waits.
    sets: [FdSet<'static>; 3],
    ready: Ready,
}

impl Selector for Select {
    fn set(&mut self, key: Key, _: BorrowedFd<'_>, events: Events, _: Trigger) -> io::Result<()> {
        self.watched.set(key, events);
        Ok(())
    }

    fn forget(&mut self, key: Key) {
        self.watched.set(key, Events::empty());
    }

    fn wait(&mut self, sources: &Sources, timeout: Timeout, found: &mut Batch) -> io::Result<()> {
        let list = self.watched.list();
        let fd = |key| sources.get(key).and_then(|source| source.fd());
        let mut sets: [FdSet<'_>; 3] = std::mem::take(&mut self.sets);
        // Two sources have one descriptor: then the count of the answer is not that of the sources.
        let mut shared = false;
        for &(key, events) in list {
            let Some(fd) = fd(key) else { continue };
            for (set, of) in sets.iter_mut().zip(SETS) {
                if events.contains(of) {
                    shared |= !set.insert(fd);
                }
            }
        }
        let [read, write, except] = &sets;
        let result = match select_into(read, write, except, &mut self.ready, timeout) {
            // One of them is not open, and select does not say which.
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => ask_poll(list, fd, found),
            Ok(mut left) => {
                let ready = &self.ready;
                let answers = [ready.readable(), ready.writable(), ready.exceptional()];
                for &(key, asked) in list {
                    if left == 0 && !shared {
                        break;
                    }
                    let Some(fd) = fd(key) else { continue };
                    let mut events = Events::empty();
                    for (answer, of) in answers.iter().zip(SETS) {
                        if asked.contains(of) && answer.contains(fd) {
                            events |= of;
                            left = left.saturating_sub(1);
                        }
                    }
                    if !events.is_empty() {
                        found.push((key, events));
                    }
                }
                Ok(())
            }
            Err(error) => Err(error),
        };
        self.sets = sets.map(FdSet::into_empty);
        result
    }
}

/// What is ready, and which are not open: poll says so of each.
#[cold]
fn ask_poll<'a>(
    list: &[Found],
    fd: impl Fn(Key) -> Option<BorrowedFd<'a>>,
    found: &mut Batch,
) -> io::Result<()> {
    let slot =
        |&(key, events): &Found| fd(key).map_or(PollFd::DISABLED, |fd| PollFd::new(fd, events));
    let mut slots: Vec<PollFd<'_>> = list.iter().map(slot).collect();
    poll(&mut slots, Duration::ZERO)?;
    found.extend(list.iter().zip(&slots).filter_map(|(&(key, _), slot)| {
        // A negative one has no slot of poll's.
        let events = if slot.fd().is_none() { Events::NVAL } else { slot.revents() };
        (!events.is_empty()).then_some((key, events))
    }));
    Ok(())
}
