//! The codecs that several options share: sizes, times, names, numbers with a type of their own.
//!
//! The rule of all of them: a value that the kernel would take for another one is refused before the call, and a
//! conversion goes up, never down.

use std::ffi::{c_int, c_long, c_ulong};
use std::io;
use std::marker::PhantomData;
use std::mem::offset_of;
use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use libc::{suseconds_t, time_t, timeval};

use super::value::{Decode, Encode, exactly, get_int, invalid, set_int, unexpected};
use crate::sys::sockopt as sys;

/// A number of bytes: an `int` to the kernel.
#[derive(Debug)]
pub(crate) struct Size;

fn int_of_size(value: usize) -> io::Result<c_int> {
    // Its low half, which a cast would write, is a small buffer.
    c_int::try_from(value).map_err(|_| invalid("a size has at most 2147483647 bytes: ask for less"))
}

impl Decode for Size {
    type Value = usize;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<usize> {
        usize::try_from(get_int(fd, level, name)?)
            .map_err(|_| unexpected("the kernel answered a negative size"))
    }
}

impl Encode for Size {
    type Value = usize;

    fn encode(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: usize) -> io::Result<()> {
        set_int(fd, level, name, int_of_size(value)?)
    }
}

/// A number of bytes that uses all 32 bits: an `unsigned int` to the kernel.
#[derive(Debug)]
pub(crate) struct LongSize;

impl Decode for LongSize {
    type Value = usize;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<usize> {
        usize::try_from(exactly(fd, level, name).map(u32::from_ne_bytes)?)
            .map_err(|_| unexpected("the kernel answered a size that memory cannot have"))
    }
}

impl Encode for LongSize {
    type Value = usize;

    fn encode(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: usize) -> io::Result<()> {
        let value = u32::try_from(value)
            .map_err(|_| invalid("this size has at most 4294967295 bytes: ask for less"))?;
        sys::set_integer(fd, level, name, &value.to_ne_bytes())
    }
}

/// A place in the data, or none: an `int` that is negative for none.
#[derive(Debug)]
pub(crate) struct Offset;

impl Decode for Offset {
    type Value = Option<usize>;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Option<usize>> {
        get_int(fd, level, name).map(|value| usize::try_from(value).ok())
    }
}

impl Encode for Offset {
    type Value = Option<usize>;

    fn encode(
        fd: BorrowedFd<'_>,
        level: c_int,
        name: c_int,
        value: Option<usize>,
    ) -> io::Result<()> {
        set_int(fd, level, name, value.map_or(Ok(-1), int_of_size)?)
    }
}

/// The number of a processor or the like, or none: an `int` that is -1 for none.
#[derive(Debug)]
pub(crate) struct Index;

impl Decode for Index {
    type Value = Option<u32>;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Option<u32>> {
        get_int(fd, level, name).map(|value| u32::try_from(value).ok())
    }
}

impl Encode for Index {
    type Value = Option<u32>;

    fn encode(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: Option<u32>) -> io::Result<()> {
        let index = value.map_or(Ok(-1), c_int::try_from);
        let index =
            index.map_err(|_| invalid("over 2147483647: use the number of one there is"))?;
        set_int(fd, level, name, index)
    }
}

/// An identifier, or none: an `unsigned int` that is 0 for none.
#[derive(Debug)]
pub(crate) struct Id;

impl Decode for Id {
    type Value = Option<u32>;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Option<u32>> {
        exactly(fd, level, name).map(u32::from_ne_bytes).map(|id| (id != 0).then_some(id))
    }
}

/// Bytes per second, or no limit: an `unsigned long`, all of whose bits are set for none.
#[derive(Debug)]
pub(crate) struct Rate;

impl Decode for Rate {
    type Value = Option<u64>;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Option<u64>> {
        let mut bytes = [0; 8];
        // Before Linux 5.1, and to 32-bit programs, the answer is an unsigned int whatever the room.
        let n = sys::get(fd, level, name, &mut bytes[..size_of::<c_ulong>()])?;
        let [a, b, c, d, ..] = bytes;
        match n {
            8 => Ok(Some(u64::from_ne_bytes(bytes)).filter(|rate| *rate != u64::MAX)),
            4 => Ok(Some(u32::from_ne_bytes([a, b, c, d]))
                .filter(|rate| *rate != u32::MAX)
                .map(u64::from)),
            _ => Err(unexpected("the kernel's answer is no rate")),
        }
    }
}

impl Encode for Rate {
    type Value = Option<u64>;

    fn encode(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: Option<u64>) -> io::Result<()> {
        let Some(rate) = value else {
            return sys::set_integer(fd, level, name, &u32::MAX.to_ne_bytes());
        };
        // An unsigned int where that is enough: every kernel takes it.
        if let Some(rate) = u32::try_from(rate).ok().filter(|rate| *rate != u32::MAX) {
            return sys::set_integer(fd, level, name, &rate.to_ne_bytes());
        }
        let too_fast = || invalid("over what this machine can pace: use None, no limit");
        let rate = c_ulong::try_from(rate).ok().filter(|rate| *rate != c_ulong::MAX);
        let bytes = rate.ok_or_else(too_fast)?.to_ne_bytes();
        // Before Linux 5.1 the kernel takes the low half for the rate.
        if sys::get(fd, level, name, &mut [0; size_of::<c_ulong>()])? < bytes.len() {
            return Err(too_fast());
        }
        sys::set_integer(fd, level, name, &bytes)
    }
}

/// A number of the kernel's that has a type of its own: a domain, a socket type, a protocol.
#[derive(Debug)]
pub(crate) struct Number<T>(PhantomData<T>);

impl<T: From<c_int>> Decode for Number<T> {
    type Value = T;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<T> {
        get_int(fd, level, name).map(T::from)
    }
}

impl<T: Into<c_int>> Encode for Number<T> {
    type Value = T;

    fn encode(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: T) -> io::Result<()> {
        set_int(fd, level, name, value.into())
    }
}

/// An `errno`: 0 is no error.
#[derive(Debug)]
pub(crate) struct Errno;

impl Decode for Errno {
    type Value = Option<io::Error>;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Option<io::Error>> {
        let errno = get_int(fd, level, name)?;
        Ok((errno != 0).then(|| io::Error::from_raw_os_error(errno)))
    }
}

/// A name: bytes up to a NUL or the end. The kernel cuts one that is longer than 15 bytes, and takes what is left for the name.
#[derive(Debug)]
pub(crate) struct Name;

impl Decode for Name {
    type Value = String;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<String> {
        let mut bytes = [0; 64];
        let n = sys::get(fd, level, name, &mut bytes)?;
        let text = bytes[..n].split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(text)
            .map(str::to_owned)
            .map_err(|_| unexpected("the name is not UTF-8: use get_bytes"))
    }
}

impl Encode for Name {
    type Value = String;

    fn encode(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: String) -> io::Result<()> {
        if value.contains('\0') {
            return Err(invalid(
                "a name has no NUL in it: leave it out, here it needs none at the end",
            ));
        }
        if value.len() > 15 {
            return Err(invalid(
                "a name has at most 15 bytes: the kernel would cut it and look for another",
            ));
        }
        sys::set_plain(fd, level, name, value.as_bytes())
    }
}

/// `struct in_addr`: an IPv4 address.
#[derive(Debug)]
pub(crate) struct InAddr;

impl Decode for InAddr {
    type Value = Ipv4Addr;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Ipv4Addr> {
        exactly::<4>(fd, level, name).map(Ipv4Addr::from)
    }
}

impl Encode for InAddr {
    type Value = Ipv4Addr;

    fn encode(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: Ipv4Addr) -> io::Result<()> {
        sys::set_integer(fd, level, name, &value.octets())
    }
}

/// A time in whole ticks, `PER_SECOND` of them: an `int`. It goes up to the next tick.
#[derive(Debug)]
pub(crate) struct Ticks<const PER_SECOND: u32>;

pub(crate) type Seconds = Ticks<1>;
pub(crate) type Milliseconds = Ticks<1_000>;
pub(crate) type Microseconds = Ticks<1_000_000>;

/// A time in ticks, rounded up.
fn ticks(time: Duration, per_second: u32) -> u128 {
    let nanos = u128::from(1_000_000_000 / per_second.max(1)).max(1);
    time.as_nanos().div_ceil(nanos)
}

fn int_of_ticks(time: Duration, per_second: u32) -> io::Result<c_int> {
    c_int::try_from(ticks(time, per_second))
        .map_err(|_| invalid("longer than the kernel's int can say: use a shorter time"))
}

fn time_of_ticks(ticks: u32, per_second: u32) -> Duration {
    Duration::from_nanos(u64::from(ticks) * u64::from(1_000_000_000 / per_second.max(1)))
}

impl<const PER_SECOND: u32> Decode for Ticks<PER_SECOND> {
    type Value = Duration;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Duration> {
        let ticks = u32::try_from(get_int(fd, level, name)?)
            .map_err(|_| unexpected("the kernel answered a negative time"))?;
        Ok(time_of_ticks(ticks, PER_SECOND))
    }
}

impl<const PER_SECOND: u32> Encode for Ticks<PER_SECOND> {
    type Value = Duration;

    fn encode(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: Duration) -> io::Result<()> {
        set_int(fd, level, name, int_of_ticks(value, PER_SECOND)?)
    }
}

/// Whole seconds, with two numbers that mean something else: negative is no time at all, and 0 what the system has set.
#[derive(Debug)]
pub(crate) struct SecondsOrNone;

impl Decode for SecondsOrNone {
    type Value = Duration;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Duration> {
        let seconds = u64::try_from(get_int(fd, level, name)?);
        Ok(seconds.map_or(Duration::ZERO, Duration::from_secs))
    }
}

impl Encode for SecondsOrNone {
    type Value = Duration;

    fn encode(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: Duration) -> io::Result<()> {
        let seconds = if value.is_zero() { -1 } else { int_of_ticks(value, 1)? };
        set_int(fd, level, name, seconds)
    }
}

/// `struct timeval`: how long a call may block. To the kernel zero is no limit, which is `None` here.
#[derive(Debug)]
pub(crate) struct Limit;

/// The kernel counts in jiffies, in a `long`, and takes what it cannot hold for no limit. It has up to 1000 in a second.
const LIMIT_SECONDS: c_long = c_long::MAX / 1000 - 1;

const SECONDS: usize = offset_of!(timeval, tv_sec);
const MICROSECONDS: usize = offset_of!(timeval, tv_usec);

fn timeval_of(limit: Option<Duration>) -> io::Result<[u8; size_of::<timeval>()]> {
    let micros = match limit {
        None => 0,
        Some(Duration::ZERO) => {
            return Err(invalid("to the kernel no time is no limit: use None, or poll with zero"));
        }
        Some(time) => ticks(time, 1_000_000),
    };
    let too_long = || invalid("the kernel would take so long a time for no limit: use None");
    let seconds = c_long::try_from(micros / 1_000_000)
        .ok()
        .filter(|seconds| *seconds < LIMIT_SECONDS)
        .and_then(|seconds| time_t::try_from(seconds).ok())
        .ok_or_else(too_long)?
        .to_ne_bytes();
    let micros = suseconds_t::try_from(micros % 1_000_000).map_err(|_| too_long())?.to_ne_bytes();
    let mut value = [0; size_of::<timeval>()];
    value[SECONDS..][..seconds.len()].copy_from_slice(&seconds);
    value[MICROSECONDS..][..micros.len()].copy_from_slice(&micros);
    Ok(value)
}

fn limit_of(value: &[u8; size_of::<timeval>()]) -> io::Result<Option<Duration>> {
    let seconds = value[SECONDS..].first_chunk().map_or(0, |bytes| time_t::from_ne_bytes(*bytes));
    let micros =
        value[MICROSECONDS..].first_chunk().map_or(0, |bytes| suseconds_t::from_ne_bytes(*bytes));
    match (u64::try_from(seconds), u32::try_from(micros)) {
        (Ok(0), Ok(0)) => Ok(None),
        (Ok(seconds), Ok(micros @ ..1_000_000)) => Ok(Some(Duration::new(seconds, micros * 1000))),
        _ => Err(unexpected("the kernel answered a time that is none")),
    }
}

impl Decode for Limit {
    type Value = Option<Duration>;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Option<Duration>> {
        limit_of(&exactly(fd, level, name)?)
    }
}

impl Encode for Limit {
    type Value = Option<Duration>;

    fn encode(
        fd: BorrowedFd<'_>,
        level: c_int,
        name: c_int,
        value: Option<Duration>,
    ) -> io::Result<()> {
        sys::set_plain(fd, level, name, &timeval_of(value)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_up_to_the_next_tick() {
        let nano = Duration::from_nanos(1);
        assert_eq!((ticks(nano, 1), ticks(nano, 1000), ticks(nano, 1_000_000)), (1, 1, 1));
        assert_eq!(ticks(Duration::from_millis(1001), 1), 2);
        assert_eq!(ticks(Duration::from_secs(2), 1000), 2000);
        assert_eq!(
            int_of_ticks(Duration::from_secs(i32::MAX.unsigned_abs().into()), 1).unwrap(),
            c_int::MAX
        );
        assert!(int_of_ticks(Duration::MAX, 1).is_err());
        assert!(int_of_ticks(Duration::from_millis(1 << 31), 1000).is_err());
        assert_eq!(time_of_ticks(u32::MAX, 1).as_secs(), u64::from(u32::MAX));
        assert_eq!(time_of_ticks(1500, 1000), Duration::from_millis(1500));
    }

    #[test]
    fn a_limit_is_never_none_by_accident() {
        let back = |time| limit_of(&timeval_of(Some(time)).unwrap()).unwrap().unwrap();
        assert_eq!(back(Duration::from_nanos(1)), Duration::from_micros(1));
        assert_eq!(back(Duration::new(1, 999_999_500)), Duration::from_secs(2));
        // From where the kernel's own comparison (`tv_sec < MAX_SCHEDULE_TIMEOUT / HZ - 1`) is false.
        let most = u64::try_from(c_long::MAX).unwrap() / 1000 - 2;
        assert_eq!(back(Duration::from_secs(most)), Duration::from_secs(most));
        for time in [Duration::ZERO, Duration::new(most, 999_999_001), Duration::MAX] {
            let error = timeval_of(Some(time)).unwrap_err();
            assert!(error.to_string().contains("use None"), "{time:?}: {error}");
        }
        assert_eq!(limit_of(&timeval_of(None).unwrap()).unwrap(), None);
        assert!(limit_of(&[0xff; size_of::<timeval>()]).is_err());
    }
}
