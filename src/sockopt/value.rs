//! What the values of options are, and how each is written to the kernel and read from it.
//!
//! An integer, or a bool, has one form for every option. Another type has a *codec*, which the option's row in the
//! table names: two options may both have a [`Duration`], one in seconds, the other in microseconds.

use std::ffi::c_int;
use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::sys::sockopt as sys;

/// The types that a value read from option `O` may have.
///
/// Sealed. For every option, also one defined outside this crate: `bool`, `u8`, `u16`, `u32`, `u64`, `i32`, `i64`. For the
/// options of this crate, what each of them says.
///
/// An integer has the width of C's type: `i32` or `u32` for an `int`, `u8` for an `unsigned char`. A narrower one would get the
/// wrong half of the number on a big-endian machine; a wider one is answered short, which is InvalidData.
/// A `bool` is an `int` that is 0 or not.
pub trait GetValue<O: ?Sized>: sealed::Get<O> {}

/// The types that a value written to option `O` may have: see [`GetValue`].
pub trait SetValue<O: ?Sized>: sealed::Set<O> {}

impl<O: ?Sized, T: sealed::Get<O>> GetValue<O> for T {}
impl<O: ?Sized, T: sealed::Set<O>> SetValue<O> for T {}

pub(crate) mod sealed {
    use super::{BorrowedFd, c_int, io};

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not a value that can be read from the option `{O}`",
        note = "an option of one's own has a bool, u8, u16, u32, u64, i32 or i64"
    )]
    pub trait Get<O: ?Sized>: Sized {
        fn get(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Self>;
    }

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not a value that can be written to the option `{O}`",
        note = "an option of one's own has a bool, u8, u16, u32, u64, i32 or i64"
    )]
    pub trait Set<O: ?Sized> {
        fn set(self, fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<()>;
    }
}

/// How a value that is no integer is read. The option's row in the table names it.
pub(crate) trait Decode {
    type Value;
    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Self::Value>;
}

/// How a value that is no integer is written. The option's row in the table names it.
pub(crate) trait Encode {
    type Value;
    fn encode(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: Self::Value) -> io::Result<()>;
}

/// Reads a value of exactly `N` bytes: a shorter answer is not a value of this type.
fn exactly<const N: usize>(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    match sys::get(fd, level, name, &mut bytes)? {
        n if n == N => Ok(bytes),
        n => Err(io::Error::new(
            ErrorKind::InvalidData,
            format!("the option answered {n} bytes, not the {N} of this type: use get_bytes"),
        )),
    }
}

pub(super) fn get_int(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<c_int> {
    exactly(fd, level, name).map(c_int::from_ne_bytes)
}

pub(super) fn set_int(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: c_int,
) -> io::Result<()> {
    sys::set_integer(fd, level, name, &value.to_ne_bytes())
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, reason)
}

macro_rules! integers {
    ($($T:ty)*) => { $(
        impl<O: ?Sized> sealed::Get<O> for $T {
            fn get(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<$T> {
                exactly(fd, level, name).map(<$T>::from_ne_bytes)
            }
        }

        impl<O: ?Sized> sealed::Set<O> for $T {
            fn set(self, fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<()> {
                sys::set_integer(fd, level, name, &self.to_ne_bytes())
            }
        }
    )* };
}

integers! { u8 u16 u32 u64 i32 i64 }

impl<O: ?Sized> sealed::Get<O> for bool {
    fn get(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<bool> {
        get_int(fd, level, name).map(|value| value != 0)
    }
}

impl<O: ?Sized> sealed::Set<O> for bool {
    fn set(self, fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<()> {
        set_int(fd, level, name, c_int::from(self))
    }
}

/// A number of bytes: an `int` to the kernel.
#[derive(Debug)]
pub(crate) struct Size;

impl Decode for Size {
    type Value = usize;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<usize> {
        usize::try_from(get_int(fd, level, name)?).map_err(|_| {
            io::Error::new(ErrorKind::InvalidData, "the kernel answered a negative size")
        })
    }
}

impl Encode for Size {
    type Value = usize;

    fn encode(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: usize) -> io::Result<()> {
        // Its low half, which a cast would write, is a small buffer.
        let value = c_int::try_from(value)
            .map_err(|_| invalid("a size has at most 2147483647 bytes: ask for less"))?;
        set_int(fd, level, name, value)
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

/// `struct linger`: what closing a connection does with data that is not yet sent. The value of
/// [`SoLinger`](super::SoLinger).
///
/// C has two numbers here, `l_onoff` and `l_linger`, and one of their four combinations is a trap: *on* with 0 seconds does
/// not mean "do not linger", it resets the connection. That is why [`Abort`](Linger::Abort) has a name of its own here, and why
/// nothing but the name gives it: `For` with no time is an error, and `For` 900 ms is 1 s, not 0.
///
/// ```
/// use readysock::sockopt::{self, Linger, SoLinger};
/// use std::{net::TcpListener, time::Duration};
///
/// let socket = TcpListener::bind("127.0.0.1:0")?;
/// assert_eq!(sockopt::get(&socket, SoLinger)?, Linger::Off);
/// sockopt::set(&socket, SoLinger, Linger::For(Duration::from_millis(900)))?;
/// assert_eq!(sockopt::get(&socket, SoLinger)?, Linger::For(Duration::from_secs(1)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc = concat!(man_page!("socket", 7))]
#[doc(alias = "linger")]
#[doc(alias = "l_onoff")]
#[doc(alias = "l_linger")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Linger {
    /// `close` returns at once; the kernel goes on sending what is left. C: `l_onoff = 0`.
    ///
    /// This is how sockets start. Winsock's `SO_DONTLINGER` set to true is this value; Linux has no option of that name.
    #[doc(alias = "SO_DONTLINGER")]
    Off,
    /// `close` throws away what is left and resets the connection: the peer's next read fails with ECONNRESET, and
    /// this side skips TIME_WAIT. C: `l_onoff = 1, l_linger = 0`.
    Abort,
    /// `close` blocks until what is left is sent and acknowledged, or until this much time has passed; then it
    /// goes on as [`Off`](Linger::Off) does. C: `l_onoff = 1`, and the seconds in `l_linger`.
    ///
    /// Rounded up to whole seconds. Zero is InvalidInput (say `Abort` if you mean it), and so is more than
    /// 65535 s, which other systems keep in 16 bits.
    For(Duration),
}

/// The longest time to linger. Linux would take 2147483647 s; BSD's `l_linger` is a `u_short` inside.
const LINGER_MAX: u64 = 65_535;

impl Linger {
    /// `l_onoff` and `l_linger`.
    fn to_c(self) -> io::Result<(c_int, c_int)> {
        let time = match self {
            Linger::Off => return Ok((0, 0)),
            Linger::Abort => return Ok((1, 0)),
            Linger::For(time) => time,
        };
        if time.is_zero() {
            return Err(invalid(
                "to linger for no time is to reset the connection: use Linger::Abort, or Linger::Off",
            ));
        }
        let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
        c_int::try_from(seconds)
            .ok()
            .filter(|_| seconds <= LINGER_MAX)
            .map(|seconds| (1, seconds))
            .ok_or_else(|| invalid("a socket lingers for at most 65535 s: use a shorter time"))
    }

    fn from_c(onoff: c_int, linger: c_int) -> Linger {
        match (onoff, linger) {
            (0, _) => Linger::Off,
            (_, 0) => Linger::Abort,
            // Below zero only if somebody else asked for more than the getter's int can say: a long time, then.
            (_, seconds) => Linger::For(Duration::from_secs(seconds.unsigned_abs().into())),
        }
    }
}

/// `struct linger`: two `int`s.
#[derive(Debug)]
pub(crate) struct LingerStruct;

impl Decode for LingerStruct {
    type Value = Linger;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Linger> {
        let [a, b, c, d, e, f, g, h] = exactly(fd, level, name)?;
        Ok(Linger::from_c(c_int::from_ne_bytes([a, b, c, d]), c_int::from_ne_bytes([e, f, g, h])))
    }
}

impl Encode for LingerStruct {
    type Value = Linger;

    fn encode(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: Linger) -> io::Result<()> {
        let (onoff, linger) = value.to_c()?;
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&onoff.to_ne_bytes());
        bytes[4..].copy_from_slice(&linger.to_ne_bytes());
        sys::set_plain(fd, level, name, &bytes)
    }
}
