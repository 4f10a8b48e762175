//! What the calls cost, beside C, libc, nix and rustix.
//!
//! A [`Task`] is one piece of work; its [`Case`]s do it each with another library, on the same descriptors, and
//! come to the same answer (tested here). Three programs run them: the criterion benches, `budgets` (times, in
//! turns, against the budgets) and `instructions` (under callgrind). `cargo xtask bench` starts the last two.

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

/// The one of them that `who` does, taken out.
pub fn take<'a>(cases: &mut Cases<'a>, who: &str) -> Option<Case<'a>> {
    cases.iter().position(|case| case.who == who).map(|index| cases.remove(index))
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
