//! Every `unsafe` of the crate, one file per family of calls.
//!
//! The rules of this room:
//! - each unsafe block names its duty and says how it is met, in a `// SAFETY:` sentence;
//! - types whose private fields an unsafe block relies on are defined here, so that no other file
//!   can break them;
//! - no safe function here is sound only because of who calls it.
#![allow(unsafe_code)]

pub(crate) mod addr;
pub(crate) mod epoll;
pub(crate) mod fd_set;
pub(crate) mod poll;
pub(crate) mod process;
pub(crate) mod select;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod sockopt;
pub(crate) mod time;
pub(crate) mod words;

use std::ffi::{c_int, c_long};
use std::io;

/// What the kernel takes for the size of a signal set: its own set, not the C library's larger one.
const SIGSET_BYTES: usize = if MIPS { 16 } else { 8 };

// The release 6 of each is a machine of its own to the compiler, and none to the kernel.
const MIPS32: bool = cfg!(any(target_arch = "mips", target_arch = "mips32r6"));
const MIPS64: bool = cfg!(any(target_arch = "mips64", target_arch = "mips64r6"));
const MIPS: bool = if MIPS32 { true } else { MIPS64 };

/// The result of a C library call: its value, or the error in `errno` where it is -1.
#[inline]
pub(crate) fn cvt(result: c_int) -> io::Result<c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The result of a call that counts: what it counted, or the error in `errno` where it is -1.
#[inline]
pub(crate) fn cvt_count(result: c_long) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| last_error())
}

/// Whether a call is not to be had here: the kernel does not know it (ENOSYS), or who runs this program forbids what it does not
/// know itself (EPERM: container runtimes of before 2021). For calls that have no EPERM of their own.
fn is_unknown(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM))
}

#[cold]
#[inline(never)]
fn last_error() -> io::Error {
    io::Error::last_os_error()
}
