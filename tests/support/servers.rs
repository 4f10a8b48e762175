//! Servers to test: served while something runs, and the clients that come to them.

use std::fs;
use std::io::Read;
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};

use readysock::server::{Handler, Server, ShutdownHandle, Transport, Works};
use readysock::sockopt::{self, RcvTimeo, SndTimeo};
use readysock::{Addr, Socket, Type};

use super::sockets::LONG;

pub const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// A client, whose reads and writes fail where a server leaves it alone.
#[track_caller]
pub fn connect(addr: &Addr) -> Socket {
    let socket = Socket::new(addr.domain(), Type::STREAM, None).unwrap();
    sockopt::set(&socket, RcvTimeo, Some(LONG)).unwrap();
    sockopt::set(&socket, SndTimeo, Some(LONG)).unwrap();
    socket.connect(addr).unwrap();
    socket
}

#[track_caller]
pub fn read_all(mut socket: &Socket) -> Vec<u8> {
    let mut all = Vec::new();
    socket.read_to_end(&mut all).unwrap();
    all
}

/// Serves in a thread while `during` runs, and then tells it to end.
pub fn while_serving<T, H, W, O>(
    mut server: Server<T, H, W>,
    during: impl FnOnce(&Addr, &ShutdownHandle) -> O,
) -> O
where
    T: Transport,
    H: Handler<T::Request>,
    W: Works<T::Request, H>,
    Server<T, H, W>: Send,
{
    // Should it hang: these run in one process with other tests, and none of them has a limit.
    super::isolated::end_soon();
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    thread::scope(|scope| {
        let serves = scope.spawn(move || server.serve_forever().unwrap());
        // Also when `during` fails, or the test would hang instead.
        let end = End(&handle);
        let out = during(&addr, &handle);
        drop(end);
        serves.join().unwrap();
        out
    })
}

struct End<'a>(&'a ShutdownHandle);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.shutdown();
    }
}

/// A folder of the test's own, removed with what is in it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("rs-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A path in it of so many bytes.
    pub fn path_of(&self, len: usize) -> PathBuf {
        let base = self.0.as_os_str().len() + 1;
        self.path(&"x".repeat(len.checked_sub(base).expect("a shorter name of the folder")))
    }

    pub fn is_empty(&self) -> bool {
        fs::read_dir(&self.0).unwrap().next().is_none()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs `other` in a child of this process, which has one thread (see `isolated`), and does not outlive it. Status 0 if it comes
/// to its end.
pub fn beside(other: impl FnOnce()) -> Pid {
    let parent = getpid();
    // SAFETY: the process of a case has one thread, until the case starts another.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => ends_with(parent, other),
    }
}

/// The whole life of a child. Where it fails, so does its parent.
pub fn ends_with(parent: Pid, work: impl FnOnce()) -> ! {
    // Where its parent fails, it would wait for somebody who is gone. He may be by now.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).unwrap();
    let well = getppid() == parent && catch_unwind(AssertUnwindSafe(work)).is_ok();
    if !well && getppid() == parent {
        // It would serve for ever.
        let _ = kill(getppid(), Signal::SIGTERM);
    }
    // SAFETY: it ends this process and touches nothing.
    unsafe { libc::_exit(i32::from(!well)) }
}

#[track_caller]
pub fn ended_well(child: Pid) {
    assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
}

/// Whether this process has no child, neither running nor waiting to be waited for.
pub fn childless() -> bool {
    matches!(waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)), Err(Errno::ECHILD))
}

/// A case in each way of working, by its TCP builder.
#[macro_export]
macro_rules! in_each_way {
    ($case:ident) => {
        [
            || $case(TcpServer::builder().in_turn()),
            || $case(TcpServer::builder().threads(4)),
            || $case(TcpServer::builder().processes(4)),
        ]
    };
}
