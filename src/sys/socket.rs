//! The socket calls: what makes, names, connects and uses a socket.
//!
//! Every descriptor made here is close-on-exec, every send is free of SIGPIPE (MSG_NOSIGNAL). No function takes
//! flags of its caller's: MSG_ZEROCOPY, for one, lets the kernel read the buffer after the borrow has ended.

use std::ffi::c_int;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use super::addr::RawAddr;
use super::cvt;
use crate::socket::Socket;

/// The most slices one call takes: UIO_MAXIOV.
const MAX_SLICES: usize = 1024;

/// The result of a call that counts bytes.
#[inline]
fn cvt_size(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

pub(crate) fn socket(domain: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: the call takes numbers only.
    let fd = cvt(unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub(crate) fn socketpair(
    domain: c_int,
    kind: c_int,
    protocol: c_int,
) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds: [RawFd; 2] = [-1; 2];
    // SAFETY: the kernel writes two numbers, and `fds` has room for two.
    cvt(unsafe {
        libc::socketpair(domain, kind | libc::SOCK_CLOEXEC, protocol, fds.as_mut_ptr())
    })?;
    // SAFETY: the call succeeded, so both are descriptors it has just made, and nobody else owns them.
    let [a, b] = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    Ok((a, b))
}

pub(crate) fn bind(fd: BorrowedFd<'_>, addr: &RawAddr) -> io::Result<()> {
    // SAFETY: the kernel reads `len` bytes at `as_ptr`, which RawAddr has.
    cvt(unsafe { libc::bind(fd.as_raw_fd(), addr.as_ptr(), addr.len()) }).map(drop)
}

pub(crate) fn connect(fd: BorrowedFd<'_>, addr: &RawAddr) -> io::Result<()> {
    // SAFETY: the kernel reads `len` bytes at `as_ptr`, which RawAddr has.
    cvt(unsafe { libc::connect(fd.as_raw_fd(), addr.as_ptr(), addr.len()) }).map(drop)
}

pub(crate) fn listen(fd: BorrowedFd<'_>, backlog: c_int) -> io::Result<()> {
    // SAFETY: the call takes numbers only.
    cvt(unsafe { libc::listen(fd.as_raw_fd(), backlog) }).map(drop)
}

/// accept4(2) with SOCK_CLOEXEC and, where asked, SOCK_NONBLOCK.
pub(crate) fn accept(fd: BorrowedFd<'_>, nonblocking: bool) -> io::Result<(OwnedFd, RawAddr)> {
    let flags = libc::SOCK_CLOEXEC | if nonblocking { libc::SOCK_NONBLOCK } else { 0 };
    RawAddr::written_by(|addr, len| {
        // SAFETY: the kernel writes at most `len` bytes at `addr`, which has as many, and then `len`.
        let fd = cvt(unsafe { libc::accept4(fd.as_raw_fd(), addr, len, flags) })?;
        // SAFETY: the kernel has just made this descriptor, and nobody else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    })
}

pub(crate) fn getsockname(fd: BorrowedFd<'_>) -> io::Result<RawAddr> {
    let ((), addr) = RawAddr::written_by(|addr, len| {
        // SAFETY: the kernel writes at most `len` bytes at `addr`, which has as many, and then `len`.
        cvt(unsafe { libc::getsockname(fd.as_raw_fd(), addr, len) }).map(drop)
    })?;
    Ok(addr)
}

pub(crate) fn getpeername(fd: BorrowedFd<'_>) -> io::Result<RawAddr> {
    let ((), addr) = RawAddr::written_by(|addr, len| {
        // SAFETY: the kernel writes at most `len` bytes at `addr`, which has as many, and then `len`.
        cvt(unsafe { libc::getpeername(fd.as_raw_fd(), addr, len) }).map(drop)
    })?;
    Ok(addr)
}

pub(crate) fn shutdown(fd: BorrowedFd<'_>, how: c_int) -> io::Result<()> {
    // SAFETY: the call takes numbers only.
    cvt(unsafe { libc::shutdown(fd.as_raw_fd(), how) }).map(drop)
}

#[inline]
pub(crate) fn send(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let (data, len) = (bytes.as_ptr().cast(), bytes.len());
    // SAFETY: the kernel reads `len` bytes at `data`, which is the slice, and is done with them when it returns.
    cvt_size(unsafe { libc::send(fd.as_raw_fd(), data, len, libc::MSG_NOSIGNAL) })
}

/// send(2) that does not wait, whatever the socket's mode.
#[inline]
pub(crate) fn send_now(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let (data, len) = (bytes.as_ptr().cast(), bytes.len());
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: the kernel reads `len` bytes at `data`, which is the slice, and is done with them when it returns.
    cvt_size(unsafe { libc::send(fd.as_raw_fd(), data, len, flags) })
}

pub(crate) fn send_to(fd: BorrowedFd<'_>, bytes: &[u8], addr: &RawAddr) -> io::Result<usize> {
    let (data, len) = (bytes.as_ptr().cast(), bytes.len());
    let (name, name_len) = (addr.as_ptr(), addr.len());
    // SAFETY: the kernel reads `len` bytes at `data`, which is the slice, and `name_len` bytes at `name`, which
    // RawAddr has; it is done with both when it returns.
    cvt_size(unsafe { libc::sendto(fd.as_raw_fd(), data, len, libc::MSG_NOSIGNAL, name, name_len) })
}

/// sendmsg(2) with the bytes of all slices, or of the first 1024.
pub(crate) fn send_vectored(fd: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    // The kernel only reads through the pointer: its C type has no const.
    let message = message(slices.as_ptr().cast::<libc::iovec>().cast_mut(), slices.len());
    // SAFETY: the kernel reads `message`, as many iovecs as it says, and the bytes they name. An IoSlice is an iovec over
    // borrowed bytes; name and control data are null with length 0. It is done with all of it when it returns.
    cvt_size(unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) })
}

#[inline]
pub(crate) fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let (data, len) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the kernel writes at most `len` bytes at `data`, which is the slice. (Without MSG_TRUNC it
    // returns no more than it wrote.)
    cvt_size(unsafe { libc::recv(fd.as_raw_fd(), data, len, 0) })
}

/// recv(2) that does not wait, whatever the socket's mode.
#[inline]
pub(crate) fn recv_now(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let (data, len) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the kernel writes at most `len` bytes at `data`, which is the slice.
    cvt_size(unsafe { libc::recv(fd.as_raw_fd(), data, len, libc::MSG_DONTWAIT) })
}

const PEEK: c_int = libc::MSG_PEEK | libc::MSG_DONTWAIT;

/// recv(2) that leaves what it has read where it was, and does not wait.
#[cold]
pub(crate) fn peek(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let (data, len) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the kernel writes at most `len` bytes at `data`, which is the slice.
    cvt_size(unsafe { libc::recv(fd.as_raw_fd(), data, len, PEEK) })
}

/// Throws away some messages of the queue of errors, which are no errors of a call: timestamps, say. Does not wait.
///
/// For sockets of the Internet: to others the flag means nothing, and it would be a read of nothing, or of a message.
#[cold]
pub(crate) fn drop_queued_errors(fd: BorrowedFd<'_>) {
    let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
    for _ in 0..64 {
        // SAFETY: the kernel writes nothing: there is room for no byte.
        if unsafe { libc::recv(fd.as_raw_fd(), ptr::null_mut(), 0, flags) } < 0 {
            return;
        }
    }
}

/// recvmsg(2) into all slices, or into the first 1024.
pub(crate) fn recv_vectored(
    fd: BorrowedFd<'_>,
    slices: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    let mut message = message(slices.as_mut_ptr().cast(), slices.len());
    // SAFETY: the kernel reads `message`, as many iovecs as it says, and writes the bytes they name and the out
    // fields of `message`. An IoSliceMut is an iovec over bytes borrowed mutably; name and control data are null with
    // length 0, so it passes us no descriptors.
    cvt_size(unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, 0) })
}

/// recvmsg(2): the length, whether the message was cut to fit, and the sender.
pub(crate) fn recv_from(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, bool, RawAddr)> {
    let mut slices = [IoSliceMut::new(buffer)];
    let mut message = message(slices.as_mut_ptr().cast(), slices.len());
    let (len, addr) = RawAddr::written_by(|addr, len| {
        message.msg_name = addr.cast();
        message.msg_namelen = *len;
        // SAFETY: the kernel reads `message` and one iovec, an IoSliceMut over `buffer`; it writes at most `msg_namelen`
        // bytes at `msg_name`, which has as many, and the out fields of `message`. Control data is null with
        // length 0, so it passes us no descriptors.
        let received = cvt_size(unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, 0) })?;
        *len = message.msg_namelen;
        Ok(received)
    })?;
    Ok((len, message.msg_flags & libc::MSG_TRUNC != 0, addr))
}

/// A msghdr of these slices, without name and control data.
fn message(slices: *mut libc::iovec, count: usize) -> libc::msghdr {
    // SAFETY: msghdr is C data of integers and pointers, for all of which zero is a value. (Zeroed and not a
    // literal: with musl it has padding fields that cannot be named.)
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_name = ptr::null_mut();
    message.msg_iov = slices;
    // A size_t with glibc, an int with musl; up to 1024 is either.
    #[allow(clippy::unnecessary_fallible_conversions, clippy::useless_conversion)]
    let count = count.min(MAX_SLICES).try_into().unwrap_or(0);
    message.msg_iovlen = count;
    message
}

impl FromRawFd for Socket {
    /// # Safety
    ///
    /// `fd` is open, and nobody else owns it.
    unsafe fn from_raw_fd(fd: RawFd) -> Socket {
        // SAFETY: the caller promises what OwnedFd asks for.
        Socket::from(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn what_does_not_wait_counts_or_says_that_it_would_wait() {
        let (near, far) = socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0).expect("a pair");
        let mut buffer = [0; 8];
        let waits = recv_now(far.as_fd(), &mut buffer).expect_err("nothing is there");
        assert_eq!(waits.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(send_now(near.as_fd(), b"abc").expect("sent"), 3);
        assert_eq!(
            (recv_now(far.as_fd(), &mut buffer).expect("received"), &buffer[..3]),
            (3, &b"abc"[..])
        );
        let waits = loop {
            match send_now(near.as_fd(), &[0; 65_536]) {
                Ok(sent) => assert!(sent > 0),
                Err(error) => break error,
            }
        };
        assert_eq!(waits.kind(), io::ErrorKind::WouldBlock);
        drop(far);
        let gone = send_now(near.as_fd(), b"x").expect_err("nobody reads");
        assert_eq!(gone.kind(), io::ErrorKind::BrokenPipe);
    }
}
