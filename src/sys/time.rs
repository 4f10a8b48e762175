//! The kernel's own timespec, and how a 32-bit machine gets one of 64 bits.

use std::ffi::{c_long, c_void};
use std::io;
use std::ptr;
use std::time::Duration;

use super::{MIPS32, is_unknown};

/// `struct __kernel_timespec`: 64-bit fields on every machine, unlike the C library's `timespec`.
///
/// `tv_sec` is never negative and `tv_nsec` always below 10⁹, before a call and after it: the kernel
/// refuses anything else and writes nothing else.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timespec {
    sec: i64,
    nsec: i64,
}

impl Timespec {
    /// No time.
    pub(crate) const ZERO: Timespec = Timespec { sec: 0, nsec: 0 };

    /// Exact, but for times beyond the kernel's range: 2⁶³ seconds and more become 2⁶³ - 1 seconds.
    #[inline]
    pub(crate) fn new(duration: Duration) -> Timespec {
        let sec = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        Timespec { sec, nsec: i64::from(duration.subsec_nanos()) }
    }

    pub(crate) fn to_duration(self) -> Duration {
        // Both fields are in range (see the type); a kernel that wrote something else gets zero.
        let nsec = u32::try_from(self.nsec).unwrap_or(0).min(999_999_999);
        Duration::new(u64::try_from(self.sec).unwrap_or(0), nsec)
    }
}

/// Machines whose `SYS_ppoll` and `SYS_pselect6` take a timespec of two 32-bit fields. They have had calls
/// with the 64-bit one since Linux 5.1.
pub(crate) const NARROW: bool = cfg!(target_pointer_width = "32");

// Their numbers are the same on all of these machines but for the MIPS offset; libc has them for one only.
const BASE: c_long = if MIPS32 { 4000 } else { 0 };
pub(crate) const SYS_PSELECT6_TIME64: c_long = BASE + 413;
pub(crate) const SYS_PPOLL_TIME64: c_long = BASE + 414;

/// `struct old_timespec32`, for narrow machines with a kernel before 5.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Timespec32 {
    sec: i32,
    nsec: i32,
}

impl Timespec32 {
    /// Times beyond 68 years are cut there.
    pub(crate) fn new(wide: Timespec) -> Timespec32 {
        let sec = i32::try_from(wide.sec).unwrap_or(i32::MAX);
        // Below 10^9, so it fits.
        Timespec32 { sec, nsec: i32::try_from(wide.nsec).unwrap_or(0) }
    }

    pub(crate) fn widen(self) -> Timespec {
        Timespec { sec: i64::from(self.sec), nsec: i64::from(self.nsec) }
    }
}

/// Makes a call that takes a timespec; on a narrow machine first with the 64-bit one, and where the kernel
/// does not know that call with the old one. The time left comes back in `timeout` either way.
///
/// # Safety
/// `call(number, timeout)` must be sound for each number it is given, where `timeout` is null or points
/// to what that number takes: a `Timespec` for `number` and `time64`, and on a narrow machine
/// a `Timespec32` for `number`.
#[inline]
pub(crate) unsafe fn with_timespec(
    number: c_long,
    time64: c_long,
    timeout: Option<&mut Timespec>,
    mut call: impl FnMut(c_long, *mut c_void) -> io::Result<usize>,
) -> io::Result<usize> {
    match timeout {
        Some(wide) if NARROW => {
            match call(time64, ptr::from_mut(wide).cast()) {
                Err(error) if is_unknown(&error) => {}
                result => return result,
            }
            let mut narrow = Timespec32::new(*wide);
            let result = call(number, ptr::from_mut(&mut narrow).cast());
            *wide = narrow.widen();
            result
        }
        timeout => call(number, timeout.map_or(ptr::null_mut(), |wide| ptr::from_mut(wide).cast())),
    }
}
