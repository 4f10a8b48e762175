//! What a signal does to a call that blocks: nothing. And the socket's own time for such a call, which bounds that.

use std::ffi::c_int;
use std::io;
use std::mem::offset_of;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use libc::{suseconds_t, time_t, timeval};

use super::Socket;
use crate::sockopt;
use crate::sys::sockopt::set_plain;

/// The option that says how long a receive or an accept may block.
pub(super) const RECEIVE: c_int = libc::SO_RCVTIMEO;
/// The option that says how long a send or a connect may block.
pub(super) const SEND: c_int = libc::SO_SNDTIMEO;

impl Socket {
    /// Makes a call again for as long as a signal interrupts it.
    ///
    /// `own_time` is the option that says how long this call may block. A signal that comes more often than that must not
    /// keep it blocked for ever, so after the first one a clock runs. Each call has the whole time again, and the last begins
    /// before the clock ends: together they take less than three times of it.
    #[inline]
    pub(super) fn restart<T>(
        &self,
        own_time: c_int,
        mut call: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        match call() {
            Err(error) if interrupted(&error) => self.restart_interrupted(own_time, call),
            result => result,
        }
    }

    #[cold]
    fn restart_interrupted<T>(
        &self,
        own_time: c_int,
        mut call: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let deadline = self.own_time(own_time)?.and_then(|time| Instant::now().checked_add(time));
        loop {
            match call() {
                Err(error) if interrupted(&error) => {
                    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        // What the kernel says when that time is over.
                        return Err(io::Error::from_raw_os_error(libc::EAGAIN));
                    }
                }
                result => return result,
            }
        }
    }

    /// [`RECEIVE`] or [`SEND`]; `None` is no limit.
    pub(super) fn own_time(&self, name: c_int) -> io::Result<Option<Duration>> {
        let mut value = [0; size_of::<timeval>()];
        // A short answer leaves zeros.
        let _ = sockopt::get_bytes(self, libc::SOL_SOCKET, name, &mut value)?;
        let time = decode(&value);
        Ok(if time.is_zero() { None } else { Some(time) })
    }

    /// Sets [`RECEIVE`] or [`SEND`]; what the kernel gave it takes back.
    pub(super) fn set_own_time(&self, name: c_int, time: Option<Duration>) -> io::Result<()> {
        set_plain(self.as_fd(), libc::SOL_SOCKET, name, &encode(time.unwrap_or_default()))
    }
}

pub(super) fn interrupted(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINTR)
}

const SECONDS: usize = offset_of!(timeval, tv_sec);
const MICROSECONDS: usize = offset_of!(timeval, tv_usec);

/// A time as a `timeval`, rounded up to a microsecond: zero would be no limit. One that it cannot hold becomes the longest.
fn encode(time: Duration) -> [u8; size_of::<timeval>()] {
    let micros = time.as_nanos().div_ceil(1000);
    let sec = time_t::try_from(micros / 1_000_000).unwrap_or(time_t::MAX).to_ne_bytes();
    // Below a million, which fits.
    let usec = suseconds_t::try_from(micros % 1_000_000).unwrap_or(0).to_ne_bytes();
    let mut value = [0; size_of::<timeval>()];
    value[SECONDS..][..sec.len()].copy_from_slice(&sec);
    value[MICROSECONDS..][..usec.len()].copy_from_slice(&usec);
    value
}

fn decode(value: &[u8; size_of::<timeval>()]) -> Duration {
    let sec = value[SECONDS..].first_chunk().map_or(0, |sec| time_t::from_ne_bytes(*sec));
    let usec =
        value[MICROSECONDS..].first_chunk().map_or(0, |usec| suseconds_t::from_ne_bytes(*usec));
    // The kernel gives no negative times, and microseconds below a million.
    Duration::from_secs(u64::try_from(sec).unwrap_or(0))
        + Duration::from_micros(u64::try_from(usec).unwrap_or(0).min(999_999))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_goes_up_to_a_microsecond() {
        let cases = [
            (Duration::ZERO, Duration::ZERO),
            (Duration::from_nanos(1), Duration::from_micros(1)),
            (Duration::from_nanos(999_999_001), Duration::from_secs(1)),
            (Duration::from_millis(7500), Duration::from_millis(7500)),
            (Duration::from_secs(86_400 * 2), Duration::from_secs(86_400 * 2)),
            (Duration::MAX, Duration::from_secs(time_t::MAX.try_into().expect("positive"))),
        ];
        for (time, expected) in cases {
            assert_eq!(decode(&encode(time)), expected, "{time:?}");
        }
        assert_eq!(decode(&[0xff; size_of::<timeval>()]), Duration::ZERO);
    }

    #[test]
    fn the_kernel_gives_back_what_it_took() {
        let (socket, _peer) =
            crate::Socket::pair(crate::Domain::UNIX, crate::Type::STREAM, None).expect("a pair");
        for name in [RECEIVE, SEND] {
            let long = Duration::from_secs(2 * 86_400);
            for time in [None, Some(Duration::from_millis(1500)), Some(long), None] {
                socket.set_own_time(name, time).expect("set");
                assert_eq!(socket.own_time(name).expect("get"), time);
            }
        }
    }
}
