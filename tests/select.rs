//! select: its sets and its answer. What it reports of a descriptor is in `readiness.rs`.

mod support;

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use readysock::{FdSet, Ready, select, select_into};
use support::fds::numbered;
use support::waits::{LONG, SELECTS};

const NONE: FdSet<'static> = FdSet::new();

/// In C the sets hold the answer afterwards, and who does not copy them first watches ever fewer descriptors.
#[test]
fn a_set_is_asked_again_as_it_was() {
    let ((mut one, two), (mut three, four)) =
        (UnixStream::pair().expect("a pair"), UnixStream::pair().expect("a pair"));
    let read = FdSet::from_iter([two.as_fd(), four.as_fd()]);
    for (name, call) in SELECTS {
        for (sender, mut receiver, other) in [(&mut one, &two, &four), (&mut three, &four, &two)] {
            assert_eq!(call([&read, &NONE, &NONE], Duration::ZERO.into()).expect(name).count(), 0);
            sender.write_all(b"x").expect("written");
            let ready = call([&read, &NONE, &NONE], LONG.into()).expect(name);
            assert!(ready.readable().contains(receiver) && !ready.readable().contains(other));
            assert!(read.contains(receiver) && read.contains(other), "{name}");
            receiver.read_exact(&mut [0]).expect("read");
        }
    }
}

#[test]
fn the_answer_outlives_what_it_names() {
    let (near, far) = UnixStream::pair().expect("a pair");
    let number = near.as_raw_fd();
    let ready = select(&NONE, &FdSet::from_iter([near.as_fd()]), &NONE, LONG).expect("selected");
    drop((near, far));
    assert_eq!(ready.writable().iter().collect::<Vec<_>>(), [number]);
}

/// A stream is an `AsFd`, and so can be given away where a reference was meant: it is closed on return.
#[test]
fn a_stream_passed_by_value_is_closed() {
    let (near, mut far) = UnixStream::pair().expect("a pair");
    let (mut set, ready) = (FdSet::new(), Ready::new());
    assert!(!set.contains(&near) && !set.remove(&near) && !ready.readable().contains(&near));
    far.write_all(b"x").expect("by reference it stays open");
    assert!(!set.contains(near));
    let error = far.write_all(b"x").expect_err("its peer is gone");
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[test]
fn the_answer_is_walked_from_both_ends() {
    let pairs: Vec<_> = (0..40).map(|_| UnixStream::pair().expect("a pair")).collect();
    let all: FdSet<'_> = pairs.iter().flat_map(|(a, b)| [a.as_fd(), b.as_fd()]).collect();
    let ready = select(&NONE, &all, &NONE, LONG).expect("selected");
    let numbers: Vec<_> = all.iter().map(|fd| fd.as_raw_fd()).collect();
    assert_ne!(ready, Ready::new());
    let shown = format!("{:?}", ready.writable());
    assert_eq!(shown, format!("{numbers:?}").replace('[', "{").replace(']', "}"));
    assert_eq!(ready.writable().iter().len(), 80);
    assert!(ready.writable().iter().eq(numbers.iter().copied()));
    assert!(ready.writable().iter().rev().eq(numbers.iter().rev().copied()));
    assert!(ready.writable().into_iter().eq(numbers));
    assert!(!ready.writable().is_empty() && ready.readable().is_empty());
}

#[test]
fn a_kept_answer_is_replaced_each_time() {
    let (near, far) = UnixStream::pair().expect("a pair");
    let (one, two) = (FdSet::from_iter([near.as_fd()]), FdSet::from_iter([far.as_fd()]));
    let mut ready = Ready::default();
    for _ in 0..2 {
        assert_eq!(select_into(&NONE, &one, &NONE, &mut ready, LONG).expect("selected"), 1);
        assert!(ready.writable().contains(&near) && !ready.writable().contains(&far));
        assert_eq!(select_into(&NONE, &two, &NONE, &mut ready, LONG).expect("selected"), 1);
        assert!(!ready.writable().contains(&near) && ready.writable().contains(&far));
        assert_eq!(
            select_into(&two, &NONE, &NONE, &mut ready, Duration::ZERO).expect("selected"),
            0
        );
        assert_eq!(ready, Ready::new());
    }
    assert_eq!(format!("{ready:?}"), format!("{:?}", Ready::new()));
}

/// The kernel looks at as many words of each set as the longest has: those behind a shorter one hold nothing.
#[test]
fn a_kept_answer_asks_nothing_that_was_asked_before() {
    let (near, far) = UnixStream::pair().expect("a pair");
    let high = numbered(&far, 640);
    let (low, high) = (FdSet::from_iter([near.as_fd()]), FdSet::from_iter([high.as_fd()]));
    assert!(near.as_raw_fd() < 640);
    let mut ready = Ready::new();
    assert_eq!(select_into(&NONE, &high, &NONE, &mut ready, LONG).expect("selected"), 1);
    // Descriptor `high` could still be written to, but now the question is whether it can be read.
    assert_eq!(select_into(&high, &low, &NONE, &mut ready, LONG).expect("selected"), 1);
    assert!(ready.writable().iter().eq([near.as_raw_fd()]) && ready.readable().is_empty());
}
