//! fd_set: putting descriptors in, and finding them again.

use std::ffi::{c_int, c_long, c_ulong};
use std::hint::black_box;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

use readysock::{FdSet, Ready, select_into};
use rustix::event::{FdSetElement, FdSetIter, fd_set_insert, fd_set_num_elements};

use crate::fixture::Fixture;
use crate::{Case, Cases, FD_SETSIZE, OURS, checked, value};

unsafe extern "C" {
    fn idiom_insert(set: *mut libc::fd_set, fds: *const c_int, n: c_ulong) -> c_int;
    fn idiom_walk(set: *const libc::fd_set, highest: c_int) -> c_long;
}

fn c_set() -> libc::fd_set {
    // SAFETY: all bits zero is a set: the empty one.
    unsafe { mem::zeroed() }
}

/// Empties a set and puts all descriptors in. The answer is the highest.
#[must_use]
pub fn insert(fixture: &Fixture) -> Cases<'_> {
    let (numbers, highest) = (fixture.numbers(), fixture.highest());
    let mut cases = Vec::new();

    let fds: Vec<_> = fixture.fds().collect();
    let mut set = FdSet::new();
    cases.push(Case::new(OURS, move || {
        set.clear();
        set.extend(black_box(&fds).iter().copied());
        set.highest().map_or(0, value)
    }));

    if highest < FD_SETSIZE {
        let (mut set, fds) = (c_set(), numbers.clone());
        cases.push(Case::new("C idiom", move || {
            // SAFETY: pointer and length are those of the vector, and the numbers are below the set's end.
            value(unsafe { idiom_insert(&raw mut set, fds.as_ptr(), fds.len() as c_ulong) })
        }));

        let fds: Vec<_> = fixture.fds().collect();
        let mut set = nix::sys::select::FdSet::new();
        cases.push(Case::new("nix", move || {
            set.clear();
            black_box(&fds).iter().for_each(|&fd| set.insert(fd));
            set.highest().map_or(0, |fd| value(fd.as_raw_fd()))
        }));
    }

    let fds = numbers;
    let mut set: Vec<FdSetElement> = Vec::new();
    cases.push(Case::new("rustix", move || {
        let fds = black_box(&fds);
        let highest = fds.iter().max().copied().unwrap_or(0);
        set.clear();
        set.resize(fd_set_num_elements(fds.len(), highest + 1), FdSetElement::default());
        fds.iter().for_each(|&fd| fd_set_insert(&mut set, fd));
        black_box(&mut set);
        value(highest)
    }));

    cases
}

/// Walks a set of all descriptors. The answer is the sum of their numbers.
#[must_use]
pub fn iterate(fixture: &Fixture) -> Cases<'_> {
    let (numbers, highest) = (fixture.numbers(), fixture.highest());
    let mut cases = Vec::new();

    let set = FdSet::from_iter(fixture.fds());
    cases.push(Case::new(OURS, move || {
        black_box(&set).iter().map(|fd| value(fd.as_raw_fd())).sum()
    }));

    walk_peers(&mut cases, fixture, &numbers, highest);
    cases
}

/// Walks an answer of select, in which those of the fixture's descriptors are that are ready. The answer is the sum of their
/// numbers.
///
/// # Panics
///
/// If select fails.
#[must_use]
pub fn walk_answer(fixture: &Fixture) -> Cases<'_> {
    let highest = fixture.highest();
    let mut cases = Vec::new();

    let (read, none, mut answer) = (FdSet::from_iter(fixture.fds()), FdSet::new(), Ready::new());
    select_into(&read, &none, &none, &mut answer, Duration::ZERO).expect("selected");
    let numbers: Vec<c_int> = answer.readable().iter().collect();
    cases.push(Case::new(OURS, move || black_box(&answer).readable().iter().map(value).sum()));

    walk_peers(&mut cases, fixture, &numbers, highest);
    cases
}

/// The others have one type for a set and for an answer. `numbers` is what is in it, in order.
fn walk_peers<'a>(cases: &mut Cases<'a>, fixture: &'a Fixture, numbers: &[c_int], highest: c_int) {
    if highest < FD_SETSIZE {
        let mut set = c_set();
        for &fd in numbers {
            // SAFETY: `set` is a set, and the number is not negative and below its end.
            unsafe { libc::FD_SET(fd, &raw mut set) };
        }
        cases.push(Case::new("C idiom", move || {
            // SAFETY: it reads the set, and `highest` is below its end.
            checked(unsafe { idiom_walk(ptr::from_ref(black_box(&set)), highest) })
        }));

        let mut set = nix::sys::select::FdSet::new();
        let inside = |fd: &BorrowedFd<'_>| numbers.binary_search(&fd.as_raw_fd()).is_ok();
        fixture.fds().filter(inside).for_each(|fd| set.insert(fd));
        cases.push(Case::new("nix", move || {
            black_box(&set).fds(Some(highest)).map(|fd| value(fd.as_raw_fd())).sum()
        }));
    }

    let count = fd_set_num_elements(numbers.len(), highest + 1);
    let mut set = vec![FdSetElement::default(); count];
    numbers.iter().for_each(|&fd| fd_set_insert(&mut set, fd));
    cases.push(Case::new("rustix", move || FdSetIter::new(black_box(&set)).map(value).sum()));
}
