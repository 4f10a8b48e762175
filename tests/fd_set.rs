//! FdSet: every sequence of operations against a model, and against nix's set.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use proptest::prelude::*;
use readysock::FdSet;
use support::fds::{numbered, pipe};
use support::isolated::{self, Case};

// In a process of its own: the descriptors get chosen numbers, some above the usual limit.
fn main() {
    const CASES: &[Case] = &[
        ("any_sequence_of_operations_agrees_with_a_model", model),
        ("agrees_with_nix_below_1024", agrees_with_nix),
        ("taking_from_both_ends_in_any_order_gives_each_once", both_ends),
        ("remembers_negative_descriptors", negative),
        ("into_empty_ends_the_borrow", into_empty),
        ("collects_extends_compares_and_prints", traits),
        ("is_a_constant", constant),
    ];
    isolated::main(CASES)
}

/// Descriptors at the edges of words, of the inline part, and of what C's fd_set can hold.
const NUMBERS: [RawFd; 18] =
    [3, 62, 63, 64, 65, 127, 128, 319, 320, 500, 960, 1022, 1023, 1024, 1025, 1088, 2047, 5001];

fn pool() -> Vec<OwnedFd> {
    let (source, _) = pipe();
    let limit = if support::fds::allow(5100) { RawFd::MAX } else { 1000 };
    NUMBERS.iter().filter(|n| **n < limit).map(|n| numbered(&source, *n)).collect()
}

fn numbers<'fd>(fds: impl Iterator<Item = BorrowedFd<'fd>>) -> Vec<RawFd> {
    fds.map(|fd| fd.as_raw_fd()).collect()
}

#[derive(Clone, Debug)]
enum Op {
    Insert(prop::sample::Index),
    Remove(prop::sample::Index),
    Contains(prop::sample::Index),
    Clear,
    Renew,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        8 => any::<prop::sample::Index>().prop_map(Op::Insert),
        4 => any::<prop::sample::Index>().prop_map(Op::Remove),
        2 => any::<prop::sample::Index>().prop_map(Op::Contains),
        1 => Just(Op::Clear),
        1 => Just(Op::Renew),
    ];
    prop::collection::vec(op, 0..60)
}

/// What every observer says, against the model.
fn agree(set: &FdSet<'_>, model: &BTreeSet<RawFd>) -> Result<(), TestCaseError> {
    prop_assert_eq!(set.len(), model.len());
    prop_assert_eq!(set.is_empty(), model.is_empty());
    prop_assert_eq!(set.highest(), model.last().copied().filter(|fd| *fd >= 0));
    let forth: Vec<RawFd> = model.iter().copied().collect();
    let back: Vec<RawFd> = model.iter().rev().copied().collect();
    prop_assert_eq!(numbers(set.iter()), forth);
    prop_assert_eq!(numbers(set.iter().rev()), back);
    prop_assert_eq!(set.iter().len(), model.len());
    Ok(())
}

fn model() {
    let pool = pool();
    // Legal, if rare: rustix's CWD is one.
    let negative: Vec<BorrowedFd<'static>> = [-100, RawFd::MIN, -2]
        .map(|n| {
            // SAFETY: it is not -1, and a negative number is nobody's descriptor: nothing can close it.
            unsafe { BorrowedFd::borrow_raw(n) }
        })
        .into();
    let all: Vec<BorrowedFd<'_>> = pool.iter().map(|fd| fd.as_fd()).chain(negative).collect();
    proptest!(ProptestConfig::with_cases(support::cases(1000)), |(ops in ops())| {
        let mut set = FdSet::new();
        let mut model = BTreeSet::new();
        for op in ops {
            match op {
                Op::Insert(at) => {
                    let fd = *at.get(&all);
                    prop_assert_eq!(set.insert(fd), model.insert(fd.as_raw_fd()));
                }
                Op::Remove(at) => {
                    let fd = *at.get(&all);
                    prop_assert_eq!(set.remove(fd), model.remove(&fd.as_raw_fd()));
                }
                Op::Contains(at) => {
                    let fd = *at.get(&all);
                    prop_assert_eq!(set.contains(fd), model.contains(&fd.as_raw_fd()));
                }
                Op::Clear => {
                    set.clear();
                    model.clear();
                }
                Op::Renew => {
                    set = set.into_empty();
                    model.clear();
                }
            }
            agree(&set, &model)?;
        }
    });
}

fn agrees_with_nix() {
    let (source, _) = pipe();
    let low = NUMBERS.iter().filter(|n| **n < 1000);
    let pool: Vec<OwnedFd> = low.map(|n| numbered(&source, *n)).collect();
    assert!(pool.iter().all(|fd| fd.as_raw_fd() < 1024), "nix's set ends at 1024");
    proptest!(|(ops in ops())| {
        let mut ours = FdSet::new();
        let mut theirs = nix::sys::select::FdSet::new();
        for op in ops {
            match op {
                Op::Insert(at) => {
                    let fd = at.get(&pool).as_fd();
                    ours.insert(fd);
                    theirs.insert(fd);
                }
                Op::Remove(at) | Op::Contains(at) => {
                    let fd = at.get(&pool).as_fd();
                    ours.remove(fd);
                    theirs.remove(fd);
                }
                Op::Clear | Op::Renew => {
                    ours.clear();
                    theirs.clear();
                }
            }
            prop_assert_eq!(ours.highest(), theirs.highest().map(|fd| fd.as_raw_fd()));
            prop_assert_eq!(numbers(ours.iter()), numbers(theirs.fds(None)));
            for fd in &pool {
                prop_assert_eq!(ours.contains(fd), theirs.contains(fd.as_fd()));
            }
        }
    });
}

fn both_ends() {
    let pool = pool();
    let strategy = (
        prop::collection::vec(any::<bool>(), pool.len()),
        prop::collection::vec(any::<bool>(), pool.len() + 3),
    );
    proptest!(ProptestConfig::with_cases(support::cases(1000)), |((members, directions) in strategy)| {
        let member = |(_, there): &(&OwnedFd, bool)| *there;
        let chosen = pool.iter().zip(members).filter(member).map(|(fd, _)| fd.as_fd());
        let set = FdSet::from_iter(chosen);
        let mut model: std::collections::VecDeque<RawFd> = numbers(set.iter()).into();
        let mut iter = set.iter();
        for front in directions {
            prop_assert_eq!(iter.len(), model.len());
            let (ours, expected) = if front {
                (iter.next(), model.pop_front())
            } else {
                (iter.next_back(), model.pop_back())
            };
            prop_assert_eq!(ours.map(|fd| fd.as_raw_fd()), expected);
        }
        // Fused: after the end it stays at the end.
        while iter.next().is_some() {}
        prop_assert!(iter.next().is_none() && iter.next_back().is_none());
    });
}

fn negative() {
    let (source, _) = pipe();
    // SAFETY: it is not -1, and a negative number is nobody's descriptor: nothing can close it.
    let cwd = unsafe { BorrowedFd::borrow_raw(-100) };
    let mut set = FdSet::new();
    assert!(set.insert(cwd) && !set.insert(cwd));
    assert!(set.contains(cwd));
    assert_eq!((set.len(), set.is_empty(), set.highest()), (1, false, None));
    set.insert(source.as_fd());
    assert_eq!(numbers(set.iter()), [-100, source.as_raw_fd()]);
    assert_eq!(set.highest(), Some(source.as_raw_fd()));
    assert!(set.remove(cwd) && !set.remove(cwd) && !set.contains(cwd));
}

fn into_empty() {
    let mut memory = FdSet::new();
    for turn in 0..3 {
        let (source, _) = pipe();
        let mut set = memory;
        assert!(set.is_empty(), "turn {turn}");
        assert!(set.insert(source.as_fd()), "turn {turn}");
        memory = set.into_empty();
        drop(source); // compiles: the borrow is over
    }
}

fn traits() {
    let (a, b) = pipe();
    let mut set: FdSet<'_> = [a.as_fd()].into_iter().collect();
    set.extend([b.as_fd(), a.as_fd()]);
    assert_eq!(set.len(), 2);
    let mut seen = BTreeMap::new();
    for fd in &set {
        *seen.entry(fd.as_raw_fd()).or_insert(0) += 1;
    }
    assert!(seen.values().all(|times| *times == 1));
    let mut copy = set.clone();
    assert_eq!(copy, set);
    copy.remove(&b);
    assert_ne!(copy, set, "one is the beginning of the other");
    copy.clear();
    copy.insert(b.as_fd());
    assert_ne!(copy, FdSet::from_iter([a.as_fd()]), "of one length");
    assert_eq!(format!("{copy:?}"), format!("{{{}}}", b.as_raw_fd()));
    assert_eq!(format!("{:?}", copy.iter()), format!("[{}]", b.as_raw_fd()));
    assert_eq!(FdSet::default(), FdSet::new());
}

fn constant() {
    static EMPTY: FdSet<'static> = FdSet::new();
    assert!(EMPTY.is_empty());
}
