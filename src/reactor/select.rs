//! The backend on select(2).

use std::io;
use std::os::fd::BorrowedFd;

use super::selector::{Found, Selector, Sources, Watched};
use crate::fd_set::FdSet;
use crate::poll::{Events, PollFd, poll};
use crate::select::{Ready, select_into};
use crate::slab::Key;
use crate::timeout::Timeout;

/// What each of the three sets is for.
const SETS: [Events; 3] = [Events::IN, Events::OUT, Events::PRI];

#[derive(Debug, Default)]
pub(super) struct Select {
    watched: Watched,
    /// The memory of the three sets, empty between two waits.
    sets: [FdSet<'static>; 3],
    ready: Ready,
}

impl Selector for Select {
    fn set(&mut self, key: Key, _: BorrowedFd<'_>, events: Events) -> io::Result<()> {
        self.watched.set(key, events);
        Ok(())
    }

    fn wait(
        &mut self,
        sources: &Sources,
        timeout: Timeout,
        found: &mut Vec<Found>,
    ) -> io::Result<()> {
        let list = self.watched.list();
        let fd = |key| sources.get(key).and_then(|source| source.fd());
        let mut sets: [FdSet<'_>; 3] = std::mem::take(&mut self.sets);
        for &(key, events) in list {
            let Some(fd) = fd(key) else { continue };
            for (set, of) in sets.iter_mut().zip(SETS) {
                if events.contains(of) {
                    set.insert(fd);
                }
            }
        }
        let [read, write, except] = &sets;
        let result = match select_into(read, write, except, &mut self.ready, timeout) {
            // One of them is not open, and select does not say which.
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => {
                found.extend(broken(list, fd));
                if found.is_empty() { Err(error) } else { Ok(()) }
            }
            Ok(mut left) => {
                let ready = &self.ready;
                let answers = [ready.readable(), ready.writable(), ready.exceptional()];
                for &(key, _) in list {
                    if left == 0 {
                        break;
                    }
                    let Some(fd) = fd(key) else { continue };
                    let mut events = Events::empty();
                    for (answer, of) in answers.iter().zip(SETS) {
                        if answer.contains(fd) {
                            events |= of;
                            left -= 1;
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

/// Those that are not open: poll says so of each.
#[cold]
fn broken<'a>(
    list: &'a [Found],
    fd: impl Fn(Key) -> Option<BorrowedFd<'a>> + 'a,
) -> impl Iterator<Item = Found> + 'a {
    list.iter().filter_map(move |&(key, _)| {
        let fd = fd(key)?;
        let mut slot = [PollFd::new(fd, Events::empty())];
        // A negative one has no slot of poll's.
        let closed = slot[0].fd().is_none()
            || (poll(&mut slot, std::time::Duration::ZERO).is_ok()
                && slot[0].revents().contains(Events::NVAL));
        closed.then_some((key, Events::NVAL))
    })
}
