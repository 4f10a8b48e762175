//! poll: its slots, switched on and off, and what its events are called. What it reports of a descriptor is in
//! `readiness.rs`.

mod support;

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use readysock::{Events, PollFd, poll, poll_once, ppoll, ready};
use support::waits::LONG;

type Call = fn(&mut [PollFd<'_>], Duration) -> io::Result<usize>;

const CALLS: [(&str, Call); 3] =
    [("poll", poll), ("poll_once", poll_once), ("ppoll", |fds, time| ppoll(fds, time, None))];

const BOTH: Events = Events::IN.union(Events::OUT);

/// `HUP` says that no more will come, not that there is no more: who closes at once loses what is left.
#[test]
fn what_is_left_after_a_hang_up_can_be_read() {
    let (mut near, mut far) = UnixStream::pair().expect("a pair");
    near.write_all(b"left").expect("written");
    drop(near);
    let mut fds = [PollFd::of(&far, Events::IN)];
    assert_eq!(poll(&mut fds, LONG).expect("polled"), 1);
    let found = fds[0].revents();
    assert!(found.is_closed() && found.is_readable(), "{found:?}");
    let mut left = String::new();
    far.read_to_string(&mut left).expect("read");
    assert_eq!(left, "left");
}

#[test]
fn disabled_slots_are_passed_over() {
    let (near, _far) = UnixStream::pair().expect("a pair");
    for (name, call) in CALLS {
        let mut fds = [PollFd::of(&near, Events::OUT); 2];
        assert_eq!(call(&mut fds, LONG).expect(name), 2);
        for _ in 0..2 {
            fds[0].set_enabled(false);
        }
        assert!(!fds[0].is_enabled());
        assert_eq!(fds[0].revents(), Events::empty(), "disabling clears the answer");
        assert_eq!(fds[0].fd().map(|fd| fd.as_raw_fd()), Some(near.as_raw_fd()));
        assert_eq!(call(&mut fds, LONG).expect(name), 1);
        assert_eq!((fds[0].revents(), fds[1].revents()), (Events::empty(), Events::OUT), "{name}");
        for _ in 0..2 {
            fds[0].set_enabled(true);
        }
        assert_eq!(call(&mut fds, LONG).expect(name), 2);
        assert_eq!(fds[0].fd().map(|fd| fd.as_raw_fd()), Some(near.as_raw_fd()));
    }
}

#[test]
fn a_slot_without_descriptor_stays_without() {
    let (near, _far) = UnixStream::pair().expect("a pair");
    // SAFETY: it is not -1, and a negative number is nobody's descriptor.
    let negative = unsafe { BorrowedFd::borrow_raw(-100) };
    for mut slot in [PollFd::DISABLED, PollFd::new(negative, BOTH)] {
        assert!(slot.fd().is_none() && !slot.is_enabled());
        slot.set_enabled(true);
        assert!(slot.fd().is_none() && !slot.is_enabled());
        slot.set_enabled(false);
        slot.set_events(BOTH);
        for (name, call) in CALLS {
            let mut fds = [slot, PollFd::of(&near, Events::OUT)];
            assert_eq!(call(&mut fds, LONG).expect(name), 1, "{name}");
            assert_eq!((fds[0].revents(), fds[1].revents()), (Events::empty(), Events::OUT));
        }
    }
}

#[test]
fn descriptor_zero_can_be_switched_off_and_on() {
    let stdin = std::io::stdin();
    let mut slot = PollFd::of(&stdin, Events::IN);
    slot.set_enabled(false);
    assert_eq!(slot.fd().map(|fd| fd.as_raw_fd()), Some(0));
    assert!(!slot.is_enabled());
    slot.set_enabled(true);
    assert!(slot.is_enabled());
    assert_eq!(slot.fd().map(|fd| fd.as_raw_fd()), Some(0));
}

#[test]
fn set_events_counts_from_the_next_call() {
    let (near, _far) = UnixStream::pair().expect("a pair");
    let mut fds = [PollFd::of(&near, Events::IN)];
    assert_eq!(fds[0].events(), Events::IN);
    assert_eq!(poll(&mut fds, Duration::ZERO).expect("polled"), 0);
    fds[0].set_events(Events::OUT);
    assert_eq!((fds[0].events(), fds[0].revents()), (Events::OUT, Events::empty()));
    assert_eq!(poll(&mut fds, Duration::ZERO).expect("polled"), 1);
}

#[test]
fn ready_walks_what_was_counted_and_stops_there() {
    let (near, far) = UnixStream::pair().expect("a pair");
    let (out, idle) = (PollFd::of(&near, Events::OUT), PollFd::of(&far, Events::IN));
    let mut fds = [idle, out, idle, out, idle];
    let n = poll(&mut fds, LONG).expect("polled");
    let found: Vec<_> = ready(&fds, n).map(|(index, slot)| (index, slot.revents())).collect();
    assert_eq!(found, [(1, Events::OUT), (3, Events::OUT)]);
    assert_eq!(ready(&fds, 1).count(), 1);
    assert_eq!(ready(&fds, 0).count(), 0);
}

#[test]
fn events_keep_and_print_what_has_no_name() {
    let unknown = Events::IN | Events::from_bits_retain(0x4000);
    assert_eq!(unknown.bits(), 0x4001);
    assert_eq!(format!("{unknown:?}"), "Events(IN | 0x4000)");
    let (near, _far) = UnixStream::pair().expect("a pair");
    assert_eq!(PollFd::of(&near, unknown).events(), unknown);
    let debug = format!("{:?}", PollFd::of(&near, Events::IN));
    assert!(debug.contains(&format!("fd: Some({})", near.as_raw_fd())), "{debug}");
}

/// On Linux these are other names for the same news.
#[test]
fn rdnorm_and_wrnorm_come_with_in_and_out() {
    let (mut near, far) = UnixStream::pair().expect("a pair");
    near.write_all(b"x").expect("written");
    for asked in [Events::RDNORM, Events::WRNORM, Events::RDNORM | Events::WRNORM | BOTH] {
        let mut fds = [PollFd::of(&far, asked)];
        assert_eq!(poll(&mut fds, LONG).expect("polled"), 1);
        assert_eq!(fds[0].revents(), asked);
    }
}

#[test]
fn the_helpers_of_events_follow_their_tables() {
    // Readable, writable, read closed, closed, error.
    let rows = [
        (Events::empty(), [false, false, false, false, false]),
        (Events::IN, [true, false, false, false, false]),
        (Events::RDNORM, [true, false, false, false, false]),
        (Events::OUT, [false, true, false, false, false]),
        (Events::WRNORM, [false, true, false, false, false]),
        (Events::PRI, [false, false, false, false, false]),
        (Events::RDHUP, [true, false, true, false, false]),
        (Events::HUP, [true, true, true, true, false]),
        (Events::ERR, [true, true, false, false, true]),
        (Events::NVAL, [false, false, false, false, true]),
    ];
    for (e, row) in rows {
        let found =
            [e.is_readable(), e.is_writable(), e.is_read_closed(), e.is_closed(), e.is_error()];
        assert_eq!(found, row, "{e:?}");
    }
}
