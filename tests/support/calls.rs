//! Which system call a thread is in, and with which arguments: proc(5)'s `syscall`.

use std::ffi::c_long;
use std::fs;

use nix::libc;

/// With 64-bit times, on machines that have another one as well; libc has names for these on one of them only.
const NARROW: bool = cfg!(target_pointer_width = "32");
pub const PPOLL: c_long = if NARROW { 414 } else { libc::SYS_ppoll };
pub const PSELECT: c_long = if NARROW { 413 } else { libc::SYS_pselect6 };

/// Whether the kernel tells. False, and said, where it does not, or where it is an emulator's call that it would tell.
pub fn are_told() -> bool {
    let told = !super::emulated() && fs::read_to_string("/proc/self/syscall").is_ok();
    if !told {
        super::skipped("what a thread waits in: no /proc/PID/syscall, or an emulator's own calls");
    }
    told
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
