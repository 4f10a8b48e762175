//! System calls that fail as told, where no limit makes the kernel fail so: another process answers in its place (seccomp_unotify(2)).

use std::io::{self, IoSlice, IoSliceMut, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{mem, ptr};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{self, c_long};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::servers::beside;

/// Calls that share a list, and the errno that each of them gets in its turn. After the list, and where it says
/// `THROUGH`, the kernel does what was asked.
pub type Script = &'static [(&'static [c_long], &'static [i32])];

pub const THROUGH: i32 = 0;

/// What starts a thread, and what a process.
pub const CLONE: &[c_long] = &[libc::SYS_clone, libc::SYS_clone3];

/// Who answers for the kernel. Dropped, it is gone, and the calls fail for good: so hold it to the end.
pub struct Faults(Pid);

impl Drop for Faults {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGKILL);
        let _ = waitpid(self.0, None);
    }
}

/// From here on the calls of this process, which has one thread, and of its later children go by the script. None, and said,
/// where that cannot be done.
pub fn inject(script: Script) -> Option<Faults> {
    inject_while(script, |_| ())
}

/// Ends a process in which calls still fail as told: a sanitizer's search for leaks, at a usual end, forks.
pub fn end() {
    if INJECTED.load(Ordering::Relaxed) {
        let _ = io::stdout().flush();
        // SAFETY: it ends this process, which has nothing to clean up.
        unsafe { libc::_exit(0) }
    }
}

static INJECTED: AtomicBool = AtomicBool::new(false);

/// The same, and before each answer this happens in the process that gives it: the caller waits meanwhile.
pub fn inject_while(script: Script, meanwhile: impl FnMut(c_long)) -> Option<Faults> {
    if super::emulated() {
        super::skipped("system calls that fail as told: the emulator makes calls of its own");
        return None;
    }
    if cfg!(target_arch = "x86") {
        super::skipped(
            "system calls that fail as told: on i386 all calls of sockets have one number",
        );
        return None;
    }
    let (here, there) =
        socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC).unwrap();
    let answering = beside(|| {
        answer(&received(&there), script, meanwhile);
    });
    let faults = Faults(answering);
    match listener(script) {
        Ok(listener) => {
            let fds = [listener.as_raw_fd()];
            let message = [ControlMessage::ScmRights(&fds)];
            let byte = [IoSlice::new(b"x")];
            let flags = MsgFlags::empty();
            assert_eq!(sendmsg::<()>(here.as_raw_fd(), &byte, &message, flags, None), Ok(1));
            INJECTED.store(true, Ordering::Relaxed);
            Some(faults)
        }
        Err(error) => {
            super::skipped(&format!("system calls that fail as told: seccomp: {error}"));
            None
        }
    }
}

/// Puts the filter before this process's calls: the descriptor at which they are asked about.
fn listener(script: Script) -> Result<OwnedFd, Errno> {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
    let statement = |code: u32, k: u32, jf: u8| libc::sock_filter {
        code: u16::try_from(code).unwrap(),
        jt: 0,
        jf,
        k,
    };
    // The number of the call: the first field of struct seccomp_data.
    let mut filter = vec![statement(BPF_LD | BPF_W | BPF_ABS, 0, 0)];
    for call in script.iter().flat_map(|(calls, _)| *calls) {
        filter.push(statement(BPF_JMP | BPF_JEQ | BPF_K, u32::try_from(*call).unwrap(), 1));
        filter.push(statement(BPF_RET | BPF_K, libc::SECCOMP_RET_USER_NOTIF, 0));
    }
    filter.push(statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW, 0));
    let program =
        libc::sock_fprog { len: u16::try_from(filter.len()).unwrap(), filter: filter.as_mut_ptr() };
    // SAFETY: a number and zeros.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
    // SAFETY: the program has as many statements as it says, and the kernel copies them.
    let fd = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) };
    let fd = RawFd::try_from(Errno::result(fd)?).unwrap();
    // SAFETY: the kernel has just made this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn received(there: &OwnedFd) -> OwnedFd {
    let (mut byte, mut space) = ([0], cmsg_space!(RawFd));
    let mut parts = [IoSliceMut::new(&mut byte)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(there.as_raw_fd(), &mut parts, Some(&mut space), flags).unwrap();
    let fds = message.cmsgs().unwrap().find_map(|message| match message {
        ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
        _ => None,
    });
    // SAFETY: the kernel has just made this descriptor for us, and nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(fds.unwrap()) }
}

/// Answers until it is killed, or nobody is left who could ask.
fn answer(listener: &OwnedFd, script: Script, mut meanwhile: impl FnMut(c_long)) {
    let mut lists: Vec<_> =
        script.iter().map(|(calls, errnos)| (*calls, errnos.iter().copied())).collect();
    loop {
        // SAFETY: a struct of numbers, for which zeros are numbers; the kernel wants zeros.
        let mut asked: libc::seccomp_notif = unsafe { mem::zeroed() };
        if control(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, ptr::from_mut(&mut asked).cast())
            .is_err_and(|error| error != Errno::EINTR && error != Errno::ENOENT)
        {
            return;
        }
        let call = c_long::from(asked.data.nr);
        meanwhile(call);
        let list = lists.iter_mut().find(|(calls, _)| calls.contains(&call));
        let errno = list.and_then(|(_, errnos)| errnos.next()).unwrap_or(THROUGH);
        let through = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap();
        let mut answer = libc::seccomp_notif_resp {
            id: asked.id,
            val: 0,
            error: -errno,
            flags: if errno == THROUGH { through } else { 0 },
        };
        // Whoever asked may have been killed meanwhile.
        let _ =
            control(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, ptr::from_mut(&mut answer).cast());
    }
}

fn control(
    listener: &OwnedFd,
    request: libc::Ioctl,
    argument: *mut libc::c_void,
) -> Result<i32, Errno> {
    // SAFETY: the argument is the struct that the request reads and writes.
    Errno::result(unsafe { libc::ioctl(listener.as_raw_fd(), request, argument) })
}
