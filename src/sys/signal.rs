//! Signals as a descriptor that becomes readable: a handler that writes to it.

use std::ffi::c_int;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::cvt;

/// What the handler writes to; -1 where there is nothing to write to. The one piece of global state of the crate: a handler
/// has no other way to it.
static TARGET: AtomicI32 = AtomicI32::new(NOBODY);
const NOBODY: c_int = -1;
/// Taken, and not ready yet.
const CLAIMED: c_int = -2;

/// Catches some signals for as long as it lives. There is one at a time in a process.
#[derive(Debug)]
pub(crate) struct Catcher {
    target: EventFd,
    before: Vec<(c_int, Action)>,
}

struct Action(libc::sigaction);

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Action").field("handler", &self.0.sa_sigaction).finish_non_exhaustive()
    }
}

impl Catcher {
    pub(crate) fn new(signals: &[c_int]) -> io::Result<Catcher> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let target = EventFd::from_value_and_flags(0, flags)?;
        if TARGET.compare_exchange(NOBODY, CLAIMED, Ordering::AcqRel, Ordering::Acquire).is_err() {
            let text = "signals are caught already in this process: remove that source first";
            return Err(io::Error::new(ErrorKind::AlreadyExists, text));
        }
        // From here on its drop undoes what was done.
        let mut catcher = Catcher { target, before: Vec::with_capacity(signals.len()) };
        TARGET.store(catcher.target.as_raw_fd(), Ordering::Release);
        for &signal in signals {
            catcher.before.push((signal, catch(signal)?));
        }
        Ok(catcher)
    }

    /// Whether one has come since it was asked last.
    pub(crate) fn take(&self) -> bool {
        self.target.read().is_ok()
    }
}

impl AsFd for Catcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.target.as_fd()
    }
}

impl Drop for Catcher {
    fn drop(&mut self) {
        for (signal, action) in self.before.iter().rev() {
            // SAFETY: `action` is what sigaction wrote for this signal, so what it names is there as it was then; the old action is not asked for.
            let _ = cvt(unsafe { libc::sigaction(*signal, &raw const action.0, ptr::null_mut()) });
        }
        // A handler that has begun in another thread may write to this number yet: into a closed descriptor, or, at worst, eight bytes to one that
        // got its number in this moment. So the descriptor is closed only after the handlers are gone.
        TARGET.store(NOBODY, Ordering::Release);
    }
}

fn catch(signal: c_int) -> io::Result<Action> {
    // SAFETY: sigaction is C data, for all of which zero is a value: no flags, no mask, SIG_DFL.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler as extern "C" fn(c_int) as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: as above.
    let mut before: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: the kernel reads `action`, whose handler takes one number (no SA_SIGINFO) and does only what is safe in a signal handler, and writes
    // `before`.
    cvt(unsafe { libc::sigaction(signal, &raw const action, &raw mut before) })?;
    Ok(Action(before))
}

/// An atomic load and write(2): both are safe in a signal handler. errno is the interrupted thread's, and stays.
extern "C" fn handler(_: c_int) {
    let target = TARGET.load(Ordering::Acquire);
    if target >= 0 {
        // SAFETY: the place of this thread's errno is there as long as the thread is.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: as above, and no other thread writes to it.
        let before = unsafe { *errno };
        let one = 1_u64;
        // SAFETY: the kernel reads eight bytes, which `one` has. The descriptor is the Catcher's (see its drop).
        unsafe { libc::write(target, ptr::from_ref(&one).cast(), size_of::<u64>()) };
        // SAFETY: as above.
        unsafe { *errno = before };
    }
}
