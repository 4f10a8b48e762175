//! No heap where the crate says none: each use of the allocator is counted.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::SigSet;
use readysock::{Events, FdSet, PollFd, PollSet, Ready, Timeout, poll, poll_once, ppoll, pselect};
use readysock::{ready, select, select_into, select_once};
use support::fds::{allow, limit_is_the_kernels, numbered, selectable};
use support::isolated::{self, Case};
use support::ticks;

struct Counting;

static USES: AtomicUsize = AtomicUsize::new(0);

fn count() {
    USES.fetch_add(1, Ordering::Relaxed);
}

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: it passes everything on to the system's allocator, which keeps the trait's promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the same promises towards us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the same promises towards us.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the same promises towards us, and `at` came from the system's allocator.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller keeps the same promises towards us, and `at` came from the system's allocator.
        unsafe { System.dealloc(at, layout) }
    }
}

/// How often the allocator is used (to get, to grow or to give back) while `work` runs. The process has one thread.
fn uses<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = USES.load(Ordering::Relaxed);
    let result = work();
    (USES.load(Ordering::Relaxed) - before, result)
}

#[track_caller]
fn without_heap<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let (uses, result) = uses(work);
    assert_eq!(uses, 0, "{name} uses the allocator");
    result
}

fn main() {
    const CASES: &[Case] = &[
        ("the_count_counts", counts),
        ("fd_set_below_1024", sets),
        ("waits_below_1024", waits),
        ("waits_that_are_interrupted", interrupted),
        ("poll_with_any_number_of_slots", polls),
        ("select_into_above_1024_after_the_first_call", above),
        ("poll_set_after_the_first_wait", poll_set),
    ];
    isolated::main(CASES)
}

static NONE: FdSet<'static> = FdSet::new();
const ZERO: Duration = Duration::ZERO;

/// Each kind of timeout, none of which waits longer than 1 ms where nothing is ready; `Never` for where something is.
fn timeouts(something_is_ready: bool) -> impl Iterator<Item = Timeout> {
    let now = Instant::now();
    let soon = Duration::from_millis(1);
    let ends = [ZERO.into(), soon.into(), now.into(), (now + soon).into()];
    ends.into_iter().chain(something_is_ready.then_some(Timeout::Never))
}

/// A socket with something to read, its peer, and duplicates of both at 63, 64 and 1023: ready and idle ones in turn.
fn sockets() -> (Vec<OwnedFd>, Vec<OwnedFd>) {
    let (near, far) = UnixStream::pair().expect("a pair");
    (&near).write_all(b"x").expect("written");
    let ready = [3, 63, 500, 1023].map(|number| numbered(&far, number));
    let idle = [3, 64, 501, 1022].map(|number| numbered(&near, number));
    (ready.into(), idle.into())
}

fn below(fds: &[OwnedFd]) -> impl Iterator<Item = BorrowedFd<'_>> + Clone {
    assert!(fds.iter().all(|fd| fd.as_raw_fd() < 1024));
    fds.iter().map(AsFd::as_fd)
}

/// The test of the test.
fn counts() {
    assert_eq!(uses(|| drop(black_box(Box::new(1)))).0, 2);
    assert_eq!(uses(|| black_box(Vec::<u8>::with_capacity(10)).reserve(100)).0, 3);
    assert_eq!(uses(|| drop(black_box(vec![0; 10]))).0, 2);
    let (near, _far) = UnixStream::pair().expect("a pair");
    let high = numbered(&near, 1024);
    let mut set = FdSet::new();
    assert!(uses(|| set.insert(high.as_fd())).0 > 0, "above 1023 a set has to go to the heap");
}

fn sets() {
    let (ready, idle) = sockets();
    let fds = || below(&ready).chain(below(&idle));
    without_heap("FdSet", || {
        let mut set = FdSet::new();
        assert!(fds().all(|fd| set.insert(fd)) && !fds().any(|fd| set.insert(fd)));
        assert_eq!((set.len(), set.highest()), (8, fds().map(|fd| fd.as_raw_fd()).max()));
        assert_eq!(set.iter().count(), set.iter().rev().count());
        assert!(set.contains(&ready[0]) && set.remove(&ready[0]) && !set.contains(&ready[0]));
        let copy = set.clone();
        assert_eq!(copy, set);
        set.clear();
        assert!(set.is_empty() && copy != set);
        set.extend(fds());
        set = FdSet::from_iter(fds());
        set.into_empty().insert(ready[3].as_fd());
    });
}

fn waits() {
    let (ready, idle) = sockets();
    let all = FdSet::from_iter(below(&ready).chain(below(&idle)));
    let idle = FdSet::from_iter(below(&idle));
    let empty = SigSet::empty();
    let mask = Some(empty.as_ref());
    for (read, write, except, count) in
        [(&all, &NONE, &NONE, 4), (&all, &all, &all, 12), (&idle, &NONE, &idle, 0)]
    {
        for timeout in timeouts(count > 0) {
            let mut answer = Ready::new();
            let counts = without_heap("select", || {
                [
                    select(read, write, except, timeout).expect("selected").count(),
                    select_once(read, write, except, timeout).expect("selected").count(),
                    pselect(read, write, except, timeout, None).expect("selected").count(),
                    pselect(read, write, except, timeout, mask).expect("selected").count(),
                    select_into(read, write, except, &mut answer, timeout).expect("selected"),
                ]
            });
            assert_eq!(counts, [count; 5]);
            let found = without_heap("Ready", || {
                let sets = [answer.readable(), answer.writable(), answer.exceptional()];
                sets.map(|set| set.iter().chain(set.iter().rev()).count() + set.len()).iter().sum()
            });
            assert_eq!(count * 3, found);
        }
    }
    // Errors have no heap either.
    let mut negative = FdSet::new();
    // SAFETY: the number is negative, so it is no descriptor that could be closed, and it is not -1.
    negative.insert(unsafe { BorrowedFd::borrow_raw(-100) });
    without_heap("EBADF", || select(&negative, &NONE, &NONE, ZERO)).expect_err("no descriptor");
}

fn interrupted() {
    let _timer = ticks::every(Duration::from_millis(5));
    let wait = Duration::from_millis(30);
    without_heap("poll", || poll(&mut [], wait)).expect("polled");
    without_heap("poll", || poll(&mut [], Instant::now() + wait)).expect("polled");
    without_heap("select", || select(&NONE, &NONE, &NONE, wait)).expect("selected");
    for (name, error) in [
        ("poll_once", without_heap("poll_once", || poll_once(&mut [], None)).map(drop)),
        ("ppoll", without_heap("ppoll", || ppoll(&mut [], None, None)).map(drop)),
        ("pselect", without_heap("pselect", || pselect(&NONE, &NONE, &NONE, None, None)).map(drop)),
    ] {
        assert_eq!(error.expect_err(name).kind(), io::ErrorKind::Interrupted, "{name}");
    }
}

fn polls() {
    let (mut near, far) = UnixStream::pair().expect("a pair");
    near.write_all(b"x").expect("written");
    if !allow(3000) {
        return;
    }
    let empty = SigSet::empty();
    let mask = Some(empty.as_ref());
    for len in [0, 1, 2, 3000] {
        let mut slots = vec![PollFd::of(&near, Events::IN); len];
        if let Some(last) = slots.last_mut() {
            *last = PollFd::of(&far, Events::IN);
        }
        let count = usize::from(len > 0);
        for timeout in timeouts(count > 0) {
            let calls = without_heap("poll", || {
                [
                    poll(&mut slots, timeout).expect("polled"),
                    poll_once(&mut slots, timeout).expect("polled"),
                    ppoll(&mut slots, timeout, None).expect("polled"),
                    ppoll(&mut slots, timeout, mask).expect("polled"),
                    ready(&slots, count).count(),
                ]
            });
            assert_eq!(calls, [count; 5]);
        }
    }
    // Errors have no heap either.
    let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
    let many = usize::try_from(limit.expect("the limit").0).expect("a number") + 1;
    if limit_is_the_kernels() && many < 10_000_000 {
        let mut slots = vec![PollFd::DISABLED; many];
        without_heap("EINVAL", || poll(&mut slots, ZERO)).expect_err("more than the limit");
    }
}

fn above() {
    if !selectable(5100) {
        return;
    }
    let (near, far) = UnixStream::pair().expect("a pair");
    (&near).write_all(b"x").expect("written");
    let high = [5001, 1500].map(|number| numbered(&far, number));
    let wide = FdSet::from_iter(high.iter().map(AsFd::as_fd));
    let narrow = FdSet::from_iter([near.as_fd(), far.as_fd()]);

    let mut answer = Ready::new();
    let (first, count) = uses(|| select_into(&wide, &wide, &wide, &mut answer, ZERO));
    assert_eq!(count.expect("selected"), 4);
    assert!(first > 0, "above 1023 an answer has to go to the heap");
    for timeout in timeouts(true) {
        // Also in between with a smaller one: the memory stays.
        for (set, count) in [(&wide, 4), (&narrow, 3), (&wide, 4)] {
            let found = without_heap("select_into", || {
                select_into(set, set, &NONE, &mut answer, timeout).expect("selected");
                answer.readable().iter().count() + answer.writable().iter().count()
            });
            assert_eq!(found, count);
        }
    }

    // A set that ends its borrow keeps its memory too.
    let mut set = wide.clone();
    for _ in 0..2 {
        set = without_heap("into_empty", || {
            let mut next = set.into_empty();
            next.extend(high.iter().map(AsFd::as_fd));
            next
        });
        assert_eq!(set, wide);
    }
}

fn poll_set() {
    let (ready, idle) = sockets();
    let mut set = PollSet::new();
    let keys: Vec<_> = ready.into_iter().chain(idle).map(|fd| set.insert(fd, Events::IN)).collect();
    assert_eq!(set.wait(ZERO).expect("polled"), 4);
    for timeout in timeouts(true) {
        let taken = without_heap("PollSet", || {
            let mut taken = 0;
            for found in [set.wait(timeout), set.wait_once(timeout)] {
                assert_eq!(found.expect("polled"), 4);
            }
            while let Some((key, events)) = set.next_ready() {
                taken += 1;
                assert!(set.set_events(key, events) && set.get(key).is_some());
            }
            taken
        });
        assert_eq!(taken, 4);
        // What was switched off and on again, or taken out and put back, costs nothing either.
        without_heap("PollSet", || {
            set.set_enabled(keys[0], false);
            assert_eq!(set.wait(timeout).expect("polled"), 3);
            set.set_enabled(keys[0], true);
        });
    }
    without_heap("PollSet", || {
        let source = set.remove(keys[0]).expect("there");
        let key = set.insert(source, Events::IN);
        assert_eq!(set.wait(ZERO).expect("polled"), 4);
        assert!(set.get(key).is_some());
    });
}
