//! Signals as a descriptor that becomes readable: a handler that writes to it.

use std::ffi::c_int;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::getpid;

use super::cvt;

/// What the handler writes to. Made for the first catcher and never closed: a handler that has begun in another thread may write to
/// it when the last catcher is gone. With `TAKEN` it is the global state of the crate: a handler has no other way to anything.
static TARGET: OnceLock<EventFd> = OnceLock::new();
/// Whether there is a catcher.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// The process of the catcher: a child that was forked has the handler, too, and the target is shared with it.
static OWNER: AtomicI32 = AtomicI32::new(0);
/// The signals that were ignored before, a bit for each: there are 64.
static IGNORED: AtomicU64 = AtomicU64::new(0);

/// Catches some signals for as long as it lives. There is one at a time in a process.
pub(crate) struct Catcher {
    target: &'static EventFd,
    before: Vec<(c_int, Action)>,
}

struct Action(libc::sigaction);

impl Catcher {
    pub(crate) fn new(signals: &[c_int]) -> io::Result<Catcher> {
        if TAKEN.swap(true, Ordering::AcqRel) {
            let text = "signals are caught already in this process: remove that source first";
            return Err(io::Error::new(ErrorKind::AlreadyExists, text));
        }
        let target = match target() {
            Ok(target) => target,
            Err(error) => {
                TAKEN.store(false, Ordering::Release);
                return Err(error);
            }
        };
        // From here on its drop undoes what was done.
        let mut catcher = Catcher { target, before: Vec::with_capacity(signals.len()) };
        // What came too late for the one before is not for this one.
        catcher.take();
        OWNER.store(getpid().as_raw(), Ordering::Relaxed);
        IGNORED.store(0, Ordering::Relaxed);
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
        TAKEN.store(false, Ordering::Release);
    }
}

/// Only the holder of `TAKEN` asks, so nobody makes another one meanwhile.
fn target() -> io::Result<&'static EventFd> {
    if TARGET.get().is_none() {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let _ = TARGET.set(EventFd::from_value_and_flags(0, flags)?);
    }
    TARGET.get().ok_or_else(|| ErrorKind::NotFound.into())
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
    if before.sa_sigaction == libc::SIG_IGN {
        IGNORED.fetch_or(bit(signal), Ordering::Relaxed);
    }
    Ok(Action(before))
}

fn bit(signal: c_int) -> u64 {
    1_u64.rotate_left(signal.unsigned_abs().wrapping_sub(1))
}

/// Atomic loads, getpid(2) and write(2), in a child sigaction(2) and raise(3): all are safe in a signal handler. errno is the interrupted
/// thread's, and stays.
extern "C" fn handler(signal: c_int) {
    let Some(target) = TARGET.get() else { return };
    if getpid().as_raw() != OWNER.load(Ordering::Relaxed) {
        return not_caught(signal);
    }
    // SAFETY: the place of this thread's errno is there as long as the thread is.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above, and no other thread writes to it.
    let before = unsafe { *errno };
    let one = 1_u64;
    // SAFETY: the kernel reads eight bytes, which `one` has. The descriptor is never closed.
    unsafe { libc::write(target.as_raw_fd(), ptr::from_ref(&one).cast(), size_of::<u64>()) };
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// The signal is a child's: it does there what it did before it was caught here, or what it does by default where that was somebody's handler.
fn not_caught(signal: c_int) {
    if IGNORED.load(Ordering::Relaxed) & bit(signal) != 0 {
        return;
    }
    // SAFETY: SIG_DFL is no handler.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: a number. The signal is blocked until the handler returns, and is delivered then.
    unsafe { libc::raise(signal) };
}
