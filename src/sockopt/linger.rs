//! `struct linger` without its trap.

use std::ffi::c_int;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::value::{Decode, Encode, exactly, invalid};
use crate::sys::sockopt as sys;

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
    /// This is how sockets start. Winsock has it as an option of its own, `SO_DONTLINGER`: set to TRUE it is this value, set to FALSE it
    /// turns lingering *on*. So it is not the way to close at once and without TIME_WAIT that it is sometimes copied for: that
    /// is [`Abort`](Linger::Abort). Linux has no option of that name.
    #[doc(alias = "SO_DONTLINGER")]
    Off,
    /// `close` throws away what is left and resets the connection: the peer's next read fails with ECONNRESET, and
    /// this side skips TIME_WAIT. C: `l_onoff = 1, l_linger = 0`.
    ///
    /// What it costs: data that was sent and not yet read is lost at the peer too, and a late packet of this connection may reach the
    /// next one on the same ports. To bind a port again after a restart, use [`ReuseAddr`](super::ReuseAddr).
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
