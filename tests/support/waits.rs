//! Every call that tells what is ready, asked about one descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use readysock::{Events, FdSet, PollFd, PollSet, Ready, Timeout};
use readysock::{poll, poll_once, ppoll, pselect, select, select_into, select_once};

/// Long: what it waits for comes. A test that has to wait for it is broken.
pub const LONG: Duration = Duration::from_secs(60);

/// What poll reports without being asked.
pub const UNASKED: Events = Events::ERR.union(Events::HUP).union(Events::NVAL);

type Poll = fn(BorrowedFd<'_>, Events, Timeout) -> io::Result<(usize, Events)>;

fn in_slot(
    fd: BorrowedFd<'_>,
    asked: Events,
    call: impl FnOnce(&mut [PollFd<'_>]) -> io::Result<usize>,
) -> io::Result<(usize, Events)> {
    let mut fds = [PollFd::new(fd, asked)];
    let n = call(&mut fds)?;
    assert!(fds[0].events() == asked || !fds[0].is_enabled(), "what was asked for stays");
    Ok((n, fds[0].revents()))
}

fn in_set(
    fd: BorrowedFd<'_>,
    asked: Events,
    call: impl FnOnce(&mut PollSet<BorrowedFd<'_>>) -> io::Result<usize>,
) -> io::Result<(usize, Events)> {
    let mut set = PollSet::new();
    let key = set.insert(fd, asked);
    let n = call(&mut set)?;
    let found = set.next_ready().map_or(Events::empty(), |(ready, events)| {
        assert_eq!(ready, key);
        events
    });
    assert_eq!(set.next_ready(), None);
    Ok((n, found))
}

/// How many slots have an event, and which one ours has.
pub const POLLS: [(&str, Poll); 5] = [
    ("poll", |fd, asked, time| in_slot(fd, asked, |fds| poll(fds, time))),
    ("poll_once", |fd, asked, time| in_slot(fd, asked, |fds| poll_once(fds, time))),
    ("ppoll", |fd, asked, time| in_slot(fd, asked, |fds| ppoll(fds, time, None))),
    ("PollSet::wait", |fd, asked, time| in_set(fd, asked, |set| set.wait(time))),
    ("PollSet::wait_once", |fd, asked, time| in_set(fd, asked, |set| set.wait_once(time))),
];

type Select = fn([&FdSet<'_>; 3], Timeout) -> io::Result<Ready>;

pub const SELECTS: [(&str, Select); 4] = [
    ("select", |[read, write, except], time| select(read, write, except, time)),
    ("select_into", |[read, write, except], time| {
        let mut ready = Ready::new();
        let n = select_into(read, write, except, &mut ready, time)?;
        assert_eq!(n, ready.count());
        Ok(ready)
    }),
    ("select_once", |[read, write, except], time| select_once(read, write, except, time)),
    ("pselect", |[read, write, except], time| pselect(read, write, except, time, None)),
];

/// Asks each call about `fd` in every way, and compares with what the situation is: `holds` are all events that poll
/// would report, `sets` the letters of the sets in which select finds it, as `rwx`, in order, `-` where it does not.
///
/// Of `holds`, poll must report what is asked for, and `ERR`, `HUP` and `NVAL` in any case; select must find it in
/// those of `sets` it was put into, and count it once for each.
#[track_caller]
pub fn every_call_says(fd: &impl AsFd, holds: Events, sets: &str) {
    let fd = fd.as_fd();
    come_about(fd, holds);
    for asked in subsets([Events::IN, Events::PRI, Events::OUT, Events::RDHUP]) {
        let asked = Events::from_iter(asked);
        let found = holds & (asked | UNASKED);
        for (name, call) in POLLS {
            for &time in times(!found.is_empty()) {
                let answer = call(fd, asked, time.into()).expect(name);
                let expected = (usize::from(!found.is_empty()), found);
                assert_eq!(answer, expected, "{name}, asked for {asked:?}, within {time:?}");
            }
        }
    }
    assert!(sets.len() == 3 && sets.chars().zip("rwx".chars()).all(|(c, of)| c == of || c == '-'));
    for members in subsets(['r', 'w', 'x']) {
        let member = |set| members.contains(&set);
        let asked = ['r', 'w', 'x'].map(|set| FdSet::from_iter(member(set).then_some(fd)));
        let before = asked.clone();
        let expected = ['r', 'w', 'x'].map(|set| member(set) && sets.contains(set));
        let count = expected.iter().filter(|found| **found).count();
        for (name, call) in SELECTS {
            for &time in times(count > 0) {
                let ready = call(asked.each_ref(), time.into()).expect(name);
                let answers = [ready.readable(), ready.writable(), ready.exceptional()];
                let found = answers.map(|answer| answer.contains(fd));
                assert_eq!(found, expected, "{name}, put into {members:?}, within {time:?}");
                assert_eq!(ready.count(), count, "{name}: in each set it counts once");
                assert_eq!(answers.map(|answer| answer.iter().count()), found.map(usize::from));
                assert_eq!(asked, before, "{name}: its sets stay as they are");
            }
        }
    }
}

/// What is ready is reported with and without a wait; for what is not, there is nothing to wait for.
fn times(ready: bool) -> &'static [Duration] {
    if ready { &[Duration::ZERO, LONG] } else { &[Duration::ZERO] }
}

/// Waits until each of the events is there: over TCP, even on this machine, some take a moment.
#[track_caller]
fn come_about(fd: BorrowedFd<'_>, holds: Events) {
    let start = Instant::now();
    for event in holds.iter() {
        let mut fds = [PollFd::new(fd, event - UNASKED)];
        // Another event, which nobody asked for, may end each wait at once.
        while !fds[0].revents().contains(event) {
            assert_eq!(poll(&mut fds, LONG).expect("polled"), 1, "{event:?} does not come");
            assert!(start.elapsed() < LONG, "{event:?} does not come");
        }
    }
}

fn subsets<T: Copy, const N: usize>(all: [T; N]) -> impl Iterator<Item = Vec<T>> {
    (0..1_u32 << N).map(move |bits| {
        (0..N).filter(|index| bits & (1 << index) != 0).map(|index| all[index]).collect()
    })
}
