//! Descriptors to test with: pairs, pipes, and ones with a number of one's choice.

use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// A duplicate of `source` with the lowest number that is free from `lowest` on.
#[track_caller]
pub fn numbered(source: impl AsFd, lowest: RawFd) -> OwnedFd {
    let number = fcntl(source, FcntlArg::F_DUPFD_CLOEXEC(lowest))
        .unwrap_or_else(|error| panic!("no descriptor from {lowest} on: {error}"));
    // SAFETY: the number was made just now and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// A pipe: the reading end and the writing end, both non-blocking.
pub fn pipe() -> (OwnedFd, OwnedFd) {
    nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).expect("a pipe")
}

/// Raises the soft limit on descriptors to the hard one, in a process of its own (see `isolated`).
/// False, and said, if that does not allow `number`.
pub fn allow(number: RawFd) -> bool {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("raising the soft limit to the hard one");
    let enough = hard > rlim_t::try_from(number).expect("not negative");
    if !enough {
        super::skipped(&format!("descriptor {number} is over the hard limit of {hard}"));
    }
    enough
}
