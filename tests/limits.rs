//! Numbers beyond 1024, the limit on open files, and descriptors that are not there.

mod support;

use std::collections::HashSet;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::rlim_t;
use readysock::{
    Events, FdSet, PollFd, PollSet, Ready, poll, poll_once, ppoll, pselect, select, select_into,
    select_once,
};
use support::fds::{allow, lower_limit, numbered, pipe, selectable};
use support::isolated::{self, Case};
use support::waits::{LONG, POLLS, SELECTS, every_call_says};

fn main() {
    const CASES: &[Case] = &[
        ("select_sees_every_number", every_number),
        ("select_takes_sets_of_unequal_length", unequal),
        ("select_reuses_an_answer_that_was_longer", longer_before),
        ("select_reports_only_what_the_kernel_answered", above_the_table),
        ("select_refuses_what_is_not_open", not_open),
        ("poll_refuses_more_slots_than_open_files", too_many_slots),
        ("poll_set_passes_only_what_is_enabled", compacts),
        ("every_call_takes_every_number", every_call),
        ("what_is_not_open_is_news_of_its_slot_only", nval),
        ("poll_set_takes_20000_sources", many),
    ];
    isolated::main(CASES)
}

const ZERO: Duration = Duration::ZERO;
const NONE: FdSet<'static> = FdSet::new();

/// A number that only a set longer than C's can hold, where there is one.
fn high_number() -> RawFd {
    if selectable(5001) { 5001 } else { 1001 }
}

fn every_number() {
    let (mut near, far) = UnixStream::pair().expect("a pair");
    near.write_all(b"x").expect("written");
    let (idle, _idle) = UnixStream::pair().expect("a pair");
    for number in [3, 63, 64, 319, 320, 1000, 1023, 1024, 1087, 1088, 5001] {
        // The one that is not ready has the next number that is free.
        if !selectable(number + 1) {
            break;
        }
        let ready_one = numbered(&far, number);
        // One that is not ready, above and below it.
        let idles = [numbered(&idle, number), numbered(&idle, 3)];
        let number = ready_one.as_raw_fd();
        let mut read = FdSet::from_iter(idles.iter().map(|fd| fd.as_fd()));
        read.insert(ready_one.as_fd());
        let answers = [
            select(&read, &NONE, &NONE, ZERO),
            select_once(&read, &NONE, &NONE, ZERO),
            pselect(&read, &NONE, &NONE, ZERO, None),
        ];
        for answer in answers {
            let ready = answer.expect("selected");
            assert_eq!(ready.count(), 1, "number {number}");
            assert_eq!(ready.readable().iter().collect::<Vec<_>>(), [number]);
            assert!(ready.readable().contains(&ready_one));
            assert!(!ready.readable().contains(&idles[0]) && !ready.readable().contains(&idles[1]));
        }
        // Asked in vain, it says nothing.
        let ready = select(&NONE, &NONE, &read, ZERO).expect("selected");
        assert_eq!((ready.count(), ready.exceptional().len()), (0, 0), "number {number}");
        assert!(!ready.exceptional().contains(&ready_one));
    }
}

fn unequal() {
    let (near, far) = UnixStream::pair().expect("a pair");
    (&near).write_all(b"x").expect("written");
    let high = numbered(&far, high_number());
    let sets = [FdSet::from_iter([far.as_fd()]), FdSet::from_iter([high.as_fd()]), FdSet::new()];
    for (name, call) in SELECTS {
        for (read, write) in [(0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)] {
            let ready = call([&sets[read], &sets[write], &sets[2]], ZERO.into()).expect(name);
            assert_eq!(ready.readable().len(), sets[read].len(), "{name}: read is set {read}");
            assert_eq!(ready.writable().len(), sets[write].len(), "{name}: write is set {write}");
            assert_eq!(ready.count(), sets[read].len() + sets[write].len());
            for fd in &sets[write] {
                assert!(ready.writable().contains(fd));
            }
        }
    }
    // A descriptor in two sets that is ready for both counts twice.
    let both = select(&sets[1], &sets[1], &NONE, ZERO).expect("selected");
    assert_eq!(both.count(), 2);
}

fn longer_before() {
    let (near, far) = UnixStream::pair().expect("a pair");
    (&near).write_all(b"x").expect("written");
    let high = numbered(&far, high_number());
    let long = FdSet::from_iter([far.as_fd(), high.as_fd()]);
    let short = FdSet::from_iter([far.as_fd()]);
    let mut ready = Ready::new();
    for turn in 0..3 {
        assert_eq!(select_into(&long, &NONE, &NONE, &mut ready, ZERO).expect("selected"), 2);
        assert_eq!(
            ready.readable().iter().collect::<Vec<_>>(),
            [far.as_raw_fd(), high.as_raw_fd()]
        );
        assert_eq!(select_into(&short, &NONE, &NONE, &mut ready, ZERO).expect("selected"), 1);
        assert_eq!(ready.readable().iter().collect::<Vec<_>>(), [far.as_raw_fd()], "turn {turn}");
        assert!(!ready.readable().contains(&high), "turn {turn}");
    }
}

/// A number above the process's descriptor table: the kernel does not look at it and leaves its bit set.
fn above_the_table() {
    let status = std::fs::read_to_string("/proc/self/status").expect("the state of this process");
    let size = status.lines().find_map(|line| line.strip_prefix("FDSize:")).expect("its table");
    // SAFETY: nothing is open under this number in this process, and nothing will be: no one's descriptor is used.
    let nobody = unsafe { BorrowedFd::borrow_raw(size.trim().parse().expect("its size")) };
    let (near, far) = UnixStream::pair().expect("a pair");
    let mut read = FdSet::from_iter([nobody, far.as_fd()]);
    let write = FdSet::from_iter([nobody]);
    let empty = select(&read, &write, &read, ZERO).expect("selected");
    assert_eq!(empty.count(), 0);
    for answer in [empty.readable(), empty.writable(), empty.exceptional()] {
        assert_eq!((answer.len(), answer.iter().count()), (0, 0));
        assert!(!answer.contains(nobody));
    }
    (&near).write_all(b"x").expect("written");
    let one = select(&read, &write, &read, ZERO).expect("selected");
    assert_eq!(
        (one.count(), one.readable().iter().collect::<Vec<_>>()),
        (1, vec![far.as_raw_fd()])
    );
    assert!(!one.readable().contains(nobody) && !one.writable().contains(nobody));
    read.clear();

    // It is in the word next to those the kernel looks at, here when the one before that holds several answers.
    let read = FdSet::from_iter([far.as_fd(), nobody]);
    let write = FdSet::from_iter([near.as_fd(), far.as_fd(), nobody]);
    let three = select(&read, &write, &write, ZERO).expect("selected");
    let lens =
        [three.readable(), three.writable(), three.exceptional()].map(|set| set.iter().count());
    assert_eq!((three.count(), lens), (3, [1, 2, 0]));
}

fn not_open() {
    let (near, _far) = UnixStream::pair().expect("a pair");
    let (writable, mut ready) = (FdSet::from_iter([near.as_fd()]), Ready::new());
    assert_eq!(select_into(&NONE, &writable, &NONE, &mut ready, ZERO).expect("selected"), 1);

    let closed = pipe().0.into_raw_fd();
    nix::unistd::close(closed).expect("closed");
    // SAFETY: the number is free, and this process has one thread: nothing else comes to own it here.
    let closed = unsafe { BorrowedFd::borrow_raw(closed) };
    // SAFETY: it is not -1, and a negative number is nobody's descriptor.
    let negative = unsafe { BorrowedFd::borrow_raw(-100) };
    for fd in [closed, negative] {
        let set = FdSet::from_iter([near.as_fd(), fd]);
        for sets in [[&set, &NONE, &NONE], [&NONE, &set, &NONE], [&writable, &writable, &set]] {
            let answers = [
                select_into(sets[0], sets[1], sets[2], &mut ready, ZERO).map(|_| Ready::new()),
                select(sets[0], sets[1], sets[2], Duration::from_secs(5)),
                select_once(sets[0], sets[1], sets[2], ZERO),
                pselect(sets[0], sets[1], sets[2], ZERO, None),
            ];
            for answer in answers {
                let error = answer.expect_err("it is not open");
                assert_eq!(error.raw_os_error(), Some(nix::libc::EBADF), "{fd:?}");
            }
            // What an earlier call found does not stay for an answer.
            assert_eq!((ready.count(), ready.writable().iter().count()), (0, 0));
            assert!(!ready.writable().contains(&near));
        }
    }
    // poll says it of the slot, not of the call.
    let mut fds = [PollFd::new(closed, Events::IN), PollFd::new(negative, Events::IN)];
    assert_eq!(poll(&mut fds, ZERO).expect("polled"), 1);
    assert_eq!((fds[0].revents(), fds[1].revents()), (Events::NVAL, Events::empty()));
}

fn too_many_slots() {
    if !lower_limit(64) {
        return;
    }
    let (near, _far) = UnixStream::pair().expect("a pair");
    let mut fds = vec![PollFd::DISABLED; 65];
    fds[0] = PollFd::of(&near, Events::OUT);
    type Call = fn(&mut [PollFd<'_>]) -> std::io::Result<usize>;
    let calls: [Call; 3] =
        [|fds| poll(fds, ZERO), |fds| poll_once(fds, ZERO), |fds| ppoll(fds, ZERO, None)];
    for call in calls {
        assert_eq!(call(&mut fds[..64]).expect("64 slots are allowed"), 1);
        assert_eq!(fds[0].revents(), Events::OUT);
        let error = call(&mut fds).expect_err("65 are one too many, though 64 are disabled");
        assert_eq!(error.raw_os_error(), Some(nix::libc::EINVAL));
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(fds[0].revents(), Events::empty(), "an earlier answer does not stay");
    }
}

fn compacts() {
    if !lower_limit(64) {
        return;
    }
    let (near, _far) = UnixStream::pair().expect("a pair");
    // Many sources may share one descriptor: what counts are slots.
    let near: std::sync::Arc<OwnedFd> = std::sync::Arc::new(near.into());
    let mut set = PollSet::new();
    let keys: Vec<_> = (0..1000).map(|_| set.insert(near.clone(), Events::OUT)).collect();
    let error = set.wait(ZERO).expect_err("1000 slots are too many");
    assert_eq!(error.raw_os_error(), Some(nix::libc::EINVAL));
    assert_eq!(set.next_ready(), None, "after an error there are no events");
    for key in &keys[50..] {
        assert!(set.set_enabled(*key, false));
    }
    assert_eq!(set.wait(ZERO).expect("50 slots are allowed"), 50);
    let mut seen = Vec::from_iter(std::iter::from_fn(|| set.next_ready()).map(|(key, _)| key));
    seen.sort_by_key(|key| keys.iter().position(|k| k == key));
    assert_eq!(seen, keys[..50]);
}

fn every_call() {
    let (near, far) = UnixStream::pair().expect("a pair");
    (&near).write_all(b"x").expect("written");
    let holds = Events::IN | Events::OUT;
    // Number 0: a program that was started without its standard input gets it for anything.
    nix::unistd::dup2_stdin(&far).expect("standard input is a socket");
    let stdin = std::io::stdin();
    assert_eq!(stdin.as_fd().as_raw_fd(), 0);
    every_call_says(&stdin, holds, "rw-");
    for number in [63, 64, 319, 320, 1023, 1024, 5001] {
        if !selectable(number) {
            break;
        }
        let numbered = numbered(&far, number);
        assert_eq!(numbered.as_raw_fd(), number);
        every_call_says(&numbered, holds, "rw-");
    }
}

fn nval() {
    let (near, _far) = UnixStream::pair().expect("a pair");
    let closed = pipe().0.into_raw_fd();
    nix::unistd::close(closed).expect("closed");
    // SAFETY: the number is free, and this process has one thread: nothing else comes to own it here.
    let closed = unsafe { BorrowedFd::borrow_raw(closed) };
    // SAFETY: it is not -1, and a negative number is nobody's descriptor.
    let negative = unsafe { BorrowedFd::borrow_raw(-100) };
    for (name, call) in POLLS {
        for asked in [Events::empty(), Events::IN, Events::all()] {
            assert_eq!(call(closed, asked, LONG.into()).expect(name), (1, Events::NVAL), "{name}");
            assert_eq!(
                call(negative, asked, ZERO.into()).expect(name),
                (0, Events::empty()),
                "{name}"
            );
        }
    }
    for fd in [closed, negative] {
        let set = FdSet::from_iter([fd]);
        for (name, call) in SELECTS {
            for sets in [[&set, &NONE, &NONE], [&NONE, &set, &NONE], [&NONE, &NONE, &set]] {
                let error = call(sets, LONG.into()).expect_err(name);
                assert_eq!(error.raw_os_error(), Some(nix::libc::EBADF), "{name}, {fd:?}");
            }
        }
    }
    // Of several sources it is the event of this one, at each wait; the others get theirs.
    let mut set = PollSet::new();
    let gone = set.insert(closed, Events::IN);
    let there = set.insert(near.as_fd(), Events::OUT);
    for _ in 0..2 {
        assert_eq!(set.wait(LONG).expect("waited"), 2);
        let found: Vec<_> = std::iter::from_fn(|| set.next_ready()).collect();
        assert_eq!(found, [(gone, Events::NVAL), (there, Events::OUT)]);
        assert!(found[0].1.is_error());
    }
    set.remove(gone);
    assert_eq!(set.wait(LONG).expect("waited"), 1);
}

fn many() {
    const MANY: usize = 20_000;
    // As many slots as open files are allowed, one more are not.
    if !allow(i32::try_from(MANY).expect("it fits") - 1) {
        return;
    }
    let [idle, busy] = [(); 2].map(|()| UnixStream::pair().expect("a pair"));
    (&busy.1).write_all(b"x").expect("written");
    // Sources may share a descriptor. Every hundredth has something to read.
    let [quiet, ready] = [idle.0, busy.0].map(Arc::new);
    let mut set = PollSet::new();
    let source = |number: usize| if number % 100 == 0 { &ready } else { &quiet };
    let mut keys: Vec<_> =
        (0..MANY).map(|number| set.insert(source(number).clone(), Events::IN)).collect();
    let expected: HashSet<_> = keys.iter().copied().step_by(100).collect();
    assert_eq!(set.wait(LONG).expect("waited"), MANY / 100);
    let found: HashSet<_> = std::iter::from_fn(|| set.next_ready()).map(|(key, _)| key).collect();
    assert_eq!(found, expected);

    // All but a few go, from the last to the first, while events are taken: those that stay keep theirs.
    assert_eq!(set.wait(LONG).expect("waited"), MANY / 100);
    let (first, _) = set.next_ready().expect("an event");
    let stays = |number: usize| number % 1000 == 0;
    for number in (0..MANY).rev().filter(|number| !stays(*number)) {
        set.remove(keys[number]).expect("it is there");
    }
    let left: Vec<_> = (0..MANY).filter(|number| stays(*number)).map(|n| keys[n]).collect();
    assert_eq!(set.len(), left.len());
    let found: HashSet<_> = std::iter::from_fn(|| set.next_ready()).map(|(key, _)| key).collect();
    assert_eq!(found, left.iter().copied().filter(|key| *key != first).collect());

    // Their places are taken again, and no old key finds the new ones.
    let fresh: Vec<_> =
        (left.len()..MANY).map(|_| set.insert(quiet.clone(), Events::OUT)).collect();
    assert_eq!(set.wait(LONG).expect("waited"), MANY);
    keys.retain(|key| !left.contains(key));
    assert!(keys.iter().all(|key| set.get(*key).is_none()));
    assert!(fresh.iter().all(|key| set.get(*key).is_some()));

    // One more than may be open, until one is switched off.
    if !lower_limit(rlim_t::try_from(MANY).expect("it fits")) {
        return;
    }
    let last = set.insert(ready, Events::IN);
    let error = set.wait(LONG).expect_err("one too many");
    assert_eq!(error.raw_os_error(), Some(nix::libc::EINVAL));
    assert!(set.set_enabled(fresh[0], false));
    assert_eq!(set.wait(LONG).expect("waited"), MANY);
    assert!(set.set_enabled(last, false) && set.set_enabled(fresh[0], true));
    assert_eq!(set.wait(LONG).expect("waited"), MANY);
}
