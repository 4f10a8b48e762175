//! Host byte order and network byte order: `htons`, `ntohs`, `htonl`, `ntohl`, and their 64-bit kin.
//!
//! Network byte order is big-endian: the most significant byte comes first, in memory and on the
//! wire. A *host-order* number is one you can calculate with; a *network-order* number is one whose
//! bytes in memory may be sent as they are, and which you should not calculate with.
//!
//! The name says the direction: **h**ost **to** **n**etwork, **s**hort (16 bits), **l**ong (32 bits;
//! C's `long` was 32 bits wide when these names were made), **l**ong **l**ong (64 bits).
//! On a big-endian machine all six return what they are given; on a little-endian one each swaps
//! the bytes. Both ways the swap undoes itself, so `htons` and `ntohs` compute the same thing: the
//! two names exist to say what you mean.
//!
//! ```
//! use readysock::{htonl, htons, ntohs};
//!
//! // 20000 is 0x4E20. On the wire it is 4E 20 on every machine.
//! assert_eq!(htons(20000).to_ne_bytes(), [0x4E, 0x20]);
//! assert_eq!(htonl(20000).to_ne_bytes(), [0x00, 0x00, 0x4E, 0x20]);
//! assert_eq!(ntohs(htons(20000)), 20000);
//! ```
//!
//! # Which one to use
//!
//! When the value goes into a byte buffer, [`u16::to_be_bytes`] is the better tool: its result is an
//! array, which nobody can mistake for a number. These functions are for the places where the
//! interface itself is an integer in network order: the `sin_port` of a `sockaddr_in`, a
//! [`set_bytes`](crate::sockopt::set_bytes) value, code carried over from C or Python.
//!
//! # Traps
//!
//! - A number converted twice, or not at all, works between two machines of the same kind and fails
//!   between different ones. Port 20000 sent without `htons` by a little-endian host arrives as 8270.
//! - Python's `socket.htons` and `socket.htonl` print another number on a little-endian host
//!   (`socket.htons(20000)` is 8270 there). That number is the point: its bytes are the right ones.
//! - There is no `nthol`: that is a common misspelling of [`ntohl`].
#![doc = concat!(man_page!("byteorder", 3))]

/// `htons(3)`: a 16-bit number, for example a port, from host order to network order.
///
/// ```
/// assert_eq!(readysock::htons(0x0050).to_ne_bytes(), [0x00, 0x50]); // port 80
/// ```
#[doc(alias = "byteorder")]
#[inline]
#[must_use = "the result is the converted number; the argument is unchanged"]
pub const fn htons(host: u16) -> u16 {
    host.to_be()
}

/// `ntohs(3)`: a 16-bit number from network order to host order.
///
/// ```
/// let received = u16::from_ne_bytes([0x00, 0x50]); // two bytes as they lay in the packet
/// assert_eq!(readysock::ntohs(received), 80);
/// ```
#[doc(alias = "byteorder")]
#[inline]
#[must_use = "the result is the converted number; the argument is unchanged"]
pub const fn ntohs(network: u16) -> u16 {
    u16::from_be(network)
}

/// `htonl(3)`: a 32-bit number, for example an IPv4 address, from host order to network order.
///
/// ```
/// let loopback = 0x7F00_0001_u32; // 127.0.0.1
/// assert_eq!(readysock::htonl(loopback).to_ne_bytes(), [127, 0, 0, 1]);
/// ```
#[doc(alias = "byteorder")]
#[inline]
#[must_use = "the result is the converted number; the argument is unchanged"]
pub const fn htonl(host: u32) -> u32 {
    host.to_be()
}

/// `ntohl(3)`: a 32-bit number from network order to host order.
///
/// ```
/// let received = u32::from_ne_bytes([127, 0, 0, 1]);
/// assert_eq!(readysock::ntohl(received), 0x7F00_0001);
/// ```
#[doc(alias = "byteorder")]
#[doc(alias = "nthol")]
#[inline]
#[must_use = "the result is the converted number; the argument is unchanged"]
pub const fn ntohl(network: u32) -> u32 {
    u32::from_be(network)
}

/// A 64-bit number from host order to network order; glibc's name for it is `htobe64`.
///
/// ```
/// assert_eq!(readysock::htonll(1).to_ne_bytes(), [0, 0, 0, 0, 0, 0, 0, 1]);
/// ```
#[doc = concat!(man_page!("endian", 3))]
#[doc(alias = "htobe64")]
#[inline]
#[must_use = "the result is the converted number; the argument is unchanged"]
pub const fn htonll(host: u64) -> u64 {
    host.to_be()
}

/// A 64-bit number from network order to host order; glibc's name for it is `be64toh`.
///
/// ```
/// assert_eq!(readysock::ntohll(readysock::htonll(20000)), 20000);
/// ```
#[doc = concat!(man_page!("endian", 3))]
#[doc(alias = "be64toh")]
#[inline]
#[must_use = "the result is the converted number; the argument is unchanged"]
pub const fn ntohll(network: u64) -> u64 {
    u64::from_be(network)
}
