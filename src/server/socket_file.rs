//! The file of a Unix server: its own one is removed with it, a stale one on request, another's never.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::addr::{Addr, Type};
use crate::socket::Socket;

/// The file that bind made. Removed on drop, unless another has taken its place: the socket, which outlives this, holds the
/// file, so its number is nobody else's.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

type Identity = (u64, u64);

impl SocketFile {
    pub(super) fn of(path: PathBuf) -> io::Result<SocketFile> {
        let identity = identity(&fs::symlink_metadata(&path)?);
        Ok(SocketFile { path, identity })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|now| identity(&now) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(data: &fs::Metadata) -> Identity {
    (data.dev(), data.ino())
}

/// Removes a socket that nobody answers at. `in_use` is what bind said, and what it is told otherwise.
///
/// The file is held before the question, so that its number cannot become another's, and removed at once when the path still is that file:
/// what remains is the time between two system calls, for Linux cannot remove a file by its number. And who has bound it and does not
/// listen yet looks like one who has gone: to bind elsewhere, listen and rename would help, but the socket would not know its name then.
pub(super) fn remove_stale(
    path: &Path,
    addr: &Addr,
    kind: Type,
    in_use: io::Error,
) -> io::Result<()> {
    let flags = libc::O_PATH | libc::O_NOFOLLOW;
    let held = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let before = held.metadata()?;
    if !before.file_type().is_socket() {
        let text = format!("{} is there and is no socket: it is not replaced", path.display());
        return Err(io::Error::new(ErrorKind::AddrInUse, text));
    }
    if somebody_answers(addr, kind)? {
        return Err(in_use);
    }
    let after = fs::symlink_metadata(path)?;
    if identity(&after) != identity(&before) {
        return Err(in_use);
    }
    fs::remove_file(path)
}

fn somebody_answers(addr: &Addr, kind: Type) -> io::Result<bool> {
    let probe = Socket::new(addr.domain(), kind, None)?;
    // A server whose queue is full answers too, with EAGAIN; one of another type with EPROTOTYPE.
    probe.set_nonblocking(true)?;
    match probe.connect(addr) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(false),
        _ => Ok(true),
    }
}
