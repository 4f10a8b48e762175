//! Processes: fork(2) where it is sound, and a descriptor that tells when a child has ended.

use std::fs;
use std::io;
use std::mem;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::Duration;

use nix::unistd::{ForkResult, Pid, fork};

use super::cvt_count;

/// How often the threads are counted again before a fork is refused, a millisecond apart: one that was joined just now
/// may still be listed.
const COUNTS: u32 = 20;

/// fork(2), and in the child `work`. The parent gets the child's number; the child never comes back: it leaves by
/// `_exit` with what `work` returns, or with 101 after a panic, so that nothing of the parent's is dropped,
/// flushed or run at exit in it.
///
/// # Errors
///
/// The kernel's: `EAGAIN`, `ENOMEM`; without an errno: this process has other threads.
pub(crate) fn run_in_child(work: impl FnOnce() -> u8) -> io::Result<Pid> {
    single_thread()?;
    // SAFETY: after fork, a child of a process with several threads may use what is safe in a signal handler only, for
    // another thread may have held any lock. This process has one thread, which is here and starts no other.
    let result = unsafe { fork() }?;
    match result {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let status = panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|thrown| {
                // Dropped, it may panic again, and that would be on its way into the parent's code.
                mem::forget(thrown);
                101
            });
            // SAFETY: it takes a number and does not return; nothing of this process is used after it.
            unsafe { libc::_exit(status.into()) }
        }
    }
}

/// Refuses where this process has more than one thread.
pub(crate) fn single_thread() -> io::Result<()> {
    let mut count = 0;
    for _ in 0..COUNTS {
        count = fs::read_dir("/proc/self/task")?.count();
        if count == 1 {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        format!(
            "fork in a process of {count} threads is not safe: serve before the first thread starts, or use threads"
        ),
    ))
}

/// `pidfd_open(2)`: a descriptor that is readable once the child has ended. Close-on-exec by itself.
pub(crate) fn pidfd(child: Pid) -> io::Result<OwnedFd> {
    // SAFETY: the call takes numbers only.
    let fd = cvt_count(unsafe { libc::syscall(libc::SYS_pidfd_open, child.as_raw(), 0) })?;
    let fd = RawFd::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: the kernel has just made this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
