//! The bits of an fd_set: words of the C type `long`, as the kernel reads them.

use std::ffi::c_ulong;
use std::iter::Enumerate;
use std::slice;

/// The kernel's word: bit b of word w stands for descriptor `w * WORD_BITS + b`.
pub(crate) type Word = c_ulong;
pub(crate) const WORD_BITS: usize = Word::BITS as usize;

/// C's fd_set ends here (FD_SETSIZE is 1024); ours goes over to the heap.
const INLINE: usize = 1024 / WORD_BITS;

/// A growing row of words: `used` of them count, and what lies beyond is leftovers.
#[derive(Clone)]
pub(crate) struct Words {
    inline: [Word; INLINE],
    /// Empty until the row is longer than `INLINE`; from then on all of the row is here.
    heap: Vec<Word>,
    used: usize,
}

impl Words {
    pub(crate) const fn new() -> Words {
        Words { inline: [0; INLINE], heap: Vec::new(), used: 0 }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[Word] {
        let all = if self.heap.is_empty() { &self.inline[..] } else { &self.heap[..] };
        &all[..self.used.min(all.len())]
    }

    #[inline]
    pub(crate) fn as_mut_slice(&mut self) -> &mut [Word] {
        let all = if self.heap.is_empty() { &mut self.inline[..] } else { &mut self.heap[..] };
        let used = self.used.min(all.len());
        &mut all[..used]
    }

    /// Forgets all bits, keeps the memory.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }

    /// Makes the row `used` words long; new words are zero.
    fn grow(&mut self, used: usize) {
        let before = self.used;
        self.reserve(used);
        self.used = used;
        self.as_mut_slice()[before..].fill(0);
    }

    /// Makes room for `used` words. What is there already stays.
    #[inline]
    fn reserve(&mut self, used: usize) {
        if used > INLINE && used > self.heap.len() {
            self.move_to_heap(used);
        }
    }

    #[cold]
    fn move_to_heap(&mut self, used: usize) {
        if self.heap.is_empty() {
            self.heap.extend_from_slice(&self.inline);
        }
        self.heap.resize(used, 0);
    }

    /// Sets a bit; whether it was clear before.
    #[inline]
    pub(crate) fn insert(&mut self, bit: usize) -> bool {
        let (index, mask) = (bit / WORD_BITS, 1 << (bit % WORD_BITS));
        if index >= self.used {
            self.grow(index + 1);
        }
        // Not by as_mut_slice, which would compare the index with `used` once more: this is the inner loop
        // of programs that make their sets anew.
        let word =
            if self.heap.is_empty() { &mut self.inline[index] } else { &mut self.heap[index] };
        let new = *word & mask == 0;
        *word |= mask;
        new
    }

    /// Clears a bit; whether it was set before.
    #[inline]
    pub(crate) fn remove(&mut self, bit: usize) -> bool {
        let mask = 1 << (bit % WORD_BITS);
        match self.as_mut_slice().get_mut(bit / WORD_BITS) {
            Some(word) if *word & mask != 0 => {
                *word &= !mask;
                true
            }
            _ => false,
        }
    }

    #[inline]
    pub(crate) fn contains(&self, bit: usize) -> bool {
        let word = self.as_slice().get(bit / WORD_BITS).copied().unwrap_or(0);
        word & (1 << (bit % WORD_BITS)) != 0
    }

    /// The highest bit that is set.
    #[inline]
    pub(crate) fn highest(&self) -> Option<usize> {
        let (index, word) = self.as_slice().iter().enumerate().rfind(|(_, word)| **word != 0)?;
        Some(index * WORD_BITS + word.ilog2() as usize)
    }

    /// Becomes a copy of `other` that is `used` words long: cut, or continued with zeros.
    #[inline]
    pub(crate) fn copy_from(&mut self, other: &Words, used: usize) {
        self.reserve(used);
        self.used = used;
        let from = other.as_slice();
        let both = from.len().min(used);
        let to = self.as_mut_slice();
        to[..both].copy_from_slice(&from[..both]);
        if both < used {
            to[both..].fill(0);
        }
    }

    /// Cuts the row to `used` words.
    #[inline]
    pub(crate) fn truncate(&mut self, used: usize) {
        self.used = self.used.min(used);
    }

    /// The bits that are set, from both ends; `len` is how many there are, and none of them is in a word before `first`.
    #[inline]
    pub(crate) fn bits(&self, first: usize, len: usize) -> Bits<'_> {
        let mut middle = self.as_slice().iter().enumerate();
        if let Some(before) = first.checked_sub(1) {
            middle.nth(before);
        }
        Bits { front: (0, 0), middle, back: (0, 0), len }
    }
}

/// The descriptors whose bits are set, in ascending order, word by word.
#[derive(Clone, Debug)]
pub(crate) struct Bits<'a> {
    /// The word being taken from the front: the number of its lowest bit, and the bits that are left.
    front: (usize, Word),
    middle: Enumerate<slice::Iter<'a, Word>>,
    /// The same at the back.
    back: (usize, Word),
    len: usize,
}

impl Bits<'_> {
    /// Takes the lowest bit of a word.
    #[inline]
    fn lowest((base, word): &mut (usize, Word)) -> usize {
        let bit = *base + word.trailing_zeros() as usize;
        *word &= *word - 1;
        bit
    }

    /// Takes the highest bit of a word.
    #[inline]
    fn highest((base, word): &mut (usize, Word)) -> usize {
        let bit = word.ilog2();
        *word &= !(1 << bit);
        *base + bit as usize
    }
}

impl Iterator for Bits<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        self.len = self.len.checked_sub(1)?;
        if self.front.1 == 0 {
            match self.middle.find(|(_, word)| **word != 0) {
                Some((index, word)) => self.front = (index * WORD_BITS, *word),
                // The last bits are in the word that the other end has begun.
                None if self.back.1 != 0 => return Some(Self::lowest(&mut self.back)),
                None => return None,
            }
        }
        Some(Self::lowest(&mut self.front))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

impl DoubleEndedIterator for Bits<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<usize> {
        self.len = self.len.checked_sub(1)?;
        if self.back.1 == 0 {
            match self.middle.rfind(|(_, word)| **word != 0) {
                Some((index, word)) => self.back = (index * WORD_BITS, *word),
                None if self.front.1 != 0 => return Some(Self::highest(&mut self.front)),
                None => return None,
            }
        }
        Some(Self::highest(&mut self.back))
    }
}

impl ExactSizeIterator for Bits<'_> {}
impl std::iter::FusedIterator for Bits<'_> {}
