//! The memory of a socket address: `struct sockaddr_storage`, with its length.

use std::io;

use libc::{sockaddr, socklen_t};

/// The most bytes an address has: `sizeof(struct sockaddr_storage)`.
pub(crate) const CAPACITY: usize = size_of::<libc::sockaddr_storage>();

#[expect(clippy::cast_possible_truncation, reason = "128 fits")]
const CAPACITY_LEN: socklen_t = CAPACITY as socklen_t;

/// An address as the kernel reads and writes it: the family in its first two bytes, then what the family says.
///
/// Bytes, and not a `sockaddr_storage`: they can be built and read field by field without unsafe code.
#[derive(Clone)]
#[repr(C, align(8))]
pub(crate) struct RawAddr {
    bytes: [u8; CAPACITY],
    /// At most `CAPACITY`: the calls that hand out `as_ptr` and `len` rely on it.
    len: socklen_t,
}

impl RawAddr {
    /// An address of no bytes.
    pub(crate) const EMPTY: RawAddr = RawAddr { bytes: [0; CAPACITY], len: 0 };

    /// The parts, one after the other. What is beyond the capacity is left out.
    pub(crate) fn concat(parts: &[&[u8]]) -> RawAddr {
        let mut addr = RawAddr::EMPTY;
        let bytes = parts.iter().copied().flatten();
        for (to, from) in addr.bytes.iter_mut().zip(bytes) {
            *to = *from;
            addr.len += 1;
        }
        addr
    }

    /// Has `call` write an address: it gets memory and its size, and leaves the address and its length.
    ///
    /// The kernel says how long the address is, also when that is more than it wrote.
    pub(super) fn written_by<T>(
        call: impl FnOnce(*mut sockaddr, &mut socklen_t) -> io::Result<T>,
    ) -> io::Result<(T, RawAddr)> {
        let mut addr = RawAddr::EMPTY;
        let mut len = CAPACITY_LEN;
        let value = call(addr.bytes.as_mut_ptr().cast(), &mut len)?;
        addr.len = len.min(CAPACITY_LEN);
        Ok((value, addr))
    }

    /// The memory, of which [`len`](RawAddr::len) bytes may be read.
    pub(super) fn as_ptr(&self) -> *const sockaddr {
        self.bytes.as_ptr().cast()
    }

    pub(super) fn len(&self) -> socklen_t {
        self.len
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        // `len` is at most `CAPACITY`, so none of the two fallbacks is ever taken.
        usize::try_from(self.len).ok().and_then(|len| self.bytes.get(..len)).unwrap_or(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_memory_is_not_believed() {
        let (value, addr) = RawAddr::written_by(|_, len| {
            *len += 72;
            Ok(*len)
        })
        .expect("nothing fails");
        assert_eq!((value, addr.len()), (200, 128));
        assert_eq!(addr.as_bytes().len(), CAPACITY);
    }

    #[test]
    fn what_is_beyond_the_capacity_is_left_out() {
        let addr = RawAddr::concat(&[&[1; 100], &[2; 100]]);
        assert_eq!(addr.as_bytes(), [&[1; 100][..], &[2; 28]].concat());
    }
}
