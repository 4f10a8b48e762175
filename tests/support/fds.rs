//! Descriptors to test with: pairs, pipes, and ones with a number of one's choice.

use std::fs;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

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

/// Lowers the soft limit on descriptors, in a process of its own. False, and said, as `limit_is_the_kernels`.
pub fn lower_limit(soft: rlim_t) -> bool {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit");
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("lowered");
    limit_is_the_kernels()
}

/// Whether the kernel knows the limit that this process has set. False, and said, of an emulator that
/// keeps it to itself: valgrind.
pub fn limit_is_the_kernels() -> bool {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit");
    let limits = fs::read_to_string("/proc/self/limits").expect("the limits of this process");
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let kernel = files.and_then(|line| line.split_whitespace().next());
    let same = kernel == Some(soft.to_string().as_str());
    assert!(same || super::emulated(), "the limit is {kernel:?}, not {soft}");
    if !same {
        super::skipped("the limit on open files: the emulator keeps it from the kernel");
    }
    same
}

/// As `allow`, for a test that passes such a number to select.
pub fn selectable(number: RawFd) -> bool {
    allow(number) && (number < 1024 || takes_long_sets())
}

/// Whether what is beneath takes sets of more than 1024 descriptors: false, and said, of an emulator
/// that does not. Only in a process of one thread (see `isolated`).
fn takes_long_sets() -> bool {
    if !super::emulated() {
        return true;
    }
    // qemu-user 7.2 has a C fd_set of its own and aborts: in a child, so that this test goes on. The raw call
    // and not the crate's: that one's failures are not for a probe to hide.
    const WORDS: usize = 4096 / libc::c_ulong::BITS as usize;
    let mut set: [libc::c_ulong; WORDS] = [0; WORDS];
    set[WORDS - 1] = 1;
    let none = ptr::null_mut::<u8>();
    let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: this process has one thread, and the child makes system calls only.
    match unsafe { fork() }.expect("a child") {
        ForkResult::Child => {
            let set = set.as_mut_ptr();
            // SAFETY: three sets of nfds bits, of which two are absent, and no mask.
            unsafe { libc::syscall(libc::SYS_pselect6, 4096, set, none, none, &zero, none) };
            // SAFETY: it ends this process, which has nothing to clean up.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            let works = matches!(waitpid(child, None).expect("its end"), WaitStatus::Exited(_, 0));
            if !works {
                super::skipped("select of descriptors above 1023: the emulator ends at that call");
            }
            works
        }
    }
}
