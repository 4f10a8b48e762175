//! poll(2): the call alone, and the call with the walk over what it found.

use std::cell::UnsafeCell;
use std::ffi::{c_long, c_ulong};
use std::hint::black_box;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use nix::poll::PollFlags;
use readysock::{Events, PollFd, Timeout, poll, ready};
use rustix::event::PollFlags as RustixFlags;

use crate::fixture::Fixture;
use crate::{Case, Cases, OURS, checked, value};

/// How long the call may wait. Something is ready, so it never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For ever: a null pointer in C.
    Never,
    /// Not at all.
    Zero,
    /// For 1.5 s.
    After,
}

impl Wait {
    /// All there are.
    pub const EACH: [Wait; 3] = [Wait::Never, Wait::Zero, Wait::After];

    /// As it stands in the name of a case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Wait::Never => "poll(Never)",
            Wait::Zero => "poll(ZERO)",
            Wait::After => "poll(After)",
        }
    }

    fn duration(self) -> Option<Duration> {
        match self {
            Wait::Never => None,
            Wait::Zero => Some(Duration::ZERO),
            Wait::After => Some(Duration::from_millis(1500)),
        }
    }

    fn timespec(self) -> Option<libc::timespec> {
        self.duration().map(|time| libc::timespec {
            tv_sec: time.as_secs().try_into().expect("a second"),
            tv_nsec: time.subsec_nanos().into(),
        })
    }
}

fn ours(fixture: &Fixture) -> Vec<PollFd<'_>> {
    fixture.fds().map(|fd| PollFd::new(fd, Events::IN)).collect()
}

fn raw(fixture: &Fixture) -> Vec<libc::pollfd> {
    let slot =
        |fd: BorrowedFd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    fixture.fds().map(slot).collect()
}

fn nix(fixture: &Fixture) -> Vec<nix::poll::PollFd<'_>> {
    fixture.fds().map(|fd| nix::poll::PollFd::new(fd, PollFlags::POLLIN)).collect()
}

fn rustix(fixture: &Fixture) -> Vec<rustix::event::PollFd<'_>> {
    fixture.fds().map(|fd| rustix::event::PollFd::from_borrowed_fd(fd, RustixFlags::IN)).collect()
}

/// The call alone; the answer is the number of events.
///
/// The time comes out of memory the compiler cannot see through: each turn pays for its conversion, as a program does
/// whose timeout is a variable.
#[must_use]
pub fn call(fixture: &Fixture, wait: Wait) -> Cases<'_> {
    // One array for these two, so that neither has the luckier place in memory. (A PollFd is a pollfd.)
    let array = Rc::new(UnsafeCell::new(ours(fixture)));
    let mut cases = Vec::new();

    let timeout = Timeout::from(wait.duration());
    let same = Rc::clone(&array);
    cases.push(Case::new(OURS, move || {
        // SAFETY: no case runs inside another one, nor on another thread: this is the only reference.
        let fds = unsafe { &mut *same.get() };
        poll(fds, *black_box(&timeout)).expect("polled") as u64
    }));

    let timespec = wait.timespec();
    let same = Rc::clone(&array);
    cases.push(Case::new("libc", move || {
        // SAFETY: no case runs inside another one, nor on another thread: this is the only reference.
        let fds = unsafe { &mut *same.get() };
        let timeout = black_box(timespec.as_ref().map_or(ptr::null(), ptr::from_ref));
        let len = fds.len() as libc::nfds_t;
        // SAFETY: pointer and length are those of the vector; the timeout is null or lies in this closure.
        let n = unsafe { libc::ppoll(fds.as_mut_ptr().cast(), len, timeout, ptr::null()) };
        u64::try_from(n).expect("polled")
    }));

    let mut fds = nix(fixture);
    let timespec = wait.duration().map(nix::sys::time::TimeSpec::from);
    cases.push(Case::new("nix", move || {
        let n = nix::poll::ppoll(&mut fds, *black_box(&timespec), None).expect("polled");
        u64::try_from(n).expect("a count")
    }));

    let mut fds = rustix(fixture);
    let timespec = wait.duration().map(|time| rustix::event::Timespec {
        tv_sec: time.as_secs().try_into().expect("a second"),
        tv_nsec: time.subsec_nanos().into(),
    });
    cases.push(Case::new("rustix", move || {
        rustix::event::poll(&mut fds, black_box(timespec.as_ref())).expect("polled") as u64
    }));

    cases
}

/// The call alone, and ours through a pointer: what it costs where the compiler does not make it part of its caller.
#[must_use]
pub fn call_not_inlined(fixture: &Fixture, wait: Wait) -> Cases<'_> {
    let mut cases = call(fixture, wait);
    cases.retain(|case| case.who != OURS);

    let mut fds = ours(fixture);
    let timeout = Timeout::from(wait.duration());
    let call: fn(&mut [PollFd<'_>], Timeout) -> io::Result<usize> = black_box(poll);
    cases.push(Case::new(OURS, move || {
        call(&mut fds, *black_box(&timeout)).expect("polled") as u64
    }));
    cases
}

unsafe extern "C" {
    fn idiom_poll(fds: *mut libc::pollfd, n: c_ulong, timeout: *const libc::timespec) -> c_long;
    fn idiom_poll_counting(
        fds: *mut libc::pollfd,
        n: c_ulong,
        timeout: *const libc::timespec,
    ) -> c_long;
}

/// The call that does not wait, and the walk; the answer is the sum of the numbers that are ready.
#[must_use]
pub fn walk(fixture: &Fixture) -> Cases<'_> {
    let now = Wait::Zero.timespec().expect("zero");
    let mut cases = Vec::new();

    let mut fds = ours(fixture);
    cases.push(Case::new(OURS, move || {
        let n = poll(&mut fds, Duration::ZERO).expect("polled");
        let numbers = ready(&fds, n).filter_map(|(_, slot)| slot.fd()).map(|fd| fd.as_raw_fd());
        numbers.map(value).sum()
    }));

    let mut fds = raw(fixture);
    cases.push(Case::new("C idiom", move || {
        // SAFETY: pointer and length are those of the vector, and `now` is a timespec.
        checked(unsafe { idiom_poll(fds.as_mut_ptr(), fds.len() as c_ulong, &raw const now) })
    }));

    let mut fds = raw(fixture);
    cases.push(Case::new("C idiom that counts", move || {
        let len = fds.len() as c_ulong;
        // SAFETY: pointer and length are those of the vector, and `now` is a timespec.
        checked(unsafe { idiom_poll_counting(fds.as_mut_ptr(), len, &raw const now) })
    }));

    let mut fds = nix(fixture);
    let zero = nix::sys::time::TimeSpec::from(Duration::ZERO);
    cases.push(Case::new("nix", move || {
        nix::poll::ppoll(&mut fds, Some(zero), None).expect("polled");
        let found = fds.iter().filter(|slot| slot.any().unwrap_or(true));
        found.map(|slot| value(slot.as_fd().as_raw_fd())).sum()
    }));

    let mut fds = rustix(fixture);
    let zero = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    cases.push(Case::new("rustix", move || {
        rustix::event::poll(&mut fds, Some(&zero)).expect("polled");
        let found = fds.iter().filter(|slot| !slot.revents().is_empty());
        found.map(|slot| value(slot.as_fd().as_raw_fd())).sum()
    }));

    cases
}
