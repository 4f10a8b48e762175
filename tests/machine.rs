//! What the machine beneath the other tests does: `cargo xtask cross` runs them on several.

mod support;

use std::env::{self, consts};
use std::ffi::{c_int, c_long};
use std::io;
use std::ptr;
use std::time::Duration;

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use support::isolated::{self, Case};
use support::{emulated, skipped};

fn main() {
    const CASES: &[Case] = &[
        ("it_is_the_one_that_was_asked_for", asked_for),
        ("it_has_the_calls_that_were_left_to_it", calls_of_5_1),
        ("it_writes_back_the_time_that_is_left", time_left),
    ];
    isolated::main(CASES)
}

/// A test run for a big-endian machine that ran on this one would prove nothing.
fn asked_for() {
    if let Ok(asked) = env::var("READYSOCK_MACHINE") {
        assert_eq!(asked, consts::ARCH);
    }
    let one = u32::to_ne_bytes(1);
    assert_eq!(one[3] == 1, consts::ARCH == "s390x", "the only big-endian one of them");
    assert_eq!(size_of::<usize>() == 4, consts::ARCH == "x86", "the only 32-bit one");
}

/// The kernel's timespec of 64-bit fields, and the calls with it: on 32-bit machines since Linux 5.1.
#[repr(C)]
struct Timespec {
    sec: i64,
    nsec: i64,
}

const WIDE: bool = cfg!(target_pointer_width = "64");
const SYS_PPOLL: c_long = if WIDE { libc::SYS_ppoll } else { 414 };
const SYS_PSELECT6: c_long = if WIDE { libc::SYS_pselect6 } else { 413 };

/// The sixth argument of pselect6.
#[repr(C)]
struct Mask {
    set: *const libc::sigset_t,
    bytes: usize,
}

/// Waits for nothing but a signal, with no signal blocked. What is left of the time comes back in `timeout`.
fn timed(number: c_long, timeout: &mut Timespec) -> io::Result<()> {
    let (none, set, bytes) = (ptr::null_mut::<u8>(), SigSet::empty(), 8_usize);
    let set: *const libc::sigset_t = set.as_ref();
    let timeout = ptr::from_mut(timeout);
    let result = if number == SYS_PPOLL {
        // SAFETY: no slots; the timespec is what this number takes, and the mask is longer than 8 bytes.
        unsafe { libc::syscall(number, none, 0_usize, timeout, set, bytes) }
    } else {
        let mask = Mask { set, bytes };
        // SAFETY: no sets; the timespec is what this number takes, and the mask is longer than 8 bytes.
        unsafe { libc::syscall(number, 0_usize, none, none, none, timeout, &mask) }
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The run that is to show the way of Linux before 5.1 must not have the new calls, every other must.
fn calls_of_5_1() {
    let old = env::var_os("READYSOCK_BEFORE_5_1").is_some();
    for number in [SYS_PPOLL, SYS_PSELECT6] {
        let result = timed(number, &mut Timespec { sec: 0, nsec: 1 });
        let found = result.err().and_then(|error| error.raw_os_error());
        assert_eq!(found, old.then_some(libc::ENOSYS), "call {number}");
    }
}

/// What [`readysock::Timeout::After`] goes by after the first signal.
fn time_left() {
    extern "C" fn nothing(_: c_int) {}
    if env::var_os("READYSOCK_BEFORE_5_1").is_some() {
        return skipped("the time left, in 64 bits: this run is without the calls that have it");
    }
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.expect("a handler");
    for (name, number) in [("ppoll", SYS_PPOLL), ("pselect6", SYS_PSELECT6)] {
        SigSet::from(Signal::SIGUSR1).thread_block().expect("blocked");
        raise(Signal::SIGUSR1).expect("raised");
        let hour = Duration::from_secs(3600);
        let mut timeout = Timespec { sec: 3600, nsec: 0 };
        let error = timed(number, &mut timeout).expect_err("the signal ends it");
        assert_eq!(error.raw_os_error(), Some(libc::EINTR), "{name}");
        let nanoseconds = u32::try_from(timeout.nsec).expect("nanoseconds");
        let left = Duration::new(timeout.sec.unsigned_abs(), nanoseconds);
        if left == hour && emulated() {
            skipped(&format!("the time left by {name} after a signal: the emulator keeps it"));
        } else {
            assert!(left < hour && left > hour / 2, "{name}: {left:?} is left");
        }
    }
}
