//! Time: never early, and what counts as a time. Long ones are in `signals.rs`.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use readysock::{Events, FdSet, PollFd, PollSet, Ready, Timeout, poll, poll_once, ppoll, pselect};
use readysock::{select, select_into, select_once};

type Wait = fn(Timeout) -> io::Result<usize>;

/// Every call that waits, with nothing to wait for: the number it counted when it came back.
const WAITS: [(&str, Wait); 9] = [
    ("poll", |timeout| poll(&mut [], timeout)),
    ("poll_once", |timeout| poll_once(&mut [], timeout)),
    ("ppoll", |timeout| ppoll(&mut [], timeout, None)),
    ("select", |timeout| Ok(select(&NONE, &NONE, &NONE, timeout)?.count())),
    ("select_into", |timeout| select_into(&NONE, &NONE, &NONE, &mut Ready::new(), timeout)),
    ("select_once", |timeout| Ok(select_once(&NONE, &NONE, &NONE, timeout)?.count())),
    ("pselect", |timeout| Ok(pselect(&NONE, &NONE, &NONE, timeout, None)?.count())),
    ("PollSet::wait", |timeout| PollSet::<std::net::TcpStream>::new().wait(timeout)),
    ("PollSet::wait_once", |timeout| PollSet::<std::net::TcpStream>::new().wait_once(timeout)),
];

static NONE: FdSet<'static> = FdSet::new();

#[test]
fn none_is_early() {
    for (name, wait) in WAITS {
        for time in [Duration::from_nanos(1), Duration::from_micros(999), Duration::from_millis(7)]
        {
            let start = Instant::now();
            assert_eq!(wait(Timeout::After(time)).expect(name), 0, "{name}");
            assert!(start.elapsed() >= time, "{name}: early for {time:?}");

            let end = Instant::now() + time;
            assert_eq!(wait(Timeout::At(end)).expect(name), 0, "{name}");
            assert!(Instant::now() >= end, "{name}: early for an instant {time:?} ahead");
        }
    }
}

#[test]
fn zero_and_the_past_only_look() {
    let past = Instant::now();
    for (name, wait) in WAITS {
        for timeout in [Timeout::After(Duration::ZERO), Timeout::At(past)] {
            // The quickest of many: a machine that is busy is not busy all the time.
            let quickest = (0..50).map(|_| {
                let start = Instant::now();
                assert_eq!(wait(timeout).expect(name), 0, "{name} with {timeout:?}");
                start.elapsed()
            });
            let quickest = quickest.min().expect("50 calls");
            assert!(quickest < Duration::from_millis(1), "{name} with {timeout:?}: {quickest:?}");
        }
    }
}

/// In C, select(2) leaves in its timeval what it has not waited, on Linux: the next wait with that is shorter.
#[test]
fn a_time_is_asked_again_as_it_was() {
    let (mut near, far) = std::os::unix::net::UnixStream::pair().expect("a pair");
    near.write_all(b"x").expect("written");
    let read = FdSet::from_iter([far.as_fd()]);
    let time = Duration::from_millis(20);
    let timeout = Timeout::After(time);
    for (name, wait) in WAITS {
        // What is there at once leaves nearly all of the time.
        assert_eq!(select(&read, &NONE, &NONE, timeout).expect("selected").count(), 1);
        assert_eq!(poll(&mut [PollFd::of(&far, Events::IN)], timeout).expect("polled"), 1);
        // A wait to the end leaves none of it.
        for _ in 0..2 {
            let start = Instant::now();
            assert_eq!(wait(timeout).expect(name), 0, "{name}");
            assert!(start.elapsed() >= time, "{name}: {:?}", start.elapsed());
        }
        assert_eq!(timeout, Timeout::After(time));
    }
}

#[test]
fn whatever_is_a_time_is_taken() {
    let second = Duration::from_secs(1);
    let now = Instant::now();
    assert_eq!(Timeout::from(second), Timeout::After(second));
    assert_eq!(Timeout::from(Some(second)), Timeout::After(second));
    assert_eq!(Timeout::from(None), Timeout::Never);
    assert_eq!(Timeout::from(now), Timeout::At(now));
    // `None` alone says what it means, and so does each of the others.
    let (near, _far) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let mut fds = [PollFd::of(&near, Events::OUT)];
    assert_eq!(poll(&mut fds, None).expect("polled"), 1);
    assert_eq!(poll(&mut fds, Some(second)).expect("polled"), 1);
    assert_eq!(poll(&mut fds, now).expect("polled"), 1);
}
