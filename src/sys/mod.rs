//! Every `unsafe` of the crate, one file per family of calls.
//!
//! The rules of this room:
//! - each unsafe block names its duty and says how it is met, in a `// SAFETY:` sentence;
//! - types whose private fields an unsafe block relies on are defined here, so that no other file
//!   can break them;
//! - no safe function here is sound only because of who calls it.
#![allow(unsafe_code)]

pub(crate) mod addr;

use std::ffi::{c_int, c_long};
use std::io;

/// The result of a system call: its value, or the error in `errno` where it is -1.
#[inline]
pub(crate) fn cvt(result: c_int) -> io::Result<c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
