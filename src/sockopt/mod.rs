//! Socket options: `getsockopt(2)` and `setsockopt(2)`, with the type that each option has.
//!
//! An option is a value that you pass: [`get`]`(&socket, SndBuf)` reads it, [`set`]`(&socket, SndBuf, 65536)` writes it. Its
//! value has a type that fits its meaning (sizes are `usize`, times are [`Duration`](std::time::Duration), enumerations of the
//! kernel's are open numbers), and a value that the kernel would take for another one is an error here, found before the call.
//!
//! ```
//! use readysock::sockopt::{self, ReuseAddr, SndBuf, tcp::NoDelay};
//! use std::net::{TcpListener, TcpStream};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! assert!(sockopt::get(&listener, ReuseAddr)?); // std sets it for listeners
//!
//! let stream = TcpStream::connect(listener.local_addr()?)?;
//! sockopt::set(&stream, NoDelay, true)?;
//! sockopt::set(&stream, SndBuf, 65_536)?;
//! assert_eq!(sockopt::get(&stream, SndBuf)?, 2 * 65_536); // the kernel's number: see SndBuf
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Any socket will do that can lend its descriptor ([`AsFd`]): std's, this crate's, those of other crates. The functions
//! take a reference, so that a socket passed by mistake for its reference does not move in and get closed.
//!
//! # Names
//!
//! An option's type is its C name without the prefix: `SO_SNDBUF` is [`SndBuf`], `TCP_NODELAY` is [`tcp::NoDelay`]. Search finds the C
//! names too. Where a type of that name exists already, the option keeps the `So`: [`SoLinger`] has a [`Linger`],
//! [`SoType`] a [`Type`](crate::Type). The options of a level are in the module of its name; those of `SOL_SOCKET` are here as well.
//! Do not import them all with a `*`: there is an [`Error`] among them. [`table`] lists them at run time, and reads and writes
//! them as text.
//!
//! | value | type |
//! | --- | --- |
//! | a flag | `bool` |
//! | a size in bytes | `usize`, within what the kernel's number holds |
//! | a time | [`Duration`](std::time::Duration), rounded up to the kernel's unit; `Option` where the kernel's 0 is no limit |
//! | a name | `String`, without a NUL, at most 15 bytes |
//! | an enumeration | an open number: [`Domain`](crate::Domain), [`PathMtu`], [`TcpState`] |
//! | a credential | [`Credentials`], `None` where there is nobody; a descriptor is an `OwnedFd` |
//! | a count, an index, an identifier | `u32`, `u64`; a field of 8 bits in a header, `u8` |
//!
//! # Options that are not here
//!
//! - One whose value is an integer: [`get_int`] and [`set_int`], or an option of your own, [like this](GetOption).
//! - Any other: [`get_bytes`], and [`set_bytes`], which is `unsafe`, for there are options whose bytes are pointers.
//! - Packet filters (`SO_ATTACH_FILTER`, `SO_ATTACH_BPF` and kin) are programs, not values. The crate socket2 attaches classic ones
//!   (`Socket::attach_filter`), nix those of a group of `SO_REUSEPORT` sockets, aya loads and attaches eBPF.
//!
//! C's `getsockopt` with a buffer length and without (the notes' Python has both, too) are `get_bytes` and `get_int`.
//!
//! # What the safe forms refuse
//!
//! Each of these is InvalidInput, before any call, also for options of your own:
//!
//! - reading `SO_GET_FILTER`: the kernel takes the length of the buffer for a number of instructions, of 8 bytes each, and writes past its end;
//! - reading `SO_PEERPIDFD` as a number: each read makes a new descriptor, which nobody would own ([`PeerPidfd`] does);
//! - writing `SO_ATTACH_FILTER`, `SO_ATTACH_BPF`, `SO_ATTACH_REUSEPORT_CBPF`, `SO_ATTACH_REUSEPORT_EBPF` and `PACKET_FANOUT_DATA` as a number: it
//!   would be the number of a descriptor that nobody lent, or part of a pointer.
//!
//! The other options are sound to read whatever they do with the buffer, for the kernel only sees a copy: zeros, with room to
//! spare behind them. So an option that reads its buffer as a question is asked about nothing: `TCP_ZEROCOPY_RECEIVE` maps
//! nothing, `IP_MSFILTER` lists no source. To ask those something, call `libc::getsockopt`.
//!
//! # Errors
//!
//! | errno or kind | why |
//! | --- | --- |
//! | EBADF | the descriptor is not open |
//! | ENOTSOCK | it is not a socket: a pipe, a file |
//! | ENOPROTOOPT, EOPNOTSUPP | this socket does not know the option, or its level: `TCP_NODELAY` of a Unix socket |
//! | EINVAL | the kernel does not take this value, or not this length |
//! | EPERM, EACCES | the option, or this value, needs a privilege |
//! | OutOfMemory | there is no memory for an answer that long |
//! | InvalidInput | found before the call: a value out of range, one of the refusals above |
//! | InvalidData | found after it: the answer has another length than the type, or is longer than the buffer |
//!
//! # What must not compile
//!
//! A value of another type than the option's:
//!
//! ```compile_fail,E0308
//! # let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
//! readysock::sockopt::set(&socket, readysock::sockopt::ReuseAddr, 1).unwrap();
//! ```
//!
//! Writing an option that can only be read:
//!
//! ```compile_fail,E0277
//! # let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
//! readysock::sockopt::set(&socket, readysock::sockopt::AcceptConn, true).unwrap();
//! ```
#![doc = concat!(man_page!("getsockopt", 2))]

mod codec;
mod enums;
mod linger;
mod peer;
mod table;
mod tcp_info;
mod text;
mod value;

pub mod ip;
pub mod ipv6;
pub mod socket;
pub mod tcp;
pub mod udp;

use std::ffi::c_int;
use std::io;
use std::os::fd::AsFd;

pub use self::enums::{PathMtu, TcpState, TimestampFlags};
pub use self::linger::Linger;
pub use self::peer::Credentials;
pub use self::socket::*;
pub use self::table::{Direction, OptionInfo, table};
pub use self::value::{GetValue, SetValue};
use crate::sys::sockopt as sys;
pub use crate::sys::sockopt::set_bytes;

/// An option that can be read.
///
/// An option that this crate does not have can be defined anywhere, without `unsafe`, if its value is an integer: its level,
/// its name, and a type as wide as C's.
///
/// ```
/// use readysock::{libc, sockopt::{self, GetOption, SetOption}};
/// use std::{ffi::c_int, net::UdpSocket};
///
/// /// `SO_PRIORITY`: an `int`.
/// struct Priority;
///
/// impl GetOption for Priority {
///     const LEVEL: c_int = libc::SOL_SOCKET;
///     const NAME: c_int = libc::SO_PRIORITY;
///     type Value = u32;
/// }
///
/// impl SetOption for Priority {
///     const LEVEL: c_int = libc::SOL_SOCKET;
///     const NAME: c_int = libc::SO_PRIORITY;
///     type Value = u32;
/// }
///
/// let socket = UdpSocket::bind("127.0.0.1:0")?;
/// sockopt::set(&socket, Priority, 6)?;
/// assert_eq!(sockopt::get(&socket, Priority)?, 6);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The types are a closed set, [`GetValue`]; any other does not compile:
///
/// ```compile_fail,E0277
/// struct Congestion;
///
/// impl readysock::sockopt::GetOption for Congestion {
///     const LEVEL: i32 = readysock::libc::IPPROTO_TCP;
///     const NAME: i32 = readysock::libc::TCP_CONGESTION;
///     type Value = String;
/// }
/// ```
pub trait GetOption {
    /// Its level: `SOL_SOCKET`, or the number of a protocol.
    const LEVEL: c_int;
    /// Its name, a number within its level.
    const NAME: c_int;
    /// What [`get`] answers.
    type Value: GetValue<Self>;
}

/// An option that can be written. [`GetOption`] shows how to define one.
pub trait SetOption {
    /// Its level: `SOL_SOCKET`, or the number of a protocol.
    const LEVEL: c_int;
    /// Its name, a number within its level.
    const NAME: c_int;
    /// What [`set`] takes.
    type Value: SetValue<Self>;
}

/// `getsockopt(fd, LEVEL, NAME, &value, &length)`: reads an option.
///
/// ```
/// use readysock::{Type, sockopt};
///
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// assert_eq!(sockopt::get(&socket, sockopt::SoType)?, Type::DGRAM);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Pass the socket by reference, as here. An answer shorter than the value is InvalidData, never a value with bytes that the kernel has not
/// written. [The table](self#errors) has the errors.
#[doc = concat!(man_page!("getsockopt", 2))]
#[doc(alias = "getsockopt")]
pub fn get<O: GetOption>(fd: &(impl AsFd + ?Sized), option: O) -> io::Result<O::Value> {
    let _ = option;
    <O::Value as value::sealed::Get<O>>::get(fd.as_fd(), O::LEVEL, O::NAME)
}

/// `setsockopt(fd, LEVEL, NAME, &value, sizeof value)`: writes an option.
///
/// ```
/// use readysock::sockopt;
///
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// sockopt::set(&socket, sockopt::RcvBuf, 10_000)?;
/// assert_eq!(sockopt::get(&socket, sockopt::RcvBuf)?, 20_000);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// What is read afterwards need not be what was written: the kernel doubles sizes, and keeps to its limits without a word. The option's
/// documentation says how. [The table](self#errors) has the errors.
#[doc = concat!(man_page!("setsockopt", 2))]
#[doc(alias = "setsockopt")]
pub fn set<O: SetOption>(fd: &(impl AsFd + ?Sized), option: O, value: O::Value) -> io::Result<()> {
    let _ = option;
    <O::Value as value::sealed::Set<O>>::set(value, fd.as_fd(), O::LEVEL, O::NAME)
}

/// `getsockopt(fd, level, name, &int, &length)`: reads any option whose value is an `int`.
///
/// ```
/// use readysock::{libc, sockopt};
///
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// assert_eq!(sockopt::get_int(&socket, libc::SOL_SOCKET, libc::SO_TYPE)?, libc::SOCK_DGRAM);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// An answer of fewer than 4 bytes is InvalidData: `SO_BINDTODEVICE` of an unbound socket has none. Of a value with
/// more than 4 bytes these are the first: of `SO_LINGER`, `l_onoff`. [The table](self#errors) has the errors.
#[doc = concat!(man_page!("getsockopt", 2))]
#[doc(alias = "getsockopt")]
pub fn get_int(fd: &(impl AsFd + ?Sized), level: c_int, name: c_int) -> io::Result<i32> {
    value::get_int(fd.as_fd(), level, name)
}

/// `setsockopt(fd, level, name, &int, sizeof int)`: writes any option whose value is an `int`.
///
/// ```
/// use readysock::{libc, sockopt};
///
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// sockopt::set_int(&socket, libc::SOL_SOCKET, libc::SO_BROADCAST, 1)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A few options take a descriptor or a pointer where others take a number: those [are refused](self#what-the-safe-forms-refuse), for
/// nobody has lent the descriptor. [The table](self#errors) has the errors.
#[doc = concat!(man_page!("setsockopt", 2))]
#[doc(alias = "setsockopt")]
pub fn set_int(fd: &(impl AsFd + ?Sized), level: c_int, name: c_int, value: i32) -> io::Result<()> {
    value::set_int(fd.as_fd(), level, name, value)
}

/// `getsockopt(fd, level, name, buffer, &length)`: reads the bytes of any option, and says how many there are.
///
/// ```
/// use readysock::{libc, sockopt};
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let mut name = [0; 16];
/// let n = sockopt::get_bytes(&listener, libc::IPPROTO_TCP, libc::TCP_CONGESTION, &mut name)?;
/// println!("{}", name[..n].escape_ascii()); // cubic\x00\x00...: names come with their NULs
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The kernel is told the length of `buffer`, though not its address. Most options answer the first bytes where the buffer is too short, others
/// fail with EINVAL or ERANGE. A few say how many bytes they would have: that is InvalidData, with the
/// number in the text.
///
/// Lengths are in bytes. The one option that counts in something else, `SO_GET_FILTER`, would write past the buffer, and
/// [is refused](self#what-the-safe-forms-refuse).
///
/// What the buffer held before does not go to the kernel. Afterwards the bytes beyond the answer are zero, and after an error all of them.
/// [The table](self#errors) has the errors.
#[doc = concat!(man_page!("getsockopt", 2))]
#[doc(alias = "getsockopt")]
pub fn get_bytes(
    fd: &(impl AsFd + ?Sized),
    level: c_int,
    name: c_int,
    buffer: &mut [u8],
) -> io::Result<usize> {
    sys::get(fd.as_fd(), level, name, buffer)
}
