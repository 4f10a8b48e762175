//! The words of an fd_set, with the lifetime of the descriptors they stand for.

use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use super::words::{Bits, Words};

/// A set of descriptors that are not negative, all of them open for `'fd`.
///
/// A bit is set only by [`insert`](FdWords::insert), from a `BorrowedFd<'fd>`: what
/// [`iter`](FdWords::iter) gives back rests on that.
#[derive(Clone)]
pub(crate) struct FdWords<'fd> {
    words: Words,
    len: usize,
    fd: PhantomData<BorrowedFd<'fd>>,
}

impl<'fd> FdWords<'fd> {
    pub(crate) const fn new() -> FdWords<'fd> {
        FdWords { words: Words::new(), len: 0, fd: PhantomData }
    }

    /// Whether the descriptor is new; `None` for a negative one, which has no bit.
    #[inline]
    pub(crate) fn insert(&mut self, fd: BorrowedFd<'fd>) -> Option<bool> {
        let new = self.words.insert(bit(fd.as_raw_fd())?);
        self.len += usize::from(new);
        Some(new)
    }

    /// Whether the descriptor was there; `None` for a negative one, which has no bit.
    #[inline]
    pub(crate) fn remove(&mut self, fd: RawFd) -> Option<bool> {
        let there = self.words.remove(bit(fd)?);
        self.len -= usize::from(there);
        Some(there)
    }

    /// `None` for a negative one, which has no bit.
    #[inline]
    pub(crate) fn contains(&self, fd: RawFd) -> Option<bool> {
        Some(self.words.contains(bit(fd)?))
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn highest(&self) -> Option<RawFd> {
        // A bit came from a RawFd, so it goes back into one.
        self.words.highest().and_then(|bit| RawFd::try_from(bit).ok())
    }

    #[inline]
    pub(crate) fn words(&self) -> &Words {
        &self.words
    }

    #[inline]
    pub(crate) fn iter(&self) -> FdBits<'_, 'fd> {
        FdBits { bits: self.words.bits(0, self.len), fd: PhantomData }
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.words.clear();
        self.len = 0;
    }

    /// The memory, for a set of other descriptors.
    #[inline]
    pub(crate) fn into_empty<'other>(mut self) -> FdWords<'other> {
        self.words.clear();
        FdWords { words: self.words, len: 0, fd: PhantomData }
    }
}

#[inline]
fn bit(fd: RawFd) -> Option<usize> {
    usize::try_from(fd).ok()
}

/// The descriptors of an [`FdWords`], in ascending order, from both ends.
#[derive(Clone)]
pub(crate) struct FdBits<'a, 'fd> {
    bits: Bits<'a>,
    fd: PhantomData<BorrowedFd<'fd>>,
}

impl<'fd> FdBits<'_, 'fd> {
    #[inline]
    fn borrow(&self, bit: usize) -> Option<BorrowedFd<'fd>> {
        let number = RawFd::try_from(bit).ok()?;
        // SAFETY: `borrow_raw` asks for a descriptor that stays open for 'fd and is not -1. The bit was set from
        // a BorrowedFd<'fd> (FdWords::insert), and a number made from a usize is not negative.
        Some(unsafe { BorrowedFd::borrow_raw(number) })
    }
}

impl<'fd> Iterator for FdBits<'_, 'fd> {
    type Item = BorrowedFd<'fd>;

    #[inline]
    fn next(&mut self) -> Option<BorrowedFd<'fd>> {
        let bit = self.bits.next()?;
        self.borrow(bit)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.bits.size_hint()
    }
}

impl<'fd> DoubleEndedIterator for FdBits<'_, 'fd> {
    #[inline]
    fn next_back(&mut self) -> Option<BorrowedFd<'fd>> {
        let bit = self.bits.next_back()?;
        self.borrow(bit)
    }
}
