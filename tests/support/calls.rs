//! Which system call a thread is in, and with which arguments: proc(5)'s `syscall`.

use std::ffi::c_long;
use std::{env, fs};

use nix::libc;

/// With 64-bit times, on machines that have another one as well; libc has names for these on one of them only.
const NARROW: bool = cfg!(target_pointer_width = "32");
pub const PPOLL: c_long = if NARROW { 414 } else { libc::SYS_ppoll };
pub const PSELECT: c_long = if NARROW { 413 } else { libc::SYS_pselect6 };

/// Whether the kernel tells, and it is these calls that it tells. False, and said, where it does not, and of an emulator, which makes
/// calls of its own, and of a kernel before 5.1.
pub fn are_told() -> bool {
    let why_not = if super::emulated() {
        "an emulator makes calls of its own"
    } else if env::var_os("READYSOCK_BEFORE_5_1").is_some() {
        "a kernel before 5.1 has others"
    } else if fs::read_to_string("/proc/self/syscall").is_err() {
        "there is no /proc/self/syscall"
    } else {
        return true;
    };
    super::skipped(&format!("the call in which a thread waits: {why_not}"));
    false
}

/// The call and its six arguments; nothing while the thread runs. `thread` is its folder in /proc.
pub fn call_of(thread: &str) -> Option<(c_long, Vec<u64>)> {
    let line = fs::read_to_string(format!("/proc/{thread}/syscall")).expect("its call");
    let mut fields = line.split_whitespace();
    let number = fields.next()?.parse().ok()?; // `running` is none
    let arguments = fields.take(6).map(|field| {
        let digits = field.strip_prefix("0x").expect("a hexadecimal number");
        u64::from_str_radix(digits, 16).expect("a hexadecimal number")
    });
    Some((number, arguments.collect()))
}
