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
/// There is no number that means "for ever" and none that is negative: `poll(&mut fds, -1)` does not compile. A time is
/// passed by value and stays as it is; in C, select(2) changes its `timeval` on Linux and leaves it alone elsewhere.
///
/// # How exact it is
///
/// Times go to the kernel in nanoseconds: nothing is rounded to milliseconds, nothing wraps after
/// 24 days, and a wait never ends early. It may end late, so that the kernel can wake for several at once: by the timer slack of the
/// thread (50 µs unless changed: `PR_SET_TIMERSLACK` in prctl(2)) or by a thousandth of the time, whichever is more, and at most by
/// 100 ms; a real-time thread has no slack, a niced one five times the part. What the scheduler adds comes on top.
///
/// # What interruption does
///
/// A call that restarts after a signal handler has run (EINTR) does not start its time again:
/// [`At`](Timeout::At) means the instant, and [`After`](Timeout::After) goes on with the time that was left.
/// That is why a wait of 100 ms under a timer signal every 20 ms ends after 100 ms; restarted
/// with the full time it would never end.
///
/// `After` counts the time the kernel spent waiting. The run time of the signal handler that interrupts the wait first is not
/// counted; where that matters, use `At`.
///
/// # What a stop does
///
/// The time for which the process is stopped (SIGSTOP, Ctrl-Z) counts for neither of them: when it goes on, the kernel itself begins
/// the call again with the time that was left, and no program hears of it. So a wait until an instant ends late where the process
/// was stopped meanwhile, by at most as long as it was stopped; look at the clock before you act on it. Only a wait of an
/// [`Epoll`](crate::epoll::Epoll) ends on time: its call comes back after a stop, its time is made an instant at once, and the clock rules.
///
/// A socket's own time for calls that block in it (SO_RCVTIMEO, SO_SNDTIMEO) plays no part in a wait.
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
            Timeout::At(instant) => Some(until(instant)),
        }
    }

    /// The same, as an instant: for calls that write no time left. What needs no clock reads none.
    pub(crate) fn fixed(self) -> Timeout {
        match self {
            Timeout::After(duration) if !duration.is_zero() => from_now(duration),
            other => other,
        }
    }

    /// What is still to wait after an interruption, when the kernel wrote `left` back.
    ///
    /// From here on the clock rules: a kernel or an emulator that writes nothing back costs one slice
    /// more, once, and not one at each interruption.
    fn rest(self, left: Timespec) -> Timeout {
        match self {
            Timeout::After(_) => from_now(left.to_duration()),
            Timeout::Never | Timeout::At(_) => self,
        }
    }
}

/// Beyond the clock's range is beyond anybody's patience.
fn from_now(duration: Duration) -> Timeout {
    Instant::now().checked_add(duration).map_or(Timeout::Never, Timeout::At)
}

/// How long it is until then. Apart, as most programs never ask.
#[inline(never)]
fn until(instant: Instant) -> Timespec {
    Timespec::new(instant.saturating_duration_since(Instant::now()))
}

/// Makes a call that waits, and makes it again with the time that is left as long as a signal
/// interrupts it. The kernel writes the time left into the timespec (man 2 poll, "C library/kernel
/// differences"), so that the ordinary case reads no clock.
// Always: what a wait costs shall not hang on how many of them a program has (cargo xtask bench --instructions).
#[inline(always)]
pub(crate) fn restart<T>(
    timeout: Timeout,
    mut call: impl FnMut(Option<&mut Timespec>) -> io::Result<T>,
) -> io::Result<T> {
    let mut left = Timespec::ZERO;
    let memory = timeout.timespec().map(|timespec| {
        left = timespec;
        &mut left
    });
    match call(memory) {
        Ok(found) => Ok(found),
        Err(error) => restart_after(error, &timeout, &left, call),
    }
}

/// The rest of [`restart`]: apart, so that what every program has a copy of is short.
#[cold]
#[inline(never)]
fn restart_after<T>(
    mut error: io::Error,
    timeout: &Timeout,
    left: &Timespec,
    mut call: impl FnMut(Option<&mut Timespec>) -> io::Result<T>,
) -> io::Result<T> {
    let timeout = timeout.rest(*left);
    while interrupted(&error) {
        match call(timeout.timespec().as_mut()) {
            Ok(found) => return Ok(found),
            Err(next) => error = next,
        }
    }
    Err(error)
}

#[inline]
fn interrupted(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINTR)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_duration() -> impl Strategy<Value = Duration> {
        // Whole seconds over the whole range, and all magnitudes of small ones.
        let secs =
            prop_oneof![any::<u64>(), (0..64_u32).prop_map(|bits| (1 << bits) - 1), 0..5_u64];
        (secs, 0..1_000_000_000_u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos))
    }

    #[test]
    fn a_time_becomes_an_instant_and_no_time_stays_none() {
        let before = Instant::now();
        let fixed = Timeout::After(Duration::from_secs(3600)).fixed();
        assert!(matches!(fixed, Timeout::At(at) if at - before >= Duration::from_secs(3600)));
        let at = Timeout::At(before);
        for timeout in [Timeout::After(Duration::ZERO), Timeout::Never, at] {
            assert_eq!(timeout.fixed(), timeout);
        }
        assert_eq!(Timeout::After(Duration::MAX).fixed(), Timeout::Never);
    }

    /// Beyond this the kernel's timespec ends: 292 thousand million years.
    const LAST: Duration = Duration::new(i64::MAX as u64, 999_999_999);

    proptest! {
        #[test]
        fn after_is_never_rounded_down(duration in any_duration()) {
            let kernel = Timeout::After(duration).timespec().expect("not for ever").to_duration();
            prop_assert!(kernel >= duration || (duration > LAST && kernel.as_secs() == LAST.as_secs()));
            prop_assert!(kernel == duration || duration > LAST, "nor up, where it fits");
        }

        #[test]
        fn at_is_what_is_left_and_never_panics(ahead in any_duration(), forward: bool) {
            let now = Instant::now();
            let end = if forward { now.checked_add(ahead) } else { now.checked_sub(ahead) };
            let Some(end) = end else { return Ok(()) };
            let kernel = Timeout::At(end).timespec().expect("not for ever").to_duration();
            // As long as it takes from here, which is later than when the conversion looked.
            prop_assert!(kernel >= end.saturating_duration_since(Instant::now()));
            prop_assert!(kernel <= end.saturating_duration_since(now));
        }

        #[test]
        fn what_is_left_becomes_a_deadline(left in any_duration()) {
            let before = Instant::now();
            match Timeout::After(Duration::ZERO).rest(Timespec::new(left)) {
                Timeout::At(end) => prop_assert!(end >= before + left),
                Timeout::Never => prop_assert!(before.checked_add(left).is_none()),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        let kernel = |timeout: Timeout| timeout.timespec().map(Timespec::to_duration);
        assert_eq!(kernel(Timeout::Never), None);
        assert_eq!(kernel(Timeout::After(Duration::ZERO)), Some(Duration::ZERO));
        assert_eq!(kernel(Timeout::After(Duration::MAX)), Some(LAST));
        assert_eq!(kernel(Timeout::After(LAST)), Some(LAST));
        assert_eq!(kernel(Timeout::At(Instant::now())), Some(Duration::ZERO));
    }

    #[test]
    fn an_interruption_changes_neither_never_nor_an_instant() {
        let end = Instant::now();
        assert_eq!(Timeout::Never.rest(Timespec::ZERO), Timeout::Never);
        assert_eq!(Timeout::At(end).rest(Timespec::new(Duration::MAX)), Timeout::At(end));
    }
}
