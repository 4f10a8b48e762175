//! Who is at the other end of a Unix socket.

use std::ffi::c_int;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use super::value::{Decode, exactly, unexpected};
use crate::sys::sockopt as sys;

/// `struct ucred`: a process, its user and its group. The value of [`PeerCred`](super::PeerCred).
///
/// ```
/// use readysock::sockopt::{self, PeerCred};
///
/// let (socket, _peer) = std::os::unix::net::UnixStream::pair()?;
/// let peer = sockopt::get(&socket, PeerCred)?.expect("a Unix peer has credentials");
/// assert_eq!(peer.pid.unsigned_abs(), std::process::id());
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc = concat!(man_page!("unix", 7))]
#[doc(alias = "ucred")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// The process; 0 for one that this process's PID namespace does not show.
    pub pid: i32,
    /// Its effective user; 65534 for one that this user namespace does not map.
    pub uid: u32,
    /// Its effective group; 65534 for one that this user namespace does not map.
    pub gid: u32,
}

/// `struct ucred`. Without a peer that has one the kernel answers pid 0, uid and gid -1, and calls that success.
#[derive(Debug)]
pub(crate) struct Ucred;

impl Decode for Ucred {
    type Value = Option<Credentials>;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Option<Credentials>> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = exactly(fd, level, name)?;
        let pid = i32::from_ne_bytes([a, b, c, d]);
        let uid = u32::from_ne_bytes([e, f, g, h]);
        let gid = u32::from_ne_bytes([i, j, k, l]);
        Ok((uid != u32::MAX).then_some(Credentials { pid, uid, gid }))
    }
}

/// A list of group ids, of any length.
#[derive(Debug)]
pub(crate) struct Groups;

impl Decode for Groups {
    type Value = Vec<u32>;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Vec<u32>> {
        let bytes = sys::get_list(fd, level, name)?;
        let groups = bytes.chunks_exact(4);
        if !groups.remainder().is_empty() {
            return Err(unexpected("the kernel answered part of a group id"));
        }
        Ok(groups.filter_map(|id| id.first_chunk()).map(|id| u32::from_ne_bytes(*id)).collect())
    }
}

/// A descriptor that the call makes.
#[derive(Debug)]
pub(crate) struct Pidfd;

impl Decode for Pidfd {
    type Value = OwnedFd;

    fn decode(fd: BorrowedFd<'_>, _: c_int, _: c_int) -> io::Result<OwnedFd> {
        sys::peer_pidfd(fd)
    }
}
