//! How long a call may wait, and how that survives interruption by signals.

use std::io;
use std::time::{Duration, Instant};

use crate::sys::time::Timespec;

/// How long a waiting call may wait: for ever, for a time, or until an instant.
///
/// Every waiting function takes `impl Into<Timeout>`, so a [`Duration`], an [`Instant`] or an
/// `Option<Duration>` (`None` is [`Never`](Timeout::Never)) can be passed as it is.
///
/// ```
/// use std::time::{Duration, Instant};
/// use readysock::{FdSet, Timeout, select};
///
/// let none = FdSet::new();
/// select(&none, &none, &none, Duration::from_millis(5))?; // waits 5 ms
/// select(&none, &none, &none, Instant::now() + Duration::from_millis(5))?;
/// select(&none, &none, &none, Timeout::After(Duration::ZERO))?; // does not wait
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # How exact it is
///
/// Times go to the kernel in nanoseconds: nothing is rounded to milliseconds, nothing wraps after
/// 24 days, and a wait never ends early. It may end late, by the timer slack of the thread (50 µs unless
/// changed: `PR_SET_TIMERSLACK` in prctl(2)) and by what the scheduler adds.
///
/// # What interruption does
///
/// A call that restarts after a signal handler has run (EINTR) does not start its time again:
/// [`At`](Timeout::At) means the instant, and [`After`](Timeout::After) goes on with the time that was left.
/// That is why a wait of 100 ms under a timer signal every 20 ms ends after 100 ms; restarted
/// with the full time it would never end.
///
/// `After` counts the time the kernel spent waiting. Two things are not waiting and are not
/// counted: the time the process is stopped by job control (SIGSTOP, Ctrl-Z), and the run time of the
/// signal handler that interrupts the wait first. Where that matters, use `At`, which is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timeout {
    /// Wait until something is ready. C: a null `timeval`, or -1 milliseconds.
    Never,
    /// Wait at most this long. [`Duration::ZERO`] looks without waiting; [`Duration::MAX`] waits longer
    /// than the machine will stand.
    After(Duration),
    /// Wait at most until this instant. An instant in the past looks without waiting.
    At(Instant),
}

impl From<Duration> for Timeout {
    #[inline]
    fn from(duration: Duration) -> Timeout {
        Timeout::After(duration)
    }
}

impl From<Option<Duration>> for Timeout {
    /// `None` waits for ever, as in Python and in std.
    #[inline]
    fn from(duration: Option<Duration>) -> Timeout {
        duration.map_or(Timeout::Never, Timeout::After)
    }
}

// Not From<Option<Instant>>: with it, the `None` in `poll(&mut fds, None)` would be ambiguous.
impl From<Instant> for Timeout {
    #[inline]
    fn from(instant: Instant) -> Timeout {
        Timeout::At(instant)
    }
}

impl Timeout {
    /// What to hand to the kernel now; `None` is its null pointer.
    #[inline]
    pub(crate) fn timespec(self) -> Option<Timespec> {
        match self {
            Timeout::Never => None,
            Timeout::After(duration) => Some(Timespec::new(duration)),
            Timeout::At(instant) => {
                Some(Timespec::new(instant.saturating_duration_since(Instant::now())))
            }
        }
    }

    /// What is still to wait after an interruption, when the kernel wrote `left` back.
    ///
    /// From here on the clock rules: a kernel or an emulator that writes nothing back costs one slice
    /// more, once, and not one at each interruption.
    fn rest(self, left: Option<Timespec>) -> Timeout {
        match (self, left) {
            (Timeout::After(_), Some(left)) => {
                // Beyond the clock's range is beyond anybody's patience.
                Instant::now().checked_add(left.to_duration()).map_or(Timeout::Never, Timeout::At)
            }
            _ => self,
        }
    }
}

/// Makes a call that waits, and makes it again with the time that is left as long as a signal
/// interrupts it. The kernel writes the time left into the timespec (man 2 poll, "C library/kernel
/// differences"), so that the ordinary case reads no clock.
#[inline]
pub(crate) fn restart<T>(
    timeout: Timeout,
    mut call: impl FnMut(Option<&mut Timespec>) -> io::Result<T>,
) -> io::Result<T> {
    let mut left = timeout.timespec();
    match call(left.as_mut()) {
        Err(error) if interrupted(&error) => restart_interrupted(timeout.rest(left), call),
        result => result,
    }
}

#[cold]
fn restart_interrupted<T>(
    timeout: Timeout,
    mut call: impl FnMut(Option<&mut Timespec>) -> io::Result<T>,
) -> io::Result<T> {
    loop {
        match call(timeout.timespec().as_mut()) {
            Err(error) if interrupted(&error) => {}
            result => return result,
        }
    }
}

#[inline]
fn interrupted(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINTR)
}
