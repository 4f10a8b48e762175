//! select(2): the call.

use std::ffi::{c_int, c_long, c_void};
use std::io;
use std::ptr;

use super::time::{SYS_PSELECT6_TIME64, Timespec, with_timespec};
use super::words::{WORD_BITS, Word};
use super::{SIGSET_BYTES, cvt_count};

/// The sixth argument of pselect6: there is no room for a seventh.
#[repr(C)]
struct Mask {
    set: *const libc::sigset_t,
    bytes: usize,
}

/// One pselect6(2) call. It looks at the descriptors below `nfds` and writes its answer over `sets`
/// (read, write, except; `None` for an empty one), and the time that is left into `timeout`.
///
/// The raw call, not the C library's: that one hides the time left.
#[inline]
pub(crate) fn pselect(
    nfds: c_int,
    mut sets: [Option<&mut [Word]>; 3],
    timeout: Option<&mut Timespec>,
    mask: Option<&libc::sigset_t>,
) -> io::Result<usize> {
    // The duty of this file: the kernel writes up to nfds into each set, however long it is.
    let words = usize::try_from(nfds).unwrap_or(0).div_ceil(WORD_BITS);
    if sets.iter().flatten().any(|set| set.len() < words) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a set is shorter than nfds"));
    }
    let [read, write, except] =
        sets.each_mut().map(|set| set.as_mut().map_or(ptr::null_mut(), |set| set.as_mut_ptr()));
    let mask = mask.map(|set| Mask { set, bytes: SIGSET_BYTES });
    let mask = mask.as_ref().map_or(ptr::null(), ptr::from_ref);
    let call = |number: c_long, timeout: *mut c_void| {
        // SAFETY: each set is null or, as checked above, covers `nfds` descriptors in whole words, which is what the
        // kernel reads and writes, and it is borrowed for the length of the call; `mask` is null or points to the size
        // and the address of a set that is at least that long; `timeout` is null or what this number takes (with_timespec).
        cvt_count(unsafe { libc::syscall(number, nfds, read, write, except, timeout, mask) })
    };
    // SAFETY: `call` hands the pointer to pselect6 and to nothing else, under the number that goes with it.
    unsafe { with_timespec(libc::SYS_pselect6, SYS_PSELECT6_TIME64, timeout, call) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody in this crate passes such a set; this file does not rely on that.
    #[test]
    fn a_set_that_does_not_cover_nfds_is_refused() {
        let bits = c_int::try_from(WORD_BITS).expect("small");
        let zero = || Some(Timespec::new(std::time::Duration::ZERO));
        for place in 0..3 {
            let mut word = [0; 1];
            let mut sets = [None, None, None];
            sets[place] = Some(&mut word[..]);
            let error = pselect(bits + 1, sets, zero().as_mut(), None).expect_err("too short");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "set {place}");

            let mut sets = [None, None, None];
            sets[place] = Some(&mut word[..]);
            assert_eq!(pselect(bits, sets, zero().as_mut(), None).expect("long enough"), 0);
        }
    }
}
