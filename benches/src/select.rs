//! select(2): the call and the walk over the answer, with sets that are kept and with sets made anew.

use std::ffi::{c_int, c_long, c_ulong};
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::time::Duration;

use nix::sys::time::TimeVal;
use readysock::{FdSet, Ready, select, select_into};
use rustix::event::{FdSetElement, FdSetIter, Timespec, fd_set_insert, fd_set_num_elements};

use crate::fixture::Fixture;
use crate::{Case, Cases, FD_SETSIZE, OURS, checked, value};

unsafe extern "C" {
    fn idiom_select_kept(master: *const libc::fd_set, highest: c_int) -> c_long;
    fn idiom_select_kept_counting(master: *const libc::fd_set, highest: c_int) -> c_long;
    fn idiom_select_rebuilt(fds: *const c_int, n: c_ulong) -> c_long;
    fn idiom_select_rebuilt_counting(fds: *const c_int, n: c_ulong) -> c_long;
}

// Not a `const`: that would be made anew, and dropped, at each use.
static NONE: FdSet<'static> = FdSet::new();
/// Ours, by `select` instead of `select_into`.
const SELECT: &str = "readysock, select";
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

fn sum(ready: &Ready) -> u64 {
    ready.readable().iter().map(value).sum()
}

/// C's set of these; they are below 1024.
fn c_set(fixture: &Fixture) -> libc::fd_set {
    assert!(fixture.highest() < FD_SETSIZE);
    // SAFETY: all bits zero is a set: the empty one.
    let mut set: libc::fd_set = unsafe { mem::zeroed() };
    for fd in fixture.numbers() {
        // SAFETY: `set` is a set, and the number is not negative and below its end.
        unsafe { libc::FD_SET(fd, &raw mut set) };
    }
    set
}

/// Rustix's set, as its documentation has it: a vector of elements, as long as `nfds` asks for.
fn elements(nfds: RawFd, fds: impl Iterator<Item = RawFd> + Clone) -> Vec<FdSetElement> {
    let count = usize::try_from(nfds).expect("not negative");
    let mut set = vec![FdSetElement::default(); fd_set_num_elements(count, nfds)];
    fds.for_each(|fd| fd_set_insert(&mut set, fd));
    set
}

fn rustix_select(nfds: RawFd, set: &mut [FdSetElement]) -> u64 {
    // SAFETY: the descriptors in the set are open, and it is as long as `nfds` asks for.
    unsafe { rustix::event::select(nfds, Some(set), None, None, Some(&NOW)) }.expect("selected");
    FdSetIter::new(set).map(value).sum()
}

/// The set is kept between the turns; each turn calls and walks. The answer is the sum of the numbers that are ready.
#[must_use]
pub fn kept(fixture: &Fixture) -> Cases<'_> {
    let highest = fixture.highest();
    let mut cases = Vec::new();

    let (set, mut answer) = (FdSet::from_iter(fixture.fds()), Ready::new());
    cases.push(Case::new(OURS, move || {
        select_into(&set, &NONE, &NONE, &mut answer, Duration::ZERO).expect("selected");
        sum(&answer)
    }));

    let set = FdSet::from_iter(fixture.fds());
    cases.push(Case::new(SELECT, move || {
        sum(&select(&set, &NONE, &NONE, Duration::ZERO).expect("selected"))
    }));

    if highest < FD_SETSIZE {
        let master = c_set(fixture);
        cases.push(Case::new("C idiom", move || {
            // SAFETY: it reads the set, and `highest` is below its end.
            checked(unsafe { idiom_select_kept(&raw const master, highest) })
        }));

        cases.push(Case::new("C idiom that counts", move || {
            // SAFETY: it reads the set, and `highest` is below its end.
            checked(unsafe { idiom_select_kept_counting(&raw const master, highest) })
        }));

        cases.push(Case::new("libc, no walk", move || {
            let (mut set, mut now) = (master, libc::timeval { tv_sec: 0, tv_usec: 0 });
            let (null, nfds) = (ptr::null_mut(), highest + 1);
            // SAFETY: the set covers `nfds`, the other pointers are null or of this frame.
            let n = unsafe { libc::select(nfds, &raw mut set, null, null, &raw mut now) };
            u64::try_from(n).expect("selected")
        }));

        let mut master = nix::sys::select::FdSet::new();
        fixture.fds().for_each(|fd| master.insert(fd));
        cases.push(Case::new("nix", move || {
            let (mut set, mut now) = (master, TimeVal::new(0, 0));
            nix::sys::select::select(highest + 1, &mut set, None, None, &mut now)
                .expect("selected");
            set.fds(Some(highest)).map(|fd| value(fd.as_raw_fd())).sum()
        }));
    }

    let master = elements(highest + 1, fixture.numbers().into_iter());
    let mut work = master.clone();
    cases.push(Case::new("rustix", move || {
        work.copy_from_slice(&master);
        rustix_select(highest + 1, &mut work)
    }));

    cases
}

/// As [`kept`], and each turn has an answer of its own.
#[must_use]
pub fn own_answer(fixture: &Fixture) -> Cases<'_> {
    let mut cases = kept(fixture);
    cases.retain(|case| case.who != OURS);
    for case in &mut cases {
        if case.who == SELECT {
            case.who = OURS;
        }
    }
    cases
}

/// Each turn makes the set from a list, calls and walks. The answer is the sum of the numbers that are ready.
#[must_use]
pub fn rebuilt(fixture: &Fixture) -> Cases<'_> {
    let numbers = fixture.numbers();
    let mut cases = Vec::new();

    let fds: Vec<_> = fixture.fds().collect();
    let (mut set, mut answer) = (FdSet::new(), Ready::new());
    cases.push(Case::new(OURS, move || {
        set.clear();
        set.extend(fds.iter().copied());
        select_into(&set, &NONE, &NONE, &mut answer, Duration::ZERO).expect("selected");
        sum(&answer)
    }));

    let fds: Vec<_> = fixture.fds().collect();
    cases.push(Case::new(SELECT, move || {
        let set = FdSet::from_iter(fds.iter().copied());
        sum(&select(&set, &NONE, &NONE, Duration::ZERO).expect("selected"))
    }));

    if fixture.highest() < FD_SETSIZE {
        let fds = numbers.clone();
        cases.push(Case::new("C idiom", move || {
            // SAFETY: pointer and length are those of the vector, and the numbers are below a set's end.
            checked(unsafe { idiom_select_rebuilt(fds.as_ptr(), fds.len() as c_ulong) })
        }));

        let fds = numbers.clone();
        cases.push(Case::new("C idiom that counts", move || {
            // SAFETY: pointer and length are those of the vector, and the numbers are below a set's end.
            checked(unsafe { idiom_select_rebuilt_counting(fds.as_ptr(), fds.len() as c_ulong) })
        }));

        let fds: Vec<_> = fixture.fds().collect();
        cases.push(Case::new("nix", move || {
            let (mut set, mut now) = (nix::sys::select::FdSet::new(), TimeVal::new(0, 0));
            fds.iter().for_each(|&fd| set.insert(fd));
            nix::sys::select::select(None, &mut set, None, None, &mut now).expect("selected");
            set.fds(None).map(|fd| value(fd.as_raw_fd())).sum()
        }));
    }

    let fds = numbers;
    let mut set = Vec::new();
    cases.push(Case::new("rustix", move || {
        let nfds = fds.iter().max().map_or(0, |fd| fd + 1);
        set.clear();
        set.resize(fd_set_num_elements(fds.len(), nfds), FdSetElement::default());
        fds.iter().for_each(|&fd| fd_set_insert(&mut set, fd));
        rustix_select(nfds, &mut set)
    }));

    cases
}
