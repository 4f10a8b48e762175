//! What the calls cost, beside C, libc, nix and rustix.
//!
//! The [`Case`]s of a piece of work do it each with another library, on the same descriptors, and come to the same
//! answer (tests/same_work.rs). Three kinds of programs run them: criterion's benches, `budgets` (times, in turns) and
//! `instructions` (under callgrind). `cargo xtask bench` starts the last two, and compares what they say.
//!
//! What the servers and the event loop cost as a whole, other programs measure: `servers` and `reactor`.

pub mod echo;
pub mod fd_set;
pub mod fixture;
pub mod poll;
pub mod poll_set;
pub mod select;

use std::fmt;
use std::os::fd::RawFd;

/// Where C's sets end, and with them C's and nix's part in a comparison.
pub const FD_SETSIZE: RawFd = 1024;

/// How many descriptors the benches watch.
pub const SIZES: [usize; 6] = [1, 16, 128, 480, 1000, 4000];

/// Who the others are measured against: this crate.
pub const OURS: &str = "readysock";

/// One way of doing a piece of work.
pub struct Case<'a> {
    /// The library that does it.
    pub who: &'static str,
    run: Box<dyn FnMut(u64) -> u64 + 'a>,
}

impl<'a> Case<'a> {
    /// `turn` is the work, and returns something that proves it was done.
    fn new(who: &'static str, mut turn: impl FnMut() -> u64 + 'a) -> Case<'a> {
        // The loop is in here, so that what is called through the pointer is many turns and not one.
        let run = move |turns: u64| (0..turns).fold(0_u64, |sum, _| sum.wrapping_add(turn()));
        Case { who, run: Box::new(run) }
    }

    /// Does it so many times; returns the sum of the answers.
    pub fn run(&mut self, turns: u64) -> u64 {
        (self.run)(turns)
    }
}

impl fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("who", &self.who).finish_non_exhaustive()
    }
}

/// The ways of doing one piece of work.
pub type Cases<'a> = Vec<Case<'a>>;

/// Ours, and the one of this peer.
///
/// # Panics
///
/// If there is no such peer, or if the two do not come to the same answer: then they do not do the same work.
#[must_use]
pub fn pair<'a>(cases: Cases<'a>, peer: &str) -> [Case<'a>; 2] {
    let (mut ours, mut theirs) = (None, None);
    for case in cases {
        match case.who {
            OURS => ours = Some(case),
            who if who == peer => theirs = Some(case),
            _ => {}
        }
    }
    let mut pair = [ours.expect("ours"), theirs.expect("the peer")];
    let [one, two] = pair.each_mut().map(|case| case.run(3));
    assert_eq!(one, two, "{OURS} and {peer} do the same work");
    pair
}

/// A number that stands for a descriptor in the sums.
#[inline]
fn value(number: RawFd) -> u64 {
    u64::from(number.unsigned_abs())
}

/// A C function's sum.
#[inline]
#[track_caller]
fn checked(sum: std::ffi::c_long) -> u64 {
    u64::try_from(sum).expect("the call succeeds")
}
