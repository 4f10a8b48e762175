//! Runs a 32-bit program as on Linux before 5.1, which had no system calls with 64-bit times.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::steps::Outcome;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<std::ffi::OsString>,
}

/// AUDIT_ARCH_I386: the i386 way of calling, whatever the kernel is.
const I386: u32 = 0x4000_0003;
/// clock_gettime64, the first of the calls that came with 5.1 and after it.
const FIRST_NEW: u32 = 403;

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    forbid()?;
    let (program, rest) = arguments.command.split_first().ok_or("no program")?;
    let error = Command::new(program).args(rest).exec();
    Err(format!("{}: {error}", program.display()).into())
}

/// From here on this process and its children get ENOSYS for every new call of the i386 kind.
fn forbid() -> io::Result<()> {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
    use libc::{SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO};
    // Where the kernel puts the number of the call and the machine, in struct seccomp_data.
    let load = |offset| statement(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
    let enosys = SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    let mut filter = [
        load(4),
        statement(BPF_JMP | BPF_JEQ | BPF_K, I386, 0, 3),
        load(0),
        statement(BPF_JMP | BPF_JGE | BPF_K, FIRST_NEW, 0, 1),
        statement(BPF_RET | BPF_K, enosys, 0, 0),
        statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: 6, filter: filter.as_mut_ptr() };
    // SAFETY: a number and zeros.
    let mut result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if result == 0 {
        // SAFETY: the program has the six statements it says, and the kernel copies them.
        result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) };
    }
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn statement(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    // The codes of BPF are 16 bits.
    libc::sock_filter { code: u16::try_from(code).unwrap_or(0), jt, jf, k }
}
