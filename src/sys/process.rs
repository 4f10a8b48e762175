//! Processes: fork(2) where it is sound, and a descriptor that tells when a child has ended.

use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::Duration;

use nix::unistd::{ForkResult, Pid, fork};

use super::{cvt, cvt_count};

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
        count = fs::read_dir("/proc/self/task").map_err(unseen)?.count();
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

/// Where the threads cannot be seen at all, that does not pass.
fn unseen(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => io::Error::new(
            io::ErrorKind::Unsupported,
            "fork needs /proc, to see that this process has one thread: mount it, or use threads",
        ),
        _ => error,
    }
}

/// How a child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Status(i32),
    Signal(i32),
}

/// `waitid(2)` without waiting: how a child has ended, and then it is waited for; `None` while it runs. It is asked for by its descriptor, or by
/// its number.
///
/// (Not by nix, to which a real-time signal is an error: then the child is gone, and nobody knows how.)
pub(crate) fn ended(child: Pid, by: Option<BorrowedFd<'_>>) -> io::Result<Option<End>> {
    let (kind, id) = match by {
        Some(fd) => (libc::P_PIDFD, fd.as_raw_fd()),
        None => (libc::P_PID, child.as_raw()),
    };
    // Neither is negative.
    let id = libc::id_t::try_from(id).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: a siginfo_t is numbers, for which all bits zero are a value. Where the child runs, the kernel leaves it so or makes it so.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes a siginfo_t to where one is.
    cvt(unsafe { libc::waitid(kind, id, &raw mut info, libc::WEXITED | libc::WNOHANG) })?;
    // SAFETY: waitid(2) fills in what belongs to SIGCHLD, of which the status is a part, or the zeros have stayed.
    let status = unsafe { info.si_status() };
    Ok(match info.si_code {
        libc::CLD_EXITED => Some(End::Status(status)),
        libc::CLD_KILLED | libc::CLD_DUMPED => Some(End::Signal(status)),
        _ => None,
    })
}

/// `pidfd_open(2)`: a descriptor that is readable once the child has ended. Close-on-exec by itself.
pub(crate) fn pidfd(child: Pid) -> io::Result<OwnedFd> {
    // SAFETY: the call takes numbers only.
    let fd = cvt_count(unsafe { libc::syscall(libc::SYS_pidfd_open, child.as_raw(), 0) })?;
    let fd = RawFd::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: the kernel has just made this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
