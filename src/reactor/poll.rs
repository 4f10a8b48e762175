//! The backend on poll(2).

use std::io;
use std::os::fd::BorrowedFd;

use super::selector::{Batch, Selector, Sources, Trigger, Watched};
use crate::poll::{Events, PollFd, poll, ready};
use crate::slab::Key;
use crate::sys::poll::recycle;
use crate::timeout::Timeout;

#[derive(Default)]
pub(super) struct Poll {
    watched: Watched,
    /// The memory of the array for the kernel, empty between two waits.
    array: Vec<PollFd<'static>>,
}

impl Selector for Poll {
    fn set(&mut self, key: Key, _: BorrowedFd<'_>, events: Events, _: Trigger) -> io::Result<()> {
        self.watched.set(key, events);
        Ok(())
    }

    fn forget(&mut self, key: Key) {
        self.watched.set(key, Events::empty());
    }

    fn wait(&mut self, sources: &Sources, timeout: Timeout, found: &mut Batch) -> io::Result<()> {
        let list = self.watched.list();
        let mut array: Vec<PollFd<'_>> = recycle(std::mem::take(&mut self.array));
        array.extend(list.iter().map(|&(key, events)| {
            let fd = sources.get(key).and_then(|source| source.fd());
            fd.map_or(PollFd::DISABLED, |fd| PollFd::new(fd, events))
        }));
        let result = poll(&mut array, timeout);
        let n = *result.as_ref().unwrap_or(&0);
        found.extend(ready(&array, n).map(|(index, slot)| (list[index].0, slot.revents())));
        self.array = recycle(array);
        result.map(drop)
    }
}
