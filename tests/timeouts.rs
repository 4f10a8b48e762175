//! Time: never early, never more than was asked for, and what counts as a time. That long ones wait is in `signals.rs`.

mod support;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use readysock::{Events, FdSet, PollFd, PollSet, Ready, Timeout, poll, poll_once, ppoll, pselect};
use readysock::{select, select_into, select_once};
use support::calls;
use support::waits::{POLLS, SELECTS};

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

/// What the kernel was told, read by another thread while the call waits: nobody can wait for 50 days to see that
/// they have not become 7 hours, which is what an `int` of milliseconds leaves of them, nor 25 days to see that they end.
#[test]
fn the_kernel_is_told_a_long_time_as_it_is() {
    if !calls::are_told() {
        return;
    }
    let day = Duration::from_secs(24 * 3600);
    let times = [
        Duration::from_millis(90_000_001),
        25 * day,
        50 * day,
        Duration::from_secs(u64::MAX),
        Duration::MAX,
    ];
    for (name, call) in POLLS {
        for time in times {
            told(name, time, |fd, timeout| Ok(call(fd, Events::IN, timeout)?.0));
        }
    }
    for (name, call) in SELECTS {
        for time in times {
            told(name, time, |fd, timeout| {
                Ok(call([&FdSet::from_iter([fd]), &NONE, &NONE], timeout)?.count())
            });
        }
    }
}

/// Calls `wait` with the time, and with the instant that is so far ahead where there is one.
fn told(
    name: &str,
    time: Duration,
    wait: impl Fn(BorrowedFd<'_>, Timeout) -> io::Result<usize> + Sync,
) {
    const MOST: Duration = Duration::new(i64::MAX.unsigned_abs(), 999_999_999);
    let asked = Duration::new(time.as_secs().min(MOST.as_secs()), time.subsec_nanos());
    let told = seen_waiting(name, |fd| wait(fd, Timeout::After(time)));
    assert_eq!(told, asked, "{name}, for {time:?}");

    let start = Instant::now();
    let Some(end) = start.checked_add(time) else { return };
    let told = seen_waiting(name, |fd| wait(fd, Timeout::At(end)));
    let least = end - Instant::now();
    assert!((least..=time).contains(&told), "{name}, until {time:?} ahead: {told:?}");
}

/// The time in the memory to which the argument of ppoll(2) or pselect6(2) points, while a thread is in `wait`.
fn seen_waiting(name: &str, wait: impl Fn(BorrowedFd<'_>) -> io::Result<usize> + Sync) -> Duration {
    let (mut near, far) = UnixStream::pair().expect("a pair");
    let (tell, number) = mpsc::channel();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            tell.send(nix::unistd::gettid()).expect("heard");
            wait(far.as_fd())
        });
        let thread = format!("self/task/{}", number.recv().expect("its number"));
        let timeout = loop {
            match calls::call_of(&thread) {
                Some((calls::PPOLL, arguments)) => break at(arguments[2]),
                Some((calls::PSELECT, arguments)) => break at(arguments[4]),
                _ => {}
            }
            assert!(!waiting.is_finished(), "{name} did not wait: {:?}", waiting.join());
            thread::yield_now();
        };
        near.write_all(b"x").expect("written");
        assert_eq!(waiting.join().expect("joined").expect(name), 1, "{name}");
        timeout
    })
}

/// The `struct __kernel_timespec` at that address in this process.
fn at(address: u64) -> Duration {
    let mut bytes = [0; 16];
    let memory = File::open("/proc/self/mem").expect("this process's memory");
    memory.read_exact_at(&mut bytes, address).expect("its time");
    let (sec, nsec) = bytes.split_at(8);
    let [sec, nsec] = [sec, nsec].map(|bytes| i64::from_ne_bytes(bytes.try_into().expect("8")));
    Duration::new(sec.try_into().expect("no negative"), nsec.try_into().expect("no negative"))
}
