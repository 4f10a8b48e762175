//! getsockopt(2) and setsockopt(2): one gate for reading, one for writing; every typed, integer and
//! byte form passes through them.
//!
//! # Why reading is safe at every level, for every name
//!
//! A caller may name any of several hundred options of some forty protocols, known here or not. What the
//! kernel's handlers do with the buffer was read in the source of Linux 6.1 (every `getsockopt`
//! of `net/`, netfilter included), and for what came later and went earlier (TCP_AO, MPTCP_FULL_INFO,
//! IrDA) beside it:
//!
//! 1. Most write at most the length they are told.
//! 2. Some write a number, a name or a struct of their own whatever they are told: 4 bytes (Bluetooth, Phonet,
//!    NFC, IrDA), 8 (ATM's SO_SETCLP), a device's name (AX.25's SO_BINDTODEVICE), a struct (ATM's
//!    SO_ATMQOS under another level, 88 bytes); SCTP_PEER_AUTH_CHUNKS writes up to 8 bytes past a
//!    buffer of any length.
//! 3. Some read the buffer first: as the question (an id, a name, a count of the array that follows), as a
//!    pointer to write through (TCP_ZEROCOPY_RECEIVE, MPTCP_FULL_INFO, ebtables), or as addresses to
//!    connect to (SCTP_SOCKOPT_CONNECTX3). A few read more than they are told (ebtables: 120 bytes).
//! 4. One is told its length in another unit: SO_GET_FILTER, in instructions of 8 bytes.
//! 5. Three make a descriptor: SO_PEERPIDFD, and SCTP's PEELOFF and PEELOFF_FLAGS. The first has a door of its
//!    own, [`peer_pidfd`], which owns what comes through it.
//!
//! So the kernel never sees the caller's memory. It sees a [`scratch`] of zeros, whose first bytes
//! are said to be the buffer; [`SLACK`] more lie behind them. The slack takes what (2) writes too much, and
//! answers what (3) reads too much. To (3) zeros are a count of 0, a null pointer, an
//! empty name and association 0, and with those each handler writes nothing or fails (PEELOFF with
//! EINVAL: association 0 is none that can be peeled off). (4) and SO_PEERPIDFD are refused.
//!
//! # Why writing an integer is safe at every level, for every name
//!
//! An option whose value is 8 bytes or fewer has no room for a pointer and its length on a 64-bit
//! machine; on a 32-bit one `struct sock_fprog` has, and that is what the three classic filter options
//! take. What is left are numbers that are descriptors: eBPF programs. All of those are refused.
//! Handlers that read more than they are told (older netfilter) read zeros from the slack.

use std::ffi::c_int;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::socklen_t;

use super::cvt;

/// What lies behind the buffer that the kernel is told of: four times what any handler was seen to touch there.
const SLACK: usize = 512;

/// Values up to this size need no heap: all of them but lists.
const SMALL: usize = 512;

/// The widest integer; [`set_integer`] takes no more.
const INTEGER: usize = 8;

/// Since Linux 6.5, and later than the oldest libc crate this one accepts.
pub(crate) const SO_PEERPIDFD: c_int =
    if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) { 0x56 } else { 77 };

/// Room on the stack for a small value and its slack.
const STACK: usize = SMALL + SLACK;

/// The memory that the kernel works on: `length` zeros for the value, and at least [`SLACK`] behind them.
///
/// Fails, rather than aborts, where there is no memory for a long list.
#[inline]
fn scratch<'a>(
    length: usize,
    stack: &'a mut [u8; STACK],
    heap: &'a mut Vec<u8>,
) -> io::Result<&'a mut [u8]> {
    if length <= SMALL {
        return Ok(stack);
    }
    let size = length.checked_add(SLACK).ok_or(ErrorKind::OutOfMemory)?;
    heap.try_reserve_exact(size).map_err(|_| ErrorKind::OutOfMemory)?;
    heap.resize(size, 0);
    Ok(heap)
}

fn refused(reason: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, reason)
}

/// A length as the kernel takes it: it reads the number as an int.
#[inline]
fn told(length: usize) -> io::Result<socklen_t> {
    c_int::try_from(length).ok().and_then(|length| socklen_t::try_from(length).ok()).ok_or_else(
        || refused("an option's value has at most 2147483647 bytes: use a shorter buffer"),
    )
}

/// What must not be read through a plain buffer; the module's documentation says why.
#[inline]
fn check_get(level: c_int, name: c_int) -> io::Result<()> {
    match (level, name) {
        (libc::SOL_SOCKET, libc::SO_GET_FILTER) => Err(refused(
            "SO_GET_FILTER counts instructions, not bytes, and would be written past the buffer: use libc::getsockopt",
        )),
        (libc::SOL_SOCKET, SO_PEERPIDFD) => Err(refused(
            "SO_PEERPIDFD makes a new descriptor, which a plain number would leak: use sockopt::PeerPidfd, which owns it",
        )),
        _ => Ok(()),
    }
}

/// What must not be written as a plain integer; the module's documentation says why.
#[inline]
fn check_set(level: c_int, name: c_int) -> io::Result<()> {
    match (level, name) {
        (
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER
            | libc::SO_ATTACH_BPF
            | libc::SO_ATTACH_REUSEPORT_CBPF
            | libc::SO_ATTACH_REUSEPORT_EBPF,
        )
        | (libc::SOL_PACKET, libc::PACKET_FANOUT_DATA) => {
            Err(refused("a filter is a descriptor or a pointer, not an integer: use set_bytes"))
        }
        _ => Ok(()),
    }
}

/// Options whose value is plain data (no pointer, no length of something else, no descriptor) though it is
/// more than an integer. The typed options that write a struct or a name are listed here.
fn is_plain(level: c_int, name: c_int) -> bool {
    matches!(
        (level, name),
        (
            libc::SOL_SOCKET,
            libc::SO_LINGER | libc::SO_RCVTIMEO | libc::SO_SNDTIMEO | libc::SO_BINDTODEVICE
        ) | (libc::IPPROTO_TCP, libc::TCP_CONGESTION | libc::TCP_ULP)
            | (
                libc::IPPROTO_IP,
                libc::IP_ADD_MEMBERSHIP
                    | libc::IP_DROP_MEMBERSHIP
                    | libc::IP_ADD_SOURCE_MEMBERSHIP
                    | libc::IP_DROP_SOURCE_MEMBERSHIP
            )
            | (libc::IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP | libc::IPV6_DROP_MEMBERSHIP)
    )
}

/// getsockopt(2), the one of this crate: tells the kernel of the first `length` bytes of `memory`, and keeps in `length`
/// what the kernel made of it, after an error too.
///
/// # Safety
///
/// `memory` is zeros, [`SLACK`] longer than `length`; the option is none of those that [`check_get`] refuses, or the caller
/// owns what it makes.
#[inline]
unsafe fn getsockopt(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    memory: &mut [u8],
    length: &mut socklen_t,
) -> io::Result<()> {
    // SAFETY: the kernel may touch more than it is told; `memory` is ours, and by the caller's duty long enough and zero, which
    // by the analysis at the head of this file covers every option; `length` is an initialised socklen_t.
    cvt(unsafe {
        libc::getsockopt(fd.as_raw_fd(), level, name, memory.as_mut_ptr().cast(), length)
    })?;
    Ok(())
}

/// The bytes of an answer; more than there was room for is an error.
#[inline]
fn answer(memory: &[u8], length: socklen_t, room: usize) -> io::Result<&[u8]> {
    usize::try_from(length)
        .ok()
        .filter(|n| *n <= room)
        .and_then(|n| memory.get(..n))
        .ok_or_else(|| too_long(length, room))
}

#[cold]
fn too_long(length: socklen_t, room: usize) -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        format!("the option has {length} bytes, the buffer {room}: use a longer buffer"),
    )
}

/// getsockopt(2): the value's first bytes are `value[..n]`, the rest of `value` is zero.
///
/// On an error all of `value` is zero.
pub(crate) fn get(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &mut [u8],
) -> io::Result<usize> {
    value.fill(0);
    check_get(level, name)?;
    let mut length = told(value.len())?;
    let (mut stack, mut heap) = ([0; STACK], Vec::new());
    let memory = scratch(value.len(), &mut stack, &mut heap)?;
    // SAFETY: `scratch` gives zeros and SLACK; the option was checked.
    unsafe { getsockopt(fd, level, name, memory, &mut length) }?;
    let answer = answer(memory, length, value.len())?;
    value[..answer.len()].copy_from_slice(answer);
    Ok(answer.len())
}

/// getsockopt(2) for a list of any length, as SO_PEERGROUPS has: the kernel answers ERANGE and the length it needs.
pub(crate) fn get_list(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Vec<u8>> {
    check_get(level, name)?;
    let mut room = SMALL;
    // It could change between two calls, though not for ever.
    for _ in 0..8 {
        let mut length = told(room)?;
        let (mut stack, mut heap) = ([0; STACK], Vec::new());
        let memory = scratch(room, &mut stack, &mut heap)?;
        // SAFETY: `scratch` gives zeros and SLACK; the option was checked.
        let result = unsafe { getsockopt(fd, level, name, memory, &mut length) };
        match (result, usize::try_from(length)) {
            (Ok(()), _) => return answer(memory, length, room).map(<[u8]>::to_vec),
            (Err(error), Ok(needed))
                if error.raw_os_error() == Some(libc::ERANGE) && needed > room =>
            {
                room = needed;
            }
            (Err(error), _) => return Err(error),
        }
    }
    Err(io::Error::new(ErrorKind::InvalidData, "the list grew with every call: try again"))
}

/// getsockopt(2) with SO_PEERPIDFD: a descriptor of the peer's process, made by this call. It is close-on-exec.
pub(crate) fn peer_pidfd(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut length = told(size_of::<c_int>())?;
    let mut memory = [0; STACK];
    // SAFETY: zeros, and more than 4 and SLACK of them; what it makes is owned below.
    unsafe { getsockopt(fd, libc::SOL_SOCKET, SO_PEERPIDFD, &mut memory, &mut length) }?;
    let number = answer(&memory, length, size_of::<c_int>())?.first_chunk().copied();
    match number.map(c_int::from_ne_bytes) {
        // SAFETY: the kernel has made this descriptor for this call; nothing else owns it.
        Some(number) if number >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(number) }),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "the option answered no descriptor")),
    }
}

/// setsockopt(2) for an integer of up to 8 bytes.
pub(crate) fn set_integer(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &[u8],
) -> io::Result<()> {
    if value.len() > INTEGER {
        return Err(refused("an integer option has at most 8 bytes: use set_bytes"));
    }
    check_set(level, name)?;
    // SAFETY: 8 bytes or fewer, and not one of the options to which so few are a pointer or a descriptor.
    unsafe { set_padded(fd, level, name, value) }
}

/// setsockopt(2) for the structs and names of the typed options.
pub(crate) fn set_plain(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &[u8],
) -> io::Result<()> {
    if !is_plain(level, name) {
        return Err(refused("not known as an option of plain data: use set_bytes"));
    }
    // SAFETY: to the options of `is_plain` every byte is plain data.
    unsafe { set_padded(fd, level, name, value) }
}

/// setsockopt(2) on a copy of the value that has [`SLACK`] zeros behind it.
///
/// # Safety
///
/// To this option the bytes of `value` are plain data: whatever they are, it is sound to write them.
unsafe fn set_padded(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &[u8],
) -> io::Result<()> {
    let (mut stack, mut heap) = ([0; STACK], Vec::new());
    let copy = scratch(value.len(), &mut stack, &mut heap)?;
    copy[..value.len()].copy_from_slice(value);
    // SAFETY: `copy` is `value.len()` bytes of plain data, by the caller's duty, and zeros behind them.
    unsafe { setsockopt(fd, level, name, copy, told(value.len())?) }
}

/// setsockopt(2), the one of this crate: tells the kernel of the first `length` bytes of `memory`.
///
/// # Safety
///
/// `memory` has `length` bytes, and what they mean to the option is valid: see [`set_bytes`].
unsafe fn setsockopt(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    memory: &[u8],
    length: socklen_t,
) -> io::Result<()> {
    // SAFETY: `length` bytes at this pointer are ours to read; the rest is the caller's duty.
    cvt(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, memory.as_ptr().cast(), length) })?;
    Ok(())
}

/// `setsockopt(fd, level, name, value, sizeof value)`: writes the bytes of any option.
///
/// The way out for options that have no type here: structs, filters, whatever a new kernel brings. Where a typed
/// option or [`set_int`](crate::sockopt::set_int) will do, prefer it: those are safe.
///
/// ```
/// use readysock::{libc, sockopt};
/// use std::net::UdpSocket;
///
/// let socket = UdpSocket::bind("127.0.0.1:0")?;
/// let one = 1_i32.to_ne_bytes();
/// // SAFETY: to IP_RECVTOS the bytes are an int, and an int is plain data.
/// unsafe { sockopt::set_bytes(&socket, libc::IPPROTO_IP, libc::IP_RECVTOS, &one) }?;
/// assert_eq!(sockopt::get_int(&socket, libc::IPPROTO_IP, libc::IP_RECVTOS)?, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Safety
///
/// To this option `value` must be valid as what the kernel takes it for: pointers in it point to memory
/// that the kernel may use in that way, lengths in it are those of that memory, and descriptors in it are
/// open and the caller's to use.
///
/// # Errors
///
/// The kernel's: EBADF, ENOTSOCK, EINVAL (mostly: the length), ENOPROTOOPT (level or name unknown to this
/// socket), EPERM. InvalidInput for more than 2147483647 bytes.
#[doc = concat!(man_page!("setsockopt", 2))]
#[doc(alias = "setsockopt")]
pub unsafe fn set_bytes(
    fd: &(impl AsFd + ?Sized),
    level: c_int,
    name: c_int,
    value: &[u8],
) -> io::Result<()> {
    // SAFETY: the length is that of `value`; what the bytes mean to the option is the caller's duty.
    unsafe { setsockopt(fd.as_fd(), level, name, value, told(value.len())?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_is_zeros_with_slack_behind() {
        for length in [0, 1, SMALL, SMALL + 1, 100_000] {
            let (mut stack, mut heap) = ([0; STACK], Vec::new());
            let bytes = scratch(length, &mut stack, &mut heap).unwrap();
            assert!(bytes.len() >= length + SLACK);
            assert!(bytes.iter().all(|byte| *byte == 0));
            assert_eq!(heap.is_empty(), length <= SMALL, "no heap for a small value");
        }
        let (mut stack, mut heap) = ([0; STACK], Vec::new());
        for length in [usize::MAX, isize::MAX.unsigned_abs()] {
            let error = scratch(length, &mut stack, &mut heap).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        }
    }

    #[test]
    fn lengths_are_ints() {
        assert_eq!(told(0).unwrap(), 0);
        assert_eq!(told(0x7fff_ffff).unwrap(), 0x7fff_ffff);
        assert_eq!(told(0x8000_0000).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn only_plain_data_is_plain() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let refused = |error: io::Error| error.to_string().contains("set_bytes");
        let filter = set_plain(socket.as_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &[0; 16]);
        assert!(refused(filter.unwrap_err()));
        let wide = set_integer(socket.as_fd(), libc::SOL_SOCKET, libc::SO_LINGER, &[0; 9]);
        assert!(refused(wide.unwrap_err()));
    }
}
