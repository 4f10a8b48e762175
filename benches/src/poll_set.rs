//! PollSet beside what a program keeps by hand: an array for poll(2), and its sources elsewhere.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use readysock::{Events, PollSet};

use crate::fixture::Fixture;
use crate::{Case, Cases, OURS, value};

/// Waits without waiting, and takes all events. The answer is the sum of the numbers that are ready.
///
/// The others do less: they have no keys and do not ask their sources which descriptor they have now.
#[must_use]
pub fn wait(fixture: &Fixture) -> Cases<'_> {
    let mut set: PollSet<BorrowedFd<'_>> = PollSet::new();
    for fd in fixture.fds() {
        set.insert(fd, Events::IN);
    }
    let mut cases = vec![Case::new(OURS, move || {
        set.wait(Duration::ZERO).expect("polled");
        let mut sum = 0;
        while let Some((key, _events)) = set.next_ready() {
            sum += set.get(key).map_or(0, |fd| value(fd.as_raw_fd()));
        }
        sum
    })];
    cases.extend(crate::poll::walk(fixture).into_iter().filter(|case| case.who != OURS));
    cases
}
