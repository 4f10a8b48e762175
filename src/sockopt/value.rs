//! What the values of options are, and how each is written to the kernel and read from it.
//!
//! An integer, or a bool, has one form for every option. Another type has a *codec*, which the option's row in the
//! table names: two options may both have a [`Duration`](std::time::Duration), one in seconds, the other in microseconds.
//! The codecs that several options share are in `codec.rs`, those of one type beside that type.

use std::ffi::c_int;
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;

use crate::sys::sockopt as sys;

/// The types that a value read from option `O` may have.
///
/// Sealed. For every option, also one defined outside this crate: `bool`, `u8`, `u16`, `u32`, `u64`, `i32`, `i64`. For the
/// options of this crate, what each of them says.
///
/// An integer has the width of C's type: `i32` or `u32` for an `int`, `u8` for an `unsigned char` (and for any number of IPv4 or
/// IPv6 that fits in one). A narrower one would get the
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
pub(super) fn exactly<const N: usize>(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
) -> io::Result<[u8; N]> {
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

/// The value cannot be written as it is.
pub(super) fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, reason)
}

/// The kernel's answer is no value of the type.
pub(super) fn unexpected(reason: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
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

integers! { u16 u32 u64 i32 i64 }

/// To IPv4 and IPv6 every number is an `int`, also those that are a byte in the header.
fn is_header(level: c_int) -> bool {
    matches!(level, libc::IPPROTO_IP | libc::IPPROTO_IPV6)
}

impl<O: ?Sized> sealed::Get<O> for u8 {
    fn get(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<u8> {
        if !is_header(level) {
            return exactly(fd, level, name).map(u8::from_ne_bytes);
        }
        u8::try_from(get_int(fd, level, name)?)
            .map_err(|_| unexpected("the kernel answered more than a byte: use get_int"))
    }
}

impl<O: ?Sized> sealed::Set<O> for u8 {
    fn set(self, fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<()> {
        if is_header(level) {
            return set_int(fd, level, name, c_int::from(self));
        }
        sys::set_integer(fd, level, name, &self.to_ne_bytes())
    }
}

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
